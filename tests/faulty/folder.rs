//! Every file of the folder, at several seeds.

use crate::case::Case;
use ddpm_ptx::device::soft::{Finding, Kind};
use std::collections::BTreeMap;
use std::path::Path;

const SEEDS: u64 = 8;

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faulty/kernels");
    let entries = std::fs::read_dir(folder).expect("the folder of faulty kernels");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ptx"));
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

/// What is wrong with the findings of a faulty kernel; `None` if they are as expected.
fn objection(case: &Case, findings: &[Finding]) -> Option<String> {
    let [finding] = findings else {
        let text: Vec<_> = findings.iter().map(Finding::to_string).collect();
        return Some(format!("{} findings instead of one\n{}", findings.len(), text.join("\n")));
    };
    let place = |line: usize| format!("{}:{line}", case.name);
    let here = place(case.marked("// <- here").expect("a line that is marked"));
    if finding.kind.name() != case.expected || finding.source.place != here {
        return Some(format!("{} at {here} was expected\n{finding}", case.expected));
    }
    let other = finding.other.as_ref().map(|other| &other.source.place);
    match case.marked("// <- other") {
        Some(line) if other != Some(&place(line)) => Some(format!("names another place\n{finding}")),
        _ => None,
    }
}

#[test]
fn faulty_kernels_are_found_and_mended_ones_are_clean() {
    let mut objections = Vec::new();
    for case in cases() {
        for seed in 0..SEEDS {
            if let Some(text) = objection(&case, &case.run("faulty", seed)) {
                objections.push(format!("{}, faulty, seed {seed}: {text}", case.name));
            }
            for finding in case.run("mended", seed) {
                objections.push(format!("{}, mended, seed {seed}: {finding}", case.name));
            }
        }
    }
    assert!(objections.is_empty(), "{}", objections.join("\n\n"));
}

/// Every kind has a kernel. Run with `--nocapture` for the table.
#[test]
fn every_kind_has_a_kernel() {
    let mut kernels: BTreeMap<&str, usize> = Kind::ALL.iter().map(|kind| (kind.name(), 0)).collect();
    for case in cases() {
        let count = kernels.get_mut(case.expected.as_str());
        *count.unwrap_or_else(|| panic!("{}: {} is no kind of finding", case.name, case.expected)) += 1;
    }
    for (kind, count) in &kernels {
        println!("{kind:24}{count:3}");
        assert_ne!(*count, 0, "no kernel shows {kind}");
    }
    println!("{:24}{:3}", "in all", kernels.values().sum::<usize>());
}
