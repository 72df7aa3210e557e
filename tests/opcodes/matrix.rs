//! Matrix instructions: the layout of fragments over lanes and registers, by formula, with small integers whose
//! products and sums are exact.

use crate::probe::words;
use crate::rounding::{BF16, F16, Format, Rounding};

/// Where element `i` of a lane's fragment lies in its matrix.
type Place = fn(u32, u32) -> (u32, u32);

fn group(lane: u32) -> u32 {
    lane >> 2
}

fn member(lane: u32) -> u32 {
    lane & 3
}

struct Shape {
    name: &'static str,
    k: u32,
    /// Elements of a lane's A and B fragment.
    a: u32,
    b: u32,
    /// Bits of an element of A and B.
    bits: u32,
    a_place: Place,
    b_place: Place,
}

const SHAPES: [(&str, Shape); 3] = [
    (
        "16 by 16",
        Shape {
            name: "m16n8k16",
            k: 16,
            a: 8,
            b: 4,
            bits: 16,
            a_place: |lane, i| (group(lane) + 8 * (i >> 1 & 1), 2 * member(lane) + (i & 1) + 8 * (i >> 2)),
            b_place: |lane, i| (2 * member(lane) + (i & 1) + 8 * (i >> 1), group(lane)),
        },
    ),
    (
        "16 by 8",
        Shape {
            name: "m16n8k8",
            k: 8,
            a: 4,
            b: 2,
            bits: 16,
            a_place: |lane, i| (group(lane) + 8 * (i >> 1), 2 * member(lane) + (i & 1)),
            b_place: |lane, i| (2 * member(lane) + i, group(lane)),
        },
    ),
    (
        "tf32",
        Shape {
            name: "m16n8k8",
            k: 8,
            a: 4,
            b: 2,
            bits: 32,
            a_place: |lane, i| (group(lane) + 8 * (i & 1), member(lane) + 4 * (i >> 1)),
            b_place: |lane, i| (member(lane) + 4 * i, group(lane)),
        },
    ),
];

const TF32_SMALL: Shape = Shape {
    name: "m16n8k4",
    k: 4,
    a: 2,
    b: 1,
    bits: 32,
    a_place: |lane, i| (group(lane) + 8 * i, member(lane)),
    b_place: |lane, _| (member(lane), group(lane)),
};

fn c_place(lane: u32, i: u32) -> (u32, u32) {
    (group(lane) + 8 * (i >> 1), 2 * member(lane) + (i & 1))
}

/// Small integers without a pattern.
fn a_element(row: u32, k: u32) -> f64 {
    f64::from((row * 31 + k * 17 + row * k) % 15) - 7.0
}

fn b_element(k: u32, column: u32) -> f64 {
    f64::from((k * 13 + column * 29 + k * column * 3) % 13) - 6.0
}

fn c_element(row: u32, column: u32) -> f64 {
    f64::from(row * 8 + column) * 0.5 - 30.0
}

/// A lane's fragment in registers of 32 bits.
fn registers(count: u32, bits: u32, encode: impl Fn(u32) -> u32) -> Vec<u32> {
    if bits == 32 {
        return (0..count).map(encode).collect();
    }
    (0..count).step_by(2).map(|i| encode(i) | encode(i + 1) << 16).collect()
}

fn check(shape: &Shape, ty: &str, encode: impl Fn(f64) -> u32) {
    let mut input = Vec::new();
    for lane in 0..32 {
        input.extend(registers(shape.a, shape.bits, |i| {
            let (row, k) = (shape.a_place)(lane, i);
            encode(a_element(row, k))
        }));
        input.extend(registers(shape.b, shape.bits, |i| {
            let (k, column) = (shape.b_place)(lane, i);
            encode(b_element(k, column))
        }));
        input.extend((0..4).map(|i| {
            let (row, column) = c_place(lane, i);
            (c_element(row, column) as f32).to_bits()
        }));
    }
    let (a, b) = (shape.a * shape.bits / 32, shape.b * shape.bits / 32);
    let name = |letter: &str, count: u32| {
        let names: Vec<String> = (0..count).map(|i| format!("%{letter}{i}")).collect();
        names.join(", ")
    };
    let mut body = format!(
        ".reg .b32 %a<4>, %b<2>, %index; .reg .f32 %c<4>, %d<4>; .reg .b64 %at; mul.wide.u32 %at, %me, {}; add.u64 %at, %at, %in;\n",
        4 * (a + b + 4)
    );
    for (letter, count, first) in [("a", a, 0), ("b", b, a), ("c", 4, a + b)] {
        for i in 0..count {
            body += &format!("ld.global.b32 %{letter}{i}, [%at+{}];\n", 4 * (first + i));
        }
    }
    body += &format!(
        "mma.sync.aligned.{}.row.col.f32.{ty}.{ty}.f32 {{{}}}, {{{}}}, {{{}}}, {{{}}};\n",
        shape.name,
        name("d", 4),
        name("a", a),
        name("b", b),
        name("c", 4)
    );
    for wanted_index in 0..4 {
        let store = format!("{body}st.global.f32 [%out], %d{wanted_index};");
        let found = words::<f32>(32, "", &store, &input);
        for (lane, &got) in (0..32).zip(&found) {
            let (row, column) = c_place(lane, wanted_index);
            let product: f64 = (0..shape.k).map(|k| a_element(row, k) * b_element(k, column)).sum();
            let wanted = (product + c_element(row, column)) as f32;
            assert_eq!(got, wanted, "{} {ty}: lane {lane}, element {wanted_index}", shape.name);
        }
    }
}

fn encoded(format: Format) -> impl Fn(f64) -> u32 {
    move |value| format.bits(value, Rounding::Nearest) as u32
}

#[test]
fn products_of_16_bit_matrices() {
    for (_, shape) in &SHAPES[..2] {
        check(shape, "f16", encoded(F16));
        check(shape, "bf16", encoded(BF16));
    }
}

#[test]
fn products_of_tf32_matrices() {
    check(&SHAPES[2].1, "tf32", |value| (value as f32).to_bits());
    check(&TF32_SMALL, "tf32", |value| (value as f32).to_bits());
}

/// The low 13 bits of a tf32 operand do not count.
#[test]
fn tf32_operands_are_cut() {
    check(&SHAPES[2].1, "tf32", |value| (value as f32).to_bits() | if value == 0.0 { 0 } else { 0x1FFF });
}

/// Element (row, column) of 8-by-8 matrix `number` in shared memory.
fn cell(number: u32, row: u32, column: u32) -> u32 {
    number * 1000 + row * 10 + column
}

/// Matrices of b16 lie in shared memory with rows 48 bytes apart, in reverse order: any 16-byte aligned rows will do.
#[test]
fn ldmatrix_gives_each_lane_its_elements() {
    for count in [1u32, 2, 4] {
        for transposed in [false, true] {
            let registers: Vec<String> = (0..count).map(|i| format!("%r{i}")).collect();
            for register in 0..count {
                let body = format!(
                    ".reg .b32 %r<4>, %row, %matrix, %base, %at, %v, %i; .reg .pred %more;\n\
                     mov.u32 %base, pool; xor.b32 %at, %me, 31; mad.lo.u32 %at, %at, 48, %base;\n\
                     and.b32 %row, %me, 7; shr.u32 %matrix, %me, 3; mul.lo.u32 %v, %matrix, 1000; mad.lo.u32 %v, %row, 10, %v;\n\
                     mov.u32 %i, 0;\nnext:\nst.shared.u16 [%at], %v; add.u32 %v, %v, 1; add.u32 %at, %at, 2; add.u32 %i, %i, 1;\n\
                     setp.lt.u32 %more, %i, 8; @%more bra next;\nbar.sync 0; sub.u32 %at, %at, 16;\n\
                     ldmatrix.sync.aligned.m8n8.x{count}{}.shared.b16 {{{}}}, [%at];\nst.global.u32 [%out], %r{register};",
                    if transposed { ".trans" } else { "" },
                    registers.join(", ")
                );
                let wanted = |lane: u32| {
                    let half = |h: u32| {
                        let (row, column) = (lane >> 2, 2 * (lane & 3) + h);
                        if transposed { cell(register, column, row) } else { cell(register, row, column) }
                    };
                    half(0) | half(1) << 16
                };
                let found = words::<u32>(32, ".shared .align 16 .b8 pool[1536];", &body, &[]);
                assert_eq!(
                    found,
                    (0..32).map(wanted).collect::<Vec<_>>(),
                    "x{count} {transposed} register {register}"
                );
            }
        }
    }
}

/// A generic address of shared memory will do as well.
#[test]
fn ldmatrix_from_generic_addresses() {
    let body = ".reg .b32 %r<4>, %at, %v; .reg .b64 %generic; mul.lo.u32 %v, %me, 0x20002; add.u32 %v, %v, 0x10000;\n\
        mov.u32 %at, pool; mad.lo.u32 %at, %me, 4, %at; st.shared.b32 [%at], %v; bar.sync 0;\n\
        and.b32 %at, %me, 7; mov.u64 %generic, pool; cvta.shared.u64 %generic, %generic; mad.wide.u32 %generic, %at, 16, %generic;\n\
        ldmatrix.sync.aligned.m8n8.x1.trans.b16 {%r0}, [%generic]; st.global.u32 [%out], %r0;";
    // Half h of word w is number 2 w + h; a row has four words.
    let wanted = |lane: u32| {
        let half = |h: u32| 8 * (2 * (lane & 3) + h) + (lane >> 2);
        half(0) | half(1) << 16
    };
    let found = words::<u32>(32, ".shared .align 16 .b8 pool[128];", body, &[]);
    assert_eq!(found, (0..32).map(wanted).collect::<Vec<_>>());
}

#[test]
fn movmatrix_transposes() {
    let body = ".reg .b32 %v, %d; mul.lo.u32 %v, %me, 0x20002; add.u32 %v, %v, 0x10000;\n\
                movmatrix.sync.aligned.m8n8.trans.b16 %d, %v; st.global.u32 [%out], %d;";
    // The lane's halves hold 2 lane and 2 lane + 1: element (row, column) is 8 row + column.
    let wanted = |lane: u32| {
        let half = |h: u32| 8 * (2 * (lane & 3) + h) + (lane >> 2);
        half(0) | half(1) << 16
    };
    assert_eq!(words::<u32>(32, "", body, &[]), (0..32).map(wanted).collect::<Vec<_>>());
}
