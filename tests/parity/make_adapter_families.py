"""Makes tests/parity/adapters/{sd1,sd2,sdxl}_*: a whole LoRA for each family, and what diffusers makes of an input with it.

    <family>_lora.safetensors  a kohya LoRA (diffusers' layer names) for all text encoders and the UNet of ../networks/<family>.safetensors
    <family>_names.txt         a line a layer: kohya's name with diffusers' layout, kohya's with LDM's, and the key of the half "down" as
                               diffusers writes files (lora.down, lora_linear_layer.down) and as peft does (lora_A)
    <family>_lora_io.safetensors  inputs, and outputs with text encoders at 0.9 and UNet at 0.6

The names are those that diffusers' and peft's own functions give after they loaded kohya's file, matched by the numbers, not by the names. Asserted
here: diffusers makes the same of kohya's two spellings (SDXL; it reads the second for no other family), of its own file and of peft's.
Run with a Python that has the peers and peft:
    python tests/parity/make_adapter_families.py
"""
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_diffusers
from peft import get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

import make_families as families
from make_adapters import HERE, OUT, save
from ldm_names import UNET_PREFIX, text_names, unet_names

SCALES = {"text_encoder": .9, "text_encoder_2": .9, "unet": .6}
RANK, ALPHA = 2, 1.
TEXT_KEYS = {"text_encoder": "lora_te_", "text_encoder_2": "lora_te2_"}


def restore(module, names, state):
    with torch.no_grad():
        for key, value in module.state_dict().items():
            if key in names and not key.endswith("token_embedding.weight"):
                value.copy_(state[names[key]].float().view(value.shape))


def restore_text(text, state, prefix, is_open_clip):
    """Puts the file's tensors into transformers' module, by what make_families wrote them from."""
    held = text.state_dict()
    if not is_open_clip:
        return restore(text, {k: prefix + k.removeprefix("text_model.") for k in held if not k.endswith("position_ids")}, state)
    # Each tensor is filled with its own number; where that number ends up in the file says where it comes from.
    marked = {k: torch.full_like(v, n + 1.) for n, (k, v) in enumerate(held.items()) if not k.endswith("position_ids")}
    text.load_state_dict(marked, strict=False)
    values = {}
    for name, places in families.open_clip(text, prefix).items():
        for number in places.unique():
            key = list(held)[int(number) - 1]
            part = state[name].float()[(places == number).view(len(places), -1)[:, 0]] if places.dim() < 2 or "in_proj" in name else state[name].float()
            values[key] = (part.T if name.endswith("text_projection") else part).contiguous()
    with torch.no_grad():
        for key, value in text.state_dict().items():
            if key in values:
                value.copy_(values[key].view(value.shape))
            elif key.endswith("token_embedding.weight"):
                value.copy_(families.token_table(value.shape[1]))


@torch.no_grad()
def check_restored(made, io):
    """Against what make_families.py computed before it wrote the file."""
    for key, value in made.items():
        away = ((value - io[key]).abs().max() / io[key].abs().max()).item()
        assert away < 1e-5, (key, away)


def half(*shape):
    return (torch.randn(shape) * .5).half()


def lora_of(unet, texts):
    lora = {}

    def add(key, weight):
        out, into, *kernel = weight.shape
        lora[key + ".lora_down.weight"] = half(RANK, into, *kernel)
        lora[key + ".lora_up.weight"] = half(out, RANK, *kernel and (1, 1))
        lora[key + ".alpha"] = torch.tensor(ALPHA).half()

    for name, layer in unet.named_modules():
        if ("blocks" in name or "mid_block" in name) and hasattr(layer, "weight") and layer.weight.dim() > 1:
            add("lora_unet_" + name.replace(".", "_"), layer.weight)
    for part, text in texts.items():
        prefix = "lora_te1_" if len(texts) > 1 and part == "text_encoder" else TEXT_KEYS[part]
        for name, layer in text.named_modules():
            if "encoder.layers" in name and hasattr(layer, "weight") and layer.weight.dim() == 2:
                add(prefix + ("" if name.startswith("text_model.") else "text_model_") + name.replace(".", "_"), layer.weight)
    return lora


def styles(parts, lora):
    """[(kohya's layer, diffusers' key, peft's key)], of the half "down", matched by its numbers."""
    by_value = {value.float().numpy().tobytes(): key.removesuffix(".lora_down.weight") for key, value in lora.items() if "lora_down" in key}
    lines = []
    for part, module in parts.items():
        theirs = get_peft_model_state_dict(module, adapter_name="one")
        tidy = "" if part == "unet" or next(iter(theirs)).startswith("text_model.") else "text_model."
        peft = {tidy + k: v for k, v in theirs.items()}
        diffusers = convert_state_dict_to_diffusers(dict(peft))
        same = {v.data_ptr(): k for k, v in diffusers.items()}
        for key, value in peft.items():
            if ".lora_A." in key:
                # Its own function leaves layers outside of attention as they are, which its own reader then takes for peft's file.
                own = same[value.data_ptr()].replace(".lora_A.", ".lora.down." if part == "unet" else ".lora_linear_layer.down.")
                lines.append((by_value.pop(value.float().numpy().tobytes()), f"{part}.{own}", f"{part}.{key}"))
    assert not by_value, by_value.values()
    return sorted(lines)


def renamed(lora, lines, column):
    """The file of another style: no alpha, which is in the weights instead."""
    out = {}
    for line in lines:
        down = line[column]
        up = down.replace(".down.", ".up.").replace("lora_A", "lora_B")
        out[down] = lora[line[0] + ".lora_down.weight"].float()
        out[up] = lora[line[0] + ".lora_up.weight"].float() * (ALPHA / RANK)
    return out


def make(family, pipe, texts, unet_names, encode, unet_inputs):
    unet = pipe.unet
    lora = lora_of(unet, texts)
    io = {"x": torch.randn(1, 4, 8, 6), "t": torch.tensor([321.]), **unet_inputs}
    added = {"text_embeds": io["pooled"], "time_ids": io["sizes"][None]} if "pooled" in io else None
    parts = {"unet": unet, **texts}

    @torch.no_grad()
    def outputs():
        return {**encode(), "unet": unet(io["x"], io["t"], io["context"], added_cond_kwargs=added).sample}

    def adapted(tensors):
        pipe.load_lora_weights(dict(tensors), adapter_name="one")
        pipe.set_adapters(["one"], adapter_weights=[{part: SCALES[part] for part in parts}])
        held = sum(1 for p in parts.values() for m in p.modules() if "one" in (getattr(m, "lora_A", None) or {}))
        assert held == len(lora) // 3, (held, len(lora) // 3)
        return outputs()

    def error(a, b):
        return max(((a[k] - b[k]).abs().max() / b[k].abs().max()).item() for k in b)

    plain = outputs()
    made = adapted({k: v.float() for k, v in lora.items()})
    for name, value in made.items():
        print(family, name, "moved", ((value - plain[name]).abs().max() / plain[name].abs().max()).item())
    lines = styles(parts, lora)
    pipe.unload_lora_weights()
    assert error(outputs(), plain) == 0
    sgm = {k.rsplit(".", 1)[0].replace(".", "_"): v.removeprefix(UNET_PREFIX).rsplit(".", 1)[0].replace(".", "_") for k, v in unet_names.items()}
    spelled = [(kohya, "lora_unet_" + sgm[kohya.removeprefix("lora_unet_")] if kohya.startswith("lora_unet_") else kohya, *more)
               for kohya, *more in lines]
    others = {"diffusers": renamed(lora, spelled, 2), "peft": renamed(lora, spelled, 3)}
    if family == "sdxl":
        others["ldm"] = {line[1] + end: lora[line[0] + end].float() for line in spelled for end in (".lora_down.weight", ".lora_up.weight", ".alpha")}
    for style, tensors in others.items():
        away = error(adapted(tensors), made)
        print(family, style, "differs by", away)
        assert away < 1e-5, style
        pipe.unload_lora_weights()
    save(family + "_lora", {k: v.float() for k, v in lora.items()})  # what float16 holds
    save(family + "_lora_io", {**io, **{"out." + k: v for k, v in made.items()}})
    path = OUT / f"{family}_names.txt"
    path.write_text("".join(" ".join(line) + "\n" for line in spelled))
    print(path, path.stat().st_size, "bytes")


def make_sd1():
    torch.manual_seed(60)
    state = load_file(HERE / "networks/sd1.safetensors")
    text = CLIPTextModel(CLIPTextConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                                        max_position_embeddings=20, hidden_act="quick_gelu")).eval()
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")).eval()
    names = unet_names(unet)
    with torch.no_grad():
        for module, theirs in ((text, text_names(text)), (unet, names)):
            for key, value in module.state_dict().items():
                if key in theirs:
                    value.copy_(state[theirs[key]].float())
    pipe = StableDiffusionPipeline(vae=None, text_encoder=text, tokenizer=None, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
                                   feature_extractor=None, requires_safety_checker=False)
    tokens = torch.randint(0, 64, (1, 20))
    make("sd1", pipe, {"text_encoder": text}, names, lambda: {"text0.rows": text(tokens).last_hidden_state},
         {"context": torch.randn(1, 20, 16), "text0.tokens": tokens})


def make_sd2():
    torch.manual_seed(61)
    state = load_file(HERE / "networks/sd2.safetensors")
    text, _ = families.make_text("ViT-H", 8, 2, "gelu")
    restore_text(text, state, "cond_stage_model.model.", True)
    unet, names = families.make_unet("SD2", cross_attention_dim=8, attention_head_dim=(2, 4), use_linear_projection=True, transformer_layers_per_block=1)
    restore(unet, names, state)
    pipe = StableDiffusionPipeline(vae=None, text_encoder=text, tokenizer=None, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
                                   feature_extractor=None, requires_safety_checker=False)
    io = load_file(HERE / "networks/sd2_io.safetensors")

    def encode():
        return {"text0.rows": families.norm_of(text)(text(io["text0.tokens"], output_hidden_states=True).hidden_states[-2])}

    check_restored(encode(), io)
    make("sd2", pipe, {"text_encoder": text}, names, encode, {"context": torch.randn(1, 9, 8)})


def make_sdxl():
    torch.manual_seed(62)
    state = load_file(HERE / "networks/sdxl.safetensors")
    first, _ = families.make_text("ViT-L", 8, 2, "quick_gelu")
    second, _ = families.make_text("bigG", 12, 3, "gelu", projection=10)
    restore_text(first, state, "conditioner.embedders.0.transformer.text_model.", False)
    restore_text(second, state, "conditioner.embedders.1.model.", True)
    unet, names = families.make_unet("SDXL", cross_attention_dim=20, use_linear_projection=True, transformer_layers_per_block=(1, 2),
                                     down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                                     addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=34)
    restore(unet, names, state)
    pipe = StableDiffusionXLPipeline(vae=None, text_encoder=first, text_encoder_2=second, tokenizer=None, tokenizer_2=None, unet=unet,
                                     scheduler=DDIMScheduler(), add_watermarker=False)
    io = load_file(HERE / "networks/sdxl_io.safetensors")

    def encode():
        out = second(io["text1.tokens"], output_hidden_states=True)
        return {"text0.rows": first(io["text0.tokens"], output_hidden_states=True).hidden_states[-2], "text1.rows": out.hidden_states[-2],
                "text1.pooled": out.text_embeds}

    check_restored(encode(), io)
    make("sdxl", pipe, {"text_encoder": first, "text_encoder_2": second}, names, encode,
         {"context": torch.randn(1, 9, 20), "pooled": torch.randn(1, 10), "sizes": io["unet.sizes"]})


if __name__ == "__main__":
    make_sd1()
    make_sd2()
    make_sdxl()
