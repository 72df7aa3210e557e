//! What counting costs: the time of kernels on a software device that counts over that on one that does not.
//!
//! `cargo bench --bench counting`. The two devices take turns, with one worker each; the figures are the ratio of the
//! shortest CPU times, and the median of the ratios of neighbouring runs.

#[path = "soft_device/clock.rs"]
mod clock;

use clock::cpu_seconds;
use ddpm_ptx::device::soft::{Options, Soft};
use ddpm_ptx::device::{DType, Device};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::ops::add::add;
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};
use ddpm_ptx::ops::group_norm::{Activation, group_norm};
use ddpm_ptx::ops::silu::silu;
use std::error::Error;
use std::sync::Arc;

/// Pairs of runs.
const PAIRS: usize = 21;
/// Least time of one side of a pair, in seconds.
const SPAN: f64 = 2e-2;

/// A workload, recorded on a tape from a tensor of its shape.
type Workload = (&'static str, &'static [usize], fn(&Device, &mut Tape, &Tensor) -> Tensor);

const WORKLOADS: [Workload; 7] = [
    ("conv 3x3, 128 channels", &[4, 16, 16, 128], |device, tape, x| convolution(device, tape, x, 3)),
    ("conv 3x3, 32 channels", &[8, 16, 16, 32], |device, tape, x| convolution(device, tape, x, 3)),
    ("conv 1x1, 128 channels", &[8, 16, 16, 128], |device, tape, x| convolution(device, tape, x, 1)),
    ("attention, 256 tokens", &[2, 256, 192], |_, tape, x| attention(tape, x, 1)),
    ("silu", &[1 << 20], |_, tape, x| silu(tape, x)),
    ("add", &[1 << 20], |_, tape, x| add(tape, x, x)),
    ("group norm", &[16, 16, 16, 64], |device, tape, x| {
        let weight = parameter(device, tape, &[64]);
        group_norm(tape, &[x], &weight, &weight, 8, 1e-5, Activation::Silu, None)
    }),
];

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options { threads: 1, ..Options::default() };
    let plain = Device::from(Soft::with(options.clone()));
    let counter = Soft::with(Options { count: true, ..options });
    let counting = Device::from(counter.clone());
    println!("{}: time with counting over time without", plain.name());
    for (name, shape, record) in WORKLOADS {
        let programs = [compile(&plain, shape, record)?, compile(&counting, shape, record)?];
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            pairs.push([time(&programs[0])?, time(&programs[1])?]);
        }
        counter.take_counts();
        let least = |side: usize| pairs.iter().map(|pair| pair[side]).fold(f64::INFINITY, f64::min);
        let mut ratios: Vec<f64> = pairs.iter().map(|[without, with]| with / without).collect();
        ratios.sort_by(f64::total_cmp);
        println!("{name:24} {:.2}  median {:.2}", least(1) / least(0), ratios[PAIRS / 2]);
    }
    Ok(())
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect()
}

fn parameter(device: &Device, tape: &mut Tape, shape: &[usize]) -> Tensor {
    let buffer = device.upload(&values(shape.iter().product())).expect("memory for a parameter");
    tape.resident(&Arc::new(buffer), 0, shape, DType::F32)
}

fn convolution(device: &Device, tape: &mut Tape, x: &Tensor, kernel: usize) -> Tensor {
    let [.., channels] = x.dims::<4>();
    let weight = parameter(device, tape, &[channels, kernel, kernel, channels]);
    let geometry = if kernel == 1 { Geometry::POINTWISE } else { Geometry::SAME_3X3 };
    conv(tape, &[x], &weight, Epilogue::default(), &geometry)
}

fn compile(
    device: &Device,
    shape: &[usize],
    record: fn(&Device, &mut Tape, &Tensor) -> Tensor,
) -> Result<Program, Box<dyn Error>> {
    let mut tape = Tape::inference();
    let x = Arc::new(device.upload(&values(shape.iter().product()))?);
    let x = tape.resident(&x, 0, shape, DType::F32);
    let y = record(device, &mut tape, &x);
    tape.keep(&y);
    let program = tape.compile(device)?;
    program.run()?;
    Ok(program)
}

/// CPU seconds of a run.
fn time(program: &Program) -> Result<f64, Box<dyn Error>> {
    let begin = cpu_seconds();
    let mut runs = 0;
    loop {
        program.run()?;
        runs += 1;
        let spent = cpu_seconds() - begin;
        if spent >= SPAN {
            return Ok(spent / f64::from(runs));
        }
    }
}
