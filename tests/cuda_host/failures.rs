//! Errors of the driver: which kernel or call, the code, and what to do.

use crate::kernels::{SCALE, scale, touch};
use crate::library::{Library, calls_that, with_library};
use ddpm_ptx::device::{Access, Arg, Call, Device, DeviceError, Launch, Place};

fn fake() -> Device {
    Device::cuda(0).unwrap()
}

/// The reason of a launch that cannot be, which never reached the driver.
fn refused(launch: &Launch) -> String {
    let Err(DeviceError::BadLaunch { kernel, reason }) = fake().launch(launch) else {
        panic!("{launch:?} must be refused");
    };
    assert_eq!(kernel, launch.kernel.entry);
    assert_eq!(calls_that(&["launch"]), [""; 0]);
    reason
}

#[test]
fn too_much_memory() {
    with_library("failures::too_much_memory", Library::Fake(""), || {
        let device = fake();
        let half = device.alloc::<u8>(512 << 20).unwrap();
        let error = device.alloc::<u8>(600 << 20).err().unwrap();
        let expected = "out of device memory: 629145600 bytes asked for on \
            cuda:0 (Fake H100, sm_90, driver 12.4), where 512 MiB of 1024 MiB are free";
        assert_eq!(error.to_string(), expected);
        drop(half);
        device.alloc::<u8>(600 << 20).unwrap();
    });
}

#[test]
fn too_few_arguments() {
    with_library("failures::too_few_arguments", Library::Fake(""), || {
        let launch = Call::new(&SCALE, vec![Arg::U32(1)]).grid(1, 1, 1);
        assert_eq!(refused(&launch), "it takes 7 arguments and was given 1");
    });
}

#[test]
fn unbound_symbol() {
    with_library("failures::unbound_symbol", Library::Fake(""), || {
        let mut launch = scale(0x1000, 0x2000).grid(1, 1, 1);
        launch.args[2] = Arg::Pointer(Place::Symbol { id: 9, offset: 4 }, Access::Write);
        assert_eq!(refused(&launch), "argument y is symbol 9, which has no address yet");
    });
}

#[test]
fn empty_grid() {
    with_library("failures::empty_grid", Library::Fake(""), || {
        assert_eq!(refused(&touch().grid(4, 0, 1)), "its grid [4, 0, 1] is empty");
    });
}

#[test]
fn too_much_shared_memory() {
    with_library("failures::too_much_shared_memory", Library::Fake("static_shared=1024"), || {
        let reason = refused(&touch().shared_bytes(227 << 10).grid(1, 1, 1));
        assert_eq!(reason, "it asks for 232448 bytes of dynamic shared memory and can have 231424");
    });
}

#[test]
fn refused_by_the_driver() {
    with_library("failures::refused_by_the_driver", Library::Fake("cuLaunchKernel=701"), || {
        let reason = refused(&touch().shared_bytes(64).grid(3, 2, 1));
        assert!(reason.starts_with("grid [3, 2, 1], block [32, 1, 1], 64 bytes shared: "), "{reason}");
        assert!(reason.contains("(701)"), "{reason}");
    });
}

#[test]
fn fault_seen_at_a_launch() {
    with_library("failures::fault_seen_at_a_launch", Library::Fake("cuLaunchKernel=700"), || {
        let error = fake().launch(&touch().grid(1, 1, 1)).unwrap_err();
        let DeviceError::Fault { kernel, report, .. } = &error else { panic!("{error}") };
        assert_eq!(kernel, "touch");
        for part in ["an illegal memory access", "context is lost", "CUDA_LAUNCH_BLOCKING=1", "--device soft"]
        {
            assert!(report.contains(part), "{report}");
        }
    });
}

#[test]
fn fault_seen_later() {
    with_library("failures::fault_seen_later", Library::Fake("cuStreamSynchronize=700"), || {
        let error = fake().synchronize().unwrap_err().to_string();
        assert!(error.starts_with("cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS (700)"), "{error}");
        assert!(error.contains("context is lost"), "{error}");
    });
}

#[test]
fn failed_launch_ends_its_recording() {
    let name = "failures::failed_launch_ends_its_recording";
    with_library(name, Library::Fake(""), || {
        let device = fake();
        let bad = touch().grid(0, 1, 1);
        let error = device.record(vec![touch().grid(1, 1, 1), bad]).err().unwrap();
        assert!(matches!(error, DeviceError::BadLaunch { .. }), "{error}");
        // The stream of the capture is gone and the device's own is not capturing.
        device.launch(&touch().grid(1, 1, 1)).unwrap();
        assert_eq!(calls_that(&["launch"]).len(), 1);
        drop(device);
        assert_eq!(calls_that(&["release"]), ["release 0: live [], 0 allocations, 0 pinned"]);
    });
}

#[test]
fn no_context_to_be_had() {
    let name = "failures::no_context_to_be_had";
    with_library(name, Library::Fake("cuDevicePrimaryCtxRetain=2"), || {
        let error = Device::cuda(0).err().unwrap().to_string();
        assert!(error.starts_with("cuDevicePrimaryCtxRetain failed"), "{error}");
        assert!(error.contains("OUT_OF_MEMORY (2)"), "{error}");
    });
}
