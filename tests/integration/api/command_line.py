"""serigraphd's other commands, with the null engine: generate, models, tasks, and their exit codes."""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import BIN, is_png, run_cases, write_checkpoint  # noqa: E402

ENGINE = ["--engine", os.environ.get("SG_ENGINE", str(BIN / "serigraph-engine")), "--engine-arg=--null", "--engine-arg=--null-step-ms"]
SMALL = ["--width", "64", "--height", "64", "--steps", "2"]


def command(name, *arguments, step_ms=1):
    engine = [*ENGINE, f"--engine-arg={step_ms}"] if name in ("generate", "serve") else []
    return [str(BIN / "serigraphd"), name, "--models", str(folder / "models"), *engine, *arguments]


def run(name, *arguments, **options):
    return subprocess.run(command(name, *arguments), capture_output=True, text=True, timeout=60, cwd=folder, **options)


def without_texts(png):
    out, at = png[:8], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at:at + 4], "big")
        out += b"" if png[at + 4:at + 8] in (b"tEXt", b"iTXt") else png[at:end]
        at = end
    return out


def test_one_picture():
    done = run("generate", "--prompt", "a red star", "-o", "star.png", *SMALL)
    assert done.returncode == 0 and done.stdout == "star.png\n" and done.stderr == "", done
    assert is_png((folder / "star.png").read_bytes())


def test_several_pictures_and_json():
    done = run("generate", "--prompt", "x", "--batch", "2", "--seed", "41", "-o", "s{seed}.png", "--json", "--model", "beta", *SMALL)
    reply = json.loads(done.stdout)
    assert done.returncode == 0 and reply["status"] == "succeeded", done
    assert reply["parameters"]["stable_diffusion_model"] == "sub/beta" and reply["parameters"]["steps"] == 2, reply
    names = sorted(path.name for path in folder.glob("s4*.png"))
    assert len(names) == 2 and len(reply["infotexts"]) == 2, (names, reply)
    done = run("generate", "--prompt", "x", "--batch", "2", "-o", "two.png", *SMALL)
    assert done.stdout.split() == ["two_1.png", "two_2.png"], done


def test_a_model_by_its_path():
    write_checkpoint(folder / "elsewhere" / "gamma.safetensors", 24)
    done = run("generate", "--prompt", "x", "--model", str(folder / "elsewhere" / "gamma.safetensors"), "--json", *SMALL)
    assert done.returncode == 0 and json.loads(done.stdout)["parameters"]["stable_diffusion_model"] == "gamma", done


def test_any_field():
    done = run("generate", "--prompt", "x", "--set", "cfg_rescale=0.5", "--set", "s_min_uncond_all=true", "--set", "emphasis=No norm", "--refiner", "sub/beta",
               "--refiner-switch-at", "0.6", "--hires", "--sampler", "k_euler_a", "--hires-sampler", "k_dpmpp_2m_sde Karras", "--json", *SMALL)
    made = json.loads(done.stdout)["parameters"]
    assert (made["cfg_rescale"], made["s_min_uncond_all"], made["emphasis"], made["sampler_name"]) == (0.5, True, "No norm", "Euler a"), made
    assert (made["refiner_checkpoint"], made["refiner_switch_at"], made["hr_sampler_name"], made["hr_scheduler"]) == ("sub/beta", 0.6, "DPM++ 2M SDE", "Karras"), made
    for wrong, named in (("nothing=1", "nothing"), ("steps", "steps"), ("mask=x", "mask"), ("s_min_uncond_all=2", "s_min_uncond_all"), ("cfg_rescale=much", "cfg_rescale")):
        done = run("generate", "--prompt", "x", "--set", wrong, *SMALL)
        assert done.returncode == 2 and named in done.stderr, (wrong, done)
    done = run("generate", "--prompt", "x", "--refiner", "nobody", *SMALL)
    assert done.returncode == 3 and "nobody" in done.stderr, done


def test_like_another_picture():
    first = run("generate", "--prompt", "a (red:1.2) star", "--negative", "blue", "--seed", "77", "--model", "beta", "--sampler", "DDIM", "--set", "eta=0.4",
                "--json", "-o", "first.png", *SMALL)
    again = run("generate", "--like", "first.png", "--json", "-o", "again.png")
    assert first.returncode == again.returncode == 0, (first, again)
    assert json.loads(first.stdout)["infotexts"] == json.loads(again.stdout)["infotexts"], (first, again)
    other = json.loads(run("generate", "--like", "first.png", "--seed", "78", "--steps", "3", "--json").stdout)["parameters"]
    assert (other["seed"], other["steps"], other["prompt"], other["stable_diffusion_model"]) == (78, 3, "a (red:1.2) star", "sub/beta"), other
    (folder / "plain.png").write_bytes(without_texts((folder / "first.png").read_bytes()))
    for file, said in (("plain.png", "no infotext"), ("nobody.png", "nobody.png")):
        refused = run("generate", "--like", file)
        assert refused.returncode == 2 and said in refused.stderr, refused


def test_like_names_no_files():
    """The Model of a picture that someone sent is looked up in the library, never opened."""
    write_checkpoint(folder / "elsewhere" / "secret.safetensors", 32)
    path = str(folder / "elsewhere" / "secret.safetensors")
    assert run("generate", "--prompt", "x", "-o", "trap.png", *SMALL).returncode == 0
    trap = (folder / "trap.png").read_bytes()
    at = trap.index(b"tEXtparameters") - 4
    length = int.from_bytes(trap[at:at + 4], "big")
    text = b"tEXt" + trap[at + 8:at + 8 + length].replace(b"Model: alpha", b"Model: " + path.encode())
    assert path.encode() in text
    (folder / "trap.png").write_bytes(trap[:at] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + trap[at + 12 + length:])
    refused = run("generate", "--like", "trap.png", "--json")
    assert refused.returncode == 3 and "no such model" in refused.stderr, refused
    assert run("generate", "--like", "trap.png", "--model", path, "-o", "used.png").returncode == 0
    assert run("generate", "--like", "trap.png", "--model", "alpha", "-o", "used.png").returncode == 0


def test_like_a_picture_of_another_kind():
    """What the infotext says and this kind of drawing has no field for is left out, and told."""
    assert run("generate", "--prompt", "x", "-o", "begin.png", *SMALL).returncode == 0
    assert run("generate", "--prompt", "x", "--hires", "--hires-scale", "1.5", "--hires-upscaler", "Lanczos", "-o", "hires.png", *SMALL).returncode == 0
    assert run("generate", "--prompt", "x", "--init", "begin.png", "--strength", "0.5", "-o", "plain2.png", "--steps", "2").returncode == 0
    assert run("generate", "--prompt", "x", "--init", "begin.png", "--mask", "begin.png", "-o", "inpainted.png", "--steps", "2").returncode == 0
    done = run("generate", "--like", "hires.png", "--init", "begin.png", "--json", "-o", "a.png")
    assert done.returncode == 0 and "left out: --hires-scale, --hires-upscaler, --hires" in done.stderr and done.stderr.count("\n") == 1, done
    assert json.loads(done.stdout)["parameters"]["init_images"], done
    done = run("generate", "--like", "inpainted.png", "--json", "-o", "a.png")
    assert done.returncode == 0 and "--mask-blur" in done.stderr and "start picture" in done.stderr, done
    done = run("generate", "--like", "plain2.png", "-o", "a.png")
    assert done.returncode == 0 and "start picture" in done.stderr and done.stderr.count("\n") == 1, done
    for words in (["--like", "plain2.png", "--init", "begin.png"], ["--like", "hires.png"], ["--like", "begin.png"],
                  ["--like", "inpainted.png", "--init", "begin.png", "--mask", "begin.png"]):
        done = run("generate", *words, "-o", "a.png")
        assert done.returncode == 0 and done.stderr == "", (words, done)
    # What is asked for by an option stays, and is refused.
    for words, said in ((["--like", "hires.png", "--init", "begin.png", "--hires-steps", "3"], "--hires-steps does not go together with --init"),
                        (["--like", "inpainted.png", "--mask-blur", "3"], "--mask-blur needs --init"),
                        (["--like", "inpainted.png", "--set", "mask_blur=3"], "--set mask_blur needs --init")):
        done = run("generate", *words)
        assert done.returncode == 2 and said in done.stderr, (words, done)


def test_from_a_picture():
    done = run("generate", "--prompt", "x", "-o", "start.png", "--width", "72", "--height", "40", "--steps", "2")
    assert done.returncode == 0, done
    done = run("generate", "--prompt", "x", "--init", "start.png", "--mask", "start.png", "--strength", "0.4", "--fill", "Latent Noise", "--only-masked",
               "--invert-mask", "--steps", "2", "--json", "-o", "drawn.png")
    reply = json.loads(done.stdout)
    assert done.returncode == 0 and reply["status"] == "succeeded", done
    made = reply["parameters"]
    assert (made["width"], made["height"], made["denoising_strength"], made["inpainting_fill"]) == (72, 40, 0.4, 2), made
    assert made["inpaint_full_res"] is True and made["inpainting_mask_invert"] == 1 and made["inpaint_full_res_padding"] == 32, made
    assert is_png((folder / "drawn.png").read_bytes())
    done = run("generate", "--prompt", "x", "--init", "start.png", "--init", "start.png", "--steps", "2", "-o", "two.png")
    assert done.stdout.split() == ["two_1.png", "two_2.png"], done
    done = run("generate", "--prompt", "x", "--hires", "--hires-scale", "1.5", "--hires-upscaler", "Lanczos", "--json", *SMALL)
    assert json.loads(done.stdout)["parameters"]["enable_hr"] is True and "Hires upscale: 1.5" in json.loads(done.stdout)["infotexts"][0], done
    (folder / "text.png").write_text("no picture")
    for words, said in ((["--mask", "start.png"], "--mask needs --init"), (["--latent-mask", "start.png"], "--latent-mask needs --init"),
                        (["--init", "gone.png"], "gone.png"), (["--init", "text.png"], "text.png"),
                        (["--init", "start.png", "--strength", "2"], "--strength must be a number between 0 and 1"), (["--init", "start.png", "--fill", "blue"], "Latent noise"),
                        (["--init", "start.png", "--hires"], "--hires does not go together with --init"), (["--init", "start.png", "--upscaler", "Magic"], "upscaler"),
                        (["--hires", "--hires-upscaler", "Magic"], "--hires-upscaler"),
                        (["--set", "ESRGAN_tile=16", "--set", "ESRGAN_tile_overlap=16"], "--set ESRGAN_tile_overlap must be less than --set ESRGAN_tile")):
        refused = run("generate", "--prompt", "x", *words, *SMALL)
        assert refused.returncode == 2 and said in refused.stderr, (words, refused)


def test_errors_name_what_was_typed():
    for words, said in ((["--steps", "0"], "--steps must be a whole number between 1 and 150"), (["--set", "steps=0"], "--set steps must be a whole number between 1 and 150"),
                        (["--cfg", "1e9"], "--cfg must be"), (["--set", "cfg_rescale=7"], "--set cfg_rescale must be"), (["--batch", "-1"], "--batch must be"),
                        (["--hires", "--hires-upscaler", "sd_vae"], '--hires-upscaler must be one of the known names or of a file, not "sd_vae"'),
                        (["--sampler", "dpm++ 2m"], 'sampler "dpm++ 2m" is unknown; there is "DPM++ 2M"')):
        done = run("generate", "--prompt", "x", "--json", *SMALL, *words)
        assert done.returncode == 2 and done.stderr.startswith(f"serigraphd: {said}") and done.stderr.count("\n") == 1, (words, done)
        assert json.loads(done.stdout)["message"].startswith(said), (words, done)


def test_notes_are_told():
    """What the drawing says beside its pictures: on stderr, and in the JSON as the API has it."""
    assert run("generate", "--prompt", "x", "-o", "noted.png", *SMALL).returncode == 0
    words = ["generate", "--prompt", "x", "--init", "noted.png", "--batch", "2", "--set", "loopback_loops=2", "--steps", "2", "-o", "n{n}.png"]
    plain, told = run(*words), run(*words, "--json")
    note = "batch_size was set to 1, because loopback draws one picture after the other"
    assert plain.returncode == 0 and plain.stderr == told.stderr == f"serigraphd: {note}\n", (plain, told)
    assert json.loads(told.stdout)["x_notes"] == [note], told


def test_exit_codes():
    assert run("generate", "--prompt", "x", "--steps", "0").returncode == 2
    assert run("generate", "--prompt", "x", "--steps", "many").returncode == 2
    assert run("generate", "--prompt", "x", "--sampler", "Nothing", *SMALL).returncode == 2
    assert run("generate", "--no-such-option").returncode == 2
    missing = run("generate", "--prompt", "x", "--model", "gone", "--json", *SMALL)
    assert missing.returncode == 3 and json.loads(missing.stdout)["code"] == "not_found", missing
    assert run("generate", "--prompt", "x", "-o", "/no/such/folder/x.png", *SMALL).returncode == 4
    assert run("nonsense").returncode == 2
    for name in ("serve", "generate", "models", "tasks"):
        done = run(name, "--help")
        assert done.returncode == 0 and "--data-dir" in done.stdout, (name, done)


def test_interrupt():
    process = subprocess.Popen(command("generate", "--prompt", "x", "--json", *SMALL, "--steps", "150", step_ms=200), cwd=folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 5 and json.loads(out)["status"] == "cancelled", (process.returncode, out)


def test_lists():
    models = json.loads(run("models", "--json").stdout)
    assert {model["name"] for model in models} == {"alpha", "sub/beta"}, models
    data = folder / "data"
    assert run("generate", "--prompt", "x", "--data-dir", str(data), *SMALL).returncode == 0
    tasks = json.loads(run("tasks", "--data-dir", str(data), "--json").stdout)
    assert len(tasks) == 1 and tasks[0]["status"] == "succeeded", tasks


def test_models_are_chosen_for():
    data = str(folder / "chosen")

    def choices(*words):
        done = run("models", "--json", "--data-dir", data, *words)
        assert done.returncode == 0, done
        return {model["name"]: model["choices"] for model in json.loads(done.stdout)}

    assert choices() == {"alpha": {}, "sub/beta": {}}
    chosen = {"family": "sd1", "prediction": "v", "zeroTerminalSnr": False, "ema": True}
    assert choices("--choose", "alpha", "--family", "sd1", "--prediction", "v", "--zero-terminal-snr", "off", "--ema", "on")["alpha"] == chosen
    assert choices()["alpha"] == chosen
    assert choices("--choose", "alpha", "--prediction", "epsilon")["alpha"] == {"prediction": "epsilon"}
    for words, text in ((("--choose", "nobody"), "no such model"), (("--choose", "alpha", "--prediction", "x"), "epsilon, v"),
                        (("--choose", "alpha", "--ema", "maybe"), "ema")):
        done = run("models", "--data-dir", data, *words)
        assert done.returncode == 2 and text in done.stderr, done
    assert choices("--choose", "alpha")["alpha"] == {}
    for words, said in ((("--choose", "alpha", "--prediction", "v"), "--data-dir"), (("--prediction", "v"), "--choose"),
                        (("--data-dir", data, "--ema", "on"), "--choose"), (("--data-dir", data, "--family", "sd1"), "--choose")):
        done = run("models", *words)
        assert done.returncode == 2 and said in done.stderr and not done.stdout, done


def test_remote_addresses_need_a_word():
    for address in ("0.0.0.0", "192.0.2.1", "::"):
        done = run("serve", "--bind", address, "--port", "0", "--data-dir", str(folder / "remote"))
        assert done.returncode == 2 and "--allow-remote" in done.stderr, done
    assert run("serve", "--bind", "example.org", "--port", "0", "--data-dir", str(folder / "remote")).returncode == 2


def test_one_server_a_data_folder():
    data = str(folder / "locked")
    first = subprocess.Popen(command("serve", "--port", "0", "--data-dir", data), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert first.stdout.readline().startswith("listening on ")
        second = run("serve", "--port", "0", "--data-dir", data)
        assert second.returncode == 4 and str(first.pid) in second.stderr, second
    finally:
        first.terminate()
        assert first.wait(10) == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        write_checkpoint(folder / "models" / "alpha.safetensors", 8)
        write_checkpoint(folder / "models" / "sub" / "beta.safetensors", 16)
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
