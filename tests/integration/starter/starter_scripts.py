"""resources/starter without torch: the prompts, the judge, the model file's header."""
import json
import pathlib
import random
import shutil
import tempfile

from starter_files import MODEL, load, model_digest

import export
import judge
import pictures
from engine_pipe import run


def shipped_prompts_are_what_the_script_makes():
    with tempfile.TemporaryDirectory() as folder:
        judge.write_prompts(folder)
        for name in ("prompts.json", "prompts-emphasis.json"):
            assert json.loads((pathlib.Path(folder) / name).read_text()) == load(name), name


def prompts_are_held_out_and_emphasis_changes_only_the_words():
    plain, weighted = load("prompts.json"), load("prompts-emphasis.json")
    assert len(plain) == len(weighted) == 100 and len({item["prompt"] for item in plain}) == 100
    trained = set()
    for seed in range(3000):
        rng = random.Random(seed)
        scene = pictures.Scene(rng)
        while pictures.held_out(scene):
            scene = pictures.Scene(rng)
        trained.add((scene.ground, *scene.objects[0][1:3]))
    for item, other in zip(plain, weighted):
        assert (item["ground"], item["colour"], item["shape"]) not in trained, item
        assert {key: item[key] for key in ("ground", "colour", "shape")} == {key: other[key] for key in ("ground", "colour", "shape")}
        bare = other["prompt"]
        for part in ("(", ")", "[", "]", ":1.3", ":1.2"):
            bare = bare.replace(part, "")
        assert bare == item["prompt"] and other["prompt"] != bare, other


def judge_knows_true_pictures_from_false_ones():
    rng, items, drawn = random.Random(5), [], []
    while len(items) < 300:
        scene = pictures.Scene(rng)
        _, colour, shape, _ = scene.objects[0]
        if not (scene.texture or scene.relation or scene.place) and shape in pictures.SHAPES:
            items.append(dict(ground=scene.ground, colour=colour, shape=shape))
            drawn.append(scene.draw())
    assert judge.count_right(items, drawn) == dict(ground=300, colour=300, shape=300)
    mixed = judge.count_right(items[1:] + items[:1], drawn)
    assert all(count < 60 for count in mixed.values()), mixed
    plain = pictures.Image.new("RGB", (128, 128), pictures.COLOURS["red"])
    assert judge.look(plain) == dict(ground="red", colour=None, shape=None)


def file_says_what_it_is():
    header, start = export.read_header(MODEL)
    said = header["__metadata__"]
    assert MODEL.stat().st_size <= 24_000_000
    assert said["modelspec.license"] == "CC0-1.0" and said["modelspec.prediction_type"] == "epsilon"
    assert "starter" in said["modelspec.title"] and len(said["modelspec.description"]) > 40 and len(said["serigraph.training"]) > 100
    for key in ("unet.norm_groups", "unet.heads", "vae.norm_groups", "text.heads"):
        assert int(said["serigraph." + key]) > 0, key
    assert float(said["serigraph.latent.scale"]) == 0.18215
    factors = json.loads(said["serigraph.latent.to_rgb"])
    assert len(factors) == 5 and all(len(row) == 3 for row in factors)
    widths = {name: entry["shape"][0] for name, entry in header.items() if name.endswith("norm.weight") and "diffusion_model" in name}
    assert widths and all(width % int(said["serigraph.unet.norm_groups"]) == 0 for width in widths.values())


def stamp_leaves_the_tensors_alone():
    with tempfile.TemporaryDirectory() as folder:
        copy = str(pathlib.Path(folder) / "copy.safetensors")
        shutil.copy(MODEL, copy)
        export.stamp(copy, how="something else")
        old, new = export.read_header(MODEL), export.read_header(copy)
        assert new[0].pop("__metadata__")["serigraph.training"] == "something else"
        old[0].pop("__metadata__")
        assert old[0] == new[0] and list(old[0]) == list(new[0])
        assert MODEL.read_bytes()[old[1]:] == pathlib.Path(copy).read_bytes()[new[1]:]
        export.stamp(copy)
        assert MODEL.read_bytes() == pathlib.Path(copy).read_bytes(), "the shipped file is not what stamp writes"


def reference_was_measured_with_this_file():
    assert load("reference.json")["model_sha256"] == model_digest(), "run: python resources/starter reference"


run([shipped_prompts_are_what_the_script_makes, prompts_are_held_out_and_emphasis_changes_only_the_words,
     judge_knows_true_pictures_from_false_ones, file_says_what_it_is, stamp_leaves_the_tensors_alone,
     reference_was_measured_with_this_file])
