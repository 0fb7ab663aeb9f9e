//! The data of the cases, drawn and written.

use std::path::{Path, PathBuf};

use orch_benches::{Matrix, Samples};
use orch_ml::ndarray::Array2;
use orch_ml::{ClassificationDataset, CsvOptions, Dataset, Records, Table, Train, read_csv};

/// The data of all cases.
pub(crate) struct Data {
    pub(crate) samples: Samples,
    pub(crate) csv: PathBuf,
    pub(crate) table: Table,
    pub(crate) words: Table,
    pub(crate) regression: Dataset,
    pub(crate) classes10: (ClassificationDataset, ClassificationDataset),
    pub(crate) classes20: (ClassificationDataset, ClassificationDataset),
    pub(crate) wide: Table,
    pub(crate) heaps: Records,
    pub(crate) starts: Array2<f64>,
    pub(crate) points: Records,
    pub(crate) cancer: Train<ClassificationDataset>,
}

/// How many rows there are.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) table: u64,
    pub(crate) rows20k: u64,
    pub(crate) rows100k: u64,
}

impl Sizes {
    pub(crate) const fn new(is_smoke: bool) -> Self {
        if is_smoke {
            Self {
                table: 2_000,
                rows20k: 400,
                rows100k: 600,
            }
        } else {
            Self {
                table: 1_000_000,
                rows20k: 20_000,
                rows100k: 100_000,
            }
        }
    }
}

pub(crate) fn names(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("x{n}")).collect()
}

pub(crate) fn records(matrix: &Matrix) -> anyhow::Result<Records> {
    Ok(Records::new(matrix.x.clone(), names(matrix.x.ncols()))?)
}

pub(crate) fn classes(matrix: &Matrix) -> anyhow::Result<ClassificationDataset> {
    let labels = matrix.y.iter().map(|class| *class as i64);
    Ok(ClassificationDataset::new(
        records(matrix)?,
        labels,
        "class",
    )?)
}

/// Draws classes, and as many again as a quarter of them to test on.
pub(crate) fn with_test(
    samples: &Samples,
    name: &str,
    n_rows: u64,
    n_features: usize,
    n_classes: u32,
) -> anyhow::Result<(ClassificationDataset, ClassificationDataset)> {
    let all = Matrix::of_classes(n_rows + n_rows / 4, n_features, n_classes);
    let (train, test) = all.split_at(n_rows);
    samples.write(name, &train)?;
    samples.write(&format!("{name}_test"), &test)?;
    Ok((classes(&train)?, classes(&test)?))
}

impl Data {
    pub(crate) fn draw(sizes: Sizes) -> anyhow::Result<Self> {
        let samples = Samples::new()?;
        let csv = samples.write_table(sizes.table)?;
        let words = samples.write_words(sizes.table)?;
        let line = Matrix::of_line(sizes.table, 10);
        samples.write("regression", &line)?;
        let heaps = Matrix::of_heaps(sizes.rows100k, 10);
        samples.write("clusters", &heaps)?;
        let points = Matrix::of_heaps(sizes.rows20k, 2);
        samples.write("points", &points)?;
        let classes20 = with_test(&samples, "classes20", sizes.rows100k, 20, 3)?;
        let columns = classes20.0.records().values();
        let columns = names(20).into_iter().zip(columns.columns());
        let wide = Table::new(columns.map(|(name, column)| (name, column.to_vec().into())))?;
        let options = CsvOptions::default();

        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/data/breast_cancer.csv"
        );
        let cancer = read_csv(Path::new(file), &options)?;
        let features: Vec<String> = cancer.column_names().to_vec();
        let features = features.into_iter().filter(|name| name != "diagnosis");
        let features: Vec<String> = features.collect();
        let cancer = orch_ml::to_classification_dataset(&cancer, &features, "diagnosis")?;
        samples.write(
            "cancer",
            &Matrix {
                x: cancer.records().values().clone(),
                y: cancer
                    .targets()
                    .iter()
                    .map(|class| f64::from(*class))
                    .collect(),
            },
        )?;
        // One row of each heap: both sides start from the same.
        let starts = Array2::from_shape_fn((8, 10), |(heap, column)| {
            let row = heaps.y.iter().position(|of| *of == heap as f64);
            heaps.x[(row.expect("each heap has rows"), column)]
        });
        samples.write(
            "starts",
            &Matrix {
                x: starts.clone(),
                y: (0..8).map(f64::from).collect(),
            },
        )?;
        Ok(Self {
            table: read_csv(&csv, &options)?,
            words: read_csv(&words, &options)?,
            regression: Dataset::new(line.x, line.y, names(10), "y")?,
            classes10: with_test(&samples, "classes10", sizes.rows20k, 10, 2)?,
            heaps: records(&heaps)?,
            points: records(&points)?,
            cancer: Train::all(cancer),
            starts,
            classes20,
            wide,
            csv,
            samples,
        })
    }
}
