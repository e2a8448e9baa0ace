#!/usr/bin/env python3
"""The parts of scripts/area --cells that need no tools: scaling, operands, order of gates; with the library also its reader."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from harmonia_silicon import figures, flow, liberty, operands, scaling

# The published area factors: 32 nm holds 40 times what 180 nm does, 20 nm 88 times; 28 nm lies between.
f = scaling.factors(28)
assert 1 / 88 < f["area"] < 1 / 40, f
assert scaling.factors(16)["area"] == 1 / 99
assert scaling.factors(16)["energy"] < f["energy"] < 1 / 50, f
assert 1 / 12 < f["delay"] < 1 / 8, f

# Alignment as baselines::align(): 8 and 1 + 2^-10 under one exponent of 14 bits.
exponent, sign, magnitude = operands.align([operands.fp16(8.0), operands.fp16(-1.0009765625)] + [0] * 30, 14)
assert (exponent, sign[:2], magnitude[:2]) == (18, [0, 1], [8192, 1025]), (exponent, sign, magnitude)
assert operands.quantize([0.5, -1.0, 0.24], 7) == [4, -7, 2]

# Bit s of a word is that of stream s.
words = flow.transpose([("x", 2), ("y", 1)], [[{"x": 1, "y": 1}], [{"x": 2}]])
assert words == [[0b01, 0b10, 0b01]], words

if not liberty.found():
    print("SKIPPED in part: the cell library was not found (scripts/setup --with-rtl installs it)")
    sys.exit(77)
cells = liberty.read()
assert cells["NAND2X1"].area == 24 and cells["OAI21X1"].area == 32, "areas are the footprints"
assert liberty.expression(cells["AOI21X1"].functions["Y"]) == "(~((A & B)|C))"
assert cells["DFFPOSX1"].register and not cells["NAND2X1"].register
# More load, more energy inside and outside.
assert 0 < cells["INVX8"].energy_pj("Y", 0.01) != cells["INVX8"].energy_pj("Y", 0.1)

# A bit in a register: its clock alone at least, and not twice a clock and a change of every net at it. A multiplexer has no clock.
clock = 2 * (cells["DFFPOSX1"].passive_pj("CLK") + 0.5 * liberty.VOLTAGE ** 2 * cells["DFFPOSX1"].inputs["CLK"])
assert clock < figures.register_pj(cells) < 2 * clock, (clock, figures.register_pj(cells))
assert 0 < figures.multiplexer_pj(cells) < figures.register_pj(cells) / 4

# Every gate as it is simulated, against the library's function in words of Verilog, for all inputs.
for cell in cells.values():
    if cell.register:
        continue
    pins = {p: i + 2 for i, p in enumerate([*cell.inputs, *cell.outputs])}
    for inputs in range(1 << len(cell.inputs)):
        v = [0] * (len(pins) + 2)
        for i, p in enumerate(cell.inputs):
            v[pins[p]] = inputs >> i & 1
        flow.gate_functions([(cell, pins)])(v, 1)
        for output, function in cell.functions.items():
            words = liberty.expression(function).replace("~", " not ").replace("&", " and ").replace("|", " or ").replace("^", " != ")
            assert v[pins[output]] == bool(eval(words, {p: bool(v[pins[p]]) for p in cell.inputs})), (cell.name, inputs)
print("ok")
