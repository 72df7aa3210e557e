//! Settings that are known to work, by name.

use super::settings::{Network, Reporting, Settings};
use crate::data::Source;
use crate::diffusion::{ObjectiveConfig, SchedulerConfig, Variance};
use crate::nn::Precision;
use crate::optim::{AdamConfig, Decay};

/// A named set of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A small network on procedural shapes; minutes on two cores.
    Shapes16,
    /// The paper's CIFAR-10 model: 35.7 million parameters.
    Cifar10,
    /// The paper's CelebA-HQ 256 x 256 model: 114 million parameters.
    Celebahq256,
    /// The paper's LSUN 256 x 256 model: the same network, trained longer.
    Lsun256,
}

impl Preset {
    pub const ALL: [Preset; 4] = [Preset::Shapes16, Preset::Cifar10, Preset::Celebahq256, Preset::Lsun256];

    pub fn name(self) -> &'static str {
        match self {
            Preset::Shapes16 => "shapes16",
            Preset::Cifar10 => "cifar10",
            Preset::Celebahq256 => "celebahq256",
            Preset::Lsun256 => "lsun256",
        }
    }

    /// The images it is meant for, where they need no file.
    pub fn source(self) -> Option<Source> {
        (self == Preset::Shapes16).then_some(Source::Shapes)
    }

    /// The settings for the images of `data`. The paper's are those of its appendix B and of the authors' code.
    pub fn settings(self, data: Source) -> Settings {
        match self {
            Preset::Shapes16 => shapes16(data),
            Preset::Cifar10 => cifar10(data),
            Preset::Celebahq256 => resolution256(data, 500_000),
            // Bedrooms; cats took 1.8 million, churches 1.2.
            Preset::Lsun256 => resolution256(data, 2_400_000),
        }
    }
}

/// T = 1000, beta from 1e-4 to 0.02 in equal steps: every model of the paper.
fn linear(variance_type: Variance) -> SchedulerConfig {
    SchedulerConfig { variance_type, ..SchedulerConfig::default() }
}

fn shapes16(data: Source) -> Settings {
    Settings {
        data,
        network: Network {
            size: 16,
            channels: vec![32, 32, 32],
            attention: vec![],
            layers: 1,
            groups: 8,
            dropout: 0.0,
        },
        labels: None,
        diffusion: linear(Variance::FixedSmall),
        objective: ObjectiveConfig::default(),
        adam: AdamConfig {
            learning_rate: 3e-3,
            warmup: 50,
            decay: Decay::Linear { steps: 2000 },
            ema_decay: 0.99,
            ..AdamConfig::default()
        },
        steps: 2000,
        batch: 8,
        flip: false,
        dtype: Precision::Bf16,
        reporting: Reporting { log_every: 10, sample_every: 1000, checkpoint_every: 500, keep_last: 2 },
        seed: 0,
    }
}

fn cifar10(data: Source) -> Settings {
    Settings {
        data,
        network: Network {
            size: 32,
            channels: vec![128, 256, 256, 256],
            attention: vec![16],
            layers: 2,
            groups: 32,
            dropout: 0.1,
        },
        labels: None,
        diffusion: linear(Variance::FixedLarge),
        objective: ObjectiveConfig::default(),
        adam: AdamConfig::default(),
        steps: 800_000,
        batch: 128,
        flip: true,
        dtype: Precision::Bf16,
        reporting: SELDOM,
        seed: 0,
    }
}

fn resolution256(data: Source, steps: u64) -> Settings {
    Settings {
        data,
        network: Network {
            size: 256,
            channels: vec![128, 128, 256, 256, 512, 512],
            attention: vec![16],
            layers: 2,
            groups: 32,
            dropout: 0.0,
        },
        labels: None,
        diffusion: linear(Variance::FixedSmall),
        objective: ObjectiveConfig::default(),
        adam: AdamConfig { learning_rate: 2e-5, ..AdamConfig::default() },
        steps,
        batch: 64,
        flip: true,
        dtype: Precision::Bf16,
        reporting: SELDOM,
        seed: 0,
    }
}

/// For runs of days.
const SELDOM: Reporting =
    Reporting { log_every: 100, sample_every: 10_000, checkpoint_every: 10_000, keep_last: 2 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::UNetConfig;

    #[test]
    fn presets_are_the_published_networks() {
        let network = |preset: Preset| preset.settings(Source::Shapes).unet().unwrap();
        assert_eq!(network(Preset::Cifar10), UNetConfig::cifar10());
        assert_eq!(network(Preset::Celebahq256), UNetConfig::resolution256());
        assert_eq!(network(Preset::Lsun256), UNetConfig::resolution256());
    }

    #[test]
    fn presets_pass_their_own_check() {
        for preset in Preset::ALL {
            preset.settings(Source::Shapes).check().unwrap();
        }
    }
}
