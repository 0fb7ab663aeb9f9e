//! Parts of dates against pandas.

use orch_ml::{Column, DatePart, DateParts, MlError, Table};
use serde_json::Value as Json;

use crate::reference::{column, names, numbers, reference};

fn check_dates(cells: Column, expected: &Json) {
    let table = Table::new([("at", cells)]).unwrap();
    let dates = DateParts::fit(&table, &["at"], &DatePart::ALL).unwrap();
    let parts = dates.apply(&table).unwrap();
    let names = ["at_year", "at_month", "at_day", "at_weekday", "at_hour"];
    assert_eq!(parts.column_names(), names);
    for (row_idx, expected) in expected.as_array().unwrap().iter().enumerate() {
        let found = names.map(|name| column(&parts, name)[row_idx].unwrap());
        assert_eq!(found.to_vec(), numbers(expected), "row {row_idx}");
    }
}

#[test]
fn parts_of_dates_are_those_of_pandas() {
    let expected = reference("dates");
    check_dates(names(&expected["texts"]).into(), &expected["of_texts"]);
    let seconds = numbers(&expected["seconds"]);
    let whole: Vec<i64> = seconds.iter().map(|seconds| *seconds as i64).collect();
    check_dates(whole.into(), &expected["of_seconds"]);
    let with_half: Vec<f64> = seconds.iter().map(|seconds| seconds + 0.5).collect();
    check_dates(with_half.into(), &expected["of_seconds"]);
}

#[test]
fn every_day_of_800_years_is_that_of_pandas() {
    let expected = reference("days");
    let first = expected["first_second"].as_i64().unwrap();
    let n_days = expected["n"].as_i64().unwrap();
    let seconds: Vec<i64> = (0..n_days).map(|day| first + day * 86_400).collect();
    let table = Table::new([("day", Column::from(seconds))]).unwrap();
    let dates = DateParts::fit(&table, &["day"], &DatePart::ALL[..4]).unwrap();
    let parts = dates.apply(&table).unwrap();
    for (position, name) in dates.feature_names_out().iter().enumerate() {
        let values: Vec<f64> = column(&parts, name).into_iter().flatten().collect();
        let sum: f64 = values.iter().sum();
        // These are whole numbers below 2^53.
        assert_eq!(sum, expected["sums"][position].as_f64().unwrap(), "{name}");
        let weighted: f64 = values
            .iter()
            .zip(1..)
            .map(|(value, row)| value * f64::from(row))
            .sum();
        assert_eq!(
            weighted,
            expected["weighted"][position].as_f64().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn what_is_no_date_is_named_with_row_and_column_and_gaps_stay() {
    let parts = [DatePart::Day];
    let table = Table::new([
        ("text", vec![Some("2024-05-06"), None, Some("6 May")].into()),
        ("number", vec![Some(0i64), None, Some(i64::MAX)].into()),
        ("flag", Column::from(vec![true, false, true])),
    ])
    .unwrap();
    let error = |name: &str| {
        DateParts::fit(&table, &[name], &parts)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("text"),
        "column `text` of the table is `6 May` at row 2, expected a date such as `2024-02-29` or \
         `2024-02-29T18:30:00Z`, in the years 0 to 9999"
    );
    assert!(error("number").contains("`9223372036854775807` at row 2"));
    assert!(error("flag").contains("is boolean, expected timestamps, dates as text"));
    let some = table.head(2);
    let dates = DateParts::fit(&some, &["text", "number"], &parts).unwrap();
    let found = dates.apply(&some).unwrap();
    assert_eq!(column(&found, "text_day"), [Some(6.0), None]);
    assert_eq!(column(&found, "number_day"), [Some(1.0), None]);
    for parts in [&[][..], &[DatePart::Day, DatePart::Day][..]] {
        let error = DateParts::fit(&some, &["text"], parts).unwrap_err();
        assert!(matches!(
            error,
            MlError::InvalidOption { name: "parts", .. }
        ));
    }
}
