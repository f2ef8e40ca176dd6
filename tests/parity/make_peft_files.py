"""Makes tests/parity/adapters/peft/: adapters as peft writes them (a folder each: adapter_model.safetensors, adapter_config.json) for the layers of
kinds.safetensors, and out.safetensors, the weights and biases that peft merges them to. `header.safetensors` is the first one with diffusers' names
and its settings in the header, as diffusers writes them.

Run with a Python that has the peers and peft:
    python tests/parity/make_peft_files.py
"""
import collections
import json
import pathlib
import shutil

import torch
from peft import BOFTConfig, IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, get_peft_model
from safetensors.torch import load_file, save_file

OUT = pathlib.Path(__file__).parent / "adapters"
LAYERS = {"linear": lambda: torch.nn.Linear(6, 4), "conv": lambda: torch.nn.Conv2d(4, 6, 3), "pointwise": lambda: torch.nn.Conv2d(6, 8, 1)}
ALL = dict(target_modules=list(LAYERS))
KINDS = {
    "lora": LoraConfig(r=2, lora_alpha=5, rank_pattern={"conv": 3}, alpha_pattern={"linear": 3}, **ALL),
    "rslora": LoraConfig(r=3, lora_alpha=2, use_rslora=True, **ALL),
    "dora": LoraConfig(r=2, lora_alpha=3, use_dora=True, **ALL),
    "loha": LoHaConfig(r=2, alpha=3, rank_pattern={"conv": 1}, alpha_pattern={"conv": 2}, **ALL),
    "lokr": LoKrConfig(r=2, alpha=3, **ALL),
    "lokr_whole": LoKrConfig(r=16, alpha=3, decompose_both=True, **ALL),
    "ia3": IA3Config(feedforward_modules=["conv"], **ALL),
    "oft": OFTConfig(oft_block_size=2, r=0, **ALL),
    "oft_exact": OFTConfig(oft_block_size=2, r=0, use_cayley_neumann=False, **ALL),
    "oft_short": OFTConfig(oft_block_size=2, r=0, coft=True, eps=.2, **ALL),
    "oft_shared": OFTConfig(oft_block_size=3, r=0, block_share=True, target_modules=["linear", "pointwise"]),
    "boft": BOFTConfig(boft_block_size=2, boft_n_butterfly_factor=1, **ALL),
}


def model_of(base, config):
    layers = collections.OrderedDict((name, make()) for name, make in LAYERS.items())
    for name, layer in layers.items():
        layer.weight.data, layer.bias.data = base[f"base/{name}.weight"].clone(), base[f"base/{name}.bias"].clone()
    return get_peft_model(torch.nn.Sequential(layers), config)


def fill(model):
    for name, value in model.named_parameters():
        if "lora_magnitude" in name:
            value.data *= 1 + .3 * torch.rand(value.shape)
        elif "boft_s" in name or "ia3_l" in name:
            value.data = 1 + .4 * torch.randn(value.shape)
        elif any(part in name for part in ("lora_", "hada_", "lokr_", "oft_R", "boft_R")):
            value.data = torch.randn(value.shape) * .5


@torch.no_grad()
def main():
    torch.manual_seed(20261124)
    base = load_file(OUT / "kinds.safetensors")
    folder = OUT / "peft"
    shutil.rmtree(folder, ignore_errors=True)
    out = {}
    for kind, config in KINDS.items():
        model = model_of(base, config)
        fill(model)
        model.save_pretrained(folder / kind)
        (folder / kind / "README.md").unlink(missing_ok=True)
        merged = model.merge_and_unload()
        for name in LAYERS:
            layer = getattr(merged, name)
            out[f"{kind}/{name}.weight"], out[f"{kind}/{name}.bias"] = layer.weight.data.clone(), layer.bias.data.clone()
        moved = {name: (out[f"{kind}/{name}.weight"] - base[f"base/{name}.weight"]).abs().max().item() for name in LAYERS}
        print(kind, {name: round(value, 2) for name, value in moved.items()}, sorted(load_file(folder / kind / "adapter_model.safetensors"))[:2])
        config_file = folder / kind / "adapter_config.json"
        config_file.write_text(json.dumps(json.loads(config_file.read_text()), separators=(",", ":")))
    # diffusers packs each network's configuration behind its name.
    settings = {f"unet.{key}": value for key, value in json.loads((folder / "lora/adapter_config.json").read_text()).items()}
    held = load_file(folder / "lora/adapter_model.safetensors")
    save_file({"unet." + key.removeprefix("base_model.model."): value for key, value in held.items()}, folder / "header.safetensors",
              {"format": "pt", "lora_adapter_metadata": json.dumps(settings)})
    save_file({key: value.contiguous() for key, value in out.items()}, folder / "out.safetensors")


main()
