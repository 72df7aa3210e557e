//! Rates of the convolution kernels on the layers of a small U-Net: 16 x 16 images, 32, 64 and 128 channels.
//!
//! `DDPM_DEVICE=cuda cargo bench --bench conv -- 64` takes the device and the batch size; `soft` and 32 if not given.
//! A rate counts 2 N P Q K R R C operations for each of the three kernels, in f32 and in bf16. The weights' gradient
//! includes adding up its parts. Each number is the median of several runs.

use ddpm_ptx::device::{Buffer, DType, Device, DeviceChoice};
use ddpm_ptx::graph::{Program, Tape};
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};
use half::bf16;
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
        "{:12} {:>5} {:>9} {:>5} {:>4} {:>8} {:>8} {:>8}",
        "layer", "H = W", "C", "K", "type", "fprop", "dgrad", "wgrad"
    );
    for layer in LAYERS {
        for dtype in [DType::F32, DType::BF16] {
            let (name, extent, channels, out_channels, _) = layer;
            let (program, operations) = record(&device, batch, &layer, dtype)?;
            program.run()?;
            let [fprop, dgrad, wgrad] = rates(&program, operations)?.map(|rate| format!("{rate:.1}"));
            let channels: Vec<String> = channels.iter().map(usize::to_string).collect();
            let (channels, dtype) = (channels.join(" + "), format!("{dtype:?}").to_lowercase());
            println!(
                "{name:12} {extent:>5} {channels:>9} {out_channels:>5} {dtype:>4} {fprop:>8} {dgrad:>8} {wgrad:>8}"
            );
        }
    }
    Ok(())
}

/// The layer's forward and backward pass, and the operations of each of its kernels.
fn record(
    device: &Device,
    batch: usize,
    &(_, extent, channels, out_channels, geometry): &Layer,
    dtype: DType,
) -> Result<(Program, f64), Box<dyn Error>> {
    let mut tape = Tape::training();
    let parameter = |shape: &[usize], [dtype, gradient]: [DType; 2], tape: &mut Tape| {
        let len = shape.iter().product();
        let gradients = Arc::new(device.alloc::<u8>(len * gradient.bytes())?);
        let weights = values(device, len, dtype)?;
        Ok::<_, Box<dyn Error>>(tape.parameter_in([dtype, gradient], &weights, &gradients, 0, shape))
    };
    let mut inputs = vec![];
    for &channels in channels {
        let shape = [batch, extent, extent, channels];
        // A bf16 input of few channels is the network's, which gets no gradient.
        inputs.push(match dtype {
            DType::BF16 if channels < 8 => {
                tape.resident(&values(device, batch * extent * extent * channels, dtype)?, 0, &shape, dtype)
            }
            _ => parameter(&shape, [dtype; 2], &mut tape)?,
        });
    }
    let r = geometry.kernel;
    let all_channels = channels.iter().sum();
    // An upsampled input's weights are added up before they are rounded.
    let weight_dtype = if geometry.upsample { DType::F32 } else { dtype };
    let weight = parameter(&[out_channels, r, r, all_channels], [weight_dtype, DType::F32], &mut tape)?;
    let bias = parameter(&[out_channels], [DType::F32; 2], &mut tape)?;
    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
    let y = conv(&mut tape, &inputs.iter().collect::<Vec<_>>(), &weight, epilogue, &geometry);
    let dy = values(device, y.len(), dtype)?;
    let dy = tape.resident(&dy, 0, y.shape(), dtype);
    tape.backward(&y, &dy);
    let operations = 2.0 * y.len() as f64 * (weight.len() / out_channels) as f64;
    Ok((tape.compile(device)?, operations))
}

/// Numbers of either sign.
fn values(device: &Device, len: usize, dtype: DType) -> Result<Arc<Buffer>, Box<dyn Error>> {
    let values = (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.5);
    Ok(Arc::new(match dtype {
        DType::BF16 => device.upload(&values.map(bf16::from_f32).collect::<Vec<_>>())?,
        _ => device.upload(&values.collect::<Vec<_>>())?,
    }))
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
            let family = ["fprop", "dgrad", "wgrad"].iter().position(|family| entry.contains(family));
            let family = family.or(match entry {
                "fold_phases" => Some(0),
                "unfold_phases" => Some(2),
                _ => None,
            });
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
