"""Image-to-image over HTTP against the real serigraphd with the null engine: pictures in requests, where they are kept, and each bad value."""
import base64
import json
import os
import pathlib
import signal
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server, decode_image, is_png, run_cases  # noqa: E402


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=64, height=64, colour=(200, 30, 40), texts=b""):
    rows = b"".join(b"\0" + bytes(colour) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + texts + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def b64(data):
    return base64.b64encode(data).decode()


START, MASK = b64(png()), b64(png(colour=(255, 255, 255)))
BODY = {"stable_diffusion_model": "alpha", "prompt": "a red star", "width": 64, "height": 64, "steps": 3, "seed": 7, "init_images": [START]}
WEBUI = {key: value for key, value in BODY.items() if key != "stable_diffusion_model"}


def inputs(task):
    return sorted((server.data_dir / "objects" / "inputs" / task).glob("*"))


def ended(task):
    return server.get(f"/tasks/{task}/result").json()["status"] not in ("waiting", "running")


def test_sync_and_async():
    reply = server.post("/img2img", {**BODY, "mask": MASK, "denoising_strength": 0.5}).json()
    assert reply["status"] == "succeeded" and len(reply["ossUrl"]) == 1, reply
    assert is_png(server.get(reply["ossUrl"][0]).body)
    result = server.get(f"/tasks/{reply['taskId']}/result").json()
    kept = inputs(reply["taskId"])
    assert len(kept) == 2 and {path.read_bytes() for path in kept} == {png(), png(colour=(255, 255, 255))}
    names = [*result["parameters"]["init_images"], result["parameters"]["mask"]]
    assert sorted(names) == [f"inputs/{reply['taskId']}/{path.name}" for path in kept], names
    info = result["info"]
    assert info["denoising_strength"] == 0.5, info
    assert "Denoising strength: 0.5, " in info["infotexts"][0] and "Mask blur: 4" in info["infotexts"][0], info
    task = server.post("/img2img", BODY, headers={"Request-Type": "async"}).json()["taskId"]
    server.wait(lambda: ended(task), "the task")
    assert server.get(f"/tasks/{task}/result").json()["status"] == "succeeded"


def test_several_pictures_are_a_batch():
    reply = server.post("/img2img", {**BODY, "init_images": [START, "data:image/png;base64," + b64(png(colour=(1, 2, 3)))]}).json()
    assert reply["status"] == "succeeded" and len(reply["ossUrl"]) == 2 and any("batch_size" in note for note in reply["x_notes"]), reply
    same = server.post("/img2img", {**BODY, "init_images": [START, START], "batch_size": 2}).json()
    assert same["status"] == "succeeded" and len(inputs(same["taskId"])) == 1, same
    broken = START[:60] + "\r\n" + START[60:]
    assert server.post("/img2img", {**BODY, "init_images": [broken]}).json()["status"] == "succeeded"


def test_a1111():
    reply = server.post("/sdapi/v1/img2img", {**WEBUI, "mask": MASK, "inpainting_mask_invert": False, "mask_blur": 4, "inpaint_full_res": False,
                                              "resize_mode": 1, "inpainting_fill": 1, "sampler_index": "Euler a"})
    answer = reply.json()
    assert reply.status == 200 and is_png(decode_image(answer["images"][0])), reply
    assert answer["parameters"]["init_images"] is None and answer["parameters"]["mask"] is None, answer["parameters"]
    assert START not in json.dumps(answer["parameters"]) and "x_notes" not in answer, answer
    echoed = server.post("/sdapi/v1/img2img", {**WEBUI, "mask": MASK, "include_init_images": True}).json()["parameters"]
    assert echoed["init_images"] == [START] and echoed["mask"] == MASK
    for missing in ({}, {"init_images": None}, {"init_images": []}):
        gone = server.post("/sdapi/v1/img2img", {**{k: v for k, v in WEBUI.items() if k != "init_images"}, **missing})
        assert gone.status == 404 and gone.json() == {"detail": "Init image not found"}, gone
    corrected = server.post("/sdapi/v1/img2img", {**WEBUI, "override_settings": {"img2img_color_correction": True, "img2img_fix_steps": True}})
    parameters = corrected.json()["parameters"]
    assert parameters["img2img_color_correction"] is True and parameters["img2img_fix_steps"] is True, parameters
    # Only settings are overridden: a field of the request, above all a picture, is not let in by this door.
    stored = next((server.data_dir / "objects").glob("inputs/*/*")).relative_to(server.data_dir / "objects")
    sneaked = server.post("/sdapi/v1/img2img", {**WEBUI, "include_init_images": True,
                                                "override_settings": {"mask": str(stored), "steps": 1}}).json()["parameters"]
    assert sneaked["mask"] in (None, "") and sneaked["steps"] == WEBUI["steps"], sneaked
    blurred = server.post("/img2img", {**BODY, "mask": MASK, "mask_blur": 4, "mask_blur_x": 9}).json()
    used = server.get(f"/tasks/{blurred['taskId']}/result").json()["parameters"]
    assert (used["mask_blur"], used["mask_blur_x"]) == (4, 9), used


def scripted(**more):
    answer = server.post("/sdapi/v1/img2img", {**WEBUI, **more})
    assert answer.status == 200, answer
    answer = answer.json()
    return answer["parameters"], json.loads(answer["info"]), answer.get("x_notes", []), answer["images"]


def test_texts_of_a_picture():
    bombs = chunk(b"zTXt", b"bomb\0\0" + zlib.compress(b"x" * (4 << 20), 9)) * 200
    texts = chunk(b"tEXt", "parameters\0a star\nSteps: 3, Sampler: Euler, CFG scale: 5.0, Seed: 7".encode()) + chunk(b"tEXt", "caf\u00e9\0na\u00efve".encode("latin-1"))
    said = server.post("/sdapi/v1/png-info", {"image": b64(png(texts=texts + bombs))})
    assert len(said.body) < 1 << 20 and said.json()["items"] == {"parameters": said.json()["info"], "caf\u00e9": "na\u00efve"}, said.body[:400]
    assert said.json()["parameters"]["Seed"] == "7" and said.json()["x_fields"]["seed"] == 7, said
    assert server.post("/sdapi/v1/png-info", {"image": START}).json() == {"info": "", "items": {}, "parameters": {}, "x_fields": {}, "x_notes": []}


def size_of(image):
    return struct.unpack(">II", decode_image(image)[16:24])


def test_scripts_of_a1111_are_rows():
    soft, info, notes, _ = scripted(mask=MASK, alwayson_scripts={"Soft Inpainting": {"args": [True, 2, 0.75, 3, 0.1, 0.25, 4]}, "Comments": {"args": [False]}})
    assert soft["soft_inpainting"] is True and soft["soft_contrast_boost"] == 3 and len(notes) == 1 and "alwayson_scripts" in notes[0], (soft, notes)
    assert "Soft inpainting enabled: True, Soft inpainting schedule bias: 2.0, " in info["infotexts"][0], info
    extra = info["extra_generation_params"]
    assert extra["Soft inpainting difference contrast"] == 4 and extra["Mask blur"] == 4 and "Steps" not in extra and "Version" not in extra, extra
    loops, info, notes, images = scripted(script_name="Loopback", script_args=[3, 0.25, "Linear", "None"], denoising_strength=0.75)
    assert len(images) == 3 and info["all_seeds"] == [7, 8, 9] and not notes, (info, notes)
    assert [text.split("Denoising strength: ")[1].split(",")[0] for text in info["infotexts"]] == ["0.75", "0.5", "0.25"], info["infotexts"]
    assert "Final denoising strength: 0.25, Denoising curve: Linear, Loop: 2/3" in info["infotexts"][1], info["infotexts"]
    assert len(scripted(loopback_loops=3, n_iter=2)[3]) == 2
    looped = server.post("/img2img", {**BODY, "loopback_loops": 3}).json()["taskId"]
    server.stop()
    server.start()
    assert server.get(f"/tasks/{looped}/progress").json()["state"]["job_no"] == 3
    refused = server.post("/img2img", {**BODY, "loopback_loops": 32, "width": 2048, "height": 2048, "n_iter": 10})
    assert refused.status == 400 and refused.json()["field"] == "loopback_loops" and "n_iter x loopback_loops is" in refused.json()["message"], refused
    grown, info, _, images = scripted(script_name="poor man's outpainting", script_args=[32, 2, 0, ["left", "up"]])
    assert size_of(images[0]) == (128, 128) and (grown["outpaint_left"], grown["outpaint_right"], grown["mask_blur"]) == (64, 0, 4), grown
    assert "Size: 128x128" in info["infotexts"][0] and "Outpaint left: 64" in info["infotexts"][0], info
    second, _, notes, images = scripted(script_name="Outpainting mk2", script_args=["", 32, 8, ["right"]])
    assert size_of(images[0]) == (128, 64) and second["mask_blur"] == 8 and "mk2" in notes[0], (second, notes)
    _, info, _, _ = scripted(script_name="img2img alternative test", sampler_name="DDIM",
                             script_args=["", True, True, "a cat", "a dog", True, 4, True, 1.5, 0.25, True])
    assert (info["sampler_name"], info["steps"], info["prompt"], info["denoising_strength"]) == ("Euler", 4, "a cat", 1), info
    assert "Decode prompt: a cat, Decode negative prompt: a dog, Decode CFG scale: 1.5, Decode steps: 4, Randomness: 0.25, Sigma Adjustment: True" \
        in info["infotexts"][0], info
    assert any("script_name" in note for note in scripted(script_name="x/y/z plot", script_args=[1])[2])
    checked = scripted(mask=MASK, alwayson_scripts={"Soft Inpainting": {"args": [1]}}, script_name="img2img alternative test", sampler_name="DDIM",
                       script_args=["", 0, 0, "a cat", "", 1, 5, 0, 1, 0, 1])
    assert checked[0]["soft_inpainting"] is True and checked[0]["decode_sigma_adjustment"] is True, checked
    assert (checked[1]["sampler_name"], checked[1]["steps"], checked[1]["prompt"]) == ("DDIM", 5, WEBUI["prompt"]), checked[1]
    # Outpainting mk2 draws whole batches, poor man's one picture.
    assert len(scripted(script_name="outpainting mk2", script_args=["", 32, 8, ["right"]], batch_size=2, n_iter=2)[3]) == 4
    assert len(scripted(script_name="poor man's outpainting", script_args=[32, 4, 0, ["right"]], batch_size=2, n_iter=2)[3]) == 1
    for bad in ({"script_name": "loopback", "script_args": 5}, {"script_name": "loopback", "script_args": [99]},
                {"script_name": "poor man's outpainting", "script_args": ["many"]},
                {"script_name": "poor man's outpainting", "script_args": [16, 4, 0, "left"]},
                {"mask": MASK, "alwayson_scripts": {"soft inpainting": {"args": "x"}}},
                {"mask": MASK, "alwayson_scripts": {"soft inpainting": {"args": ["yes"]}}}):
        refused = server.post("/sdapi/v1/img2img", {**WEBUI, **bad})
        assert refused.status == 422, (bad, refused)


def test_outpainting_makes_its_own_mask():
    """A mask that is sent along is what A1111's scripts put their own in the place of."""
    for script, arguments in (("poor man's outpainting", [32, 4, 0, ["left"]]), ("outpainting mk2", ["", 32, 8, ["left"]])):
        grown, _, notes, images = scripted(mask=MASK, latent_mask=MASK, include_init_images=True, script_name=script, script_args=arguments)
        assert size_of(images[0]) == (128, 64) and any("mask was left out" in note for note in notes), (grown, notes)
    kept = server.get("/tasks?limit=1").json()["tasks"][0]["taskId"]
    used = server.get(f"/tasks/{kept}/result").json()["parameters"]
    assert len(inputs(kept)) == 1 and used["mask"] == "" and used["latent_mask"] == "", used
    # The limits are told by what was sent.
    start = b64(png(1000, 8))
    for more, said in (({"init_images": [b64(png(8, 8))], "script_name": "poor man's outpainting", "script_args": [1020, 4, 0, ["left"]]}, "1080 pixels"),
                       ({"init_images": [start], "script_name": "poor man's outpainting", "script_args": [1000, 4, 0, ["left", "right"]]}, "3008x8; a side")):
        refused = server.post("/sdapi/v1/img2img", {**WEBUI, **more})
        assert refused.status == 422 and said in refused.body.decode(), (said, refused)
    refused = server.post("/img2img", {**BODY, "init_images": [start], "outpaint_left": 1024, "outpaint_right": 1024})
    assert refused.status == 400 and refused.json()["field"] == "init_images" and "the grown picture would be 3048x8" in refused.json()["message"], refused


def test_the_grown_picture_has_its_own_size():
    reply = server.post("/img2img", {**BODY, "init_images": [b64(png(60, 64))], "outpaint_right": 10, "outpaint_down": 24, "width": 512, "height": 512}).json()
    picture = server.get(reply["ossUrl"][0]).body
    assert struct.unpack(">II", picture[16:24]) == (72, 88), reply
    for more, field in (({"outpaint_right": 1025}, "outpaint_right"), ({"outpaint_up": 8, "mask": MASK}, "mask"),
                        ({"outpaint_up": 8, "loopback_loops": 2}, "loopback_loops"), ({"loopback_loops": 2, "init_images": [START, START]}, "init_images"),
                        ({"outpaint_up": 8, "init_images": [START, b64(png(32, 32))]}, "init_images"),
                        ({"loopback_curve": "Wild"}, "loopback_curve"), ({"decode_steps": 0}, "decode_steps")):
        refused = server.post("/img2img", {**BODY, **more})
        assert refused.status == 400 and refused.json()["field"] == field, (more, refused)


def test_masks_of_another_size():
    for more in ({"inpaint_full_res": False}, {"inpaint_full_res": True}):
        reply = server.post("/img2img", {**BODY, "mask": b64(png(32, 48)), "latent_mask": b64(png(16, 16)), **more}).json()
        assert reply["status"] == "succeeded" and len(inputs(reply["taskId"])) == 3, reply


def test_stored_pictures_by_name():
    made = server.post("/txt2img", {key: value for key, value in BODY.items() if key != "init_images"}).json()
    name = f"images/default/{made['taskId']}_1.png"
    for spelling in (name, name.replace("images/", "image/", 1)):
        reply = server.post("/img2img", {**BODY, "init_images": [spelling]}).json()
        assert reply["status"] == "succeeded", reply
        stored = (server.data_dir / "objects" / name).read_bytes()
        assert [path.read_bytes() for path in inputs(reply["taskId"])] == [stored]
    missing = server.post("/img2img", {**BODY, "init_images": ["images/default/nobody_1.png"]})
    assert missing.status == 404 and "images/default/nobody_1.png" in missing.json()["message"], missing
    for bad in ("inputs/x/y.png", "/etc/passwd.png", "images/../links.key.png", "../../x.png"):
        refused = server.post("/img2img", {**BODY, "init_images": [bad]})
        assert refused.status in (400, 404) and refused.json()["field"] == "init_images", (bad, refused)


def test_bad_values_have_their_own_errors():
    before = len(server.get("/tasks?limit=1000").json()["tasks"])
    huge = png(8, 8)[:16] + struct.pack(">II", 9000, 9000) + png(8, 8)[24:]
    many = [START] * 17
    cases = [({"init_images": ["!!!!"]}, 400, "init_images", "no picture in base64"),
             ({"init_images": [START, START[:-3]]}, 400, "init_images", "init_images[1]"),
             ({"init_images": [START, "images/default/nobody_1.png"]}, 404, "init_images", "init_images[1]: there is no stored picture images/default/nobody_1.png"),
             ({"mask": "images/default/nobody_1.png"}, 404, "mask", "mask: there is no stored picture"),
             ({"init_images": [START, START, "inputs/x.png"]}, 400, "init_images", 'init_images[2]: "inputs/x.png" names no stored picture'),
             ({"init_images": [START, b64(png(32, 32))], "outpaint_up": 8}, 400, "init_images", "init_images[0] has 64x64 and init_images[1] 32x32"),
             ({"init_images": [b64(b"GIF89a" + b"x" * 40)]}, 422, "init_images", "not a usable picture"),
             ({"init_images": [b64(b"")]}, 422, "init_images", "not a usable picture"),
             ({"init_images": [b64(huge)]}, 413, "init_images", "9000"),
             ({"init_images": ["https://example.org/a.png"]}, 400, "init_images", "fetches no pictures"),
             ({"init_images": START}, 400, "init_images", "list"), ({"init_images": [5]}, 400, "init_images", "init_images[0]"),
             ({"init_images": many}, 400, "init_images", "at most"), ({"init_images": []}, 400, "init_images", "at least one"),
             ({"init_images": None}, 400, "init_images", "at least one"),
             ({"mask": "x"}, 400, "mask", "mask is no picture in base64"),
             ({"mask": [MASK]}, 400, "mask", "text"), ({"denoising_strength": 1.5}, 400, "denoising_strength", "between 0 and 1"),
             ({"resize_mode": 4}, 400, "resize_mode", "between 0 and 3"), ({"inpainting_fill": -1}, 400, "inpainting_fill", "between 0 and 3"),
             ({"mask_blur": 65}, 400, "mask_blur", "between 0 and 64")]
    for changes, status, field, words in cases:
        reply = server.post("/img2img", {**BODY, **changes})
        error = reply.json()
        assert reply.status == status and error["field"] == field and words in error["message"], (str(changes)[:200], reply)
    assert server.post("/sdapi/v1/img2img", {**WEBUI, "init_images": ["!!!!"]}).status == 422
    # The header passes, the pixels do not: a failed task that says which picture it was.
    cut = server.post("/img2img", {**BODY, "init_images": [START, b64(png()[:60])], "mask": MASK}).json()
    assert cut["status"] == "failed" and cut["code"] == "unusable_file" and "init_images[1] is no usable picture" in cut["message"], cut
    assert len(server.get("/tasks?limit=1000").json()["tasks"]) == before + 1


def test_the_same_id_again():
    headers = {"taskId": "Picture-1", "Request-Type": "async"}
    first = server.post("/img2img", BODY, headers=headers)
    kept = inputs("Picture-1")
    assert first.status == 200 and len(kept) == 1
    assert server.post("/img2img", BODY, headers=headers).json()["taskId"] == "Picture-1"
    other = server.post("/img2img", {**BODY, "init_images": [b64(png(colour=(0, 9, 0)))]}, headers=headers)
    assert other.status == 409 and inputs("Picture-1") == kept, other
    server.wait(lambda: ended("Picture-1"), "the task")


def test_pictures_are_nowhere_else():
    database = b"".join(path.read_bytes() for path in server.data_dir.glob("serigraph.db*"))
    assert START[:60].encode() not in database and START[:60] not in server.log
    assert b"sha256 " in database


def test_pictures_survive_kill_9_of_server_and_engine():
    task = server.post("/img2img", {**BODY, "steps": 100, "n_iter": 10}, headers={"Request-Type": "async"}).json()["taskId"]
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["status"] == "running", "the start")
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    engines = [int(pid) for path in children.parents[1].glob("*/children") for pid in path.read_text().split()]
    assert engines, "no engine process was found"
    for pid in engines:
        os.kill(pid, signal.SIGKILL)
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["state"]["sampling_step"] > 0, "the second attempt")
    server.process.kill()
    server.process.wait()
    # What a crash between picture and commit leaves behind.
    orphan = server.data_dir / "objects" / "inputs" / "nobody"
    orphan.mkdir()
    (orphan / "0123.png").write_bytes(png())
    server.start()
    assert not orphan.exists() and len(inputs(task)) == 1
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["status"] == "running", "the third attempt")
    server.post(f"/tasks/{task}/cancellation")
    server.wait(lambda: ended(task), "the cancellation")


def test_a_picture_that_has_gone_fails_the_task():
    slow = server.post("/txt2img", {**{k: v for k, v in BODY.items() if k != "init_images"}, "steps": 100, "n_iter": 10},
                       headers={"Request-Type": "async"}).json()["taskId"]
    task = server.post("/img2img", BODY, headers={"Request-Type": "async"}).json()["taskId"]
    for path in inputs(task):
        path.unlink()
    server.post(f"/tasks/{slow}/cancellation")
    server.wait(lambda: ended(task), "the task")
    result = server.get(f"/tasks/{task}/result").json()
    assert result["status"] == "failed" and result["code"] == "not_found" and "start picture init_images[0]" in result["message"], result


def test_hires_fix():
    body = {key: value for key, value in BODY.items() if key != "init_images"}
    reply = server.post("/txt2img", {**body, "enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Lanczos", "denoising_strength": 0.6}).json()
    picture = server.get(reply["ossUrl"][0]).body
    assert picture[16:24] == struct.pack(">II", 96, 96), reply
    infotext = server.get(f"/tasks/{reply['taskId']}/result").json()["info"]["infotexts"][0]
    assert "Denoising strength: 0.6" in infotext and "Hires upscale: 1.5" in infotext and "Hires upscaler: Lanczos" in infotext, infotext
    # Any size may be asked for; what is drawn is the next smaller multiple of 8, and the infotext, which says what was asked for, repeats it.
    odd = {**body, "enable_hr": True, "hr_resize_x": 100, "hr_resize_y": 76, "hr_upscaler": "Lanczos", "denoising_strength": 0.6}
    reply = server.post("/txt2img", odd, headers={"Strict": "true"}).json()
    picture = server.get(reply["ossUrl"][0]).body
    assert picture[16:24] == struct.pack(">II", 96, 72), reply
    told = server.post("/sdapi/v1/png-info", {"image": b64(picture)}).json()
    assert "Hires resize: 100x76" in told["info"] and (told["x_fields"]["hr_resize_x"], told["x_fields"]["hr_resize_y"]) == (100, 76), told
    again = server.post("/txt2img", {**told["x_fields"], "stable_diffusion_model": "alpha"}, headers={"Strict": "true"}).json()
    assert server.get(again["ossUrl"][0]).body == picture and not told["x_notes"], (again, told)
    latent = [mode["name"] for mode in server.get("/sdapi/v1/latent-upscale-modes").json()]
    assert latent == ["Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)", "Latent (nearest-exact)"]
    assert [upscaler["name"] for upscaler in server.get("/sdapi/v1/upscalers").json()] == ["None", "Lanczos", "Nearest"]
    assert server.get("/sdapi/v1/realesrgan-models").json() == []
    options = server.get("/sdapi/v1/options").json()
    assert (options["ESRGAN_tile"], options["ESRGAN_tile_overlap"], options["upscaler_for_img2img"]) == (192, 8, "None"), options
    large = server.post("/txt2img", {**body, "enable_hr": True, "hr_scale": 4, "width": 1024})
    assert large.status == 400 and large.json()["field"] == "hr_scale", large
    unknown = server.post("/txt2img", {**body, "enable_hr": True, "hr_upscaler": "Magic"})
    assert unknown.status == 400 and unknown.json()["field"] == "hr_upscaler", unknown
    forgotten = server.post("/txt2img", {**body, "hr_upscaler": "Magic"})
    assert forgotten.status == 200, forgotten


if __name__ == "__main__":
    with Server("--max-steps", "100", step_ms=10) as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
