#!/usr/bin/env python3
"""kill -9 of the server or the engine at a random moment, 20 times, while one task runs and five wait.

The test keeps its own list of the tasks that were acknowledged, and afterwards compares it with the API, the database and the folder.
usage: kill_test.py [--seed N] [--rounds N] [--real-rounds N]   (the seed is printed; give it again to repeat a run)
"""
import argparse
import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from serigraphd import BIN, Server  # noqa: E402

IMAGES = 2


class RealServer(Server):
    """The same with the engine that computes and the starter model; one thread, because threads that wait for each other crawl on a
    machine where other tests run."""

    def __init__(self, **options):
        super().__init__(**options)
        self.command = [str(BIN / "serigraphd"), "serve", "--data-dir", str(self.data_dir), "--port", "0",
                        "--models", str(ROOT / "resources" / "starter"), "--engine-arg=--threads", "--engine-arg=1"]


class Ledger:
    """What the server has acknowledged, as the client knows it."""

    def __init__(self, model, steps):
        self.model, self.steps = model, steps
        self.acknowledged = []
        self.lock = threading.Lock()

    def submit(self, server, task):
        body = {"stable_diffusion_model": self.model, "prompt": f"a red star, {task}", "steps": self.steps, "width": 64, "height": 64,
                "batch_size": IMAGES}
        answer = server.post("/txt2img", body, headers={"Request-Type": "async", "taskId": task}, timeout=30)
        assert answer.status == 200 and answer.json()["taskId"] == task, answer
        with self.lock:
            self.acknowledged.append(task)

    def submit_in_vain(self, server, task):
        """During the kill: the answer may never come, and then nothing is promised."""
        try:
            self.submit(server, task)
        except OSError:
            pass
        except Exception as error:  # http.client's own errors for a connection that breaks off
            if type(error).__module__ != "http.client":
                raise


def engine_pid(server):
    for path in pathlib.Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            stat = (path / "stat").read_text()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
        if name.startswith("serigraph-engin") and int(rest[1]) == server.process.pid and rest[0] != "Z":
            return int(path.name)
    return 0


def gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def rows(server, sql, *values):
    path = f"file:{server.data_dir / 'serigraph.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True, timeout=30)) as database:
        return database.execute(sql, values).fetchall()


def status(server, task):
    return server.get(f"/tasks/{task}/result").json()["status"]


def wait_for_end(server, tasks, seconds):
    deadline = time.monotonic() + seconds
    for task in tasks:
        while (now := status(server, task)) not in ("succeeded", "failed", "cancelled"):
            assert time.monotonic() < deadline, f"{task} is still {now}\n{server.log[-3000:]}"
            time.sleep(0.02)
        assert now == "succeeded", f"{task} {now}: {server.get(f'/tasks/{task}/result').body}\n{server.log[-3000:]}"


def one_round(server, ledger, number, victim, wait, seconds):
    tasks = [f"r{number}_{i}" for i in range(6)]
    for task in tasks:
        ledger.submit(server, task)
    server.wait(lambda: status(server, tasks[0]) != "waiting", f"{tasks[0]} to run", seconds)
    late = threading.Thread(target=ledger.submit_in_vain, args=(server, f"r{number}_late"))
    late.start()
    time.sleep(wait)
    engine = engine_pid(server)
    running = False
    if victim == "server":
        server.process.kill()
        server.process.wait()
        running = bool(rows(server, "SELECT id FROM tasks WHERE state = 1"))
        assert not engine or gone(engine), f"engine {engine} outlived its server"
        late.join()
        server.start()
    else:
        if engine:
            os.kill(engine, signal.SIGKILL)
        late.join()
    mine = [task for task in ledger.acknowledged if task.startswith(f"r{number}_")]
    assert set(tasks) <= set(mine)
    wait_for_end(server, mine, seconds)
    # An engine that was killed between two tasks may still be taken for alive, and its death be charged to the next round's task.
    server.wait(lambda: engine_pid(server) not in (0, engine) and server.get("/readyz").status == 200, "a new engine")
    attempts = rows(server, "SELECT id, attempts FROM tasks WHERE id LIKE ? AND attempts > 0", f"r{number}_%")
    if victim == "server":
        assert not attempts, f"a server's death was charged: {attempts}"
    else:
        assert len(attempts) <= 1 and all(count == 1 for _, count in attempts), f"one engine death, but {attempts}"
    # A server's death leaves the task as running in the database, an engine's death is charged to it.
    return attempts, bool(attempts) or running


def check_everything(server, ledger):
    """One row, one result and one set of files for each acknowledged task; nothing else, nothing temporary."""
    known = {task: count for task, count in rows(server, "SELECT id, COUNT(*) FROM tasks GROUP BY id")}
    unacknowledged = set(known) - set(ledger.acknowledged)
    assert all(task.endswith("_late") for task in unacknowledged), unacknowledged
    wait_for_end(server, unacknowledged, 120)
    for task in ledger.acknowledged:
        assert known.get(task) == 1, f"{task} has {known.get(task)} rows"
        answer = server.get(f"/tasks/{task}/result").json()
        assert answer["images"] == [f"images/default/{task}_{n + 1}.png" for n in range(IMAGES)], answer
    results = rows(server, "SELECT t.id, COUNT(*) FROM results r JOIN tasks t ON t.seq = r.task GROUP BY t.id")
    assert dict(results) == {task: 1 for task in known}, "result rows"
    objects = server.data_dir / "objects"
    files = sorted(str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file())
    wanted = sorted(f"images/default/{task}_{n + 1}.png" for task in known for n in range(IMAGES))
    assert files == wanted, sorted(set(files) ^ set(wanted))
    for name in files:
        data = (objects / name).read_bytes()
        assert data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB\x60\x82"), f"{name} is not whole"
    assert not list(server.data_dir.rglob("*.tmp")), "temporary files"
    return len(known), len(files)


def run(server, ledger, rounds, chance, longest, seconds):
    hits = 0
    with server:
        for number in range(rounds):
            victim = chance.choice(["server", "engine"])
            wait = chance.uniform(0, longest)
            begun = time.monotonic()
            attempts, hit = one_round(server, ledger, number, victim, wait, seconds)
            hits += hit
            print(f"round {number}: {victim} killed after {wait:.3f} s, charged {attempts or 'nobody'}, "
                  f"{'a task ran' if hit else 'nothing ran'}, {time.monotonic() - begun:.1f} s", flush=True)
        tasks, files = check_everything(server, ledger)
        print(f"{rounds} kills, {len(ledger.acknowledged)} tasks acknowledged, {tasks} stored, {files} pictures: all there once")
    return hits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--real-rounds", type=int, default=4)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    # A task takes 10 steps of 20 ms: a moment between 0 and 0.8 s may hit each of the first tasks, a picture being stored, a commit.
    hits = run(Server(step_ms=20), Ledger("alpha", 10), options.rounds, chance, 0.8, 120)
    if options.real_rounds:
        hits += run(RealServer(), Ledger("starter", 2), options.real_rounds, chance, 2.0, 300)
    print(f"{hits} kills while a task ran")
    assert hits, "no kill hit a running task: this run has shown nothing about them"


if __name__ == "__main__":
    main()
