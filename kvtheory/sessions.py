"""Which conversation a request goes on with, and what is known of it when it arrives.

Clients that say so are believed: `session`; or `chat_id`, and `parent_chat_id` where each request has an id
of its own, as in the Bailian traces [Wang2025]_. Where nothing is said the prompts tell: a request goes on
with the conversation whose last prompt it contains, but perhaps for that prompt's last block, which was
not full. If it is that block that is missing, the block before it must be one that this last prompt was the
first to bring, else all prompts that add one block to a system prompt would be one conversation. A branch,
say an answer generated anew or a sub-agent, is then a conversation of its own.

Time is in seconds where requests have timestamps, else in requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from kvtheory.facts import About
from kvtheory.object_policy import Key, Memory

LAST, NUMBER, TURN, GAPS, WAITED, NODES, OLD, TOKENS, CHAT = range(9)


class Turn(NamedTuple):
    """A request as a turn of its conversation.

    Attributes:
        session: number of the conversation.
        turn: from 1; what the client says, else counted.
        gap: time since the turn before; None for the first.
        gaps, waited: how many gaps of this conversation are known, this one included, and their sum.
        tokens: of the prompt, its `input_length`; 0 if nobody says.
        growth: tokens that the prompt has more than that of the turn before; None if it is not known.
        fresh: nodes of the path that no conversation remembered has had.
    """

    session: int
    turn: int
    gap: float | None
    gaps: int
    waited: float
    tokens: int
    growth: int | None
    fresh: int


class Sessions(Memory):
    """The conversations of the last `MEMORY` requests.

    Attributes:
        now: the time since the first request, which never goes back.
        requests: how many there were.
        gaps, waited: how many gaps between turns were seen, and their sum.
    """

    READS: ClassVar[tuple[str, ...]] = ("timestamp", "session", "chat_id", "parent_chat_id", "turn")
    MEMORY: ClassVar[int] = 9600

    def __init__(self) -> None:
        self.now = 0.0
        self.requests = 0
        self.gaps = 0
        self.waited = 0.0
        self.about: dict[str, int | float] = {}
        self.timed, self.origin = False, 0.0
        self.begun = 0
        self.known: dict[int, list[Any]] = {}
        """Of each conversation its last turn, in the order in which they were heard of."""
        self.named: dict[int | float, int] = {}
        """Conversations by what clients call them."""
        self.owner: dict[Key, list[int]] = {}
        """Which conversation brought a node first, and the last request for it."""

    def mean_gap(self) -> float | None:
        """Mean time between two turns of a conversation; None while there were none."""
        return self.waited / self.gaps if self.gaps else None

    def arrive(self, about: About) -> None:
        """What the next request says of itself."""
        self.about = dict(about)

    def place(self, path: Sequence[Key]) -> Turn:
        """Take a request in: the turn that it is."""
        about, self.about = self.about, {}
        self._tick(about)
        owner, length, seen = self.owner, len(path), 0
        while seen < length and path[seen] in owner:
            seen += 1
        chat = about.get("session", about.get("chat_id"))
        session = self._named(about) if chat is not None else self._extended(path, seen)
        last = self.known.pop(session, None) if session is not None else None
        if last is None or session is None:
            session, self.begun = self.begun, self.begun + 1
        if chat is not None:
            if last is not None and last[CHAT] != chat:
                self.named.pop(last[CHAT], None)
            self.named[chat] = session
        gap = growth = None
        tokens = int(about.get("input_length", 0))
        turn, gaps, waited = 1, 0, 0.0
        if last is not None:
            turn, gap = last[TURN] + 1, self.now - last[LAST]
            gaps, waited = last[GAPS] + 1, last[WAITED] + gap
            self.gaps, self.waited = self.gaps + 1, self.waited + gap
            growth = tokens - last[TOKENS] if tokens and last[TOKENS] else None
        turn = max(1, int(about.get("turn", turn)))
        self.known[session] = [self.now, self.requests, turn, gaps, waited, length, seen, tokens, chat]
        for v in path[:seen]:
            owner[v][1] = self.requests
        for v in path[seen:]:
            owner[v] = [session, self.requests]
        return Turn(session, turn, gap, gaps, waited, tokens, growth, length - seen)

    def _tick(self, about: About) -> None:
        self.requests += 1
        if "timestamp" in about:
            if not self.timed:
                self.timed, self.origin = True, float(about["timestamp"]) - self.now
            self.now = max(self.now, float(about["timestamp"]) - self.origin)
        elif not self.timed:
            self.now += 1.0
        if self.requests % self.MEMORY == 0:
            self._forget()

    def _named(self, about: About) -> int | None:
        """The conversation that the client names; None for one not heard of."""
        if "session" in about:
            return self.named.get(about["session"])
        return self.named.get(about.get("parent_chat_id", about["chat_id"]))

    def _extended(self, path: Sequence[Key], seen: int) -> int | None:
        """The conversation whose last prompt this path contains; None if there is none."""
        if not seen:
            return None
        session = self.owner[path[seen - 1]][0]
        last = self.known.get(session)
        if last is None:
            return None
        whole, but_one = seen >= last[NODES], seen == last[NODES] - 1
        return session if whole or (but_one and seen > last[OLD]) else None

    def _forget(self) -> None:
        oldest = self.requests - self.MEMORY
        self.known = {s: last for s, last in self.known.items() if last[NUMBER] > oldest}
        self.owner = {v: note for v, note in self.owner.items() if note[1] > oldest}
        self.named = {chat: s for chat, s in self.named.items() if s in self.known}
