"""Loopback, outpainting, "only masked", latent upscale and hires fix with a checkpoint of its own, through `serigraphd generate`, against what diffusers' networks, k-diffusion
and Pillow make of them under A1111's rules (make_modes.py made the pictures; run it again when the starter changes)."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from serigraphd import BIN, run_cases  # noqa: E402

STARTER = ROOT / "resources" / "starter" / "starter.safetensors"
FOLDER = pathlib.Path(__file__).resolve().parent
TOLERANCE = 2  # of 255
PROMPTS = "a red star", "blue"
HIRES_PROMPTS = "a blue circle", "red"
# All with CFG 5 and a start of 64 x 64.
CASES = {
    "loopback": dict(mode="loopback", sampler="Euler", steps=6, seed=31, loops=3, strength=0.7, final_strength=0.4, curve="Lazy"),
    "loopback_coloured": dict(mode="loopback", sampler="Euler a", steps=6, seed=36, loops=2, strength=0.6, final_strength=0.6, curve="Linear", colours=True),
    "loopback_masked": dict(mode="loopback", sampler="DPM++ 2M", steps=6, seed=32, loops=2, strength=0.8, final_strength=0.5, curve="Aggressive", mask=True),
    "outpaint": dict(mode="outpaint", sampler="Euler", steps=6, seed=33, strength=0.9, left=16, right=24, up=8, down=0, blur=8),
    "only_masked": dict(mode="only_masked", sampler="Euler", steps=6, seed=37, strength=0.8, padding=8),
    "latent_upscale": dict(mode="latent_upscale", sampler="DPM++ 2M", steps=6, seed=38, strength=0.7, width=96, height=80),
    "hires_latent": dict(mode="hires", sampler="Euler", steps=4, seed=34, upscaler="Latent (antialiased)", second=3, strength=0.7),
    "hires_picture": dict(mode="hires", sampler="Euler", steps=4, seed=35, upscaler="Lanczos", second=3, strength=0.7),
}
# What sets the other checkpoint apart: tensors of each of its networks, with their factors.
CHANGED = {
    "model.diffusion_model.out.2.weight": 0.9,
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": 1.25,
    "first_stage_model.quant_conv.weight": 0.9,
    "first_stage_model.post_quant_conv.weight": 1.125,
}


def start():
    y, x = numpy.mgrid[:64, :64]
    disc = (x - 40) ** 2 + (y - 24) ** 2 < 300
    return Image.fromarray(numpy.stack([x * 4, y * 4, numpy.where(disc, 230, 40)], -1).astype("uint8"))


def mask():
    """White from the fourth place of the latents to the seventh, so that nothing is half."""
    made = Image.new("L", (64, 64), 0)
    made.paste(255, (24, 16, 56, 48))
    return made


def write_other(source, target):
    """The checkpoint with CHANGED: not another tensor differs."""
    data = bytearray(pathlib.Path(source).read_bytes())
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    for name, factor in CHANGED.items():
        first, last = (8 + length + offset for offset in header[name]["data_offsets"])
        assert header[name]["dtype"] == "F16", header[name]
        data[first:last] = (numpy.frombuffer(data[first:last], numpy.float16) * numpy.float16(factor)).tobytes()
    pathlib.Path(target).write_bytes(data)


def draw(case, *options):
    """The pictures that `serigraphd generate` makes, in their order."""
    with tempfile.TemporaryDirectory(prefix="serigraph-modes-") as name:
        folder = pathlib.Path(name)
        start().save(folder / "start.png")
        mask().save(folder / "mask.png")
        write_other(STARTER, folder / "other.safetensors")
        command = [BIN / "serigraphd", "generate", "--data-dir", folder / "data", "--models", STARTER, "--models", folder / "other.safetensors",
                   "--model", "starter", "--prompt", PROMPTS[0], "--negative", PROMPTS[1], "--cfg", "5", "--sampler", case["sampler"],
                   "--steps", case["steps"], "--seed", case["seed"], "--strength", case["strength"], *options, "-o", "{n}.png"]
        done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return [Image.open(folder / line).convert("RGB").copy() for line in done.stdout.split("\n") if line]


def compare(name, pictures, tolerance):
    expected = sorted(FOLDER.glob(f"{name}-*.png"))
    assert expected and len(expected) == len(pictures), (name, expected, pictures)
    for path, made in zip(expected, pictures):
        wanted = Image.open(path)
        assert made.size == wanted.size, (path, made.size, wanted.size)
        worst = int(numpy.abs(numpy.asarray(made, int) - numpy.asarray(wanted, int)).max())
        print(f"{path.stem}: off by {worst}")
        assert worst <= tolerance, (path, worst)


def draw_loops(name):
    case = CASES[name]
    options = ["--init", "start.png", "--width", 64, "--height", 64]
    if case.get("mask"):
        options += ["--mask", "mask.png", "--mask-blur", 0, "--fill", "latent nothing", "--whole-picture"]
    if case.get("colours"):
        options += ["--colour-correction"]
    for field, value in (("loops", case["loops"]), ("final_strength", case["final_strength"]), ("curve", case["curve"])):
        options += ["--set", f"loopback_{field}={value}"]
    compare(name, draw(case, *options), TOLERANCE)


def test_loopback():
    draw_loops("loopback")


def test_loopback_with_the_colours_of_its_start():
    draw_loops("loopback_coloured")


def test_loopback_with_a_mask():
    draw_loops("loopback_masked")


def test_outpainting():
    case = CASES["outpaint"]
    sides = [word for side in ("left", "right", "up", "down") for word in ("--set", f"outpaint_{side}={case[side]}")]
    compare("outpaint", draw(case, "--init", "start.png", *sides, "--mask-blur", case["blur"], "--fill", "fill"), TOLERANCE)


def test_only_masked():
    case = CASES["only_masked"]
    compare("only_masked", draw(case, "--init", "start.png", "--mask", "mask.png", "--mask-blur", 0, "--fill", "original", "--only-masked",
                                "--padding", case["padding"], "--width", 64, "--height", 64), TOLERANCE)


def test_latent_upscale():
    case = CASES["latent_upscale"]
    compare("latent_upscale", draw(case, "--init", "start.png", "--resize-mode", 3, "--width", case["width"], "--height", case["height"]), TOLERANCE)


def draw_hires(name):
    case = CASES[name]
    compare(name, draw(case, "--width", 64, "--height", 64, "--hires", "--hires-scale", "1.5", "--hires-upscaler", case["upscaler"], "--hires-steps",
                       case["second"], "--hires-checkpoint", "other", "--hires-prompt", HIRES_PROMPTS[0], "--set", f"hr_negative_prompt={HIRES_PROMPTS[1]}"),
            TOLERANCE)


def test_hires_fix_by_another_checkpoint():
    draw_hires("hires_latent")


def test_hires_fix_by_another_checkpoint_through_a_picture():
    draw_hires("hires_picture")


if __name__ == "__main__":
    run_cases([case for name, case in list(globals().items()) if name.startswith("test_")])
