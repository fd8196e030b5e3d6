//! Finds the records of a CSV file: lines, save that a quoted field may go on over line ends.

use std::ops::Range;

use super::super::{Framer, lines};
use super::CsvOptions;

pub(super) struct Records {
    options: CsvOptions,
    delimiter: Vec<u8>,
    quote: Option<Vec<u8>>,
    escape: Option<Vec<u8>>,
}

/// The UTF-8 bytes of a character.
pub(super) fn bytes_of(c: char) -> Vec<u8> {
    c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()
}

/// Whether `mark` stands at `at`.
pub(super) fn is_at(text: &[u8], at: usize, mark: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

impl Records {
    pub(super) fn new(options: CsvOptions) -> Self {
        Self {
            delimiter: bytes_of(options.delimiter),
            quote: options.quote.map(bytes_of),
            escape: options.escape.map(bytes_of),
            options,
        }
    }

    /// The place of the line end that ends the record which begins at `start`.
    fn end(&self, text: &[u8], start: usize) -> Option<usize> {
        let line_end = start + memchr::memchr(b'\n', text.get(start..)?)?;
        let line = text.get(start..line_end)?;
        let has = |mark: &Option<Vec<u8>>| {
            mark.as_ref().is_some_and(|mark| match mark[..] {
                [byte] => memchr::memchr(byte, line).is_some(),
                _ => memchr::memmem::find(line, mark).is_some(),
            })
        };
        if !has(&self.quote) && !has(&self.escape) {
            return Some(line_end);
        }
        let blank = line
            .iter()
            .take_while(|b| **b == b' ' || **b == b'\t')
            .count();
        if self.options.comments && line.get(blank) == Some(&b'#') {
            return Some(line_end);
        }
        self.walk(text, start)
    }

    fn walk(&self, text: &[u8], mut at: usize) -> Option<usize> {
        let mut field_start = true;
        loop {
            let byte = *text.get(at)?;
            if let Some(escape) = self.escape.as_ref().filter(|e| is_at(text, at, e)) {
                at += escape.len() + 1;
                field_start = false;
            } else if let Some(quote) = self
                .quote
                .as_ref()
                .filter(|q| field_start && is_at(text, at, q))
            {
                at = self.closing(text, at + quote.len(), quote)?;
                field_start = false;
            } else if byte == b'\n' {
                return Some(at);
            } else if is_at(text, at, &self.delimiter) {
                at += self.delimiter.len();
                field_start = true;
            } else {
                field_start &= self.options.trim_spaces && byte <= b' ';
                at += 1;
            }
        }
    }

    /// The place after the quote that closes the field whose text begins at `at`.
    fn closing(&self, text: &[u8], mut at: usize, quote: &[u8]) -> Option<usize> {
        loop {
            if let Some(escape) = self.escape.as_ref().filter(|e| is_at(text, at, e)) {
                at += escape.len() + 1;
            } else if is_at(text, at, quote) {
                at += quote.len();
                if !is_at(text, at, quote) {
                    return Some(at);
                }
                at += quote.len();
            } else if at < text.len() {
                at += 1;
            } else {
                return None;
            }
        }
    }
}

impl Framer for Records {
    fn frames(&self, buffer: &[u8], at_end: bool, frames: &mut Vec<Range<usize>>) -> usize {
        let mut start = 0;
        while let Some(end) = self.end(buffer, start) {
            frames.push(lines::without_return(buffer, start..end));
            start = end + 1;
        }
        if at_end && start < buffer.len() {
            // The last record may lack its line end; it may also have one inside a quote that never closes.
            let rest = start..buffer.len();
            let text = lines::without_return(
                buffer,
                match buffer.get(rest.clone()) {
                    Some([.., b'\n']) => rest.start..rest.end - 1,
                    _ => rest,
                },
            );
            frames.push(text);
            start = buffer.len();
        }
        start
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::super::lines::tests::records;
    use super::super::tests::csv;

    #[test]
    fn records_end_outside_quotes() {
        for (options, text, expected) in [
            (
                &[][..],
                "1,x\r\n\n2,\"y\nz\"\n3,a\"b\n\"q\"\"\n\",1\nlast",
                vec!["1,x", "", "2,\"y\nz\"", "3,a\"b", "\"q\"\"\n\",1", "last"],
            ),
            (&[], "1,\"open\n2,x\n", vec!["1,\"open\n2,x"]),
            (&[], "1, \"a\n2,b\n", vec!["1, \"a", "2,b"]),
            (
                &[("csv.trim-spaces", "true")],
                "1, \"a\n2\",b\n",
                vec!["1, \"a\n2\",b"],
            ),
            (
                &[("csv.disable-quote-character", "true")],
                "1,\"a\n2\n",
                vec!["1,\"a", "2"],
            ),
            (
                &[("csv.allow-comments", "true")],
                " #it's \"open\n1,x\n",
                vec![" #it's \"open", "1,x"],
            ),
            (
                &[("csv.escape-character", "\\")],
                "1,\"a\\\"\nb\"\n2,c\\\nd\n",
                vec!["1,\"a\\\"\nb\"", "2,c\\\nd"],
            ),
            (
                &[("csv.quote-character", "'")],
                "1,'a\nb'\n",
                vec!["1,'a\nb'"],
            ),
            (
                &[("csv.field-delimiter", "€")],
                "1€\"a\nb\"\n2€c\n",
                vec!["1€\"a\nb\"", "2€c"],
            ),
        ] {
            let format = csv(&[("a", "INT"), ("b", "STRING")], options);
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(
                    records(&*format.framer(), text.as_bytes(), step),
                    expected,
                    "{text:?}"
                );
            }
        }
    }
}
