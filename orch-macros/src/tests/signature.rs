//! How parameters are passed, and what the macros say about signatures.

use super::{check_contains, check_error, messages, squeezed};
use crate::{flow_impl, task_impl, test_impl};

fn check_signature(item: &str, expected: &str) {
    check_error(task_impl, "", item, expected);
}

#[test]
fn every_kind_of_parameter_is_passed_as_written() {
    let item = "fn f(
        a: &str, b: &Path, c: &[u8], d: &Vec<u8>, e: &'static str, f: Outcome<u8>,
        g: &[Tracked<u8>], h: Resource<Pool>, i: &TaskContext, j: Box<dyn Fn(&str) -> u8>,
    ) {}";
    let expansion = squeezed(task_impl, "", item);
    for expected in [
        "a: impl ::orch_core::Input<::std::string::String, ::orch_core::ByRef>,",
        "a: Input ByRef ::std::string::String as &'a_ str,",
        "b: impl ::orch_core::Input<::std::path::PathBuf, ::orch_core::ByRef>,",
        "b: Input ByRef ::std::path::PathBuf as &'a_ Path,",
        "c: impl ::orch_core::Input<::std::vec::Vec<u8>, ::orch_core::ByRef>,",
        "c: Input ByRef ::std::vec::Vec<u8> as &'a_ [u8],",
        "d: impl ::orch_core::Input<Vec<u8>, ::orch_core::ByRef>,",
        "e: impl ::orch_core::Input<&'static str, ::orch_core::ByValue>,",
        "e: Input ByValue &'static str as &'static str,",
        "f: impl ::orch_core::Input<Outcome<u8>, ::orch_core::ByValue>,",
        "g: impl ::orch_core::TrackedInput<::std::vec::Vec<Tracked<u8>>, ::orch_core::ByRef>,",
        "g: TrackedInput ByRef ::std::vec::Vec<Tracked<u8>> as &'a_ [Tracked<u8>],",
        "j: impl ::orch_core::Input<Box<dyn Fn(&str) -> u8>, ::orch_core::ByValue>,",
        "g.pass(), ::orch_core::__private::resource::<Pool>()?,
         &::orch_core::__private::task_context(), j.pass());",
    ] {
        check_contains(&expansion, expected);
    }
}

#[test]
fn parameters_written_with_tracked_take_what_has_an_origin() {
    let item = "fn f(
        a: orch::Tracked<u8>, b: &Tracked<u8>, c: &(Vec<Tracked<u8>>), d: [Tracked<u8>; 2],
        e: &[Tracked<u8>], f: Tracked, g: Option<Tracked<u8>>, h: Outcome<Tracked<u8>>,
    ) {}";
    let expansion = squeezed(task_impl, "", item);
    for expected in [
        "a: impl ::orch_core::TrackedInput<orch::Tracked<u8>, ::orch_core::ByValue>,",
        "a: TrackedInput ByValue orch::Tracked<u8> as orch::Tracked<u8>,",
        "b: impl ::orch_core::TrackedInput<Tracked<u8>, ::orch_core::ByRef>,",
        "b: TrackedInput ByRef Tracked<u8> as &'a_ Tracked<u8>,",
        "c: impl ::orch_core::TrackedInput<Vec<Tracked<u8>>, ::orch_core::ByRef>,",
        "d: impl ::orch_core::TrackedInput<[Tracked<u8>; 2], ::orch_core::ByValue>,",
        "e: impl ::orch_core::TrackedInput<::std::vec::Vec<Tracked<u8>>, ::orch_core::ByRef>,",
        "f: impl ::orch_core::Input<Tracked, ::orch_core::ByValue>,",
        "g: impl ::orch_core::Input<Option<Tracked<u8>>, ::orch_core::ByValue>,",
        "h: impl ::orch_core::Input<Outcome<Tracked<u8>>, ::orch_core::ByValue>,",
    ] {
        check_contains(&expansion, expected);
    }
}

#[test]
fn a_cached_task_takes_no_bare_path() {
    for parameter in ["path: &Path", "path: std::path::PathBuf", "path: &PathBuf"] {
        let item = format!("fn f({parameter}) {{}}");
        check_error(
            task_impl,
            "cache",
            &item,
            "`path` is a path, which stays the same",
        );
        assert!(messages(task_impl, "", &item).is_empty());
        let keyed = format!("fn f(#[key(path)] {parameter}) {{}}");
        assert!(messages(task_impl, "cache", &keyed).is_empty());
    }
}

#[test]
fn keys_of_parameters_are_read_and_removed() {
    let expansion = squeezed(
        task_impl,
        "cache",
        "fn f(#[key(skip)] a: u8, #[key(path)] b: PathBuf, #[key(with = digest)] c: u8, d: u8) {}",
    );
    assert!(!expansion.contains("#[key"));
    for parameter in [
        "Skip \"a\" \"u8\"",
        "Path \"b\" \"PathBuf\"",
        "With \"c\" \"u8\"",
        "Value \"d\" \"u8\"",
    ] {
        check_contains(&expansion, parameter);
    }
    check_signature(
        "fn f(#[key(no)] a: u8) {}",
        "this is not a part of a cache key",
    );
    check_signature("fn f(#[key] a: u8) {}", "this is not a part of a cache key");
    check_signature(
        "fn f(#[key(skip)] #[key(skip)] a: u8) {}",
        "`#[key(..)]` is given twice",
    );
    check_signature(
        "fn f(#[key(skip)] a: &TaskContext) {}",
        "a context has no part",
    );
    check_error(
        flow_impl,
        "",
        "async fn f(#[key(skip)] a: u8) {}",
        "for parameters of tasks",
    );
}

#[test]
fn wrong_signatures_are_named() {
    check_signature(
        "fn f(&self) {}",
        "a task is a free function, it cannot take `self`",
    );
    check_signature(
        "fn f(a: &mut u8) {}",
        "a task cannot change a value of its caller",
    );
    check_signature("fn f<'a>(a: &'a u8) {}", "it cannot have a named lifetime");
    check_signature(
        "fn f<'a>(a: View<'a>) -> View<'a> {}",
        "it cannot have a named lifetime",
    );
    check_signature("fn f(a: impl Into<u8>) {}", "cannot be an `impl Trait`");
    check_signature(
        "fn f(a: Vec<impl Into<u8>>) {}",
        "`a` has no type that can be named",
    );
    check_signature("fn f(a: &dyn Show) {}", "without knowing its type");
    check_signature("fn f(a: &impl Show) {}", "without knowing its type");
    check_signature(
        "fn f(a: Vec<&str>) {}",
        "`a` borrows, but a task outlives its call",
    );
    check_signature(
        "fn f(a: View<'_>) {}",
        "`a` borrows, but a task outlives its call",
    );
    check_signature(
        "fn f((a, b): (u8, u8)) {}",
        "a parameter of a task is a plain name",
    );
    check_signature("fn f(_: u8) {}", "a parameter of a task is a plain name");
    check_signature(
        "fn f(a: TaskContext) {}",
        "the context of a task is borrowed",
    );
    check_signature(
        "fn f(a: &FlowContext) {}",
        "`FlowContext` is not the context of a task",
    );
    check_signature("fn f(a: &Resource<u8>) {}", "a resource is shared already");
    check_signature("const fn f() {}", "it cannot be `const`");
    check_signature("unsafe fn f() {}", "it cannot be `unsafe`");
    check_signature("extern \"C\" fn f() {}", "a task cannot be `extern`");
    check_signature(
        "unsafe extern fn f(a: u8, ...) {}",
        "a fixed number of parameters",
    );
    check_signature("fn f() -> ! {}", "a task that never returns has no result");
    check_signature("fn f() -> impl Show {}", "needs a type that can be named");
    check_signature(
        "fn f() -> Result<impl Show, E> {}",
        "needs a type that can be named",
    );
    check_signature("fn f(a: &str) -> &str {}", "cannot borrow from its inputs");
    let many: Vec<String> = (0..13).map(|i| format!("a{i}: u8")).collect();
    check_signature(
        &format!("fn f({}) {{}}", many.join(", ")),
        "at most 12 inputs",
    );
    assert!(messages(task_impl, "", "fn f() -> &'static str { \"\" }").is_empty());
    assert!(messages(task_impl, "", "fn f(mut a: u8) -> Box<dyn Show> { a }").is_empty());
    assert!(messages(task_impl, "", "fn f(a: Box<dyn for<'a> See<'a>>) {}").is_empty());
}

#[test]
fn wrong_flows_and_tests_are_named() {
    check_error(
        flow_impl,
        "",
        "fn f() {}",
        "a flow awaits its task runs, so it is `async`",
    );
    check_error(
        flow_impl,
        "",
        "async fn f(a: &TaskContext) {}",
        "not the context of a flow",
    );
    check_error(
        flow_impl,
        "",
        "async fn f(&self) {}",
        "a flow is a free function",
    );
    check_error(
        test_impl,
        "",
        "fn f() {}",
        "a test that runs flows is `async`",
    );
    check_error(
        test_impl,
        "",
        "async fn f(a: u8) {}",
        "a test has no parameters",
    );
    check_error(
        test_impl,
        "",
        "async fn f<T>() {}",
        "a test cannot be generic",
    );
    check_error(
        test_impl,
        "retries = 1",
        "async fn f() {}",
        "`#[test]` has no option `retries`",
    );
}
