//! Tables, views and their options: plain data, no IO.

pub mod options;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::ast::Query;

pub use table::{Column, ColumnKind, Table};

use crate::sql::SourceFile;

/// A view: a named query.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Column names, or none to keep the query's.
    pub columns: Vec<String>,
    /// The query.
    pub query: Box<Query>,
    /// COMMENT.
    pub comment: Option<String>,
    /// The file it was declared in.
    pub file: Arc<SourceFile>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Relation {
    /// A table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<View>),
}

/// All tables and views of a session.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    relations: BTreeMap<String, Relation>,
    /// Other databases, by name.
    databases: BTreeMap<String, Arc<Catalog>>,
}

impl Catalog {
    /// Adds or replaces another database.
    pub fn insert_database(&mut self, name: &str, database: Arc<Catalog>) {
        self.databases.insert(name.to_string(), database);
    }

    /// The other database of that name.
    pub fn database(&self, name: &str) -> Option<&Arc<Catalog>> {
        self.databases.get(name)
    }

    /// The other databases by name.
    pub fn databases(&self) -> impl Iterator<Item = (&String, &Arc<Catalog>)> {
        self.databases.iter()
    }

    /// The other databases in which `name` stands for something.
    pub fn databases_with(&self, name: &str) -> Vec<(&String, &Arc<Catalog>)> {
        let databases = self.databases.iter();
        databases
            .filter(|(_, database)| database.get(name).is_some())
            .collect()
    }

    /// What `name` stands for.
    pub fn get(&self, name: &str) -> Option<&Relation> {
        self.relations.get(name)
    }

    /// The table `name`.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        match self.get(name) {
            Some(Relation::Table(table)) => Some(table),
            _ => None,
        }
    }

    /// Adds or replaces a relation.
    pub fn insert(&mut self, name: &str, relation: Relation) {
        self.relations.insert(name.to_string(), relation);
    }

    /// Removes a relation; false where there is none.
    pub fn remove(&mut self, name: &str) -> bool {
        self.relations.remove(name).is_some()
    }

    /// All relations by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Relation)> {
        self.relations.iter()
    }

    /// The names of all such relations; those of other databases with the database.
    pub fn qualified_names_of(&self, is_such: impl Fn(&Relation) -> bool) -> Vec<String> {
        let own = self.relations.iter().map(|(name, r)| (name.clone(), r));
        let others = self.databases.iter().flat_map(|(database, relations)| {
            let named = relations.relations.iter();
            named.map(move |(name, r)| (format!("{database}.{name}"), r))
        });
        let such = own.chain(others).filter(|(_, relation)| is_such(relation));
        such.map(|(name, _)| name).collect()
    }

    /// The known name nearest to `name`.
    pub fn closest(&self, name: &str) -> Option<&str> {
        let others = self.databases.values();
        let others = others.flat_map(|database| database.relations.keys());
        let all = self.relations.keys().chain(others);
        closest(name, all.map(String::as_str))
    }
}

/// The candidate nearest to `word` by edit distance, where one is near enough to be a likely slip.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::osa_distance(&lower, &c.to_lowercase()), c))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, _)| {
            let length = word.chars().count();
            *d <= 1 + length / 4 && *d < length
        })
        .map(|(_, c)| c)
}
