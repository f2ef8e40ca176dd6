#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets: tests/fuzz/corpus/<target>/. Run it again after changing it.

    python3 tests/fuzz/make_corpus.py
"""
import base64
import json
import pathlib
import struct
import sys
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "unit/modelfile"
sys.path.insert(0, str(MODELS))
import hostile  # noqa: E402

PICTURES = HERE.parent / "unit/picture/files"


def frame(header, payload=b""):
    text = json.dumps(header).encode()
    return struct.pack("<II", len(text), len(payload)) + text + payload


PNG = next(path.read_bytes() for path in sorted(PICTURES.iterdir()) if path.suffix == ".png")


def generate(params, pictures=()):
    """A generate request of the engine protocol."""
    listed = [{"row": row, "bytes": len(data)} for row, data in pictures]
    return frame({"type": "generate", "id": "t", "model": {"path": "/m"}, "params": params, "pictures": listed}, b"".join(data for _, data in pictures))


def carried(text):
    """A PNG with this text for an embedding."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"tEXt", b"sd-ti-embedding\0" + text)
            + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b""))


def carried_json(json_text):
    return carried(base64.b64encode(json_text))


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def header(**tensors):
    return json.dumps(tensors).encode()


def torch_files():
    return sorted((MODELS / "files").glob("*.pt"))


def pickles():
    """Those inside the torch files, and what hostile ones are made of."""
    for path in torch_files():
        if path.read_bytes().startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                yield archive.read(f"{path.stem}/data.pkl")
    yield hostile.GOOD
    yield hostile.whole(hostile.call("os", "system", hostile.text("x")))
    yield hostile.whole(b"]q\0h\0a")


INFOTEXT = """a red (star:1.3), 8k
Negative prompt: blurry
Steps: 20, Sampler: DPM++ 2M Karras, Schedule type: Karras, CFG scale: 7.0, Seed: 5, Size: 128x192, Model hash: 0123456789, Model: "a, b", \
Variation seed: 3, Variation seed strength: 0.15, Eta: 0.5, Version: v1.10.1, User: me"""
PROMPT = """a (((house:1.3)) [on] a (hill:0.5), \\(sun\\), (((sky))). BREAK [from:to:0.5] [a|b] <lora:x:0.8> (x:1e999) (:2) AND \u661f \u00e9"""
SIDECAR = """model:
  base_learning_rate: 1.0e-4
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    parameterization: "v"
    scale_factor: 0.18215
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params: {context_dim: 1024, num_head_channels: 64, attention_resolutions: [4, 2, 1]}
    cond_stage_config:
      params:
        freeze: True
        layer: "penultimate"
"""
def shapes(path, *metadata):
    """The names and shapes of a safetensors file as the targets of headers read them."""
    data = path.read_bytes()
    held = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    lines = [f"@{key} {value}" for key, value in [*held.pop("__metadata__", {}).items(), *metadata]]
    return "\n".join(lines + [f"{name} {'x'.join(map(str, one['shape']))}" for name, one in held.items()]).encode()


PARITY = HERE.parent / "parity"
PEFT = PARITY / "adapters" / "peft"
TARGETS = {
    "network_config": [choice + shapes(PARITY / "networks" / f"{name}.safetensors") for name, choice in (
        ("sd1", b"\0"), ("sd2", b"\2"), ("sdxl", b"\0"), ("refiner", b"\4"), ("inpaint", b"\x40"), ("edit", b"\x80"), ("linear", b"\1"), ("taesd", b"\3"))],
    "adapter": [(folder / "adapter_config.json").read_bytes() + b"\n\n" + shapes(folder / "adapter_model.safetensors") for folder in sorted(PEFT.iterdir())
                if folder.is_dir()] + [b"{}\n\n" + shapes(PEFT / "header.safetensors"), b'{"r":"x"}\n\n', b'{"rank_pattern":{"^a":0}}\n\n',
                                       b'{"rank_pattern":{"^a.b":3},"alpha_pattern":{"":2},"feedforward_modules":"ff"}\n\n'],
    "base64": [b"", b"QUJD", b"QQ==", b"QUI=", b"data:image/png;base64,QUJDREVG", b"QR==", b"Q?=="],
    "diffusers_folder": [b'\0{"_class_name":"X","unet":["diffusers","Y"],"vae":[null,null]}', b'\0{"_class_name":"Flux","transformer":["a","b"]}',
                         b'\1{"metadata":{"total_size":4},"weight_map":{"a":"s.safetensors"}}', b'\1{"weight_map":{"a":"../s.safetensors"}}',
                         b'\2{"attention_head_dim":[5,10,20,20],"block_out_channels":[320,640,1280,1280],"norm_num_groups":32}',
                         b'\2{"attention_head_dim":8,"num_attention_heads":null}', b'\3{"prediction_type":"v_prediction","rescale_betas_zero_snr":true}'],
    "frame": [frame({"type": "hello", "id": ""}), frame({"type": "image", "id": "t1", "index": 3}, b"payload" * 9),
              b"garbage" + frame({"type": "a", "id": "b"}) + b"\x16\0\0\0\xff\xff\xff\x7f{" + frame({"type": "c", "id": "d"}), frame({"type": 1})],
    "infotext": [INFOTEXT.encode(), b"just a prompt", b"p\nSteps: 4, CFG scale: 1, Seed: 7, Size: 64x64, Sampler: euler", b'ab: "x\\"y", cd: e, fg:',
                 b"p\nSteps: 4, Sampler: Euler, Denoising strength: 0.5, Mask blur: 4, Masked content: latent noise, Inpaint area: Only masked",
                 b"p\nSteps: 4, Sampler: Euler, Hires resize: 64x0, Hires steps: 3, Hires upscaler: Latent, Hires prompt: \"a, b\""],
    "json": [b'{"a":[1,-2,3.5e3,true,false,null,"x\\u00e9\\ud83d\\ude00"],"b":{"c":{}}}', b"[[[[]]]]", b'{"a":1,"a":2}', b"18446744073709551616", b"1e999"],
    "params": [json.dumps({"prompt": "x", "negative_prompt": "y", "steps": 20, "cfg_scale": 7, "width": 64, "height": 64, "seed": -1, "subseed": 3,
                           "subseed_strength": 0.5, "sampler_name": "Euler a Karras", "scheduler": "Automatic", "batch_size": 2, "n_iter": 3, "eta": 0.5,
                           "stable_diffusion_model": "m"}).encode(),
               b'{"sampler_index":"Nope","unknown":[1],"steps":20.0,"hr_scale":2,"seed":null}', b"[]", b'{"width":2048,"height":2048,"batch_size":16,"n_iter":100}',
               b'{"init_images":["inputs/t/a.png","inputs/t/b.png"],"mask":"inputs/t/m.png","mask_blur":9,"inpainting_mask_invert":true,"resize_mode":2}',
               b'{"enable_hr":true,"hr_scale":1.5,"hr_resize_x":64,"width":64,"height":8,"hr_sampler_name":"DDIM","denoising_strength":0.3}'],
    "generate": [generate({}), generate({"init_images": ["a"], "mask": "b"}, [("init_images", PNG), ("mask", PNG)]),
                 generate({"init_images": ["a", "b"]}, [("init_images", b"x"), ("init_images", b"yz")]), generate({"mask": "b"}, [("prompt", b"x")]),
                 generate({"enable_hr": True, "hr_resize_x": 128, "width": 64, "height": 64})],
    "picture": [path.read_bytes() for path in sorted(PICTURES.iterdir()) if path.suffix != ".py"],
    "pickle": list(pickles()),
    "prompt": [PROMPT.encode(), b"(" * 64 + b"x", b"a, b, " * 40, b"cat " * 80 + b"," + b"cat " * 10, b"[|", b"[a:b:", b"BREAK BREAK"],
    "prompt_plan": [PROMPT.encode(), b"a [b:[c|d:e:.3]:12] AND [x||y]:0.5 # note\nz <lora:n:0.5:unet=1:dyn=3>", b"[" * 65 + b"x", b"[a|b|[c:d:3]|(e:1.2)] AND " * 9,
                    b"{2$$ and $$0.5::red|__a__|{x|y}} __b/c*__ \\{z|w\\} {-2$$p|q} {}", b"{__a__|{__b__|{__no__}}}", b"{1-3$$a|b|c|d}" * 30,
                    b'\xef\xbb\xbfname,prompt,negative_prompt\r\nsea,"{prompt}, ""big"" sea\nblue",dry\r\n,x,y\nland,hills,\n', b"name,text\na,\"b"],
    "safetensors": [b"\x10" + header(__metadata__={"format": "pt"}, a=tensor("F32", [2], 0, 8), b=tensor("F16", [2, 2], 8, 16)),
                    b"\0{}", b"\0" + header(a=tensor("U8", [0], 0, 0)), b"\x10" + header(a=tensor("F4", [32], 0, 16)),
                    b"\x10" + header(**{"model.diffusion_model.input_blocks.0.0.weight": tensor("F32", [1, 4, 1, 1], 0, 16)}),
                    b"\x10" + header(**{"lora_unet_x.lora_up.weight": tensor("BF16", [8], 0, 16)}),
                    b"\0" + header(**{f"unet.{name}": tensor("F16", [0, 4, 3, 3], 0, 0) for name in (
                        "conv_in.weight", "time_embedding.linear_1.weight", "down_blocks.0.resnets.0.norm1.weight", "down_blocks.1.attentions.0.x",
                        "down_blocks.0.downsamplers.0.conv.bias", "up_blocks.0.upsamplers.0.conv.bias", "up_blocks.0.attentions.2.norm.bias")}),
                    b"\0" + header(**{f"text_encoder_2.text_model.{name}": tensor("F16", [0, 1024], 0, 0) for name in (
                        "embeddings.token_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight", "encoder.layers.0.self_attn.k_proj.weight",
                        "encoder.layers.0.self_attn.v_proj.weight", "encoder.layers.0.mlp.fc1.weight", "final_layer_norm.bias")},
                                    **{"text_encoder_2.text_projection.weight": tensor("F16", [0, 7], 0, 0)}),
                    b"\0" + header(**{"vae.decoder.conv_in.weight": tensor("F16", [0, 4, 3, 3], 0, 0), "vae.decoder.up_blocks.1.resnets.2.conv_shortcut.weight": tensor("F16", [0], 0, 0),
                                      "vae.decoder.mid_block.attentions.0.to_out.0.weight": tensor("F16", [0, 4], 0, 0)}),
                    b"\x08" + header(a=tensor("F32", [4294967296, 4294967296], 0, 8))],
    "torch_file": [path.read_bytes() for path in torch_files()] + [hostile.archive(hostile.GOOD), hostile.legacy(hostile.GOOD)],
    "embedding_picture": [carried_json(b'{"string_to_param":{"*":{"TORCHTENSOR":[[1,2.5],[-3,4e-2]]}}}'),
                          carried_json(b'{"clip_l":{"TORCHTENSOR":[[1]]},"clip_g":{"TORCHTENSOR":[[1,2]]}}'),
                          carried_json(b'{"string_to_param":{"*":{"TORCHTENSOR":[0]}}}'), carried_json(b"[" * 20), carried(b"????"), PNG,
                          *((MODELS / "files" / f"hidden{name}.png").read_bytes() for name in ("", "_damaged", "_no_json"))],
    "request_head": [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"POST /a%2Fb//c%20d?x=1+2&y=%26&z HTTP/1.0\r\nHost: 127.0.0.1:80\r\nContent-Length: 007\r\nX-A:  b c \t\r\n\r\nbody",
                     b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nOrigin: null\r\nExpect: 100-continue\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n",
                     b"GET /%zz?a=1&a=2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"PUT /models/%E6%98%9F HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\ncontent-length: 99999999999999999999\r\n\r\n",
                     b"GET /" + b"a" * 60 + b" HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5 + b"\r\n"],
    "scripts": [json.dumps({"init_images": ["x"], "width": 100, "height": 60, **script}).encode() for script in (
        {"script_name": "Loopback", "script_args": [3, 0.4, "Lazy", "CLIP"]}, {"script_name": "LOOPBACK", "script_args": None, "batch_size": 4},
        {"script_name": "Poor man's outpainting", "script_args": [64, 4, "latent noise", ["left", "down"]], "mask": "x", "mask_blur_x": 3},
        {"script_name": "poor man's outpainting", "script_args": [1024, -1, 7, "left"]},
        {"script_name": "outpainting mk2", "script_args": [None, 128, 8, ["right", "up", 5], 1.0, 0.05]},
        {"script_name": "img2img alternative test", "script_args": ["", True, False, "a cat", "", True, 9, False, 1.5, 0.2, True], "sampler_name": "DDIM"},
        {"script_name": "prompt matrix", "script_args": {"a": 1}}, {"script_name": 5, "script_args": 5},
        {"alwayson_scripts": {"Soft Inpainting": {"args": [True, 1, 0.5, 4, 0, 0.5, 2, 9]}, "Refiner": {"args": [False]}}, "outpaint_up": 40},
        {"alwayson_scripts": {"soft inpainting": {"args": {}}, "SOFT INPAINTING": [1]}},
        {"alwayson_scripts": {"Refiner": {"args": [True, "a", 0.7]}, "sampler": {"args": [9, "Euler a", "Karras"]}, "SEED": {"args": [1, 1, 2, 0.5, 64, 72, 8]}}},
        {"alwayson_scripts": {"Seed": {"args": [1.5, "x"]}, "Sampler": []}, "seed": None},
        {"enable_hr": True, "firstphase_width": 64, "firstphase_height": 72, "width": 128, "hr_resize_x": 0, "firstpass_image": ""})],
    "sidecar": [SIDECAR.encode(), b"model:\n  params:\n    parameterization: v\n", b"a: &x [1]\nb: *x", b"- " * 40 + b"x", b"{a: {b: [c, {d: e}]}}",
                b"model: {params: {scale_factor: .inf}}", b"? [a]\n: b", b"--- a\n--- b", b"a: |\n  text\n# c\nb: 'x'", b"%YAML 9.9\n---\na",
                b'? "' + b"a" * 300 + b'"\n: [1, 1, 1]\n'],
    "tokenizer": ["a photo of a cat, don't 2026".encode(), "\u201cquotes\u201d \ufb01ne \uff21\uff22 e\u0301 \u03a3\u039f\u03a3 \u0130".encode(),
                  "\u661f\u304c\u306f\ud55c\uad6d \u0639\u0631\u0628\u064a \u0939\u093f\u0928\u094d\u0926\u0940 \U0001F468\u200d\U0001F469".encode(),
                  b"\x1b[31mred\x1b[0m <|endoftext|> <|startoftext|>", b"\xff\xfe\xe2\x82", b"a" * 300, "\u0301\u0323".encode() * 30],
}


def main():
    for target, inputs in TARGETS.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, content in enumerate(inputs, 1):
            (folder / f"seed-{number:02}").write_bytes(content)
    print(f"{sum(map(len, TARGETS.values()))} seeds for {len(TARGETS)} targets")


if __name__ == "__main__":
    main()
