//! What code logged in a flow run: params, metrics, tags and artifacts.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::table::Table;
use super::{RunReport, human};

/// What a task run logged, or the flow body: that of its last attempt. A task run whose result was
/// cached or handed back has what the execution logged that the result is of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoggedReport {
    /// The index of the task run; for an item of a map that of the map. `None` for the flow body.
    pub task_run: Option<u32>,
    /// The name of the task run; that of the flow run for its body.
    pub name: String,
    /// The name of the task; that of the flow for its body.
    pub task: String,
    /// Whether it is an item of a map, which the report counts and does not list.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub is_item: bool,
    /// What it was run with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// How it went.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricReport>,
    /// What it is to be found by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What it left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, ArtifactReport>,
}

/// A metric over its steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricReport {
    /// The value of the greatest step, the one that was logged last if there are several.
    #[serde(with = "number")]
    pub last: f64,
    /// The least value that is a number; NaN if none is.
    #[serde(with = "number")]
    pub min: f64,
    /// The greatest value that is a number; NaN if none is.
    #[serde(with = "number")]
    pub max: f64,
    /// How many points were logged.
    pub n_points: u64,
    /// The points in the order in which they were logged. Where there are too many to be kept, those
    /// are left out that lie between others, at even distances; the first and the last stay.
    pub points: Vec<MetricPoint>,
}

/// A value that a metric had.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricPoint {
    /// The step.
    pub step: i64,
    /// When it was logged, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// The value. In JSON `"NaN"`, `"Infinity"` and `"-Infinity"` stand for those.
    #[serde(with = "number")]
    pub value: f64,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArtifactReport {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its media type, such as `text/csv`.
    pub media_type: String,
    /// What identifies its bytes, in hexadecimal.
    pub digest: String,
}

impl MetricReport {
    /// Whether it has one point, so that there is nothing to draw.
    pub fn is_single(&self) -> bool {
        self.n_points == 1
    }
}

impl MetricPoint {
    pub(crate) const fn new(step: i64, at_unix_ms: i64, value: f64) -> Self {
        Self {
            step,
            at_unix_ms,
            value,
        }
    }
}

impl ArtifactReport {
    pub(crate) fn new(bytes: u64, media_type: String, digest: String) -> Self {
        Self {
            bytes,
            media_type,
            digest,
        }
    }
}

/// The most rows that a list of what was logged has.
const MAX_ROWS: usize = 60;
const MAX_NAME: usize = 44;
const MAX_VALUE: usize = 60;

impl RunReport {
    /// Writes what was logged as plain text tables: params, metrics, tags and artifacts, each with
    /// the task run that logged it. Empty if nothing was logged.
    pub fn logged_tables(&self) -> String {
        let mut text = String::new();
        let mut params = Table::new(&["param", "of", "value"], 3);
        let mut metrics = Table::new(&["metric", "of", "last", "min", "max", "points"], 2);
        let mut tags = Table::new(&["tag", "of", "value"], 3);
        let mut artifacts = Table::new(&["artifact", "of", "media type", "digest", "bytes"], 4);
        for logged in &self.logged {
            let of = human::short(&logged.name, MAX_NAME);
            let named = |name: &str| human::short(name, MAX_NAME);
            for (name, value) in &logged.params {
                let value = human::short(&shown(value), MAX_VALUE);
                params.row([named(name), of.clone(), value]);
            }
            for (name, metric) in &logged.metrics {
                metrics.row([
                    named(name),
                    of.clone(),
                    number_text(metric.last),
                    number_text(metric.min),
                    number_text(metric.max),
                    human::count(metric.n_points),
                ]);
            }
            for (name, value) in &logged.tags {
                tags.row([named(name), of.clone(), human::short(value, MAX_VALUE)]);
            }
            for (name, artifact) in &logged.artifacts {
                artifacts.row([
                    named(name),
                    of.clone(),
                    human::short(&artifact.media_type, MAX_NAME),
                    artifact.digest.chars().take(12).collect(),
                    human::count(artifact.bytes),
                ]);
            }
        }
        for table in [params, metrics, tags, artifacts] {
            let (shown, left_out) = table.text_of(MAX_ROWS);
            if shown.is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&shown);
            if left_out > 0 {
                text.push_str(&format!("and {} more\n", human::count(left_out as u64)));
            }
        }
        text
    }
}

/// A param as people read it: text without quotes.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number with up to six digits that count.
pub(crate) fn number_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e9).contains(&size) {
        let text = format!("{value:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(digits));
    }
    let before = if size >= 1.0 {
        size.log10() as usize + 1
    } else {
        1
    };
    trimmed(&format!("{value:.*}", 6_usize.saturating_sub(before))).to_owned()
}

fn trimmed(digits: &str) -> &str {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// Numbers that JSON has no form for, as texts.
pub(crate) mod number {
    use super::{Deserializer, Serializer, Visitor, de, fmt};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match text(*value) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_f64(*value),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, `NaN`, `Infinity` or `-Infinity`")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
                match text {
                    "NaN" => Ok(f64::NAN),
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        from.deserialize_any(NumberVisitor)
    }

    /// The text of a number that JSON has no form for.
    pub(crate) fn text(value: f64) -> Option<&'static str> {
        if value.is_nan() {
            Some("NaN")
        } else if value == f64::INFINITY {
            Some("Infinity")
        } else if value == f64::NEG_INFINITY {
            Some("-Infinity")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_count() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (0.807_123_456, "0.80712"),
            (293.340_252_1, "293.34"),
            (99_999.96, "100000"),
            (1_234_567.0, "1234567"),
            (0.000_012_345_6, "1.23456e-5"),
            (1.0e300, "1e300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number_text(value), expected);
        }
    }

    #[test]
    fn points_that_are_no_numbers_come_back_from_json() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1, 3.0] {
            let point = MetricPoint::new(-1, 7, value);
            let json = serde_json::to_string(&point).unwrap();
            let back: MetricPoint = serde_json::from_str(&json).unwrap();
            assert_eq!(back.value.to_bits(), value.to_bits(), "{json}");
        }
    }
}
