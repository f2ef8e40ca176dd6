#!/usr/bin/env python3
"""Makes the small pictures of this folder with Pillow: forms that our own encoders do not write. Each shows the same 19x13 pattern.

    ~/.cache/serigraph/venv-tests/bin/python tests/unit/picture/files/make_files.py
"""
import pathlib

from PIL import Image, PngImagePlugin

HERE = pathlib.Path(__file__).resolve().parent


def pattern():
    image = Image.new("RGB", (19, 13))
    image.putdata([(x * 13, y * 19, (x * y) % 256) for y in range(13) for x in range(19)])
    return image


def main():
    rgb = pattern()
    rgb.convert("P", palette=Image.Palette.WEB, dither=Image.Dither.NONE).save(HERE / "palette.png")
    rgb.convert("L").convert("1").save(HERE / "one-bit.png")
    rgb.convert("L").save(HERE / "grey.png")
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.convert("L"))
    alpha.save(HERE / "alpha.png")
    rgb.convert("LA").save(HERE / "grey-alpha.png")
    rgb.convert("L").convert("I;16").save(HERE / "sixteen-bits.png")
    rgb.convert("P").save(HERE / "transparent.png", transparency=3)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "caf\u00e9\nSteps: 20, Sampler: Euler a, CFG scale: 7.0")
    texts.add_text("packed", "x" * 5000, zip=True)
    texts.add_itxt("world", "\u661f \U0001F600", lang="zh", tkey="w")
    texts.add_itxt("world packed", "\u661f" * 1000, zip=True)
    rgb.save(HERE / "texts.png", pnginfo=texts)
    rgb.save(HERE / "rgb.jpg", quality=95, subsampling=0)
    rgb.save(HERE / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    rgb.convert("L").save(HERE / "grey.jpg", quality=95)
    rgb.convert("CMYK").save(HERE / "cmyk.jpg", quality=95, subsampling=0)
    rgb.save(HERE / "lossless.webp", lossless=True)
    alpha.save(HERE / "alpha.webp", lossless=True, exact=True)
    rgb.save(HERE / "lossy.webp", quality=95)
    rgb.save(HERE / "animated.webp", save_all=True, append_images=[rgb.rotate(180)], lossless=True)


if __name__ == "__main__":
    main()
