//! The parts of Java's regular expressions that stand for characters: escapes and classes.

use crate::java_classes::{self as classes, Escaped};
use crate::java_syntax::{Parsed, Parser};

impl Parser<'_> {
    /// What follows a backslash in a class, or outside of one where it means the same.
    pub(crate) fn class_escape(&mut self) -> Result<Escaped, String> {
        let Some(c) = self.rest.next() else {
            return Err("a backslash ends the pattern".into());
        };
        Ok(match c {
            't' => Escaped::Char('\t'),
            'n' => Escaped::Char('\n'),
            'r' => Escaped::Char('\r'),
            'f' => Escaped::Char('\u{c}'),
            'a' => Escaped::Char('\u{7}'),
            'e' => Escaped::Char('\u{1b}'),
            'c' => match self.rest.next() {
                Some(c) if c.is_ascii() => Escaped::Char(char::from(c as u8 ^ 64)),
                _ => return Err("\\c is followed by a letter".into()),
            },
            '0' => {
                let most = match self.rest.peek() {
                    Some('0'..='3') => 3,
                    _ => 2,
                };
                self.code(8, 1, most, "\\0")?
            }
            'x' if self.rest.next_if_eq(&'{').is_some() => {
                let code = self.code(16, 1, 8, "\\x{")?;
                if self.rest.next() != Some('}') {
                    return Err("\\x{ is not closed".into());
                }
                code
            }
            'x' => self.code(16, 2, 2, "\\x")?,
            'u' => self.unit()?,
            'p' | 'P' => {
                let name = match self.rest.next() {
                    Some('{') => {
                        let mut name = String::new();
                        while let Some(c) = self.rest.next_if(|c| *c != '}') {
                            name.push(c);
                        }
                        if self.rest.next().is_none() {
                            return Err(format!("\\{c}{{ is not closed"));
                        }
                        name
                    }
                    Some(one) => one.to_string(),
                    None => return Err(format!("\\{c} is followed by a name")),
                };
                let class = classes::property(&name, self.flags)
                    .ok_or_else(|| format!("the class \\{c}{{{name}}} is not known"))?;
                Escaped::Class(if c == 'P' {
                    format!("[^{class}]")
                } else {
                    class
                })
            }
            c if c.is_ascii_alphabetic() => match classes::shorthand(c, self.flags) {
                Some(class) => Escaped::Class(class.into()),
                None => return Err(format!("\\{c} is not known")),
            },
            other => Escaped::Char(other),
        })
    }

    fn code(
        &mut self,
        radix: u32,
        least: usize,
        most: usize,
        what: &str,
    ) -> Result<Escaped, String> {
        let digits = self.digits(radix, most).filter(|d| d.len() >= least);
        let code = digits.and_then(|d| u32::from_str_radix(&d, radix).ok());
        match code.and_then(char::from_u32) {
            Some(c) => Ok(Escaped::Char(c)),
            None => Err(format!("{what} is followed by no character's code")),
        }
    }

    /// `\uXXXX`, or a pair of them for one character.
    fn unit(&mut self) -> Result<Escaped, String> {
        let wrong = "\\u is followed by no character's code";
        let mut unit = || {
            let digits = self.digits(16, 4).filter(|d| d.len() == 4);
            digits.and_then(|d| u16::from_str_radix(&d, 16).ok())
        };
        let mut units = vec![unit().ok_or(wrong)?];
        if (0xD800..0xDC00).contains(&units[0]) {
            if self.rest.next() != Some('\\') || self.rest.next() != Some('u') {
                return Err(wrong.into());
            }
            let digits = self.digits(16, 4).filter(|d| d.len() == 4);
            let low = digits.and_then(|d| u16::from_str_radix(&d, 16).ok());
            units.push(low.ok_or(wrong)?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok(Escaped::Char(c)),
            _ => Err(wrong.into()),
        }
    }

    /// A class, after its `[`.
    pub(crate) fn class(&mut self) -> Result<String, String> {
        let mut out = String::from("[");
        if self.rest.next_if_eq(&'^').is_some() {
            out.push('^');
        }
        let mut first = true;
        // Whether something stands before an `&&`.
        let mut any = false;
        loop {
            self.skip_comments();
            let Some(c) = self.rest.next() else {
                return Err("a '[' is not closed".into());
            };
            match c {
                ']' if !first => break,
                '[' => {
                    out.push_str(&self.deeper(Self::class)?);
                    any = true;
                }
                '&' if self.rest.peek() == Some(&'&') => {
                    while self.rest.next_if_eq(&'&').is_some() {}
                    if any && !matches!(self.rest.peek(), Some(']')) {
                        out.push_str("&&");
                        any = false;
                    }
                }
                '\\' if self.rest.peek() == Some(&'Q') => {
                    self.rest.next();
                    while let Some(c) = self.rest.next() {
                        if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                            break;
                        }
                        classes::range(&mut out, c, c, self.flags);
                        any = true;
                    }
                }
                c => {
                    self.class_item(c, &mut out)?;
                    any = true;
                }
            }
            first = false;
        }
        out.push(']');
        Ok(out)
    }

    /// A character, a range or an escape in a class.
    fn class_item(&mut self, c: char, out: &mut String) -> Parsed {
        let from = match c {
            '\\' => match self.class_escape()? {
                Escaped::Char(c) => c,
                Escaped::Class(class) => {
                    out.push_str(&class);
                    return Ok(());
                }
            },
            c => c,
        };
        let mut ahead = self.rest.clone();
        let is_range = ahead.next() == Some('-') && !matches!(ahead.next(), Some(']' | '[') | None);
        if !is_range {
            classes::range(out, from, from, self.flags);
            return Ok(());
        }
        self.rest.next();
        let to = match self.rest.next() {
            Some('\\') => match self.class_escape()? {
                Escaped::Char(c) => c,
                Escaped::Class(_) => return Err("a range ends in a class".into()),
            },
            Some(c) => c,
            None => return Err("a '[' is not closed".into()),
        };
        if from > to {
            return Err(format!(
                "the range {from}-{to} has the larger character first"
            ));
        }
        classes::range(out, from, to, self.flags);
        Ok(())
    }
}
