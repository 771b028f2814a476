//! The one place where the clock and the operating system's randomness come in.

use jiff::Timestamp;
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
