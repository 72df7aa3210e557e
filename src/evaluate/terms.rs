//! One network pass: terms of the variational bound for a batch of images, each at a timestep of its own.

use crate::data::{DataError, Dataset};
use crate::device::{self, Buffer, DType, Device};
use crate::diffusion::{Schedule, TermRow, term_rows};
use crate::graph::{Program, Tape, Tensor};
use crate::nn::{Condition, Parameters, Precision};
use crate::ops::bound_terms::bound_terms;
use crate::ops::q_sample_at::q_sample_at;
use crate::sample::Model;
use std::f64::consts::LN_2;
use std::sync::Arc;

/// An image, and what the network is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Bytes `[height, width, channels]`.
    pub pixels: Vec<u8>,
    /// Its class, for a network that is told classes.
    pub label: Option<u32>,
}

impl Example {
    /// Image `index` of a data set.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(dataset: &dyn Dataset, index: usize) -> Result<Example, DataError> {
        let mut pixels = vec![0; dataset.image_bytes()];
        dataset.read(index, &mut pixels)?;
        Ok(Example { pixels, label: dataset.label(index) })
    }
}

/// An image at a timestep.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    pub example: &'a Example,
    /// The image's number, which its noise hangs on.
    pub number: u32,
    pub t: u32,
}

/// What a network pass says of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The bound's term, in bits a dimension: L_{t-1} in the paper, whose t is one more, or L_0 at the first timestep.
    pub bits: f64,
    /// Mean squared error of the estimated x_0, which is in [-1, 1].
    pub error: f64,
}

/// Programs for a batch of pairs, some of which may be left empty.
pub struct TermPass {
    noise: Program,
    network: Program,
    images: Arc<Buffer>,
    numbers: Arc<Buffer>,
    t: Arc<Buffer>,
    /// u32 `[batch]`, if the network is told classes.
    labels: Option<Arc<Buffer>>,
    noised: Arc<Buffer>,
    /// f32 `[batch, chunks, 2]`.
    sums: Tensor,
    /// f32 `[batch, height, width, channels]`, or twice the channels.
    output: Tensor,
    rows: Vec<TermRow>,
    batch: usize,
    /// `[height, width, channels]`.
    shape: [usize; 3],
}

impl TermPass {
    /// Records the programs for `batch` pairs at once; what is said of a pair does not hang on it. The noise of the
    /// forward process is a function of `seed`, the image's number and the timestep.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn new(
        device: &Device,
        model: &Model,
        schedule: &Schedule,
        dtype: Precision,
        batch: usize,
        seed: u64,
    ) -> device::Result<TermPass> {
        let weights = Parameters::upload(model.unet.layout().clone(), device, &model.weights)?
            .with_precision(device, dtype)?;
        let shape = model.shape();
        let dims = [batch, shape[0], shape[1], shape[2]];
        let elements = dims.iter().product();
        let timesteps = schedule.timesteps();
        let images = Arc::new(device.alloc_zeroed::<u8>(elements)?);
        let numbers = Arc::new(device.alloc_zeroed::<u32>(batch)?);
        let t = Arc::new(device.alloc_zeroed::<u32>(batch)?);
        let labels = match model.unet.config().num_class_embeds {
            Some(_) => Some(Arc::new(device.alloc_zeroed::<u32>(batch)?)),
            None => None,
        };
        let noised = Arc::new(device.alloc_zeroed::<f32>(elements)?);
        let square_roots = Arc::new(device.upload(&schedule.noise_table())?);
        let rows = term_rows(schedule, &model.diffusion);
        let table: Vec<f32> = rows.iter().flat_map(TermRow::row).collect();
        let table = Arc::new(device.upload(&table)?);

        let mut tape = Tape::inference();
        weights.record_rounding(&mut tape);
        tape.compile(device)?.run()?;

        let mut tape = Tape::inference();
        let bytes = tape.resident(&images, 0, &dims, DType::U8);
        let at = tape.resident(&t, 0, &[batch], DType::U32);
        let samples = tape.resident(&numbers, 0, &[batch], DType::U32);
        let square_roots = tape.resident(&square_roots, 0, &[timesteps, 2], DType::F32);
        let x_t = tape.resident(&noised, 0, &dims, DType::F32);
        q_sample_at(&mut tape, &bytes, &at, &samples, &square_roots, &x_t, seed);
        let noise = tape.compile(device)?;

        let mut tape = Tape::inference();
        let bytes = tape.resident(&images, 0, &dims, DType::U8);
        let at = tape.resident(&t, 0, &[batch], DType::U32);
        let x_t = tape.resident(&noised, 0, &dims, DType::F32);
        let table = tape.resident(&table, 0, &[timesteps, 8], DType::F32);
        let label = labels.as_ref().map(|labels| tape.resident(labels, 0, &[batch], DType::U32));
        let condition = Condition { t: at.clone(), label };
        let output = model.unet.forward(&mut tape, &weights.bind(), &x_t, condition, None);
        let sums = bound_terms(&mut tape, &bytes, &x_t, &output, &at, &table);
        tape.keep(&sums);
        tape.keep(&output);
        let network = tape.compile(device)?;
        Ok(TermPass { noise, network, images, numbers, t, labels, noised, sums, output, rows, batch, shape })
    }

    /// The terms of at most a batch of pairs, each at x_t ~ q(x_t | x_0) of its own.
    ///
    /// # Panics
    /// If there are more pairs than a batch, an image has another shape, or no label where the network is told classes.
    pub fn terms(&self, pairs: &[Pair]) -> device::Result<Vec<Term>> {
        self.load(pairs)?;
        self.noise.run()?;
        self.run(pairs.len())
    }

    /// The same of the given x_t, f32, one after the other.
    pub fn terms_of(&self, pairs: &[Pair], x_t: &[f32]) -> device::Result<Vec<Term>> {
        assert_eq!(x_t.len(), pairs.len() * self.elements(), "elements of x_t");
        self.load(pairs)?;
        self.noised.write(0, x_t)?;
        self.run(pairs.len())
    }

    /// The x_0 that the network saw in each of the given x_t, after [`TermPass::terms_of`] of the same, as the sampler
    /// would clip it; f32, one after the other.
    pub fn estimates(&self, pairs: &[Pair], x_t: &[f32]) -> device::Result<Vec<f32>> {
        let output = self.network.read::<f32>(&self.output)?;
        let channels = self.shape[2];
        let outputs = output.len() / (self.batch * self.shape[0] * self.shape[1]);
        let estimate = |(e, &x): (usize, &f32)| {
            let row = &self.rows[pairs[e / self.elements()].t as usize];
            let output = f64::from(output[e / channels * outputs + e % channels]);
            let limit = row.picture_limit;
            (row.from_x * f64::from(x) + row.from_output * output).clamp(-limit, limit) as f32
        };
        Ok(x_t.iter().enumerate().map(estimate).collect())
    }

    /// Pairs of a batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Elements of an image.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn load(&self, pairs: &[Pair]) -> device::Result<()> {
        assert!(pairs.len() <= self.batch, "{} pairs in a batch of {}", pairs.len(), self.batch);
        let bytes: Vec<u8> = pairs.iter().flat_map(|pair| &pair.example.pixels).copied().collect();
        assert_eq!(bytes.len(), pairs.len() * self.elements(), "bytes of the images");
        // Empty places keep what they had.
        self.images.write(0, &bytes)?;
        self.numbers.write(0, &pairs.iter().map(|pair| pair.number).collect::<Vec<u32>>())?;
        if let Some(buffer) = &self.labels {
            let label = |pair: &Pair| pair.example.label.expect("a label for a network that is told classes");
            buffer.write(0, &pairs.iter().map(label).collect::<Vec<u32>>())?;
        }
        self.t.write(0, &pairs.iter().map(|pair| pair.t).collect::<Vec<u32>>())
    }

    fn run(&self, pairs: usize) -> device::Result<Vec<Term>> {
        self.network.run()?;
        let sums = self.network.read::<f32>(&self.sums)?;
        let elements = self.elements() as f64;
        let term = |sums: &[f32]| {
            let sum = |which: usize| sums.iter().skip(which).step_by(2).copied().map(f64::from).sum::<f64>();
            Term { bits: sum(0) / (elements * LN_2), error: sum(1) / elements }
        };
        Ok(sums.chunks_exact(sums.len() / self.batch).take(pairs).map(term).collect())
    }
}
