//! MIN and MAX. Of FLOAT and DOUBLE as Flink has them; of everything else they are DataFusion's.
//!
//! Flink keeps the first value and replaces it by one that is smaller (MIN). So NaN stays where it comes first and is passed
//! over elsewhere, and of 0.0 and -0.0 the first one stays. Where values leave again, in a bounded OVER, it orders them: NaN is
//! the largest, -0.0 is smaller than 0.0.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, PrimitiveBuilder,
};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, FieldRef, Float32Type, Float64Type,
};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err, plan_err};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::aggregate::{argument, state_argument, state_field};
use crate::casts::sql_name;
use crate::frames::{FrameFunction, Moves, Walk, walk};

/// MIN and MAX.
pub(crate) fn functions() -> Vec<Arc<AggregateUDF>> {
    [(End::Min, min_udaf()), (End::Max, max_udaf())]
        .into_iter()
        .map(|(end, others)| {
            Arc::new(AggregateUDF::new_from_impl(Extreme {
                end,
                others,
                signature: Signature::user_defined(Volatility::Immutable),
            }))
        })
        .collect()
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Min,
    Max,
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Min => "MIN",
            Self::Max => "MAX",
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    end: End,
    /// DataFusion's, for other types.
    others: Arc<AggregateUDF>,
    signature: Signature,
}

/// Runs `$float` with `$t` bound to the Arrow type of a floating-point number; `$other` for other types.
macro_rules! with_floats {
    ($data_type:expr, $t:ident => $float:expr, $other:expr) => {
        match $data_type {
            DataType::Float32 => {
                type $t = Float32Type;
                $float
            }
            DataType::Float64 => {
                type $t = Float64Type;
                $float
            }
            _ => $other,
        }
    };
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.others.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        use DataType::{Binary, Interval, List, Map, Struct};
        match given {
            [Binary | List(_) | Map(..) | Struct(_) | Interval(_)] => {
                plan_err!("{} does not take {}", self.end, sql_name(&given[0]))
            }
            [_] => self.others.coerce_types(given),
            _ => plan_err!("{} takes one argument, not {}", self.end, given.len()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.others.return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let input = state_argument(&args)?.clone();
        match input {
            DataType::Float32 | DataType::Float64 => Ok(vec![
                state_field(&args, "best", input),
                state_field(&args, "nan_first", DataType::Boolean),
            ]),
            _ => self.others.state_fields(args),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        with_floats!(
            argument(&args)?,
            T => Ok(Box::new(One::<T> { end: self.end, slot: Slot::default() })),
            self.others.accumulator(args)
        )
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        with_floats!(
            argument(&args)?,
            T => Ok(Box::new(Sliding::<T>::new(self.end))),
            self.others.create_sliding_accumulator(args)
        )
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        match argument(&args) {
            Ok(DataType::Float32 | DataType::Float64) => true,
            _ => self.others.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        with_floats!(
            argument(&args)?,
            T => Ok(Box::new(Groups::<T> { end: self.end, slots: Vec::new() })),
            self.others.create_groups_accumulator(args)
        )
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn is_descending(&self) -> Option<bool> {
        self.others.is_descending()
    }
}

/// FLOAT or DOUBLE.
trait Float: ArrowPrimitiveType<Native: PartialOrd + Into<f64>> + Debug + Send + Sync {
    const NAN: Self::Native;
    fn is_nan(value: Self::Native) -> bool;
    fn of(value: f64) -> Self::Native;
}

macro_rules! float {
    ($arrow:ty, $t:ty) => {
        impl Float for $arrow {
            const NAN: $t = <$t>::NAN;

            #[inline]
            fn is_nan(value: $t) -> bool {
                value.is_nan()
            }

            fn of(value: f64) -> $t {
                value as $t
            }
        }
    };
}

float!(Float32Type, f32);
float!(Float64Type, f64);

/// The extreme so far.
#[derive(Debug)]
struct Slot<T: Float> {
    /// Of the values that are not NaN; NaN while there is none.
    best: T::Native,
    nan_first: bool,
    seen: bool,
}

impl<T: Float> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Float> Copy for Slot<T> {}

impl<T: Float> Default for Slot<T> {
    fn default() -> Self {
        Self {
            best: T::NAN,
            nan_first: false,
            seen: false,
        }
    }
}

impl<T: Float> Slot<T> {
    #[inline]
    fn add(&mut self, end: End, value: T::Native) {
        if !self.seen {
            self.seen = true;
            self.nan_first = T::is_nan(value);
        }
        let better = match end {
            End::Min => value < self.best,
            End::Max => value > self.best,
        };
        if better || T::is_nan(self.best) {
            self.best = value;
        }
    }

    /// Adds what came later.
    fn merge(&mut self, end: End, best: T::Native, nan_first: bool) {
        if !self.seen {
            self.nan_first = nan_first;
            self.seen = true;
            self.best = best;
        } else {
            self.add(end, best);
        }
    }

    fn result(&self) -> Option<T::Native> {
        self.seen
            .then_some(if self.nan_first { T::NAN } else { self.best })
    }
}

fn floats<T: Float>(values: &[ArrayRef]) -> Result<&PrimitiveArray<T>> {
    let found = values.first().and_then(|v| v.as_primitive_opt::<T>());
    found.ok_or_else(|| internal_datafusion_err!("MIN or MAX got no {}", T::DATA_TYPE))
}

fn state_columns<T: Float>(values: &[ArrayRef]) -> Result<(&PrimitiveArray<T>, &BooleanArray)> {
    let marks = values.get(1).and_then(|v| v.as_boolean_opt());
    let marks = marks.ok_or_else(|| internal_datafusion_err!("MIN or MAX got no BOOLEAN"))?;
    Ok((floats::<T>(values)?, marks))
}

fn states<T: Float>(slots: &[Slot<T>]) -> Vec<ArrayRef> {
    let best = slots.iter().map(|s| s.seen.then_some(s.best));
    let marks = slots.iter().map(|s| s.seen.then_some(s.nan_first));
    vec![
        Arc::new(best.collect::<PrimitiveArray<T>>()),
        Arc::new(marks.collect::<BooleanArray>()),
    ]
}

fn results<T: Float>(slots: &[Slot<T>]) -> ArrayRef {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(slots.len());
    for slot in slots {
        builder.append_option(slot.result());
    }
    Arc::new(builder.finish())
}

/// The extremes of many groups.
#[derive(Debug)]
struct Groups<T: Float> {
    end: End,
    slots: Vec<Slot<T>>,
}

impl<T: Float> GroupsAccumulator for Groups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = floats::<T>(values)?;
        self.slots.resize(total_num_groups, Slot::default());
        if values.null_count() == 0 && opt_filter.is_none() {
            for (&group, &value) in group_indices.iter().zip(values.values()) {
                self.slots[group].add(self.end, value);
            }
            return Ok(());
        }
        for (row, &group) in group_indices.iter().enumerate() {
            let wanted = opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && values.is_valid(row) {
                self.slots[group].add(self.end, values.value(row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(results(&emit_to.take_needed(&mut self.slots)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states(&emit_to.take_needed(&mut self.slots)))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let (best, marks) = state_columns::<T>(values)?;
        self.slots.resize(total_num_groups, Slot::default());
        for (row, &group) in group_indices.iter().enumerate() {
            if best.is_valid(row) && marks.is_valid(row) {
                self.slots[group].merge(self.end, best.value(row), marks.value(row));
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = floats::<T>(values)?;
        let mut slots = vec![Slot::<T>::default(); values.len()];
        for (row, slot) in slots.iter_mut().enumerate() {
            let wanted = opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && values.is_valid(row) {
                slot.add(self.end, values.value(row));
            }
        }
        Ok(states(&slots))
    }

    fn size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<T>>()
    }
}

/// The extreme of one group.
#[derive(Debug)]
struct One<T: Float> {
    end: End,
    slot: Slot<T>,
}

impl<T: Float> Accumulator for One<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in floats::<T>(values)?.iter().flatten() {
            self.slot.add(self.end, value);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&results(&[self.slot]), 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = states(&[self.slot]);
        let mut values = columns.iter();
        values
            .by_ref()
            .map(|c| ScalarValue::try_from_array(c, 0))
            .collect()
    }

    fn merge_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (best, marks) = state_columns::<T>(values)?;
        for (best, mark) in best.iter().zip(marks) {
            if let (Some(best), Some(mark)) = (best, mark) {
                self.slot.merge(self.end, best, mark);
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The extremes of frames that no value leaves.
struct Frames<T> {
    end: End,
    kind: PhantomData<T>,
}

/// MIN or MAX of FLOAT or DOUBLE over frames that no value leaves.
pub(crate) fn frames(function: &AggregateUDF, input: &DataType) -> Option<Box<dyn FrameFunction>> {
    let function: &dyn Any = function.inner().as_ref();
    let end = function.downcast_ref::<Extreme>()?.end;
    with_floats!(
        input,
        T => Some(Box::new(Frames::<T> { end, kind: PhantomData })),
        None
    )
}

/// An extreme from row to row.
struct Adding<'a, T: Float> {
    end: End,
    stored: Option<(&'a PrimitiveArray<T>, &'a BooleanArray)>,
    values: &'a PrimitiveArray<T>,
}

impl<T: Float> Walk for Adding<'_, T> {
    type Slot = Slot<T>;

    fn stored(&self, row: usize) -> Slot<T> {
        let mut slot = Slot::default();
        if let Some((best, marks)) = self.stored.filter(|(best, _)| best.is_valid(row)) {
            slot.merge(self.end, best.value(row), marks.value(row));
        }
        slot
    }

    fn enter(&mut self, slot: &mut Slot<T>, row: usize) {
        slot.add(self.end, self.values.value(row));
    }
}

impl<T: Float> FrameFunction for Frames<T> {
    fn state_types(&self) -> Vec<DataType> {
        vec![T::DATA_TYPE, DataType::Boolean]
    }

    fn run(
        &self,
        moves: &Moves,
        stored: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<(ArrayRef, Vec<ArrayRef>)> {
        let mut adding = Adding {
            end: self.end,
            stored: match stored.is_empty() {
                true => None,
                false => Some(state_columns::<T>(stored)?),
            },
            values: floats::<T>(values)?,
        };
        let (slots, after) = walk(&mut adding, moves, values);
        Ok((results(&slots), states(&after)))
    }
}

/// The extreme of values that also leave, by the number of each.
#[derive(Debug)]
struct Sliding<T: Float> {
    end: End,
    counts: BTreeMap<i64, i64>,
    kind: PhantomData<T>,
}

/// Keys in the order of the numbers, NaN last.
fn key(value: f64) -> i64 {
    let value = if value.is_nan() {
        f64::NAN.abs()
    } else {
        value
    };
    turned(value.to_bits().cast_signed())
}

/// The bits of negative numbers grow the other way.
fn turned(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

impl<T: Float> Sliding<T> {
    fn new(end: End) -> Self {
        Self {
            end,
            counts: BTreeMap::new(),
            kind: PhantomData,
        }
    }

    fn count(&mut self, values: &[ArrayRef], by: i64) -> Result<()> {
        for value in floats::<T>(values)?.iter().flatten() {
            let key = key(value.into());
            let count = self.counts.entry(key).or_insert(0);
            *count += by;
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
        Ok(())
    }

    fn slot(&self) -> Slot<T> {
        let found = match self.end {
            End::Min => self.counts.first_key_value(),
            End::Max => self.counts.last_key_value(),
        };
        let mut slot = Slot::default();
        if let Some((key, _)) = found {
            slot.add(
                self.end,
                T::of(f64::from_bits(turned(*key).cast_unsigned())),
            );
        }
        slot
    }
}

impl<T: Float> Accumulator for Sliding<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&results(&[self.slot()]), 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = states(&[self.slot()]);
        let columns = columns.iter();
        columns.map(|c| ScalarValue::try_from_array(c, 0)).collect()
    }

    fn merge_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(values, 1)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.len() * 3 * size_of::<i64>()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "extremes_tests.rs"]
mod tests;
