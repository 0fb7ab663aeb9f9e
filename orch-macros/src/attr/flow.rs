//! The options of `#[flow]`.

use proc_macro2::TokenStream;
use syn::{Expr, LitStr, Path};

use super::hook::Hook;
use super::option::{RawOption, parse_options};
use super::value::{integer, one_of, string};
use super::{Attribute, Keyed};
use crate::errors::{Errors, error};

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
        match option.name().as_str() {
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

impl RawOption {
    fn max_running(&self) -> syn::Result<(u32, WhenFull)> {
        const EXPECTED: &str = "a whole number from 1 on, and what to do with one more";
        let (number, when_full) = match self.peeled() {
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
}
