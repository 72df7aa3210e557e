//! The kernels that are measured, as templates in the language of `kernels/`.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

pub const GEMM_F32: &str = include_str!("gemm_f32.ptx");
pub const GEMM_BF16: &str = include_str!("gemm_bf16.ptx");

/// The template's text with the given numbers.
pub fn render(template: &str, numbers: &[(&str, usize)]) -> String {
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("${", "}")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .line_statement_prefix("# ")
        .build()
        .expect("the delimiters differ from each other");
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_function("vec", |name: &str, first: u32, count: u32| {
        let registers: Vec<String> = (first..first + count).map(|k| format!("%{name}{k}")).collect();
        format!("{{{}}}", registers.join(","))
    });
    let numbers: std::collections::BTreeMap<_, _> = numbers.iter().copied().collect();
    environment.render_str(template, numbers).expect("the template is valid")
}
