//! The few calls of MLflow's REST interface that an upload needs.

use std::time::Duration;

use serde_json::{Value, json};

/// A tracking server.
pub(super) struct Client {
    agent: ureq::Agent,
    address: String,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The server was not reached, or did not answer in time.
    NotReached(String),
    /// It refused.
    Refused(String),
}

impl CallError {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::NotReached(text) | Self::Refused(text) => text,
        }
    }
}

type Result<T> = std::result::Result<T, CallError>;

impl Client {
    pub(super) fn new(address: &str, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            address: address.to_owned(),
        }
    }

    /// Returns the id of the experiment of a name, which is made if it is missing.
    pub(super) fn experiment(&self, name: &str) -> Result<String> {
        let created = self.post("experiments/create", &json!({ "name": name }));
        let found = match created {
            Ok(created) => created["experiment_id"].clone(),
            Err(CallError::Refused(_)) => {
                let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let path = format!("experiments/get-by-name?experiment_name={name}");
                self.get(&path)?["experiment"]["experiment_id"].clone()
            }
            Err(error) => return Err(error),
        };
        text_of(&found)
    }

    /// Makes a run and returns its id and the address of its artifacts.
    pub(super) fn create_run(
        &self,
        experiment: &str,
        name: &str,
        start_time: i64,
        tags: &[(String, String)],
    ) -> Result<(String, String)> {
        let body = json!({
            "experiment_id": experiment,
            "run_name": name,
            "start_time": start_time,
            "tags": pairs(tags),
        });
        let created = self.post("runs/create", &body)?;
        let info = &created["run"]["info"];
        Ok((text_of(&info["run_id"])?, text_of(&info["artifact_uri"])?))
    }

    /// Logs a batch: at most 1,000 in all, of them 100 params and 100 tags.
    pub(super) fn log_batch(
        &self,
        run: &str,
        metrics: &[Value],
        params: &[(String, String)],
        tags: &[(String, String)],
    ) -> Result<()> {
        let body = json!({
            "run_id": run,
            "metrics": metrics,
            "params": pairs(params),
            "tags": pairs(tags),
        });
        self.post("runs/log-batch", &body).map(drop)
    }

    /// Says how a run ended.
    pub(super) fn end_run(&self, run: &str, status: &str, end_time: i64) -> Result<()> {
        let body = json!({ "run_id": run, "status": status, "end_time": end_time });
        self.post("runs/update", &body).map(drop)
    }

    /// Puts an artifact where the server keeps those of the run itself.
    pub(super) fn put_artifact(&self, artifact_uri: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let Some(path) = artifact_uri.strip_prefix("mlflow-artifacts:") else {
            let text =
                format!("the server does not keep artifacts itself, but in `{artifact_uri}`");
            return Err(CallError::Refused(text));
        };
        let path = path.trim_start_matches('/');
        let name: Vec<String> = name.split('/').map(encoded).collect();
        let address = &self.address;
        let url = format!(
            "{address}/api/2.0/mlflow-artifacts/artifacts/{path}/{}",
            name.join("/")
        );
        let sent = self
            .agent
            .put(url)
            .header("content-type", "application/octet-stream")
            .send(bytes);
        answer(sent).map(drop)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/api/2.0/mlflow/{path}", self.address);
        let sent = self
            .agent
            .post(url)
            .header("content-type", "application/json")
            .send(body.to_string());
        answer(sent)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/api/2.0/mlflow/{path}", self.address);
        answer(self.agent.get(url).call())
    }
}

fn answer(
    sent: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value> {
    let not_reached = |error: ureq::Error| CallError::NotReached(error.to_string());
    let mut response = sent.map_err(not_reached)?;
    let text = response.body_mut().read_to_string().map_err(not_reached)?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if response.status().is_success() {
        return Ok(body);
    }
    let message = body["message"].as_str().unwrap_or(&text);
    let message: String = message.chars().take(300).collect();
    Err(CallError::Refused(format!(
        "{}: {message}",
        response.status()
    )))
}

fn text_of(value: &Value) -> Result<String> {
    let missing = || CallError::Refused("the server's answer has no id".to_owned());
    value.as_str().map(str::to_owned).ok_or_else(missing)
}

fn pairs(pairs: &[(String, String)]) -> Vec<Value> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// A part of a path as addresses have it.
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
