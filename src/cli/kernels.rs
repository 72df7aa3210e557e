//! `ddpm kernels`.

use super::Outcome;
use crate::device::{Kernel, Resources};
use crate::kernels::ALL;
use anyhow::Result;
use std::io::{self, Write};

/// List the embedded kernels
#[derive(clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Result<Outcome> {
    // A reader that has seen enough, `head` say, is no error.
    match list(&mut io::stdout().lock()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(Outcome::Done)
}

/// One line a kernel: entry, threads of a block, registers and shared memory if `ptxas` told, what it does.
fn list(out: &mut impl Write) -> io::Result<()> {
    let width = ALL.iter().map(|kernel| kernel.entry.len()).max().unwrap_or(0);
    writeln!(out, "{:width$}  threads  registers  shared  what it does", "entry")?;
    let mut module = "";
    for kernel in ALL {
        if kernel.module.name != module {
            module = kernel.module.name;
            writeln!(out, "{module}.ptx")?;
        }
        let threads: u32 = kernel.block.iter().product();
        let resources = resources(kernel);
        let number = |of: fn(&Resources) -> u32| resources.map_or("?".into(), |r| of(r).to_string());
        let (registers, shared) = (number(|r| r.registers), number(|r| r.shared_bytes));
        let summary = first_sentence(kernel.doc);
        writeln!(out, "{:width$}  {threads:7}  {registers:>9}  {shared:>6}  {summary}", kernel.entry)?;
    }
    writeln!(out, "{} kernels", ALL.len())
}

/// What `ptxas` reported for the first architecture that the kernel was assembled for.
fn resources(kernel: &Kernel) -> Option<&'static Resources> {
    let cubin = kernel.module.cubins.first()?;
    cubin.resources.iter().find(|resources| resources.entry == kernel.entry)
}

/// The first sentence of a header, or its first paragraph where that ends earlier.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    let joined = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = joined.find(". ").unwrap_or(joined.len());
    joined[..end].trim_end_matches(['.', ':']).to_string()
}
