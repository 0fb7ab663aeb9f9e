//! Steps in a row, fitted.

mod schema;
mod untouched;

use std::collections::HashSet;
use std::fmt;

use orch_core::{Digest, StoredForm};
use serde::{Deserialize, Serialize};

pub use self::schema::{ColumnKind, SchemaColumn};
pub use self::untouched::{DroppedColumns, PassedColumns};
use super::{
    DateParts, KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, Pca,
    PolynomialFeatures, RobustScaler, StandardScaler,
};
use crate::cleaning::{Clipper, Imputer};
use crate::error::MlError;
use crate::splitting::{Origin, Test, Train, Valid, check_unseen};
use crate::table::Table;

/// A step of a [`FittedPreprocessor`], with what was learned.
// The order is part of the stored form: new kinds go at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FittedStep {
    /// Values for missing ones.
    Impute(Imputer),
    /// Bounds.
    Clip(Clipper),
    /// Mean 0 and standard deviation 1.
    StandardScale(StandardScaler),
    /// A range.
    MinMaxScale(MinMaxScaler),
    /// Median 0 and quantiles 1 apart.
    RobustScale(RobustScaler),
    /// A column for each category.
    OneHot(OneHotEncoder),
    /// A number for each category.
    Ordinal(OrdinalEncoder),
    /// Products of columns.
    Polynomial(PolynomialFeatures),
    /// Principal components.
    Pca(Pca),
    /// Bins.
    Bin(KBinsDiscretizer),
    /// Parts of dates.
    DateParts(DateParts),
    /// Features as they are.
    Pass(PassedColumns),
    /// Columns that are dropped.
    Drop(DroppedColumns),
}

/// Does the same with the step of any kind.
macro_rules! with_step {
    ($self:expr, $step:ident => $result:expr) => {
        match $self {
            FittedStep::Impute($step) => $result,
            FittedStep::Clip($step) => $result,
            FittedStep::StandardScale($step) => $result,
            FittedStep::MinMaxScale($step) => $result,
            FittedStep::RobustScale($step) => $result,
            FittedStep::OneHot($step) => $result,
            FittedStep::Ordinal($step) => $result,
            FittedStep::Polynomial($step) => $result,
            FittedStep::Pca($step) => $result,
            FittedStep::Bin($step) => $result,
            FittedStep::DateParts($step) => $result,
            FittedStep::Pass($step) => $result,
            FittedStep::Drop($step) => $result,
        }
    };
}

impl FittedStep {
    /// Does the step to the rows of a table.
    ///
    /// # Errors
    /// Those of the step.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        with_step!(self, step => step.apply(table))
    }

    /// The names of the columns that it is for.
    pub fn column_names(&self) -> Vec<&str> {
        with_step!(self, step => step.column_names())
    }

    /// The names of the columns that take their place.
    pub fn feature_names_out(&self) -> Vec<String> {
        with_step!(self, step => step.feature_names_out())
    }
}

impl fmt::Display for FittedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_step!(self, step => step.fmt(f))
    }
}

/// Steps that were fitted to rows by [`Preprocessor::fit`](crate::Preprocessor::fit), to do the same
/// to others.
///
/// It can be stored as the result of a task, and knows by a digest which table it was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedPreprocessor {
    schema: Vec<SchemaColumn>,
    steps: Vec<FittedStep>,
    feature_names: Vec<String>,
    table_digest: Digest,
    n_rows: usize,
    trained_on: Option<Origin>,
}

impl FittedPreprocessor {
    /// From steps that made `ready` of `train`.
    pub(super) fn new(
        train: &Table,
        steps: Vec<FittedStep>,
        ready: &Table,
        trained_on: Option<Origin>,
    ) -> Result<Self, MlError> {
        let mut features: HashSet<String> = HashSet::new();
        for step in &steps {
            for name in step.column_names() {
                features.remove(name);
            }
            features.extend(step.feature_names_out());
        }
        let names = ready.column_names().iter();
        let feature_names = names.filter(|name| features.contains(*name)).cloned();
        Ok(Self {
            schema: schema::needed_columns(train, &steps)?,
            feature_names: feature_names.collect(),
            table_digest: digest(train),
            n_rows: train.n_rows(),
            steps,
            trained_on,
        })
    }

    /// Where the rows are from that it was fitted to, if they were the train side of a split.
    pub fn trained_on(&self) -> Option<&Origin> {
        self.trained_on.as_ref()
    }

    /// Does the steps to rows to train on.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_to_train(&self, train: &Train<Table>) -> Result<Train<Table>, MlError> {
        train.try_map(|table| self.apply(table))
    }

    /// Does the steps to rows to compare models by.
    ///
    /// # Errors
    /// As [`apply_to_test`](Self::apply_to_test).
    pub fn apply_to_valid(&self, valid: &Valid<Table>) -> Result<Valid<Table>, MlError> {
        check_unseen(self.trained_on(), Some(valid.origin()))?;
        valid.try_map(|table| self.apply(table))
    }

    /// Does the steps to rows to test with.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); [`MlError::TestSeenInTraining`] if it may have been fitted to these
    /// rows.
    pub fn apply_to_test(&self, test: &Test<Table>) -> Result<Test<Table>, MlError> {
        check_unseen(self.trained_on(), Some(test.origin()))?;
        test.try_map(|table| self.apply(table))
    }

    /// Does the steps to the rows of a table.
    ///
    /// Columns are matched by name. What the steps do not name is kept as it is, in its place.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`] if the table lacks a column, [`MlError::ColumnTypeChanged`] if it
    /// has it with another type; those of the steps, such as [`MlError::UnknownCategory`].
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        for column in &self.schema {
            column.check(table)?;
        }
        let mut ready = table.clone();
        for step in &self.steps {
            ready = step.apply(&ready)?;
        }
        Ok(ready)
    }

    /// The names of the columns that steps make or name, in the order of the table fitted to: what
    /// a model is to learn from.
    pub fn feature_names_out(&self) -> &[String] {
        &self.feature_names
    }

    /// The columns that a table must have.
    pub fn schema(&self) -> &[SchemaColumn] {
        &self.schema
    }

    /// The steps, with what was learned.
    pub fn steps(&self) -> &[FittedStep] {
        &self.steps
    }

    /// The BLAKE3 hash of the stored form of the table that it was fitted to, the same for equal
    /// tables.
    pub fn table_digest(&self) -> Digest {
        self.table_digest
    }

    /// The number of rows that it was fitted to.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
}

impl fmt::Display for FittedPreprocessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.n_rows == 1 { "row" } else { "rows" };
        let digest = self.table_digest.short();
        write!(f, "fitted to {} {rows} of table {digest}", self.n_rows)?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n{}. {step}", number + 1)?;
        }
        write!(f, "\n= {}", self.feature_names.join(", "))
    }
}

fn digest(table: &Table) -> Digest {
    let mut hasher = blake3::Hasher::new();
    table
        .write(&mut hasher)
        .expect("a hasher takes whatever is written to it");
    Digest::from_bytes(*hasher.finalize().as_bytes())
}
