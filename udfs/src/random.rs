//! RAND and RAND_INTEGER.

use std::hash::{BuildHasher, RandomState};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::Volatility;

use crate::function::{Call, Function, Nulls, Takes};

/// The functions of this file. With a seed, Flink draws one sequence over all rows of a task; a function that sees batch by batch
/// cannot, so seeds are refused.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        volatility: Volatility::Volatile,
        is_random: true,
        ..Function::new(
            "rand",
            Takes::Own(no_seed),
            |_, _| Ok(DataType::Float64),
            Nulls::Never,
            |call| {
                let mut random = random();
                call.values::<Float64Type>(|_| Ok(Some(random.f64())))
            },
        )
    },
    Function {
        volatility: Volatility::Volatile,
        is_random: true,
        ..Function::new(
            "rand_integer",
            Takes::Own(bound),
            |_, _| Ok(DataType::Int32),
            Nulls::Strict,
            rand_integer,
        )
        .fails()
    },
];

fn no_seed(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [] => Ok(Vec::new()),
        _ => plan_err!("RAND with a seed is not supported: write RAND()"),
    }
}

fn bound(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [bound] if bound.is_integer() || bound.is_null() => Ok(vec![DataType::Int32]),
        [_, _] => plan_err!("RAND_INTEGER with a seed is not supported: write RAND_INTEGER(bound)"),
        _ => plan_err!(
            "RAND_INTEGER takes a bound, a whole number, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

/// A generator that starts elsewhere each time.
fn random() -> fastrand::Rng {
    fastrand::Rng::with_seed(RandomState::new().hash_one(0))
}

/// From 0 up to, and without, the bound.
fn rand_integer(call: &Call) -> Result<ArrayRef> {
    let bounds = call.cast::<Int32Type>(0)?;
    let mut random = random();
    call.values::<Int32Type>(|row| match bounds.get(row) {
        None => Ok(None),
        Some(bound @ 1..) => Ok(Some(random.i32(0..bound))),
        Some(bound) => exec_err!("RAND_INTEGER: the bound {bound} is not positive"),
    })
}

#[cfg(test)]
mod tests {
    use crate::sql_tests::{run, value_of};

    #[test]
    fn every_row_has_its_own() {
        let rows = run(
            "SELECT count(DISTINCT rand()) > 90, min(rand()) >= 0 AND max(rand()) < 1, \
                        min(rand_integer(3)) >= 0 AND max(rand_integer(3)) < 3, count(DISTINCT rand_integer(3)) FROM t",
        );
        assert_eq!(rows.ok(), Some(vec!["TRUE TRUE TRUE 3".to_string()]));
        assert!(value_of("rand(1)").contains("RAND with a seed is not supported"));
        assert_eq!(value_of("rand_integer(NULL)"), "NULL");
        assert!(value_of("rand_integer(0)").contains("the bound 0 is not positive"));
    }
}
