//! Matrix products through shared memory.

use crate::common::compare::{Sum, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Foreign, Params, load_all};

fn modules() -> Vec<Foreign> {
    load_all(fixtures!["matmul.nvrtc", "matmul.clang"])
}

fn check(entry: &str, side: u32, shared_bytes: u32) {
    let mut random = Random::new(u64::from(side));
    for module in modules() {
        for [m, n, k] in [[1usize, 1, 1], [16, 16, 16], [33, 20, 50]] {
            let (a, b) = (random.normals(m * k), random.normals(k * n));
            let (at_a, at_b, c) = (module.upload(&a), module.upload(&b), module.output::<f32>(m * n));
            let params = Params::new().pointer(&at_a).pointer(&at_b).pointer(&c);
            let params = params.value(m as i32).value(n as i32).value(k as i32);
            let grid = [(n as u32).div_ceil(side), (m as u32).div_ceil(side), 1];
            module.launch(entry, grid, [side, side, 1], shared_bytes, params).expect(module.name);
            let element = |i: usize| {
                let mut sum = Sum::default();
                (0..k).for_each(|j| sum.add_product(a[i / n * k + j], b[j * n + i % n]));
                sum.expected()
            };
            let wanted: Vec<_> = (0..m * n).map(element).collect();
            assert_close(module.name, &[m, n], &c.to_vec::<f32>().expect("readable"), &wanted);
        }
    }
}

#[test]
fn tiles_in_static_shared_memory() {
    check("matmul_static", 16, 0);
}

#[test]
fn tiles_in_dynamic_shared_memory() {
    check("matmul_dynamic", 8, 2 * 8 * 8 * 4);
    check("matmul_dynamic", 16, 2 * 16 * 16 * 4);
}

/// One byte less than the tiles take is a fault, at a line of the module.
#[test]
fn too_little_dynamic_shared_memory() {
    for module in modules() {
        let a = module.zeroed::<f32>(64);
        let params = Params::new().pointer(&a).pointer(&a).pointer(&a).value([8i32; 3]);
        let error = module.launch("matmul_dynamic", [1; 3], [8, 8, 1], 508, params).expect_err("a fault");
        let report = error.to_string();
        assert!(report.contains("4 bytes at 0x1fc") && report.contains(module.name), "{report}");
    }
}
