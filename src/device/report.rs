//! What the machine has, and which kernels load on it: for `ddpm doctor`.

use super::cuda::{Absent, Attributes, Cuda, Found, probe};
use super::{Device, Kernel, Result};
use std::fmt;

/// All devices of the machine.
#[derive(Debug)]
pub struct Report {
    /// The cards, or why there is none.
    pub cards: Result<Vec<DeviceReport>, Absent>,
    pub soft: DeviceReport,
}

/// One device and what it makes of the kernels.
#[derive(Debug)]
pub struct DeviceReport {
    pub name: String,
    /// What the driver says of it; `None` for the software device.
    pub card: Option<Found>,
    /// The kernels in the order in which they were given, or why the device did not open.
    pub kernels: Result<Vec<KernelReport>>,
}

/// One kernel on one device.
#[derive(Debug)]
pub struct KernelReport {
    pub kernel: &'static Kernel,
    /// What the driver says of it (`None` on the software device), or why it did not load.
    pub loaded: Result<Option<Attributes>>,
}

/// Opens every device and loads every one of `kernels` on it. On a card whose kernels are compiled from
/// text this takes some seconds the first time.
pub fn report(kernels: &[&'static Kernel]) -> Report {
    let cards = probe().map(|cards| cards.into_iter().map(|card| card_report(card, kernels)).collect());
    Report { cards, soft: soft_report(kernels) }
}

fn card_report(card: Found, kernels: &[&'static Kernel]) -> DeviceReport {
    let load = |cuda: Cuda| {
        let each = kernels.iter();
        each.map(|&kernel| KernelReport { kernel, loaded: cuda.attributes(kernel).map(Some) }).collect()
    };
    let kernels = Cuda::new(card.ordinal).map(load);
    DeviceReport { name: card.to_string(), card: Some(card), kernels }
}

fn soft_report(kernels: &[&'static Kernel]) -> DeviceReport {
    let device = Device::soft();
    let each = kernels.iter();
    let kernels =
        each.map(|&kernel| KernelReport { kernel, loaded: device.prepare(kernel).map(|()| None) }).collect();
    DeviceReport { name: device.name(), card: None, kernels: Ok(kernels) }
}

impl Report {
    /// Whether every kernel loads on every device that can run kernels at all.
    pub fn is_well(&self) -> bool {
        let cards = self.cards.as_ref().map_or(&[][..], Vec::as_slice);
        let usable = cards.iter().filter(|device| device.card.as_ref().is_some_and(Found::usable));
        usable.chain([&self.soft]).all(DeviceReport::is_well)
    }
}

impl DeviceReport {
    /// Whether the device opens and every kernel loads.
    pub fn is_well(&self) -> bool {
        self.kernels.as_ref().is_ok_and(|kernels| kernels.iter().all(|kernel| kernel.loaded.is_ok()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cards {
            Ok(cards) => cards.iter().try_for_each(|card| writeln!(f, "{card}"))?,
            Err(absent) => writeln!(f, "{absent}")?,
        }
        write!(f, "{}", self.soft)
    }
}

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        if let Some(card) = &self.card {
            let (memory, shared) = (card.memory as f64 / f64::from(1 << 30), card.shared_per_block >> 10);
            writeln!(
                f,
                "  {memory:.1} GiB, {} multiprocessors, {shared} KiB of shared memory a block",
                card.multiprocessors
            )?;
        }
        match &self.kernels {
            Ok(kernels) => table(f, kernels),
            Err(error) => writeln!(f, "  cannot be used: {error}"),
        }
    }
}

/// One line a kernel where there is something to say of it, and a line that counts.
fn table(f: &mut fmt::Formatter<'_>, kernels: &[KernelReport]) -> fmt::Result {
    let name = |report: &KernelReport| format!("{}: {}", report.kernel.module.name, report.kernel.entry);
    let width = kernels.iter().map(|report| name(report).len()).max().unwrap_or(0);
    if kernels.iter().any(|report| matches!(report.loaded, Ok(Some(_)))) {
        writeln!(f, "  {:width$}  registers  local B  shared B  from", "kernel")?;
    }
    for report in kernels {
        let name = name(report);
        match &report.loaded {
            Ok(None) => {}
            Ok(Some(found)) => writeln!(
                f,
                "  {name:width$}  {:>9}  {:>7}  {:>8}  {}",
                found.registers, found.local_bytes, found.shared_bytes, found.code
            )?,
            Err(error) => writeln!(f, "  {name:width$}  does not load: {error}")?,
        }
    }
    let well = kernels.iter().filter(|report| report.loaded.is_ok()).count();
    writeln!(f, "  {well} of {} kernels load", kernels.len())
}
