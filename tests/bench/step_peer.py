"""Runs single UNet steps, or decodes, in a peer, as unet_step does: step_peer.py KIND CHECKPOINT FOLDER THREADS NETWORK,
with KIND contiguous, channels_last (diffusers eager), openvino or stable-diffusion.cpp (sd15 and vae), NETWORK sd15, sdxl
or vae; lines "run INPUT OUTPUT SIDE" on stdin. The answer is wall seconds, and processor seconds where they are not those
of the whole process.
"""
import os
import sys
import time

import numpy as np

TIMESTEP = 500.0


CONTEXT = {"sd15": 768, "sdxl": 2048, "vae": 0}


def read(path, side, network):
    """x, context, and of SDXL the pooled texts and the sizes."""
    values = np.fromfile(path, np.float32)
    rows = 1 if network == "vae" else 2
    count, words = rows * 4 * (side // 8) ** 2, 2 * 77 * CONTEXT[network]
    x, context, rest = values[:count], values[count:count + words], values[count + words:]
    told = []
    if rest.size:
        told = [rest[:2 * 2816].reshape(2, 2816)[:, :1280].copy(), rest[2 * 2816:].reshape(2, 6)]
    return [x.reshape(rows, 4, side // 8, side // 8)] + ([context.reshape(2, 77, -1)] if words else []) + told


class Diffusers:
    def __init__(self, checkpoint, folder, threads, channels_last, network):
        import peer_models
        import torch

        self.torch, self.layout = torch, torch.channels_last if channels_last else torch.contiguous_format
        torch.set_num_threads(threads)
        load = peer_models.load_vae if network == "vae" else peer_models.load_unet
        config = peer_models.write_sdxl_config(folder) if network == "sdxl" else peer_models.write_config(folder)
        self.network, self.model = network, load(checkpoint, config).to(memory_format=self.layout)

    def call(self, x, context=None, texts=None, sizes=None):
        if self.network == "vae":
            return self.model.decode(x / 0.18215, return_dict=False)[0]
        told = {"added_cond_kwargs": {"text_embeds": texts, "time_ids": sizes}} if texts is not None else {}
        return self.model(x, self.torch.tensor(TIMESTEP), encoder_hidden_states=context, return_dict=False, **told)[0]

    def run(self, side, x, *told):
        torch = self.torch
        with torch.inference_mode():
            x = torch.from_numpy(x).contiguous(memory_format=self.layout)
            told = [torch.from_numpy(one) for one in told]
            begin = time.perf_counter()
            y = self.call(x, *told)
            seconds = time.perf_counter() - begin
        return seconds, y.contiguous().numpy()


class OpenVino:
    """f32, static shapes, compiled anew for each size."""

    def __init__(self, checkpoint, folder, threads, network):
        import openvino

        self.threads, self.side, self.network, self.core = threads, None, network, openvino.Core()
        name = {"sd15": "sd15-random-1-unet", "sdxl": "sdxl-random-1-unet", "vae": "sd15-random-1-decoder"}[network]
        self.path = os.path.join(folder, name + ".xml")
        # An interrupted conversion leaves an empty file.
        if not os.path.exists(self.path) or os.path.getsize(self.path) == 0:
            self.convert(openvino, checkpoint, folder)

    def convert(self, openvino, checkpoint, folder):
        import torch

        eager = Diffusers(checkpoint, folder, self.threads, False, self.network)

        class Plain(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = eager.model

            def forward(self, *inputs):
                return eager.call(*inputs)

        example = tuple(torch.zeros(shape) for shape in self.shapes(256))
        with torch.inference_mode():
            model = openvino.convert_model(Plain(), example_input=example)
        # Compressed, the table of the time embedding would be half precision too, and the output off by 0.8 %.
        openvino.save_model(model, self.path, compress_to_fp16=False)

    def shapes(self, side):
        latent = (side // 8, side // 8)
        if self.network == "vae":
            return [[1, 4, *latent]]
        told = [[2, 1280], [2, 6]] if self.network == "sdxl" else []
        return [[2, 4, *latent], [2, 77, CONTEXT[self.network]]] + told

    def prepare(self, side):
        self.compiled = None
        model = self.core.read_model(self.path)
        model.reshape(dict(zip(model.inputs, self.shapes(side))))
        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": self.threads, "PERFORMANCE_HINT": "LATENCY"}
        self.compiled, self.side = self.core.compile_model(model, "CPU", hints), side

    def run(self, side, *inputs):
        if side != self.side:
            self.prepare(side)
        begin = time.perf_counter()
        y = self.compiled(list(inputs))[0]
        return time.perf_counter() - begin, y


class StableDiffusionCpp:
    """Draws whole pictures of two steps: it takes no latents from outside. A step is the time between its two reports, decoding
    the time after the second. The output is the picture: cpu_step.py holds it against ours of the same seed."""

    STEPS = 2

    def __init__(self, checkpoint, threads, network):
        from stable_diffusion_cpp import StableDiffusion

        self.network = network
        self.model = StableDiffusion(model_path=checkpoint, n_threads=threads, wtype="f32", rng_type="cuda", verbose=False,
                                     vae_decode_only=True)

    def run(self, side, *_):
        times = []

        def told(step, steps, _seconds):
            if steps == self.STEPS and step in (1, 2):
                times.append((time.perf_counter(), time.process_time()))

        picture = self.model.generate_image(prompt="star", width=side, height=side, cfg_scale=7.0, sample_method="euler",
                                            sample_steps=self.STEPS, seed=1, progress_callback=told)[0]
        times.append((time.perf_counter(), time.process_time()))
        if len(times) != self.STEPS + 1:
            raise SystemExit(f"stable-diffusion.cpp reported {len(times) - 1} steps of {self.STEPS}")
        first, last = times[1:] if self.network == "vae" else times[:2]
        return (last[0] - first[0], last[1] - first[1]), np.asarray(picture.convert("RGB"), np.float32)


def main():
    kind, checkpoint, folder, threads, network = sys.argv[1:]
    begin = time.perf_counter()
    if kind == "openvino":
        peer = OpenVino(checkpoint, folder, int(threads), network)
    elif kind == "stable-diffusion.cpp":
        peer = StableDiffusionCpp(checkpoint, int(threads), network)
    else:
        peer = Diffusers(checkpoint, folder, int(threads), kind == "channels_last", network)
    print(f"ready {time.perf_counter() - begin:.3f}", flush=True)
    for line in sys.stdin:
        _, source, target, side = line.split()
        seconds, y = peer.run(int(side), *read(source, int(side), network))
        y.astype(np.float32).tofile(target)
        print(" ".join(f"{value:.4f}" for value in (seconds if isinstance(seconds, tuple) else (seconds,))), flush=True)


if __name__ == "__main__":
    main()
