"""Valid inputs, damaged: seeded, in their bytes, their lines, their words, or as JSON in their structure."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

Damage = Callable[[random.Random, bytes], bytes]

TOKENS = (
    *(
        b"0",
        b"-1",
        b"1",
        b"2",
        b"1e999",
        b"1e-999",
        b"NaN",
        b"-Infinity",
        b"9" * 5000,
        b"9223372036854775808",
    ),
    *(b"1/0", b"-1/3", b"null", b"true", b'""', b"[]", b"{}", b"[" * 3000, b'{"a":' * 3000, b"\0", b"\xff"),
    *(
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\n",
        b" ",
        b"\\ud800",
        b"\x1b[31m",
        b"\xe2\x80\xae",
        b"\xd9\xa3",
        b'"',
        b",",
    ),
    *(b",", b":", b"=", b"%", b"@", b"-", b"x", b"/", b".", b"e", b"_", b"inf", b"nan", b"all", b"'", b"#"),
)
NUMBERS = (0, 1, 2, 3, -1, 7, 1 << 31, 1 << 63, -(1 << 63), 10**400, 0.5, 1e308, -0.0)
WORDS = ("", "x", "lru", "inf", "exact", "lower", "upper", "unit", "a\nb", "\x1b[31m", "\ud800")
RATIONALS = ("1/1", "0/1", "1/2", "-1/2", "3/2", "1/0", "2/2", "\u0663/1", "9" * 2000 + "/1")
CONSTANTS = (None, True, False, float("nan"), float("inf"))
STRUCTURES = ([], {}, [[]], [0], [1, 2], {"a": 1})
VALUES: tuple[Any, ...] = (*NUMBERS, *WORDS, *RATIONALS, *CONSTANTS, *STRUCTURES)


def of_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bits turned, and pieces cut out, doubled, moved or written over."""
    text = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        size = rng.choice((1, 1, 2, 4, 16, 64))
        match rng.randrange(6):
            case 0 if at < len(text):
                text[at] ^= 1 << rng.randrange(8)
            case 1:
                del text[at : at + size]
            case 2:
                text[at:at] = rng.choice(TOKENS)
            case 3:
                text[at : at + size] = rng.choice(TOKENS)
            case 4:
                start = rng.randrange(len(text) + 1)
                text[at:at] = text[start : start + size]
            case _:
                del text[at:]
    return bytes(text)


def of_lines(rng: random.Random, data: bytes) -> bytes:
    """Lines left out, doubled, exchanged, or damaged as bytes or as JSON."""
    lines = data.split(b"\n")
    at, other = (rng.randrange(len(lines)) for _ in range(2))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines[at:at] = [lines[other]] * rng.choice((1, 1, 3))
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = of_bytes(rng, lines[at])
        case _:
            lines[at] = of_json(rng, lines[at])
    return b"\n".join(lines)


def of_json(rng: random.Random, data: bytes) -> bytes:
    """Values replaced, left out or doubled anywhere in the structure; bytes where it is no JSON."""
    try:
        whole = json.loads(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            whole = _altered(rng, whole)
        return json.dumps(whole).encode()
    except (ValueError, RecursionError):
        return of_bytes(rng, data)


def _altered(rng: random.Random, whole: Any) -> Any:
    places = [((), whole)]
    for path, value in places:  # grows while it is read: breadth first
        if len(places) > 20_000:
            break
        inner = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        places += [((*path, key), item) for key, item in inner]
    path, old = rng.choice(places)
    new = _another(rng, old, [value for _, value in places])
    if not path:
        return new
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    match rng.randrange(4):
        case 0:
            del parent[path[-1]]
        case 1 if isinstance(parent, list):
            parent.insert(path[-1], new)
        case 1:
            parent[rng.choice((*parent, "x", "schema", "1"))] = new
        case _:
            parent[path[-1]] = new
    return whole


def _another(rng: random.Random, old: Any, others: list[Any]) -> Any:
    if isinstance(old, int) and rng.randrange(2):
        return old + rng.choice((-1, 1, 1000))
    return copy.deepcopy(rng.choice(others if rng.randrange(2) else VALUES))
