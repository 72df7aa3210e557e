//! The library's SiLU kernel against the loop that one would write in Rust.

use crate::sample::{Contestant, compete};
use ddpm_ptx::device::soft::{Level, Options, Soft};
use ddpm_ptx::device::{DType, Device};
use ddpm_ptx::graph::{Program, Tape};
use ddpm_ptx::ops::silu::silu;
use std::sync::Arc;

const ELEMENTS: usize = 1 << 18;
const ROUNDS: usize = 15;

/// The kernel over `ELEMENTS` elements.
fn program(level: Level, threads: usize, x: &[f32]) -> Program {
    let device = Device::from(Soft::with(Options { level, threads, ..Options::default() }));
    let x = Arc::new(device.upload(x).expect("memory"));
    let mut tape = Tape::inference();
    let x = tape.resident(&x, 0, &[ELEMENTS], DType::F32);
    let y = silu(&mut tape, &x);
    tape.keep(&y);
    tape.compile(&device).expect("the program compiles")
}

pub fn print(wanted: &str) {
    let x: Vec<f32> = (0..ELEMENTS).map(|k| (k % 4001) as f32 / 200.0 - 10.0).collect();
    let mut y = vec![0.0; ELEMENTS];
    let mut programs = Vec::new();
    for level in Level::available() {
        for threads in [1, 2] {
            if threads == 1 || level == Level::detect() {
                let threads_name = if threads == 1 { "" } else { ", 2 threads" };
                let name = format!("silu, {}{threads_name}", level.name());
                programs.push((name, threads, program(level, threads, &x)));
            }
        }
    }
    programs.retain(|(name, ..)| name.contains(wanted));
    let work = ELEMENTS as f64 / 1e6;
    let mut contestants = vec![Contestant {
        name: "loop in Rust".into(),
        work,
        threads: 1,
        run: Box::new(|| {
            for (y, x) in y.iter_mut().zip(std::hint::black_box(&x)) {
                *y = x / (1.0 + (-x).exp());
            }
            std::hint::black_box(&y);
        }),
    }];
    contestants.extend(programs.iter().map(|(name, threads, program)| Contestant {
        name: name.clone(),
        work,
        threads: *threads,
        run: Box::new(|| program.run().expect("the program runs")),
    }));
    let rates = compete(&mut contestants, ROUNDS);
    println!("{:34}{:>10}{:>12}", "element by element", "Melem/s", "over loop");
    for (contestant, rate) in contestants.iter().zip(&rates) {
        println!("{:34}{:>10.1}{:>12.2}", contestant.name, rate.median(), rate.over(&rates[0]));
    }
}
