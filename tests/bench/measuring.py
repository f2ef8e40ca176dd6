"""What the benchmarks share: where things are, what the machine is, and how figures are printed."""
import datetime
import os
import platform
import statistics


def bench_folder():
    cache = os.environ.get("SERIGRAPH_CACHE") or os.path.expanduser("~/.cache/serigraph")
    folder = os.path.join(cache, "bench")
    os.makedirs(folder, exist_ok=True)
    return folder


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def steal_and_total():
    """Clock ticks that others took from this machine, and all of them."""
    fields = [int(value) for value in open("/proc/stat").readline().split()[1:]]
    return fields[7], sum(fields[:8])


def header(what):
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{what}\n{datetime.datetime.now():%Y-%m-%d %H:%M}, {machine()}; load before: {load}", flush=True)


def cpu_seconds(pid):
    """Processor time of a process and all its threads, in steps of 10 ms."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summary(values):
    return f"{statistics.median(values):.3f} (least {min(values):.3f})"


def percentile(values, part):
    """The value below which `part` (0..1) of all lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered) + 0.5) - 1))]
