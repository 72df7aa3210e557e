//! What the author of a kernel reads.

use ddpm_ptx::device::soft::{Finding, Soft};
use ddpm_ptx::device::{Device, DeviceError};

const HEAD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 x) {\n\
                    .reg .b32 %r<4>; .reg .b64 %rd<4>;\nld.param.u64 %rd0, [x]; mov.u32 %r0, %tid.x;\n";

/// Runs `body`, whose first line is line 7, with the address of 32 words in `%rd0`; the error.
fn error(body: &str) -> DeviceError {
    let soft = Soft::checked(0);
    let words = Device::from(soft.clone()).upload(&[0u32; 32]).expect("memory");
    let program = soft.load("folder/text.ptx", &format!("{HEAD}{body}\nret;\n}}\n")).expect("PTX");
    program.launch("k", [1; 3], [32, 2, 1], 0, &words.address().to_le_bytes()).expect_err("a faulty kernel")
}

fn findings(body: &str) -> Vec<Finding> {
    match error(body) {
        DeviceError::Findings { kernel, findings } => {
            assert_eq!(kernel, "k");
            findings
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_error_reads_like_that_of_a_compiler() {
    let body = "mov.u32 %r1, %tid.y;\nmad.lo.u32 %r1, %r1, 32, %r0;\nmad.wide.u32 %rd1, %r1, 4, %rd0;\n\
                st.global.u32 [%rd1], %r1;";
    let expected = "\
error[out-of-bounds]: write of 4 bytes at 0x700000000080, 4 bytes behind the end of the allocation of 128 bytes at 0x700000000000
  --> folder/text.ptx:10
   |     st.global.u32 [%rd1], %r1;
   = kernel k, block (0, 0, 0), thread (0, 1, 0)
   = seen 32 times";
    assert_eq!(error(body).to_string(), expected);
}

#[test]
fn the_other_place_is_shown_too() {
    let expected = "\
error[unwritten-register]: register %r2 is read, but nothing wrote it
  --> folder/text.ptx:7
   |     add.u32 %r1, %r2, 1;
   = kernel k, block (0, 0, 0), thread (0, 0, 0)
   = it counts here, in %r1
  ::: folder/text.ptx:9
   |     st.global.u32 [%rd1], %r1;
   = kernel k, block (0, 0, 0), thread (0, 0, 0)
   = seen 2 times";
    let body = "add.u32 %r1, %r2, 1;\nmad.wide.u32 %rd1, %r0, 4, %rd0;\nst.global.u32 [%rd1], %r1;";
    let found = findings(body);
    let unwritten: Vec<_> =
        found.iter().filter(|finding| finding.kind.name() == "unwritten-register").collect();
    assert_eq!(unwritten[0].to_string(), expected);
}

/// A kernel goes on after a mistake, without what cannot be done, so that one run shows all of them.
#[test]
fn several_mistakes_are_found_in_one_run() {
    let body = "mov.u32 %r1, 0;\nrem.u32 %r2, %r0, %r1;\nld.global.u32 %r3, [%rd0+2];\nld.global.u32 %r3, [%rd0+512];";
    let found: Vec<_> =
        findings(body).iter().map(|finding| (finding.kind.name(), finding.source.place.clone())).collect();
    let place = |line: u32| format!("folder/text.ptx:{line}");
    assert_eq!(
        found,
        [("division-by-zero", place(8)), ("misaligned", place(9)), ("out-of-bounds", place(10))]
    );
}
