//! Patterns and what Flink finds with them.

use super::*;

/// A pattern, a text, and every match that REGEXP_EXTRACT_ALL gives; None where the pattern is none.
const RECORDED: &[(&str, &str, Option<&[&str]>)] = &[
    ("(?<=id=)[0-9]+", "x?id=42", Some(&["42"])),
    ("(a)(b)\\1\\2", "abab", Some(&["abab"])),
    ("\\d", "\u{663}4", Some(&["4"])),
    ("\\w+", "\u{E9}_\u{E9}", Some(&["_"])),
    ("\\s", "a\u{A0}b c", Some(&[" "])),
    ("\\b", "\u{E9}a \u{E9}b", Some(&["", "", "", ""])),
    ("a++a", "aaa", Some(&[])),
    ("(?>a+)a", "aaa", Some(&[])),
    ("(?i)abc", "AbC", Some(&["AbC"])),
    ("(?i)\u{E4}b", "\u{C4}B", Some(&[])),
    ("(?iu)\u{E4}b", "\u{C4}B", Some(&["\u{C4}B"])),
    ("\\p{Alpha}+", "abc", Some(&["abc"])),
    ("\\p{L}+", "a\u{E9}1", Some(&["a\u{E9}"])),
    ("\\p{IsAlphabetic}+", "a\u{E9}1", Some(&["a\u{E9}"])),
    ("\\p{Alnum}", "a1\u{E9}", Some(&["a", "1"])),
    ("\\Qa.c\\E", "a.c", Some(&["a.c"])),
    ("(?<first>a)(b)", "abc", Some(&["ab"])),
    ("a.b", "a\nb", Some(&[])),
    ("(?s)a.b", "a\nb", Some(&["a\nb"])),
    ("(?m)^b$", "a\nb", Some(&["b"])),
    ("$", "a\r\nb\n", Some(&["", ""])),
    ("a$", "a\n", Some(&["a"])),
    ("a.b", "a\u{85}b", Some(&[])),
    ("a.b", "a\u{2028}b", Some(&[])),
    ("a.b", "a\rb", Some(&[])),
    ("[a-z&&[^b]]", "abc", Some(&["a", "c"])),
    ("[]a]", "a]b", Some(&["a", "]"])),
    ("[a[b]", "a[b", None),
    ("[a\\-]", "a-b", Some(&["a", "-"])),
    ("[x", "x", None),
    ("(", "abc", None),
    ("b", "abc", Some(&["b"])),
    ("b", "abc", Some(&["b"])),
    ("b", "abc", Some(&["b"])),
    ("b", "abc", Some(&["b"])),
    ("(b)", "abc", Some(&["b"])),
    ("(b)", "abc", Some(&["b"])),
    ("b", "abc", Some(&["b"])),
    ("", "abc", Some(&["", "", "", ""])),
    ("", "", Some(&[""])),
    (".", "\u{1F600}a", Some(&["\u{1F600}", "a"])),
    ("\\x{1F600}", "\u{1F600}a", Some(&["\u{1F600}"])),
    ("\\t", "tab\there", Some(&["\t"])),
    ("\\x01", "\u{1}", Some(&["\u{1}"])),
    ("\\u0041", "A", Some(&["A"])),
    ("[^\\d]", "a1b22", Some(&["a", "b"])),
    ("(?x) a \\s b # c", "a b", Some(&["a b"])),
    ("a{1,}", "abc", Some(&["a"])),
    ("a{2}", "aaa", Some(&["aa"])),
    ("a{", "a{", None),
    ("a\\{1", "a{1", Some(&["a{1"])),
    ("\\Aabc\\z", "abc", Some(&["abc"])),
    ("abc\\Z", "abc\n", Some(&["abc"])),
    ("\\Gab", "abc", Some(&["ab"])),
    ("\\R", "a\r\nb", Some(&["\r\n"])),
    ("\\h+", "a  b", Some(&["  "])),
    ("(?=a)ab", "ab", Some(&["ab"])),
    ("a(?!c)", "ab", Some(&["a"])),
    ("(?<!a)b", "ab", Some(&[])),
    ("[.]", "foo.bar", Some(&["."])),
    ("[\\^]", "a^b", Some(&["^"])),
    ("[&]", "a&b", Some(&["&"])),
    ("[a&&b]", "ab", Some(&[])),
    ("[[:alpha:]]+", "h\u{E9}llo", Some(&["h", "ll"])),
    ("\\p{javaLowerCase}", "a", Some(&["a"])),
    ("\\p{Lower}", "\u{E9}", Some(&[])),
    ("\\p{Ll}", "\u{E9}", Some(&["\u{E9}"])),
    ("(?i)\\p{Ll}", "\u{C9}", Some(&["\u{C9}"])),
    ("\\p{IsGreek}", "\u{3B1}", Some(&["\u{3B1}"])),
    ("\\p{InGreek}", "\u{3B1}", Some(&["\u{3B1}"])),
    ("\\p{script=Greek}", "\u{3B1}", Some(&["\u{3B1}"])),
    ("\\p{Digit}", "1", Some(&["1"])),
    ("\\p{XDigit}", "a", Some(&["a"])),
    ("\\p{Punct}", "!", Some(&["!"])),
    ("\\p{Punct}", "$", Some(&["$"])),
    ("a|", "ab", Some(&["a", "", ""])),
    ("a*+", "a", Some(&["a", ""])),
    ("X(?=b)", "aXbX", Some(&["X"])),
    ("(?:fo)(o)", "foo", Some(&["foo"])),
    ("(f)(o)?(x)?", "foo", Some(&["fo"])),
    ("(?<k>\\w)=(?<v>\\w)", "k=v", Some(&["k=v"])),
    ("\\\\", "a\\b", Some(&["\\"])),
    ("(a)\\1", "aab", Some(&["aa"])),
    ("(?<n>a)\\k<n>", "aa", Some(&["aa"])),
    ("a#b", "a#b", Some(&["a#b"])),
    ("(?m)^line\\d$", "line1\nline2", Some(&["line1", "line2"])),
    ("a\\/b", "a/b", Some(&["a/b"])),
    ("\\a", "ab", Some(&[])),
    ("\\y", "ab", None),
    ("\\v", "a\u{B}b", Some(&["\u{B}"])),
    ("\\s", "a\u{B}b", Some(&["\u{B}"])),
    ("[A-Z0-9]{2}", "A1", Some(&["A1"])),
    ("[b-a]", "ab", None),
    ("\\W", "\u{E9}", Some(&["\u{E9}"])),
    ("[a-]", "a-", Some(&["a", "-"])),
    ("z{,2}", "zz", None),
    ("\\00", "a\u{0}b", Some(&["\u{0}"])),
    ("\\07", "a\u{7}", Some(&["\u{7}"])),
    ("a(?-i)B", "abc", Some(&[])),
    ("a(?i:b)c", "aBc", Some(&["aBc"])),
    ("a(?i)b(?-i)c", "aBC", Some(&[])),
    ("(?i)s", "\u{17F}", Some(&[])),
    ("(?iu)k", "K", Some(&["K"])),
    ("(a)(?=(b))", "ab", Some(&["a"])),
    ("(?<=a)b(?=c)", "abc", Some(&["b"])),
    ("a{2,3}?", "aaa", Some(&["aa"])),
    ("(?U)\\w", "x1y", Some(&["x", "1", "y"])),
    ("(?U)\\w", "\u{E9}", Some(&["\u{E9}"])),
    ("a\\+b", "a+b", Some(&["a+b"])),
    ("}", "}", Some(&["}"])),
    ("]", "]", Some(&["]"])),
    ("\\,", ",", Some(&[","])),
    ("\\p{IsLatin}", "\u{E9}", Some(&["\u{E9}"])),
    ("\\D+", "ab12", Some(&["ab"])),
    ("[\\s]", "a\tb", Some(&["\t"])),
    ("[\\w]", "ab", Some(&["a", "b"])),
    ("[\\w-]+", "a_b-", Some(&["a_b-"])),
    ("^(\\d{4})-(\\d{2})", "2024-01-02", Some(&["2024-01"])),
    ("a", "a", Some(&["a"])),
];

fn all(regex: &JavaRegex, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    regex
        .for_each(text, 0, |(start, end), _| {
            found.push(text[start..end].to_string());
            Ok(())
        })
        .unwrap();
    found
}

#[test]
fn finds_what_java_finds() {
    for (pattern, text, expected) in RECORDED {
        let found = JavaRegex::new(pattern).map(|regex| all(&regex, text));
        match expected {
            Some(expected) => assert_eq!(
                found.as_deref().unwrap_or_default(),
                *expected,
                "{pattern:?} {text:?} {found:?}"
            ),
            None => assert!(found.is_err(), "{pattern:?}: {found:?}"),
        }
        if let (Ok(regex), Some(expected)) = (JavaRegex::new(pattern), expected) {
            assert_eq!(
                regex.is_match(text).unwrap(),
                !expected.is_empty(),
                "{pattern:?}"
            );
        }
    }
}

#[test]
fn plain_patterns_need_no_looking_around() {
    for pattern in [
        r"^(\d{4})-(\d{2})$",
        "(?m)^a.b$",
        r"(?i)\berr\b",
        r"[a-z&&[^b]]+\Z",
    ] {
        let regex = JavaRegex::new(pattern).unwrap();
        assert!(matches!(regex.engine, Engine::Plain(_)), "{pattern}");
    }
    let regex = JavaRegex::new("(?<=a)b").unwrap();
    assert!(matches!(regex.engine, Engine::Fancy(_)));
}

#[test]
fn takes_every_character_as_itself() {
    for c in (' '..='~').chain(['\n', '\u{E9}']) {
        for pattern in [
            format!("[{c}&&[^x]]"),
            format!(r"\Q{c}\E"),
            format!(r"(?=\Q{c}\E)[\Q{c}\E]"),
        ] {
            if matches!(c, 'x' | '[' | ']' | '\\' | '^' | '&') && pattern.starts_with('[') {
                continue;
            }
            let regex = JavaRegex::whole(&pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert!(regex.is_match(&c.to_string()).unwrap(), "{pattern}");
            assert!(!regex.is_match("\u{1F600}").unwrap(), "{pattern}");
        }
    }
}

#[test]
fn says_why_not() {
    let table = [
        ("(", "a '(' is not closed"),
        (")", "a ')' closes nothing"),
        ("*a", "a '*' repeats nothing"),
        ("a{x}", "a '{' is followed by no number"),
        ("a{3,2}", "the larger number first"),
        ("[a", "a '[' is not closed"),
        (r"\p{Nothing}", "the class \\p{Nothing} is not known"),
        (r"\X", "\\X is not known"),
        (r"(a)\2", "there is no group 2"),
        ("(?q)a", "there is no flag 'q'"),
        (r"\", "a backslash ends the pattern"),
    ];
    for (pattern, expected) in table {
        let why = JavaRegex::new(pattern).unwrap_err();
        assert!(why.contains(expected), "{pattern}: {why}");
    }
}

#[test]
fn too_many_steps_are_an_error() {
    let regex = JavaRegex::new(r"(?=a)(a|a)*\1b").unwrap();
    let why = regex.is_match(&"a".repeat(40)).unwrap_err().to_string();
    assert!(why.contains("on a text of 40 bytes"), "{why}");
}

#[test]
fn ends_of_lines_in_whole_texts() {
    let regex = JavaRegex::whole("a$").unwrap();
    assert!(regex.is_match("a").unwrap());
    assert!(!regex.is_match("a\n").unwrap());
    let lines = JavaRegex::new("(?m)^").unwrap();
    assert_eq!(all(&lines, "a\nb\r\nc\rd\u{2028}e\n").len(), 5);
    assert_eq!(all(&lines, "a\nb\r\nc").len(), 3);
}
