//! What reading a signature knows and notes all the way.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{GenericParam, Generics, Lifetime, Type};

use super::borrow::Borrow;
use crate::attr::Attribute;
use crate::errors::{Errors, error};

pub(super) struct Reader<'a> {
    pub(super) attribute: Attribute,
    pub(super) kind: &'static str,
    /// The function's own, each already reported.
    pub(super) lifetimes: Vec<Lifetime>,
    pub(super) is_sound: bool,
    pub(super) errors: &'a mut Errors,
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, error: syn::Error) {
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

    /// Refuses what borrows from somewhere, if that is not reported yet.
    pub(super) fn check_owned(&self, name: &Ident, ty: &Type) -> syn::Result<()> {
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

    pub(super) fn borrows(&self, ty: &Type) -> Option<Borrow> {
        Borrow::first_in(ty, &self.lifetimes)
    }
}
