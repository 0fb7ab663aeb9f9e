//! Checks of the quality of tables.

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_ml::tasks::check;
use orch_ml::{
    Check, CheckReport, CsvOptions, MlError, OnFailure, Rule, Table, check_table, parse_csv,
    read_csv,
};

fn table(csv: &str) -> Table {
    parse_csv(csv.as_bytes(), &CsvOptions::default()).unwrap()
}

fn patients() -> Table {
    table("id,age,arm,weight\n1,34,x,70.5\n2,-1,y,\n3,,z,81\n2,130,x,-0.5\n")
}

/// What one warning check says of the patients.
fn said(rule: Rule) -> String {
    check_table(&patients(), &[Check::warn(rule)])
        .unwrap()
        .report
        .to_string()
}

#[test]
fn each_rule_says_what_breaks_it() {
    assert_eq!(said(Rule::present("id")), "✓ `id` is there");
    assert_eq!(
        said(Rule::present("age")),
        "! `age` is there: 1 of 4 rows is not, such as row 2"
    );
    assert_eq!(
        said(Rule::between("age", 0.0, 120.0)),
        "! `age` is between 0 and 120: 2 of 4 rows are not, such as row 1 (`-1`), row 3 (`130`)"
    );
    assert_eq!(
        said(Rule::one_of("arm", ["x", "y"])),
        "! `arm` is one of `x`, `y`: 1 of 4 rows is not, such as row 2 (`z`)"
    );
    assert_eq!(
        said(Rule::one_of("id", [1i64, 2, 3])),
        "✓ `id` is one of `1`, `2`, `3`"
    );
    assert_eq!(
        said(Rule::one_of("weight", [81i64])),
        "! `weight` is one of `81`: 2 of 4 rows are not, such as row 0 (`70.5`), row 3 (`-0.5`)"
    );
    assert_eq!(
        said(Rule::unique(["id"])),
        "! `id` is unique: 1 of 4 rows is not, such as row 3 (`2`)"
    );
    assert_eq!(said(Rule::unique(["id", "arm"])), "✓ `id`, `arm` is unique");
    let column = "weight".to_owned();
    assert_eq!(
        said(Rule::MostlyPresent {
            column,
            max_missing: 0.2
        }),
        "! at most 20 % of `weight` are missing: 1 of 4 are missing, 25.0 %"
    );
    assert_eq!(
        said(Rule::RowCount {
            min: 5,
            max: usize::MAX
        }),
        "! there are 5 rows or more: there are 4"
    );
    assert_eq!(
        said(Rule::RowCount { min: 1, max: 4 }),
        "✓ there are 1 to 4 rows"
    );
    assert_eq!(
        said(Rule::RowCountNear {
            before: 10,
            tolerance: 0.5
        }),
        "! there are 10 rows as before, give or take 50 %: there are 4"
    );
    assert_eq!(
        said(Rule::RowCountNear {
            before: 5,
            tolerance: 0.2
        }),
        "✓ there are 5 rows as before, give or take 20 %"
    );
}

#[test]
fn a_schema_is_that_of_a_table_before() {
    let schema = Rule::schema_of(&patients());
    assert_eq!(said(schema.clone()), "✓ the 4 columns are as expected");
    let other = table("id,age,arm,sex\na,34,x,f\n");
    let report = check_table(&other, &[Check::warn(schema)]).unwrap().report;
    assert_eq!(
        report.to_string(),
        "! the 4 columns are as expected: `id` is of type text, expected integer; \
         `weight` is not there; `sex` is not expected"
    );
    // Whole numbers are numbers.
    let floats = Rule::schema_of(&table("x\n0.5\n"));
    let whole = check_table(&table("x\n1\n"), &[Check::block(floats)]);
    assert_eq!(whole.unwrap().report.failed().count(), 0);
}

#[test]
fn rows_in_quarantine_are_kept_apart() {
    let checks = [
        Check::quarantine(Rule::between("age", 0.0, 120.0)),
        Check::quarantine(Rule::unique(["id"])),
        Check::warn(Rule::present("weight")),
    ];
    let checked = check_table(&patients(), &checks).unwrap();
    let ids = |table: &Table| table.to_vector("id").unwrap().to_vec();
    assert_eq!(ids(&checked.table), [1.0, 3.0]);
    assert_eq!(ids(&checked.quarantined), [2.0, 2.0]);
    // Each check looked at all rows.
    let failed: Vec<usize> = checked.report.failed().map(|of| of.n_failed).collect();
    assert_eq!((failed, checked.report.n_rows()), (vec![2, 1, 1], 4));
}

#[test]
fn a_blocking_check_stops_with_what_all_checks_found() {
    let checks = [
        Check::warn(Rule::present("age")),
        Check::block(Rule::unique(["id"])),
        Check::block(Rule::present("id")),
    ];
    let error = check_table(&patients(), &checks).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table does not pass its checks:\n\
         ! `age` is there: 1 of 4 rows is not, such as row 2\n\
         ✗ `id` is unique: 1 of 4 rows is not, such as row 3 (`2`)\n\
         ✓ `id` is there"
    );
    assert!(matches!(error, MlError::ChecksFailed { .. }));
}

#[test]
fn a_check_that_does_not_fit_is_an_error() {
    let error = |check| check_table(&patients(), &[check]).unwrap_err();
    assert!(matches!(
        error(Check::warn(Rule::present("height"))),
        MlError::UnknownColumn { .. }
    ));
    assert!(matches!(
        error(Check::warn(Rule::between("arm", 0.0, 1.0))),
        MlError::NotNumeric { .. }
    ));
    for (low, high) in [(2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
        let check = Check::warn(Rule::between("age", low, high));
        assert!(matches!(
            error(check),
            MlError::InvalidOption { name: "low", .. }
        ));
    }
    let check = Check::quarantine(Rule::RowCount { min: 9, max: 9 });
    assert_eq!(check.on_failure(), OnFailure::Quarantine);
    assert!(
        error(check)
            .to_string()
            .contains("expected a rule about rows")
    );
    let check = Check::warn(Rule::RowCountNear {
        before: 1,
        tolerance: -0.1,
    });
    assert!(matches!(
        error(check),
        MlError::InvalidOption {
            name: "tolerance",
            ..
        }
    ));
}

#[test]
fn a_table_without_rows_passes_rules_about_rows() {
    let none = patients().filter(&[false; 4]).unwrap();
    let checks = [
        Check::block(Rule::present("age")),
        Check::block(Rule::unique(["id"])),
        Check::block(Rule::MostlyPresent {
            column: "age".to_owned(),
            max_missing: 0.0,
        }),
    ];
    assert_eq!(
        check_table(&none, &checks).unwrap().report.failed().count(),
        0
    );
}

#[test]
fn the_penguins_have_their_known_gaps() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/penguins.csv");
    let penguins = read_csv(file.as_ref(), &CsvOptions::default()).unwrap();
    // palmerpenguins: 11 of the 344 have no sex, 2 of them no measures.
    let checks = ["sex", "body_mass_g"].map(|column| Check::quarantine(Rule::present(column)));
    let checked = check_table(&penguins, &checks).unwrap();
    let failed: Vec<usize> = checked.report.failed().map(|of| of.n_failed).collect();
    assert_eq!(failed, [11, 2]);
    assert_eq!(checked.table, penguins.drop_missing());
}

#[flow]
async fn checked(limit: f64) -> Result<CheckReport, TaskError> {
    let checks = [Check::block(Rule::between("age", -1.0, limit))];
    Ok(check(patients(), checks.to_vec()).await?.report.clone())
}

#[orch_core::test]
async fn a_check_in_a_flow_is_a_task_whose_result_is_the_report() {
    let run = TestEngine::new().run(checked(200.0)).await;
    assert_eq!(run.result.unwrap().outcomes().len(), 1);
    let run = TestEngine::new().run(checked(100.0)).await;
    run.assert_failed_with::<MlError>();
    let message = format!("{:#}", anyhow::Error::from(run.result.unwrap_err()));
    assert!(
        message.contains("✗ `age` is between -1 and 100"),
        "{message}"
    );
}
