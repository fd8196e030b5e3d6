//! Regular expressions. Java's syntax as far as the `regex` crate has it: no look-around, no back references.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use regex::{NoExpand, Regex};

use crate::aggregate::list_of;
use crate::function::{Call, Column, Function, Kind, Nulls, Takes};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "regexp_extract",
        Takes::Fixed(2, &[Kind::Text, Kind::Text, Kind::Int]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Maybe,
        extract,
    ),
    Function::new(
        "regexp_replace",
        Takes::Fixed(3, &[Kind::Text, Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Maybe,
        replace,
    ),
    Function::new(
        "regexp",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Boolean),
        Nulls::Strict,
        matches,
    ),
    Function::new(
        "regexp_count",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Int32),
        Nulls::Maybe,
        count,
    ),
    Function::new(
        "regexp_substr",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Maybe,
        |call| {
            let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
            call.slices(|row| {
                let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
                    return Ok(None);
                };
                Ok(regex.find(text).map(|m| m.as_str()))
            })
        },
    ),
    Function::new(
        "regexp_instr",
        Takes::Fixed(2, &[Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Int32),
        Nulls::Maybe,
        |call| {
            let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
            call.values::<Int32Type>(|row| {
                let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
                    return Ok(None);
                };
                let before = regex
                    .find(text)
                    .map(|m| text[..m.start()].chars().count() + 1);
                Ok(i32::try_from(before.unwrap_or(0)).ok())
            })
        },
    ),
    Function::new(
        "regexp_extract_all",
        Takes::Fixed(2, &[Kind::Text, Kind::Text, Kind::Int]),
        |_, _| Ok(list_of(&DataType::Utf8)),
        Nulls::Maybe,
        extract_all,
    ),
];

/// Of every match the group that argument 2 numbers, 1 without it; NULL where the pattern has no such group.
fn extract_all(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    let groups = match call.len() {
        2 => None,
        _ => Some(call.ints(2)?),
    };
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let group = match &groups {
            Some(column) => column.get(row),
            None => Some(1),
        };
        let group = group.and_then(|g| usize::try_from(g).ok());
        let (Some(text), Some(Some(regex)), Some(group)) =
            (texts.get(row), patterns.get(row), group)
        else {
            lists.append_null();
            continue;
        };
        if group >= regex.captures_len() {
            lists.append_null();
            continue;
        }
        for found in regex.captures_iter(text) {
            lists
                .values()
                .append_option(found.get(group).map(|m| m.as_str()));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// The patterns of argument 1; one that repeats is compiled once.
struct Patterns<'a> {
    column: Column<'a, StringArray>,
    last: Option<(&'a str, Option<Regex>)>,
}

impl<'a> Patterns<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        Ok(Self {
            column: call.text(1)?,
            last: None,
        })
    }

    /// None for NULL, Some(None) for what is no pattern.
    fn get(&mut self, row: usize) -> Option<Option<&Regex>> {
        let text = self.column.get(row)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, Regex::new(text).ok()));
        }
        self.last.as_ref().map(|(_, regex)| regex.as_ref())
    }
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    let groups = if call.len() > 2 {
        Some(call.ints(2)?)
    } else {
        None
    };
    call.slices(|row| {
        let group = match &groups {
            Some(column) => column.get(row),
            None => Some(0),
        };
        let (Some(text), Some(Some(regex)), Some(group)) =
            (texts.get(row), patterns.get(row), group)
        else {
            return Ok(None);
        };
        let Ok(group) = usize::try_from(group) else {
            return Ok(None);
        };
        if group == 0 {
            return Ok(regex.find(text).map(|m| m.as_str()));
        }
        let found = regex.captures(text);
        Ok(found.and_then(|c| c.get(group)).map(|m| m.as_str()))
    })
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns, by) = (call.text(0)?, Patterns::of(call)?, call.text(2)?);
    call.strings(|row, out| {
        let (Some(text), Some(Some(regex)), Some(by)) =
            (texts.get(row), patterns.get(row), by.get(row))
        else {
            return Ok(false);
        };
        out.push_str(&regex.replace_all(text, NoExpand(by)));
        Ok(true)
    })
}

fn matches(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    call.booleans(|row| {
        let (Some(text), Some(regex)) = (texts.get(row), patterns.get(row)) else {
            return Ok(None);
        };
        // An empty pattern matches nothing here.
        Ok(Some(regex.is_some_and(|r| {
            !r.as_str().is_empty() && r.is_match(text)
        })))
    })
}

fn count(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    call.values::<Int32Type>(|row| {
        let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
            return Ok(None);
        };
        Ok(i32::try_from(regex.find_iter(text).count()).ok())
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{int, no_text, show, text};

    #[test]
    fn as_flink() {
        let foo = "foothebar";
        let table = [
            (
                "regexp_extract",
                vec![text(foo), text("foo(.*?)(bar)"), int(2)],
                "bar",
            ),
            (
                "regexp_extract",
                vec![text(foo), text("foo(.*?)(bar)")],
                "foothebar",
            ),
            (
                "regexp_extract",
                vec![text(foo), text("xyz"), int(1)],
                "NULL",
            ),
            (
                "regexp_extract",
                vec![text(foo), text("foo(.*?)(bar)"), int(5)],
                "NULL",
            ),
            (
                "regexp_extract",
                vec![text(foo), text("foo(.*?)(bar)"), int(-1)],
                "NULL",
            ),
            (
                "regexp_extract",
                vec![text("abc"), text("(x)?abc"), int(1)],
                "NULL",
            ),
            (
                "regexp_extract",
                vec![text(foo), text("foo("), int(1)],
                "NULL",
            ),
            (
                "regexp_replace",
                vec![text("foobar"), text("oo|ar"), text("")],
                "fb",
            ),
            (
                "regexp_replace",
                vec![text("foobar"), text("(o+)"), text("[$1]")],
                "f[$1]bar",
            ),
            (
                "regexp_replace",
                vec![text("foobar"), text(""), text("-")],
                "-f-o-o-b-a-r-",
            ),
            (
                "regexp_replace",
                vec![text("a.b"), text("\\."), text("x")],
                "axb",
            ),
            (
                "regexp_replace",
                vec![text("foobar"), text("o("), text("x")],
                "NULL",
            ),
            ("regexp", vec![text("foobar"), text("o+")], "TRUE"),
            ("regexp", vec![text("foobar"), text("^o+")], "FALSE"),
            ("regexp", vec![text("foobar"), text("")], "FALSE"),
            ("regexp", vec![text("foobar"), text("o(")], "FALSE"),
            ("regexp", vec![no_text(), text("o")], "NULL"),
            ("regexp_count", vec![text("banana"), text("an")], "2"),
            ("regexp_substr", vec![text("banana"), text("n.")], "na"),
        ];
        for (name, args, expected) in table {
            assert_eq!(show(name, &args), expected, "{name} {args:?}");
        }
    }
}
