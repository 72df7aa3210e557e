//! `ddpm train`.

use super::Outcome;
use super::device::{DeviceArg, tell_lints};
use super::interrupt::on_interrupt;
use super::progress::{Progress, duration, say};
use crate::data::Source;
use crate::diffusion::{BetaSchedule, LossType, PredictionType, Variance};
use crate::nn::Precision;
use crate::optim::Decay;
use crate::run::{Labels, LogEntry, Preset, RunFolder, Settings};
use crate::train::{self, End, Event, Start};
use anyhow::{Result, bail, ensure};
use clap::{ArgAction, ValueEnum};
use std::path::PathBuf;

/// Part of the images that are shown without their class, if nobody says how many.
const LABEL_DROPOUT: f64 = 0.1;

/// Train a network: on procedural shapes, in minutes, if nothing else is asked for
#[derive(clap::Args)]
#[command(allow_negative_numbers = true, args_override_self = true)]
pub struct Args {
    /// Settings to begin with; other flags override them
    #[arg(long, value_name = "NAME", default_value = "shapes16", conflicts_with = "resume")]
    preset: Preset,
    /// Training images: shapes, folder:DIR, zip:FILE, npz:FILE, cifar10:DIR or lsun:DIR
    #[arg(long, value_name = "IMAGES", conflicts_with = "resume")]
    data: Option<Source>,
    /// Folder of the run [default: runs/PRESET]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder, from its last checkpoint
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArg,
    /// Steps of the run
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    #[command(flatten)]
    fixed: Option<Fixed>,
    #[command(flatten)]
    reporting: Reporting,
}

/// What cannot change in the middle of a run.
#[derive(clap::Args)]
struct Fixed {
    /// Images of a step
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Steps over which the learning rate rises from 0
    #[arg(long, value_name = "N")]
    warmup: Option<u64>,
    /// How the learning rate falls after that: not, or in a line to 0 at the last step
    #[arg(long)]
    decay: Option<DecayName>,
    /// How much of the averaged weights each step keeps
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// Largest norm of the gradient; 0 does not clip
    #[arg(long, value_name = "NORM")]
    clip: Option<f64>,
    /// Mirror images at random
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    flip: Option<bool>,
    /// Height and width of the images
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Channels at each resolution, full resolution first: 128,256,256,256
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    channels: Option<Vec<usize>>,
    /// Resolutions with self-attention: 16,8
    #[arg(long, value_name = "LIST", value_delimiter = ',', num_args = 0.., action = ArgAction::Set)]
    attention: Option<Vec<usize>>,
    /// Residual blocks at each resolution
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Groups of the group norms
    #[arg(long, value_name = "N")]
    groups: Option<usize>,
    /// Probability that dropout zeroes an activation
    #[arg(long, value_name = "P")]
    dropout: Option<f64>,
    /// T, the number of timesteps
    #[arg(long, value_name = "T")]
    timesteps: Option<usize>,
    /// How beta runs from the first timestep to the last
    #[arg(long)]
    schedule: Option<BetaSchedule>,
    /// Stretch the schedule so that the last timestep is noise alone, for --predict v or x0
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    zero_snr: Option<bool>,
    /// beta of the first timestep
    #[arg(long, value_name = "BETA")]
    beta_start: Option<f64>,
    /// beta of the last timestep
    #[arg(long, value_name = "BETA")]
    beta_end: Option<f64>,
    /// What the network predicts: the noise, the clean image, the posterior's mean, or v
    #[arg(long)]
    predict: Option<PredictionType>,
    /// Variance of the reverse process: the posterior's, beta, learned, or learned between the two
    #[arg(long)]
    variance: Option<Variance>,
    /// Squared error of the prediction, variational bound, or both, for a learned variance
    #[arg(long)]
    loss: Option<LossType>,
    /// Tell the network the class of each image: folders, labels of CIFAR-10, figures
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    classes: Option<bool>,
    /// Probability that an image is shown without its class, which guidance needs [default: 0.1]
    #[arg(long, value_name = "P", requires = "classes")]
    label_dropout: Option<f64>,
    /// What the network computes in: bf16 on tensor cores, or f32 [default: bf16 if it can]
    #[arg(long)]
    dtype: Option<Precision>,
    /// Seed of all random numbers
    #[arg(long)]
    seed: Option<u64>,
}

/// What may change in the middle of a run.
#[derive(clap::Args)]
struct Reporting {
    /// Steps between entries of the log
    #[arg(long, value_name = "N")]
    log_every: Option<u64>,
    /// Steps between grids of samples; 0 is only at the end
    #[arg(long, value_name = "N")]
    sample_every: Option<u64>,
    /// Steps between checkpoints; 0 is only at the end
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<u64>,
    /// Checkpoints to keep
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
}

pub fn run(args: Args) -> Result<Outcome> {
    let (folder, settings, start) = match &args.resume {
        None => args.begin()?,
        Some(path) => args.resume(path)?,
    };
    let device = args.device.open()?;
    let stop = on_interrupt()?;
    let mut report = Report::new(&settings);
    let end = train::train(&device, &settings, &folder, start, &stop, &mut |event| report.event(&event))?;
    report.end(&end, &folder);
    tell_lints(&device);
    Ok(match end {
        End::Finished { .. } => Outcome::Done,
        End::Stopped { .. } => Outcome::Interrupted,
    })
}

impl Args {
    /// A new run.
    fn begin(&self) -> Result<(RunFolder, Settings, Start)> {
        let Some(data) = self.data.clone().or_else(|| self.preset.source()) else {
            let name = self.preset.name();
            bail!("preset {name} needs its images: name them with --data, such as --data folder:DIR");
        };
        let mut settings = self.preset.settings(data);
        if let Some(fixed) = &self.fixed {
            fixed.apply(&mut settings);
            settings.labels = fixed.labels(&settings)?;
        }
        let dtype = self.fixed.as_ref().and_then(|fixed| fixed.dtype);
        settings.dtype = match dtype {
            Some(dtype) => dtype,
            None => settings.unet()?.fastest_precision(),
        };
        self.apply_changeable(&mut settings);
        settings.check()?;
        let path = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(self.preset.name()));
        Ok((RunFolder::new(&path)?, settings, Start::New))
    }

    /// A run that goes on.
    fn resume(&self, path: &std::path::Path) -> Result<(RunFolder, Settings, Start)> {
        ensure!(
            self.fixed.is_none(),
            "--resume goes on with the settings of the run; only --steps and what it reports can change"
        );
        let (folder, mut settings) = RunFolder::open(path)?;
        let checkpoint = folder.latest_checkpoint()?;
        self.apply_changeable(&mut settings);
        settings.check()?;
        if settings.steps <= checkpoint.step {
            bail!(
                "the run in {} has done its {} steps; for more say --steps",
                path.display(),
                checkpoint.step
            );
        }
        Ok((folder, settings, Start::From(checkpoint)))
    }

    fn apply_changeable(&self, settings: &mut Settings) {
        if let Some(steps) = self.steps {
            settings.steps = steps;
            // A linear decay ends with the run, however long that is.
            if let Decay::Linear { steps: end } = &mut settings.adam.decay {
                *end = steps;
            }
        }
        let reporting = &mut settings.reporting;
        set(&mut reporting.log_every, &self.reporting.log_every);
        set(&mut reporting.sample_every, &self.reporting.sample_every);
        set(&mut reporting.checkpoint_every, &self.reporting.checkpoint_every);
        set(&mut reporting.keep_last, &self.reporting.keep_last);
    }
}

impl Fixed {
    fn apply(&self, settings: &mut Settings) {
        let Settings { network, diffusion, objective, adam, .. } = settings;
        set(&mut adam.learning_rate, &self.lr);
        set(&mut adam.warmup, &self.warmup);
        set(&mut adam.decay, &self.decay.map(|name| name.over(settings.steps)));
        set(&mut adam.ema_decay, &self.ema);
        set(&mut adam.max_norm, &self.clip.map(|norm| (norm != 0.0).then_some(norm)));
        set(&mut network.size, &self.size);
        set(&mut network.channels, &self.channels);
        set(&mut network.attention, &self.attention);
        set(&mut network.layers, &self.layers);
        set(&mut network.groups, &self.groups);
        set(&mut network.dropout, &self.dropout);
        set(&mut diffusion.num_train_timesteps, &self.timesteps);
        set(&mut diffusion.beta_schedule, &self.schedule);
        set(&mut diffusion.rescale_betas_zero_snr, &self.zero_snr);
        set(&mut diffusion.beta_start, &self.beta_start);
        set(&mut diffusion.beta_end, &self.beta_end);
        set(&mut diffusion.prediction_type, &self.predict);
        set(&mut diffusion.variance_type, &self.variance);
        set(&mut objective.loss, &self.loss);
        set(&mut settings.batch, &self.batch);
        set(&mut settings.flip, &self.flip);
        set(&mut settings.seed, &self.seed);
    }
}

impl Fixed {
    /// The classes of the images, if the network is to be told them.
    fn labels(&self, settings: &Settings) -> Result<Option<Labels>> {
        if self.classes != Some(true) {
            return Ok(None);
        }
        let images = settings.data.open(settings.network.size, settings.seed)?;
        let classes = images.classes().to_vec();
        ensure!(
            !classes.is_empty(),
            "the images of {} have no classes: --classes takes folders in a folder, for instance",
            settings.data
        );
        Ok(Some(Labels { classes, dropout: self.label_dropout.unwrap_or(LABEL_DROPOUT) }))
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum DecayName {
    Constant,
    Linear,
}

impl DecayName {
    /// The decay over a run of `steps`.
    fn over(self, steps: u64) -> Decay {
        match self {
            DecayName::Constant => Decay::Constant,
            DecayName::Linear => Decay::Linear { steps },
        }
    }
}

/// Overrides a setting if its flag was given.
fn set<T: Clone>(setting: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        *setting = value.clone();
    }
}

/// What the user sees of a run.
struct Report {
    steps: u64,
    progress: Option<Progress>,
}

impl Report {
    fn new(settings: &Settings) -> Report {
        Report { steps: settings.steps, progress: None }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Began { step, images, parameters } => {
                say(&format!("{images} images, {parameters} parameters, steps {step} to {}", self.steps));
                self.progress = Some(Progress::new("step", *step, self.steps));
            }
            Event::Step(step) => self.with(|progress| progress.advance(*step)),
            Event::Skipped { steps } => self.with(|progress| progress.note(&skipped(*steps))),
            Event::Logged(entry) => self.with(|progress| progress.tell(entry.step, words(entry))),
            Event::Wrote(path) => self.with(|progress| progress.note(&format!("wrote {}", path.display()))),
        }
    }

    fn with(&mut self, tell: impl FnOnce(&mut Progress)) {
        if let Some(progress) = &mut self.progress {
            tell(progress);
        }
    }

    fn end(&mut self, end: &End, folder: &RunFolder) {
        self.progress = None;
        let path = folder.path().display();
        match end {
            End::Finished { last } => {
                let LogEntry { step, loss, seconds, .. } = last;
                say(&format!("trained {step} steps in {}; loss {loss:.4}", duration(*seconds)));
                say(&format!("sample from it with: ddpm sample {path}"));
            }
            End::Stopped { step } => {
                say(&format!("stopped after step {step}; go on with: ddpm train --resume {path}"));
            }
        }
    }
}

fn skipped(steps: usize) -> String {
    match steps {
        1 => "skipped 1 step: its gradient was not finite".into(),
        _ => format!("skipped {steps} steps: their gradients were not finite"),
    }
}

fn words(entry: &LogEntry) -> String {
    format!("loss {:.4} · {:.1} img/s", entry.loss, entry.images_per_second)
}
