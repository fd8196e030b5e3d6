//! The line editor: the prompt, when a statement is whole, what is coloured, which keys do what.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, Emacs, Highlighter, KeyCode, KeyModifiers, MenuBuilder as _, Prompt,
    PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent,
    ReedlineMenu, Signal, StyledText, ValidationResult, Validator, default_emacs_keybindings,
};

use super::Command;
use super::complete::Names;
use super::history::Kept;
use crate::cli::{folder, messages, report};
use crate::error::{Error, Result};
use crate::sql::{Look, SourceFile, looks, pieces};

/// What the menu of completions is called.
const COMPLETIONS: &str = "completions";

/// The end of the prompt, also while completions are offered.
const PROMPT_END: &str = "> ";

/// What somebody has typed.
pub enum Typed {
    /// Statements.
    Text(String),
    /// Ctrl-C: the line is cleared.
    Nothing,
    /// Ctrl-D, or a signal to end.
    End,
}

/// Reads what is typed.
pub struct Editor(Reedline);

impl Editor {
    /// Completes these names; reads until `ended` becomes true.
    pub fn new(names: Names, ended: Arc<AtomicBool>) -> Self {
        let mut keys = default_emacs_keybindings();
        let complete = vec![
            ReedlineEvent::Menu(COMPLETIONS.into()),
            ReedlineEvent::MenuNext,
        ];
        let complete = ReedlineEvent::UntilFound(complete);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
        let menu = ColumnarMenu::default()
            .with_name(COMPLETIONS)
            .with_marker(PROMPT_END);
        let mut editor = Reedline::create()
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_completer(Box::new(names))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_validator(Box::new(Whole))
            .with_highlighter(Box::new(Coloured))
            .with_ansi_colors(report::has_colour())
            .use_bracketed_paste(true)
            .with_break_signal(ended);
        match Kept::open() {
            Ok(kept) => editor = editor.with_history(Box::new(kept)),
            Err(why) => messages::note(&format!("what is typed is not kept: {why}")),
        }
        Self(editor)
    }

    /// What is typed next.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn read(&mut self) -> Result<Typed> {
        let signal = self.0.read_line(&FlowlinePrompt);
        Ok(match signal {
            Ok(Signal::Success(text)) => {
                // So that it is there after a kill; if it cannot be written the shell is none the worse.
                let _ = self.0.sync_history();
                Typed::Text(text)
            }
            Ok(Signal::CtrlD | Signal::ExternalBreak(_)) => Typed::End,
            Ok(_) => Typed::Nothing,
            Err(e) => return Err(Error::external("the terminal cannot be read").caused_by(e)),
        })
    }
}

/// Says when a statement is whole.
struct Whole;

impl Validator for Whole {
    fn validate(&self, text: &str) -> ValidationResult {
        let is_whole = || pieces(&SourceFile::new(folder::STDIN, text)).is_whole;
        if Command::of(text).is_some() || is_whole() {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

/// Colours SQL.
struct Coloured;

impl Highlighter for Coloured {
    fn highlight(&self, text: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        for (part, look) in looks(text) {
            let style = match look {
                Look::Keyword => Style::new().fg(Color::Cyan),
                Look::Text => Style::new().fg(Color::Green),
                Look::Number => Style::new().fg(Color::Yellow),
                Look::Comment => Style::new().dimmed(),
                Look::Plain => Style::new(),
            };
            styled.push((style, text.get(part).unwrap_or_default().to_string()));
        }
        styled
    }
}

/// `flowline> `, and as much room on the lines that follow.
struct FlowlinePrompt;

impl Prompt for FlowlinePrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "flowline".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        PROMPT_END.into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "       > ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let what = match search.status {
            PromptHistorySearchStatus::Passing => "search",
            PromptHistorySearchStatus::Failing => "not found",
        };
        format!("({what}: {}) ", search.term).into()
    }
}
