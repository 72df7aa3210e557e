//! Instructions that sm_90 adds: `stmatrix`, barriers that are waited for with patience and reached from other
//! blocks, atomics on vectors.

use crate::clusters::run;
use crate::harness::{best, module};
use ddpm_ptx::device::DeviceError;

/// Bits of element `half` of lane `lane` in register `register`.
fn element(register: usize, lane: usize, half: usize) -> u16 {
    (register * 64 + lane * 2 + half + 1) as u16
}

/// Rows lie 48 bytes apart in descending order; what is between them stays as it was.
#[test]
fn stored_matrices() {
    for (count, transposed) in [(1, false), (2, false), (4, false), (1, true), (2, true), (4, true)] {
        for (space, address) in [(".shared", "%r3"), (".shared::cta", "%r3"), ("", "%rd2")] {
            let registers: Vec<_> = (0..count).map(|r| format!("%r{}", 10 + r)).collect();
            let fill: String = (0..count)
                .map(|r| {
                    let first = element(r, 0, 0);
                    format!(
                        "mad.lo.u32 %r{0}, %r0, 131074, {1};\n",
                        10 + r,
                        u32::from(first) | u32::from(first + 1) << 16
                    )
                })
                .collect();
            let trans = if transposed { ".trans" } else { "" };
            let body = format!(
                ".shared .align 16 .b8 pool[1536];\nmov.u32 %r5, 0; mov.u32 %r4, pool; mad.lo.u32 %r1, %r0, 48, %r4;\n\
                 st.shared.v4.u32 [%r1], {{%r5, %r5, %r5, %r5}}; st.shared.v4.u32 [%r1+16], {{%r5, %r5, %r5, %r5}};\n\
                 st.shared.v4.u32 [%r1+32], {{%r5, %r5, %r5, %r5}}; bar.sync 0;\n{fill}\
                 sub.u32 %r3, 31, %r0; mad.lo.u32 %r3, %r3, 48, %r4; cvt.u64.u32 %rd2, %r3; cvta.shared.u64 %rd2, %rd2;\n\
                 stmatrix.sync.aligned.m8n8.x{count}{trans}{space}.b16 [{address}], {{{}}};\nbar.sync 0;\n\
                 mad.lo.u32 %r6, %r0, 4, %r4; mad.wide.u32 %rd1, %r0, 4, %rd0;\n\
                 next: ld.shared.u32 %r7, [%r6]; st.global.u32 [%rd1], %r7; add.u32 %r6, %r6, 128; add.u64 %rd1, %rd1, 128;\n\
                 add.u32 %r5, %r5, 1; setp.lt.u32 %p0, %r5, 12; @%p0 bra next;",
                registers.join(", ")
            );
            let found = run(&body, [1; 3], [1; 3], [32, 1, 1], 384).unwrap_or_else(|error| panic!("{error}"));
            let mut wanted = vec![0u16; 768];
            for (register, lane, half) in (0..count).flat_map(|r| (0..64).map(move |i| (r, i / 2, i % 2))) {
                let (line, place) = (lane / 4, 2 * (lane % 4) + half);
                let (row, column) = if transposed { (place, line) } else { (line, place) };
                wanted[24 * (31 - (8 * register + row)) + column] = element(register, lane, half);
            }
            let found: Vec<u16> = found.iter().flat_map(|word| [*word as u16, (word >> 16) as u16]).collect();
            assert_eq!(found, wanted, "x{count}{trans}{space}");
        }
    }
}

/// Answers of `try_wait` about a barrier of three arrivals and 24 bytes, one bit after the other.
#[test]
fn arrivals_and_bytes() {
    let ask = |at: u32| {
        format!(
            "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p0, [bar], 0, 100; mbarrier.try_wait.parity.shared.b64 %p1, [bar], 1;\n\
             mbarrier.try_wait.b64 %p2, [%rd2], %rd3; selp.u32 %r2, 1, 0, %p0; selp.u32 %r3, 2, 0, %p1; selp.u32 %r4, 4, 0, %p2;\n\
             or.b32 %r2, %r2, %r3; or.b32 %r2, %r2, %r4; st.global.u32 [%rd0+{}], %r2;\n",
            4 * at
        )
    };
    let steps = [
        "mov.u64 %rd2, bar; cvta.shared.u64 %rd2, %rd2; mbarrier.init.shared::cta.b64 [bar], 3; fence.mbarrier_init.release.cluster;\n\
         mbarrier.arrive.shared.b64 %rd3, [bar];",
        "mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [bar], 24;",
        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 8; mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [bar], 8;",
        "mbarrier.arrive.release.cta.shared::cta.b64 _, [bar], 1;",
        "mbarrier.complete_tx.shared::cta.b64 [bar], 16;",
        "mbarrier.complete_tx.shared::cta.b64 [bar], 8;",
        "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [bar], 3;",
    ];
    let mut body = ".shared .align 8 .b64 bar;\n".to_string();
    for (at, step) in (0..).zip(steps) {
        body += &format!("{step}\n{}", ask(at));
    }
    // Bit 0: phase 0 is complete; bit 1: the phase before it; bit 2: the phase of the first arrival's state.
    let found = run(&body, [1; 3], [1; 3], [1; 3], 7).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found, [2, 2, 2, 2, 2, 5, 2]);
}

/// Each block writes a word to the next one and arrives there; who waits sees it.
#[test]
fn arrivals_from_other_blocks() {
    let body = ".shared .align 8 .b64 bar; .shared .b32 words[32];\n\
        setp.eq.u32 %p0, %r0, 0; @%p0 mbarrier.init.shared.b64 [bar], 32; fence.mbarrier_init.release.cluster;\n\
        barrier.cluster.arrive; barrier.cluster.wait;\n\
        mov.u32 %r1, %cluster_ctarank; add.u32 %r2, %r1, 1; and.b32 %r2, %r2, 3; mapa.shared::cluster.u32 %r3, bar, %r2;\n\
        mapa.shared::cluster.u32 %r4, words, %r2; mad.lo.u32 %r4, %r0, 4, %r4; mov.u32 %r5, %ctaid.x; mad.lo.u32 %r6, %r5, 1000, %r0;\n\
        st.shared::cluster.u32 [%r4], %r6; mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r3];\n\
        wait: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [bar], 0, 1000000; @!%p1 bra wait;\n\
        sub.u32 %r7, 31, %r0; mov.u32 %r8, words; mad.lo.u32 %r7, %r7, 4, %r8; ld.shared.u32 %r9, [%r7];\n\
        mad.lo.u32 %r5, %r5, 32, %r0; mad.wide.u32 %rd0, %r5, 4, %rd0; st.global.u32 [%rd0], %r9;\n\
        barrier.cluster.arrive; barrier.cluster.wait;";
    let found = run(body, [8, 1, 1], [4, 1, 1], [32, 1, 1], 256).unwrap_or_else(|error| panic!("{error}"));
    let wanted = |i: u32| {
        let (block, thread) = (i / 32, i % 32);
        (block / 4 * 4 + (block + 3) % 4) * 1000 + 31 - thread
    };
    assert_eq!(found, (0..256).map(wanted).collect::<Vec<_>>());
}

/// A barrier that nobody completes is a deadlock, not an endless loop.
#[test]
fn waiting_in_vain() {
    let body = ".shared .align 8 .b64 bar;\nmbarrier.init.shared.b64 [bar], 32;\n\
                wait: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], 0;\n@!%p1 bra wait;";
    let error = run(body, [2, 1, 1], [2, 1, 1], [1; 3], 1).expect_err("nobody arrives");
    assert!(error.to_string().contains("never reach"), "{error}");
}

#[test]
fn faults_of_matrices_and_barriers() {
    for (body, part) in [
        (
            ".shared .align 16 .b8 pool[512];\nmov.u32 %r1, pool; mad.lo.u32 %r1, %r0, 8, %r1;\nstmatrix.sync.aligned.m8n8.x1.shared.b16 [%r1], {%r0};",
            "not a multiple of 16",
        ),
        (
            ".shared .align 16 .b8 pool[64];\nmov.u32 %r1, pool; mad.lo.u32 %r1, %r0, 16, %r1;\nstmatrix.sync.aligned.m8n8.x1.shared.b16 [%r1], {%r0};",
            "write of 16 bytes at 0x40",
        ),
        (
            ".shared .align 8 .b64 bar;\nmapa.shared::cluster.u32 %r1, bar, 1;\nmbarrier.arrive.shared::cluster.b64 _, [%r1];",
            "not initialised",
        ),
        (
            ".shared .align 8 .b64 bar;\nmapa.shared::cluster.u32 %r1, bar, 1;\nmbarrier.arrive.shared.b64 _, [%r1];",
            "outside",
        ),
    ] {
        let error = run(body, [2, 1, 1], [2, 1, 1], [32, 1, 1], 1).expect_err(body);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn atomics_on_vectors() {
    let body = "mov.f32 %f0, 0f3F800000; mov.f32 %f1, 0f40000000; mov.f32 %f2, 0f40800000; cvt.rn.f32.u32 %f3, %r0;\n\
                red.global.add.v4.f32 [%rd0], {%f0, %f1, %f2, %f3}; red.relaxed.gpu.global.add.v2.f32 [%rd0+16], {%f1, %f3};\n\
                mov.b32 %r1, 0x40003C00; red.global.add.noftz.v4.f16x2 [%rd0+32], {%r1, %r1, %r1, %r1};\n\
                setp.ne.u32 %p0, %r0, 63; bar.sync 0; @%p0 exit;\n\
                atom.global.add.v2.f32 {%f4, %f5}, [%rd0+16], {%f0, %f0}; st.global.v2.f32 [%rd0+24], {%f4, %f5};";
    let found = run(body, [1; 3], [1; 3], [64, 1, 1], 12).unwrap_or_else(|error| panic!("{error}"));
    let floats = [64.0, 128.0, 256.0, 2016.0, 129.0, 2017.0, 128.0, 2016.0f32].map(f32::to_bits);
    assert_eq!(found[..8], floats);
    assert_eq!(found[8..], [0x5800_5400; 4]);
}

#[test]
fn forms_that_are_refused() {
    for (target, instruction, part) in [
        ("sm_80", "stmatrix.sync.aligned.m8n8.x1.shared.b16 [r], {r};", "needs .target sm_90"),
        ("sm_80", "mbarrier.try_wait.parity.shared.b64 p, [r], 0;", "needs .target sm_90"),
        ("sm_80", "mapa.shared::cluster.u32 r, r, 0;", "needs .target sm_90"),
        ("sm_80", "red.global.add.v2.f32 [w], {f, f};", "needs .target sm_90"),
        ("sm_90", "stmatrix.sync.aligned.m8n8.x3.shared.b16 [r], {r, r, r};", "stmatrix"),
        ("sm_90", "stmatrix.sync.aligned.m8n8.x2.shared.b16 [r], {r};", "takes 2 elements"),
        ("sm_90", "stmatrix.sync.aligned.m16n8.x1.trans.shared.b8 [r], {r};", "stmatrix"),
        ("sm_90", "mbarrier.arrive.shared::cluster.b64 w, [r];", "write `_`"),
        ("sm_90", "mbarrier.try_wait.parity.shared::cluster.b64 p, [r], 0;", "try_wait"),
        ("sm_90", "mbarrier.try_wait.parity.relaxed.sideways.b64 p, [r], 0;", "try_wait"),
        ("sm_90", "mapa.u32 r, r, 0;", "mapa"),
        ("sm_90", "barrier.cluster.sync;", "barrier.cluster"),
        ("sm_90", "barrier.cluster.wait.release;", "barrier.cluster"),
        ("sm_90", "red.global.add.v4.f64 [w], {f, f, f, f};", "red.global"),
        ("sm_90", "red.shared.add.v2.f32 [r], {f, f};", "no such atomic operation on a vector"),
        ("sm_90", "red.global.max.v2.u32 [w], {r, r};", "no such atomic operation on a vector"),
        ("sm_90", "griddepcontrol.launch;", "griddepcontrol"),
        ("sm_90", "cp.async.bulk.commit_group;", "cp.async"),
        ("sm_90a", "wgmma.fence.sync.aligned;", "wgmma"),
        ("sm_90a", "setmaxnreg.dec.sync.aligned.u32 40;", "setmaxnreg"),
        (
            "sm_90",
            "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [r], [w, {r, r}], [r];",
            "cp.async",
        ),
    ] {
        let text =
            module("", &format!(".reg .b32 r; .reg .b64 w; .reg .f32 f; .reg .pred p;\n{instruction}"));
        match best().load("refused", &text.replace("sm_80", target)) {
            Err(DeviceError::Module { log, .. }) => {
                assert!(log.contains(part) && log.contains("refused:7"), "{instruction}: {log}");
            }
            Ok(_) => panic!("{instruction} loads"),
            Err(other) => panic!("{instruction}: {other}"),
        }
    }
}
