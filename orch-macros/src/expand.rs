//! Turns a valid task into tokens. Cannot fail.
//!
//! Generated names end in `_`, paths are absolute, and what can be a function of `orch-core` is
//! one, in its hidden `__private` module.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{LitStr, Type};

use crate::attr::{Cache, Hook, KeyPart, OnTimeout};
use crate::duration::{Backoff, Delays};
use crate::signature::{Passing, Signature, written};
use crate::template::Template;
use crate::validate::{Common, Kind, Task};

/// The expansion of `#[task]`.
pub(crate) fn task(task: &Task) -> TokenStream {
    let parts = Parts::new(&task.common);
    let Parts {
        krate,
        private,
        vis,
        name,
        cfgs,
        args,
        output,
        inputs,
        parameters,
        ..
    } = &parts;
    let Parts {
        impl_generics,
        ty_generics,
        where_clause,
        ..
    } = &parts;
    let attributes = parts.public_attributes();
    let turbofish = parts.turbofish();
    let call = parts.call();
    let options = match task.args.retries {
        Some(1..) => quote!(retryable),
        _ => quote!(new),
    };
    let (marker_field, marker) = parts.marker();
    let submit = match task.kind {
        Kind::Async => quote!(submit_async),
        Kind::Blocking => quote!(submit_blocking),
        Kind::Inline => quote!(submit_inline),
    };
    let submit = if parts.signature.is_sound {
        quote!(#private::#submit::<Self>(self.options_, (#(#inputs.into_argument(),)*)))
    } else {
        unreachable(inputs)
    };
    let settle = settle_function(task, &parts);
    let stubs = stubs(&parts);
    let definition = task_definition(task, &parts);
    let label = label(task);
    let limits = limits(task, &parts);
    let run = run(task, &parts);
    let result_check = parts.result_check();
    let storable_check = storable_check(task, &parts);
    let register = parts.register(quote!(register_task));
    quote! {
        #attributes
        #vis fn #name #impl_generics (#(#parameters),*) -> #krate::TaskRun<#output> #where_clause {
            #name #turbofish::with().submit(#(#inputs),*)
        }

        #cfgs
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
        #vis struct #name #impl_generics #where_clause {
            options_: #private::CallOptions<#args>,
            #marker_field
        }

        #cfgs
        #[allow(dead_code, missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
        impl #impl_generics #name #ty_generics #where_clause {
            #call

            #vis fn with() -> Self {
                Self { options_: #private::CallOptions::#options(), #marker }
            }

            #krate::__task_setters! { #args }

            #vis fn submit(self, #(#parameters),*) -> #krate::TaskRun<#output> {
                #submit
            }

            #stubs
            #settle
        }

        #cfgs
        impl #impl_generics #private::Task for #name #ty_generics #where_clause {
            type Args = #args;
            type Output = #output;
            #definition
            #label
            #limits
        }

        #cfgs
        #run
        #result_check
        #storable_check
        #register
    }
}

/// The tokens that tasks and flows have in common.
pub(crate) struct Parts<'a> {
    pub(crate) common: &'a Common,
    pub(crate) signature: &'a Signature,
    pub(crate) krate: TokenStream,
    pub(crate) private: TokenStream,
    pub(crate) vis: TokenStream,
    pub(crate) name: &'a Ident,
    /// The `#[cfg(..)]`s, which every item needs.
    pub(crate) cfgs: TokenStream,
    /// The tuple of arguments, as a type.
    pub(crate) args: TokenStream,
    /// The type of a good result.
    pub(crate) output: TokenStream,
    /// The return type as written.
    pub(crate) returned: &'a Type,
    /// The names of the inputs.
    pub(crate) inputs: Vec<&'a Ident>,
    /// The inputs as parameters of the generated functions.
    pub(crate) parameters: Vec<TokenStream>,
    pub(crate) impl_generics: TokenStream,
    pub(crate) ty_generics: TokenStream,
    pub(crate) where_clause: TokenStream,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(common: &'a Common) -> Self {
        let signature = &common.signature;
        let krate = common.krate.to_token_stream();
        let private = quote!(#krate::__private);
        let returned = &signature.returns.ty;
        let output = if signature.returns.is_result {
            quote_spanned!(returned.span()=> <#returned as #private::TaskResult>::Value)
        } else {
            returned.to_token_stream()
        };
        let mut inputs = Vec::new();
        let mut parameters = Vec::new();
        let mut arguments = Vec::new();
        for parameter in &signature.parameters {
            let name = &parameter.name;
            match &parameter.passing {
                Passing::ByRef(ty) => {
                    parameters.push(quote!(#name: impl #krate::Input<#ty, #krate::ByRef>));
                    arguments.push(quote!(#private::Shared<#ty>));
                    inputs.push(name);
                }
                Passing::ByValue(ty) => {
                    parameters.push(quote!(#name: impl #krate::Input<#ty, #krate::ByValue>));
                    arguments.push(quote!(#private::Owned<#ty>));
                    inputs.push(name);
                }
                // Whatever its calls pass, one error is enough.
                Passing::Unknown => {
                    parameters.push(quote!(#name: impl ::core::marker::Sized));
                    inputs.push(name);
                }
                Passing::Context | Passing::Resource(_) => {}
            }
        }
        let (impl_generics, ty_generics, where_clause) = signature.generics.split_for_impl();
        Self {
            common,
            signature,
            krate,
            private,
            vis: signature.function.vis.to_token_stream(),
            name: signature.name(),
            cfgs: attributes(signature, |name| name == "cfg"),
            args: quote!((#(#arguments,)*)),
            output,
            returned,
            inputs,
            parameters,
            impl_generics: impl_generics.to_token_stream(),
            ty_generics: ty_generics.to_token_stream(),
            where_clause: where_clause.to_token_stream(),
        }
    }

    /// The user's attributes that make sense on the function that callers see.
    pub(crate) fn public_attributes(&self) -> TokenStream {
        attributes(self.signature, |name| {
            matches!(
                name,
                "cfg" | "doc" | "deprecated" | "must_use" | "allow" | "warn" | "deny" | "forbid"
            )
        })
    }

    pub(crate) fn turbofish(&self) -> TokenStream {
        let (_, ty_generics, _) = self.signature.generics.split_for_impl();
        ty_generics.as_turbofish().to_token_stream()
    }

    /// The user's own function, as `call`.
    pub(crate) fn call(&self) -> TokenStream {
        let Self { signature, vis, .. } = self;
        let attributes = attributes(signature, |name| {
            !matches!(name, "cfg" | "doc" | "deprecated" | "must_use")
        });
        let mut sig = signature.function.sig.clone();
        sig.ident = Ident::new("call", sig.ident.span());
        sig.generics = Default::default();
        if !signature.lifetimes.is_empty() {
            sig.generics.params = signature.lifetimes.iter().cloned().collect();
        }
        let body = &signature.function.body;
        quote!(#attributes #vis #sig #body)
    }

    /// The field that uses the type parameters, and its value.
    pub(crate) fn marker(&self) -> (TokenStream, TokenStream) {
        let types: Vec<&Ident> = self
            .signature
            .generics
            .type_params()
            .map(|parameter| &parameter.ident)
            .collect();
        if types.is_empty() {
            return Default::default();
        }
        (
            quote!(marker_: ::core::marker::PhantomData<fn() -> (#(#types,)*)>,),
            quote!(marker_: ::core::marker::PhantomData),
        )
    }

    /// What the user's function is called with inside `run`, and the lines before.
    pub(crate) fn call_arguments(&self, flow: bool) -> (TokenStream, Vec<TokenStream>) {
        let private = &self.private;
        let (context, resource) = if flow {
            (quote!(flow_context), quote!(flow_resource))
        } else {
            (quote!(task_context), quote!(resource))
        };
        let mut inputs = input_values().into_iter();
        let arguments =
            self.signature
                .parameters
                .iter()
                .filter_map(|parameter| match &parameter.passing {
                    Passing::ByRef(_) => inputs.next().map(|input| quote!(#input.get())),
                    Passing::ByValue(_) => inputs.next().map(|input| quote!(#input.take())),
                    Passing::Context => Some(quote!(&context_)),
                    Passing::Resource(ty) => Some(quote!(#private::#resource::<#ty>()?)),
                    Passing::Unknown => None,
                });
        let arguments = arguments.collect();
        let context = self
            .signature
            .takes_context()
            .then(|| quote!(let context_ = #private::#context();));
        (context.to_token_stream(), arguments)
    }

    /// Refuses a `Result` under another name.
    pub(crate) fn result_check(&self) -> TokenStream {
        let Self {
            private,
            cfgs,
            returned,
            signature,
            ..
        } = self;
        if signature.returns.is_result || !signature.returns.is_written || signature.is_generic() {
            return TokenStream::new();
        }
        if matches!(returned, Type::Tuple(tuple) if tuple.elems.is_empty()) {
            return TokenStream::new();
        }
        quote_spanned! {returned.span()=>
            #cfgs
            const _: () = ::core::assert!(
                !{ use #private::NotResult as _; <#private::ResultProbe<#returned>>::IS_RESULT },
                "this is a `Result` under another name: its errors would count as results\n\
                 help: write `Result<..>`, or use a name that ends in `Result`",
            );
        }
    }

    pub(crate) fn register(&self, macro_name: TokenStream) -> TokenStream {
        let Self {
            private,
            cfgs,
            name,
            signature,
            ..
        } = self;
        if signature.is_generic() {
            return TokenStream::new();
        }
        quote!(#cfgs #private::#macro_name!(#name);)
    }

    /// `definition()`, with the fields that differ from the defaults.
    pub(crate) fn definition(
        &self,
        ty: TokenStream,
        shown_name: &str,
        before: TokenStream,
        fields: Vec<TokenStream>,
    ) -> TokenStream {
        let Self {
            private,
            common,
            signature,
            ..
        } = self;
        let mut all = Vec::new();
        let parameters: Vec<TokenStream> = signature
            .parameters
            .iter()
            .map(|parameter| self.parameter(parameter))
            .collect();
        if !parameters.is_empty() {
            all.push(quote!(parameters: &[#(#parameters),*]));
        }
        if signature.returns.is_written {
            let returns = written(self.returned);
            all.push(quote!(returns: #returns));
        }
        if !common.doc.is_empty() {
            let doc = &common.doc;
            all.push(quote!(doc: #doc));
        }
        let fingerprint = Literal::byte_string(&common.fingerprint);
        all.push(quote!(fingerprint: #fingerprint));
        all.extend(fields);
        quote! {
            fn definition() -> &'static #private::#ty {
                #before
                static DEFINITION: #private::#ty = #private::#ty {
                    #(#all,)*
                    ..#private::#ty::new(
                        #shown_name,
                        ::core::module_path!(),
                        ::core::file!(),
                        ::core::line!(),
                        ::core::env!("CARGO_PKG_NAME"),
                    )
                };
                &DEFINITION
            }
        }
    }

    fn parameter(&self, parameter: &crate::signature::Parameter) -> TokenStream {
        let private = &self.private;
        let name = parameter.name.unraw().to_string();
        let ty = written(&parameter.ty);
        let passing = match &parameter.passing {
            Passing::ByRef(_) => quote!(ByRef),
            Passing::ByValue(_) | Passing::Unknown => quote!(ByValue),
            Passing::Context => quote!(Context),
            Passing::Resource(_) => quote!(Resource),
        };
        let key = match parameter
            .key
            .as_ref()
            .map_or(KeyPart::Value, |key| key.value)
        {
            KeyPart::Value => quote!(Value),
            KeyPart::Skip => quote!(Skip),
            KeyPart::Path => quote!(Path),
            KeyPart::With => quote!(With),
        };
        quote! {
            #private::Parameter {
                name: #name,
                ty: #ty,
                passing: #private::ParameterPassing::#passing,
                key: #private::KeyPart::#key,
            }
        }
    }

    pub(crate) fn hooks(&self, hooks: &[Hook]) -> Option<TokenStream> {
        let private = &self.private;
        let hooks = hooks.iter().map(|hook| {
            let (on, function) = (Ident::new(hook.on, Span::call_site()), &hook.function);
            quote!((#private::HookOn::#on, #function))
        });
        let hooks: Vec<TokenStream> = hooks.collect();
        (!hooks.is_empty()).then(|| quote!(hooks: &[#(#hooks),*]))
    }
}

/// The attributes of the user's function that are wanted, by name.
fn attributes(signature: &Signature, wanted: impl Fn(&str) -> bool) -> TokenStream {
    let attributes = signature.function.attributes.iter().filter(|attribute| {
        wanted(
            &attribute
                .path()
                .get_ident()
                .map(Ident::to_string)
                .unwrap_or_default(),
        )
    });
    quote!(#(#attributes)*)
}

/// `args_.0`, `args_.1` and so on.
fn input_values() -> impl IntoIterator<Item = TokenStream> {
    (0..).map(|i| {
        let i = Literal::usize_unsuffixed(i);
        quote!(args_.#i)
    })
}

/// The name of the arguments where there are any.
pub(crate) fn args_name(parts: &Parts<'_>) -> TokenStream {
    if parts.inputs.is_empty() || !parts.signature.is_sound {
        quote!(_)
    } else {
        quote!(args_)
    }
}

/// What a body is that cannot be written because of an error. Uses what it is given, so that no
/// warning is added.
pub(crate) fn unreachable(unused: &[&Ident]) -> TokenStream {
    if unused.is_empty() {
        return quote!(::core::unreachable!());
    }
    quote!(let _ = (#(#unused,)*); ::core::unreachable!())
}

/// The span of generated code that stands at a place of the user's, which errors underline.
pub(crate) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The future that `run` returns. If the body is not `Send`, the user's `async` is underlined.
pub(crate) fn run_future(parts: &Parts<'_>, result: TokenStream) -> TokenStream {
    let written = parts.signature.function.sig.asyncness;
    let span = written.map_or_else(Span::call_site, |token| located(token.span));
    quote_spanned! {span=>
        impl ::core::future::Future<Output = #result> + ::core::marker::Send
    }
}

/// Turns what the user's function returned into what the runtime takes.
fn settle(parts: &Parts<'_>, value: TokenStream) -> TokenStream {
    if parts.signature.returns.is_result {
        quote!(Self::settle_(#value))
    } else {
        quote!(::core::result::Result::Ok(#value))
    }
}

fn settle_function(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private,
        output,
        returned,
        ..
    } = parts;
    if !parts.signature.returns.is_result {
        return TokenStream::new();
    }
    let error = quote!(<#returned as #private::TaskResult>::Error);
    let (retry_if, retry_if_value) = match &task.args.retry_if {
        None => (TokenStream::new(), quote!(::core::option::Option::None)),
        Some(retry_if) => {
            let path = &retry_if.value;
            // A `let` of its own, so that the wrong function is underlined and both types shown.
            let retry_if = quote_spanned! {located(path.span())=>
                let retry_if_: ::core::option::Option<fn(&#error) -> bool> =
                    ::core::option::Option::Some(#path);
            };
            (retry_if, quote!(retry_if_))
        }
    };
    quote! {
        fn settle_(result_: #returned) -> ::core::result::Result<#output, #private::Failure> {
            let classify_ = { use #private::NoClassify as _; <#private::ErrorProbe<#error>>::CLASSIFY };
            #retry_if
            #private::settle(result_, classify_, #retry_if_value)
        }
    }
}

fn stubs(parts: &Parts<'_>) -> TokenStream {
    let Parts {
        krate,
        private,
        vis,
        returned,
        signature,
        ..
    } = parts;
    let args = args_name(parts);
    let mut values = input_values().into_iter();
    let (mut sync, mut asynchronous, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
    let mut borrows = false;
    for parameter in &signature.parameters {
        let ty = &parameter.ty;
        match &parameter.passing {
            Passing::ByRef(_) => {
                borrows = true;
                sync.push(ty.to_token_stream());
                asynchronous.push(with_lifetime(ty));
                arguments.extend(values.next().map(|value| quote!(#value.get())));
            }
            Passing::ByValue(_) => {
                sync.push(ty.to_token_stream());
                asynchronous.push(ty.to_token_stream());
                arguments.extend(values.next().map(|value| quote!(#value.take())));
            }
            Passing::Unknown | Passing::Context | Passing::Resource(_) => {}
        }
    }
    let (binder, lifetime) = if borrows {
        (quote!(for<'a_>), quote!('a_))
    } else {
        (quote!(), quote!('static))
    };
    let body = settle(parts, quote!(stub_(#(#arguments),*)));
    let async_body = settle(parts, quote!(stub_(#(#arguments),*).await));
    let (body, async_body) = if signature.is_sound {
        (
            quote!(#private::stub::<Self>(move |#args| #body)),
            quote! {
                let stub_ = ::std::sync::Arc::new(stub_);
                #private::stub_async::<Self>(move |#args| {
                    let stub_ = ::std::sync::Arc::clone(&stub_);
                    ::std::boxed::Box::pin(async move { #async_body })
                })
            },
        )
    } else {
        let stub = Ident::new("stub_", Span::call_site());
        (unreachable(&[&stub]), unreachable(&[&stub]))
    };
    let (stub, stub_async) = if signature.is_sound {
        (
            quote! {
                impl ::core::ops::Fn(#(#sync),*) -> #returned
                    + ::core::marker::Send + ::core::marker::Sync + 'static
            },
            quote! {
                impl #binder ::core::ops::Fn(#(#asynchronous),*) -> #krate::BoxFuture<#lifetime, #returned>
                    + ::core::marker::Send + ::core::marker::Sync + 'static
            },
        )
    } else {
        (
            quote!(impl ::core::marker::Sized),
            quote!(impl ::core::marker::Sized),
        )
    };
    quote! {
        #vis fn stub(stub_: #stub) -> #krate::Stub {
            #body
        }

        #vis fn stub_async(stub_: #stub_async) -> #krate::Stub {
            #async_body
        }
    }
}

/// `&T` as `&'a_ T`.
fn with_lifetime(ty: &Type) -> TokenStream {
    match ty {
        Type::Reference(reference) => {
            let inner = &reference.elem;
            quote!(&'a_ #inner)
        }
        Type::Group(group) => with_lifetime(&group.elem),
        Type::Paren(paren) => with_lifetime(&paren.elem),
        other => other.to_token_stream(),
    }
}

fn run(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private,
        name,
        impl_generics,
        ty_generics,
        where_clause,
        signature,
        ..
    } = parts;
    let (context, arguments) = parts.call_arguments(false);
    let args = args_name(parts);
    let result = quote!(::core::result::Result<Self::Output, #private::Failure>);
    if task.kind == Kind::Async {
        let body = if signature.is_sound {
            let value = settle(parts, quote!(Self::call(#(#arguments),*).await));
            quote!(#context #value)
        } else {
            unreachable(&[])
        };
        let future = run_future(parts, result);
        return quote! {
            impl #impl_generics #private::AsyncTask for #name #ty_generics #where_clause {
                fn run(#args: Self::Args) -> #future {
                    async move { #body }
                }
            }
        };
    }
    let body = if signature.is_sound {
        let value = settle(parts, quote!(Self::call(#(#arguments),*)));
        quote!(#context #value)
    } else {
        unreachable(&[])
    };
    quote! {
        impl #impl_generics #private::SyncTask for #name #ty_generics #where_clause {
            fn run(#args: Self::Args) -> #result {
                #body
            }
        }
    }
}

/// Underlines a result type that cannot be stored though the task is cached.
fn storable_check(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private,
        output,
        returned,
        cfgs,
        signature,
        ..
    } = parts;
    if task.args.cache.is_none() || signature.is_generic() {
        return TokenStream::new();
    }
    quote_spanned! {returned.span()=>
        #cfgs
        const _: fn() = #private::assert_storable::<#output>;
    }
}

fn task_definition(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let Parts {
        private,
        output,
        signature,
        returned,
        ..
    } = parts;
    let args = &task.args;
    let mut fields = Vec::new();
    match task.kind {
        Kind::Async => {}
        Kind::Blocking => fields.push(quote!(kind: #private::Kind::Blocking)),
        Kind::Inline => fields.push(quote!(kind: #private::Kind::Inline)),
    }
    fields.extend(version(args.version.as_ref()));
    if let Some(id) = &args.id {
        fields.push(quote!(id: ::core::option::Option::Some(#id)));
    }
    let mut before = TokenStream::new();
    if !signature.is_generic() {
        fields.push(quote! {
            storable: { use #private::NotStorable as _; <#private::StorableProbe<#output>>::STORABLE }
        });
    } else if args.cache.is_some() {
        before = quote_spanned! {returned.span()=>
            let _: fn() = #private::assert_storable::<#output>;
        };
        fields.push(quote!(storable: true));
    }
    fields.extend(tags(&args.tags));
    fields.extend(retries(args.retries));
    if let Some(backoff) = &args.backoff {
        let backoff = backoff_tokens(backoff, private);
        fields.push(quote!(backoff: #backoff));
    }
    for (name, clock) in [
        ("timeout", &args.timeout),
        ("queue_timeout", &args.queue_timeout),
        ("deadline", &args.deadline),
        ("heartbeat", &args.heartbeat),
    ] {
        fields.extend(duration_field(
            name,
            clock.as_ref().map(|clock| clock.value),
        ));
    }
    if args
        .on_timeout
        .as_ref()
        .is_some_and(|on| on.value == OnTimeout::Abandon)
    {
        fields.push(quote!(on_timeout: #private::OnTimeout::Abandon));
    }
    if !args.limits.is_empty() {
        let limits = args.limits.iter().map(|limit| {
            let (name, weight) = (&limit.name, Literal::u32_unsuffixed(limit.weight));
            quote!(#private::LimitUse::new(#name, #weight))
        });
        fields.push(quote!(limits: &[#(#limits),*]));
    }
    if args.allow_failure {
        fields.push(quote!(allow_failure: true));
    }
    if let Some(priority) = args.priority {
        let priority = Literal::i32_unsuffixed(priority);
        fields.push(quote!(priority: #priority));
    }
    fields.extend(parts.hooks(&args.hooks));
    if let Some(cache) = &args.cache {
        let cache = match cache.value {
            Cache::Global => quote!(Global),
            Cache::GlobalFor(age) => {
                let age = duration_tokens(age);
                quote!(GlobalFor(#age))
            }
            Cache::Run => quote!(Run),
        };
        fields.push(quote!(cache: #private::CacheOption::#cache));
    }
    if let Some((name, _)) = &task.name {
        fields.push(quote!(name_template: ::core::option::Option::Some(#name)));
    }
    let shown_name = parts.name.unraw().to_string();
    parts.definition(quote!(Definition), &shown_name, before, fields)
}

pub(crate) fn version(version: Option<&LitStr>) -> Option<TokenStream> {
    version.map(|version| quote!(version: ::core::option::Option::Some(#version)))
}

pub(crate) fn tags(tags: &[LitStr]) -> Option<TokenStream> {
    (!tags.is_empty()).then(|| quote!(tags: &[#(#tags),*]))
}

pub(crate) fn retries(retries: Option<u32>) -> Option<TokenStream> {
    let retries = Literal::u32_unsuffixed(retries.filter(|retries| *retries > 0)?);
    Some(quote!(retries: #retries))
}

pub(crate) fn duration_field(name: &str, nanos: Option<u64>) -> Option<TokenStream> {
    let (name, duration) = (Ident::new(name, Span::call_site()), duration_tokens(nanos?));
    Some(quote!(#name: ::core::option::Option::Some(#duration)))
}

fn duration_tokens(nanos: u64) -> TokenStream {
    let nanos = Literal::u64_unsuffixed(nanos);
    quote!(::core::time::Duration::from_nanos(#nanos))
}

fn backoff_tokens(backoff: &Backoff, private: &TokenStream) -> TokenStream {
    let nanos = |nanos: &u64| Literal::u64_unsuffixed(*nanos);
    let delays = match &backoff.delays {
        Delays::Fixed(delay) => {
            let delay = nanos(delay);
            quote!(fixed(#delay))
        }
        Delays::List(delays) => {
            let delays = delays.iter().map(nanos);
            quote!(list(&[#(#delays),*]))
        }
        Delays::Exponential { base, cap, factor } => {
            let (base, cap, factor) = (nanos(base), nanos(cap), Literal::f64_unsuffixed(*factor));
            quote!(exponential(#base, #cap, #factor))
        }
    };
    let jitter = backoff.jitter.map(|share| {
        let share = Literal::f64_unsuffixed(share);
        quote!(.jitter(#share))
    });
    quote!(#private::Backoff::#delays #jitter)
}

fn label(task: &Task) -> TokenStream {
    let Some((literal, template)) = &task.name else {
        return TokenStream::new();
    };
    let (args, label) = format(literal, template);
    quote! {
        fn label(#args: &Self::Args) -> ::core::option::Option<::std::string::String> {
            ::core::option::Option::Some(#label)
        }
    }
}

/// The limits with their parameters filled in, where there are any.
fn limits(task: &Task, parts: &Parts<'_>) -> TokenStream {
    let private = &parts.private;
    if task
        .limit_names
        .iter()
        .all(|template| template.inputs.is_empty())
    {
        return TokenStream::new();
    }
    let uses = task
        .args
        .limits
        .iter()
        .zip(&task.limit_names)
        .map(|(limit, template)| {
            let weight = Literal::u32_unsuffixed(limit.weight);
            let (_, name) = format(&limit.name, template);
            quote!(#private::LimitUse::named(#name, #weight))
        });
    quote! {
        fn limits(args_: &Self::Args) -> ::std::vec::Vec<#private::LimitUse> {
            ::std::vec![#(#uses),*]
        }
    }
}

/// The name of the arguments, and the template filled in from them.
fn format(literal: &LitStr, template: &Template) -> (TokenStream, TokenStream) {
    let span = located(literal.span());
    let format = LitStr::new(&template.format, span);
    if template.inputs.is_empty() {
        return (quote!(_), quote!(::std::format!(#format)));
    }
    let inputs = template.inputs.iter().map(|i| {
        let i = Literal::usize_unsuffixed(*i);
        quote_spanned!(span=> args_.#i.peek())
    });
    (
        quote!(args_),
        quote_spanned!(span=> ::std::format!(#format, #(#inputs),*)),
    )
}
