//! The variational bound in f64: the plain reference of the tests, and the rows that the kernels read, against what the
//! authors' code computed.

use crate::common::goldens::Goldens;
use crate::common::likelihood::Process;
use ddpm_ptx::diffusion::{PredictionType, SchedulerConfig, TermRow, Variance, objective_rows, term_rows};
use std::f64::consts::LN_2;

/// The term that a row stands for, by the formulas of its documentation.
fn term(row: &TermRow, byte: u8, x: f64, output: f64) -> f64 {
    let x0 = f64::from(byte) / 127.5 - 1.0;
    let x0_hat = (row.from_x * x + row.from_output * output).clamp(-row.limit, row.limit);
    let (z, delta) = (row.to_z * (x0 - x0_hat), row.log_variance);
    if row.half_bin == 0.0 {
        return (delta - 1.0 + (-delta).exp() + z * z * (-delta).exp()) / 2.0;
    }
    let phi = |z: f64| {
        let u = z * (-delta / 2.0).exp();
        (1.0 + (std::f64::consts::FRAC_2_PI.sqrt() * (u + 0.044715 * u.powi(3))).tanh()) / 2.0
    };
    let high = if byte == 255 { 1.0 } else { phi(z + row.half_bin) };
    let low = if byte == 0 { 0.0 } else { phi(z - row.half_bin) };
    -(high - low).max(1e-12).ln()
}

/// Every term of two images under the analytic network, each to 1e-6 of itself.
#[test]
fn terms_are_the_authors() {
    let goldens = Goldens::open("sched/vlb");
    let bytes: Vec<u8> = goldens.numbers("images_u8").iter().map(|&byte| byte as u8).collect();
    let [mu, s, noise] = ["mu", "s", "noise"].map(|key| goldens.numbers(key));
    for (name, variance) in [("fixedsmall", Variance::FixedSmall), ("fixedlarge", Variance::FixedLarge)] {
        for clip in [false, true] {
            let config =
                SchedulerConfig { variance_type: variance, clip_sample: clip, ..SchedulerConfig::default() };
            let schedule = config.schedule().unwrap();
            let rows = term_rows(&schedule, &config);
            let limit = config.clip().unwrap_or(f64::INFINITY);
            let process =
                Process { schedule: &schedule, prediction: PredictionType::Epsilon, variance, limit };
            let clip = u8::from(clip);
            let terms = goldens.numbers(&format!("{name}.clip{clip}.terms_bpd"));
            for n in 0..2 {
                for (t, row) in rows.iter().enumerate() {
                    let alpha_bar = schedule.alphas_cumprod[t];
                    let [mut of_row, mut plain] = [0.0; 2];
                    for e in 0..48 {
                        let byte = bytes[n * 48 + e];
                        let x = alpha_bar.sqrt() * (f64::from(byte) / 127.5 - 1.0)
                            + (1.0 - alpha_bar).sqrt() * noise[(t * 2 + n) * 48 + e];
                        let eps = (1.0 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * mu[e])
                            / (alpha_bar * s[e] * s[e] + 1.0 - alpha_bar);
                        of_row += term(row, byte, x, eps) / (48.0 * LN_2);
                        plain += process.term(t, byte, x, eps, 0.0) / (48.0 * LN_2);
                    }
                    let want = terms[n * 1000 + t];
                    for got in [of_row, plain] {
                        assert!((got / want - 1.0).abs() < 1e-6, "{name} clip {clip} at {t}: {got}, {want}");
                    }
                }
            }
        }
    }
}

/// A learned range goes from the posterior's variance at -1 to beta at 1, and a learned variance is what it says.
#[test]
fn learned_variances() {
    let schedule = SchedulerConfig::default().schedule().unwrap();
    let rows = |variance| objective_rows(&schedule, PredictionType::Epsilon, variance);
    let [small, range, learned] = [Variance::FixedSmall, Variance::LearnedRange, Variance::Learned].map(rows);
    for t in 0..1000 {
        let posterior = schedule.posterior_log_variance_clipped[t];
        assert_eq!(small[t].log_variance, 0.0);
        assert!((range[t].log_variance - range[t].on_output).abs() < 1e-15);
        let most = range[t].log_variance + range[t].on_output + posterior;
        assert!((most - schedule.betas[t].ln()).abs() < 1e-12);
        assert!((learned[t].log_variance - 3.0 * learned[t].on_output + posterior + 3.0).abs() < 1e-12);
    }
}
