//! LIKE and SIMILAR TO.

use std::rc::Rc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};

use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::java_regex::JavaRegex;
use crate::regular::constant;

/// `like(text, pattern [, escape])`.
pub(crate) static LIKE: Function = Function::new(
    "like",
    Takes::Fixed(2, &[Kind::Text; 3]),
    |_, scalars| {
        checked("LIKE", scalars, |pattern, escape| {
            Like::new(pattern, escape).map(drop)
        })
    },
    Nulls::Strict,
    |call| matched(call, Like::new, Like::matches),
)
.fails();

/// `similar_to(text, pattern [, escape])`.
pub(crate) static SIMILAR_TO: Function = Function::new(
    "similar_to",
    Takes::Fixed(2, &[Kind::Text; 3]),
    |_, scalars| {
        checked("SIMILAR TO", scalars, |pattern, escape| {
            similar(pattern, escape).map(drop)
        })
    },
    Nulls::Strict,
    |call| matched(call, similar, |regex, text| regex.is_match(text)),
)
.fails();

type Made<T> = std::result::Result<T, String>;

/// Refuses a constant pattern that cannot be run.
fn checked(
    function: &str,
    scalars: &[Option<&ScalarValue>],
    make: fn(&str, Option<char>) -> Made<()>,
) -> Result<DataType> {
    let escape = match constant(scalars, 2).map(escape_character).transpose() {
        Ok(escape) => escape,
        Err(why) => return plan_err!("{function}: {why}"),
    };
    if let (Some(pattern), true) = (constant(scalars, 1), scalars.len() < 3 || escape.is_some())
        && let Err(why) = make(pattern, escape)
    {
        return plan_err!("{function}: the pattern '{pattern}' cannot be run: {why}");
    }
    Ok(DataType::Boolean)
}

fn escape_character(text: &str) -> Made<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        _ => Err(format!("ESCAPE takes one character, not '{text}'")),
    }
}

fn matched<P>(
    call: &Call,
    make: fn(&str, Option<char>) -> Made<P>,
    matches: fn(&P, &str) -> Result<bool>,
) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0)?, call.text(1)?);
    let escapes = if call.len() > 2 {
        Some(call.text(2)?)
    } else {
        None
    };
    let mut last: Option<(&str, Option<&str>, P)> = None;
    call.booleans(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else {
            return Ok(None);
        };
        let escape = match &escapes {
            None => None,
            Some(column) => match column.get(row) {
                None => return Ok(None),
                some => some,
            },
        };
        if last
            .as_ref()
            .is_none_or(|l| (l.0, l.1) != (pattern, escape))
        {
            let wrong = |why| {
                exec_datafusion_err!(
                    "{}: the pattern '{pattern}' cannot be run: {why}",
                    name(call)
                )
            };
            let character = escape.map(escape_character).transpose().map_err(wrong)?;
            last = Some((pattern, escape, make(pattern, character).map_err(wrong)?));
        }
        match &last {
            Some((_, _, made)) => matches(made, text).map(Some),
            None => Ok(None),
        }
    })
}

fn name(call: &Call) -> String {
    call.name().replace('_', " ")
}

/// A LIKE pattern. `%` is anything, `_` one character that ends no line.
enum Like {
    /// Texts with anything between them.
    Parts(Vec<String>),
    Regex(Rc<JavaRegex>),
}

impl Like {
    fn new(pattern: &str, escape: Option<char>) -> Made<Self> {
        let mut parts = vec![String::new()];
        let mut regex = String::new();
        let mut has_single = false;
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let plain = if Some(c) == escape {
                Some(escaped(pattern, &mut chars, c, "%_")?)
            } else {
                (!matches!(c, '%' | '_')).then_some(c)
            };
            match (plain, parts.last_mut()) {
                (Some(c), Some(part)) => {
                    part.push(c);
                    quoted(&mut regex, c);
                }
                (None, _) if c == '%' => {
                    parts.push(String::new());
                    regex.push_str("(?s:.*)");
                }
                _ => {
                    has_single = true;
                    regex.push('.');
                }
            }
        }
        if has_single {
            return Ok(Self::Regex(JavaRegex::whole(&regex)?));
        }
        Ok(Self::Parts(parts))
    }

    fn matches(&self, text: &str) -> Result<bool> {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Parts(parts) => Ok(fits(parts, text)),
        }
    }
}

fn fits(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// What follows an escape: one of the special characters or the escape itself.
fn escaped(pattern: &str, rest: &mut std::str::Chars, escape: char, specials: &str) -> Made<char> {
    match rest.next() {
        Some(c) if c == escape || specials.contains(c) => Ok(c),
        _ => Err(format!(
            "the escape {escape} must be followed by one of {specials} or {escape} in '{pattern}'"
        )),
    }
}

fn quoted(regex: &mut String, c: char) {
    if !c.is_alphanumeric() && c.is_ascii_graphic() {
        regex.push('\\');
    }
    regex.push(c);
}

/// What SIMILAR TO gives a meaning of its own.
const SPECIALS: &str = "[]()|^-+*_%?{}";

/// The named classes of SIMILAR TO, in Java's syntax.
const CLASSES: [(&str, &str); 8] = [
    ("ALPHA", r"\p{Alpha}"),
    ("UPPER", r"\p{Upper}"),
    ("LOWER", r"\p{Lower}"),
    ("DIGIT", r"\d"),
    ("ALNUM", r"\p{Alnum}"),
    ("WHITESPACE", r"\s"),
    ("SPACE", r"\x20"),
    ("SPACES", r"\x20"),
];

/// A SIMILAR TO pattern, which is Java's with `%` and `_` for `.*` and `.`, without the backslash and `$`.
fn similar(pattern: &str, escape: Option<char>) -> Made<Rc<JavaRegex>> {
    let mut regex = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            c if Some(c) == escape => quoted(&mut regex, escaped(pattern, &mut rest, c, SPECIALS)?),
            '_' => regex.push('.'),
            '%' => regex.push_str("(?s:.*)"),
            '[' => enumerated(pattern, &mut rest, escape, &mut regex)?,
            ']' => return Err("a ']' closes nothing".into()),
            '\\' | '$' => quoted(&mut regex, c),
            c => regex.push(c),
        }
    }
    JavaRegex::whole(&regex)
}

/// The characters between `[` and `]`.
fn enumerated(
    pattern: &str,
    rest: &mut std::str::Chars,
    escape: Option<char>,
    regex: &mut String,
) -> Made<()> {
    regex.push('[');
    loop {
        let left = rest.as_str();
        let Some(c) = rest.next() else {
            return Err("a '[' is not closed".into());
        };
        if Some(c) == escape {
            quoted(regex, escaped(pattern, rest, c, SPECIALS)?);
        } else if c == ']' {
            regex.push(']');
            return Ok(());
        } else if let Some(behind) = left.strip_prefix("[:") {
            let named = behind.split_once(":]").and_then(|(name, _)| {
                let is_cased = name.chars().all(|c| c.is_ascii_uppercase())
                    || name.chars().all(|c| c.is_ascii_lowercase());
                let name = name.to_uppercase();
                let found = CLASSES.iter().find(|(known, _)| *known == name && is_cased);
                found.map(|(known, class)| (known.len(), class))
            });
            let Some((length, class)) = named else {
                return Err("the class after [: is not known".into());
            };
            regex.push_str(class);
            *rest = behind[length + 2..].chars();
        } else if matches!(c, '-' | '^') {
            regex.push(c);
        } else if SPECIALS.contains(c) {
            return Err(format!("a '{c}' between [ and ] needs an escape"));
        } else {
            quoted(regex, c);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "like_tests.rs"]
mod tests;
