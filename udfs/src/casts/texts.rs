//! Text of a length: cut to it, and padded with blanks for CHAR.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion::common::{Result, exec_err};

use super::types::Type;

/// How long a text may be, in characters, and must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    most: usize,
    least: usize,
}

impl Length {
    pub(super) fn of(to: &Type) -> Self {
        let (most, least) = match to {
            Type::Char(n) => (*n, *n),
            Type::Varchar(n) => (*n, 0),
            _ => (u32::MAX, 0),
        };
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            most: size(most),
            least: size(least),
        }
    }

    pub(super) const fn is_any(self) -> bool {
        self.most >= i32::MAX as usize && self.least == 0
    }

    /// The text cut to the length, and how many blanks are missing.
    pub(super) fn fit(self, text: &str) -> (&str, usize) {
        if self.is_any() {
            return (text, 0);
        }
        // As many bytes are at least as many characters.
        if text.len() <= self.most && self.least == 0 {
            return (text, 0);
        }
        if text.is_ascii() {
            let cut = &text[..text.len().min(self.most)];
            return (cut, self.least.saturating_sub(cut.len()));
        }
        let end = text.char_indices().nth(self.most).map(|(at, _)| at);
        match end {
            Some(end) => (&text[..end], 0),
            None => (text, self.least.saturating_sub(text.chars().count())),
        }
    }
}

/// A column of text whose whole size Arrow can hold.
#[derive(Debug)]
pub(super) struct Texts {
    builder: StringBuilder,
    length: Length,
    size: usize,
}

impl Texts {
    pub(super) fn new(rows: usize, to: &Type) -> Self {
        Self {
            builder: StringBuilder::with_capacity(rows, rows * 16),
            length: Length::of(to),
            size: 0,
        }
    }

    /// The text, made as long as the type says.
    pub(super) fn push(&mut self, text: &str) -> Result<()> {
        use std::fmt::Write;
        let (text, blanks) = self.length.fit(text);
        self.size += text.len() + blanks;
        if self.size > i32::MAX as usize {
            return exec_err!(
                "CAST: the texts of one batch exceed 2 GiB; ask for smaller batches (batch-rows)"
            );
        }
        if blanks == 0 {
            self.builder.append_value(text);
            return Ok(());
        }
        // The builder takes what is written into it before the value's end.
        let written = write!(self.builder, "{text}{:blanks$}", "");
        self.builder.append_value("");
        if written.is_err() {
            return exec_err!("CAST: no room for a text");
        }
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        self.builder.append_null();
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// Text to text of another length.
pub(super) fn to_length(array: &ArrayRef, from: &Type, to: &Type) -> Result<ArrayRef> {
    let longest = |kind: &Type| match kind {
        Type::Char(n) | Type::Varchar(n) => *n,
        _ => u32::MAX,
    };
    let length = Length::of(to);
    if length.is_any() || (length.least == 0 && longest(from) <= longest(to)) {
        return Ok(Arc::clone(array));
    }
    let array = array.as_string::<i32>();
    let mut texts = Texts::new(array.len(), to);
    for value in array {
        match value {
            Some(value) => texts.push(value)?,
            None => texts.push_null(),
        }
    }
    Ok(texts.finish())
}
