//! DATE, TIME and TIMESTAMP as text, in Flink's SQL and ISO-8601 forms, by the rules of its Java formatters.

use arrow::datatypes::TimeUnit;

use super::write_int;

/// `json.timestamp-format.standard`: what stands between date and time, and how strict the rest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampStyle {
    /// `2025-01-15 12:34:56.123`, with a `Z` after it for TIMESTAMP_LTZ.
    Sql,
    /// `2025-01-15T12:34:56.123`, with a `Z` after it for TIMESTAMP_LTZ.
    Iso,
}

/// A point in time: seconds since 1970 and nanoseconds after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// Nanoseconds, below one second.
    pub nanos: u32,
}

const DAY: i64 = 86_400;

/// The timestamp as a count of `unit`, finer digits cut off (towards the past); `None` where it is out of range.
pub fn timestamp_to_unit(at: Instant, unit: TimeUnit) -> Option<i64> {
    let (per_second, nanos_per) = match unit {
        TimeUnit::Second => return Some(at.seconds),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    };
    let fraction = i64::from(at.nanos / nanos_per);
    match at.seconds.checked_mul(per_second) {
        Some(whole) => whole.checked_add(fraction),
        // The first second of the range starts before it; its end does not.
        None => (at.seconds + 1)
            .checked_mul(per_second)?
            .checked_sub(per_second - fraction),
    }
}

/// Reads a timestamp. `zoned`: a TIMESTAMP_LTZ, which must end in `Z`; a TIMESTAMP must not.
///
/// As in Flink, a day past the end of its month is the month's last day and `24:00:00` is the next midnight, save for a
/// TIMESTAMP in ISO form, which takes neither; ISO times may leave out the seconds.
pub fn parse_timestamp(text: &[u8], style: TimestampStyle, zoned: bool) -> Option<Instant> {
    let text = match (zoned, text) {
        (false, _) => text,
        (true, [rest @ .., b'Z']) => rest,
        (true, _) => return None,
    };
    match fast_timestamp(
        text,
        if style == TimestampStyle::Sql {
            b' '
        } else {
            b'T'
        },
    ) {
        Some(at) => Some(at),
        None => slow_timestamp(text, style, zoned),
    }
}

/// `YYYY-MM-DD HH:MM:SS` with up to nine digits of fraction, all in range; anything else is left to the slow path.
fn fast_timestamp(text: &[u8], separator: u8) -> Option<Instant> {
    let (head, fraction) = text.split_first_chunk::<19>()?;
    let marks = (head[4] ^ b'-')
        | (head[7] ^ b'-')
        | (head[10] ^ separator)
        | (head[13] ^ b':')
        | (head[16] ^ b':');
    let mut bad = u32::from(marks);
    let mut two = |at: usize| {
        let (high, low) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        bad |= u32::from(high > 9) | u32::from(low > 9);
        u32::from(high) * 10 + u32::from(low)
    };
    let year = two(0) * 100 + two(2);
    let (month, day) = (two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let wrong = bad != 0 || hour > 23 || minute > 59 || second > 59;
    if wrong
        || !(1..=12).contains(&month)
        || day == 0
        || day > days_in_month(i64::from(year), month)
    {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if digits.len() <= 9 => fraction_nanos(digits)?,
        _ => return None,
    };
    let seconds = days_from_civil(i64::from(year), month, day) * DAY
        + i64::from(hour * 3600 + minute * 60 + second);
    Some(Instant { seconds, nanos })
}

fn slow_timestamp(text: &[u8], style: TimestampStyle, zoned: bool) -> Option<Instant> {
    let iso = style == TimestampStyle::Iso;
    let strict = iso && !zoned;
    let (year, month, day, rest) = split_date(text)?;
    let rest = match (rest, iso) {
        ([b' ', rest @ ..], false) | ([b'T', rest @ ..], true) => rest,
        ([b't', rest @ ..], true) if !zoned => rest,
        _ => return None,
    };
    let (nanos_of_day, next_day) = read_time(rest, iso, !strict)?;
    let last = days_in_month(year, month);
    if day > last && strict {
        return None;
    }
    let days = days_from_civil(year, month, day.min(last)) + i64::from(next_day);
    let seconds = days * DAY + (nanos_of_day / 1_000_000_000) as i64;
    Some(Instant {
        seconds,
        nanos: (nanos_of_day % 1_000_000_000) as u32,
    })
}

/// Reads a DATE (`2025-01-15`; years beyond 9999 with a sign) as days since 1970.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    let (year, month, day, rest) = split_date(text)?;
    if !rest.is_empty() || day > days_in_month(year, month) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// Reads a TIME (`12:34:56`, with up to nine digits of fraction) as nanoseconds of the day; `24:00:00` is midnight.
pub fn parse_time(text: &[u8]) -> Option<u64> {
    read_time(text, false, true).map(|(nanos, _)| nanos)
}

/// Reads a TIME whose seconds may be missing (`12:34`), as Java's `LocalTime.parse` does.
pub fn parse_iso_time(text: &[u8]) -> Option<u64> {
    read_time(text, true, false).map(|(nanos, _)| nanos)
}

/// Year, month and day (1 to 31) at the front of `text`, and the rest.
fn split_date(text: &[u8]) -> Option<(i64, u32, u32, &[u8])> {
    let (sign, unsigned) = match text {
        [sign @ (b'+' | b'-'), rest @ ..] => (Some(*sign), rest),
        _ => (None, text),
    };
    let width = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let wide_enough = match sign {
        None => width == 4,
        Some(b'+') => (5..=10).contains(&width),
        Some(_) => (4..=10).contains(&width),
    };
    let (year, rest) = unsigned.split_at_checked(width)?;
    let mut year = super::parse_int(year)?;
    if !wide_enough || year > 999_999_999 || (sign == Some(b'-') && year == 0) {
        return None;
    }
    if sign == Some(b'-') {
        year = -year;
    }
    let ([b'-', m1, m2, b'-', d1, d2], rest) = rest.split_first_chunk::<6>()? else {
        return None;
    };
    let (month, day) = (two_digits(*m1, *m2)?, two_digits(*d1, *d2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day, rest))
}

/// `HH:MM:SS[.fffffffff]` to the end of `text`: nanoseconds of the day, and whether they are of the next one.
fn read_time(text: &[u8], seconds_optional: bool, midnight_24: bool) -> Option<(u64, bool)> {
    let ([h1, h2, b':', m1, m2], rest) = text.split_first_chunk::<5>()? else {
        return None;
    };
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
    let (second, nanos) = match rest {
        [] if seconds_optional => (0, 0),
        [b':', s1, s2] => (two_digits(*s1, *s2)?, 0),
        [b':', s1, s2, b'.', digits @ ..] if digits.len() <= 9 => {
            (two_digits(*s1, *s2)?, fraction_nanos(digits)?)
        }
        _ => return None,
    };
    if hour == 24 && midnight_24 && minute == 0 && second == 0 && nanos == 0 {
        return Some((0, true));
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = u64::from(hour * 3600 + minute * 60 + second);
    Some((seconds * 1_000_000_000 + u64::from(nanos), false))
}

fn two_digits(high: u8, low: u8) -> Option<u32> {
    let (high, low) = (high.wrapping_sub(b'0'), low.wrapping_sub(b'0'));
    (high <= 9 && low <= 9).then(|| u32::from(high) * 10 + u32::from(low))
}

/// At most nine digits after a decimal point, as nanoseconds.
fn fraction_nanos(digits: &[u8]) -> Option<u32> {
    const SCALE: [u32; 10] = [
        1_000_000_000,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1_000,
        100,
        10,
        1,
    ];
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    Some(value * SCALE.get(digits.len())?)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the proleptic Gregorian calendar; the day may be past the end of its month.
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    // Years start in March, so that the leap day comes last; 400 years are one era.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u32, day)
}

/// Appends a DATE given as days since 1970.
pub fn write_date(days: i32, out: &mut Vec<u8>) {
    write_civil(i64::from(days), out);
}

fn write_civil(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        push_two((year / 100) as u32, out);
        push_two((year % 100) as u32, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        let mut digits = Vec::with_capacity(8);
        write_int(year.abs(), &mut digits);
        out.resize(out.len() + 4usize.saturating_sub(digits.len()), b'0');
        out.extend_from_slice(&digits);
    }
    out.push(b'-');
    push_two(month, out);
    out.push(b'-');
    push_two(day, out);
}

/// Appends a TIME given as nanoseconds of the day, with as many digits of fraction as it needs.
pub fn write_time(nanos_of_day: u64, out: &mut Vec<u8>) {
    let seconds = (nanos_of_day / 1_000_000_000) as u32;
    push_two(seconds / 3600, out);
    out.push(b':');
    push_two(seconds / 60 % 60, out);
    out.push(b':');
    push_two(seconds % 60, out);
    let mut fraction = (nanos_of_day % 1_000_000_000) as u32;
    if fraction != 0 {
        out.push(b'.');
        let mut place = 100_000_000;
        while fraction != 0 {
            out.push(b'0' + (fraction / place) as u8);
            fraction %= place;
            place /= 10;
        }
    }
}

/// Appends a timestamp given as a count of `unit`; `zoned` puts a `Z` after it.
pub fn write_timestamp(
    value: i64,
    unit: TimeUnit,
    style: TimestampStyle,
    zoned: bool,
    out: &mut Vec<u8>,
) {
    let (per_second, nanos_per) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    };
    let seconds = value.div_euclid(per_second);
    let nanos = value.rem_euclid(per_second) * nanos_per;
    write_civil(seconds.div_euclid(DAY), out);
    out.push(if style == TimestampStyle::Sql {
        b' '
    } else {
        b'T'
    });
    write_time(
        (seconds.rem_euclid(DAY) * 1_000_000_000 + nanos) as u64,
        out,
    );
    if zoned {
        out.push(b'Z');
    }
}

fn push_two(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn millis(text: &str, style: TimestampStyle, zoned: bool) -> Option<i64> {
        timestamp_to_unit(
            parse_timestamp(text.as_bytes(), style, zoned)?,
            TimeUnit::Millisecond,
        )
    }

    fn printed(value: i64, unit: TimeUnit, style: TimestampStyle, zoned: bool) -> String {
        let mut out = Vec::new();
        write_timestamp(value, unit, style, zoned, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Input, and what Flink makes of it as TIMESTAMP (printed back, milliseconds kept).
    #[test]
    fn timestamps_in_both_styles() {
        use TimestampStyle::{Iso, Sql};
        for (style, zoned, input, expected) in [
            (
                Sql,
                false,
                "2025-01-15 12:34:56",
                Some("2025-01-15 12:34:56"),
            ),
            (
                Sql,
                false,
                "2025-01-15 12:34:56.1",
                Some("2025-01-15 12:34:56.1"),
            ),
            (
                Sql,
                false,
                "2025-01-15 12:34:56.123456789",
                Some("2025-01-15 12:34:56.123"),
            ),
            (Sql, false, "2025-01-15 12:34:56.1234567891", None),
            (
                Sql,
                false,
                "2025-01-15 12:34:56.",
                Some("2025-01-15 12:34:56"),
            ),
            (Sql, false, "2025-01-15 12:34:56.1x", None),
            (Sql, false, "2025-01-15 12:34", None),
            (Sql, false, "2025-01-15T12:34:56", None),
            (Sql, false, "2025-01-15 12:34:56Z", None),
            (
                Sql,
                false,
                "2025-01-15 24:00:00",
                Some("2025-01-16 00:00:00"),
            ),
            (Sql, false, "2025-01-15 24:00:01", None),
            (Sql, false, "2025-01-15 12:34:60", None),
            (
                Sql,
                false,
                "2025-02-30 00:00:00",
                Some("2025-02-28 00:00:00"),
            ),
            (
                Sql,
                false,
                "2024-02-30 00:00:00",
                Some("2024-02-29 00:00:00"),
            ),
            (Sql, false, "2025-02-32 00:00:00", None),
            (Sql, false, "2025-13-01 00:00:00", None),
            (Sql, false, "2025-00-01 00:00:00", None),
            (Sql, false, "2025-01-15 1:02:03", None),
            (Sql, false, "2025-1-15 01:02:03", None),
            (
                Sql,
                false,
                "+10000-01-01 00:00:00",
                Some("+10000-01-01 00:00:00"),
            ),
            (Sql, false, "10000-01-01 00:00:00", None),
            (
                Sql,
                false,
                "-0001-01-01 00:00:00",
                Some("-0001-01-01 00:00:00"),
            ),
            (
                Sql,
                false,
                "0000-01-01 00:00:00",
                Some("0000-01-01 00:00:00"),
            ),
            (
                Sql,
                false,
                "0001-01-01 00:00:00",
                Some("0001-01-01 00:00:00"),
            ),
            (
                Sql,
                false,
                "9999-12-31 23:59:59.999999999",
                Some("9999-12-31 23:59:59.999"),
            ),
            (
                Sql,
                false,
                "1969-12-31 23:59:59.9999",
                Some("1969-12-31 23:59:59.999"),
            ),
            (Sql, false, " 2025-01-15 12:34:56", None),
            (Sql, false, "2025-01-15", None),
            (Sql, false, "2025-01-15  12:34:56", None),
            (Sql, false, "", None),
            (
                Sql,
                true,
                "2025-01-15 12:34:56Z",
                Some("2025-01-15 12:34:56Z"),
            ),
            (
                Sql,
                true,
                "2025-01-15 12:34:56.120Z",
                Some("2025-01-15 12:34:56.12Z"),
            ),
            (
                Sql,
                true,
                "2025-02-30 00:00:00Z",
                Some("2025-02-28 00:00:00Z"),
            ),
            (Sql, true, "2025-01-15 12:34:56", None),
            (Sql, true, "2025-01-15 12:34:56z", None),
            (
                Iso,
                false,
                "2025-01-15T12:34:56.5",
                Some("2025-01-15T12:34:56.5"),
            ),
            (Iso, false, "2025-01-15T12:34", Some("2025-01-15T12:34:00")),
            (
                Iso,
                false,
                "2025-01-15t12:34:56",
                Some("2025-01-15T12:34:56"),
            ),
            (
                Iso,
                false,
                "2025-01-15T12:34:56.",
                Some("2025-01-15T12:34:56"),
            ),
            (Iso, false, "2025-01-15T12:34:56Z", None),
            (Iso, false, "2025-01-15 12:34:56", None),
            (Iso, false, "2025-02-30T00:00:00", None),
            (Iso, false, "2025-01-15T24:00:00", None),
            (
                Iso,
                true,
                "2025-01-15T12:34:56Z",
                Some("2025-01-15T12:34:56Z"),
            ),
            (Iso, true, "2025-01-15T12:34Z", Some("2025-01-15T12:34:00Z")),
            (
                Iso,
                true,
                "2025-02-30T00:00:00Z",
                Some("2025-02-28T00:00:00Z"),
            ),
            (Iso, true, "2025-01-15T24:00Z", Some("2025-01-16T00:00:00Z")),
            (
                Iso,
                true,
                "+02025-01-01T00:00:00Z",
                Some("2025-01-01T00:00:00Z"),
            ),
            (Iso, true, "+2025-01-01T00:00:00Z", None),
            (Iso, true, "-0000-01-01T00:00:00Z", None),
            (Iso, true, "2025-01-15t12:34:56Z", None),
            (Iso, true, "2025-01-15T12:34:56z", None),
            (Iso, true, "2025-01-15T12:34:56+01:00", None),
            (Iso, true, "+9999999999-01-01T00:00:00Z", None),
        ] {
            let back = millis(input, style, zoned)
                .map(|value| printed(value, TimeUnit::Millisecond, style, zoned));
            assert_eq!(back.as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn out_of_range_is_none_and_the_edges_are_not() {
        let at = |text: &str, unit| {
            timestamp_to_unit(
                parse_timestamp(text.as_bytes(), TimestampStyle::Sql, false).unwrap(),
                unit,
            )
        };
        assert_eq!(
            at("2262-04-11 23:47:16.854775807", TimeUnit::Nanosecond),
            Some(i64::MAX)
        );
        assert_eq!(
            at("2262-04-11 23:47:16.854775808", TimeUnit::Nanosecond),
            None
        );
        assert_eq!(
            at("1677-09-21 00:12:43.145224192", TimeUnit::Nanosecond),
            Some(i64::MIN)
        );
        assert_eq!(
            at("1677-09-21 00:12:43.145224191", TimeUnit::Nanosecond),
            None
        );
        assert_eq!(at("9999-12-31 23:59:59", TimeUnit::Nanosecond), None);
        assert_eq!(at("+999999999-01-01 00:00:00", TimeUnit::Microsecond), None);
        assert!(at("+999999999-01-01 00:00:00", TimeUnit::Second).is_some());
        assert_eq!(
            printed(i64::MIN, TimeUnit::Nanosecond, TimestampStyle::Sql, false),
            "1677-09-21 00:12:43.145224192"
        );
        for unit in [
            TimeUnit::Second,
            TimeUnit::Millisecond,
            TimeUnit::Microsecond,
        ] {
            for value in [i64::MIN, i64::MAX] {
                assert!(!printed(value, unit, TimestampStyle::Iso, true).is_empty());
            }
        }
    }

    #[test]
    fn dates_and_times() {
        for (input, expected) in [
            ("2025-01-15", Some("2025-01-15")),
            ("2024-02-29", Some("2024-02-29")),
            ("2025-02-29", None),
            ("1900-02-29", None),
            ("2000-02-29", Some("2000-02-29")),
            ("0000-01-01", Some("0000-01-01")),
            ("-0001-12-31", Some("-0001-12-31")),
            ("+10000-01-01", Some("+10000-01-01")),
            ("-271821-04-20", Some("-271821-04-20")),
            ("10000-01-01", None),
            ("2025-1-15", None),
            ("2025-01-00", None),
            ("2025-01-15 ", None),
            ("", None),
        ] {
            let back = parse_date(input.as_bytes()).map(|days| {
                let mut out = Vec::new();
                write_date(days, &mut out);
                String::from_utf8(out).unwrap()
            });
            assert_eq!(back.as_deref(), expected, "{input}");
        }
        for (input, sql, iso) in [
            ("12:34:56", Some("12:34:56"), Some("12:34:56")),
            ("12:34:56.70", Some("12:34:56.7"), Some("12:34:56.7")),
            (
                "12:34:56.000000001",
                Some("12:34:56.000000001"),
                Some("12:34:56.000000001"),
            ),
            ("12:34:56.", Some("12:34:56"), Some("12:34:56")),
            ("12:34", None, Some("12:34:00")),
            ("24:00:00", Some("00:00:00"), None),
            ("1:02:03", None, None),
            ("12:34:60", None, None),
            ("12:34:56Z", None, None),
        ] {
            let back = |nanos: Option<u64>| {
                nanos.map(|nanos| {
                    let mut out = Vec::new();
                    write_time(nanos, &mut out);
                    String::from_utf8(out).unwrap()
                })
            };
            assert_eq!(
                back(parse_time(input.as_bytes())).as_deref(),
                sql,
                "{input}"
            );
            assert_eq!(
                back(parse_iso_time(input.as_bytes())).as_deref(),
                iso,
                "{input}"
            );
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn printed_timestamps_read_back(value in proptest::num::i64::ANY, zoned: bool, iso: bool) {
            let style = if iso { TimestampStyle::Iso } else { TimestampStyle::Sql };
            for unit in [TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
                let text = printed(value, unit, style, zoned);
                let back = parse_timestamp(text.as_bytes(), style, zoned);
                proptest::prop_assert_eq!(back.and_then(|at| timestamp_to_unit(at, unit)), Some(value));
            }
        }

        #[test]
        fn days_agree_with_chrono(days in -100_000_000i32..100_000_000) {
            let (year, month, day) = civil_from_days(i64::from(days));
            proptest::prop_assert_eq!(days_from_civil(year, month, day), i64::from(days));
            let expected = chrono::NaiveDate::from_ymd_opt(year as i32, month, day);
            if let Some(date) = expected {
                use chrono::Datelike;
                proptest::prop_assert_eq!(i64::from(date.num_days_from_ce()) - 719_163, i64::from(days));
            }
        }
    }
}
