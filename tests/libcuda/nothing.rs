//! Programs that pass nothing sensible: errors, and never a crash. Each test is a process of its own.

use crate::library::{NOT_INITIALIZED, alone, call, get, ok, place};
use std::env;
use std::process::Command;

const CHILD: &str = "DDPM_TEST_LIBCUDA_CHILD";

/// Runs a test's body in a process that has not called the library yet.
fn in_a_fresh_process(test: &str, body: fn()) {
    if env::var_os(CHILD).is_some() {
        return body();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}\n{said}", output.status);
    assert!(said.contains("1 passed"), "no test is named {test}:\n{said}");
}

/// Functions that take the place for a function of the program's.
const CALLS_BACK: [&str; 2] = ["cuLaunchHostFunc", "cuStreamAddCallback"];

fn names() -> impl Iterator<Item = &'static str> {
    include_str!("symbols.txt").lines()
}

/// Calls every function; the last name printed is that of one that crashed.
fn call_all(args: &[u64]) {
    for name in names() {
        println!("{name}");
        call(name, args);
    }
}

#[test]
fn calls_before_the_first_one() {
    in_a_fresh_process("nothing::calls_before_the_first_one", || {
        let mut word = 0u64;
        let args = [place(&mut word), place(&mut word)];
        for name in ["cuDeviceGetCount", "cuDeviceGet", "cuCtxGetCurrent", "cuMemAlloc_v2", "cuStreamCreate"]
        {
            assert_eq!(call(name, &args), NOT_INITIALIZED, "{name}");
        }
        call_all(&[]);
    });
}

#[test]
fn null_for_everything() {
    in_a_fresh_process("nothing::null_for_everything", || {
        ok("cuInit", &[0]);
        call_all(&[]);
        let context: u64 = get("cuCtxCreate_v2", &[0, 0]);
        call_all(&[]);
        assert_ne!(context, 0);
    });
}

/// A place that is good to write to, and no handle of anything.
#[test]
fn handles_of_nothing() {
    in_a_fresh_process("nothing::handles_of_nothing", || {
        let _alone = alone();
        ok("cuInit", &[0]);
        let _: u64 = get("cuCtxCreate_v2", &[0, 0]);
        let mut room = vec![0u64; 1 << 12];
        let somewhere = place(&mut room[0]);
        for args in [&[somewhere][..], &[somewhere, somewhere], &[0, somewhere], &[somewhere, 0, somewhere]] {
            for name in names().filter(|name| !CALLS_BACK.iter().any(|start| name.starts_with(start))) {
                println!("{name}");
                room.fill(0);
                call(name, args);
            }
        }
    });
}
