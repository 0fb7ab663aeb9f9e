//! Cache keys: complete or absent, put together when a task run starts.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::body::Body;
use crate::definition::Definition;
use crate::identity::{Origin, Part};
use crate::input::Gather;
use crate::node::Header;
use crate::report::human;
use crate::secret::scrub;
use crate::store::{KeyPartRow, KeyRow};
use crate::value::{self, Digest, Files, SeenFile};

use super::{DigestFn, Digested, KeyedInner, Keys, Purpose};

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
    pub(super) name: &'static str,
    pub(super) digest: Digest,
    /// The value for people, where it is known to be short.
    pub(super) shown: Option<Arc<str>>,
    /// A digest without the order of the elements.
    pub(super) unordered: Option<Digest>,
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
    pub(super) digest: [u8; 32],
}

thread_local! {
    /// The heads of the tasks that were called on this thread.
    static HEADS: RefCell<HashMap<TypeId, Arc<KeyHead>>> = RefCell::default();
}

impl KeyHead {
    pub(super) fn new(
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

    pub(super) fn missing(&mut self, argument: &'static str) {
        let reason = "the engine does not have it".to_owned();
        self.problem
            .get_or_insert(NoKey::Argument { argument, reason });
    }

    pub(super) fn argument<T>(
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

    pub(super) fn with<T>(
        &mut self,
        name: &'static str,
        argument: &KeyedInner<'_, T>,
        digest: DigestFn<T>,
    ) {
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
