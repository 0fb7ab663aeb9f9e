//! What tasks and flows have beside the user's own function: the fixed parts of the expansion.
//!
//! The attribute macros hand over compact tokens; types among them keep the places at which the
//! user wrote them, so that errors underline these.

use std::convert::Infallible;

use crate::call::{self, PlainResult, Storable};
use crate::error::{BoxError, Failure};
use crate::input::{Owned, Shared};
use crate::policy::retry::Classified;

/// Words of the expansion, by the names the attribute macros use.
pub mod words {
    pub use crate::body::{AsyncTask as Async, SyncTask as Blocking, SyncTask as Inline};
    pub use crate::call::{
        submit_async as Async, submit_blocking as Blocking, submit_inline as Inline,
    };
}

impl<T> Shared<T> {
    /// What the body gets.
    pub fn pass(&self) -> &T {
        self.get()
    }
}

impl<T> Owned<T> {
    /// What the body gets.
    pub fn pass(self) -> T {
        self.take()
    }
}

/// Stands where code cannot be generated because of an error.
pub fn never<T>() -> T {
    unreachable!("the task does not compile")
}

/// Whether a return type is a `Result`.
pub struct IsResult<const IS_RESULT: bool>;

/// Takes a return type apart.
#[diagnostic::on_unimplemented(
    message = "the return type `{R}` is called `Result` and is none",
    label = "expected a `Result<T, E>`",
    note = "if `{R}` is a plain value, say so: `impl orch_core::PlainResult for {R} {{}}`"
)]
pub trait Split<R> {
    /// What a run holds.
    type Value;
    /// The error, before it is erased.
    type Error;

    /// Takes it apart.
    fn split(returned: R) -> Result<Self::Value, Self::Error>;
}

impl<T, E> Split<Result<T, E>> for IsResult<true> {
    type Value = T;
    type Error = E;

    fn split(returned: Result<T, E>) -> Result<T, E> {
        returned
    }
}

#[diagnostic::do_not_recommend]
impl<R: PlainResult> Split<R> for IsResult<true> {
    type Value = R;
    type Error = Infallible;

    fn split(returned: R) -> Result<R, Infallible> {
        Ok(returned)
    }
}

impl<R> Split<R> for IsResult<false> {
    type Value = R;
    type Error = Infallible;

    fn split(returned: R) -> Result<R, Infallible> {
        Ok(returned)
    }
}

/// Finds out whether a type is marked as a plain value.
pub struct PlainProbe<R>(std::marker::PhantomData<R>);

impl<R: PlainResult> PlainProbe<R> {
    /// It is.
    pub const IS_PLAIN: bool = true;
}

/// The answer for types that are not.
pub trait NotPlain {
    /// It is not.
    const IS_PLAIN: bool = false;
}

impl<R> NotPlain for PlainProbe<R> {}

/// An error that a task or a flow can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task or a flow",
    label = "this is not an error that can be sent to another thread",
    note = "implement `std::error::Error` for it, or return a `String` or an `anyhow::Error`"
)]
pub trait AnyError: Into<BoxError> + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + Send + 'static> AnyError for E {}

/// Turns what a task returned into a result, or into a failure that knows whether to retry.
pub fn settle<E: AnyError, T>(
    returned: Result<T, E>,
    classify: Option<fn(&E, u32) -> Classified>,
    retry_if: Option<fn(&E) -> bool>,
) -> Result<T, Failure> {
    call::settle(returned, classify, retry_if)
}

/// Turns what a flow returned into a result or an erased error.
pub fn settle_flow<E: AnyError, T>(returned: Result<T, E>) -> Result<T, BoxError> {
    call::settle_flow(returned)
}

/// The result of a cached task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a cached task",
    label = "this result cannot be stored",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or take `cache` off the task"
)]
pub trait Cacheable: Storable {}

#[diagnostic::do_not_recommend]
impl<T: Storable> Cacheable for T {}

/// The result of a task with an effect.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a task with an `effect`",
    label = "this result cannot be stored, so the effect would be repeated",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait Recordable: Storable {}

#[diagnostic::do_not_recommend]
impl<T: Storable> Recordable for T {}

/// Whether a return type is a `Result`, as a type.
#[doc(hidden)]
#[macro_export]
macro_rules! __is_result {
    ($returned:ty) => {
        $crate::__private::IsResult<{
            use $crate::__private::NotResult as _;
            <$crate::__private::ResultProbe<$returned>>::IS_RESULT
        }>
    };
}

/// The items of a task beside the function that submits it and the user's own, `call`.
#[doc(hidden)]
#[macro_export]
macro_rules! __task {
    // A task whose signature has an error: whatever calls it adds none.
    (
        $vis:vis Broken $name:ident [$($generics:tt)*] [$($types:tt)*] [$($params:ident)*]
        [$($bounds:tt)*] ($($arg:ident),*) -> $output:ty;
    ) => {
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types, reason = "made by the attribute, not written")]
        $vis struct $name $($generics)* $($bounds)* {
            options_: $crate::__private::CallOptions<()>,
            marker_: ::core::marker::PhantomData<fn() -> ($($params,)*)>,
        }

        #[allow(dead_code, missing_docs, unused_variables, reason = "made by the attribute, not written")]
        impl $($generics)* $name $($types)* $($bounds)* {
            $vis fn with() -> Self {
                $crate::__private::never()
            }

            $crate::__task! { @setters () }

            $vis fn submit(self, $($arg: impl ::core::marker::Sized),*) -> $crate::TaskRun<$output> {
                $crate::__private::never()
            }

            $vis fn stub(stub: impl ::core::marker::Sized) -> $crate::Stub {
                $crate::__private::never()
            }

            $vis fn stub_async(stub: impl ::core::marker::Sized) -> $crate::Stub {
                $crate::__private::never()
            }
        }
    };

    (
        $vis:vis $kind:ident $name:ident [$($generics:tt)*] [$($types:tt)*] [$($params:ident)*]
        [$($bounds:tt)*]
        ($($arg:ident: $input:ident $how:ident $ty:ty as $passed:ty),*) for $borrow:tt $lifetime:lifetime
        -> $returned:ty as $output:ty, $settle:tt;
        run $async:tt $future:tt $call:tt;
        args $args:ty;
        options $options:expr;
        retry_if $retry_if:tt;
        storable $storable:ident;
        elements $elements:tt;
        keys $keys:ident [$($key:tt)*];
        definition $shown:literal $parameters:tt { $($field:tt)* }
        { $($overridden:tt)* }
        uses $parts:ident [$($uses:tt)*]
    ) => {
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types, reason = "made by the attribute, not written")]
        $vis struct $name $($generics)* $($bounds)* {
            options_: $crate::__private::CallOptions<$args>,
            marker_: ::core::marker::PhantomData<fn() -> ($($params,)*)>,
        }

        #[allow(dead_code, missing_docs, clippy::used_underscore_binding, reason = "made by the attribute, not written")]
        impl $($generics)* $name $($types)* $($bounds)* {
            $vis fn with() -> Self {
                Self {
                    options_: $options,
                    marker_: ::core::marker::PhantomData,
                }
            }

            $crate::__task! { @setters $args }

            $vis fn submit(
                self,
                $($arg: impl $crate::$input<$ty, $crate::$how>),*
            ) -> $crate::TaskRun<$output> {
                let args = ($($arg.into_argument(),)*);
                $crate::__private::words::$kind::<Self>(self.options_, args)
            }

            $crate::__task! {
                @stubs $async $vis ($($arg: $passed),*) $borrow $lifetime $returned
            }

            $crate::__task! { @settle $settle $returned as $output; retry_if $retry_if }
        }

        impl $($generics)* $crate::__private::Task for $name $($types)* $($bounds)* {
            type Args = $args;
            type Output = $output;

            $crate::__definition! {
                Definition $shown $parameters {
                    kind: $crate::__private::Kind::$kind,
                    storable: $crate::__task!(@storable $storable $output),
                    $($field)*
                }
            }

            #[allow(unused_variables, reason = "made by the attribute, not written")]
            fn keys(($($arg,)*): &Self::Args, $keys: &mut $crate::__private::Keys<'_>) {
                $($key)*
            }

            fn codec() -> ::core::option::Option<$crate::__private::Codec<Self::Output>> {
                $crate::__codec!(@result $storable $output, $elements)
            }

            $($overridden)*
        }

        $crate::__codec! { @tuple $name $output, $elements }

        impl $($generics)* $crate::__private::Code for $name $($types)* $($bounds)* {
            #[allow(unused_variables, reason = "made by the attribute, not written")]
            fn add_to(parts: &mut $crate::__private::CodeParts) {
                let definition = <Self as $crate::__private::Task>::definition();
                parts.add(
                    ::core::concat!(::core::module_path!(), "::", $shown),
                    definition.fingerprint,
                    |$parts| { $($uses)* },
                );
            }
        }

        #[allow(clippy::used_underscore_binding, reason = "made by the attribute, not written")]
        impl $($generics)* $crate::__private::words::$kind for $name $($types)* $($bounds)* {
            $crate::__task! { @run $kind $async ($($arg),*) $future $call }
        }

        $crate::__register! { RegisteredTask $name [$($generics)*] }
    };

    (
        @stubs $async:tt $vis:vis ($($arg:ident: $passed:ty),*) [$($borrow:tt)*]
        $lifetime:lifetime $returned:ty
    ) => {
        $vis fn stub(
            stub: impl for<$($borrow)*> ::core::ops::Fn($($passed),*) -> $returned
                + ::core::marker::Send + ::core::marker::Sync + 'static,
        ) -> $crate::Stub {
            $crate::__private::stub::<Self>(move |($($arg,)*)| {
                Self::settle_(stub($($arg.pass()),*))
            })
        }

        $vis fn stub_async(
            stub: impl for<$($borrow)*> ::core::ops::Fn($($passed),*)
                -> $crate::BoxFuture<$lifetime, $returned>
                + ::core::marker::Send + ::core::marker::Sync + 'static,
        ) -> $crate::Stub {
            let stub = ::std::sync::Arc::new(stub);
            $crate::__private::stub_async::<Self>(move |($($arg,)*)| {
                let stub = ::std::sync::Arc::clone(&stub);
                ::std::boxed::Box::pin($async move {
                    Self::settle_(stub($($arg.pass()),*).await)
                })
            })
        }
    };

    (@settle [] $returned:ty as $output:ty; retry_if []) => {
        fn settle_(
            result: $returned,
        ) -> ::core::result::Result<$output, $crate::__private::Failure> {
            ::core::result::Result::Ok(result)
        }
    };

    (
        @settle [$is_result:ty, $error:ty, $settle:path] $returned:ty as $output:ty;
        retry_if $retry_if:tt
    ) => {
        fn settle_(
            result: $returned,
        ) -> ::core::result::Result<$output, $crate::__private::Failure> {
            let classify = {
                use $crate::__private::NoClassify as _;
                <$crate::__private::ErrorProbe<$error>>::CLASSIFY
            };
            let retry_if = $crate::__task!(@retry_if $retry_if);
            let result = <$is_result as $crate::__private::Split<$returned>>::split(result);
            $settle(result, classify, retry_if)
        }
    };

    (@retry_if []) => { ::core::option::Option::None };
    (@retry_if [$retry_if:expr]) => { ::core::option::Option::Some($retry_if) };

    (@storable Probe $output:ty) => {
        $crate::__codec!(Probe $output).is_some()
    };
    (@storable Yes $output:ty) => { true };
    (@storable No $output:ty) => { false };

    (@run Async $async:tt ($($arg:ident),*) [$future:ty] ($($call:tt)*)) => {
        fn run(args: Self::Args) -> $future {
            $async move {
                let ($($arg,)*) = args;
                Self::settle_(Self::call($($call)*).await)
            }
        }
    };

    (@run $kind:ident $async:tt ($($arg:ident),*) [] ($($call:tt)*)) => {
        fn run(
            ($($arg,)*): Self::Args,
        ) -> ::core::result::Result<Self::Output, $crate::__private::Failure> {
            Self::settle_(Self::call($($call)*))
        }
    };

    (@setters $args:ty) => {
        /// Names this task run.
        pub fn name(mut self, name: impl ::core::convert::Into<::std::string::String>) -> Self {
            self.options_.name(name.into());
            self
        }
        /// Adds a tag.
        pub fn tag(
            mut self,
            tag: impl ::core::convert::Into<::std::borrow::Cow<'static, str>>,
        ) -> Self {
            self.options_.tag(tag.into());
            self
        }
        /// Allows this many attempts after the first.
        pub fn retries(mut self, retries: u32) -> Self
        where
            for<'again_> $crate::__private::Bound<'again_, $args>: $crate::__private::Cloned<$args>,
        {
            $crate::__private::set_retries(&mut self.options_, retries);
            self
        }
        /// Sets the waits between attempts.
        pub fn backoff(mut self, backoff: $crate::Backoff) -> Self {
            self.options_.backoff(backoff);
            self
        }
        /// Sets the clock of each attempt.
        pub fn timeout(mut self, timeout: ::core::time::Duration) -> Self {
            self.options_.timeout(timeout);
            self
        }
        /// Sets the clock of each wait to start.
        pub fn queue_timeout(mut self, timeout: ::core::time::Duration) -> Self {
            self.options_.queue_timeout(timeout);
            self
        }
        /// Sets the clock of the whole task run.
        pub fn deadline(mut self, deadline: ::core::time::Duration) -> Self {
            self.options_.deadline(deadline);
            self
        }
        /// Takes `weight` slots of a limit, in place of the task's own limits.
        pub fn limit(
            mut self,
            name: impl ::core::convert::Into<::std::string::String>,
            weight: u32,
        ) -> Self {
            self.options_.limit(name.into(), weight);
            self
        }
        /// Sets which of several ready task runs starts first; higher ones do.
        pub fn priority(mut self, priority: i32) -> Self {
            self.options_.priority(priority);
            self
        }
        /// Leaves the flow run alone when this task run fails.
        pub fn allow_failure(mut self) -> Self {
            self.options_.allow_failure();
            self
        }
        /// Starts only once the other task run has completed, without using its result.
        pub fn after<AfterResult>(mut self, upstream: &$crate::TaskRun<AfterResult>) -> Self {
            self.options_.after(upstream);
            self
        }
    };
}

/// How values of a type are stored, if they can be.
#[doc(hidden)]
#[macro_export]
macro_rules! __codec {
    // A tuple is stored element by element if each of them can be.
    (@result Probe $value:ty, [$($place:tt: $element:ty),+]) => {{
        let can_be = $($crate::__codec!(Probe $element).is_some())&&+;
        can_be.then_some($crate::__private::Codec::<$value>::tuple::<Self>())
    }};
    (@result $storable:ident $value:ty, $elements:tt) => {
        $crate::__codec!($storable $value)
    };
    (@tuple $name:ident $value:ty, []) => {};
    (@tuple $name:ident $value:ty, [$($place:tt: $element:ty),+]) => {
        impl $crate::__private::TupleOutput for $name {
            type Tuple = $value;

            fn encode(
                value: &Self::Tuple,
                to: &mut $crate::__private::TupleEncoder,
            ) -> ::core::result::Result<(), $crate::EncodeError> {
                $(to.element($crate::__codec!(Probe $element), &value.$place)?;)+
                ::core::result::Result::Ok(())
            }

            fn decode(
                from: &mut $crate::__private::TupleDecoder<'_>,
            ) -> ::core::result::Result<Self::Tuple, $crate::DecodeError> {
                ::core::result::Result::Ok(
                    ($(from.element::<$element>($crate::__codec!(Probe $element))?,)+)
                )
            }
        }
    };
    (Probe $value:ty) => {{
        use $crate::__private::{NoOwnForm as _, NotStorable as _};
        match <$crate::__private::OwnFormProbe<$value>>::CODEC {
            ::core::option::Option::None => <$crate::__private::StorableProbe<$value>>::CODEC,
            own => own,
        }
    }};
    // That it can be is checked elsewhere, with an error of its own.
    (Yes $value:ty) => {
        $crate::__codec!(Probe $value)
    };
    (No $value:ty) => {
        ::core::option::Option::None
    };
}

/// How to take the digest of values of a type, if they have one.
#[doc(hidden)]
#[macro_export]
macro_rules! __digest {
    (Probe $value:ty) => {{
        use $crate::__private::{NoDigest as _, NoOwnDigest as _};
        match <$crate::__private::OwnDigestProbe<$value>>::DIGEST {
            ::core::option::Option::None => <$crate::__private::DigestProbe<$value>>::DIGEST,
            own => own,
        }
    }};
}

/// The items of a flow beside the function that makes a call of it and the user's own, `call`.
#[doc(hidden)]
#[macro_export]
macro_rules! __flow {
    // A flow whose signature has an error.
    (
        $vis:vis Broken $name:ident [$($generics:tt)*] [$($types:tt)*] [$($params:ident)*]
        [$($bounds:tt)*] ($($arg:ident),*) -> $output:ty;
    ) => {
        $crate::__flow! {
            @struct $vis $name [$($generics)*] [$($params)*] [$($bounds)*]
        }
    };

    (
        $vis:vis Async $name:ident [$($generics:tt)*] [$($types:tt)*] [$($params:ident)*]
        [$($bounds:tt)*]
        ($($arg:ident),*) -> $returned:ty as $output:ty, $settle:tt;
        run $async:tt [$future:ty] ($($call:tt)*);
        storable $storable:ident;
        args $args:ty;
        parameters [
            $($parameter:ident: $how:ident $form:ident $ty:ty = $name_shown:literal $ty_shown:literal),*
        ];
        definition $shown:literal $parameters:tt $fields:tt
    ) => {
        $crate::__flow! {
            @struct $vis $name [$($generics)*] [$($params)*] [$($bounds)*]
        }

        #[allow(clippy::used_underscore_binding, reason = "made by the attribute, not written")]
        impl $($generics)* $crate::__private::Flow for $name $($types)* $($bounds)* {
            type Args = $args;
            type Output = $output;

            $crate::__definition! { FlowDefinition $shown $parameters $fields }

            $crate::__flow! { @run $async ($($arg),*) [$future] [$settle $returned] ($($call)*) }

            #[allow(unused_variables, reason = "made by the attribute, not written")]
            fn parameters(
                ($($parameter,)*): &Self::Args,
                to_: &mut $crate::__private::Parameters,
            ) {
                $(to_.value::<$ty>(
                    $name_shown,
                    $ty_shown,
                    $parameter,
                    $crate::__flow!(@form $form $ty),
                );)*
            }

            #[allow(unused_variables, reason = "made by the attribute, not written")]
            fn arguments(
                from_: &mut $crate::__private::ArgumentSource<'_>,
            ) -> ::core::result::Result<Self::Args, $crate::__private::ArgumentError> {
                ::core::result::Result::Ok(($(
                    from_.take::<$ty, $crate::$how>(
                        $name_shown,
                        $ty_shown,
                        $crate::__flow!(@form $form $ty),
                    )?,
                )*))
            }

            #[allow(unused_variables, reason = "made by the attribute, not written")]
            fn schema(schema_: &mut $crate::__private::ParameterSchema) {
                $(schema_.add::<$ty>(
                    $name_shown,
                    $ty_shown,
                    $crate::__flow!(@form $form $ty),
                );)*
            }

            fn codec() -> ::core::option::Option<$crate::__private::Codec<Self::Output>> {
                $crate::__codec!($storable $output)
            }

            fn json(result: &Self::Output) -> ::core::option::Option<$crate::__private::Json> {
                let form: ::core::option::Option<$crate::__private::ParameterForm<Self::Output>> =
                    $crate::__flow!(@form $storable $output);
                form.map(|form| form.show(result))
            }
        }

        $crate::__register! { RegisteredFlow $name [$($generics)*] }
    };

    (@struct $vis:vis $name:ident [$($generics:tt)*] [$($params:ident)*] [$($bounds:tt)*]) => {
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types, reason = "made by the attribute, not written")]
        $vis struct $name $($generics)* $($bounds)* {
            marker_: ::core::marker::PhantomData<fn() -> ($($params,)*)>,
        }
    };

    (
        @run $async:tt ($($arg:ident),*) [$future:ty] [$settle:tt $returned:ty] ($($call:tt)*)
    ) => {
        fn run(args: Self::Args) -> $future {
            $async move {
                let ($($arg,)*) = args;
                let result = Self::call($($call)*).await;
                $crate::__flow!(@settle $settle $returned, result)
            }
        }
    };

    (@form No $ty:ty) => { ::core::option::Option::None };
    (@form Probe $ty:ty) => {{
        use $crate::__private::NoForm as _;
        <$crate::__private::ParameterProbe<$ty>>::FORM
    }};

    (@settle [] $returned:ty, $result:ident) => { ::core::result::Result::Ok($result) };
    (@settle [$is_result:ty, $error:ty, $settle:path] $returned:ty, $result:ident) => {
        $settle(<$is_result as $crate::__private::Split<$returned>>::split($result))
    };
}

/// What is known of a task or a flow at compile time.
#[doc(hidden)]
#[macro_export]
macro_rules! __definition {
    (
        $definition:ident $shown:literal
        [$($passing:ident $key:ident $parameter:literal $ty:literal),*] { $($field:tt)* }
    ) => {
        fn definition() -> &'static $crate::__private::$definition {
            static DEFINITION: $crate::__private::$definition = $crate::__private::$definition {
                parameters: &[$($crate::__private::Parameter {
                    name: $parameter,
                    ty: $ty,
                    passing: $crate::__private::ParameterPassing::$passing,
                    key: $crate::__private::KeyPart::$key,
                }),*],
                $($field)*
                ..$crate::__private::$definition::new(
                    $shown,
                    ::core::module_path!(),
                    ::core::file!(),
                    ::core::line!(),
                    ::core::env!("CARGO_PKG_NAME"),
                )
            };
            &DEFINITION
        }
    };
}

/// Registers a task or a flow that is not generic under its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($registered:ident $name:ident []) => {
        $crate::__private::inventory::submit! {
            $crate::__private::$registered::new::<$name>()
        }
    };
    ($registered:ident $name:ident [$($generics:tt)+]) => {};
}
