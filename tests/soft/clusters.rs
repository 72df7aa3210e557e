//! Clusters of blocks: who is where, each other's shared memory, the barrier of all, and what goes wrong.

use crate::harness::{REGISTERS, best, module};
use ddpm_ptx::device::{Device, DeviceError};

/// Runs `body` in clusters with the address of `len` words in `%rd0` and the thread's index in its block in `%r0`.
pub fn run(
    body: &str,
    grid: [u32; 3],
    cluster: [u32; 3],
    block: [u32; 3],
    len: usize,
) -> Result<Vec<u32>, DeviceError> {
    let soft = best();
    let output = Device::from(soft.clone()).alloc_zeroed::<u32>(len)?;
    let body = format!("{REGISTERS}\nld.param.u64 %rd0, [y]; mov.u32 %r0, %tid.x;\n{body}");
    let text = module(".param .u64 y", &body).replace("sm_80", "sm_90");
    let params = output.address().to_le_bytes();
    soft.load("snippet", &text)?.launch_in_clusters("test", grid, Some(cluster), block, 0, &params)?;
    output.to_vec::<u32>()
}

/// The report of a kernel that must fail.
fn report(body: &str, grid: u32, cluster: u32, threads: u32) -> String {
    match run(body, [grid, 1, 1], [cluster, 1, 1], [threads, 1, 1], 64) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("no fault: {body}"),
    }
}

/// Both halves of a barrier of the whole cluster.
const MEET: &str = "barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;\n";

#[test]
fn special_registers() {
    let names = [
        "%clusterid.x",
        "%clusterid.y",
        "%clusterid.z",
        "%nclusterid.x",
        "%nclusterid.y",
        "%nclusterid.z",
        "%cluster_ctaid.x",
        "%cluster_ctaid.y",
        "%cluster_ctaid.z",
        "%cluster_nctaid.x",
        "%cluster_nctaid.y",
        "%cluster_nctaid.z",
        "%cluster_ctarank",
        "%cluster_nctarank",
        "%ctaid.x",
        "%ctaid.z",
    ];
    let ([gx, gy, gz], [cx, cy, cz]) = ([6u32, 4, 2], [3u32, 2, 1]);
    let mut body = "mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ctaid.y; mov.u32 %r3, %ctaid.z;\n\
                    mad.lo.u32 %r2, %r3, 4, %r2; mad.lo.u32 %r1, %r2, 6, %r1; mad.wide.u32 %rd0, %r1, 64, %rd0;\n"
        .to_string();
    for (at, name) in names.iter().enumerate() {
        body += &format!("mov.u32 %r4, {name}; st.global.u32 [%rd0+{}], %r4;\n", 4 * at);
    }
    let blocks = (gx * gy * gz) as usize;
    let found = run(&body, [gx, gy, gz], [cx, cy, cz], [1; 3], 16 * blocks).expect("runs");
    for (index, found) in found.chunks(16).enumerate() {
        let (x, y, z) = (index as u32 % gx, index as u32 / gx % gy, index as u32 / (gx * gy));
        let wanted = [
            x / cx,
            y / cy,
            z / cz,
            gx / cx,
            gy / cy,
            gz / cz,
            x % cx,
            y % cy,
            z % cz,
            cx,
            cy,
            cz,
            x % cx + cx * (y % cy),
            cx * cy * cz,
            x,
            z,
        ];
        assert_eq!(found, wanted, "block {x} {y} {z}");
    }
}

#[test]
fn a_launch_without_clusters_is_one_of_single_blocks() {
    let body = "mov.u32 %r1, %ctaid.x; mov.u32 %r2, %clusterid.x; mov.u32 %r3, %cluster_nctarank; sub.u32 %r2, %r2, %r1;\n\
                mad.lo.u32 %r2, %r2, 10, %r3; mad.wide.u32 %rd0, %r1, 4, %rd0; st.global.u32 [%rd0], %r2;";
    assert_eq!(run(body, [5, 1, 1], [1; 3], [1; 3], 5).expect("runs"), [1; 5]);
}

/// Every block reads the word of every other block, by 32-bit, by 64-bit and by generic addresses.
#[test]
fn reading_other_blocks() {
    for (map, load) in [
        (
            "mov.u32 %r5, word; mapa.shared::cluster.u32 %r6, %r5, %r4;",
            "ld.shared::cluster.u32 %r7, [%r6+4];",
        ),
        ("mapa.shared::cluster.u32 %r6, word, %r4;", "ld.shared::cluster.u32 %r7, [%r6+4];"),
        (
            "mov.u64 %rd1, word; mapa.shared::cluster.u64 %rd2, %rd1, %r4;",
            "ld.shared::cluster.u32 %r7, [%rd2+4];",
        ),
        (
            "mov.u64 %rd1, word; cvta.shared.u64 %rd1, %rd1; mapa.u64 %rd2, %rd1, %r4;",
            "getctarank.u64 %r8, %rd2; ld.u32 %r7, [%rd2+4]; setp.ne.u32 %p1, %r8, %r4; @%p1 trap;",
        ),
        (
            "mov.u32 %r5, word; mapa.shared::cluster.u32 %r6, %r5, %r4; getctarank.shared::cluster.u32 %r8, %r6;",
            "setp.ne.u32 %p1, %r8, %r4; @%p1 trap; cvt.u64.u32 %rd2, %r6; cvta.shared::cluster.u64 %rd2, %rd2; ld.u32 %r7, [%rd2+4];",
        ),
    ] {
        let body = format!(
            ".shared .align 8 .b32 word[2];\nmov.u32 %r1, %cluster_ctarank; mov.u32 %r2, %ctaid.x; mad.lo.u32 %r3, %r2, 100, 7; st.shared.u32 [word+4], %r3;\n\
             {MEET} mov.u32 %r4, 0; mul.wide.u32 %rd3, %r2, 16; add.u64 %rd0, %rd0, %rd3;\nnext: {map} {load}\n\
             st.global.u32 [%rd0], %r7; add.u64 %rd0, %rd0, 4; add.u32 %r4, %r4, 1; setp.lt.u32 %p0, %r4, 4; @%p0 bra next;\n{MEET}"
        );
        let found =
            run(&body, [8, 1, 1], [4, 1, 1], [1; 3], 32).unwrap_or_else(|error| panic!("{map}: {error}"));
        let wanted: Vec<u32> = (0..32).map(|i| (i / 16 * 4 + i % 4) * 100 + 7).collect();
        assert_eq!(found, wanted, "{map}");
    }
}

/// Stores, atomics and reductions into the next block; each block then reports its own memory.
#[test]
fn writing_other_blocks() {
    let body = format!(
        ".shared .align 16 .b32 box[4];\nmov.u32 %r1, %cluster_ctarank; setp.eq.u32 %p0, %r0, 0; mov.u32 %r9, 0;\n\
         @%p0 st.shared.v4.u32 [box], {{%r9, %r9, %r9, %r9}};\n{MEET}\
         add.u32 %r2, %r1, 1; rem.u32 %r2, %r2, 3; mov.u32 %r3, box; mapa.shared::cluster.u32 %r3, %r3, %r2;\n\
         add.u32 %r4, %r1, 10; @%p0 st.shared::cluster.u32 [%r3], %r4; atom.shared::cluster.add.u32 %r5, [%r3+4], %r0;\n\
         red.shared::cluster.max.u32 [%r3+8], %r0; mov.f32 %f0, 0f00000001; @%p0 red.shared::cluster.add.f32 [%r3+12], %f0;\n{MEET}\
         ld.shared.v4.u32 {{%r4, %r5, %r6, %r7}}, [box]; mov.u32 %r8, %ctaid.x; mad.wide.u32 %rd0, %r8, 16, %rd0;\n\
         @%p0 st.global.v4.u32 [%rd0], {{%r4, %r5, %r6, %r7}};"
    );
    let found = run(&body, [6, 1, 1], [3, 1, 1], [64, 1, 1], 24).expect("runs");
    for (block, found) in found.chunks(4).enumerate() {
        let from = (block as u32 % 3 + 2) % 3;
        assert_eq!(found, [from + 10, 2016, 63, 1], "block {block}");
    }
}

/// The barrier holds warps of all blocks, time after time, and exited warps do not count.
#[test]
fn barriers_of_the_cluster() {
    let body = format!(
        ".shared .b32 sum;\nmov.u32 %r1, %cluster_ctarank; setp.eq.u32 %p0, %r0, 0; @%p0 st.shared.u32 [sum], 0;\n\
         setp.eq.u32 %p2, %r1, 2; setp.ge.and.u32 %p2, %r0, 32, %p2; @%p2 exit;\n{MEET}\
         mov.u32 %r4, 0;\nround: mov.u32 %r5, 0;\npeer: mapa.shared::cluster.u32 %r6, sum, %r5;\n\
         red.shared::cluster.add.u32 [%r6], 1; add.u32 %r5, %r5, 1; setp.lt.u32 %p1, %r5, 4; @%p1 bra peer;\n\
         barrier.cluster.arrive; add.u32 %r7, %r4, 1; mul.lo.u32 %r7, %r7, 224; barrier.cluster.wait;\n\
         ld.shared.u32 %r8, [sum]; setp.ne.u32 %p1, %r8, %r7; @%p1 trap; {MEET}\
         add.u32 %r4, %r4, 1; setp.lt.u32 %p1, %r4, 5; @%p1 bra round;\n\
         mov.u32 %r1, %ctaid.x; mad.wide.u32 %rd0, %r1, 4, %rd0; @%p0 st.global.u32 [%rd0], %r8;"
    );
    assert_eq!(run(&body, [8, 1, 1], [4, 1, 1], [64, 1, 1], 8).expect("runs"), [1120; 8]);
}

#[test]
fn faults_of_clusters() {
    let shared = ".shared .align 4 .b32 word[4];\n";
    let map = "mov.u32 %r1, word; mapa.shared::cluster.u32 %r2, %r1, 1;\n";
    for (body, part) in [
        // Ranks that there are not.
        (format!("{shared}mov.u32 %r1, word;\nmapa.shared::cluster.u32 %r2, %r1, 2;"), "block 2 of a cluster of 2"),
        ("mov.u32 %r1, 0x85000000;\nld.shared::cluster.u32 %r2, [%r1];".to_string(), "block 5 of a cluster of 2"),
        // Beyond the other block's memory; shared memory of the own block only.
        (format!("{shared}{map}ld.shared::cluster.u32 %r3, [%r2+16];{MEET}"), "read of 4 bytes at 0x81000010"),
        (format!("{shared}{map}st.shared.u32 [%r2], %r1;"), "write of 4 bytes at 0x81000000"),
        (format!("{shared}{map}ld.shared::cluster.u32 %r3, [%r2+2];"), "not a multiple of 4"),
        ("mapa.u64 %rd1, %rd0, 1;".to_string(), "not a generic address of shared memory"),
        // The barrier used wrongly.
        ("barrier.cluster.wait;".to_string(), "wait without barrier.cluster.arrive"),
        ("barrier.cluster.arrive;\nbarrier.cluster.arrive;".to_string(), "arrive once more"),
        ("setp.lt.u32 %p0, %r0, 7;\n@%p0 barrier.cluster.arrive;".to_string(), "only some lanes"),
        (
            "mov.u32 %r1, %cluster_ctarank; setp.eq.u32 %p0, %r1, 0;\n@%p0 bar.sync 1, 64;\nbarrier.cluster.arrive; barrier.cluster.wait;"
                .to_string(),
            "never reach",
        ),
    ] {
        let found = report(&body, 2, 2, 32);
        assert!(found.contains(part) && found.contains("snippet:"), "{body}: {found}");
    }
}

/// Block 1 has left when block 0 reads its memory.
#[test]
fn memory_of_blocks_that_have_exited() {
    let body = ".shared .b32 word;\nmov.u32 %r1, %cluster_ctarank; setp.eq.u32 %p0, %r1, 1; @%p0 exit;\nmov.u32 %r3, 0;\n\
                wait: nanosleep.u32 100; add.u32 %r3, %r3, 1; setp.lt.u32 %p0, %r3, 4; @%p0 bra wait;\n\
                mapa.shared::cluster.u32 %r2, word, 1;\nld.shared::cluster.u32 %r4, [%r2];";
    let found = report(body, 2, 2, 32);
    assert!(
        found.contains("block 1 of the cluster, which has exited") && found.contains("block (0, 0, 0)"),
        "{found}"
    );
}

/// Of several clusters that fail the first is reported, with the place of its block in the grid.
#[test]
fn the_first_cluster_is_reported() {
    let body = "mov.u32 %r1, %ctaid.x; setp.ge.u32 %p0, %r1, 13; @%p0 trap;";
    assert!(report(body, 32, 4, 32).contains("block (13, 0, 0)"));
}

#[test]
fn launches_in_clusters_that_cannot_be() {
    for (grid, cluster) in
        [([3, 1, 1], [2, 1, 1]), ([4, 3, 1], [2, 2, 1]), ([32, 1, 1], [32, 1, 1]), ([4, 1, 1], [0, 1, 1])]
    {
        let error = run("", grid, cluster, [32, 1, 1], 1).expect_err("refused");
        assert!(matches!(error, DeviceError::BadLaunch { .. }), "{error}");
    }
    let text =
        module(".param .u64 y", "").replace("(.param .u64 y)", "(.param .u64 y) .reqnctapercluster 2, 1, 1");
    let program = best().load("snippet", &text).expect("loads");
    let launch =
        |grid, cluster| program.launch_in_clusters("test", [grid, 1, 1], cluster, [32, 1, 1], 0, &[0; 8]);
    launch(4, None).expect("its own clusters");
    launch(4, Some([2, 1, 1])).expect("the same clusters");
    launch(4, Some([4, 1, 1])).expect_err("other clusters");
    launch(3, None).expect_err("half a cluster");
}

#[test]
fn dependent_launches_do_not_wait() {
    let body = "griddepcontrol.wait; griddepcontrol.launch_dependents; st.global.u32 [%rd0], 5;";
    assert_eq!(run(body, [1; 3], [1; 3], [1; 3], 1).expect("runs"), [5]);
}
