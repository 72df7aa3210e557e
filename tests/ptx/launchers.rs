//! Generated launchers: their text, and the real ones in use.

use crate::build;
use crate::templates::folder;
use ddpm_ptx::device::{Access, Arg, Out, Place};
use ddpm_ptx::kernels;

const KERNEL: &str = "// y = x\n\n// Adds ${variant}.\n//@ variant v2: K=2\n.visible .entry add_${variant}(\n\
    .param .u64 x, // in? f32 [N]\n.param .u64 in, // inout bf16 [N]\n.param .u32 n // N\n) .reqntid 64 { ret; }\n";

fn generated(files: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let (kernels, out) = (folder(files), folder(&[]));
    let outcome = build::build(kernels.path(), out.path(), None, false).expect("writable");
    if !outcome.errors.is_empty() {
        return Err(outcome.errors.iter().map(|problem| problem.to_string()).collect());
    }
    Ok(std::fs::read_to_string(out.path().join("launchers.rs")).expect("launchers.rs is there"))
}

#[test]
fn an_entry_becomes_a_typed_function() {
    let text = generated(&[("math/add.ptx", KERNEL)]).expect("good");
    for part in [
        "pub mod math {",
        "/// Adds v2.\n",
        "pub fn add_v2(x: Option<In<f32>>, r#in: InOut<bf16>, n: u32) -> Call {",
        "Call::new(&ADD_V2, vec![Arg::from(x), Arg::from(r#in), Arg::U32(n)])",
        "name: \"math/add.v2\"",
        "block: [64, 1, 1]",
        "params: &[\"x\", \"in\", \"n\"]",
        "doc: \"y = x\\n\\nAdds v2.\"",
        "cubins: &[]",
        "    &math::ADD_V2,\n",
        "    &math::MODULE_ADD_V2,\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

/// Generic where variants differ in the elements of a pointer; none where they differ in more.
#[test]
fn launchers_of_variants_have_a_type() {
    let text = generated(&[("math/add.ptx", KERNEL)]).expect("good");
    let one = "pub type Add = fn(x: Option<In<f32>>, r#in: InOut<bf16>, n: u32) -> Call;";
    assert!(text.contains(one), "{text}");

    let two = KERNEL.replace("K=2\n", "K=u8\n//@ variant v4: K=f32\n");
    let text = generated(&[("math/add.ptx", &two.replace("in? f32", "in? ${K}"))]).expect("good");
    let generic = "pub type Add<T> = fn(x: Option<In<T>>, r#in: InOut<bf16>, n: u32) -> Call;";
    assert!(text.contains(generic), "{text}");

    let apart = two.replace("x, // in? f32", "x${K}, // in? f32");
    let text = generated(&[("math/add.ptx", &apart)]).expect("good");
    assert!(text.contains("pub fn add_v4(xf32") && !text.contains("pub type"), "{text}");
}

#[test]
fn no_kernels_are_fine() {
    let text = generated(&[]).expect("good");
    assert!(text.contains("pub static ALL: &[&crate::device::Kernel] = &[\n];"), "{text}");
}

#[test]
fn an_entry_name_is_unique_in_its_family() {
    let twice = [("math/a.ptx", KERNEL), ("math/b.ptx", KERNEL)];
    assert_eq!(
        generated(&twice),
        Err(vec!["kernels/math/b.ptx:5: the family `math` has two entries `add_v2`".to_string()])
    );
    let apart = [("math/a.ptx", KERNEL), ("more/b.ptx", KERNEL)];
    assert!(generated(&apart).is_ok());
}

#[test]
fn grammar_errors_name_the_template_line() {
    let broken = KERNEL.replace("ret;", "ret\n");
    let problems = generated(&[("math/a.ptx", &broken)]).expect_err("malformed");
    assert!(problems[0].starts_with("kernels/math/a.ptx:10: expected "), "{problems:?}");
}

#[test]
fn instructions_that_the_software_device_lacks_are_refused() {
    let unknown = KERNEL.replace("ret;", "ret;\n    add.u33 %r1, %r1, %r1;");
    let problems = generated(&[("math/a.ptx", &unknown)]).expect_err("unknown");
    assert!(problems[0].starts_with("kernels/math/a.ptx:10: "), "{problems:?}");
    assert!(problems[0].contains("add.u33"), "{problems:?}");
}

#[test]
fn a_real_launcher_makes_its_launch() {
    let launch = kernels::elementwise::fill(Out::new(Place::Address(256)), 1000, 0.5).grid(4, 1, 1);
    assert_eq!(launch.kernel.entry, "fill");
    assert_eq!(launch.kernel.block, [256, 1, 1]);
    assert_eq!(launch.grid, [4, 1, 1]);
    let pointer = Arg::Pointer(Place::Address(256), Access::Write);
    assert_eq!(launch.args, [pointer, Arg::U32(1000), Arg::F32(0.5)]);
}

#[test]
fn every_kernel_is_listed_with_its_module() {
    for kernel in kernels::ALL {
        let parsed = ddpm_ptx::ptx::parse(kernel.module.ptx).expect("build.rs parsed it");
        let entry = parsed.functions.iter().find(|function| function.name == kernel.entry);
        assert_eq!(entry.map(|entry| entry.params.len()), Some(kernel.params.len()), "{}", kernel.entry);
        assert_eq!(kernel.module.origins.len(), kernel.module.ptx.lines().count(), "{}", kernel.module.name);
        assert!(kernels::MODULES.iter().any(|module| module.name == kernel.module.name));
    }
}
