//! Sectors, lines, wavefronts and footprints of whole instructions.

use crate::harness::Snippet;
use ddpm_ptx::device::soft::count::{GlobalTraffic, SharedTraffic};

fn global(body: &str) -> GlobalTraffic {
    Snippet::new(body).counters().global
}

fn shared(body: &str) -> SharedTraffic {
    Snippet::new(body).counters().shared
}

/// A load of each lane at `step` bytes behind its neighbour, `offset` behind the start.
fn strided(step: u32, offset: u32) -> GlobalTraffic {
    global(&format!("mad.wide.u32 %rd1, %r0, {step}, %rd0;\nld.global.u32 %r1, [%rd1+{offset}];"))
}

#[test]
fn strides() {
    let expect = |sectors, ideal_sectors, lines| GlobalTraffic {
        requests: 1,
        bytes: 128,
        sectors,
        ideal_sectors,
        lines,
    };
    assert_eq!(strided(4, 0), expect(4, 4, 1));
    assert_eq!(strided(4, 16), expect(5, 4, 2), "the offset moves it off the sectors");
    assert_eq!(strided(0, 0), expect(1, 1, 1), "broadcast");
    assert_eq!(strided(8, 0), expect(8, 4, 2));
    assert_eq!(strided(36, 0), expect(32, 4, 9));
    assert_eq!(strided(1024, 0), expect(32, 4, 32));
}

#[test]
fn vectors_and_bytes() {
    let v4 = "mad.wide.u32 %rd1, %r0, 16, %rd0;\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];";
    let traffic = global(v4);
    assert_eq!((traffic.bytes, traffic.sectors, traffic.ideal_sectors, traffic.lines), (512, 16, 16, 4));
    let bytes = global("cvt.u64.u32 %rd1, %r0;\nadd.u64 %rd1, %rd1, %rd0;\nst.global.u8 [%rd1], %r0;");
    assert_eq!((bytes.bytes, bytes.sectors, bytes.ideal_sectors), (32, 1, 1));
}

/// Lanes whose guard is false ask for nothing, and a warp without lanes makes no request.
#[test]
fn guarded_requests() {
    let body = "mad.wide.u32 %rd1, %r0, 4, %rd0;\nsetp.lt.u32 %p0, %r0, 9;\n@%p0 ld.global.u32 %r1, [%rd1];\n\
                setp.lt.u32 %p0, %r0, 0;\n@%p0 ld.global.u32 %r1, [%rd1];";
    let traffic = global(body);
    assert_eq!((traffic.requests, traffic.bytes, traffic.sectors), (1, 36, 2));
}

/// More patterns than are remembered, one after the other and again: a loop whose stride grows.
#[test]
fn many_patterns() {
    let body = "mov.u32 %r9, 0;\nAGAIN:\nmov.u32 %r1, 1;\n\
                LOOP:\nmul.lo.u32 %r2, %r0, %r1;\nmad.wide.u32 %rd1, %r2, 32, %rd0;\nld.global.u32 %r3, [%rd1];\n\
                add.u32 %r1, %r1, 1;\nsetp.le.u32 %p0, %r1, 10;\n@%p0 bra LOOP;\n\
                add.u32 %r9, %r9, 1;\nsetp.lt.u32 %p0, %r9, 3;\n@%p0 bra AGAIN;";
    let traffic = global(body);
    assert_eq!((traffic.requests, traffic.sectors, traffic.ideal_sectors), (30, 30 * 32, 30 * 4));
    // A line is four sectors: of strides 1, 2 and 3 there are 8, 16 and 24.
    assert_eq!(traffic.lines, 3 * (8 + 16 + 24 + 7 * 32));
}

/// What 32 lanes cost that access shared memory at `step` bytes from each other.
fn banks(step: u32, access: &str) -> [u64; 2] {
    let body = format!("mov.u32 %r8, cell;\nmad.lo.u32 %r9, %r0, {step}, %r8;\n{access}");
    let traffic = shared(&body);
    assert_eq!(traffic.requests, 1, "{access}");
    [traffic.wavefronts, traffic.ideal_wavefronts]
}

#[test]
fn bank_conflicts() {
    let word = "st.shared.u32 [%r9+4], %r0;";
    for (step, ways) in [(0, 1), (4, 1), (8, 2), (16, 4), (32, 8), (128, 32), (132, 1)] {
        assert_eq!(banks(step, word), [ways, 1], "{step}");
    }
    let pair = "st.shared.v2.u32 [%r9], {%r0, %r0};";
    assert_eq!(banks(8, pair), [2, 2]);
    assert_eq!(banks(16, pair), [4, 2]);
    let four = "st.shared.v4.u32 [%r9+16], {%r0, %r0, %r0, %r0};";
    assert_eq!(banks(16, four), [4, 4]);
    assert_eq!(banks(128, four), [32, 4]);
    assert_eq!(banks(144, four), [4, 4], "padded rows");
    assert_eq!(banks(2, "st.shared.u16 [%r9], %r0;"), [1, 1]);
}

/// Accesses through one register are looked at once and counted each.
#[test]
fn several_accesses_through_one_register() {
    let body = "mov.u32 %r8, cell;\nmad.lo.u32 %r9, %r0, 8, %r8;\nst.shared.u32 [%r9], %r0;\n\
                st.shared.u32 [%r9+512], %r0;\nld.shared.u32 %r1, [%r9+4];\nadd.u32 %r9, %r9, %r9;\n\
                sub.u32 %r9, %r9, %r8;\nst.shared.u32 [%r9], %r0;";
    let traffic = shared(body);
    assert_eq!((traffic.requests, traffic.wavefronts, traffic.ideal_wavefronts), (4, 2 + 2 + 2 + 4, 4));
}

/// Rows of 16 bytes at a pitch of 128 bytes are in the same four banks: each matrix is loaded in 8 wavefronts.
#[test]
fn matrix_loads() {
    let load = |pitch: u32, count: usize| {
        let to = ["%r1", "%r2", "%r3", "%r4"][..count].join(", ");
        let body = format!(
            "mov.u32 %r8, cell;\nmad.lo.u32 %r9, %r0, {pitch}, %r8;\n\
             ldmatrix.sync.aligned.m8n8.x{count}.shared.b16 {{{to}}}, [%r9];"
        );
        let traffic = shared(&body);
        [traffic.bytes, traffic.wavefronts, traffic.ideal_wavefronts]
    };
    assert_eq!(load(128, 4), [512, 32, 4]);
    assert_eq!(load(128, 1), [128, 8, 1]);
    assert_eq!(load(144, 4), [512, 4, 4]);
    assert_eq!(load(16, 2), [256, 2, 2]);
}

#[test]
fn asynchronous_copies() {
    let copy = |tail: &str| {
        let body = format!(
            "mov.u32 %r8, cell;\nmad.lo.u32 %r9, %r0, 16, %r8;\nmad.wide.u32 %rd1, %r0, 32, %rd0;\n\
             mov.u32 %r2, 16;\nsetp.lt.u32 %p0, %r0, 4;\nselp.b32 %r2, 0, %r2, %p0;\n\
             cp.async.cg.shared.global [%r9], [%rd1], 16{tail};\ncp.async.wait_all;"
        );
        let counters = Snippet::new(&body).counters();
        let (global, shared) = (counters.global, counters.shared);
        [counters.copied_bytes, global.sectors, global.ideal_sectors, shared.wavefronts, counters.read_bytes]
    };
    assert_eq!(copy(""), [512, 32, 16, 4, 1024]);
    assert_eq!(copy(", %r2"), [448, 28, 14, 4, 896], "four lanes read nothing");
}

#[test]
fn generic_addresses() {
    let body = "mov.u32 %r8, cell;\ncvt.u64.u32 %rd2, %r8;\ncvta.shared.u64 %rd2, %rd2;\n\
                mad.wide.u32 %rd1, %r0, 8, %rd0;\nmad.wide.u32 %rd3, %r0, 8, %rd2;\n\
                setp.lt.u32 %p0, %r0, 16;\nselp.b64 %rd1, %rd1, %rd3, %p0;\nld.u32 %r1, [%rd1];";
    // The shared half was never written, but is there.
    let counters = Snippet::new(body).counters();
    assert_eq!((counters.global.sectors, counters.global.bytes), (4, 64));
    assert_eq!((counters.shared.wavefronts, counters.shared.bytes), (1, 64));
}

/// Distinct sectors of a launch: what all warps read together counts once.
#[test]
fn footprints() {
    let body = "mad.wide.u32 %rd1, %r0, 4, %rd0;\nld.global.u32 %r1, [%rd1];\nld.global.u32 %r1, [%rd1];\n\
                ld.global.u32 %r2, [%rd0];\nst.global.u32 [%rd1+4096], %r1;\nred.global.add.u32 [%rd1+8192], 1;";
    let snippet = Snippet { grid: [7, 1, 1], block: [64, 1, 1], ..Snippet::new(body) };
    let counters = snippet.counters();
    assert_eq!((counters.read_bytes, counters.written_bytes), (256 + 256, 256 + 256));
    assert_eq!(counters.global.requests, 7 * 2 * 5);
}
