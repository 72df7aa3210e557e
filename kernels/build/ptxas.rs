//! Machine code and resource usage, from `ptxas` where there is one.

use super::problem::Problem;
use super::render::Rendered;
use super::{CAPABILITIES, Module};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `ptxas` processes at a time.
const THREADS: usize = 2;

const FLAGS: &[&str] = &["-v", "-warn-spills", "-warn-lmem-usage"];

/// A `ptxas` that runs.
pub struct Assembler {
    pub path: PathBuf,
    /// What it says of itself; part of the cache key.
    version: String,
}

/// A module's machine code for one capability.
pub struct Assembled {
    pub capability: u32,
    pub path: PathBuf,
    /// By entry.
    pub resources: Vec<(String, Resources)>,
}

/// What one entry takes of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    pub registers: u32,
    pub shared_bytes: u32,
    pub stack_bytes: u32,
    pub spill_bytes: u32,
}

impl Assembler {
    /// The `ptxas` that `$PTXAS` names, else the one in `$PATH`, else the one in `$CUDA_HOME/bin`. A `$PTXAS` that does
    /// not run is an error, as somebody asked for it.
    pub fn find() -> Result<Option<Assembler>, String> {
        if let Some(path) = std::env::var_os("PTXAS").filter(|path| !path.is_empty()) {
            let path = PathBuf::from(path);
            return Assembler::at(&path).map(Some).ok_or(format!("PTXAS={} does not run", path.display()));
        }
        let in_cuda_home = std::env::var_os("CUDA_HOME").map(|home| PathBuf::from(home).join("bin/ptxas"));
        let found = Assembler::at(Path::new("ptxas")).or_else(|| Assembler::at(&in_cuda_home?));
        Ok(found)
    }

    /// `None` if `path` does not run.
    pub fn at(path: &Path) -> Option<Assembler> {
        let output =
            Command::new(path).arg("--version").output().ok().filter(|output| output.status.success())?;
        Some(Assembler {
            path: path.to_path_buf(),
            version: String::from_utf8_lossy(&output.stdout).into_owned(),
        })
    }

    /// A name for the machine code of `text`: same text, architecture and assembler, same name.
    fn key(&self, text: &str, capability: u32) -> String {
        let mut hasher = DefaultHasher::new();
        (text, capability, &self.version, FLAGS).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Assembles the file `ptx` to `cubin`; returns what `ptxas` said, `Err` if it refused.
    fn run(&self, ptx: &Path, capability: u32, cubin: &Path) -> io::Result<Result<String, String>> {
        let output = Command::new(&self.path)
            .args(FLAGS)
            .arg(format!("-arch=sm_{capability}"))
            .arg("-o")
            .args([cubin, ptx])
            .output()?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(if output.status.success() { Ok(said) } else { Err(said) })
    }
}

/// Assembles every module for every capability into `folder`, except what lies there already from an earlier
/// build; removes what no module needs. Returns what `ptxas` complained of.
pub fn assemble_all(
    assembler: &Assembler,
    modules: &mut [Module],
    folder: &Path,
) -> io::Result<Vec<Problem>> {
    std::fs::create_dir_all(folder)?;
    let jobs: Vec<(usize, u32)> = (0..modules.len())
        .flat_map(|module| CAPABILITIES.iter().map(move |&capability| (module, capability)))
        .collect();
    let outputs =
        in_parallel(&jobs, |&(module, capability)| assemble(assembler, &modules[module], capability, folder));

    let mut complaints = Vec::new();
    let mut needed = HashSet::new();
    for ((module, capability), output) in jobs.into_iter().zip(outputs) {
        let module = &mut modules[module];
        let (path, said) = output?;
        let place = format!("ptxas for sm_{capability}");
        let said = match said {
            Ok(said) => said,
            Err(said) => {
                complaints.extend(refusals(&module.rendered, &place, &said));
                continue;
            }
        };
        complaints.extend(remarks(module, &place, &said));
        needed.extend([path.with_extension("log"), path.clone()]);
        module.assembled.push(Assembled { capability, path, resources: resources(&said) });
    }
    remove_others(folder, &needed)?;
    Ok(complaints)
}

/// `work` on each of `jobs`, results in their order.
fn in_parallel<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((index, job)) = take(jobs, &next) {
                    let result = work(job);
                    results.lock().expect("no worker panics while it holds the lock").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no worker panics while it holds the lock");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, J>(jobs: &'a [J], next: &AtomicUsize) -> Option<(usize, &'a J)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, jobs.get(index)?))
}

type Output = (PathBuf, Result<String, String>);

fn assemble(assembler: &Assembler, module: &Module, capability: u32, folder: &Path) -> io::Result<Output> {
    let cubin = folder.join(assembler.key(&module.rendered.text, capability)).with_extension("cubin");
    let log = cubin.with_extension("log");
    if cubin.exists()
        && let Ok(said) = std::fs::read_to_string(&log)
    {
        return Ok((cubin, Ok(said)));
    }
    let unfinished = cubin.with_extension("unfinished");
    let said = assembler.run(&module.path, capability, &unfinished)?;
    if let Ok(said) = &said {
        std::fs::write(&log, said)?;
        std::fs::rename(&unfinished, &cubin)?;
    }
    Ok((cubin, said))
}

fn remove_others(folder: &Path, needed: &HashSet<PathBuf>) -> io::Result<()> {
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if !needed.contains(&path) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The errors of a run that failed, at the lines of the template.
fn refusals(rendered: &Rendered, place: &str, said: &str) -> Vec<Problem> {
    let located: Vec<Problem> = said
        .lines()
        .filter_map(|line| {
            let (_, behind) = line.split_once(", line ")?;
            let (number, message) = behind.split_once(';')?;
            let message = message.split_once(':').map_or(message, |(_, message)| message).trim();
            let message = format!("{place}: {message}");
            Some(rendered.problem(number.trim().parse().ok()?, message))
        })
        .collect();
    if located.is_empty() { vec![rendered.problem(1, format!("{place}: {}", said.trim()))] } else { located }
}

/// What a run that succeeded says of spills, local memory, and of barriers or waits that `ptxas` had to add (C75xx).
fn remarks(module: &Module, place: &str, said: &str) -> Vec<Problem> {
    let is_remark = |line: &&str| line.starts_with("ptxas warning") || line.contains("C75");
    said.lines()
        .filter(is_remark)
        .map(|line| {
            let entry = module.entries.iter().find(|entry| line.contains(&format!("'{}'", entry.name)));
            let message = line.split_once(':').map_or(line, |(_, message)| message).trim();
            module.rendered.problem(entry.map_or(1, |entry| entry.line), format!("{place}: {message}"))
        })
        .collect()
}

/// Reads the report of `-v`.
fn resources(said: &str) -> Vec<(String, Resources)> {
    let mut entries: Vec<(String, Resources)> = Vec::new();
    for line in said.lines() {
        if let Some((_, behind)) = line.split_once("Compiling entry function '") {
            let name = behind.split('\'').next().unwrap_or("");
            entries.push((name.to_string(), Resources::default()));
        }
        let Some((_, entry)) = entries.last_mut() else { continue };
        for part in line.split(',') {
            let part = part.trim_start_matches("ptxas info    :").trim();
            let Some((count, what)) = part.trim_start_matches("Used ").split_once(' ') else { continue };
            let Ok(count) = count.parse::<u32>() else { continue };
            match what {
                "registers" => entry.registers = count,
                "bytes smem" => entry.shared_bytes = count,
                "bytes stack frame" => entry.stack_bytes = count,
                "bytes spill stores" => entry.spill_bytes = count,
                _ => {}
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "ptxas info    : 0 bytes gmem\n\
        ptxas info    : Compiling entry function 'a' for 'sm_80'\n\
        ptxas info    : Function properties for a\n    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
        ptxas info    : Used 27 registers, used 0 barriers, 1536 bytes smem, 380 bytes cmem[0]\n\
        ptxas info    : Compiling entry function 'b' for 'sm_80'\n\
        ptxas info    : Function properties for b\n    64 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n\
        ptxas info    : Used 255 registers, 380 bytes cmem[0]\n";

    #[test]
    fn the_report_is_read_by_entry() {
        let a = Resources { registers: 27, shared_bytes: 1536, ..Resources::default() };
        let b = Resources { registers: 255, stack_bytes: 64, spill_bytes: 8, shared_bytes: 0 };
        assert_eq!(resources(REPORT), [("a".to_string(), a), ("b".to_string(), b)]);
    }

    #[test]
    fn parallel_results_keep_their_order() {
        let jobs: Vec<u32> = (0..50).collect();
        assert_eq!(in_parallel(&jobs, |job| job * 2), (0..50).map(|job| job * 2).collect::<Vec<_>>());
    }
}
