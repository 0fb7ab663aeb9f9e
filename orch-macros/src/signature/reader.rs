//! Reading a function: its parameters, its result, what cannot be.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::visit::Visit as _;
use syn::{
    GenericArgument, GenericParam, Generics, Lifetime, Pat, PathArguments, PathSegment, ReturnType,
    Safety, Token, Type, TypeParamBound, WherePredicate, parse_quote,
};

use crate::attr::{Attribute, take_key};
use crate::errors::{Errors, error};

use super::borrow::{Borrow, BorrowFinder};
use super::{Parameter, Passing, Returns, last_segment, peeled};

/// Reports them and takes them off, so that `call` adds no second error.
pub(super) fn check_qualifiers(kind: &str, sig: &mut syn::Signature, errors: &mut Errors) {
    if let Some(constness) = sig.constness.take() {
        errors.push(error(
            constness,
            format_args!("a {kind} runs on an engine, it cannot be `const`"),
            format_args!("call a `const fn` from the {kind}"),
        ));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(error(
            token,
            format_args!("a {kind} is called by the engine, it cannot be `unsafe`"),
            "put an `unsafe` block into the body, and check there what it relies on",
        ));
        sig.safety = Safety::Default;
    }
    if let Some(abi) = sig.abi.take() {
        errors.push(error(
            abi,
            format_args!("a {kind} cannot be `extern`"),
            format_args!("call the `extern` function from the {kind}"),
        ));
    }
}

/// The type and const parameters, each type able to cross threads.
pub(super) fn generics(written: &Generics) -> Generics {
    let mut generics = written.clone();
    generics.params = written
        .params
        .iter()
        .filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
        .cloned()
        .collect();
    if generics.params.is_empty() {
        generics.lt_token = None;
        generics.gt_token = None;
    }
    let mut clause = generics.where_clause.take();
    if let Some(clause) = &mut clause {
        clause.predicates = clause
            .predicates
            .iter()
            .filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)))
            .cloned()
            .collect();
    }
    for parameter in generics.type_params_mut() {
        let name = &parameter.ident;
        let mut predicates = clause.iter_mut().flat_map(|clause| &mut clause.predicates);
        // Beside the user's own bounds: clippy warns of bounds in two places.
        let bounds = match predicates.find_map(|predicate| bounds_of(name, predicate)) {
            Some(bounds) if parameter.bounds.is_empty() => bounds,
            _ => &mut parameter.bounds,
        };
        bounds.push(parse_quote!(::core::marker::Send));
        bounds.push(parse_quote!(::core::marker::Sync));
        bounds.push(parse_quote!('static));
    }
    generics.where_clause = clause;
    generics
}

/// The bounds that a `where` clause puts on a type parameter.
pub(super) fn bounds_of<'a>(
    name: &Ident,
    predicate: &'a mut WherePredicate,
) -> Option<&'a mut Punctuated<TypeParamBound, Token![+]>> {
    match predicate {
        WherePredicate::Type(predicate) => match &predicate.bounded_ty {
            Type::Path(path) if path.path.is_ident(name) => Some(&mut predicate.bounds),
            _ => None,
        },
        _ => None,
    }
}

pub(super) struct Reader<'a> {
    pub(super) attribute: Attribute,
    pub(super) kind: &'static str,
    /// The function's own, each already reported.
    pub(super) lifetimes: Vec<Lifetime>,
    pub(super) is_sound: bool,
    pub(super) errors: &'a mut Errors,
}

impl Reader<'_> {
    fn wrong(&mut self, error: syn::Error) {
        self.is_sound = false;
        self.errors.push(error);
    }

    pub(super) fn lifetimes(&mut self, generics: &Generics) -> Vec<GenericParam> {
        let kind = self.kind;
        let mut lifetimes = Vec::new();
        for parameter in &generics.params {
            if let GenericParam::Lifetime(lifetime) = parameter {
                self.wrong(error(
                    lifetime,
                    format_args!("a {kind} outlives its call, it cannot have a named lifetime"),
                    "take `&T` without a lifetime to borrow from the engine, or `T` to own it",
                ));
                lifetimes.push(parameter.clone());
            }
        }
        lifetimes
    }

    pub(super) fn parameter(&mut self, i: usize, argument: &mut syn::PatType) -> Parameter {
        let key = take_key(&mut argument.attrs, self.errors);
        let name = self.parameter_name(i, &argument.pat);
        let ty = (*argument.ty).clone();
        let passing = match self.passing(&name, peeled(&ty)) {
            Ok(passing) => passing,
            Err(error) => {
                self.wrong(error);
                Passing::Unknown
            }
        };
        if matches!(passing, Passing::Unknown) {
            self.is_sound = false;
        }
        if let (Passing::Context, Some(key)) = (&passing, &key) {
            self.wrong(error(
                &key.key,
                "a context has no part in the cache key",
                "remove `#[key(..)]`",
            ));
        }
        Parameter {
            name,
            ty,
            passing,
            key,
        }
    }

    fn parameter_name(&mut self, i: usize, pattern: &Pat) -> Ident {
        match pattern {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                pattern.ident.clone()
            }
            _ => {
                let kind = self.kind;
                // The body can still be called: only the name is missing.
                self.errors.push(error(
                    pattern,
                    format_args!("a parameter of a {kind} is a plain name"),
                    "write a name here and take it apart with `let` in the body",
                ));
                format_ident!("argument_{i}", span = Span::call_site())
            }
        }
    }

    fn passing(&mut self, name: &Ident, ty: &Type) -> syn::Result<Passing> {
        let kind = self.kind;
        if let Type::ImplTrait(ty) = ty {
            return Err(error(
                ty,
                format_args!("a parameter of a {kind} cannot be an `impl Trait`"),
                "give the type a name: `fn f<T: Trait>(value: T)`",
            ));
        }
        if let Some(segment) = last_segment(ty) {
            if let Some(context) = context(segment) {
                return Err(error(
                    ty,
                    format_args!("the context of a {kind} is borrowed"),
                    format_args!("write `&{context}`"),
                ));
            }
            if let Some(inner) = resource(segment) {
                self.check_owned(name, inner)?;
                return Ok(Passing::Resource(inner.clone()));
            }
        }
        let Type::Reference(reference) = ty else {
            self.check_owned(name, ty)?;
            return Ok(if self.borrows(ty).is_some() {
                Passing::Unknown
            } else {
                Passing::ByValue(ty.clone())
            });
        };
        if reference.mutability.is_some() {
            return Err(error(
                reference,
                format_args!("a {kind} cannot change a value of its caller"),
                "take the value itself and return the changed one",
            ));
        }
        if reference
            .lifetime
            .as_ref()
            .is_some_and(|lifetime| lifetime.ident == "static")
        {
            self.check_owned(name, ty)?;
            return Ok(Passing::ByValue(ty.clone()));
        }
        self.borrowed(name, peeled(&reference.elem))
    }

    /// The parameter `&ty`.
    fn borrowed(&mut self, name: &Ident, ty: &Type) -> syn::Result<Passing> {
        let kind = self.kind;
        match ty {
            Type::ImplTrait(_) | Type::TraitObject(_) => {
                return Err(error(
                    ty,
                    format_args!("a {kind} cannot borrow a value without knowing its type"),
                    "name the type, or make it a type parameter: `fn f<T: Trait>(value: &T)`",
                ));
            }
            Type::Slice(slice) => {
                self.check_owned(name, &slice.elem)?;
                let element = &slice.elem;
                return Ok(Passing::ByRef(parse_quote!(::std::vec::Vec<#element>)));
            }
            _ => {}
        }
        if let Some(segment) = last_segment(ty) {
            if let Some(written) = context(segment) {
                let right = match self.attribute {
                    Attribute::Flow => "FlowContext",
                    _ => "TaskContext",
                };
                if written != right {
                    return Err(error(
                        ty,
                        format_args!("`{written}` is not the context of a {kind}"),
                        format_args!("write `&{right}`"),
                    ));
                }
                return Ok(Passing::Context);
            }
            if resource(segment).is_some() {
                return Err(error(
                    ty,
                    "a resource is shared already, so it is taken by value",
                    "write `Resource<T>` without the `&`",
                ));
            }
            if segment.arguments.is_none() && segment.ident == "str" {
                return Ok(Passing::ByRef(parse_quote!(::std::string::String)));
            }
            if segment.arguments.is_none() && segment.ident == "Path" {
                return Ok(Passing::ByRef(parse_quote!(::std::path::PathBuf)));
            }
        }
        self.check_owned(name, ty)?;
        Ok(if self.borrows(ty).is_some() {
            Passing::Unknown
        } else {
            Passing::ByRef(ty.clone())
        })
    }

    /// Refuses what borrows from somewhere, if that is not reported yet.
    fn check_owned(&self, name: &Ident, ty: &Type) -> syn::Result<()> {
        let kind = self.kind;
        match self.borrows(ty) {
            Some(Borrow::ImplTrait(tokens)) => Err(error(
                tokens,
                format_args!("`{}` has no type that can be named", name.unraw()),
                "give the type a name: `fn f<T: Trait>(value: Vec<T>)`",
            )),
            Some(Borrow::From(tokens, None)) => Err(error(
                tokens,
                format_args!("`{}` borrows, but a {kind} outlives its call", name.unraw()),
                "own the value (`String` for `&str`, `Vec<T>` for `&[T]`), or borrow the whole \
                 parameter: `&T`",
            )),
            _ => Ok(()),
        }
    }

    fn borrows(&self, ty: &Type) -> Option<Borrow> {
        let mut finder = BorrowFinder {
            known: &self.lifetimes,
            bound: Vec::new(),
            found: None,
        };
        finder.visit_type(ty);
        finder.found
    }

    pub(super) fn returns(&mut self, output: &ReturnType) -> Option<Returns> {
        let kind = self.kind;
        let ReturnType::Type(_, ty) = output else {
            return Some(Returns {
                ty: parse_quote!(()),
                is_written: false,
                is_result: false,
                parts: (None, None),
            });
        };
        if let Type::Never(_) = peeled(ty) {
            self.wrong(error(
                ty,
                format_args!("a {kind} that never returns has no result"),
                "return `()`, or a `Result` with the reason why it stopped",
            ));
            return None;
        }
        match self.borrows(ty) {
            None => {}
            Some(Borrow::ImplTrait(tokens)) => {
                self.wrong(error(
                    tokens,
                    format_args!("the result of a {kind} needs a type that can be named"),
                    "return the type itself, or `Box<dyn Trait + Send + Sync>`",
                ));
                return None;
            }
            Some(Borrow::From(tokens, lifetime)) => {
                self.is_sound = false;
                if lifetime.is_none() {
                    self.wrong(error(
                        tokens,
                        format_args!("the result of a {kind} cannot borrow from its inputs"),
                        "return an owned value: `String` for `&str`, `Vec<T>` for `&[T]`, a clone",
                    ));
                }
                return None;
            }
        }
        let segment = last_segment(ty);
        let is_result =
            segment.is_some_and(|segment| segment.ident.to_string().ends_with("Result"));
        Some(Returns {
            ty: (**ty).clone(),
            is_written: true,
            is_result,
            parts: segment.map_or((None, None), result_parts),
        })
    }
}

pub(super) fn context(segment: &PathSegment) -> Option<&'static str> {
    ["TaskContext", "FlowContext"]
        .into_iter()
        .find(|name| segment.ident == name)
}

/// Whether a type is written as `Tracked<..>`, or as a `Vec` or an array of it.
pub(super) fn is_tracked(ty: &Type) -> bool {
    let is_one = |ty| last_segment(ty).is_some_and(|it| only_argument(it, "Tracked").is_some());
    let element = match peeled(ty) {
        Type::Array(array) => Some(&*array.elem),
        ty => last_segment(ty).and_then(|segment| only_argument(segment, "Vec")),
    };
    is_one(element.unwrap_or(ty))
}

/// The type inside `Resource<..>`.
pub(super) fn resource(segment: &PathSegment) -> Option<&Type> {
    only_argument(segment, "Resource")
}

/// The type inside `name<..>`.
pub(super) fn only_argument<'a>(segment: &'a PathSegment, name: &str) -> Option<&'a Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == name => {
            match arguments.args.first() {
                Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The value and the error in `Result<..>`. Everybody's `Result<T>` has the value first.
pub(super) fn result_parts(segment: &PathSegment) -> (Option<Type>, Option<Type>) {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == "Result" => {
            let mut types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            });
            (types.next(), types.next())
        }
        _ => (None, None),
    }
}
