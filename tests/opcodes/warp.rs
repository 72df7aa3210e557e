//! What lanes of a warp do with each other, and barriers of a block.

use crate::probe::words;

/// A value that tells lanes apart.
fn value(lane: u32) -> u32 {
    lane * 7 + 1000
}

/// Source lane and validity, as the PTX manual defines them.
fn shuffled(mode: &str, lane: u32, b: u32, c: u32) -> (u32, bool) {
    let (b, clamp, segment) = (b as i64 & 31, c as i64 & 31, c as i64 >> 8 & 31);
    let lane = i64::from(lane);
    let highest = lane & segment | clamp & !segment;
    let lowest = lane & segment;
    let (source, valid) = match mode {
        "up" => (lane - b, lane - b >= highest),
        "down" => (lane + b, lane + b <= highest),
        "bfly" => (lane ^ b, (lane ^ b) <= highest),
        _ => (lowest | b & !segment, lowest | b & !segment <= highest),
    };
    (if valid { source } else { lane } as u32, valid)
}

#[test]
fn shuffles_in_all_modes_with_segments() {
    for mode in ["up", "down", "bfly", "idx"] {
        for b in [0u32, 1, 3, 16, 31, 32, 35] {
            for segment in [0u32, 16, 24, 31] {
                // The clamps that go with a mode: the first lane of the segment for `up`, the last for the others.
                let c = if mode == "up" { segment << 8 } else { segment << 8 | 31 };
                let body = format!(
                    "{{ .reg .b32 v, d; .reg .pred ok; mad.lo.u32 v, %me, 7, 1000;\n\
                     shfl.sync.{mode}.b32 d|ok, v, {b}, {c}, 0xFFFFFFFF; @ok add.u32 d, d, 0x10000; st.global.u32 [%out], d; }}"
                );
                let wanted: Vec<u32> = (0..32)
                    .map(|lane| {
                        let (source, valid) = shuffled(mode, lane, b, c);
                        value(source) + if valid { 0x10000 } else { 0 }
                    })
                    .collect();
                assert_eq!(words::<u32>(32, "", &body, &[]), wanted, "{mode} by {b}, c = {c:#x}");
            }
        }
    }
}

#[test]
fn shuffles_by_a_register_of_each_lane() {
    let body = "{ .reg .b32 v, b, d; mad.lo.u32 v, %me, 7, 1000; mul.lo.u32 b, %me, 11;\n\
                shfl.sync.idx.b32 d, v, b, 31, -1; st.global.u32 [%out], d; }";
    let wanted: Vec<u32> = (0..64).map(|tid| value(tid / 32 * 32 + tid * 11 % 32)).collect();
    assert_eq!(words::<u32>(64, "", body, &[]), wanted);
}

/// Half a warp among itself, in a branch.
#[test]
fn shuffles_of_some_lanes() {
    let body = "{ .reg .b32 v, half; .reg .pred upper; mov.u32 v, %me; setp.ge.u32 upper, %me, 16;\n@!upper bra done;\n\
                shfl.sync.bfly.b32 v, v, 5, 31, 0xFFFF0000;\ndone:\nst.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..32).map(|lane| if lane < 16 { lane } else { lane ^ 5 }).collect();
    assert_eq!(words::<u32>(32, "", body, &[]), wanted);
}

#[test]
fn votes() {
    // (predicate of the lane, all, any, uni, ballot)
    let rows: [(&str, fn(u32) -> bool); 4] = [
        ("setp.ge.u32 p, %me, 0;", |_| true),
        ("setp.gt.u32 p, %me, 100;", |_| false),
        ("setp.eq.u32 p, %me, 5;", |lane| lane == 5),
        ("setp.lt.u32 p, %me, 31;", |lane| lane < 31),
    ];
    for (predicate, holds) in rows {
        let body = format!(
            "{{ .reg .pred p, a, b, c; .reg .b32 v, w; .reg .b64 both; {predicate}\n\
             vote.sync.all.pred a, p, -1; vote.sync.any.pred b, p, -1; vote.sync.uni.pred c, p, -1;\n\
             selp.u32 v, 1, 0, a; @b or.b32 v, v, 2; @c or.b32 v, v, 4;\n\
             vote.sync.ballot.b32 w, !p, 0xFFFFFFFF; mov.b64 both, {{v, w}}; st.global.u64 [%out], both; }}"
        );
        let ballot = (0..32).fold(0u32, |word, lane| word | u32::from(holds(lane)) << lane);
        let (all, none) = (ballot == u32::MAX, ballot == 0);
        let flags = u64::from(all) | u64::from(!none) << 1 | u64::from(all || none) << 2;
        assert_eq!(words::<u64>(32, "", &body, &[]), [flags | u64::from(!ballot) << 32; 32], "{predicate}");
    }
}

#[test]
fn reductions_over_lanes() {
    let rows: [(&str, fn(u32, u32) -> u32); 9] = [
        ("or.b32", |a, b| a | b),
        ("add.u32", |a, b| a.wrapping_add(b)),
        ("add.s32", |a, b| a.wrapping_add(b)),
        ("min.u32", |a, b| a.min(b)),
        ("max.u32", |a, b| a.max(b)),
        ("min.s32", |a, b| (a as i32).min(b as i32) as u32),
        ("max.s32", |a, b| (a as i32).max(b as i32) as u32),
        ("and.b32", |a, b| a & b),
        ("xor.b32", |a, b| a ^ b),
    ];
    let values: Vec<u32> = (0..32u32).map(|lane| lane.wrapping_mul(0x9E37_79B9) ^ 0x8000_0001).collect();
    for (operation, reference) in rows {
        let body = format!(
            "{{ .reg .b32 v; .reg .b64 at; mul.wide.u32 at, %me, 4; add.u64 at, at, %in; ld.global.u32 v, [at];\n\
             redux.sync.{operation} v, v, 0xFFFFFFFF; st.global.u32 [%out], v; }}"
        );
        let wanted = values.iter().copied().reduce(reference).expect("32 values");
        assert_eq!(words::<u32>(32, "", &body, &values), [wanted; 32], "{operation}");
    }
}

#[test]
fn matches_elections_and_active_lanes() {
    let any = "{ .reg .b32 v; rem.u32 v, %me, 5; match.any.sync.b32 v, v, -1; st.global.u32 [%out], v; }";
    let same =
        |lane: u32| (0..32).filter(|other| other % 5 == lane % 5).fold(0, |word, other| word | 1u32 << other);
    // `sm_70` and later have match in the manual's form.
    assert_eq!(words::<u32>(32, "", any, &[]), (0..32).map(same).collect::<Vec<_>>());
    let all = "{ .reg .b32 v; .reg .pred p; shr.u32 v, %me, 5; match.all.sync.b32 v|p, v, -1; @p add.u32 v, v, 0; st.global.u32 [%out], v; }";
    assert_eq!(words::<u32>(64, "", all, &[]), [u32::MAX; 64]);
    let differing = "{ .reg .b32 v; .reg .pred p; match.all.sync.b32 v|p, %me, -1; selp.u32 v, 1, v, p; st.global.u32 [%out], v; }";
    assert_eq!(words::<u32>(32, "", differing, &[]), [0; 32]);

    let wide = "{ .reg .b32 v; .reg .b64 w; .reg .pred p; rem.u32 v, %me, 3; cvt.u64.u32 w, v; shl.b64 w, w, 40; match.any.sync.b64 v, w, -1;\n\
        mov.b64 w, 5; match.all.sync.b64 _|p, w, -1; @!p mov.u32 v, 0; st.global.u32 [%out], v; }";
    let same =
        |lane: u32| (0..32).filter(|other| other % 3 == lane % 3).fold(0, |word, other| word | 1u32 << other);
    assert_eq!(words::<u32>(32, "", wide, &[]), (0..32).map(same).collect::<Vec<_>>());

    // A block of 40 threads: the second warp has eight lanes.
    let active = "{ .reg .b32 v; activemask.b32 v; st.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..40).map(|tid| if tid < 32 { u32::MAX } else { 0xFF }).collect();
    assert_eq!(words::<u32>(40, "", active, &[]), wanted);
}

/// Sums over a block by halving, in shared memory: wrong if any barrier lets a warp through early.
#[test]
fn barriers_of_the_block() {
    for threads in [32u32, 64, 256, 1024] {
        let body = format!(
            "{{ .reg .b32 v, w, at, half; .reg .pred adds, more; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
             st.shared.u32 [at], %me; mov.u32 half, {};\nnext:\nbar.sync 0; setp.lt.u32 adds, %me, half;\n\
             shl.b32 v, half, 2; add.u32 v, v, at; @adds ld.shared.u32 w, [v]; @adds ld.shared.u32 v, [at];\n\
             @adds add.u32 v, v, w; @adds st.shared.u32 [at], v; shr.u32 half, half, 1; setp.gt.u32 more, half, 0;\n\
             @more bra next;\nbar.sync 0; ld.shared.u32 v, [pool]; st.global.u32 [%out], v; }}",
            threads / 2
        );
        let sum = threads * (threads - 1) / 2;
        assert_eq!(
            words::<u32>(threads, ".shared .align 4 .b8 pool[4096];", &body, &[]),
            vec![sum; threads as usize]
        );
    }
}

/// Two pairs of warps, each at a barrier of its own, with a count; the pairs do not wait for each other.
#[test]
fn barriers_with_counts() {
    let body = "{ .reg .b32 pair, at, v; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at; st.shared.u32 [at], %me;\n\
                shr.u32 pair, %me, 6; add.u32 v, pair, 1; bar.sync v, 64;\n\
                xor.b32 v, %me, 32; mov.u32 at, pool; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..128).map(|tid| tid ^ 32).collect();
    assert_eq!(words::<u32>(128, ".shared .align 4 .b8 pool[512];", body, &[]), wanted);
}

/// One warp produces and goes on, the other waits.
#[test]
fn arriving_without_waiting() {
    let body = "{ .reg .pred producer; .reg .b32 v, at; setp.lt.u32 producer, %me, 32; mov.u32 at, pool;\n@!producer bra consume;\n\
                mad.lo.u32 at, %me, 4, at; add.u32 v, %me, 500; st.shared.u32 [at], v; bar.arrive 3, 64; bra done;\nconsume:\n\
                bar.sync 3, 64; sub.u32 v, 63, %me; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at];\ndone:\nst.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..64).map(|tid| if tid < 32 { 500 + tid } else { 500 + 63 - tid }).collect();
    assert_eq!(words::<u32>(64, ".shared .align 4 .b8 pool[128];", body, &[]), wanted);
}

#[test]
fn barriers_that_reduce() {
    let rows = [
        ("bar.red.popc.u32 v, 0, p;", "", [33u32, 64, 0]),
        ("bar.red.and.pred q, 0, p;", "selp.u32 v, 1, 0, q;", [0, 1, 0]),
        ("bar.red.or.pred q, 0, p;", "selp.u32 v, 1, 0, q;", [1, 1, 0]),
    ];
    for (barrier, result, wanted) in rows {
        for (limit, wanted) in [33u32, 64, 0].into_iter().zip(wanted) {
            let body = format!(
                "{{ .reg .pred p, q; .reg .b32 v; setp.lt.u32 p, %me, {limit}; {barrier} {result} st.global.u32 [%out], v; }}"
            );
            assert_eq!(words::<u32>(64, "", &body, &[]), [wanted; 64], "{barrier} with {limit}");
        }
    }
}

/// Warps that have exited do not count at a barrier, nor do lanes that a partial warp does not have.
#[test]
fn barriers_after_exits_and_in_partial_warps() {
    let body = "{ .reg .pred leaves; .reg .b32 v; setp.ge.u32 leaves, %me, 64; @leaves ret;\n\
                bar.sync 0; mov.u32 v, 9; st.global.u32 [%out], v; }";
    let found = words::<u32>(128, "", body, &[]);
    assert_eq!(found, [vec![9; 64], vec![0; 64]].concat());
    let partial = "{ .reg .b32 v, at; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at; st.shared.u32 [at], %me; bar.sync 0;\n\
                   sub.u32 v, 44, %me; mov.u32 at, pool; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }";
    assert_eq!(
        words::<u32>(45, ".shared .align 4 .b8 pool[256];", partial, &[]),
        (0..45).rev().collect::<Vec<_>>()
    );
}

/// Without `.aligned`, the lanes of a warp may come to a barrier apart: in both sides of a branch, or some of them
/// after a detour.
#[test]
fn barriers_that_lanes_reach_apart() {
    let declared = ".shared .align 4 .b8 pool[256];";
    let sides = "{ .reg .b32 v, at; .reg .pred odd; and.b32 v, %me, 1; setp.eq.u32 odd, v, 1; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
        @odd bra left;\nadd.u32 v, %me, 100; st.shared.u32 [at], v; barrier.sync 1; bra met;\n\
        left:\nadd.u32 v, %me, 200; st.shared.u32 [at], v; barrier.sync 1;\nmet:\n\
        sub.u32 v, 63, %me; mov.u32 at, pool; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..64).rev().map(|tid| tid + if tid % 2 == 1 { 200 } else { 100 }).collect();
    assert_eq!(words::<u32>(64, declared, sides, &[]), wanted);

    let guarded = "{ .reg .b32 v, at; .reg .pred low; setp.lt.u32 low, %me, 9; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
        add.u32 v, %me, 7; @!low st.shared.u32 [at], v; @!low barrier.cta.sync 0; @low mul.lo.u32 v, v, 3; @low st.shared.u32 [at], v;\n\
        @low barrier.cta.sync 0; xor.b32 v, %me, 31; mov.u32 at, pool; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }";
    let value = |tid: u32| if tid < 9 { 3 * (tid + 7) } else { tid + 7 };
    let wanted: Vec<u32> = (0..64).map(|tid| value(tid ^ 31)).collect();
    assert_eq!(words::<u32>(64, declared, guarded, &[]), wanted);

    // Votes of both sides count, and each side gets the sum.
    let votes = "{ .reg .b32 v, n; .reg .pred odd, vote; and.b32 v, %me, 1; setp.eq.u32 odd, v, 1; setp.lt.u32 vote, %me, 41;\n\
        @odd bra left;\nbarrier.red.popc.u32 n, 2, vote; add.u32 n, n, 1000; bra met;\nleft:\nbarrier.red.popc.u32 n, 2, !vote;\nmet:\n\
        st.global.u32 [%out], n; }";
    let count = (0..64).filter(|tid| (*tid < 41) == (tid % 2 == 0)).count() as u32;
    let wanted: Vec<u32> = (0..64).map(|tid| count + if tid % 2 == 0 { 1000 } else { 0 }).collect();
    assert_eq!(words::<u32>(64, "", votes, &[]), wanted);

    // A consumer waits for a producer whose lanes arrive apart.
    let arrive = "{ .reg .b32 v, at; .reg .pred producer, low; setp.lt.u32 producer, %me, 32; setp.lt.u32 low, %me, 10; mov.u32 at, pool;\n\
        @!producer bra consume;\nmad.lo.u32 at, %me, 4, at; mul.lo.u32 v, %me, 5; @low bra early;\n\
        st.shared.u32 [at], v; barrier.arrive 3, 64; bra done;\nearly:\nadd.u32 v, v, 1; st.shared.u32 [at], v; barrier.arrive 3, 64; bra done;\n\
        consume:\nbarrier.sync 3, 64; sub.u32 v, 63, %me; mad.lo.u32 at, v, 4, at; ld.shared.u32 v, [at];\n\
        done:\nst.global.u32 [%out], v; }";
    let value = |tid: u32| 5 * tid + u32::from(tid < 10);
    let wanted: Vec<u32> = (0..64).map(|tid| if tid < 32 { value(tid) } else { value(63 - tid) }).collect();
    assert_eq!(words::<u32>(64, declared, arrive, &[]), wanted);
}
