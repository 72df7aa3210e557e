//! What a kernel may not do, and what its author is told.

use crate::harness::{best, grid, module};
use ddpm_ptx::device::{Device, DeviceError};

/// The report of a kernel that gets the address of 64 words in `%rd0`.
fn report(body: &str) -> String {
    match grid::<u32>(&best(), body, [3, 1, 1], [64, 1, 1], 64) {
        Err(DeviceError::Fault { kernel, report, .. }) => {
            assert_eq!(kernel, "test");
            report
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn reading_past_the_end() {
    let found =
        report("mov.u32 %r0, %tid.x;\nmad.wide.u32 %rd1, %r0, 4, %rd0;\nld.global.u32 %r1, [%rd1+8];");
    assert!(found.contains("read of 4 bytes"), "{found}");
    assert!(found.contains("block (0, 0, 0), thread (62, 0, 0)"), "{found}");
    assert!(found.contains("ld.global.u32 %r1, [%rd1+8];"), "{found}");
    assert!(found.contains("snippet:15"), "{found}");
}

#[test]
fn writing_past_the_end_in_a_vector() {
    let found = report(
        "mov.u32 %r0, %tid.x;\nmad.wide.u32 %rd1, %r0, 8, %rd0;\nst.global.v2.u32 [%rd1], {%r0, %r0};",
    );
    assert!(found.contains("write of 8 bytes") && found.contains("thread (32, 0, 0)"), "{found}");
}

#[test]
fn misaligned() {
    let found = report("mov.u32 %r0, %tid.x;\nmad.wide.u32 %rd1, %r0, 2, %rd0;\nld.global.u32 %r1, [%rd1];");
    assert!(found.contains("not a multiple of 4") && found.contains("thread (1, 0, 0)"), "{found}");
}

#[test]
fn null_and_shared_bounds() {
    let found = report("mov.u64 %rd1, 0;\nld.global.f32 %f0, [%rd1];");
    assert!(found.contains("at 0x0"), "{found}");
    let found = report(".shared .align 4 .b32 x[8];\nmov.u32 %r0, x;\nld.shared.u32 %r1, [%r0+32];");
    assert!(found.contains("read of 4 bytes at 0x20"), "{found}");
}

#[test]
fn trap_and_division_by_zero() {
    assert!(
        report("mov.u32 %r0, %tid.x;\nsetp.eq.u32 %p0, %r0, 33;\n@%p0 trap;").contains("thread (33, 0, 0)")
    );
    assert!(report("mov.u32 %r0, %tid.x;\nrem.s32 %r1, 5, %r0;").contains("division by zero"));
}

#[test]
fn constants_are_read_only() {
    let text = ".version 8.0\n.target sm_80\n.address_size 64\n.const .u32 c = 7;\n
        .visible .entry test() { .reg .b64 %rd0; mov.u64 %rd0, c; cvta.const.u64 %rd0, %rd0; st.u32 [%rd0], 1; ret; }";
    let error = best().load("constant", text).unwrap().launch("test", [1; 3], [1; 3], 0, &[]).unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[test]
fn freed_memory_is_gone() {
    let soft = best();
    let device = Device::from(soft.clone());
    let text = module(
        ".param .u64 y",
        ".reg .b64 %rd0; .reg .b32 %r0; ld.param.u64 %rd0, [y]; ld.global.u32 %r0, [%rd0];",
    );
    let program = soft.load("freed", &text).unwrap();
    let buffer = device.alloc::<u32>(8).unwrap();
    let address = buffer.address();
    program.launch("test", [1; 3], [1; 3], 0, &address.to_le_bytes()).unwrap();
    drop(buffer);
    let other = device.alloc::<u32>(8).unwrap();
    assert_ne!(other.address(), address);
    assert!(program.launch("test", [1; 3], [1; 3], 0, &address.to_le_bytes()).is_err());
}

/// The first block that fails is reported, whichever worker is faster.
#[test]
fn the_report_does_not_depend_on_the_order_of_blocks() {
    let body = "mov.u32 %r0, %ctaid.x;\nsetp.ge.u32 %p0, %r0, 40;\n@%p0 trap;";
    for _ in 0..20 {
        match grid::<u32>(&best(), body, [400, 1, 1], [256, 1, 1], 1) {
            Err(DeviceError::Fault { report, .. }) => {
                assert!(report.contains("block (40, 0, 0)"), "{report}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn fresh_memory_is_poisoned() {
    let device = Device::from(best());
    assert!(device.alloc::<f32>(100).unwrap().to_vec::<f32>().unwrap().iter().all(|x| x.is_nan()));
}
