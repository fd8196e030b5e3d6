//! Java's date patterns, as `DateTimeFormatter` (DATE_FORMAT, TO_TIMESTAMP) and `SimpleDateFormat` (TO_DATE, unix times)
//! read them, with English names.

use std::fmt::Write;

use datafusion::common::{Result, exec_err};

use crate::calendar::{
    Civil, Moment, NANOS_PER_DAY, NANOS_PER_MILLI, NANOS_PER_SECOND, day_of_week, days_in_month,
    iso_day_of_week,
};

/// Whose rules a pattern follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// `DateTimeFormatter`: every field has its range and the whole text must match.
    Formatter,
    /// `SimpleDateFormat`: lenient, fields out of range count on and what follows is not looked at.
    Simple,
}

/// A pattern, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    items: Vec<Item>,
    rules: Rules,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    Field {
        letter: char,
        width: usize,
        /// Digits that the fields right after it need.
        reserve: usize,
    },
    Optional(Vec<Item>),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const FORMATTER_LETTERS: &str = "GuyDMLdQqYwWEecFahKkHmsSAnNXxZ";
const SIMPLE_LETTERS: &str = "GyYMLwWDdFEuaHkKhmsSzZX";

impl Pattern {
    /// Reads a pattern; `function` is named in errors.
    pub fn new(function: &str, text: &str, rules: Rules) -> Result<Self> {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let mut items = items(function, text, &chars, &mut at, rules, false)?;
        reserve(&mut items);
        Ok(Self { items, rules })
    }

    /// Appends the moment.
    pub fn format(&self, moment: Moment, out: &mut String) {
        write_items(&self.items, moment, self.rules, out);
    }

    /// The moment of a text, if it has the pattern.
    pub fn parse(&self, text: &str) -> Option<Moment> {
        let mut fields = Fields::default();
        let rest = read_items(&self.items, text, self.rules, &mut fields)?;
        match self.rules {
            Rules::Formatter if !rest.is_empty() => None,
            Rules::Formatter => fields.resolve(),
            Rules::Simple => fields.resolve_leniently(),
        }
    }
}

fn items(
    function: &str,
    pattern: &str,
    chars: &[char],
    at: &mut usize,
    rules: Rules,
    nested: bool,
) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let letters = match rules {
        Rules::Formatter => FORMATTER_LETTERS,
        Rules::Simple => SIMPLE_LETTERS,
    };
    while let Some(&c) = chars.get(*at) {
        match c {
            '\'' => {
                *at += 1;
                literal(&mut items, &quoted(function, pattern, chars, at)?);
            }
            '[' if rules == Rules::Formatter => {
                *at += 1;
                let inner = self::items(function, pattern, chars, at, rules, true)?;
                items.push(Item::Optional(inner));
            }
            ']' if rules == Rules::Formatter && nested => {
                *at += 1;
                return Ok(items);
            }
            '[' | ']' | '{' | '}' | '#' if rules == Rules::Formatter => {
                return exec_err!("{function}: pattern '{pattern}' has a '{c}' out of place");
            }
            _ if c.is_ascii_alphabetic() => {
                if !letters.contains(c) {
                    return exec_err!(
                        "{function}: pattern '{pattern}' has the letter '{c}', which is no field of a date or time here"
                    );
                }
                let width = chars[*at..].iter().take_while(|x| **x == c).count();
                *at += width;
                items.push(Item::Field {
                    letter: c,
                    width,
                    reserve: 0,
                });
            }
            _ => {
                *at += 1;
                literal(&mut items, &c.to_string());
            }
        }
    }
    Ok(items)
}

/// The text up to the closing quote; `''` is one quote.
fn quoted(function: &str, pattern: &str, chars: &[char], at: &mut usize) -> Result<String> {
    if chars.get(*at) == Some(&'\'') {
        *at += 1;
        return Ok("'".into());
    }
    let mut text = String::new();
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        if c != '\'' {
            text.push(c);
        } else if chars.get(*at) == Some(&'\'') {
            *at += 1;
            text.push('\'');
        } else {
            return Ok(text);
        }
    }
    exec_err!("{function}: pattern '{pattern}' opens a quote and does not close it")
}

fn literal(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Literal(before)) = items.last_mut() {
        before.push_str(text);
    } else {
        items.push(Item::Literal(text.into()));
    }
}

fn is_digits(letter: char, width: usize) -> bool {
    match letter {
        'M' | 'L' | 'e' | 'c' | 'Q' | 'q' => width <= 2,
        'G' | 'E' | 'a' | 'X' | 'x' | 'Z' | 'z' => false,
        _ => true,
    }
}

fn reserve(items: &mut [Item]) {
    let mut behind = 0;
    for item in items.iter_mut().rev() {
        match item {
            Item::Field {
                letter,
                width,
                reserve,
            } if is_digits(*letter, *width) => {
                *reserve = behind;
                behind = if *width == 1 { 0 } else { behind + *width };
            }
            Item::Optional(inner) => {
                reserve(inner);
                behind = 0;
            }
            _ => behind = 0,
        }
    }
}

fn write_items(items: &[Item], moment: Moment, rules: Rules, out: &mut String) {
    for item in items {
        match item {
            Item::Literal(text) => out.push_str(text),
            Item::Optional(inner) => write_items(inner, moment, rules, out),
            Item::Field { letter, width, .. } => {
                write_field(*letter, *width, moment, rules, out);
            }
        }
    }
}

fn pad(value: i64, width: usize, out: &mut String) {
    // Writing to a String does not fail.
    let _ = if value < 0 {
        write!(out, "-{:0width$}", value.unsigned_abs())
    } else {
        write!(out, "{value:0width$}")
    };
}

/// Week of the year or month as Americans count: weeks begin on Sunday, the first has the first day.
fn us_week(day: i64, first: i64) -> i64 {
    (day - 1 + day_of_week(first) - 1) / 7 + 1
}

fn write_field(letter: char, width: usize, moment: Moment, rules: Rules, out: &mut String) {
    let date = Civil::of(moment.days);
    let second = moment.seconds();
    let hour = second / 3600;
    let name = |names: &[&str], at: i64, out: &mut String| {
        let name = usize::try_from(at).ok().and_then(|i| names.get(i)).copied();
        let name = name.unwrap_or_default();
        out.push_str(match width {
            // Java's narrow form; SimpleDateFormat has none.
            5 if rules == Rules::Formatter => name.get(..1).unwrap_or(name),
            4.. => name,
            _ => name.get(..3).unwrap_or(name),
        });
    };
    let year_of_era = if date.year > 0 {
        date.year
    } else {
        1 - date.year
    };
    match letter {
        'G' => {
            let forms = match date.year > 0 {
                true => ["AD", "Anno Domini", "A"],
                false => ["BC", "Before Christ", "B"],
            };
            out.push_str(match width {
                4 if rules == Rules::Formatter => forms[1],
                5 if rules == Rules::Formatter => forms[2],
                _ => forms[0],
            });
        }
        'u' if rules == Rules::Simple => pad(iso_day_of_week(moment.days), width, out),
        'y' | 'u' if width == 2 => pad(year_of_era % 100, 2, out),
        'y' => pad(year_of_era, width, out),
        'u' => pad(date.year, width, out),
        'Y' | 'w' => {
            // The week of 1 January belongs to the year that begins in it.
            let next = Civil::new(date.year + 1, 1, 1).days();
            let in_next = moment.days > next - day_of_week(next);
            let year = date.year + i64::from(in_next);
            let first = Civil::new(year, 1, 1).days();
            match letter {
                'Y' if width == 2 => pad(year.rem_euclid(100), 2, out),
                'Y' => pad(year, width, out),
                _ if in_next => pad(1, width, out),
                _ => pad(us_week(moment.days - first + 1, first), width, out),
            }
        }
        'W' => pad(us_week(date.day, moment.days - date.day + 1), width, out),
        'F' => pad((date.day - 1) / 7 + 1, width, out),
        'D' => pad(date.day_of_year(), width, out),
        'M' | 'L' if width <= 2 => pad(date.month, width, out),
        'M' | 'L' => name(&MONTHS, date.month - 1, out),
        'd' => pad(date.day, width, out),
        'Q' | 'q' if width <= 2 => pad(date.quarter(), width, out),
        'Q' | 'q' => {
            const FULL: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];
            let quarter = date.quarter();
            let full = usize::try_from(quarter - 1).ok().and_then(|i| FULL.get(i));
            let _ = match width {
                4 => write!(out, "{}", full.unwrap_or(&"")),
                5 => write!(out, "{quarter}"),
                _ => write!(out, "Q{quarter}"),
            };
        }
        'e' | 'c' if width <= 2 => pad(day_of_week(moment.days), width, out),
        'E' | 'e' | 'c' => name(&DAYS, day_of_week(moment.days) - 1, out),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'h' => pad((hour + 11) % 12 + 1, width, out),
        'K' => pad(hour % 12, width, out),
        'k' => pad((hour + 23) % 24 + 1, width, out),
        'H' => pad(hour, width, out),
        'm' => pad(second / 60 % 60, width, out),
        's' => pad(second % 60, width, out),
        'S' if rules == Rules::Simple => {
            pad(
                moment.nanos % NANOS_PER_SECOND / NANOS_PER_MILLI,
                width,
                out,
            );
        }
        'S' => {
            let digits = format!("{:09}", moment.nanos % NANOS_PER_SECOND);
            for i in 0..width {
                out.push(digits.as_bytes().get(i).map_or('0', |b| char::from(*b)));
            }
        }
        'A' => pad(moment.nanos / NANOS_PER_MILLI, width, out),
        'n' => pad(moment.nanos % NANOS_PER_SECOND, width, out),
        'N' => pad(moment.nanos, width, out),
        'z' => out.push_str("UTC"),
        'X' => out.push('Z'),
        'Z' | 'x' => out.push_str("+0000"),
        _ => {}
    }
}

/// What a text said.
#[derive(Debug, Clone, Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    hour_of_half: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset: Option<i64>,
}

impl Fields {
    fn resolve(&self) -> Option<Moment> {
        let within = |value: Option<i64>, low: i64, high: i64| match value {
            Some(v) if v < low || v > high => None,
            other => Some(other),
        };
        let year = self.year.unwrap_or(1970);
        let month = within(self.month, 1, 12)?;
        let day = within(self.day, 1, 31)?;
        let days = match (month, day, within(self.day_of_year, 1, 366)?) {
            (None, None, Some(day)) => Civil::new(year, 1, day).days(),
            _ => {
                let month = month.unwrap_or(1);
                let day = day.unwrap_or(1).min(days_in_month(year, month));
                Civil::new(year, month, day).days()
            }
        };
        let minute = within(self.minute, 0, 59)?.unwrap_or(0);
        let second = within(self.second, 0, 59)?.unwrap_or(0);
        let nanos = self.nanos.unwrap_or(0);
        let half = within(self.hour_of_half, 0, 11)?;
        let hour = match (within(self.hour, 0, 24)?, half, self.afternoon) {
            (Some(24), ..) if minute + second + nanos > 0 => return None,
            (Some(hour), ..) => hour,
            (None, Some(half), Some(afternoon)) => half + 12 * i64::from(afternoon),
            _ => 0,
        };
        let nanos = ((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + nanos;
        Moment { days, nanos }.checked()
    }

    fn resolve_leniently(&self) -> Option<Moment> {
        let small = |v: Option<i64>, default: i64| {
            let v = v.unwrap_or(default);
            i32::try_from(v).ok().map(i64::from)
        };
        let year = small(self.year, 1970)?;
        let days = match self.day_of_year {
            Some(day) if self.month.is_none() && self.day.is_none() => {
                Civil::new(year, 1, small(Some(day), 1)?).days()
            }
            _ => Civil::new(year, small(self.month, 1)?, small(self.day, 1)?).days(),
        };
        let hour = match (self.hour, self.hour_of_half) {
            (Some(hour), _) => small(Some(hour), 0)?,
            (None, half) => small(half, 0)? + 12 * i64::from(self.afternoon == Some(true)),
        };
        let seconds = (hour * 60 + small(self.minute, 0)?) * 60 + small(self.second, 0)?
            - self.offset.unwrap_or(0);
        let day = NANOS_PER_DAY / NANOS_PER_SECOND;
        Moment {
            days: days + seconds.div_euclid(day),
            nanos: seconds.rem_euclid(day) * NANOS_PER_SECOND + self.nanos.unwrap_or(0),
        }
        .checked()
    }
}

fn read_items<'a>(
    items: &[Item],
    mut text: &'a str,
    rules: Rules,
    fields: &mut Fields,
) -> Option<&'a str> {
    for item in items {
        match item {
            Item::Literal(literal) => text = text.strip_prefix(literal.as_str())?,
            Item::Optional(inner) => {
                let mut tried = fields.clone();
                if let Some(rest) = read_items(inner, text, rules, &mut tried) {
                    *fields = tried;
                    text = rest;
                }
            }
            Item::Field {
                letter,
                width,
                reserve,
            } => text = read_field(*letter, *width, *reserve, text, rules, fields)?,
        }
    }
    Some(text)
}

fn take_digits(text: &str, least: usize, most: usize) -> Option<(i64, usize, &str)> {
    let found = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if found < least {
        return None;
    }
    let (digits, rest) = text.split_at(found);
    Some((digits.parse().ok()?, found, rest))
}

fn take_name<'a>(
    text: &'a str,
    names: &[&str],
    width: usize,
    rules: Rules,
) -> Option<(i64, &'a str)> {
    let starts = |name: &str| match rules {
        Rules::Formatter => text.starts_with(name),
        Rules::Simple => text
            .get(..name.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(name)),
    };
    for (i, name) in names.iter().enumerate() {
        let short = name.get(..3).unwrap_or(name);
        let forms: &[&str] = match (rules, width >= 4) {
            (Rules::Simple, _) => &[name, short],
            (Rules::Formatter, true) => &[name],
            (Rules::Formatter, false) => &[short],
        };
        if let Some(form) = forms.iter().find(|f| starts(f)) {
            return Some((i64::try_from(i).ok()?, text.get(form.len()..)?));
        }
    }
    None
}

/// `Z`, `+01`, `+0100`, `+01:00`: seconds.
fn take_offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, _, rest) = take_digits(&text[1..], 2, 2)?;
    let after = rest.strip_prefix(':').unwrap_or(rest);
    match take_digits(after, 2, 2) {
        Some((minutes, _, rest)) => Some((sign * (hours * 3600 + minutes * 60), rest)),
        None => Some((sign * hours * 3600, rest)),
    }
}

fn read_field<'a>(
    letter: char,
    width: usize,
    reserve: usize,
    text: &'a str,
    rules: Rules,
    fields: &mut Fields,
) -> Option<&'a str> {
    let simple = rules == Rules::Simple;
    match letter {
        'M' | 'L' if width >= 3 => {
            let (month, rest) = take_name(text, &MONTHS, width, rules)?;
            fields.month = Some(month + 1);
            return Some(rest);
        }
        'E' => return Some(take_name(text, &DAYS, width, rules)?.1),
        'a' => {
            let (half, rest) = take_name(text, &["AM", "PM"], 4, rules)?;
            fields.afternoon = Some(half == 1);
            return Some(rest);
        }
        'X' | 'x' | 'Z' => {
            let (offset, rest) = take_offset(text)?;
            fields.offset = Some(offset);
            return Some(rest);
        }
        'z' => {
            return text
                .strip_prefix("UTC")
                .or_else(|| text.strip_prefix("GMT"));
        }
        'G' => return text.strip_prefix("AD"),
        _ => {}
    }
    let text = if simple { text.trim_start() } else { text };
    // How many digits belong to the field.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let free = digits.saturating_sub(reserve);
    let (least, most) = match letter {
        _ if simple && reserve > 0 => (1, if width == 1 { free } else { width }),
        _ if simple => (1, 18),
        'S' => (width, width),
        _ if width == 1 => (1, free.min(18)),
        _ => (width, width),
    };
    let (value, found, rest) = take_digits(text, least, most)?;
    match letter {
        'y' | 'u' if width == 2 && found == 2 => {
            let century = if simple && value >= 46 { 1900 } else { 2000 };
            fields.year = Some(century + value);
        }
        'y' | 'u' => fields.year = Some(value),
        'M' | 'L' => fields.month = Some(value),
        'd' => fields.day = Some(value),
        'D' => fields.day_of_year = Some(value),
        'H' => fields.hour = Some(value),
        'k' => fields.hour = Some(if value == 24 { 0 } else { value }),
        'K' => fields.hour_of_half = Some(value),
        'h' if value == 12 => fields.hour_of_half = Some(0),
        'h' if value == 0 && !simple => return None,
        'h' => fields.hour_of_half = Some(value),
        'm' => fields.minute = Some(value),
        's' => fields.second = Some(value),
        'S' if simple => fields.nanos = Some(value.checked_mul(NANOS_PER_MILLI)?),
        'S' => {
            let places = i32::try_from(found).ok()?;
            fields.nanos = Some(match 9 - places {
                up @ 0.. => value * 10_i64.pow(up.unsigned_abs()),
                down => value / 10_i64.pow(down.unsigned_abs()),
            });
        }
        'n' => fields.nanos = Some(value),
        _ => {}
    }
    Some(rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64, clock: (i64, i64, i64), nanos: i64) -> Moment {
        let (h, m, s) = clock;
        Moment {
            days: Civil::new(year, month, day).days(),
            nanos: ((h * 60 + m) * 60 + s) * NANOS_PER_SECOND + nanos,
        }
    }

    #[test]
    fn writes_as_java() {
        let morning = at(2024, 3, 5, (7, 8, 9), 123_456_000);
        let evening = at(2024, 3, 5, (17, 8, 9), 0);
        let midnight = at(2024, 3, 5, (0, 8, 9), 0);
        let table = [
            (
                morning,
                "yyyy-MM-dd HH:mm:ss.SSS",
                "2024-03-05 07:08:09.123",
            ),
            (morning, "yy/M/d H:m:s", "24/3/5 7:8:9"),
            (evening, "hh:mm a", "05:08 PM"),
            (evening, "EEE EEEE MMM MMMM D", "Tue Tuesday Mar March 65"),
            (morning, "SSSSSS S n", "123456 1 123456000"),
            (morning, "Q q w e u", "1 1 10 3 2024"),
            (midnight, "k K h", "24 0 12"),
            (midnight, "G yyyy", "AD 2024"),
            (morning, "'T'yyyy'x''y'''", "T2024x'y'"),
            (at(2024, 12, 30, (0, 0, 0), 0), "YYYY ww", "2025 01"),
        ];
        for (moment, pattern, expected) in table {
            let mut out = String::new();
            Pattern::new("DATE_FORMAT", pattern, Rules::Formatter)
                .unwrap()
                .format(moment, &mut out);
            assert_eq!(out, expected, "{pattern}");
        }
        let mut out = String::new();
        Pattern::new("FROM_UNIXTIME", "u F W Z X z", Rules::Simple)
            .unwrap()
            .format(at(2024, 1, 15, (0, 0, 0), 0), &mut out);
        assert_eq!(out, "1 3 3 +0000 Z UTC");
    }

    #[test]
    fn reads_as_the_formatter() {
        let day = |y, m, d| Some(at(y, m, d, (0, 0, 0), 0));
        let table = [
            ("20240102", "yyyyMMdd", day(2024, 1, 2)),
            (
                "2024/01/02 03-04",
                "yyyy/MM/dd HH-mm",
                Some(at(2024, 1, 2, (3, 4, 0), 0)),
            ),
            (
                "2024-01-02T03:04:05.123Z",
                "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
                Some(at(2024, 1, 2, (3, 4, 5), 123_000_000)),
            ),
            (
                "2024-01-02 03:04:05 PM",
                "yyyy-MM-dd hh:mm:ss a",
                Some(at(2024, 1, 2, (15, 4, 5), 0)),
            ),
            ("05 Mar 2024", "dd MMM yyyy", day(2024, 3, 5)),
            ("mar 5 2024", "MMM d yyyy", None),
            ("2024-13-02", "yyyy-MM-dd", None),
            ("2024-02-30", "yyyy-MM-dd", day(2024, 2, 29)),
            ("24-1-2", "yy-M-d", day(2024, 1, 2)),
            ("2024-1-2", "yyyy-MM-dd", None),
            ("2024-01-02 x", "yyyy-MM-dd", None),
            ("03:04", "HH:mm", Some(at(1970, 1, 1, (3, 4, 0), 0))),
            (
                "2024-01-02T03:04:05Z",
                "yyyy-MM-dd'T'HH:mm:ss[.SSS]'Z'",
                Some(at(2024, 1, 2, (3, 4, 5), 0)),
            ),
            (
                "2024-01-02 03:04:05",
                "yyyy-MM-dd hh:mm:ss",
                Some(at(2024, 1, 2, (0, 4, 5), 0)),
            ),
            ("2024 065", "yyyy DDD", day(2024, 3, 5)),
            (
                "2024-01-02 24:00:00",
                "yyyy-MM-dd HH:mm:ss",
                day(2024, 1, 3),
            ),
            (
                "2024-01-02 03:04:05+01:00",
                "yyyy-MM-dd HH:mm:ssXXX",
                Some(at(2024, 1, 2, (3, 4, 5), 0)),
            ),
            ("1705276800", "s", None),
        ];
        for (text, pattern, expected) in table {
            let pattern = Pattern::new("F", pattern, Rules::Formatter).unwrap();
            assert_eq!(pattern.parse(text), expected, "{text}");
        }
    }

    #[test]
    fn reads_leniently() {
        let day = |y, m, d| Some(at(y, m, d, (0, 0, 0), 0));
        let table = [
            ("2024-02-30", "yyyy-MM-dd", day(2024, 3, 1)),
            ("2024-13-02", "yyyy-MM-dd", day(2025, 1, 2)),
            ("2024-01-02 extra", "yyyy-MM-dd", day(2024, 1, 2)),
            ("20240102", "yyyyMMdd", day(2024, 1, 2)),
            ("05 Mar 2024", "dd MMM yyyy", day(2024, 3, 5)),
            (
                "2024-01-02 03:04:65",
                "yyyy-MM-dd HH:mm:ss",
                Some(at(2024, 1, 2, (3, 5, 5), 0)),
            ),
            (
                "2024-01-02 03:04:05 +0100",
                "yyyy-MM-dd HH:mm:ss Z",
                Some(at(2024, 1, 2, (2, 4, 5), 0)),
            ),
            ("bad", "yyyy", None),
        ];
        for (text, pattern, expected) in table {
            let pattern = Pattern::new("F", pattern, Rules::Simple).unwrap();
            assert_eq!(pattern.parse(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_bad_patterns() {
        for pattern in ["bad pattern", "'T", "z", "yyyy]", "{"] {
            assert!(
                Pattern::new("F", pattern, Rules::Formatter).is_err(),
                "{pattern}"
            );
        }
    }
}
