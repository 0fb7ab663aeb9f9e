//! Flow runs for MLflow: as the files that it reads, and live to its tracking server.
//!
//! A flow is an experiment, a flow run is a run. What the flow body logs and its arguments are called
//! as they are; what a task run logs has the name of the task run before it, `train/loss`; a further task
//! run of the same name is `train-2`. Each item of a map that logs is a run of its own, with the flow
//! run as its parent, as MLflow shows searches. Ids are made of those of the flow runs, so that the
//! same flow run is the same run whenever it is exported.
//!
//! Tags `orch.flow_run`, `orch.state` and, where there are any, `orch.tags` and `orch.error` say where a
//! run is from.

mod export;
#[cfg(feature = "mlflow")]
mod live;
mod naming;
mod run;

pub use self::export::{MlflowExport, export_mlflow};
#[cfg(feature = "mlflow")]
pub use self::live::{MlflowError, MlflowOptions, MlflowUpload, MlflowUploadReport};
