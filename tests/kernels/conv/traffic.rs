//! What the main loops of the bf16 kernels ask of the memory, counted by the software device.

use super::bits::replaced;
use ddpm_ptx::device::soft::{Options, Soft};
use ddpm_ptx::device::{Buffer, DType, Device, Kernel};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::kernels;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};
use std::sync::Arc;

/// A convolution, forward and backward, on zeros.
fn program(device: &Device, channels: &[usize], out_channels: usize, geometry: &Geometry) -> Program {
    let mut tape = Tape::training();
    let parameter = |tape: &mut Tape, dtype, gradient: DType, shape: &[usize]| -> Tensor {
        let len: usize = shape.iter().product();
        let [values, gradients] = [dtype, gradient].map(|dtype| zeros(device, len, dtype));
        tape.parameter_in([dtype, gradient], &values, &gradients, 0, shape)
    };
    let r = geometry.kernel;
    let inputs: Vec<Tensor> = channels
        .iter()
        .map(|&c| match c {
            // The network's input, which gets no gradient.
            ..8 => {
                tape.resident(&zeros(device, 2 * 16 * 16 * c, DType::BF16), 0, &[2, 16, 16, c], DType::BF16)
            }
            _ => parameter(&mut tape, DType::BF16, DType::BF16, &[2, 16, 16, c]),
        })
        .collect();
    let weights = [out_channels, r, r, channels.iter().sum()];
    // What is added up before it is rounded comes in f32.
    let dtype = if geometry.upsample { DType::F32 } else { DType::BF16 };
    let weight = parameter(&mut tape, dtype, DType::F32, &weights);
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let y = conv(&mut tape, &inputs, &weight, Epilogue::default(), geometry);
    let dy = parameter(&mut tape, DType::BF16, DType::BF16, y.shape());
    tape.backward(&y, &dy);
    tape.compile(device).unwrap()
}

fn zeros(device: &Device, len: usize, dtype: DType) -> Arc<Buffer> {
    let buffer = device.alloc::<u8>(len * dtype.bytes()).unwrap();
    buffer.fill(0).unwrap();
    Arc::new(buffer)
}

/// Runs the convolution with `variant` in the place of `family`'s kernels, if there is one, and checks all kernels:
/// fragments come and copies go to shared memory without bank conflicts, and of the sectors that copies read no more
/// than a tenth is in vain, at the ends of what they copy.
fn check(
    channels: &[usize],
    out_channels: usize,
    geometry: &Geometry,
    replace: Option<(&str, &'static Kernel)>,
) {
    let soft = Soft::with(Options { count: true, ..Options::default() });
    let device = Device::from(soft.clone());
    let program = program(&device, channels, out_channels, geometry);
    for launch in program.launches() {
        match replace {
            Some((family, variant)) => device.launch(&replaced(launch, family, variant)).unwrap(),
            None => device.launch(launch).unwrap(),
        }
    }
    let mut ran = vec![];
    for counts in soft.take_counts().into_iter().filter(|counts| counts.entry.starts_with("bf16")) {
        let kernel = kernels::ALL.iter().find(|kernel| kernel.entry == counts.entry).unwrap();
        let lines: Vec<&str> = kernel.module.ptx.lines().collect();
        for instruction in &counts.instructions {
            let text = lines[instruction.line as usize - 1];
            if text.contains("ldmatrix") || text.contains("cp.async.cg") {
                let what = format!("{}, {geometry:?}: {text}", kernel.entry);
                assert_eq!(instruction.shared.conflict_ratio(), 1.0, "{what}");
                let efficiency = instruction.global.sector_efficiency();
                assert!(efficiency >= 0.9, "{what}: {efficiency}");
            }
        }
        ran.push(counts.entry);
    }
    if let Some((_, variant)) = replace {
        assert!(ran.iter().any(|entry| entry == variant.entry), "{} among {ran:?}", variant.entry);
    }
}

#[test]
fn of_tiles() {
    for geometry in [Geometry::SAME_3X3, Geometry::POINTWISE, Geometry::UP_3X3, Geometry::down(Padding::Same)]
    {
        for family in ["bf16_fprop_", "bf16_dgrad_", "bf16_wgrad_"] {
            for variant in kernels::ALL.iter().filter(|kernel| kernel.entry.starts_with(family)) {
                check(&[64, 128], 128, &geometry, Some((family, variant)));
            }
        }
    }
}

#[test]
fn of_few_channels() {
    for geometry in [Geometry::SAME_3X3, Geometry::POINTWISE] {
        check(&[3], 128, &geometry, None);
        check(&[128], 3, &geometry, None);
    }
}
