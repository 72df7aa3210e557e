//! The cost model on counts that are known.

use crate::harness::{FRAME, Snippet};
use ddpm_ptx::device::Resources;
use ddpm_ptx::device::model::{Chip, Estimate, Pipe, estimate};

/// The estimate for the one launch of a snippet.
fn on(chip: &str, snippet: &Snippet, resources: Option<&Resources>) -> Estimate {
    estimate(&Chip::named(chip).unwrap(), &snippet.counts().launches[0], resources)
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-12, "{found:e} instead of {expected:e}");
}

/// One warp on one multiprocessor: 200 instructions at 64 lanes, that is half an instruction a cycle.
#[test]
fn multiply_adds() {
    let snippet = Snippet::new(&"fma.rn.f32 %f1, %f0, %f0, %f0;\n".repeat(200));
    let found = on("a100", &snippet, None);
    assert_eq!((found.bound(), found.imbalance, found.occupancy), (Pipe::Fma, 108.0, None));
    assert_near(found.time(), 100.0 / 1.41e9);
    assert_near(found.seconds(Pipe::Issue), (200 + FRAME) as f64 / 4.0 / 1.41e9);
    // The parameter and the thread's number.
    assert_near(found.seconds(Pipe::Integer), 1.0 / 1.41e9);
}

/// Stores in 32 wavefronts each, on as many blocks as there are multiprocessors, and on one more.
#[test]
fn shared_memory_and_imbalance() {
    let body = format!(
        "mov.u32 %r8, cell;\nmad.lo.u32 %r9, %r0, 128, %r8;\n{}",
        "st.shared.u32 [%r9], %r0;\n".repeat(10)
    );
    let even = Snippet { grid: [132, 1, 1], ..Snippet::new(&body) };
    let found = on("h100", &even, None);
    assert_eq!((found.bound(), found.imbalance), (Pipe::Shared, 1.0));
    assert_near(found.time(), 320.0 / 1.83e9);
    let uneven = on("h100", &Snippet { grid: [133, 1, 1], ..even }, None);
    assert_near(uneven.imbalance, 2.0 * 132.0 / 133.0);
    assert_near(uneven.time(), 640.0 / 1.83e9);
}

/// Every lane reads a sector of its own, all blocks the same ones.
#[test]
fn memory() {
    let body = "mad.wide.u32 %rd1, %r0, 32, %rd0;\nld.global.u32 %r1, [%rd1];";
    let found = on("h200", &Snippet { grid: [1000, 1, 1], ..Snippet::new(body) }, None);
    assert_near(found.seconds(Pipe::L2), 1000.0 * 1024.0 / (4472.0 * 1.83e9));
    assert_near(found.seconds(Pipe::Dram), 1024.0 / 4.8e12);
}

#[test]
fn tensor_cores() {
    let mma = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, {%r1, %r2, %r3, %r4}, \
               {%r5, %r6}, {%f0, %f1, %f2, %f3};\n";
    let found = on("a100", &Snippet::new(&mma.repeat(50)), None);
    assert_eq!(found.bound(), Pipe::Tensor);
    // 4096 operations each, 2048 a cycle.
    assert_near(found.time(), 100.0 / 1.41e9);
}

#[test]
fn waves() {
    let resources =
        Resources { entry: "test", registers: 128, shared_bytes: 0, stack_bytes: 0, spill_bytes: 0 };
    let snippet = Snippet { grid: [108, 1, 1], block: [256, 1, 1], ..Snippet::new("") };
    let found = on("a100", &snippet, Some(&resources));
    // 16 warps by registers, two blocks of 8 warps; 16 KiB of shared memory would let 9 in.
    assert_eq!(found.occupancy.map(|occupancy| (occupancy.blocks, occupancy.fraction)), Some((2, 0.25)));
    assert_eq!(found.waves, Some(0.5));
}
