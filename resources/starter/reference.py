"""Measures what diffusers' networks get on both prompt sets with the shipped file, and writes reference.json, which
tests/integration/starter compares the engine's counts with."""
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform

from draw import CFG, SIDE, STEPS, pictures_of
from judge import count_right


def write_reference(folder, path):
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    counts = {}
    for name in ("prompts", "prompts-emphasis"):
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
            items = json.load(file)
        counts[name] = count_right(items, pictures_of(path, items, range(len(items))))
        print(name, counts[name], "of", len(items), flush=True)
    measured = dict(
        command="python resources/starter reference",
        date=datetime.date.today().isoformat(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        versions={name: importlib.metadata.version(name) for name in ("torch", "diffusers", "transformers")},
        model_sha256=digest,
        settings=dict(sampler="Euler", steps=STEPS, cfg=CFG, side=SIDE, seeds="0, 1, 2 …, one a prompt"),
        right_of_100=counts,
    )
    with open(os.path.join(folder, "reference.json"), "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
        file.write("\n")
