//! `ddpm kernels time`.

use super::Workload;
use crate::survey::Timing;
use std::fmt::Write;

/// One line a kernel, the one that takes longest first.
pub fn table(timings: &[Timing], workload: &Workload, device: &str) -> String {
    let all: f64 = timings.iter().map(|timing| timing.seconds).sum();
    let mut text = format!("One training step of {} on {device}\n\n", workload.name());
    let _ = writeln!(text, "{:34} {:>6} {:>12} {:>7}", "kernel", "calls", "time", "of all");
    for Timing { kernel, launches, seconds } in timings {
        let (time, share) = (milliseconds(*seconds), 100.0 * seconds / all);
        let _ = writeln!(text, "{:34} {launches:>6} {time:>12} {share:>6.1}%", kernel.entry);
    }
    let launches: usize = timings.iter().map(|timing| timing.launches).sum();
    let (time, rate) = (milliseconds(all), f64::from(workload.batch) / all);
    let _ = writeln!(text, "\n{} kernels, {launches} calls, {time}, {rate:.1} images/s", timings.len());
    text
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}
