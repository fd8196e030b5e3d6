//! Which field a key names, found without hashing where rows have their keys in the same order.

use std::collections::HashMap;

use super::scan::{self, MAX_DEPTH, Slot, Syntax, byte, space};

/// Keys remembered of earlier rows, at most.
const REMEMBERED: usize = 256;
/// How far ahead of the expected key to look: keys that this row leaves out.
const AHEAD: usize = 4;
/// Up to this many fields are compared one by one.
const FEW: usize = 8;

/// The fields wanted of an object, and where the current object has them.
pub(super) struct Keys {
    names: Vec<Box<[u8]>>,
    by_name: HashMap<Box<[u8]>, usize>,
    /// The keys of earlier objects in their order.
    seen: Vec<Seen>,
    /// One slot a field, filled by [`Keys::object`].
    pub(super) slots: Vec<Slot>,
    unescaped: Vec<u8>,
}

/// A key as it is written in a document, closing quote included, and the field it names.
struct Seen {
    quoted: Box<[u8]>,
    /// The first 16 bytes as two words, and which bits of them count.
    words: [u64; 2],
    masks: [u64; 2],
    field: Option<usize>,
}

impl Seen {
    fn new(quoted: &[u8], field: Option<usize>) -> Self {
        let mut head = [0u8; 16];
        let mut mask = [0u8; 16];
        for (i, byte) in quoted.iter().take(16).enumerate() {
            head[i] = *byte;
            mask[i] = 0xFF;
        }
        Self {
            quoted: quoted.into(),
            words: words(&head),
            masks: words(&mask),
            field,
        }
    }

    /// Whether `rest`, whose first words are `head`, begins with this key.
    #[inline(always)]
    fn begins(&self, head: [u64; 2], rest: &[u8]) -> bool {
        let differ =
            (head[0] ^ self.words[0]) & self.masks[0] | (head[1] ^ self.words[1]) & self.masks[1];
        differ == 0 && (self.quoted.len() <= 16 || rest.starts_with(&self.quoted))
    }
}

#[inline(always)]
fn words(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}

impl Keys {
    /// The keys `names`, which differ.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<Box<[u8]>> = names.into_iter().map(|n| n.as_bytes().into()).collect();
        let by_name = match names.len() > FEW {
            true => names
                .iter()
                .enumerate()
                .map(|(i, n)| (n.clone(), i))
                .collect(),
            false => HashMap::new(),
        };
        let slots = vec![Slot::MISSING; names.len()];
        Self {
            names,
            by_name,
            seen: Vec::new(),
            slots,
            unescaped: Vec::new(),
        }
    }

    /// Reads the object whose `{` is at `at`, inside `depth` other containers: fills `slots` (the last of equal keys
    /// counts) and gives the place after the `}`.
    pub(super) fn object(&mut self, doc: &[u8], at: usize, depth: usize) -> Result<usize, Syntax> {
        self.slots.fill(Slot::MISSING);
        if depth >= MAX_DEPTH {
            return Err(Syntax::new(
                at,
                "at most 1000 objects and arrays inside each other",
            ));
        }
        let mut at = space(doc, at + 1);
        if byte(doc, at) == b'}' {
            return Ok(at + 1);
        }
        let mut turn = 0;
        loop {
            if byte(doc, at) != b'"' {
                return Err(Syntax::new(at, "'\"' to begin a key"));
            }
            let (field, end) = self.key(doc, at + 1, &mut turn)?;
            let begin = scan::colon(doc, end)?;
            let (slot, end) = scan::value(doc, begin, depth + 1)?;
            if let Some(wanted) = field.and_then(|field| self.slots.get_mut(field)) {
                *wanted = slot;
            }
            at = space(doc, end);
            match byte(doc, at) {
                b',' => at = space(doc, at + 1),
                b'}' => return Ok(at + 1),
                _ => return Err(Syntax::new(at, "',' or '}'")),
            }
        }
    }

    /// The field named by the key whose text begins at `at`, if any, and the place after its closing quote.
    /// `turn` counts along the keys seen before.
    #[inline(always)]
    fn key(
        &mut self,
        doc: &[u8],
        at: usize,
        turn: &mut usize,
    ) -> Result<(Option<usize>, usize), Syntax> {
        let rest = doc.get(at..).unwrap_or_default();
        // Near the end of the document keys are looked up anew; the words would reach beyond it.
        if let Some(head) = rest.first_chunk::<16>() {
            let head = words(head);
            let expected = self
                .seen
                .get(*turn..)
                .unwrap_or_default()
                .iter()
                .take(AHEAD);
            for (ahead, seen) in expected.enumerate() {
                if seen.begins(head, rest) {
                    *turn += ahead + 1;
                    return Ok((seen.field, at + seen.quoted.len()));
                }
            }
        }
        self.new_key(doc, at, turn)
    }

    #[cold]
    fn new_key(
        &mut self,
        doc: &[u8],
        at: usize,
        turn: &mut usize,
    ) -> Result<(Option<usize>, usize), Syntax> {
        let (end, escapes) = scan::string(doc, at)?;
        let raw = doc.get(at..end).unwrap_or_default();
        let field = match escapes {
            false => self.field(raw),
            true => {
                let mut name = std::mem::take(&mut self.unescaped);
                name.clear();
                scan::unescape(raw, &mut name);
                let field = self.field(&name);
                self.unescaped = name;
                field
            }
        };
        let quoted = doc.get(at..end + 1).unwrap_or_default();
        let ahead = self
            .seen
            .iter()
            .skip(*turn)
            .take(AHEAD)
            .position(|seen| *seen.quoted == *quoted);
        if let Some(ahead) = ahead {
            *turn += ahead + 1;
        } else if raw.len() <= 128 {
            // Longer keys are data, not names; they would only be in the way.
            let seen = Seen::new(quoted, field);
            let turned = (*turn).min(self.seen.len());
            match self.seen.len() < REMEMBERED {
                true => self.seen.insert(turned, seen),
                false => {
                    if let Some(old) = self.seen.get_mut(turned.min(REMEMBERED - 1)) {
                        *old = seen;
                    }
                }
            }
            *turn += 1;
        }
        Ok((field, end + 1))
    }

    fn field(&self, name: &[u8]) -> Option<usize> {
        match self.by_name.is_empty() {
            true => self.names.iter().position(|n| **n == *name),
            false => self.by_name.get(name).copied(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn found(keys: &mut Keys, doc: &str) -> Vec<Option<String>> {
        let end = keys.object(doc.as_bytes(), 0, 0).unwrap();
        assert_eq!(end, doc.len());
        let text = |slot: &Slot| String::from_utf8(slot.of(doc.as_bytes()).to_vec()).unwrap();
        keys.slots
            .iter()
            .map(|s| (s.kind != scan::Kind::Missing).then(|| text(s)))
            .collect()
    }

    #[test]
    fn fields_are_found_in_any_order_of_keys() {
        let mut keys = Keys::new(["a", "b"]);
        let some = |text: &str| Some(text.to_string());
        for _ in 0..2 {
            assert_eq!(
                found(&mut keys, r#"{"a":1,"x":{},"b":"t"}"#),
                [some("1"), some("t")]
            );
            assert_eq!(
                found(&mut keys, r#"{ "b" : 2 , "y":0, "a" : [1] }"#),
                [some("[1]"), some("2")]
            );
            assert_eq!(
                found(&mut keys, r#"{"\u0061":1,"b":2,"a":3}"#),
                [some("3"), some("2")]
            );
            assert_eq!(found(&mut keys, r#"{"ab":1,"":2,"b\"":3}"#), [None, None]);
            assert_eq!(found(&mut keys, "{}"), [None, None]);
        }
    }

    #[test]
    fn the_memory_of_keys_is_bounded() {
        let names: Vec<String> = (0..20).map(|i| format!("f{i}")).collect();
        let mut keys = Keys::new(names.iter().map(String::as_str));
        for i in 0..2000 {
            let doc = format!(r#"{{"k{i}":1,"f{}":{i}}}"#, i % 20);
            assert_eq!(found(&mut keys, &doc)[i % 20], Some(i.to_string()));
        }
        assert!(keys.seen.len() <= REMEMBERED);
    }
}
