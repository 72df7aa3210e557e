//! A type for the launchers of a kernel with variants: they differ in name alone, or in the type of their elements.

use super::Module;
use super::launchers::{identifier, pointer_type, rust_type};
use super::signature::{Entry, ParamKind};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Appends `pub type Fprop = fn(...) -> Call` for the variants of `fprop`; generic in `T` where variants differ in the
/// elements of their pointers. Variants that differ in more have no type in common.
pub fn signatures(out: &mut String, modules: &[&Module]) {
    let mut kernels: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for module in modules {
        let Some((_, variant)) = module.rendered.name.split_once('.') else { continue };
        for entry in &module.entries {
            if let Some(name) = entry.name.strip_suffix(variant).and_then(|name| name.strip_suffix('_')) {
                kernels.entry(name).or_default().push(entry);
            }
        }
    }
    for (name, variants) in kernels {
        if let Some(params) = params(&variants) {
            let generic = if params.contains("<T>") { "<T>" } else { "" };
            let _ = write!(
                out,
                "/// The launchers of `{name}`, one for each variant.\npub type {}{generic} = fn({params}) -> Call;\n\n",
                camel_case(name)
            );
        }
    }
}

/// The parameters that all variants have, if they do.
fn params(variants: &[&Entry]) -> Option<String> {
    let (first, others) = variants.split_first()?;
    let mut text = vec![];
    for (index, param) in first.params.iter().enumerate() {
        let mut kind = rust_type(param.kind);
        for other in others {
            let other = other.params.get(index).filter(|other| other.name == param.name)?.kind;
            if other != param.kind {
                kind = generic(param.kind, other)?;
            }
        }
        text.push(format!("{}: {kind}", identifier(&param.name)));
    }
    let same_length = others.iter().all(|other| other.params.len() == first.params.len());
    same_length.then(|| text.join(", "))
}

/// What two pointers to different elements have in common.
fn generic(one: ParamKind, other: ParamKind) -> Option<String> {
    let ParamKind::Pointer { element, .. } = other else { return None };
    let ParamKind::Pointer { access, optional, .. } = one else { return None };
    let like_other = ParamKind::Pointer { access, optional, element };
    (like_other == other).then(|| pointer_type(access, optional, "T"))
}

/// `bf16_fprop` is `Bf16Fprop`.
fn camel_case(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|part| !part.is_empty()).map(word).collect()
}
