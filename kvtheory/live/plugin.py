"""The vLLM plugin: gives the engine's prefix cache the policy that was asked for, or stops the engine.

Asked for by `KVTHEORY_POLICY` and `KVTHEORY_SEED` in the environment, or by
`additional_config={"kvtheory": {"policy": "rlt", "seed": 0}}`. Without either nothing is replaced.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from dataclasses import dataclass
from typing import Any

from kvtheory.errors import InputError
from kvtheory.object_policy import AnyPolicy
from kvtheory.registry import every_policy, lookup

OLDEST, TOO_NEW = (0, 25, 1), (0, 33)
SUPPORTED = "vLLM 0.25.1 up to and including 0.32"
CONFIG = "kvtheory"
ATTENTION = ("FullAttentionSpec", "MLAAttentionSpec")

logger = logging.getLogger("vllm.kvtheory")


@dataclass(frozen=True)
class Settings:
    """What was asked for."""

    policy: AnyPolicy
    seed: int


def register() -> None:
    """Entry point of `vllm.general_plugins`; may run several times, in every process of the engine.

    Raises:
        InputError: if the environment asks for something that cannot be had.
    """
    if asked_by_environment() is not None:
        require_version()
    _answer_vars_of_llvmlite()
    from vllm.v1.core.sched.scheduler import Scheduler
    from vllm.v1.engine.core import EngineCore

    if hasattr(EngineCore, "kvtheory_status"):
        return
    original = Scheduler.__init__

    @functools.wraps(original)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if (settings := asked_for(self.vllm_config)) is not None:
            require_version()
            activate(self, settings)

    started = EngineCore.__init__

    @functools.wraps(started)
    def start(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> None:
        started(self, vllm_config, *args, **kwargs)
        require_active(self.scheduler, asked_for(vllm_config))

    Scheduler.__init__ = initialise
    EngineCore.__init__ = start
    EngineCore.kvtheory_status = lambda core: status(core.scheduler)
    EngineCore.kvtheory_switch = lambda core, name, seed=0: switch(core.scheduler, name, seed)


def _answer_vars_of_llvmlite() -> None:
    """Let `vars` of llvmlite's library handle be a dict.

    vLLM 0.32's CPU platform asks `vars` of every object of every module, and dies where numba was imported
    before it: the handle takes `__dict__` for the name of a C function.
    """
    ffi = sys.modules.get("llvmlite.binding.ffi")
    names = getattr(getattr(ffi, "lib", None), "_fntab", None)
    if isinstance(names, dict):
        names.setdefault("__dict__", {})


def asked_by_environment() -> Settings | None:
    """Policy and seed of the environment variables.

    Raises:
        InputError: for an unknown policy or a seed that is none.
    """
    name, seed = os.environ.get("KVTHEORY_POLICY", "").strip(), os.environ.get("KVTHEORY_SEED", "").strip()
    if not name:
        if seed:
            raise InputError("is set, but KVTHEORY_POLICY is not", field="KVTHEORY_SEED")
        return None
    if seed and not re.fullmatch("[0-9]+", seed):
        raise InputError(f"'{seed}' is not a number", field="KVTHEORY_SEED")
    return Settings(lookup(every_policy(), name, "policy"), int(seed or 0))


def asked_for(vllm_config: Any) -> Settings | None:
    """Policy and seed of the environment or of `additional_config`.

    Raises:
        InputError: if they disagree or ask for something unknown.
    """
    environment = asked_by_environment()
    config = (getattr(vllm_config, "additional_config", None) or {}).get(CONFIG)
    if config is None:
        return environment
    if not isinstance(config, dict) or set(config) - {"policy", "seed"} or "policy" not in config:
        raise InputError('must be {"policy": NAME, "seed": NUMBER}', field=f"additional_config.{CONFIG}")
    seed = config.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{seed!r} is not a number", field=f"additional_config.{CONFIG}.seed")
    settings = Settings(lookup(every_policy(), str(config["policy"]), "policy"), seed)
    if environment is not None and environment != settings:
        raise InputError("disagrees with KVTHEORY_POLICY, KVTHEORY_SEED", field=f"additional_config.{CONFIG}")
    return settings


def require_version() -> None:
    """Raise InputError unless this vLLM is one that the pool was made for."""
    import vllm

    numbers = tuple(int(part) for part in re.findall("[0-9]+", vllm.__version__.split("+")[0])[:3])
    if not OLDEST <= numbers < TOO_NEW:
        raise InputError(f"vLLM {vllm.__version__} is not supported; supported: {SUPPORTED}")


def activate(scheduler: Any, settings: Settings) -> None:
    """Give the scheduler's pool the policy.

    Raises:
        InputError: if the engine uses what the policy cannot honour.
    """
    from kvtheory.live.pool import LiveManager, LivePool

    manager = scheduler.kv_cache_manager
    if not manager.enable_caching:
        logger.warning("kvtheory: prefix caching is off, so %s has nothing to evict", settings.policy.name)
        return
    if problem := obstacle(scheduler):
        raise InputError(f"the policy {settings.policy.name} cannot run in this engine: {problem}")
    pool = manager.block_pool
    pool.__class__, manager.__class__ = LivePool, LiveManager
    pool.adopt(settings.policy, settings.seed)
    logger.info(
        "kvtheory: %s evicts, seed %d, capacity %d nodes",
        settings.policy.name,
        settings.seed,
        pool.table.capacity,
    )


def require_active(scheduler: Any, settings: Settings | None) -> None:
    """Hold an engine that has started to what was asked for: a scheduler of another make is not vLLM's.

    Raises:
        InputError: if it has a prefix cache that evicts by anything else.
    """
    if settings is None:
        return
    manager = getattr(scheduler, "kv_cache_manager", None)
    if manager is not None and not manager.enable_caching:
        return
    found = status(scheduler) if manager is not None else None
    if found is None or (found["policy"], found["seed"]) != (settings.policy.name, settings.seed):
        raise InputError(
            f"the policy {settings.policy.name} cannot run in this engine: its scheduler, "
            f"{type(scheduler).__name__}, does not begin as vLLM's does"
        )


def obstacle(scheduler: Any) -> str | None:
    """Why no policy can run in this engine; None if one can."""
    from vllm.v1.core.block_pool import BlockPool
    from vllm.v1.core.kv_cache_manager import KVCacheManager

    manager = scheduler.kv_cache_manager
    pool, groups = manager.block_pool, scheduler.kv_cache_config.kv_cache_groups
    if type(manager) is not KVCacheManager or type(pool) is not BlockPool:
        return f"something else has replaced its pool by {type(manager).__name__}, {type(pool).__name__}"
    if len(groups) != 1:
        return f"it has {len(groups)} KV cache groups (hybrid attention), whose blocks form no single tree"
    spec = groups[0].kv_cache_spec
    if type(spec).__name__ not in ATTENTION or getattr(spec, "sliding_window", None):
        return f"its attention ({type(spec).__name__}) caches children without their parents"
    if getattr(scheduler, "connector", None) is not None:
        return "a KV connector (offloading, prefill/decode) walks the free queue as an order of its own"
    if pool.hash_block_size != spec.block_size:
        return f"blocks of {spec.block_size} tokens are hashed in parts of {pool.hash_block_size}"
    if pool.num_gpu_blocks < 3 or pool.get_num_free_blocks() != pool.num_gpu_blocks - 1:
        return f"{pool.num_gpu_blocks} blocks, {pool.get_num_free_blocks()} of them free, at the start"
    return None


def status(scheduler: Any) -> dict[str, Any] | None:
    """What the policy has done in this engine, None if none is active; the keys are `LivePool.status`'s."""
    report = getattr(scheduler.kv_cache_manager.block_pool, "status", None)
    return report() if report else None


def switch(scheduler: Any, name: str | None, seed: int = 0) -> dict[str, Any] | None:
    """Empty the prefix cache and give it another policy, or with None vLLM's own; return the status.

    Raises:
        InputError: if a request is running, the name is unknown, or no policy can run in this engine.
    """
    from vllm.v1.core.block_pool import BlockPool
    from vllm.v1.core.kv_cache_manager import KVCacheManager

    settings = Settings(lookup(every_policy(), name, "policy"), seed) if name else None
    manager = scheduler.kv_cache_manager
    if not manager.reset_prefix_cache():
        raise InputError("requests are running: the policy can be changed only when none is")
    manager.block_pool.__class__, manager.__class__ = BlockPool, KVCacheManager
    if settings:
        if not manager.enable_caching:
            raise InputError(f"prefix caching is off, so {name} has nothing to evict")
        activate(scheduler, settings)
    return status(scheduler)


def ask(client: Any, method: str, *arguments: Any) -> Any:
    """Call `status` or `switch` in the engine core behind `llm.llm_engine.engine_core`, wherever it runs.

    A plugin that `VLLM_PLUGINS` leaves out cannot object, so that whoever relies on a policy must ask.

    Raises:
        InputError: if the plugin is not in that engine.
    """
    name = f"kvtheory_{method}"
    try:
        if hasattr(client, "engine_core"):
            return getattr(client.engine_core, name)(*arguments)
        return client.call_utility(name, *arguments)
    except Exception as error:
        if name in str(error) and "attribute" in str(error):
            raise InputError("the kvtheory plugin is not in this engine: see VLLM_PLUGINS") from error
        raise
