"""From exec to the first picture (one step, 256x256, CFG pair) of a Stable Diffusion 1.5 checkpoint, warm page cache:
serigraph-engine beside python + diffusers on the same random file.

    packaging/dev.sh bench cold-start [--runs 5]

Ours: start serigraph-engine, ask for the picture through its pipe, until the PNG is there. Theirs: start
cold_start_peer.py, which imports diffusers, loads the file in float32 with from_single_file, draws and saves a PNG.
Runs alternate; the process' end is not counted.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

from checkpoint import sd15_checkpoint
from measuring import bench_folder, header, summary

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration", "engine"))
PARAMS = dict(prompt="a red star on a blue background", sampler_name="Euler", steps=1, cfg_scale=7, width=256, height=256, seed=1)


def our_run(binaries, checkpoint, threads):
    """(seconds to the picture, to hello)"""
    os.environ["SG_BIN_DIR"] = binaries
    import engine_pipe

    engine_pipe.BIN, engine_pipe.PATIENCE = binaries, 600
    begin = time.monotonic()
    engine = engine_pipe.Engine("--threads", str(threads))
    engine.send("generate", "first", model={"path": checkpoint, "name": "random"}, params=PARAMS, previews=False)
    hello = None
    while True:
        event, payload = engine.next(600)
        if event["type"] == "hello":
            hello = time.monotonic() - begin
        if event["type"] == "error":
            raise SystemExit(f"engine: {event}")
        if event["type"] == "image":
            seconds = time.monotonic() - begin
            assert payload.startswith(b"\x89PNG")
            break
    engine.until("first", {"done"})
    engine.close()
    return seconds, hello


def peer_run(checkpoint, folder, threads):
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "cold_start_peer.py"), checkpoint, folder, str(threads)],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    line = process.stdout.readline()
    seconds = time.monotonic() - begin
    if line.strip() != "picture":
        raise SystemExit("the peer made no picture: run tests/bench/cold_start_peer.py by hand")
    process.wait()
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    folder = bench_folder()
    checkpoint = sd15_checkpoint(folder)
    header(f"Cold start to the first 1-step 256x256 picture, {arguments.threads} threads, {arguments.runs} runs each, alternating")
    ours, peers = [], []
    for n in range(-1, arguments.runs):  # the first pair fills the page cache
        seconds, hello = our_run(arguments.bin, checkpoint, arguments.threads)
        theirs = peer_run(checkpoint, folder, arguments.threads)
        print(f"{'warm-up' if n < 0 else n + 1}: ours {seconds:.2f} s (hello after {hello:.2f} s), diffusers {theirs:.2f} s, "
              f"ratio {seconds / theirs:.2f}", flush=True)
        if n >= 0:
            ours.append(seconds)
            peers.append(theirs)
    print(f"\n| ours, s | python + diffusers, s | ours / peer | by pairs |\n| --- | --- | --- | --- |\n| {summary(ours)} | {summary(peers)} | "
          f"{statistics.median(ours) / statistics.median(peers):.2f} | {statistics.median(a / b for a, b in zip(ours, peers)):.2f} |")
    print("at most 0.50 is wanted")


if __name__ == "__main__":
    main()
