//! The same counts for any number of workers, at every level, with superinstructions and without.

use crate::harness::{Snippet, counting};
use ddpm_ptx::device::soft::Level;

/// Fills shared memory, then adds up outer products of 8×8 in a loop, with a divergent tail.
fn matrix_product() -> Snippet {
    let mut body = String::from(
        ".reg .f32 %s<64>, %a<8>, %b<8>;\nmov.u32 %r8, cell;\nmov.u32 %r1, %r0;\n\
         FILL:\nmad.wide.u32 %rd1, %r1, 4, %rd0;\nld.global.f32 %f0, [%rd1];\nmad.lo.u32 %r2, %r1, 4, %r8;\n\
         st.shared.f32 [%r2], %f0;\nadd.u32 %r1, %r1, 64;\nsetp.lt.u32 %p0, %r1, 4096;\n@%p0 bra FILL;\nbar.sync 0;\n\
         and.b32 %r3, %r0, 7;\nshr.u32 %r4, %r0, 3;\nmad.lo.u32 %r5, %r3, 32, %r8;\nmad.lo.u32 %r6, %r4, 48, %r8;\n",
    );
    for k in 0..64 {
        body.push_str(&format!("mov.f32 %s{k}, 0f00000000;\n"));
    }
    body.push_str("mov.u32 %r7, 0;\nSTEP:\n");
    for step in 0..4 {
        for (name, register) in [("a", "%r5"), ("b", "%r6")] {
            for half in 0..2 {
                let [w, x, y, z] = [0, 1, 2, 3].map(|k| format!("%{name}{}", 4 * half + k));
                let offset = 512 * step + 16 * half;
                body.push_str(&format!("ld.shared.v4.f32 {{{w}, {x}, {y}, {z}}}, [{register}+{offset}];\n"));
            }
        }
        for k in 0..64 {
            body.push_str(&format!("fma.rn.f32 %s{k}, %a{}, %b{}, %s{k};\n", k / 8, k % 8));
        }
    }
    body.push_str("add.u32 %r5, %r5, 16;\nadd.u32 %r7, %r7, 1;\nsetp.lt.u32 %p0, %r7, 6;\n@%p0 bra STEP;\n");
    body.push_str("mov.u32 %r9, %ctaid.x;\nsetp.gt.u32 %p1, %r0, %r9;\n@%p1 bra END;\nmov.u32 %r10, 0;\n");
    body.push_str("TAIL:\nadd.rn.f32 %s0, %s0, %s1;\nadd.u32 %r10, %r10, 1;\nsetp.lt.u32 %p2, %r10, %r0;\n");
    body.push_str(
        "@%p2 bra TAIL;\nEND:\nmad.lo.u32 %r11, %r9, 64, %r0;\nmad.wide.u32 %rd1, %r11, 4, %rd0;\n",
    );
    body.push_str("st.global.f32 [%rd1], %s0;");
    Snippet { body, grid: [60, 1, 1], block: [64, 1, 1] }
}

#[test]
fn for_all_workers_and_levels() {
    let snippet = matrix_product();
    let expected = snippet.on(&counting(Level::Portable, 1));
    let total = expected.total();
    let products = 60 * 64 * 64 * 2 * 4 * 6;
    // Threads up to the block's number go round the last loop, as often as their own number, at least once.
    let tail: u64 = (0..60u64).flat_map(|block| 0..=block).map(|thread| thread.max(1)).sum();
    assert_eq!(total.flop, products + tail);
    for level in Level::available() {
        for threads in [1, 2, 3] {
            let soft = counting(level, threads);
            for run in 0..2 {
                let found = snippet.on(&soft);
                assert_eq!(found, expected, "{level:?}, {threads} workers, run {run}");
            }
        }
    }
}

/// A partial warp does not use superinstructions, whose hooks are there all the same.
#[test]
fn for_partial_warps() {
    let snippet = Snippet { block: [40, 1, 1], ..matrix_product() };
    let expected = snippet.on(&counting(Level::Portable, 1));
    assert_eq!(snippet.on(&counting(Level::detect(), 2)), expected);
}
