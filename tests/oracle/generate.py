#!/usr/bin/env python3
"""Draw expressions or queries by seed and record what real Flink answers.

  tests/oracle/generate.py expressions --seed 7 --count 3000 --out tests/expressions/seed7.tsv
  tests/oracle/generate.py pairs --out tests/expressions/pairs.tsv      each operator with each pair of types; no chance
  tests/oracle/generate.py casts --out tests/expressions/casts.tsv      each type to each type
  tests/oracle/generate.py each --seed 1 --out tests/expressions/each.tsv      each line of functions.tsv a few times
  tests/oracle/generate.py queries --seed 7 --count 500 --out tests/queries/seed7.jsonl
  tests/oracle/generate.py again --out FILE                             ask again what FILE asks

Expressions are evaluated over the table of tests/expressions/rows.sql, and are drawn from functions.tsv. A line of a file:
expression, its type, its value for each row as CAST(... AS STRING) prints it (once, if all are the same), with tabs between.
\\N is NULL, \\E with a message an error: of the whole expression in the place of the type, of a row in the place of its value.
"""
import argparse, json, os, random, re, subprocess, sys, tempfile

import queries

HERE = os.path.dirname(os.path.abspath(__file__))
EXPRESSIONS = os.path.join(os.path.dirname(HERE), "expressions")

COLUMNS = {
    "BOOL": ["b"], "INT": ["ti", "si", "i", "l", "k"], "DEC": ["de", "dh", "dw", "dx"], "APPROX": ["f", "d"],
    "STR": ["c", "v", "s", "num", "tx", "js", "sn"], "BYTES": ["y"], "DATE": ["dt"], "TIME": ["tm"], "TS": ["t0", "t3", "t6"],
    "LTZ": ["lz"], "AI": ["ai"], "AS": ["ar"], "MAP": ["m"], "ROW": ["ro"],
}
SCALARS = ["BOOL", "INT", "DEC", "APPROX", "STR", "BYTES", "DATE", "TIME", "TS", "LTZ"]
UNIONS = {
    "NUM": ["INT", "INT", "DEC", "APPROX"], "TIMED": ["DATE", "TIME", "TS", "LTZ"],
    "ANY": SCALARS + ["INT", "DEC", "STR", "STR", "TS", "AI", "MAP", "ROW"],
    "T": ["BOOL", "INT", "INT", "DEC", "DEC", "APPROX", "STR", "STR", "BYTES", "DATE", "TIME", "TS", "LTZ", "AI"],
}
TYPES = {
    "BOOL": ["BOOLEAN"], "INT": ["TINYINT", "SMALLINT", "INT", "BIGINT"],
    "DEC": ["DECIMAL(10, 2)", "DECIMAL(38, 10)", "DECIMAL(20, 0)", "DECIMAL(5, 5)", "DECIMAL(3, 1)"], "APPROX": ["FLOAT", "DOUBLE"],
    "STR": ["CHAR(3)", "CHAR(8)", "VARCHAR(4)", "VARCHAR(20)", "STRING"], "BYTES": ["BYTES", "BINARY(3)", "VARBINARY(2)"],
    "DATE": ["DATE"], "TIME": ["TIME"], "TS": ["TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(6)"],
    "LTZ": ["TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ(6)"], "AI": ["ARRAY<INT>", "ARRAY<BIGINT>"],
    "AS": ["ARRAY<STRING>"], "MAP": ["MAP<STRING, INT>"], "ROW": ["ROW<a INT, b STRING, c DOUBLE>"],
}
LITERALS = {
    "BOOL": ["TRUE", "FALSE"],
    "INT": ["0", "1", "-1", "2", "7", "10", "-3", "42", "100", "127", "255", "1000", "65536", "2147483647", "3000000000", "-2147483648"],
    "DEC": ["0.0", "1.0", "-1.5", "0.5", "3.14159", "100.00", "1e0", "0.05", "123456789012.5", "-0.001", "99.995"],
    "APPROX": ["1.5e0", "-2.5E0", "0e0", "1e-3", "1E10", "1e300", "0.1e0", "-0e0"],
    "STR": ["''", "'a'", "'abc'", "'Hello'", "' x '", "'%'", "'_'", "'12'", "'-7'", "'3.5'", "'true'", "'2024-02-29'",
            "'2024-02-29 12:34:56'", "'it''s'", "'日本'", "'ß'", "'a,b,c'", "'NaN'", "'{\"a\": [1, 2]}'"],
    "BYTES": ["x'48656C6C6F'", "x''", "x'00FF'", "x'C3A9'"],
    "DATE": ["DATE '2024-02-29'", "DATE '1970-01-01'", "DATE '1969-12-31'", "DATE '9999-12-31'", "DATE '2000-06-15'"],
    "TIME": ["TIME '12:34:56'", "TIME '00:00:00'", "TIME '23:59:59'", "TIME '01:02:03.5'"],
    "TS": ["TIMESTAMP '2024-02-29 12:34:56'", "TIMESTAMP '1970-01-01 00:00:00.000'", "TIMESTAMP '1969-12-31 23:59:59.999'",
           "TIMESTAMP '2024-12-31 23:59:59.999999'", "TIMESTAMP '2000-01-01 00:00:00.5'"],
    "LTZ": ["TO_TIMESTAMP_LTZ(1700000000, 0)", "TO_TIMESTAMP_LTZ(0, 3)", "CAST(TIMESTAMP '2024-02-29 12:34:56.789' AS TIMESTAMP_LTZ(3))"],
    "AI": ["ARRAY[1, 2, 3]", "ARRAY[5]", "ARRAY[3, NULL, 1]"], "AS": ["ARRAY['a', 'b']", "ARRAY['x', NULL]"],
    "MAP": ["MAP['a', 1]", "MAP['k', CAST(NULL AS INT)]"], "ROW": ["ROW(1, 'x', 2.5e0)"],
}
WORDS = {
    "int": ["0", "1", "-1", "2", "7", "42", "100", "65", "2147483647"], "dec": ["2.0", "0.5", "3.00", "-1.25", "10.0"],
    "pos": ["1", "2", "3", "5", "7"], "small": ["0", "1", "2", "3", "5", "-1", "-2", "10"],
    "str": ["'a'", "''", "','", "'o'", "'Hello'", "' '", "'x'", "'日'", "'-'", "'l'", "'ab'", "'1'"],
    "like": ["'%o%'", "'a%'", "'%'", "'_'", "'___'", "'H_llo%'", "'%\\n%'", "''", "'%.%'", "'日%'", "'%a_b%'", "'1%'"],
    "similar": ["'a.c'", "'(a|b)%'", "'[A-Z]%'", "'_+'", "'%[0-9]{2}%'", "'H(el)*lo%'", "'[^a]%'"],
    "regexp": ["'[0-9]+'", "'([a-z]+)([0-9]*)'", "'^H'", "'o$'", "'\\\\d{2}'", "'\\d+'", "'(a)|(b)'", "'[^,]*'", "'\\s'", "'(?i)hello'", "'.'"],
    "path": ["'$.a'", "'$.c[0]'", "'lax $.b'", "'strict $.zz'", "'$'", "'$.c[2].d'", "'$[0]'", "'$.a.b.c'", "'lax $.tags[*]'", "'$.price'",
             "'lax $.nothing'", "'$.e'", "'$.f'", "'$[1].b[0]'"],
    "unit": ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"],
    "dateunit": ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY"], "timeunit": ["HOUR", "MINUTE", "SECOND"],
    "interval": ["INTERVAL '1' DAY", "INTERVAL '5' MINUTE", "INTERVAL '2' MONTH", "INTERVAL '1-2' YEAR TO MONTH", "INTERVAL '1 02:03:04.567' DAY TO SECOND",
                 "INTERVAL '-3' HOUR", "INTERVAL '1.5' SECOND", "INTERVAL '1' YEAR", "INTERVAL '90' SECOND"],
    "dayinterval": ["INTERVAL '1' DAY", "INTERVAL '1' MONTH", "INTERVAL '2' YEAR", "INTERVAL '-40' DAY"],
    "timeinterval": ["INTERVAL '1' HOUR", "INTERVAL '90' MINUTE", "INTERVAL '1' SECOND", "INTERVAL '-1' HOUR"],
    "format": ["'yyyy-MM-dd'", "'yyyy-MM-dd HH:mm:ss'", "'HH:mm'", "'yyyyMMdd'", "'dd/MM/yy'", "'yyyy-MM-dd HH:mm:ss.SSS'", "'yyyy-MM-dd''T''HH:mm:ss'", "'E, d MMM yyyy'"],
    "urlpart": ["'HOST'", "'PATH'", "'QUERY'", "'REF'", "'PROTOCOL'", "'AUTHORITY'", "'USERINFO'", "'FILE'"],
    "charset": ["'UTF-8'", "'US-ASCII'", "'UTF-16'", "'ISO-8859-1'"], "zone": ["'America/New_York'", "'Asia/Tokyo'", "'+05:30'"],
    "printf": ["'%d %s'", "'%05d|%s'", "'%x-%10s'"],
}


def grammar():
    """By kind of result, [(template, weight)]."""
    by_kind = {}
    for line in open(os.path.join(HERE, "functions.tsv"), encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            kind, template, *weight = line.rstrip("\n").split("\t")
            by_kind.setdefault(kind, []).append((template, float(weight[0]) if weight else 1.0))
    return by_kind


class Drawer:
    """Draws expressions; `stray` is how often an operand is of another kind than the template says."""

    def __init__(self, seed, stray=0.02):
        self.random, self.by_kind, self.stray = random.Random(seed), grammar(), stray

    def leaf(self, kind):
        if kind in UNIONS: kind = self.random.choice(UNIONS[kind])
        roll = self.random.random()
        if roll < 0.02: return "CAST(NULL AS %s)" % self.random.choice(TYPES[kind])
        return self.random.choice(COLUMNS[kind] if roll < 0.75 else LITERALS[kind])

    def expression(self, kind, depth):
        if kind in UNIONS: kind = self.random.choice(UNIONS[kind])
        if self.random.random() < self.stray: kind = self.random.choice(SCALARS)
        if depth == 0 or self.random.random() < 0.12: return self.leaf(kind)
        templates = [(t, w, True) for t, w in self.by_kind.get(kind, [])]
        generic = self.by_kind["T"]; share = sum(w for _, w, _ in templates) * 0.5 or 1.0
        total = sum(w for _, w in generic)
        templates += [(t, w * share / total, True) for t, w in generic]
        template = self.random.choices([t for t, _, _ in templates], [w for _, w, _ in templates])[0]
        return self.fill(template, kind, depth)

    def fill(self, template, kind, depth):
        """The template with its holes filled, for a result of this kind."""
        if kind in UNIONS or kind == "BOOL" and template.count("{T}") and not self.is_generic(template): same = self.random.choice(UNIONS["T"])
        else: same = kind
        literals = r"\b(?:%s)\b" % "|".join(WORDS)
        def hole(m):
            if m.group().startswith("'"): return m.group()
            if m.group() == "type": return self.random.choice(TYPES[kind])
            if not m.group().startswith("{"): return self.random.choice(WORDS[m.group()])
            wanted = m.group()[1:-1]
            text = self.expression(same if wanted == "T" else wanted, depth - 1)
            return text if re.fullmatch(r"\w+|\w+\([^()]*\)|'[^']*'|-?[0-9.]+(?:[eE]-?\d+)?", text) else "(" + text + ")" if not self.inside_call(template, m.start()) else text
        return re.sub(r"'(?:[^']|'')*'|\{[A-Z]+\}|\btype\b|" + literals, hole, template)

    def is_generic(self, template):
        return any(t == template for t, _ in self.by_kind["T"])

    @staticmethod
    def inside_call(template, at):
        """Whether the hole is a whole argument, which needs no parentheses."""
        end = template.index("}", at) + 1
        return template[at - 1:at] in ("(", " ") and (template[at - 1:at] == "(" or template[at - 2:at] == ", ") and template[end:end + 1] in (",", ")")


def draw(seed, count):
    drawer = Drawer(seed); seen = {}
    kinds = ["BOOL"] * 5 + ["INT"] * 4 + ["DEC"] * 4 + ["APPROX"] * 3 + ["STR"] * 6 + ["BYTES", "DATE", "DATE", "TIME", "TS", "TS", "TS", "LTZ", "LTZ", "AI", "AS", "MAP", "ROW"]
    while len(seen) < count:
        text = drawer.expression(drawer.random.choice(kinds), drawer.random.choice([1, 2, 2, 3, 3]))
        if 3 < len(text) < 260: seen[text] = None
    return list(seen)


def each(seed, times=4):
    """Each template a few times over plain columns and literals."""
    drawer = Drawer(seed, stray=0); seen = {}
    for kind, templates in drawer.by_kind.items():
        for template, _ in templates:
            for n in range(times): seen[drawer.fill(template, drawer.random.choice(UNIONS["T"]) if kind == "T" else kind, 1)] = None
    return list(seen)


def casts():
    out = [column for kind in COLUMNS.values() for column in kind]
    for cast in ("CAST", "TRY_CAST"):
        for kind, columns in COLUMNS.items():
            for column in columns:
                for wanted, types in TYPES.items():
                    for t in types:
                        if cast == "CAST" or kind in ("STR", "BYTES") or wanted in ("STR", "INT"): out.append("%s(%s AS %s)" % (cast, column, t))
    return out


def pairs():
    one = ["b", "ti", "si", "i", "l", "f", "d", "de", "dh", "dw", "dx", "c", "s", "num", "y", "dt", "tm", "t0", "t3", "t6", "lz", "ai", "m", "ro"]
    numbers, out = one[1:11], []
    for a in numbers:
        for b in numbers: out += ["%s %s %s" % (a, op, b) for op in "+-*/%"]
    literals = ["1", "3000000000", "1.5", "1e0", "'1'", "TRUE", "DATE '2024-02-29'", "TIMESTAMP '2024-02-29 12:34:56.789'", "NULL"]
    for i, a in enumerate(one):
        for j, b in enumerate(one + literals):
            if i <= j: out += ["%s = %s" % (a, b), "COALESCE(%s, %s)" % (a, b)]
            if i < j: out += ["%s < %s" % (b, a), "CASE WHEN b THEN %s ELSE %s END" % (a, b)]
            if i < j and a in numbers and b in numbers: out += ["%s IN (%s, 42)" % (a, b), "GREATEST(%s, %s)" % (a, b), "NULLIF(%s, %s)" % (a, b)]
    return out


def ask(expressions, out):
    """Records what Flink answers."""
    import flink_run
    with tempfile.TemporaryDirectory() as tmp:
        asked, answered = os.path.join(tmp, "in"), os.path.join(tmp, "out")
        with open(asked, "w", encoding="utf-8") as f: f.write("".join(e + "\n" for e in expressions))
        flink_run.progress("oracle.Expressions", "--table", os.path.join(EXPRESSIONS, "rows.sql"), "--rows", os.path.join(EXPRESSIONS, "rows.jsonl"),
                           "--in", asked, "--out", answered)
        lines = open(answered, encoding="utf-8").read().split("\n")[:-1]
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with open(out, "w", encoding="utf-8") as f: f.write("".join(l + "\n" for l in lines))
    invalid = sum(l.split("\t")[1].startswith("\\E") for l in lines)
    failing = sum("\t\\E" in l for l in lines) - invalid
    print("%s: %d expressions, %d refused by Flink, %d fail on some row" % (out, len(lines), invalid, failing))


def main():
    python = os.environ.get("FLINK_PYTHON", os.path.expanduser("~/.cache/flink/bin/python"))
    if not os.environ.get("FLINK_RECORD_CHILD") and os.path.exists(python):
        sys.exit(subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], env=dict(os.environ, FLINK_RECORD_CHILD="1")).returncode)
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["expressions", "pairs", "casts", "each", "queries", "again"])
    p.add_argument("--seed", type=int, default=1); p.add_argument("--count", type=int, default=3000)
    p.add_argument("--out", required=True); p.add_argument("--list", action="store_true", help="only print what would be asked")
    a = p.parse_args()
    ask_for = queries.ask if a.what == "queries" or a.out.endswith(".jsonl") else ask
    if a.what == "expressions": drawn = draw(a.seed, a.count)
    elif a.what == "queries": drawn = queries.draw(a.seed, a.count)
    elif a.what == "each": drawn = each(a.seed)
    elif a.what == "again" and ask_for is queries.ask: drawn = [json.loads(l)["query"] for l in open(a.out, encoding="utf-8")]
    elif a.what == "again": drawn = [l.split("\t")[0] for l in open(a.out, encoding="utf-8").read().split("\n") if l]
    else: drawn = pairs() if a.what == "pairs" else casts()
    if a.list: print("\n".join(drawn))
    else: ask_for(drawn, a.out)


if __name__ == "__main__":
    main()
