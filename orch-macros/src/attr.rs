//! What stands in the parentheses of an attribute, as typed options.
//!
//! Each option keeps the key the user wrote, so that a later check can underline it. A wrong
//! option is reported and left out; the others are read all the same.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, Path, Token, UnOp};

use crate::duration::{self, Backoff};
use crate::errors::{Errors, error, list, nearest};

/// An attribute, and the options it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attribute {
    Task,
    Flow,
    Test,
    Code,
}

impl Attribute {
    /// As the user writes it.
    pub(crate) fn written(self) -> &'static str {
        match self {
            Self::Task => "#[task]",
            Self::Flow => "#[flow]",
            Self::Test => "#[test]",
            Self::Code => "#[code]",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Task => &[
                "name",
                "id",
                "version",
                "tags",
                "retries",
                "backoff",
                "retry_if",
                "timeout",
                "queue_timeout",
                "deadline",
                "heartbeat",
                "on_timeout",
                "limit",
                "inline",
                "allow_failure",
                "priority",
                "cache",
                "stale_ok",
                "uses",
                "keep",
                "effect",
                "rollback",
                "isolate",
                "on_start",
                "on_retry",
                "on_success",
                "on_failure",
                "on_crash",
                "on_cancel",
                "on_skip",
                "on_end",
                "crate",
            ],
            Self::Flow => &[
                "name",
                "version",
                "tags",
                "retries",
                "timeout",
                "grace",
                "failure",
                "max_running",
                "on_start",
                "on_success",
                "on_failure",
                "on_crash",
                "on_cancel",
                "on_end",
                "crate",
            ],
            Self::Test => &["crate"],
            Self::Code => &["uses", "crate"],
        }
    }
}

/// A value with the key the user wrote for it.
#[derive(Clone)]
pub(crate) struct Keyed<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// The options of `#[task]`, each right by itself.
#[derive(Default, Clone)]
pub(crate) struct TaskArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) id: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) retries: Option<Keyed<u32>>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) retry_if: Option<Keyed<Path>>,
    pub(crate) timeout: Option<Keyed<u64>>,
    pub(crate) queue_timeout: Option<Keyed<u64>>,
    pub(crate) deadline: Option<Keyed<u64>>,
    pub(crate) heartbeat: Option<Keyed<u64>>,
    pub(crate) on_timeout: Option<Keyed<OnTimeout>>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) inline: Option<Ident>,
    pub(crate) allow_failure: bool,
    pub(crate) priority: Option<i32>,
    pub(crate) cache: Option<Keyed<Cache>>,
    pub(crate) stale_ok: Option<Keyed<u64>>,
    pub(crate) uses: Vec<Path>,
    pub(crate) keep: Option<Keyed<Keep>>,
    pub(crate) effect: Option<Ident>,
    pub(crate) rollback: Option<Keyed<Path>>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) krate: Option<Path>,
}

/// The options of `#[flow]`, each right by itself.
#[derive(Default, Clone)]
pub(crate) struct FlowArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) retries: Option<Keyed<u32>>,
    pub(crate) timeout: Option<u64>,
    pub(crate) grace: Option<u64>,
    pub(crate) failure: Option<FailureMode>,
    pub(crate) max_running: Option<(u32, WhenFull)>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) krate: Option<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OnTimeout {
    Abort,
    Abandon,
}

/// Where a result stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Keep {
    Memory,
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cache {
    Global,
    GlobalFor(u64),
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FailureMode {
    FailFast,
    StopOnFailure,
    ContinueOnFailure,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum WhenFull {
    Queue,
    Skip,
    CancelOld,
    CancelNew,
}

/// A limit and how much of it.
#[derive(Clone)]
pub(crate) struct Limit {
    pub(crate) name: LitStr,
    pub(crate) weight: u32,
}

/// A function to call when a run changes state.
#[derive(Clone)]
pub(crate) struct Hook {
    /// The variant of `HookOn`.
    pub(crate) on: &'static str,
    pub(crate) function: Path,
}

impl TaskArgs {
    /// Reads the options of `#[task(..)]`.
    pub(crate) fn parse(args: TokenStream, errors: &mut Errors) -> Self {
        let mut parsed = Self::default();
        for option in parse_options(Attribute::Task, args, errors) {
            let result = parsed.set(option);
            errors.take(result);
        }
        parsed
    }

    fn set(&mut self, option: RawOption) -> syn::Result<()> {
        match option.key.unraw().to_string().as_str() {
            "name" => self.name = Some(option.text()?),
            "id" => self.id = Some(option.text()?),
            "version" => self.version = Some(option.text()?),
            "tags" => self.tags = option.texts()?,
            "retries" => self.retries = Some(option.keyed(RawOption::count)?),
            "backoff" => self.backoff = Some(option.backoff()?),
            "retry_if" => self.retry_if = Some(option.keyed(RawOption::function)?),
            "timeout" => self.timeout = Some(option.keyed(RawOption::duration)?),
            "queue_timeout" => self.queue_timeout = Some(option.keyed(RawOption::duration)?),
            "deadline" => self.deadline = Some(option.keyed(RawOption::duration)?),
            "heartbeat" => self.heartbeat = Some(option.keyed(RawOption::duration)?),
            "on_timeout" => {
                const CHOICES: [(&str, OnTimeout); 2] =
                    [("abandon", OnTimeout::Abandon), ("abort", OnTimeout::Abort)];
                self.on_timeout = Some(option.keyed(|option| option.choice(&CHOICES))?);
            }
            "limit" => self.limits = option.limits()?,
            "inline" => {
                option.flag()?;
                self.inline = Some(option.key);
            }
            "allow_failure" => {
                option.flag()?;
                self.allow_failure = true;
            }
            "priority" => self.priority = Some(option.priority()?),
            "cache" => self.cache = Some(option.keyed(RawOption::cache)?),
            "stale_ok" => self.stale_ok = Some(option.keyed(RawOption::duration)?),
            "uses" => self.uses = option.paths()?,
            "keep" => {
                const CHOICES: [(&str, Keep); 2] = [("memory", Keep::Memory), ("run", Keep::Run)];
                self.keep = Some(option.keyed(|option| option.choice(&CHOICES))?);
            }
            "effect" => {
                option.flag()?;
                self.effect = Some(option.key);
            }
            "rollback" => self.rollback = Some(option.keyed(RawOption::function)?),
            "isolate" => {
                return Err(error(
                    &option.key,
                    "`isolate` is not available yet",
                    "use `on_timeout = \"abandon\"` to leave a task behind that does not stop",
                ));
            }
            "crate" => self.krate = Some(option.krate()?),
            _ => self.hooks.extend(option.hook()?),
        }
        Ok(())
    }
}

impl FlowArgs {
    /// Reads the options of `#[flow(..)]`.
    pub(crate) fn parse(args: TokenStream, errors: &mut Errors) -> Self {
        let mut parsed = Self::default();
        for option in parse_options(Attribute::Flow, args, errors) {
            let result = parsed.set(option);
            errors.take(result);
        }
        parsed
    }

    fn set(&mut self, option: RawOption) -> syn::Result<()> {
        match option.key.unraw().to_string().as_str() {
            "name" => self.name = Some(option.text()?),
            "version" => self.version = Some(option.text()?),
            "tags" => self.tags = option.texts()?,
            "retries" => self.retries = Some(option.keyed(RawOption::count)?),
            "timeout" => self.timeout = Some(option.duration()?),
            "grace" => self.grace = Some(option.duration()?),
            "failure" => {
                self.failure = Some(option.choice(&[
                    ("fail_fast", FailureMode::FailFast),
                    ("stop_on_failure", FailureMode::StopOnFailure),
                    ("continue_on_failure", FailureMode::ContinueOnFailure),
                ])?);
            }
            "max_running" => self.max_running = Some(option.max_running()?),
            "crate" => self.krate = Some(option.krate()?),
            _ => self.hooks.extend(option.hook()?),
        }
        Ok(())
    }
}

/// Reads the options of `#[test(..)]`: the path of the crate.
pub(crate) fn parse_test(args: TokenStream, errors: &mut Errors) -> Option<Path> {
    let mut krate = None;
    for option in parse_options(Attribute::Test, args, errors) {
        krate = errors.take(option.krate());
    }
    krate
}

/// Reads the options of `#[code(..)]`: the code that it uses, and the path of the crate.
pub(crate) fn parse_code(args: TokenStream, errors: &mut Errors) -> (Vec<Path>, Option<Path>) {
    let (mut uses, mut krate) = (Vec::new(), None);
    for option in parse_options(Attribute::Code, args, errors) {
        if option.key == "uses" {
            uses = errors.take(option.paths()).unwrap_or_default();
        } else {
            krate = errors.take(option.krate());
        }
    }
    (uses, krate)
}

/// `key`, `key = value` or `key(value, ..)`.
struct RawOption {
    key: Ident,
    value: Option<Expr>,
}

/// Reads all options that the attribute has, each at most once.
fn parse_options(attribute: Attribute, args: TokenStream, errors: &mut Errors) -> Vec<RawOption> {
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
fn example(option: &str) -> &'static str {
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

    fn keyed<T>(self, read: impl FnOnce(&Self) -> syn::Result<T>) -> syn::Result<Keyed<T>> {
        let value = read(&self)?;
        Ok(Keyed {
            key: self.key,
            value,
        })
    }

    fn flag(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => Err(error(
                value,
                format_args!("`{}` takes no value", self.name()),
                format_args!("write `{}` alone, or leave it out", self.name()),
            )),
        }
    }

    fn text(&self) -> syn::Result<LitStr> {
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

    fn texts(&self) -> syn::Result<Vec<LitStr>> {
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

    fn count(&self) -> syn::Result<u32> {
        self.value
            .as_ref()
            .and_then(integer::<u32>)
            .ok_or_else(|| self.wrong("a whole number from 0 on"))
    }

    fn priority(&self) -> syn::Result<i32> {
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

    fn duration(&self) -> syn::Result<u64> {
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

    fn backoff(&self) -> syn::Result<Backoff> {
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong("a string"))?;
        duration::parse_backoff(&text.value())
            .map_err(|problem| error(&text, problem.message, problem.help))
    }

    fn function(&self) -> syn::Result<Path> {
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
    fn paths(&self) -> syn::Result<Vec<Path>> {
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

    fn krate(&self) -> syn::Result<Path> {
        match self.value.as_ref().map(peeled) {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(path.path.clone()),
            _ => Err(self.wrong("a path")),
        }
    }

    fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> syn::Result<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let text = self
            .value
            .as_ref()
            .and_then(string)
            .ok_or_else(|| self.wrong(&format!("one of {}", list(names()))))?;
        one_of(&self.name(), &text, choices)
    }

    fn limits(&self) -> syn::Result<Vec<Limit>> {
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

    fn cache(&self) -> syn::Result<Cache> {
        match self.value.as_ref().map(peeled) {
            None => Ok(Cache::Global),
            Some(Expr::Path(path)) if path.path.is_ident("run") => Ok(Cache::Run),
            Some(value) if string(value).is_some() => self.duration().map(Cache::GlobalFor),
            Some(_) => Err(self.wrong("an age, or `run`, or no value")),
        }
    }

    fn max_running(&self) -> syn::Result<(u32, WhenFull)> {
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
    fn hook(&self) -> syn::Result<Option<Hook>> {
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

fn one_of<T: Copy>(option: &str, text: &LitStr, choices: &[(&'static str, T)]) -> syn::Result<T> {
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
fn peeled(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peeled(&group.expr),
        Expr::Paren(paren) => peeled(&paren.expr),
        other => other,
    }
}

fn string(expr: &Expr) -> Option<LitStr> {
    match peeled(expr) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if text.suffix().is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn integer<T: std::str::FromStr<Err: std::fmt::Display>>(expr: &Expr) -> Option<T> {
    match peeled(expr) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) if number.suffix().is_empty() => number.base10_parse().ok(),
        _ => None,
    }
}

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
