"""CLIP token ids of plain captions, with the vocabulary of the open_clip_torch wheel that `dev.sh deps` downloads.

Only what captions need: lower-case words, digits and punctuation (core/text has the whole tokenizer).
"""
import functools
import glob
import gzip
import os
import re
import zipfile

START, END, LENGTH = 49406, 49407, 77
MERGES = 49152 - 256 - 2  # of the file's lines, Stable Diffusion's vocabulary uses this many
VOCABULARY = "open_clip/bpe_simple_vocab_16e6.txt.gz"
WORD = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")


def wheel():
    """The wheel with the vocabulary: OPEN_CLIP_WHEEL, or the one in the project's cache."""
    cache = os.environ.get("SERIGRAPH_CACHE") or os.path.expanduser("~/.cache/serigraph")
    found = os.environ.get("OPEN_CLIP_WHEEL") or max(glob.glob(f"{cache}/downloads/open_clip_torch-*.whl"), default=None)
    if not found:
        raise SystemExit(f"no open_clip_torch wheel in {cache}/downloads: run packaging/dev.sh deps")
    return found


@functools.cache
def vocabulary():
    """({token: id}, {pair: rank}) of CLIP's byte pair encoding."""
    with zipfile.ZipFile(wheel()) as archive:
        lines = gzip.decompress(archive.read(VOCABULARY)).decode("utf-8").split("\n")
    pairs = [tuple(line.split()) for line in lines[1 : MERGES + 1]]
    # ids of single bytes come in this order: printable ones first, then the others under code points from 256 on
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in pairs]
    return {token: i for i, token in enumerate(tokens)}, {pair: rank for rank, pair in enumerate(pairs)}


@functools.cache
def word_ids(word):
    ids, ranks = vocabulary()
    parts = [*word[:-1], word[-1] + "</w>"]
    while len(parts) > 1:
        best = min(zip(parts, parts[1:]), key=lambda pair: ranks.get(pair, MERGES))
        if best not in ranks:
            break
        joined, i = [], 0
        while i < len(parts):
            step = 2 if tuple(parts[i : i + 2]) == best else 1
            joined.append("".join(parts[i : i + step]))
            i += step
        parts = joined
    return tuple(ids[part] for part in parts)


def ids_of(text):
    """The token ids of an ASCII caption, without start and end."""
    if not text.isascii():
        raise ValueError(f"captions are ASCII: {text!r}")
    return [i for word in WORD.findall(text.lower()) for i in word_ids(word)]


def row(ids):
    """77 ids: start, words, then the end token to the end of the row, as Stable Diffusion 1 pads."""
    kept = [START, *ids[: LENGTH - 2]]
    return kept + [END] * (LENGTH - len(kept))


def encode(texts):
    """int64 tensor [len(texts), 77]."""
    import torch

    return torch.tensor([row(ids_of(text)) for text in texts])
