//! Java's regular expressions: by the `regex` crate, which takes time in proportion to the text, where it can run a pattern;
//! else by `fancy-regex`, which tries ways one after another as Java does.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use datafusion::common::{Result, exec_datafusion_err};

use crate::java_classes::TERMINATORS;
use crate::java_syntax::{Ends, translate};

/// A pattern that can be run.
#[derive(Debug)]
pub(crate) struct JavaRegex {
    pattern: String,
    whole: bool,
    engine: Engine,
    has_ends: bool,
    /// What looks for the ends of lines as Java does, for the texts that need it.
    exact: OnceCell<Option<Engine>>,
}

#[derive(Debug)]
enum Engine {
    Plain(regex::Regex),
    Fancy(Box<fancy_regex::Regex>),
}

/// The bytes from and to which a match or a group goes.
pub(crate) type Span = (usize, usize);

/// The patterns of this thread that have been compiled last.
const MOST_KNOWN: usize = 64;

thread_local! {
    static KNOWN: RefCell<HashMap<(String, bool), Rc<JavaRegex>>> = RefCell::default();
}

impl JavaRegex {
    /// A pattern that is looked for anywhere in a text; the error says why it cannot be run.
    pub fn new(pattern: &str) -> std::result::Result<Rc<Self>, String> {
        Self::known(pattern, false)
    }

    /// A pattern that a whole text must fit.
    pub fn whole(pattern: &str) -> std::result::Result<Rc<Self>, String> {
        Self::known(pattern, true)
    }

    fn known(pattern: &str, whole: bool) -> std::result::Result<Rc<Self>, String> {
        let key = (pattern.to_string(), whole);
        if let Some(known) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
            return Ok(known);
        }
        let (engine, has_ends) = compiled(pattern, whole, Ends::Simple)?;
        let regex = Rc::new(Self {
            pattern: pattern.to_string(),
            whole,
            engine,
            has_ends,
            exact: OnceCell::new(),
        });
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(key, Rc::clone(&regex));
        });
        Ok(regex)
    }

    fn engine(&self, text: &str) -> Result<&Engine> {
        if !self.has_ends || is_one_line(text) {
            return Ok(&self.engine);
        }
        let exact = self.exact.get_or_init(|| {
            let compiled = compiled(&self.pattern, self.whole, Ends::Exact);
            compiled.ok().map(|(engine, _)| engine)
        });
        let missing = || exec_datafusion_err!("the pattern '{}' cannot be run", self.pattern);
        exact.as_ref().ok_or_else(missing)
    }

    pub fn is_empty(&self) -> bool {
        self.pattern.is_empty()
    }

    /// The number of groups that capture.
    pub fn groups(&self) -> usize {
        match &self.engine {
            Engine::Plain(regex) => regex.captures_len() - 1,
            Engine::Fancy(regex) => regex.captures_len() - 1,
        }
    }

    pub fn is_match(&self, text: &str) -> Result<bool> {
        match self.engine(text)? {
            Engine::Plain(regex) => Ok(regex.is_match(text)),
            Engine::Fancy(regex) => regex.is_match(text).map_err(|e| self.failed(text, &e)),
        }
    }

    /// The first match from a byte on.
    pub fn find_at(&self, text: &str, from: usize) -> Result<Option<Span>> {
        match self.engine(text)? {
            Engine::Plain(regex) => Ok(regex.find_at(text, from).map(|m| (m.start(), m.end()))),
            Engine::Fancy(regex) => match regex.find_from_pos(text, from) {
                Ok(found) => Ok(found.map(|m| (m.start(), m.end()))),
                Err(error) => Err(self.failed(text, &error)),
            },
        }
    }

    /// Of the first match from a byte on: all of it, and what a group has.
    pub fn group_at(
        &self,
        text: &str,
        from: usize,
        group: usize,
    ) -> Result<Option<(Span, Option<Span>)>> {
        if group == 0 {
            let found = self.find_at(text, from)?;
            return Ok(found.map(|span| (span, Some(span))));
        }
        match self.engine(text)? {
            Engine::Plain(regex) => Ok(regex.captures_at(text, from).and_then(|found| {
                let all = found.get(0)?;
                let part = found.get(group).map(|m| (m.start(), m.end()));
                Some(((all.start(), all.end()), part))
            })),
            Engine::Fancy(regex) => match regex.captures_from_pos(text, from) {
                Ok(found) => Ok(found.and_then(|found| {
                    let all = found.get(0)?;
                    let part = found.get(group).map(|m| (m.start(), m.end()));
                    Some(((all.start(), all.end()), part))
                })),
                Err(error) => Err(self.failed(text, &error)),
            },
        }
    }

    /// Calls `each` with every match and what a group of it has. As in Java, an empty match may follow right after another.
    pub fn for_each(
        &self,
        text: &str,
        group: usize,
        mut each: impl FnMut(Span, Option<Span>) -> Result<()>,
    ) -> Result<()> {
        let mut from = 0;
        while let Some((all, part)) = self.group_at(text, from, group)? {
            each(all, part)?;
            from = all.1;
            if all.0 == all.1 {
                match text[from..].chars().next() {
                    Some(c) => from += c.len_utf8(),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The parts between the matches, at most `limit` where it is above 0, as Java's `split`: no empty part before an empty
    /// match at the beginning, and without a limit no empty parts at the end.
    pub fn split<'t>(&self, text: &'t str, limit: usize) -> Result<Vec<&'t str>> {
        let mut parts = Vec::new();
        let mut from = 0;
        self.for_each(text, 0, |(start, end), _| {
            let is_first_of_all = end == 0;
            if !is_first_of_all && (limit == 0 || parts.len() + 1 < limit) {
                parts.push(&text[from..start]);
                from = end;
            }
            Ok(())
        })?;
        if parts.is_empty() {
            return Ok(vec![text]);
        }
        parts.push(&text[from..]);
        while limit == 0 && parts.last().is_some_and(|p| p.is_empty()) {
            parts.pop();
        }
        Ok(parts)
    }

    fn failed(
        &self,
        text: &str,
        error: &fancy_regex::Error,
    ) -> datafusion::common::DataFusionError {
        exec_datafusion_err!(
            "the pattern '{}' cannot be run on a text of {} bytes: {error}; write it so that there are fewer ways to match",
            self.pattern,
            text.len()
        )
    }
}

/// Whether what the `regex` crate knows of the ends of lines is enough for a text.
fn is_one_line(text: &str) -> bool {
    let rare = ['\u{85}', '\u{2028}', '\u{2029}'];
    !text.is_empty() && !text.ends_with(TERMINATORS) && (text.is_ascii() || !text.contains(rare))
}

fn compiled(pattern: &str, whole: bool, ends: Ends) -> std::result::Result<(Engine, bool), String> {
    let translated = translate(pattern, ends)?;
    let text = if whole {
        format!(r"\A(?:{})\z", translated.text)
    } else {
        translated.text
    };
    let engine = if translated.is_fancy {
        let regex = fancy_regex::Regex::new(&text).map_err(|error| error.to_string())?;
        Engine::Fancy(Box::new(regex))
    } else {
        let regex = regex::Regex::new(&text).map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes"),
            other => other.to_string(),
        })?;
        Engine::Plain(regex)
    };
    Ok((engine, translated.has_ends))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "java_regex_tests.rs"]
mod tests;
