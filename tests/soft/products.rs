//! Runs of loads and multiply-adds, which the device does as one instruction, against the same sums in Rust.
//! The portable level executes every instruction by itself.

use crate::harness::{REGISTERS, module, soft};
use ddpm_ptx::device::soft::Level;
use ddpm_ptx::device::{Device, DeviceError};

fn value(index: usize) -> f32 {
    (((index * 2_654_435_761) >> 7) % 2003) as f32 / 701.0 - 1.4
}

/// What a run looks like.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    steps: usize,
    /// Bytes between the fragments of neighbouring threads.
    a_pitch: usize,
    b_pitch: usize,
}

const WORDS: usize = 2048;

/// Loads 2048 words of shared memory, then `steps` times two fragments and their outer product; the sums and
/// the last fragments go to `y`, a row of `rows * columns + rows + columns` words for each thread.
fn kernel(shape: Shape, before: &str) -> String {
    let Shape { rows, columns, steps, a_pitch, b_pitch } = shape;
    let row = rows * columns + rows + columns;
    let mut text = format!(
        "{REGISTERS}
.reg .f32 %s<64>, %a<8>, %b<8>;
.reg .b32 i;
.reg .pred %more;
.shared .align 16 .b32 cell[{WORDS}];
ld.param.u64 %rd0, [x];
ld.param.u64 %rd1, [y];
mov.u32 %r0, %tid.x;
mov.u32 %r1, cell;
mov.u32 i, %r0;
FILL:
mad.wide.u32 %rd2, i, 4, %rd0;
ld.global.f32 %f0, [%rd2];
mad.lo.u32 %r2, i, 4, %r1;
st.shared.f32 [%r2], %f0;
mov.u32 %r3, %ntid.x;
add.u32 i, i, %r3;
setp.lt.u32 %more, i, {WORDS};
@%more bra FILL;
bar.sync 0;
and.b32 %r4, %r0, 15;
shr.u32 %r5, %r0, 4;
mad.lo.u32 %r6, %r5, {a_pitch}, %r1;
mad.lo.u32 %r7, %r4, {b_pitch}, %r1;
mov.f32 %a7, 0f3F000000;
"
    );
    for k in 0..rows * columns {
        text.push_str(&format!("mov.f32 %s{k}, 0f00000000;\n"));
    }
    text.push_str(before);
    for step in 0..steps {
        for (name, count, from) in [("a", rows, "%r6"), ("b", columns, "%r7")] {
            for four in (0..count.div_ceil(4)).map(|k| 4 * k) {
                let offset = 16 * (step + four * 8);
                let [w, x, y, z] = [0, 1, 2, 3].map(|k| format!("%{name}{}", four + k));
                text.push_str(&format!("ld.shared.v4.f32 {{{w}, {x}, {y}, {z}}}, [{from}+{offset}];\n"));
            }
        }
        for r in 0..rows {
            for c in 0..columns {
                let k = r * columns + c;
                text.push_str(&format!("fma.rn.f32 %s{k}, %a{r}, %b{c}, %s{k};\n"));
            }
        }
    }
    text.push_str(&format!("mul.lo.u32 %r8, %r0, {row};\nmad.wide.u32 %rd1, %r8, 4, %rd1;\n"));
    let names = (0..rows * columns).map(|k| format!("%s{k}"));
    let names =
        names.chain((0..rows).map(|k| format!("%a{k}"))).chain((0..columns).map(|k| format!("%b{k}")));
    for (k, name) in names.enumerate() {
        text.push_str(&format!("st.global.f32 [%rd1+{}], {name};\n", 4 * k));
    }
    module(".param .u64 x, .param .u64 y", &text)
}

fn expected(shape: Shape, thread: usize, data: &[f32]) -> Vec<f32> {
    let Shape { rows, columns, steps, a_pitch, b_pitch } = shape;
    let mut sums = vec![0f32; rows * columns];
    let (mut a, mut b) = (vec![0.0; rows], vec![0.0; columns]);
    for step in 0..steps {
        let word = |start: usize, k: usize| data[start / 4 + 4 * (step + k / 4 * 4 * 8) + k % 4];
        a = (0..rows).map(|k| word(thread / 16 * a_pitch, k)).collect();
        b = (0..columns).map(|k| word(thread % 16 * b_pitch, k)).collect();
        for r in 0..rows {
            for c in 0..columns {
                sums[r * columns + c] = a[r].mul_add(b[c], sums[r * columns + c]);
            }
        }
    }
    [sums, a, b].concat()
}

fn run(level: Level, shape: Shape, before: &str, threads: usize) -> Result<Vec<f32>, DeviceError> {
    let soft = soft(level);
    let device = Device::from(soft.clone());
    let data: Vec<f32> = (0..WORDS).map(value).collect();
    let x = device.upload(&data)?;
    let row = shape.rows * shape.columns + shape.rows + shape.columns;
    let y = device.upload(&vec![f32::NAN; threads * row])?;
    let program = soft.load("product", &kernel(shape, before))?;
    let params = [x.address().to_le_bytes(), y.address().to_le_bytes()].concat();
    program.launch("test", [1; 3], [threads as u32, 1, 1], 0, &params)?;
    y.to_vec()
}

#[test]
fn sums_and_last_fragments() {
    let data: Vec<f32> = (0..WORDS).map(value).collect();
    let shapes = [
        (4, 4, 5, 16, 16),
        (8, 8, 3, 48, 16),
        (8, 8, 9, 0, 32),
        (4, 8, 16, 16, 16),
        (8, 4, 2, 16, 0),
        (2, 4, 6, 32, 16),
        (3, 6, 4, 16, 16),
        (1, 8, 4, 16, 48),
    ];
    for (rows, columns, steps, a_pitch, b_pitch) in shapes {
        let shape = Shape { rows, columns, steps, a_pitch, b_pitch };
        // 40 threads: the second warp is not full and executes the single instructions.
        for threads in [64, 40] {
            let wanted: Vec<f32> = (0..threads).flat_map(|thread| expected(shape, thread, &data)).collect();
            for level in Level::available() {
                let found = run(level, shape, "", threads).unwrap();
                assert!(found == wanted, "{rows}×{columns}, {steps} steps, {threads} threads, {level:?}");
            }
        }
    }
}

/// Half of the lanes skip the run.
#[test]
fn a_branch_around_the_run() {
    let shape = Shape { rows: 4, columns: 4, steps: 3, a_pitch: 16, b_pitch: 16 };
    let data: Vec<f32> = (0..WORDS).map(value).collect();
    let before = "and.b32 %r9, %r0, 1;\nsetp.eq.u32 %p5, %r9, 0;\n@%p5 exit;\n";
    for level in Level::available() {
        let found = run(level, shape, before, 32).unwrap();
        for thread in 0..32 {
            let row = &found[24 * thread..][..24];
            match thread % 2 {
                0 => assert!(row.iter().all(|x| x.is_nan())),
                _ => assert_eq!(row, expected(shape, thread, &data)),
            }
        }
    }
}

/// The instruction and the thread that read past the end are named, as without the run.
#[test]
fn a_fault_inside_the_run() {
    let shape = Shape { rows: 4, columns: 4, steps: 3, a_pitch: 16, b_pitch: 16 };
    for level in Level::available() {
        let error = run(level, shape, "mad.lo.u32 %r7, %r4, 16, 7936;\n", 32).unwrap_err().to_string();
        assert!(error.contains("thread (15, 0, 0)") && error.contains("[%r7+16]"), "{level:?}: {error}");
    }
}
