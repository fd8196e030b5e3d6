//! JSON text as Jackson prints it: strings with their escapes, and whole values read into STRING columns.

use std::collections::HashMap;

use super::super::text;
use super::scan::{self, byte, space};

/// Appends `value` (UTF-8) as a JSON string. Only quotes, backslashes and control characters are escaped; with
/// `surrogates` also characters beyond U+FFFF, as pairs, which is what Jackson does when it writes bytes.
pub(super) fn write_string(value: &[u8], surrogates: bool, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    let mut plain = 0;
    let mut at = 0;
    while let Some(&byte) = value.get(at) {
        let escape = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..=31 => b'u',
            0xF0..=0xFF if surrogates => {
                out.extend_from_slice(&value[plain..at]);
                at += write_surrogates(&value[at..], out);
                plain = at;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&value[plain..at]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
        at += 1;
        plain = at;
    }
    out.extend_from_slice(&value[plain..]);
    out.push(b'"');
}

/// Writes the character at the front of `value` as two escapes; gives its length.
fn write_surrogates(value: &[u8], out: &mut Vec<u8>) -> usize {
    let len = value.len().min(4);
    if let Ok(text) = std::str::from_utf8(&value[..len])
        && let Some(c) = text.chars().next()
    {
        for unit in c.encode_utf16(&mut [0; 2]) {
            for shift in [12, 8, 4, 0] {
                if shift == 12 {
                    out.extend_from_slice(b"\\u");
                }
                let digit = (*unit >> shift & 15) as u8;
                out.push(if digit < 10 {
                    b'0' + digit
                } else {
                    b'A' + digit - 10
                });
            }
        }
        return c.len_utf8();
    }
    len
}

/// Appends a DOUBLE as a JSON value: what is no number is a string.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        return text::write_double(value, out);
    }
    out.push(b'"');
    text::write_double(value, out);
    out.push(b'"');
}

/// Prints values without white space, as Jackson prints a tree it has read: fractions as doubles, the last of equal
/// keys in the first one's place.
#[derive(Default)]
pub(super) struct Compact {
    /// The members of the objects that are open, one object's after another's.
    members: Vec<Member>,
    unescaped: Vec<u8>,
}

/// Where a member stands in the output: its key with quotes, and the end of its value.
#[derive(Clone, Copy)]
struct Member {
    key: usize,
    key_end: usize,
    end: usize,
}

impl Compact {
    /// Appends the value at `at` of a document that has been scanned, so at most 1000 deep; gives its end.
    pub(super) fn write(&mut self, doc: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
        match byte(doc, at) {
            b'{' => self.object(doc, at, out),
            b'[' => {
                out.push(b'[');
                let mut at = space(doc, at + 1);
                while at < doc.len() && byte(doc, at) != b']' {
                    at = space(doc, self.write(doc, at, out));
                    if byte(doc, at) == b',' {
                        out.push(b',');
                        at = space(doc, at + 1);
                    }
                }
                out.push(b']');
                at + 1
            }
            b'"' => self.string(doc, at, out),
            _ => {
                // The document is whole, so the scan does not fail; should it, the rest is skipped.
                let Ok((slot, end)) = scan::value(doc, at, 0) else {
                    return doc.len();
                };
                let value = slot.of(doc);
                match slot.kind {
                    scan::Kind::Float => {
                        write_double(text::parse_double(value).unwrap_or(f64::NAN), out)
                    }
                    scan::Kind::Int if value == b"-0" => out.push(b'0'),
                    _ => out.extend_from_slice(value),
                }
                end
            }
        }
    }

    fn string(&mut self, doc: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
        let Ok((end, escapes)) = scan::string(doc, at + 1) else {
            return doc.len();
        };
        let raw = doc.get(at + 1..end).unwrap_or_default();
        if escapes {
            self.unescaped.clear();
            scan::unescape(raw, &mut self.unescaped);
            write_string(&self.unescaped, false, out);
        } else {
            write_string(raw, false, out);
        }
        end + 1
    }

    fn object(&mut self, doc: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
        let first = self.members.len();
        let start = out.len();
        out.push(b'{');
        let mut at = space(doc, at + 1);
        while at < doc.len() && byte(doc, at) != b'}' {
            let key = out.len();
            at = self.string(doc, at, out);
            let key_end = out.len();
            out.push(b':');
            at = space(doc, at);
            at = space(doc, at + 1);
            at = space(doc, self.write(doc, at, out));
            self.members.push(Member {
                key,
                key_end,
                end: out.len(),
            });
            if byte(doc, at) == b',' {
                out.push(b',');
                at = space(doc, at + 1);
            }
        }
        out.push(b'}');
        if equal_keys(&self.members[first..], out) {
            rewrite(&self.members[first..], start, out);
        }
        self.members.truncate(first);
        at + 1
    }
}

fn equal_keys(members: &[Member], out: &[u8]) -> bool {
    let key = |m: &Member| &out[m.key..m.key_end];
    match members.len() {
        0..=16 => {
            (1..members.len()).any(|i| members[..i].iter().any(|m| key(m) == key(&members[i])))
        }
        _ => {
            let mut known = std::collections::HashSet::with_capacity(members.len());
            members.iter().any(|m| !known.insert(key(m)))
        }
    }
}

/// Writes the object that begins at `start` again, each key once.
fn rewrite(members: &[Member], start: usize, out: &mut Vec<u8>) {
    let old = out.split_off(start);
    let part = |from: usize, to: usize| &old[from - start..to - start];
    let mut last = HashMap::new();
    for member in members {
        last.insert(part(member.key, member.key_end), *member);
    }
    out.push(b'{');
    let mut written = std::collections::HashSet::new();
    for member in members {
        let key = part(member.key, member.key_end);
        if written.insert(key) {
            if written.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            let value = last.get(key).unwrap_or(member);
            out.extend_from_slice(part(value.key_end, value.end));
        }
    }
    out.push(b'}');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn values_as_jackson_prints_a_tree() {
        for (doc, expected) in [
            (
                r#"{"x" : [1, 2.50,1e3,12345678901234567890123,0.1e400,"\u00e9\/\n\u0001\u007f", null,true]}"#,
                "{\"x\":[1,2.5,1000.0,12345678901234567890123,\"Infinity\",\"é/\\n\\u0001\u{7f}\",null,true]}",
            ),
            (
                "[-0,-0.0, \"😀\" ,{\"😀\":1},1E5,1.0E+2,1e-400]",
                "[0,-0.0,\"😀\",{\"😀\":1},100000.0,100.0,0.0]",
            ),
            (
                r#"{"x":1,"y":2,"x":{"z":3,"z" : 4}}"#,
                r#"{"x":{"z":4},"y":2}"#,
            ),
            (r#"{"x":1,"\u0078":2}"#, r#"{"x":2}"#),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (r#"["\ud83d"]"#, r#"["?"]"#),
        ] {
            let mut out = b"<".to_vec();
            Compact::default().write(doc.as_bytes(), 0, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("<{expected}"));
        }
        let many = (0..40)
            .map(|i| format!("\"k{}\":{i}", i % 20))
            .collect::<Vec<_>>()
            .join(",");
        let mut out = Vec::new();
        Compact::default().write(format!("{{{many}}}").as_bytes(), 0, &mut out);
        let once = (0..20)
            .map(|i| format!("\"k{i}\":{}", i + 20))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(String::from_utf8(out).unwrap(), format!("{{{once}}}"));
    }

    #[test]
    fn strings_as_jackson_escapes_them() {
        let all: String = (0..0x21u8)
            .map(char::from)
            .chain("\"\\/\u{7f}\u{80}é\u{2028}😀<>&'".chars())
            .collect();
        let mut out = Vec::new();
        write_string(all.as_bytes(), true, &mut out);
        let expected = concat!(
            r#""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000B\f\r\u000E\u000F\u0010\u0011\u0012\u0013"#,
            r#"\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F \"\\/"#,
            "\u{7f}\u{80}é\u{2028}",
            r#"\uD83D\uDE00<>&'""#
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
