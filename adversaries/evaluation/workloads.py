"""The workloads of the evaluation, each with seconds of arrival and answers of 4 tokens [Wu2026]_.

The data sets are not here, so chat and documents have their shape and none of their text. Published means,
and what is assumed beside them:

- ShareGPT: 5.75 turns a conversation [Gao2024]_; messages of 161 and replies of 338 tokens [Kwon2023]_.
- UltraChat: 7.7 messages a conversation, so 3.85 turns, by the card of a copy of the data set; 6,720 bytes a
  conversation by that of its selection of 200,000, so 1,470 tokens or 380 a turn, of which we give 60 to the
  message and 320 to the reply.
- LooGLE: documents longer than any cut, about 6,000 questions on 776 documents [Li2024]_, so 8 a document;
  100 is the evaluation's own limit. A question has 32 tokens (assumed). Documents come in random order, the
  questions on one of them 10 seconds apart on average (assumed).
- Turns are geometric, lengths log-normal with a spread of 0.8 (assumed). Replies become part of the
  conversation with their length in the data set, although only 4 tokens are generated (assumed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from adversaries.chains import poisson_arrivals
from adversaries.chat import chat
from adversaries.contexts import Requests, join, trace_of
from adversaries.draws import elapsed, geometric, lengths, ragged
from adversaries.gsp import gsp
from kvtheory.errors import InputError
from kvtheory.model import Trace
from kvtheory.traces import read_trace

RATE = 12.0  # requests a second
CLIENTS, LARGEST_CHAT = 128, 1024
OUTPUT = 4
DOCUMENTS, CUTS, QUESTIONS, MOST_QUESTIONS, QUESTION = 512, (1024, 2048, 4096, 8192), 8.0, 100, 32
CHATS = {
    "sharegpt": {"turns": 5.75, "message": 161, "reply": 338},
    "ultrachat": {"turns": 3.85, "message": 60, "reply": 320},
}
ORDERS = {"gsp_random": "random", "gsp_grouped": "grouped", "gsp_round_robin": "round_robin"}
PAGES = {"sharegpt": 16, "ultrachat": 16, "mooncake": 512}
PAGE = 64  # tokens of all others: every length of GSP is a multiple of 256
SLOWED = 0.25  # of the real trace's pace: at its own, four L40 are offered three times what they can serve
TRACE = Path("../shared/traces/mooncake_conversation.jsonl")


def make_workload(name: str, seed: int, page: int, files: dict[str, str] | None = None) -> Trace:
    """A workload by name.

    Args:
        name: `gsp_random`, `gsp_grouped`, `gsp_round_robin`, `gsp_small`, `sharegpt`, `ultrachat`, `loogle`
            or `mooncake`.
        seed: of every draw.
        page: tokens in a block.
        files: real data, by name; `mooncake` has a default.

    Raises:
        InputError: if there is none of that name, or a file cannot be read.
    """
    files = files or {}
    if name in files or name == "mooncake":
        trace = read_trace(files.get(name, TRACE), block_size=page)
        return trace if name == "mooncake" else paced(first(trace, LARGEST_CHAT), seed)
    makers: dict[str, Callable[[], Trace]] = {
        **{key: lambda key=key: _gsp(key, 128, seed, page) for key in ORDERS},  # type: ignore[misc]
        **{key: lambda key=key: _chat(key, seed, page) for key in CHATS},  # type: ignore[misc]
        "gsp_small": lambda: _gsp("gsp_random", 32, seed, page),
        "loogle": lambda: _documents(seed, page),
    }
    if name not in makers:
        raise InputError(f"no workload of the evaluation is named '{name}'", field="workload")
    return makers[name]()


def _gsp(name: str, groups: int, seed: int, page: int) -> Trace:
    order = ORDERS[name]
    return gsp(groups=groups, order=order, block=page, output=OUTPUT, rate=RATE, seed=seed)  # type: ignore[arg-type]


def _chat(name: str, seed: int, page: int) -> Trace:
    """128 clients, each with one conversation; who waits longest for its turn asks next, more or less."""
    shape = CHATS[name]
    trace = chat(
        sessions=CLIENTS,
        rate=RATE,
        turns=float(shape["turns"]),
        message=int(shape["message"]),
        reply=int(shape["reply"]),
        think=CLIENTS / RATE,
        speed=1e9,
        systems=0,
        block=page,
        seed=seed,
    )
    return paced(first(trace, LARGEST_CHAT), seed)


def first(trace: Trace, count: int) -> Trace:
    """The first requests of a trace."""
    columns = {name: column[:count] for name, column in trace.columns.items()}
    return replace(trace, requests=trace.requests[:count], columns=columns)


def paced(trace: Trace, seed: int) -> Trace:
    """The same requests in the same order as Poisson arrivals at the evaluation's rate, with its answers."""
    times = poisson_arrivals(np.random.default_rng(seed), len(trace), RATE)
    answers = np.full(len(trace), OUTPUT, np.int64)
    return replace(trace, columns={**trace.columns, "timestamp": times, "output_length": answers})


def _documents(seed: int, page: int) -> Trace:
    rng = np.random.default_rng(seed)
    sizes = rng.choice(CUTS, DOCUMENTS)
    asked = np.minimum(geometric(rng, QUESTIONS, DOCUMENTS), MOST_QUESTIONS)
    document, turn = ragged(asked)
    opened = poisson_arrivals(rng, DOCUMENTS, RATE / QUESTIONS)
    questions = lengths(rng, QUESTION, 0.8, document.size)
    count = document.size
    requests = Requests(
        context=1 + DOCUMENTS + np.arange(count),
        time=opened[document] + elapsed(rng.exponential(10.0, count), turn),
        output=np.full(count, OUTPUT, np.int64),
        before=np.where(turn == 0, -1, np.arange(count) - 1),
        turn=turn + 1,
        kind=np.zeros(count, np.int64),
    )
    forest = join((np.zeros(DOCUMENTS, np.int64), sizes), (1 + document, questions))
    source = f"loogle:{seed=},{page=}"
    return paced(trace_of(forest, requests, block=page, kinds=("file",), source=source), seed)
