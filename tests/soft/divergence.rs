//! Lanes of one warp that go separate ways and meet again.

use crate::harness::{REGISTERS, best, grid, lanes, module};
use ddpm_ptx::device::soft::{Options, Soft};
use ddpm_ptx::device::{Device, DeviceError};

/// Steps of the Collatz sequence from `n` to 1, and the sum of what it passes.
fn collatz(mut n: u32) -> u32 {
    let (mut steps, mut sum) = (0u32, 0u32);
    while n != 1 {
        sum = sum.wrapping_add(n);
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    sum.wrapping_mul(1000).wrapping_add(steps)
}

const COLLATZ: &str = "
    mov.u32 %r0, in0;
    mov.u32 %r1, 0;
    mov.u32 %r2, 0;
LOOP:
    setp.eq.u32 %p0, %r0, 1;
    @%p0 bra DONE;
    add.u32 %r2, %r2, %r0;
    and.b32 %r3, %r0, 1;
    setp.eq.u32 %p1, %r3, 0;
    @%p1 bra EVEN;
    mad.lo.u32 %r0, %r0, 3, 1;
    bra NEXT;
EVEN:
    shr.u32 %r0, %r0, 1;
NEXT:
    add.u32 %r1, %r1, 1;
    bra.uni LOOP;
DONE:
    mad.lo.u32 out, %r2, 1000, %r1;";

#[test]
fn a_loop_of_different_length_for_each_lane() {
    let n: [u32; 32] = std::array::from_fn(|lane| 1 + 7 * lane as u32);
    let out: [u32; 32] = lanes(&best(), COLLATZ, &[&n]).unwrap();
    assert_eq!(out, n.map(collatz));
}

#[test]
fn code_out_of_line_runs_before_a_shuffle_behind_the_join() {
    let body = "
    setp.lt.u32 %p0, lane, 5;
    @%p0 bra SLOW;
    mov.u32 %r0, 100;
JOIN:
    add.u32 %r0, %r0, lane;
    shfl.sync.bfly.b32 out, %r0, 16, 31, -1;
    bra END;
SLOW:
    mov.u32 %r0, 7;
    bra JOIN;
END:";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    for (lane, got) in out.into_iter().enumerate() {
        let other = lane ^ 16;
        assert_eq!(got, other as u32 + if other < 5 { 7 } else { 100 });
    }
}

/// Lane 0 releases a lock for which the other lanes spin in the same warp.
#[test]
fn a_spinning_group_does_not_starve_the_others() {
    let body = "
    .shared .align 4 .b32 flag;
    st.shared.u32 [flag], 0;
    bar.warp.sync -1;
    setp.ne.u32 %p0, lane, 31;
    @%p0 bra SPIN;
    bra WORK;
SPIN:
    ld.volatile.shared.u32 %r0, [flag];
    setp.eq.u32 %p1, %r0, 0;
    @%p1 bra SPIN;
    mov.u32 out, %r0;
    bra END;
WORK:
    mov.u32 out, 1;
    st.volatile.shared.u32 [flag], 42;
END:";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    assert_eq!(out[31], 1);
    assert!(out[..31].iter().all(|x| *x == 42));
}

/// A warp spins until another warp of the block, which runs later, has written.
#[test]
fn a_spinning_warp_does_not_starve_the_others() {
    let body = "
    .shared .align 4 .b32 flag;
    mov.u32 %r0, %tid.x;
    setp.eq.u32 %p0, %r0, 0;
    @%p0 st.shared.u32 [flag], 0;
    bar.sync 0;
    setp.ge.u32 %p1, %r0, 32;
    @%p1 bra SECOND;
SPIN:
    ld.volatile.shared.u32 %r1, [flag];
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra SPIN;
    bra END;
SECOND:
    mov.u32 %r1, 5;
    st.volatile.shared.u32 [flag], 9;
END:
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], %r1;";
    let out: Vec<u32> = grid(&best(), body, [1; 3], [64, 1, 1], 64).unwrap();
    assert_eq!(out, [[9; 32], [5; 32]].concat());
}

#[test]
fn an_indexed_branch_takes_each_lane_to_its_target() {
    let body = "
    and.b32 %r0, lane, 3;
    brx.idx %r0, CASES;
    CASES: .branchtargets A, B, C, B;
A:
    mov.u32 out, 10;
    bra END;
B:
    add.u32 out, lane, 20;
    bra END;
C:
    mov.u32 out, 30;
END:
    add.u32 out, out, 1;";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    for (lane, found) in out.into_iter().enumerate() {
        assert_eq!(found, [11, lane as u32 + 21, 31, lane as u32 + 21][lane % 4], "lane {lane}");
    }
}

#[test]
fn lanes_that_exit_are_not_waited_for() {
    let body = "
    mov.u32 %r0, %tid.x;
    setp.ge.u32 %p0, %r0, 40;
    @%p0 exit;
    bar.sync 0;
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], 3;";
    let out: Vec<u32> = grid(&best(), body, [1; 3], [96, 1, 1], 96).unwrap();
    assert_eq!(out, [vec![3; 40], vec![0; 56]].concat());
}

#[test]
fn a_nested_scope_has_its_own_names() {
    let body = "
    mov.u32 %r1, 1;
    { .reg .b32 %r1; mov.u32 %r1, 50; add.u32 out, %r1, lane; }
    { .reg .b32 t; bra SKIP; mov.u32 out, 0; SKIP: mov.u32 t, %r1; add.u32 out, out, t; }
    { bra SKIP; mov.u32 out, 0; SKIP: add.u32 out, out, 1; }";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    assert_eq!(out, std::array::from_fn(|lane| lane as u32 + 52));
}

#[test]
fn an_endless_loop_is_stopped() {
    let soft = Soft::with(Options { threads: 1, budget: 1 << 20, ..Options::default() });
    let text = module("", &format!("{REGISTERS}\nAGAIN:\nadd.u32 %r0, %r0, 1;\nbra AGAIN;"));
    let error = soft.load("endless", &text).unwrap().launch("test", [1; 3], [1; 3], 0, &[]).unwrap_err();
    assert!(matches!(&error, DeviceError::Fault { report, .. } if report.contains("endless")), "{error}");
    // The device still works.
    assert!(Device::from(soft).alloc::<f32>(4).is_ok());
}
