"""Tasks that are paused, resumed, cancelled meanwhile and looked into, with the starter model and the engine that computes."""
import json
import os
import pathlib
import shutil
import struct
import tempfile
import zlib

from engine_pipe import Engine, frame, run

STARTER = pathlib.Path("resources/starter/starter.safetensors").resolve()
MODEL = {"path": str(STARTER), "name": "starter", "hash": "0123456789"}
PARAMS = {"prompt": "a red star on a white background", "negative_prompt": "blue", "steps": 14, "width": 64, "height": 64, "cfg_scale": 5,
          "seed": 11, "subseed": 5, "sampler_name": "DPM++ 2M", "scheduler": "Karras"}
KIB = 1 << 10


def started(*arguments):
    engine = Engine("--threads", "1", *arguments)
    assert engine.next()[0]["type"] == "hello"
    return engine


def pictures(events):
    return [(png[png.index(b"IDAT"):], header["infotext"]) for header, png in events if header["type"] == "image"]


def grey_png(data):
    """(width, height, rows) of an 8 bit grey PNG without interlacing."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 0)
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += 12 + size
    raw, rows, before = zlib.decompress(body), [], [0] * width
    for y in range(height):
        line, row = raw[y * (width + 1):(y + 1) * (width + 1)], []
        for x in range(width):
            a, b, c = row[x - 1] if x else 0, before[x], before[x - 1] if x else 0
            near = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row.append((line[x + 1] + (0, a, b, (a + b) // 2, near)[line[0]]) % 256)
        rows.append(row)
        before = row
    return width, height, rows


def with_pauses(engine, id, params, between=None, **fields):
    """Draws, paused and resumed at every second step; returns the task's events and how often it was paused."""
    engine.send("generate", id, model=MODEL, params=params, **fields)
    mine, pauses = [], 0
    while True:
        header, payload = engine.next()
        if header["id"] != id:
            continue
        mine.append((header, payload))
        if header["type"] == "progress" and header["step"] % 2 == 0:
            engine.send("pause", f"{id}-p{len(mine)}", task=id)
        if header["type"] == "paused":
            pauses += 1
            status = engine.ask("status", f"{id}-s{pauses}")
            assert status["busy"] is False and [p["task"] for p in status["paused"]] == [id], status
            assert header["bytes"] == status["paused"][0]["bytes"] < 256 * KIB, header
            if between:
                between(pauses)
            assert engine.ask("resume", f"{id}-r{pauses}", task=id)["type"] == "done"
        if header["type"] in ("done", "error"):
            return mine, pauses


def a_paused_task_draws_the_same():
    """Samplers with a history, fresh noise, a Brownian path, a step size of their own; hires fix; batches."""
    engine = started()
    other = {**PARAMS, "steps": 2, "prompt": "a blue ring", "seed": 99, "sampler_name": "Euler a"}
    hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "hr_second_pass_steps": 6, "denoising_strength": 0.7}
    for number, change in enumerate(({"sampler_name": "DPM++ 2M", "batch_size": 2, "n_iter": 2}, {"sampler_name": "Euler a"},
                                     {"sampler_name": "DPM++ 2M SDE"}, {"sampler_name": "DPM adaptive", "steps": 6},
                                     {"sampler_name": "Restart"}, {"sampler_name": "UniPC"}, {"sampler_name": "DDIM"},
                                     {"prompt": "[a red star:a blue ring:0.5] AND white :0.5", "s_min_uncond": 4},
                                     {"sampler_name": "DPM++ SDE", "steps": 8, **hires})):
        params = {**PARAMS, **change}
        plain = pictures(engine.generate(f"plain{number}", MODEL, params))
        assert plain
        events, pauses = with_pauses(engine, f"paused{number}", params,
                                     lambda n: engine.generate(f"other{number}-{n}", MODEL, other) if n < 3 else None)
        assert events[-1][0]["type"] == "done" and pauses >= 2, (change, pauses, events[-1][0])
        assert pictures(events) == plain, f"{change}: another picture after {pauses} pauses"
    assert engine.close() == 0 and engine.noise is None


def a_paused_task_can_be_cancelled():
    engine = started()
    params = {**PARAMS, "steps": 150}
    engine.send("generate", "t", model=MODEL, params=params)
    engine.until("t", {"progress"})
    engine.send("pause", "p", task="t")
    paused = engine.until("t", {"paused", "done", "error"})[-1][0]
    assert paused["type"] == "paused" and 1 <= paused["step"] < 150, paused
    assert engine.ask("generate", "t", model=MODEL, params=params)["code"] == "conflict"
    engine.send("cancel", "c", task="t")
    assert engine.until("t", {"error"})[-1][0]["code"] == "cancelled"
    assert engine.ask("status", "s")["paused"] == []
    assert engine.ask("resume", "r", task="t")["code"] == "not_found"
    assert engine.ask("pause", "p2", task="t")["code"] == "not_found"
    assert engine.ask("pause", "p3")["code"] == "invalid_argument"
    # What ends the engine ends paused tasks too.
    engine.send("generate", "u", model=MODEL, params=params)
    engine.until("u", {"progress"})
    engine.send("pause", "p4", task="u")
    engine.until("u", {"paused"})
    engine.send("shutdown", "bye")
    seen = {}
    while (event := engine.next()) is not None:
        seen[event[0]["id"]] = event[0]
    assert seen["u"]["code"] == "cancelled" and engine.process.wait(timeout=60) == 0


def a_changed_file_is_no_longer_resumed():
    engine = started()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.safetensors")
        shutil.copy(STARTER, path)
        engine.send("generate", "t", model={"path": str(path)}, params={**PARAMS, "steps": 150})
        engine.until("t", {"progress"})
        engine.send("pause", "p", task="t")
        engine.until("t", {"paused"})
        shutil.copy(STARTER, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)
        engine.send("resume", "r", task="t")
        assert engine.until("t", {"done", "error"})[-1][0]["code"] == "model_changed"
        # What lies beside it says how it is read.
        engine.send("generate", "u", model={"path": str(path)}, params={**PARAMS, "steps": 150})
        engine.until("u", {"progress"})
        engine.send("pause", "q", task="u")
        engine.until("u", {"paused"})
        path.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: \"v\"\n")
        engine.send("resume", "v", task="u")
        assert engine.until("u", {"done", "error"})[-1][0]["code"] == "model_changed"
    assert engine.close() == 0


def loops_are_drawn_in_one_go():
    engine = started()
    png = engine.generate("start", MODEL, {**PARAMS, "steps": 2})
    png = next(payload for header, payload in png if header["type"] == "image")
    params = {**PARAMS, "steps": 60, "loopback_loops": 4, "init_images": ["start.png"]}
    engine.write(frame({"type": "generate", "id": "t", "model": MODEL, "params": params,
                        "pictures": [{"row": "init_images", "bytes": len(png)}]}, png))
    first = engine.until("t", {"progress", "error"})[-1][0]
    assert first["type"] == "progress", first
    refused = engine.ask("pause", "p", task="t")
    assert refused["code"] == "invalid_argument" and "loopback" in refused["message"], refused
    engine.send("cancel", "c", task="t")
    assert engine.until("t", {"done", "error"})[-1][0]["code"] == "cancelled"
    assert engine.close() == 0


def of(events, type):
    return [(header, payload) for header, payload in events if header["type"] == type]


def floats(payload, name):
    size = struct.unpack("<Q", payload[:8])[0]
    entry = json.loads(payload[8:8 + size])[name]
    begin, end = entry["data_offsets"]
    return entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", payload[8 + size + begin:8 + size + end])


def inspect(engine, id, params, **watch):
    engine.send("inspect", id, model=MODEL, params=params, watch=watch)
    return engine.until(id, {"done", "error"})


def steps_can_be_looked_into():
    engine = started()
    params = {**PARAMS, "steps": 3, "batch_size": 2}
    plain = pictures(engine.generate("plain", MODEL, params))
    events = inspect(engine, "i", params, latents=True, modules=["input_blocks.", "middle_block"], token=2)
    assert pictures(events) == plain, "a task that is looked into draws something else"
    latents = of(events, "latents")
    assert [h["step"] for h, _ in latents] == [1, 2, 3] and latents[0][0]["sigma"] > latents[1][0]["sigma"]
    for header, payload in latents:
        for name in ("x", "x0"):
            shape, values = floats(payload, name)
            told = header[name]
            assert shape == told["shape"] and shape[0] == 2 and told["notFinite"] == 0
            assert abs(sum(values) / len(values) - told["mean"]) < 1e-4
            assert min(values) == told["min"] and max(values) == told["max"]
    # The last step walks to level 0: what it leaves is the network's clean picture.
    assert floats(latents[-1][1], "x") == floats(latents[-1][1], "x0")

    tensors = of(events, "tensor")
    modules = [h["module"] for h, _ in tensors if h["step"] == 1]
    assert len(modules) == len(set(modules)) > 5 and all(m.startswith(("input_blocks.", "middle_block")) for m in modules)
    assert "input_blocks.0.0" in modules and "middle_block" in modules and len(tensors) == 3 * len(modules)
    first = next(h for h, _ in tensors if h["module"] == "input_blocks.0.0")["statistics"]
    assert first["shape"][0] == 4 and first["shape"][2:] == floats(latents[0][1], "x")[0][2:] and first["std"] > 0

    maps = of(events, "attention")
    assert maps and {h["step"] for h, _ in maps} == {1, 2, 3} and all(h["layer"].endswith("attn2") for h, _ in maps)
    for header, png in maps:
        width, height, rows = grey_png(png)
        assert (width, height) == (header["width"], header["height"]) and max(max(row) for row in rows) == 255
        mean = sum(map(sum, rows)) / (width * height) / 255 * header["max"]
        assert abs(mean - header["mean"]) < 0.01 * header["max"] and 0 < header["mean"] < 1
    assert engine.close() == 0 and engine.noise is None


def attention_is_shared_among_the_tokens():
    """Over all rows of the prompt each layer's shares sum to 1."""
    engine = started()
    sums = {}
    for token in range(77):
        for header, _ in of(inspect(engine, f"i{token}", {**PARAMS, "steps": 1, "width": 32, "height": 32}, token=token), "attention"):
            sums[header["layer"]] = sums.get(header["layer"], 0) + header["mean"]
    assert sums and all(abs(value - 1) < 1e-4 for value in sums.values()), sums
    assert engine.close() == 0


def inspecting_is_bounded_and_checked():
    engine = started()
    events = inspect(engine, "few", {**PARAMS, "steps": 6}, latents=True, steps=[2, 5])
    assert [h["step"] for h, _ in of(events, "latents")] == [2, 5]
    many = inspect(engine, "many", {**PARAMS, "steps": 150, "width": 32, "height": 32}, modules=[""])
    assert len(of(many, "tensor")) == 4096 and any("inspect" in text for text in many[-1][0]["warnings"]), many[-1]
    assert not of(inspect(engine, "far", {**PARAMS, "steps": 1}, token=90000), "attention")
    for watch in ({"latents": 1}, {"token": -1}, {"token": "star"}, {"steps": [0]}, {"steps": 3}, {"modules": [1]}, {"else": 1}):
        last = inspect(engine, "wrong", PARAMS, **watch)[-1][0]
        assert last["code"] == "invalid_argument" and last["subject"].startswith("watch"), last
    engine.send("inspect", "none", model=MODEL, params=PARAMS)
    assert engine.until("none", {"error"})[-1][0]["subject"] == "watch"
    assert engine.close() == 0


if __name__ == "__main__":
    run([a_paused_task_draws_the_same, a_paused_task_can_be_cancelled, a_changed_file_is_no_longer_resumed, loops_are_drawn_in_one_go, steps_can_be_looked_into,
         attention_is_shared_among_the_tokens, inspecting_is_bounded_and_checked])
