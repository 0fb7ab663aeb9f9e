//! One option as it was written: `key`, `key = value` or `key(value, ..)`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, Path, Token, UnOp};

use crate::duration::{self, Backoff};
use crate::errors::{Errors, error, list, nearest};

use super::{Attribute, Cache, Hook, Keyed, Limit, WhenFull, peeled};

/// `key`, `key = value` or `key(value, ..)`.
pub(super) struct RawOption {
    pub(super) key: Ident,
    pub(super) value: Option<Expr>,
}

/// Reads all options that the attribute has, each at most once.
pub(super) fn parse_options(
    attribute: Attribute,
    args: TokenStream,
    errors: &mut Errors,
) -> Vec<RawOption> {
    let mut options: Vec<RawOption> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match parse_option(attribute, input) {
                Ok(option) if options.iter().any(|other| other.key == option.key) => {
                    errors.push(error(
                        &option.key,
                        format_args!("`{}` is given twice", option.key.unraw()),
                        "keep one of them",
                    ));
                }
                Ok(option) => options.push(option),
                Err(error) => {
                    errors.push(error);
                    while !input.is_empty() && !input.peek(Token![,]) {
                        input.parse::<TokenTree>()?;
                    }
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    let result = parser.parse2(args);
    errors.take(result);
    options
}

pub(super) fn parse_option(attribute: Attribute, input: ParseStream<'_>) -> syn::Result<RawOption> {
    let help = || {
        format!(
            "its options are {}",
            list(attribute.options().iter().copied())
        )
    };
    if !input.peek(Ident::peek_any) {
        let token: TokenTree = input.parse()?;
        return Err(error(
            &token,
            format_args!("`{token}` is not an option"),
            help(),
        ));
    }
    let key = Ident::parse_any(input)?;
    let name = key.unraw().to_string();
    if !attribute.options().contains(&name.as_str()) {
        return Err(unknown_option(attribute, &key, &name));
    }
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(RawOption { key, value: None });
    }
    if name == "uses" && input.peek(syn::token::Paren) {
        let value = input.parse()?;
        return Ok(RawOption {
            key,
            value: Some(value),
        });
    }
    if !input.peek(Token![=]) {
        let token: TokenTree = input.parse()?;
        return Err(error(
            &token,
            format_args!("expected `=` or `,` after `{name}`"),
            format_args!("write `{name} = ..`, with a comma before the next option"),
        ));
    }
    let equals = input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(error(
            equals,
            format_args!("`{name}` has no value after the `=`"),
            format_args!("write the value, as in `{}`", example(&name)),
        ));
    }
    let value: Expr = input.parse()?;
    if !input.is_empty() && !input.peek(Token![,]) {
        let token: TokenTree = input.parse()?;
        return Err(error(
            &token,
            format_args!("expected `,` after the value of `{name}`"),
            "put a comma between two options",
        ));
    }
    Ok(RawOption {
        key,
        value: Some(value),
    })
}

pub(super) fn unknown_option(attribute: Attribute, key: &Ident, name: &str) -> syn::Error {
    let choices = attribute.options().iter().copied();
    let written = attribute.written();
    let mut help = String::new();
    let other = match attribute {
        Attribute::Task => Attribute::Flow,
        _ => Attribute::Task,
    };
    if matches!(attribute, Attribute::Task | Attribute::Flow) && other.options().contains(&name) {
        help = format!("`{name}` is an option of `{}`\nhelp: ", other.written());
    } else if let Some(nearest) = nearest(name, choices.clone()) {
        help = format!("did you mean `{nearest}`?\nhelp: ");
    }
    help += &format!("its options are {}", list(choices));
    error(
        key,
        format_args!("`{written}` has no option `{name}`"),
        help,
    )
}

/// How an option is written, for error messages.
pub(super) fn example(option: &str) -> &'static str {
    match option {
        "name" => "name = \"train {model}\"",
        "id" => "id = \"train\"",
        "version" => "version = \"2\"",
        "tags" => "tags = [\"ml\", \"nightly\"]",
        "retries" => "retries = 3",
        "backoff" => "backoff = \"1s..30s\"",
        "retry_if" => "retry_if = is_transient",
        "timeout" => "timeout = \"5m\"",
        "queue_timeout" => "queue_timeout = \"1h\"",
        "deadline" => "deadline = \"2h\"",
        "heartbeat" => "heartbeat = \"30s\"",
        "grace" => "grace = \"10s\"",
        "on_timeout" => "on_timeout = \"abandon\"",
        "limit" => "limit = \"gpu\"` or `limit = (\"gpu\", 2)` or `limit = [\"gpu\", (\"ram\", 8)]",
        "priority" => "priority = -1",
        "cache" => "cache` or `cache = \"7d\"` or `cache = run",
        "stale_ok" => "stale_ok = \"1h\"",
        "uses" => "uses(helper, Settings)",
        "keep" => "keep = \"memory\"` or `keep = \"run\"",
        "effect" => "effect",
        "rollback" => "rollback = undo",
        "failure" => "failure = \"continue_on_failure\"",
        "max_running" => "max_running = 2` or `max_running = (2, \"skip\")",
        "crate" => "crate = my_crate::orch_core",
        "inline" => "inline",
        "allow_failure" => "allow_failure",
        _ => "on_failure = notify",
    }
}

impl RawOption {
    fn name(&self) -> String {
        self.key.unraw().to_string()
    }

    /// An error about the value, or about the key where there is none.
    fn wrong(&self, expected: &str) -> syn::Error {
        let (name, help) = (self.name(), format!("write `{}`", example(&self.name())));
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

    pub(super) fn text(&self) -> syn::Result<LitStr> {
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong("a string"))?;
        self.non_empty(text)
    }

    fn non_empty(&self, text: LitStr) -> syn::Result<LitStr> {
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
        let elements: Vec<&Expr> = match self.value.as_ref().map(peeled) {
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
        match self.value.as_ref().map(peeled).ok_or_else(wrong)? {
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
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong("a duration"))?;
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
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong("a string"))?;
        duration::parse_backoff(&text.value())
            .map_err(|problem| error(&text, problem.message, problem.help))
    }

    pub(super) fn function(&self) -> syn::Result<Path> {
        match self.value.as_ref().map(peeled) {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(path.path.clone()),
            _ => {
                let name = self.name();
                let expected = "the path of a function";
                let help = format!("write a function and name it here, as in `{name} = my_check`");
                Err(match &self.value {
                    Some(value) => error(value, format_args!("`{name}` takes {expected}"), help),
                    None => error(
                        &self.key,
                        format_args!("`{name}` needs a value: {expected}"),
                        help,
                    ),
                })
            }
        }
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
        match self.value.as_ref().map(peeled) {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(path.path.clone()),
            _ => Err(self.wrong("a path")),
        }
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> syn::Result<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong(&format!("one of {}", list(names()))))?;
        one_of(&self.name(), &text, choices)
    }

    pub(super) fn limits(&self) -> syn::Result<Vec<Limit>> {
        match self.value.as_ref().map(peeled) {
            Some(Expr::Array(array)) => array
                .elems
                .iter()
                .map(|element| self.limit(element))
                .collect(),
            Some(one) => Ok(vec![self.limit(one)?]),
            None => Err(self.wrong("the name of a limit")),
        }
    }

    fn limit(&self, value: &Expr) -> syn::Result<Limit> {
        const HELP: &str =
            "write `limit = \"gpu\"`, or `limit = (\"gpu\", 2)` for two of its slots";
        let (name, weight) = match peeled(value) {
            Expr::Tuple(tuple) if tuple.elems.len() == 2 => {
                (string(&tuple.elems[0]), Some(&tuple.elems[1]))
            }
            one => (string(one), None),
        };
        let Some(name) = name else {
            return Err(error(
                value,
                "a limit is a name, or a name and a number",
                HELP,
            ));
        };
        let name = self.non_empty(name)?;
        let weight = match weight {
            None => 1,
            Some(weight) => match integer::<u32>(weight) {
                Some(slots) if slots > 0 => slots,
                _ => {
                    return Err(error(
                        weight,
                        format_args!("the weight of limit `{}` is not a number", name.value())
                            .to_string()
                            + " from 1 on",
                        HELP,
                    ));
                }
            },
        };
        Ok(Limit { name, weight })
    }

    pub(super) fn cache(&self) -> syn::Result<Cache> {
        match self.value.as_ref().map(peeled) {
            None => Ok(Cache::Global),
            Some(Expr::Path(path)) if path.path.is_ident("run") => Ok(Cache::Run),
            Some(value) if string(value).is_some() => self.duration().map(Cache::GlobalFor),
            Some(_) => Err(self.wrong("an age, or `run`, or no value")),
        }
    }

    pub(super) fn max_running(&self) -> syn::Result<(u32, WhenFull)> {
        const EXPECTED: &str = "a whole number from 1 on, and what to do with one more";
        let (number, when_full) = match self.value.as_ref().map(peeled) {
            Some(Expr::Tuple(tuple)) if tuple.elems.len() == 2 => {
                (&tuple.elems[0], Some(&tuple.elems[1]))
            }
            Some(one) => (one, None),
            None => return Err(self.wrong(EXPECTED)),
        };
        let number = integer::<u32>(number).ok_or_else(|| self.wrong(EXPECTED))?;
        if number == 0 {
            return Err(error(
                &self.value,
                "`max_running` is 0, so the flow would never run",
                "write 1 or more, or leave it out",
            ));
        }
        let when_full = match when_full {
            None => WhenFull::Queue,
            Some(when_full) => one_of(
                "max_running",
                &string(when_full).ok_or_else(|| self.wrong(EXPECTED))?,
                &[
                    ("queue", WhenFull::Queue),
                    ("skip", WhenFull::Skip),
                    ("cancel_old", WhenFull::CancelOld),
                    ("cancel_new", WhenFull::CancelNew),
                ],
            )?,
        };
        Ok((number, when_full))
    }

    /// The hook, or nothing if the key is no hook's, which `parse_options` has ruled out.
    pub(super) fn hook(&self) -> syn::Result<Option<Hook>> {
        let on = match self.name().as_str() {
            "on_start" => "Start",
            "on_retry" => "Retry",
            "on_success" => "Success",
            "on_failure" => "Failure",
            "on_crash" => "Crash",
            "on_cancel" => "Cancel",
            "on_skip" => "Skip",
            "on_end" => "End",
            _ => return Ok(None),
        };
        Ok(Some(Hook {
            on,
            function: self.function()?,
        }))
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

pub(super) fn string(expr: &Expr) -> Option<LitStr> {
    match peeled(expr) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if text.suffix().is_empty() => Some(text.clone()),
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
