"""The real serigraph-engine with LoRAs and VAEs beside the starter model: merged, switched, undone, named in the infotext."""
import base64
import json
import pathlib
import random
import struct
import sys
import tempfile
import zipfile
import zlib

from engine_pipe import Engine, run

sys.path.insert(0, str(pathlib.Path("resources/starter").resolve()))
from tokens import ids_of  # noqa: E402

STARTER = pathlib.Path("resources/starter/starter.safetensors").resolve()
PARAMS = {"prompt": "a red star", "steps": 2, "width": 64, "height": 64, "cfg_scale": 5, "seed": 11, "subseed": 5, "sampler_name": "Euler"}
HASH = "0123456789abcdef" * 4
TO_K = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
Q_PROJ = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def read(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return header.pop("__metadata__", {}), header, data[8 + length:]


def write(path, tensors, metadata=None):
    """{name: (dtype, shape, bytes)} as a safetensors file."""
    header, at = {"__metadata__": metadata or {}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(b"".join([struct.pack("<Q", len(text)), text, *(data for _, _, data in tensors.values())]))
    return path


def lora(path, layers, seed=1, rank=2):
    """`layers`: {name: (out, in)}"""
    source, tensors = random.Random(seed), {}
    for name, (out, into) in layers.items():
        for part, shape in (("lora_up", (out, rank)), ("lora_down", (rank, into))):
            count = shape[0] * shape[1]
            tensors[f"{name}.{part}.weight"] = ("F32", shape, struct.pack(f"<{count}f", *(source.gauss(0, .5) for _ in range(count))))
    return write(path, tensors)


def torch_file(path, name, rows):
    """What torch.save makes of {"string_to_param": {"*": float32 tensor}, "name": name}, as A1111's training wrote embeddings: a zip with a pickle."""
    width, numbers = len(rows[0]), [number for row in rows for number in row]
    text = lambda word: b"X" + struct.pack("<I", len(word)) + word.encode()  # noqa: E731
    whole = lambda number: b"J" + struct.pack("<i", number)  # noqa: E731
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + whole(len(numbers)) + b"tQ"
    tensor = (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + whole(0) + b"(" + whole(len(rows)) + whole(width) + b"t(" + whole(width) + whole(1)
              + b"t\x89ccollections\nOrderedDict\n)RtR")
    pickled = b"\x80\x02}(" + text("string_to_param") + b"}" + text("*") + tensor + b"s" + text("name") + text(name) + b"u."
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", struct.pack(f"<{len(numbers)}f", *numbers))
        archive.writestr("archive/version", "3\n")
    return path


def picture_with(path, embedding):
    """A PNG that carries an embedding."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
                     + chunk(b"tEXt", b"sd-ti-embedding\0" + base64.b64encode(json.dumps(embedding).encode()))
                     + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b""))
    return path


def named(path, name=None, hash=HASH):
    return {"name": name or path.stem, "path": str(path), "hash": hash}


class Session:
    def __init__(self, **options):
        self.engine = Engine("--threads", "2", **options)
        assert self.engine.next()[0]["type"] == "hello"
        self.runs = 0

    def draw_all(self, prompt, params, **companions):
        """(the picture's bytes without its texts, the infotext) of each picture, and the last event."""
        self.runs += 1
        model = {"path": str(STARTER), "name": "starter", "hash": HASH, **companions}
        events = self.engine.generate(f"t{self.runs}", model, {**PARAMS, **params, "prompt": prompt})
        pictures = [(png[png.index(b"IDAT"):], header["infotext"]) for header, png in events if header["type"] == "image"]
        return pictures, events[-1][0]

    def draw(self, prompt="a red star", **companions):
        """The first picture, its infotext, and the last event."""
        pictures, last = self.draw_all(prompt, {}, **companions)
        return *(pictures[0] if pictures else (None, "")), last

    def close(self):
        assert self.engine.close() == 0 and self.engine.noise is None


def loras_come_and_go():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        one = named(lora(folder / "one.safetensors", {TO_K: (128, 64)}))
        text = named(lora(folder / "text.safetensors", {Q_PROJ: (64, 64)}, seed=2), hash="")
        session = Session()
        plain, infotext, done = session.draw(loras=[one, text])
        assert "warnings" not in done and "Lora hashes" not in infotext
        with_one, infotext, done = session.draw("a red star<lora:one:1>", loras=[one, text])
        assert with_one != plain, "the LoRA changed nothing"
        assert "warnings" not in done, done
        assert infotext.startswith("a red star<lora:one:1>\n") and f'Lora hashes: "one: {HASH[:12]}"' in infotext, infotext
        weaker, _, _ = session.draw("a red star<lora:one:1:0.4>", loras=[one])
        assert weaker not in (plain, with_one)
        both, infotext, _ = session.draw("a red star<lora:text:1><lora:one:1>", loras=[one, text])
        assert both not in (plain, with_one) and f'Lora hashes: "one: {HASH[:12]}"' in infotext
        # The text encoder came back too, and what it had made of the prompt is not remembered.
        assert session.draw("a red star<lora:one:1>", loras=[one])[0] == with_one
        assert session.draw()[0] == plain
        session.close()
        # As a session that never saw another LoRA.
        fresh = Session()
        assert fresh.draw("a red star<lora:text:1><lora:one:1>", loras=[one, text])[0] == both
        fresh.close()


def what_is_not_there_is_said():
    with tempfile.TemporaryDirectory() as folder:
        some = named(lora(pathlib.Path(folder) / "some.safetensors", {TO_K: (128, 64), "lora_unet_elsewhere": (8, 8)}))
        session = Session()
        plain, _, _ = session.draw()
        picture, infotext, done = session.draw("a red star<lora:nobody:1>")
        assert picture == plain and "nobody" in done["warnings"][0], done
        assert "Lora hashes" not in infotext
        picture, _, done = session.draw("a red star<lora:some:1>", loras=[some])
        assert picture != plain and len(done["warnings"]) == 1 and "lora_unet_elsewhere" in done["warnings"][0], done
        _, _, again = session.draw("a red star<lora:some:1>", loras=[some])
        assert again["warnings"] == done["warnings"]
        _, _, wrong = session.draw("a red star<lora:some:strong>", loras=[some])
        assert wrong["type"] == "error" and wrong["code"] == "invalid_argument" and wrong["subject"] == "prompt", wrong
        session.close()


def damaged_loras_are_errors():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wide = named(lora(folder / "wide.safetensors", {Q_PROJ: (64, 64), TO_K: (128, 768)}))
        torn = lora(folder / "torn.safetensors", {TO_K: (128, 64)})
        torn.write_bytes(torn.read_bytes()[:-100])
        session = Session()
        plain, _, _ = session.draw()
        _, _, error = session.draw("a red star<lora:wide:1>", loras=[wide])
        assert error["type"] == "error" and error["code"] == "unusable_file" and error["subject"] == wide["path"], error
        assert all(part in error["message"] for part in (TO_K, "[2, 768]", "[128, 64]")), error
        _, _, error = session.draw("a red star<lora:torn:1>", loras=[named(torn)])
        assert error["type"] == "error" and error["code"] == "unusable_file" and error["subject"] == str(torn), error
        _, _, error = session.draw("a red star<lora:gone:1>", loras=[named(folder / "gone.safetensors")])
        assert error["type"] == "error" and error["code"] == "not_found", error
        assert session.draw()[0] == plain, "an error left something behind"
        # A file that is replaced is read again.
        good = named(lora(folder / "good.safetensors", {TO_K: (128, 64)}, seed=3))
        first, _, _ = session.draw("a red star<lora:good:1>", loras=[good])
        lora(folder / "new.safetensors", {TO_K: (128, 64)}, seed=4).replace(folder / "good.safetensors")
        assert session.draw("a red star<lora:good:1>", loras=[good])[0] not in (plain, first)
        session.close()


def each_batch_and_each_pass_has_its_loras():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = [named(lora(folder / f"{name}.safetensors", {TO_K: (128, 64)}, seed=seed)) for name, seed in (("one", 1), ("two", 2))]
        session = Session()
        alone = {name: session.draw_all(f"a red star<lora:{name}:1>", {"seed": 12}, loras=files)[0][0] for name in ("one", "two")}
        # The seed chooses: at least one of eight is of each kind, and none is drawn with another's.
        pictures, _ = session.draw_all("a red star{<lora:one:1>|<lora:two:1>}", {"n_iter": 8, "seed": 5}, loras=files)
        kinds = set()
        for number, (picture, infotext) in enumerate(pictures):
            name = "one" if infotext.startswith("a red star<lora:one:1>") else "two"
            kinds.add(name)
            assert f'Lora hashes: "{name}: {HASH[:12]}"' in infotext, infotext
            assert session.draw_all(f"a red star<lora:{name}:1>", {"seed": 5 + number}, loras=files)[0][0][0] == picture, infotext
        assert kinds == {"one", "two"}
        _, done = session.draw_all("a red star{<lora:one:1>|<lora:two:1>}", {"batch_size": 8, "seed": 5}, loras=files)
        assert any("share their LoRAs" in text for text in done["warnings"]), done
        # Hires fix: the second pass has its own prompt's, and without a tag none.
        hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": .7, "seed": 12}
        same, _ = session.draw_all("a red star<lora:one:1>", hires, loras=files)
        none, _ = session.draw_all("a red star<lora:one:1>", {**hires, "hr_prompt": "a red star"}, loras=files)
        two, _ = session.draw_all("a red star<lora:one:1>", {**hires, "hr_prompt": "a red star<lora:two:1>"}, loras=files)
        assert len({same[0][0], none[0][0], two[0][0]}) == 3
        assert f'Lora hashes: "one: {HASH[:12]}, two: {HASH[:12]}"' in two[0][1], two[0][1]
        assert session.draw_all("a red star<lora:one:1>", {"seed": 12}, loras=files)[0][0] == alone["one"]
        _, _, done = session.draw("a red star<hypernet:old:1>")
        assert any("hypernet" in text for text in done["warnings"]), done
        session.close()


def embeddings_stand_for_words():
    """A vector that is a word's own makes the word's picture, wherever the name stands."""
    _, header, body = read(STARTER)
    info = header["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"]
    assert info["dtype"] == "F16"
    width = info["shape"][1]

    def vector(word):
        (token,) = ids_of(word)
        begin = info["data_offsets"][0] + 2 * width * token
        return body[begin:begin + 2 * width]

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        star = named(write(folder / "zzthing.safetensors", {"emb_params": ("F16", (1, width), vector("star"))}))
        pair = named(write(folder / "zzpair.safetensors", {"emb_params": ("F16", (2, width), vector("red") + vector("star"))}), hash="")
        wide = named(write(folder / "zzwide.safetensors", {"emb_params": ("F16", (1, 2 * width), 2 * vector("red"))}))
        torn = folder / "zztorn.safetensors"
        torn.write_bytes(b"no tensors at all")
        files = [star, pair, wide, named(torn)]
        session = Session()
        plain, _, _ = session.draw()
        as_text, infotext, _ = session.draw("a red zzthing")
        assert as_text != plain and "TI hashes" not in infotext
        picture, infotext, done = session.draw("a red zzthing", embeddings=files)
        assert picture == plain, "the vector was not the word's"
        assert f'TI hashes: "zzthing: {HASH[:12]}"' in infotext and infotext.startswith("a red zzthing\n"), infotext
        assert len(done["warnings"]) == 2 and "zzwide" in done["warnings"][0] and "zztorn" in done["warnings"][1], done
        assert session.draw("a zzpair", embeddings=files)[0] == plain
        numbers = struct.unpack(f"<{2 * width}e", vector("red") + vector("star"))
        carried = named(picture_with(folder / "zzshown.png", {"string_to_param": {"*": {"TORCHTENSOR": [numbers[:width], numbers[width:]]}}}))
        picture, infotext, done = session.draw("a zzshown", embeddings=[carried])
        assert picture == plain and f'TI hashes: "zzshown: {HASH[:12]}"' in infotext and "warnings" not in done, done
        trained = named(torch_file(folder / "zztrained.pt", "zzother", [numbers[:width], numbers[width:]]))
        picture, infotext, done = session.draw("a zztrained", embeddings=[trained])
        assert picture == plain and f'TI hashes: "zztrained: {HASH[:12]}"' in infotext and "warnings" not in done, done
        assert session.draw("a red (zzthing:1.3)", embeddings=files)[0] == session.draw("a red (star:1.3)")[0]
        assert session.draw("a red zzthing")[0] == as_text, "the embedding stayed"
        session.close()


def another_vae_draws_and_goes():
    metadata, header, body = read(STARTER)
    prefix = "first_stage_model."

    def vae(path, strip, factor):
        tensors = {}
        for name, info in header.items():
            if not name.startswith(prefix):
                continue
            begin, end = info["data_offsets"]
            data = body[begin:end]
            if name.endswith("decoder.conv_out.weight"):
                assert info["dtype"] == "F16"
                values = struct.unpack(f"<{len(data) // 2}e", data)
                data = struct.pack(f"<{len(values)}e", *(value * factor for value in values))
            tensors[name.removeprefix(prefix) if strip else name] = (info["dtype"], info["shape"], data)
        return write(path, tensors, {key: value for key, value in metadata.items() if "vae" in key})

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        same = named(vae(folder / "same.safetensors", True, 1), "same.safetensors")
        other = named(vae(folder / "other.safetensors", False, .5), "other.safetensors")
        session = Session()
        plain, infotext, _ = session.draw()
        assert "VAE" not in infotext
        picture, infotext, _ = session.draw(vae=same)
        assert picture == plain and f"VAE hash: {HASH[:10]}, VAE: same.safetensors, " in infotext, infotext
        assert session.draw(vae=other)[0] != plain
        assert session.draw()[0] == plain
        _, _, error = session.draw(vae=named(lora(folder / "no.safetensors", {TO_K: (128, 64)})))
        assert error["type"] == "error" and error["code"] == "unusable_file" and "autoencoder" in error["message"], error
        assert session.draw()[0] == plain
        session.close()


TAESD = pathlib.Path("tests/parity/networks/taesd.safetensors").resolve()


def tiny_autoencoders_draw_and_show():
    session = Session()
    plain, _, _ = session.draw()
    tiny = named(TAESD, "taesd.safetensors")
    picture, infotext, done = session.draw(vae=tiny)
    assert picture != plain and "VAE: taesd.safetensors" in infotext and "warnings" not in done, (infotext, done)
    assert session.draw()[0] == plain

    def previews(params, **companions):
        session.runs += 1
        events = session.engine.generate(f"p{session.runs}", {"path": str(STARTER), "name": "starter", **companions},
                                         {**PARAMS, "steps": 60, "width": 128, "height": 128, **params})
        return [header for header, _ in events if header["type"] == "preview"], events[-1][0]

    # Whichever way they are made, previews change no picture; TAESD's are as large as it.
    shown, done = previews({"show_progress_type": "TAESD"}, taesd=[named(TAESD, "approx/taesdxl"), named(TAESD, "taesd")])
    assert "warnings" not in done and all(header["width"] == 128 for header in shown), (shown, done)
    shown, done = previews({"show_progress_type": "TAESD"}, taesd=[named(TAESD, "approx/taesdxl")])
    assert len(done["warnings"]) == 1 and "no TAESD file" in done["warnings"][0] and all(header["width"] != 128 for header in shown), done
    shown, done = previews({"show_progress_type": "Full"})
    assert "warnings" not in done and all(header["width"] == 128 for header in shown)
    _, error = previews({"show_progress_type": "best"})
    assert error["type"] == "error" and error["subject"] == "show_progress_type", error
    assert session.draw()[0] == plain
    session.close()


def seamless_and_tiled_pictures_leave_nothing_behind():
    session = Session()
    size = {"width": 192, "height": 128, "seed": 3}

    def draw(**params):
        pictures, done = session.draw_all("a red star", {**size, **params})
        assert done["type"] == "done" and "warnings" not in done, done
        return pictures[0]

    plain, infotext = draw()
    assert "Tiling" not in infotext and "VAE til" not in infotext
    seen = {plain}
    for params, says in (({"tiling": True}, "Tiling: True"), ({"tiling": True, "tiling_axis": "Across"}, "Tiling: True, Tiling axis: Across"),
                         ({"tiling": True, "tiling_axis": "Down"}, "Tiling axis: Down"),
                         ({"vae_tiling": "On", "vae_tile_size": 128}, "VAE tiling: On, VAE tile size: 128"),
                         ({"tiling": True, "vae_tiling": "On", "vae_tile_size": 128}, "Tiling: True")):
        picture, infotext = draw(**params)
        assert picture not in seen and says in infotext, (params, infotext)
        seen.add(picture)
        assert draw()[0] == plain, f"{params} left something behind"
    assert draw(tiling=False, tiling_axis="Down", vae_tiling="Off")[0] == plain
    session.close()


def tags_are_read_and_not_followed():
    with tempfile.TemporaryDirectory() as folder:
        bent = named(lora(pathlib.Path(folder) / "bent.safetensors", {TO_K: (128, 64)}))
        session = Session()
        plain = session.draw()[0]
        merged = session.draw("a red star<lora:bent:1>", loras=[bent])[0]
        pictures, done = session.draw_all("a red star<lora:bent:1>", {"disable_extra_networks": True}, loras=[bent])
        assert pictures[0][0] == plain != merged and not done.get("warnings"), done
        assert "Lora hashes" not in pictures[0][1] and "Extra networks disabled: True" in pictures[0][1], pictures[0][1]
        session.close()


def other_checkpoints_take_over():
    """A refiner makes the last steps, and hires fix may draw with a checkpoint of its own."""
    metadata, header, body = read(STARTER)
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        data = body[begin:end]
        if name == "model.diffusion_model.out.2.weight":
            assert info["dtype"] == "F16"
            values = struct.unpack(f"<{len(data) // 2}e", data)
            data = struct.pack(f"<{len(values)}e", *(value * .8 for value in values))
        tensors[name] = (info["dtype"], info["shape"], data)
    with tempfile.TemporaryDirectory() as folder:
        other = named(write(pathlib.Path(folder) / "other.safetensors", tensors, metadata))
        session = Session()
        first, _ = session.draw_all("a red star", {"steps": 4})
        session.runs += 1
        events = session.engine.generate("alone", {"path": other["path"], "name": "other"}, {**PARAMS, "steps": 4})
        last = next(png[png.index(b"IDAT"):] for header, png in events if header["type"] == "image")
        assert first[0][0] != last

        def refined(at, **more):
            pictures, done = session.draw_all("a red star", {"steps": 4, "refiner_checkpoint": "other", "refiner_switch_at": at, **more}, refiner=other)
            assert done["type"] == "done", done
            return pictures[0]

        picture, infotext = refined(0.5)
        assert picture not in (first[0][0], last) and "Refiner: other, Refiner switch at: 0.5" in infotext, infotext
        assert refined(0)[0] == last, "a refiner from the first step on is its checkpoint's picture"
        assert refined(1)[0] == first[0][0], "a refiner that never takes over changes nothing"
        assert refined(0.5, sampler_name="DDIM")[0] not in (refined(0, sampler_name="DDIM")[0], refined(1, sampler_name="DDIM")[0])
        hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": .7, "steps": 4}
        plain, _ = session.draw_all("a red star", hires)
        own, done = session.draw_all("a red star", {**hires, "hr_checkpoint_name": "other"}, hires=other)
        assert own[0][0] != plain[0][0] and "Hires checkpoint: other" in own[0][1], own[0][1]
        same, _ = session.draw_all("a red star", {**hires, "hr_checkpoint_name": "starter"}, hires=named(STARTER))
        assert same[0][0] == plain[0][0]
        # With hires fix the refiner belongs to the second pass: from its first step on it is that pass's checkpoint.
        assert refined(0, **hires)[0] == own[0][0]
        # Or where it is asked to: the first pass, or both.
        from_other, _ = session.draw_all("a red star", {**hires, "hr_checkpoint_name": "starter"}, path=other["path"], name="other", hires=named(STARTER))
        picture, infotext = refined(0, **hires, hires_fix_refiner_pass="first pass")
        assert picture == from_other[0][0] != own[0][0] and "Hires refiner: first pass" in infotext, infotext
        all_other, _ = session.draw_all("a red star", hires, path=other["path"], name="other")
        assert refined(0, **hires, hires_fix_refiner_pass="both passes")[0] == all_other[0][0] != from_other[0][0]
        # By the share of the steps: of four, the last two or three.
        by_steps = refined(0.5, refiner_switch_by_sample_steps=True, scheduler="Karras")
        assert by_steps[0] != refined(0.25, refiner_switch_by_sample_steps=True, scheduler="Karras")[0] and "Refiner switch by sampling steps: True" in by_steps[1], by_steps[1]
        assert session.draw_all("a red star", {"steps": 4})[0][0] == first[0]
        itself, _ = session.draw_all("a red star", {"steps": 4, "refiner_checkpoint": "starter", "refiner_switch_at": 0}, refiner=named(STARTER))
        assert itself[0][0] == first[0][0], "a model hands over to itself"
        gone = {"name": "gone", "path": str(pathlib.Path(folder) / "gone.safetensors"), "hash": ""}
        _, error = session.draw_all("a red star", {"refiner_checkpoint": "gone"}, refiner=gone)
        assert error["type"] == "error" and error["code"] == "not_found", error
        session.close()


def whoever_waits_sees_files_being_read():
    """`loading` events come for each kind of file, counted in its own bytes, and none when all is held."""
    metadata, header, body = read(STARTER)
    tensors = {name: (info["dtype"], info["shape"], body[info["data_offsets"][0]:info["data_offsets"][1]]) for name, info in header.items()}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        vae = write(folder / "some.vae.safetensors", {name: tensor for name, tensor in tensors.items() if name.startswith("first_stage_model.")}, metadata)
        one, two = (lora(folder / f"{name}.safetensors", {TO_K: (128, 64)}, seed) for name, seed in (("one", 1), ("two", 2)))
        vectors = write(folder / "zzthing.safetensors", {"emb_params": ("F16", (1, 64), bytes(128))})
        other = write(folder / "other.safetensors", tensors, metadata)
        session = Session()

        def loading(prompt="a red star", params=None, **companions):
            session.runs += 1
            events = session.engine.generate(f"s{session.runs}", {"path": str(STARTER), "name": "starter", **companions},
                                             {**PARAMS, **(params or {}), "prompt": prompt})
            assert events[-1][0]["type"] == "done", events[-1]
            told = [header for header, _ in events if header["type"] == "loading"]
            assert all(0 <= event["bytes"] <= event["total"] for event in told), told
            return {event["total"] for event in told}

        def sizes(*paths):
            return sum(path.stat().st_size for path in paths)

        assert loading() == {sizes(STARTER)} and loading() == set()
        assert loading(vae=named(vae)) == {sizes(vae)} and loading(vae=named(vae)) == set()
        assert loading() == set(), "its own VAE was held all the while"
        both = {"prompt": "a red star<lora:one:1><lora:two:.5>", "loras": [named(one), named(two)]}
        assert loading(**both) == {sizes(one, two)} and loading(**both) == set()
        assert loading() == {0}, "LoRAs are taken back without a file"
        assert loading(embeddings=[named(vectors)]) == {sizes(vectors)} and loading(embeddings=[named(vectors)]) == set()
        refined = {"params": {"steps": 4, "refiner_checkpoint": "other", "refiner_switch_at": .5}, "refiner": named(other)}
        assert sizes(other) in loading(**refined)
        tiny = {"params": {"show_progress_type": "TAESD"}, "taesd": [named(TAESD, "taesd")]}
        assert sizes(TAESD) in loading(**tiny)
        session.close()
        # A checkpoint of hires fix's own, by itself: the first model is held.
        session = Session()
        loading()
        larger = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": .7, "hr_checkpoint_name": "other"}
        assert sizes(other) in loading(params=larger, hires=named(other))
        session.close()


if __name__ == "__main__":
    run([whoever_waits_sees_files_being_read, loras_come_and_go, each_batch_and_each_pass_has_its_loras, embeddings_stand_for_words, what_is_not_there_is_said, damaged_loras_are_errors,
         another_vae_draws_and_goes, tiny_autoencoders_draw_and_show, seamless_and_tiled_pictures_leave_nothing_behind, other_checkpoints_take_over,
         tags_are_read_and_not_followed])
