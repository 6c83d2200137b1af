"""The lemmas that certificates of the best ratios rest on, tried out."""

import itertools
import random
from fractions import Fraction

import pytest
from best_samples import FOUND, HONEST

from kvtheory.model import Trace
from kvtheory.offline.belady import belady
from proofs_check.verify_rules import ClosedSets, Tree, WorkFunctions


def trees():
    for parents, k, chosen in (([0, 0, 1, 0, 3], 3, None), ([0, 0, 0, 1], 2, [2, 3, 4]), ([0] * 4, 3, None)):
        yield Tree(parents, k, chosen or list(range(1, len(parents) + 1)))


def test_work_functions_from_their_definition():
    """w'(S) = min of w(X) + |S minus X|, over all pairs of sets, against the two passes."""
    for tree in trees():
        opt = WorkFunctions(tree)
        masks, w = opt.sets.masks, opt.start
        rng = random.Random(3)
        for v in rng.choices(tree.requestable, k=60):
            path = tree.path[v]
            after = [
                min(x + (s & ~t).bit_count() for x, t in zip(w, masks, strict=True) if t & path == path)
                for s in masks
            ]
            increase, w = opt.serve(w, v)
            assert list(w) == [x - min(after) for x in after]
            assert increase == min(after)


def test_what_follows_a_request_from_its_definition():
    """h'(S) = min of h(X) + |X minus S|: what the online player pays on its way."""
    for tree in trees():
        sets, rng = ClosedSets(tree), random.Random(4)
        for v in tree.requestable:
            value, path = [rng.randint(-40, 40) for _ in sets.masks], tree.path[v]
            assert sets.reach(value, v, 7, 0) == [
                min(
                    x + 7 * (t & ~s).bit_count()
                    for x, t in zip(value, sets.masks, strict=True)
                    if t & path == path
                )
                for s in sets.masks
            ]


def test_laziness_never_pays_more():
    """The construction of the lemma, against algorithms that load and evict at random."""
    rng = random.Random(5)
    for tree, _ in itertools.product(trees(), range(40)):
        masks = ClosedSets(tree).masks
        eager = lazy = paid = owed = 0
        for v in rng.choices(tree.requestable, k=50):
            after = rng.choice([s for s in masks if s & tree.path[v] == tree.path[v]])
            paid += (after & ~eager).bit_count()
            eager = after
            owed += (tree.path[v] & ~lazy).bit_count()
            answers = tree.answers(lazy, v)
            union, lazy = (
                lazy | tree.path[v],
                min(answers, key=lambda s: ((lazy | tree.path[v]) & ~s & eager).bit_count()),
            )
            assert not union & ~lazy & eager  # it evicts only what the other does not hold
            assert owed <= paid


def belady_cost(instance, requests):
    trace = Trace(instance.tree, requests)
    return trace.accesses - int(instance.tree.depth[belady(trace, instance.capacity).hit].sum())


@pytest.mark.parametrize("name", ["det", "det tree", "det 5/4"])
def test_both_strategies_of_a_certificate_are_played(name):
    """The algorithm against random requests, the adversary against random answers; OPT by Belady."""
    instance, found, rng = FOUND[name].instance, HONEST[name], random.Random(6)
    parts = found["instance"]
    tree = Tree(parts["parents"], parts["capacity"], parts["requestable"])
    opt, ratio = WorkFunctions(tree), Fraction(found["claim"]["ratio"])

    def number(start, successors):
        order, index = [start], {start: 0}
        for position in order:
            for after in successors(position, index[position]):
                if index.setdefault(after, len(order)) == len(order):
                    order.append(after)
        return index

    def algorithm(position, n):
        (cached, w) = position
        for v, evicted in zip(tree.requestable, found["upper"]["evictions"][n], strict=True):
            yield (cached | tree.path[v]) & ~sum(1 << u for u in evicted), opt.serve(w, v)[1]

    def adversary(position, n):
        v = found["lower"]["requests"][n]
        return [(answer, opt.serve(position[1], v)[1]) for answer in tree.answers(position[0], v)]

    phi = [Fraction(x) for x in found["upper"]["potentials"]]
    index = number((0, opt.start), algorithm)
    for _ in range(20):
        position, paid, asked = (0, opt.start), 0, []
        for r in rng.choices(range(len(tree.requestable)), k=80):
            after = list(algorithm(position, index[position]))[r]
            paid += (after[0] & ~position[0]).bit_count()
            position = after
            asked.append(tree.requestable[r])
        assert paid <= ratio * belady_cost(instance, asked) + phi[0] - min(phi)
    psi = [Fraction(x) for x in found["lower"]["potentials"]]
    index = number((0, opt.start), adversary)
    for _ in range(20):
        position, paid, asked = (0, opt.start), 0, []
        for _ in range(80):
            n = index[position]
            asked.append(found["lower"]["requests"][n])
            after = rng.choice(adversary(position, n))
            paid += (tree.path[asked[-1]] & ~position[0]).bit_count()
            position = after
        assert paid >= max(80, ratio * belady_cost(instance, asked) + psi[0] - max(psi))
