"""Does a model draw what the prompt says? 100 prompts whose combination of ground, colour and shape was never
trained on, and a judge that looks at the pictures. Needs numpy and Pillow only.
"""
import json
import os
import random

import numpy as np
from PIL import Image

from pictures import COLOURS, SHAPES, Scene, held_out, mask, with_article

ASPECTS = ("ground", "colour", "shape")
NAMES = list(COLOURS)
PALETTE = np.array([COLOURS[name] for name in NAMES], float)
NOT_GROUND = 45  # distance in RGB from which a pixel is no ground
LEAST_PIXELS = 20  # fewer are no object


def sentence(size, colour, shape, ground):
    return f"{with_article(' '.join(word for word in (size, colour, shape) if word))} on {with_article(ground)} background"


def held_out_prompts(count=100):
    """[{prompt, ground, colour, shape, size}]: scenes of one centred shape on a plain ground."""
    rng, found = random.Random(-1), {}
    while len(found) < count:
        scene = Scene(rng)
        size, colour, shape, _ = scene.objects[0]
        if scene.texture or scene.relation or scene.place or shape not in SHAPES or not held_out(scene):
            continue
        text = f"a {size + ' ' if size else ''}{colour} {shape} on a {scene.ground} background"
        text = text.replace("a orange", "an orange")
        found.setdefault(text, dict(prompt=text, ground=scene.ground, colour=colour, shape=shape, size=size))
    return list(found.values())


def emphasised(item, turn):
    """The same item with A1111's emphasis on one word: the colour, the shape and the ground by turns."""
    size, colour, shape, ground = (item[key] for key in ("size", "colour", "shape", "ground"))
    if turn % 4 == 0:
        colour = f"({colour}:1.3)"
    elif turn % 4 == 1:
        shape = f"({shape}:1.3)"
    elif turn % 4 == 2:
        ground = f"({ground}:1.2)"
    else:
        colour, shape = f"({colour})", f"[{shape}]"
    return item | dict(prompt=sentence(size, colour, shape, ground))


def write_prompts(folder):
    """prompts.json and prompts-emphasis.json."""
    plain = held_out_prompts()
    sets = {"prompts.json": plain, "prompts-emphasis.json": [emphasised(item, i) for i, item in enumerate(plain)]}
    for name, items in sets.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("[\n" + ",\n".join(" " + json.dumps(item) for item in items) + "\n]\n")
        print(f"{name}: {len(items)} prompts")


def colour_name(rgb):
    return NAMES[int(np.abs(PALETTE - rgb).sum(1).argmin())]


def boxed(covered, side=40):
    """A boolean mask cut to its bounding box and put into a square of `side`, proportions kept; None: too small."""
    y, x = np.nonzero(covered)
    if len(y) < LEAST_PIXELS:
        return None
    cut = Image.fromarray((covered[y.min() : y.max() + 1, x.min() : x.max() + 1] * 255).astype(np.uint8))
    scale = side / max(cut.size)
    cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.BILINEAR)
    square = Image.new("L", (side, side))
    square.paste(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    return np.asarray(square) > 127


TEMPLATES = [
    (shape, boxed(np.asarray(mask(shape, (96, 96), 70, turn, 192)) > 127))
    for shape in SHAPES
    for turn in np.linspace(-0.3, 0.3, 7)
]


def shape_name(covered):
    """The shape whose template overlaps best with a mask (intersection over union)."""
    cut = boxed(covered)
    if cut is None:
        return None
    return max(TEMPLATES, key=lambda pair: (pair[1] & cut).sum() / (pair[1] | cut).sum())[0]


def look(picture):
    """{ground, colour, shape}: what a picture shows; None where nothing can be told."""
    pixels = np.asarray(picture.convert("RGB"), float)
    height, width, _ = pixels.shape
    rim = np.ones((height, width), bool)
    rim[height // 16 : height - height // 16, width // 16 : width - width // 16] = False
    ground = np.median(pixels[rim], 0)
    from_ground = np.linalg.norm(pixels - ground, axis=2)
    inside = from_ground > NOT_GROUND
    seen = dict(ground=colour_name(ground), colour=None, shape=None)
    if inside.sum() < LEAST_PIXELS:
        return seen
    colour = np.median(pixels[inside], 0)
    covered = np.linalg.norm(pixels - colour, axis=2) < from_ground
    return seen | dict(colour=colour_name(colour), shape=shape_name(covered))


def count_right(items, pictures):
    """{aspect: how many pictures are right}, in the order of the items."""
    right = dict.fromkeys(ASPECTS, 0)
    for item, picture in zip(items, pictures, strict=True):
        seen = look(picture)
        for aspect in ASPECTS:
            right[aspect] += seen[aspect] == item[aspect]
    return right


def judge_folder(prompts, folder):
    """Counts for the pictures 000.png, 001.png … of a folder."""
    with open(prompts, encoding="utf-8") as file:
        items = json.load(file)
    return count_right(items, [Image.open(os.path.join(folder, f"{i:03d}.png")) for i in range(len(items))])
