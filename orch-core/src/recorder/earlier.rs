//! What earlier executions of a flow run recorded of its calls.

use std::collections::HashMap;

use crate::id::FlowRunId;
use crate::store::{CallId, PackedTaskRuns, RecordedTaskRuns, RunOrigin, TaskRunRow};

/// What an earlier execution recorded of a call.
pub(crate) struct Earlier {
    pub(crate) row: TaskRunRow,
    /// The flow run that this one was made from, if the row is one of that.
    pub(crate) of: Option<FlowRunId>,
}

/// Of all that is recorded of a flow run and of the one that it was made from, what counts and was
/// not asked for yet. The items of maps stay packed until then.
pub(super) struct EarlierTaskRuns {
    places: HashMap<CallId, Place>,
    rows: Vec<Option<Earlier>>,
    packs: Vec<(PackedTaskRuns, Option<FlowRunId>)>,
}

#[derive(Clone, Copy)]
enum Place {
    Row(u32),
    Packed { pack: u32, at: u32 },
}

impl EarlierTaskRuns {
    pub(super) fn new(
        own: RecordedTaskRuns,
        origin: Option<&RunOrigin>,
        of_origin: RecordedTaskRuns,
    ) -> Self {
        let of = origin.map(|origin| match origin {
            RunOrigin::Rerun { of, .. } | RunOrigin::Fork { of } => *of,
        });
        let mut all = Self {
            places: HashMap::new(),
            rows: Vec::new(),
            packs: Vec::new(),
        };
        // What comes later counts.
        all.add(of_origin, of);
        all.add(own, None);
        all
    }

    fn add(&mut self, recorded: RecordedTaskRuns, of: Option<FlowRunId>) {
        let RecordedTaskRuns { packed, rows } = recorded;
        let packed_len: usize = packed.iter().map(PackedTaskRuns::len).sum();
        self.places.reserve(packed_len + rows.len());
        for pack in packed {
            let place = |at| Place::Packed {
                pack: self.packs.len() as u32,
                at,
            };
            let calls = pack.calls().map(|(call, at)| (call, place(at)));
            self.places.extend(calls);
            self.packs.push((pack, of));
        }
        for row in rows {
            let place = Place::Row(self.rows.len() as u32);
            self.places.insert(row.call, place);
            self.rows.push(Some(Earlier { row, of }));
        }
    }

    /// Returns what is recorded of a call. Only its first caller gets it.
    pub(super) fn take(&mut self, call: CallId) -> Option<Earlier> {
        match self.places.remove(&call)? {
            Place::Row(at) => self.rows[at as usize].take(),
            Place::Packed { pack, at } => {
                let (pack, of) = &self.packs[pack as usize];
                let row = pack.row_at(at)?;
                Some(Earlier { row, of: *of })
            }
        }
    }

    pub(super) fn has(&self, call: CallId) -> bool {
        self.places.contains_key(&call)
    }

    /// Whether there is a result of an earlier execution of this flow run.
    pub(super) fn has_result(&self, call: CallId) -> bool {
        let place = self.places.get(&call);
        place.is_some_and(|place| self.is_result(*place))
    }

    fn is_result(&self, place: Place) -> bool {
        match place {
            Place::Row(at) => {
                let earlier = self.rows[at as usize].as_ref();
                earlier
                    .is_some_and(|earlier| earlier.of.is_none() && earlier.row.state.is_success())
            }
            // Only what completed is packed.
            Place::Packed { pack, .. } => self.packs[pack as usize].1.is_none(),
        }
    }

    /// Returns the calls of earlier executions of this flow run that came to a result and were not
    /// asked for.
    pub(super) fn results(&self) -> Vec<CallId> {
        let left = self.places.iter();
        let mut results: Vec<CallId> = left
            .filter(|(_, place)| self.is_result(**place))
            .map(|(call, _)| *call)
            .collect();
        results.sort();
        results
    }

    /// Returns the highest number of an execution.
    pub(super) fn last_execution(&self) -> u64 {
        let packed = self.packs.iter().map(|(pack, _)| pack.last_execution());
        let rows = self.rows.iter().flatten();
        let rows = rows.map(|earlier| earlier.row.execution);
        packed.chain(rows).max().unwrap_or(0)
    }
}
