//! What the device does not know it refuses, with the line; it skips nothing.

use crate::harness::{REGISTERS, best, module};

fn refused(body: &str) -> String {
    match best().load("bad", &module("", &format!("{REGISTERS}\n{body}"))) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{body} was accepted"),
    }
}

#[test]
fn unknown_opcodes_modifiers_and_operands() {
    assert!(refused("frobnicate.f32 %f0, %f1;").contains("unknown opcode frobnicate"));
    assert!(refused("add.rn.wibble.f32 %f0, %f1, %f2;").contains("unknown modifier .wibble"));
    assert!(refused("add.f32 %f0, %f1;").contains("takes 3 operands, not 2"));
    assert!(refused("add.f32 %f0, %f1, %f99;").contains("%f99 is not declared"));
    assert!(refused("add.u32 %r0, %rd1, %r2;").contains("%rd1 is .b64"));
    assert!(refused("setp.frob.u32 %p0, %r1, %r2;").contains("needs one of"));
    assert!(refused("bra NOWHERE;").contains("there is no label NOWHERE"));
    assert!(refused("cvt.s32.f32 %r0, %f0;").contains("needs a rounding modifier"));
    assert!(
        refused("mma.sync.aligned.m16n8k16.row.row.f32.bf16.bf16.f32 {%f0}, {%r0}, {%r0}, {%f0};")
            .contains(".row")
    );
}

#[test]
fn the_message_has_the_line_and_its_text() {
    let message = refused("add.u32 %r0, %r1, %r2;\nadd.u33 %r0, %r1, %r2;");
    assert!(message.contains("bad:13") && message.contains("add.u33 %r0, %r1, %r2;"), "{message}");
}
