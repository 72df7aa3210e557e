//! The table of `docs/opcodes.md`: what it says loads does load, what it says is refused is refused.

use ddpm_ptx::device::DeviceError;
use ddpm_ptx::device::soft::Soft;
use std::process::Command;

const TABLE: &str = include_str!("../../docs/opcodes.md");

/// A heading with the instructions that its rows stand for.
struct Section {
    heading: &'static str,
    instructions: Vec<String>,
}

impl Section {
    fn refused(&self) -> bool {
        self.heading == "Refused"
    }

    fn target(&self) -> &str {
        match self.refused() {
            true => "sm_80",
            false => self.heading.split([':', ',']).next().unwrap_or_default(),
        }
    }

    fn version(&self) -> &str {
        match self.heading.split_once("PTX ") {
            Some((_, version)) => version,
            None => "8.0",
        }
    }

    /// The text of a module up to where the instructions stand.
    fn preamble(&self) -> String {
        let (version, target) = (self.version(), self.target());
        let wide = if self.refused() || version >= "8.3" { ".reg .b128 %q<3>;" } else { "" };
        format!(
            ".version {version}\n.target {target}\n.address_size 64\n\
             .global .align 16 .b8 G[64]; .const .align 16 .b8 C[64]; .shared .align 16 .b8 S[64];\n\
             .visible .entry k(.param .align 16 .b8 P[64]) {{\n.local .align 16 .b8 L[64];\n\
             .reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<12>; .reg .b64 %w<5>; {wide}\n\
             T: .branchtargets X;\n"
        )
    }

    fn module(&self, instructions: &[String]) -> String {
        format!("{}{}\nX: ret;\n}}\n", self.preamble(), instructions.join("\n"))
    }
}

/// Every choice of `(a/b)` and `(a)?`, brackets inside of brackets first.
fn expand(row: &str) -> Vec<String> {
    let Some(close) = row.find(')') else { return vec![row.to_string()] };
    let open = row[..close].rfind('(').expect("an opening bracket");
    let (before, inside, mut after) = (&row[..open], &row[open + 1..close], &row[close + 1..]);
    let mut choices: Vec<&str> = inside.split('/').collect();
    if let Some(rest) = after.strip_prefix('?') {
        after = rest;
        choices.push("");
    }
    choices.iter().flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push(Section { heading, instructions: Vec::new() });
        }
        let row = line.strip_prefix("| `").and_then(|rest| rest.split_once('`'));
        if let (Some((row, _)), Some(section)) = (row, sections.last_mut()) {
            section.instructions.extend(expand(&row.replace("\\|", "|")));
        }
    }
    sections
}

/// Why a module with one instruction does not load; nothing if it loads.
fn refusal(soft: &Soft, section: &Section, instruction: &str) -> Option<String> {
    match soft.load("table", &section.module(&[instruction.to_string()])) {
        Ok(_) => None,
        Err(DeviceError::Module { log, .. }) => Some(log),
        Err(other) => panic!("{instruction}: {other}"),
    }
}

#[test]
fn rows_stand_for_instructions() {
    assert_eq!(
        expand("(add/sub)(.ftz)?.f32 a;"),
        ["add.ftz.f32 a;", "add.f32 a;", "sub.ftz.f32 a;", "sub.f32 a;"]
    );
    let sections = sections();
    assert!(sections.iter().map(|section| section.instructions.len()).sum::<usize>() > 4000);
    assert!(sections.iter().all(|section| !section.instructions.is_empty()));
}

#[test]
fn what_is_listed_loads() {
    let soft = Soft::new();
    let mut wrong = Vec::new();
    for section in sections().iter().filter(|section| !section.refused()) {
        for instruction in &section.instructions {
            if let Some(log) = refusal(&soft, section, instruction) {
                wrong.push(format!("{instruction} {log}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are refused:\n{}", wrong.len(), wrong.join("\n"));
}

/// The line is told, and the instruction as it is spelled.
#[test]
fn what_is_refused_is_named() {
    let soft = Soft::new();
    let mut wrong = Vec::new();
    for section in sections().iter().filter(|section| section.refused()) {
        let line = format!("table:{}", section.preamble().lines().count() + 1);
        for instruction in &section.instructions {
            let opcode = instruction.split([' ', ';']).next().unwrap_or_default();
            match refusal(&soft, section, instruction) {
                None => wrong.push(format!("loads: {instruction}")),
                Some(log) if !log.contains(&line) || !log.contains(opcode) => {
                    wrong.push(format!("{instruction} is refused by: {log}"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The assembler of the CUDA toolkit that `PTXAS` names, if any, knows the same instructions.
#[test]
fn what_is_listed_assembles() {
    let Some(ptxas) = std::env::var_os("PTXAS") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("table.ptx");
    for section in sections().iter().filter(|section| !section.refused()) {
        let assemble = |instructions: &[String]| {
            std::fs::write(&file, section.module(instructions)).expect("written");
            let arch = format!("-arch={}", section.target());
            Command::new(&ptxas).args([&arch, "-O0", "-o", "/dev/null"]).arg(&file).output().expect("runs")
        };
        // Older assemblers do not know every version of PTX, nor newer ones every target.
        if !assemble(&[]).status.success() {
            continue;
        }
        let output = assemble(&section.instructions);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", section.heading);
    }
}
