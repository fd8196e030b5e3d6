//! The rows of a table in pages of columns. A page can be shared with other threads: then it is copied before it changes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::columns::{Bytes, Column, ColumnType};
use crate::error::Result;

/// Where a row of a table is.
pub type Slot = u32;

/// No row: no table has so many.
pub const NONE: Slot = Slot::MAX;

/// Slots of a page.
pub const PAGE: usize = 4096;

/// Which columns the rows have, and how their values are kept.
pub struct Layout {
    /// The columns.
    pub schema: SchemaRef,
    /// The columns of the schema that are the key, and the others.
    pub key: Vec<usize>,
    pub rest: Vec<usize>,
    /// For each column of the schema its place among the others.
    pub places: Vec<usize>,
    /// `None` where the key has no columns.
    pub keys: Option<RowConverter>,
    pub types: Vec<ColumnType>,
    /// A row of NULLs: the key, where it has columns, and the other columns.
    nothing: (Option<OwnedRow>, Vec<Column>),
}

impl Layout {
    /// Of rows with these columns, of which those at `key` are the key.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(schema: SchemaRef, key: &[usize]) -> Result<Self> {
        let width = schema.fields().len();
        let (mut rest, mut places) = (Vec::new(), vec![usize::MAX; width]);
        for column in (0..width).filter(|column| !key.contains(column)) {
            places[column] = rest.len();
            rest.push(column);
        }
        let data_type = |column: &usize| schema.field(*column).data_type();
        let keys = key.iter().map(|c| SortField::new(data_type(c).clone()));
        let keys: Vec<SortField> = keys.collect();
        let types = rest.iter().map(|c| ColumnType::new(data_type(c)));
        let types: Vec<ColumnType> = types.collect::<Result<_>>()?;
        let keys = match keys.is_empty() {
            true => None,
            false => Some(RowConverter::new(keys)?),
        };
        let mut nothing: Vec<Column> = types.iter().map(ColumnType::column).collect();
        nothing.iter_mut().try_for_each(Column::push_null)?;
        let no_key = match &keys {
            None => None,
            Some(converter) => {
                let nulls = key.iter().map(|c| new_null_array(data_type(c), 1));
                let rows = converter.convert_columns(&nulls.collect::<Vec<_>>())?;
                Some(rows.row(0).owned())
            }
        };
        Ok(Self {
            key: key.to_vec(),
            rest,
            places,
            keys,
            types,
            nothing: (no_key, nothing),
            schema,
        })
    }

    /// The columns of keys.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn decoded<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let Some(converter) = &self.keys else {
            return Ok(Vec::new());
        };
        let parser = converter.parser();
        Ok(converter.convert_rows(keys.map(|key| parser.parse(key)))?)
    }

    /// Keys as rows of the key columns.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn key_rows(&self, keys: &Bytes) -> Result<RecordBatch> {
        let n = keys.len();
        let columns = self.decoded((0..n).map(|i| keys.get(i)))?;
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        let schema = Arc::new(self.schema.project(&self.key)?);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

/// Some rows, their slots one after another.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub keys: Bytes,
    pub columns: Vec<Column>,
    /// When each row was last written, with a TTL.
    pub written: Vec<i64>,
}

impl Page {
    fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(Column::bytes);
        self.keys.bytes() + columns.sum::<usize>()
    }
}

/// A page, and whether others see it.
#[derive(Debug)]
enum Held {
    Own(Page),
    Shared(Arc<Page>),
}

/// Pages of rows.
pub struct Pages {
    /// What the rows are like.
    pub layout: Arc<Layout>,
    pages: Vec<Held>,
}

/// The page of a slot, and where in it.
pub fn place(slot: Slot) -> (usize, usize) {
    let slot = slot as usize;
    (slot / PAGE, slot % PAGE)
}

impl Pages {
    /// No rows yet.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
            pages: Vec::new(),
        }
    }

    /// A new page after the others.
    pub fn add_page(&mut self) {
        self.pages.push(Held::Own(Page {
            keys: Bytes::default(),
            columns: self.layout.types.iter().map(ColumnType::column).collect(),
            written: Vec::new(),
        }));
    }

    /// The page at `at`.
    pub fn page(&self, at: usize) -> &Page {
        match &self.pages[at] {
            Held::Own(page) => page,
            Held::Shared(page) => page,
        }
    }

    /// The page at `at`, to be changed: others go on seeing it as it was.
    pub fn page_mut(&mut self, at: usize) -> &mut Page {
        let held = &mut self.pages[at];
        if let Held::Shared(page) = held {
            *held = Held::Own(Arc::unwrap_or_clone(std::mem::take(page)));
        }
        match held {
            Held::Own(page) => page,
            // It is not: see above.
            Held::Shared(page) => Arc::make_mut(page),
        }
    }

    /// The pages of these slots as they are now, for others to see; all other pages are left out.
    pub fn share(&mut self, slots: &[Slot]) -> Self {
        let mut shared: Vec<Held> = Vec::new();
        for slot in slots {
            let (at, _) = place(*slot);
            while shared.len() <= at {
                shared.push(Held::Own(Page::default()));
            }
            if matches!(shared[at], Held::Shared(_)) {
                continue;
            }
            let held = &mut self.pages[at];
            if let Held::Own(page) = held {
                *held = Held::Shared(Arc::new(std::mem::take(page)));
            }
            if let Held::Shared(page) = held {
                shared[at] = Held::Shared(Arc::clone(page));
            }
        }
        Self {
            layout: Arc::clone(&self.layout),
            pages: shared,
        }
    }

    /// The key of a row.
    pub fn key(&self, slot: Slot) -> &[u8] {
        let (page, at) = place(slot);
        self.page(page).keys.get(at)
    }

    /// Roughly how many bytes a row has: those of its page by the number of its slots.
    pub fn bytes(&self, slot: Slot) -> usize {
        let page = self.page(place(slot).0);
        page.bytes() / page.keys.len().max(1)
    }

    /// The key columns of rows; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn keys(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let nothing = self
            .layout
            .nothing
            .0
            .as_ref()
            .map_or(&[][..], AsRef::as_ref);
        self.layout.decoded(slots.iter().map(|slot| match *slot {
            NONE => nothing,
            slot => self.key(slot),
        }))
    }

    /// The values of a column that is not of the key; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn values(&self, column: usize, slots: &[Slot]) -> Result<ArrayRef> {
        let column = self.layout.places[column];
        self.layout.types[column].array(slots.iter().map(|slot| match *slot {
            NONE => (&self.layout.nothing.1[column], 0),
            slot => {
                let (page, at) = place(slot);
                (&self.page(page).columns[column], at)
            }
        }))
    }

    /// The values of these columns; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn columns(&self, columns: &[usize], slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let place = |column: &usize| self.layout.key.iter().position(|key| key == column);
        let keys = match columns.iter().any(|column| place(column).is_some()) {
            true => self.keys(slots)?,
            false => Vec::new(),
        };
        let columns = columns.iter().map(|column| match place(column) {
            Some(at) => Ok(Arc::clone(&keys[at])),
            None => self.values(*column, slots),
        });
        columns.collect()
    }

    /// Rows as they are.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn rows(&self, slots: &[Slot]) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.layout.places.len()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.layout.schema),
            self.columns(&all, slots)?,
            &options,
        )?)
    }

    /// The value of a BIGINT column that is not of the key, or a number for NULL.
    pub fn int(&self, column: usize, slot: Slot) -> i64 {
        let (page, at) = place(slot);
        self.page(page).columns[self.layout.places[column]].int(at)
    }

    /// When rows were last written, where that is kept.
    pub fn written(&self, slot: Slot) -> Option<i64> {
        let (page, at) = place(slot);
        self.page(page).written.get(at).copied()
    }
}
