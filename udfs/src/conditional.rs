//! COALESCE, GREATEST and LEAST.

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::compute::kernels::{boolean, cmp, zip::zip};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr_common::type_coercion::binary::type_union_resolution;

use crate::function::{Call, Function, Nulls, Takes};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    // All arguments are evaluated: for those that cannot fail.
    Function::new(
        "coalesce",
        Takes::Own(|given| same("COALESCE", given)),
        |types, _| Ok(types[0].clone()),
        Nulls::All,
        first_given,
    ),
    Function::new(
        "greatest",
        Takes::Own(|given| same("GREATEST", given)),
        |types, _| Ok(types[0].clone()),
        Nulls::Strict,
        |call| extreme(call, |a, b| Ok(cmp::gt_eq(a, b)?)),
    ),
    Function::new(
        "least",
        Takes::Own(|given| same("LEAST", given)),
        |types, _| Ok(types[0].clone()),
        Nulls::Strict,
        |call| extreme(call, |a, b| Ok(cmp::lt_eq(a, b)?)),
    ),
];

/// The type that all values have in common.
fn common(function: &str, given: &[DataType]) -> Result<DataType> {
    type_union_resolution(given).ok_or_else(|| {
        plan_datafusion_err!(
            "{function}: the arguments {} have no type in common",
            crate::casts::sql_names(given)
        )
    })
}

fn same(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    if given.is_empty() {
        return plan_err!("{function}: no arguments, expected one or more");
    }
    Ok(vec![common(function, given)?; given.len()])
}

/// The first value that is not NULL.
fn first_given(call: &Call) -> Result<ArrayRef> {
    call.arguments_fit()?;
    let mut found = call.full_array(0)?;
    for at in 1..call.len() {
        let given = boolean::is_not_null(&found)?;
        if given.true_count() == given.len() {
            break;
        }
        found = zip(&given, &found, &call.full_array(at)?)?;
    }
    Ok(found)
}

/// The value that stands before all others; NULL if one is NULL.
fn extreme(
    call: &Call,
    keep: fn(
        &dyn datafusion::arrow::array::Datum,
        &dyn datafusion::arrow::array::Datum,
    ) -> Result<BooleanArray>,
) -> Result<ArrayRef> {
    call.arguments_fit()?;
    let mut best = call.full_array(0)?;
    for at in 1..call.len() {
        let next = call.full_array(at)?;
        // Neither is kept of a pair with a NULL in it but the NULL: the mask is NULL there and takes the second.
        let kept = keep(&best, &next)?;
        let null = boolean::is_null(&best)?;
        best = zip(&boolean::or_kleene(&null, &kept)?, &best, &next)?;
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use crate::testing::{bigint, date, decimal, double, int, no_text, show, text};

    #[test]
    fn extremes() {
        let null = ScalarValue::Int32(None);
        let table = [
            ("greatest", vec![int(1), int(2), int(3)], "3"),
            ("greatest", vec![int(1), null.clone(), int(3)], "NULL"),
            ("greatest", vec![null, int(1)], "NULL"),
            ("least", vec![int(1), decimal(25, 2, 1), int(3)], "1.0"),
            ("least", vec![text("a"), text("b")], "a"),
            ("greatest", vec![text("a"), text("B")], "a"),
            ("least", vec![bigint(1), int(2)], "1"),
            ("greatest", vec![double(1.5), int(2)], "2.0"),
            (
                "greatest",
                vec![date("2024-01-01"), date("2024-02-01")],
                "2024-02-01",
            ),
        ];
        for (name, args, expected) in table {
            assert_eq!(show(name, &args), expected, "{name} {args:?}");
        }
    }

    #[test]
    fn choices() {
        let null = || ScalarValue::Int32(None);
        let table = [
            ("coalesce", vec![null(), int(5)], "5"),
            ("coalesce", vec![int(1), bigint(5)], "1"),
            ("coalesce", vec![no_text(), no_text(), text("x")], "x"),
            ("coalesce", vec![null(), null()], "NULL"),
        ];
        for (name, args, expected) in table {
            assert_eq!(show(name, &args), expected, "{name} {args:?}");
        }
    }
}
