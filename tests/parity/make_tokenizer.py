#!/usr/bin/env python3
"""Makes tests/parity/tokenizer/strings_*.jsonl: 2,000 strings and CLIP's token ids of each, one JSON array [string, ids] a line.

Needs the environment of `packaging/dev.sh deps --peers` (ftfy, regex, transformers) and the open_clip_torch wheel of `packaging/dev.sh deps`.
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_tokenizer.py

The reference is open_clip's SimpleTokenizer behind the text cleaning that docs/decisions/tokenizer.md decides on. The script stops when
transformers' CLIPTokenizer disagrees with it on any of the strings, cleaned alike.
"""
import gzip
import importlib.util
import json
import os
import pathlib
import random
import sys
import tempfile
import unicodedata
import zipfile

import ftfy
import regex
import transformers

CACHE = pathlib.Path(os.environ.get("SERIGRAPH_CACHE", pathlib.Path.home() / ".cache/serigraph"))
WHEEL = CACHE / "downloads/open_clip_torch-3.3.0-py3-none-any.whl"
OUT = pathlib.Path(__file__).resolve().parent / "tokenizer"
COUNT = 2000
MAX_FILE = 190_000

RANGES = {
    "latin": (0xC0, 0x24F), "ipa": (0x250, 0x2AF), "greek": (0x370, 0x3FF), "greek extended": (0x1F00, 0x1FFF), "cyrillic": (0x400, 0x52F),
    "armenian": (0x531, 0x58F), "hebrew": (0x591, 0x5F4), "arabic": (0x600, 0x6FF), "syriac": (0x700, 0x74F), "devanagari": (0x900, 0x97F),
    "bengali": (0x980, 0x9FE), "gurmukhi": (0xA01, 0xA76), "gujarati": (0xA81, 0xAFF), "tamil": (0xB82, 0xBFA), "telugu": (0xC00, 0xC7F),
    "kannada": (0xC80, 0xCF2), "malayalam": (0xD00, 0xD7F), "sinhala": (0xD81, 0xDF4), "thai": (0xE01, 0xE5B), "lao": (0xE81, 0xEDF),
    "tibetan": (0xF00, 0xFDA), "myanmar": (0x1000, 0x109F), "georgian": (0x10A0, 0x10FF), "jamo": (0x1100, 0x11FF), "ethiopic": (0x1200, 0x137C),
    "cherokee": (0x13A0, 0x13FD), "khmer": (0x1780, 0x17F9), "mongolian": (0x1800, 0x18AA), "vietnamese": (0x1EA0, 0x1EF9),
    "punctuation": (0x2010, 0x205E), "superscripts": (0x2070, 0x209C), "currency": (0x20A0, 0x20C0), "letterlike": (0x2100, 0x214F),
    "number forms": (0x2150, 0x218B), "arrows": (0x2190, 0x21FF), "mathematical": (0x2200, 0x22FF), "enclosed": (0x2460, 0x24FF),
    "boxes": (0x2500, 0x259F), "shapes": (0x25A0, 0x26FF), "dingbats": (0x2700, 0x27BF), "glagolitic": (0x2C00, 0x2C5F), "coptic": (0x2C80, 0x2CFF),
    "kana": (0x3041, 0x30FF), "bopomofo": (0x3105, 0x312F), "cjk": (0x4E00, 0x9FBB), "cjk b": (0x20000, 0x2A6D6), "yi": (0xA000, 0xA48C),
    "vai": (0xA500, 0xA62B), "hangul": (0xAC00, 0xD7A3), "ligatures": (0xFB00, 0xFB4F), "arabic forms": (0xFB50, 0xFDFB), "wide": (0xFF01, 0xFFEE),
    "gothic": (0x10330, 0x1034A), "deseret": (0x10400, 0x1044F), "cuneiform": (0x12000, 0x123FF), "hieroglyphs": (0x13000, 0x1342E),
    "mathematical letters": (0x1D400, 0x1D7FF), "emoji": (0x1F300, 0x1F64F), "transport": (0x1F680, 0x1F6FC), "marks": (0x300, 0x36F),
}
SENTENCES = """the quick brown fox jumps over the lazy dog
Der schnelle Fuchs springt über den faulen Hund, groß & klein
Portez ce vieux whisky au juge blond qui fume — cœur, naïve, garçon
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia ¿verdad?
Příliš žluťoučký kůň úpěl ďábelské ódy
Zażółć gęślą jaźń
Pijamalı hasta yağız şoföre çabucak güvendi İSTANBUL
Съешь же ещё этих мягких французских булок, да выпей чаю
Ξεσκεπάζω την ψυχοφθόρα σας βδελυγμία. ΟΔΟΣ ΣΟΦΙΑΣ, Σ
עטלף אבק נס דרך מזגן שהתפוצץ כי חם
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน
いろはにほへと ちりぬるを ﾊﾝｶｸｶﾀｶﾅ ガギグゲゴ
天地玄黃 宇宙洪荒，日月盈昃！一隻紅色的狐狸在雪地裡
다람쥐 헌 쳇바퀴에 타고파
Chữ quốc ngữ: tôi có thể ăn thuỷ tinh mà không hại gì
1girl, solo, masterpiece, best quality, highres, (looking at viewer:1.2), <lora:foo:0.8>
photo of a red star above a blue ring on a white background, 8k uhd, dslr, f/1.4, 35mm
don't can't it's they're we've I'm he'll she'd o'clock 'tis rock'n'roll DON'T IT'S
score_9, score_8_up, score_7_up, rating_safe
a:b::c;;d,,e..f!!g??h((i))j[[k]]l{{m}}n<<o>>p||q//r\\\\s~~t``u@@v##w$$x%%y^^z&&
mm's 's 't 're 've 'm 'll 'd ' '' '''s ’s ‘t “quoted” ‚low‛ ‟
3.14159 1,000,000 10x20 1e-5 0xFF ½ ⅓ Ⅻ ² ₃ ٣٤ ४५ ๑๒ １２３ ㊿
👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️ ☺︎ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🧑🏿‍🚀
ﬁne ﬂour eﬀect aﬃx waﬄe ﬅ ﬆ Ĳ ĳ ŉ Ǆ ǅ ǆ Ǉ ǈ ǉ Ǌ ǋ ǌ Ǳ ǲ ǳ ſ ẞ ß
ＦＵＬＬ　ＷＩＤＴＨ ｔｅｘｔ！？（１：２）￦￥ ￣
e\u0301 o\u0308 A\u030a \u212b \u2126 \u1e9b\u0323 q\u0307\u0323 n\u0303
Z̴̡͎a̷̛̰l̸̘̀g̶̜̈́o̸̩͐ ţ̶̛e̵̻̊x̷͎̓t̸͕̾
\u200bzero\u200bwidth\u200c\u200d\ufeff \u202eRTL\u202c \u2066iso\u2069 soft\u00adhyphen
tab\there\nnew line\r\nwindows\rmac\u2028separator\u2029paragraph\x85next\x0cfeed
\x1b[31mred\x1b[0m \x07bell \x08back \x7fdel \x0bvt \x1funit
\x80euro \x85dots \x91single\x92 \x93double\x94 \x96dash\x97 \x81none""".split("\n")
WORDS = """masterpiece portrait woman cat dragon castle sunset watercolor cinematic lighting detailed background blue red green star ring letter
photorealistic anthropomorphic antidisestablishmentarianism supercalifragilisticexpialidocious Rembrandt Mucha Hokusai unreal engine 5 4k
trending on artstation, by greg rutkowski: (soft) [blurry] low-res bad_anatomy worst-quality NSFW hdr iso100 50mm it's don't""".split()


def assigned(code):
    return unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")


def random_script(rng):
    low, high = RANGES[rng.choice(sorted(RANGES))]
    letters = []
    while len(letters) < rng.randint(1, 14):
        code = rng.randint(low, high)
        if assigned(code):
            letters.append(chr(code) + rng.choice(["", "", "", "", " ", "-", "'"]))
    return "".join(letters)


def random_prompt(rng):
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 8))]
    words = [rng.choice([str, str.upper, str.title])(word) for word in words]
    return rng.choice([" ", ", ", "  ", ",", "\t", " \n "]).join(words)


def random_ascii(rng):
    return "".join(chr(rng.randint(32, 126)) for _ in range(rng.randint(1, 24)))


def random_mix(rng):
    return "".join(rng.choice([random_script, random_ascii, random_prompt])(rng)[:12] for _ in range(rng.randint(2, 3)))


def random_spaces(rng):
    spaces = " \t\n\r\f\x85\xa0\u1680\u2003\u200a\u2028\u202f\u205f\u3000\u200b\u180e"
    return "".join(rng.choice(["a", "B", "7", "!", "é", rng.choice(spaces), rng.choice(spaces)]) for _ in range(rng.randint(2, 14)))


def random_long_word(rng):
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(15, 60)))


def strings():
    rng = random.Random(20261122)
    found = dict.fromkeys(["", " ", *SENTENCES, *(w for s in SENTENCES for w in s.split()), "a" * 300, "ab" * 100, "!" * 100, "\u0301" * 40])
    kinds = [random_script] * 7 + [random_prompt] * 3 + [random_ascii] * 2 + [random_mix] * 3 + [random_spaces, random_long_word]
    while len(found) < COUNT:
        found[rng.choice(kinds)(rng)] = None
    return list(found)[:COUNT]


def cleaned(text):
    """What A1111's tokenizer does to text that is neither mis-decoded nor HTML."""
    text = ftfy.fix_text(text, fix_encoding=False, unescape_html=False)
    return regex.sub(r"\s+", " ", text).strip().lower()


def open_clip_tokenizer(folder):
    with zipfile.ZipFile(WHEEL) as wheel:
        for name in ("open_clip/tokenizer.py", "open_clip/bpe_simple_vocab_16e6.txt.gz"):
            wheel.extract(name, folder)
    spec = importlib.util.spec_from_file_location("clip_tokenizer", f"{folder}/open_clip/tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = f"{folder}/open_clip/bpe_simple_vocab_16e6.txt.gz"
    tokenizer = module.SimpleTokenizer(path)
    tokenizer.clean_fn = cleaned
    merges = gzip.open(path).read().decode().split("\n")[1:48895]
    vocabulary = {token.replace("<start_of_text>", "<|startoftext|>").replace("<end_of_text>", "<|endoftext|>"): number
                  for token, number in tokenizer.encoder.items()}
    return tokenizer, transformers.CLIPTokenizer(vocab=vocabulary, merges=[tuple(m.split()) for m in merges])


def main():
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = open_clip_tokenizer(folder)
        lines, unlike, full = [], [], 0
        for text in strings():
            ids = ours.encode(text)
            if ids != theirs(cleaned(text), add_special_tokens=False)["input_ids"]:
                unlike.append(text)
            full += ftfy.fix_text(text) == ftfy.fix_text(text, fix_encoding=False, unescape_html=False)
            lines.append(json.dumps([text, ids], ensure_ascii=False, separators=(",", ":")) + "\n")
    if unlike:
        sys.exit(f"transformers disagrees on {len(unlike)}: {unlike[:5]!r}")
    OUT.mkdir(exist_ok=True)
    for old in OUT.glob("strings_*.jsonl"):
        old.unlink()
    part, size, number = [], 0, 1
    for line in [*lines, None]:
        length = len(line.encode()) if line else MAX_FILE
        if part and size + length > MAX_FILE:
            (OUT / f"strings_{number}.jsonl").write_text("".join(part), encoding="utf-8")
            part, size, number = [], 0, number + 1
        if line:
            part.append(line)
            size += length
    print(f"{len(lines)} strings in {number - 1} files; whole ftfy would clean {full} of them alike")


if __name__ == "__main__":
    main()
