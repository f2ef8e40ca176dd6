#!/usr/bin/env python3
"""The 300 prompts of tests/parity/prompts and what becomes of each.

A second reading of A1111 1.10.1's prompt grammar, written from the description of its behaviour with the `lark` package
(Earley), without sight of our C++ parser: comments, tags, AND with weights, schedules for both passes, weights and BREAK.
Run:  python3 -m venv v; v/bin/pip install lark==1.3.1; v/bin/python tests/parity/make_prompts.py
With --random SEED COUNT it writes that many random prompts to stdout, for prompts_parity_test FILE.
"""
import json
import math
import pathlib
import random
import re
import sys

import lark

FOLDER = pathlib.Path(__file__).parent / "prompts"

# A prompt is made of items; what belongs to no item (single brackets and colons) is allowed between items, at the outermost
# level only. A bar is allowed inside of an alternation only, so a stray one is a syntax error and the prompt then has no schedule.
GRAMMAR = lark.Lark(r"""
    start: (items | STRAY)*
    items: (weight | switch | cycle | words | SPACE)*
    !weight: "(" items ")" | "(" items ":" items ")" | "[" items "]"
    switch: "[" [items ":"] items ":" [SPACE] WHEN [SPACE] "]"
    cycle: "[" items ("|" [items])+ "]"
    words: RUN
    RUN: /([^\\\[\]():|]|\\.)+/
    STRAY: /[\[\]():]/
    SPACE: /\s+/
    %import common.SIGNED_NUMBER -> WHEN
""", parser="earley")


class Pass:
    """How the numbers of a prompt count: the first pass, or the second after `steps` of the first."""

    def __init__(self, steps, second):
        self.count = second or steps
        self.share_from = 1.0 if second else 0.0
        self.step_from = steps if second else 0

    def change(self, number):
        value = float(number)
        moved = (value - self.share_from) * self.count if "." in number else value - self.step_from
        return self.count if math.isinf(moved) and moved > 0 else min(self.count, int(moved))


def text_at(node, step, numbering):
    if node is None:
        return ""
    if isinstance(node, lark.Token):
        return str(node)
    if node.data == "switch":
        before, after, _, when, _ = node.children
        return text_at(before if step <= numbering.change(when) else after, step, numbering)
    if node.data == "cycle":
        return text_at(node.children[(step - 1) % len(node.children)], step, numbering)
    return "".join(text_at(child, step, numbering) for child in node.children)


def schedule(prompt, steps, second):
    numbering = Pass(steps, second)
    try:
        tree = GRAMMAR.parse(prompt)
    except lark.exceptions.LarkError:
        return [[numbering.count, prompt]]
    changes = {numbering.count}
    for node in tree.iter_subtrees():
        if node.data == "switch" and numbering.change(node.children[3]) >= 1:
            changes.add(numbering.change(node.children[3]))
        if node.data == "cycle":
            changes.update(range(1, numbering.count + 1))
    return [[step, text_at(tree, step, numbering)] for step in sorted(changes)]


def comments_away(text):
    own_line = re.sub(r"(^|\n)#[^\n]*(\n|$)", "\n", text)
    return re.sub(r"#[^\n]*(\n|$)", "\n", own_line)


def tags_away(text):
    found = re.findall(r"<(\w+):([^>]+)>", text)
    return re.sub(r"<(\w+):([^>]+)>", "", text), [[kind, arguments.split(":")] for kind, arguments in found]


def and_parts(text):
    parts = []
    for part in re.split(r"\bAND\b", text):
        tail = re.search(r"\s*:\s*([-+]?(\d+\.?|\d*\.\d+))\s*$", part)
        parts.append([part[:tail.start()], float(tail.group(1))] if tail else [re.sub(r"\s+$", "", part), 1.0])
    return parts


PIECES = re.compile(r"(?P<escaped>\\[()\[\]\\])|(?P<lone>\\)|(?P<open>[(\[])|(?P<weight>:\s*(?P<number>[+-]?[.\d]+)\s*\))"
                    r"|(?P<close>[)\]])|(?P<run>[^\\()\[\]:]+)|(?P<colon>:)")


def weigh(text):
    """[[run, weight], …]: each run collects the factors of the brackets that close around it, in that order."""
    runs, opened = [], {"(": [], "[": []}

    def close(bracket, factor):
        start = opened[bracket].pop()
        for run in runs[start:]:
            run[1].append(factor)

    def add(run):
        for i, part in enumerate(re.split(r"\s*\bBREAK\b\s*", run)):
            if i:
                runs.append(["BREAK", [-1]])
            runs.append([part, [1.0]])

    for match in PIECES.finditer(text):
        kind = match.lastgroup if match.lastgroup != "number" else "weight"
        if match["escaped"]:
            runs.append([match[0][1], [1.0]])
        elif match["lone"]:
            runs.append(["", [1.0]])
        elif match["open"]:
            opened[match[0]].append(len(runs))
        elif match["weight"] and opened["("]:
            close("(", float(match["number"]))
        elif match["close"] and opened["(" if match[0] == ")" else "["]:
            close("(" if match[0] == ")" else "[", 1.1 if match[0] == ")" else 1 / 1.1)
        else:
            assert kind
            add(match[0])
    for start in opened["("]:
        for run in runs[start:]:
            run[1].append(1.1)
    for start in opened["["]:
        for run in runs[start:]:
            run[1].append(1 / 1.1)
    joined = []
    for run, factors in runs or [["", [1.0]]]:
        weight = 1.0
        for factor in factors:
            weight *= factor
        if joined and joined[-1][1] == weight:
            joined[-1][0] += run
        else:
            joined.append([run, weight])
    return joined


def reading(prompt, steps, second):
    text, tags = tags_away(comments_away(prompt))
    parts = []
    for part, weight in and_parts(text):
        entries = schedule(part, steps, second)
        parts.append({"weight": weight, "schedule": entries, "weighed": [weigh(entry[1]) for entry in entries[:3]]})
    return {"prompt": prompt, "steps": steps, "second": second, "tags": tags, "parts": parts}


HAND = r"""
a cat|
test
a [b:3]
a [b: 3]
a [b:3 ] c
a [[[b]]:2]
[(a:2):3]
a [b : c : 1] d
a[b:[c:d:2]:1]e
a [unbalanced
a [b:.5] c
a [{b|d{:.5] c
((a][:b:c [d:3]
[a|(b:1.1)]
[fe|]male
[fe|||]male
[a:b:0.29]
[a:b:1.5]
[a:b:15]
[a:b:0]
[a:b:0.0]
[a:b:-3]
[a:b:+4]
[a:b:1e1]
[a:b:1.e0]
[a:b:3.]
[a:b:.]
[a:b:999999999999999999999]
[:b:3]
[a::3]
[::3]
[:3]
[3]
[a:3:4]
[a:b:c:3]
[a:(b:c):3]
[a:(b:c:d):3]
[x [a:b:c] y:z:5]
[a [b:c:3] d:e:5]
[[a:b:3]
[a:b:3]]
[a|b:c]
[a:b|c:3]
[(a|b):c:3]
(a|b)
a | b [c:d:3]
[a|[b|c]]
[a|[b:c:5]|d]
[a:b:3\]
a\
back\\slash [a:b:3]
\[a:b:3\]
\(a\) (b\):1.3) \\(c)
[a\:b:c:3]
[a\|b|c]
a AND b
a AND b :1.5 AND c:0.5
a cat:1.5
a cat :-1.5
a cat:1.
a cat:.5
a cat:.
a cat:1.2.3
a cat: 2 
:2
AND
a AND AND b
BRAND AND ANDY
[a AND b:c:3]
(a AND b:1.3)
a [b:c:0.5] AND d [e|f]:0.7
one BREAK two
one BREAK (two BREAK three:1.2)
BREAK
BREAKER BREAK_ xBREAK
(BREAK)
[BREAK:x:3]
(a:1.2)(b:0.8)[c]((d))[[e]]
(a:1.2
((((a
[[[[a
a)b]c
(a b:  1.5  ) c
(a:+1.5) (b:-0.5)
(a : b : 1.2)
(a:b)
(:1.2)
()
[]
a <lora:foo:0.8> b
<lora:foo><lyco:bar:1:0.5:dyn=3>a
<lora:a b-c.d:te=0.3:unet=0.7> x <hypernet:y:1>
< lora:x:1> <lora:> <:x> <lora x> <a:b
<lora:x [a:b:3]> y
# only a comment
a # to the end
a\n# a line\nb
a\n# one\n# two\nb # three\nc
#a\n#b\n#c
a#b#c\nd
[a # in a bracket :b\n:c:3]
\u661f\u7a7a [\u6708:\u65e5:0.5] (\u4e91:1.3)
caf\u00e9 AND na\u00efve:0.5
\u00a0[a:\u00a0b:\u00a03\u00a0]\u00a0
a\tb\r\nc [d:e:5]
emoji \U0001f600 [\U0001f600:\U0001f601:2]
masterpiece, best quality, (1girl:1.2), [smile:frown:0.6], {holding a cup|reading}, <lora:style_v2:0.75>
a house in a [lake:forest:8], ([blue|red] roof:1.2), AND [winter:summer:0.3] sky :0.8
(((very))) [detailed:[rough:smooth:12]:0.25] landscape, [[fog]], BREAK mountains, \(oil\)
""".strip("\n").split("\n")

ALPHABET = ["a", "b ", " c", "red fox", "(", ")", "[", "]", ":", "|", "\\", ":1.2)", ":0.5]", ":3]", ":7]", " AND ", "BREAK", "[a|b]",
            "[x:y:0.4]", "(z:1.3)", ",", " ", "\n", "#", "<lora:q:0.5>", "0.5", "3", ".", "\u00e9", "\u661f"]


def group(chance, depth):
    inner = lambda: "".join(item(chance, depth - 1) for _ in range(chance.randint(0, 2)))
    kind = chance.randint(0, 5)
    if kind == 0:
        return f"({inner()})"
    if kind == 1:
        return f"({inner()}:{chance.choice(['1.2', '0.7', ' -1', 'x'])})"
    if kind == 2:
        return f"[{inner()}]"
    if kind == 3:
        return f"[{inner()}:{inner()}:{chance.choice(['0.5', '3', '.25', '12', '1.2', '25', ' 6 '])}]"
    if kind == 4:
        return f"[{inner()}:{chance.choice(['0.5', '3', '0.75'])}]"
    return "[" + "|".join(inner() for _ in range(chance.randint(2, 4))) + "]"


def item(chance, depth):
    if depth > 0 and chance.random() < 0.5:
        return group(chance, depth)
    return chance.choice(["a", "cat ", "red", ", ", "\\(x\\) ", "blue sky", " "])


def sound(prompt):
    """A1111 fails on a weight of two dots, and on one that is a dot."""
    return all(n != "." and n.count(".") < 2 for n in re.findall(r":\s*[+-]?([.\d]+)\s*\)", prompt))


def random_prompt(chance):
    while True:
        if chance.random() < 0.5:
            prompt = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(3, 14)))
        else:
            prompt = "".join(item(chance, 3) for _ in range(chance.randint(1, 4)))
        if sound(prompt):
            return prompt


def corpus():
    prompts = [bytes(line, "utf-8").decode("unicode_escape") if "\\u" in line or "\\U" in line else
               re.sub(r"\\([ntr])", lambda m: {"n": "\n", "t": "\t", "r": "\r"}[m[1]], line) for line in HAND]
    chance = random.Random(20261122)
    seen = set(prompts)
    while len(prompts) < 300:
        prompt = random_prompt(chance)
        if prompt not in seen:
            seen.add(prompt)
            prompts.append(prompt)
    sizes = [(10, 0), (20, 0), (10, 10), (20, 7), (5, 0)]
    return [(prompt, *sizes[i % len(sizes)]) for i, prompt in enumerate(prompts)]


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--random":
        chance = random.Random(int(sys.argv[2]))
        rows = [(random_prompt(chance), *chance.choice([(10, 0), (20, 7)])) for _ in range(int(sys.argv[3]))]
        out = sys.stdout
    else:
        rows = corpus()
        assert len(rows) == 300 and all(sound(row[0]) for row in rows)
        FOLDER.mkdir(exist_ok=True)
        out = open(FOLDER / "prompts.jsonl", "w", encoding="utf-8")
    for row in rows:
        print(json.dumps(reading(*row), ensure_ascii=False), file=out)


if __name__ == "__main__":
    main()
