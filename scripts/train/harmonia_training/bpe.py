"""A byte-pair tokenizer of the SentencePiece kind, written as llama2.c's tokenizer.bin.

The C++ encoder merges the adjacent pair whose joined piece has the best score, whatever its parts. Pieces learned here
never cross the border of a word (a blank and letters, or one other character), so that encoding each word alone gives
the same tokens and can be remembered.
"""

import collections
import re
import struct

UNKNOWN, START, END = 0, 1, 2
WORD = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z\s]|\s")
CHARACTERS = ["\n"] + [chr(c) for c in range(32, 127)]


class Tokenizer:
    def __init__(self, pieces):
        self.pieces = pieces
        self.index = {p: i for i, p in reversed(list(enumerate(pieces)))}
        self.first_merge = 3 + len(CHARACTERS)
        self.known = {}

    def score(self, token):
        return -float(token - self.first_merge) if token >= self.first_merge else 0.0

    def encode_word(self, word):
        if word not in self.known:
            symbols = [self.index.get(c, UNKNOWN) for c in word]
            while True:
                best = None
                for i in range(len(symbols) - 1):
                    merged = self.index.get(self.pieces[symbols[i]] + self.pieces[symbols[i + 1]])
                    if merged is not None and (best is None or merged < best[0]):
                        best = (merged, i)
                if best is None:
                    break
                symbols[best[1] : best[1] + 2] = [best[0]]
            self.known[word] = symbols
        return self.known[word]

    def encode(self, text):
        """Tokens of a text with the blank that the C++ encoder puts before it, without the sequence start."""
        return [t for word in WORD.findall(" " + text) for t in self.encode_word(word)]

    def save(self, path):
        longest = max(len(p.encode()) for p in self.pieces)
        with open(path, "wb") as out:
            out.write(struct.pack("<i", longest))
            for token, piece in enumerate(self.pieces):
                data = piece.encode()
                out.write(struct.pack("<fi", self.score(token), len(data)) + data)


def load(path):
    """Reads what save() wrote."""
    with open(path, "rb") as file:
        data = file.read()
    pieces, offset = [], 4
    while offset < len(data):
        _, length = struct.unpack_from("<fi", data, offset)
        pieces.append(data[offset + 8 : offset + 8 + length].decode())
        offset += 8 + length
    return Tokenizer(pieces)


def pairs_of(symbols):
    return zip(symbols, symbols[1:])


def merge(symbols, pair):
    """The symbols of a word with every occurrence of the pair joined, from the left."""
    result, i = [], 0
    while i < len(symbols):
        joined = i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair
        result.append(symbols[i] + symbols[i + 1] if joined else symbols[i])
        i += 2 if joined else 1
    return result


def train(texts, vocabulary):
    """Merges the most frequent pair inside words until there are `vocabulary` pieces; of equals the first by spelling."""
    words = collections.Counter(word for text in texts for word in WORD.findall(" " + text))
    split = {word: list(word) for word in words}
    pieces = ["<unk>", "<s>", "</s>"] + CHARACTERS
    counts, holders = collections.Counter(), collections.defaultdict(set)

    def count(word, sign):
        for pair in pairs_of(split[word]):
            counts[pair] += sign * words[word]
            holders[pair].add(word)

    for word in split:
        count(word, 1)
    while len(pieces) < vocabulary:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < 1:
            raise RuntimeError(f"the text gives {len(pieces)} pieces, expected {vocabulary}")
        for word in list(holders[best]):
            count(word, -1)
            split[word] = merge(split[word], best)
            count(word, 1)
        if best[0] + best[1] not in pieces:
            pieces.append(best[0] + best[1])
    return Tokenizer(pieces)
