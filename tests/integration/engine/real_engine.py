"""The real serigraph-engine with the starter model, driven through its pipes with nothing else present."""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time

from engine_pipe import BIN, PATIENCE, Engine, frame, png_text, run

STARTER = pathlib.Path("resources/starter/starter.safetensors").resolve()
MODEL = {"path": str(STARTER), "name": "starter", "hash": "0123456789"}
PARAMS = {"prompt": "a (red:1.2) star on a white background", "negative_prompt": "blue", "steps": 3, "width": 64, "height": 64,
          "cfg_scale": 5, "seed": 11, "subseed": 5, "sampler_name": "DPM++ 2M", "scheduler": "Karras"}
MIB = 1 << 20


def started(*arguments):
    engine = Engine("--threads", "2", *arguments)
    hello = engine.next()
    assert hello is not None, "the engine ended before its hello"
    assert hello[0]["type"] == "hello" and hello[0]["devices"][0]["id"] == "cpu"
    return engine


def images(events):
    return [(header, payload) for header, payload in events if header["type"] == "image"]


def load_and_generate():
    engine = started()
    loaded = engine.ask("load", "l", model=MODEL)
    assert loaded["type"] == "loaded" and loaded["family"] == "sd1" and loaded["bytes"] > 10 * MIB, loaded
    events = engine.generate("t", MODEL, {**PARAMS, "batch_size": 2, "n_iter": 2})
    types = [header["type"] for header, _ in events]
    assert types[0] == "accepted" and types[-1] == "done" and events[-1][0]["images"] == 4
    steps = [header for header, _ in events if header["type"] == "progress"]
    assert {s["steps"] for s in steps} == {3} and {s["image"] for s in steps} == {0, 2}
    assert [s["fraction"] for s in steps] == sorted(s["fraction"] for s in steps) and steps[-1]["fraction"] == 1
    assert steps[0]["sigma"] > 14 and steps[0]["rate"] > 0 and steps[-1]["eta"] == 0
    pictures = images(events)
    assert [h["index"] for h, _ in pictures] == [0, 1, 2, 3] and [h["seed"] for h, _ in pictures] == [11, 12, 13, 14]
    for header, payload in pictures:
        assert payload[16:24] == struct.pack(">II", 64, 64)
        text = png_text(payload)["parameters"]
        assert text == header["infotext"]
        for part in (PARAMS["prompt"], "Negative prompt: blue", "Steps: 3", "Sampler: DPM++ 2M", "Schedule type: Karras",
                     f"Seed: {header['seed']}", "Size: 64x64", "Model hash: 0123456789,", "Model: starter"):
            assert part in text, (part, text)
    assert len({payload for _, payload in pictures}) == 4, "different seeds drew the same picture"
    # The third of a batch of four is the picture that its own seed gives alone.
    alone = images(engine.generate("alone", MODEL, {**PARAMS, "seed": 13}))[0][1]
    again = images(engine.generate("again", MODEL, {**PARAMS, "seed": 13}))[0][1]
    assert alone == again, "the same request drew another picture"
    assert engine.close() == 0 and engine.noise is None


def previews_while_it_draws():
    engine = started()
    events = engine.generate("t", MODEL, {**PARAMS, "steps": 60, "batch_size": 4})
    previews = [(h, p) for h, p in events if h["type"] == "preview"]
    assert previews, "no preview in 60 steps"
    assert all(p[:2] == b"\xff\xd8" and h["width"] == 32 and h["height"] == 32 and h["image"] == 0 for h, p in previews)
    assert len(previews) <= 4 * events[-1][0]["seconds"] + 1
    assert engine.close() == 0


def cancel_takes_one_step():
    engine = started()
    engine.ask("load", "l", model=MODEL)
    engine.send("generate", "t", model=MODEL, params={**PARAMS, "steps": 150, "width": 128, "height": 128, "batch_size": 4})
    engine.until("t", {"progress"})
    engine.send("cancel", "c", task="t")
    step = None
    while True:
        header, _ = engine.next()
        if header["id"] == "c":
            step = 0
        if header["id"] == "t" and header["type"] == "progress" and step is not None:
            step += 1
        if header["id"] == "t" and header["type"] in ("done", "error"):
            break
    assert header["type"] == "error" and header["code"] == "cancelled"
    assert step is not None and step <= 1, f"{step} steps after the cancel"
    assert engine.ask("status", "s")["busy"] is False
    assert images(engine.generate("next", MODEL, PARAMS))
    assert engine.close() == 0


def answers_while_it_computes():
    engine = started()
    engine.ask("load", "l", model=MODEL)
    engine.send("generate", "t", model=MODEL, params={**PARAMS, "steps": 100, "batch_size": 4})
    engine.until("t", {"progress"})
    status = engine.ask("status", "s")
    assert status["busy"] is True and status["task"] == "t" and status["models"][0]["path"] == str(STARTER)
    assert engine.ask("hello", "h")["type"] == "hello"
    engine.send("shutdown", "bye")
    seen = {}
    while (event := engine.next()) is not None:
        seen[event[0]["id"]] = event[0]
    assert seen["bye"]["type"] == "done" and seen["t"]["code"] == "cancelled"
    assert engine.process.wait(timeout=PATIENCE) == 0


def memory_comes_back():
    engine = started()
    anonymous = []
    floor = engine.ask("status", "floor")["rssAnon"]
    for cycle in range(4):
        engine.generate(f"t{cycle}", MODEL, {**PARAMS, "width": 256, "height": 256, "steps": 2})
        held = engine.ask("status", f"held{cycle}")
        assert held["models"][0]["bytes"] > 10 * MIB
        assert engine.ask("unload", f"u{cycle}")["type"] == "done"
        status = engine.ask("status", f"s{cycle}")
        assert status["models"] == []
        assert status["rssAnon"] < held["rssAnon"], (status["rssAnon"], held["rssAnon"])
        anonymous.append(status["rssAnon"])
    print("      floor", floor // MIB, "MiB, after each unload", [a // MIB for a in anonymous], "MiB, held", held["rssAnon"] // MIB)
    # What the libraries keep for themselves (threads, compiled kernels) comes once; nothing comes with each cycle.
    assert anonymous[0] - floor < 64 * MIB, (floor, anonymous)
    assert anonymous[-1] - anonymous[0] < 16 * MIB, (floor, anonymous)
    assert engine.close() == 0


def starter_parts():
    data = STARTER.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data, 8 + size


def with_nan(path, key, bits):
    header, data, start = starter_parts()
    begin, end = header[key]["data_offsets"]
    assert header[key]["dtype"] == "F16"
    path.write_bytes(data[:start + begin] + struct.pack("<H", bits) * ((end - begin) // 2) + data[start + end:])


def damaged_weights_are_never_a_picture():
    engine = started()
    with tempfile.TemporaryDirectory() as folder:
        for name, key, bits in (("nan", "model.diffusion_model.out.2.bias", 0x7e00), ("infinity", "model.diffusion_model.out.2.bias", 0x7c00),
                                ("vae", "first_stage_model.decoder.conv_out.bias", 0x7e00)):
            path = pathlib.Path(folder, name + ".safetensors")
            with_nan(path, key, bits)
            events = engine.generate(name, {"path": str(path)}, PARAMS)
            assert not images(events) and events[-1][0]["code"] == "non_finite", events[-1][0]
            assert "not numbers" in events[-1][0]["message"]
        assert images(engine.generate("well", MODEL, PARAMS))
    assert engine.close() == 0 and engine.noise is None


def unusable_files_are_named_and_the_next_task_works():
    engine = started()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "text.safetensors").write_text("this is a letter to my aunt\n" * 10)
        one = b'{"weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
        (folder / "one.safetensors").write_bytes(struct.pack("<Q", len(one)) + one + bytes(8))
        (folder / "cut.safetensors").write_bytes(STARTER.read_bytes()[:-1000])
        (folder / "empty.safetensors").write_bytes(b"")
        (folder / "pickle.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
        for name, code in (("missing", "not_found"), ("text", "unusable_file"), ("one", "unusable_file"), ("cut", "unusable_file"),
                           ("empty", "unusable_file")):
            path = str(folder / (name + ".safetensors"))
            events = engine.generate(name, {"path": path}, PARAMS)
            assert events[-1][0]["code"] == code and events[-1][0]["message"], events[-1][0]
            assert engine.ask("load", "l" + name, model={"path": path})["code"] == code
        assert engine.ask("load", "pickle", model={"path": str(folder / "pickle.ckpt")})["code"] == "unusable_file"
        assert engine.ask("load", "folder", model={"path": str(folder)})["code"] == "unusable_file"
        assert engine.ask("status", "s")["models"] == []
        assert images(engine.generate("well", MODEL, PARAMS))
    assert engine.close() == 0 and engine.noise is None


def a_file_that_changes_is_read_again():
    engine = started()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.safetensors")
        path.write_bytes(STARTER.read_bytes())
        first = images(engine.generate("first", {"path": str(path)}, PARAMS))[0][1]
        # Replaced by another file, as a download does.
        with_nan(path.with_suffix(".new"), "model.diffusion_model.out.2.bias", 0x7e00)
        os.replace(path.with_suffix(".new"), path)
        assert engine.generate("second", {"path": str(path)}, PARAMS)[-1][0]["code"] == "non_finite"
        os.remove(path)
        assert engine.generate("third", {"path": str(path)}, PARAMS)[-1][0]["code"] == "not_found"
        path.write_bytes(STARTER.read_bytes())
        assert [p[16:24] for _, p in images(engine.generate("fourth", {"path": str(path)}, PARAMS))] == [first[16:24]]
    assert engine.close() == 0


def wrong_prompts_are_errors():
    engine = started()
    for number, prompt in enumerate(("(" * 500 + "x", "star " * 11000)):
        last = engine.generate(f"p{number}", MODEL, {**PARAMS, "prompt": prompt})[-1][0]
        assert last["type"] == "error" and last["code"] in ("invalid_argument", "too_large"), last
        assert last["subject"] == "prompt"
    assert images(engine.generate("well", MODEL, {**PARAMS, "prompt": "a star 😀 " + "星" * 60}))
    assert engine.close() == 0


def every_sampler_and_schedule_draws():
    engine = started()
    seen = set()
    for sampler in ("Euler", "Euler a", "DPM++ 2M", "DDIM"):
        for schedule in ("Automatic", "Uniform", "Karras", "Exponential"):
            events = engine.generate(sampler + schedule, MODEL, {**PARAMS, "steps": 4, "sampler_name": sampler, "scheduler": schedule})
            assert len(images(events)) == 1, events[-1][0]
            seen.add(images(events)[0][1])
            if sampler == "DDIM":
                break  # has timesteps of its own
    assert len(seen) >= 10, "the samplers and schedules draw too much alike"
    assert engine.close() == 0


def it_dies_with_its_parent_while_it_computes():
    request = frame({"type": "generate", "id": "t", "model": MODEL, "params": {**PARAMS, "steps": 10000, "width": 256, "height": 256}})
    code = ("import subprocess, sys, time\n"
            f"p = subprocess.Popen([{os.path.join(BIN, 'serigraph-engine')!r}], stdin=0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
            "def drain():\n    while p.stdout.read(1 << 10): pass\n"
            "import threading; threading.Thread(target=drain, daemon=True).start()\nprint(p.pid, flush=True)\ntime.sleep(1000)\n")
    read_end, write_end = os.pipe()
    os.write(write_end, request)
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=read_end, stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    # Until it computes: by then its time in user mode grows.
    deadline = time.monotonic() + PATIENCE
    while int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11]) < 150 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while time.monotonic() < deadline:
        try:
            if open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z":
                break
        except (FileNotFoundError, ProcessLookupError):
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the engine outlived its parent")
    os.close(read_end)
    os.close(write_end)


def a_missing_device_is_said():
    engine = Engine("--device", "cuda:7")
    header, _ = engine.next()
    assert header["type"] == "error" and header["code"] == "engine_failed" and header["message"], header
    assert engine.next() is None and engine.process.wait(timeout=PATIENCE) == 1


run([load_and_generate, previews_while_it_draws, cancel_takes_one_step, answers_while_it_computes, memory_comes_back,
     damaged_weights_are_never_a_picture, unusable_files_are_named_and_the_next_task_works, a_file_that_changes_is_read_again,
     wrong_prompts_are_errors, every_sampler_and_schedule_draws, it_dies_with_its_parent_while_it_computes, a_missing_device_is_said])
