#!/usr/bin/env python3
"""Runs an Apache Kafka broker (KRaft, one node, no containers) on free ports of the loopback interface, for tests.

  broker.py start DIR [--parent PID]   starts it and prints its address once it answers; with --parent it ends, and
                                       DIR goes, with that process
  broker.py stop DIR                   stops it and waits until it has ended; the data in DIR stays
  broker.py restart DIR [--parent PID] stops it and starts it on the same port with the same data
  broker.py classpath                  fetches what it needs and prints the class path

DIR holds its data, log, `port` and `pid`. It needs Java 17 or later; Maven fetches Kafka into ~/.cache/flowline/kafka.
"""
import argparse
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

VERSION = "4.3.1"
CACHE = os.path.expanduser("~/.cache/flowline/kafka")
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>flowline</groupId><artifactId>test-kafka</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
</dependencies></project>"""
CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={dir}/data
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=200
# Tests write records of 1970 and similar; a broker with a retention deletes them half a minute after its start.
log.retention.ms=-1
controlled.shutdown.enable=true
"""


def fail(message):
    sys.exit(f"broker.py: {message}")


def require(program, package):
    """Makes sure that a program is there; on Debian as root by installing it."""
    if shutil.which(program):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "openjdk-17-jre-headless", "maven"], stdout=sys.stderr)
    if not shutil.which(program):
        fail(f"'{program}' is missing: install {package} (Debian: apt-get install openjdk-17-jre-headless maven)")


def classpath():
    require("java", "a Java runtime, version 17 or later")
    libs = f"{CACHE}/libs-{VERSION}"
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{CACHE}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(libs):
            require("mvn", "Apache Maven")
            with open(f"{CACHE}/pom.xml", "w") as f:
                f.write(POM)
            partial = f"{libs}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            fetched = subprocess.run(
                ["mvn", "-q", "-B", "-f", f"{CACHE}/pom.xml", "dependency:copy-dependencies",
                 "-DincludeScope=runtime", f"-DoutputDirectory={partial}"], stdout=sys.stderr)
            if fetched.returncode:
                fail("Maven could not fetch Kafka: is there a way to a Maven repository?")
            os.rename(partial, libs)
    return f"{libs}/*"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that has ended but was not waited for counts as ended.
    return not (read(f"/proc/{pid}/stat") or "").rpartition(")")[2].startswith(" Z")


def java(arguments):
    return ["java", "-Xmx512m", "-Dlog4j2.level=WARN", "-cp", classpath(), *arguments]


def start(directory, parent):
    directory = os.path.abspath(directory)
    os.makedirs(directory, exist_ok=True)
    pid = read(f"{directory}/pid")
    if pid and alive(int(pid)):
        fail(f"a broker runs in {directory} already (process {pid})")
    config = f"{directory}/server.properties"
    port = read(f"{directory}/port")
    if port is None:
        port, controller = map(str, free_ports(2))
        write(config, CONFIG.format(dir=directory, port=port, controller=controller))
        identity = subprocess.run(java(["kafka.tools.StorageTool", "random-uuid"]), capture_output=True, text=True)
        if identity.returncode:
            fail(f"StorageTool failed: {identity.stderr.strip()}")
        formatted = subprocess.run(
            java(["kafka.tools.StorageTool", "format", "-t", identity.stdout.strip().splitlines()[-1], "-c", config]),
            capture_output=True, text=True)
        if formatted.returncode:
            fail(f"the data folder cannot be formatted: {formatted.stdout.strip()} {formatted.stderr.strip()}")
    with open(f"{directory}/broker.log", "a") as log:
        broker = subprocess.Popen(java(["kafka.Kafka", config]), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  start_new_session=True)
    write(f"{directory}/pid", str(broker.pid))
    deadline = time.monotonic() + 60
    while not answers(int(port)):
        if broker.poll() is not None:
            fail(f"the broker ended at once: see {directory}/broker.log")
        if time.monotonic() > deadline:
            os.kill(broker.pid, signal.SIGKILL)
            fail(f"the broker does not answer after 60 s: see {directory}/broker.log")
        time.sleep(0.05)
    write(f"{directory}/port", port)
    if parent:
        watch(parent, broker.pid, directory)
    print(f"127.0.0.1:{port}", flush=True)


def watch(parent, broker, directory):
    """Leaves a process behind that, when the parent has ended, stops the broker and removes its folder."""
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    while alive(broker):
        if not alive(parent):
            os.kill(broker, signal.SIGKILL)
            while alive(broker):
                time.sleep(0.05)
            shutil.rmtree(directory, ignore_errors=True)
            break
        time.sleep(0.2)
    os._exit(0)


def stop(directory):
    pid = read(f"{directory}/pid")
    if pid is None or not alive(int(pid)):
        return
    pid = int(pid)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    os.remove(f"{directory}/pid")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "stop", "restart", "classpath"])
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--parent", type=int)
    arguments = parser.parse_args()
    if arguments.command == "classpath":
        print(classpath())
        return
    if arguments.directory is None:
        parser.error("DIR is missing")
    if arguments.command in ("stop", "restart"):
        stop(arguments.directory)
    if arguments.command in ("start", "restart"):
        start(arguments.directory, arguments.parent)


if __name__ == "__main__":
    main()
