//! Undoing what completed, once the flow run is known to fail.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::body::{Body, Undoing};
use crate::context;
use crate::error::TaskError;
use crate::event::EventKind;
use crate::handle::Handle;
use crate::node::{AnyNode, Node};
use crate::scope::Scope;
use crate::state::StateChange;
use crate::task_run::TaskRun;

use super::{Flow, lock};

/// How to undo one task run.
pub(crate) struct Rollback {
    node: Arc<dyn AnyNode>,
    /// When the task run completed, over all executions of the flow run.
    completed_at: i64,
    undo: Box<dyn FnOnce() -> Option<Undoing> + Send>,
}

impl Flow {
    /// Notes how to undo a task run that has come to its result. A body that returned after its
    /// task run was stopped has done its work all the same.
    pub(crate) fn add_rollback<B: Body>(
        &self,
        node: &Arc<Node<B>>,
        args: B::Args,
        completed_at: i64,
    ) {
        let theirs = Arc::clone(node);
        let rollback = Rollback {
            node: Arc::clone(node) as Arc<dyn AnyNode>,
            completed_at,
            undo: Box::new(move || {
                let output = TaskRun::from_handle(Handle::new(theirs));
                B::rollback(args, output)
            }),
        };
        let mut rollbacks = lock(&self.rollbacks);
        let at = rollbacks.partition_point(|other| other.completed_at <= completed_at);
        rollbacks.insert(at, rollback);
    }

    /// Forgets how to undo: the flow run has completed.
    pub(super) fn forget_rollbacks(&self) {
        let rollbacks = std::mem::take(&mut *lock(&self.rollbacks));
        drop(rollbacks);
    }

    /// Whether there is something to undo.
    pub(super) fn has_rollbacks(&self) -> bool {
        !lock(&self.rollbacks).is_empty()
    }

    /// Undoes what completed, the last first, one after the other. An undoing that fails is logged,
    /// and the others are done all the same.
    pub(super) async fn roll_back(self: &Arc<Self>, span: &tracing::Span) {
        loop {
            let next = lock(&self.rollbacks).pop();
            let Some(Rollback {
                node,
                completed_at,
                undo,
            }) = next
            else {
                return;
            };
            if self.is_lost() {
                return self.forget_rollbacks();
            }
            let identity = node.header().identity();
            let scope = match identity.and_then(|identity| Some((identity.call?, identity))) {
                Some((call, identity)) => Scope::of_undoing(self.seed, call, identity.execution()),
                None => Scope::of_cleanups(self.seed),
            };
            let scope = Arc::new(scope);
            let undoing = {
                let _span = span.enter();
                let _context = context::enter_flow(self);
                context::within_scope(&scope, undo)
            };
            let Some(Undoing(undoing)) = undoing else {
                continue;
            };
            let undone: BoxFuture<'static, Result<(), TaskError>> = undoing;
            match undone.await {
                Ok(()) => {
                    self.note_rolled_back(&node, completed_at);
                    // On disk before the next one begins: what was undone is not undone again.
                    if let Some(recorder) = self.recorder()
                        && let Err(failure) = recorder.sync().await
                    {
                        let error = node.header().make_error(failure.kind);
                        tracing::error!(target: "orch", flow_run = self.name, "{error}");
                    }
                }
                Err(error) => tracing::error!(
                    target: "orch",
                    flow_run = self.name,
                    task_run = node.header().name(),
                    "a task run could not be undone: {error}"
                ),
            }
        }
    }

    fn note_rolled_back(&self, node: &Arc<dyn AnyNode>, completed_at: i64) {
        let header = node.header();
        if header.change(StateChange::RollBack).is_err() {
            return;
        }
        self.records.roll_back(header.index);
        if let (Some(recorder), Some(identity)) = (self.recorder(), header.identity()) {
            recorder.push_undone(header, identity, completed_at);
        }
        self.emit(EventKind::rolled_back(header));
    }
}
