//! Concurrency and rate limits: named, weighted, taken in order, given back by a guard.
//!
//! A task run takes all of its limits at once or none of them. Those that wait for a limit stand
//! in its line in the order of their priority and then of their coming; who wants several stands
//! in several lines and goes when it is first in all of them and all have room. The one that came
//! first of all is first in each of its lines, so the lines cannot block each other.

mod on_retry;

pub use self::on_retry::RetryLimits;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::definition::LimitUse;

/// How much may go on at once, and how often something may start.
///
/// ```
/// use std::time::Duration;
/// use orch_core::{Engine, Limit};
///
/// let engine = Engine::builder()
///     .limit("training", 2)
///     .limit("api", Limit::per(10, Duration::from_secs(1)).burst(5))
///     .build();
/// # drop(engine);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    slots: Option<u32>,
    rate: Option<Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// The time that one start costs.
    interval: Duration,
    /// How many starts may come at once after a pause.
    burst: u32,
}

impl Limit {
    /// At most this many slots at once. `0` pauses: what takes the limit waits until it is raised.
    pub const fn slots(slots: u32) -> Self {
        Self {
            slots: Some(slots),
            rate: None,
        }
    }

    /// At most `starts` starts in each `period`, evenly spread. A task run that takes the limit
    /// with weight `w` counts as `w` starts.
    ///
    /// # Panics
    /// If `starts` or `period` is zero.
    pub fn per(starts: u32, period: Duration) -> Self {
        assert!(
            starts > 0,
            "a rate limit allows at least one start per period"
        );
        assert!(
            !period.is_zero(),
            "a rate limit counts starts in a period that is longer than nothing"
        );
        Self {
            slots: None,
            rate: Some(Rate {
                interval: period / starts,
                burst: 1,
            }),
        }
    }

    /// Lets this many starts of a rate limit come at once after a pause. Default: 1.
    pub const fn burst(mut self, starts: u32) -> Self {
        if let Some(rate) = &mut self.rate {
            rate.burst = if starts == 0 { 1 } else { starts };
        }
        self
    }

    /// Limits how many run at once as well.
    pub const fn and_slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }
}

impl From<u32> for Limit {
    fn from(slots: u32) -> Self {
        Self::slots(slots)
    }
}

/// How a limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The limit's name.
    pub name: String,
    /// How many slots it has, if it limits slots.
    pub slots: Option<u32>,
    /// How many slots are taken.
    pub taken: u32,
    /// How many wait for it.
    pub waiting: usize,
}

/// A use of a limit that can never be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it takes {weight} slots of the limit `{name}`, which has {slots}")]
pub(crate) struct LimitError {
    name: String,
    weight: u32,
    slots: u32,
}

/// All limits of an engine.
#[derive(Clone, Default)]
pub(crate) struct Limits(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    limits: HashMap<String, Line>,
    waiting: HashMap<Place, Waiting>,
    arrivals: u64,
}

/// A place in the lines: higher priority first, then first come first served.
type Place = (std::cmp::Reverse<i32>, u64);

#[derive(Default)]
struct Line {
    /// `None` as long as the engine does not know the limit: nobody waits then, but what is taken
    /// counts, for the moment when the limit is set.
    limit: Option<Limit>,
    taken: u32,
    /// When the next start is due, if starts come evenly.
    next_start: Option<Instant>,
    places: BTreeMap<Place, u32>,
}

struct Waiting {
    uses: Arc<[LimitUse]>,
    is_start: bool,
    is_granted: bool,
    /// When to look again, because of a rate.
    due: Option<Instant>,
    waker: Option<Waker>,
}

impl Limits {
    pub(crate) fn set(&self, name: String, limit: Limit) {
        let woken = {
            let mut table = self.lock();
            let line = table.limits.entry(name.clone()).or_default();
            line.limit = Some(limit);
            let slots = limit.slots.unwrap_or(u32::MAX);
            // Those that no longer fit learn it when they look again.
            let too_heavy = line.places.iter().filter(|(_, weight)| **weight > slots);
            let too_heavy: Vec<Place> = too_heavy.map(|(place, _)| *place).collect();
            let waiting = &mut table.waiting;
            let mut woken: Vec<Waker> = too_heavy
                .iter()
                .filter_map(|place| waiting.get_mut(place)?.waker.take())
                .collect();
            woken.extend(table.grant_from(&name));
            woken
        };
        wake(woken);
    }

    pub(crate) fn status(&self) -> Vec<LimitStatus> {
        let table = self.lock();
        let mut all: Vec<LimitStatus> = table
            .limits
            .iter()
            .filter_map(|(name, line)| {
                Some(LimitStatus {
                    name: name.clone(),
                    slots: line.limit?.slots,
                    taken: line.taken,
                    waiting: line.places.len(),
                })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Waits for room in all of these limits. Names that the engine does not know do not limit.
    pub(crate) fn acquire(&self, uses: &[LimitUse], priority: i32) -> Acquire {
        Acquire {
            limits: self.clone(),
            uses: merged(uses).into(),
            priority,
            is_start: true,
            is_capped: false,
            place: None,
            timer: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code of the user's runs under this lock, and no step leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry per name: two uses of one limit are one of their sum.
pub(crate) fn merged(uses: &[LimitUse]) -> Vec<LimitUse> {
    let mut merged: Vec<LimitUse> = Vec::with_capacity(uses.len());
    for one in uses {
        match merged.iter_mut().find(|other| other.name == one.name) {
            Some(other) => other.weight = other.weight.saturating_add(one.weight),
            None => merged.push(one.clone()),
        }
    }
    merged
}

impl Line {
    fn slots(&self) -> Option<u32> {
        self.limit?.slots
    }

    fn has_room(&self, weight: u32, is_start: bool) -> bool {
        match self.slots() {
            Some(slots) => {
                // More than all there are never fits, which `Acquire` reports. But what was lent
                // before the limit was lowered is taken back by whoever has it to itself.
                let is_alone = !is_start && slots > 0 && self.taken == 0;
                is_alone || self.taken.saturating_add(weight) <= slots
            }
            None => true,
        }
    }

    /// Returns when the next start may come, if that is later than now.
    fn due(&self, now: Instant) -> Option<Instant> {
        let rate = self.limit?.rate?;
        let credit = rate.interval * (rate.burst - 1);
        let next = self.next_start?;
        // In this order: a clock that has just begun has no time before it.
        (next > now + credit).then(|| next - credit)
    }

    fn take(&mut self, weight: u32, is_start: bool, now: Instant) {
        self.taken += weight;
        if let Some(rate) = self.limit.and_then(|limit| limit.rate)
            && is_start
        {
            let next = self.next_start.map_or(now, |next| next.max(now));
            self.next_start = Some(next + rate.interval * weight);
        }
    }

    /// Whether nothing is lost when it is forgotten.
    fn is_unused(&self) -> bool {
        self.limit.is_none() && self.taken == 0 && self.places.is_empty()
    }
}

impl Table {
    /// Whether the one at this place may go; if only a rate keeps it, until when.
    fn may_go(
        &self,
        place: &Place,
        uses: &[LimitUse],
        is_start: bool,
        now: Instant,
    ) -> Result<(), Option<Instant>> {
        let mut due: Option<Instant> = None;
        for one in uses {
            let Some(line) = self.limits.get(&*one.name) else {
                continue;
            };
            let is_first = line
                .places
                .first_key_value()
                .is_none_or(|(first, _)| first >= place);
            if !is_first || !line.has_room(one.weight, is_start) {
                return Err(None);
            }
            if is_start {
                due = due.max(line.due(now));
            }
        }
        due.map_or(Ok(()), |due| Err(Some(due)))
    }

    fn take(&mut self, place: &Place, uses: &[LimitUse], is_start: bool, now: Instant) {
        for one in uses {
            let line = self.line_mut(&one.name);
            line.places.remove(place);
            line.take(one.weight, is_start, now);
        }
    }

    fn line_mut(&mut self, name: &str) -> &mut Line {
        if !self.limits.contains_key(name) {
            self.limits.insert(name.to_owned(), Line::default());
        }
        self.limits
            .get_mut(name)
            .expect("it was there or has just come")
    }

    /// Takes one that waits out of its lines. Returns whom to wake.
    fn leave(&mut self, place: &Place, uses: &[LimitUse]) -> Vec<Waker> {
        for one in uses {
            if let Some(line) = self.limits.get_mut(&*one.name) {
                line.places.remove(place);
            }
        }
        self.let_next_go(uses)
    }

    /// Returns the limit that is too small for these uses, whoever else has slots of it.
    fn too_small(&self, uses: &[LimitUse]) -> Option<LimitError> {
        uses.iter().find_map(|one| {
            let slots = self.limits.get(&*one.name)?.slots()?;
            // Zero slots pause; they may be raised again.
            (slots > 0 && one.weight > slots).then(|| LimitError {
                name: one.name.clone().into_owned(),
                weight: one.weight,
                slots,
            })
        })
    }

    /// The same uses, none of them of more slots than its limit has.
    fn capped(&self, uses: &[LimitUse]) -> Arc<[LimitUse]> {
        let capped = uses.iter().map(|one| {
            let slots = self.limits.get(&*one.name).and_then(Line::slots);
            let mut capped = one.clone();
            // Zero slots pause; what there is to take is known when they are raised again.
            if let Some(slots) = slots.filter(|slots| *slots > 0) {
                capped.weight = capped.weight.min(slots);
            }
            capped
        });
        capped.collect()
    }

    /// Those behind may go now.
    fn let_next_go(&mut self, uses: &[LimitUse]) -> Vec<Waker> {
        let mut woken = Vec::new();
        for one in uses {
            woken.append(&mut self.grant_from(&one.name));
            if self.limits.get(&*one.name).is_some_and(Line::is_unused) {
                self.limits.remove(&*one.name);
            }
        }
        woken
    }

    /// Lets those go who stand first in the line of this limit, as far as there is room, and
    /// those behind them in their other lines. Returns whom to wake.
    fn grant_from(&mut self, name: &str) -> Vec<Waker> {
        let now = Instant::now();
        let mut woken = Vec::new();
        let mut names = vec![name.to_owned()];
        while let Some(name) = names.pop() {
            let first = self
                .limits
                .get(&name)
                .and_then(|line| line.places.first_key_value())
                .map(|(place, _)| *place);
            let Some(place) = first else { continue };
            let Some(waiting) = self.waiting.get(&place) else {
                continue;
            };
            let (uses, is_start) = (Arc::clone(&waiting.uses), waiting.is_start);
            let due = match self.may_go(&place, &uses, is_start, now) {
                Ok(()) => {
                    self.take(&place, &uses, is_start, now);
                    // The next in each of its lines may be first now.
                    names.extend(uses.iter().map(|one| one.name.clone().into_owned()));
                    None
                }
                Err(Some(due)) => Some(due),
                Err(None) => continue,
            };
            if let Some(waiting) = self.waiting.get_mut(&place) {
                waiting.is_granted = due.is_none();
                waiting.due = due;
                woken.extend(waiting.waker.take());
            }
        }
        woken
    }

    fn give_back(&mut self, uses: &[LimitUse]) -> Vec<Waker> {
        for one in uses {
            if let Some(line) = self.limits.get_mut(&*one.name) {
                line.taken = line.taken.saturating_sub(one.weight);
            }
        }
        self.let_next_go(uses)
    }
}

fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

/// Waits for room in several limits.
pub(crate) struct Acquire {
    limits: Limits,
    uses: Arc<[LimitUse]>,
    priority: i32,
    /// Taking lent slots back is no start: rates do not count it.
    is_start: bool,
    /// Whether fewer slots will do where a limit does not have so many.
    is_capped: bool,
    place: Option<Place>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Future for Acquire {
    type Output = Result<Held, LimitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let due = {
                let limits = this.limits.clone();
                let mut table = limits.lock();
                match this.step(&mut table, cx) {
                    Poll::Ready(result) => {
                        this.place = None;
                        return Poll::Ready(result.map(|()| Held {
                            limits: this.limits.clone(),
                            uses: Arc::clone(&this.uses),
                            priority: this.priority,
                        }));
                    }
                    Poll::Pending => this
                        .place
                        .and_then(|place| table.waiting.get(&place))
                        .and_then(|waiting| waiting.due),
                }
            };
            let Some(due) = due else {
                this.timer = None;
                return Poll::Pending;
            };
            let timer = this
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            std::task::ready!(timer.as_mut().poll(cx));
        }
    }
}

impl Acquire {
    /// Takes all slots of a limit where that has fewer than were asked for.
    pub(crate) fn capped(mut self) -> Self {
        self.is_capped = true;
        self
    }

    fn step(&mut self, table: &mut Table, cx: &Context<'_>) -> Poll<Result<(), LimitError>> {
        let now = Instant::now();
        let Some(place) = self.place else {
            if self.is_capped {
                self.uses = table.capped(&self.uses);
            }
            if let Some(error) = table.too_small(&self.uses).filter(|_| self.is_start) {
                return Poll::Ready(Err(error));
            }
            table.arrivals += 1;
            let place = (std::cmp::Reverse(self.priority), table.arrivals);
            let due = match table.may_go(&place, &self.uses, self.is_start, now) {
                Ok(()) => {
                    table.take(&place, &self.uses, self.is_start, now);
                    return Poll::Ready(Ok(()));
                }
                Err(due) => due,
            };
            for one in &*self.uses {
                table.line_mut(&one.name).places.insert(place, one.weight);
            }
            let uses = Arc::clone(&self.uses);
            let waker = Some(cx.waker().clone());
            table.waiting.insert(
                place,
                Waiting {
                    uses,
                    is_start: self.is_start,
                    is_granted: false,
                    due,
                    waker,
                },
            );
            self.place = Some(place);
            return Poll::Pending;
        };
        let is_granted = table
            .waiting
            .get(&place)
            .is_none_or(|waiting| waiting.is_granted);
        if is_granted {
            table.waiting.remove(&place);
            return Poll::Ready(Ok(()));
        }
        // The limit may have been lowered since.
        if let Some(error) = table.too_small(&self.uses).filter(|_| self.is_start) {
            table.waiting.remove(&place);
            wake(table.leave(&place, &self.uses));
            if self.is_capped {
                self.place = None;
                return self.step(table, cx);
            }
            return Poll::Ready(Err(error));
        }
        match table.may_go(&place, &self.uses, self.is_start, now) {
            Ok(()) => {
                table.take(&place, &self.uses, self.is_start, now);
                table.waiting.remove(&place);
                // With a rate, the next one learns here when it is due.
                wake(table.let_next_go(&self.uses));
                Poll::Ready(Ok(()))
            }
            Err(due) => {
                if let Some(waiting) = table.waiting.get_mut(&place) {
                    waiting.due = due;
                    waiting.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Acquire {
    /// Leaves the lines; what was granted and not yet seen is given back.
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let woken = {
            let mut table = self.limits.lock();
            let is_granted = table
                .waiting
                .remove(&place)
                .is_some_and(|waiting| waiting.is_granted);
            if is_granted {
                table.give_back(&self.uses)
            } else {
                table.leave(&place, &self.uses)
            }
        };
        wake(woken);
    }
}

/// Slots that are taken, until this is dropped.
pub(crate) struct Held {
    limits: Limits,
    uses: Arc<[LimitUse]>,
    priority: i32,
}

impl Held {
    /// What is taken, each limit once.
    pub(crate) fn uses(&self) -> &Arc<[LimitUse]> {
        &self.uses
    }

    /// Waits for the same slots once more, after they were lent.
    pub(crate) fn again(&self) -> Acquire {
        let mut again = self.limits.acquire(&self.uses, self.priority);
        again.is_start = false;
        again
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let woken = self.limits.lock().give_back(&self.uses);
        wake(woken);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}
