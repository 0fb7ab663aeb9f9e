//! What the macros write, and what they say about mistakes.

use expect_test::{Expect, expect};
use proc_macro2::TokenStream;

use crate::{flow_impl, task_impl, test_impl};

type Macro = fn(TokenStream, TokenStream) -> TokenStream;

fn expand(macro_impl: Macro, args: &str, item: &str) -> String {
    let expansion = macro_impl(args.parse().unwrap(), item.parse().unwrap());
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

fn check(macro_impl: Macro, args: &str, item: &str, expected: Expect) {
    expected.assert_eq(&expand(macro_impl, args, item));
}

/// The expansion without white space, which is odd among the tokens of a macro call.
fn squeezed(macro_impl: Macro, args: &str, item: &str) -> String {
    squeeze(&expand(macro_impl, args, item))
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The messages of the `compile_error!`s.
fn messages(macro_impl: Macro, args: &str, item: &str) -> Vec<String> {
    let expansion = macro_impl(args.parse().unwrap(), item.parse().unwrap());
    let file: syn::File = syn::parse2(expansion).expect("the expansion is Rust");
    let messages = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => item
            .mac
            .parse_body::<syn::LitStr>()
            .ok()
            .map(|message| message.value()),
        _ => None,
    });
    messages.collect()
}

/// One error, whose lines start as expected.
fn check_error(macro_impl: Macro, args: &str, item: &str, expected: &str) {
    let messages = messages(macro_impl, args, item);
    assert_eq!(messages.len(), 1, "#[..({args})] {item}: {messages:?}");
    let message = &messages[0];
    assert!(
        message.contains(expected),
        "#[..({args})] {item}: {message}"
    );
    assert!(message.contains("\nhelp: "), "no help: {message}");
    assert!(
        !message.contains("\n\n") && !message.ends_with('.'),
        "{message}"
    );
}

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

fn check_signature(item: &str, expected: &str) {
    check_error(task_impl, "", item, expected);
}

const PLAIN: &str = "
    /// Fits a model.
    pub fn train_model(train: &Dataset, alpha: f64) -> Result<LinearModel, MlError> {
        LinearModel::fit(train, alpha)
    }";

#[test]
fn a_plain_task_expands() {
    check(
        task_impl,
        "",
        PLAIN,
        expect![[r#"
            /// Fits a model.
            pub fn train_model(
                train: impl ::orch_core::Input<Dataset, ::orch_core::ByRef>,
                alpha: impl ::orch_core::Input<f64, ::orch_core::ByValue>,
            ) -> ::orch_core::TaskRun<LinearModel> {
                train_model::with().submit(train, alpha)
            }
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl train_model {
                pub fn call(train: &Dataset, alpha: f64) -> Result<LinearModel, MlError> {
                    LinearModel::fit(train, alpha)
                }
            }
            ::orch_core::__private::task! {
                pub Blocking train_model[] [] [] [] (train : Input ByRef Dataset as & 'a_ Dataset,
                alpha : Input ByValue f64 as f64) for ['a_] 'a_ -> Result < LinearModel, MlError > as
                LinearModel, [::orch_core::__private::IsResult < true >, MlError,
                ::orch_core::__private::settle:: < MlError, _ >]; run async [] (train.pass(), alpha
                .pass()); args(::orch_core::__private::Shared < Dataset >,
                ::orch_core::__private::Owned < f64 >,);
                options::orch_core::__private::CallOptions::new(); retry_if[]; storable Probe;
                elements[]; keys keys_[keys_.value:: < Dataset > ("train", train, { use
                ::orch_core::__private::NoDigest as _; < ::orch_core::__private::DigestProbe <
                Dataset >> ::DIGEST }); keys_.value:: < f64 > ("alpha", alpha, { use
                ::orch_core::__private::NoDigest as _; < ::orch_core::__private::DigestProbe < f64 >>
                ::DIGEST });]; definition "train_model"[ByRef Value "train" "&Dataset", ByValue Value
                "alpha" "f64"] { returns : "Result<LinearModel, MlError>", doc : "Fits a model.",
                fingerprint :
                b"D\xF2Z\x13\xE0\xB9\x98\x90\x16\xE5\xA8\xDED\xB0\xFB~\x86\xC9\xB1\xD9\xE5`\xB3\x88c\x1A\xC4\x92\xE7\x02$\xA1",
                } {} uses parts_[]
            }
        "#]],
    );
}

/// A budget, so that an addition is a decision. The user's documentation and body do not count.
#[test]
fn a_plain_task_stays_within_its_budget_of_lines() {
    let flow = PLAIN.replace("pub fn", "pub async fn");
    for expansion in [expand(task_impl, "", PLAIN), expand(flow_impl, "", &flow)] {
        let lines = expansion.lines().count() - 2;
        assert!(lines < 40, "{lines} lines");
    }
}

#[test]
fn an_async_task_with_options_expands() {
    check(
        task_impl,
        r#"name = "fetch {url} {{x}}", id = "fetch", version = "2", tags = ["io", "slow"],
           retries = 3, backoff = "1s..30s x 3 ~ 20%", retry_if = FetchError::is_transient,
           timeout = "5m", queue_timeout = "1h", deadline = "1d", heartbeat = "1.5s",
           limit = ["net", ("db/{tenant}", 2)], allow_failure, priority = -1, cache = "7d",
           on_failure = notify, on_end = crate::log_it, crate = my::orch"#,
        "#[cfg(feature = \"net\")]
        #[allow(clippy::too_many_arguments)]
        #[tracing::instrument]
        /// Fetches
        /// a page.
        ///
        /// Slowly.
        async fn fetch(
            url: &str,
            #[key(skip)] mut tenant: String,
            pool: Resource<Pool>,
            context: &TaskContext,
        ) -> Result<Page, FetchError> {
            get(url).await
        }",
        expect![[r##"
            #[cfg(feature = "net")]
            #[allow(clippy::too_many_arguments)]
            /// Fetches
            /// a page.
            ///
            /// Slowly.
            fn fetch(
                url: impl my::orch::Input<::std::string::String, my::orch::ByRef>,
                tenant: impl my::orch::Input<String, my::orch::ByValue>,
            ) -> my::orch::TaskRun<Page> {
                fetch::with().submit(url, tenant)
            }
            #[cfg(feature = "net")]
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl fetch {
                #[allow(clippy::too_many_arguments)]
                #[tracing::instrument]
                async fn call(
                    url: &str,
                    mut tenant: String,
                    pool: Resource<Pool>,
                    context: &TaskContext,
                ) -> Result<Page, FetchError> {
                    get(url).await
                }
                const STORABLE_: fn() = {
                    use my::orch::__private::NoOwnForm as _;
                    <my::orch::__private::OwnFormProbe<Page>>::assert_cacheable
                };
            }
            #[cfg(feature = "net")]
            my::orch::__private::task! {
                Async fetch[] [] [] [] (url : Input ByRef::std::string::String as & 'a_ str, tenant :
                Input ByValue String as String) for ['a_] 'a_ -> Result < Page, FetchError > as Page,
                [my::orch::__private::IsResult < true >, FetchError, my::orch::__private::settle:: <
                FetchError, _ >]; run async [impl ::core::future::Future < Output =
                ::core::result::Result < Self::Output, my::orch::__private::Failure >, > +
                ::core::marker::Send] (url.pass(), tenant.pass(), my::orch::__private::resource:: <
                Pool > () ?, & my::orch::__private::task_context()); args(my::orch::__private::Shared
                < ::std::string::String >, my::orch::__private::Owned < String >,); options
                my::orch::__private::CallOptions::retryable(); retry_if[{ let retry_if_ : fn (&
                FetchError) -> bool = FetchError::is_transient; retry_if_ }]; storable Probe;
                elements[]; keys keys_[keys_.value:: < ::std::string::String > ("url", url, { use
                my::orch::__private::NoOwnDigest as _; < my::orch::__private::OwnDigestProbe <
                ::std::string::String >> ::keyed() }); keys_.skip:: < String > ("tenant", tenant, {
                use my::orch::__private::NoDigest as _; < my::orch::__private::DigestProbe < String
                >> ::DIGEST }); keys_.resource("pool", || my::orch::__private::resource_identity:: <
                Pool > ());]; definition "fetch"[ByRef Value "url" "&str", ByValue Skip "tenant"
                "String", Resource Value "pool" "Resource<Pool>", Context Value "context"
                "&TaskContext"] { returns : "Result<Page, FetchError>", doc : "Fetches a page.",
                fingerprint :
                b"\xBA\x8B\xD3\xA8\x86o\xEF\xE1N\xB3>\xAC\x05\xCA-\x87\xE08\xD4\x95\x19K\xD8\x17\x1Bp[\x15\x9D\xDED8",
                version : ::core::option::Option::Some("2"), id :
                ::core::option::Option::Some("fetch"), tags : & ["io", "slow"], retries : 3, backoff
                : my::orch::__private::Backoff::exponential(1000000000, 30000000000, 3.0)
                .jitter(0.2), timeout :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(300000000000)),
                queue_timeout :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(3600000000000)),
                deadline :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(86400000000000)),
                heartbeat :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(1500000000)), limits
                : & [my::orch::__private::LimitUse::new("net", 1),
                my::orch::__private::LimitUse::new("db/{tenant}", 2)], allow_failure : true, priority
                : - 1, hooks : & [(my::orch::__private::HookOn::Failure, notify),
                (my::orch::__private::HookOn::End, crate ::log_it)], cache :
                my::orch::__private::CacheOption::GlobalFor(::core::time::Duration::from_nanos(604800000000000)),
                name_template : ::core::option::Option::Some("fetch {url} {{x}}"), } { fn label(args_
                : & Self::Args) -> ::core::option::Option < ::std::string::String > {
                ::core::option::Option::Some(::std::format!("fetch {} {{x}}", args_.0.peek())) } fn
                limits(args_ : & Self::Args) -> ::std::vec::Vec < my::orch::__private::LimitUse > {
                ::std::vec![my::orch::__private::LimitUse::named(::std::format!("net"), 1),
                my::orch::__private::LimitUse::named(::std::format!("db/{}", args_.1.peek()), 2)] } }
                uses parts_[]
            }
        "##]],
    );
}

#[test]
fn a_generic_task_expands() {
    check(
        task_impl,
        "inline",
        "pub(crate) fn fit<P: Params, const N: usize>(params: &P, n: [u8; N]) -> P::Model
        where
            P::Model: Clone,
        {
            params.fit()
        }",
        expect![[r#"
            pub(crate) fn fit<
                P: Params + ::core::marker::Send + ::core::marker::Sync + 'static,
                const N: usize,
            >(
                params: impl ::orch_core::Input<P, ::orch_core::ByRef>,
                n: impl ::orch_core::Input<[u8; N], ::orch_core::ByValue>,
            ) -> ::orch_core::TaskRun<P::Model>
            where
                P::Model: Clone,
            {
                fit::<P, N>::with().submit(params, n)
            }
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl<
                P: Params + ::core::marker::Send + ::core::marker::Sync + 'static,
                const N: usize,
            > fit<P, N>
            where
                P::Model: Clone,
            {
                pub(crate) fn call(params: &P, n: [u8; N]) -> P::Model {
                    params.fit()
                }
            }
            ::orch_core::__private::task! {
                pub (crate) Inline fit[< P : Params + ::core::marker::Send + ::core::marker::Sync +
                'static, const N : usize >] [< P, N >] [P] [where P::Model : Clone] (params : Input
                ByRef P as & 'a_ P, n : Input ByValue[u8; N] as [u8; N]) for ['a_] 'a_ -> P::Model as
                P::Model, []; run async [] (params.pass(), n.pass());
                args(::orch_core::__private::Shared < P >, ::orch_core::__private::Owned < [u8; N]
                >,); options::orch_core::__private::CallOptions::new(); retry_if[]; storable No;
                elements[]; keys keys_[keys_.value:: < P > ("params", params, { use
                ::orch_core::__private::NoDigest as _; < ::orch_core::__private::DigestProbe < P >>
                ::DIGEST }); keys_.value:: < [u8; N] > ("n", n, { use
                ::orch_core::__private::NoDigest as _; < ::orch_core::__private::DigestProbe < [u8;
                N] >> ::DIGEST });]; definition "fit"[ByRef Value "params" "&P", ByValue Value "n"
                "[u8; N]"] { returns : "P::Model", fingerprint :
                b"\xA7\x1E\x01\x05\x94\x11\xE9\xCC,\xF9=*/\xD5!3\x89\xF4S\xA0\xC6\x1F\x80 e\xFB\x81N'\xE8\xE2\xB3",
                } {} uses parts_[]
            }
        "#]],
    );
}

#[test]
fn a_flow_expands() {
    check(
        flow_impl,
        r#"name = "ml-workflow", tags = "nightly", failure = "continue_on_failure",
           timeout = "1h", grace = "10s", retries = 1, max_running = (2, "skip"),
           on_success = notify"#,
        "/// Trains the model.
        pub async fn ml_workflow(file: DataFile, context: &FlowContext) -> anyhow::Result<Metrics> {
            load(file).await
        }",
        expect![[r#"
            /// Trains the model.
            pub fn ml_workflow(
                file: impl ::orch_core::Input<DataFile, ::orch_core::ByValue>,
            ) -> ::orch_core::FlowCall<Metrics> {
                ::orch_core::__private::flow_call_retryable::<ml_workflow>((file.into_argument(),))
            }
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl ml_workflow {
                pub async fn call(file: DataFile, context: &FlowContext) -> anyhow::Result<Metrics> {
                    load(file).await
                }
            }
            ::orch_core::__private::flow! {
                pub Async ml_workflow[] [] [] [] (file) -> anyhow::Result < Metrics > as Metrics,
                [::orch_core::__private::IsResult < true >, < ::orch_core::__private::IsResult < true
                > as ::orch_core::__private::Split < anyhow::Result < Metrics > >> ::Error,
                ::orch_core::__private::settle_flow:: < < ::orch_core::__private::IsResult < true >
                as ::orch_core::__private::Split < anyhow::Result < Metrics > >> ::Error, _ >]; run
                async [impl ::core::future::Future < Output = ::core::result::Result < Self::Output,
                ::orch_core::__private::BoxError >, > + ::core::marker::Send] (file.pass(), &
                ::orch_core::__private::flow_context()); args(::orch_core::__private::Owned <
                DataFile >,); parameters[file : ByValue DataFile = "file" "DataFile"]; definition
                "ml-workflow"[ByValue Value "file" "DataFile", Context Value "context"
                "&FlowContext"] { returns : "anyhow::Result<Metrics>", doc : "Trains the model.",
                fingerprint :
                b"{\xEB\x9A\xF2\xB7\xD8\x93\xF7\x89\x08\xBD\x0F\xD8\x1E\x07|\xE1P\x89\xDF\x1CO\xFC^\xF2\x80\xB2\xBAC\xF3d\x99",
                tags : & ["nightly"], failure_mode :
                ::core::option::Option::Some(::orch_core::__private::FailureMode::ContinueOnFailure),
                timeout :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(3600000000000)),
                grace :
                ::core::option::Option::Some(::core::time::Duration::from_nanos(10000000000)),
                retries : 1, max_running : ::core::option::Option::Some((2,
                ::orch_core::__private::WhenFull::Skip)), hooks : &
                [(::orch_core::__private::HookOn::Success, notify)], }
            }
        "#]],
    );
}

#[test]
fn a_flow_without_options_expands() {
    check(
        flow_impl,
        "",
        "async fn tidy(db: Resource<Db>) { db.tidy().await; }",
        expect![[r#"
            fn tidy() -> ::orch_core::FlowCall<()> {
                ::orch_core::__private::flow_call::<tidy>(())
            }
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl tidy {
                async fn call(db: Resource<Db>) {
                    db.tidy().await;
                }
            }
            ::orch_core::__private::flow! {
                Async tidy[] [] [] [] () -> () as (), []; run async [impl ::core::future::Future <
                Output = ::core::result::Result < Self::Output, ::orch_core::__private::BoxError >, >
                + ::core::marker::Send] (::orch_core::__private::flow_resource:: < Db > () ?);
                args(); parameters[]; definition "tidy"[Resource Value "db" "Resource<Db>"] {
                fingerprint :
                b"\xC3\xE5a\xC8r\x17]\xCA*ke\xB11\x18\xFE\x0F\xD9u>\xD5\xEAve\x1A\xCD\xB7S>\x1D\xEC:\xBE",
                }
            }
        "#]],
    );
}

#[test]
fn a_test_expands() {
    check(
        test_impl,
        "",
        "/// Checks it.
        #[should_panic]
        async fn it_works() -> Result<(), TaskError> {
            go().await
        }",
        expect![[r#"
            #[::core::prelude::v1::test]
            /// Checks it.
            #[should_panic]
            fn it_works() -> Result<(), TaskError> {
                async fn it_works() -> Result<(), TaskError> {
                    go().await
                }
                ::orch_core::__private::run_test(it_works())
            }
        "#]],
    );
}

#[test]
fn each_way_to_cache_and_to_wait_expands() {
    let task = |args: &str| squeezed(task_impl, args, "async fn f() -> u8 { 0 }");
    assert!(task("cache").contains("CacheOption::Global,"));
    assert!(task("cache = run").contains("CacheOption::Run,"));
    assert!(task("cache").contains("OwnFormProbe<u8>>::assert_cacheable"));
    assert!(task("backoff = \"1s\"").contains("Backoff::fixed(1000000000)"));
    assert!(task("backoff = \"1s, 2s\"").contains("Backoff::list(&[1000000000,2000000000])"));
    assert!(task("retries = 2").contains("CallOptions::retryable();"));
    assert!(task("retries = 0").contains("CallOptions::new();"));
    assert!(!task("limit = (\"gpu\", 2)").contains("fnlimits"));
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

#[track_caller]
fn check_contains(expansion: &str, expected: &str) {
    let expected = squeeze(expected);
    assert!(
        expansion.contains(&expected),
        "no {expected} in {expansion}"
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
    let expansion = expand(
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
        assert!(
            squeeze(&expansion).contains(&squeeze(parameter)),
            "{expansion}"
        );
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
        let expected = squeeze(expected);
        assert!(
            expansion.contains(&expected),
            "no {expected} in {expansion}"
        );
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
