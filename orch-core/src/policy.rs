//! The settings of a task, one file each.

pub(crate) mod failure_mode;
pub(crate) mod retry;
pub(crate) mod timeout;
