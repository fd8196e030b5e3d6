//! CONVERT_TZ: a time of day in another time zone.

use std::str::FromStr;

use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::calendar::{Moment, NANOS_PER_DAY, NANOS_PER_SECOND};
use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::pattern::{Pattern, Rules};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[Function::new(
    "convert_tz",
    Takes::Fixed(3, &[Kind::Text; 3]),
    |_, _| Ok(DataType::Utf8),
    Nulls::Maybe,
    convert_tz,
)];

/// Zones that Java has under three letters and others do not.
const SHORT: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("BST", "Asia/Dhaka"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("ECT", "Europe/Paris"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("PST", "America/Los_Angeles"),
];

/// The zone that Java's TimeZone.getTimeZone gives: GMT for a name that it does not know.
fn zone(name: &str) -> Option<Tz> {
    let utc = || Tz::from_str("+00:00").ok();
    if let Some(offset) = name
        .strip_prefix("GMT")
        .filter(|o| o.starts_with(['+', '-']))
    {
        let (sign, rest) = offset.split_at(1);
        let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
        return Tz::from_str(&format!("{sign}{hours:0>2}:{minutes}"))
            .ok()
            .or_else(utc);
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return utc();
    }
    let long = SHORT
        .iter()
        .find(|(short, _)| *short == name)
        .map_or(name, |(_, long)| long);
    Tz::from_str(long).ok().or_else(utc)
}

fn convert_tz(call: &Call) -> Result<ArrayRef> {
    const PATTERN: &str = "yyyy-MM-dd HH:mm:ss";
    let (texts, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let pattern = Pattern::new("CONVERT_TZ", PATTERN, Rules::Simple)?;
    let mut last: Option<(&str, &str, Option<Tz>, Option<Tz>)> = None;
    call.strings(|row, out| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row))
        else {
            return Ok(false);
        };
        if last
            .as_ref()
            .is_none_or(|(f, t, ..)| (*f, *t) != (from, to))
        {
            last = Some((from, to, zone(from), zone(to)));
        }
        let zones = last.as_ref().and_then(|(_, _, from, to)| (*from).zip(*to));
        let converted = pattern
            .parse(text)
            .zip(zones)
            .and_then(|(moment, (from, to))| convert(moment, from, to));
        let Some(moment) = converted else {
            return Ok(false);
        };
        pattern.format(moment, out);
        Ok(true)
    })
}

/// A time that was skipped is as long after the skip; one that came twice is the second.
fn convert(moment: Moment, from: Tz, to: Tz) -> Option<Moment> {
    const DAY: i64 = NANOS_PER_DAY / NANOS_PER_SECOND;
    let local: NaiveDateTime = chrono::DateTime::from_timestamp(
        moment
            .days
            .checked_mul(DAY)?
            .checked_add(moment.seconds())?,
        0,
    )?
    .naive_utc();
    let instant = match from.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(_, time) => time.naive_utc(),
        LocalResult::None => {
            let before = local.checked_sub_signed(TimeDelta::days(1))?;
            let offset = from.from_local_datetime(&before).latest()?.offset().fix();
            local.checked_sub_offset(offset)?
        }
    };
    let there = to.from_utc_datetime(&instant).naive_local();
    let seconds = there.and_utc().timestamp();
    Some(Moment {
        days: seconds.div_euclid(DAY),
        nanos: seconds.rem_euclid(DAY) * NANOS_PER_SECOND,
    })
}
