//! The `json` format: one JSON object a payload (or an array of them), read and written as Flink's json format does.
//!
//! Options, below `json.`:
//! - `ignore-parse-errors`: a bad value becomes NULL, a bad document gives no row; both are told in `Decoded::skipped`.
//! - `fail-on-missing-field`: a missing field is an error; not together with the option above.
//! - `timestamp-format.standard`: `SQL` or `ISO-8601`.
//! - `map-null-key.mode` (`FAIL`, `DROP`, `LITERAL`) and `map-null-key.literal` say what Flink does with a NULL key of a
//!   map that it writes. A map has no NULL keys here (Arrow has none), so they are accepted and have no effect.
//! - `encode.decimal-as-plain-number`, `encode.ignore-null-fields`.
//! - `decode.json-parser.enabled` chooses between two implementations in Flink; here it is accepted and has no effect.
//!
//! Where Flink's parser has flaws this one differs: equal keys always give the last value (Flink stops looking once it
//! has seen as many fields as the table has), an ignored bad value never derails the rest of its row, a NULL in a
//! NOT NULL column is an error at once, payloads of blanks give no row as empty ones do, and bytes that are not UTF-8 are
//! an error wherever they stand.

mod compact;
mod decode;
mod encode;
mod keys;
mod scan;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::text::TimestampStyle;
use super::{Decoder, Encoder, Format, Framer, column, format_key, lines, project};
use crate::catalog::options::{OptionError, Options};

/// The options of one table.
#[derive(Debug, Clone)]
struct JsonOptions {
    ignore_parse_errors: bool,
    fail_on_missing_field: bool,
    style: TimestampStyle,
    plain_decimals: bool,
    ignore_null_fields: bool,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            ignore_parse_errors: false,
            fail_on_missing_field: false,
            style: TimestampStyle::Sql,
            plain_decimals: false,
            ignore_null_fields: false,
        }
    }
}

struct Json {
    schema: SchemaRef,
    options: JsonOptions,
}

pub(super) fn format(
    prefix: &str,
    options: &Options,
    schema: SchemaRef,
) -> Result<Box<dyn Format>, OptionError> {
    Ok(maker(prefix, options, &schema)?(schema))
}

/// Reads the options for rows of `schema`; what is returned makes formats with them, also of schemas around it.
pub(super) fn maker(
    prefix: &str,
    options: &Options,
    schema: &SchemaRef,
) -> Result<impl Fn(SchemaRef) -> Box<dyn Format> + Send + Sync + use<>, OptionError> {
    let key = |name: &str| format!("{prefix}{name}");
    let fail = key("fail-on-missing-field");
    let ignore = key("ignore-parse-errors");
    let style = match options.choice(
        &key("timestamp-format.standard"),
        "SQL",
        &["SQL", "ISO-8601"],
    )? {
        "SQL" => TimestampStyle::Sql,
        _ => TimestampStyle::Iso,
    };
    options.get(&key("map-null-key.literal"));
    options.choice(
        &key("map-null-key.mode"),
        "FAIL",
        &["FAIL", "DROP", "LITERAL"],
    )?;
    options.bool(&key("decode.json-parser.enabled"), true)?;
    let read = JsonOptions {
        ignore_parse_errors: options.bool(&ignore, false)?,
        fail_on_missing_field: options.bool(&fail, false)?,
        style,
        plain_decimals: options.bool(&key("encode.decimal-as-plain-number"), false)?,
        ignore_null_fields: options.bool(&key("encode.ignore-null-fields"), false)?,
    };
    if read.fail_on_missing_field && read.ignore_parse_errors {
        return Err(OptionError::new(
            &fail,
            format!("'{fail}' and '{ignore}' cannot both be true"),
        )
        .with_help("keep one of them"));
    }
    for field in schema.fields() {
        check(prefix, field.name(), field)?;
    }
    Ok(move |schema| -> Box<dyn Format> {
        Box::new(Json {
            schema,
            options: read.clone(),
        })
    })
}

/// Refuses types that have no JSON form.
fn check(prefix: &str, path: &str, field: &Field) -> Result<(), OptionError> {
    let refuse = |message: String| Err(OptionError::new(&format_key(prefix), message));
    match field.data_type() {
        DataType::Struct(fields) => fields
            .iter()
            .try_for_each(|f| check(prefix, &format!("{path}.{}", f.name()), f)),
        DataType::List(item) => check(prefix, path, item),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields)
                if fields.len() == 2 && fields[0].data_type() == &DataType::Utf8 =>
            {
                check(prefix, path, &fields[1])
            }
            _ => refuse(format!(
                "column '{path}': the json format takes only STRING as the key type of a MAP or MULTISET"
            )),
        },
        _ => match column::unsupported(field) {
            Some(kind) => refuse(format!(
                "column '{path}': the json format does not support the type {kind}"
            )),
            None => Ok(()),
        },
    }
}

impl Format for Json {
    fn decoder(&self, projection: &[usize]) -> Box<dyn Decoder> {
        Box::new(decode::JsonDecoder::new(
            project(&self.schema, projection),
            self.options.clone(),
        ))
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(encode::JsonEncoder::new(
            self.schema.clone(),
            self.options.clone(),
        ))
    }

    fn framer(&self) -> Box<dyn Framer> {
        Box::new(lines::Lines { skip_empty: true })
    }
}

/// An encoder with the default options, for sinks that show rows as JSON whatever the table's format is.
pub(super) fn row_encoder(schema: SchemaRef) -> Box<dyn Encoder> {
    Box::new(encode::JsonEncoder::new(
        Arc::<Schema>::clone(&schema),
        JsonOptions::default(),
    ))
}
