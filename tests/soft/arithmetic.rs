//! A few instructions of each kind; `ops_*` go through all of them.

use crate::harness::{best, lanes};

fn numbers(seed: u32) -> [f32; 32] {
    std::array::from_fn(|lane| {
        let bits = (lane as u32 + 1).wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503));
        (bits as f32 / u32::MAX as f32 - 0.5) * 20.0
    })
}

#[test]
fn fma_rounds_once() {
    let (a, b, c) = (numbers(1), numbers(2), numbers(3));
    let out: [f32; 32] = lanes(&best(), "fma.rn.f32 out, in0, in1, in2;", &[&a, &b, &c]).unwrap();
    for lane in 0..32 {
        assert_eq!(out[lane], a[lane].mul_add(b[lane], c[lane]), "lane {lane}");
    }
}

#[test]
fn integer_division_is_exact() {
    let a: [u32; 32] =
        std::array::from_fn(|l| [u32::MAX, 7, 0x8000_0000, 12345][l % 4].wrapping_sub(l as u32));
    let b: [u32; 32] = std::array::from_fn(|l| [1, 3, u32::MAX, 65_537][l / 8]);
    let out: [u32; 32] =
        lanes(&best(), "div.u32 %r0, in0, in1;\nrem.u32 %r1, in0, in1;\nxor.b32 out, %r0, %r1;", &[&a, &b])
            .unwrap();
    for lane in 0..32 {
        assert_eq!(out[lane], (a[lane] / b[lane]) ^ (a[lane] % b[lane]), "{} / {}", a[lane], b[lane]);
    }
}

#[test]
fn a_guarded_write_keeps_the_other_lanes() {
    let a = numbers(4);
    let body = "mov.f32 out, 0f3F800000;\nsetp.lt.f32 %p0, in0, 0f00000000;\n@%p0 mul.rn.f32 out, in0, in0;";
    let out: [f32; 32] = lanes(&best(), body, &[&a]).unwrap();
    for lane in 0..32 {
        assert_eq!(out[lane], if a[lane] < 0.0 { a[lane] * a[lane] } else { 1.0 });
    }
}
