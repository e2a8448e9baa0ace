#!/usr/bin/env python3
"""Custom architectures on the command line: layers that spell out a built-in model cost exactly what it costs; reordered ones
move the same bytes; a wrong list is refused with its place and exit status 2.

    tests/models/custom.py PROGRAM FOLDER_OF_BUILT_IN_MODELS
"""
import json
import pathlib
import subprocess
import sys
import tempfile

DECODER = "[attention_norm, qkv, attention, output, ffn_norm, gate_up, down]"
# No two kinds of layer are alike: feed-forward alone, attention alone with more kv heads, both the other way round, a decoder layer.
ODD = """\
name: odd
architecture: custom
hidden_size: 256
num_hidden_layers: 5
num_attention_heads: 8
num_key_value_heads: 2
head_dim: 32
intermediate_size: 640
vocab_size: 96
layers:
- {count: 2, operations: [ffn_norm, gate_up, down], intermediate_size: 320}
- {operations: [attention_norm, qkv, attention, output], num_attention_heads: 4, num_key_value_heads: 4}
- {operations: [ffn_norm, gate_up, down, attention_norm, qkv, attention, output], num_key_value_heads: 1}
- {}
"""
# What repeats the configuration, and what differs from run to run.
NOT_FIGURES = ("model", "provenance", "wall_seconds", "simulation_events")
faults = []


def need(condition, text):
    if not condition:
        faults.append(text)


def run(program, out, model, *settings):
    words = [program, "run", "default", "-o", out]
    for setting in (f"model={model}", "fidelity=sampled", "output.timeline=false", "workload.tokens=2", *settings):
        words += ["--set", setting]
    return subprocess.run(words, capture_output=True, text=True)


def figures(program, out, model, *settings):
    done = run(program, out, model, *settings)
    if done.returncode != 0:
        sys.exit(f"{model}: exit status {done.returncode}: {done.stderr}")
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return {key: value for key, value in result.items() if key not in NOT_FIGURES}


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for key in {**a, **b} for d in differences(a.get(key), b.get(key), f"{path}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{path}[{i}]")]
    return [] if a == b else [f"{path}: {a} and {b}"]


def main():
    program, built_in = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        llama = (built_in / "llama-3-8b.yaml").read_text(encoding="utf-8") + "architecture: custom\n"
        own = figures(program, folder / "llama", "llama-3-8b")
        for name, layers in {"by its operations": f"layers: [{{count: 32, operations: {DECODER}}}]\n",
                             "run by run": "layers: [{count: 5}, {count: 27}]\n"}.items():
            file = folder / "model.yaml"
            file.write_text(llama + layers, encoding="utf-8")
            for difference in differences(own, figures(program, folder / name, file)):
                need(False, f"Llama-3-8B {name}: {difference}")

        # The same sublayers in another order: weights, cache and what is computed are the same, to the byte.
        other = figures(program, folder / "sandwich", "sandwich-8b")
        need(other["checks"] and all(check["passed"] for check in other["checks"]), "sandwich-8b: a check failed")
        for traffic in ("weights", "scales", "kv_read", "kv_write"):
            ours, llamas = (result["bandwidth"]["bytes_by_class"][traffic] for result in (other, own))
            need(ours == llamas and ours > 0, f"sandwich-8b: {ours} bytes of {traffic}, expected those of Llama-3-8B, {llamas}")

        # By hand, one token behind 64 others: 4-bit codes with a scale of 16 bits for 64 weights; norms, head and a row of the
        # embedding in 16 bits; keys and values of 65 tokens in 16 bits.
        file.write_text(ODD, encoding="utf-8")
        moved = figures(program, folder / "odd", file, "workload.tokens=1", "workload.context=64", "kv=fp16", "accelerator.pe.kind=fp16")["bandwidth"]["bytes_by_class"]
        small, large = [(320, 256), (320, 256), (256, 320)], [(640, 256), (640, 256), (256, 640)]
        attention = {heads: [(32 * heads[0], 256), (32 * heads[1], 256), (32 * heads[1], 256), (256, 32 * heads[0])] for heads in ((4, 4), (8, 1), (8, 2))}
        matrices = 2 * small + attention[4, 4] + large + attention[8, 1] + large + attention[8, 2]
        norms, heads = 2 * 1 + 1 + 2 + 2 + 1, 4 + 1 + 2
        by_hand = {"weights": sum(n * k // 2 for n, k in matrices) + 2 * 256 * norms + 2 * 96 * 256 + 2 * 256,
                   "scales": sum(2 * n * k // 64 for n, k in matrices), "kv_read": 65 * heads * 2 * 2 * 32, "kv_write": heads * 2 * 2 * 32}
        for traffic, count in by_hand.items():
            need(moved[traffic] == count, f"the odd model: {moved[traffic]} bytes of {traffic}, expected {count}")

        for layers, place, text in (("layers: [{count: 31}]\n", ":13:9:", "lists 31 layers, expected the 32"),
                                    ("layers:\n- {count: 32, operation: [qkv]}\n", ":14:15:", "operation"),
                                    ("layers:\n- {count: 32, operations: [atention_norm]}\n", ":14:28:", "attention_norm"),
                                    ("layers: [{count: 32, operations: [qkv, attention, output]}]\n", ":13:9:", "'qkv' reads normed rows")):
            file.write_text(llama + layers, encoding="utf-8")
            done = run(program, folder / "refused", file)
            need(done.returncode == 2, f"{layers.strip()}: exit status {done.returncode}, expected 2")
            need(f"{file}{place}" in done.stderr and text in done.stderr, f"{layers.strip()}: '{done.stderr.strip()}', expected {place} and '{text}'")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
