"""The three stages of training: `vae`, `latents`, `unet`. Each goes on from RUN/<stage>.pt where that is there.

The same machine kind, torch and thread count give the same weights: every step seeds all generators with its own
number, so that a run which was stopped and resumed equals one which was not.
"""
import copy
import math
import os
import random
import time
from multiprocessing import Pool

import numpy as np
import torch
import torch.nn.functional as F

from networks import TextAndUNet, alphas_cumprod, make_vae, trained_vae
from pictures import training_picture
from tokens import encode

VAE_PICTURES, VAE_BATCH, VAE_CROP, VAE_RATE = 6000, 16, 64, 2e-3
UNET_BATCH, EMPTY_CAPTIONS, NOISE_OFFSET = 32, 0.1, 0.1
SAVE_EVERY = 100


def set_up(threads, device):
    """Makes torch deterministic; call it first."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device(device)


def _pixels_and_caption(seed):
    picture, caption = training_picture(seed)
    return np.asarray(picture), caption


def drawn(seeds):
    """Training pictures (uint8 [128, 128, 3]) with captions, drawn by all cores, in the order of the seeds."""
    with Pool() as pool:
        yield from pool.imap(_pixels_and_caption, seeds, chunksize=64)


def to_tensor(pixels):
    """float32 [N, 3, H, W] in -1..1 from uint8 [N, H, W, 3]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def rate_factor(step, steps, warm=100):
    return min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


class Progress:
    """One line every SAVE_EVERY steps."""

    def __init__(self, stage, first, steps):
        self.stage, self.first, self.steps = stage, first, steps
        self.begun, self.losses = time.time(), []

    def line(self, done):
        each = (time.time() - self.begun) / (done - self.first)
        loss, left = np.mean(self.losses), each * (self.steps - done) / 60
        self.losses.clear()
        print(f"{self.stage} {done}/{self.steps}  loss {loss:.4f}  {each:.2f} s/step  {left:.0f} min left", flush=True)


def save(path, content):
    """Whole or not at all: a run may be stopped at any moment."""
    torch.save(content, path + ".new")
    os.replace(path + ".new", path)


@torch.no_grad()
def follow(average, module, step):
    """Moves the average of the weights towards the weights, faster at the start."""
    keep = min(0.999, (step + 1) / (step + 20))
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - keep)


def train(stage, run, steps, module, rate, loss_of, average=None, betas=(0.9, 0.999)):
    """Minimises loss_of(rng) over module's parameters and leaves RUN/<stage>.pt."""
    path, first = os.path.join(run, stage + ".pt"), 0
    optimiser = torch.optim.AdamW(module.parameters(), weight_decay=0, betas=betas)
    if os.path.exists(path):
        old = torch.load(path)
        first = old["step"]
        module.load_state_dict(old["module"])
        optimiser.load_state_dict(old["optimiser"])
        if average is not None:
            average.load_state_dict(old["ema"])
        print(f"{stage}: {path} holds {first} steps", flush=True)
    progress = Progress(stage, first, steps)
    for step in range(first, steps):
        torch.manual_seed(step)
        for group in optimiser.param_groups:
            group["lr"] = rate * rate_factor(step, steps)
        loss = loss_of(random.Random(step))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        progress.losses.append(loss.item())
        if average is not None:
            follow(average, module, step)
        done = step + 1
        if done % SAVE_EVERY == 0 or done == steps:
            progress.line(done)
            state = dict(step=done, module=module.state_dict(), optimiser=optimiser.state_dict())
            save(path, state | (dict(ema=average.state_dict()) if average is not None else {}))


def edges(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def train_vae(run, steps, device):
    """Squared and absolute error, plus the absolute error of neighbours' differences (sharp rims), plus a little KL."""
    pixels = np.stack([picture for picture, _ in drawn(range(VAE_PICTURES))])
    vae = make_vae().to(device, memory_format=torch.channels_last)

    def loss_of(rng):
        crops = np.empty((VAE_BATCH, VAE_CROP, VAE_CROP, 3), np.uint8)
        for crop in crops:
            y, x = (rng.randrange(pixels.shape[1] - VAE_CROP + 1) for _ in range(2))
            crop[:] = pixels[rng.randrange(len(pixels)), y : y + VAE_CROP, x : x + VAE_CROP]
        real = to_tensor(crops).to(device).contiguous(memory_format=torch.channels_last)
        encoded = vae.encode(real).latent_dist
        made = vae.decode(encoded.sample()).sample
        rims = sum(F.l1_loss(a, b) for a, b in zip(edges(made), edges(real)))
        return F.mse_loss(made, real) + 0.5 * F.l1_loss(made, real) + 0.5 * rims + 1e-4 * encoded.kl().mean() / 256

    train("vae", run, steps, vae, VAE_RATE, loss_of)


@torch.no_grad()
def make_latents(run, count, device):
    """RUN/latents.pt: latents float16 [count, 4, 16, 16] with mean 0 and deviation 1 in each channel, their captions,
    and the means and deviations that were taken out."""
    vae, means, captions, waiting = trained_vae(run).to(device), [], [], []

    def encode_waiting():
        means.append(vae.encode(to_tensor(np.stack(waiting)).to(device)).latent_dist.mean.half().cpu())
        waiting.clear()
        print(f"latents {len(captions)}/{count}", flush=True)

    for pixels, caption in drawn(range(count)):
        waiting.append(pixels)
        captions.append(caption)
        if len(waiting) == 64:
            encode_waiting()
    if waiting:
        encode_waiting()
    latents = torch.cat(means).float()
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    latents = (latents - mean.view(1, 4, 1, 1)) / deviation.view(1, 4, 1, 1)
    save(
        os.path.join(run, "latents.pt"),
        dict(latents=latents.half(), captions=captions, mean=mean, deviation=deviation),
    )
    print("mean", mean.tolist(), "deviation", deviation.tolist())


def train_unet(run, steps, rate, device):
    """Text encoder and UNet together, on the noise that was added (eps).

    High noise decides what words decide, and an eps loss hardly sees it: hence times drawn towards high noise, and a
    weight of (min(SNR, 5) + 1) / SNR, at most 25. An offset in the noise keeps the mean of a picture from showing
    through it at every step; without it words are not needed to guess a plain ground.
    """
    pool = torch.load(os.path.join(run, "latents.pt"))
    latents, tokens, empty = pool["latents"], encode(pool["captions"]), encode([""])[0]
    alphas = alphas_cumprod()
    ratios = alphas / (1 - alphas)
    pair = TextAndUNet().to(device)
    average = copy.deepcopy(pair).requires_grad_(False)
    pair.unet.to(memory_format=torch.channels_last)

    def loss_of(_):
        picked = torch.randint(len(latents), (UNET_BATCH,))
        clean = latents[picked].float()
        words = torch.where((torch.rand(UNET_BATCH) < EMPTY_CAPTIONS)[:, None], empty, tokens[picked])
        noise = torch.randn_like(clean) + NOISE_OFFSET * torch.randn(UNET_BATCH, 4, 1, 1)
        t = (1000 * torch.rand(UNET_BATCH) ** 0.6).long()
        alpha = alphas[t].view(-1, 1, 1, 1)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        noisy = noisy.to(device).contiguous(memory_format=torch.channels_last)
        guess = pair(noisy, t.to(device), words.to(device))
        weight = ((ratios[t].clamp(max=5) + 1) / ratios[t]).clamp(max=25).to(device)
        return (weight * (guess - noise.to(device)).pow(2).mean((1, 2, 3))).mean()

    train("unet", run, steps, pair, rate, loss_of, average, betas=(0.9, 0.99))
