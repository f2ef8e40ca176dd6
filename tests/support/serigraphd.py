"""Starts the real serigraphd with the null engine on a folder of its own, for tests in Python (standard library only)."""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

BIN = pathlib.Path(os.environ.get("SG_BIN_DIR", "build/bin"))


def write_checkpoint(path, width=8):
    """A file that tells itself apart as an SD1 checkpoint; all weights are zero."""
    tensors = {
        "model.diffusion_model.input_blocks.0.0.weight": [width, 4, 3, 3],
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": [4, 8],
        "first_stage_model.decoder.conv_in.weight": [8, 4, 3, 3],
    }
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Server:
    """with Server(step_ms=5) as server: server.get("/models")"""

    def __init__(self, *arguments, step_ms=1, wrapper=(), data_dir=None, ready_s=60):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="serigraphd-test-"))
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.folder / "data"
        self.models = self.folder / "models"
        write_checkpoint(self.models / "alpha.safetensors", 8)
        write_checkpoint(self.models / "sub" / "beta.safetensors", 16)
        engine = os.environ.get("SG_ENGINE", str(BIN / "serigraph-engine"))
        self.command = [*wrapper, str(BIN / "serigraphd"), "serve", "--data-dir", str(self.data_dir), "--port", "0", "--models", str(self.models),
                        "--engine", engine, "--engine-arg=--null", f"--engine-arg=--null-step-ms", f"--engine-arg={step_ms}", *arguments]
        self.ready_s = ready_s
        self.log = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True).start()
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://"), (line, self.log, self.process.poll())
        self.url = line.split()[-1]
        self.host, self.port = "127.0.0.1", int(self.url.rsplit(":", 1)[1])
        self.wait(lambda: self.get("/readyz").status == 200, "the engine to be ready", self.ready_s)

    def _collect(self, stream):
        for line in stream:
            self.log += line

    def stop(self, seconds=10):
        """SIGTERM; returns the seconds it took."""
        if self.process.poll() is not None:
            return 0.0
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return time.monotonic() - begun

    def wait(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}\n{self.log[-2000:]}")

    def request(self, method, path, body=None, headers=None, timeout=120):
        data = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
        fields = dict(headers or {})
        if data is not None:
            fields.setdefault("Content-Type", "application/json")
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data=data, headers=fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def connect(self, timeout=30):
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def raw(self, data, timeout=30):
        """Sends bytes, returns all that comes until the other end closes."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            return read_all(sock)

    def events(self, task, timeout=60):
        """The server-sent events of a task as (name, data) until the stream ends."""
        with urllib.request.urlopen(f"{self.url}/tasks/{task}/events", timeout=timeout) as reply:
            assert reply.headers["Content-Type"] == "text/event-stream"
            name = None
            for line in reply:
                line = line.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    yield name, json.loads(line[6:])


def read_all(sock):
    data = b""
    while True:
        try:
            part = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def status_of(raw):
    """The status of the first answer in raw bytes, 0 when there is none."""
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.1 ") else 0


def is_png(data):
    return data.startswith(b"\x89PNG\r\n\x1a\n")


def decode_image(text):
    return base64.b64decode(text, validate=True)


def run_cases(cases):
    """Runs functions one after the other, says each name, stops at the first that fails."""
    for case in cases:
        begun = time.monotonic()
        case()
        print(f"ok  {case.__name__}  {time.monotonic() - begun:.2f} s", flush=True)
    print(f"{len(cases)} cases passed")
