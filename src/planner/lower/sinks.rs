//! A query's rows as rows of its sink.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable};

use crate::catalog::Table;
use crate::graph::CalcStep;
use crate::planner::types::flink_name;

use super::*;

impl Lowering<'_> {
    /// Text and numbers in the types that Flink has: DataFusion's functions also give views and unsigned numbers.
    pub(super) fn plain_types(&mut self, query: Lowered) -> Planned<Lowered> {
        let schema = Arc::clone(&self.graph.nodes[query.node].schema);
        let plain: Vec<DataType> = schema
            .fields()
            .iter()
            .map(|f| plain_type(f.data_type()))
            .collect();
        if schema
            .fields()
            .iter()
            .zip(&plain)
            .all(|(f, p)| f.data_type() == p)
        {
            return Ok(query);
        }
        let df = self.datafusion(DFSchema::try_from(unique_names(&schema)))?;
        let mut exprs = Vec::new();
        for ((column, field), data_type) in
            df.columns().into_iter().zip(schema.fields()).zip(&plain)
        {
            let cast = Expr::Cast(Cast::new(Box::new(Expr::Column(column)), data_type.clone()));
            exprs.push((self.expression(&cast, &df)?, field.name().clone()));
        }
        let fields = schema
            .fields()
            .iter()
            .zip(plain)
            .map(|(f, t)| Field::new(f.name(), t, f.is_nullable()));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let key = self.graph.nodes[query.node].changes.upsert_keys.clone();
        let node = self.calc(
            query.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            key,
        );
        Ok(Lowered {
            node,
            roles: query.roles,
        })
    }

    /// The query's rows as rows of the sink.
    pub(super) fn sink_rows(&mut self, query: Lowered, insert: &InsertPlan) -> Planned<Lowered> {
        if insert.is_select {
            return self.plain_types(query);
        }
        let rowtimes: Vec<&str> = query
            .roles
            .iter()
            .zip(insert.plan.schema().fields())
            .filter(|(r, _)| r.is_time_attribute())
            .map(|(_, f)| f.name().as_str())
            .collect();
        if rowtimes.len() > 1 {
            return Err(self.mistake(
                format!(
                    "The query contains more than one rowtime attribute column [{}] for writing into table '{}'",
                    rowtimes.join(", "),
                    insert.name
                ),
                format!("Please select the column that should be used as the event-time timestamp by casting all other columns to TIMESTAMP or TIMESTAMP_LTZ: CAST(`{}` AS TIMESTAMP(3))", rowtimes[1]),
            ));
        }
        let from = insert.plan.schema();
        let sink = insert.sink.sink_schema();
        let shown = |schema: &Schema, columns: Option<&[usize]>| {
            let all: Vec<usize> = (0..schema.fields().len()).collect();
            let fields = columns.unwrap_or(&all).iter().map(|i| schema.field(*i));
            let list: Vec<String> = fields
                .map(|f| format!("{}: {}", f.name(), flink_name(f.data_type())))
                .collect();
            format!("[{}]", list.join(", "))
        };
        let schemas = format!(
            "Query schema: {}\nSink schema:  {}",
            shown(from.as_arrow(), None),
            shown(&sink, Some(&insert.columns))
        );
        if from.fields().len() != insert.columns.len() {
            return Err(self.mistake(
                format!(
                    "Column types of query result and sink for '{}' do not match. Cause: Different number of columns ({} given, {} expected).",
                    insert.name,
                    from.fields().len(),
                    insert.columns.len()
                ),
                schemas,
            ));
        }
        let node_schema = Arc::clone(&self.graph.nodes[query.node].schema);
        let df = self.datafusion(DFSchema::try_from(unique_names(&node_schema)))?;
        let (mut exprs, mut roles, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        let mut sources = Vec::new();
        for (position, field) in sink.fields().iter().enumerate() {
            let given = insert.columns.iter().position(|c| *c == position);
            let (expr, role) = match given {
                None => (Expr::Literal(ScalarValue::Null, None), Role::Plain),
                Some(i) => {
                    let have = &plain_type(from.field(i).data_type());
                    let declared = declared_length(&insert.sink, field.name());
                    let too_short =
                        matches!(declared, Some(("CHAR", _))) && have == &DataType::Utf8;
                    if too_short || !fits(have, field.data_type()) {
                        return Err(self.mistake(
                            format!(
                                "Column types of query result and sink for '{}' do not match. Cause: Incompatible types for sink column '{}' at position {position}: {} given, {} expected.",
                                insert.name,
                                field.name(),
                                flink_name(have),
                                flink_name(field.data_type())
                            ),
                            format!("CAST it to {}\n{schemas}", flink_name(field.data_type())),
                        ));
                    }
                    let value = Expr::Column(df.columns()[i].clone());
                    let value = match declared {
                        // As Flink, an INSERT cuts text to the length of the column.
                        Some(("VARCHAR", n)) => {
                            let length = Expr::Literal(ScalarValue::Int64(Some(n)), None);
                            match self.context.get_function_meta("left") {
                                Some(left) => left.call(vec![value, length]),
                                None => value,
                            }
                        }
                        _ => value,
                    };
                    (value, query.roles[i])
                }
            };
            let typed = match expr.get_type(&df) {
                Ok(t) if &t == field.data_type() => expr,
                _ => Expr::Cast(Cast::new(Box::new(expr), field.data_type().clone())),
            };
            let typed = self.datafusion(crate::planner::analyze_expression(typed, &df))?;
            exprs.push((self.expression(&typed, &df)?, field.name().clone()));
            roles.push(role);
            sources.push(given);
            // NULLs in NOT NULL columns are the sink's to refuse or drop.
            fields.push(field.as_ref().clone().with_nullable(true));
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let key = moved_keys(&self.graph.nodes[query.node].changes.upsert_keys, |c| {
            sources.iter().position(|s| *s == Some(c))
        });
        let node = self.calc(
            query.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            key,
        );
        Ok(Lowered { node, roles })
    }
}

/// Flink's implicit casts into a sink column: same type family, no loss of kind.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, List, Map, Null,
        Struct, Timestamp, Utf8,
    };
    let rank = |t: &DataType| match t {
        Int8 => Some(0),
        Int16 => Some(1),
        Int32 => Some(2),
        Int64 => Some(3),
        Decimal128(..) => Some(4),
        Float32 => Some(5),
        Float64 => Some(6),
        _ => None,
    };
    match (from, to) {
        (a, b) if a == b => true,
        (Null, _) => true,
        (Decimal128(..), Decimal128(..))
        | (Timestamp(..), Timestamp(..))
        | (Date32, Timestamp(..)) => true,
        (Utf8, Utf8) | (Binary, Binary) => true,
        (List(a), List(b)) => fits(a.data_type(), b.data_type()),
        (Map(a, _), Map(b, _)) => fits(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| fits(a.data_type(), b.data_type()))
        }
        (a, b) => matches!((rank(a), rank(b)), (Some(a), Some(b)) if a <= b),
    }
}

/// CHAR or VARCHAR and its length, where a sink column is declared so.
fn declared_length(table: &Table, column: &str) -> Option<(&'static str, i64)> {
    let declared = &table.columns[table.column(column)?].declared;
    let (name, rest) = declared.split_once('(')?;
    let length = rest.split_once(')')?.0.parse().ok()?;
    match name {
        "CHAR" => Some(("CHAR", length)),
        "VARCHAR" => Some(("VARCHAR", length)),
        _ => None,
    }
}

/// The same columns under names by position: sink columns are matched by place.
fn unique_names(schema: &Schema) -> Schema {
    Schema::new(
        schema
            .fields()
            .iter()
            .enumerate()
            .map(|(i, f)| f.as_ref().clone().with_name(format!("c{i}")))
            .collect::<Vec<_>>(),
    )
}
