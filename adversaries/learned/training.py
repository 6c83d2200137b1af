"""The learned adversary: policy gradients over a small network that all nodes share. [Williams1992]_

The network gives every requestable node a score from what :class:`adversaries.learned.arena.Arena` knows of
it, and the next request is drawn by softmax. A request is rewarded with `misses - rho * growth of OPT`, with
rho the last batch's ratio [Dinkelbach1967]_: the gradient of that reward is the gradient of the ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import linear

from adversaries.learned.arena import FEATURES, Arena
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree
from kvtheory.policy import Policy
from kvtheory.ratio.instance import Instance

BATCH = 64
SEEDS = 32
HIDDEN = 16
RATE = 0.06
DISCOUNT = 0.97
ENTROPY = 0.005
DECAYS = (0.9, 0.999)


@dataclass
class Outcome:
    """The best sequence that was played.

    Attributes:
        requests: its nodes.
        ratio: ALG/OPT under the seeds that it was chosen by.
        history: for every improvement, the evaluations so far and the sequence that was then the best.
    """

    requests: list[int] = field(default_factory=list)
    ratio: float = 0.0
    history: list[tuple[int, list[int]]] = field(default_factory=list)

    def offer(self, evaluations: int, requests: Tensor, ratios: Tensor) -> None:
        """Keep the best of some sequences, shape (B, T), if it is better than what is there."""
        best = int(ratios.argmax())
        if float(ratios[best]) > self.ratio:
            self.ratio, self.requests = float(ratios[best]), requests[best].tolist()
            self.history.append((evaluations, self.requests))


def seeds_of(policy: type[Policy]) -> Sequence[int]:
    """The seeds that sequences are compared under: common random numbers."""
    return range(SEEDS) if policy.randomised() else (0,)


def require_search(tree: PrefixTree, capacity: int, length: int, evaluations: int) -> Instance:
    """The instance to search on.

    Raises:
        InputError: if a number is not positive, or the tree does not fit into a state.
    """
    for name, value in (("length", length), ("evaluations", evaluations)):
        if value < 1:
            raise InputError(f"{value} is not positive", field=name)
    return Instance.of(tree, capacity)


class Scorer:
    """Scores for requestable nodes: the same small network for each, and a number of its own.

    Every score is 0 at first, so that the first sequences are uniform.

    Args:
        nodes: how many are requestable.
        generator: draws the weights, and says where they live.
    """

    def __init__(self, nodes: int, generator: torch.Generator) -> None:
        shapes = ((HIDDEN, FEATURES), (HIDDEN,), (1, HIDDEN), (1,), (nodes,))
        self.parameters = [torch.zeros(shape, device=generator.device) for shape in shapes]
        self.parameters[0].normal_(0, FEATURES**-0.5, generator=generator)
        for parameter in self.parameters:
            parameter.requires_grad_()

    def scores(self, features: Tensor) -> Tensor:
        """Scores, shape (..., R), from features, shape (..., R, F)."""
        first, shift, last, offset, own = self.parameters
        hidden = torch.tanh(linear(features, first, shift))
        found: Tensor = linear(hidden, last, offset).squeeze(-1) + own
        return found


@dataclass
class Episode:
    """What a batch of sequences saw, did and got; T requests of B sequences.

    Attributes:
        features: float32, shape (T, B, R, F).
        moves: int64, shape (T, B).
        misses, growth: float64 and int64, shape (T, B).
        requests: int64, shape (B, T).
        ratios: float64, shape (B,).
    """

    features: Tensor
    moves: Tensor
    misses: Tensor
    growth: Tensor
    requests: Tensor
    ratios: Tensor

    @property
    def ratio(self) -> float:
        """The ratio of the sums over all sequences."""
        return float(self.misses.sum() / self.growth.sum())


def play(scorer: Scorer, arena: Arena, length: int, generator: torch.Generator) -> Episode:
    """Let a network play; arguments as :func:`learn`."""
    seen, moved, missed, grown = [], [], [], []
    with torch.no_grad():
        for _ in range(length):
            features = arena.features()
            chances = torch.softmax(scorer.scores(features), 1)
            moves = torch.multinomial(chances, 1, generator=generator)[:, 0]
            misses, growth = arena.play(moves)
            seen.append(features)
            moved.append(moves)
            missed.append(misses)
            grown.append(growth)
    moves = torch.stack(moved)
    return Episode(
        torch.stack(seen),
        moves,
        torch.stack(missed),
        torch.stack(grown),
        arena.choices[moves].T,
        arena.ratios(),
    )


def advantages(episode: Episode, rho: float) -> Tensor:
    """Discounted reward to go less its mean over the batch, in units of its deviation, shape (T, B)."""
    rewards = episode.misses - rho * episode.growth
    to_go, ahead = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        ahead = rewards[t] + DISCOUNT * ahead
        to_go[t] = ahead
    centred = to_go - to_go.mean(1, keepdim=True)
    scaled: Tensor = (centred / (centred.std(correction=0) + 1e-9)).to(torch.float32)
    return scaled


class Adam:
    """The optimiser of [Kingma2015]_; torch's own takes longer to import than a short search."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters, self.steps = parameters, 0
        self.mean = [torch.zeros_like(parameter) for parameter in parameters]
        self.square = [torch.zeros_like(parameter) for parameter in parameters]

    def step(self, gradients: tuple[Tensor, ...]) -> None:
        """Move every parameter against its gradient."""
        self.steps += 1
        with torch.no_grad():
            for i, gradient in enumerate(gradients):
                self.mean[i].lerp_(gradient, 1 - DECAYS[0])
                self.square[i].lerp_(gradient * gradient, 1 - DECAYS[1])
                mean = self.mean[i] / (1 - DECAYS[0] ** self.steps)
                square = self.square[i] / (1 - DECAYS[1] ** self.steps)
                self.parameters[i] -= RATE * mean / (square.sqrt() + 1e-8)


def improve(scorer: Scorer, optimiser: Adam, episode: Episode, rho: float) -> None:
    """One step along the policy gradient, with a little weight on staying undecided."""
    chances = torch.log_softmax(scorer.scores(episode.features), 2)
    chosen = chances.gather(2, episode.moves[:, :, None])[:, :, 0]
    entropy = -(chances.exp() * chances).sum(2).mean()
    loss = -(advantages(episode, rho) * chosen).mean() - ENTROPY * entropy
    optimiser.step(torch.autograd.grad(loss, optimiser.parameters))


def learn(
    tree: PrefixTree,
    capacity: int,
    policy: type[Policy],
    *,
    length: int,
    evaluations: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Outcome:
    """Train an adversary and keep the best sequence that it ever played.

    Args:
        tree: the prefixes, at most 62 nodes.
        capacity: nodes the cache holds.
        policy: the policy to break.
        length: requests in a sequence.
        evaluations: sequences to play in all.
        seed: of the weights and of every choice.
        device: where to compute.

    Raises:
        InputError: if a number is not positive, or the tree does not fit into a state.
        LimitError: if there are more than 2**18 cache states.
    """
    instance = require_search(tree, capacity, length, evaluations)
    generator = torch.Generator(device).manual_seed(seed)
    scorer = Scorer(len(instance.requestable), generator)
    optimiser = Adam(scorer.parameters)
    outcome, played = Outcome(), 0
    while played < evaluations:
        batch = min(BATCH, evaluations - played)
        arena = Arena(instance, policy, batch, seeds_of(policy), device)
        episode = play(scorer, arena, length, generator)
        played += batch
        outcome.offer(played, episode.requests, episode.ratios)
        improve(scorer, optimiser, episode, episode.ratio)
    return outcome
