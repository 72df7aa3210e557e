//! The loop of a run, and what it leaves in the run's folder.

use super::step::TrainingStep;
use crate::checkpoint::series::Checkpoint;
use crate::checkpoint::training;
use crate::data::{Dataset, Loader, Order};
use crate::device::Device;
use crate::nn::UNet;
use crate::picture::{LossPoint, loss_curve};
use crate::run::{Log, LogEntry, RunFolder, Settings};
use crate::sample::{BatchSampler, write_grid};
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Images of a sample grid.
const GRID: usize = 25;
/// Steps of the sampler for a grid: some of the timesteps will do to see how far a network is.
const GRID_STEPS: usize = 100;

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
    Logged(LogEntry),
    Wrote(PathBuf),
}

/// Trains until the settings' last step, or until `stop` is set, after the step of that moment.
///
/// # Errors
/// If the images, the folder, or the device fail, or the loss is no number any more. What was learned up to
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
        run.step(&batch.pixels)?;
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
    sampler: BatchSampler,
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
        let unet = UNet::new(settings.network.unet()?)?;
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
        let sampler = training.sampler(device, settings, GRID, steps)?;
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

    fn step(&mut self, pixels: &[u8]) -> Result<()> {
        self.training.run(pixels)?;
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
        if sample {
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
        let readings = self.training.readings(self.logged..self.done)?;
        let elapsed = self.began.elapsed().as_secs_f64();
        self.seconds += elapsed;
        let latest = readings.last().context("no step since the last entry of the log")?;
        // A step whose loss is no number was left out by the optimiser.
        let losses: Vec<f32> = readings.iter().map(|r| r.loss).filter(|loss| loss.is_finite()).collect();
        if losses.is_empty() {
            bail!(
                "the loss is {} at step {}: the run has diverged; begin again with a smaller --lr than {}",
                latest.loss,
                self.done,
                self.settings.adam.learning_rate
            );
        }
        let entry = LogEntry {
            step: self.done,
            loss: losses.iter().sum::<f32>() / losses.len() as f32,
            grad_norm: latest.grad_norm,
            lr: latest.learning_rate,
            images_per_second: (self.done - self.logged) as f64 * self.settings.batch as f64 / elapsed,
            seconds: self.seconds,
        };
        self.logged = self.done;
        self.log.push(entry)?;
        tell(Event::Logged(entry));
        Ok(())
    }

    /// Draws the loss curve and a grid of samples of the averaged weights.
    fn pictures(&mut self, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let points: Vec<LossPoint> =
            self.log.entries().iter().map(|entry| LossPoint { step: entry.step, loss: entry.loss }).collect();
        let path = self.folder.loss_curve();
        loss_curve(&path, &points).with_context(|| format!("{} cannot be written", path.display()))?;
        let images = self.sampler.sample(0, GRID, &mut || true)?.context("a grid that nobody stopped")?;
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
