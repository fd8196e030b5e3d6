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
            more.extend(pending.map(super::plans::insert_plan));
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
    let name = format!("{} bad rows", table.name);
    let text = format!(
        "{}INSERT INTO `{name}` SELECT * FROM flowline.bad_rows WHERE source_table = '{}';\n",
        declaration(table, topic, path)?,
        quoted(&table.name)
    );
    Ok(SourceFile::new("<bad rows>", text))
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn with(options: &[(String, String)]) -> String {
    let options = options.iter();
    let options: Vec<String> = options
        .map(|(k, v)| format!("'{}' = '{}'", quoted(k), quoted(v)))
        .collect();
    format!("WITH ({})", options.join(", "))
}

/// How the cluster of a Kafka table is reached, and how it is written.
fn cluster(table: &Table) -> Vec<(String, String)> {
    let is_ours = |key: &str| {
        key.starts_with("properties.") && key != "properties.group.id"
            || key == "sink.delivery-guarantee"
            || key == "sink.transactional-id-prefix"
    };
    let options = table.with.iter().filter(|(key, _)| is_ours(key));
    options.map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Declares where the bad rows of a table go.
fn declaration(table: &Table, topic: Option<&str>, path: Option<&str>) -> Result<String, String> {
    let mut options = vec![("format".to_string(), "json".to_string())];
    match topic {
        Some(topic) => {
            if !matches!(table.connector(), Some("kafka" | "upsert-kafka")) {
                return Err("'bad-rows.topic' is for Kafka tables: set 'bad-rows.path'".into());
            }
            options.push(("connector".into(), "kafka".into()));
            options.push(("topic".into(), topic.into()));
            options.push(("scan.startup.mode".into(), "earliest-offset".into()));
            options.extend(cluster(table));
        }
        None => {
            options.push(("connector".into(), "filesystem".into()));
            options.push(("path".into(), path.unwrap_or_default().into()));
            // Few rows, which somebody wants to see soon.
            let rolling = "sink.rolling-policy.rollover-interval";
            options.push((rolling.into(), "1 min".into()));
        }
    }
    let columns: Vec<String> = bad_rows_schema()
        .fields()
        .iter()
        .map(|f| format!("`{}` {}", f.name(), flink_name(f.data_type())))
        .collect();
    Ok(format!(
        "CREATE TABLE `{} bad rows` ({}) {};\n",
        table.name,
        columns.join(", "),
        with(&options)
    ))
}

/// Statements that send the bad rows of a Kafka table back to its topic, each record as it was: whoever reads the topic now, with
/// what was wrong mended, gets them again.
///
/// # Errors
/// A table that keeps no bad rows, or is no Kafka table.
pub fn send_back(table: &Table) -> crate::error::Result<Arc<SourceFile>> {
    let failed = |what: String| Error::usage(format!("table '{}': {what}", table.name));
    let [topic, path] = BAD_ROWS_OPTIONS.map(|key| table.with.get(key).map(String::as_str));
    if topic.is_none() && path.is_none() {
        return Err(failed("it keeps no bad rows".into())
            .with_help("give it the option 'bad-rows.topic' or 'bad-rows.path'"));
    }
    let (Some("kafka" | "upsert-kafka"), Some(to)) = (table.connector(), table.with.get("topic"))
    else {
        return Err(failed("only to a Kafka topic can records be sent back".into())
            .with_help("mend the files, and remove the checkpoints of the job or read them under another name"));
    };
    let mut options = vec![
        ("connector".to_string(), "kafka".to_string()),
        ("topic".into(), to.clone()),
        ("scan.startup.mode".into(), "earliest-offset".into()),
        ("key.format".into(), "raw".into()),
        ("key.fields".into(), "payload_key".into()),
        ("value.format".into(), "raw".into()),
        ("value.fields-include".into(), "EXCEPT_KEY".into()),
    ];
    options.extend(cluster(table));
    let text = format!(
        "{}CREATE TABLE `{} sent back` (payload_key BYTES, payload BYTES, record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp') \
         {};\nINSERT INTO `{} sent back` SELECT payload_key, payload, record_time FROM `{} bad rows` WHERE source_table = '{}';\n",
        declaration(table, topic, path).map_err(failed)?,
        table.name,
        with(&options),
        table.name,
        table.name,
        quoted(&table.name)
    );
    Ok(SourceFile::new("<bad rows>", text))
}
