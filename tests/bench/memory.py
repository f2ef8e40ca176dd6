"""What a run takes at its peak beside what its plan said (docs/decisions/residency.md).

    packaging/dev.sh bench memory [--cases starter:64:1,sd15:512:1 …]

Each case (checkpoint:side:batch) has an engine of its own, which draws one step. The plan is asked for before anything is
loaded. Its anonymous part is held against the most that RssAnon grew by, looked at every 5 ms; with the weights, against
the growth of VmHWM, which also counts the pages of the mapped file that were touched.
"""
import argparse
import os
import pathlib
import sys
import threading
import time

from checkpoint import sd15_checkpoint
from measuring import bench_folder, header

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration", "engine"))
STARTER = pathlib.Path(HERE, "..", "..", "resources", "starter", "starter.safetensors").resolve()
MIB = 1 << 20


def status(pid, name):
    """A number of /proc/PID/status in bytes."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise SystemExit(f"no {name} of process {pid}")


class Watch(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.ended = pid, 0, False

    def run(self):
        while not self.ended:
            self.most = max(self.most, status(self.pid, "RssAnon"))
            time.sleep(0.005)


def measure(engine_pipe, path, side, batch, threads):
    engine = engine_pipe.Engine("--threads", str(threads))
    assert engine.next(600)[0]["type"] == "hello"
    params = dict(prompt="a red star", sampler_name="Euler", steps=1, cfg_scale=7, width=side, height=side, seed=1, batch_size=batch)
    engine.send("plan", "p", model={"path": path}, params=params)
    plan = engine.until("p", {"plan", "error"})[-1][0]
    pid = engine.process.pid
    anonymous, resident = status(pid, "RssAnon"), status(pid, "VmRSS")
    watch = Watch(pid)
    watch.start()
    last = engine.generate("t", {"path": path}, params)[-1][0]
    assert last["type"] == "done", last
    watch.ended = True
    watch.join()
    grown, peak = watch.most - anonymous, status(pid, "VmHWM") - resident
    engine.close()
    return plan, grown, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--cases", default="starter:64:1,starter:256:1,starter:256:4,sd15:256:1,sd15:512:1")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    import engine_pipe

    engine_pipe.BIN, engine_pipe.PATIENCE = arguments.bin, 600
    header(f"planned and measured memory of one step, {arguments.threads} threads")
    print("\n| checkpoint | side | batch | network, MiB | VAE, MiB | planned without pages of files, MiB | RssAnon grew by | plan / measured | planned with them | VmHWM grew by | plan / measured |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for case in arguments.cases.split(","):
        name, side, batch = case.split(":")
        path = str(STARTER) if name == "starter" else sd15_checkpoint(bench_folder())
        plan, grown, peak = measure(engine_pipe, path, int(side), int(batch), arguments.threads)
        whole = plan["needed"] + plan["mapped"]
        numbers = [plan["activations"], plan["vae"], plan["needed"], grown]
        print(f"| {name} | {side} | {batch} | " + " | ".join(f"{n / MIB:.0f}" for n in numbers) +
              f" | {plan['needed'] / grown:.2f} | {whole / MIB:.0f} | {peak / MIB:.0f} | {whole / peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
