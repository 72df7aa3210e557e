//! The flags that choose a sampler.

use crate::diffusion::{Ddim, DpmSolver, Sampler, SchedulerConfig, Spacing, UniPc};
use anyhow::{Result, ensure};
use clap::ValueEnum;

/// Names are those of diffusers' schedulers, in short.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SamplerName {
    /// Ancestral sampling, as in the paper
    Ddpm,
    /// Fewer steps, without noise unless --eta is given
    Ddim,
    /// DPM-Solver++, a multistep solver
    #[value(name = "dpmsolver++")]
    DpmSolver,
    /// The same of the stochastic equation
    #[value(name = "sde-dpmsolver++")]
    SdeDpmSolver,
    /// UniPC, a multistep predictor and corrector
    Unipc,
    /// Heun's method as in EDM: two network calls a step
    Heun,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Sampler")]
pub struct SamplerOptions {
    /// How noise becomes images [default: what the model's scheduler names; ddpm after training]
    #[arg(long, value_enum)]
    sampler: Option<SamplerName>,
    /// Steps of the sampler; one of heun calls the network twice [default: all timesteps for ddpm, 50 for ddim, else 20]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Noise of ddim: 0 is none, 1 as much as ancestral sampling [default: 0]
    #[arg(long, value_name = "ETA")]
    eta: Option<f64>,
    /// Let ddim derive the noise again from the clipped image
    #[arg(long)]
    rederive: bool,
    /// Predictions that a step of dpmsolver++, sde-dpmsolver++ or unipc looks at: 1, 2 or 3 [default: 2]
    #[arg(long, value_name = "N")]
    order: Option<usize>,
    /// How steps are spread over the timesteps [default: as the model's scheduler says; linspace for solvers]
    #[arg(long)]
    spacing: Option<Spacing>,
    /// Bound of predicted images, 0 for none [default: as the model's scheduler says; none for solvers]
    #[arg(long, value_name = "BOUND")]
    clip: Option<f64>,
}

/// Steps of ddim, if nobody says how many.
const DDIM_STEPS: usize = 50;
/// Those of the solvers.
const SOLVER_STEPS: usize = 20;

impl SamplerOptions {
    /// As many steps as were asked for, or as the sampler does well with.
    pub fn steps(&self, sampler: Sampler, diffusion: &SchedulerConfig) -> Result<usize> {
        let timesteps = diffusion.schedule()?.timesteps();
        Ok(self.steps.unwrap_or(match sampler {
            Sampler::Ancestral(_) => timesteps,
            Sampler::Ddim(_) => DDIM_STEPS.min(timesteps),
            _ => SOLVER_STEPS.min(timesteps - 1),
        }))
    }

    /// The sampler that was named, or the model's own.
    pub fn sampler(&self, diffusion: &SchedulerConfig) -> Result<Sampler> {
        let order = self.order.unwrap_or(diffusion.solver_order);
        let sampler = match self.sampler {
            None => diffusion.sampler(),
            Some(SamplerName::Ddpm) => Sampler::Ancestral(diffusion.variance_type),
            Some(SamplerName::Ddim) => Sampler::Ddim(Ddim::default()),
            Some(SamplerName::DpmSolver) => Sampler::DpmSolver(DpmSolver { order, stochastic: false }),
            Some(SamplerName::SdeDpmSolver) => Sampler::DpmSolver(DpmSolver { order, stochastic: true }),
            Some(SamplerName::Unipc) => Sampler::UniPc(UniPc { order, ..UniPc::default() }),
            Some(SamplerName::Heun) => Sampler::Heun,
        };
        let of_ddim = self.eta.is_some() || self.rederive;
        let has_order = matches!(sampler, Sampler::DpmSolver(_) | Sampler::UniPc(_));
        ensure!(
            has_order || self.order.is_none(),
            "--order is for --sampler dpmsolver++, sde-dpmsolver++ or unipc"
        );
        let Sampler::Ddim(ddim) = sampler else {
            ensure!(!of_ddim, "--eta and --rederive are for --sampler ddim");
            return Ok(sampler);
        };
        let eta = self.eta.unwrap_or(ddim.eta);
        ensure!((0.0..=1.0).contains(&eta), "--eta must be from 0 to 1");
        Ok(Sampler::Ddim(Ddim { eta, use_clipped_model_output: self.rederive }))
    }

    /// The model's process as the sampler is to see it.
    pub fn diffusion(&self, sampler: Sampler, model: &SchedulerConfig) -> SchedulerConfig {
        let mut config = model.clone();
        // As diffusers' solvers are without a configuration of their own.
        if sampler.is_solver() && !model.sampler().is_solver() {
            config.timestep_spacing = Spacing::Linspace;
            config.clip_sample = false;
        }
        if let Some(spacing) = self.spacing {
            config.use_karras_sigmas = spacing == Spacing::Karras;
            if spacing != Spacing::Karras {
                config.timestep_spacing = spacing;
            }
        }
        if let Some(bound) = self.clip {
            config.clip_sample = bound > 0.0;
            config.clip_sample_range = bound;
        }
        config
    }
}
