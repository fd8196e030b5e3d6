//! The groups of the first phase of an aggregation and their accumulators: DataFusion's vectorised machinery.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::GroupsAccumulatorAdapter;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::evaluate;
use crate::error::{Error, Result};
use crate::graph::{Aggregate, AggregateCall};

/// Groups of one aggregate and what they have accumulated.
pub struct Aggregator {
    aggregate: Arc<Aggregate>,
    /// `None` where there are no grouping columns: then there is one group.
    groups: Option<Box<dyn GroupValues>>,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    indices: Vec<usize>,
    any: bool,
}

impl Aggregator {
    /// No groups yet.
    ///
    /// # Errors
    /// Where a grouping type or function is not supported.
    pub fn new(aggregate: Arc<Aggregate>) -> Result<Self> {
        let keys = aggregate.group.len();
        let groups = if keys == 0 {
            None
        } else {
            let fields: Vec<Field> = aggregate
                .partial_schema
                .fields()
                .iter()
                .take(keys)
                .map(|f| f.as_ref().clone().with_data_type(key_type(f.data_type())))
                .collect();
            Some(new_group_values(
                Arc::new(Schema::new(fields)),
                &GroupOrdering::None,
            )?)
        };
        let accumulators = aggregate
            .calls
            .iter()
            .map(accumulator)
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            aggregate,
            groups,
            accumulators,
            indices: Vec::new(),
            any: false,
        })
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        match &self.groups {
            Some(groups) => groups.len(),
            None => usize::from(self.any),
        }
    }

    /// Whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds rows: evaluates grouping and argument expressions on them.
    ///
    /// # Errors
    /// Where an expression or accumulator fails on a row.
    pub fn update(&mut self, rows: &RecordBatch, keys: &[ArrayRef]) -> Result<()> {
        let n = rows.num_rows();
        if n == 0 {
            return Ok(());
        }
        let total = self.intern(keys, n)?;
        for (call, accumulator) in self.aggregate.calls.iter().zip(&mut self.accumulators) {
            let values = call
                .function
                .expressions()
                .iter()
                .map(|e| evaluate::values(e, rows))
                .collect::<Result<Vec<_>>>()?;
            let filter = call.filter.as_ref();
            let filter = filter
                .map(|f| evaluate::mask(f, rows, "FILTER"))
                .transpose()?;
            accumulator.update_batch(&values, &self.indices, filter.as_ref(), total)?;
        }
        Ok(())
    }

    /// Takes everything out as partial results.
    ///
    /// # Errors
    /// Where an accumulator fails.
    pub fn take_partials(&mut self) -> Result<RecordBatch> {
        let n = self.len();
        if n == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(
                &self.aggregate.partial_schema,
            )));
        }
        let mut columns = self.take_keys()?;
        for accumulator in &mut self.accumulators {
            columns.extend(accumulator.state(EmitTo::All)?);
        }
        self.any = false;
        batch(&self.aggregate.partial_schema, columns, n)
    }

    fn take_keys(&mut self) -> Result<Vec<ArrayRef>> {
        match &mut self.groups {
            Some(groups) => {
                let keys = groups.emit(EmitTo::All)?;
                // What was emitted stays known by hash until it is cleared.
                groups.clear_shrink(0);
                let fields = self.aggregate.partial_schema.fields().iter();
                keys.into_iter()
                    .zip(fields)
                    .map(|(key, field)| with_type(&key, field.data_type().clone()))
                    .collect()
            }
            None => Ok(Vec::new()),
        }
    }

    fn intern(&mut self, keys: &[ArrayRef], n: usize) -> Result<usize> {
        self.any = true;
        match &mut self.groups {
            Some(groups) => {
                let bits = keys.iter().map(|k| with_type(k, key_type(k.data_type())));
                groups.intern(&bits.collect::<Result<Vec<_>>>()?, &mut self.indices)?;
                Ok(groups.len())
            }
            None => {
                self.indices.clear();
                self.indices.resize(n, 0);
                Ok(1)
            }
        }
    }
}

/// The type that a grouping column is kept as: FLOAT and DOUBLE by their bits, as in Flink, so that 0.0 and -0.0 are two groups.
fn key_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Float32 => DataType::Int32,
        DataType::Float64 => DataType::Int64,
        other => other.clone(),
    }
}

/// The same values under a type of the same layout.
fn with_type(array: &ArrayRef, data_type: DataType) -> Result<ArrayRef> {
    if *array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    let data = array
        .to_data()
        .into_builder()
        .data_type(data_type)
        .build()?;
    Ok(make_array(data))
}

impl Aggregate {
    /// The grouping columns of rows.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn keys(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.group
            .iter()
            .map(|(e, _)| evaluate::values(e, rows))
            .collect()
    }
}

/// An accumulator of many groups.
///
/// # Errors
/// Where the function cannot be set up.
pub fn accumulator(call: &AggregateCall) -> Result<Box<dyn GroupsAccumulator>> {
    if call.function.groups_accumulator_supported() {
        return Ok(call.function.create_groups_accumulator()?);
    }
    let function = Arc::clone(&call.function);
    Ok(Box::new(GroupsAccumulatorAdapter::new(move || {
        function.create_accumulator()
    })))
}

fn batch(schema: &Arc<Schema>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Error::internal(format!("an aggregate gave other columns than planned: {e}")))
}
