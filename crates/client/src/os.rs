//! The one place where the clock, the operating system's randomness, and where a file lies come in.

use std::path::Path;

use jiff::Timestamp;
use protocol::id::BlobHash;
use rand_core::UnwrapErr;

/// The operating system's randomness. It panics if the system has none, for then nothing here is safe to do.
pub(crate) type OsRandom = UnwrapErr<getrandom::SysRng>;

/// Returns the operating system's randomness.
pub(crate) fn random() -> OsRandom {
    UnwrapErr(getrandom::SysRng)
}

/// Draws random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    use rand_core::Rng;
    let mut bytes = [0; N];
    random().fill_bytes(&mut bytes);
    bytes
}

/// Returns the instant now.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns the seconds since the Unix epoch; zero for a clock set before it.
pub(crate) fn unix_seconds() -> u64 {
    u64::try_from(now().as_second()).unwrap_or(0)
}

/// Says where a replica lives: the machine, and the file in it. A copy, or a restored backup, is another file, and lives
/// elsewhere; one that was only moved does not. Where the system tells neither, every file of that path is the same place.
pub(crate) fn place(path: &Path) -> String {
    // The machine's id is meant to be kept on the machine (machine-id(5)): only a hash of it goes into the replica.
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    format!("{}/{}", BlobHash::of(&machine), file(path))
}

#[cfg(unix)]
fn file(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path) {
        // The number of the device is left out: some systems count them anew at every start.
        Ok(file) => file.ino().to_string(),
        Err(_) => path.display().to_string(),
    }
}

#[cfg(not(unix))]
fn file(path: &Path) -> String {
    path.display().to_string()
}
