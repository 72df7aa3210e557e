//! Assembling, with a stand-in for `ptxas` that says what it is told to say.
#![cfg(unix)]

use crate::build::ptxas::Assembler;
use crate::build::{self, CAPABILITIES, Outcome};
use crate::templates::folder;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use tempfile::TempDir;

const KERNEL: &str = "// Does nothing.\n.visible .entry k() .reqntid 32\n{\n    ret;\n}\n";

/// A script cannot be run while a process forked by another test still holds it open for writing.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A shell script that runs like `ptxas`: it prints `said`, leaves a cubin, notes its run, and exits with `status`.
fn stand_in(said: &str, status: i32) -> (TempDir, Assembler) {
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo stand-in && exit 0\necho run >> \"$0.runs\"\n\
         while [ \"$1\" != -o ]; do shift; done\necho code > \"$2\"\ncat >&2 <<'END'\n{said}\nEND\nexit {status}\n"
    );
    let folder = folder(&[("ptxas", &script)]);
    let path = folder.path().join("ptxas");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let assembler = Assembler::at(&path).expect("the script runs");
    (folder, assembler)
}

fn build(kernel: &str, out: &Path, assembler: &Assembler, strict: bool) -> Outcome {
    let kernels = folder(&[("x/a.ptx", kernel)]);
    build::build(kernels.path(), out, Some(assembler), strict).expect("writable")
}

fn runs(folder: &TempDir) -> usize {
    std::fs::read_to_string(folder.path().join("ptxas.runs")).map_or(0, |text| text.lines().count())
}

const CLEAN: &str = "ptxas info    : Compiling entry function 'k' for 'sm_80'\n\
    ptxas info    : Function properties for k\n    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
    ptxas info    : Used 27 registers, used 0 barriers, 1536 bytes smem, 380 bytes cmem[0]";

#[test]
fn resources_and_cubins_are_embedded_and_cached() {
    let _alone = alone();
    let (script, assembler) = stand_in(CLEAN, 0);
    let out = folder(&[]);
    let outcome = build(KERNEL, out.path(), &assembler, true);
    assert_eq!((outcome.errors, outcome.warnings), (vec![], vec![]));
    let launchers = std::fs::read_to_string(out.path().join("launchers.rs")).expect("written");
    let resources =
        "Resources { entry: \"k\", registers: 27, shared_bytes: 1536, stack_bytes: 0, spill_bytes: 0 }";
    assert_eq!(launchers.matches(resources).count(), CAPABILITIES.len(), "{launchers}");
    assert_eq!(runs(&script), CAPABILITIES.len());

    build(KERNEL, out.path(), &assembler, true);
    assert_eq!(runs(&script), CAPABILITIES.len(), "an unchanged kernel is not assembled again");
    build(&KERNEL.replace("ret;", "exit;"), out.path(), &assembler, true);
    assert_eq!(runs(&script), 2 * CAPABILITIES.len(), "a changed one is");
    let files = std::fs::read_dir(out.path().join("cubin")).expect("a folder").count();
    assert_eq!(files, 2 * CAPABILITIES.len(), "a cubin and a log each; those of the old text are gone");
}

#[test]
fn complaints_are_warnings_or_in_strict_mode_errors() {
    let _alone = alone();
    for said in [
        "ptxas warning : Registers are spilled to local memory in function 'k', 8 bytes spill stores, 8 bytes spill loads",
        "ptxas info    : (C7517) Potential Performance Loss: wgmma is serialized in the function 'k'",
    ] {
        let (_script, assembler) = stand_in(said, 0);
        let relaxed = build(KERNEL, folder(&[]).path(), &assembler, false);
        assert_eq!((relaxed.errors.len(), relaxed.warnings.len()), (0, CAPABILITIES.len()));
        let strict = build(KERNEL, folder(&[]).path(), &assembler, true);
        assert_eq!((strict.errors.len(), strict.warnings.len()), (CAPABILITIES.len(), 0));
        let text = strict.errors[0].to_string();
        assert!(text.starts_with("kernels/x/a.ptx:2: ptxas for sm_80: "), "{text}");
    }
}

#[test]
fn a_refusal_names_the_template_line_and_leaves_ptx_only() {
    let _alone = alone();
    let said =
        "ptxas a.ptx, line 7; error   : Unknown thing\nptxas fatal   : Ptx assembly aborted due to errors";
    let (_script, assembler) = stand_in(said, 255);
    let out = folder(&[]);
    let outcome = build(KERNEL, out.path(), &assembler, false);
    assert_eq!(outcome.warnings[0].to_string(), "kernels/x/a.ptx:4: ptxas for sm_80: Unknown thing");
    let launchers = std::fs::read_to_string(out.path().join("launchers.rs")).expect("written");
    assert!(launchers.contains("cubins: &[]"), "{launchers}");
    assert!(!build(KERNEL, out.path(), &assembler, true).errors.is_empty());
}

#[test]
fn an_assembler_that_does_not_run_is_none() {
    assert!(Assembler::at(Path::new("/nonexistent/ptxas")).is_none());
}
