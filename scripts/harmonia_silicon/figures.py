"""All blocks through the flow, and the figures that the model takes from them: the part `cells` of docs/area.json."""
import json
import pathlib
import subprocess
import sys

from . import blocks, flow, liberty, operands, scaling

STREAMS, LENGTH = 16, 64  # operands of one measurement: streams side by side, vectors each

# On-chip memory, 28 nm: a 6T cell of a published high-density process, half of a macro's area outside its cells, and half
# of an access's energy on lines whose length grows with the square root of the bank; together they meet the published 2 to
# 2.5 mm2/MB and 0.10 to 0.15 pJ/bit at banks of 32 KiB. 16 nm: scaled as the logic's energy; cell of that node.
SRAM = {"source": "model: published bit cells, 50 % array efficiency, energy anchored at 0.125 pJ/bit for a bank of 32 KiB in 28 nm",
        "cell_um2": {"28": 0.127, "16": 0.074}, "efficiency": 0.5, "pj_per_bit_fixed": 0.0625, "pj_per_bit_line": 0.0625,
        "line_bank_bytes": 32768}


# Assumed, of 28 and 16 nm alike: the library's own leakage (about 2 nW for 1000 um2) says nothing of later nodes.
STATIC_MW_PER_MM2 = 20.0
# Assumed: an LPDDR4 or HBM2 PHY takes some 3 to 8 mm2 for some 30 to 100 GB/s.
PHY_MM2_PER_GB_S = 0.08


class Part:
    def __init__(self, kind, groups):
        self.kind, self.groups = kind, groups


def energies(block, netlist):
    """{mode: {kind of operands: pJ of an operation, its clock included}} at 180 nm."""
    result = {}
    for mode in block.modes:
        of_mode = result[mode or "any"] = {}
        for kind in block.kinds:
            if not operands.available(kind):
                continue
            source = operands.Source(kind, STREAMS * LENGTH)
            streams, ports, per_cycle = [], None, None
            for s in range(STREAMS):
                ports, vectors, per_cycle = block.stimulus(mode, Part(kind, source.groups[s * LENGTH:(s + 1) * LENGTH]))
                streams.append(vectors)
            streams = [v[:min(map(len, streams))] for v in streams]
            transitions, cycles = netlist.simulate(ports, streams, block.handshake)
            of_mode[kind] = round((netlist.energy_pj(transitions) / cycles + netlist.clock_pj()) / per_cycle, 3)
    return result


def measure(block, work):
    folder = work / block.name
    kept = folder / "figures.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"top": block.top, "parameters": block.parameters, "stages": block.stages, **flow.synthesise(block, folder)}
    path = flow.critical_path_ns(block, folder)
    figures.update(critical_path_ns=path, fmax_mhz=round(1000 / path, 1))
    if block.stimulus:
        figures.update(operation=block.operation, pj=energies(block, flow.Netlist(folder)))
    kept.write_text(json.dumps(figures))
    return figures


def line(small, large, at_small, at_large):
    """(fixed, for each) through two sizes."""
    each = (at_large - at_small) / (large - small)
    return at_small - small * each, each


def register_pj(cells):
    """Of a bit that a register takes: its clock, and with an even chance a change of its output and of the multiplexer that holds it."""
    flip_flop, hold, half = cells["DFFPOSX1"], cells["MUX2X1"], 0.5 * liberty.VOLTAGE ** 2
    clock = 2 * (flip_flop.passive_pj("CLK") + half * flip_flop.inputs["CLK"])
    load = hold.inputs["A"] + flip_flop.inputs["D"]  # the register's own multiplexer, and the next register
    change = flip_flop.energy_pj("Q", load) + half * load + hold.energy_pj("Y", flip_flop.inputs["D"]) + half * flip_flop.inputs["D"] + flip_flop.passive_pj("D")
    return round(clock + change / 2, 4)


def multiplexer_pj(cells):
    """Of a bit through one of two inputs into a multiplexer like it, with an even chance of a change."""
    mux = cells["MUX2X1"]
    return round((mux.energy_pj("Y", mux.inputs["A"]) + 0.5 * liberty.VOLTAGE ** 2 * mux.inputs["A"]) / 2, 4)


def laws(b):
    """What the model takes: areas in um2 of osu018 and energies in pJ at 180 nm; the nodes' factors scale them."""
    accumulator = b["accumulator"]["area_um2"]

    def pe(name, fixed, pj, two_pass, units=1, accumulators=1):
        return {"fixed_um2": round(accumulators * fixed), "lane_um2": round(units * (b[name]["area_um2"] - fixed) / 32, 1),
                "mac_pj": pj, "mac_two_pass_pj": two_pass, "critical_path_ns": b[name]["critical_path_ns"]}

    def best(name, mode="any"):
        of = b[name]["pj"][mode]
        return of.get("stories", of["gaussian"])

    fixed, _ = line(16, 32, b["harmonia_lanes16"]["area_um2"], b["harmonia"]["area_um2"])
    two = (best("harmonia", "M8M8") + best("harmonia", "M8L8")) / 2
    path = lambda name: {"critical_path_ns": b[name]["critical_path_ns"]}
    decoders = {str(n): {"lane_um2": round(b[f"decoder_n{n}"]["area_um2"] / 64, 1), "pj": best(f"decoder_n{n}", f"n{n}"), **path(f"decoder_n{n}")} for n in (1, 2, 4)}
    d_fixed, d_lane = line(32, 64, b["decoder_n4_lanes32"]["area_um2"], b["decoder_n4"]["area_um2"])
    s_fixed, s_entry = line(16, 32, b["smoother_entries2"]["area_um2"], b["smoother"]["area_um2"])
    cells = liberty.read()
    return {
        "pe": {"harmonia": pe("harmonia", fixed, best("harmonia", "M8W4"), round(two, 3)), "fp16": pe("fp_fp", 0, best("fp_fp"), best("fp_fp")),
               "fp_int": pe("fp_int", 0, best("fp_int"), best("fp_int")), "ifpu": pe("ifpu", accumulator, best("ifpu"), best("ifpu")),
               "figna": pe("figna", accumulator, best("figna"), best("figna")), "figna_m11": pe("figna_m11", accumulator, best("figna_m11"), best("figna_m11")),
               "figna_m8": pe("figna_m8", accumulator, best("figna_m8"), best("figna_m8")),
               # Sixteen units finish at most four groups a cycle (M = 4), so that they share four accumulators.
               "anda": pe("anda_unit", accumulator, best("anda_unit", "M8"), 2 * best("anda_unit", "M8"), units=16, accumulators=4)},
        "aligner": {f"m{m}_{what}": figure for m in (14, 8) for what, figure in (("um2", b[f"aligner_m{m}"]["area_um2"]), ("pj", best(f"aligner_m{m}")),
                                                                                ("critical_path_ns", b[f"aligner_m{m}"]["critical_path_ns"]))},
        "decoder": {**decoders, "fixed_um2": round(d_fixed), "four_bit_lane_um2": round(d_lane, 1)},
        "converter": {"um2": b["converter"]["area_um2"], "pj": best("converter"), **path("converter")},
        "smoother": {"fixed_um2": round(s_fixed), "entry_um2": round(s_entry, 1), "pj": best("smoother"), **path("smoother")},
        "vector": {"lane_um2": b["fp16_mac"]["area_um2"], "pj": best("fp16_mac"), **path("fp16_mac")},
        "register": {"um2": cells["DFFPOSX1"].area + cells["MUX2X1"].area, "pj": register_pj(cells)},
        "multiplexer": {"um2": cells["MUX2X1"].area, "pj": multiplexer_pj(cells)},
    }


def tools():
    yosys = subprocess.run(["yosys", "-V"], capture_output=True, text=True).stdout.split(" (")[0].strip()
    return {"synthesis": yosys, "timing": "OpenSTA " + subprocess.run(["sta", "-version"], capture_output=True, text=True).stdout.strip()}


def table(measured):
    """The blocks as a text."""
    yield f"{'block':<20}{'um2':>10}{'path ns':>9}{'28 nm um2':>11}{'28 nm MHz':>11}{'28 nm pJ':>10}  of"
    f = scaling.factors(28)
    for name, b in measured.items():
        pj = [v.get("stories", v.get("gaussian")) for v in b.get("pj", {}).values()]
        text = f"{pj[0] * f['energy']:.3f}" if pj else "-"
        yield (f"{name:<20}{b['area_um2']:>10,}{b['critical_path_ns']:>9}{b['area_um2'] * f['area']:>11,.0f}"
               f"{1000 / (b['critical_path_ns'] * f['delay']):>11,.0f}{text:>10}  {b.get('operation', '-')}")


def collect(work, names=None):
    """The figures of all blocks, or of some; `work` keeps what is done, so that an interrupted run goes on."""
    measured = {}
    for block in blocks.all_blocks():
        if names is None or block.name in names:
            measured[block.name] = measure(block, pathlib.Path(work))
            print(f"{block.name}: {measured[block.name]['area_um2']:,} um2", file=sys.stderr, flush=True)
    return measured


def document(measured):
    return {"library": "osu018 (qflow-tech-osu018), typical, 1.8 V, 25 C; areas by the LEF file", **tools(),
            "delay_target_ps": flow.DELAY_PS, "not_included": "placement, wires, clock tree, glitches",
            "scaling": "Stillmaker and Baas, Integration 58 (2017); 28 nm between their 32 and 20 nm",
            "nodes": {str(n): {k: round(v, 6) for k, v in scaling.factors(n).items()} for n in (28, 16)},
            "sram": SRAM, "phy_mm2_per_gb_s": PHY_MM2_PER_GB_S, "static_mw_per_mm2": STATIC_MW_PER_MM2, "laws": laws(measured), "blocks": measured}
