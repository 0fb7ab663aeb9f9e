//! Going on with a flow run that ended because a result was lost from the store after something of
//! it had been used: all that depends on it is made anew, once.

use std::sync::{Arc, PoisonError};

use crate::engine::Deliver;
use crate::error::FlowError;
use crate::flow::Flow;
use crate::id::FlowRunId;
use crate::parameters::ArgumentSource;

use super::run::ResultCell;
use super::{FlowFunction, FlowOptions, Start, TypedCall};

impl<F: FlowFunction> TypedCall<F> {
    /// Makes what is called at the end of the flow run: it puts the result into the cell, or goes on
    /// with the run and leaves that to its next execution.
    pub(super) fn deliver_to(
        &self,
        cell: ResultCell<F::Output>,
        options: &FlowOptions,
        caller: Option<(FlowRunId, u32)>,
    ) -> Deliver<F::Output> {
        let again = self.again;
        let options = FlowOptions {
            failure_mode: options.failure_mode,
            called_by: options.called_by,
            is_second_chance: true,
            ..FlowOptions::default()
        };
        Box::new(move |flow, result| {
            if let Err(error) = &result {
                let args = arguments_again::<F>(flow, error);
                let call = args.map(|args| Box::new(Self { args, again }));
                if call.is_some_and(|call| call.go_on(flow, &cell, options, caller)) {
                    return;
                }
            }
            put(&cell, result);
        })
    }

    /// Starts the next execution of a flow run. Returns whether there is one.
    fn go_on(
        self: Box<Self>,
        flow: &Arc<Flow>,
        cell: &ResultCell<F::Output>,
        options: FlowOptions,
        caller: Option<(FlowRunId, u32)>,
    ) -> bool {
        let options = FlowOptions {
            resume: Some(flow.id),
            ..options
        };
        match self.start_into(Arc::clone(cell), &flow.engine, options, caller) {
            Start::Run(run) if !run.is_refused => {
                tracing::warn!(
                    target: "orch",
                    flow_run = flow.name(),
                    "a stored result was lost after it had been used; the flow run is resumed"
                );
                if let Some(recorder) = flow.recorder() {
                    recorder.go_on_as(run.flow);
                }
                true
            }
            _ => false,
        }
    }
}

/// Returns the recorded arguments, if the flow run is to be gone on with.
fn arguments_again<F: FlowFunction>(flow: &Flow, error: &FlowError) -> Option<F::Args> {
    let recorder = flow.recorder()?;
    if !recorder.resumes_after(error) {
        return None;
    }
    let parameters = recorder.row().parameters?;
    F::arguments(&mut ArgumentSource::Stored(&parameters)).ok()
}

fn put<T>(cell: &ResultCell<T>, result: Result<T, FlowError>) {
    *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
}
