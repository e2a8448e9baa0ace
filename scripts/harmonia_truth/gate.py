"""The committed table, and what of a fresh measurement it does not let pass."""
import csv
import hashlib
import io
import statistics
from collections import namedtuple

COLUMNS = ["group", "figure", "measured", "ours", "error_percent", "low_percent", "high_percent", "roofline", "known_miss"]
Entry = namedtuple("Entry", COLUMNS)
GROWTH = 1.1        # a median may grow by a tenth
SLACK = 0.05        # percentage points: the resolution of what is compared
WORSE = 0.5         # percentage points that a known miss may move beyond a tenth

SEAL = "# sha256 of the lines above, written by scripts/validate --update: "


def percent(value, measured):
    return None if value is None else 100 * (value / measured - 1)


def entry(row, figure):
    return Entry(row.group, row.name, row.measured, figure.ours, percent(figure.ours, row.measured), row.low, row.high, figure.roofline, known(row, figure))


def known(row, figure):
    """Why the row is outside its tolerance, if it is and the reason is known."""
    if figure.ours is not None and within(percent(figure.ours, row.measured), Limits(row.low, row.high)):
        return None
    return row.reason


Limits = namedtuple("Limits", "low_percent high_percent")


def within(error, limits):
    """The edges belong to it, whatever the last digit of a double says."""
    return limits.low_percent - 1e-6 <= error <= limits.high_percent + 1e-6


def outside(e):
    return e.error_percent is None or not within(e.error_percent, e)


# ------------------------------------------------------------------------------------------------------------ statistics

def groups(entries):
    by = {}
    for e in entries:
        by.setdefault(e.group, []).append(e)
    return by


Statistics = namedtuple("Statistics", "rows refused misses median largest roofline")


def statistics_of(entries):
    """Of the absolute errors in percent; the roofline's median where it exists."""
    errors = [abs(e.error_percent) for e in entries if e.error_percent is not None]
    bare = [abs(percent(e.roofline, e.measured)) for e in entries if e.roofline is not None]
    return Statistics(len(entries), sum(e.ours is None for e in entries), sum(outside(e) for e in entries),
                      statistics.median(errors) if errors else None, max(errors) if errors else None, statistics.median(bare) if bare else None)


# ----------------------------------------------------------------------------------------------------------------- judge

def judge(now, table):
    """Every reason, in a sentence, for which `now` (entries of this measurement) must not pass beside the committed `table`; and notices."""
    committed = {(e.group, e.figure): e for e in table}
    faults, notices = [], []
    for e in now:
        before = committed.get((e.group, e.figure))
        where = f"{e.group}: {e.figure}"
        if before is None or abs(before.measured - e.measured) > 1e-5 * abs(e.measured):
            faults.append(f"{where}: the committed table does not have this figure; scripts/validate --update writes it")
        elif outside(e):
            worse = miss(e, before)
            if worse:
                faults.append(f"{where}: {worse}")
        elif outside(before):
            notices.append(f"{where}: within its tolerance now; scripts/validate --update records it")
    for name, entries in groups(now).items():
        before = [committed[e.group, e.figure] for e in entries if (e.group, e.figure) in committed]
        new, old = statistics_of(entries).median, statistics_of(before).median
        if new is not None and old is not None and new > GROWTH * old + SLACK:
            faults.append(f"{name}: the median error grew from {old:.2f} to {new:.2f} %, more than a tenth")
    return faults, notices


def miss(e, before):
    """What is wrong with an entry outside its tolerance, or None for one that is known and not worse than it was."""
    allowed = f"allowed are {e.low_percent:+.2f} to {e.high_percent:+.2f} %"
    if e.known_miss is None:
        return f"ours is {describe(e)}, {allowed}"
    if e.ours is None:
        return None if before.ours is None else f"the program refuses it now, its error was {before.error_percent:+.2f} %"
    if before.error_percent is not None and abs(e.error_percent) > GROWTH * abs(before.error_percent) + WORSE:
        return f"a known miss became worse: {before.error_percent:+.2f} % before, {describe(e)}"
    return None


def describe(e):
    return "refused" if e.ours is None else f"{e.ours:.6g} where {e.measured:.6g} was measured ({e.error_percent:+.2f} %)"


def vanished(table, rows):
    """Entries of the committed table for which there is no fact any more."""
    there = {(r.group, r.name) for r in rows}
    return [f"{e.group}: {e.figure}: in the committed table, but no fact names it; scripts/validate --update drops it"
            for e in table if (e.group, e.figure) not in there]


# ------------------------------------------------------------------------------------------------------------------ file

def write(path, entries):
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for e in entries:
        out.writerow(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in e])
    body = text.getvalue()
    with open(path, "w", encoding="utf-8") as f:
        f.write(body + SEAL + hashlib.sha256(body.encode()).hexdigest() + "\n")


def read(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    body, mark, seal = text.rpartition(SEAL)
    if not mark or seal.strip() != hashlib.sha256(body.encode()).hexdigest():
        raise ValueError(f"{path}: was changed by hand; only scripts/validate --update writes it")
    number = lambda v: float(v) if v else None
    return [Entry(r["group"], r["figure"], *(number(r[c]) for c in COLUMNS[2:8]), r["known_miss"] or None) for r in csv.DictReader(io.StringIO(body))]
