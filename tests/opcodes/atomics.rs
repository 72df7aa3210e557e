//! Atomic operations in every type, space and order.

use crate::common::device::device;
use crate::probe::{kernel_for, launch, pointer, words};
use crate::rounding::{BF16, F16, Rounding};

/// Whatever the order of the lanes, every contribution counts once: global, shared and generic addresses.
#[test]
fn integers_in_every_space() {
    type Step = fn(u64, u64) -> u64;
    let rows: [(&str, u64, &str, Step); 14] = [
        ("add.u32", 7, "%me", |x, i| x + i),
        ("add.s32", 7, "%me", |x, i| x + i),
        ("add.u64", 1 << 40, "%me", |x, i| x + i),
        ("min.u64", 1 << 40, "%me", |x, i| x.min(i)),
        ("max.u64", 5, "%me", |x, i| x.max(i)),
        ("min.s64", 3, "%me", |x, i| (x as i64).min(-(i as i64)) as u64),
        ("max.s64", -5i64 as u64, "%me", |x, i| (x as i64).max(-(i as i64)) as u64),
        ("and.b64", u64::MAX, "%me", |x, i| x & (i | 0xF0)),
        ("or.b64", 0, "%me", |x, i| x | (i | 0xF0)),
        ("xor.b64", 3, "%me", |x, i| x ^ (i | 0xF0)),
        ("and.b32", 0xFFFF_FFFF, "%me", |x, i| x & (i | 0xF0)),
        ("inc.u32", 0, "50", |x, _| if x >= 50 { 0 } else { x + 1 }),
        ("dec.u32", 3, "50", |x, _| if x == 0 || x > 50 { 50 } else { x - 1 }),
        ("max.u32", 5, "%me", |x, i| x.max(i)),
    ];
    for (operation, start, _, step) in rows {
        let bits = &operation[operation.len() - 2..];
        let value = match operation {
            "inc.u32" | "dec.u32" => "mov.u32 v, 50;".to_string(),
            text if text.starts_with("and") || text.starts_with("or") || text.starts_with("xor") => {
                format!("or.b{bits} v, v, 0xF0;")
            }
            "min.s64" | "max.s64" => "neg.s64 v, v;".to_string(),
            _ => String::new(),
        };
        let wanted = (0..64).fold(start, step);
        for (space, address) in [(".shared", "word"), (".shared::cta", "word"), ("", "generic")] {
            for order in ["", ".relaxed.cta", ".acq_rel.gpu"] {
                let red = if order == ".acq_rel.gpu" { "atom" } else { "red" };
                let result = if red == "atom" { "old, " } else { "" };
                let body = format!(
                    "{{ .reg .b{bits} v, old; .reg .b64 generic; .reg .pred first; mov.u64 generic, word; cvta.shared.u64 generic, generic;\n\
                     mov.b{bits} v, {start}; setp.eq.u32 first, %me, 0; @first st.shared.b{bits} [word], v; bar.sync 0; cvt.u{bits}.u32 v, %me; {value}\n\
                     {red}{order}{space}.{operation} {result}[{address}], v; bar.sync 0;\n\
                     ld.shared.u{bits} %word, [word]; st.global.u64 [%out], %word; }}"
                );
                let found = words::<u64>(64, ".shared .align 8 .b64 word;", &body, &[]);
                assert_eq!(found, [wanted; 64], "{red}{order}{space}.{operation}");
            }
        }
        let body = format!(
            "{{ .reg .b{bits} v, old; cvt.u{bits}.u32 v, %me; {value} atom.global.{operation} old, [%in], v; bar.sync 0;\n\
             ld.global.u{bits} %word, [%in]; st.global.u64 [%out], %word; }}"
        );
        let found = words::<u64>(64, "", &body, &[start as u32, (start >> 32) as u32]);
        assert_eq!(found, [wanted; 64], "atom.global.{operation}");
    }
}

/// 16, 32 and 64 bits: each of 64 threads finds its own number once and puts the next one there.
#[test]
fn compare_and_swap_in_turn() {
    for bits in [16, 32, 64] {
        let body = format!(
            "{{ .reg .b{bits} mine, next, old, zero; .reg .pred mismatch; .reg .b32 one;\n\
             cvt.u{bits}.u32 mine, %me; add.u32 one, %me, 1; cvt.u{bits}.u32 next, one;\n\
             mov.b{bits} zero, 0; @%p st.shared.b{bits} [word], zero; bar.sync 0;\n\
             again:\natom.shared.cas.b{bits} old, [word], mine, next; setp.ne.u{bits} mismatch, old, mine; @mismatch bra again;\n\
             bar.sync 0; ld.shared.u{bits} %word, [word]; st.global.u64 [%out], %word; }}"
        );
        let body = format!(".reg .pred %p; setp.eq.u32 %p, %me, 0;\n{body}");
        let found = words::<u64>(64, ".shared .align 8 .b64 word;", &body, &[]);
        assert_eq!(found, [64; 64], "cas.b{bits}");
    }
}

#[test]
fn exchanges_of_64_bits() {
    let body = "{ .reg .b64 v; cvt.u64.u32 v, %me; shl.b64 v, v, 33; atom.global.exch.b64 v, [%in], v; st.global.u64 [%out], v; }";
    let mut found = words::<u64>(64, "", body, &[1, 0]);
    found.sort_unstable();
    // All values but one come back, and the first one.
    let mut all: Vec<u64> = (0..64).map(|i| i << 33).collect();
    all.push(1);
    assert!(found.iter().all(|value| all.contains(value)));
    found.dedup();
    assert_eq!(found.len(), 64);
}

/// Sums that are exact in the format, whatever the order.
#[test]
fn sums_of_floats() {
    let sum = f64::from((0..64).sum::<i32>());
    let f64_body = "{ .reg .f64 v; cvt.rn.f64.u32 v, %me; red.shared.add.f64 [word], v; bar.sync 0; ld.shared.u64 %word, [word]; st.global.u64 [%out], %word; }";
    let start = ".reg .b64 %zero; .reg .pred %first; mov.b64 %zero, 0; setp.eq.u32 %first, %me, 0;\n\
                 @%first st.shared.b64 [word], %zero; bar.sync 0;\n";
    let found = words::<u64>(64, ".shared .align 8 .b64 word;", &format!("{start}{f64_body}"), &[]);
    assert_eq!(found, [sum.to_bits(); 64]);
    // One tid of four counts in f16, whose sums are exact up to 2048.
    let halves = "{ .reg .b16 v, old; .reg .b32 both, got; .reg .b32 n; shr.u32 n, %me, 2; cvt.rn.f16.u32 v, n; mov.b32 both, {v, v};\n\
        atom.shared.add.noftz.f16x2 got, [word], both; atom.shared.add.noftz.f16 old, [word+4], v;\n\
        red.shared.add.noftz.f16 [word+6], v; bar.sync 0; ld.shared.u64 %word, [word]; st.global.u64 [%out], %word; }";
    let found = words::<u64>(64, ".shared .align 8 .b64 word;", &format!("{start}{halves}"), &[]);
    let half = F16.bits((0..64).map(|i| f64::from(i / 4)).sum(), Rounding::Nearest);
    assert_eq!(found, [half << 48 | half << 32 | half << 16 | half; 64]);
}

/// Subnormal halves are kept, as `.noftz` says.
#[test]
fn sums_of_bf16() {
    let text = ".visible .entry k(.param .u64 x) .reqntid 32 {\n.reg .b64 at; .reg .b32 v; .reg .b16 h; ld.param.u64 at, [x];\n\
        mov.b32 v, 0x00013F80; red.global.add.noftz.bf16x2 [at], v; mov.b16 h, 0x3F80; atom.global.add.noftz.bf16 h, [at+4], h;\nret; }";
    let buffer = device().alloc_zeroed::<u32>(2).expect("memory");
    launch(kernel_for("sm_90", text, [32, 1, 1]), [1, 1, 1], vec![pointer(&buffer)]).expect("runs");
    let sum = BF16.bits(32.0, Rounding::Nearest) as u32;
    assert_eq!(buffer.to_vec::<u32>().expect("readable"), [32 << 16 | sum, sum]);
}

/// f32 sums flush subnormals in global memory and keep them in shared memory, as the hardware does.
#[test]
fn subnormal_sums() {
    let body = "{ .reg .f32 v, old; mov.f32 v, 0f00000001; red.global.add.f32 [%in], v; bar.sync 0; ld.global.u32 %v, [%in];\n\
        st.shared.f32 [word], 0f00000000; bar.sync 0; red.shared.add.f32 [word], v; bar.sync 0; ld.shared.u32 %w, [word];\n\
        mov.b64 %word, {%v, %w}; st.global.u64 [%out], %word; }";
    let body = format!(
        ".reg .b32 %v, %w; .reg .pred %first;\n{}",
        body.replace(
            "st.shared.f32 [word], 0f00000000;",
            "mov.b32 %w, 0; setp.eq.u32 %first, %me, 0; @%first st.shared.b32 [word], %w;"
        )
    );
    assert_eq!(words::<u64>(8, ".shared .align 8 .b64 word;", &body, &[0, 0]), [8 << 32; 8]);
}
