//! Keeps what one thread writes out of the cache lines that others read.

use std::ops::{Deref, DerefMut};

/// A value that shares its cache lines with nothing else. 128 bytes: processors fetch lines of 64 in
/// pairs.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Padded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
