//! The primitives that `completion` stands on. The model checker's test compiles `completion`
//! beside a module of the same name that takes them from `loom`.

pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
