"""The starter model's three networks, as diffusers and transformers build them, and their names in a single file."""
import os

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

LATENT_SCALE = 0.18215  # Stable Diffusion 1's, which every reader assumes

VAE = dict(
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    block_out_channels=(16, 32, 64, 64),
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=4,  # a group of one channel cannot carry colour: keep four or more channels in each
)
UNET = dict(
    sample_size=16,
    layers_per_block=1,
    block_out_channels=(64, 96, 128),
    cross_attention_dim=64,
    attention_head_dim=8,  # diffusers means the number of heads
    norm_num_groups=8,
    down_block_types=("CrossAttnDownBlock2D",) * 3,
    up_block_types=("CrossAttnUpBlock2D",) * 3,
)
TEXT = dict(
    vocab_size=49408,
    hidden_size=64,
    intermediate_size=256,
    num_hidden_layers=4,
    num_attention_heads=1,
    max_position_embeddings=77,
    hidden_act="quick_gelu",
    projection_dim=64,
    bos_token_id=49406,
    eos_token_id=49407,
)

RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION_PARTS = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def alphas_cumprod():
    """float32 [1000]: Stable Diffusion's scaled-linear schedule."""
    roots = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64)
    return torch.cumprod(1 - roots**2, 0).float()


class TextAndUNet(torch.nn.Module):
    """The text encoder and the UNet, which are trained together."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.text, self.unet = CLIPTextModel(CLIPTextConfig(**TEXT)), UNet2DConditionModel(**UNET)
        # A1111's emphasis divides by the mean of the conditioning, which a fresh norm makes zero: keep it off zero.
        last = getattr(self.text, "text_model", self.text).final_layer_norm
        torch.nn.init.constant_(last.bias, 0.5)

    def condition(self, tokens):
        return self.text(input_ids=tokens).last_hidden_state

    def forward(self, noisy, t, tokens):
        return self.unet(noisy, t, encoder_hidden_states=self.condition(tokens)).sample


def make_vae():
    torch.manual_seed(0)
    return AutoencoderKL(**VAE)


def trained_vae(run):
    """The VAE of a run's vae.pt, on the CPU."""
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(os.path.join(run, "vae.pt"), map_location="cpu")["module"])
    return vae


def unet_modules():
    """{module in diffusers: module in the single file} for a UNet with transformers on every level."""
    levels, layers = len(UNET["block_out_channels"]), UNET["layers_per_block"]
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    block = 1
    for level in range(levels):
        for layer in range(layers):
            names[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{block}.0"
            names[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{block}.1"
            block += 1
        if level < levels - 1:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{block}.0.op"
            block += 1
    block = 0
    for level in range(levels):
        for layer in range(layers + 1):
            names[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{block}.0"
            names[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{block}.1"
            if layer == layers and level < levels - 1:
                names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{block}.2.conv"
            block += 1
    return names


def unet_tensors(unet):
    modules, named = unet_modules(), {}
    for key, tensor in unet.state_dict().items():
        module = max((m for m in modules if key.startswith(m + ".")), key=len)
        rest = key[len(module) + 1 :]
        if ".resnets." in module:
            part, _, leaf = rest.partition(".")
            rest = f"{RESNET_PARTS[part]}.{leaf}"
        named[f"model.diffusion_model.{modules[module]}.{rest}"] = tensor
    return named


def vae_name(key):
    levels = len(VAE["block_out_channels"])
    key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    key = key.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
    for ours, theirs in ATTENTION_PARTS.items():
        key = key.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    for i in range(levels):
        up = levels - 1 - i
        key = key.replace(f"down_blocks.{i}.resnets.", f"down.{i}.block.")
        key = key.replace(f"down_blocks.{i}.downsamplers.0", f"down.{i}.downsample")
        key = key.replace(f"up_blocks.{i}.resnets.", f"up.{up}.block.")
        key = key.replace(f"up_blocks.{i}.upsamplers.0", f"up.{up}.upsample")
    return "first_stage_model." + key


def vae_tensors(vae):
    named = {}
    for key, tensor in vae.state_dict().items():
        if ".attentions." in key and tensor.dim() == 2:
            tensor = tensor[:, :, None, None]  # the single file has 1x1 convolutions there
        named[vae_name(key)] = tensor
    return named


def text_tensors(text):
    named = {}
    for key, tensor in text.state_dict().items():
        if "position_ids" not in key:
            key = key if key.startswith("text_model.") else "text_model." + key
            named["cond_stage_model.transformer." + key] = tensor
    return named


def single_file(pair, vae):
    """{name in a Stable Diffusion 1 file: tensor}; the tensors are the networks' own, not copies."""
    return unet_tensors(pair.unet) | vae_tensors(vae) | text_tensors(pair.text)


@torch.no_grad()
def read(path):
    """(text encoder and UNet, VAE), in float32, of a file that `export` wrote."""
    pair, vae, held = TextAndUNet().eval(), make_vae().eval(), load_file(path)
    named = single_file(pair, vae)
    if named.keys() != held.keys():
        raise SystemExit(f"{path}: not the starter model's layout: {sorted(named.keys() ^ held.keys())[:4]} …")
    for key, tensor in named.items():
        tensor.copy_(held[key])
    return pair, vae
