//! DPM-Solver++ (Lu, Zhou, Bao, Chen, Li, Zhu 2022), multistep.

use super::{Node, add};
use crate::diffusion::config::SchedulerConfig;
use crate::diffusion::sampler::Step;

/// With this many steps or more, diffusers keeps the order to the last but one.
const MANY_STEPS: usize = 15;

/// The choices of DPM-Solver++.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSolver {
    /// 1, 2 or 3: how many predictions a step looks at.
    pub order: usize,
    /// Solve the stochastic equation (SDE-DPM-Solver++): fresh noise in every step.
    pub stochastic: bool,
}

impl DpmSolver {
    /// Steps over falling noise levels, in the variant `midpoint` of diffusers. With m_0 the prediction at this node, m_1 and
    /// m_2 those before, r_k = (lambda_k - lambda_{k+1}) / h and
    ///
    /// ```text
    /// D1 = (m_0 - m_1) / r_0                                              order 2
    /// D1 = d_0 + r_0 / (r_0 + r_1) (d_0 - d_1), D2 = (d_0 - d_1) / (r_0 + r_1)   order 3, d_k = (m_k - m_{k+1}) / r_k
    ///
    /// x ← sigma' / sigma x + alpha' (a m_0 + b D1 + c D2) + s z
    /// ```
    ///
    /// a = 1 - exp(-h), b = a / 2 or, for order 3, 1 - a / h, and c = 1/2 - (h - a) / h². The stochastic solver has 2h for h in a,
    /// another exp(-h) before x, b = a / 2 or 1 - a / 2h, c = (a - 2h) / 4h² - 1/2 (sic), and s = sigma' sqrt(1 - exp(-2h)).
    ///
    /// The first steps have lower orders for lack of predictions; the last has order 1, and of few steps the last but
    /// one at most order 2.
    pub(crate) fn steps(self, nodes: &[Node], config: &SchedulerConfig) -> Vec<Step> {
        let count = nodes.len();
        let step = |i: usize| {
            let order = match i {
                _ if i + 1 == count => 1,
                _ if i + 2 == count && count < MANY_STEPS => self.order.min(2),
                _ => self.order,
            };
            self.step(&nodes[..=i], nodes.get(i + 1).unwrap_or(&Node::CLEAN), order.min(i + 1), config)
        };
        (0..count).map(step).collect()
    }

    /// From the last of `nodes` to `next`.
    fn step(self, nodes: &[Node], next: &Node, order: usize, config: &SchedulerConfig) -> Step {
        let back = |k: usize| nodes[nodes.len() - 1 - k];
        let lambda = |k: usize| back(k).lambda();
        let h = next.lambda() - lambda(0);
        // What the exponentials are of.
        let u = if self.stochastic { 2.0 * h } else { h };
        let a = -(-u).exp_m1();
        let mut weights = [a, 0.0, 0.0];
        match order {
            1 => (),
            2 => {
                let r = (lambda(0) - lambda(1)) / h;
                add(&mut weights, a / 2.0, [1.0 / r, -1.0 / r, 0.0]);
            }
            _ => {
                let (r0, r1) = ((lambda(0) - lambda(1)) / h, (lambda(1) - lambda(2)) / h);
                let mut difference = [1.0 / r0, -1.0 / r0, 0.0];
                add(&mut difference, -1.0, [0.0, 1.0 / r1, -1.0 / r1]);
                let b = 1.0 - a / u;
                let c = if self.stochastic { (a - u) / (u * u) - 0.5 } else { 0.5 - (u - a) / (u * u) };
                add(&mut weights, b, [1.0 / r0, -1.0 / r0, 0.0]);
                add(&mut weights, b * r0 / (r0 + r1), difference);
                add(&mut weights, c / (r0 + r1), difference);
            }
        }
        let [on_x0, on_1, on_2] = weights.map(|weight| next.alpha * weight);
        let kept = if self.stochastic { (-h).exp() } else { 1.0 };
        let fresh = if self.stochastic { next.sigma * a.sqrt() } else { 0.0 };
        Step {
            on_x: next.sigma / back(0).sigma * kept,
            on_x0,
            on_past: [on_1, on_2],
            sigma: fresh,
            remember: self.order > 1,
            ..back(0).step(config.prediction_type, config.clip())
        }
    }
}
