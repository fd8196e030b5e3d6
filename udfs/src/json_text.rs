//! JSON as text and as a tree, read as Jackson does: strictly, but what follows the value is not looked at. Numbers keep their
//! digits.

use std::borrow::Cow;
use std::fmt::Write;

/// How deep values may nest.
const MAX_DEPTH: usize = 1000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// Of a key that stands twice, the last value.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// The value at the beginning of a text; None if there is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        let value = reader.value(0)?;
        // Behind a number, only what could end it.
        let ended = match (&value, text.as_bytes().get(reader.at)) {
            (Self::Number(_), Some(b)) => matches!(b, b' ' | b'\t' | b'\n' | b'\r'),
            _ => true,
        };
        ended.then_some(value)
    }

    /// Whether it is neither an array nor an object.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// A scalar as plain text, numbers as Java's BigDecimal prints them; None of other values.
    pub fn plain(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Array(_) | Self::Object(_) => None,
            Self::Boolean(true) => Some("true".into()),
            Self::Boolean(false) => Some("false".into()),
            Self::Number(number) => Some(printed_number(number)),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// The same, not borrowing from the text that it was read from.
    pub fn into_owned(self) -> Json<'static> {
        let owned = |text: Cow<str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Boolean(value),
            Self::Number(number) => Json::Number(owned(number)),
            Self::Text(text) => Json::Text(owned(text)),
            Self::Array(values) => Json::Array(values.into_iter().map(Self::into_owned).collect()),
            Self::Object(entries) => Json::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (owned(key), value.into_owned()))
                    .collect(),
            ),
        }
    }

    /// Appends it without blanks, the keys of objects in their order as Java compares them.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&printed_number(number)),
            Self::Text(text) => write_text(text, out),
            Self::Array(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                out.push('{');
                for (i, (key, value)) in entries.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Puts an entry into an object, in the place of one with the same key.
pub(crate) fn put<'a>(
    entries: &mut Vec<(Cow<'a, str>, Json<'a>)>,
    key: Cow<'a, str>,
    value: Json<'a>,
) {
    match entries.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => entries.push((key, value)),
    }
}

/// Appends a text in quotes.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Java prints the Integer or BigDecimal that it is: `1e3` is `1E+3`, `-0` is `0`, `3.10` stays.
pub(crate) fn printed_number(number: &str) -> Cow<'_, str> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let is_zero = digits
        .bytes()
        .take_while(|b| !matches!(b, b'e' | b'E'))
        .all(|b| matches!(b, b'0' | b'.'));
    if !digits.contains(['.', 'e', 'E']) {
        return if is_zero { "0".into() } else { number.into() };
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .unwrap_or(0);
    let scale = fraction.len() as i64 - exponent;
    let unscaled = format!("{whole}{fraction}");
    let unscaled = match unscaled.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let power = unscaled.len() as i64 - 1 - scale;
    let sign = if negative && !is_zero { "-" } else { "" };
    if scale == 0 {
        return format!("{sign}{unscaled}").into();
    }
    if scale > 0 && power >= -6 {
        let scale = scale as usize;
        let padded = format!("{unscaled:0>width$}", width = scale + 1);
        let (before, behind) = padded.split_at(padded.len() - scale);
        return format!("{sign}{before}.{behind}").into();
    }
    let (first, rest) = unscaled.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{power:+}").into()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        let rest = self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        let ended = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        ended.then_some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Boolean(true)),
            b'f' => self.word("false", Json::Boolean(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut values = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Some(Json::Array(values));
        }
        loop {
            self.blanks();
            values.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Some(Json::Array(values));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        if self.eat(b'}') {
            return Some(Json::Object(entries));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return None;
            }
            let key = self.string()?;
            self.blanks();
            if !self.eat(b':') {
                return None;
            }
            self.blanks();
            let value = self.value(depth + 1)?;
            put(&mut entries, key, value);
            self.blanks();
            if self.eat(b'}') {
                return Some(Json::Object(entries));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let from = self.at;
        self.eat(b'-');
        let whole = self.at;
        let digits = self.digits();
        if digits == 0 || (digits > 1 && self.text.as_bytes().get(whole) == Some(&b'0')) {
            return None;
        }
        if self.eat(b'.') && self.digits() == 0 {
            return None;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return None;
            }
        }
        Some(Json::Number(self.text.get(from..self.at)?.into()))
    }

    /// A text in quotes, without them.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    let inner = self.text.get(from..self.at)?;
                    self.at += 1;
                    return Some(Cow::Borrowed(inner));
                }
                b'\\' => break,
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let mut out = self.text.get(from..self.at)?.to_string();
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(Cow::Owned(out));
                }
                b'\\' => {
                    self.at += 1;
                    let c = self.escape()?;
                    out.push(c);
                }
                0..=0x1f => return None,
                _ => {
                    let start = self.at;
                    while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                        self.at += 1;
                    }
                    out.push_str(self.text.get(start..self.at)?);
                }
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let unit = self.unit()?;
                if !(0xd800..0xdc00).contains(&unit) {
                    // Half a character has no place in a text.
                    return Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let behind = self.at;
                if self.eat(b'\\') && self.eat(b'u') {
                    let low = self.unit()?;
                    if (0xdc00..0xe000).contains(&low) {
                        return char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                    }
                }
                self.at = behind;
                char::REPLACEMENT_CHARACTER
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// The text between quotes with its escapes resolved, such as `a\"b`.
pub(crate) fn unescaped(inner: &str) -> Option<String> {
    let mut reader = Reader { text: inner, at: 0 };
    let mut out = String::new();
    while let Some(c) = inner.get(reader.at..)?.chars().next() {
        reader.at += c.len_utf8();
        out.push(if c == '\\' { reader.escape()? } else { c });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{Json, printed_number};

    fn again(text: &str) -> String {
        let mut out = String::new();
        match Json::parse(text) {
            Some(value) => value.write(&mut out),
            None => out.push_str("none"),
        }
        out
    }

    #[test]
    fn reads_and_writes() {
        for (text, expected) in [
            (
                " [ 1 , 2.50, \"s\" , null , {\"b\" : [ ] } ]",
                "[1,2.50,\"s\",null,{\"b\":[]}]",
            ),
            (
                "{\"z\":1, \"a\": 2, \"\u{e9}\": \"\\u00e9\\n\\u0001\\/\"}",
                "{\"a\":2,\"z\":1,\"\u{e9}\":\"\u{e9}\\n\\u0001/\"}",
            ),
            ("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"),
            ("\"\\ud83d\\ude00 \\ud83d\"", "\"\u{1f600} \u{fffd}\""),
            ("1 2", "1"),
            ("{} x", "{}"),
            ("true", "true"),
            ("", "none"),
            ("truex", "none"),
            ("1x", "none"),
            ("01", "none"),
            ("+1", "none"),
            (".5", "none"),
            ("1.", "none"),
            ("1e", "none"),
            ("[1,]", "none"),
            ("{\"a\":1,}", "none"),
            ("{a:1}", "none"),
            ("'a'", "none"),
            ("\"\\x\"", "none"),
            ("\"a\nb\"", "none"),
            ("\"a", "none"),
        ] {
            assert_eq!(again(text), expected, "{text}");
        }
        assert_eq!(again(&"[".repeat(100_000)), "none");
    }

    #[test]
    fn numbers() {
        for (number, expected) in [
            ("3.10", "3.10"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1e3", "1E+3"),
            ("1.5e300", "1.5E+300"),
            ("1.0E-5", "0.000010"),
            ("0.0000001", "1E-7"),
            ("12e-1", "1.2"),
            ("1.0E10", "1.0E+10"),
            ("-100000000000000000000000", "-100000000000000000000000"),
        ] {
            assert_eq!(printed_number(number), expected);
        }
    }
}
