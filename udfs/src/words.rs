//! Functions that take texts apart or ask what they are: ELT, SPLIT, STR_TO_MAP, OVERLAY, TRANSLATE, IS_ALPHA and similar,
//! PARSE_URL.

use std::rc::Rc;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};

use crate::aggregate::list_of;
use crate::arrays::{map_of, maps};
use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::java_regex::JavaRegex;

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
const TEXT: Returns = |_, _| Ok(DataType::Utf8);

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "elt",
        Takes::Own(|given| match given {
            [index, _, ..] if index.is_integer() || index.is_null() => {
                let mut types = vec![DataType::Utf8; given.len()];
                types[0] = DataType::Int64;
                Ok(types)
            }
            _ => plan_err!(
                "ELT takes a whole number and one STRING or more, not {}",
                crate::casts::sql_names(given)
            ),
        }),
        TEXT,
        Nulls::Maybe,
        |call| {
            let indices = call.ints(0)?;
            let texts = (1..call.len())
                .map(|at| call.text(at))
                .collect::<Result<Vec<_>>>()?;
            call.slices(|row| {
                let at = indices.get(row).and_then(|i| usize::try_from(i - 1).ok());
                Ok(at
                    .and_then(|at| texts.get(at))
                    .and_then(|text| text.get(row)))
            })
        },
    ),
    Function::new(
        "split",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(list_of(&DataType::Utf8)),
        Nulls::Strict,
        split,
    ),
    Function::new(
        "str_to_map",
        Takes::Fixed(1, &[Kind::Text; 3]),
        |_, _| Ok(map_of(&DataType::Utf8, &DataType::Utf8)),
        Nulls::Maybe,
        str_to_map,
    )
    .fails(),
    Function::new(
        "overlay",
        Takes::Fixed(3, &[Kind::Text, Kind::Text, Kind::Int, Kind::Int]),
        TEXT,
        Nulls::Strict,
        overlay,
    ),
    Function::new(
        "translate",
        Takes::Fixed(3, &[Kind::Text; 3]),
        TEXT,
        Nulls::Maybe,
        translate,
    )
    .alias(&["translate3"]),
    question("is_alpha", |call| {
        asked(call, |text| text.chars().all(char::is_alphabetic))
    }),
    question("is_digit", |call| {
        asked(call, |text| text.chars().all(char::is_numeric))
    }),
    question("is_decimal", |call| asked(call, is_decimal)),
    Function::new(
        "parse_url",
        Takes::Fixed(2, &[Kind::Text; 3]),
        TEXT,
        Nulls::Maybe,
        parse_url,
    ),
];

const fn question(name: &'static str, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Fixed(1, &[Kind::Text]),
        |_, _| Ok(DataType::Boolean),
        Nulls::Never,
        eval,
    )
}

/// Asks each text; the answer is no for NULL and for no characters.
fn asked(call: &Call, ask: fn(&str) -> bool) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.booleans(|row| {
        Ok(Some(
            texts
                .get(row)
                .is_some_and(|text| !text.is_empty() && ask(text)),
        ))
    })
}

/// Whether Java reads a DOUBLE in the text: `1.5`, ` 1e5 `, `1d`, `NaN`.
fn is_decimal(text: &str) -> bool {
    let text = text.trim_matches(|c| c <= ' ');
    let bare = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let unsigned = bare.strip_prefix(['+', '-']).unwrap_or(bare);
    match text.strip_prefix(['+', '-']).unwrap_or(text) {
        "NaN" | "Infinity" => true,
        _ => {
            unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && bare.parse::<f64>().is_ok()
        }
    }
}

/// By a separator, which is no pattern; by none into characters; nothing into no parts.
fn split(call: &Call) -> Result<ArrayRef> {
    let (texts, separators) = (call.text(0)?, call.text(1)?);
    call.text_lists(|row, parts| {
        let (Some(text), Some(separator)) = (texts.get(row), separators.get(row)) else {
            return Ok(false);
        };
        if separator.is_empty() {
            for c in text.chars() {
                parts.append(Some(c.encode_utf8(&mut [0; 4])))?;
            }
        } else if !text.is_empty() {
            for part in text.split(separator) {
                parts.append(Some(part))?;
            }
        }
        Ok(true)
    })
}

fn pattern(call: &Call, text: &str) -> Result<Rc<JavaRegex>> {
    match JavaRegex::new(text) {
        Ok(regex) => Ok(regex),
        Err(why) => exec_err!("{}: the pattern '{text}' cannot be run: {why}", call.name()),
    }
}

/// Pairs between `,` and their parts between `=`, or what the arguments say, which are patterns. A pair without a value has the
/// value NULL; of a key that stands twice, the last value counts.
fn str_to_map(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let delimiter = |at: usize, default: &'static str| -> Result<_> {
        let column = if at < call.len() {
            Some(call.text(at)?)
        } else {
            None
        };
        Ok(move |row: usize| match &column {
            Some(column) => column.get(row).map(str::to_string),
            None => Some(default.to_string()),
        })
    };
    let (pair_delimiters, value_delimiters) = (delimiter(1, ",")?, delimiter(2, "=")?);
    let mut last: Option<(String, String, Rc<JavaRegex>, Rc<JavaRegex>)> = None;
    let (mut keys, mut values) = (call.texts(), call.texts());
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (Some(text), Some(pair), Some(value)) =
            (texts.get(row), pair_delimiters(row), value_delimiters(row))
        else {
            lengths.push(None);
            continue;
        };
        if last
            .as_ref()
            .is_none_or(|l| (&l.0, &l.1) != (&pair, &value))
        {
            let patterns = (pattern(call, &pair)?, pattern(call, &value)?);
            last = Some((pair, value, patterns.0, patterns.1));
        }
        let Some((_, _, pair, value)) = &last else {
            continue;
        };
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        let pairs = match text.is_empty() {
            true => Vec::new(),
            false => pair.split(text, 0)?,
        };
        for pair in pairs {
            let parts = value.split(pair, 2)?;
            let (key, value) = (parts[0], parts.get(1).copied());
            match entries.iter_mut().find(|(k, _)| *k == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        lengths.push(Some(entries.len()));
        for (key, value) in entries {
            keys.append(Some(key))?;
            values.append(value)?;
        }
    }
    maps(Arc::new(keys.finish()), Arc::new(values.finish()), &lengths)
}

/// Puts a text over a part of another, from a place on, for a length or its own. Outside of the text, it changes nothing; for a
/// length below 1, what stood after the place is gone, as in Flink.
fn overlay(call: &Call) -> Result<ArrayRef> {
    let (texts, news, starts) = (call.text(0)?, call.text(1)?, call.ints(2)?);
    let lengths = if call.len() > 3 {
        Some(call.ints(3)?)
    } else {
        None
    };
    call.strings(|row, out| {
        let (Some(text), Some(new), Some(start)) = (texts.get(row), news.get(row), starts.get(row))
        else {
            return Ok(false);
        };
        let count = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let length = match &lengths {
            None => count(new),
            Some(column) => match column.get(row) {
                Some(length) => length,
                None => return Ok(false),
            },
        };
        let all = count(text);
        if start < 1 || start > all {
            out.push_str(text);
            return Ok(true);
        }
        let up_to = |n: i64| usize::try_from(n).unwrap_or(0);
        out.extend(text.chars().take(up_to(start - 1)));
        out.push_str(new);
        if length > 0 {
            out.extend(text.chars().skip(up_to((start - 1).saturating_add(length))));
        }
        Ok(true)
    })
}

/// Every character that the second text has becomes that in its place in the third, or nothing where that is shorter.
/// NULL stands for no characters, except in the text itself.
fn translate(call: &Call) -> Result<ArrayRef> {
    let (texts, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.strings(|row, out| {
        let Some(text) = texts.get(row) else {
            return Ok(false);
        };
        let from = from.get(row).unwrap_or_default();
        let to = to.get(row).unwrap_or_default();
        for c in text.chars() {
            match from.chars().position(|f| f == c) {
                None => out.push(c),
                Some(at) => out.extend(to.chars().nth(at)),
            }
        }
        Ok(true)
    })
}

/// The parts of a URL as java.net.URL tells them.
struct Url<'a> {
    protocol: String,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    reference: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// None for what is no URL of a protocol that Java knows.
    fn parse(text: &'a str) -> Option<Self> {
        let (protocol, rest) = text.trim().split_once(':')?;
        let protocol = protocol.to_lowercase();
        if !["http", "https", "ftp", "file", "mailto", "jar"].contains(&protocol.as_str()) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        let url = Self {
            protocol,
            authority,
            path,
            query,
            reference,
        };
        let port = url.host_and_port().and_then(|(_, port)| port);
        port.is_none_or(|p| p.parse::<u32>().is_ok()).then_some(url)
    }

    fn user_info(&self) -> Option<&'a str> {
        self.authority?.rsplit_once('@').map(|(user, _)| user)
    }

    fn host_and_port(&self) -> Option<(&'a str, Option<&'a str>)> {
        let authority = self.authority?;
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let behind = host.rfind(']').unwrap_or(0);
        Some(match host[behind..].find(':') {
            Some(colon) => (
                &host[..behind + colon],
                Some(&host[behind + colon + 1..]).filter(|p| !p.is_empty()),
            ),
            None => (host, None),
        })
    }

    fn part(&self, name: &str) -> Option<String> {
        match name {
            "HOST" if self.protocol == "mailto" => Some(String::new()),
            "HOST" => self.host_and_port().map(|(host, _)| host.to_string()),
            "PATH" => Some(self.path.to_string()),
            "QUERY" => self.query.map(str::to_string),
            "REF" => self.reference.map(str::to_string),
            "PROTOCOL" => Some(self.protocol.clone()),
            "FILE" => Some(match self.query {
                Some(query) => format!("{}?{query}", self.path),
                None => self.path.to_string(),
            }),
            "AUTHORITY" => self.authority.map(str::to_string),
            "USERINFO" => self.user_info().map(str::to_string),
            _ => None,
        }
    }
}

/// A part of a URL; with a key, what it has in the query.
fn parse_url(call: &Call) -> Result<ArrayRef> {
    let (texts, parts) = (call.text(0)?, call.text(1)?);
    let keys: Option<crate::function::Column<StringArray>> = if call.len() > 2 {
        Some(call.text(2)?)
    } else {
        None
    };
    call.strings(|row, out| {
        let (Some(url), Some(part)) = (texts.get(row).and_then(Url::parse), parts.get(row)) else {
            return Ok(false);
        };
        let found = match &keys {
            None => url.part(part),
            Some(keys) => match (keys.get(row), part, url.query) {
                (Some(key), "QUERY", Some(query)) => query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
                    .map(str::to_string),
                _ => None,
            },
        };
        found.iter().for_each(|found| out.push_str(found));
        Ok(found.is_some())
    })
}
