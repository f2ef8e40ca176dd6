"""What the engine holds: budgets, eviction, plans and what becomes of runs that do not fit; memory over many switches.

    residency.py [CASE …]    with `many_switches`: 200 real switches (ctest -L long)
"""
import math
import pathlib
import re
import shutil
import sys
import tempfile

import numpy

from companions import TAESD, TO_K, lora, read, write
from engine_pipe import Engine, run

STARTER = pathlib.Path("resources/starter/starter.safetensors").resolve()
PARAMS = {"prompt": "a red star", "steps": 2, "width": 64, "height": 64, "cfg_scale": 5, "seed": 11, "subseed": 5, "sampler_name": "Euler"}
MIB = 1 << 20


def started(*arguments):
    engine = Engine("--threads", "1", *arguments)
    hello = engine.next()[0]
    assert hello["type"] == "hello"
    return engine


class Files:
    """Starter models under other names: `count` of them."""

    def __init__(self, count):
        self.folder = tempfile.TemporaryDirectory()
        self.paths = []
        for number in range(count):
            self.paths.append(str(pathlib.Path(self.folder.name, f"model{number}.safetensors")))
            shutil.copy(STARTER, self.paths[-1])

    def __enter__(self):
        return self.paths

    def __exit__(self, *_):
        self.folder.cleanup()


def model(path, **more):
    return {"path": path, "name": "m", **more}


def held(engine, id):
    return [m["path"] for m in engine.ask("status", id)["models"]]


def picture(events):
    return [png[png.index(b"IDAT"):] for header, png in events if header["type"] == "image"]


def models_stay_under_the_budget():
    with Files(4) as paths:
        engine = started()
        one = engine.ask("load", "first", model=model(paths[0]))["bytes"]
        assert one > 10 * MIB
        # Room for two of them and a run; said by hello, as the scheduler does.
        assert engine.ask("hello", "h", budget=2 * one + one // 2)["budget"] == 2 * one + one // 2
        for number, path in enumerate(paths):
            assert engine.ask("load", f"l{number}", model=model(path))["type"] == "loaded"
            status = engine.ask("status", f"s{number}")
            assert sum(m["bytes"] for m in status["models"]) <= status["budget"], status
        # Which of the others stays is a matter of how long each took to load, which a busy machine decides.
        newest, older = held(engine, "s")
        assert newest == paths[3] and older in paths[:3]
        # What the scheduler will want next stays, although it was used longer ago.
        fresh = next(path for path in (paths[0], paths[2]) if path != older)
        assert engine.ask("load", "keep", model=model(fresh), keep=[older])["type"] == "loaded"
        assert held(engine, "s2") == [fresh, older]
        # All of it can be had back, and everything still fits when nothing is left to go.
        assert engine.ask("load", "small", model=model(paths[1]), budget=1)["type"] == "loaded"
        assert held(engine, "s3") == [paths[1]]
        assert engine.ask("hello", "wrong", budget=-5)["code"] == "invalid_argument"
        assert engine.ask("load", "wrong2", model=model(paths[1]), keep="all")["subject"] == "keep"
        assert engine.close() == 0 and engine.noise is None


def what_was_let_go_comes_back_the_same():
    with Files(2) as paths:
        engine = started()
        bent = lora(pathlib.Path(paths[0]).parent / "bent.safetensors", {TO_K: (128, 64)})
        named = {"loras": [{"name": "bent", "path": str(bent)}]}
        params = {**PARAMS, "prompt": "a red star <lora:bent:1>"}
        plain = picture(engine.generate("plain", model(paths[0], **named), params))
        status = engine.ask("status", "s")["models"][0]
        assert status["loras"] > 0 and status["bytes"] > status["loras"] and status["mapped"] > 5 * MIB, status
        engine.ask("hello", "h", budget=status["bytes"] + MIB)
        assert engine.ask("load", "l", model=model(paths[1]))["type"] == "loaded" and held(engine, "s2") == [paths[1]]
        engine.ask("hello", "h2", budget=0)
        assert picture(engine.generate("again", model(paths[0], **named), params)) == plain
        assert engine.close() == 0 and engine.noise is None


def plans_follow_the_shapes():
    engine = started()
    MODEL = model(str(STARTER))

    def plan(id, **params):
        engine.send("plan", id, model=MODEL, params={**PARAMS, **params})
        answer = engine.until(id, {"plan", "error"})[-1][0]
        assert answer["type"] == "plan" and not answer["offload"], answer
        assert answer["needed"] == answer["weights"] - answer["mapped"] - answer["held"] + max(answer["activations"], answer["vae"]) + answer["pictures"]
        return answer

    first = plan("p")
    assert first["fits"] and first["rows"] == first["allRows"] == 2 and not first["tiled"] and first["held"] == 0
    assert engine.ask("status", "s")["models"] == [], "a plan loads nothing"
    loaded = engine.ask("load", "l", model=MODEL)
    second = plan("p2")
    assert second["weights"] == loaded["bytes"] == first["weights"], (second, loaded)
    assert second["held"] == second["weights"] - second["mapped"] > 0
    status = engine.ask("status", "s2")["models"][0]
    assert status["mapped"] == second["mapped"], (status, second)
    large, batch = plan("large", width=256, height=256), plan("batch", batch_size=4)
    assert large["activations"] > first["activations"] and large["vae"] > first["vae"]
    assert batch["allRows"] == 8 and batch["activations"] > first["activations"] and batch["vae"] == first["vae"]
    assert plan("alone", cfg_scale=1)["allRows"] == 1 and plan("parts", prompt="a AND b AND c")["allRows"] == 4
    assert plan("hires", enable_hr=True, hr_scale=4)["vae"] == plan("large2", width=256, height=256)["vae"]
    engine.send("plan", "none", model=model("/nowhere"), params=PARAMS)
    assert engine.until("none", {"plan", "error"})[-1][0]["code"] == "not_found"
    assert engine.close() == 0


def what_does_not_fit_becomes_smaller_or_is_refused():
    MODEL = model(str(STARTER))
    params = {**PARAMS, "batch_size": 32, "width": 128, "height": 128}
    engine = started()
    plain = picture(engine.generate("plain", MODEL, params))
    engine.send("plan", "p", model=MODEL, params=params)
    plan = engine.until("p", {"plan"})[-1][0]
    assert plan["rows"] == 64 and plan["activations"] > plan["vae"], plan
    # Room for the picture's coding, not for all rows of the network.
    tight = plan["weights"] - plan["mapped"] + plan["pictures"] + plan["vae"]
    assert engine.ask("hello", "h", budget=tight)["budget"] == tight
    engine.send("plan", "p2", model=MODEL, params=params)
    less = engine.until("p2", {"plan"})[-1][0]
    assert less["fits"] and less["rows"] < 64 and not less["tiled"] and less["activations"] < plan["activations"], less
    events = engine.generate("tight", MODEL, params)
    assert events[-1][0]["type"] == "done" and any("memory is short" in w for w in events[-1][0]["warnings"]), events[-1]
    assert picture(events) == plain, "fewer rows at once drew something else"
    # Room for nothing.
    engine.ask("hello", "h2", budget=plan["weights"] - plan["mapped"] + MIB)
    last = engine.generate("none", MODEL, params)[-1][0]
    assert last["code"] == "out_of_memory" and last["message"].count("MiB") >= 4 and last["subject"] == "memory", last
    engine.ask("hello", "h3", budget=0)
    assert picture(engine.generate("again", MODEL, params)) == plain
    assert engine.close() == 0 and engine.noise is None


def upscaler(path, features=64, scale=2):
    """A compact one that repeats pixels."""
    tensors = {}
    for number, out, ins in ((0, features, 3), (2, features, features), (4, 3 * scale ** 2, features)):
        tensors[f"body.{number}.weight"] = ("F32", (out, ins, 3, 3), bytes(4 * out * ins * 9))
        tensors[f"body.{number}.bias"] = ("F32", (out,), bytes(4 * out))
    for number in (1, 3):
        tensors[f"body.{number}.weight"] = ("F32", (features,), bytes(4 * features))
    return str(write(path, tensors))


def upscalers_are_planned():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "2x.safetensors")
        MODEL = model(str(STARTER), upscaler={"name": "2x", "path": upscaler(file)})
        weights = sum(4 * (out * (ins * 9 + 1)) for out, ins in ((64, 3), (64, 64), (12, 64))) + 2 * 4 * 64
        hires = {**PARAMS, "enable_hr": True, "hr_scale": 2, "hr_upscaler": "2x", "denoising_strength": .5}
        engine = started()
        count = 0

        def plan(**params):
            nonlocal count
            count += 1
            engine.send("plan", f"p{count}", model=MODEL, params={**hires, **params})
            answer = engine.until(f"p{count}", {"plan", "error"})[-1][0]
            assert answer["type"] == "plan", answer
            assert answer["needed"] == (answer["weights"] - answer["mapped"] - answer["held"] + answer["pictures"]
                                        + max(answer["activations"], answer["vae"], answer["upscaler"]))
            return answer

        plain, large = plan(hr_upscaler="Lanczos"), plan(ESRGAN_tile=512)
        assert plain["upscaler"] == 0 and plain["upscalerTile"] == 0 and large["upscalerTile"] == 512, (plain, large)
        assert large["weights"] == plain["weights"] + weights, (large, plain, weights)
        # Two layers' channels for each pixel of the tile at least; the whole small picture is less than a tile.
        assert large["upscaler"] > 512 * 512 * 64 * 4 * 2 and plan()["upscaler"] > 192 * 192 * 64 * 4 * 2
        assert large["upscaler"] > plan()["upscaler"] > plan(ESRGAN_tile=96)["upscaler"] > plan(ESRGAN_tile=0)["upscaler"]
        whole = plan(ESRGAN_tile=0, width=1024, height=1024)
        assert whole["upscaler"] > 1024 * 1024 * 64 * 4 * 2 and whole["upscalerTile"] == 0, whole
        assert engine.ask("status", "s")["models"] == [], "a plan loads nothing"
        # Too little for a tile of 512, enough for the rest.
        tight = large["weights"] - large["mapped"] + large["pictures"] + max(large["activations"], large["vae"]) + MIB
        assert max(large["activations"], large["vae"]) + MIB < large["upscaler"], large
        engine.ask("hello", "h", budget=tight)
        less = plan(ESRGAN_tile=512)
        assert less["fits"] and 48 <= less["upscalerTile"] < 512, less
        events = engine.generate("tight", MODEL, {**hires, "ESRGAN_tile": 512})
        done, infotext = events[-1][0], next(header["infotext"] for header, _ in events if header["type"] == "image")
        assert done["type"] == "done" and any(f"tiles of {less['upscalerTile']} pixels" in w for w in done["warnings"]), done
        engine.ask("hello", "h2", budget=0)
        asked = engine.generate("asked", MODEL, {**hires, "ESRGAN_tile": less["upscalerTile"]})
        assert f"ESRGAN tile: {less['upscalerTile']}" in infotext or less["upscalerTile"] == 192, infotext
        assert picture(asked) == picture(events), "smaller tiles for want of memory are others than those one asks for"
        # What is resident beside the task's own has to go first.
        assert [m["path"] for m in engine.ask("status", "s2")["models"]] == [str(STARTER)]
        engine.ask("hello", "h3", budget=large["weights"] - large["mapped"] + MIB)
        last = engine.generate("none", MODEL, {**hires, "ESRGAN_tile": 48})[-1][0]
        assert last["code"] == "out_of_memory" and "for the upscaler" in last["message"] and last["message"].count("MiB") >= 5, last
        assert engine.close() == 0 and engine.noise is None


def tiles_of_upscalers_move_the_progress():
    """…and a task ends between them. A step of one pixel, so that there is time for it."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "2x.safetensors")
        MODEL = model(str(STARTER), upscaler={"name": "2x", "path": upscaler(file, features=8)})
        hires = {**PARAMS, "enable_hr": True, "hr_scale": 2, "hr_upscaler": "2x", "denoising_strength": .5, "hr_second_pass_steps": 1}
        engine = started()
        events = [header for header, _ in engine.generate("t", MODEL, {**hires, "ESRGAN_tile": 16, "ESRGAN_tile_overlap": 8, "batch_size": 2})]
        told = [(event["step"], event["fraction"]) for event in events if event["type"] == "progress"]
        between = [fraction for step, fraction in told if step == PARAMS["steps"]]
        tiles = 2 * ((64 - 8) // 8) ** 2
        assert len(between) == tiles + 1 and between == sorted(set(between)), (len(between), between)
        fractions = [fraction for _, fraction in told]
        assert fractions == sorted(fractions) and fractions[-1] == 1, fractions
        # Each is about as much as a step.
        assert between[-1] - between[0] > .8, between
        engine.send("generate", "c", model=MODEL, params={**hires, "ESRGAN_tile": 16, "ESRGAN_tile_overlap": 15})
        seen, asked = 0, False
        while True:
            header, _ = engine.next()
            if header["id"] == "c" and header["type"] == "progress" and header["step"] == PARAMS["steps"]:
                seen += 1
            if seen == 2 and not asked:
                engine.send("cancel", "stop", task="c")
                asked = True
            if header["id"] == "c" and header["type"] in ("done", "error"):
                break
        assert header.get("code") == "cancelled" and seen < 49 * 49, (header, seen)
        assert engine.close() == 0 and engine.noise is None


def doubled(path, factor):
    """The starter in double precision, of which no page can stay in the file; its last layer a little other."""
    metadata, header, body = read(STARTER)
    types = {"F16": numpy.float16, "F32": numpy.float32}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(body[begin:end], types[entry["dtype"]]).astype(numpy.float64)
        if name == "model.diffusion_model.out.2.weight":
            values = values * factor
        tensors[name] = ("F64", entry["shape"], values.tobytes())
    return str(write(pathlib.Path(path), tensors, metadata))


def checkpoints_need_not_be_there_together():
    with tempfile.TemporaryDirectory() as folder:
        base, hires, refiner = (doubled(f"{folder}/{name}.safetensors", factor)
                                for name, factor in (("base", 1), ("hires", 1.02), ("refiner", .98)))
        bent = lora(pathlib.Path(folder, "bent.safetensors"), {TO_K: (128, 64)})
        MODEL = model(base, hires={"name": "hires", "path": hires}, refiner={"name": "refiner", "path": refiner})
        params = {**PARAMS, "prompt": "a [red:blue:.5] star", "n_iter": 2, "enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Lanczos",
                  "denoising_strength": .7, "steps": 3, "hr_checkpoint_name": "hires", "refiner_checkpoint": "refiner", "refiner_switch_at": .5}
        adapted = {**MODEL, "loras": [{"name": "bent", "path": str(bent)}]}
        bending = {**params, "prompt": "a red star <lora:bent:1>"}
        engine = started()

        def plan(id, which, what):
            engine.send("plan", id, model=which, params=what)
            return engine.until(id, {"plan", "error"})[-1][0]

        whole = plan("whole", MODEL, params)
        assert whole["fits"] and not whole["offload"] and whole["held"] == 0
        own = whole["weights"] - whole["mapped"]
        plain, merged = picture(engine.generate("plain", MODEL, params)), picture(engine.generate("merged", adapted, bending))
        assert len(plain) == 2 and plain[0] != merged[0]
        top = engine.ask("status", "before")["rssAnon"]
        engine.ask("unload", "u")
        # Room for one of the three, and what computes; then for one UNet without its text encoders.
        for number, (which, what, expected, tight) in enumerate(((MODEL, params, plain, own // 3), (adapted, bending, merged, own // 3 + 8 * MIB),
                                                                 (MODEL, params, plain, own // 3 - 4 * MIB))):
            engine.ask("hello", f"h{number}", budget=tight + whole["needed"] - own)
            less = plan(f"p{number}", which, what)
            assert less["fits"] and less["offload"] and not less["tiled"], less
            events = engine.generate(f"t{number}", which, what)
            assert events[-1][0]["type"] == "done", events[-1]
            assert any("memory is short: text encoders" in w for w in events[-1][0]["warnings"]), events[-1]
            assert picture(events) == expected, "parts that come and go drew something else"
            status = engine.ask("status", f"s{number}")
            assert sum(m["bytes"] - m["mapped"] for m in status["models"]) <= tight + 8 * MIB, (status, tight)
        assert status["rssAnon"] < top - own // 3, (status, top)
        # With room again everything comes back and stays.
        engine.ask("hello", "all", budget=0)
        assert picture(engine.generate("again", MODEL, params)) == plain
        assert sum(m["bytes"] - m["mapped"] for m in engine.ask("status", "s")["models"]) == own
        # Room for no UNet.
        engine.ask("unload", "u2")
        engine.ask("hello", "none", budget=own // 8)
        assert engine.generate("none", MODEL, params)[-1][0]["code"] == "out_of_memory"
        # A file that changed while a part of it was away.
        engine.ask("hello", "tight", budget=own // 3 + whole["needed"] - own)
        assert picture(engine.generate("once more", MODEL, params)) == plain
        doubled(refiner, 1.5)
        assert picture(engine.generate("changed", MODEL, params)) != plain
        assert engine.close() == 0 and engine.noise is None


def other_autoencoders_are_planned_as_their_own():
    with tempfile.TemporaryDirectory() as folder:
        metadata, header, body = read(STARTER)
        prefix, mapped, copied = "first_stage_model.", {}, {}
        for name, entry in header.items():
            if not name.startswith(prefix):
                continue
            begin, end = entry["data_offsets"]
            mapped[name.removeprefix(prefix)] = (entry["dtype"], entry["shape"], body[begin:end])
            values = numpy.frombuffer(body[begin:end], {"F16": numpy.float16, "F32": numpy.float32}[entry["dtype"]])
            copied[name.removeprefix(prefix)] = ("F64", entry["shape"], values.astype(numpy.float64).tobytes())
        about = {key: value for key, value in metadata.items() if "vae" in key}
        engine = started()

        def plan(id, params=PARAMS, **more):
            engine.send("plan", id, model=model(str(STARTER), **more), params=params)
            return engine.until(id, {"plan", "error"})[-1][0]

        alone = plan("alone")
        for number, (name, tensors) in enumerate({"mapped": mapped, "copied": copied}.items()):
            vae = {"name": name, "path": str(write(pathlib.Path(folder, name + ".safetensors"), tensors, about))}
            before = plan(f"b{number}", vae=vae)
            assert engine.generate(f"t{number}", model(str(STARTER), vae=vae), PARAMS)[-1][0]["type"] == "done"
            status = engine.ask("status", f"s{number}")["models"][0]
            assert before["weights"] - alone["weights"] == status["vae"] > 0, (before, alone, status)
            # Its pages are the file's; what was converted is not.
            assert status["mapped"] == before["mapped"], (status, before)
            assert (before["mapped"] > alone["mapped"]) == (name == "mapped")
            after = plan(f"a{number}", vae=vae)
            assert after["held"] == after["weights"] - after["mapped"], after
        assert plan("bad", vae={"name": "no", "path": str(lora(pathlib.Path(folder, "no.safetensors"), {TO_K: (128, 64)}))})["code"] == "unusable_file"
        # Previews' autoencoder is a copy: its file may be cut short while it is used.
        tiny = pathlib.Path(folder, "taesd.safetensors")
        shutil.copy(TAESD, tiny)
        showing, params = {"taesd": [{"name": "taesd", "path": str(tiny)}]}, {**PARAMS, "show_progress_type": "TAESD", "steps": 40}
        size = plan("previews", params, **showing)["weights"] - alone["weights"]
        assert size == 4 * sum(math.prod(entry["shape"]) for entry in read(TAESD)[1].values()), size
        begun = engine.ask("status", "s")["models"][0]
        engine.send("generate", "cut", model=model(str(STARTER), **showing), params=params)
        while engine.next()[0]["type"] != "progress":
            pass
        tiny.write_bytes(b"")
        assert engine.until("cut", {"done", "error"})[-1][0]["type"] == "done"
        status = engine.ask("status", "s2")["models"][0]
        assert status["bytes"] - (begun["bytes"] - begun["vae"]) == size and status["vae"] == 0, (status, begun, size)
        assert engine.close() == 0 and engine.noise is None


def loras_are_planned():
    with tempfile.TemporaryDirectory() as folder:
        bent = {"loras": [{"name": "bent", "path": str(lora(pathlib.Path(folder, "bent.safetensors"), {TO_K: (128, 64)}))}]}
        params = {**PARAMS, "prompt": "a red star <lora:bent:1>"}
        engine = started()

        def plan(id, params, **more):
            engine.send("plan", id, model=model(str(STARTER), **more), params=params)
            return engine.until(id, {"plan", "error"})[-1][0]

        alone, before = plan("alone", PARAMS), plan("before", params, **bent)
        assert engine.generate("t", model(str(STARTER), **bent), params)[-1][0]["type"] == "done"
        status = engine.ask("status", "s")["models"][0]
        assert before["weights"] - alone["weights"] == status["loras"] == 4 * 128 * 64, (before, alone, status)
        assert before["needed"] == alone["needed"] + status["loras"], (before, alone)
        after = plan("after", params, **bent)
        assert after["held"] == after["weights"] - after["mapped"] and after["needed"] == before["needed"] - before["weights"] + before["mapped"], (before, after)
        # A budget that has room for everything but them.
        engine.ask("unload", "u")
        engine.ask("hello", "tight", budget=before["needed"] - 1)
        assert not plan("tight", params, **bent)["fits"] or plan("tight2", params, **bent)["offload"] or plan("tight3", params, **bent)["tiled"]
        assert plan("without", PARAMS)["fits"] and not plan("without2", PARAMS)["tiled"]
        assert engine.close() == 0 and engine.noise is None


def tiles_for_want_of_memory_can_be_asked_for():
    """Hires fix decodes, encodes and decodes again: all in the tiles that the infotext names."""
    params = {**PARAMS, "steps": 1, "width": 192, "height": 192, "enable_hr": True, "hr_scale": 2, "hr_upscaler": "Lanczos", "denoising_strength": .5}
    engine = started()
    engine.send("plan", "p", model=model(str(STARTER)), params=params)
    whole = engine.until("p", {"plan", "error"})[-1][0]
    engine.ask("hello", "tight", budget=whole["needed"] - whole["vae"] // 5)
    tight = engine.generate("t", model(str(STARTER)), params)
    assert tight[-1][0]["type"] == "done", tight[-1]
    infotext = next(header["infotext"] for header, _ in tight if header["type"] == "image")
    side = int(re.search(r"VAE tiling: On, VAE tile size: (\d+)", infotext).group(1))
    assert 128 <= side < 384, infotext
    engine.ask("hello", "all", budget=0)
    asked = engine.generate("a", model(str(STARTER)), {**params, "vae_tiling": "On", "vae_tile_size": side})
    assert picture(asked) == picture(tight), "the infotext's tiles draw something else"
    assert picture(engine.generate("w", model(str(STARTER)), params)) != picture(tight)
    assert engine.close() == 0 and engine.noise is None


def switch(count):
    """Anonymous memory after 20 switches and after `count`: every one reads a checkpoint that was let go before."""
    with Files(3) as paths:
        engine = started()
        budget = engine.ask("load", "l", model=model(paths[0]))["bytes"] * 3 // 2
        engine.ask("hello", "h", budget=budget)
        after = {}
        params = {**PARAMS, "steps": 1}
        engine.ask("hello", "h2", budget=0)
        for number in range(1, count + 1):
            path = paths[number % 3]
            engine.ask("load", f"b{number}", model=model(path), budget=budget)
            assert held(engine, f"h{number}") == [path], "nothing was switched"
            engine.ask("hello", f"f{number}", budget=0)
            assert engine.generate(f"t{number}", model(path), params)[-1][0]["type"] == "done"
            after[number] = engine.ask("status", f"s{number}")["rssAnon"]
        print(f"      anonymous memory after 20 switches {after[20] / MIB:.1f} MiB, after {count} {after[count] / MIB:.1f} MiB")
        assert abs(after[count] - after[20]) <= 0.05 * after[20], (after[20], after[count])
        assert engine.close() == 0


def sixty_switches():
    switch(60)


def many_switches():
    switch(200)


if __name__ == "__main__":
    run([many_switches] if sys.argv[1:] == ["many_switches"] else
        [models_stay_under_the_budget, what_was_let_go_comes_back_the_same, plans_follow_the_shapes, what_does_not_fit_becomes_smaller_or_is_refused,
         upscalers_are_planned, tiles_of_upscalers_move_the_progress,
         checkpoints_need_not_be_there_together, other_autoencoders_are_planned_as_their_own, loras_are_planned, tiles_for_want_of_memory_can_be_asked_for, sixty_switches])
