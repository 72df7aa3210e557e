//! Loads, stores, address spaces, atomics and asynchronous copies.

use crate::common::device::device;
use crate::probe::{Case, INTEGERS_32, Probe, combinations, kernel, launch, pointer, words};

/// Narrow loads extend by the sign of their type; narrow stores chop.
#[test]
fn narrow_accesses_extend_and_chop() {
    let cases = combinations(INTEGERS_32, 1);
    let rows: [(&str, u32, fn(u64) -> u64); 8] = [
        ("ld.global.u8 %r, [%in];", 32, |a| a & 0xFF),
        ("ld.global.s8 %r, [%in];", 32, |a| a as u8 as i8 as u64 & 0xFFFF_FFFF),
        ("ld.global.b8 %r, [%in+1];", 32, |a| a >> 8 & 0xFF),
        ("ld.global.u16 %r, [%in];", 32, |a| a & 0xFFFF),
        ("ld.global.s16 %r, [%in];", 32, |a| a as u16 as i16 as u64 & 0xFFFF_FFFF),
        ("ld.global.s8 %r, [%in];", 64, |a| a as u8 as i8 as u64),
        ("ld.global.s32 %r, [%in];", 64, |a| a as u32 as i32 as u64),
        ("ld.global.u32 %r, [%in];", 64, |a| a),
    ];
    for (text, result, reference) in rows {
        Probe { text, result, sources: &[32] }.exact(&cases, |[a, ..]| reference(a));
    }
    let chopped = "mov.b32 %r, 0; st.global.b32 [%out], %r; st.global.u8 [%out], %a; st.global.b16 [%out+2], %a;\n\
                   ld.global.b32 %r, [%out];";
    Probe { text: chopped, result: 32, sources: &[32] }
        .exact(&cases, |[a, ..]| a & 0xFF | (a & 0xFFFF) << 16);
}

/// The first component of a vector lies at the lowest address.
#[test]
fn vector_accesses() {
    let input: Vec<u32> = (100..132).collect();
    let four = "{ .reg .b32 a, b, c, d; .reg .b64 at; mul.wide.u32 at, %me, 16; add.u64 at, at, %in;\n\
                ld.global.v4.u32 {a, b, c, d}, [at]; mad.lo.u32 a, b, 1000, a; mad.lo.u32 c, d, 1000, c;\n\
                mov.b64 at, {a, c}; st.global.u64 [%out], at; }";
    let word = |i: u64| (100 + 4 * i + 1000 * (101 + 4 * i)) | (102 + 4 * i + 1000 * (103 + 4 * i)) << 32;
    assert_eq!(words::<u64>(8, "", four, &input), (0..8).map(word).collect::<Vec<_>>());

    let two = "{ .reg .b32 a, b; .reg .b64 at; mul.wide.u32 at, %me, 8; add.u64 at, at, %in;\n\
               ld.global.nc.v2.b32 {a, b}, [at]; st.global.v2.b32 [%out], {b, a}; }";
    let swapped = |i: u64| (101 + 2 * i) | ((100 + 2 * i) << 32);
    assert_eq!(words::<u64>(16, "", two, &input), (0..16).map(swapped).collect::<Vec<_>>());

    let bytes = "{ .reg .b32 a, b, c, d; .reg .b64 at; mul.wide.u32 at, %me, 4; add.u64 at, at, %in;\n\
                 ld.global.v4.u8 {a, b, c, d}, [at]; st.global.v4.u8 [%out], {d, c, b, a}; }";
    let packed = [0x0403_0201u32, 0xFFEE_DDCC];
    assert_eq!(words::<u32>(2, "", bytes, &packed), packed.map(u32::swap_bytes));

    let sink = "{ .reg .f32 b, d; .reg .b32 x; ld.global.v4.f32 {_, b, _, d}, [%in]; mov.b32 x, d; st.global.b32 [%out], x; }";
    assert_eq!(words::<u32>(1, "", sink, &input), [103]);
    let doubles = "{ .reg .f64 a, b; ld.global.v2.f64 {a, b}, [%in]; st.global.f64 [%out], b; }";
    assert_eq!(words::<u64>(1, "", doubles, &[1, 2, 3, 4]), [4 << 32 | 3]);
}

#[test]
fn shared_local_and_constant_variables() {
    let declarations = ".const .align 4 .u32 table[4] = {10, 20, 30, 40};\n.global .u32 counter[2] = {7};\n\
                        .shared .align 16 .b8 pool[512];";
    // Shared memory carries a word to the other end of the block; local memory is each thread's own.
    let body = ".local .align 8 .b32 mine[4]; .reg .b32 v, at, base, i; .reg .b64 wide;\n\
        mov.u32 base, pool; shl.b32 at, %me, 2; add.u32 at, at, base; st.shared.u32 [at], %me; bar.sync 0;\n\
        sub.u32 i, 63, %me; shl.b32 at, i, 2; add.u32 at, at, base; ld.shared.u32 v, [at];\n\
        st.local.u32 [mine+8], v; mov.u32 v, 0; ld.local.u32 v, [mine+8];\n\
        and.b32 i, %me, 3; shl.b32 i, i, 2; mov.u64 wide, table; cvt.u64.u32 %word, i; add.u64 wide, wide, %word;\n\
        ld.const.u32 i, [wide]; add.u32 v, v, i; ld.const.u32 i, [table+12]; add.u32 v, v, i;\n\
        ld.global.u32 i, [counter]; add.u32 v, v, i; ld.global.u32 i, [counter+4]; add.u32 v, v, i;\n\
        st.global.u32 [%out], v;";
    let wanted: Vec<u32> = (0..64).map(|i| 63 - i + 10 * (i % 4 + 1) + 40 + 7).collect();
    assert_eq!(words::<u32>(64, declarations, body, &[]), wanted);
}

/// A generic address of a shared, local, global or constant variable reads what its own space reads.
#[test]
fn generic_addresses() {
    let declarations = ".const .u32 table[2] = {11, 22};\n.shared .align 4 .u32 word;";
    let body = ".local .align 4 .u32 mine; .reg .b32 s, l, c, g; .reg .b64 at; .reg .pred first;\n\
        setp.eq.u32 first, %me, 0; mov.u32 s, 5; @first st.shared.u32 [word], s; add.u32 l, %me, 100; st.local.u32 [mine], l; bar.sync 0;\n\
        mov.u64 at, word; cvta.shared.u64 at, at; ld.u32 s, [at]; cvta.to.shared.u64 at, at; ld.shared.u32 g, [at]; add.u32 s, s, g;\n\
        mov.u64 at, mine; cvta.local.u64 at, at; ld.u32 l, [at];\n\
        mov.u64 at, table; cvta.const.u64 at, at; ld.u32 c, [at+4];\n\
        cvta.global.u64 at, %in; ld.u32 g, [at];\n\
        add.u32 s, s, l; add.u32 s, s, c; add.u32 s, s, g; st.u32 [%out], s;";
    let wanted: Vec<u32> = (0..64).map(|i| 5 + 5 + 100 + i + 22 + 1000).collect();
    assert_eq!(words::<u32>(64, declarations, body, &[1000]), wanted);
}

/// Every lane's contribution counts, in global and in shared memory, and each lane gets the value before its own.
#[test]
fn atomics_on_one_word() {
    let rows: [(&str, u32, fn(u32, u32) -> u32); 10] = [
        ("add.u32", 5, |x, i| x.wrapping_add(i)),
        ("and.b32", 0xFFFF_FFFF, |x, i| x & (i | 0xF0)),
        ("or.b32", 0, |x, i| x | (i | 0xF0)),
        ("xor.b32", 3, |x, i| x ^ (i | 0xF0)),
        ("min.u32", 1000, |x, i| x.min(i)),
        ("max.u32", 2, |x, i| x.max(i)),
        ("min.s32", 3, |x, i| (x as i32).min(-(i as i32)) as u32),
        ("max.s32", 0xFFFF_FF00, |x, i| (x as i32).max(-(i as i32)) as u32),
        ("inc.u32", 0, |x, _| if x >= 50 { 0 } else { x + 1 }),
        ("dec.u32", 3, |x, _| if x == 0 || x > 50 { 50 } else { x - 1 }),
    ];
    for (operation, start, step) in rows {
        let value = match operation {
            "and.b32" | "or.b32" | "xor.b32" => "or.b32 v, %me, 0xF0;",
            "min.s32" | "max.s32" => "neg.s32 v, %me;",
            "inc.u32" | "dec.u32" => "mov.u32 v, 50;",
            _ => "mov.u32 v, %me;",
        };
        let wanted = (0..64).fold(start, step);
        let shared = format!(
            "{{ .reg .b32 v; .reg .pred first; setp.eq.u32 first, %me, 0; mov.u32 v, {start}; @first st.shared.u32 [word], v; bar.sync 0; {value}\n\
             red.shared.{operation} [word], v; bar.sync 0; ld.shared.u32 v, [word]; st.global.u32 [%out], v; }}"
        );
        assert_eq!(
            words::<u32>(64, ".shared .u32 word;", &shared, &[]),
            [wanted; 64],
            "red.shared.{operation}"
        );
        let global = format!(
            "{{ .reg .b32 v; {value} atom.global.{operation} v, [%in], v; bar.sync 0; ld.global.u32 v, [%in]; st.global.u32 [%out], v; }}"
        );
        assert_eq!(words::<u32>(64, "", &global, &[start]), [wanted; 64], "atom.global.{operation}");
    }
}

#[test]
fn atomics_return_the_value_before() {
    // Whatever the order of the lanes, sums of ones return each count once.
    let tickets = "{ .reg .b32 v; atom.shared.add.u32 v, [word], 1; st.global.u32 [%out], v; }";
    let declared = ".shared .u32 word;";
    let body = format!(
        "{{ .reg .b32 z; .reg .pred first; setp.eq.u32 first, %me, 0; mov.u32 z, 0; @first st.shared.u32 [word], z; bar.sync 0; }} {tickets}"
    );
    let mut found = words::<u32>(96, declared, &body, &[]);
    found.sort_unstable();
    assert_eq!(found, (0..96).collect::<Vec<_>>());

    let exchanged =
        "{ .reg .b32 v; add.u32 v, %me, 1; atom.global.exch.b32 v, [%in], v; st.global.u32 [%out], v; }";
    let mut found = words::<u32>(32, "", exchanged, &[0]);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 32, "each lane gets another's value");

    // Only one lane finds 0 and replaces it.
    let swapped =
        "{ .reg .b32 v; add.u32 v, %me, 1; atom.global.cas.b32 v, [%in], 0, v; st.global.u32 [%out], v; }";
    let found = words::<u32>(32, "", swapped, &[0]);
    assert_eq!(found.iter().filter(|&&value| value == 0).count(), 1);
}

#[test]
fn atomics_of_64_bits_and_floats() {
    let sum = "{ .reg .b64 v; cvt.u64.u32 v, %me; shl.b64 v, v, 32; red.global.add.u64 [%in], v; bar.sync 0;\n\
               ld.global.u64 v, [%in]; st.global.u64 [%out], v; }";
    assert_eq!(words::<u64>(64, "", sum, &[9, 0]), [(63 * 32) << 32 | 9; 64]);
    let floats = "{ .reg .f32 f; cvt.rn.f32.u32 f, %me; red.global.add.f32 [%in], f; bar.sync 0;\n\
                  ld.global.f32 f, [%in]; st.global.f32 [%out], f; }";
    assert_eq!(words::<f32>(64, "", floats, &[0.5f32.to_bits()]), [2016.5; 64]);
}

/// A copy of `size` bytes of which `from` are read; the rest becomes zero. `from` 0 reads nothing, wherever it points.
#[test]
fn asynchronous_copies_fill_with_zeros() {
    for (size, cache) in [(4u32, "ca"), (8, "ca"), (16, "ca"), (16, "cg")] {
        for from in [None, Some(0), Some(1), Some(size - 1), Some(size)] {
            let tail = from.map_or(String::new(), |from| format!(", {from}"));
            let source = if from == Some(0) { "0" } else { "%in" };
            let body = format!(
                "{{ .reg .b32 v, at; .reg .b64 source; mov.u64 source, {source}; mov.u32 at, pool;\n\
                 mov.u32 v, 0xFFFFFFFF; st.shared.v4.b32 [pool], {{v, v, v, v}};\n\
                 cp.async.{cache}.shared.global [at], [source], {size}{tail}; cp.async.commit_group; cp.async.wait_group 0;\n\
                 shl.b32 v, %me, 2; add.u32 at, at, v; bar.sync 0; ld.shared.u32 v, [at]; st.global.u32 [%out], v; }}"
            );
            // One warp of one thread that copies, then reads all four words.
            let body = body.replace("shl.b32 v, %me, 2; add.u32 at, at, v; bar.sync 0; ld.shared.u32 v, [at]; st.global.u32 [%out], v;",
                "{ .reg .b64 lo, hi; ld.shared.v2.b64 {lo, hi}, [pool]; xor.b64 lo, lo, hi; st.global.u64 [%out], lo; }");
            let input: [u32; 4] = [0x1413_1211, 0x2423_2221, 0x3433_3231, 0x4443_4241];
            let mut bytes = [0xFFu8; 16];
            for (i, byte) in bytes.iter_mut().enumerate().take(size as usize) {
                let copied = i < from.unwrap_or(size) as usize;
                *byte = if copied { bytemuck::cast_slice::<u32, u8>(&input)[i] } else { 0 };
            }
            let halves: [u64; 2] = bytemuck::cast(bytes);
            let found = words::<u64>(1, ".shared .align 16 .b8 pool[16];", &body, &input);
            assert_eq!(
                found,
                [halves[0] ^ halves[1]],
                "cp.async.{cache} of {size} bytes, {from:?} from the source"
            );
        }
    }
}

#[test]
fn asynchronous_copies_with_an_ignored_source() {
    let body = ".reg .pred even; .reg .b32 v, at; .reg .b64 source; and.b32 v, %me, 1; setp.eq.u32 even, v, 0;\n\
        mul.wide.u32 source, %me, 4; add.u64 source, source, %in; mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
        cp.async.ca.shared.global [at], [source], 4, even; cp.async.wait_all; ld.shared.u32 v, [at]; st.global.u32 [%out], v;";
    let input: Vec<u32> = (1..=32).collect();
    let wanted: Vec<u32> = (0..32).map(|i| if i % 2 == 0 { 0 } else { i + 1 }).collect();
    assert_eq!(words::<u32>(32, ".shared .align 16 .b8 pool[128];", body, &input), wanted);
}

/// Two stages in flight: the older is there when one group may still be pending.
#[test]
fn asynchronous_copies_in_groups() {
    let body = ".reg .b32 v, w, at; .reg .b64 source; mul.wide.u32 source, %me, 4; add.u64 source, source, %in;\n\
        mov.u32 at, pool; mad.lo.u32 at, %me, 4, at;\n\
        cp.async.ca.shared.global [at], [source], 4; cp.async.commit_group;\n\
        cp.async.ca.shared.global [at+128], [source+128], 4; cp.async.commit_group;\n\
        cp.async.wait_group 1; ld.shared.u32 v, [at]; cp.async.wait_group 0; ld.shared.u32 w, [at+128];\n\
        mad.lo.u32 v, w, 1000, v; st.global.u32 [%out], v;";
    let input: Vec<u32> = (0..64).collect();
    let wanted: Vec<u32> = (0..32).map(|i| i + 1000 * (i + 32)).collect();
    assert_eq!(words::<u32>(32, ".shared .align 16 .b8 pool[256];", body, &input), wanted);
}

/// Indices of threads and blocks in three dimensions, and what is derived from them.
#[test]
fn special_registers() {
    let text = ".visible .entry k(.param .u64 out) .reqntid 6, 5, 3 {\n\
        .reg .b32 x, y, z, i, n, lane, bx, by, bz, v; .reg .b64 to, at;\n\
        mov.u32 x, %tid.x; mov.u32 y, %tid.y; mov.u32 z, %tid.z;\n\
        mov.u32 n, %ntid.y; mad.lo.u32 i, z, n, y; mov.u32 n, %ntid.x; mad.lo.u32 i, i, n, x;\n\
        mov.u32 bx, %ctaid.x; mov.u32 by, %ctaid.y; mov.u32 bz, %ctaid.z;\n\
        mov.u32 n, %nctaid.y; mad.lo.u32 v, bz, n, by; mov.u32 n, %nctaid.x; mad.lo.u32 v, v, n, bx;\n\
        mov.u32 n, %ntid.z; mul.lo.u32 n, n, 30; mad.lo.u32 i, v, n, i; mov.u32 lane, %laneid;\n\
        mad.lo.u32 v, lane, 100000, i; mov.u32 n, %nctaid.z; mad.lo.u32 v, n, 10000000, v;\n\
        ld.param.u64 to, [out]; mul.wide.u32 at, i, 4; add.u64 to, to, at; st.global.u32 [to], v; ret; }";
    let output = device().alloc_zeroed::<u32>(90 * 24).expect("memory");
    launch(kernel(text, [6, 5, 3]), [2, 3, 4], vec![pointer(&output)]).expect("runs");
    let wanted: Vec<u32> = (0..90 * 24).map(|i| 40_000_000 + i % 90 % 32 * 100_000 + i).collect();
    assert_eq!(output.to_vec::<u32>().expect("readable"), wanted);
}

#[test]
fn lane_masks() {
    let rows: [(&str, fn(u32) -> u32); 5] = [
        ("eq", |lane| 1 << lane),
        ("lt", |lane| (1 << lane) - 1),
        ("le", |lane| (2u64 << lane) as u32 - 1),
        ("gt", |lane| !((2u64 << lane) as u32).wrapping_sub(1)),
        ("ge", |lane| !((1 << lane) - 1)),
    ];
    for (name, reference) in rows {
        let body = format!("{{ .reg .b32 v; mov.u32 v, %lanemask_{name}; st.global.u32 [%out], v; }}");
        assert_eq!(words::<u32>(32, "", &body, &[]), (0..32).map(reference).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn dynamic_shared_memory() {
    let text = ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out) .reqntid 256 {\n\
        .reg .b32 i, at, v; .reg .b64 to, wide; mov.u32 i, %tid.x; mov.u32 at, smem; mad.lo.u32 at, i, 256, at;\n\
        st.shared.u32 [at+252], i; bar.sync 0; ld.shared.u32 v, [at+252]; mov.u32 i, %tid.x;\n\
        ld.param.u64 to, [out]; mul.wide.u32 wide, i, 4; add.u64 to, to, wide; st.global.u32 [to], v; ret; }";
    let output = device().alloc_zeroed::<u32>(256).expect("memory");
    let launch = ddpm_ptx::device::Launch {
        kernel: kernel(text, [256, 1, 1]),
        grid: [1, 1, 1],
        shared_bytes: 65536,
        args: vec![pointer(&output)],
    };
    device().launch(&launch).expect("launched");
    assert_eq!(output.to_vec::<u32>().expect("readable"), (0..256).collect::<Vec<_>>());
}

/// Parameters of every type arrive, at their aligned places.
#[test]
fn parameters_of_every_type() {
    use ddpm_ptx::device::Arg;
    let text = ".visible .entry k(.param .u32 a, .param .u64 out, .param .s32 b, .param .f64 c, .param .f32 d, .param .u64 e) .reqntid 1 {\n\
        .reg .b32 u, s; .reg .b64 to, w; .reg .f64 g; .reg .f32 f; ld.param.u64 to, [out];\n\
        ld.param.u32 u, [a]; st.global.u32 [to], u; ld.param.s32 s, [b]; st.global.u32 [to+4], s;\n\
        ld.param.f64 g, [c]; st.global.f64 [to+8], g; ld.param.f32 f, [d]; st.global.f32 [to+16], f;\n\
        ld.param.u64 w, [e]; st.global.u64 [to+24], w; ret; }";
    let output = device().alloc_zeroed::<u64>(4).expect("memory");
    let args =
        vec![Arg::U32(7), pointer(&output), Arg::I32(-8), Arg::F64(2.5), Arg::F32(-0.5), Arg::U64(u64::MAX)];
    launch(kernel(text, [1, 1, 1]), [1, 1, 1], args).expect("runs");
    let found = output.to_vec::<u64>().expect("readable");
    assert_eq!(found, [7 | 0xFFFF_FFF8 << 32, 2.5f64.to_bits(), u64::from((-0.5f32).to_bits()), u64::MAX]);
}

#[test]
fn absolute_offsets_and_negative_ones() {
    let cases: Vec<Case> = (0..10).map(|i| [i, 10 * i, 0, 0]).collect();
    let text = "{ .reg .b64 at; add.u64 at, %in, 16; ld.global.b32 %r, [at+-8]; }";
    Probe { text, result: 32, sources: &[32, 32] }.exact(&cases, |[_, b, ..]| b);
}
