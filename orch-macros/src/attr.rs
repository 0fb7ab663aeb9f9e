//! What stands in the parentheses of an attribute, as typed options.
//!
//! Each option keeps the key the user wrote, so that a later check can underline it. A wrong
//! option is reported and left out; the others are read all the same.

mod key;
mod option;

pub(crate) use self::key::{KeyPart, take_key};

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr, Path};

use crate::duration::Backoff;
use crate::errors::{Errors, error};

use self::option::{RawOption, parse_options};

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

/// The expression without invisible groups, which `macro_rules` puts around `$value`.
fn peeled(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peeled(&group.expr),
        Expr::Paren(paren) => peeled(&paren.expr),
        other => other,
    }
}
