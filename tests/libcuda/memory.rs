//! Memory: of the device, in a stream's order, of the host and of both.

use crate::kernels::{free, function, launch, scale, stream};
use crate::library::{
    Cuda, INVALID_VALUE, NOT_FOUND, OUT_OF_MEMORY, SUCCESS, call, download, from, get, ok, place, upload,
};

#[test]
fn what_is_freed_is_gone() {
    let _cuda = Cuda::new();
    let address = upload(&[1u32, 2, 3]);
    assert_eq!(download::<u32>(address, 3), [1, 2, 3]);
    ok("cuMemFree_v2", &[0]);
    assert_eq!(call("cuMemFree_v2", &[address + 4]), INVALID_VALUE);
    free(address);
    assert_eq!(call("cuMemFree_v2", &[address]), INVALID_VALUE);
    let mut word = 0u32;
    assert_eq!(call("cuMemcpyDtoH_v2", &[place(&mut word), address, 4]), INVALID_VALUE);
}

#[test]
fn more_than_there_is() {
    let _cuda = Cuda::new();
    let (mut free, mut total) = (0usize, 0usize);
    ok("cuMemGetInfo_v2", &[place(&mut free), place(&mut total)]);
    assert!(0 < free && free <= total);
    let mut address = 0u64;
    assert_eq!(call("cuMemAlloc_v2", &[place(&mut address), total as u64 * 2]), OUT_OF_MEMORY);
    assert_eq!(call("cuMemAlloc_v2", &[place(&mut address), u64::MAX]), OUT_OF_MEMORY);
    assert_eq!(call("cuMemHostAlloc", &[place(&mut address), u64::MAX, 0]), OUT_OF_MEMORY);
    assert_eq!(call("cuMemAlloc_v2", &[place(&mut address), 0]), INVALID_VALUE);
}

#[test]
fn ranges_are_those_of_the_allocation() {
    let _cuda = Cuda::new();
    let address = upload(&[0u8; 1000]);
    let (mut base, mut bytes) = (0u64, 0usize);
    ok("cuMemGetAddressRange_v2", &[place(&mut base), place(&mut bytes), address + 999]);
    assert_eq!((base, bytes), (address, 1000));
    assert_eq!(call("cuMemGetAddressRange_v2", &[0, 0, address + 1000]), NOT_FOUND);
}

#[test]
fn pools() {
    let _cuda = Cuda::new();
    let stream = stream();
    let pool: u64 = get("cuDeviceGetDefaultMemPool", &[0]);
    assert_eq!(get::<u64>("cuDeviceGetMemPool", &[0]), pool);
    ok("cuMemPoolSetAttribute", &[pool, 4, from(&u64::MAX)]);
    let mut threshold = 0u64;
    ok("cuMemPoolGetAttribute", &[pool, 4, place(&mut threshold)]);
    assert_eq!(threshold, u64::MAX);
    let used = |pool| {
        let mut used = 0u64;
        ok("cuMemPoolGetAttribute", &[pool, 7, place(&mut used)]);
        used
    };
    let before = used(pool);
    let address: u64 = get("cuMemAllocAsync", &[4096, stream]);
    assert_eq!(used(pool), before + 4096);
    ok("cuMemFreeAsync", &[address, stream]);
    assert_eq!(used(pool), before);

    let properties = [1u32, 0, 1, 0, 0, 0, 0, 0];
    let own: u64 = get("cuMemPoolCreate", &[from(&properties)]);
    let address: u64 = get("cuMemAllocFromPoolAsync", &[512, own, stream]);
    assert_eq!(used(own), 512);
    free(address);
    ok("cuMemPoolDestroy", &[own]);
    assert_eq!(call("cuMemPoolDestroy", &[pool]), 800);
}

/// Kernels and the host use the same memory at the same address.
#[test]
fn pinned_managed_and_registered() {
    let _cuda = Cuda::new();
    let scaling = function("scale");
    let mut ours = vec![3f32; 64];
    let registered = from(&*ours);
    ok("cuMemHostRegister_v2", &[registered, 256, 2]);
    assert_eq!(call("cuMemHostRegister_v2", &[registered, 256, 2]), 712);
    let pinned: u64 = get("cuMemHostAlloc", &[256, 2]);
    let managed: u64 = get("cuMemAllocManaged", &[256, 1]);
    for host in [registered, pinned, managed] {
        let values = host as *mut f32;
        // SAFETY: 64 numbers are there, and no kernel runs.
        (0..64).for_each(|index| unsafe { values.add(index).write(index as f32) });
        let device = if host == managed { host } else { get("cuMemHostGetDevicePointer_v2", &[host, 0]) };
        scale(scaling, device, 2.0, 64, 0);
        // SAFETY: as above.
        (0..64).for_each(|index| assert_eq!(unsafe { values.add(index).read() }, 2.0 * index as f32));
        // As the source of a copy, too.
        let copy = upload(&[0f32; 64]);
        ok("cuMemcpy", &[copy, host, 256]);
        assert_eq!(download::<f32>(copy, 64)[63], 126.0);
    }
    ok("cuMemHostUnregister", &[registered]);
    assert_eq!(call("cuMemHostUnregister", &[registered]), 713);
    assert_eq!(call("cuMemFree_v2", &[pinned]), INVALID_VALUE);
    assert_eq!(get::<u32>("cuMemHostGetFlags", &[pinned]), 2);
    ok("cuMemFreeHost", &[pinned]);
    free(managed);
    // What is not registered any more is no memory of the device's.
    assert_eq!(launch(scaling, 1, 64, 0, 0, &[registered, 0, 64]), 700);
    ours[0] = 0.0;
}

#[test]
fn pointers_say_what_they_are() {
    let cuda = Cuda::new();
    let device = upload(&[0u8; 100]);
    let pinned: u64 = get("cuMemAllocHost_v2", &[100]);
    let managed: u64 = get("cuMemAllocManaged", &[100, 1]);
    let kind = |address| get::<u32>("cuPointerGetAttribute", &[2, address]);
    assert_eq!([kind(device), kind(pinned), kind(managed)], [2, 1, 2]);
    let is_managed = |address| get::<u8>("cuPointerGetAttribute", &[8, address]);
    assert_eq!([is_managed(device), is_managed(pinned), is_managed(managed)], [0, 0, 1]);
    assert_eq!(get::<u64>("cuPointerGetAttribute", &[1, device]), cuda.context);
    assert_eq!(get::<u64>("cuPointerGetAttribute", &[11, device + 50]), device);
    assert_eq!(get::<u64>("cuPointerGetAttribute", &[12, device + 50]), 100);
    assert_eq!(get::<u64>("cuPointerGetAttribute", &[4, pinned]), pinned);
    let mut word = 0u64;
    assert_eq!(call("cuPointerGetAttribute", &[place(&mut word), 4, device]), INVALID_VALUE);
    assert_eq!(call("cuPointerGetAttribute", &[place(&mut word), 2, from(&word)]), INVALID_VALUE);
}

#[test]
fn several_attributes_of_any_address() {
    let _cuda = Cuda::new();
    let (mut kind, mut ordinal, mut host) = (9u32, 9i32, 9u64);
    let which = [2u32, 9, 4];
    let places = [place(&mut kind), place(&mut ordinal), place(&mut host)];
    let device = upload(&[0u8; 16]);
    ok("cuPointerGetAttributes", &[3, from(&which), from(&places), device]);
    assert_eq!((kind, ordinal, host), (2, 0, 0));
    ok("cuPointerGetAttributes", &[3, from(&which), from(&places), from(&which)]);
    assert_eq!((kind, ordinal, host), (0, -2, 0));
}

#[test]
fn managed_memory_takes_advice() {
    let _cuda = Cuda::new();
    let managed: u64 = get("cuMemAllocManaged", &[4096, 1]);
    ok("cuMemPrefetchAsync", &[managed, 4096, 0, 0]);
    ok("cuMemAdvise", &[managed, 4096, 1, 0]);
    assert_eq!(call("cuMemPrefetchAsync", &[managed, 4097, 0, 0]), INVALID_VALUE);
    let device = upload(&[0u8; 16]);
    assert_eq!(call("cuMemAdvise", &[device, 16, 1, 0]), INVALID_VALUE);
    assert_eq!(call("cuMemFree_v2", &[managed]), SUCCESS);
}
