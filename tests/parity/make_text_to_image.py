"""Makes tests/parity/text_to_image/pictures.safetensors: whole pictures of the starter model, by diffusers' networks and k-diffusion's samplers,
with A1111's noise, emphasis and rounding.

Run with the peers' Python (packaging/dev.sh deps --peers):
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_text_to_image.py
"""
import torch
from diffusers import DDIMScheduler

from starter_world import alphas_cumprod, condition, decoded, draw, generators, k_diffusion, read_starter, save, slerp

# The same in text_to_image_test.cpp.
CASES = {
    "karras": dict(sampler="DPM++ 2M", prompt="a (red:1.3) star on a [white] background", negative="blue", seeds=[42, 43], cfg=5.0, size=(64, 64)),
    "ancestral": dict(sampler="Euler a", prompt="a green ring", negative="", seeds=[7], cfg=7.5, size=(64, 48), variation=(99, 0.3)),
    "ddim": dict(sampler="DDIM", prompt="a [blue] square", negative="(red)", seeds=[1], cfg=4.0, size=(48, 64)),
}
STEPS = 5


def sample(sampling, external, pair, case):
    words = condition(pair, [case["prompt"]])
    without = condition(pair, [case["negative"]])
    width, height = case["size"]
    shape = (4, height // 8, width // 8)
    sources = generators(case["seeds"])
    noise = draw(sources, shape)
    if "variation" in case:
        seed, strength = case["variation"]
        others = draw(generators([seed + i for i in range(len(case["seeds"]))]), shape)
        noise = torch.stack([slerp(strength, a, b) for a, b in zip(noise, others)])
    batch = len(noise)

    def guided(predict):
        with_words, unguided = predict(words.expand(batch, -1, -1)), predict(without.expand(batch, -1, -1))
        return unguided + (with_words - unguided) * case["cfg"]

    def network(x, t, context):
        return pair.unet(x, t, encoder_hidden_states=context).sample

    if case["sampler"] == "DDIM":
        scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                                  set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading")
        scheduler.set_timesteps(STEPS)
        x = noise
        for t in scheduler.timesteps[:-1]:
            x = scheduler.step(guided(lambda context: network(x, t, context)), t, x).prev_sample
        return x
    denoiser = external.DiscreteEpsDDPMDenoiser(pair.unet, alphas_cumprod(), quantize=False)
    denoiser.get_eps = lambda x, t, context: network(x, t, context)

    def predict(x, sigma):
        return guided(lambda context: denoiser(x, sigma, context=context))

    if case["sampler"] == "DPM++ 2M":
        low, high = denoiser.sigmas[0].item(), denoiser.sigmas[-1].item()
        sigmas = sampling.get_sigmas_karras(STEPS, low, high)
        return sampling.sample_dpmpp_2m(predict, noise * sigmas[0], sigmas, disable=True)
    sigmas = denoiser.get_sigmas(STEPS)
    return sampling.sample_euler_ancestral(predict, noise * sigmas[0], sigmas, disable=True, noise_sampler=lambda *_: draw(sources, shape))


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    sampling, external = k_diffusion()
    pair, vae = read_starter()
    out = {}
    for name, case in CASES.items():
        latents = sample(sampling, external, pair, case)
        out[name] = decoded(vae, latents)
        print(name, tuple(out[name].shape), "deviation", round(out[name].float().std().item(), 1))
    save(out, __file__)


main()
