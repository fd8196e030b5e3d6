//! JSON payloads to rows: each payload is scanned once for the fields wanted, which then go straight into the columns.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::super::column::{self, Column, Data, TOO_LARGE};
use super::super::text::{self, TimestampStyle};
use super::super::{BadRow, Decoded, Decoder};
use super::JsonOptions;
use super::compact::Compact;
use super::keys::Keys;
use super::scan::{self, Kind, Slot, Syntax, byte, space};

/// Decodes the fields of one schema.
pub(super) struct JsonDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    row: RowNode,
    state: State,
}

/// What reading a value of a column needs besides the column.
enum Node {
    Leaf,
    Row(RowNode),
    List(Box<Node>),
    /// The node of the values, and the entries of the map being read.
    Map(Box<Node>, Vec<Slot>),
}

struct RowNode {
    names: Vec<String>,
    keys: Keys,
    nodes: Vec<Node>,
}

struct State {
    options: JsonOptions,
    payload: usize,
    skipped: Vec<BadRow>,
    scratch: Vec<u8>,
    compact: Compact,
}

/// Why a value cannot be taken, and where it is inside its column.
struct Fault {
    path: String,
    reason: String,
}

type Taken = Result<(), Box<Fault>>;

fn fault(reason: impl Into<String>) -> Box<Fault> {
    Box::new(Fault {
        path: String::new(),
        reason: reason.into(),
    })
}

/// `a` and `b` are `a.b`, `a` and `[1]` are `a[1]`.
fn join(name: &str, rest: &str) -> String {
    let dot = if rest.is_empty() || rest.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{name}{dot}{rest}")
}

impl Node {
    fn new(field: &Field) -> Self {
        match field.data_type() {
            DataType::Struct(fields) => Self::Row(RowNode::new(fields.iter().map(|f| &**f))),
            DataType::List(item) => Self::List(Box::new(Self::new(item))),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    Self::Map(Box::new(Self::new(&fields[1])), Vec::new())
                }
                _ => Self::Leaf,
            },
            _ => Self::Leaf,
        }
    }
}

impl RowNode {
    fn new<'a>(fields: impl Iterator<Item = &'a Field> + Clone) -> Self {
        let names: Vec<String> = fields.clone().map(|f| f.name().clone()).collect();
        Self {
            keys: Keys::new(names.iter().map(String::as_str)),
            names,
            nodes: fields.map(Node::new).collect(),
        }
    }

    /// Appends the object whose `{` is at `at`, one value to each of `columns`; gives the place after it.
    /// `depth`: the containers around it.
    fn append(
        &mut self,
        state: &mut State,
        doc: &[u8],
        columns: &mut [Column],
        depth: usize,
    ) -> Taken {
        for (i, (column, node)) in columns.iter_mut().zip(&mut self.nodes).enumerate() {
            let slot = self.keys.slots.get(i).copied().unwrap_or(Slot::MISSING);
            let before = state.skipped.len();
            let taken = match slot.kind {
                Kind::Missing if state.options.fail_on_missing_field => Err(fault(
                    "the field is missing ('fail-on-missing-field' is on)",
                )),
                _ => node.append(state, doc, column, slot, depth + 1),
            };
            if let Some(name) = self.names.get(i) {
                for bad in state.skipped.iter_mut().skip(before) {
                    bad.field = Some(join(name, bad.field.as_deref().unwrap_or("")));
                }
                taken.map_err(|mut fault| {
                    fault.path = join(name, &fault.path);
                    fault
                })?;
            }
        }
        Ok(())
    }
}

impl Node {
    /// Appends the value at `slot`, which is inside `depth` containers.
    #[inline]
    fn append(
        &mut self,
        state: &mut State,
        doc: &[u8],
        column: &mut Column,
        slot: Slot,
        depth: usize,
    ) -> Taken {
        if matches!(slot.kind, Kind::Missing | Kind::Null) {
            if !column.nullable {
                let what = if slot.kind == Kind::Null {
                    "NULL"
                } else {
                    "missing"
                };
                return Err(fault(format!("the field is {what}, but declared NOT NULL")));
            }
            column.append_null();
            return Ok(());
        }
        let rows = column.len();
        let before = state.skipped.len();
        match self.value(state, doc, column, slot, depth) {
            Ok(()) => Ok(()),
            Err(fault) => {
                column.truncate(rows);
                if !(state.options.ignore_parse_errors && column.nullable) {
                    return Err(fault);
                }
                state.skipped.truncate(before);
                let field = Some(fault.path);
                state.skipped.push(BadRow {
                    payload: state.payload,
                    field,
                    reason: fault.reason,
                });
                column.append_null();
                Ok(())
            }
        }
    }

    #[inline]
    fn value(
        &mut self,
        state: &mut State,
        doc: &[u8],
        column: &mut Column,
        slot: Slot,
        depth: usize,
    ) -> Taken {
        match self {
            Self::Leaf => leaf(state, doc, column, slot),
            Self::Row(row) => {
                if slot.kind != Kind::Object {
                    return Err(unfit(&column.data, doc, slot, state));
                }
                row.keys
                    .object(doc, slot.start, depth)
                    .map_err(|e| broken(e, doc))?;
                if let Data::Row { children, .. } = &mut column.data {
                    row.append(state, doc, children, depth)?;
                }
                column.mark_valid();
                Ok(())
            }
            Self::List(item) => list(item, state, doc, column, slot, depth),
            Self::Map(value, entries) => {
                let mut pairs = std::mem::take(entries);
                pairs.clear();
                let taken = map(value, &mut pairs, state, doc, column, slot, depth);
                *entries = pairs;
                taken
            }
        }
    }
}

fn broken(error: Syntax, doc: &[u8]) -> Box<Fault> {
    fault(error.message(doc))
}

/// The message for a value that its column cannot hold.
#[cold]
fn unfit(data: &Data, doc: &[u8], slot: Slot, state: &State) -> Box<Fault> {
    let quoted = matches!(slot.kind, Kind::Plain | Kind::Escaped);
    let value = text::excerpt(slot.of(doc));
    let value = if quoted {
        format!("\"{value}\"")
    } else {
        value
    };
    let expected = match data {
        Data::Bool(_) => "BOOLEAN".to_string(),
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
        Data::Bytes { .. } => "STRING".to_string(),
        Data::Date(_) => "DATE ('2025-01-15')".to_string(),
        Data::Time { .. } => "TIME ('12:34:56')".to_string(),
        Data::Timestamp { zone, .. } => {
            let (mark, name) = match state.options.style {
                TimestampStyle::Sql => (' ', "SQL"),
                TimestampStyle::Iso => ('T', "ISO-8601"),
            };
            let (kind, z) = if zone.is_some() {
                ("TIMESTAMP_LTZ", "Z")
            } else {
                ("TIMESTAMP", "")
            };
            let mut text = format!("{kind} in {name} form ('2025-01-15{mark}12:34:56.789{z}')");
            let end = slot.of(doc);
            if quoted && end.get(10) == Some(&b'T') && end.last() == Some(&b'Z') {
                text.push_str(
                    "; for RFC 3339 times declare TIMESTAMP_LTZ and set 'json.timestamp-format.standard' = 'ISO-8601'",
                );
            }
            text
        }
        Data::Row { .. } => "an object for ROW".to_string(),
        Data::List { .. } => "an array for ARRAY".to_string(),
        Data::Map { .. } => "an object for MAP".to_string(),
    };
    fault(format!("expected {expected}, found {value}"))
}

/// Appends a value to a column of a type without parts.
#[inline]
fn leaf(state: &mut State, doc: &[u8], column: &mut Column, slot: Slot) -> Taken {
    let raw = slot.of(doc);
    let quoted = matches!(slot.kind, Kind::Plain | Kind::Escaped);
    // STRING first: it wants escapes decoded in place.
    if let Data::Bytes {
        offsets,
        bytes,
        binary: false,
    } = &mut column.data
    {
        match slot.kind {
            Kind::Escaped => scan::unescape(raw, bytes),
            Kind::Object | Kind::Array => {
                state.compact.write(doc, slot.start, bytes);
            }
            _ => bytes.extend_from_slice(raw),
        }
        if !column::close(offsets, bytes.len()) {
            return Err(fault(TOO_LARGE));
        }
        column.mark_valid();
        return Ok(());
    }
    let mut scratch = std::mem::take(&mut state.scratch);
    let value = match slot.kind {
        Kind::Escaped => {
            scratch.clear();
            scan::unescape(raw, &mut scratch);
            &scratch[..]
        }
        _ => raw,
    };
    let done = plain(column, slot.kind, quoted, value, state.options.style);
    let full = done.is_none() && quoted && too_large(column, value);
    state.scratch = scratch;
    match done {
        Some(()) => Ok(()),
        None if full => Err(fault(TOO_LARGE)),
        None => Err(unfit(&column.data, doc, slot, state)),
    }
}

fn too_large(column: &Column, value: &[u8]) -> bool {
    matches!(&column.data, Data::Bytes { bytes, .. } if bytes.len() + value.len() > i32::MAX as usize)
}

/// The value of one plain type; `None` when the text is none of it.
#[inline]
fn plain(
    column: &mut Column,
    kind: Kind,
    quoted: bool,
    value: &[u8],
    style: TimestampStyle,
) -> Option<()> {
    let number = matches!(kind, Kind::Int | Kind::Float);
    match &mut column.data {
        Data::Bool(values) => {
            // Anything but the word is false, as in Java; so are objects and arrays.
            values.append(kind == Kind::True || (quoted && text::parse_bool(value)));
        }
        Data::Int8(_) | Data::Int16(_) | Data::Int32(_) | Data::Int64(_) => {
            let value = match kind {
                Kind::Int => text::parse_int(value)?,
                // A fraction is cut off, through a double as in Jackson.
                Kind::Float => whole(&column.data, text::parse_double(value)?)?,
                _ if quoted => text::parse_int(text::trim(value))?,
                _ => return None,
            };
            return column.append_parsed_int(value).then_some(());
        }
        Data::Float32(values) if number || quoted => values.push(text::parse_float(value)?),
        Data::Float64(values) if number || quoted => values.push(text::parse_double(value)?),
        Data::Decimal {
            values,
            precision,
            scale,
        } if number || quoted => {
            match text::parse_decimal(text::trim(value), *precision, *scale)? {
                Some(value) => values.push(value),
                // Flink makes a number that does not fit NULL.
                None if column.nullable => {
                    column.append_null();
                    return Some(());
                }
                None => return None,
            }
        }
        Data::Bytes {
            offsets,
            bytes,
            binary: true,
        } if quoted => {
            text::parse_base64(value, bytes)?;
            if !column::close(offsets, bytes.len()) {
                return None;
            }
        }
        Data::Date(values) if quoted => values.push(text::parse_date(value)?),
        Data::Time { .. } if quoted => {
            column.append_time(text::parse_time(value)?);
            return Some(());
        }
        Data::Timestamp { zone, .. } if quoted => {
            let at = text::parse_timestamp(value, style, zone.is_some())?;
            return column.append_instant(at).then_some(());
        }
        _ => return None,
    }
    column.mark_valid();
    Some(())
}

/// The whole part of a number with a fraction or exponent, for INT and BIGINT only.
fn whole(data: &Data, value: f64) -> Option<i64> {
    let (low, high) = match data {
        Data::Int32(_) => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Data::Int64(_) => (i64::MIN as f64, i64::MAX as f64),
        _ => return None,
    };
    (low..=high).contains(&value).then_some(value as i64)
}

fn list(
    item: &mut Node,
    state: &mut State,
    doc: &[u8],
    column: &mut Column,
    slot: Slot,
    depth: usize,
) -> Taken {
    if slot.kind != Kind::Array {
        return Err(unfit(&column.data, doc, slot, state));
    }
    let Data::List { offsets, child, .. } = &mut column.data else {
        return Ok(());
    };
    let mut at = space(doc, slot.start + 1);
    let mut index = 0usize;
    while at < slot.end && byte(doc, at) != b']' {
        let (found, end) = scan::value(doc, at, depth + 1).map_err(|e| broken(e, doc))?;
        let before = state.skipped.len();
        let taken = item.append(state, doc, child, found, depth + 1);
        for bad in state.skipped.iter_mut().skip(before) {
            bad.field = Some(join(
                &format!("[{index}]"),
                bad.field.as_deref().unwrap_or(""),
            ));
        }
        taken.map_err(|mut fault| {
            fault.path = join(&format!("[{index}]"), &fault.path);
            fault
        })?;
        at = space(doc, end);
        if byte(doc, at) == b',' {
            at = space(doc, at + 1);
        }
        index += 1;
    }
    if !column::close(offsets, child.len()) {
        return Err(fault(TOO_LARGE));
    }
    column.mark_valid();
    Ok(())
}

fn map(
    value: &mut Node,
    pairs: &mut Vec<Slot>,
    state: &mut State,
    doc: &[u8],
    column: &mut Column,
    slot: Slot,
    depth: usize,
) -> Taken {
    if slot.kind != Kind::Object {
        return Err(unfit(&column.data, doc, slot, state));
    }
    let Data::Map {
        offsets,
        keys,
        values,
        ..
    } = &mut column.data
    else {
        return Ok(());
    };
    let first = keys.len();
    // Only kept for maps with many entries; few are compared one by one.
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut at = space(doc, slot.start + 1);
    while at < slot.end && byte(doc, at) != b'}' {
        let (end, escapes) = scan::string(doc, at + 1).map_err(|e| broken(e, doc))?;
        let kind = if escapes { Kind::Escaped } else { Kind::Plain };
        let key_slot = Slot {
            kind,
            start: at + 1,
            end,
        };
        let begin = scan::colon(doc, end + 1).map_err(|e| broken(e, doc))?;
        let (found, end) = scan::value(doc, begin, depth + 1).map_err(|e| broken(e, doc))?;
        at = space(doc, end);
        if byte(doc, at) == b',' {
            at = space(doc, at + 1);
        }
        leaf(state, doc, keys, key_slot)?;
        // The last of equal keys counts.
        match earlier(keys, first, &mut known) {
            Some(index) => {
                keys.truncate(first + pairs.len());
                if let Some(pair) = pairs.get_mut(index) {
                    *pair = found;
                }
            }
            None => pairs.push(found),
        }
    }
    for (index, pair) in pairs.iter().enumerate() {
        let before = state.skipped.len();
        let taken = value.append(state, doc, values, *pair, depth + 1);
        if taken.is_err() || state.skipped.len() > before {
            let name = format!("['{}']", text::excerpt(key_at(keys, first + index)));
            for bad in state.skipped.iter_mut().skip(before) {
                bad.field = Some(join(&name, bad.field.as_deref().unwrap_or("")));
            }
            taken.map_err(|mut fault| {
                fault.path = join(&name, &fault.path);
                fault
            })?;
        }
    }
    if !column::close(offsets, keys.len()) {
        return Err(fault(TOO_LARGE));
    }
    column.mark_valid();
    Ok(())
}

fn key_at(keys: &Column, index: usize) -> &[u8] {
    let Data::Bytes { offsets, bytes, .. } = &keys.data else {
        return &[];
    };
    match offsets.get(index..index + 2) {
        Some([start, end]) => bytes
            .get(*start as usize..*end as usize)
            .unwrap_or_default(),
        _ => &[],
    }
}

/// The entry of this map (whose first key is `first`) that has the same key as the last one appended.
fn earlier(keys: &Column, first: usize, known: &mut HashMap<Vec<u8>, usize>) -> Option<usize> {
    const FEW: usize = 16;
    let last = keys.len().saturating_sub(1);
    let key = key_at(keys, last);
    if last - first < FEW {
        return (first..last).position(|i| key_at(keys, i) == key);
    }
    if known.is_empty() {
        known.extend((first..last).map(|i| (key_at(keys, i).to_vec(), i - first)));
    }
    match known.get(key) {
        Some(index) => Some(*index),
        None => {
            known.insert(key.to_vec(), last - first);
            None
        }
    }
}

impl JsonDecoder {
    /// A decoder of `schema`, whose types have been checked.
    pub(super) fn new(schema: SchemaRef, options: JsonOptions) -> Self {
        Self {
            columns: column::columns(&schema).unwrap_or_default(),
            row: RowNode::new(schema.fields().iter().map(|f| &**f)),
            state: State {
                options,
                payload: 0,
                skipped: Vec::new(),
                scratch: Vec::new(),
                compact: Compact::default(),
            },
            schema,
        }
    }

    /// Appends the rows of one payload to the columns and counts them in `rows`.
    #[inline]
    fn payload(&mut self, doc: &[u8], rows: &mut usize) -> Result<(), BadRow> {
        if simdutf8::basic::from_utf8(doc).is_err() {
            let at = std::str::from_utf8(doc).map_or_else(|e| e.valid_up_to(), str::len);
            return self.whole(*fault(format!("not valid UTF-8 (byte {at})")));
        }
        let mut at = space(doc, 0);
        if byte(doc, at) == 0xEF
            && doc
                .get(at..)
                .is_some_and(|rest| rest.starts_with(b"\xEF\xBB\xBF"))
        {
            at = space(doc, at + 3);
        }
        match byte(doc, at) {
            b'{' => match self.row.keys.object(doc, at, 0) {
                Ok(_) => self.append(doc, 0, rows),
                Err(error) => self.whole(*broken(error, doc)),
            },
            b'[' => self.array(doc, at, rows),
            _ if at >= doc.len() => Ok(()),
            _ => {
                let found = text::excerpt(doc.get(at..).unwrap_or_default());
                self.whole(*fault(format!(
                    "expected a JSON object or an array of objects, found {found}"
                )))
            }
        }
    }

    /// Appends the object that has just been scanned.
    #[inline]
    fn append(&mut self, doc: &[u8], depth: usize, rows: &mut usize) -> Result<(), BadRow> {
        let before = self.state.skipped.len();
        match self
            .row
            .append(&mut self.state, doc, &mut self.columns, depth)
        {
            Ok(()) => {
                for bad in self.state.skipped.iter_mut().skip(before) {
                    bad.payload = self.state.payload;
                }
                *rows += 1;
                Ok(())
            }
            Err(fault) => {
                self.columns.iter_mut().for_each(|c| c.truncate(*rows));
                self.state.skipped.truncate(before);
                self.whole(*fault)
            }
        }
    }

    /// A row or document that gives nothing: noted where errors are ignored, else the end of the call.
    #[cold]
    fn whole(&mut self, fault: Fault) -> Result<(), BadRow> {
        let field = (!fault.path.is_empty()).then_some(fault.path);
        let bad = BadRow {
            payload: self.state.payload,
            field,
            reason: fault.reason,
        };
        if !self.state.options.ignore_parse_errors {
            return Err(bad);
        }
        self.state.skipped.push(bad);
        Ok(())
    }

    /// The elements of an array at the top, each a row; NULLs give none.
    fn array(&mut self, doc: &[u8], at: usize, rows: &mut usize) -> Result<(), BadRow> {
        let mut at = space(doc, at + 1);
        if byte(doc, at) == b']' {
            return Ok(());
        }
        loop {
            let end = if byte(doc, at) == b'{' {
                match self.row.keys.object(doc, at, 1) {
                    Ok(end) => {
                        self.append(doc, 1, rows)?;
                        end
                    }
                    Err(error) => return self.whole(*broken(error, doc)),
                }
            } else {
                match scan::value(doc, at, 1) {
                    Ok((slot, end)) if slot.kind == Kind::Null => end,
                    Ok((slot, end)) => {
                        let found = text::excerpt(slot.of(doc));
                        self.whole(*fault(format!(
                            "expected an object in the array, found {found}"
                        )))?;
                        end
                    }
                    Err(error) => return self.whole(*broken(error, doc)),
                }
            };
            at = space(doc, end);
            match byte(doc, at) {
                b',' => at = space(doc, at + 1),
                b']' => return Ok(()),
                _ => return self.whole(*broken(Syntax::new(at, "',' or ']'"), doc)),
            }
        }
    }

    fn decode_all(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        self.columns
            .iter_mut()
            .for_each(|c| c.reserve(payloads.len()));
        let mut rows = 0;
        let mut origins: Option<Vec<u32>> = None;
        for (index, payload) in payloads.iter().enumerate() {
            self.state.payload = index;
            let before = rows;
            self.payload(payload, &mut rows)?;
            if rows != before + 1 && origins.is_none() {
                origins = Some((0..before as u32).collect());
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
            skipped: std::mem::take(&mut self.state.skipped),
        })
    }
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn decode(&mut self, payloads: &[&[u8]]) -> Result<Decoded, BadRow> {
        let decoded = self.decode_all(payloads);
        if decoded.is_err() {
            self.state.skipped.clear();
            self.columns.iter_mut().for_each(|c| c.truncate(0));
        }
        decoded
    }
}
