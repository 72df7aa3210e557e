//! Classifier-free guidance.

use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::guidance::{guide, twice};

#[test]
fn a_batch_is_there_twice() {
    for shape in [[1, 1, 1, 1], [3, 5, 7, 3], [2, 16, 16, 3]] {
        let x = Random::new(1).normals(shape.iter().product());
        let mut recording = Recording::inference();
        let input = recording.input(&shape, &x);
        let y = twice(&mut recording.tape, &input);
        assert_eq!(recording.run(&[&y]).remove(0), [x.clone(), x].concat());
    }
}

#[test]
fn predictions_move_away_from_those_without_a_class() {
    for (seed, ([images, side, channels], guided, weight)) in
        [([1, 1, 1], 1, 0.0f32), ([2, 5, 3], 3, 1.5), ([3, 8, 6], 3, 4.0), ([1, 16, 3], 3, -1.0)]
            .into_iter()
            .enumerate()
    {
        let count = images * side * side * channels;
        let pair = Random::new(seed as u64).normals(2 * count);
        let mut recording = Recording::inference();
        let input = recording.input(&[2 * images, side, side, channels], &pair);
        let y = guide(&mut recording.tape, &input, guided, weight);
        let got = recording.run(&[&y]).remove(0);
        let value = |i: usize| {
            let (with, without) = (f64::from(pair[i]), f64::from(pair[count + i]));
            if i % channels >= guided {
                return Expected::exact(with);
            }
            let weight = f64::from(weight);
            let moved = weight * (with - without);
            // The difference is rounded once, the fused product and sum once.
            let allowed = 2f64.powi(-24) * (moved.abs() + (with + moved).abs());
            Expected { value: (1.0 + weight) * with - weight * without, allowed }
        };
        let want: Vec<Expected> = (0..count).map(value).collect();
        assert_close("guided predictions", &[images, side, side, channels], &got, &want);
    }
}
