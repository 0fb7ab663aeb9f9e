//! Borrows in types.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::{self, Visit};
use syn::{GenericParam, Lifetime, Type};

/// What keeps a type from being owned.
pub(super) enum Borrow {
    ImplTrait(TokenStream),
    /// The tokens, and the lifetime if it is one of the function's own.
    From(TokenStream, Option<Lifetime>),
}

impl Borrow {
    /// The first one in a type, `known` being the function's own lifetimes.
    pub(super) fn first_in(ty: &Type, known: &[Lifetime]) -> Option<Self> {
        let mut finder = BorrowFinder {
            known,
            bound: Vec::new(),
            found: None,
        };
        finder.visit_type(ty);
        finder.found
    }
}

/// Whether a type has references in it. One whose values cannot outlive the program can be passed on,
/// and not be read back from where it was stored.
pub(crate) fn has_reference(ty: &Type) -> bool {
    let mut finder = ReferenceFinder(false);
    finder.visit_type(ty);
    finder.0
}

struct ReferenceFinder(bool);

impl<'ast> Visit<'ast> for ReferenceFinder {
    fn visit_type_reference(&mut self, _: &'ast syn::TypeReference) {
        self.0 = true;
    }

    // What a function takes is no part of its value.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(
        &mut self,
        _: &'ast syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// Finds the first borrow in a type.
struct BorrowFinder<'a> {
    known: &'a [Lifetime],
    bound: Vec<Lifetime>,
    found: Option<Borrow>,
}

impl BorrowFinder<'_> {
    fn find(&mut self, borrow: Borrow) {
        self.found.get_or_insert(borrow);
    }
}

impl<'ast> Visit<'ast> for BorrowFinder<'_> {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        if reference.lifetime.is_none() {
            self.find(Borrow::From(quote!(#reference), None));
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident == "static" || self.bound.contains(lifetime) {
            return;
        }
        let known = self.known.contains(lifetime).then(|| lifetime.clone());
        self.find(Borrow::From(quote!(#lifetime), known));
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.find(Borrow::ImplTrait(quote!(#ty)));
    }

    fn visit_bound_lifetimes(&mut self, lifetimes: &'ast syn::BoundLifetimes) {
        for parameter in &lifetimes.lifetimes {
            if let GenericParam::Lifetime(parameter) = parameter {
                self.bound.push(parameter.lifetime.clone());
            }
        }
    }

    // Lifetimes that are left out in these are bound there.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(
        &mut self,
        _: &'ast syn::ParenthesizedGenericArguments,
    ) {
    }
}
