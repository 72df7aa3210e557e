//! A tape bound to addresses.

use super::plan::Plan;
use super::tape::{Home, Value};
use super::temporaries::Temporaries;
use super::tensor::Tensor;
use crate::device::{Buffer, Device, Element, Launch, Replay, Result};
use std::sync::Arc;
use std::time::Duration;

/// A list of launches in fixed memory, replayed as one.
pub struct Program {
    device: Device,
    replay: Box<dyn Replay>,
    launches: Vec<Launch>,
    plan: Plan,
    temporaries: Temporaries,
    /// By value number, for residents.
    residents: Vec<Option<(Arc<Buffer>, usize)>>,
}

impl Program {
    pub(super) fn new(
        device: &Device,
        values: Vec<Value>,
        launches: &[Launch],
        plan: Plan,
    ) -> Result<Program> {
        let temporaries = Temporaries::new(device, &plan)?;
        let residents: Vec<_> = values
            .into_iter()
            .map(|value| match value.home {
                Home::Temporary => None,
                Home::Resident { buffer, offset } => Some((buffer, offset)),
            })
            .collect();
        let address_of = |id: u32| match &residents[id as usize] {
            Some((buffer, offset)) => buffer.address() + *offset as u64,
            None => {
                let (buffer, offset) =
                    temporaries.get(id).expect("the plan places every temporary that a launch touches");
                buffer.address() + offset as u64
            }
        };
        let launches: Vec<Launch> = launches.iter().map(|launch| launch.bind(address_of)).collect();
        let replay = device.record(launches.clone())?;
        Ok(Program { device: device.clone(), replay, launches, plan, temporaries, residents })
    }

    /// Queues one run. Work is ordered; nothing waits for it.
    pub fn run(&self) -> Result<()> {
        if self.device.isolates() {
            self.temporaries.poison()?;
        }
        self.replay.run()
    }

    /// Makes every byte of the temporaries undefined: all ones, a NaN in every float. What a kernel reads
    /// before anything wrote it shows in the results; on a checked device it is an error.
    pub fn poison(&self) -> Result<()> {
        self.temporaries.poison()
    }

    /// The bound launches, in order.
    pub fn launches(&self) -> &[Launch] {
        &self.launches
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The elements of a resident, or of a temporary that was kept, after all queued work.
    pub fn read<T: Element>(&self, tensor: &Tensor) -> Result<Vec<T>> {
        assert_eq!(T::DTYPE, tensor.dtype());
        let mut data = vec![T::zeroed(); tensor.len()];
        let (buffer, offset) = match &self.residents[tensor.id as usize] {
            Some((buffer, offset)) => (buffer.as_ref(), *offset),
            None => self.temporaries.get(tensor.id).expect("only what a launch touches can be read"),
        };
        buffer.read(offset / T::DTYPE.bytes(), &mut data)?;
        Ok(data)
    }

    /// Runs the launches one by one and gives the device time of each. What a run changes, this changes.
    pub fn profile(&self) -> Result<Vec<Duration>> {
        self.launches.iter().map(|launch| self.device.time(|| self.device.launch(launch))).collect()
    }
}
