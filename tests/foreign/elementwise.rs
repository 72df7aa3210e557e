//! One thread an element.

use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures!["elementwise.nvrtc", "elementwise.clang"])
}

#[test]
fn saxpy() {
    let mut random = Random::new(1);
    for module in modules() {
        for n in [1usize, 32, 100, 1000] {
            let (x, y) = (random.normals(n), random.normals(n));
            let (at_x, at_y) = (module.upload(&x), module.upload(&y));
            let params = Params::new().value(n as i32).value(1.5f32).pointer(&at_x).pointer(&at_y);
            module.run("saxpy", [n.div_ceil(64) as u32, 1, 1], [64, 1, 1], params);
            let wanted: Vec<f32> = x.iter().zip(&y).map(|(x, y)| 1.5f32.mul_add(*x, *y)).collect();
            assert_eq!(at_y.to_vec::<f32>().expect("readable"), wanted, "{}, n = {n}", module.name);
        }
    }
}

/// `struct Affine` as C lays it out.
#[derive(Clone, Copy)]
#[repr(C)]
struct Affine {
    scale: [f32; 3],
    shift: i16,
    low: i8,
    high: u8,
    bias: f64,
    x: u64,
}

// SAFETY: all bit patterns are valid, and there is no padding: 12 + 2 + 1 + 1 + 8 + 8 bytes.
unsafe impl bytemuck::Zeroable for Affine {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Affine {}

#[test]
fn a_structure_by_value() {
    let n = 200usize;
    let x: Vec<f32> = (0..n).map(|i| i as f32 - 100.0).collect();
    for module in modules() {
        let (at_x, y) = (module.upload(&x), module.output::<f32>(n));
        let scale = [0.5, -2.0, 3.0];
        let affine = Affine { scale, shift: -7, low: -50, high: 200, bias: 0.25, x: at_x.address() };
        // The structure is aligned to its 8-byte members.
        let params = Params::new().value(affine).pointer(&y).value(n as i32);
        module.run("affine", [7, 1, 1], [32, 1, 1], params);
        let wanted = |i: usize| (x[i] * scale[i % 3] - 7.0 + 0.25).clamp(-50.0, 200.0);
        assert_eq!(
            y.to_vec::<f32>().expect("readable"),
            (0..n).map(wanted).collect::<Vec<_>>(),
            "{}",
            module.name
        );
    }
}

#[test]
fn double_precision() {
    let n = 300usize;
    let mut random = Random::new(2);
    let mut numbers = || (0..n).map(|_| random.uniform() * 100.0).collect::<Vec<f64>>();
    let (a, b) = (numbers(), numbers());
    for module in modules() {
        let (at_a, at_b, c) = (module.upload(&a), module.upload(&b), module.output::<f64>(n));
        let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c).value(n as i32);
        module.run("hypotenuse", [2, 1, 1], [64, 1, 1], params);
        // The compiler may contract the sum of squares; the root and the quotient are correctly rounded.
        for (i, got) in c.to_vec::<f64>().expect("readable").into_iter().enumerate() {
            let wanted = [a[i].mul_add(a[i], b[i] * b[i]), b[i].mul_add(b[i], a[i] * a[i])]
                .map(|square| square.sqrt() / (1.0 + a[i]));
            assert!(wanted.contains(&got), "{}, {i}: {got:e} is none of {wanted:?}", module.name);
        }
    }
}

#[test]
fn integers() {
    let n = 500usize;
    let mut random = Random::new(3);
    let mut numbers = || (0..n).map(|_| random.bits() as i32).collect::<Vec<i32>>();
    let (mut a, mut b) = (numbers(), numbers());
    (a[0], b[0], a[1], b[1]) = (i32::MIN, i32::MIN, i32::MAX, -1);
    for module in modules() {
        let (at_a, at_b, c) = (module.upload(&a), module.upload(&b), module.output::<u64>(n));
        let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c).value(n as i32);
        module.run("integers", [16, 1, 1], [32, 1, 1], params);
        let wanted = |(a, b): (&i32, &i32)| {
            let product = i64::from(*a) * i64::from(*b);
            let rotated = (*a as u32).rotate_left(7) & 0xFFFF;
            (product % 1_000_003 + i64::from(a / 7) * i64::from(b >> 3) - i64::from(rotated)
                + (product >> 17)) as u64
        };
        let wanted: Vec<u64> = a.iter().zip(&b).map(wanted).collect();
        assert_eq!(c.to_vec::<u64>().expect("readable"), wanted, "{}", module.name);
    }
}
