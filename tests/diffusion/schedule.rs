//! Schedule tables.

use crate::common::goldens::Goldens;
use ddpm_ptx::diffusion::{BetaSchedule, Schedule, SchedulerConfig};

fn linear() -> Schedule {
    Schedule::new(BetaSchedule::Linear.betas(1e-4, 0.02, 1000))
}

#[track_caller]
fn assert_relative(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs(), "{what}: {got:e} instead of {want:e}");
}

/// The tables of the authors' class in f64, from numpy. Those with 1 - alpha_bar in them lose up to four
/// digits at t = 0 to cancellation, the same in any f64 code: hence 1e-12 and not 1e-15.
#[test]
fn tables_of_the_linear_schedule() {
    let goldens = Goldens::open("sched/tables");
    let schedule = linear();
    let tables: [(&str, &[f64]); 13] = [
        ("betas", &schedule.betas),
        ("alphas", &schedule.alphas),
        ("alphas_cumprod", &schedule.alphas_cumprod),
        ("alphas_cumprod_prev", &schedule.alphas_cumprod_prev),
        ("sqrt_alphas_cumprod", &schedule.sqrt_alphas_cumprod),
        ("sqrt_one_minus_alphas_cumprod", &schedule.sqrt_one_minus_alphas_cumprod),
        ("log_one_minus_alphas_cumprod", &schedule.log_one_minus_alphas_cumprod),
        ("sqrt_recip_alphas_cumprod", &schedule.sqrt_recip_alphas_cumprod),
        ("sqrt_recipm1_alphas_cumprod", &schedule.sqrt_recipm1_alphas_cumprod),
        ("posterior_variance", &schedule.posterior_variance),
        ("posterior_log_variance_clipped", &schedule.posterior_log_variance_clipped),
        ("posterior_mean_coef1", &schedule.posterior_mean_coef1),
        ("posterior_mean_coef2", &schedule.posterior_mean_coef2),
    ];
    let fixedlarge = ("fixedlarge_log_variance", schedule.fixedlarge_log_variance.as_slice());
    for (name, table) in tables.into_iter().chain([fixedlarge]) {
        let want = goldens.numbers(name);
        assert_eq!(table.len(), want.len(), "{name}");
        for (t, (got, want)) in table.iter().zip(want).enumerate() {
            assert_relative(&format!("{name} at {t}"), *got, want, 1e-12);
        }
    }
}

/// alpha_bar of the last timestep, to the digits that were published or computed elsewhere.
#[test]
fn ends_of_other_schedules() {
    let last = |schedule: BetaSchedule, timesteps| {
        Schedule::new(schedule.betas(1e-4, 0.02, timesteps)).alphas_cumprod[timesteps - 1]
    };
    assert_relative("scaled linear", last(BetaSchedule::ScaledLinear, 1000), 7.334e-4, 1e-3);
    assert_relative("const", last(BetaSchedule::Constant, 1000), 1.683e-9, 1e-3);
    assert_relative("cosine, T = 1000", last(BetaSchedule::Cosine, 1000), 2.429e-9, 1e-3);
    assert_relative("cosine, T = 4000", last(BetaSchedule::Cosine, 4000), 1.518e-10, 1e-3);
    let sigmoid = BetaSchedule::Sigmoid.betas(1e-4, 0.02, 1001);
    assert_relative("sigmoid, first", sigmoid[0], 1e-4 + 0.0199 / (1.0 + 6f64.exp()), 1e-12);
    assert_relative("sigmoid, middle", sigmoid[500], 0.01005, 1e-12);
}

/// As the authors' `get_beta_schedule` has them.
#[test]
fn warm_up_and_jsd() {
    for (schedule, rising) in [(BetaSchedule::Warmup10, 100), (BetaSchedule::Warmup50, 500)] {
        let betas = schedule.betas(1e-4, 0.02, 1000);
        assert_eq!(betas.len(), 1000);
        assert_eq!(betas[0], 1e-4);
        assert_relative(
            "half-way",
            betas[rising / 2],
            1e-4 + 0.0199 * 0.5 * rising as f64 / (rising - 1) as f64,
            1e-12,
        );
        assert!(betas[rising - 2] < 0.02);
        assert!(betas[rising - 1..].iter().all(|&beta| beta == 0.02));
    }
    // The product of 1 - 1/k from k = T down to 2 telescopes: alpha_bar falls evenly, to 0 at the end.
    let jsd = Schedule::new(BetaSchedule::Jsd.betas(1e-4, 0.02, 1000));
    for t in [0, 10, 500, 998] {
        assert_relative("alpha_bar", jsd.alphas_cumprod[t], (999 - t) as f64 / 1000.0, 1e-12);
    }
    assert_eq!(jsd.alphas_cumprod[999], 0.0);
}

/// `rescale_zero_terminal_snr` of diffusers, in f64: alpha_bar of five timesteps.
#[test]
fn no_signal_at_the_end() {
    let config = SchedulerConfig { rescale_betas_zero_snr: true, ..SchedulerConfig::default() };
    let schedule = config.schedule().unwrap();
    assert_eq!(schedule.betas[999], 1.0);
    assert_eq!(schedule.alphas_cumprod[999], 0.0);
    let wants = [
        (0, 0.999_900_000_000_000_2),
        (250, 0.518_860_536_791_681_2),
        (500, 0.075_246_215_704_326_73),
        (998, 4.213_262_465_088_072_5e-9),
    ];
    for (t, want) in wants {
        assert_relative("alpha_bar", schedule.alphas_cumprod[t], want, 1e-12);
    }
}

#[test]
fn the_largest_cosine_beta_is_capped() {
    let betas = BetaSchedule::Cosine.betas(1e-4, 0.02, 1000);
    assert_eq!(betas[999], 0.999);
    assert!(betas[998] < 0.999);
}

#[test]
fn alpha_bar_before_the_first_timestep_is_one() {
    let schedule = linear();
    assert_eq!(schedule.alpha_bar(None), 1.0);
    assert_relative("alpha_bar", schedule.alpha_bar(Some(0)), 0.9999, 1e-15);
}

/// The f32 table that the forward process reads: alpha_bar 10 and 999 to nine digits.
#[test]
fn noise_table_holds_pairs() {
    let table = linear().noise_table();
    assert_eq!(table.len(), 2000);
    for (t, signal, noise) in [(10, 0.998_902_684, 0.046_834_042), (999, 0.006_352_818_09, 0.999_979_821)] {
        assert_relative("signal", f64::from(table[2 * t]), signal, 1e-7);
        assert_relative("noise", f64::from(table[2 * t + 1]), noise, 1e-7);
    }
}
