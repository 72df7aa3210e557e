//! A convolution with its data, and the same computed by plain loops in f64.

use crate::common::compare::{Expected, Sum};
use crate::common::random::Random;
use crate::common::recording::{Recording, rounded, widened};
use ddpm_ptx::device::DType;
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

/// The element types of the tensors.
pub const DTYPES: [DType; 2] = [DType::F32, DType::BF16];

/// Extents of a convolution.
#[derive(Debug, Clone)]
pub struct Case {
    /// Of inputs, weights, residual and result; what is added to many pixels is f32.
    pub dtype: DType,
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

    /// Random tensors, exact in their element types, all addends among them if `addends`.
    pub fn data(&self, random: &mut Random, addends: bool) -> Data {
        let mut wide = |shape: &[usize]| random.normals(shape.iter().product());
        let k = self.out_channels;
        let bias = addends.then(|| wide(&[k]));
        let per_image = addends.then(|| wide(&[self.images, k]));
        let mut tensor = |shape: &[usize]| self.exact(&wide(shape));
        let inputs = (0..self.channels.len()).map(|number| tensor(&self.input(number))).collect();
        let mut weight = tensor(&self.weight());
        if self.folds() {
            weight.iter_mut().for_each(|weight| *weight = (*weight * 32.0).round().clamp(-63.0, 63.0) / 32.0);
        }
        Data {
            inputs,
            weight,
            bias,
            per_image,
            residual: addends.then(|| tensor(&self.output())),
            dy: tensor(&self.output()),
        }
    }

    /// Whether the kernels add up several weights and round the sum. The weights of [`Case::data`] are such that up to
    /// four of them add up to a bf16 number.
    pub fn folds(&self) -> bool {
        self.dtype == DType::BF16 && self.geometry.upsample
    }

    /// The numbers, rounded to the element type.
    pub fn exact(&self, numbers: &[f32]) -> Vec<f32> {
        match self.dtype {
            DType::BF16 => widened(&rounded(numbers)),
            _ => numbers.to_vec(),
        }
    }

    /// Records the convolution, with a gradient wanted for everything.
    pub fn record(&self, recording: &mut Recording, data: &Data) -> Recorded {
        let inputs: Vec<Tensor> = (0..self.channels.len())
            .map(|number| self.activation(recording, &self.input(number), &data.inputs[number]))
            .collect();
        let k = self.out_channels;
        let bias = data.bias.as_ref().map(|bias| recording.parameter(&[k], bias));
        let per_image = data.per_image.as_ref().map(|addend| recording.parameter(&[self.images, k], addend));
        let residual =
            data.residual.as_ref().map(|residual| self.activation(recording, &self.output(), residual));
        let weight = self.weights(recording, data);
        let epilogue = Epilogue {
            bias: bias.as_ref(),
            per_image: per_image.as_ref(),
            residual: residual.as_ref(),
            ..Epilogue::default()
        };
        let y =
            conv(&mut recording.tape, &inputs.iter().collect::<Vec<_>>(), &weight, epilogue, &self.geometry);
        Recorded { inputs, weight, bias, per_image, residual, y }
    }

    /// The weights on the tape, with a gradient in f32.
    pub fn weights(&self, recording: &mut Recording, data: &Data) -> Tensor {
        match self.dtype {
            DType::BF16 if !self.folds() => {
                recording.parameter_bf16(&self.weight(), &data.weight, DType::F32)
            }
            _ => recording.parameter(&self.weight(), &data.weight),
        }
    }

    /// A tensor of the element type that no gradient flows to.
    pub fn input_without_gradient(&self, recording: &mut Recording, shape: &[usize], data: &[f32]) -> Tensor {
        match self.dtype {
            DType::BF16 => recording.input(shape, &rounded(data)),
            _ => recording.input(shape, data),
        }
    }

    /// A tensor whose gradient has its own element type.
    pub fn activation(&self, recording: &mut Recording, shape: &[usize], data: &[f32]) -> Tensor {
        match self.dtype {
            DType::BF16 => recording.parameter_bf16(shape, data, DType::BF16),
            _ => recording.parameter(shape, data),
        }
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

    /// The output of a case without addends, in f32.
    pub fn expected_sums_of_products(&self, data: &Data) -> Vec<Expected> {
        self.products(&self.sums_of_products(data))
    }

    pub fn sums_of_products(&self, data: &Data) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.output().iter().product()];
        self.for_each_product(|y, number, x, w| sums[y].add_product(data.inputs[number][x], data.weight[w]));
        sums
    }

    pub fn expected_output(&self, data: &Data) -> Vec<Expected> {
        let mut sums = self.sums_of_products(data);
        let [_, height, width, k] = self.output();
        for (at, sum) in sums.iter_mut().enumerate() {
            let addends = [
                data.bias.as_ref().map(|bias| bias[at % k]),
                data.per_image.as_ref().map(|per_image| per_image[at / (height * width * k) * k + at % k]),
                data.residual.as_ref().map(|residual| residual[at]),
            ];
            addends.into_iter().flatten().for_each(|addend| sum.add(f64::from(addend)));
        }
        self.rounded(&sums)
    }

    /// Sums of products that are stored in the element type.
    pub fn rounded(&self, sums: &[Sum]) -> Vec<Expected> {
        let products = self.products(sums);
        if self.dtype == DType::BF16 {
            products.into_iter().map(Expected::in_bf16).collect()
        } else {
            products
        }
    }

    /// Sums of products that are stored in f32.
    fn products(&self, sums: &[Sum]) -> Vec<Expected> {
        let expected = if self.dtype == DType::BF16 { Sum::truncated } else { Sum::expected };
        sums.iter().map(expected).collect()
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
        self.rounded(&sums)
    }

    pub fn expected_dw(&self, data: &Data) -> Vec<Expected> {
        let mut sums = vec![Sum::default(); self.weight().iter().product()];
        self.for_each_product(|y, number, x, w| sums[w].add_product(data.dy[y], data.inputs[number][x]));
        self.products(&sums)
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
pub fn cases(dtype: DType, geometry: Geometry, random: &mut Random) -> Vec<Case> {
    let smallest = if geometry.kernel == 3 && geometry.pad == Padding::BottomRight { 2 } else { 1 };
    let case = |images, height, width, channels: &[usize], out_channels| Case {
        dtype,
        images,
        height,
        width,
        channels: channels.to_vec(),
        out_channels,
        geometry,
    };
    let mut cases = match dtype {
        DType::BF16 => vec![
            case(1, smallest, smallest, &[8], 8),
            case(2, 5, 7, &[24], 136),
            case(1, 7, 5, &[72], 8),
            case(2, 6, 6, &[64], 64),
            case(3, 8, 8, &[40, 24], 128),
            case(2, 9, 4, &[8, 40], 56),
            case(1, 16, 16, &[32], 16),
        ],
        _ => vec![
            case(1, smallest, smallest, &[1], 1),
            case(2, 5, 7, &[3], 32),
            case(1, 7, 5, &[32], 3),
            case(2, 6, 6, &[64], 64),
            case(3, 8, 8, &[12, 20], 128),
            case(2, 9, 4, &[5, 2], 7),
            case(1, 16, 16, &[36], 16),
        ],
    };
    for _ in 0..4 {
        let unit = if dtype == DType::BF16 { 8 } else { random.pick(&[1, 4]) };
        let mut channels = vec![random.between(1, 12) * unit];
        if random.between(0, 1) == 1 {
            channels.push(random.between(1, 12) * unit);
        }
        let (height, width) = (random.between(smallest, 11), random.between(smallest, 11));
        cases.push(case(random.between(1, 3), height, width, &channels, random.between(1, 24) * unit));
    }
    cases
}
