//! `scheduler_config.json`: what is read and what is refused.

use ddpm_ptx::diffusion::{BetaSchedule, Ddim, Sampler, SchedulerConfig, Spacing, Variance};

#[test]
fn the_published_cifar_configuration() {
    let config = SchedulerConfig::from_json(
        r#"{"_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02,
            "beta_schedule": "linear", "beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000, "trained_betas": null,
            "variance_type": "fixed_large"}"#,
    )
    .unwrap();
    let expected = SchedulerConfig { variance_type: Variance::FixedLarge, ..SchedulerConfig::default() };
    assert_eq!(config, expected);
}

#[test]
fn a_configuration_survives_its_own_json() {
    let config = SchedulerConfig {
        class_name: "DDIMScheduler".into(),
        beta_schedule: BetaSchedule::Cosine,
        timestep_spacing: Spacing::Trailing,
        clip_sample: false,
        ..SchedulerConfig::default()
    };
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(SchedulerConfig::from_json(&text).unwrap(), config);
}

#[test]
fn trained_betas_take_the_place_of_the_schedule() {
    let config = SchedulerConfig::from_json(r#"{"trained_betas": [0.1, 0.2, 0.5]}"#).unwrap();
    let schedule = config.schedule().unwrap();
    assert_eq!(schedule.betas, [0.1, 0.2, 0.5]);
    assert!((schedule.alphas_cumprod[2] - 0.36).abs() < 1e-15);
}

#[test]
fn unsupported_options_are_refused_by_name() {
    for (text, name) in [
        (r#"{"prediction_type": "flow"}"#, "flow"),
        (r#"{"variance_type": "fixed_huge"}"#, "fixed_huge"),
        (r#"{"beta_schedule": "laplace"}"#, "laplace"),
        (r#"{"timestep_spacing": "karras"}"#, "karras"),
        (r#"{"thresholding": true}"#, "thresholding"),
        (r#"{"_class_name": "PNDMScheduler"}"#, "PNDMScheduler"),
        (r#"{"beta_end": 1.5}"#, "beta"),
        (r#"{"num_train_timesteps": 1}"#, "num_train_timesteps"),
        ("3", "scheduler configuration"),
    ] {
        let message = SchedulerConfig::from_json(text).unwrap_err().to_string();
        assert!(message.contains(name), "{text}: {message}");
    }
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    let config = SchedulerConfig { steps_offset: 1, ..SchedulerConfig::default() };
    for sampler in [Sampler::Ancestral(Variance::FixedSmall), Sampler::Ddim(Ddim::default())] {
        for steps in [0, 1000, 1001] {
            let message = sampler.trajectory(&config, steps).unwrap_err().to_string();
            assert!(message.contains(&steps.to_string()), "{message}");
        }
        assert_eq!(sampler.trajectory(&config, 999).unwrap().steps.len(), 999);
    }
}
