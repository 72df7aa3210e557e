//! Clusters of sm_90: sums through distributed shared memory.

use crate::common::compare::{Sum, assert_close};
use crate::common::random::Random;
use crate::fixtures;
use crate::program::{Params, load};
use ddpm_ptx::device::soft::Soft;

#[test]
fn sums_of_clusters() {
    let clusters = 3usize;
    let x = Random::new(1).normals(clusters * 128);
    // A checked device runs no clusters.
    let [(name, text)] = fixtures!["cluster.nvrtc"];
    let module = load(Soft::new(), name, text);
    let (at_x, sums) = (module.upload(&x), module.output::<f32>(clusters * 32));
    let params = Params::new().pointer(&at_x).pointer(&sums);
    module.run("cluster_sums", [4 * clusters as u32, 1, 1], [32, 1, 1], params);
    let sum = |i: usize| {
        let mut sum = Sum::default();
        (0..4).for_each(|block| sum.add(f64::from(x[i / 32 * 128 + block * 32 + i % 32])));
        sum.expected()
    };
    let wanted: Vec<_> = (0..clusters * 32).map(sum).collect();
    assert_close(module.name, &[clusters, 32], &sums.to_vec::<f32>().expect("readable"), &wanted);
}
