//! The flags for networks that are told classes.

use crate::sample::{Guidance, Model};
use anyhow::{Context, Result, ensure};
use clap::ArgAction;

#[derive(clap::Args)]
#[command(next_help_heading = "Classes")]
pub struct GuidanceOptions {
    /// Classes of the images, in turn, by name or number, of a network that is told them [default: all of a run's]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set)]
    class: Option<Vec<String>>,
    /// w of classifier-free guidance, (1 + w) eps(class) - w eps(no class); 0 is none [default: 0]
    #[arg(long, value_name = "W")]
    guidance: Option<f32>,
}

impl GuidanceOptions {
    /// What the network is to be told: nothing, if it knows no classes.
    pub fn guidance(&self, model: &Model) -> Result<Option<Guidance>> {
        let Some(rows) = model.unet.config().num_class_embeds else {
            let asked = self.class.is_some() || self.guidance.is_some();
            ensure!(
                !asked,
                "--class and --guidance are for networks that are told classes, and this one is not"
            );
            return Ok(None);
        };
        let weight = self.guidance.unwrap_or(0.0);
        ensure!(weight.is_finite(), "--guidance must be a number");
        let every = (!model.classes.is_empty()).then(|| (0..model.classes.len() as u32).collect());
        let classes = match &self.class {
            Some(names) => names.iter().map(|name| class(name, model, rows)).collect::<Result<Vec<u32>>>()?,
            None => every.with_context(|| format!("name the classes with --class: numbers below {rows}"))?,
        };
        Ok(Some(Guidance { classes, none: rows as u32 - 1, weight }))
    }
}

/// The class of a network with so many rows for classes that goes by this name or number.
fn class(name: &str, model: &Model, rows: usize) -> Result<u32> {
    let named = model.classes.iter().position(|class| class == name);
    let number = named.or_else(|| name.parse().ok()).filter(|&number| number < rows);
    let number = number.with_context(|| {
        let names = if model.classes.is_empty() {
            String::new()
        } else {
            format!("{} or ", model.classes.join(", "))
        };
        format!("--class {name} is none of {names}0 to {}", rows - 1)
    })?;
    Ok(number as u32)
}
