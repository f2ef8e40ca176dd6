"""Makes tests/parity/text_to_image/scheduled.safetensors: pictures of the starter model whose prompts change from step to step, have parts
joined by AND, several chunks, clip skip and other ways of emphasis; by transformers' and diffusers' networks and k-diffusion's Euler.

Run with the peers' Python and the lark package:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_conditioning.py
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
STARTER = HERE.parents[1] / "resources/starter"
sys.path[:0] = [str(HERE), str(STARTER)]

from make_prompts import and_parts, schedule, weigh  # noqa: E402
from make_samplers import alphas_cumprod, draw, generators, k_diffusion  # noqa: E402
from networks import LATENT_SCALE, read  # noqa: E402
from tokens import ids_of, row  # noqa: E402

# The same in conditioning_test.cpp.
CASES = {
    "scheduled": dict(prompt="a [red:blue:2] (star:1.4) AND [green|white] ring :0.6", negative="[dark:(blurry:1.2):0.5]", seed=3),
    "longer": dict(prompt="[a red star:a red star BREAK on white:3] (big:1.3)", negative="blue BREAK green", seed=4),
    "skip": dict(prompt="a red star BREAK (big:1.3) ring", negative="", seed=5, skip=2),
    "no norm": dict(prompt="(((green))) [square]", negative="(red:0.5)", seed=6, emphasis="No norm"),
    "one": dict(prompt="a red star :0.5 AND a green ring:0.5", negative="never read", seed=7, cfg=1.0),
    "ngms": dict(prompt="a red star", negative="blue", seed=8, ngms=5.0),
    "early": dict(prompt="a red star", negative="blue", seed=8, early=0.3),
    "rescale": dict(prompt="a red star", negative="blue", seed=9, cfg=9.0, rescale=0.7),
}
STEPS, CFG, SIDE = 6, 5.0, 64


def chunks_of(text):
    """[(ids, weights)] of 77 each; the texts here need no more than BREAK makes."""
    chunks, ids, weights = [], [], []
    for run, weight in weigh(text) + [["BREAK", -1]]:
        if run == "BREAK" and weight == -1:
            chunks.append((row(ids), [1.0] + weights + [1.0] * (76 - len(weights))))
            ids, weights = [], []
        else:
            new = ids_of(run)
            ids, weights = ids + new, weights + [weight] * len(new)
    return chunks


def hidden(pair, ids, skip):
    text = getattr(pair.text, "text_model", pair.text)
    states = pair.text(input_ids=torch.tensor(ids), output_hidden_states=True)
    return states.last_hidden_state if skip == 1 else text.final_layer_norm(states.hidden_states[-skip])


def encode(pair, texts, case):
    """One [1, 77 n, width] for each text: all of a schedule go through the encoder together, filled up to the longest."""
    rows = [chunks_of(text) for text in texts]
    for chunks in rows:
        chunks += [(row([]), [1.0] * 77)] * (max(map(len, rows)) - len(chunks))
    parts = []
    for column in zip(*rows):
        z = hidden(pair, [ids for ids, _ in column], case.get("skip", 1))
        weighted = z * torch.tensor([weights for _, weights in column])[:, :, None]
        parts.append(weighted if case.get("emphasis") == "No norm" else weighted * (z.mean() / weighted.mean()))
    return torch.cat(parts, 1).split(1)


class Scheduled:
    def __init__(self, pair, text, case):
        self.entries = schedule(text, STEPS, 0)
        self.embeddings = encode(pair, [entry[1] for entry in self.entries], case)

    def at(self, call):
        for (until, _), embedding in zip(self.entries, self.embeddings):
            if call <= until:
                return embedding
        return self.embeddings[0]


def picture(sampling, external, pair, vae, case):
    parts = [(weight, Scheduled(pair, text, case)) for text, weight in and_parts(case["prompt"])]
    negative = Scheduled(pair, case["negative"], case)
    scale, calls = case.get("cfg", CFG), 0
    denoiser = external.DiscreteEpsDDPMDenoiser(pair.unet, alphas_cumprod(), quantize=False)
    denoiser.get_eps = lambda x, t, context: pair.unet(x, t, encoder_hidden_states=context).sample

    def predict(x, sigma):
        nonlocal calls
        contexts = [part.at(calls) for _, part in parts]
        length = max(context.shape[1] for context in contexts)
        contexts = [torch.cat([c] + [c[:, -1:]] * (length - c.shape[1]), 1) for c in contexts]
        wanted = [denoiser(x, sigma, context=context) for context in contexts]
        without = denoiser(x, sigma, context=negative.at(calls))
        alone = calls % 2 == 1 and sigma < case.get("ngms", 0) or "early" in case and calls / STEPS <= case["early"]
        calls += 1
        if alone:
            return wanted[0] + sum(w * (d - wanted[0]) for (w, _), d in zip(parts, wanted))
        if "rescale" in case:
            return rescaled(x, sigma, wanted[0], without, scale, case["rescale"])
        return without + sum(w * scale * (d - without) for (w, _), d in zip(parts, wanted))

    sigmas = denoiser.get_sigmas(STEPS)
    x = draw(generators([case["seed"]]), (4, SIDE // 8, SIDE // 8)) * sigmas[0]
    return vae.decode(sampling.sample_euler(predict, x, sigmas, disable=True) / LATENT_SCALE).sample


def rescaled(x, sigma, wanted, without, scale, share):
    """diffusers' rescaling, of the noise as it does."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
    noise = [(x - d) / sigma for d in (wanted, without)]
    guided = rescale_noise_cfg(noise[1] + scale * (noise[0] - noise[1]), noise[0], guidance_rescale=share)
    return x - sigma * guided


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    sampling, external = k_diffusion()
    pair, vae = read(str(STARTER / "starter.safetensors"))
    out = {}
    for name, case in CASES.items():
        made = picture(sampling, external, pair, vae, case)
        out[name] = (((made + 1) / 2).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        print(name, "deviation", round(out[name].float().std().item(), 1))
    path = HERE / "text_to_image/scheduled.safetensors"
    save_file(out, path, {"origin": "tests/parity/make_conditioning.py: resources/starter/starter.safetensors, transformers, diffusers, "
                                    "k-diffusion, lark; torch " + torch.__version__})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
