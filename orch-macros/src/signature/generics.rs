//! Type and const parameters.

use proc_macro2::Ident;
use syn::punctuated::Punctuated;
use syn::{GenericParam, Generics, Token, Type, TypeParamBound, WherePredicate, parse_quote};

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
fn bounds_of<'a>(
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
