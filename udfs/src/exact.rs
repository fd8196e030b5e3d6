//! SUM and AVG with Flink's result types. Whole numbers wrap around as in Flink, decimals of more than 38 digits are NULL;
//! the checked SUM fails in both cases.

use std::any::Any;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, PrimitiveArray};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::exact_distinct::DistinctTotal;
use crate::exact_kinds::{
    self as kinds, Finish, Kind, Slot, SlotOf, Which, column, input_of, overflow, results,
};
use crate::frames::{FrameFunction, Moves, Walk, walk};

/// SUM and AVG.
pub(crate) fn functions() -> Vec<Arc<AggregateUDF>> {
    [Which::Sum, Which::Avg]
        .into_iter()
        .map(|which| Arc::new(AggregateUDF::new_from_impl(Exact::new(which))))
        .collect()
}

/// SUM that fails where the result does not fit.
pub(crate) fn checked_sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Exact::new(Which::CheckedSum)))
}

/// The AVG that is to be used inside OVER.
pub(crate) fn over_variant(name: &str) -> Option<Arc<AggregateUDF>> {
    (name == "avg").then(|| Arc::new(AggregateUDF::new_from_impl(Exact::new(Which::AvgOver))))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    which: Which,
    signature: Signature,
}

impl Exact {
    fn new(which: Which) -> Self {
        Self {
            which,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

/// Runs `$make` with the type `$kind` bound to the way to add up `$input`.
macro_rules! with_kind {
    ($which:expr, $input:expr, $kind:ident => $make:expr) => {
        match ($input, $which) {
            (DataType::Int8, Which::CheckedSum) => {
                type $kind = kinds::CheckedWhole<datafusion::arrow::datatypes::Int8Type>;
                $make
            }
            (DataType::Int16, Which::CheckedSum) => {
                type $kind = kinds::CheckedWhole<datafusion::arrow::datatypes::Int16Type>;
                $make
            }
            (DataType::Int32, Which::CheckedSum) => {
                type $kind = kinds::CheckedWhole<datafusion::arrow::datatypes::Int32Type>;
                $make
            }
            (DataType::Int64, Which::CheckedSum) => {
                type $kind = kinds::CheckedWhole<Int64Type>;
                $make
            }
            (DataType::Int8, _) => {
                type $kind = kinds::Whole<datafusion::arrow::datatypes::Int8Type>;
                $make
            }
            (DataType::Int16, _) => {
                type $kind = kinds::Whole<datafusion::arrow::datatypes::Int16Type>;
                $make
            }
            (DataType::Int32, _) => {
                type $kind = kinds::Whole<datafusion::arrow::datatypes::Int32Type>;
                $make
            }
            (DataType::Int64, _) => {
                type $kind = kinds::Whole<Int64Type>;
                $make
            }
            (DataType::Decimal128(digits, _), _) if *digits > kinds::NARROW_DECIMAL => {
                type $kind = kinds::WideDecimal;
                $make
            }
            (DataType::Decimal128(..), _) => {
                type $kind = kinds::Decimal;
                $make
            }
            (DataType::Float32, Which::Sum | Which::CheckedSum | Which::AvgOver) => {
                type $kind = kinds::Single;
                $make
            }
            (DataType::Float32, Which::Avg) => {
                type $kind = kinds::SingleInDouble;
                $make
            }
            (DataType::Float64, _) => {
                type $kind = kinds::Double;
                $make
            }
            (other, which) => plan_err!("{which} takes a number, not {other}"),
        }
    };
}

/// SUM or AVG over frames.
pub(crate) fn frames(
    function: &AggregateUDF,
    input: &DataType,
    output: &DataType,
) -> Option<Box<dyn FrameFunction>> {
    let function: &dyn Any = function.inner().as_ref();
    let which = function.downcast_ref::<Exact>()?.which;
    let made: Result<Box<dyn FrameFunction>> = with_kind!(which, input, K => {
        let (state, kind) = (K::state_type(input), PhantomData::<K>);
        let (input, output) = (input.clone(), output.clone());
        let finish = Finish { which, input, state, output };
        Ok(Box::new(Frames { finish, kind }))
    });
    made.ok()
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        match self.which {
            Which::Sum | Which::CheckedSum => "sum",
            Which::Avg | Which::AvgOver => "avg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Null] => Ok(vec![DataType::Int32]),
            [number] if kinds::is_summable(number) => Ok(given.to_vec()),
            [other] => plan_err!("{} takes a number, not {other}", self.which),
            _ => plan_err!("{} takes one argument, not {}", self.which, given.len()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (types, self.which) {
            ([DataType::Decimal128(_, scale)], Which::Sum | Which::CheckedSum) => {
                Ok(DataType::Decimal128(38, *scale))
            }
            ([DataType::Decimal128(_, scale)], Which::Avg | Which::AvgOver) => {
                Ok(DataType::Decimal128(38, (*scale).max(6)))
            }
            ([number], _) if kinds::is_summable(number) => Ok(number.clone()),
            _ => plan_err!("{} takes one number, not {types:?}", self.which),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(input) = args.input_fields.first().map(|f| f.data_type()) else {
            return plan_err!("{} takes one argument", self.which);
        };
        let field = |what: &str, data_type| {
            Arc::new(Field::new(
                format_state_name(args.name, what),
                data_type,
                true,
            ))
        };
        if args.is_distinct {
            let list = |of: DataType| DataType::List(Arc::new(Field::new_list_field(of, true)));
            return Ok(vec![
                field("values", list(input.clone())),
                field("counts", list(DataType::Int64)),
            ]);
        }
        let sum = with_kind!(self.which, input, K => Ok(K::state_type(input)))?;
        Ok(vec![field("sum", sum), field("count", DataType::Int64)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (finish, input) = self.finish(&args)?;
        if args.is_distinct {
            return with_kind!(
                self.which,
                &input,
                K => Ok(Box::new(DistinctTotal::<K>::new(finish)))
            );
        }
        with_kind!(self.which, &input, K => Ok(Box::new(Total::<K>::new(finish))))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let (finish, input) = self.finish(&args)?;
        with_kind!(self.which, &input, K => Ok(Box::new(Totals::<K>::new(finish))))
    }
}

impl Exact {
    fn finish(&self, args: &AccumulatorArgs) -> Result<(Finish, DataType)> {
        let Some(input) = args.expr_fields.first().map(|f| f.data_type().clone()) else {
            return plan_err!("{} takes one argument", self.which);
        };
        let state = with_kind!(self.which, &input, K => Ok(K::state_type(&input)))?;
        let output = args.return_field.data_type().clone();
        Ok((
            Finish {
                which: self.which,
                input: input.clone(),
                state,
                output,
            },
            input,
        ))
    }
}

type Native<T> = <T as ArrowPrimitiveType>::Native;

fn states<K: Kind>(finish: &Finish, slots: &[SlotOf<K>]) -> Vec<ArrayRef> {
    let sums = PrimitiveArray::<K::State>::from_iter_values(slots.iter().map(|s| s.sum));
    let counts = Int64Array::from_iter_values(slots.iter().map(|s| s.count));
    vec![
        Arc::new(sums.with_data_type(finish.state.clone())),
        Arc::new(counts),
    ]
}

/// The totals of many groups.
#[derive(Debug)]
struct Totals<K: Kind> {
    finish: Finish,
    slots: Vec<SlotOf<K>>,
    kind: PhantomData<K>,
}

impl<K: Kind> Totals<K> {
    fn new(finish: Finish) -> Self {
        Self {
            finish,
            slots: Vec::new(),
            kind: PhantomData,
        }
    }
}

impl<K: Kind> GroupsAccumulator for Totals<K> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = input_of::<K>(values)?;
        self.slots.resize(total_num_groups, Slot::default());
        let slots = self.slots.as_mut_slice();
        let mut overflows = false;
        let mut add = |group: usize, value: Native<K::In>| {
            let slot = &mut slots[group];
            overflows |= K::add(&mut slot.sum, value);
            slot.count += 1;
        };
        match (values.nulls().filter(|n| n.null_count() > 0), opt_filter) {
            (None, None) => {
                for (&group, &value) in group_indices.iter().zip(values.values()) {
                    add(group, value);
                }
            }
            (Some(nulls), None) => {
                for (i, &group) in group_indices.iter().enumerate() {
                    if nulls.is_valid(i) {
                        add(group, values.values()[i]);
                    }
                }
            }
            (_, Some(filter)) => {
                for (i, &group) in group_indices.iter().enumerate() {
                    if filter.is_valid(i) && filter.value(i) && values.is_valid(i) {
                        add(group, values.values()[i]);
                    }
                }
            }
        }
        if overflows {
            return overflow(self.finish.which, &self.finish);
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        results::<K>(&self.finish, &emit_to.take_needed(&mut self.slots))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(states::<K>(
            &self.finish,
            &emit_to.take_needed(&mut self.slots),
        ))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let sums = column::<K::State>(values, 0)?;
        let counts = column::<Int64Type>(values, 1)?;
        self.slots.resize(total_num_groups, Slot::default());
        let mut overflows = false;
        for (i, &group) in group_indices.iter().enumerate() {
            if sums.is_valid(i) && counts.is_valid(i) {
                let slot = &mut self.slots[group];
                overflows |= K::merge(&mut slot.sum, sums.value(i));
                slot.count += counts.value(i);
            }
        }
        if overflows {
            return overflow(self.finish.which, &self.finish);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = input_of::<K>(values)?;
        let mut slots = vec![SlotOf::<K>::default(); values.len()];
        for (i, slot) in slots.iter_mut().enumerate() {
            let wanted = opt_filter.is_none_or(|f| f.is_valid(i) && f.value(i));
            if wanted && values.is_valid(i) {
                K::add(&mut slot.sum, values.value(i));
                slot.count = 1;
            }
        }
        Ok(states::<K>(&self.finish, &slots))
    }

    fn size(&self) -> usize {
        self.slots.capacity() * size_of::<SlotOf<K>>()
    }
}

/// One total, from which values can also be taken back.
#[derive(Debug)]
struct Total<K: Kind> {
    finish: Finish,
    slot: SlotOf<K>,
    kind: PhantomData<K>,
}

impl<K: Kind> Total<K> {
    fn new(finish: Finish) -> Self {
        Self {
            finish,
            slot: Slot::default(),
            kind: PhantomData,
        }
    }
}

impl<K: Kind> Accumulator for Total<K> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = input_of::<K>(values)?;
        let mut overflows = false;
        for value in values.iter().flatten() {
            overflows |= K::add(&mut self.slot.sum, value);
            self.slot.count += 1;
        }
        if overflows {
            return overflow(self.finish.which, &self.finish);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = input_of::<K>(values)?;
        let mut overflows = false;
        for value in values.iter().flatten() {
            overflows |= K::retract(&mut self.slot.sum, value);
            self.slot.count -= 1;
        }
        if overflows {
            return overflow(self.finish.which, &self.finish);
        }
        if self.slot.count == 0 {
            // What rounding left behind goes with the last value.
            self.slot = Slot::default();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&results::<K>(&self.finish, &[self.slot])?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        states::<K>(&self.finish, &[self.slot])
            .iter()
            .map(|array| ScalarValue::try_from_array(array, 0))
            .collect()
    }

    fn merge_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let sums = column::<K::State>(values, 0)?;
        let counts = column::<Int64Type>(values, 1)?;
        let mut overflows = false;
        for (sum, count) in sums.iter().zip(counts) {
            if let (Some(sum), Some(count)) = (sum, count) {
                overflows |= K::merge(&mut self.slot.sum, sum);
                self.slot.count += count;
            }
        }
        if overflows {
            return overflow(self.finish.which, &self.finish);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The totals of frames.
struct Frames<K> {
    finish: Finish,
    kind: PhantomData<K>,
}

/// A total from row to row, and whether one went out of range.
struct Adding<'a, K: Kind> {
    stored: Option<(&'a PrimitiveArray<K::State>, &'a Int64Array)>,
    values: &'a PrimitiveArray<K::In>,
    overflows: bool,
}

impl<K: Kind> Walk for Adding<'_, K> {
    type Slot = SlotOf<K>;

    fn stored(&self, row: usize) -> Self::Slot {
        let stored = self.stored.filter(|(sums, _)| sums.is_valid(row));
        stored.map_or_else(Slot::default, |(sums, counts)| Slot {
            sum: sums.value(row),
            count: counts.value(row),
        })
    }

    #[inline]
    fn enter(&mut self, slot: &mut Self::Slot, row: usize) {
        self.overflows |= K::add(&mut slot.sum, self.values.value(row));
        slot.count += 1;
    }

    #[inline]
    fn leave(&mut self, slot: &mut Self::Slot, row: usize) {
        self.overflows |= K::retract(&mut slot.sum, self.values.value(row));
        slot.count -= 1;
    }

    fn left(&self, slot: &mut Self::Slot) {
        if slot.count == 0 {
            // What rounding left behind goes with the last value.
            *slot = Slot::default();
        }
    }
}

impl<K: Kind> FrameFunction for Frames<K> {
    fn state_types(&self) -> Vec<DataType> {
        vec![self.finish.state.clone(), DataType::Int64]
    }

    fn run(
        &self,
        moves: &Moves,
        stored: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<(ArrayRef, Vec<ArrayRef>)> {
        let mut adding = Adding::<K> {
            stored: match stored.is_empty() {
                true => None,
                false => Some((
                    column::<K::State>(stored, 0)?,
                    column::<Int64Type>(stored, 1)?,
                )),
            },
            values: input_of::<K>(values)?,
            overflows: false,
        };
        let (slots, after) = walk(&mut adding, moves, values);
        if adding.overflows {
            return overflow(self.finish.which, &self.finish);
        }
        Ok((
            results::<K>(&self.finish, &slots)?,
            states::<K>(&self.finish, &after),
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "exact_tests.rs"]
mod tests;
