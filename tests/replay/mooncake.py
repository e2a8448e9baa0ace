#!/usr/bin/env python3
"""The first 100 requests of the Mooncake trace (up to 121,213 tokens), sampled, with online softmax: every one is served.

  mooncake.py HARMONIA

Ends with 0 and says so when HARMONIA_DATA is not set: the trace is no part of the project.
"""
import json
import os
import subprocess
import sys
import tempfile

REQUESTS = 100


def main():
    data = os.environ.get("HARMONIA_DATA")
    if not data:
        print("skipped: HARMONIA_DATA is not set")
        return 0
    folder = os.path.join(data, "data/traces")
    with open(os.path.join(folder, "conversation_trace.jsonl"), encoding="utf-8") as f:
        trace = [json.loads(next(f)) for _ in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out")
        settings = ["workload.trace=conversation_trace.jsonl", f"workload.limit={REQUESTS}", "accelerator.sequencer.attention=online",
                    "accelerator.activation_buffer.capacity_bytes=4MiB", "output.timeline=false"]
        command = [sys.argv[1], "run", "serve-azure", "--data", folder, "-o", out] + [x for s in settings for x in ("--set", s)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout + done.stderr)
            return 1
        with open(os.path.join(out, "result.json"), encoding="utf-8") as f:
            result = json.load(f)
    serving = result["serving"]
    error = next(e["error"] for e in result["fidelity"]["estimated_errors"] if e["figure"] == "simulated_seconds")
    wanted = {"completed": (serving["completed"], REQUESTS), "refused": (serving["refused"], 0),
              "failed checks": (sum(not c["passed"] for c in result["checks"]), 0),
              "output tokens": (result["output_tokens"], sum(r["output_length"] for r in trace)),
              "prompt tokens": (result["prompt_tokens"], sum(r["input_length"] for r in trace)),
              "an estimated error of the time of at most 5 %": (error <= 0.05, True)}
    wrong = [f"{name}: {have}, expected {want}" for name, (have, want) in wanted.items() if have != want]
    for line in wrong:
        print("FAIL:", line)
    print(f"{serving['completed']} of {REQUESTS} requests served, {result['simulated_seconds']:.0f} s on the modelled machine")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
