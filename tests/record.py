#!/usr/bin/env python3
"""Record what the cases under tests/cases must give, by running them on real Flink.

  tests/record.py [CASE_DIR...]        all cases, or the named ones

Runs the oracle (tests/oracle) with a Python that has apache-flink-libraries: $FLINK_PYTHON, by default ~/.cache/flink/bin/python
if it is there.

A case is a folder:
  case.sql                        the script. Leading comments may be directives:
                                    -- case: what it shows            -- error: what flowline's message must contain
                                    -- differs: why flowline's answer is not Flink's (the whole answer: expected-flowline/,
                                       or an error where there is an '-- error:' line too; expected/ has Flink's)
                                    -- set: KEY=VALUE  a setting that the runner gives both engines before the script
                                    -- parallelism: N  the highest at which the answer is one; above, time decides
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
ORACLE = os.path.join(ROOT, "tests", "oracle")


def directives(text):
    return re.findall(r"^-- (case|error|differs|set|source): (.*)$", text, re.M)


def record(dirs):
    sys.path.insert(0, ORACLE)
    import flink_run
    with tempfile.TemporaryDirectory() as tmp:
        groups = {}
        for d in dirs:
            given = directives(open(os.path.join(d, "case.sql"), encoding="utf-8").read())
            inputs = {os.path.splitext(f)[0]: os.path.join(d, f) for f in sorted(os.listdir(d)) if f.endswith((".jsonl", ".csv", ".raw"))}
            how = tuple(v for k, v in given if k == "set"), ("source", "filesystem") not in given
            groups.setdefault(how, []).append((d, os.path.join(tmp, os.path.relpath(d, CASES).replace(os.sep, "__")), inputs))
        failed = 0
        for (sets, ordered), jobs in groups.items():
            scripts = [os.path.join(d, "case.sql") for d, _, _ in jobs]
            metas = flink_run.run(scripts, [out for _, out, _ in jobs], ordered=ordered, sets=sets, inputs=[i for _, _, i in jobs])
            for (d, out, _), m in zip(jobs, metas):
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
