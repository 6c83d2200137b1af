"""What the families force: every statement at one choice of parameters, replayed as the page is built."""

from fractions import Fraction

from adversaries.forces import statements
from kvtheory.engine.exact import ExactEngine
from kvtheory.engine.reference import ReferenceEngine
from kvtheory.offline.belady import belady
from kvtheory.ratio.belief import Beliefs
from kvtheory.ratio.instance import Instance
from kvtheory.ratio.symmetry import Symmetry
from kvtheory.sources import generate


def replayed(trace, capacity, policy):
    """Missed nodes of a policy, in exact expectation where it draws, and of OPT."""
    depth, hits = trace.tree.depth, belady(trace, capacity).hit
    opt = int((depth[trace.requests] - depth[hits]).sum())
    if not policy.randomised():
        hits, _ = ReferenceEngine(trace.tree, capacity, policy).run(trace.requests)
        return int((depth[trace.requests] - depth[hits]).sum()), opt
    game = Instance.of(trace.tree, capacity)
    beliefs = Beliefs(game, ExactEngine(trace.tree, capacity, policy), Symmetry(game, enabled=False))
    belief, total = beliefs.start, Fraction(0)
    for v in trace.requests:
        misses, belief = beliefs.serve(belief, int(v))
        total += misses
    return total, opt


AGREES = {"==": lambda a, b: a == b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}
AS = {"==": "", "<=": "at most ", ">=": "at least "}

for statement in statements():
    case = statement.cases[0]
    forced = statement.at(**case)
    against = statement.against if isinstance(statement.against, str) else ", ".join(statement.against)
    for policy in () if statement.averaged else statement.victims():
        named = {"policy": policy.name} if "policy" in statement.parameters() else {}
        misses, opt = replayed(generate(statement.spec(**case, **named)), forced.capacity, policy)
        assert AGREES[statement.misses_are](misses, forced.misses)
        assert AGREES[statement.opt_is](opt, forced.opt)
    print(f"{statement.spec(**case)}  k={forced.capacity}{'  (mean over seeds)' * statement.averaged}")
    print(f"    {against}")
    limit = "" if forced.limit is None else f" = {AS[statement.limit_is]}{float(forced.limit):.3f}"
    counts = f"misses {AS[statement.misses_are]}{float(forced.misses):.10g}"
    counts += f", OPT {AS[statement.opt_is]}{float(forced.opt):.6g}"
    print(f"    {counts}: {float(forced.ratio):.3f}, in the long run {statement.ratio}{limit}")
