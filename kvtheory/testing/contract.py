"""The contract of every policy, as named checks; a policy meets it by existing in the registry.

A plugin's own test-suite needs one line::

    def test_my_policy():
        run_contract(MyPolicy)

or, with one test per check, `@pytest.mark.parametrize("check", contract_of(MyPolicy), ids=str)` and
`check.verify(Subject(MyPolicy))`. Every check first runs over a fixed corpus, then over instances that
Hypothesis draws and shrinks. A failing check raises AssertionError or PolicyError and notes the instance.

What is checked is a :class:`~kvtheory.testing.contract.Subject`: a policy with the engine, the kernel and the
optimum it is held against. Only :mod:`kvtheory.testing.mutants` changes the latter three, to see the checks
catch it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from kvtheory.engine import kernel
from kvtheory.engine.codegen import kernel_source
from kvtheory.engine.object_reference import ObjectReference, reference_engine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.errors import VerificationError
from kvtheory.facts import About, Facts
from kvtheory.model import ROOT, Trace
from kvtheory.object_policy import AnyPolicy, ObjectPolicy, reads
from kvtheory.offline.belady import Schedule, belady
from kvtheory.offline.brute import brute
from kvtheory.offline.witness import check_schedule
from kvtheory.policy import Policy, Status, Trait
from kvtheory.rng import SplitMix64
from kvtheory.testing.chances import (
    BELIEF_LIMIT,
    Belief,
    Script,
    TooManyStates,
    advance,
    certain,
    expected_misses,
)
from kvtheory.testing.instances import (
    Instance,
    SmallOptimum,
    all_trees,
    columns_for,
    corpus,
    famous,
    linear_extension,
    requestable,
    star,
)
from kvtheory.testing.strategies import instances, seeds
from kvtheory.width import harmonic, width


@dataclass(frozen=True)
class Subject:
    """What is held to the contract. Where the policy reads facts, most instances have some of them.

    Args:
        policy: the policy.
        engine: its meaning.
        replay: its kernel, as :func:`kvtheory.engine.kernel.replay`.
        optimum: OPT, as :func:`kvtheory.offline.belady.belady`.
    """

    policy: Any
    engine: type[ReferenceEngine] = ReferenceEngine
    replay: Callable[..., kernel.Replay] = kernel.replay
    optimum: Callable[..., Schedule] = belady

    def __post_init__(self) -> None:
        if self.engine is ReferenceEngine:
            object.__setattr__(self, "engine", reference_engine(self.policy))

    def start(self, instance: Instance, seed: int = 0, *, check_traits: bool = False) -> ReferenceEngine:
        """The reference engine, empty, in possession of the facts."""
        engine = self.engine(instance.tree, instance.capacity, self.policy, seed, check_traits=check_traits)
        if isinstance(engine, ObjectReference):
            engine.facts = Facts.of(self.trace(instance), reads(self.policy))
        return engine

    def trace(self, instance: Instance) -> Trace:
        """The instance as a trace, with facts for this policy."""
        names = reads(self.policy)
        return (
            replace(instance.trace, columns=columns_for(len(instance.requests), names))
            if names
            else instance.trace
        )

    def run(self, instance: Instance, seed: int = 0) -> tuple[list[int], list[list[int]]]:
        """The reference engine's hits and victims, request by request."""
        return self.start(instance, seed).run(instance.requests)


@dataclass(frozen=True)
class Mutant:
    """A broken subject.

    Args:
        subject: what is broken.
        caught_by: the name of the check that must fail on it.
    """

    subject: Subject
    caught_by: str


OBJECT_LIMIT = 30
"""As `BELIEF_LIMIT`, of objects, which are slow to copy and remember in what order things came."""

Each = Callable[[Subject, Instance, int], None]


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Args:
        name: its name.
        about: what it demands, one line.
        each: raises where an instance and a seed show that a subject breaks the clause.
        once: the same for what is not about one instance.
        tiny: `each` needs instances small enough to enumerate every draw.
        randomised: it speaks of policies that draw alone.
        columns: it speaks of policies written as columns.
        objects: it speaks of policies that are objects.
    """

    name: str
    about: str
    each: Each | None = None
    once: Callable[[Subject], None] | None = None
    tiny: bool = False
    randomised: bool = False
    columns: bool = True
    objects: bool = False

    def __str__(self) -> str:
        return self.name

    def applies_to(self, policy: AnyPolicy) -> bool:
        """Whether the clause speaks of this policy at all."""
        kind = self.objects if issubclass(policy, ObjectPolicy) else self.columns
        return kind and (policy.randomised() or not self.randomised)

    def verify(self, subject: Subject, *, examples: int | None = None, shrink: bool = True) -> None:
        """Hold a subject to this clause.

        Args:
            subject: what is checked.
            examples: how many instances Hypothesis draws after the corpus; default, the profile's.
            shrink: look for the smallest failing instance.

        Raises:
            AssertionError: if the clause is broken; so does PolicyError.
        """
        if self.once is not None:
            self.once(subject)
        if self.each is None:
            return
        for seed, instance in enumerate(corpus(tiny=self.tiny)):
            try:
                self.each(subject, instance, seed)
            except Exception as error:
                error.add_note(f"{subject.policy.name}: '{self.name}' fails on {instance}, seed {seed}")
                raise
        if examples != 0:
            self._explore(subject, examples, shrink)

    def _explore(self, subject: Subject, examples: int | None, shrink: bool) -> None:
        each = self.each
        assert each is not None
        space = instances(max_nodes=5, max_requests=7) if self.tiny else instances()

        @settings(
            max_examples=examples or settings().max_examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            database=None,
        )
        @given(space, seeds())
        def holds(instance: Instance, seed: int) -> None:
            each(subject, instance, seed)

        holds()


def expect(condition: bool, message: str) -> None:
    """Raise AssertionError unless the condition holds, under `python -O` too."""
    if not condition:
        raise AssertionError(message)


def contract_of(policy: AnyPolicy) -> list[Check]:
    """The clauses that speak of a policy."""
    return [check for check in CHECKS.values() if check.applies_to(policy)]


def run_contract(policy: AnyPolicy, *, examples: int | None = None) -> list[str]:
    """Hold a policy to its whole contract; returns the names of the checks that it passed.

    Args:
        policy: the policy.
        examples: how many instances Hypothesis draws for each check; default, its profile's.

    Raises:
        AssertionError: if a clause is broken; PolicyError if the policy breaks a promise of its own.
    """
    subject = Subject(policy)
    passed = []
    for check in contract_of(policy):
        check.verify(subject, examples=examples)
        passed.append(check.name)
    return passed


# --- what a policy declares -----------------------------------------------------------------------------


def declared(subject: Subject) -> None:
    """Hooks are integers in, integers out, compile, and read `marked` only under PHASES."""
    policy = subject.policy
    _named(policy)
    template = "weighted" if policy.randomised() else "ranked"
    compile(kernel_source(policy, template, policy.traits), policy.name, "exec")


def _named(policy: AnyPolicy) -> None:
    expect(policy.name.isidentifier() and policy.name == policy.name.lower(), f"'{policy.name}' is no name")
    expect(len(policy.summary()) > 1, f"{policy.name}: a policy's docstring is its page")


def traits(subject: Subject, instance: Instance, seed: int) -> None:
    """The reference engine finds no promise broken."""
    subject.start(instance, seed, check_traits=True).run(instance.requests)


def columns(subject: Subject, instance: Instance, seed: int) -> None:
    """Columns stay in their range; replacing the values of all ORDER columns by ranks changes nothing."""
    declared_columns = subject.policy.columns
    expected = subject.run(instance, seed)
    engine = subject.start(instance, seed)
    found = []
    for v in instance.requests:
        found.append(engine.serve(v))
        for name, column in declared_columns.items():
            values: list[int] = getattr(engine.columns, name)
            for u in engine.cached:
                low = column.low is None or column.low <= values[u]
                high = column.high is None or values[u] <= column.high
                expect(low and high, f"{name}[{u}] = {values[u]} is outside {column}")
        ordered = [getattr(engine.columns, n) for n, column in declared_columns.items() if column.order]
        present = sorted({0, *(values[u] for values in ordered for u in engine.cached)})
        for u in engine.cached if ordered else ():
            for values in ordered:
                values[u] = present.index(values[u]) - present.index(0)
            if u in engine.touched_rank and subject.policy.rank is not None:
                engine.touched_rank[u] = subject.policy.rank(engine.columns, u)
    expect(([h for h, _ in found], [e for _, e in found]) == expected, "an ORDER column's values matter")


# --- the meaning ----------------------------------------------------------------------------------------


def legal(subject: Subject, instance: Instance, seed: int) -> None:
    """Every state is closed and fits; victims were cached, unpinned leaves, and no more than needed."""
    engine = subject.start(instance, seed)
    parent = (-1, *instance.parents)
    cached: set[int] = set()
    for t, v in enumerate(instance.requests):
        where = f"request {t}"
        path = instance.path(v)
        held = list(itertools.takewhile(cached.__contains__, path))
        hit, victims = engine.serve(v)
        expect(hit == (held[-1] if held else ROOT), f"{where}: hit {hit} is not the longest cached prefix")
        excess = len(cached) + len(path) - len(held) - instance.capacity
        expect(len(victims) == max(0, excess), f"{where}: {len(victims)} victims, {excess} nodes too many")
        cached.update(path)
        for u in victims:
            expect(u in cached, f"{where}: victim {u} is not cached")
            expect(u not in path, f"{where}: victim {u} is pinned")
            expect(all(parent[w] != u for w in cached), f"{where}: victim {u} is not a leaf")
            cached.remove(u)
        expect(len(cached) <= instance.capacity, f"{where}: over capacity")
        expect(cached.issuperset(path), f"{where}: the path does not stay")
        expect(all(parent[u] == ROOT or parent[u] in cached for u in cached), f"{where}: not closed")
        _consistent(engine, cached, parent, where)


def _consistent(engine: ReferenceEngine, cached: set[int], parent: Sequence[int], where: str) -> None:
    """The engine's own books agree with a set of nodes."""
    expect(engine.cached == cached, f"{where}: the engine holds other nodes than its victims say")
    children = [sum(parent[u] == p for u in cached) for p in range(len(parent))]
    expect(engine.cached_children == children, f"{where}: children are miscounted")
    leaves = {u for u in cached if not children[u]}
    if (weight := getattr(engine.policy, "weight", None)) is not None:
        if Trait.BINARY in engine.policy.traits:
            leaves = {u for u in leaves if weight(engine.columns, u)}
        expect(sorted(engine.candidates) == sorted(leaves), f"{where}: candidates are not the leaves")
    for name in engine.policy.columns:
        stale = [u for u, x in enumerate(getattr(engine.columns, name)) if x and u and u not in cached]
        expect(not stale, f"{where}: column {name} was not reset at nodes {stale}")


def choice(subject: Subject, instance: Instance, seed: int) -> None:
    """The victim has the smallest rank, ties deepest first, then earliest inserted; or it has weight."""
    engine = subject.start(instance, seed)
    rank, weight = subject.policy.rank, subject.policy.weight
    parent = (-1, *instance.parents)
    inserted: dict[int, int] = {}
    clock = itertools.count()
    original = engine._evict
    path: list[int] = []

    def audited(pinned: int) -> int:
        inserted.update({u: next(clock) for u in path if u not in inserted})
        inner = {parent[u] for u in inserted}
        free = [u for u in inserted if u not in inner and u not in path]
        if rank is not None:
            best = min(free, key=lambda u: (rank(engine.columns, u), -instance.depth[u], inserted[u]))
            allowed = {best}
        else:
            assert weight is not None
            allowed = {u for u in free if weight(engine.columns, u) > 0}
            if not allowed and Trait.FULL in subject.policy.traits:
                allowed = {u for u in free if engine.columns.marked[u]}
        victim = original(pinned)
        expect(victim in allowed, f"request {engine.time}: evicts {victim}, not one of {sorted(allowed)}")
        del inserted[victim]
        return victim

    engine._evict = audited  # type: ignore[method-assign]
    for v in instance.requests:
        path = instance.path(v)
        engine.serve(v)
        inserted.update({u: next(clock) for u in path if u not in inserted})


def phases(subject: Subject, instance: Instance, seed: int) -> None:
    """Marks follow the naive definition: a phase ends when marks and path together would not fit."""
    engine = subject.start(instance, seed)
    marks: list[int] = []
    for t, v in enumerate(instance.requests):
        path = instance.path(v)
        if len({*marks, *path}) > instance.capacity:
            marks = []
        marks += [u for u in path if u not in marks]
        engine.serve(v)
        expect(engine.marked_order == marks, f"request {t}: marked {engine.marked_order}, not {marks}")
        flags = [int(u in marks) for u in range(len(instance.parents) + 1)]
        expect(list(engine.columns.marked) == flags, f"request {t}: marks are not the flags")


def draws(subject: Subject, instance: Instance, seed: int) -> None:
    """Of all values of a draw, as many pick a leaf as it has weight."""
    engine = subject.start(instance, seed)
    weight = subject.policy.weight
    assert weight is not None
    for v in instance.requests:
        before = engine.snapshot()
        total, fair, found = 1, dict[int, int](), dict[int, int]()
        draw = 0
        while draw < total:
            engine.restore(before)
            dice = _Watch([draw], engine, weight, set(instance.path(v)))
            engine.rng = dice
            victims = engine.serve(v)[1]
            if not dice.bounds:
                break
            total, fair = dice.bounds[0], dice.weights
            found[victims[0]] = found.get(victims[0], 0) + 1
            draw += 1
        expect(found == fair, f"request for {v}: weights {fair}, but draws pick {found}")
        engine.restore(before)
        engine.serve(v)


class _Watch(Script):
    """A script that looks at the leaves' weights at its first draw."""

    def __init__(
        self, script: list[int], engine: ReferenceEngine, weight: Callable[[Any, int], int], path: set[int]
    ) -> None:
        super().__init__(script)
        self.engine, self.weight, self.path = engine, weight, path
        self.weights: dict[int, int] = {}

    def below(self, bound: int) -> int:
        if not self.bounds:
            inner = {self.engine.parent[u] for u in self.engine.cached}
            free = self.engine.cached - inner - self.path
            weights = {u: int(self.weight(self.engine.columns, u)) for u in free}
            self.weights = {u: weight for u, weight in weights.items() if weight}
        return super().below(bound)


def fair_generator(subject: Subject) -> None:
    """The engine's generator is the documented one, and uniform (chi-square, fixed seeds, p < 1e-9)."""
    engine = subject.start(Instance(star(2), 1, ()), 1234567)
    expect(engine.rng.next() == 6457827717110365317, "the generator is not SplitMix64 at the seed")
    for bound, critical in ((2, 38.0), (3, 42.0), (5, 48.0), (7, 54.0)):
        for streams in (False, True):
            counts = [0] * bound
            for i in range(2100):
                if streams or i == 0:
                    engine = subject.start(Instance(star(2), 1, ()), i)
                counts[engine.rng.below(bound)] += 1
            mean = 2100 / bound
            statistic = sum((count - mean) ** 2 for count in counts) / mean
            expect(statistic < critical, f"draws below {bound} are not uniform: {counts}")


# --- the kernel -----------------------------------------------------------------------------------------


def same_as_kernel(subject: Subject, instance: Instance, seed: int) -> None:
    """The kernel agrees with the reference engine, hit for hit and victim for victim."""
    _agree(subject, subject.policy, subject.policy.traits, instance, seed)


def without(policy: type[Policy], dropped: Trait) -> type[Policy]:
    """The policy that promises less: same hooks, without these traits."""
    kept = policy.traits & ~dropped
    if (policy, kept) not in _WEAKENED:
        _WEAKENED[policy, kept] = type(
            policy.__name__, (policy,), {"traits": kept, "__doc__": policy.__doc__}
        )
    return _WEAKENED[policy, kept]


_WEAKENED: dict[tuple[type[Policy], Trait], type[Policy]] = {}


def weaker_traits(policy: type[Policy]) -> list[Trait]:
    """Fewer traits to build a kernel from: without RECENCY, without RECENCY and TOUCH; without BINARY."""
    dropped = (Trait.RECENCY, Trait.RECENCY | Trait.TOUCH, Trait.BINARY)
    found = [policy.traits & ~some for some in dropped]
    return [kept for i, kept in enumerate(found) if kept != policy.traits and kept not in found[:i]]


def same_under_weaker_traits(subject: Subject, instance: Instance, seed: int) -> None:
    """A kernel built from fewer traits agrees too: no trait was needed, and none was false."""
    policy = subject.policy
    for kept in weaker_traits(policy):
        # without BINARY, candidates of weight 0 are listed as well, and other draws mean other victims
        judge = without(policy, Trait.BINARY) if policy.randomised() else policy
        _agree(subject, judge, kept, instance, seed)


def _agree(subject: Subject, judge: type[Policy], kept: Trait, instance: Instance, seed: int) -> None:
    hits, victims = replace(subject, policy=judge).run(instance, seed)
    evicted = [u for some in victims for u in some]
    trace = subject.trace(instance)
    logged = subject.replay(trace, instance.capacity, judge, seed, victims=True, traits=kept)
    expect(logged.hit.tolist() == hits, f"{kept}: the kernel hits {logged.hit.tolist()}, not {hits}")
    found = logged.victims.tolist()
    expect(found == evicted, f"{kept}: the kernel evicts {found}, not {evicted}")
    silent = subject.replay(trace, instance.capacity, judge, seed, traits=kept)
    expect(silent.hit.tolist() == hits, f"{kept}: the kernel decides otherwise when nobody asks for victims")
    expect(silent.evictions == logged.evictions == len(evicted), f"{kept}: evictions are miscounted")


def same_chances(subject: Subject, instance: Instance, seed: int) -> None:
    """BINARY is a structure, not a distribution: expected misses are the same without it."""
    del seed
    if Trait.BINARY not in subject.policy.traits:
        return
    plain = Subject(without(subject.policy, Trait.BINARY), subject.engine)
    try:
        mine = expected_misses(subject.start(instance), instance.requests)
        other = expected_misses(plain.start(instance), instance.requests)
    except TooManyStates:
        return
    expect(mine == other, f"expected misses are {mine} with BINARY, {other} without")


# --- restatements that change nothing -------------------------------------------------------------------


def relabelled(subject: Subject, instance: Instance, seed: int) -> None:
    """Nodes have no names: renumbering them, parents first, renames hits and victims and nothing else."""
    number = linear_extension(instance, SplitMix64(seed))
    hits, victims = subject.run(instance, seed)
    found = subject.run(instance.relabelled(number), seed)
    expected = [number[u] for u in hits], [[number[u] for u in some] for some in victims]
    expect(found == expected, f"numbered {number}: {found}, not {expected}")


def padded(subject: Subject, instance: Instance, seed: int) -> None:
    """Nodes that are never requested change nothing."""
    dice = SplitMix64(seed)
    n = len(instance.parents)
    extra = [dice.below(n + i + 1) for i in range(1 + dice.below(2 * n + 2))]
    found, expected = subject.run(instance.padded(extra), seed), subject.run(instance, seed)
    expect(found == expected, f"with unrequested nodes below {extra}: {found}, not {expected}")


def idle(subject: Subject, instance: Instance, seed: int) -> None:
    """Repeating the last request, or asking for nothing, costs nothing and evicts nothing."""
    engine = subject.start(instance, seed)
    engine.run(instance.requests)
    for v in (*instance.requests[-1:] * 3, ROOT, *instance.requests[-1:]):
        hit, victims = engine.serve(v)
        expect(hit == v and not victims, f"idle request {v}: hits {hit}, evicts {victims}")


# --- randomness is data ---------------------------------------------------------------------------------


def repeatable(subject: Subject, instance: Instance, seed: int) -> None:
    """The same seed gives the same run, bit for bit."""
    expect(subject.run(instance, seed) == subject.run(instance, seed), "two runs with one seed differ")


def seeds_differ(subject: Subject) -> None:
    """Different seeds give different runs somewhere."""
    cases = (*famous(), _nemesis(subject))
    differs = any(len({str(subject.run(instance, seed)) for seed in range(8)}) > 1 for instance in cases)
    expect(differs, "eight seeds, one run: this policy does not draw")


def _nemesis(subject: Subject, leaves: int = 7, length: int = 120) -> Instance:
    """A star, and always the first leaf that the subject does not hold, drawing from seed 0.

    Some policies draw only when they have lost too much otherwise.
    """
    engine = subject.start(Instance(star(leaves), leaves - 1, ()))
    requests = []
    for _ in range(length):
        requests.append(next(v for v in range(1, leaves + 1) if v not in engine.cached))
        engine.serve(requests[-1])
    return Instance(star(leaves), leaves - 1, tuple(requests))


def restorable(subject: Subject, instance: Instance, seed: int) -> None:
    """A snapshot holds everything the future depends on, and stays as it was."""
    half = len(instance.requests) // 2
    engine = subject.start(instance, seed)
    engine.run(instance.requests[:half])
    state = engine.snapshot()
    future = engine.run(instance.requests[half:])
    engine.restore(state)
    expect(engine.run(instance.requests[half:]) == future, "the future differs after restore")
    other = subject.start(instance, seed + 1)
    other.restore(state)
    expect(other.run(instance.requests[half:]) == future, "another engine, restored, has another future")


# --- policies that are objects --------------------------------------------------------------------------


def asked(subject: Subject, instance: Instance, seed: int) -> None:
    """The object sees the request before the eviction, is offered what may go and no more, and is obeyed."""
    engine = _object_engine(subject, instance, seed)
    parent = (-1, *instance.parents)
    inserted: dict[int, int] = {}
    offered: set[int] = set()
    clock, path, named = itertools.count(), list[int](), list[int]()
    request, insert, leaf = engine.mind.on_request, engine.mind.on_insert, engine.mind.on_leaf
    choose = engine.mind.victim

    def on_request(told: Sequence[int], cached: Sequence[int]) -> None:
        held = list(itertools.takewhile(inserted.__contains__, path))
        expect((list(told), list(cached)) == (path, held), f"told {told}, {cached}, not {path}, {held}")
        offered.difference_update(path)
        request(told, cached)

    def on_insert(v: int) -> None:
        inserted[v] = next(clock)
        expect(v in path and (parent[v] == ROOT or parent[v] in inserted), f"{v} comes in before its parent")
        insert(v)

    def on_leaf(v: int) -> None:
        offered.add(v)
        leaf(v)

    def victim(leaves: Sequence[int]) -> int | None:
        inner = {parent[u] for u in inserted}
        free = {u for u in inserted if u not in inner and u not in path}
        expect(len(leaves) == len(free) and set(leaves) == free, f"offers {leaves}, and {free} may go")
        expect(free <= offered, f"no word that {free - offered} may go")
        choice = choose(leaves)
        expect(choice is None or choice in free, f"{subject.policy.name} names {choice}, not one of {free}")
        named.append(min(free, key=lambda u: (-instance.depth[u], inserted[u])) if choice is None else choice)
        del inserted[named[-1]]
        return choice

    hooks = {"on_request": on_request, "on_insert": on_insert, "on_leaf": on_leaf, "victim": victim}
    engine.mind.__dict__.update(hooks)
    for v in instance.requests:
        path[:] = instance.path(v)
        named.clear()
        victims = engine.serve(v)[1]
        expect(victims == named, f"request for {v}: evicts {victims}, and {named} were named")


def informed(subject: Subject, instance: Instance, seed: int) -> None:
    """What a request says of itself reaches an object that reads it, before the request; no other."""
    policy: Any = subject.policy
    names, trace = reads(policy), subject.trace(instance)
    expected: list[Any] = []
    for t, v in enumerate(instance.requests):
        about = {name: trace.columns[name][t].item() for name in names if name in trace.columns}
        if "input_length" in names:
            about["input_length"] = instance.depth[v]
        expected += [about] * bool(names) + [instance.path(v)]
    heard: list[Any] = []

    class Listener(policy):  # type: ignore[misc]
        name = policy.name

        def on_arrival(self, about: About) -> None:
            heard.append(dict(about))
            super().on_arrival(about)

        def on_request(self, path: Sequence[int], cached: Sequence[int]) -> None:
            heard.append(list(path))
            super().on_request(path, cached)

    listening = replace(subject, policy=Listener)
    listening.run(instance, seed)
    expect(heard == expected, f"the engine tells {heard}, not {expected}")
    heard.clear()
    listening.replay(trace, instance.capacity, Listener, seed)
    expect(heard == expected, f"the kernel tells {heard}, not {expected}")


def remembers(subject: Subject, instance: Instance, seed: int) -> None:
    """Another object, restored from a snapshot that went through JSON, has the same future and end."""
    half = len(instance.requests) // 2
    engine = _object_engine(subject, instance, seed)
    engine.run(instance.requests[:half])
    state, written = engine.snapshot(), json.dumps(engine.mind.snapshot())
    future = engine.run(instance.requests[half:])
    other = _object_engine(subject, instance, seed + 1)
    other.restore(state)
    other.mind = subject.policy(instance.capacity, SplitMix64(seed + 1))
    other.mind.restore(json.loads(written))
    expect(json.dumps(other.mind.snapshot()) == written, f"restored, it is not what {written} says")
    expect(other.run(instance.requests[half:]) == future, f"{written} does not determine the future")
    expect(other.mind.snapshot() == engine.mind.snapshot(), f"{written} does not determine the end")


def _object_engine(subject: Subject, instance: Instance, seed: int) -> ObjectReference:
    engine = subject.start(instance, seed)
    assert isinstance(engine, ObjectReference)
    return engine


# --- what is claimed ------------------------------------------------------------------------------------


def above_optimum(subject: Subject, instance: Instance, seed: int) -> None:
    """No policy misses less than OPT; no schedule of OPT misses less than brute force."""
    misses = instance.misses(subject.run(instance, seed)[0])
    least = instance.misses(subject.optimum(instance.trace, instance.capacity).hit.tolist())
    expect(misses >= least, f"{misses} misses, and OPT needs {least}")
    if len(instance.parents) <= 5 and len(instance.requests) <= 10:
        least = brute(instance.tree, instance.requests, instance.capacity)
        expect(misses >= least, f"{misses} misses, and brute force needs {least}")


def claims_hold(subject: Subject, instance: Instance, seed: int) -> None:
    """Proved claims hold, additive constant 0: misses, or exact expected misses, against OPT."""
    del seed
    proved = _proved(subject.policy)
    if not proved:
        return
    least = instance.misses(subject.optimum(instance.trace, instance.capacity).hit.tolist())
    try:
        limit = OBJECT_LIMIT if issubclass(subject.policy, ObjectPolicy) else BELIEF_LIMIT
        cost = expected_misses(subject.start(instance), instance.requests, limit)
    except TooManyStates:
        return
    for claim in proved:
        bound = claim.value(width(instance.tree, instance.capacity))
        expect(cost <= bound * least, f"{cost} misses > {claim.formula} = {bound} times OPT = {least}")


def claims_hold_everywhere(subject: Subject) -> None:
    """Proved claims hold on the theory's famous sequences and on every short sequence over every small tree.

    Nor may they be too good: every deterministic algorithm is at least (W-1)-competitive, every randomised
    one at least H_(W-1)-competitive.
    """
    policy = subject.policy
    proved = _proved(policy)
    if not proved:
        return
    for instance in famous():
        claims_hold(subject, instance, 0)
    for n in range(1, 5):
        for parents, capacity in itertools.product(all_trees(n), range(1, max(2, n))):
            instance = Instance(parents, capacity, ())
            found = width(instance.tree, capacity)
            least = harmonic(found.W - 1) if policy.randomised() else Fraction(max(1, found.W - 1))
            for claim in proved:
                expect(claim.value(found) >= least, f"{claim.formula} beats the lower bound on {instance}")
            bound = min(Fraction(claim.value(found)) for claim in proved)
            if policy.randomised():
                if n <= 3:
                    _walk_beliefs(
                        subject, instance, bound, length=4 if issubclass(policy, ObjectPolicy) else 5
                    )
            else:
                _walk_sequences(subject, instance, bound, length=5 if n == 4 else 7)


def _proved(policy: type[Policy]) -> list[Any]:
    return [claim for claim in policy.claims if claim.status is Status.PROVED]


def _walk_sequences(subject: Subject, instance: Instance, bound: Fraction, length: int) -> None:
    optimum = SmallOptimum(instance.parents, instance.capacity)
    nodes = requestable(instance.parents, instance.capacity)
    depth = instance.depth
    for requests in itertools.product(nodes, repeat=length):
        engine = subject.start(instance)
        work, paid, least = optimum.start, 0, 0
        for v in requests:
            paid += depth[v] - depth[engine.serve(v)[0]]
            work, grown = optimum.step(work, v)
            least += grown
            if paid > bound * least:
                raise AssertionError(f"{paid} misses > {bound} times OPT = {least}: {instance}, {requests}")


def _walk_beliefs(subject: Subject, instance: Instance, bound: Fraction, length: int) -> None:
    optimum = SmallOptimum(instance.parents, instance.capacity)
    nodes = requestable(instance.parents, instance.capacity)
    engine = subject.start(instance)

    def walk(
        belief: Belief, work: tuple[int, ...], paid: Fraction, least: int, requests: tuple[int, ...]
    ) -> None:
        expect(paid <= bound * least, f"E = {paid} > {bound} times OPT = {least}: {instance}, {requests}")
        if len(requests) == length:
            return
        for v in nodes:
            after, misses = advance(engine, belief, v)
            further, grown = optimum.step(work, v)
            walk(after, further, paid + misses, least + grown, (*requests, v))

    walk(certain(engine), optimum.start, Fraction(0), 0, ())


# --- OPT ------------------------------------------------------------------------------------------------


def optimal(subject: Subject, instance: Instance, seed: int) -> None:
    """OPT is brute force's optimum, with and without bypass; without a witness it is the same."""
    del seed
    for bypass in (False, True):
        schedule = subject.optimum(instance.trace, instance.capacity, bypass=bypass)
        least = brute(instance.tree, instance.requests, instance.capacity, bypass=bypass)
        misses = instance.misses(schedule.hit.tolist())
        expect(misses == least, f"OPT misses {misses}, brute force {least}, bypass {bypass}")


def witnessed(subject: Subject, instance: Instance, seed: int) -> None:
    """OPT's schedule, replayed by a checker that knows only the rules, misses what its hits say."""
    del seed
    for bypass in (False, True):
        schedule = subject.optimum(instance.trace, instance.capacity, bypass=bypass, witness=True)
        parent = (-1, *instance.parents)
        ends = schedule.offsets.tolist()
        expect(len(ends) == len(instance.requests) + 1 and ends[0] == 0, "one stretch of victims per request")
        steps = [schedule.victims[a:b].tolist() for a, b in itertools.pairwise(ends)]
        try:
            misses = check_schedule(parent, instance.requests, instance.capacity, steps, bypass=bypass)
        except VerificationError as error:
            raise AssertionError(f"the witness breaks a rule: {error}") from error
        told = instance.misses(schedule.hit.tolist())
        expect(misses == told, f"the witness misses {misses}, not {told}, bypass {bypass}")


def _by_name(*checks: Check) -> dict[str, Check]:
    return {check.name: check for check in checks}


def _summary(function: Callable[..., None]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def _each(name: str, function: Each, **kinds: Any) -> Check:
    return Check(name, _summary(function), each=function, **kinds)


def _named_once(subject: Subject) -> None:
    """It has a name and a page."""
    _named(subject.policy)


CHECKS: dict[str, Check] = _by_name(
    Check("declared", _summary(declared), once=declared),
    Check("named", _summary(_named_once), once=_named_once, columns=False, objects=True),
    _each("traits", traits),
    _each("columns", columns),
    _each("legal", legal, objects=True),
    _each("choice", choice),
    _each("asked", asked, columns=False, objects=True),
    _each("informed", informed, columns=False, objects=True),
    _each("phases", phases),
    Check("draws", _summary(draws), each=draws, once=fair_generator, tiny=True, randomised=True),
    _each("kernel", same_as_kernel, objects=True),
    _each("weaker", same_under_weaker_traits),
    _each("chances", same_chances, tiny=True, randomised=True),
    _each("relabel", relabelled, objects=True),
    _each("pad", padded, objects=True),
    _each("idle", idle, objects=True),
    _each("repeat", repeatable, objects=True),
    Check("seeds", _summary(seeds_differ), once=seeds_differ, randomised=True, objects=True),
    _each("snapshot", restorable, objects=True),
    _each("remembers", remembers, columns=False, objects=True),
    _each("optimum", above_optimum, objects=True),
    Check(
        "claims",
        _summary(claims_hold),
        each=claims_hold,
        once=claims_hold_everywhere,
        tiny=True,
        objects=True,
    ),
)
"""The clauses of every policy, by name."""

OPTIMUM_CHECKS: dict[str, Check] = _by_name(
    _each("optimal", optimal, tiny=True),
    _each("witness", witnessed),
)
"""What is demanded of an implementation of OPT, by name."""


@cache
def every_check() -> dict[str, Check]:
    """Clauses of policies and of OPT together."""
    return {**CHECKS, **OPTIMUM_CHECKS}
