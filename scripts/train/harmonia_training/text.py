"""The text that the family is trained on: the King James Version of the Bible from Debian's package bible-kjv.

Documents are chapters, one verse a line, without references. Every chapter whose number in the book's order has the
remainder HELD_OUT_REMAINDER modulo HELD_OUT_EVERY is held out; the others are trained on. Nothing is drawn at random,
so that the split is the same wherever the package is. Licence: the text is in the public domain (the translation
appeared in 1611; the package says so; in the United Kingdom printing is reserved by letters patent), the program that
prints it is GPL-2+ and is only called.
"""

import re
import subprocess

SEPARATOR = "<|endoftext|>"
HELD_OUT_EVERY = 20
HELD_OUT_REMAINDER = 7


def read_chapters(program="bible"):
    """All chapters in order, as (name, text). Raises RuntimeError when the package is not installed."""
    try:
        run = subprocess.run([program, "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise RuntimeError(f"the program '{program}' is not installed, expected the package bible-kjv") from error
    chapters = {}
    for line in run.stdout.splitlines():
        match = re.fullmatch(r"(\w+?)(\d+):\d+ (.*\S)\s*", line)
        if not match:
            raise RuntimeError(f"the line '{line}' of the text is no verse, expected 'Book1:1 words'")
        chapters.setdefault(f"{match[1]} {match[2]}", []).append(match[3])
    return [(name, "\n".join(verses)) for name, verses in chapters.items()]


def split(chapters):
    """Training texts and held-out texts."""
    held_out = [text for i, (_, text) in enumerate(chapters) if i % HELD_OUT_EVERY == HELD_OUT_REMAINDER]
    training = [text for i, (_, text) in enumerate(chapters) if i % HELD_OUT_EVERY != HELD_OUT_REMAINDER]
    return training, held_out


def join(texts):
    """One file of documents as `harmonia infer --text` reads it."""
    return f"\n{SEPARATOR}\n".join(texts) + "\n"
