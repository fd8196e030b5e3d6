//! FIRST_VALUE, LAST_VALUE, ARRAY_AGG and LISTAGG: values in the order in which they come.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, StringArray, make_array, new_empty_array,
};
use datafusion::arrow::compute::{concat, filter, is_not_null};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::scalar::copy_array_data;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{
    Result, ScalarValue, exec_err, internal_datafusion_err, internal_err, plan_err,
};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;

use crate::aggregate::{argument, list_of, state_argument, state_field};
use crate::distinct::Distinct;
use crate::ordered::Ordered;
use crate::texts::{MOST_OF_ONE, Texts};

/// The functions of this file.
pub(crate) fn functions() -> Vec<Arc<AggregateUDF>> {
    [Which::First, Which::Last, Which::Array, Which::Text]
        .into_iter()
        .map(|which| {
            Arc::new(AggregateUDF::new_from_impl(Collected {
                which,
                signature: Signature::user_defined(Volatility::Immutable),
            }))
        })
        .collect()
}

/// What is made of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    /// FIRST_VALUE: the first that is not NULL.
    First,
    /// LAST_VALUE: the last that is not NULL.
    Last,
    /// ARRAY_AGG: all, NULLs too, as an array; NULL of no rows.
    Array,
    /// LISTAGG: those not NULL as one text with a separator (`,`) between them; NULL of none.
    Text,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Collected {
    which: Which,
    signature: Signature,
}

impl Collected {
    /// What makes accumulators without values, DISTINCT and ORDER BY aside.
    fn maker(
        &self,
        args: &AccumulatorArgs,
    ) -> Result<impl Fn() -> Result<Box<dyn Accumulator>> + use<>> {
        let which = self.which;
        let input = argument(args)?.clone();
        let ignore_nulls = args.ignore_nulls;
        let separator = match which {
            Which::Text => separator(args)?,
            _ => String::new(),
        };
        let is_distinct = args.is_distinct;
        Ok(move || {
            let plain: Box<dyn Accumulator> = match which {
                Which::First | Which::Last => Box::new(OneValue {
                    last: which == Which::Last,
                    value: ScalarValue::try_from(&input)?,
                }),
                Which::Array => Box::new(Values {
                    input: input.clone(),
                    ignore_nulls,
                    arrays: Vec::new(),
                }),
                Which::Text => Box::new(Joined {
                    separator: separator.clone(),
                    text: None,
                }),
            };
            Ok(if is_distinct {
                Box::new(Distinct::new(list_of(&input), plain))
            } else {
                plain
            })
        })
    }
}

impl AggregateUDFImpl for Collected {
    fn name(&self) -> &str {
        match self.which {
            Which::First => "first_value",
            Which::Last => "last_value",
            Which::Array => "array_agg",
            Which::Text => "listagg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |t: &DataType| {
            matches!(
                t,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
            )
        };
        match (self.which, given) {
            (Which::Text, [_] | [_, _]) => match given.iter().find(|t| !is_text(t)) {
                None => Ok(vec![DataType::Utf8; given.len()]),
                Some(other) => plan_err!("LISTAGG takes STRING, not {other}: CAST it"),
            },
            (Which::Text, _) => {
                plan_err!("LISTAGG takes one or two arguments, not {}", given.len())
            }
            (_, [DataType::Null]) => Ok(vec![DataType::Int32]),
            (_, [_]) => Ok(given.to_vec()),
            _ => plan_err!(
                "{} takes one argument, not {}",
                self.name().to_uppercase(),
                given.len()
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.which, types) {
            (Which::Text, _) => Ok(DataType::Utf8),
            (Which::Array, [of]) => Ok(list_of(of)),
            (_, [of]) => Ok(of.clone()),
            _ => plan_err!("{} takes one argument", self.name().to_uppercase()),
        }
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.which == Which::Array
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // ORDER BY among the arguments is done by `Ordered`, whatever order rows come in.
        AggregateOrderSensitivity::Beneficial
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        _: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !args.ordering_fields.is_empty() {
            return Ordered::state_fields(&args);
        }
        if args.is_distinct {
            return Distinct::state_fields(&args);
        }
        let input = state_argument(&args)?;
        Ok(vec![match self.which {
            Which::Array => state_field(&args, "values", list_of(input)),
            Which::Text => state_field(&args, "text", DataType::Utf8),
            Which::First | Which::Last => state_field(&args, "value", input.clone()),
        }])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let maker = self.maker(&args)?;
        if args.order_bys.is_empty() {
            return maker();
        }
        Ok(Box::new(Ordered::new(Box::new(maker), &args)?))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct && args.order_bys.is_empty() && self.which != Which::Array
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let input = argument(&args)?.clone();
        match self.which {
            Which::Text => Ok(Box::new(JoinedGroups {
                separator: separator(&args)?,
                texts: Vec::new(),
            })),
            which => Ok(Box::new(ValueGroups {
                last: which == Which::Last,
                null: ScalarValue::try_from(&input)?,
                values: Vec::new(),
            })),
        }
    }
}

/// The second argument of LISTAGG, a literal.
fn separator(args: &AccumulatorArgs) -> Result<String> {
    let Some(expr) = args.exprs.get(1) else {
        return Ok(",".into());
    };
    match expr
        .downcast_ref::<Literal>()
        .map(|l| l.value().try_as_str())
    {
        Some(Some(Some(text))) => Ok(text.to_string()),
        Some(_) => plan_err!("Argument to function 'LISTAGG' must not be NULL: argument 2"),
        None => plan_err!("Argument to function 'LISTAGG' must be a literal: argument 2"),
    }
}

fn only(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values
        .first()
        .ok_or_else(|| internal_datafusion_err!("an aggregate function got no argument"))
}

fn texts(values: &[ArrayRef]) -> Result<&StringArray> {
    only(values)?
        .as_string_opt()
        .ok_or_else(|| internal_datafusion_err!("LISTAGG got no STRING"))
}

/// The first or last value that is not NULL. The state is the value.
#[derive(Debug)]
struct OneValue {
    last: bool,
    value: ScalarValue,
}

impl Accumulator for OneValue {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = only(values)?;
        let valid = |row: &usize| !values.is_null(*row);
        let row = match self.last {
            true => (0..values.len()).rev().find(valid),
            false if !self.value.is_null() => None,
            false => (0..values.len()).find(valid),
        };
        if let Some(row) = row {
            self.value = ScalarValue::try_from_array(values, row)?.compacted();
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }
}

/// The same of many groups.
#[derive(Debug)]
struct ValueGroups {
    last: bool,
    null: ScalarValue,
    values: Vec<ScalarValue>,
}

impl ValueGroups {
    fn array(&self, values: Vec<ScalarValue>) -> Result<ArrayRef> {
        if values.is_empty() {
            return Ok(new_empty_array(&self.null.data_type()));
        }
        ScalarValue::iter_to_array(values)
    }
}

impl GroupsAccumulator for ValueGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = only(values)?;
        self.values.resize(total_num_groups, self.null.clone());
        let mut found: Vec<Option<usize>> = vec![None; total_num_groups];
        for (row, &group) in group_indices.iter().enumerate() {
            let wanted = opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && !values.is_null(row) && (self.last || found[group].is_none()) {
                found[group] = Some(row);
            }
        }
        for (value, row) in self.values.iter_mut().zip(found) {
            if let Some(row) = row.filter(|_| self.last || value.is_null()) {
                *value = ScalarValue::try_from_array(values, row)?.compacted();
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let values = emit_to.take_needed(&mut self.values);
        self.array(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = only(values)?;
        Ok(vec![match opt_filter {
            None => Arc::clone(values),
            Some(wanted) => filtered_to_null(values, wanted)?,
        }])
    }

    fn size(&self) -> usize {
        self.values.iter().map(ScalarValue::size).sum()
    }
}

/// The values, NULL where they are not wanted.
fn filtered_to_null(values: &ArrayRef, wanted: &BooleanArray) -> Result<ArrayRef> {
    let unwanted: BooleanArray = wanted.iter().map(|w| Some(w != Some(true))).collect();
    Ok(datafusion::arrow::compute::nullif(values, &unwanted)?)
}

/// All values. The state is what they are as an array.
#[derive(Debug)]
struct Values {
    input: DataType,
    ignore_nulls: bool,
    arrays: Vec<ArrayRef>,
}

impl Values {
    fn push(&mut self, values: &ArrayRef) -> Result<()> {
        let values = if self.ignore_nulls && values.null_count() > 0 {
            filter(values, &is_not_null(values)?)?
        } else {
            // What is kept must not keep the whole batch.
            make_array(copy_array_data(&values.to_data()))
        };
        if !values.is_empty() {
            self.arrays.push(values);
        }
        if self.arrays.len() > 64 {
            let whole = self.whole()?;
            self.arrays = vec![whole];
        }
        Ok(())
    }

    fn whole(&self) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        Ok(concat(&arrays)?)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.push(only(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.arrays.is_empty() {
            return ScalarValue::try_from(&list_of(&self.input));
        }
        Ok(SingleRowListArrayBuilder::new(self.whole()?).build_list_scalar())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = only(states)?.as_list_opt::<i32>() else {
            return internal_err!("the state of ARRAY_AGG is a list");
        };
        for list in lists.iter().flatten() {
            self.push(&list)?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let arrays: usize = self.arrays.iter().map(|a| a.get_array_memory_size()).sum();
        size_of_val(self) + arrays
    }
}

fn join(text: &mut Option<String>, separator: &str, more: &str) -> Result<()> {
    match text {
        None => *text = Some(more.to_string()),
        Some(text) => {
            if text.len() + separator.len() + more.len() > MOST_OF_ONE {
                return exec_err!(
                    "LISTAGG: the result takes more than {MOST_OF_ONE} bytes, which a STRING can take"
                );
            }
            text.push_str(separator);
            text.push_str(more);
        }
    }
    Ok(())
}

/// Texts in one. The state is that text.
#[derive(Debug)]
struct Joined {
    separator: String,
    text: Option<String>,
}

impl Accumulator for Joined {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in texts(values)?.iter().flatten() {
            join(&mut self.text, &self.separator, value)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Utf8(self.text.clone()))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.text.as_ref().map_or(0, String::capacity)
    }
}

/// The same of many groups.
#[derive(Debug)]
struct JoinedGroups {
    separator: String,
    texts: Vec<Option<String>>,
}

impl GroupsAccumulator for JoinedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.texts.resize(total_num_groups, None);
        let values = texts(values)?;
        for (row, &group) in group_indices.iter().enumerate() {
            let wanted = opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if wanted && values.is_valid(row) {
                join(&mut self.texts[group], &self.separator, values.value(row))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let texts = emit_to.take_needed(&mut self.texts);
        let mut all = Texts::new("listagg", texts.len());
        for text in &texts {
            all.append(text.as_deref())?;
        }
        Ok(Arc::new(all.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = only(values)?;
        Ok(vec![match opt_filter {
            None => Arc::clone(values),
            Some(wanted) => filtered_to_null(values, wanted)?,
        }])
    }

    fn size(&self) -> usize {
        let texts = self.texts.iter().flatten().map(String::capacity);
        texts.sum::<usize>() + self.texts.capacity() * size_of::<Option<String>>()
    }
}
