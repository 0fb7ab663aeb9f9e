//! `#[key(..)]`, which stands at a parameter.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, Path};

use super::Keyed;
use crate::errors::{Errors, error};

/// A parameter's part in the cache key.
#[derive(Clone)]
pub(crate) enum KeyPart {
    Skip,
    Path,
    With(Path),
}

/// Takes `#[key(..)]` out of the attributes of a parameter.
pub(crate) fn take_key(
    attributes: &mut Vec<syn::Attribute>,
    errors: &mut Errors,
) -> Option<Keyed<KeyPart>> {
    let mut key = None;
    attributes.retain(|attribute| {
        if !attribute.path().is_ident("key") {
            return true;
        }
        let parsed = parse_key(attribute);
        if key.is_some() {
            errors.push(error(
                attribute,
                "`#[key(..)]` is given twice",
                "keep one of them",
            ));
        } else if let Some(value) = errors.take(parsed) {
            let ident = Ident::new("key", syn::spanned::Spanned::span(attribute.path()));
            key = Some(Keyed { key: ident, value });
        }
        false
    });
    key
}

fn parse_key(attribute: &syn::Attribute) -> syn::Result<KeyPart> {
    const HELP: &str = "write `#[key(skip)]` to leave the parameter out of the cache key, \
                        `#[key(path)]` to use a path itself, or `#[key(with = function)]`";
    let wrong = |tokens: &dyn ToTokens| {
        Err(error(
            tokens.to_token_stream(),
            "this is not a part of a cache key",
            HELP,
        ))
    };
    let Ok(expr) = attribute.parse_args::<Expr>() else {
        return wrong(attribute);
    };
    match &expr {
        Expr::Path(path) if path.path.is_ident("skip") => Ok(KeyPart::Skip),
        Expr::Path(path) if path.path.is_ident("path") => Ok(KeyPart::Path),
        Expr::Assign(assign) => match (&*assign.left, &*assign.right) {
            (Expr::Path(left), Expr::Path(function)) if left.path.is_ident("with") => {
                Ok(KeyPart::With(function.path.clone()))
            }
            _ => wrong(&expr),
        },
        _ => wrong(&expr),
    }
}
