//! The classes of characters of Java's regular expressions, in the syntax of the `regex` crate.

/// The flags that are on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    pub ignore_case: bool,
    pub unicode_case: bool,
    pub unicode_classes: bool,
    pub comments: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub unix_lines: bool,
}

impl Flags {
    pub fn set(&mut self, flag: char, on: bool) -> Result<(), String> {
        match flag {
            'i' => self.ignore_case = on,
            'u' => self.unicode_case = on,
            'U' => (self.unicode_classes, self.unicode_case) = (on, on),
            'x' => self.comments = on,
            'm' => self.multi_line = on,
            's' => self.dot_all = on,
            'd' => self.unix_lines = on,
            other => return Err(format!("there is no flag '{other}'")),
        }
        Ok(())
    }
}

/// What an escape stands for.
pub(crate) enum Escaped {
    Char(char),
    Class(String),
}

/// What ends a line.
pub(crate) const TERMINATORS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Writes a character as itself, in both cases where that is asked for.
pub(crate) fn literal(out: &mut String, c: char, flags: Flags) {
    match (flags.ignore_case, flags.unicode_case) {
        (true, true) if c.is_alphabetic() => {
            out.push_str("(?i:");
            escaped(out, c);
            out.push(')');
        }
        (true, false) if c.is_ascii_alphabetic() => {
            out.push('[');
            out.push(c.to_ascii_lowercase());
            out.push(c.to_ascii_uppercase());
            out.push(']');
        }
        _ => escaped(out, c),
    }
}

/// Writes a range of a class, in both cases where that is asked for.
pub(crate) fn range(out: &mut String, from: char, to: char, flags: Flags) {
    let one = |out: &mut String, from: char, to: char| {
        escaped(out, from);
        if from != to {
            out.push('-');
            escaped(out, to);
        }
    };
    one(out, from, to);
    if !flags.ignore_case {
        return;
    }
    for (low, high, shift) in [('a', 'z', -32_i32), ('A', 'Z', 32)] {
        let (low, high) = (low.max(from), high.min(to));
        let other = |c: char| {
            u32::try_from(c as i32 + shift)
                .ok()
                .and_then(char::from_u32)
        };
        if let (true, Some(low), Some(high)) = (low <= high, other(low), other(high)) {
            one(out, low, high);
        }
    }
    // Beyond ASCII, the single letters; ranges of them stay as they are.
    if flags.unicode_case && from == to && !from.is_ascii() {
        from.to_lowercase()
            .chain(from.to_uppercase())
            .for_each(|c| escaped(out, c));
    }
}

fn escaped(out: &mut String, c: char) {
    // An escaped < or > would be the edge of a word.
    if c.is_alphanumeric() || matches!(c, '_' | '<' | '>') {
        out.push(c);
    } else if c.is_ascii_graphic() {
        out.push('\\');
        out.push(c);
    } else {
        out.push_str(&format!("\\x{{{:X}}}", c as u32));
    }
}

/// `\d` and similar.
pub(crate) fn shorthand(c: char, flags: Flags) -> Option<&'static str> {
    Some(match (c, flags.unicode_classes) {
        ('d', false) => "[0-9]",
        ('D', false) => "[^0-9]",
        ('w', false) => "[A-Za-z0-9_]",
        ('W', false) => "[^A-Za-z0-9_]",
        ('s', false) => r"[\t\n\x0B\x0C\r\x20]",
        ('S', false) => r"[^\t\n\x0B\x0C\r\x20]",
        ('d', true) => r"\d",
        ('D', true) => r"\D",
        ('w', true) => r"\w",
        ('W', true) => r"\W",
        ('s', true) => r"\s",
        ('S', true) => r"\S",
        ('h', _) => r"[\x20\t\xA0\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]",
        ('H', _) => r"[^\x20\t\xA0\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]",
        ('v', _) => r"[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}]",
        ('V', _) => r"[^\n\x0B\x0C\r\x{85}\x{2028}\x{2029}]",
        _ => return None,
    })
}

/// `\p{name}`.
pub(crate) fn property(name: &str, flags: Flags) -> Option<String> {
    let ascii = |class: &str| Some(class.to_string());
    if flags.ignore_case
        && matches!(
            name.strip_prefix("Is").unwrap_or(name),
            "Lower" | "Upper" | "Lu" | "Ll" | "Lt" | "Lowercase" | "Uppercase"
        )
    {
        return ascii(match name {
            "Lower" | "Upper" if !flags.unicode_classes => "[A-Za-z]",
            _ => r"[\p{Lu}\p{Ll}\p{Lt}]",
        });
    }
    if !flags.unicode_classes {
        let class = match name {
            "Lower" => "[a-z]",
            "Upper" => "[A-Z]",
            "Alpha" => "[A-Za-z]",
            "Digit" => "[0-9]",
            "Alnum" => "[A-Za-z0-9]",
            "Punct" => r"[!-/:-@\[-`{-~]",
            "Graph" => "[!-~]",
            "Print" => r"[\x20-~]",
            "Blank" => r"[\x20\t]",
            "Cntrl" => r"[\x00-\x1F\x7F]",
            "XDigit" => "[0-9A-Fa-f]",
            "Space" => r"[\t\n\x0B\x0C\r\x20]",
            _ => "",
        };
        if !class.is_empty() {
            return ascii(class);
        }
    }
    let class = match name {
        "ASCII" => r"[\x00-\x7F]",
        "L1" => r"[\x00-\xFF]",
        "all" | "ALL" => r"[\x00-\x{10FFFF}]",
        "LC" => r"[\p{Lu}\p{Ll}\p{Lt}]",
        "LD" => r"[\p{L}\p{Nd}]",
        "Lower" | "javaLowerCase" | "IsLowercase" => r"\p{Lowercase}",
        "Upper" | "javaUpperCase" | "IsUppercase" => r"\p{Uppercase}",
        "Alpha" | "IsAlphabetic" | "javaAlphabetic" => r"\p{Alphabetic}",
        "Digit" | "IsDigit" | "javaDigit" => r"\p{Nd}",
        "Alnum" => r"[\p{Alphabetic}\p{Nd}]",
        "Punct" | "IsPunctuation" => r"\p{P}",
        "Space" | "IsWhite_Space" | "IsWhiteSpace" => r"\p{White_Space}",
        "Cntrl" | "IsControl" | "javaISOControl" => r"\p{Cc}",
        "XDigit" | "IsHex_Digit" => r"\p{Hex_Digit}",
        "javaLetter" | "IsLetter" => r"\p{L}",
        "javaLetterOrDigit" => r"[\p{L}\p{Nd}]",
        "javaTitleCase" | "IsTitlecase" => r"\p{Lt}",
        "javaWhitespace" => {
            r"[\t-\r\x1C-\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}]"
        }
        "javaIdeographic" | "IsIdeographic" => r"\p{Ideographic}",
        "IsEmoji" => r"\p{Emoji}",
        _ => "",
    };
    if !class.is_empty() {
        return ascii(class);
    }
    let (kind, value) = match name.split_once('=') {
        Some((kind, value)) => (kind.to_ascii_lowercase(), value),
        None => match (name.strip_prefix("Is"), name.strip_prefix("In")) {
            (Some(value), _) => ("is".into(), value),
            (_, Some(value)) => ("block".into(), value),
            _ => ("gc".into(), name),
        },
    };
    let known = |class: String| regex::Regex::new(&class).is_ok().then_some(class);
    match kind.as_str() {
        "gc" | "general_category" => known(format!(r"\p{{gc={value}}}")),
        "sc" | "script" => known(format!(r"\p{{sc={value}}}")),
        "is" => known(format!(r"\p{{gc={value}}}")).or_else(|| known(format!(r"\p{{sc={value}}}"))),
        "blk" | "block" => block(value).map(|(from, to)| format!(r"[\x{{{from:X}}}-\x{{{to:X}}}]")),
        _ => None,
    }
}

/// The blocks that people write; the crate knows scripts only.
fn block(name: &str) -> Option<(u32, u32)> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Some(match plain.to_ascii_lowercase().as_str() {
        "basiclatin" => (0x0, 0x7F),
        "latin1supplement" => (0x80, 0xFF),
        "latinextendeda" => (0x100, 0x17F),
        "latinextendedb" => (0x180, 0x24F),
        "greek" | "greekandcoptic" => (0x370, 0x3FF),
        "cyrillic" => (0x400, 0x4FF),
        "armenian" => (0x530, 0x58F),
        "hebrew" => (0x590, 0x5FF),
        "arabic" => (0x600, 0x6FF),
        "devanagari" => (0x900, 0x97F),
        "thai" => (0xE00, 0xE7F),
        "georgian" => (0x10A0, 0x10FF),
        "generalpunctuation" => (0x2000, 0x206F),
        "currencysymbols" => (0x20A0, 0x20CF),
        "letterlikesymbols" => (0x2100, 0x214F),
        "arrows" => (0x2190, 0x21FF),
        "mathematicaloperators" => (0x2200, 0x22FF),
        "boxdrawing" => (0x2500, 0x257F),
        "cjksymbolsandpunctuation" => (0x3000, 0x303F),
        "hiragana" => (0x3040, 0x309F),
        "katakana" => (0x30A0, 0x30FF),
        "bopomofo" => (0x3100, 0x312F),
        "cjkunifiedideographs" => (0x4E00, 0x9FFF),
        "hangulsyllables" => (0xAC00, 0xD7AF),
        "halfwidthandfullwidthforms" => (0xFF00, 0xFFEF),
        "emoticons" => (0x1F600, 0x1F64F),
        _ => return None,
    })
}
