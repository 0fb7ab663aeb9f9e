//! What the macros write.

use expect_test::expect;

use super::{check, check_contains, expand, squeezed};
use crate::{flow_impl, task_impl, test_impl};

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
                ::orch_core::__private::flow_context()); storable Probe;
                args(::orch_core::__private::Owned < DataFile >,); parameters[file : ByValue Probe
                DataFile = "file" "DataFile"]; definition "ml-workflow"[ByValue Value "file"
                "DataFile", Context Value "context" "&FlowContext"] { returns :
                "anyhow::Result<Metrics>", doc : "Trains the model.", fingerprint :
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
                storable Probe; args(); parameters[]; definition "tidy"[Resource Value "db"
                "Resource<Db>"] { fingerprint :
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
fn what_an_attempt_takes_after_another_one_is_a_function_of_a_known_type() {
    let expansion = squeezed(
        task_impl,
        "retries = 2, limit = \"ram\", limit_on_retry = limits::more_ram",
        "fn f() {}",
    );
    check_contains(
        &expansion,
        "limit_on_retry: ::core::option::Option::Some({
            let function_: ::orch_core::__private::LimitOnRetry = limits::more_ram; function_
        })",
    );
}

#[test]
fn a_breaker_is_a_field_of_the_definition_and_nothing_without_the_option() {
    let with = squeezed(task_impl, "breaker = \"payments\"", "fn f() {}");
    check_contains(
        &with,
        "breaker: ::core::option::Option::Some(\"payments\"),",
    );
    assert!(!squeezed(task_impl, "", "fn f() {}").contains("breaker"));
}
