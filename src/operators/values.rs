//! The values of a call whose function cannot take one back: with their number in order of value, or in the order in which they
//! came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::logical_expr::EmitTo;
use hashbrown::HashMap;

use super::aggregator::accumulator;
use super::call_rows::CallRows;
use crate::error::Result;
use crate::graph::{AggregateCall, AggregateInput};
use crate::state::{Slot, Table};

/// How many rows have a value, or its position in the order of arrival. No column of a query has such a name.
const NUMBER: &str = "__number";

/// What is kept of the arguments of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// What the function accumulates.
    Accumulated,
    /// The values.
    Values(Needs),
}

/// Which of the values a result needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The first in their order, besides NULL.
    First,
    /// The last in their order.
    Last,
    /// All, in their order.
    All,
    /// All, as they came.
    AsTheyCame,
}

impl Keeping {
    /// For a call over such input.
    ///
    /// # Errors
    /// Where the function is not supported.
    pub fn of(call: &AggregateCall, input: AggregateInput) -> Result<Self> {
        if input != AggregateInput::Changes {
            return Ok(Self::Accumulated);
        }
        Ok(match call.function.fun().name() {
            "min" => Self::Values(Needs::First),
            "max" => Self::Values(Needs::Last),
            "first_value" | "last_value" | "listagg" | "array_agg" | "string_agg" | "collect" => {
                Self::Values(Needs::AsTheyCame)
            }
            _ if call.function.create_accumulator()?.supports_retract_batch() => Self::Accumulated,
            _ => Self::Values(Needs::All),
        })
    }
}

/// A place in the order of the values of a group: the value in Arrow's row format, or the number in big-endian bytes.
type Place = Box<[u8]>;

/// The values of all groups.
pub struct Values {
    plan: AggregateCall,
    needs: Needs,
    /// Number of grouping columns, and of those of the table's key.
    width: usize,
    after_key: usize,
    arguments: RowConverter,
    /// By group and value its number; or by group and number the value.
    table: Table,
    order: BTreeMap<(Slot, Place), Slot>,
    /// Where each value is, if they are kept as they came.
    places: HashMap<(Slot, Place), BTreeSet<i64>>,
}

impl Values {
    /// No values yet. `keys`: the grouping columns, which are spread by those at `spread`.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        name: &str,
        keys: &[FieldRef],
        spread: &[usize],
        plan: &AggregateCall,
        needs: Needs,
        input: &Schema,
    ) -> Result<Self> {
        let mut arguments: Vec<FieldRef> = Vec::new();
        for (i, expression) in plan.function.expressions().iter().enumerate() {
            let data_type = expression.data_type(input)?;
            arguments.push(Arc::new(Field::new(format!("__arg{i}"), data_type, true)));
        }
        let number: FieldRef = Arc::new(Field::new(NUMBER, DataType::Int64, true));
        let sort = arguments
            .iter()
            .map(|f| SortField::new(f.data_type().clone()));
        let converter = RowConverter::new(sort.collect())?;
        let (mut fields, mut width) = (keys.to_vec(), keys.len());
        if needs == Needs::AsTheyCame {
            width += 1;
            fields.push(number);
            fields.extend(arguments);
        } else {
            width += arguments.len();
            fields.extend(arguments);
            fields.push(number);
        }
        let key: Vec<usize> = (0..width).collect();
        Ok(Self {
            plan: plan.clone(),
            needs,
            width: keys.len(),
            arguments: converter,
            table: Table::new(name, Arc::new(Schema::new(fields)), &key, spread, None)?,
            after_key: width,
            order: BTreeMap::new(),
            places: HashMap::new(),
        })
    }

    /// The table, for snapshots.
    pub fn table(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Adds and takes away values; `keys` are the grouping columns of the groups `slots`.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn apply(&mut self, keys: &[ArrayRef], slots: &[Slot], rows: &CallRows) -> Result<()> {
        let changes: Vec<(usize, i64)> = rows.weighted().collect();
        if changes.is_empty() {
            return Ok(());
        }
        let indices = UInt32Array::from_iter_values(changes.iter().map(|(row, _)| *row as u32));
        let arguments = rows.arguments.iter();
        let arguments = arguments.map(|a| Ok(take(a, &indices, None)?));
        let arguments: Vec<ArrayRef> = arguments.collect::<Result<_>>()?;
        let groups = changes.iter().map(|(row, _)| rows.groups[*row] as u32);
        let groups = UInt32Array::from_iter_values(groups);
        let changes = changes.iter().zip(groups.values());
        let changes: Vec<(Slot, i64)> = changes
            .map(|((_, weight), group)| (slots[*group as usize], *weight))
            .collect();
        if self.needs == Needs::AsTheyCame {
            return self.list(keys, &groups, &arguments, &changes);
        }
        let mut columns = keys
            .iter()
            .map(|k| Ok(take(k, &groups, None)?))
            .collect::<Result<Vec<_>>>()?;
        columns.extend(arguments.iter().cloned());
        let encoded = self.table.keys_of(&columns, changes.len())?;
        let values = self.arguments.convert_columns(&arguments)?;
        for (i, (group, weight)) in changes.into_iter().enumerate() {
            let (slot, is_new) = self.table.write(&encoded, i)?;
            let number = self.table.int(self.after_key, slot) + weight;
            self.table.set_int(self.after_key, slot, number)?;
            if number != 0 && !is_new {
                continue;
            }
            let place = (group, Place::from(values.row(i).data()));
            if number == 0 {
                self.order.remove(&place);
                self.table.remove(slot)?;
            } else {
                self.order.insert(place, slot);
            }
        }
        Ok(())
    }

    /// Adds values at the end, and takes away the first that is equal.
    fn list(
        &mut self,
        keys: &[ArrayRef],
        groups: &UInt32Array,
        arguments: &[ArrayRef],
        changes: &[(Slot, i64)],
    ) -> Result<()> {
        // What comes, and its number in its group.
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        let mut next: HashMap<Slot, i64> = HashMap::new();
        for (i, (group, weight)) in (0u32..).zip(changes) {
            let next = next.entry(*group).or_insert_with(|| self.next(*group));
            for _ in 0..*weight {
                rows.push(i);
                numbers.push(*next);
                *next += 1;
            }
        }
        let values = self.arguments.convert_columns(arguments)?;
        let indices = UInt32Array::from(rows);
        let own = take(groups, &indices, None)?;
        let mut columns = keys
            .iter()
            .map(|k| Ok(take(k, &own, None)?))
            .collect::<Result<Vec<_>>>()?;
        columns.push(Arc::new(Int64Array::from(numbers.clone())));
        let encoded = self.table.keys_of(&columns, numbers.len())?;
        let mut added = Vec::with_capacity(numbers.len());
        for (i, (group, weight)) in changes.iter().enumerate() {
            let value = || (*group, Place::from(values.row(i).data()));
            for _ in 0..*weight {
                let at = added.len();
                let (slot, _) = self.table.write(&encoded, at)?;
                self.order.insert((*group, place(numbers[at])), slot);
                self.places.entry(value()).or_default().insert(numbers[at]);
                added.push(slot);
            }
            for _ in *weight..0 {
                let Some(own) = self.places.get_mut(&value()) else {
                    break;
                };
                let first = own.pop_first();
                if own.is_empty() {
                    self.places.remove(&value());
                }
                if let Some(first) = first
                    && let Some(slot) = self.order.remove(&(*group, place(first)))
                {
                    self.table.remove(slot)?;
                }
            }
        }
        for (column, argument) in arguments.iter().enumerate() {
            let values = take(argument, &indices, None)?;
            self.table.set(self.after_key + column, &added, &values)?;
        }
        Ok(())
    }

    /// The number after the last of a group.
    fn next(&self, group: Slot) -> i64 {
        let last = self.of_group(group).next_back();
        let bytes = last.and_then(|((_, place), _)| place.as_ref().try_into().ok());
        bytes.map_or(0, |bytes| i64::from_be_bytes(bytes) + 1)
    }

    fn of_group(&self, group: Slot) -> impl DoubleEndedIterator<Item = (&(Slot, Place), &Slot)> {
        let first = (group, Place::default());
        let after = (group + 1, Place::default());
        self.order.range(first..after)
    }

    /// The results of groups.
    ///
    /// # Errors
    /// Where the function fails on a value.
    pub fn results(&self, groups: &[Slot]) -> Result<ArrayRef> {
        let (mut slots, mut positions) = (Vec::new(), Vec::new());
        for (position, group) in groups.iter().enumerate() {
            let values = self.of_group(*group).map(|(_, slot)| *slot);
            let is_there = |slot: &Slot| self.table.int(self.after_key, *slot) > 0;
            match self.needs {
                // NULL, which orders first, takes no part in MIN and MAX.
                Needs::First => slots.extend(values.filter(is_there).take(2)),
                Needs::Last => slots.extend(values.rev().find(is_there)),
                Needs::All => slots.extend(values.filter(is_there).flat_map(|slot| {
                    std::iter::repeat_n(slot, self.table.int(self.after_key, slot) as usize)
                })),
                Needs::AsTheyCame => slots.extend(values),
            }
            positions.resize(slots.len(), position);
        }
        let arguments = self.plan.function.expressions().len();
        let columns = if self.needs == Needs::AsTheyCame {
            let columns = (0..arguments).map(|c| self.table.values(self.after_key + c, &slots));
            columns.collect::<Result<Vec<_>>>()?
        } else {
            self.table.keys(&slots)?.split_off(self.width)
        };
        let mut all = accumulator(&self.plan)?;
        // Without a filter accumulators take it that every group has a row.
        let filter = BooleanArray::from(vec![true; positions.len()]);
        all.update_batch(&columns, &positions, Some(&filter), groups.len())?;
        Ok(all.evaluate(EmitTo::All)?)
    }

    /// Forgets the values of a group.
    ///
    /// # Errors
    /// Where their keys cannot be remembered.
    pub fn remove(&mut self, group: Slot) -> Result<()> {
        let values = self.of_group(group);
        let values: Vec<(Place, Slot)> = values.map(|((_, p), s)| (p.clone(), *s)).collect();
        if self.needs == Needs::AsTheyCame {
            let slots: Vec<Slot> = values.iter().map(|(_, slot)| *slot).collect();
            for value in self.listed(&slots)? {
                self.places.remove(&(group, value));
            }
        }
        for (place, slot) in values {
            self.order.remove(&(group, place));
            self.table.remove(slot)?;
        }
        Ok(())
    }

    /// Values that are kept as they came.
    fn listed(&self, slots: &[Slot]) -> Result<Vec<Place>> {
        let arguments = self.plan.function.expressions().len();
        let columns = (0..arguments).map(|c| self.table.values(self.after_key + c, slots));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = self.arguments.convert_columns(&columns)?;
        Ok(rows.iter().map(|row| Place::from(row.data())).collect())
    }

    /// The table is restored, and so is that of the groups.
    ///
    /// # Errors
    /// Values of a group that is not there.
    pub fn restored(&mut self, groups: &Table) -> Result<()> {
        for slots in self.table.pieces() {
            let mut columns = self.table.keys(&slots)?;
            let rest = columns.split_off(self.width);
            let owners = groups.find_all(&columns, slots.len())?;
            if self.needs != Needs::AsTheyCame {
                let values = self.arguments.convert_columns(&rest)?;
                for (i, (slot, group)) in slots.into_iter().zip(owners).enumerate() {
                    let value = values.row(i).data().into();
                    self.order.insert((group, value), slot);
                }
                continue;
            }
            let values = self.listed(&slots)?;
            let numbers = rest[0].as_primitive::<Int64Type>();
            let each = slots.into_iter().zip(owners).zip(values);
            for (((slot, group), value), number) in each.zip(numbers.values()) {
                self.order.insert((group, place(*number)), slot);
                let places = self.places.entry((group, value)).or_default();
                places.insert(*number);
            }
        }
        Ok(())
    }
}

fn place(number: i64) -> Place {
    Place::from(number.to_be_bytes())
}
