//! The options of `#[check]`.

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use super::option::{RawOption, parse_options};
use super::{Attribute, Keyed};
use crate::errors::{Errors, error};

/// The options of `#[check]`, each right by itself.
#[derive(Default, Clone)]
pub(crate) struct CheckArgs {
    pub(crate) severity: Option<Keyed<Severity>>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) name: Option<LitStr>,
    pub(crate) is_cached: bool,
    pub(crate) krate: Option<Path>,
}

/// How bad it is if a check does not pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Severity {
    Warn,
    Error,
}

impl CheckArgs {
    /// Reads the options of `#[check(..)]`.
    pub(crate) fn parse(args: TokenStream, errors: &mut Errors) -> Self {
        let mut parsed = Self::default();
        for option in parse_options(Attribute::Check, args, errors) {
            let result = parsed.set(option);
            errors.take(result);
        }
        if let (Some(severity), Some(blocking)) = (&parsed.severity, &parsed.blocking)
            && severity.value == Severity::Warn
        {
            errors.push(error(
                blocking,
                "a check that only warns cannot be `blocking`",
                "leave `blocking` out, or write `severity = \"error\"`",
            ));
        }
        parsed
    }

    fn set(&mut self, option: RawOption) -> syn::Result<()> {
        match option.name().as_str() {
            "severity" => {
                let read = |option: &RawOption| {
                    option.choice(&[("warn", Severity::Warn), ("error", Severity::Error)])
                };
                self.severity = Some(option.keyed(read)?);
            }
            "blocking" => {
                option.flag()?;
                self.blocking = Some(option.key);
            }
            "name" => self.name = Some(option.text()?),
            "cache" => {
                option.flag()?;
                self.is_cached = true;
            }
            _ => self.krate = Some(option.krate()?),
        }
        Ok(())
    }
}
