//! What the expansions of tasks and flows have in common.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

use super::returns::is_result;
use super::span::{at, located};
use crate::attr::{Attribute, KeyPart};
use crate::signature::{Parameter, Passing, Signature, written};
use crate::validate::Common;

/// The tokens that tasks and flows have in common.
pub(crate) struct Parts<'a> {
    pub(super) common: &'a Common,
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
    pub(super) returned: &'a Type,
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
            let passed = match &parameter.passing {
                // Whatever its calls pass, one error is enough.
                Passing::ByRef(_) | Passing::ByValue(_) | Passing::Unknown
                    if !signature.is_sound =>
                {
                    quote!(::core::marker::Sized)
                }
                Passing::ByRef(ty) => quote!(#krate::#input<#ty, #krate::ByRef>),
                Passing::ByValue(ty) => quote!(#krate::#input<#ty, #krate::ByValue>),
                Passing::Unknown | Passing::Context | Passing::Resource(_) => continue,
            };
            parameters.push(quote!(#name: impl #passed));
            inputs.push(name);
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

    pub(super) fn turbofish(&self) -> TokenStream {
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

/// How a parameter is passed, its part in the key, its name and its type.
fn parameter(parameter: &Parameter) -> TokenStream {
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
