"""Talks to a serigraph-engine through its pipes: frames in, frames out (docs/protocol.md)."""
import json
import os
import queue
import struct
import subprocess
import threading
import time
import zlib

BIN = os.environ.get("SG_BIN_DIR", "build/bin")
PATIENCE = 120  # seconds for any one event; a limit against hanging, not a measurement


def frame(header, payload=b""):
    text = json.dumps(header).encode()
    return struct.pack("<II", len(text), len(payload)) + text + payload


class Engine:
    """A running engine. Events are read by a thread; whatever on stdout is no frame is kept in `noise`."""

    def __init__(self, *arguments, stderr=subprocess.DEVNULL):
        self.started = time.monotonic()
        self.process = subprocess.Popen([os.path.join(BIN, "serigraph-engine"), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=stderr)
        self.events = queue.Queue()
        self.noise = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        stream = self.process.stdout
        while True:
            prefix = stream.read(8)
            if not prefix:
                break
            try:
                head, body = struct.unpack("<II", prefix)
                assert 2 <= head <= 1 << 20 and body <= 256 << 20
                header = json.loads(stream.read(head))
                payload = stream.read(body)
                assert len(payload) == body and isinstance(header["type"], str) and isinstance(header["id"], str)
            except Exception as problem:  # anything here means that stdout carried something else
                self.noise = f"{problem!r} at {prefix!r}"
                break
            if header["type"] != "working":  # comes when the machine is slow
                self.events.put((header, payload))
        self.events.put(None)

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, type, id, **fields):
        self.write(frame({"type": type, "id": id, **fields}))

    def next(self, timeout=PATIENCE):
        """The next event, None at the end of the stream."""
        return self.events.get(timeout=timeout)

    def until(self, id, types):
        """Events up to the first of `types` that belongs to `id`; returns all that belong to it."""
        mine = []
        while True:
            event = self.next()
            assert event is not None, f"the engine ended while {id} was awaited; noise: {self.noise}"
            if event[0]["id"] == id:
                mine.append(event)
                if event[0]["type"] in types:
                    return mine

    def ask(self, type, id, **fields):
        """The one event that answers a request."""
        self.send(type, id, **fields)
        return self.until(id, {"hello", "status", "done", "error", "loaded"})[-1][0]

    def generate(self, id, model, params, **fields):
        self.send("generate", id, model=model, params=params, **fields)
        return self.until(id, {"done", "error"})

    def close(self):
        """Ends stdin and returns the exit status."""
        self.process.stdin.close()
        return self.process.wait(timeout=PATIENCE)


def png_text(data):
    """The tEXt, zTXt and iTXt chunks of a PNG whose chunk checksums are right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, texts = 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0]
        if kind == b"tEXt":
            key, text = body.split(b"\0", 1)
            texts[key.decode("latin-1")] = text.decode("latin-1")
        if kind == b"iTXt":
            key, rest = body.split(b"\0", 1)
            text = rest[2:].split(b"\0", 2)[2]
            texts[key.decode("latin-1")] = (zlib.decompress(text) if rest[0] else text).decode()
        at += 12 + size
    return texts


def run(cases):
    """Runs each case (a function), prints its name, and exits non-zero when one fails or there is none."""
    import sys
    import traceback
    chosen = [case for case in cases if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]]
    failed = 0
    for case in chosen:
        begin = time.monotonic()
        try:
            case()
            print(f"ok    {case.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {case.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} passed")
    sys.exit(1 if failed or not chosen else 0)
