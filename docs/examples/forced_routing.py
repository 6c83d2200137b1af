"""What families force on routers: every statement at one choice of parameters, replayed at build time."""

from adversaries.routing_forces import best_makespan, routed, routing_statements
from kvtheory.sources import generate

AGREES = {"==": lambda a, b: a == b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}
AS = {"==": "", "<=": "at most ", ">=": "at least "}

for statement in routing_statements():
    case = statement.cases[0]
    forced = statement.at(**case)
    for router in statement.victims():
        named = {"router": router.name} if "router" in statement.parameters() else {}
        trace = generate(statement.spec(**case, **named))
        assert AGREES[statement.makespan_is](routed(trace, forced, router).makespan, forced.makespan)
        assert best_makespan(trace, forced, statement.best(trace, forced)) <= forced.opt
    against = statement.against if isinstance(statement.against, str) else ", ".join(statement.against)
    against = against.replace("policy", "router")
    prices = f"a_hit={forced.costs.alpha_cached} a_miss={forced.costs.alpha_miss}"
    print(f"{statement.spec(**case)}  m={forced.workers} k={forced.capacity} {prices}")
    print(f"    {against}")
    limit = "" if forced.limit is None else f" = {float(forced.limit):.3f}"
    counts = f"makespan {AS[statement.makespan_is]}{float(forced.makespan):g}"
    counts += f", optimum {AS[statement.opt_is]}{float(forced.opt):g}"
    print(f"    {counts}: {float(forced.ratio):.3f}, in the end {statement.ratio}{limit}")
