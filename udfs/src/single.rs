//! SINGLE_VALUE: the one value of a scalar subquery.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::aggregate::state_field;

/// The function.
pub(crate) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(SingleValue {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [one] => Ok(one.clone()),
            _ => plan_err!("SINGLE_VALUE takes one argument"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = args.return_field.data_type().clone();
        Ok(vec![
            state_field(&args, "value", value),
            state_field(&args, "rows", DataType::Int64),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values {
            null: ScalarValue::try_from(args.return_field.data_type())?,
            held: Vec::new(),
        }))
    }
}

/// The values there are: in the end one at most.
#[derive(Debug)]
struct Values {
    null: ScalarValue,
    held: Vec<ScalarValue>,
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for array in values {
            for i in 0..array.len() {
                self.held.push(ScalarValue::try_from_array(array, i)?);
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for array in values {
            for i in 0..array.len() {
                let gone = ScalarValue::try_from_array(array, i)?;
                if let Some(at) = self.held.iter().position(|v| *v == gone) {
                    self.held.swap_remove(at);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.held.as_slice() {
            [] => Ok(self.null.clone()),
            [one] => Ok(one.clone()),
            many => exec_err!(
                "a subquery that stands for a value gave {} rows instead of one",
                many.len()
            ),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let value = self.held.last().unwrap_or(&self.null).clone();
        let rows = i64::try_from(self.held.len()).unwrap_or(i64::MAX);
        Ok(vec![value, ScalarValue::Int64(Some(rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, rows] = states else {
            return exec_err!("SINGLE_VALUE has two columns of state");
        };
        let rows = rows.as_primitive::<Int64Type>();
        for (i, n) in rows.iter().enumerate() {
            let value = ScalarValue::try_from_array(values, i)?;
            // How many there are beyond two changes nothing.
            for _ in 0..n.unwrap_or(0).min(2) {
                self.held.push(value.clone());
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + ScalarValue::size_of_vec(&self.held)
    }
}
