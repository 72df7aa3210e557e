//! Functions: parameters, results, divergence, faults, and what is refused.

use crate::common::device::device;
use crate::probe::{kernel, launch, pointer, words};
use ddpm_ptx::device::DeviceError;

const SQUARE: &str = ".func (.param .b32 r) square(.param .b32 x) { .reg .b32 v; ld.param.b32 v, [x]; mul.lo.u32 v, v, v; st.param.b32 [r], v; ret; }";

/// The caller's sequence as compilers write it.
const CALL_SQUARE: &str =
    "{ .param .b32 a; .param .b32 r; st.param.b32 [a], v; call.uni (r), square, (a); ld.param.b32 v, [r]; }";

#[test]
fn values_in_param_variables() {
    let body =
        format!("{{ .reg .b32 v; mov.u32 v, %me;\n{CALL_SQUARE} {CALL_SQUARE} st.global.u32 [%out], v; }}");
    let wanted: Vec<u32> = (0..64).map(|i: u32| i.wrapping_pow(4)).collect();
    assert_eq!(words::<u32>(64, SQUARE, &body, &[]), wanted);
}

/// A function may be declared first and defined behind its call, and have another name.
#[test]
fn declarations_and_aliases() {
    let functions = format!(
        ".func (.param .b32 r) square(.param .b32 x);\n.visible .func (.param .b32 r) twice(.param .b32 x) {{ .reg .b32 v;\n\
         ld.param.b32 v, [x]; {CALL_SQUARE} add.u32 v, v, v; st.param.b32 [r], v; ret; }}\n{SQUARE}\n.alias other, twice;"
    );
    let body = "{ .reg .b32 v; .param .b32 a, r; st.param.b32 [a], %me; call (r), other, (a);\n\
                ld.param.b32 v, [r]; st.global.u32 [%out], v; }";
    assert_eq!(words::<u32>(32, &functions, body, &[]), (0..32).map(|i| 2 * i * i).collect::<Vec<u32>>());
}

#[test]
fn registers_predicates_and_literals() {
    let functions = ".func (.reg .b32 r, .reg .pred odd) mixed(.reg .b32 x, .param .b32 y, .reg .pred p) { .reg .b32 t;\n\
        ld.param.b32 t, [y]; add.u32 r, x, t; @p add.u32 r, r, 1000; and.b32 t, r, 1; setp.eq.u32 odd, t, 1; ret; }";
    let body = "{ .reg .b32 v; .reg .pred p, q; setp.gt.u32 p, %me, 4; call (v, q), mixed, (%me, 7, p);\n\
                @q add.u32 v, v, 10000; st.global.u32 [%out], v; }";
    let wanted = |i: u32| {
        let sum = i + 7 + if i > 4 { 1000 } else { 0 };
        sum + if sum % 2 == 1 { 10000 } else { 0 }
    };
    assert_eq!(words::<u32>(32, functions, body, &[]), (0..32).map(wanted).collect::<Vec<_>>());
}

/// A structure by value, read through its address and by parts; the result is a structure too.
#[test]
fn structures_by_value() {
    let functions = ".func (.param .align 8 .b8 r[16]) swap(.param .align 8 .b8 p[16]) { .reg .b64 at; .reg .b32 lo, hi; .reg .b64 w;\n\
        mov.b64 at, p; ld.param.b64 w, [p+8]; ld.param.v2.b32 {lo, hi}, [at]; st.param.b64 [r], w; st.param.v2.b32 [r+8], {hi, lo}; ret; }";
    let body = "{ .reg .b64 a, b; .param .align 8 .b8 x[16], y[16]; cvt.u64.u32 a, %me; shl.b64 b, a, 40; or.b64 a, a, 0x700000000;\n\
                st.param.b64 [x], a; st.param.b64 [x+8], b; call (y), swap, (x);\n\
                ld.param.b64 a, [y]; ld.param.b64 b, [y+8]; xor.b64 a, a, b; st.global.b64 [%out], a; }";
    let wanted = |i: u64| (i << 40) ^ (i << 32 | 7);
    assert_eq!(words::<u64>(32, functions, body, &[]), (0..32).map(wanted).collect::<Vec<_>>());
}

/// Lanes call under a guard, leave the function at different places, and are together behind it.
#[test]
fn divergent_calls() {
    let functions = ".func (.param .b32 r) steps(.param .b32 x) { .reg .b32 v, n; .reg .pred p; ld.param.b32 v, [x]; mov.u32 n, 0;\n\
        more: setp.eq.u32 p, v, 1; st.param.b32 [r], n; @p ret; add.u32 n, n, 1; and.b32 r0, v, 1; setp.eq.u32 p, r0, 0; @p bra even;\n\
        mad.lo.u32 v, v, 3, 1; bra more; even: shr.u32 v, v, 1; bra more; }"
        .replace("v, n;", "v, n, r0;");
    let body = "{ .reg .b32 v, n; .reg .pred p; .param .b32 a, r; add.u32 v, %me, 1; st.param.b32 [a], v; mov.u32 n, 77; and.b32 v, v, 3;\n\
                setp.ne.u32 p, v, 0; st.param.b32 [r], n; @p call (r), steps, (a); ld.param.b32 n, [r];\n\
                redux.sync.add.u32 v, n, 0xFFFFFFFF; mad.lo.u32 n, v, 1000, n; st.global.u32 [%out], n; }";
    let steps = |i: u32| {
        let (mut v, mut n) = (i + 1, 0);
        if v.is_multiple_of(4) {
            return 77;
        }
        while v != 1 {
            v = if v.is_multiple_of(2) { v / 2 } else { 3 * v + 1 };
            n += 1;
        }
        n
    };
    let total: u32 = (0..32).map(steps).sum();
    let wanted: Vec<u32> = (0..32).map(|i| 1000 * total + steps(i)).collect();
    assert_eq!(words::<u32>(32, &functions, body, &[]), wanted);
}

/// Local memory belongs to the call, shared memory to the function.
#[test]
fn memory_of_functions() {
    let functions = ".func (.param .b32 r) count(.param .b32 me, .param .b32 reset) {\n\
        .shared .b32 calls; .local .b32 own[2]; .reg .b32 v, w; .reg .pred p;\n\
        ld.param.b32 v, [me]; ld.param.b32 w, [reset]; st.local.b32 [own+4], v; setp.eq.u32 p, v, 0; setp.eq.and.u32 p, w, 1, p;\n\
        @p st.shared.b32 [calls], 0; bar.sync 0; atom.shared.add.u32 v, [calls], 1; bar.sync 0;\n\
        ld.shared.b32 v, [calls]; ld.local.b32 w, [own+4]; mad.lo.u32 v, v, 1000, w; st.param.b32 [r], v; bar.sync 0; ret; }";
    let body = "{ .reg .b32 v, w; .param .b32 r; call (r), count, (%me, 1); ld.param.b32 v, [r];\n\
                call (w), count, (%me, 0); mad.lo.u32 v, v, 1000, w; st.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..64).map(|i| (64_000 + i) * 1000 + 128_000 + i).collect();
    assert_eq!(words::<u32>(64, functions, body, &[]), wanted);
}

#[test]
fn exit_in_a_function_ends_the_thread() {
    let functions = ".func leave(.param .b32 x) { .reg .b32 v; .reg .pred p; ld.param.b32 v, [x]; setp.gt.u32 p, v, 9; @p exit; ret; }";
    let body = "{ .reg .b32 v; .param .b32 a; mov.u32 v, 5; st.global.u32 [%out], v; st.param.b32 [a], %me; call leave, (a);\n\
                mov.u32 v, 6; st.global.u32 [%out], v; }";
    let wanted: Vec<u32> = (0..32).map(|i| if i > 9 { 5 } else { 6 }).collect();
    assert_eq!(words::<u32>(32, functions, body, &[]), wanted);
}

/// The error of a launch, or of loading, of a kernel behind `functions`.
fn report(functions: &str, body: &str) -> String {
    let text = format!(
        "{functions}\n.visible .entry k(.param .u64 x) .reqntid 32 {{ .reg .b64 at, f; .reg .b32 v; .reg .pred p; .param .b32 a, r; ld.param.u64 at, [x];\n{body}\nret; }}"
    );
    let buffer = device().alloc_zeroed::<u32>(32).expect("memory");
    match launch(kernel(&text, [32, 1, 1]), [1, 1, 1], vec![pointer(&buffer)]) {
        Err(error @ (DeviceError::Fault { .. } | DeviceError::Findings { .. })) => format!("fault: {error}"),
        Err(DeviceError::Module { log, .. }) => format!("refused: {log}"),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn faults_name_the_line_of_the_function() {
    let functions = ".func read(.param .b64 x) { .reg .b64 at; .reg .b32 v;\nld.param.b64 at, [x];\nld.global.b32 v, [at+4096];\nret; }";
    let found = report(functions, "{ .param .b64 b; st.param.b64 [b], at; call read, (b); }");
    assert!(
        found.starts_with("fault:")
            && ["read of 4 bytes", "probe.ptx:3", "ld.global.b32 v"].iter().all(|part| found.contains(part)),
        "{found}"
    );
    let functions = ".extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e) .noreturn;";
    let found =
        report(functions, "setp.eq.u32 p, 1, 1;\n{ .param .b64 b; @p call __assertfail, (b, b, a, b, b); }");
    assert!(
        found.starts_with("fault:") && found.contains("trap") && found.contains("probe.ptx:4"),
        "{found}"
    );
}

#[test]
fn calls_that_are_refused() {
    let chain: String = (0..80).map(|i| format!(".func f{i}() {{ call f{}; ret; }}\n", i + 1)).collect();
    let doubling: String =
        (0..40).map(|i| format!(".func f{i}() {{ call f{0}; call f{0}; ret; }}\n", i + 1)).collect();
    for (functions, body, part) in [
        ("", "call nowhere, (a);", "3: nowhere is defined nowhere"),
        (".extern .func far(.param .b32 x);", "call far, (a);", "3: far is defined nowhere"),
        (".func f() {\ncall g; ret; }\n.func g() {\ncall f; ret; }", "call f;", "4: call: f calls itself"),
        ("", "call f, (a), proto;", "3: call: only direct calls"),
        (
            "",
            "proto: .callprototype _ (.param .b32 _); call (r), f, (a), proto;",
            "3: call: only direct calls",
        ),
        ("", "call f;", "3: call: f is no function"),
        (SQUARE, "call (r), square;", "3: call: square takes 1, not 0"),
        (SQUARE, "call square, (a);", "3: call: square takes 1, not 0"),
        (SQUARE, "{ .param .b64 w; call (r), square, (w); }", "3: call: .param w of 8 bytes does not suit x"),
        (SQUARE, "call.maybe (r), square, (a);", "3: call: unknown modifier .maybe"),
        (SQUARE, "call (5), square, (a);", "3: call"),
        (SQUARE, "call (at), square, (a);", "3: call"),
        (".func f() {\nfrobnicate.u32 x; }", "call f;", "2: frobnicate.u32: unknown opcode"),
        (&format!("{chain}.func f80() {{ ret; }}"), "call f0;", "nest more than 64 deep"),
        (&format!("{doubling}.func f40() {{ ret; }}"), "call f0;", "too long with all that it calls"),
    ] {
        let found = report(functions, body);
        assert!(found.starts_with("refused") && found.contains(part), "{body}: {found}");
    }
}
