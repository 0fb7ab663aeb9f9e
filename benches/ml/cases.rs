//! The cases: what is called here, and what it comes to.

use std::hint::black_box;
use std::time::{Duration, Instant};

use orch_ml::{
    ClassificationDataset, ClassificationScoring, Components, CrossValidation, CsvOptions,
    DbscanOptions, ForestOptions, KMeansInit, KMeansOptions, LogisticOptions, MaxFeatures,
    OneHotEncoder, OneHotOptions, Pca, PcaOptions, Space, Split, Train, TreeOptions, Value,
    drop_missing, fit_dbscan, fit_forest_classifier, fit_kmeans, fit_linear, fit_logistic,
    fit_tree_classifier, read_csv, search_classifier, train_test_split,
};

use crate::data::{Data, Sizes, names};

/// What a case took, and what it came to.
pub(crate) type Done = (Duration, f64);

pub(crate) fn time<R>(run: impl FnOnce() -> R, check: impl FnOnce(&R) -> f64) -> Done {
    let start = Instant::now();
    let result = black_box(run());
    (start.elapsed(), check(&result))
}

/// One case.
pub(crate) struct Case<'a> {
    pub(crate) name: &'static str,
    pub(crate) n: u64,
    /// To warm up, and to count.
    pub(crate) rounds: (usize, usize),
    pub(crate) budget: &'static str,
    /// Its name in the script.
    pub(crate) python: &'static str,
    /// How far apart what both sides come to may be, relative to it.
    pub(crate) tolerance: f64,
    pub(crate) ours: Box<dyn FnMut() -> Done + 'a>,
}

/// All cases.
pub(crate) fn cases<'a>(data: &'a Data, sizes: Sizes) -> Vec<Case<'a>> {
    let train = |data: &ClassificationDataset| Train::all(data.clone());
    let (train10, train20) = (train(&data.classes10.0), train(&data.classes20.0));
    let line = Train::all(data.regression.clone());
    let (n, n20k, n100k) = (sizes.table, sizes.rows20k, sizes.rows100k);
    let mut all: Vec<Case<'a>> = Vec::new();
    let mut add =
        |name, n, rounds, budget, python, tolerance, ours: Box<dyn FnMut() -> Done + 'a>| {
            all.push(Case {
                name,
                n,
                rounds,
                budget,
                python,
                tolerance,
                ours,
            });
        };
    let (quick, slow) = ((1, 9), (0, 3));

    for (name, python) in [
        ("read CSV, pandas", "read_csv_pandas"),
        ("read CSV, polars", "read_csv_polars"),
    ] {
        add(
            name,
            n,
            quick,
            "<= 1.0",
            python,
            0.0,
            Box::new(|| {
                let read = || read_csv(&data.csv, &CsvOptions::default()).expect("it is there");
                time(read, |table| table.n_rows() as f64)
            }),
        );
    }
    for (name, python) in [
        ("drop missing, pandas", "drop_missing_pandas"),
        ("drop missing, polars", "drop_missing_polars"),
    ] {
        add(
            name,
            n,
            quick,
            "<= 1.0",
            python,
            0.0,
            Box::new(|| {
                let drop = || drop_missing(&data.table).expect("rows are left");
                time(drop, |table| table.n_rows() as f64)
            }),
        );
    }
    for (name, python) in [
        ("describe, pandas", "describe_pandas"),
        ("describe, polars", "describe_polars"),
    ] {
        // polars takes the nearest value for a quantile.
        let tolerance = if python.ends_with("polars") {
            1e-3
        } else {
            1e-9
        };
        add(
            name,
            n,
            (1, 5),
            "",
            python,
            tolerance,
            Box::new(|| {
                time(
                    || data.table.describe(),
                    |summary| {
                        let column = summary.column("c0").expect("it is there");
                        number(column.value(5)) // the median
                    },
                )
            }),
        );
    }
    add(
        "one-hot, 20 words",
        n,
        (1, 5),
        "",
        "one_hot",
        0.0,
        Box::new(|| {
            let encode = || {
                let columns = ["word"];
                let encoder = OneHotEncoder::fit(&data.words, &columns, &OneHotOptions::default());
                encoder
                    .and_then(|encoder| encoder.apply(&data.words))
                    .expect("words")
            };
            time(encode, |table| {
                let (_, first) = table.columns().next().expect("twenty columns");
                (0..first.len()).map(|row| number(first.value(row))).sum()
            })
        }),
    );
    add(
        "split",
        n,
        (1, 5),
        "",
        "split",
        0.0,
        Box::new(|| {
            let split = Split::random(0.2).seed(42);
            let run = || train_test_split(&data.regression, &split).expect("rows enough");
            time(run, |(_, test)| test.n_rows() as f64)
        }),
    );
    add(
        "least squares",
        n,
        quick,
        "<= 0.7",
        "least_squares",
        1e-9,
        Box::new(move || {
            time(
                || fit_linear(&line).expect("full rank"),
                |model| model.coefficients()[0],
            )
        }),
    );
    let logistic = train20.clone();
    add(
        "logistic",
        n100k,
        (1, 5),
        "<= 1.0",
        "logistic",
        0.01,
        Box::new(move || {
            let options = LogisticOptions::default();
            let run = || fit_logistic(&logistic, &options).expect("several classes");
            time(run, |model| {
                let found = model
                    .predict(data.classes20.0.records())
                    .expect("as trained");
                share_right(found.codes(), &data.classes20.0)
            })
        }),
    );
    for (name, n, python, train, test) in [
        (
            "tree, fit, 20k x 10",
            n20k,
            "tree_20k",
            &train10,
            &data.classes10.1,
        ),
        (
            "tree, fit, 100k x 20",
            n100k,
            "tree_100k",
            &train20,
            &data.classes20.1,
        ),
    ] {
        let train = train.clone();
        add(
            name,
            n,
            slow,
            "",
            python,
            0.02,
            Box::new(move || {
                let run = || fit_tree_classifier(&train, &TreeOptions::default()).expect("rows");
                time(run, |tree| {
                    let found = tree.predict(test.records()).expect("as trained");
                    share_right(found.codes(), test)
                })
            }),
        );
    }
    for (name, n, python, train, test) in [
        (
            "forest, fit, 20k x 10",
            n20k,
            "forest_fit_20k",
            &train10,
            &data.classes10.1,
        ),
        (
            "forest, fit, 100k x 20",
            n100k,
            "forest_fit_100k",
            &train20,
            &data.classes20.1,
        ),
    ] {
        let train = train.clone();
        add(
            name,
            n,
            slow,
            "<= 0.33",
            python,
            0.005,
            Box::new(move || {
                let run = || fit_forest_classifier(&train, &forest()).expect("rows");
                time(run, |forest| {
                    let found = forest.predict(test.records()).expect("as trained");
                    share_right(found.codes(), test)
                })
            }),
        );
    }
    for (name, python, train, test) in [
        (
            "forest, predict, 20k x 10",
            "forest_predict_20k",
            &train10,
            &data.classes10.1,
        ),
        (
            "forest, predict, 100k x 20",
            "forest_predict_100k",
            &train20,
            &data.classes20.1,
        ),
    ] {
        let train = train.clone();
        let mut fitted = None;
        let n = test.records().n_rows() as u64;
        add(
            name,
            n,
            (1, 5),
            "<= 1.0",
            python,
            0.005,
            Box::new(move || {
                let forest = fitted
                    .get_or_insert_with(|| fit_forest_classifier(&train, &forest()).expect("rows"));
                let run = || forest.predict(test.records()).expect("as trained");
                time(run, |found| share_right(found.codes(), test))
            }),
        );
    }
    add(
        "k-means",
        n100k,
        (1, 5),
        "<= 1.0",
        "kmeans",
        1e-6,
        Box::new(|| {
            let options = KMeansOptions {
                init: KMeansInit::Centroids(data.starts.clone()),
                ..KMeansOptions::default()
            };
            let run = || fit_kmeans(&data.heaps, &options).expect("eight heaps");
            time(run, |model| model.inertia())
        }),
    );
    add(
        "PCA, 5 of 20",
        n100k,
        (1, 5),
        "",
        "pca",
        1e-6,
        Box::new(|| {
            let options = PcaOptions {
                components: Components::Count(5),
                ..PcaOptions::default()
            };
            let run = || Pca::fit(&data.wide, &names(20), &options).expect("rows");
            time(run, |pca| pca.explained_variance()[0])
        }),
    );
    add(
        "DBSCAN, 2 columns",
        n20k,
        slow,
        "",
        "dbscan",
        0.0,
        Box::new(|| {
            let options = DbscanOptions {
                eps: 0.3,
                min_samples: 5,
            };
            let run = || fit_dbscan(&data.points, &options).expect("rows");
            time(run, |clusters| clusters.n_noise() as f64)
        }),
    );
    add(
        "search, 200 trials",
        200,
        (0, 1),
        "",
        "search",
        0.02,
        Box::new(|| {
            let run = || {
                let candidates = Space::new()
                    .values("max_depth", [2, 4, 6, 8, 12])
                    .values("min_samples_leaf", [1, 2, 4, 8])
                    .values(
                        "max_features",
                        [2, 4, 6, 8, 12, 16, 20, 24, 28, 30].map(MaxFeatures::Count),
                    )
                    .grid(&ForestOptions {
                        n_trees: 20,
                        ..forest()
                    })
                    .expect("200 candidates");
                let folds = CrossValidation::Stratified {
                    n_splits: 3,
                    seed: Some(0),
                };
                let scoring = ClassificationScoring::Accuracy;
                search_classifier(
                    &data.cancer,
                    candidates,
                    &folds,
                    scoring,
                    fit_forest_classifier,
                )
                .expect("rows enough")
            };
            time(run, |report| report.best().mean())
        }),
    );
    all
}

pub(crate) fn number(value: Value<'_>) -> f64 {
    match value {
        Value::Float(number) => number,
        Value::Integer(number) => number as f64,
        Value::Boolean(flag) => f64::from(u8::from(flag)),
        _ => f64::NAN,
    }
}

pub(crate) fn forest() -> ForestOptions {
    ForestOptions {
        n_trees: 100,
        seed: 42,
        ..ForestOptions::default()
    }
}

pub(crate) fn share_right(found: &[u32], test: &ClassificationDataset) -> f64 {
    let pairs = found.iter().zip(test.targets());
    let right = pairs.filter(|(found, expected)| found == expected).count();
    right as f64 / found.len() as f64
}
