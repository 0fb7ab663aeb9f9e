//! Call ids: what names a call within its flow run, known when it is submitted.

use crate::id::FlowRunId;
use crate::identity::{Origin, Part};
use crate::node::Header;
use crate::store::CallId;
use crate::value::{Digest, Files};

use super::{DigestFn, KeyedInner, Keys, Purpose};

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

    pub(super) fn argument<T>(
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
    pub(super) fn skipped<T>(
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
