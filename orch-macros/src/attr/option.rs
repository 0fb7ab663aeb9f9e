//! Options as they are written: a key, and maybe a value.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Token};

use super::Attribute;
use crate::errors::{Errors, error, list, nearest};

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

fn parse_option(attribute: Attribute, input: ParseStream<'_>) -> syn::Result<RawOption> {
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

fn unknown_option(attribute: Attribute, key: &Ident, name: &str) -> syn::Error {
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
        "limit_on_retry" => "limit_on_retry = more_ram",
        "breaker" => "breaker = \"payments\"",
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
        "severity" => "severity = \"warn\"",
        "blocking" => "blocking",
        "allow_failure" => "allow_failure",
        _ => "on_failure = notify",
    }
}
