//! Statements that are read from stdin, each as soon as it is whole.

use std::collections::VecDeque;
use std::io::BufRead as _;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cli::folder;
use crate::error::{Error, Result};
use crate::sql::{SourceFile, pieces};

/// What comes from stdin.
pub struct Input {
    lines: mpsc::Receiver<Result<String>>,
    /// Line breaks for what was answered, so that places count from the beginning, and then what is not whole yet.
    text: String,
    whole: VecDeque<Arc<SourceFile>>,
}

impl Input {
    /// From stdin.
    pub fn stdin() -> Self {
        let (send, lines) = mpsc::channel(1);
        // Whoever waits for a line may go away meanwhile.
        std::thread::spawn(move || {
            let mut number = 0;
            loop {
                number += 1;
                let read = line(number);
                let is_last = !matches!(read, Ok(Some(_)));
                let sent = read
                    .transpose()
                    .is_none_or(|line| send.blocking_send(line).is_err());
                if is_last || sent {
                    return;
                }
            }
        });
        Self {
            lines,
            text: String::new(),
            whole: VecDeque::new(),
        }
    }

    /// The next statement; `None`: there is none left.
    ///
    /// # Errors
    /// stdin cannot be read.
    pub async fn next(&mut self) -> Result<Option<Arc<SourceFile>>> {
        while self.whole.is_empty() {
            let Some(line) = self.lines.recv().await else {
                self.cut(true);
                break;
            };
            let line = line?;
            self.text.push_str(&line);
            if line.contains(';') {
                self.cut(false);
            }
        }
        Ok(self.whole.pop_front())
    }

    /// Takes the statements out of the text; the last one of all may lack its semicolon.
    fn cut(&mut self, is_end: bool) {
        let file = SourceFile::new(folder::STDIN, std::mem::take(&mut self.text));
        let cut = pieces(&file);
        if cut.is_whole || is_end {
            self.text = "\n".repeat(file.text.matches('\n').count());
            self.whole.extend(cut.statements);
        } else {
            self.text.clone_from(&file.text);
        }
    }
}

/// A line with its end; `None`: there is none left.
fn line(number: u64) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_until(b'\n', &mut bytes);
    let length = read.map_err(|e| Error::usage("cannot read stdin").caused_by(e))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::usage(format!(
            "{}:{number}: this line is not UTF-8",
            folder::STDIN
        ))
        .with_help("write it as UTF-8")
    })?;
    Ok(Some(text).filter(|_| length > 0))
}
