//! Shared access to a result, and the interest that comes with it.

use std::sync::Arc;

use crate::identity::{Origin, Part};
use crate::node::{AnyNode, Header, Output, Upstream};
use crate::report::EdgeKind;

/// Access to a result of type `T` that counts as an interest in how it comes out.
pub(crate) struct Handle<T> {
    output: Arc<dyn Output<T>>,
}

impl<T> Handle<T> {
    pub(crate) fn new(output: Arc<dyn Output<T>>) -> Self {
        if let Some(header) = output.header() {
            header.add_interest();
        }
        Self { output }
    }

    /// Takes the interest that a new node comes with.
    pub(crate) fn adopt(output: Arc<dyn Output<T>>) -> Self {
        Self { output }
    }

    pub(crate) fn header(&self) -> Option<&Header> {
        self.output.header()
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.output.value()
    }

    /// Returns the result of an input of a task run that may start.
    pub(crate) fn input(&self) -> &T {
        self.value()
            .expect("a task run starts when its inputs have completed")
    }

    pub(crate) fn output(&self) -> &Arc<dyn Output<T>> {
        &self.output
    }

    pub(crate) fn node(&self) -> Option<Arc<dyn AnyNode>> {
        Arc::clone(&self.output).node()
    }

    /// Where the result comes from.
    pub(crate) fn origin(&self) -> Origin<'_> {
        self.output.origin()
    }

    /// Moves the result out, if this is the only access to it.
    pub(crate) fn take(&mut self) -> Option<T> {
        // A consumer starts only after the engine has let go of the upstream node.
        Arc::get_mut(&mut self.output)?.take()
    }

    pub(crate) fn visit(&self, edge: EdgeKind, visit: &mut dyn FnMut(Upstream<'_>)) {
        if let Some(header) = self.output.header() {
            let node = || {
                Arc::clone(&self.output)
                    .node()
                    .expect("what has a header has a node")
            };
            visit(Upstream {
                header,
                edge,
                node: &node,
                has_digest: header.is_unloaded() && self.origin().digest.is_some(),
            });
        }
    }
}

/// How often to look whether the thread that ended a task run has let go of it.
const SPINS: u32 = 32;

/// Moves the result out, if this is the only access to it.
pub(crate) fn take_last<T>(output: &mut Arc<dyn Output<T>>) -> Option<T> {
    for _ in 0..SPINS {
        if let Some(output) = Arc::get_mut(output) {
            return output.take();
        }
        // One access more may be that of the thread that has just ended the task run: it tells
        // others of the end an instant before it lets go.
        if Arc::strong_count(output) > 2 {
            return None;
        }
        std::hint::spin_loop();
    }
    None
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.output))
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        if let Some(header) = self.output.header() {
            header.release_interest();
        }
    }
}

/// A plain value where a result is expected.
pub(crate) struct Constant<T>(pub(crate) Option<T>);

impl<T: Send + Sync> Output<T> for Constant<T> {
    fn value(&self) -> Option<&T> {
        self.0.as_ref()
    }

    fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    fn header(&self) -> Option<&Header> {
        None
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn AnyNode>> {
        None
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            header: None,
            part: Part::Whole,
            digest: None,
        }
    }
}

/// A part of a result, found by a function. Both the part and the whole stay where they are.
pub(crate) struct Projection<W, P> {
    whole: Arc<dyn Output<W>>,
    part: fn(&W) -> &P,
    which: Part,
}

impl<W, P> Projection<W, P> {
    pub(crate) fn new(whole: Arc<dyn Output<W>>, part: fn(&W) -> &P, which: Part) -> Self {
        Self { whole, part, which }
    }
}

impl<W: 'static, P: 'static> Output<P> for Projection<W, P> {
    fn value(&self) -> Option<&P> {
        self.whole.value().map(self.part)
    }

    /// A part cannot be moved out from under the others.
    fn take(&mut self) -> Option<P> {
        None
    }

    fn header(&self) -> Option<&Header> {
        self.whole.header()
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn AnyNode>> {
        Arc::clone(&self.whole).node()
    }

    fn origin(&self) -> Origin<'_> {
        self.whole.origin().part(self.which)
    }
}
