//! Columns of timestamps: read, printed, sorted, joined, described and split, against pandas.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use orch_ml::{
    Aggregate, Check, Column, CsvOptions, DatePart, DateParts, FillValue, ImputeStrategy, Join,
    JsonLinesOptions, Keep, MlError, Order, Rule, Split, Table, Timestamp, TimestampColumns, Value,
    check_table, drop_duplicates, impute, parse_csv, parse_json_lines, parse_json_lines_with,
    to_dataset, train_test_split,
};
use serde::Deserialize;

/// What `reference/timestamps.py` printed.
#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    microseconds: Vec<i64>,
    text: Vec<String>,
    describe: Vec<Option<String>>,
    describe_far: Vec<Option<String>>,
    printed: Vec<(Vec<String>, Vec<String>)>,
    grouped: BTreeMap<String, Vec<String>>,
    sorted: Vec<usize>,
    weekday: Vec<i64>,
    year: Vec<i64>,
    hour: Vec<i64>,
}

fn reference() -> Reference {
    serde_json::from_value(support::reference("timestamps")).unwrap()
}

fn moments(texts: &[String]) -> Table {
    let table = Table::new([("t", texts.to_vec().into())]).unwrap();
    table.parse_timestamps(&["t"]).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn texts(table: &Table, column: &str) -> Vec<Option<String>> {
    let column = table.column(column).unwrap();
    let text = |row_idx| match column.value(row_idx) {
        Value::Missing => None,
        value => Some(value.to_string()),
    };
    (0..column.len()).map(text).collect()
}

/// Moments that differ by at most a microsecond: pandas sums moments as floats, which are that far
/// apart in the years of four digits, and cuts off what is left.
fn assert_moments(found: &[Option<String>], expected: &[Option<String>]) {
    assert_eq!(found.len(), expected.len());
    for pair in found.iter().zip(expected) {
        let is_near = match pair {
            (Some(found), Some(expected)) if found != expected => {
                let moment = |text| at(text).as_microseconds();
                moment(found).abs_diff(moment(expected)) <= 1
            }
            (found, expected) => found == expected,
        };
        assert!(is_near, "{pair:?}");
    }
}

fn csv(text: &str, timestamps: TimestampColumns) -> Result<Table, MlError> {
    let options = CsvOptions {
        timestamps,
        ..CsvOptions::default()
    };
    parse_csv(text.as_bytes(), &options)
}

fn named(columns: &[&str]) -> TimestampColumns {
    TimestampColumns::Named(columns.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn texts_are_the_moments_that_pandas_reads_and_prints() {
    let reference = reference();
    for ((text, microseconds), printed) in reference
        .texts
        .iter()
        .zip(&reference.microseconds)
        .zip(&reference.text)
    {
        let timestamp = at(text);
        assert_eq!(timestamp.as_microseconds(), *microseconds, "{text}");
        assert_eq!(timestamp.to_string(), *printed, "{text}");
        assert_eq!(at(printed), timestamp, "{text}");
    }
    for wrong in [
        "2024-06-30T23:59:60Z",
        "2024-02-30",
        "12:00",
        "1709231400",
        "",
    ] {
        assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
    }
    assert_eq!(
        at("2024-01-01 00:00:00.0000019"),
        at("2024-01-01 00:00:00.000001")
    );
}

#[test]
fn a_column_prints_with_the_decimals_that_its_rows_need() {
    for (texts, printed) in reference().printed {
        let shown = moments(&texts).to_string();
        let cells: Vec<&str> = shown
            .lines()
            .skip(2)
            .take(texts.len())
            .map(str::trim)
            .collect();
        let expected: Vec<&str> = printed.iter().map(|line| line.trim()).collect();
        assert_eq!(cells, expected);
    }
}

#[test]
fn timestamps_are_described_as_pandas_describes_them() {
    let reference = reference();
    let near = moments(&reference.texts[..4]).describe();
    assert_moments(&texts(&near, "t"), &reference.describe);
    let far = moments(&reference.texts).describe();
    assert_moments(&texts(&far, "t"), &reference.describe_far);
    assert!(moments(&[]).describe().column("t").unwrap().n_missing() == 7);
}

#[test]
fn rows_are_sorted_and_grouped_by_and_over_timestamps() {
    let reference = reference();
    let table = moments(&reference.texts);
    let sorted = table.sort_by(&[("t", Order::Ascending)]).unwrap();
    assert_eq!(sorted, table.take_rows(&reference.sorted).unwrap());

    let groups: Column = vec![1i64, 1, 1, 2, 2, 2, 3, 3, 3].into();
    let column = table.column("t").unwrap().clone();
    let table = Table::new([("t", column), ("g", groups)]).unwrap();
    for (name, aggregate) in [
        ("first", Aggregate::First),
        ("min", Aggregate::Min),
        ("max", Aggregate::Max),
        ("mean", Aggregate::Mean),
        ("median", Aggregate::Median),
    ] {
        let made = table.group_by(&["g"], &[("t", aggregate)]).unwrap();
        let expected: Vec<_> = reference.grouped[name].iter().cloned().map(Some).collect();
        assert_moments(&texts(&made, &format!("t_{name}")), &expected);
    }
    let by_time = table.group_by(&["t"], &[("g", Aggregate::Count)]).unwrap();
    assert_eq!(by_time.n_rows(), 9);
    let error = table
        .group_by(&["g"], &[("t", Aggregate::Sum)])
        .unwrap_err();
    assert!(matches!(error, MlError::WrongColumnType { .. }), "{error}");
}

#[test]
fn parts_are_taken_of_timestamps_in_utc() {
    let reference = reference();
    let table = moments(&reference.texts);
    let parts = [DatePart::Year, DatePart::Weekday, DatePart::Hour];
    let made = DateParts::fit(&table, &["t"], &parts)
        .unwrap()
        .apply(&table)
        .unwrap();
    let expected = Table::new([
        ("t_year", reference.year.into()),
        ("t_weekday", reference.weekday.into()),
        ("t_hour", reference.hour.into()),
    ]);
    assert_eq!(made, expected.unwrap());
}

#[test]
fn dates_in_a_csv_file_stay_text_unless_asked_for() {
    let text = "day,seen,n\n2024-01-02,2024-01-02T03:04:05Z,1\n,x,2\n2024-01-03,,3\n";
    let types = |table: &Table| -> Vec<&str> {
        table
            .columns()
            .map(|(_, column)| column.type_name())
            .collect()
    };
    let plain = csv(text, TimestampColumns::Never).unwrap();
    assert_eq!(types(&plain), ["text", "text", "integer"]);
    // One word makes the second column text.
    let inferred = csv(text, TimestampColumns::Inferred).unwrap();
    assert_eq!(types(&inferred), ["timestamp", "text", "integer"]);
    assert_eq!(inferred.column("day").unwrap().n_missing(), 1);
    assert_eq!(csv(text, named(&["day"])).unwrap(), inferred);
    assert_eq!(plain.parse_timestamps(&["day"]).unwrap(), inferred);

    let quoted = "day\n\"2024-01-02\"\n 2024-01-03 \n";
    let expected = Table::new([("day", vec![at("2024-01-02"), at("2024-01-03")].into())]);
    assert_eq!(
        csv(quoted, TimestampColumns::Inferred).unwrap(),
        expected.unwrap()
    );
    assert_eq!(
        types(&csv("day\n\"\"\n", named(&["day"])).unwrap()),
        ["timestamp"]
    );
    assert_eq!(
        types(&csv("day\n", named(&["day"])).unwrap()),
        ["timestamp"]
    );
}

#[test]
fn a_wrong_guess_far_into_a_file_costs_no_value() {
    let mut text = "day\n".to_owned();
    for _ in 0..100_000 {
        text.push_str("2024-01-02\n");
    }
    let dates = csv(&text, TimestampColumns::Inferred).unwrap();
    let last = dates.column("day").unwrap().value(99_999);
    assert_eq!(last, Value::Timestamp(at("2024-01-02")));
    let middle = text.len() / 2 / 11 * 11 + 4;
    text.insert_str(middle, "soon\n");
    let words = csv(&text, TimestampColumns::Inferred).unwrap();
    assert_eq!(words.column("day").unwrap().type_name(), "text");
    assert_eq!(words, csv(&text, TimestampColumns::Never).unwrap());
}

#[test]
fn a_cell_that_is_no_timestamp_is_named_with_its_line() {
    let error = csv("n,day\n1,2024-01-02\n\n2,2024-01-32\n", named(&["day"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table line 4, column `day`: `2024-01-32` is no date or time such as `2024-02-29` or \
         `2024-02-29T18:30:00Z`"
    );
    let error = csv("n\n1\n", named(&["day"])).unwrap_err();
    assert!(matches!(error, MlError::UnknownColumn { .. }), "{error}");

    let named = JsonLinesOptions {
        timestamps: named(&["day"]),
    };
    let error = parse_json_lines_with(b"{\"day\":\"2024-01-02\"}\n{\"day\":\"x\"}", &named);
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("the table line 2, column `day`: `x`"),
        "{error}"
    );
    let error = parse_json_lines_with(b"{\"day\":5}", &named).unwrap_err();
    assert!(matches!(error, MlError::MixedTypes { .. }), "{error}");
    let error = parse_json_lines_with(b"{\"n\":5}", &named).unwrap_err();
    assert!(matches!(error, MlError::UnknownColumn { .. }), "{error}");
}

#[test]
fn dates_in_json_lines_are_timestamps_when_asked_for() {
    let text =
        b"{\"day\":\"2024-01-02\",\"n\":1}\n{\"n\":2}\n{\"day\":\"2024-01-03T04:05Z\",\"n\":3}\n";
    assert_eq!(
        parse_json_lines(text)
            .unwrap()
            .column("day")
            .unwrap()
            .type_name(),
        "text"
    );
    let days = vec![Some(at("2024-01-02")), None, Some(at("2024-01-03T04:05"))];
    let expected = Table::new([("day", days.into()), ("n", vec![1i64, 2, 3].into())]).unwrap();
    for timestamps in [TimestampColumns::Inferred, named(&["day"])] {
        let options = JsonLinesOptions { timestamps };
        assert_eq!(parse_json_lines_with(text, &options).unwrap(), expected);
    }
}

#[test]
fn tables_are_filtered_joined_and_put_together_by_timestamps() {
    let (a, b) = (at("2024-01-01"), at("2024-01-02"));
    let left = Table::new([
        ("day", Column::from(vec![Some(b), None, Some(a)])),
        ("n", vec![1i64, 2, 3].into()),
    ])
    .unwrap();
    let right = Table::new([
        ("day", Column::from(vec![Some(a), None])),
        ("size", vec![5i64, 6].into()),
    ])
    .unwrap();
    let inner = left.join(&right, "day", Join::Inner).unwrap();
    assert_eq!(texts(&inner, "n"), [Some("3".to_owned())]);
    let outer = left.join(&right, "day", Join::Left).unwrap();
    assert_eq!(outer.column("size").unwrap().n_missing(), 2);

    let both = Table::concat(&[&left, &left]).unwrap();
    assert_eq!(
        both.filter(&[true, true, true, false, false, false])
            .unwrap(),
        left
    );
    assert_eq!(left.drop_missing().n_rows(), 2);
    assert_eq!(drop_duplicates(&both, Keep::First), left);
    let text = Table::new([("day", vec!["2024-01-01"].into()), ("n", vec![1i64].into())]).unwrap();
    let error = Table::concat(&[&left, &text]).unwrap_err();
    assert!(matches!(error, MlError::TypeMismatch { .. }), "{error}");
}

#[test]
fn gaps_are_filled_by_moments() {
    let table = Table::new([("day", Column::from(vec![Some(at("2024-01-01")), None]))]).unwrap();
    let fill = FillValue::from(at("2000-01-01"));
    let filled = impute(&table, &["day".to_owned()], ImputeStrategy::Constant(fill)).unwrap();
    assert_eq!(
        texts(&filled, "day")[1].as_deref(),
        Some("2000-01-01 00:00:00")
    );
    let filled = impute(&table, &["day".to_owned()], ImputeStrategy::MostFrequent).unwrap();
    assert_eq!(
        texts(&filled, "day")[1].as_deref(),
        Some("2024-01-01 00:00:00")
    );
    let error = impute(&table, &["day".to_owned()], ImputeStrategy::Mean).unwrap_err();
    assert!(matches!(error, MlError::WrongColumnType { .. }), "{error}");
}

#[test]
fn a_timestamp_is_no_feature_and_no_target() {
    let table = Table::new([
        ("day", vec![at("2024-01-01"), at("2024-01-02")].into()),
        ("n", vec![1i64, 2].into()),
    ])
    .unwrap();
    for (feature, target) in [("day", "n"), ("n", "day")] {
        let error = to_dataset(&table, &[feature.to_owned()], target).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("column `day` of the table is timestamp, expected numbers"),
            "{text}"
        );
    }
}

#[test]
fn a_split_by_timestamps_tests_with_the_latest() {
    let days = [
        "2024-01-03",
        "1969-12-31",
        "2024-01-01",
        "2024-01-02",
        "1969-12-30",
    ];
    let days: Vec<Timestamp> = days.into_iter().map(at).collect();
    let table = Table::new([("day", days.into()), ("n", vec![0i64, 1, 2, 3, 4].into())]).unwrap();
    let (train, test) = train_test_split(&table, &Split::time_ordered_by("day", 0.4)).unwrap();
    let rows = |table: &Table| table.to_vector("n").unwrap().to_vec();
    assert_eq!(rows(&train), [4.0, 1.0, 2.0]);
    assert_eq!(rows(&test), [3.0, 0.0]);
}

#[test]
fn periods_and_freshness_are_checked() {
    let days = vec![Some(at("2024-01-01")), None, Some(at("2024-01-05"))];
    let table = Table::new([("day", Column::from(days)), ("n", vec![1i64, 2, 3].into())]).unwrap();
    let report = |rule| check_table(&table, &[Check::warn(rule)]).map(|checked| checked.report);
    let period = Rule::in_period("day", at("2024-01-02"), at("2024-01-05"));
    assert_eq!(
        report(period).unwrap().to_string(),
        "! `day` is from 2024-01-02 00:00:00 to 2024-01-05 00:00:00: 1 of 3 rows is not, such as row \
         0 (`2024-01-01 00:00:00`)"
    );
    // 2024-01-05 is day 19,727 from 1970-01-01 on (Python: `date.toordinal`).
    let midnight = UNIX_EPOCH + Duration::from_secs(19_727 * 86_400);
    let fresh = |after| {
        let hour = Duration::from_secs(3_600);
        report(Rule::fresh(
            "day",
            hour,
            midnight + Duration::from_secs(after),
        ))
        .unwrap()
    };
    assert_eq!(fresh(3_600).failed().count(), 0);
    assert_eq!(fresh(3_601).failed().count(), 1);
    assert_eq!(report(Rule::schema_of(&table)).unwrap().failed().count(), 0);
    let period = Rule::in_period("n", at("2024-01-01"), at("2024-01-02"));
    let error = report(period).unwrap_err();
    assert!(matches!(error, MlError::WrongColumnType { .. }), "{error}");
    let error = report(Rule::in_period("day", at("2024-01-02"), at("2024-01-01"))).unwrap_err();
    assert!(matches!(error, MlError::InvalidOption { .. }), "{error}");
}
