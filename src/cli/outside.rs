//! Where a pipeline connects to, given from outside the SQL files: flags, then environment, then a settings file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};

/// The brokers of every Kafka table.
pub const KAFKA_VARIABLE: &str = "FLOWLINE_KAFKA";
/// Beginning of the variables that hold what `--set-table` takes.
pub const TABLE_VARIABLE: &str = "FLOWLINE_SET_TABLE";
/// The path of the settings file.
pub const FILE_VARIABLE: &str = "FLOWLINE_SETTINGS";

/// The key that stands for every table of connector `kafka` or `upsert-kafka`.
pub const EVERY: &str = "*";
const BROKERS: &str = "properties.bootstrap.servers";

/// Options by table and key.
pub type TableOptions = BTreeMap<String, BTreeMap<String, String>>;

/// Options of tables and SET values, merged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Options of tables.
    pub tables: TableOptions,
    /// SET values.
    pub set: BTreeMap<String, String>,
    /// Tables named in a flag, which must exist.
    pub by_flag: Vec<String>,
    /// Tables named elsewhere, which should.
    pub by_others: Vec<String>,
}

/// What was typed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Flags<'a> {
    /// `--kafka`
    pub kafka: Option<&'a str>,
    /// `--set-table`, each TABLE.KEY=VALUE.
    pub set_table: &'a [String],
    /// `--set`, each KEY=VALUE.
    pub set: &'a [String],
    /// `--settings`
    pub settings: Option<&'a Path>,
}

/// Merges the three, the first named the strongest. Values are never part of a message: they may be secret.
///
/// # Errors
/// What is not of the form it should have; a settings file that cannot be read.
pub fn merge(flags: Flags<'_>, environment: &BTreeMap<String, String>) -> Result<Outside> {
    let mut outside = Outside::default();
    let file = flags
        .settings
        .or_else(|| environment.get(FILE_VARIABLE).map(Path::new));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::usage(format!(
                "cannot read the settings file {}: {e}",
                path.display()
            ))
        })?;
        let (tables, set) = parse_file(&text).map_err(|e| e.at(path.display()))?;
        outside.by_others.extend(tables.keys().cloned());
        outside.put(tables);
        outside.set = set;
    }
    let mut given = TableOptions::new();
    if let Some(brokers) = environment.get(KAFKA_VARIABLE) {
        given
            .entry(EVERY.into())
            .or_default()
            .insert(BROKERS.into(), brokers.clone());
    }
    for (name, text) in environment
        .iter()
        .filter(|(name, _)| name.starts_with(TABLE_VARIABLE))
    {
        let (table, key, value) =
            table_option(text).map_err(|m| Error::usage(format!("the variable {name}: {m}")))?;
        outside.by_others.push(table.clone());
        given.entry(table).or_default().insert(key, value);
    }
    outside.put(given);
    let mut given = TableOptions::new();
    if let Some(brokers) = flags.kafka {
        given
            .entry(EVERY.into())
            .or_default()
            .insert(BROKERS.into(), brokers.to_string());
    }
    for text in flags.set_table {
        let (table, key, value) =
            table_option(text).map_err(|m| Error::usage(format!("--set-table: {m}")))?;
        outside.by_flag.push(table.clone());
        given.entry(table).or_default().insert(key, value);
    }
    outside.put(given);
    for text in flags.set {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            Error::usage("--set: expected KEY=VALUE, such as table.exec.source.idle-timeout=10s")
        })?;
        outside
            .set
            .insert(key.trim().to_string(), value.trim().to_string());
    }
    outside.by_flag.retain(|table| table != EVERY);
    outside.by_others.retain(|table| table != EVERY);
    Ok(outside)
}

impl Outside {
    /// Puts stronger options over those there are. One for every table also goes over weaker ones for a single table.
    fn put(&mut self, stronger: TableOptions) {
        for key in stronger.get(EVERY).into_iter().flat_map(BTreeMap::keys) {
            for options in self.tables.values_mut() {
                options.remove(key);
            }
        }
        for (table, options) in stronger {
            self.tables.entry(table).or_default().extend(options);
        }
    }
}

/// `TABLE.KEY=VALUE`
fn table_option(text: &str) -> std::result::Result<(String, String, String), String> {
    let parts = text
        .split_once('=')
        .and_then(|(name, value)| Some((name.split_once('.')?, value)));
    match parts {
        Some(((table, key), value)) if !table.trim().is_empty() && !key.trim().is_empty() => {
            Ok((table.trim().to_string(), key.trim().to_string(), value.to_string()))
        }
        _ => Err("expected TABLE.KEY=VALUE, such as cloudevents.topic=events or *.properties.sasl.password=... \
                  (* is every Kafka table)"
            .into()),
    }
}

/// `[kafka]`, `[tables.NAME]` and `[set]`, keys as in WITH and SET, quoted or not.
fn parse_file(text: &str) -> Result<(TableOptions, BTreeMap<String, String>)> {
    let root: toml::Table = toml::from_str(text).map_err(|e| {
        // The whole message shows the line, which may hold a secret.
        let line = e
            .span()
            .map_or(1, |s| 1 + text[..s.start].matches('\n').count());
        Error::usage(format!("line {line}: {}", e.message()))
    })?;
    let mut tables = TableOptions::new();
    let mut set = BTreeMap::new();
    let section =
        |name: &str| Error::usage(format!("[{name}] must be a section of key = value lines"));
    for (name, value) in root {
        let toml::Value::Table(entries) = value else {
            return Err(
                Error::usage(format!("'{name}' stands outside a section")).with_help(SECTIONS)
            );
        };
        match name.as_str() {
            "kafka" => flatten("", entries, tables.entry(EVERY.into()).or_default())?,
            "set" => flatten("", entries, &mut set)?,
            "tables" => {
                for (table, options) in entries {
                    let toml::Value::Table(options) = options else {
                        return Err(section(&format!("tables.{table}")));
                    };
                    flatten("", options, tables.entry(table).or_default())?;
                }
            }
            other => {
                return Err(Error::usage(format!("unknown section [{other}]")).with_help(SECTIONS));
            }
        }
    }
    Ok((tables, set))
}

const SECTIONS: &str =
    "the sections are [kafka] (options of every Kafka table), [tables.NAME] and [set]";

/// TOML reads `a.b = 1` as a section `a`; here it is the key `a.b`.
fn flatten(prefix: &str, entries: toml::Table, out: &mut BTreeMap<String, String>) -> Result<()> {
    for (key, value) in entries {
        let key = format!("{prefix}{key}");
        let text = match value {
            toml::Value::Table(inner) => {
                flatten(&format!("{key}."), inner, out)?;
                continue;
            }
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            toml::Value::Array(_) | toml::Value::Datetime(_) => {
                return Err(Error::usage(format!(
                    "'{key}' must be a text, a number or true or false"
                )));
            }
        };
        out.insert(key, text);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [kafka]
        "properties.bootstrap.servers" = "file:9092"
        properties.security.protocol = "SASL_SSL"
        [tables.events]
        topic = "events-file"
        properties.bootstrap.servers = "file-events:9092"
        "scan.bounded.mode" = "latest-offset"
        [set]
        parallelism.default = 4
    "#;

    fn settings(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn flags_go_over_the_environment_and_that_over_the_file() {
        let (_dir, path) = settings(FILE);
        let file = Flags {
            settings: Some(&path),
            ..Flags::default()
        };
        let merged = merge(file, &BTreeMap::new()).unwrap();
        assert_eq!(merged.tables["*"][BROKERS], "file:9092");
        assert_eq!(merged.tables["events"][BROKERS], "file-events:9092");
        assert_eq!(
            merged.tables["*"]["properties.security.protocol"],
            "SASL_SSL"
        );
        assert_eq!(merged.set["parallelism.default"], "4");

        let environment = variables(&[
            (KAFKA_VARIABLE, "env:9092"),
            ("FLOWLINE_SET_TABLE_TOPIC", "events.topic=events-env"),
            (
                "FLOWLINE_SET_TABLE_SECRET",
                "*.properties.sasl.password=a=b.c",
            ),
        ]);
        let merged = merge(file, &environment).unwrap();
        assert_eq!(merged.tables["*"][BROKERS], "env:9092");
        assert_eq!(merged.tables["events"].get(BROKERS), None);
        assert_eq!(merged.tables["events"]["topic"], "events-env");
        assert_eq!(
            merged.tables["events"]["scan.bounded.mode"],
            "latest-offset"
        );
        assert_eq!(merged.tables["*"]["properties.sasl.password"], "a=b.c");
        assert!(merged.by_flag.is_empty());

        let set_table = ["events.topic=events-flag".to_string()];
        let set = ["parallelism.default=2".to_string()];
        let flags = Flags {
            kafka: Some("flag:9092"),
            set_table: &set_table,
            set: &set,
            ..file
        };
        let merged = merge(flags, &environment).unwrap();
        assert_eq!(merged.tables["*"][BROKERS], "flag:9092");
        assert_eq!(merged.tables["events"]["topic"], "events-flag");
        assert_eq!(merged.set["parallelism.default"], "2");
        assert_eq!(merged.by_flag, ["events"]);
    }

    #[test]
    fn the_file_may_be_named_by_a_variable() {
        let (_dir, path) = settings(FILE);
        let environment = variables(&[(FILE_VARIABLE, path.to_str().unwrap())]);
        assert_eq!(
            merge(Flags::default(), &environment).unwrap().tables["events"]["topic"],
            "events-file"
        );
    }

    #[test]
    fn mistakes_are_told_without_the_value() {
        for text in [
            "events.topic",
            "hunter2",
            "=hunter2",
            "events=hunter2",
            ".x=hunter2",
        ] {
            let set_table = [text.to_string()];
            let error = merge(
                Flags {
                    set_table: &set_table,
                    ..Flags::default()
                },
                &BTreeMap::new(),
            )
            .unwrap_err();
            assert!(
                error.message.contains("TABLE.KEY=VALUE") && !error.to_string().contains("hunter2"),
                "{error}"
            );
        }
        for text in [
            "[kafka]\npassword = hunter2",
            "topic = 'hunter2'",
            "[tabels.x]\na = 'hunter2'",
            "[set]\na = ['hunter2']",
        ] {
            let (_dir, path) = settings(text);
            let error = merge(
                Flags {
                    settings: Some(&path),
                    ..Flags::default()
                },
                &BTreeMap::new(),
            )
            .unwrap_err();
            assert!(error.message.contains("settings.toml"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
