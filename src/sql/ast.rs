//! The statements of a Flink SQL script. Queries and expressions are sqlparser's own AST; every node keeps its span.

use std::sync::Arc;

use sqlparser::ast::{Expr, Ident, ObjectName, Query};
use sqlparser::tokenizer::Span;

use super::SourceFile;

/// The statements of one file, in order.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file they were read from.
    pub file: Arc<SourceFile>,
    /// The statements.
    pub statements: Vec<Statement>,
}

/// A statement and where it stands.
#[derive(Debug, Clone)]
pub struct Statement {
    /// From the first to the last token, without the semicolon.
    pub span: Span,
    /// What it says.
    pub kind: StatementKind,
}

/// What a statement says.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a script holds few statements, each read once"
)]
pub enum StatementKind {
    /// `CREATE [TEMPORARY] TABLE`.
    CreateTable(CreateTable),
    /// `CREATE [TEMPORARY] VIEW`.
    CreateView(CreateView),
    /// `DROP [TEMPORARY] TABLE | VIEW`.
    Drop(Drop),
    /// `ALTER TABLE name SET (...)` or `RESET (...)`.
    AlterTable(AlterTable),
    /// `INSERT INTO`.
    Insert(Box<Insert>),
    /// `EXECUTE STATEMENT SET BEGIN ... END` (also `BEGIN STATEMENT SET; ... END`).
    StatementSet(Vec<(Span, Insert)>),
    /// `SET 'key' = 'value'` or `SET key = value`; `None` lists all settings.
    Set(Option<Setting>),
    /// `RESET 'key'`; `None` resets all.
    Reset(Option<Spanned<String>>),
    /// `SHOW ...`.
    Show(Show),
    /// `DESCRIBE name` or `DESC name`.
    Describe(ObjectName),
    /// `EXPLAIN [PLAN FOR | ESTIMATED_COST, ...] statement`.
    Explain(Box<Statement>),
    /// A bare `SELECT`, `WITH`, `VALUES` or `TABLE`.
    Query(Box<Query>),
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// `key = value` of a SET statement.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key, unquoted.
    pub key: Spanned<String>,
    /// The value, unquoted.
    pub value: Spanned<String>,
}

/// One `'key' = 'value'` of a WITH or SET list.
#[derive(Debug, Clone)]
pub struct TableOption {
    /// The key, unquoted.
    pub key: Spanned<String>,
    /// The value, unquoted.
    pub value: Spanned<String>,
}

/// `CREATE [TEMPORARY] TABLE [IF NOT EXISTS] name (...) ...`.
#[derive(Debug, Clone)]
pub struct CreateTable {
    /// TEMPORARY was written.
    pub temporary: bool,
    /// IF NOT EXISTS was written.
    pub if_not_exists: bool,
    /// The table's name.
    pub name: ObjectName,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// WATERMARK FOR, at most one.
    pub watermark: Option<Watermark>,
    /// PRIMARY KEY ... NOT ENFORCED, of the table or of one column.
    pub primary_key: Option<PrimaryKey>,
    /// COMMENT.
    pub comment: Option<String>,
    /// PARTITIONED BY.
    pub partitioned_by: Vec<Ident>,
    /// WITH options in order; duplicates already refused.
    pub options: Vec<TableOption>,
    /// LIKE.
    pub like: Option<Like>,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: Ident,
    /// Physical, computed or metadata.
    pub kind: ColumnKind,
    /// COMMENT.
    pub comment: Option<String>,
    /// The whole definition.
    pub span: Span,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a table holds few columns")]
pub enum ColumnKind {
    /// Stored by the connector.
    Physical {
        /// Declared type.
        data_type: Spanned<SqlType>,
    },
    /// `name AS expression`.
    Computed {
        /// The expression over the other columns, or `PROCTIME()`.
        expr: Expr,
    },
    /// `name type METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// Declared type.
        data_type: Spanned<SqlType>,
        /// FROM, else the column's own name.
        key: Option<String>,
        /// VIRTUAL: read only, left out when writing.
        is_virtual: bool,
    },
}

/// `WATERMARK FOR column AS expression`.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The event-time column.
    pub column: Ident,
    /// The watermark of one row.
    pub expr: Expr,
    /// The whole clause.
    pub span: Span,
}

/// `PRIMARY KEY (columns) NOT ENFORCED`.
#[derive(Debug, Clone)]
pub struct PrimaryKey {
    /// Key columns.
    pub columns: Vec<Ident>,
    /// The whole clause.
    pub span: Span,
}

/// `LIKE table [( INCLUDING ALL | EXCLUDING OPTIONS ... )]`.
#[derive(Debug, Clone)]
pub struct Like {
    /// The table whose definition is taken over.
    pub table: ObjectName,
    /// The choices in order; the last of one feature counts.
    pub choices: Vec<LikeChoice>,
}

/// One `INCLUDING | EXCLUDING | OVERWRITING feature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeChoice {
    /// What to do with it.
    pub strategy: LikeStrategy,
    /// What part of the table is meant.
    pub feature: LikeFeature,
}

/// What LIKE does with a part of the source table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeStrategy {
    /// Take it; a duplicate is an error.
    Including,
    /// Leave it.
    Excluding,
    /// Take it; the new table's own wins.
    Overwriting,
}

/// The parts of a table that LIKE speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeFeature {
    /// Every part.
    All,
    /// Primary key.
    Constraints,
    /// Distribution (accepted, no effect).
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// WITH options.
    Options,
    /// PARTITIONED BY.
    Partitions,
    /// Watermark.
    Watermarks,
}

/// `CREATE [TEMPORARY] VIEW [IF NOT EXISTS] name [(columns)] [COMMENT '...'] AS query`.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// TEMPORARY was written.
    pub temporary: bool,
    /// IF NOT EXISTS was written.
    pub if_not_exists: bool,
    /// The view's name.
    pub name: ObjectName,
    /// Column names, or none to keep the query's.
    pub columns: Vec<Ident>,
    /// COMMENT.
    pub comment: Option<String>,
    /// The query.
    pub query: Box<Query>,
}

/// What DROP removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    /// A table.
    Table,
    /// A view.
    View,
}

/// `DROP [TEMPORARY] TABLE | VIEW [IF EXISTS] name`.
#[derive(Debug, Clone)]
pub struct Drop {
    /// Table or view.
    pub kind: DropKind,
    /// IF EXISTS was written.
    pub if_exists: bool,
    /// What to drop.
    pub name: ObjectName,
}

/// `ALTER TABLE name SET ('k' = 'v', ...)` or `RESET ('k', ...)`.
#[derive(Debug, Clone)]
pub struct AlterTable {
    /// IF EXISTS was written.
    pub if_exists: bool,
    /// The table.
    pub name: ObjectName,
    /// Options to set.
    pub set: Vec<TableOption>,
    /// Option keys to remove.
    pub reset: Vec<Spanned<String>>,
}

/// `INSERT INTO name [PARTITION (...)] [(columns)] query [ON CONFLICT DO ...]`.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The sink table.
    pub table: ObjectName,
    /// The columns written, or none for all in order.
    pub columns: Vec<Ident>,
    /// The rows.
    pub query: Box<Query>,
    /// ON CONFLICT (Flink 2.3).
    pub on_conflict: Option<Spanned<ConflictAction>>,
    /// Options of a `/*+ OPTIONS('k'='v') */` hint after the sink's name.
    pub hint_options: Vec<TableOption>,
}

/// `ON CONFLICT DO ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictAction {
    /// DEDUPLICATE: the sink keeps, per key, the latest row that is still there.
    Deduplicate,
    /// NOTHING: the first row of a key stays.
    Nothing,
    /// ERROR: a second row for a key fails the job.
    Error,
}

/// `SHOW ...`.
#[derive(Debug, Clone)]
pub enum Show {
    /// SHOW TABLES (tables and views).
    Tables,
    /// SHOW VIEWS.
    Views,
    /// SHOW FUNCTIONS.
    Functions,
    /// SHOW CREATE TABLE name / SHOW CREATE VIEW name.
    Create(DropKind, ObjectName),
    /// SHOW COLUMNS FROM name.
    Columns(ObjectName),
    /// SHOW DATABASES.
    Databases,
    /// SHOW CATALOGS.
    Catalogs,
}

/// A Flink SQL type. Nullable unless it says NOT NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlType {
    /// The type itself.
    pub kind: SqlTypeKind,
    /// False where NOT NULL was written.
    pub nullable: bool,
}

impl SqlType {
    /// A type whose values may be NULL.
    pub fn nullable(kind: SqlTypeKind) -> Self {
        Self {
            kind,
            nullable: true,
        }
    }

    /// A type whose values are never NULL.
    pub fn not_null(kind: SqlTypeKind) -> Self {
        Self {
            kind,
            nullable: false,
        }
    }
}

/// The types of Flink SQL, with their parameters filled in by Flink's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlTypeKind {
    /// The type of NULL by itself.
    Null,
    /// CHAR(n), n default 1.
    Char(u32),
    /// VARCHAR(n); without a length it is STRING.
    Varchar(u32),
    /// STRING.
    String,
    /// BOOLEAN.
    Boolean,
    /// BINARY(n), n default 1.
    Binary(u32),
    /// VARBINARY(n), n default 1.
    Varbinary(u32),
    /// BYTES.
    Bytes,
    /// DECIMAL(p, s), default (10, 0). Also DEC, NUMERIC.
    Decimal(u8, u8),
    /// TINYINT.
    TinyInt,
    /// SMALLINT.
    SmallInt,
    /// INT, INTEGER.
    Int,
    /// BIGINT.
    BigInt,
    /// FLOAT.
    Float,
    /// `DOUBLE [PRECISION]`.
    Double,
    /// DATE.
    Date,
    /// TIME(p), default 0.
    Time(u8),
    /// TIMESTAMP(p) [WITHOUT TIME ZONE], p default 6.
    Timestamp(u8),
    /// TIMESTAMP_LTZ(p), TIMESTAMP(p) WITH LOCAL TIME ZONE, p default 6.
    TimestampLtz(u8),
    /// INTERVAL YEAR, MONTH or YEAR TO MONTH.
    IntervalYearMonth,
    /// INTERVAL DAY ... SECOND.
    IntervalDaySecond,
    /// `ARRAY<t>` or `t ARRAY`.
    Array(Box<SqlType>),
    /// `MAP<k, v>`.
    Map(Box<SqlType>, Box<SqlType>),
    /// `MULTISET<t>` or `t MULTISET`.
    Multiset(Box<SqlType>),
    /// `ROW<name type ['comment'], ...>` or `ROW(name type, ...)`.
    Row(Vec<(Ident, SqlType)>),
}
