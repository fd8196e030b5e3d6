//! Functions of text. Positions count characters from 1.

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue, exec_err};

use crate::function::{Call, Column, Function, Kind, Nulls, Takes};

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
const TEXT: Returns = |_, _| Ok(DataType::Utf8);
const INT: Returns = |_, _| Ok(DataType::Int32);
const BOOLEAN: Returns = |_, _| Ok(DataType::Boolean);

const fn strict(
    name: &'static str,
    least: usize,
    kinds: &'static [Kind],
    returns: Returns,
    eval: fn(&Call) -> Result<ArrayRef>,
) -> Function {
    Function::new(
        name,
        Takes::Fixed(least, kinds),
        returns,
        Nulls::Strict,
        eval,
    )
}

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    strict("char_length", 1, &[Kind::Text], INT, |call| {
        counts(call, |text| i64_of(length(text)))
    })
    .alias(&["character_length"]),
    strict("upper", 1, &[Kind::Text], TEXT, |call| {
        mapped(call, |text, out| {
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_uppercase();
            } else {
                out.push_str(&text.to_uppercase());
            }
        })
    }),
    strict("lower", 1, &[Kind::Text], TEXT, |call| {
        mapped(call, |text, out| {
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_lowercase();
            } else {
                out.push_str(&text.to_lowercase());
            }
        })
    }),
    Function::new(
        "substring",
        Takes::Fixed(2, &[Kind::Text, Kind::Int, Kind::Int]),
        TEXT,
        Nulls::Maybe,
        substring,
    )
    .alias(&["substr"]),
    strict("trim", 1, &[Kind::Text, Kind::Text], TEXT, |call| {
        trim(call, true, true)
    })
    .alias(&["btrim"]),
    strict("ltrim", 1, &[Kind::Text, Kind::Text], TEXT, |call| {
        trim(call, true, false)
    }),
    strict("rtrim", 1, &[Kind::Text, Kind::Text], TEXT, |call| {
        trim(call, false, true)
    }),
    Function::new(
        "lpad",
        Takes::Fixed(3, &[Kind::Text, Kind::Int, Kind::Text]),
        TEXT,
        Nulls::Maybe,
        |call| pad(call, true),
    )
    .fails(),
    Function::new(
        "rpad",
        Takes::Fixed(3, &[Kind::Text, Kind::Int, Kind::Text]),
        TEXT,
        Nulls::Maybe,
        |call| pad(call, false),
    )
    .fails(),
    Function::new(
        "concat",
        Takes::Many(1, Kind::Text),
        TEXT,
        Nulls::Strict,
        concat,
    ),
    Function::new(
        "concat_ws",
        Takes::Many(1, Kind::Text),
        TEXT,
        Nulls::Maybe,
        concat_ws,
    ),
    strict(
        "replace",
        3,
        &[Kind::Text, Kind::Text, Kind::Text],
        TEXT,
        |call| {
            let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
            call.strings(
                |row, out| match (text.get(row), from.get(row), to.get(row)) {
                    (Some(text), Some(from), Some(to)) => {
                        if to.len() > from.len() {
                            let more = text.matches(from).count().saturating_mul(to.len());
                            call.fits(text.len().saturating_add(more))?;
                        }
                        out.push_str(&text.replace(from, to));
                        Ok(true)
                    }
                    _ => Ok(false),
                },
            )
        },
    ),
    strict("reverse", 1, &[Kind::Text], TEXT, |call| {
        mapped(call, |text, out| out.extend(text.chars().rev()))
    }),
    strict("repeat", 2, &[Kind::Text, Kind::Int], TEXT, repeat).fails(),
    strict(
        "locate",
        2,
        &[Kind::Text, Kind::Text, Kind::Int],
        INT,
        locate,
    ),
    strict(
        "instr",
        2,
        &[Kind::Text, Kind::Text, Kind::Int, Kind::Int],
        INT,
        instr,
    )
    .fails(),
    strict("left", 2, &[Kind::Text, Kind::Int], TEXT, |call| {
        ends(call, |text, n| &text[..byte_at(text, n)])
    }),
    strict("right", 2, &[Kind::Text, Kind::Int], TEXT, |call| {
        ends(call, |text, n| {
            &text[byte_at(text, length(text).saturating_sub(n))..]
        })
    }),
    Function::new(
        "split_index",
        Takes::Fixed(3, &[Kind::Text, Kind::IntOrText, Kind::Int]),
        TEXT,
        Nulls::Maybe,
        split_index,
    ),
    strict("initcap", 1, &[Kind::Text], TEXT, |call| {
        mapped(call, initcap)
    }),
    strict("ascii", 1, &[Kind::Text], INT, |call| {
        counts(call, |text| {
            text.bytes()
                .next()
                .map_or(0, |byte| i64::from(byte.cast_signed()))
        })
    }),
    strict("chr", 1, &[Kind::Int], TEXT, |call| {
        let codes = call.ints(0)?;
        call.strings(|row, out| match codes.get(row) {
            Some(code) => {
                if code >= 0 {
                    out.push(char::from((code & 255) as u8));
                }
                Ok(true)
            }
            None => Ok(false),
        })
    }),
    strict(
        "startswith",
        2,
        &[Kind::Text, Kind::Text],
        BOOLEAN,
        |call| compared(call, |text, part| text.starts_with(part)),
    ),
    strict("endswith", 2, &[Kind::Text, Kind::Text], BOOLEAN, |call| {
        compared(call, |text, part| text.ends_with(part))
    }),
];

fn i64_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The byte where character `n` (from 0) begins, or the end.
fn byte_at(text: &str, n: usize) -> usize {
    if text.is_ascii() {
        return n.min(text.len());
    }
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// A count as an index; 0 if it is negative.
fn index(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn mapped(call: &Call, f: fn(&str, &mut String)) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.strings(|row, out| {
        let text = texts.get(row);
        text.inspect(|text| f(text, out));
        Ok(text.is_some())
    })
}

fn counts(call: &Call, f: fn(&str) -> i64) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.values::<Int32Type>(|row| texts.get(row).map(|text| to_int(call, f(text))).transpose())
}

fn to_int(call: &Call, count: i64) -> Result<i32> {
    match i32::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) => exec_err!("{}: {count} does not fit INT", call.name()),
    }
}

fn compared(call: &Call, f: fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (texts, parts) = (call.text(0)?, call.text(1)?);
    call.booleans(|row| {
        let both = texts.get(row).zip(parts.get(row));
        Ok(both.map(|(text, part)| f(text, part)))
    })
}

fn ends(call: &Call, f: fn(&str, usize) -> &str) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0)?, call.ints(1)?);
    call.slices(|row| {
        let both = texts.get(row).zip(counts.get(row));
        Ok(both.map(|(text, n)| f(text, index(n))))
    })
}

/// An optional argument of a whole number.
fn optional_int(call: &Call, at: usize, default: i64) -> Result<impl Fn(usize) -> Option<i64>> {
    let column = if at < call.len() {
        Some(call.ints(at)?)
    } else {
        None
    };
    Ok(move |row| match &column {
        Some(column) => column.get(row),
        None => Some(default),
    })
}

fn substring(call: &Call) -> Result<ArrayRef> {
    let (texts, starts) = (call.text(0)?, call.ints(1)?);
    let lengths = optional_int(call, 2, i64::MAX)?;
    call.slices(|row| {
        let (Some(text), Some(start), Some(length)) =
            (texts.get(row), starts.get(row), lengths(row))
        else {
            return Ok(None);
        };
        Ok(substring_of(text, start, length))
    })
}

/// From a start, counted from the end where it is negative; nothing where it lies before the text. 0 is as 1.
fn substring_of(text: &str, start: i64, count: i64) -> Option<&str> {
    if count < 0 {
        return None;
    }
    let skip = if start < 0 {
        match i64_of(length(text)).checked_add(start) {
            Some(from @ 0..) => index(from),
            _ => return Some(""),
        }
    } else {
        index(start - i64::from(start > 0))
    };
    let rest = &text[byte_at(text, skip)..];
    Some(&rest[..byte_at(rest, index(count))])
}

fn trim(call: &Call, front: bool, back: bool) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let sets = if call.len() > 1 {
        Some(call.text(1)?)
    } else {
        None
    };
    call.slices(|row| {
        let set = match &sets {
            Some(column) => column.get(row),
            None => Some(" "),
        };
        let (Some(mut text), Some(set)) = (texts.get(row), set) else {
            return Ok(None);
        };
        if front {
            text = text.trim_start_matches(|c| set.contains(c));
        }
        if back {
            text = text.trim_end_matches(|c| set.contains(c));
        }
        Ok(Some(text))
    })
}

/// To a length in UTF-16 units, as Java counts; NULL without anything to pad with.
fn pad(call: &Call, front: bool) -> Result<ArrayRef> {
    let (texts, lengths, pads) = (call.text(0)?, call.ints(1)?, call.text(2)?);
    call.strings(|row, out| {
        let (Some(text), Some(length), Some(pad)) =
            (texts.get(row), lengths.get(row), pads.get(row))
        else {
            return Ok(false);
        };
        let Ok(length) = usize::try_from(length) else {
            return Ok(false);
        };
        if pad.is_empty() {
            return Ok(false);
        }
        let units = |text: &str| text.chars().map(char::len_utf16).sum::<usize>();
        let filled = |wanted: usize, from: &str, out: &mut String| {
            let mut left = wanted;
            for c in from.chars().cycle() {
                if c.len_utf16() > left || left == 0 {
                    break;
                }
                left -= c.len_utf16();
                out.push(c);
            }
        };
        let own = units(text);
        if own < length {
            // A UTF-16 unit has up to three bytes here.
            let widest = pad.chars().map(char::len_utf8).max().unwrap_or(1).min(3);
            let more = (length - own).saturating_mul(widest);
            call.fits(text.len().saturating_add(more))?;
        }
        if own >= length {
            filled(length, text, out);
        } else if front {
            filled(length - own, pad, out);
            out.push_str(text);
        } else {
            out.push_str(text);
            filled(length - own, pad, out);
        }
        Ok(true)
    })
}

fn all_texts<'a>(call: &'a Call) -> Result<Vec<Column<'a, StringArray>>> {
    (0..call.len()).map(|at| call.text(at)).collect()
}

/// How long the texts of a row are together, with so much between them.
fn bytes_of(columns: &[Column<StringArray>], row: usize, between: usize) -> usize {
    let texts = columns.iter().filter_map(|c| c.get(row));
    texts.fold(0, |sum, text| {
        sum.saturating_add(text.len()).saturating_add(between)
    })
}

fn concat(call: &Call) -> Result<ArrayRef> {
    let columns = all_texts(call)?;
    call.strings(|row, out| {
        call.fits(bytes_of(&columns, row, 0))?;
        for column in &columns {
            match column.get(row) {
                Some(text) => out.push_str(text),
                None => return Ok(false),
            }
        }
        Ok(true)
    })
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    let columns = all_texts(call)?;
    call.strings(|row, out| {
        let Some((separator, columns)) = columns.split_first() else {
            return Ok(false);
        };
        let Some(separator) = separator.get(row) else {
            return Ok(false);
        };
        call.fits(bytes_of(columns, row, separator.len()).saturating_sub(separator.len()))?;
        let mut first = true;
        for text in columns.iter().filter_map(|c| c.get(row)) {
            if !first {
                out.push_str(separator);
            }
            out.push_str(text);
            first = false;
        }
        Ok(true)
    })
}

fn repeat(call: &Call) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0)?, call.ints(1)?);
    call.strings(|row, out| {
        let (Some(text), Some(count)) = (texts.get(row), counts.get(row)) else {
            return Ok(false);
        };
        let count = index(count);
        call.fits(text.len().saturating_mul(count))?;
        for _ in 0..count {
            out.push_str(text);
        }
        Ok(true)
    })
}

/// The place of `part`, from 0, from character `from` on.
fn find(text: &str, part: &str, from: usize) -> Option<usize> {
    let start = byte_at(text, from);
    let at = start + text[start..].find(part)?;
    Some(length(&text[..at]))
}

fn locate(call: &Call) -> Result<ArrayRef> {
    let (parts, texts) = (call.text(0)?, call.text(1)?);
    let starts = optional_int(call, 2, 1)?;
    call.values::<Int32Type>(|row| {
        let (Some(part), Some(text), Some(start)) = (parts.get(row), texts.get(row), starts(row))
        else {
            return Ok(None);
        };
        let at = find(text, part, index(start.saturating_sub(1)));
        to_int(call, at.map_or(0, |at| i64_of(at) + 1)).map(Some)
    })
}

fn instr(call: &Call) -> Result<ArrayRef> {
    let (texts, parts) = (call.text(0)?, call.text(1)?);
    let (starts, turns) = (optional_int(call, 2, 1)?, optional_int(call, 3, 1)?);
    call.values::<Int32Type>(|row| {
        let (Some(text), Some(part), Some(start), Some(nth)) =
            (texts.get(row), parts.get(row), starts(row), turns(row))
        else {
            return Ok(None);
        };
        if nth <= 0 {
            return exec_err!("INSTR: argument 4 is {nth}, expected 1 or more");
        }
        to_int(call, instr_of(text, part, start, nth)).map(Some)
    })
}

fn instr_of(text: &str, part: &str, start: i64, nth: i64) -> i64 {
    if start == 0 {
        return 0;
    }
    let mut found = None;
    if start > 0 {
        let mut from = index(start - 1);
        for _ in 0..nth {
            found = find(text, part, from);
            match found {
                Some(at) => from = at + 1,
                None => return 0,
            }
        }
    } else {
        let Some(last @ 0..) = i64_of(length(text)).checked_add(start) else {
            return 0;
        };
        let mut left = nth;
        for at in (0..=index(last)).rev() {
            if text[byte_at(text, at)..].starts_with(part) {
                left -= 1;
                if left == 0 {
                    found = Some(at);
                    break;
                }
            }
        }
    }
    found.map_or(0, |at| i64_of(at) + 1)
}

fn split_index(call: &Call) -> Result<ArrayRef> {
    let (texts, places) = (call.text(0)?, call.ints(2)?);
    let by_code = *call.data_type(1) == DataType::Int64;
    let (codes, separators) = if by_code {
        (Some(call.ints(1)?), None)
    } else {
        (None, Some(call.text(1)?))
    };
    call.slices(|row| {
        let (Some(text), Some(Ok(place))) = (texts.get(row), places.get(row).map(usize::try_from))
        else {
            return Ok(None);
        };
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(codes) = &codes {
            let code = codes.get(row).and_then(|c| u8::try_from(c).ok());
            let Some(code @ 1..=254) = code else {
                return Ok(None);
            };
            return Ok(text.split(char::from(code)).nth(place));
        }
        Ok(match separators.and_then(|s| s.get(row)) {
            None => None,
            Some("") => text.split(char::is_whitespace).nth(place),
            Some(separator) => text.split(separator).nth(place),
        })
    })
}

/// A capital at the start of every run of ASCII letters and digits, the rest small.
fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        out.push(if inside {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        });
        inside = c.is_ascii_alphanumeric();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "strings_tests.rs"]
mod tests;
