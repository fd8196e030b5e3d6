//! `bad-rows.topic` and `bad-rows.path`: an INSERT that nobody wrote, from `flowline.bad_rows` into a table that nobody declared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{InsertPlan, Session};
use crate::catalog::Table;
use crate::connectors::{BAD_ROWS_OPTIONS, bad_rows_schema};
use crate::error::Error;
use crate::planner::tables_read;
use crate::planner::types::flink_name;
use crate::sql::{Diagnostic, SourceFile};

impl Session {
    /// The INSERTs for the tables read by `inserts` whose options ask for them.
    pub(super) fn bad_rows_inserts(
        &self,
        inserts: &[InsertPlan],
    ) -> Result<Vec<InsertPlan>, Vec<Diagnostic>> {
        let mut known = BTreeSet::new();
        let mut more = Vec::new();
        for table in inserts.iter().flat_map(|i| tables_read(&i.plan)) {
            if !known.insert(table.name.clone()) {
                continue;
            }
            let given = BAD_ROWS_OPTIONS.map(|key| table.with.get(key));
            let file = match given {
                [None, None] => continue,
                [Some(_), Some(_)] => {
                    return Err(vec![mistake(
                        &table,
                        "bad rows go to a topic or to a folder, not to both".into(),
                    )]);
                }
                [topic, path] => {
                    script(&table, topic.map(String::as_str), path.map(String::as_str))
                        .map_err(|what| vec![mistake(&table, what)])?
                }
            };
            let mut session = Session::new(super::SessionConfig::default());
            session.functions = self.functions.clone();
            session
                .load(&file)
                .map_err(|e: Error| vec![mistake(&table, e.to_string())])?;
            let pending = session.pending.iter();
            more.extend(pending.map(|p| super::insert_plan(p, p.plan.clone())));
        }
        Ok(more)
    }
}

fn mistake(table: &Arc<Table>, what: String) -> Diagnostic {
    Diagnostic::new(
        &table.file,
        table.span,
        format!("table '{}': {what}", table.name),
    )
}

/// The statements, as if somebody had written them.
fn script(
    table: &Table,
    topic: Option<&str>,
    path: Option<&str>,
) -> Result<Arc<SourceFile>, String> {
    let quoted = |text: &str| text.replace('\'', "''");
    let mut options = vec![("format".to_string(), "json".to_string())];
    match (topic, path) {
        (Some(topic), _) => {
            let is_kafka = matches!(table.connector(), Some("kafka" | "upsert-kafka"));
            if !is_kafka {
                return Err("'bad-rows.topic' is for Kafka tables: set 'bad-rows.path'".into());
            }
            options.push(("connector".into(), "kafka".into()));
            options.push(("topic".into(), topic.into()));
            options.push(("scan.startup.mode".into(), "earliest-offset".into()));
            for (key, value) in &table.with {
                let is_ours = key.starts_with("properties.")
                    || key.starts_with("sink.delivery-guarantee")
                    || key.starts_with("sink.transactional-id-prefix");
                if is_ours && key != "properties.group.id" {
                    options.push((key.clone(), value.clone()));
                }
            }
        }
        (None, path) => {
            options.push(("connector".into(), "filesystem".into()));
            options.push(("path".into(), path.unwrap_or_default().into()));
        }
    }
    let columns: Vec<String> = bad_rows_schema()
        .fields()
        .iter()
        .map(|f| format!("`{}` {}", f.name(), flink_name(f.data_type())))
        .collect();
    let options: Vec<String> = options
        .iter()
        .map(|(k, v)| format!("'{}' = '{}'", quoted(k), quoted(v)))
        .collect();
    let name = format!("{} bad rows", table.name);
    let text = format!(
        "CREATE TABLE `{name}` ({}) WITH ({});\nINSERT INTO `{name}` SELECT * FROM flowline.bad_rows WHERE source_table = '{}';\n",
        columns.join(", "),
        options.join(", "),
        quoted(&table.name)
    );
    Ok(SourceFile::new("<bad rows>", text))
}
