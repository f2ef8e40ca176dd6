"""Checks every #include of ours against cmake/layers.txt: a folder uses only what its line names.

Also: torch::Tensor and <torch/…> stay out of public headers that programs include, cv:: stays in core/imaging, Qt out of the Qt-free layers.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

# Which outside library an include belongs to, by the beginning of its path. What is not listed is the standard library or the system's.
OUTSIDE = {
    "torch": ("torch/", "ATen/", "c10/"), "opencv": ("opencv2/",), "json": ("nlohmann/",), "expected": ("tl/",), "utf8proc": ("utf8proc",), "yaml": ("yaml.h",),
    "png": ("png.h",), "zlib": ("zlib.h",), "jpeg": ("jpeglib.h", "jerror.h"), "webp": ("webp/",), "qtkeychain": ("qt6keychain/", "qtkeychain/"),
}
QT = {
    "qthttpserver": ("QHttpServer", "QAbstractHttpServer", "QtHttpServer"), "qtsql": ("QSql", "QtSql"), "qtsvg": ("QSvg", "QtSvg"),
    "qtnetwork": ("QTcp", "QNetwork", "QHostAddress", "QLocal", "QSsl", "QHostInfo", "QHttp", "QAbstractSocket", "QtNetwork"),
}
WIDGETS = ("QWidget", "QApplication", "QMainWindow", "QDialog", "QPushButton", "QLabel", "QGraphics", "QtWidgets")
# core/base's own names for what it wraps: who may use core/base may use its JSON type and Expected.
FREE = {"json", "expected"}


def layers():
    table = {}
    for line in (ROOT / "cmake/layers.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            folder, folders, outside = (part.split() for part in line.split(":"))
            table[folder[0]] = set(folders) | set(outside)
    return table


def outside_library(path):
    for name, starts in OUTSIDE.items():
        if path.startswith(starts):
            return name
    base = path.split("/")[-1]
    if re.match(r"Q[A-Z]|Qt[A-Z]", base) or path.startswith("Qt"):
        for name, starts in QT.items():
            if base.startswith(starts) or path.startswith(starts):
                return name
        return "qtwidgets" if base.startswith(WIDGETS) else "qtcore-or-gui"
    return None


def folder_of(path):
    parts = path.split("/")
    if parts[0] == "ui":
        return "ui"
    return "/".join(parts[:2])


def check(file, folder, allowed):
    problems = []
    for quote, path in INCLUDE.findall(file.read_text()):
        where = f"{file.relative_to(ROOT)}: #include {path}"
        if quote == '"' and path.split("/")[0] in ("core", "ui", "app"):
            target = folder_of(path)
            if target != folder and target not in allowed:
                problems.append(f"{where}: {folder} may not use {target}")
            if path.startswith("app/"):
                problems.append(f"{where}: nothing includes app/")
            continue
        library = outside_library(path)
        if library == "qtcore-or-gui":
            if "qtcore" not in allowed:
                problems.append(f"{where}: {folder} is free of Qt")
        elif library and library not in allowed and library not in FREE:
            problems.append(f"{where}: {folder} may not use {library}")
    return problems


def main():
    table, problems, files = layers(), [], 0
    for file in sorted([*ROOT.glob("core/**/*"), *ROOT.glob("ui/**/*"), *ROOT.glob("app/**/*")]):
        if file.suffix not in (".h", ".cpp"):
            continue
        files += 1
        folder = folder_of(str(file.relative_to(ROOT)))
        if folder not in table:
            problems.append(f"{file.relative_to(ROOT)}: cmake/layers.txt has no line for {folder}")
        elif "*" not in table[folder]:
            problems += check(file, folder, table[folder])
    for problem in problems:
        print(problem)
    print(f"{files} files, {len(problems)} problems")
    sys.exit(1 if problems or files == 0 else 0)


if __name__ == "__main__":
    main()
