#!/usr/bin/env python3
"""The aligner, mapped to cells and simulated gate by gate as for its energy, gives what the golden function gives."""
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from harmonia_silicon import blocks, flow, liberty, operands

if shutil.which("yosys") is None or not liberty.found():
    print("SKIPPED: yosys or the cell library was not found (scripts/setup --with-rtl installs them)")
    sys.exit(77)

block = next(b for b in blocks.all_blocks() if b.name == "aligner_m8")
with tempfile.TemporaryDirectory() as work:
    folder = pathlib.Path(work)
    flow.synthesise(block, folder)
    netlist = flow.Netlist(folder)
source = operands.Source("random", 40)
ports, vectors, _ = block.stimulus("", source)
# What was applied in the last cycle but three has come through three registers.
netlist.simulate(ports, [vectors])
exponent, sign, magnitude = operands.align(source.groups[-4][0], 8)
expected = {"exponent": exponent, "sign": blocks.pack(sign, 1), "magnitude": blocks.pack(magnitude, 8)}
for port, word in expected.items():
    actual = netlist.value(port)
    assert actual == word, f"{port} is {actual:x} after 40 cycles, expected {word:x}"
transitions, cycles = netlist.simulate(ports, [vectors])
idle, _ = netlist.simulate(ports, [[vectors[5]] * 40])
assert netlist.energy_pj(transitions) > 100 * netlist.energy_pj(idle), "operands that stand switch nothing"
print("ok")
