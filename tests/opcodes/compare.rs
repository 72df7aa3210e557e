//! Comparisons, predicates and selections.

use crate::probe::{FLOATS_32, INTEGERS_16, INTEGERS_32, INTEGERS_64, Probe, combinations, f32_of};
use crate::rounding::flush;
use std::cmp::Ordering;

fn holds(comparison: &str, ordering: Ordering) -> bool {
    match comparison {
        "eq" => ordering.is_eq(),
        "ne" => ordering.is_ne(),
        "lt" | "lo" => ordering.is_lt(),
        "le" | "ls" => ordering.is_le(),
        "gt" | "hi" => ordering.is_gt(),
        _ => ordering.is_ge(),
    }
}

#[test]
fn integer_comparisons() {
    let types: [(&str, u32, &[u64], fn(u64) -> i128); 6] = [
        ("u16", 16, INTEGERS_16, i128::from),
        ("s16", 16, INTEGERS_16, |a| i128::from(a as u16 as i16)),
        ("u32", 32, INTEGERS_32, i128::from),
        ("s32", 32, INTEGERS_32, |a| i128::from(a as u32 as i32)),
        ("u64", 64, INTEGERS_64, i128::from),
        ("s64", 64, INTEGERS_64, |a| i128::from(a as i64)),
    ];
    for (ty, bits, values, value) in types {
        let unsigned = ty.starts_with('u');
        let names = if unsigned {
            &["eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"][..]
        } else {
            &["eq", "ne", "lt", "le", "gt", "ge"]
        };
        for name in names {
            let text = format!("setp.{name}.{ty} %p, %a, %b; selp.u32 %r, 1, 0, %p;");
            Probe { text: &text, result: 32, sources: &[bits, bits] }
                .exact(&combinations(values, 2), |[a, b, ..]| holds(name, value(a).cmp(&value(b))).into());
        }
    }
}

/// The plain comparisons are false on NaN, `ne` too; those with `u` are true.
#[test]
fn float_comparisons() {
    fn compare(name: &str, a: f32, b: f32) -> bool {
        match (name, a.partial_cmp(&b)) {
            ("num", ordering) => ordering.is_some(),
            ("nan", ordering) => ordering.is_none(),
            (name, None) => name.len() == 3,
            (name, Some(ordering)) => holds(&name[..2], ordering),
        }
    }
    fn probe(text: &str) -> Probe<'_> {
        Probe { text, result: 32, sources: &[32, 32] }
    }
    let names = ["eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"];
    for name in names {
        let cases = combinations(FLOATS_32, 2);
        probe(&format!("setp.{name}.f32 %p, %a, %b; selp.u32 %r, 1, 0, %p;"))
            .exact(&cases, |[a, b, ..]| compare(name, f32_of(a), f32_of(b)).into());
        probe(&format!("setp.{name}.ftz.f32 %p, %a, %b; selp.u32 %r, 1, 0, %p;"))
            .exact(&cases, |[a, b, ..]| compare(name, flush(f32_of(a)), flush(f32_of(b))).into());
        probe(&format!("set.{name}.u32.f32 %r, %a, %b;"))
            .exact(&cases, |[a, b, ..]| if compare(name, f32_of(a), f32_of(b)) { 0xFFFF_FFFF } else { 0 });
        probe(&format!("set.{name}.f32.f32 %r, %a, %b;"))
            .exact(&cases, |[a, b, ..]| if compare(name, f32_of(a), f32_of(b)) { 0x3F80_0000 } else { 0 });
    }
}

/// `setp.cmp.op p|q, a, b, c`: p takes the comparison, q its opposite, each joined with c.
#[test]
fn comparisons_joined_with_a_predicate() {
    let operations: [(&str, fn(bool, bool) -> bool); 3] =
        [("and", |a, b| a && b), ("or", |a, b| a || b), ("xor", |a, b| a != b)];
    for (name, operation) in operations {
        for negated in [false, true] {
            let c = if negated { "!c" } else { "c" };
            let text = format!(
                "{{ .reg .pred c; setp.ne.u32 c, %c, 0; setp.lt.{name}.u32 %p|%q, %a, %b, {c};\n\
                 selp.u32 %r, 1, 0, %p; selp.u32 %a, 2, 0, %q; or.b32 %r, %r, %a; }}"
            );
            let cases = combinations(&[0, 1, 2], 3);
            Probe { text: &text, result: 32, sources: &[32, 32, 32] }.exact(&cases, |[a, b, c, _]| {
                let c = (c != 0) != negated;
                u64::from(operation(a < b, c)) | u64::from(operation(a >= b, c)) << 1
            });
        }
    }
}

#[test]
fn operations_on_predicates() {
    let operations: [(&str, fn(bool, bool) -> bool); 6] = [
        ("and.pred %p, %p, %q;", |p, q| p && q),
        ("or.pred %p, %p, %q;", |p, q| p || q),
        ("xor.pred %p, %p, %q;", |p, q| p != q),
        ("not.pred %p, %p;", |p, _| !p),
        ("mov.pred %p, %q;", |_, q| q),
        ("setp.eq.or.u32 %p, 1, 2, %q;", |_, q| q),
    ];
    for (operation, reference) in operations {
        let text =
            format!("setp.ne.u32 %p, %a, 0; setp.ne.u32 %q, %b, 0; {operation} selp.u32 %r, 1, 0, %p;");
        Probe { text: &text, result: 32, sources: &[32, 32] }
            .exact(&combinations(&[0, 1], 2), |[a, b, ..]| reference(a != 0, b != 0).into());
    }
}

#[test]
fn selections() {
    let cases = combinations(INTEGERS_32, 3);
    let probe = |text| Probe { text, result: 32, sources: &[32, 32, 32] };
    probe("setp.ne.u32 %p, %c, 0; selp.b32 %r, %a, %b, %p;")
        .exact(&cases, |[a, b, c, _]| if c != 0 { a } else { b });
    probe("slct.b32.s32 %r, %a, %b, %c;")
        .exact(&cases, |[a, b, c, _]| if c as u32 as i32 >= 0 { a } else { b });
    // A negative zero counts as zero, NaN as negative.
    let floats = combinations(&[1, 2], 2);
    let floats: Vec<_> =
        floats.iter().flat_map(|&[a, b, ..]| FLOATS_32.iter().map(move |&c| [a, b, c, 0])).collect();
    probe("slct.b32.f32 %r, %a, %b, %c;").exact(&floats, |[a, b, c, _]| if f32_of(c) >= 0.0 { a } else { b });
    // Flushed, a negative subnormal counts as zero too.
    probe("slct.ftz.b32.f32 %r, %a, %b, %c;")
        .exact(&floats, |[a, b, c, _]| if f32_of(c) >= 0.0 || f32_of(c).is_subnormal() { a } else { b });
    let long = combinations(INTEGERS_64, 2);
    Probe { text: "setp.lt.u64 %p, %a, %b; selp.b64 %r, %a, %b, %p;", result: 64, sources: &[64, 64] }
        .exact(&long, |[a, b, ..]| a.min(b));
}
