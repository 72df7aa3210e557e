//! Terms of the variational bound through the kernels: against the authors' numbers, and against f64 on random data.

use crate::common::compare::{Expected, ROUNDING, assert_close, assert_same_bits};
use crate::common::goldens::Goldens;
use crate::common::likelihood::Process;
use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::diffusion::{PredictionType, Schedule, SchedulerConfig, Variance, term_rows};
use ddpm_ptx::ops::bound_terms::bound_terms;

struct Case {
    /// B, H, W, C
    shape: [usize; 4],
    config: SchedulerConfig,
    t: Vec<u32>,
    images: Vec<u8>,
    x_t: Vec<f32>,
    /// `[B,H,W,C]` or `[B,H,W,2C]`
    output: Vec<f32>,
}

impl Case {
    /// Sums of terms and squared errors by image, and by chunk.
    fn run(&self) -> Vec<f32> {
        let mut recording = Recording::inference();
        let [batch, height, width, _] = self.shape;
        let schedule = self.config.schedule().unwrap();
        let rows: Vec<f32> = term_rows(&schedule, &self.config).iter().flat_map(|row| row.row()).collect();
        let images = recording.input(&self.shape, &self.images);
        let x_t = recording.input(&self.shape, &self.x_t);
        let outputs = self.output.len() / (batch * height * width);
        let output = recording.input(&[batch, height, width, outputs], &self.output);
        let t = recording.input(&[batch], &self.t);
        let table = recording.input(&[schedule.timesteps(), 8], &rows);
        let sums = bound_terms(&mut recording.tape, &images, &x_t, &output, &t, &table);
        recording.run(&[&sums]).remove(0)
    }

    /// The same in f64, by image.
    fn expected(&self, schedule: &Schedule, n: usize) -> [Expected; 2] {
        let [batch, height, width, channels] = self.shape;
        let elements = height * width * channels;
        let outputs = self.output.len() / (batch * height * width);
        let limit = self.config.clip().unwrap_or(f64::INFINITY);
        let process = Process {
            schedule,
            prediction: self.config.prediction_type,
            variance: self.config.variance_type,
            limit,
        };
        let t = self.t[n] as usize;
        let [mut terms, mut squares] = [Expected { value: 0.0, allowed: 0.0 }; 2];
        for e in 0..elements {
            let byte = self.images[n * elements + e];
            let x = f64::from(self.x_t[n * elements + e]);
            let at = (n * height * width + e / channels) * outputs + e % channels;
            let output = f64::from(self.output[at]);
            let second = if outputs > channels { f64::from(self.output[at + channels]) } else { 0.0 };
            let term = |output, x, second| process.term(t, byte, x, output, second);
            let value = term(output, x, second);
            // Some roundings of all that goes in, and of what comes out.
            let few = 8.0 * ROUNDING;
            let off = (term(output + few * (output.abs() + 1.0), x, second) - value).abs()
                + (term(output, x + few * (x.abs() + 1.0), second) - value).abs()
                + (term(output, x, second + 2.0 * few * (second.abs() + 10.0)) - value).abs();
            terms.value += value;
            let nat = if t == 0 || self.config.variance_type.is_learned() { 1.0 } else { 0.0 };
            terms.allowed += off + 100.0 * ROUNDING * (value + nat);
            let raw = process.x0(t, x, output);
            let error = f64::from(byte) / 127.5 - 1.0 - raw.clamp(-limit, limit);
            let off = few * (raw.abs() + x.abs() + 1.0);
            squares.value += error * error;
            squares.allowed += (2.0 * error.abs() + off) * off + 4.0 * ROUNDING * error * error;
        }
        for sum in [&mut terms, &mut squares] {
            sum.allowed += elements as f64 * ROUNDING * sum.value;
        }
        [terms, squares]
    }

    fn check(&self) {
        let chunks = self.shape[1..].iter().product::<usize>().div_ceil(2048);
        let schedule = self.config.schedule().unwrap();
        let what = format!("{:?} {:?}", self.config.prediction_type, self.config.variance_type);
        for (n, image) in self.run().chunks_exact(2 * chunks).enumerate() {
            let sums = [0, 1].map(|i| image.iter().skip(i).step_by(2).sum::<f32>());
            assert_close(&format!("{what} at {}", self.t[n]), &[2], &sums, &self.expected(&schedule, n));
        }
    }
}

#[test]
fn terms_and_distortions() {
    let mut random = Random::new(51);
    for prediction in
        [PredictionType::Epsilon, PredictionType::Sample, PredictionType::VPrediction, PredictionType::Mean]
    {
        for variance in
            [Variance::FixedSmall, Variance::FixedLarge, Variance::Learned, Variance::LearnedRange]
        {
            for shape in [[5, 1, 1, 1], [4, 5, 7, 3], [3, 4, 4, 2], [2, 28, 28, 3]] {
                let config = SchedulerConfig {
                    num_train_timesteps: 6,
                    prediction_type: prediction,
                    variance_type: variance,
                    clip_sample: random.bits().is_multiple_of(2),
                    ..SchedulerConfig::default()
                };
                let len = shape.iter().product::<usize>();
                let channels = shape[3];
                let mut output = vec![];
                for _ in 0..len / channels {
                    output.extend(random.normals(channels));
                    if variance.is_learned() {
                        let middle = if variance == Variance::Learned { -7.0 } else { 0.0 };
                        output.extend(random.uniforms(channels, middle - 1.5, middle + 1.5));
                    }
                }
                let edges = [0, 255, 3, 100, 200];
                let images: Vec<u8> = (0..len).map(|_| random.pick(&edges)).collect();
                let t = (0..shape[0]).map(|n| if n == 0 { 0 } else { random.between(0, 5) as u32 });
                let t = t.collect();
                Case { shape, config, t, images, x_t: random.normals(len), output }.check();
            }
        }
    }
}

/// An image's sums have the same bits in any batch.
#[test]
fn an_image_hangs_on_nothing_else() {
    let mut random = Random::new(52);
    let shape = [3, 31, 30, 3];
    let len = shape.iter().product::<usize>();
    let case = Case {
        shape,
        config: SchedulerConfig::default(),
        t: vec![0, 17, 999],
        images: (0..len).map(|_| random.bits() as u8).collect(),
        x_t: random.normals(len),
        output: random.normals(len),
    };
    let together = case.run();
    let (image, sums) = (len / 3, together.len() / 3);
    for n in 0..3 {
        let alone = Case {
            shape: [1, 31, 30, 3],
            config: case.config.clone(),
            t: vec![case.t[n]],
            images: case.images[n * image..][..image].to_vec(),
            x_t: case.x_t[n * image..][..image].to_vec(),
            output: case.output[n * image..][..image].to_vec(),
        };
        assert_same_bits("sums", &[sums], &together[n * sums..][..sums], &alone.run());
    }
}

/// All 1000 terms of two images under an analytic network, as the authors' code computed them, to 1e-4.
#[test]
fn terms_of_the_goldens() {
    let goldens = Goldens::open("sched/vlb");
    let numbers = |key: &str| goldens.array(key);
    let mut schedule_of = SchedulerConfig::default();
    let schedule = schedule_of.schedule().unwrap();
    let images: Vec<u8> = numbers("images_u8").nhwc().data.iter().map(|&byte| byte as u8).collect();
    let x0: Vec<f64> = numbers("images_u8").data.iter().map(|byte| byte / 127.5 - 1.0).collect();
    let (mu, s, noise) = (numbers("mu").data, numbers("s").data, numbers("noise").data);
    // Images and timesteps as one batch of [2 T, 4, 4, 3].
    let (mut x_t, mut output, mut t) = (vec![], vec![], vec![]);
    for at in 0..1000 {
        let alpha_bar = schedule.alphas_cumprod[at];
        for n in 0..2 {
            let x = |e: usize| {
                alpha_bar.sqrt() * x0[n * 48 + e] + (1.0 - alpha_bar).sqrt() * noise[(at * 2 + n) * 48 + e]
            };
            let eps = |e: usize| {
                (1.0 - alpha_bar).sqrt() * (x(e) - alpha_bar.sqrt() * mu[e])
                    / (alpha_bar * s[e] * s[e] + 1.0 - alpha_bar)
            };
            // NCHW to NHWC.
            for e in (0..16).flat_map(|pixel| (0..3).map(move |c| c * 16 + pixel)) {
                x_t.push(x(e) as f32);
                output.push(eps(e) as f32);
            }
            t.push(at as u32);
        }
    }
    for (name, variance) in [("fixedsmall", Variance::FixedSmall), ("fixedlarge", Variance::FixedLarge)] {
        for clip in [false, true] {
            schedule_of =
                SchedulerConfig { variance_type: variance, clip_sample: clip, ..SchedulerConfig::default() };
            let clip = u8::from(clip);
            let terms = numbers(&format!("{name}.clip{clip}.terms_bpd")).data;
            let errors = numbers(&format!("xstart_mse.clip{clip}")).data;
            let case = Case {
                shape: [2000, 4, 4, 3],
                config: schedule_of.clone(),
                t: t.clone(),
                images: images.repeat(1000),
                x_t: x_t.clone(),
                output: output.clone(),
            };
            let (mut got, mut want) = (vec![], vec![]);
            for (i, sums) in case.run().chunks_exact(2).enumerate() {
                let (at, n) = (i / 2, i % 2);
                got.extend([sums[0] / (48.0 * std::f32::consts::LN_2), sums[1] / 48.0]);
                for value in [terms[n * 1000 + at], errors[n * 1000 + at]] {
                    want.push(Expected { value, allowed: 1e-4 * value });
                }
            }
            assert_close(&format!("{name} clip {clip}"), &[1000, 2, 2], &got, &want);
        }
    }
}
