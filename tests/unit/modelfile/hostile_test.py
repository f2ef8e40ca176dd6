"""Each hostile file is refused with the forbidden name or the broken rule, in little time and memory, and nothing that it asks for happens."""
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import hostile

PROBE = sys.argv[1]
LEAST = 60
MEMORY = 130 << 10   # KiB, of the whole program; the caps are made for 100 MB beside the pickle itself
SECONDS = 5.0        # of processor time: a bound on work, not a measure of speed


def confine():
    # A file that is written, or a program that is started, would be seen as a failure of its own.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


def run(path):
    process = subprocess.Popen([PROBE, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=confine, cwd=os.path.dirname(path))
    said = process.stdout.read().decode(errors="replace").strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, usage


def main():
    canary = pathlib.Path(hostile.CANARY)
    canary.unlink(missing_ok=True)
    problems, count, most = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for title, content, words in hostile.all_files():
            count += 1
            path = os.path.join(folder, "hostile.ckpt")
            pathlib.Path(path).write_bytes(content)
            code, said, usage = run(path)
            seconds = usage.ru_utime + usage.ru_stime
            most = max(most, usage.ru_maxrss)
            wanted = said.startswith("unusable_file: ") if words else said.startswith("read ")
            if code != 0 or not wanted or words not in said or "\x1b" in said:
                problems.append(f"{title}: exit {code}, wanted {words!r}, said {said[:300]!r}")
            if usage.ru_maxrss > MEMORY or seconds > SECONDS:
                problems.append(f"{title}: {usage.ru_maxrss} KiB, {seconds:.2f} s")
            if os.listdir(folder) != ["hostile.ckpt"]:
                problems.append(f"{title}: left {os.listdir(folder)}")
    if canary.exists():
        problems.append("a command of a hostile file was executed")
        canary.unlink()
    if count < LEAST:
        problems.append(f"only {count} files")
    print("\n".join(problems))
    print(f"{count} hostile files, {len(problems)} problems, at most {most} KiB")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
