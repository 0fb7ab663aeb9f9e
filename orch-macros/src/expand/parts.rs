//! What tasks and flows have in common: arguments, generics, results.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use crate::attr::{Attribute, Hook, KeyPart};
use crate::signature::{Parameter, Passing, Signature, peeled, written};
use crate::validate::{Common, Task};

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
        let is_result = is_result(signature, &private);
        let output = match &signature.returns.parts.0 {
            Some(value) => value.to_token_stream(),
            None if signature.returns.is_result => {
                quote_spanned!(returned.span()=> <#is_result as #private::Split<#returned>>::Value)
            }
            None => returned.to_token_stream(),
        };
        let mut inputs = Vec::new();
        let mut parameters = Vec::new();
        for parameter in &signature.parameters {
            let (name, input) = (&parameter.name, parameter.input_trait());
            match &parameter.passing {
                // Whatever its calls pass, one error is enough.
                Passing::ByRef(_) | Passing::ByValue(_) | Passing::Unknown
                    if !signature.is_sound =>
                {
                    parameters.push(quote!(#name: impl ::core::marker::Sized));
                    inputs.push(name);
                }
                Passing::ByRef(ty) => {
                    parameters.push(quote!(#name: impl #krate::#input<#ty, #krate::ByRef>));
                    inputs.push(name);
                }
                Passing::ByValue(ty) => {
                    parameters.push(quote!(#name: impl #krate::#input<#ty, #krate::ByValue>));
                    inputs.push(name);
                }
                Passing::Unknown | Passing::Context | Passing::Resource(_) => {}
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
        let written = attributes(self.signature, |name| {
            matches!(
                name,
                "cfg" | "doc" | "deprecated" | "must_use" | "allow" | "warn" | "deny" | "forbid"
            )
        });
        // Unused in the user's function, used in this one.
        let allowed = self
            .inputs
            .iter()
            .any(|input| input.to_string().starts_with('_'))
            .then(|| quote!(#[allow(clippy::used_underscore_binding)]));
        quote!(#written #allowed)
    }

    pub(crate) fn turbofish(&self) -> TokenStream {
        let (_, ty_generics, _) = self.signature.generics.split_for_impl();
        ty_generics.as_turbofish().to_token_stream()
    }

    /// The user's own function, as `call`, and what else is for the compiler to check.
    pub(crate) fn call(&self, check: TokenStream) -> TokenStream {
        let Self {
            signature,
            vis,
            name,
            cfgs,
            ..
        } = self;
        let Self {
            impl_generics,
            ty_generics,
            where_clause,
            ..
        } = self;
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
        quote! {
            #cfgs
            #[allow(
                dead_code,
                missing_docs,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
            )]
            impl #impl_generics #name #ty_generics #where_clause {
                #attributes #vis #sig #body
                #check
            }
        }
    }

    /// A call of the macro of `orch-core` that makes the rest.
    pub(crate) fn rest(&self, macro_name: &str, kind: &Ident, tokens: &TokenStream) -> TokenStream {
        let macro_name = Ident::new(macro_name, Span::call_site());
        let Self {
            vis,
            name,
            impl_generics,
            ty_generics,
            where_clause,
            signature,
            ..
        } = self;
        let types = signature
            .generics
            .type_params()
            .map(|parameter| &parameter.ident);
        quote! {
            #macro_name! {
                #vis #kind #name [#impl_generics] [#ty_generics] [#(#types)*] [#where_clause]
                #tokens
            }
        }
    }

    /// The same for a signature that has an error.
    pub(crate) fn broken_rest(&self, macro_name: &str) -> TokenStream {
        let Self { inputs, output, .. } = self;
        let kind = Ident::new("Broken", Span::call_site());
        self.rest(macro_name, &kind, &quote!((#(#inputs),*) -> #output;))
    }

    /// The type of the error in the return type.
    pub(super) fn error(&self) -> TokenStream {
        let Self {
            private,
            returned,
            signature,
            ..
        } = self;
        match &signature.returns.parts.1 {
            Some(error) => error.to_token_stream(),
            None => {
                let is_result = is_result(signature, private);
                quote_spanned!(returned.span()=> <#is_result as #private::Split<#returned>>::Error)
            }
        }
    }

    /// The return type, the value in it, and how to turn it into a result.
    pub(crate) fn returns(&self, settle: &str) -> TokenStream {
        let Self {
            private,
            returned,
            output,
            signature,
            ..
        } = self;
        if !signature.returns.is_result {
            return quote!(#returned as #output, []);
        }
        let (is_result, error) = (is_result(signature, private), self.error());
        // An error that is none is underlined.
        let span = signature
            .returns
            .parts
            .1
            .as_ref()
            .unwrap_or(returned)
            .span();
        let settle = Ident::new(settle, Span::call_site());
        let (settle, end) = (
            at(span, quote!(#private::#settle::<)),
            at(span, quote!(, _>)),
        );
        quote!(#returned as #output, [#is_result, #error, #settle #error #end])
    }

    /// The future that `run` returns, and what it calls the user's function with.
    ///
    /// If the body is not `Send`, the user's `async` is underlined.
    pub(crate) fn run(&self, error: &TokenStream) -> TokenStream {
        let Self {
            private,
            signature,
            common,
            ..
        } = self;
        let is_flow = common.attribute == Attribute::Flow;
        let (context, resource) = if is_flow {
            (quote!(flow_context), quote!(flow_resource))
        } else {
            (quote!(task_context), quote!(resource))
        };
        let arguments = signature.parameters.iter().filter_map(|parameter| {
            let name = &parameter.name;
            match &parameter.passing {
                Passing::ByRef(_) | Passing::ByValue(_) => Some(quote!(#name.pass())),
                Passing::Context => Some(quote!(&#private::#context())),
                Passing::Resource(ty) => Some(quote!(#private::#resource::<#ty>()?)),
                Passing::Unknown => None,
            }
        });
        let written = signature.function.sig.asyncness.map(|token| token.span);
        let span = written.map_or_else(Span::call_site, located);
        let future = written.is_some().then(|| {
            quote_spanned! {span=>
                impl ::core::future::Future<
                    Output = ::core::result::Result<Self::Output, #error>,
                > + ::core::marker::Send
            }
        });
        // With this token, messages place the futures where the user's function is.
        let asynchronous = quote_spanned!(span=> async);
        quote!(run #asynchronous [#future] (#(#arguments),*))
    }

    /// Refuses a `Result` under another name, and a value that is called `Result`.
    pub(crate) fn result_check(&self) -> TokenStream {
        let Self {
            private,
            cfgs,
            returned,
            signature,
            ..
        } = self;
        let returns = &signature.returns;
        let is_clear = returns.parts.0.is_some()
            || !returns.is_written
            || signature.is_generic()
            || matches!(returned, Type::Tuple(tuple) if tuple.elems.is_empty());
        if is_clear {
            return TokenStream::new();
        }
        let is_result = quote! {
            { use #private::NotResult as _; <#private::ResultProbe<#returned>>::IS_RESULT }
        };
        let check = if returns.is_result {
            let name = written(returned).replace('{', "{{").replace('}', "}}");
            let message = format!(
                "`{name}` is called a result and is none\n\
                 help: if it is a plain value, write `impl orch_core::PlainResult for {name} {{{{}}}}`"
            );
            quote! {
                assert!(
                    #is_result
                        || { use #private::NotPlain as _; <#private::PlainProbe<#returned>>::IS_PLAIN },
                    #message,
                );
            }
        } else {
            quote! {
                assert!(
                    !#is_result,
                    "this is a `Result` under another name: its errors would count as results\n\
                     help: write `Result<..>`, or use a name that ends in `Result`",
                );
            }
        };
        let check = at(returned.span(), quote!(::core::#check));
        quote! {
            #cfgs
            const _: () = #check
        }
    }

    /// The tuple of arguments. One that cannot be passed on has the user's parentheses underlined.
    pub(crate) fn args(&self) -> TokenStream {
        let private = &self.private;
        let arguments =
            self.signature
                .parameters
                .iter()
                .filter_map(|parameter| match &parameter.passing {
                    Passing::ByRef(ty) => Some(quote!(#private::Shared<#ty>)),
                    Passing::ByValue(ty) => Some(quote!(#private::Owned<#ty>)),
                    Passing::Context | Passing::Resource(_) | Passing::Unknown => None,
                });
        let parentheses = self.signature.function.sig.paren_token.span.join();
        at(parentheses, quote!((#(#arguments,)*)))
    }

    /// The parameters, and the fields of the definition that differ from the defaults.
    pub(crate) fn definition(&self, shown_name: &str, fields: Vec<TokenStream>) -> TokenStream {
        let Self {
            common, signature, ..
        } = self;
        let parameters = signature.parameters.iter().map(parameter);
        let mut all = Vec::new();
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
        quote!(definition #shown_name [#(#parameters),*] { #(#all,)* })
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
pub(super) fn attributes(signature: &Signature, wanted: impl Fn(&str) -> bool) -> TokenStream {
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

/// How a parameter is passed, its part in the key, its name and its type.
pub(super) fn parameter(parameter: &Parameter) -> TokenStream {
    let name = parameter.name.unraw().to_string();
    let ty = written(&parameter.ty);
    let passing = match &parameter.passing {
        Passing::ByRef(_) => quote!(ByRef),
        Passing::ByValue(_) | Passing::Unknown => quote!(ByValue),
        Passing::Context => quote!(Context),
        Passing::Resource(_) => quote!(Resource),
    };
    let key = match parameter.key.as_ref().map(|key| &key.value) {
        None => quote!(Value),
        Some(KeyPart::Skip) => quote!(Skip),
        Some(KeyPart::Path) => quote!(Path),
        Some(KeyPart::With(_)) => quote!(With),
    };
    quote!(#passing #key #name #ty)
}

/// The elements of a tuple that a task returns, which are stored one by one: place and type.
pub(super) fn elements(task: &Task, parts: &Parts<'_>) -> Vec<TokenStream> {
    if parts.signature.is_generic() {
        return Vec::new();
    }
    let returns = &task.common.signature.returns;
    let value = match (&returns.parts.0, returns.is_result) {
        (Some(value), _) => value,
        (None, false) => &returns.ty,
        (None, true) => return Vec::new(),
    };
    let Type::Tuple(tuple) = peeled(value) else {
        return Vec::new();
    };
    // As many as `unzip` takes apart.
    if !(2..=8).contains(&tuple.elems.len()) {
        return Vec::new();
    }
    let element = |(i, ty)| {
        let place = Literal::usize_unsuffixed(i);
        quote!(#place: #ty)
    };
    tuple.elems.iter().enumerate().map(element).collect()
}

/// Hands one argument over to whoever puts a key together.
pub(super) fn key(
    parameter: &Parameter,
    is_cached: bool,
    private: &TokenStream,
) -> Option<TokenStream> {
    let name = &parameter.name;
    let shown = name.unraw().to_string();
    let part = parameter.key.as_ref().map(|key| &key.value);
    let probe =
        |ty: &Type| quote!({ use #private::NoDigest as _; <#private::DigestProbe<#ty>>::DIGEST });
    match (&parameter.passing, part) {
        (Passing::ByRef(ty) | Passing::ByValue(ty), Some(KeyPart::Skip)) => {
            let digest = probe(ty);
            Some(quote!(keys_.skip::<#ty>(#shown, #name, #digest);))
        }
        (Passing::ByRef(ty) | Passing::ByValue(ty), Some(KeyPart::With(function))) => {
            // A `let` of its own, so that the wrong function is underlined.
            let span = located(function.span());
            let part =
                quote_spanned!(span=> { let part_: fn(&#ty) -> _ = #function; part_(value_) });
            Some(quote! {
                keys_.with::<#ty>(#shown, #name, |value_, files_| {
                    #private::digest_argument(&#part, files_)
                });
            })
        }
        (Passing::ByRef(ty) | Passing::ByValue(ty), _) => {
            let digest = if is_cached {
                // A type whose values have no digest is underlined.
                quote_spanned! {ty.span()=>
                    { use #private::NoOwnDigest as _; <#private::OwnDigestProbe<#ty>>::keyed() }
                }
            } else {
                probe(ty)
            };
            Some(quote!(keys_.value::<#ty>(#shown, #name, #digest);))
        }
        (Passing::Resource(ty), None) if is_cached => {
            let identity = quote_spanned!(ty.span()=> #private::resource_identity::<#ty>());
            Some(quote!(keys_.resource(#shown, || #identity);))
        }
        _ => None,
    }
}

/// What tells whether the return type is a `Result`, as a type: its name says so, or it is asked.
pub(super) fn is_result(signature: &Signature, private: &TokenStream) -> TokenStream {
    let returned = &signature.returns.ty;
    if signature.returns.parts.0.is_some() || signature.is_generic() {
        quote!(#private::IsResult<true>)
    } else {
        quote!(#private::is_result!(#returned))
    }
}

/// Generated code that stands at a place of the user's.
pub(crate) fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let located = located(span);
    let moved = tokens.into_iter().map(|mut token| {
        token.set_span(located);
        token
    });
    moved.collect()
}

/// The span of generated code that stands at a place of the user's, which errors underline.
pub(crate) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// `&T` as `&'a_ T`.
pub(super) fn with_lifetime(ty: &Type) -> TokenStream {
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
