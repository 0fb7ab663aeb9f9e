//! Values of options, read as what an option takes.

use syn::ext::IdentExt as _;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, Path, UnOp};

use super::Keyed;
use super::option::{RawOption, example};
use crate::duration::{self, Backoff};
use crate::errors::{error, list, nearest};

impl RawOption {
    pub(super) fn name(&self) -> String {
        self.key.unraw().to_string()
    }

    /// An error about the value, or about the key where there is none.
    pub(super) fn wrong(&self, expected: &str) -> syn::Error {
        self.wrong_with_help(expected, &format!("write `{}`", example(&self.name())))
    }

    fn wrong_with_help(&self, expected: &str, help: &str) -> syn::Error {
        let name = self.name();
        match &self.value {
            Some(value) => error(value, format_args!("`{name}` takes {expected}"), help),
            None => error(
                &self.key,
                format_args!("`{name}` needs a value: {expected}"),
                help,
            ),
        }
    }

    pub(super) fn keyed<T>(
        self,
        read: impl FnOnce(&Self) -> syn::Result<T>,
    ) -> syn::Result<Keyed<T>> {
        let value = read(&self)?;
        Ok(Keyed {
            key: self.key,
            value,
        })
    }

    pub(super) fn flag(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => Err(error(
                value,
                format_args!("`{}` takes no value", self.name()),
                format_args!("write `{}` alone, or leave it out", self.name()),
            )),
        }
    }

    /// The value without what parentheses and `macro_rules` put around it.
    pub(super) fn peeled(&self) -> Option<&Expr> {
        self.value.as_ref().map(peeled)
    }

    fn string(&self, expected: &str) -> syn::Result<LitStr> {
        self.value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong(expected))
    }

    pub(super) fn text(&self) -> syn::Result<LitStr> {
        let text = self.string("a string")?;
        self.non_empty(text)
    }

    pub(super) fn non_empty(&self, text: LitStr) -> syn::Result<LitStr> {
        if text.value().trim().is_empty() {
            return Err(error(
                &text,
                format_args!("`{}` is empty", self.name()),
                format_args!("write `{}`, or leave it out", example(&self.name())),
            ));
        }
        Ok(text)
    }

    pub(super) fn texts(&self) -> syn::Result<Vec<LitStr>> {
        let wrong = || self.wrong("a string or an array of strings");
        let elements: Vec<&Expr> = match self.peeled() {
            Some(Expr::Array(array)) => array.elems.iter().collect(),
            Some(one) => vec![one],
            None => return Err(wrong()),
        };
        elements
            .into_iter()
            .map(|element| self.non_empty(string(element).ok_or_else(wrong)?))
            .collect()
    }

    pub(super) fn count(&self) -> syn::Result<u32> {
        self.value
            .as_ref()
            .and_then(integer::<u32>)
            .ok_or_else(|| self.wrong("a whole number from 0 on"))
    }

    pub(super) fn priority(&self) -> syn::Result<i32> {
        let wrong = || self.wrong("a whole number");
        match self.peeled().ok_or_else(wrong)? {
            Expr::Unary(ExprUnary {
                op: UnOp::Neg(_),
                expr,
                ..
            }) => {
                let number = integer::<i64>(expr).ok_or_else(wrong)?;
                i32::try_from(-number).map_err(|_| wrong())
            }
            value => integer::<i32>(value).ok_or_else(wrong),
        }
    }

    pub(super) fn duration(&self) -> syn::Result<u64> {
        let text = self.string("a duration")?;
        let nanos = duration::parse(&text.value())
            .map_err(|problem| error(&text, problem.message, problem.help))?;
        if nanos == 0 {
            return Err(error(
                &text,
                format_args!("`{}` is zero", self.name()),
                "write a longer duration, or leave the option out",
            ));
        }
        Ok(nanos)
    }

    pub(super) fn backoff(&self) -> syn::Result<Backoff> {
        let text = self.string("a string")?;
        duration::parse_backoff(&text.value())
            .map_err(|problem| error(&text, problem.message, problem.help))
    }

    pub(super) fn function(&self) -> syn::Result<Path> {
        self.value.as_ref().and_then(path).ok_or_else(|| {
            let name = self.name();
            let help = format!("write a function and name it here, as in `{name} = my_check`");
            self.wrong_with_help("the path of a function", &help)
        })
    }

    /// The paths between parentheses.
    pub(super) fn paths(&self) -> syn::Result<Vec<Path>> {
        const EXPECTED: &str = "functions or types with `#[orch_core::code]`, or other tasks";
        let elements: Vec<&Expr> = match &self.value {
            Some(Expr::Tuple(tuple)) => tuple.elems.iter().collect(),
            Some(Expr::Paren(one)) => vec![&*one.expr],
            _ => return Err(self.wrong(EXPECTED)),
        };
        elements
            .into_iter()
            .map(|element| match peeled(element) {
                Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
                other => Err(error(
                    other,
                    format_args!("`{}` takes {EXPECTED}", self.name()),
                    format_args!("write `{}`", example(&self.name())),
                )),
            })
            .collect()
    }

    pub(super) fn krate(&self) -> syn::Result<Path> {
        self.value
            .as_ref()
            .and_then(path)
            .ok_or_else(|| self.wrong("a path"))
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> syn::Result<T> {
        let names = choices.iter().map(|(name, _)| *name);
        let text = self.string(&format!("one of {}", list(names)))?;
        one_of(&self.name(), &text, choices)
    }
}

pub(super) fn one_of<T: Copy>(
    option: &str,
    text: &LitStr,
    choices: &[(&'static str, T)],
) -> syn::Result<T> {
    let names = || choices.iter().map(|(name, _)| *name);
    let value = text.value();
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
        return Ok(*choice);
    }
    let meant = match nearest(&value, names()) {
        Some(nearest) => format!("did you mean `{nearest}`?\nhelp: "),
        None => String::new(),
    };
    Err(error(
        text,
        format_args!("`{option}` cannot be `{value}`"),
        format_args!("{meant}its choices are {}", list(names())),
    ))
}

/// The expression without invisible groups, which `macro_rules` puts around `$value`.
pub(super) fn peeled(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peeled(&group.expr),
        Expr::Paren(paren) => peeled(&paren.expr),
        other => other,
    }
}

pub(super) fn string(expr: &Expr) -> Option<LitStr> {
    match peeled(expr) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if text.suffix().is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn path(expr: &Expr) -> Option<Path> {
    match peeled(expr) {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        _ => None,
    }
}

pub(super) fn integer<T: std::str::FromStr<Err: std::fmt::Display>>(expr: &Expr) -> Option<T> {
    match peeled(expr) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) if number.suffix().is_empty() => number.base10_parse().ok(),
        _ => None,
    }
}
