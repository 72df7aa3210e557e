//! Every instruction set of the CPU gives the same bits.

use crate::harness::{lanes, soft};
use ddpm_ptx::device::soft::Level;

/// Numbers of all sizes, with zeros, subnormals, infinities and NaN among them.
fn values(seed: u32) -> [u32; 32] {
    let special = [0, 0x8000_0000, 1, 0x8000_0001, 0x7F80_0000, 0xFF80_0000, 0x0080_0000, 0x3F80_0000];
    std::array::from_fn(|lane| {
        let mut x = seed.wrapping_mul(0x9E37_79B9) ^ (lane as u32).wrapping_mul(0x85EB_CA6B);
        for _ in 0..3 {
            x = (x ^ x >> 15).wrapping_mul(0x2C1B_3C6D);
        }
        if lane % 4 == 3 { special[x as usize % 8] } else { x }
    })
}

/// NaN of any payload counts as one.
fn canonical(bits: u32) -> u32 {
    if f32::from_bits(bits).is_nan() { 0x7FFF_FFFF } else { bits }
}

#[test]
fn floats() {
    let ops = [
        "fma.rn.f32 out, in0, in1, in2;",
        "fma.rn.ftz.f32 out, in0, in1, in2;",
        "fma.rz.f32 out, in0, in1, in2;",
        "mul.rn.f32 out, in0, in1;",
        "div.rn.f32 out, in0, in1;",
        "sqrt.rn.f32 out, in0;",
        "ex2.approx.ftz.f32 out, in0;",
        "ex2.approx.f32 out, in0;",
        "lg2.approx.ftz.f32 out, in0;",
        "sin.approx.ftz.f32 out, in0;",
        "cos.approx.ftz.f32 out, in0;",
        "tanh.approx.f32 out, in0;",
        "rsqrt.approx.ftz.f32 out, in0;",
        "rcp.approx.ftz.f32 out, in0;",
        "min.f32 out, in0, in1;",
        "max.NaN.f32 out, in0, in1;",
        "cvt.rn.bf16x2.f32 out, in0, in1;",
        "cvt.rn.f16x2.f32 out, in0, in1;",
        "cvt.rni.s32.f32 out, in0;",
        "cvt.rzi.u32.f32 out, in0;",
        "cvt.rn.f32.s32 out, in0;",
        "fma.rn.bf16x2 out, in0, in1, in2;",
        "fma.rn.f16x2 out, in0, in1, in2;",
        "set.ltu.u32.f32 out, in0, in1;",
    ];
    for op in ops {
        for seed in 0..40 {
            let (a, b, c) = (values(3 * seed), values(3 * seed + 1), values(3 * seed + 2));
            let inputs = [&a, &b, &c];
            let mut first: Option<[u32; 32]> = None;
            for level in Level::available() {
                let out: [u32; 32] = lanes(&soft(level), op, &inputs).unwrap();
                let out = if op.contains("x2") { out } else { out.map(canonical) };
                assert_eq!(*first.get_or_insert(out), out, "{op} at {level:?}");
            }
        }
    }
}

#[test]
fn memory_and_shuffles() {
    let body = "
    .shared .align 16 .b8 cell[1024];
    mov.u32 %r0, cell;
    and.b32 %r1, in0, 31;
    mad.lo.u32 %r2, lane, 16, %r0;
    st.shared.v4.u32 [%r2], {in0, in1, in2, lane};
    bar.warp.sync -1;
    mad.lo.u32 %r3, %r1, 16, %r0;
    ld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r3];
    shfl.sync.idx.b32 %r8, %r4, %r7, 31, -1;
    xor.b32 out, %r5, %r6;
    mad.lo.u32 out, out, 3, %r8;";
    for seed in 0..20 {
        let (a, b, c) = (values(seed), values(seed + 100), values(seed + 200));
        let mut first: Option<[u32; 32]> = None;
        for level in Level::available() {
            let out: [u32; 32] = lanes(&soft(level), body, &[&a, &b, &c]).unwrap();
            assert_eq!(*first.get_or_insert(out), out, "{level:?}");
        }
    }
}
