//! What an `.entry` promises to its callers: block, parameters and documentation.
//!
//! The parameter list gives the types, the comment behind each parameter gives what PTX cannot say: the
//! direction and the element type of a pointer.
//!
//! ```text
//!     .param .u64 x,        // in  f32 [N,H,W,C]
//!     .param .u64 skip,     // in? f32 [N,H,W,C2] or null
//!     .param .u32 channels  // C
//! ```

use super::problem::Problem;
use super::render::Rendered;
use crate::ptx::ast::{Function, FunctionKind, Module, Space, Type, Variable};

/// Threads of a block that every card allows.
const MAX_BLOCK: u64 = 1024;

pub struct Entry {
    pub name: String,
    /// Threads of a block, from `.reqntid`.
    pub block: [u32; 3],
    pub params: Vec<Param>,
    /// The comment block directly above the entry.
    pub doc: String,
    /// The comment block at the head of the file.
    pub header: String,
    /// Rendered line of the `.entry`.
    pub line: u32,
}

pub struct Param {
    pub name: String,
    pub kind: ParamKind,
    /// The comment behind the parameter.
    pub doc: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    Pointer { access: Access, optional: bool, element: Element },
    U32,
    I32,
    U64,
    F32,
    F64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    In,
    Out,
    InOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    U8,
    U32,
    I32,
    U64,
    BF16,
    F32,
    F64,
}

/// All entries of a parsed module; every problem of every entry.
pub fn entries(rendered: &Rendered, module: &Module) -> Result<Vec<Entry>, Vec<Problem>> {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for function in module.functions.iter().filter(|function| function.kind == FunctionKind::Entry) {
        match entry(rendered, function) {
            Ok(entry) => entries.push(entry),
            Err(found) => problems.extend(found),
        }
    }
    if entries.is_empty() && problems.is_empty() {
        problems.push(rendered.problem(rendered.origins.len() as u32, "the template has no `.entry`"));
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

fn entry(rendered: &Rendered, function: &Function) -> Result<Entry, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut report = |problem: Problem| problems.push(problem);
    let block = block(rendered, function).map_err(&mut report).unwrap_or_default();
    let mut params = Vec::new();
    for (index, variable) in function.params.iter().enumerate() {
        let shares_line = index > 0 && function.params[index - 1].line == variable.line;
        match param(rendered, variable, shares_line) {
            Ok(param) => params.push(param),
            Err(problem) => report(problem),
        }
    }
    let doc = comment_above(rendered, function.line);
    if doc.is_empty() {
        report(
            rendered.problem(function.line, format!("`{}` has no comment directly above it", function.name)),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let name = function.name.clone();
    Ok(Entry { name, block, params, doc, header: header(rendered), line: function.line })
}

fn block(rendered: &Rendered, function: &Function) -> Result<[u32; 3], Problem> {
    let problem = |message: &str| rendered.problem(function.line, format!("`{}` {message}", function.name));
    let Some(reqntid) = function.directives.iter().find(|directive| directive.name == "reqntid") else {
        return Err(problem("has no `.reqntid`"));
    };
    let threads = reqntid.values.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent));
    if !(1..=3).contains(&reqntid.values.len()) || !threads.is_some_and(|n| (1..=MAX_BLOCK).contains(&n)) {
        return Err(problem(
            "asks by `.reqntid` for a block that has not 1 to 1024 threads in 1 to 3 dimensions",
        ));
    }
    let mut block = [1; 3];
    for (extent, &value) in block.iter_mut().zip(&reqntid.values) {
        *extent = value as u32;
    }
    Ok(block)
}

fn param(rendered: &Rendered, variable: &Variable, shares_line: bool) -> Result<Param, Problem> {
    let problem =
        |message: &str| rendered.problem(variable.line, format!("parameter `{}` {message}", variable.name));
    if shares_line {
        return Err(problem("shares its line with another; one parameter a line"));
    }
    if variable.space != Space::Param || !variable.dims.is_empty() || variable.vector != 1 {
        return Err(problem("is no plain scalar"));
    }
    let comment = rendered.line(variable.line).split_once("//").map_or("", |(_, comment)| comment.trim());
    let kind = match variable.ty {
        Type::U64 => pointer_or_u64(comment).map_err(|message| problem(&message))?,
        _ if direction(comment).is_some() => {
            return Err(problem("is annotated as a pointer; pointers are `.u64`"));
        }
        Type::U32 => ParamKind::U32,
        Type::S32 => ParamKind::I32,
        Type::F32 => ParamKind::F32,
        Type::F64 => ParamKind::F64,
        _ => return Err(problem("has a type that no launcher passes; use .u64, .u32, .s32, .f32 or .f64")),
    };
    Ok(Param { name: variable.name.clone(), kind, doc: comment.to_string() })
}

/// The meaning of a `.u64` parameter: a pointer if the comment begins with a direction, a number if it begins with
/// other words. No comment, or an element type behind something that is no direction, is a mistake.
fn pointer_or_u64(comment: &str) -> Result<ParamKind, String> {
    let mut words = comment.split_whitespace();
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    match (direction(comment), element(second)) {
        (Some((access, optional)), Some(element)) => Ok(ParamKind::Pointer { access, optional, element }),
        (Some(_), None) => Err(format!(
            "needs an element type behind `{first}`: u8, u32, i32, u64, bf16, f32 or f64, not `{second}`"
        )),
        (None, None) if !first.is_empty() => Ok(ParamKind::U64),
        (None, _) => {
            Err("needs a comment like `// in f32 [N,C]`; directions are in, in?, out, out?, inout, inout?"
                .into())
        }
    }
}

/// The direction that a comment begins with, and whether the pointer may be null.
fn direction(comment: &str) -> Option<(Access, bool)> {
    let word = comment.split_whitespace().next()?;
    let (word, optional) = word.strip_suffix('?').map_or((word, false), |word| (word, true));
    let access = match word {
        "in" => Access::In,
        "out" => Access::Out,
        "inout" => Access::InOut,
        _ => return None,
    };
    Some((access, optional))
}

fn element(word: &str) -> Option<Element> {
    Some(match word {
        "u8" => Element::U8,
        "u32" => Element::U32,
        "i32" => Element::I32,
        "u64" => Element::U64,
        "bf16" => Element::BF16,
        "f32" => Element::F32,
        "f64" => Element::F64,
        _ => return None,
    })
}

/// The run of `//` lines that ends directly above rendered line `line`.
fn comment_above(rendered: &Rendered, line: u32) -> String {
    let lines: Vec<&str> = rendered.text.lines().take(line as usize - 1).collect();
    let count = lines.iter().rev().take_while(|line| is_comment(line)).count();
    comment_text(&lines[lines.len() - count..])
}

/// The first run of `//` lines of the module.
fn header(rendered: &Rendered) -> String {
    let lines: Vec<&str> = rendered
        .text
        .lines()
        .skip_while(|line| !is_comment(line))
        .take_while(|line| is_comment(line))
        .collect();
    comment_text(&lines)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn comment_text(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| {
            let text = line.trim_start().trim_start_matches('/');
            text.strip_prefix(' ').unwrap_or(text)
        })
        .collect();
    lines.join("\n").trim_end().to_string()
}
