//! The terms of the variational bound in f64, from the paper's equations and the authors' choices: a posterior variance
//! of the first timestep that is the second's, and Φ by tanh.

use ddpm_ptx::diffusion::{PredictionType, Schedule, Variance};

/// KL of two normals with means and log variances, in nats.
pub fn kl(mean1: f64, log_variance1: f64, mean2: f64, log_variance2: f64) -> f64 {
    let ratio = (log_variance1 - log_variance2).exp();
    let distance = (mean1 - mean2).powi(2) * (-log_variance2).exp();
    (log_variance2 - log_variance1 - 1.0 + ratio + distance) / 2.0
}

/// -ln of the probability of a byte under a normal, in nats (equation 13). (1 + tanh G) / 2 is written as
/// 1 / (1 + exp(-2 G)), and the difference of two on the side where both are small, so that f64 keeps its digits.
pub fn decoder(byte: u8, mean: f64, log_variance: f64) -> f64 {
    let phi = |u: f64| {
        let g = std::f64::consts::FRAC_2_PI.sqrt() * (u + 0.044715 * u.powi(3));
        1.0 / (1.0 + (-2.0 * g).exp())
    };
    let x = f64::from(byte) / 127.5 - 1.0;
    let deviation = (log_variance / 2.0).exp();
    let high = if byte == 255 { f64::INFINITY } else { (x - mean + 1.0 / 255.0) / deviation };
    let low = if byte == 0 { f64::NEG_INFINITY } else { (x - mean - 1.0 / 255.0) / deviation };
    let probability = if low > 0.0 { phi(-low) - phi(-high) } else { phi(high) - phi(low) };
    -probability.max(1e-12).ln()
}

/// A process and what its network says.
pub struct Process<'a> {
    pub schedule: &'a Schedule,
    pub prediction: PredictionType,
    pub variance: Variance,
    /// Bound of the predicted x_0.
    pub limit: f64,
}

/// The mean of q(x_{t-1} | x_t, x_0) (equation 7).
pub fn posterior_mean(schedule: &Schedule, t: usize, x0: f64, x: f64) -> f64 {
    let (alpha_bar, before) = (schedule.alphas_cumprod[t], schedule.alphas_cumprod_prev[t]);
    let beta = schedule.betas[t];
    (before.sqrt() * beta * x0 + (1.0 - beta).sqrt() * (1.0 - before) * x) / (1.0 - alpha_bar)
}

impl Process<'_> {
    /// What the network should say at `t` of an element `x0` with noise `eps`.
    pub fn target(&self, t: usize, x0: f64, eps: f64) -> f64 {
        let alpha_bar = self.schedule.alphas_cumprod[t];
        let (signal, noise) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
        match self.prediction {
            PredictionType::Epsilon => eps,
            PredictionType::Sample => x0,
            PredictionType::VPrediction => signal * eps - noise * x0,
            PredictionType::Mean => posterior_mean(self.schedule, t, x0, signal * x0 + noise * eps),
        }
    }

    /// The clean image that the network's output stands for, not clipped.
    pub fn x0(&self, t: usize, x: f64, output: f64) -> f64 {
        let alpha_bar = self.schedule.alphas_cumprod[t];
        let (signal, noise) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
        match self.prediction {
            PredictionType::Epsilon => (x - noise * output) / signal,
            PredictionType::Sample => output,
            PredictionType::VPrediction => signal * x - noise * output,
            PredictionType::Mean => {
                let on_x = posterior_mean(self.schedule, t, 0.0, 1.0);
                (output - on_x * x) / posterior_mean(self.schedule, t, 1.0, 0.0)
            }
        }
    }

    /// The model's log variance, given the second half of the network's output.
    pub fn log_variance(&self, t: usize, second: f64) -> f64 {
        let small = self.posterior_log_variance(t);
        let large = self.schedule.betas[t].ln();
        match self.variance {
            Variance::FixedSmall => small,
            Variance::FixedLarge if t == 0 => small,
            Variance::FixedLarge => large,
            Variance::Learned => second,
            Variance::LearnedRange => (second + 1.0) / 2.0 * large + (1.0 - second) / 2.0 * small,
        }
    }

    fn posterior_log_variance(&self, t: usize) -> f64 {
        let t = t.max(1);
        let before = 1.0 - self.schedule.alphas_cumprod[t - 1];
        (self.schedule.betas[t] * before / (1.0 - self.schedule.alphas_cumprod[t])).ln()
    }

    /// The bound's term at `t`, in nats.
    pub fn term(&self, t: usize, byte: u8, x: f64, output: f64, second: f64) -> f64 {
        let x0 = f64::from(byte) / 127.5 - 1.0;
        let mean = match self.prediction {
            PredictionType::Mean => output,
            _ => {
                let x0_hat = self.x0(t, x, output).clamp(-self.limit, self.limit);
                posterior_mean(self.schedule, t, x0_hat, x)
            }
        };
        let log_variance = self.log_variance(t, second);
        if t == 0 {
            return decoder(byte, mean, log_variance);
        }
        kl(posterior_mean(self.schedule, t, x0, x), self.posterior_log_variance(t), mean, log_variance)
    }
}
