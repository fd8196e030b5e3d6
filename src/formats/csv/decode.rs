//! CSV payloads to rows, by the rules of Jackson's parser and Flink's converters.

use arrow::datatypes::SchemaRef;

use super::super::column::{self, Column, Data, TOO_LARGE};
use super::super::text::{self, TimestampStyle};
use super::super::{BadRow, Decoded, Decoder, project};
use super::CsvOptions;
use super::frame::{bytes_of, is_at};

pub(super) struct CsvDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Of each column the place in a record; `None` where the file does not have it.
    projection: Vec<Option<usize>>,
    /// Fields of a whole record.
    width: usize,
    /// The names of all columns of the table.
    names: Vec<String>,
    cells: Splitter,
    options: CsvOptions,
    array_delimiter: Vec<u8>,
    skipped: Vec<BadRow>,
}

/// Splits a record into its fields.
struct Splitter {
    delimiter: Vec<u8>,
    quote: Option<Vec<u8>>,
    escape: Option<Vec<u8>>,
    trim: bool,
    cells: Vec<Cell>,
    /// The text of the fields that are not in the payload as they are.
    unescaped: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    unescaped: bool,
}

/// What is wrong with a value, and where inside its column.
struct Fault {
    path: String,
    reason: String,
}

fn fault(reason: impl Into<String>) -> Fault {
    Fault {
        path: String::new(),
        reason: reason.into(),
    }
}

fn ends_line(byte: Option<&u8>) -> bool {
    matches!(byte, None | Some(b'\r' | b'\n'))
}

impl Splitter {
    fn text<'a>(&'a self, cell: Cell, payload: &'a [u8]) -> &'a [u8] {
        let source = if cell.unescaped {
            &self.unescaped[..]
        } else {
            payload
        };
        source.get(cell.start..cell.end).unwrap_or_default()
    }

    /// Finds the fields of the record at the front of `payload`; what follows its line end does not count.
    fn split(&mut self, payload: &[u8]) -> Result<(), String> {
        self.cells.clear();
        self.unescaped.clear();
        let mut at = 0;
        loop {
            if self.trim {
                at = self.blanks(payload, at);
            }
            let quoted = self
                .quote
                .as_ref()
                .is_some_and(|quote| is_at(payload, at, quote));
            let cell;
            (cell, at) = if quoted {
                self.quoted(payload, at)?
            } else {
                self.bare(payload, at)?
            };
            self.cells.push(cell);
            if is_at(payload, at, &self.delimiter) {
                at += self.delimiter.len();
            } else {
                return Ok(());
            }
        }
    }

    /// Skips blanks that are neither line ends nor the delimiter.
    fn blanks(&self, payload: &[u8], mut at: usize) -> usize {
        while !ends_line(payload.get(at))
            && payload.get(at).is_some_and(|b| *b <= b' ')
            && !is_at(payload, at, &self.delimiter)
        {
            at += 1;
        }
        at
    }

    fn bare(&mut self, payload: &[u8], start: usize) -> Result<(Cell, usize), String> {
        let mut at = start;
        let mut copied: Option<usize> = None;
        let mut from = start;
        loop {
            if ends_line(payload.get(at)) || is_at(payload, at, &self.delimiter) {
                break;
            }
            match self.escape.as_ref().filter(|e| is_at(payload, at, e)) {
                Some(escape) => {
                    let next = at + escape.len();
                    copied.get_or_insert(self.unescaped.len());
                    self.unescaped.extend_from_slice(&payload[from..at]);
                    self.unescaped.push(escaped(payload, next)?);
                    at = next + 1;
                    from = at;
                }
                None => at += 1,
            }
        }
        let mut cell = match copied {
            None => Cell {
                start,
                end: at,
                unescaped: false,
            },
            Some(start) => {
                self.unescaped.extend_from_slice(&payload[from..at]);
                Cell {
                    start,
                    end: self.unescaped.len(),
                    unescaped: true,
                }
            }
        };
        if self.trim {
            let text = self.text(cell, payload);
            cell.end = cell.start + text.iter().rposition(|b| *b > b' ').map_or(0, |i| i + 1);
        }
        Ok((cell, at))
    }

    fn quoted(&mut self, payload: &[u8], start: usize) -> Result<(Cell, usize), String> {
        let quote_len = self.quote.as_ref().map_or(0, Vec::len);
        let mut at = start + quote_len;
        let mut from = at;
        let begin = at;
        let mut copied: Option<usize> = None;
        let end = loop {
            if at >= payload.len() {
                return Err("the closing quote is missing".to_string());
            }
            if let Some(escape) = self.escape.as_ref().filter(|e| is_at(payload, at, e)) {
                let next = at + escape.len();
                copied.get_or_insert(self.unescaped.len());
                self.unescaped.extend_from_slice(&payload[from..at]);
                self.unescaped.push(escaped(payload, next)?);
                at = next + 1;
                from = at;
            } else if let Some(quote) = self.quote.as_ref().filter(|q| is_at(payload, at, q)) {
                if !is_at(payload, at + quote_len, quote) {
                    break at;
                }
                copied.get_or_insert(self.unescaped.len());
                self.unescaped
                    .extend_from_slice(&payload[from..at + quote_len]);
                at += 2 * quote_len;
                from = at;
            } else {
                at += 1;
            }
        };
        let cell = match copied {
            None => Cell {
                start: begin,
                end,
                unescaped: false,
            },
            Some(start) => {
                self.unescaped.extend_from_slice(&payload[from..end]);
                Cell {
                    start,
                    end: self.unescaped.len(),
                    unescaped: true,
                }
            }
        };
        let at = self.blanks(payload, end + quote_len);
        if !ends_line(payload.get(at)) && !is_at(payload, at, &self.delimiter) {
            let found = text::excerpt(payload.get(at..).unwrap_or_default());
            return Err(format!(
                "expected the field delimiter after a quoted value, found '{found}'"
            ));
        }
        Ok((cell, at))
    }
}

/// The byte that an escape with `payload[at]` after it stands for.
fn escaped(payload: &[u8], at: usize) -> Result<u8, String> {
    match payload.get(at) {
        None => Err("the record ends in the middle of an escape".to_string()),
        Some(b'0') => Ok(0),
        Some(b'n') => Ok(b'\n'),
        Some(b'r') => Ok(b'\r'),
        Some(b't') => Ok(b'\t'),
        Some(other) => Ok(*other),
    }
}

impl CsvDecoder {
    pub(super) fn new(schema: &SchemaRef, projection: &[usize], options: CsvOptions) -> Self {
        let width = schema.fields().len();
        let names = schema.fields().iter().map(|f| f.name().clone()).collect();
        let schema = project(schema, projection);
        Self {
            columns: column::columns(&schema).unwrap_or_default(),
            schema,
            projection: projection
                .iter()
                .filter(|i| **i < width)
                .map(|i| Some(*i))
                .collect(),
            width,
            names,
            cells: Splitter {
                delimiter: bytes_of(options.delimiter),
                quote: options.quote.map(bytes_of),
                escape: options.escape.map(bytes_of),
                trim: options.trim_spaces,
                cells: Vec::new(),
                unescaped: Vec::new(),
            },
            array_delimiter: bytes_of(options.array_delimiter),
            options,
            skipped: Vec::new(),
        }
    }

    /// Appends the row of one payload; false when it is a comment.
    fn payload(&mut self, index: usize, payload: &[u8]) -> Result<bool, Fault> {
        if simdutf8::basic::from_utf8(payload).is_err() {
            return Err(fault("not valid UTF-8"));
        }
        if self.options.comments {
            let blanks = payload
                .iter()
                .take_while(|b| **b == b' ' || **b == b'\t')
                .count();
            if payload.get(blanks) == Some(&b'#') {
                return Ok(false);
            }
        }
        self.cells.split(payload).map_err(fault)?;
        self.width_fits(payload)?;
        for (i, position) in self.projection.iter().enumerate() {
            let (Some(column), Some(field)) =
                (self.columns.get_mut(i), self.schema.fields().get(i))
            else {
                continue;
            };
            let text = position
                .and_then(|position| self.cells.cells.get(position))
                .map(|cell| self.cells.text(*cell, payload));
            let before = self.skipped.len();
            let reader = Reader {
                options: &self.options,
                array_delimiter: &self.array_delimiter,
                payload: index,
            };
            let taken = reader.field(column, text, &mut self.skipped);
            let name = |path: &str| {
                let dot = if path.is_empty() || path.starts_with('[') {
                    ""
                } else {
                    "."
                };
                format!("{}{dot}{path}", field.name())
            };
            for bad in self.skipped.iter_mut().skip(before) {
                bad.field = Some(name(bad.field.as_deref().unwrap_or("")));
            }
            taken.map_err(|fault| Fault {
                path: name(&fault.path),
                reason: fault.reason,
            })?;
        }
        Ok(true)
    }

    /// Whether the record has as many fields as the table has columns.
    fn width_fits(&self, payload: &[u8]) -> Result<(), Fault> {
        let found = self.cells.cells.len();
        let width = self.width;
        if found > width && !self.options.ignore_trailing {
            let extra = self
                .cells
                .cells
                .get(width)
                .map(|cell| self.cells.text(*cell, payload));
            let blank = extra.is_some_and(|extra| text::trim(extra).is_empty());
            if !(found == width + 1 && blank && self.options.allow_trailing_comma) {
                return Err(fault(format!(
                    "the record has {found} fields, the {} {width} columns",
                    self.whole()
                )));
            }
        }
        if found < width && (self.options.fail_on_missing || !self.options.ignore_parse_errors) {
            let is_missing = |place: &Option<usize>| place.is_some_and(|place| place >= found);
            let missing = self.projection.iter().position(is_missing);
            let path = missing.map(|i| self.schema.field(i).name().clone());
            return Err(Fault {
                path: path.unwrap_or_default(),
                reason: format!(
                    "the record has {found} fields, the {} {width} columns",
                    self.whole()
                ),
            });
        }
        Ok(())
    }

    /// What says how many fields a record has.
    fn whole(&self) -> &'static str {
        match self.options.header {
            true => "first line",
            false => "table",
        }
    }

    /// Takes the names of a file's columns.
    fn columns_of_file(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.cells.split(line).map_err(fault)?;
        let cells = self.cells.cells.iter();
        let found: Vec<&[u8]> = cells
            .map(|cell| text::trim(self.cells.text(*cell, line)))
            .collect();
        let place = |name: &str| found.iter().position(|f| *f == name.as_bytes());
        let listed = || text::excerpt(&found.join(&b", "[..]));
        if self.names.iter().all(|name| place(name).is_none()) {
            return Err(fault(format!(
                "the first line names none of the table's columns; it reads: {}",
                listed()
            )));
        }
        let missing = self.names.iter().find(|name| place(name).is_none());
        if let Some(name) = missing.filter(|_| self.options.fail_on_missing) {
            return Err(Fault {
                path: name.clone(),
                reason: format!("the first line does not name it; it reads: {}", listed()),
            });
        }
        self.width = found.len();
        let fields = self.schema.fields().iter();
        self.projection = fields.map(|f| place(f.name())).collect();
        Ok(())
    }

    fn decode_all(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        self.columns
            .iter_mut()
            .for_each(|c| c.reserve(payloads.len()));
        let mut rows = 0;
        let mut origins: Option<Vec<u32>> = None;
        for (index, payload) in payloads.iter().enumerate() {
            let before = self.skipped.len();
            let gave_row = match self.payload(index, payload) {
                Ok(gave_row) => gave_row,
                Err(Fault { path, reason }) => {
                    let field = (!path.is_empty()).then_some(path);
                    let bad = BadRow {
                        payload: index,
                        field,
                        reason,
                    };
                    if !self.options.ignore_parse_errors {
                        return Err(bad);
                    }
                    self.columns.iter_mut().for_each(|c| c.truncate(rows));
                    self.skipped.truncate(before);
                    self.skipped.push(bad);
                    false
                }
            };
            if gave_row {
                rows += 1;
            } else if origins.is_none() {
                origins = Some((0..rows as u32).collect());
            }
            if let Some(origins) = &mut origins {
                origins.resize(rows, index as u32);
            }
        }
        let batch = column::finish(&self.schema, &mut self.columns, rows).map_err(|e| BadRow {
            payload: 0,
            field: None,
            reason: e.to_string(),
        })?;
        Ok(Decoded {
            weights: None,
            rows: batch,
            origins,
            skipped: std::mem::take(&mut self.skipped),
        })
    }
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn header(&mut self, record: &[u8]) -> Result<(), BadRow> {
        if !self.options.header {
            return Ok(());
        }
        let taken = self.columns_of_file(record);
        taken.map_err(|Fault { path, reason }| BadRow {
            payload: 0,
            field: (!path.is_empty()).then_some(path),
            reason,
        })
    }

    fn decode(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        let decoded = self.decode_all(payloads);
        if decoded.is_err() {
            self.skipped.clear();
            self.columns.iter_mut().for_each(|c| c.truncate(0));
        }
        decoded
    }
}

/// Turns the text of fields into values.
struct Reader<'a> {
    options: &'a CsvOptions,
    array_delimiter: &'a [u8],
    payload: usize,
}

impl Reader<'_> {
    /// Appends one field; `None` where the record has none.
    fn field(
        &self,
        column: &mut Column,
        text: Option<&[u8]>,
        skipped: &mut Vec<BadRow>,
    ) -> Result<(), Fault> {
        let Some(text) = text else {
            return null(column, "missing");
        };
        let has_parts = matches!(column.data, Data::List { .. } | Data::Row { .. });
        let empty_row = matches!(column.data, Data::Row { .. }) && text.is_empty();
        if empty_row || (!has_parts && self.is_null(text)) {
            return null(column, "NULL");
        }
        let rows = column.len();
        let before = skipped.len();
        let taken = match has_parts {
            true => self.parts(column, text, skipped),
            false => value(column, text),
        };
        taken.or_else(|fault| {
            column.truncate(rows);
            if !(self.options.ignore_parse_errors && column.nullable) {
                return Err(fault);
            }
            skipped.truncate(before);
            skipped.push(BadRow {
                payload: self.payload,
                field: Some(fault.path),
                reason: fault.reason,
            });
            column.append_null();
            Ok(())
        })
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.options
            .null_literal
            .as_ref()
            .is_some_and(|literal| literal.as_bytes() == text)
            || (self.options.empty_is_null && text.is_empty())
    }

    /// The parts of an ARRAY or ROW.
    fn parts(
        &self,
        column: &mut Column,
        text: &[u8],
        skipped: &mut Vec<BadRow>,
    ) -> Result<(), Fault> {
        let mut rest = (!text.is_empty()).then_some(text);
        let mut next = || {
            let text = rest?;
            let end = memchr::memmem::find(text, self.array_delimiter);
            rest = end.map(|end| &text[end + self.array_delimiter.len()..]);
            let part = &text[..end.unwrap_or(text.len())];
            Some(if self.options.trim_spaces {
                text::trim(part)
            } else {
                part
            })
        };
        let part =
            |column: &mut Column, text: Option<&[u8]>, name: &str, skipped: &mut Vec<BadRow>| {
                let before = skipped.len();
                let taken = self.field(column, text, skipped);
                for bad in skipped.iter_mut().skip(before) {
                    bad.field = Some(name.to_string());
                }
                taken.map_err(|fault| Fault {
                    path: name.to_string(),
                    reason: fault.reason,
                })
            };
        match &mut column.data {
            Data::List { offsets, child, .. } => {
                let mut index = 0usize;
                while let Some(text) = next() {
                    part(child, Some(text), &format!("[{index}]"), skipped)?;
                    index += 1;
                }
                if !column::close(offsets, child.len()) {
                    return Err(fault(TOO_LARGE));
                }
            }
            Data::Row { fields, children } => {
                for (found, (child, field)) in children.iter_mut().zip(fields.iter()).enumerate() {
                    let text = next();
                    if text.is_none() && !self.options.ignore_parse_errors {
                        let width = fields.len();
                        return Err(fault(format!(
                            "the value has {found} parts, the ROW {width} fields"
                        )));
                    }
                    part(child, text, field.name(), skipped)?;
                }
            }
            _ => {}
        }
        column.mark_valid();
        Ok(())
    }
}

fn null(column: &mut Column, what: &str) -> Result<(), Fault> {
    if !column.nullable {
        return Err(fault(format!("the field is {what}, but declared NOT NULL")));
    }
    column.append_null();
    Ok(())
}

/// Appends a value of a type without parts.
fn value(column: &mut Column, value: &[u8]) -> Result<(), Fault> {
    plain(column, value).ok_or_else(|| {
        let expected = match &column.data {
            Data::Int8(_) => "TINYINT (-128 to 127)".to_string(),
            Data::Int16(_) => "SMALLINT (-32768 to 32767)".to_string(),
            Data::Int32(_) => "INT (-2147483648 to 2147483647)".to_string(),
            Data::Int64(_) => "BIGINT (-9223372036854775808 to 9223372036854775807)".to_string(),
            Data::Float32(_) => "FLOAT".to_string(),
            Data::Float64(_) => "DOUBLE".to_string(),
            Data::Decimal {
                precision, scale, ..
            } => format!("DECIMAL({precision}, {scale})"),
            Data::Bytes { binary: true, .. } => "base64 for BYTES".to_string(),
            Data::Bytes { .. } => return fault(TOO_LARGE),
            Data::Date(_) => "DATE ('2025-01-15')".to_string(),
            Data::Time { .. } => "TIME ('12:34:56')".to_string(),
            Data::Timestamp { zone: None, .. } => {
                "TIMESTAMP ('2025-01-15 12:34:56.789')".to_string()
            }
            Data::Timestamp { .. } => "TIMESTAMP_LTZ ('2025-01-15 12:34:56.789Z')".to_string(),
            _ => "another value".to_string(),
        };
        fault(format!(
            "expected {expected}, found '{}'",
            text::excerpt(value)
        ))
    })
}

fn plain(column: &mut Column, value: &[u8]) -> Option<()> {
    match &mut column.data {
        Data::Bool(values) => values.append(text::parse_bool(value)),
        Data::Int8(_) | Data::Int16(_) | Data::Int32(_) | Data::Int64(_) => {
            return column
                .append_parsed_int(text::parse_int(text::trim(value))?)
                .then_some(());
        }
        Data::Float32(values) => values.push(text::parse_float(value)?),
        Data::Float64(values) => values.push(text::parse_double(value)?),
        Data::Decimal {
            values,
            precision,
            scale,
        } => {
            match text::parse_decimal(value, *precision, *scale)? {
                Some(value) => values.push(value),
                // Flink makes a number that does not fit NULL.
                None if column.nullable => {
                    column.append_null();
                    return Some(());
                }
                None => return None,
            }
        }
        Data::Bytes { binary: false, .. } => return column.append_bytes(value).then_some(()),
        Data::Bytes { offsets, bytes, .. } => {
            text::parse_base64(value, bytes)?;
            if !column::close(offsets, bytes.len()) {
                return None;
            }
        }
        Data::Date(values) => values.push(sql_date(value)?),
        Data::Time { .. } => {
            column.append_time(text::parse_iso_time(value)?);
            return Some(());
        }
        Data::Timestamp { zone, .. } => {
            let at = text::parse_timestamp(text::trim(value), TimestampStyle::Sql, zone.is_some())?;
            return column.append_instant(at).then_some(());
        }
        Data::Row { .. } | Data::List { .. } | Data::Map { .. } => return None,
    }
    column.mark_valid();
    Some(())
}

/// A DATE as `java.sql.Date.valueOf` reads it: month and day may be one digit, and days past the end of the month run
/// into the next one.
fn sql_date(text: &[u8]) -> Option<i32> {
    let mut parts = text.split(|b| *b == b'-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if parts.next().is_some() || year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    if !digits(year) || !digits(month) || !digits(day) {
        return None;
    }
    let month = u32::try_from(text::parse_int(month)?)
        .ok()
        .filter(|m| (1..=12).contains(m))?;
    let day = u32::try_from(text::parse_int(day)?)
        .ok()
        .filter(|d| (1..=31).contains(d))?;
    i32::try_from(text::days_from_civil(text::parse_int(year)?, month, day)).ok()
}
