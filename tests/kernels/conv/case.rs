//! A convolution with its data, and the same computed by plain loops in f64.

use crate::common::compare::{Expected, Sum};
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::graph::Tensor;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};

/// Every geometry, with extents that it accepts.
pub const GEOMETRIES: [(&str, Geometry); 5] = [
    ("1x1", Geometry::POINTWISE),
    ("3x3", Geometry::SAME_3X3),
    ("3x3 stride 2", Geometry::down(Padding::Same)),
    ("3x3 stride 2, bottom and right", Geometry::down(Padding::BottomRight)),
    ("3x3 upsampled", Geometry::UP_3X3),
];

/// Extents of a convolution.
#[derive(Debug, Clone)]
pub struct Case {
    pub images: usize,
    pub height: usize,
    pub width: usize,
    /// Of one input or of two.
    pub channels: Vec<usize>,
    pub out_channels: usize,
    pub geometry: Geometry,
}

/// The tensors of a case. The addends are there or not.
pub struct Data {
    pub inputs: Vec<Vec<f32>>,
    pub weight: Vec<f32>,
    pub bias: Option<Vec<f32>>,
    pub per_image: Option<Vec<f32>>,
    pub residual: Option<Vec<f32>>,
    pub dy: Vec<f32>,
}

/// The tensors of a case on a tape.
pub struct Recorded {
    pub inputs: Vec<Tensor>,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub per_image: Option<Tensor>,
    pub residual: Option<Tensor>,
    pub y: Tensor,
}

impl Case {
    pub fn input(&self, number: usize) -> [usize; 4] {
        [self.images, self.height, self.width, self.channels[number]]
    }

    pub fn weight(&self) -> [usize; 4] {
        let r = self.geometry.kernel;
        [self.out_channels, r, r, self.channels.iter().sum()]
    }

    pub fn output(&self) -> [usize; 4] {
        let (height, width) = self.geometry.output(self.height, self.width);
        [self.images, height, width, self.out_channels]
    }

    /// Random tensors, all addends among them if `addends`.
    pub fn data(&self, random: &mut Random, addends: bool) -> Data {
        let mut tensor = |shape: &[usize]| random.normals(shape.iter().product());
        let k = self.out_channels;
        Data {
            inputs: (0..self.channels.len()).map(|number| tensor(&self.input(number))).collect(),
            weight: tensor(&self.weight()),
            bias: addends.then(|| tensor(&[k])),
            per_image: addends.then(|| tensor(&[self.images, k])),
            residual: addends.then(|| tensor(&self.output())),
            dy: tensor(&self.output()),
        }
    }

    /// Records the convolution, with a gradient wanted for everything.
    pub fn record(&self, recording: &mut Recording, data: &Data) -> Recorded {
        let inputs: Vec<Tensor> = (0..self.channels.len())
            .map(|number| recording.parameter(&self.input(number), &data.inputs[number]))
            .collect();
        let mut parameter = |shape: &[usize], data: &Option<Vec<f32>>| {
            data.as_ref().map(|data| recording.parameter(shape, data))
        };
        let k = self.out_channels;
        let bias = parameter(&[k], &data.bias);
        let per_image = parameter(&[self.images, k], &data.per_image);
        let residual = parameter(&self.output(), &data.residual);
        let weight = recording.parameter(&self.weight(), &data.weight);
        let epilogue =
            Epilogue { bias: bias.as_ref(), per_image: per_image.as_ref(), residual: residual.as_ref() };
        let y =
            conv(&mut recording.tape, &inputs.iter().collect::<Vec<_>>(), &weight, epilogue, &self.geometry);
        Recorded { inputs, weight, bias, per_image, residual, y }
    }

    /// Calls `term` with every (output element, input, input element, weight element) whose product the
    /// convolution adds to the output element.
    fn for_each_product(&self, mut term: impl FnMut(usize, usize, usize, usize)) {
        let [images, out_height, out_width, out_channels] = self.output();
        let [_, kernel, _, all_channels] = self.weight();
        let pad = usize::from(self.geometry.pad == Padding::Same);
        let scale = if self.geometry.upsample { 2 } else { 1 };
        let source = |out: usize, tap: usize, extent: usize| {
            let at = (out * self.geometry.stride + tap).checked_sub(pad)?;
            (at < extent * scale).then_some(at / scale)
        };
        for pixel in 0..images * out_height * out_width {
            let (n, p, q) =
                (pixel / (out_height * out_width), pixel / out_width % out_height, pixel % out_width);
            for tap in 0..kernel * kernel {
                let Some(h) = source(p, tap / kernel, self.height) else { continue };
                let Some(w) = source(q, tap % kernel, self.width) else { continue };
                let mut first_channel = 0;
                for (number, &channels) in self.channels.iter().enumerate() {
                    let x = ((n * self.height + h) * self.width + w) * channels;
                    for k in 0..out_channels {
                        let weight = (k * kernel * kernel + tap) * all_channels + first_channel;
                        for c in 0..channels {
                            term(pixel * out_channels + k, number, x + c, weight + c);
                        }
                    }
                    first_channel += channels;
                }
            }
        }
    }

    pub fn expected_output(&self, data: &Data) -> Vec<Expected> {
        let mut sums = vec![Sum::default(); self.output().iter().product()];
        self.for_each_product(|y, number, x, w| sums[y].add_product(data.inputs[number][x], data.weight[w]));
        let [_, height, width, k] = self.output();
        for (at, sum) in sums.iter_mut().enumerate() {
            let addends = [
                data.bias.as_ref().map(|bias| bias[at % k]),
                data.per_image.as_ref().map(|per_image| per_image[at / (height * width * k) * k + at % k]),
                data.residual.as_ref().map(|residual| residual[at]),
            ];
            addends.into_iter().flatten().for_each(|addend| sum.add(f64::from(addend)));
        }
        sums.iter().map(Sum::expected).collect()
    }

    /// The gradient of input `number`, on top of `so_far`.
    pub fn expected_dx(&self, data: &Data, number: usize, so_far: Option<&[f32]>) -> Vec<Expected> {
        let mut sums = vec![Sum::default(); self.input(number).iter().product()];
        self.for_each_product(|y, of, x, w| {
            if of == number {
                sums[x].add_product(data.dy[y], data.weight[w]);
            }
        });
        for (sum, &addend) in sums.iter_mut().zip(so_far.unwrap_or_default()) {
            sum.add(f64::from(addend));
        }
        sums.iter().map(Sum::expected).collect()
    }

    pub fn expected_dw(&self, data: &Data) -> Vec<Expected> {
        let mut sums = vec![Sum::default(); self.weight().iter().product()];
        self.for_each_product(|y, number, x, w| sums[w].add_product(data.dy[y], data.inputs[number][x]));
        sums.iter().map(Sum::expected).collect()
    }

    /// The gradients of the bias and of the addend per image.
    pub fn expected_sums(&self, data: &Data) -> (Vec<Expected>, Vec<Expected>) {
        let [images, height, width, k] = self.output();
        let mut bias = vec![Sum::default(); k];
        let mut per_image = vec![Sum::default(); images * k];
        for (at, &dy) in data.dy.iter().enumerate() {
            bias[at % k].add(f64::from(dy));
            per_image[at / (height * width * k) * k + at % k].add(f64::from(dy));
        }
        (bias.iter().map(Sum::expected).collect(), per_image.iter().map(Sum::expected).collect())
    }
}

/// Cases for one geometry: the smallest, ragged ones, channels by fours, and random ones.
pub fn cases(geometry: Geometry, random: &mut Random) -> Vec<Case> {
    let smallest = if geometry.kernel == 3 && geometry.pad == Padding::BottomRight { 2 } else { 1 };
    let case = |images, height, width, channels: &[usize], out_channels| Case {
        images,
        height,
        width,
        channels: channels.to_vec(),
        out_channels,
        geometry,
    };
    let mut cases = vec![
        case(1, smallest, smallest, &[1], 1),
        case(2, 5, 7, &[3], 32),
        case(1, 7, 5, &[32], 3),
        case(2, 6, 6, &[64], 64),
        case(3, 8, 8, &[12, 20], 128),
        case(2, 9, 4, &[5, 2], 7),
        case(1, 16, 16, &[36], 16),
    ];
    for _ in 0..4 {
        let fours = random.pick(&[1, 4]);
        let mut channels = vec![random.between(1, 12) * fours];
        if random.between(0, 1) == 1 {
            channels.push(random.between(1, 12) * fours);
        }
        let (height, width) = (random.between(smallest, 11), random.between(smallest, 11));
        cases.push(case(random.between(1, 3), height, width, &channels, random.between(1, 24) * fours));
    }
    cases
}
