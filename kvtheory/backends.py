"""Where the cells of a sweep are computed: this machine's processes, Dask or Ray, all through joblib.

The answer is in the files that the tasks write, so that it cannot depend on where they ran.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal

from kvtheory.errors import InputError, KVTheoryError

Backend = Literal["local", "dask", "ray"]
MODULES = {"dask": "distributed", "ray": "ray"}
VARIABLES = {"dask": "DASK_SCHEDULER_ADDRESS", "ray": "RAY_ADDRESS"}
RAY_WORDS = ("auto", "local")
CONNECT_SECONDS = 10
OBJECT_STORE = 80 * 2**20  # Ray's least, about: tasks carry names, not data
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # Ctrl-C is for the command alone
DIED = "a worker died while computing (out of memory?): add --resume to go on with the cells that are left"


def resolve_address(backend: Backend, jobs: int, address: str | None) -> str | None:
    """Check, before any work, that a backend can be used; the address of the cluster, None to start one.

    Args:
        backend: where to compute.
        jobs: processes to start here; -1 for all cores.
        address: of a running cluster; None for what the backend's own variable of the environment says.

    Raises:
        InputError: if there are no jobs, the backend is not installed, or the three do not go together.
    """
    if jobs == 0:
        raise InputError("0 processes: give a number of them, or -1 for all cores", field="jobs")
    if backend == "local":
        if address is not None:
            raise InputError("is for --backend dask or ray", field="address")
        return None
    try:
        importlib.import_module(MODULES[backend])
    except ImportError as error:
        raise InputError(
            f"{backend} is not installed ({error}): pip install 'kvtheory[cluster]'", field="backend"
        ) from error
    found = os.environ.get(VARIABLES[backend]) if address is None else address
    if found == "" and address is not None:
        raise InputError("is empty", field="address")
    if found and jobs != -1:
        raise InputError(f"the cluster at {found} has the processes it has: leave --jobs out", field="jobs")
    if found and not (backend == "ray" and found in RAY_WORDS):
        _require_listener(found)
    return found or None


def _require_listener(address: str) -> None:
    """Ray waits for ever for a cluster that is not there."""
    parts = re.fullmatch(r"(?:[a-z]+://)?\[?([^\s/]+?)\]?:(\d{1,5})", address)
    if not parts:
        raise InputError(f"{address!r} is not HOST:PORT", field="address")
    try:
        socket.create_connection((parts[1], int(parts[2])), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(f"nothing answers at {address}: {error}", field="address") from error


def run_tasks(
    task: Callable[..., None],
    arguments: Sequence[tuple[Any, ...]],
    *,
    backend: Backend,
    jobs: int,
    address: str | None,
    progress: Callable[[int], None],
) -> None:
    """Call `task(*a)` for each `a` of `arguments`, somewhere and in any order.

    Args:
        task: what to call; importable where the workers are.
        arguments: its arguments; small, and picklable.
        backend: where to compute.
        jobs: processes to start here; -1 for all cores.
        address: of a running cluster, from :func:`resolve_address`; None to start one on this machine.
        progress: told how many calls are done.

    Raises:
        InputError: if the cluster cannot be reached.
        KVTheoryError: if workers die, or lack what the task needs.
        Exception: what a task raised.
    """
    from joblib import Parallel, delayed

    class Counted(Parallel):
        """Only lists come back from every backend, so joblib's own report of progress is what counts."""

        def print_progress(self) -> None:
            progress(self.n_completed_tasks)

    try:
        with _PLACES[backend](jobs, address) as options:
            Counted(**options)(delayed(task)(*a) for a in arguments)
    except (ModuleNotFoundError, RuntimeError) as error:
        lacks = error.__cause__ if isinstance(error, RuntimeError) else error  # Dask's wrapping
        if not isinstance(lacks, ModuleNotFoundError):
            raise
        raise KVTheoryError(f"a worker's installation differs from this one: {lacks}") from error


@contextmanager
def _local(jobs: int, address: str | None) -> Iterator[dict[str, Any]]:
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield {"n_jobs": jobs}
    except BrokenProcessPool as error:
        raise KVTheoryError(DIED) from error


@contextmanager
def _dask(jobs: int, address: str | None) -> Iterator[dict[str, Any]]:
    import dask
    from distributed import Client, KilledWorker, LocalCluster
    from distributed.client import FutureCancelledError
    from joblib import effective_n_jobs
    from joblib._dask import DaskDistributedBackend

    class DaskBackend(DaskDistributedBackend):
        """joblib's backend waits for ever for a task that Dask has given up: it is not told."""

        def submit(self, func: Any, callback: Any = None) -> Any:
            future = super().submit(func, callback)

            def tell(ended: Future[Any]) -> None:
                if callback and (error := ended.exception()):
                    callback(error)

            future.add_done_callback(tell)
            return future

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="kvtheory-dask-") as scratch:
        # a kernel holds the interpreter, so that a busy worker may be silent for long
        with dask.config.set({"distributed.scheduler.worker-ttl": None}):
            place: Any = address or LocalCluster(
                n_workers=effective_n_jobs(jobs),
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,
                local_directory=scratch,
                silence_logs=logging.CRITICAL,
                preload=DEAF,
            )
        try:
            client = Client(place, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise _unreachable("Dask scheduler", address, error) from error
        try:
            yield {"backend": DaskBackend(client=client), "n_jobs": -1, "pre_dispatch": "all"}
        except KilledWorker as error:
            raise KVTheoryError(DIED) from error
        except FutureCancelledError as error:
            raise KVTheoryError(
                "the Dask scheduler is gone: add --resume to go on with what is left"
            ) from error
        except TimeoutError as error:
            raise KVTheoryError(f"the Dask cluster at {address} has no workers") from error
        finally:
            client.close()
            if not address:
                place.close()


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[dict[str, Any]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # silences a note on accelerators
    import ray
    from joblib import effective_n_jobs, parallel_config
    from ray.util.joblib import register_ray

    own = {
        "num_cpus": effective_n_jobs(jobs),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE,
    }
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            **({} if address else own),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable("Ray cluster", address, error) from error
    try:
        register_ray()
        # the workers ask for no CPUs of Ray's, which would put all of them on one machine
        with parallel_config(backend="ray", ray_remote_args={"scheduling_strategy": "SPREAD"}):
            yield {"n_jobs": -1}
    except ray.exceptions.RayError as error:
        raise KVTheoryError(DIED) from error
    finally:
        ray.shutdown()


def _unreachable(what: str, address: str | None, error: Exception) -> KVTheoryError:
    if address is None:
        return KVTheoryError(f"a local {what} cannot be started: {error}")
    return InputError(f"no {what} answers at {address}: {error}", field="address")


_PLACES = {"local": _local, "dask": _dask, "ray": _ray}
