#!/usr/bin/env python3
"""Kills a job again and again while it reads from Kafka and writes to Kafka and files, and checks that every row came out once.

  torture.py --flowline BINARY [--kills 100] [--broker-restarts 3] [--takeovers 2] [--seed N] [--parallelism 2]
             [--seconds-between 0.7] [--rate 150] [--interval '1 s'] [--keep]

It starts a broker of its own, feeds two topics at a steady rate and runs one job with ten exactly-once sinks: windows that
tumble, hop and are sessions, an interval join and a regular one, totals, distinct values and the best three by key, all rows but
some, and all rows as partitioned Parquet files. Meanwhile the process is killed with SIGKILL, above all while it starts and
while it takes a checkpoint; the broker is stopped or killed, and comes back; the process is paused while another one takes its
job over. In the end what the sinks' topics and files hold is compared with what follows from the input. Ends with 1 where they
differ.
"""
import argparse
import bisect
import collections
import datetime
import json
import logging
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

VENV = os.path.expanduser("~/.cache/flowline/confluent")
NEEDED = ["confluent-kafka==2.*", "pyarrow"]
HERE = os.path.dirname(os.path.abspath(__file__))

try:
    import pyarrow.parquet
    from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic
except ImportError:
    # They live in a virtual environment of the tests' own; other tests may have made it with Kafka's client alone.
    if "TORTURE_INSTALLED" in os.environ:
        raise
    if not os.path.exists(f"{VENV}/bin/python"):
        partial = f"{VENV}.{os.getpid()}"
        subprocess.run([sys.executable, "-m", "venv", partial], check=True)
        subprocess.run([f"{partial}/bin/python", "-m", "pip", "install", "-q", *NEEDED], check=True)
        os.rename(partial, VENV)
    subprocess.run([f"{VENV}/bin/python", "-m", "pip", "install", "-q", *NEEDED], check=True)
    os.environ["TORTURE_INSTALLED"] = "yes"
    os.execv(f"{VENV}/bin/python", [f"{VENV}/bin/python", os.path.abspath(__file__), *sys.argv[1:]])

NAME = "torture"
# More partitions here than there, and neither as many as the job has instances.
INPUTS = {"left": 3, "right": 4}
APPENDED = {"windows": 3, "hops": 2, "sessions": 3, "pairs": 3, "joined": 4, "passed": 3}
UPSERTED = {"totals": 3, "distincts": 2, "best": 3}
SINKS = {**APPENDED, **UPSERTED}
WINDOW, WITHIN, STEP, JITTER = 5000, 1000, 20, 400
# Every row is in three windows that hop; a key's rows are so far apart that about every third one begins a session.
SLIDE, SIZE, GAP = 2000, 6000, 1000
BEST, GROUPS = 3, 3
KEYS = 40
BASE = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)
MARKER = BASE + 1000 * 86400 * 1000
# The clients here complain whenever the broker is away, which it is on purpose.
SILENCE = logging.getLogger("silence")
SILENCE.addHandler(logging.NullHandler())
SILENCE.propagate = False
# Another run of the job has taken over.
FENCED = 4
# A broker or another outside system failed.
OUTSIDE = 3

READ = "'connector'='kafka','scan.startup.mode'='earliest-offset','properties.bootstrap.servers'='x','format'='json'"
UPSERT = "'connector'='upsert-kafka','properties.bootstrap.servers'='x','key.format'='json','value.format'='json'"
ONCE = "'sink.delivery-guarantee'='exactly-once','sink.transactional-id-prefix'='once'"
SQL = f"""SET 'pipeline.name' = '{NAME}';
SET 'execution.checkpointing.interval' = '{{interval}}';
CREATE TABLE lefts (id BIGINT, k STRING, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('topic'='left',{READ});
CREATE TABLE rights (id BIGINT, k STRING, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('topic'='right',{READ});
CREATE TABLE windows (window_start TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, top BIGINT) WITH ('topic'='windows',{READ},{ONCE});
CREATE TABLE hops (window_start TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, low BIGINT, top BIGINT)
  WITH ('topic'='hops',{READ},{ONCE});
CREATE TABLE sessions (window_start TIMESTAMP(3), window_end TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, low BIGINT)
  WITH ('topic'='sessions',{READ},{ONCE});
CREATE TABLE pairs (l BIGINT, r BIGINT, k STRING) WITH ('topic'='pairs',{READ},{ONCE});
CREATE TABLE joined (l BIGINT, r BIGINT, k STRING, n BIGINT) WITH ('topic'='joined',{READ},{ONCE});
CREATE TABLE totals (k STRING, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('topic'='totals',{UPSERT},{ONCE});
CREATE TABLE distincts (k STRING, c BIGINT, d BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('topic'='distincts',{UPSERT},{ONCE});
CREATE TABLE best (k STRING, place BIGINT, id BIGINT, score BIGINT, PRIMARY KEY (k, place) NOT ENFORCED)
  WITH ('topic'='best',{UPSERT},{ONCE});
CREATE TABLE passed (side STRING, id BIGINT, k STRING, n BIGINT, ts TIMESTAMP(3)) WITH ('topic'='passed',{READ},{ONCE});
CREATE TABLE files (id BIGINT, k STRING, n BIGINT, ts TIMESTAMP(3), side STRING, g BIGINT) PARTITIONED BY (side, g)
  WITH ('connector'='filesystem','path'='{{files}}','format'='parquet');
EXECUTE STATEMENT SET BEGIN
INSERT INTO windows SELECT window_start, k, COUNT(*), SUM(n), MAX(id)
  FROM TUMBLE(TABLE lefts, DESCRIPTOR(ts), INTERVAL '{WINDOW // 1000}' SECOND) GROUP BY window_start, window_end, k;
INSERT INTO hops SELECT window_start, k, COUNT(*), SUM(n), MIN(id), MAX(id)
  FROM HOP(TABLE lefts, DESCRIPTOR(ts), INTERVAL '{SLIDE // 1000}' SECOND, INTERVAL '{SIZE // 1000}' SECOND)
  GROUP BY window_start, window_end, k;
INSERT INTO sessions SELECT window_start, window_end, k, COUNT(*), SUM(n), MIN(id)
  FROM SESSION(TABLE rights PARTITION BY k, DESCRIPTOR(ts), INTERVAL '{GAP // 1000}' SECOND) GROUP BY window_start, window_end, k;
INSERT INTO pairs SELECT l.id, r.id, l.k FROM lefts l LEFT JOIN rights r
  ON l.k = r.k AND l.ts BETWEEN r.ts - INTERVAL '{WITHIN // 1000}' SECOND AND r.ts + INTERVAL '{WITHIN // 1000}' SECOND;
INSERT INTO joined SELECT l.id, r.id, l.k, l.n FROM lefts l JOIN rights r ON l.k = r.k AND l.n = r.n;
INSERT INTO totals SELECT k, COUNT(*), SUM(n) FROM lefts GROUP BY k;
INSERT INTO distincts SELECT k, COUNT(*), COUNT(DISTINCT n), SUM(DISTINCT n) FROM lefts GROUP BY k;
INSERT INTO best SELECT k, place, id, score
  FROM (SELECT k, id, score, ROW_NUMBER() OVER (PARTITION BY k ORDER BY score DESC, id) AS place
        FROM (SELECT k, id, id + n AS score FROM rights))
  WHERE place <= {BEST};
INSERT INTO passed SELECT 'left', id, k, n, ts FROM lefts WHERE MOD(n, 4) <> 0
  UNION ALL SELECT 'right', id, k, n, ts FROM rights WHERE MOD(n, 4) <> 0;
INSERT INTO files SELECT id, k, n, ts, 'left', MOD(n, {GROUPS}) FROM lefts
  UNION ALL SELECT id, k, n, ts, 'right', MOD(n, {GROUPS}) FROM rights;
END;
"""


def text(millis):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=millis)).isoformat(" ", "milliseconds")


def millis(timestamp):
    whole = datetime.datetime.fromisoformat(timestamp.replace("T", " ").rstrip("Z"))
    return round((whole - datetime.datetime(1970, 1, 1)) / datetime.timedelta(milliseconds=1))


class Broken(Exception):
    """It makes no sense to go on."""


class Broker:
    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.outages = []  # from when to when it was not there
        self.bootstrap = self.command("start")

    def command(self, command):
        run = subprocess.run([sys.executable, f"{HERE}/broker.py", command, self.folder, "--parent", str(os.getpid())],
                             stdout=subprocess.PIPE, text=True)
        if run.returncode:
            raise Broken(f"broker.py {command} failed")
        return run.stdout.strip()

    def outage(self, is_rude, seconds):
        """Away for a while: stopped in good order, or killed."""
        with self.lock:
            outage = [time.monotonic(), None]
            self.outages.append(outage)
            if is_rude:
                with open(f"{self.folder}/pid") as f:
                    os.kill(int(f.read()), signal.SIGKILL)
            else:
                self.command("stop")
            time.sleep(seconds)
            # The data in the folder stays; a killed one takes longer to come back.
            self.command("start")
            outage[1] = time.monotonic()

    def was_away(self, since):
        """Whether it was away after `since`; it counts as away until it has had some time to come back."""
        return any(end is None or end + 15 > since for _, end in self.outages)

    def stop(self):
        with self.lock:
            self.command("stop")


class Feed(threading.Thread):
    """Writes rows at a steady rate. Idempotent: the input holds every number once, whatever happens to the broker."""

    def __init__(self, bootstrap, rate, seed):
        super().__init__(daemon=True)
        self.rate = rate
        self.random = random.Random(seed)
        self.failures = []
        self.ids = 0
        self.is_ended = threading.Event()
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2,
                                  "message.timeout.ms": 300000, "reconnect.backoff.max.ms": 500}, logger=SILENCE)

    def send(self, topic, partition, row):
        self.producer.produce(topic, json.dumps(row), partition=partition,
                              on_delivery=lambda error, _: error and self.failures.append(str(error)))

    def run(self):
        begun = time.monotonic()
        while not self.is_ended.is_set():
            while self.ids < (time.monotonic() - begun) * self.rate:
                for topic, partitions in INPUTS.items():
                    key = self.random.randrange(KEYS + 2)
                    # The last two keys of the left find no match.
                    key = f"k{key}" if key < KEYS else f"{topic} only {key}"
                    time_of = BASE + self.ids * STEP + self.random.randint(-JITTER, JITTER)
                    row = {"id": self.ids, "k": key, "n": self.random.randrange(1000), "ts": text(time_of)}
                    self.send(topic, self.ids % partitions, row)
                self.ids += 1
            self.producer.poll(0.01)

    def end(self):
        """The last rows, then far later ones that end every window and join."""
        self.is_ended.set()
        self.join()
        for topic, partitions in INPUTS.items():
            for partition in range(partitions):
                row = {"id": -1 - partition, "k": f"end of {topic}", "n": 0, "ts": text(MARKER)}
                self.send(topic, partition, row)
        if self.producer.flush(90) or self.failures:
            raise Broken(f"the input was not delivered: {self.failures[:1]}")


def reader(bootstrap):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "torture", "enable.auto.commit": False,
                     "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "error",
                     "reconnect.backoff.max.ms": 500, "fetch.wait.max.ms": 20}, logger=SILENCE)


Record = collections.namedtuple("Record", "partition offset timestamp key value")


def record(message):
    return Record(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value())


def everything(bootstrap, topics):
    """All committed records of topics, by partition and offset."""
    records = {topic: [] for topic in topics}
    for topic, partitions in topics.items():
        for partition in range(partitions):
            consumer = reader(bootstrap)
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(30)
                if message is None:
                    raise Broken(f"{topic} {partition}: cannot be read to its end")
                if not message.error():
                    records[topic].append(record(message))
                elif message.error().name() == "_PARTITION_EOF":
                    break
            consumer.close()
    return records


class Watch(threading.Thread):
    """Sees what the job commits, as it does."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.bootstrap = bootstrap
        self.records = {topic: [] for topic in SINKS}
        self.seen = []  # (when it came, when it was written)
        self.is_ended = threading.Event()

    def run(self):
        consumer = reader(self.bootstrap)
        consumer.assign([TopicPartition(t, p, 0) for t, partitions in SINKS.items() for p in range(partitions)])
        while not self.is_ended.is_set():
            for message in consumer.consume(500, 0.05):
                if not message.error():
                    one = record(message)
                    self.records[message.topic()].append(one)
                    if not self.seen or self.seen[-1][1] < one.timestamp:
                        self.seen.append((time.time(), one.timestamp))
        consumer.close()

    def end(self):
        self.is_ended.set()
        self.join()

    def latency(self, begun, ended):
        """How long it took a process that lived from then to then until a record that it wrote was committed."""
        for came, written in self.seen:
            if written >= begun * 1000 and came > begun:
                return came - begun if came < ended + 1 else None
        return None


def published(folder):
    """The files that count of a table's folder, and the hidden ones."""
    files, hidden = [], []
    for place, _, names in os.walk(folder):
        for name in names:
            (hidden if name.startswith((".", "_")) else files).append(os.path.join(place, name))
    return files, hidden


class FileWatch(threading.Thread):
    """Sees which files the job publishes, as it does. From then on they are whole and stay what they are."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder = folder
        self.seen = {}  # size and rows by path
        self.broken = []
        self.is_ended = threading.Event()

    def run(self):
        while not self.is_ended.wait(0.2):
            self.look()

    def look(self):
        for path in published(self.folder)[0]:
            if path not in self.seen:
                try:
                    self.seen[path] = os.path.getsize(path), pyarrow.parquet.read_metadata(path).num_rows
                except (OSError, pyarrow.ArrowException) as error:
                    self.seen[path] = 0, 0
                    self.broken.append(f"{path} was no whole file when it was published: {error}")

    def rows(self):
        return sum(rows for _, rows in list(self.seen.values()))

    def end(self):
        self.is_ended.set()
        self.join()
        self.look()
        for path, (size, _) in self.seen.items():
            now = os.path.getsize(path) if os.path.exists(path) else None
            if now != size:
                self.broken.append(f"{path} had {size} bytes when it was published, and has {now}")

    def places(self):
        """Where each row is."""
        places = collections.defaultdict(list)
        for path in sorted(self.seen):
            partition = dict(part.split("=") for part in os.path.relpath(path, self.folder).split("/")[:-1])
            for row in pyarrow.parquet.ParquetFile(path).read().to_pylist():
                at = round((row["ts"].replace(tzinfo=None) - datetime.datetime(1970, 1, 1)) / datetime.timedelta(milliseconds=1))
                row = partition["side"], int(partition["g"]), row["id"], row["k"], row["n"], at
                places[row].append(os.path.relpath(path, self.folder))
        return places


class Process:
    """One run of the job."""

    def __init__(self, torture, parallelism):
        torture.runs += 1
        self.number = torture.runs
        self.log = f"{torture.folder}/logs/{self.number:03}.log"
        self.checkpoints = torture.checkpoints
        self.begun, self.begun_at = time.monotonic(), time.time()
        self.ended_at = float("inf")
        self.is_asked = False
        # A run of its own knows nothing of what came after it.
        self.known = {folder: torture.names(folder) for folder in ("manifests", "state")}
        with open(self.log, "w") as log:
            self.child = subprocess.Popen([*torture.command, "--parallelism", str(parallelism)], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, env={**os.environ, "FLOWLINE_LOG": "info"})

    def code(self):
        return self.child.poll()

    def signal(self, number):
        self.is_asked |= number == signal.SIGTERM
        if self.code() is None:
            self.child.send_signal(number)

    def end(self):
        """Kills it; the code where it had ended already."""
        code = self.code()
        self.signal(signal.SIGKILL)
        self.child.wait()
        self.ended_at = time.time()
        return code

    def tail(self, lines):
        with open(self.log, errors="replace") as f:
            return f.read().splitlines()[-lines:]


class Torture:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.random = random.Random(arguments.seed)
        self.checkpoints = f"{folder}/checkpoints"
        self.files = FileWatch(f"{folder}/files")
        self.problems = []
        self.runs = self.kills = self.gave_up = self.ended_well = 0
        self.moments = collections.Counter()
        self.lives = []
        self.startups = []
        self.process = None
        self.paused = None
        self.broker = self.watch = None
        os.mkdir(f"{folder}/logs")

    def names(self, folder):
        try:
            return set(os.listdir(f"{self.checkpoints}/{NAME}/{folder}"))
        except FileNotFoundError:
            return set()

    def say(self, what):
        print(f"{time.monotonic() - self.begun:6.1f} s  {what}", flush=True)

    def problem(self, what, process=None):
        self.problems.append(what)
        self.say(f"PROBLEM: {what}")
        for line in process.tail(25) if process else []:
            print(f"    {line}")

    def flowline(self, *arguments, timeout=90):
        run = subprocess.run([self.arguments.flowline, *arguments, "--checkpoint-dir", self.checkpoints], timeout=timeout,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return run.returncode, run.stdout.strip()

    # ---- What happens to the job ----

    def start(self):
        usual = self.arguments.parallelism
        parallelism = usual if self.random.random() < 0.7 else self.random.choice([1, 2, 3, 5])
        process = Process(self, parallelism)
        self.lives.append(process)
        return process

    def stop_in_good_order(self):
        """SIGTERM asks it to take a last checkpoint; now and then it is killed while it does."""
        self.process.signal(signal.SIGTERM)
        if self.random.random() < 0.3:
            self.wait(self.random.uniform(0, 0.5))
            return
        self.wait(60)
        code = self.process.code()
        if code is None and not self.broker.was_away(self.process.begun):
            self.problem(f"run {self.process.number} goes on 60 s after SIGTERM", self.process)

    def kill(self):
        code = self.process.end()
        if code is None:
            self.kills += 1
            return
        # Before it listens to SIGTERM it ends by it.
        if self.process.is_asked and code in (0, -signal.SIGTERM):
            self.ended_well += 1
            return
        # Nobody killed it: it gave up, which is right only where the broker was away.
        if code == OUTSIDE and self.broker.was_away(self.process.begun):
            self.gave_up += 1
            return
        self.problem(f"run {self.process.number} ended by itself with {code}", self.process)
        if len(self.problems) > 3:
            raise Broken("it fails again and again")

    def wait(self, seconds):
        """Lets it live so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.code() is None:
            time.sleep(min(0.01, max(0.0, deadline - time.monotonic())))

    def wait_for_file(self, folder, seconds=20):
        """Until the process has written a file into a folder of its checkpoints."""
        deadline = time.monotonic() + seconds
        known = self.process.known[folder]
        while time.monotonic() < deadline and self.process.code() is None:
            new = self.names(folder) - known
            if any(name.endswith((".json", ".arrow")) for name in new):
                return True
            time.sleep(0.001)
        return False

    def startup(self):
        """How long it usually takes to its first checkpoint."""
        return statistics.median(self.startups) if self.startups else 2

    def live(self):
        """Lets the process live up to some moment."""
        between = self.arguments.seconds_between
        moment = self.random.choices(["start", "later", "state", "manifest", "commit"], [40, 15, 15, 15, 15])[0]
        self.moments[moment] += 1
        if moment == "start":
            # The first moments above all; and any up to when it usually takes its first checkpoint.
            self.wait(self.random.uniform(0, self.random.choice([0.5, self.startup()])))
            return
        # Mostly after some checkpoints: a job that never gets to the end of one would show nothing.
        if self.random.random() < 0.8 and self.wait_for_file("manifests"):
            self.startups.append(time.monotonic() - self.process.begun)
            self.wait(self.random.uniform(0, between))
        if moment == "later":
            return
        folder = "state" if moment == "state" else "manifests"
        self.process.known[folder] = self.names(folder)
        self.wait_for_file(folder)
        # Stored, but its output may not be committed yet; or the rest of its state is being written.
        time.sleep(self.random.uniform(0, 0.2) if moment == "commit" else self.random.choice([0, 0.002, 0.01]))

    def ask(self):
        """Somebody asks for a checkpoint, while the job starts or runs or is killed."""
        def take():
            time.sleep(delay)
            self.flowline("checkpoints", "take", NAME, "--timeout", "3 s")
        delay = self.random.uniform(0, 0.5)
        threading.Thread(target=take, daemon=True).start()

    def take_over(self):
        """A second process takes the job of one that runs, or starts, or is paused and goes on afterwards: one must end."""
        is_early, is_paused = self.random.random() < 0.3, self.random.random() < 0.8
        if is_early or self.process.code() is not None:
            self.kill()
            self.process = self.start()
        if is_early:
            self.wait(self.random.uniform(0, self.startup()))
        else:
            self.wait_for_file("manifests", 30)
            self.wait(self.random.uniform(0, 1))
            folder = self.random.choice(["state", "manifests", None])
            if folder:
                self.process.known[folder] = self.names(folder)
                self.wait_for_file(folder)
        first = self.paused = self.process
        if is_paused:
            first.signal(signal.SIGSTOP)
        second = self.process = self.start()
        if is_paused:
            if self.random.random() < 0.7:
                self.wait_for_file("manifests", 30)
            self.wait(self.random.uniform(0, 1.5))
            self.say(f"run {first.number} goes on after {time.time() - second.begun_at:.1f} s of run {second.number}")
            first.signal(signal.SIGCONT)
        resumed = time.monotonic()
        while time.monotonic() < resumed + 90 and first.code() is None and second.code() is None:
            time.sleep(0.02)
        took = time.monotonic() - resumed
        # The one that lives on must not end either, not even later.
        self.watch_over(first, second)
        codes = first.code(), second.code()
        if codes[0] is None and codes[1] is None:
            self.problem(f"runs {first.number} and {second.number} of the same job go on side by side", first)
        elif codes[0] is not None and codes[1] is not None:
            self.problem(f"runs {first.number} and {second.number} have both ended, with {codes}", second)
        for process, code in zip((first, second), codes):
            if code not in (None, 0, FENCED) and not self.broker.was_away(process.begun):
                self.problem(f"run {process.number}, taken over, ended with {code}", process)
        self.say(f"run {first.number}: {codes[0]}, run {second.number}: {codes[1]}, {took:.1f} s later")
        survivor = first if codes[0] is None and codes[1] is not None else second
        other = second if survivor is first else first
        other.end()
        self.paused = None
        self.process = survivor
        # What the other one may have damaged is needed by the next run.
        self.wait(self.random.uniform(0, 0.5))
        if survivor.end() is None:
            self.kills += 1
        self.process = self.start()

    def watch_over(self, *processes):
        """Until the one that is left has taken a checkpoint, or there is none left."""
        for process in processes:
            process.known["manifests"] = self.names("manifests")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and any(p.code() is None for p in processes):
            if self.names("manifests") - processes[0].known["manifests"]:
                break
            time.sleep(0.02)
        time.sleep(0.5)

    def run(self):
        arguments = self.arguments
        self.begun = time.monotonic()
        self.broker = Broker(f"{self.folder}/broker")
        bootstrap = self.broker.bootstrap
        self.say(f"broker at {bootstrap}, files in {self.folder}, seed {arguments.seed}")
        admin = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENCE)
        topics = [NewTopic(t, p, 1) for t, p in {**INPUTS, **SINKS}.items()]
        for future in admin.create_topics(topics).values():
            future.result(30)
        sql = f"{self.folder}/job.sql"
        with open(sql, "w") as f:
            f.write(SQL.format(interval=arguments.interval, files=self.files.folder))
        # The interval is said twice: a --checkpoint-dir alone may bring one of its own.
        self.command = [arguments.flowline, "run", sql, "--kafka", bootstrap, "--checkpoint-dir", self.checkpoints,
                        "--checkpoint-interval", arguments.interval]
        self.feed = Feed(bootstrap, arguments.rate, arguments.seed)
        self.feed.start()
        self.watch = Watch(bootstrap)
        self.watch.start()
        self.files.start()
        self.process = self.start()
        self.torment(self.events())
        self.feed.end()
        self.say(f"{self.feed.ids} rows a topic are written, {self.kills} kills")
        self.finish()

    def events(self):
        """After which kill what else happens."""
        arguments = self.arguments
        events = collections.defaultdict(list)
        kinds = ["outage"] * arguments.broker_restarts + ["takeover"] * arguments.takeovers
        self.random.shuffle(kinds)
        for i, kind in enumerate(kinds):
            # Spread over the run, the first one after some kills.
            at = (i + self.random.uniform(0.3, 1)) * arguments.kills / (len(kinds) + 0.5)
            events[int(at)].append(kind)
        return events

    def torment(self, events):
        outage = None
        while self.kills < self.arguments.kills or events:
            due = [at for at in events if at <= self.kills]
            for kind in [kind for at in due for kind in events.pop(at)]:
                if outage:
                    outage.join()
                if kind == "takeover":
                    self.take_over()
                else:
                    is_rude, seconds = self.random.random() < 0.4, self.random.uniform(0, 2)
                    self.say(f"the broker is {'killed' if is_rude else 'stopped'} for {seconds:.1f} s")
                    outage = threading.Thread(target=self.broker.outage, args=(is_rude, seconds), daemon=True)
                    outage.start()
            if self.kills >= self.arguments.kills:
                continue
            if self.random.random() < 0.1:
                self.ask()
            if self.random.random() < 0.03:
                # A pause with nobody else there must do no harm.
                self.process.signal(signal.SIGSTOP)
                time.sleep(self.random.uniform(0.1, 1.5))
                self.process.signal(signal.SIGCONT)
            self.live()
            if self.random.random() < 0.06:
                self.stop_in_good_order()
            self.kill()
            if self.kills % 10 == 0:
                rows = {topic: len(records) for topic, records in self.watch.records.items()} | {"files": self.files.rows()}
                self.say(f"{self.kills} kills, {self.feed.ids} rows in a topic, committed: {rows}")
            if self.random.random() < 0.2:
                time.sleep(self.random.uniform(0, 0.5))
            self.process = self.start()
        if outage:
            outage.join()

    # ---- What must have come of it ----

    def finish(self):
        bootstrap = self.broker.bootstrap
        rows = {}
        for topic, records in everything(bootstrap, INPUTS).items():
            rows[topic] = [json.loads(r.value) for r in records]
            ids = sorted(row["id"] for row in rows[topic])
            if ids != list(range(-INPUTS[topic], self.feed.ids)):
                raise Broken(f"the input '{topic}' does not hold every number once: the feed is broken, not the job")
        expected = expectations(rows)
        self.wait_until_complete(expected)
        self.stop_job()
        # Started once more, it must find that nothing is left to do.
        self.process = self.start()
        self.wait_for_file("manifests", 60)
        self.stop_job()
        code, said = self.flowline("checkpoints", "verify", NAME)
        if code:
            self.problem(f"flowline checkpoints verify: {said}")
        self.watch.end()
        self.files.end()
        found = everything(bootstrap, SINKS)
        self.report(rows, expected, found)

    def wait_until_complete(self, expected):
        begun = time.monotonic()
        deadline = begun + 150
        while time.monotonic() < deadline:
            if self.process.code() is not None:
                self.kill()
                self.process = self.start()
            counts = {topic: len(self.watch.records[topic]) for topic in APPENDED} | {"files": self.files.rows()}
            if all(counts[topic] >= len(expected[topic]) for topic in counts):
                if all(last_values(topic, self.watch.records[topic]) == expected[topic] for topic in UPSERTED):
                    self.say(f"the output is complete {time.monotonic() - begun:.1f} s after the last row")
                    return
            time.sleep(0.1)
        self.problem(f"the output is not complete {deadline - begun:.0f} s after the last row", self.process)

    def stop_job(self):
        code, said = self.flowline("stop", NAME, "--timeout", "60 s")
        if code:
            self.problem(f"flowline stop ended with {code}: {said}", self.process)
        try:
            code = self.process.child.wait(30)
            if code:
                self.problem(f"the job, stopped, ended with {code}", self.process)
        except subprocess.TimeoutExpired:
            self.problem("the job, stopped, goes on", self.process)
        self.process.end()

    def report(self, rows, expected, found):
        compared = {topic: compare(expected[topic], places_of(topic, found[topic])) for topic in APPENDED}
        compared |= {topic: compare_upserts(topic, expected[topic], found[topic]) for topic in UPSERTED}
        compared["files"] = compare(expected["files"], self.files.places())
        compared["files"][1].extend(self.files.broken[:5])
        for topic in SINKS:
            # What was visible once stays so, and nothing turns up before it.
            seen = [(r.partition, r.offset) for r in self.watch.records[topic]]
            is_same = sorted(seen) == [(r.partition, r.offset) for r in found[topic]]
            if not is_same:
                compared[topic][1].append("a reader that came along saw other records than one afterwards")
        for topic, (_, examples) in compared.items():
            for example in examples:
                self.problem(f"{topic}: {example}")
        for name in saying(f"{self.folder}/logs", "changed ")[:3]:
            self.problem(f"{name}: it is said that the SQL is not that of the checkpoint, which it is")
        inside = restarts_inside(f"{self.folder}/logs")
        latencies = [self.watch.latency(p.begun_at, p.ended_at) for p in self.lives]
        latencies = sorted(latency for latency in latencies if latency is not None)
        left_behind = self.orphans()
        print(f"\nkills            {self.kills} (seed {self.arguments.seed}; moments: {dict(self.moments)})")
        print(f"broker restarts  {len(self.broker.outages)}; runs that gave up meanwhile: {self.gave_up}")
        print(f"runs             {self.runs}, {self.ended_well} of them ended by SIGTERM, and {sum(inside.values())} restarts inside of them")
        for reason, count in inside.most_common(8):
            print(f"                 {count} x {reason}")
        files, hidden = published(self.files.folder)
        print(f"rows in          {', '.join(f'{topic} {len(r)}' for topic, r in rows.items())}")
        for topic, (counts, _) in compared.items():
            print(f"rows out         {topic:9} {counts}")
        if latencies:
            print(f"first new row    min {latencies[0]:.2f} s, median {statistics.median(latencies):.2f} s, "
                  f"longest {latencies[-1]:.2f} s after a start ({len(latencies)} runs came so far)")
        print(f"files left       {left_behind} of state that no checkpoint needs, {len(hidden)} hidden beside {len(files)} published")
        print(f"time             {time.monotonic() - self.begun:.0f} s")

    def orphans(self):
        needed = set()
        for name in self.names("manifests"):
            with open(f"{self.checkpoints}/{NAME}/manifests/{name}") as f:
                needed.update(re.findall(r"state/([^\"]+)", f.read()))
        return len(self.names("state") - needed)

    def end(self):
        for process in (self.process, self.paused):
            if process:
                process.end()
        self.files.is_ended.set()
        if self.watch:
            self.watch.is_ended.set()
        if self.broker:
            self.broker.stop()


def aggregates(rows):
    """Count, sum of n, lowest and highest id."""
    return len(rows), sum(row["n"] for row in rows), min(row["id"] for row in rows), max(row["id"] for row in rows)


def window_expectations(rows):
    """Every window but those of the last rows, which no watermark passes."""
    windows, hops, by_key = collections.defaultdict(list), collections.defaultdict(list), collections.defaultdict(list)
    for row in rows["left"]:
        if row["id"] >= 0:
            at = millis(row["ts"])
            windows[at // WINDOW * WINDOW, row["k"]].append(row)
            for start in range(at // SLIDE * SLIDE, at - SIZE, -SLIDE):
                hops[start, row["k"]].append(row)
    for row in rows["right"]:
        if row["id"] >= 0:
            by_key[row["k"]].append((millis(row["ts"]), row))
    sessions = []  # (start, end, key, rows)
    for key, those in by_key.items():
        end = -1
        for at, row in sorted(those, key=lambda one: one[0]):
            if at > end:
                sessions.append([at, at, key, []])
            end = sessions[-1][1] = at + GAP
            sessions[-1][3].append(row)
    found = {"windows": set(), "hops": set(), "sessions": set()}
    for (at, k), those in windows.items():
        count, total, _, top = aggregates(those)
        found["windows"].add((at, k, count, total, top))
    for (at, k), those in hops.items():
        found["hops"].add((at, k, *aggregates(those)))
    for start, end, k, those in sessions:
        found["sessions"].add((start, end, k, *aggregates(those)[:3]))
    return found


def key_expectations(rows):
    """The last value of each key."""
    lefts, rights = collections.defaultdict(list), collections.defaultdict(list)
    for row in rows["left"]:
        lefts[row["k"]].append(row["n"])
    for row in rows["right"]:
        rights[row["k"]].append((row["id"] + row["n"], -row["id"]))
    best = {(k, place): score for k, scores in rights.items() for place, score in enumerate(sorted(scores)[:-BEST - 1:-1], 1)}
    return {"totals": {k: (len(ns), sum(ns)) for k, ns in lefts.items()},
            "distincts": {k: (len(ns), len(set(ns)), sum(set(ns))) for k, ns in lefts.items()},
            "best": best}


def join_expectations(rows):
    by_key, by_value = collections.defaultdict(list), collections.defaultdict(list)
    for row in rows["right"]:
        by_key[row["k"]].append((millis(row["ts"]), row["id"]))
        by_value[row["k"], row["n"]].append(row["id"])
    for times in by_key.values():
        times.sort()
    pairs, joined = set(), set()
    for row in rows["left"]:
        joined.update((row["id"], other, row["k"], row["n"]) for other in by_value.get((row["k"], row["n"]), []))
        if row["id"] < 0:
            continue
        times, at = by_key.get(row["k"], []), millis(row["ts"])
        first = bisect.bisect_left(times, (at - WITHIN, -1))
        last = bisect.bisect_right(times, (at + WITHIN, float("inf")))
        matches = [other for _, other in times[first:last]] or [None]
        pairs.update((row["id"], other, row["k"]) for other in matches)
    return {"pairs": pairs, "joined": joined}


def expectations(rows):
    """What the job must write, from what it read."""
    every = {(side, row["id"], row["k"], row["n"], millis(row["ts"])) for side, those in rows.items() for row in those}
    return {**window_expectations(rows), **key_expectations(rows), **join_expectations(rows),
            "passed": {row for row in every if row[3] % 4},
            "files": {(side, n % GROUPS, id, k, n, at) for side, id, k, n, at in every}}


def row_of(topic, value):
    row = json.loads(value)
    for name in ("window_start", "window_end", "ts"):
        if name in row:
            row[name] = millis(row[name])
    # What is NULL may not be there.
    names = {"windows": "window_start k c s top", "hops": "window_start k c s low top", "pairs": "l r k", "joined": "l r k n",
             "sessions": "window_start window_end k c s low", "passed": "side id k n ts"}[topic]
    return tuple(row.get(name) for name in names.split())


def places_of(topic, records):
    """Where each row is."""
    places = collections.defaultdict(list)
    for r in records:
        places[row_of(topic, r.value)].append(f"partition {r.partition} offset {r.offset} written {r.timestamp}")
    return places


def compare(expected, places):
    """Each row once and nothing else: counts, and examples of what is wrong."""
    twice = [row for row, those in places.items() if row in expected and len(those) > 1]
    duplicates = sum(len(places[row]) - 1 for row in twice)
    missing = sorted(expected - places.keys(), key=str)
    unknown = [row for row in places if row not in expected]
    wrong = [f"{row} came {len(places[row])} times: {places[row][:3]}" for row in twice[:3]]
    wrong += [f"{row} is missing" for row in missing[:3]]
    wrong += [f"{row} follows from no input: {places[row][:3]}" for row in unknown[:3]]
    count = sum(map(len, places.values()))
    return f"{count}: duplicates {duplicates}, missing {len(missing)}, unexpected {len(unknown)}", wrong


def values_of(topic, records):
    """Keys and values that only grow, in their order; None for a deletion."""
    for r in sorted(records, key=lambda r: (r.partition, r.offset)):
        key, row = json.loads(r.key), r.value and json.loads(r.value)
        if topic == "best":
            yield r, (key["k"], key["place"]), row and (row["score"], -row["id"])
        else:
            yield r, key["k"], row and tuple(row[name] for name in ("c", "d", "s") if name in row)


def last_values(topic, records):
    return {key: value for _, key, value in values_of(topic, list(records))}


def compare_upserts(topic, expected, records):
    """The last value of each key is right, and on the way there they only grow."""
    last, places, wrong, back = {}, {}, [], 0
    for r, key, value in values_of(topic, records):
        place = f"partition {r.partition} offset {r.offset} written {r.timestamp}"
        before = last.get(key)
        if value is None or (before and value < before) or places.get(key, r.partition) != r.partition:
            back += 1
            wrong.append(f"{key} goes from {before} to {value}: {place}")
        last[key], places[key] = value, r.partition
    missing = [key for key in expected if last.get(key) != expected[key]]
    unknown = [key for key in last if key not in expected]
    wrong += [f"{key} ends with {last.get(key)} instead of {expected[key]}" for key in missing[:3]]
    wrong += [f"{key} follows from no input" for key in unknown[:3]]
    counts = f"{len(records)}: {len(last)} keys, went back {back}, wrong in the end {len(missing)}, unexpected {len(unknown)}"
    return counts, wrong[:9]


def saying(folder, what):
    """The logs with a line that begins so."""
    found = []
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", errors="replace") as f:
            if any(line.startswith(what) for line in f):
                found.append(name)
    return found


def restarts_inside(folder):
    """Why the job was started again by its own process, and how often."""
    reasons = collections.Counter()
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", errors="replace") as f:
            for line in f:
                if line.startswith("failed "):
                    # Numbers and addresses differ from time to time.
                    reasons[re.sub(r"\d+", "N", line[9:].strip())[:150]] += 1
    return reasons


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flowline", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--broker-restarts", type=int, default=3)
    parser.add_argument("--takeovers", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--seconds-between", type=float, default=0.7, help="from a process' first checkpoint to its end, at most")
    parser.add_argument("--rate", type=float, default=150, help="rows a second into each topic")
    parser.add_argument("--interval", default="1 s", help="between checkpoints")
    parser.add_argument("--keep", action="store_true", help="leave logs, checkpoints and job behind")
    arguments = parser.parse_args()
    arguments.flowline = os.path.abspath(arguments.flowline)
    if arguments.takeovers is None:
        arguments.takeovers = 1 if arguments.kills < 20 else 2
    # So that what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("torture.py: ended"))
    folder = tempfile.mkdtemp(prefix="torture-")
    torture = Torture(arguments, folder)
    try:
        torture.run()
    except (Broken, KafkaException, subprocess.TimeoutExpired) as error:
        torture.problem(str(error))
    finally:
        torture.end()
        is_right = not torture.problems and sys.exc_info()[0] is None
        if is_right and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if is_right:
        print("right: every row once")
        return
    print(f"\nWRONG: {len(torture.problems)} problems; logs and checkpoints are in {folder}")
    for what in torture.problems[:20]:
        print(f"  {what}")
    for name in sorted(os.listdir(f"{folder}/logs"))[-4:]:
        print(f"\n---- {name}")
        with open(f"{folder}/logs/{name}", errors="replace") as f:
            print("".join(f.readlines()[-20:]), end="")
    sys.exit(1)


if __name__ == "__main__":
    main()
