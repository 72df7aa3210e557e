//! Rates of contestants that take turns.
//!
//! The clock of a shared machine changes from second to second. So contestants run one after the other, a few
//! milliseconds each, again and again; a ratio is taken inside a round, and its median counts.

use crate::clock::cpu_seconds;

/// Something whose rate is wanted.
pub struct Contestant<'a> {
    pub name: String,
    /// What one run does, in the unit of the rate.
    pub work: f64,
    /// Threads that share the work; a rate is that of all of them on CPUs of their own.
    pub threads: usize,
    pub run: Box<dyn FnMut() + 'a>,
}

/// Rates of one contestant, a number for each round.
pub struct Rates(Vec<f64>);

/// CPU time of a sample.
const SAMPLE_SECONDS: f64 = 0.004;

/// Runs all contestants `rounds` times.
pub fn compete(contestants: &mut [Contestant], rounds: usize) -> Vec<Rates> {
    for contestant in contestants.iter_mut() {
        (contestant.run)();
    }
    let mut rates: Vec<Rates> = contestants.iter().map(|_| Rates(Vec::new())).collect();
    for _ in 0..rounds {
        for (contestant, rates) in contestants.iter_mut().zip(&mut rates) {
            rates.0.push(contestant.rate());
        }
    }
    rates
}

impl Contestant<'_> {
    fn rate(&mut self) -> f64 {
        let start = cpu_seconds();
        let mut runs = 0.0;
        loop {
            (self.run)();
            runs += 1.0;
            let seconds = cpu_seconds() - start;
            if seconds >= SAMPLE_SECONDS {
                return runs * self.work * self.threads as f64 / seconds;
            }
        }
    }
}

impl Rates {
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The median over the rounds of this rate over the other one.
    pub fn over(&self, other: &Rates) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(rate, other)| rate / other).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
