//! The `csv` format: one record a payload, fields by position, read and written as Flink's csv format does.
//!
//! Options, below `csv.`: `field-delimiter`, `disable-quote-character`, `quote-character`, `allow-comments`,
//! `ignore-parse-errors`, `array-element-delimiter`, `escape-character`, `null-literal`,
//! `write-bigdecimal-in-scientific-notation`, `trim-spaces`, `ignore-trailing-unmappable`, `allow-trailing-comma`,
//! `fail-on-missing-columns`, `empty-string-as-null`. The first line is data, unless one of two options that Flink does not have
//! says otherwise. With `header` it names the columns of its file: fields go by name then, in any order; names that the table
//! does not have are passed over, and columns that the file does not have are NULL. With `ignore-first-line` it is passed over.
//!
//! ARRAY and ROW columns are one field, their parts separated by the array element delimiter. Without `null-literal`
//! NULL is written as an empty field, which reads back as an empty string. A comment gives no row, and an empty payload
//! is a record of one empty field.

mod decode;
mod encode;
mod frame;
#[cfg(test)]
pub(super) mod tests;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{Decoder, Encoder, Format, Framer, column, format_key, lines};
use crate::catalog::options::{OptionError, Options};

/// The options of one table. Characters are kept as UTF-8.
#[derive(Debug, Clone)]
struct CsvOptions {
    delimiter: char,
    quote: Option<char>,
    escape: Option<char>,
    array_delimiter: char,
    null_literal: Option<String>,
    comments: bool,
    ignore_parse_errors: bool,
    scientific_decimals: bool,
    trim_spaces: bool,
    ignore_trailing: bool,
    allow_trailing_comma: bool,
    fail_on_missing: bool,
    empty_is_null: bool,
    /// The first line of a file names its columns.
    header: bool,
    /// The first line of a file is passed over.
    ignore_first_line: bool,
}

impl CsvOptions {
    /// A name in the first line of a file.
    fn quoted(&self, name: &str) -> String {
        let is_plain =
            |c: char| c != self.delimiter && (c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        match self.quote {
            Some(quote) if !name.chars().all(is_plain) => {
                let doubled = name.replace(quote, &format!("{quote}{quote}"));
                format!("{quote}{doubled}{quote}")
            }
            _ => name.to_string(),
        }
    }
}

struct Csv {
    schema: SchemaRef,
    options: CsvOptions,
}

pub(super) fn format(
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Box<dyn Format>, OptionError> {
    let key = |name: &str| format!("{prefix}{name}");
    let bool = |name: &str, default| options.bool(&key(name), default);
    let quote = character(options, &key("quote-character"), false)?;
    let disabled = bool("disable-quote-character", false)?;
    if disabled && quote.is_some() {
        let message = "a quote character is given, and disabled at the same time";
        return Err(OptionError::new(&key("disable-quote-character"), message)
            .with_help("remove one of the two"));
    }
    let read = CsvOptions {
        delimiter: character(options, &key("field-delimiter"), true)?.unwrap_or(','),
        quote: (!disabled).then_some(quote.unwrap_or('"')),
        escape: character(options, &key("escape-character"), false)?,
        array_delimiter: character(options, &key("array-element-delimiter"), false)?.unwrap_or(';'),
        null_literal: options.get(&key("null-literal")).map(str::to_string),
        comments: bool("allow-comments", false)?,
        ignore_parse_errors: bool("ignore-parse-errors", false)?,
        scientific_decimals: bool("write-bigdecimal-in-scientific-notation", true)?,
        trim_spaces: bool("trim-spaces", false)?,
        ignore_trailing: bool("ignore-trailing-unmappable", false)?,
        allow_trailing_comma: bool("allow-trailing-comma", true)?,
        fail_on_missing: bool("fail-on-missing-columns", false)?,
        empty_is_null: bool("empty-string-as-null", false)?,
        header: bool("header", false)?,
        ignore_first_line: bool("ignore-first-line", false)?,
    };
    if read.header && read.ignore_first_line {
        let message = "the first line is either read or ignored";
        return Err(OptionError::new(&key("ignore-first-line"), message)
            .with_help(format!("remove it: '{}' is enough", key("header"))));
    }
    for field in schema.fields() {
        check(prefix, field)?;
    }
    Ok(Box::new(Csv {
        schema,
        options: read,
    }))
}

/// An option of one character; `escapes`: it may be written as in Java source (`\t`, `\u0001`).
fn character(options: &Options, key: &str, escapes: bool) -> Result<Option<char>, OptionError> {
    let Some(text) = options.get(key) else {
        return Ok(None);
    };
    let mut chars = text.chars();
    let one = match (chars.next(), chars.as_str()) {
        (Some('\\'), escape) if escapes && !escape.is_empty() => java_escape(escape),
        (Some(c), "") => Some(c),
        _ => None,
    };
    match one {
        Some('\r' | '\n') | None => Err(OptionError::new(
            key,
            format!("'{key}' = '{text}': expected a single character, no line end"),
        )),
        Some(c) => Ok(Some(c)),
    }
}

/// The character of a Java escape, given without its backslash.
fn java_escape(escape: &str) -> Option<char> {
    let mut chars = escape.chars();
    match (chars.next()?, chars.as_str()) {
        ('t', "") => Some('\t'),
        ('b', "") => Some('\u{8}'),
        ('f', "") => Some('\u{c}'),
        ('n', "") => Some('\n'),
        ('r', "") => Some('\r'),
        ('u', hex) if hex.len() == 4 => char::from_u32(u32::from_str_radix(hex, 16).ok()?),
        (digit @ '0'..='7', rest) if rest.len() <= 2 => {
            char::from_u32(u32::from_str_radix(&format!("{digit}{rest}"), 8).ok()?)
        }
        (other @ ('\\' | '"' | '\''), "") => Some(other),
        _ => None,
    }
}

/// Refuses types that have no CSV form: MAP and MULTISET, and whatever has parts inside parts.
fn check(prefix: &str, field: &Field) -> Result<(), OptionError> {
    let plain = |kind: &DataType| {
        !matches!(
            kind,
            DataType::Struct(_) | DataType::List(_) | DataType::Map(..)
        )
    };
    let fine = match field.data_type() {
        DataType::Struct(fields) => fields.iter().all(|f| plain(f.data_type())),
        DataType::List(item) => plain(item.data_type()),
        other => plain(other),
    };
    match column::unsupported(field) {
        None if fine => Ok(()),
        kind => Err(OptionError::new(
            &format_key(prefix),
            format!(
                "column '{}': the csv format does not support the type {}; it takes plain types, and ARRAY and ROW of them",
                field.name(),
                kind.unwrap_or_else(|| field.data_type().to_string())
            ),
        )),
    }
}

impl Format for Csv {
    fn decoder(&self, projection: &[usize]) -> Box<dyn Decoder> {
        Box::new(decode::CsvDecoder::new(
            &self.schema,
            projection,
            self.options.clone(),
        ))
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(encode::CsvEncoder::new(
            self.schema.clone(),
            self.options.clone(),
        ))
    }

    fn has_header(&self) -> bool {
        self.options.header || self.options.ignore_first_line
    }

    fn file_header(&self) -> Vec<u8> {
        if !self.options.header {
            return Vec::new();
        }
        let names = self
            .schema
            .fields()
            .iter()
            .map(|f| self.options.quoted(f.name()));
        let line = names.collect::<Vec<_>>();
        let mut line = line.join(&self.options.delimiter.to_string());
        line.push('\n');
        line.into_bytes()
    }

    fn framer(&self) -> Box<dyn Framer> {
        match (self.options.quote, self.options.escape) {
            (None, None) => Box::new(lines::Lines { skip_empty: false }),
            _ => Box::new(frame::Records::new(self.options.clone())),
        }
    }
}
