"""Checks what a reader relies on: sizes of files and functions, headers that stand alone and say what they are, no secrets compared with ==.

A source file includes its own header first, which is the proof that the header compiles alone.
"""
import functools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES, HEADER_LINES, FUNCTION_LINES = 600, 150, 60
ALLOWED = {line.split("#")[0].strip() for line in (ROOT / "tests/lint/allowlist.txt").read_text().splitlines()} - {""}


def tracked():
    out = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "ls-files", "*.h", "*.cpp"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in out.split() if (ROOT / name).exists()]


def functions(lines):
    """(first line, length) of each block that starts in column 0 with '{' after a declaration: our format puts it there."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start
            start = None


def check(file):
    name, text = str(file.relative_to(ROOT)), file.read_text()
    lines, problems = text.splitlines(), []
    limit = HEADER_LINES if file.suffix == ".h" else FILE_LINES
    if len(lines) > limit and name not in ALLOWED:
        problems.append(f"{name}: {len(lines)} lines, the limit is {limit}")
    for start, length in functions(lines):
        if length > FUNCTION_LINES and f"{name}:function" not in ALLOWED:
            problems.append(f"{name}:{start}: a function of {length} lines, the limit is {FUNCTION_LINES}")
    if file.suffix == ".h":
        if "#pragma once" not in text:
            problems.append(f"{name}: no #pragma once")
        if not name.startswith("tests/") and "///" not in text:
            problems.append(f"{name}: a public header says in a /// line what it is")
        own_source = file.with_suffix(".cpp")
        if own_source.exists():
            first = re.search(r'#include\s*[<"]([^">]+)[">]', own_source.read_text())
            if not first or first.group(1) != name:
                problems.append(f"{own_source.relative_to(ROOT)}: includes {name} first, so that the header is known to stand alone")
    if re.search(r"using namespace std;", text):
        problems.append(f"{name}: using namespace std")
    if not name.startswith("tests/") and re.search(r"\b(signature|token|secret|password)\w*\s*==\s*(?!nullptr)|==\s*\w*(signature|secret|password)\b", text, re.I) and f"{name}:compare" not in ALLOWED:
        problems.append(f"{name}: secrets are compared in constant time, not with ==")
    return problems


@functools.cache
def reaches_torch(file):
    """Whether it, or a header of ours that it reaches, includes torch's headers."""
    text = file.read_text()
    if re.search(r"#include <(torch|ATen|c10)/", text):
        return True
    ours = (ROOT / name for name in re.findall(r'#include "([^"]+)"', text))
    return any(reaches_torch(header) for header in ours if header.exists())


def main():
    files = tracked()
    problems = [problem for file in files for problem in check(file)]
    torch_files = [f for f in files if f.suffix == ".cpp" and reaches_torch(f)]
    if len(torch_files) > 60:
        problems.append(f"{len(torch_files)} files include torch headers, the limit is 60")
    for problem in problems:
        print(problem)
    print(f"{len(files)} files ({len(torch_files)} with torch), {len(problems)} problems")
    sys.exit(1 if problems or not files else 0)


if __name__ == "__main__":
    main()
