//! STDDEV_SAMP and similar functions as Flink has them in OVER: from the sums of x and x * x, in the arithmetic of the argument's type.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, ScalarValue, exec_err, internal_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::aggregate::{argument, list_of, state_argument, state_field};
use crate::decimal::{MAX_DECIMAL, adjusted, divide, multiply};
use crate::distinct::Distinct;
use crate::twofold::Twofold;
use crate::variance::{ALL, Spread, whole_result};

/// The function of the name that is to be used inside OVER.
pub(crate) fn function(name: &str) -> Option<Arc<AggregateUDF>> {
    let spread = ALL
        .into_iter()
        .find(|s| s.name() == name || s.aliases().iter().any(|a| a == name))?;
    Some(Arc::new(AggregateUDF::new_from_impl(VarianceOver {
        spread,
        signature: Signature::user_defined(Volatility::Immutable),
    })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct VarianceOver {
    spread: Spread,
    signature: Signature,
}

/// Runs `$run` with `$sums` bound to the way to add up the type.
macro_rules! with_sums {
    ($data_type:expr, $sums:ident => $run:expr) => {
        match $data_type {
            DataType::Int8 => {
                type $sums = Whole<Int8Type>;
                $run
            }
            DataType::Int16 => {
                type $sums = Whole<Int16Type>;
                $run
            }
            DataType::Int32 => {
                type $sums = Whole<Int32Type>;
                $run
            }
            DataType::Int64 => {
                type $sums = Whole<Int64Type>;
                $run
            }
            DataType::Float32 => {
                type $sums = Single;
                $run
            }
            DataType::Float64 => {
                type $sums = Double;
                $run
            }
            DataType::Decimal128(..) => {
                type $sums = Decimal;
                $run
            }
            other => exec_err!("VARIANCE and similar functions take a number, not {other}"),
        }
    };
}

impl AggregateUDFImpl for VarianceOver {
    fn name(&self) -> &str {
        self.spread.name()
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
        let input = state_argument(&args)?;
        let [sum, squares] = with_sums!(input, S => Ok(S::types(input)))?;
        Ok(vec![
            state_field(&args, "count", DataType::Int64),
            state_field(&args, "sum", sum),
            state_field(&args, "squares", squares),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let input = argument(&args)?.clone();
        let output = args.return_field.data_type().clone();
        let spread = self.spread;
        let list = list_of(&input);
        let plain = with_sums!(&input, S => Ok(Box::new(Over::<S> {
            spread,
            types: S::types(&input),
            input,
            output,
            count: 0,
            sum: Default::default(),
            squares: Default::default(),
        }) as Box<dyn Accumulator>))?;
        if args.is_distinct {
            return Ok(Box::new(Distinct::new(list, plain)));
        }
        Ok(plain)
    }
}

type Native<T> = <T as ArrowPrimitiveType>::Native;
type SumOf<S> = Native<<S as Sums>::Sum>;

/// How one type of number is added up and what comes of it.
trait Sums: Debug + Send + Sync + 'static {
    type In: ArrowPrimitiveType;
    type Sum: ArrowPrimitiveType<Native: Default> + Debug;

    /// The types of the sum and of the sum of squares.
    fn types(input: &DataType) -> [DataType; 2];
    /// Adds to (or takes from) the sum and the sum of squares; None where they go out of range.
    fn add(
        over: &Over<Self>,
        value: Native<Self::In>,
        back: bool,
    ) -> Option<(SumOf<Self>, SumOf<Self>)>
    where
        Self: Sized;
    fn merge(a: Native<Self::Sum>, b: Native<Self::Sum>) -> Option<Native<Self::Sum>>;
    /// The result for a count of one or more, and what it is divided by.
    fn result(over: &Over<Self>, by: i64) -> Result<ScalarValue>
    where
        Self: Sized;
}

#[derive(Debug)]
struct Over<S: Sums> {
    spread: Spread,
    input: DataType,
    output: DataType,
    types: [DataType; 2],
    count: i64,
    sum: Native<S::Sum>,
    squares: Native<S::Sum>,
}

impl<S: Sums> Over<S> {
    fn overflow<T>(&self) -> Result<T> {
        exec_err!(
            "{} overflows: the sum of squares does not fit; CAST the argument to DOUBLE",
            self.spread.name().to_uppercase()
        )
    }

    fn take(&mut self, values: &[ArrayRef], back: bool) -> Result<()> {
        let column: Option<&PrimitiveArray<S::In>> =
            values.first().and_then(|v| v.as_primitive_opt());
        let Some(column) = column else {
            return Err(internal_datafusion_err!("expected {}", S::In::DATA_TYPE));
        };
        for value in column.iter().flatten() {
            match S::add(self, value, back) {
                Some((sum, squares)) => (self.sum, self.squares) = (sum, squares),
                None => return self.overflow(),
            }
            self.count += if back { -1 } else { 1 };
            if self.count == 0 {
                // What rounding left behind goes with the last value.
                (self.sum, self.squares) = Default::default();
            }
        }
        Ok(())
    }
}

impl<S: Sums> Accumulator for Over<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, false)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, true)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let by = self.count - i64::from(self.spread.sample);
        if self.count <= 0 || by <= 0 {
            return ScalarValue::try_from(&self.output);
        }
        S::result(self, by)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = vec![ScalarValue::Int64(Some(self.count))];
        for (value, data_type) in [self.sum, self.squares].into_iter().zip(&self.types) {
            let array = PrimitiveArray::<S::Sum>::from_iter_values([value]);
            let array = array.with_data_type(data_type.clone());
            state.push(ScalarValue::try_from_array(&array, 0)?);
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let wrong = || internal_datafusion_err!("the state of VARIANCE in OVER is three numbers");
        let [counts, sums, squares] = states else {
            return Err(wrong());
        };
        let counts: &Int64Array = counts.as_primitive_opt().ok_or_else(wrong)?;
        let sums: &PrimitiveArray<S::Sum> = sums.as_primitive_opt().ok_or_else(wrong)?;
        let squares: &PrimitiveArray<S::Sum> = squares.as_primitive_opt().ok_or_else(wrong)?;
        for row in 0..counts.len() {
            if counts.is_null(row) {
                continue;
            }
            self.count += counts.value(row);
            let sum = S::merge(self.sum, sums.value(row));
            let squares = S::merge(self.squares, squares.value(row));
            let (Some(sum), Some(squares)) = (sum, squares) else {
                return self.overflow();
            };
            (self.sum, self.squares) = (sum, squares);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

macro_rules! floating {
    ($name:ident, $type:ty) => {
        #[derive(Debug)]
        struct $name;

        impl Sums for $name {
            type In = $type;
            type Sum = $type;

            fn types(_: &DataType) -> [DataType; 2] {
                [<$type>::DATA_TYPE, <$type>::DATA_TYPE]
            }

            fn add(
                over: &Over<Self>,
                value: Native<$type>,
                back: bool,
            ) -> Option<(Native<$type>, Native<$type>)> {
                Some(if back {
                    (over.sum - value, over.squares - value * value)
                } else {
                    (over.sum + value, over.squares + value * value)
                })
            }

            fn merge(a: Native<$type>, b: Native<$type>) -> Option<Native<$type>> {
                Some(a + b)
            }

            fn result(over: &Over<Self>, by: i64) -> Result<ScalarValue> {
                let count = over.count as Native<$type>;
                let between = over.squares - over.sum * over.sum / count;
                let variance = f64::from(between / by as Native<$type>);
                let value = if over.spread.deviation {
                    variance.sqrt()
                } else {
                    variance
                };
                ScalarValue::Float64(Some(value)).cast_to(&over.output)
            }
        }
    };
}

floating!(Single, Float32Type);
floating!(Double, Float64Type);

/// Whole numbers, in the bits that their type has; divisions leave off the fraction. As in Flink, whose results are wrong where the
/// squares do not fit.
#[derive(Debug)]
struct Whole<T>(std::marker::PhantomData<T>);

impl<T> Whole<T>
where
    T: ArrowPrimitiveType<Native: Into<i128>> + Debug + Send + Sync,
{
    /// What the type keeps of a number.
    fn wrapped(value: i128) -> i128 {
        let unused = 128 - 8 * size_of::<T::Native>();
        (value << unused) >> unused
    }
}

impl<T> Sums for Whole<T>
where
    T: ArrowPrimitiveType<Native: Into<i128>> + Debug + Send + Sync,
{
    type In = T;
    type Sum = Decimal128Type;

    fn types(_: &DataType) -> [DataType; 2] {
        [DataType::Decimal128(38, 0), DataType::Decimal128(38, 0)]
    }

    fn add(over: &Over<Self>, value: T::Native, back: bool) -> Option<(i128, i128)> {
        let value: i128 = value.into();
        let sign = if back { -1 } else { 1 };
        Some((
            Self::wrapped(over.sum + sign * value),
            Self::wrapped(over.squares + sign * value * value),
        ))
    }

    fn merge(a: i128, b: i128) -> Option<i128> {
        Some(Self::wrapped(a.wrapping_add(b)))
    }

    fn result(over: &Over<Self>, by: i64) -> Result<ScalarValue> {
        let (sum, squares) = (Self::wrapped(over.sum), Self::wrapped(over.squares));
        let mean = Self::wrapped(sum * sum) / i128::from(over.count);
        let variance = Self::wrapped(squares - mean) / i128::from(by);
        if !over.spread.deviation {
            return Ok(wrapped_result(variance, &over.output));
        }
        // The root of a negative number is NaN, which is 0.
        let root = (variance >= 0).then(|| Twofold::of_whole(variance).root().whole(false));
        Ok(whole_result(root.unwrap_or(Some(0)), &over.output))
    }
}

/// DECIMAL, every step rounded to the type that Flink gives it.
#[derive(Debug)]
struct Decimal;

fn scale(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(_, scale) => i32::from(*scale),
        _ => 0,
    }
}

impl Sums for Decimal {
    type In = Decimal128Type;
    type Sum = Decimal128Type;

    fn types(input: &DataType) -> [DataType; 2] {
        let (precision, scale) = match input {
            DataType::Decimal128(p, s) => (i32::from(*p), i32::from(*s)),
            _ => (38, 0),
        };
        let (_, square) = adjusted(2 * precision, 2 * scale);
        [
            DataType::Decimal128(38, scale as i8),
            DataType::Decimal128(38, square),
        ]
    }

    fn add(over: &Over<Self>, value: i128, back: bool) -> Option<(i128, i128)> {
        let square = multiply(value, value, 2 * scale(&over.input) - scale(&over.types[1]))?;
        let (sum, squares) = if back {
            (over.sum.checked_sub(value)?, over.squares - square)
        } else {
            (
                over.sum.checked_add(value)?,
                over.squares.checked_add(square)?,
            )
        };
        (squares.abs() <= MAX_DECIMAL).then_some((sum, squares))
    }

    fn merge(a: i128, b: i128) -> Option<i128> {
        a.checked_add(b)
    }

    fn result(over: &Over<Self>, by: i64) -> Result<ScalarValue> {
        // The types of sum * sum, of that divided by the count, of the difference, and of that divided in turn.
        let own = scale(&over.types[0]);
        let squares = scale(&over.types[1]);
        let square = i32::from(adjusted(76, 2 * own).1);
        let mean = i32::from(adjusted(58, square + 20).1);
        let scales = squares.max(mean);
        let difference = i32::from(adjusted((38 - squares.min(mean)) + scales + 1, scales).1);
        let quotient = i32::from(adjusted(58, difference + 20).1);
        let shifted = |value: i128, digits: i32| divide(value, 1, digits);
        let variance = || {
            let square_of_sum = multiply(over.sum, over.sum, 2 * own - square)?;
            let mean_square = divide(square_of_sum, over.count.into(), mean - square)?;
            let left = shifted(over.squares, difference - squares)?;
            let right = shifted(mean_square, difference - mean)?;
            divide(left - right, by.into(), quotient - difference)
        };
        let Some(variance) = variance() else {
            return over.overflow();
        };
        let to = scale(&over.output);
        let value = if over.spread.deviation {
            let deviation = (variance as f64 / 10_f64.powi(quotient)).sqrt();
            decimal_of(deviation, to)
        } else {
            shifted(variance, to - quotient)
        };
        let value = value.filter(|v| v.abs() <= MAX_DECIMAL);
        Ok(ScalarValue::Decimal128(value, 38, to as i8))
    }
}

/// The last bits of a number, as many as the type has.
fn wrapped_result(value: i128, output: &DataType) -> ScalarValue {
    match output {
        DataType::Int8 => ScalarValue::Int8(Some(value as i8)),
        DataType::Int16 => ScalarValue::Int16(Some(value as i16)),
        DataType::Int32 => ScalarValue::Int32(Some(value as i32)),
        _ => ScalarValue::Int64(Some(value as i64)),
    }
}

/// The number, as it is printed, in a DECIMAL of the scale, half up.
fn decimal_of(value: f64, scale: i32) -> Option<i128> {
    let printed = format!("{value:e}");
    let (digits, exponent) = printed.split_once('e')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    divide(
        digits,
        1,
        exponent - i32::try_from(fraction.len()).ok()? + scale,
    )
}
