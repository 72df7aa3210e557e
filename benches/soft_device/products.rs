//! Matrix products on the device against `matrixmultiply`'s sgemm, in the same rounds.

use crate::sample::{Contestant, compete};
use crate::templates::{GEMM_BF16, GEMM_F32, render};
use ddpm_ptx::device::soft::{Level, Options, Program, Soft};
use ddpm_ptx::device::{Buffer, Device};

/// M = N = K.
const SIZE: usize = 512;
/// Where no vector instructions help.
const SMALL_SIZE: usize = 128;
const STAGES: usize = 3;
const ROUNDS: usize = 15;

fn value(index: usize) -> f32 {
    ((index * 2_654_435_761) >> 8) as u16 as f32 / 65536.0 - 0.5
}

/// A kernel, its matrices and its launch.
struct Gemm {
    name: String,
    program: Program,
    threads: usize,
    size: usize,
    kind: Kind,
    /// Rows and columns of C that a block makes.
    tile: usize,
    shared_bytes: u32,
    a: Buffer,
    b: Buffer,
    c: Buffer,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Sums of a thread along each side.
    F32(usize),
    Bf16,
}

fn name(kind: Kind, level: Level, threads: usize) -> String {
    let kind = match kind {
        Kind::F32(side) => format!("f32 {side}x{side}"),
        Kind::Bf16 => "bf16 mma".to_string(),
    };
    let threads = if threads == 1 { "" } else { ", 2 threads" };
    format!("{kind}, {}{threads}", level.name())
}

impl Gemm {
    fn new(kind: Kind, level: Level, threads: usize) -> Gemm {
        let soft = Soft::with(Options { level, threads, ..Options::default() });
        let device = Device::from(soft.clone());
        let size = if level == Level::Portable { SMALL_SIZE } else { SIZE };
        let values: Vec<f32> = (0..size * size).map(value).collect();
        let halves: Vec<half::bf16> = values.iter().map(|x| half::bf16::from_f32(*x)).collect();
        let (text, tile, shared_bytes) = match kind {
            Kind::F32(side) => (render(GEMM_F32, &[("TM", side), ("TN", side)]), 16 * side, 0),
            Kind::Bf16 => (render(GEMM_BF16, &[("STAGES", STAGES)]), 128, STAGES * 16384),
        };
        let upload = || match kind {
            Kind::F32(_) => device.upload(&values),
            Kind::Bf16 => device.upload(&halves),
        };
        let gemm = Gemm {
            name: name(kind, level, threads),
            kind,
            program: soft.load("gemm", &text).expect("the module loads"),
            threads,
            size,
            tile,
            shared_bytes: shared_bytes as u32,
            a: upload().expect("memory"),
            b: upload().expect("memory"),
            c: device.alloc::<f32>(size * size).expect("memory"),
        };
        gemm.check();
        gemm
    }

    fn run(&self) {
        let mut params = Vec::new();
        for buffer in [&self.a, &self.b, &self.c] {
            params.extend(buffer.address().to_le_bytes());
        }
        params.extend([self.size as u32; 2].iter().flat_map(|n| n.to_le_bytes()));
        let blocks = (self.size / self.tile) as u32;
        let done = self.program.launch("gemm", [blocks, blocks, 1], [256, 1, 1], self.shared_bytes, &params);
        done.expect("the launch succeeds");
    }

    /// A few elements against sums in f64.
    fn check(&self) {
        self.run();
        let c = self.c.to_vec::<f32>().expect("a copy");
        let size = self.size;
        for index in (0..size * size).step_by(size * size / 61) {
            let (row, column) = (index / size, index % size);
            let product = |k: usize| match self.kind {
                Kind::F32(_) => f64::from(value(row * size + k)) * f64::from(value(k * size + column)),
                Kind::Bf16 => {
                    let rounded = |index: usize| f64::from(half::bf16::from_f32(value(index)).to_f32());
                    rounded(row * size + k) * rounded(column * size + k)
                }
            };
            let expected: f64 = (0..size).map(product).sum();
            // Sums of `size` products below 1/4, each rounded to 24 bits.
            assert!((f64::from(c[index]) - expected).abs() < size as f64 * 3e-6, "{} is wrong", self.name);
        }
    }
}

fn sgemm(size: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    let row = size as isize;
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: the matrices have `size * size` elements.
    unsafe { matrixmultiply::sgemm(size, size, size, 1.0, a, row, 1, b, row, 1, 0.0, c, row, 1) };
}

/// Prints the table, of the kernels whose names contain `wanted`.
pub fn print(wanted: &str) {
    let mut gemms = Vec::new();
    for level in Level::available() {
        for kind in [Kind::F32(4), Kind::F32(8), Kind::Bf16] {
            for threads in [1, 2] {
                let wanted = name(kind, level, threads).contains(wanted);
                if wanted && (threads == 1 || level == Level::detect()) {
                    gemms.push(Gemm::new(kind, level, threads));
                }
            }
        }
    }
    let values: Vec<f32> = (0..SIZE * SIZE).map(value).collect();
    let mut c = vec![0.0; SIZE * SIZE];
    let operations = |size: usize| 2.0 * (size * size * size) as f64 / 1e9;
    let mut contestants = vec![Contestant {
        name: "sgemm of matrixmultiply".into(),
        work: operations(SIZE),
        threads: 1,
        run: Box::new(|| sgemm(SIZE, &values, &values, &mut c)),
    }];
    contestants.extend(gemms.iter().map(|gemm| Contestant {
        name: gemm.name.clone(),
        work: operations(gemm.size),
        threads: gemm.threads,
        run: Box::new(|| gemm.run()),
    }));
    let rates = compete(&mut contestants, ROUNDS);
    println!("{:34}{:>10}{:>12}", format!("matrix product, {SIZE}^3"), "GFLOP/s", "over sgemm");
    for (contestant, rate) in contestants.iter().zip(&rates) {
        println!("{:34}{:>10.1}{:>12.2}", contestant.name, rate.median(), rate.over(&rates[0]));
    }
}
