//! JSON_VALUE, JSON_QUERY, JSON_EXISTS and IS_JSON, in the forms that flowline's parser gives them (see `FlinkDialect`).

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, StringArray,
};
use datafusion::arrow::compute::{cast, kernels::zip::zip};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};

use crate::aggregate::list_of;
use crate::function::{Call, Column, Function, Kind, Nulls, Takes};
use crate::json_path::{Found, Path};
use crate::json_text::Json;
use crate::texts::Texts;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    // `JSON_VALUE(document, path [, 'RETURNING t', '... ON EMPTY', default, '... ON ERROR', default])`
    Function::new(
        "json_value",
        Takes::Own(|given| {
            let texts = |given: &[DataType]| given.iter().all(is_text);
            match given {
                [_, _] if texts(given) => Ok(vec![DataType::Utf8; 2]),
                [d, p, r, e, empty, o, error] if texts(&[d, p, r, e, o].map(Clone::clone)) => {
                    let text = || DataType::Utf8;
                    Ok(vec![
                        text(),
                        text(),
                        text(),
                        text(),
                        empty.clone(),
                        text(),
                        error.clone(),
                    ])
                }
                _ => plan_err!(
                    "JSON_VALUE takes a document and a path as STRING, not {}",
                    crate::casts::sql_names(given)
                ),
            }
        }),
        |_, scalars| value_type(scalar_text(scalars, 2)),
        Nulls::Maybe,
        json_value,
    )
    .fails(),
    // `JSON_QUERY(document, path [, 'RETURNING t', '... ARRAY WRAPPER', '... ON EMPTY', '... ON ERROR'])`
    Function::new(
        "json_query",
        Takes::Fixed(2, &[Kind::Text; 6]),
        |_, scalars| query_type(scalar_text(scalars, 2)),
        Nulls::Maybe,
        json_query,
    )
    .fails(),
    // `JSON_EXISTS(document, path [, '... ON ERROR'])`
    Function::new(
        "json_exists",
        Takes::Fixed(2, &[Kind::Text; 3]),
        |_, _| Ok(DataType::Boolean),
        Nulls::Maybe,
        json_exists,
    )
    .fails(),
    // `IS_JSON(text, 'VALUE' | 'OBJECT' | 'ARRAY' | 'SCALAR')`
    Function::new(
        "is_json",
        Takes::Fixed(1, &[Kind::Text; 2]),
        |_, _| Ok(DataType::Boolean),
        Nulls::Never,
        is_json,
    ),
];

fn is_text(given: &DataType) -> bool {
    matches!(
        given,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    )
}

fn scalar_text<'a>(scalars: &[Option<&'a ScalarValue>], at: usize) -> Option<&'a str> {
    scalars.get(at).copied().flatten()?.try_as_str().flatten()
}

/// The type after RETURNING of JSON_VALUE: the four that Flink takes.
fn value_type(returning: Option<&str>) -> Result<DataType> {
    let name = returning.map_or("STRING", |r| r.trim_start_matches("RETURNING").trim());
    let bare = name.split('(').next().unwrap_or(name).trim();
    match bare.to_uppercase().as_str() {
        "STRING" | "VARCHAR" | "CHAR" => Ok(DataType::Utf8),
        "BOOLEAN" => Ok(DataType::Boolean),
        "INT" | "INTEGER" => Ok(DataType::Int32),
        "DOUBLE" => Ok(DataType::Float64),
        _ => plan_err!(
            "Unsupported type '{name}' for RETURNING in JSON_VALUE(): STRING, BOOLEAN, INT and DOUBLE are; CAST the result"
        ),
    }
}

/// The type after RETURNING of JSON_QUERY.
fn query_type(returning: Option<&str>) -> Result<DataType> {
    let name = returning.map_or("STRING", |r| r.trim_start_matches("RETURNING").trim());
    let upper = name.to_uppercase();
    let inner = upper
        .strip_prefix("ARRAY<")
        .and_then(|t| t.strip_suffix('>'));
    let text = |t: &str| {
        ["STRING", "VARCHAR", "CHAR"]
            .iter()
            .any(|n| t.trim().starts_with(n))
    };
    match inner {
        Some(inner) if text(inner) => Ok(list_of(&DataType::Utf8)),
        None if text(&upper) => Ok(DataType::Utf8),
        _ => plan_err!(
            "Unsupported type '{name}' for RETURNING in JSON_QUERY(): STRING and ARRAY<STRING> are"
        ),
    }
}

/// The paths of argument 1; one that repeats is read once.
struct Paths<'a> {
    column: Column<'a, StringArray>,
    last: Option<(&'a str, Option<Path>)>,
}

impl<'a> Paths<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        Ok(Self {
            column: call.text(1)?,
            last: None,
        })
    }

    /// None for NULL, Some(None) for what is no path.
    fn get(&mut self, row: usize) -> Result<Option<Option<&Path>>> {
        let Some(text) = self.column.get(row) else {
            return Ok(None);
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, Path::parse(text)?));
        }
        Ok(self.last.as_ref().map(|(_, path)| path.as_ref()))
    }
}

/// What came of looking for a value.
enum Outcome<T> {
    /// An argument is NULL, and so is the result.
    Null,
    Value(T),
    /// There is none: in a lax path for whatever reason.
    Empty,
    /// There is none, or the document or the path are wrong, and the path is strict.
    Error,
}

/// Looks a value up; `take` makes something of what is found, or None.
fn look_up<T>(
    document: Option<&str>,
    path: Option<Option<&Path>>,
    take: impl FnOnce(Found) -> Option<T>,
) -> Outcome<T> {
    let (Some(document), Some(path)) = (document, path) else {
        return Outcome::Null;
    };
    let Some(path) = path else {
        return Outcome::Error;
    };
    let root = Json::parse(document);
    // In Flink a document that is null can have no path, however lax.
    if matches!(root, Some(Json::Null)) {
        return Outcome::Error;
    }
    match root.and_then(|root| take(path.find(&root))) {
        Some(value) => Outcome::Value(value),
        None if path.lax => Outcome::Empty,
        None => Outcome::Error,
    }
}

fn no_value<T>(call: &Call, row: usize, case: &str) -> Result<T> {
    let path = call.text(1)?;
    exec_err!(
        "{}: no fitting value at the path '{}', and it says ERROR ON {case}",
        call.name(),
        path.get(row).unwrap_or_default()
    )
}

/// What the argument says of a case, such as `DEFAULT` of `DEFAULT ON EMPTY`.
fn behaviour<'a>(call: &'a Call, at: usize, default: &'a str) -> &'a str {
    let text = call.constant_text(at).unwrap_or(default);
    text.rsplit_once(" ON ")
        .map_or(text, |(behaviour, _)| behaviour)
}

fn json_value(call: &Call) -> Result<ArrayRef> {
    let documents = call.text(0)?;
    let mut paths = Paths::of(call)?;
    let on_empty = behaviour(call, 3, "NULL");
    let on_error = behaviour(call, 5, "NULL");
    let mut values = Values::of(call);
    let mut empty = BooleanBuilder::with_capacity(call.rows);
    let mut failed = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        let outcome = look_up(documents.get(row), paths.get(row)?, |found| match found {
            Found::One(Json::Null) => None,
            Found::One(value) => {
                let pushed = values.push(value);
                pushed.map(|fits| fits.then_some(())).transpose()
            }
            _ => None,
        });
        let (is_empty, is_failed) = match outcome {
            Outcome::Value(pushed) => {
                pushed?;
                (false, false)
            }
            Outcome::Null => (false, false),
            Outcome::Empty => (true, false),
            Outcome::Error => (false, true),
        };
        if values.len() == row {
            values.push_null()?;
        }
        if is_empty && on_empty == "ERROR" {
            return no_value(call, row, "EMPTY");
        }
        if is_failed && on_error == "ERROR" {
            return no_value(call, row, "ERROR");
        }
        empty.append_value(is_empty);
        failed.append_value(is_failed);
    }
    let mut result = values.finish();
    for (mask, behaviour, at) in [
        (empty.finish(), on_empty, 4),
        (failed.finish(), on_error, 6),
    ] {
        if behaviour == "DEFAULT" {
            let default = cast(&call.full_array(at)?, &call.result_type)?;
            result = zip(&mask, &default, &result)?;
        }
    }
    Ok(result)
}

/// Values of JSON_VALUE in the type that it returns.
enum Values {
    Text(Texts),
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Double(Float64Builder),
}

impl Values {
    fn of(call: &Call) -> Self {
        match call.result_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Float64 => Self::Double(Float64Builder::new()),
            _ => Self::Text(call.texts()),
        }
    }

    fn len(&self) -> usize {
        use datafusion::arrow::array::ArrayBuilder;
        match self {
            Self::Text(b) => b.len(),
            Self::Boolean(b) => b.len(),
            Self::Int(b) => b.len(),
            Self::Double(b) => b.len(),
        }
    }

    /// Says whether the value has the type. (Where it has not, Flink fails with a ClassCastException.)
    fn push(&mut self, value: &Json) -> Result<bool> {
        match (self, value) {
            (Self::Text(b), value) => match value.plain() {
                Some(text) => b.append(Some(&text))?,
                None => return Ok(false),
            },
            (Self::Boolean(b), Json::Boolean(value)) => b.append_value(*value),
            (Self::Int(b), Json::Number(number)) => match number.parse() {
                Ok(value) => b.append_value(value),
                Err(_) => return Ok(false),
            },
            (Self::Double(b), Json::Number(number)) => match number.parse() {
                Ok(value) => b.append_value(value),
                Err(_) => return Ok(false),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push_null(&mut self) -> Result<()> {
        match self {
            Self::Text(b) => b.append(None)?,
            Self::Boolean(b) => b.append_null(),
            Self::Int(b) => b.append_null(),
            Self::Double(b) => b.append_null(),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Boolean(mut b) => Arc::new(b.finish()),
            Self::Int(mut b) => Arc::new(b.finish()),
            Self::Double(mut b) => Arc::new(b.finish()),
        }
    }
}

fn json_query(call: &Call) -> Result<ArrayRef> {
    let documents = call.text(0)?;
    let mut paths = Paths::of(call)?;
    let wrapper = call.constant_text(3).unwrap_or("WITHOUT ARRAY WRAPPER");
    let (always, scalars_only) = (
        wrapper.contains(" UNCONDITIONAL"),
        wrapper.contains(" CONDITIONAL"),
    );
    let on_empty = behaviour(call, 4, "NULL");
    let on_error = behaviour(call, 5, "NULL");
    // The array or object that is found, as JSON.
    let take = |found: Found| {
        let written = |value: &Json| {
            let mut out = String::new();
            value.write(&mut out);
            out
        };
        let (text, is_array) = match found {
            Found::Nothing | Found::One(Json::Null) => return None,
            Found::One(value) if value.is_scalar() && !(always || scalars_only) => return None,
            Found::One(value) => (written(value), matches!(value, Json::Array(_))),
            Found::Many(values) => {
                let values: Vec<String> = values.into_iter().map(written).collect();
                (format!("[{}]", values.join(",")), true)
            }
        };
        Some(if always || (scalars_only && !is_array) {
            format!("[{text}]")
        } else {
            text
        })
    };
    let mut results: Vec<Option<Cow<'static, str>>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (behaviour, case) = match look_up(documents.get(row), paths.get(row)?, take) {
            Outcome::Value(text) => {
                results.push(Some(text.into()));
                continue;
            }
            Outcome::Null => ("NULL", ""),
            Outcome::Empty => (on_empty, "EMPTY"),
            Outcome::Error => (on_error, "ERROR"),
        };
        results.push(match behaviour {
            "ERROR" => return no_value(call, row, case),
            "EMPTY ARRAY" => Some("[]".into()),
            "EMPTY OBJECT" => Some("{}".into()),
            _ => None,
        });
    }
    if call.result_type == DataType::Utf8 {
        return call.slices(|row| Ok(results[row].as_deref()));
    }
    call.text_lists(|row, texts| {
        let text = results[row].as_deref();
        let Some(Json::Array(values)) = text.and_then(Json::parse) else {
            return Ok(false);
        };
        for value in &values {
            let mut out = String::new();
            match value {
                Json::Null => texts.append(None)?,
                Json::Text(text) => texts.append(Some(text))?,
                other => {
                    other.write(&mut out);
                    texts.append(Some(&out))?;
                }
            }
        }
        Ok(true)
    })
}

fn json_exists(call: &Call) -> Result<ArrayRef> {
    let documents = call.text(0)?;
    let mut paths = Paths::of(call)?;
    let on_error = behaviour(call, 2, "FALSE");
    call.booleans(|row| {
        let take = |found: Found| match found {
            Found::Nothing => None,
            Found::One(Json::Null) => Some(false),
            Found::One(_) | Found::Many(_) => Some(true),
        };
        Ok(match look_up(documents.get(row), paths.get(row)?, take) {
            Outcome::Null => None,
            Outcome::Value(exists) => Some(exists),
            Outcome::Empty => Some(false),
            Outcome::Error => match on_error {
                "TRUE" => Some(true),
                "UNKNOWN" => None,
                "ERROR" => return no_value(call, row, "ERROR"),
                _ => Some(false),
            },
        })
    })
}

fn is_json(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let kind = call.constant_text(1).unwrap_or("VALUE");
    call.booleans(|row| {
        let value = texts.get(row).and_then(Json::parse);
        Ok(Some(match (kind, value) {
            (_, None) => false,
            ("OBJECT", Some(value)) => matches!(value, Json::Object(_)),
            ("ARRAY", Some(value)) => matches!(value, Json::Array(_)),
            ("SCALAR", Some(value)) => value.is_scalar(),
            _ => true,
        }))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "json_tests.rs"]
mod tests;
