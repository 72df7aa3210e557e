//! One file of the folder: what it expects, and how it is launched.

use ddpm_ptx::device::soft::{Check, Finding, Options, Soft};
use ddpm_ptx::device::{Buffer, Device, DeviceError};
use std::path::Path;

/// After so many a kernel is taken to hang.
const LOOP_INSTRUCTIONS: u64 = 1 << 20;

/// Grid, block and dynamic shared memory.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
}

/// A faulty kernel and its mended twin.
pub struct Case {
    pub name: String,
    pub expected: String,
    text: String,
    faulty: Geometry,
    mended: Geometry,
    orders: u32,
    args: Vec<Vec<String>>,
}

impl Case {
    /// # Panics
    /// If a line of the file does not say what it should.
    pub fn read(path: &Path) -> Case {
        let text = std::fs::read_to_string(path).expect("a readable file");
        let geometry = Geometry { grid: [1; 3], block: [32, 1, 1], shared: 0 };
        let mut case = Case {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            expected: String::new(),
            text: text.clone(),
            faulty: geometry,
            mended: geometry,
            orders: 1,
            args: Vec::new(),
        };
        let orders = text.lines().filter_map(|line| line.strip_prefix("//@ "));
        for order in orders {
            let words: Vec<&str> = order.split_whitespace().collect();
            match words[..] {
                ["expect", kind] => case.expected = kind.to_string(),
                ["arg", ..] => case.args.push(words[1..].iter().map(|word| word.to_string()).collect()),
                ["orders", count] => case.orders = count.parse().expect("a number"),
                ["mended", ..] => set(&mut case.mended, &words[1..]),
                _ => {
                    set(&mut case.faulty, &words);
                    set(&mut case.mended, &words);
                }
            }
        }
        case
    }

    /// The number of the line with this mark, if there is one.
    pub fn marked(&self, mark: &str) -> Option<usize> {
        let lines: Vec<usize> =
            (1..).zip(self.text.lines()).filter(|(_, line)| line.ends_with(mark)).map(|(at, _)| at).collect();
        assert!(lines.len() <= 1, "{}: {mark} stands at lines {lines:?}", self.name);
        lines.first().copied()
    }

    /// What the checks say of an entry: errors first, then lints.
    pub fn run(&self, entry: &str, seed: u64) -> Vec<Finding> {
        let soft = Soft::with(Options {
            check: Some(Check { seed, orders: self.orders, ..Check::default() }),
            budget: LOOP_INSTRUCTIONS,
            ..Options::default()
        });
        let device = Device::from(soft.clone());
        let program =
            soft.load(&self.name, &self.text).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut held = Vec::new();
        let params = self.params(&device, &mut held);
        let Geometry { grid, block, shared } = if entry == "faulty" { self.faulty } else { self.mended };
        let mut findings = match program.launch(entry, grid, block, shared, &params) {
            Ok(()) => Vec::new(),
            Err(DeviceError::Findings { findings, .. }) => findings,
            Err(other) => panic!("{}, {entry}: {other}", self.name),
        };
        findings.extend(soft.take_lints());
        findings
    }

    fn params(&self, device: &Device, held: &mut Vec<Buffer>) -> Vec<u8> {
        let mut params = Vec::new();
        for arg in &self.args {
            let [kind, value] = &arg[..] else { panic!("{}: {arg:?} is no argument", self.name) };
            let number = || value.parse::<u64>().expect("a number");
            let bytes = match kind.as_str() {
                "words" => {
                    let words: Vec<u32> = (0..number() as u32).collect();
                    keep(held, device.upload(&words).expect("memory"))
                }
                "unwritten" => keep(held, device.alloc::<u8>(number() as usize).expect("memory")),
                "freed" => {
                    let buffer = device.upload(&vec![0u8; number() as usize]).expect("memory");
                    buffer.address().to_le_bytes().to_vec()
                }
                "u32" => (number() as u32).to_le_bytes().to_vec(),
                "u64" => number().to_le_bytes().to_vec(),
                "f32" => value.parse::<f32>().expect("a number").to_le_bytes().to_vec(),
                _ => panic!("{}: {arg:?} is no argument", self.name),
            };
            params.resize(params.len().next_multiple_of(bytes.len()), 0);
            params.extend(bytes);
        }
        params
    }
}

fn keep(held: &mut Vec<Buffer>, buffer: Buffer) -> Vec<u8> {
    let address = buffer.address();
    held.push(buffer);
    address.to_le_bytes().to_vec()
}

fn set(geometry: &mut Geometry, words: &[&str]) {
    let numbers: Vec<u32> = words[1..].iter().map(|word| word.parse().expect("a number")).collect();
    match (words[0], &numbers[..]) {
        ("grid", [x, y, z]) => geometry.grid = [*x, *y, *z],
        ("block", [x, y, z]) => geometry.block = [*x, *y, *z],
        ("shared", [bytes]) => geometry.shared = *bytes,
        _ => panic!("{words:?} says nothing about the launch"),
    }
}
