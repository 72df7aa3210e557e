//! From `kernels/**/*.ptx` to `launchers.rs`: what `build.rs` does, apart from talking to cargo.
//!
//! Every template is rendered for each of its variants, parsed with the crate's own PTX parser, checked,
//! assembled where `ptxas` is found, and made into typed launchers. Each step's problems name the template's
//! file and line, never the rendered one's.

pub mod launchers;
pub mod problem;
pub mod ptxas;
pub mod render;
pub mod signature;
pub mod signatures;

use problem::Problem;
use ptxas::{Assembled, Assembler};
use render::Rendered;
use signature::Entry;
use std::path::{Path, PathBuf};

/// Compute capabilities that cubins are made for. Newer cards compile the PTX when the module is loaded.
pub const CAPABILITIES: &[u32] = &[80, 90];

/// One rendered, checked module.
pub struct Module {
    pub rendered: Rendered,
    pub entries: Vec<Entry>,
    /// Where the rendered text lies.
    pub path: PathBuf,
    /// One for each capability that could be assembled.
    pub assembled: Vec<Assembled>,
}

/// Everything that `build.rs` wants to tell cargo.
#[derive(Default)]
pub struct Outcome {
    /// Make the build fail.
    pub errors: Vec<Problem>,
    /// Are shown only.
    pub warnings: Vec<Problem>,
}

/// Builds every kernel under `kernels` and writes `launchers.rs`, the rendered modules under `ptx/` and the
/// cubins under `cubin/` to `out`. With `strict`, whatever `ptxas` complains of is an error.
pub fn build(
    kernels: &Path,
    out: &Path,
    assembler: Option<&Assembler>,
    strict: bool,
) -> std::io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut modules = Vec::new();
    for rendered in render::all(kernels)? {
        match rendered.and_then(|rendered| check(rendered, out)) {
            Ok(module) => modules.push(module),
            Err(problems) => outcome.errors.extend(problems),
        }
    }
    outcome.errors.extend(repeated_entries(&modules));
    if !outcome.errors.is_empty() {
        return Ok(outcome);
    }
    write_rendered(&modules, &out.join("ptx"))?;
    if let Some(assembler) = assembler {
        let complaints = ptxas::assemble_all(assembler, &mut modules, &out.join("cubin"))?;
        if strict { &mut outcome.errors } else { &mut outcome.warnings }.extend(complaints);
    }
    std::fs::write(out.join("launchers.rs"), launchers::generate(&modules))?;
    Ok(outcome)
}

fn check(rendered: Rendered, out: &Path) -> Result<Module, Vec<Problem>> {
    let tree = crate::ptx::parse(&rendered.text).map_err(|error| {
        let message = format!("{} (column {}): {}", error.message, error.column, error.text);
        vec![rendered.problem(error.line, message)]
    })?;
    // What the software device cannot run is refused here, not when somebody launches it.
    crate::ptx::typed::check(&tree).map_err(|error| {
        let message = format!("{}: {}", error.message, rendered.line(error.line).trim());
        vec![rendered.problem(error.line, message)]
    })?;
    let entries = signature::entries(&rendered, &tree)?;
    let path = out.join("ptx").join(format!("{}.ptx", rendered.name));
    Ok(Module { rendered, entries, path, assembled: Vec::new() })
}

/// Launchers of a family share a Rust module, so an entry's name must be unique in it.
fn repeated_entries(modules: &[Module]) -> Vec<Problem> {
    let mut seen = std::collections::HashSet::new();
    let mut problems = Vec::new();
    for module in modules {
        for entry in &module.entries {
            if !seen.insert((&module.rendered.family, &entry.name)) {
                let message =
                    format!("the family `{}` has two entries `{}`", module.rendered.family, entry.name);
                problems.push(module.rendered.problem(entry.line, message));
            }
        }
    }
    problems
}

/// Leaves exactly the rendered modules in `folder`.
fn write_rendered(modules: &[Module], folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    for module in modules {
        if let Some(family) = module.path.parent() {
            std::fs::create_dir_all(family)?;
        }
        std::fs::write(&module.path, &module.rendered.text)?;
    }
    Ok(())
}
