//! The networks that are measured.

use clap::ValueEnum;
use ddpm_ptx::data::Source;
use ddpm_ptx::run::{Network as Shape, Preset, Settings};

#[derive(Clone, Copy, ValueEnum)]
pub enum Network {
    /// 16 x 16, channels 32, 64
    Tiny,
    /// 32 x 32, channels 64, 128, 128
    Small,
    /// google/ddpm-cifar10-32
    Cifar10,
    /// google/ddpm-celebahq-256
    Celebahq256,
}

impl Network {
    pub fn name(self) -> &'static str {
        match self {
            Network::Tiny => "tiny",
            Network::Small => "small",
            Network::Cifar10 => "cifar10",
            Network::Celebahq256 => "celebahq256",
        }
    }

    /// Settings of a training with it.
    pub fn settings(self) -> Settings {
        let own = |size: usize, channels: &[usize], attention: usize| {
            let preset = Preset::Shapes16.settings(Source::Shapes);
            let (channels, attention) = (channels.to_vec(), vec![attention]);
            let network = Shape { size, channels, attention, layers: 2, groups: 32, dropout: 0.0 };
            Settings { network, ..preset }
        };
        match self {
            Network::Tiny => own(16, &[32, 64], 8),
            Network::Small => own(32, &[64, 128, 128], 16),
            Network::Cifar10 => Preset::Cifar10.settings(Source::Shapes),
            Network::Celebahq256 => Preset::Celebahq256.settings(Source::Shapes),
        }
    }
}
