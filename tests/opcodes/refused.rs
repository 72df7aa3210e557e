//! Modules that do not load: an instruction, a modifier or an operand that the device does not know is never skipped.

use crate::common::device::device;
use crate::probe::kernel;
use ddpm_ptx::device::DeviceError;

const INSTRUCTIONS: &[&str] = &[
    "frobnicate.u32 a, b;",
    "tex.2d.v4.f32.f32 {f, f, f, f}, [w, {f, f}];",
    "add.u33 a, b, c;",
    "add.rn.u32 a, b, c;",
    "add.wrap.u32 a, b, c;",
    "mul.u32 a, b, c;",
    "mad.rn.s32 a, b, c, a;",
    "add.sat.u32 a, b, c;",
    "shl.u32 a, b, c;",
    "shf.l.b32 a, b, c, a;",
    "fma.f32 f, f, f, f;",
    "fma.rn.relu.f32 f, f, f, f;",
    "add.ftz.f64 g, g, g;",
    "fma.rn.rz.f32 f, f, f, f;",
    "min.rn.f32 f, f, f;",
    "neg.rn.f32 f, f;",
    "ex2.f32 f, f;",
    "ex2.approx.rn.f32 f, f;",
    "div.f32 f, f, f;",
    "div.full.rn.f32 f, f, f;",
    "rcp.f32 f, f;",
    "cvt.u32.f32 a, f;",
    "cvt.f16.f32 h, f;",
    "setp.lt.f33 p, f, f;",
    "setp.lo.f32 p, f, f;",
    "setp.hi.s32 p, a, b;",
    "ld.global.v3.u32 {a, b, c}, [w];",
    "ld.texture.u32 a, [w];",
    "ld.global.L7::always.u32 a, [w];",
    "cp.async.cg.shared.global [a], [w], 4;",
    "cp.async.ca.shared.global [a], [w], 12;",
    "shfl.b32 a, b, 1, 31;",
    "shfl.sync.sideways.b32 a, b, 1, 31, -1;",
    "bar.sink 0;",
    "mma.sync.aligned.m16n8k99.row.col.f32.bf16.bf16.f32 {f,f,f,f}, {a,a,a,a}, {a,a}, {f,f,f,f};",
    "mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 {f,f,f,f}, {a,a,a,a}, {a,a}, {f,f,f,f};",
    "ldmatrix.sync.aligned.m8n8.x3.shared.b16 {a, b, c}, [a];",
    "wgmma.fence.sync.aligned;",
];

const OPERANDS: &[&str] = &[
    "add.u32 a, b;",
    "add.u32 a, b, c, a;",
    "add.u32 a, b, w;",
    "add.u64 w, w, a;",
    "add.u32 a, b, nowhere;",
    "add.u32 a, b, p;",
    "add.u32 5, a, b;",
    "bra nowhere;",
    "@a bra nowhere;",
    "mov.b64 {a, b, c}, w;",
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {f,f,f,f}, {a,a}, {a,a}, {f,f,f,f};",
    "st.global.u32 [p], a;",
    "ld.global.u32 a, [missing];",
    "selp.u32 a, b, c, a;",
    "mov.u32 a, %tid.q;",
    "mov.u32 a, %nonsense;",
];

const DECLARATIONS: &[&str] = &[
    ".visible .entry k() .reqntid 32 { .reg .u32 a; .reg .u32 a; ret; }",
    ".visible .entry k(.param .u64 a) .reqntid 32 { .reg .u32 a; ret; }",
    ".visible .entry k() .reqntid 32 { here: here: ret; }",
    ".visible .entry k() .reqntid 32 { ret }",
];

/// The log of a module that must not load; nothing if it loads.
fn refusal(text: &str) -> Option<String> {
    match device().prepare(kernel(text, [32, 1, 1])) {
        Err(DeviceError::Module { module, log }) => {
            assert_eq!(module, "probe");
            Some(log)
        }
        Err(other) => panic!("{text}: {other}"),
        Ok(()) => None,
    }
}

fn body_refusal(body: &str) -> Option<String> {
    refusal(&format!(
        ".visible .entry k(.param .u64 x) .reqntid 32 {{\n.reg .b16 h; .reg .b32 a, b, c; .reg .b64 w; .reg .f32 f; .reg .f64 g; .reg .pred p;\n{body}\nret; }}"
    ))
}

/// Every one of `bodies` is refused at line 3, with the part of it that `named` picks.
fn assert_refused(bodies: &[&str], named: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for body in bodies {
        match body_refusal(body) {
            None => wrong.push(format!("loads: {body}")),
            Some(log) if !log.contains("probe.ptx:3") || !log.contains(&named(body)) => {
                wrong.push(format!("{body} is refused by: {log}"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unknown_instructions_and_modifiers() {
    assert_refused(INSTRUCTIONS, |body| body.split(['.', ' ']).next().unwrap_or_default().to_string());
}

#[test]
fn wrong_operands() {
    assert_refused(OPERANDS, |_| String::new());
}

#[test]
fn wrong_declarations() {
    let loaded: Vec<_> = DECLARATIONS.iter().filter(|text| refusal(text).is_none()).collect();
    assert!(loaded.is_empty(), "{loaded:#?}");
}

#[test]
fn an_entry_that_is_not_there() {
    let error = device()
        .prepare(kernel(".visible .entry other() .reqntid 32 { ret; }", [32, 1, 1]))
        .expect_err("no k");
    assert!(matches!(error, DeviceError::NoEntry { .. }), "{error}");
}
