//! Whole networks beside PyTorch: images per second of a forward pass, a training step, and DDIM with 50 steps.
//!
//! `cargo bench --bench network -- small --batch 32 --pass forward train --python PYTHON` measures this crate in f32 and in
//! bf16, and diffusers' `UNet2DModel` of the same configuration in PyTorch, in f32 and under bf16 autocast, where `PYTHON`
//! is an interpreter that has torch and diffusers. `--device cuda:0` takes both to a GPU, `--compile` adds
//! `torch.compile(mode="max-autotune")`. All take turns in one run, and the shortest time of each counts.

mod networks;
mod ours;
mod torch;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use ddpm_ptx::device::{Device, DeviceChoice};
use ddpm_ptx::nn::Precision;
use networks::Network;
use std::path::PathBuf;

/// Turns of each side.
const ROUNDS: usize = 5;

#[derive(Parser)]
struct Args {
    /// Networks to measure
    #[arg(default_values = ["tiny", "small"])]
    networks: Vec<Network>,
    /// Images at once
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// What is measured
    #[arg(long = "pass", value_enum, num_args = 1.., default_values = ["forward", "train"])]
    passes: Vec<Pass>,
    /// soft or cuda:N
    #[arg(long, default_value = "soft")]
    device: DeviceChoice,
    /// An interpreter with torch and diffusers
    #[arg(long)]
    python: Option<PathBuf>,
    /// Measure torch.compile, too
    #[arg(long, requires = "python")]
    compile: bool,
    /// Turns of each side
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pass {
    /// The network
    Forward,
    /// Noise, network, loss, gradients, clipping, Adam, averaged weights
    Train,
    /// 50 steps of DDIM
    Sample,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Pass::Forward => "forward",
            Pass::Train => "train",
            Pass::Sample => "sample",
        }
    }
}

/// Something that takes its turn: its name, and what runs it once and says how many seconds that took.
type Side = (String, Box<dyn FnMut() -> Result<f64>>);

fn main() -> Result<()> {
    let args = Args::parse();
    let device = Device::open(args.device)?;
    println!("{}, batch {}, images per second", device.name(), args.batch);
    for &network in &args.networks {
        for &pass in &args.passes {
            measure(&args, &device, network, pass)?;
        }
    }
    Ok(())
}

fn measure(args: &Args, device: &Device, network: Network, pass: Pass) -> Result<()> {
    let mut sides: Vec<Side> = vec![];
    for precision in Precision::ALL {
        let run = ours::prepare(device, network, pass, args.batch, precision)?;
        sides.push((format!("ddpm {}", precision.name()), run));
    }
    let cuda = matches!(args.device, DeviceChoice::Cuda(_));
    if let Some(python) = &args.python {
        for precision in Precision::ALL {
            for compile in [false, true].into_iter().take(1 + usize::from(args.compile)) {
                let how = if compile { "compiled" } else { "eager" };
                let name = format!("PyTorch {} {how}", precision.name());
                let on = torch::Setting { batch: args.batch, precision, compile, cuda };
                sides.push((name, torch::start(python, network, pass, &on)?));
            }
        }
    }
    let mut best = vec![f64::INFINITY; sides.len()];
    for _ in 0..args.rounds {
        for (best, (_, run)) in best.iter_mut().zip(&mut sides) {
            *best = run()?.min(*best);
        }
    }
    let eager = sides.iter().position(|(name, _)| name == "PyTorch f32 eager");
    for ((name, _), seconds) in sides.iter().zip(&best) {
        let rate = args.batch as f64 / seconds;
        let over = eager.map_or(String::new(), |eager| format!("{:8.2}", best[eager] / seconds));
        println!("{:8} {:8} {name:24} {rate:10.1}{over}", network.name(), pass.name());
    }
    Ok(())
}
