//! The options of `#[task]`.

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitStr, Path};

use super::hook::Hook;
use super::limit::Limit;
use super::option::{RawOption, parse_options};
use super::value::string;
use super::{Attribute, Keyed};
use crate::duration::Backoff;
use crate::errors::{Errors, error};

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
    pub(crate) limit_on_retry: Option<Keyed<Path>>,
    pub(crate) breaker: Option<LitStr>,
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
        match option.name().as_str() {
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
            "limit_on_retry" => self.limit_on_retry = Some(option.keyed(RawOption::function)?),
            "breaker" => self.breaker = Some(option.text()?),
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

impl RawOption {
    fn cache(&self) -> syn::Result<Cache> {
        match self.peeled() {
            None => Ok(Cache::Global),
            Some(Expr::Path(path)) if path.path.is_ident("run") => Ok(Cache::Run),
            Some(value) if string(value).is_some() => self.duration().map(Cache::GlobalFor),
            Some(_) => Err(self.wrong("an age, or `run`, or no value")),
        }
    }
}
