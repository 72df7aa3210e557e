//! The forward kernel in every geometry.

use super::case::{GEOMETRIES, cases};
use crate::common::compare::assert_close;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::conv::{Geometry, Padding};

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
        for (number, case) in cases(geometry, &mut random).into_iter().enumerate() {
            let data = case.data(&mut random, number % 2 == 0);
            let mut recording = Recording::inference();
            let recorded = case.record(&mut recording, &data);
            let got = recording.run(&[&recorded.y]);
            let what = format!("forward, {name}, {case:?}");
            assert_close(&what, &case.output(), &got[0], &case.expected_output(&data));
        }
    }
}
