#!/usr/bin/env python3
"""Makes tests/parity/networks/upscaler_*.{safetensors,pth} and upscalers_io.safetensors: tiny upscalers with random weights in the key
layouts that are published, and what spandrel makes of an input; and tests/parity/imaging/upscale_tiles.safetensors: what A1111's rules of
tiles and sizes, written here with Pillow from the facts, make of pictures, as hashes.

Run with the peers' Python and packaging/requirements/peers.txt:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_upscalers.py
Asserted here: outputs have a deviation of 0.05 to 5, and 1 % more of any one weight tensor moves one by over 1.2 times the tests' tolerance.
"""
import importlib
import math
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel import ModelLoader

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "networks"
TOLERANCE = 1e-4
WIDTH, GROWTH = 6, 4
# spandrel knows no other growth than 32, which would be large files.
blocks = importlib.import_module("spandrel.architectures.ESRGAN.__arch.RRDB").B
dense_blocks = blocks.RRDB
blocks.RRDB = lambda **options: dense_blocks(**(options | {"gc": GROWTH}))
torch.set_num_threads(1)
torch.manual_seed(2)


def conv(state, name, ins, outs, gain=1.):
    state[name + ".weight"] = torch.randn(outs, ins, 3, 3) * (ins * 9) ** -.5 * gain
    state[name + ".bias"] = (torch.rand(outs) + .5) * torch.randn(outs).sign() * gain * .5


def rrdb(blocks, doublings, ins=3):
    """Real-ESRGAN's names."""
    state = {}
    conv(state, "conv_first", ins, WIDTH)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for i in range(5):
                conv(state, f"body.{block}.rdb{dense}.conv{i + 1}", WIDTH + i * GROWTH, GROWTH if i < 4 else WIDTH, 3.2 - .4 * blocks)  # a block's are added as a 25th
    conv(state, "conv_body", WIDTH, WIDTH, 1.5)
    for i in range(doublings):
        conv(state, f"conv_up{i + 1}", WIDTH, WIDTH)
    conv(state, "conv_hr", WIDTH, WIDTH)
    conv(state, "conv_last", WIDTH, 3)
    return state


def numbered(state, doublings):
    """ESRGAN's first names."""
    names = {"conv_first": "model.0", "conv_hr": f"model.{3 * doublings + 2}", "conv_last": f"model.{3 * doublings + 4}"}
    names |= {f"conv_up{i}": f"model.{3 * i}" for i in range(1, doublings + 1)}
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    names["conv_body"] = f"model.1.sub.{blocks}"
    made = {}
    for name, value in state.items():
        layer, leaf = name.rsplit(".", 1)
        if layer.startswith("body."):
            _, block, dense, part = layer.split(".")
            layer = f"model.1.sub.{block}.{dense.upper()}.{part}.0"
        else:
            layer = names[layer]
        made[f"{layer}.{leaf}"] = value
    return made


def bsrgan(state):
    words = {"conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2", "conv_hr": "HRconv"}
    made = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "body":
            parts[0], parts[2] = "RRDB_trunk", parts[2].upper()
        parts[0] = words.get(parts[0], parts[0])
        made[".".join(parts)] = value
    return made


def compact(scale, convs=2):
    state = {}
    for i in range(convs + 1):
        conv(state, f"body.{2 * i}", WIDTH if i else 3, WIDTH)
        state[f"body.{2 * i + 1}.weight"] = torch.rand(WIDTH) * .5 - .1
    conv(state, f"body.{2 * convs + 2}", WIDTH, 3 * scale ** 2)
    return state


def check(what, state, x):
    # A new descriptor each time: its loading is what is asked.
    run = lambda weights: ModelLoader().load_from_state_dict(dict(weights)).model.eval()(x)
    y = run(state)
    assert .05 < y.std() < 5, (what, y.std())
    least = (9., "")
    for name in state:
        moved = ((run(state | {name: state[name] * 1.01}) - y).abs().max() / y.abs().max()).item()
        least = min(least, (moved, name))
    assert least[0] > 1.2 * TOLERANCE, (what, least)
    print(f"{what}: {len(state)} tensors, {tuple(y.shape)}, deviation {y.std():.2f}, least visible {least}")
    return y


def networks():
    io = {}
    cases = {
        "old4": (numbered(rrdb(2, 2), 2), (7, 9)),
        "old8": (numbered(rrdb(1, 3), 3), (5, 4)),
        "old1": (numbered(rrdb(1, 0), 0), (8, 9)),
        "new4": (rrdb(1, 2), (6, 7)),
        "new2": (rrdb(1, 2, ins=12), (7, 10)),
        "bsrgan4": (bsrgan(rrdb(1, 2)), (6, 5)),
        "compact2": (compact(2), (9, 7)),
        "compact3": (compact(3, 1), (5, 6)),
    }
    for name, (state, (height, width)) in cases.items():
        half = name != "compact2"
        state = {k: (v.half().float() if half else v) for k, v in state.items()}
        x = torch.rand(1, 3, height, width)
        io[f"{name}.x"], io[f"{name}.y"] = x, check(name, state, x).contiguous()
        kept = {k: (v.half() if half else v).contiguous() for k, v in state.items()}
        if name in ("new2", "new4", "compact2"):
            torch.save({"params_ema" if name == "new2" else "params": kept}, OUT / f"upscaler_{name}.pth")
        else:
            save_file(kept, OUT / f"upscaler_{name}.safetensors")
    # Bytes: blue first, halves to even.
    model = ModelLoader().load_from_state_dict(dict(cases["compact2"][0])).model.eval()
    picture = np.random.RandomState(5).randint(0, 256, (12, 16, 3), np.uint8)
    bgr = torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)) / 255).float()[None]
    made = (255. * model(bgr)[0].clamp(0, 1).numpy().transpose(1, 2, 0)).round().astype(np.uint8)[:, :, ::-1]
    io["bytes.x"], io["bytes.y"] = torch.from_numpy(picture), torch.from_numpy(made.copy())
    save_file(io, OUT / "upscalers_io.safetensors")


def hashed(image):
    """FNV-1a, 64 bits."""
    value = 0xcbf29ce484222325
    for byte in image.tobytes():
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value - (1 << 64) if value >> 63 else value


def ground(width, height):
    y, x = np.mgrid[0:height, 0:width]
    planes = [(7 * x + 13 * y + 31 * c + x * y % 17 * 11) & 255 for c in range(3)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8), "RGB")


def network(tile, scale):
    """In the place of one: what it makes of a pixel depends on where in its tile that lies."""
    large = np.asarray(tile).astype(int).repeat(scale, 0).repeat(scale, 1)
    y, x = np.mgrid[0:large.shape[0], 0:large.shape[1]]
    return Image.fromarray(((large + (3 * x + 5 * y)[:, :, None]) & 255).astype(np.uint8), "RGB")


def in_tiles(image, scale, side=192, overlap=8):
    """A1111's grid. A picture that is smaller than a tile lies at its right and lower edge; Pillow makes the rest black."""
    width, height = image.size
    if side == 0:
        return network(image, scale)
    ramp = overlap * scale

    def starts(length):
        count = max(1, math.ceil((length - overlap) / (side - overlap)))
        places = [int(i * ((length - side) / (count - 1) if count > 1 else 0)) for i in range(count)]
        return [length - side if place + side >= length else place for place in places]

    weights = np.array([255 * i // ramp for i in range(ramp)], np.uint8)
    across = Image.fromarray(np.tile(weights[None], (side * scale, 1)), "L")
    down = Image.fromarray(np.tile(weights[:, None], (1, width * scale)), "L")
    picture = Image.new("RGB", (width * scale, height * scale))
    for y in starts(height):
        strip = Image.new("RGB", (width * scale, side * scale))
        for x in starts(width):
            made = network(image.crop((x, y, x + side, y + side)), scale)
            if x == 0:
                strip.paste(made, (0, 0))
                continue
            strip.paste(made.crop((0, 0, ramp, made.height)), (x * scale, 0), across)
            strip.paste(made.crop((ramp, 0, made.width, made.height)), (x * scale + ramp, 0))
        if y == 0:
            picture.paste(strip, (0, 0))
            continue
        picture.paste(strip.crop((0, 0, strip.width, ramp)), (0, y * scale), down)
        picture.paste(strip.crop((0, ramp, strip.width, strip.height)), (0, y * scale + ramp))
    return picture


def enlarged(image, width, height, scale):
    factor = max(width / image.width, height / image.height)
    if factor > 1:
        wanted = tuple(int(side * factor // 8 * 8) for side in image.size)
        for _ in range(3):
            if image.width >= wanted[0] and image.height >= wanted[1]:
                break
            image = in_tiles(image, scale)
            if scale == 1:
                break
        if image.size != wanted:
            image = image.resize(wanted, Image.LANCZOS)
    return image if image.size == (width, height) else image.resize((width, height), Image.LANCZOS)


def tiles():
    kept = {}
    # Sizes, then the scale of the network; of `to` the wanted size too.
    for case in ((200, 300, 2), (192, 193, 4), (400, 64, 1), (377, 569, 1), (16, 8, 4)):
        kept["tiles/" + "/".join(map(str, case))] = hashed(in_tiles(ground(*case[:2]), case[2]))
    # Also a tile's side and overlap; a picture that is as wide as a tile but for a part of the ramp, which shows.
    for case in ((188, 5, 192, 8, 2), (120, 90, 64, 16, 2), (100, 130, 48, 0, 1), (90, 70, 0, 8, 2), (520, 500, 512, 48, 1)):
        kept["tiles/" + "/".join(map(str, case))] = hashed(in_tiles(ground(*case[:2]), case[4], *case[2:4]))
    for case in ((64, 64, 96, 96, 4), (200, 104, 300, 156, 2), (64, 48, 250, 250, 2), (64, 48, 200, 150, 1), (40, 24, 360, 216, 2),
                 (64, 48, 64, 48, 4), (64, 48, 48, 40, 4)):
        kept["to/" + "/".join(map(str, case))] = hashed(enlarged(ground(*case[:2]), case[2], case[3], case[4]))
    save_file({name: torch.tensor([value]) for name, value in kept.items()}, HERE / "imaging" / "upscale_tiles.safetensors")
    print(len(kept), "pictures in tiles")


with torch.inference_mode():
    networks()
tiles()
