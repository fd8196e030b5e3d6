//! What Tab completes: words of SQL, tables, columns and functions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reedline::{Completer, Span, Suggestion};
use sqlparser::ast::Ident;

use crate::catalog::Relation;
use crate::cli::client::{self, Flight};
use crate::session::Session;
use crate::sql::{Look, is_reserved, looks};

/// The words that statements are made of.
const WORDS: &[&str] = &[
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "CASE",
    "CAST",
    "CREATE",
    "CROSS",
    "CUBE",
    "DATE",
    "DECIMAL",
    "DESC",
    "DESCRIBE",
    "DESCRIPTOR",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "END",
    "ENFORCED",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FOR",
    "FROM",
    "FULL",
    "FUNCTIONS",
    "GROUP",
    "GROUPING",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "METADATA",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRIMARY",
    "RANGE",
    "RESET",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "ROWS",
    "SELECT",
    "SET",
    "SETS",
    "SHOW",
    "STATEMENT",
    "STRING",
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TRUE",
    "TUMBLE",
    "UNION",
    "USING",
    "VALUES",
    "VARCHAR",
    "VIEW",
    "VIEWS",
    "WATERMARK",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The words after which a table is named.
const BEFORE_TABLES: &[&str] = &["FROM", "JOIN", "INTO", "TABLE", "VIEW", "DESCRIBE", "DESC"];

/// A table or view.
#[derive(Debug, Clone)]
struct Named {
    /// The job that has it, on a server.
    database: Option<String>,
    name: String,
    columns: Vec<String>,
}

/// The names there are, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    tables: Vec<Named>,
    functions: Vec<String>,
}

impl Names {
    /// Learns what there is now: in the session, or on the server, which answers while somebody types.
    pub fn learn(&self, session: &Session, server: Option<&Flight>) {
        let functions = session.functions().names();
        let Some(server) = server else {
            let tables = session.catalog.iter().map(|(name, relation)| Named {
                database: None,
                name: name.clone(),
                columns: columns(session, relation),
            });
            return self.know(tables.collect(), functions);
        };
        let (names, mut server) = (self.clone(), server.clone());
        tokio::spawn(async move {
            let Ok(tables) = client::tables(&mut server).await else {
                return;
            };
            let tables = tables.into_iter().map(|(database, name, columns)| Named {
                database: Some(database),
                name,
                columns,
            });
            names.know(tables.collect(), functions);
        });
    }

    fn know(&self, tables: Vec<Named>, functions: Vec<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Known { tables, functions };
    }
}

fn columns(session: &Session, relation: &Relation) -> Vec<String> {
    match relation {
        Relation::Table(table) => {
            let columns = table.columns.iter();
            columns.map(|c| c.field.name().clone()).collect()
        }
        Relation::View(view) if !view.columns.is_empty() => view.columns.clone(),
        Relation::View(view) => {
            let bound = session.context().query(&view.query, &view.file);
            let columns = bound.map(|bound| bound.columns).unwrap_or_default();
            columns.into_iter().map(|(name, _)| name).collect()
        }
    }
}

impl Known {
    /// What may stand at the end of a text, and where that begins.
    fn fitting(&self, text: &str, whole: &str) -> (usize, BTreeSet<String>) {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '`';
        let begin_of = |text: &str| text.trim_end_matches(is_name).len();
        let begin = begin_of(text);
        let (before, word) = text.split_at(begin);
        let mut found = BTreeSet::new();
        let fits = |name: &str| {
            let (name, word) = (name.to_lowercase(), word.to_lowercase());
            name.starts_with(word.trim_start_matches('`'))
        };
        let mut add = |names: &mut dyn Iterator<Item = &String>| {
            found.extend(names.filter(|name| fits(name)).map(|name| written(name)));
        };
        if let Some(owner) = before.strip_suffix('.') {
            let owner = owner[begin_of(owner)..].replace('`', "");
            let inside = |t: &&Named| t.database.as_ref() == Some(&owner);
            let mut of_database = self.tables.iter().filter(inside).peekable();
            if of_database.peek().is_some() {
                add(&mut of_database.map(|t| &t.name));
            } else {
                let of_table = self.tables.iter().filter(|t| t.name == owner);
                let mut of_table = of_table.flat_map(|t| &t.columns).peekable();
                match of_table.peek() {
                    Some(_) => add(&mut of_table),
                    None => add(&mut self.columns_in(whole)),
                }
            }
            return (begin, found);
        }
        let last = before.trim_end();
        let last = last[begin_of(last)..].to_uppercase();
        if BEFORE_TABLES.contains(&last.as_str()) {
            add(&mut self.tables.iter().map(|t| &t.name));
            add(&mut self.tables.iter().filter_map(|t| t.database.as_ref()));
            return (begin, found);
        }
        add(&mut self.columns_in(whole));
        if word.is_empty() {
            return (begin, found);
        }
        add(&mut self.tables.iter().map(|t| &t.name));
        let is_lower = word.starts_with(char::is_lowercase);
        let functions = self.functions.iter().map(String::as_str);
        let words = WORDS.iter().copied().chain(functions);
        found.extend(words.filter(|name| fits(name)).map(|name| match is_lower {
            true => name.to_lowercase(),
            false => name.to_string(),
        }));
        (begin, found)
    }

    /// The columns of the tables that a text names.
    fn columns_in(&self, text: &str) -> impl Iterator<Item = &String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let words: BTreeSet<String> = words.map(str::to_string).collect();
        let named = move |t: &&Named| words.contains(&t.name);
        let tables = self.tables.iter().filter(named);
        tables.flat_map(|t| &t.columns)
    }
}

/// A name as it is written: in backticks where it must be.
fn written(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match begins && name.chars().all(is_plain) && !is_reserved(name) {
        true => name.to_string(),
        false => Ident::with_quote('`', name).to_string(),
    }
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> Vec<Suggestion> {
        let Some(text) = line.get(..pos) else {
            return Vec::new();
        };
        let ends_in = looks(text).last().map(|(_, look)| *look);
        if matches!(ends_in, Some(Look::Text | Look::Comment)) {
            return Vec::new();
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, found) = known.fitting(text, line);
        let suggestion = |value| Suggestion {
            value,
            span: Span::new(begin, pos),
            ..Suggestion::default()
        };
        found.into_iter().map(suggestion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let table = |database: Option<&str>, name: &str, columns: &[&str]| Named {
            database: database.map(str::to_string),
            name: name.to_string(),
            columns: columns.iter().map(|c| c.to_string()).collect(),
        };
        let names = Names::default();
        let tables = vec![
            table(None, "totals", &["k", "sum_of_all"]),
            table(None, "seen", &["number", "from"]),
            table(Some("jobs"), "doubled", &["d"]),
        ];
        names.know(tables, vec!["SUM".into()]);
        names
    }

    /// What Tab offers at the mark `|`.
    fn offered(text: &str) -> Vec<String> {
        let pos = text.find('|').unwrap_or(text.len());
        let line = text.replace('|', "");
        let found = names().complete(&line, pos);
        found.into_iter().map(|s| s.value).collect()
    }

    #[test]
    fn what_fits_the_place_is_offered() {
        assert_eq!(offered("sel"), ["select"]);
        assert_eq!(offered("SEL"), ["SELECT"]);
        assert_eq!(offered("SELECT * FROM to"), ["totals"]);
        assert_eq!(
            offered("SELECT * FROM "),
            ["doubled", "jobs", "seen", "totals"]
        );
        assert_eq!(offered("SELECT * FROM jobs."), ["doubled"]);
        assert_eq!(offered("SELECT su| FROM totals"), ["sum", "sum_of_all"]);
        assert_eq!(offered("SELECT | FROM seen"), ["`from`", "number"]);
        assert_eq!(
            offered("SELECT * FROM totals AS t WHERE t.s"),
            ["sum_of_all"]
        );
        assert_eq!(offered("SELECT seen.n| FROM seen"), ["number"]);
    }

    #[test]
    fn nothing_is_offered_in_strings_and_comments() {
        for text in ["SELECT 'sel", "-- sel", "/* sel", ""] {
            assert_eq!(offered(text), [""; 0], "{text}");
        }
    }
}
