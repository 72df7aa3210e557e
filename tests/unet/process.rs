//! Pictures of the process, against what sampling itself makes.

use super::common::device::device;
use ddpm_ptx::diffusion::{Ddim, Sampler};
use ddpm_ptx::nn::Precision;
use ddpm_ptx::picture::Pictures;
use ddpm_ptx::sample::{
    Between, Model, Request, Sampled, View, between_latents, interpolate, sample, share, watch,
};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const SIDE: usize = 8;
const STEPS: usize = 5;

fn model() -> Model {
    Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tiny"), Some(SIDE)).unwrap()
}

/// The bound of predictions keeps bytes from being all 0 or 255, which a network of random weights leads to.
fn request(model: &Model, sampler: Sampler, count: usize, batch: usize) -> Request {
    let mut diffusion = model.diffusion.clone();
    diffusion.clip_sample_range = 0.6;
    Request {
        first: 7,
        count,
        batch,
        steps: STEPS,
        sampler,
        diffusion,
        seed: 3,
        dtype: Precision::F32,
        guidance: None,
    }
}

fn ancestral(model: &Model) -> Sampler {
    Sampler::Ancestral(model.diffusion.variance_type)
}

fn ddim() -> Sampler {
    Sampler::Ddim(Ddim::default())
}

fn samples(model: &Model, request: &Request) -> Vec<Vec<u8>> {
    let mut images = vec![];
    let mut take = |batch: Sampled| {
        images.extend(batch.pictures.iter().map(<[u8]>::to_vec));
        Ok(())
    };
    sample(&device(), model, request, &AtomicBool::new(false), &mut |_| (), &mut take).unwrap();
    images
}

fn images(pictures: &Pictures) -> Vec<&[u8]> {
    pictures.iter().collect()
}

fn seen(model: &Model, request: &Request, view: View, moments: usize) -> Vec<Pictures> {
    let stop = AtomicBool::new(false);
    watch(&device(), model, request, view, moments, &stop, &mut |_| ()).unwrap().unwrap()
}

#[test]
fn the_last_moment_is_the_samples() {
    let model = model();
    for sampler in [ancestral(&model), ddim()] {
        let request = request(&model, sampler, 3, 2);
        let samples = samples(&model, &request);
        for view in [View::Noisy, View::Clean] {
            let seen = seen(&model, &request, view, 3);
            assert_eq!(seen.len(), 3);
            assert_eq!(images(&seen[2]), samples, "{view:?}");
            assert_ne!(images(&seen[1]), samples, "{view:?}");
        }
    }
}

/// What a step predicts is bounded, x_t is not: with a bound of 0.6, bytes are from 51 to 204. And what the last
/// step of DDIM predicts is the sample, so that the last two moments of all are one.
#[test]
fn a_clean_view_shows_what_steps_predict() {
    let model = model();
    let request = request(&model, ddim(), 2, 2);
    let noisy = seen(&model, &request, View::Noisy, 100);
    let clean = seen(&model, &request, View::Clean, 100);
    assert_eq!((noisy.len(), clean.len()), (STEPS + 1, STEPS));
    let bounded = |pictures: &Pictures| pictures.pixels().iter().all(|&byte| (51..=204).contains(&byte));
    assert!(clean.iter().all(bounded));
    assert!(!bounded(&noisy[0]) && !bounded(&noisy[STEPS / 2]));
}

#[test]
fn moments_do_not_depend_on_the_batch() {
    let model = model();
    let together = seen(&model, &request(&model, ancestral(&model), 3, 3), View::Clean, 4);
    let apart = seen(&model, &request(&model, ancestral(&model), 3, 1), View::Clean, 4);
    for (together, apart) in together.iter().zip(&apart) {
        assert_eq!(images(together), images(apart));
    }
}

/// Images that share everything are one, those that share nothing but x_T are not, and the first of every row is the
/// sample that all of them follow until they part.
#[test]
fn samples_of_a_shared_latent_part_where_they_are_told_to() {
    let model = model();
    let request = request(&model, ancestral(&model), 3, 4);
    let stop = AtomicBool::new(false);
    let rows =
        share(&device(), &model, &request, &[999, 400, 0], &stop, &mut |_| ()).unwrap().expect("not stopped");
    let alone = &samples(&model, &request)[0];
    let rows: Vec<Vec<&[u8]>> = rows.iter().map(images).collect();
    for row in &rows {
        assert_eq!(row.len(), 1 + 3);
        assert_eq!(row[1], alone);
    }
    assert!(rows[0][2] != rows[0][1] && rows[1][2] != rows[1][1] && rows[1][3] != rows[1][2]);
    assert!(rows[2][1] == rows[2][2] && rows[2][1] == rows[2][3]);
    assert!(rows[0][0] != rows[1][0] && rows[1][0] != rows[2][0]);
    assert_ne!(rows[2][0], rows[2][1], "from timestep 0 there is a step to go");
}

#[test]
fn a_shared_latent_needs_noise_to_part() {
    let model = model();
    let stop = AtomicBool::new(false);
    let error = share(&device(), &model, &request(&model, ddim(), 2, 2), &[400], &stop, &mut |_| ());
    assert!(error.unwrap_err().to_string().contains("use --sampler ddpm"));
}

/// A picture of one colour at the top and another at the bottom.
fn halves(top: u8, bottom: u8) -> Vec<u8> {
    let half = SIDE * SIDE * 3 / 2;
    [vec![top; half], vec![bottom; half]].concat()
}

fn between(model: &Model, ends: [&[u8]; 2], level: u32, lambdas: &[f64]) -> Pictures {
    let request = request(model, ancestral(model), lambdas.len(), lambdas.len());
    let request = Request { steps: 1000, ..request };
    let between = Between { lambdas, stop: &AtomicBool::new(false) };
    let rows = interpolate(&device(), model, &request, ends, &[level], &between, &mut |_| ()).unwrap();
    rows.unwrap().remove(0)
}

/// At an end, the other image is not looked at.
#[test]
fn the_ends_of_an_interpolation_are_the_images() {
    let model = model();
    let (a, b, c) = (halves(60, 190), halves(190, 70), halves(128, 128));
    let ab = between(&model, [&a, &b], 2, &[0.0, 0.5, 1.0]);
    let ac = between(&model, [&a, &c], 2, &[0.0, 0.5]);
    let cb = between(&model, [&c, &b], 2, &[0.5, 1.0]);
    let (ab, ac, cb) = (images(&ab), images(&ac), images(&cb));
    assert_eq!(ab[0], ac[0]);
    assert_eq!(ab[2], cb[1]);
    assert!(ab[1] != ac[1] && ab[1] != cb[0]);

    // At the least noise, with a standard deviation of 0.01 of [-1, 1] or 1.27 bytes, the way back is one step: what it
    // takes away for noise is bounded like the noise itself, say by five deviations each way.
    let near = between(&model, [&a, &b], 0, &[0.0, 1.0]);
    for (got, want) in images(&near).into_iter().zip([a, b]) {
        let off = got.iter().zip(&want).map(|(got, want)| got.abs_diff(*want)).max().unwrap();
        assert!(off <= 13, "off by {off} bytes");
    }
}

#[test]
fn the_ends_of_a_walk_between_latents_are_the_samples() {
    let model = model();
    let whole = request(&model, ddim(), 3, 3);
    let samples = samples(&model, &whole);
    let between = Between { lambdas: &[0.0, 0.5, 1.0], stop: &AtomicBool::new(false) };
    let walk = between_latents(&device(), &model, &whole, [7, 9], &between, &mut |_| ()).unwrap().unwrap();
    let walk = images(&walk);
    assert_eq!(walk[0], samples[0]);
    assert_eq!(walk[2], samples[2]);
    assert!(walk[1] != samples[0] && walk[1] != samples[1] && walk[1] != samples[2]);
}
