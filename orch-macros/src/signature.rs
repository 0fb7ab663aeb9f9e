//! What a task or a flow takes and returns.

mod borrow;
mod reader;
mod written;

pub(crate) use self::written::written;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{FnArg, GenericParam, Generics, PathSegment, Type, Visibility};

use crate::attr::{Attribute, KeyPart, Keyed};
use crate::errors::{Errors, error};

use self::reader::{Reader, check_qualifiers, generics, is_tracked};

/// The most inputs that the runtime's `Arguments` is implemented for.
const MAX_INPUTS: usize = 12;

/// A function as the user wrote it. Its body stays tokens: the compiler reports what is wrong in
/// there, and does it better.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: syn::Signature,
    pub(crate) body: TokenTree,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(syn::token::Brace) {
            return Err(input.error("expected a function with a body"));
        }
        Ok(Self {
            attributes,
            vis,
            sig,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// Reads a function, or says that the item is none.
    pub(crate) fn read(attribute: Attribute, item: TokenStream) -> syn::Result<Self> {
        let error = match syn::parse2(item.clone()) {
            Ok(function) => return Ok(function),
            Err(error) => error,
        };
        let is_other = matches!(syn::parse2(item), Ok(other) if !matches!(other, syn::Item::Fn(_)));
        if !is_other {
            return Err(error);
        }
        let message = format!(
            "`{}` makes something of a function, and this is none\n\
             help: put it before a `fn`",
            attribute.written()
        );
        Err(syn::Error::new(error.span(), message))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attributes,
            vis,
            sig,
            body,
        } = self;
        tokens.extend(quote!(#(#attributes)* #vis #sig #body));
    }
}

/// A signature that a task or a flow can have.
pub(crate) struct Signature {
    /// The user's function without what only the macro understands; the body of `call`.
    pub(crate) function: Function,
    /// The lifetimes of `function`, which are a mistake.
    pub(crate) lifetimes: Vec<GenericParam>,
    /// The type and const parameters, with the bounds that a task needs.
    pub(crate) generics: Generics,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    /// Whether the function can be called with what the parameters say. If not, there was an
    /// error, and the generated bodies are never run.
    pub(crate) is_sound: bool,
}

/// A parameter of a task or a flow.
pub(crate) struct Parameter {
    /// Its name, or a made-up one for a pattern.
    pub(crate) name: Ident,
    /// Its type as written.
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    pub(crate) key: Option<Keyed<KeyPart>>,
}

/// How the body gets a parameter.
pub(crate) enum Passing {
    /// The value is of this type, the body borrows it.
    ByRef(Type),
    ByValue(Type),
    Context,
    /// The type inside `Resource<..>`.
    Resource(Type),
    /// It cannot be passed; there was an error.
    Unknown,
}

/// A return type.
pub(crate) struct Returns {
    /// As written, or `()`.
    pub(crate) ty: Type,
    /// Whether it was written.
    pub(crate) is_written: bool,
    /// Whether it is called something with `Result`.
    pub(crate) is_result: bool,
    /// The value and the error, as far as they are written: `Result<T, E>`, `io::Result<T>`.
    pub(crate) parts: (Option<Type>, Option<Type>),
}

impl Parameter {
    /// The trait of what can be passed for it.
    pub(crate) fn input_trait(&self) -> Ident {
        let name = if self.input().is_some_and(is_tracked) {
            "TrackedInput"
        } else {
            "Input"
        };
        Ident::new(name, Span::call_site())
    }

    /// The type of the value that is passed in.
    pub(crate) fn input(&self) -> Option<&Type> {
        match &self.passing {
            Passing::ByRef(ty) | Passing::ByValue(ty) => Some(ty),
            _ => None,
        }
    }
}

impl Signature {
    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.sig.asyncness.is_some()
    }

    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    pub(crate) fn takes_context(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| matches!(parameter.passing, Passing::Context))
    }

    /// Whether the body may ask its context for something that differs from run to run, the seed
    /// above all: it does, or it hands the context on.
    pub(crate) fn may_use_seed(&self) -> bool {
        let context = self
            .parameters
            .iter()
            .find(|parameter| matches!(parameter.passing, Passing::Context));
        context
            .is_some_and(|context| is_handed_on(self.function.body.clone().into(), &context.name))
    }

    /// Reads a function; `None` if calls of the generated one could not be type-checked.
    pub(crate) fn read(
        attribute: Attribute,
        mut function: Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        let kind = if attribute == Attribute::Flow {
            "flow"
        } else {
            "task"
        };
        if let Some(receiver) = function.sig.receiver() {
            errors.push(error(
                receiver,
                format_args!("a {kind} is a free function, it cannot take `self`"),
                "move the body to a function and pass what it needs, as an argument or a \
                 `Resource<T>`",
            ));
            return None;
        }
        if let Some(variadic) = &function.sig.variadic {
            errors.push(error(
                variadic,
                format_args!("a {kind} has a fixed number of parameters"),
                "take a `Vec`",
            ));
            return None;
        }
        check_qualifiers(kind, &mut function.sig, errors);
        let mut reader = Reader {
            attribute,
            kind,
            lifetimes: function
                .sig
                .generics
                .lifetimes()
                .map(|p| p.lifetime.clone())
                .collect(),
            is_sound: true,
            errors,
        };
        let lifetimes = reader.lifetimes(&function.sig.generics);
        let mut parameters = Vec::new();
        for (i, argument) in function.sig.inputs.iter_mut().enumerate() {
            if let FnArg::Typed(argument) = argument {
                parameters.push(reader.parameter(i, argument));
            }
        }
        let returns = reader.returns(&function.sig.output);
        let is_sound = reader.is_sound;
        let generics = generics(&function.sig.generics);
        let inputs = parameters
            .iter()
            .filter(|parameter| parameter.input().is_some());
        if let Some(parameter) = inputs.clone().nth(MAX_INPUTS) {
            errors.push(error(
                &parameter.name,
                format_args!("a {kind} has at most {MAX_INPUTS} inputs, this is one more"),
                "put some of them into a struct",
            ));
            return None;
        }
        let returns = returns?;
        Some(Self {
            function,
            lifetimes,
            generics,
            parameters,
            returns,
            is_sound,
        })
    }
}

/// The type without parentheses and invisible groups.
pub(crate) fn peeled(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peeled(&group.elem),
        Type::Paren(paren) => peeled(&paren.elem),
        other => other,
    }
}

/// The last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peeled(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// What a body may do with its context without coming to another result by it.
const HARMLESS: [&str; 11] = [
    "attempt",
    "name",
    "flow_run",
    "index",
    "is_cancelled",
    "cancelled",
    "cancel_token",
    "heartbeat",
    "checkpoint",
    "restore",
    "step",
];

/// Whether a name is used for anything but calls of harmless methods.
fn is_handed_on(tokens: TokenStream, name: &Ident) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Group(group) => is_handed_on(group.stream(), name),
        TokenTree::Ident(ident) if ident == name => {
            let method = match (tokens.get(i + 1), tokens.get(i + 2)) {
                (Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(method)))
                    if dot.as_char() == '.' =>
                {
                    method.to_string()
                }
                _ => return true,
            };
            !HARMLESS.contains(&method.as_str())
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_written(source: &str, expected: &str) {
        let ty: Type = syn::parse_str(source).unwrap();
        assert_eq!(written(&ty), expected);
    }

    #[test]
    fn types_are_written_without_odd_spaces() {
        for ty in [
            "&Dataset",
            "f64",
            "()",
            "(A,)",
            "(A, B)",
            "&'static str",
            "&'static [u8]",
            "&[u8]",
            "[u8; 4]",
            "Result<Vec<u8>, MlError>",
            "std::collections::BTreeMap<String, Vec<f64>>",
            "::std::vec::Vec<T>",
            "<T as Model>::Params",
            "Box<dyn Fn(&str) -> bool + Send + 'static>",
            "Box<dyn for<'a> Fn(&'a str) -> &'a str>",
            "Box<dyn Iterator<Item = u8>>",
            "fn(u8, &u8) -> u8",
            "*const u8",
            "Matrix<3, -1>",
            "impl Into<String>",
        ] {
            check_written(ty, ty);
        }
        check_written("Result < u8 , String , >", "Result<u8, String>");
    }
}
