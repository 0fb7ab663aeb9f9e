//! How a confusion matrix prints: true classes in rows, predicted ones in columns.

use std::fmt;

use super::ConfusionMatrix;

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Weights show two decimals in every cell, counts none.
        let is_whole = self.counts.iter().all(|count| count.fract() == 0.0);
        let decimals = if is_whole { 0 } else { 2 };
        let names: Vec<String> = self.classes.iter().map(ToString::to_string).collect();
        let cells: Vec<String> = self
            .counts
            .iter()
            .map(|count| format!("{count:.decimals$}"))
            .collect();

        let width = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let corner = "true \\ predicted";
        let first_width = corner.len().max(width(&mut names.iter()));
        let n_classes = names.len();
        let widths: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(class, name)| {
                let column = cells.iter().skip(class).step_by(n_classes);
                width(&mut std::iter::once(name).chain(column))
            })
            .collect();

        write!(f, "{corner:<first_width$}")?;
        for (name, width) in names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        for (target, name) in names.iter().enumerate() {
            write!(f, "\n{name:<first_width$}")?;
            for (guess, width) in widths.iter().enumerate() {
                write!(f, "  {:>width$}", cells[target * n_classes + guess])?;
            }
        }
        Ok(())
    }
}
