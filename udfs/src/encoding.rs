//! Text as Base64 and as digests in hexadecimal.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{ArrayRef, BinaryArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::function::{Call, Function, Kind, Nulls, Takes};

const fn text(
    name: &'static str,
    kind: &'static [Kind],
    eval: fn(&Call) -> Result<ArrayRef>,
) -> Function {
    const TEXT: fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType> =
        |_, _| Ok(DataType::Utf8);
    Function::new(
        name,
        Takes::Fixed(kind.len(), kind),
        TEXT,
        Nulls::Strict,
        eval,
    )
}

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    text("to_base64", &[Kind::Bytes], |call| {
        mapped(call, |bytes, out| STANDARD.encode_string(bytes, out))
    }),
    text("from_base64", &[Kind::Text], |call| {
        let texts = call.text(0)?;
        call.strings(|row, out| {
            let Some(text) = texts.get(row) else {
                return Ok(false);
            };
            match STANDARD.decode(text) {
                Ok(bytes) => out.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => return exec_err!("FROM_BASE64: '{text}' is no Base64: {error}"),
            }
            Ok(true)
        })
    })
    .fails(),
    text("md5", &[Kind::Bytes], |call| mapped(call, digest::<Md5>)),
    text("sha1", &[Kind::Bytes], |call| mapped(call, digest::<Sha1>)),
    text("sha224", &[Kind::Bytes], |call| {
        mapped(call, digest::<Sha224>)
    }),
    text("sha256", &[Kind::Bytes], |call| {
        mapped(call, digest::<Sha256>)
    }),
    text("sha384", &[Kind::Bytes], |call| {
        mapped(call, digest::<Sha384>)
    }),
    text("sha512", &[Kind::Bytes], |call| {
        mapped(call, digest::<Sha512>)
    }),
    text("sha2", &[Kind::Bytes, Kind::Int], |call| {
        let bits = call.ints(1)?;
        each(call, |row, bytes, out| {
            match bits.get(row) {
                Some(224) => digest::<Sha224>(bytes, out),
                Some(256) => digest::<Sha256>(bytes, out),
                Some(384) => digest::<Sha384>(bytes, out),
                Some(512) => digest::<Sha512>(bytes, out),
                None => return Ok(false),
                Some(other) => {
                    return exec_err!("SHA2: argument 2 is {other}, expected 224, 256, 384 or 512");
                }
            }
            Ok(true)
        })
    })
    .fails(),
];

fn digest<D: Digest>(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in D::digest(bytes) {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn mapped(call: &Call, f: fn(&[u8], &mut String)) -> Result<ArrayRef> {
    each(call, |_, bytes, out| {
        f(bytes, out);
        Ok(true)
    })
}

/// Text from the bytes of argument 0, row by row.
fn each(
    call: &Call,
    mut f: impl FnMut(usize, &[u8], &mut String) -> Result<bool>,
) -> Result<ArrayRef> {
    if *call.data_type(0) == DataType::Binary {
        let column = call.column::<BinaryArray>(0)?;
        return call.strings(|row, out| match column.get(row) {
            Some(bytes) => f(row, bytes, out),
            None => Ok(false),
        });
    }
    let column = call.text(0)?;
    call.strings(|row, out| match column.get(row) {
        Some(text) => f(row, text.as_bytes(), out),
        None => Ok(false),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{int, no_text, show, text};

    #[test]
    fn encodes() {
        let hello = || vec![text("hello")];
        let table = [
            ("to_base64", hello(), "aGVsbG8="),
            ("to_base64", vec![text("\u{e9}")], "w6k="),
            ("from_base64", vec![text("aGVsbG8=")], "hello"),
            ("md5", hello(), "5d41402abc4b2a76b9719d911017c592"),
            ("md5", vec![no_text()], "NULL"),
            ("sha1", hello(), "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
            (
                "sha256",
                hello(),
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            ),
            (
                "sha2",
                vec![text("hello"), int(256)],
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            ),
            (
                "sha224",
                vec![text("a")],
                "abd37534c7d9a2efb9465de931cd7055ffdb8879563ae98078d6d6d5",
            ),
        ];
        for (name, args, expected) in table {
            assert_eq!(show(name, &args), expected, "{name} {args:?}");
        }
        assert!(show("from_base64", &[text("***")]).contains("is no Base64"));
    }
}
