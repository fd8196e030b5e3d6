//! STDDEV_SAMP, STDDEV_POP, VAR_SAMP, VAR_POP as Flink has them in GROUP BY and windows: by Welford's method, in the type of
//! the argument.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::aggregate::{argument, list_of, state_field};
use crate::decimal::MAX_DECIMAL;
use crate::distinct::Distinct;
use crate::exact_kinds::is_summable;
use crate::moments::{Moments, each_number};
use crate::twofold::Twofold;

/// STDDEV_SAMP, also under the name STDDEV, STDDEV_POP, VAR_SAMP, also VARIANCE, and VAR_POP.
pub(crate) fn functions() -> Vec<Arc<AggregateUDF>> {
    ALL.into_iter()
        .map(|spread| Arc::new(AggregateUDF::new_from_impl(Variance::new(spread))))
        .collect()
}

/// Which measure of spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Spread {
    /// The square root of the variance.
    pub deviation: bool,
    /// Of a sample: divided by one less than the count.
    pub sample: bool,
}

/// All measures.
pub(crate) const ALL: [Spread; 4] = [
    Spread {
        deviation: true,
        sample: true,
    },
    Spread {
        deviation: true,
        sample: false,
    },
    Spread {
        deviation: false,
        sample: true,
    },
    Spread {
        deviation: false,
        sample: false,
    },
];

impl Spread {
    pub fn name(self) -> &'static str {
        match (self.deviation, self.sample) {
            (true, true) => "stddev_samp",
            (true, false) => "stddev_pop",
            (false, true) => "var_samp",
            (false, false) => "var_pop",
        }
    }

    /// Other names of the same.
    pub fn aliases(self) -> Vec<String> {
        let alias = match (self.deviation, self.sample) {
            (true, true) => "stddev",
            (false, true) => "variance",
            _ => return Vec::new(),
        };
        vec![alias.to_string()]
    }

    /// The type of the argument after coercion.
    pub fn coerce(self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name().to_uppercase();
        match given {
            [DataType::Null] => Ok(vec![DataType::Int32]),
            [number] if is_summable(number) => Ok(given.to_vec()),
            [other] => plan_err!("{name} takes a number, not {other}"),
            _ => plan_err!("{name} takes one argument, not {}", given.len()),
        }
    }

    /// The type of the argument; of a DECIMAL, that with 38 digits and six or more after the point.
    pub fn result_type(self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Decimal128(_, scale)] => Ok(DataType::Decimal128(38, (*scale).max(6))),
            [number] if is_summable(number) => Ok(number.clone()),
            _ => plan_err!("{} takes one number, not {types:?}", self.name()),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Variance {
    spread: Spread,
    aliases: Vec<String>,
    signature: Signature,
}

impl Variance {
    fn new(spread: Spread) -> Self {
        Self {
            spread,
            aliases: spread.aliases(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn finish(&self, args: &AccumulatorArgs) -> Result<Finish> {
        Ok(Finish {
            spread: self.spread,
            input: argument(args)?.clone(),
            output: args.return_field.data_type().clone(),
        })
    }
}

impl AggregateUDFImpl for Variance {
    fn name(&self) -> &str {
        self.spread.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.spread.coerce(given)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.spread.result_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            return Distinct::state_fields(&args);
        }
        let field = |what: &str, data_type| state_field(&args, what, data_type);
        let mut fields = vec![field("count", DataType::Int64)];
        for part in ["mean", "mean_low", "squares", "squares_low"] {
            fields.push(field(part, DataType::Float64));
        }
        Ok(fields)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let finish = self.finish(&args)?;
        let input = list_of(&finish.input);
        let plain = Box::new(One {
            finish,
            moments: Moments::default(),
        });
        if args.is_distinct {
            return Ok(Box::new(Distinct::new(input, plain)));
        }
        Ok(plain)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups {
            finish: self.finish(&args)?,
            moments: Vec::new(),
        }))
    }
}

/// The types around it.
#[derive(Debug)]
struct Finish {
    spread: Spread,
    input: DataType,
    output: DataType,
}

impl Finish {
    fn results(&self, moments: &[Moments]) -> Result<ArrayRef> {
        ScalarValue::iter_to_array(
            moments
                .iter()
                .map(|m| self.result(m))
                .collect::<Result<Vec<_>>>()?,
        )
    }

    fn result(&self, moments: &Moments) -> Result<ScalarValue> {
        let Some(mut value) = moments.variance(self.spread.sample) else {
            return ScalarValue::try_from(&self.output);
        };
        match (&self.input, &self.output) {
            (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => {
                if self.spread.deviation {
                    value = value.root();
                }
                let from = i32::from(*from) * if self.spread.deviation { 1 } else { 2 };
                let value = shifted(value, i32::from(*to) - from).whole(true);
                // As a CAST that does not fit.
                let value = value.filter(|v| *v <= MAX_DECIMAL);
                Ok(ScalarValue::Decimal128(value, 38, *to))
            }
            (_, DataType::Float64 | DataType::Float32) => {
                let value = if self.spread.deviation {
                    value.high.sqrt()
                } else {
                    value.high
                };
                ScalarValue::Float64(Some(value)).cast_to(&self.output)
            }
            _ => {
                if self.spread.deviation {
                    value = value.root();
                }
                Ok(whole_result(value.whole(false), &self.output))
            }
        }
    }
}

/// A whole number in the type of the column, as Flink casts a DOUBLE: the nearest INT or BIGINT there is, of which TINYINT and
/// SMALLINT have the last bits.
pub(crate) fn whole_result(value: Option<i128>, output: &DataType) -> ScalarValue {
    let value = value.unwrap_or(i128::MAX);
    let int = value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    match output {
        DataType::Int8 => ScalarValue::Int8(Some(int as i8)),
        DataType::Int16 => ScalarValue::Int16(Some(int as i16)),
        DataType::Int32 => ScalarValue::Int32(Some(int)),
        _ => ScalarValue::Int64(Some(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)),
    }
}

/// The number times a power of ten.
fn shifted(value: Twofold, digits: i32) -> Twofold {
    let power = |n: i32| Twofold::of_whole(crate::decimal::power_of_ten(i64::from(n)));
    if digits >= 0 {
        return value.multiply(power(digits));
    }
    // A DECIMAL squared may have up to 76 digits after the point.
    let first = digits.abs().min(38);
    value
        .divide(power(first))
        .divide(power(digits.abs() - first))
}

fn wrong_state() -> datafusion::common::DataFusionError {
    internal_datafusion_err!("the state of VARIANCE and similar is a count and four DOUBLEs")
}

fn states(moments: &[Moments]) -> Vec<ArrayRef> {
    let part = |of: fn(&Moments) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(moments.iter().map(of)))
    };
    vec![
        Arc::new(Int64Array::from_iter_values(
            moments.iter().map(|m| m.count),
        )),
        part(|m| m.mean.high),
        part(|m| m.mean.low),
        part(|m| m.squares.high),
        part(|m| m.squares.low),
    ]
}

/// Calls `f` with each state.
fn each_state(states: &[ArrayRef], mut f: impl FnMut(usize, &Moments)) -> Result<()> {
    let [count, parts @ ..] = states else {
        return Err(wrong_state());
    };
    let count = count
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(wrong_state)?;
    let parts = parts.iter().map(|p| p.as_primitive_opt::<Float64Type>());
    let parts = parts.collect::<Option<Vec<_>>>().ok_or_else(wrong_state)?;
    let [mean, mean_low, squares, squares_low] = parts.as_slice() else {
        return Err(wrong_state());
    };
    for row in 0..count.len() {
        if count.is_null(row) {
            continue;
        }
        let of = |high: &Float64Array, low: &Float64Array| Twofold {
            high: high.value(row),
            low: low.value(row),
        };
        let moments = Moments {
            count: count.value(row),
            mean: of(mean, mean_low),
            squares: of(squares, squares_low),
        };
        f(row, &moments);
    }
    Ok(())
}

fn only(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values
        .first()
        .ok_or_else(|| internal_datafusion_err!("VARIANCE or a similar function got no argument"))
}

/// Of one group.
#[derive(Debug)]
struct One {
    finish: Finish,
    moments: Moments,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_number(only(values)?, |_, value| self.moments.add(value))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each_number(only(values)?, |_, value| self.moments.retract(value))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.finish.result(&self.moments)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        states(&[self.moments])
            .iter()
            .map(|array| ScalarValue::try_from_array(array, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        each_state(states, |_, other| self.moments.merge(other))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// Of many groups.
#[derive(Debug)]
struct Groups {
    finish: Finish,
    moments: Vec<Moments>,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.moments.resize(total_num_groups, Moments::default());
        let moments = &mut self.moments;
        each_number(only(values)?, |row, value| {
            if opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
                moments[group_indices[row]].add(value);
            }
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let moments = emit_to.take_needed(&mut self.moments);
        if moments.is_empty() {
            return Ok(datafusion::arrow::array::new_empty_array(
                &self.finish.output,
            ));
        }
        self.finish.results(&moments)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states(&emit_to.take_needed(&mut self.moments)))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.moments.resize(total_num_groups, Moments::default());
        each_state(values, |row, other| {
            self.moments[group_indices[row]].merge(other);
        })
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = only(values)?;
        let mut moments = vec![Moments::default(); values.len()];
        each_number(values, |row, value| {
            if opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
                moments[row].add(value);
            }
        })?;
        Ok(states(&moments))
    }

    fn size(&self) -> usize {
        self.moments.capacity() * size_of::<Moments>()
    }
}
