//! Barriers of a block.

use crate::harness::{best, grid};
use ddpm_ptx::device::DeviceError;

/// Each thread reads what a thread of another warp wrote before the barrier, many times over.
#[test]
fn all_warps_meet() {
    let body = "
    .shared .align 4 .b32 cell[128];
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, cell;
    shl.b32 %r2, %r0, 2;
    add.u32 %r2, %r1, %r2;
    add.u32 %r3, %r0, 37;
    and.b32 %r3, %r3, 127;
    shl.b32 %r3, %r3, 2;
    add.u32 %r3, %r1, %r3;
    mov.u32 %r4, %r0;
    mov.u32 %r5, 0;
ROUND:
    st.shared.u32 [%r2], %r4;
    bar.sync 0;
    ld.shared.u32 %r4, [%r3];
    bar.sync 0;
    add.u32 %r5, %r5, 1;
    setp.lt.u32 %p0, %r5, 5;
    @%p0 bra ROUND;
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], %r4;";
    let out: Vec<u32> = grid(&best(), body, [1; 3], [128, 1, 1], 128).unwrap();
    for (thread, found) in out.into_iter().enumerate() {
        assert_eq!(found as usize, (thread + 5 * 37) % 128);
    }
}

/// Producers arrive and go on; consumers wait for them at a barrier of their own number.
#[test]
fn arrive_counts_without_waiting() {
    let body = "
    .shared .align 4 .b32 cell[32];
    mov.u32 %r0, %tid.x;
    and.b32 %r1, %r0, 31;
    shl.b32 %r1, %r1, 2;
    mov.u32 %r2, cell;
    add.u32 %r1, %r1, %r2;
    setp.lt.u32 %p0, %r0, 32;
    @%p0 bra CONSUMER;
    mul.lo.u32 %r3, %r0, 3;
    st.shared.u32 [%r1], %r3;
    bar.arrive 3, 64;
    exit;
CONSUMER:
    bar.sync 3, 64;
    ld.shared.u32 %r3, [%r1];
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], %r3;";
    let out: Vec<u32> = grid(&best(), body, [1; 3], [64, 1, 1], 32).unwrap();
    assert_eq!(out, (32..64).map(|thread| 3 * thread).collect::<Vec<u32>>());
}

#[test]
fn reductions_see_all_threads() {
    let body = "
    mov.u32 %r0, %tid.x;
    setp.lt.u32 %p0, %r0, 70;
    bar.red.popc.u32 %r1, 0, %p0;
    bar.red.and.pred %p1, 0, %p0;
    bar.red.or.pred %p2, 1, !%p0;
    selp.u32 %r2, 1000, 0, %p1;
    selp.u32 %r3, 2000, 0, %p2;
    add.u32 %r1, %r1, %r2;
    add.u32 %r1, %r1, %r3;
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], %r1;";
    let out: Vec<u32> = grid(&best(), body, [1; 3], [96, 1, 1], 96).unwrap();
    assert_eq!(out, [2070; 96]);
}

fn fault(body: &str) -> String {
    match grid::<u32>(&best(), body, [1; 3], [64, 1, 1], 1) {
        Err(DeviceError::Fault { report, .. }) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_barrier_in_half_a_warp_is_a_fault() {
    let report =
        fault("mov.u32 %r0, %tid.x;\nand.b32 %r0, %r0, 1;\nsetp.eq.u32 %p0, %r0, 0;\n@%p0 bar.sync 0;");
    assert!(report.contains("only some lanes"), "{report}");
}

#[test]
fn a_barrier_that_one_warp_never_reaches_is_a_fault() {
    let report = fault(
        "mov.u32 %r0, %tid.x;\nsetp.lt.u32 %p0, %r0, 32;\n@%p0 bra ONE;\nbar.sync 1;\nbra END;\nONE: bar.sync 2;\nEND:",
    );
    assert!(report.contains("never reach"), "{report}");
}
