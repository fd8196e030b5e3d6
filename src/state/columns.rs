//! Columns that are changed in place: those of one page of a table.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use crate::error::{Error, Result};

/// Values in bytes: changed in place where their length allows it.
#[derive(Debug, Clone, Default)]
pub struct Bytes {
    places: Places,
    data: Vec<u8>,
    /// Bytes of `data` that no value needs any more.
    unused: usize,
}

/// Where values are.
#[derive(Debug, Clone)]
enum Places {
    /// Values of one length, stored back to back: how many there are, and the length of each in bytes.
    Even { count: usize, length: usize },
    /// From where and how long each is.
    Each(Vec<(u32, u32)>),
}

impl Default for Places {
    fn default() -> Self {
        Self::Even {
            count: 0,
            length: 0,
        }
    }
}

impl Bytes {
    fn range(&self, at: usize) -> std::ops::Range<usize> {
        let (from, length) = match &self.places {
            Places::Even { length, .. } => (at * length, *length),
            Places::Each(places) => (places[at].0 as usize, places[at].1 as usize),
        };
        from..from + length
    }

    /// The value at `at`.
    pub fn get(&self, at: usize) -> &[u8] {
        &self.data[self.range(at)]
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.places {
            Places::Even { count, .. } => *count,
            Places::Each(places) => places.len(),
        }
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// One more value.
    ///
    /// # Errors
    /// Where a page would hold more than 4 GiB.
    pub fn push(&mut self, value: &[u8]) -> Result<()> {
        let place = self.append(value)?;
        match &mut self.places {
            Places::Even { count: 0, .. } => {
                self.places = Places::Even {
                    count: 1,
                    length: value.len(),
                };
            }
            Places::Even { count, length } if *length == value.len() => *count += 1,
            _ => self.each()?.push(place),
        }
        Ok(())
    }

    /// Another value at `at`.
    ///
    /// # Errors
    /// Where a page would hold more than 4 GiB.
    pub fn set(&mut self, at: usize, value: &[u8]) -> Result<()> {
        let range = self.range(at);
        if range.len() == value.len() {
            self.data[range].copy_from_slice(value);
            return Ok(());
        }
        self.unused += range.len();
        self.each()?[at] = (0, 0);
        self.tidy()?;
        let place = self.append(value)?;
        self.each()?[at] = place;
        Ok(())
    }

    fn append(&mut self, value: &[u8]) -> Result<(u32, u32)> {
        let place = (length(self.data.len())?, length(value.len())?);
        self.data.extend_from_slice(value);
        Ok(place)
    }

    /// The place of each value, which may be of different lengths from here on.
    fn each(&mut self) -> Result<&mut Vec<(u32, u32)>> {
        if let Places::Even {
            count,
            length: each,
        } = self.places
        {
            let each = length(each)?;
            let all = (0..count).map(|at| Ok((length(at * each as usize)?, each)));
            self.places = Places::Each(all.collect::<Result<_>>()?);
        }
        match &mut self.places {
            Places::Each(places) => Ok(places),
            Places::Even { .. } => Err(Error::internal("values without places")),
        }
    }

    /// Gives back what is unused once it is the larger part.
    fn tidy(&mut self) -> Result<()> {
        if self.unused <= self.data.len() / 2 || self.unused < 4096 {
            return Ok(());
        }
        let old = std::mem::take(&mut self.data);
        let mut data = Vec::with_capacity(old.len() - self.unused);
        for (from, length) in self.each()? {
            let at = data.len();
            data.extend_from_slice(&old[*from as usize..(*from + *length) as usize]);
            *from = at as u32;
        }
        self.data = data;
        self.unused = 0;
        Ok(())
    }
}

fn length(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| {
        Error::data("a page of state is over 4 GiB")
            .with_help("values of several MiB cannot be kept for thousands of keys")
    })
}

/// How the values of an Arrow type are kept.
#[derive(Debug)]
pub struct ColumnType {
    data_type: DataType,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// Of so many bytes each.
    Fixed(usize),
    /// As a byte.
    Boolean,
    /// As they are: text in UTF-8, and bytes.
    Text,
    /// In Arrow's row format.
    Rows(RowConverter),
}

/// The values of one column in a page.
#[derive(Debug, Clone)]
pub struct Column {
    valid: Vec<bool>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Fixed { width: usize, data: Vec<u8> },
    Bytes(Bytes),
}

impl ColumnType {
    /// How values of `data_type` are kept.
    ///
    /// # Errors
    /// Where they cannot be.
    pub fn new(data_type: &DataType) -> Result<Self> {
        let kept = match (data_type, data_type.primitive_width()) {
            (_, Some(width)) => Kept::Fixed(width),
            (DataType::Boolean, _) => Kept::Boolean,
            (DataType::Utf8 | DataType::Binary, _) => Kept::Text,
            _ => Kept::Rows(RowConverter::new(vec![SortField::new(data_type.clone())])?),
        };
        Ok(Self {
            data_type: data_type.clone(),
            kept,
        })
    }

    /// A column without places.
    pub fn column(&self) -> Column {
        let fixed = |width| Values::Fixed {
            width,
            data: Vec::new(),
        };
        Column {
            valid: Vec::new(),
            values: match &self.kept {
                Kept::Fixed(width) => fixed(*width),
                Kept::Boolean => fixed(1),
                Kept::Text | Kept::Rows(_) => Values::Bytes(Bytes::default()),
            },
        }
    }

    /// Calls `put` with every value of an array: its index and its bytes, `None` for NULL.
    ///
    /// # Errors
    /// An array of another type, or as `put`.
    pub fn each(
        &self,
        array: &ArrayRef,
        mut put: impl FnMut(usize, Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        if *array.data_type() != self.data_type {
            return Err(Error::internal(format!(
                "state of type {} was given {}",
                self.data_type,
                array.data_type()
            )));
        }
        let nulls = array.logical_nulls();
        let is_valid = |i: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(i));
        match &self.kept {
            Kept::Fixed(width) => {
                let data = array.to_data();
                let bytes = data.buffers().first().map_or(&[][..], Buffer::as_slice);
                let bytes = &bytes[data.offset() * width..];
                for (i, value) in bytes.chunks_exact(*width).take(array.len()).enumerate() {
                    put(i, is_valid(i).then_some(value))?;
                }
            }
            Kept::Boolean => {
                let values = array.as_boolean();
                for i in 0..array.len() {
                    let value = [u8::from(values.value(i))];
                    put(i, is_valid(i).then_some(&value))?;
                }
            }
            Kept::Text => {
                let data = array.to_data();
                let [offsets, bytes] = data.buffers() else {
                    return Err(Error::internal("text without its two buffers"));
                };
                let offsets = &offsets.typed_data::<i32>()[data.offset()..];
                for (i, ends) in offsets.windows(2).take(array.len()).enumerate() {
                    let value = &bytes[ends[0] as usize..ends[1] as usize];
                    put(i, is_valid(i).then_some(value))?;
                }
            }
            Kept::Rows(converter) => {
                let rows = converter.convert_columns(std::slice::from_ref(array))?;
                for (i, row) in rows.iter().enumerate() {
                    put(i, is_valid(i).then_some(row.as_ref()))?;
                }
            }
        }
        Ok(())
    }

    /// The array of values of columns of this type, each at a place of one.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn array<'a>(
        &self,
        values: impl ExactSizeIterator<Item = (&'a Column, usize)> + Clone,
    ) -> Result<ArrayRef> {
        let n = values.len();
        let valid: Vec<bool> = values.clone().map(|(c, at)| c.valid[at]).collect();
        match &self.kept {
            Kept::Fixed(width) => {
                let bytes = values.map(|(c, at)| c.value(at));
                let buffer = match width {
                    1 => gathered::<1>(n, bytes),
                    2 => gathered::<2>(n, bytes),
                    4 => gathered::<4>(n, bytes),
                    8 => gathered::<8>(n, bytes),
                    16 => gathered::<16>(n, bytes),
                    _ => {
                        let mut buffer = MutableBuffer::with_capacity(n * width);
                        bytes.for_each(|value| buffer.extend_from_slice(value));
                        buffer.into()
                    }
                };
                let data = ArrayData::builder(self.data_type.clone())
                    .len(n)
                    .add_buffer(buffer)
                    .nulls(Some(NullBuffer::from(valid)))
                    .build()?;
                Ok(make_array(data))
            }
            Kept::Boolean => {
                let bits = BooleanBuffer::from_iter(values.map(|(c, at)| c.value(at) == [1]));
                Ok(Arc::new(BooleanArray::new(
                    bits,
                    Some(NullBuffer::from(valid)),
                )))
            }
            Kept::Text => {
                let lengths = values.clone().map(|(c, at)| c.value(at).len());
                let bytes: usize = lengths.clone().sum();
                if i32::try_from(bytes).is_err() {
                    return Err(Error::data("over 2 GiB of text in one batch of state")
                        .with_help("texts of several MiB cannot be kept for thousands of keys"));
                }
                let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
                let mut buffer = MutableBuffer::with_capacity(bytes);
                values.for_each(|(c, at)| buffer.extend_from_slice(c.value(at)));
                let data = ArrayData::builder(self.data_type.clone())
                    .len(n)
                    .add_buffer(offsets.into_inner().into_inner())
                    .add_buffer(buffer.into())
                    .nulls(Some(NullBuffer::from(valid)))
                    .build()?;
                Ok(make_array(data))
            }
            Kept::Rows(converter) => {
                let null = arrow::array::new_null_array(&self.data_type, 1);
                let null = converter.convert_columns(&[null])?;
                let parser = converter.parser();
                let rows = values.zip(valid).map(|((c, at), valid)| match valid {
                    true => parser.parse(c.value(at)),
                    false => null.row(0),
                });
                let mut columns = converter.convert_rows(rows)?;
                Ok(columns.remove(0))
            }
        }
    }
}

/// Values of a width that the compiler knows, one after another: a call to copy each would cost more than the copy.
fn gathered<'a, const WIDTH: usize>(n: usize, values: impl Iterator<Item = &'a [u8]>) -> Buffer {
    let mut all: Vec<[u8; WIDTH]> = Vec::with_capacity(n);
    all.extend(values.map(|value| value.try_into().unwrap_or([0; WIDTH])));
    // A new allocation, because arrays of numbers must be aligned.
    Buffer::from(all.as_flattened())
}

/// Copies a value; one of a usual width without a call.
fn copy(to: &mut [u8], from: &[u8]) {
    fn fixed<const WIDTH: usize>(to: &mut [u8], from: &[u8]) {
        if let (Ok(to), Ok(from)) = (<&mut [u8; WIDTH]>::try_from(to), from.try_into()) {
            *to = from;
        }
    }
    match to.len() {
        1 => fixed::<1>(to, from),
        4 => fixed::<4>(to, from),
        8 => fixed::<8>(to, from),
        16 => fixed::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}

impl Column {
    /// One more place, NULL.
    ///
    /// # Errors
    /// Where a page would hold more than 4 GiB.
    pub fn push_null(&mut self) -> Result<()> {
        self.valid.push(false);
        match &mut self.values {
            Values::Fixed { width, data } => data.resize(data.len() + *width, 0),
            Values::Bytes(rows) => rows.push(&[])?,
        }
        Ok(())
    }

    /// Another value at `at`.
    ///
    /// # Errors
    /// Where a page would hold more than 4 GiB.
    pub fn set(&mut self, at: usize, value: Option<&[u8]>) -> Result<()> {
        self.valid[at] = value.is_some();
        match &mut self.values {
            Values::Fixed { width, data } => {
                let place = &mut data[at * *width..(at + 1) * *width];
                match value {
                    Some(value) => copy(place, value),
                    None => place.fill(0),
                }
            }
            Values::Bytes(rows) => rows.set(at, value.unwrap_or_default())?,
        }
        Ok(())
    }

    fn value(&self, at: usize) -> &[u8] {
        match &self.values {
            Values::Fixed { width, data } => &data[at * width..(at + 1) * width],
            Values::Bytes(rows) => rows.get(at),
        }
    }

    /// Whether the value at `at` is not NULL.
    pub fn is_valid(&self, at: usize) -> bool {
        self.valid[at]
    }

    /// How many bytes the values take.
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::Fixed { data, .. } => data.len(),
            Values::Bytes(values) => values.bytes(),
        }
    }

    /// A BIGINT; NULL is 0.
    pub fn int(&self, at: usize) -> i64 {
        let bytes = self.value(at).try_into().unwrap_or_default();
        i64::from_ne_bytes(bytes)
    }

    /// Another BIGINT at `at`.
    ///
    /// # Errors
    /// Where the column is of another type.
    pub fn set_int(&mut self, at: usize, value: i64) -> Result<()> {
        match &self.values {
            Values::Fixed { width: 8, .. } => self.set(at, Some(&value.to_ne_bytes())),
            _ => Err(Error::internal("a column of state is no BIGINT")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal128Array, Float64Array, Int32Array, ListArray, StringArray, new_null_array,
    };
    use arrow::datatypes::Int32Type;

    #[test]
    fn values_of_any_type_come_back() {
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(1), None, Some(-3)])),
            Arc::new(Float64Array::from(vec![Some(-0.0), None, Some(1.5)])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(StringArray::from(vec![Some("a"), None, Some("")])),
            Arc::new(
                Decimal128Array::from(vec![Some(7), None, Some(i128::MAX / 5)])
                    .with_precision_and_scale(38, 3)
                    .unwrap(),
            ),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![Some(1), None]),
                None,
                Some(vec![]),
            ])),
            new_null_array(&DataType::Null, 3),
        ];
        for array in arrays {
            let kind = ColumnType::new(array.data_type()).unwrap();
            let mut column = kind.column();
            (0..3).for_each(|_| column.push_null().unwrap());
            let slice = array.slice(1, 2);
            kind.each(&slice, |i, v| column.set(i + 1, v)).unwrap();
            kind.each(&array.slice(0, 1), |_, v| column.set(0, v))
                .unwrap();
            let back = kind.array((0..3).map(|at| (&column, at))).unwrap();
            assert_eq!(back.as_ref(), array.as_ref());
            let other = new_null_array(&DataType::Date32, 1);
            assert!(kind.each(&other, |_, _| Ok(())).is_err());
        }
    }

    #[test]
    fn what_is_no_longer_needed_is_given_back() {
        let mut bytes = Bytes::default();
        (0..100).for_each(|_| bytes.push(&[0; 100]).unwrap());
        for round in 1..50u8 {
            for at in 0..100 {
                bytes.set(at, &vec![round; 100 + at % 7]).unwrap();
            }
        }
        assert!(bytes.data.len() < 40_000, "{}", bytes.data.len());
        let whole = (0..bytes.len()).all(|at| bytes.get(at) == vec![49; 100 + at % 7]);
        assert!(whole);
    }
}
