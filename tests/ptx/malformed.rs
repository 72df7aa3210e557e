//! Texts that are not PTX: an error that says where, never a panic, never a stack overflow.

use ddpm_ptx::ptx::{parse, typed};

/// (text, line, column, part of the message)
const MALFORMED: &[(&str, u32, u32, &str)] = &[
    ("add.u32 a, b, c;", 1, 1, "expected a directive, found `add`"),
    (".version eight", 1, 10, "a version like 8.0"),
    (".target 80", 1, 9, "a target like sm_80"),
    (".entry k() {\n  ret\n}", 3, 1, "expected an operand"),
    (".entry k() {\n  add.u32 %r1, , 2;\n}", 2, 16, "expected an operand, found `,`"),
    (".entry k() {\n  add.u32 %r1 %r2;\n}", 2, 15, "expected `;`, found `%r2`"),
    (".entry k() { ld.u32 %r1, [%r2; }", 1, 30, "expected `]`"),
    (".entry k() { ld.u32 %r1, [{%r2}]; }", 1, 27, "expected an address"),
    (".entry k() { mov.b64 {%r1, %r2, %rd1; }", 1, 37, "expected `}`"),
    (".entry k() { @ ret; }", 1, 19, "expected an instruction"),
    (".entry k() { ret;", 1, 18, "found the end of the text"),
    (".entry k() { .entry j() {} }", 1, 14, "found `.entry`"),
    (".entry k(.param .u63 x) {}", 1, 17, "expected a type, found `.u63`"),
    (".entry k(.param x) {}", 1, 17, "expected a type"),
    (".entry k(.param .u64 x .param .u64 y) {}", 1, 24, "expected `)`"),
    (".global .align 3 .b8 x[4];", 1, 16, "the alignment 3 is no power of two"),
    (".global .b8 x[-1];", 1, 15, "an array bound"),
    (".global .u32 x[2] = {{1}, 2};", 1, 22, "more braces than the array has bounds"),
    (".global .u32 x[2][2] = {{1, 2, 3}};", 1, 33, "more than 2 values in this row"),
    (".global .u32 x[1][99999999999] = {{1}};", 1, 37, "too long"),
    (".entry k() { mov.u32 %r1, 0x1FFFFFFFFFFFFFFFF; }", 1, 27, "is no number"),
    (".entry k() { mov.u32 %r1, 12abc; }", 1, 27, "`12abc` is no number"),
    (".entry k() { mov.f32 %f1, 0f3F8; }", 1, 27, "`0f3F8` is no number"),
    (".entry k() { mov.u32 %r1, 089; }", 1, 27, "`089` is no number"),
    (".entry k() { ld.u32 %r1, [%r2+1.5]; }", 1, 30, "an offset is an integer"),
    (".entry k() { ret; } /* open", 1, 21, "never closed"),
    (".pragma \"open\n\";", 1, 9, "not closed on its line"),
    (".entry k() { é }", 1, 14, "unexpected character 'é'"),
    (".entry k() { ret; }\n\u{0}", 2, 1, "unexpected character"),
    (".section .debug { 1", 1, 20, "expected `}`"),
    (".global .attribute(.managed .u32 x;", 1, 36, "expected `)`"),
];

#[test]
fn errors_say_where_and_what() {
    for &(text, line, column, message) in MALFORMED {
        let error = parse(text).expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        assert!(error.message.contains(message), "{text:?}: {error}");
    }
}

#[test]
fn errors_quote_the_offending_line() {
    let error = parse(".entry k() {\n   add.u32 %r1 %r2;\n}").expect_err("malformed");
    assert_eq!(error.to_string(), "line 2, column 16: expected `;`, found `%r2`, in `add.u32 %r1 %r2;`");
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    for open in ["{", "op {", "op [a, ", "op (", "op !", "op -", "op a|", "op {{"] {
        let text = format!(".entry k() {{ {} }}", open.repeat(200_000));
        assert!(parse(&text).is_err(), "{open}");
        let tail = open.trim_start_matches("op ");
        let text = format!(".entry k() {{ op {} }}", tail.repeat(200_000));
        assert!(parse(&text).is_err(), "op {tail}");
    }
    let text = format!(".global .u32 x[2] = {};", "{".repeat(200_000));
    assert!(parse(&text).is_err());
}

const SAMPLE: &str = "\
.version 8.0\n.target sm_80\n.extern .shared .align 16 .b8 smem[];\n.const .f32 t[2][2] = {{1.0, 0f3F800000}, {-2e3}};\n\
.visible .entry k(.param .u64 x, .param .u32 n)\n.reqntid 128,1,1\n{ // é\n  .reg .b32 %r<4>; .reg .pred p;\n\
L: @!p ld.global.nc.L2::128B.v2.f32 {%r0, _}, [%r1+-4]; /* c */\n  setp.lt.u32 p|p, %tid.x, 0x10;\n\
  call (%r0), f, (%r1, smem+4);\n  .loc 1 2 3, inlined_at 1 2 3\n  { bra L; }\n  ts: .branchtargets L;\n  ret;\n}\n";

#[test]
fn truncated_text_never_panics() {
    parse(SAMPLE).expect("the sample itself is good");
    for (end, _) in SAMPLE.char_indices() {
        let _ = parse(&SAMPLE[..end]);
    }
}

#[test]
fn damaged_text_never_panics() {
    let replacements = ["", "{", "}", "\"", "/*", "é", "0", ".", "::", ";", "-", "[", "<", "\n"];
    for (at, character) in SAMPLE.char_indices() {
        for replacement in replacements {
            let damaged = format!("{}{replacement}{}", &SAMPLE[..at], &SAMPLE[at + character.len_utf8()..]);
            if let Ok(module) = parse(&damaged) {
                let _ = typed::check(&module);
            }
        }
    }
}

#[test]
fn absurd_numbers_never_panic() {
    for text in [
        ".entry k() .maxntid 99999999999, 99999999999, 99999999999 { ret; }",
        ".entry k() .reqntid 99999999999, 2 { ret; }",
        ".entry k(.param .b8 x[99999999999], .param .b8 y[18446744073709551615]) { ret; }",
        ".entry k(.param .align 2147483648 .b8 x[1], .param .align 2147483648 .b8 y[1], .param .b8 z[4]) { ret; }",
        ".entry k() { .reg .b32 %r<4294967295>; ret; }",
        ".entry k() { .shared .b64 x[4294967296][4294967296]; ret; }",
        ".shared .b8 x[18446744073709551615]; .shared .b8 y[18446744073709551615]; .entry k() { ret; }",
        ".entry k() { .reg .b32 a; ld.shared.u32 a, [9223372036854775807+9223372036854775807]; ret; }",
        ".entry k() { .reg .b32 a; .shared .b32 x; ld.shared.u32 a, [x+9223372036854775807]; ret; }",
        ".entry k() { .reg .b32 a; mov.u32 a, -18446744073709551615; ret; }",
    ] {
        if let Ok(module) = parse(text) {
            let _ = typed::check(&module);
        }
    }
}

#[test]
fn long_texts_parse() {
    let text = format!(".entry k() {{\n{} ret; }}", "  mad.lo.u32 %r1, %r2, 3, %r4;\n".repeat(100_000));
    let module = parse(&text).expect("parses");
    assert_eq!(module.functions[0].body.as_ref().map(Vec::len), Some(100_001));
}
