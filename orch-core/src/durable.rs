//! The way of a task run that is cached or recorded: handed back, found in the cache, or executed
//! and kept.

mod earlier;
mod hit;
mod inputs;
mod keep;
mod lead;
mod load;

pub(crate) use self::hit::hit_at_once;
pub(crate) use self::keep::store_ahead;
pub(crate) use self::lead::Leading;
pub(crate) use self::load::{load, load_inputs};

use std::sync::Arc;
use std::time::Duration;

use crate::attempt;
use crate::body::{Body, ended_meanwhile};
use crate::cache::Lead;
use crate::definition::{CacheOption, Definition};
use crate::error::Failure;
use crate::flow::Busy;
use crate::node::Node;
use crate::recorder::{Earlier, Recorder};
use crate::report::NodeKind;
use crate::state::State;
use crate::store::TaskRunRow;
use crate::value::SeenFile;

use self::earlier::{hand_back, is_same, is_same_code, note_crashes};
use self::hit::{Age, load_hit, look_up, take_hit, take_value};
use self::inputs::look_at_inputs;
use self::keep::{Value, keep_cached, keeps_in_memory, record_end, store_result};
use self::lead::{claim_elsewhere, refresh, refreshing};
use self::load::load_parts;

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
                Some(claim) => break Leading::of(claim, flight),
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

/// Executes the body and keeps what it returned.
async fn execute<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    recorder: Option<Arc<Recorder>>,
    leading: Option<Leading>,
    files: Vec<SeenFile>,
) -> Result<(), Failure> {
    if node.header.definition.names_its_inputs() {
        load_inputs(&args).await?;
    }
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
    if keeps_in_memory(&node.header) {
        match value {
            Value::Own(value) => node.keep(value),
            Value::Shared(value) => node.keep_shared(value),
        }
    } else {
        identity.set_unloaded(true);
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
