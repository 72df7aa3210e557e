//! Rows for classes, forward and backward.

use crate::common::compare::{Expected, assert_close};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::class_embedding::class_embedding;

#[test]
fn forward_and_backward() {
    for (seed, [images, classes, channels]) in
        [[1, 1, 1], [5, 3, 128], [7, 11, 129], [4, 2, 512], [32, 5, 33]].into_iter().enumerate()
    {
        let mut random = Random::new(seed as u64);
        let x = random.normals(images * channels);
        let table = random.normals(classes * channels);
        let dy = random.normals(images * channels);
        // The last class is left out where there are others.
        let labels: Vec<u32> =
            (0..images).map(|_| random.between(0, classes.saturating_sub(2)) as u32).collect();
        let mut recording = Recording::training();
        let x_in = recording.parameter(&[images, channels], &x);
        let table_in = recording.parameter(&[classes, channels], &table);
        let labels_in = recording.input(&[images], &labels);
        let y = class_embedding(&mut recording.tape, &x_in, &table_in, &labels_in);
        recording.backward(&y, &dy);
        let [dx, dtable] = [&x_in, &table_in].map(|input| recording.gradient(input));
        let got = recording.run(&[&y, &dx, &dtable]);

        let at = |image: usize, channel: usize| labels[image] as usize * channels + channel;
        let places = || (0..images).flat_map(|image| (0..channels).map(move |channel| (image, channel)));
        let sum = |(image, channel)| {
            f64::from(x[image * channels + channel]) + f64::from(table[at(image, channel)])
        };
        let want: Vec<Expected> = places().map(|place| Expected::rounded(sum(place), 1.0)).collect();
        assert_close("class embedding", &[images, channels], &got[0], &want);
        assert_eq!(got[1], dy);
        let mut sums = vec![(0.0, 0.0); classes * channels];
        for (image, channel) in places() {
            let (total, magnitude) = &mut sums[at(image, channel)];
            let value = f64::from(dy[image * channels + channel]);
            *total += value;
            *magnitude += value.abs();
        }
        // Each term goes through at most as many additions as there are images.
        let allowed = |magnitude: f64| images as f64 * 2f64.powi(-24) * magnitude;
        let want: Vec<Expected> =
            sums.iter().map(|&(value, magnitude)| Expected { value, allowed: allowed(magnitude) }).collect();
        assert_close("the gradient of the rows", &[classes, channels], &got[2], &want);
    }
}
