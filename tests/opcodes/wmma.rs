//! `wmma`: every layout, type and place of a fragment, against integers that all types hold exactly.

use crate::common::device::device;
use crate::probe::{kernel, launch, pointer};

/// A product D = A B + C of 16 x 16 matrices with K columns of A: types, layouts, and strides above the smallest.
struct Case {
    k: usize,
    /// Types of A and B, and of C and D.
    ty: &'static str,
    sum: &'static str,
    /// Bits of an element of A and of C.
    bits: [usize; 2],
    registers: [usize; 2],
    /// Whether A, B, C and D lie by rows.
    rows: [bool; 4],
    shared: bool,
}

const PADDING: usize = 8;

impl Case {
    fn layout(&self, matrix: usize) -> &'static str {
        if self.rows[matrix] { "row" } else { "col" }
    }

    /// Rows and columns of A, B, C and D.
    fn extents(&self, matrix: usize) -> [usize; 2] {
        match matrix {
            0 => [16, self.k],
            1 => [self.k, 16],
            _ => [16, 16],
        }
    }

    fn stride(&self, matrix: usize) -> usize {
        self.extents(matrix)[usize::from(self.rows[matrix])] + PADDING
    }

    /// Bytes of a matrix with its padding.
    fn bytes(&self, matrix: usize) -> usize {
        let lines = self.extents(matrix)[usize::from(!self.rows[matrix])];
        lines * self.stride(matrix) * self.element(matrix)
    }

    fn element(&self, matrix: usize) -> usize {
        self.bits[usize::from(matrix > 1)] / 8
    }

    fn index(&self, matrix: usize, row: usize, column: usize) -> usize {
        let (outer, inner) = if self.rows[matrix] { (row, column) } else { (column, row) };
        (outer * self.stride(matrix) + inner) * self.element(matrix)
    }

    fn ptx(&self) -> String {
        let list = |name: &str, count: usize| {
            let names: Vec<_> = (0..count).map(|i| format!("{name}{i}")).collect();
            format!("{{{}}}", names.join(", "))
        };
        let (m, ty, sum) = (format!("m16n16k{}", self.k), self.ty, self.sum);
        let [a, b, c] =
            [list("a", self.registers[0]), list("b", self.registers[0]), list("c", self.registers[1])];
        let [la, lb, lc, ld] = [0, 1, 2, 3].map(|matrix| self.layout(matrix));
        let [sa, sb, sc, sd] = [0, 1, 2, 3].map(|matrix| self.stride(matrix));
        let types = if ty == "f16" { format!("{sum}.{sum}") } else { format!("f32.{ty}.{ty}.f32") };
        // Through shared memory A is copied first, word by word.
        let words = self.bytes(0) / 4;
        let (copy, space, at_a) = match self.shared {
            true => (
                format!(
                    "mov.u32 i, %tid.x;\ncopy: mul.wide.u32 w, i, 4; add.u64 w, w, at0; ld.global.b32 t, [w]; shl.b32 j, i, 2;\n\
                     mov.u32 s, pool; add.u32 j, j, s; st.shared.b32 [j], t; add.u32 i, i, 32; setp.lt.u32 p, i, {words}; @p bra copy;\n\
                     bar.warp.sync -1;"
                ),
                ".shared",
                "pool",
            ),
            false => (String::new(), "", "at0"),
        };
        format!(
            ".shared .align 32 .b8 pool[4096];\n.visible .entry k(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3) .reqntid 32 {{\n\
             .reg .b64 at<4>, w; .reg .b32 a<8>, b<8>, c<8>, i, j, s, t, stride; .reg .pred p;\n\
             ld.param.u64 at0, [p0]; ld.param.u64 at1, [p1]; ld.param.u64 at2, [p2]; ld.param.u64 at3, [p3];\n{copy}\n\
             mov.u32 stride, {sb}; add.u64 at1, at1, -64;\n\
             wmma.load.a.sync.aligned.{la}.{m}{space}.{ty} {a}, [{at_a}], {sa};\n\
             wmma.load.b.sync.aligned.{lb}.{m}.global.{ty} {b}, [at1+64], stride;\n\
             wmma.load.c.sync.aligned.{lc}.{m}.global.{sum} {c}, [at2], {sc};\n\
             wmma.mma.sync.aligned.{la}.{lb}.{m}.{types} {c}, {a}, {b}, {c};\n\
             wmma.store.d.sync.aligned.{ld}.{m}.global.{sum} [at3], {c}, {sd};\nret; }}"
        )
    }

    /// A small integer of A, B or C.
    fn value(matrix: usize, row: usize, column: usize) -> i32 {
        ((row * 7 + column * 3 + matrix * 5) % 9) as i32 - 4
    }

    fn check(&self) {
        let fill = |matrix: usize| {
            let mut bytes = vec![0xFF; self.bytes(matrix)];
            let [rows, columns] = self.extents(matrix);
            let bits = |value: i32| encoded(if matrix > 1 { self.sum } else { self.ty }, value);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let at = self.index(matrix, row, column);
                let size = self.element(matrix);
                bytes[at..at + size]
                    .copy_from_slice(&bits(Case::value(matrix, row, column)).to_le_bytes()[..size]);
            }
            device().upload(&bytes).expect("memory")
        };
        let (a, b, c) = (fill(0), fill(1), fill(2));
        let d = device().alloc::<u8>(self.bytes(3)).expect("memory");
        let args = [&a, &b, &c, &d].map(pointer).to_vec();
        let text = self.ptx();
        launch(kernel(&text, [32, 1, 1]), [1, 1, 1], args).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let found = d.to_vec::<u8>().expect("readable");
        for (row, column) in (0..16).flat_map(|row| (0..16).map(move |column| (row, column))) {
            let terms = (0..self.k).map(|k| Case::value(0, row, k) * Case::value(1, k, column));
            let wanted = encoded(self.sum, Case::value(2, row, column) + terms.sum::<i32>());
            let (at, size) = (self.index(3, row, column), self.element(3));
            assert_eq!(
                found[at..at + size],
                wanted.to_le_bytes()[..size],
                "row {row}, column {column} of\n{text}"
            );
        }
    }
}

/// A small integer in f16, bf16, tf32 or f32.
fn encoded(ty: &str, value: i32) -> u32 {
    let bits = (value as f32).to_bits();
    match ty {
        "f16" if value == 0 => 0,
        "f16" => bits >> 16 & 0x8000 | ((bits >> 23 & 0xFF) - 112) << 10 | bits >> 13 & 0x3FF,
        "bf16" => bits >> 16,
        _ => bits,
    }
}

#[test]
fn all_layouts_and_types() {
    let types = [
        (16, "f16", "f32", [16, 32], [8, 8]),
        (16, "f16", "f16", [16, 16], [8, 4]),
        (16, "bf16", "f32", [16, 32], [4, 8]),
        (8, "tf32", "f32", [32, 32], [4, 8]),
    ];
    for (k, ty, sum, bits, registers) in types {
        for layouts in 0..16 {
            let rows = [0, 1, 2, 3].map(|matrix| layouts >> matrix & 1 != 0);
            for shared in [false, true] {
                Case { k, ty, sum, bits, registers, rows, shared }.check();
            }
        }
    }
}
