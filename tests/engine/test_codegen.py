"""Generated kernels: an edited hook is another kernel, and a second process compiles nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numba
import pytest

from kvtheory.engine import codegen
from kvtheory.engine.kernel import replay
from kvtheory.errors import PolicyError
from kvtheory.policies.lfu import LeafLFU
from kvtheory.policies.lru import LeafLRU
from kvtheory.policies.rlt import RLT
from kvtheory.policy import Policy, Trait
from kvtheory.testing.instances import Instance, star

needs_jit = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="numba compiles nothing")

POLICY = '''
from kvtheory.policy import ORDER, Policy

SIGN = {sign}

class Edited(Policy):
    """A policy in a file that is edited."""
    name = "edited"
    columns = {{"last_use": ORDER}}

    @staticmethod
    def on_access(s, v, t):
        s.last_use[v] = t

    @staticmethod
    def rank(s, v):
        {comment}
        return {rank}
'''
SCAN = Instance(star(3), 2, (1, 2, 3, 1, 2))


def write_policy(folder: Path, rank: str, sign: int = 1, comment: str = "pass") -> type[Policy]:
    """Write the file again, and import it as a fresh process would."""
    file = folder / "edited_policy.py"
    file.write_text(POLICY.format(rank=rank, sign=sign, comment=comment), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("edited_policy", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), module.__dict__)
    sys.modules["edited_policy"] = module
    policy: type[Policy] = module.Edited
    return policy


def test_editing_a_hook_changes_the_kernel(tmp_path: Path) -> None:
    oldest = write_policy(tmp_path, "SIGN * s.last_use[v]")
    before = replay(SCAN.trace, 2, oldest, victims=True).victims.tolist()
    newest = write_policy(tmp_path, "SIGN * -s.last_use[v]")
    after = replay(SCAN.trace, 2, newest, victims=True).victims.tolist()
    assert (before, after) == ([1, 2, 3], [2, 1])


def test_editing_a_constant_changes_the_kernel(tmp_path: Path) -> None:
    oldest = write_policy(tmp_path, "SIGN * s.last_use[v]", sign=1)
    before = codegen.kernel_source(oldest, "ranked", Trait.NONE)
    newest = write_policy(tmp_path, "SIGN * s.last_use[v]", sign=-1)
    after = codegen.kernel_source(newest, "ranked", Trait.NONE)
    assert before != after
    assert replay(SCAN.trace, 2, newest, victims=True).victims.tolist() == [2, 1]


def test_a_comment_compiles_nothing_new(tmp_path: Path) -> None:
    plain = write_policy(tmp_path, "s.last_use[v]")
    source = codegen.kernel_source(plain, "ranked", Trait.NONE)
    assert source == codegen.kernel_source(
        write_policy(tmp_path, "s.last_use[v]  # oldest first"), "ranked", Trait.NONE
    )


def test_traits_and_policies_have_kernels_of_their_own() -> None:
    sources = {
        codegen.kernel_source(LeafLRU, "ranked", Trait.TOUCH),
        codegen.kernel_source(LeafLRU, "ranked", Trait.NONE),
        codegen.kernel_source(LeafLFU, "ranked", Trait.TOUCH),
        codegen.kernel_source(RLT, "weighted", RLT.traits),
        codegen.kernel_source(RLT, "weighted", Trait.PHASES),
    }
    assert len(sources) == 5


IN_ANOTHER_PROCESS = """
import json
from kvtheory.engine.codegen import cache_dir, load_kernel
from kvtheory.engine.kernel import replay
from kvtheory.policies.lfu import LeafLFU
from kvtheory.testing.instances import Instance, star
found = replay(Instance(star(3), 2, (1, 2, 3, 1, 2)).trace, 2, LeafLFU, victims=True)
stats = load_kernel(LeafLFU, "ranked", LeafLFU.traits).replay.stats
counts = [sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]
kinds = (".py", ".nbi", ".nbc")
files = [str(p.relative_to(cache_dir())) for p in cache_dir().rglob("*.*") if p.suffix in kinds]
print(json.dumps([*counts, found.victims.tolist(), sorted(files)]))
"""


@needs_jit
def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "KVTHEORY_CACHE_DIR": str(tmp_path)}
    runs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(json.loads(done.stdout))
    (hits, misses, victims, files), (hits_after, misses_after, victims_after, files_after) = runs
    assert (hits, misses) == (0, 1)
    assert (hits_after, misses_after) == (1, 0)
    assert victims == victims_after
    assert files == files_after
    assert sum(name.endswith(".py") for name in files) == 1


class Helper(Policy):
    """Calls a function of its module."""

    name = "helper"

    @staticmethod
    def rank(s: object, v: int) -> int:
        return help_out(v)


def help_out(v: int) -> int:
    return v


FACTOR = 0.5
TABLE = [1, 2]
MARGIN = -2
size = range  # shares its name with nothing but a column


class Fraction(Policy):
    """Reads a float."""

    name = "fraction"

    @staticmethod
    def rank(s: object, v: int) -> int:
        return int(FACTOR * v)


class Table(Policy):
    """Reads a list."""

    name = "table"

    @staticmethod
    def weight(s: object, v: int) -> int:
        return TABLE[0]


class Unknown(Policy):
    """Reads a name that is nowhere."""

    name = "unknown"

    @staticmethod
    def rank(s: object, v: int) -> int:
        return nowhere  # type: ignore[name-defined]  # noqa: F821


class Lambda(Policy):
    """A hook that is no function definition."""

    name = "lambda"
    rank = staticmethod(lambda s, v: 0)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Helper, "reads 'help_out': only integer constants"),
        (Fraction, "reads 'FACTOR': only integer constants"),
        (Table, "reads 'TABLE': only integer constants"),
        (Unknown, "reads unknown names: .'nowhere'"),
        (Lambda, "must be written with def|define it with def"),
    ],
)
def test_hooks_read_integers_alone(policy: type[Policy], message: str) -> None:
    template = "weighted" if policy.randomised() else "ranked"
    with pytest.raises(PolicyError, match=message):
        codegen.kernel_source(policy, template, policy.traits)
    with pytest.raises(PolicyError, match=message):
        replay(SCAN.trace, 2, policy)


def test_constants_are_written_out() -> None:
    """As names they could meet the template's own (HAS_HOOKS, COLUMNS, TOUCH)."""

    def rank(s, v):  # type: ignore[no-untyped-def]
        return MARGIN**2 + s.size[v] - MARGIN

    source = codegen.hook_source(rank, "rank_of")
    assert source == "@njit\ndef rank_of(s, v):\n    return (-2) ** 2 + s.size[v] - -2"


def test_a_hook_without_source_is_refused() -> None:
    scope: dict[str, object] = {}
    exec("def rank(s, v):\n    return 0", scope)
    with pytest.raises(PolicyError, match="define it with def, in a file"):
        codegen.hook_source(scope["rank"], "rank")  # type: ignore[arg-type]


def test_the_cache_folder_follows_its_variable_or_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVTHEORY_CACHE_DIR", str(tmp_path / "here"))
    assert codegen.cache_dir() == tmp_path / "here" / "kvtheory" / "kernels"
    monkeypatch.delenv("KVTHEORY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    assert codegen.cache_dir() == tmp_path / "there" / "kvtheory" / "kernels"
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("KVTHEORY_CACHE_DIR", str(blocked))
    assert codegen.cache_dir().is_dir()
    assert blocked not in codegen.cache_dir().parents


def test_templates_are_modules_around_stand_ins() -> None:
    import kvtheory.engine.templates.ranked as ranked
    import kvtheory.engine.templates.weighted as weighted

    assert all(isinstance(module, ModuleType) and callable(module.replay) for module in (ranked, weighted))


RACE = """
import gc, sys
from concurrent.futures import ThreadPoolExecutor
from kvtheory.engine.codegen import load_kernel
from kvtheory.registry import select_policies

policies = select_policies("lru,fifo,rlt,slru,gdsf,lfu")
sys.setswitchinterval(1e-6)
gc.set_threshold(50, 2, 2)
gc.callbacks.append(lambda phase, info: sum(range(300)))  # a collection while parsing lets other threads in


def load(policy):
    return [load_kernel(policy, template, policy.traits) for template in ("live", "fleet")]


with ThreadPoolExecutor(4) as threads:
    for first, again in zip(threads.map(load, policies), threads.map(load, policies)):
        assert first == again
"""


def test_threads_load_kernels_together():
    """A Dask worker with two threads died of it: CPython 3.11 counts the depth of all parsers together."""
    subprocess.run([sys.executable, "-c", RACE], check=True, timeout=300)
