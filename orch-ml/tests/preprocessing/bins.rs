//! Bins against scikit-learn.

use orch_ml::{BinStrategy, Column, KBinsDiscretizer, MlError, Table, Value};
use proptest::prelude::*;

use crate::reference::{check_all_close, check_close, column, data, names, numbers, reference};

#[test]
fn bins_are_those_of_scikit_learn() {
    let iris = data("iris");
    let penguins = data("penguins")
        .drop_missing_in(&["flipper_length_mm"])
        .unwrap();
    let cases = reference("bins");
    assert_eq!(cases.as_array().unwrap().len(), 36);
    for case in cases.as_array().unwrap() {
        let table = if case["table"] == "iris" {
            &iris
        } else {
            &penguins
        };
        let strategy = match case["strategy"].as_str().unwrap() {
            "quantile" => BinStrategy::Quantile,
            _ => BinStrategy::Uniform,
        };
        let n_bins = case["n_bins"].as_u64().unwrap() as usize;
        let columns = names(&case["columns"]);
        let bins = KBinsDiscretizer::fit(table, &columns, n_bins, strategy).unwrap();
        let binned = bins.apply(table).unwrap();
        for (position, learned) in bins.columns().iter().enumerate() {
            let what = format!("{} in {n_bins} {strategy:?} bins", learned.name);
            check_all_close(&learned.edges, &numbers(&case["edges"][position]), &what);
            let sum: f64 = column(&binned, &learned.name).into_iter().flatten().sum();
            check_close(sum, case["sums"][position].as_f64().unwrap(), &what);
        }
    }
}

#[test]
fn a_constant_column_is_one_bin_and_gaps_are_refused() {
    let table = Table::new([
        ("constant", vec![2.0, 2.0, 2.0].into()),
        ("gap", Column::from(vec![1.0, f64::NAN, 3.0])),
    ])
    .unwrap();
    let fit =
        |name: &str, n_bins| KBinsDiscretizer::fit(&table, &[name], n_bins, BinStrategy::Quantile);
    let bins = fit("constant", 3).unwrap();
    assert_eq!(bins.columns()[0].n_bins(), 1);
    let other = Table::new([("constant", Column::from(vec![-5.0, 2.0, 9.0]))]).unwrap();
    assert_eq!(
        bins.apply(&other).unwrap().column("constant").unwrap(),
        &vec![0i64; 3].into()
    );
    assert_eq!(
        fit("gap", 3).unwrap_err().to_string(),
        "column `gap` of the table has a missing value at row 1"
    );
    assert!(matches!(
        fit("constant", 1),
        Err(MlError::InvalidOption { name: "n_bins", .. })
    ));
}

proptest! {
    #[test]
    fn a_bin_has_what_lies_between_its_edges(
        cells in prop::collection::vec(-50i64..50, 2..60),
        n_bins in 2usize..8,
    ) {
        let table = Table::new([("x", Column::from(cells.clone()))]).unwrap();
        for strategy in [BinStrategy::Quantile, BinStrategy::Uniform] {
            let bins = KBinsDiscretizer::fit(&table, &["x"], n_bins, strategy).unwrap();
            let learned = &bins.columns()[0];
            prop_assert!(learned.n_bins() <= n_bins);
            let binned = bins.apply(&table).unwrap();
            for (row_idx, cell) in cells.iter().enumerate() {
                let Value::Integer(bin) = binned.column("x").unwrap().value(row_idx) else {
                    panic!("a bin is an integer");
                };
                let (bin, cell) = (bin as usize, *cell as f64);
                prop_assert!(bin < learned.n_bins());
                prop_assert!(bin == 0 || learned.edges[bin] <= cell);
                prop_assert!(bin + 1 == learned.n_bins() || cell < learned.edges[bin + 1]);
            }
        }
    }
}
