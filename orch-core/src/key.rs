//! What identifies the arguments of a call: for its call id, known when it is submitted, and for
//! its cache key, known when it starts.
//!
//! Generated code hands each argument to [`Keys`], together with a function that takes the digest
//! of a value of its type, if that type has one.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use crate::body::Body;
use crate::definition::Definition;
use crate::handle::Handle;
use crate::id::FlowRunId;
use crate::identity::{Origin, Part};
use crate::input::{Gather, Owned, Shared};
use crate::node::Header;
use crate::report::human;
use crate::secret::scrub;
use crate::store::{CallId, KeyPartRow, KeyRow};
use crate::value::{self, Codec, Digest, Encoding, Files, SeenFile, StoredForm};

/// Takes the digest of a value.
#[allow(
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

/// Names a call from what is known when it is submitted.
pub(crate) struct CallHasher {
    flow: FlowRunId,
    hasher: blake3::Hasher,
    is_complete: bool,
    has_files: bool,
}

impl CallHasher {
    pub(crate) fn new(flow: FlowRunId, scope: CallId, task: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("orch call id, version 1");
        hasher.update(&scope.0);
        hasher.update(&(task.len() as u64).to_le_bytes());
        hasher.update(task.as_bytes());
        Self {
            flow,
            hasher,
            is_complete: true,
            has_files: false,
        }
    }

    /// Lets generated code hand over the arguments.
    pub(crate) fn keys(&mut self) -> Keys<'_> {
        Keys(Purpose::Call(self))
    }

    fn name(&mut self, name: &str, kind: u8) {
        self.hasher.update(&(name.len() as u64).to_le_bytes());
        self.hasher.update(name.as_bytes());
        self.hasher.update(&[kind]);
    }

    fn argument<T>(
        &mut self,
        name: &str,
        argument: &KeyedInner<'_, T>,
        digest: Option<DigestFn<T>>,
    ) {
        if !self.add(name, argument, digest) {
            self.is_complete = false;
        }
    }

    /// What is left out of the cache key on purpose may be left out of the call as well.
    fn skipped<T>(
        &mut self,
        name: &str,
        argument: &KeyedInner<'_, T>,
        digest: Option<DigestFn<T>>,
    ) {
        self.add(name, argument, digest);
    }

    /// Adds an argument of a subflow.
    pub(crate) fn parameter<T>(
        &mut self,
        name: &str,
        argument: &KeyedInner<'_, T>,
        digest: impl Fn(&T) -> Option<Digest>,
    ) {
        let all = self.add_with(name, argument, |value, _| digest(value));
        self.is_complete &= all;
    }

    fn add<T>(
        &mut self,
        name: &str,
        argument: &KeyedInner<'_, T>,
        digest: Option<DigestFn<T>>,
    ) -> bool {
        self.add_with(name, argument, |value, has_files| {
            // What a file holds is looked at when the task run starts, not in the call.
            let digested = digest?(value, Files::ByPath).ok()?;
            *has_files |= !digested.files.is_empty();
            Some(digested.digest)
        })
    }

    fn add_with<T>(
        &mut self,
        name: &str,
        argument: &KeyedInner<'_, T>,
        digest: impl Fn(&T, &mut bool) -> Option<Digest>,
    ) -> bool {
        match argument {
            KeyedInner::Value(value) => {
                self.name(name, 0);
                let Some(digest) = digest(value, &mut self.has_files) else {
                    return false;
                };
                self.hasher.update(digest.as_bytes());
                true
            }
            KeyedInner::Run(handle) => {
                self.name(name, 1);
                self.origin(&handle.origin())
            }
            KeyedInner::Gather(gather) => {
                self.name(name, 2);
                let mut all = true;
                gather.visit_origins(&mut |origin| all &= self.origin(origin));
                all
            }
        }
    }

    /// Adds an upstream call. Returns whether it has a name.
    ///
    /// A call whose own arguments are not all in its name has one all the same: a dependent is
    /// handed back only if what it depends on was.
    pub(crate) fn origin(&mut self, origin: &Origin<'_>) -> bool {
        let call = origin
            .header
            // What another flow run makes is not made again along with this one.
            .filter(|header| header.flow.id == self.flow)
            .and_then(Header::call);
        let Some(call) = call else {
            self.hasher.update(&[0]);
            return false;
        };
        self.hasher.update(&[1]);
        self.hasher.update(&call.0);
        match origin.part {
            Part::Whole => self.hasher.update(&[0, 0]),
            Part::Element(index) => self.hasher.update(&[1, index]),
            Part::Other => self.hasher.update(&[2, 0]),
        };
        origin.part != Part::Other
    }

    /// Adds an upstream call of which it does not matter what is used of it.
    pub(crate) fn upstream(&mut self, header: &Header) {
        if !self.origin(&Origin::whole(header)) {
            self.is_complete = false;
        }
    }

    /// Adds a piece of text that tells calls apart.
    pub(crate) fn text(&mut self, text: &str) {
        self.name(text, 3);
    }

    pub(crate) fn finish(self) -> KnownCall {
        KnownCall {
            base: first_half(&self.hasher.finalize()),
            is_complete: self.is_complete,
            has_files: self.has_files,
        }
    }
}

/// What is known of a call when it is submitted.
pub(crate) struct KnownCall {
    /// Its name without its ordinal.
    pub(crate) base: [u8; 16],
    /// Whether the name holds all arguments.
    pub(crate) is_complete: bool,
    /// Whether a file is among the plain arguments.
    pub(crate) has_files: bool,
}

/// What identifies a branch of a place, but for its ordinal.
pub(crate) fn branch_base(scope: CallId, name: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("orch branch of calls, version 1");
    hasher.update(&scope.0);
    hasher.update(name.as_bytes());
    first_half(&hasher.finalize())
}

/// Tells equal calls apart.
pub(crate) fn numbered(base: [u8; 16], ordinal: u32) -> CallId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&base);
    hasher.update(&ordinal.to_le_bytes());
    CallId(first_half(&hasher.finalize()))
}

impl CallId {
    /// Names what undoes one execution of this call, as the scope of its calls.
    pub(crate) fn undoing(self, execution: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("orch undoing of a call, version 1");
        hasher.update(&self.0);
        hasher.update(&execution.to_le_bytes());
        Self(first_half(&hasher.finalize()))
    }
}

fn first_half(hash: &blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

/// Puts a cache key together. Complete or absent.
pub(crate) struct KeyBuilder {
    effort: Files,
    /// Whether the parts are also to be kept for people.
    is_shown: bool,
    /// What is hashed in the end.
    bytes: Vec<u8>,
    parts: Vec<KeyPart>,
    files: Vec<SeenFile>,
    problem: Option<NoKey>,
}

/// A part of a key while it is put together.
struct KeyPart {
    name: &'static str,
    digest: Digest,
    /// The value for people, where it is known to be short.
    shown: Option<Arc<str>>,
    /// A digest without the order of the elements.
    unordered: Option<Digest>,
}

/// Why a call has no cache key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKey {
    /// An argument has no digest.
    #[error("argument `{argument}` has no digest: {reason}")]
    Argument {
        argument: &'static str,
        reason: String,
    },
    /// It takes longer than the caller wants to wait, or a result has to be read first.
    #[error("argument `{argument}` has no digest yet")]
    Later { argument: &'static str },
}

/// The parts of a key that are the same for all calls of a task.
pub(crate) struct KeyHead {
    pub(crate) task_id: Arc<str>,
    id: Digest,
    code: Digest,
    version: Option<(&'static str, Digest)>,
    /// Of all three.
    digest: [u8; 32],
}

thread_local! {
    /// The heads of the tasks that were called on this thread.
    static HEADS: RefCell<HashMap<TypeId, Arc<KeyHead>>> = RefCell::default();
}

impl KeyHead {
    fn new(
        task_id: Arc<str>,
        id: Digest,
        code: Digest,
        version: Option<(&'static str, Digest)>,
    ) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("orch cache key, version 1");
        hasher.update(id.as_bytes());
        hasher.update(code.as_bytes());
        if let Some((_, version)) = &version {
            hasher.update(version.as_bytes());
        }
        Self {
            task_id,
            id,
            code,
            version,
            digest: *hasher.finalize().as_bytes(),
        }
    }

    /// Returns that of a task.
    pub(crate) fn of<B: Body>(definition: &'static Definition) -> Arc<Self> {
        let make = || {
            let task_id: Arc<str> = B::task_id(definition).into();
            let (id, code) = (value::digest_of_text(&task_id), B::code(definition));
            let version = definition
                .version
                .map(|version| (version, value::digest_of_text(version)));
            Arc::new(Self::new(task_id, id, code, version))
        };
        HEADS.with_borrow_mut(|heads| {
            Arc::clone(heads.entry(TypeId::of::<B>()).or_insert_with(make))
        })
    }
}

/// Longer arguments are shown by their beginning.
const SHOWN: usize = 60;

impl KeyBuilder {
    /// Starts the key of a call.
    pub(crate) fn new(head: &KeyHead, effort: Files, is_shown: bool) -> Self {
        let mut builder = Self {
            effort,
            is_shown,
            bytes: Vec::with_capacity(256),
            parts: Vec::with_capacity(8),
            files: Vec::new(),
            problem: None,
        };
        builder.bytes.extend_from_slice(&head.digest);
        let mut known = |name, digest, shown| {
            builder.parts.push(KeyPart {
                name,
                digest,
                shown,
                unordered: None,
            });
        };
        known("task", head.id, Some(Arc::clone(&head.task_id)));
        known("code", head.code, None);
        if let Some((version, digest)) = &head.version {
            known("version", *digest, Some((*version).into()));
        }
        builder
    }

    /// Lets generated code hand over the arguments.
    pub(crate) fn keys(&mut self) -> Keys<'_> {
        Keys(Purpose::Cache(self))
    }

    /// Adds a part that is a text.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) {
        let shown = scrub(text.to_owned());
        self.push(name, value::digest_of_text(text), Some(shown.into()));
    }

    /// Adds the program, whole, or the reason why that is not known.
    pub(crate) fn build(&mut self, program: &Result<Digest, String>) {
        match program {
            Ok(digest) => self.push("build", *digest, None),
            Err(reason) => {
                self.problem.get_or_insert(NoKey::Argument {
                    argument: "build",
                    reason: reason.clone(),
                });
            }
        }
    }

    fn push(&mut self, name: &'static str, digest: Digest, shown: Option<Arc<str>>) {
        self.push_described(name, digest, shown, None);
    }

    fn push_described(
        &mut self,
        name: &'static str,
        digest: Digest,
        shown: Option<Arc<str>>,
        unordered: Option<Digest>,
    ) {
        self.bytes
            .extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(digest.as_bytes());
        self.parts.push(KeyPart {
            name,
            digest,
            shown,
            unordered,
        });
    }

    fn missing(&mut self, argument: &'static str) {
        let reason = "the engine does not have it".to_owned();
        self.problem
            .get_or_insert(NoKey::Argument { argument, reason });
    }

    fn argument<T>(
        &mut self,
        name: &'static str,
        argument: &KeyedInner<'_, T>,
        digest: Option<DigestFn<T>>,
    ) {
        let known = match argument {
            KeyedInner::Value(_) => None,
            KeyedInner::Run(handle) => handle.origin().digest,
            KeyedInner::Gather(gather) => gathered_digest(&**gather),
        };
        if let Some(known) = known {
            let shown = self.producer(argument);
            self.push(name, known, shown.map(Arc::from));
            return;
        }
        let Some(digest) = digest else {
            let reason = "its type does not implement `serde::Serialize`".to_owned();
            self.problem.get_or_insert(NoKey::Argument {
                argument: name,
                reason,
            });
            return;
        };
        let taken = self.take(name, argument, digest);
        // Whoever needs it next finds it.
        if let (Some(digest), KeyedInner::Run(handle)) = (taken, argument)
            && let Origin {
                header: Some(header),
                part: Part::Whole,
                ..
            } = handle.origin()
        {
            header.identity_mut().set_digest(digest);
        }
    }

    fn with<T>(&mut self, name: &'static str, argument: &KeyedInner<'_, T>, digest: DigestFn<T>) {
        self.take(name, argument, digest);
    }

    /// What an argument looks like, and a digest without the order of its elements.
    fn describe<T>(
        &self,
        argument: &KeyedInner<'_, T>,
        digested: &Digested,
    ) -> (Option<String>, Option<Digest>) {
        if !matches!(argument, KeyedInner::Value(_)) {
            return (self.producer(argument), None);
        }
        let Some(encoding) = digested.encoding.as_ref().filter(|_| self.is_shown) else {
            return (None, None);
        };
        let described = encoding.describe(&digested.files);
        let shown = described.text.map(|text| human::short(&scrub(text), SHOWN));
        (shown, described.unordered)
    }

    /// What an argument is the result of.
    fn producer<T>(&self, argument: &KeyedInner<'_, T>) -> Option<String> {
        if !self.is_shown {
            return None;
        }
        match argument {
            KeyedInner::Value(_) => None,
            KeyedInner::Run(handle) => {
                let header = handle.origin().header?;
                Some(format!(
                    "the result of `{}`",
                    scrub(header.name().to_owned())
                ))
            }
            KeyedInner::Gather(gather) => {
                let mut count = 0;
                gather.visit_origins(&mut |_| count += 1);
                Some(format!(
                    "the results of {}",
                    human::counted(count, "task run")
                ))
            }
        }
    }

    fn take<T>(
        &mut self,
        name: &'static str,
        argument: &KeyedInner<'_, T>,
        digest: DigestFn<T>,
    ) -> Option<Digest> {
        let gathered;
        let value = match argument {
            KeyedInner::Value(value) => Some(*value),
            KeyedInner::Run(handle) => handle.value(),
            KeyedInner::Gather(gather) => {
                let mut are_there = true;
                gather.visit_origins(&mut |origin| {
                    are_there &= !origin.header.is_some_and(Header::is_unloaded);
                });
                gathered = are_there.then(|| gather.gather());
                gathered.as_ref()
            }
        };
        let Some(value) = value else {
            self.problem.get_or_insert(NoKey::Later { argument: name });
            return None;
        };
        match digest(value, self.effort) {
            Ok(digested) => {
                let (shown, unordered) = self.describe(argument, &digested);
                let shown = shown.map(Arc::from);
                self.files.extend(digested.files);
                self.push_described(name, digested.digest, shown, unordered);
                Some(digested.digest)
            }
            Err(value::EncodeError::TakesLong) => {
                self.problem.get_or_insert(NoKey::Later { argument: name });
                None
            }
            Err(error) => {
                self.problem.get_or_insert(NoKey::Argument {
                    argument: name,
                    reason: error.to_string(),
                });
                None
            }
        }
    }

    /// Returns the key, if all parts are there, and the files among them.
    pub(crate) fn finish(self) -> Result<(CacheKeyOf, Vec<SeenFile>), NoKey> {
        match self.problem {
            Some(problem) => Err(problem),
            None => Ok((
                CacheKeyOf {
                    digest: Digest::from_bytes(*blake3::hash(&self.bytes).as_bytes()),
                    parts: self.parts,
                },
                self.files,
            )),
        }
    }
}

/// A cache key, and what it is made of.
pub(crate) struct CacheKeyOf {
    pub(crate) digest: Digest,
    parts: Vec<KeyPart>,
}

impl CacheKeyOf {
    /// As it is recorded.
    pub(crate) fn to_row(&self) -> KeyRow {
        let part = |part: &KeyPart| KeyPartRow {
            name: part.name.to_owned(),
            digest: part.digest,
            unordered: part.unordered,
            shown: part.shown.as_ref().map(|shown| shown.to_string()),
        };
        KeyRow {
            digest: self.digest,
            parts: self.parts.iter().map(part).collect(),
        }
    }
}

/// The digest of several handles: of the digests of their results, if all are known.
#[derive(Clone)]
pub(crate) struct GatheredDigest {
    hasher: blake3::Hasher,
    are_known: bool,
}

impl Default for GatheredDigest {
    fn default() -> Self {
        Self {
            hasher: blake3::Hasher::new_derive_key("orch digests of several handles, version 1"),
            are_known: true,
        }
    }
}

impl GatheredDigest {
    /// Adds a handle.
    pub(crate) fn add(&mut self, origin: &Origin<'_>) {
        match origin.digest {
            Some(digest) => {
                self.hasher.update(digest.as_bytes());
            }
            None => self.are_known = false,
        }
    }

    pub(crate) fn finish(self) -> Option<Digest> {
        self.are_known
            .then(|| Digest::from_bytes(*self.hasher.finalize().as_bytes()))
    }
}

fn gathered_digest<T>(gather: &dyn Gather<T>) -> Option<Digest> {
    let mut digest = GatheredDigest::default();
    gather.visit_origins(&mut |origin| digest.add(origin));
    digest.finish()
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

#[cfg(test)]
mod tests;
