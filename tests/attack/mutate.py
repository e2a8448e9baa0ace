"""Damages files: bytes, lines, numbers, words, and pieces of one file in another."""
import re

NUMBERS = [b"-1", b"0", b"1", b"-0", b"1e999", b"-1e999", b"1e308", b"1e-320", b"nan", b".inf", b"-.inf", b"18446744073709551615", b"9223372036854775808",
           b"4294967296", b"2147483648", b"99999999999999999999999", b"0x7fffffff", b"1_000", b"1.5", b"007", b"1e3", b"", b"+5", b"1,5", b"1 GiB", b"65536"]
WORDS = [b"null", b"true", b"~", b"[]", b"{}", b"''", b'"', b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\x1b[2J", b"=1+1", b"../../x", b"*a", b"&a", b"!!binary",
         b"<<: *a", b"\\ud800", b"\\u0000", b"\x00", b"[" * 300, b"{" * 300, b"- " * 200, b"a" * 5000, b"\r\n", b"\t", b"%TAG", b"---\n", b"...\n", b"#"]


def damage(data, others, random):
    """One to four mutations of `data`; `others` are the files that pieces are taken from."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(ALL)(data, others, random)
    return data


def flip_bits(data, _, random):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def set_bytes(data, _, random):
    data = bytearray(data)
    for _ in range(random.choice((1, 2, 4))):
        if data:
            data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x22, 0x3A, 0x2D, random.randrange(256)))
    return bytes(data)


def cut_off(data, _, random):
    return data[:random.randrange(len(data) + 1)]


def take_out(data, _, random):
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.choice((1, 2, 4, 8, 64, 1000)):]


def repeat(data, _, random):
    at = random.randrange(len(data) + 1)
    piece = data[at:at + random.choice((1, 4, 16, 200))]
    return data[:at] + piece * random.choice((2, 2, 3, 50)) + data[at:]


def put_in(data, _, random):
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(WORDS + NUMBERS) + data[at:]


def splice(data, others, random):
    other = random.choice(others)
    a, b = random.randrange(len(data) + 1), random.randrange(len(other) + 1)
    return data[:a] + other[b:b + 20000]


def set_integer(data, _, random):
    """A binary integer of 4 or 8 bytes, as headers hold counts and offsets."""
    size = random.choice((4, 8))
    if len(data) < size:
        return data
    at = random.randrange(min(len(data) - size, 4096) + 1)
    value = random.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** 31, 2 ** 20, len(data), len(data) + 1, random.randrange(2 ** 16)))
    return data[:at] + (value % 2 ** (8 * size)).to_bytes(size, "little") + data[at + size:]


def set_number(data, _, random):
    found = list(re.finditer(rb"-?\d[\d.eE+]*", data[:20000]))
    if not found:
        return put_in(data, _, random)
    at = random.choice(found)
    return data[:at.start()] + random.choice(NUMBERS) + data[at.end():]


def set_word(data, _, random):
    found = list(re.finditer(rb"[A-Za-z_][\w-]*", data[:20000]))
    if not found:
        return put_in(data, _, random)
    at, other = random.choice(found), random.choice(found)
    word = random.choice((random.choice(WORDS), random.choice(NUMBERS), other.group(), at.group()[:-1], at.group() + b"x"))
    return data[:at.start()] + word + data[at.end():]


def move_lines(data, _, random):
    lines = data.split(b"\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    choice = random.randrange(4)
    if choice == 0:
        lines[a], lines[b] = lines[b], lines[a]
    elif choice == 1:
        lines.insert(a, lines[b])
    elif choice == 2:
        del lines[a]
    else:
        lines[a] = b" " * random.choice((1, 2, 4)) + lines[a]
    return b"\n".join(lines)


ALL = (flip_bits, set_bytes, cut_off, take_out, repeat, put_in, splice, set_integer, set_number, set_number, set_word, set_word, move_lines)
