//! What the network predicts, and the clean image that follows from it.

use crate::common::random::Random;
use ddpm_ptx::diffusion::{PredictionType, SchedulerConfig};

/// By the definitions: noise x_0, say what a perfect network would, and get x_0 back.
#[test]
fn a_perfect_prediction_gives_the_clean_image() {
    let schedule = SchedulerConfig::default().schedule().unwrap();
    let mut random = Random::new(31);
    for t in [0, 1, 2, 10, 500, 998, 999] {
        let (x0, eps) = (random.uniform() * 2.0 - 1.0, random.normal());
        let beta = 1e-4 + (0.02 - 1e-4) * f64::from(t) / 999.0;
        let before: f64 = (0..t).map(|s| 1.0 - (1e-4 + (0.02 - 1e-4) * f64::from(s) / 999.0)).product();
        let alpha_bar = before * (1.0 - beta);
        let x = alpha_bar.sqrt() * x0 + (1.0 - alpha_bar).sqrt() * eps;
        // Equation 7.
        let mean = before.sqrt() * beta / (1.0 - alpha_bar) * x0
            + (1.0 - beta).sqrt() * (1.0 - before) / (1.0 - alpha_bar) * x;
        let v = alpha_bar.sqrt() * eps - (1.0 - alpha_bar).sqrt() * x0;
        for (prediction, output) in [
            (PredictionType::Epsilon, eps),
            (PredictionType::Sample, x0),
            (PredictionType::VPrediction, v),
            (PredictionType::Mean, mean),
        ] {
            let linear = prediction.x0(&schedule, t);
            let got = linear.on_x * x + linear.on_output * output;
            // The mean is almost all x_t where the last coefficient is 7800 times the first.
            assert!((got - x0).abs() < 1e-9, "{prediction:?} at {t}: {got} is not {x0}");
        }
    }
}

#[test]
fn names_in_files_are_diffusers() {
    for (name, prediction) in [
        ("epsilon", PredictionType::Epsilon),
        ("sample", PredictionType::Sample),
        ("v_prediction", PredictionType::VPrediction),
        ("mean", PredictionType::Mean),
    ] {
        let config = SchedulerConfig::from_json(&format!(r#"{{"prediction_type": "{name}"}}"#)).unwrap();
        assert_eq!(config.prediction_type, prediction);
        assert!(serde_json::to_string(&config).unwrap().contains(&format!("\"prediction_type\":\"{name}\"")));
    }
}
