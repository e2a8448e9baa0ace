#!/usr/bin/env python3
"""The tables of docs/silicon.md, from docs/area.json; what a design loses in quality is read from the page's own table, which
scripts/make-quality measures.

    python3 scripts/harmonia_silicon/page.py           writes them
    python3 scripts/harmonia_silicon/page.py --check   exit status 1 when the page says something else
"""
import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "silicon.md"
# name of the block: title, groups of 32 a cycle, the Anda paper's area and power beside FP-FP
DESIGNS = {"fp_fp": ("FP-FP", 1, "1", "1"), "fp_int": ("FP-INT", 1, "0.63", "0.52"), "ifpu": ("iFPU", 1, "0.26", "0.28"),
           "figna": ("FIGNA", 1, "0.18", "0.17"), "figna_m11": ("FIGNA-M11", 1, "0.15", "0.12"), "figna_m8": ("FIGNA-M8", 1, "0.12", "0.10"),
           "bitmod": ("after BitMoD", 0.5, "-", "-"), "harmonia_m8w4": ("ours, M8W4 alone", 1, "-", "-"), "harmonia": ("ours, all modes", 1, "-", "-")}


def lost(page):
    """{arithmetic: nats that INT4 weights and this arithmetic lose on the trained model} with an FP16 cache; ours with its own."""
    rows = re.search(r"<!-- table: quality, trained -->\n(.*?)<!-- end of table -->", page, re.S)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in (rows.group(1) if rows else "").splitlines()]
    return {c[2]: re.search(r"\(([^ ]*) \+-", c[7]).group(1) for c in cells if len(c) > 7 and c[1] in ("fp16", "bfp4+windows") and "+-" in c[7]}


# Block to arithmetic, where they have other names.
ARITHMETIC = {"harmonia_m8w4": None, "harmonia": "bfp8"}


def energy(block, mode="any"):
    of = block["pj"][mode]
    return of.get("stories", of["gaussian"])


def tables(cells, page):
    b, n28, n16 = cells["blocks"], cells["nodes"]["28"], cells["nodes"]["16"]

    def mhz(block, node):
        return 1000 / (block["critical_path_ns"] * node["delay"])

    designs, quality = [], lost(page)
    reference = b["fp_fp"]
    for name, (title, rate, area, power) in DESIGNS.items():
        x = b[name]
        pj = energy(x, "M8W4" if name.startswith("harmonia") else "any")
        ratio = x["area_um2"] / rate / reference["area_um2"]
        designs.append([title, f"{x['area_um2']:,}", f"{ratio:.2f}", area, f"{pj:.1f}", f"{pj / energy(reference):.2f}", power,
                        f"{x['critical_path_ns']:.1f}", f"{mhz(x, n28):.0f}", f"{mhz(x, n16):.0f}", quality.get(ARITHMETIC.get(name, name), "-")])
    unit, accumulator, pj = b["anda_unit"]["area_um2"], b["accumulator"]["area_um2"], energy(b["anda_unit"], "M8")
    anda = 16 * (unit - accumulator) + 4 * accumulator
    designs.insert(7, ["Anda, M = 8: 16 units, 4 accumulators", f"{anda:,}", f"{anda / 2 / reference['area_um2']:.2f}", "0.23", f"{pj:.1f}", f"{pj / energy(reference):.2f}", "0.20",
                       f"{b['anda_unit']['critical_path_ns']:.1f}", f"{mhz(b['anda_unit'], n28):.0f}", f"{mhz(b['anda_unit'], n16):.0f}", quality.get("anda M8", "-")])
    yield "designs", ["PE of 32 lanes", "um2, 180 nm", "area at equal rate", "published", "pJ, 180 nm", "beside FP-FP", "published", "path, ns", "MHz, 28 nm", "MHz, 16 nm", "nats lost, INT4"], designs

    # The published ratios, and which of the differences above a fifth the accumulator behind the group makes.
    off = lambda found, published: f"{found / float(published) - 1:+.0%}"
    rows = []
    for title, area, rate, behind, of, published, power in [
            *((DESIGNS[n][0], b[n]["area_um2"], 1, 0 if n == "fp_int" else accumulator, energy(b[n]), *DESIGNS[n][2:]) for n in ("fp_int", "ifpu", "figna", "figna_m11", "figna_m8")),
            ("Anda, M = 8", anda, 2, 4 * accumulator, pj, "0.23", "0.20")]:
        ratio, bare = area / rate / reference["area_um2"], (area - behind) / rate / reference["area_um2"]
        rows.append([title, published, f"{ratio:.2f}", off(ratio, published), f"{bare:.2f}" if behind else "-", off(bare, published) if behind else "-",
                     power, f"{of / energy(reference):.2f}", off(of / energy(reference), power)])
    yield "boundary", ["PE", "area, published", "area here", "off", "without its accumulator", "off", "power, published", "energy here", "off"], rows

    rows = []
    for name, x in b.items():
        for mode, of in x.get("pj", {}).items():
            if name not in ("fp_fp", "figna_m8", "harmonia", "anda_unit", "converter", "decoder_n4"):
                continue
            cell = lambda kind: f"{of[kind]:.2f}" if kind in of else "-"
            gap = f"{of['random'] / of['stories'] - 1:+.0%}" if "stories" in of else "-"
            rows.append([name + ("" if mode == "any" else f", {mode}"), x["operation"], cell("random"), cell("gaussian"), cell("outliers"), cell("stories"), gap,
                         f"{energy(x, mode) * n28['energy']:.3f}", f"{energy(x, mode) * n16['energy']:.3f}"])
    yield "energy", ["block, mode", "pJ of a", "random", "Gaussian", "outliers", "stories260K", "random beside real", "28 nm, pJ", "16 nm, pJ"], rows

    rows = [[name, f"{x['area_um2']:,}", f"{x['area_um2'] * n28['area']:,.0f}", f"{x['area_um2'] * n16['area']:,.0f}", f"{x['flip_flops']:,}", str(x["stages"]),
             f"{x['critical_path_ns']:.1f}", f"{mhz(x, n28):.0f}", f"{x['leakage_nw']:,.0f}"] for name, x in b.items()]
    yield "blocks", ["block", "um2, 180 nm", "28 nm", "16 nm", "flip-flops", "stages", "path, ns", "MHz, 28 nm", "leakage, nW, 180 nm"], rows


def written(text, cells):
    for name, head, rows in tables(cells, text):
        lines = ["| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows]]
        pattern = r"(<!-- table: %s -->\n).*?(<!-- end of table -->)" % name
        text, found = re.subn(pattern, lambda m: m.group(1) + "\n".join(lines) + "\n" + m.group(2), text, flags=re.S)
        if found != 1:
            sys.exit(f"{PAGE}: expected one table {name}, there are {found}")
    return text


if __name__ == "__main__":
    kept = json.loads((TOP / "docs" / "area.json").read_text())["cells"]
    old = PAGE.read_text()
    new = written(old, kept)
    if "--check" in sys.argv:
        if new != old:
            sys.exit("docs/silicon.md is not what docs/area.json says: run python3 scripts/harmonia_silicon/page.py")
    else:
        PAGE.write_text(new)
