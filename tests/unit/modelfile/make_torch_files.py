#!/usr/bin/env python3
"""Writes files/*.pt with torch, each beside a safetensors file that holds the same tensors: what torch_file_test compares.

    ~/.cache/serigraph/venv-peers/bin/python tests/unit/modelfile/make_torch_files.py
"""
import collections
import pathlib
import sys
import types

import numpy
import torch
from safetensors.torch import save_file

FILES = pathlib.Path(__file__).resolve().parent / "files"
ZIP, LEGACY = {}, {"_use_new_zipfile_serialization": False}


class ModelCheckpoint:
    """Stands for pytorch_lightning's class, which old checkpoints name as a key."""


ModelCheckpoint.__module__ = "pytorch_lightning.callbacks.model_checkpoint"


def write(name, what, tensors, protocol=2, **options):
    torch.save(what, FILES / f"{name}.pt", pickle_protocol=protocol, **options)
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, FILES / f"{name}.safetensors")


def weights():
    torch.manual_seed(1)
    base = torch.randn(6, 4)
    tensors = collections.OrderedDict(
        whole=base, transposed=base.t(), rows=base[2:5], columns=base[:, 1:3], every=base.flatten()[::3], scalar=torch.tensor(0.5), none=torch.zeros(0, 3),
        half=torch.randn(5).half(), brain=torch.randn(5).bfloat16(), double=torch.randn(3).double(), long=torch.arange(4), int=torch.arange(4).int(),
        short=torch.arange(4).short(), char=torch.arange(4).to(torch.int8), byte=torch.arange(4).byte(), bool=torch.tensor([True, False]), tied=base)
    tensors._metadata = {"": {"version": 1}}
    return tensors


def main():
    FILES.mkdir(exist_ok=True)
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    module.ModelCheckpoint = ModelCheckpoint
    for part in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        sys.modules[part] = types.ModuleType(part)
    sys.modules[module.__name__] = module
    tensors = weights()
    lightning = {"epoch": 3, "global_step": 840000, "pytorch-lightning_version": "1.4.2", "state_dict": tensors,
                 "callbacks": {ModelCheckpoint: {"monitor": "val", "best": numpy.float64(0.25), "model": ModelCheckpoint}},
                 "optimizer_states": [{"state": {0: {"step": 5, "exp_avg": torch.ones(3)}}}], "hyper": numpy.arange(3), "seen": {1, 2}, "device": torch.device("cpu")}
    for protocol in (2, 3, 4, 5):
        if protocol == 5:
            del lightning["hyper"]   # numpy arrays are written otherwise, and no checkpoint does
        write(f"zip_{protocol}", lightning, tensors, protocol, **ZIP)
    write("legacy", lightning, tensors, **LEGACY)
    float8 = {"e4m3": torch.randn(6).to(torch.float8_e4m3fn), "e5m2": torch.randn(6).to(torch.float8_e5m2), "words": torch.arange(3).to(torch.uint16)}
    write("float8", float8, float8, **ZIP)
    # The old format carries the source text of modules along.
    torch.serialization.get_source_lines_and_file = lambda module: (["class ParameterDict: pass"], 1, "container.py")
    vectors = torch.nn.Parameter(torch.randn(2, 768))
    old = {"string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": vectors}), "name": "my-cat", "step": 1500, "sd_checkpoint": None}
    write("embedding", old, {"string_to_param.*": vectors}, **LEGACY)
    upscaler = {"params_ema": {"conv_first.weight": torch.randn(4, 3, 3, 3)}}
    write("upscaler", upscaler, upscaler["params_ema"], **ZIP)
    layers = {768: (torch.nn.Linear(4, 8).state_dict(prefix="linear.0."), torch.nn.Linear(4, 8).state_dict(prefix="linear.0.")), "name": "hyper", "step": 4}
    flat = {f"768.{i}.{key}": value for i in range(2) for key, value in layers[768][i].items()}
    write("hypernetwork", layers, flat, **ZIP)


if __name__ == "__main__":
    main()
