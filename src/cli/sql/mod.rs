//! `flowline sql`: a shell in which statements are typed, answered here or by a server.

mod complete;
mod editor;
mod history;
mod input;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::args::{self, Given, JobArgs, Loaded, OutsideArgs};
use super::client::{Flight, OptionalServer};
use super::screen::Output;
use super::signals::{self, ShellSignals};
use super::{answers, count, folder, messages, print, report, run, tell};
use crate::batch::Answer;
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};
use crate::session::{Message, Session, span};
use crate::sql::ast::StatementKind;
use crate::sql::{SourceFile, parse_script, pieces};
use complete::Names;
use editor::{Editor, Typed};
use input::Input;

/// How the shell works.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A statement ends with a semicolon and may span lines. Where stdin or stdout is no terminal, statements are read from stdin without \
a prompt, and the first error ends the shell with its exit code.")]
pub struct Args {
    /// SQL files and folders that declare tables; a folder as `run` takes it. Their INSERTs are not run, and no server is asked
    #[arg(long, value_name = "PATH", num_args = 1..)]
    with: Vec<PathBuf>,
    /// Rows as a table or as JSON lines [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// Where statements are read from stdin: go on after an error
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    server: OptionalServer,
    #[command(flatten)]
    outside: OutsideArgs,
}

/// What `help;` says.
const HELP: &str = "\
A statement ends with a semicolon and may span lines.

  SHOW TABLES;  DESCRIBE t;           what there is
  SELECT ...;                         the rows that the tables hold now
  SET 'execution.runtime-mode' = 'streaming';
                                      from now on a SELECT goes on with every change, until Ctrl-C
  RESET 'execution.runtime-mode';     back to the rows of now
  EXPLAIN SELECT ...;                 how it runs
  CREATE TABLE ...;  INSERT INTO ...; creates tables and writes rows
  help;  quit;

Tab completes, Ctrl-R searches what was typed before. Ctrl-C stops what runs or clears the line. Ctrl-D leaves.
";

/// What files say of their own job, which is not that of the shell.
const OF_THE_JOB: [&str; 4] = [
    "pipeline.name",
    "execution.checkpointing.interval",
    "execution.state-recovery.path",
    "execution.runtime-mode",
];

/// Runs the shell.
///
/// # Errors
/// Mistakes in the files of `--with`; no server; what is read from stdin and fails.
pub async fn run(args: &Args) -> Result<()> {
    let files = folder::files(&args.with)?.run;
    let given = Given {
        declares_more: true,
        ..Given::default()
    };
    let Loaded { mut session, .. } = args::load(&files, &args.outside, &JobArgs::default(), given)?;
    for key in OF_THE_JOB {
        let reset = session.settings.reset(key);
        reset.map_err(|e| Error::internal(e.message))?;
    }
    let server = args.server.target().filter(|_| args.with.is_empty());
    let server = match server {
        Some(server) => Some(server.flight().await?),
        None => None,
    };
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let shell = Shell {
        args,
        output: Output::choose(args.output),
        session,
        server,
    };
    if is_interactive {
        shell.talk().await
    } else {
        shell.read().await
    }
}

/// What is typed that is no SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Help,
    Quit,
}

impl Command {
    /// The command that a text is, with or without a semicolon.
    fn of(text: &str) -> Option<Self> {
        let word = text.trim_matches(|c: char| c.is_whitespace() || c == ';');
        match word.to_ascii_lowercase().as_str() {
            "help" => Some(Self::Help),
            "quit" | "exit" => Some(Self::Quit),
            _ => None,
        }
    }
}

/// What is declared and set, and who answers.
struct Shell<'a> {
    args: &'a Args,
    output: Output,
    /// With a server it has only the settings.
    session: Session,
    server: Option<Flight>,
}

impl Shell<'_> {
    /// Answers what is typed, until the person leaves.
    async fn talk(mut self) -> Result<()> {
        let signals = ShellSignals::listen();
        let names = Names::default();
        let mut editor = Editor::new(names.clone(), signals.ended());
        let version = env!("CARGO_PKG_VERSION");
        tell(&format!("flowline {version}. Type 'help;' for help."));
        loop {
            names.learn(&self.session, self.server.as_ref());
            let text = match tokio::task::block_in_place(|| editor.read())? {
                Typed::Text(text) => text,
                Typed::Nothing => continue,
                Typed::End => return Ok(()),
            };
            for statement in pieces(&SourceFile::new(folder::STDIN, text)).statements {
                match Command::of(&statement.text) {
                    Some(Command::Help) => print(HELP)?,
                    Some(Command::Quit) => return Ok(()),
                    None => self.answer_aloud(&statement, signals.statement()).await?,
                }
            }
        }
    }

    /// Answers a statement, and says how long that took or why it failed.
    async fn answer_aloud(
        &mut self,
        statement: &Arc<SourceFile>,
        stop: watch::Receiver<bool>,
    ) -> Result<()> {
        let begun = SystemClock.now();
        match self.answer(statement, stop).await {
            Ok(Some(rows)) if self.output == Output::Table => {
                let took = span(SystemClock.now() - begun);
                print(&format!("{}, {took}\n", count(rows, "row")))?;
            }
            Ok(_) => {}
            Err(error) => tell(report::render(&error).trim_end()),
        }
        Ok(())
    }

    /// Answers what stdin says, up to its end.
    async fn read(mut self) -> Result<()> {
        let mut stop = signals::stop_asked(signals::PATIENCE);
        let mut input = Input::stdin();
        let mut failures = 0;
        let mut first = None;
        while !*stop.borrow() {
            let statement = tokio::select! {
                statement = input.next() => statement?,
                () = signals::asked(&mut stop) => None,
            };
            let Some(statement) = statement else { break };
            match Command::of(&statement.text) {
                Some(Command::Help) => print(HELP)?,
                Some(Command::Quit) => break,
                None => match self.answer(&statement, stop.clone()).await {
                    Err(error) if self.args.keep_going => {
                        tell(report::render(&error).trim_end());
                        failures += 1;
                        first.get_or_insert(error.kind);
                    }
                    answered => drop(answered?),
                },
            }
        }
        match first {
            Some(kind) => Err(Error::new(
                kind,
                format!("{} failed", count(failures, "statement")),
            )),
            None => Ok(()),
        }
    }

    /// Answers a statement, or as much of it as there is until it is asked to stop: so many rows, where rows are its answer.
    async fn answer(
        &mut self,
        statement: &Arc<SourceFile>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Option<u64>> {
        let script = parse_script(statement).map_err(Error::sql)?;
        let Some(kind) = script.statements.first().map(|s| &s.kind) else {
            return Ok(None);
        };
        // What a job of it is called does not depend on what was typed before.
        let alone = SourceFile::new(folder::STDIN, statement.text.trim());
        let (name, origin) = args::default_name(&[alone], &self.args.with);
        self.session.go_on(name, origin);
        let sets = self.sets();
        match (&mut self.server, kind) {
            (_, StatementKind::Set(_) | StatementKind::Reset(_)) => self.declare(statement),
            (Some(server), _) => tokio::select! {
                rows = answers::show_asked(server, &sets, statement, None, self.output) => rows,
                () = signals::asked(&mut stop) => Ok(None),
            },
            (None, StatementKind::Query(_)) if !self.session.settings.is_subscription() => {
                tokio::select! {
                    answers = crate::batch::run(&self.session, statement) => self.show(&answers?),
                    () = signals::asked(&mut stop) => Ok(None),
                }
            }
            (
                None,
                StatementKind::Query(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_),
            ) => {
                messages::say(&self.session.load(statement)?, self.output)?;
                run::job(&self.session, self.output, &self.args.outside, stop).await?;
                Ok(None)
            }
            (None, _) => self.declare(statement),
        }
    }

    /// Takes a statement that the session answers by itself.
    fn declare(&mut self, statement: &Arc<SourceFile>) -> Result<Option<u64>> {
        let said = self.session.declare(statement)?;
        messages::say(&said, self.output)?;
        let rows = said.iter().find_map(|message| match message {
            Message::Rows(_, rows) => Some(rows.len() as u64),
            _ => None,
        });
        Ok(rows)
    }

    fn show(&self, answers: &[Answer]) -> Result<Option<u64>> {
        let mut number = 0;
        for (_, schema, batches) in answers {
            answers::show(None, schema, batches, self.output)?;
            number += batches.iter().map(|b| b.num_rows() as u64).sum::<u64>();
        }
        Ok(Some(number))
    }

    /// What is set, as SETs that a server takes before a statement.
    fn sets(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let all = self.session.settings.iter();
        all.map(|(key, value)| format!("SET {} = {};\n", quoted(key), quoted(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_of_their_own() {
        assert_eq!(Command::of(" Help ;\n"), Some(Command::Help));
        assert_eq!(Command::of("exit"), Some(Command::Quit));
        assert_eq!(Command::of("quit;"), Some(Command::Quit));
        assert_eq!(Command::of("SHOW TABLES;"), None);
    }
}
