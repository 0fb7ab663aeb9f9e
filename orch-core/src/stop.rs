//! How far a flow run, or a part of it, was told to stop.

/// How far a flow run, or a part of it, was told to stop; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stop {
    /// Not at all.
    None,
    /// Nothing more starts; what runs may finish.
    Starting,
    /// What runs is asked to stop.
    Running,
    /// The grace time is over: what still runs is dropped or abandoned.
    Abort,
}

impl Stop {
    pub(crate) const fn from_u8(value: u8) -> Stop {
        match value {
            0 => Stop::None,
            1 => Stop::Starting,
            2 => Stop::Running,
            _ => Stop::Abort,
        }
    }
}
