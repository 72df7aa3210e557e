//! Runs PTX snippets.

use bytemuck::Pod;
use ddpm_ptx::device::soft::{Level, Options, Soft};
use ddpm_ptx::device::{Buffer, Device, DeviceError, Element};

/// A software device with two workers.
pub fn soft(level: Level) -> Soft {
    Soft::with(Options { level, threads: 2, ..Options::default() })
}

/// The best level of this machine.
pub fn best() -> Soft {
    soft(Level::detect())
}

/// An entry `test` with parameters and body, as a whole module.
pub fn module(params: &str, body: &str) -> String {
    format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry test({params})\n{{\n{body}\nret;\n}}\n"
    )
}

/// The registers that snippets may use, each family with 40 members: `%p`, `%h` (16 bits), `%r`, `%f`,
/// `%rd`, `%fd`.
pub const REGISTERS: &str = ".reg .pred %p<40>;\n.reg .b16 %h<40>;\n.reg .b32 %r<40>;\n.reg .f32 %f<40>;\n\
                             .reg .b64 %rd<40>;\n.reg .f64 %fd<40>;";

/// Runs `body` in 32 lanes. Input `k` is loaded into `in{k}`, and `out` is stored, element `lane` of each;
/// both are registers of the element's width. `lane` holds the lane's number.
///
/// # Errors
/// What the module or its launch reports.
pub fn lanes<I: Element + Pod, O: Element + Pod>(
    soft: &Soft,
    body: &str,
    inputs: &[&[I; 32]],
) -> Result<[O; 32], DeviceError> {
    let device = Device::from(soft.clone());
    let buffers: Vec<Buffer> =
        inputs.iter().map(|input| device.upload(&input[..])).collect::<Result<_, _>>()?;
    let output = device.alloc::<O>(32)?;
    let width = |bytes: usize| 8 * bytes;
    let (in_bits, out_bits) = (width(size_of::<I>()), width(size_of::<O>()));
    let mut text =
        format!("{REGISTERS}\n.reg .b32 lane;\n.reg .b{} out;\n.reg .b64 %at<3>;\n", out_bits.max(16));
    text.push_str("mov.u32 lane, %laneid;\n");
    let mut params = Vec::new();
    for (k, buffer) in buffers.iter().enumerate() {
        text.push_str(&format!(
            ".reg .b{} in{k};\nld.param.u64 %at0, [p{k}];\nmad.wide.u32 %at0, lane, {}, %at0;\n\
             ld.global.b{in_bits} in{k}, [%at0];\n",
            in_bits.max(16),
            size_of::<I>(),
        ));
        params.extend(buffer.address().to_le_bytes());
    }
    params.extend(output.address().to_le_bytes());
    text.push_str(body);
    text.push_str(&format!(
        "\nld.param.u64 %at1, [p{}];\nmad.wide.u32 %at1, lane, {}, %at1;\nst.global.b{out_bits} [%at1], out;",
        buffers.len(),
        size_of::<O>(),
    ));
    let names: Vec<String> = (0..=buffers.len()).map(|k| format!(".param .u64 p{k}")).collect();
    let program = soft.load("snippet", &module(&names.join(", "), &text))?;
    program.launch("test", [1; 3], [32, 1, 1], 0, &params)?;
    let mut result = [O::zeroed(); 32];
    result.copy_from_slice(&output.to_vec::<O>()?);
    Ok(result)
}

/// Runs `body` over a grid, with the address of an output of `len` elements of `O` in parameter `y`.
///
/// # Errors
/// What the module or its launch reports.
pub fn grid<O: Element + Pod>(
    soft: &Soft,
    body: &str,
    grid: [u32; 3],
    block: [u32; 3],
    len: usize,
) -> Result<Vec<O>, DeviceError> {
    let device = Device::from(soft.clone());
    let output = device.alloc_zeroed::<O>(len)?;
    let text = module(".param .u64 y", &format!("{REGISTERS}\nld.param.u64 %rd0, [y];\n{body}"));
    let program = soft.load("snippet", &text)?;
    program.launch("test", grid, block, 0, &output.address().to_le_bytes())?;
    output.to_vec()
}
