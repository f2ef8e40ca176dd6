"""Image-to-image, inpainting and hires fix with the starter model, over HTTP and through the engine that computes; with
LCM, wildcards and a LoRA too."""
import base64
import io
import json
import pathlib
import sys

import numpy
from PIL import Image, ImageDraw

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "engine")]
from companions import TO_K, lora, write  # noqa: E402
from serigraphd import BIN, Server, decode_image, run_cases  # noqa: E402

PROMPT = {"prompt": "a red star on a blue background", "cfg_scale": 5, "seed": 4, "steps": 6, "width": 64, "height": 64, "sampler_name": "Euler"}


class RealServer(Server):
    """The same with the engine that computes and the starter model."""

    def __init__(self, **options):
        super().__init__(**options)
        (self.folder / "adapters").mkdir()
        lora(self.folder / "adapters" / "bent.safetensors", {TO_K: (128, 64)})
        save(self.folder / "adapters" / "2x-Double.safetensors", doubling())
        save(self.folder / "adapters" / "RealESRGAN_x2plus.safetensors", doubling())
        save(self.folder / "adapters" / "4x-Swin.safetensors", {"layers.0.residual_group.blocks.0.norm1.weight": numpy.zeros(4, "float32")})
        (self.data_dir / "wildcards").mkdir(parents=True)
        (self.data_dir / "wildcards" / "shape.txt").write_text("star\nring\nsquare\ncross\n")
        self.command = [str(BIN / "serigraphd"), "serve", "--data-dir", str(self.data_dir), "--port", "0",
                        "--models", str(ROOT / "resources" / "starter"),
                        "--models", str(self.folder / "adapters"), "--engine-arg=--threads", "--engine-arg=1"]


def b64(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def post(path, **body):
    reply = server.post(f"/sdapi/v1/{path}", {**PROMPT, **body}, timeout=300)
    assert reply.status == 200, reply
    answer = reply.json()
    return [Image.open(io.BytesIO(decode_image(image))) for image in answer["images"]], json.loads(answer["info"])


def difference(a, b):
    return numpy.abs(numpy.asarray(a, int) - numpy.asarray(b, int))


def start(size=(64, 64)):
    """Slopes and noise, so that no pixel comes right by chance."""
    noise = numpy.random.default_rng(5).integers(0, 60, (size[1], size[0], 3))
    y, x = numpy.mgrid[:size[1], :size[0]]
    return Image.fromarray((numpy.stack([x * 2, y * 2, x + y], -1) % 196 + noise).astype("uint8"))


def mask(box, size=(64, 64)):
    image = Image.new("L", size)
    ImageDraw.Draw(image).rectangle(box, fill=255)
    return image


def test_strength_moves_away_from_the_picture():
    near = {s: post("img2img", init_images=[b64(start())], denoising_strength=s)[0][0] for s in (0, 0.3, 0.9)}
    distances = [difference(near[s], start()).mean() for s in (0, 0.3, 0.9)]
    assert distances[0] < distances[1] < distances[2], distances
    again = post("img2img", init_images=[b64(start())], denoising_strength=0.3)[0][0]
    assert again.tobytes() == near[0.3].tobytes(), "the same request drew another picture"


def test_the_unmasked_part_stays_to_the_byte():
    for more in ({"inpaint_full_res": False}, {"inpaint_full_res": True, "inpaint_full_res_padding": 8}, {"inpainting_fill": 2},
                 {"img2img_color_correction": True, "inpaint_full_res": False}):
        for blur in (0, 2):
            pictures, info = post("img2img", init_images=[b64(start())], mask=b64(mask((20, 24, 43, 47))), denoising_strength=0.9,
                                  mask_blur=blur, **more)
            away = difference(pictures[0], start()).max(-1)
            rim = blur * 3 + 1
            inside = numpy.zeros((64, 64), bool)
            inside[24 - rim:48 + rim, 20 - rim:44 + rim] = True
            assert away[~inside].max() == 0, (more, blur, away[~inside].max())
            assert away[28:44, 24:40].mean() > 5, (more, blur)
            assert f"Mask blur: {blur}" in info["infotexts"][0], info["infotexts"]


def test_inverted_and_empty_masks():
    pictures, _ = post("img2img", init_images=[b64(start())], mask=b64(mask((20, 24, 43, 47))), inpainting_mask_invert=1, mask_blur=0,
                       inpaint_full_res=False, denoising_strength=0.9)
    away = difference(pictures[0], start()).max(-1)
    assert away[24:48, 20:44].max() == 0 and away[:20].mean() > 5
    plain, _ = post("img2img", init_images=[b64(start())], denoising_strength=0.5)
    empty, _ = post("img2img", init_images=[b64(start())], denoising_strength=0.5, mask=b64(Image.new("L", (64, 64))), inpainting_fill=1)
    assert plain[0].tobytes() == empty[0].tobytes(), "an empty mask is no mask"


def test_only_masked_keeps_the_size_of_the_picture():
    large = start((200, 136))
    pictures, _ = post("img2img", init_images=[b64(large)], mask=b64(mask((90, 40, 120, 80), large.size)), mask_blur=0, denoising_strength=0.8,
                       inpaint_full_res=True, inpaint_full_res_padding=16)
    assert pictures[0].size == (200, 136)
    away = difference(pictures[0], large).max(-1)
    away[40:81, 90:121] = 0
    assert away.max() == 0


def test_shapes_and_transparency():
    for resize_mode in range(4):
        pictures, _ = post("img2img", init_images=[b64(start((96, 48)))], resize_mode=resize_mode, denoising_strength=0.2, steps=3)
        assert pictures[0].size == (64, 64), resize_mode
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    white, _ = post("img2img", init_images=[b64(Image.new("RGB", (64, 64), "white"))], denoising_strength=0.2, steps=3)
    flattened, _ = post("img2img", init_images=[b64(clear)], denoising_strength=0.2, steps=3)
    assert white[0].tobytes() == flattened[0].tobytes()


def test_batches():
    both, info = post("img2img", init_images=[b64(start()), b64(start().rotate(90))], denoising_strength=0.4, n_iter=2)
    assert len(both) == 4 and info["all_seeds"] == [4, 5, 6, 7]
    alone, _ = post("img2img", init_images=[b64(start().rotate(90))], denoising_strength=0.4, seed=7)
    # Mathematically the same picture; a batch of two adds up in another order.
    assert difference(both[3], alone[0]).max() <= 1


def test_hires_fix():
    for upscaler, size in (("Latent", (96, 96)), ("Lanczos", (96, 96)), ("Latent (nearest-exact)", (96, 96))):
        pictures, info = post("txt2img", enable_hr=True, hr_scale=1.5, hr_upscaler=upscaler, denoising_strength=0.6, hr_second_pass_steps=3)
        assert pictures[0].size == size, (upscaler, pictures[0].size)
        assert f"Hires upscaler: {upscaler}" in info["infotexts"][0] and "Hires steps: 3" in info["infotexts"][0], info
    cut, _ = post("txt2img", enable_hr=True, hr_resize_x=96, hr_resize_y=64, hr_sampler_name="DDIM", hr_upscaler="None", denoising_strength=0.5)
    assert cut[0].size == (96, 64)
    small, _ = post("txt2img")
    kept, _ = post("txt2img", enable_hr=True, hr_scale=1.5, hr_upscaler="Lanczos", denoising_strength=0)
    lanczos = small[0].resize((96, 96), Image.LANCZOS)
    # Through the autoencoder and back, so near, not equal.
    assert difference(kept[0], lanczos).mean() < 12, difference(kept[0], lanczos).mean()


def doubling():
    """A compact upscaler that repeats pixels and makes blue, which comes first, darker."""
    tensors = {f"body.{i}.weight": numpy.zeros((out, ins, 3, 3), "float32") for i, out, ins in ((0, 4, 3), (2, 4, 4), (4, 12, 4))}
    tensors |= {f"body.{i}.bias": numpy.zeros(out, "float32") for i, out in ((0, 4), (2, 4), (4, 12))}
    tensors |= {f"body.{i}.weight": numpy.ones(4, "float32") for i in (1, 3)}
    tensors["body.4.bias"][:4] = -100 / 255
    return tensors


def save(path, tensors):
    write(path, {name: ("F32", list(value.shape), value.tobytes()) for name, value in tensors.items()})


def test_hires_fix_with_an_upscaler():
    listed = {one["name"]: one for one in server.get("/sdapi/v1/upscalers").json()}
    assert listed["2x-Double"]["scale"] == 2 and listed["2x-Double"]["model_path"].endswith("2x-Double.safetensors"), listed
    assert "4x-Swin" not in listed, listed
    real = server.get("/sdapi/v1/realesrgan-models").json()
    assert [(one["name"], one["scale"]) for one in real] == [("RealESRGAN_x2plus", 2)] and real[0]["path"].endswith("RealESRGAN_x2plus.safetensors"), real
    hires = dict(enable_hr=True, hr_scale=2, hr_second_pass_steps=3)
    first = server.post("/sdapi/v1/txt2img", {**PROMPT, **hires, "denoising_strength": 0.5, "hr_upscaler": "2x-Double"}, timeout=300)
    assert first.status == 200, first
    file = first.json()["images"][0]
    picture = Image.open(io.BytesIO(decode_image(file)))
    assert picture.size == (128, 128) and "Hires upscaler: 2x-Double" in picture.text["parameters"], picture.text
    body = server.post("/sdapi/v1/png-info", {"image": file}).json()["x_fields"]
    assert body["hr_upscaler"] == "2x-Double", body
    repeated = server.post("/sdapi/v1/txt2img", body, timeout=300)
    assert repeated.status == 200, repeated
    same = Image.open(io.BytesIO(decode_image(repeated.json()["images"][0])))
    assert same.tobytes() == picture.tobytes()
    nearest, _ = post("txt2img", **hires, denoising_strength=0.5, hr_upscaler="Nearest")
    assert nearest[0].tobytes() != picture.tobytes()
    # Not drawn on: what was enlarged, through the autoencoder and back.
    kept, _ = post("txt2img", **hires, denoising_strength=0, hr_upscaler="2x-Double")
    plain, _ = post("txt2img", **hires, denoising_strength=0, hr_upscaler="Nearest")
    less = (numpy.asarray(plain[0], int) - numpy.asarray(kept[0], int)).mean((0, 1))
    assert less[2] > 20 and less[2] > 1.5 * max(abs(less[0]), abs(less[1])), less
    release, info = post("txt2img", **hires, denoising_strength=0.5, hr_upscaler="R-ESRGAN 2x+")
    assert release[0].tobytes() == picture.tobytes() and "Hires upscaler: RealESRGAN_x2plus" in info["infotexts"][0], info
    unknown = server.post("/sdapi/v1/txt2img", {**PROMPT, **hires, "hr_upscaler": "4x-Gone"})
    assert unknown.status == 422 and "hr_upscaler" in unknown.body.decode(), unknown
    other = server.post("/sdapi/v1/txt2img", {**PROMPT, **hires, "hr_upscaler": "4x-Swin"})
    assert other.status != 200 and "this upscaler is SwinIR" in other.body.decode(), other


def test_start_pictures_with_an_upscaler():
    drawn = post("txt2img")[0][0]  # what the autoencoder knows
    small = drawn.resize((32, 32))
    request = dict(init_images=[b64(small)], denoising_strength=0, steps=2)
    plain, info = post("img2img", **request, override_settings={"upscaler_for_img2img": "Nearest"})
    assert "Upscaler for img2img: Nearest" in info["infotexts"][0], info
    lanczos, info = post("img2img", **request)
    assert "Upscaler" not in info["infotexts"][0] and lanczos[0].tobytes() != plain[0].tobytes(), info

    def bluer(large, small):
        less = (numpy.asarray(small, int) - numpy.asarray(large, int)).mean((0, 1))
        return less[2] > 20 and less[2] > 1.5 * max(abs(less[0]), abs(less[1]))

    for mode in (0, 1, 2):
        made, info = post("img2img", **request, resize_mode=mode, override_settings={"upscaler_for_img2img": "2x-Double"})
        assert bluer(made[0], plain[0]), mode
    assert "Upscaler for img2img: 2x-Double" in info["infotexts"][0], info
    # Not a picture that becomes smaller, nor one whose latents are stretched.
    for other in (dict(init_images=[b64(start((96, 80)))]), dict(resize_mode=3)):
        pictures = [post("img2img", **{**request, **other}, upscaler_for_img2img=name)[0][0].tobytes() for name in ("None", "2x-Double")]
        assert pictures[0] == pictures[1], other
    # Smaller tiles are other pixels: each begins with a ramp. The network is the same everywhere, so nearly none.
    tiles, info = post("img2img", **request, upscaler_for_img2img="2x-Double", override_settings={"ESRGAN_tile": 16, "ESRGAN_tile_overlap": 4})
    assert "ESRGAN tile: 16, ESRGAN tile overlap: 4" in info["infotexts"][0] and bluer(tiles[0], plain[0]), info
    # Of a masked part, which is smaller than what is drawn, too; the rest stays.
    whole = drawn.resize((128, 128))
    pictures, _ = post("img2img", init_images=[b64(whole)], mask=b64(mask((60, 60, 75, 75), whole.size)), mask_blur=0, inpainting_fill=1,
                       inpaint_full_res=True, inpaint_full_res_padding=4, denoising_strength=0.1, upscaler_for_img2img="2x-Double")
    away = numpy.asarray(whole, int) - numpy.asarray(pictures[0], int)
    inside = away[60:76, 60:76].copy()
    away[60:76, 60:76] = 0
    assert abs(away).max() == 0 and inside[..., 2].mean() > 20, inside.mean((0, 1))
    for body in (dict(upscaler_for_img2img="4x-Gone"), dict(override_settings={"upscaler_for_img2img": "4x-Gone"})):
        unknown = server.post("/sdapi/v1/img2img", {**PROMPT, **request, **body})
        assert unknown.status == 422 and "upscaler_for_img2img" in unknown.body.decode(), unknown
    wrong = server.post("/sdapi/v1/img2img", {**PROMPT, **request, "override_settings": {"ESRGAN_tile": 16, "ESRGAN_tile_overlap": 16}})
    assert wrong.status == 422 and "ESRGAN_tile_overlap" in wrong.body.decode(), wrong


def test_lcm_with_a_mask():
    request = dict(init_images=[b64(start())], mask=b64(mask((20, 24, 43, 47))), mask_blur=0, inpaint_full_res=False, denoising_strength=0.9,
                   sampler_name="LCM", steps=5, cfg_scale=1)
    pictures, info = post("img2img", **request)
    away = difference(pictures[0], start()).max(-1)
    inside = away[24:48, 20:44].copy()
    away[24:48, 20:44] = 0
    assert away.max() == 0 and inside.mean() > 5, (away.max(), inside.mean())
    assert "Sampler: LCM" in info["infotexts"][0], info
    assert post("img2img", **request)[0][0].tobytes() == pictures[0].tobytes()
    # Its noise is the seed's, step by step.
    other, _ = post("img2img", **request, seed=5)
    assert difference(other[0], pictures[0])[24:48, 20:44].mean() > 2


def test_soft_inpainting_leaves_what_hardly_changed():
    for more in ({"inpaint_full_res": False}, {"inpaint_full_res": True, "inpaint_full_res_padding": 8}):
        request = dict(init_images=[b64(start((128, 128)))], mask=b64(mask((16, 16, 47, 47), (128, 128))), mask_blur=4, denoising_strength=0.9,
                       inpainting_fill=1, width=128, height=128, **more)
        soft, info = post("img2img", **request, alwayson_scripts={"Soft Inpainting": {"args": [True]}})
        rows, _ = post("img2img", **request, soft_inpainting=True)
        plain, _ = post("img2img", **request)
        assert soft[0].tobytes() == rows[0].tobytes() and soft[0].tobytes() != plain[0].tobytes()
        assert "Soft inpainting enabled: True" in info["infotexts"][0], info
        away = difference(soft[0], start((128, 128))).max(-1)
        assert away[20:44, 20:44].mean() > 5, away[20:44, 20:44].mean()
        # Far from the mask the picture is the given one to the byte.
        assert away[112:].max() == 0 and away[:, 112:].max() == 0, (more, away[112:].max(), away[:, 112:].max())


def test_a_latent_mask_of_its_own_and_masks_of_other_sizes():
    whole = dict(init_images=[b64(start())], denoising_strength=0.9, mask_blur=0, inpaint_full_res=False)
    half, _ = post("img2img", **whole, mask=b64(mask((0, 0, 63, 63))), latent_mask=b64(mask((32, 0, 63, 63))))
    away = difference(half[0], start()).max(-1)
    assert away[:, 40:].mean() > 2 * away[:, :24].mean(), (away[:, 40:].mean(), away[:, :24].mean())
    for full in (False, True):
        request = {**whole, "inpaint_full_res": full}
        small, _ = post("img2img", **request, mask=b64(mask((16, 16, 31, 31), (32, 32))))
        away = difference(small[0], start()).max(-1)
        # Twice as large: what is resized rings a little around its edge.
        assert away[:24].max() == 0 and away[:, :24].max() == 0 and away[36:, 36:].mean() > 5, full


def test_loopback_goes_on_from_its_own_pictures():
    request = dict(init_images=[b64(start())], denoising_strength=0.6)
    loops, info = post("img2img", **request, script_name="loopback", script_args=[3, 0.2, "Linear", "None"])
    assert len(loops) == 3 and info["all_seeds"] == [4, 5, 6]
    # Each picture is what its infotext says of the one before it.
    before = start()
    for picture, text, strength, seed in zip(loops, info["infotexts"], (0.6, 0.4, 0.2), info["all_seeds"]):
        assert f"Seed: {seed}, " in text and f"Denoising strength: {strength}," in text, text
        alone, _ = post("img2img", init_images=[b64(before)], seed=seed, denoising_strength=strength)
        assert alone[0].tobytes() == picture.tobytes(), text
        before = picture
    clear = start().convert("RGBA")
    clear.putalpha(128)
    coloured, _ = post("img2img", **{**request, "init_images": [b64(clear)]}, loopback_loops=2, img2img_color_correction=True)
    assert len(coloured) == 2
    last, info = post("img2img", **request, loopback_loops=3, loopback_final_strength=0.2, n_iter=2)
    assert len(last) == 2 and info["all_seeds"] == [6, 9] and last[0].tobytes() == loops[2].tobytes()


def test_outpainting_grows_the_picture():
    request = dict(init_images=[b64(start())], denoising_strength=0.9, inpainting_fill=0, width=512, height=512)
    grown, info = post("img2img", **request, outpaint_left=32, outpaint_down=64, mask_blur=0)
    assert grown[0].size == (96, 128) and "Outpaint left: 32, Outpaint down: 64" in info["infotexts"][0], info
    old = grown[0].crop((32, 0, 96, 64))
    assert old.tobytes() == start().tobytes(), "the old part stays to the byte"
    new = numpy.asarray(grown[0], int)[64:]
    assert new.std() > 3, "nothing was drawn"
    blurred, _ = post("img2img", **request, outpaint_right=64, mask_blur=2)
    # Away from the seam as well: the mask's blur reaches five pixels further than what it keeps clear of.
    assert difference(blurred[0].crop((0, 0, 52, 64)), start().crop((0, 0, 52, 64))).max() == 0
    script, _ = post("img2img", **request, script_name="Poor man's outpainting", script_args=[64, 0, 0, ["left"]])
    assert script[0].size == (128, 64) and script[0].crop((64, 0, 128, 64)).tobytes() == start().tobytes()


def test_noise_that_is_found_in_the_picture():
    original, _ = post("txt2img", steps=20)
    request = dict(init_images=[b64(original[0])], cfg_scale=1, steps=30, denoising_strength=1)
    found, info = post("img2img", **request, alternative_noise=True, decode_prompt=PROMPT["prompt"], decode_steps=30, decode_sigma_adjustment=True)
    drawn, _ = post("img2img", **request)
    through, _ = post("img2img", **{**request, "denoising_strength": 0})
    near, far = difference(found[0], through[0]).mean(), difference(drawn[0], through[0]).mean()
    assert near < 12 and near < far / 3, (near, far)
    assert "Decode steps: 30" in info["infotexts"][0] and info["extra_generation_params"]["Decode prompt"] == PROMPT["prompt"], info


def test_hires_fix_of_a_template():
    template = "a {red|green|blue} __shape__ on a {white|black} background"
    hires = dict(enable_hr=True, hr_scale=1.5, hr_upscaler="Latent", denoising_strength=0.6, hr_second_pass_steps=3)
    pictures, info = post("txt2img", **hires, prompt=template, n_iter=3)
    assert info["all_seeds"] == [4, 5, 6] and len(set(info["all_prompts"])) > 1, info["all_prompts"]
    for picture, seed, prompt, text in zip(pictures, info["all_seeds"], info["all_prompts"], info["infotexts"]):
        assert not set("{|}_") & set(prompt) and text.startswith(prompt + "\n") and "Template: " in text, text
        alone, _ = post("txt2img", **hires, prompt=prompt, seed=seed)
        # Both passes had the words that the infotext says.
        assert alone[0].size == (96, 96) and alone[0].tobytes() == picture.tobytes(), prompt


def test_image_to_image_with_a_lora():
    request = dict(init_images=[b64(start())], denoising_strength=0.8)
    tagged = {weight: post("img2img", **request, prompt=f"{PROMPT['prompt']}<lora:bent:{weight}>") for weight in (0, 1)}
    plain, info = post("img2img", **request)
    assert "Lora hashes" not in info["infotexts"][0]
    assert tagged[0][0][0].tobytes() == plain[0].tobytes(), "a LoRA without strength changed the picture"
    assert "<lora:bent:1>" in tagged[1][1]["infotexts"][0]
    assert difference(tagged[1][0][0], plain[0]).mean() > 1
    # With a mask it acts where the mask is, and nowhere else.
    masked, _ = post("img2img", **request, prompt=f"{PROMPT['prompt']}<lora:bent:1>", mask=b64(mask((20, 24, 43, 47))), mask_blur=0,
                     inpaint_full_res=False)
    away = difference(masked[0], start()).max(-1)
    away[24:48, 20:44] = 0
    assert away.max() == 0


if __name__ == "__main__":
    with RealServer(ready_s=120) as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
