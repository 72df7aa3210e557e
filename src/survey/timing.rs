//! How long the kernels of a training step take on a device.

use crate::device::{Device, Kernel};
use crate::nn::UNet;
use crate::run::Settings;
use crate::train::TrainingStep;
use anyhow::Result;
use std::collections::BTreeMap;

/// Steps that are timed, after one that is not.
const STEPS: usize = 5;

/// All launches of a kernel in one step.
#[derive(Debug, Clone)]
pub struct Timing {
    pub kernel: &'static Kernel,
    pub launches: usize,
    /// The sum over the launches of each one's median.
    pub seconds: f64,
}

/// Times every launch of a training step of `settings` on `device`, one by one. The kernel that takes longest is first.
///
/// # Errors
/// If the network cannot be, or memory is short.
pub fn timings(device: &Device, settings: &Settings) -> Result<Vec<Timing>> {
    let unet = UNet::new(settings.network.unet()?)?;
    unet.config().check_batch(settings.batch, [settings.network.size; 2])?;
    unet.config().check_precision(settings.dtype)?;
    let training = TrainingStep::new(device, settings, unet, None)?;
    training.profile()?;
    let steps: Vec<_> = (0..STEPS).map(|_| training.profile()).collect::<Result<_, _>>()?;

    let mut timings: BTreeMap<&str, Timing> = BTreeMap::new();
    for (place, &(kernel, _)) in steps[0].iter().enumerate() {
        let mut times: Vec<f64> = steps.iter().map(|step| step[place].1.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let timing = timings.entry(kernel.entry).or_insert(Timing { kernel, launches: 0, seconds: 0.0 });
        timing.launches += 1;
        timing.seconds += times[STEPS / 2];
    }
    let mut timings: Vec<Timing> = timings.into_values().collect();
    timings.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    Ok(timings)
}
