#!/usr/bin/env python3
"""Every configuration key has an effect: each key that the program describes is changed, and a figure of the result must change.

    tests/keys/key_effect.py PROGRAM [KEY ...]      all keys, or only those that begin with one of these texts

The keys come from `PROGRAM list keys`, so that a new key is tested without an entry here. A key is tried on the scenarios below in
turn until a figure changes. Figures are everything in result.json but what repeats the configuration. Keys that can have none
are listed with the reason, and the reason is tried: another value changes no figure, or is refused by the key's name; what must be
said of it is said. Exit status 1: a key changed nothing, was refused whatever its value, or is excused without being idle.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = ("model={name: tiny, hidden_size: 128, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2,"
         " intermediate_size: 256, vocab_size: 512, head_dim: 32}")
SMALL = ["accelerator.activation_buffer.capacity_bytes=8192", "accelerator.weight_buffer.capacity_bytes=16384"]
PREFILL = [MODEL, "workload={phase: prefill, batch: 2, context: 96, tokens: 1, prefill_chunk_tokens: 64}"]
# The scenarios on which keys are tried: settings laid over the built-in scenario `default`.
SCENARIOS = {
    "decode": [MODEL, "workload={phase: decode, batch: 2, context: 300, tokens: 2}"],
    "prefill": PREFILL,
    # Engines and buffers that do not fit: activations and scores go through memory.
    "spilled": PREFILL + SMALL + ["accelerator.sequencer.attention=unfused"],
    # One engine's buffer, descriptor and transaction at a time: what a deep machine hides is seen.
    "narrow": PREFILL + SMALL + ["accelerator.dma.outstanding=1", "accelerator.dma.descriptors=1", "accelerator.dma.transaction_bytes=256",
                                 "accelerator.dma.stream_bytes_per_cycle=8", "accelerator.kv_buffer.capacity_bytes=4096"],
    "sampled": ["model={name: tiny, hidden_size: 128, num_hidden_layers: 12, num_attention_heads: 4, num_key_value_heads: 2,"
                " intermediate_size: 256, vocab_size: 512, head_dim: 32}",
                "workload={phase: decode, batch: 1, context: 120, tokens: 40}", "fidelity.mode=sampled"],
}
# Keys of a DRAM channel are tried on these instead: much traffic over few banks, and what brings a rule into play.
DRAM = "accelerator.dram="
CHANNEL = "accelerator.dram.channel."
FULL = PREFILL + SMALL + ["accelerator.sequencer.attention=unfused"]
CHANNELS = {
    "decode": SCENARIOS["decode"],
    "spilled": FULL,
    "one channel": FULL + [DRAM + "{channels: 1}"],
    "one channel, refresh by bank": FULL + [DRAM + "{channels: 1, channel: {refresh: per_bank, REFIpb: 60, PBR2PBR: 20, RFCpb: 40, RREFD: 3}}"],
    "one channel, often refreshed": FULL + [DRAM + "{channels: 1, channel: {REFI: 400, refresh_postpone: 1, refresh_pull_in: 1}}"],
    "two ranks": FULL + [DRAM + "{channels: 1, channel: {ranks: 2}}"],
    "power-down": FULL + [DRAM + "{channels: 2, channel: {power_down_idle_cycles: 8}}"],
    "adaptive pages": FULL + [DRAM + "{channels: 1, channel: {page_policy: adaptive, page_timeout_cycles: 30}}"],
    "small queue": FULL + [DRAM + "{channels: 1, channel: {queue_entries: 8, fairness_cap_cycles: 40, mapping: rbc}}"],
    "late writes": FULL + [DRAM + "{channels: 1, channel: {queue_entries: 128, write_high_watermark: 120, write_low_watermark: 8,"
                                  " write_idle_cycles: 40, write_max_wait_cycles: 100}}"],
    "one bank group": FULL + [DRAM + "{preset: DDR4-3200, channels: 1, channel: {mapping: rbc}}"],
    "LPDDR4": FULL + [DRAM + "{preset: LPDDR4-3200, channels: 1}"],
    # By itself, where its own energy is a figure.
    "the channel alone": ["alone"],
    "the channel alone, closed pages": ["alone", CHANNEL + "page_policy=closed"],
}
ALONE = ["dram", "--config", "LPDDR5-6400", "--traffic", "mix", "--requests", "2000", "--gap", "60", "--set", "power_down_idle_cycles=8", "--json"]
TRACE = [MODEL, "workload={trace: TRACE, max_batch: 3, prefill_chunk_tokens: 64}", "fidelity.mode=sampled"]
FUNCTIONAL = [MODEL, "workload={phase: decode, batch: 1, context: 40, tokens: 1}", "fidelity.data=functional"]
# A mixture of experts: dense first layers, shared experts, and more tokens than experts.
MIXTURE = ["model={name: tiny, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 256,"
           " vocab_size: 512, head_dim: 32, mixture: {experts: 8, experts_per_token: 2, expert_width: 128, shared_width: 64, dense_layers: 1}}",
           "workload={phase: decode, batch: 3, context: 64, tokens: 2}"]
# Listed layers: two decoder layers and an attention without a feed-forward, with heads of its own.
CUSTOM = ["model={name: tiny, architecture: custom, hidden_size: 128, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 256,"
          " vocab_size: 512, head_dim: 32, layers: [{count: 2}, {operations: [attention_norm, qkv, attention, output]}]}",
          "workload={phase: decode, batch: 2, context: 300, tokens: 2}"]
# A machine that stands for a GPU: small tiles on few multiprocessors, so that each rule of its kernels decides something.
KERNELS = [MODEL, "workload={phase: decode, batch: 40, context: 100, tokens: 1}",
           "accelerator.kernels={multiprocessors: 8, tile_rows: 32, tile_columns: 64, least_tile_rows: 32, least_tile_columns: 64, split_k: 2, efficiency: 0.5, stream_bytes_per_cycle: 8,"
           " decode_rows: 16, decode_factor: 1.5, linear_us: 2, attention_us: 3, attention_wave_us: 40, attention_fill_us: 2, combine_us: 1, elementwise_us: 1, l2_bytes: 50000,"
           " l2_bytes_per_cycle: 64, memory_bytes_per_cycle: 32}"]
ONE_ROW = KERNELS + ["workload={phase: decode, batch: 1, context: 100, tokens: 1}"]
# Two devices over a slow link with small messages and room for one of them.
DEVICES = SCENARIOS["decode"] + ["devices={tensor: 2, algorithm: ring, link: {bandwidth_gb_per_s: 1, latency_ns: 50, payload_bytes: 64, header_bytes: 8,"
                                 " message_ns: 5, message_bytes: 128, buffer_bytes: 128, collective_us: 1, eager_bytes: 100, rendezvous_us: 1,"
                                 " pj_per_bit: 4, phy_mm2: 1}}"]
# Two devices, each with layers of its own.
PIPELINE = SCENARIOS["decode"] + ["devices={pipeline: 2, link: {bandwidth_gb_per_s: 1, latency_ns: 50}}"]
# Keys that work only beside others: the first entry whose text begins the key decides the scenario.
BESIDE = {
    "accelerator.pe.mantissa_bits": SCENARIOS["prefill"] + ["accelerator=anda", "kv=fp16"],
    "accelerator.energy.dram_pj_per_bit": SCENARIOS["decode"] + ["accelerator.dram.channel={devices: 0}"],
    "accelerator.sequencer.order": PREFILL + SMALL[:1],
    "accelerator.interconnect.queue_requests": SCENARIOS["prefill"] + ["accelerator.dram.channels=2", "accelerator.dram.channel.queue_entries=8"],
    # Wider tiles pay where they split the depth into more parts, narrower ones where few multiprocessors share the tiles.
    "accelerator.kernels.tile_columns": ONE_ROW + ["accelerator.kernels={multiprocessors: 9, split_k: 16, efficiency: 0.01}"],
    "accelerator.kernels.least_tile_columns": KERNELS + ["accelerator.kernels={multiprocessors: 3, efficiency: 0.01}"],
    "accelerator.kernels.split_k": ONE_ROW, "accelerator.kernels.combine_us": ONE_ROW + ["workload.context=600"],
    "accelerator.kernels.": KERNELS + ["weights=kmeans2"],
    "accelerator.sequencer.attention_block_tokens": PREFILL + ["accelerator.sequencer.attention=online"],
    "model.full_attention_layers": SCENARIOS["decode"] + ["model.sliding_window=64"],
    "model.qk_norm_all_heads": SCENARIOS["decode"] + ["model.qk_norm=true"],
    "model.layers_without_rope": SCENARIOS["decode"], "model.layers": CUSTOM, "model.architecture": SCENARIOS["decode"],
    "model.mixture.": MIXTURE, "workload.routing.distribution": MIXTURE, "seed": MIXTURE,
    "workload.routing.exponent": MIXTURE + ["workload.routing.distribution=zipf"],
    "workload.routing.trace": MIXTURE + ["workload.routing={distribution: trace, trace: ROUTING}"],
    "accelerator.decoder.rates[]": SCENARIOS["decode"] + ["accelerator.decoder.rates=[{bits: 4, weights_per_cycle: 3}]"],
    "weights.zero_point": SCENARIOS["decode"] + ["weights=int4"],
    "weights.group_size": SCENARIOS["decode"] + ["weights=int4"],
    "workload.rows": ["workload={phase: gemv, rows: 256, cols: 256, batch: 1}"],
    "workload.cols": ["workload={phase: gemv, rows: 256, cols: 256, batch: 1}"],
    "workload.trace": TRACE, "workload.limit": TRACE, "workload.max_batch": TRACE, "workload.kv_capacity_tokens": TRACE,
    "workload.time_scale": TRACE,
    "devices.micro_batches": PIPELINE, "devices.experts": MIXTURE + DEVICES[-1:],
    "devices.": DEVICES,
}
# Values to try where doubling, halving and the other names are not the right ones.
VALUES = {
    "devices.tensor": ["1"], "devices.pipeline": ["2"], "devices.link.message_bytes": ["64"], "devices.link.name": ["other"],
    "accelerator.dram.preset": ["HBM2-2000"],
    "accelerator.dram.channel": ["{page_policy: closed}"],
    "accelerator.pe.kind": ["fp16"],
    "accelerator.kernels.shared_memory_bytes": ["1000000"],
    "accelerator.kernels.tile_columns": ["128", "256"], "accelerator.kernels.least_tile_rows": ["16"], "accelerator.kernels.least_tile_columns": ["32", "16"],
    "accelerator.decoder.rates": ["[{bits: 4, weights_per_cycle: 3}]"],
    "accelerator.decoder.rates[].bits": ["[{bits: 2, weights_per_cycle: 3}]"],  # of an item: the list with the item changed
    "accelerator.decoder.rates[].weights_per_cycle": ["[{bits: 4, weights_per_cycle: 6}]"],
    "accelerator.pe.lanes": ["16", "64"], "weights.group_size": ["64", "256"], "kv.exponent_bits": ["5"], "activations.format": ["fp16"],
    "model.mixture.dense_layers": ["2"],
    "model.sliding_window": ["64"], "model.full_attention_layers": ["[1]"], "model.layers_without_rope": ["[0]"],
    "model.layers": ["[{count: 3}]"], "model.layers[].count": ["[{count: 1}, {count: 2, operations: [attention_norm, qkv, attention, output]}]"],
    "model.layers[].operations": ["[{count: 2}, {operations: [ffn_norm, gate_up, down]}]"],
    "model.layers[].num_attention_heads": ["[{count: 2}, {operations: [attention_norm, qkv, attention, output], num_attention_heads: 8}]"],
    "model.layers[].num_key_value_heads": ["[{count: 2}, {operations: [attention_norm, qkv, attention, output], num_key_value_heads: 1}]"],
    "model.layers[].intermediate_size": ["[{count: 2, intermediate_size: 512}, {operations: [attention_norm, qkv, attention, output]}]"],
    "model.attention_cap": ["30"], "model.logits_cap": ["30"],
    "model.hidden_size": ["256"], "model.num_hidden_layers": ["4"], "model.num_attention_heads": ["8"], "model.num_key_value_heads": ["4"],
    "model.intermediate_size": ["512"], "model.vocab_size": ["1024"], "model.head_dim": ["64"],
    "workload.limit": ["2"], "workload.kv_capacity_tokens": ["200"],
    "accelerator.activation_buffer.capacity_bytes": ["8192"],
    "accelerator.weight_buffer.capacity_bytes": ["16384", "32768"],
    "accelerator.kv_buffer.capacity_bytes": ["2048", "8192"],
    "accelerator.address_map.region_alignment_bytes": ["4096"],
    CHANNEL + "bank_xor": ["[0,15,1,16]"], CHANNEL + "standard": ["DDR4"],
}
# Keys with one usable value on the scenario where they are tried: any other must be refused, with the key's name.
ONE_VALUE = {
    "model.architecture": "is absent, expected the layers of architecture: custom",
    "accelerator.pe.lanes": "operands come in groups of 32",
    "weights.group_size": "the decoder's integer weights share a scale among 128",
    "kv.exponent_bits": "exponents are stored in bytes",
    "activations.format": "the PE array's kind decides; auto, the default, and its format are the same",
}
# Keys without a figure of their own, and why.
NO_FIGURE = {
    "name": "a name",
    "description": "a text of `harmonia list scenarios`",
    "model.name": "a name",
    "model.max_position_embeddings": "a notice of runs whose context passes it; tests/models",
    "model.other_parameters": "counted, not read; tests/models",
    "devices.link.description": "a text of `harmonia list links`",
    "accelerator.name": "a name",
    "accelerator.description": "a text of `harmonia list accelerators`",
    "model.rope_theta": "changes values, not time or bytes; tests/accelerator/functional.cpp compares values",
    "model.rms_norm_eps": "changes values, not time or bytes; tests/accelerator/functional.cpp compares values",
    "model.attention_scale": "changes values, not time or bytes; tests/models/vectors.cpp compares values",
    "model.activation_limit": "changes values, not time or bytes; tests/models/parts.cpp compares values",
    "model.rotary_dim": "changes values, not time or bytes; tests/models/parts.cpp compares values",
    "model.window_rope_theta": "changes values, not time or bytes; tests/models/parts.cpp compares values",
    "model.mixture.scores": "changes values, not time or bytes; tests/models/mixture_values.cpp compares values",
    "model.mixture.normalised": "changes values, not time or bytes; tests/models/mixture_values.cpp compares values",
    "model.mixture.weight_scale": "changes values, not time or bytes; tests/models/mixture_values.cpp compares values",
    "workload.trace_fallback": "stands in for a trace that is not found; tests/scenario/scenario.cpp",
    "fidelity.data": "a run with data has the same figures; tests/accelerator/modes.cpp",
    "blocks.": "results with RTL are those of the model, clock for clock; tests/rtl",
    CHANNEL + "name": "a name",
    CHANNEL + "description": "a text of `harmonia list drams`",
    CHANNEL + "source": "a text beside the assumptions",
    CHANNEL + "assumed": "listed among the assumptions; tests/dram/command.cpp",
    CHANNEL + "address_bits.": "one list alone renames banks or rows; together they are a mapping; tests/dram/address_decoder.cpp",
    CHANNEL + "burst_bytes": "follows from other keys and is checked; tests/dram/command.cpp",
    CHANNEL + "burst_cycles": "follows from other keys and is checked; tests/dram/command.cpp",
    CHANNEL + "peak_GBs": "follows from other keys and is checked; tests/dram/command.cpp",
    CHANNEL + "engine": "the same commands and times; tests/dram/engine_equality.cpp",
    "output.": "what is written beside the result; tests/commands/outputs.py",
}
# What a value of a key without a figure must bring about: a text of the result, or of the refusal.
SAID = {
    "model.max_position_embeddings": ("32", "the model was trained for 32"),
    CHANNEL + "burst_bytes": ("48", "burst_bytes is '48', expected"),
    CHANNEL + "burst_cycles": ("77", "burst_cycles is '77', expected"),
    CHANNEL + "peak_GBs": ("1", "peak_GBs is '1', expected"),
    CHANNEL + "source": ("a table of ours", "a table of ours"),
    "blocks.pe.model": ("rtl", "blocks.pe.model is rtl, but"),
    "blocks.pe.vcd": ("x.vcd", "blocks.pe.vcd has no effect without pins"),
}


class Failed(Exception):
    pass


def described(program):
    """[(key, default, expected)] of every key that is no section."""
    done = subprocess.run([program, "list", "keys"], capture_output=True, text=True, check=True)
    keys = []
    for line in done.stdout.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            key, default, expected = cells[0].strip("`"), cells[1].strip("`"), cells[2]
            if "map of keys" not in expected or key in VALUES:
                keys.append((key, default, expected))
    return keys


def values(key, default, expected):
    """Other values of a key, those first that differ least in kind."""
    if key in VALUES:
        return VALUES[key]
    if expected == "true or false":
        return ["false" if default == "true" else "true"]
    if expected.startswith("one of: "):
        return [name for name in expected[len("one of: "):].split(", ") if name != default]
    if re.match(r"(whole number|power of two|multiple of|number)", expected):
        try:
            number = float(default)
        except ValueError:
            number = 4  # a required key of the model
        whole = not expected.startswith("number")
        tried = [number * 2, number / 2, number * 8, number / 8, number + 1] if number else [1, 8, 64]
        return [str(int(v)) if whole else repr(v) for v in tried if not whole or v == int(v)]
    return []


def figures(node):
    """A result without what repeats the configuration and without what changes from run to run."""
    for key in ("assumptions", "notices", "provenance", "wall_seconds", "model", "accelerator", "simulation_events"):
        node.pop(key, None)
    for key in ("mode", "timing", "data"):
        node.get("fidelity", {}).pop(key, None)
    for key in ("interleave_bytes", "hashed", "region_alignment_bytes", "tensor_alignment_bytes"):
        node.get("address_map", {}).pop(key, None)
    return node


class Runner:
    def __init__(self, program, folder):
        self.program, self.folder, self.known, self.text, self.count = program, folder, {}, {}, 0

    def run(self, settings):
        """The figures of `default` under settings. Throws Failed with what the program printed."""
        settings = [s.replace("TRACE", str(self.folder / "trace.csv")).replace("ROUTING", str(self.folder / "routing.csv")) for s in settings]
        if tuple(settings) in self.known:
            return self.known[tuple(settings)]
        self.count += 1
        out = self.folder / f"{os.getpid()}-{id(settings)}-{self.count}"
        alone = settings[:1] == ["alone"]
        words = [self.program] + (ALONE if alone else ["run", "default", "-o", out, "--set", "output.timeline=false"])
        for s in settings[1:] if alone else settings:
            words += ["--set", s[len(CHANNEL):] if alone else s]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(" / ".join(done.stderr.strip().splitlines()[-3:]) or f"exit status {done.returncode}")
        text = done.stdout if alone else (out / "result.json").read_text(encoding="utf-8")
        self.text[tuple(settings)] = text
        result = figures(json.loads(text))
        self.known[tuple(settings)] = result
        return result


def effect(runner, key, default, expected):
    """Where a change of the key is seen, or None; and what was refused."""
    beside = [settings for begin, settings in BESIDE.items() if key.startswith(begin)]
    refused = ""
    scenarios = CHANNELS if key.startswith(CHANNEL) else SCENARIOS
    for name, settings in ([("a scenario of its own", beside[0])] if beside else scenarios.items()):
        before = runner.run(settings)
        for value in values(key, default, expected):
            try:
                after = runner.run(settings + [f"{key.split('[]')[0]}={value}"])
            except Failed as failure:
                refused = f"{key}={value} on {name}: {failure}"
                continue
            if key in ONE_VALUE:
                return None, f"{key}={value} on {name} was taken, expected a refusal: {ONE_VALUE[key]}"
            if after != before:
                return f"{value} on {name}", refused
    if key in ONE_VALUE and key in refused:
        return "refused but for one value", ""
    return None, refused


def excuse_fault(runner, key, default, expected):
    """What is wrong with a key's being listed as one without a figure; empty: nothing."""
    settings = SCENARIOS["decode"]
    before = runner.run(settings)
    for value in values(key, default, expected)[:2]:
        try:
            after = runner.run(settings + [f"{key}={value}"])
        except Failed as failure:
            if key.split(".")[-1] not in str(failure):
                return f"{value} is refused without its name: {failure}"
            continue
        if after != before:
            return f"{value} changes a figure"
    if key in SAID:
        value, text = SAID[key]
        try:
            runner.run(settings + [f"{key}={value}"])
            said = runner.text[tuple(settings + [f"{key}={value}"])]
        except Failed as failure:
            said = str(failure)
        if text not in said:
            return f"{value}: nothing says '{text}'"
    return ""


def without_figure(key):
    return any(key == name or (name.endswith(".") and key.startswith(name)) for name in NO_FIGURE)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    wanted = tuple(sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(program, pathlib.Path(folder))
        (runner.folder / "trace.csv").write_text(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n" +
            "".join(f"2023-11-16 18:15:{46 + i // 10:02d}.{i % 10}000000,{40 + 8 * i},{3 + i % 3}\n" for i in range(6)))
        (runner.folder / "other.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0000000,30,2\n")
        for name, experts in (("routing.csv", "0,1\n"), ("other-routing.csv", "0,1\n2,3\n4,5\n" * 2)):
            (runner.folder / name).write_text(experts * 3)
        VALUES["workload.routing.trace"] = [str(runner.folder / "other-routing.csv")]
        VALUES["workload.trace"] = [str(runner.folder / "other.csv")]
        every = described(program)
        faults = [f"{key}: is in a table of this test, but is no key" for key in {**VALUES, **NO_FIGURE, **SAID}
                  if not key.endswith(".") and key not in {k[0] for k in every}]
        keys = [k for k in every if not without_figure(k[0]) and (not wanted or k[0].startswith(wanted))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for key, (seen, refused) in zip(keys, pool.map(lambda k: effect(runner, *k), keys)):
                if os.environ.get("VERBOSE"):
                    print(f"{key[0]}: {seen or 'NO EFFECT'} {refused}")
                if seen is None:
                    faults.append(f"{key[0]}: changes no figure" + (f"; {refused}" if refused else ""))
            excused = [k for k in every if without_figure(k[0]) and (not wanted or k[0].startswith(wanted))]
            for key, fault in zip(excused, pool.map(lambda k: excuse_fault(runner, *k), excused)):
                if fault:
                    faults.append(f"{key[0]}: is listed as without a figure, but {fault}")
        print(f"{len(keys)} of {len(every)} keys changed, {len(excused)} are excused, {runner.count} runs")
        for fault in faults:
            print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
