//! A cast as a DataFusion function.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::convert::convert;
use super::failures::Failures;
use super::{Cast, Failure};

impl Cast {
    /// The cast as a function of one argument: from the Arrow type of `from` to that of `to`.
    pub fn udf(&self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Udf {
            cast: self.clone(),
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    fn name(&self) -> &'static str {
        match self.failure {
            Failure::Error => "CAST",
            Failure::Null => "TRY_CAST",
        }
    }

    /// Casts an array of the Arrow type of `from`.
    fn array(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let mut failures = Failures::new(self.failure == Failure::Error);
        let result = convert(&self.from, &self.to, array, self.overflow, &mut failures)?;
        match (self.failure, failures.first()) {
            (_, None) => Ok(result),
            (Failure::Error, Some((_, message))) => Err(exec_datafusion_err!("CAST: {message}")),
            (Failure::Null, Some(_)) => {
                let mut failed = vec![false; result.len()];
                for row in failures.rows() {
                    if let Some(failed) = failed.get_mut(row) {
                        *failed = true;
                    }
                }
                Ok(nullif(&result, &BooleanArray::from(failed))?)
            }
        }
    }
}

#[derive(Debug)]
struct Udf {
    cast: Cast,
    signature: Signature,
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        self.cast == other.cast
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.cast.hash(state);
    }
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        self.cast.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args.iter().map(|a| a.schema_name().to_string()).collect();
        Ok(format!(
            "{}({} AS {})",
            self.name(),
            args.join(", "),
            self.cast.to
        ))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Ok(given.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.cast.to.arrow())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [argument] = args.arg_fields else {
            return plan_err!(
                "{}: {} arguments, expected one",
                self.name(),
                args.arg_fields.len()
            );
        };
        let nullable = argument.is_nullable() || self.cast.can_give_null();
        Ok(Arc::new(Field::new(
            self.name(),
            self.cast.to.arrow(),
            nullable,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(self.cast.array(array)?)),
            [ColumnarValue::Scalar(value)] => {
                let result = self.cast.array(&value.to_array_of_size(1)?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &result, 0,
                )?))
            }
            other => plan_err!("{}: {} arguments, expected one", self.name(), other.len()),
        }
    }
}

/// The cast that a function is, if it is one.
pub fn of(function: &ScalarUDF) -> Option<&Cast> {
    let udf: &dyn std::any::Any = function.inner().as_ref();
    udf.downcast_ref::<Udf>().map(|udf| &udf.cast)
}
