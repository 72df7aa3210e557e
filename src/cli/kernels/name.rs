//! Kernels by name.

use crate::device::Kernel;
use crate::kernels::ALL;
use anyhow::{Result, anyhow};

/// Names that are offered for one that there is not.
const OFFERS: usize = 3;

/// The kernel whose entry has that name.
///
/// # Errors
/// One sentence with the names that are most like it.
pub fn find(name: &str) -> Result<&'static Kernel> {
    ALL.iter().copied().find(|kernel| kernel.entry == name).ok_or_else(|| {
        let near = near(name).join(", ");
        anyhow!("there is no kernel named {name}; the nearest names are {near} (`ddpm kernels` lists all)")
    })
}

/// The names most like `name`: those with the fewest edits, and of those the ones that begin like it.
fn near(name: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = ALL.iter().map(|kernel| kernel.entry).collect();
    names.sort_by_key(|entry| {
        // A part of a name is nearer than its length says.
        let edits = if entry.contains(name) { 1 } else { 2 + edits(name, entry) };
        (edits, entry.len(), *entry)
    });
    names.truncate(OFFERS);
    names
}

/// The Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edits, near};

    #[test]
    fn distances() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("silu", "silu"), 0);
    }

    #[test]
    fn near_names() {
        assert_eq!(near("sillu")[0], "silu");
        assert!(near("fprop_64x65").contains(&"fprop_64x64"));
        assert!(near("128x128").contains(&"fprop_128x128"));
    }
}
