"""Makes files/exif_*: pictures with EXIF blocks by Pillow, and what its ImageOps.exif_transpose makes of them.

    ~/.cache/serigraph/venv-tests/bin/python tests/unit/picture/make_exif.py
"""
import pathlib

from PIL import Image, ImageOps

FILES = pathlib.Path(__file__).resolve().parent / "files"
TEXT = "a red star \u661f \U0001f31f\nNegative prompt: blue\nSteps: 4, Sampler: Euler, Seed: 7, Size: 64x64, RNG: CPU, Version: v1.10.1"


def exif(orientation, comment=None):
    made = Image.Exif()
    made[0x0112] = orientation
    if comment:
        made.get_ifd(0x8769)[0x9286] = comment
    return made


picture = Image.new("RGB", (3, 2))
picture.putdata([(250, 0, 0), (0, 250, 0), (0, 0, 250), (10, 20, 30), (40, 50, 60), (70, 80, 90)])
for orientation in range(1, 9):
    path = FILES / f"exif_{orientation}.png"
    picture.save(path, exif=exif(orientation))
    ImageOps.exif_transpose(Image.open(path)).save(FILES / f"exif_{orientation}_upright.png", exif=b"")
unicode = b"UNICODE\0" + TEXT.encode("utf_16_be")
picture.resize((24, 16)).save(FILES / "exif_comment.jpg", exif=exif(6, unicode), quality=90)
picture.resize((24, 16)).save(FILES / "exif_comment.webp", exif=exif(1, b"UNICODE\0" + TEXT.encode("utf_16_le")), lossless=True)
picture.resize((24, 16)).save(FILES / "exif_ascii.jpg", exif=exif(1, b"ASCII\0\0\0plain text"), quality=90)
