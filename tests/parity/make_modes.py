"""Makes tests/parity/modes/*.png: loopback, outpainting, "only masked", latent upscale and hires fix with a checkpoint of its own, by diffusers' networks, k-diffusion, Pillow,
OpenCV, scikit-image and blendmodes under A1111's rules, written here from those rules. modes.py draws the same through `serigraphd generate`.

Run with the peers' Python (packaging/dev.sh deps --peers) and, beside it,
    pip install opencv-python-headless==4.12.0.88 scikit-image==0.26.0 blendmodes==2025 aenum deprecation
"""
import math

import cv2
import numpy
import torch
from blendmodes.blend import BlendType, blendLayers
from PIL import Image, ImageFilter, ImageOps
from skimage import exposure

import make_image_to_image as image_to_image
from modes import modes
from starter_world import HERE, STARTER, draw, generators, read

FOLDER = HERE / "modes"


def encoded(world, picture):
    return world.encode(torch.from_numpy(numpy.array(picture))[None])


def decoded(world, latent):
    return Image.fromarray(world.decode(latent)[0].numpy())


def from_latent(world, case, latent, seed, strength, drawn=None):
    """The tail of a schedule from a latent; where `drawn` (one number each place) is 0, the latent stays."""
    sources = generators([seed])
    noise = draw(sources, latent.shape[1:])
    keep = None if drawn is None else image_to_image.hard(latent, drawn)
    walked = int(min(strength, 0.999) * case["steps"])
    sigmas = world.sigmas(case["sampler"], case["steps"])[case["steps"] - walked - 1:]
    x = world.walk(case["sampler"], latent + noise * sigmas[0], sigmas, sources, keep)
    return x if keep is None else keep(x, None)


def like(picture, target):
    """A1111's colour correction: the target's histograms in L*a*b*, with the picture's own luminosity."""
    lab = [cv2.cvtColor(numpy.asarray(one), cv2.COLOR_RGB2LAB) for one in (picture, target)]
    matched = exposure.match_histograms(*lab, channel_axis=2)
    corrected = Image.fromarray(cv2.cvtColor(matched, cv2.COLOR_LAB2RGB).astype("uint8"))
    return blendLayers(corrected, picture, BlendType.LUMINOSITY).convert("RGB")


def latent_mask(mask):
    """0 or 1 for each place of the latent: resized as Pillow does by default, then rounded."""
    small = mask.resize((mask.width // 8, mask.height // 8))
    return torch.from_numpy(numpy.asarray(small, numpy.float32) / 255).round()[None, None]


def strengths(case):
    """From the first loop's to the last's along A1111's curve."""
    bend = {"Linear": lambda part: part, "Lazy": lambda part: 1 - math.cos(part * math.pi / 2),
            "Aggressive": lambda part: math.sin(part * math.pi / 2)}[case["curve"]]
    for loop in range(case["loops"]):
        yield case["strength"] + (case["final_strength"] - case["strength"]) * bend(loop / max(1, case["loops"] - 1))


def overlaid(drawn, start, mask):
    """The start wherever the mask, doubled, is not white."""
    above = Image.new("RGBa", start.size)
    above.paste(start.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.point(lambda v: min(255, 2 * v))))
    whole = drawn.convert("RGBA")
    whole.alpha_composite(above.convert("RGBA"))
    return whole.convert("RGB")


def loopback(world, case, start):
    mask = modes.mask() if case.get("mask") else None
    drawn = latent_mask(mask) if mask else None
    picture, made = start, []
    for loop, strength in enumerate(strengths(case)):
        if mask and loop == 0:  # "latent nothing" of a filled picture, and afterwards what there is
            latent = encoded(world, filled(picture, mask)) * (1 - drawn)
        else:
            latent = encoded(world, picture)
        latent = from_latent(world, case, latent, case["seed"] + loop, strength, drawn)
        result = decoded(world, latent)
        if case.get("colours"):
            result = like(result, start)
        picture = overlaid(result, picture, mask) if mask else result
        made.append(picture)
    return made


def filled(image, mask):
    """A1111's masked content "fill": what is not masked, blurred ever less, over itself."""
    cut = Image.new("RGBa", image.size)
    cut.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    made = Image.new("RGBA", image.size)
    for radius, times in [(256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)]:
        layer = cut.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            made.alpha_composite(layer)
    return made.convert("RGB")


def blurred(mask, sigma):
    size = 2 * int(2.5 * sigma + 0.5) + 1
    array = cv2.GaussianBlur(numpy.array(mask), (size, 1), sigma)
    return Image.fromarray(cv2.GaussianBlur(array, (1, size), sigma))


def outpainting(world, case, start):
    """Poor man's outpainting in one piece: drawn is what is new, and of the old a rim as wide as the mask's blur (a quarter of it in the latent)."""
    left, right, up, down = (case[side] for side in ("left", "right", "up", "down"))
    size = (start.width + left + right, start.height + up + down)
    canvas = Image.new("RGB", size)
    canvas.paste(start, (left, up))

    def keeping(rim):
        mask = Image.new("L", size, 255)
        box = [left + rim if left else 0, up + rim if up else 0, size[0] - (right + rim if right else 0), size[1] - (down + rim if down else 0)]
        mask.paste(0, box)
        return mask

    mask, inner = blurred(keeping(case["blur"]), case["blur"]), keeping(case["blur"] // 4)
    latent = encoded(world, filled(canvas, inner))
    latent = from_latent(world, case, latent, case["seed"], case["strength"], latent_mask(inner))
    return [overlaid(decoded(world, latent), canvas, mask)]


def only_masked(world, case, start):
    """The masked part and its surroundings, enlarged, drawn, made small again and put back."""
    mask = modes.mask()
    left, top, right, bottom = (edge + sign * case["padding"] for edge, sign in zip(mask.getbbox(), (-1, -1, 1, 1)))
    assert right - left == bottom - top  # the shape of what is drawn, so that A1111 does not widen it
    box = (left, top, right, bottom)
    large = [one.crop(box).resize(start.size, Image.Resampling.LANCZOS) for one in (start, mask)]
    drawn = latent_mask(large[1])
    latent = from_latent(world, case, encoded(world, large[0]), case["seed"], case["strength"], drawn)
    part = decoded(world, latent).resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    whole = start.copy()
    whole.paste(part, box[:2])
    return [overlaid(whole, start, mask)]


def latent_upscale(world, case, start):
    latent = torch.nn.functional.interpolate(encoded(world, start), size=(case["height"] // 8, case["width"] // 8), mode="bilinear")
    return [decoded(world, from_latent(world, case, latent, case["seed"], case["strength"]))]


def hires(worlds, case):
    """The first pass by one checkpoint, the second by another with words of its own. Pictures are decoded by the first before they are enlarged
    and encoded by the second; what is decoded last is the second's."""
    first, second = worlds
    sources = generators([case["seed"]])
    sigmas = first.sigmas(case["sampler"], case["steps"])
    small = first.walk(case["sampler"], draw(sources, (4, 8, 8)) * sigmas[0], sigmas, sources)
    if case["upscaler"] == "Lanczos":
        latent = encoded(second, decoded(first, small).resize((96, 96), Image.Resampling.LANCZOS))
    else:
        latent = torch.nn.functional.interpolate(small, size=(12, 12), mode="bilinear", antialias=True)
    sources = generators([case["seed"]])
    noise = draw(sources, latent.shape[1:])
    total = int(case["second"] / case["strength"])
    sigmas = second.sigmas(case["sampler"], total)[total - case["second"]:]
    return [decoded(second, second.walk(case["sampler"], latent + noise * sigmas[0], sigmas, sources))]


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    other = FOLDER / "other.safetensors"
    modes.write_other(STARTER / "starter.safetensors", other)
    worlds = image_to_image.World(), image_to_image.World(read(str(other)), *modes.HIRES_PROMPTS)
    other.unlink()
    start = modes.start()
    for name, case in modes.CASES.items():
        made = {"loopback": lambda: loopback(worlds[0], case, start), "outpaint": lambda: outpainting(worlds[0], case, start),
                "only_masked": lambda: only_masked(worlds[0], case, start), "latent_upscale": lambda: latent_upscale(worlds[0], case, start),
                "hires": lambda: hires(worlds, case)}[case["mode"]]()
        for number, picture in enumerate(made):
            path = FOLDER / f"{name}-{number}.png"
            picture.save(path)
            print(path, picture.size, "deviation", round(float(numpy.asarray(picture, float).std()), 1))


if __name__ == "__main__":
    main()
