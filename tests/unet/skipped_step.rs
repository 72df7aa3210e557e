//! A training step whose gradient is not finite.

use crate::common::device::device;
use ddpm_ptx::checkpoint::TrainingState;
use ddpm_ptx::data::Source;
use ddpm_ptx::nn::{Precision, UNet};
use ddpm_ptx::run::{Network, Preset, Settings};
use ddpm_ptx::train::TrainingStep;

/// The state with every float as its bits, since a NaN is not equal to itself.
fn bits(state: &TrainingState) -> Vec<Vec<u32>> {
    let arenas = [&state.weights, &state.first_moment, &state.second_moment, &state.ema];
    arenas.map(|arena| arena.iter().map(|value| value.to_bits()).collect()).to_vec()
}

/// One weight that is no number makes every gradient none: nothing changes but the counters, also of a run that goes
/// on with steps skipped before. With the weight mended the run goes on.
#[test]
fn a_step_without_a_finite_gradient_changes_nothing() {
    let network =
        Network { size: 8, channels: vec![8, 16], attention: vec![4], layers: 1, groups: 4, dropout: 0.1 };
    let pixels: Vec<u8> = (0..2 * 8 * 8 * 3).map(|i| (i * 37 % 256) as u8).collect();
    for dtype in Precision::ALL {
        let network = network.clone();
        let settings = Settings { network, dtype, batch: 2, ..Preset::Shapes16.settings(Source::Shapes) };
        let unet = || UNet::new(settings.unet().unwrap()).unwrap();
        let from = |state: Option<&TrainingState>| {
            let training = TrainingStep::new(&device(), &settings, unet(), state).unwrap();
            training.run(&pixels, &[]).unwrap();
            training
        };
        let good = from(None).state().unwrap();
        assert_eq!((good.step, good.skipped), (1, 0));

        let mut spoiled = TrainingState { skipped: 7, ..good.clone() };
        let bias = spoiled.weights.len() / 2;
        spoiled.weights[bias] = f32::NAN;
        let training = from(Some(&spoiled));
        let after = training.state().unwrap();
        assert_eq!((after.step, after.skipped), (2, 8), "{dtype:?}");
        assert_eq!(training.skipped().unwrap(), 8);
        assert_eq!(bits(&after), bits(&spoiled), "{dtype:?}");
        let readings = training.readings(1..2).unwrap();
        assert!(readings[0].skipped() && readings[0].grad_norm.is_nan(), "{readings:?}");

        let mended = TrainingState { weights: good.weights.clone(), ..after };
        let training = from(Some(&mended));
        let after = training.state().unwrap();
        assert_eq!((after.step, after.skipped), (3, 8), "{dtype:?}");
        assert!(!training.readings(2..3).unwrap()[0].skipped() && after.first_moment != good.first_moment);
    }
}
