"""The certificate of the best randomised ratio of three pages in a cache of two, read aloud."""

from fractions import Fraction

from kvtheory.model import PrefixTree
from kvtheory.ratio.certificate import sign
from kvtheory.ratio.certificate_best import best_certificate
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.minimax import best_randomized
from proofs_check.verify import Rejected, verify

solved = best_randomized(Instance.of(PrefixTree.from_parents([0, 0, 0]), 2))
proof = best_certificate(solved)
lower, upper = proof["lower"], proof["upper"]
print("claim:", proof["claim"]["kind"], proof["claim"]["ratio"])

print("\nlower bound: after", lower["prefix"], "a chain of", len(lower["chain"]), "state emits")
for node, chance, after in lower["chain"][0]:
    print(f"  node {node} with chance {chance}, and is in state {after}")
print(f"per request an algorithm expects to pay {lower['gain']} or more, OPT {lower['opt']} or less")

widest = max(range(len(upper["potentials"])), key=lambda q: len(upper["distributions"][q]))
print(f"\nupper bound: at work function {widest} of {len(upper['potentials'])} the algorithm holds")
for cached, chance in upper["distributions"][widest]:
    print(f"  {cached} with chance {chance}")
node = next(v for v in (1, 2, 3) if any(v not in held for held, _ in upper["distributions"][widest]))
print(f"and a request for node {node} moves it like this")
before, coupling, loads = upper["distributions"][widest], upper["couplings"][widest][node - 1], Fraction(0)
column = solved.works.next[widest].tolist()
after = upper["distributions"][column[node - 1]]
for i, j, chance in coupling:
    new = sorted(set(after[j][0]) - set(before[i][0]))
    loads += Fraction(chance) * len(new)
    print(f"  {before[i][0]} to {after[j][0]} with chance {chance}, loading {new}")
ratio, increase = Fraction(proof["claim"]["ratio"]), int(solved.works.increase[widest, node - 1])
phi = [Fraction(x) for x in upper["potentials"]]
print(f"  {loads} - {ratio} * {increase} + ({phi[column[node - 1]]}) <= {phi[widest]}")

print("\nthe verifier:", verify(proof))
upper["potentials"][widest] = "-1/1"
try:
    verify(sign(proof))
except Rejected as error:
    print("one number altered:", error)
