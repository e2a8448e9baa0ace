#!/usr/bin/env python3
"""Reads what `harmonia run -o DIR` wrote with decoders of its own and says what is wrong, or how much was there.

    outputs.py DIR

Knows the wire format of protocol buffers and the public numbers of Perfetto's fields, IEEE 1364 value change dumps, and CSV;
nothing of the program that wrote them.
"""
import csv
import json
import os
import struct
import sys

UNITS = ["pe_array", "decoder", "vector_unit", "converter", "smoother", "operand_buffer"]


def need(condition, text):
    if not condition:
        sys.exit("WRONG: " + text)


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data), "a varint runs past the end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        need(shift < 70, "a varint of more than ten bytes")


def fields(data):
    """All fields of a message by number: integers, 8-byte values as bytes, or length-delimited bytes."""
    out, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        need(number > 0, "field number 0")
        if wire == 0:
            value, at = varint(data, at)
        else:
            need(wire in (1, 2), f"wire type {wire}")
            length, at = (8, at) if wire == 1 else varint(data, at)
            need(at + length <= len(data), "a field runs past the end of its message")
            value, at = data[at:at + length], at + length
        out.setdefault(number, []).append(value)
    return out


def one(message, number, default=None):
    return message.get(number, [default])[-1]


def timeline(path, run_ns):
    with open(path, "rb") as file:
        packets = fields(file.read())
    need(list(packets) == [1], "a trace has other fields than packets")
    tracks, names = {}, {}
    stack, last, slices, samples = {}, {}, {}, {}
    for raw in packets[1]:
        packet = fields(raw)
        need(one(packet, 10), "a packet without trusted_packet_sequence_id")
        if 60 in packet:  # TrackDescriptor
            d = fields(one(packet, 60))
            uuid = one(d, 1)
            need(uuid and uuid not in tracks, "a track without an id of its own")
            unit = fields(one(d, 8)).get(6, [b""])[-1].decode() if 8 in d else None
            tracks[uuid] = (one(d, 2).decode(), unit, one(d, 5))
        for interned in packet.get(12, []):
            for entry in fields(interned).get(2, []):
                name = fields(entry)
                names[one(name, 1)] = one(name, 2).decode()
        if 11 not in packet:
            continue
        event, when = fields(one(packet, 11)), one(packet, 8)
        track = one(event, 11)
        need(track in tracks, "an event on a track that is not described")
        label = tracks[track][0]
        need(when is not None and when <= run_ns + 1, f"an event of {label} at {when} ns, the run ends at {run_ns} ns")
        need(when >= last.get(track, 0), f"time goes back on {label}: {when} after {last.get(track)} ns")
        last[track] = when
        kind = one(event, 9)
        if kind == 1:
            need(one(event, 10) in names, f"a slice of {label} without a name")
            stack.setdefault(track, []).append(when)
            slices[label] = slices.get(label, 0) + 1
        elif kind == 2:
            need(stack.get(track), f"a slice of {label} ends that never began")
            stack[track].pop()
        else:
            need(kind == 4 and tracks[track][1] is not None, f"an event of type {kind} on {label}")
            value = struct.unpack("<d", one(event, 44))[0]
            need(value >= 0, f"counter {label} is {value}")
            samples.setdefault(label, []).append((when, value))
    for track, open_slices in stack.items():
        need(not open_slices, f"a slice of {tracks[track][0]} never ends")
    for uuid, (label, _, parent) in tracks.items():
        need(parent is None or parent in tracks, f"{label} has no parent")
    return slices, samples, {t[0]: t[1] for t in tracks.values()}


def waves(path, run_ps):
    with open(path, encoding="ascii") as file:
        tokens = file.read().split()
    at, scopes, signals, seen = 0, [], {}, set()
    while tokens[at] != "$enddefinitions":
        word, end = tokens[at], tokens.index("$end", at)
        body = tokens[at + 1:end]
        if word == "$scope":
            scopes.append(body[1])
        elif word == "$upscope":
            scopes.pop()
        elif word == "$var":
            need(body[0] == "wire" and body[1] == "1" and body[2] not in signals, f"variable {body}")
            signals[body[2]] = (scopes[-1], body[3])
        elif word == "$timescale":
            need(body == ["1", "ps"], f"time scale {body}")
        at = end + 1
    need(not scopes, "a scope is not closed")
    at = tokens.index("$end", at) + 1
    now, value, changes = -1, {}, {}
    for token in tokens[at:]:
        if token[0] == "#":
            need(int(token[1:]) > now, f"time goes from {now} to {token}")
            now = int(token[1:])
            need(now <= run_ps + 1000, f"a change at {now} ps, the run ends at {run_ps} ps")
        elif token[0] in "01":
            need(token[1:] in signals, f"a change of {token[1:]!r}, which is not declared")
            value[token[1:]] = token[0]
            scope = signals[token[1:]][0]
            changes[scope] = changes.get(scope, 0) + 1
        else:
            need(token in ("$dumpvars", "$end"), f"token {token!r}")
    need(set(value) == set(signals), "a signal without a value")
    need(set(value.values()) == {"0"}, "a block is still at work at the end")
    return changes


def main(folder):
    def path(name):
        return os.path.join(folder, name)

    with open(path("result.json"), encoding="utf-8") as file:
        result = json.load(file)
    need(result["provenance"]["version"].strip(), "provenance.version is empty")
    seconds, full = result["simulated_seconds"], result["fidelity"]["mode"] == "full"
    fixed = not result.get("requests")
    # Only a full run of a fixed workload has simulated exactly what its result says.
    run_ps = seconds * 1e12 if full and fixed else float("inf")

    by_class = dict.fromkeys(result["bandwidth"]["bytes_by_class"], 0)
    starts, bins = [], {}
    with open(path("bandwidth.csv"), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_class[row["class"]] += int(row["bytes"])
            starts.append(float(row["start_s"]))
            place = float(row["start_s"]), row["channel"]
            bins[place] = bins.get(place, 0) + int(row["bytes"])
    need(starts == sorted(starts) and starts[0] == 0 and starts[-1] <= seconds, "bins of bandwidth.csv")
    edges = sorted(set(starts)) + [seconds]
    lengths = dict(zip(edges, (b - a for a, b in zip(edges, edges[1:]))))
    peak = result["bandwidth"]["peak_bytes_per_s"] / len(result["channels"])
    for (start, channel), moved in bins.items():
        # Loosely timed answers are counted before their time comes. Classes are rounded to bytes one by one.
        if result["fidelity"]["timing"] == "at":
            need(moved <= 1.0001 * peak * lengths[start] + 8,
                 f"channel {channel} moves {moved} bytes in {lengths[start]} s from {start}, peak {peak} bytes/s")
    if full:
        pins = result["bandwidth"]["pin_bytes_by_class"]
        need(by_class == pins, f"bandwidth.csv has {by_class}, result.json {pins}")
        need(sum(pins.values()) == sum(c["bytes_read"] + c["bytes_written"] for c in result["channels"]),
             "bytes by class and bytes by channel differ")
        # Bursts are whole: never less than what was asked for, and in long contiguous pieces little more.
        for name, asked in result["bandwidth"]["bytes_by_class"].items():
            need(asked <= pins[name] <= 1.5 * asked, f"{name}: {asked} bytes asked for, {pins[name]} at the pins")

    if os.path.exists(path("timeline.pftrace")):
        slices, samples, tracks = timeline(path("timeline.pftrace"), run_ps / 1000)
        for unit in UNITS + ["step"]:
            need(unit in tracks, f"no track for {unit}")
        idle = {u["name"] for u in result["units"] if u["busy"] == 0}
        for unit in UNITS:
            need(slices.get(unit, 0) > 0 or unit in idle, f"no slices of {unit}, which was busy")
        for i in range(len(result["channels"])):
            name = f"channel {i} bandwidth"
            need(tracks.get(name) == "GB/s" and len(samples.get(name, [])) > 1, f"no counter {name}")
            # Answers count whole requests, so that a short sample can hold one that had begun before it.
            peak = result["bandwidth"]["peak_bytes_per_s"] * 1e-9 / len(result["channels"])
            if result["fidelity"]["timing"] == "lt":
                continue  # requests are answered in the call, and counted before their time comes
            for (begin, value), (end, _) in zip(samples[name], samples[name][1:]):
                need(value <= 1.01 * peak + 4096 / max(1, end - begin), f"{name} is {value} GB/s at {begin} ns, peak {peak}")
        print("timeline:", ", ".join(f"{u} {n}" for u, n in sorted(slices.items())))
    if os.path.exists(path("waves.vcd")):
        changes = waves(path("waves.vcd"), run_ps)
        for unit in UNITS:
            busy = next(u["busy"] for u in result["units"] if u["name"] == unit)
            need(changes.get(unit, 0) > 0 or busy == 0, f"no waves of {unit}, which was busy")
        print("waves:", ", ".join(f"{u} {n}" for u, n in sorted(changes.items())))
    if not fixed:
        with open(path("requests.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        need(len(rows) == len(result["requests"]), "lines of requests.csv")
        for row, want in zip(rows, result["requests"]):
            need(set(row) == set(want), f"columns of requests.csv {set(row) ^ set(want)}")
            for key, value in want.items():
                need(abs(float(row[key]) - value) <= 1e-5 * abs(value), f"{key} is {row[key]}, result.json has {value}")
            need(float(row["time_to_first_token_s"]) <= float(row["end_to_end_s"]), "the first token comes after the last")
            need(float(row["arrival_s"]) + float(row["end_to_end_s"]) <= seconds * (1 + 1e-5), "a request ends after the run")
        print(f"requests: {len(rows)}")


main(sys.argv[1])
