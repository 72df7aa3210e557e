//! `mbarrier` between the threads of a block: phases, states, parities, and what must not be done.

use crate::common::device::device;
use crate::probe::{kernel_for, launch, pointer, words};

const OBJECT: &str = ".shared .align 8 .b64 bar;\n.shared .align 4 .b8 pool[1024];";

/// All threads write, arrive, wait and read, several phases long; a thread that goes on early reads old values.
#[test]
fn phases_of_a_block() {
    let waits = [
        ("mbarrier.arrive.shared.b64 state, [bar];", "mbarrier.test_wait.shared.b64 done, [bar], state;"),
        (
            "mbarrier.arrive.release.cta.shared::cta.b64 _, [bar];",
            "mbarrier.test_wait.parity.acquire.cta.shared::cta.b64 done, [bar], phase;",
        ),
        ("mbarrier.arrive.b64 state, [generic];", "mbarrier.test_wait.b64 done, [generic], state;"),
    ];
    for (arrive, wait) in waits {
        let body = format!(
            "{{ .reg .b32 at, from, v, i, phase; .reg .b64 state, generic; .reg .pred first, done, more;\n\
             mov.u64 generic, bar; cvta.shared.u64 generic, generic;\n\
             setp.eq.u32 first, %me, 0; @first mbarrier.init.shared.b64 [bar], 96; bar.sync 0;\n\
             mov.u32 at, pool; mad.lo.u32 at, %me, 4, at; sub.u32 from, 95, %me; mov.u32 v, pool; mad.lo.u32 from, from, 4, v;\n\
             mov.u32 v, %me; mov.u32 i, 0;\n\
             next:\nst.shared.u32 [at], v; and.b32 phase, i, 1; {arrive}\nspin:\n{wait}\n@!done bra spin;\n\
             ld.shared.u32 v, [from]; add.u32 v, v, 1000; bar.sync 0; add.u32 i, i, 1; setp.lt.u32 more, i, 5; @more bra next;\n\
             st.global.u32 [%out], v; }}"
        );
        let wanted: Vec<u32> = (0..96).map(|tid| 95 - tid + 5000).collect();
        assert_eq!(words::<u32>(96, OBJECT, &body, &[]), wanted, "{arrive}");
    }
}

/// One warp produces, the other consumes, through two stages with a full and an empty barrier each.
#[test]
fn a_pipeline_of_two_stages() {
    let declarations =
        ".shared .align 8 .b64 full[2];\n.shared .align 8 .b64 empty[2];\n.shared .align 4 .b8 stage[256];";
    let body = "{ .reg .b32 i, slot, parity, at, v, sum, f, e, lane; .reg .b64 state; .reg .pred producer, first, done, more, odd;\n\
        setp.eq.u32 first, %me, 0; setp.lt.u32 producer, %me, 32; and.b32 lane, %me, 31;\n\
        @first mbarrier.init.shared.b64 [full], 32; @first mbarrier.init.shared.b64 [full+8], 32;\n\
        @first mbarrier.init.shared.b64 [empty], 32; @first mbarrier.init.shared.b64 [empty+8], 32; bar.sync 0;\n\
        mov.u32 i, 0; mov.u32 sum, 0;\n\
        next:\nand.b32 slot, i, 1; shr.u32 parity, i, 1; and.b32 parity, parity, 1;\n\
        mov.u32 f, full; mad.lo.u32 f, slot, 8, f; mov.u32 e, empty; mad.lo.u32 e, slot, 8, e;\n\
        mov.u32 at, stage; mad.lo.u32 at, slot, 128, at; mad.lo.u32 at, lane, 4, at;\n\
        @!producer bra consume;\nxor.b32 parity, parity, 1;\n\
        room:\nmbarrier.test_wait.parity.shared.b64 done, [e], parity; @!done bra room;\n\
        mad.lo.u32 v, i, 100, lane; st.shared.u32 [at], v; mbarrier.arrive.shared.b64 state, [f]; bra step;\n\
        consume:\nmbarrier.test_wait.parity.shared.b64 done, [f], parity; @!done bra consume;\n\
        xor.b32 v, lane, 31; mov.u32 at, stage; mad.lo.u32 at, slot, 128, at; mad.lo.u32 at, v, 4, at;\n\
        ld.shared.u32 v, [at]; add.u32 sum, sum, v; mbarrier.arrive.shared.b64 state, [e];\n\
        step:\nadd.u32 i, i, 1; setp.lt.u32 more, i, 9; @more bra next;\nst.global.u32 [%out], sum; }";
    let consumed = |lane: u32| (0..9).map(|i| 100 * i + (31 - lane)).sum::<u32>();
    let wanted: Vec<u32> = (0..64).map(|tid| if tid < 32 { 0 } else { consumed(tid - 32) }).collect();
    assert_eq!(words::<u32>(64, declarations, body, &[]), wanted);
}

/// States tell how many arrivals were pending before; a drop lowers what later phases expect.
#[test]
fn counts_and_drops() {
    let body = "{ .reg .b64 s; .reg .b32 a, b, c, d, e; .reg .pred p; mbarrier.init.shared.b64 [bar], 5;\n\
        mbarrier.arrive.shared.b64 s, [bar]; mbarrier.pending_count.b64 a, s;\n\
        mbarrier.arrive.noComplete.shared.b64 s, [bar], 2; mbarrier.pending_count.b64 b, s;\n\
        mbarrier.arrive_drop.shared.b64 s, [bar]; mbarrier.pending_count.b64 c, s;\n\
        mbarrier.test_wait.shared.b64 p, [bar], s; selp.b32 d, 10, 20, p;\n\
        mbarrier.arrive.shared.b64 s, [bar]; mbarrier.test_wait.shared.b64 p, [bar], s; selp.b32 e, 1, 2, p; add.u32 d, d, e;\n\
        mbarrier.arrive.shared.b64 s, [bar]; mbarrier.pending_count.b64 e, s; mbarrier.inval.shared.b64 [bar];\n\
        mad.lo.u32 a, a, 10, b; mad.lo.u32 a, a, 10, c; mad.lo.u32 a, a, 100, d; mad.lo.u32 a, a, 10, e; st.global.u32 [%out], a; }";
    // 5 pending, then 4, then 2; not complete; complete; of the next phase 4 are pending.
    assert_eq!(words::<u32>(1, OBJECT, body, &[]), [542_214]);
}

/// An arrival for copies fires when they have landed; without `.noinc` it does not count.
#[test]
fn arrivals_on_copies() {
    for (noinc, count) in [("", 64), (".noinc", 64)] {
        let arrive = if noinc.is_empty() { "mbarrier.arrive.shared.b64 state, [bar];" } else { "" };
        let body = format!(
            "{{ .reg .b32 at, v; .reg .b64 state, from; .reg .pred first, done; setp.eq.u32 first, %me, 0;\n\
             @first mbarrier.init.shared.b64 [bar], {count}; bar.sync 0;\n\
             mov.u32 at, pool; mad.lo.u32 at, %me, 4, at; mul.wide.u32 from, %me, 4; add.u64 from, from, %in;\n\
             cp.async.ca.shared.global [at], [from], 4; cp.async.mbarrier.arrive{noinc}.shared.b64 [bar]; {arrive}\n\
             spin:\nmbarrier.test_wait.parity.shared.b64 done, [bar], 0; @!done bra spin;\n\
             cp.async.wait_all; bar.sync 0;\n\
             sub.u32 v, 63, %me; mov.u32 at, pool; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }}"
        );
        let input: Vec<u32> = (100..164).collect();
        assert_eq!(words::<u32>(64, OBJECT, &body, &input), (100..164).rev().collect::<Vec<_>>(), "{noinc}");
    }
}

/// Announced bytes hold a phase back until they have come, even if that was before.
#[test]
fn bytes_that_are_announced() {
    let text = ".shared .align 8 .b64 bar;\n.visible .entry k(.param .u64 x) .reqntid 1 {\n.reg .b64 at, s; .reg .b32 r; .reg .pred p;\n\
        ld.param.u64 at, [x]; mbarrier.init.shared.b64 [bar], 2; mov.b32 r, 0;\n\
        mbarrier.complete_tx.relaxed.cta.shared.b64 [bar], 64;\n\
        mbarrier.arrive.expect_tx.release.cta.shared.b64 s, [bar], 192;\n\
        mbarrier.arrive.shared.b64 s, [bar]; mbarrier.test_wait.shared.b64 p, [bar], s; @p or.b32 r, r, 1;\n\
        mbarrier.expect_tx.relaxed.cta.shared.b64 [bar], 32; mbarrier.complete_tx.shared.b64 [bar], 128;\n\
        mbarrier.test_wait.shared.b64 p, [bar], s; @p or.b32 r, r, 2;\n\
        mbarrier.complete_tx.shared.b64 [bar], 32; mbarrier.test_wait.shared.b64 p, [bar], s; @p or.b32 r, r, 4;\n\
        st.global.u32 [at], r;\nret; }";
    let text = text.replace("complete_tx.shared", "complete_tx.relaxed.cta.shared");
    let buffer = device().alloc_zeroed::<u32>(1).expect("memory");
    launch(kernel_for("sm_90", &text, [1, 1, 1]), [1, 1, 1], vec![pointer(&buffer)]).expect("runs");
    assert_eq!(buffer.to_vec::<u32>().expect("readable"), [4]);
}

/// The report of a kernel that goes wrong; `body` begins at line 4.
fn fault(body: &str, threads: u32) -> String {
    let text = format!(
        ".shared .align 8 .b64 bar;\n.visible .entry k(.param .u64 x) .reqntid {threads} {{\n\
         .reg .b64 s, at; .reg .pred p; ld.param.u64 at, [x];\n{body}\nret; }}"
    );
    let buffer = device().alloc_zeroed::<u64>(4).expect("memory");
    match launch(kernel_for("sm_80", &text, [threads, 1, 1]), [1, 1, 1], vec![pointer(&buffer)]) {
        Err(error) => error.to_string(),
        Ok(()) => panic!("{body} runs"),
    }
}

#[test]
fn misuse_is_reported() {
    for (body, said) in [
        ("mbarrier.init.shared.b64 [bar], 0;", "count of 0"),
        ("mbarrier.init.shared.b64 [bar], 1048576;", "count of 1048576"),
        ("mbarrier.arrive.shared.b64 s, [bar];", "not initialised"),
        ("mbarrier.test_wait.parity.shared.b64 p, [bar], 0;", "not initialised"),
        (
            "mbarrier.init.shared.b64 [bar], 1; mbarrier.arrive.noComplete.shared.b64 s, [bar], 1;",
            "noComplete",
        ),
        (
            "mbarrier.init.shared.b64 [bar], 2; mbarrier.arrive.noComplete.shared.b64 s, [bar], 3;",
            "waits for 2",
        ),
        (
            "mbarrier.init.shared.b64 [bar], 2; mbarrier.inval.shared.b64 [bar]; mbarrier.arrive.shared.b64 s, [bar];",
            "not initialised",
        ),
        ("mbarrier.init.b64 [at], 2;", "not in shared memory"),
        ("mbarrier.init.shared.b64 [bar+4], 2;", "multiple of 8"),
        ("mbarrier.init.shared.b64 [bar+16], 2;", "8 bytes at 0x10"),
    ] {
        let report = fault(body, 1);
        assert!(report.contains(said) && report.contains("probe.ptx:4"), "{body}: {report}");
    }
}

/// Nobody arrives any more: the warps that look again and again are found to be stuck.
#[test]
fn waits_without_end() {
    let body = "setp.eq.u32 p, %laneid, 0; @p mbarrier.init.shared.b64 [bar], 65; bar.sync 0;\nmbarrier.arrive.shared.b64 s, [bar];\n\
        spin:\nmbarrier.test_wait.shared.b64 p, [bar], s;\n@!p bra spin;";
    let body =
        body.replace("setp.eq.u32 p, %laneid, 0;", ".reg .b32 t; mov.u32 t, %tid.x; setp.eq.u32 p, t, 0;");
    let report = fault(&body, 64);
    assert!(report.contains("wait") && report.contains("probe.ptx:7"), "{report}");
}
