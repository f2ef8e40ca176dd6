"""Checkpoints that see more than the noisy picture, made of the starter model by a wider first layer: 9 channels (inpainting) and 8
(instruct-pix2pix), over HTTP and the engine that computes; and what a file with a tensor too many says."""
import base64
import pathlib
import subprocess
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "engine"),
                str(ROOT / "tests" / "integration" / "starter")]
import every_mode  # noqa: E402
import image_to_image as pictures  # noqa: E402
from companions import STARTER, read, write  # noqa: E402
from serigraphd import run_cases  # noqa: E402

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
PROMPT = {**every_mode.PROMPT, "steps": 5}
START = pictures.b64(pictures.start())
MASK = pictures.b64(pictures.mask((20, 24, 43, 47)))
TO_PICTURE = {"init_images": [START], "denoising_strength": 0.8}
TO_MASKED = {**TO_PICTURE, "mask": MASK, "mask_blur": 0, "inpaint_full_res": False, "inpainting_fill": 1}


def widened(path, channels, spread=0.0, more=(), moved=None):
    """The starter whose first layer reads `channels`; the new ones with random weights of this spread. The names of `more` are added; names that
    begin with the first of `moved` begin with the second."""
    metadata, header, body = read(STARTER)
    tensors = {name: (one["dtype"], one["shape"], body[slice(*one["data_offsets"])]) for name, one in header.items()}
    dtype, shape, data = tensors[FIRST]
    assert dtype == "F16" and shape[1] == 4
    held = numpy.frombuffer(data, numpy.float16).reshape(shape)
    added = numpy.random.default_rng(channels).normal(0, 1, (shape[0], channels - 4, *shape[2:])) * spread
    wide = numpy.concatenate([held, added.astype(numpy.float16)], 1)
    tensors[FIRST] = dtype, list(wide.shape), wide.tobytes()
    for name in more:
        tensors[name] = "F16", [2], b"\0" * 4
    if moved:
        metadata.pop("modelspec.architecture", None)
        tensors = {name.replace(*moved) if name.startswith(moved[0]) else name: tensor for name, tensor in tensors.items()}
    write(path, tensors, metadata)


class WideServer(pictures.RealServer):
    def __init__(self, **options):
        super().__init__(**options)
        folder = self.folder / "adapters"
        widened(folder / "nine-zero.safetensors", 9)
        widened(folder / "eight-zero.safetensors", 8)
        widened(folder / "nine.safetensors", 9, 0.05)
        widened(folder / "eight.safetensors", 8, 0.05)
        widened(folder / "surplus.safetensors", 4, more=["model.diffusion_model.surplus.weight"])
        widened(folder / "depth.safetensors", 5)
        widened(folder / "moved.safetensors", 4, moved=("cond_stage_model.transformer.", "conditioner.embedders.0.transformer."))


def draw(model, different_from=None, **fields):
    """Pixels of the picture, which is drawn again from nothing but its infotext and its start pictures, to the byte."""
    path = "/img2img" if "init_images" in fields else "/txt2img"
    file, = every_mode.draw(path, {**PROMPT, "stable_diffusion_model": model, **fields})
    said = server.post("/sdapi/v1/png-info", {"image": base64.b64encode(file).decode()}).json()
    assert f"Model: {model}," in said["info"] and not said["x_notes"], said
    inputs = {key: fields[key] for key in ("init_images", "mask") if key in fields}
    again, = every_mode.draw(path, {**said["x_fields"], "stable_diffusion_model": model, **inputs})
    made = every_mode.pixels(file)
    assert (made == every_mode.pixels(again)).all(), f"another picture from\n{said['info']}"
    assert made.std() > 5, "is one colour"
    for other in different_from or []:
        assert abs(made - other).max() > 2, (model, {key: fields[key] for key in fields if key not in inputs}, "changes nothing")
    return made


def test_weights_of_zero_change_nothing():
    for fields in ({}, {"sampler_name": "DDIM"}, TO_PICTURE, TO_MASKED):
        plain = draw("starter", **fields)
        for model in ("nine-zero", "eight-zero"):
            # A convolution over more channels may add up in another order.
            worst = abs(draw(model, **fields) - plain).max()
            print(f"    {model} {' '.join(fields)}: off by {worst}")
            assert worst <= 1, (model, fields.keys(), worst)


def test_inpainting_models():
    plain = draw("starter")
    alone = draw("nine", [plain])
    picture = draw("nine", [plain, alone], **TO_PICTURE)
    masked = draw("nine", [picture, draw("starter", **TO_MASKED)], **TO_MASKED)
    draw("nine", [masked], **TO_MASKED, inpainting_mask_weight=0.2)
    assert (draw("starter", **TO_MASKED, inpainting_mask_weight=0.2) == draw("starter", **TO_MASKED)).all()
    left = abs(masked - numpy.asarray(pictures.start(), int)).max(-1)
    left[24:48, 20:44] = 0
    assert left.max() == 0, "what the mask leaves is not the start"
    draw("nine", [masked], **{**TO_MASKED, "inpainting_fill": 2})
    draw("nine", [masked], **{**TO_MASKED, "sampler_name": "DDIM"})
    draw("nine", [masked], **{**TO_MASKED, "mask_blur": 3, "inpaint_full_res": True, "inpaint_full_res_padding": 8})
    hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": 0.6, "hr_second_pass_steps": 2}
    draw("nine", [], **hires)


def test_editing_models():
    plain = draw("starter")
    draw("eight", [draw("nine")])
    picture = draw("eight", [plain], **TO_PICTURE)
    guided = [draw("eight", [picture], **TO_PICTURE, image_cfg_scale=scale) for scale in (1.5, 3)]
    assert abs(guided[0] - guided[1]).max() > 2, "image_cfg_scale changes nothing"
    # 1 is the plain guidance, over the words alone; and to others than editing models it says nothing.
    assert (draw("eight", **TO_PICTURE, image_cfg_scale=1) == picture).all()
    assert (draw("nine", **TO_PICTURE, image_cfg_scale=3) == draw("nine", **TO_PICTURE)).all()


def test_the_list_tells_them_apart():
    models = {model["name"]: model for model in server.get("/models").json() if model["type"] == "stableDiffusion"}
    assert {name: models[name]["variant"] for name in ("starter", "nine", "eight")} == {"starter": "", "nine": "inpainting", "eight": "editing"}, models
    assert all(models[name]["family"] == "sd1" and models[name]["status"] in ("loaded", "unloaded") for name in ("starter", "nine", "eight")), models
    assert models["depth"]["status"] == "unusable" and "depth to image" in models["depth"]["reason"], models["depth"]
    refused = server.post("/txt2img", {**PROMPT, "stable_diffusion_model": "depth"})
    assert refused.status >= 400 and "depth to image" in refused.json()["message"], refused


def choose(model, family):
    """What only the owner may say: on the command line, while nothing serves."""
    server.stop()
    folders = [word for at, word in enumerate(server.command) if server.command[at - 1] == "--models"]
    subprocess.run([server.command[0], "models", "--data-dir", str(server.data_dir), *(f"--models={folder}" for folder in folders), "--choose", model,
                    "--family", family], check=True, stdout=subprocess.DEVNULL, timeout=120)
    server.start()


def test_the_user_says_what_a_model_is():
    body = {**PROMPT, "stable_diffusion_model": "moved"}
    failed = server.post("/txt2img", body, timeout=300).json()
    assert failed["status"] == "failed" and "half of a Stable Diffusion XL checkpoint" in str(failed), failed
    choose("moved", "sd1")
    assert (draw("moved") == draw("starter")).all()
    choose("moved", "sd2")
    failed = server.post("/txt2img", body, timeout=300).json()
    assert failed["status"] == "failed" and "was chosen to be sd2, but has no text encoder" in str(failed), failed


def test_surplus_tensors_are_said():
    body = {**PROMPT, "stable_diffusion_model": "surplus"}
    first, second = (server.post("/txt2img", body, timeout=300).json() for _ in range(2))
    assert first["status"] == second["status"] == "succeeded", (first, second)
    said = "surplus.safetensors: 1 tensors belong to no known network and were ignored: model.diffusion_model.surplus.weight"
    assert said in first["x_notes"], first
    assert said not in second.get("x_notes", []), "it was loaded twice"
    log = "\n".join(line["text"] if "text" in line else str(line) for line in server.get("/logs").json()["lines"])
    assert said in log and "surplus.safetensors: Stable Diffusion 1: " in log, log[-3000:]


if __name__ == "__main__":
    with WideServer(ready_s=120) as server:
        pictures.server = every_mode.server = server
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
