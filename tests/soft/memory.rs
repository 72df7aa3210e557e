//! State spaces, widths, vectors and addresses.

use crate::harness::{best, grid, lanes, module};
use ddpm_ptx::device::Device;

#[test]
fn narrow_loads_extend_and_narrow_stores_cut() {
    let a: [u32; 32] = std::array::from_fn(|lane| 0x1234_5680u32.rotate_left(lane as u32));
    let body = "
    .local .align 8 .b8 box[16];
    st.local.u32 [box+4], in0;
    ld.local.s8 %r0, [box+4];
    ld.local.u8 %r1, [box+5];
    ld.local.s16 %r2, [box+6];
    ld.local.u16 %r3, [box+4];
    st.local.u8 [box+9], in0;
    st.local.u8 [box+8], %r1;
    ld.local.u16 %r4, [box+8];
    ld.local.s8 %rd0, [box+4];
    shr.u64 %rd0, %rd0, 32;
    cvt.u32.u64 %r5, %rd0;
    xor.b32 out, %r0, %r1;
    mad.lo.u32 out, out, 31, %r2;
    mad.lo.u32 out, out, 31, %r3;
    mad.lo.u32 out, out, 31, %r4;
    mad.lo.u32 out, out, 31, %r5;";
    let out: [u32; 32] = lanes(&best(), body, &[&a]).unwrap();
    for lane in 0..32 {
        let x = a[lane];
        let parts = [
            (x as i8 as i32 as u32) ^ (x >> 8 & 0xFF),
            (x >> 16) as i16 as i32 as u32,
            x & 0xFFFF,
            (x >> 8 & 0xFF) | (x & 0xFF) << 8,
            if (x as i8) < 0 { u32::MAX } else { 0 },
        ];
        let expected = parts.iter().skip(1).fold(parts[0], |h, p| h.wrapping_mul(31).wrapping_add(*p));
        assert_eq!(out[lane], expected, "lane {lane}");
    }
}

/// Each thread moves four words through shared memory with vector accesses, in a scattered order.
#[test]
fn vectors_of_two_and_four() {
    for (stride, guard) in [(1u32, ""), (7, ""), (7, "@%p0 "), (0, "@%p0 ")] {
        let body = format!(
            "
    .shared .align 16 .b8 cell[1024];
    mov.u32 %r0, %tid.x;
    setp.ne.u32 %p0, %r0, 13;
    mul.lo.u32 %r1, %r0, {stride};
    and.b32 %r1, %r1, 31;
    mov.u32 %r2, cell;
    mad.lo.u32 %r2, %r1, 16, %r2;
    mul.lo.u32 %r10, %r0, 4;
    add.u32 %r11, %r10, 1;
    add.u32 %r12, %r10, 2;
    add.u32 %r13, %r10, 3;
    st.shared.v4.u32 [%r2], {{%r10, %r11, %r12, %r13}};
    mov.u32 %r20, 77;
    mov.u32 %r21, 77;
    mov.u32 %r22, 77;
    mov.u32 %r23, 77;
    {guard}ld.shared.v2.u32 {{%r22, %r23}}, [%r2+8];
    {guard}ld.shared.v4.u32 {{%r20, %r21, _, _}}, [%r2];
    mad.wide.u32 %rd1, %r0, 16, %rd0;
    st.global.v4.u32 [%rd1], {{%r23, %r22, %r21, %r20}};"
        );
        let out: Vec<u32> = grid(&best(), &body, [1; 3], [32, 1, 1], 128).unwrap();
        for thread in 0..32u32 {
            // Where all threads write one place, the last one wins.
            let writer = if stride == 0 { 31 } else { thread };
            let expected = match guard.is_empty() || thread != 13 {
                true => [3, 2, 1, 0].map(|k| 4 * writer + k),
                false => [77; 4],
            };
            assert_eq!(out[4 * thread as usize..][..4], expected, "stride {stride}, thread {thread}");
        }
    }
}

#[test]
fn a_load_onto_its_own_address() {
    let body = "
    .shared .align 16 .b32 cell[128];
    mov.u32 %r1, cell;
    mad.lo.u32 %r1, lane, 16, %r1;
    mov.u32 %r5, lane;
    st.shared.v4.u32 [%r1], {%r5, %r5, %r5, %r5};
    mad.lo.u32 %r2, lane, 16, 0;
    xor.b32 %r2, %r2, 0x30;
    ld.shared.v4.u32 {%r3, %r2, %r4, %r5}, [%r2];
    add.u32 out, %r2, %r5;";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    assert_eq!(out, std::array::from_fn(|lane| 2 * (lane as u32 ^ 3)));
}

#[test]
fn generic_addresses_reach_every_window() {
    let body = "
    .shared .align 8 .b64 box;
    .local .align 8 .b64 hat;
    mov.u64 %rd1, box;
    cvta.shared.u64 %rd1, %rd1;
    mov.u64 %rd2, hat;
    cvta.local.u64 %rd2, %rd2;
    setp.lt.u32 %p0, lane, 16;
    selp.b64 %rd3, %rd1, %rd2, %p0;
    st.u32 [%rd3], lane;
    ld.u32 out, [%rd3];
    cvta.to.local.u64 %rd2, %rd2;
    @!%p0 ld.local.u32 out, [%rd2];";
    let out: [u32; 32] = lanes::<u32, u32>(&best(), body, &[]).unwrap();
    let expected: [u32; 32] =
        std::array::from_fn(|lane| if lane < 16 { out[lane].min(15) } else { lane as u32 });
    assert_eq!(out, expected);
}

#[test]
fn module_variables_are_initialised_and_live_on() {
    let text = "
.version 8.0
.target sm_80
.address_size 64
.const .align 4 .f32 table[4] = { 0f3F800000, 2.5, 0f40400000, 0f40800000 };
.global .align 8 .u64 where = table;
.global .align 4 .u32 count = 5;
.visible .entry step(.param .u64 y)
{
    .reg .b32 %r<4>;
    .reg .f32 %f<4>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd0, [y];
    ld.global.u32 %r0, [count];
    add.u32 %r1, %r0, 1;
    st.global.u32 [count], %r1;
    ld.const.f32 %f0, [table+4];
    ld.global.u64 %rd1, [where];
    ld.f32 %f1, [%rd1+12];
    cvt.rn.f32.u32 %f2, %r0;
    st.global.v4.f32 [%rd0], {%f0, %f1, %f2, %f2};
    ret;
}";
    let soft = best();
    let device = Device::from(soft.clone());
    let program = soft.load("variables", text).unwrap();
    let y = device.alloc::<f32>(4).unwrap();
    for expected in [5.0, 6.0] {
        program.launch("step", [1; 3], [1; 3], 0, &y.address().to_le_bytes()).unwrap();
        assert_eq!(y.to_vec::<f32>().unwrap(), [2.5, 4.0, expected, expected]);
    }
}

#[test]
fn parameters_lie_at_their_alignment() {
    let text = module(
        ".param .u8 a, .param .u64 y, .param .f32 b, .param .align 8 .b8 s[16], .param .s16 c",
        ".reg .b32 %r<8>; .reg .b64 %rd<3>; .reg .f32 %f<2>; .reg .f64 %d;
        ld.param.u64 %rd0, [y];
        ld.param.u8 %r0, [a];
        ld.param.f32 %f0, [b];
        ld.param.f64 %d, [s+8];
        ld.param.s16 %r1, [c];
        cvt.rn.f32.f64 %f1, %d;
        mov.b32 %r2, %f0;
        mov.b32 %r3, %f1;
        st.global.v4.u32 [%rd0], {%r0, %r1, %r2, %r3};",
    );
    let soft = best();
    let y = Device::from(soft.clone()).alloc::<u32>(4).unwrap();
    let mut params = vec![200, 0, 0, 0, 0, 0, 0, 0];
    params.extend(y.address().to_le_bytes());
    params.extend(1.5f32.to_le_bytes());
    params.extend([0; 4]);
    params.extend([0; 8]);
    params.extend(2.25f64.to_le_bytes());
    params.extend((-3i16).to_le_bytes());
    soft.load("params", &text).unwrap().launch("test", [1; 3], [1; 3], 0, &params).unwrap();
    let found = y.to_vec::<u32>().unwrap();
    assert_eq!(found, [200, -3i32 as u32, 1.5f32.to_bits(), 2.25f32.to_bits()]);
}

#[test]
fn atomics_of_all_threads_add_up() {
    let body = "
    mov.u32 %r0, %tid.x;
    atom.global.add.u32 %r1, [%rd0], 3;
    red.global.max.s32 [%rd0+4], %r0;
    red.global.add.f32 [%rd0+8], 0f3F000000;
    atom.global.cas.b32 %r2, [%rd0+12], 0, 99;
    atom.global.inc.u32 %r3, [%rd0+16], 6;";
    let out: Vec<u32> = grid(&best(), body, [50, 1, 1], [96, 1, 1], 5).unwrap();
    assert_eq!(out, [50 * 96 * 3, 95, 2400f32.to_bits(), 99, 50 * 96 % 7]);
}

#[test]
fn dynamic_shared_memory_stands_behind_the_static_part() {
    let text = format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];\n
        .visible .entry test(.param .u64 y) {{ {}
        .shared .align 4 .b8 fixed[20];
        ld.param.u64 %rd0, [y];
        mov.u32 %r0, dynamic;
        mov.u32 %r1, fixed;
        mov.u32 %r2, %dynamic_smem_size;
        st.shared.u32 [dynamic+60], %r2;
        ld.shared.u32 %r3, [%r0+60];
        st.global.v4.u32 [%rd0], {{%r0, %r1, %r2, %r3}};
        ret; }}",
        crate::harness::REGISTERS
    );
    let soft = best();
    let y = Device::from(soft.clone()).alloc::<u32>(4).unwrap();
    let program = soft.load("dynamic", &text).unwrap();
    program.launch("test", [1; 3], [1; 3], 64, &y.address().to_le_bytes()).unwrap();
    assert_eq!(y.to_vec::<u32>().unwrap(), [32, 0, 64, 64]);
    assert!(program.launch("test", [1; 3], [1; 3], 60, &y.address().to_le_bytes()).is_err());
}

#[test]
fn asynchronous_copies_fill_with_zero() {
    let a: [u32; 32] = std::array::from_fn(|lane| lane as u32 + 1);
    let body = "
    .shared .align 16 .b32 cell[128];
    ld.param.u64 %rd1, [p0];
    mov.u32 %r0, cell;
    mad.lo.u32 %r0, lane, 16, %r0;
    and.b32 %r1, lane, 7;
    mad.wide.u32 %rd1, %r1, 16, %rd1;
    min.u32 %r2, lane, 16;
    cp.async.cg.shared.global [%r0], [%rd1], 16, %r2;
    cp.async.commit_group;
    cp.async.wait_group 0;
    bar.warp.sync -1;
    ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%r0];
    add.u32 out, %r3, %r4;
    add.u32 out, out, %r5;
    add.u32 out, out, %r6;";
    let out: [u32; 32] = lanes(&best(), body, &[&a]).unwrap();
    for lane in 0..32usize {
        let bytes: Vec<u8> = (0..4).flat_map(|k| a[4 * (lane % 8) + k].to_le_bytes()).collect();
        let kept = |k: usize| if k < lane.min(16) { bytes[k] } else { 0 };
        let words = (0..4).map(|w| u32::from_le_bytes([0, 1, 2, 3].map(|b| kept(4 * w + b))));
        assert_eq!(out[lane], words.fold(0, u32::wrapping_add), "lane {lane}");
    }
}
