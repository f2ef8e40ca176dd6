"""webuiapi, an A1111 client as people use it, unchanged against serigraphd."""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server, run_cases  # noqa: E402

import webuiapi  # noqa: E402
from PIL import Image  # noqa: E402


def client():
    return webuiapi.WebUIApi(host=server.host, port=server.port)


def test_constructor_and_lists():
    api = client()
    assert api.has_controlnet is False
    assert "DPM++ 2M" in api.util_get_sampler_names() and "karras" in api.util_get_scheduler_names()
    assert any(title.startswith("alpha.safetensors") for title in api.util_get_model_names())
    for call in (api.get_cmd_flags, api.get_sd_vae, api.get_upscalers, api.get_latent_upscale_modes, api.get_loras, api.get_hypernetworks,
                 api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles, api.get_embeddings, api.get_memory, api.get_options,
                 api.get_scripts, api.get_samplers):
        assert call() is not None, call
    assert api.refresh_checkpoints() is None
    assert api.get_memory()["ram"]["total"] > 0


def test_text_to_image():
    result = client().txt2img(prompt="a blue ring", negative_prompt="red", seed=1003, width=64, height=128, steps=3, cfg_scale=5, batch_size=2,
                              sampler_name="Euler a", scheduler="karras")
    assert len(result.images) == 2 and result.image.size == (64, 128), result
    assert result.info["seed"] == 1003 and result.info["all_seeds"] == [1003, 1004] and result.info["sampler_name"] == "Euler a", result.info
    assert result.parameters["prompt"] == "a blue ring"
    assert "parameters" in result.image.info, result.image.info


def test_what_a_picture_says():
    api = client()
    drawn = api.txt2img(prompt="a blue ring, (red:1.2)", negative_prompt="green", seed=1003, width=64, height=128, steps=3, cfg_scale=5,
                        sampler_name="Euler a", scheduler="karras")
    said = api.png_info(drawn.image)
    assert said.info == drawn.image.info["parameters"], said.info
    assert said.parameters["Prompt"] == "a blue ring, (red:1.2)" and said.parameters["Negative prompt"] == "green", said.parameters
    assert said.parameters["Seed"] == "1003" and said.parameters["Sampler"] == "Euler a", said.parameters


def test_image_to_image_and_hires_fix():
    api = client()
    start = Image.new("RGB", (64, 64), "red")
    result = api.img2img(images=[start], mask_image=Image.new("L", (64, 64), 255), prompt="a star", width=64, height=64, steps=2, seed=7,
                         denoising_strength=0.5, inpainting_fill=1, inpaint_full_res=False, mask_blur=2)
    assert result.image.size == (64, 64) and result.info["denoising_strength"] == 0.5, result.info
    assert "Mask blur: 2" in result.image.info["parameters"], result.image.info
    large = api.txt2img(prompt="a star", width=64, height=64, steps=2, enable_hr=True, hr_scale=2, hr_upscaler=webuiapi.HiResUpscaler.Latent,
                        denoising_strength=0.6)
    assert large.image.size == (128, 128)


def test_choosing_a_model():
    api = client()
    api.util_set_model("beta")
    assert "beta" in api.util_get_current_model()
    assert api.txt2img(prompt="x", width=64, height=64, steps=1).info["sd_model_name"] == "sub/beta"
    api.set_options(api.get_options())


def test_waiting_and_interrupting():
    api = client()
    results = []
    drawing = threading.Thread(target=lambda: results.append(api.txt2img(prompt="x", width=64, height=64, steps=150, n_iter=20)))
    drawing.start()
    watcher = client()
    server.wait(lambda: watcher.get_progress()["progress"] > 0.01, "progress")
    assert watcher.interrupt() == {}
    drawing.join(60)
    assert results and results[0].images == [], results
    watcher.util_wait_for_ready(check_interval=0.05)
    assert watcher.skip() is None


if __name__ == "__main__":
    with Server(step_ms=5) as server:
        run_cases([value for name, value in list(globals().items()) if name.startswith("test_")])
