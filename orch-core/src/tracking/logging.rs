//! Logging one thing: into memory, to whoever listens, and on the record.

use std::fs::File;
use std::sync::Arc;

use serde_json::Value;

use super::sink::LogEventKind;
use super::target::Target;
use super::{ArtifactContent, TrackError, artifact as artifacts, name as names};
use crate::event::EventKind;
use crate::node::Header;
use crate::report::{ArtifactReport, MetricPoint};
use crate::secret::{scrub, scrub_json};
use crate::store::{ArtifactRow, Logged, LoggedBy, LoggedValueRow, MetricRow, Timestamp, block_on};
use crate::value::{Digest, copy_bytes};

/// How many bytes a param or a tag may have, as JSON: as many as MLflow takes.
const MAX_VALUE: usize = 6_000;

fn check_len(what: &'static str, name: &str, bytes: usize) -> Result<(), TrackError> {
    if bytes > MAX_VALUE {
        return Err(TrackError::TooLong {
            what,
            name: name.to_owned(),
            bytes,
            max: MAX_VALUE,
        });
    }
    Ok(())
}

pub(super) fn param(target: &Target<'_>, name: &str, value: &Value) -> Result<(), TrackError> {
    names::check("param", name)?;
    check_len("param", name, value.to_string().len())?;
    let value = scrub_json(value.clone());
    let name = scrub(name.to_owned());
    if target.flow.live_log.param(target, &name, &value)? {
        target.tell(|| LogEventKind::Param {
            name: &name,
            value: &value,
        });
        push(target, |by, at| {
            let row = LoggedValueRow {
                by,
                name,
                value,
                at,
            };
            Logged::Param(Box::new(row))
        });
    }
    Ok(())
}

pub(super) fn metric(
    target: &Target<'_>,
    name: &str,
    step: i64,
    value: f64,
) -> Result<(), TrackError> {
    let flow = target.flow;
    let now = flow.now();
    let at = flow.timestamp_of(now);
    let point = MetricPoint::new(step, at.0.div_euclid(1_000_000), value);
    let noted = flow.live_log.metric(target, name, point, now)?;
    if noted.is_told && flow.engine.events.is_live() {
        let of_item = target.header.is_some_and(Header::is_item);
        if !of_item {
            let metric = Arc::clone(&noted.name);
            flow.emit(EventKind::metric_logged(target.header, metric, step, value));
        }
    }
    target.tell(|| LogEventKind::Metric { name, step, value });
    if let Some((recorder, by)) = target.recorded() {
        recorder.push_metric(MetricRow {
            by,
            name: noted.name,
            step,
            value,
            at,
        });
        let journal = &recorder.store.journal;
        if !journal.has_room() {
            // Whoever logs faster than the disk takes it would fill the memory.
            block_on(journal.until_room());
        }
    }
    Ok(())
}

pub(super) fn tag(target: &Target<'_>, name: &str, value: &str) -> Result<(), TrackError> {
    names::check("tag", name)?;
    check_len("tag", name, value.len())?;
    let name = scrub(name.to_owned());
    target.flow.live_log.tag(target, &name, value);
    target.tell(|| LogEventKind::Tag { name: &name, value });
    push(target, |by, at| {
        let value = Value::from(value);
        let row = LoggedValueRow {
            by,
            name,
            value,
            at,
        };
        Logged::Tag(Box::new(row))
    });
    Ok(())
}

pub(super) fn artifact(
    target: &Target<'_>,
    name: &str,
    content: &ArtifactContent<'_>,
) -> Result<Digest, TrackError> {
    names::check("artifact", name)?;
    let not_read = |source| {
        let ArtifactContent::File(path) = content else {
            return not_stored(name, source);
        };
        TrackError::File {
            name: name.to_owned(),
            path: path.to_path_buf(),
            source,
        }
    };
    let media_type = artifacts::media_type(name);
    let keep = |bytes, digest: Digest| {
        let artifact = ArtifactReport::new(bytes, media_type.to_owned(), digest.to_string());
        target.flow.live_log.artifact(target, name, artifact);
        target.tell(|| LogEventKind::artifact(name, content));
        digest
    };
    let Some((recorder, by)) = target
        .recorded()
        .filter(|_| target.flow.rehearsal().is_none())
    else {
        let read;
        let bytes = match content {
            ArtifactContent::Bytes(bytes) => &**bytes,
            ArtifactContent::File(path) => {
                read = std::fs::read(path).map_err(not_read)?;
                &read
            }
        };
        let stored = copy_bytes(&mut &*bytes, &mut std::io::sink());
        let digest = stored.map_err(|error| not_stored(name, error))?.digest;
        target.flow.engine.artifacts.put(digest, bytes);
        return Ok(keep(bytes.len() as u64, digest));
    };
    let kept = match content {
        ArtifactContent::Bytes(bytes) => recorder.store.put_bytes(&mut &**bytes),
        ArtifactContent::File(path) => {
            let mut file = File::open(path).map_err(not_read)?;
            recorder.store.put_bytes(&mut file)
        }
    };
    let kept = kept.map_err(|error| not_stored(name, error))?;
    let (digest, bytes) = (kept.value.stored.digest, kept.value.stored.len);
    let row = ArtifactRow {
        by,
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        value: kept.value,
        at: target.flow.timestamp(),
    };
    recorder.push_logged(Logged::Artifact(Box::new(row)), kept.hold);
    Ok(keep(bytes, digest))
}

fn not_stored(name: &str, source: impl Into<crate::BoxError>) -> TrackError {
    TrackError::NotStored {
        name: name.to_owned(),
        source: source.into(),
    }
}

fn push(target: &Target<'_>, row: impl FnOnce(LoggedBy, Timestamp) -> Logged) {
    if let Some((recorder, by)) = target.recorded() {
        recorder.push_logged(row(by, target.flow.timestamp()), None);
    }
}
