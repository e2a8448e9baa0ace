"""Our figure of each row: the runs of the program that it needs, and what is read from their results.

Rows that need the same run share it. A run that the program refuses gives no figure (None) and the first line of its message.
"""
import json
import os
import re
import subprocess
import tempfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

# ours and roofline in the unit of the group; roofline None where there is none. note: what the program said when it refused.
Figure = namedtuple("Figure", "ours roofline note")
LAYERS = 2  # of the model whose attention is measured: the second begins as all later ones do
ATTENTION = ["model.num_hidden_layers=%d" % LAYERS, "model.intermediate_size=128", "model.vocab_size=32", "fidelity=full"]
EIGHTH = ("model={hidden_size: 4096, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 4, head_dim: 128, intermediate_size: 1376, "
          "vocab_size: 32, name: llama-2-7b-layer-8th}")


def scenario(name, *settings):
    return ("run", name) + tuple(x for s in settings + ("output.timeline=false",) for x in ("--set", s))


def baseline(accelerator):
    # By the PEs' areas and powers of the publication whose whole systems these are: with measured PEs (docs/claims.md) the rows would compare two
    # sets of PEs, not a machine with its description.
    return scenario("default", EIGHTH, f"accelerator={accelerator}", "accelerator.energy.source=published", "weights=int4", "kv=fp16", "activations=" + ("bfp8" if accelerator == "anda" else "fp16"),
                    "workload={phase: prefill, batch: 1, tokens: 1, prefill_chunk_tokens: 512, context: 2048}",
                    "accelerator.sequencer.attention=unfused", "fidelity={mode: sampled, sample_steps: 8}")


def runs(group, inputs, data):
    """The command lines that a row needs."""
    i, kind = inputs, group["kind"]
    if kind == "kernel":
        rows, cols = (i["size"], i["size"]) if "size" in i else (i["rows"], i["cols"])
        return [scenario("gemv-l40s", f"accelerator={group['accelerator']}", f"weights={i['weights']}", f"workload.rows={rows}", f"workload.cols={cols}",
                         f"workload.batch={i['m']}")]
    if kind == "attention":
        return [scenario("rtx4090-decode", *ATTENTION, f"workload.context={i['context']}", f"workload.batch={i['batch']}")]
    if kind == "token":
        return [scenario("rtx4090-decode", f"workload.context={i['context']}")]
    if kind == "decode":
        return [scenario("default", f"accelerator={group['accelerator']}", f"model={i['model']}", f"weights={i['weights']}", "kv=fp16", "activations=fp16",
                         "workload={phase: decode, context: 128, tokens: 1}", "fidelity={mode: sampled, sample_layers: 2, sample_steps: 2}")]
    if kind in ("dram", "energy"):
        return [("dram", "--config", i["config"], "--traffic", i["traffic"], "--requests", str(i["requests"]), "--in-flight", str(i["in_flight"]), "--gap",
                 str(i.get("gap", 0)), "--json")]
    if kind == "all_reduce":
        return [all_reduce(group, i)]
    if kind == "tensor_decode":
        return [tensor_decode(group, i, i["devices"])]
    if kind == "scaling":
        return [tensor_decode(group, i, i["devices"]), tensor_decode(group, i, 1)]
    if kind == "parameters":
        return [("list", "models")]
    if kind == "bits":
        return [("list", "formats")]
    if kind == "quantiser":
        return [("formats", i["format"], "--tensor", os.path.join(data, i["file"]) + ":weight")]
    if kind == "baseline":
        return [baseline(i["accelerator"]), baseline("fp-fp")]
    raise ValueError(f"{group['name']}: unknown kind '{kind}'")


def tensor_decode(group, inputs, devices):
    """One decode step in the middle of the output."""
    work = f"workload={{phase: decode, batch: {inputs['concurrency']}, context: {group['context']}, tokens: 1}}"
    settings = [f"accelerator={group['accelerator']}", f"model={group['model']}", f"weights={group['weights']}", "kv=fp16", "activations=fp16", work,
                "fidelity={mode: sampled, sample_layers: 2, sample_steps: 2}"]
    if devices > 1:
        settings.append(f"devices={{tensor: {devices}, link: {group['link']}}}")
    return scenario("default", *settings, *group.get("settings", {}).get(inputs["backend"], []))


DIRECT_BYTES = 8 << 20  # the largest vector that vLLM's own kernels reduce; larger ones go to NCCL


def all_reduce(group, inputs):
    ranks = str(inputs["devices"])
    direct = inputs["library"] == "vllm-graph" and inputs["bytes"] <= DIRECT_BYTES and group["topology"][ranks] == "switch"
    settings = [x for s in group.get("settings", {}).get(ranks, []) for x in ("--set", s)]
    return ("link", group["link"], "--devices", ranks, "--bytes", str(inputs["bytes"]), "--topology", group["topology"][ranks],
            "--algorithm", "fastest" if direct else "ring", "--json", *settings)


def bare(result):
    """Seconds that bytes at peak bandwidth, or operations at peak rate if they take longer, would need."""
    memory = result["bandwidth"]["bytes"] / result["bandwidth"]["peak_bytes_per_s"]
    accelerator = result["provenance"]["config"]["accelerator"]
    pe = accelerator["pe"]
    peak = 1e6 * accelerator["clock_mhz"] * pe["rows"] * pe["cols"] * pe["lanes"]
    return max(memory, sum(o["macs"] for o in result["operations"]) / peak)


def column(text, name, index):
    """A column of the line of a listing that begins with `name`."""
    for line in text.splitlines():
        fields = line.split()
        if fields and fields[0] == name:
            return fields[index]
    raise ValueError(f"the program lists no '{name}'")


def read(group, inputs, results):
    """(ours, roofline) from the results of the row's runs."""
    i, kind, r = inputs, group["kind"], results[0]
    if kind in ("kernel", "token"):
        return 1e6 * r["simulated_seconds"], 1e6 * bare(r)
    if kind == "attention":
        own = [o for o in r["operations"] if o["name"].startswith("attention")]
        size = sum(o["bytes"] for o in own)
        return 1e6 * sum(o["simulated_s"] for o in own) / LAYERS, 1e6 * size / r["bandwidth"]["peak_bytes_per_s"] / LAYERS
    if kind == "decode":
        return r["output_tokens_per_s"], 1 / bare(r)
    if kind == "dram":
        reads = r["latency"]["read_s"]
        return (100 * r["bandwidth"]["utilisation"], 100) if group["figure"] == "utilisation" else (1e9 * reads["mean"], None)
    if kind == "energy":
        return energy(r["energy"], i["component"]), None
    if kind == "all_reduce":
        return 1e6 * r["simulated_s"], 1e6 * r["sent_bytes_per_device"] / r["raw_bytes_per_s"]
    if kind == "tensor_decode":
        return 1e3 * r["simulated_seconds"], 1e3 * bare(r)
    if kind == "scaling":
        share = lambda seconds: 100 * seconds(results[1]) / seconds(r) / i["devices"]
        return share(lambda result: result["simulated_seconds"]), share(bare)
    if kind == "parameters":
        # Of the listing "8.03 G": the number and its unit.
        return float(column(r, i["model"], 1)), None
    if kind == "bits":
        return float(column(r, i["format"], 1)), None
    if kind == "quantiser":
        return float(re.search(r"^SNR +([0-9.]+) dB", r, re.M).group(1)), None
    if kind == "baseline":
        return relative(results, i["figure"]), None
    raise ValueError(kind)


def energy(figures, component):
    if component == "per_bit":
        return 1e12 * figures["per_bit_j"]
    if component == "total":
        return 1e9 * figures["total_j"]
    return 1e9 * sum(c["joules"] for c in figures["components"] if c["component"].startswith(component))


def relative(results, figure):
    """How much better the first run is than the second."""
    one, base = results
    speed = base["simulated_seconds"] / one["simulated_seconds"]
    if figure == "speed":
        return speed
    if figure == "area_efficiency":
        return speed * base["area"]["total_mm2"] / one["area"]["total_mm2"]
    return base["energy"]["total_j"] / one["energy"]["total_j"]


def execute(program, root, command):
    """The result of one run: parsed JSON, the text of a listing, or an Error."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        line = [program, *command] + (["-o", out] if command[0] == "run" else [])
        environment = dict(os.environ, HARMONIA_WORKLOADS=os.path.join(root, "workloads"))
        done = subprocess.run(line, capture_output=True, text=True, env=environment)
        if done.returncode == 2:
            return Refused(done.stderr.strip().splitlines()[0])
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr}")
        if command[0] == "run":
            with open(os.path.join(out, "result.json"), encoding="utf-8") as f:
                return json.load(f)
        return json.loads(done.stdout) if "--json" in command else done.stdout


class Refused(str):
    """The program's message for a run that it does not do."""


def measure(facts, rows, program, root, data, jobs=None):
    """{(group, name): Figure} of the rows."""
    needed = {r: runs(facts.groups[r.group], r.inputs, data) for r in map(freeze, rows)}
    commands = list(dict.fromkeys(c for list_ in needed.values() for c in list_))
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        results = dict(zip(commands, pool.map(lambda c: execute(program, root, c), commands)))
    figures = {}
    for row, list_ in needed.items():
        own = [results[c] for c in list_]
        refused = next((r for r in own if isinstance(r, Refused)), None)
        figures[row.key] = Figure(None, None, refused) if refused else Figure(*read(facts.groups[row.group], row.inputs, own), None)
    return figures


class freeze:
    """A row as a key of a dictionary: its inputs are one."""

    def __init__(self, row):
        self.group, self.inputs, self.key = row.group, row.inputs, (row.group, row.name)
