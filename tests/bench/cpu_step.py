"""One step of a UNet on the CPU (batch 2: a CFG pair), or one picture decoded, ours beside diffusers, OpenVINO and
stable-diffusion.cpp.

    packaging/dev.sh bench cpu-step [--network sd15|sdxl|vae] [--sizes 512,256] [--steps 5] [--peers contiguous,openvino]

Every peer runs in a process of its own, beside ours, on the same random fp16 checkpoint, in float32, with the same
number of threads; steps alternate ours, peer, ours, peer. The first step of each is for warming up and for comparing
outputs. Beside wall time stands processor time, which other work on the machine disturbs less. stable-diffusion.cpp takes no
latents: its steps are those of a whole picture, which is held against ours of the same seed.
"""
import argparse
import glob
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from checkpoint import sd15_checkpoint, sdxl_unet
from measuring import bench_folder, cpu_seconds, header, summary

HERE = os.path.dirname(os.path.abspath(__file__))
AGREE = 1e-3  # of the largest value
PICTURES_AGREE = 3.0  # of 255, on average: stable-diffusion.cpp convolves in half precision
OURS = {"THP_MEM_ALLOC_ENABLE": "1", "OMP_WAIT_POLICY": "passive"}  # as core/engine/backend_module.cpp sets them
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
PEERS = {  # name: (kind, environment)
    "contiguous": ("contiguous", {}),
    "contiguous-thp": ("contiguous", HUGE_PAGES),
    "channels_last": ("channels_last", {}),
    "channels_last-thp": ("channels_last", HUGE_PAGES),
    "openvino": ("openvino", {}),
    "stable-diffusion.cpp": ("stable-diffusion.cpp", {}),
}
NAMES = {"contiguous": "diffusers as installed", "openvino": "OpenVINO f32", "stable-diffusion.cpp": "stable-diffusion.cpp, f32"}


class Worker:
    """A process that runs steps on request."""

    realtime = False

    def __init__(self, command, output, **environment):
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        environment = kept | {"HF_HUB_OFFLINE": "1"} | environment
        self.output = os.path.join(bench_folder(), output)
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, _, seconds = self._line().partition(" ")
        if word != "ready":
            raise SystemExit(f"{command[0]} did not get ready: {word}")
        self.load_seconds = float(seconds)

    def _line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{self.process.args[:3]} ended with {self.process.wait()}")
        return line

    def step(self, source, side):
        """(wall seconds, processor seconds)"""
        self._schedule(os.SCHED_RR, 5)
        before = cpu_seconds(self.process.pid)
        self.process.stdin.write(f"run {source} {self.output} {side}\n")
        self.process.stdin.flush()
        wall, *busy = map(float, self._line().split())
        busy = busy[0] if busy else cpu_seconds(self.process.pid) - before
        self._schedule(os.SCHED_OTHER, 0)
        return wall, busy

    def _schedule(self, policy, priority):
        if self.realtime:
            for thread in os.listdir(f"/proc/{self.process.pid}/task"):
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))

    def peak(self):
        """VmHWM in MiB."""
        return next(int(line.split()[1]) >> 10 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmHWM:"))

    def result(self):
        return np.fromfile(self.output, np.float32)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def size_waves(sizes):
    """[2, 6] -> [2, 1536]: cosines, then sines, of each number."""
    rates = np.exp(-np.log(10000) * np.arange(128) / 128)
    angles = sizes[:, :, None] * rates
    return np.concatenate([np.cos(angles), np.sin(angles)], 2).reshape(2, -1)


def make_input(folder, side, network):
    path = os.path.join(folder, f"step-input-{network}-{side}.f32")
    rng = np.random.default_rng(side)
    values = [rng.standard_normal((1 if network == "vae" else 2, 4, side // 8, side // 8))]
    if network != "vae":
        values.append(rng.standard_normal((2, 77, 768 if network == "sd15" else 2048)))
    if network == "sdxl":
        sizes = np.array([[side, side, 0, 0, side, side]] * 2, np.float32)
        values += [np.concatenate([rng.standard_normal((2, 1280)), size_waves(sizes)], 1), sizes]
    np.concatenate([value.ravel() for value in values]).astype(np.float32).tofile(path)
    return path


def output_error(ours, peer, name, side):
    a, b = ours.result(), peer.result()
    error = float(np.abs(a - b).max() / np.abs(b).max())
    if not np.isfinite(a).all() or error > AGREE:
        raise SystemExit(f"{name} at {side}: outputs differ by {error:.1e} of the largest value")
    return f"{error:.0e}"


def picture_error(programs, checkpoint, peer, name, side):
    """How far the peer's picture is from ours of the same words, seed and kind of noise."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(programs, "serigraphd"), "generate", "--data-dir", os.path.join(folder, "data"), "--models", checkpoint,
                        "--prompt", "star", "--sampler", "Euler", "--scheduler", "Uniform", "--steps", "2", "--cfg", "7", "--seed", "1",
                        "--width", str(side), "--height", str(side), "--set", "randn_source=NV", "--output", os.path.join(folder, "ours.png")],
                       check=True, stdout=subprocess.DEVNULL)
        picture = np.asarray(Image.open(glob.glob(os.path.join(folder, "*.png"))[0]).convert("RGB"), np.float32)
    error = float(np.abs(picture.ravel() - peer.result()).mean())
    if error > PICTURES_AGREE:
        raise SystemExit(f"{name} at {side}: the pictures differ by {error:.1f} of 255 on average")
    return f"{error:.2f} of 255"


def compare(ours, peer, name, source, side, steps, error_of):
    """Alternates steps and prints the table's row; the ratio of the medians."""
    ours.step(source, side)
    peer.step(source, side)
    error = error_of()
    mine, theirs = [], []
    for _ in range(steps):
        mine.append(ours.step(source, side))
        theirs.append(peer.step(source, side))
    wall, cpu = ([[row[i] for row in rows] for rows in (mine, theirs)] for i in (0, 1))
    ratio = statistics.median(wall[0]) / statistics.median(wall[1])
    paired = statistics.median(x / y for x, y in zip(*wall))
    busy = statistics.median(cpu[0]) / statistics.median(cpu[1])
    print(f"| {side} | {NAMES.get(name, 'diffusers ' + name)} | {summary(wall[0])} | {summary(wall[1])} | {ratio:.2f} | {paired:.2f} | "
          f"{busy:.2f} | {error} | {ours.peak()} / {peer.peak()} |", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--network", choices=["sd15", "sdxl", "vae"], default="sd15", help="vae: decoding, with SD1.5's")
    parser.add_argument("--sizes", default="512,256")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peers", default=",".join(name for name in PEERS if name != "stable-diffusion.cpp"),
                        help="besides: stable-diffusion.cpp, which is compiled first")
    parser.add_argument("--realtime", action="store_true",
                        help="steps of both sides run under the real-time scheduler (root), where a machine is shared")
    arguments = parser.parse_args()
    Worker.realtime = arguments.realtime
    sizes = [int(size) for size in arguments.sizes.split(",")]
    folder = bench_folder()
    network = arguments.network
    checkpoint = sdxl_unet(folder) if network == "sdxl" else sd15_checkpoint(folder)
    inputs = {side: make_input(folder, side, network) for side in sizes}
    what = {"sd15": "UNet step of a random SD1.5 checkpoint, batch 2", "sdxl": "UNet step of a random SDXL UNet, batch 2",
            "vae": "decoding one picture with a random SD1.5 checkpoint"}[network]
    header(f"{what}, float32, {arguments.threads} threads, {arguments.steps} steps each, alternating"
           + (", under the real-time scheduler" if arguments.realtime else ""))
    ours = Worker([os.path.join(arguments.bin, "..", "bench", "unet_step"), checkpoint, str(arguments.threads),
                   "vae" if network == "vae" else "unet"], "ours.f32", **OURS)
    print(f"our network was loaded in {ours.load_seconds:.1f} s\n")
    print("| side | peer | ours, s | peer, s | ours / peer | by pairs | by processor time | outputs differ by | VmHWM, MiB, ours / peer |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    ratios = {}
    for name in arguments.peers.split(","):
        kind, environment = PEERS[name]
        if kind == "stable-diffusion.cpp" and network == "sdxl":
            print("(no stable-diffusion.cpp: it wants a checkpoint with text encoders)", file=sys.stderr)
            continue
        python = os.path.join(folder, "..", "venv-stable-diffusion-cpp", "bin", "python") if kind == "stable-diffusion.cpp" else sys.executable
        command = [python, os.path.join(HERE, "step_peer.py"), kind, checkpoint, folder, str(arguments.threads), network]
        peer = Worker(command, "peer.f32", **environment)
        for side in sizes:
            def error_of():
                if kind == "stable-diffusion.cpp":
                    return picture_error(arguments.bin, checkpoint, peer, name, side)
                return output_error(ours, peer, name, side)

            ratios[side, name] = compare(ours, peer, name, inputs[side], side, arguments.steps, error_of)
        peer.close()
    ours.close()
    print()
    for side in sizes:
        diffusers = [ratio for (s, name), ratio in ratios.items() if s == side and name.startswith(("contiguous", "channels_last"))]
        if (side, "contiguous") in ratios:
            print(f"{side}: {ratios[side, 'contiguous']:.2f} of diffusers as installed (at most 0.85 is wanted)")
        if diffusers:
            print(f"{side}: {max(diffusers):.2f} of the best diffusers that was run (at most 1.00 is wanted)")


if __name__ == "__main__":
    main()
