"""Certificates of the best ratios, forged by someone who knows the format."""

from fractions import Fraction

import pytest
from best_samples import HONEST
from forging import copy, leaves, put, text, verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from kvtheory.ratio.certificate import sign
from proofs_check.verify import Rejected, verify
from proofs_check.verify_rules import Tree, WorkFunctions


def forge_chain(chances):
    def forge(c):
        for emitted, p in zip(c["lower"]["chain"][0], chances, strict=True):
            emitted[1] = p

    return forge


def scaled(factor):
    def forge(c):
        for key in ("gain", "opt"):
            c["lower"][key] = text(Fraction(c["lower"][key]) * factor)

    return forge


def merge_first(c):
    """Split one cache of a distribution in two entries: the same distribution, written twice."""
    for q, shares in enumerate(c["upper"]["distributions"]):
        if len(shares) == 1 and q:
            shares[:] = [[shares[0][0], "1/2"], [shares[0][0], "1/2"]]
            return


def uncached(c):
    """Let the algorithm keep the empty cache for ever."""
    n = len(c["upper"]["distributions"])
    c["upper"].update(distributions=[[[[], "1/1"]]] * n, couplings=[[[[0, 0, "1/1"]]] * 3] * n)


@pytest.mark.parametrize(
    ("name", "forge"),
    [
        ("det", lambda c: c["claim"].update(ratio="3/2")),
        ("det", lambda c: c["claim"].update(ratio="3/1")),
        ("det", lambda c: c["claim"].update(ratio="1/1")),
        ("det", lambda c: c["claim"].update(ratio="1/1", kind="exact") or c.update(lower=None)),
        ("det", lambda c: c["claim"].update(ratio="inf")),
        ("det", lambda c: c["claim"].update(ratio="inf") or c.update(upper=None)),
        ("det", lambda c: c["claim"].update(kind="upper")),
        ("det", lambda c: c.update(lower=None)),
        ("det", lambda c: c.update(upper=None)),
        ("det", lambda c: c.update(policy="lru")),
        ("det", lambda c: c.update(policy="best-randomized")),
        ("det", lambda c: c.update(automaton={"next": [[0, 0, 0]], "cost": [["0/1"] * 3]})),
        ("det", lambda c: c["lower"]["requests"].pop()),
        ("det", lambda c: c["lower"]["requests"].pop() and c["lower"]["potentials"].pop()),
        ("det", lambda c: c["lower"]["requests"].append(1) or c["lower"]["potentials"].append("0/1")),
        ("det", lambda c: c["lower"].update(potentials=["0/1"] * len(c["lower"]["potentials"]))),
        ("det", lambda c: c["lower"].update(requests=[1] * len(c["lower"]["requests"]))),
        ("det", lambda c: c["lower"].update(requests=[], potentials=[])),
        ("det", lambda c: c["upper"]["potentials"].pop() and c["upper"]["evictions"].pop()),
        ("det", lambda c: c["upper"].update(potentials=[], evictions=[])),
        ("det", lambda c: c["upper"]["potentials"].append("0/1")),
        ("det", lambda c: c["upper"]["evictions"].reverse()),
        ("det", lambda c: c["upper"]["evictions"][0].__setitem__(0, [1])),  # the path just requested
        ("det", lambda c: c["upper"]["evictions"][0].__setitem__(0, [2])),  # not cached
        ("det", lambda c: c["upper"].update(evictions=[[[]] * 3] * len(c["upper"]["potentials"]))),
        ("det one", lambda c: c.update(lower={"requests": [1], "potentials": ["0/1"]})),
        ("det one", lambda c: c["claim"].update(kind="lower")),
        ("det one", lambda c: c["claim"].update(ratio="2/1")),
        ("rand", lambda c: c["claim"].update(ratio="4/3")),
        ("rand", lambda c: c["claim"].update(ratio="2/1")),
        ("rand", lambda c: c.update(policy="best-deterministic")),
        ("rand", lambda c: c["lower"].update(gain="1/1")),
        ("rand", lambda c: c["lower"].update(opt="1/100")),
        ("rand", lambda c: c["lower"].update(gain="0/1", opt="0/1")),
        ("rand", scaled(2)),
        ("rand", scaled(Fraction(1, 2))),
        ("rand", scaled(-1)),
        ("rand", forge_chain(["1/2", "1/2", "1/2"])),
        ("rand", forge_chain(["1/2", "1/2", "0/1"])),
        ("rand", forge_chain(["1/1", "1/1", "-1/1"])),
        ("rand", lambda c: c["lower"].update(chain=[])),
        ("rand", lambda c: c["lower"].update(chain=[[]], offline=["0/1"])),
        ("rand", lambda c: c["lower"]["chain"][0].reverse()),
        ("rand", lambda c: c["lower"]["chain"][0][0].__setitem__(2, 1)),
        ("rand", lambda c: c["lower"]["offline"].pop()),
        ("rand", lambda c: c["lower"]["offline"].append("0/1")),
        ("rand", lambda c: c["lower"]["online"][0].pop()),
        ("rand", lambda c: c["lower"].update(prefix=[1, 2, 3])),
        ("rand", lambda c: c["upper"]["distributions"].reverse()),
        ("rand", lambda c: c["upper"]["couplings"].reverse()),
        ("rand", lambda c: c["upper"]["couplings"][0][0].append([0, 0, "1/1"])),
        ("rand", lambda c: c["upper"]["couplings"][0][0].extend([[0, 0, "1/1"], [0, 0, "-1/1"]])),
        ("rand", lambda c: c["upper"]["couplings"][0].pop()),
        ("rand", lambda c: c["upper"].update(potentials=[], distributions=[], couplings=[])),
        ("rand", merge_first),
        ("rand", uncached),
        ("det tree", lambda c: c["upper"]["evictions"][1].__setitem__(0, [1])),
    ],
)
def test_a_signed_lie_is_rejected(name, forge):
    forged = copy(HONEST[name])
    forge(forged)
    assert verdict(sign(forged)) != "accepted"


def test_a_cache_whose_parent_was_evicted_is_rejected():
    """On 0,0,1,0 with two places, where node 3 is below 1: 1 must not go while 3 stays, nor both stay."""
    found, tried = HONEST["det tree"], 0
    for i, row in enumerate(found["upper"]["evictions"]):
        for r, evicted in enumerate(row):
            if evicted == [3]:
                for some in ([1], []):
                    forged = copy(found)
                    forged["upper"]["evictions"][i][r] = some
                    with pytest.raises(Rejected, match="closed set that fits"):
                        verify(sign(forged))
                    tried += 1
    assert tried >= 4


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (forge_chain(["1/2", "1/2", "1/2"]), "chances do not sum to 1"),
        (forge_chain(["1/2", "1/2", "0/1"]), "or one is not positive"),
        (lambda c: c["upper"]["distributions"][1].__setitem__(0, [[1], "1/2"]), "does not sum to 1"),
        (
            lambda c: c["upper"]["distributions"][1].extend([[[1, 2], "1/1"], [[1, 3], "-1/1"]]),
            "not positive",
        ),
        (merge_first, "holds a cache twice"),
        (lambda c: c["upper"]["distributions"].__setitem__(0, [[[1], "1/1"]]), "is not the empty cache"),
    ],
)
def test_each_guard_speaks(forge, message):
    """Some of these lies other checks would find too; the first that fails is the one meant for it."""
    forged = copy(HONEST["rand"])
    forge(forged)
    with pytest.raises(Rejected, match=message):
        verify(sign(forged))


def falsehood(name, ratio, **parts):
    """A certificate on three pages and two places, made up from nothing."""
    (kind,) = parts
    claim = {"ratio": ratio, "kind": kind}
    return sign({**copy(HONEST[name]), "claim": claim, "lower": None, "upper": None, **parts})


def test_an_adversary_may_not_rest_at_no_cost():
    """For ever the same page: nobody pays, and every ratio would be forced."""
    lie = falsehood("det", "100/1", lower={"requests": [1, 1], "potentials": ["-99/1", "0/1"]})
    with pytest.raises(Rejected, match="asks for what is cached"):
        verify(lie)


def test_a_chain_may_not_rest_at_no_cost():
    """The same, drawn: 0 is 100 times 0."""
    online = [["0/1"] * len(HONEST["rand"]["lower"]["online"][0])]
    chain = {"prefix": [1], "chain": [[[1, "1/1", 0]]], "online": online, "offline": ["0/1"]}
    with pytest.raises(Rejected, match="0 to 0 is not 100"):
        verify(falsehood("rand", "100/1", lower={**chain, "gain": "0/1", "opt": "0/1"}))


def test_an_algorithm_may_not_cache_more_than_fits():
    """All three pages, and OPT is matched but for a constant."""
    n = len(HONEST["rand"]["upper"]["potentials"])
    everything = {
        "potentials": ["3/1"] + ["0/1"] * (n - 1),
        "distributions": [[[[], "1/1"]]] + [[[[1, 2, 3], "1/1"]]] * (n - 1),
        "couplings": [[[[0, 0, "1/1"]]] * 3] * n,
    }
    with pytest.raises(Rejected, match="one that is none"):
        verify(falsehood("rand", "1/1", upper=everything))


def made_up(choose, ratio):
    """A certificate that a strategy holds a ratio, on three pages and two places, whatever it may do."""
    tree = Tree([0, 0, 0], 2, [1, 2, 3])
    opt = WorkFunctions(tree)
    order, evictions, edges = [(0, opt.start)], [], []
    for cached, w in order:
        evictions.append([])
        for v in tree.requestable:
            increase, after = opt.serve(w, v)
            kept = choose(tree, opt, cached, w, v)
            evictions[-1].append([u for u in (1, 2, 3) if ((cached | tree.path[v]) & ~kept) >> u & 1])
            if (kept, after) not in order:
                order.append((kept, after))
            cost = (tree.path[v] & ~cached).bit_count()
            edges.append((len(evictions) - 1, order.index((kept, after)), cost - ratio * increase))
    phi = [0] * len(order)
    for _ in order:
        for before, to, weight in edges:
            phi[before] = max(phi[before], weight + phi[to])
    assert all(weight + phi[to] <= phi[before] for before, to, weight in edges)
    strategy = {"potentials": [text(x) for x in phi], "evictions": evictions}
    return falsehood("det", f"{ratio}/1", upper=strategy)


def test_an_algorithm_may_not_drop_what_it_serves():
    """The work function algorithm holds 9; not if it may drop the page that was just asked for."""

    def follow(tree, opt, cached, w, v):
        after = opt.serve(w, v)[1]
        return min(tree.answers(cached, v), key=lambda s: after[opt.sets.number[s]])

    def drop(tree, opt, cached, w, v):
        """A page that was cached goes when its request has changed what OPT would do."""
        moved = cached & tree.path[v] and opt.serve(w, v)[1] != w
        return cached & ~tree.path[v] if moved else follow(tree, opt, cached, w, v)

    def refuse(tree, opt, cached, w, v):
        """The very first request is served without keeping the page."""
        return 0 if w == opt.start else follow(tree, opt, cached, w, v)

    assert verdict(made_up(follow, 9)) == "accepted"
    for choose in (drop, refuse):
        lie = made_up(choose, 9)
        assert len(lie["upper"]["potentials"]) > len(HONEST["det"]["upper"]["potentials"])
        with pytest.raises(Rejected, match="evicts what it may not"):
            verify(lie)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1/1", "0/1", "1/0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(300))
@given(st.data())
def test_the_verifier_never_crashes(data):
    name = data.draw(st.sampled_from(sorted(HONEST)))
    forged = copy(HONEST[name])
    path = data.draw(st.sampled_from([path for path, _ in leaves(forged)]))
    put(forged, path[: data.draw(st.integers(1, len(path)))], data.draw(json_values))
    verdict(sign(forged))
    verdict(forged)
