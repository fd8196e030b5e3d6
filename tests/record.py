#!/usr/bin/env python3
"""Record what the cases under tests/cases must give, by running them on real Flink.

  tests/record.py [CASE_DIR...]        all cases, or the named ones

Needs the oracle (flink_run.py) in $FLINK_ORACLE, by default ../shared/oracle beside the repository, and a Python with
apache-flink-libraries: $FLINK_PYTHON, by default ~/.cache/flink/bin/python if it is there.

A case is a folder:
  case.sql                        the script. Leading comments may be directives:
                                    -- case: what it shows            -- error: what flowline's message must contain
                                    -- differs: why flowline's answer is not Flink's (the whole answer: expected-flowline/,
                                       or an error where there is an '-- error:' line too; expected/ has Flink's)
                                    -- set: KEY=VALUE  a setting that the runner gives both engines before the script
                                    -- source: filesystem  decode with Flink's file connector (top-level JSON arrays)
  TABLE.jsonl, .csv, .raw         the rows of source table TABLE: one line, one Kafka message, in order, one partition,
                                  decoded by the format that the table declares
  expected/SINK.final.jsonl       the rows left at the end, sorted as text
  expected/SINK.changelog.jsonl   the changes in order, {"op":"+I|-U|+U|-D","row":{...}}: only if some are not +I
  expected/error.txt              Flink's error, for a script that must fail (nothing else is recorded then)
A bare SELECT is a sink named select_1, select_2, ...: only its final rows are kept.
"""
import json, os, re, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = os.path.join(ROOT, "tests", "cases")
ORACLE = os.environ.get("FLINK_ORACLE", os.path.join(os.path.dirname(ROOT), "shared", "oracle"))
ID = r"(`[^`]+`|[A-Za-z_]\w*)"


def load(path):
    """The script with its --!include lines replaced by the files they name."""
    out = []
    for line in open(path, encoding="utf-8"):
        m = re.match(r"--!include (.*)", line)
        out.append(load(os.path.join(os.path.dirname(path), m.group(1).strip())) if m else line)
    return "".join(out)


def statements(text):
    """Statements split at the semicolons outside of quotes, comments and BEGIN STATEMENT SET ... END."""
    out, start, i = [], 0, 0
    for m in re.finditer(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|`[^`]*`|;", text, re.S):
        if m.group() == ";":
            body = bare(text[start:m.start()])
            if re.match(r"EXECUTE\s+STATEMENT\s+SET\b", body, re.I) and not re.search(r"\bEND\s*$", body, re.I):
                continue
            out.append(text[start:m.start()]); start = m.end()
    if bare(text[start:]): out.append(text[start:])
    return out


def bare(text):
    return re.sub(r"^(\s+|--[^\n]*(\n|$)|/\*(?!\+).*?\*/)*", "", text, flags=re.S).rstrip()


def directives(text):
    return re.findall(r"^-- (case|error|differs|set|source): (.*)$", text, re.M)


def bind(text, inputs, by):
    """The script with its source tables reading the input files: ALTER TABLE before the first query."""
    keys = set(re.findall(r"'([\w.-]+)'\s*=\s*'", text))
    drop = [k for k in sorted(keys) if re.match(r"(topic|properties\.|scan\.|sink\.)", k)]
    out, pending, querying = [], [], False
    for s in statements(text):
        b = bare(s)
        m = re.match(r"CREATE\s+(?:TEMPORARY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + ID, b, re.I)
        if re.match(r"INSERT|EXECUTE|SELECT|WITH|\(|VALUES|CREATE\s+(TEMPORARY\s+)?VIEW", b, re.I):
            querying = True; out += pending; pending = []
        out.append(s)
        t = m.group(1).strip("`") if m else None
        if t in inputs:
            opts = {"connector": by, "path": inputs[t], **({"changelog": "append"} if by == "oracle" else {})}
            alter = ["\nALTER TABLE `%s` SET (%s)" % (t, ", ".join("'%s' = '%s'" % o for o in opts.items()))]
            if drop: alter.append("\nALTER TABLE `%s` RESET (%s)" % (t, ", ".join("'%s'" % k for k in drop)))
            if querying: out += alter
            else: pending += alter
    return ";".join(out + pending) + ";\n"


def record(dirs):
    sys.path.insert(0, ORACLE)
    import flink_run
    with tempfile.TemporaryDirectory() as tmp:
        groups = {}
        for d in dirs:
            text = load(os.path.join(d, "case.sql")); given = directives(open(os.path.join(d, "case.sql"), encoding="utf-8").read())
            inputs = {os.path.splitext(f)[0]: os.path.join(d, f) for f in sorted(os.listdir(d)) if f.endswith((".jsonl", ".csv", ".raw"))}
            name = os.path.relpath(d, CASES).replace(os.sep, "__"); sql = os.path.join(tmp, name + ".sql")
            by = dict(given).get("source", "oracle")
            with open(sql, "w", encoding="utf-8") as f: f.write(bind(text, inputs, by))
            groups.setdefault(tuple(v for k, v in given if k == "set"), []).append((d, sql, os.path.join(tmp, "out", name)))
        failed = 0
        for sets, jobs in groups.items():
            metas = flink_run.run([j[1] for j in jobs], [j[2] for j in jobs], ordered=True, sets=sets)
            for (d, _, out), m in zip(jobs, metas):
                try: print("%-55s %s" % (os.path.relpath(d, CASES), keep(d, out, m, tmp)), flush=True)
                except Exception as e: failed += 1; print("%-55s FAILED: %s" % (os.path.relpath(d, CASES), e), flush=True)
        return failed


def keep(d, out, meta, tmp):
    wants_error = any(k == "error" for k, _ in directives(open(os.path.join(d, "case.sql"), encoding="utf-8").read()))
    differs = any(k == "differs" for k, _ in directives(open(os.path.join(d, "case.sql"), encoding="utf-8").read()))
    if "fatal" in meta: raise RuntimeError(meta["fatal"])
    errors = [s["error"] for s in meta["statements"] if s["status"] != "ok"]
    if errors and not (wants_error or differs): raise RuntimeError(errors[0])
    if not errors and wants_error and not differs: raise RuntimeError("ran without the error it should give")
    expected = os.path.join(d, "expected"); shutil.rmtree(expected, ignore_errors=True); os.makedirs(expected)
    if errors:
        text = re.sub(r"#\d+", "#N", errors[0]).replace(d, "CASE").replace(tmp, "TMP").replace(ROOT, "REPO")
        with open(os.path.join(expected, "error.txt"), "w", encoding="utf-8") as f: f.write(text.rstrip() + "\n")
        return "error: " + text.strip().splitlines()[-1][:150]
    said = []
    for sink, s in meta["sinks"].items():
        ops = s.get("ops", {})
        shutil.copy(os.path.join(out, sink + ".final.jsonl"), expected)
        if set(ops) - {"+I"} and not re.match(r"select_\d+$", sink): shutil.copy(os.path.join(out, sink + ".changelog.jsonl"), expected)
        said.append("%s %s -> %d%s" % (sink, " ".join("%s%d" % o for o in ops.items()) or "-", s["final"], "".join(" !" + n for n in s["notes"])))
    return "; ".join(said)


def main():
    python = os.environ.get("FLINK_PYTHON", os.path.expanduser("~/.cache/flink/bin/python"))
    if not os.environ.get("FLINK_RECORD_CHILD") and os.path.exists(python):
        sys.exit(subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], env=dict(os.environ, FLINK_RECORD_CHILD="1")).returncode)
    dirs = [os.path.abspath(d) for d in sys.argv[1:]]
    if not dirs: dirs = sorted(p for p, _, files in os.walk(CASES) if "case.sql" in files)
    sys.exit(1 if record(dirs) else 0)


if __name__ == "__main__":
    main()
