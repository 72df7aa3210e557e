//! Control flow: lanes part and meet again.

use crate::probe::words;

#[test]
fn nested_branches() {
    let body = "{ .reg .b32 v; .reg .pred p, q; and.b32 v, %me, 1; setp.eq.u32 p, v, 0; and.b32 v, %me, 2; setp.eq.u32 q, v, 0;\n\
        mov.u32 v, %me;\n@!p bra odd;\n@q bra both;\nadd.u32 v, v, 100; bra even;\nboth:\nadd.u32 v, v, 200;\neven:\nadd.u32 v, v, 1000; bra done;\n\
        odd:\n@!q bra neither;\nadd.u32 v, v, 300; bra done;\nneither:\nadd.u32 v, v, 400;\ndone:\nadd.u32 v, v, 10000; st.global.u32 [%out], v; }";
    let wanted = |tid: u32| {
        10000
            + tid
            + match tid & 3 {
                0 => 1200,
                2 => 1100,
                1 => 300,
                _ => 400,
            }
    };
    assert_eq!(words::<u32>(64, "", body, &[]), (0..64).map(wanted).collect::<Vec<_>>());
}

/// After lanes have gone round a loop each its own number of times, all are together again: a full-warp instruction that
/// demands it follows.
#[test]
fn loops_with_a_trip_count_of_each_lane() {
    let body = "{ .reg .b32 i, n, v; .reg .pred more; mul.lo.u32 n, %me, 7; and.b32 n, n, 15; mov.u32 i, 0; mov.u32 v, 0;\n\
        bra test;\nbody:\nadd.u32 v, v, i; add.u32 i, i, 1;\ntest:\nsetp.lt.u32 more, i, n; @more bra body;\n\
        redux.sync.add.u32 n, v, 0xFFFFFFFF; mad.lo.u32 v, n, 1000, v; st.global.u32 [%out], v; }";
    let sum = |lane: u32| (0..(lane * 7) & 15).sum::<u32>();
    let total: u32 = (0..32).map(sum).sum();
    assert_eq!(
        words::<u32>(32, "", body, &[]),
        (0..32).map(|lane| total * 1000 + sum(lane)).collect::<Vec<_>>()
    );
}

/// The inner loop's bound is the outer's counter, with a `break` and a `continue`.
#[test]
fn nested_loops_with_early_ends() {
    let body = "{ .reg .b32 i, j, v, r; .reg .pred p; mov.u32 i, 0; mov.u32 v, 0;\nouter:\nmov.u32 j, 0;\ninner:\n\
        add.u32 r, i, j; add.u32 r, r, %me; rem.u32 r, r, 5; setp.eq.u32 p, r, 0; @p bra skip;\n\
        setp.gt.u32 p, j, %me; @p bra broken;\nmad.lo.u32 v, v, 3, r;\nskip:\nadd.u32 j, j, 1; setp.lt.u32 p, j, i; @p bra inner;\nbroken:\n\
        add.u32 i, i, 1; setp.lt.u32 p, i, 12; @p bra outer;\nst.global.u32 [%out], v; }";
    let wanted = |tid: u32| {
        let mut v = 0u32;
        for i in 0..12 {
            for j in 0..i.max(1) {
                let r = (i + j + tid) % 5;
                if r == 0 {
                    continue;
                }
                if j > tid {
                    break;
                }
                v = v.wrapping_mul(3).wrapping_add(r);
            }
        }
        v
    };
    assert_eq!(words::<u32>(96, "", body, &[]), (0..96).map(wanted).collect::<Vec<_>>());
}

/// Both sides of a branch, then a barrier and a shuffle of the whole warp.
#[test]
fn lanes_meet_again_before_a_barrier() {
    let body = "{ .reg .b32 v, at, w; .reg .pred p; and.b32 v, %me, 1; setp.eq.u32 p, v, 1; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
        @p bra odd;\nadd.u32 v, %me, 100; st.shared.u32 [at], v; bra met;\nodd:\nadd.u32 v, %me, 200; st.shared.u32 [at], v;\nmet:\nbar.sync 0;\n\
        xor.b32 w, %me, 33; mov.u32 at, pool; mad.lo.u32 at, w, 4, at; ld.shared.u32 v, [at];\n\
        shfl.sync.bfly.b32 v, v, 1, 31, 0xFFFFFFFF; st.global.u32 [%out], v; }";
    // The word of the thread that differs in bit 5 only, by way of the neighbour.
    let wanted = |tid: u32| {
        let from = tid ^ 32;
        from + if from & 1 == 1 { 200 } else { 100 }
    };
    assert_eq!(
        words::<u32>(64, ".shared .align 4 .b8 pool[256];", body, &[]),
        (0..64).map(wanted).collect::<Vec<_>>()
    );
}

#[test]
fn lanes_that_leave_early() {
    let body = "{ .reg .b32 v, i; .reg .pred p; mov.u32 i, 0; mov.u32 v, 0;\nnext:\nadd.u32 v, v, 2; st.global.u32 [%out], v;\n\
        setp.eq.u32 p, i, %me; @p exit;\nadd.u32 i, i, 1; setp.lt.u32 p, i, 20; @p bra next;\nmov.u32 v, 77; st.global.u32 [%out], v; }";
    let wanted = |tid: u32| if tid < 20 { 2 * (tid + 1) } else { 77 };
    assert_eq!(words::<u32>(40, "", body, &[]), (0..40).map(wanted).collect::<Vec<_>>());
}

#[test]
fn uniform_branches_and_scopes() {
    let body = "{ .reg .b32 v; mov.u32 v, 1; { .reg .b32 v; mov.u32 v, 50; st.global.u32 [%out], v; bra.uni end; }\n\
                mov.u32 v, 99;\nend:\nadd.u32 v, v, 1; { .reg .b32 old; ld.global.u32 old, [%out]; add.u32 v, v, old; } st.global.u32 [%out], v; }";
    assert_eq!(words::<u32>(32, "", body, &[]), [52; 32]);
}

#[test]
fn indexed_branches() {
    let body = "{ .reg .b32 i, v; rem.u32 i, %me, 3; mov.u32 v, 0;\ntargets: .branchtargets zero, one, two;\nbrx.idx i, targets;\n\
                zero:\nadd.u32 v, v, 1;\none:\nadd.u32 v, v, 10;\ntwo:\nadd.u32 v, v, 100; st.global.u32 [%out], v; }";
    let wanted = |tid: u32| [111, 110, 100][tid as usize % 3];
    assert_eq!(words::<u32>(32, "", body, &[]), (0..32).map(wanted).collect::<Vec<_>>());
}

/// Lanes of a warp wait for one another's writes only by a warp barrier.
#[test]
fn warp_barriers() {
    let body = "{ .reg .b32 at, v; .reg .pred first; mov.u32 at, pool; setp.eq.u32 first, %me, 7; mov.u32 v, 123;\n@!first bra wait;\n\
                st.shared.u32 [at], v;\nwait:\nbar.warp.sync 0xFFFFFFFF; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }";
    assert_eq!(words::<u32>(32, ".shared .align 4 .b8 pool[4];", body, &[]), [123; 32]);
}

/// Threads of a block that is no multiple of a warp.
#[test]
fn partial_warps() {
    for threads in [1u32, 31, 33, 63, 100] {
        let body = "{ .reg .b32 v; .reg .pred p; setp.lt.u32 p, %me, 32; @p bra low;\nadd.u32 v, %me, 1000; bra end;\nlow:\nmov.u32 v, %me;\nend:\n\
                    st.global.u32 [%out], v; }";
        let wanted: Vec<u32> = (0..threads).map(|tid| if tid < 32 { tid } else { tid + 1000 }).collect();
        assert_eq!(words::<u32>(threads, "", body, &[]), wanted);
    }
}
