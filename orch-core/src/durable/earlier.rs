//! Results that earlier executions of the flow run recorded.

use std::sync::Arc;

use crate::body::Body;
use crate::error::{Failure, TaskErrorKind};
use crate::flow::Busy;
use crate::identity::{Identity, Source};
use crate::node::Node;
use crate::recorder::{Earlier, MAX_CRASHES, Recorder};
use crate::report::NodeKind;
use crate::state::State;
use crate::store::{ResultOrigin, TaskRow, TaskRunRow};
use crate::tracking::FoundLog;

use super::execute;
use super::hit::settle;
use super::lead::Leading;

/// Whether a recorded result is what this call would come to.
pub(super) fn is_same<B: Body>(
    identity: &Identity,
    earlier: &Earlier,
    recorder: &Recorder,
) -> bool {
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
pub(super) fn is_same_code(identity: &Identity, row: &TaskRunRow) -> bool {
    let task = identity.task.get().expect("set when it was submitted");
    let code = |task: &TaskRow| (task.id.clone(), task.fingerprint, task.version.clone());
    code(&row.task) == code(task)
}

/// A task run that was running when its process was gone has crashed; too often, and it is blamed.
pub(super) fn note_crashes<B: Body>(
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
pub(super) async fn hand_back<B: Body>(
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
            let header = &node.header;
            let made_by = match origin {
                ResultOrigin::Executed => ResultOrigin::Cached {
                    run: header.flow.id,
                    call: row.call,
                },
                elsewhere => elsewhere,
            };
            let in_store = FoundLog::InStore;
            header.flow.live_log.found(header, &in_store, made_by);
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
