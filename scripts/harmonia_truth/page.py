"""The tables of README.md, docs/validation.md and docs/validation-figures.md, from the committed table."""
import os
import re

from harmonia_truth import gate


def table(head, rows):
    line = lambda cells: "| " + " | ".join(str(c) for c in cells) + " |"
    return "\n".join([line(head), "|" + "---|" * len(head)] + [line(r) for r in rows])


def number(value, form=".4g"):
    return "-" if value is None else format(value, form)


def percent(value):
    return "-" if value is None else f"{value:+.1f} %"


def plain(value):
    return "-" if value is None else f"{value:.1f} %"


def statistics(groups, entries):
    """One line for each group."""
    rows = []
    for name, own in gate.groups(entries).items():
        s = gate.statistics_of(own)
        rows.append([name, s.rows, plain(s.median), plain(s.largest), plain(s.roofline), s.misses, s.refused, groups[name]["fitted"]])
    rows.append(["**all**", len(entries), "", "", "", sum(r[5] for r in rows), sum(r[6] for r in rows), ""])
    return table(["group", "figures", "median error", "largest error", "roofline's median", "known misses", "of them refused", "fitted to these figures"], rows)


# Memory, whole models on a measured card, several devices: what README.md shows.
HEADLINES = ("DRAM bandwidth", "L40S whole models", "H200 tensor-parallel decode")


def headlines(entries):
    rows = []
    own_of = gate.groups(entries)
    for name in HEADLINES:
        s = gate.statistics_of(own_of[name])
        rows.append([name, s.rows, plain(s.median), plain(s.largest), plain(s.roofline)])
    return table(["figures from outside", "number", "median error", "largest error", "median error of bytes / peak and operations / peak"], rows)


def figures(groups, entries):
    """Every figure, a section for each group."""
    parts = []
    for name, own in gate.groups(entries).items():
        group = groups[name]
        what = group["what"][0].upper() + group["what"][1:]
        reasons = list(dict.fromkeys(e.known_miss for e in own if e.known_miss))
        numbers = {r: i + 1 for i, r in enumerate(reasons)}
        lines = [[e.figure, number(e.measured), "refused" if e.ours is None else number(e.ours), percent(e.error_percent), f"{e.low_percent:+.1f} to {e.high_percent:+.1f} %",
                  number(e.roofline), f"known miss {numbers[e.known_miss]}" if e.known_miss else ""] for e in own]
        text = [f"## {name}", "", f"{what}; {group['unit']}.", "", f"Source: {group['source']}. Fitted to these figures: {group['fitted']}.", "",
                table(["figure", "measured", "ours", "error", "allowed", "roofline", ""], lines)]
        if reasons:
            text += [""] + [f"{numbers[r]}. {r}" for r in reasons]
        parts.append("\n".join(text))
    return "\n\n".join(parts)


def pages(root, groups, entries):
    """{path: (as it is, as it must be)}"""
    wanted = {"README.md": {"headline errors": headlines(entries)},
              "docs/validation.md": {"outside statistics": statistics(groups, entries)},
              "docs/validation-figures.md": {"outside figures": figures(groups, entries)}}
    found = {}
    for name, tables in wanted.items():
        path = os.path.join(root, name)
        with open(path, encoding="utf-8") as f:
            old = new = f.read()
        for mark, text in tables.items():
            new, count = re.subn(rf"(<!-- table: {re.escape(mark)} -->\n).*?(<!-- end of table -->)", lambda m: m.group(1) + text + "\n" + m.group(2), new,
                                 flags=re.S)
            if count != 1:
                raise ValueError(f"{name} has {count} places for the table '{mark}', expected 1")
        found[path] = (old, new)
    return found
