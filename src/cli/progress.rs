//! What the user sees of long jobs: lines on standard output, and a bar on standard error if that is a terminal.
//! So nothing but errors is on standard error where nobody watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of a job of `total` units.
pub struct Progress {
    bar: ProgressBar,
    /// `None` on a terminal.
    lines: Option<Lines>,
}

/// Progress as lines.
struct Lines {
    unit: &'static str,
    total: u64,
    first: u64,
    began: Instant,
    printed: Instant,
}

impl Progress {
    /// Begins at `first` of `total`; `unit` is the name of what is counted.
    pub fn new(unit: &'static str, first: u64, total: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
        let template = format!("{unit} {{pos}}/{{len}} {{wide_bar:.blue}} {{msg}} · {{eta}} left");
        let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
        bar.set_style(style.progress_chars("━╸─"));
        bar.set_position(first);
        bar.reset_eta();
        let now = Instant::now();
        let lines = Lines { unit, total, first, began: now, printed: now };
        Progress { bar, lines: (!stderr().is_terminal()).then_some(lines) }
    }

    /// `done` units are done.
    pub fn advance(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Says how it goes at `done` units, in a few words.
    pub fn tell(&mut self, done: u64, words: String) {
        if let Some(lines) = &mut self.lines {
            lines.tell(done, &words);
        }
        self.bar.set_message(words);
    }

    /// Prints a line above the bar.
    pub fn note(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }
}

/// The bar goes away: what comes next, be it an error, begins on a clean line.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    fn tell(&mut self, done: u64, words: &str) {
        let last = done >= self.total;
        if self.printed.elapsed() < LINE_EVERY && !last {
            return;
        }
        self.printed = Instant::now();
        let left = match done - self.first {
            0 => String::new(),
            _ if last => String::new(),
            passed => {
                let each = self.began.elapsed().as_secs_f64() / passed as f64;
                format!(" · {} left", duration(each * (self.total - done) as f64))
            }
        };
        say(&format!("{} {done}/{} {words}{left}", self.unit, self.total));
    }
}

/// Prints a line. Nobody is told if standard output is closed: the job goes on.
pub fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// `47s`, `3m12s`, `5h07m`, `2d03h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_two_units() {
        let shown = [0.4, 47.0, 192.0, 18_420.0, 183_600.0].map(duration);
        assert_eq!(shown, ["0s", "47s", "3m12s", "5h07m", "2d03h"]);
    }
}
