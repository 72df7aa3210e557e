//! Rates of the convolution kernels on the layers of a small U-Net: 16 x 16 images, 32, 64 and 128 channels.
//!
//! `DDPM_DEVICE=cuda cargo bench --bench conv -- 64` takes the device and the batch size; `soft` and 32 if not given.
//! A rate counts 2 N P Q K R R C operations for each of the three kernels. The weights' gradient includes adding up its
//! parts. Each number is the median of several runs.

use ddpm_ptx::device::{DType, Device, DeviceChoice};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

const RUNS: usize = 7;

/// Name, height = width of the input, its channels, channels of the output.
type Layer = (&'static str, usize, &'static [usize], usize, Geometry);

const LAYERS: [Layer; 14] = [
    ("first 3x3", 16, &[3], 32, Geometry::SAME_3X3),
    ("3x3", 16, &[32], 32, Geometry::SAME_3X3),
    ("3x3 of two", 16, &[32, 32], 32, Geometry::SAME_3X3),
    ("1x1 of two", 16, &[32, 32], 32, Geometry::POINTWISE),
    ("3x3 down", 16, &[32], 32, Geometry::down(Padding::Same)),
    ("3x3", 8, &[32], 64, Geometry::SAME_3X3),
    ("3x3", 8, &[64], 64, Geometry::SAME_3X3),
    ("3x3 of two", 8, &[64, 64], 64, Geometry::SAME_3X3),
    ("1x1", 8, &[64], 192, Geometry::POINTWISE),
    ("3x3 up", 8, &[64], 64, Geometry::UP_3X3),
    ("3x3", 4, &[128], 128, Geometry::SAME_3X3),
    ("3x3 of two", 4, &[128, 128], 128, Geometry::SAME_3X3),
    ("3x3 up", 4, &[128], 128, Geometry::UP_3X3),
    ("last 3x3", 16, &[32], 3, Geometry::SAME_3X3),
];

fn main() -> Result<(), Box<dyn Error>> {
    let choice: DeviceChoice = std::env::var("DDPM_DEVICE").unwrap_or_else(|_| "soft".into()).parse()?;
    let device = Device::open(choice)?;
    let batch = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(32);
    println!("{}, batch {batch}, GFLOP/s", device.name());
    println!(
        "{:12} {:>5} {:>9} {:>5} {:>8} {:>8} {:>8}",
        "layer", "H = W", "C", "K", "fprop", "dgrad", "wgrad"
    );
    for (name, extent, channels, out_channels, geometry) in LAYERS {
        let (program, operations) = record(&device, batch, extent, channels, out_channels, &geometry)?;
        program.run()?;
        let rates = rates(&program, operations)?;
        let channels: Vec<String> = channels.iter().map(usize::to_string).collect();
        let [fprop, dgrad, wgrad] = rates.map(|rate| format!("{rate:.1}"));
        println!(
            "{name:12} {extent:>5} {:>9} {out_channels:>5} {fprop:>8} {dgrad:>8} {wgrad:>8}",
            channels.join(" + ")
        );
    }
    Ok(())
}

/// The layer's forward and backward pass, and the operations of each of its kernels.
fn record(
    device: &Device,
    batch: usize,
    extent: usize,
    channels: &[usize],
    out_channels: usize,
    geometry: &Geometry,
) -> Result<(Program, f64), Box<dyn Error>> {
    let mut tape = Tape::training();
    let parameter = |shape: &[usize], tape: &mut Tape| -> Result<Tensor, Box<dyn Error>> {
        let len = shape.iter().product();
        let values: Vec<f32> = (0..len).map(|i: usize| (i % 251) as f32 / 251.0 - 0.5).collect();
        let (weights, gradients) = (Arc::new(device.upload(&values)?), Arc::new(device.alloc::<f32>(len)?));
        Ok(tape.parameter(&weights, &gradients, 0, shape))
    };
    let mut inputs = vec![];
    for &channels in channels {
        inputs.push(parameter(&[batch, extent, extent, channels], &mut tape)?);
    }
    let r = geometry.kernel;
    let weight = parameter(&[out_channels, r, r, channels.iter().sum()], &mut tape)?;
    let bias = parameter(&[out_channels], &mut tape)?;
    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
    let y = conv(&mut tape, &inputs.iter().collect::<Vec<_>>(), &weight, epilogue, geometry);
    let dy = Arc::new(device.upload(&vec![0.5f32; y.len()])?);
    let dy = tape.resident(&dy, 0, y.shape(), DType::F32);
    tape.backward(&y, &dy);
    let operations = 2.0 * y.len() as f64 * (weight.len() / out_channels) as f64;
    Ok((tape.compile(device)?, operations))
}

/// GFLOP/s of the forward kernel, the inputs' gradients and the weights' gradient.
fn rates(program: &Program, operations: f64) -> Result<[f64; 3], Box<dyn Error>> {
    let mut runs: [Vec<Duration>; 3] = Default::default();
    for _ in 0..RUNS {
        let mut times = [Duration::ZERO; 3];
        // The sum of the weight gradient's parts follows it directly; the bias's sums come later.
        let mut of_wgrad = false;
        for (launch, time) in program.launches().iter().zip(program.profile()?) {
            let entry = launch.kernel.entry;
            let family = ["fprop", "dgrad", "wgrad"].iter().position(|family| entry.starts_with(family));
            let second_pass = of_wgrad && entry.starts_with("sum_slices");
            of_wgrad = family == Some(2);
            if let Some(family) = family.or(second_pass.then_some(2)) {
                times[family] += time;
            }
        }
        runs.iter_mut().zip(times).for_each(|(runs, time)| runs.push(time));
    }
    Ok(runs.map(|mut runs| {
        runs.sort();
        operations / runs[RUNS / 2].as_secs_f64() / 1e9
    }))
}
