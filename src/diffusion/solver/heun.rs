//! Heun's method, the sampler of EDM (Karras, Aittala, Aila, Laine 2022, Algorithm 1), on a network that was trained with
//! discrete timesteps.

use super::Node;
use crate::diffusion::config::SchedulerConfig;
use crate::diffusion::sampler::{Correction, Step};

/// Two steps of the table from each of the falling noise levels, and one from the last. With X = x / alpha, s the noise over
/// the signal, and m the prediction,
///
/// ```text
/// d  = (X - m) / s            X' = X + (s' - s) d
/// d' = (X' - m') / s'         X ← X + (s' - s) (d + d') / 2
/// ```
pub fn heun(nodes: &[Node], config: &SchedulerConfig) -> Vec<Step> {
    let mut steps = vec![];
    for (i, node) in nodes.iter().enumerate() {
        let predicting = node.step(config.prediction_type, config.clip());
        let Some(next) = nodes.get(i + 1) else {
            steps.push(Step { on_x0: 1.0, ..predicting });
            break;
        };
        let ratio = next.ratio() / node.ratio();
        let euler = Step {
            on_x: next.alpha / node.alpha * ratio,
            on_x0: next.alpha * (1.0 - ratio),
            remember: true,
            ..predicting
        };
        let half = (next.ratio() - node.ratio()) / 2.0;
        let (here, there) = (half / node.ratio(), half / next.ratio());
        let mean = Correction {
            on_x: there,
            on_anchor: next.alpha / node.alpha * (1.0 + here),
            on_x0: -next.alpha * there,
            on_past: [-next.alpha * here, 0.0, 0.0],
        };
        let corrected = next.step(config.prediction_type, config.clip());
        steps.extend([euler, Step { correction: Some(mean), on_x: 1.0, ..corrected }]);
    }
    steps
}
