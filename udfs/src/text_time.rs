//! Dates and timestamps as SQL writes them: `2024-01-02`, `2024-01-02 03:04:05.678`.

use crate::calendar::{Civil, Moment, NANOS_PER_MILLI, NANOS_PER_SECOND, days_in_month};

/// A timestamp; fields may lack leading zeros, the time of day may be missing. A day past the end of its month is the
/// last of it, hour 24 is the next midnight.
pub(crate) fn timestamp_of(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let year = digits(parts.next()?, 4, 4)?;
    let month = digits(parts.next()?, 1, 2)?;
    let day = digits(parts.next()?, 1, 2)?;
    if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = Civil::new(year, month, day.min(days_in_month(year, month))).days();
    let Some(time) = time else {
        return Some(Moment { days, nanos: 0 });
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next()?, 1, 2)?;
    let minute = digits(parts.next()?, 1, 2)?;
    let second = digits(parts.next()?, 1, 2)?;
    let mut nanos = 0;
    if !fraction.is_empty() {
        nanos = digits(fraction, 1, 9)?;
        for _ in fraction.len()..9 {
            nanos *= 10;
        }
    }
    let past_midnight = minute + second + nanos > 0;
    if hour > 24 || (hour == 24 && past_midnight) || minute > 59 || second > 59 {
        return None;
    }
    let nanos = ((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + nanos;
    Moment { days, nanos }.checked()
}

/// A date as a day since 1970; what follows a space is not looked at, month and day may be missing.
pub(crate) fn date_of(text: &str) -> Option<i64> {
    let text = match text.find(' ') {
        Some(at) if at > 0 => &text[..at],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?.trim(), 1, 9)?;
    let mut next = || match parts.next() {
        Some(part) => digits(part.trim(), 1, 9),
        None => Some(1),
    };
    let (month, day) = (next()?, next()?);
    let valid = year <= 9999
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| Civil::new(year, month, day).days())
}

/// A time of day, as a moment of 1970-01-01: `h[:m[:s[.f]]]`, rounded to milliseconds. A zone's offset is added, as Flink
/// does.
pub(crate) fn time_of(text: &str) -> Option<Moment> {
    let (time, offset) = match text.find(['-', '+']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let mut parts = time.splitn(3, ':');
    let hour = digits(parts.next()?.trim(), 1, 9)?;
    let minute = parts.next().map_or(Some(0), |m| digits(m.trim(), 1, 9))?;
    let (second, millis) = match parts.next() {
        Some(part) => match part.split_once('.') {
            Some((second, fraction)) => (digits(second.trim(), 1, 9)?, millis_of(fraction.trim())?),
            None => (digits(part.trim(), 1, 9)?, 0),
        },
        None => (0, 0),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ahead = match offset {
        Some(offset) => {
            let size = &offset[1..];
            let (hours, minutes) = size.split_once(':').unwrap_or((size, "0"));
            let (hours, minutes) = (digits(hours.trim(), 1, 4)?, digits(minutes.trim(), 1, 4)?);
            let size = hours * 60 + minutes;
            if offset.starts_with('-') { -size } else { size }
        }
        None => 0,
    };
    let seconds = (hour * 60 + minute + ahead) * 60 + second;
    if !(0..86_400).contains(&seconds) {
        return None;
    }
    // Rounding stays within the day.
    let millis = (seconds * 1000 + millis).min(86_399_999);
    Some(Moment {
        days: 0,
        nanos: millis * NANOS_PER_MILLI,
    })
}

/// The digits of a fraction as milliseconds, half up.
fn millis_of(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut digits = fraction.bytes().map(|b| i64::from(b - b'0'));
    let mut next = || digits.next().unwrap_or(0);
    let millis = next() * 100 + next() * 10 + next();
    Some(millis + i64::from(next() >= 5))
}

fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let valid = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        let at = |y, m, d, nanos| {
            let days = Civil::new(y, m, d).days();
            Some(Moment { days, nanos })
        };
        let clock = 11_045 * NANOS_PER_SECOND;
        let table = [
            ("2024-01-02 03:04:05", at(2024, 1, 2, clock)),
            (
                "2024-01-02 03:04:05.678",
                at(2024, 1, 2, clock + 678_000_000),
            ),
            ("2024-01-02 03:04:05.", at(2024, 1, 2, clock)),
            ("2024-01-02", at(2024, 1, 2, 0)),
            ("2024-1-2 3:4:5", at(2024, 1, 2, clock)),
            ("2024-02-30 00:00:00", at(2024, 2, 29, 0)),
            ("2024-01-02 24:00:00", at(2024, 1, 3, 0)),
            ("0024-1-2 0:0:0", at(24, 1, 2, 0)),
            ("0000-01-01 00:00:00", None),
            ("2024-01-02T03:04:05", None),
            ("2024-01-02 03:04", None),
            ("2024-01-02 25:00:00", None),
            ("2024-01-32 00:00:00", None),
            ("2024-01-02 03:60:05", None),
            ("99999-01-02 03:00:05", None),
            ("2024-01-02 03:04:05.1234567891", None),
            (" 2024-01-02 03:04:05 ", None),
            ("+2024-01-02 03:04:05", None),
            ("bad", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(timestamp_of(text), expected, "{text}");
        }
    }

    #[test]
    fn dates() {
        let day = |y, m, d| Some(Civil::new(y, m, d).days());
        let table = [
            ("2024-01-02", day(2024, 1, 2)),
            ("2024-1-2", day(2024, 1, 2)),
            ("2024-01-02 03:04:05", day(2024, 1, 2)),
            ("2024", day(2024, 1, 1)),
            ("2024-1", day(2024, 1, 1)),
            (" 2024-01-02", day(2024, 1, 2)),
            ("2024-02-30", None),
            ("2024-01-02T00", None),
            ("bad", None),
        ];
        for (text, expected) in table {
            assert_eq!(date_of(text), expected, "{text}");
        }
    }
}
