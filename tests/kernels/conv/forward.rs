//! The forward kernel in every geometry.

use super::case::{DTYPES, GEOMETRIES, cases};
use crate::common::compare::assert_close;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::device::DType;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};

#[test]
fn extents() {
    for extent in 2..20 {
        assert_eq!(Geometry::POINTWISE.output(extent, 9), (extent, 9));
        assert_eq!(Geometry::SAME_3X3.output(extent, 9), (extent, 9));
        assert_eq!(Geometry::UP_3X3.output(extent, 9), (2 * extent, 18));
        assert_eq!(Geometry::down(Padding::Same).output(extent, 9), (extent.div_ceil(2), 5));
        assert_eq!(Geometry::down(Padding::BottomRight).output(extent, 9), (extent / 2, 4));
    }
}

#[test]
fn sums_of_products() {
    for (seed, (name, geometry)) in GEOMETRIES.into_iter().enumerate() {
        let mut random = Random::new(seed as u64);
        let cases =
            DTYPES.into_iter().flat_map(|dtype| cases(dtype, geometry, &mut random)).collect::<Vec<_>>();
        for (number, case) in cases.into_iter().enumerate() {
            let data = case.data(&mut random, number % 2 == 0);
            let mut recording = Recording::inference();
            let recorded = case.record(&mut recording, &data);
            let got = recording.run(&[&recorded.y]);
            let what = format!("forward, {name}, {case:?}");
            assert_close(&what, &case.output(), &got[0], &case.expected_output(&data));
        }
    }
}

/// The network's result: bf16 products, and the sum as it is.
#[test]
fn sums_that_are_not_rounded() {
    let mut random = Random::new(50);
    for case in cases(DType::BF16, Geometry::SAME_3X3, &mut random) {
        let data = case.data(&mut random, false);
        let mut recording = Recording::inference();
        let inputs: Vec<_> = (0..case.channels.len())
            .map(|number| {
                case.input_without_gradient(&mut recording, &case.input(number), &data.inputs[number])
            })
            .collect();
        let weight = case.weights(&mut recording, &data);
        let epilogue = Epilogue { f32_result: true, ..Epilogue::default() };
        let inputs: Vec<_> = inputs.iter().collect();
        let y = conv(&mut recording.tape, &inputs, &weight, epilogue, &case.geometry);
        let got = recording.run(&[&y]);
        assert_close(
            &format!("f32 of {case:?}"),
            &case.output(),
            &got[0],
            &case.expected_sums_of_products(&data),
        );
    }
}
