//! Modules that do not load: an instruction, a modifier or an operand that the device does not know is never skipped.

use crate::common::device::device;
use crate::probe::kernel;
use ddpm_ptx::device::DeviceError;

/// The log of a module that must not load.
fn refusal(text: &str) -> String {
    match device().prepare(kernel(text, [32, 1, 1])) {
        Err(DeviceError::Module { module, log }) => {
            assert_eq!(module, "probe");
            log
        }
        Err(other) => panic!("{text}: {other}"),
        Ok(()) => panic!("loaded: {text}"),
    }
}

fn refused_body(body: &str) -> String {
    refusal(&format!(
        ".visible .entry k(.param .u64 x) .reqntid 32 {{\n.reg .b16 h; .reg .b32 a, b, c; .reg .b64 w; .reg .f32 f; .reg .f64 g; .reg .pred p;\n{body}\nret; }}"
    ))
}

#[test]
fn unknown_instructions_and_modifiers() {
    for body in [
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
        "ex2.f32 f, f;",
        "rcp.f32 f, f;",
        "cvt.u32.f32 a, f;",
        "cvt.f16.f32 h, f;",
        "setp.lt.f33 p, f, f;",
        "setp.lo.f32 p, f, f;",
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
    ] {
        let log = refused_body(body);
        let opcode = body.split(['.', ' ']).next().expect("an opcode");
        assert!(log.contains(opcode), "{body}: {log}");
        assert!(log.contains("probe.ptx:3"), "{body}: {log}");
    }
}

#[test]
fn wrong_operands() {
    for body in [
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
    ] {
        assert!(refused_body(body).contains("probe.ptx:3"), "{body}");
    }
}

#[test]
fn wrong_declarations() {
    for text in [
        ".visible .entry k() .reqntid 32 { .reg .u32 a; .reg .u32 a; ret; }",
        ".visible .entry k(.param .u64 a) .reqntid 32 { .reg .u32 a; ret; }",
        ".visible .entry k() .reqntid 32 { here: here: ret; }",
        ".visible .entry k() .reqntid 32 { .reg .b128 big; ret; }",
        ".visible .entry k() .reqntid 32 { ret }",
    ] {
        refusal(text);
    }
}

#[test]
fn an_entry_that_is_not_there() {
    let error = device()
        .prepare(kernel(".visible .entry other() .reqntid 32 { ret; }", [32, 1, 1]))
        .expect_err("no k");
    assert!(matches!(error, DeviceError::NoEntry { .. }), "{error}");
}
