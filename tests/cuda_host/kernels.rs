//! Modules to load and launch. The fake driver reads the parameter lists out of the text.

use ddpm_ptx::device::{Access, Arg, Call, Cubin, Kernel, ModuleSource, Place};

/// `y = factor · x`, `n` elements, `shift` and `scale` for the sake of the other types.
pub static SCALE: Kernel = Kernel {
    module: &SCALING,
    entry: "scale",
    block: [128, 2, 1],
    params: &["x", "skip", "y", "n", "shift", "factor", "scale"],
    doc: "",
};

/// A kernel with no arguments, of the same module.
pub static TOUCH: Kernel =
    Kernel { module: &SCALING, entry: "touch", block: [32, 1, 1], params: &[], doc: "" };

/// Its module does not have it.
pub static MISSING: Kernel =
    Kernel { module: &SCALING, entry: "missing", block: [32, 1, 1], params: &[], doc: "" };

pub static SCALING: ModuleSource = ModuleSource { cubins: &[], ..SCALING_TEXT };

const SCALING_TEXT: ModuleSource = ModuleSource {
    name: "test/scaling",
    ptx: "\
.version 8.0
.target sm_80
.address_size 64
.visible .entry scale(
    .param .u64 x,
    .param .u64 skip,
    .param .u64 y,
    .param .u32 n,
    .param .s32 shift,
    .param .f32 factor,
    .param .f64 scale
)
.reqntid 128, 2, 1
{
    ret;
}
.visible .entry touch()
.reqntid 32, 1, 1
{
    ret;
}
",
    cubins: &[],
    origins: &[],
    files: &[],
};

/// The same with machine code for several cards.
pub static ASSEMBLED: ModuleSource = ModuleSource {
    name: "test/assembled",
    cubins: &[
        Cubin { capability: 80, code: b"\x7fELF sm_80 .entry touch()\0", resources: &[] },
        Cubin { capability: 86, code: b"\x7fELF sm_86 .entry touch()\0", resources: &[] },
        Cubin { capability: 89, code: b"\x7fELF sm_89 .entry touch()\0", resources: &[] },
        Cubin { capability: 90, code: b"\x7fELF sm_90 .entry touch()\0", resources: &[] },
    ],
    ..SCALING_TEXT
};

pub static ASSEMBLED_TOUCH: Kernel =
    Kernel { module: &ASSEMBLED, entry: "touch", block: [32, 1, 1], params: &[], doc: "" };

/// Line 7 does not compile; it is line 17 of the template.
pub static BROKEN: Kernel = Kernel {
    module: &ModuleSource {
        name: "test/broken",
        ptx: "\
.version 8.0
.target sm_80
.address_size 64
.visible .entry broken()
.reqntid 32, 1, 1
{
    not.an.instruction %f0;
}
",
        cubins: &[],
        origins: &[(0, 11), (0, 12), (0, 13), (0, 14), (0, 15), (0, 16), (0, 17), (0, 18)],
        files: &["test/broken.ptx"],
    },
    entry: "broken",
    block: [32, 1, 1],
    params: &[],
    doc: "",
};

/// A call of [`SCALE`] with a value of each type.
pub fn scale(x: u64, y: u64) -> Call {
    let pointer = |place, access| Arg::Pointer(place, access);
    Call::new(
        &SCALE,
        vec![
            pointer(Place::Address(x), Access::Read),
            pointer(Place::Null, Access::Read),
            pointer(Place::Address(y), Access::Write),
            Arg::U32(4_000_000_000),
            Arg::I32(-3),
            Arg::F32(1.5),
            Arg::F64(-0.125),
        ],
    )
}

pub fn touch() -> Call {
    Call::new(&TOUCH, Vec::new())
}
