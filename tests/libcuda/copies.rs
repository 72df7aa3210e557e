//! Copies and fills, in lines, rectangles and boxes.

use crate::kernels::stream;
use crate::library::{Cuda, INVALID_VALUE, SUCCESS, call, download, from, get, ok, place, upload};

const HOST: u64 = 1;
const DEVICE: u64 = 2;

#[test]
fn every_direction() {
    let _cuda = Cuda::new();
    let (a, b) = (upload(&[1u16, 2, 3, 4]), upload(&[0u16; 4]));
    ok("cuMemcpyDtoD_v2", &[b, a, 8]);
    assert_eq!(download::<u16>(b, 4), [1, 2, 3, 4]);
    ok("cuMemcpyDtoDAsync_v2", &[b + 2, b, 6, 0]);
    assert_eq!(download::<u16>(b, 4), [1, 1, 2, 3]);
    let mut words = [0u16; 2];
    ok("cuMemcpy", &[place(&mut words), a + 4, 4]);
    assert_eq!(words, [3, 4]);
    ok("cuMemcpyAsync", &[a, from(&[9u16, 8]), 4, stream()]);
    assert_eq!(download::<u16>(a, 4), [9, 8, 3, 4]);
    let mut copy = [0u16; 2];
    ok("cuMemcpy", &[place(&mut copy), from(&words), 4]);
    assert_eq!(copy, [3, 4]);
    let context: u64 = get("cuCtxGetCurrent", &[]);
    ok("cuMemcpyPeer", &[b, context, a, context, 8]);
    assert_eq!(download::<u16>(b, 4), [9, 8, 3, 4]);
}

#[test]
fn a_copy_past_the_end_copies_nothing() {
    let _cuda = Cuda::new();
    let address = upload(&[7u8; 16]);
    let data = [1u8; 32];
    assert_eq!(call("cuMemcpyHtoD_v2", &[address, from(&data), 17]), INVALID_VALUE);
    assert_eq!(call("cuMemcpyHtoD_v2", &[address + 8, from(&data), 9]), INVALID_VALUE);
    assert_eq!(call("cuMemcpyHtoD_v2", &[address, 0, 4]), INVALID_VALUE);
    assert_eq!(call("cuMemcpyHtoD_v2", &[address, from(&data), 0]), SUCCESS);
    assert_eq!(download::<u8>(address, 16), [7; 16]);
}

#[test]
fn fills_of_every_width() {
    let _cuda = Cuda::new();
    let address = upload(&[0u8; 16]);
    ok("cuMemsetD8_v2", &[address, 0xAB, 3]);
    ok("cuMemsetD16_v2", &[address + 4, 0x1234, 2]);
    ok("cuMemsetD32Async", &[address + 8, 0xDEAD_BEEF, 1, 0]);
    let expected = [0xAB, 0xAB, 0xAB, 0, 0x34, 0x12, 0x34, 0x12, 0xEF, 0xBE, 0xAD, 0xDE, 0, 0, 0, 0];
    assert_eq!(download::<u8>(address, 16), expected);
    assert_eq!(call("cuMemsetD32_v2", &[address + 2, 0, 1]), INVALID_VALUE);
    assert_eq!(call("cuMemsetD16_v2", &[address, 0, 9]), INVALID_VALUE);
}

#[test]
fn pitched_fills() {
    let _cuda = Cuda::new();
    let mut pitch = 0usize;
    let address: u64 = get("cuMemAllocPitch_v2", &[place(&mut pitch), 6, 3, 4]);
    assert!(pitch >= 6 && pitch.is_multiple_of(512));
    let pitch = pitch as u64;
    ok("cuMemsetD8_v2", &[address, 0, pitch * 3]);
    ok("cuMemsetD2D16_v2", &[address, pitch, 0x0101, 3, 3]);
    ok("cuMemsetD2D8Async", &[address + pitch, pitch, 2, 1, 2, 0]);
    for (row, first) in [(0, 1), (1, 2), (2, 2)] {
        assert_eq!(download::<u8>(address + row * pitch, 7), [first, 1, 1, 1, 1, 1, 0]);
    }
    assert_eq!(call("cuMemsetD2D32_v2", &[address, pitch, 0, 2, 4]), INVALID_VALUE);
    assert_eq!(call("cuMemsetD2D32_v2", &[address, 4, 0, 2, 2]), INVALID_VALUE);
}

/// `CUDA_MEMCPY2D` as words: x, y, kind, host, device, array, pitch of either side, width, height.
#[test]
fn rectangles() {
    let _cuda = Cuda::new();
    let host: Vec<u8> = (0..40).collect();
    let device = upload(&[0xFFu8; 64]);
    // 3 bytes of 2 rows, from byte 2 of row 1 of rows of 8, to byte 1 of row 0 of rows of 16.
    let there = [2, 1, HOST, from(&*host), 0, 0, 8, 1, 0, DEVICE, 0, device, 0, 16, 3, 2];
    ok("cuMemcpy2D_v2", &[from(&there)]);
    assert_eq!(download::<u8>(device, 21)[..5], [0xFF, 10, 11, 12, 0xFF]);
    assert_eq!(download::<u8>(device, 21)[16..], [0xFF, 18, 19, 20, 0xFF]);
    let mut back = [0u8; 6];
    let target = place(&mut back);
    let here = [1, 0, DEVICE, 0, device, 0, 16, 0, 0, HOST, target, 0, 0, 3, 3, 2];
    ok("cuMemcpy2DAsync_v2", &[from(&here), 0]);
    assert_eq!(std::hint::black_box(back), [10, 11, 12, 18, 19, 20]);
    let past = [2, 1, HOST, from(&*host), 0, 0, 8, 14, 3, DEVICE, 0, device, 0, 16, 3, 1];
    assert_eq!(call("cuMemcpy2D_v2", &[from(&past)]), INVALID_VALUE);
    let array = [0, 0, 3, 0, 0, 0, 8, 0, 0, DEVICE, 0, device, 0, 16, 3, 1];
    assert_eq!(call("cuMemcpy2D_v2", &[from(&array)]), 801);
}

/// `CUDA_MEMCPY3D` as words: x, y, z, level, kind, host, device, array, 0, pitch, height of either side, extent.
#[test]
fn boxes() {
    let _cuda = Cuda::new();
    let host: Vec<u8> = (0..24).collect();
    let device = upload(&[0xFFu8; 8]);
    // Slices of 3 rows of 4; from them 2 × 2 × 2 bytes from byte 1, row 1, slice 0 on, packed.
    let source = [1, 1, 0, 0, HOST, from(&*host), 0, 0, 0, 4, 3];
    let target = [0, 0, 0, 0, DEVICE, 0, device, 0, 0, 2, 2];
    let params = [&source[..], &target, &[2, 2, 2]].concat();
    ok("cuMemcpy3D_v2", &[from(&*params)]);
    assert_eq!(download::<u8>(device, 8), [5, 6, 9, 10, 17, 18, 21, 22]);
    let deep = [&source[..], &target, &[2, 2, 3]].concat();
    assert_eq!(call("cuMemcpy3D_v2", &[from(&*deep)]), INVALID_VALUE);
}
