//! No kernel of the project does worse than it did: sectors, bank conflicts and instructions have floors.

mod case;
mod matrix;
mod table;

use case::{Measured, Unit, measure_all};
use ddpm_ptx::kernels::ALL;
use std::collections::BTreeMap;
use std::fmt::Write;
use table::FLOORS;

/// A kernel with this part of its sectors needed, and so many wavefronts over ideal, is good.
const GOOD_SECTORS: f64 = 0.9;
const GOOD_WAVEFRONTS: f64 = 1.1;

/// The figures that no change may make worse.
pub struct Floor {
    pub entry: &'static str,
    /// Ideal sectors over sectors, at least.
    pub sectors: f64,
    /// Wavefronts over ideal wavefronts, at most.
    pub wavefronts: f64,
    /// Warp instructions for each unit of useful work, at most: see [`Unit`].
    pub overhead: f64,
    /// What is not good yet, and what would mend it; empty for a kernel that moves no more than it needs.
    pub not_yet: &'static str,
}

#[test]
fn kernels_keep_their_floors() {
    let measured = measure_all();
    let mut worse = String::new();
    for floor in FLOORS {
        let Some(found) = measured.get(floor.entry) else {
            let _ = writeln!(worse, "{} is in the table, but no case launches it", floor.entry);
            continue;
        };
        let Measured { sectors, wavefronts, overhead, ref waste, .. } = *found;
        let held = sectors >= floor.sectors && wavefronts <= floor.wavefronts && overhead <= floor.overhead;
        if !held {
            let _ = writeln!(
                worse,
                "{}: sectors {sectors:.4} (floor {}), wavefronts {wavefronts:.4} ({}), overhead {overhead:.4} ({})",
                floor.entry, floor.sectors, floor.wavefronts, floor.overhead
            );
            for line in waste.iter().flatten() {
                let _ = writeln!(worse, "    most waste at {line}");
            }
        }
    }
    assert!(worse.is_empty(), "worse than its floor:\n{worse}{}", suggestion(&measured));
}

/// A floor that a kernel has left far behind guards nothing: it is to be raised.
#[test]
fn floors_are_tight() {
    let measured = measure_all();
    let mut slack = String::new();
    for floor in FLOORS {
        let Some(Measured { sectors, wavefronts, overhead, .. }) = measured.get(floor.entry) else {
            continue;
        };
        let loose = sectors / floor.sectors > 1.03
            || floor.wavefronts / wavefronts > 1.03
            || floor.overhead / overhead > 1.03;
        if loose {
            let _ = writeln!(slack, "{}", floor.entry);
        }
    }
    assert!(slack.is_empty(), "more than 3% better than its floor:\n{slack}{}", suggestion(&measured));
}

#[test]
fn every_kernel_has_a_floor() {
    let rows = |entry: &str| FLOORS.iter().filter(|floor| floor.entry == entry).count();
    let missing: Vec<&str> = ALL.iter().map(|kernel| kernel.entry).filter(|entry| rows(entry) != 1).collect();
    assert!(
        missing.is_empty(),
        "kernels without one row in the table: {missing:?}{}",
        suggestion(&measure_all())
    );
    let known = |entry: &str| ALL.iter().any(|kernel| kernel.entry == entry);
    let gone: Vec<&str> = FLOORS.iter().map(|floor| floor.entry).filter(|entry| !known(entry)).collect();
    assert!(gone.is_empty(), "rows for kernels that are gone: {gone:?}");
}

/// The marks say what is so.
#[test]
fn what_is_not_good_yet_is_marked() {
    for Floor { entry, sectors, wavefronts, not_yet, .. } in FLOORS {
        let good = *sectors >= GOOD_SECTORS && *wavefronts <= GOOD_WAVEFRONTS;
        assert_eq!(good, not_yet.is_empty(), "{entry}: a mark, and only on what is not good");
    }
}

/// The rows as they would be for what was measured, to be put into the table by hand: each figure with 1% of room.
fn suggestion(measured: &BTreeMap<&'static str, Measured>) -> String {
    let mut text = String::from("\nrows for the figures of now:\n");
    for (entry, Measured { sectors, wavefronts, overhead, unit, waste }) in measured {
        let down = |x: f64| (x * 0.99 * 1000.0).floor() / 1000.0;
        let up = |x: f64| (x * 1.01 * 1000.0).ceil() / 1000.0;
        let _ = writeln!(
            text,
            "    row(\"{entry}\", {:.3}, {:.3}, {:.3}, \"\"), // {}",
            down(*sectors),
            up(*wavefronts),
            up(*overhead),
            match unit {
                Unit::MultiplyAdds => "multiply-adds",
                Unit::Products => "products",
                Unit::Bytes => "bytes",
            }
        );
        for line in waste.iter().flatten() {
            let _ = writeln!(text, "        // {line}");
        }
    }
    text
}
