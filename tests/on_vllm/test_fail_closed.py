"""Whatever the plugin cannot honour stops the engine with one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kvtheory.errors import InputError
from kvtheory.live import plugin

vllm = pytest.importorskip("vllm")


def scheduler(**changes: Any) -> Any:
    """What `activate` looks at in a scheduler that it accepts, with changes."""
    from vllm.v1.core.block_pool import BlockPool
    from vllm.v1.core.kv_cache_manager import KVCacheManager

    pool = BlockPool(num_gpu_blocks=10, enable_caching=True, hash_block_size=32)
    manager = object.__new__(KVCacheManager)
    manager.block_pool, manager.enable_caching = pool, True
    spec = changes.pop("spec", type("FullAttentionSpec", (), {"block_size": 32, "sliding_window": None})())
    groups = changes.pop("groups", [SimpleNamespace(kv_cache_spec=spec)])
    fields = {
        "kv_cache_manager": manager,
        "kv_cache_config": SimpleNamespace(kv_cache_groups=groups),
        "connector": None,
        **changes,
    }
    return SimpleNamespace(**fields)


def settings(name: str = "rlt") -> plugin.Settings:
    from kvtheory.registry import policies

    return plugin.Settings(policies()[name], 0)


def test_the_scheduler_of_these_tests_is_accepted() -> None:
    found = scheduler()
    plugin.activate(found, settings())
    assert plugin.status(found)["policy"] == "rlt"  # type: ignore[index]


def test_unknown_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVTHEORY_POLICY", "lrv")
    with pytest.raises(InputError, match="no policy is named 'lrv'; did you mean 'lru'"):
        plugin.register()


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_bad_seed(monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    monkeypatch.setenv("KVTHEORY_POLICY", "lru")
    monkeypatch.setenv("KVTHEORY_SEED", seed)
    with pytest.raises(InputError, match="KVTHEORY_SEED"):
        plugin.register()


def test_seed_without_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KVTHEORY_POLICY", raising=False)
    monkeypatch.setenv("KVTHEORY_SEED", "1")
    with pytest.raises(InputError, match="KVTHEORY_POLICY is not"):
        plugin.register()


@pytest.mark.parametrize("version", ["0.25.0", "0.20.2", "0.33.0", "1.0"])
def test_unsupported_version(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("KVTHEORY_POLICY", "lru")
    monkeypatch.setattr(vllm, "__version__", version)
    with pytest.raises(InputError, match=f"vLLM {version} is not supported"):
        plugin.register()


@pytest.mark.parametrize("version", ["0.25.1", "0.30.0+cpu", "0.32.0", "0.32.5rc1"])
def test_supported_version(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(vllm, "__version__", version)
    plugin.require_version()


def test_additional_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KVTHEORY_POLICY", raising=False)
    monkeypatch.delenv("KVTHEORY_SEED", raising=False)
    ask = lambda config: plugin.asked_for(SimpleNamespace(additional_config=config))  # noqa: E731
    assert ask({}) is ask(None) is None
    found = ask({"kvtheory": {"policy": "rlt", "seed": 3}})
    assert (found.policy.name, found.seed) == ("rlt", 3)
    for wrong in (
        "rlt",
        {"seed": 1},
        {"policy": "rlt", "sed": 1},
        {"policy": "rlt", "seed": True},
        {"policy": "x"},
    ):
        with pytest.raises(InputError):
            ask({"kvtheory": wrong})
    monkeypatch.setenv("KVTHEORY_POLICY", "lru")
    with pytest.raises(InputError, match="disagrees"):
        ask({"kvtheory": {"policy": "rlt"}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"connector": object()}, "KV connector"),
        ({"groups": [1, 2]}, "2 KV cache groups"),
        ({"spec": type("SlidingWindowSpec", (), {"block_size": 32})()}, "SlidingWindowSpec"),
        ({"spec": type("MambaSpec", (), {"block_size": 32})()}, "MambaSpec"),
        ({"spec": type("FullAttentionSpec", (), {"block_size": 32, "sliding_window": 128})()}, "parents"),
        (
            {"spec": type("FullAttentionSpec", (), {"block_size": 64, "sliding_window": None})()},
            "hashed in parts",
        ),
    ],
)
def test_obstacles(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=f"cannot run in this engine: .*{words}"):
        plugin.activate(scheduler(**changes), settings())


def test_a_pool_that_somebody_replaced_or_used() -> None:
    found = scheduler()
    found.kv_cache_manager.block_pool.get_new_blocks(1)
    with pytest.raises(InputError, match="8 of them free"):
        plugin.activate(found, settings())
    other = scheduler()
    other.kv_cache_manager.block_pool.__class__ = type("Mine", (type(other.kv_cache_manager.block_pool),), {})
    with pytest.raises(InputError, match="Mine"):
        plugin.activate(other, settings())


def test_a_scheduler_of_another_make_never_runs_silently() -> None:
    """The plugin never sees one that does not call vLLM's `__init__`, so the started engine is looked at."""
    found = scheduler()
    plugin.require_active(found, None)
    with pytest.raises(InputError, match="its scheduler, SimpleNamespace, does not begin"):
        plugin.require_active(found, settings())
    with pytest.raises(InputError, match="does not begin"):
        plugin.require_active(SimpleNamespace(), settings())
    plugin.activate(found, settings())
    plugin.require_active(found, settings())
    with pytest.raises(InputError, match="does not begin"):
        plugin.require_active(found, settings("lru"))
    off = scheduler()
    off.kv_cache_manager.enable_caching = False
    plugin.require_active(off, settings())


def test_an_engine_with_a_scheduler_of_another_make_stops(tmp_path: Path) -> None:
    """The whole way: the environment, a scheduler class that passes the plugin by, one clear line."""
    script = tmp_path / "serve.py"
    script.write_text(OTHER_MAKE, encoding="utf-8")
    asked = {"KVTHEORY_POLICY": "rlt", "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **asked}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode != 0
    assert "SERVED" not in done.stdout
    assert "kvtheory.errors.InputError: the policy rlt cannot run in this engine" in done.stderr


OTHER_MAKE = """
from pathlib import Path
import tempfile
from gpu_validation.engine import Engine

def main():
    from vllm.v1.core.sched.scheduler import Scheduler

    class Mine(Scheduler):
        def __init__(self, *args, **kwargs):
            Scheduler.__init__.__wrapped__(self, *args, **kwargs)

    folder = Path(tempfile.mkdtemp())
    Engine("tiny-shape", block=32, blocks=40, longest=512, folder=folder, scheduler_cls=Mine)
    print("SERVED")

if __name__ == "__main__":
    main()
"""


def test_asking_an_engine_without_the_plugin() -> None:
    with pytest.raises(InputError, match="VLLM_PLUGINS"):
        plugin.ask(SimpleNamespace(engine_core=SimpleNamespace()), "status")
