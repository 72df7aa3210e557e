//! `mma`, `ldmatrix` and `movmatrix`: layouts against the tables of the PTX manual, sums in the defined order.

use crate::harness::{grid, lanes, soft};
use ddpm_ptx::device::soft::Level;
use half::bf16;

fn small(seed: usize, index: usize) -> f32 {
    ((index * 37 + seed * 101) % 61) as f32 / 16.0 - 1.9
}

/// m16n8k16 with bf16: every level gives D = C + (even sum + odd sum), each sum ascending and fused.
#[test]
fn bf16_product() {
    let a: Vec<Vec<f32>> =
        (0..16).map(|r| (0..16).map(|k| bf16::from_f32(small(1, r * 16 + k)).to_f32()).collect()).collect();
    let b: Vec<Vec<f32>> =
        (0..16).map(|k| (0..8).map(|n| bf16::from_f32(small(2, k * 8 + n)).to_f32()).collect()).collect();
    let c = |row: usize, column: usize| small(3, row * 8 + column);
    let pair = |low: f32, high: f32| {
        u32::from(bf16::from_f32(low).to_bits()) | u32::from(bf16::from_f32(high).to_bits()) << 16
    };
    let a_register = |i: usize| -> [u32; 32] {
        std::array::from_fn(|lane| {
            let (row, k) = (lane / 4 + 8 * (i & 1), 2 * (lane % 4) + 8 * (i >> 1));
            pair(a[row][k], a[row][k + 1])
        })
    };
    let b_register = |i: usize| -> [u32; 32] {
        std::array::from_fn(|lane| {
            let (k, n) = (2 * (lane % 4) + 8 * i, lane / 4);
            pair(b[k][n], b[k + 1][n])
        })
    };
    let place = |lane: usize, i: usize| (lane / 4 + 8 * (i >> 1), 2 * (lane % 4) + (i & 1));
    let c_register = |i: usize| -> [u32; 32] {
        std::array::from_fn(|lane| {
            let (row, column) = place(lane, i);
            c(row, column).to_bits()
        })
    };
    let inputs: Vec<[u32; 32]> =
        (0..4).map(a_register).chain((0..2).map(b_register)).chain((0..4).map(c_register)).collect();
    let inputs: Vec<&[u32; 32]> = inputs.iter().collect();
    for level in Level::available() {
        for i in 0..4 {
            let body = format!(
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{%f0, %f1, %f2, %f3}}, {{in0, in1, in2, in3}}, \
                 {{in4, in5}}, {{in6, in7, in8, in9}};\nmov.b32 out, %f{i};"
            );
            let out: [u32; 32] = lanes(&soft(level), &body, &inputs).unwrap();
            for (lane, got) in out.into_iter().enumerate() {
                let (row, column) = place(lane, i);
                let sum = |odd: usize| {
                    (0..8).fold(0f32, |s, k| a[row][2 * k + odd].mul_add(b[2 * k + odd][column], s))
                };
                let expected = c(row, column) + (sum(0) + sum(1));
                assert_eq!(f32::from_bits(got), expected, "{level:?}, row {row}, column {column}");
            }
        }
    }
}

/// Two right factors that one `ldmatrix.trans` loads from the rows of a 16 x 16 matrix, whose columns they are.
#[test]
fn product_with_columns() {
    let a = |row: usize, k: usize| ((row * 3 + k * 5) % 11) as f32 - 5.0;
    let b = |k: usize, n: usize| ((k * 7 + n * 2) % 13) as f32 - 6.0;
    let pair = |x: [f32; 2]| {
        x.map(|x| u32::from(bf16::from_f32(x).to_bits())).into_iter().rev().fold(0, |w, x| w << 16 | x)
    };
    let mut inputs: Vec<[u32; 32]> = Vec::new();
    for i in 0..4 {
        inputs.push(std::array::from_fn(|l| {
            let (row, k) = (l / 4 + 8 * (i & 1), 2 * (l % 4) + 8 * (i >> 1));
            pair([a(row, k), a(row, k + 1)])
        }));
    }
    // Lane l holds half a row of b.
    for i in 0..4 {
        inputs.push(std::array::from_fn(|l| {
            let (k, n) = (l / 2, 8 * (l % 2) + 2 * i);
            pair([b(k, n), b(k, n + 1)])
        }));
    }
    let inputs: Vec<&[u32; 32]> = inputs.iter().collect();
    let clear: String = (0..8).map(|i| format!("mov.f32 %f{i}, 0f00000000;\n")).collect();
    for level in Level::available() {
        for i in 0..8 {
            let body = format!(
                "
    .shared .align 16 .b8 cell[512];
    mov.u32 %r0, %laneid;
    mov.u32 %r1, cell;
    mad.lo.u32 %r2, %r0, 16, %r1;
    st.shared.v4.b32 [%r2], {{in4, in5, in6, in7}};
    bar.warp.sync -1;
    and.b32 %r2, %r0, 15;
    shr.u32 %r3, %r0, 4;
    mad.lo.u32 %r1, %r2, 32, %r1;
    mad.lo.u32 %r1, %r3, 16, %r1;
    {clear}
    ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {{%r10, %r11, %r12, %r13}}, [%r1];
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{%f0, %f1, %f2, %f3}}, {{in0, in1, in2, in3}},
        {{%r10, %r11}}, {{%f0, %f1, %f2, %f3}};
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{%f4, %f5, %f6, %f7}}, {{in0, in1, in2, in3}},
        {{%r12, %r13}}, {{%f4, %f5, %f6, %f7}};
    mov.b32 out, %f{i};"
            );
            let out: [u32; 32] = lanes(&soft(level), &body, &inputs).unwrap();
            for (lane, got) in out.into_iter().enumerate() {
                let (row, n) = (lane / 4 + 8 * (i % 4 / 2), 8 * (i / 4) + 2 * (lane % 4) + i % 2);
                let expected: f32 = (0..16).map(|k| a(row, k) * b(k, n)).sum();
                assert_eq!(f32::from_bits(got), expected, "{level:?}, row {row}, column {n}");
            }
        }
    }
}

/// m16n8k8 with tf32: small integers are exact in any order.
#[test]
fn tf32_product() {
    let a = |row: usize, k: usize| ((row * 3 + k * 5) % 11) as f32 - 5.0;
    let b = |k: usize, n: usize| ((k * 7 + n * 2) % 13) as f32 - 6.0;
    let mut inputs: Vec<[u32; 32]> = Vec::new();
    for i in 0..4 {
        inputs.push(std::array::from_fn(|l| a(l / 4 + 8 * (i & 1), l % 4 + 4 * (i >> 1)).to_bits()));
    }
    for i in 0..2 {
        inputs.push(std::array::from_fn(|l| b(l % 4 + 4 * i, l / 4).to_bits()));
    }
    let inputs: Vec<&[u32; 32]> = inputs.iter().collect();
    for i in 0..4 {
        let body = format!(
            "mov.f32 %f4, 0f3F800000;\nmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {{%f0, %f1, %f2, %f3}}, \
             {{in0, in1, in2, in3}}, {{in4, in5}}, {{%f4, %f4, %f4, %f4}};\nmov.b32 out, %f{i};"
        );
        let out: [u32; 32] = lanes(&soft(Level::detect()), &body, &inputs).unwrap();
        for (lane, got) in out.into_iter().enumerate() {
            let (row, n) = (lane / 4 + 8 * (i >> 1), 2 * (lane % 4) + (i & 1));
            let expected: f32 = (0..8).map(|k| a(row, k) * b(k, n)).sum::<f32>() + 1.0;
            assert_eq!(f32::from_bits(got), expected);
        }
    }
}

/// Loads four matrices of rising numbers, plain or transposed.
#[test]
fn load_matrix() {
    for transposed in [false, true] {
        let body = format!(
            "
    .shared .align 16 .b8 cell[512];
    mov.u32 %r0, %laneid;
    mov.u32 %r1, cell;
    shl.b32 %r2, %r0, 3;
    mad.lo.u32 %r3, %r2, 65537, 65536;
    mad.lo.u32 %r4, %r0, 16, %r1;
    add.u32 %r5, %r3, 0x20002;
    add.u32 %r6, %r3, 0x40004;
    add.u32 %r7, %r3, 0x60006;
    st.shared.v4.b32 [%r4], {{%r3, %r5, %r6, %r7}};
    bar.warp.sync -1;
    ldmatrix.sync.aligned.m8n8.x4{}.shared.b16 {{%r10, %r11, %r12, %r13}}, [%r4];
    mad.wide.u32 %rd1, %r0, 16, %rd0;
    st.global.v4.b32 [%rd1], {{%r10, %r11, %r12, %r13}};",
            if transposed { ".trans" } else { "" }
        );
        let out: Vec<u32> = grid(&soft(Level::detect()), &body, [1; 3], [32, 1, 1], 128).unwrap();
        // Element (row, column) of matrix m is 64 m + 8 row + column.
        for lane in 0..32 {
            for m in 0..4 {
                let element = |half: usize| {
                    let (row, column) = (lane >> 2, 2 * (lane & 3) + half);
                    let (row, column) = if transposed { (column, row) } else { (row, column) };
                    (64 * m + 8 * row + column) as u32
                };
                assert_eq!(out[4 * lane + m], element(0) | element(1) << 16, "lane {lane}, matrix {m}");
            }
        }
    }
}

#[test]
fn move_matrix_transposes() {
    let a: [u32; 32] = std::array::from_fn(|lane| (2 * lane) as u32 | (2 * lane as u32 + 1) << 16);
    let out: [u32; 32] =
        lanes(&soft(Level::detect()), "movmatrix.sync.aligned.m8n8.trans.b16 out, in0;", &[&a]).unwrap();
    for (lane, got) in out.into_iter().enumerate() {
        let element = |half: usize| (8 * (2 * (lane & 3) + half) + (lane >> 2)) as u32;
        assert_eq!(got, element(0) | element(1) << 16);
    }
}
