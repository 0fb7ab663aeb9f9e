//! `#[check]`.

use expect_test::expect;

use super::{check, check_contains, check_error, messages, squeezed};
use crate::check_impl;

#[test]
fn a_check_is_a_task_around_the_body() {
    check(
        check_impl,
        "severity = \"warn\"",
        "/// Ages are human.\npub fn ages(table: &Table, limit: f64) -> Result<bool, MlError> { Ok(true) }",
        expect![[r#"
            /// Ages are human.
            #[::orch_ml::__private::task(crate = ::orch_ml::__private::orch_core)]
            pub fn ages(
                table: &Table,
                limit: f64,
            ) -> ::core::result::Result<::orch_ml::CheckVerdict, ::orch_ml::MlError> {
                let found_: Result<bool, MlError> = ::orch_ml::__private::run(move || -> Result<
                    bool,
                    MlError,
                > { Ok(true) });
                ::orch_ml::__private::judge("ages", ::orch_ml::Severity::Warn, false, found_)
            }
        "#]],
    );
}

#[test]
fn options_are_handed_on() {
    let item = "async fn ages<T: Clone>(table: &T) -> bool { true }";
    let args = "blocking, name = \"ages of people\", cache, crate = my::ml";
    let found = squeezed(check_impl, args, item);
    check_contains(
        &found,
        "#[my::ml::__private::task(name = \"ages of people\", cache, crate = my::ml::__private::orch_core)]",
    );
    check_contains(&found, "let found_: bool = async move { true }.await;");
    check_contains(
        &found,
        "judge(\"ages of people\", my::ml::Severity::Error, true, found_)",
    );
}

#[test]
fn mistakes_are_explained() {
    let item = "fn ages(table: &Table) -> bool { true }";
    let error = |args: &str, item: &str, expected: &str| {
        check_error(check_impl, args, item, expected);
    };
    error(
        "severity = \"wrn\"",
        item,
        "`severity` cannot be `wrn`\nhelp: did you mean `warn`?",
    );
    error(
        "severity",
        item,
        "`severity` needs a value: one of `warn`, `error`",
    );
    error("blocking = true", item, "`blocking` takes no value");
    error(
        "severity = \"warn\", blocking",
        item,
        "a check that only warns cannot be `blocking`\nhelp: leave `blocking` out",
    );
    error(
        "retries = 3",
        item,
        "`#[check]` has no option `retries`\nhelp: its options are `severity`, `blocking`",
    );
    error("", "fn ages() -> bool { true }", "this one takes nothing");
    error("", "fn ages(table: &Table) {}", "this one returns nothing");
    error(
        "",
        "fn ages(&self, table: &Table) -> bool { true }",
        "it cannot take `self`",
    );
    error(
        "",
        "struct Ages;",
        "`#[check]` makes something of a function, and this is none",
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let found = messages(check_impl, "severity = \"bad\", blocked", "fn ages() {}");
    assert_eq!(found.len(), 4, "{found:?}");
}
