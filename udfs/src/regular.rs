//! Functions of regular expressions, which are Java's.
//!
//! A constant pattern that cannot be run is refused when the query is planned. One from a column is as in Flink: it matches
//! nothing.

use std::rc::Rc;

use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::aggregate::list_of;
use crate::function::{Call, Column, Function, Kind, Nulls, Takes};
use crate::java_regex::JavaRegex;

/// A function of a text and a pattern. Patterns that look around or back may take too many steps on a text.
const fn row(
    name: &'static str,
    takes: Takes,
    returns: fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>,
    nulls: Nulls,
    eval: fn(&Call) -> Result<ArrayRef>,
) -> Function {
    Function::new(name, takes, returns, nulls, eval).fails()
}

const TWO: Takes = Takes::Fixed(2, &[Kind::Text, Kind::Text]);
const WITH_GROUP: Takes = Takes::Fixed(2, &[Kind::Text, Kind::Text, Kind::Int]);

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    row(
        "regexp_extract",
        WITH_GROUP,
        |_, scalars| checked("REGEXP_EXTRACT", scalars, DataType::Utf8),
        Nulls::Maybe,
        extract,
    ),
    row(
        "regexp_replace",
        Takes::Fixed(3, &[Kind::Text, Kind::Text, Kind::Text]),
        |_, scalars| checked("REGEXP_REPLACE", scalars, DataType::Utf8),
        Nulls::Maybe,
        replace,
    ),
    row(
        "regexp",
        TWO,
        |_, scalars| checked("REGEXP", scalars, DataType::Boolean),
        Nulls::Strict,
        matches,
    ),
    row(
        "regexp_count",
        TWO,
        |_, scalars| checked("REGEXP_COUNT", scalars, DataType::Int32),
        Nulls::Maybe,
        count,
    ),
    row(
        "regexp_substr",
        TWO,
        |_, scalars| checked("REGEXP_SUBSTR", scalars, DataType::Utf8),
        Nulls::Maybe,
        |call| {
            let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
            call.slices(|row| {
                let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
                    return Ok(None);
                };
                let found = regex.find_at(text, 0)?;
                Ok(found.map(|(start, end)| &text[start..end]))
            })
        },
    ),
    row(
        "regexp_instr",
        TWO,
        |_, scalars| checked("REGEXP_INSTR", scalars, DataType::Int32),
        Nulls::Maybe,
        |call| {
            let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
            call.values::<Int32Type>(|row| {
                let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
                    return Ok(None);
                };
                let found = regex.find_at(text, 0)?;
                // Java counts UTF-16 units.
                let before = found.map(|(start, _)| text[..start].encode_utf16().count() + 1);
                Ok(i32::try_from(before.unwrap_or(0)).ok())
            })
        },
    ),
    row(
        "regexp_extract_all",
        WITH_GROUP,
        |_, scalars| checked("REGEXP_EXTRACT_ALL", scalars, list_of(&DataType::Utf8)),
        Nulls::Maybe,
        extract_all,
    ),
];

/// The text of a constant argument, unless it is NULL.
pub(crate) fn constant<'a>(scalars: &[Option<&'a ScalarValue>], at: usize) -> Option<&'a str> {
    match scalars.get(at) {
        Some(Some(ScalarValue::Utf8(Some(text)))) => Some(text),
        _ => None,
    }
}

/// The type, unless argument 1 is a constant pattern that cannot be run.
fn checked(
    function: &str,
    scalars: &[Option<&ScalarValue>],
    data_type: DataType,
) -> Result<DataType> {
    if let Some(pattern) = constant(scalars, 1)
        && let Err(why) = JavaRegex::new(pattern)
    {
        return plan_err!("{function}: the pattern '{pattern}' cannot be run: {why}");
    }
    Ok(data_type)
}

/// The patterns of argument 1; one that repeats is looked up once.
struct Patterns<'a> {
    column: Column<'a, StringArray>,
    last: Option<(&'a str, Option<Rc<JavaRegex>>)>,
}

impl<'a> Patterns<'a> {
    fn of(call: &'a Call) -> Result<Self> {
        Ok(Self {
            column: call.text(1)?,
            last: None,
        })
    }

    /// None for NULL, Some(None) for what is no pattern.
    fn get(&mut self, row: usize) -> Option<Option<&JavaRegex>> {
        let text = self.column.get(row)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, JavaRegex::new(text).ok()));
        }
        self.last.as_ref().map(|(_, regex)| regex.as_deref())
    }
}

/// Argument 2, the number of a group, or what it is without it.
fn groups(call: &Call, default: i64) -> Result<impl Fn(usize) -> Option<i64>> {
    let column = if call.len() > 2 {
        Some(call.ints(2)?)
    } else {
        None
    };
    Ok(move |row| match &column {
        Some(column) => column.get(row),
        None => Some(default),
    })
}

/// The group, if the pattern has one of the number.
fn group_of(regex: &JavaRegex, number: i64) -> Option<usize> {
    usize::try_from(number)
        .ok()
        .filter(|g| *g <= regex.groups())
}

/// Of every match the group that argument 2 numbers, 1 without it; NULL where the pattern has no such group.
fn extract_all(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    let groups = groups(call, 1)?;
    call.text_lists(|row, found| {
        let (Some(text), Some(Some(regex)), Some(group)) =
            (texts.get(row), patterns.get(row), groups(row))
        else {
            return Ok(false);
        };
        let Some(group) = group_of(regex, group) else {
            return Ok(false);
        };
        regex.for_each(text, group, |_, part| {
            found.append(part.map(|(start, end)| &text[start..end]))
        })?;
        Ok(true)
    })
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    let groups = groups(call, 0)?;
    call.slices(|row| {
        let (Some(text), Some(Some(regex)), Some(group)) =
            (texts.get(row), patterns.get(row), groups(row))
        else {
            return Ok(None);
        };
        let Some(group) = group_of(regex, group) else {
            return Ok(None);
        };
        let found = regex.group_at(text, 0, group)?;
        let part = found.and_then(|(_, part)| part);
        Ok(part.map(|(start, end)| &text[start..end]))
    })
}

/// What replaces a match is taken as it stands: `$1` is no group.
fn replace(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns, by) = (call.text(0)?, Patterns::of(call)?, call.text(2)?);
    call.strings(|row, out| {
        let (Some(text), Some(Some(regex)), Some(by)) =
            (texts.get(row), patterns.get(row), by.get(row))
        else {
            return Ok(false);
        };
        let mut done = 0;
        regex.for_each(text, 0, |(start, end), _| {
            out.push_str(&text[done..start]);
            call.fits(out.len().saturating_add(by.len()))?;
            out.push_str(by);
            done = end;
            Ok(())
        })?;
        out.push_str(&text[done..]);
        Ok(true)
    })
}

fn matches(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    call.booleans(|row| {
        let (Some(text), Some(regex)) = (texts.get(row), patterns.get(row)) else {
            return Ok(None);
        };
        match regex {
            // An empty pattern matches nothing here.
            Some(regex) if !regex.is_empty() => regex.is_match(text).map(Some),
            _ => Ok(Some(false)),
        }
    })
}

fn count(call: &Call) -> Result<ArrayRef> {
    let (texts, mut patterns) = (call.text(0)?, Patterns::of(call)?);
    call.values::<Int32Type>(|row| {
        let (Some(text), Some(Some(regex))) = (texts.get(row), patterns.get(row)) else {
            return Ok(None);
        };
        let mut count = 0_usize;
        regex.for_each(text, 0, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(i32::try_from(count).ok())
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
                "the pattern 'foo(' cannot be run",
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
                "the pattern 'o(' cannot be run",
            ),
            ("regexp", vec![text("foobar"), text("o+")], "TRUE"),
            ("regexp", vec![text("foobar"), text("^o+")], "FALSE"),
            ("regexp", vec![text("foobar"), text("")], "FALSE"),
            (
                "regexp",
                vec![text("foobar"), text("o(")],
                "the pattern 'o(' cannot be run: a '(' is not closed",
            ),
            ("regexp", vec![no_text(), text("o")], "NULL"),
            ("regexp_count", vec![text("banana"), text("an")], "2"),
            ("regexp_substr", vec![text("banana"), text("n.")], "na"),
        ];
        for (name, args, expected) in table {
            let given = show(name, &args);
            match expected.contains("cannot be run") {
                true => assert!(given.contains(expected), "{given}"),
                false => assert_eq!(given, expected, "{name} {args:?}"),
            }
        }
    }
}
