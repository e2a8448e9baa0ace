#!/usr/bin/env python3
"""Sizes that no law was made from: what `run` says a block takes, against a synthesis of that size. Within a tenth.

    left_out.py HARMONIA [NAME...]
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
from harmonia_silicon import blocks, flow, liberty, scaling  # noqa: E402

MODEL = "model={hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 2, head_dim: 32, intermediate_size: 64, vocab_size: 32, name: small}"
# name: setting, component of the area, block of that size, how many of it the setting is
SIZES = {
    "smoother": ("accelerator.smoother.channels_per_head=3", "smoother", blocks.Block("left_out", "outlier_smoother", blocks.SMOOTHER, {"ENTRIES": 3}, 3), 1),
    "decoder": ("accelerator.decoder.weights_per_cycle=16", "decoder", blocks.Block("left_out", "lut_decoder", blocks.DECODER, {"MAX_BITS": 4, "LANES": 16}, 3), 1),
}


def said(harmonia, setting, component, folder):
    command = [harmonia, "run", "default", "--set", MODEL, "--set", "workload.tokens=1", "--set", "workload.context=32", "--set", "accelerator.energy.source=measured",
               "--set", "accelerator.smoother.online=true", "--set", "accelerator.smoother.lanes=32", "--set", setting, "-o", str(folder / "run")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    parts = json.loads((folder / "run" / "result.json").read_text())["area"]["components"]
    return next(p["mm2"] for p in parts if p["component"] == component)


def main():
    if shutil.which("yosys") is None or not liberty.found():
        print("SKIPPED: Yosys or the library osu018 was not found (scripts/setup --with-rtl installs them)")
        return 77
    failed = False
    for name in sys.argv[2:] or SIZES:
        setting, component, block, count = SIZES[name]
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            mm2 = said(sys.argv[1], setting, component, folder)
            synthesised = count * flow.synthesise(block, folder)["area_um2"] * scaling.factors(28)["area"] * 1e-6
        off = mm2 / synthesised - 1
        failed |= abs(off) > 0.1
        print(f"{setting}: {mm2:.4f} mm2 by the law, {synthesised:.4f} by synthesis, {100 * off:+.1f} %")
    return 1 if failed else 0


sys.exit(main())
