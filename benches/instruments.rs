//! What counting and checking cost: the time of kernels on a software device that counts, or that checks, over that
//! on one that does neither.
//!
//! `cargo bench --bench instruments [-- NAME]`. The devices take turns, with one worker each; the figures are the
//! ratios of the shortest CPU times and, in brackets, the medians of the ratios of neighbouring runs.

#[path = "soft_device/clock.rs"]
mod clock;

use clock::cpu_seconds;
use ddpm_ptx::device::soft::{Check, Options, Soft};
use ddpm_ptx::device::{DType, Device};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::ops::add::add;
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};
use ddpm_ptx::ops::group_norm::{Activation, group_norm};
use ddpm_ptx::ops::silu::silu;
use half::bf16;
use std::error::Error;
use std::sync::Arc;

/// Runs on each device.
const ROUNDS: usize = 21;
/// Least time of one side of a run, in seconds.
const SPAN: f64 = 2e-2;

/// A workload, recorded on a tape from a tensor of its shape, which takes its name's end as its type.
type Workload = (&'static str, &'static [usize], fn(&Device, &mut Tape, &Tensor) -> Tensor);

const WORKLOADS: [Workload; 8] = [
    ("conv 3x3, 128, bf16", &[4, 16, 16, 128], |device, tape, x| convolution(device, tape, x, 3)),
    ("conv 3x3, 128 channels", &[4, 16, 16, 128], |device, tape, x| convolution(device, tape, x, 3)),
    ("conv 3x3, 32 channels", &[8, 16, 16, 32], |device, tape, x| convolution(device, tape, x, 3)),
    ("conv 1x1, 128 channels", &[8, 16, 16, 128], |device, tape, x| convolution(device, tape, x, 1)),
    ("attention, 256 tokens", &[2, 256, 192], |_, tape, x| attention(tape, x, 1)),
    ("silu", &[1 << 20], |_, tape, x| silu(tape, x)),
    ("add", &[1 << 20], |_, tape, x| add(tape, x, x)),
    ("group norm", &[16, 16, 16, 64], |device, tape, x| {
        let weight = parameter(device, tape, &[64], DType::F32);
        group_norm(tape, &[x], &weight, &weight, 8, 1e-5, Activation::Silu, None)
    }),
];

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options { threads: 1, ..Options::default() };
    let plain = Device::from(Soft::with(options.clone()));
    let counter = Soft::with(Options { count: true, ..options.clone() });
    let checker = Soft::with(Options { check: Some(Check::default()), ..options });
    let devices = [plain.clone(), counter.clone().into(), checker.into()];
    println!("{}: time over that without instruments", plain.name());
    println!("{:24}{:16}checking", "", "counting");
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, shape, record) in WORKLOADS.into_iter().filter(|(name, ..)| name.contains(&wanted)) {
        let programs = devices
            .iter()
            .map(|device| compile(device, shape, dtype(name), record))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push([time(&programs[0])?, time(&programs[1])?, time(&programs[2])?]);
        }
        counter.take_counts();
        println!("{name:24}{:16}{}", ratio(&rounds, 1), ratio(&rounds, 2));
    }
    Ok(())
}

/// How much longer the device with this index takes.
fn ratio(rounds: &[[f64; 3]], device: usize) -> String {
    let least = |device: usize| rounds.iter().map(|round| round[device]).fold(f64::INFINITY, f64::min);
    let mut ratios: Vec<f64> = rounds.iter().map(|round| round[device] / round[0]).collect();
    ratios.sort_by(f64::total_cmp);
    format!("{:.2}  ({:.2})", least(device) / least(0), ratios[ratios.len() / 2])
}

fn dtype(name: &str) -> DType {
    if name.ends_with("bf16") { DType::BF16 } else { DType::F32 }
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect()
}

fn parameter(device: &Device, tape: &mut Tape, shape: &[usize], dtype: DType) -> Tensor {
    let values = values(shape.iter().product());
    let buffer = match dtype {
        DType::BF16 => device.upload(&values.into_iter().map(bf16::from_f32).collect::<Vec<_>>()),
        _ => device.upload(&values),
    };
    tape.resident(&Arc::new(buffer.expect("memory for a parameter")), 0, shape, dtype)
}

fn convolution(device: &Device, tape: &mut Tape, x: &Tensor, kernel: usize) -> Tensor {
    let [.., channels] = x.dims::<4>();
    let weight = parameter(device, tape, &[channels, kernel, kernel, channels], x.dtype());
    let geometry = if kernel == 1 { Geometry::POINTWISE } else { Geometry::SAME_3X3 };
    conv(tape, &[x], &weight, Epilogue::default(), &geometry)
}

fn compile(
    device: &Device,
    shape: &[usize],
    dtype: DType,
    record: fn(&Device, &mut Tape, &Tensor) -> Tensor,
) -> Result<Program, Box<dyn Error>> {
    let mut tape = Tape::inference();
    let x = parameter(device, &mut tape, shape, dtype);
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
