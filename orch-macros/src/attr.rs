//! What stands in the parentheses of an attribute, as typed options.
//!
//! Each option keeps the key the user wrote, so that a later check can underline it. A wrong
//! option is reported and left out; the others are read all the same.

mod check;
mod flow;
mod hook;
mod key;
mod limit;
mod option;
mod task;
mod value;

pub(crate) use self::check::{CheckArgs, Severity};
pub(crate) use self::flow::{FailureMode, FlowArgs, WhenFull};
pub(crate) use self::hook::Hook;
pub(crate) use self::key::{KeyPart, take_key};
pub(crate) use self::task::{Cache, Keep, OnTimeout, TaskArgs};

use proc_macro2::{Ident, TokenStream};
use syn::Path;

use self::option::parse_options;
use crate::errors::Errors;

/// An attribute, and the options it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attribute {
    Task,
    Flow,
    Test,
    Code,
    Check,
}

impl Attribute {
    /// As the user writes it.
    pub(crate) fn written(self) -> &'static str {
        match self {
            Self::Task => "#[task]",
            Self::Flow => "#[flow]",
            Self::Test => "#[test]",
            Self::Code => "#[code]",
            Self::Check => "#[check]",
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
                "limit_on_retry",
                "breaker",
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
            Self::Check => &["severity", "blocking", "name", "cache", "crate"],
        }
    }
}

/// A value with the key the user wrote for it.
#[derive(Clone)]
pub(crate) struct Keyed<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
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
