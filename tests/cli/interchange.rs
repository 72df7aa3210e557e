//! `ddpm import` and `ddpm export`.

use super::{device, fail, names, succeed, trained};
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/interchange").join(name)
}

/// Two images of a model.
fn sampled(model: &Path, out: &Path) -> Vec<u8> {
    let (model, name) = (model.display(), out.display());
    succeed(&format!("sample {model} -n 2 --sampler ddim --steps 2 --device {} --out {name}", device()));
    fs::read(out).unwrap()
}

#[test]
fn an_imported_checkpoint_of_the_authors_is_sampled_from() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name);
    let source = fixture("authors.ckpt");
    let said = succeed(&format!("import {} {}", source.display(), to("model").display()));
    assert!(said.contains("images of 32x32"), "{said}");
    assert_eq!(names(&to("model")), ["model_index.json", "scheduler", "unet"]);
    succeed(&format!("import {} {}", fixture("old").display(), to("old").display()));
    assert!(sampled(&to("model"), &to("a.npz")) == sampled(&to("old"), &to("b.npz")));
}

#[test]
fn averaged_and_raw_weights_are_exported() {
    let (folder, run) = trained();
    let to = |name: &str| folder.path().join(name);
    let export = |name: &str, flags: &str| {
        let said = succeed(&format!("export {} {} {flags}", run.display(), to(name).display()));
        assert!(said.contains("checkpoint-6"), "{said}");
        sampled(&to(name), &to(&format!("{name}.npz")))
    };
    let averaged = export("ema", "");
    assert!(averaged == sampled(&run, &to("run.npz")));
    assert!(averaged != export("raw", "--weights raw"));
    assert_eq!(names(&to("raw")), ["model_index.json", "scheduler", "unet"]);
}

#[test]
fn what_cannot_come_or_go() {
    let (folder, run) = trained();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let error = fail(&format!("import {} {}", path("missing"), path("model")));
    assert!(error.contains("missing does not exist"), "{error}");
    let error = fail(&format!("import {} {}", fixture("authors.ckpt").display(), run.display()));
    assert!(error.contains("is there already"), "{error}");
    let error = fail(&format!("import {} {} --size 33", fixture("authors.ckpt").display(), path("model")));
    assert!(error.contains("33x33"), "{error}");
    let error = fail(&format!("import {} {}", fixture("io.safetensors").display(), path("model")));
    assert!(error.contains("authors' names"), "{error}");
    let error = fail(&format!("import {} {}", fixture("").display(), path("model")));
    assert!(error.contains("holds no network"), "{error}");
    let error = fail(&format!("export {} {}", path("missing"), path("model")));
    assert!(error.contains("missing does not exist"), "{error}");
    let unet = run.join("checkpoint-6/unet");
    let error = fail(&format!("export {} {}", unet.display(), path("model")));
    assert!(error.contains("scheduler_config.json"), "{error}");
    assert_eq!(names(folder.path()), ["run"]);
}
