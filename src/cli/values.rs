//! Names of values on the command line.

use crate::diffusion::{BetaSchedule, LossType, PredictionType, Spacing, Variance};
use crate::nn::Precision;
use crate::run::Preset;
use clap::ValueEnum;
use clap::builder::PossibleValue;

impl ValueEnum for Spacing {
    fn value_variants<'a>() -> &'a [Spacing] {
        &[Spacing::Leading, Spacing::Linspace, Spacing::Trailing, Spacing::Quadratic, Spacing::Karras]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Spacing::Leading => PossibleValue::new("leading").help("Multiples of floor(T / N), from 0"),
            Spacing::Linspace => PossibleValue::new("linspace").help("Evenly from the first to the last"),
            Spacing::Trailing => PossibleValue::new("trailing").help("From the last down by T / N"),
            Spacing::Quadratic => PossibleValue::new("quadratic").help("Squares: more at low noise"),
            Spacing::Karras => PossibleValue::new("karras").help("Noise levels of EDM"),
        })
    }
}

impl ValueEnum for BetaSchedule {
    fn value_variants<'a>() -> &'a [BetaSchedule] {
        &[
            BetaSchedule::Linear,
            BetaSchedule::ScaledLinear,
            BetaSchedule::Constant,
            BetaSchedule::Warmup10,
            BetaSchedule::Warmup50,
            BetaSchedule::Jsd,
            BetaSchedule::Cosine,
            BetaSchedule::Sigmoid,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            BetaSchedule::Linear => PossibleValue::new("linear").help("The paper's"),
            BetaSchedule::ScaledLinear => {
                PossibleValue::new("quadratic").alias("scaled_linear").help("Square roots evenly spaced")
            }
            BetaSchedule::Constant => PossibleValue::new("const").help("beta-end throughout"),
            BetaSchedule::Warmup10 => PossibleValue::new("warmup10").help("Rises over a tenth"),
            BetaSchedule::Warmup50 => PossibleValue::new("warmup50").help("Rises over a half"),
            BetaSchedule::Jsd => PossibleValue::new("jsd").help("1/T to 1"),
            BetaSchedule::Cosine => PossibleValue::new("cosine").help("Nichol and Dhariwal's"),
            BetaSchedule::Sigmoid => PossibleValue::new("sigmoid").help("Along the logistic function"),
        })
    }
}

impl ValueEnum for Preset {
    fn value_variants<'a>() -> &'a [Preset] {
        &Preset::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for Precision {
    fn value_variants<'a>() -> &'a [Precision] {
        &Precision::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for Variance {
    fn value_variants<'a>() -> &'a [Variance] {
        &[Variance::FixedSmall, Variance::FixedLarge, Variance::Learned, Variance::LearnedRange]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.words()))
    }
}

impl ValueEnum for PredictionType {
    fn value_variants<'a>() -> &'a [PredictionType] {
        &[PredictionType::Epsilon, PredictionType::Sample, PredictionType::Mean, PredictionType::VPrediction]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            PredictionType::Epsilon => "eps",
            PredictionType::Sample => "x0",
            PredictionType::Mean => "mean",
            PredictionType::VPrediction => "v",
        }))
    }
}

impl ValueEnum for LossType {
    fn value_variants<'a>() -> &'a [LossType] {
        &[LossType::Simple, LossType::Vlb, LossType::Hybrid]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            LossType::Simple => "simple",
            LossType::Vlb => "vlb",
            LossType::Hybrid => "hybrid",
        }))
    }
}
