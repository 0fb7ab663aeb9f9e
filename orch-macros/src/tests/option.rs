//! What the macros say about options.

use super::{check_error, messages};
use crate::{flow_impl, task_impl};

fn check_option(args: &str, expected: &str) {
    check_error(
        task_impl,
        args,
        "async fn f(a: u32) -> Result<u32, E> { Ok(a) }",
        expected,
    );
}

fn check_flow_option(args: &str, expected: &str) {
    check_error(
        flow_impl,
        args,
        "async fn f(a: u32) -> Result<u32, E> { Ok(a) }",
        expected,
    );
}

#[test]
fn wrong_options_are_named() {
    check_option(
        "retry = 3",
        "`#[task]` has no option `retry`\nhelp: did you mean `retry_if`?",
    );
    check_option(
        "grace = \"1s\"",
        "help: `grace` is an option of `#[flow]`\nhelp: its options",
    );
    check_option(
        "colour",
        "has no option `colour`\nhelp: its options are `name`, `id`",
    );
    check_option("retries = 1, retries = 2", "`retries` is given twice");
    check_option("3", "`3` is not an option");
    check_option(
        "retries",
        "`retries` needs a value: a whole number from 0 on",
    );
    check_option("retries =", "`retries` has no value after the `=`");
    check_option("retries(3)", "expected `=` or `,` after `retries`");
    check_option(
        "retries = 3 timeout = \"1s\"",
        "expected `,` after the value of `retries`",
    );
}

#[test]
fn wrong_values_are_named() {
    for value in ["-1", "1.5", "\"3\"", "4294967296", "3u32"] {
        check_option(
            &format!("retries = {value}"),
            "`retries` takes a whole number from 0 on",
        );
    }
    check_option("name = 3", "`name` takes a string\nhelp: write `name = ");
    check_option("name = \" \"", "`name` is empty");
    check_option(
        "name = \"{b}\"",
        "`name` names `b`, which is not a parameter",
    );
    check_option("id", "`id` needs a value: a string");
    check_option(
        "version = 2",
        "`version` takes a string\nhelp: write `version = \"2\"`",
    );
    check_option("tags = 1", "`tags` takes a string or an array of strings");
    check_option(
        "tags = [\"a\", 1]",
        "`tags` takes a string or an array of strings",
    );
    check_option("tags = [\"\"]", "`tags` is empty");
    check_option("backoff = 1", "`backoff` takes a string");
    check_option("backoff = \"1s..\"", "a growing backoff has no upper bound");
    check_option("retry_if = 1", "`retry_if` takes the path of a function");
    check_option(
        "retry_if",
        "`retry_if` needs a value: the path of a function",
    );
    check_option(
        "timeout = 5",
        "`timeout` takes a duration\nhelp: write `timeout = \"5m\"`",
    );
    check_option("timeout = \"5\"", "the duration `5` has no unit");
    check_option("deadline = \"0s\"", "`deadline` is zero");
    check_option(
        "on_timeout = \"abandn\"",
        "cannot be `abandn`\nhelp: did you mean `abandon`?",
    );
    check_option(
        "on_timeout = 1",
        "`on_timeout` takes one of `abandon`, `abort`",
    );
    check_option("limit", "`limit` needs a value: the name of a limit");
    check_option("limit = 3", "a limit is a name, or a name and a number");
    check_option(
        "limit = (\"gpu\", 0)",
        "the weight of limit `gpu` is not a number from 1 on",
    );
    check_option("limit = \"db/{b}\"", "`limit` names `b`");
    check_option(
        "breaker = payments",
        "`breaker` takes a string\nhelp: write `breaker = ",
    );
    check_option("breaker", "`breaker` needs a value: a string");
    check_option("breaker = \"\"", "`breaker` is empty");
    check_option(
        "retries = 1, limit = \"ram\", limit_on_retry = \"more\"",
        "`limit_on_retry` takes the path of a function\nhelp: write a function",
    );
    check_option(
        "retries = 1, limit = \"ram\", limit_on_retry",
        "`limit_on_retry` needs a value: the path of a function",
    );
    check_option("allow_failure = true", "`allow_failure` takes no value");
    check_option("priority = \"high\"", "`priority` takes a whole number");
    check_option("priority = 2147483648", "`priority` takes a whole number");
    check_option("priority = -2147483649", "`priority` takes a whole number");
    check_option("on_end = |_| {}", "`on_end` takes the path of a function");
    check_option(
        "cache = forever",
        "`cache` takes an age, or `run`, or no value",
    );
    check_option("cache = \"soon\"", "`soon` is not a duration");
    check_option("isolate = \"process\"", "`isolate` is not available yet");
    check_option("crate = \"x\"", "`crate` takes a path");
    assert!(messages(task_impl, "priority = -2147483648", "fn f() {}").is_empty());
}

#[test]
fn wrong_values_of_flows_are_named() {
    check_flow_option(
        "failure = \"continue\"",
        "help: did you mean `continue_on_failure`?",
    );
    check_flow_option("max_running = 0", "`max_running` is 0");
    check_flow_option(
        "max_running = (1, \"drop\")",
        "`max_running` cannot be `drop`",
    );
    check_flow_option(
        "max_running = \"1\"",
        "`max_running` takes a whole number from 1 on",
    );
    check_flow_option("on_retry = f", "`#[flow]` has no option `on_retry`");
    check_flow_option("cache", "help: `cache` is an option of `#[task]`");
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let result = "fn f() -> Result<u8, E> { Ok(0) }";
    check_option("inline", "`inline` is for plain functions");
    check_option("on_timeout = \"abandon\"", "is dropped at once");
    check_error(
        task_impl,
        "retry_if = f",
        "fn f() -> u8 { 0 }",
        "does not return a `Result`",
    );
    for clock in ["timeout", "deadline", "heartbeat"] {
        let args = format!("{clock} = \"1s\"");
        let expected = format!("`{clock}` cannot stop this task: a thread cannot be killed");
        check_error(task_impl, &args, result, &expected);
        let expected = format!("`{clock}` cannot stop an `inline` task");
        check_error(task_impl, &format!("inline, {args}"), result, &expected);
        let abandon = format!("{args}, on_timeout = \"abandon\"");
        assert!(messages(task_impl, &abandon, result).is_empty());
        assert!(messages(task_impl, &args, "fn f(context: &TaskContext) {}").is_empty());
        let abort = format!("{args}, on_timeout = \"abort\"");
        check_error(
            task_impl,
            &abort,
            result,
            "`on_timeout = \"abort\"` is for `async` tasks",
        );
    }
    assert!(messages(task_impl, "queue_timeout = \"1s\"", result).is_empty());
    check_option(
        "retries = 1, limit_on_retry = more",
        "takes of its limits, and this task has none",
    );
    for retries in ["", "retries = 0, "] {
        check_option(
            &format!("{retries}limit = \"ram\", limit_on_retry = more"),
            "attempts after the first, and this task has no `retries`",
        );
    }
}

#[test]
fn values_from_macro_rules_are_read() {
    use proc_macro2::{Delimiter, Group, Literal, TokenTree};
    use quote::quote;
    let value = Group::new(
        Delimiter::None,
        TokenTree::from(Literal::u32_unsuffixed(3)).into(),
    );
    let expansion = task_impl(
        quote!(retries = #value),
        quote!(
            async fn f() {}
        ),
    )
    .to_string();
    assert!(expansion.contains("retries : 3"), "{expansion}");
}
