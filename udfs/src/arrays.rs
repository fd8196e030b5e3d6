//! Functions of arrays and maps. Elements count from 1; a NULL is an element like others, and equal to another NULL.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, MapArray, StructArray,
    UInt64Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr_common::type_coercion::binary::type_union_resolution;

use crate::aggregate::list_of;
use crate::function::{Call, Function, Nulls, Takes};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "cardinality",
        Takes::Own(|given| match given {
            [DataType::List(_) | DataType::Map(..)] => Ok(given.to_vec()),
            _ => plan_err!(
                "CARDINALITY takes one ARRAY or MAP, not {}",
                crate::casts::sql_names(given)
            ),
        }),
        |_, _| Ok(DataType::Int32),
        Nulls::Strict,
        cardinality,
    ),
    with_element("array_contains", |_, _| Ok(DataType::Boolean), contains),
    with_element("array_position", |_, _| Ok(DataType::Int32), position),
    with_element("array_remove", FIRST, |call| {
        let lists = Lists::of(call, &[0])?;
        let elements = Elements::of(call, &lists)?;
        lists.select(call, |row, range, out| {
            let wanted = elements.argument.row(row);
            out.extend(range.filter(|i| elements.list.row(*i) != wanted));
            Ok(true)
        })
    }),
    with_element("array_append", FIRST, |call| with_one_more(call, false)),
    with_element("array_prepend", FIRST, |call| with_one_more(call, true)),
    of_lists("array_distinct", one_list, |call| {
        let lists = Lists::of(call, &[0])?;
        let rows = lists.rows()?;
        lists.select(call, |_, range, out| {
            let mut seen = HashSet::new();
            out.extend(range.filter(|i| seen.insert(rows.row(*i))));
            Ok(true)
        })
    }),
    of_lists("array_reverse", one_list, |call| {
        Lists::of(call, &[0])?.select(call, |_, range, out| {
            out.extend(range.rev());
            Ok(true)
        })
    }),
    of_lists("array_union", two_lists, |call| {
        set_operation(call, |left, right, seen| {
            left.chain(right)
                .filter(|(_, row)| seen.insert(*row))
                .map(|(i, _)| i)
                .collect()
        })
    }),
    of_lists("array_except", two_lists, |call| {
        set_operation(call, |left, right, seen| {
            seen.extend(right.map(|(_, row)| row));
            left.filter(|(_, row)| seen.insert(*row))
                .map(|(i, _)| i)
                .collect()
        })
    }),
    of_lists("array_intersect", two_lists, |call| {
        set_operation(call, |left, right, seen| {
            seen.extend(right.map(|(_, row)| row));
            left.filter(|(_, row)| seen.remove(row))
                .map(|(i, _)| i)
                .collect()
        })
    }),
    of_lists("array_concat", lists, |call| {
        let at: Vec<usize> = (0..call.len()).collect();
        let lists = Lists::of(call, &at)?;
        lists.select_all(call, |_, ranges, out| {
            ranges.iter().for_each(|range| out.extend(range.clone()));
            Ok(true)
        })
    }),
    Function::new(
        "array_slice",
        Takes::Own(|given| match given {
            [DataType::List(_), more @ ..] if (1..=2).contains(&more.len()) => {
                whole_numbers("ARRAY_SLICE", given)
            }
            _ => {
                plan_err!(
                    "ARRAY_SLICE takes an ARRAY and one or two whole numbers, not {}",
                    crate::casts::sql_names(given)
                )
            }
        }),
        FIRST,
        Nulls::Maybe,
        slice,
    ),
    Function::new(
        "array_sort",
        Takes::Own(|given| match given {
            [list @ DataType::List(_), more @ ..]
                if more.len() <= 2
                    && more
                        .iter()
                        .all(|t| matches!(t, DataType::Boolean | DataType::Null)) =>
            {
                Ok([
                    std::slice::from_ref(list),
                    vec![DataType::Boolean; more.len()].as_slice(),
                ]
                .concat())
            }
            _ => plan_err!(
                "ARRAY_SORT takes an ARRAY and up to two BOOLEANs, not {}",
                crate::casts::sql_names(given)
            ),
        }),
        FIRST,
        Nulls::Maybe,
        sort,
    ),
    of_list("array_max", |call| extreme(call, true)),
    of_list("array_min", |call| extreme(call, false)),
    of_list("element", |call| {
        let lists = Lists::of(call, &[0])?;
        lists.one(call, |range| match range.len() {
            0 | 1 => Ok(range.last()),
            n => exec_err!("ELEMENT: Array has more than one element: {n}"),
        })
    })
    .fails(),
    Function::new(
        "array_join",
        Takes::Own(|given| {
            let text =
                |t: &DataType| matches!(t, DataType::Utf8 | DataType::Utf8View | DataType::Null);
            match given {
                [DataType::List(of), more @ ..]
                    if text(of.data_type())
                        && (1..=2).contains(&more.len())
                        && more.iter().all(text) =>
                {
                    let list = list_of(&DataType::Utf8);
                    Ok([&[list], vec![DataType::Utf8; more.len()].as_slice()].concat())
                }
                _ => plan_err!(
                    "ARRAY_JOIN takes an ARRAY<STRING> and one or two STRINGs, not {}",
                    crate::casts::sql_names(given)
                ),
            }
        }),
        |_, _| Ok(DataType::Utf8),
        Nulls::Maybe,
        join,
    ),
    Function::new(
        "map_keys",
        Takes::Own(|given| one_map("MAP_KEYS", given)),
        |types, _| Ok(list_of(entry_types(&types[0])?.0)),
        Nulls::Strict,
        |call| entries_part(call, |entries| Arc::clone(entries.column(0))),
    ),
    Function::new(
        "map_values",
        Takes::Own(|given| one_map("MAP_VALUES", given)),
        |types, _| Ok(list_of(entry_types(&types[0])?.1)),
        Nulls::Strict,
        |call| entries_part(call, |entries| Arc::clone(entries.column(1))),
    ),
    Function::new(
        "map_entries",
        Takes::Own(|given| one_map("MAP_ENTRIES", given)),
        |types, _| {
            let (key, value) = entry_types(&types[0])?;
            Ok(list_of(&DataType::Struct(entry_fields(key, value))))
        },
        Nulls::Strict,
        |call| {
            entries_part(call, |entries| {
                let (key, value) = (entries.column(0), entries.column(1));
                let fields = entry_fields(key.data_type(), value.data_type());
                let columns = vec![Arc::clone(key), Arc::clone(value)];
                Arc::new(StructArray::new(fields, columns, None))
            })
        },
    ),
    Function::new(
        "map_from_arrays",
        Takes::Own(|given| match given {
            [DataType::List(_), DataType::List(_)] => Ok(given.to_vec()),
            _ => plan_err!(
                "MAP_FROM_ARRAYS takes two ARRAYs, not {}",
                crate::casts::sql_names(given)
            ),
        }),
        |types, _| match types {
            [DataType::List(key), DataType::List(value)] => {
                Ok(map_of(key.data_type(), value.data_type()))
            }
            _ => plan_err!("MAP_FROM_ARRAYS takes two ARRAYs, not {types:?}"),
        },
        Nulls::Strict,
        map_from_arrays,
    )
    .fails(),
    Function::new(
        "map_union",
        Takes::Own(|given| {
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for given in given.iter().filter(|t| !t.is_null()) {
                let (key, value) = entry_types(given)?;
                keys.push(key.clone());
                values.push(value.clone());
            }
            if keys.is_empty() {
                return plan_err!(
                    "MAP_UNION takes one MAP or more, not {}",
                    crate::casts::sql_names(given)
                );
            }
            Ok(vec![
                map_of(&common(&keys)?, &common(&values)?);
                given.len()
            ])
        }),
        |types, _| {
            let (key, value) = entry_types(&types[0])?;
            Ok(map_of(key, value))
        },
        Nulls::Strict,
        map_union,
    ),
];

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;
type Coerces = fn(&[DataType]) -> Result<Vec<DataType>>;
const FIRST: Returns = |types, _| Ok(types[0].clone());

/// A function of an array and an element.
const fn with_element(
    name: &'static str,
    returns: Returns,
    eval: fn(&Call) -> Result<ArrayRef>,
) -> Function {
    Function::new(
        name,
        Takes::Own(list_and_element),
        returns,
        Nulls::Maybe,
        eval,
    )
}

/// A function of arrays that gives an array of their type.
const fn of_lists(
    name: &'static str,
    takes: Coerces,
    eval: fn(&Call) -> Result<ArrayRef>,
) -> Function {
    Function::new(name, Takes::Own(takes), FIRST, Nulls::Maybe, eval)
}

/// A function of an array that gives an element.
const fn of_list(name: &'static str, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Own(one_list),
        |types, _| match &types[0] {
            DataType::List(of) => Ok(of.data_type().clone()),
            other => plan_err!("expected an ARRAY, not {other}"),
        },
        Nulls::Maybe,
        eval,
    )
}

fn one_list(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [DataType::List(of)] => Ok(vec![list_of(of.data_type())]),
        _ => plan_err!("expected one ARRAY, not {}", crate::casts::sql_names(given)),
    }
}

fn two_lists(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [_, _] => lists(given),
        _ => plan_err!(
            "expected two ARRAYs, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

/// One or more arrays of the type that their elements have in common.
fn lists(given: &[DataType]) -> Result<Vec<DataType>> {
    if given.is_empty() {
        return plan_err!("no arguments, expected an ARRAY or more");
    }
    let mut elements = Vec::new();
    for given in given {
        match given {
            DataType::List(of) => elements.push(of.data_type().clone()),
            DataType::Null => {}
            other => return plan_err!("expected an ARRAY, not {other}"),
        }
    }
    Ok(vec![list_of(&common(&elements)?); given.len()])
}

fn list_and_element(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [DataType::List(of), element] => {
            let element = common(&[of.data_type().clone(), element.clone()])?;
            Ok(vec![list_of(&element), element])
        }
        _ => plan_err!(
            "expected an ARRAY and an element, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

fn common(types: &[DataType]) -> Result<DataType> {
    let known: Vec<DataType> = types.iter().filter(|t| !t.is_null()).cloned().collect();
    match (known.as_slice(), type_union_resolution(&known)) {
        ([], _) => Ok(DataType::Null),
        (_, Some(common)) => Ok(common),
        _ => plan_err!("the elements {types:?} have no type in common"),
    }
}

fn whole_numbers(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    let mut types = given.to_vec();
    for given in types.iter_mut().skip(1) {
        if !given.is_integer() && !given.is_null() {
            return plan_err!("{function}: {given} is no whole number");
        }
        *given = DataType::Int64;
    }
    Ok(types)
}

fn one_map(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [DataType::Map(..)] => Ok(given.to_vec()),
        _ => plan_err!(
            "{function} takes one MAP, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

/// The types of keys and values.
fn entry_types(map: &DataType) -> Result<(&DataType, &DataType)> {
    if let DataType::Map(entries, _) = map
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = fields.as_ref()
    {
        return Ok((key.data_type(), value.data_type()));
    }
    plan_err!("{map} is no MAP")
}

fn entry_fields(key: &DataType, value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("key", key.clone(), false),
        Field::new("value", value.clone(), true),
    ])
}

/// MAP of the types.
pub(crate) fn map_of(key: &DataType, value: &DataType) -> DataType {
    let entries = Field::new("entries", DataType::Struct(entry_fields(key, value)), false);
    DataType::Map(Arc::new(entries), false)
}

/// Maps of the entries, `lengths` of them each (None for NULL).
pub(crate) fn maps(
    keys: ArrayRef,
    values: ArrayRef,
    lengths: &[Option<usize>],
) -> Result<ArrayRef> {
    let fields = entry_fields(keys.data_type(), values.data_type());
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let field = Field::new("entries", DataType::Struct(fields), false);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|l| l.unwrap_or(0)));
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    Ok(Arc::new(MapArray::try_new(
        Arc::new(field),
        offsets,
        entries,
        Some(nulls),
        false,
    )?))
}

/// Array arguments, their elements one after the other.
struct Lists {
    elements: ArrayRef,
    /// Each with the place of its first element.
    lists: Vec<(ListArray, usize)>,
}

impl Lists {
    fn of(call: &Call, arguments: &[usize]) -> Result<Self> {
        let mut lists = Vec::new();
        let mut chunks = Vec::new();
        let mut start = 0;
        for at in arguments {
            let array = call.full_array(*at)?;
            let list = array.as_list_opt::<i32>().cloned();
            let list = list.ok_or_else(|| {
                exec_datafusion_err!(
                    "{}: argument {} is {}, expected an ARRAY",
                    call.name(),
                    at + 1,
                    array.data_type()
                )
            })?;
            chunks.push(Arc::clone(list.values()));
            let length = list.values().len();
            lists.push((list, start));
            start += length;
        }
        let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
        Ok(Self {
            elements: concat(&chunks)?,
            lists,
        })
    }

    /// Where the elements of a row of argument `list` are; None for NULL.
    fn range(&self, list: usize, row: usize) -> Option<Range<usize>> {
        let (list, start) = &self.lists[list];
        if list.is_null(row) {
            return None;
        }
        let at = |i: usize| start + usize::try_from(list.value_offsets()[i]).unwrap_or(0);
        Some(at(row)..at(row + 1))
    }

    /// The elements in a form that can be compared.
    fn rows(&self) -> Result<Rows> {
        let converter = RowConverter::new(vec![SortField::new(self.elements.data_type().clone())])?;
        Ok(converter.convert_columns(std::slice::from_ref(&self.elements))?)
    }

    /// Arrays of the elements that `select` names for a row; NULL where it says no, and where an argument is NULL.
    fn select_all(
        &self,
        call: &Call,
        mut select: impl FnMut(usize, &[Range<usize>], &mut Vec<usize>) -> Result<bool>,
    ) -> Result<ArrayRef> {
        let mut indices = Vec::new();
        let mut lengths = Vec::with_capacity(call.rows);
        let mut valid = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let before = indices.len();
            let ranges: Option<Vec<_>> =
                (0..self.lists.len()).map(|l| self.range(l, row)).collect();
            valid.push(match ranges {
                Some(ranges) => select(row, &ranges, &mut indices)?,
                None => false,
            });
            lengths.push(indices.len() - before);
        }
        let elements = taken(&self.elements, indices.into_iter().map(Some))?;
        let field = Field::new_list_field(elements.data_type().clone(), true);
        let list = ListArray::try_new(
            Arc::new(field),
            OffsetBuffer::from_lengths(lengths),
            elements,
            Some(NullBuffer::from(valid)),
        )?;
        // The element field of the declared type may have another name.
        Ok(cast(&list, &call.result_type)?)
    }

    /// The same of one argument.
    fn select(
        &self,
        call: &Call,
        mut select: impl FnMut(usize, Range<usize>, &mut Vec<usize>) -> Result<bool>,
    ) -> Result<ArrayRef> {
        self.select_all(call, |row, ranges, out| match ranges {
            [range, ..] => select(row, range.clone(), out),
            [] => Ok(false),
        })
    }

    /// The element that `choose` names for a row.
    fn one(
        &self,
        call: &Call,
        mut choose: impl FnMut(Range<usize>) -> Result<Option<usize>>,
    ) -> Result<ArrayRef> {
        let indices = (0..call.rows).map(|row| match self.range(0, row) {
            Some(range) => choose(range),
            None => Ok(None),
        });
        taken(&self.elements, indices.collect::<Result<Vec<_>>>()?)
    }
}

fn taken(
    elements: &ArrayRef,
    indices: impl IntoIterator<Item = Option<usize>>,
) -> Result<ArrayRef> {
    let indices = UInt64Array::from_iter(indices.into_iter().map(|i| i.map(|i| i as u64)));
    Ok(take(elements, &indices, None)?)
}

/// The elements of an array and those of the argument after it, to be compared.
struct Elements {
    list: Rows,
    argument: Rows,
    given: ArrayRef,
}

impl Elements {
    fn of(call: &Call, lists: &Lists) -> Result<Self> {
        let given = call.full_array(1)?;
        let converter = RowConverter::new(vec![SortField::new(given.data_type().clone())])?;
        Ok(Self {
            list: converter.convert_columns(std::slice::from_ref(&lists.elements))?,
            argument: converter.convert_columns(std::slice::from_ref(&given))?,
            given,
        })
    }
}

fn cardinality(call: &Call) -> Result<ArrayRef> {
    let values = call.full_array(0)?;
    let lengths =
        datafusion::arrow::compute::kernels::length::length(&match values.as_map_opt() {
            Some(map) => Arc::new(ListArray::from(map.clone())) as ArrayRef,
            None => values,
        })?;
    Ok(cast(&lengths, &DataType::Int32)?)
}

fn contains(call: &Call) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let elements = Elements::of(call, &lists)?;
    let found = (0..call.rows).map(|row| {
        let wanted = elements.argument.row(row);
        lists
            .range(0, row)
            .map(|mut range| range.any(|i| elements.list.row(i) == wanted))
    });
    Ok(Arc::new(found.collect::<BooleanArray>()))
}

fn position(call: &Call) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let elements = Elements::of(call, &lists)?;
    let found = (0..call.rows).map(|row| {
        let range = lists
            .range(0, row)
            .filter(|_| !elements.given.is_null(row))?;
        let wanted = elements.argument.row(row);
        let place = range.clone().position(|i| elements.list.row(i) == wanted);
        i32::try_from(place.map_or(0, |p| p + 1)).ok()
    });
    Ok(Arc::new(found.collect::<Int32Array>()))
}

/// The array and one more element, in front or at the end.
fn with_one_more(call: &Call, in_front: bool) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let start = lists.elements.len();
    let whole = Lists {
        elements: concat(&[lists.elements.as_ref(), call.full_array(1)?.as_ref()])?,
        lists: lists.lists,
    };
    whole.select(call, |row, range, out| {
        if in_front {
            out.push(start + row);
        }
        out.extend(range);
        if !in_front {
            out.push(start + row);
        }
        Ok(true)
    })
}

/// Elements with their places.
type Numbered<'a> = &'a mut dyn Iterator<Item = (usize, datafusion::arrow::row::Row<'a>)>;

/// An array of the elements that `choose` takes from two.
fn set_operation(
    call: &Call,
    choose: impl for<'a> Fn(
        Numbered<'a>,
        Numbered<'a>,
        &mut HashSet<datafusion::arrow::row::Row<'a>>,
    ) -> Vec<usize>,
) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0, 1])?;
    let rows = lists.rows()?;
    lists.select_all(call, |_, ranges, out| {
        let [left, right] = ranges else {
            return Ok(false);
        };
        let mut left = left.clone().map(|i| (i, rows.row(i)));
        let mut right = right.clone().map(|i| (i, rows.row(i)));
        out.extend(choose(&mut left, &mut right, &mut HashSet::new()));
        Ok(true)
    })
}

/// From a start to an end, both inside; negative ones count from the end, 0 is as 1.
fn slice(call: &Call) -> Result<ArrayRef> {
    let starts = call.ints(1)?;
    let ends = if call.len() > 2 {
        Some(call.ints(2)?)
    } else {
        None
    };
    Lists::of(call, &[0])?.select(call, |row, range, out| {
        let end = match &ends {
            Some(column) => column.get(row),
            None => Some(-1),
        };
        let (Some(start), Some(end)) = (starts.get(row), end) else {
            return Ok(false);
        };
        let length = range.len() as i64;
        let place = |n: i64| {
            if n < 0 {
                length.saturating_add(n)
            } else {
                (n - 1).max(0)
            }
        };
        let (first, last) = (place(start).max(0), place(end).min(length - 1));
        if first <= last {
            out.extend(range.start + first as usize..=range.start + last as usize);
        }
        Ok(true)
    })
}

/// Ascending with NULLs first, or descending with NULLs last, unless the third argument says where NULLs go.
fn sort(call: &Call) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let rows = lists.rows()?;
    let options = (1..call.len())
        .map(|at| call.column::<BooleanArray>(at))
        .collect::<Result<Vec<_>>>()?;
    lists.select(call, |row, range, out| {
        let Some(given) = options
            .iter()
            .map(|o| o.get(row))
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(false);
        };
        let ascending = given.first().copied().unwrap_or(true);
        let nulls_first = given.get(1).copied().unwrap_or(ascending);
        let (nulls, mut values): (Vec<_>, Vec<_>) = range.partition(|i| lists.elements.is_null(*i));
        values.sort_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
        if !ascending {
            values.reverse();
        }
        if nulls_first {
            out.extend(nulls.into_iter().chain(values));
        } else {
            out.extend(values.into_iter().chain(nulls));
        }
        Ok(true)
    })
}

fn extreme(call: &Call, largest: bool) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let rows = lists.rows()?;
    lists.one(call, |range| {
        let values = range.filter(|i| !lists.elements.is_null(*i));
        Ok(if largest {
            values.max_by(|a, b| rows.row(*a).cmp(&rows.row(*b)))
        } else {
            values.min_by(|a, b| rows.row(*a).cmp(&rows.row(*b)))
        })
    })
}

fn join(call: &Call) -> Result<ArrayRef> {
    let lists = Lists::of(call, &[0])?;
    let texts = lists.elements.as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| exec_datafusion_err!("ARRAY_JOIN got no ARRAY<STRING>"))?;
    let separators = call.text(1)?;
    let nulls = if call.len() > 2 {
        Some(call.text(2)?)
    } else {
        None
    };
    call.strings(|row, out| {
        let (Some(range), Some(separator)) = (lists.range(0, row), separators.get(row)) else {
            return Ok(false);
        };
        let for_null = match &nulls {
            Some(column) => match column.get(row) {
                None => return Ok(false),
                given => given,
            },
            None => None,
        };
        let parts = range.filter_map(|i| {
            if texts.is_null(i) {
                for_null
            } else {
                Some(texts.value(i))
            }
        });
        for (i, part) in parts.enumerate() {
            if i > 0 {
                out.push_str(separator);
            }
            out.push_str(part);
        }
        Ok(true)
    })
}

/// A part of the entries of maps, as arrays.
fn entries_part(call: &Call, part: fn(&StructArray) -> ArrayRef) -> Result<ArrayRef> {
    let map = map_argument(call, 0)?;
    let values = part(map.entries());
    let field = Field::new_list_field(values.data_type().clone(), true);
    let list = ListArray::try_new(
        Arc::new(field),
        map.offsets().clone(),
        values,
        map.nulls().cloned(),
    )?;
    Ok(cast(&list, &call.result_type)?)
}

fn map_argument(call: &Call, at: usize) -> Result<MapArray> {
    let array = call.full_array(at)?;
    let map = array.as_map_opt().cloned();
    map.ok_or_else(|| exec_datafusion_err!("{}: argument {} is no MAP", call.name(), at + 1))
}

/// Of a key that stands twice, the last value.
fn last_of_each<'a>(
    entries: impl Iterator<Item = usize>,
    keys: &'a Rows,
    out: &mut Vec<usize>,
) -> usize {
    let mut places: std::collections::HashMap<datafusion::arrow::row::Row<'a>, usize> =
        Default::default();
    let before = out.len();
    for entry in entries {
        match places.get(&keys.row(entry)) {
            Some(place) => out[*place] = entry,
            None => {
                places.insert(keys.row(entry), out.len());
                out.push(entry);
            }
        }
    }
    out.len() - before
}

fn map_from_arrays(call: &Call) -> Result<ArrayRef> {
    let (keys, values) = (Lists::of(call, &[0])?, Lists::of(call, &[1])?);
    let rows = keys.rows()?;
    let (mut entries, mut shifts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let (Some(k), Some(v)) = (keys.range(0, row), values.range(0, row)) else {
            lengths.push(None);
            continue;
        };
        if k.len() != v.len() {
            return exec_err!(
                "MAP_FROM_ARRAYS: the length of the keys array {} is not equal to the length of the values array {}",
                k.len(),
                v.len()
            );
        }
        if k.clone().any(|i| keys.elements.is_null(i)) {
            return exec_err!("MAP_FROM_ARRAYS: a key is NULL");
        }
        let (from_key, from_value) = (k.start, v.start);
        let length = last_of_each(k, &rows, &mut entries);
        let new = entries.len() - length;
        shifts.extend(entries[new..].iter().map(|i| i - from_key + from_value));
        lengths.push(Some(length));
    }
    let keys = taken(&keys.elements, entries.into_iter().map(Some))?;
    maps(
        keys,
        taken(&values.elements, shifts.into_iter().map(Some))?,
        &lengths,
    )
}

fn map_union(call: &Call) -> Result<ArrayRef> {
    let arguments = (0..call.len())
        .map(|at| map_argument(call, at))
        .collect::<Result<Vec<_>>>()?;
    let whole = |column: usize| -> Result<ArrayRef> {
        let columns: Vec<&dyn Array> = arguments
            .iter()
            .map(|m| m.entries().column(column).as_ref())
            .collect();
        Ok(concat(&columns)?)
    };
    let (keys, values) = (whole(0)?, whole(1)?);
    let converter = RowConverter::new(vec![SortField::new_with_options(
        keys.data_type().clone(),
        SortOptions::default(),
    )])?;
    let rows = converter.convert_columns(std::slice::from_ref(&keys))?;
    let mut starts = Vec::new();
    let mut start = 0;
    for map in &arguments {
        starts.push(start);
        start += map.entries().len();
    }
    let (mut entries, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        if arguments.iter().any(|m| m.is_null(row)) {
            lengths.push(None);
            continue;
        }
        let all = arguments.iter().zip(&starts).flat_map(|(map, start)| {
            let at = |i: usize| start + usize::try_from(map.value_offsets()[i]).unwrap_or(0);
            at(row)..at(row + 1)
        });
        lengths.push(Some(last_of_each(all, &rows, &mut entries)));
    }
    let keys = taken(&keys, entries.iter().copied().map(Some))?;
    maps(
        keys,
        taken(&values, entries.into_iter().map(Some))?,
        &lengths,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "arrays_tests.rs"]
mod tests;
