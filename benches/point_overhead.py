#!/usr/bin/env python3
"""What a point of a shard costs beyond its run (process, claim, record): processor time, the least of three tries, beside the bound of 10 ms.

    benches/point_overhead.py PROGRAM      for instance build/harmonia
"""
import pathlib
import resource
import subprocess
import sys
import tempfile

POINTS, MOST_S = 40, 0.010
SETTINGS = ["--set", "model=stories260k", "--set", "workload.tokens=1", "--set", "workload.context=1"]


def processor_s(commands, folder):
    def used():
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime

    before = used()
    for words in commands:
        subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return used() - before


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    least = float("inf")
    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="harmonia-overhead-") as name:
            folder = pathlib.Path(name)
            (folder / "sweep.yaml").write_text(f"{{scenario: default, grid: {{seed: [{', '.join(str(i + 1) for i in range(POINTS))}]}}}}")
            sweep = processor_s([[program, "sweep", "sweep.yaml", "--shard", "1/1", "-o", "out", *SETTINGS]], folder)
            runs = processor_s([[program, "run", "default", *SETTINGS, "--set", f"seed={i + 1}", "--set", "output.timeline=false", "-o", f"run{i}"]
                                for i in range(POINTS)], folder)
        least = min(least, (sweep - runs) / POINTS)
        print(f"{1000 * (sweep - runs) / POINTS:.1f} ms a point beyond its run of {1000 * runs / POINTS:.1f} ms")
    print(f"least: {1000 * least:.1f} ms, {least / MOST_S:.2f} of the bound of {1000 * MOST_S:g} ms")


if __name__ == "__main__":
    main()
