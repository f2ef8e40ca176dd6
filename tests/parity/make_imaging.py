#!/usr/bin/env python3
"""Makes tests/parity/imaging/imaging.safetensors: what Pillow, OpenCV, scikit-image and blendmodes make of small pictures.

    python3 -m venv V && V/bin/pip install pillow==9.5.0 opencv-python-headless==4.6.0.66 numpy==1.26.4 scikit-image==0.22.0
    V/bin/pip install --no-deps blendmodes==2025
    V/bin/python tests/parity/make_imaging.py

Every result must be equal to the byte, but colour correction: OpenCV's L*a*b* tables may differ by 1 between versions.
"""
import json
import pathlib
import struct

import cv2
import numpy as np
from blendmodes.blend import BlendType, blendLayers
from PIL import Image, ImageFilter, ImageOps
from skimage import exposure

HERE = pathlib.Path(__file__).resolve().parent
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}  # Pillow's numbers
random = np.random.RandomState(20261122)
tensors = {}


def keep(name, value):
    array = np.asarray(value)
    if array.dtype == np.uint8 and array.ndim == 2:
        array = array[:, :, None]
    tensors[name] = np.ascontiguousarray(array)


def picture(width, height, mode):
    """Smooth colours with noise and hard edges."""
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(x / (3.0 + c) + c) * np.cos(y / (4.0 - c / 2)) + random.randint(-40, 40, (height, width)) for c in range(channels)]
    planes[0][height // 3:height // 2] = 255
    array = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if mode == "L" else array, mode)


def blob(width, height, soft=False):
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width * 0.4, y - height * 0.6)
    array = np.clip(255 - (distance - height * 0.2) * 40, 0, 255) if soft else (distance < height * 0.25) * 255
    return Image.fromarray(array.astype(np.uint8), "L")


def resampling():
    sizes = [((13, 9), (26, 18)), ((64, 48), (31, 7)), ((17, 33), (17, 12)), ((20, 5), (3, 40)), ((1, 1), (4, 3))]
    for name, number in FILTERS.items():
        for n, (held, wanted) in enumerate(sizes):
            for mode in ("L", "RGB", "RGBA") if name in ("lanczos", "bicubic") else ("RGB",):
                image = picture(*held, mode)
                keep(f"resample/{name}/{mode}{n}/in", image)
                keep(f"resample/{name}/{mode}{n}/out", image.resize(wanted, number))


def resize_mode(mode, image, width, height):
    lanczos = Image.Resampling.LANCZOS
    if mode == 0:
        return image.resize((width, height), lanczos)
    ratio, held = width / height, image.width / image.height
    if mode == 1:
        w = width if ratio > held else image.width * height // image.height
        h = height if ratio <= held else image.height * width // image.width
    else:
        w = width if ratio < held else image.width * height // image.height
        h = height if ratio >= held else image.height * width // image.width
    scaled = image.resize((w, h), lanczos)
    made = Image.new("RGB", (width, height))
    made.paste(scaled, box=(width // 2 - w // 2, height // 2 - h // 2))
    if mode == 2 and ratio < held:
        bar = height // 2 - h // 2
        if bar > 0:
            made.paste(scaled.resize((width, bar), box=(0, 0, width, 0)), box=(0, 0))
            made.paste(scaled.resize((width, bar), box=(0, h, width, h)), box=(0, bar + h))
    elif mode == 2 and ratio > held:
        bar = width // 2 - w // 2
        if bar > 0:
            made.paste(scaled.resize((bar, height), box=(0, 0, 0, height)), box=(0, 0))
            made.paste(scaled.resize((bar, height), box=(w, 0, w, height)), box=(bar + w, 0))
    return made


def resize_modes():
    for mode in (0, 1, 2):
        for n, (held, wanted) in enumerate([((40, 30), (32, 32)), ((30, 47), (48, 24)), ((33, 33), (40, 24)), ((48, 24), (48, 40)), ((20, 20), (33, 20))]):
            image = picture(*held, "RGB")
            keep(f"mode/{mode}/{n}/in", image)
            keep(f"mode/{mode}/{n}/out", resize_mode(mode, image, *wanted))


def blurs():
    for n, radius in enumerate([0.5, 2, 4, 16, 64, 256]):
        for mode in ("L", "RGB", "RGBA"):
            image = picture(29, 21, mode)
            keep(f"blur/{radius}/{mode}/in", image)
            keep(f"blur/{radius}/{mode}/out", image.filter(ImageFilter.GaussianBlur(radius)))
    for sx, sy in [(4, 4), (1, 0), (0, 7), (2.5, 11), (64, 64)]:
        mask = blob(40, 32)
        array = np.array(mask)
        if sx:
            array = cv2.GaussianBlur(array, (2 * int(2.5 * sx + 0.5) + 1, 1), sx)
        if sy:
            array = cv2.GaussianBlur(array, (1, 2 * int(2.5 * sy + 0.5) + 1), sy)
        keep(f"mask_blur/{sx}/{sy}/in", mask)
        keep(f"mask_blur/{sx}/{sy}/out", array)


def filled(image, mask):
    cut = Image.new("RGBa", image.size)
    cut.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    made = Image.new("RGBA", image.size)
    for radius, times in [(256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)]:
        layer = cut.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            made.alpha_composite(layer)
    return made.convert("RGB")


def overlay(image, mask):
    cut = Image.new("RGBa", image.size)
    cut.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    return cut.convert("RGBA")


def inpainting():
    for n, (mode, soft) in enumerate([("RGB", False), ("RGB", True), ("RGBA", True)]):
        image, mask, drawn = picture(47, 36, mode), blob(47, 36, soft), picture(47, 36, "RGB")
        above = overlay(image, mask)
        whole = drawn.convert("RGBA")
        whole.alpha_composite(above)
        box = (5, 7, 38, 31)
        part = picture(24, 24, "RGB")
        ground = Image.new("RGBA", image.size)
        ground.paste(resize_mode(1, part, box[2] - box[0], box[3] - box[1]), box[:2])
        ground.alpha_composite(above)
        for name, value in dict(picture=image, mask=mask, drawn=drawn, filled=filled(image, mask), overlay=above, whole=whole.convert("RGB"),
                                part=part, box=np.array(box, np.int64), placed=ground.convert("RGB")).items():
            keep(f"inpaint/{n}/{name}", value)


def masks():
    for n, mode in enumerate(["L", "RGB", "RGBA"]):
        image = picture(23, 11, mode)
        grey = image.split()[-1].point(lambda a: 255 if a > 128 else 0) if mode == "RGBA" else image.convert("L")
        keep(f"mask/{n}/in", image)
        keep(f"mask/{n}/out", grey)
    opaque = picture(9, 9, "RGB").convert("RGBA")
    keep("mask/3/in", opaque)
    keep("mask/3/out", opaque.convert("L"))
    red = picture(16, 8, "RGBA")
    ground = Image.new("RGB", red.size, "#ffffff")
    ground.paste(red, mask=red)
    keep("flatten/0/in", red)
    keep("flatten/0/out", ground)


def colours():
    for n, (size, target_size) in enumerate([((40, 30), (20, 20)), ((32, 32), (48, 16))]):
        image, target = picture(*size, "RGB"), ImageOps.invert(picture(*target_size, "RGB")).point(lambda v: v // 2 + 60)
        wanted = cv2.cvtColor(np.asarray(target), cv2.COLOR_RGB2LAB)
        matched = exposure.match_histograms(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2LAB), wanted, channel_axis=2)
        corrected = Image.fromarray(cv2.cvtColor(matched, cv2.COLOR_LAB2RGB).astype("uint8"))
        keep(f"colour/{n}/picture", image)
        keep(f"colour/{n}/target", target)
        keep(f"colour/{n}/out", blendLayers(corrected, image, BlendType.LUMINOSITY).convert("RGB"))


def write(path):
    header, at = {}, 0
    for name, array in sorted(tensors.items()):
        header[name] = {"dtype": {"uint8": "U8", "int64": "I64"}[str(array.dtype)], "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for _, array in sorted(tensors.items())))
    print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    for make in (resampling, resize_modes, blurs, inpainting, masks, colours):
        make()
    write(HERE / "imaging" / "imaging.safetensors")
