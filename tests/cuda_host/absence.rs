//! Machines without a usable card: a clear sentence, and never a panic.

use crate::library::{Library, with_library};
use ddpm_ptx::device::{Device, DeviceChoice, DeviceError, cuda};

/// What `Device::cuda(0)` says, after checking that `auto` falls back and says the same.
fn refusal() -> String {
    let Err(DeviceError::Unavailable(sentence)) = Device::cuda(0) else {
        panic!("cuda:0 must be unavailable");
    };
    let (device, why) = DeviceChoice::Auto.open().unwrap();
    assert!(device.name().starts_with("soft"), "{}", device.name());
    assert_eq!(why.as_deref(), Some(sentence.as_str()));
    sentence
}

fn assert_says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
    }
}

#[test]
fn no_library() {
    with_library("absence::no_library", Library::None, || {
        assert_eq!(cuda::probe(), Err(cuda::Absent::Library));
        assert_says(&refusal(), &["libcuda.so.1 was not found", "LD_LIBRARY_PATH", "--device soft"]);
    });
}

#[test]
fn no_card() {
    with_library("absence::no_card", Library::Fake("cuInit=100"), || {
        assert_eq!(cuda::probe(), Err(cuda::Absent::Card));
        assert_says(&refusal(), &["libcuda was found, but no NVIDIA card", "nvidia-smi"]);
    });
}

#[test]
fn cards_hidden() {
    with_library("absence::cards_hidden", Library::Fake("cards=0"), || {
        assert_eq!(cuda::probe(), Err(cuda::Absent::Card));
    });
}

#[test]
fn mismatched_driver() {
    with_library("absence::mismatched_driver", Library::Fake("cuInit=803"), || {
        let parts = ["cuInit", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)", "different versions"];
        assert_says(&refusal(), &parts);
    });
}

#[test]
fn code_newer_than_the_program() {
    with_library("absence::code_newer_than_the_program", Library::Fake("cuInit=4711"), || {
        assert_says(&refusal(), &["cuInit failed: unknown error (4711)"]);
    });
}

#[test]
fn old_driver() {
    with_library("absence::old_driver", Library::Fake("version=11040"), || {
        assert_eq!(cuda::probe(), Err(cuda::Absent::OldDriver { version: 11040 }));
        assert_says(&refusal(), &["CUDA 11.4", "need 12.0", "driver 525"]);
    });
}

#[test]
fn missing_function() {
    with_library("absence::missing_function", Library::Incomplete, || {
        assert_eq!(cuda::probe(), Err(cuda::Absent::Function("cuGraphLaunch")));
        assert_says(&refusal(), &["lacks the function cuGraphLaunch", "525"]);
    });
}

#[test]
fn old_card() {
    with_library("absence::old_card", Library::Fake("capability=75"), || {
        let cards = cuda::probe().unwrap();
        assert!(!cards[0].usable());
        assert_says(&refusal(), &["Fake H100", "sm_75", "need sm_80"]);
    });
}

#[test]
fn no_such_card() {
    with_library("absence::no_such_card", Library::Fake("cards=2"), || {
        let Err(DeviceError::Unavailable(sentence)) = Device::cuda(2) else { panic!("there is no cuda:2") };
        assert_says(&sentence, &["no cuda:2", "cuda:0 (Fake H100, sm_90, driver 12.4)", "cuda:1 ("]);
    });
}

#[test]
fn oldest_driver_and_card_will_do() {
    with_library(
        "absence::oldest_driver_and_card_will_do",
        Library::Fake("version=12000;capability=80"),
        || assert_eq!(Device::cuda(0).unwrap().name(), "cuda:0 (Fake H100, sm_80, driver 12.0)"),
    );
}

#[test]
fn auto_takes_the_card() {
    with_library("absence::auto_takes_the_card", Library::Fake(""), || {
        let (device, why) = DeviceChoice::Auto.open().unwrap();
        assert_eq!(device.name(), "cuda:0 (Fake H100, sm_90, driver 12.4)");
        assert_eq!(device.multiprocessors(), 132);
        assert_eq!(why, None);
    });
}
