//! Who runs what: flow runs by their keys, executions by their cache keys.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use super::super::memory::differing;
use super::super::{
    ClaimRun, Durability, Epoch, Fence, FlowRunRow, KeyClaim, OwnerId, RunClaim, StoreError,
};
use super::owner::Owner;
use super::{ReadError, Writer, read, write};
use crate::state::State;
use crate::value::Digest;

/// Does something within one transaction that nobody else can write during.
pub(super) fn exclusively<T>(
    writer: &mut Writer,
    path: &Path,
    action: &'static str,
    work: impl FnOnce(&Writer) -> Result<T, ReadError>,
) -> Result<T, StoreError> {
    let failed = |error: ReadError| error.of_store(path, action);
    writer.disk.operation().map_err(|source| StoreError::Io {
        path: path.join(super::DATABASE),
        action: "written",
        source,
    })?;
    writer.begin().map_err(failed)?;
    let done = work(writer).and_then(|done| writer.end("COMMIT").map(|()| done));
    if done.is_err() {
        writer.roll_back();
    }
    done.map_err(failed)
}

pub(super) fn claim_run(
    writer: &mut Writer,
    path: &Path,
    owner: &Owner,
    claim: ClaimRun,
) -> Result<RunClaim, StoreError> {
    // A claim decides who runs: it is on disk before anybody acts on it.
    writer
        .set_durability(Durability::Strict)
        .map_err(|error| error.of_store(path, "claiming a flow run"))?;
    exclusively(writer, path, "claiming a flow run", |writer| {
        let connection = &writer.connection;
        let found = match (&claim.resume, &claim.row.key) {
            (Some(id), _) => match read::owned_run(connection, "id = ?1", [id])? {
                None => return Ok(RunClaim::Unknown(*id)),
                found => found,
            },
            (None, Some(key)) => {
                read::owned_run(connection, "flow = ?1 AND key = ?2", [&claim.row.flow, key])?
            }
            (None, None) => None,
        };
        let Some((n, epoch, row)) = found else {
            write::insert_flow_run(connection, &claim.row, owner.id())?;
            return Ok(RunClaim::Started(Fence {
                run: claim.row.id,
                owner: owner.id(),
                epoch: 1,
            }));
        };
        if let Some(answer) = refusal(&claim, &row, owner) {
            return Ok(answer);
        }
        let epoch = epoch + 1;
        write::take_over(connection, n, owner.id(), epoch, State::Running)?;
        Ok(RunClaim::TakenOver {
            fence: Fence {
                run: row.id,
                owner: owner.id(),
                epoch: epoch as u64,
            },
            row: Box::new(row),
        })
    })
}

/// Why a run that is there is not gone on with, if it is not.
fn refusal(claim: &ClaimRun, row: &FlowRunRow, owner: &Owner) -> Option<RunClaim> {
    if claim.resume.is_none() {
        let parameters = differing(row, &claim.row);
        if !parameters.is_empty() {
            return Some(RunClaim::KeyReused {
                row: Box::new(row.clone()),
                parameters,
            });
        }
    }
    match row.owner {
        Some((by, _)) if by == owner.id() => return Some(RunClaim::RunningHere(row.id)),
        Some((by, _)) if owner.is_alive(by) => {
            return Some(RunClaim::RunningElsewhere {
                run: row.id,
                owner: by,
            });
        }
        _ => {}
    }
    match row.state {
        State::Completed => Some(RunClaim::Completed(Box::new(row.clone()))),
        State::Cancelled if !claim.revive_cancelled => {
            Some(RunClaim::Cancelled(Box::new(row.clone())))
        }
        _ => None,
    }
}

pub(super) fn claim_key(
    writer: &mut Writer,
    path: &Path,
    owner: &Owner,
    key: &Digest,
) -> Result<KeyClaim, StoreError> {
    // Who is gone with the power does not hold a claim: nothing has to be on disk.
    writer
        .set_durability(Durability::Relaxed)
        .map_err(|error| error.of_store(path, "claiming a cache key"))?;
    exclusively(writer, path, "claiming a cache key", |writer| {
        let connection = &writer.connection;
        let sql = "SELECT owner, epoch FROM inflight WHERE key = ?1";
        let held: Option<(Option<OwnerId>, i64)> = connection
            .prepare_cached(sql)?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let epoch = match held {
            Some((Some(by), _)) if by != owner.id() && owner.is_alive(by) => {
                return Ok(KeyClaim::HeldBy(by));
            }
            Some((_, epoch)) => epoch + 1,
            None => 1,
        };
        let sql = "INSERT OR REPLACE INTO inflight (key, owner, epoch) VALUES (?1, ?2, ?3)";
        connection
            .prepare_cached(sql)?
            .execute(params![key, owner.id(), epoch])?;
        Ok(KeyClaim::Claimed(epoch as u64))
    })
}

pub(super) fn release_key(
    writer: &mut Writer,
    path: &Path,
    owner: &Owner,
    key: &Digest,
    epoch: Epoch,
) -> Result<(), StoreError> {
    exclusively(writer, path, "giving up a cache key", |writer| {
        let sql = "DELETE FROM inflight WHERE key = ?1 AND owner = ?2 AND epoch = ?3";
        writer
            .connection
            .prepare_cached(sql)?
            .execute(params![key, owner.id(), epoch as i64])?;
        Ok(())
    })
}
