//! The way of a task run that is cached or recorded: handed back, found in the cache, or executed
//! and kept.

use std::any::Any;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::attempt;
use crate::body::{Body, ended_meanwhile};
use crate::cache::{Flight, Hit, Lead};
use crate::compute;
use crate::context;
use crate::definition::{CacheOption, Definition, FlowDefinition, Kind};
use crate::error::{Failure, TaskErrorKind};
use crate::flow::{Busy, Flow, NodeSpec};
use crate::identity::{Identity, Source};
use crate::input::Arguments;
use crate::key::{CacheKeyOf, KeyBuilder, KeyHead, NoKey};
use crate::node::{AnyNode, Header, Node, NodeRef};
use crate::recorder::{self, Earlier, EngineStore, Kept, MAX_CRASHES, NotStored, Recorder};
use crate::report::NodeKind;
use crate::state::State;
use crate::store::{
    CacheRow, CallId, Change, Durability, Epoch, Hold, KeyClaim, KeyRow, Place, ResultOrigin,
    StoredValue, TaskRow, TaskRunRow, Timestamp,
};
use crate::task_run::TaskRun;
use crate::value::{Codec, Digest, Files, SeenFile};

/// How old the mark of a cache entry's last use may be before it is renewed.
const USED: Duration = Duration::from_secs(60 * 60);

/// How often to look whether another process has ended an execution that this one waits for.
const FOREIGN_EXECUTION: Duration = Duration::from_millis(20);

/// Whether a node passes through here.
pub(crate) fn concerns<B: Body>(node: &Node<B>) -> bool {
    let header = &node.header;
    header.flow.recorder().is_some() || is_cached(header.definition) || B::HAS_ROLLBACK
}

fn is_cached(definition: &Definition) -> bool {
    definition.cache != CacheOption::None
}

/// Takes a node to its result.
pub(crate) async fn run<B: Body>(node: Arc<Node<B>>) -> Result<(), Failure> {
    let Some(args) = node.take_inputs() else {
        return Err(ended_meanwhile());
    };
    // What an undoing will need.
    let kept = node
        .again
        .filter(|_| B::HAS_ROLLBACK)
        .map(|again| again(&args));
    find_or_execute(&node, args).await?;
    if let Some(rehearsal) = node.header.flow.rehearsal() {
        rehearsal.has_ended(&node.header);
    }
    if let Some(args) = kept {
        let flow = &node.header.flow;
        let identity = node.header.identity_mut();
        let was_undone = |row: &TaskRunRow| row.state == State::RolledBack;
        if !identity.record.get().is_some_and(|row| was_undone(row)) {
            let completed_at = identity.completed_at();
            flow.add_rollback(&node, args, completed_at.unwrap_or(flow.timestamp()).0);
        }
    }
    Ok(())
}

async fn find_or_execute<B: Body>(node: &Arc<Node<B>>, args: B::Args) -> Result<(), Failure> {
    let header = &node.header;
    let recorder = header.flow.recorder().cloned();
    let identity = header.identity_mut();
    let is_stubbed = header.flow.engine.faults.concern_body::<B>();
    let rehearsal = header.flow.rehearsal();
    let busy = rehearsal.map(Busy::of);

    if is_cached(header.definition) {
        // A part of a stored result has no digest of its own: the whole is read.
        load_parts(&args).await?;
    }
    let (mut args, looked_at) = look_at_inputs(node, args, is_stubbed).await?;
    if let Some(recorder) = &recorder {
        let _ = identity.inputs.set(looked_at.inputs);
        if let Some(earlier) = identity.call.and_then(|call| recorder.earlier(call)) {
            let hands_back = header.scope.as_ref().is_none_or(|scope| scope.hands_back);
            if hands_back && is_same::<B>(identity, &earlier, recorder) {
                return hand_back(node, args, earlier, busy).await;
            }
            let Earlier { row, of } = &earlier;
            if of.is_none() {
                note_crashes(node, row, recorder)?;
                if identity.is_complete && row.is_complete && row.inputs == looked_at.inputs {
                    let _ = identity.is_same_code.set(is_same_code(identity, row));
                }
            }
        }
        recorder.may_execute(header)?;
        identity.set_execution(recorder.next_execution());
    }

    if let Some(rehearsal) = rehearsal {
        if let Some(key) = &looked_at.key {
            let _ = identity.key.set(key.clone());
            if let Some((hit, Age::Fresh)) = look_up(node, key).await {
                let Some(rest) = take_hit(node, args, hit).await? else {
                    return Ok(());
                };
                args = rest;
            }
        }
        drop(busy);
        if header.kind == NodeKind::Task {
            return rehearsal.stop_at(header).await;
        }
        rehearsal.goes_on(header);
        return execute(node, args, recorder, None, looked_at.files).await;
    }
    let Some(key) = looked_at.key else {
        return execute(node, args, recorder, None, looked_at.files).await;
    };
    let _ = identity.key.set(key.clone());
    if let Some(leading) = refreshing(identity, &key) {
        return execute(node, args, recorder, Some(leading), looked_at.files).await;
    }
    let cache = Arc::clone(&header.flow.engine.cache);
    let leading = loop {
        match look_up(node, &key).await {
            Some((hit, Age::Fresh)) => {
                let Some(args) = take_hit(node, args, hit).await? else {
                    return Ok(());
                };
                // It was not there after all.
                cache.remove(&key.digest);
                let leading = Some(Leading::default());
                return execute(node, args, recorder, leading, looked_at.files).await;
            }
            Some((hit, Age::Stale)) => {
                if let Some(value) = load_hit(node, &hit).await {
                    take_value(node, hit, value).await?;
                    refresh(node, args, &key).await;
                    return Ok(());
                }
            }
            None => {}
        }
        match cache.lead(key.digest).await {
            Lead::Ended => continue,
            Lead::Leader(flight) => match claim_elsewhere(node, &key).await {
                Some(claim) => {
                    break Leading {
                        _claim: claim,
                        _flight: Some(flight),
                    };
                }
                None => {
                    drop(flight);
                    tokio::time::sleep(FOREIGN_EXECUTION).await;
                }
            },
        }
    };
    // Whoever led before may have put it there between the look and the claim.
    if let Some((hit, Age::Fresh)) = look_up(node, &key).await {
        let Some(args) = take_hit(node, args, hit).await? else {
            return Ok(());
        };
        return execute(node, args, recorder, Some(leading), looked_at.files).await;
    }
    execute(node, args, recorder, Some(leading), looked_at.files).await
}

/// Makes a new result for a key whose result has outlived its age, unless somebody does already.
/// It runs beside the flow run that found it: that one does not wait, and does not fail with it.
async fn refresh<B: Body>(node: &Arc<Node<B>>, args: B::Args, key: &KeyRow) {
    let header = &node.header;
    let engine = &header.flow.engine;
    let Some(flight) = engine.cache.try_lead(key.digest) else {
        return;
    };
    let Some(claim) = claim_elsewhere(node, key).await else {
        return;
    };
    let leading = Leading {
        _claim: claim,
        _flight: Some(flight),
    };
    let flow = engine.start_bare(&REFRESH);
    let mut spec = NodeSpec::new(header.definition, header.kind);
    let identity = Identity::of_refresh(key.digest, leading);
    spec.detail.get_or_insert_default().identity = OnceLock::from(identity);
    let Some(runtime) = flow.runtime().cloned() else {
        return;
    };
    let run = TaskRun::first(flow.submit::<B>(spec, args, node.again));
    drop(runtime.spawn(async move {
        if let Err(error) = run.await {
            tracing::warn!(
                target: "orch",
                "a cached result was not refreshed: {error}; the old one stays as long as it may"
            );
        }
    }));
}

/// Takes the right to execute that a refreshing node was submitted with.
fn refreshing(identity: &Identity, key: &KeyRow) -> Option<Leading> {
    let mut refreshing = identity
        .refreshing
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let (of, leading) = refreshing.take()?;
    // A file among the arguments may have changed since.
    (of == key.digest).then_some(leading)
}

/// The flow that refreshing task runs belong to.
static REFRESH: FlowDefinition = FlowDefinition::new("refresh", "", "", 0, "");

/// The right to execute for a key, here and among the processes of a folder.
#[derive(Default)]
pub(crate) struct Leading {
    _claim: Option<Claim>,
    /// Last: who waits here goes on when the others can as well.
    _flight: Option<Flight>,
}

impl std::fmt::Debug for Leading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leading").finish_non_exhaustive()
    }
}

/// How a cached result stands to the age that it may have.
enum Age {
    /// Within it.
    Fresh,
    /// Past it, and within what the task puts up with while a new one is made.
    Stale,
}

/// A claim of a key in the store, given up when it is dropped.
struct Claim {
    store: Arc<EngineStore>,
    key: Digest,
    epoch: Epoch,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.store.journal.release_key(self.key, self.epoch);
    }
}

/// What a look at the inputs found.
struct LookedAt {
    /// The cache key, if the task is cached and the key is complete.
    key: Option<KeyRow>,
    /// What the inputs are, for handing results back.
    inputs: [u8; 16],
    /// The files among the plain arguments, as they were hashed.
    files: Vec<SeenFile>,
}

/// Hashes what the task run starts with.
async fn look_at_inputs<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    is_stubbed: bool,
) -> Result<(B::Args, LookedAt), Failure> {
    let header = &node.header;
    let has_files = header.identity().is_some_and(|identity| identity.has_files);
    let wants_key = is_cached(header.definition) && !is_stubbed;
    if !wants_key && !has_files {
        let inputs = inputs_of::<B>(&args, None);
        let looked_at = LookedAt {
            key: None,
            inputs,
            files: Vec::new(),
        };
        return Ok((args, looked_at));
    }
    if wants_key && !has_files && header.flow.recorder().is_some() {
        // Nothing here takes long: large results have a digest already.
        let looked_at = look::<B>(node, &args, wants_key);
        return Ok((args, looked_at));
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
    compute::call(&flow.engine, flow.runtime(), job)
        .await
        .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))
}

fn look<B: Body>(node: &Node<B>, args: &B::Args, wants_key: bool) -> LookedAt {
    let header = &node.header;
    match key_of::<B>(node, args, Files::ByContent) {
        Ok((key, files)) => LookedAt {
            inputs: inputs_of::<B>(args, (!files.is_empty()).then_some(key.digest)),
            key: wants_key.then(|| key.to_row()),
            files,
        },
        Err(problem) => {
            if wants_key {
                warn_no_key(header.name(), &problem);
            }
            LookedAt {
                key: None,
                // No record has it: the task run is not handed back.
                inputs: [0; 16],
                files: Vec::new(),
            }
        }
    }
}

/// Puts the key of a call together.
fn key_of<B: Body>(
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

/// Gives a cached node its result, if that is at hand and the key takes no time: then nothing has to
/// be waited for.
pub(crate) fn hit_at_once<B: Body>(node: &Arc<Node<B>>) -> bool {
    let header = &node.header;
    let engine = &header.flow.engine;
    let recorder = header.flow.recorder();
    let can_be = is_cached(header.definition)
        && !B::HAS_ROLLBACK
        && !engine.faults.concern_body::<B>()
        && !engine.is_refreshed(header)
        && recorder.is_none_or(|recorder| recorder.records_at_once(header));
    if !can_be {
        return false;
    }
    let Some(args) = node.take_inputs() else {
        return false;
    };
    let found = key_of::<B>(node, &args, Files::AtOnce)
        .ok()
        .and_then(|(key, _)| Some((find_at_once(node, key.digest)?, key.digest)));
    let Some(((value, stored, origin), key)) = found else {
        node.put_inputs_back(args);
        return false;
    };
    let identity = header.identity_mut();
    let _ = identity.stored.set(stored);
    let _ = identity.source.set(Source::Cache(origin));
    node.keep_shared(value);
    if let Some(recorder) = recorder {
        let _ = identity.inputs.set(inputs_of::<B>(&args, None));
        let parts = Vec::new();
        let _ = identity.key.set(KeyRow { digest: key, parts });
        identity.set_execution(recorder.next_execution());
        let now = Some(header.flow.now());
        recorder.push_task_run(header, identity, State::Cached, now, None);
        identity.set_recorded(true);
    }
    true
}

/// Looks for a small result where nothing has to be waited for.
fn find_at_once<B: Body>(
    node: &Node<B>,
    key: Digest,
) -> Option<(Arc<B::Output>, StoredValue, ResultOrigin)> {
    let header = &node.header;
    let engine = &header.flow.engine;
    let is_fresh = |made_at| matches!(age_of(header, made_at), Some(Age::Fresh));
    if let Some(hit) = engine.cache.get(&key).filter(|hit| is_fresh(hit.made_at)) {
        let value = in_hit::<B>(&hit)?;
        return Some((value, hit.stored, hit.origin));
    }
    let store = engine.store.as_ref()?;
    let row = store.runs.cached(key).now_or_never()?.ok()??;
    let (Place::Inline(bytes), true) = (&row.value.place, is_fresh(row.made_at)) else {
        return None;
    };
    let value = B::codec()?.decode(&row.value.stored, bytes).ok()?;
    let hit = hit_of(&header.flow, store, row);
    Some((Arc::new(value), hit.stored, hit.origin))
}

/// A cached result that a store has, noted as used.
fn hit_of(flow: &Flow, store: &EngineStore, row: CacheRow) -> Hit {
    let now = flow.timestamp();
    // Eviction looks at the day, not at the second.
    if now.0.saturating_sub(row.used_at.0) as u128 > USED.as_nanos() {
        let used = Change::CacheUsed {
            key: row.key.digest,
            at: now,
        };
        push(flow, store, used, None);
    }
    Hit {
        value: None,
        stored: row.value,
        origin: ResultOrigin::Cached {
            run: row.made_by.0,
            call: row.made_by.1,
        },
        made_at: row.made_at,
    }
}

fn warn_no_key(task_run: &str, problem: &NoKey) {
    tracing::warn!(target: "orch", task_run, "the task run is not cached: {problem}");
}

/// A hash of what the inputs are: each upstream result by its digest, or by its execution where it
/// has none.
fn inputs_of<B: Body>(args: &B::Args, files: Option<Digest>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("orch inputs of a task run, version 1");
    args.visit(&mut |upstream| {
        let identity = upstream.header.identity();
        match identity.and_then(Identity::digest) {
            Some(digest) => {
                hasher.update(&[1]);
                hasher.update(digest.as_bytes());
            }
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
    if let Some(files) = files {
        hasher.update(&[4]);
        hasher.update(files.as_bytes());
    }
    let mut inputs = [0; 16];
    inputs.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    inputs
}

/// Whether a recorded result is what this call would come to.
fn is_same<B: Body>(identity: &Identity, earlier: &Earlier, recorder: &Recorder) -> bool {
    let row = &earlier.row;
    identity.is_complete
        && row.is_complete
        && (row.state.is_success() || recorder.is_rolling_back() && row.state == State::RolledBack)
        && row.result.is_some()
        && is_same_code(identity, row)
        && Some(&row.inputs) == identity.inputs.get()
        && B::codec().is_some()
        // What ran again already, before the flow run was resumed, need not do so twice.
        && (earlier.of.is_none() || !recorder.must_run_again(&row.task.name))
}

/// Whether a task is what it was. Where its function stands does not matter.
fn is_same_code(identity: &Identity, row: &TaskRunRow) -> bool {
    let task = identity.task.get().expect("set when it was submitted");
    let code = |task: &TaskRow| (task.id.clone(), task.fingerprint, task.version.clone());
    code(&row.task) == code(task)
}

/// A task run that was running when its process was gone has crashed; too often, and it is blamed.
fn note_crashes<B: Body>(
    node: &Node<B>,
    row: &TaskRunRow,
    recorder: &Recorder,
) -> Result<(), Failure> {
    // A map, a group or a subflow only waits: what runs in it is to blame.
    if node.header.kind != NodeKind::Task || recorder.had_ended() {
        return Ok(());
    }
    let crashes = row.crashes + u32::from(recorder.has_crashed(row));
    node.header
        .identity_mut()
        .crashes
        .store(crashes, std::sync::atomic::Ordering::Relaxed);
    if crashes >= MAX_CRASHES {
        return Err(Failure::last(TaskErrorKind::LostProcess { times: crashes }));
    }
    Ok(())
}

/// Ends a node with its recorded result.
async fn hand_back<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    earlier: Earlier,
    busy: Option<Busy<'_>>,
) -> Result<(), Failure> {
    let identity = node.header.identity_mut();
    let Earlier { row, of } = earlier;
    let origin = match of {
        None => row.origin,
        Some(run) => ResultOrigin::Cached {
            run,
            call: row.call,
        },
    };
    identity.set_execution(row.execution);
    identity.set_completed_at(row.ended_at);
    if B::HAS_ROLLBACK {
        let _ = identity.record.set(Box::new(row.clone()));
    }
    let value = row.result.clone().expect("looked at before");
    // A node that is stopped meanwhile leaves the record as it is.
    identity.set_recorded(true);
    let is_there = settle(node, args, value, Source::Record(origin)).await;
    match is_there {
        None => {
            if let (Some(of), Some(recorder)) = (of, node.header.flow.recorder()) {
                recorder.push_reused(&node.header, of, row);
            }
            Ok(())
        }
        Some(args) => {
            identity.set_recorded(false);
            let recorder = node.header.flow.recorder().cloned();
            if let Some(recorder) = &recorder {
                recorder.may_execute(&node.header)?;
                identity.set_execution(recorder.next_execution());
            }
            if let Some(rehearsal) = node.header.flow.rehearsal() {
                drop(busy);
                return rehearsal.stop_at(&node.header).await;
            }
            let leading = identity.key.get().map(|_| Leading::default());
            execute(node, args, recorder, leading, Vec::new()).await
        }
    }
}

/// Gives a node the result that was found. Gives the arguments back if it was not there after all.
async fn take_hit<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    hit: Hit,
) -> Result<Option<B::Args>, Failure> {
    if let Some(value) = in_hit::<B>(&hit) {
        drop(args);
        take_value(node, hit, value).await?;
        return Ok(None);
    }
    let rest = settle(node, args, hit.stored, Source::Cache(hit.origin)).await;
    if rest.is_none() {
        record_found(node).await?;
    }
    Ok(rest)
}

/// Returns the result that was found, if it is in memory.
fn in_hit<B: Body>(hit: &Hit) -> Option<Arc<B::Output>> {
    Arc::clone(hit.value.as_ref()?).downcast().ok()
}

/// Brings the result that was found into memory.
async fn load_hit<B: Body>(node: &Node<B>, hit: &Hit) -> Option<Arc<B::Output>> {
    if let Some(value) = in_hit::<B>(hit) {
        return Some(value);
    }
    let flow = &node.header.flow;
    let (codec, blobs) = (B::codec()?, Arc::clone(flow.engine.blobs()?));
    let stored = hit.stored.clone();
    let job = move || recorder::get(&*blobs, codec, &stored);
    let found = compute::call(&flow.engine, flow.runtime(), job).await;
    found.ok().flatten().map(Arc::new)
}

/// Ends a node with the result that was found.
async fn take_value<B: Body>(
    node: &Arc<Node<B>>,
    hit: Hit,
    value: Arc<B::Output>,
) -> Result<(), Failure> {
    let identity = node.header.identity_mut();
    let _ = identity.stored.set(hit.stored);
    let _ = identity.source.set(Source::Cache(hit.origin));
    node.keep_shared(value);
    record_found(node).await
}

/// Gives a node a stored result: at once if it is small, else when somebody needs it. Gives the
/// arguments back if the result is not there.
async fn settle<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    value: StoredValue,
    source: Source,
) -> Option<B::Args> {
    let header = &node.header;
    let (Some(codec), Some(blobs)) = (B::codec(), header.flow.engine.blobs()) else {
        return Some(args);
    };
    match &value.place {
        Place::Inline(_) => match recorder::get(&**blobs, codec, &value) {
            Some(result) => node.keep(result),
            None => return Some(args),
        },
        Place::Blob => {
            if !matches!(blobs.contains(&value.stored.digest), Ok(true)) {
                tracing::warn!(
                    target: "orch",
                    task_run = header.name(),
                    "its stored result is gone; it runs again"
                );
                return Some(args);
            }
            // Should the bytes turn out to be damaged, the body has what it needs to run again.
            node.put_inputs_back(args);
            let identity = header.identity_mut();
            let _ = identity.stored.set(value);
            let _ = identity.source.set(source);
            identity.set_unloaded(true);
            // The map that an item belongs to takes its result when it has ended.
            if header.is_item() && load(Arc::clone(node)).await.is_ok() {
                identity.set_unloaded(false);
            }
            return None;
        }
    }
    let _ = header.identity_mut().stored.set(value);
    let _ = header.identity_mut().source.set(source);
    None
}

/// Records a task run that ends with what the cache had.
async fn record_found<B: Body>(node: &Arc<Node<B>>) -> Result<(), Failure> {
    match node.header.flow.recorder() {
        Some(recorder) => record_end(node, recorder, State::Cached, None).await,
        None => Ok(()),
    }
}

/// Looks a key up, in memory and then in the store.
async fn look_up<B: Body>(node: &Arc<Node<B>>, key: &KeyRow) -> Option<(Hit, Age)> {
    let header = &node.header;
    let flow = &header.flow;
    let engine = &flow.engine;
    if engine.is_refreshed(header) {
        return None;
    }
    let in_memory = engine.cache.get(&key.digest).and_then(|hit| {
        let age = age_of(header, hit.made_at)?;
        Some((hit, age))
    });
    let Some(store) = &engine.store else {
        return in_memory;
    };
    if let Some((hit, Age::Fresh)) = in_memory {
        return Some((hit, Age::Fresh));
    }
    // Another process may have made a newer one.
    let row = match store.runs.cached(key.digest).await {
        Ok(row) => row,
        Err(error) => {
            tracing::warn!(target: "orch", "{error}; the cache counts as empty");
            None
        }
    };
    let Some((row, age)) = row.and_then(|row| {
        let age = age_of(header, row.made_at)?;
        Some((row, age))
    }) else {
        return in_memory;
    };
    Some((hit_of(flow, store, row), age))
}

/// How old a result of a task run is; `None` if it is too old.
fn age_of(header: &Header, made_at: Timestamp) -> Option<Age> {
    let definition = header.definition;
    let CacheOption::GlobalFor(limit) = definition.cache else {
        return Some(Age::Fresh);
    };
    let Timestamp(now) = header.flow.timestamp();
    let age = u128::try_from(now.saturating_sub(made_at.0)).unwrap_or(0);
    let stale = limit.saturating_add(definition.stale_ok.unwrap_or_default());
    if age <= limit.as_nanos() {
        Some(Age::Fresh)
    } else {
        (age <= stale.as_nanos()).then_some(Age::Stale)
    }
}

/// Hands a change to the journal: as one of the flow run, where that is recorded.
fn push(flow: &Flow, store: &EngineStore, change: Change, hold: Option<Hold>) {
    match flow.recorder() {
        Some(recorder) => recorder.push_holding(change, hold),
        None => store.journal.push(None, change, hold),
    };
}

/// Claims a key among the processes of a folder. `None` while another one has it.
async fn claim_elsewhere<B: Body>(node: &Node<B>, key: &KeyRow) -> Option<Option<Claim>> {
    let Some(store) = &node.header.flow.engine.store else {
        return Some(None);
    };
    match store.journal.claim_key(key.digest).await {
        Ok(KeyClaim::Claimed(epoch)) => Some(Some(Claim {
            store: Arc::clone(store),
            key: key.digest,
            epoch,
        })),
        Ok(KeyClaim::HeldBy(_)) => None,
        Err(error) => {
            // Twice executed is better than not at all.
            tracing::warn!(target: "orch", "{error}; the execution is not claimed");
            Some(None)
        }
    }
}

/// Executes the body and keeps what it returned.
async fn execute<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    recorder: Option<Arc<Recorder>>,
    leading: Option<Leading>,
    files: Vec<SeenFile>,
) -> Result<(), Failure> {
    let loading = load_inputs(&args);
    loading.await?;
    if let Some(recorder) = &recorder {
        recorder.store.journal.until_room().await;
        if node.header.definition.effect {
            recorder.sync().await?;
        }
    }
    let started = node.header.flow.now();
    let result = attempt::run_with_policy(node, args).await?;
    let took = node.header.flow.now().saturating_sub(started);

    let (value, kept) = store_result(node, result, leading.is_some()).await?;
    let identity = node.header.identity_mut();
    let mut hold = None;
    if let Some(kept) = kept {
        let _ = identity.stored.set(kept.value);
        hold = kept.hold;
    }
    let changed = files.iter().find(|file| !file.is_unchanged());
    if let Some(file) = changed {
        tracing::warn!(
            target: "orch",
            task_run = node.header.name(),
            "`{}` changed while it was read; the result is used and not kept",
            file.path().display()
        );
    }
    if changed.is_none()
        && leading.is_some()
        && let (Some(key), Some(stored)) = (identity.key.get(), identity.stored.get())
    {
        // The row of the task run comes after that of the cache, with the hold.
        let hold = hold.take_if(|_| recorder.is_none());
        keep_cached(node, &value, key, stored, hold, took);
    }
    match value {
        Value::Own(value) => node.keep(value),
        Value::Shared(value) => node.keep_shared(value),
    }
    if let Some(recorder) = &recorder {
        if changed.is_some() {
            node.header.identity_mut().set_tainted();
        }
        record_end(node, recorder, State::Completed, hold).await?;
    }
    // Only now may others for the same key go on.
    drop(leading);
    Ok(())
}

enum Value<T> {
    Own(T),
    Shared(Arc<T>),
}

/// Puts a result into its stored form, if there is use for that.
async fn store_result<B: Body>(
    node: &Arc<Node<B>>,
    result: B::Output,
    is_cached: bool,
) -> Result<(Value<B::Output>, Option<Kept>), Failure> {
    let header = &node.header;
    let Some(codec) = B::codec() else {
        return Ok((Value::Own(result), None));
    };
    let is_recorded = header.flow.recorder().is_some() && !header.definition.stays_in_memory;
    if !is_recorded && !is_cached {
        return Ok((Value::Own(result), None));
    }
    let store = header.flow.engine.store.clone();
    let encode = move |value: &B::Output| match &store {
        Some(store) => store.put(codec, value),
        None => Ok(Kept {
            value: in_memory(codec, value)?,
            hold: None,
        }),
    };
    let is_small = codec.size_hint(&result) <= recorder::INLINE_BYTES;
    let (result, stored) = if header.definition.kind == Kind::Blocking || !is_small {
        let flow = &header.flow;
        let job = move || {
            let stored = encode(&result);
            (result, stored)
        };
        compute::call(&flow.engine, flow.runtime(), job)
            .await
            .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))?
    } else {
        let stored = encode(&result);
        (result, stored)
    };
    let stored = match stored {
        Ok(stored) => Some(stored),
        Err(NotStored::Encode(error)) => {
            tracing::warn!(
                target: "orch",
                task_run = header.name(),
                "its result cannot be stored: {error}"
            );
            None
        }
        Err(NotStored::Store(error)) => {
            if let Some(store) = &header.flow.engine.store {
                store
                    .journal
                    .degrade(&error)
                    .map_err(|message| Failure::last(TaskErrorKind::Store { message }))?;
            }
            None
        }
    };
    let value = if is_cached {
        Value::Shared(Arc::new(result))
    } else {
        Value::Own(result)
    };
    Ok((value, stored))
}

/// What identifies a result that stays in memory.
fn in_memory<T>(codec: Codec<T>, value: &T) -> Result<StoredValue, crate::value::EncodeError> {
    Ok(StoredValue {
        stored: codec.identify(value)?,
        place: Place::Blob,
    })
}

fn keep_cached<B: Body>(
    node: &Node<B>,
    value: &Value<B::Output>,
    key: &KeyRow,
    stored: &StoredValue,
    hold: Option<Hold>,
    took: u64,
) {
    let header = &node.header;
    let now = header.flow.timestamp();
    let made_by = (header.flow.id, header.call().unwrap_or(CallId::ROOT));
    if let Value::Shared(value) = value {
        let value = Arc::clone(value) as Arc<dyn Any + Send + Sync>;
        let hit = Hit::of(value, stored.clone(), made_by, now);
        header.flow.engine.cache.put(key.digest, hit);
    }
    if let Some(store) = &header.flow.engine.store
        && header.definition.cache != CacheOption::Run
    {
        let row = Change::Cache(Box::new(CacheRow {
            key: key.clone(),
            task_id: B::task_id(header.definition),
            task: header.definition.name.to_owned(),
            value: stored.clone(),
            made_by,
            made_at: now,
            took,
            used_at: now,
            is_pinned: false,
        }));
        push(&header.flow, store, row, hold);
    }
}

/// Records that a task run has come to its result; waits for it to be on disk where that was asked
/// for.
async fn record_end<B: Body>(
    node: &Arc<Node<B>>,
    recorder: &Recorder,
    state: State,
    hold: Option<Hold>,
) -> Result<(), Failure> {
    let header = &node.header;
    let identity = header.identity_mut();
    let position = recorder.push_task_run(header, identity, state, Some(header.flow.now()), hold);
    let Some(position) = position else {
        return Ok(());
    };
    identity.set_recorded(true);
    if recorder.store.durability == Durability::Strict {
        let committed = recorder
            .store
            .journal
            .flushed(recorder.fence(), position)
            .await;
        committed.map_err(|error| recorder::failure(&error))?;
    }
    Ok(())
}

/// Brings those results into memory of which no digest tells what is used.
fn load_parts<A: Arguments>(args: &A) -> impl Future<Output = Result<(), Failure>> + Send + use<A> {
    let mut missing: Vec<NodeRef> = Vec::new();
    args.visit(&mut |upstream| {
        if upstream.header.is_unloaded() && !upstream.has_digest {
            missing.push((upstream.node)());
        }
    });
    async move {
        for node in missing {
            node.load().await?;
        }
        Ok(())
    }
}

/// Brings the results of the upstream task runs into memory.
fn load_inputs<A: Arguments>(
    args: &A,
) -> impl Future<Output = Result<(), Failure>> + Send + use<A> {
    let mut missing: Vec<NodeRef> = Vec::new();
    args.visit(&mut |upstream| {
        if upstream.header.is_unloaded() {
            missing.push((upstream.node)());
        }
    });
    async move {
        for node in missing {
            node.load().await?;
        }
        Ok(())
    }
}

/// Brings the result of a node into memory: from the store, or, should it be lost, by running the
/// task again.
pub(crate) async fn load<B: Body>(node: Arc<Node<B>>) -> Result<(), Failure> {
    let header = &node.header;
    let Some(stored) = header.identity().and_then(|identity| identity.stored.get()) else {
        return Ok(());
    };
    let _busy = header.flow.rehearsal().map(Busy::of);
    let _loading = header.identity_mut().loading.lock().await;
    if node.has_result() {
        return Ok(());
    }
    let flow = &header.flow;
    let (Some(codec), Some(blobs)) = (B::codec(), flow.engine.blobs()) else {
        return Ok(());
    };
    let (blobs, value) = (Arc::clone(blobs), stored.clone());
    let job = move || recorder::get(&*blobs, codec, &value);
    let found = compute::call(&flow.engine, flow.runtime(), job)
        .await
        .map_err(|compute::Gone| Failure::last(TaskErrorKind::RuntimeShutDown))?;
    if let Some(result) = found {
        node.keep(result);
        // They were kept for the other case.
        node.clear_inputs();
        return Ok(());
    }
    let lost = || {
        Failure::last(TaskErrorKind::CacheLost {
            task_run: header.name().to_owned(),
        })
    };
    let Some(args) = node.take_inputs() else {
        return Err(lost());
    };
    if let Some(key) = header.identity().and_then(|identity| identity.key.get()) {
        flow.engine.cache.remove(&key.digest);
        if let Some(store) = &flow.engine.store {
            push(flow, store, Change::CacheDropped { key: key.digest }, None);
        }
    }
    let loading = load_inputs(&args);
    Box::pin(loading).await?;
    tracing::warn!(
        target: "orch",
        task_run = header.name(),
        "its stored result was lost; it runs again"
    );
    let result = B::attempt(&node, args).await?;
    let again = match &flow.engine.store {
        Some(store) => store
            .put(codec, &result)
            .ok()
            .map(|kept| kept.value.stored.digest),
        None => codec.identify(&result).ok().map(|stored| stored.digest),
    };
    if again.is_none_or(|again| again != stored.stored.digest) {
        return Err(lost());
    }
    node.keep(result);
    Ok(())
}
