//! The loop of a run, and what it leaves in the run's folder.

use super::step::{Reading, TrainingStep};
use crate::checkpoint::series::Checkpoint;
use crate::checkpoint::training;
use crate::data::{Batch, Dataset, Loader, Order};
use crate::device::Device;
use crate::nn::UNet;
use crate::picture::{LossPoint, loss_curve};
use crate::run::{Log, LogEntry, RunFolder, Settings};
use crate::sample::{BatchSampler, write_grid};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Images of a sample grid.
const GRID: usize = 25;
/// Steps of the sampler for a grid: some of the timesteps will do to see how far a network is.
const GRID_STEPS: usize = 100;
/// A run of which so many steps in a row were skipped has diverged. Few of them are an accident: the next batch has
/// other images, timesteps and noise.
const PATIENCE: usize = 20;

/// Where a run begins.
pub enum Start {
    /// With initial weights.
    New,
    /// Where a checkpoint left off.
    From(Checkpoint),
}

/// How a run ended. In both cases there is a checkpoint.
pub enum End {
    Finished {
        last: LogEntry,
    },
    /// It was asked to stop.
    Stopped {
        step: u64,
    },
}

/// What happens in a run.
pub enum Event {
    Began {
        step: u64,
        images: usize,
        parameters: usize,
    },
    /// So many steps are done.
    Step(u64),
    /// So many of the steps that the next entry of the log is about changed nothing: their gradients were not finite.
    Skipped {
        steps: usize,
    },
    Logged(LogEntry),
    Wrote(PathBuf),
}

/// Trains until the settings' last step, or until `stop` is set, after the step of that moment.
///
/// # Errors
/// If the images, the folder, or the device fail, or the gradients are no numbers any more. What was learned up to
/// images that cannot be read is in a checkpoint.
pub fn train(
    device: &Device,
    settings: &Settings,
    folder: &RunFolder,
    start: Start,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Result<End> {
    let mut run = Run::begin(device, settings, folder, start)?;
    tell(Event::Began {
        step: run.done,
        images: run.dataset.len(),
        parameters: run.training.unet().layout().parameters(),
    });
    let steps = settings.steps;
    for batch in run.loader() {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                if run.done > run.saved {
                    run.save(tell)?;
                }
                return Err(error.into());
            }
        };
        run.step(&batch)?;
        tell(Event::Step(run.done));
        let stopped = stop.load(Ordering::Relaxed) && run.done < steps;
        run.report(stopped, tell)?;
        if stopped {
            return Ok(End::Stopped { step: run.done });
        }
    }
    Ok(End::Finished { last: run.log.entries().last().copied().context("a run of no steps")? })
}

/// A run that is under way.
struct Run<'a> {
    settings: &'a Settings,
    folder: &'a RunFolder,
    dataset: Arc<dyn Dataset>,
    training: TrainingStep,
    /// `None` where no sampler takes what the network gives.
    sampler: Option<BatchSampler>,
    log: Log,
    /// Steps done.
    done: u64,
    /// The steps up to here are in a checkpoint.
    saved: u64,
    /// The steps up to here are in the log.
    logged: u64,
    /// When the steps that are not in the log yet began.
    began: Instant,
    /// Training time before that, in seconds.
    seconds: f64,
}

impl<'a> Run<'a> {
    /// Opens and prepares everything, and only then writes to the folder.
    fn begin(
        device: &Device,
        settings: &'a Settings,
        folder: &'a RunFolder,
        start: Start,
    ) -> Result<Run<'a>> {
        let dataset: Arc<dyn Dataset> = settings.data.open(settings.network.size, settings.seed)?.into();
        if let Some(labels) = &settings.labels {
            ensure!(
                dataset.classes() == labels.classes,
                "the classes of {} are not those of the run",
                settings.data
            );
        }
        let unet = UNet::new(settings.unet()?)?;
        let (training, done) = match start {
            Start::New => (TrainingStep::new(device, settings, unet, None)?, 0),
            Start::From(checkpoint) => {
                let folder = checkpoint.folder.display();
                let (pipeline, state) = training::read(&checkpoint.folder)?;
                ensure!(
                    pipeline.unet.config() == unet.config(),
                    "the network of {folder} is not that of the run's settings"
                );
                let training = TrainingStep::new(device, settings, unet, Some(&state))
                    .with_context(|| format!("the run cannot go on from {folder}"))?;
                (training, checkpoint.step)
            }
        };
        let steps = GRID_STEPS.min(settings.diffusion.num_train_timesteps);
        let sampler = if settings.diffusion.is_sampled() {
            Some(training.sampler(device, settings, GRID, steps)?)
        } else {
            None
        };
        folder.save(settings)?;
        let log = Log::open(&folder.log(), done)?;
        let seconds = log.entries().last().map_or(0.0, |entry| entry.seconds);
        let began = Instant::now();
        Ok(Run {
            settings,
            folder,
            dataset,
            training,
            sampler,
            log,
            done,
            saved: done,
            logged: done,
            began,
            seconds,
        })
    }

    /// The batches that are left.
    fn loader(&self) -> Loader {
        let order = Order::new(self.dataset.len(), self.settings.batch, self.settings.seed);
        Loader::new(self.dataset.clone(), order, self.done, self.settings.steps)
    }

    fn step(&mut self, batch: &Batch) -> Result<()> {
        let Settings { labels, seed, .. } = self.settings;
        let shown = labels.as_ref().map(|labels| labels.shown(&batch.labels, *seed, batch.step));
        self.training.run(&batch.pixels, &shown.unwrap_or_default())?;
        self.done += 1;
        Ok(())
    }

    /// Writes what is due after this step.
    fn report(&mut self, stopped: bool, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let every = self.settings.reporting;
        let last = self.done == self.settings.steps;
        let due = |interval: u64| last || (interval > 0 && self.done.is_multiple_of(interval));
        let sample = due(every.sample_every);
        let checkpoint = due(every.checkpoint_every) || stopped;
        if !(due(every.log_every) || sample || checkpoint) {
            return Ok(());
        }
        self.log(tell)?;
        if sample && !self.log.entries().is_empty() {
            self.pictures(tell)?;
        }
        if checkpoint {
            self.save(tell)?;
        }
        // Pictures and checkpoints are no training time.
        self.began = Instant::now();
        Ok(())
    }

    /// Appends to the log what happened since the last entry.
    fn log(&mut self, tell: &mut dyn FnMut(Event)) -> Result<()> {
        self.seconds += self.began.elapsed().as_secs_f64();
        let readings = self.training.readings(self.logged..self.done)?;
        let taken: Vec<&Reading> = readings.iter().filter(|reading| !reading.skipped()).collect();
        let Some(latest) = taken.last() else { return self.patience(&readings) };
        if taken.len() < readings.len() {
            tell(Event::Skipped { steps: readings.len() - taken.len() });
        }
        let images = (self.done - self.logged) * self.settings.batch as u64;
        let elapsed = self.seconds - self.log.entries().last().map_or(0.0, |entry| entry.seconds);
        let entry = LogEntry {
            step: self.done,
            loss: taken.iter().map(|reading| reading.loss).sum::<f32>() / taken.len() as f32,
            grad_norm: latest.grad_norm,
            lr: latest.learning_rate,
            skipped: self.training.skipped()?,
            images_per_second: images as f64 / elapsed,
            seconds: self.seconds,
        };
        self.logged = self.done;
        self.log.push(entry)?;
        tell(Event::Logged(entry));
        Ok(())
    }

    /// Of steps that were all skipped there is nothing to log. They count with the next ones, unless there were too many.
    fn patience(&self, readings: &[Reading]) -> Result<()> {
        let latest = readings.last().context("no step since the last entry of the log")?;
        ensure!(
            readings.len() < PATIENCE && self.done < self.settings.steps,
            "the last {} steps up to {} were skipped, with a loss of {} and a gradient of norm {}: the run has \
             diverged; begin again with a smaller --lr than {}",
            readings.len(),
            self.done,
            latest.loss,
            latest.grad_norm,
            self.settings.adam.learning_rate
        );
        Ok(())
    }

    /// Draws the loss curve and a grid of samples of the averaged weights.
    fn pictures(&mut self, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let points: Vec<LossPoint> =
            self.log.entries().iter().map(|entry| LossPoint { step: entry.step, loss: entry.loss }).collect();
        let path = self.folder.loss_curve();
        loss_curve(&path, &points).with_context(|| format!("{} cannot be written", path.display()))?;
        let Some(sampler) = &self.sampler else { return Ok(()) };
        let images = sampler.sample(0, GRID, &mut || true)?.context("a grid that nobody stopped")?;
        let path = self.folder.samples(self.done);
        write_grid(&path, &images)?;
        tell(Event::Wrote(path));
        Ok(())
    }

    /// Writes a checkpoint and removes old ones.
    fn save(&mut self, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let path = self.folder.checkpoint(self.done);
        let mut state = self.training.state()?;
        state.run = serde_json::to_value(self.settings)?;
        let scheduler = serde_json::to_value(&self.settings.diffusion)?;
        training::write(&path, self.training.unet(), &scheduler, &state)?;
        self.saved = self.done;
        self.folder.prune_checkpoints(self.settings.reporting.keep_last)?;
        tell(Event::Wrote(path));
        Ok(())
    }
}
