//! Time zones, found without reading the whole zone database.
//!
//! jiff's own look-up lists every zone of the system first, which takes longer than recording an entry. Here one
//! file is read: that of the name, or for this device's zone the one that `TZ` or `/etc/localtime` names. Whatever is unusual is
//! left to jiff.

use std::path::{Component, Path, PathBuf};

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where systems keep their zones, one file each.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo"];

/// Returns the zone of this device; nothing if the system does not say.
pub fn of_this_device() -> Option<TimeZone> {
    let named = match std::env::var("TZ") {
        Ok(text) if text.is_empty() => return Some(TimeZone::UTC),
        Ok(text) => Some(text.trim_start_matches(':').to_owned()),
        Err(_) => std::fs::read_link("/etc/localtime")
            .ok()
            .and_then(|link| link.to_str().map(str::to_owned)),
    };
    let name = named
        .as_deref()
        .map(|text| text.rsplit_once("zoneinfo/").map_or(text, |(_, name)| name));
    if let Some(zone) = name.and_then(by_name) {
        return Some(zone);
    }
    let zone = TimeZone::try_system().ok()?;
    (!zone.is_unknown()).then_some(zone)
}

/// Returns the zone of an IANA name; nothing if neither this system nor this program knows it. Finds more than jiff lists, such as
/// the zones below `right/`: whether a foreign name is one of a zone is for jiff to say.
pub fn by_name(name: &str) -> Option<TimeZone> {
    if matches!(name, "UTC" | "Etc/UTC") {
        return TimeZoneDatabase::bundled().get(name).ok();
    }
    from_system(name)
        .or_else(|| TimeZoneDatabase::bundled().get(name).ok())
        .or_else(|| TimeZone::get(name).ok())
}

/// Reads a zone from the system's files, which are newer than the bundled ones.
fn from_system(name: &str) -> Option<TimeZone> {
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain {
        return None;
    }
    let folder = std::env::var_os("TZDIR").map(PathBuf::from);
    folder
        .into_iter()
        .chain(FOLDERS.map(PathBuf::from))
        .find_map(|folder| std::fs::read(folder.join(name)).ok())
        .and_then(|bytes| TimeZone::tzif(name, &bytes).ok())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn zones_are_found_by_name_and_nothing_else_is_read() {
        assert_eq!(
            by_name("Europe/Berlin").unwrap().iana_name(),
            Some("Europe/Berlin")
        );
        assert_eq!(
            by_name("UTC")
                .unwrap()
                .to_offset(Timestamp::UNIX_EPOCH)
                .seconds(),
            0
        );
        for name in [
            "",
            "Mars/Olympus",
            "../../../etc/passwd",
            "/etc/localtime",
            "Europe",
        ] {
            assert!(by_name(name).is_none(), "{name}");
        }
    }
}
