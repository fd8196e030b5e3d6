//! The WITH options of a table: typed reading, and refusal of every key nobody asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use super::closest;

/// A mistake in one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    /// The key at fault; `None` where a key is missing.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl OptionError {
    /// A mistake in `key`.
    pub fn new(key: &str, message: impl Into<String>) -> Self {
        Self {
            key: Some(key.to_string()),
            message: message.into(),
            help: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Options by key. Reading a key marks it as known; [`Options::finish`] then refuses the keys nobody read.
#[derive(Debug, Default)]
pub struct Options {
    values: BTreeMap<String, String>,
    known: Mutex<BTreeSet<String>>,
    known_prefixes: Mutex<BTreeSet<String>>,
}

impl Clone for Options {
    /// The same values, none of them read yet.
    fn clone(&self) -> Self {
        Self::new(self.values.clone())
    }
}

impl Options {
    /// Options of a table.
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    fn mark(&self, key: &str) {
        if let Ok(mut known) = self.known.lock() {
            known.insert(key.to_string());
        }
    }

    /// The value of `key` where it is given.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.mark(key);
        self.values.get(key).map(String::as_str)
    }

    /// The value of the first of `keys` that is given (a key and its deprecated or format-prefixed spellings).
    pub fn get_any(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().fold(None, |found, key| {
            let value = self.get(key);
            found.or(value)
        })
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When it is missing.
    pub fn require(&self, key: &str) -> Result<&str, OptionError> {
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        // A misspelled key is reported as such.
        let slip = closest(key, self.values.keys().map(String::as_str));
        let message = format!("the option '{key}' is missing");
        Err(match slip {
            Some(slip) => OptionError::new(slip, format!("{message}; there is '{slip}'"))
                .with_help(format!("did you mean '{key}'?")),
            None => OptionError {
                key: None,
                message,
                help: Some(format!("add '{key}' = '...' to the WITH list")),
            },
        })
    }

    /// A value read by `parse`, or `default`. `expected` completes "expected ...".
    ///
    /// # Errors
    /// When the value does not parse.
    pub fn parse<T>(
        &self,
        key: &str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, OptionError> {
        match self.get(key) {
            None => Ok(default),
            Some(text) => parse(text.trim()).ok_or_else(|| {
                OptionError::new(key, format!("'{key}' = '{text}': expected {expected}"))
            }),
        }
    }

    /// A boolean, or `default`.
    ///
    /// # Errors
    /// When the value is neither true nor false.
    pub fn bool(&self, key: &str, default: bool) -> Result<bool, OptionError> {
        self.parse(key, default, "true or false", |t| {
            match t.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }
        })
    }

    /// A whole number, or `default`.
    ///
    /// # Errors
    /// When the value is no number.
    pub fn int(&self, key: &str, default: i64) -> Result<i64, OptionError> {
        self.parse(key, default, "a whole number", |t| t.parse().ok())
    }

    /// A duration in Flink's spelling (`10 s`, `500 ms`, `5 min`, `1 h`, `1 d`; a bare number is milliseconds), or `default`.
    ///
    /// # Errors
    /// When the value is no duration.
    pub fn duration(
        &self,
        key: &str,
        default: Option<Duration>,
    ) -> Result<Option<Duration>, OptionError> {
        self.parse(
            key,
            default,
            "a duration such as '10 s', '500 ms' or '5 min'",
            |t| parse_duration(t).map(Some),
        )
    }

    /// One of `choices`, case as written, or `default`.
    ///
    /// # Errors
    /// When the value is none of them.
    pub fn choice(
        &self,
        key: &str,
        default: &'static str,
        choices: &[&'static str],
    ) -> Result<&'static str, OptionError> {
        let Some(text) = self.get(key) else {
            return Ok(default);
        };
        choices
            .iter()
            .find(|c| c.eq_ignore_ascii_case(text))
            .copied()
            .ok_or_else(|| {
                let error = OptionError::new(
                    key,
                    format!("'{key}' = '{text}': expected one of {}", choices.join(", ")),
                );
                match closest(text, choices.iter().copied()) {
                    Some(near) => error.with_help(format!("did you mean '{near}'?")),
                    None => error,
                }
            })
    }

    /// All options whose key begins with `prefix`, without it (`properties.`).
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        if let Ok(mut known) = self.known_prefixes.lock() {
            known.insert(prefix.to_string());
        }
        self.values
            .iter()
            .filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_string(), v.clone())))
            .collect()
    }

    /// Whether any option is given whose key begins with `prefix`; marks nothing.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.values.keys().any(|k| k.starts_with(prefix))
    }

    /// One mistake for each given key that nobody read, with the nearest key that somebody did.
    pub fn finish(&self) -> Vec<OptionError> {
        let (Ok(known), Ok(prefixes)) = (self.known.lock(), self.known_prefixes.lock()) else {
            return Vec::new();
        };
        self.values
            .keys()
            .filter(|key| {
                !known.contains(*key) && !prefixes.iter().any(|p| key.starts_with(p.as_str()))
            })
            .map(|key| {
                let error = OptionError::new(key, format!("unknown option '{key}'"));
                match closest(key, known.iter().map(String::as_str)) {
                    Some(near) => error.with_help(format!("did you mean '{near}'?")),
                    None => error.with_help(format!(
                        "known here: {}",
                        known
                            .iter()
                            .map(String::as_str)
                            .collect::<Vec<_>>()
                            .join(", ")
                    )),
                }
            })
            .collect()
    }
}

/// Flink's duration: a number and a unit, a bare number being milliseconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let millis = match text.get(digits..)?.trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => number,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => {
            return Some(Duration::from_nanos(number));
        }
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => {
            return Some(Duration::from_micros(number));
        }
        "s" | "sec" | "second" | "seconds" => number.checked_mul(1000)?,
        "m" | "min" | "minute" | "minutes" => number.checked_mul(60_000)?,
        "h" | "hour" | "hours" => number.checked_mul(3_600_000)?,
        "d" | "day" | "days" => number.checked_mul(86_400_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
}

/// Flink's size of memory: a number and a unit of 1024s, a bare number being bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        Options::new(
            pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        )
    }

    #[test]
    fn unread_keys_are_refused_with_the_nearest_known_key() {
        let o = options(&[
            ("topic", "a"),
            ("scan.startup.mod", "earliest-offset"),
            ("properties.x", "1"),
        ]);
        o.get("topic");
        o.get("scan.startup.mode");
        o.with_prefix("properties.");
        let errors = o.finish();
        assert_eq!(errors.len(), 1);
        assert_eq!(
            errors[0].help.as_deref(),
            Some("did you mean 'scan.startup.mode'?")
        );
    }

    #[test]
    fn sizes_as_flink_spells_them() {
        assert_eq!(parse_size("128MB"), Some(128 << 20));
        assert_eq!(parse_size("1 kb"), Some(1024));
        assert_eq!(parse_size("7"), Some(7));
        assert_eq!(parse_size("MB"), None);
        assert_eq!(parse_size("1 parsec"), None);
    }

    #[test]
    fn durations_as_flink_spells_them() {
        assert_eq!(parse_duration("5 min"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("250"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("1 fortnight"), None);
        assert_eq!(parse_duration("18446744073709551615 d"), None);
    }
}
