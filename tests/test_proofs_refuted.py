"""Every check of a theorem can fail: a wrong claim or a wrong computation is noticed."""

import dataclasses
import json
import sys
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from kvtheory import requestable_games
from kvtheory.model import PrefixTree
from kvtheory.ratio.instance import Instance
from proofs_check import (
    belady_fails_on_depth_costs,
    blind_routing,
    clean_nodes_sum,
    clean_nodes_textbook,
    deletions,
    deterministic_lower,
    greedy_finite_cache,
    greedy_routing,
    holes_are_leaf_deletions,
    interval_lp_fractional,
    leaves_beat_nodes,
    lru_potential,
    marking_phases,
    policy_claims,
    psi_inequality,
    random_leaf,
    randomised_lower,
    requestable_sandwich,
    rlt_chain,
    rlt_values,
    routing_conflict,
    routing_decouples,
    routing_lower_bound,
    routing_rules,
    schedules,
    sizes_as_chains,
    star_state_counts,
    theorem_r,
    width_law,
    work_functions,
)
from proofs_check.symbolic import settle
from proofs_check.theorem import Effort, Note, Row

ROOT = Path(__file__).parents[1]


def fails(module, **size):
    """Whether a theorem fails at these sizes, the quick ones where none are given."""
    quick = module.THEOREM.size(Effort.QUICK)
    rows = [row for row in module.THEOREM.check({**quick, **size}) if isinstance(row, Row)]
    return not all(row.holds for row in rows)


@pytest.fixture
def shift_width(monkeypatch):
    """Make a module believe in another width."""

    def shift(module, by):
        true = module.width

        def patched(tree, capacity):
            found = true(tree, capacity)
            return dataclasses.replace(found, W=found.W + by, W_lower=found.W_lower + by)

        monkeypatch.setattr(module, "width", patched)

    return shift


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("module", [width_law, deterministic_lower, randomised_lower])
def test_another_width_breaks_exact_laws(shift_width, module, by):
    sizes = {"nodes": 3, "drawn": 5, "requests": 60, "W": 3}
    assert not fails(module, **{name: sizes[name] for name in module.THEOREM.sizes})
    shift_width(module, by)
    assert fails(module, **{name: sizes[name] for name in module.THEOREM.sizes})


def test_the_potential_needs_all_of_the_width(shift_width):
    assert not fails(lru_potential, nodes=4)
    shift_width(lru_potential, -1)
    assert fails(lru_potential, nodes=4)


@pytest.mark.parametrize("by", [-1, 1])
def test_the_random_leaf_has_no_other_ratio(shift_width, by):
    """Less is not enough for the drift; more is not forced by the phases."""
    assert not fails(random_leaf, nodes=4)
    shift_width(random_leaf, by)
    assert fails(random_leaf, nodes=4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("granular_bound", lambda game: Fraction(1, 100) + requestable_games.granular_bound(game)),
        ("granular", lambda m, g: Fraction(m + 1)),
        ("held", lambda game: -1),
        ("legs", lambda game: (2, 1)),
        ("kernel", lambda game: Instance.of(PrefixTree.from_parents([0, 0, 0, 0]), 3)),
        ("harmonic", lambda m: Fraction(m + 1)),
    ],
)
def test_another_theorem_r_is_refuted(monkeypatch, name, wrong):
    assert not fails(theorem_r, nodes=4, drawn=3)
    monkeypatch.setattr(theorem_r, name, wrong)
    assert fails(theorem_r, nodes=4, drawn=3)


def test_the_cycle_of_the_hunt_is_the_one_that_is_computed():
    text = (ROOT / "docs" / "_static" / "requestable" / "rlt_hunt.json").read_text(encoding="utf-8")
    (row,) = [
        row
        for row in json.loads(text)["rows"]
        if row["tree"] == list(clean_nodes_sum.CHAINS) and row["k"] == 5
    ]
    assert row["clean"] == str(clean_nodes_sum.SHARE)
    assert tuple(row["clean_cycle"]) in clean_nodes_sum.CYCLES


def test_a_narrower_tree_breaks_the_requestable_bound(shift_width):
    shift_width(requestable_sandwich, -1)
    assert fails(requestable_sandwich, nodes=4, drawn=2)


@pytest.mark.parametrize("bypass", [False, True])
def test_a_schedule_that_is_not_optimal_is_noticed(monkeypatch, bypass):
    assert schedules.belady_against_all(3, 4, bypass=bypass).holds
    true = schedules.belady
    monkeypatch.setattr(schedules, "belady", lambda trace, k, bypass: true(trace, k, bypass=not bypass))
    assert not schedules.belady_against_all(3, 4, bypass=bypass).holds


def test_a_smaller_failure_would_be_noticed():
    case = belady_fails_on_depth_costs.CASES[0][1]
    assert not all(row.holds for row in case.smallest(4, 6, 2))


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (belady_fails_on_depth_costs, "TWIG", (0, 1, 0, 0)),
        (greedy_finite_cache, "REQUESTS", (6, 1, 5, 3, 4, 6, 1, 6)),
        (interval_lp_fractional, "COST", (0, 1, 1, 1)),
        (clean_nodes_textbook, "TREES", (((0, 1, 1, 0, 0, 0), 3, Fraction(40, 20)),)),
        (clean_nodes_sum, "SHARE", Fraction(33, 16)),
        (rlt_values, "STARS", ((4, 3, Fraction(2)),)),
        (star_state_counts, "COUNTS", {2: (16, 17, 10)}),
        (greedy_routing, "FOUND", (((0, 0, 2, 1, 2), 2, (1, 20), (4, 4, 2, 2, 5), 28, 14),)),
    ],
)
def test_another_instance_or_value_is_refuted(monkeypatch, module, name, wrong):
    sizes = {"length": 2, "drawn": 20, "leaves": 4, "nodes": 2, "both": 2, "capacity": 2}
    given = {key: value for key, value in sizes.items() if key in module.THEOREM.sizes}
    monkeypatch.setattr(module, name, wrong)
    assert fails(module, **given)


def test_holes_that_stay_where_they_are(monkeypatch):
    """Forgetting to evict a further leaf for every refetched node changes the distribution."""
    assert not fails(holes_are_leaf_deletions, nodes=3)

    def forgetful(parents, nodes, count, path):
        found = {}
        for mask, chance in deletions.alive(parents, nodes, count).items():
            found[mask & ~path] = found.get(mask & ~path, 0) + chance
        return found

    monkeypatch.setattr(holes_are_leaf_deletions, "refetched", forgetful)
    assert fails(holes_are_leaf_deletions, nodes=3)


def test_a_smaller_potential_does_not_pay(monkeypatch):
    true = deletions.psi
    monkeypatch.setattr(psi_inequality, "psi", lambda *given: true(*given) * Fraction(9, 10))
    assert fails(psi_inequality, nodes=3)


def test_clean_nodes_exceed_a_smaller_bound(monkeypatch):
    """Worst cycles are computed, not assumed: with every clean node counted five times stars exceed 2."""
    true = rlt_chain.serve
    monkeypatch.setattr(rlt_chain, "serve", lambda *given: (5 * true(*given)[0], *true(*given)[1:]))
    assert fails(clean_nodes_sum, nodes=2, leaves=3, drawn=3)


def test_a_wrong_automaton_is_noticed(monkeypatch):
    true = work_functions.work_functions

    def cheaper(game):
        found = true(game)
        increase = found.increase.copy()
        increase[-1, 0] += 1
        return dataclasses.replace(found, increase=increase)

    assert not fails(work_functions, nodes=3, walked=3, length=4)
    monkeypatch.setattr(work_functions, "work_functions", cheaper)
    assert fails(work_functions, nodes=3, walked=3, length=4)


def test_phases_that_end_too_early_are_noticed(monkeypatch):
    true = marking_phases.phases

    def hasty(instance):
        return [[v] for requests in true(instance) for v in requests]

    monkeypatch.setattr(marking_phases, "phases", hasty)
    assert fails(marking_phases, nodes=2, drawn=30)


def test_drawing_nodes_is_not_drawing_leaves(monkeypatch):
    true = leaves_beat_nodes.one_hole
    monkeypatch.setattr(leaves_beat_nodes, "one_hole", lambda lengths, weight: true(lengths, lambda n: n + 1))
    assert fails(leaves_beat_nodes, chains=4, engine=2)


def test_chains_that_are_one_node_too_short(monkeypatch):
    true = sizes_as_chains.chains
    monkeypatch.setattr(sizes_as_chains, "chains", lambda size, cost: true((1,) * len(size), cost))
    assert fails(sizes_as_chains, pages=2, length=4)


def test_routers_that_ignore_caches_break_the_bounds(monkeypatch):
    affinity = import_module("proofs_check.affinity_routing")
    assert not fails(affinity, nodes=2, length=3)
    monkeypatch.setattr(affinity, "affinity", routing_rules.round_robin)
    assert fails(affinity, nodes=2, length=3)
    monkeypatch.setattr(
        blind_routing, "ROUTERS", dict.fromkeys(routing_rules.ROUTERS, routing_rules.affinity)
    )
    assert fails(blind_routing, rounds=8)


def test_routings_that_do_better_or_worse_than_is_claimed(monkeypatch):
    assert not fails(routing_conflict, length=2, rounds=2)
    fair = dict.fromkeys(routing_rules.ROUTERS, routing_rules.greedy)
    with monkeypatch.context() as patch:
        patch.setattr(routing_conflict, "ROUTERS", fair)
        assert fails(routing_conflict, length=2, rounds=2)
    true = routing_conflict.worst
    monkeypatch.setattr(routing_conflict, "worst", lambda *given: 3 * true(*given))
    assert fails(routing_conflict, length=2, rounds=2)


def test_a_schedule_that_spreads_nothing_is_above_the_bound(monkeypatch):
    """The farthest next use on all workers, as pooled Belady would: misses may all fall on one worker."""
    assert not fails(routing_lower_bound, requests=40, length=5)
    with monkeypatch.context() as patch:
        patch.setattr(routing_lower_bound, "bound", lambda n, m, k: -(-n // m) // k)
        assert fails(routing_lower_bound, requests=40, length=5)
    true = routing_lower_bound.spread

    def one_miss_less(leaves, m, k):
        routing, loads = true(leaves, m, k)
        return routing, [load - 1 for load in loads]

    monkeypatch.setattr(routing_lower_bound, "spread", one_miss_less)
    assert fails(routing_lower_bound, requests=40, length=5)


def test_a_routing_without_its_cache_is_not_optimal(monkeypatch):
    true = routing_decouples.belady
    monkeypatch.setattr(routing_decouples, "belady", lambda trace, k: true(trace, trace.tree.n))
    assert fails(routing_decouples, nodes=3, length=3, every=1000)


def test_a_policy_that_claims_too_much(monkeypatch):
    true = policy_claims.policies()
    lru = true["lru"]
    boast = dataclasses.replace(lru.claims[0], value=lambda widths: 1)
    liar = type("Liar", (lru,), {"name": "liar", "claims": (boast,)})
    monkeypatch.setattr(policy_claims, "policies", lambda: {"liar": liar})
    assert fails(policy_claims, nodes=3)
    idle = dataclasses.replace(lru.claims[0], value=lambda widths: widths.W + 1)
    slack = type("Slack", (lru,), {"name": "slack", "claims": (idle,)})
    monkeypatch.setattr(policy_claims, "policies", lambda: {"slack": slack})
    assert fails(policy_claims, nodes=3)


def at_least(z3, low):
    x = z3.Real("x")
    return [x > 1], x * x > low


def test_z3_settles_and_refutes():
    pytest.importorskip("z3")
    (row,) = settle("all reals above 1", partial(at_least, low=1))
    assert (row.holds, row.by) == (True, "z3")
    (row,) = settle("all reals above 1", partial(at_least, low=2))
    assert not row.holds


def test_z3_refuses_contradicting_hypotheses():
    pytest.importorskip("z3")
    (row,) = settle("nothing", lambda z3: ([z3.Real("x") > 1, z3.Real("x") < 0], z3.BoolVal(True)))
    assert not row.holds


def test_without_z3_there_is_a_note_and_no_row(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    (note,) = settle("all reals above 1", partial(at_least, low=1))
    assert isinstance(note, Note)
    assert "z3 is not installed" in note.text
    assert not fails(clean_nodes_sum, nodes=2, leaves=2, drawn=3)


def test_the_counting_step_needs_the_overflow():
    """Without |P - R| > g the conclusions of D2 are false: z3 finds a counterexample."""
    pytest.importorskip("z3")

    def weaker(z3):
        hypotheses, conclusion = clean_nodes_sum.places(z3)
        kept = [h for h in hypotheses if str(h) != "|P-R| >= g + 1"]
        assert len(kept) == len(hypotheses) - 1
        return kept, conclusion

    (row,) = settle("D2 without the overflow", weaker)
    assert not row.holds
