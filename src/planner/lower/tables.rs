//! Reading tables: from their connectors, and in process from the statements that write them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::{Cast, Expr, TableScan};

use crate::catalog::{ColumnKind, Table};
use crate::graph::{
    Aside, CalcStep, Changes, Exchange, Input, Node, Operation, Source, WatermarkRule,
};
use crate::planner::builtin;
use crate::planner::{StreamTable, Typed};

use super::*;

impl Lowering<'_> {
    pub(super) fn scan(&mut self, scan: &TableScan) -> Planned<Lowered> {
        let Some(source) = scan.source.downcast_ref::<StreamTable>() else {
            return Err(self.unsupported("this kind of table"));
        };
        let table = Arc::clone(&source.table);
        let key = source_key(&table, &self.options);
        let read = match self.sources.get(&key) {
            Some(read) => read.clone(),
            None => {
                let columns: Vec<usize> = self
                    .needed
                    .get(&key)
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect();
                // What is shared by all readers of a table belongs to none of them.
                let scope = format!("table {}", table.name);
                let reader = std::mem::replace(&mut self.graph.scope, scope);
                let place = place_of(&table.file, table.span);
                let place = std::mem::replace(&mut self.graph.place, place);
                let read = if let Some(aside) = builtin::aside(&table) {
                    self.read_aside(&table, aside, &columns)?
                } else if self.in_process.contains(&table.name) {
                    self.read_in_process(&table, &columns)?
                } else {
                    self.read_connector(&table, &columns)?
                };
                self.graph.scope = reader;
                self.graph.place = place;
                self.sources.insert(key.clone(), read.clone());
                read
            }
        };
        // The source gives the columns that any query needs; this one takes its own.
        let columns: Vec<usize> = self
            .needed
            .get(&key)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let wanted = scan_columns(scan);
        let positions: Vec<usize> = wanted
            .iter()
            .filter_map(|w| columns.iter().position(|c| c == w))
            .collect();
        let roles = positions.iter().map(|p| read.roles[*p]).collect();
        let node_schema = Arc::clone(&self.graph.nodes[read.node].schema);
        if positions.len() == node_schema.fields().len() {
            return Ok(Lowered {
                node: read.node,
                roles,
            });
        }
        let schema = arrow_schema(&scan.projected_schema);
        let moved = moved_keys(&self.graph.nodes[read.node].changes.upsert_keys, |c| {
            positions.iter().position(|p| *p == c)
        });
        let exprs = positions
            .iter()
            .map(|p| column_expr(&node_schema, *p))
            .collect();
        let node = self.calc(
            read.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            moved,
        );
        Ok(Lowered { node, roles })
    }

    /// Reads what the nodes there are put beside their rows.
    fn read_aside(
        &mut self,
        table: &Arc<Table>,
        aside: Aside,
        columns: &[usize],
    ) -> Planned<Lowered> {
        let schema = table.physical_schema();
        let fills = |operation: &Operation| match (aside, operation) {
            (Aside::BadRows, operation) => matches!(operation, Operation::Source(_)),
            (Aside::LateRows, operation) => !matches!(
                operation,
                Operation::Source(_)
                    | Operation::Values(_)
                    | Operation::Calc(_)
                    | Operation::Sink(_)
                    | Operation::Union
            ),
        };
        let nodes = self.graph.nodes.iter().enumerate();
        let inputs: Vec<Input> = nodes
            .filter(|(_, node)| fills(&node.operation))
            .map(|(from, _)| Input {
                from,
                exchange: Exchange::Aside(aside),
            })
            .collect();
        let operation = if inputs.is_empty() {
            Operation::Values(RecordBatch::new_empty(Arc::clone(&schema)))
        } else {
            Operation::Union
        };
        let node = self.graph.add(Node {
            operation,
            inputs,
            schema: Arc::clone(&schema),
            changes: Changes::default(),
            parallelism: 1,
        });
        let rows = Lowered {
            node,
            roles: vec![Role::Plain; schema.fields().len()],
        };
        let kept = Arc::new(
            schema
                .project(columns)
                .map_err(|e| self.mistake(format!("flowline's own table: {e}"), String::new()))?,
        );
        self.reshape(rows, columns, &kept)
    }

    /// Reads `columns` of a table from its connector; what they and the watermark are computed from is read too.
    pub(super) fn read_connector(
        &mut self,
        table: &Arc<Table>,
        columns: &[usize],
    ) -> Planned<Lowered> {
        if table.connector().is_none() {
            return Err(self.mistake(
                format!(
                    "table '{}' has no connector and nothing in this job writes it",
                    table.name
                ),
                "give it a 'connector' in its WITH list, or an INSERT INTO it".into(),
            ));
        }
        let mode = match source_mode(table) {
            SourceMode::Retract if self.options.cdc_duplicates && table.primary_key.is_some() => {
                SourceMode::Upsert
            }
            mode => mode,
        };
        let mut output = self.with_watermark_columns(table, columns)?;
        if mode == SourceMode::Upsert {
            let key = table.primary_key.iter().flatten();
            let missing: Vec<usize> = key.filter(|k| !output.contains(k)).copied().collect();
            output.extend(missing);
        }
        let exprs = output
            .iter()
            .map(|c| self.table_column(table, *c))
            .collect::<Planned<Vec<_>>>()?;
        let fields: Vec<Field> = output
            .iter()
            .map(|c| table.columns[*c].field.clone())
            .collect();
        // Stored columns that anything is computed from.
        let mut read = BTreeSet::new();
        for expr in &exprs {
            for column in expr.column_refs() {
                read.extend(table.column(&column.name));
            }
        }
        let read: Vec<usize> = read.into_iter().collect();
        let read_fields: Vec<Field> = read
            .iter()
            .map(|c| table.columns[*c].field.clone())
            .collect();
        let read_schema = Arc::new(Schema::new(read_fields));
        let read_df = self.datafusion(DFSchema::try_from(Arc::clone(&read_schema)))?;
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let compute = exprs
            .iter()
            .zip(schema.fields())
            .map(|(e, f)| Ok((self.expression(e, &read_df)?, f.name().clone())))
            .collect::<Planned<Vec<_>>>()?;
        let rule = self.watermark_rule(table, &output, &schema, true)?;
        let is_identity = read == output;
        let roles = self.time_roles(table, &output)?;
        let node = self.graph.add(Node {
            operation: Operation::Source(Source {
                table: Arc::clone(table),
                columns: read,
                read_schema,
                compute: (!is_identity).then_some(compute),
                watermark: rule,
            }),
            inputs: Vec::new(),
            schema: Arc::clone(&schema),
            changes: Changes {
                updating: mode != SourceMode::Append,
                // What a managed table keeps has one row for each key.
                upsert_keys: match (table.connector(), &table.primary_key) {
                    (Some(MANAGED), Some(key)) => {
                        let place = |k: &usize| output.iter().position(|c| c == k);
                        key.iter()
                            .map(place)
                            .collect::<Option<_>>()
                            .into_iter()
                            .collect()
                    }
                    _ => Vec::new(),
                },
                ..Changes::default()
            },
            parallelism: self.parallelism,
        });
        let mut rows = Lowered { node, roles };
        if mode == SourceMode::Upsert {
            let key = table.primary_key.iter().flatten();
            let key = key
                .filter_map(|k| output.iter().position(|c| c == k))
                .collect();
            rows = self.normalized(rows, key);
        }
        // What only the watermark or the key needed is not passed on.
        let keep: Vec<usize> = (0..columns.len()).collect();
        self.reshape(rows, &keep, &schema)
    }

    /// Rows that clients insert into a table; with a PRIMARY KEY they are upserts.
    pub(super) fn rows_of_clients(&mut self, table: &Arc<Table>) -> Lowered {
        let schema = table.sink_schema();
        let node = self.graph.add(Node {
            operation: Operation::Source(Source {
                table: Arc::clone(table),
                columns: table.insertable(),
                read_schema: Arc::clone(&schema),
                compute: None,
                watermark: None,
            }),
            inputs: Vec::new(),
            schema: Arc::clone(&schema),
            changes: Changes {
                updating: table.primary_key.is_some(),
                ..Changes::default()
            },
            parallelism: 1,
        });
        Lowered {
            node,
            roles: vec![Role::Plain; schema.fields().len()],
        }
    }

    /// Upserts and deletes by key as a changelog.
    fn normalized(&mut self, rows: Lowered, key: Vec<usize>) -> Lowered {
        let schema = Arc::clone(&self.graph.nodes[rows.node].schema);
        let ttl = self.ttl(&[rows.node]);
        let (exchange, parallelism) = self.spread(&key);
        let changes = Changes {
            updating: true,
            upsert_keys: vec![key.clone()],
            order_dependent: false,
        };
        let node = self.graph.add(Node {
            operation: Operation::ChangelogNormalize { key, ttl },
            inputs: vec![Input {
                from: rows.node,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
        Lowered {
            node,
            roles: rows.roles,
        }
    }

    /// Reads a table from the statements of this job that write it. Rows come in the order of event time where the table
    /// has a watermark, so that nothing depends on which writer was faster.
    pub(super) fn read_in_process(
        &mut self,
        table: &Arc<Table>,
        columns: &[usize],
    ) -> Planned<Lowered> {
        let writers = self.written.get(&table.name).cloned().unwrap_or_default();
        if writers.is_empty() {
            return Err(self.mistake(
                format!("table '{}' is read in process, but no statement before writes it", table.name),
                "put the INSERT INTO it before its readers; statements cannot read each other in a circle".into(),
            ));
        }
        let sink_schema = table.sink_schema();
        let insertable = table.insertable();
        let mut rows = self.union(writers.clone(), Arc::clone(&sink_schema));
        if let Some(key) = table.sink_key() {
            let is_changelog = match writers.as_slice() {
                [only] => {
                    let changes = self.graph.nodes[only.node].changes.clone();
                    let holds = |k: &Vec<usize>| k.iter().all(|c| key.contains(c));
                    let own = changes.upsert_keys.iter().any(holds);
                    if own {
                        self.graph.nodes[rows.node].changes.upsert_keys =
                            changes.upsert_keys.clone();
                    }
                    changes.updating && own
                }
                _ => false,
            };
            if !is_changelog {
                rows = self.normalized(rows, key);
            }
        }
        let updating = self.graph.nodes[rows.node].changes.updating;
        // Rows from clients have an order, and no watermark yet that could be waited for.
        let is_fed = match &self.graph.nodes[writers[0].node].operation {
            Operation::Source(source) => source.table.name == table.name,
            _ => false,
        };
        if let Some((time, _)) = table.watermark.as_ref().filter(|_| !updating && !is_fed) {
            let role = insertable
                .iter()
                .position(|i| i == time)
                .map_or(Role::Plain, |position| writers[0].roles[position]);
            if let Some(position) = insertable.iter().position(|i| i == time) {
                rows.node = self.graph.add(Node {
                    operation: Operation::EventTimeSort {
                        column: position,
                        complete_after: role.complete_after(),
                        then: Vec::new(),
                        drops_late: false,
                    },
                    inputs: vec![Input {
                        from: rows.node,
                        exchange: Exchange::Gather,
                    }],
                    schema: Arc::clone(&sink_schema),
                    changes: Changes::default(),
                    parallelism: 1,
                });
            }
        }
        let output = self.with_watermark_columns(table, columns)?;
        let df = self.datafusion(DFSchema::try_from(Arc::clone(&sink_schema)))?;
        let schema: SchemaRef = Arc::new(Schema::new(
            output
                .iter()
                .map(|c| table.columns[*c].field.clone())
                .collect::<Vec<_>>(),
        ));
        let mut exprs = Vec::new();
        for c in &output {
            let expr = match &table.columns[*c].kind {
                ColumnKind::Metadata {
                    is_virtual: true, ..
                } => Expr::Cast(Cast::new(
                    Box::new(Expr::Literal(ScalarValue::Null, None)),
                    table.columns[*c].field.data_type().clone(),
                )),
                _ => self.table_column(table, *c)?,
            };
            exprs.push((
                self.expression(&expr, &df)?,
                table.columns[*c].field.name().clone(),
            ));
        }
        let keys = moved_keys(&self.graph.nodes[rows.node].changes.upsert_keys, |c| {
            output.iter().position(|o| insertable.get(c) == Some(o))
        });
        rows.node = self.calc(
            rows.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            Arc::clone(&schema),
            keys,
        );
        if let Some(rule) = self.watermark_rule(table, &output, &schema, false)? {
            let node = &self.graph.nodes[rows.node];
            let (parallelism, changes) = (node.parallelism, node.changes.clone());
            rows.node = self.graph.add(Node {
                operation: Operation::WatermarkAssign(rule),
                inputs: vec![Input {
                    from: rows.node,
                    exchange: Exchange::Forward,
                }],
                schema,
                changes,
                parallelism,
            });
        }
        let roles = self.time_roles(table, &output)?;
        Ok(Lowered {
            node: rows.node,
            roles,
        })
    }

    /// `columns`, then what else of a table its watermark needs.
    pub(super) fn with_watermark_columns(
        &self,
        table: &Table,
        columns: &[usize],
    ) -> Planned<Vec<usize>> {
        let mut output = columns.to_vec();
        if let Some((time, expr)) = &table.watermark {
            let planned = self.declared_expression(table, expr)?;
            let refs: BTreeSet<usize> = planned
                .column_refs()
                .iter()
                .filter_map(|c| table.column(&c.name))
                .collect();
            for column in std::iter::once(*time).chain(refs) {
                if !output.contains(&column) {
                    output.push(column);
                }
            }
        }
        Ok(output)
    }

    /// The watermark of a table over its columns `output`, whose rows are of `schema`.
    pub(super) fn watermark_rule(
        &self,
        table: &Table,
        output: &[usize],
        schema: &SchemaRef,
        is_source: bool,
    ) -> Planned<Option<WatermarkRule>> {
        let Some((time, expr)) = &table.watermark else {
            return Ok(None);
        };
        let planned = self.declared_expression(table, expr)?;
        let df = self.datafusion(DFSchema::try_from(Arc::clone(schema)))?;
        Ok(Some(WatermarkRule {
            column: output.iter().position(|c| c == time).unwrap_or(0),
            name: table.columns[*time].field.name().clone(),
            expr: self.expression(&planned, &df)?,
            idle_timeout: table
                .idle_timeout(self.options.idle_timeout)
                .filter(|_| is_source),
            quiet_advance: self.options.quiet_advance.filter(|_| is_source),
            max_ahead: self.options.max_ahead.filter(|_| is_source),
            // Known once all statements are lowered.
            steps: Vec::new(),
        }))
    }

    /// An expression of a table's declaration over its columns, typed.
    pub(super) fn declared_expression(
        &self,
        table: &Table,
        expr: &sqlparser::ast::Expr,
    ) -> Planned<Expr> {
        let typed = self.context.expression(expr, &table.columns, &table.file);
        typed.map(|t: Typed| t.expr).map_err(|e| *e)
    }

    /// A table column as an expression over its stored columns.
    pub(super) fn table_column(&self, table: &Table, column: usize) -> Planned<Expr> {
        let declared = &table.columns[column];
        match &declared.kind {
            ColumnKind::Computed(expr) => self.inline_computed(table, expr),
            _ => Ok(Expr::Column(datafusion::common::Column::new_unqualified(
                declared.field.name(),
            ))),
        }
    }

    /// An expression of a table's declaration over its stored columns, typed.
    pub(super) fn inline_computed(
        &self,
        table: &Table,
        expr: &sqlparser::ast::Expr,
    ) -> Planned<Expr> {
        let planned = self.declared_expression(table, expr)?;
        let inlined = planned.transform_up(|e| {
            use datafusion::common::tree_node::Transformed;
            if let Expr::Column(c) = &e
                && let Some(i) = table.column(&c.name)
                && let ColumnKind::Computed(inner) = &table.columns[i].kind
            {
                let stored: Vec<_> = table
                    .columns
                    .iter()
                    .filter(|c| !matches!(c.kind, ColumnKind::Computed(_)))
                    .cloned()
                    .collect();
                let typed = self.context.expression(inner, &stored, &table.file);
                let typed = typed.map_err(|e| plan_datafusion_err!("{}", e.message))?;
                return Ok(Transformed::yes(typed.expr));
            }
            Ok(Transformed::no(e))
        });
        Ok(self.datafusion(inlined)?.data)
    }

    /// The roles of a table's columns: its event-time column is the time attribute.
    fn time_roles(&self, table: &Table, columns: &[usize]) -> Planned<Vec<Role>> {
        let role = |c: &usize| {
            if table.watermark.as_ref().is_some_and(|(time, _)| time == c) {
                return Ok(Role::Rowtime);
            }
            match &table.columns[*c].kind {
                ColumnKind::Computed(expr) => {
                    let expr = self.declared_expression(table, expr)?;
                    Ok(column_role(&expr, &DFSchema::empty(), &[]))
                }
                _ => Ok(Role::Plain),
            }
        };
        columns.iter().map(role).collect()
    }
}
