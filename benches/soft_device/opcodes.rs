//! Warp-instructions per second of one opcode after the other.

use crate::sample::{Contestant, compete};
use ddpm_ptx::device::soft::{Level, Options, Program, Soft};
use ddpm_ptx::device::{Buffer, Device};

/// Copies of the instruction in a loop, and times that the loop is run.
const UNROLL: usize = 64;
const LOOPS: usize = 128;
const ROUNDS: usize = 9;

/// A name, and the instruction: `{k}` is the number of the copy, from 0 to 7.
const OPCODES: [(&str, &str); 29] = [
    ("fma.f32", "fma.rn.f32 %f{k}, %f8, %f9, %f{k};"),
    ("fma.f32, half of the lanes", "@%odd fma.rn.f32 %f{k}, %f8, %f9, %f{k};"),
    ("mul.ftz.f32", "mul.rn.ftz.f32 %f{k}, %f8, %f9;"),
    ("add.s32", "add.s32 %r{k}, %r{k}, %r8;"),
    ("mad.lo.s32", "mad.lo.s32 %r{k}, %r8, %r9, %r{k};"),
    ("mad.wide.u32", "mad.wide.u32 %rd{k}, %r8, %r9, %rd8;"),
    ("setp.lt.s32", "setp.lt.s32 %p{k}, %r8, %r9;"),
    ("setp.lt.f32", "setp.lt.f32 %p{k}, %f8, %f9;"),
    ("selp.f32", "selp.f32 %f{k}, %f8, %f9, %odd;"),
    ("max.f32", "max.f32 %f{k}, %f8, %f9;"),
    ("ex2.approx.ftz.f32", "ex2.approx.ftz.f32 %f{k}, %f8;"),
    ("rcp.approx.ftz.f32", "rcp.approx.ftz.f32 %f{k}, %f8;"),
    ("cvt.rn.bf16x2.f32", "cvt.rn.bf16x2.f32 %r{k}, %f8, %f9;"),
    ("cvt.rn.f16x2.f32", "cvt.rn.f16x2.f32 %r{k}, %f8, %f9;"),
    ("shfl.bfly", "shfl.sync.bfly.b32 %r{k}, %r8, 5, 31, -1;"),
    ("ld.global.b32, row", "ld.global.b32 %r{k}, [%row4];"),
    ("ld.global.b32, scattered", "ld.global.b32 %r{k}, [%far4];"),
    ("ld.global.v4, row", "ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%row16];"),
    ("ld.global.v4, scattered", "ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%far16];"),
    ("st.global.b32, row", "st.global.b32 [%row4], %r8;"),
    ("ld.global.v2, scattered", "ld.global.v2.b32 {%r0,%r1}, [%far16];"),
    ("st.global.v2, scattered", "st.global.v2.b32 [%far16], {%r8,%r9};"),
    ("st.global.v4, row", "st.global.v4.b32 [%row16], {%r8,%r9,%r8,%r9};"),
    ("ld.shared.b32, row", "ld.shared.b32 %r{k}, [%near4];"),
    ("ld.shared.v4, row", "ld.shared.v4.b32 {%r0,%r1,%r2,%r3}, [%near16];"),
    ("st.shared.v4, row", "st.shared.v4.b32 [%near16], {%r8,%r9,%r8,%r9};"),
    ("cp.async 16, row", "cp.async.cg.shared.global [%near16], [%row16], 16;"),
    ("ldmatrix.x4", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0,%r1,%r2,%r3}, [%near80];"),
    (
        "mma.m16n8k16.bf16",
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%s{k},%t{k},%u{k},%v{k}}, {%r8,%r9,%r8,%r9}, \
         {%r8,%r9}, {%s{k},%t{k},%u{k},%v{k}};",
    ),
];

fn module(instruction: &str) -> String {
    let body: String =
        (0..UNROLL).map(|copy| instruction.replace("{k}", &(copy % 8).to_string()) + "\n").collect();
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry test(.param .u64 memory)\n{{
.reg .f32 %f<10>, %s<8>, %t<8>, %u<8>, %v<8>;
.reg .b32 %r<12>, %near4, %near16, %near80, %times;
.reg .b64 %rd<10>, %row4, %row16, %far4, %far16;
.reg .pred %p<8>, %odd, %more;
.shared .align 16 .b8 cell[4096];
ld.param.u64 %row4, [memory];
mov.u32 %r10, %laneid;
mul.lo.u32 %r11, %r10, 37;
and.b32 %r11, %r11, 127;
mad.wide.u32 %far4, %r11, 4, %row4;
mad.wide.u32 %far16, %r11, 16, %row4;
mad.wide.u32 %row16, %r10, 16, %row4;
mad.wide.u32 %row4, %r10, 4, %row4;
mov.u32 %r11, cell;
mad.lo.u32 %near4, %r10, 4, %r11;
mad.lo.u32 %near16, %r10, 16, %r11;
mad.lo.u32 %near80, %r10, 80, %r11;
and.b32 %r9, %r10, 1;
setp.eq.u32 %odd, %r9, 1;
mov.b32 %r8, 0x3F803F80;
mov.b32 %r9, 0x3F803F80;
mov.b32 %f8, 0f3F000000;
mov.b32 %f9, 0f3E800000;
mov.u64 %rd8, 7;
mov.u32 %times, {LOOPS};
LOOP:
{body}sub.u32 %times, %times, 1;
setp.ne.u32 %more, %times, 0;
@%more bra LOOP;
ret;
}}
"
    )
}

struct Test {
    program: Program,
    memory: Buffer,
}

impl Test {
    fn new(instruction: &str, level: Level) -> Test {
        let soft = Soft::with(Options { level, threads: 1, ..Options::default() });
        let memory = Device::from(soft.clone()).upload(&[0u32; 1024]).expect("memory");
        let program = soft.load("opcode", &module(instruction)).expect("the module loads");
        Test { program, memory }
    }

    fn run(&self) {
        let params = self.memory.address().to_le_bytes();
        self.program.launch("test", [1; 3], [32, 1, 1], 0, &params).expect("the launch succeeds");
    }
}

/// Prints the table; `wanted` is part of the names of the opcodes.
pub fn print(wanted: &str) {
    let levels = Level::available();
    print!("{:28}", "million warp-instructions/s");
    levels.iter().for_each(|level| print!("{:>10}", level.name()));
    println!();
    for (name, instruction) in OPCODES.iter().filter(|(name, _)| name.contains(wanted)) {
        let tests: Vec<Test> = levels.iter().map(|level| Test::new(instruction, *level)).collect();
        let mut contestants: Vec<Contestant> = tests
            .iter()
            .map(|test| Contestant {
                name: String::new(),
                work: (UNROLL * LOOPS) as f64 / 1e6,
                threads: 1,
                run: Box::new(|| test.run()),
            })
            .collect();
        print!("{name:28}");
        compete(&mut contestants, ROUNDS).iter().for_each(|rates| print!("{:>10.1}", rates.median()));
        println!();
    }
}
