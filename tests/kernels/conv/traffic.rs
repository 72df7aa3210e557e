//! What the main loops of the bf16 kernels ask of the memory, counted by the software device.

use super::bits::replaced;
use ddpm_ptx::device::soft::count::InstructionCounts;
use ddpm_ptx::device::soft::{Options, Soft};
use ddpm_ptx::device::{DType, Device, Kernel};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::kernels;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Padding, conv};
use std::sync::Arc;

/// A convolution of 64 + 128 channels to 128, forward and backward, on zeros.
fn program(device: &Device, geometry: &Geometry) -> Program {
    let mut tape = Tape::training();
    let parameter = |tape: &mut Tape, dtype, gradient: DType, shape: &[usize]| -> Tensor {
        let len: usize = shape.iter().product();
        let [values, gradients] = [dtype, gradient].map(|dtype| {
            let buffer = device.alloc::<u8>(len * dtype.bytes()).unwrap();
            buffer.fill(0).unwrap();
            Arc::new(buffer)
        });
        tape.parameter_in([dtype, gradient], &values, &gradients, 0, shape)
    };
    let r = geometry.kernel;
    let inputs =
        [64, 128].map(|c| parameter(&mut tape, DType::BF16, DType::BF16, &[2, 16, 16, c]));
    let weight = parameter(&mut tape, DType::BF16, DType::F32, &[128, r, r, 192]);
    let y = conv(&mut tape, &inputs.each_ref(), &weight, Epilogue::default(), geometry);
    let dy = parameter(&mut tape, DType::BF16, DType::BF16, y.shape());
    tape.backward(&y, &dy);
    tape.compile(device).unwrap()
}

/// The instructions of `variant`, in the place of `family`'s kernels, with their text.
fn instructions(geometry: &Geometry, family: &str, variant: &'static Kernel) -> Vec<(String, InstructionCounts)> {
    let soft = Soft::with(Options { count: true, ..Options::default() });
    let device = Device::from(soft.clone());
    let program = program(&device, geometry);
    for launch in program.launches() {
        device.launch(&replaced(launch, family, variant)).unwrap();
    }
    let counts = soft.take_counts().into_iter().find(|counts| counts.entry == variant.entry);
    let lines: Vec<&str> = variant.module.ptx.lines().collect();
    let counts = counts.unwrap_or_else(|| panic!("{} did not run", variant.entry));
    let text = |counts: InstructionCounts| (lines[counts.line as usize - 1].trim().to_string(), counts);
    counts.instructions.into_iter().map(text).collect()
}

/// Fragments come and copies go to shared memory without bank conflicts, and copies read whole sectors.
#[test]
fn nothing_is_moved_in_vain() {
    for geometry in [Geometry::SAME_3X3, Geometry::POINTWISE, Geometry::UP_3X3, Geometry::down(Padding::Same)] {
        for family in ["bf16_fprop_", "bf16_dgrad_", "bf16_wgrad_"] {
            for variant in kernels::ALL.iter().filter(|kernel| kernel.entry.starts_with(family)) {
                let mut moves = 0;
                for (text, counts) in instructions(&geometry, family, variant) {
                    if text.contains("ldmatrix") || text.contains("cp.async.cg") {
                        let what = format!("{}, {geometry:?}: {text}", variant.entry);
                        assert_eq!(counts.shared.conflict_ratio(), 1.0, "{what}");
                        assert_eq!(counts.global.sector_efficiency(), 1.0, "{what}");
                        moves += counts.executions;
                    }
                }
                assert!(moves > 0, "{} moves something", variant.entry);
            }
        }
    }
}
