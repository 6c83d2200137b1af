"""Emitted algorithms on traces: bit for bit against plain Python, at the LP's value, never above it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import math
import statistics
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from adversaries.uniform import uniform
from kvtheory.cli import run
from kvtheory.errors import InputError
from kvtheory.model import PrefixTree, Trace
from kvtheory.offline.belady import belady
from kvtheory.ratio.emitted import read_emitted
from kvtheory.ratio.empirical import measure_ratios
from kvtheory.ratio.exact import parse_instance
from kvtheory.ratio.minimax import best_randomized
from kvtheory.ratio.minimax_adversary import Adversary
from kvtheory.ratio.played import PlayedPolicy, match
from kvtheory.ratio.players import select_players
from kvtheory.registry import every_policy, policies
from kvtheory.rng import SplitMix64

CHAINS = "0,1,0,3,0,5"
GAMES = {
    ("star:4", 3): Fraction(11, 6),
    ("star:5", 3): Fraction(11, 6),
    ("binary:2", 5): Fraction(11, 6),
    (CHAINS, 4): Fraction(3, 2),
}


@cache
def solved(tree: str, capacity: int):
    return best_randomized(parse_instance(tree, capacity, None))


@cache
def player(tree: str, capacity: int) -> PlayedPolicy:
    return PlayedPolicy("best.json", solved(tree, capacity).policy())


def misses(trace: Trace, hit) -> int:
    return int((trace.depths - trace.tree.depth[hit]).sum())


def random_requests(tree: PrefixTree, capacity: int, length: int, seed: int) -> Trace:
    nodes = np.flatnonzero(tree.depth <= capacity)
    chosen = np.random.default_rng(seed).choice(nodes, length)
    return Trace(tree, chosen.astype(np.int32))


def plainly(played: PlayedPolicy, trace: Trace, seed: int) -> list[int]:
    """Hits of the lazy cache, from the policy's own dictionaries and the generator of `kvtheory.rng`."""
    game, policy, dice = played.instance, played.policy, SplitMix64(seed)
    column = {v: r for r, v in enumerate(game.requestable)}
    q, state, held, hits = 0, 0, set(), []
    for v in trace.requests.tolist():
        path = trace.tree.path(v)
        hits.append(max((u for u in path if u in held), default=0))
        if not path:
            continue
        moves = [(j, x) for (i, j), x in policy.coupling[q][column[v]].items() if i == state]
        unit = math.lcm(*(x.denominator for _, x in moves))
        mass = dice.below(int(sum(x for _, x in moves) * unit))
        state = next(
            j
            for (j, _), end in zip(moves, itertools.accumulate(x * unit for _, x in moves), strict=True)
            if mass < end
        )
        held = (held & set(game.nodes(int(game.closed[state])))) | set(path)
        assert len(held) <= game.capacity
        assert all(game.parents[u] in held | {0} for u in held)
        q = int(policy.works.next[q, column[v]])
    return hits


@pytest.mark.parametrize("game", GAMES)
def test_the_kernel_is_the_plain_replay_bit_for_bit(game):
    played = player(*game)
    for seed in range(4):
        trace = random_requests(played.instance.tree, played.instance.capacity, 300, seed)
        assert played.prepare(trace, game[1], seed)().hit.tolist() == plainly(played, trace, seed)


def adversary_trace(adversary: Adversary, tree: PrefixTree, length: int, seed: int) -> Trace:
    rng = np.random.default_rng(seed)
    a, requests = 0, list(adversary.prefix)
    for _ in range(length):
        nodes = list(adversary.chance[a])
        v = nodes[rng.choice(len(nodes), p=[float(p) for p in adversary.chance[a].values()])]
        requests.append(v)
        a = adversary.after[a][v]
    return Trace(tree, np.array(requests, dtype=np.int32))


@pytest.mark.parametrize(("game", "value"), GAMES.items(), ids=[f"{tree}-{k}" for tree, k in GAMES])
def test_on_the_adversarys_requests_the_measured_ratio_is_the_lps_value(game, value):
    """Independent draws of requests and of the algorithm: the interval over 48 of them covers the value."""
    found = solved(*game)
    assert found.ratio == value
    played, paid, least = player(*game), [], []
    for seed in range(48):
        trace = adversary_trace(found.adversary, found.instance.tree, 4000, seed)
        paid.append(misses(trace, played.prepare(trace, game[1], seed)().hit))
        least.append(misses(trace, belady(trace, game[1]).hit))
    excess = [a - float(value) * b for a, b in zip(paid, least, strict=True)]
    error = statistics.stdev(excess) / 48**0.5
    constant = 4 * game[1]
    assert abs(statistics.mean(excess)) <= 4 * error + constant
    assert sum(paid) / sum(least) == pytest.approx(float(value), rel=0.01)


@pytest.mark.parametrize("game", [("star:4", 3), ("binary:2", 5)])
def test_the_mean_over_seeds_is_the_exact_expectation(game):
    """Where no move prefetches, the misses are the loads, and their expectation is in the tables."""
    played = player(*game)
    works, policy = played.policy.works, played.policy
    trace = random_requests(played.instance.tree, played.instance.capacity, 300, 11)
    q, expected = 0, Fraction(0)
    for v in trace.requests.tolist():
        if v:
            r = played.instance.requestable.index(v)
            expected += policy.loads[q][r]
            q = int(works.next[q, r])
    counts = [misses(trace, played.prepare(trace, game[1], seed)().hit) for seed in range(3000)]
    assert abs(statistics.mean(counts) - expected) <= 4 * statistics.stdev(counts) / 3000**0.5


@pytest.mark.parametrize(("game", "value"), GAMES.items(), ids=[f"{tree}-{k}" for tree, k in GAMES])
def test_on_any_requests_the_expectation_stays_below_the_proved_bound(game, value):
    played = player(*game)
    tree, capacity = played.instance.tree, game[1]
    traces = [random_requests(tree, capacity, 200, seed) for seed in range(3)]
    cyclic = np.tile(np.flatnonzero(tree.depth <= capacity)[1:], 40).astype(np.int32)
    traces.append(Trace(tree, cyclic))
    if tree.n == 6 and capacity == 4:
        traces.append(Trace(tree, np.array([2, 4, 5, 4, 6, 1, 6, 2, 3] * 30, dtype=np.int32)))
    for trace in traces:
        counts = [misses(trace, played.prepare(trace, capacity, seed)().hit) for seed in range(400)]
        error = statistics.stdev(counts) / 20
        bound = value * misses(trace, belady(trace, capacity).hit) + played.constant
        assert statistics.mean(counts) - 4 * error <= bound


def test_where_rlt_and_lru_are_beaten():
    """RLT's worst cycle on three chains: RLT 5/2, leaf-LRU at most 2, the optimum stays below 3/2."""
    tree = parse_instance(CHAINS, 4, None).tree
    trace = Trace(tree, np.array([2, 4, 5, 4, 6, 1, 6, 2, 3] * 400, dtype=np.int32))
    chosen = [policies()["rlt"], player(CHAINS, 4)]
    rlt, best = measure_ratios(trace, [4], chosen, seeds=32).runs[0].policies
    assert rlt.ratio == pytest.approx(2.5, abs=0.02)
    assert best.ratio <= 1.5 + 0.01
    assert (best.bound, best.seeds) == (1.5, 32)
    assert best.ci95[0] <= best.ratio <= best.ci95[1]


# --- matching ---------------------------------------------------------------------------------------------


def test_the_same_numbers_are_kept():
    game = parse_instance(CHAINS, 4, None)
    trace = Trace.from_parents([0, 1, 0, 3, 0, 5], [6, 2, 3])
    assert match(trace, game) == {v: v for v in (0, 1, 2, 3, 5, 6)}


def test_other_numbers_are_matched_by_shape():
    game = parse_instance("0,0,1,1,2", 4, None)
    trace = Trace.from_parents([0, 1, 0, 3, 3], [2, 4, 5])
    assert match(trace, game) == {0: 0, 1: 2, 2: 5, 3: 1, 4: 3, 5: 4}


def test_a_match_may_need_an_earlier_one_to_move():
    game = parse_instance("0,0,1,1,2,3", 5, None)
    trace = Trace.from_parents([0, 0, 1, 2, 4], [3, 5])
    found = match(trace, game)
    assert found is not None
    for u, parent in enumerate([0, 0, 1, 2, 4], start=1):
        assert game.parents[found[u]] == found[parent]


def test_every_match_is_an_embedding_and_none_is_missed():
    """Against every injective map, on pseudo-random pairs of trees with some nodes requestable."""
    dice, outcomes = SplitMix64(5), set()
    for _ in range(300):
        parents = [dice.below(v) for v in range(1, 6)]
        chosen = sorted({1 + dice.below(5) for _ in range(4)})
        game = parse_instance(",".join(map(str, parents)), 5, ",".join(map(str, chosen)))
        m = 1 + dice.below(4)
        own = [dice.below(v) for v in range(1, m + 1)]
        trace = Trace.from_parents(own, [1 + dice.below(m) for _ in range(2)])
        used = {u for v in trace.requests.tolist() for u in trace.tree.path(v)}
        requested = set(trace.requests.tolist())
        possible = any(
            all(game.parents[at[u]] == (at[own[u - 1]] if own[u - 1] else 0) for u in used)
            and all(at[u] in game.requestable for u in requested)
            for image in itertools.permutations(range(1, 6), len(used))
            for at in [dict(zip(sorted(used), image, strict=True))]
        )
        found = match(trace, game)
        outcomes.add(possible)
        assert (found is not None) == possible
        if found:
            assert len(set(found.values())) == len(found) == len(used) + 1
            assert all(game.parents[found[u]] == found[own[u - 1]] for u in used)
            assert {found[u] for u in requested} <= set(game.requestable)
    assert outcomes == {True, False}


def test_a_trace_that_does_not_fit_is_refused():
    trace = uniform(tree="star:5", requests=20)
    with pytest.raises(InputError, match=r"do not fit into the tree of best\.json"):
        player("star:4", 3).prepare(trace, 3, 0)
    with pytest.raises(InputError, match=r"capacity.*is for a cache of 3, not 4"):
        measure_ratios(trace, [3, 4], [player("star:4", 3)])


def test_empty_prompts_draw_nothing():
    played = player("star:4", 3)
    plain = Trace.from_parents([0] * 4, [1, 2, 3, 4, 1, 2, 3, 4])
    padded = Trace.from_parents([0] * 4, [0, 1, 2, 0, 3, 4, 1, 2, 0, 3, 4])
    hit = played.prepare(padded, 3, 9)().hit
    assert hit[padded.requests > 0].tolist() == played.prepare(plain, 3, 9)().hit.tolist()


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    file = tmp_path_factory.mktemp("played") / "best.json"
    arguments = ["exact", "--tree", "star:4", "--capacity", "3", "--policy", "best-randomized"]
    assert run([*arguments, "--emit-policy", str(file)]) == 0
    return file


RATIO = ["ratio", "uniform:tree=star:4,requests=3000", "--capacity", "3", "--seeds", "4", "--json", "-"]


def test_the_command_plays_a_file_beside_policies(emitted, capsys):
    capsys.readouterr()
    assert run([*RATIO, "--policies", f"lru,{emitted},rlt"]) == 0
    lru, best, rlt = json.loads(capsys.readouterr().out)["runs"][0]["policies"]
    assert [lru["name"], best["name"], rlt["name"]] == ["lru", str(emitted), "rlt"]
    assert best["bound"] == pytest.approx(11 / 6)
    assert (lru["seeds"], best["seeds"], rlt["seeds"]) == (1, 4, 4)
    assert best["ci95"][0] <= best["ratio"] <= best["ci95"][1]


def test_all_and_a_file(emitted):
    assert [p.name for p in select_players(f"all,{emitted}")] == [*sorted(every_policy()), str(emitted)]
    for names in (f"{emitted},{emitted}", f"all,lru,{emitted}"):
        with pytest.raises(InputError, match="policies"):
            select_players(names)


def test_what_is_read_is_what_was_written(emitted):
    policy = read_emitted(str(emitted))
    assert policy.to_json() == json.loads(emitted.read_text())
    assert policy.ratio == Fraction(11, 6)


def leaves(value, path=()):
    """Every place in a JSON value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def changed(value, path, new):
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new(inner[path[-1]])
    return value


def test_no_number_can_be_changed_alone(emitted, tmp_path):
    """Each place of the file in turn; only a larger ratio is still proved, and a potential with slack."""
    honest = json.loads(emitted.read_text())
    file, survived = tmp_path / "altered.json", set()
    for path in leaves(honest):
        if len(path) > 1 and path[0] == "work_functions" and path[1] not in (0, 1, 7):
            continue

        def alter(value):
            if isinstance(value, int):
                return value + 1
            if "/" not in value or value.startswith("kvtheory"):
                return value + "x"
            p, q = value.split("/")
            return f"{int(p) + 1}/{q}"

        file.write_text(json.dumps(changed(honest, path, alter)))
        with contextlib.suppress(InputError):
            read_emitted(str(file))
            survived.add(path[0] if len(path) == 1 else path[2])
    assert survived <= {"ratio", "potential"}
    file.write_text(json.dumps({**honest, "ratio": "10/6"}))
    with pytest.raises(InputError, match="does not prove its ratio: the potential"):
        read_emitted(str(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "'schema': is missing"),
        ('{"schema": "kvtheory-certificate/1"}', "'schema': is not kvtheory-policy/1"),
        ({"tree": [0, 5]}, "'tree': 0,5|parents must come first"),
        ({"tree": [0, True]}, "'tree': is not a list of integers"),
        ({"tree": [10**30]}, "'tree': is not a list of integers"),
        ({"capacity": 0}, "capacity 0"),
        ({"capacity": "3"}, "'capacity': is not an integer"),
        ({"capacity": 2}, "work_functions|work function"),
        ({"requestable": [2, 1, 3, 4]}, "'requestable': is not ascending"),
        ({"requestable": [1]}, "work_functions"),
        ({"ratio": 1.8}, "'ratio': is not a rational"),
        ({"ratio": "1/0"}, "'ratio': is not a rational"),
        ({"ratio": "__import__('os')"}, "'ratio': is not a rational"),
        ({"work_functions": []}, "work_functions"),
        ({"work_functions": 5}, "'work_functions': is not a list"),
        ({"more": 1}, "'more': is no field"),
    ],
)
def test_bad_files_are_one_line_and_exit_2(emitted, tmp_path, capsys, text, message):
    file = tmp_path / "bad.json"
    if isinstance(text, dict):
        text = json.dumps({**json.loads(emitted.read_text()), **text})
    if text is not None:
        file.write_text(text)
    capsys.readouterr()
    assert run([*RATIO, "--policies", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(file) in said
    assert any(part in said for part in message.split("|"))
