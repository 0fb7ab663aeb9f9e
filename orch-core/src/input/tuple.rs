//! Tuples of handles, as one argument.

use super::{ByRef, ByValue, Gather, Input, Owned, Shared, owned, shared};
use crate::identity::Origin;
use crate::node::Upstream;
use crate::report::EdgeKind;
use crate::task_run::TaskRun;

/// Visits the nodes behind a tuple of handles.
type VisitHandles<H> = fn(&H, &mut dyn FnMut(Upstream<'_>));

/// Visits where the results behind it come from.
type VisitOrigins<H> = fn(&H, &mut dyn FnMut(&Origin<'_>));

/// Upstream results of several types, as one tuple.
struct Together<H, T> {
    handles: H,
    visit: VisitHandles<H>,
    visit_origins: VisitOrigins<H>,
    gather: fn(&H) -> T,
}

impl<H: Clone + Send + Sync + 'static, T: 'static> Gather<T> for Together<H, T> {
    fn visit(&self, visit: &mut dyn FnMut(Upstream<'_>)) {
        (self.visit)(&self.handles, visit);
    }

    fn visit_origins(&self, visit: &mut dyn FnMut(&Origin<'_>)) {
        (self.visit_origins)(&self.handles, visit);
    }

    fn gather(&self) -> T {
        (self.gather)(&self.handles)
    }

    fn again(&self) -> Box<dyn Gather<T>> {
        Box::new(Self {
            handles: self.handles.clone(),
            visit: self.visit,
            visit_origins: self.visit_origins,
            gather: self.gather,
        })
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Clone + Send + Sync + 'static),+> Input<($($name,)+), ByRef>
            for ($(TaskRun<$name>,)+)
        {
            fn into_argument(self) -> Shared<($($name,)+)> {
                shared(Together {
                    handles: ($(self.$index.into_handle(),)+),
                    visit: |handles, visit| {
                        $(handles.$index.visit(EdgeKind::Data, visit);)+
                    },
                    visit_origins: |handles, visit| {
                        $(visit(&handles.$index.origin());)+
                    },
                    gather: |handles| ($(handles.$index.input().clone(),)+),
                })
            }
        }

        impl<$($name: Clone + Send + Sync + 'static),+> Input<($($name,)+), ByValue>
            for ($(TaskRun<$name>,)+)
        {
            fn into_argument(self) -> Owned<($($name,)+)> {
                owned(Together {
                    handles: ($(self.$index.into_handle(),)+),
                    visit: |handles, visit| {
                        $(handles.$index.visit(EdgeKind::Data, visit);)+
                    },
                    visit_origins: |handles, visit| {
                        $(visit(&handles.$index.origin());)+
                    },
                    gather: |handles| ($(handles.$index.input().clone(),)+),
                })
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
