//! What is left where there are mistakes.

use expect_test::expect;

use super::{check, check_contains, expand, messages, squeezed};
use crate::task_impl;

#[test]
fn two_mistakes_are_both_reported() {
    let found = messages(
        task_impl,
        "retires = 3, timeout = \"5\", cache",
        "fn f(a: &mut u8, path: &Path) -> u8 { *a }",
    );
    let starts = [
        "`#[task]` has no option `retires`",
        "the duration `5` has no unit",
        "a task cannot change a value of its caller",
        "`path` is a path",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (message, start) in found.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn a_wrong_option_leaves_a_task_that_can_be_called() {
    let item = "fn train(a: u8) -> u8 { a }";
    let good = expand(task_impl, "retries = 2", item);
    let fallback = expand(task_impl, "retries = 2, colour", item);
    assert!(fallback.starts_with(&good), "{fallback}");
}

#[test]
fn a_parameter_that_cannot_be_passed_leaves_a_task_that_can_be_called() {
    let expansion = squeezed(task_impl, "", "fn train(a: &mut u8, b: f64) -> u8 { *a }");
    for expected in [
        "fn train(a: impl ::core::marker::Sized, b: impl ::core::marker::Sized,)",
        "fn call(a: &mut u8, b: f64) -> u8 { *a }",
        "::orch_core::__private::task! { Broken train [] [] [] [] (a, b) -> u8; }",
        "compile_error!",
    ] {
        check_contains(&expansion, expected);
    }
}

#[test]
fn a_signature_that_says_too_little_leaves_the_function() {
    check(
        task_impl,
        "",
        "/// Docs.
        pub fn train(#[key(skip)] a: &str) -> &str { a }",
        expect![[r#"
            /// Docs.
            pub fn train(a: &str) -> &str {
                a
            }
            ::core::compile_error! {
                "the result of a task cannot borrow from its inputs\nhelp: return an owned value: `String` for `&str`, `Vec<T>` for `&[T]`, a clone"
            }
        "#]],
    );
}

#[test]
fn an_item_that_is_no_function_stays() {
    let expansion = expand(task_impl, "", "struct Model { a: u8 }");
    assert!(expansion.contains("struct Model"), "{expansion}");
    assert!(expansion.contains("compile_error!"), "{expansion}");
}
