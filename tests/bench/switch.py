"""What it costs to go back to a checkpoint that the engine still holds: from the request to `loaded`, through the pipe.

    packaging/dev.sh bench switch [--switches 200]

The engine holds a random SD1.5 checkpoint (2.1 GB) and the starter model; the two take turns. Beside it: the same from a
warm page cache when the checkpoint was let go before.
"""
import argparse
import os
import pathlib
import sys
import time

from checkpoint import sd15_checkpoint
from measuring import bench_folder, header, percentile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration", "engine"))
STARTER = pathlib.Path(HERE, "..", "..", "resources", "starter", "starter.safetensors").resolve()


def load(engine, number, path):
    """Milliseconds."""
    begin = time.monotonic()
    answer = engine.ask("load", f"l{number}", model={"path": path})
    assert answer["type"] == "loaded", answer
    return 1000 * (time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--switches", type=int, default=200)
    arguments = parser.parse_args()
    import engine_pipe

    engine_pipe.BIN, engine_pipe.PATIENCE = arguments.bin, 600
    paths = [sd15_checkpoint(bench_folder()), str(STARTER)]
    header(f"switching between two resident checkpoints, {arguments.switches} times")
    engine = engine_pipe.Engine("--threads", str(os.cpu_count()))
    for path in paths:
        load(engine, "first" + path, path)
    held = [load(engine, number, paths[number % 2]) for number in range(arguments.switches)]
    models = engine.ask("status", "s")["models"]
    assert {m["path"] for m in models} == set(paths), "one of them was let go"
    again = []
    for number in range(5):
        engine.ask("unload", f"u{number}", model={"path": paths[0]})
        again.append(load(engine, f"again{number}", paths[0]))
    engine.close()
    print("\n| what | p50, ms | p99, ms | most, ms |\n| --- | --- | --- | --- |")
    for what, values in (("back to a resident checkpoint", held), ("SD1.5 (2.1 GB) from a warm page cache", again)):
        print(f"| {what} | {percentile(values, .5):.2f} | {percentile(values, .99):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
