//! Group normalisation, forward and backward, with SiLU and dropout.

use crate::common::bounded::Bounded;
use crate::common::compare::{Expected, assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
use ddpm_ptx::graph::Tensor;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};
use ddpm_ptx::ops::dropout::Dropout;
use ddpm_ptx::ops::group_norm::{Activation, group_norm};
use ddpm_ptx::ops::silu::silu;
use ddpm_ptx::random::{Philox, Stream};

const EPS: f32 = 1e-5;
const SEED: u64 = 0x5EED_0123_4567_89AB;
const STREAM: u32 = 0x107;
const STEP: u64 = 41;

/// No value goes through more additions on its way to a sum over a group of the shapes here: up to 53 pixels in a
/// thread, 8 levels of rows, up to 20 parts of a group.
const DEPTH: usize = 80;

#[derive(Debug, Clone, Copy)]
struct Case {
    n: usize,
    pixels: [usize; 2],
    /// Of the first input and the second; 0 if there is none.
    channels: [usize; 2],
    groups: usize,
    activation: Activation,
    rate: f32,
    /// Mean and standard deviation of the input.
    distribution: [f64; 2],
    /// Of the inputs, y and their gradients.
    dtype: DType,
    /// Whether convolutions write the inputs, and leave moments of them.
    written: bool,
}

impl Case {
    fn new(n: usize, pixels: [usize; 2], channels: [usize; 2], groups: usize) -> Case {
        Case {
            n,
            pixels,
            channels,
            groups,
            activation: Activation::Silu,
            rate: 0.0,
            distribution: [0.3, 1.2],
            dtype: DType::F32,
            written: false,
        }
    }

    fn in_bf16(self) -> Case {
        Case { dtype: DType::BF16, ..self }
    }

    fn behind_convolutions(self) -> Case {
        Case { written: true, ..self.in_bf16() }
    }

    /// `values` as the activations' type can hold them.
    fn storable(&self, values: Vec<f32>) -> Vec<f32> {
        if self.dtype == DType::BF16 { widened(&rounded(&values)) } else { values }
    }

    /// What is expected of a value that is stored as an activation.
    fn stored(&self, expected: Expected) -> Expected {
        if self.dtype == DType::BF16 { expected.in_bf16() } else { expected }
    }

    fn pixel_count(&self) -> usize {
        self.pixels[0] * self.pixels[1]
    }

    fn all_channels(&self) -> usize {
        self.channels.iter().sum()
    }

    fn shape(&self, channels: usize) -> [usize; 4] {
        [self.n, self.pixels[0], self.pixels[1], channels]
    }

    /// The inputs as one array.
    fn concatenated(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let mut joined = vec![];
        for row in 0..self.n * self.pixel_count() {
            for (input, channels) in inputs.iter().zip(self.channels) {
                joined.extend_from_slice(&input[row * channels..(row + 1) * channels]);
            }
        }
        joined
    }

    /// The share of input `which` in an array over all channels.
    fn share<T: Copy>(&self, which: usize, all: &[T]) -> Vec<T> {
        let first: usize = self.channels[..which].iter().sum();
        all.chunks(self.all_channels())
            .flat_map(|row| row[first..first + self.channels[which]].to_vec())
            .collect()
    }

    /// What dropout multiplies each element with.
    fn mask(&self) -> Vec<f64> {
        let threshold = (f64::from(self.rate) * 2f64.powi(32)).round();
        let image = self.pixel_count() * self.all_channels();
        let factor = |n: usize, i: usize| {
            let words = Philox::new(SEED).words(Stream(STREAM), n as u32, STEP as u32, (i / 4) as u32);
            if f64::from(words[i % 4]) < threshold { 0.0 } else { 1.0 / (1.0 - f64::from(self.rate)) }
        };
        (0..self.n).flat_map(|n| (0..image).map(move |i| (n, i))).map(|(n, i)| factor(n, i)).collect()
    }
}

/// Data and results of a run, or what they should be.
struct Results<T> {
    y: Vec<T>,
    /// By input.
    dx: Vec<Vec<T>>,
    dgamma: Vec<T>,
    dbeta: Vec<T>,
}

struct Data {
    inputs: Vec<Vec<f32>>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dy: Vec<f32>,
}

impl Data {
    fn random(case: &Case, seed: u64) -> Data {
        let mut random = Random::new(seed);
        let [mean, deviation] = case.distribution;
        let mut input = |channels: usize| -> Vec<f32> {
            let len = case.n * case.pixel_count() * channels;
            let values =
                random.normals(len).iter().map(|z| (mean + deviation * f64::from(*z)) as f32).collect();
            case.storable(values)
        };
        let inputs = case.channels.iter().filter(|&&channels| channels > 0).map(|&c| input(c)).collect();
        let channels = case.all_channels();
        Data {
            inputs,
            gamma: random.uniforms(channels, 0.5, 1.5),
            beta: random.uniforms(channels, -1.0, 1.0),
            dy: case.storable(random.normals(case.n * case.pixel_count() * channels)),
        }
    }
}

fn run(case: &Case, data: &Data) -> Results<f32> {
    let mut recording = Recording::training();
    let inputs: Vec<_> = data
        .inputs
        .iter()
        .zip(case.channels)
        .map(|(input, channels)| match case.dtype {
            DType::BF16 => recording.parameter_bf16(&case.shape(channels), input, DType::BF16),
            _ => recording.parameter(&case.shape(channels), input),
        })
        .collect();
    let channels = case.all_channels();
    let gamma = recording.parameter(&[channels], &data.gamma);
    let beta = recording.parameter(&[channels], &data.beta);
    let step = recording.input(&[1], &[STEP]);
    let dropout = Dropout { rate: case.rate, seed: SEED, stream: STREAM, step };
    let read: Vec<Tensor> = match case.written {
        true => inputs.iter().map(|input| copy(&mut recording, input)).collect(),
        false => inputs.clone(),
    };
    let before = recording.tape.len();
    let y = group_norm(
        &mut recording.tape,
        &read.iter().collect::<Vec<_>>(),
        &gamma,
        &beta,
        case.groups,
        EPS,
        case.activation,
        Some(&dropout),
    );
    assert_eq!(recording.tape.len() - before, if case.written { 2 } else { 3 }, "launches forward");
    recording.backward(&y, &data.dy);
    let mut wanted = vec![y];
    wanted.extend([&gamma, &beta].into_iter().chain(&inputs).map(|x| recording.gradient(x)));
    let mut results = recording.run(&wanted.iter().collect::<Vec<_>>()).into_iter();
    let mut next = || results.next().unwrap();
    let (y, dgamma, dbeta) = (next(), next(), next());
    Results { y, dgamma, dbeta, dx: results.collect() }
}

/// The tensor itself, as the result of a convolution whose weights are the identity.
fn copy(recording: &mut Recording, x: &Tensor) -> Tensor {
    let [.., channels] = x.dims::<4>();
    let identity: Vec<f32> =
        (0..channels * channels).map(|i| if i % (channels + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let weight = recording.input(&[channels, 1, 1, channels], &rounded(&identity));
    let epilogue = Epilogue { normalised: true, ..Epilogue::default() };
    conv(&mut recording.tape, &[x], &weight, epilogue, &Geometry::POINTWISE)
}

/// The definition, and its gradient by the chain rule.
fn reference(case: &Case, data: &Data) -> Results<Expected> {
    let (pixels, channels) = (case.pixel_count(), case.all_channels());
    let size = channels / case.groups;
    let x = case.concatenated(&data.inputs);
    let mask = case.mask();
    let at = |n: usize, p: usize, c: usize| (n * pixels + p) * channels + c;
    let number = |value: f32| Bounded::from(value);
    let count = Bounded::exact((pixels * size) as f64);

    let mut y = vec![Expected::exact(f64::NAN); x.len()];
    let mut dx = y.clone();
    let mut gain_terms = vec![vec![]; channels];
    let mut shift_terms = vec![vec![]; channels];
    for n in 0..case.n {
        for group in 0..case.groups {
            let own = group * size..(group + 1) * size;
            let members: Vec<(usize, usize)> =
                (0..pixels).flat_map(|p| own.clone().map(move |c| (at(n, p, c), c))).collect();
            let mean = Bounded::sum(members.iter().map(|&(i, _)| number(x[i])), DEPTH) / count;
            let square = |&(i, _): &(usize, usize)| (number(x[i]) - mean) * (number(x[i]) - mean);
            let variance = Bounded::sum(members.iter().map(square), DEPTH) / count;
            let rstd = Bounded::exact(1.0) / (variance + number(EPS)).sqrt();

            let mut hat = vec![];
            let mut dz = vec![];
            for &(i, c) in &members {
                let normal = (number(x[i]) - mean) * rstd;
                let z = normal * number(data.gamma[c]) + number(data.beta[c]);
                let factor = Bounded::exact(mask[i]);
                let (value, slope) = activate(case.activation, z);
                y[i] =
                    if mask[i] == 0.0 { Expected::exact(0.0) } else { case.stored((value * factor).into()) };
                let gradient = number(data.dy[i]) * factor * slope;
                hat.push(normal);
                dz.push(gradient);
                gain_terms[c].push(gradient * normal);
                shift_terms[c].push(gradient);
            }
            let weighted = |k: usize| number(data.gamma[members[k].1]) * dz[k];
            let mean_weighted = Bounded::sum((0..members.len()).map(weighted), DEPTH) / count;
            let mean_product = Bounded::sum((0..members.len()).map(|k| weighted(k) * hat[k]), DEPTH) / count;
            for (k, &(i, _)) in members.iter().enumerate() {
                let gradient = rstd * (weighted(k) - mean_weighted - hat[k] * mean_product);
                dx[i] = case.stored(gradient.into());
            }
        }
    }
    let sum = |terms: Vec<Bounded>| Expected::from(Bounded::sum(terms, DEPTH + case.n));
    Results {
        y,
        dx: (0..data.inputs.len()).map(|which| case.share(which, &dx)).collect(),
        dgamma: gain_terms.into_iter().map(sum).collect(),
        dbeta: shift_terms.into_iter().map(sum).collect(),
    }
}

/// The activation and its derivative.
fn activate(activation: Activation, z: Bounded) -> (Bounded, Bounded) {
    let one = Bounded::exact(1.0);
    match activation {
        Activation::None => (z, one),
        Activation::Silu => {
            let s = z.sigmoid();
            (z * s, s * (one + z * (one - s)))
        }
    }
}

fn check(case: Case, seed: u64) {
    let data = Data::random(&case, seed);
    let got = run(&case, &data);
    let want = reference(&case, &data);
    let what = |name: &str| format!("{name} of {case:?}");
    assert_close(&what("y"), &case.shape(case.all_channels()), &got.y, &want.y);
    assert_close(&what("dgamma"), &[case.all_channels()], &got.dgamma, &want.dgamma);
    assert_close(&what("dbeta"), &[case.all_channels()], &got.dbeta, &want.dbeta);
    for (which, (got, want)) in got.dx.iter().zip(&want.dx).enumerate() {
        assert_close(&what(&format!("dx {which}")), &case.shape(case.channels[which]), got, want);
    }
}

#[test]
fn minimal_shapes() {
    check(Case::new(1, [1, 1], [1, 0], 1), 1);
    check(Case::new(1, [1, 1], [4, 0], 4), 2);
    check(Case::new(2, [1, 1], [6, 0], 3), 3);
    check(Case::new(1, [1, 3], [1, 0], 1), 4);
    check(Case::new(1, [2, 1], [1, 1], 1), 5);
}

/// Every way of cutting channels into groups, slabs and vectors: one channel a group, groups that straddle vectors and
/// slabs, channel counts that 4 does not divide, more channels than a slab holds.
#[test]
fn ragged_shapes() {
    check(Case::new(2, [4, 4], [32, 0], 32), 11);
    check(Case::new(3, [5, 7], [12, 0], 6), 12);
    check(Case::new(2, [3, 3], [30, 0], 5), 13);
    check(Case::new(1, [2, 2], [300, 0], 3), 14);
    check(Case::new(1, [2, 3], [520, 0], 2), 15);
    check(Case::new(2, [9, 9], [7, 0], 7), 16);
    check(Case::new(2, [16, 16], [64, 0], 8), 17);
    check(Case::new(1, [1, 65], [36, 0], 4), 18);
}

/// Channels by eights, as bf16 has them: several slabs, chunks, groups that straddle vectors and inputs, dropout.
#[test]
fn bf16_shapes() {
    check(Case::new(1, [1, 1], [8, 0], 4).in_bf16(), 111);
    check(Case::new(2, [4, 4], [32, 0], 32).in_bf16(), 112);
    check(Case::new(3, [5, 7], [24, 0], 2).in_bf16(), 113);
    check(Case::new(1, [2, 3], [520, 0], 2).in_bf16(), 114);
    check(Case::new(2, [16, 16], [64, 64], 8).in_bf16(), 115);
    check(Case::new(1, [64, 48], [16, 8], 3).in_bf16(), 116);
    check(Case { rate: 0.3, ..Case::new(2, [3, 5], [24, 16], 5) }.in_bf16(), 117);
    check(Case { activation: Activation::None, ..Case::new(2, [6, 6], [24, 0], 4) }.in_bf16(), 118);
}

/// With the moments of the convolutions that wrote the inputs: groups of one part and of several, which straddle the
/// inputs; more parts than threads; a mean of 300 deviations, where bf16 leaves of the input little more than its steps.
#[test]
fn behind_convolutions() {
    check(Case::new(1, [4, 4], [8, 0], 2).behind_convolutions(), 121);
    check(Case::new(3, [4, 8], [32, 0], 8).behind_convolutions(), 122);
    check(Case::new(2, [8, 8], [16, 8], 2).behind_convolutions(), 123);
    check(Case::new(2, [8, 8], [40, 32], 6).behind_convolutions(), 124);
    check(Case::new(1, [40, 40], [16, 0], 1).behind_convolutions(), 125);
    let distribution = [300.0, 1.0];
    check(Case { distribution, ..Case::new(2, [16, 16], [16, 0], 4) }.behind_convolutions(), 126);
    check(Case { rate: 0.3, ..Case::new(2, [4, 4], [24, 0], 2) }.behind_convolutions(), 127);
}

/// The separate pass is taken where groups or images are not made of whole parts.
#[test]
fn parts_that_do_not_fit() {
    for case in [Case::new(1, [4, 4], [16, 0], 8), Case::new(2, [3, 8], [16, 0], 4)] {
        let mut recording = Recording::inference();
        let data = Data::random(&case.in_bf16(), 131);
        let x = recording.input(&case.shape(16), &rounded(&data.inputs[0]));
        let x = copy(&mut recording, &x);
        let [gamma, beta] = [&data.gamma, &data.beta].map(|data| recording.input(&[16], data));
        let before = recording.tape.len();
        group_norm(&mut recording.tape, &[&x], &gamma, &beta, case.groups, EPS, Activation::Silu, None);
        assert_eq!(recording.tape.len() - before, 3, "launches for {case:?}");
    }
}

#[test]
fn random_shapes() {
    let mut random = Random::new(20);
    for seed in 100..112 {
        let groups = random.between(1, 6);
        let channels = groups * random.between(1, 12);
        let first = random.between(1, channels);
        let pixels = [random.between(1, 12), random.between(1, 12)];
        let case = Case::new(random.between(1, 3), pixels, [first, channels - first], groups);
        let activation = random.pick(&[Activation::None, Activation::Silu]);
        check(Case { activation, rate: random.pick(&[0.0, 0.3]), ..case }, seed);
    }
}

/// More images than warps that add up the gradients of gamma and beta.
#[test]
fn many_images() {
    check(Case::new(40, [1, 2], [33, 0], 11), 19);
}

/// An image whose pixels several blocks share.
#[test]
fn chunked_images() {
    check(Case::new(1, [64, 48], [16, 0], 2), 21);
    check(Case::new(1, [61, 59], [5, 6], 1), 22);
}

/// Groups 8 .. 16 of 24 + 8 channels straddle the two inputs in the second case.
#[test]
fn two_inputs() {
    check(Case::new(2, [4, 4], [16, 16], 8), 31);
    check(Case::new(2, [4, 4], [24, 8], 2), 32);
    check(Case::new(2, [3, 5], [5, 7], 3), 33);
    check(Case::new(1, [8, 8], [64, 36], 5), 34);
}

#[test]
fn without_activation() {
    check(Case { activation: Activation::None, ..Case::new(2, [6, 6], [24, 0], 4) }, 41);
}

/// A mean of 1000 deviations costs no more accuracy than the input's own rounding does.
#[test]
fn large_mean() {
    check(Case { distribution: [1000.0, 1.0], ..Case::new(1, [16, 16], [16, 0], 4) }, 51);
}

/// With a variance as small as this, a wrong eps shows.
#[test]
fn eps_matters() {
    check(Case { distribution: [0.0, 3e-3], ..Case::new(1, [8, 8], [16, 0], 4) }, 52);
}

#[test]
fn dropout_masks() {
    check(Case { rate: 0.1, ..Case::new(3, [4, 4], [32, 0], 8) }, 61);
    check(Case { rate: 0.5, ..Case::new(2, [5, 3], [7, 8], 3) }, 62);
}

/// The mask has the rate it should, and drops independently of image, channel and step.
#[test]
fn dropout_statistics() {
    let case = Case { rate: 0.25, activation: Activation::None, ..Case::new(4, [16, 16], [32, 0], 8) };
    let data = Data::random(&case, 63);
    let y = run(&case, &data).y;
    let dropped = |range: &[f32]| range.iter().filter(|y| **y == 0.0).count() as f64;
    let image = y.len() / case.n;
    // A count of k draws is within 4.5 sqrt(k p (1 - p)) of k p, but for 7 in a million.
    let within =
        |count: f64, k: usize, p: f64| (count - k as f64 * p).abs() < 4.5 * (k as f64 * p * (1.0 - p)).sqrt();
    for n in 0..case.n {
        let count = dropped(&y[n * image..(n + 1) * image]);
        assert!(within(count, image, 0.25), "image {n}: {count} of {image}");
    }
    let both = (0..image).filter(|&i| y[i] == 0.0 && y[image + i] == 0.0).count() as f64;
    assert!(within(both, image, 0.0625), "dropped in two images: {both} of {image}");
}

/// What is dropped forward gets no gradient: with one channel a group and dy of a single element, dbeta is that element's
/// scaled gradient or exactly 0.
#[test]
fn backward_drops_the_same() {
    let case = Case { rate: 0.4, ..Case::new(1, [1, 1], [64, 0], 64) };
    let got = run(&case, &Data::random(&case, 64));
    let kept = got.y.iter().filter(|y| **y != 0.0).count();
    assert!((20..60).contains(&kept), "{kept} of 64 are kept");
    for (c, (y, dbeta)) in got.y.iter().zip(&got.dbeta).enumerate() {
        assert_eq!(*y == 0.0, *dbeta == 0.0, "channel {c}: y {y}, dbeta {dbeta}");
    }
}

/// The gradient so far of each input is added.
#[test]
fn gradients_accumulate() {
    let case = Case { activation: Activation::None, ..Case::new(2, [24, 24], [8, 12], 5) };
    let data = Data::random(&case, 71);
    let mut random = Random::new(72);
    let mut recording = Recording::training();
    let mut inputs = vec![];
    let mut earlier = vec![];
    for (input, channels) in data.inputs.iter().zip(case.channels) {
        let leaf = recording.input(&case.shape(channels), input);
        let x = silu(&mut recording.tape, &leaf);
        let gradient = random.normals(x.len());
        let so_far = recording.input(x.shape(), &gradient);
        assert!(recording.tape.alias_gradient(&x, &so_far));
        inputs.push(x);
        earlier.push(gradient);
    }
    let gamma = recording.input(&[20], &data.gamma);
    let beta = recording.input(&[20], &data.beta);
    let tensors = [&inputs[0], &inputs[1]];
    let y = group_norm(&mut recording.tape, &tensors, &gamma, &beta, 5, EPS, Activation::None, None);
    recording.backward(&y, &data.dy);
    let gradients: Vec<_> = inputs.iter().map(|x| recording.gradient(x)).collect();
    let mut results = recording.run(&[&inputs[0], &inputs[1], &gradients[0], &gradients[1]]);
    let gradients = results.split_off(2);
    let want = reference(&case, &Data { inputs: results, ..data });
    for which in 0..2 {
        let sums: Vec<Expected> = want.dx[which]
            .iter()
            .zip(&earlier[which])
            .map(|(dx, so_far)| {
                let share = Bounded { value: dx.value, error: dx.allowed };
                (share + Bounded::from(*so_far)).into()
            })
            .collect();
        assert_close("dx + so far", &case.shape(case.channels[which]), &gradients[which], &sums);
    }
}

/// An image's results have the same bits alone and in a batch.
#[test]
fn batch_does_not_matter() {
    for channels in [[20, 12], [9, 3]] {
        let batch = Case { rate: 0.2, ..Case::new(3, [7, 5], channels, 4) };
        let data = Data::random(&batch, 81);
        let all = run(&batch, &data);
        let one = Case { n: 1, ..batch };
        let first = |values: &[f32]| values[..values.len() / 3].to_vec();
        let alone = Data {
            inputs: data.inputs.iter().map(|input| first(input)).collect(),
            dy: first(&data.dy),
            ..data
        };
        let alone = run(&one, &alone);
        assert_same_bits("y", &one.shape(one.all_channels()), &alone.y, &first(&all.y));
        for which in 0..2 {
            let shape = one.shape(one.channels[which]);
            assert_same_bits("dx", &shape, &alone.dx[which], &first(&all.dx[which]));
        }
    }
}

/// Without a training tape nothing but y is written, and y is the same.
#[test]
fn inference_gives_the_same() {
    let case = Case::new(2, [4, 4], [16, 0], 4);
    let data = Data::random(&case, 91);
    let mut recording = Recording::inference();
    let x = recording.input(&case.shape(16), &data.inputs[0]);
    let gamma = recording.input(&[16], &data.gamma);
    let beta = recording.input(&[16], &data.beta);
    let y = group_norm(&mut recording.tape, &[&x], &gamma, &beta, 4, EPS, Activation::Silu, None);
    let y = recording.run(&[&y]).remove(0);
    assert_same_bits("y", &case.shape(16), &y, &run(&case, &data).y);
}
