//! Instructions by class, and the lanes that took part.

use crate::harness::{FRAME, Snippet};
use ddpm_ptx::device::soft::count::{Class, TensorType};

/// Instructions of the body by warps and by threads, of one class.
fn of(snippet: &Snippet, class: Class) -> [u64; 2] {
    let counters = snippet.counters();
    [counters.warp_instructions(class), counters.thread_instructions(class)]
}

#[test]
fn every_class() {
    let cases = [
        ("add.u32 %r1, %r0, 1;", Class::Integer),
        ("fma.rn.f32 %f1, %f0, %f0, %f0;", Class::Fma),
        ("sub.rn.f32 %f1, %f0, %f0;", Class::Add),
        ("mul.rn.f32 %f1, %f0, %f0;", Class::Mul),
        ("fma.rn.f64 %fd1, %fd0, %fd0, %fd0;", Class::Double),
        ("fma.rn.f16x2 %r1, %r0, %r0, %r0;", Class::Half),
        ("cvt.rn.f32.u32 %f1, %r0;", Class::Convert),
        ("ex2.approx.ftz.f32 %f1, %f0;", Class::Special),
        ("rcp.rn.f32 %f1, %f0;", Class::Special),
        ("selp.b32 %r1, %r0, %r0, %p0;", Class::Move),
        ("setp.lt.u32 %p1, %r0, 4;", Class::Move),
        ("max.f32 %f1, %f0, %f0;", Class::Move),
        ("membar.gl;", Class::Control),
        ("shfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xffffffff;", Class::Warp),
        ("st.shared.u32 [cell], 1;", Class::Shared),
        ("ld.global.u32 %r1, [%rd0];", Class::Global),
        ("atom.global.add.u32 %r1, [%rd0], 1;", Class::Atomic),
        ("bar.sync 0;", Class::Barrier),
        ("bar.warp.sync 0xffffffff;", Class::Barrier),
        ("cp.async.wait_all;", Class::Control),
    ];
    for (line, class) in cases {
        let once = of(&Snippet::new(""), class);
        let found = of(&Snippet::new(line), class);
        assert_eq!([found[0] - once[0], found[1] - once[1]], [1, 32], "{line}");
        assert_eq!(Snippet::new(line).counters().all_warp_instructions(), FRAME + 1, "{line}");
    }
}

#[test]
fn floating_point_operations() {
    let body = "fma.rn.f32 %f1, %f0, %f0, %f0;\nadd.rn.f32 %f1, %f0, %f0;\nfma.rn.f16x2 %r1, %r0, %r0, %r0;\n\
                mul.rn.f64 %fd1, %fd0, %fd0;\nmax.f32 %f1, %f0, %f0;\nex2.approx.ftz.f32 %f1, %f0;";
    assert_eq!(Snippet::new(body).counters().flop, 32 * (2 + 1 + 4 + 1));
}

#[test]
fn tensor_cores() {
    let sums = "{%f0, %f1, %f2, %f3}";
    let mma = |shape: &str, a: &str, b: &str| format!("mma.sync.aligned.{shape} {sums}, {a}, {b}, {sums};");
    let four = "{%r1, %r2, %r3, %r4}";
    let counters = Snippet::new(&format!(
        "{}\n{}\n{}",
        mma("m16n8k16.row.col.f32.bf16.bf16.f32", four, "{%r5, %r6}"),
        mma("m16n8k8.row.col.f32.f16.f16.f32", "{%r1, %r2}", "{%r3}"),
        mma("m16n8k8.row.col.f32.tf32.tf32.f32", four, "{%r5, %r6}"),
    ))
    .counters();
    assert_eq!(counters.warp_instructions(Class::Tensor), 3);
    assert_eq!(counters.tensor_flop(TensorType::Half), 2 * 16 * 8 * (16 + 8));
    assert_eq!(counters.tensor_flop(TensorType::Tf32), 2 * 16 * 8 * 8);
    assert_eq!(counters.flop, 0);
}

#[test]
fn partial_warps_and_grids() {
    let snippet = Snippet { grid: [3, 2, 1], block: [10, 5, 1], ..Snippet::new("add.u32 %r1, %r0, 1;") };
    let counters = snippet.counters();
    assert_eq!((counters.launches, counters.blocks, counters.warps), (1, 6, 12));
    assert_eq!(of(&snippet, Class::Integer), [12, 6 * 50]);
    assert_eq!(counters.lane_utilisation(), 50.0 / 64.0);
}

/// Half of the warp runs each side, a quarter of it the loop's rounds on average.
#[test]
fn divergence() {
    let body = "setp.lt.u32 %p0, %r0, 8;\n@%p0 bra LOW;\nadd.u32 %r1, %r0, 1;\nadd.u32 %r1, %r1, 1;\nbra JOIN;\n\
                LOW:\nmul.rn.f32 %f0, %f0, %f0;\nJOIN:\nxor.b32 %r1, %r1, 1;";
    assert_eq!(of(&Snippet::new(body), Class::Mul), [1, 8]);
    assert_eq!(of(&Snippet::new(body), Class::Integer), [3, 24 + 24 + 32]);

    let rounds = "and.b32 %r1, %r0, 3;\nLOOP:\nadd.rn.f32 %f0, %f0, %f0;\nsub.s32 %r1, %r1, 1;\n\
                  setp.ge.s32 %p0, %r1, 0;\n@%p0 bra LOOP;\nmul.rn.f32 %f0, %f0, %f0;";
    assert_eq!(of(&Snippet::new(rounds), Class::Add), [4, 8 * (1 + 2 + 3 + 4)]);
    assert_eq!(of(&Snippet::new(rounds), Class::Mul), [1, 32]);
}

/// A shuffle at which the two sides of a branch meet is one instruction, as is all behind it.
#[test]
fn lanes_that_wait_for_others() {
    let body = "setp.lt.u32 %p0, %r0, 8;\n@%p0 bra LOW;\nadd.u32 %r1, %r0, 1;\nbra THERE;\n\
                LOW:\nadd.u32 %r1, %r0, 2;\nTHERE:\nadd.u32 %r1, %r1, 2;\n\
                shfl.sync.bfly.b32 %r2, %r1, 1, 31, 0xffffffff;\nadd.rn.f32 %f0, %f0, %f0;";
    assert_eq!(of(&Snippet::new(body), Class::Warp), [1, 32]);
    assert_eq!(of(&Snippet::new(body), Class::Add), [1, 32]);
}

#[test]
fn guards() {
    let body = "setp.lt.u32 %p0, %r0, 5;\n@%p0 add.rn.f32 %f0, %f0, %f0;\n@!%p0 mul.rn.f32 %f0, %f0, %f0;\n\
                setp.lt.u32 %p0, %r0, 7;\n@%p0 add.rn.f32 %f0, %f0, %f0;\n\
                setp.lt.u32 %p1, %r0, 0;\n@%p1 ex2.approx.ftz.f32 %f0, %f0;";
    let snippet = Snippet::new(body);
    assert_eq!(of(&snippet, Class::Add), [2, 5 + 7]);
    assert_eq!(of(&snippet, Class::Mul), [1, 27]);
    assert_eq!(of(&snippet, Class::Special), [1, 0], "no lane, but issued");
}

#[test]
fn lanes_that_left() {
    let body = "setp.ge.u32 %p0, %r0, 20;\n@%p0 exit;\nadd.rn.f32 %f0, %f0, %f0;";
    assert_eq!(of(&Snippet::new(body), Class::Add), [1, 20]);
    assert_eq!(of(&Snippet::new(body), Class::Control), [2, 32 + 20]);
}

#[test]
fn instructions_have_their_lines() {
    let counts = Snippet::new("add.u32 %r1, %r0, 1;\n\nmul.rn.f32 %f0, %f0, %f0;").counts();
    let body: Vec<_> = counts
        .instructions
        .iter()
        .filter(|counted| matches!(counted.work.class, Class::Integer | Class::Mul))
        .map(|counted| (counted.line, counted.executions, counted.lanes))
        .collect();
    assert_eq!(body[1].0, body[0].0 + 2);
    assert!(body.iter().all(|(_, executions, lanes)| (*executions, *lanes) == (1, 32)));
}

/// Launches of the same geometry are added up; the counts are gone once they are taken.
#[test]
fn launches_add_up() {
    use crate::harness::counting;
    use ddpm_ptx::device::soft::Level;
    let soft = counting(Level::detect(), 1);
    let snippet = Snippet::new("add.rn.f32 %f0, %f0, %f0;");
    let once = snippet.on(&soft).total();
    assert_eq!(snippet.on(&soft).total(), once);
    assert_eq!(soft.take_counts(), []);
}
