//! The durable hooks of an engine: which notices a change of state makes, and who delivers them.

mod courier;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::courier::Courier;
use crate::definition::HookOn;
use crate::engine::Clock;
use crate::flow::Flow;
use crate::hook::{DurableHook, Notice, NoticeTaskRun};
use crate::node::Header;
use crate::recorder::EngineStore;
use crate::report::{ErrorReport, NodeKind};
use crate::state::State;
use crate::store::{Change, NoticeRow};
use crate::value::{Digest, digest_of_text};

/// The durable hooks of an engine.
pub(crate) struct Hooks(Vec<Arc<Registered>>);

/// A durable hook, and what its courier knows.
pub(crate) struct Registered {
    hook: DurableHook,
    /// What is claimed while its notices are delivered.
    claim: Digest,
    /// There may be notices that its courier has not seen.
    news: Notify,
    /// One at a time looks through its notices. Holds the id of a notice that was delivered and whose
    /// row could not be removed.
    turn: tokio::sync::Mutex<Option<String>>,
    has_courier: AtomicBool,
}

impl Hooks {
    /// `None` without any: then nothing is looked for.
    pub(crate) fn of(hooks: Vec<DurableHook>) -> Option<Arc<Self>> {
        let registered = hooks.into_iter().map(|hook| {
            Arc::new(Registered {
                claim: digest_of_text(&format!("durable hook {}", hook.name())),
                hook,
                news: Notify::new(),
                turn: tokio::sync::Mutex::default(),
                has_courier: AtomicBool::new(false),
            })
        });
        let registered: Vec<_> = registered.collect();
        (!registered.is_empty()).then(|| Arc::new(Self(registered)))
    }

    /// Makes the notices of a change of state: one for each hook that is told of it.
    pub(crate) fn notices(
        &self,
        on: HookOn,
        flow: &str,
        task: Option<&str>,
        describe: impl Fn() -> Notice,
    ) -> Vec<Change> {
        let hooks = self.0.iter().map(|registered| &registered.hook);
        let told = hooks.filter(|hook| hook.is_told(on, flow, task));
        let rows = told.map(|hook| {
            let notice = describe().to(hook.name());
            NoticeRow {
                due_at: notice.changed_at,
                notice,
                failures: 0,
                last_error: None,
            }
        });
        rows.map(|row| Change::Notice(Box::new(row))).collect()
    }

    /// Has the courier of a hook look for notices.
    pub(crate) fn wake(&self, hook: &str) {
        for registered in self.0.iter().filter(|it| it.hook.name() == hook) {
            registered.news.notify_one();
        }
    }
}

/// The durable hooks of an engine at work.
pub(crate) struct Outbox {
    hooks: Arc<Hooks>,
    /// The engine's store, or one in memory for the notices alone.
    store: Arc<EngineStore>,
    clock: Clock,
    couriers: Mutex<Vec<AbortHandle>>,
}

impl Outbox {
    pub(crate) fn new(hooks: Arc<Hooks>, store: Arc<EngineStore>, clock: Clock) -> Self {
        Self {
            hooks,
            store,
            clock,
            couriers: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> &Arc<EngineStore> {
        &self.store
    }

    fn couriers(&self) -> impl Iterator<Item = Courier> {
        self.hooks
            .0
            .iter()
            .map(|hook| Courier::new(Arc::clone(hook), Arc::downgrade(&self.store), self.clock))
    }

    /// Starts the couriers that are not there, on the current runtime. Outside of one it leaves that
    /// to the next flow run.
    pub(crate) fn start(&self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for courier in self.couriers() {
            let hook = courier.hook();
            if hook.has_courier.swap(true, Ordering::SeqCst) {
                continue;
            }
            let place = Place(Arc::clone(hook));
            let courier = runtime.spawn(async move {
                let _place = place;
                courier.work().await;
            });
            let mut couriers = self.couriers.lock().unwrap_or_else(PoisonError::into_inner);
            couriers.retain(|courier| !courier.is_finished());
            couriers.push(courier.abort_handle());
        }
    }

    /// Delivers what is due, as far as that succeeds and nobody else delivers it.
    pub(crate) async fn deliver_due(&self) {
        join_all(self.couriers().map(Courier::deliver_due)).await;
    }

    /// Leaves the notices of a flow run on an engine that records none.
    pub(crate) fn flow_run_ended(&self, flow: &Flow, state: State) {
        let Some(on) = HookOn::of_end(state) else {
            return;
        };
        self.push(self.hooks.notices(on, flow.definition.name, None, || {
            let error = flow.error().map(|error| ErrorReport::of(error).text());
            Notice {
                state,
                error,
                ..notice_of(flow, on)
            }
        }));
    }

    /// The same for one of its task runs.
    pub(crate) fn task_run_ended(&self, header: &Header, state: State) {
        if let Some(on) = HookOn::of_end(state) {
            let error = header.error().map(|error| error.to_report().text());
            self.task_run_changed(header, on, state, header.attempts(), error);
        }
    }

    /// The same for an attempt that failed and that another one follows.
    pub(crate) fn task_run_retries(&self, header: &Header, attempt: u32, error: String) {
        let state = State::AwaitingRetry;
        self.task_run_changed(header, HookOn::Retry, state, attempt, Some(error));
    }

    fn task_run_changed(
        &self,
        header: &Header,
        on: HookOn,
        state: State,
        attempt: u32,
        error: Option<String>,
    ) {
        if header.kind != NodeKind::Task {
            return;
        }
        let (flow, task) = (&header.flow, header.definition.name);
        let describe = || Notice {
            task_run: Some(NoticeTaskRun {
                index: header.index,
                call: None,
                task: task.to_owned(),
                name: header.name().to_owned(),
            }),
            state,
            attempt,
            error: error.clone(),
            ..notice_of(flow, on)
        };
        let flow = flow.definition.name;
        self.push(self.hooks.notices(on, flow, Some(task), describe));
    }

    fn push(&self, notices: Vec<Change>) {
        for notice in notices {
            self.store.journal.push(None, notice, None);
        }
    }
}

impl Drop for Outbox {
    /// What is not delivered stays in the store.
    fn drop(&mut self) {
        let couriers = self.couriers.get_mut();
        for courier in couriers.unwrap_or_else(PoisonError::into_inner) {
            courier.abort();
        }
    }
}

/// The place of a hook's courier. A runtime that is shut down gives it back as well.
struct Place(Arc<Registered>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.has_courier.store(false, Ordering::SeqCst);
    }
}

fn notice_of(flow: &Flow, on: HookOn) -> Notice {
    Notice {
        changed_at: flow.timestamp(),
        ..Notice::of_flow_run(on, flow.id, flow.definition.name, flow.name())
    }
}
