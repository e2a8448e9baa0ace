"""Runs the program on hostile input and says what was wrong with the way it took it."""
import dataclasses
import json
import math
import os
import pathlib
import re
import resource
import signal
import subprocess

# Address space that a program may take, in bytes.
MEMORY = os.environ.get("HARMONIA_ATTACK_MEMORY", str(3 << 30))
CRASH = ("terminate called", "AddressSanitizer", "runtime error:", "what():", "json.exception", "Traceback (most recent call last)", "Assertion")
# A refusal names a place (file:line:column, "byte N", the size that a header claims, a tensor), a key, or what the whole file is not.
PLACE = re.compile(r":\d+(:\d+)?: |\bbyte \d+|\b\d+ bytes\b|\boffset \d+|\btensor\b|--set |\b[a-z_]+\.[a-z_]+\b(?<!\.yaml)(?<!\.json)|"
                   r"\b(dim|[a-z]+(_[a-z]+)+) \(?-?\d|\bkey |of another kind|\bholds no |\bhas no requests|\bthe number |\bvocabulary \d")


@dataclasses.dataclass
class Outcome:
    status: int
    out: str
    err: str
    fault: str  # empty: nothing is wrong


def limits():
    if MEMORY != "unlimited":
        resource.setrlimit(resource.RLIMIT_AS, (int(MEMORY), int(MEMORY)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def attack(words, named, seconds=20.0, environment=None):
    """Runs `words`. A refusal must name one of the texts in `named`, beside a place or a key."""
    environment = dict(os.environ, **(environment or {}))
    try:
        done = subprocess.run([str(w) for w in words], capture_output=True, timeout=seconds, preexec_fn=limits, env=environment,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Outcome(-1, "", "", f"took more than {seconds:g} s")
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    return Outcome(done.returncode, out, err, fault_of(done.returncode, out, err, named))


def fault_of(status, out, err, named):
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    for text in CRASH:
        if text in err or text in out:
            return f"printed `{text}`"
    if status not in (0, 1, 2):
        return f"exit status {status}, expected 0, 1 or 2"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", err + out):
        return "printed a control character"
    if status == 0:
        return ""
    if not err.strip():
        return f"exit status {status} without a message"
    if not any(n in err for n in named) or not PLACE.search(err):
        return "the refusal names neither a place nor a key"
    return ""


def figures(node, path=""):
    """(path, number) of every number of a JSON document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from figures(value, f"{path}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from figures(value, f"{path}[{number}]")
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield path, node


# Differences may have either sign.
SIGNED = re.compile(r"difference|error|deviation|offset|exponent|snr|nll|_db\b")


def fault_of_result(path):
    """What is wrong with the figures of a result: negative, not finite, a share beyond 1, a check that failed."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"the result cannot be read: {error}"

    def refuse(word):
        raise ValueError(f"the number {word}")

    try:
        result = json.loads(text, parse_constant=refuse)
    except ValueError as error:
        return f"the result is no JSON: {error}"
    for name, number in figures(result):
        if not math.isfinite(number):
            return f"{name} is {number}"
        if number < 0 and not SIGNED.search(name):
            return f"{name} is negative: {number}"
        if re.search(r"_(share|fraction|utilization)$", name) and number > 1 + 1e-9:
            return f"{name} is beyond 1: {number}"
    for check in result.get("checks", []):
        if isinstance(check, dict) and check.get("passed") is False:
            return f"a check failed: {check.get('name', check)}"
    return ""
