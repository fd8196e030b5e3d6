//! Text and numbers in other notations: HEX, UNHEX, BIN, ENCODE, DECODE, URL_ENCODE, URL_DECODE.

use std::fmt::Write;

use datafusion::arrow::array::{ArrayRef, BinaryArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};

use crate::function::{BigInt, Call, Function, Kind, Nulls, Takes};

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
const TEXT: Returns = |_, _| Ok(DataType::Utf8);
const BYTES: Returns = |_, _| Ok(DataType::Binary);

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "hex",
        Takes::Fixed(1, &[Kind::IntOrText]),
        TEXT,
        Nulls::Strict,
        hex,
    ),
    Function::new(
        "unhex",
        Takes::Fixed(1, &[Kind::Text]),
        BYTES,
        Nulls::Maybe,
        |call| {
            let texts = call.text(0)?;
            call.byte_strings(|row| Ok(texts.get(row).and_then(unhex)))
        },
    ),
    Function::new(
        "bin",
        Takes::Fixed(1, &[Kind::Int]),
        TEXT,
        Nulls::Strict,
        |call| {
            let numbers = call.ints(0)?;
            call.strings(|row, out| write(out, numbers.get(row).map(|n| format!("{n:b}"))))
        },
    ),
    Function::new(
        "encode",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        BYTES,
        Nulls::Strict,
        |call| {
            let (texts, names) = (call.text(0)?, call.text(1)?);
            call.byte_strings(|row| match (texts.get(row), names.get(row)) {
                (Some(text), Some(name)) => charset(call, name).map(|c| Some(c.encode(text))),
                _ => Ok(None),
            })
        },
    )
    .fails(),
    Function::new(
        "decode",
        Takes::Fixed(2, &[Kind::Bytes, Kind::Text]),
        TEXT,
        Nulls::Strict,
        decode,
    )
    .fails(),
    Function::new(
        "url_encode",
        Takes::Fixed(1, &[Kind::Text]),
        TEXT,
        Nulls::Strict,
        |call| {
            let texts = call.text(0)?;
            call.strings(|row, out| {
                let Some(text) = texts.get(row) else {
                    return Ok(false);
                };
                for byte in text.bytes() {
                    match byte {
                        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'*' | b'_' => {
                            out.push(char::from(byte));
                        }
                        b' ' => out.push('+'),
                        // Writing to a String does not fail.
                        _ => drop(write!(out, "%{byte:02X}")),
                    }
                }
                Ok(true)
            })
        },
    ),
    Function::new(
        "url_decode",
        Takes::Fixed(1, &[Kind::Text]),
        TEXT,
        Nulls::Maybe,
        |call| {
            let texts = call.text(0)?;
            call.strings(|row, out| write(out, texts.get(row).and_then(url_decoded)))
        },
    ),
];

fn write(out: &mut String, text: Option<String>) -> Result<bool> {
    text.iter().for_each(|text| out.push_str(text));
    Ok(text.is_some())
}

fn hex(call: &Call) -> Result<ArrayRef> {
    if *call.data_type(0) != DataType::Utf8 {
        let numbers = call.cast::<BigInt>(0)?;
        return call.strings(|row, out| write(out, numbers.get(row).map(|n| format!("{n:X}"))));
    }
    let texts = call.text(0)?;
    call.strings(|row, out| {
        let Some(text) = texts.get(row) else {
            return Ok(false);
        };
        for byte in text.bytes() {
            // Writing to a String does not fail.
            let _ = write!(out, "{byte:02X}");
        }
        Ok(true)
    })
}

/// Two digits a byte. Of an odd number of digits, the first gives a byte 0, as in Flink.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text
        .chars()
        .map(|c| c.to_digit(16))
        .collect::<Option<Vec<u32>>>()?;
    let odd = digits.len() % 2;
    let pairs = digits[odd..]
        .chunks(2)
        .map(|p| u8::try_from(p[0] * 16 + p[1]).unwrap_or(0));
    Some(std::iter::repeat_n(0, odd).chain(pairs).collect())
}

/// None where a `%` has no two digits after it. Bytes that are no UTF-8 become U+FFFD.
fn url_decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                out.push(
                    u8::from_str_radix(digits, 16)
                        .ok()
                        .filter(|_| !digits.starts_with('+'))?,
                );
                at += 2;
            }
            byte => out.push(*byte),
        }
        at += 1;
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// The character sets that Java always has.
#[derive(Debug, Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16 { big: bool, mark: bool },
}

fn charset(call: &Call, name: &str) -> Result<Charset> {
    Ok(match name.to_uppercase().as_str() {
        "US-ASCII" | "ASCII" => Charset::Ascii,
        "ISO-8859-1" | "LATIN1" => Charset::Latin1,
        "UTF-8" | "UTF8" => Charset::Utf8,
        "UTF-16BE" => Charset::Utf16 {
            big: true,
            mark: false,
        },
        "UTF-16LE" => Charset::Utf16 {
            big: false,
            mark: false,
        },
        "UTF-16" => Charset::Utf16 {
            big: true,
            mark: true,
        },
        _ => {
            return exec_err!(
                "{}: unknown character set '{name}'; US-ASCII, ISO-8859-1, UTF-8, UTF-16, UTF-16BE and UTF-16LE are known",
                call.name()
            );
        }
    })
}

impl Charset {
    fn encode(self, text: &str) -> Vec<u8> {
        let narrow = |limit: u32| {
            text.chars()
                .map(|c| if u32::from(c) < limit { c as u8 } else { b'?' })
                .collect()
        };
        match self {
            Self::Ascii => narrow(128),
            Self::Latin1 => narrow(256),
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 { big, mark } => {
                let mark = mark.then_some(0xfeff_u16);
                let units = mark.into_iter().chain(text.encode_utf16());
                units
                    .flat_map(|u| {
                        if big {
                            u.to_be_bytes()
                        } else {
                            u.to_le_bytes()
                        }
                    })
                    .collect()
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Ascii => bytes
                .iter()
                .map(|b| {
                    if b.is_ascii() {
                        char::from(*b)
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
            Self::Latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16 { big, mark } => {
                let (bytes, big) = match bytes {
                    [0xfe, 0xff, rest @ ..] if mark => (rest, true),
                    [0xff, 0xfe, rest @ ..] if mark => (rest, false),
                    _ => (bytes, big),
                };
                let pairs = bytes
                    .chunks(2)
                    .map(|p| [p[0], p.get(1).copied().unwrap_or(0)]);
                let units: Vec<u16> = pairs
                    .map(|p| {
                        if big {
                            u16::from_be_bytes(p)
                        } else {
                            u16::from_le_bytes(p)
                        }
                    })
                    .collect();
                String::from_utf16_lossy(&units)
            }
        }
    }
}

fn decode(call: &Call) -> Result<ArrayRef> {
    let names = call.text(1)?;
    let decoded = |row: usize, bytes: Option<&[u8]>, out: &mut String| match (bytes, names.get(row))
    {
        (Some(bytes), Some(name)) => {
            out.push_str(&charset(call, name)?.decode(bytes));
            Ok(true)
        }
        _ => Ok(false),
    };
    if *call.data_type(0) == DataType::Binary {
        let column = call.column::<BinaryArray>(0)?;
        return call.strings(|row, out| decoded(row, column.get(row), out));
    }
    let column = call.text(0)?;
    call.strings(|row, out| decoded(row, column.get(row).map(str::as_bytes), out))
}
