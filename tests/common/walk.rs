//! A sampler's steps in f64, by the equations of [`Step`], one element at a time.

use ddpm_ptx::diffusion::Step;

/// One element on its way, with what was kept of it.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    pub x: f64,
    anchor: f64,
    /// The x0 of the last three steps that remembered, the last first.
    past: [f64; 3],
}

impl Element {
    pub fn new(x: f64) -> Element {
        Element { x, anchor: f64::NAN, past: [f64::NAN; 3] }
    }

    /// Takes a step, given what the network says of x and the noise.
    pub fn take(&mut self, step: &Step, output: f64, z: f64) {
        // What has no weight may not even be a number.
        let weighted = |weight: f64, value: f64| if weight == 0.0 { 0.0 } else { weight * value };
        let sum = |weights: &[f64], past: &[f64; 3]| -> f64 {
            weights.iter().zip(past).map(|(&weight, &value)| weighted(weight, value)).sum()
        };
        let clean = (step.from_x * self.x + step.from_output * output).clamp(-step.limit, step.limit);
        let corrected = match &step.correction {
            None => self.x,
            Some(by) => {
                by.on_x * self.x
                    + weighted(by.on_anchor, self.anchor)
                    + by.on_x0 * clean
                    + sum(&by.on_past, &self.past)
            }
        };
        self.x = step.on_x0 * clean
            + step.on_x * corrected
            + step.on_output * output
            + sum(&step.on_past, &self.past)
            + step.sigma * z;
        if step.remember {
            self.anchor = corrected;
            self.past = [clean, self.past[0], self.past[1]];
        }
    }
}
