#!/usr/bin/env python3
"""Reads an FTR file with a CBOR decoder of its own and holds it to the JSON lines of the same recording.

    tests/tlm/read_ftr.py FILE.ftr [FILE.jsonl]

Prints the counts of fibers, generators, transactions and relations. Exit status 1, with the reason, when the file breaks the
format or the two files differ.
"""
import json
import struct
import sys


class Break(Exception):
    """The end of an item of indefinite length."""


class Tagged:
    def __init__(self, tag, value):
        self.tag, self.value = tag, value


def fail(reason):
    sys.exit(f"read_ftr.py: {reason}")


class Decoder:
    """CBOR (RFC 8949): whole numbers, byte and text strings, arrays, maps, tags, floats."""

    def __init__(self, data):
        self.data, self.at = memoryview(data), 0

    def take(self, count):
        if self.at + count > len(self.data):
            fail(f"ends inside an item at byte {self.at}")
        part = self.data[self.at:self.at + count]
        self.at += count
        return part

    def argument(self, low):
        if low < 24:
            return low
        if low > 27:
            fail(f"reserved length {low} at byte {self.at}")
        return int.from_bytes(self.take(1 << (low - 24)), "big")

    def items(self, low):
        if low == 31:
            while True:
                try:
                    yield self.item()
                except Break:
                    return
        else:
            for _ in range(self.argument(low)):
                yield self.item()

    def item(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 0:
            return self.argument(low)
        if major == 1:
            return -1 - self.argument(low)
        if major == 2:
            return bytes(self.take(self.argument(low)))
        if major == 3:
            return bytes(self.take(self.argument(low))).decode("utf-8")
        if major == 4:
            return list(self.items(low))
        if major == 5:
            flat = list(self.items(low)) if low == 31 else [self.item() for _ in range(2 * self.argument(low))]
            return dict(zip(flat[::2], flat[1::2]))
        if major == 6:
            return Tagged(self.argument(low), self.item())
        if low == 31:
            raise Break
        if low == 27:
            return struct.unpack(">d", self.take(8))[0]
        fail(f"unknown simple value {low} at byte {self.at}")

    def whole(self):
        value = self.item()
        if self.at != len(self.data):
            fail(f"{len(self.data) - self.at} bytes follow the item")
        return value


class Recording:
    def __init__(self, data):
        self.texts, self.fibers, self.generators, self.transactions, self.relations = {}, {}, {}, [], []
        self.informed = False
        file = Decoder(data).whole()
        if not isinstance(file, Tagged) or file.tag != 55799:
            fail("does not begin with the tag of self-described CBOR")
        for chunk in file.value:
            {6: self.information, 8: self.dictionary, 10: self.directory, 12: self.block, 14: self.relate}.get(
                chunk.tag, lambda _: fail(f"unknown chunk {chunk.tag}"))(chunk.value)
        if not self.informed:
            fail("has no information chunk")

    def information(self, content):
        exponent, when = Decoder(content).whole()
        if exponent != -12 or when.tag != 1:
            fail(f"the unit of time is 10^{exponent} s, expected 10^-12 s")
        self.informed = True

    def dictionary(self, content):
        for key, text in Decoder(content).whole().items():
            if key in self.texts:
                fail(f"text {key} is given twice")
            self.texts[key] = text

    def directory(self, content):
        for entry in Decoder(content).whole():
            number, name, third = entry.value
            if number in self.fibers or number in self.generators:
                fail(f"the number {number} is given twice")
            if entry.tag == 16:
                self.fibers[number] = (self.texts[name], self.texts[third])
            elif entry.tag == 17:
                if third not in self.fibers:
                    fail(f"generator {number} is of the unknown fiber {third}")
                self.generators[number] = (self.texts[name], third)
            else:
                fail(f"unknown directory entry {entry.tag}")

    def block(self, chunk):
        fiber, begin, end, content = chunk
        times = []
        for transaction in Decoder(content).whole():
            head = transaction[0]
            if head.tag != 6:
                fail("a transaction does not begin with its times")
            number, generator, first, last = head.value
            kind, of = self.generators[generator]
            if of != fiber:
                fail(f"transaction {number} is in a block of fiber {fiber} and of fiber {of}")
            record = {"fiber": self.fibers[fiber][0], "kind": kind, "id": number, "begin_ps": first, "end_ps": last}
            for attribute in transaction[1:]:
                name, kind_of_value, value = attribute.value
                if attribute.tag not in (7, 8, 9) or kind_of_value not in (3, 10):
                    fail(f"attribute {attribute.tag} of type {kind_of_value}")
                record[self.texts[name]] = self.texts[value] if kind_of_value == 10 else value
            if last < first:
                fail(f"transaction {number} ends before it begins")
            times += [first, last]
            self.transactions.append(record)
        if (min(times), max(times)) != (begin, end):
            fail(f"a block of fiber {fiber} says {begin} to {end}, its transactions {min(times)} to {max(times)}")

    def relate(self, content):
        for name, source, sink, source_fiber, sink_fiber in Decoder(content).whole():
            if source_fiber not in self.fibers or sink_fiber not in self.fibers:
                fail(f"a relation names the unknown fibers {source_fiber}, {sink_fiber}")
            self.relations.append({"relation": self.texts[name], "from": source, "to": sink})


def compare(recording, path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    relations = [line for line in lines if "relation" in line]
    transactions = sorted((line for line in lines if "relation" not in line), key=lambda t: t["id"])
    found = sorted(recording.transactions, key=lambda t: t["id"])
    if len(found) != len(transactions):
        fail(f"{len(found)} transactions, {path} has {len(transactions)}")
    for a, b in zip(found, transactions):
        if a != b:
            fail(f"transaction {a} is {b} in {path}")
    if recording.relations != relations:
        fail(f"{len(recording.relations)} relations differ from the {len(relations)} of {path}")


def main():
    with open(sys.argv[1], "rb") as file:
        recording = Recording(file.read())
    ids = [t["id"] for t in recording.transactions]
    known = set(ids)
    if len(known) != len(ids):
        fail("two transactions have the same number")
    lost = [r for r in recording.relations if r["from"] not in known or r["to"] not in known]
    if lost:
        fail(f"{len(lost)} relations lead to no transaction, the first is {lost[0]}")
    if len(sys.argv) > 2:
        compare(recording, sys.argv[2])
    print(f"{len(recording.fibers)} fibers, {len(recording.generators)} generators, {len(ids)} transactions, "
          f"{len(recording.relations)} relations")


if __name__ == "__main__":
    main()
