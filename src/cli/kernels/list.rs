//! All kernels, template by template: the formula, then a line for each entry.

use crate::device::{Kernel, Resources};
use crate::kernels::ALL;
use std::fmt::Write;

/// The list.
pub fn list() -> String {
    let width = ALL.iter().map(|kernel| kernel.entry.len()).max().unwrap_or(0);
    let mut text = String::new();
    for kernels in ALL.chunk_by(|a, b| template(a) == template(b)) {
        let first = kernels[0];
        let _ = writeln!(text, "{}", template(first));
        for line in formula(first.doc).lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
        let _ = writeln!(text, "    {:width$}  threads  registers  shared B", "entry");
        for kernel in kernels {
            let threads: u32 = kernel.block.iter().product();
            let resources = resources(kernel);
            let number = |of: fn(&Resources) -> u32| resources.map_or("?".into(), |r| of(r).to_string());
            let (registers, shared) = (number(|r| r.registers), number(|r| r.shared_bytes));
            let _ = writeln!(text, "    {:width$}  {threads:7}  {registers:>9}  {shared:>8}", kernel.entry);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{} kernels", ALL.len());
    text
}

/// The file that a kernel was rendered from.
pub fn template(kernel: &Kernel) -> &'static str {
    kernel.module.files.first().copied().unwrap_or(kernel.module.name)
}

/// The first paragraph of a header that is not just the summary of what follows: up to the first empty line behind
/// something that is indented, or the first empty line at all if nothing is.
pub fn formula(doc: &str) -> &str {
    let head = doc.split("\nLayout ").next().unwrap_or(doc).trim_end();
    let indented = head.find("\n    ").unwrap_or(0);
    let end = head[indented..].find("\n\n").map_or(head.len(), |end| indented + end);
    head[..end].trim_end()
}

/// What `ptxas` reported for the first architecture that the kernel was assembled for.
fn resources(kernel: &Kernel) -> Option<&'static Resources> {
    let cubin = kernel.module.cubins.first()?;
    cubin.resources.iter().find(|resources| resources.entry == kernel.entry)
}

#[cfg(test)]
mod tests {
    use super::formula;

    #[test]
    fn formulas() {
        assert_eq!(
            formula("A sum:\n\n    y = a + b\nof all.\n\nMore.\n\nLayout flat"),
            "A sum:\n\n    y = a + b\nof all."
        );
        assert_eq!(formula("A sum.\n\nMore."), "A sum.");
        assert_eq!(formula("A sum:\n    y = a + b\n\nLayout   flat"), "A sum:\n    y = a + b");
        assert_eq!(formula(""), "");
    }
}
