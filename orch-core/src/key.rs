//! What identifies the arguments of a call: for its call id, known when it is submitted, and for
//! its cache key, known when it starts.
//!
//! Generated code hands each argument to [`Keys`], together with a function that takes the digest
//! of a value of its type, if that type has one.

mod cache;
mod call;
mod probe;

pub(crate) use self::cache::{CacheKeyOf, GatheredDigest, KeyBuilder, KeyHead, NoKey};
pub(crate) use self::call::{CallHasher, KnownCall, branch_base, numbered};
pub use self::probe::{
    CacheIdentity, CacheKey, DigestProbe, NoDigest, NoOwnDigest, OwnDigestProbe, digest_argument,
};

use crate::handle::Handle;
use crate::input::{Gather, Owned, Shared};
use crate::value::{self, Digest, Encoding, Files, SeenFile};

/// Takes the digest of a value.
#[expect(
    unreachable_pub,
    reason = "named by public traits that users cannot reach"
)]
pub type DigestFn<T> = fn(&T, Files) -> Result<Digested, value::EncodeError>;

/// What taking the digest of an argument found out.
#[derive(Debug, Clone)]
pub struct Digested {
    pub(crate) digest: Digest,
    /// The files that are part of the value.
    pub(crate) files: Vec<SeenFile>,
    /// The value itself, if it is short.
    pub(crate) encoding: Option<Encoding>,
}

/// Goes over the arguments of a call.
pub struct Keys<'a>(Purpose<'a>);

enum Purpose<'a> {
    Call(&'a mut CallHasher),
    Cache(&'a mut KeyBuilder),
}

/// An argument, as its place in the tuple of arguments shows it.
pub trait KeyedArgument<T> {
    #[doc(hidden)]
    fn as_keyed(&self) -> Keyed<'_, T>;
}

/// What an argument is.
#[doc(hidden)]
pub struct Keyed<'a, T>(pub(crate) KeyedInner<'a, T>);

pub(crate) enum KeyedInner<'a, T> {
    /// A plain value.
    Value(&'a T),
    /// A handle.
    Run(&'a Handle<T>),
    /// Several handles, and how to put their values together.
    Gather(&'a dyn Gather<T>),
}

impl Keys<'_> {
    /// An argument that counts with its value.
    pub fn value<T>(
        &mut self,
        name: &'static str,
        argument: &impl KeyedArgument<T>,
        digest: Option<DigestFn<T>>,
    ) {
        let Keyed(argument) = argument.as_keyed();
        match &mut self.0 {
            Purpose::Call(call) => call.argument(name, &argument, digest),
            Purpose::Cache(key) => key.argument(name, &argument, digest),
        }
    }

    /// An argument that counts with what a function makes of it.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        argument: &impl KeyedArgument<T>,
        digest: DigestFn<T>,
    ) {
        let Keyed(argument) = argument.as_keyed();
        match &mut self.0 {
            Purpose::Call(call) => call.argument(name, &argument, Some(digest)),
            Purpose::Cache(key) => key.with(name, &argument, digest),
        }
    }

    /// An argument that does not count for the cache.
    pub fn skip<T>(
        &mut self,
        name: &'static str,
        argument: &impl KeyedArgument<T>,
        digest: Option<DigestFn<T>>,
    ) {
        let Keyed(argument) = argument.as_keyed();
        if let Purpose::Call(call) = &mut self.0 {
            call.skipped(name, &argument, digest);
        }
    }

    /// A value of the engine that says what it stands for.
    pub fn resource(&mut self, name: &'static str, identity: impl FnOnce() -> Option<String>) {
        if let Purpose::Cache(key) = &mut self.0 {
            match identity() {
                Some(identity) => key.text(name, &identity),
                // The body will fail for want of it.
                None => key.missing(name),
            }
        }
    }
}

impl<T> KeyedArgument<T> for Shared<T> {
    fn as_keyed(&self) -> Keyed<'_, T> {
        Keyed(self.keyed())
    }
}

impl<T> KeyedArgument<T> for Owned<T> {
    fn as_keyed(&self) -> Keyed<'_, T> {
        Keyed(self.keyed())
    }
}

#[cfg(test)]
mod tests;
