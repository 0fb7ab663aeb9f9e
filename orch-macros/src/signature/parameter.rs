//! A parameter, and how the body gets it.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Pat, PathSegment, Type, parse_quote};

use super::reader::Reader;
use super::types::{last_segment, only_argument, peeled};
use crate::attr::{Attribute, KeyPart, Keyed, take_key};
use crate::errors::error;

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

impl Reader<'_> {
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
}

fn context(segment: &PathSegment) -> Option<&'static str> {
    ["TaskContext", "FlowContext"]
        .into_iter()
        .find(|name| segment.ident == name)
}

/// Whether a type is written as `Tracked<..>`, or as a `Vec` or an array of it.
fn is_tracked(ty: &Type) -> bool {
    let is_one = |ty| last_segment(ty).is_some_and(|it| only_argument(it, "Tracked").is_some());
    let element = match peeled(ty) {
        Type::Array(array) => Some(&*array.elem),
        ty => last_segment(ty).and_then(|segment| only_argument(segment, "Vec")),
    };
    is_one(element.unwrap_or(ty))
}

/// The type inside `Resource<..>`.
fn resource(segment: &PathSegment) -> Option<&Type> {
    only_argument(segment, "Resource")
}
