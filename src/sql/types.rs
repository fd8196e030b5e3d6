//! Flink's data types: read from DDL and casts, written back as text, carried through sqlparser's own types.
//!
//! In a CAST, a type that sqlparser has a node for becomes that node (`DataType::Int(None)`, `DataType::Timestamp(Some(3),
//! TimezoneInfo::None)`, `DataType::Interval`). Every other type (TIMESTAMP_LTZ, ARRAY, MAP, MULTISET, ROW, or one with
//! NOT NULL) becomes `DataType::Custom(name, [text])`, where `name` is its first word and `text` the whole type as Flink
//! writes it; [`super::sql_type_of`] reads both.

use std::fmt;

use sqlparser::ast::{
    BinaryLength, CharacterLength, DataType, ExactNumberInfo, Ident, IntervalFields, ObjectName,
    TimezoneInfo,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::ast::{SqlType, SqlTypeKind};
use super::failure::{fail, nearest};
use super::quoted;
use super::reserved::upper;
use super::words::{eat, eat_one_of, expect, expected, here, identifier, peek_words};

/// How deep types may nest.
const MAX_DEPTH: usize = 32;

/// The largest precision of a DECIMAL.
const MAX_DECIMAL: u64 = 38;

const TYPE_WORDS: &[&str] = &[
    "CHAR",
    "VARCHAR",
    "STRING",
    "BOOLEAN",
    "BINARY",
    "VARBINARY",
    "BYTES",
    "DECIMAL",
    "NUMERIC",
    "TINYINT",
    "SMALLINT",
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "INTERVAL",
    "ARRAY",
    "MAP",
    "MULTISET",
    "ROW",
];

/// Reads a data type as Flink writes it, up to the token after it.
pub fn parse_data_type(parser: &mut Parser) -> Result<SqlType, ParserError> {
    let mut reader = TypeReader {
        parser,
        pending: 0,
        depth: 0,
    };
    let data_type = reader.data_type()?;
    if reader.pending > 0 {
        let span = reader.parser.get_current_token().span;
        return Err(fail(span, "one > too many after the type", "remove one >"));
    }
    Ok(data_type)
}

pub(super) const NO_ZONED: &str =
    "Flink SQL has no TIMESTAMP WITH TIME ZONE; write TIMESTAMP_LTZ(3)";

pub(super) fn small(length: u64) -> Result<u32, String> {
    match u32::try_from(length) {
        Ok(length) if (1..=i32::MAX as u32).contains(&length) => Ok(length),
        _ => Err(format!(
            "a length must be between 1 and {}, not {length}",
            i32::MAX
        )),
    }
}

pub(super) fn fraction(precision: u64) -> Result<u8, String> {
    match u8::try_from(precision) {
        Ok(precision) if precision <= 9 => Ok(precision),
        _ => Err(format!(
            "the precision of a time must be between 0 and 9, not {precision}"
        )),
    }
}

pub(super) fn decimal_of(precision: u64, scale: u64) -> Result<SqlTypeKind, String> {
    if !(1..=MAX_DECIMAL).contains(&precision) {
        return Err(format!(
            "the precision of a DECIMAL must be between 1 and {MAX_DECIMAL}, not {precision}"
        ));
    }
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(p), Ok(s)) if s <= p => Ok(SqlTypeKind::Decimal(p, s)),
        _ => Err(format!(
            "the scale of a DECIMAL must be between 0 and its precision {precision}, not {scale}"
        )),
    }
}

/// The node with which a CAST carries a type; [`super::sql_type_of`] is its inverse.
pub(super) fn data_type_of(sql_type: &SqlType) -> DataType {
    use SqlTypeKind as Kind;
    let length = |n: &u32| {
        Some(CharacterLength::IntegerLength {
            length: u64::from(*n),
            unit: None,
        })
    };
    match (&sql_type.kind, sql_type.nullable) {
        (Kind::Char(n), true) => DataType::Char(length(n)),
        (Kind::Varchar(n), true) => DataType::Varchar(length(n)),
        (Kind::String, true) => DataType::String(None),
        (Kind::Boolean, true) => DataType::Boolean,
        (Kind::Binary(n), true) => DataType::Binary(Some(u64::from(*n))),
        (Kind::Varbinary(n), true) => DataType::Varbinary(Some(BinaryLength::IntegerLength {
            length: u64::from(*n),
        })),
        (Kind::Bytes, true) => DataType::Bytes(None),
        (Kind::Decimal(p, s), true) => DataType::Decimal(ExactNumberInfo::PrecisionAndScale(
            u64::from(*p),
            i64::from(*s),
        )),
        (Kind::TinyInt, true) => DataType::TinyInt(None),
        (Kind::SmallInt, true) => DataType::SmallInt(None),
        (Kind::Int, true) => DataType::Int(None),
        (Kind::BigInt, true) => DataType::BigInt(None),
        (Kind::Float, true) => DataType::Float(ExactNumberInfo::None),
        (Kind::Double, true) => DataType::Double(ExactNumberInfo::None),
        (Kind::Date, true) => DataType::Date,
        (Kind::Time(p), true) => DataType::Time(Some(u64::from(*p)), TimezoneInfo::None),
        (Kind::Timestamp(p), true) => DataType::Timestamp(Some(u64::from(*p)), TimezoneInfo::None),
        (Kind::IntervalYearMonth, true) => DataType::Interval {
            fields: Some(IntervalFields::YearToMonth),
            precision: None,
        },
        (Kind::IntervalDaySecond, true) => DataType::Interval {
            fields: Some(IntervalFields::DayToSecond),
            precision: None,
        },
        _ => {
            let text = sql_type.to_string();
            let word: String = text
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            DataType::Custom(ObjectName::from(vec![Ident::new(word)]), vec![text])
        }
    }
}

impl fmt::Display for SqlType {
    /// As Flink writes it, with every parameter; [`super::parse_type_text`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.nullable {
            Ok(())
        } else {
            f.write_str(" NOT NULL")
        }
    }
}

impl fmt::Display for SqlTypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Char(n) => write!(f, "CHAR({n})"),
            Self::Varchar(n) => write!(f, "VARCHAR({n})"),
            Self::String => f.write_str("STRING"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Binary(n) => write!(f, "BINARY({n})"),
            Self::Varbinary(n) => write!(f, "VARBINARY({n})"),
            Self::Bytes => f.write_str("BYTES"),
            Self::Decimal(p, s) => write!(f, "DECIMAL({p}, {s})"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Date => f.write_str("DATE"),
            Self::Time(p) => write!(f, "TIME({p})"),
            Self::Timestamp(p) => write!(f, "TIMESTAMP({p})"),
            Self::TimestampLtz(p) => write!(f, "TIMESTAMP_LTZ({p})"),
            Self::IntervalYearMonth => f.write_str("INTERVAL YEAR TO MONTH"),
            Self::IntervalDaySecond => f.write_str("INTERVAL DAY TO SECOND"),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(element) => write!(f, "MULTISET<{element}>"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, (name, data_type)) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{} {data_type}", quoted(&name.value))?;
                }
                f.write_str(">")
            }
        }
    }
}

/// Reads one type; `>>` closes two brackets at once, so closers may be left over for the type around.
struct TypeReader<'r, 'p> {
    parser: &'r mut Parser<'p>,
    pending: usize,
    depth: usize,
}

impl TypeReader<'_, '_> {
    fn data_type(&mut self) -> Result<SqlType, ParserError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(fail(here(self.parser), "the type is nested too deeply", ""));
        }
        let kind = self.kind()?;
        let mut data_type = SqlType {
            kind,
            nullable: true,
        };
        let mut wrapped = 0;
        while self.pending == 0 && wrapped < MAX_DEPTH {
            wrapped += 1;
            if eat(self.parser, &["NOT", "NULL"]) {
                data_type.nullable = false;
            } else if eat(self.parser, &["ARRAY"]) {
                data_type = SqlType {
                    kind: SqlTypeKind::Array(Box::new(data_type)),
                    nullable: true,
                };
            } else if eat(self.parser, &["MULTISET"]) {
                data_type = SqlType {
                    kind: SqlTypeKind::Multiset(Box::new(data_type)),
                    nullable: true,
                };
            } else if peek_words(self.parser, &["NULL", "ON"]) || !eat(self.parser, &["NULL"]) {
                // NULL ON EMPTY and NULL ON ERROR say something else.
                break;
            }
        }
        self.depth -= 1;
        Ok(data_type)
    }

    fn kind(&mut self) -> Result<SqlTypeKind, ParserError> {
        use SqlTypeKind as Kind;
        let span = here(self.parser);
        let Some(word) = upper(&self.parser.peek_token_ref().token) else {
            return expected(self.parser, "a data type");
        };
        self.parser.advance_token();
        let wrong = |message: String| fail(span, message, "");
        Ok(match word.as_str() {
            "CHAR" | "CHARACTER" => {
                let varying = eat(self.parser, &["VARYING"]);
                match self.number()? {
                    None if varying => Kind::String,
                    n => {
                        let n = small(n.unwrap_or(1)).map_err(wrong)?;
                        if varying {
                            Kind::Varchar(n)
                        } else {
                            Kind::Char(n)
                        }
                    }
                }
            }
            "VARCHAR" => match self.number()? {
                None => Kind::String,
                Some(n) if n == i32::MAX as u64 => Kind::String,
                Some(n) => Kind::Varchar(small(n).map_err(wrong)?),
            },
            "STRING" => Kind::String,
            "BOOLEAN" => Kind::Boolean,
            "BINARY" => {
                let varying = eat(self.parser, &["VARYING"]);
                let n = small(self.number()?.unwrap_or(1)).map_err(wrong)?;
                if varying {
                    Kind::Varbinary(n)
                } else {
                    Kind::Binary(n)
                }
            }
            "VARBINARY" => match self.number()? {
                None => Kind::Bytes,
                Some(n) if n == i32::MAX as u64 => Kind::Bytes,
                n => Kind::Varbinary(small(n.unwrap_or(1)).map_err(wrong)?),
            },
            "BYTES" => Kind::Bytes,
            "DECIMAL" | "DEC" | "NUMERIC" => {
                let (precision, scale) = self.two_numbers()?;
                decimal_of(precision.unwrap_or(10), scale.unwrap_or(0)).map_err(wrong)?
            }
            "TINYINT" => Kind::TinyInt,
            "SMALLINT" => Kind::SmallInt,
            "INT" | "INTEGER" => Kind::Int,
            "BIGINT" => Kind::BigInt,
            "FLOAT" => Kind::Float,
            "DOUBLE" => {
                eat(self.parser, &["PRECISION"]);
                Kind::Double
            }
            "DATE" => Kind::Date,
            "TIME" => {
                let p = fraction(self.number()?.unwrap_or(0)).map_err(wrong)?;
                if eat(self.parser, &["WITHOUT", "TIME", "ZONE"]) || !eat(self.parser, &["WITH"]) {
                    Kind::Time(p)
                } else {
                    return Err(fail(
                        span,
                        "Flink SQL has no TIME with a time zone",
                        "write TIME",
                    ));
                }
            }
            "TIMESTAMP" => {
                let p = fraction(self.number()?.unwrap_or(6)).map_err(wrong)?;
                if eat(self.parser, &["WITH", "LOCAL", "TIME", "ZONE"]) {
                    Kind::TimestampLtz(p)
                } else if eat(self.parser, &["WITH", "TIME", "ZONE"]) {
                    return Err(wrong(NO_ZONED.into()));
                } else {
                    eat(self.parser, &["WITHOUT", "TIME", "ZONE"]);
                    Kind::Timestamp(p)
                }
            }
            "TIMESTAMP_LTZ" => {
                Kind::TimestampLtz(fraction(self.number()?.unwrap_or(6)).map_err(wrong)?)
            }
            "INTERVAL" => self.interval()?,
            "ARRAY" => {
                self.open()?;
                let element = self.data_type()?;
                self.close()?;
                Kind::Array(Box::new(element))
            }
            "MULTISET" => {
                self.open()?;
                let element = self.data_type()?;
                self.close()?;
                Kind::Multiset(Box::new(element))
            }
            "MAP" => {
                self.open()?;
                let key = self.data_type()?;
                self.parser.expect_token(&Token::Comma)?;
                let value = self.data_type()?;
                self.close()?;
                Kind::Map(Box::new(key), Box::new(value))
            }
            "ROW" => self.row()?,
            "RAW" | "STRUCTURED" | "NULL" | "VARIANT" | "DESCRIPTOR" | "BITMAP" => {
                return Err(fail(
                    span,
                    format!("flowline does not support the type {word} yet"),
                    "",
                ));
            }
            _ => return Err(unknown(&word, span)),
        })
    }

    fn row(&mut self) -> Result<SqlTypeKind, ParserError> {
        if self.parser.peek_token_ref().token == Token::Neq {
            return Err(fail(
                here(self.parser),
                "a ROW needs at least one field",
                "write ROW<name TYPE, ...>",
            ));
        }
        let round = self.parser.consume_token(&Token::LParen);
        if !round {
            self.open()?;
        }
        let mut fields: Vec<(Ident, SqlType)> = Vec::new();
        loop {
            let name = identifier(self.parser, "a field name")?;
            if fields.iter().any(|(other, _)| other.value == name.value) {
                return Err(fail(
                    name.span,
                    format!("the field `{}` stands twice in the ROW", name.value),
                    "",
                ));
            }
            let data_type = self.data_type()?;
            fields.push((name, data_type));
            if self.pending == 0 {
                eat(self.parser, &["COMMENT"]);
                if matches!(
                    self.parser.peek_token_ref().token,
                    Token::SingleQuotedString(_)
                ) {
                    self.parser.advance_token();
                }
            }
            if self.pending > 0 || !self.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        if round {
            self.parser.expect_token(&Token::RParen)?;
        } else {
            self.close()?;
        }
        Ok(SqlTypeKind::Row(fields))
    }

    fn interval(&mut self) -> Result<SqlTypeKind, ParserError> {
        const UNITS: &[&str] = &["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
        let Some(first) = eat_one_of(self.parser, UNITS) else {
            return expected(self.parser, "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND");
        };
        self.two_numbers()?;
        let months = matches!(first, "YEAR" | "MONTH");
        if eat(self.parser, &["TO"]) {
            if months {
                expect(self.parser, &["MONTH"])?;
            } else if eat_one_of(self.parser, &["HOUR", "MINUTE", "SECOND"]).is_none() {
                return expected(self.parser, "HOUR, MINUTE or SECOND");
            }
            self.number()?;
        }
        Ok(if months {
            SqlTypeKind::IntervalYearMonth
        } else {
            SqlTypeKind::IntervalDaySecond
        })
    }

    fn open(&mut self) -> Result<(), ParserError> {
        self.parser.expect_token(&Token::Lt).map(drop)
    }

    fn close(&mut self) -> Result<(), ParserError> {
        if self.pending > 0 {
            self.pending -= 1;
        } else if self.parser.consume_token(&Token::ShiftRight) {
            self.pending = 1;
        } else {
            self.parser.expect_token(&Token::Gt)?;
        }
        Ok(())
    }

    /// `(n)`, if it is there.
    fn number(&mut self) -> Result<Option<u64>, ParserError> {
        match self.two_numbers()? {
            (_, Some(_)) => Err(fail(
                self.parser.get_current_token().span,
                "this type has one parameter, not two",
                "remove the second",
            )),
            (first, None) => Ok(first),
        }
    }

    /// `(p)` or `(p, s)`, if it is there.
    fn two_numbers(&mut self) -> Result<(Option<u64>, Option<u64>), ParserError> {
        if !self.parser.consume_token(&Token::LParen) {
            return Ok((None, None));
        }
        let first = self.parser.parse_literal_uint()?;
        let second = if self.parser.consume_token(&Token::Comma) {
            Some(self.parser.parse_literal_uint()?)
        } else {
            None
        };
        self.parser.expect_token(&Token::RParen)?;
        Ok((Some(first), second))
    }
}

fn unknown(word: &str, span: Span) -> ParserError {
    let alias = match word {
        "TEXT" | "VARCHAR2" | "NVARCHAR" | "CLOB" | "JSON" | "UUID" => Some("STRING"),
        "BOOL" => Some("BOOLEAN"),
        "REAL" | "FLOAT4" => Some("FLOAT"),
        "FLOAT8" => Some("DOUBLE"),
        "LONG" | "INT8" => Some("BIGINT"),
        "INT4" => Some("INT"),
        "DATETIME" => Some("TIMESTAMP(3)"),
        "TIMESTAMPTZ" => Some("TIMESTAMP_LTZ(3)"),
        "BLOB" | "BYTEA" => Some("BYTES"),
        "STRUCT" => Some("ROW<name TYPE, ...>"),
        "LIST" => Some("ARRAY<TYPE>"),
        _ => nearest(word, TYPE_WORDS),
    };
    let help = alias.map_or_else(
        || "write one of STRING, INT, BIGINT, DOUBLE, DECIMAL(10, 2), BOOLEAN, DATE, TIMESTAMP(3), ARRAY<...> ...".into(),
        |name| format!("write {name}"),
    );
    fail(span, format!("Flink SQL has no type {word}"), help)
}
