"""The whole HTTP API against the real serigraphd with the null engine: serverless, A1111, management."""
import hmac
import json
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server, decode_image, is_png, run_cases  # noqa: E402

BODY = {"stable_diffusion_model": "alpha", "prompt": "a red star", "width": 64, "height": 64, "steps": 3, "seed": 7}
INFO_KEYS = ["prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed", "all_subseeds",
             "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces",
             "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w",
             "seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts", "styles",
             "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version"]


def ended(server, task):
    return server.get(f"/tasks/{task}/result").json()["status"] not in ("waiting", "running")


def slow_task(server, **changes):
    """An asynchronous task of about ten seconds; the caller ends it."""
    reply = server.post("/txt2img", {**BODY, "steps": 100, "n_iter": 10, **changes}, headers={"Request-Type": "async"})
    assert reply.status == 200, reply
    return reply.json()["taskId"]


def test_models_are_listed():
    models = {m["name"]: m for m in server.get("/models").json()}
    assert set(models) == {"alpha", "sub/beta"}, models
    alpha = models["alpha"]
    assert alpha["type"] == "stableDiffusion" and alpha["size"] > 0 and alpha["registeredTime"].endswith("Z"), alpha


def test_sync_gives_a_picture():
    reply = server.post("/txt2img", {**BODY, "batch_size": 2}, headers={"username": "ann"})
    body = reply.json()
    assert reply.status == 200 and body["status"] == "succeeded" and len(body["ossUrl"]) == 2, reply
    assert reply.headers["taskId"] == body["taskId"]
    picture = server.get(body["ossUrl"][1])
    assert picture.status == 200 and is_png(picture.body) and picture.headers["Content-Type"] == "image/png"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    result = server.get(f"/tasks/{body['taskId']}/result").json()
    assert result["images"] == [f"images/ann/{body['taskId']}_{n}.png" for n in (1, 2)], result
    assert list(result["info"]) == INFO_KEYS and result["info"]["all_seeds"] == [7, 8], result
    assert result["parameters"]["steps"] == 3
    progress = server.get(f"/tasks/{body['taskId']}/progress").json()
    assert progress["progress"] == 1 and progress["status"] == "succeeded", progress


def test_async_answers_at_once_and_progress_moves():
    task = slow_task(server)
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["state"]["sampling_step"] > 0, "the first step")
    progress = server.get(f"/tasks/{task}/progress").json()
    assert 0 < progress["progress"] <= 0.99 and progress["status"] == "running", progress
    assert set(server.get(f"/tasks/{task}/result").json()) == {"taskId", "status"}
    busy = server.get("/sdapi/v1/progress").json()
    assert busy["progress"] >= 0.01 and busy["state"]["job_count"] == 10, busy
    behind = slow_task(server, seed=8)
    assert server.get(f"/tasks/{behind}/progress").json()["position"] == 1
    for each in (behind, task):
        assert server.post(f"/tasks/{each}/cancellation").status == 200
    server.wait(lambda: ended(server, task) and ended(server, behind), "both to end")
    assert server.get(f"/tasks/{task}/result").json()["status"] == "cancelled"
    assert server.post(f"/tasks/{task}/cancellation").json()["status"] == "cancelled"


def test_events_tell_the_whole_story():
    task = slow_task(server, steps=30, n_iter=1)
    seen = list(server.events(task))
    states = [data["status"] for name, data in seen if name == "state"]
    assert states[-1] == "succeeded" and "running" in states, states
    fractions = [data["progress"] for name, data in seen if name == "progress"]
    assert fractions and fractions == sorted(fractions), fractions
    assert all("currentImage" not in data for name, data in seen if name == "progress")
    assert list(server.events(task)) == [("state", {"status": "succeeded"})]


def test_ids_of_clients():
    headers = {"taskId": "My_Task-1", "Request-Type": "async"}
    first = server.post("/txt2img", BODY, headers=headers)
    again = server.post("/txt2img", BODY, headers=headers)
    assert first.json()["taskId"] == again.json()["taskId"] == "My_Task-1"
    other = server.post("/txt2img", {**BODY, "steps": 4}, headers=headers)
    assert other.status == 409 and other.json()["code"] == "conflict", other
    for bad in ("../x", "a b", "x" * 129, "-x", ""):
        reply = server.post("/txt2img", BODY, headers={"taskId": bad})
        assert reply.status == 400 and reply.json()["field"] == "taskId", (bad, reply)
    for bad in ("../x", "a/b", ".hidden", "x" * 300):
        reply = server.post("/txt2img", BODY, headers={"username": bad})
        assert reply.status == 400 and reply.json()["field"] == "username", (bad, reply)
    server.wait(lambda: ended(server, "My_Task-1"), "the task")
    listed = server.get("/tasks?limit=500").json()["tasks"]
    assert sum(task["taskId"] == "My_Task-1" for task in listed) == 1


def test_bad_bodies_are_refused_and_nothing_is_queued():
    before = len(server.get("/tasks?limit=1000").json()["tasks"])
    cases = [({**BODY, "steps": 0}, 400, "steps"), ({**BODY, "steps": "many"}, 400, "steps"), ({**BODY, "width": 65}, 400, "width"),
             ({**BODY, "cfg_scale": True}, 400, "cfg_scale"), ({**BODY, "seed": 2**64}, 400, ""), ({**BODY, "prompt": 5}, 400, "prompt"),
             ({**BODY, "stable_diffusion_model": ""}, 400, "stable_diffusion_model"), ({**BODY, "sampler_name": 5}, 400, "sampler_name"),
             ({**BODY, "stable_diffusion_model": "gone"}, 404, "stable_diffusion_model"), ([], 400, ""), ("x", 400, "")]
    for body, status, field in cases:
        reply = server.post("/txt2img", body)
        error = reply.json()
        assert reply.status == status and (not field or error["field"] == field), (body, reply)
        assert error["requestId"] == reply.headers["X-Request-Id"] and error["message"], reply
    for text in (b"", b"{", b'{"a":1,"a":2}', b'{"prompt":"\\ud800"}', b'{"prompt":"\\u0000"}', b"[" * 100, b'{"steps":1e999}', b"\xef\xbb\xbf{}",
                 b'{"prompt":"\xff"}', b"{} x"):
        reply = server.post("/txt2img", text)
        assert reply.status == 400 and reply.json()["code"] == "invalid_argument", (text, reply)
    assert len(server.get("/tasks?limit=1000").json()["tasks"]) == before


def test_notes_and_strict():
    body = {**BODY, "sampler_name": "Nothing", "wobble": 3}
    notes = server.post("/txt2img", body).json()["x_notes"]
    assert any("Nothing" in note for note in notes) and any("wobble" in note for note in notes), notes
    strict = server.post("/txt2img", body, headers={"Strict": "true"})
    assert strict.status == 400, strict


def test_strict_wants_the_files_that_are_named():
    hires = {"enable_hr": True, "hr_prompt": "y <lora:second:1>"}
    for fields, field, name in (({"sd_vae": "gone"}, "sd_vae", "gone"), ({"prompt": "x <lora:nobody:0.5>"}, "prompt", "nobody"),
                                ({"override_settings": {"sd_vae": "gone.pt"}}, "sd_vae", "gone.pt"), (hires, "hr_prompt", "second")):
        body = {**BODY, **fields}
        assert server.post("/txt2img", body).status == 200, fields
        strict = server.post("/txt2img", body, headers={"Strict": "true"})
        assert strict.status == 404 and name in str(strict.body) and field in str(strict.body), (fields, strict)
    for fields in ({"sd_vae": "None"}, {"sd_vae": "Automatic"}, {"prompt": "x <lora:nobody:1>", "disable_extra_networks": True},
                   {"prompt": "{a|b} <lora:{a|b}:1>"}, {"hr_prompt": "y <lora:second:1>"}, {"negative_prompt": "<lora:nobody:1>"}):
        strict = server.post("/txt2img", {**BODY, **fields}, headers={"Strict": "true"})
        assert strict.status == 200, (fields, strict)


def test_aliases_of_samplers():
    """Ours are taken; A1111's API looks for exact names and takes DPM++ 2M for all others."""
    for field, alias, name, schedule in (("sampler_name", "k_euler_a", "Euler a", "Automatic"), ("sampler_index", "ddim", "DDIM", "Automatic"),
                                         ("sampler_name", "k_heun Karras", "Heun", "Karras")):
        made = server.post("/txt2img", {**BODY, field: alias}, headers={"Strict": "true"})
        assert made.status == 200, made
        result = server.get(f"/tasks/{made.json()['taskId']}/result").json()["parameters"]
        assert (result["sampler_name"], result["scheduler"]) == (name, schedule), result
    theirs = {"prompt": "x", "width": 64, "height": 64, "steps": 1, "sampler_name": "k_euler_a"}
    answer = server.post("/sdapi/v1/txt2img", theirs)
    assert json.loads(answer.json()["info"])["sampler_name"] == "DPM++ 2M", answer
    assert any("k_euler_a" in note for note in answer.json()["x_notes"]), answer


def test_signed_links():
    url = server.post("/txt2img", BODY).json()["ossUrl"][0]
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query))

    def with_query(**changes):
        return server.get(parts.path + "?" + urllib.parse.urlencode({**query, **changes})).status

    assert server.get(url).status == 200
    last = "0" if query["signature"][-1] != "0" else "1"
    assert with_query(signature=query["signature"][:-1] + last) == 403
    assert with_query(expires=str(int(query["expires"]) + 1)) == 403
    assert with_query(signature="") == 403 and server.get(parts.path).status == 403
    assert server.get(parts.path.replace("_1.png", "_2.png") + "?" + parts.query).status == 403
    for path in ("/files/images/..%2f..%2fetc/passwd", "/files/images/a/..", "/files/images/default/%00", "/files/serigraph.db"):
        assert server.get(path + "?" + parts.query).status in (400, 403, 404), path
    # A genuine link of yesterday: signed with the server's key.
    yesterday = str(int(time.time()) - 86400)
    key = (server.data_dir / "links.key").read_bytes()
    text = f"{yesterday}\n{parts.path.removeprefix('/files/')}".encode()
    assert with_query(expires=yesterday, signature=hmac.new(key, text, "sha256").hexdigest()) == 410
    stored = next(server.data_dir.glob("objects/images/default/" + parts.path.rsplit("/", 1)[1]))
    stored.unlink()
    assert server.get(url).status == 404


def test_unknown_tasks():
    for path in ("result", "progress", "events"):
        assert server.get(f"/tasks/nobody/{path}").status == 404
    assert server.post("/tasks/nobody/cancellation").status == 404
    replies = {server.get(f"/tasks/{name}/result").json()["message"] for name in ("nobody", "..%2f..%2fetc%2fpasswd", "C:%5C", "%E2%88%95x")}
    assert replies == {"no such task"}, replies


def test_a1111_text_to_image():
    body = {"prompt": "a cat", "sampler_index": "Euler a", "width": 64, "height": 64, "steps": 3, "seed": 5, "n_iter": 2, "enable_hr": False,
            "override_settings": {"sd_model_checkpoint": "beta", "CLIP_stop_at_last_layers": 2, "emphasis": "No norm"}, "alwayson_scripts": {},
            "script_args": [], "unknown_key": 1}
    reply = server.post("/sdapi/v1/txt2img", body)
    answer = reply.json()
    assert reply.status == 200 and len(answer["images"]) == 2, reply
    assert all(is_png(decode_image(image)) for image in answer["images"])
    info = json.loads(answer["info"])
    assert list(info) == INFO_KEYS and info["sd_model_name"] == "sub/beta" and info["sampler_name"] == "Euler a", info
    assert info["clip_skip"] == 2 and "Clip skip: 2, " in info["infotexts"][0] and "Emphasis: No norm" in info["infotexts"][0], info
    assert answer["parameters"]["sampler_index"] == "Euler a" and answer["parameters"]["cfg_scale"] == 7
    assert server.post("/sdapi/v1/txt2img", {**body, "send_images": False}).json()["images"] == []
    bad = server.post("/sdapi/v1/txt2img", {**body, "steps": -1})
    assert bad.status == 422 and bad.json()["detail"][0]["loc"] == ["body", "steps"], bad
    assert server.get("/sdapi/v1/nothing").json() == {"detail": "Not Found"}


def test_styles():
    (server.data_dir / "styles.csv").write_text('name,prompt,negative_prompt\nsea,"{prompt}, by the sea",dry\n"a, b",oil,\n')
    assert server.get("/sdapi/v1/prompt-styles").json() == [{"name": "sea", "prompt": "{prompt}, by the sea", "negative_prompt": "dry"},
                                                            {"name": "a, b", "prompt": "oil", "negative_prompt": ""}]
    body = {"prompt": "a cat", "width": 64, "height": 64, "steps": 1, "seed": 5, "styles": ["sea", "a, b", "gone"]}
    info = json.loads(server.post("/sdapi/v1/txt2img", body).json()["info"])
    assert info["prompt"] == "a cat, by the sea, oil" and info["negative_prompt"] == "dry", info
    assert info["infotexts"][0].startswith("a cat, by the sea, oil\nNegative prompt: dry\nSteps"), info
    (server.data_dir / "wildcards").mkdir(exist_ok=True)
    (server.data_dir / "wildcards/colour.txt").write_text("red\n")
    info = json.loads(server.post("/sdapi/v1/txt2img", {**body, "styles": [], "prompt": "a __colour__ {cat|cat}"}).json()["info"])
    assert info["infotexts"][0].startswith("a red cat\nSteps") and "Template: a __colour__ {cat|cat}" in info["infotexts"][0], info
    assert info["all_prompts"] == ["a red cat"], info
    gone = server.post("/txt2img", {**BODY, "prompt": "a __gone__", "n_iter": 2}).json()
    said = "the wildcard __gone__ at character 3: there is no file gone.txt in the data folder's wildcards (or the folder of --wildcards)"
    assert (gone["status"], gone["code"], gone["message"], gone["x_notes"]) == ("failed", "not_found", said, []), gone
    # The request's own mistake is no warning about the server.
    server.wait(lambda: said in server.log, "the line")
    assert server.log.count(said) == 1 and "info queue: task " + gone["taskId"] in server.log, server.log


def test_a1111_options():
    options = server.get("/sdapi/v1/options").json()
    title = options["sd_model_checkpoint"]
    assert title.startswith("alpha.safetensors"), options
    assert title in [m["title"] for m in server.get("/sdapi/v1/sd-models").json()]
    assert server.post("/sdapi/v1/options", {**options, "my_own_key": [1, 2]}).json() is None
    assert server.get("/sdapi/v1/options").json()["my_own_key"] == [1, 2]
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "beta"}).status == 200
    assert server.get("/sdapi/v1/options").json()["sd_model_checkpoint"].startswith("sub/beta.safetensors")
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "gone"}).status == 422
    # Stored settings are those of A1111's requests, unless the request has its own.
    body = {"prompt": "x", "steps": 1, "width": 64, "height": 64}
    assert server.post("/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2.0, "randn_source": "NV", "s_churn": 1}).status == 200
    # A value that its row refuses is an error that says so, and nothing of such a body is stored.
    for key, value, rule in (("s_churn", "no number", "a number"), ("CLIP_stop_at_last_layers", 0, "between 1 and 12"),
                             ("CLIP_stop_at_last_layers", [2], "a whole number"), ("randn_source", "dice", "known names"),
                             ("img2img_fix_steps", "yes", "true or false"), ("tiling", {}, "true or false")):
        refused = server.post("/sdapi/v1/options", {"eta_noise_seed_delta": 5, "my_own_key": 3, key: value, "sd_model_checkpoint": "alpha"})
        detail = refused.json()["detail"][0]
        assert refused.status == 422 and detail["loc"] == ["body", key] and key in detail["msg"] and rule in detail["msg"], (key, refused)
    kept = server.get("/sdapi/v1/options").json()
    assert (kept["eta_noise_seed_delta"], kept["my_own_key"], kept["CLIP_stop_at_last_layers"]) == (0, [1, 2], 2), kept
    assert kept["sd_model_checkpoint"].startswith("sub/beta") and kept["s_churn"] == 1, kept
    assert server.post("/sdapi/v1/options", {"s_churn": None}).status == 200
    assert server.get("/sdapi/v1/options").json()["s_churn"] == 0
    used = server.post("/sdapi/v1/txt2img", body).json()["parameters"]
    assert (used["clip_skip"], used["randn_source"], used["s_churn"]) == (2, "NV", 0.0), used
    own = server.post("/sdapi/v1/txt2img", {**body, "override_settings": {"CLIP_stop_at_last_layers": 3, "randn_source": "CPU"}}).json()["parameters"]
    assert (own["clip_skip"], own["randn_source"]) == (3, "CPU"), own
    # A1111's usual way of previews is none of ours, and no reason to refuse a picture.
    shown = {**body, "override_settings": {"show_progress_type": "Approx NN", "CLIP_stop_at_last_layers": 3}}
    answer = server.post("/sdapi/v1/txt2img", shown)
    assert answer.status == 200 and answer.json()["parameters"]["show_progress_type"] == "Approx cheap", answer
    assert [note for note in answer.json()["x_notes"] if "Approx NN" in note and "Approx cheap" in note] == answer.json()["x_notes"], answer
    assert server.post("/sdapi/v1/txt2img", shown, headers={"Strict": "true"}).status == 422
    assert server.post("/sdapi/v1/options", {"show_progress_type": "Approx NN"}).status == 200
    assert server.get("/sdapi/v1/options").json()["show_progress_type"] == "Approx cheap"
    assert server.post("/sdapi/v1/txt2img", {**body, "override_settings": {"vae_tiling": "Sometimes"}}).status == 422
    native = server.post("/txt2img", {**body, "stable_diffusion_model": "alpha"}).json()
    assert server.get(f"/tasks/{native['taskId']}/result").json()["parameters"]["clip_skip"] == 1, native
    assert server.post("/sdapi/v1/options", {"CLIP_stop_at_last_layers": 1, "randn_source": "CPU", "s_churn": 0}).status == 200
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "alpha"}).status == 200
    # What an earlier version stored without a look at it is left out, and what GET answers can be posted back.
    server.stop()
    (server.data_dir / "options.json").write_text('{"s_churn": "no number", "clip_skip": "x", "my_own_key": [1, 2]}')
    server.start()
    options = server.get("/sdapi/v1/options").json()
    assert (options["s_churn"], options["my_own_key"]) == (0, [1, 2]) and "s_churn must be a number" in server.log, options
    assert server.post("/sdapi/v1/options", options).status == 200


def test_a1111_interrupt_and_idle():
    server.wait(lambda: server.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0, "idle")
    idle = server.get("/sdapi/v1/progress").json()
    assert idle["progress"] == 0 and idle["current_image"] is None, idle
    assert server.post("/sdapi/v1/interrupt").json() == {}
    task = slow_task(server)
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["status"] == "running", "the start")
    assert server.post("/sdapi/v1/interrupt").json() == {}
    server.wait(lambda: ended(server, task), "the interruption")
    assert server.get(f"/tasks/{task}/result").json()["status"] == "cancelled"


def test_management():
    page = server.get("/parameters").json()
    assert [row["key"] for row in page["parameters"]][:2] == ["prompt", "negative_prompt"], page
    assert server.get("/server").json()["listening"] is True
    folders = server.get("/model-folders").json()
    assert [folder["path"] for folder in folders["folders"]] == [str(server.models)], folders
    for method, path, body in (("PATCH", "/server", {"port": 1}), ("POST", "/model-folders", {"path": "/"}), ("DELETE", "/model-folders", {"path": "/"}),
                               ("PATCH", "/models", {"name": "alpha", "choices": {"prediction": "v"}})):
        assert server.request(method, path, body).status == 403, path
    assert all(model["choices"] == {} for model in server.get("/models").json())
    lines = server.get("/logs?limit=5").json()["lines"]
    assert server.get("/logs?after=-1").status == 400 and isinstance(lines, list)
    assert server.post("/models/rescan").json() == {}
    assert server.get("/healthz").json() == {"status": "ok"}


def test_document_and_routes_agree():
    document = server.get("/openapi.json").json()
    assert document["openapi"] == "3.0.3"
    assert document["components"]["schemas"]["TextToImage"]["properties"]["steps"]["maximum"] == 100
    for path, methods in document["paths"].items():
        allow = server.request("OPTIONS", path.replace("{", "").replace("}", "")).headers["Allow"].split(", ")
        wanted = {method.upper() for method in methods} | {"OPTIONS"} | ({"HEAD"} if "get" in methods else set())
        assert set(allow) == wanted, (path, allow)


def test_restart_keeps_everything():
    task = server.post("/txt2img", BODY).json()["taskId"]
    assert server.stop() < 5
    server.start()
    assert server.get(f"/tasks/{task}/result").json()["status"] == "succeeded"
    assert server.get("/sdapi/v1/options").json()["my_own_key"] == [1, 2]


def test_sigterm_while_a_task_runs():
    task = slow_task(server)
    server.wait(lambda: server.get(f"/tasks/{task}/progress").json()["status"] == "running", "the start")
    assert server.stop() < 5
    server.start()
    assert server.get(f"/tasks/{task}/result").json()["status"] in ("waiting", "running")
    server.post(f"/tasks/{task}/cancellation")
    server.wait(lambda: ended(server, task), "the cancellation")


if __name__ == "__main__":
    with Server("--max-steps", "100", step_ms=10) as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
