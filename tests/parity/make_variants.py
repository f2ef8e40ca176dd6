"""Makes tests/parity/variants/*.safetensors: whole pictures of the variants of families, by diffusers' own pipelines and schedulers.

    pictures.safetensors   the starter model with a first layer of 9 and of 8 channels (which is in the file): inpainting and instruct-pix2pix;
                           the starter drawn as a distilled model, by LCM at CFG 1; the refiner's picture and SDXL's handed over to it
    refiner.safetensors    a whole tiny checkpoint in the layout of SDXL's refiner, whose latents are those of networks/sdxl.safetensors

Run with the peers' Python (packaging/dev.sh deps --peers), after make_families.py:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_variants.py
"""
import torch
from diffusers import (EulerDiscreteScheduler, LCMScheduler, StableDiffusionInpaintPipeline, StableDiffusionInstructPix2PixPipeline,
                       StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)
from safetensors.torch import load_file, save_file

import make_families as families
import make_networks
from starter_world import HERE, LATENT_SCALE, alphas_cumprod, condition, decoded, read_starter
from networks import UNET  # noqa: I001 (starter_world shows the way)

OUT = HERE / "variants"
STEPS, SIDE, CFG, SEED = 4, 64, 5.0, 5  # 4 steps visit whole timesteps, where all programs have the same sigmas
IMAGE_CFG = 1.7
MASK_WEIGHT = .4
LCM_STEPS = 8  # which are levels of LCM's fifty


def euler(prediction="epsilon"):
    return EulerDiscreteScheduler(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", timestep_spacing="linspace",
                                  prediction_type=prediction)


def noise_of(seed, height, width):
    return torch.randn(1, 4, height, width, generator=torch.Generator().manual_seed(seed))


def to_bytes(image):
    return (image.clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def report(name, picture):
    print(name, tuple(picture.shape), "deviation", round(picture.float().std().item(), 1))
    return picture


def start_picture():
    """[1, 3, 64, 64] in steps of 1/255: slopes and a disc."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = (x - 40) ** 2 + (y - 24) ** 2 < 300
    return torch.stack([x * 4, y * 4, torch.where(disc, 230, 40)]).to(torch.uint8)[None]


def widened(unet, channels):
    wide = UNet2DConditionModel(**{**UNET, "in_channels": channels}).eval()
    state = unet.state_dict()
    more = torch.randn(state["conv_in.weight"].shape[0], channels - 4, 3, 3, generator=torch.Generator().manual_seed(channels)) * .05
    state["conv_in.weight"] = torch.cat([state["conv_in.weight"], more], 1).half().float()
    wide.load_state_dict(state)
    return wide


def wide_pictures(pair, vae, out):
    words, without = condition(pair, ["a red star"]), condition(pair, ["blue"])
    start = start_picture()
    out["start"] = start[0].permute(1, 2, 0).contiguous()
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[:, :, 16:48, 24:64] = 1
    out["mask"] = (mask[0, 0] * 255).to(torch.uint8)
    plain = start.float() / 255
    latent = vae.encode(plain * 2 - 1).latent_dist.mode() * LATENT_SCALE
    kept = vae.encode((plain * 2 - 1) * (1 - mask)).latent_dist.mode() * LATENT_SCALE
    # Where A1111 begins: noise on the start's latents, also at full strength.
    scheduler = euler()
    scheduler.set_timesteps(STEPS)
    begin = noise_of(SEED, SIDE // 8, SIDE // 8) + latent / scheduler.init_noise_sigma
    shared = dict(height=SIDE, width=SIDE, num_inference_steps=STEPS, guidance_scale=CFG, prompt_embeds=words, negative_prompt_embeds=without,
                  output_type="pt")

    nine = widened(pair.unet, 9)
    out["first_layer.9"] = nine.conv_in.weight.clone()
    pipe = StableDiffusionInpaintPipeline(vae, None, None, nine, euler(), None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    made = pipe(image=plain, mask_image=mask, masked_image_latents=kept, strength=1.0, latents=begin, **shared)
    out["inpainting"] = report("inpainting", to_bytes(made.images))
    # Text to image shows it a grey picture of which all is to be drawn.
    grey = vae.encode(torch.zeros_like(plain)).latent_dist.mode() * LATENT_SCALE
    made = pipe(image=torch.full_like(plain, .5), mask_image=torch.ones_like(mask), masked_image_latents=grey, strength=1.0,
                latents=noise_of(SEED, SIDE // 8, SIDE // 8), **shared)
    out["inpainting_text"] = report("inpainting, text to image", to_bytes(made.images))

    # Half a mask, and a picture that is hidden only in part: the pipeline would round the mask.
    soft = ((torch.arange(SIDE)[None, None, None] * 4).clamp(max=200).expand(1, 1, SIDE, SIDE) * (mask + 1) / 2).to(torch.uint8)
    out["soft_mask"] = soft[0, 0].contiguous()
    soft = soft.float() / 255
    pipe.mask_processor.register_to_config(do_binarize=False)
    for name, shown in (("inpainting_half", soft), ("inpainting_rounded", soft.round())):
        seen = plain * 2 - 1
        seen = seen + MASK_WEIGHT * (seen * (1 - shown) - seen)
        kept = vae.encode(seen).latent_dist.mode() * LATENT_SCALE
        made = pipe(image=plain, mask_image=shown, masked_image_latents=kept, strength=1.0, latents=begin, **shared)
        out[name] = report(name, to_bytes(made.images))

    eight = widened(pair.unet, 8)
    out["first_layer.8"] = eight.conv_in.weight.clone()
    pipe = StableDiffusionInstructPix2PixPipeline(vae, None, None, eight, euler(), None, None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    shared.pop("height"), shared.pop("width")
    made = pipe(image=plain, image_guidance_scale=IMAGE_CFG, latents=begin, **shared)
    out["editing"] = report("editing", to_bytes(made.images))


def distilled_picture(pair, vae, out):
    """LCM's scheduler at its own levels, and one row for each step."""
    words = condition(pair, ["a red star"])
    source = torch.Generator().manual_seed(SEED)
    scheduler = LCMScheduler(num_train_timesteps=1000, beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear")
    scheduler.alphas_cumprod = alphas_cumprod()
    x = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=source)
    scheduler.set_timesteps(timesteps=[999 - 140 * n for n in range(LCM_STEPS)])
    # A1111's sigmas begin at sigma_max, where the noise is not scaled down: k-diffusion's x is this times the root.
    level = scheduler.alphas_cumprod[999]
    x = x * ((1 - level) / level).sqrt() / (1 + (1 - level) / level).sqrt()
    for t in scheduler.timesteps:
        x = scheduler.step(pair.unet(x, t, encoder_hidden_states=words).sample, t, x, generator=source).prev_sample
    out["distilled"] = report("LCM at CFG 1", decoded(vae, x))


def make_refiner(out):
    torch.manual_seed(24)
    text, _ = families.make_text("bigG alone", 12, 3, "gelu", projection=10)
    unet, names = families.make_unet("refiner", block_out_channels=(4, 8, 8), cross_attention_dim=12, use_linear_projection=True,
                                     transformer_layers_per_block=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                                     up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time",
                                     addition_time_embed_dim=4, projection_class_embeddings_input_dim=30)
    vae, vae_state = families.make_vae(.13025)
    tensors = {**families.typed(families.open_clip(text, "conditioner.embedders.0.model."), torch.float32),
               **families.typed(families.file_state(unet, names), torch.float16), **vae_state}
    make_networks.OUT = OUT
    families.save("refiner", tensors, {**families.META, "serigraph.text.heads": "3", "serigraph.unet.heads": "2"})
    height, width = families.SIZE

    def words(parts):
        row, weights = families.token_row(parts, 0)
        made = text(row, output_hidden_states=True)
        return families.emphasised(made.hidden_states[-2], weights), made.text_embeds

    pipe = StableDiffusionXLImg2ImgPipeline(vae, None, None, None, None, unet, euler(), requires_aesthetics_score=True, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    (context, pooled), (other, other_pooled) = words(families.PROMPT), words(families.NEGATIVE)
    start = torch.nn.functional.interpolate(start_picture().float(), size=(height, width), mode="nearest").to(torch.uint8)
    out["small_start"] = start[0].permute(1, 2, 0).contiguous()
    latent = vae.encode(start.float() / 255 * 2 - 1).latent_dist.mode() * .13025
    told = dict(prompt_embeds=context, pooled_prompt_embeds=pooled, num_inference_steps=STEPS, guidance_scale=families.CFG, output_type="pt",
                original_size=families.SIZE, target_size=families.SIZE, negative_original_size=families.SIZE)
    empty = dict(negative_prompt_embeds=torch.zeros_like(context), negative_pooled_prompt_embeds=torch.zeros_like(pooled))
    blue = dict(negative_prompt_embeds=other, negative_pooled_prompt_embeds=other_pooled)
    for name, negative in (("refined", blue), ("refined_empty", empty)):
        made = pipe(image=latent, strength=.75, generator=torch.Generator().manual_seed(SEED), **told, **negative)
        out[name] = report(name, to_bytes(made.images))
    return pipe, told, empty


def sdxl():
    """The networks of networks/sdxl.safetensors and what they make of the prompt."""
    torch.manual_seed(22)  # text encoders are the first that make_families.make_sdxl makes
    first, _ = families.make_text("ViT-L", 8, 2, "quick_gelu")
    second, _ = families.make_text("bigG", 12, 3, "gelu", projection=10)
    stored = load_file(HERE / "networks/sdxl.safetensors")
    assert torch.equal(stored["conditioner.embedders.1.model.text_projection"], second.text_projection.weight.T)
    unet, names = families.make_unet("SDXL", cross_attention_dim=20, use_linear_projection=True, transformer_layers_per_block=(1, 2),
                                     down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                                     addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=34)
    vae, _ = families.make_vae(.13025)
    for network, known in ((unet, names), (vae, families.vae_names(vae))):
        network.load_state_dict({k: stored[known[k]].float().reshape(v.shape) for k, v in network.state_dict().items()})
    row_l, weights = families.token_row(families.PROMPT, families.END)
    row_g, _ = families.token_row(families.PROMPT, 0)
    out = second(row_g, output_hidden_states=True)
    words = torch.cat([families.emphasised(first(row_l, output_hidden_states=True).hidden_states[-2], weights),
                       families.emphasised(out.hidden_states[-2], weights)], 2)
    return dict(unet=unet, vae=vae, words=words, pooled=out.text_embeds)


def handed_over(refiner, told, negative, out):
    """SDXL's first steps and the refiner's last, whose latents and autoencoder are the first one's."""
    made = sdxl()
    pipe = StableDiffusionXLPipeline(made["vae"], None, None, None, None, made["unet"], euler(), add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    height, width = families.SIZE
    latents = noise_of(SEED, height // 2, width // 2)
    base = dict(height=height, width=width, num_inference_steps=STEPS, guidance_scale=families.CFG, latents=latents, output_type="latent",
                prompt_embeds=made["words"], pooled_prompt_embeds=made["pooled"],
                negative_prompt_embeds=torch.zeros_like(made["words"]), negative_pooled_prompt_embeds=torch.zeros_like(made["pooled"]))
    half = pipe(denoising_end=.5, **base).images
    refiner.register_modules(vae=made["vae"])
    whole = refiner(image=half, denoising_start=.5, **told, **negative)
    out["handed_over"] = report("handed over", to_bytes(whole.images))


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    out = {}
    pair, vae = read_starter()
    wide_pictures(pair, vae, out)
    distilled_picture(pair, vae, out)
    handed_over(*make_refiner(out), out)
    path = OUT / "pictures.safetensors"
    save_file({name: value.contiguous() for name, value in out.items()}, path,
              {"origin": "tests/parity/make_variants.py: resources/starter/starter.safetensors, networks/sdxl.safetensors, diffusers 0.42"})
    print(path, path.stat().st_size, "bytes")


main()
