//! On a device that checks, each temporary has memory of its own, without contents at the start of a run.

use ddpm_ptx::device::{Arg, DType, Device, Place};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::ops::{add::add, silu::silu};
use std::sync::Arc;

const LEN: usize = 1000;
/// Bytes between allocations, at least.
const GAP: u64 = 4096;

/// `silu(x) + x`, two temporaries.
fn program(device: &Device) -> (Program, Tensor) {
    let values: Vec<f32> = (0..LEN).map(|i| i as f32 / 100.0 - 5.0).collect();
    let mut tape = Tape::inference();
    let x = tape.resident(&Arc::new(device.upload(&values).unwrap()), 0, &[LEN], DType::F32);
    let y = silu(&mut tape, &x);
    let z = add(&mut tape, &y, &x);
    tape.keep(&z);
    (tape.compile(device).unwrap(), z)
}

#[test]
fn temporaries_lie_apart() {
    let (program, _) = program(&Device::checked(0));
    let pointers = program.launches().iter().flat_map(|launch| &launch.args);
    let mut addresses: Vec<u64> = pointers
        .filter_map(|arg| match arg {
            Arg::Pointer(Place::Address(address), _) => Some(*address),
            _ => None,
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "x, silu(x) and the sum");
    for pair in addresses.windows(2) {
        assert!(pair[1] - pair[0] >= (4 * LEN) as u64 + GAP, "{addresses:#x?}");
    }
}

#[test]
fn results_are_those_of_the_arena() {
    let read = |device: &Device| {
        let (program, z) = program(device);
        program.run().unwrap();
        program.run().unwrap();
        program.read::<f32>(&z).unwrap()
    };
    assert_eq!(read(&Device::checked(0)), read(&Device::soft()));
}
