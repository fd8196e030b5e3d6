//! When a partition is said to be complete: `sink.partition-commit.*`, and the marker file that says it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::partitions::Partitions;
use crate::catalog::options::{OptionError, Options};
use crate::error::{Error, Result};
use crate::formats::text::days_from_civil;

/// What makes a partition complete, and how that is told.
#[derive(Debug)]
pub(super) struct Marks {
    /// The name of the marker.
    pub(super) file: String,
    /// Milliseconds between a partition's time and its completion.
    delay: i64,
    trigger: Trigger,
}

#[derive(Debug)]
enum Trigger {
    /// The clock.
    ProcessTime,
    /// The watermark, and the time that the values of a partition tell.
    PartitionTime {
        pattern: Option<String>,
        formatter: Option<Vec<Piece>>,
        default_name: String,
    },
}

/// All options about it.
const KEYS: &[&str] = &[
    "partition.time-extractor.class",
    "partition.time-extractor.kind",
    "partition.time-extractor.timestamp-formatter",
    "partition.time-extractor.timestamp-pattern",
    "sink.partition-commit.delay",
    "sink.partition-commit.policy.class",
    "sink.partition-commit.policy.class.parameters",
    "sink.partition-commit.policy.kind",
    "sink.partition-commit.success-file.name",
    "sink.partition-commit.trigger",
    "sink.partition-commit.watermark-time-zone",
];

/// The watermark at the end of all rows: then every partition is complete.
pub(super) const ENDED: i64 = i64::MAX;

impl Marks {
    /// Marks the options as known where they do not matter.
    pub(super) fn pass_over(options: &Options) {
        for key in KEYS {
            options.get(key);
        }
    }

    /// Reads the options; `None` where partitions are not to be marked.
    ///
    /// # Errors
    /// Options that are wrong, or for what there is not: a metastore, classes.
    pub(super) fn read(
        options: &Options,
        partitions: &Partitions,
    ) -> std::result::Result<Option<Arc<Self>>, OptionError> {
        for key in [
            "sink.partition-commit.policy.class",
            "sink.partition-commit.policy.class.parameters",
            "partition.time-extractor.class",
        ] {
            if options.get(key).is_some() {
                return Err(OptionError::new(key, format!("'{key}' is not supported"))
                    .with_help("classes cannot be loaded: use what is built in"));
            }
        }
        let file = options
            .get("sink.partition-commit.success-file.name")
            .unwrap_or("_SUCCESS");
        if file.is_empty() || file.contains('/') || file == "." || file == ".." {
            return Err(OptionError::new(
                "sink.partition-commit.success-file.name",
                format!("'{file}' is no name of a file"),
            )
            .with_help("readers pass over names that begin with '_' or '.': '_SUCCESS'"));
        }
        let delay = options
            .duration("sink.partition-commit.delay", None)?
            .unwrap_or_default();
        let zone = options.get("sink.partition-commit.watermark-time-zone");
        if let Some(zone) = zone.filter(|zone| !["UTC", "Etc/UTC", "GMT", "Z"].contains(zone)) {
            return Err(OptionError::new(
                "sink.partition-commit.watermark-time-zone",
                format!("the time zone '{zone}' is not supported"),
            )
            .with_help("times are UTC: remove the option"));
        }
        options.choice("partition.time-extractor.kind", "default", &["default"])?;
        let pattern = options.get("partition.time-extractor.timestamp-pattern");
        let formatter = options
            .get("partition.time-extractor.timestamp-formatter")
            .map(pieces)
            .transpose()?;
        let trigger = match options.choice(
            "sink.partition-commit.trigger",
            "process-time",
            &["process-time", "partition-time"],
        )? {
            "partition-time" => Trigger::PartitionTime {
                pattern: pattern.map(str::to_string),
                formatter,
                default_name: partitions.default_name().to_string(),
            },
            _ => Trigger::ProcessTime,
        };
        let Some(policy) = options.get("sink.partition-commit.policy.kind") else {
            return Ok(None);
        };
        for kind in policy.split(',').map(str::trim) {
            if !kind.eq_ignore_ascii_case("success-file") {
                return Err(OptionError::new(
                    "sink.partition-commit.policy.kind",
                    format!("the policy '{kind}' is not supported"),
                )
                .with_help("there is 'success-file', which puts an empty file into the folder"));
            }
        }
        if let (
            Trigger::PartitionTime {
                pattern: Some(pattern),
                ..
            },
            false,
        ) = (&trigger, partitions.is_empty())
        {
            let names: Vec<&str> = partitions.names().collect();
            if !names
                .iter()
                .any(|name| pattern.contains(&format!("${name}")))
            {
                return Err(OptionError::new(
                    "partition.time-extractor.timestamp-pattern",
                    format!("'{pattern}' names no partition column"),
                )
                .with_help(format!("the columns are: ${}", names.join(", $"))));
            }
        }
        Ok((!partitions.is_empty()).then(|| {
            Arc::new(Self {
                file: file.to_string(),
                delay: i64::try_from(delay.as_millis()).unwrap_or(i64::MAX),
                trigger,
            })
        }))
    }

    /// Whether a partition that got its first row at `since` is complete, at this watermark and time of day.
    ///
    /// # Errors
    /// A partition whose values tell no time.
    pub(super) fn is_complete(
        &self,
        folder: &str,
        since: i64,
        watermark: i64,
        now: i64,
    ) -> Result<bool> {
        if watermark == ENDED {
            return Ok(true);
        }
        match &self.trigger {
            Trigger::ProcessTime => Ok(self.delay == 0 || now > since.saturating_add(self.delay)),
            Trigger::PartitionTime { .. } => Ok(self
                .partition_time(folder)?
                .is_some_and(|time| watermark > time.saturating_add(self.delay))),
        }
    }

    /// The time of a partition in milliseconds; `None` where a value it is made of is NULL, or time does not matter.
    ///
    /// # Errors
    /// Values that tell no time.
    pub(super) fn partition_time(&self, folder: &str) -> Result<Option<i64>> {
        let Trigger::PartitionTime {
            pattern,
            formatter,
            default_name,
        } = &self.trigger
        else {
            return Ok(None);
        };
        let values = Partitions::texts(folder);
        let used = |name: &str| match pattern {
            Some(pattern) => pattern.contains(&format!("${name}")),
            None => values.first().is_some_and(|(first, _)| first == name),
        };
        if values
            .iter()
            .any(|(name, value)| value == default_name && used(name))
        {
            return Ok(None);
        }
        let text = match pattern {
            None => values.first().map(|(_, v)| v.clone()).unwrap_or_default(),
            Some(pattern) => values.iter().fold(pattern.clone(), |text, (name, value)| {
                text.replace(&format!("${name}"), value)
            }),
        };
        let time = match formatter {
            Some(pieces) => parse_by(&text, pieces),
            None => parse_time(&text),
        };
        time.map(Some).ok_or_else(|| {
            Error::data(format!("partition '{folder}': '{text}' is no time"))
                .with_help("'partition.time-extractor.timestamp-pattern' says how to make one of the partition's values: '$dt $hour:00:00'")
        })
    }
}

/// The time of day, in milliseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or(0)
}

/// `y-M-d`, or `y-M-d H:m:s` with a fraction or without; what is out of range runs over into the next unit, as in Java's
/// lenient style.
fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let (sign, digits) = match date.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, date),
    };
    let mut parts = digits.split('-');
    let year = sign * number(parts.next()?, 10)?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let mut millis = 0;
    if let Some(time) = time {
        let (clock, fraction) = match time.split_once('.') {
            Some((clock, fraction)) => (clock, Some(fraction)),
            None => (time, None),
        };
        let mut parts = clock.split(':');
        for unit in [3_600_000, 60_000, 1000] {
            millis += number(parts.next()?, 2)? * unit;
        }
        if parts.next().is_some() {
            return None;
        }
        if let Some(fraction) = fraction {
            number(fraction, 9)?;
            millis += number(&format!("{fraction:0<3}")[..3], 3)?;
        }
    }
    moment(year, month, day, millis)
}

/// So many digits at most, and one at least.
fn number(text: &str, digits: usize) -> Option<i64> {
    let fine = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fine.then(|| text.parse().ok())?
}

fn moment(year: i64, month: i64, day: i64, millis: i64) -> Option<i64> {
    let months = year * 12 + month - 1;
    let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
    let days = days_from_civil(months.div_euclid(12), month, 1) + day - 1;
    days.checked_mul(86_400_000)?.checked_add(millis)
}

/// A piece of a formatter pattern of Java.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// This text.
    Text(String),
    /// A field of so many digits; of one or more where the count is 1.
    Field(char, usize),
}

/// Reads a pattern such as `yyyyMMdd HH:mm`.
fn pieces(pattern: &str) -> std::result::Result<Vec<Piece>, OptionError> {
    let wrong = |what: String| {
        OptionError::new(
            "partition.time-extractor.timestamp-formatter",
            format!("'{pattern}': {what}"),
        )
        .with_help("years y or u, months M, days d, hours H, minutes m, seconds s, fractions S; other text in quotes")
    };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut chars = pattern.chars().peekable();
    let add_text = |pieces: &mut Vec<Piece>, c: char| match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    };
    while let Some(c) = chars.next() {
        match c {
            'y' | 'u' | 'M' | 'd' | 'H' | 'm' | 's' | 'S' => {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if c == 'M' && count > 2 {
                    return Err(wrong("months by name cannot be read".to_string()));
                }
                pieces.push(Piece::Field(if c == 'u' { 'y' } else { c }, count));
            }
            '\'' if chars.next_if_eq(&'\'').is_some() => add_text(&mut pieces, '\''),
            '\'' => loop {
                match chars.next() {
                    Some('\'') if chars.next_if_eq(&'\'').is_some() => add_text(&mut pieces, '\''),
                    Some('\'') => break,
                    Some(c) => add_text(&mut pieces, c),
                    None => return Err(wrong("a quote is not closed".to_string())),
                }
            },
            c if c.is_ascii_alphabetic() || "[]{}#".contains(c) => {
                return Err(wrong(format!("'{c}' is not supported")));
            }
            c => add_text(&mut pieces, c),
        }
    }
    Ok(pieces)
}

/// The time that a text says by a pattern; what the pattern leaves out is the first of its kind.
fn parse_by(text: &str, pieces: &[Piece]) -> Option<i64> {
    let (mut year, mut month, mut day, mut millis) = (None, 1, 1, 0);
    let mut rest = text;
    for (i, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
            Piece::Field(field, count) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let follows = matches!(pieces.get(i + 1), Some(Piece::Field(..)));
                let take = match (*field, *count) {
                    // A year may have more digits, where no other field follows at once.
                    ('y', 3..) if !follows => digits,
                    (_, 1) => digits,
                    (_, count) => count,
                };
                if take == 0 || take > digits || take > 18 || take < *count {
                    return None;
                }
                let (taken, left) = rest.split_at(take);
                rest = left;
                let value: i64 = taken.parse().ok()?;
                let in_range = |range: std::ops::RangeInclusive<i64>| range.contains(&value);
                match field {
                    'y' if *count == 2 => year = Some(2000 + value),
                    'y' => year = Some(value),
                    'M' if in_range(1..=12) => month = value,
                    'd' if in_range(1..=31) => day = value,
                    'H' if in_range(0..=23) => millis += value * 3_600_000,
                    'm' if in_range(0..=59) => millis += value * 60_000,
                    's' if in_range(0..=59) => millis += value * 1000,
                    'S' => millis += format!("{taken:0<3}")[..3].parse::<i64>().ok()?,
                    _ => return None,
                }
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let year = year?;
    // A day past the end of its month is the month's last one.
    let next = moment(year, month + 1, 1, 0)?;
    let last = (next - moment(year, month, 1, 0)?) / 86_400_000;
    moment(year, month, day.min(last), millis)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_as_java_reads_them() {
        let day = 1_767_225_600_000; // 2026-01-01
        for (text, time) in [
            ("2026-01-01", Some(day)),
            ("2026-1-1 2:3:4", Some(day + 7_384_000)),
            ("2026-01-01 10:00:00", Some(day + 36_000_000)),
            ("2026-01-01 00:00:00.5", Some(day + 500)),
            ("2025-13-01 00:00:00", Some(day)),
            ("2025-12-31 24:00:00", Some(day)),
            ("2026-01-01 10:00", None),
            ("2026-01", None),
            ("2026-01-01T10:00:00", None),
            ("20260101", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), time, "{text}");
        }
        for (pattern, text, time) in [
            ("yyyyMMdd", "20260101", Some(day)),
            ("yyyyMMddHH", "2026010110", Some(day + 36_000_000)),
            ("yyyy-M-d'T'H:m", "2026-1-1T2:3", Some(day + 7_380_000)),
            ("uuuu/MM/dd HH:mm:ss.SSS", "2026/01/01 00:00:01.25x", None),
            (
                "uuuu/MM/dd HH:mm:ss.SSS",
                "2026/01/01 00:00:01.250",
                Some(day + 1250),
            ),
            ("yyyyMMdd", "20260231", Some(day + 58 * 86_400_000)),
            ("yyyyMMdd", "20261301", None),
        ] {
            assert_eq!(parse_by(text, &pieces(pattern).unwrap()), time, "{text}");
        }
        assert!(pieces("MMM").is_err() && pieces("yyyy'x").is_err() && pieces("e").is_err());
    }
}
