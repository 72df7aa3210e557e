//! Entries: block, documentation and the meaning of each parameter.

use crate::build::signature::{self, Access, Element, Entry, ParamKind};
use crate::templates;

/// The entries of a template, or the text of its problems.
fn entries(text: &str) -> Result<Vec<Entry>, Vec<String>> {
    let rendered = templates::rendered(&[("x/a.ptx", text)]).remove(0);
    let module = ddpm_ptx::ptx::parse(&rendered.text).expect("parses");
    signature::entries(&rendered, &module)
        .map_err(|problems| problems.iter().map(|problem| problem.to_string()).collect())
}

/// An entry with one parameter.
fn with_param(param: &str) -> Result<ParamKind, String> {
    let found = entries(&format!("// Doc.\n.entry k(\n{param}\n) .reqntid 32 {{ ret; }}\n"));
    found
        .map(|mut entries| entries.remove(0).params.remove(0).kind)
        .map_err(|mut problems| problems.remove(0))
}

#[test]
fn parameters_become_typed() {
    let pointer = |access, optional, element| ParamKind::Pointer { access, optional, element };
    for (text, kind) in [
        (".param .u64 x // in  f32 [N,H,W,C]", pointer(Access::In, false, Element::F32)),
        (".param .u64 x // in? f32 [N] or null", pointer(Access::In, true, Element::F32)),
        (".param .u64 x // out bf16 [N]", pointer(Access::Out, false, Element::BF16)),
        (".param .u64 x // out? u8 [N]", pointer(Access::Out, true, Element::U8)),
        (".param .u64 x // inout u64 [1]", pointer(Access::InOut, false, Element::U64)),
        (".param .u64 x //inout? i32 [1]", pointer(Access::InOut, true, Element::I32)),
        (".param .u64 x // in f64", pointer(Access::In, false, Element::F64)),
        (".param .u64 x // in u32", pointer(Access::In, false, Element::U32)),
        (".param .u64 seed // key of the run", ParamKind::U64),
        (".param .u32 n // channels", ParamKind::U32),
        (".param .u32 n", ParamKind::U32),
        (".param .s32 n // offset", ParamKind::I32),
        (".param .f32 eta", ParamKind::F32),
        (".param .f64 eta", ParamKind::F64),
    ] {
        assert_eq!(with_param(text), Ok(kind), "{text}");
    }
}

#[test]
fn wrong_annotations_name_their_line() {
    for (text, message) in [
        (".param .u64 x", "needs a comment like"),
        (".param .u64 x // inn f32 [N]", "needs a comment like"),
        (".param .u64 x // in", "needs an element type behind `in`"),
        (".param .u64 x // in float [N]", "not `float`"),
        (".param .u32 x // in f32 [N]", "pointers are `.u64`"),
        (".param .b64 x // in f32 [N]", "pointers are `.u64`"),
        (".param .u16 x", "has a type that no launcher passes"),
        (".param .align 64 .b8 x[128]", "is no plain scalar"),
    ] {
        let problem = with_param(text).expect_err(text);
        assert!(problem.starts_with("kernels/x/a.ptx:3: parameter `x` "), "{text}: {problem}");
        assert!(problem.contains(message), "{text}: {problem}");
    }
    let problem = with_param(".param .u32 a, .param .u32 b").expect_err("two on a line");
    assert!(problem.contains("parameter `b` shares its line"), "{problem}");
}

#[test]
fn blocks_come_from_reqntid() {
    let block = |directives: &str| {
        entries(&format!("// Doc.\n.entry k() {directives} {{ ret; }}\n")).map(|entries| entries[0].block)
    };
    assert_eq!(block(".reqntid 256"), Ok([256, 1, 1]));
    assert_eq!(block(".maxnreg 64 .reqntid 32, 4"), Ok([32, 4, 1]));
    assert_eq!(block(".reqntid 8,8,16"), Ok([8, 8, 16]));
    for directives in
        ["", ".maxntid 128", ".reqntid 0", ".reqntid 2048", ".reqntid 32,64", ".reqntid 1,1,1,1"]
    {
        let problems = block(directives).expect_err(directives);
        assert!(problems[0].contains(".reqntid"), "{directives}: {problems:?}");
    }
}

#[test]
fn documentation_is_the_comment_directly_above() {
    let text = "// y = x\n//   indented\n//@ variant 2: K=2\n// more\n\n// Entry of ${K}.\n.entry k() .reqntid 32 { ret; }\n";
    let entry = entries(text).expect("good").remove(0);
    assert_eq!(entry.header, "y = x\n  indented\nmore");
    assert_eq!(entry.doc, "Entry of 2.");
    let problems = entries("// Doc.\n\n.entry k() .reqntid 32 { ret; }\n").map(|_| ()).expect_err("no doc");
    assert_eq!(problems, ["kernels/x/a.ptx:3: `k` has no comment directly above it"]);
}

#[test]
fn every_problem_is_reported() {
    let text = "// Doc.\n.entry k(\n.param .u64 x,\n.param .u64 y\n) { ret; }\n";
    let problems = entries(text).map(|_| ()).expect_err("three problems");
    assert_eq!(problems.len(), 3, "{problems:?}");
    let problems = entries("// Doc.\n.func f { ret; }\n").map(|_| ()).expect_err("no entry");
    assert!(problems[0].contains("no `.entry`"), "{problems:?}");
}
