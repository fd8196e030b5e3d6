#!/usr/bin/env python3
"""Record what casts give on real Flink, for udfs/tests-data.

  tests/record_casts.py [casts | types]        both, or one of the two

Needs the oracle and a Python as tests/record.py does ($FLINK_ORACLE, $FLINK_PYTHON).

casts.tsv: source type, target type, value, Flink's answer, and flowline's where it differs; Flink's are written anew. The value is the text that CAST reads as the
source type, between quotes; INTERVAL as in a literal; (a, b) is an array or row of such values without quotes, and (k, v, k, v)
a map. The answer is what CAST(CAST(value AS target) AS STRING) gives, between quotes, or NULL; 'error' means that CAST fails,
where TRY_CAST gives NULL.
cast_types.tsv: which casts there are from the type of the row to that of the column: '.' none, 'c' CAST, 'i' also unasked, into
a sink; '?' where CAST is not there and a sink cannot be declared.
"""
import json, os, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.path.join(ROOT, "udfs", "tests-data")
ORACLE = os.environ.get("FLINK_ORACLE", os.path.join(os.path.dirname(ROOT), "shared", "oracle"))
ESCAPES = [("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")]
TYPES = ["CHAR(3)", "VARCHAR(3)", "STRING", "BOOLEAN", "BINARY(3)", "VARBINARY(3)", "BYTES", "DECIMAL(10, 2)", "TINYINT",
         "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DATE", "TIME(0)", "TIME(3)", "TIMESTAMP(0)", "TIMESTAMP(3)",
         "TIMESTAMP(9)", "TIMESTAMP_LTZ(3)", "INTERVAL YEAR TO MONTH", "INTERVAL YEAR", "INTERVAL DAY TO SECOND(3)",
         "INTERVAL DAY", "ARRAY<INT>", "ARRAY<STRING>", "ARRAY<DATE>", "MAP<STRING, INT>", "MAP<STRING, STRING>",
         "MULTISET<STRING>", "ROW<a INT>", "ROW<b STRING>", "ROW<a INT, b INT>"]
INTERVALS = {"INTERVAL YEAR TO MONTH": "1-2", "INTERVAL YEAR": "1", "INTERVAL DAY TO SECOND(3)": "1 01:02:03.5", "INTERVAL DAY": "1"}


def escape(text):
    for raw, escaped in ESCAPES: text = text.replace(raw, escaped)
    return text


def unescape(text):
    out, marks = [], {escaped[1]: raw for raw, escaped in ESCAPES}
    chars = iter(text)
    for c in chars: out.append(marks[next(chars)] if c == "\\" else c)
    return "".join(out)


def split(text):
    """The parts between top-level commas."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "(<") - (c in ")>")
        if c == "," and depth == 0: parts.append(text[start:i]); start = i + 1
    return [p.strip() for p in parts + [text[start:]]]


def expression(kind, value):
    """SQL that makes a value of a type, which the planner cannot evaluate."""
    if value == "NULL": return "CAST(NULL AS %s)" % kind
    if kind.startswith("INTERVAL"): return "CASE WHEN id > 0 THEN INTERVAL '%s' %s END" % (value, kind[9:])
    name, _, inner = kind.partition("<")
    if not inner: return "CAST(CASE WHEN id > 0 THEN '%s' END AS %s)" % (value.replace("'", "''"), kind)
    kinds, values = split(inner[:-1]), split(value[1:-1])
    if name == "ROW": kinds = [k.split(" ", 1)[1] for k in kinds]
    made = [expression(kinds[i % len(kinds)], v) for i, v in enumerate(values)]
    if name == "ROW": return "CAST(ROW(%s) AS %s)" % (", ".join(made), kind)
    return "%s[%s]" % (name, ", ".join(made))


def run(scripts):
    """The outcome of each statement of each script: its rows, or None if it fails, and the error."""
    sys.path.insert(0, ORACLE)
    import flink_run
    with tempfile.TemporaryDirectory() as tmp:
        paths = []
        for i, script in enumerate(scripts):
            paths.append(os.path.join(tmp, "s%d.sql" % i))
            with open(paths[-1], "w", encoding="utf-8") as f: f.write(";\n".join(script) + ";\n")
        outs = [p[:-4] for p in paths]
        metas, results = flink_run.run(paths, outs, keep_going=True), []
        for meta, out in zip(metas, outs):
            if "fatal" in meta: raise RuntimeError(meta["fatal"])
            result = []
            for s in meta["statements"]:
                rows = None
                if s["status"] == "ok":
                    name = os.path.join(out, s.get("sink", "none") + ".changelog.jsonl")
                    rows = [json.loads(l)["row"] for l in open(name, encoding="utf-8")] if os.path.exists(name) else []
                result.append((rows, s.get("error", "")))
            results.append(result)
        return results


def record_casts():
    path = os.path.join(DATA, "casts.tsv")
    lines = [l.rstrip("\n") for l in open(path, encoding="utf-8")]
    cases = [l.split("\t")[:3] for l in lines if l and not l.startswith("#")]
    groups = {}
    for i, (source, target, value) in enumerate(cases):
        own = value if source.startswith("INTERVAL") or "<" in source else None
        # NaN to DECIMAL would end a job, even in a branch that is not taken: those targets run apart.
        apart = source in ("FLOAT", "DOUBLE") and target.startswith("DECIMAL")
        groups.setdefault((source, own, apart), []).append((i, target, unescape(value[1:-1] if value.startswith("'") else value)))
    with tempfile.TemporaryDirectory() as tmp:
        def table(number, values):
            name = os.path.join(tmp, "t%d.jsonl" % number)
            with open(name, "w", encoding="utf-8") as f:
                for i, v in enumerate(values, 1): f.write(json.dumps({"id": i, "v": None if v == "NULL" else v}) + "\n")
            return "CREATE TABLE t (id INT, v STRING) WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'json')" % name

        scripts, plans = [], []
        for number, ((source, own, _), members) in enumerate(groups.items()):
            values = list(dict.fromkeys(v for _, _, v in members)); targets = list(dict.fromkeys(t for _, t, _ in members))
            made = expression(source, own) if own else ("v" if source == "STRING" else "CAST(v AS %s)" % source)
            asked_for = lambda target: ", ".join(str(values.index(v) + 1) for _, t, v in members if t == target)
            columns = ["CASE WHEN id IN (%s) THEN CAST(TRY_CAST(x AS %s) AS STRING) END AS c%d" % (asked_for(t), t, i) for i, t in enumerate(targets)]
            scripts.append([table(number, values), "SELECT id, %s FROM (SELECT id, %s AS x FROM t)" % (", ".join(columns), made)])
            plans.append((values, targets, made, members))
        answers = {}
        second, asked = [], []
        for script, plan, outcome in zip(scripts, plans, run(scripts)):
            values, targets, made, members = plan
            rows, error = outcome[1]
            if rows is None: print("no answer: %s\n%s" % (script[1], error)); continue
            rows = {r["id"]: r for r in rows}; strict = [script[0]]; which = []
            for i, target, value in members:
                at = values.index(value) + 1; answer = rows[at]["c%d" % targets.index(target)]
                answers[i] = answer
                if answer is None:
                    strict.append("SELECT CAST(CAST(x AS %s) AS STRING) AS c FROM (SELECT %s AS x FROM t WHERE id = %d)" % (target, made, at))
                    which.append(i)
            if which: second.append(strict); asked.append(which)
        for which, outcome in zip(asked, run(second)):
            for i, (rows, error) in zip(which, outcome[1:]):
                if rows is not None and rows[0]["c"] is not None: raise RuntimeError("%s: CAST gives %r, TRY_CAST NULL" % (cases[i], rows))
                answers[i] = "error" if rows is None else None
    answers = {i: a if a == "error" else "NULL" if a is None else "'%s'" % escape(a) for i, a in answers.items()}
    with open(path, "w", encoding="utf-8") as f:
        at = 0
        for line in lines:
            if line and not line.startswith("#"): line = "\t".join([*cases[at], answers.get(at, "?"), *line.split("\t")[4:]]); at += 1
            f.write(line + "\n")
    print("%d casts" % len(cases))


def record_types():
    source = lambda i, t: "CAST(NULL AS %s)" % t if t.startswith("MULTISET") else \
        "CASE id WHEN 1 THEN INTERVAL '%s' %s END" % (INTERVALS[t], t[9:]) if t in INTERVALS else "c%d" % i
    columns = ", ".join("c%d %s" % (i, t) for i, t in enumerate(TYPES) if t not in INTERVALS)
    script = ["CREATE TABLE t (id INT, %s) WITH ('connector' = 'filesystem', 'path' = '/none', 'format' = 'json')" % columns]
    script += ["CREATE TABLE s%d (x %s) WITH ('connector' = 'blackhole')" % (j, t) for j, t in enumerate(TYPES)]
    pairs = [(i, j) for i in range(len(TYPES)) for j in range(len(TYPES))]
    for i, j in pairs:
        x = "c%d" % i if not TYPES[i] in INTERVALS else source(i, TYPES[i])
        script.append("EXPLAIN JSON_EXECUTION_PLAN SELECT CAST(%s AS %s) FROM t" % (x, TYPES[j]))
        script.append("EXPLAIN JSON_EXECUTION_PLAN INSERT INTO s%d SELECT %s FROM t" % (j, x))
    outcome = run([script])[0][1 + len(TYPES):]
    cell = {}
    for k, (i, j) in enumerate(pairs):
        cast, sink = outcome[2 * k][0] is not None, outcome[2 * k + 1][0] is not None
        cell[i, j] = "i" if cast and sink else "c" if cast else "." if not sink else "?"
    with open(os.path.join(DATA, "cast_types.tsv"), "w", encoding="utf-8") as f:
        f.write("\t".join(["from", *TYPES]) + "\n")
        for i, t in enumerate(TYPES): f.write("\t".join([t, *(cell[i, j] for j in range(len(TYPES)))]) + "\n")
    print("%d pairs of types" % len(pairs))


def main():
    python = os.environ.get("FLINK_PYTHON", os.path.expanduser("~/.cache/flink/bin/python"))
    if not os.environ.get("FLINK_RECORD_CHILD") and os.path.exists(python):
        sys.exit(subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], env=dict(os.environ, FLINK_RECORD_CHILD="1")).returncode)
    if sys.argv[1:] != ["types"]: record_casts()
    if sys.argv[1:] != ["casts"]: record_types()


if __name__ == "__main__":
    main()
