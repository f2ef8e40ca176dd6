"""Makes tests/parity/image_to_image/pictures.safetensors: image-to-image, inpainting and hires fix of the starter model, by diffusers' networks,
k-diffusion's samplers and A1111's rules (which part of the schedule, where the mask acts), written here from those rules.

Run with the peers' Python (packaging/dev.sh deps --peers):
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_image_to_image.py
"""
import numpy
import torch
from PIL import Image

from starter_world import LATENT_SCALE, alphas_cumprod, condition, decoded, draw, generators, k_diffusion, read_starter, save

# The same in image_to_image_test.cpp. All with CFG 5, 64x64, prompt "a red star", negative "blue".
CASES = {
    "batch": dict(sampler="Euler", steps=5, strength=0.6, seeds=[11, 12]),
    "exact": dict(sampler="Euler a", steps=4, strength=0.5, seeds=[3], exact=True, multiplier=1.05, extra=0.1),
    "inpaint": dict(sampler="DPM++ 2M", steps=6, strength=0.75, seeds=[5], mask=True),
    "inpaint_noise": dict(sampler="Euler", steps=5, strength=1.0, seeds=[6], mask=True, fill="noise"),
    "inpaint_nothing": dict(sampler="Euler", steps=5, strength=0.8, seeds=[6], mask=True, fill="nothing", soft=True),
    "ddim": dict(sampler="DDIM", steps=8, strength=0.75, seeds=[9]),
    "soft": dict(sampler="Euler", steps=6, strength=0.8, seeds=[8], mask=True, soft=True, blend=dict(bias=1.0, strength=0.5, boost=4.0)),
    "soft_biased": dict(sampler="DPM++ 2M", steps=6, strength=0.8, seeds=[8], mask=True, soft=True,
                        blend=dict(bias=0.5, strength=1.5, boost=1.5)),
    "soft_ddim": dict(sampler="DDIM", steps=8, strength=0.75, seeds=[9], mask=True, soft=True, blend=dict(bias=0.1, strength=0.2, boost=4.0)),
    "alternative": dict(sampler="Euler", steps=5, strength=1.0, seeds=[4], search=dict(steps=7, cfg=1.0, randomness=0.0, adjusted=False)),
    "alternative_adjusted": dict(sampler="Euler", steps=5, strength=0.7, seeds=[4],
                                 search=dict(steps=6, cfg=2.0, randomness=0.3, adjusted=True)),
    "ddim_inpaint": dict(sampler="DDIM", steps=8, strength=0.75, seeds=[9], mask=True),
}
HIRES = {
    "hires": dict(sampler="Euler", steps=4, seeds=[21], up=(12, 12), mode="bilinear", antialias=True, second=3, strength=0.7),
    "hires_cut": dict(sampler="DPM++ 2M", steps=4, seeds=[22], up=(16, 16), cut=(12, 16), mode="nearest", antialias=False, second=2, strength=0.5),
    "hires_picture": dict(sampler="Euler", steps=4, seeds=[21], through=(80, 80), second=3, strength=0.7),
}
CFG = 5.0


class World:
    """The networks, and what every case shares."""

    def __init__(self, networks=None, words="a red star", without="blue"):
        self.sampling, self.external = k_diffusion()
        self.pair, self.vae = networks or read_starter()
        self.words, self.without = condition(self.pair, [words]), condition(self.pair, [without])
        self.denoiser = self.external.DiscreteEpsDDPMDenoiser(self.pair.unet, alphas_cumprod(), quantize=False)
        self.denoiser.get_eps = lambda x, t, context: self.network(x, t, context)

    def network(self, x, t, context):
        return self.pair.unet(x, t, encoder_hidden_states=context.expand(len(x), -1, -1)).sample

    def guided(self, predict):
        unguided = predict(self.without)
        return unguided + (predict(self.words) - unguided) * CFG

    def sigmas(self, sampler, steps):
        if sampler == "DPM++ 2M":
            return self.sampling.get_sigmas_karras(steps, self.denoiser.sigmas[0].item(), self.denoiser.sigmas[-1].item())
        return self.denoiser.get_sigmas(steps)

    def walk(self, sampler, x, sigmas, sources, keep=None):
        """keep(x, sigma): x with the start where nothing is drawn."""
        def predict(at, sigma):
            made = self.guided(lambda context: self.denoiser(at, sigma, context=context))
            return made if keep is None else keep(made, sigma)
        if sampler == "Euler":
            return self.sampling.sample_euler(predict, x, sigmas, disable=True)
        if sampler == "DPM++ 2M":
            return self.sampling.sample_dpmpp_2m(predict, x, sigmas, disable=True)
        return self.sampling.sample_euler_ancestral(predict, x, sigmas, disable=True, noise_sampler=lambda *_: draw(sources, x.shape[1:]))

    def ddim(self, latent, noise, steps, t_enc, keep=None):
        alphas = alphas_cumprod().double()
        grid = [min(t + 1, 999) for t in range(0, 1000, 1000 // steps)]
        level = alphas[grid[t_enc]]
        x = latent * level.sqrt().float() + noise * (1 - level).sqrt().float()
        walked = grid[:t_enc]
        for at in range(len(walked) - 1, 0, -1):
            here, after = alphas[walked[at]], alphas[walked[at - 1]]
            seen = x if keep is None else keep(x, torch.tensor(float(walked[at])))
            eps = self.guided(lambda context: self.network(seen, torch.tensor(walked[at]), context))
            clean = (x - (1 - here).sqrt().float() * eps) / here.sqrt().float()
            x = after.sqrt().float() * clean + (1 - after).sqrt().float() * eps
        return x

    def encode(self, pictures):
        x = pictures.permute(0, 3, 1, 2).float() / 255 * 2 - 1
        return self.vae.encode(x).latent_dist.mean * LATENT_SCALE

    def decode(self, latents):
        return decoded(self.vae, latents)


def t_enc_of(case):
    most = min(case["strength"], 0.999)
    if case.get("exact"):
        return int(case["steps"] / most), case["steps"] - 1
    return case["steps"], int(most * case["steps"])


def hard(start, drawn):
    return lambda x, sigma: x * drawn + start * (1 - drawn)


def soft(start, drawn, bias, strength, boost):
    """Differential inpainting as A1111 has it: what half-masked places keep falls with the noise, and what is mixed there gets the length that
    the two have in the mean of that power."""
    def keep(x, sigma):
        share = (drawn.double() ** (strength * float(sigma.flatten()[0]) ** bias)).float()
        mixed = torch.lerp(start, x, share.expand_as(x))
        lengths = [v.double().square().sum(1, keepdim=True).sqrt() for v in (start, x, mixed)]
        wanted = (lengths[0] ** boost * (1 - share) + lengths[1] ** boost * share) ** (1 / boost)
        return mixed * (wanted / (lengths[2] + 1e-5)).float()
    return keep


def found(world, search, latent, noise):
    """A1111's alternative noise: Euler's steps upwards from the picture, by the slope at the upper level or, adjusted, at the lower one, whose
    first step does nothing. The words are the picture's, and what is found is mixed with what was drawn."""
    sigmas = world.denoiser.get_sigmas(search["steps"]).flip(0)
    x = latent
    for low, high in zip(sigmas[:-1], sigmas[1:]):
        at = low if search["adjusted"] else high
        if at == 0:
            continue
        clean = [world.denoiser(x, at.expand(len(x)), context=context) for context in (world.without, world.words)]
        slope = (x - clean[0] - (clean[1] - clean[0]) * search["cfg"]) / at
        x = x + slope * (high - low)
    x = x / sigmas[-1] if search["adjusted"] else x / x.std()
    share = search["randomness"]
    return (x * (1 - share) + noise * share) / (share ** 2 + (1 - share) ** 2) ** 0.5 - latent / sigmas[-1]


MOVED = {}  # how far the latents of the soft cases went


def from_pictures(world, case, pictures, latent_mask):
    latent = world.encode(pictures[: len(case["seeds"])])
    sources = generators(case["seeds"])
    noise = draw(sources, latent.shape[1:]) * case.get("multiplier", 1)
    steps, t_enc = t_enc_of(case)
    keep = None
    if case.get("mask"):
        drawn = latent_mask.float() / 255
        if not case.get("soft"):
            drawn = drawn.round()
        if case.get("fill") == "noise":
            latent = latent * (1 - drawn) + draw(generators(case["seeds"]), latent.shape[1:]) * drawn
        if case.get("fill") == "nothing":
            latent = latent * (1 - drawn)
        keep = hard(latent, drawn) if "blend" not in case else soft(latent, drawn, **case["blend"])
    if "search" in case:
        noise = found(world, case["search"], latent, noise)
    if case["sampler"] == "DDIM":
        x = world.ddim(latent, noise, steps, t_enc, keep)
    else:
        sigmas = world.sigmas(case["sampler"], steps)[steps - t_enc - 1:]
        x = world.walk(case["sampler"], latent + noise * sigmas[0] + noise * case.get("extra", 0), sigmas, sources, keep)
    if case.get("blend"):
        MOVED[id(case)] = ((x - latent).square().sum(1)).sqrt()
        return x
    return x if keep is None else keep(x, None)


def enlarged(world, small, case):
    """Stretched latents, or those of the picture as Pillow enlarges it."""
    if "through" in case:
        pictures = [Image.fromarray(picture.numpy()).resize(case["through"], Image.Resampling.LANCZOS) for picture in world.decode(small)]
        return world.encode(torch.stack([torch.from_numpy(numpy.array(picture)) for picture in pictures]))
    options = dict(antialias=True) if case["antialias"] else {}
    latent = torch.nn.functional.interpolate(small, size=case["up"], mode=case["mode"], **options)
    if "cut" in case:
        surplus = latent.shape[2] - case["cut"][0]
        latent = latent[:, :, surplus // 2:latent.shape[2] - (surplus + 1) // 2]
    return latent


def hires(world, case):
    sources = generators(case["seeds"])
    sigmas = world.sigmas(case["sampler"], case["steps"])
    small = world.walk(case["sampler"], draw(sources, (4, 8, 8)) * sigmas[0], sigmas, sources)
    latent = enlarged(world, small, case)
    sources = generators(case["seeds"])
    noise = draw(sources, latent.shape[1:])
    total = int(case["second"] / case["strength"])
    sigmas = world.sigmas(case["sampler"], total)[total - case["second"]:]
    return world.walk(case["sampler"], latent + noise * sigmas[0], sigmas, sources)


def start_pictures():
    """Two pictures with edges and slopes, and a mask for the latents with grey at its rim."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    disc = ((x - 40) ** 2 + (y - 24) ** 2 < 300)
    first = torch.stack([x * 4, y * 4, torch.where(disc, 230, 40)], -1)
    second = torch.stack([torch.where(x + y > 70, 200, 30), 255 - x * 3, y * 2 + 60], -1)
    mask = torch.zeros(8, 8)
    mask[2:6, 3:8] = 255
    mask[2, 3:8] = 90
    mask[5, 3:8] = 160
    return torch.stack([first, second]).to(torch.uint8), mask.to(torch.uint8)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    world = World()
    pictures, latent_mask = start_pictures()
    out = {"start": pictures.contiguous(), "latent_mask": latent_mask}
    for name, case in CASES.items():
        out[name] = world.decode(from_pictures(world, case, pictures, latent_mask))
        if id(case) in MOVED:
            out[name + "_moved"] = MOVED[id(case)].contiguous()
        print(name, tuple(out[name].shape), "deviation", round(out[name].float().std().item(), 1))
    for name, case in HIRES.items():
        out[name] = world.decode(hires(world, case))
        print(name, tuple(out[name].shape), "deviation", round(out[name].float().std().item(), 1))
    save(out, __file__)


if __name__ == "__main__":
    main()
