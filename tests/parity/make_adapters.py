"""Makes tests/parity/adapters/*: what LoRAs of every kind make of weights, by other implementations.

    kinds.safetensors    four tiny layers, two random networks of each kind (with kohya's keys) and the weights that
                         result from the first at 0.7 and then the second at -0.5: peft where it has the kind, otherwise
                         the formula spelled out with explicit matrices and sums
    kohya.safetensors    a kohya LoRA for the text encoder and UNet of ../networks/sd1.safetensors
    kohya_io.safetensors what both make of an input when diffusers has loaded it
    *_layers.txt         kohya's and diffusers' layer names and the checkpoint's, from diffusers' own conversion of
                         whole checkpoints

Run with a Python that has the peers and peft:
    python tests/parity/make_adapters.py
"""
import collections
import copy
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "adapters"
MULTIPLIERS = (.7, -.5)
torch.set_num_threads(1)
torch.manual_seed(20261123)
rand = torch.randn

LAYERS = {"linear": torch.nn.Linear(6, 4), "conv": torch.nn.Conv2d(4, 6, 3), "pointwise": torch.nn.Conv2d(6, 8, 1),
          "norm": torch.nn.LayerNorm(6)}
for module in LAYERS.values():
    for parameter in module.parameters():
        parameter.data = rand(parameter.shape)


def f32(tensors):
    return {k: v.detach().float().contiguous() for k, v in tensors.items()}


# ---- peft: (weight, factory of a fresh random network) -> parts and the function that merges them

PEFT_ENDINGS = {"lora_A": "lora_down.weight", "lora_B": "lora_up.weight", "lora_magnitude_vector": "dora_scale"}


def peft_network(layer, config, parts_of):
    from peft import get_peft_model

    def model_of(weight):
        module = copy.deepcopy(LAYERS[layer]).double()
        module.weight.data = weight.clone()
        return get_peft_model(torch.nn.Sequential(collections.OrderedDict(layer=module)), config).double()

    model = model_of(LAYERS[layer].weight.data.double())
    state = {}
    for name, value in model.named_parameters():
        if ".default" not in name and "ia3_" not in name:
            continue
        if "magnitude" in name:
            state[name] = (value * (1 + .3 * torch.rand(value.shape))).float().double()
        else:
            state[name] = rand(value.shape).double() * .6

    def merge(weight):
        fresh = model_of(weight)
        with torch.no_grad():
            for name, value in fresh.named_parameters():
                if name in state:
                    value.copy_(state[name].float().double())
        return fresh.merge_and_unload().layer.weight.data

    return parts_of({name.split("layer.")[1]: value.float() for name, value in state.items()}), merge


def lora_parts(alpha, dora=False):
    def parts(state):
        out = {"alpha": torch.tensor(float(alpha))}
        for name, value in state.items():
            kind = name.split(".")[0]
            if kind == "lora_magnitude_vector":
                # LyCORIS's way to write lengths of rows.
                value = value.reshape([-1] + [1] * 3) if value.dim() == 4 else value.reshape(-1, 1)
            out[PEFT_ENDINGS[kind]] = value
        return out
    return parts


def same_parts(alpha):
    return lambda state: {"alpha": torch.tensor(float(alpha)), **{n.split(".")[0]: v for n, v in state.items()}}


def peft_kinds():
    from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig
    target = dict(target_modules=["layer"])
    lora = lambda layer, r, alpha, **more: peft_network(layer, LoraConfig(r=r, lora_alpha=alpha, **target, **more), lora_parts(alpha))
    yield "lora", {layer: lambda l=layer: lora(l, 3, 1.5) for layer in ("linear", "conv", "pointwise")}
    yield "dora", {layer: lambda l=layer: lora(l, 2, 3, use_dora=True) for layer in ("linear", "conv")}
    loha = lambda layer, **more: peft_network(layer, LoHaConfig(r=2, alpha=3, **target, **more), same_parts(3))
    yield "loha", {"linear": lambda: loha("linear"), "conv": lambda: loha("conv"), "pointwise": lambda: loha("pointwise")}
    yield "loha_t", {"conv": lambda: loha("conv", use_effective_conv2d=True)}
    lokr = lambda layer, r=1, **more: peft_network(layer, LoKrConfig(r=r, alpha=3, **target, **more), same_parts(3))
    yield "lokr", {"linear": lambda: lokr("linear"), "conv": lambda: lokr("conv"), "pointwise": lambda: lokr("pointwise")}
    yield "lokr_both", {"linear": lambda: lokr("linear", decompose_both=True)}
    yield "lokr_t", {"conv": lambda: lokr("conv", use_effective_conv2d=True)}

    def ia3(layer, on_input):
        def parts(state):
            (value,) = state.values()
            return {"weight": value.flatten() - 1, "on_input": torch.tensor(float(on_input))}
        return peft_network(layer, IA3Config(**target, feedforward_modules=["layer"] if on_input else []), parts)
    yield "ia3", {"linear": lambda: ia3("linear", True), "pointwise": lambda: ia3("pointwise", False)}
    yield "ia3_out", {"linear": lambda: ia3("linear", False), "pointwise": lambda: ia3("pointwise", True)}


# ---- formulas: parts and a function from weight to changed weight, in float64 with numpy

def own(parts, merge):
    parts = {k: v.float() for k, v in parts.items()}
    a = {k: v.double().numpy() for k, v in parts.items()}
    return parts, lambda weight: torch.from_numpy(np.ascontiguousarray(merge(weight.numpy(), a)))


def locon_mid():
    def merge(w, a):
        change = np.zeros_like(w)
        up, down, mid = a["lora_up.weight"][:, :, 0, 0], a["lora_down.weight"][:, :, 0, 0], a["lora_mid.weight"]
        for y in range(3):
            for x in range(3):
                change[:, :, y, x] = up @ mid[:, :, y, x] @ down
        return w + change * (a["alpha"] / 2)
    return own({"lora_up.weight": rand(6, 2, 1, 1), "lora_down.weight": rand(2, 4, 1, 1), "lora_mid.weight": rand(2, 2, 3, 3),
                "alpha": torch.tensor(1.)}, merge)


def lora_scale():
    return own({"lora_up.weight": rand(4, 2), "lora_down.weight": rand(2, 6), "alpha": torch.tensor(8.), "scale": torch.tensor(.25),
                "bias": rand(4, 6)}, lambda w, a: w + (a["lora_up.weight"] @ a["lora_down.weight"] + a["bias"]) * .25)


def dora_columns(shape, kernel):
    """A1111's reading, which is right for LyCORIS's lengths of columns."""
    out, into = shape

    def merge(w, a):
        v = w + (a["lora_up.weight"].reshape(out, -1) @ a["lora_down.weight"].reshape(2, -1)).reshape(w.shape) * (a["alpha"] / 2)
        for i in range(into):
            v[:, i] *= a["dora_scale"].ravel()[i] / np.sqrt((v[:, i] ** 2).sum())
        return v
    parts = {"lora_up.weight": rand(out, 2, *kernel and (1, 1)), "lora_down.weight": rand(2, into, *kernel), "alpha": torch.tensor(1.),
             "dora_scale": torch.rand(1, into, *kernel and (1, 1)) + 1}
    return own(parts, merge)


def lokr_full():
    """Two whole factors: alpha has no say."""
    return own({"lokr_w1": rand(2, 3), "lokr_w2": rand(2, 2), "alpha": torch.tensor(5.)}, lambda w, a: w + np.kron(a["lokr_w1"], a["lokr_w2"]))


def lokr_conv_full():
    def merge(w, a):
        out = w.copy()
        for o in range(6):
            for i in range(4):
                out[o, i] += a["lokr_w1"][o // 2, i // 2] * a["lokr_w2"][o % 2, i % 2]
        return out
    return own({"lokr_w1": rand(3, 2), "lokr_w2": rand(2, 2, 3, 3)}, merge)


def full(shape, bias):
    return own({"diff": rand(shape), "diff_b": rand(bias)}, lambda w, a: w + a["diff"])


def norm():
    return own({"w_norm": rand(6), "b_norm": rand(6)}, lambda w, a: w + a["w_norm"])


def glora(out, into, kernel=()):
    ones = kernel and (1, 1)

    def merge(w, a):
        a = {k[:2]: v.reshape(v.shape[0], -1) for k, v in a.items() if k != "alpha"}
        inner = a["a2"] @ a["a1"]
        flat = w.reshape(out, into, -1)
        new = flat.copy()
        for k in range(flat.shape[2]):
            new[:, :, k] += flat[:, :, k] @ inner
        return new.reshape(w.shape) + (a["b2"] @ a["b1"]).reshape(w.shape)
    return own({"a1.weight": rand(2, into, *ones), "a2.weight": rand(into, 2, *ones), "b1.weight": rand(2, into, *kernel),
                "b2.weight": rand(out, 2, *ones), "alpha": torch.tensor(7.)}, merge)


def cayley(blocks, limit):
    skew = blocks - np.swapaxes(blocks, -1, -2)
    if limit:
        length = np.sqrt((skew ** 2).sum())
        skew = skew * (min(length, limit) + 1e-8) / (length + 1e-8)
    one = np.eye(blocks.shape[-1])
    return np.stack([(one + q) @ np.linalg.inv(one - q) for q in skew.reshape(-1, *blocks.shape[-2:])]).reshape(blocks.shape)


def block_diagonal(blocks):
    count, side = blocks.shape[:2]
    whole = np.zeros((count * side, count * side))
    for n, block in enumerate(blocks):
        whole[n * side:(n + 1) * side, n * side:(n + 1) * side] = block
    return whole


def oft(count, side, alpha=None, rescale=False, stored=False):
    key = "oft_diag" if stored else "oft_blocks"

    def merge(w, a):
        turns = a[key] if stored else cayley(a[key], a["alpha"] * count * side if alpha else 0)
        new = (block_diagonal(turns).T @ w.reshape(w.shape[0], -1)).reshape(w.shape)
        return new * a["rescale"].reshape([-1] + [1] * (w.ndim - 1)) if rescale else new
    parts = {key: rand(count, side, side) * .5}
    if alpha:
        parts["alpha"] = torch.tensor(alpha)
    if rescale:
        parts["rescale"] = torch.rand(count * side, 1) + .5
    return own(parts, merge)


def boft(levels, count, side, alpha=None):
    def merge(w, a):
        rows = count * side
        flat = w.reshape(rows, -1)
        for level, turns in enumerate(cayley(a["oft_blocks"], a["alpha"] * rows if alpha else 0)):
            apart = 2 ** level * side // 2
            # Row (c, g, k) of the weight is row (c, k, g) of what the blocks turn.
            order = np.arange(rows).reshape(-1, 2, apart).transpose(0, 2, 1).ravel()
            permutation = np.zeros((rows, rows))
            permutation[np.arange(rows), order] = 1
            flat = permutation.T @ block_diagonal(turns) @ permutation @ flat
        return flat.reshape(w.shape)
    parts = {"oft_blocks": rand(levels, count, side, side) * .5}
    if alpha:
        parts["alpha"] = torch.tensor(alpha)
    return own(parts, merge)


def own_kinds():
    yield "locon_mid", {"conv": locon_mid}
    yield "lora_scale", {"linear": lora_scale}
    yield "dora_columns", {"linear": lambda: dora_columns((4, 6), ()), "conv": lambda: dora_columns((6, 4), (3, 3))}
    yield "lokr_full", {"linear": lokr_full, "conv": lokr_conv_full}
    yield "full", {"linear": lambda: full((4, 6), 4), "conv": lambda: full((6, 4, 3, 3), 6), "norm": lambda: full((6,), 6)}
    yield "norm", {"norm": norm}
    yield "glora", {"linear": lambda: glora(4, 6), "conv": lambda: glora(6, 4, (3, 3))}
    yield "oft", {"linear": lambda: oft(2, 2), "conv": lambda: oft(3, 2, alpha=.02), "pointwise": lambda: oft(2, 4, rescale=True)}
    yield "oft_old", {"linear": lambda: oft(2, 2, stored=True), "conv": lambda: oft(3, 2, stored=True)}
    yield "boft", {"linear": lambda: boft(2, 2, 2), "conv": lambda: boft(1, 3, 2, alpha=.05), "pointwise": lambda: boft(2, 2, 4)}


def make_kinds():
    data = {}
    for layer, module in LAYERS.items():
        data[f"base/{layer}.weight"], data[f"base/{layer}.bias"] = module.weight.data, module.bias.data
    for kind, layers in [*peft_kinds(), *own_kinds()]:
        for layer, make in layers.items():
            weight, bias = LAYERS[layer].weight.data.double(), LAYERS[layer].bias.data.double()
            for name, multiplier in zip("ab", MULTIPLIERS):
                parts, merge = make()
                weight = weight + multiplier * (merge(weight) - weight)
                for part, value in parts.items():
                    data[f"{kind}/{name}/lora_unet_{layer}.{part}"] = value
                    if part in ("diff_b", "b_norm"):
                        bias = bias + multiplier * value.double()
            moved = (weight - LAYERS[layer].weight.data).abs().max()
            assert .1 < moved < 100, f"{kind} {layer}: {moved}"
            data[f"{kind}/out/{layer}.weight"] = weight
            data[f"{kind}/out/{layer}.bias"] = bias
    save("kinds", f32(data))


# ---- a whole text encoder and UNet

def make_whole():
    import make_networks as networks
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel
    from ldm_names import text_names, unet_names

    state = load_file(HERE / "networks" / "sd1.safetensors")
    text = CLIPTextModel(CLIPTextConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                                        max_position_embeddings=20, hidden_act="quick_gelu")).eval()
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")).eval()
    with torch.no_grad():
        for module, names in ((text, text_names(text)), (unet, unet_names(unet))):
            for key, value in module.state_dict().items():
                if key in names:
                    value.copy_(state[names[key]].float())
    lora = {}

    def add(prefix, module, wanted):
        for name, layer in module.named_modules():
            if not wanted(name) or not hasattr(layer, "weight") or layer.weight.dim() < 2:
                continue
            key = prefix + name.replace(".", "_")
            out, into, *kernel = layer.weight.shape
            lora[key + ".lora_down.weight"] = rand(2, into, *kernel) * .5
            lora[key + ".lora_up.weight"] = rand(out, 2, *kernel and (1, 1)) * .5
            lora[key + ".alpha"] = torch.tensor(1.)

    tidy = lambda name: name if name.startswith("text_model.") else "text_model." + name
    for name, layer in text.named_modules():
        if "encoder.layers" in name and hasattr(layer, "weight") and layer.weight.dim() == 2:
            key = "lora_te_" + tidy(name).replace(".", "_")
            out, into = layer.weight.shape
            lora |= {key + ".lora_down.weight": rand(2, into) * .5, key + ".lora_up.weight": rand(out, 2) * .5, key + ".alpha": torch.tensor(1.)}
    add("lora_unet_", unet, lambda name: "blocks" in name or "mid_block" in name)
    pipe = StableDiffusionPipeline(vae=None, text_encoder=text, tokenizer=None, unet=unet, scheduler=DDIMScheduler(),
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    io = {"tokens": torch.randint(0, 64, (1, 20)), "x": rand(1, 4, 8, 12), "t": torch.tensor([321.]), "context": rand(1, 20, 16)}

    def outputs():
        with torch.no_grad():
            return text(io["tokens"]).last_hidden_state, unet(io["x"], io["t"], io["context"]).sample

    plain = outputs()
    pipe.load_lora_weights(dict(lora), adapter_name="one")
    pipe.set_adapters(["one"], adapter_weights=[{"text_encoder": .9, "unet": .6}])
    adapted = sum(1 for m in [*unet.modules(), *text.modules()] if "one" in (getattr(m, "lora_A", None) or {}))
    assert adapted == len(lora) // 3, (adapted, len(lora) // 3)
    io["text"], io["unet"] = outputs()
    for before, after in zip(plain, (io["text"], io["unet"])):
        print("moved", (before - after).abs().max().item(), "of", before.abs().max().item())
    save("kohya", {k: v.half() for k, v in lora.items()})
    # Again with what float16 left of it.
    pipe.unload_lora_weights()
    pipe.load_lora_weights({k: v.half().float() for k, v in lora.items()}, adapter_name="two")
    pipe.set_adapters(["two"], adapter_weights=[{"text_encoder": .9, "unet": .6}])
    io["text"], io["unet"] = outputs()
    save("kohya_io", io)


def save(name, tensors):
    path = OUT / f"{name}.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    path.chmod(0o644)
    print(f"{path}: {path.stat().st_size} bytes")


# ---- names

def layer_lines(prefix, theirs_to_ours, seen=("transformer_blocks_0_", "transformer_blocks_1_")):
    for theirs, ours in sorted(theirs_to_ours.items()):
        flat = theirs.replace(".", "_")
        if "transformer_blocks_" in flat and not any(s in flat for s in seen):
            continue
        yield f"{prefix}{flat} {theirs} {ours}"


def make_names():
    from diffusers import UNet2DConditionModel
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection
    from ldm_names import UNET_PREFIX, unet_names
    xl = dict(block_out_channels=(320, 640, 1280), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
              up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
              cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True, addition_embed_type="text_time",
              addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
    for name, config in (("sd1", dict(cross_attention_dim=768)), ("sdxl", xl)):
        with torch.device("meta"):
            unet = UNet2DConditionModel(**config)
        add = {k: UNET_PREFIX + "label_emb.0." + ("0" if "linear_1" in k else "2") + k[k.rindex("."):] for k in unet.state_dict() if k.startswith("add_embedding")}
        plain = copy.deepcopy(unet)
        if add:
            del plain.add_embedding
        names = {**unet_names(plain), **add}
        marks = {ours: torch.tensor([float(n)]) for n, ours in enumerate(names.values())}
        back = {float(v): k for k, v in marks.items()}
        converted = convert_ldm_unet_checkpoint(dict(marks), dict(unet.config))
        pairs = {k.rsplit(".", 1)[0]: back[float(v)].removeprefix(UNET_PREFIX).rsplit(".", 1)[0] for k, v in converted.items()}
        assert set(converted) == set(unet.state_dict()), set(unet.state_dict()) ^ set(converted)
        (OUT / f"{name}_layers.txt").write_text("\n".join(layer_lines("lora_unet_", pairs)) + "\n")
        print(name, len(pairs))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    make_kinds()
    make_whole()
    make_names()
