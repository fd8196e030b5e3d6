//! What Flink 2.3 gave for the same calls.

use super::*;
use crate::testing::{int, no_text, show, text};

fn check(table: &[(&str, &[ScalarValue], &str)]) {
    for (name, args, expected) in table {
        assert_eq!(show(name, args), *expected, "{name} {args:?}");
    }
}

#[test]
fn substrings() {
    let hello = || text("hello");
    check(&[
        ("substring", &[hello(), int(2)], "ello"),
        ("substring", &[hello(), int(2), int(3)], "ell"),
        ("substring", &[hello(), int(-3)], "llo"),
        ("substring", &[hello(), int(-3), int(2)], "ll"),
        ("substring", &[hello(), int(0)], "hello"),
        ("substring", &[hello(), int(0), int(2)], "he"),
        ("substring", &[hello(), int(10)], ""),
        ("substring", &[hello(), int(2), int(0)], ""),
        ("substring", &[hello(), int(2), int(-1)], "NULL"),
        ("substring", &[hello(), int(-10), int(3)], ""),
        ("substring", &[hello(), int(-5), int(2)], "he"),
        ("substring", &[hello(), int(-6), int(3)], ""),
        ("substr", &[hello(), int(2), int(100)], "ello"),
        ("substring", &[hello(), int(6), int(1)], ""),
        ("substring", &[text("a😀b"), int(2), int(1)], "😀"),
        ("substring", &[no_text(), int(2)], "NULL"),
        ("left", &[hello(), int(2)], "he"),
        ("left", &[hello(), int(-1)], ""),
        ("left", &[hello(), int(10)], "hello"),
        ("left", &[text("a😀b"), int(2)], "a😀"),
        ("right", &[hello(), int(2)], "lo"),
        ("right", &[hello(), int(0)], ""),
        ("right", &[hello(), int(10)], "hello"),
        ("right", &[hello(), int(-1)], ""),
    ]);
}

#[test]
fn lengths_and_cases() {
    check(&[
        ("char_length", &[text("añb")], "3"),
        ("character_length", &[text("😀")], "1"),
        ("upper", &[text("straße")], "STRASSE"),
        ("lower", &[text("ABC")], "abc"),
        (
            "initcap",
            &[text("hello wORLD-foo_bar 1ab")],
            "Hello World-Foo_Bar 1ab",
        ),
        ("initcap", &[text("éCOLE o'neil")], "éCole O'Neil"),
        ("reverse", &[text("a😀b")], "b😀a"),
        ("repeat", &[text("ab"), int(3)], "ababab"),
        ("repeat", &[text("ab"), int(-1)], ""),
        ("ascii", &[text("abc")], "97"),
        ("ascii", &[text("")], "0"),
        ("ascii", &[text("é")], "-61"),
        ("chr", &[int(97)], "a"),
        ("chr", &[int(353)], "a"),
        ("chr", &[int(200)], "È"),
        ("chr", &[int(-1)], ""),
        ("chr", &[int(256)], "\0"),
    ]);
}

#[test]
fn trims_and_pads() {
    check(&[
        ("trim", &[text("  a  ")], "a"),
        ("btrim", &[text("xyaxy"), text("xy")], "a"),
        ("ltrim", &[text("  a ")], "a "),
        ("rtrim", &[text(" a  ")], " a"),
        ("ltrim", &[text("xxaxx"), text("x")], "axx"),
        ("rtrim", &[text("aaxyyx"), text("xy")], "aa"),
        ("ltrim", &[text("abc"), text("")], "abc"),
        ("trim", &[text("\ta\t")], "\ta\t"),
        ("lpad", &[text("hi"), int(4), text("??")], "??hi"),
        ("lpad", &[text("hi"), int(1), text("??")], "h"),
        ("rpad", &[text("hi"), int(5), text("xyz")], "hixyz"),
        ("lpad", &[text("hi"), int(6), text("xyz")], "xyzxhi"),
        ("lpad", &[text("a😀"), int(5), text("x")], "xxa😀"),
        ("lpad", &[text("hi"), int(5), text("")], "NULL"),
        ("lpad", &[text("hi"), int(-1), text("x")], "NULL"),
        ("rpad", &[text("hi"), int(0), text("x")], ""),
    ]);
}

#[test]
fn concatenations() {
    check(&[
        ("concat", &[text("a"), text("b"), text("c")], "abc"),
        ("concat", &[text("a"), no_text()], "NULL"),
        ("concat", &[text("a"), ScalarValue::Null], "NULL"),
        (
            "concat_ws",
            &[text("-"), text("a"), no_text(), text("b")],
            "a-b",
        ),
        (
            "concat_ws",
            &[text("-"), text("a"), text(""), text("b")],
            "a--b",
        ),
        ("concat_ws", &[no_text(), text("a"), text("b")], "NULL"),
        ("concat_ws", &[text(",")], ""),
        (
            "replace",
            &[text("hello world"), text("world"), text("flink")],
            "hello flink",
        ),
        ("replace", &[text("ababab"), text("abab"), text("z")], "zab"),
        ("replace", &[text("abc"), text(""), text("-")], "-a-b-c-"),
    ]);
    let wrong = show("concat", &[text("a"), int(1)]);
    assert!(
        wrong.contains("CONCAT: argument 2 is Int32, expected STRING"),
        "{wrong}"
    );
}

#[test]
fn searches() {
    let floor = || text("Corporate Floor");
    check(&[
        ("locate", &[text("l"), text("hello")], "3"),
        ("locate", &[text("l"), text("hello"), int(4)], "4"),
        ("locate", &[text("l"), text("hello"), int(0)], "3"),
        ("locate", &[text("l"), text("hello"), int(-1)], "3"),
        ("locate", &[text("l"), text("hello"), int(10)], "0"),
        ("locate", &[text("b"), text("a😀b")], "3"),
        ("instr", &[text("hello"), text("l")], "3"),
        ("instr", &[text("hello"), text("")], "1"),
        ("instr", &[floor(), text("or"), int(3), int(2)], "14"),
        ("instr", &[floor(), text("or"), int(-3), int(2)], "2"),
        ("instr", &[text("hello"), text("l"), int(1), int(3)], "0"),
        ("instr", &[text("hello"), text("l"), int(0)], "0"),
        ("startswith", &[text("abc"), text("ab")], "TRUE"),
        ("endswith", &[text("abc"), text("ab")], "FALSE"),
    ]);
    let wrong = show("instr", &[text("hello"), text("l"), int(1), int(0)]);
    assert!(wrong.contains("INSTR: argument 4 is 0"), "{wrong}");
}

#[test]
fn splits() {
    let abc = || text("a,b,c");
    let comma = || text(",");
    check(&[
        ("split_index", &[abc(), comma(), int(0)], "a"),
        ("split_index", &[abc(), comma(), int(2)], "c"),
        ("split_index", &[abc(), comma(), int(3)], "NULL"),
        ("split_index", &[abc(), comma(), int(-1)], "NULL"),
        ("split_index", &[text("a,,c"), comma(), int(1)], ""),
        ("split_index", &[text("a;b"), int(59), int(1)], "b"),
        ("split_index", &[text("aXXbXXc"), text("XX"), int(1)], "b"),
        ("split_index", &[text(""), comma(), int(0)], "NULL"),
        ("split_index", &[text("abc"), text(""), int(0)], "abc"),
        ("split_index", &[text("abc"), text(""), int(1)], "NULL"),
        ("split_index", &[text(",a,"), comma(), int(2)], ""),
        ("split_index", &[abc(), no_text(), int(0)], "NULL"),
        (
            "split_index",
            &[abc(), comma(), ScalarValue::Int32(None)],
            "NULL",
        ),
    ]);
}
