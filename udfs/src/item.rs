//! `array[n]` and `map[key]`.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, UInt32Array, make_comparator,
};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};

use crate::function::{Call, Function, Nulls, Takes};

/// `item(ARRAY, INT)` and `item(MAP, key)`: an element, counted from 1, or what a key has; NULL where there is none.
pub(crate) static ITEM: Function = Function::new(
    "item",
    Takes::Own(|given| match given {
        [DataType::List(_), DataType::Int32] => Ok(given.to_vec()),
        [list @ DataType::List(_), DataType::Null] => Ok(vec![list.clone(), DataType::Int32]),
        [DataType::List(_), other] => plan_err!("the index of an ARRAY is {other}, expected INT"),
        [map @ DataType::Map(entries, _), key] => match entry_types(entries.data_type()) {
            Some((expected, _)) if key == expected || key.is_null() => {
                Ok(vec![map.clone(), expected.clone()])
            }
            Some((expected, _)) => plan_err!("the key of a MAP is {key}, expected {expected}"),
            None => plan_err!("{map} is no MAP"),
        },
        [other, _] => plan_err!("[] takes an element of an ARRAY or a MAP, not of {other}"),
        _ => plan_err!("[] takes one index or key"),
    }),
    |types, scalars| match (&types[0], scalars.get(1)) {
        (DataType::List(_), Some(Some(ScalarValue::Int32(Some(n @ ..=0))))) => {
            plan_err!("the elements of an ARRAY are counted from 1: [{n}] is none")
        }
        (DataType::List(element), _) => Ok(element.data_type().clone()),
        (DataType::Map(entries, _), _) => match entry_types(entries.data_type()) {
            Some((_, value)) => Ok(value.clone()),
            None => plan_err!("{} is no MAP", types[0]),
        },
        (other, _) => plan_err!("[] takes an element of an ARRAY or a MAP, not of {other}"),
    },
    Nulls::Maybe,
    |call| match call.data_type(0) {
        DataType::List(_) => element(call),
        _ => value(call),
    },
);

fn entry_types(entries: &DataType) -> Option<(&DataType, &DataType)> {
    match entries {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key.data_type(), value.data_type())),
            _ => None,
        },
        _ => None,
    }
}

fn element(call: &Call) -> Result<ArrayRef> {
    let lists = call.array(0).as_list_opt::<i32>();
    let lists = lists.ok_or_else(|| exec_datafusion_err!("[]: no ARRAY"))?;
    let ns = call.column::<Int32Array>(1)?;
    let constant = call.is_constant(0);
    let ends = lists.value_offsets();
    let places: UInt32Array = (0..call.rows)
        .map(|row| {
            let at = if constant { 0 } else { row };
            let n = ns.get(row).filter(|_| lists.is_valid(at))?;
            let place = ends[at].checked_add(n.checked_sub(1).filter(|n| *n >= 0)?)?;
            (place < ends[at + 1]).then(|| u32::try_from(place).ok())?
        })
        .collect();
    Ok(take(lists.values(), &places, None)?)
}

/// Keys are compared as `=` does: no key is NaN, 0.0 is -0.0.
fn value(call: &Call) -> Result<ArrayRef> {
    let maps = call.array(0).as_map_opt();
    let maps = maps.ok_or_else(|| exec_datafusion_err!("[]: no MAP"))?;
    let wanted = call.array(1);
    let (keys, values) = (maps.keys(), maps.values());
    let equal = equality(keys, wanted)?;
    let (constant_map, constant_key) = (call.is_constant(0), call.is_constant(1));
    let ends = maps.value_offsets();
    let places: UInt32Array = (0..call.rows)
        .map(|row| {
            let at = if constant_map { 0 } else { row };
            let key = if constant_key { 0 } else { row };
            if maps.is_null(at) || wanted.is_null(key) {
                return None;
            }
            let mut entries =
                usize::try_from(ends[at]).ok()?..usize::try_from(ends[at + 1]).ok()?;
            let place = entries.rfind(|entry| keys.is_valid(*entry) && equal(*entry, key))?;
            u32::try_from(place).ok()
        })
        .collect();
    Ok(take(values, &places, None)?)
}

type Equality = Box<dyn Fn(usize, usize) -> bool>;

fn equality(keys: &ArrayRef, wanted: &ArrayRef) -> Result<Equality> {
    match keys.data_type() {
        DataType::Utf8 => {
            let (keys, wanted) = (
                keys.as_string::<i32>().clone(),
                wanted.as_string::<i32>().clone(),
            );
            Ok(Box::new(move |i, j| keys.value(i) == wanted.value(j)))
        }
        DataType::Float32 => {
            let keys = keys.as_primitive::<Float32Type>().clone();
            let wanted = wanted.as_primitive::<Float32Type>().clone();
            Ok(Box::new(move |i, j| keys.value(i) == wanted.value(j)))
        }
        DataType::Float64 => {
            let keys = keys.as_primitive::<Float64Type>().clone();
            let wanted = wanted.as_primitive::<Float64Type>().clone();
            Ok(Box::new(move |i, j| keys.value(i) == wanted.value(j)))
        }
        _ => {
            let compare = make_comparator(keys, wanted, SortOptions::default())?;
            Ok(Box::new(move |i, j| compare(i, j).is_eq()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Float64Array, ListArray, MapArray, StringArray, StructArray};
    use datafusion::arrow::buffer::OffsetBuffer;
    use datafusion::arrow::datatypes::{Field, Int32Type};
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};

    use super::*;
    use crate::testing::int;

    fn get(collection: ArrayRef, place: ColumnarValue) -> Result<Vec<String>> {
        let udf = crate::item();
        let rows = collection.len();
        let given = [collection.data_type().clone(), place.data_type()];
        let types = udf.coerce_types(&given)?;
        let place = match place {
            ColumnarValue::Scalar(v) => ColumnarValue::Scalar(v.cast_to(&types[1])?),
            array => array,
        };
        let fields: Vec<_> = types
            .iter()
            .map(|t| Arc::new(Field::new("a", t.clone(), false)))
            .collect();
        let scalar = match &place {
            ColumnarValue::Scalar(v) => Some(v),
            _ => None,
        };
        let return_field = udf.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &[None, scalar],
        })?;
        assert!(return_field.is_nullable());
        let result = udf.invoke_with_args(ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(collection), place],
            arg_fields: fields,
            number_rows: rows,
            return_field,
            config_options: Arc::new(ConfigOptions::new()),
        })?;
        let result = result.into_array(rows)?;
        (0..rows)
            .map(|row| Ok(ScalarValue::try_from_array(&result, row)?.to_string()))
            .collect()
    }

    #[test]
    fn elements() {
        let list = || Some(vec![Some(10), None, Some(30)]);
        let lists = vec![
            list(),
            list(),
            list(),
            list(),
            list(),
            list(),
            list(),
            None,
            Some(vec![]),
        ];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        let places = vec![
            Some(1),
            Some(2),
            Some(3),
            Some(4),
            Some(0),
            Some(-1),
            None,
            Some(1),
            Some(1),
        ];
        let column = ColumnarValue::Array(Arc::new(Int32Array::from(places)));
        let expected = [
            "10", "NULL", "30", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL",
        ];
        assert_eq!(get(Arc::clone(&lists), column).unwrap(), expected);
        // A part of a column begins anywhere.
        let part = get(lists.slice(2, 6), ColumnarValue::Scalar(int(3))).unwrap();
        assert_eq!(part, ["30", "30", "30", "30", "30", "NULL"]);
        let last = get(Arc::clone(&lists), ColumnarValue::Scalar(int(i32::MAX))).unwrap();
        assert_eq!(last, vec!["NULL"; 9]);
        for n in [0, -1] {
            let refused = get(Arc::clone(&lists), ColumnarValue::Scalar(int(n)));
            assert!(refused.unwrap_err().to_string().contains("counted from 1"));
        }
        let wrong = ColumnarValue::Scalar(ScalarValue::Utf8(Some("1".into())));
        assert!(get(lists, wrong).is_err());
    }

    fn map(keys: ArrayRef, values: ArrayRef, ends: Vec<i32>, nulls: Vec<bool>) -> ArrayRef {
        let entries = StructArray::from(vec![
            (
                Arc::new(Field::new("key", keys.data_type().clone(), false)),
                keys,
            ),
            (
                Arc::new(Field::new("value", values.data_type().clone(), true)),
                values,
            ),
        ]);
        let field = Field::new("entries", entries.data_type().clone(), false);
        Arc::new(MapArray::new(
            Arc::new(field),
            OffsetBuffer::new(ends.into()),
            entries,
            Some(nulls.into()),
            false,
        ))
    }

    #[test]
    fn values() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "", "n", "k", "k"]));
        let values: ArrayRef = Arc::new(Int32Array::from(vec![
            Some(1),
            Some(2),
            None,
            Some(4),
            Some(5),
        ]));
        // {k: 1, "": 2, n: NULL}, {k: 4}, NULL, {}, {k: 5}
        let maps = map(
            keys,
            values,
            vec![0, 3, 4, 4, 4, 5],
            vec![true, true, false, true, true],
        );
        let column =
            |texts: Vec<Option<&str>>| ColumnarValue::Array(Arc::new(StringArray::from(texts)));
        let wanted = column(vec![Some(""), Some("zz"), Some("k"), Some("k"), Some("k")]);
        let expected = ["2", "NULL", "NULL", "NULL", "5"];
        assert_eq!(get(Arc::clone(&maps), wanted).unwrap(), expected);
        let wanted = column(vec![Some("n"), None, None, None, None]);
        assert_eq!(get(Arc::clone(&maps), wanted).unwrap(), ["NULL"; 5]);
        let constant = ColumnarValue::Scalar(ScalarValue::Utf8(Some("k".into())));
        let expected = ["1", "4", "NULL", "NULL", "5"];
        assert_eq!(get(Arc::clone(&maps), constant).unwrap(), expected);
        assert!(get(maps, ColumnarValue::Scalar(int(1))).is_err());

        let keys: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 0.0]));
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let maps = map(keys, values, vec![0, 2, 2], vec![true, true]);
        let wanted: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 1.0]));
        assert_eq!(
            get(Arc::clone(&maps), ColumnarValue::Array(wanted)).unwrap(),
            ["2", "NULL"]
        );
        let nan = ColumnarValue::Scalar(ScalarValue::Float64(Some(f64::NAN)));
        assert_eq!(get(maps, nan).unwrap(), ["NULL", "NULL"]);
    }
}
