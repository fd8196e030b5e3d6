//! What a client can ask about a server: databases, tables, keys, types, and what its SQL can do.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetPrimaryKeys, CommandGetTables, Nullable, Searchable, SqlInfo, XdbcDataType,
};
use tonic::Status;

use super::internal;
use crate::catalog::Relation;
use crate::server::queries::{ClientOptions, Queries};
use crate::server::status::status;
use crate::server::system;
use crate::sql::quoted;

/// The one catalog.
pub const CATALOG: &str = "default_catalog";

/// What a relation may be.
pub const TABLE_TYPES: [&str; 3] = ["TABLE", "VIEW", "SYSTEM TABLE"];

/// The tables and views that fit a request.
pub fn tables(queries: &Queries, query: CommandGetTables) -> Result<RecordBatch, Status> {
    let mut builder = query.into_builder();
    let empty = Schema::empty();
    for (database, relations) in queries.databases().map_err(|e| status(&e))? {
        for (name, relation) in relations.iter() {
            let (schema, kind) = match relation {
                Relation::Table(_) if database == system::DATABASE => (None, TABLE_TYPES[2]),
                Relation::Table(_) => (None, TABLE_TYPES[0]),
                Relation::View(_) => (None, TABLE_TYPES[1]),
            };
            let schema: Option<SchemaRef> = schema.or_else(|| match relation {
                Relation::Table(table) => Some(table.schema()),
                Relation::View(_) => {
                    let all = format!("SELECT * FROM {}", quoted(name));
                    queries
                        .schema(&all, &ClientOptions::of_database(Some(&database)))
                        .ok()
                }
            });
            let schema = schema.as_deref().unwrap_or(&empty);
            builder
                .append(CATALOG, &database, name, kind, schema)
                .map_err(internal)?;
        }
    }
    builder.build().map_err(internal)
}

/// The columns of an answer about primary keys.
pub fn primary_keys_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("key_name", true),
    ]))
}

/// The primary key of a table.
pub fn primary_keys(
    queries: &Queries,
    query: &CommandGetPrimaryKeys,
) -> Result<RecordBatch, Status> {
    let mut rows = Vec::new();
    for (database, relations) in queries.databases().map_err(|e| status(&e))? {
        if query.db_schema.as_ref().is_some_and(|db| *db != database) {
            continue;
        }
        let Some(table) = relations.table(&query.table) else {
            continue;
        };
        let key = table.primary_key.as_deref().unwrap_or_default();
        for (column, number) in key.iter().zip(1i32..) {
            let column = table.columns[*column].field.name().clone();
            rows.push((database.clone(), column, number));
        }
    }
    let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let columns = vec![
        text(rows.iter().map(|_| Some(CATALOG)).collect()),
        text(rows.iter().map(|row| Some(row.0.as_str())).collect()),
        text(rows.iter().map(|_| Some(query.table.as_str())).collect()),
        text(rows.iter().map(|row| Some(row.1.as_str())).collect()),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2))),
        text(rows.iter().map(|_| None).collect()),
    ];
    RecordBatch::try_new(primary_keys_schema(), columns).map_err(internal)
}

/// The columns of an answer about foreign keys, which there are none of.
pub fn foreign_keys_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let rule = |name: &str| Field::new(name, DataType::UInt8, false);
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        rule("update_rule"),
        rule("delete_rule"),
    ]))
}

/// What the server is and what its SQL can do.
pub fn sql_info() -> Result<SqlInfoData, Status> {
    let mut facts = SqlInfoDataBuilder::new();
    facts.append(SqlInfo::FlightSqlServerName, "flowline");
    facts.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    facts.append(SqlInfo::FlightSqlServerReadOnly, true);
    facts.append(SqlInfo::FlightSqlServerSql, true);
    facts.append(SqlInfo::FlightSqlServerSubstrait, false);
    facts.append(SqlInfo::FlightSqlServerTransaction, 0i32);
    facts.append(SqlInfo::FlightSqlServerCancel, false);
    facts.append(SqlInfo::SqlDdlCatalog, false);
    facts.append(SqlInfo::SqlDdlSchema, false);
    facts.append(SqlInfo::SqlDdlTable, false);
    // Names are as they are written, in whatever case; quotes are backticks.
    facts.append(SqlInfo::SqlIdentifierCase, 3i32);
    facts.append(SqlInfo::SqlQuotedIdentifierCase, 3i32);
    facts.append(SqlInfo::SqlIdentifierQuoteChar, "`");
    facts.append(SqlInfo::SqlTransactionsSupported, false);
    facts.build().map_err(internal)
}

/// The types that columns can have.
pub fn type_info() -> Result<XdbcTypeInfoData, Status> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    let quotes = ("'", "'");
    for (name, data_type, size, literal) in [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("TINYINT", XdbcDataType::XdbcTinyint, 3, None),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 5, None),
        ("INT", XdbcDataType::XdbcInteger, 10, None),
        ("BIGINT", XdbcDataType::XdbcBigint, 19, None),
        ("FLOAT", XdbcDataType::XdbcReal, 7, None),
        ("DOUBLE", XdbcDataType::XdbcDouble, 15, None),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, None),
        ("DATE", XdbcDataType::XdbcDate, 10, Some(("DATE '", "'"))),
        ("TIME", XdbcDataType::XdbcTime, 12, Some(("TIME '", "'"))),
        (
            "TIMESTAMP",
            XdbcDataType::XdbcTimestamp,
            29,
            Some(("TIMESTAMP '", "'")),
        ),
        ("STRING", XdbcDataType::XdbcVarchar, i32::MAX, Some(quotes)),
        (
            "BYTES",
            XdbcDataType::XdbcVarbinary,
            i32::MAX,
            Some(("X'", "'")),
        ),
    ] {
        types.append(XdbcTypeInfo {
            type_name: name.into(),
            data_type,
            column_size: Some(size),
            literal_prefix: literal.map(|(prefix, _)| prefix.into()),
            literal_suffix: literal.map(|(_, suffix)| suffix.into()),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: true,
            searchable: Searchable::Full,
            sql_data_type: data_type,
            ..XdbcTypeInfo::default()
        });
    }
    types.build().map_err(internal)
}
