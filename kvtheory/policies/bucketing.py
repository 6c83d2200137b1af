"""Bucketing: randomised marking whose every phase fills the cache."""

from __future__ import annotations

from kvtheory.policy import Claim, Policy, State, Trait


class Bucketing(Policy):
    """Uniformly random unmarked leaf, in phases that fill the cache: Bucketing on trees. [Dallot2024]_

    Bucketing is for caches under any DAG of dependencies. Its authors fetch the missing nodes of a request
    one by one. Where a phase begins, every maximal cached node (on a tree: every leaf) opens a bucket that
    holds it and what it depends on. A request takes its path out of the buckets; to make room, a bucket is
    drawn uniformly and its maximal node evicted; when no bucket is left, the next phase begins, wherever in
    the request that may be. Their bound is `2 H_min(k, l)`, with `l` the size of the largest antichain.

    *What is reconstruction.* We had the abstract, the bound and the authors' program for the variant with
    bypass, on trees that are cached from the leaves up, where buckets are disjoint; not the text of the
    paper. On prefix trees buckets share ancestors, and a bucket whose last own node is gone may have a
    maximal node that other cached nodes hang from. All that it still holds is then in another bucket, and we
    drop it, as empty buckets are dropped. So the buckets are the unmarked leaves, and a uniform bucket is a
    uniform unmarked leaf.

    It differs from RLT in one thing: RLT forgets the marks when a request arrives that does not fit,
    Bucketing while it is being served, after all that was left unmarked has gone. On stars the two are the
    same; on trees of up to 6 nodes their exact ratios are; on 7 nodes Bucketing can be better.

    *Proof of 2 H_w.* Replace every request by requests for the nodes of its path, root to tip. OPT does not
    become dearer, for its schedule can load the same nodes one by one, and Bucketing draws the same victims.
    Now a phase ends with exactly k nodes marked, and these are the cache. So `c`, the number of nodes that a
    phase requests and that were not cached at its start, counts nodes not requested in the phase before: both
    phases together request k + c nodes, and OPT misses at least `c` of them. Each phase stands in two such
    pairs at most, and the first phase costs OPT its `c`: the sum of all `c` is at most 2 OPT. Within a phase
    Theorem C of :doc:`/theory/rlt` holds word for word: at most `c H_m` expected misses, with `m <= w` the
    number of leaves of the cache at its start.
    """

    name = "bucketing"
    source = "Dallot2024 Fiat1991"
    traits = Trait.BINARY | Trait.PHASES | Trait.FULL
    claims = (Claim("2 H_w", lambda w: 2 * w.harmonic_w()),)

    @staticmethod
    def weight(s: State, v: int) -> int:
        return 1 - s.marked[v]
