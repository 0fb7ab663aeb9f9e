//! Flows called from flows: a node whose body is a flow run on the same engine.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::body::{Body, Slot, Started, ended_meanwhile, mark_started};
use crate::context::{self, TaskContext};
use crate::definition::{Definition, FlowDefinition};
use crate::error::{CancelReason, Failure, FlowErrorKind, TaskErrorKind};
use crate::flow::{Busy, Flow, Rehearsal, RehearsedSubflow};
use crate::input::Arguments;
use crate::key::CallHasher;
use crate::node::{Header, Node, Upstream};
use crate::parameters::Parameters;
use crate::recorder;
use crate::state::State;
use crate::store::{FlowRunFilter, FlowRunRow, StoreError};

use super::run::FlowRun;
use super::{AnyFlowCall as _, FlowFunction, FlowOptions, TypedCall, start_in_turn};

/// Returns the definition under which a flow's subflow runs are recorded.
pub(super) fn node_definition(flow: &'static FlowDefinition) -> &'static Definition {
    static DEFINITIONS: LazyLock<Mutex<HashMap<usize, &'static Definition>>> =
        LazyLock::new(Mutex::default);
    let mut definitions = DEFINITIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = std::ptr::from_ref(flow) as usize;
    // One small allocation per flow of the program, for good.
    definitions.entry(key).or_insert_with(|| {
        Box::leak(Box::new(Definition {
            fingerprint: flow.fingerprint,
            tags: flow.tags,
            doc: flow.doc,
            ..Definition::new(flow.name, flow.module, flow.file, flow.line, flow.package)
        }))
    })
}

/// The inputs of a subflow's node.
pub(crate) struct SubflowArgs<F: FlowFunction> {
    pub(super) call: TypedCall<F>,
    pub(super) options: FlowOptions,
}

impl<F: FlowFunction> Arguments for SubflowArgs<F> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        self.call.args.visit(visit);
    }
}

/// The body of a subflow's node: a flow run on the same engine.
pub(crate) struct SubflowBody<F>(std::marker::PhantomData<fn() -> F>);

impl<F: FlowFunction> Body for SubflowBody<F> {
    type Args = SubflowArgs<F>;
    type Output = F::Output;

    fn task() -> Option<std::any::TypeId> {
        None
    }

    fn call(args: &Self::Args, call: &mut CallHasher) {
        F::parameters(&args.call.args, &mut Parameters::of_call(call));
    }

    fn start_plain(node: Arc<Node<Self>>, slot: &mut Slot, now: u64) -> Started {
        let Some(args) = node.take_inputs() else {
            return Started::Done(Err(ended_meanwhile()));
        };
        if let Err(failure) = mark_started(&node, now) {
            return Started::Done(Err(failure));
        }
        slot.set(async move {
            let result = Self::attempt(&node, args).await;
            result.map(|result| node.keep(result))
        });
        Started::InSlot
    }

    async fn attempt(node: &Arc<Node<Self>>, args: Self::Args) -> Result<F::Output, Failure> {
        let header = &node.header;
        let SubflowArgs { call, mut options } = args;
        let engine = options
            .engine
            .take()
            .map_or_else(|| Arc::clone(&header.flow.engine), |engine| engine.0);
        if options.seed.is_none() {
            options.seed = Some(context::seed_of(header));
        }
        options.called_by = header.call().map(|call| (header.flow.id, call));
        let recorder = header.flow.recorder();
        let is_rolling_back = recorder.is_some_and(|recorder| recorder.is_rolling_back());
        if options.key.is_none() && Arc::ptr_eq(&engine, &header.flow.engine) {
            let earlier = earlier_run(header);
            if let Some(row) = &earlier
                && row.state == State::Completed
                && let Ok(result) = engine.recorded_result(F::codec(), row)
            {
                return Ok(result);
            }
            // One that has ended, has undone what it did.
            options.resume = earlier
                .filter(|row| row.state != State::Completed)
                .filter(|row| !(is_rolling_back && row.state.is_final()))
                .map(|row| row.id);
        }
        if is_rolling_back && !header.is_cleanup() {
            if options.resume.is_none() {
                let reason = CancelReason::Failure;
                return Err(Failure::last(TaskErrorKind::Cancelled { reason }));
            }
            options.roll_back = true;
        }
        if let Some(rehearsal) = header.flow.rehearsal() {
            return match Arc::ptr_eq(&engine, &header.flow.engine) {
                true => rehearse(header, rehearsal, call, options).await,
                false => rehearsal.stop_at(header).await,
            };
        }
        let token = TaskContext::current().cancel_token();
        let caller = Some((header.flow.id, header.index));
        let run = tokio::select! {
            biased;
            run = start_in_turn(Box::new(call), &engine, options, caller) => run,
            () = token.cancelled() => {
                let reason = header.flow.stop_reason().unwrap_or(CancelReason::Parent);
                return Err(Failure::last(TaskErrorKind::Cancelled { reason }));
            }
        };
        let mut run = CancelOnDrop {
            run,
            caller: &header.flow,
        };
        let result = tokio::select! {
            biased;
            result = &mut run.run => result,
            () = token.cancelled() => {
                run.cancel();
                (&mut run.run).await
            }
        };
        result.map_err(|error| {
            Failure::last(match error.kind() {
                FlowErrorKind::Cancelled { reason } => TaskErrorKind::Cancelled { reason: *reason },
                _ => TaskErrorKind::Failed(Box::new(error)),
            })
        })
    }
}

/// Finds out what a subflow would execute; returns its result if that is nothing.
async fn rehearse<F: FlowFunction>(
    header: &Header,
    rehearsal: &Rehearsal,
    call: TypedCall<F>,
    mut options: FlowOptions,
) -> Result<F::Output, Failure> {
    let busy = Busy::of(rehearsal);
    let engine = &header.flow.engine;
    let store = engine
        .store
        .as_ref()
        .expect("rehearsed on an engine with one");
    let recorded = |error: StoreError| recorder::failure(&error);
    if let Some(key) = options.key.take() {
        let filter = FlowRunFilter {
            flow: Some(F::definition().name.to_owned()),
            key: Some(key),
            ..FlowRunFilter::default()
        };
        let row = store.flow_runs(filter).map_err(recorded)?.pop();
        if let Some(row) = row.as_ref().filter(|row| row.state == State::Completed)
            && let Ok(result) = engine.recorded_result(F::codec(), row)
        {
            return Ok(result);
        }
        options.resume = row.map(|row| row.id);
    }
    let of = match options.resume {
        Some(run) => Some((run, store.recorded_task_runs(run).map_err(recorded)?)),
        None => None,
    };
    let rehearsing = Box::new(call).rehearse(engine, options);
    let (Some(call), Ok(rehearsing)) = (header.call(), rehearsing) else {
        drop(busy);
        return rehearsal.stop_at(header).await;
    };
    let (rehearsed, result) = rehearsing.await;
    rehearsal.add_subflow(RehearsedSubflow {
        call,
        rehearsed,
        of,
    });
    drop(busy);
    match result {
        Some(result) => Ok(result),
        None => std::future::pending().await,
    }
}

/// Returns the run of a subflow that an earlier execution of the same call with the same arguments
/// left. One that completed counts only if the flow's code is what it was.
fn earlier_run(header: &Header) -> Option<FlowRunRow> {
    let identity = header.identity()?;
    let is_same_code = *identity.is_same_code.get()?;
    let row = header.flow.recorder()?.subflow(identity.call?)?;
    (is_same_code || row.state != State::Completed).then_some(row)
}

/// A subflow whose caller is dropped is cancelled.
struct CancelOnDrop<'a, T> {
    pub(super) run: FlowRun<T>,
    pub(super) caller: &'a Flow,
}

impl<T> CancelOnDrop<'_, T> {
    /// Stops the subflow; one that goes down with its engine is told so.
    fn cancel(&self) {
        match self.caller.stop_reason() {
            Some(reason @ CancelReason::Shutdown) => self.run.flow.latest().cancel_for(reason),
            _ => self.run.cancel(),
        }
    }
}

impl<T> Drop for CancelOnDrop<'_, T> {
    fn drop(&mut self) {
        self.cancel();
    }
}
