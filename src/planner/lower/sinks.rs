//! A query's rows into its sink.

use std::sync::Arc;

use super::*;
use crate::graph::Keep;

/// How many rows a managed table without a key keeps, at least.
const RETAINED: usize = 1_000_000;

impl Lowering<'_> {
    /// Adds one INSERT or SELECT.
    ///
    /// # Errors
    /// What the query needs and flowline does not do; types that do not fit the sink; changes that the sink cannot take.
    pub fn insert(&mut self, insert: &InsertPlan, check: SinkCheck) -> Planned<()> {
        self.file = Arc::clone(&insert.file);
        self.span = insert.span;
        self.options = insert.options;
        self.graph.scope.clone_from(&insert.name);
        self.graph.place = place_of(&insert.file, insert.span);
        let query = self.lower(&insert.plan)?;
        let rows = self.sink_rows(query, insert)?;
        let changes = self.graph.nodes[rows.node].changes.clone();
        let key = insert.sink.sink_key();
        if changes.updating && check.mode == SinkMode::Append {
            return Err(self.updates_into_append_sink(rows.node, insert));
        }
        if changes.updating && check.mode == SinkMode::Upsert && key.is_none() {
            return Err(self.mistake(
                format!(
                    "Table sink '{}' takes updates by key, but has no PRIMARY KEY",
                    insert.name
                ),
                "declare PRIMARY KEY (...) NOT ENFORCED in the table".into(),
            ));
        }
        if insert.on_conflict.is_some() && (check.mode != SinkMode::Upsert || key.is_none()) {
            return Err(self.mistake(
                format!("ON CONFLICT clause is only allowed for upsert sinks. The sink '{}' is not one", insert.name),
                "leave it out, or write to a table that takes updates by key (connector 'upsert-kafka' with a PRIMARY KEY)".into(),
            ));
        }
        let rows = match (&key, check.mode) {
            (Some(key), SinkMode::Upsert) => self.one_row_a_key(rows, key, insert)?,
            _ => rows,
        };
        let changes = self.graph.nodes[rows.node].changes.clone();
        if self.in_process.contains(&insert.sink.name) && !insert.is_select {
            self.written
                .entry(insert.sink.name.clone())
                .or_default()
                .push(rows.clone());
        }
        if self.keeps && insert.sink.connector().is_none() && !insert.is_select {
            let (_, writers) = self
                .kept
                .entry(insert.sink.name.clone())
                .or_insert_with(|| (Arc::clone(&insert.sink), Vec::new()));
            writers.push(rows.clone());
        }
        let (exchange, parallelism) = match &key {
            _ if check.single || self.graph.nodes[rows.node].parallelism == 1 => {
                (Exchange::Gather, 1)
            }
            // All rows of a key go through one writer, so that they stay in order.
            Some(key) if !changes.upsert_keys.iter().any(|k| same_columns(key, k)) => {
                (Exchange::Hash(key.clone()), self.parallelism)
            }
            _ => (Exchange::Forward, self.parallelism),
        };
        let schema = Arc::clone(&self.graph.nodes[rows.node].schema);
        let sink = Sink {
            table: Arc::clone(&insert.sink),
            name: insert.name.clone(),
            key,
            is_select: insert.is_select,
            drops_nulls: insert.options.drops_nulls,
            takes_upserts: check.mode == SinkMode::Upsert,
        };
        self.graph.add(Node {
            operation: Operation::Sink(sink),
            inputs: vec![Input {
                from: rows.node,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
        Ok(())
    }

    /// Keeps what is written to a managed table, where queries can read it.
    pub(super) fn keep(&mut self, table: Arc<Table>, writers: Vec<Lowered>) {
        let schema = table.sink_schema();
        let rows = self.union(writers, Arc::clone(&schema));
        let key = table.sink_key();
        let (exchange, parallelism) = match &key {
            Some(key) => (Exchange::Hash(key.clone()), self.parallelism),
            // Rows are numbered as they come.
            None => (Exchange::Gather, 1),
        };
        let changes = self.graph.nodes[rows.node].changes.clone();
        let schema = Arc::clone(&self.graph.nodes[rows.node].schema);
        self.graph.add(Node {
            operation: Operation::Keep(Keep {
                table,
                key,
                retained: RETAINED,
            }),
            inputs: vec![Input {
                from: rows.node,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
    }

    /// Rows such that there is never more than one for a key of the sink.
    fn one_row_a_key(
        &mut self,
        rows: Lowered,
        key: &[usize],
        insert: &InsertPlan,
    ) -> Planned<Lowered> {
        let node = &self.graph.nodes[rows.node];
        let keys = &node.changes.upsert_keys;
        if keys.iter().any(|k| k.iter().all(|c| key.contains(c))) {
            return Ok(rows);
        }
        let conflict = match insert.on_conflict {
            // Of rows that are never retracted the last one written is the last one there is.
            Some(Conflict::Deduplicate) if !node.changes.updating => return Ok(rows),
            None if !node.changes.updating && !self.options.require_on_conflict => return Ok(rows),
            Some(conflict) => conflict,
            None if !self.options.require_on_conflict => Conflict::Deduplicate,
            None => return Err(self.other_key(rows.node, key, insert)),
        };
        let (schema, parallelism) = (Arc::clone(&node.schema), self.parallelism);
        let changes = Changes {
            updating: true,
            upsert_keys: vec![key.to_vec()],
            order_dependent: true,
        };
        let ttl = self.ttl(&[rows.node]);
        let node = self.graph.add(Node {
            operation: Operation::UpsertMaterialize {
                key: key.to_vec(),
                conflict,
                ttl,
            },
            inputs: vec![Input {
                from: rows.node,
                exchange: Exchange::Hash(key.to_vec()),
            }],
            schema,
            changes,
            parallelism,
        });
        Ok(Lowered {
            node,
            roles: rows.roles,
        })
    }

    fn other_key(&self, node: NodeId, key: &[usize], insert: &InsertPlan) -> Diagnostic {
        let node = &self.graph.nodes[node];
        let names = |columns: &[usize]| {
            let names: Vec<&str> = columns
                .iter()
                .map(|c| node.schema.field(*c).name().as_str())
                .collect();
            names.join(", ")
        };
        let keys: Vec<String> = node
            .changes
            .upsert_keys
            .iter()
            .map(|k| format!("[{}]", names(k)))
            .collect();
        let have = if keys.is_empty() {
            "none".to_string()
        } else {
            keys.join(", ")
        };
        self.mistake(
            format!(
                "The query has an upsert key that differs from the primary key of the sink table '{}'. Primary key: [{}], upsert key: {have}.",
                insert.name,
                names(key),
            ),
            "make them the same, or say what happens where two rows meet in one key: INSERT INTO ... SELECT ... ON CONFLICT DO \
             { DEDUPLICATE | NOTHING | ERROR }"
                .into(),
        )
    }

    fn updates_into_append_sink(&self, node: NodeId, insert: &InsertPlan) -> Diagnostic {
        let producer = self.updating_node(node);
        self.mistake(
            format!("Table sink '{}' doesn't support consuming update changes which is produced by node {producer}", insert.name),
            "write to a table that takes updates (connector 'upsert-kafka' with a PRIMARY KEY, or 'print'), or make the query append-only \
             by grouping by the window_start and window_end of a window"
                .into(),
        )
    }

    pub(super) fn updating_node(&self, node: NodeId) -> String {
        let n = &self.graph.nodes[node];
        match n
            .inputs
            .iter()
            .find(|i| self.graph.nodes[i.from].changes.updating)
        {
            Some(input) => self.updating_node(input.from),
            None => self.graph.title(node),
        }
    }

    /// The query's rows under the sink's names; at most one of its columns is a time attribute.
    fn sink_rows(&mut self, query: Lowered, insert: &InsertPlan) -> Planned<Lowered> {
        if insert.is_select {
            return Ok(query);
        }
        let rowtimes: Vec<&str> = query
            .roles
            .iter()
            .zip(&insert.names)
            .filter(|(r, _)| r.is_time_attribute())
            .map(|(_, name)| name.as_str())
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
        // NULLs in NOT NULL columns are the sink's to refuse or drop.
        let fields = insert.sink.sink_schema();
        let fields = fields.fields().iter();
        let schema = Schema::new(
            fields
                .map(|f| f.as_ref().clone().with_nullable(true))
                .collect::<Vec<_>>(),
        );
        let keep: Vec<usize> = (0..schema.fields().len()).collect();
        self.reshape(query, &keep, &Arc::new(schema))
    }
}
