#!/usr/bin/env python3
"""Run a Flink SQL script on real Flink (streaming mode, in-process MiniCluster) to completion and
write every sink's changelog and final rows as JSON lines.

  flink_run.py SCRIPT.sql [SCRIPT2.sql ...] --out DIR [--parallelism N] [--source TABLE=FILE.jsonl]... [--ordered]
               [--set KEY=VALUE]... [--changelog append|upsert|retract] [--watermarks] [--explain]
               [--keep-going] [--lines N] [--xmx 2g] [--flink PYFLINK_DIR]

Several scripts share one JVM (much cheaper: the first costs ~10 s of start-up and class loading, the next ones
about a second each) and write to DIR/<script name without .sql>/; one script writes to DIR itself.

For each INSERT target (and each bare SELECT, named select_1, select_2, ...):
  DIR/<sink>.changelog.jsonl   {"op":"+I|-U|+U|-D","row":{...}} in arrival order ("row" encoded by Flink's json
                               format; {"wm":millis} lines between them with --watermarks)
  DIR/<sink>.final.jsonl       the rows left after the changelog is applied (by PRIMARY KEY for an upsert sink,
                               as a multiset otherwise), sorted as text
  DIR/run.json                 per statement: status, exact error chain, ms, SELECT schema, plan; per sink: mode, pk, counts

Rules:
  * A line "--!include FILE" (relative to the script) is replaced by that file.
  * A sink keeps its declared schema; its connector is replaced by the test connector 'oracle', which accepts what
    the declared connector would accept: filesystem/kafka + json|csv -> append only (so Flink's own "doesn't support
    consuming update changes" error still comes), upsert-kafka and jdbc -> upsert, print -> retract (all four kinds),
    blackhole -> upsert with a primary key, else retract, *-debezium|canal-json -> retract, 'changelog.mode' (Confluent
    style, also with no connector at all) -> that mode. --changelog forces one mode for every sink.
  * Statements run one after another; a table written by one INSERT may be read by a later one (it then replays
    that sink's changelog, in order): this is how a Kafka-chained pipeline is checked on bounded data.
  * Defaults set before the script: parallelism 1, table.local-time-zone=UTC, pipeline.auto-watermark-interval=0 ms
    (a watermark after every record that raises it: deterministic late rows), restart-strategy none.
    SET statements in the script and --set override them.
  * --source T=F reads T's rows from file F whatever its connector was, decoded by T's own format and its options; --ordered reads them (and every
    filesystem+json table) through 'oracle', one file = one ordered partition, never split.
"""
import argparse, hashlib, json, os, subprocess, sys, time, resource

HERE = os.path.dirname(os.path.abspath(__file__))
def _flink_home():
    """$FLINK_HOME, or the pyflink package of the running Python (pip install apache-flink-libraries)."""
    if os.environ.get("FLINK_HOME"): return os.environ["FLINK_HOME"]
    import importlib.util
    spec = importlib.util.find_spec("pyflink")
    return list(spec.submodule_search_locations)[0] if spec else sys.exit("set FLINK_HOME, or: pip install apache-flink-libraries")

FLINK = _flink_home()
OPENS = ("--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED --add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED "
         "--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED "
         "--add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.lang.reflect=ALL-UNNAMED "
         "--add-opens=java.base/java.text=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED "
         "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED "
         "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED").split()

def build(flink):
    """Compile the runner once per version of its sources, into ~/.cache/flink-oracle."""
    src = f"{HERE}/runner/src/oracle"; files = [f"{src}/{f}" for f in sorted(os.listdir(src)) if f.endswith(".java")]
    digest = hashlib.sha256(b"".join(open(f, "rb").read() for f in files)).hexdigest()[:16]
    home = os.path.expanduser(f"~/.cache/flink-oracle/{digest}"); jar = f"{home}/oracle.jar"
    if not os.path.exists(jar):
        cls = f"{home}/classes"; os.makedirs(cls, exist_ok=True)
        subprocess.run(["javac", "-nowarn", "-Xlint:none", "-cp", f"{flink}/lib/*", "-d", cls, *files], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["cp", "-r", f"{HERE}/runner/META-INF", cls], check=True)
        subprocess.run(["jar", "cf", f"{jar}.{os.getpid()}", "-C", cls, "."], check=True); os.replace(f"{jar}.{os.getpid()}", jar)
    return jar

def start(main, *args, xmx="2g", flink=FLINK, **how):
    """Starts one of the runner's classes."""
    return subprocess.Popen(["java", f"-Xmx{xmx}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *OPENS, f"-Dlog4j.configurationFile=file:{HERE}/runner/log4j2.properties",
                             "-cp", f"{build(flink)}:{flink}/lib/*", main, *args], **how)

def progress(main, *args):
    """Runs one of the runner's classes and shows how far it is."""
    run = start(main, *args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in run.stdout:
        if line.startswith("[oracle]"): print("\r" + line.strip(), end="", flush=True)
    if run.wait(): sys.exit("\nthe oracle failed")
    print()

def final_rows(path, pk, mode):
    """Apply a changelog. Returns (rows as JSON texts sorted, counts by op, notes)."""
    ops, notes = {}, []
    table, bag = {}, {}
    for line in open(path, encoding="utf-8"):
        if line.startswith('{"wm"'): continue
        op, row = line[7:9], line[17:].rstrip("\n")[:-1]
        ops[op] = ops.get(op, 0) + 1
        if mode == "upsert" and pk:
            r = json.loads(row); k = json.dumps([r[c] for c in pk])
            if op in ("+I", "+U"): table[k] = row
            else: table.pop(k, None)          # upsert sinks take -U as a delete too: Flink does send them (filter above an update)
        elif op in ("+I", "+U"): bag[row] = bag.get(row, 0) + 1
        else:
            bag[row] = bag.get(row, 0) - 1
            if bag[row] == 0: del bag[row]
    if any(v < 0 for v in bag.values()): notes.append("negative multiplicity: a retraction without its row")
    rows = sorted(table.values()) if mode == "upsert" and pk else sorted(r for r, v in bag.items() for _ in range(max(v, 0)))
    return rows, ops, notes

def run(scripts, outs, parallelism=1, sources=(), sets=(), changelog=None, watermarks=False, explain=False,
        keep_going=False, ordered=False, xmx="2g", flink=FLINK, inputs=None):
    """scripts, outs: one path each, or two lists of the same length; inputs: for each script {table: file}, beside the sources of all.
    Returns the run.json of the last (list: all)."""
    one = isinstance(scripts, str)
    if one: scripts, outs = [scripts], [outs]
    for out in outs:
        os.makedirs(out, exist_ok=True); subprocess.run(["rm", "-rf", f"{out}/parts"])
        for f in os.listdir(out):
            if f.endswith((".changelog.jsonl", ".final.jsonl")) or f == "run.json": os.remove(f"{out}/{f}")
    if not os.path.exists(f"{HERE}/runner/log4j2.properties"):
        open(f"{HERE}/runner/log4j2.properties", "w").write("rootLogger.level=ERROR\nrootLogger.appenderRef.c.ref=c\nappender.c.name=c\nappender.c.type=Console\nappender.c.target=SYSTEM_ERR\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=%d %p %c - %m%n%throwable\n")
    jobs = f"{outs[0]}/jobs.tsv"; given = inputs or [{}] * len(scripts)
    with open(jobs, "w") as f: f.writelines("\t".join([s, o, *(f"{t}={p}" for t, p in i.items())]) + "\n" for s, o, i in zip(scripts, outs, given))
    cmd = ["oracle.OracleRunner", "--jobs", jobs, "--parallelism", str(parallelism)]
    for s in sources: cmd += ["--source", s]
    for s in sets: cmd += ["--set", s]
    if changelog: cmd += ["--changelog", changelog]
    for flag, on in (("--watermarks", watermarks), ("--explain", explain), ("--keep-going", keep_going), ("--ordered", ordered)):
        if on: cmd.append(flag)
    t0 = time.time(); r0 = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(f"{outs[0]}/stderr.log", "w") as err: rc = start(*cmd, xmx=xmx, flink=flink, stdout=subprocess.DEVNULL, stderr=err).wait()
    r1 = resource.getrusage(resource.RUSAGE_CHILDREN); wall = time.time() - t0
    metas = []
    for out in outs:
        if not os.path.exists(f"{out}/run.json"):
            metas.append({"rc": rc, "statements": [], "sinks": {}, "fatal": open(f"{outs[0]}/stderr.log").read()[-4000:]}); continue
        meta = json.load(open(f"{out}/run.json"))
        meta.update(rc=int(any(s["status"] != "ok" for s in meta["statements"])), jvm_wall_s=round(wall, 2), jvm_cpu_s=round(r1.ru_utime + r1.ru_stime - r0.ru_utime - r0.ru_stime, 2), jvm_maxrss_mb=r1.ru_maxrss // 1024)
        for n, s in meta["sinks"].items():
            p = f"{out}/{n}.changelog.jsonl"
            if not os.path.exists(p): continue
            rows, ops, notes = final_rows(p, s["pk"], s["changelog"])
            open(f"{out}/{n}.final.jsonl", "w").write("".join(r + "\n" for r in rows))
            s.update(ops=ops, final=len(rows), notes=notes); s.pop("dirs", None)
        json.dump(meta, open(f"{out}/run.json", "w"), indent=1); metas.append(meta)
        subprocess.run(["rm", "-rf", f"{out}/parts"])
    return metas[0] if one else metas

def show(m, explain=False, out=None, lines=0):
    for s in m["statements"]:
        print(f"{s['status']:5} {s['ms']:>7}ms  {s['stmt'][:110]}")
        if "schema" in s: print("       schema: " + ", ".join(s["schema"]))
        if "text" in s: print(s["text"])
        for n in ([s["sink"]] if "sink" in s else s.get("into", [])) if lines and s["status"] == "ok" else []:
            for i, l in enumerate(open(f"{out}/{n}.changelog.jsonl")):
                if i >= lines: print("       ..."); break
                print("       " + l.rstrip())
        if "error" in s: print("       " + s["error"].replace("\n", "\n       "))
        if explain and "plan" in s: print(s["plan"])
    for n, s in m["sinks"].items(): print(f"sink {n}: changelog={s['changelog']} pk={s['pk']} ops={s.get('ops')} final={s.get('final')} {s.get('notes') or ''}")
    if "fatal" in m: print(m["fatal"])

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("script", nargs="+"); p.add_argument("--out", required=True); p.add_argument("--parallelism", type=int, default=1)
    p.add_argument("--source", action="append", default=[]); p.add_argument("--set", action="append", default=[])
    p.add_argument("--changelog", choices=["append", "upsert", "retract"])
    for f in ("--watermarks", "--explain", "--keep-going", "--ordered"): p.add_argument(f, action="store_true")
    p.add_argument("--lines", type=int, default=0, help="print this many changelog lines of each sink")
    p.add_argument("--xmx", default="2g"); p.add_argument("--flink", default=FLINK)
    a = p.parse_args(); out = os.path.abspath(a.out); sc = [os.path.abspath(x) for x in a.script]
    outs = [out] if len(sc) == 1 else [f"{out}/{os.path.splitext(os.path.basename(x))[0]}" for x in sc]
    os.makedirs(out, exist_ok=True)
    ms = run(sc, outs, a.parallelism, a.source, a.set, a.changelog, a.watermarks, a.explain, a.keep_going, a.ordered, a.xmx, a.flink)
    for x, o, m in zip(sc, outs, ms):
        if len(ms) > 1: print(f"== {x}")
        show(m, a.explain, o, a.lines)
    m = ms[-1]
    if "jvm_wall_s" in m: print(f"wall {m['jvm_wall_s']}s cpu {m['jvm_cpu_s']}s rss {m['jvm_maxrss_mb']}MB")
    sys.exit(int(any(m["rc"] for m in ms)))
