"""Makes tests/parity/imaging/change_mask.safetensors: the masks that soft inpainting makes of how far latents have moved.

The rule is A1111's, written here in another form: a weighted mean between two shares of the sorted neighbourhood is the difference of the integral
of its quantile function at both ends. Run with any Python that has numpy (the file is written without a library).
"""
import json
import pathlib
import struct

import numpy

PATH = pathlib.Path(__file__).resolve().parent / "imaging/change_mask.safetensors"
CASES = {"defaults": (0.5, 0.0, 0.5, 2.0), "masked": (0.5, 1.0, 0.5, 2.0), "between": (1.5, 0.4, 2.0, 5.0), "narrow": (0.25, 0.2, 0.25, 0.5)}


def weights():
    y, x = numpy.mgrid[-2:3, -2:3]
    bell, floor = numpy.exp(-(x ** 2 + y ** 2) / 2.25), numpy.exp(-9 / 2.25)
    return numpy.clip((bell - floor) / (1 - floor), 0, None)


def middle(values, weight, low, high):
    order = numpy.argsort(values, kind="stable")
    values, weight = values[order].astype(float), weight[order]
    ends = numpy.concatenate([[0], numpy.cumsum(weight)])
    integral = numpy.concatenate([[0], numpy.cumsum(values * weight)])
    total = ends[-1]
    begin, end = total * low, total * high
    if end - begin < 1:
        begin = (begin + end - 1) / 2
        begin = max(min(begin, total - 1), 0)
        end = begin + 1
    return (numpy.interp(end, ends, integral) - numpy.interp(begin, ends, integral)) / (min(end, total) - begin)


def smoothed(plane, low, high):
    kernel, out = weights(), numpy.empty_like(plane)
    for y, x in numpy.ndindex(plane.shape):
        rows, columns = slice(max(y - 2, 0), y + 3), slice(max(x - 2, 0), x + 3)
        part = plane[rows, columns]
        top, left = max(2 - y, 0), max(2 - x, 0)
        out[y, x] = middle(part.ravel(), kernel[top:top + part.shape[0], left:left + part.shape[1]].ravel(), low, high)
    return out


def mask_of(moved, mask, strength, influence, threshold, contrast):
    plane = smoothed(smoothed(moved, 0.9, 1.0), 0.25, 0.75).astype(float)
    scale = (1 - influence) / 2 + influence * (1 - (mask / 255.0) ** (strength / 2))
    scale = scale / (1.00001 - scale)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        kept = 1 / (1 + (plane / (threshold * scale)) ** contrast)
        shown = 255 * (1 - kept ** 3 * (kept * (6 * kept - 15) + 10))
    return numpy.nan_to_num(numpy.floor(shown), nan=0).clip(0, 255).astype(numpy.uint8)


def main():
    random = numpy.random.default_rng(17)
    moved = (random.gamma(0.7, 1.2, (9, 12)) * (random.random((9, 12)) < 0.7)).astype(numpy.float32)
    moved[:3, :4] = 0
    mask = random.integers(0, 256, (9, 12)).astype(numpy.uint8)
    mask[:2], mask[-2:] = 0, 255
    out = {"moved": moved, "mask": mask[..., None]}
    for name, numbers in CASES.items():
        out[name] = mask_of(moved, mask, *numbers)[..., None]
        out[name + "_numbers"] = numpy.array(numbers, numpy.float32)
    header, data = {"__metadata__": {"origin": "tests/parity/make_change_mask.py, numpy " + numpy.__version__}}, b""
    for name, array in out.items():
        kind = {"float32": "F32", "uint8": "U8"}[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    PATH.write_bytes(struct.pack("<Q", len(text)) + text + data)
    print(PATH, PATH.stat().st_size, "bytes", {name: int(out[name].mean()) for name in CASES})


main()
