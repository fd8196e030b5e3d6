//! Results that are texts: no more bytes than a text and a column of texts can hold.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayBuilder, ArrayRef, BinaryArray, BinaryBuilder, ListArray, StringArray, StringBuilder,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};

use crate::function::{Call, text_bytes};

/// The most bytes that all texts of a column can have in Arrow.
pub(crate) const MOST_BYTES: usize = if cfg!(test) {
    // So that tests need no gigabytes.
    1 << 24
} else {
    i32::MAX as usize
};

/// The most bytes of one text that a function makes: 256 MiB. Java's end at 2 GiB, and no sink takes the one or the other; so a
/// slip such as `RPAD(s, 2000000000)` ends at once, not after minutes.
pub(crate) const MOST_OF_ONE: usize = if cfg!(test) { MOST_BYTES } else { 1 << 28 };

/// A column of texts being made. It refuses to grow beyond what a column can hold.
#[derive(Debug)]
pub(crate) struct Texts {
    name: &'static str,
    builder: StringBuilder,
}

impl Texts {
    /// A column for the results of a function.
    pub fn new(name: &'static str, rows: usize) -> Self {
        Self {
            name,
            builder: StringBuilder::with_capacity(rows, rows * 16),
        }
    }

    pub fn len(&self) -> usize {
        self.builder.len()
    }

    /// Adds a text, or NULL.
    pub fn append(&mut self, text: Option<&str>) -> Result<()> {
        let Some(text) = text else {
            self.builder.append_null();
            return Ok(());
        };
        let (before, rows) = (self.builder.values_slice().len(), self.builder.len());
        let room = MOST_OF_ONE.min(MOST_BYTES - before);
        if text.len() > room || rows >= MOST_BYTES {
            return self.too_much(text.len());
        }
        self.builder.append_value(text);
        Ok(())
    }

    #[cold]
    fn too_much(&self, more: usize) -> Result<()> {
        let name = self.name.to_uppercase();
        let (before, rows) = (self.builder.values_slice().len(), self.builder.len());
        if more > MOST_OF_ONE {
            return too_long(&name, more);
        }
        exec_err!(
            "{name}: the results of one batch take more than {MOST_BYTES} bytes: {rows} of them take {before}, the next one \
             {more}; make them shorter, or the batches smaller"
        )
    }

    pub fn finish(mut self) -> StringArray {
        self.builder.finish()
    }
}

fn too_long<T>(function: &str, bytes: usize) -> Result<T> {
    exec_err!("{function}: the result takes {bytes} bytes, a STRING can take {MOST_OF_ONE}")
}

impl Call {
    /// Refuses a text that is too long. What makes texts longer than its arguments asks before it makes them.
    pub fn fits(&self, bytes: usize) -> Result<()> {
        if bytes <= MOST_OF_ONE {
            return Ok(());
        }
        too_long(&self.name(), bytes)
    }

    /// Asks this for what is chosen from arguments by the row: the result is no longer than all of them.
    pub fn arguments_fit(&self) -> Result<()> {
        let bytes = self.args.iter().map(|(array, constant)| {
            let copies = if *constant { self.rows } else { 1 };
            text_bytes(array).saturating_mul(copies)
        });
        self.column_fits(bytes.fold(0, usize::saturating_add))
    }

    /// Refuses a column of texts that is too long as a whole.
    pub fn column_fits(&self, bytes: usize) -> Result<()> {
        if bytes <= MOST_BYTES {
            return Ok(());
        }
        exec_err!(
            "{}: the results of one batch take {bytes} bytes, a column can take {MOST_BYTES}; make them shorter, or the batches \
             smaller",
            self.name()
        )
    }

    /// An empty column of texts.
    pub fn texts(&self) -> Texts {
        Texts::new(self.name, self.rows)
    }

    /// A text result, row by row; `row` appends the text and says whether there is one.
    pub fn strings(
        &self,
        mut row: impl FnMut(usize, &mut String) -> Result<bool>,
    ) -> Result<ArrayRef> {
        let mut texts = self.texts();
        let mut text = String::new();
        for i in 0..self.rows {
            text.clear();
            let given = row(i, &mut text)?;
            texts.append(given.then_some(text.as_str()))?;
        }
        Ok(Arc::new(texts.finish()))
    }

    /// A text result that is a part of an argument or such, row by row.
    pub fn slices<'a>(
        &self,
        mut row: impl FnMut(usize) -> Result<Option<&'a str>>,
    ) -> Result<ArrayRef> {
        let mut texts = self.texts();
        for i in 0..self.rows {
            texts.append(row(i)?)?;
        }
        Ok(Arc::new(texts.finish()))
    }

    /// A result of lists of texts, row by row; `row` appends the texts and says whether there is a list.
    pub fn text_lists(
        &self,
        mut row: impl FnMut(usize, &mut Texts) -> Result<bool>,
    ) -> Result<ArrayRef> {
        let mut texts = self.texts();
        let (mut ends, mut given) = (vec![0], Vec::with_capacity(self.rows));
        for i in 0..self.rows {
            given.push(row(i, &mut texts)?);
            // Texts refuses more than fit here.
            ends.push(texts.len() as i32);
        }
        Ok(Arc::new(ListArray::try_new(
            Arc::new(Field::new_list_field(DataType::Utf8, true)),
            OffsetBuffer::new(ends.into()),
            Arc::new(texts.finish()),
            Some(given.into()),
        )?))
    }

    /// A BYTES result, row by row.
    pub fn byte_strings(
        &self,
        mut row: impl FnMut(usize) -> Result<Option<Vec<u8>>>,
    ) -> Result<ArrayRef> {
        let mut builder = BinaryBuilder::new();
        for i in 0..self.rows {
            let bytes = row(i)?;
            let more = bytes.as_ref().map_or(0, Vec::len);
            self.fits(more)?;
            self.column_fits(builder.values_slice().len().saturating_add(more))?;
            builder.append_option(bytes);
        }
        let array: BinaryArray = builder.finish();
        Ok(Arc::new(array))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::common::ScalarValue;
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

    use super::*;
    use crate::testing::{bigint, show, text};

    #[test]
    fn one_result_that_is_too_long() {
        let long = text(&"x".repeat(1 << 20));
        let table = [
            ("repeat", vec![text("abc"), bigint(1 << 30)], "3221225472"),
            ("lpad", vec![text("a"), bigint(i64::MAX), text("b")], "LPAD"),
            (
                "rpad",
                vec![text("a"), bigint(1 << 31), text("b")],
                "2147483648",
            ),
            (
                "replace",
                vec![long.clone(), text("x"), long.clone()],
                "REPLACE: the result takes 109",
            ),
            (
                "regexp_replace",
                vec![long.clone(), text("x"), long.clone()],
                "REGEXP_REPLACE: the result takes 17825792",
            ),
            (
                "printf",
                vec![text(&"%1$1000000d".repeat(20)), bigint(1)],
                "PRINTF",
            ),
            (
                "concat",
                vec![long; 17],
                "CONCAT: the result takes 17825792",
            ),
        ];
        for (name, args, expected) in table {
            let message = show(name, &args);
            assert!(message.contains(expected), "{message}");
            assert!(
                message.contains(&format!("a STRING can take {MOST_OF_ONE}")),
                "{message}"
            );
        }
    }

    #[test]
    fn many_results_that_are_too_long_together() {
        let udf = crate::scalar_functions()
            .into_iter()
            .find(|f| f.name() == "repeat")
            .unwrap();
        let rows = 8192;
        let texts = ScalarValue::Utf8(Some("x".into()))
            .to_array_of_size(rows)
            .unwrap();
        let field = Arc::new(Field::new("a", DataType::Utf8, true));
        let result = udf.invoke_with_args(ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Array(texts),
                ColumnarValue::Scalar(bigint(300_000)),
            ],
            arg_fields: vec![Arc::clone(&field); 2],
            number_rows: rows,
            return_field: field,
            config_options: Arc::new(ConfigOptions::new()),
        });
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains(
                "REPEAT: the results of one batch take more than 16777216 bytes: 55 of them"
            ),
            "{message}"
        );
    }
}
