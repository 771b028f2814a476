//! How long work tells how far it is.

/// Is told how far long work is. Implemented by whoever shows it.
pub trait Progress {
    /// Something of `done` units is done; how many there are in all is known or not.
    fn update(&self, done: u64, of: Option<u64>);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _done: u64, _of: Option<u64>) {}
}
