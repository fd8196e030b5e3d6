//! The values of DISTINCT arguments: how many rows of each group have each, for every FILTER. Calls with the same arguments share
//! one table; a call is given a value when the first row comes that has it, and gives it back with the last.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::physical_expr::PhysicalExpr;

use super::call_rows::CallRows;
use super::evaluate;
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::AggregateInput;
use crate::state::{Lists, Slot, Table, Touched};

type Expression = Arc<dyn PhysicalExpr>;

/// What calls share: their arguments, and the filters that there are.
#[derive(Clone)]
pub struct Shared {
    arguments: Vec<Expression>,
    filters: Vec<Option<Expression>>,
}

impl Shared {
    /// Where a DISTINCT call finds its values: which of `all`, and which filter of it. Adds what is missing.
    pub fn of(
        all: &mut Vec<Self>,
        arguments: Vec<Expression>,
        filter: Option<Expression>,
    ) -> (usize, usize) {
        let known = all.iter().position(|s| s.arguments == arguments);
        let at = known.unwrap_or_else(|| {
            all.push(Self {
                arguments,
                filters: Vec::new(),
            });
            all.len() - 1
        });
        let filters = &mut all[at].filters;
        let known = filters.iter().position(|f| *f == filter);
        let filter = known.unwrap_or_else(|| {
            filters.push(filter);
            filters.len() - 1
        });
        (at, filter)
    }

    /// The arguments of rows, and for each filter which rows it lets through; `None`: all.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn evaluate(
        &self,
        rows: &RecordBatch,
    ) -> Result<(Vec<ArrayRef>, Vec<Option<BooleanArray>>)> {
        let arguments = self.arguments.iter();
        let arguments = arguments.map(|a| evaluate::values(a, rows));
        let filters = self.filters.iter();
        let filters = filters.map(|f| f.as_ref().map(|f| evaluate::mask(f, rows, "FILTER")));
        let filters = filters.map(Option::transpose);
        Ok((
            arguments.collect::<Result<_>>()?,
            filters.collect::<Result<_>>()?,
        ))
    }
}

/// The values of one list of arguments.
pub struct Distinct {
    shared: Shared,
    /// By group and value what is known of its rows, from the column `counts` on.
    table: Table,
    counts: usize,
    /// Rows only come: it is enough to know, in one column with a bit for each filter, whether there was one. Else there is a
    /// column for each filter with their number.
    only_adds: bool,
    /// The values of each group.
    lists: Lists,
}

/// The rows with which values came or went.
pub struct Crossed {
    arguments: Vec<ArrayRef>,
    /// For each filter the rows, and 1 or -1 for each.
    rows: Vec<(Vec<u32>, Vec<i64>)>,
}

impl Crossed {
    /// For each filter the rows, and 1 or -1 for each.
    pub fn changes(&self) -> &[(Vec<u32>, Vec<i64>)] {
        &self.rows
    }

    /// The rows for a call with one of the filters.
    ///
    /// # Errors
    /// Where a row is not there (a bug).
    pub fn rows(&self, filter: usize, touched: &Touched) -> Result<CallRows> {
        let (rows, weights) = &self.rows[filter];
        CallRows::some(&self.arguments, rows, weights, touched)
    }
}

impl Distinct {
    /// No values yet. `keys`: the grouping columns, which are spread by those at `spread`.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        name: &str,
        shared: Shared,
        keys: &[FieldRef],
        spread: &[usize],
        input: (&Schema, AggregateInput),
    ) -> Result<Self> {
        let (input, comes) = input;
        let mut fields = keys.to_vec();
        for (i, argument) in shared.arguments.iter().enumerate() {
            let data_type = argument.data_type(input)?;
            fields.push(Arc::new(Field::new(format!("__arg{i}"), data_type, true)));
        }
        let width = fields.len();
        let only_adds = comes != AggregateInput::Changes && shared.filters.len() < 64;
        let columns = if only_adds { 1 } else { shared.filters.len() };
        for i in 0..columns {
            let name = format!("__rows{i}");
            fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
        }
        let key: Vec<usize> = (0..width).collect();
        Ok(Self {
            shared,
            table: Table::new(name, Arc::new(Schema::new(fields)), &key, spread, None)?,
            counts: width,
            only_adds,
            lists: Lists::default(),
        })
    }

    /// The table, for snapshots.
    pub fn table(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Counts the rows of a batch; `keys` are their grouping columns.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn apply(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        touched: &Touched,
    ) -> Result<Crossed> {
        let rows = &batch.rows;
        let (arguments, filters) = self.shared.evaluate(rows)?;
        let columns: Vec<ArrayRef> = keys.iter().chain(&arguments).cloned().collect();
        let encoded = self.table.keys_of(&columns, rows.num_rows())?;
        let mut crossed: Vec<(Vec<u32>, Vec<i64>)> = vec![Default::default(); filters.len()];
        let mut passed = Vec::with_capacity(filters.len());
        for row in 0..encoded.count() {
            let passes = |f: &Option<BooleanArray>| {
                f.as_ref().is_none_or(|f| f.is_valid(row) && f.value(row))
            };
            passed.clear();
            passed.extend((0..filters.len()).filter(|f| passes(&filters[*f])));
            if passed.is_empty() {
                continue;
            }
            let (slot, is_new) = self.table.write(&encoded, row)?;
            if is_new {
                self.lists.push(touched.slots[touched.rows[row]], slot);
            }
            if self.only_adds {
                let before = self.table.int(self.counts, slot);
                let after = passed
                    .iter()
                    .fold(before, |bits, filter| bits | 1 << filter);
                if before != after {
                    self.table.set_int(self.counts, slot, after)?;
                    let is_first = |filter: &&usize| before & (1 << **filter) == 0;
                    for filter in passed.iter().filter(is_first) {
                        crossed[*filter].0.push(row as u32);
                        crossed[*filter].1.push(1);
                    }
                }
                continue;
            }
            for filter in &passed {
                let before = self.table.int(self.counts + filter, slot);
                let after = before + batch.weight(row);
                self.table.set_int(self.counts + filter, slot, after)?;
                if (before > 0) != (after > 0) {
                    crossed[*filter].0.push(row as u32);
                    crossed[*filter].1.push(if after > 0 { 1 } else { -1 });
                }
            }
            if (0..filters.len()).all(|filter| self.table.int(self.counts + filter, slot) == 0) {
                self.lists.remove(slot);
                self.table.remove(slot)?;
            }
        }
        Ok(Crossed {
            arguments,
            rows: crossed,
        })
    }

    /// Forgets the values of a group.
    ///
    /// # Errors
    /// Where their keys cannot be remembered.
    pub fn remove(&mut self, group: Slot) -> Result<()> {
        while let Some(value) = self.lists.first(group) {
            self.lists.remove(value);
            self.table.remove(value)?;
        }
        Ok(())
    }

    /// The table is restored, and so is that of the groups, of which `width` columns are the key.
    ///
    /// # Errors
    /// Values of a group that is not there.
    pub fn restored(&mut self, groups: &Table, width: usize) -> Result<()> {
        for slots in self.table.pieces() {
            let mut keys = self.table.keys(&slots)?;
            keys.truncate(width);
            let owners = groups.find_all(&keys, slots.len())?;
            for (group, value) in owners.into_iter().zip(slots) {
                self.lists.push(group, value);
            }
        }
        Ok(())
    }
}
