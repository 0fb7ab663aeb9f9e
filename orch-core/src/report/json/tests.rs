use proptest::prelude::*;

use super::*;
use crate::report::testing::{any_report, ml_run};

#[test]
fn a_report_comes_back_as_it_was() {
    let report = ml_run();
    let text = report.to_json();
    assert!(text.starts_with("{\n  \"format\": 1,\n  \"flow_run\": \"0192-example\","));
    let back = RunReport::from_json(&text).unwrap();
    assert_eq!(back, report);
    assert_eq!(back.graph_svg(), report.graph_svg());
    assert_eq!(back.timeline_svg(), report.timeline_svg());
}

#[test]
fn a_report_of_a_later_release_is_refused() {
    // Nothing but the number can be relied on.
    let error = RunReport::from_json(r#"{"format": 2, "flow": ["new"]}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the report has format 2, this build reads up to 1"
    );
    assert_eq!(error.help(), "upgrade orch-core to read this report");
}

#[test]
fn what_is_no_report_is_refused_with_its_line() {
    for text in ["", "{}", "[1", "{\"format\": 1}", "{\"format\": \"one\"}"] {
        let error = RunReport::from_json(text).unwrap_err();
        assert_eq!(error.to_string(), "the text is not a report in JSON");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("line 1"), "{source}");
    }
}

#[test]
fn negative_and_endless_durations_are_refused() {
    let text = ml_run().to_json();
    for duration in ["-1.0", "1e300"] {
        let text = text.replace("\"duration\": 3.42", &format!("\"duration\": {duration}"));
        assert!(matches!(
            RunReport::from_json(&text),
            Err(ReportError::Parse { .. })
        ));
    }
}

#[test]
fn fields_of_a_later_release_are_passed_over_and_new_ones_may_be_missing() {
    let report = ml_run();
    let text = report
        .to_json()
        .replace("\"seed\": 42", "\"seed\": 42, \"weather\": \"fine\"");
    assert_eq!(RunReport::from_json(&text).unwrap(), report);
    let lines = text
        .lines()
        .filter(|line| !line.contains("\"last_started\""));
    let text: String = lines.collect();
    assert!(RunReport::from_json(&text).is_ok());
}

proptest! {
    #[test]
    fn any_report_comes_back(report in any_report(), nanos in 0_u64..2_000_000_000_000_000) {
        let mut report = report;
        report.duration = std::time::Duration::from_nanos(nanos);
        prop_assert_eq!(RunReport::from_json(&report.to_json()).unwrap(), report);
    }
}
