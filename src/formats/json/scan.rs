//! Finds the ends of JSON values in one pass, checking the grammar, without recursion and without building anything.
//!
//! The grammar is Jackson's as Flink sets it up: RFC 8259, but control characters may stand in strings.

use super::super::text;

/// Containers inside each other, the outermost included. Jackson's limit.
pub(super) const MAX_DEPTH: usize = 1000;

/// Where a value stands: for a string the text between the quotes, else the whole value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    Null,
    True,
    False,
    Int,
    Float,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Object,
    Array,
}

impl Slot {
    pub(super) const MISSING: Self = Self {
        kind: Kind::Missing,
        start: 0,
        end: 0,
    };

    /// The bytes of the value.
    pub(super) fn of<'a>(&self, doc: &'a [u8]) -> &'a [u8] {
        doc.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where a document breaks the grammar, and what should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    at: usize,
    expected: &'static str,
}

impl Syntax {
    pub(super) fn new(at: usize, expected: &'static str) -> Self {
        Self { at, expected }
    }

    /// The message, with the place shown.
    pub(super) fn message(&self, doc: &[u8]) -> String {
        let Self { at, expected } = self;
        match doc.get(*at..) {
            None | Some([]) => {
                format!("not valid JSON: expected {expected}, found the end of the payload")
            }
            Some(rest) => {
                let near = text::excerpt(&rest[..rest.len().min(24)]);
                format!("not valid JSON at byte {at}: expected {expected}, found '{near}'")
            }
        }
    }
}

/// The byte at `at`; beyond the end NUL, which no rule accepts.
#[inline(always)]
pub(super) fn byte(doc: &[u8], at: usize) -> u8 {
    doc.get(at).copied().unwrap_or(0)
}

/// The first place from `at` on that is no white space.
#[inline(always)]
pub(super) fn space(doc: &[u8], mut at: usize) -> usize {
    while matches!(byte(doc, at), b' ' | b'\t' | b'\n' | b'\r') {
        at += 1;
    }
    at
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Bytes of `word` that are zero have their high bit set in the result, reliably so up to the first one.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// The first quote or backslash from `at` on, or the end.
#[inline(always)]
fn special(doc: &[u8], mut at: usize) -> usize {
    // Most strings are short: words first, and the vector search only for long ones.
    for _ in 0..8 {
        let Some(chunk) = doc.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
            return tail(doc, at);
        };
        let word = u64::from_le_bytes(*chunk);
        let hits = zeros(word ^ (LOW * b'"' as u64)) | zeros(word ^ (LOW * b'\\' as u64));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    tail(doc, at)
}

#[inline(never)]
fn tail(doc: &[u8], at: usize) -> usize {
    let rest = doc.get(at..).unwrap_or_default();
    memchr::memchr2(b'"', b'\\', rest).map_or(doc.len(), |found| at + found)
}

/// The end of a string whose text begins at `at`, just after its opening quote: the place of the closing quote, and
/// whether there are escapes.
#[inline(always)]
pub(super) fn string(doc: &[u8], at: usize) -> Result<(usize, bool), Syntax> {
    let end = special(doc, at);
    match byte(doc, end) {
        b'"' => Ok((end, false)),
        _ => escaped_string(doc, end).map(|end| (end, true)),
    }
}

/// The rest of a string from its first backslash on.
fn escaped_string(doc: &[u8], mut at: usize) -> Result<usize, Syntax> {
    loop {
        match byte(doc, at) {
            b'"' => return Ok(at),
            b'\\' => match byte(doc, at + 1) {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    if !(2..6).all(|i| byte(doc, at + i).is_ascii_hexdigit()) {
                        return Err(Syntax::new(at, "four hexadecimal digits after '\\u'"));
                    }
                    at += 6;
                }
                _ => return Err(Syntax::new(at, "an escape that JSON knows")),
            },
            _ => return Err(Syntax::new(doc.len(), "the closing '\"' of a string")),
        }
        at = special(doc, at);
    }
}

/// The end of the number at `at`, and whether it is whole (no point, no exponent).
#[inline(always)]
fn number(doc: &[u8], mut at: usize) -> Result<(usize, bool), Syntax> {
    at += usize::from(byte(doc, at) == b'-');
    let first = byte(doc, at);
    if !first.is_ascii_digit() {
        return Err(Syntax::new(at, "a digit"));
    }
    at += 1;
    if first == b'0' && byte(doc, at).is_ascii_digit() {
        return Err(Syntax::new(at - 1, "a number without leading zeros"));
    }
    at = digits(doc, at);
    let mut whole = true;
    if byte(doc, at) == b'.' {
        whole = false;
        at = some_digits(doc, at + 1, "a digit after the decimal point")?;
    }
    if matches!(byte(doc, at), b'e' | b'E') {
        whole = false;
        at += 1 + usize::from(matches!(byte(doc, at + 1), b'+' | b'-'));
        at = some_digits(doc, at, "a digit of the exponent")?;
    }
    Ok((at, whole))
}

#[inline(always)]
fn digits(doc: &[u8], mut at: usize) -> usize {
    while byte(doc, at).is_ascii_digit() {
        at += 1;
    }
    at
}

fn some_digits(doc: &[u8], at: usize, expected: &'static str) -> Result<usize, Syntax> {
    match digits(doc, at) {
        end if end == at => Err(Syntax::new(at, expected)),
        end => Ok(end),
    }
}

/// The value at `at` (no white space before it), inside `depth` containers, and where it ends.
#[inline(always)]
pub(super) fn value(doc: &[u8], at: usize, depth: usize) -> Result<(Slot, usize), Syntax> {
    let slot = |kind, start, end| Slot { kind, start, end };
    match byte(doc, at) {
        b'"' => {
            let (end, escapes) = string(doc, at + 1)?;
            let kind = if escapes { Kind::Escaped } else { Kind::Plain };
            Ok((slot(kind, at + 1, end), end + 1))
        }
        b'{' => container(doc, at, depth).map(|end| (slot(Kind::Object, at, end), end)),
        b'[' => container(doc, at, depth).map(|end| (slot(Kind::Array, at, end), end)),
        b'-' | b'0'..=b'9' => {
            let (end, whole) = number(doc, at)?;
            Ok((
                slot(if whole { Kind::Int } else { Kind::Float }, at, end),
                end,
            ))
        }
        _ => {
            let rest = doc.get(at..).unwrap_or_default();
            let (kind, end) = if rest.starts_with(b"null") {
                (Kind::Null, at + 4)
            } else if rest.starts_with(b"true") {
                (Kind::True, at + 4)
            } else if rest.starts_with(b"false") {
                (Kind::False, at + 5)
            } else {
                return Err(Syntax::new(at, "a value"));
            };
            Ok((slot(kind, at, end), end))
        }
    }
}

/// The colon after a key that ends at `at`, and the white space around it: where the value begins.
#[inline(always)]
pub(super) fn colon(doc: &[u8], at: usize) -> Result<usize, Syntax> {
    let at = space(doc, at);
    if byte(doc, at) != b':' {
        return Err(Syntax::new(at, "':' after a key"));
    }
    Ok(space(doc, at + 1))
}

/// The end of the object or array at `at`, inside `depth` other containers.
fn container(doc: &[u8], mut at: usize, depth: usize) -> Result<usize, Syntax> {
    // One bit a container, set for objects.
    let mut objects = [0u64; MAX_DEPTH.div_ceil(64)];
    let mut open = 0usize;
    loop {
        // A value begins at `at`.
        let start = byte(doc, at);
        if start == b'{' || start == b'[' {
            if depth + open >= MAX_DEPTH {
                return Err(Syntax::new(
                    at,
                    "at most 1000 objects and arrays inside each other",
                ));
            }
            let (word, bit) = (open / 64, 1u64 << (open % 64));
            if start == b'{' {
                objects[word] |= bit
            } else {
                objects[word] &= !bit
            }
            open += 1;
            at = space(doc, at + 1);
            if byte(doc, at) != closer(&objects, open) {
                if start == b'{' {
                    at = key(doc, at)?;
                }
                continue;
            }
        } else {
            // Never a container, so this does not call back.
            at = scalar(doc, at)?;
            at = space(doc, at);
        }
        // A value ended; close what closes here, up to the next value.
        loop {
            if byte(doc, at) == closer(&objects, open) {
                at += 1;
                open -= 1;
                if open == 0 {
                    return Ok(at);
                }
                at = space(doc, at);
                continue;
            }
            let object = closer(&objects, open) == b'}';
            if byte(doc, at) != b',' {
                return Err(Syntax::new(
                    at,
                    if object { "',' or '}'" } else { "',' or ']'" },
                ));
            }
            at = space(doc, at + 1);
            if object {
                at = key(doc, at)?;
            }
            break;
        }
    }
}

#[inline(always)]
fn closer(objects: &[u64], open: usize) -> u8 {
    let last = open.saturating_sub(1);
    if objects[last / 64] >> (last % 64) & 1 == 1 {
        b'}'
    } else {
        b']'
    }
}

fn key(doc: &[u8], at: usize) -> Result<usize, Syntax> {
    if byte(doc, at) != b'"' {
        return Err(Syntax::new(at, "'\"' to begin a key"));
    }
    let (end, _) = string(doc, at + 1)?;
    colon(doc, end + 1)
}

fn scalar(doc: &[u8], at: usize) -> Result<usize, Syntax> {
    match byte(doc, at) {
        b'"' => string(doc, at + 1).map(|(end, _)| end + 1),
        b'-' | b'0'..=b'9' => number(doc, at).map(|(end, _)| end),
        _ => {
            let rest = doc.get(at..).unwrap_or_default();
            match rest {
                [b'n', b'u', b'l', b'l', ..] | [b't', b'r', b'u', b'e', ..] => Ok(at + 4),
                [b'f', b'a', b'l', b's', b'e', ..] => Ok(at + 5),
                _ => Err(Syntax::new(at, "a value")),
            }
        }
    }
}

/// Appends the text of a string with escapes, which [`string`] has checked. Half a surrogate pair becomes `?`, as where
/// Java writes such a string as UTF-8.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = byte(rest, at + 1);
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (unit, after) = hex(rest);
                rest = after;
                let mut code = unit;
                if (0xD800..0xDC00).contains(&unit)
                    && let [b'\\', b'u', second @ ..] = rest
                {
                    let (low, after) = hex(second);
                    if (0xDC00..0xE000).contains(&low) {
                        code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        rest = after;
                    }
                }
                let c = char::from_u32(code).unwrap_or('?');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// The four hexadecimal digits at the front, and what follows.
fn hex(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at(text.len().min(4));
    let digit = |b: &u8| (*b as char).to_digit(16).unwrap_or(0);
    (
        digits.iter().fold(0, |value, b| value * 16 + digit(b)),
        rest,
    )
}
