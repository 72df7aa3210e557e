//! What `ddpm doctor` says of the machine.

use crate::kernels::{ASSEMBLED_TOUCH, BROKEN, TOUCH};
use crate::library::{Library, with_library};
use ddpm_ptx::device::{DeviceReport, report};

/// The lines of a report, with runs of blanks made one.
fn lines(device: &DeviceReport) -> Vec<String> {
    let text = device.to_string();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn cards_and_their_kernels() {
    with_library("report::cards_and_their_kernels", Library::Fake("cards=2;static_shared=512"), || {
        let report = report(&[&TOUCH, &ASSEMBLED_TOUCH]);
        let cards = report.cards.as_ref().unwrap();
        assert_eq!(cards.len(), 2);
        let expected = [
            "cuda:1 (Fake H100, sm_90, driver 12.4)",
            "1.0 GiB, 132 multiprocessors, 227 KiB of shared memory a block",
            "kernel registers local B shared B from",
            "test/scaling: touch 42 16 512 ptx",
            "test/assembled: touch 42 16 512 cubin sm_90",
            "2 of 2 kernels load",
        ];
        assert_eq!(lines(&cards[1]), expected);
        assert!(cards.iter().all(DeviceReport::is_well));
    });
}

#[test]
fn a_kernel_that_does_not_load() {
    with_library("report::a_kernel_that_does_not_load", Library::Fake(""), || {
        let report = report(&[&BROKEN, &TOUCH]);
        let lines = lines(&report.cards.as_ref().unwrap()[0]);
        assert!(
            lines.iter().any(|line| line.starts_with("test/broken: broken does not load: module")),
            "{lines:?}"
        );
        assert_eq!(lines.last().unwrap(), "1 of 2 kernels load");
        assert!(!report.is_well());
    });
}

#[test]
fn a_card_that_cannot_be_used() {
    with_library("report::a_card_that_cannot_be_used", Library::Fake("capability=75"), || {
        let report = report(&[&TOUCH]);
        let text = report.to_string();
        assert!(text.contains("cannot be used: ") && text.contains("need sm_80"), "{text}");
        assert!(!report.cards.as_ref().unwrap()[0].is_well());
        assert!(report.is_well(), "an old card is no fault of the kernels");
    });
}

#[test]
fn no_card_at_all() {
    with_library("report::no_card_at_all", Library::None, || {
        let text = report(&[&TOUCH]).to_string();
        assert!(text.starts_with("no NVIDIA driver: "), "{text}");
        assert!(text.contains("\nsoft"), "{text}");
        assert!(text.ends_with("1 of 1 kernels load\n"), "{text}");
    });
}
