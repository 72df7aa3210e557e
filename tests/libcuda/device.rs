//! The device and what it says of itself.

use crate::library::{INVALID_DEVICE, INVALID_VALUE, alone, call, from, get, ok, place};
use std::ffi::CStr;

fn attribute(which: u64) -> i32 {
    get("cuDeviceGetAttribute", &[which, 0])
}

fn text(name: &str, room: u64) -> String {
    let mut text = [0xFFu8; 256];
    ok(name, &[place(&mut text), room, 0]);
    CStr::from_bytes_until_nul(&text).unwrap().to_string_lossy().into_owned()
}

#[test]
fn there_is_one() {
    let _alone = alone();
    ok("cuInit", &[0]);
    assert_eq!(call("cuInit", &[1]), INVALID_VALUE);
    assert_eq!(get::<i32>("cuDeviceGetCount", &[]), 1);
    assert_eq!(get::<i32>("cuDeviceGet", &[0]), 0);
    let mut device = 0i32;
    assert_eq!(call("cuDeviceGet", &[place(&mut device), 1]), INVALID_DEVICE);
    assert_eq!(call("cuDeviceGetAttribute", &[place(&mut device), 1, 3]), INVALID_DEVICE);
}

#[test]
fn it_has_a_name_and_a_size() {
    let _alone = alone();
    ok("cuInit", &[0]);
    assert!(text("cuDeviceGetName", 256).contains("soft"));
    assert_eq!(text("cuDeviceGetName", 5), text("cuDeviceGetName", 256)[..4]);
    let bus = text("cuDeviceGetPCIBusId", 256);
    assert_eq!(get::<i32>("cuDeviceGetByPCIBusId", &[from(format!("{bus}\0").as_bytes())]), 0);
    assert!(get::<usize>("cuDeviceTotalMem_v2", &[0]) > 1 << 28);
    assert_ne!(get::<[u8; 16]>("cuDeviceGetUuid", &[0]), [0; 16]);
}

#[test]
fn its_attributes() {
    let _alone = alone();
    ok("cuInit", &[0]);
    let expected =
        [(1, 1024), (4, 64), (8, 49152), (10, 32), (41, 1), (75, 8), (76, 0), (97, 232_448), (115, 1)];
    for (which, value) in expected {
        assert_eq!(attribute(which), value, "attribute {which}");
    }
    assert!(attribute(16) >= 1);
    // Every one of them has a value; there is none of number 0, and none that is not invented yet.
    for which in 1..=162 {
        attribute(which);
    }
    let mut value = 0i32;
    assert_eq!(call("cuDeviceGetAttribute", &[place(&mut value), 0, 0]), INVALID_VALUE);
    assert_eq!(call("cuDeviceGetAttribute", &[place(&mut value), 4000, 0]), INVALID_VALUE);
}

#[test]
fn the_oldest_questions() {
    let _alone = alone();
    ok("cuInit", &[0]);
    let properties: [i32; 14] = get("cuDeviceGetProperties", &[0]);
    assert_eq!(properties[..4], [1024, 1024, 1024, 64]);
    assert_eq!(properties[9], 32);
    let (mut major, mut minor) = (0i32, 0i32);
    ok("cuDeviceComputeCapability", &[place(&mut major), place(&mut minor), 0]);
    assert_eq!((major, minor), (8, 0));
}
