//! Java's regular expressions written in the syntax of the `regex` and `fancy-regex` crates. No flag is left in what is written:
//! each part says by itself what it matches.

use std::iter::Peekable;
use std::str::Chars;

use crate::java_classes::{self as classes, Escaped, Flags, TERMINATORS};

/// A pattern in the syntax of the crates.
#[derive(Debug)]
pub(crate) struct Translated {
    pub text: String,
    /// Whether it has look-around, back references and such, which the `regex` crate has not.
    pub is_fancy: bool,
    /// Whether the ends of lines play a role in it.
    pub has_ends: bool,
}

/// How `$`, `\Z` and, by `(?m)`, `^` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// By what the `regex` crate has. Right for texts that do not end a line at their end and have no lines that end by
    /// anything but `\n` and `\r`.
    Simple,
    /// As Java has them, by looking around.
    Exact,
}

/// Translates a pattern, or says why it cannot be run.
pub(crate) fn translate(pattern: &str, ends: Ends) -> Result<Translated, String> {
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        flags: Flags::default(),
        ends,
        all_groups: count_groups(pattern),
        is_fancy: false,
        has_ends: false,
        depth: 0,
    };
    parser.alternatives()?;
    if parser.rest.peek().is_some() {
        return Err("a ')' closes nothing".into());
    }
    Ok(Translated {
        text: parser.out,
        is_fancy: parser.is_fancy,
        has_ends: parser.has_ends,
    })
}

pub(crate) type Parsed = Result<(), String>;

pub(crate) struct Parser<'a> {
    pub(crate) rest: Peekable<Chars<'a>>,
    out: String,
    pub(crate) flags: Flags,
    ends: Ends,
    all_groups: usize,
    is_fancy: bool,
    has_ends: bool,
    /// How many groups and classes are open.
    depth: usize,
}

/// How deep groups and classes may nest.
const MAX_DEPTH: usize = 200;

/// How many groups that capture a pattern has, roughly: escapes and classes are left out.
fn count_groups(pattern: &str) -> usize {
    let (mut groups, mut in_class) = (0, 0_usize);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' => in_class += 1,
            ']' => in_class = in_class.saturating_sub(1),
            '(' if in_class == 0 => {
                let mut ahead = chars.clone();
                let captures = match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('?'), Some('<'), Some(c)) => !matches!(c, '=' | '!'),
                    (Some('?'), ..) => false,
                    _ => true,
                };
                groups += usize::from(captures);
            }
            _ => {}
        }
    }
    groups
}

impl Parser<'_> {
    /// Reads what is inside of a group or a class.
    pub(crate) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("it nests more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn alternatives(&mut self) -> Parsed {
        loop {
            self.sequence()?;
            match self.rest.peek() {
                Some('|') => {
                    self.rest.next();
                    self.out.push('|');
                }
                _ => return Ok(()),
            }
        }
    }

    pub(crate) fn skip_comments(&mut self) {
        if !self.flags.comments {
            return;
        }
        while let Some(&c) = self.rest.peek() {
            if c == '#' {
                while self.rest.next_if(|c| !TERMINATORS.contains(c)).is_some() {}
            } else if c.is_ascii_whitespace() || c == '\u{b}' {
                self.rest.next();
            } else {
                return;
            }
        }
    }

    fn sequence(&mut self) -> Parsed {
        loop {
            self.skip_comments();
            let start = self.out.len();
            match self.rest.peek().copied() {
                None | Some('|' | ')') => return Ok(()),
                Some(c @ ('*' | '+' | '?')) => return Err(format!("a '{c}' repeats nothing")),
                Some('{') => {
                    return Err("a '{' repeats nothing; write \\{ for the character".into());
                }
                Some(_) => {}
            }
            if self.atom()? {
                self.quantifier(start)?;
            }
        }
    }

    /// Writes one atom; says whether it may be repeated.
    fn atom(&mut self) -> Result<bool, String> {
        match self.rest.next() {
            Some('(') => return self.group(),
            Some('[') => {
                let class = self.class()?;
                self.out.push_str(&class);
            }
            Some('.') => self.dot(),
            Some('^') if self.flags.multi_line => self.line_start(),
            Some('^') => self.out.push_str(r"\A"),
            Some('$') => self.line_end(self.flags.multi_line),
            Some('\\') => return self.escape(),
            Some(c) => self.literal(c),
            None => return Ok(false),
        }
        Ok(true)
    }

    fn literal(&mut self, c: char) {
        classes::literal(&mut self.out, c, self.flags);
    }

    fn dot(&mut self) {
        self.out
            .push_str(match (self.flags.dot_all, self.flags.unix_lines) {
                (true, _) => "(?s:.)",
                (false, true) => r"[^\n]",
                (false, false) => r"[^\n\r\x{85}\x{2028}\x{2029}]",
            });
    }

    fn line_start(&mut self) {
        self.has_ends = true;
        self.write_end(
            if self.flags.unix_lines {
                "(?m:^)"
            } else {
                "(?mR:^)"
            },
            if self.flags.unix_lines {
                r"(?:(?:\A|(?<=\n))(?!\z))"
            } else {
                r"(?:(?:\A|(?<=[\n\x{85}\x{2028}\x{2029}])|(?<=\r)(?!\n))(?!\z))"
            },
        );
    }

    fn line_end(&mut self, each: bool) {
        self.has_ends = true;
        let (simple, exact) = match (each, self.flags.unix_lines) {
            (false, true) => (r"\z", r"(?=\n?\z)"),
            (false, false) => (
                r"\z",
                r"(?=(?:\r\n|[\r\x{85}\x{2028}\x{2029}]|(?<!\r)\n)?\z)",
            ),
            (true, true) => ("(?m:$)", r"(?=\n|\z)"),
            (true, false) => ("(?mR:$)", r"(?=[\r\x{85}\x{2028}\x{2029}]|(?<!\r)\n|\z)"),
        };
        self.write_end(simple, exact);
    }

    fn write_end(&mut self, simple: &str, exact: &str) {
        match self.ends {
            Ends::Simple => self.out.push_str(simple),
            Ends::Exact => {
                self.is_fancy = true;
                self.out.push_str(exact);
            }
        }
    }

    fn group(&mut self) -> Result<bool, String> {
        let before = self.flags;
        if self.rest.next_if_eq(&'?').is_none() {
            self.out.push('(');
        } else {
            match self.rest.next() {
                Some(':') => self.out.push_str("(?:"),
                Some(c @ ('=' | '!' | '>')) => {
                    self.is_fancy = true;
                    self.out.push_str("(?");
                    self.out.push(c);
                }
                Some('<') => match self.rest.next_if(|c| matches!(c, '=' | '!')) {
                    Some(c) => {
                        self.is_fancy = true;
                        self.out.push_str("(?<");
                        self.out.push(c);
                    }
                    None => {
                        let name = self.name('>')?;
                        self.out.push_str("(?P<");
                        self.out.push_str(&name);
                        self.out.push('>');
                    }
                },
                Some(c) => {
                    if !self.inline_flags(c)? {
                        return Ok(false);
                    }
                    self.out.push_str("(?:");
                }
                None => return Err("a '(?' ends the pattern".into()),
            }
        }
        self.deeper(Self::alternatives)?;
        if self.rest.next() != Some(')') {
            return Err("a '(' is not closed".into());
        }
        self.out.push(')');
        self.flags = before;
        Ok(true)
    }

    /// `(?i-m)` or `(?i-m:`; says whether a group follows.
    fn inline_flags(&mut self, first: char) -> Result<bool, String> {
        let (mut on, mut next) = (true, Some(first));
        let mut flags = self.flags;
        loop {
            match next {
                Some('-') if on => on = false,
                Some(')') => {
                    self.flags = flags;
                    return Ok(false);
                }
                Some(':') => {
                    self.flags = flags;
                    return Ok(true);
                }
                Some(flag) => flags.set(flag, on)?,
                None => return Err("a '(?' is not closed".into()),
            }
            next = self.rest.next();
        }
    }

    fn name(&mut self, end: char) -> Result<String, String> {
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some(c) if c == end && !name.is_empty() => return Ok(name),
                Some(c) if c.is_ascii_alphabetic() || (c.is_ascii_digit() && !name.is_empty()) => {
                    name.push(c);
                }
                _ => return Err("a group's name has ASCII letters and digits only".into()),
            }
        }
    }

    /// `*`, `+`, `?`, `{n,m}`, then `?` for as few as possible or `+` for giving nothing back.
    fn quantifier(&mut self, start: usize) -> Parsed {
        self.skip_comments();
        let mut count = String::new();
        match self.rest.peek() {
            Some(c @ ('*' | '+' | '?')) => {
                count.push(*c);
                self.rest.next();
            }
            Some('{') => {
                self.rest.next();
                count = self.counts()?;
            }
            _ => return Ok(()),
        }
        match self.rest.peek() {
            Some('?') => {
                self.rest.next();
                count.push('?');
            }
            Some('+') => {
                self.rest.next();
                self.is_fancy = true;
                self.out.insert_str(start, "(?>");
                count.push(')');
            }
            _ => {}
        }
        self.out.push_str(&count);
        Ok(())
    }

    fn counts(&mut self) -> Result<String, String> {
        let wrong = || "a '{' is followed by no number of times; write \\{ for the character";
        let least = self.digits(10, usize::MAX);
        let mut text = format!("{{{}", least.clone().ok_or_else(wrong)?);
        if self.rest.next_if_eq(&',').is_some() {
            text.push(',');
            if let Some(most) = self.digits(10, usize::MAX) {
                let number = |digits: &str| digits.parse::<u32>().ok();
                if number(&most) < least.as_deref().and_then(number) {
                    return Err(format!("{text}{most}}} has the larger number first"));
                }
                text.push_str(&most);
            }
        }
        if self.rest.next() != Some('}') {
            return Err(wrong().into());
        }
        text.push('}');
        Ok(text)
    }

    pub(crate) fn digits(&mut self, radix: u32, most: usize) -> Option<String> {
        let mut digits = String::new();
        while digits.len() < most {
            match self.rest.next_if(|c| c.is_digit(radix)) {
                Some(c) => digits.push(c),
                None => break,
            }
        }
        (!digits.is_empty()).then_some(digits)
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<bool, String> {
        match self.rest.peek().copied() {
            None => return Err("a backslash ends the pattern".into()),
            Some('A') => self.anchor(r"\A"),
            Some('z') => self.anchor(r"\z"),
            Some('Z') => {
                self.rest.next();
                self.line_end(false);
            }
            Some('G') => {
                self.is_fancy = true;
                self.anchor(r"\G");
            }
            // Java's word boundary knows the letters of all languages, though \w does not.
            Some('b') => self.anchor(r"\b"),
            Some('B') => self.anchor(r"\B"),
            Some('R') => self.anchor(r"(?:\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])"),
            Some('Q') => {
                self.rest.next();
                return self.quoted();
            }
            Some('E') => {
                self.rest.next();
                return Ok(false);
            }
            Some('k') => {
                self.rest.next();
                if self.rest.next() != Some('<') {
                    return Err("\\k is followed by a name: \\k<name>".into());
                }
                let name = self.name('>')?;
                self.reference(&format!("\\k<{name}>"));
            }
            Some(c @ '1'..='9') => {
                self.rest.next();
                let mut number = c as usize - '0' as usize;
                while let Some(&digit @ '0'..='9') = self.rest.peek() {
                    let longer = number * 10 + (digit as usize - '0' as usize);
                    if longer > self.all_groups {
                        break;
                    }
                    number = longer;
                    self.rest.next();
                }
                if number > self.all_groups {
                    return Err(format!("there is no group {number}"));
                }
                self.reference(&format!("\\{number}"));
            }
            Some(_) => match self.class_escape()? {
                Escaped::Char(c) => self.literal(c),
                Escaped::Class(class) => self.out.push_str(&class),
            },
        }
        Ok(true)
    }

    fn anchor(&mut self, text: &str) {
        self.rest.next();
        self.out.push_str(text);
    }

    fn reference(&mut self, text: &str) {
        self.is_fancy = true;
        let case = if self.flags.ignore_case { "i" } else { "" };
        self.out.push_str(&format!("(?{case}:{text})"));
    }

    /// The characters between `\Q` and `\E`; the last one may be repeated.
    fn quoted(&mut self) -> Result<bool, String> {
        let mut last: Option<char> = None;
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                break;
            }
            if let Some(c) = last.replace(c) {
                self.literal(c);
            }
        }
        if let Some(c) = last {
            let start = self.out.len();
            self.literal(c);
            self.quantifier(start)?;
        }
        // It has been repeated already.
        Ok(false)
    }
}
