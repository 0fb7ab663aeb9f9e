//! Commands that look after the cache.

use serde_json::{Value, json};

use super::arguments::Cache;
use super::error::Failure;
use super::json;
use super::keeping;
use super::looking::between;
use crate::engine::Engine;
use crate::report::{human, table::Table};
use crate::store::{CacheRow, Timestamp};
use crate::value::Digest;

pub(super) fn execute(engine: &Engine, command: &Cache, is_json: bool) -> Result<String, Failure> {
    match command {
        Cache::Ls { task, limit } => list(engine, task.as_deref(), *limit, is_json),
        Cache::Pin { key } => pin(engine, key, true, is_json),
        Cache::Unpin { key } => pin(engine, key, false, is_json),
        Cache::Rm { keys, task } => forget(engine, keys, task.as_deref(), is_json),
        Cache::Gc { dry_run } => keeping::collect(engine, *dry_run, is_json),
    }
}

fn of_task(row: &CacheRow, task: Option<&str>) -> bool {
    task.is_none_or(|task| row.task == task || row.task_id == task)
}

fn list(
    engine: &Engine,
    task: Option<&str>,
    limit: usize,
    is_json: bool,
) -> Result<String, Failure> {
    let mut rows = engine.cached_results()?;
    rows.retain(|row| of_task(row, task));
    let total: u64 = rows.iter().map(|row| row.value.stored.len).sum();
    let count = rows.len() as u64;
    if limit > 0 {
        rows.truncate(limit);
    }
    if is_json {
        let rows: Vec<Value> = rows.iter().map(json::cached).collect();
        return Ok(json::text(&Value::from(rows)));
    }
    let mut table = Table::new(&["key", "task", "used", "pinned", "bytes", "took"], 4);
    let now = Timestamp::now();
    for row in &rows {
        table.row([
            row.key.digest.short(),
            human::short(&row.task, 44),
            format!("{} ago", human::duration(between(row.used_at, now))),
            if row.is_pinned { "yes" } else { "no" }.to_owned(),
            human::count(row.value.stored.len),
            human::duration(std::time::Duration::from_nanos(row.took)),
        ]);
    }
    let results = human::counted(count, "result");
    Ok(format!(
        "{}{results}, {} bytes\n",
        table.text(),
        human::count(total)
    ))
}

/// Finds an entry by the beginning of its key.
fn find(rows: &[CacheRow], beginning: &str) -> Result<Digest, Failure> {
    let wanted = beginning.to_ascii_lowercase();
    let mut keys = rows.iter().map(|row| row.key.digest);
    let mut begins = || keys.find(|key| !wanted.is_empty() && key.to_string().starts_with(&wanted));
    match (begins(), begins()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Failure::new(format!(
            "several cached results have keys that begin with `{beginning}`"
        ))
        .with_help("write more of the key: `cache ls --json` has all of it")),
        (None, _) => Err(Failure::new(format!(
            "no cached result has a key that begins with `{beginning}`"
        ))
        .with_help("`cache ls` lists them")),
    }
}

fn pin(engine: &Engine, key: &str, is_pinned: bool, is_json: bool) -> Result<String, Failure> {
    let key = find(&engine.cached_results()?, key)?;
    if !engine.pin_cached(key, is_pinned)? {
        return Err(Failure::new(format!(
            "the result of key {key} has just been removed"
        )));
    }
    if is_json {
        return Ok(json::text(
            &json!({ "key": key.to_string(), "is_pinned": is_pinned }),
        ));
    }
    let done = if is_pinned { "pinned" } else { "unpinned" };
    Ok(format!("{done} {}\n", key.short()))
}

fn forget(
    engine: &Engine,
    keys: &[String],
    task: Option<&str>,
    is_json: bool,
) -> Result<String, Failure> {
    let rows = engine.cached_results()?;
    // All of them are looked up before one is touched.
    let mut found = keys
        .iter()
        .map(|key| find(&rows, key))
        .collect::<Result<Vec<Digest>, Failure>>()?;
    let is_pinned = |key: &Digest| {
        rows.iter()
            .any(|row| row.key.digest == *key && row.is_pinned)
    };
    if let Some(pinned) = found.iter().find(|key| is_pinned(key)) {
        let message = format!("the result of key {} is pinned", pinned.short());
        return Err(Failure::new(message).with_help("`cache unpin` lets go of it"));
    }
    if task.is_some() {
        let droppable = rows
            .iter()
            .filter(|row| of_task(row, task) && !row.is_pinned);
        found.extend(droppable.map(|row| row.key.digest));
    }
    found.sort();
    found.dedup();
    for key in &found {
        engine.forget_cached(*key)?;
    }
    if is_json {
        let keys: Vec<String> = found.iter().map(Digest::to_string).collect();
        return Ok(json::text(&json!({ "forgotten": keys })));
    }
    Ok(format!(
        "forgot {}\n",
        human::counted(found.len() as u64, "result")
    ))
}
