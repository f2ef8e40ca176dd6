"""Makes files/embedding.png: an embedding in a picture as A1111 writes it, by Pillow. Two vectors of 768 numbers, value (place % 32 - 16) / 8.

    ~/.cache/serigraph/venv-tests/bin/python tests/unit/modelfile/make_embedding_picture.py
"""
import base64
import json
import pathlib

from PIL import Image, PngImagePlugin

vectors = [[(row * 768 + column) % 32 / 8 - 2 for column in range(768)] for row in range(2)]
data = {"string_to_token": {"*": 265}, "string_to_param": {"*": {"TORCHTENSOR": vectors}}, "name": "thing", "step": 100,
        "sd_checkpoint": None, "sd_checkpoint_name": None}
info = PngImagePlugin.PngInfo()
info.add_text("parameters", "what drew it")
info.add_text("sd-ti-embedding", base64.b64encode(json.dumps(data, separators=(",", ":")).encode()).decode())
Image.new("RGB", (16, 16), (200, 80, 20)).save(pathlib.Path(__file__).parent / "files/embedding.png", pnginfo=info)
