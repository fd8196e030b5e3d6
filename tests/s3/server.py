#!/usr/bin/env python3
"""Runs S3Proxy, an S3 server over a local folder, on a free port of the loopback interface, for tests.

  server.py DIR    keeps its data in DIR, prints its URL once it answers, and runs until its standard input is closed.
                   The bucket is `bucket`, the key `key`, the secret `secret`; `stop` and `start` on standard input stop and
                   start it again on the same port.

It needs Java 17 or later; Maven fetches S3Proxy into ~/.cache/flowline/s3proxy.
"""
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time

VERSION = "3.1.0"
# Its libraries ask for several versions of this one, and Maven would take an old one.
JACKSON = "2.21.2"
CACHE = os.path.expanduser("~/.cache/flowline/s3proxy")
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>flowline</groupId><artifactId>test-s3</artifactId><version>1</version><dependencies>
<dependency><groupId>org.gaul</groupId><artifactId>s3proxy</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-core</artifactId><version>{JACKSON}</version></dependency>
<dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>{JACKSON}</version></dependency>
</dependencies></project>"""
CONFIG = """s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=key
s3proxy.credential=secret
# The checksums that clients send along are not looked at.
s3proxy.ignore-unknown-headers=true
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={dir}/data
"""


def classpath():
    libs = f"{CACHE}/libs-{VERSION}-{JACKSON}"
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{CACHE}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(libs):
            with open(f"{CACHE}/pom.xml", "w") as f:
                f.write(POM)
            partial = f"{libs}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            fetched = subprocess.run(
                ["mvn", "-q", "-B", "-f", f"{CACHE}/pom.xml", "dependency:copy-dependencies",
                 "-DincludeScope=runtime", f"-DoutputDirectory={partial}"], stdout=sys.stderr)
            if fetched.returncode:
                sys.exit("server.py: Maven could not fetch S3Proxy: is there a way to a Maven repository?")
            os.rename(partial, libs)
    return f"{libs}/*"


def start(directory, port):
    log = open(f"{directory}/s3proxy.log", "a")
    process = subprocess.Popen(
        ["java", "-Xmx256m", "-cp", classpath(), "org.gaul.s3proxy.Main", "--properties", f"{directory}/s3proxy.conf"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    sys.exit(f"server.py: S3Proxy does not answer: see {directory}/s3proxy.log")


def main(directory):
    directory = os.path.abspath(directory)
    # The filesystem provider keeps a bucket as a folder.
    os.makedirs(f"{directory}/data/bucket", exist_ok=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with open(f"{directory}/s3proxy.conf", "w") as f:
        f.write(CONFIG.format(port=port, dir=directory))
    process = start(directory, port)
    print(f"http://127.0.0.1:{port}", flush=True)
    for line in sys.stdin:
        if line.strip() == "stop" and process:
            process.kill()
            process.wait()
            process = None
        elif line.strip() == "start" and not process:
            process = start(directory, port)
        print("done", flush=True)
    if process:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(sys.argv[1])
