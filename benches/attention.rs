//! CPU time of attention on the software device, in f32, in bf16 by the f32 kernels between casts, and in bf16.
//!
//! `cargo bench --bench attention -- 4 64` takes the number of images, 4 if not given, and measures the shapes that have
//! `64` in their name. Heads are those of DDPM's networks, one of all channels, and of diffusers' default, many of 8.
//! Each number is the smallest of several runs.

#[path = "soft_device/clock.rs"]
mod clock;

use clock::cpu_seconds;
use ddpm_ptx::device::{Buffer, DType, Device, DeviceChoice};
use ddpm_ptx::graph::{Program, Tape};
use ddpm_ptx::ops::attention::attention;
use ddpm_ptx::ops::cast::cast;
use half::bf16;
use std::error::Error;
use std::sync::Arc;

const RUNS: usize = 15;

/// Tokens, heads, channels of a head.
const SHAPES: [[usize; 3]; 9] = [
    [256, 1, 64],
    [256, 4, 64],
    [256, 1, 128],
    [256, 1, 256],
    [256, 1, 512],
    [256, 16, 8],
    [64, 1, 512],
    [64, 1, 256],
    [16, 1, 256],
];

/// How bf16 tensors get their attention.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    F32,
    Casts,
    Bf16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::open(DeviceChoice::Soft)?;
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let images = arguments.next().map_or(Ok(4), |images| images.parse())?;
    let wanted = arguments.next().unwrap_or_default();
    println!("{}, {images} images, ms of CPU time", device.name());
    println!("{:>16} {:>6} {:>9} {:>9}", "T x heads x d", "way", "forward", "backward");
    for shape in SHAPES {
        let name = shape.map(|size| size.to_string()).join(" x ");
        if !name.contains(&wanted) {
            continue;
        }
        for way in [Way::F32, Way::Casts, Way::Bf16] {
            let [forward, both] = [Tape::inference(), Tape::training()].map(|tape| {
                record(&device, tape, images, shape, way).and_then(|program| milliseconds(&program))
            });
            let (forward, both) = (forward?, both?);
            let way = format!("{way:?}").to_lowercase();
            println!("{name:>16} {way:>6} {forward:>9.3} {:>9.3}", both - forward);
        }
    }
    Ok(())
}

/// Forward, and on a training tape backward.
fn record(
    device: &Device,
    mut tape: Tape,
    images: usize,
    [tokens, heads, head_dim]: [usize; 3],
    way: Way,
) -> Result<Program, Box<dyn Error>> {
    let dtype = if way == Way::F32 { DType::F32 } else { DType::BF16 };
    let shape = [images, tokens, 3 * heads * head_dim];
    let len = shape.iter().product();
    let gradients = Arc::new(device.alloc::<u8>(len * dtype.bytes())?);
    let qkv = tape.parameter_in([dtype; 2], &values(device, len, dtype)?, &gradients, 0, &shape);
    let y = if way == Way::Casts {
        let qkv = cast(&mut tape, &qkv, DType::F32);
        let y = attention(&mut tape, &qkv, heads);
        cast(&mut tape, &y, DType::BF16)
    } else {
        attention(&mut tape, &qkv, heads)
    };
    if tape.is_training() {
        let dy = values(device, y.len(), dtype)?;
        let dy = tape.resident(&dy, 0, y.shape(), dtype);
        tape.backward(&y, &dy);
    }
    Ok(tape.compile(device)?)
}

/// Numbers of either sign, in no order.
fn values(device: &Device, len: usize, dtype: DType) -> Result<Arc<Buffer>, Box<dyn Error>> {
    let values = (0..len).map(|i| (i * 7919 % 1021) as f32 / 255.0 - 2.0);
    Ok(Arc::new(match dtype {
        DType::BF16 => device.upload(&values.map(bf16::from_f32).collect::<Vec<_>>())?,
        _ => device.upload(&values.collect::<Vec<_>>())?,
    }))
}

/// CPU time of a run.
fn milliseconds(program: &Program) -> Result<f64, Box<dyn Error>> {
    program.run()?;
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = cpu_seconds();
        program.run()?;
        least = least.min(cpu_seconds() - start);
    }
    Ok(least * 1e3)
}
