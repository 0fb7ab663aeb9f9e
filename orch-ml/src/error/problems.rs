//! What is wrong with the columns of a table, all of it in one message.

use std::fmt;

use super::names::{Names, Nearest};
use crate::model::InputProblem;

/// What is wrong, and the columns that there are.
pub(super) struct Problems<'a>(pub(super) &'a [InputProblem], pub(super) &'a [String]);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(problems, columns) = self;
        let mut lacks_any = false;
        for (number, problem) in problems.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "; " })?;
            match problem {
                InputProblem::Missing { column } => {
                    lacks_any = true;
                    write!(f, "column `{column}` is missing")?;
                    let nearest = Nearest(column, columns).to_string();
                    if !nearest.is_empty() {
                        write!(f, ", {}", nearest.trim_end())?;
                    }
                }
                InputProblem::WrongType {
                    column,
                    found,
                    expected,
                } => write!(f, "column `{column}` is {found}, expected {expected}")?,
            }
        }
        if lacks_any {
            write!(f, " (its columns: {})", Names(columns))?;
        }
        Ok(())
    }
}
