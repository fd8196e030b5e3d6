//! Types that stand in a text or in a parsed query, as Flink's.

use sqlparser::ast::{
    ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, Ident,
    IntervalFields, ObjectName, TimezoneInfo,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use super::ast::{SqlType, SqlTypeKind};
use super::dialect::FlinkDialect;
use super::failure::unpack;
use super::types::{NO_ZONED, decimal_of, fraction, parse_data_type, small};
use super::words::at_end;

/// Reads a data type that is the whole of a text.
pub fn parse_type_text(text: &str) -> Result<SqlType, String> {
    let mut parser = Parser::new(&FlinkDialect)
        .try_with_sql(text)
        .map_err(|error| unpack(&error, &[], Span::empty()).message)?;
    let data_type =
        parse_data_type(&mut parser).map_err(|error| unpack(&error, &[], Span::empty()).message)?;
    if at_end(&parser) {
        Ok(data_type)
    } else {
        Err(format!(
            "{} after the type in `{text}`",
            parser.peek_token_ref().token
        ))
    }
}

/// The Flink type that a type of a parsed query (of a CAST or of a literal such as `DATE '2020-01-01'`) stands for.
pub fn sql_type_of(data_type: &DataType) -> Result<SqlType, String> {
    use SqlTypeKind as Kind;
    let kind = match data_type {
        DataType::Custom(name, modifiers) => return custom(name, modifiers),
        DataType::Char(length) | DataType::Character(length) => {
            Kind::Char(characters(length.as_ref())?)
        }
        DataType::Varchar(length)
        | DataType::CharVarying(length)
        | DataType::CharacterVarying(length) => match length {
            None => Kind::String,
            Some(_) => Kind::Varchar(characters(length.as_ref())?),
        },
        DataType::String(None) => Kind::String,
        DataType::Boolean => Kind::Boolean,
        DataType::Binary(length) => Kind::Binary(small(length.unwrap_or(1))?),
        DataType::Varbinary(None) => Kind::Bytes,
        DataType::Varbinary(Some(BinaryLength::IntegerLength { length })) => {
            Kind::Varbinary(small(*length)?)
        }
        DataType::Varbinary(Some(BinaryLength::Max)) | DataType::Bytes(None) => Kind::Bytes,
        DataType::Decimal(info) | DataType::Dec(info) | DataType::Numeric(info) => decimal(info)?,
        DataType::TinyInt(None) => Kind::TinyInt,
        DataType::SmallInt(None) => Kind::SmallInt,
        DataType::Int(None) | DataType::Integer(None) => Kind::Int,
        DataType::BigInt(None) => Kind::BigInt,
        DataType::Float(ExactNumberInfo::None) => Kind::Float,
        DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision => Kind::Double,
        DataType::Date => Kind::Date,
        DataType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Kind::Time(fraction(precision.unwrap_or(0))?)
        }
        DataType::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Kind::Timestamp(fraction(precision.unwrap_or(6))?)
        }
        DataType::Timestamp(..) => return Err(NO_ZONED.into()),
        DataType::Interval { fields, .. } => match fields {
            Some(IntervalFields::Year | IntervalFields::Month | IntervalFields::YearToMonth) => {
                Kind::IntervalYearMonth
            }
            _ => Kind::IntervalDaySecond,
        },
        DataType::Array(
            ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Parenthesis(element)
            | ArrayElemTypeDef::SquareBracket(element, _),
        ) => Kind::Array(Box::new(sql_type_of(element)?)),
        DataType::Map(key, value) => {
            Kind::Map(Box::new(sql_type_of(key)?), Box::new(sql_type_of(value)?))
        }
        DataType::Struct(fields, _) => Kind::Row(
            fields
                .iter()
                .enumerate()
                .map(|(i, field)| {
                    let name = field
                        .field_name
                        .clone()
                        .unwrap_or_else(|| Ident::new(format!("f{i}")));
                    Ok((name, sql_type_of(&field.field_type)?))
                })
                .collect::<Result<_, String>>()?,
        ),
        other => return Err(format!("Flink SQL has no type {other}")),
    };
    Ok(SqlType {
        kind,
        nullable: true,
    })
}

fn custom(name: &ObjectName, modifiers: &[String]) -> Result<SqlType, String> {
    match modifiers {
        [] => parse_type_text(&name.to_string()),
        [text] if text.chars().all(|c| c.is_ascii_digit()) => {
            parse_type_text(&format!("{name}({text})"))
        }
        [text] => parse_type_text(text),
        many => parse_type_text(&format!("{name}({})", many.join(", "))),
    }
}

fn characters(length: Option<&CharacterLength>) -> Result<u32, String> {
    match length {
        None => Ok(1),
        Some(CharacterLength::IntegerLength { length, .. }) => small(*length),
        Some(CharacterLength::Max) => Ok(i32::MAX as u32),
    }
}

fn decimal(info: &ExactNumberInfo) -> Result<SqlTypeKind, String> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (
            *precision,
            u64::try_from(*scale).map_err(|_| "the scale of a DECIMAL cannot be negative")?,
        ),
    };
    decimal_of(precision, scale)
}
