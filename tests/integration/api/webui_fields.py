"""A1111's fields that are no rows of the parameter table, against the real serigraphd with the null engine: built-in always-on scripts, the
older fields of hires fix, infotext."""
import base64
import json
import pathlib
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server, decode_image, run_cases  # noqa: E402


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height):
    rows = (b"\0" + b"\x10\x80\x40" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


START = base64.b64encode(png(64, 64)).decode()
BODY = {"prompt": "a cat", "width": 64, "height": 64}
STEPS = {**BODY, "steps": 2, "seed": 7}


def size_of(image):
    return struct.unpack(">II", decode_image(image)[16:24])


def made(route="txt2img", headers=None, **body):
    answer = server.post(f"/sdapi/v1/{route}", body, headers=headers or {})
    assert answer.status == 200, answer
    answer = answer.json()
    return answer["parameters"], json.loads(answer["info"]), answer.get("x_notes", []), answer["images"]


def refused(field, words, route="txt2img", headers=None, status=422, **body):
    answer = server.post(f"/sdapi/v1/{route}", body, headers=headers or {})
    assert answer.status == status, (body, answer)
    detail = answer.json()["detail"]
    if status == 422:
        assert detail[0]["loc"] == ["body", field], answer
        detail = detail[0]["msg"]
    assert words in detail, answer


def test_built_in_scripts():
    scripts = {"Sampler": {"args": [3, "Heun", "Karras"]}, "seed": {"args": [11, True, 12, 0.5, 128, 64]}, "Refiner": {"args": [1, "beta", 0.7]}}
    for route, more in (("txt2img", {}), ("img2img", {"init_images": [START]})):
        used, info, notes, _ = made(route, {"Strict": "true"}, **BODY, **more, alwayson_scripts=scripts)
        assert (used["steps"], info["sampler_name"], used["scheduler"], info["seed"]) == (3, "Heun", "Karras", 11), (used, info)
        assert (used["subseed"], used["subseed_strength"], used["seed_resize_from_w"], used["seed_resize_from_h"]) == (12, 0.5, 128, 64), used
        assert (used["refiner_checkpoint"], used["refiner_switch_at"]) == ("sub/beta", 0.7) and not notes, (used, notes)
    # What the check boxes leave off, what is not sent, and what is too many.
    used, info, notes, _ = made(**BODY, alwayson_scripts={"Sampler": {"args": [2, "DPM++ 2M SDE Karras"]}, "Seed": {"args": [5, False, 12, 0.5, 128, 64]},
                                                          "Refiner": {"args": [False, "gone", 0.7, 1, 2]}, "Comments": {"args": []}})
    assert (used["steps"], used["sampler_name"], used["scheduler"]) == (2, "DPM++ 2M SDE", "Karras") and info["seed"] == 5, used
    assert (used["subseed_strength"], used["seed_resize_from_w"], used["refiner_checkpoint"]) == (0, -1, ""), used
    assert len(notes) == 1 and "alwayson_scripts" in notes[0], notes
    made(headers={"Strict": "true"}, **STEPS, alwayson_scripts={"Sampler": {}, "Seed": {"args": []}, "Refiner": {"args": [None, None]}})
    # The body's own fields win, as A1111's API reads only these.
    used, info, _, _ = made(**STEPS, sampler_index="Euler", alwayson_scripts=scripts, refiner_checkpoint="alpha")
    assert (used["steps"], info["seed"], info["sampler_name"], used["refiner_checkpoint"]) == (2, 7, "Euler", "alpha"), (used, info)


def test_built_in_scripts_have_types():
    for name, sent, words in (("Refiner", {"args": [True, "beta", "late"]}, "alwayson_scripts.Refiner.args[2] must be a number between 0 and 1"),
                              ("refiner", {"args": ["yes"]}, "alwayson_scripts.Refiner.args[0] must be true or false"),
                              ("Refiner", {"args": [True, 5]}, "alwayson_scripts.Refiner.args[1] must be a text"),
                              ("Sampler", {"args": [0]}, "alwayson_scripts.Sampler.args[0] must be a whole number between 1 and 100"),
                              ("Sampler", {"args": [2, {}]}, "alwayson_scripts.Sampler.args[1] must be a text"),
                              ("Seed", {"args": [2**53]}, "alwayson_scripts.Seed.args[0] must be a whole number between -1 and 9007199254740991"),
                              ("Seed", {"args": [1, False, -1, 0, 0.5]}, "alwayson_scripts.Seed.args[4]"),
                              ("Seed", {"args": "x"}, "alwayson_scripts.Seed.args must be a list"), ("Seed", [1], "alwayson_scripts.Seed must be an object")):
        refused("alwayson_scripts", words, **STEPS, alwayson_scripts={name: sent})
        refused("alwayson_scripts", words, "img2img", **STEPS, init_images=[START], alwayson_scripts={name: sent})
    refused("", "gone", status=404, **STEPS, alwayson_scripts={"Refiner": {"args": [True, "gone"]}})


def test_first_pass_of_hires_fix():
    hires = {**STEPS, "width": 128, "height": 96, "enable_hr": True, "hr_scale": 2, "hr_upscaler": "Lanczos"}
    used, info, notes, images = made(headers={"Strict": "true"}, **hires, firstphase_width=64, firstphase_height=56)
    assert size_of(images[0]) == (128, 96) and "Size: 64x56, " in info["infotexts"][0] and "Hires resize: 128x96" in info["infotexts"][0], info
    assert decode_image(images[0]) == decode_image(made(**{**hires, "width": 64, "height": 56, "hr_resize_x": 128, "hr_resize_y": 96})[3][0])
    made(headers={"Strict": "true"}, **hires, firstphase_width=0, firstphase_height=0)
    for more, field, words in (({"firstphase_width": 64}, "firstphase_height", "together"), ({"firstphase_height": 64, "firstphase_width": 0}, "firstphase_width", "together"),
                               ({"firstphase_width": 60, "firstphase_height": 64}, "firstphase_width", "multiple of 8"),
                               ({"firstphase_width": "64", "firstphase_height": 64}, "firstphase_width", "whole number"),
                               ({"firstphase_width": 64, "firstphase_height": 64, "width": 100}, "width", "multiple of 8"),
                               ({"firstphase_width": 64, "firstphase_height": 64, "hr_resize_y": 128}, "firstphase_height", "hr_resize_y"),
                               ({"firstpass_image": START}, "firstpass_image", "img2img")):
        refused(field, words, **{**hires, **more})
    # Without hires fix they mean nothing, and that is said.
    notes = made(**STEPS, firstphase_width=32, firstphase_height=32)[2]
    assert len(notes) == 2 and "firstphase_width" in notes[0], notes
    refused("firstpass_image", "img2img", **STEPS, firstpass_image=START)
    native = server.post("/txt2img", {**hires, "stable_diffusion_model": "alpha", "firstpass_image": START})
    assert native.status == 400 and native.json()["field"] == "firstpass_image", native


def test_infotext():
    drawn = {**BODY, "prompt": "a (red:1.2) star", "negative_prompt": "mud", "steps": 4, "seed": 99, "cfg_scale": 5.5, "sampler_name": "Heun", "scheduler": "Karras",
             "subseed": 3, "subseed_strength": 0.25, "enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Lanczos", "denoising_strength": 0.6,
             "override_settings": {"sd_model_checkpoint": "beta", "CLIP_stop_at_last_layers": 2, "randn_source": "NV"}}
    _, info, _, images = made(**drawn)
    text = info["infotexts"][0]
    used, told, notes, again = made(infotext=text, headers={"Strict": "true"})
    assert decode_image(again[0]) == decode_image(images[0]) and told["infotexts"] == info["infotexts"] and not notes, (text, told, notes)
    # What the body says is not touched, settings and names that say the same included.
    own = {"prompt": "", "steps": 2, "sampler_index": "Euler", "hr_resize_x": 128, "override_settings": {"CLIP_stop_at_last_layers": 3, "sd_model_checkpoint": "alpha"}}
    used, told, _, images = made(infotext=text, **own)
    assert (told["prompt"], told["negative_prompt"], told["steps"], told["sampler_name"], told["clip_skip"]) == ("", "mud", 2, "Euler", 3), told
    assert told["sd_model_name"] == "alpha" and told["seed"] == 99 and size_of(images[0]) == (128, 128) and used["randn_source"] == "NV", (used, told)
    assert made(infotext=text, enable_hr=False, seed=None)[1]["seed"] == 99
    assert made(infotext=text, alwayson_scripts={"Sampler": {"args": [3]}, "Seed": {"args": [8]}})[1]["all_seeds"] == [8]
    # The settings that are stored are behind it.
    assert server.post("/sdapi/v1/options", {"CLIP_stop_at_last_layers": 5, "s_churn": 1}).status == 200
    used, told, _, _ = made(infotext=text)
    assert (used["clip_skip"], used["s_churn"]) == (2, 1), used
    assert server.post("/sdapi/v1/options", {"CLIP_stop_at_last_layers": None, "s_churn": None}).status == 200
    used, told, _, _ = made("img2img", init_images=[START], infotext=text, width=64, height=64)
    assert (told["prompt"], told["steps"], used["denoising_strength"], told["sd_model_name"]) == ("a (red:1.2) star", 4, 0.6, "sub/beta"), told
    native = server.post("/txt2img", {"stable_diffusion_model": "alpha", "infotext": text}).json()
    result = server.get(f"/tasks/{native['taskId']}/result").json()
    assert (result["info"]["seed"], result["info"]["sd_model_name"]) == (99, "alpha"), result


def test_infotexts_that_do_not_fit():
    line = "a\nSteps: {}, Sampler: {}, CFG scale: 7, Seed: 1, Size: 64x64, RNG: CPU, Model: {}"
    for bad, words in ((5, "must be a text"), (["a"], "must be a text"), ("x" * (1 << 20) + "y", "1 MiB")):
        refused("infotext", words, status=413 if words == "1 MiB" else 422, infotext=bad)
    notes = made(infotext=line.format(9999, "Euler", "nobody"), steps=None)[2]
    assert any(note.startswith("infotext: steps must be a whole number between 1 and 100") for note in notes), notes
    assert any("nobody" in note for note in notes) and len(notes) == 2, notes
    assert not made(infotext=line.format(9999, "Euler", "alpha"), steps=2)[2]
    for text, words in ((line.format(9999, "Euler", "alpha"), "steps must be"), (line.format(2, "Magic", "alpha"), "Magic"), (line.format(2, "Euler", "nobody"), "nobody")):
        refused("infotext", words, headers={"Strict": "true"}, infotext=text)
    # What only shows together, or in the library, is told by the field that it came from.
    large = "a\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 1024x1024, RNG: CPU, Hires upscale: 4, Hires upscaler: Lanczos"
    refused("infotext", "infotext: hires fix would draw 4096x4096", infotext=large)
    gone = server.post("/sdapi/v1/txt2img", {"infotext": line.format(2, "Euler", "alpha") + ", Refiner: gone [0123456789], Refiner switch at: 0.8"})
    assert gone.status == 404 and gone.json()["detail"].startswith("infotext: there is no checkpoint named"), gone
    assert made(**STEPS, infotext="")[1]["seed"] == 7 and made(**{**STEPS, "prompt": None}, infotext="only words")[1]["prompt"] == "only words"


if __name__ == "__main__":
    with Server("--max-steps", "100") as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
