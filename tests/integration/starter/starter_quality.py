"""Draws the 100 held-out prompts, and the same with emphasis, with serigraph-engine and judges the pictures.

The counts must reach the thresholds, and none may be more than 3 below what diffusers' networks get with the same file,
noise and schedule (resources/starter/reference.json, made by `python resources/starter reference`).
"""
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor

from starter_files import MODEL, load, model_digest

from engine_pipe import Engine, run
from judge import ASPECTS, count_right
from PIL import Image, ImageChops

NEEDED = {"ground": 95, "colour": 90, "shape": 50}
BELOW_DIFFUSERS = 3
DRAWN = {}  # what a case drew, for the next one


def generate(engine, id, prompt, **params):
    """The pictures of one request."""
    wanted = dict(prompt=prompt, sampler_name="Euler", scheduler="Automatic", steps=20, cfg_scale=5, width=128, height=128) | params
    events = engine.generate(id, {"path": str(MODEL), "name": "starter"}, wanted, previews=False)
    last = events[-1][0]
    assert last["type"] == "done", f"{prompt}: {last}"
    images = [(header, Image.open(io.BytesIO(payload))) for header, payload in events if header["type"] == "image"]
    for header, image in images:
        assert image.size == (128, 128) == (header["width"], header["height"])
        assert image.text["parameters"].startswith(prompt)
    return [image.convert("RGB") for _, image in images]


def draw_share(name, first, apart):
    """Pictures first, first + apart … of a prompt set, with the seeds 0, 1, 2 …, from one engine."""
    engine = Engine("--threads", "1")
    pictures = [(i, generate(engine, f"{name}-{i}", item["prompt"], seed=i)[0])
                for i, item in enumerate(load(name + ".json")) if i % apart == first]
    assert engine.close() == 0 and engine.noise is None
    return pictures


def draw_set(name):
    """All pictures of a set: an engine with one thread for each core, since networks this small gain little from two."""
    begin, engines = time.monotonic(), min(4, os.cpu_count())
    with ThreadPoolExecutor(engines) as pool:
        shares = pool.map(lambda first: draw_share(name, first, engines), range(engines))
    pictures = [picture for _, picture in sorted((pair for share in shares for pair in share), key=lambda pair: pair[0])]
    print(f"{name}: {len(pictures)} pictures in {time.monotonic() - begin:.0f} s", flush=True)
    DRAWN[name] = pictures
    return pictures


def check(name):
    reference = load("reference.json")
    assert reference["model_sha256"] == model_digest(), "run: python resources/starter reference"
    right, peer = count_right(load(name + ".json"), draw_set(name)), reference["right_of_100"][name]
    print(f"{name}: {right} of 100; diffusers: {peer}", flush=True)
    for aspect in ASPECTS:
        assert right[aspect] >= NEEDED[aspect], f"{aspect}: {right[aspect]} right, {NEEDED[aspect]} needed"
        assert right[aspect] >= peer[aspect] - BELOW_DIFFUSERS, f"{aspect}: {right[aspect]} right, diffusers {peer[aspect]}"


def held_out_prompts_are_drawn():
    check("prompts")


def emphasis_stays_as_good():
    check("prompts-emphasis")


def emphasis_is_heard():
    same = [a for a, b in zip(DRAWN["prompts"], DRAWN["prompts-emphasis"]) if not ImageChops.difference(a, b).getbbox()]
    assert not same, f"{len(same)} of 100 pictures do not change with emphasis"


def two_seeds_differ_and_one_seed_does_not():
    engine = Engine()
    prompt = "a red star on a blue background"
    first, again = (generate(engine, f"s{i}", prompt, seed=1)[0] for i in range(2))
    pair = generate(engine, "pair", prompt, seed=1, batch_size=2)
    assert engine.close() == 0
    assert first.tobytes() == again.tobytes()
    most = max(high for _, high in ImageChops.difference(pair[0], first).getextrema())
    assert most <= 2, f"in a batch the same seed's picture differs by {most}"
    apart = ImageChops.difference(*pair).convert("L").point(lambda value: 255 * (value > 20)).resize((1, 1), Image.BOX).getpixel((0, 0)) / 255
    assert len(pair) == 2 and apart > 0.02, f"only {apart:.3f} of two seeds' pixels differ"


run([two_seeds_differ_and_one_seed_does_not, held_out_prompts_are_drawn, emphasis_stays_as_good, emphasis_is_heard])
