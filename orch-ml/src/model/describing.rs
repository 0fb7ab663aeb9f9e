//! How a model is described to people.

use std::fmt;

use super::Model;
use super::algorithm::count;
use crate::calendar::utc_text;
use crate::evaluation::number_text;
use crate::preprocessing::SchemaColumn;

/// The width that a terminal has unless someone widened it.
const WIDTH: usize = 80;
/// Where what is said of a model begins.
const INDENT: usize = 16;
/// A longer list is cut off, with the number left out.
const SHOWN: usize = 20;

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        if let Some(target) = self.target_name() {
            write!(f, " of `{target}`")?;
        }
        line(f, "size", [self.algorithm.size()])?;
        if let Some(classes) = self.classes() {
            line(f, "classes", classes)?;
        }
        let option = |(name, value)| match value {
            "null" => format!("{name} none"),
            // A word is quoted in JSON.
            value => format!("{name} {}", value.trim_matches('"')),
        };
        line(f, "options", self.hyperparameters().map(option))?;
        let inputs = self.inputs();
        match &self.preprocessor {
            Some(preprocessor) => {
                let of_kind = |input: &SchemaColumn| format!("{} ({})", input.name, input.kind);
                line(f, "takes", inputs.iter().map(of_kind))?;
                let steps = count(preprocessor.steps().len(), "step");
                line(f, "prepared by", [steps])?;
                line(f, "features", self.feature_names())?;
            }
            None => line(f, "takes", self.feature_names())?,
        }
        line(f, "fitted to", self.data_text())?;
        let metrics = self.metrics();
        line(
            f,
            "metrics",
            metrics.map(|(name, value)| format!("{name} {}", number_text(value))),
        )?;
        line(f, "code", self.code())?;
        let libraries = self.libraries();
        line(
            f,
            "made with",
            libraries.map(|(name, version)| format!("{name} {version}")),
        )?;
        line(f, "created at", self.created_at.map(utc_text))
    }
}

impl Model {
    fn data_text(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if let Some(data) = &self.training_data {
            parts.push(count(data.n_rows, "row"));
            parts.push(format!("digest {}", data.digest.short()));
        }
        if let Some(origin) = self.trained_on() {
            parts.push(format!("part of {}", origin.source().short()));
        }
        parts
    }
}

/// Writes what is said of one thing below the lines before, wrapped; nothing if there is nothing.
fn line<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    parts: impl IntoIterator<Item = T>,
) -> fmt::Result {
    let mut parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    if parts.is_empty() {
        return Ok(());
    }
    if parts.len() > SHOWN {
        let left_out = parts.len() - SHOWN;
        parts.truncate(SHOWN);
        parts.push(format!("and {left_out} more"));
    }
    write!(f, "\n  {name:<width$}", width = INDENT - 2)?;
    let mut at = INDENT;
    for (number, part) in parts.iter().enumerate() {
        let width = part.chars().count();
        if number > 0 {
            f.write_str(",")?;
            if at + 2 + width >= WIDTH {
                write!(f, "\n{:INDENT$}", "")?;
                at = INDENT;
            } else {
                f.write_str(" ")?;
                at += 2;
            }
        }
        f.write_str(part)?;
        at += width;
    }
    Ok(())
}
