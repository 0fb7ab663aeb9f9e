//! The policy loop: attempts, the waits between them, their clocks, their limits.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Either;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::body::{Begin, Body, ended_meanwhile};
use crate::breaker::{Circuit, Pass, Refusal, Switched};
use crate::definition::{HookOn, Kind, LimitUse};
use crate::detail::Detail;
use crate::durable;
use crate::error::{Failure, RecordedError, TaskErrorKind};
use crate::event::EventKind;
use crate::flow::{call_hook, stop_of};
use crate::hook::HookEvent;
use crate::limit::{self, Held, RetryLimits};
use crate::node::{Header, Node};
use crate::policy::retry::{Backoff, Retry, Spent};
use crate::policy::timeout::Clock;
use crate::report::{AttemptReport, ErrorReport};
use crate::scope::uniform;
use crate::state::{State, StateChange};
use crate::stop::Stop;

/// Whether a node needs more than its inputs.
pub(crate) fn needs_policy<B: Body>(node: &Node<B>) -> bool {
    let header = &node.header;
    !header.definition.is_plain()
        || header
            .detail()
            .is_some_and(|detail| detail.options.need_policy())
        || header
            .flow
            .engine
            .faults
            .concern(B::task(), header.definition)
}

/// Notes that an attempt starts, and tells who wants to know.
pub(crate) fn start_attempt(header: &Header, now: u64) -> Result<u32, Failure> {
    // Claimed before the state moves on: an attempt that lost against a cancellation never ran.
    if header.change(StateChange::Start).is_err() {
        return Err(ended_meanwhile());
    }
    let flow = &header.flow;
    let attempt = header.start_attempt(now);
    if attempt > 1 {
        flow.live_log.begin_attempt(header);
    }
    if flow.engine.events.is_live() && !header.is_item() {
        flow.emit(EventKind::started(header, attempt));
    }
    if let (1, Some(recorder), Some(identity)) = (attempt, flow.recorder(), header.identity()) {
        // Before the body runs: after a crash it counts as having been under way.
        recorder.push_task_run(header, identity, State::Running, None, None);
    }
    if !header.definition.hooks.is_empty() {
        call_hooks(header, HookOn::Start, State::Running, None, None);
    }
    Ok(attempt)
}

/// Notes that an attempt of the policy loop starts, for its clocks as well.
pub(crate) fn begin(header: &Header) -> Result<Instant, Failure> {
    let now = header.flow.now();
    start_attempt(header, now)?;
    if header.definition.heartbeat.is_some() {
        let last = &header.detail_mut().last_heartbeat;
        last.store(now, Ordering::Relaxed);
    }
    Ok(Instant::now())
}

/// What a task run is held to, from the task and from the call.
struct Policy {
    backoff: Backoff,
    timeout: Option<Duration>,
    queue_timeout: Option<Duration>,
    /// The clock of the whole task run: when it runs out, and what it was set to.
    deadline: Option<(Instant, Duration)>,
    heartbeat: Option<Duration>,
    limits: Vec<LimitUse>,
    breaker: Option<Arc<Circuit>>,
    /// Whether there is another attempt after the first.
    can_retry: bool,
    /// Whether the limits may ask for more slots than there are, and take all of them then.
    caps_limits: bool,
}

impl Policy {
    fn of<B: Body>(header: &Header, args: &B::Args, can_retry: bool) -> Result<Self, Failure> {
        let definition = header.definition;
        let options = header.detail().map(|detail| &detail.options);
        let set = |at_call: fn(&crate::detail::Overrides) -> Option<Duration>, by_task| {
            options.and_then(at_call).or(by_task)
        };
        let limits = options
            .and_then(|options| options.limits.clone())
            .unwrap_or_else(|| B::limits(args));
        let waited = Duration::from_nanos(header.flow.now().saturating_sub(header.ready_at()));
        let deadline = set(|options| options.deadline, definition.deadline).map(|after| {
            let now = Instant::now();
            // The clock began when the inputs were there.
            (now + after.saturating_sub(waited), after)
        });
        let breakers = &header.flow.engine.breakers;
        let breaker = match definition.breaker {
            None => None,
            Some(name) => Some(breakers.get(name).cloned().ok_or_else(|| {
                Failure::last(TaskErrorKind::MissingBreaker {
                    breaker: name.to_owned(),
                    known: breakers.names(),
                })
            })?),
        };
        Ok(Self {
            backoff: options
                .and_then(|options| options.backoff)
                .unwrap_or(definition.backoff),
            timeout: set(|options| options.timeout, definition.timeout),
            queue_timeout: set(|options| options.queue_timeout, definition.queue_timeout),
            deadline,
            heartbeat: definition.heartbeat,
            limits,
            breaker,
            can_retry,
            caps_limits: false,
        })
    }
}

impl Policy {
    /// Lets the task say what the attempt after this failure takes of its limits.
    fn set_limits(&mut self, header: &Header, failure: &Failure) {
        let Some(limit_on_retry) = header.definition.limit_on_retry else {
            return;
        };
        // As it was, with what was taken less where there was not so much.
        self.limits = match header.detail().and_then(Detail::limits) {
            Some(taken) => taken.to_vec(),
            None => limit::merged(&self.limits),
        };
        self.caps_limits = true;
        let attempt = header.attempts() + 1;
        limit_on_retry(&mut RetryLimits::new(
            attempt,
            &failure.kind,
            &mut self.limits,
        ));
    }
}

/// Takes a node through its attempts.
pub(crate) async fn run_with_policy<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
) -> Result<B::Output, Failure> {
    let header = &node.header;
    let flow = &header.flow;
    if let Some(name) = B::label(&args) {
        let _ = header.detail_mut().name.set(name);
    }
    let max_attempts = if node.again.is_some() {
        header.max_attempts()
    } else {
        1
    };
    let mut policy = Policy::of::<B>(header, &args, max_attempts > 1)?;
    let mut rest = Some(args);
    let mut waits_since = header.ready_at();
    let mut spent = Spent::default();
    // Not the count of started attempts: one whose clock ran out in the queue is used up too.
    let mut attempt = 0;
    loop {
        attempt += 1;
        let started_before = header.attempts();
        let args = match (&rest, node.again) {
            (Some(rest), Some(again)) if attempt < max_attempts => again(rest),
            _ => rest.take().expect("the inputs last for all attempts"),
        };
        let failure = match attempt_once(node, args, &policy, waits_since).await {
            Ok(result) => return Ok(result),
            Err(failure) => failure,
        };
        let budget = failure.budget.as_deref();
        let delay = retry_delay(header, &policy, &failure, attempt, max_attempts)
            .filter(|_| budget.is_none_or(|budget| spent.leaves_one_of(budget)));
        let Some(delay) = delay else {
            return Err(failure);
        };
        if let Some(budget) = budget {
            spent.spend(budget);
        }
        let has_started = header.attempts() > started_before;
        note_failed_attempt(header, attempt, has_started, &failure, delay)?;
        if has_started {
            policy.set_limits(header, &failure);
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        waits_since = flow.now();
    }
}

/// Returns the wait before the next attempt, or `None` when this was the last.
fn retry_delay(
    header: &Header,
    policy: &Policy,
    failure: &Failure,
    attempt: u32,
    max_attempts: u32,
) -> Option<Duration> {
    let can_help = match &failure.kind {
        TaskErrorKind::Failed(_)
        | TaskErrorKind::Panicked { .. }
        | TaskErrorKind::BreakerOpen { .. } => true,
        TaskErrorKind::TimedOut { clock, .. } => *clock != Clock::Deadline,
        _ => false,
    };
    if !can_help || attempt >= max_attempts || header.is_asked_to_cancel() {
        return None;
    }
    let delay = match failure.retry {
        Retry::Never => return None,
        Retry::After(delay) => delay,
        Retry::Default => {
            let salt = (u64::from(header.index) << 32) | u64::from(attempt);
            policy
                .backoff
                .delay(attempt, uniform(header.flow.seed, salt))
        }
    };
    // An attempt before that would be used up without its body having run.
    let left = policy.breaker.as_ref().map(|breaker| breaker.left());
    let delay = delay.max(left.unwrap_or_default());
    // No attempt fits any more: the error at hand says more than the clock would.
    if policy
        .deadline
        .is_some_and(|(at, _)| Instant::now() + delay >= at)
    {
        return None;
    }
    Some(delay)
}

fn note_failed_attempt(
    header: &Header,
    attempt: u32,
    has_started: bool,
    failure: &Failure,
    delay: Duration,
) -> Result<(), Failure> {
    let flow = &header.flow;
    // An attempt whose clock ran out in the queue never started.
    if header.state() != State::AwaitingRetry && header.change(StateChange::Retry).is_err() {
        return Err(ended_meanwhile());
    }
    let detail = header.detail_mut();
    let error = ErrorReport::of_failure(header, failure);
    let ended = Duration::from_nanos(flow.now());
    let first_started = header.started_at().map(Duration::from_nanos);
    let started = header
        .last_started()
        .or(first_started)
        .filter(|_| has_started);
    detail.failed_attempts().push(AttemptReport {
        attempt,
        started: started.unwrap_or(ended),
        ended,
        error: error.clone(),
    });
    detail.renew_token();
    if let (Some(recorder), Some(call)) = (flow.recorder(), header.call()) {
        let started = started.unwrap_or(ended);
        let error = RecordedError::of_failure(&error, failure);
        recorder.push_attempt(
            header,
            call,
            attempt,
            started.as_nanos() as u64,
            ended.as_nanos() as u64,
            error,
        );
    }
    if let Some(outbox) = flow.unrecorded_to() {
        outbox.task_run_retries(header, attempt, error.text());
    }
    if flow.engine.events.is_live() {
        flow.emit(EventKind::attempt_failed(
            header,
            attempt,
            error.message,
            delay,
        ));
    }
    call_hooks(
        header,
        HookOn::Retry,
        State::AwaitingRetry,
        Some(delay),
        None,
    );
    Ok(())
}

/// Waits for what an attempt needs, and executes it.
async fn attempt_once<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    policy: &Policy,
    waits_since: u64,
) -> Result<B::Output, Failure> {
    let header = &node.header;
    let flow = &header.flow;

    let waited = Duration::from_nanos(flow.now().saturating_sub(waits_since));
    let queue = policy.queue_timeout.map(|after| {
        (
            Instant::now() + after.saturating_sub(waited),
            Clock::Queue,
            after,
        )
    });
    let deadline = policy
        .deadline
        .map(|(at, after)| (at, Clock::Deadline, after));
    let queue_clocks = [queue, deadline];
    if let Some(failure) = overdue(&queue_clocks) {
        return Err(failure);
    }
    let taking_turn = take_turn(header, policy);
    let (held, pass) = with_clocks(&queue_clocks, taking_turn).await??;
    // Only now: what waits for its turn takes no memory.
    let loading = durable::load_inputs(&args);
    with_clocks(&queue_clocks, loading).await??;

    let mut begun_at = Instant::now();
    let (on_begin, begun) = if !B::WAITS_FOR_THREAD {
        begun_at = begin(header)?;
        (Begin::noted(), None)
    } else if policy.queue_timeout.is_none() && !header.is_timed() {
        (Begin::of(node), None)
    } else {
        let (on_begin, begun) = Begin::told(node);
        (on_begin, Some(begun))
    };
    let mut running = Lending {
        body: Box::pin(AssertUnwindSafe(execute(node, args, on_begin)).catch_unwind()),
        held,
        taking_back: None,
        header,
    };
    let mut ended = None;
    if let Some(begun) = begun {
        // Until there is a thread for it, the attempt is in the queue.
        match with_clocks(&queue_clocks, until_begun(&mut running, begun)).await? {
            Begun::Ended(result) => ended = Some(result),
            Begun::At(instant) => begun_at = instant,
        }
    }
    let timeout = policy
        .timeout
        .map(|after| (begun_at + after, Clock::Attempt, after));
    let running = async {
        let ended = match ended {
            Some(ended) => ended,
            None => running.await,
        };
        ended.unwrap_or_else(|panic| Err(Failure::panicked(&*panic)))
    };
    let mut running = pin!(running);
    let watched = with_heartbeat(header, policy.heartbeat, begun_at, running.as_mut());
    let result = match with_clocks(&[timeout, deadline], watched).await {
        Ok(Ok(result)) => result,
        Ok(Err(timed_out)) | Err(timed_out) => {
            // For whatever the body started and handed its token to.
            header.detail_mut().cancel_token();
            // A thread cannot be stopped from outside: it gets the grace time to do so itself.
            if header.definition.kind == Kind::Blocking
                && header.definition.on_timeout == crate::policy::timeout::OnTimeout::Abort
            {
                let _ = tokio::time::timeout(flow.grace(), running).await;
            }
            Err(timed_out)
        }
    };
    if let Some(pass) = pass {
        settle(header, &pass, result.as_ref().err());
    }
    result
}

/// Waits for the limits, and for the breaker to let the attempt through.
async fn take_turn(
    header: &Header,
    policy: &Policy,
) -> Result<(Option<Held>, Option<Pass>), Failure> {
    loop {
        if let Some(breaker) = &policy.breaker {
            while let Err(refusal) = breaker.look(header) {
                until_tried_again(breaker, refusal, policy).await?;
            }
        }
        let held = if policy.limits.is_empty() {
            None
        } else {
            let held = acquire(header, policy).await?;
            header.detail_mut().set_limits(Arc::clone(held.uses()));
            Some(held)
        };
        let Some(breaker) = &policy.breaker else {
            return Ok((held, None));
        };
        match breaker.enter(header) {
            Ok(pass) => return Ok((held, Some(pass))),
            Err(refusal) => {
                // The probe may need them.
                drop(held);
                until_tried_again(breaker, refusal, policy).await?;
            }
        }
    }
}

/// Waits until it is worth asking the breaker again, within this attempt.
async fn until_tried_again(
    breaker: &Circuit,
    refusal: Refusal,
    policy: &Policy,
) -> Result<(), Failure> {
    let left = match refusal {
        // One without retries is not to wait.
        Refusal::Probing if policy.can_retry => {
            breaker.until_decided().await;
            return Ok(());
        }
        Refusal::Probing => Duration::ZERO,
        Refusal::Open { left } => left,
    };
    Err(Failure {
        retry: Retry::After(left),
        ..Failure::new(TaskErrorKind::BreakerOpen {
            breaker: breaker.name.clone(),
            left,
        })
    })
}

/// Lets the breaker know what an attempt came to.
fn settle(header: &Header, pass: &Pass, failure: Option<&Failure>) {
    let switched = match failure.map(|failure| &failure.kind) {
        None => pass.succeed(),
        Some(
            TaskErrorKind::Failed(_)
            | TaskErrorKind::Panicked { .. }
            | TaskErrorKind::TimedOut { .. },
        ) if stop_of(header) < Stop::Running => pass.fail(),
        // It says nothing of what the task calls.
        Some(_) => None,
    };
    let breaker = &pass.circuit().name;
    let event = match switched {
        None => return,
        Some(Switched::Opened { failures, open_for }) => {
            tracing::warn!(
                target: "orch",
                breaker,
                failures,
                "the breaker `{breaker}` is open for {open_for:?}"
            );
            EventKind::BreakerOpened {
                breaker: breaker.clone(),
                failures,
                open_for,
            }
        }
        Some(Switched::Closed) => {
            tracing::info!(target: "orch", breaker, "the breaker `{breaker}` is closed");
            EventKind::BreakerClosed {
                breaker: breaker.clone(),
            }
        }
    };
    header.flow.emit(event);
}

/// What became of the wait for a body to begin.
enum Begun<R> {
    /// It began at this moment.
    At(Instant),
    /// It has ended already, with this, or could not begin.
    Ended(R),
}

/// Waits until a body begins.
async fn until_begun<F: Future + Unpin>(
    body: &mut F,
    mut begun: oneshot::Receiver<Instant>,
) -> Begun<F::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(result) = Pin::new(&mut *body).poll(cx) {
            return Poll::Ready(Begun::Ended(result));
        }
        match std::task::ready!(begun.poll_unpin(cx)) {
            Ok(at) => Poll::Ready(Begun::At(at)),
            // It could not begin; the body is about to say why.
            Err(_) => Poll::Ready(Begun::At(Instant::now())),
        }
    })
    .await
}

/// Executes the task's body, or what a test put in its place.
fn execute<B: Body>(
    node: &Arc<Node<B>>,
    args: B::Args,
    begin: Begin<B>,
) -> impl Future<Output = Result<B::Output, Failure>> + Send {
    let header = &node.header;
    let engine = &header.flow.engine;
    if let Some(fault) = engine.faults.next(header) {
        let failed = begin.note().and(Err(fault));
        return Either::Left(Either::Left(std::future::ready(failed)));
    }
    match engine.faults.stub::<B>() {
        Some(stub) => Either::Left(Either::Right(async move {
            begin.note()?;
            stub(args).await
        })),
        None => Either::Right(B::attempt_when_begun(node, args, begin)),
    }
}

/// Waits until the limits have room.
async fn acquire(header: &Header, policy: &Policy) -> Result<Held, Failure> {
    let flow = &header.flow;
    let uses = &policy.limits;
    let mut acquiring = flow.engine.limits.acquire(uses, header.priority());
    if policy.caps_limits {
        acquiring = acquiring.capped();
    }
    let mut acquiring = pin!(acquiring);
    let mut waits = false;
    poll_fn(|cx| {
        if let Poll::Ready(held) = acquiring.as_mut().poll(cx) {
            return Poll::Ready(held.map_err(|error| limit_failure(&error)));
        }
        if !waits {
            waits = true;
            // It may have waited for them before, when a breaker's probe came between.
            let has_waited = header.state() == State::AwaitingLimit;
            if !has_waited && header.change(StateChange::AwaitLimit).is_err() {
                return Poll::Ready(Err(ended_meanwhile()));
            }
            if flow.engine.events.is_live() {
                flow.emit(EventKind::awaits_limit(header, uses));
            }
        }
        Poll::Pending
    })
    .await
}

fn limit_failure(error: &limit::LimitError) -> Failure {
    Failure::last(TaskErrorKind::Invalid {
        message: error.to_string(),
    })
}

type SetClock = Option<(Instant, Clock, Duration)>;

fn overdue(clocks: &[SetClock]) -> Option<Failure> {
    let now = Instant::now();
    clocks
        .iter()
        .flatten()
        .filter(|(at, ..)| *at < now)
        .min_by_key(|(at, ..)| *at)
        .map(|(_, clock, after)| timed_out(*clock, *after))
}

fn timed_out(clock: Clock, after: Duration) -> Failure {
    Failure::new(TaskErrorKind::TimedOut { clock, after })
}

/// Polls a future until the first of the clocks runs out. The future goes first: what is ready in
/// time counts.
async fn with_clocks<F: Future>(clocks: &[SetClock], future: F) -> Result<F::Output, Failure> {
    let first = clocks.iter().flatten().min_by_key(|(at, ..)| *at);
    let Some((at, clock, after)) = first else {
        return Ok(future.await);
    };
    match tokio::time::timeout_at(*at, future).await {
        Ok(output) => Ok(output),
        Err(_) => Err(timed_out(*clock, *after)),
    }
}

/// Fails when the body is silent for too long.
async fn with_heartbeat<F: Future>(
    header: &Header,
    heartbeat: Option<Duration>,
    begun_at: Instant,
    body: F,
) -> Result<F::Output, Failure> {
    let Some(silence) = heartbeat else {
        return Ok(body.await);
    };
    let flow = &header.flow;
    let last = &header.detail_mut().last_heartbeat;
    let mut body = pin!(body);
    let mut timer: Pin<Box<Sleep>> = Box::pin(tokio::time::sleep_until(begun_at + silence));
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = body.as_mut().poll(cx) {
                return Poll::Ready(Ok(result));
            }
            std::task::ready!(timer.as_mut().poll(cx));
            let silent = flow.now().saturating_sub(last.load(Ordering::Relaxed));
            let left = silence.saturating_sub(Duration::from_nanos(silent));
            if left.is_zero() {
                return Poll::Ready(Err(timed_out(Clock::Heartbeat, silence)));
            }
            timer.as_mut().reset(Instant::now() + left);
        }
    })
    .await
}

/// A body that holds limits: it lends them while it awaits other task runs, and takes them back
/// before it goes on.
struct Lending<'a, F> {
    body: F,
    held: Option<Held>,
    taking_back: Option<limit::Acquire>,
    header: &'a Header,
}

impl<F: Future + Unpin> Future for Lending<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if let Some(taking_back) = &mut this.taking_back {
            let held = std::task::ready!(Pin::new(taking_back).poll(cx));
            this.held = Some(held.expect("the limits had room for this task run before"));
            this.taking_back = None;
        }
        let Some(held) = &this.held else {
            return Pin::new(&mut this.body).poll(cx);
        };
        let awaits_task_run = &this.header.detail_mut().awaits_task_run;
        awaits_task_run.store(false, Ordering::Relaxed);
        let poll = Pin::new(&mut this.body).poll(cx);
        if poll.is_pending() && awaits_task_run.load(Ordering::Relaxed) {
            this.taking_back = Some(held.again());
            this.held = None;
        }
        poll
    }
}

/// Calls the task's hooks for what happened to an attempt.
fn call_hooks(
    header: &Header,
    on: HookOn,
    state: State,
    retry_in: Option<Duration>,
    error: Option<&crate::error::TaskError>,
) {
    for (when, hook) in header.definition.hooks {
        if *when == on {
            call_hook(
                *hook,
                &HookEvent {
                    on,
                    flow_run: header.flow.name(),
                    task_run: Some(header.name()),
                    state,
                    attempt: header.attempts(),
                    error,
                    retry_in,
                },
            );
        }
    }
}
