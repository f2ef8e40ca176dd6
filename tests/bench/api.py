"""How long the API takes to answer a submission, beside what its storage takes (null engine, loopback).

    packaging/dev.sh bench api [--requests 1000]

`serigraphd serve` runs with `serigraph-engine --null`. One client submits task after task, each on a new connection;
the time runs from before connect() to the last byte of the reply. bench/libstorage_times.so, preloaded into serigraphd,
notes every fsync and every SQLite commit; what of them lies between request and reply is subtracted. An asynchronous
submission is answered when the task is durable; the next one waits until the task before has ended. A synchronous one
is answered when the picture is.
"""
import argparse
import json
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from measuring import bench_folder, header, percentile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RECORD = struct.Struct("<4q")
RECORDS = 1 << 20  # as in storage_times.c
BODY = dict(stable_diffusion_model="starter", prompt="a red star on a blue background", steps=1, width=64, height=64, seed=1)


class StorageTimes:
    """The file into which the preloaded library writes."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "storage-times")
        with open(self.path, "wb") as file:
            file.truncate(RECORD.size * RECORDS)
        self.file = open(self.path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), 0)

    def count(self):
        return RECORD.unpack_from(self.memory, 0)[0]

    def within(self, first, begin, end):
        """(ns covered by records from `first` on between begin and end, how many those are)"""
        spans = []
        for n in range(first + 1, min(self.count() + 1, RECORDS)):
            start, stop, _, _ = RECORD.unpack_from(self.memory, n * RECORD.size)
            if stop > begin and start < end:
                spans.append((max(start, begin), min(stop, end)))
        covered, reached = 0, begin
        for start, stop in sorted(spans):
            covered += max(0, stop - max(start, reached))
            reached = max(reached, stop)
        return covered, len(spans)


class Server:
    def __init__(self, binaries, folder, times):
        preload = os.path.join(binaries, "..", "bench", "libstorage_times.so")
        if not os.path.exists(preload):
            raise SystemExit(f"{preload} is missing: build first")
        environment = os.environ | {"LD_PRELOAD": os.path.abspath(preload), "SG_STORAGE_TIMES": times.path}
        command = [os.path.join(binaries, "serigraphd"), "serve", "--data-dir", os.path.join(folder, "data"), "--port", "0",
                   "--models", os.path.join(ROOT, "resources", "starter"), "--engine-arg=--null"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            raise SystemExit(f"serigraphd did not start: {line!r}")
        host, port = line.split("//")[1].strip().rstrip("/").rsplit(":", 1)
        self.address = (host, int(port))

    def request(self, method, path, body=None, **headers):
        """(status, JSON, begin, end) with times in ns."""
        text = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode() + text
        begin = time.monotonic_ns()
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        end = time.monotonic_ns()
        head, _, content = b"".join(parts).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(content), begin, end

    def wait_ended(self, task):
        while True:
            status, answer, _, _ = self.request("GET", f"/tasks/{task}/result")
            if status == 200 and answer["status"] in ("succeeded", "failed", "cancelled"):
                if answer["status"] != "succeeded":
                    raise SystemExit(f"task {task}: {answer}")
                return
            time.sleep(0.002)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def measure(server, times, kind, requests, warm):
    """Prints the rows of one kind of submission."""
    whole, without, calls = [], [], []
    for n in range(-warm, requests):
        first = times.count()
        status, answer, begin, end = server.request("POST", "/txt2img", BODY, Request_Type=kind, taskId=f"{kind}-{n + warm}")
        if status != 200:
            raise SystemExit(f"{kind} submission: {status} {answer}")
        stored, number = times.within(first, begin, end)
        if n >= 0:
            whole.append((end - begin) / 1e6)
            without.append((end - begin - stored) / 1e6)
            calls.append(number)
        if kind == "async":
            server.wait_ended(answer["taskId"])
    if not any(calls):
        raise SystemExit("no commit was seen within any request: the preloaded library does not work here")
    for name, values in (("storage subtracted", without), ("whole", whole)):
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        print(f"| {kind} | {name} | {p50:.2f} | {p99:.2f} | {max(values):.2f} | {sum(calls) / len(calls):.1f} |", flush=True)
    return percentile(without, 0.5), percentile(without, 0.99)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--requests", type=int, default=1000)
    arguments = parser.parse_args()
    header(f"API, null engine, loopback, one client, {arguments.requests} requests a kind")
    folder = tempfile.mkdtemp(prefix="api-", dir=bench_folder())
    try:
        times = StorageTimes(folder)
        server = Server(arguments.bin, folder, times)
        print("\n| submission | what | p50, ms | p99, ms | most, ms | commits and fsyncs a request |\n| --- | --- | --- | --- | --- | --- |", flush=True)
        results = {kind: measure(server, times, kind, arguments.requests, warm=20) for kind in ("async", "sync")}
        ended = server.close()
        if ended != 0:
            raise SystemExit(f"serigraphd ended with {ended}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    p50, p99 = results["async"]
    print(f"\nsubmit to reply less storage: p50 {p50:.2f} ms (at most 2 is wanted), p99 {p99:.2f} ms (at most 10 is wanted)")


if __name__ == "__main__":
    sys.exit(main())
