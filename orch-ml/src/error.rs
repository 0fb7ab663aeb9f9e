//! The one error type of this crate.

mod help;
mod names;
mod problems;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::{ClassifyRetry, Retry};

use self::names::{Names, Nearest};
use self::problems::Problems;
use crate::checking::{CheckReport, CheckVerdict};
use crate::model::InputProblem;

/// Why a table, split, model or metric could not be made.
///
/// Row indices count from 0, without the header, and are those of the file, or of the table that was
/// made first, also after rows were dropped; lines are those of the file, counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MlError {
    /// The file does not exist or the system refused to read it.
    #[error("cannot read `{}`", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused to write the file.
    #[error("cannot write `{}`", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store has no flow run of this id.
    #[error("there is no flow run {run}")]
    UnknownFlowRun {
        /// The id.
        run: String,
    },
    /// The store with the flow runs cannot be read.
    #[error("the recorded flow runs cannot be read")]
    ReadStore {
        /// Why not.
        source: orch_core::store::StoreError,
    },
    /// The path names a directory where a file is needed.
    #[error("`{}` is a directory, expected a file", path.display())]
    NotAFile {
        /// The directory.
        path: PathBuf,
    },
    /// The file has no header and no rows.
    #[error("{table} is empty: it has no header and no rows")]
    EmptyFile {
        /// The file.
        table: TableName,
    },
    /// A row has more or fewer cells than there are columns.
    #[error("{table} line {line} has {found} cells, expected {expected}")]
    RaggedRow {
        /// The file.
        table: TableName,
        /// Line on which the row begins.
        line: usize,
        /// Number of columns.
        expected: usize,
        /// Number of cells in this row.
        found: usize,
    },
    /// A quoted cell is still open where the file ends.
    #[error("{table} line {line} opens a quote that is never closed")]
    UnclosedQuote {
        /// The file.
        table: TableName,
        /// Line of the opening quote.
        line: usize,
    },
    /// A cell that is not UTF-8.
    #[error("{table} line {line}, column `{column}`: `{value}` is not UTF-8")]
    InvalidUtf8 {
        /// The file.
        table: TableName,
        /// Line on which the row begins.
        line: usize,
        /// Name of the column.
        column: String,
        /// The cell, with what is not UTF-8 replaced by `\u{fffd}`.
        value: String,
    },
    /// A cell of a column of timestamps that is none.
    #[error(
        "{table} line {line}, column `{column}`: `{value}` is no date or time such as `2024-02-29` or `2024-02-29T18:30:00Z`"
    )]
    InvalidTimestamp {
        /// The file.
        table: TableName,
        /// Line on which the row begins.
        line: usize,
        /// Name of the column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A database did not do what it was asked.
    #[error("database `{database}` refuses the query `{query}`")]
    QueryFailed {
        /// The database: its file, or its address.
        database: String,
        /// The query.
        query: String,
        /// Whether it may go away by itself, as a lock that another program holds.
        may_pass: bool,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value of a query that is none of a table.
    #[error(
        "row {row_idx} of the query `{query}` of `{database}`, column `{column}`: `{value}` is {problem}"
    )]
    QueryValue {
        /// The database: its file, or its address.
        database: Box<str>,
        /// The query.
        query: Box<str>,
        /// The row of the result.
        row_idx: usize,
        /// Name of the column.
        column: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file is not of the format that it is read as, or is damaged.
    #[error("`{}` cannot be read as {format}", path.display())]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column of another program that is of no type of a table.
    #[error("column `{column}` of {table} is of type `{found}`, which no table has")]
    ColumnType {
        /// The file.
        table: TableName,
        /// Name of the column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A value of another program that is none of a table.
    #[error("row {row_idx} of {table}, column `{column}`: `{value}` is {problem}")]
    ColumnValue {
        /// The file.
        table: TableName,
        /// The row.
        row_idx: usize,
        /// Name of the column.
        column: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A column of a query that is of no type of a table.
    #[error(
        "column `{column}` of the query `{query}` of `{database}` is of type `{sql_type}`, which no table has"
    )]
    QueryColumn {
        /// The database: its address.
        database: Box<str>,
        /// The query.
        query: Box<str>,
        /// Name of the column.
        column: String,
        /// Its type in the database.
        sql_type: String,
    },
    /// A database has changes that its file does not have yet.
    #[error("database `{}` has changes that are only in `{}`", path.display(), log.display())]
    PendingChanges {
        /// The file of the database.
        path: PathBuf,
        /// The log that has them.
        log: PathBuf,
    },
    /// A server answered, but not with what was asked for.
    #[error("`{url}` answers with HTTP status {status}")]
    HttpStatus {
        /// The address, without what may be secret.
        url: String,
        /// The status.
        status: u16,
        /// When the server wants to be asked again, from the answer on.
        retry_after: Option<Duration>,
    },
    /// A server did not answer, or not to the end.
    #[error("cannot get `{url}`")]
    HttpFailed {
        /// The address, without what may be secret.
        url: String,
        /// Whether it may go away by itself, as a connection that fails.
        may_pass: bool,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object store did not do what it was asked.
    #[error("the object store fails at `{location}`")]
    ObjectFailed {
        /// The store and the object's place in it.
        location: String,
        /// Whether it may go away by itself, as a connection that fails.
        may_pass: bool,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A server has more bytes than are wanted.
    #[error("`{url}` has more than {max_bytes} bytes")]
    DownloadTooLarge {
        /// The address, without what may be secret.
        url: String,
        /// The most that is wanted.
        max_bytes: u64,
    },
    /// The bytes that a server gave are not those expected.
    #[error("the bytes at `{url}` have the checksum {found}, expected {expected}")]
    ChecksumMismatch {
        /// The address, without what may be secret.
        url: String,
        /// The checksum expected.
        expected: String,
        /// The checksum found.
        found: String,
    },
    /// A line that is no JSON object.
    #[error("{table} line {line} is no JSON object: {problem}")]
    InvalidJson {
        /// The file.
        table: TableName,
        /// The line.
        line: usize,
        /// What the parser said.
        problem: String,
    },
    /// A list or an object where a value is needed.
    #[error("{table} line {line}, `{column}`: {what} is no value of a column")]
    NestedJson {
        /// The file.
        table: TableName,
        /// The line.
        line: usize,
        /// The key.
        column: String,
        /// What is there.
        what: &'static str,
    },
    /// Values of different types in one column.
    #[error("{table} line {line}, `{column}`: {found} in a column of type {expected}")]
    MixedTypes {
        /// The file.
        table: TableName,
        /// The first line whose value does not fit those before.
        line: usize,
        /// The key.
        column: String,
        /// The type of the values before.
        expected: &'static str,
        /// The type of this one.
        found: &'static str,
    },
    /// A file is not an array as numpy writes it.
    #[error("cannot read an array from `{}`: {problem}", path.display())]
    InvalidNpy {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A table does not pass a blocking check.
    #[error("{table} does not pass its checks:\n{report}")]
    ChecksFailed {
        /// The table.
        table: TableName,
        /// What all checks found.
        report: Box<CheckReport>,
    },
    /// Data does not pass a blocking check of one's own.
    #[error("a check did not pass: {verdict}")]
    CheckFailed {
        /// What the check found.
        verdict: Box<CheckVerdict>,
    },
    /// Two columns have one name.
    #[error("column `{column}` occurs twice in {table}")]
    DuplicateColumn {
        /// The name.
        column: String,
        /// The table or list it occurs in.
        table: TableName,
    },
    /// Columns of one table differ in length.
    #[error("column `{column}` has {found} rows, the columns before it have {expected}")]
    UnevenColumns {
        /// The column that differs.
        column: String,
        /// Rows of the others.
        expected: usize,
        /// Rows of this one.
        found: usize,
    },
    /// No column has this name.
    #[error(
        "column `{column}` is not in {table} ({}its columns: {})",
        Nearest(column, columns),
        Names(columns)
    )]
    UnknownColumn {
        /// The name that was asked for.
        column: String,
        /// The table.
        table: TableName,
        /// The names that exist.
        columns: Vec<String>,
    },
    /// Numbers are needed, the column holds text.
    #[error(
        "column `{column}` of {table} holds text where numbers are needed: row {row_idx} is `{value}`"
    )]
    NotNumeric {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// First row that is not a number.
        row_idx: usize,
        /// Its value.
        value: String,
    },
    /// A value is missing (absent or NaN) where one is needed.
    #[error("column `{column}` of {table} has a missing value at row {row_idx}")]
    MissingValue {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// First row without a value.
        row_idx: usize,
    },
    /// A number is NaN or infinite where a finite one is needed.
    #[error("column `{column}` is {value} at row {row_idx}, expected a finite number")]
    NotFinite {
        /// The column.
        column: String,
        /// First such row.
        row_idx: usize,
        /// The number.
        value: f64,
    },
    /// A class label is neither text, nor a boolean, nor a whole number.
    #[error("label column `{column}` is {value} at row {row_idx}, expected a whole number or text")]
    ContinuousLabel {
        /// The label column.
        column: String,
        /// First such row.
        row_idx: usize,
        /// The number.
        value: f64,
    },
    /// The target is also listed as a feature, which would leak the answer.
    #[error("column `{column}` is both the target and a feature")]
    TargetIsFeature {
        /// The column.
        column: String,
    },
    /// There is no row to work on.
    #[error("{table} has no rows")]
    NoRows {
        /// The table or dataset.
        table: TableName,
    },
    /// There is no feature to learn from.
    #[error("no feature columns are given, expected at least 1")]
    NoFeatures,
    /// Every row misses a value somewhere.
    #[error(
        "{} (column `{column}` alone misses {n_missing})",
        match n_rows {
            1 => format!("the only row of {table} has a missing value"),
            _ => format!("all {n_rows} rows of {table} have a missing value"),
        }
    )]
    AllRowsIncomplete {
        /// The table.
        table: TableName,
        /// Its number of rows.
        n_rows: usize,
        /// The column that misses most values.
        column: String,
        /// How many it misses.
        n_missing: usize,
    },
    /// A split would leave one of its sides empty.
    #[error(
        "{n_rows} {} with `test_fraction` {test_fraction} leave {n_train} for training and {n_test} for testing",
        if *n_rows == 1 { "row" } else { "rows" }
    )]
    TooFewRows {
        /// Rows to split.
        n_rows: usize,
        /// The fraction asked for.
        test_fraction: f64,
        /// Rows left for training.
        n_train: usize,
        /// Rows left for testing.
        n_test: usize,
    },
    /// A class has fewer rows than a stratified split needs of each.
    #[error(
        "class `{class}` has {n_rows} {}, a stratified split needs at least {needed} of each class",
        if *n_rows == 1 { "row" } else { "rows" }
    )]
    TooFewOfClass {
        /// The class.
        class: String,
        /// Its rows.
        n_rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// There are fewer groups than a split needs.
    #[error(
        "there {} {n_groups} {}, the split needs at least {needed}",
        if *n_groups == 1 { "is" } else { "are" },
        if *n_groups == 1 { "group" } else { "groups" }
    )]
    TooFewGroups {
        /// Number of groups.
        n_groups: usize,
        /// Groups needed.
        needed: usize,
    },
    /// The data has nothing that the split could go by.
    #[error("this data cannot be split {split}")]
    SplitNotPossible {
        /// How it was to be split.
        split: String,
        /// What to do.
        help: &'static str,
    },
    /// Rows that a model was fitted to are among those it is to be measured with.
    #[error("the rows to test with may be among those that the model was fitted to")]
    TestSeenInTraining,
    /// Options have no such name.
    #[error(
        "option `{option}` does not exist ({}there are: {})",
        Nearest(option, options),
        Names(options)
    )]
    UnknownOption {
        /// The name.
        option: String,
        /// The names there are.
        options: Vec<String>,
    },
    /// An option cannot have a value.
    #[error("option `{option}` cannot be {value}: {problem}")]
    UnfitOption {
        /// The option.
        option: String,
        /// The value.
        value: String,
        /// What does not fit.
        problem: String,
    },
    /// There is nothing to compare.
    #[error("there are no trials to choose from")]
    NoTrials,
    /// There is no table to make one of.
    #[error("there are no tables to put together")]
    NoTables,
    /// A column is of another type in another table.
    #[error("column `{column}` is of type {found} there, and of type {expected} here")]
    TypeMismatch {
        /// The column.
        column: String,
        /// Its type in the first table.
        expected: &'static str,
        /// Its type in the other.
        found: &'static str,
    },
    /// Rows are to be matched by floats.
    #[error("column `{column}` holds floats, which are no key: two of them are rarely equal")]
    ContinuousKey {
        /// The column.
        column: String,
    },
    /// A sum of integers does not fit.
    #[error("the sum of the integers in column `{column}` is too large")]
    SumOverflow {
        /// The column.
        column: String,
    },
    /// An option or parameter is outside its range.
    #[error("`{name}` is {value}, expected {expected}")]
    InvalidOption {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// Two things that belong together differ in length.
    #[error("{what} has length {found}, expected {expected}")]
    LengthMismatch {
        /// The thing that does not fit.
        what: &'static str,
        /// Length needed.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A code points past the end of the list of names it refers to.
    #[error("{what} {code} at row {row_idx} is out of range, expected less than {limit}")]
    CodeOutOfRange {
        /// The kind of code.
        what: &'static str,
        /// First such row.
        row_idx: usize,
        /// The code.
        code: u32,
        /// Number of names.
        limit: usize,
    },
    /// Records to predict lack a feature that the model was trained on.
    #[error(
        "the model needs feature `{feature}`, which the records lack ({}their features: {})",
        Nearest(feature, features),
        Names(features)
    )]
    FeatureMissing {
        /// The feature.
        feature: String,
        /// The features that the records have.
        features: Vec<String>,
    },
    /// The numbers are too large or too small for a fit in `f64`.
    #[error("the fit overflowed: a coefficient is not a finite number")]
    FitOverflow,
    /// The linear algebra underneath gave up.
    #[error("the least-squares solution failed")]
    FitFailed {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing out of the bag is left to score.
    #[error("an out-of-bag score needs `bootstrap`, which is off")]
    OutOfBagWithoutBootstrap,
    /// A number is outside the range of probabilities.
    #[error("the probability at row {row_idx} is {value}, expected a number between 0 and 1")]
    NotAProbability {
        /// First such row.
        row_idx: usize,
        /// The number.
        value: f64,
    },
    /// A model that tells classes apart has only one to learn from.
    #[error(
        "all {n_rows} rows are of class `{class}` of column `{column}`, expected at least 2 classes"
    )]
    OneClass {
        /// The class.
        class: String,
        /// The label column.
        column: String,
        /// Number of rows.
        n_rows: usize,
    },
    /// A statistic of a column is asked for, and no row of it has a value.
    #[error("column `{column}` of {table} has no value to take the {statistic} of")]
    NoValues {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// What was to be found out.
        statistic: &'static str,
    },
    /// The values of a column are too large for a statistic in `f64`.
    #[error(
        "the {statistic} of column `{column}` is not a finite number: its values are too large"
    )]
    StatisticOverflow {
        /// The column.
        column: String,
        /// What was to be found out.
        statistic: &'static str,
    },
    /// There are rows, but fewer than a fit needs.
    #[error(
        "{table} has {n_rows} {}, {what} needs at least {expected}",
        if *n_rows == 1 { "row" } else { "rows" }
    )]
    NotEnoughRows {
        /// The table.
        table: TableName,
        /// Its number of rows.
        n_rows: usize,
        /// What was to be fitted.
        what: &'static str,
        /// Rows needed.
        expected: usize,
    },
    /// A column is of another type than what is done to it needs.
    #[error("column `{column}` of {table} is {found}, expected {expected}")]
    WrongColumnType {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// Its type.
        found: &'static str,
        /// The type needed.
        expected: &'static str,
    },
    /// A column is of another type than the column of that name that was fitted to.
    #[error("column `{column}` of {table} is {found}, the preprocessor was fitted to {expected}")]
    ColumnTypeChanged {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// Its type.
        found: &'static str,
        /// The type of the column fitted to.
        expected: &'static str,
    },
    /// A category is neither text, nor a boolean, nor a whole number.
    #[error(
        "column `{column}` is {value} at row {row_idx}, expected categories: whole numbers or text"
    )]
    ContinuousCategory {
        /// The column.
        column: String,
        /// First such row.
        row_idx: usize,
        /// The number.
        value: f64,
    },
    /// A category that the encoder was not fitted to.
    #[error(
        "column `{column}` of {table} is `{value}` at row {row_idx}, which is not a category fitted to ({}they are: {})",
        Nearest(value, categories),
        Names(categories)
    )]
    UnknownCategory {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// First such row.
        row_idx: usize,
        /// Its value.
        value: String,
        /// The categories that are known.
        categories: Vec<String>,
    },
    /// A cell that is no date or time.
    #[error(
        "column `{column}` of {table} is `{value}` at row {row_idx}, expected a date such as `2024-02-29` or `2024-02-29T18:30:00Z`, in the years 0 to 9999"
    )]
    InvalidDate {
        /// The column.
        column: String,
        /// The table.
        table: TableName,
        /// First such row.
        row_idx: usize,
        /// Its value.
        value: String,
    },
    /// The file does not begin as a model file does.
    #[error("`{}` is not a model file", path.display())]
    NotAModelFile {
        /// The file.
        path: PathBuf,
    },
    /// The model file was written by a later release than this one.
    #[error("model file `{}` has format {found}, this build reads up to {supported}", path.display())]
    ModelFileTooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that this build knows.
        supported: u32,
    },
    /// The model file has fewer or more bytes than it says.
    #[error("model file `{}` has {found} bytes, expected {expected}", path.display())]
    ModelFileLength {
        /// The file.
        path: PathBuf,
        /// Bytes according to its header.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The bytes of the model file do not match their checksum.
    #[error("model file `{}` is damaged: its checksum does not match", path.display())]
    ModelFileDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The checksum is right but the contents are not a model that this build understands.
    #[error("model file `{}` does not hold a model that this build understands", path.display())]
    ModelFileUndecodable {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A model of another kind than the one asked for.
    #[error("the model is a {found}, expected a {expected}")]
    WrongModelKind {
        /// Kind asked for.
        expected: &'static str,
        /// Kind found.
        found: &'static str,
    },
    /// A table to predict for does not have the columns that the model was fitted to.
    #[error("{table} does not fit the model: {}", Problems(problems, columns))]
    InputMismatch {
        /// The table.
        table: TableName,
        /// What is wrong, in the order of the columns that the model takes.
        problems: Vec<InputProblem>,
        /// The columns that the table has.
        columns: Vec<String>,
    },
    /// A model learned from features that the preprocessor put beside it does not make.
    #[error(
        "the preprocessor does not make {}, which the model learned from; it makes {}",
        Names(missing),
        Names(made)
    )]
    PreprocessorMismatch {
        /// The features that are not made.
        missing: Vec<String>,
        /// Those that are.
        made: Vec<String>,
    },
    /// A model predicts something else than what is asked for.
    #[error("the model predicts {found}, not {expected}")]
    OtherPredictions {
        /// What is asked for.
        expected: &'static str,
        /// What it predicts.
        found: &'static str,
    },
    /// A model that has no probabilities is asked for them.
    #[error("a {kind} has no probabilities of classes")]
    NoProbabilities {
        /// The kind of model.
        kind: &'static str,
    },
    /// A model has no form in ONNX.
    #[error("the {kind} cannot be written as ONNX: {problem}")]
    NotExportable {
        /// The kind of model.
        kind: &'static str,
        /// What has no form.
        problem: String,
    },
    /// The model cannot be written as bytes.
    #[error("the model cannot be encoded")]
    EncodeModel {
        /// What the encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Says that only what the system did to a file, and what a server or a database does, may go away by
/// itself: a share that does not answer, a disk that is full, a status of 500 or more. What is wrong with the data, a model or an option stays wrong, and
/// so does a file that is not there or may not be opened.
impl ClassifyRetry for MlError {
    fn classify(&self, _attempt: u32) -> Retry {
        use std::io::ErrorKind::{
            InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
            ReadOnlyFilesystem, Unsupported,
        };

        let source = match self {
            Self::ReadFile { source, .. } | Self::WriteFile { source, .. } => source,
            Self::QueryFailed { may_pass, .. }
            | Self::HttpFailed { may_pass, .. }
            | Self::ObjectFailed { may_pass, .. } => {
                return if *may_pass {
                    Retry::Default
                } else {
                    Retry::Never
                };
            }
            Self::HttpStatus {
                status: 408 | 425 | 429 | 500..,
                retry_after,
                ..
            } => return retry_after.map_or(Retry::Default, Retry::After),
            _ => return Retry::Never,
        };
        match source.kind() {
            NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidFilename
            | InvalidInput | ReadOnlyFilesystem | Unsupported => Retry::Never,
            _ => Retry::Default,
        }
    }
}

/// How messages call a table: the file it was read from, or "the table".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableName(pub(crate) Option<PathBuf>);

impl TableName {
    /// The file the table was read from, if it was.
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => write!(f, "`{}`", path.display()),
            None => f.write_str("the table"),
        }
    }
}
