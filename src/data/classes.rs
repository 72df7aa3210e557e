//! Labels from the folders that images are in.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// The classes of a set of images. Without labels, both are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classes {
    /// In the order of their numbers.
    pub names: Vec<String>,
    /// The class of each image.
    pub labels: Vec<u32>,
}

impl Classes {
    /// Of images in folders: the class of each is named by the first folder on its path that is not on all of them,
    /// and classes are numbered in the order of their names. If an image lies beside these folders, there are no labels.
    pub fn of_paths<'a>(paths: impl Iterator<Item = &'a Path> + Clone) -> Classes {
        let folders = || paths.clone().map(folders_of);
        let shared = folders().reduce(|shared, path| common(&shared, &path)).map_or(0, |shared| shared.len());
        let Some(named) = folders().map(|path| path.get(shared).cloned()).collect::<Option<Vec<String>>>()
        else {
            return Classes::default();
        };
        let names: Vec<String> = named.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |name| names.binary_search(name).expect("every name is among the names") as u32;
        let labels = named.iter().map(number).collect();
        Classes { names, labels }
    }

    /// Of images with numbers for labels: each number is a class, from 0 to the largest.
    pub fn of_numbers(labels: Vec<u32>) -> Classes {
        let count = labels.iter().max().map_or(0, |&largest| largest as usize + 1);
        Classes { names: (0..count).map(|number| number.to_string()).collect(), labels }
    }

    /// The class of an image, if there are labels.
    pub fn label(&self, image: usize) -> Option<u32> {
        self.labels.get(image).copied()
    }
}

/// The folders on the path to a file.
fn folders_of(path: &Path) -> Vec<String> {
    let parts = path.parent().into_iter().flat_map(Path::components);
    parts
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into())
        .collect()
}

fn common(a: &[String], b: &[String]) -> Vec<String> {
    a.iter().zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> Classes {
        Classes::of_paths(paths.iter().map(Path::new))
    }

    #[test]
    fn the_first_folder_that_differs_is_the_class() {
        let classes = of(&["/data/train/cat/1.png", "/data/train/ant/deep/2.png", "/data/train/cat/3.png"]);
        assert_eq!(classes.names, ["ant", "cat"]);
        assert_eq!(classes.labels, [1, 0, 1]);
    }

    #[test]
    fn without_such_folders_there_are_no_labels() {
        for paths in
            [&["a/1.png", "a/2.png"][..], &["1.png"], &["a/1.png", "2.png"], &["a/1.png", "a/b/2.png"]]
        {
            assert_eq!(of(paths), Classes::default(), "{paths:?}");
        }
    }
}
