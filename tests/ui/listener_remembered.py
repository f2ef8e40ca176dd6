"""The desktop program begins with its listener for other programs as the Server page was left."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BIN = pathlib.Path(os.environ.get("SG_BIN_DIR", "build/bin"))
PATIENCE_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def run(folder, port, listening):
    """Whether the port answered while the window was there."""
    data = folder / ("on" if listening else "off")
    data.mkdir()
    (data / "desktop.ini").write_text(f"[server]\nlistening={str(listening).lower()}\naddress=127.0.0.1\nport={port}\n")
    picture = data / "window.png"
    command = [BIN / "serigraph", "--null-engine", "--data-dir", data, "--screenshot", picture]
    program = subprocess.Popen(command, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    answered = False
    try:
        end = time.monotonic() + PATIENCE_S
        while program.poll() is None:
            answered = answered or answers(port)
            time.sleep(0.05)
            if time.monotonic() > end:
                sys.exit("the window did not close by itself")
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGKILL)
            program.wait()
    # The window was shown for seconds, and its services ran.
    assert program.returncode == 0, program.returncode
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (data / "serigraph.db").exists()
    return answered


def main():
    with tempfile.TemporaryDirectory(prefix="serigraph-desktop-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        assert run(folder, port, True), "switched on, it must listen"
        assert not run(folder, port, False), "switched off, it must stay off"
    print("ok")


main()
