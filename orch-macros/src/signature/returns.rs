//! A return type.

use syn::{GenericArgument, PathArguments, PathSegment, ReturnType, Type, parse_quote};

use super::borrow::{Borrow, has_reference};
use super::reader::Reader;
use super::types::{last_segment, peeled};
use crate::errors::error;

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

impl Returns {
    /// The type of the value, as far as it is written.
    pub(crate) fn value(&self) -> Option<&Type> {
        match (&self.parts.0, self.is_result) {
            (Some(value), _) => Some(value),
            (None, false) => Some(&self.ty),
            (None, true) => None,
        }
    }

    /// Whether a value cannot be read back from where it was stored, as far as is written.
    pub(crate) fn has_reference(&self) -> bool {
        self.value().is_some_and(has_reference)
    }
}

impl Reader<'_> {
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

/// The value and the error in `Result<..>`. Everybody's `Result<T>` has the value first.
fn result_parts(segment: &PathSegment) -> (Option<Type>, Option<Type>) {
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
