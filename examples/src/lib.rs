//! What the examples have in common and a reader can skip: their arguments, and what they print.

#![forbid(unsafe_code)]

mod arguments;
mod terminal;

pub use crate::arguments::{
    ComparisonArguments, ForestArguments, PenguinArguments, StoreFolder, TuningArguments,
    WorkflowArguments,
};
pub use crate::terminal::{collect_logs, engine, exit_code, run_flow};
