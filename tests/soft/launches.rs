//! Launches through the device interface: grids, partial warps, arguments, recordings.

use crate::harness::{best, grid};
use ddpm_ptx::device::{Access, Arg, Device, DeviceError, Kernel, Launch, ModuleSource, Place};

const TEXT: &str = ".version 8.0
.target sm_80
.address_size 64
.visible .entry scale(.param .u64 y, .param .f32 by, .param .u32 count)
.reqntid 32
{
    .reg .b32 %r<4>;
    .reg .f32 %f<3>;
    .reg .b64 %rd<2>;
    .reg .pred %p;
    ld.param.u64 %rd0, [y];
    ld.param.f32 %f0, [by];
    ld.param.u32 %r0, [count];
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %ctaid.x;
    mad.lo.u32 %r1, %r2, 32, %r1;
    setp.ge.u32 %p, %r1, %r0;
    @%p ret;
    mad.wide.u32 %rd0, %r1, 4, %rd0;
    ld.global.f32 %f1, [%rd0];
    mul.rn.f32 %f1, %f1, %f0;
    st.global.f32 [%rd0], %f1;
    ret;
}
";
static ORIGINS: [(u16, u32); 24] = [(0, 100); 24];
static MODULE: ModuleSource = ModuleSource {
    name: "test/scale",
    ptx: TEXT,
    cubins: &[],
    origins: &ORIGINS,
    files: &["test/scale.ptx"],
};
static SCALE: Kernel =
    Kernel { module: &MODULE, entry: "scale", block: [32, 1, 1], params: &["y", "by", "count"], doc: "" };

fn scale(address: u64, by: f32, count: u32) -> Launch {
    let args = vec![Arg::Pointer(Place::Address(address), Access::ReadWrite), Arg::F32(by), Arg::U32(count)];
    Launch { kernel: &SCALE, grid: [count.div_ceil(32), 1, 1], shared_bytes: 0, args }
}

#[test]
fn a_recording_runs_its_launches_in_order() {
    let device = Device::from(best());
    let y = device.upload(&[1f32; 100]).unwrap();
    let recording = device.record(vec![scale(y.address(), 3.0, 100), scale(y.address(), 0.5, 70)]).unwrap();
    recording.run().unwrap();
    recording.run().unwrap();
    let expected: Vec<f32> = (0..100).map(|k| if k < 70 { 2.25 } else { 9.0 }).collect();
    assert_eq!(y.to_vec::<f32>().unwrap(), expected);
}

#[test]
fn a_fault_names_the_template() {
    let device = Device::from(best());
    let y = device.upload(&[1f32; 100]).unwrap();
    let error = device.launch(&scale(y.address(), 3.0, 101)).unwrap_err().to_string();
    assert!(error.contains("test/scale.ptx:100") && error.contains("thread (4, 0, 0)"), "{error}");
}

#[test]
fn arguments_must_suit_the_entry() {
    let device = Device::from(best());
    let bad = |launch: Launch| match device.launch(&launch) {
        Err(DeviceError::BadLaunch { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let mut launch = scale(0, 1.0, 10);
    launch.args.pop();
    assert!(bad(launch).contains("2 arguments for 3"));
    let mut launch = scale(0, 1.0, 10);
    launch.args[1] = Arg::U32(1);
    assert!(bad(launch).contains("by"));
    let mut launch = scale(0, 1.0, 10);
    launch.args[0] = Arg::Pointer(Place::Symbol { id: 0, offset: 0 }, Access::Read);
    assert!(bad(launch).contains("not bound"));
    let mut launch = scale(0, 1.0, 10);
    launch.grid = [0, 1, 1];
    assert!(bad(launch).contains("empty"));
}

#[test]
fn every_thread_knows_its_place() {
    let body = "
    mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mov.u32 %r2, %tid.z;
    mov.u32 %r3, %ntid.x; mov.u32 %r4, %ntid.y; mov.u32 %r5, %ntid.z;
    mad.lo.u32 %r6, %r2, %r4, %r1;
    mad.lo.u32 %r6, %r6, %r3, %r0;
    mov.u32 %r10, %ctaid.x; mov.u32 %r11, %ctaid.y; mov.u32 %r12, %ctaid.z;
    mov.u32 %r13, %nctaid.x; mov.u32 %r14, %nctaid.y;
    mad.lo.u32 %r15, %r12, %r14, %r11;
    mad.lo.u32 %r15, %r15, %r13, %r10;
    mul.lo.u32 %r16, %r3, %r4;
    mul.lo.u32 %r16, %r16, %r5;
    mad.lo.u32 %r17, %r15, %r16, %r6;
    mov.u32 %r18, %laneid; mov.u32 %r19, %warpid;
    mad.lo.u32 %r20, %r19, 32, %r18;
    sub.u32 %r20, %r20, %r6;
    add.u32 %r21, %r17, %r20;
    mad.wide.u32 %rd1, %r17, 4, %rd0;
    st.global.u32 [%rd1], %r21;";
    let (blocks, threads) = ([3, 2, 5], [7, 3, 2]);
    let out: Vec<u32> = grid(&best(), body, blocks, threads, 30 * 42).unwrap();
    assert_eq!(out, (0..30 * 42).collect::<Vec<u32>>());
}
