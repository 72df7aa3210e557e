//! Every kernel at a representative shape, and its figures there.

use super::matrix;
use ddpm_ptx::data::Source;
use ddpm_ptx::device::soft::count::{InstructionCounts, KernelCounts};
use ddpm_ptx::device::soft::{Options, Soft};
use ddpm_ptx::device::{DType, Device, Element, Kernel};
use ddpm_ptx::diffusion::{Reverse, Sampler, SchedulerConfig, Variance};
use ddpm_ptx::graph::{Tape, Tensor};
use ddpm_ptx::history::History;
use ddpm_ptx::kernels::ALL;
use ddpm_ptx::nn::Precision;
use ddpm_ptx::ops::add::add;
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::bound_terms::bound_terms;
use ddpm_ptx::ops::cast::cast_into;
use ddpm_ptx::ops::class_embedding::class_embedding;
use ddpm_ptx::ops::group_norm::{Activation, group_norm};
use ddpm_ptx::ops::objective::{Factors, objective};
use ddpm_ptx::ops::q_sample::{NoiseSource, Noised};
use ddpm_ptx::ops::q_sample_at::q_sample_at;
use ddpm_ptx::ops::twice::twice;
use ddpm_ptx::run::{Preset, Settings};
use ddpm_ptx::survey::survey;
use half::bf16;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What a kernel's instructions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 32 multiply-adds of the formula, as many as one `fma` of a warp does.
    MultiplyAdds,
    /// 2048 multiply-adds of the formula, as many as one `mma` of 16 x 8 x 16 does.
    Products,
    /// 128 distinct bytes read or written, as many as a warp moves with words of 4 bytes.
    Bytes,
}

/// The figures of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub sectors: f64,
    pub wavefronts: f64,
    /// Warp instructions for each unit.
    pub overhead: f64,
    pub unit: Unit,
    /// The instruction that wastes the most sectors, and the one that wastes the most wavefronts.
    pub waste: [Option<String>; 2],
}

impl Measured {
    /// `multiply_adds` are those of the formula, for kernels that are there to multiply.
    pub fn new(kernel: &Kernel, counts: &KernelCounts, multiply_adds: Option<f64>) -> Measured {
        let counters = &counts.total();
        let on_tensor_cores = counters.all_flop() > counters.flop;
        let (unit, units) = match multiply_adds {
            Some(n) if on_tensor_cores => (Unit::Products, n / 2048.0),
            Some(n) => (Unit::MultiplyAdds, n / 32.0),
            None => (Unit::Bytes, counters.touched_bytes() as f64 / 128.0),
        };
        Measured {
            sectors: counters.global.sector_efficiency(),
            wavefronts: counters.shared.conflict_ratio(),
            overhead: counters.all_warp_instructions() as f64 / units,
            unit,
            waste: [
                worst(kernel, counts, |did| did.global.sectors - did.global.ideal_sectors),
                worst(kernel, counts, |did| did.shared.wavefronts - did.shared.ideal_wavefronts),
            ],
        }
    }
}

/// The line of the instruction with the largest `waste`, if there is any.
fn worst(
    kernel: &Kernel,
    counts: &KernelCounts,
    waste: impl Fn(&InstructionCounts) -> u64,
) -> Option<String> {
    let worst = counts.instructions.iter().max_by_key(|did| waste(did)).filter(|did| waste(did) > 0)?;
    let text = kernel.module.ptx.lines().nth(worst.line as usize - 1)?;
    Some(format!("line {}: {}", worst.line, text.trim()))
}

/// All kernels, measured once for all tests.
pub fn measure_all() -> BTreeMap<&'static str, Measured> {
    static MEASURED: OnceLock<BTreeMap<&'static str, Measured>> = OnceLock::new();
    MEASURED.get_or_init(measure).clone()
}

fn measure() -> BTreeMap<&'static str, Measured> {
    let bench = Bench::new();
    let mut measured = BTreeMap::new();
    let mut note = |counts: &[KernelCounts], multiply_adds: Option<f64>| {
        for counts in counts {
            let kernel = ALL.iter().find(|kernel| kernel.entry == counts.entry).unwrap();
            measured.insert(kernel.entry, Measured::new(kernel, counts, multiply_adds));
        }
    };
    for precision in Precision::ALL {
        note(&steps(precision), None);
    }
    // Before the sums, which hand on the gradient here.
    note(&classes(&bench), None);
    note(&elementwise(&bench), None);
    note(&normalisations(&bench), None);
    note(&bounds(&bench), None);
    note(&learned_updates(&bench), None);
    for (counts, multiply_adds) in attentions(&bench) {
        note(&counts, multiply_adds);
    }
    for (counts, multiply_adds) in matrix::convolutions(&bench) {
        note(&counts, multiply_adds);
    }
    measured
}

/// A training step and a sampling step of `shapes16` with 8 images: noise, losses, the optimiser, sums.
fn steps(dtype: Precision) -> Vec<KernelCounts> {
    survey(&Settings { dtype, ..Preset::Shapes16.settings(Source::Shapes) }).unwrap()
}

/// A device that counts.
pub struct Bench {
    pub soft: Soft,
    pub device: Device,
}

impl Bench {
    fn new() -> Bench {
        let soft = Soft::with(Options { count: true, ..Options::default() });
        Bench { device: Device::from(soft.clone()), soft }
    }

    /// A tensor of `T` with a gradient of `G`.
    pub fn parameter<T: Element, G: Element>(&self, tape: &mut Tape, shape: &[usize]) -> Tensor {
        let len = shape.iter().product();
        let (values, gradients) = (self.device.alloc_zeroed::<T>(len), self.device.alloc_zeroed::<G>(len));
        let types = [T::DTYPE, G::DTYPE];
        tape.parameter_in(types, &Arc::new(values.unwrap()), &Arc::new(gradients.unwrap()), 0, shape)
    }

    /// A tensor that no gradient flows to.
    pub fn input<T: Element>(&self, tape: &mut Tape, shape: &[usize]) -> Tensor {
        let values = self.device.alloc_zeroed::<T>(shape.iter().product()).unwrap();
        tape.resident(&Arc::new(values), 0, shape, T::DTYPE)
    }

    /// Runs a training tape forward and backward from `y`, and counts.
    pub fn train<T: Element>(&self, mut tape: Tape, y: &Tensor) -> Vec<KernelCounts> {
        let dy = self.input::<T>(&mut tape, y.shape());
        tape.backward(y, &dy);
        self.run(tape)
    }

    pub fn run(&self, tape: Tape) -> Vec<KernelCounts> {
        tape.compile(&self.device).unwrap().run().unwrap();
        self.soft.take_counts()
    }
}

/// 2^18 elements each.
fn elementwise(bench: &Bench) -> Vec<KernelCounts> {
    const SHAPE: [usize; 1] = [1 << 18];
    let mut tape = Tape::inference();
    let (a, b) = (bench.input::<f32>(&mut tape, &SHAPE), bench.input::<f32>(&mut tape, &SHAPE));
    add(&mut tape, &a, &b);
    let (a16, b16) = (bench.input::<bf16>(&mut tape, &SHAPE), bench.input::<bf16>(&mut tape, &SHAPE));
    add(&mut tape, &a16, &b16);
    cast_into(&mut tape, &a, &a16);
    cast_into(&mut tape, &a16, &a);
    let filled = tape.temporary(&SHAPE, DType::F32);
    let fill = ddpm_ptx::kernels::elementwise::fill(filled.output(), SHAPE[0] as u32, 1.0);
    tape.launch(fill.grid(SHAPE[0].div_ceil(256), 1, 1));
    bench.run(tape)
}

/// 8 images of 16 x 16 with 64 channels in 8 groups, by fours in f32 and by eights in bf16; with 63 in 9, one by one.
fn normalisations(bench: &Bench) -> Vec<KernelCounts> {
    fn one<T: Element>(bench: &Bench, channels: usize, groups: usize) -> Vec<KernelCounts> {
        let mut tape = Tape::training();
        let x = bench.parameter::<T, T>(&mut tape, &[8, 16, 16, channels]);
        let gamma = bench.parameter::<f32, f32>(&mut tape, &[channels]);
        let beta = bench.parameter::<f32, f32>(&mut tape, &[channels]);
        let y = group_norm(&mut tape, &[&x], &gamma, &beta, groups, 1e-5, Activation::Silu, None);
        bench.train::<T>(tape, &y)
    }
    let mut counts = one::<f32>(bench, 63, 9);
    counts.extend(one::<bf16>(bench, 64, 8));
    // Last, since gamma's gradient is the same kernel in all three.
    counts.extend(one::<f32>(bench, 64, 8));
    counts
}

/// 8 images of 16 x 16, noised where they are evaluated, and their bound's gradient and terms, with a fixed and with a learned variance.
fn bounds(bench: &Bench) -> Vec<KernelCounts> {
    let mut tape = Tape::inference();
    let images = bench.input::<u8>(&mut tape, &[8, 16, 16, 3]);
    let x_t = bench.input::<f32>(&mut tape, &[8, 16, 16, 3]);
    let t = bench.input::<u32>(&mut tape, &[8]);
    let noised = Noised { x_t: x_t.clone(), t: t.clone(), mirrored: bench.input::<u32>(&mut tape, &[8]) };
    let table = bench.input::<f32>(&mut tape, &[4, 8]);
    let source = NoiseSource { seed: 0, first_sample: 0, step: bench.input::<u64>(&mut tape, &[1]) };
    let factors = Factors { on_error: 1.0, on_bound: 1.0, on_mean: 1.0 };
    let losses = History::new(&bench.device, 1).unwrap();
    let roots = bench.input::<f32>(&mut tape, &[4, 2]);
    q_sample_at(&mut tape, &images, &t, &noised.mirrored, &roots, &x_t, 0);
    for outputs in [3, 6] {
        let output = bench.input::<f32>(&mut tape, &[8, 16, 16, outputs]);
        bound_terms(&mut tape, &images, &x_t, &output, &t, &table);
        for dtype in [DType::F32, DType::BF16] {
            objective(&mut tape, &output, &images, &noised, None, &table, factors, &source, &losses, dtype);
        }
    }
    bench.run(tape)
}

/// A step of ancestral sampling with a learned variance.
fn learned_updates(bench: &Bench) -> Vec<KernelCounts> {
    let config = SchedulerConfig::default();
    let trajectory = Sampler::Ancestral(Variance::LearnedRange).trajectory(&config, 10).unwrap();
    let reverse = Reverse::new(&bench.device, &trajectory, 0).unwrap();
    let mut tape = Tape::inference();
    let x = bench.input::<f32>(&mut tape, &[8, 16, 16, 3]);
    let output = bench.input::<f32>(&mut tape, &[8, 16, 16, 6]);
    let samples = bench.input::<u32>(&mut tape, &[8]);
    reverse.update(&mut tape, &x, &output, &samples, None);
    bench.run(tape)
}

/// 128 images of 10 classes and a time embedding of 512; 32 images of 16 x 16, twice.
fn classes(bench: &Bench) -> Vec<KernelCounts> {
    let mut tape = Tape::training();
    let x = bench.parameter::<f32, f32>(&mut tape, &[128, 512]);
    let table = bench.parameter::<f32, f32>(&mut tape, &[10, 512]);
    let labels = bench.input::<u32>(&mut tape, &[128]);
    let y = class_embedding(&mut tape, &x, &table, &labels);
    let mut counts = bench.train::<f32>(tape, &y);
    let mut tape = Tape::inference();
    let images = bench.input::<f32>(&mut tape, &[32, 16, 16, 3]);
    twice(&mut tape, &images);
    counts.extend(bench.run(tape));
    counts
}

/// Heads of every size that has kernels of its own, on 4 images of 16 tokens, for the short ones, and of 64: one head, but two
/// of 8 channels in bf16, which have a block together.
fn attentions(bench: &Bench) -> Vec<(Vec<KernelCounts>, Option<f64>)> {
    let sizes = [8, 16, 32, 64, 128, 256, 512];
    let mut all = vec![];
    for (tokens, head_dim) in [16, 64].into_iter().flat_map(|tokens| sizes.map(|size| (tokens, size))) {
        all.extend(one_attention::<f32>(bench, [4, tokens, 1, head_dim]));
        all.extend(one_attention::<bf16>(bench, [4, tokens, if head_dim == 8 { 2 } else { 1 }, head_dim]));
    }
    all
}

fn one_attention<T: Element>(
    bench: &Bench,
    [images, tokens, heads, head_dim]: [usize; 4],
) -> Vec<(Vec<KernelCounts>, Option<f64>)> {
    let mut tape = Tape::training();
    let qkv = bench.parameter::<T, T>(&mut tape, &[images, tokens, 3 * heads * head_dim]);
    let y = attention(&mut tape, &qkv, heads);
    // Each of the products of all queries with all keys.
    let product = (images * heads * tokens * tokens * head_dim) as f64;
    let with_products = |counts: KernelCounts| {
        let products = match counts.entry.replace("bf16_", "").as_str() {
            // q k, p v; q k, dy v, ds k; q k, dy v, p dy, ds q.
            entry if entry.starts_with("attention_forward") => Some(2.0),
            entry if entry.starts_with("attention_backward_q") => Some(3.0),
            entry if entry.starts_with("attention_backward_kv") => Some(4.0),
            _ => None,
        };
        (vec![counts], products.map(|products| products * product))
    };
    bench.train::<T>(tape, &y).into_iter().map(with_products).collect()
}
