//! Which SQL files a command line means: the folder rule, in one place.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::sql::SourceFile;
use crate::sql::ast::StatementKind;

/// The rule in one sentence, as the help and the README give it.
pub const RULE: &str = "a folder runs its files named NN_name.sql in the order of their numbers; an alternative \
     (a letter behind the number: 02a_name.sql), a file of queries only and a file that drops anything are skipped unless \
     they are named on the command line, and an alternative that is named takes the place of the file it stands for";

/// Files to run, in order, and those left out with the reason.
#[derive(Debug, Default)]
pub struct Files {
    /// To run.
    pub run: Vec<Arc<SourceFile>>,
    /// Left out: name and reason.
    pub skipped: Vec<(String, String)>,
}

/// A file of a folder, as far as the rule looks at it.
#[derive(Debug, Clone)]
struct Candidate {
    /// As in `02a_name.sql`; `None` where the name is of another kind.
    number: Option<(u64, Option<char>)>,
    name: String,
    content: Content,
    /// It is also named on the command line.
    is_named: bool,
}

/// What a file holds, as far as the rule looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A part of a pipeline.
    Pipeline,
    /// SELECT, SHOW, DESCRIBE, EXPLAIN and nothing that creates or writes.
    Queries,
    /// It has a DROP.
    Drops,
}

/// What is done with a file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Run,
    Skip(String),
}

/// The rule: what a folder does with each of its files, in the order in which it looks at them.
fn decide(mut files: Vec<Candidate>) -> Vec<(String, Decision)> {
    files.sort_by(|a, b| {
        let place = |c: &Candidate| c.number.map_or((u64::MAX, None), |(n, letter)| (n, letter));
        place(a).cmp(&place(b)).then_with(|| a.name.cmp(&b.name))
    });
    let replaced_by = |file: &Candidate| {
        let (number, letter) = file.number?;
        let stands_in = |other: &&Candidate| {
            other.is_named
                && matches!(other.number, Some((n, Some(_))) if n == number && letter.is_none())
        };
        files.iter().find(stands_in).map(|other| other.name.clone())
    };
    let decision = |file: &Candidate| {
        if let Some(other) = replaced_by(file).filter(|_| !file.is_named) {
            return Decision::Skip(format!("{other} is named and takes its place"));
        }
        if file.is_named {
            return Decision::Run;
        }
        let name_it = "name it to run it";
        match (file.number, file.content) {
            (None, _) => Decision::Skip(format!("it is not called NN_name.sql; {name_it}")),
            (Some((n, Some(_))), _) => {
                Decision::Skip(format!("an alternative to {n:02}; {name_it} instead"))
            }
            (_, Content::Drops) => Decision::Skip(format!("it drops tables or views; {name_it}")),
            (_, Content::Queries) => {
                Decision::Skip(format!("queries only, for `flowline query`; {name_it}"))
            }
            (_, Content::Pipeline) => Decision::Run,
        }
    };
    files
        .iter()
        .map(|file| (file.name.clone(), decision(file)))
        .collect()
}

/// `02a_name.sql` -> (2, Some('a')).
fn number_of(name: &str) -> Option<(u64, Option<char>)> {
    let (front, _) = name.strip_suffix(".sql")?.split_once('_')?;
    let digits = front.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let mut letters = front[digits.len()..].chars();
    let letter = letters.next().map(|c| c.to_ascii_lowercase());
    let number = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()?;
    letters.next().is_none().then_some((number, letter))
}

/// What a file holds. One with mistakes counts as a part of the pipeline, so that they are told.
fn content(file: &Arc<SourceFile>) -> Content {
    let Ok(script) = crate::sql::parse_script(file) else {
        return Content::Pipeline;
    };
    let any = |test: fn(&StatementKind) -> bool| script.statements.iter().any(|s| test(&s.kind));
    if any(|kind| matches!(kind, StatementKind::Drop(_))) {
        return Content::Drops;
    }
    let only_asks = script
        .statements
        .iter()
        .all(|s| asks(&s.kind) || sets(&s.kind));
    if only_asks && any(asks) {
        Content::Queries
    } else {
        Content::Pipeline
    }
}

fn asks(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Query(_)
            | StatementKind::Show(_)
            | StatementKind::Describe(_)
            | StatementKind::Explain(_)
    )
}

fn sets(kind: &StatementKind) -> bool {
    matches!(kind, StatementKind::Set(_) | StatementKind::Reset(_))
}

/// The files that `paths` (files and folders) mean, each once.
///
/// # Errors
/// Paths that are not there or cannot be read, folders without a file to run.
pub fn files(paths: &[PathBuf]) -> Result<Files> {
    let is_file = |path: &&PathBuf| !path.is_dir() && !is_stdin(path);
    let named: Vec<PathBuf> = paths
        .iter()
        .filter(is_file)
        .filter_map(|p| p.canonicalize().ok())
        .collect();
    let mut found = Files::default();
    let mut taken: Vec<PathBuf> = Vec::new();
    // A named file that lies in a named folder runs at its place in the folder.
    let folders: Vec<PathBuf> = paths
        .iter()
        .filter(|p| p.is_dir())
        .filter_map(|p| p.canonicalize().ok())
        .collect();
    for path in paths {
        if path.is_dir() {
            folder(path, &named, &mut taken, &mut found)?;
            continue;
        }
        if is_stdin(path) {
            if !taken.contains(path) {
                found.run.push(read(path)?);
                taken.push(path.clone());
            }
            continue;
        }
        let whole = path.canonicalize().map_err(|e| cannot_read(path, &e))?;
        let is_in_folder = whole
            .parent()
            .is_some_and(|p| folders.iter().any(|f| f == p));
        if is_in_folder && whole.extension().is_some_and(|e| e == "sql") || taken.contains(&whole) {
            continue;
        }
        found.run.push(read(path)?);
        taken.push(whole);
    }
    Ok(found)
}

fn folder(
    path: &Path,
    named: &[PathBuf],
    taken: &mut Vec<PathBuf>,
    found: &mut Files,
) -> Result<()> {
    let mut candidates = Vec::new();
    let mut texts = std::collections::HashMap::new();
    for entry in std::fs::read_dir(path).map_err(|e| cannot_read(path, &e))? {
        let file = entry.map_err(|e| cannot_read(path, &e))?.path();
        let name = file
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if file.is_dir() || !name.ends_with(".sql") {
            continue;
        }
        let text = read(&file)?;
        let whole = file.canonicalize().map_err(|e| cannot_read(&file, &e))?;
        candidates.push(Candidate {
            number: number_of(&name),
            content: content(&text),
            is_named: named.contains(&whole),
            name: name.clone(),
        });
        texts.insert(name, (text, whole));
    }
    let before = found.run.len();
    for (name, decision) in decide(candidates) {
        let Some((text, whole)) = texts.remove(&name) else {
            continue;
        };
        match decision {
            Decision::Run if taken.contains(&whole) => {}
            Decision::Run => {
                found.run.push(text);
                taken.push(whole);
            }
            Decision::Skip(reason) => found.skipped.push((text.name.clone(), reason)),
        }
    }
    if found.run.len() == before {
        return Err(
            Error::usage(format!("the folder {} has no file to run", path.display()))
                .with_help(RULE),
        );
    }
    Ok(())
}

/// Whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What SQL of the command line is called in messages.
pub const COMMAND_LINE: &str = "<command line>";
/// What SQL of standard input, typed or not, is called.
pub const STDIN: &str = "<stdin>";

/// Whether SQL of this name stands in no file.
pub fn is_inline(name: &str) -> bool {
    name == COMMAND_LINE || name == STDIN
}

fn read(path: &Path) -> Result<Arc<SourceFile>> {
    let (bytes, name) = if is_stdin(path) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    }
    .map(|bytes| (bytes, name_of(path)))
    .map_err(|e| cannot_read(path, &e))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::usage(format!("{name}:{line}: the file is not UTF-8")).with_help("save it as UTF-8")
    })?;
    let text = text
        .strip_prefix('\u{feff}')
        .map(str::to_string)
        .unwrap_or(text);
    Ok(SourceFile::new(name, text))
}

/// What a file is called in messages.
fn name_of(path: &Path) -> String {
    if is_stdin(path) {
        STDIN.to_string()
    } else {
        path.display().to_string()
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("cannot read {}: {error}", name_of(path)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pipeline() -> Vec<(&'static str, &'static str)> {
        vec![
            ("10_cleanup.sql", "DROP TABLE IF EXISTS a;"),
            ("02_b.sql", "INSERT INTO b SELECT * FROM a;"),
            ("02a_b.sql", "INSERT INTO b SELECT * FROM a;"),
            (
                "9_queries.sql",
                "SET 'pipeline.name' = 'x'; SELECT * FROM a; SHOW TABLES;",
            ),
            ("notes.sql", "SELECT 1;"),
            (
                "1_a.sql",
                "CREATE TABLE a (x INT) WITH ('connector' = 'datagen');",
            ),
            ("README.md", "no SQL"),
            ("11_last.sql", "INSERT INTO nonsense"),
        ]
    }

    fn write(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn names(dir: &tempfile::TempDir, also: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
        let mut paths = vec![dir.path().to_path_buf()];
        paths.extend(also.iter().map(|name| dir.path().join(name)));
        let found = files(&paths).unwrap();
        let short = |name: &str| {
            Path::new(name)
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        let skipped = found
            .skipped
            .iter()
            .map(|(n, r)| (short(n), r.clone()))
            .collect();
        (found.run.iter().map(|f| short(&f.name)).collect(), skipped)
    }

    #[test]
    fn a_folder_runs_by_number_and_never_by_accident() {
        let dir = write(&pipeline());
        let (run, skipped) = names(&dir, &[]);
        assert_eq!(run, ["1_a.sql", "02_b.sql", "11_last.sql"]);
        let reasons: Vec<String> = skipped.iter().map(|(n, r)| format!("{n}: {r}")).collect();
        assert_eq!(
            reasons,
            [
                "02a_b.sql: an alternative to 02; name it to run it instead",
                "9_queries.sql: queries only, for `flowline query`; name it to run it",
                "10_cleanup.sql: it drops tables or views; name it to run it",
                "notes.sql: it is not called NN_name.sql; name it to run it",
            ]
        );
    }

    #[test]
    fn a_named_alternative_takes_the_place_of_its_file() {
        let dir = write(&pipeline());
        let (run, skipped) = names(&dir, &["02a_b.sql"]);
        assert_eq!(run, ["1_a.sql", "02a_b.sql", "11_last.sql"]);
        assert_eq!(
            skipped[0],
            (
                "02_b.sql".into(),
                "02a_b.sql is named and takes its place".into()
            )
        );
    }

    #[test]
    fn named_files_run_whatever_they_hold_and_once() {
        let dir = write(&pipeline());
        let (run, _) = names(&dir, &["10_cleanup.sql", "9_queries.sql", "1_a.sql"]);
        assert_eq!(
            run,
            [
                "1_a.sql",
                "02_b.sql",
                "9_queries.sql",
                "10_cleanup.sql",
                "11_last.sql"
            ]
        );
        let paths = [
            dir.path().join("notes.sql"),
            dir.path().join("1_a.sql"),
            dir.path().join("notes.sql"),
        ];
        assert_eq!(files(&paths).unwrap().run.len(), 2);
    }

    #[test]
    fn nothing_to_run_is_a_mistake() {
        let dir = write(&[("notes.sql", "SELECT 1;")]);
        let error = files(&[dir.path().to_path_buf()]).unwrap_err();
        assert!(error.message.contains("no file to run"), "{error}");
        assert!(files(&[dir.path().join("missing.sql")]).is_err());
    }

    #[test]
    fn numbers() {
        assert_eq!(number_of("02a_x_y.sql"), Some((2, Some('a'))));
        assert_eq!(number_of("10_x.sql"), Some((10, None)));
        for name in ["x_1.sql", "02ab_x.sql", "2.sql", "_x.sql", "02_x.txt"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
