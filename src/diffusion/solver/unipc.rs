//! UniPC (Zhao, Bai, Rao, Zhou, Lu 2023), multistep.

use super::{Node, add};
use crate::diffusion::config::SchedulerConfig;
use crate::diffusion::sampler::{Correction, Step};

/// The choices of UniPC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UniPc {
    /// 1, 2 or 3: how many predictions a step looks at.
    pub order: usize,
    pub bh: Bh,
}

/// The function B(h) of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bh {
    /// h
    Bh1,
    /// exp(h) - 1, the better one with few steps
    #[default]
    Bh2,
}

impl Default for UniPc {
    /// diffusers' choice.
    fn default() -> UniPc {
        UniPc { order: 2, bh: Bh::Bh2 }
    }
}

impl UniPc {
    /// Steps over falling noise levels. Each first corrects the sample that the one before predicted, by the prediction at it,
    /// and then predicts the next; the first has nothing to correct. Orders rise from 1 and fall to 1 at the end.
    pub(crate) fn steps(self, nodes: &[Node], config: &SchedulerConfig) -> Vec<Step> {
        let count = nodes.len();
        let order = |i: usize| self.order.min(i + 1).min(count - i);
        let step = |i: usize| {
            let next = nodes.get(i + 1).unwrap_or(&Node::CLEAN);
            let predictor = self.update(&nodes[..=i], next, order(i), false);
            let correction = (i > 0).then(|| {
                let corrector = self.update(&nodes[..i], &nodes[i], order(i - 1), true);
                let [on_past @ .., on_x0] = corrector.on_predictions;
                Correction { on_x: 0.0, on_anchor: corrector.on_x, on_x0, on_past }
            });
            let [on_x0, on_1, on_2, _] = predictor.on_predictions;
            Step {
                correction,
                on_x: predictor.on_x,
                on_x0,
                on_past: [on_1, on_2],
                remember: true,
                ..nodes[i].step(config.prediction_type, config.clip())
            }
        };
        (0..count).map(step).collect()
    }

    /// The step from the last of `nodes` to `next`, of order p: with m_0 the prediction at that node, m_1, … those before, and in a
    /// corrector m that at the next node; u = -h, r_k = (lambda_k - lambda_0) / h, D_k = (m_k - m_0) / r_k for 0 < k < p and, in
    /// a corrector, D_p = m - m_0 with r_p = 1:
    ///
    /// ```text
    /// x ← sigma' / sigma x - alpha' (exp(u) - 1) m_0 - alpha' B Σ rho_k D_k
    /// Σ_k r_k^(j-1) rho_k = j! g_j / B,    g_1 = (exp(u) - 1) / u - 1,    g_{j+1} = g_j / u - 1 / (j+1)!
    /// ```
    fn update(self, nodes: &[Node], next: &Node, order: usize, corrects: bool) -> Update {
        let back = |k: usize| nodes[nodes.len() - 1 - k];
        let lambda = back(0).lambda();
        let h = next.lambda() - lambda;
        let u = -h;
        let b = if self.bh == Bh::Bh1 { u } else { u.exp_m1() };
        let mut r: Vec<f64> = (1..order).map(|k| (back(k).lambda() - lambda) / h).collect();
        if corrects {
            r.push(1.0);
        }
        let mut on_predictions = [-u.exp_m1(), 0.0, 0.0, 0.0];
        for (k, (rho, r)) in rho(&r, u, b).into_iter().zip(&r).enumerate() {
            let mut difference = [-1.0 / r, 0.0, 0.0, 0.0];
            let last = corrects && k + 1 == order;
            difference[if last { 3 } else { k + 1 }] = 1.0 / r;
            add(&mut on_predictions, -b * rho, difference);
        }
        Update {
            on_x: next.sigma / back(0).sigma,
            on_predictions: on_predictions.map(|weight| next.alpha * weight),
        }
    }
}

/// A step as weights of the sample, of m_0, m_1, m_2, and of the prediction at the next node.
struct Update {
    on_x: f64,
    on_predictions: [f64; 4],
}

/// The rho of [`UniPc::update`]; one alone is 1/2, as in diffusers.
fn rho(r: &[f64], u: f64, b: f64) -> Vec<f64> {
    let count = r.len();
    if count == 1 {
        return vec![0.5];
    }
    let mut g = u.exp_m1() / u - 1.0;
    let mut factorial = 1.0;
    let mut rows = vec![];
    for j in 1..=count {
        let mut row: Vec<f64> = r.iter().map(|r| r.powi(j as i32 - 1)).collect();
        row.push(factorial * g / b);
        rows.push(row);
        factorial *= (j + 1) as f64;
        g = g / u - 1.0 / factorial;
    }
    solve(rows)
}

/// The solution of a few linear equations, one a row with its right side last, by elimination.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let count = rows.len();
    for column in 0..count {
        let largest =
            (column..count).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()));
        rows.swap(column, largest.expect("a row"));
        let pivot = rows[column].clone();
        for (at, row) in rows.iter_mut().enumerate() {
            if at != column {
                let factor = row[column] / pivot[column];
                row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    rows.iter().enumerate().map(|(at, row)| row[count] / row[at]).collect()
}
