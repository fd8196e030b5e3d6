//! Further scalar functions on what was measured on Flink 2.3.

use crate::sql_tests::value_of;

#[test]
fn as_measured() {
    for (sql, expected) in [
        ("HEX(255)", "FF"),
        ("HEX(-1)", "FFFFFFFFFFFFFFFF"),
        ("HEX(CAST(-1 AS BIGINT))", "FFFFFFFFFFFFFFFF"),
        ("HEX('abc')", "616263"),
        ("HEX('é')", "C3A9"),
        ("HEX(CAST(NULL AS INT))", "NULL"),
        ("HEX(arrow_cast(5, 'Int8'))", "5"),
        ("BIN(10)", "1010"),
        (
            "BIN(-7)",
            "1111111111111111111111111111111111111111111111111111111111111001",
        ),
        ("BIN(0)", "0"),
        ("BIN(CAST(NULL AS INT))", "NULL"),
        ("ELT(1, 'a', 'b')", "a"),
        ("ELT(3, 'a', 'b')", "NULL"),
        ("ELT(0, 'a', 'b')", "NULL"),
        ("ELT(CAST(NULL AS INT), 'a', 'b')", "NULL"),
        ("ELT(2, 'a', CAST(NULL AS VARCHAR))", "NULL"),
        ("STR_TO_MAP('a=1,b=2')", "{a=1, b=2}"),
        ("STR_TO_MAP('a:1;b:2', ';', ':')", "{a=1, b=2}"),
        ("STR_TO_MAP('a,b=2,c=3=4')", "{a=NULL, b=2, c=3=4}"),
        ("STR_TO_MAP('')", "{}"),
        (r#"STR_TO_MAP('a=1|b=2', '\|', '=')"#, "{a=1, b=2}"),
        ("STR_TO_MAP(CAST(NULL AS VARCHAR))", "NULL"),
        ("STR_TO_MAP('a=1,a=2')", "{a=2}"),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'HOST')",
            "facebook.com",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'PATH')",
            "/path/p1.php",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'QUERY')",
            "query=1&b=2",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'REF')",
            "Ref",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'PROTOCOL')",
            "http",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'FILE')",
            "/path/p1.php?query=1&b=2",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'AUTHORITY')",
            "user:pw@facebook.com:80",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'USERINFO')",
            "user:pw",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'host')",
            "NULL",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'QUERY', 'b')",
            "2",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'QUERY', 'z')",
            "NULL",
        ),
        (
            "PARSE_URL('http://user:pw@facebook.com:80/path/p1.php?query=1&b=2#Ref', 'PATH', 'b')",
            "NULL",
        ),
        ("PARSE_URL('not a url', 'HOST')", "NULL"),
        ("PARSE_URL('http://h', 'PATH')", ""),
        ("PARSE_URL('http://h', 'QUERY')", "NULL"),
        ("PARSE_URL('ftp://h/x', 'HOST')", "h"),
        ("PARSE_URL('foo://h/x', 'HOST')", "NULL"),
        ("URL_ENCODE('a b&c=é/*-_.~')", "a+b%26c%3D%C3%A9%2F*-_.%7E"),
        ("URL_DECODE('a+b%26c%3D%C3%A9')", "a b&c=é"),
        ("URL_DECODE('%zz')", "NULL"),
        ("URL_DECODE('%C3')", "�"),
        (
            "PRINTF('%d %s %05.2f', 1, 'a', CAST(2.5 AS DOUBLE))",
            "1 a 02.50",
        ),
        ("PRINTF('%x', 255)", "ff"),
        ("PRINTF('bad %q', 1)", "NULL"),
        ("PRINTF('%d', 'x')", "NULL"),
        ("PRINTF('%s')", "NULL"),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'UTC', 'America/Los_Angeles')",
            "2024-01-01 19:04:05",
        ),
        (
            "CONVERT_TZ('2024-07-02 03:04:05', 'Asia/Shanghai', 'UTC')",
            "2024-07-01 19:04:05",
        ),
        ("CONVERT_TZ('bad', 'UTC', 'UTC')", "NULL"),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'GMT+8', 'UTC')",
            "2024-01-01 19:04:05",
        ),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', '+08:00', 'UTC')",
            "2024-01-02 03:04:05",
        ),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'Nowhere', 'UTC')",
            "2024-01-02 03:04:05",
        ),
        ("REGEXP_INSTR('hello', 'l+')", "3"),
        ("REGEXP_INSTR('hello', 'z')", "0"),
        ("REGEXP_INSTR('héllo', 'l')", "3"),
        (
            r#"REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)')"#,
            "[100, 300]",
        ),
        (
            r#"REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', 0)"#,
            "[100-200, 300-400]",
        ),
        (
            r#"REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', 2)"#,
            "[200, 400]",
        ),
        (
            r#"REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', 3)"#,
            "NULL",
        ),
        (
            r#"REGEXP_EXTRACT_ALL('100-200, 300-400', '(\d+)-(\d+)', -1)"#,
            "NULL",
        ),
        ("REGEXP_EXTRACT_ALL('abc', 'z')", "NULL"),
        ("REGEXP_EXTRACT_ALL('abc', 'b')", "NULL"),
        ("REGEXP_EXTRACT_ALL('abab', '(a)|b')", "[a, NULL, a, NULL]"),
        ("REGEXP_COUNT('banana', 'ana')", "1"),
        ("REGEXP_COUNT('banana', '')", "7"),
        ("TRANSLATE('abcabc', 'ab', 'x')", "xcxc"),
        ("TRANSLATE('abcabc', 'ab', 'xyz')", "xycxyc"),
        ("TRANSLATE('abc', '', 'x')", "abc"),
        ("TRANSLATE('abc', 'abc', '')", ""),
        ("TRANSLATE('a😀c', '😀', 'b')", "abc"),
        ("TRANSLATE3('abcabc', 'ab', 'x')", "xcxc"),
        ("overlay('abcdef', 'X', 2)", "aXcdef"),
        ("overlay('abcdef', 'XYZ', 2, 1)", "aXYZcdef"),
        ("overlay('abcdef', 'X', 10)", "abcdef"),
        ("overlay('abcdef', 'X', 0)", "abcdef"),
        ("overlay('abcdef', 'X', 2, 100)", "aX"),
        ("overlay('abcdef', 'XXXXXXXXX', 5)", "abcdXXXXXXXXX"),
        ("overlay('abcdef', 'X', 2, 0)", "aX"),
        ("overlay('abcdef', 'X', 2, -1)", "aX"),
        ("DECODE(ENCODE('é', 'UTF-8'), 'UTF-8')", "é"),
        ("DECODE(ENCODE('é', 'ISO-8859-1'), 'ISO-8859-1')", "é"),
        ("SPLIT('a,b,,c', ',')", "[a, b, , c]"),
        ("SPLIT('abc', '')", "[a, b, c]"),
        ("SPLIT('', ',')", "[]"),
        ("SPLIT(CAST(NULL AS VARCHAR), ',')", "NULL"),
        ("IS_ALPHA('abc')", "TRUE"),
        ("IS_ALPHA('ab1')", "FALSE"),
        ("IS_ALPHA('')", "FALSE"),
        ("IS_DECIMAL('1.5')", "TRUE"),
        ("IS_DECIMAL('abc')", "FALSE"),
        ("IS_DECIMAL('')", "FALSE"),
        ("IS_DECIMAL('1e5')", "TRUE"),
        ("IS_DIGIT('12')", "TRUE"),
        ("IS_DIGIT('')", "FALSE"),
        ("IS_DIGIT(CAST(NULL AS VARCHAR))", "FALSE"),
        ("IS_DECIMAL(' 1.5 ')", "TRUE"),
        ("IS_DECIMAL('NaN')", "TRUE"),
        ("IS_DECIMAL('+1')", "TRUE"),
        ("IS_DECIMAL('1d')", "TRUE"),
        ("IS_DIGIT('١')", "TRUE"),
        ("IS_ALPHA('é')", "TRUE"),
        (
            "PRINTF('%5d|%-5d|%05d|%+d|%,d', 42, 42, 42, 42, 1234567)",
            "   42|42   |00042|+42|1,234,567",
        ),
        (
            "PRINTF('%5s|%-5s|%.2s', 'ab', 'ab', 'abcdef')",
            "   ab|ab   |ab",
        ),
        ("PRINTF('%b %c %% %n', TRUE, 'x')", "NULL"),
        ("PRINTF('%e', CAST(12345.678 AS DOUBLE))", "1.234568e+04"),
        ("PRINTF('%s', CAST(NULL AS VARCHAR))", "null"),
        ("PRINTF(CAST(NULL AS VARCHAR), 1)", "NULL"),
        ("PRINTF('%2$s %1$s', 'a', 'b')", "b a"),
        ("PRINTF('%X %o', 255, 8)", "FF 10"),
        ("PRINTF('%d', CAST(5 AS BIGINT))", "5"),
        ("PRINTF('%f', 1)", "NULL"),
        ("PRINTF('none')", "none"),
        (
            "CONVERT_TZ('2024-03-10 02:30:00', 'America/Los_Angeles', 'UTC')",
            "2024-03-10 10:30:00",
        ),
        (
            "CONVERT_TZ('2024-11-03 01:30:00', 'America/Los_Angeles', 'UTC')",
            "2024-11-03 09:30:00",
        ),
        ("CONVERT_TZ('2024-01-02', 'UTC', 'UTC')", "NULL"),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'PST', 'UTC')",
            "2024-01-02 11:04:05",
        ),
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'GMT+08:30', 'UTC')",
            "2024-01-01 18:34:05",
        ),
        (
            "CONVERT_TZ('2024-01-02 03:04:05.678', 'UTC', 'UTC')",
            "2024-01-02 03:04:05",
        ),
        ("SPLIT('a,b', CAST(NULL AS VARCHAR))", "NULL"),
        ("SPLIT('a||b', '||')", "[a, b]"),
        ("SPLIT(',a,', ',')", "[, a, ]"),
        ("STR_TO_MAP('a', ',', '=')", "{a=NULL}"),
        ("STR_TO_MAP(',a=1,,', ',', '=')", "{=NULL, a=1}"),
        ("STR_TO_MAP('a=', ',', '=')", "{a=}"),
        ("PARSE_URL('https://[::1]:80/x', 'HOST')", "[::1]"),
        ("PARSE_URL('http://h:x/', 'HOST')", "NULL"),
        ("PARSE_URL('http://h?a=1', 'PATH')", ""),
        ("PARSE_URL('http://h?a=1', 'FILE')", "?a=1"),
        ("PARSE_URL('mailto:a@b', 'PATH')", "a@b"),
        ("PARSE_URL('http://h/x#', 'REF')", ""),
        ("PARSE_URL('HTTP://H/x', 'PROTOCOL')", "http"),
        ("PARSE_URL('http://h/?a=1&ab=2', 'QUERY', 'ab')", "2"),
        ("REGEXP_EXTRACT_ALL('abab', 'a', 0)", "[a, a]"),
    ] {
        assert_eq!(value_of(sql), expected, "{sql}");
    }
}

#[test]
fn reals_as_measured() {
    for (sql, expected) in [
        ("SIN(1)", "0.8414709848078965"),
        ("COS(CAST(1 AS DOUBLE))", "0.5403023058681398"),
        ("TAN(1)", "1.5574077246549023"),
        ("COT(1)", "0.6420926159343306"),
        ("ASIN(0.5)", "0.5235987755982989"),
        ("ACOS(0.5)", "1.0471975511965979"),
        ("ATAN(0.5)", "0.4636476090008061"),
        ("ATAN2(1, 2)", "0.4636476090008061"),
        ("SINH(1)", "1.1752011936438014"),
        ("COSH(1)", "1.543080634815244"),
        ("TANH(1)", "0.7615941559557649"),
        ("DEGREES(1)", "57.29577951308232"),
        ("RADIANS(180)", "3.141592653589793"),
        ("PI()", "3.141592653589793"),
        ("E()", "2.718281828459045"),
    ] {
        let number = |text: &str| text.parse().unwrap_or(f64::NAN);
        let (value, expected) = (number(&value_of(sql)), number(expected));
        // The last digit differs between mathematical libraries.
        assert!(
            (value - expected).abs() <= 1e-15 * expected,
            "{sql}: {value}"
        );
    }
}

#[test]
fn bytes_as_measured() {
    for (sql, expected) in [
        ("UNHEX('616263')", "616263"),
        ("UNHEX('6')", "00"),
        ("UNHEX('zz')", "NULL"),
        ("UNHEX('F')", "00"),
        ("ENCODE('abc', 'UTF-8')", "616263"),
        ("ENCODE('é', 'UTF-16BE')", "00E9"),
        ("ENCODE('é', 'US-ASCII')", "3F"),
        ("UNHEX('616')", "0016"),
        ("UNHEX('F61')", "0061"),
        ("UNHEX('')", ""),
        ("UNHEX('0g')", "NULL"),
    ] {
        // Byte by byte, by way of a character set in which every byte is a character.
        let text = value_of(&format!("decode({sql}, 'ISO-8859-1')"));
        let bytes = if text == "NULL" {
            text
        } else {
            text.chars()
                .map(|c| format!("{:02X}", u32::from(c)))
                .collect()
        };
        assert_eq!(bytes, expected, "{sql}");
    }
}

#[test]
fn errors() {
    for (sql, expected) in [
        (
            "encode('a', 'nope')",
            "ENCODE: unknown character set 'nope'",
        ),
        (
            "str_to_map('a', '(')",
            "STR_TO_MAP: the pattern '(' cannot be run",
        ),
    ] {
        let error = value_of(sql);
        assert!(error.contains(expected), "{sql}: {error}");
    }
}
