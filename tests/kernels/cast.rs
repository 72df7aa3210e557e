//! Tensors in another type.

use crate::common::compare::{Expected, assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::cast::cast;

/// Numbers at and beside the middle of two bf16 neighbours, of every size, with infinities and what overflows.
fn awkward() -> Vec<f32> {
    let middles =
        [0x3F80_8000u32, 0x3F81_8000, 0x3F80_7FFF, 0x3F80_8001, 0xBF80_8000, 0x0000_8000, 0x0001_8000];
    let edges = [0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, 1e-45];
    middles.map(f32::from_bits).into_iter().chain(edges).collect()
}

/// As the `half` crate rounds, for every number of elements in the last quads.
#[test]
fn rounds_to_nearest_even_and_widens_exactly() {
    let mut random = Random::new(31);
    for len in [1, 2, 3, 4, 5, 15, 1023, 1024, 1025, 4099] {
        let mut x = awkward();
        x.truncate(len);
        let more = len - x.len();
        x.extend(random.normals(more));
        let mut recording = Recording::inference();
        let input = recording.input(&[len], &x);
        let narrow = cast(&mut recording.tape, &input, DType::BF16);
        let wide = cast(&mut recording.tape, &narrow, DType::F32);
        let got = recording.run(&[&narrow, &wide]);
        let want = widened(&rounded(&x));
        assert_same_bits("rounded", &[len], &got[0], &want);
        assert_same_bits("widened", &[len], &got[1], &want);
    }
}

/// The gradient goes back in the input's type, and is added to what is there.
#[test]
fn gradients_in_the_inputs_type() {
    let mut random = Random::new(32);
    let (data, dy) = (random.normals(77), random.normals(77));
    let mut recording = Recording::training();
    let x = recording.parameter_bf16(&[77], &data, DType::BF16);
    let y = cast(&mut recording.tape, &x, DType::F32);
    recording.backward(&y, &dy);
    let gradient = recording.gradient(&x);
    let got = recording.run(&[&gradient]);
    assert_same_bits("dx", &[77], &got[0], &widened(&rounded(&dy)));

    let mut recording = Recording::training();
    let leaf = recording.parameter_bf16(&[77], &data, DType::BF16);
    let x = cast(&mut recording.tape, &leaf, DType::F32);
    let (a, b) = (cast(&mut recording.tape, &x, DType::BF16), cast(&mut recording.tape, &x, DType::BF16));
    let so_far = recording.input(&[77], &rounded(&data));
    assert!(recording.tape.alias_gradient(&a, &so_far));
    recording.backward(&b, &dy);
    let gradient = recording.gradient(&x);
    let got = recording.run(&[&gradient]);
    let want: Vec<Expected> = widened(&rounded(&dy))
        .iter()
        .zip(widened(&rounded(&data)))
        .map(|(dy, so_far)| Expected::rounded(f64::from(*dy) + f64::from(so_far), 1.0))
        .collect();
    assert_close("dx + so far", &[77], &got[0], &want);
}
