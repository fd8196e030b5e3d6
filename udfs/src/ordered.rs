//! ORDER BY among the arguments of an aggregate function: rows are kept and put in order for the result.

use std::fmt;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, make_array};
use datafusion::arrow::compute::{SortColumn, SortOptions, concat, lexsort_to_indices, take};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::scalar::copy_array_data;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, exec_err, internal_datafusion_err};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};

use crate::aggregate::{argument, list_of, state_argument, state_field};

type Make = Box<dyn Fn() -> Result<Box<dyn Accumulator>> + Send + Sync>;

/// An accumulator that gets its values in order.
pub(crate) struct Ordered {
    make: Make,
    /// How many arguments stand before the keys.
    arguments: usize,
    options: Vec<SortOptions>,
    /// Chunks of the values, then of each key.
    columns: Vec<Vec<ArrayRef>>,
    empty: Vec<ScalarValue>,
}

impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Ordered {
    /// `make` makes the accumulator of the first argument.
    pub fn new(make: Make, args: &AccumulatorArgs) -> Result<Self> {
        let mut empty = vec![ScalarValue::try_from(&list_of(argument(args)?))?];
        for by in args.order_bys {
            empty.push(ScalarValue::try_from(&list_of(
                &by.expr.data_type(args.schema)?,
            ))?);
        }
        Ok(Self {
            make,
            arguments: args.exprs.len(),
            options: args.order_bys.iter().map(|by| by.options).collect(),
            columns: vec![Vec::new(); args.order_bys.len() + 1],
            empty,
        })
    }

    /// The values and each key, as lists.
    pub fn state_fields(args: &StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let mut fields = vec![state_field(args, "values", list_of(state_argument(args)?))];
        for (i, field) in args.ordering_fields.iter().enumerate() {
            fields.push(state_field(
                args,
                &format!("key{i}"),
                list_of(field.data_type()),
            ));
        }
        Ok(fields)
    }

    fn whole(&self) -> Result<Option<Vec<ArrayRef>>> {
        if self.columns.iter().any(Vec::is_empty) {
            return Ok(None);
        }
        let whole = self.columns.iter().map(|chunks| {
            let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
            Ok(concat(&chunks)?)
        });
        whole.collect::<Result<Vec<_>>>().map(Some)
    }

    fn push<'a>(&mut self, columns: impl Iterator<Item = &'a ArrayRef>) {
        for (chunks, column) in self.columns.iter_mut().zip(columns) {
            // What is kept must not keep the whole batch.
            chunks.push(make_array(copy_array_data(&column.to_data())));
        }
    }
}

impl Accumulator for Ordered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.len() != self.arguments + self.options.len() {
            return exec_err!(
                "ORDER BY among the arguments of an aggregate function is not supported in a streaming query"
            );
        }
        self.push(
            values
                .iter()
                .take(1)
                .chain(values.iter().skip(self.arguments)),
        );
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut inner = (self.make)()?;
        if let Some(columns) = self.whole()?
            && let [values, keys @ ..] = columns.as_slice()
        {
            let mut sort: Vec<SortColumn> = keys
                .iter()
                .zip(&self.options)
                .map(|(key, options)| SortColumn {
                    values: key.clone(),
                    options: Some(*options),
                })
                .collect();
            // Rows of equal keys stay in the order in which they came.
            let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
            sort.push(SortColumn {
                values: std::sync::Arc::new(
                    datafusion::arrow::array::UInt64Array::from_iter_values(0..count),
                ),
                options: None,
            });
            let indices = lexsort_to_indices(&sort, None)?;
            inner.update_batch(&[take(values, &indices, None)?])?;
        }
        inner.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(match self.whole()? {
            None => self.empty.clone(),
            Some(columns) => columns
                .into_iter()
                .map(|c| SingleRowListArrayBuilder::new(c).build_list_scalar())
                .collect(),
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let wrong = || internal_datafusion_err!("the state of an aggregate with ORDER BY is lists");
        let lists = states.iter().map(|s| s.as_list_opt::<i32>());
        let lists = lists.collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        let rows = lists.first().map_or(0, |l| l.len());
        for row in 0..rows {
            let columns: Vec<ArrayRef> = lists
                .iter()
                .filter(|l| l.is_valid(row))
                .map(|l| l.value(row))
                .collect();
            if columns.len() == self.columns.len() {
                self.push(columns.iter());
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let chunks = self.columns.iter().flatten();
        size_of_val(self) + chunks.map(|c| c.get_array_memory_size()).sum::<usize>()
    }
}
