//! Shuffles, shared memory and atomics.

use crate::common::compare::{Sum, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures!["reduce.nvrtc", "reduce.clang"])
}

#[test]
fn sums_of_blocks() {
    let mut random = Random::new(1);
    for module in modules() {
        for (n, blocks, threads) in [(1usize, 1usize, 32usize), (1000, 3, 256), (777, 2, 64)] {
            let x = random.normals(n);
            let (at_x, sums) = (module.upload(&x), module.output::<f32>(blocks));
            let params = Params::new().pointer(&at_x).pointer(&sums).value(n as i32);
            module.run("block_sums", [blocks as u32, 1, 1], [threads as u32, 1, 1], params);
            let mut wanted = vec![Sum::default(); blocks];
            for (i, value) in x.iter().enumerate() {
                wanted[i / threads % blocks].add(f64::from(*value));
            }
            let wanted: Vec<_> = wanted.iter().map(Sum::expected).collect();
            assert_close(module.name, &[blocks], &sums.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}

#[test]
fn histogram() {
    let n = 10_000;
    let mut random = Random::new(2);
    let x: Vec<u8> = (0..n).map(|_| (random.bits() & random.bits()) as u8).collect();
    let mut wanted = vec![0u32; 256];
    x.iter().for_each(|value| wanted[usize::from(*value)] += 1);
    for module in modules() {
        let (at_x, bins) = (module.upload(&x), module.zeroed::<u32>(256));
        let params = Params::new().pointer(&at_x).value(n).pointer(&bins);
        module.run("histogram", [5, 1, 1], [96, 1, 1], params);
        assert_eq!(bins.to_vec::<u32>().expect("readable"), wanted, "{}", module.name);
    }
}
