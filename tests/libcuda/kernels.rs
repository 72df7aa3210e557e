//! The kernels that the tests load, and their launches.

use crate::library::{call, from, get, ok};
use std::ffi::CString;

/// `scale(y, factor, n)`: y = factor · y. `fail(p)`: reads where no memory is. `mark(p)`: writes `%tid.x` through dynamic
/// shared memory. `table`, `count`: variables. `lone`: a block of exactly 64 threads, 4096 bytes of shared memory.
pub const PTX: &str = "\
.version 8.0
.target sm_80
.address_size 64

.visible .global .align 4 .u32 count = 7;
.visible .const .align 4 .f32 table[4] = {0f3F800000, 0f40000000, 0f40400000, 0f40800000};
.extern .shared .align 16 .b8 dynamic[];

.visible .entry scale(.param .u64 y, .param .f32 factor, .param .u32 n)
{
    .reg .pred %past;
    .reg .b32 %r<6>;
    .reg .f32 %f<3>;
    .reg .b64 %d<4>;
    ld.param.u64 %d0, [y];
    ld.param.f32 %f0, [factor];
    ld.param.u32 %r0, [n];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r4, %r1, %r2, %r3;
    setp.ge.u32 %past, %r4, %r0;
    @%past ret;
    mul.wide.u32 %d1, %r4, 4;
    add.u64 %d2, %d0, %d1;
    ld.global.f32 %f1, [%d2];
    mul.rn.f32 %f2, %f1, %f0;
    st.global.f32 [%d2], %f2;
    ret;
}

.visible .entry fail(.param .u64 p)
{
    .reg .b32 %r<2>;
    .reg .b64 %d<2>;
    ld.param.u64 %d0, [p];
    ld.global.u32 %r0, [%d0];
    st.global.u32 [%d0], %r0;
    ret;
}

.visible .entry mark(.param .u64 p)
{
    .reg .b32 %r<6>;
    .reg .b64 %d<4>;
    ld.param.u64 %d0, [p];
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, dynamic;
    mad.lo.u32 %r2, %r0, 4, %r1;
    st.shared.u32 [%r2], %r0;
    ld.shared.u32 %r3, [%r2];
    mul.wide.u32 %d1, %r0, 4;
    add.u64 %d2, %d0, %d1;
    st.global.u32 [%d2], %r3;
    ret;
}

.visible .entry lone()
.reqntid 64, 1, 1
{
    .shared .align 4 .b8 fixed[4096];
    .reg .b32 %r<2>;
    mov.u32 %r0, fixed;
    st.shared.u32 [%r0], 0;
    ret;
}

.visible .entry trapped()
{
    trap;
    ret;
}
";

/// A module of [`PTX`] in the current context.
pub fn module() -> u64 {
    let text = CString::new(PTX).unwrap();
    get("cuModuleLoadData", &[from(text.to_bytes_with_nul())])
}

/// A kernel of a fresh module.
pub fn function(name: &str) -> u64 {
    named(module(), name)
}

/// A kernel of a module.
pub fn named(module: u64, name: &str) -> u64 {
    let name = CString::new(name).unwrap();
    get("cuModuleGetFunction", &[module, from(name.to_bytes_with_nul())])
}

/// A launch's arguments to `cuLaunchKernel`: one row of blocks of threads.
pub fn launch(function: u64, blocks: u64, threads: u64, shared: u64, stream: u64, values: &[u64]) -> u32 {
    let pointers: Vec<u64> = values.iter().map(from).collect();
    let params = if values.is_empty() { 0 } else { from(&*pointers) };
    call("cuLaunchKernel", &[function, blocks, 1, 1, threads, 1, 1, shared, stream, params, 0])
}

/// Queues `scale` for `n` values.
#[track_caller]
pub fn scale(function: u64, y: u64, factor: f32, n: u64, stream: u64) {
    let factor = u64::from(factor.to_bits());
    assert_eq!(launch(function, n.div_ceil(64), 64, 0, stream, &[y, factor, n]), 0);
}

/// A stream that waits for no other.
pub fn stream() -> u64 {
    get("cuStreamCreate", &[1])
}

/// Frees what a test has allocated; a context would too.
pub fn free(address: u64) {
    ok("cuMemFree_v2", &[address]);
}
