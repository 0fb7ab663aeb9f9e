//! Checks of one's own (`#[check]`), how old data is, and how many rows there were before.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orch_core::prelude::*;
use orch_core::testing::TestEngine;
use orch_core::{FailureMode, State};
use orch_ml::tasks::{check, check_file_age, passed, quarantine};
use orch_ml::{
    Check, CheckResult, CheckVerdict, CsvOptions, MlError, Rule, Severity, Table, check_table,
    file_is_fresh, parse_csv, quarantine_rows,
};

const HOUR: Duration = Duration::from_secs(3600);

fn table(csv: &str) -> Table {
    parse_csv(csv.as_bytes(), &CsvOptions::default()).unwrap()
}

#[orch_ml::check(severity = "warn")]
fn has_many_rows(table: &Table) -> bool {
    table.n_rows() >= 1_000
}

#[orch_ml::check(severity = "error")]
fn is_about_flats(table: &Table) -> CheckResult {
    match table.column("flat") {
        Ok(_) => CheckResult::passed(),
        Err(_) => CheckResult::failed("there is no flat"),
    }
}

/// Which rows are below a number.
#[orch_ml::check(blocking, cache, name = "no price below the least")]
fn no_price_below(table: &Table, least: f64) -> Result<CheckResult, MlError> {
    let prices = table.to_vector("price")?;
    let rows = prices.iter().enumerate();
    let rows = rows.filter(|(_, price)| **price < least);
    Ok(CheckResult::failed_rows(rows.map(|(row_idx, _)| row_idx)))
}

#[orch_ml::check]
async fn is_finite<T: Into<f64> + Copy>(value: &T) -> Result<bool, MlError> {
    Ok((*value).into().is_finite())
}

#[task]
fn prices() -> Table {
    table("price\n3\n-1\n5\n-2\n")
}

#[task]
fn count(table: &Table) -> usize {
    table.n_rows()
}

#[flow]
async fn shop(least: f64) -> Result<(usize, CheckVerdict, CheckVerdict), TaskError> {
    let table = prices();
    let many = has_many_rows(&table);
    let flats = is_about_flats(&table);
    let low = no_price_below(&table, least);
    let table = passed::<Table>(&table, vec![many.clone(), flats.clone(), low]);
    let n_rows = count(&table).await?;
    Ok((*n_rows, (*many.await?).clone(), (*flats.await?).clone()))
}

#[orch_core::test]
async fn a_check_is_a_task_run_that_says_what_it_found() {
    let run = TestEngine::new().run(shop(-5.0)).await;
    run.assert_completed();
    run.assert_edge("prices", "has_many_rows");
    run.assert_edge("no price below the least", "passed");
    run.assert_edge("passed", "count");
    let (n_rows, many, flats) = run.result.unwrap();
    assert_eq!(n_rows, 4);
    assert_eq!(many.to_string(), "! has_many_rows: it does not hold");
    assert_eq!(flats.to_string(), "✗ is_about_flats: there is no flat");
    assert_eq!(
        (many.severity, flats.severity),
        (Severity::Warn, Severity::Error)
    );
    let json = serde_json::to_string(&flats).unwrap();
    assert_eq!(serde_json::from_str::<CheckVerdict>(&json).unwrap(), flats);
}

#[orch_core::test]
async fn a_blocking_check_that_does_not_pass_stops_what_waits_for_it() {
    // Otherwise the failure cancels the other checks, if they are still under way.
    let engine = TestEngine::new().failure_mode(FailureMode::ContinueOnFailure);
    let run = engine.run(shop(0.0)).await;
    run.assert_failed_with::<MlError>();
    run.assert_state("no price below the least", State::Failed);
    run.assert_state("has_many_rows", State::Completed);
    run.assert_ran("count", 0);
    let message = format!("{:#}", anyhow::Error::from(run.result.unwrap_err()));
    let expected = "a check did not pass: ✗ no price below the least: 2 rows do not pass, such as row \
                    1, 3";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_check_is_a_plain_function_too() {
    let table = table("price\n1\n2\n");
    let verdict = no_price_below::call(&table, 1.5);
    let Err(MlError::CheckFailed { verdict }) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(verdict.failed_rows, [0]);
    assert_eq!(
        verdict.to_string(),
        "✗ no price below the least: 1 row does not pass, such as row 0"
    );
    assert!(no_price_below::call(&table, 0.5).unwrap().has_passed);
    let missing = no_price_below::call(&Table::new([("x", vec![1.0].into())]).unwrap(), 0.0);
    assert!(matches!(missing, Err(MlError::UnknownColumn { .. })));
}

#[flow]
async fn finite() -> Result<(bool, bool), TaskError> {
    let right = is_finite::<f64>(1.0);
    let wrong = is_finite::<f64>(f64::NAN);
    Ok((right.await?.has_passed, wrong.await?.has_passed))
}

#[orch_core::test]
async fn a_check_may_be_async_and_generic() {
    let run = TestEngine::new().run(finite()).await;
    assert_eq!(run.result.unwrap(), (true, false));
}

#[test]
fn only_the_first_rows_are_named() {
    let found = CheckResult::failed_rows(10..1_000);
    assert!(!found.has_passed());
    let verdict = CheckVerdict {
        check: "no_late_rows".to_owned(),
        severity: Severity::Warn,
        has_passed: false,
        problem: None,
        failed_rows: (10..1_000).collect(),
    };
    let expected = "! no_late_rows: 990 rows do not pass, such as row 10, 11, 12, 13, 14";
    assert_eq!(verdict.to_string(), expected);
    assert!(CheckResult::failed_rows([]).has_passed());
}

#[orch_ml::check]
fn no_price_is_negative(table: &Table) -> Result<CheckResult, MlError> {
    let prices = table.to_vector("price")?;
    let rows = (0..).zip(&prices).filter(|(_, price)| **price < 0.0);
    Ok(CheckResult::failed_rows(rows.map(|(row_idx, _)| row_idx)))
}

#[flow]
async fn careful_shop() -> Result<(Table, Table), TaskError> {
    let table = prices();
    let verdicts = vec![has_many_rows(&table), no_price_is_negative(&table)];
    let (rest, quarantined) = quarantine(&table, verdicts).unzip();
    Ok((rest.await?.into_inner(), quarantined.await?.into_inner()))
}

#[orch_core::test]
async fn rows_that_checks_name_are_put_in_quarantine() {
    let run = TestEngine::new().run(careful_shop()).await;
    run.assert_completed();
    run.assert_edge("no_price_is_negative", "quarantine");
    let (rest, quarantined) = run.result.unwrap();
    assert_eq!(rest.to_vector("price").unwrap().to_vec(), [3.0, 5.0]);
    assert_eq!(
        quarantined.to_vector("price").unwrap().to_vec(),
        [-1.0, -2.0]
    );
}

#[test]
fn rows_of_another_table_cannot_be_put_in_quarantine() {
    let verdict = no_price_is_negative::call(&table("price\n1\n2\n-3\n")).unwrap();
    let other = table("price\n1\n");
    let error = quarantine_rows(&other, &[verdict.clone(), verdict]).unwrap_err();
    assert!(error.to_string().contains("row 2"), "{error}");
}

/// What one warning check says of a table.
fn said(table: &Table, rule: Rule) -> String {
    check_table(table, &[Check::warn(rule)])
        .unwrap()
        .report
        .to_string()
}

#[test]
fn the_number_of_rows_is_compared_with_the_mean_of_runs_before() {
    let table = table("x\n1\n2\n3\n");
    // The mean is 4: one row less is a quarter.
    assert_eq!(
        said(&table, Rule::row_count_like([2, 6, 4], 0.25)),
        "✓ there are 4.0 rows as in the mean of 3 runs before, give or take 25 %"
    );
    assert_eq!(
        said(&table, Rule::row_count_like([2, 6, 4], 0.2)),
        "! there are 4.0 rows as in the mean of 3 runs before, give or take 20 %: there are 3"
    );
    assert_eq!(
        said(&table, Rule::row_count_like([], 0.0)),
        "✓ there are as many rows as before, of which nothing is known"
    );
    assert!(said(&table, Rule::row_count_like([0], 9.0)).starts_with('!'));
    assert!(said(&table.head(0), Rule::row_count_like([0, 0], 0.0)).starts_with('✓'));
    let error = check_table(&table, &[Check::warn(Rule::row_count_like([1], f64::NAN))]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`tolerance` is NaN, expected a share from 0 on"
    );
}

/// Noon in UTC of the 29th of February 2024.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_709_208_000)
}

#[test]
fn the_newest_moment_of_a_column_is_not_too_old() {
    let fresh =
        |csv: &str, max_age: Duration| said(&table(csv), Rule::fresh("at", max_age, noon()));
    let csv = "at\n2024-02-28\n2024-02-29T08:30:00Z\n2024-02-29T01:00:00Z\n";
    assert_eq!(
        fresh(csv, 4 * HOUR),
        "✓ the newest of `at` is at most 4.0 h old"
    );
    assert_eq!(
        fresh(csv, 3 * HOUR),
        "! the newest of `at` is at most 3.0 h old: the newest is 3.5 h old"
    );
    // Half past eight in New Delhi is three in UTC, in New York half past one in the afternoon.
    assert!(fresh("at\n2024-02-29T08:30:00+05:30\n", 8 * HOUR).ends_with("is 9.0 h old"));
    assert!(fresh("at\n2024-02-29T08:30:00-05:00\n", Duration::ZERO).starts_with('✓'));
    // Seconds from 1970 on, whole or not.
    assert!(fresh("at\n1709207940\n", HOUR / 60).starts_with('✓'));
    assert!(fresh("at\n1709207939\n", HOUR / 60).ends_with("is 1.0 min old"));
    assert!(fresh("at\n1709207999.25\n", HOUR / 7200).ends_with("is 0.8 s old"));
    assert!(fresh("at\n2024-02-29T11:59:59.25Z\n", HOUR / 7200).ends_with("is 0.8 s old"));
    assert!(fresh("at\n2024-02-20\n", HOUR).ends_with("is 9.5 d old"));
    // Without a value nothing is fresh.
    let empty = Table::new([("at", vec![None::<f64>].into())]).unwrap();
    let rule = || Rule::fresh("at", HOUR, noon());
    assert!(said(&empty, rule()).ends_with("there is no value"));
    assert!(!rule().is_about_rows());
}

#[test]
fn what_is_no_moment_is_an_error() {
    let check = |csv: &str| {
        let checks = [Check::warn(Rule::fresh("at", HOUR, noon()))];
        check_table(&table(csv), &checks).unwrap_err()
    };
    assert!(matches!(
        check("at\nyesterday\n"),
        MlError::InvalidDate { row_idx: 0, .. }
    ));
    assert!(matches!(
        check("at\ntrue\n"),
        MlError::WrongColumnType { .. }
    ));
    assert!(matches!(check("when\n1\n"), MlError::UnknownColumn { .. }));
}

#[flow]
async fn aged(ctx: &FlowContext) -> Result<(bool, bool), TaskError> {
    let seconds = |moment: SystemTime| moment.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let begun = ctx.now();
    let table = Table::new([("at", vec![seconds(begun)].into())]).unwrap();
    let checks = |now| vec![Check::warn(Rule::fresh("at", 2 * HOUR, now))];
    let before = check(table.clone(), checks(begun)).await?;
    tokio::time::sleep(3 * HOUR).await;
    let after = check(table, checks(ctx.now())).await?;
    let is_fresh = |report: &orch_ml::CheckReport| report.failed().count() == 0;
    Ok((is_fresh(&before.report), is_fresh(&after.report)))
}

#[orch_core::test]
async fn freshness_goes_by_the_clock_of_the_engine() {
    let run = TestEngine::new().run(aged()).await;
    assert_eq!(run.result.unwrap(), (true, false));
}

fn old_file(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let path = dir.path().join("prices.csv");
    let file = std::fs::File::create(&path).unwrap();
    file.set_modified(noon()).unwrap();
    path
}

#[test]
fn a_file_is_as_old_as_it_was_modified_ago() {
    let dir = tempfile::tempdir().unwrap();
    let file = old_file(&dir);
    let age = |hours: u32| file_is_fresh(&file, 5 * HOUR, noon() + hours * HOUR).unwrap();
    assert_eq!(age(5), CheckResult::passed());
    let expected = format!("`{}` is 6.0 h old", file.display());
    assert_eq!(age(6), CheckResult::failed(expected));
    assert!(
        file_is_fresh(&file, HOUR, noon() - HOUR)
            .unwrap()
            .has_passed()
    );
    let missing = file_is_fresh(&dir.path().join("none"), HOUR, noon());
    assert!(matches!(missing, Err(MlError::ReadFile { .. })));
}

#[flow]
async fn file_age(file: DataFile, is_blocking: bool) -> Result<bool, TaskError> {
    let verdict = check_file_age(file, HOUR, noon() + 2 * HOUR, is_blocking).await?;
    Ok(verdict.has_passed)
}

#[orch_core::test]
async fn the_task_of_it_blocks_if_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let file = old_file(&dir);
    let run = TestEngine::new().run(file_age(file.clone(), false)).await;
    assert!(!run.result.unwrap());
    let run = TestEngine::new().run(file_age(file, true)).await;
    run.assert_failed_with::<MlError>();
}
