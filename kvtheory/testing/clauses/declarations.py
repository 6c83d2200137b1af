"""What a policy declares: hooks that compile, promises kept, columns in their range."""

from __future__ import annotations

from kvtheory.engine.codegen import kernel_source
from kvtheory.testing.instances import (
    Instance,
)
from kvtheory.testing.subject import Subject, expect


def declared(subject: Subject) -> None:
    """Hooks are integers in, integers out, compile, and read `marked` only under PHASES."""
    named(subject)
    policy = subject.policy
    template = "weighted" if policy.randomised() else "ranked"
    compile(kernel_source(policy, template, policy.traits), policy.name, "exec")


def named(subject: Subject) -> None:
    """It has a name and a page."""
    policy = subject.policy
    expect(policy.name.isidentifier() and policy.name == policy.name.lower(), f"'{policy.name}' is no name")
    expect(len(policy.summary()) > 1, f"{policy.name}: a policy's docstring is its page")


def traits(subject: Subject, instance: Instance, seed: int) -> None:
    """The reference engine finds no promise broken."""
    subject.start(instance, seed, check_traits=True).run(instance.requests)


def columns(subject: Subject, instance: Instance, seed: int) -> None:
    """Columns stay in their range; replacing the values of all ORDER columns by ranks changes nothing."""
    declared_columns = subject.policy.columns
    expected = subject.run(instance, seed)
    engine = subject.start(instance, seed)
    found = []
    for v in instance.requests:
        found.append(engine.serve(v))
        for name, column in declared_columns.items():
            values: list[int] = getattr(engine.columns, name)
            for u in engine.cached:
                low = column.low is None or column.low <= values[u]
                high = column.high is None or values[u] <= column.high
                expect(low and high, f"{name}[{u}] = {values[u]} is outside {column}")
        ordered = [getattr(engine.columns, n) for n, column in declared_columns.items() if column.order]
        present = sorted({0, *(values[u] for values in ordered for u in engine.cached)})
        for u in engine.cached if ordered else ():
            for values in ordered:
                values[u] = present.index(values[u]) - present.index(0)
            if u in engine.touched_rank and subject.policy.rank is not None:
                engine.touched_rank[u] = subject.policy.rank(engine.columns, u)
    expect(([h for h, _ in found], [e for _, e in found]) == expected, "an ORDER column's values matter")
