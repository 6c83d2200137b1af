"""What the families force: every statement at one choice of parameters, replayed as the page is built."""

from adversaries.forces import statements
from kvtheory.offline.belady import belady
from kvtheory.ratio.marginals import marginals, misses
from kvtheory.sources import generate


def replayed(trace, capacity, policy):
    """Missed nodes of a policy, in exact expectation where it draws, and of OPT."""
    depth, hits = trace.tree.depth, belady(trace, capacity).hit
    opt = int((depth[trace.requests] - depth[hits]).sum())
    return sum(misses(trace.tree, trace.requests.tolist(), marginals(trace, capacity, policy))), opt


AGREES = {"==": lambda a, b: a == b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}
AS = {"==": "", "<=": "at most ", ">=": "at least "}

for statement in statements():
    case = statement.cases[0]
    forced = statement.at(**case)
    against = statement.against if isinstance(statement.against, str) else ", ".join(statement.against)
    for policy in () if statement.averaged else statement.victims():
        named = {"policy": policy.name} if "policy" in statement.parameters() else {}
        paid, opt = replayed(generate(statement.spec(**case, **named)), forced.capacity, policy)
        assert AGREES[statement.misses_are](paid, forced.misses)
        assert AGREES[statement.opt_is](opt, forced.opt)
    print(f"{statement.spec(**case)}  k={forced.capacity}{'  (mean over seeds)' * statement.averaged}")
    print(f"    {against}")
    limit = "" if forced.limit is None else f" = {AS[statement.limit_is]}{float(forced.limit):.3f}"
    counts = f"misses {AS[statement.misses_are]}{float(forced.misses):.10g}"
    counts += f", OPT {AS[statement.opt_is]}{float(forced.opt):.6g}"
    print(f"    {counts}: {float(forced.ratio):.3f}, in the long run {statement.ratio}{limit}")
