//! Windows that wait for the watermark, and which rows are late for them.

use std::collections::BTreeMap;

use arrow::array::{Array, Int64Array, RecordBatch};

use super::event_times;
use super::late::too_late;
use crate::error::{Error, Result};
use crate::time::Millis;

/// What is kept for each window, by the window's end. A window fires once the watermark is at its last millisecond
/// (Flink: `watermark >= window_end - 1`).
#[derive(Debug)]
pub struct OpenWindows<T> {
    windows: BTreeMap<Millis, T>,
    watermark: Millis,
}

impl<T: Default> OpenWindows<T> {
    /// No windows yet.
    pub fn new() -> Self {
        Self {
            windows: BTreeMap::new(),
            watermark: Millis::MIN,
        }
    }

    /// The watermark by which a row, `behind` that watermark, is late for the window that ends at `end`: the window has fired
    /// where the row came from or here. `None`: it is not late.
    pub fn is_over(&self, end: Millis, behind: Option<Millis>) -> Option<Millis> {
        too_late(end.saturating_sub(1), behind, self.watermark)
    }

    /// The window that ends at `end`.
    pub fn open(&mut self, end: Millis) -> &mut T {
        self.windows.entry(end).or_default()
    }

    /// Event time has come to `time`.
    pub fn on_watermark(&mut self, time: Millis) {
        self.watermark = time;
    }

    /// Takes out the next window that is over, with its end.
    pub fn fire(&mut self) -> Option<(Millis, T)> {
        let first = self.windows.first_entry()?;
        (first.key().saturating_sub(1) <= self.watermark).then(|| first.remove_entry())
    }
}

/// The window ends of rows.
///
/// # Errors
/// Where one is NULL.
pub fn window_ends(rows: &RecordBatch, column: usize) -> Result<Int64Array> {
    let ends = event_times(rows.column(column))?;
    if ends.null_count() > 0 {
        return Err(Error::data("a window end is NULL").with_help(
            "rows without a window cannot be ranked or joined by it: filter them away before",
        ));
    }
    Ok(ends)
}
