//! Runs PTX that a test writes, and single instructions over tables of operands.

use crate::common::device::device;
use ddpm_ptx::device::{Access, Arg, Buffer, DeviceError, Element, Kernel, Launch, ModuleSource, Place};

/// A kernel from the text behind the preamble; its single entry is called `k`. Lines of the text count from 1, the
/// origin of each, in a file `probe.ptx`.
pub fn kernel(body: &str, block: [u32; 3]) -> &'static Kernel {
    kernel_for("sm_80", body, block)
}

/// As [`kernel`], for another target.
pub fn kernel_for(target: &str, body: &str, block: [u32; 3]) -> &'static Kernel {
    let ptx = format!(".version 8.0\n.target {target}\n.address_size 64\n{body}\n");
    let params =
        ddpm_ptx::ptx::parse(&ptx).map_or(0, |module| module.functions.last().map_or(0, |k| k.params.len()));
    let lines = ptx.lines().count() as u32;
    let module = ModuleSource {
        name: "probe",
        ptx: ptx.leak(),
        cubins: &[],
        origins: (1..=lines).map(|line| (0, line.saturating_sub(3).max(1))).collect::<Vec<_>>().leak(),
        files: &["probe.ptx"],
    };
    const NAMES: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    Box::leak(Box::new(Kernel {
        module: Box::leak(Box::new(module)),
        entry: "k",
        block,
        params: &NAMES[..params],
        doc: "",
    }))
}

/// A pointer argument that reads and writes.
pub fn pointer(buffer: &Buffer) -> Arg {
    Arg::Pointer(Place::Address(buffer.address()), Access::ReadWrite)
}

/// Runs a kernel to its end.
pub fn launch(kernel: &'static Kernel, grid: [u32; 3], args: Vec<Arg>) -> Result<(), DeviceError> {
    device().launch(&Launch { kernel, grid, shared_bytes: 0, args })?;
    device().synchronize()
}

/// Runs one block whose threads each leave one word: `body` has the thread's index in `%me`, the address of
/// the input in `%in`, that of the thread's word of output in `%out`, and declares what else it needs.
pub fn words<T: Element>(threads: u32, declarations: &str, body: &str, input: &[u32]) -> Vec<T> {
    let text = format!(
        "{declarations}\n.visible .entry k(.param .u64 in, .param .u64 out) .reqntid {threads}\n{{\n\
         .reg .b32 %me; .reg .b64 %in, %out, %word;\n\
         ld.param.u64 %in, [in]; ld.param.u64 %out, [out]; mov.u32 %me, %tid.x;\n\
         mul.wide.u32 %word, %me, {bytes}; add.u64 %out, %out, %word;\n{body}\nret;\n}}",
        bytes = T::DTYPE.bytes()
    );
    let input = device().upload(if input.is_empty() { &[0] } else { input }).expect("memory");
    let output = device().alloc_zeroed::<T>(threads as usize).expect("memory");
    launch(kernel(&text, [threads, 1, 1]), [1, 1, 1], vec![pointer(&input), pointer(&output)])
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    output.to_vec().expect("readable")
}

/// One instruction, or a few: sources `%a`, `%b`, `%c`, `%d`, result `%r`; `%p` and `%q` are predicates to use.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    pub text: &'a str,
    /// Bits of the result.
    pub result: u32,
    /// Bits of each source.
    pub sources: &'a [u32],
}

pub type Case = [u64; 4];

const SOURCE_NAMES: [&str; 4] = ["%a", "%b", "%c", "%d"];
const THREADS: u32 = 64;

impl Probe<'_> {
    fn ptx(&self) -> String {
        let mut text = format!(
            ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 count) .reqntid {THREADS}\n{{\n\
             .reg .b64 %in, %out, %at; .reg .b32 %i, %count, %block; .reg .pred %inside, %p, %q;\n\
             .reg .b{} %r;\n",
            self.result
        );
        for (name, bits) in SOURCE_NAMES.iter().zip(self.sources) {
            text += &format!(".reg .b{bits} {name};\n");
        }
        text += &format!(
            "mov.u32 %block, %ctaid.x; mov.u32 %i, %tid.x; mad.lo.u32 %i, %block, {THREADS}, %i;\n\
             ld.param.u32 %count, [count]; setp.ge.u32 %inside, %i, %count;\n@%inside ret;\n\
             ld.param.u64 %in, [in]; mul.wide.u32 %at, %i, 32; add.u64 %in, %in, %at;\n\
             ld.param.u64 %out, [out]; mul.wide.u32 %at, %i, 8; add.u64 %out, %out, %at;\n"
        );
        for (index, (name, bits)) in SOURCE_NAMES.iter().zip(self.sources).enumerate() {
            text += &format!("ld.global.b{bits} {name}, [%in+{}];\n", 8 * index);
        }
        text + &format!("{}\nst.global.b{} [%out], %r;\nret;\n}}", self.text, self.result)
    }

    /// The result for each case, zero-extended.
    pub fn run(&self, cases: &[Case]) -> Vec<u64> {
        self.run_for("sm_80", cases)
    }

    /// As [`Probe::run`], for another target.
    pub fn run_for(&self, target: &str, cases: &[Case]) -> Vec<u64> {
        let input = device().upload(cases.as_flattened()).expect("memory");
        let output = device().alloc_zeroed::<u64>(cases.len()).expect("memory");
        let count = u32::try_from(cases.len()).expect("a table of tests");
        let args = vec![pointer(&input), pointer(&output), Arg::U32(count)];
        let kernel = kernel_for(target, &self.ptx(), [THREADS, 1, 1]);
        launch(kernel, [count.div_ceil(THREADS), 1, 1], args)
            .unwrap_or_else(|error| panic!("{}: {error}", self.text));
        output.to_vec().expect("readable")
    }

    /// Compares each result with `reference`, by `same(got, wanted)`.
    fn compare(&self, cases: &[Case], reference: impl Fn(Case) -> u64, same: impl Fn(u64, u64) -> bool) {
        let mut wrong = Vec::new();
        for (case, got) in cases.iter().zip(self.run(cases)) {
            let wanted = reference(*case) & mask(self.result);
            if !same(got, wanted) {
                let sources = &case[..self.sources.len()];
                wrong.push(format!("{sources:x?} gave {got:#x}, not {wanted:#x}"));
            }
        }
        let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(wrong.is_empty(), "{}: {} of {} cases\n  {shown}", self.text, wrong.len(), cases.len());
    }

    /// Every result has exactly the bits of the reference.
    pub fn exact(&self, cases: &[Case], reference: impl Fn(Case) -> u64) {
        self.compare(cases, reference, |got, wanted| got == wanted);
    }

    /// Every f32 result has the bits of the reference, or both are NaN.
    pub fn exact_f32(&self, cases: &[Case], reference: impl Fn([f32; 4]) -> f32) {
        let same = |got: u64, wanted: u64| {
            got == wanted || f32::from_bits(got as u32).is_nan() && f32::from_bits(wanted as u32).is_nan()
        };
        self.compare(cases, |case| reference(case.map(f32_of)).to_bits().into(), same);
    }

    /// Every f32 result is within `tolerance(wanted)` of the f64 reference; infinities and NaN agree.
    pub fn near_f32(
        &self,
        cases: &[Case],
        reference: impl Fn([f64; 4]) -> f64,
        tolerance: impl Fn(f64) -> f64,
    ) {
        let mut wrong = Vec::new();
        for (case, got) in cases.iter().zip(self.run(cases)) {
            let sources = case.map(|word| f64::from(f32_of(word)));
            let wanted = reference(sources);
            let got = f64::from(f32_of(got));
            let same =
                got == wanted || got.is_nan() && wanted.is_nan() || (got - wanted).abs() <= tolerance(wanted);
            if !same {
                wrong.push(format!("{:?} gave {got:e}, not {wanted:e}", &sources[..self.sources.len()]));
            }
        }
        let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(wrong.is_empty(), "{}: {} of {} cases\n  {shown}", self.text, wrong.len(), cases.len());
    }
}

/// A word with the lowest `bits` set.
pub fn mask(bits: u32) -> u64 {
    if bits == 64 { u64::MAX } else { (1 << bits) - 1 }
}

pub fn f32_of(word: u64) -> f32 {
    f32::from_bits(word as u32)
}

/// Every combination of `values` for `sources` operands, which must be 1 to 3.
pub fn combinations(values: &[u64], sources: usize) -> Vec<Case> {
    let first = values.iter().map(|&a| [a, 0, 0, 0]);
    match sources {
        1 => first.collect(),
        2 => first.flat_map(|case| values.iter().map(move |&b| [case[0], b, 0, 0])).collect(),
        _ => combinations(values, 2)
            .into_iter()
            .flat_map(|case| values.iter().map(move |&c| [case[0], case[1], c, 0]))
            .collect(),
    }
}

/// Integers where things go wrong: around zero, the sign, and the widths of shifts.
pub const INTEGERS_32: &[u64] = &[
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    0xFF,
    0x100,
    0x7FFF_FFFF,
    0x8000_0000,
    0x8000_0001,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    0xDEAD_BEEF,
    0x1234_5678,
];

pub const INTEGERS_16: &[u64] = &[0, 1, 2, 15, 16, 17, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0x1234];

pub const INTEGERS_64: &[u64] = &[
    0,
    1,
    2,
    31,
    32,
    63,
    64,
    65,
    0xFFFF_FFFF,
    0x1_0000_0000,
    i64::MAX as u64,
    i64::MIN as u64,
    i64::MIN as u64 + 1,
    u64::MAX - 1,
    u64::MAX,
    0x0123_4567_89AB_CDEF,
    0xDEAD_BEEF_CAFE_F00D,
];

/// Bits of f32 numbers where things go wrong: zeros, subnormals, the limits, ties, infinities, NaN.
pub const FLOATS_32: &[u64] = &[
    0x0000_0000,
    0x8000_0000, // zeros
    0x0000_0001,
    0x8000_0001,
    0x007F_FFFF,
    0x807F_FFFF,
    0x0040_0000, // subnormals
    0x0080_0000,
    0x8080_0000,
    0x0080_0001, // the smallest normal numbers
    0x3F80_0000,
    0xBF80_0000,
    0x3F80_0001,
    0x3F7F_FFFF,
    0x3F00_0000,
    0x4000_0000, // around 1
    0x3FC0_0000,
    0x4020_0000,
    0xC020_0000,
    0x3EAA_AAAB,
    0x4049_0FDB,
    0xC2F6_E979, // 1.5, ±2.5, 1/3, pi, -123.456
    0x3380_0000,
    0x3400_0001, // around half an ulp of 1
    0x4B80_0000,
    0x4B80_0001,
    0x4F00_0000,
    0xCF00_0000,
    0x4F80_0000,
    0x5F00_0000, // 2^24, ±2^31, 2^32, 2^63
    0x1FFF_FFFF,
    0x5FC0_0001, // products near the ends of the range
    0x7F7F_FFFF,
    0xFF7F_FFFF,
    0x7F80_0000,
    0xFF80_0000, // the largest, infinities
    0x7FC0_0000,
    0xFFC0_0001,
    0x7F80_0001, // NaN, quiet and signalling
];
