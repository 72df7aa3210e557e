//! What a network predicts: `cargo run --release --example predict FOLDER INPUT OUTPUT`.
//!
//! `FOLDER` is a diffusers folder. `INPUT` is a safetensors file with noisy images `x`, F32 `[N, C, H, W]`, and their
//! timesteps `t`, I64 `[N]`, and classes `label`, I64 `[N]`, for a network that is told them; `OUTPUT` gets the predictions
//! `y`, F32 `[N, C, H, W]`. It computes on the GPU, if there is one.

use anyhow::{Context, Result, ensure};
use ddpm_ptx::checkpoint::pipeline;
use ddpm_ptx::device::{DType, Device};
use ddpm_ptx::graph::Tape;
use ddpm_ptx::nn::{Condition, Parameters};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, input, output] = paths.as_slice() else {
        anyhow::bail!("usage: predict FOLDER INPUT OUTPUT")
    };
    let bytes = std::fs::read(input).with_context(|| input.display().to_string())?;
    let file = SafeTensors::deserialize(&bytes)?;
    let (x, t) = (file.tensor("x")?, file.tensor("t")?);
    let &[images, channels, height, width] = x.shape() else { anyhow::bail!("x is not [N, C, H, W]") };
    ensure!(
        x.dtype() == Dtype::F32 && t.dtype() == Dtype::I64 && t.shape() == [images],
        "x is F32, t is I64 [N]"
    );
    let pixels: Vec<f32> = x.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let t = whole_numbers(t.data());
    let label = file.tensor("label").ok().map(|label| whole_numbers(label.data()));
    let plane = height * width;

    let device = Device::cuda(0).or_else(|_| anyhow::Ok(Device::soft()))?;
    let network = pipeline::read(folder)?;
    let weights = Parameters::upload(network.unet.layout().clone(), &device, &network.weights)?;
    let x = Arc::new(device.upload(&transposed(&pixels, channels, plane))?);
    let t = Arc::new(device.upload(&t)?);
    let mut tape = Tape::inference();
    let x = tape.resident(&x, 0, &[images, height, width, channels], DType::F32);
    let t = tape.resident(&t, 0, &[images], DType::U32);
    let label = label.map(|label| device.upload(&label)).transpose()?.map(Arc::new);
    let label = label.map(|label| tape.resident(&label, 0, &[images], DType::U32));
    let y = network.unet.forward(&mut tape, &weights.bind(), &x, Condition { t, label }, None);
    tape.keep(&y);
    let program = tape.compile(&device)?;
    program.run()?;

    let channels = network.unet.config().out_channels;
    let y = transposed(&program.read::<f32>(&y)?, plane, channels);
    let bytes: Vec<u8> = y.iter().flat_map(|value| value.to_le_bytes()).collect();
    let y = TensorView::new(Dtype::F32, vec![images, channels, height, width], &bytes)?;
    std::fs::write(output, safetensors::serialize([("y", y)], None)?)
        .with_context(|| output.display().to_string())?;
    Ok(())
}

fn whole_numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as u32).collect()
}

/// Each image, `rows` x `columns`, the other way round.
fn transposed(images: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let image = |image: &[f32]| -> Vec<f32> {
        (0..columns)
            .flat_map(|column| (0..rows).map(move |row| (row, column)))
            .map(|(r, c)| image[r * columns + c])
            .collect()
    };
    images.chunks_exact(rows * columns).flat_map(image).collect()
}
