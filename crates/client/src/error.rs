//! Families of failure: what every error of this crate comes down to for whoever calls it.

/// What a failure means for the user. The command line turns it into an exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// It could not be done: an unknown id, a file that cannot be written.
    CouldNot,
    /// What was asked for is out of range or makes no sense.
    Usage,
    /// The role, the invite or the token does not allow it.
    NotPermitted,
    /// No relay can be reached or serve now; local data are safe.
    Offline,
    /// Data are damaged, or someone tampered with them.
    Damaged,
}
