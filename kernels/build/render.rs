//! Templates to PTX text, with the way back from each rendered line to the template line it came from.
//!
//! minijinja attributes a macro's output to the call; an error deep inside a shared macro would point at the
//! wrong file. So every template line is tagged with its own origin before rendering, and the tags are taken
//! out of the result.

use super::problem::Problem;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};
use std::path::Path;

/// What every module begins with; templates contain none of it. PTX 8.0 is what a driver of branch R525 reads.
const PREAMBLE: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Enclose an origin in a template's text. Neither occurs in a text file.
const TAG_OPEN: char = '\u{1}';
const TAG_CLOSE: char = '\u{2}';

/// A template's module for one variant.
pub struct Rendered {
    /// `conv/fprop`, or `conv/fprop.64x64` for the variant `64x64`.
    pub name: String,
    /// The folder under `kernels/`: `conv`.
    pub family: String,
    pub text: String,
    /// For each line of `text`, an index into `files` and the line there.
    pub origins: Vec<(u16, u32)>,
    /// Paths under `kernels/`; the template itself comes first.
    pub files: Vec<String>,
}

impl Rendered {
    /// `message` at the template line that rendered line `line` (1-based) came from.
    pub fn problem(&self, line: u32, message: impl Into<String>) -> Problem {
        let line = (line as usize).clamp(1, self.origins.len());
        let (file, line) = self.origins[line - 1];
        Problem { file: in_repository(&self.files[file as usize]), line, message: message.into() }
    }

    /// Rendered line `line` (1-based).
    pub fn line(&self, line: u32) -> &str {
        self.text.lines().nth(line as usize - 1).unwrap_or("")
    }
}

fn in_repository(file: &str) -> String {
    format!("kernels/{file}")
}

/// Renders every variant of every template under `folder`, in the order of their names.
pub fn all(folder: &Path) -> std::io::Result<Vec<Result<Rendered, Vec<Problem>>>> {
    let mut files = Vec::new();
    if folder.exists() {
        find(folder, "", &mut files)?;
    }
    let mut environment = environment();
    let mut failures = Vec::new();
    for (name, source) in &files {
        if let Err(error) = environment.add_template_owned(name.clone(), tagged(name, source)) {
            failures.push(Err(vec![template_problem(name, &error)]));
        }
    }
    if !failures.is_empty() {
        return Ok(failures);
    }
    let modules = files.iter().filter(|(name, _)| !name.starts_with("prelude/"));
    Ok(modules.flat_map(|(name, source)| variants_of(&environment, name, source)).collect())
}

/// Collects `(path under kernels/, text)` of each template, sorted by path.
fn find(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let mut children = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    children.sort_by_key(|child| child.file_name());
    for child in children {
        let name = format!("{prefix}{}", child.file_name().to_string_lossy());
        if child.file_type()?.is_dir() {
            find(&child.path(), &format!("{name}/"), files)?;
        } else if name.ends_with(".ptx") {
            files.push((name, std::fs::read_to_string(child.path())?));
        }
    }
    Ok(())
}

fn environment() -> Environment<'static> {
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("${", "}")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .line_statement_prefix("# ")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the delimiters differ from each other");
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_function("vec", register_vector);
    environment.add_function("f32", f32_literal);
    environment
}

/// `vec("c", 4, 2)` is `{%c4,%c5}`.
fn register_vector(name: &str, first: u32, count: u32) -> String {
    let registers: Vec<String> = (first..first + count).map(|i| format!("%{name}{i}")).collect();
    format!("{{{}}}", registers.join(","))
}

/// `f32(0.5)` is `0f3F000000`: the number rounded to f32, as PTX writes it without loss.
fn f32_literal(value: f64) -> String {
    format!("0f{:08X}", (value as f32).to_bits())
}

/// `source` with each line's origin behind it, except where a tag would end up inside a statement.
fn tagged(name: &str, source: &str) -> String {
    let mut text = String::with_capacity(source.len() * 2);
    let mut open = None;
    for (index, line) in source.lines().enumerate() {
        let is_statement = open.is_none() && line.trim_start().starts_with("# ");
        if !is_statement {
            open = still_open(line, open);
        }
        text.push_str(line);
        if !is_statement && open.is_none() && !line.trim().is_empty() {
            text.push_str(&format!("{TAG_OPEN}{name}:{}{TAG_CLOSE}", index + 1));
        }
        text.push('\n');
    }
    text
}

/// The delimiter that an expression, block or comment open at the end of `line` waits for.
fn still_open(line: &str, open: Option<&'static str>) -> Option<&'static str> {
    const DELIMITERS: [(&str, &str); 3] = [("${", "}"), ("<%", "%>"), ("<#", "#>")];
    let (mut rest, mut open) = (line, open);
    loop {
        if let Some(close) = open {
            let Some(at) = rest.find(close) else { return open };
            rest = &rest[at + close.len()..];
        }
        let starts = DELIMITERS.iter().filter_map(|&(start, close)| Some((rest.find(start)?, start, close)));
        let (at, start, close) = starts.min()?;
        rest = &rest[at + start.len()..];
        open = Some(close);
    }
}

/// A `//@ variant name: KEY=value …` line.
struct Variant {
    name: String,
    values: Vec<(String, Value)>,
}

fn variants_of(
    environment: &Environment<'_>,
    file: &str,
    source: &str,
) -> Vec<Result<Rendered, Vec<Problem>>> {
    let variants = match variants(file, source) {
        Ok(variants) => variants,
        Err(problem) => return vec![Err(vec![problem])],
    };
    if variants.is_empty() {
        return vec![render(environment, file, None)];
    }
    variants.iter().map(|variant| render(environment, file, Some(variant))).collect()
}

fn variants(file: &str, source: &str) -> Result<Vec<Variant>, Problem> {
    let mut variants: Vec<Variant> = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let Some(directive) = line.trim_start().strip_prefix("//@") else { continue };
        let problem =
            |message: String| Problem { file: in_repository(file), line: index as u32 + 1, message };
        let Some(variant) = variant(directive) else {
            return Err(problem(format!(
                "expected `//@ variant NAME: KEY=VALUE …`, found `{}`",
                line.trim()
            )));
        };
        if variants.iter().any(|other| other.name == variant.name) {
            return Err(problem(format!("the variant `{}` is there twice", variant.name)));
        }
        variants.push(variant);
    }
    Ok(variants)
}

fn variant(directive: &str) -> Option<Variant> {
    let (name, assignments) = directive.trim().strip_prefix("variant ")?.split_once(':')?;
    let name = name.trim();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let mut values = vec![("variant".to_string(), Value::from(name))];
    for assignment in assignments.split_whitespace() {
        let (key, value) = assignment.split_once('=')?;
        values.push((key.to_string(), variant_value(value)));
    }
    Some(Variant { name: name.to_string(), values })
}

/// An integer, `true`, `false`, or a bare word.
fn variant_value(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return Value::from(integer);
    }
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        word => Value::from(word),
    }
}

fn render(
    environment: &Environment<'_>,
    file: &str,
    variant: Option<&Variant>,
) -> Result<Rendered, Vec<Problem>> {
    let whole =
        |message: &str| vec![Problem { file: in_repository(file), line: 0, message: message.to_string() }];
    let Some((family, _)) = file.split_once('/') else {
        return Err(whole("a kernel lies in the folder of its family, kernels/<family>/<name>.ptx"));
    };
    let values = variant.map(|variant| variant.values.clone()).unwrap_or_default();
    let output = environment
        .get_template(file)
        .and_then(|template| template.render(Value::from_pairs(values)))
        .map_err(|error| vec![template_problem(file, &error)])?;
    let stem = file.trim_end_matches(".ptx");
    let name = variant.map_or(stem.to_string(), |variant| format!("{stem}.{}", variant.name));
    let mut rendered = Rendered {
        name,
        family: family.to_string(),
        text: String::new(),
        origins: Vec::new(),
        files: vec![file.to_string()],
    };
    for line in PREAMBLE.lines() {
        rendered.push(line, None);
    }
    for line in output.lines() {
        rendered.push_tagged(line)?;
    }
    Ok(rendered)
}

impl Rendered {
    fn push(&mut self, line: &str, origin: Option<(u16, u32)>) {
        self.text.push_str(line);
        self.text.push('\n');
        self.origins.push(origin.or(self.origins.last().copied()).unwrap_or((0, 1)));
    }

    /// Appends a line of minijinja's output: without its tags, and not at all if only tags stand in it.
    fn push_tagged(&mut self, line: &str) -> Result<(), Vec<Problem>> {
        let (code, origin) = self.untagged(line);
        let code = code.trim_end();
        let is_directive = code.trim_start().starts_with("//@");
        let is_left_over = code.is_empty() && (origin.is_some() || self.text.ends_with("\n\n"));
        if is_directive || is_left_over {
            return Ok(());
        }
        self.push(code, origin);
        if PREAMBLE.lines().any(|given| code.trim_start().split(' ').next() == given.split(' ').next()) {
            let message = format!("`{}` is put in front of every module, a template has none", code.trim());
            return Err(vec![self.problem(self.origins.len() as u32, message)]);
        }
        Ok(())
    }

    /// The line without tags, and the origin that its last tag names.
    fn untagged(&mut self, line: &str) -> (String, Option<(u16, u32)>) {
        let mut parts = line.split(TAG_OPEN);
        let mut code = parts.next().unwrap_or("").to_string();
        let mut origin = None;
        for part in parts {
            let (tag, behind) = part.split_once(TAG_CLOSE).unwrap_or((part, ""));
            origin = self.origin(tag).or(origin);
            code.push_str(behind);
        }
        (code, origin)
    }

    fn origin(&mut self, tag: &str) -> Option<(u16, u32)> {
        let (file, line) = tag.rsplit_once(':')?;
        let index = self.files.iter().position(|known| known == file).unwrap_or_else(|| {
            self.files.push(file.to_string());
            self.files.len() - 1
        });
        Some((index as u16, line.parse().ok()?))
    }
}

/// A minijinja error at the innermost template line that it names, with its whole chain of causes.
fn template_problem(file: &str, error: &minijinja::Error) -> Problem {
    let mut problem = Problem {
        file: in_repository(error.name().unwrap_or(file)),
        line: error.line().unwrap_or(0) as u32,
        message: strip_place(error),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        match error.downcast_ref::<minijinja::Error>() {
            Some(error) => {
                let outer = format!("{}:{}", problem.file, problem.line);
                problem.file = error.name().map_or(problem.file, in_repository);
                problem.line = error.line().map_or(problem.line, |line| line as u32);
                problem.message = format!("{} (from {outer})", strip_place(error));
            }
            None => problem.message = format!("{}: {error}", problem.message),
        }
        cause = error.source();
    }
    problem
}

/// The error without the "(in file:line)" that its `Display` adds.
fn strip_place(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {}", error.kind(), detail),
        None => error.kind().to_string(),
    }
}
