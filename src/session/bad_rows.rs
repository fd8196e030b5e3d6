//! `bad-rows.topic` and `bad-rows.path`: an INSERT that nobody wrote, from `flowline.bad_rows` into a table that nobody declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{InsertPlan, Session};
use crate::catalog::Table;
use crate::connectors::{self, BAD_ROWS_OPTIONS, bad_rows_schema};
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
                // They are kept already: the live job has done it.
                _ if self.config.replay.is_some() => left_out(&table),
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
    let name = quoted(&table.name);
    let columns = match topic {
        Some(_) => format!("payload_key, payload, record_time, MAP[{}]", headers()),
        None => "*".into(),
    };
    let text = format!(
        "{}INSERT INTO `{name} bad rows` SELECT {columns} FROM flowline.bad_rows WHERE source_table = '{name}';\n",
        declaration(table, topic, path)?,
    );
    Ok(SourceFile::new("<bad rows>", text))
}

/// Statements that keep the bad rows of a table nowhere, and so only leave them out.
fn left_out(table: &Table) -> Arc<SourceFile> {
    let name = quoted(&table.name);
    let text = format!(
        "CREATE TABLE `{name} bad rows` (source_table STRING) WITH ('connector' = 'blackhole');\n\
         INSERT INTO `{name} bad rows` SELECT source_table FROM flowline.bad_rows WHERE source_table = '{name}';\n"
    );
    SourceFile::new("<bad rows>", text)
}

/// What stands beside a bad record in a topic, where it is as it was: columns of `flowline.bad_rows` as headers.
fn headers() -> String {
    let columns = [
        "source_table",
        "source_partition",
        "source_position",
        "field",
        "reason",
        "read_at",
    ];
    let header = |name: &str| format!("'{HEADER}{name}', CAST(CAST({name} AS STRING) AS BYTES)");
    columns.map(header).join(", ")
}

/// What the names of these headers begin with.
const HEADER: &str = "flowline.";

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

/// The WITH list; of an option that is there twice the last counts.
fn with(options: &[(String, String)]) -> String {
    let options: BTreeMap<&String, &String> = options.iter().map(|(k, v)| (k, v)).collect();
    let options = options.into_iter();
    let options: Vec<String> = options
        .map(|(k, v)| format!("'{}' = '{}'", quoted(k), quoted(v)))
        .collect();
    format!("WITH ({})", options.join(", "))
}

/// How the cluster of a Kafka table is reached, and how it is written; of these options those that are `wanted`.
fn cluster(table: &Table, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let is_ours = |key: &str| {
        key.starts_with("properties.") && key != "properties.group.id"
            || key == "sink.delivery-guarantee"
            || key == "sink.transactional-id-prefix"
            || key == "sink.topic.partitions"
            || key == "sink.topic.replication-factor"
    };
    let options = table.with.iter();
    let options = options.filter(|(key, _)| is_ours(key) && wanted(key));
    options.map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Declares where the bad rows of a table go: a topic of records as they were, or files of JSON.
fn declaration(table: &Table, topic: Option<&str>, path: Option<&str>) -> Result<String, String> {
    let name = format!("{} bad rows", table.name);
    let Some(topic) = topic else {
        let columns: Vec<String> = bad_rows_schema()
            .fields()
            .iter()
            .map(|f| format!("`{}` {}", f.name(), flink_name(f.data_type())))
            .collect();
        let options = [
            ("format", "json"),
            ("connector", "filesystem"),
            ("path", path.unwrap_or_default()),
            // Few rows, which somebody wants to see soon.
            ("sink.rolling-policy.rollover-interval", "1 min"),
        ];
        let options = options.map(|(k, v)| (k.to_string(), v.to_string()));
        return Ok(format!(
            "CREATE TABLE `{name}` ({}) {};\n",
            columns.join(", "),
            with(&options)
        ));
    };
    if !matches!(table.connector(), Some("kafka" | "upsert-kafka")) {
        return Err("'bad-rows.topic' is for Kafka tables: set 'bad-rows.path'".into());
    }
    let mut options = records(topic);
    // The headers must not make a record too long that was not.
    options.push(("sink.topic.max-message-bytes".into(), MAX_BYTES.into()));
    options.extend(cluster(table, |_| true));
    Ok(format!(
        "CREATE TABLE `{name}` ({RECORD}, headers MAP<STRING, BYTES> METADATA) {};\n",
        with(&options)
    ))
}

/// The columns of records as they are.
const RECORD: &str =
    "payload_key BYTES, payload BYTES, record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'";

/// The longest record that a topic of bad rows takes.
const MAX_BYTES: &str = "16777216";

/// The options of a topic of records as they are.
fn records(topic: &str) -> Vec<(String, String)> {
    let options = [
        ("connector", "kafka"),
        ("topic", topic),
        ("scan.startup.mode", "earliest-offset"),
        ("key.format", "raw"),
        ("key.fields", "payload_key"),
        ("value.format", "raw"),
        ("value.fields-include", "EXCEPT_KEY"),
    ];
    options
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .to_vec()
}

/// The bad rows of a Kafka table on their way back to its topic.
#[derive(Debug, Clone)]
pub struct SendBack {
    /// Statements that send each record as it was: whoever reads the topic now, with what was wrong mended, gets them again.
    pub file: Arc<SourceFile>,
    /// What is sent, so that it is not sent again.
    pub sent: connectors::Sent,
}

/// How the bad rows of a Kafka table are sent back: those that were not sent before.
///
/// # Errors
/// A table that keeps no bad rows, or is no Kafka table; the topic or folder where they are cannot be read.
pub async fn send_back(table: &Table) -> crate::error::Result<SendBack> {
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
    // It is run again after a failure, and takes no checkpoints.
    let at_least_once =
        |key: &str| !key.starts_with("sink.delivery") && !key.starts_with("sink.tr");
    let name = &table.name;
    let mut into = records(to);
    into.extend(cluster(table, at_least_once));
    let (mut from, columns, of, sent) = match (topic, path) {
        (Some(topic), _) => {
            let sent = connectors::Sent::of_topic(table, topic).await?;
            let mut from = records(topic);
            from.retain(|(key, _)| key != "scan.startup.mode");
            from.extend(cluster(table, at_least_once));
            let of = format!("CAST(headers['{HEADER}source_table'] AS STRING)");
            let columns = format!("{RECORD}, headers MAP<STRING, BYTES> METADATA");
            (from, columns, of, sent)
        }
        (None, path) => {
            let sent = connectors::Sent::of_folder(path.unwrap_or_default())?;
            let columns = bad_rows_schema();
            let columns = columns.fields().iter();
            let columns = columns.map(|f| format!("`{}` {}", f.name(), flink_name(f.data_type())));
            let from = [("format", "json"), ("connector", "filesystem")];
            let from = from.map(|(k, v)| (k.to_string(), v.to_string())).to_vec();
            let columns = columns.collect::<Vec<_>>().join(", ");
            (from, columns, "source_table".into(), sent)
        }
    };
    from.extend(sent.options());
    let text = format!(
        "CREATE TABLE `{name} bad rows` ({columns}) {};\nCREATE TABLE `{name} sent back` ({RECORD}) {};\n\
         INSERT INTO `{name} sent back` SELECT payload_key, payload, record_time FROM `{name} bad rows` WHERE {of} = '{}';\n",
        with(&from),
        with(&into),
        quoted(name)
    );
    Ok(SendBack {
        file: SourceFile::new("<bad rows>", text),
        sent,
    })
}
