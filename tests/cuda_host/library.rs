//! Puts a test's body into a process with a chosen libcuda.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;

const CHILD: &str = "DDPM_TEST_CUDA_HOST";
const LOG: &str = "FAKE_LIBCUDA_LOG";
const SETTINGS: &str = "FAKE_LIBCUDA";

/// What is found as libcuda.
#[derive(Clone, Copy)]
pub enum Library {
    /// A file that is no library. An empty folder would not do: the loader would go on to the system's own.
    None,
    /// The fake, with its settings.
    Fake(&'static str),
    /// The fake without one of the functions.
    Incomplete,
}

/// Runs `body` with `library`, in a process of its own. `test` is the test's own path: `absence::no_library`.
pub fn with_library(test: &str, library: Library, body: fn()) {
    if env::var_os(CHILD).is_some() {
        return body();
    }
    let (folder, settings) = match library {
        Library::None => (no_library(), ""),
        Library::Fake(settings) => (fake(), settings),
        Library::Incomplete => (incomplete(), ""),
    };
    let log = folder.join(format!("{}-{}.log", test.replace("::", "-"), process::id()));
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env(LOG, &log)
        .env(SETTINGS, settings)
        .env("LD_LIBRARY_PATH", search_path(folder))
        .env_remove("CUDA_VISIBLE_DEVICES")
        .output()
        .unwrap();
    let _ = fs::remove_file(&log);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "with its library, {test} says:\n{said}");
    assert!(said.contains("1 passed"), "no test is named {test}:\n{said}");
}

/// The calls that the fake has noted in this process.
pub fn calls() -> Vec<String> {
    let path = env::var_os(LOG).expect("only a test's own process has notes");
    fs::read_to_string(path).unwrap_or_default().lines().map(String::from).collect()
}

/// Those of the calls that begin with one of `starts`.
pub fn calls_that(starts: &[&str]) -> Vec<String> {
    let wanted = |call: &String| starts.iter().any(|start| call.starts_with(start));
    calls().into_iter().filter(wanted).collect()
}

fn search_path(folder: &Path) -> OsString {
    let others = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(env::split_paths(&others));
    env::join_paths(folders).unwrap()
}

fn no_library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = folder("none");
        fs::write(folder.join("libcuda.so.1"), "not a library").unwrap();
        answer_to_both_names(&folder);
        folder
    })
}

fn fake() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| compile("fake", &[]))
}

fn incomplete() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| compile("incomplete", &["--cfg", "incomplete"]))
}

fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let folder = folder(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda_host/fake_libcuda/lib.rs");
    // Under a name of its own first: another run of the tests may be using the library.
    let compiled = folder.join(format!("compiled-{}.so", process::id()));
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&compiler)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "strip=symbols", "-o"])
        .arg(&compiled)
        .args(flags)
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("{compiler:?} compiles the fake libcuda: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(compiled, folder.join("libcuda.so.1")).unwrap();
    answer_to_both_names(&folder);
    folder
}

/// The driver's library is `libcuda.so.1`, but the system's `libcuda.so`, if there is one, would come first.
fn answer_to_both_names(folder: &Path) {
    let linked = symlink("libcuda.so.1", folder.join("libcuda.so"));
    assert!(linked.is_ok() || folder.join("libcuda.so").is_symlink(), "{linked:?}");
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda_host").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}
