//! Instructions that look across the lanes of a warp.

use crate::harness::{best, lanes};

fn keys() -> [u32; 32] {
    std::array::from_fn(|lane| (lane as u32).wrapping_mul(2_654_435_761))
}

/// The rules of `shfl.sync` as the PTX manual writes them.
fn shuffled(mode: &str, a: &[u32; 32], b: u32, c: u32) -> [u32; 32] {
    std::array::from_fn(|lane| {
        let (lane, b) = (lane as i32, (b & 31) as i32);
        let (clamp, segment) = ((c & 31) as i32, (c >> 8 & 31) as i32);
        let (highest, lowest) = ((lane & segment) | (clamp & !segment), lane & segment);
        let (j, ok) = match mode {
            "up" => (lane - b, lane - b >= highest),
            "down" => (lane + b, lane + b <= highest),
            "bfly" => (lane ^ b, lane ^ b <= highest),
            _ => (lowest | (b & !segment), lowest | (b & !segment) <= highest),
        };
        a[if ok { j } else { lane } as usize].wrapping_add(u32::from(ok))
    })
}

#[test]
fn shuffles_follow_the_manual() {
    let a = keys();
    for (mode, c) in [
        ("up", 0),
        ("down", 31),
        ("bfly", 31),
        ("idx", 31),
        ("down", 0x1807),
        ("up", 0x1800),
        ("idx", 0x1c03),
    ] {
        for b in [0, 1, 3, 8, 16, 31] {
            let body = format!(
                "shfl.sync.{mode}.b32 %r0|%p0, in0, {b}, {c}, 0xFFFFFFFF;\nselp.u32 %r1, 1, 0, %p0;\nadd.u32 out, %r0, %r1;"
            );
            let out: [u32; 32] = lanes(&best(), &body, &[&a]).unwrap();
            assert_eq!(out, shuffled(mode, &a, b, c), "{mode} {b} {c:#x}");
        }
    }
}

#[test]
fn shuffle_onto_its_own_source() {
    let a = keys();
    let out: [u32; 32] =
        lanes(&best(), "mov.u32 out, in0;\nshfl.sync.down.b32 out, out, 1, 31, -1;", &[&a]).unwrap();
    assert_eq!(out, std::array::from_fn(|lane| a[(lane + 1).min(31)]));
}

#[test]
fn votes() {
    let body = "
    setp.lt.u32 %p0, lane, 9;
    vote.sync.ballot.b32 %r0, %p0, -1;
    vote.sync.any.pred %p1, %p0, -1;
    vote.sync.all.pred %p2, %p0, -1;
    vote.sync.uni.pred %p3, %p2, -1;
    selp.u32 %r1, 0x10000, 0, %p1;
    selp.u32 %r2, 0x20000, 0, %p2;
    selp.u32 %r3, 0x40000, 0, %p3;
    or.b32 out, %r0, %r1;
    or.b32 out, out, %r2;
    or.b32 out, out, %r3;";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    assert_eq!(out, [0x501FF; 32]);
}

#[test]
fn matches_and_reductions() {
    let key: [u32; 32] = std::array::from_fn(|lane| (lane as u32 * 7) % 5);
    let out: [u32; 32] = lanes(&best(), "match.any.sync.b32 out, in0, -1;", &[&key]).unwrap();
    for lane in 0..32 {
        let expected = (0..32).filter(|l| key[*l] == key[lane]).fold(0u32, |mask, l| mask | 1 << l);
        assert_eq!(out[lane], expected);
    }
    let values = keys();
    for (op, expected) in [
        ("add.u32", values.iter().fold(0u32, |x, y| x.wrapping_add(*y))),
        ("max.s32", *values.iter().max_by_key(|x| **x as i32).unwrap()),
        ("min.u32", *values.iter().min().unwrap()),
        ("xor.b32", values.iter().fold(0, |x, y| x ^ y)),
    ] {
        let out: [u32; 32] = lanes(&best(), &format!("redux.sync.{op} out, in0, -1;"), &[&values]).unwrap();
        assert_eq!(out, [expected; 32], "{op}");
    }
}

#[test]
fn lanes_of_a_branch_vote_among_themselves() {
    let body = "
    mov.u32 out, 0;
    setp.ge.u32 %p0, lane, 20;
    @%p0 bra HIGH;
    activemask.b32 %r1;
    vote.sync.ballot.b32 out, 1, 0x000FFFFF;
    bra END;
HIGH:
    vote.sync.ballot.b32 out, 1, 0xFFF00000;
END:";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    assert_eq!(out, std::array::from_fn(|lane| if lane < 20 { 0x000F_FFFF } else { 0xFFF0_0000 }));
}
