//! Functions that are called when a run changes state.

use syn::Path;

use super::option::RawOption;

/// A function to call when a run changes state.
#[derive(Clone)]
pub(crate) struct Hook {
    /// The variant of `HookOn`.
    pub(crate) on: &'static str,
    pub(crate) function: Path,
}

impl RawOption {
    /// The hook, or nothing if the key is no hook's, which `parse_options` has ruled out.
    pub(super) fn hook(&self) -> syn::Result<Option<Hook>> {
        let on = match self.name().as_str() {
            "on_start" => "Start",
            "on_retry" => "Retry",
            "on_success" => "Success",
            "on_failure" => "Failure",
            "on_crash" => "Crash",
            "on_cancel" => "Cancel",
            "on_skip" => "Skip",
            "on_end" => "End",
            _ => return Ok(None),
        };
        Ok(Some(Hook {
            on,
            function: self.function()?,
        }))
    }
}
