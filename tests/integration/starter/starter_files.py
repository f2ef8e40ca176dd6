"""Where the starter model's files are, and the way to the modules that the tests share."""
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
STARTER = ROOT / "resources" / "starter"
MODEL = STARTER / "starter.safetensors"
sys.path[:0] = [str(STARTER), str(ROOT / "tests" / "integration" / "engine")]


def load(name):
    return json.loads((STARTER / name).read_text(encoding="utf-8"))


def model_digest():
    return hashlib.sha256(MODEL.read_bytes()).hexdigest()
