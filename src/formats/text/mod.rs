//! Values as text, the way Java and Flink write and read them: shared by the formats and by casts to and from STRING.

mod number;
mod time;

pub use number::{
    parse_decimal, parse_double, parse_float, parse_int, write_decimal, write_decimal_plain,
    write_decimal_stripped, write_double, write_float, write_int,
};
pub use time::{
    Instant, TimestampStyle, parse_date, parse_iso_time, parse_time, parse_timestamp,
    timestamp_to_unit, write_date, write_time, write_timestamp,
};

pub(crate) use time::days_from_civil;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Standard alphabet, padding required, stray low bits in the last letter ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Bytes as base64 with padding.
pub fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    // The room is exact, so nothing is left over and no error can come.
    let written = BASE64.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// Appends the bytes that base64 `text` stands for; `None` (and nothing appended) when it is not base64.
pub fn parse_base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let done = BASE64.decode_vec(text, out).ok();
    if done.is_none() {
        out.truncate(start);
    }
    done
}

/// What Java's `String.trim` leaves: without characters up to the space on both sides.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| *b > b' ').unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| *b > b' ')
        .map_or(start, |i| i + 1);
    &text[start..end]
}

/// Java's `Boolean.parseBoolean` of the trimmed text: only "true", in any case, is true.
pub(crate) fn parse_bool(text: &[u8]) -> bool {
    trim(text).eq_ignore_ascii_case(b"true")
}

/// The beginning of a value for a message: at most 60 bytes, on one line.
pub(crate) fn excerpt(value: &[u8]) -> String {
    const LIMIT: usize = 60;
    let short = &value[..value.len().min(LIMIT)];
    let mut text: String = String::from_utf8_lossy(short)
        .trim_end_matches(char::REPLACEMENT_CHARACTER)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if value.len() > LIMIT {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_jackson_reads_and_writes_it() {
        for (text, expected) in [
            ("aGk=", Some(&b"hi"[..])),
            ("aGl=", Some(b"hi")),
            ("", Some(b"")),
            ("+/+/", Some(b"\xfb\xff\xbf")),
            ("aGk", None),
            ("aG k=", None),
            ("a", None),
            ("!!!!", None),
            ("-_-_", None),
            ("aGk=xx", None),
        ] {
            let mut out = b"x".to_vec();
            let done = parse_base64(text.as_bytes(), &mut out);
            assert_eq!(done.map(|()| &out[1..]), expected, "{text}");
            assert_eq!(out[0], b'x');
        }
        let mut out = Vec::new();
        for bytes in [&b""[..], b"h", b"hi", b"hi!", b"\xff\xfe"] {
            out.clear();
            write_base64(bytes, &mut out);
            let mut back = Vec::new();
            parse_base64(&out, &mut back).unwrap();
            assert_eq!(back, bytes);
        }
    }

    #[test]
    fn trim_is_javas() {
        assert_eq!(trim(b" \x01 a b\t\n"), b"a b");
        assert_eq!(trim(b"  "), b"");
        assert_eq!(trim("\u{a0}7".as_bytes()), "\u{a0}7".as_bytes());
        assert!(parse_bool(b" TRUE "));
        assert!(!parse_bool(b"yes"));
    }

    #[test]
    fn excerpts_are_short_and_valid() {
        assert_eq!(excerpt(b"a\nb"), "a b");
        let long = "é".repeat(100);
        let cut = excerpt(long.as_bytes());
        assert!(cut.ends_with("...") && cut.len() <= 63);
        assert!(excerpt(&format!("x{long}").into_bytes()).starts_with("xé"));
    }
}
