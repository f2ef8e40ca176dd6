"""The engine's protocol, spoken by `serigraph-engine --null`."""
import os
import signal
import subprocess
import sys
import time

from engine_pipe import BIN, PATIENCE, Engine, frame, png_text, run

MODEL = {"path": "/nowhere/model.safetensors", "name": "model", "hash": "0123456789"}
PARAMS = {"prompt": "a red star", "steps": 4, "width": 64, "height": 32, "seed": 7, "subseed": 3, "batch_size": 2, "n_iter": 2}


def started(*arguments):
    engine = Engine("--null", *arguments)
    header, _ = engine.next()
    assert header["type"] == "hello" and header["id"] == ""
    return engine


def hello_says_who_it_is():
    engine = started()
    answer = engine.ask("hello", "h")
    assert answer["type"] == "hello" and answer["protocol"] == 1 and answer["pid"] == engine.process.pid
    cpu = answer["devices"][0]
    assert cpu["id"] == "cpu" and cpu["kind"] == "cpu" and cpu["memory"] > 1 << 28 and cpu["name"]
    assert answer["version"] == open("VERSION").read().strip()
    assert engine.close() == 0 and engine.noise is None


def generate_tells_the_whole_story():
    engine = started()
    events = engine.generate("t1", MODEL, PARAMS)
    types = [header["type"] for header, _ in events]
    assert types[0] == "accepted" and types[-1] == "done"
    steps = [header for header, _ in events if header["type"] == "progress"]
    assert [s["step"] for s in steps] == [1, 2, 3, 4] * 2 and {s["image"] for s in steps} == {0, 2}
    assert all(s["steps"] == 4 and s["images"] == 4 and s["rate"] >= 0 and s["eta"] >= 0 for s in steps)
    fractions = [s["fraction"] for s in steps]
    assert fractions == sorted(fractions) and fractions[-1] <= 1
    images = [(header, payload) for header, payload in events if header["type"] == "image"]
    assert [h["index"] for h, _ in images] == [0, 1, 2, 3] and [h["seed"] for h, _ in images] == [7, 8, 9, 10]
    assert [h["subseed"] for h, _ in images] == [3, 4, 5, 6]
    for header, payload in images:
        assert header["width"] == 64 and header["height"] == 32 and header["format"] == "png"
        assert payload[16:24] == bytes([0, 0, 0, 64, 0, 0, 0, 32])
        assert png_text(payload)["parameters"] == header["infotext"]
        assert header["infotext"].startswith("a red star\n") and f"Seed: {header['seed']}" in header["infotext"]
    assert events[-1][0]["images"] == 4
    assert engine.close() == 0 and engine.noise is None


def previews_come_and_can_be_switched_off():
    engine = started("--null-step-ms", "100")
    params = {**PARAMS, "steps": 12, "n_iter": 1}
    events = engine.generate("with", MODEL, params)
    previews = [(h, p) for h, p in events if h["type"] == "preview"]
    assert previews and all(p[:2] == b"\xff\xd8" and h["format"] == "jpeg" for h, p in previews)
    # At most four a second: 12 steps of 100 ms leave room for no more than one every third step.
    assert len(previews) <= 5
    events = engine.generate("without", MODEL, params, previews=False)
    assert not [h for h, _ in events if h["type"] == "preview"]
    assert engine.close() == 0


def cancel_ends_running_and_waiting_tasks():
    engine = started("--null-step-ms", "200")
    params = {**PARAMS, "steps": 100}
    engine.send("generate", "running", model=MODEL, params=params)
    engine.send("generate", "waiting", model=MODEL, params=params)
    engine.until("running", {"progress"})
    assert engine.ask("status", "s")["task"] == "running"
    assert engine.ask("cancel", "c1", task="waiting")["type"] == "done"
    engine.send("cancel", "c2", task="running")
    last = engine.until("running", {"done", "error"})
    assert last[-1][0]["code"] == "cancelled"
    assert len([h for h, _ in last if h["type"] == "progress"]) <= 1, "more than one step after the cancel"
    assert engine.ask("cancel", "c3", task="nobody")["type"] == "done"
    status = engine.ask("status", "s2")
    assert status["busy"] is False and status["task"] == "" and status["rss"] > 0 and status["peakRss"] >= status["rss"]
    assert [m["path"] for m in status["models"]] == [MODEL["path"]]
    assert engine.close() == 0


def cancelled_while_waiting_says_so():
    engine = started("--null-step-ms", "50")
    for id in ("a", "b"):
        engine.send("generate", id, model=MODEL, params={**PARAMS, "steps": 20, "n_iter": 1})
    engine.send("cancel", "c", task="b")
    seen = {}
    while len(seen) < 3:
        header, _ = engine.next()
        if header["type"] in ("done", "error"):
            seen[header["id"]] = header
    assert seen["b"]["code"] == "cancelled" and seen["a"]["type"] == "done" and seen["c"]["type"] == "done"
    assert engine.close() == 0


def pause_leaves_room_for_others():
    engine = started("--null-step-ms", "20")
    params = {**PARAMS, "steps": 12, "n_iter": 1}
    engine.send("generate", "a", model=MODEL, params=params)
    engine.send("generate", "b", model=MODEL, params=params)
    engine.until("a", {"progress"})
    assert engine.ask("pause", "p", task="a")["type"] == "done"
    before = engine.until("a", {"paused"})
    engine.until("b", {"done"})  # which waited behind it
    assert [p["task"] for p in engine.ask("status", "s")["paused"]] == ["a"]
    assert engine.ask("resume", "r", task="a")["type"] == "done"
    after = engine.until("a", {"done"})
    steps = [h["step"] for h, _ in before + after if h["type"] == "progress"]
    assert steps == list(range(steps[0], 13)) and after[-1][0]["images"] == 2, steps
    # One that waits never begins; at most 16 are kept.
    engine.send("generate", "runs", model=MODEL, params={**params, "steps": 500})
    for number in range(17):
        engine.send("generate", f"w{number}", model=MODEL, params=params)
    for number in range(16):
        engine.send("pause", f"p{number}", task=f"w{number}")
        assert engine.until(f"w{number}", {"paused"})[-1][0]["step"] == 0
    assert engine.ask("pause", "p16", task="w16")["code"] == "queue_full"
    assert len(engine.ask("status", "s2")["paused"]) == 16
    assert engine.ask("resume", "r2", task="nobody")["code"] == "not_found"
    engine.send("cancel", "c", task="runs")
    engine.until("runs", {"error"})
    engine.until("w16", {"done"})
    engine.send("resume", "r3", task="w3")
    assert len(engine.until("w3", {"done"})) > 12
    assert engine.close() == 0


def budgets_are_said():
    engine = started("--memory", "100")
    assert engine.ask("hello", "h")["budget"] == 100 << 20
    assert engine.ask("hello", "h2", budget=5)["budget"] == 5 and engine.ask("status", "s")["budget"] == 5
    engine.send("plan", "p", model=MODEL, params=PARAMS)
    assert engine.until("p", {"plan"})[-1][0]["fits"] is True
    assert engine.close() == 0


def garbage_is_one_error_and_no_more():
    engine = started()
    engine.write(b"\x00\xffthis is no frame at all, not even nearly" * 3 + frame({"type": "status", "id": "after"}))
    first, _ = engine.next()
    assert first["type"] == "error" and first["id"] == "" and first["code"] == "invalid_argument", first
    second, _ = engine.next()
    assert second["type"] == "status" and second["id"] == "after", second
    # A prefix that promises a frame, and a header that is none.
    engine.write(b"\x0a\x00\x00\x00\x00\x00\x00\x00{not json}" + frame({"type": "status", "id": "again"}))
    assert engine.next()[0]["type"] == "error"
    assert engine.next()[0]["id"] == "again"
    assert len(engine.generate("t", MODEL, PARAMS)) > 2
    assert engine.close() == 0 and engine.noise is None


def wrong_requests_are_named():
    engine = started()
    wrong = [
        ("generate", {"model": MODEL, "params": {"steps": 0}}, "steps"),
        ("generate", {"model": MODEL, "params": {"width": 65}}, "width"),
        ("generate", {"model": MODEL, "params": {"cfg_scale": "high"}}, "cfg_scale"),
        ("generate", {"model": MODEL, "params": []}, ""),
        ("generate", {"model": MODEL}, "params"),
        ("generate", {"model": {}, "params": {}}, "model.path"),
        ("generate", {"model": MODEL, "params": {}, "previews": 1}, "previews"),
        ("load", {}, "model"),
        ("load", {"model": {"path": 5}}, "model.path"),
        ("unload", {"model": "x"}, "model"),
        ("cancel", {}, "task"),
        ("dance", {}, "type"),
    ]
    for number, (type, fields, subject) in enumerate(wrong):
        answer = engine.ask(type, f"w{number}", **fields)
        assert answer["type"] == "error" and answer["code"] == "invalid_argument" and answer["subject"] == subject, answer
        assert answer["message"]
    engine.send("generate", "same", model=MODEL, params={**PARAMS, "seed": -1})
    first = engine.until("same", {"done"})
    assert all(0 <= h["seed"] <= 4294967296 for h, _ in first if h["type"] == "image")
    assert engine.close() == 0


def an_id_runs_once_at_a_time():
    engine = started("--null-step-ms", "50")
    for _ in range(2):
        engine.send("generate", "same", model=MODEL, params={**PARAMS, "steps": 10, "n_iter": 1})
    codes = [engine.until("same", {"error", "done"})[-1][0] for _ in range(2)]
    assert codes[0]["type"] == "error" and codes[0]["code"] == "conflict" and codes[1]["type"] == "done"
    assert engine.close() == 0


def load_and_unload():
    engine = started()
    loaded = engine.ask("load", "l", model=MODEL)
    assert loaded["type"] == "loaded" and loaded["model"] == MODEL["path"] and loaded["warnings"] == [] and loaded["reasons"] == [] and loaded["seconds"] >= 0
    assert engine.ask("unload", "u1", model={"path": "/another"})["type"] == "done"
    assert len(engine.ask("status", "s1")["models"]) == 1
    assert engine.ask("unload", "u2")["type"] == "done"
    assert engine.ask("status", "s2")["models"] == []
    assert engine.close() == 0


def shutdown_cancels_and_exits():
    engine = started("--null-step-ms", "100")
    engine.send("generate", "t", model=MODEL, params={**PARAMS, "steps": 150})
    engine.until("t", {"progress"})
    engine.send("shutdown", "bye")
    seen = {}
    while (event := engine.next()) is not None:
        if event[0]["type"] in ("done", "error"):
            seen[event[0]["id"]] = event[0]
    assert seen["bye"]["type"] == "done" and seen["t"]["code"] == "cancelled"
    assert engine.process.wait(timeout=PATIENCE) == 0


def end_of_input_ends_a_busy_engine():
    engine = started("--null-step-ms", "100")
    engine.send("generate", "t", model=MODEL, params={**PARAMS, "steps": 150})
    engine.until("t", {"progress"})
    assert engine.close() == 0


def a_closed_reader_ends_it():
    engine = Engine("--null")
    engine.next()
    reader = subprocess.Popen([os.path.join(BIN, "serigraph-engine"), "--null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    reader.stdout.read(8)
    reader.stdout.close()
    for number in range(100):
        try:
            reader.stdin.write(frame({"type": "status", "id": str(number)}))
            reader.stdin.flush()
        except BrokenPipeError:
            break
        time.sleep(0.01)
    assert reader.wait(timeout=PATIENCE) == 0
    assert engine.close() == 0


def it_dies_with_its_parent():
    # The parent keeps the engine's stdin open in a third process, so that only the parent's death can end it.
    code = ("import subprocess, sys, time\n"
            f"p = subprocess.Popen([{os.path.join(BIN, 'serigraph-engine')!r}, '--null'], stdin=0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
            "p.stdout.read(8)\nprint(p.pid, flush=True)\ntime.sleep(1000)\n")
    read_end, write_end = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=read_end, stdout=subprocess.PIPE)
    engine_pid = int(parent.stdout.readline())
    assert os.path.exists(f"/proc/{engine_pid}")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if open(f"/proc/{engine_pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z":
                break
        except FileNotFoundError:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the engine outlived its parent")
    os.close(read_end)
    os.close(write_end)


def wrong_arguments_are_refused():
    for arguments in (["--threads"], ["--threads", "many"], ["--device", "tpu"], ["--nul"]):
        done = subprocess.run([os.path.join(BIN, "serigraph-engine"), *arguments], stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == 2 and done.stdout == b"" and b"usage:" in done.stderr, arguments


run([hello_says_who_it_is, generate_tells_the_whole_story, previews_come_and_can_be_switched_off,
     cancel_ends_running_and_waiting_tasks, cancelled_while_waiting_says_so, pause_leaves_room_for_others, budgets_are_said, garbage_is_one_error_and_no_more,
     wrong_requests_are_named, an_id_runs_once_at_a_time, load_and_unload, shutdown_cancels_and_exits,
     end_of_input_ends_a_busy_engine, a_closed_reader_ends_it, it_dies_with_its_parent, wrong_arguments_are_refused])
