//! What a task run starts with: its cache key, and what its inputs are.

use std::sync::Arc;

use crate::body::Body;
use crate::compute;
use crate::context;
use crate::definition::{CacheOption, Kind};
use crate::error::{Failure, TaskErrorKind};
use crate::identity::Identity;
use crate::input::Arguments;
use crate::key::{CacheKeyOf, KeyBuilder, KeyHead, NoKey};
use crate::node::Node;
use crate::store::KeyRow;
use crate::value::{Digest, Files, SeenFile};

use super::is_cached;

/// What a look at the inputs found.
pub(super) struct LookedAt {
    /// The cache key, if the task is cached and the key is complete.
    pub(super) key: Option<KeyRow>,
    /// What the inputs are, for handing results back.
    pub(super) inputs: [u8; 16],
    /// The files among the plain arguments, as they were hashed.
    pub(super) files: Vec<SeenFile>,
}

impl LookedAt {
    fn with_key(
        args: &impl Arguments,
        key: &CacheKeyOf,
        files: Vec<SeenFile>,
        wants_key: bool,
    ) -> Self {
        Self {
            inputs: inputs_of(args, Some((key.digest, !files.is_empty()))),
            key: wants_key.then(|| key.to_row()),
            files,
        }
    }
}

/// Hashes what the task run starts with.
pub(super) async fn look_at_inputs<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    is_stubbed: bool,
) -> Result<(B::Args, LookedAt), Failure> {
    let header = &node.header;
    let has_files = header.identity().is_some_and(|identity| identity.has_files);
    let wants_key = is_cached(header.definition) && !is_stubbed;
    // Only a task knows the types of its inputs, and with them how to hash those.
    let is_recorded_task = B::task().is_some() && header.flow.recorder().is_some();
    let has_unknown = is_recorded_task && has_unknown::<B>(&args);
    if !wants_key && !has_files && !has_unknown {
        let inputs = inputs_of(&args, None);
        let looked_at = LookedAt {
            key: None,
            inputs,
            files: Vec::new(),
        };
        return Ok((args, looked_at));
    }
    if wants_key && !has_files && !has_unknown && header.flow.recorder().is_some() {
        // Nothing here takes long: large results have a digest already.
        let looked_at = look::<B>(node, &args, wants_key);
        return Ok((args, looked_at));
    }
    if wants_key && header.flow.recorder().is_none() {
        // Most keys take less than the way to another thread.
        if let Ok((key, files)) = key_of::<B>(node, &args, Files::AtOnce) {
            let looked_at = LookedAt::with_key(&args, &key, files, true);
            return Ok((args, looked_at));
        }
    }
    // Files, and large values that nobody has hashed before, are read on a thread that may block.
    let flow = &header.flow;
    let theirs = Arc::clone(node);
    let job = move || {
        let looked_at = look::<B>(&theirs, &args, wants_key);
        (args, looked_at)
    };
    if header.definition.kind == Kind::Inline && !has_files {
        return Ok(job());
    }
    compute::call(&flow.engine, flow.runtime(), job, header.turn())
        .await
        .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))
}

fn look<B: Body>(node: &Node<B>, args: &B::Args, wants_key: bool) -> LookedAt {
    let header = &node.header;
    match key_of::<B>(node, args, Files::ByContent) {
        Ok((key, files)) => LookedAt::with_key(args, &key, files, wants_key),
        Err(problem) => {
            if wants_key {
                warn_no_key(header.name(), &problem);
            }
            let has_files = header.identity().is_some_and(|identity| identity.has_files);
            LookedAt {
                key: None,
                inputs: if wants_key || has_files {
                    // No record has it: the task run is not handed back.
                    [0; 16]
                } else {
                    inputs_of(args, None)
                },
                files: Vec::new(),
            }
        }
    }
}

/// Puts the key of a call together.
pub(super) fn key_of<B: Body>(
    node: &Node<B>,
    args: &B::Args,
    effort: Files,
) -> Result<(CacheKeyOf, Vec<SeenFile>), NoKey> {
    let header = &node.header;
    let head = KeyHead::of::<B>(header.definition);
    let is_shown = effort == Files::ByContent && header.flow.recorder().is_some();
    let mut builder = KeyBuilder::new(&head, effort, is_shown);
    B::keys(args, &mut builder.keys());
    if header.definition.cache == CacheOption::Run {
        builder.text("scope", &header.flow.id.to_string());
    }
    if let Some(build) = &header.flow.engine.build {
        builder.build(build);
    }
    if header.definition.is_seeded {
        builder.text("seed", &context::seed_of(header).to_string());
    }
    builder.finish()
}

fn warn_no_key(task_run: &str, problem: &NoKey) {
    tracing::warn!(target: "orch", task_run, "the task run is not cached: {problem}");
}

/// Whether there is an upstream result that nobody has hashed: of a fold, a group, another flow run.
fn has_unknown<B: Body>(args: &B::Args) -> bool {
    let mut has_unknown = false;
    args.visit(&mut |upstream| {
        let digest = upstream.header.identity().and_then(Identity::digest);
        has_unknown |= digest.is_none() && upstream.header.state().is_success();
    });
    has_unknown
}

/// A hash of what the inputs are: each upstream result by its digest, or by its execution where it
/// has none. A key, where there is one, stands for all results without a digest, and for the files
/// among the plain arguments, if there are such.
pub(super) fn inputs_of(args: &impl Arguments, key: Option<(Digest, bool)>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("orch inputs of a task run, version 1");
    let mut needs_key = key.is_some_and(|(_, has_files)| has_files);
    args.visit(&mut |upstream| {
        let identity = upstream.header.identity();
        match identity.and_then(Identity::digest) {
            Some(digest) => {
                hasher.update(&[1]);
                hasher.update(digest.as_bytes());
            }
            None if key.is_some() && upstream.header.state().is_success() => needs_key = true,
            None => {
                hasher.update(&[if upstream.header.state().is_success() {
                    2
                } else {
                    3
                }]);
                let execution = identity.map_or(0, Identity::execution);
                hasher.update(&execution.to_le_bytes());
            }
        }
    });
    if let Some((key, _)) = key.filter(|_| needs_key) {
        hasher.update(&[4]);
        hasher.update(key.as_bytes());
    }
    let mut inputs = [0; 16];
    inputs.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    inputs
}
