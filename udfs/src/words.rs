//! Functions that take texts apart or ask what they are: ELT, SPLIT, STR_TO_MAP, OVERLAY, TRANSLATE, IS_ALPHA and its kin,
//! PARSE_URL.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use regex::Regex;

use crate::aggregate::list_of;
use crate::arrays::{map_of, maps};
use crate::function::{Call, Function, Kind, Nulls, Takes};

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
const TEXT: Returns = |_, _| Ok(DataType::Utf8);

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "elt",
        Takes::Own(|given| match given {
            [index, _, ..] if index.is_integer() || index.is_null() => {
                let mut types = vec![DataType::Utf8; given.len()];
                types[0] = DataType::Int64;
                Ok(types)
            }
            _ => plan_err!("ELT takes a whole number and one STRING or more, not {given:?}"),
        }),
        TEXT,
        Nulls::Maybe,
        |call| {
            let indices = call.ints(0)?;
            let texts = (1..call.len()).map(|at| call.text(at)).collect::<Result<Vec<_>>>()?;
            call.slices(|row| {
                let at = indices.get(row).and_then(|i| usize::try_from(i - 1).ok());
                Ok(at.and_then(|at| texts.get(at)).and_then(|text| text.get(row)))
            })
        },
    ),
    Function::new(
        "split",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(list_of(&DataType::Utf8)),
        Nulls::Strict,
        split,
    ),
    Function::new(
        "str_to_map",
        Takes::Fixed(1, &[Kind::Text; 3]),
        |_, _| Ok(map_of(&DataType::Utf8, &DataType::Utf8)),
        Nulls::Maybe,
        str_to_map,
    ),
    Function::new(
        "overlay",
        Takes::Fixed(3, &[Kind::Text, Kind::Text, Kind::Int, Kind::Int]),
        TEXT,
        Nulls::Strict,
        overlay,
    ),
    Function::new("translate", Takes::Fixed(3, &[Kind::Text; 3]), TEXT, Nulls::Maybe, translate)
        .alias(&["translate3"]),
    asks("is_alpha", |text| !text.is_empty() && text.chars().all(char::is_alphabetic)),
    asks("is_digit", |text| !text.is_empty() && text.chars().all(char::is_numeric)),
    asks("is_decimal", is_decimal),
    Function::new("parse_url", Takes::Fixed(2, &[Kind::Text; 3]), TEXT, Nulls::Maybe, parse_url),
];

/// A question about a text, whose answer is no for NULL.
const fn asks(name: &'static str, ask: fn(&str) -> bool) -> Function {
    // A function table cannot hold closures that capture: the question is found by the name.
    let _ = ask;
    Function::new(name, Takes::Fixed(1, &[Kind::Text]), |_, _| Ok(DataType::Boolean), Nulls::Never, ask_each)
}

fn ask_each(call: &Call) -> Result<ArrayRef> {
    let ask = match call.name().as_str() {
        "IS_ALPHA" => |text: &str| !text.is_empty() && text.chars().all(char::is_alphabetic),
        "IS_DIGIT" => |text: &str| !text.is_empty() && text.chars().all(char::is_numeric),
        _ => is_decimal,
    };
    let texts = call.text(0)?;
    call.booleans(|row| Ok(Some(texts.get(row).is_some_and(ask))))
}
