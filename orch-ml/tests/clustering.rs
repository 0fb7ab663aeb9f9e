//! k-means and DBSCAN against scikit-learn (`tests/reference/clusters.py`).

mod support;

use orch_ml::ndarray::{Array2, Axis, array};
use orch_ml::{
    DbscanClusters, DbscanOptions, KMeansInit, KMeansModel, KMeansOptions, MlError, Records, Split,
    fit_dbscan, fit_kmeans, train_test_split,
};
use serde_json::Value;
use support::{
    breast_cancer, check_all_close, check_close, flat, iris, penguins, reference, reread,
    standardized, wine,
};

fn data_sets() -> Vec<(&'static str, Records)> {
    vec![
        ("iris", iris().records().clone()),
        ("wine", standardized(wine().records())),
        ("penguins", standardized(penguins().records())),
        ("breast_cancer", standardized(breast_cancer().records())),
    ]
}

fn cases<'a>(reference: &'a Value, name: &str, kind: &str) -> impl Iterator<Item = &'a Value> {
    reference[name][kind].as_array().unwrap().iter()
}

fn whole<T: TryFrom<i64>>(value: &Value) -> Vec<T>
where
    T::Error: std::fmt::Debug,
{
    let whole = |value: &Value| value.as_i64().unwrap().try_into().unwrap();
    value.as_array().unwrap().iter().map(whole).collect()
}

#[test]
fn k_means_from_given_centroids_goes_the_way_of_scikit_learn() {
    let reference = reference("clusters");
    for (name, records) in data_sets() {
        for case in cases(&reference, name, "from_rows") {
            let rows: Vec<usize> = whole(&case["rows"]);
            let mut options: KMeansOptions =
                serde_json::from_value(case["options"].clone()).unwrap();
            let centroids = records.values().select(Axis(0), &rows);
            options.init = KMeansInit::Centroids(centroids);
            let model = fit_kmeans(&records, &options).unwrap();
            assert_eq!(
                model.labels(),
                whole::<u32>(&case["labels"]),
                "{name} {rows:?}"
            );
            assert_eq!(model.n_iter() as u64, case["n_iter"].as_u64().unwrap());
            let centroids = model.centroids().as_slice().unwrap();
            check_all_close(centroids, &flat(&case["centroids"]), 1e-9);
            check_close(model.inertia(), case["inertia"].as_f64().unwrap(), 1e-9);

            let some: Vec<usize> = (0..records.n_rows()).step_by(7).collect();
            let moved = records.values().select(Axis(0), &some) + 0.1;
            let moved = Records::new(moved, records.feature_names().to_vec()).unwrap();
            let predictions = model.predict(&moved).unwrap();
            assert_eq!(predictions, whole::<u32>(&case["predictions"]));
        }
    }
}

#[test]
fn the_best_of_many_starts_is_the_best_of_scikit_learn() {
    let reference = reference("clusters");
    for (name, records) in data_sets() {
        let options = KMeansOptions {
            n_clusters: 3,
            n_init: 50,
            tol: 0.0,
            ..KMeansOptions::default()
        };
        let model = fit_kmeans(&records, &options).unwrap();
        assert!(model.is_converged());
        let expected = reference[name]["best_of_3"].as_f64().unwrap();
        check_close(model.inertia(), expected, 1e-9);
        let sizes = model.cluster_sizes();
        assert_eq!(sizes.iter().sum::<usize>(), records.n_rows());
        assert_eq!(model.predict(&records).unwrap(), model.labels());
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let records = Array2::from_shape_fn((20_000, 3), |(row, column)| {
        ((row * 7919 + column * 104_729) % 10_007) as f64 / 1e4
    });
    let records = Records::new(records, ["a", "b", "c"]).unwrap();
    let fit = || fit_kmeans(&records, &KMeansOptions::default()).unwrap();
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let model = fit();
    assert_eq!(one.install(fit), model);
    let another = KMeansOptions {
        seed: 1,
        ..KMeansOptions::default()
    };
    assert_ne!(fit_kmeans(&records, &another).unwrap(), model);
}

#[test]
fn more_clusters_than_distinct_rows_leave_some_empty() {
    let records = Records::new(array![[1.0], [1.0], [2.0], [2.0]], ["x"]).unwrap();
    let options = KMeansOptions {
        n_clusters: 4,
        ..KMeansOptions::default()
    };
    let model = fit_kmeans(&records, &options).unwrap();
    assert_eq!(model.inertia(), 0.0);
    let mut sizes = model.cluster_sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 0, 2, 2]);
}

#[test]
fn as_many_clusters_as_rows_put_each_row_on_its_centroid() {
    let records = Records::new(array![[1.0], [4.0], [2.0], [8.0]], ["x"]).unwrap();
    let options = KMeansOptions {
        n_clusters: 4,
        ..KMeansOptions::default()
    };
    let model = fit_kmeans(&records, &options).unwrap();
    assert_eq!((model.inertia(), model.cluster_sizes()), (0.0, vec![1; 4]));
}

#[test]
fn k_means_refuses_what_it_cannot_work_with() {
    let records = Records::new(array![[1.0, 2.0], [3.0, f64::NAN]], ["a", "b"]).unwrap();
    let message = |change: fn(&mut KMeansOptions)| {
        let mut options = KMeansOptions {
            n_clusters: 2,
            ..KMeansOptions::default()
        };
        change(&mut options);
        fit_kmeans(&records, &options).unwrap_err().to_string()
    };
    let at_least = |name: &str| format!("`{name}` is 0, expected at least 1");
    assert_eq!(
        message(|options| options.n_clusters = 0),
        at_least("n_clusters")
    );
    assert_eq!(message(|options| options.n_init = 0), at_least("n_init"));
    assert_eq!(
        message(|options| options.max_iter = 0),
        at_least("max_iter")
    );
    assert_eq!(
        message(|options| options.tol = -1.0),
        "`tol` is -1, expected a finite number of at least 0"
    );
    assert_eq!(
        message(|_| ()),
        "column `b` is NaN at row 1, expected a finite number"
    );
    let records = Records::new(array![[1.0, 2.0], [3.0, 4.0]], ["a", "b"]).unwrap();
    let message = |n_clusters, init| {
        let options = KMeansOptions {
            n_clusters,
            init,
            ..KMeansOptions::default()
        };
        fit_kmeans(&records, &options).unwrap_err().to_string()
    };
    assert_eq!(
        message(3, KMeansInit::PlusPlus),
        "`n_clusters` is 3, expected at most the number of rows"
    );
    assert_eq!(
        message(2, KMeansInit::Centroids(array![[1.0, 2.0]])),
        "`n_clusters` is 2, expected the number of centroids to start from"
    );
    assert_eq!(
        message(1, KMeansInit::Centroids(array![[1.0]])),
        "a centroid has length 1, expected 2"
    );
    assert_eq!(
        message(1, KMeansInit::Centroids(array![[1.0, f64::NAN]])),
        "`init` is not finite, expected finite centroids"
    );
    let empty = Records::new(Array2::zeros((0, 1)), ["a"]).unwrap();
    assert!(matches!(
        fit_kmeans(&empty, &KMeansOptions::default()),
        Err(MlError::NoRows { .. })
    ));
}

#[test]
fn clusters_know_their_rows_and_survive_a_file() {
    let (train, test) = train_test_split(&iris(), &Split::stratified(0.3).seed(3)).unwrap();
    let records = train
        .try_map(|dataset| Ok(dataset.records().clone()))
        .unwrap();
    let options = KMeansOptions {
        n_clusters: 3,
        ..KMeansOptions::default()
    };
    let model = fit_kmeans(&records, &options).unwrap();
    assert_eq!(model.trained_on(), Some(train.origin()));
    assert_eq!(model.predict(test.records()).unwrap().len(), 45);
    assert_eq!(KMeansModel::try_from(reread(model.clone())).unwrap(), model);

    let mut json = serde_json::to_value(&model).unwrap();
    json["labels"][4] = 3.into();
    assert_eq!(
        serde_json::from_value::<KMeansModel>(json)
            .unwrap_err()
            .to_string(),
        "cluster 3 at row 4 is out of range, expected less than 3"
    );
}

#[test]
fn dbscan_gives_the_labels_of_scikit_learn() {
    let reference = reference("clusters");
    for (name, records) in data_sets() {
        for case in cases(&reference, name, "dbscan") {
            let options: DbscanOptions = serde_json::from_value(case["options"].clone()).unwrap();
            let clusters = fit_dbscan(&records, &options).unwrap();
            let label = |label: &Option<u32>| label.map_or(-1, i64::from);
            let labels: Vec<i64> = clusters.labels().iter().map(label).collect();
            let expected: Vec<i64> = whole(&case["labels"]);
            assert_eq!(labels, expected, "{name} {options:?}");
            assert_eq!(clusters.core_rows(), whole::<usize>(&case["core_rows"]));
            let greatest = expected.iter().max().unwrap();
            assert_eq!(clusters.n_clusters() as i64, greatest + 1);
            let noise = expected.iter().filter(|label| **label == -1).count();
            assert_eq!(clusters.n_noise(), noise);
        }
    }
}

#[test]
fn a_row_between_two_clusters_is_in_the_first() {
    // sklearn 1.9.1: DBSCAN(eps=1, min_samples=4) on these gives 0 0 0 1 1 1 0, and from right to
    // left 0 0 0 0 1 1 1; the row at 10 has three neighbours, itself included.
    let values = [8.0, 8.5, 9.0, 11.0, 11.5, 12.0, 10.0];
    let backwards = [10.0, 12.0, 11.5, 11.0, 9.0, 8.5, 8.0];
    let options = DbscanOptions {
        eps: 1.0,
        min_samples: 4,
    };
    for (values, expected) in [
        (values, [0, 0, 0, 1, 1, 1, 0]),
        (backwards, [0, 0, 0, 0, 1, 1, 1]),
    ] {
        let values = Array2::from_shape_vec((7, 1), values.to_vec()).unwrap();
        let records = Records::new(values, ["x"]).unwrap();
        let clusters = fit_dbscan(&records, &options).unwrap();
        assert_eq!(clusters.labels(), expected.map(Some));
    }
}

#[test]
fn dbscan_refuses_what_it_cannot_work_with() {
    let records = Records::new(array![[1.0], [f64::INFINITY]], ["a"]).unwrap();
    let message = |eps, min_samples| {
        let options = DbscanOptions { eps, min_samples };
        fit_dbscan(&records, &options).unwrap_err().to_string()
    };
    assert_eq!(
        message(0.0, 5),
        "`eps` is 0, expected a finite number above 0"
    );
    assert_eq!(message(1.0, 0), "`min_samples` is 0, expected at least 1");
    assert_eq!(
        message(1.0, 5),
        "column `a` is inf at row 1, expected a finite number"
    );
    let json = serde_json::to_string(&DbscanOptions::default()).unwrap();
    assert_eq!(json, r#"{"eps":0.5,"min_samples":5}"#);
    let one = Records::new(array![[1.0]], ["a"]).unwrap();
    let clusters: DbscanClusters = fit_dbscan(&one, &DbscanOptions::default()).unwrap();
    assert_eq!(clusters.labels(), [None]);
}
