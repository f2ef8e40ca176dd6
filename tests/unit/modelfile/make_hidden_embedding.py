"""Makes files/hidden*.png: an embedding hidden in the low bits of two stripes beside a picture, as A1111 hides it, by numpy and zlib.
hidden.png: two vectors of 768 numbers, value (place % 32 - 16) / 8, as in embedding.png, without its text. The others are bad:
hidden_bomb (17 MiB when unpacked), hidden_wide and hidden_many (too long a side, too many pixels), hidden_cut (zlib's stream ends too soon), hidden_damaged (a wrong sum), hidden_no_json.

    ~/.cache/serigraph/venv-tests/bin/python tests/unit/modelfile/make_hidden_embedding.py
"""
import json
import pathlib
import zlib

import numpy
from PIL import Image

FILES = pathlib.Path(__file__).parent / "files"


def noise(count):
    """The low bits that each stripe is mixed with."""
    values, state = numpy.empty(count, numpy.uint8), 0
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = (state % 255) & 15
    return values


def stripe(nibbles, height, shade):
    width = -(-len(nibbles) // (height * 3))
    whole = numpy.resize(nibbles, height * width * 3)  # the rest repeats what came before
    return ((whole ^ noise(len(whole))) | shade).reshape(height, width, 3)


def hidden(packed, picture, frame=0):
    data = numpy.frombuffer(packed, numpy.uint8)
    height = picture.shape[0]
    line = numpy.zeros((height, 1, 3), numpy.uint8)
    whole = numpy.concatenate([stripe(data & 15, height, 0x40), line, picture, line, stripe(data >> 4, height, 0x90)], axis=1)
    return numpy.pad(whole, ((frame, frame), (frame, frame), (0, 0)))


def picture(height, width):
    down, across = numpy.mgrid[0:height, 0:width]
    return numpy.stack([down * 3 % 200 + 31, across * 5 % 190 + 33, (down + across) % 180 + 35], axis=2).astype(numpy.uint8) | 1


def save(name, pixels):
    Image.fromarray(pixels).save(FILES / name, optimize=True)


if __name__ == "__main__":
    vectors = [[(row * 768 + column) % 32 / 8 - 2 for column in range(768)] for row in range(2)]
    text = json.dumps({"string_to_token": {"*": 265}, "string_to_param": {"*": {"TORCHTENSOR": vectors}}, "name": "thing"}).encode()
    packed = zlib.compress(text, 9)
    save("hidden.png", hidden(packed, picture(24, 16), frame=2))
    save("hidden_bomb.png", hidden(zlib.compress(b"[" + b" " * (17 << 20), 9), picture(64, 8)))
    damaged = bytearray(packed)
    damaged[-1] ^= 1  # of the sum
    save("hidden_damaged.png", hidden(bytes(damaged), picture(24, 8)))
    # Whole rows of an endless stream: nothing may follow what would end it.
    endless = zlib.compress(numpy.random.default_rng(1).bytes(4000), 9)[:24 * 3 * 12]
    save("hidden_cut.png", hidden(endless, picture(24, 8)))
    Image.new("1", (20000, 1), 1).save(FILES / "hidden_wide.png")
    Image.new("1", (8200, 8200), 1).save(FILES / "hidden_many.png", optimize=True)
    save("hidden_no_json.png", hidden(zlib.compress(b"no json at all"), picture(4, 8)))
