//! Loading modules: once each, machine code before text, the compiler's log to the user.

use crate::kernels::{ASSEMBLED_TOUCH, BROKEN, MISSING, SCALE, TOUCH, touch};
use crate::library::{Library, calls_that, with_library};
use ddpm_ptx::device::cuda::{Code, Cuda};
use ddpm_ptx::device::{Device, DeviceError};

#[test]
fn each_is_loaded_once() {
    with_library("modules::each_is_loaded_once", Library::Fake(""), || {
        let device = Device::cuda(0).unwrap();
        device.prepare(&TOUCH).unwrap();
        for _ in 0..3 {
            device.launch(&touch().grid(1, 1, 1)).unwrap();
        }
        device.prepare(&SCALE).unwrap();
        assert_eq!(calls_that(&["load", "function"]), ["load ptx", "function touch", "function scale"]);
    });
}

#[test]
fn machine_code_of_the_same_card_comes_first() {
    let name = "modules::machine_code_of_the_same_card_comes_first";
    // The latest of the same major capability that is not beyond the card.
    with_library(name, Library::Fake("capability=87"), || {
        let cuda = Cuda::new(0).unwrap();
        assert_eq!(cuda.attributes(&ASSEMBLED_TOUCH).unwrap().code, Code::Cubin(86));
        assert_eq!(calls_that(&["load"]), ["load cubin ELF sm_86 .entry touch()"]);
    });
}

#[test]
fn other_cards_compile_the_text() {
    with_library("modules::other_cards_compile_the_text", Library::Fake("capability=100"), || {
        let attributes = Cuda::new(0).unwrap().attributes(&ASSEMBLED_TOUCH).unwrap();
        assert_eq!(attributes.code, Code::Ptx);
        assert_eq!((attributes.registers, attributes.local_bytes, attributes.max_threads), (42, 16, 1024));
        assert_eq!(calls_that(&["load"]), ["load ptx"]);
    });
}

#[test]
fn refused_machine_code_falls_back_to_the_text() {
    let name = "modules::refused_machine_code_falls_back_to_the_text";
    with_library(name, Library::Fake("cubin=209"), || {
        Device::cuda(0).unwrap().prepare(&ASSEMBLED_TOUCH).unwrap();
        assert_eq!(calls_that(&["load"]), ["load cubin ELF sm_90 .entry touch()", "load ptx"]);
    });
}

#[test]
fn other_failures_of_machine_code_are_not_hidden() {
    let name = "modules::other_failures_of_machine_code_are_not_hidden";
    with_library(name, Library::Fake("cubin=700"), || {
        let error = Device::cuda(0).unwrap().prepare(&ASSEMBLED_TOUCH).unwrap_err().to_string();
        assert!(error.contains("test/assembled") && error.contains("(700)"), "{error}");
        assert_eq!(calls_that(&["load ptx"]), [""; 0]);
    });
}

#[test]
fn the_compilers_log_reaches_the_user() {
    with_library("modules::the_compilers_log_reaches_the_user", Library::Fake(""), || {
        let error = Device::cuda(0).unwrap().prepare(&BROKEN).unwrap_err();
        let DeviceError::Module { module, log } = &error else { panic!("{error}") };
        assert_eq!(module, "test/broken");
        let expected = "CUDA_ERROR_INVALID_PTX (218); a kernel's PTX is not valid\n\
            ptxas application ptx input, line 7; error : Not a name [kernels/test/broken.ptx:17]";
        assert_eq!(log, expected);
    });
}

#[test]
fn a_failed_load_can_be_tried_again() {
    with_library("modules::a_failed_load_can_be_tried_again", Library::Fake(""), || {
        let device = Device::cuda(0).unwrap();
        assert!(device.prepare(&BROKEN).is_err());
        assert!(device.prepare(&BROKEN).is_err());
        device.prepare(&TOUCH).unwrap();
    });
}

#[test]
fn an_old_driver_is_named_as_the_cause() {
    let name = "modules::an_old_driver_is_named_as_the_cause";
    with_library(name, Library::Fake("cuModuleLoadDataEx=222"), || {
        let error = Device::cuda(0).unwrap().prepare(&TOUCH).unwrap_err().to_string();
        assert!(error.contains("UNSUPPORTED_PTX_VERSION (222)") && error.contains("driver 525"), "{error}");
    });
}

#[test]
fn a_missing_entry_is_named() {
    with_library("modules::a_missing_entry_is_named", Library::Fake(""), || {
        let error = Device::cuda(0).unwrap().prepare(&MISSING).unwrap_err();
        assert_eq!(error.to_string(), "module test/scaling has no entry named missing");
    });
}
