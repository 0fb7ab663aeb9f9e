//! What the examples take from the command line.

use std::path::{Path, PathBuf};

use clap::Parser;
use orch_ml::{ForestOptions, Split};

/// The directory of the tables that come with the examples.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

/// Fits a linear regression to a CSV file, and measures it on rows that it has not seen.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "ml_workflow", version)]
pub struct WorkflowArguments {
    /// CSV file with a header line [default: the penguins that come with the examples]
    #[arg(long, value_name = "FILE", requires_all = ["features", "target"])]
    data: Option<PathBuf>,
    /// Columns to predict from, separated by commas
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        default_value = "bill_length_mm,bill_depth_mm,flipper_length_mm"
    )]
    pub features: Vec<String>,
    /// Column to predict
    #[arg(long, value_name = "COLUMN", default_value = "body_mass_g")]
    pub target: String,
    /// Share of the rows to test on, between 0 and 1
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.2,
        allow_negative_numbers = true
    )]
    test_fraction: f64,
    /// Decides which rows are tested on
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder to keep results in: what a later run has in common with this one is not computed again
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Directory to write a page about the run to, and its graph, timeline and data
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl WorkflowArguments {
    /// Returns the file to read.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| format!("{DATA}/penguins.csv").into())
    }

    /// Returns which rows to test on.
    pub fn split(&self) -> Split {
        Split::random(self.test_fraction).seed(self.seed)
    }
}

/// Fits a random forest to a CSV file, measures it, saves it, loads it again and predicts.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "daily_forest", version)]
pub struct ForestArguments {
    /// CSV file with a header line [default: the irises that come with the examples]
    #[arg(long, value_name = "FILE", requires = "target")]
    data: Option<PathBuf>,
    /// Column to predict, a class; every other column is a feature
    #[arg(long, value_name = "COLUMN", default_value = "species")]
    pub target: String,
    /// Share of the rows to test on, between 0 and 1
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.2,
        allow_negative_numbers = true
    )]
    test_fraction: f64,
    /// Decides which rows are tested on, and how the trees grow
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Number of trees
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    trees: usize,
    /// File to save the model to [default: `daily_forest.model` in the system's temporary directory]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Folder to keep results in: what a later run has in common with this one is not computed again
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Directory to write a page about the run to, and its graph, timeline and data
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl ForestArguments {
    /// Returns the file to read.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| format!("{DATA}/iris.csv").into())
    }

    /// Returns which rows to test on: a share of each class.
    pub fn split(&self) -> Split {
        Split::stratified(self.test_fraction).seed(self.seed)
    }

    /// Returns how the trees grow.
    pub fn forest(&self) -> ForestOptions {
        ForestOptions {
            n_trees: self.trees,
            seed: self.seed,
            ..ForestOptions::default()
        }
    }

    /// Returns the file to save the model to.
    pub fn model(&self) -> PathBuf {
        self.model
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join("daily_forest.model"))
    }
}

/// Tries options of a random forest by cross-validation, and measures the best of them.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "tune_forest", version)]
pub struct TuningArguments {
    /// CSV file with a header line [default: the breast cancer data that comes with the examples]
    #[arg(long, value_name = "FILE", requires = "target")]
    data: Option<PathBuf>,
    /// Column to predict, a class; every other column is a feature
    #[arg(long, value_name = "COLUMN", default_value = "diagnosis")]
    pub target: String,
    /// Number of options to try
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub trials: usize,
    /// Number of folds by which they are compared
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub folds: usize,
    /// Decides which options are tried, which rows are tested on, and how the trees grow
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder to keep results in: killed and started again, the search goes on
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Directory to write a page about the run to, and its graph, timeline and data
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl TuningArguments {
    /// Returns the file to read.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| format!("{DATA}/breast_cancer.csv").into())
    }
}

/// Runs one flow with several options, and puts the runs side by side.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "compare_runs", version)]
pub struct ComparisonArguments {
    /// CSV file with a header line [default: the breast cancer data that comes with the examples]
    #[arg(long, value_name = "FILE", requires = "target")]
    data: Option<PathBuf>,
    /// Column to predict, a class; every other column is a feature
    #[arg(long, value_name = "COLUMN", default_value = "diagnosis")]
    pub target: String,
    /// Metric to show, several times for several; all of them are in the CSV file
    #[arg(
        long = "metric",
        value_name = "NAME",
        default_values = ["accuracy", "log_loss", "out_of_bag_accuracy", "roc_auc"]
    )]
    pub metrics: Vec<String>,
    /// Decides which rows are tested on, and how the trees grow
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder to keep the runs in [default: one that is gone afterwards]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// File to write the whole comparison to, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// A folder, and whether it goes with the program.
#[derive(Debug)]
pub struct StoreFolder {
    path: PathBuf,
    is_kept: bool,
}

impl ComparisonArguments {
    /// Returns the file to read.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| format!("{DATA}/breast_cancer.csv").into())
    }

    /// Returns the folder to keep the runs in.
    ///
    /// # Errors
    /// That of making one.
    pub fn store(&self) -> std::io::Result<StoreFolder> {
        if let Some(path) = self.store.clone() {
            return Ok(StoreFolder {
                path,
                is_kept: true,
            });
        }
        let path = std::env::temp_dir().join(format!("compare_runs-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(StoreFolder {
            path,
            is_kept: false,
        })
    }
}

impl StoreFolder {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StoreFolder {
    fn drop(&mut self) {
        if !self.is_kept {
            // The system empties its temporary directory anyhow.
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

/// Tells penguins apart by sizes, island and sex, with two kinds of model.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "penguins", version)]
pub struct PenguinArguments {
    /// CSV file with the columns of the penguins [default: those that come with the examples]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Decides which rows are tested on, and how the trees grow
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Folder to keep results in: what a later run has in common with this one is not computed again
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Directory to write a page about the run to, and its graph, timeline and data
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl PenguinArguments {
    /// Returns the file to read.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| format!("{DATA}/penguins.csv").into())
    }
}
