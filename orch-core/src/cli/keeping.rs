//! Commands that keep the store small and look whether it is whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Output;
use super::error::Failure;
use super::json;
use crate::engine::Engine;
use crate::report::human;

pub(super) fn collect(engine: &Engine, dry_run: bool, is_json: bool) -> Result<String, Failure> {
    let report = engine.collect_garbage(dry_run)?;
    if is_json {
        return Ok(json::text(&json!({
            "is_dry_run": report.is_dry_run,
            "flow_runs": report.flow_runs,
            "cache_entries": report.cache_entries,
            "blobs": report.blobs,
            "blob_bytes": report.blob_bytes,
            "unfinished": report.unfinished,
            "is_partial": report.is_partial,
        })));
    }
    let counted = |count: usize, thing| human::counted(count as u64, thing);
    let mut text = format!(
        "{} {}, {}, {} of {} bytes\n",
        if report.is_dry_run {
            "would remove"
        } else {
            "removed"
        },
        counted(report.flow_runs, "flow run"),
        counted(report.cache_entries, "cached result"),
        counted(report.blobs, "file"),
        human::count(report.blob_bytes),
    );
    if report.is_partial {
        text.push_str("some files were left, since others wrote all the time: try again later\n");
    }
    Ok(text)
}

/// A store that is damaged makes this fail, with all that was found. Notices that wait do not.
pub(super) fn check(engine: &Engine, is_json: bool) -> Result<Output, Failure> {
    let report = engine.check_store()?;
    let mut undelivered: BTreeMap<String, u64> = BTreeMap::new();
    for row in engine.undelivered()? {
        *undelivered.entry(row.notice.hook).or_default() += 1;
    }
    let text = if is_json {
        let lost = report.lost.iter().map(|lost| {
            json!({
                "digest": lost.digest.to_string(),
                "of": lost.of.to_string(),
                "problem": lost.problem,
            })
        });
        let orphans = report.orphans.iter().map(ToString::to_string);
        json::text(&json!({
            "is_sound": report.is_sound(),
            "values": report.values,
            "by_length": report.by_length,
            "lost": lost.collect::<Vec<Value>>(),
            "orphans": orphans.collect::<Vec<String>>(),
            "problems": report.problems,
            "undelivered": undelivered,
        }))
    } else {
        let waiting = undelivered.iter().map(|(hook, count)| {
            let notices = human::counted(*count, "notice");
            format!(
                "{notices} for hook `{}` not delivered yet\n",
                human::clean(hook)
            )
        });
        format!("{report}\n{}", waiting.collect::<String>())
    };
    Ok(Output {
        text,
        is_failure: !report.is_sound(),
    })
}

pub(super) fn compact(engine: &Engine, is_json: bool) -> Result<String, Failure> {
    engine.compact_store()?;
    if is_json {
        return Ok(json::text(&json!({ "is_compacted": true })));
    }
    Ok("compacted\n".to_owned())
}
