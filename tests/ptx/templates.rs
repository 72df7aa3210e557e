//! Templates: variants, macros, and the way back from a rendered line to the template's.

use crate::build::render::{self, Rendered};
use std::path::Path;
use tempfile::TempDir;

/// A folder with the given files in it.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    folder
}

pub fn rendered(files: &[(&str, &str)]) -> Vec<Rendered> {
    let results = render::all(folder(files).path()).expect("readable");
    results.into_iter().map(|result| result.unwrap_or_else(|problems| panic!("{problems:?}"))).collect()
}

fn problem(files: &[(&str, &str)]) -> String {
    let results = render::all(folder(files).path()).expect("readable");
    let problems = results.into_iter().find_map(Result::err).expect("a problem");
    problems[0].to_string()
}

/// The rendered lines behind the preamble.
fn body(module: &Rendered) -> Vec<&str> {
    module.text.lines().skip(3).collect()
}

/// `file:line` of each rendered line behind the preamble.
fn origins(module: &Rendered) -> Vec<String> {
    module.origins[3..]
        .iter()
        .map(|&(file, line)| format!("{}:{line}", module.files[file as usize]))
        .collect()
}

#[test]
fn no_kernels_render_to_nothing() {
    assert!(rendered(&[]).is_empty());
    assert!(render::all(Path::new("/nonexistent/kernels")).expect("an absent folder is empty").is_empty());
}

#[test]
fn every_module_begins_with_the_preamble() {
    let module = &rendered(&[("conv/a.ptx", "ret;\n")])[0];
    assert_eq!(module.text, ".version 8.0\n.target sm_80\n.address_size 64\nret;\n");
    assert_eq!((module.name.as_str(), module.family.as_str()), ("conv/a", "conv"));
}

#[test]
fn each_variant_is_a_module_of_its_own() {
    let text = "// tile ${BM}\n//@ variant 64x32: BM=64 MODE=wide FAST=false\n//@ variant 8: BM=8 MODE=thin FAST=true\n\
                k_${variant} ${BM*2} ${MODE}\n# if FAST\nfast\n# endif\n";
    let modules = rendered(&[("conv/a.ptx", text)]);
    assert_eq!(modules[0].name, "conv/a.64x32");
    assert_eq!(body(&modules[0]), ["// tile 64", "k_64x32 128 wide"]);
    assert_eq!(modules[1].name, "conv/a.8");
    assert_eq!(body(&modules[1]), ["// tile 8", "k_8 16 thin", "fast"]);
}

#[test]
fn helper_functions() {
    let module = &rendered(&[("x/a.ptx", "${vec(\"c\", 4, 3)} ${f32(0.5)} ${f32(-1)}\n")])[0];
    assert_eq!(body(module), ["{%c4,%c5,%c6} 0f3F000000 0fBF800000"]);
}

#[test]
fn lines_of_macros_keep_their_own_origin() {
    let prelude = "<# two\nlines #>\n# macro twice(r)\n    first ${r};\n    second ${r};\n# endmacro\n";
    let kernel = "# from \"prelude/p.ptx\" import twice\nbegin;\n\n# for i in range(2)\n    ${twice(i)}\n# endfor\nend;\n";
    let module = &rendered(&[("prelude/p.ptx", prelude), ("x/a.ptx", kernel)])[0];
    let lines: Vec<&str> = body(module).iter().map(|line| line.trim()).collect();
    assert_eq!(lines, ["begin;", "", "first 0;", "second 0;", "first 1;", "second 1;", "end;"]);
    let places = origins(module);
    assert_eq!(places[0], "x/a.ptx:2");
    assert_eq!(places[2..6], ["prelude/p.ptx:4", "prelude/p.ptx:5", "prelude/p.ptx:4", "prelude/p.ptx:5"]);
    assert_eq!(places[6], "x/a.ptx:7");
    assert_eq!(module.problem(6, "bad").to_string(), "kernels/prelude/p.ptx:4: bad");
}

#[test]
fn a_macro_inside_a_line_leaves_the_rest_of_the_line() {
    let kernel = "# macro at(i)\n[%r+${i}]\n# endmacro\nld %f, ${at(4)};\nret;\n";
    let module = &rendered(&[("x/a.ptx", kernel)])[0];
    assert_eq!(body(module).concat(), "ld %f, [%r+4];ret;");
}

#[test]
fn statements_and_comments_may_span_lines() {
    let kernel = "<% set a = 1 +\n   2 %>\na${a\n + 1}b;\n<# ${x}\n# for\n #>\nlast;\n";
    let module = &rendered(&[("x/a.ptx", kernel)])[0];
    assert_eq!(body(module), ["a4b;", "last;"]);
    assert_eq!(origins(module)[1], "x/a.ptx:8");
}

#[test]
fn template_errors_name_file_and_line() {
    let undefined = problem(&[("x/a.ptx", "ret;\nadd ${nowhere};\n")]);
    assert!(undefined.starts_with("kernels/x/a.ptx:2: undefined value"), "{undefined}");
    let syntax = problem(&[("x/a.ptx", "ret;\n# for i in\n# endfor\n")]);
    assert!(syntax.starts_with("kernels/x/a.ptx:2: syntax error"), "{syntax}");
    let prelude = "# macro m()\n    ${gone}\n# endmacro\n";
    let inner =
        problem(&[("prelude/p.ptx", prelude), ("x/a.ptx", "# from \"prelude/p.ptx\" import m\n${m()}\n")]);
    assert!(inner.contains("kernels/prelude/p.ptx:2"), "{inner}");
}

#[test]
fn bad_headers_are_refused() {
    for (text, message) in [
        ("//@ variant : A=1\n", "kernels/x/a.ptx:1: expected `//@ variant NAME"),
        ("//@ variant a-b: A=1\n", "kernels/x/a.ptx:1: expected `//@ variant NAME"),
        ("//@ variant a: A\n", "kernels/x/a.ptx:1: expected `//@ variant NAME"),
        ("//@ varient a: A=1\n", "kernels/x/a.ptx:1: expected `//@ variant NAME"),
        ("//@ variant a: A=1\n//@ variant a: A=2\n", "kernels/x/a.ptx:2: the variant `a` is there twice"),
        ("ret;\n.version 8.0\n", "kernels/x/a.ptx:2: `.version 8.0` is put in front"),
        ("  .target sm_90\n", "kernels/x/a.ptx:1: `.target sm_90` is put in front"),
    ] {
        let found = problem(&[("x/a.ptx", text)]);
        assert!(found.starts_with(message), "{text:?}: {found}");
    }
    let found = problem(&[("a.ptx", "ret;\n")]);
    assert!(found.contains("kernels/<family>/<name>.ptx"), "{found}");
}
