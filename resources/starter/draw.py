"""Draws prompts through diffusers' networks, as an outside reference: the noise, the schedule, the guidance and the
emphasis are A1111's, so that the engine's pictures should be the same ones."""
import json
import os
import re

import torch
from PIL import Image

from networks import LATENT_SCALE, alphas_cumprod, read
from tokens import ids_of, row

STEPS, CFG, SIDE = 20, 5.0, 128
WEIGHTED = re.compile(r"\((?P<strong>[^():]+)(?::(?P<weight>[0-9.]+))?\)|\[(?P<weak>[^\[\]]+)\]")


def weighted_row(prompt):
    """(77 ids, 77 weights) of a prompt with at most plain, unnested emphasis: (word), (word:1.3), [word]."""
    ids, weights, end = [], [1.0], 0
    for match in [*WEIGHTED.finditer(prompt), None]:
        plain = ids_of(prompt[end : match.start() if match else None])
        ids, weights = ids + plain, weights + [1.0] * len(plain)
        if match:
            word = ids_of(match["strong"] or match["weak"])
            weight = 1 / 1.1 if match["weak"] else float(match["weight"] or 1.1)
            ids, weights, end = ids + word, weights + [weight] * len(word), match.end()
    return row(ids), (weights + [1.0] * 77)[:77]


def condition(pair, prompts):
    """[N, 77, 64]: weighted by token, then scaled back to the mean it had."""
    rows = [weighted_row(prompt) for prompt in prompts]
    z = pair.condition(torch.tensor([ids for ids, _ in rows]))
    weighted = z * torch.tensor([weights for _, weights in rows])[:, :, None]
    return weighted * (z.mean((1, 2), keepdim=True) / weighted.mean((1, 2), keepdim=True))


def schedule(steps):
    """(sigmas [steps + 1], times [steps]): times evenly from 999 to 0, sigmas between entries in the logarithm."""
    alphas = alphas_cumprod()
    logs = ((1 - alphas) / alphas).sqrt().log()
    times = torch.linspace(999, 0, steps)
    low, part = times.floor().long(), times.frac()
    sigmas = ((1 - part) * logs[low] + part * logs[times.ceil().long()]).exp()
    return torch.cat([sigmas, torch.zeros(1)]), times


@torch.no_grad()
def pictures_of(path, items, seeds, steps=STEPS, cfg=CFG, batch=20):
    """Yields a PIL picture for each item, with Euler."""
    pair, vae = read(path)
    sigmas, times = schedule(steps)
    for first in range(0, len(items), batch):
        part = items[first : first + batch]
        words = torch.cat([condition(pair, [item["prompt"] for item in part]), condition(pair, [""] * len(part))])
        noise = [
            torch.randn(4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(seed))
            for seed in seeds[first : first + batch]
        ]
        x = torch.stack(noise) * sigmas[0]
        for i in range(steps):
            scaled = torch.cat([x, x]) / (sigmas[i] ** 2 + 1).sqrt()
            guess = pair.unet(scaled, times[i].expand(len(scaled)), encoder_hidden_states=words).sample
            with_words, without = guess.chunk(2)
            x = x + (without + cfg * (with_words - without)) * (sigmas[i + 1] - sigmas[i])
        colours = ((vae.decode(x / LATENT_SCALE).sample + 1) / 2).clamp(0, 1) * 255
        for pixels in colours.round().byte().permute(0, 2, 3, 1).numpy():
            yield Image.fromarray(pixels)


def draw(path, prompts, folder, seed=0):
    """Writes 000.png, 001.png … with the seeds `seed`, `seed` + 1 …"""
    with open(prompts, encoding="utf-8") as file:
        items = json.load(file)
    os.makedirs(folder, exist_ok=True)
    for i, picture in enumerate(pictures_of(path, items, range(seed, seed + len(items)))):
        picture.save(os.path.join(folder, f"{i:03d}.png"))
