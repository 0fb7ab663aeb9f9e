//! Where panics of bodies came from, for programs that want to keep that.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Once};

use crate::context;
use crate::secret::scrub;

thread_local! {
    /// Where the last panic of a body on this thread came from, until the engine has caught it.
    static LAST: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Keeps where panics of tasks and flows came from: from now on the place and the backtrace are with
/// their errors, in the report and in the store ([`ErrorReport::backtrace`](crate::report::ErrorReport::backtrace)).
///
/// Only a panic hook sees that, and a process has one: this one calls the one before it, so call this
/// after a hook of your own was set. Panics outside of tasks and flows are left to that. A backtrace takes
/// some milliseconds. Further calls do nothing.
///
/// ```
/// orch_core::keep_panic_backtraces();
/// ```
pub fn keep_panic_backtraces() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            before(info);
            if context::with_current(|place| place.is_some()) {
                let place = info.location().map(ToString::to_string);
                let place = place.unwrap_or_else(|| "an unknown place".to_owned());
                let text = scrub(format!("at {place}\n{}", Backtrace::force_capture()));
                LAST.set(Some(text.into()));
            }
        }));
    });
}

/// Returns where the panic came from that was just caught on this thread, if that is kept.
pub(crate) fn origin() -> Option<Arc<str>> {
    LAST.take()
}
