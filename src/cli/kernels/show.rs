//! `ddpm kernels show`: the hot spots of a kernel.

use super::listing::{Did, Line, listing};
use super::table::{percent, quantity, seconds};
use super::{Steps, name, page, print};
use crate::cli::progress::say;
use crate::device::soft::count::KernelCounts;
use crate::survey::{Row, rows};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

/// Prints a kernel with its counts, or writes the page `html`.
pub fn show(kernel: &str, html: Option<&Path>, steps: &Steps) -> Result<()> {
    let kernel = name::find(kernel)?;
    let counts = steps.count()?;
    let same = |counts: &&KernelCounts| counts.entry == kernel.entry && counts.module == kernel.module.name;
    let counts = counts.iter().find(same);
    let row = counts.and_then(|counts| rows(std::slice::from_ref(counts), &steps.chip).pop());
    let lines = listing(kernel, kernel.module.ptx, counts, &steps.chip);
    let title = format!("{}, {}", kernel.entry, kernel.module.name);
    let facts = facts(row.as_ref(), steps);
    match html {
        None => print(&text(&title, &facts, &lines))?,
        Some(file) => {
            let page = page::page(&title, &facts, &lines);
            crate::atomic::write(file, page.as_bytes())
                .with_context(|| format!("{} cannot be written", file.display()))?;
            say(&format!("wrote {}", file.display()));
        }
    }
    Ok(())
}

/// What is to be said of all launches: name and value.
pub type Facts = Vec<(&'static str, String)>;

fn facts(row: Option<&Row>, steps: &Steps) -> Facts {
    let mut facts = vec![("Counted in", steps.what())];
    let Some(row) = row else {
        facts.push(("Calls", "none: the network has no use for it".into()));
        return facts;
    };
    let counters = &row.counters;
    let (global, shared) = (&counters.global, &counters.shared);
    facts.push(("Calls", format!("{}, {} warps", counters.launches, quantity(counters.warps as f64))));
    if let Some(resources) = row.resources {
        let occupancy = row.occupancy.map_or(String::new(), |o| format!(", occupancy {}", percent(o)));
        let (registers, bytes) = (resources.registers, resources.shared_bytes);
        facts.push(("Resources", format!("{registers} registers, {bytes} B shared memory{occupancy}")));
    }
    let instructions = quantity(counters.all_warp_instructions() as f64);
    let lanes = percent(counters.lane_utilisation());
    facts.push(("Warp instructions", format!("{instructions}, {lanes} of the lanes active")));
    facts.push(("FLOP", quantity(counters.all_flop() as f64)));
    let sectors = quantity(global.sectors as f64);
    let efficiency = percent(global.sector_efficiency());
    facts.push(("Global memory", format!("{sectors} sectors, {efficiency} of them needed")));
    let touched = quantity(counters.touched_bytes() as f64);
    facts.push(("Distinct bytes", format!("{touched} read or written")));
    if shared.requests > 0 {
        let wavefronts = quantity(shared.wavefronts as f64);
        let ratio = shared.conflict_ratio();
        facts.push(("Shared memory", format!("{wavefronts} wavefronts, {ratio:.2} times the ideal")));
    }
    let time = seconds(row.seconds);
    let (bound, share) = (row.bound().name(), percent(row.share()));
    facts.push(("Modelled time", format!("{time} on {}, bound by {bound} ({share})", steps.chip.title)));
    facts
}

/// The text: facts, then the lines behind their figures. `*` marks hot lines.
fn text(title: &str, facts: &Facts, lines: &[Line]) -> String {
    let mut text = format!("{title}\n\n");
    for (name, value) in facts {
        let _ = writeln!(text, "{name:18} {value}");
    }
    let headings = ["warps", "lanes", "sectors", "ideal", "wavefr", "ideal", "cycles"];
    let _ = writeln!(text, "\n   line {}", headings.map(|heading| format!("{heading:>8}")).join(" "));
    for line in lines {
        let mark = if line.did.is_some_and(|did| did.is_hot()) { '*' } else { ' ' };
        let figures = line.did.map_or_else(Default::default, figures).map(|figure| format!("{figure:>8}"));
        let _ = writeln!(
            text,
            "{}",
            format!("{mark} {:>5} {}  {}", line.number, figures.join(" "), line.text).trim_end()
        );
    }
    text
}

/// Warps, active lanes, sectors and their ideal, wavefronts and their ideal, and the part of all cycles. What does
/// not apply is empty.
pub fn figures(did: Did) -> [String; 7] {
    let if_any = |there: u64, n: u64| if there > 0 { quantity(n as f64) } else { String::new() };
    let Did { executions, lanes, global, shared, .. } = did;
    [
        quantity(executions as f64),
        if executions > 0 { percent(lanes as f64 / (32 * executions) as f64) } else { String::new() },
        if_any(global.requests, global.sectors),
        if_any(global.requests, global.ideal_sectors),
        if_any(shared.requests, shared.wavefronts),
        if_any(shared.requests, shared.ideal_wavefronts),
        if did.share > 0.0 { format!("{:.1}%", 100.0 * did.share) } else { String::new() },
    ]
}
