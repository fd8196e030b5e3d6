//! The time zone of the session.

use crate::calendar::{Moment, NANOS_PER_SECOND};

pub(super) const SECONDS_PER_DAY: i64 = 86_400;

/// The seconds by which the session's time is ahead of UTC at a moment. The session's time zone is UTC: only here.
pub(super) const fn ahead(_seconds: i64) -> i64 {
    0
}

/// The session's date and time at a moment of a TIMESTAMP_LTZ.
pub(super) fn local(moment: Moment) -> Moment {
    shifted(moment, 1)
}

/// The moment of a date and time of the session.
pub(super) fn instant(moment: Moment) -> Moment {
    shifted(moment, -1)
}

fn shifted(moment: Moment, sign: i64) -> Moment {
    let ahead = ahead(moment.days * SECONDS_PER_DAY + moment.seconds());
    let nanos = moment.nanos + sign * ahead * NANOS_PER_SECOND;
    let Moment { days, .. } = moment;
    Moment { days, nanos }.checked().unwrap_or(moment)
}
