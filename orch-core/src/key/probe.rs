//! Whether and how values of a type have a digest, found out at compile time.

use std::marker::PhantomData;

use serde::Serialize;

use crate::value::{self, Codec, Files, StoredForm};

use super::{DigestFn, Digested};

/// Finds out whether values of a type have a digest.
pub struct DigestProbe<T>(PhantomData<T>);

impl<T: Serialize + 'static> DigestProbe<T> {
    /// They do.
    pub const DIGEST: Option<DigestFn<T>> = Some(digest_argument::<T>);
}

/// The answer for types whose values have none.
pub trait NoDigest<T> {
    /// They do not.
    const DIGEST: Option<DigestFn<T>> = None;
}

impl<T> NoDigest<T> for DigestProbe<T> {}

/// Takes the digest of an argument.
pub fn digest_argument<T: Serialize + 'static>(
    value: &T,
    files: Files,
) -> Result<Digested, value::EncodeError> {
    let (digest, files, encoding) = value::digest_with_files(value, files)?;
    Ok(Digested {
        digest,
        files,
        encoding,
    })
}

/// Gives an argument of a cached task its digest; a type whose values have none does not compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key",
    label = "an argument of this type has no digest",
    note = "derive `serde::Serialize` for it, or write `#[key(skip)]` or `#[key(with = function)]` \
            before the parameter"
)]
pub trait CacheKey: Serialize + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + 'static> CacheKey for T {}

/// Finds out whether a type has a stored form of its own, whose digest its values have.
pub struct OwnDigestProbe<T>(PhantomData<T>);

impl<T: StoredForm + 'static> OwnDigestProbe<T> {
    /// It has.
    pub const DIGEST: Option<DigestFn<T>> = Some(digest_of_own::<T>);

    /// Returns how to take the digest of an argument of a cached task.
    pub fn keyed() -> Option<DigestFn<T>> {
        Self::DIGEST
    }
}

/// The answer for types that have none.
pub trait NoOwnDigest<T> {
    /// It has not.
    const DIGEST: Option<DigestFn<T>> = None;

    /// Returns how to take the digest of an argument of a cached task; a type whose values have
    /// none does not compile.
    fn keyed() -> Option<DigestFn<T>>
    where
        T: CacheKey,
    {
        Some(digest_argument::<T>)
    }
}

impl<T> NoOwnDigest<T> for OwnDigestProbe<T> {}

fn digest_of_own<T: StoredForm + 'static>(
    value: &T,
    _files: Files,
) -> Result<Digested, value::EncodeError> {
    let digest = Codec::own().identify(value)?.digest;
    Ok(Digested {
        digest,
        files: Vec::new(),
        encoding: None,
    })
}

/// A value of the engine that a cached task may use: what it stands for is part of the key.
///
/// ```
/// use orch_core::CacheIdentity;
///
/// struct Warehouse { url: String }
///
/// impl CacheIdentity for Warehouse {
///     fn cache_identity(&self) -> String {
///         self.url.clone()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a cached task cannot tell one `{Self}` from another",
    label = "results would be shared between engines with different values of it",
    note = "implement `orch_core::CacheIdentity` for it, or write `#[key(skip)]` before the parameter"
)]
pub trait CacheIdentity {
    /// Returns what tells this value from others of its type: an address, a database's name.
    fn cache_identity(&self) -> String;
}
