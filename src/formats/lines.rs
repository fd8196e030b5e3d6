//! Records that are lines.

use std::ops::Range;

use super::Framer;

/// One record a line: ended by `\n`, a `\r` before it removed; the last line may lack its end.
pub(super) struct Lines {
    /// Whether empty lines are no records.
    pub(super) skip_empty: bool,
}

impl Framer for Lines {
    fn frames(&self, buffer: &[u8], at_end: bool, frames: &mut Vec<Range<usize>>) -> usize {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', buffer) {
            self.line(buffer, start..end, frames);
            start = end + 1;
        }
        if at_end && start < buffer.len() {
            self.line(buffer, start..buffer.len(), frames);
            start = buffer.len();
        }
        start
    }
}

impl Lines {
    fn line(&self, buffer: &[u8], line: Range<usize>, frames: &mut Vec<Range<usize>>) {
        let line = without_return(buffer, line);
        if !(self.skip_empty && line.is_empty()) {
            frames.push(line);
        }
    }
}

/// The line without the `\r` of a `\r\n`.
pub(super) fn without_return(buffer: &[u8], line: Range<usize>) -> Range<usize> {
    match buffer.get(line.clone()) {
        Some([.., b'\r']) => line.start..line.end - 1,
        _ => line,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(super) mod tests {
    use super::*;

    /// All records of `text`, fed in pieces that grow by `step` bytes.
    pub(in crate::formats) fn records(
        framer: &dyn Framer,
        text: &[u8],
        step: usize,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let (mut start, mut end) = (0, 0);
        loop {
            end = (end + step).min(text.len());
            let mut frames = Vec::new();
            let used = framer.frames(&text[start..end], end == text.len(), &mut frames);
            for frame in frames {
                assert!(frame.end <= used);
                found.push(String::from_utf8_lossy(&text[start..end][frame]).into_owned());
            }
            start += used;
            if end == text.len() {
                assert_eq!(start, end);
                return found;
            }
        }
    }

    #[test]
    fn lines_are_found_whatever_the_pieces() {
        for (text, all, filled) in [
            ("a\nb\r\n\nc", vec!["a", "b", "", "c"], vec!["a", "b", "c"]),
            ("a\n", vec!["a"], vec!["a"]),
            ("", vec![], vec![]),
            ("\r\n\n", vec!["", ""], vec![]),
            ("a\rb\n", vec!["a\rb"], vec!["a\rb"]),
        ] {
            for step in 1..=text.len().max(1) {
                assert_eq!(
                    records(&Lines { skip_empty: false }, text.as_bytes(), step),
                    all
                );
                assert_eq!(
                    records(&Lines { skip_empty: true }, text.as_bytes(), step),
                    filled
                );
            }
        }
    }
}
