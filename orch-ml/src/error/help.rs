//! What the user can do about an error.

use std::path::Path;

use super::MlError;

impl MlError {
    /// What the user can do about it; printed after the error as `help: ...`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::ReadFile { .. } => "check that the file exists and that you may read it",
            Self::WriteFile { .. } => "check that the folder exists, is writable and has space",
            Self::NotAFile { .. } => "name a file in the directory",
            Self::EmptyFile { .. } => {
                "check how the file was written; it should have a header line"
            }
            Self::RaggedRow { .. } => {
                "correct the line, or check `delimiter`; quote cells that contain it"
            }
            Self::UnclosedQuote { .. } => {
                "close the quote, or double a quote that is part of the text"
            }
            Self::InvalidUtf8 { .. } => {
                "convert the file to UTF-8, e.g. with `iconv -f latin1 -t utf8`"
            }
            Self::DuplicateColumn { .. } => {
                "rename one of the columns, or set `has_header` to false"
            }
            Self::UnevenColumns { .. } => "give every column the same number of rows",
            Self::UnknownColumn { .. } => "use one of the columns listed",
            Self::NotNumeric { .. } => {
                "leave the column out, correct the value, or name its word in `missing_words`"
            }
            Self::MissingValue { .. } => "call `drop_missing` or `impute` first",
            Self::NotFinite { .. } => "drop or correct the rows that are NaN or infinite",
            Self::ContinuousLabel { .. } => "use regression for a continuous target",
            Self::TargetIsFeature { .. } => "take the target out of the features",
            Self::NoRows { .. } => "check the file and the filters before this step",
            Self::NoFeatures => "name at least one feature column",
            Self::AllRowsIncomplete { .. } => {
                "drop that column first, or use `drop_missing_in` for the columns you need"
            }
            Self::TooFewRows { .. } => "use more rows or another `test_fraction`",
            Self::TooFewOfClass { .. } => "use more rows, drop the class, or split at random",
            Self::TooFewGroups { .. } => "use more groups, fewer folds or another `test_fraction`",
            Self::SplitNotPossible { help, .. } => help,
            Self::UnknownOption { .. } => "use one of the names listed",
            Self::UnfitOption { .. } => "give values of the type of the option",
            Self::UnknownFlowRun { .. } => "name one that the engine's store has",
            Self::ReadStore { source } => {
                source.help().unwrap_or("see to the store, then try again")
            }
            Self::NoTrials => "try at least one candidate",
            Self::InvalidJson { .. } => "write one object on each line, as `{\"a\": 1}`",
            Self::NestedJson { .. } => "flatten it before, such as into `address.city`",
            Self::MixedTypes { .. } => "write the values of a key as one type",
            Self::InvalidNpy { .. } => "save it with `numpy.save`, as a matrix of numbers",
            Self::CheckFailed { .. } => "mend the data, or leave `blocking` out of the check",
            Self::ChecksFailed { .. } => "mend the data, or make the check one that only warns",
            Self::NoTables => "give at least one table",
            Self::TypeMismatch { .. } => "read both with the same types",
            Self::ContinuousKey { .. } => "use a key of texts or whole numbers",
            Self::SumOverflow { .. } => "make it a column of floats",
            Self::TestSeenInTraining => {
                "fit to the train side and test with the other side of the same split"
            }
            Self::InvalidOption { .. } => "give a value in the expected range",
            Self::LengthMismatch { .. } => "take both from the same rows",
            Self::CodeOutOfRange { .. } => "build the dataset with `to_classification_dataset`",
            Self::FeatureMissing { .. } => "select the features that the model was trained on",
            Self::FitOverflow => "scale the columns to a similar, moderate size",
            Self::FitFailed { .. } => "scale the columns to a similar, moderate size",
            Self::OutOfBagWithoutBootstrap => "turn `bootstrap` on, or `out_of_bag_score` off",
            Self::NotAProbability { .. } => {
                "give probabilities; for other scores use `roc_auc` or `average_precision`"
            }
            Self::OneClass { .. } => {
                "use rows of more classes; a stratified split keeps each of them"
            }
            Self::NoValues { .. } => "drop the column, or impute a constant first",
            Self::StatisticOverflow { .. } => "divide the column by a large number first",
            Self::NotEnoughRows { .. } => "use more rows",
            Self::WrongColumnType { .. } => "choose another column, or a value of its type",
            Self::ColumnTypeChanged { .. } => {
                "read the column as it was read for the fit, or fit the preprocessor again"
            }
            Self::ContinuousCategory { .. } => "put the numbers into bins first",
            Self::UnknownCategory { .. } => {
                "correct the value, fit to rows that have it, or choose what unknown ones become"
            }
            Self::InvalidDate { .. } => "correct the cell, or leave it empty",
            Self::HttpStatus { .. } => "check the address, and whether it needs a login",
            Self::ObjectFailed { .. } => {
                "check the object's place, the store, and who may read and write there"
            }
            Self::HttpFailed { .. } => "check the address and the network",
            Self::DownloadTooLarge { .. } => "raise `max_bytes`, if that much is what you want",
            Self::ChecksumMismatch { .. } => {
                "check what changed at the source, then use the new checksum"
            }
            Self::QueryFailed { .. } => "correct the query, or check that the database is there",
            Self::DamagedFile { .. } => "write the file anew, or read it as what it is",
            Self::ColumnType { .. } => "convert the column where the file is made, or leave it out",
            Self::ColumnValue { .. } => "correct the value where the file is made",
            Self::QueryValue { .. } | Self::QueryColumn { .. } => {
                "convert the column in the query, as with `CAST(.. AS ..)`"
            }
            Self::PendingChanges { .. } => {
                "close the programs that use the database, or run `PRAGMA wal_checkpoint(TRUNCATE)`"
            }
            Self::InvalidTimestamp { .. } => {
                "correct the cell, or take the column out of `timestamps`: it is text then"
            }
            Self::NotAModelFile { .. } => "give a file written by `save_model`",
            Self::ModelFileTooNew { .. } => "upgrade orch-ml, or save the model with this release",
            Self::ModelFileLength { .. } | Self::ModelFileDamaged { .. } => {
                "copy the file again from its source, or train and save the model again"
            }
            Self::ModelFileUndecodable { .. } => "train and save the model with this release",
            Self::WrongModelKind { .. } => "load the file that holds the model you want",
            Self::InputMismatch { .. } => {
                "read the columns as they were read for the fit, with their names"
            }
            Self::PreprocessorMismatch { .. } => {
                "give the preprocessor that was fitted with the model; `pass` columns that are ready"
            }
            Self::OtherPredictions { .. } => "ask for what the model predicts",
            Self::NoProbabilities { .. } => {
                "call `predict`, or fit a logistic model, naive Bayes, a tree or a forest"
            }
            Self::NotExportable { .. } => {
                "export a linear model, tree or forest with no preprocessing but scaling"
            }
            Self::EncodeModel { .. } => "report this, with the kind of the model",
        }
    }

    pub(crate) fn read_file(path: &Path, source: std::io::Error) -> Self {
        Self::ReadFile {
            path: path.to_path_buf(),
            source,
        }
    }
}
