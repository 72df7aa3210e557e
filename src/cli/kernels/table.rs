//! The counts of all kernels.

use super::Steps;
use crate::device::model::Pipe;
use crate::survey::Row;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write;

const HEADINGS: [&str; 12] = [
    "kernel",
    "calls",
    "warp inst",
    "lanes",
    "sectors",
    "wavefr",
    "FLOP",
    "regs",
    "occup",
    "time",
    "of all",
    "bound by",
];

/// One line a kernel, the one that takes longest first.
pub fn table(rows: &[Row], steps: &Steps) -> String {
    let all: f64 = rows.iter().map(|row| row.seconds).sum();
    let mut lines: Vec<Vec<String>> = vec![HEADINGS.map(String::from).to_vec()];
    lines.extend(rows.iter().map(|row| cells(row, all)));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("{}, modelled on {}\n\n", capitalised(&steps.what()), steps.chip.title);
    for line in lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 | 11 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    let launches: u64 = rows.iter().map(|row| row.counters.launches).sum();
    let _ = writeln!(text, "\n{} kernels, {launches} calls, {}", rows.len(), seconds(all));
    text.push_str(LEGEND);
    text
}

const LEGEND: &str = "
lanes     active lanes of all warp instructions      sectors  ideal over actual sectors of 32 bytes
wavefr    wavefronts of shared memory over ideal     occup    resident warps of what there is room for
time      of the pipe that takes longest             bound by that pipe, and its part of the time of all pipes
";

fn cells(row: &Row, all: f64) -> Vec<String> {
    let counters = &row.counters;
    let or_none = |there: bool, text: String| if there { text } else { "-".into() };
    vec![
        row.kernel.entry.to_string(),
        counters.launches.to_string(),
        quantity(counters.all_warp_instructions() as f64),
        percent(counters.lane_utilisation()),
        or_none(counters.global.requests > 0, percent(counters.global.sector_efficiency())),
        or_none(counters.shared.requests > 0, format!("{:.2}", counters.shared.conflict_ratio())),
        or_none(counters.all_flop() > 0, quantity(counters.all_flop() as f64)),
        row.resources.map_or("?".into(), |resources| resources.registers.to_string()),
        row.occupancy.map_or("?".into(), percent),
        seconds(row.seconds),
        percent(row.seconds / all),
        format!("{} {}", row.bound().name(), percent(row.share())),
    ]
}

/// All figures of all kernels.
pub fn json(rows: &[Row], steps: &Steps) -> Result<String> {
    let kernels: Vec<Value> = rows.iter().map(Row::json).collect();
    let pipes: Vec<&str> = Pipe::ALL.iter().map(|pipe| pipe.name()).collect();
    let all = json!({
        "preset": steps.workload.preset.name(),
        "batch": steps.workload.batch,
        "chip": steps.chip.name,
        "pipes": pipes,
        "kernels": kernels,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

pub fn percent(part: f64) -> String {
    format!("{:.0}%", 100.0 * part)
}

/// Three digits and a unit.
pub fn quantity(n: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{} {name}", three_digits(n / unit)),
        None => format!("{n:.0}"),
    }
}

/// A time in its unit.
pub fn seconds(time: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    let (unit, name) = units.into_iter().find(|(unit, _)| time >= *unit).unwrap_or((1e-9, "ns"));
    format!("{} {name}", three_digits(time / unit))
}

fn three_digits(n: f64) -> String {
    match n {
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        _ => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{capitalised, quantity, seconds};

    #[test]
    fn numbers_for_people() {
        assert_eq!(quantity(0.0), "0");
        assert_eq!(quantity(999.0), "999");
        assert_eq!(quantity(1234.0), "1.23 k");
        assert_eq!(quantity(98_765_432.0), "98.8 M");
        assert_eq!(seconds(0.0), "0.00 ns");
        assert_eq!(seconds(1.5e-7), "150 ns");
        assert_eq!(seconds(2.5e-3), "2.50 ms");
        assert_eq!(capitalised("one step"), "One step");
    }
}
