//! What mistakes in SQL are answered with: each query of tests/mistakes/queries.txt stands over what is said about it, the place
//! at fault marked. MISTAKES=write writes the answers anew.

use std::path::Path;

use flowline::error::Error;
use flowline::session::{Session, SessionConfig};
use flowline::sql::{Diagnostic, SourceFile};

/// What is said about a statement.
fn said(tables: &str, text: &str) -> String {
    let mut session = Session::new(SessionConfig::default());
    session
        .load(&SourceFile::new("tables.sql", tables))
        .unwrap_or_else(|e| panic!("{e}"));
    let file = SourceFile::new("query.sql", text);
    let result = session.load(&file).and_then(|_| session.graph());
    match result {
        Ok(_) => "runs\n".into(),
        Err(error) => shown(text, &error),
    }
}

fn shown(text: &str, error: &Error) -> String {
    if error.diagnostics.is_empty() {
        return format!("error: {error}\n");
    }
    error.diagnostics.iter().map(|d| marked(text, d)).collect()
}

fn marked(text: &str, mistake: &Diagnostic) -> String {
    let (start, end) = (mistake.span.start, mistake.span.end);
    let width = text.chars().count() as u64;
    let marks = match (start.column, end.column) {
        (0, _) => "^".repeat(text.trim_end().chars().count()),
        (from, to) => {
            let to = to.min(width + 1).max(from + 1);
            " ".repeat(from as usize - 1) + &"^".repeat((to - from) as usize)
        }
    };
    let mut all = format!("{marks}\nmistake: {}\n", mistake.message);
    if let Some(help) = &mistake.help {
        all += &format!("help: {help}\n");
    }
    all
}

#[test]
fn mistakes_are_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (tables, expected) = (read("tables.sql"), read("queries.txt"));
    let mut all = Vec::new();
    for block in expected.trim_end().split("\n\n") {
        let query = block.lines().next().unwrap();
        all.push(format!("{query}\n{}", said(&tables, query)));
    }
    if std::env::var("MISTAKES").is_ok_and(|v| v == "write") {
        std::fs::write(folder.join("queries.txt"), all.join("\n")).unwrap();
        return;
    }
    for (block, found) in expected.trim_end().split("\n\n").zip(&all) {
        assert_eq!(block, found.trim_end());
    }
}
