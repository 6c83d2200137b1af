"""What a request of vLLM says of itself: when it came, how long its prompt is, what its client sent along.

A client sends numbers by name in `SamplingParams.extra_args`, either as the mapping `{"kvtheory": {"session":
17, "turn": 3}}` or, as HTTP's `vllm_xargs` cannot nest, as `{"kvtheory.session": 17, "kvtheory.turn": 3}`.
Of anything else nothing is used, and the log says so once: what helps the cache must not cost a request.
"""

from __future__ import annotations

import logging
from typing import Any

from kvtheory.facts import About

KEY = "kvtheory"
LARGEST = 2.0**63
logger = logging.getLogger("vllm.kvtheory")
_complaints: list[str] = []


def said_by(request: Any) -> About:
    """Facts of a request: `timestamp` in seconds, `input_length` in tokens, and what its client sent.

    Of these two the engine is believed, not the client.
    """
    extra = getattr(getattr(request, "sampling_params", None), "extra_args", None) or {}
    sent, problem = sent_along(extra)
    if problem and not _complaints:
        _complaints.append(problem)
        logger.warning("kvtheory: facts of a request are ignored, and further ones silently: %s", problem)
    engine = {"timestamp": float(request.arrival_time), "input_length": int(request.num_prompt_tokens)}
    return {**sent, **engine}


def sent_along(extra: dict[str, Any]) -> tuple[dict[str, int | float], str]:
    """The numbers by name in a request's `extra_args`, and what is wrong with them: then there are none."""
    nested = extra.get(KEY, {})
    if not isinstance(nested, dict):
        return {}, f"'{KEY}' is {type(nested).__name__}, not a mapping"
    flat = {name[len(KEY) + 1 :]: value for name, value in extra.items() if name.startswith(f"{KEY}.")}
    sent = {**nested, **flat}
    for name, value in sent.items():
        if not isinstance(name, str):
            return {}, f"a name is {type(name).__name__}, not a string"
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not -LARGEST <= value < LARGEST:
            return {}, f"'{name[:40]}' is no finite number of 64 bits"
    return sent, ""
