//! Notices for durable hooks, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::store::{NoticeFilter, NoticeRow};

/// Notices that were not delivered yet.
#[derive(Default)]
pub(super) struct Outbox {
    /// By their place among all of them.
    rows: BTreeMap<u64, NoticeRow>,
    /// The places of each hook's.
    by_hook: HashMap<String, BTreeSet<u64>>,
    places: HashMap<String, u64>,
    last: u64,
}

impl Outbox {
    pub(super) fn put(&mut self, row: &NoticeRow) {
        let notice = &row.notice;
        let place = *self.places.entry(notice.id.clone()).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        let of_hook = self.by_hook.entry(notice.hook.clone()).or_default();
        of_hook.insert(place);
        self.rows.insert(place, row.clone());
    }

    pub(super) fn remove(&mut self, id: &str) {
        let place = self.places.remove(id);
        let removed = place.and_then(|place| Some((place, self.rows.remove(&place)?)));
        if let Some((place, row)) = removed
            && let Some(of_hook) = self.by_hook.get_mut(&row.notice.hook)
        {
            of_hook.remove(&place);
        }
    }

    pub(super) fn list(&self, filter: &NoticeFilter) -> Vec<NoticeRow> {
        let limit = filter.limit();
        match &filter.hook {
            None => self.rows.values().take(limit).cloned().collect(),
            Some(hook) => {
                let places = self.by_hook.get(hook).into_iter().flatten();
                let rows = places.filter_map(|place| self.rows.get(place));
                rows.take(limit).cloned().collect()
            }
        }
    }
}
