//! The fields of a definition that differ from the defaults.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned as _;

use super::parts::Parts;
use super::span::located;
use crate::attr::{Cache, Hook, Keep, Keyed, OnTimeout};
use crate::duration::{Backoff, Delays};
use crate::validate::Task;

pub(super) fn task_fields(task: &Task, parts: &Parts<'_>) -> Vec<TokenStream> {
    let private = &parts.private;
    let args = &task.args;
    let mut fields = Vec::new();
    fields.extend(version(args.version.as_ref()));
    if let Some(id) = &args.id {
        fields.push(quote!(id: ::core::option::Option::Some(#id)));
    }
    fields.extend(tags(&args.tags));
    fields.extend(retries(args.retries.as_ref()));
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
    if let Some(Keyed { value, .. }) = &args.limit_on_retry {
        // A `let` of its own, so that only a wrong function is underlined.
        let function = quote_spanned! {located(value.span())=>
            { let function_: #private::LimitOnRetry = #value; function_ }
        };
        fields.push(quote!(limit_on_retry: ::core::option::Option::Some(#function)));
    }
    if let Some(breaker) = &args.breaker {
        fields.push(quote!(breaker: ::core::option::Option::Some(#breaker)));
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
    fields.extend(duration_field(
        "stale_ok",
        args.stale_ok.as_ref().map(|stale| stale.value),
    ));
    if args
        .keep
        .as_ref()
        .is_some_and(|keep| keep.value == Keep::Memory)
    {
        fields.push(quote!(stays_in_memory: true));
    }
    if args.effect.is_some() {
        fields.push(quote!(effect: true));
    }
    if args.cache.is_some() && parts.signature.may_use_seed() {
        fields.push(quote!(is_seeded: true));
    }
    if let Some((name, _)) = &task.name {
        fields.push(quote!(name_template: ::core::option::Option::Some(#name)));
    }
    fields
}

impl Parts<'_> {
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

pub(crate) fn version(version: Option<&LitStr>) -> Option<TokenStream> {
    version.map(|version| quote!(version: ::core::option::Option::Some(#version)))
}

pub(crate) fn tags(tags: &[LitStr]) -> Option<TokenStream> {
    (!tags.is_empty()).then(|| quote!(tags: &[#(#tags),*]))
}

pub(crate) fn retries(retries: Option<&Keyed<u32>>) -> Option<TokenStream> {
    let retries = retries.filter(|retries| retries.value > 0)?;
    let retries = Literal::u32_unsuffixed(retries.value);
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
