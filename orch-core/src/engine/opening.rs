//! How a flow run on an engine with a store comes to be: begun, gone on with, or found ended.

use std::convert;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::error::{CancelReason, FlowError, FlowErrorKind, RecordedError};
use crate::flow::{self, Flow, FlowSpec, Recording};
use crate::id::FlowRunId;
use crate::manifest;
use crate::recorder::{EngineStore, Past, Recorder};
use crate::secret::scrub;
use crate::state::State;
use crate::steps::Steps;
use crate::store::{
    CallId, ClaimRun, Fence, FlowRunRow, OwnerId, ParameterRow, RecordedTaskRuns, RunClaim,
    RunOrigin, StepRow, StoreError,
};
use crate::value::{Codec, Digest};

use super::{Deliver, EngineInner};

/// What a call asks of the store.
#[derive(Default)]
pub(crate) struct Opening {
    pub(crate) key: Option<String>,
    /// The arguments, or what about them cannot be stored.
    pub(crate) parameters: Option<Result<Vec<ParameterRow>, FlowErrorKind>>,
    /// Go on with this run.
    pub(crate) resume: Option<FlowRunId>,
    /// The run that this one is made from.
    pub(crate) origin: Option<RunOrigin>,
    /// The task runs of that run.
    pub(crate) earlier: RecordedTaskRuns,
    /// What another run of the same call remembered.
    pub(crate) steps: Vec<StepRow>,
    /// The call that starts it as a subflow.
    pub(crate) caller: Option<(FlowRunId, CallId)>,
    /// Only undo what there is of it.
    pub(crate) roll_back: bool,
    /// Whether it goes on with a run that lost a result.
    pub(crate) is_second_chance: bool,
}

/// What became of it.
pub(crate) enum Opened {
    /// The flow run is to run.
    Run,
    /// It completed before.
    Completed(Box<FlowRunRow>),
    /// It runs on this engine.
    Attached(Arc<Flow>),
}

impl EngineInner {
    /// Finds out what a call on an engine with a store leads to; for one that is to run, `spec`
    /// knows how it is recorded.
    pub(crate) fn open_run(
        self: &Arc<Self>,
        spec: &mut FlowSpec,
        mut opening: Opening,
    ) -> Result<Opened, FlowErrorKind> {
        let Some(store) = &self.store else {
            return match opening.key {
                Some(_) => Err(FlowErrorKind::NoStore),
                None => Ok(Opened::Run),
            };
        };
        let parameters = match (opening.parameters.take().transpose(), &opening.key) {
            (Ok(parameters), _) => parameters,
            // Without a key nobody asks what it was called with.
            (Err(_), None) => None,
            (Err(kind), Some(_)) => return Err(kind),
        };
        let row = self.new_row(spec, &opening, parameters);
        let claim = ClaimRun {
            row: row.clone(),
            resume: opening.resume,
            revive_cancelled: opening.resume.is_some(),
        };
        loop {
            let claimed = store
                .claim_run(claim.clone())
                .map_err(|error| store_error(&error))?;
            return match claimed {
                RunClaim::Started(fence) => {
                    let past = Past {
                        of_origin: opening.earlier,
                        steps: opening.steps,
                        ..Past::default()
                    };
                    record(spec, store, fence, row, past, convert::identity);
                    Ok(Opened::Run)
                }
                RunClaim::TakenOver { fence, mut row } => {
                    if opening.roll_back && !row.is_rolling_back {
                        let reason = CancelReason::Parent;
                        let kind = FlowErrorKind::Cancelled { reason };
                        let error = FlowError::new(row.name.clone(), kind);
                        row.error = Some(RecordedError::of_flow(&error));
                        row.is_rolling_back = true;
                    }
                    let past = store.past(&row).map_err(|error| store_error(&error))?;
                    let finish = match opening.is_second_chance {
                        true => Recorder::on_its_second_chance,
                        false => convert::identity,
                    };
                    record(spec, store, fence, *row, past, finish);
                    Ok(Opened::Run)
                }
                RunClaim::Completed(row) => Ok(Opened::Completed(row)),
                RunClaim::Cancelled(row) => Err(FlowErrorKind::WasCancelled { run: row.id }),
                RunClaim::RunningHere(run) => {
                    let flow = self.lock().flows.get(&run).cloned();
                    match flow {
                        Some(flow) => Ok(Opened::Attached(flow)),
                        // It has ended meanwhile, or is about to be there.
                        None => {
                            std::thread::yield_now();
                            continue;
                        }
                    }
                }
                RunClaim::RunningElsewhere { run, owner } => {
                    Err(FlowErrorKind::AlreadyRunning { run, owner })
                }
                RunClaim::KeyReused { parameters, .. } => Err(FlowErrorKind::KeyReused {
                    key: opening.key.unwrap_or_default(),
                    parameters,
                }),
                RunClaim::Unknown(run) => Err(FlowErrorKind::Unknown { run }),
            };
        }
    }
}

impl EngineInner {
    /// The row of a flow run that is about to begin.
    fn new_row(
        &self,
        spec: &FlowSpec,
        opening: &Opening,
        parameters: Option<Vec<ParameterRow>>,
    ) -> FlowRunRow {
        let id = FlowRunId::new();
        let definition = spec.definition;
        let seed = spec.seed.or(self.config.seed).unwrap_or_else(|| id.seed());
        FlowRunRow {
            id,
            flow: definition.name.to_owned(),
            name: spec
                .name
                .clone()
                .map_or_else(|| format!("{}-{}", definition.name, id.short()), scrub),
            key: opening.key.clone(),
            parameters,
            state: State::Running,
            error: None,
            result: None,
            seed,
            started_at: self.clock.timestamp(),
            ended_at: None,
            caller: opening.caller,
            origin: opening.origin.clone(),
            tags: spec.tags.iter().cloned().map(scrub).collect(),
            manifest: manifest::of_process(self),
            fingerprint: Digest::from_bytes(*definition.fingerprint),
            resumptions: 0,
            is_rolling_back: false,
            is_pinned: false,
            owner: None,
        }
    }

    /// Finds out what a flow run would begin with, and begins none; `spec` knows how it is rehearsed.
    pub(crate) fn open_rehearsal(
        &self,
        spec: &mut FlowSpec,
        mut opening: Opening,
    ) -> Result<(), FlowErrorKind> {
        let store = self.store.as_ref().ok_or(FlowErrorKind::NoStore)?;
        let mut row = None;
        if let Some(run) = opening.resume {
            row = store.flow_run(run).map_err(|error| store_error(&error))?;
        }
        let row = match row {
            Some(row) => row,
            None => {
                let parameters = opening.parameters.take().and_then(Result::ok);
                self.new_row(spec, &opening, parameters)
            }
        };
        let past = match opening.resume {
            Some(_) => store.past(&row).map_err(|error| store_error(&error))?,
            None => Past {
                of_origin: opening.earlier,
                ..Past::default()
            },
        };
        let fence = Fence {
            run: row.id,
            owner: OwnerId(0),
            epoch: 0,
        };
        record(spec, store, fence, row, past, Recorder::rehearsing);
        Ok(())
    }
}

impl EngineInner {
    /// Makes a flow run that had completed before.
    pub(crate) fn settle<T>(
        self: &Arc<Self>,
        mut spec: FlowSpec,
        row: &FlowRunRow,
        value: T,
        deliver: Deliver<T>,
    ) -> Arc<Flow> {
        spec.name = Some(row.name.clone());
        spec.seed = Some(row.seed);
        spec.recording = Some(Recording {
            id: row.id,
            recorder: None,
        });
        let flow = Flow::new(Arc::clone(self), Handle::try_current().ok(), spec);
        flow::settle(&flow, value, deliver);
        flow
    }

    /// Reads what a flow run returned.
    pub(crate) fn recorded_result<T>(
        &self,
        codec: Option<Codec<T>>,
        row: &FlowRunRow,
    ) -> Result<T, FlowErrorKind> {
        let what = "its result";
        let (Some(codec), Some(stored)) = (codec, &row.result) else {
            let what = what.to_owned();
            return Err(FlowErrorKind::NotStorable { what });
        };
        self.store
            .as_ref()
            .and_then(|store| store.get(codec, stored))
            .ok_or_else(|| FlowErrorKind::Store {
                message: format!("the recorded result of {} is lost or damaged", row.id),
            })
    }
}

fn store_error(error: &StoreError) -> FlowErrorKind {
    FlowErrorKind::Store {
        message: error.to_string(),
    }
}

/// Lets a flow run be recorded under the id, the name and the seed of its row.
fn record(
    spec: &mut FlowSpec,
    store: &Arc<EngineStore>,
    fence: Fence,
    row: FlowRunRow,
    past: Past,
    finish: fn(Recorder) -> Recorder,
) {
    let mut past = past;
    let steps = std::mem::take(&mut past.steps);
    let store = Arc::clone(store);
    spec.name = Some(row.name.clone());
    spec.seed = Some(row.seed);
    spec.recording = Some(Recording {
        id: row.id,
        recorder: Some(Box::new(move |started_at| {
            let recorder = Recorder::new(store, fence, row, past, started_at);
            (finish(recorder), Steps::of(steps))
        })),
    });
}
