"""The starter model through every mode, over HTTP and the engine that computes: each picture is drawn a second time from
nothing but what POST /sdapi/v1/png-info reads in the first one's file (and its start pictures), and is the same."""
import base64
import io
import pathlib
import shutil
import sys
import urllib.parse

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "engine"),
                str(ROOT / "tests" / "integration" / "starter")]
import image_to_image as pictures  # noqa: E402
from companions import STARTER, read, write  # noqa: E402
from serigraphd import run_cases  # noqa: E402

PROMPT = {"stable_diffusion_model": "starter", "prompt": "a red star on a blue background", "cfg_scale": 5, "seed": 4, "steps": 4, "width": 64,
          "height": 64, "sampler_name": "Euler"}
START = pictures.b64(pictures.start())
MASK = pictures.b64(pictures.mask((20, 24, 43, 47)))


def draw(path, body):
    """The files of the task's pictures."""
    answer = server.post(path, body, timeout=300)
    assert answer.status == 200, (answer, body)
    task = answer.json()
    assert task["status"] == "succeeded", (task, {key: body[key] for key in body if key not in ("init_images", "mask")})
    files = []
    for url in task["ossUrl"]:
        parts = urllib.parse.urlsplit(url)
        file = server.get(f"{parts.path}?{parts.query}")
        assert file.status == 200, file
        files.append(file.body)
    return files


def pixels(file):
    return numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB"), int)


def check(name, path, fields, different_from=None, chained=False):
    """Draws, draws again from the infotext, compares. `chained`: each picture begins with the one before it. Returns the files."""
    body = {**PROMPT, **fields}
    inputs = {key: body[key] for key in ("init_images", "mask", "latent_mask") if key in body}
    files = draw(path, body)
    for number, file in enumerate(files):
        info = server.post("/sdapi/v1/png-info", {"image": base64.b64encode(file).decode()})
        assert info.status == 200, info
        said = info.json()
        assert said["info"] and not said["x_notes"], (name, said)
        assert len(said["parameters"]["Model hash"]) == 10, said["info"]
        if "init_images" in inputs:
            inputs["init_images"] = [body["init_images"][number % len(body["init_images"])]]
            if chained and number:
                inputs["init_images"] = [base64.b64encode(files[number - 1]).decode()]
        again = draw(path, {"stable_diffusion_model": "starter", **said["x_fields"], **inputs})
        assert len(again) == 1, (name, len(again))
        first, second = pixels(file), pixels(again[0])
        assert first.shape == second.shape, (name, first.shape, second.shape, said["info"])
        # A batch adds up in another order than its pictures alone.
        allowed = 1 if body.get("batch_size", 1) > 1 or len(body.get("init_images", [])) > 1 else 0
        worst = abs(first - second).max()
        assert worst <= allowed, f"{name}: picture {number} comes out different by {worst}\n{said['info']}"
        assert first.std() > 5, (name, "is one colour")
    if different_from is not None:
        assert (pixels(files[0]).shape != pixels(different_from).shape or abs(pixels(files[0]) - pixels(different_from)).max() > 2), \
            f"{name} changes nothing"
    return files


def text(name, different_from=None, **fields):
    return check(name, "/txt2img", fields, different_from)


def image(name, different_from=None, chained=False, **fields):
    return check(name, "/img2img", {"init_images": [START], "denoising_strength": 0.7, **fields}, different_from, chained)


def names(path):
    answer = server.get(f"/sdapi/v1/{path}")
    return [one.get("label", one["name"]) for one in answer.json()]


def test_samplers_and_schedules():
    samplers = names("samplers")
    assert len(samplers) == 25, samplers
    for sampler in samplers:
        text(sampler, sampler_name=sampler)
    for schedule in names("schedulers"):
        text(schedule, sampler_name="DPM++ 2M", scheduler=schedule)
    plain = text("plain")[0]
    text("eta", plain, sampler_name="DDIM", eta=0.6)
    text("churn", plain, sampler_name="Heun", s_churn=8, s_noise=1.01, s_tmin=0.1)
    text("schedule numbers", plain, sampler_name="Euler", scheduler="Karras", sigma_min=0.05, sigma_max=12, rho=5)
    text("discard", plain, always_discard_next_to_last_sigma=True)
    assert text("SGM noise", sgm_noise_multiplier=True)[0] != plain  # a thousandth more noise
    default = text("UniPC", sampler_name="UniPC")[0]
    for fields in ({"uni_pc_order": 1}, {"uni_pc_variant": "bh2"}, {"uni_pc_variant": "vary_coeff"}, {"uni_pc_skip_type": "time_quadratic"},
                   {"uni_pc_skip_type": "logSNR"}, {"uni_pc_lower_order_final": False}):
        text(f"UniPC {fields}", default, sampler_name="UniPC", **fields)
    assert pixels(text("alias", sampler_name="unipc")[0]).tolist() == pixels(default).tolist(), "an alias is another sampler"


def test_noise():
    plain = text("plain")[0]
    text("NV", plain, randn_source="NV")
    text("variation", plain, subseed=9, subseed_strength=0.4)
    text("ENSD", plain, sampler_name="Euler a", eta_noise_seed_delta=31337)
    text("seed resize", plain, seed_resize_from_w=96, seed_resize_from_h=64)
    assert len(text("batches", None, batch_size=2, n_iter=2)) == 4


def test_prompts():
    plain = text("plain")[0]
    for prompt in ("a (red:1.4) star on a [blue] background", "a [red:green:2] star", "a [red|green] star", "a red star AND a blue ring :0.6",
                   "a red star BREAK on a blue background", "a {red|green} __shape__ on a {white|black} background",
                   "a bent-word star", "a red star <lora:bent:0.8>", "a red star <lora:twisted:1.2>"):
        text(prompt, plain, prompt=prompt)
    text("negative", plain, negative_prompt="green, (dark:1.3)")
    weights = text("weights", prompt="a (red:1.6) star")[0]
    for mode in ("No norm", "None", "Ignore"):
        text(f"emphasis {mode}", weights, prompt="a (red:1.6) star", emphasis=mode)
    # A style is written out: the picture is that of the whole prompt.
    styled = text("styles", plain, prompt="red star", styles="sea")[0]
    written = text("what the style says", prompt="a big red star, blue", negative_prompt="green")[0]
    assert pixels(styled).tolist() == pixels(written).tolist(), "a style is not what it says"
    text("clip skip", plain, clip_skip=2)
    text("long negative", None, negative_prompt="a, " * 60, pad_cond_uncond=True)


def test_guidance():
    plain = text("plain")[0]
    text("CFG 1", plain, cfg_scale=1)
    text("rescale", plain, cfg_rescale=0.7)
    text("interval", plain, cfg_start=0.2, cfg_end=0.8)
    text("skip early", plain, skip_early_cond=0.5)
    text("NGMS", plain, s_min_uncond=2.0)


def test_coding():
    plain = text("plain", width=192)[0]
    both = text("seamless", plain, width=192, tiling=True)[0]
    text("seamless across", both, width=192, tiling=True, tiling_axis="Across")
    text("tiles", plain, width=192, vae_tiling="On", vae_tile_size=128)
    text("tiny autoencoder", plain, width=192, sd_vae="taesd", show_progress_type="TAESD")
    image("seamless start", image("start", width=128)[0], width=128, tiling=True, tiling_axis="Down")


def test_hires_fix_and_refiner():
    plain = text("plain")[0]
    hires = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.6}
    for upscaler in names("latent-upscale-modes") + names("upscalers"):
        text(upscaler, plain, **hires, hr_upscaler=upscaler, hr_second_pass_steps=2)
    for upscaler in ("Latent", "Lanczos"):
        odd = text(f"{upscaler} to no multiple of 8", plain, **hires, hr_upscaler=upscaler, hr_second_pass_steps=2, hr_resize_x=100, hr_resize_y=76)[0]
        assert pixels(odd).shape == (72, 96, 3), pixels(odd).shape
    text("hires of its own", plain, **hires, hr_upscaler="Latent", hr_sampler_name="DDIM", hr_prompt="a green ring", hr_negative_prompt="red",
         hr_checkpoint_name="other")
    text("refiner", plain, refiner_checkpoint="other", refiner_switch_at=0.5)
    both = text("hires alone", plain, **hires, hr_upscaler="Latent")[0]
    text("hires and refiner", both, **hires, hr_upscaler="Latent", refiner_checkpoint="other", refiner_switch_at=0.3)


def test_image_to_image():
    plain = image("image to image")[0]
    for mode in range(1, 4):
        image(f"resize mode {mode}", plain, resize_mode=mode, width=96)
    image("strength", plain, denoising_strength=0.3)
    image("noise multiplier", plain, initial_noise_multiplier=0.8)
    image("extra noise", plain, img2img_extra_noise=0.2)
    image("exact steps", plain, img2img_fix_steps=True)
    image("colour correction", plain, img2img_color_correction=True)
    image("alternative noise", plain, alternative_noise=True, decode_prompt="a star", decode_steps=5, decode_cfg_scale=1.5, decode_randomness=0.2,
          decode_sigma_adjustment=True)
    grown = image("outpainting", plain, outpaint_left=16, outpaint_down=32, mask_blur=3, inpainting_fill=2)[0]
    image("soft outpainting", grown, outpaint_left=16, outpaint_down=32, mask_blur=3, inpainting_fill=2, soft_inpainting=True)
    assert len(image("two starts", None, init_images=[START, pictures.b64(pictures.start().rotate(90))])) == 2


def test_loopback():
    loops = image("loopback", chained=True, loopback_loops=3, loopback_final_strength=0.4, loopback_curve="Aggressive")
    assert len(loops) == 3 and pixels(loops[0]).tolist() != pixels(loops[2]).tolist()


def test_lists_of_files():
    """What A1111's clients are told of the files beside the checkpoint; each is named in a prompt or field above."""
    adapters = server.folder / "adapters"
    loras = {one["name"]: one for one in server.get("/sdapi/v1/loras").json()}
    assert sorted(loras) == ["bent", "crooked"], loras
    assert loras["bent"] == {"name": "bent", "alias": "bent", "path": str(adapters / "bent.safetensors"), "metadata": {}}, loras["bent"]
    assert (loras["crooked"]["alias"], loras["crooked"]["path"]) == ("twisted", str(adapters / "crooked.safetensors")), loras["crooked"]
    assert loras["crooked"]["metadata"] == {"ss_output_name": "twisted"}, loras["crooked"]
    embeddings = server.get("/sdapi/v1/embeddings").json()
    assert embeddings["skipped"] == {} and sorted(embeddings["loaded"]) == ["bent-word"], embeddings
    assert embeddings["loaded"]["bent-word"] == {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 64, "vectors": 2}
    assert server.get("/sdapi/v1/sd-vae").json() == [{"model_name": "taesd.safetensors", "filename": str(adapters / "taesd.safetensors")}]


def test_inpainting():
    masked = {"mask": MASK, "mask_blur": 2, "inpaint_full_res": False}
    plain = image("inpainting", **masked, inpainting_fill=1)[0]
    for fill in (0, 2, 3):
        image(f"fill {fill}", plain, **masked, inpainting_fill=fill)
    image("inverted", plain, **masked, inpainting_fill=1, inpainting_mask_invert=1)
    image("only masked", plain, mask=MASK, mask_blur=2, inpaint_full_res=True, inpaint_full_res_padding=8, inpainting_fill=1)
    image("soft latents", plain, **masked, inpainting_fill=1, mask_round=False)
    image("soft inpainting", plain, **masked, inpainting_fill=1, soft_inpainting=True, soft_schedule_bias=0.8, soft_preservation_strength=0.7,
          soft_contrast_boost=3, soft_mask_influence=0.2, soft_difference_threshold=1, soft_difference_contrast=3)
    image("latent mask", plain, **masked, inpainting_fill=1, latent_mask=pictures.b64(pictures.mask((20, 24, 31, 47))))
    image("blur across", plain, mask=MASK, mask_blur_x=6, mask_blur_y=1, inpaint_full_res=False, inpainting_fill=1)


def other_checkpoint(path):
    """The starter with one layer turned round."""
    metadata, header, body = read(STARTER)
    tensors = {name: (one["dtype"], one["shape"], body[slice(*one["data_offsets"])]) for name, one in header.items()}
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    dtype, shape, data = tensors[name]
    tensors[name] = dtype, shape, numpy.frombuffer(data, numpy.uint16)[::-1].tobytes()
    write(path, tensors, metadata)


class EveryServer(pictures.RealServer):
    """With a second checkpoint, an embedding, a LoRA that has another name inside, and a style as well."""

    def __init__(self, **options):
        super().__init__(**options)
        other_checkpoint(self.folder / "adapters" / "other.safetensors")
        shutil.copy(ROOT / "tests/parity/networks/taesd.safetensors", self.folder / "adapters" / "taesd.safetensors")
        vector = numpy.random.default_rng(3).normal(0, 0.4, (2, 64)).astype("<f4")
        write(self.folder / "adapters" / "bent-word.safetensors", {"emb_params": ("F32", vector.shape, vector.tobytes())})
        _, header, body = read(self.folder / "adapters" / "bent.safetensors")
        write(self.folder / "adapters" / "crooked.safetensors",
              {name: (one["dtype"], one["shape"], body[slice(*one["data_offsets"])]) for name, one in header.items()}, {"ss_output_name": "twisted"})
        (self.data_dir / "styles.csv").write_text('name,prompt,negative_prompt\nsea,"a big {prompt}, blue",green\n')


if __name__ == "__main__":
    with EveryServer(ready_s=120) as server:
        pictures.server = server
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
