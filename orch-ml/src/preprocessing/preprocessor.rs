//! Steps in a row, before they are fitted.

use serde::{Deserialize, Serialize};

use super::fitted::{DroppedColumns, FittedPreprocessor, FittedStep, PassedColumns};
use super::{
    BinStrategy, DatePart, DateParts, KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OneHotOptions,
    OrdinalEncoder, OrdinalOptions, Pca, PcaOptions, PolynomialFeatures, PolynomialOptions,
    RobustScaler, StandardScaler,
};
use crate::cleaning::{ClipBounds, Clipper, ImputeOptions, Imputer};
use crate::error::MlError;
use crate::splitting::FitTo;
use crate::table::Table;

/// How to bring columns to a common scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scaling {
    /// To mean 0 and standard deviation 1: [`StandardScaler`].
    #[default]
    Standard,
    /// Into this range: [`MinMaxScaler`].
    MinMax(f64, f64),
    /// To median 0 and these quantiles 1 apart, of shares in `0..=1`: [`RobustScaler`].
    Robust(f64, f64),
}

/// What is to be done to columns, step by step, once it is fitted to rows.
///
/// Each step is for the columns it names, as the steps before left them; it may name columns that
/// these make. Columns that no step names are kept as they are, and are no features: so a target
/// stays in the table. [`pass`](Self::pass) makes features of columns that are ready.
///
/// # Examples
/// ```
/// use orch_ml::{CsvOptions, ImputeStrategy, OneHotOptions, Preprocessor, Scaling, parse_csv, to_dataset};
///
/// let text = b"size,town,price\n50,Oslo,160\n,Rome,180\n80,Oslo,240\n";
/// let train = parse_csv(text, &CsvOptions::default())?;
/// let preprocessor = Preprocessor::new()
///     .impute(["size"], ImputeStrategy::Median)
///     .scale(["size"], Scaling::Standard)
///     .one_hot(["town"], OneHotOptions::default())
///     .fit(&train)?;
/// assert_eq!(preprocessor.feature_names_out(), ["size", "town_Oslo", "town_Rome"]);
///
/// let ready = preprocessor.apply(&train)?;
/// let dataset = to_dataset(&ready, preprocessor.feature_names_out(), "price")?;
/// assert_eq!(dataset.records().values()[[1, 0]], 0.0);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Preprocessor {
    steps: Vec<Step>,
}

/// A step with the columns it is for. The order is part of the stored form: new kinds go at the
/// end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Step {
    columns: Vec<String>,
    kind: StepKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum StepKind {
    Impute(ImputeOptions),
    Clip(ClipBounds),
    Scale(Scaling),
    OneHot(OneHotOptions),
    Ordinal(OrdinalOptions),
    Polynomial(PolynomialOptions),
    Pca(PcaOptions),
    Bin(usize, BinStrategy),
    DateParts(Vec<DatePart>),
    Pass,
    Drop,
}

impl Preprocessor {
    /// Nothing to be done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts values in the place of missing ones: [`Imputer`].
    pub fn impute<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        options: impl Into<ImputeOptions>,
    ) -> Self {
        self.then(columns, StepKind::Impute(options.into()))
    }

    /// Moves values outside of bounds onto them: [`Clipper`].
    pub fn clip<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        bounds: ClipBounds,
    ) -> Self {
        self.then(columns, StepKind::Clip(bounds))
    }

    /// Brings columns to a common scale.
    pub fn scale<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        scaling: Scaling,
    ) -> Self {
        self.then(columns, StepKind::Scale(scaling))
    }

    /// Makes a column of each category: [`OneHotEncoder`].
    pub fn one_hot<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        options: OneHotOptions,
    ) -> Self {
        self.then(columns, StepKind::OneHot(options))
    }

    /// Makes a number of each category: [`OrdinalEncoder`].
    pub fn ordinal<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        options: OrdinalOptions,
    ) -> Self {
        self.then(columns, StepKind::Ordinal(options))
    }

    /// Makes products of columns: [`PolynomialFeatures`].
    pub fn polynomial<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        options: PolynomialOptions,
    ) -> Self {
        self.then(columns, StepKind::Polynomial(options))
    }

    /// Replaces columns by principal components: [`Pca`].
    pub fn pca<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        options: PcaOptions,
    ) -> Self {
        self.then(columns, StepKind::Pca(options))
    }

    /// Puts numbers into bins: [`KBinsDiscretizer`].
    pub fn bin<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        n_bins: usize,
        strategy: BinStrategy,
    ) -> Self {
        self.then(columns, StepKind::Bin(n_bins, strategy))
    }

    /// Replaces dates by parts of them: [`DateParts`].
    pub fn date_parts<N: Into<String>>(
        self,
        columns: impl IntoIterator<Item = N>,
        parts: impl Into<Vec<DatePart>>,
    ) -> Self {
        self.then(columns, StepKind::DateParts(parts.into()))
    }

    /// Makes features of columns as they are.
    pub fn pass<N: Into<String>>(self, columns: impl IntoIterator<Item = N>) -> Self {
        self.then(columns, StepKind::Pass)
    }

    /// Drops columns. Tables that it is applied to later need not have them.
    pub fn drop<N: Into<String>>(self, columns: impl IntoIterator<Item = N>) -> Self {
        self.then(columns, StepKind::Drop)
    }

    fn then<N: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = N>,
        kind: StepKind,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.steps.push(Step { columns, kind });
        self
    }

    /// Fits the steps to rows, each to what those before it made of them.
    ///
    /// # Errors
    /// Those of the steps; [`MlError::NoRows`].
    pub fn fit(&self, train: &impl FitTo<Table>) -> Result<FittedPreprocessor, MlError> {
        Ok(self.fit_apply(train)?.0)
    }

    /// As [`fit`](Self::fit), with what is made of the rows.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_apply(
        &self,
        train: &impl FitTo<Table>,
    ) -> Result<(FittedPreprocessor, Table), MlError> {
        let trained_on = train.origin().cloned();
        let train = train.data();
        if train.n_rows() == 0 {
            return Err(MlError::NoRows {
                table: train.name(),
            });
        }
        let mut table = train.clone();
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let fitted = step.fit(&table)?;
            table = fitted.apply(&table)?;
            steps.push(fitted);
        }
        let fitted = FittedPreprocessor::new(train, steps, &table, trained_on)?;
        Ok((fitted, table))
    }
}

impl Step {
    fn fit(&self, table: &Table) -> Result<FittedStep, MlError> {
        let columns = &self.columns;
        Ok(match &self.kind {
            StepKind::Impute(options) => {
                FittedStep::Impute(Imputer::fit(table, columns, options.clone())?)
            }
            StepKind::Clip(bounds) => FittedStep::Clip(Clipper::fit(table, columns, *bounds)?),
            StepKind::Scale(Scaling::Standard) => {
                FittedStep::StandardScale(StandardScaler::fit(table, columns)?)
            }
            StepKind::Scale(Scaling::MinMax(from, to)) => {
                FittedStep::MinMaxScale(MinMaxScaler::fit(table, columns, (*from, *to))?)
            }
            StepKind::Scale(Scaling::Robust(lower, upper)) => {
                FittedStep::RobustScale(RobustScaler::fit(table, columns, (*lower, *upper))?)
            }
            StepKind::OneHot(options) => {
                FittedStep::OneHot(OneHotEncoder::fit(table, columns, options)?)
            }
            StepKind::Ordinal(options) => {
                FittedStep::Ordinal(OrdinalEncoder::fit(table, columns, options)?)
            }
            StepKind::Polynomial(options) => {
                FittedStep::Polynomial(PolynomialFeatures::fit(table, columns, *options)?)
            }
            StepKind::Pca(options) => FittedStep::Pca(Pca::fit(table, columns, options)?),
            StepKind::Bin(n_bins, strategy) => {
                FittedStep::Bin(KBinsDiscretizer::fit(table, columns, *n_bins, *strategy)?)
            }
            StepKind::DateParts(parts) => {
                FittedStep::DateParts(DateParts::fit(table, columns, parts)?)
            }
            StepKind::Pass => FittedStep::Pass(PassedColumns::fit(table, columns)?),
            StepKind::Drop => FittedStep::Drop(DroppedColumns::fit(table, columns)?),
        })
    }
}
