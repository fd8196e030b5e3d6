//! Which columns of a table are in a record's key, in its value, and beside them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Int32Array, Int64Array, MapBuilder, MapFieldNames,
    StringArray, StringBuilder, TimestampMillisecondArray, new_null_array,
};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};

use crate::catalog::options::{OptionError, Options};
use crate::catalog::{ColumnKind, Table};
use crate::connectors::MetadataKey;
use crate::error::Result;
use crate::formats::{self, Format};

/// Something about a record beside its key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Topic,
    Partition,
    Headers,
    LeaderEpoch,
    Offset,
    Timestamp,
    TimestampType,
    /// flowline's own: the record has no value. Where it is asked for, such records are rows too.
    Tombstone,
}

/// Their names and types; which of them can be written.
const META: &[(&str, Meta, bool)] = &[
    ("topic", Meta::Topic, true),
    ("partition", Meta::Partition, false),
    ("headers", Meta::Headers, true),
    ("leader-epoch", Meta::LeaderEpoch, false),
    ("offset", Meta::Offset, false),
    ("timestamp", Meta::Timestamp, true),
    ("timestamp-type", Meta::TimestampType, false),
    ("flowline.tombstone", Meta::Tombstone, false),
];

/// Where a column of the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the key: the index in its schema.
    Key(usize),
    /// In the value: the index in its schema.
    Value(usize),
    /// Beside them.
    Meta(Meta),
    /// Nowhere: computed.
    None,
}

/// One half of a record.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) format: Arc<dyn Format>,
    /// For each of its fields the index of the column in the table.
    pub(super) columns: Vec<usize>,
}

/// How rows and records belong together.
#[derive(Clone)]
pub(super) struct Layout {
    /// For each column of the table where it is read from; the value goes before the key.
    pub(super) origins: Vec<Origin>,
    pub(super) key: Option<Part>,
    pub(super) value: Part,
    /// A record whose key gives no row is passed over.
    pub(super) ignores_bad_keys: bool,
}

impl Layout {
    /// The layout of a `kafka` table.
    ///
    /// # Errors
    /// Options that are missing, wrong or do not go together.
    pub(super) fn of_kafka(
        table: &Table,
        options: &Options,
    ) -> std::result::Result<Self, OptionError> {
        let (format, prefix) = match (options.get("format"), options.get("value.format")) {
            (Some(_), Some(_)) => {
                return Err(OptionError::new(
                    "value.format",
                    "a table has either 'format' or 'value.format', not both",
                ));
            }
            (None, Some(name)) => (name, "value."),
            (_, None) => (options.require("format")?, ""),
        };
        let key_format = options.get("key.format");
        let key_fields = options.get("key.fields");
        let fields_prefix = options.get("key.fields-prefix").unwrap_or_default();
        let keys = match (key_format, key_fields) {
            (None, None) if fields_prefix.is_empty() => Vec::new(),
            (None, None) => {
                return Err(OptionError::new(
                    "key.fields-prefix",
                    "'key.fields-prefix' needs 'key.format' and 'key.fields'",
                ));
            }
            (Some(_), None) => {
                return Err(
                    OptionError::new("key.format", "'key.format' needs 'key.fields'")
                        .with_help("for example 'key.fields' = 'id', or 'id;name' for several"),
                );
            }
            (None, Some(_)) => {
                return Err(
                    OptionError::new("key.fields", "'key.fields' needs 'key.format'")
                        .with_help("for example 'key.format' = 'json'"),
                );
            }
            (Some(_), Some(names)) => key_columns(table, names)?,
        };
        Self::build(
            table,
            options,
            keys,
            key_format.map(|name| (name, "key.")),
            (format, prefix),
            fields_prefix,
        )
    }

    /// The layout of an `upsert-kafka` table: its primary key is the record's key.
    ///
    /// # Errors
    /// Options that are missing, wrong or do not go together.
    pub(super) fn of_upsert(
        table: &Table,
        options: &Options,
    ) -> std::result::Result<Self, OptionError> {
        let Some(keys) = table.primary_key.clone() else {
            return Err(OptionError {
                key: Some("connector".to_string()),
                message: "'upsert-kafka' needs a PRIMARY KEY".to_string(),
                help: Some("add PRIMARY KEY (...) NOT ENFORCED to its columns: it is the key of the records".to_string()),
            });
        };
        let key_format = options.require("key.format")?;
        let value_format = options.require("value.format")?;
        let fields_prefix = options.get("key.fields-prefix").unwrap_or_default();
        Self::build(
            table,
            options,
            keys,
            Some((key_format, "key.")),
            (value_format, "value."),
            fields_prefix,
        )
    }

    /// `keys`: columns of the table. The formats come with the prefix of their options.
    fn build(
        table: &Table,
        options: &Options,
        keys: Vec<usize>,
        key_format: Option<(&str, &str)>,
        value_format: (&str, &str),
        fields_prefix: &str,
    ) -> std::result::Result<Self, OptionError> {
        let include = options.choice("value.fields-include", "ALL", &["ALL", "EXCEPT_KEY"])?;
        if !fields_prefix.is_empty() && include == "ALL" {
            return Err(OptionError::new(
                "key.fields-prefix",
                "'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'",
            )
            .with_help(
                "otherwise the key's columns would be in the value too, under their prefixed names",
            ));
        }
        let mut key_fields = Vec::new();
        for column in &keys {
            let field = &table.columns[*column].field;
            let Some(name) = field.name().strip_prefix(fields_prefix) else {
                return Err(OptionError::new(
                    "key.fields-prefix",
                    format!(
                        "the key column '{}' does not begin with '{fields_prefix}'",
                        field.name()
                    ),
                ));
            };
            key_fields.push(field.clone().with_name(name));
        }
        let value_columns: Vec<usize> = table
            .physical()
            .into_iter()
            .filter(|c| include == "ALL" || !keys.contains(c))
            .collect();
        let value_fields: Vec<Field> = value_columns
            .iter()
            .map(|c| table.columns[*c].field.clone())
            .collect();
        let part = |(name, prefix): (&str, &str), fields: Vec<Field>, columns: Vec<usize>| {
            let schema: SchemaRef = Arc::new(Schema::new(fields));
            let format = formats::format(name, prefix, options, schema)?;
            if format.has_header() {
                let key = ["header", "ignore-first-line"]
                    .map(|key| format!("{prefix}{name}.{key}"))
                    .into_iter()
                    .find(|key| {
                        options
                            .get(key)
                            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
                    })
                    .unwrap_or_else(|| format!("{prefix}{name}.header"));
                let message = "a Kafka record has no header line";
                return Err(
                    OptionError::new(&key, message).with_help("the option is for files: remove it")
                );
            }
            Ok::<_, OptionError>(Part {
                format: format.into(),
                columns,
            })
        };
        let value = part(value_format, value_fields, value_columns)?;
        let ignores_bad_keys = key_format.is_some_and(|(name, prefix)| {
            let ignores = options.get(&format!("{prefix}{name}.ignore-parse-errors"));
            ignores.is_some_and(|v| v.eq_ignore_ascii_case("true"))
        });
        let key = key_format
            .map(|format| part(format, key_fields, keys))
            .transpose()?;
        let mut origins = Vec::with_capacity(table.columns.len());
        for (i, column) in table.columns.iter().enumerate() {
            origins.push(match &column.kind {
                ColumnKind::Computed(_) => Origin::None,
                ColumnKind::Metadata { key, .. } => Origin::Meta(meta(key, &column.field)?),
                ColumnKind::Physical => {
                    let within = |part: &Part| part.columns.iter().position(|c| *c == i);
                    match (within(&value), key.as_ref().and_then(within)) {
                        (Some(at), _) => Origin::Value(at),
                        (None, Some(at)) => Origin::Key(at),
                        (None, None) => Origin::None,
                    }
                }
            });
        }
        Ok(Self {
            origins,
            key,
            value,
            ignores_bad_keys,
        })
    }

    /// Whether records have a key.
    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }
}

fn key_columns(table: &Table, names: &str) -> std::result::Result<Vec<usize>, OptionError> {
    let mut keys = Vec::new();
    for name in names
        .split(';')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let physical = table.physical();
        match table
            .column(name)
            .filter(|column| physical.contains(column))
        {
            Some(column) if keys.contains(&column) => {
                return Err(OptionError::new(
                    "key.fields",
                    format!("'key.fields' names '{name}' twice"),
                ));
            }
            Some(column) => keys.push(column),
            None => {
                let columns: Vec<&str> = physical
                    .iter()
                    .map(|c| table.columns[*c].field.name().as_str())
                    .collect();
                let error = OptionError::new(
                    "key.fields",
                    format!("'key.fields': there is no column '{name}'"),
                );
                return Err(error.with_help(
                    match crate::catalog::closest(name, columns.iter().copied()) {
                        Some(near) => format!("did you mean '{near}'?"),
                        None => format!(
                            "the columns are: {}; several have ';' between them",
                            columns.join(", ")
                        ),
                    },
                ));
            }
        }
    }
    if keys.is_empty() {
        return Err(OptionError::new("key.fields", "'key.fields' is empty"));
    }
    Ok(keys)
}

/// The metadata that a column stands for, where it can have the column's type.
fn meta(key: &str, field: &Field) -> std::result::Result<Meta, OptionError> {
    let keys = metadata_keys();
    let (Some((_, meta, _)), Some(known)) = (
        META.iter().find(|(name, ..)| *name == key),
        keys.iter().find(|k| k.key == key),
    ) else {
        return Err(OptionError {
            key: None,
            message: format!("column '{}': Kafka has no metadata '{key}'", field.name()),
            help: Some(format!(
                "the keys are: {}",
                META.iter().map(|(n, ..)| *n).collect::<Vec<_>>().join(", ")
            )),
        });
    };
    let fits = match (*meta, field.data_type()) {
        (Meta::Headers, DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(pair) => {
                pair.len() == 2
                    && *pair[0].data_type() == DataType::Utf8
                    && *pair[1].data_type() == DataType::Binary
            }
            _ => false,
        },
        (Meta::Headers, _) => false,
        (_, declared) => can_cast_types(&known.data_type, declared),
    };
    if fits {
        return Ok(*meta);
    }
    let expected = match meta {
        Meta::Headers => "MAP<STRING, BYTES>",
        Meta::Timestamp => "TIMESTAMP_LTZ(3)",
        Meta::Partition | Meta::LeaderEpoch => "INT",
        Meta::Offset => "BIGINT",
        Meta::Topic | Meta::TimestampType => "STRING",
        Meta::Tombstone => "BOOLEAN",
    };
    Err(OptionError {
        key: None,
        message: format!(
            "column '{}': the metadata '{key}' is of another type",
            field.name()
        ),
        help: Some(format!("declare it as {expected}")),
    })
}

/// MAP<STRING, BYTES>
fn headers_type() -> DataType {
    let pair = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Binary, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(pair), false)),
        false,
    )
}

/// The metadata columns that Kafka offers.
pub(super) fn metadata_keys() -> Vec<MetadataKey> {
    META.iter()
        .map(|(key, meta, writable)| {
            let data_type = match meta {
                Meta::Topic | Meta::TimestampType => DataType::Utf8,
                Meta::Partition | Meta::LeaderEpoch => DataType::Int32,
                Meta::Offset => DataType::Int64,
                Meta::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
                Meta::Headers => headers_type(),
                Meta::Tombstone => DataType::Boolean,
            };
            MetadataKey {
                key,
                data_type,
                writable: *writable,
            }
        })
        .collect()
}

/// A metadata column for some messages.
///
/// # Errors
/// Where the column's type cannot hold a value.
pub(super) fn meta_array<'m, M>(meta: Meta, messages: M, data_type: &DataType) -> Result<ArrayRef>
where
    M: Iterator<Item = &'m BorrowedMessage<'m>> + ExactSizeIterator,
{
    let array: ArrayRef = match meta {
        Meta::Topic => Arc::new(StringArray::from_iter_values(messages.map(|m| m.topic()))),
        Meta::Partition => Arc::new(Int32Array::from_iter_values(
            messages.map(|m| m.partition()),
        )),
        Meta::Offset => Arc::new(Int64Array::from_iter_values(messages.map(|m| m.offset()))),
        // librdkafka does not hand it out.
        Meta::LeaderEpoch => new_null_array(&DataType::Int32, messages.len()),
        Meta::Timestamp => {
            let millis = messages.map(|m| m.timestamp().to_millis().unwrap_or(-1));
            Arc::new(TimestampMillisecondArray::from_iter_values(millis).with_timezone("UTC"))
        }
        Meta::TimestampType => {
            Arc::new(StringArray::from_iter_values(messages.map(
                |m| match m.timestamp() {
                    Timestamp::NotAvailable => "NoTimestampType",
                    Timestamp::CreateTime(_) => "CreateTime",
                    Timestamp::LogAppendTime(_) => "LogAppendTime",
                },
            )))
        }
        Meta::Headers => headers_array(messages, data_type)?,
        Meta::Tombstone => {
            let flags: Vec<bool> = messages.map(|m| m.payload().is_none()).collect();
            Arc::new(BooleanArray::from(flags))
        }
    };
    Ok(if array.data_type() == data_type {
        array
    } else {
        cast(&array, data_type)?
    })
}

fn headers_array<'m>(
    messages: impl Iterator<Item = &'m BorrowedMessage<'m>>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let mut maps = MapBuilder::new(
        Some(MapFieldNames {
            entry: "entries".to_string(),
            key: "key".to_string(),
            value: "value".to_string(),
        }),
        StringBuilder::new(),
        BinaryBuilder::new(),
    );
    if let DataType::Map(entries, _) = data_type
        && let DataType::Struct(pair) = entries.data_type()
    {
        maps = maps
            .with_keys_field(Arc::clone(&pair[0]))
            .with_values_field(Arc::clone(&pair[1]));
    }
    let mut pairs: Vec<(&str, Option<&[u8]>)> = Vec::new();
    for message in messages {
        pairs.clear();
        for header in message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter())
        {
            // A map has a key once; as in Flink the last header of a name counts.
            match pairs.iter_mut().find(|(key, _)| *key == header.key) {
                Some(pair) => pair.1 = header.value,
                None => pairs.push((header.key, header.value)),
            }
        }
        for (key, value) in &pairs {
            maps.keys().append_value(key);
            maps.values().append_option(*value);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}
