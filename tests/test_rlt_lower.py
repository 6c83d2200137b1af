"""RLT at almost 2 H_w: the sequence is the workload's, and a wrong claim or computation is noticed."""

from fractions import Fraction
from itertools import pairwise

import pytest

from adversaries.rlt_trap import rlt_trap
from kvtheory.engine.exact import ExactEngine
from kvtheory.offline.belady import belady
from kvtheory.policies.rlt import RLT
from kvtheory.testing.instances import Instance, random_instance, star
from kvtheory.width import width as true_width
from proofs_check import rlt_lower
from proofs_check.phases import account, phases, requested
from proofs_check.theorem import Effort, Row


def fails(**size):
    quick = rlt_lower.THEOREM.size(Effort.QUICK)
    rows = [row for row in rlt_lower.THEOREM.check({**quick, **size}) if isinstance(row, Row)]
    return [row.what for row in rows if not row.holds]


@pytest.mark.parametrize(("legs", "count"), [(3, 2), (3, 7), (4, 6), (7, 9), (12, 4)])
def test_the_sequence_is_the_workload(legs, count):
    """The theorem's file builds it from the words of the proof: left out before, left out next."""
    trace = rlt_trap(legs=legs, phases=count)
    instance = rlt_lower.sequence(legs, count)
    assert instance.requests == tuple(trace.requests.tolist())
    assert instance.parents == tuple(trace.tree.parent[1:].tolist())


@pytest.mark.parametrize("legs", [3, 4, 5, 8])
def test_every_phase_is_as_the_proof_says(legs):
    """z was left out before and x is next; only z is new; OPT misses one node, the tip of z."""
    instance = rlt_lower.sequence(legs, 10)
    parts = phases(instance)
    legs_of = [{(u + 1) // 2 for u in requested(instance, part)} for part in parts]
    everything = set(range(1, legs + 1))
    (left,) = zip(*(everything - now for now in legs_of), strict=True)
    for p in range(1, 9):
        z, x = left[p - 1], left[p + 1]
        assert parts[p][:3] == [2 * z - 1, 2 * x, 2 * z]
        assert sorted(parts[p][3:]) == sorted(2 * leg for leg in everything - {z, x, left[p]})
    assert all(now != after for now, after in pairwise(left))
    hits = belady(instance.trace, instance.capacity).hit.tolist()
    for p, part in enumerate(parts):
        now, hits = hits[: len(part)], hits[len(part) :]
        missed = [v for v, u in zip(part, now, strict=True) if v != u]
        # of the path of the tip it has the inner node
        assert p < 2 or (missed == [2 * left[p - 1]] and now[part.index(missed[0])] == missed[0] - 1)


@pytest.mark.parametrize("seed", range(30))
def test_expectations_from_the_definition_are_those_of_the_engine(seed):
    instance = random_instance(seed, max_nodes=6, max_requests=12)
    if any(instance.requests):
        assert sum(rlt_lower.expected(instance)) == account(instance)[0]


def test_expectations_on_the_star_are_the_textbook_s():
    """One clean page and then the k - 1 old ones that come again: H_k."""
    k = 4
    (_, paid) = rlt_lower.expected(Instance(star(k + 1), k, (1, 2, 3, 4, 5, 1, 2, 3)))
    assert paid == Fraction(25, 12)


@pytest.mark.parametrize("legs", [3, 4, 5, 6])
def test_expectations_by_canonical_states(legs):
    """A third computation: the distributions that `kvtheory exact` walks, order columns and all."""
    instance = rlt_lower.sequence(legs, 4)
    engine = ExactEngine(instance.tree, instance.capacity, RLT)
    belief, found = {engine.start: Fraction(1)}, []
    for part in phases(instance):
        found.append(Fraction(0))
        for v in part:
            after = {}
            for state, chance in belief.items():
                misses, ways = engine.serve(state, v)
                found[-1] += chance * misses
                for new, share in ways:
                    after[new] = after.get(new, Fraction(0)) + chance * share
            belief = after
    assert found[0] == instance.capacity
    assert found[1:] == [rlt_lower.forced(legs)] * 3


def test_quick_holds():
    assert fails() == []


@pytest.mark.parametrize(
    ("name", "wrong", "noticed"),
    [
        ("forced", lambda m: 2 * rlt_lower.harmonic(m) - 1, "E[RLT] in the last"),
        ("harmonic", Fraction, "E[RLT] in the last"),
        ("phases", lambda instance: [[v] for v in instance.requests], "do not fill"),
        ("width", lambda tree, k: true_width(tree, 2), "w or W"),
        ("opt_by_states", lambda instance: instance.capacity, "OPT over all schedules"),
        ("account", lambda instance: (Fraction(0),) * 3, "reference engine"),
    ],
)
def test_another_theorem_fails(monkeypatch, name, wrong, noticed):
    monkeypatch.setattr(rlt_lower, name, wrong)
    assert any(noticed in what for what in fails(engine=3, phases=4))


def test_the_order_within_a_phase_matters(monkeypatch):
    """With the tip of z ahead of the tip of x neither RLT nor OPT pays what is claimed."""
    true = rlt_lower.sequence

    def swapped(legs, count):
        instance, requests = true(legs, count), []
        for part in phases(instance):
            requests += [part[0], part[2], part[1], *part[3:]] if part[0] % 2 else part
        return Instance(instance.parents, instance.capacity, tuple(requests))

    monkeypatch.setattr(rlt_lower, "sequence", swapped)
    found = fails(engine=3)
    assert any("E[RLT] in the last" in what for what in found)
    assert any("OPT is not" in what for what in found)


def test_an_excess_that_is_too_large_is_refuted():
    pytest.importorskip("z3")

    def boast(z3):
        hypotheses, conclusion = rlt_lower.beyond_conjecture(z3)
        return [h for h in hypotheses if str(h) != "w >= 4"] + [z3.Real("w") >= 3], conclusion

    (row,) = rlt_lower.settle("from w = 3 on", boast)
    assert not row.holds
