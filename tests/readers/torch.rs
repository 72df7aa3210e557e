//! What `torch.save` writes: pickles in an archive, or one after the other.

use crate::common::goldens;
use crate::trial::Reader;
use anyhow::anyhow;
use ddpm_ptx::checkpoint::authors;
use ddpm_ptx::pickle::Pickle;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

fn file(name: &str) -> Vec<u8> {
    fs::read(goldens::path("interchange").join(name)).unwrap()
}

fn network(folder: &Path) -> anyhow::Result<()> {
    authors::read(&folder.join("model.ckpt"), None)?;
    Ok(())
}

#[test]
fn damaged_archives_and_chains() {
    let folder = tempfile::tempdir().unwrap();
    let [chain, archive] = ["authors.ckpt", "authors-f16.ckpt"].map(file);
    // F16 is twice as large in memory.
    let reader = Reader { growth: 5, ..Reader::new(folder.path(), "model.ckpt", &network) };
    reader.survives(&[archive.clone(), chain.clone()], 200);
    reader.survives(&[chain, archive], 200);
}

/// The dictionary of tensors alone.
#[test]
fn damaged_pickles() {
    let mut archive = zip::ZipArchive::new(Cursor::new(file("authors-f16.ckpt"))).unwrap();
    let name = archive.file_names().map(Result::unwrap).find(|name| name.ends_with("data.pkl")).unwrap();
    let name = name.into_owned();
    let mut pickle = vec![];
    archive.by_name(&name).unwrap().read_to_end(&mut pickle).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let read = |folder: &Path| {
        let file = fs::read(folder.join("data.pkl"))?;
        let (pickle, _) = Pickle::read(&file).map_err(|error| anyhow!(error))?;
        pickle.root().entries().into_iter().flatten().for_each(|(name, tensor)| {
            name.text();
            tensor.callee();
            tensor.arguments();
            tensor.state();
        });
        Ok(())
    };
    // A value is one byte at least, and 64 in memory; lists grow by doubling.
    let reader = Reader { growth: 200, ..Reader::new(folder.path(), "data.pkl", &read) };
    reader.survives(&[pickle], 2000);
}
