//! Kernels that go wrong: the report names kernel, line, thread and address.

use crate::common::device::device;
use crate::probe::{kernel, launch, pointer};
use ddpm_ptx::device::{Access, Arg, DeviceError, Kernel, Launch, Place};

/// A kernel of one pointer, in `%at`, with registers to use; line 3 of its text is `body`'s first.
fn broken(body: &str, threads: u32) -> &'static Kernel {
    let text = format!(
        ".shared .align 16 .b8 pool[64];\n\
         .visible .entry k(.param .u64 x) .reqntid {threads} {{ .reg .b64 %at; .reg .b32 %v<4>, %me; .reg .pred %p; ld.param.u64 %at, [x]; mov.u32 %me, %tid.x;\n\
         {body}\nret;\n}}"
    );
    kernel(&text, [threads, 1, 1])
}

/// Runs a broken kernel on a buffer of 256 bytes; the report, and the buffer's address.
fn fault(body: &str, threads: u32) -> (String, u64) {
    let buffer = device().alloc_zeroed::<u32>(64).expect("memory");
    let error = launch(broken(body, threads), [1, 1, 1], vec![pointer(&buffer)]).expect_err(body);
    match &error {
        DeviceError::Fault { kernel, .. } | DeviceError::Findings { kernel, .. } => assert_eq!(kernel, "k"),
        other => panic!("{body}: {other}"),
    }
    (error.to_string(), buffer.address())
}

/// Every part of the report is there.
fn assert_says(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "`{part}` is not in: {report}");
    }
}

#[test]
fn accesses_outside_of_every_allocation() {
    for (access, what) in [
        ("ld.global.u32 %v0, [%at+256];", "read of 4 bytes"),
        ("st.global.u32 [%at+256], %v0;", "write of 4 bytes"),
        ("ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%at+256];", "16 bytes"),
        ("atom.global.add.u32 %v0, [%at+256], 1;", "4 bytes"),
    ] {
        let (report, address) = fault(&format!("setp.ne.u32 %p, %me, 37;\n@%p ret;\n{access}"), 64);
        let address = format!("{:#x}", address + 256);
        assert_says(&report, &[what, &address, "probe.ptx:5", "thread (37, 0, 0)", "block (0, 0, 0)"]);
        assert_says(&report, &[access]);
    }
}

#[test]
fn accesses_just_before_an_allocation_and_at_null() {
    let (report, address) = fault("ld.global.u32 %v0, [%at-4];", 1);
    assert_says(&report, &[&format!("{:#x}", address - 4)]);
    let (report, _) = fault("mov.u64 %at, 0;\nst.global.u32 [%at], %v0;", 1);
    assert_says(&report, &["0x0", "probe.ptx:4"]);
}

/// An access that begins inside of an allocation and ends outside.
#[test]
fn accesses_across_the_end() {
    let (report, _) = fault("ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%at+256];", 1);
    assert_says(&report, &["16 bytes"]);
    let small = device().alloc_zeroed::<u32>(3).expect("memory");
    let body = "ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%at];";
    let error = launch(broken(body, 1), [1, 1, 1], vec![pointer(&small)]).expect_err("12 bytes hold no 16");
    assert!(matches!(error, DeviceError::Fault { .. } | DeviceError::Findings { .. }), "{error}");
}

#[test]
fn misaligned_accesses() {
    for (access, bytes) in [
        ("ld.global.u32 %v0, [%at+2];", 4),
        ("st.global.u16 [%at+1], %v0;", 2),
        ("ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%at+8];", 16),
        ("ld.global.v2.u32 {%v0, %v1}, [%at+4];", 8),
        ("ld.shared.u32 %v0, [pool+1];", 4),
        ("atom.shared.add.u32 %v0, [pool+2], 1;", 4),
    ] {
        let (report, _) = fault(access, 1);
        assert_says(&report, &[&format!("{bytes} bytes"), "multiple", "probe.ptx:3"]);
    }
}

#[test]
fn memory_that_was_freed() {
    let buffer = device().alloc_zeroed::<u32>(64).expect("memory");
    let address = buffer.address();
    drop(buffer);
    let args = vec![Arg::Pointer(Place::Address(address), Access::Read)];
    let error = launch(broken("ld.global.u32 %v0, [%at];", 1), [1, 1, 1], args).expect_err("freed");
    assert_says(&error.to_string(), &["k", &format!("{address:#x}")]);
}

#[test]
fn shared_memory_beyond_its_end() {
    for access in [
        "ld.shared.u32 %v0, [pool+64];",
        "st.shared.u32 [pool+4096], %v0;",
        "mov.u32 %v0, 1000000; ld.shared.u32 %v1, [%v0];",
    ] {
        let (report, _) = fault(access, 1);
        assert_says(&report, &["probe.ptx:3", "thread (0, 0, 0)"]);
    }
}

#[test]
fn local_memory_beyond_its_end() {
    let (report, _) =
        fault(".local .b32 mine[4]; .reg .b64 m; mov.u64 m, mine;\nld.local.u32 %v0, [m+16];", 1);
    assert_says(&report, &["probe.ptx:4"]);
}

#[test]
fn constants_are_read_only() {
    let text = ".const .u32 table[2] = {1, 2};\n.visible .entry k(.param .u64 x) .reqntid 1 { .reg .b64 at;\n\
                mov.u64 at, table; cvta.const.u64 at, at; st.u32 [at], 3; ret; }";
    let buffer = device().alloc_zeroed::<u32>(1).expect("memory");
    launch(kernel(text, [1, 1, 1]), [1, 1, 1], vec![pointer(&buffer)]).expect_err("a constant was written");
}

#[test]
fn traps_and_divisions_by_zero() {
    let (report, _) = fault("setp.ne.u32 %p, %me, 3;\n@%p ret;\ntrap;", 32);
    assert_says(&report, &["trap", "probe.ptx:5"]);
    let (report, _) = fault("mov.u32 %v1, 0;\ndiv.u32 %v0, %me, %v1;", 32);
    assert_says(&report, &["zero", "probe.ptx:4"]);
}

#[test]
fn lanes_that_do_not_take_part() {
    let (report, _) =
        fault("setp.ge.u32 %p, %me, 16;\n@%p ret;\nshfl.sync.bfly.b32 %v0, %me, 16, 31, 0x0000FFFF;", 32);
    assert_says(&report, &["lane", "probe.ptx:5"]);
}

/// A barrier that the halves of a warp reach apart.
#[test]
fn divergent_barriers() {
    let (report, _) =
        fault("setp.ge.u32 %p, %me, 16;\n@%p bra other;\nbar.sync 0;\nret;\nother:\nbar.sync 1;", 32);
    assert_says(&report, &["probe.ptx:"]);
    let (report, _) = fault("setp.ge.u32 %p, %me, 16;\n@%p bar.sync 0;", 32);
    assert_says(&report, &["barrier", "probe.ptx:4"]);
}

/// Lanes of one warp that wait at different barriers, aligned or not, wait for ever.
#[test]
fn lanes_at_different_barriers() {
    let (report, _) =
        fault("setp.ge.u32 %p, %me, 16;\n@%p bra other;\nbarrier.sync 0;\nret;\nother:\nbarrier.sync 1;", 32);
    assert_says(&report, &["lanes", "probe.ptx:5", "probe.ptx:8"]);
}

#[test]
fn barriers_that_nobody_else_reaches() {
    let (report, _) =
        fault("setp.ge.u32 %p, %me, 32;\n@%p bra other;\nbar.sync 1, 64;\nret;\nother:\nbar.sync 2, 64;", 64);
    assert_says(&report, &["barrier"]);
}

#[test]
fn copies_larger_than_their_size() {
    let (report, _) = fault("mov.u32 %v1, 8;\ncp.async.ca.shared.global [pool], [%at], 4, %v1;", 1);
    assert_says(&report, &["8", "4 bytes", "probe.ptx:4"]);
}

/// A fault leaves the device usable.
#[test]
fn the_device_survives() {
    fault("ld.global.u32 %v0, [%at+256];", 32);
    let buffer = device().alloc_zeroed::<u32>(64).expect("memory");
    launch(broken("mov.u32 %v0, 5; st.global.u32 [%at], %v0;", 1), [1, 1, 1], vec![pointer(&buffer)])
        .expect("runs");
    assert_eq!(buffer.to_vec::<u32>().expect("readable")[0], 5);
}

#[test]
fn launches_that_cannot_be() {
    let buffer = device().alloc_zeroed::<u32>(64).expect("memory");
    let good = broken("", 32);
    let refused = |kernel, grid, shared_bytes, args| {
        let error = device().launch(&Launch { kernel, grid, shared_bytes, args }).expect_err("refused");
        assert!(matches!(error, DeviceError::BadLaunch { .. }), "{error}");
        error.to_string()
    };
    let argument = || vec![pointer(&buffer)];
    refused(good, [1, 1, 1], 0, vec![]);
    refused(good, [1, 1, 1], 0, vec![Arg::U32(1)]);
    refused(good, [0, 1, 1], 0, argument());
    refused(good, [1, 1, 1], 10_000_000, argument());
    refused(good, [1, 1, 1], 0, vec![Arg::Pointer(Place::Symbol { id: 0, offset: 0 }, Access::Read)]);
    assert!(refused(good, [1, 1, 1], 0, vec![]).contains('k'));
}
