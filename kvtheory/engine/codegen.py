"""Writes a policy's kernel: one module holding its hooks' source and a template, named by their hash.

Hooks handed to a compiled kernel as arguments never reach numba's on-disk cache in a later process, and
hooks imported by a cached module stay stale after an edit. A generated file has neither fault: an edited
hook is another file, and a file that was compiled once is loaded by every later process.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numba

from kvtheory._numba import cache_dir
from kvtheory.errors import PolicyError
from kvtheory.policy import Policy, Trait

HOOKS = ("on_access", "on_insert", "on_evict")
NO_HOOK = "def {name}(s, v, t):\n    pass"


def hook_source(hook: Callable[..., Any], name: str) -> str:
    """Source of a hook as a plain function called `name`, the integer constants it reads written out.

    Raises:
        PolicyError: if the source cannot be found, or the hook reads anything but integers from outside.
    """
    try:
        if hook.__code__.co_filename == "<string>":  # from Python 3.13 on, that is what `python -c` was given
            raise OSError("defined by a string")
        tree = ast.parse(textwrap.dedent(inspect.getsource(hook)))
    except (AttributeError, OSError, SyntaxError, TypeError) as error:
        raise PolicyError(f"no source for hook {name}: define it with def, in a file") from error
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        raise PolicyError(f"hook {name} must be written with def")
    read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    outside = inspect.getclosurevars(hook)  # its globals include what only shares an attribute's name
    constants = {}
    for key, value in sorted({**outside.globals, **outside.nonlocals}.items()):
        if key not in read:
            continue
        if not isinstance(value, int):
            raise PolicyError(f"hook {name} reads '{key}': only integer constants may come from outside")
        constants[key] = ast.parse(repr(int(value)), mode="eval").body
    if outside.unbound & read:
        raise PolicyError(f"hook {name} reads unknown names: {sorted(outside.unbound & read)}")
    function.name, function.decorator_list, function.returns = name, [], None
    for argument in function.args.args:
        argument.annotation = None
    return "@njit\n" + ast.unparse(_Inline(constants).visit(function))


class _Inline(ast.NodeTransformer):
    """Writes constants where they are read: as names they could meet a name of the template's."""

    def __init__(self, constants: dict[str, ast.expr]) -> None:
        self.constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.constants.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def kernel_source(policy: type[Policy], template: str, traits: Trait) -> str:
    """Text of the generated module for `policy` on `template` (`ranked`, `weighted`, `live` or `fleet`).

    Raises:
        PolicyError: if a hook cannot be compiled, or reads marks without PHASES: the kernel would keep none.
    """
    text = template_text(template)
    start, end = _import_of("hooks", text)
    columns = list(policy.columns)
    lines = [f"{name} = {bool(value)}" for name, value in switches(policy, traits).items()]
    lines += [f"COLUMNS = {len(columns)}", "from typing import Any, NamedTuple", "class State(NamedTuple):"]
    lines += [f"    {name}: Any" for name in [*columns, "marked"]]
    row = ", ".join([*(f"columns[{i}]" for i in range(len(columns))), "marked"])
    lines += ["@njit", "def make_state(columns, marked):", f"    return State({row})"]
    lines += ["@njit", "def reset(s, v):", *([f"    s.{name}[v] = 0" for name in columns] or ["    pass"])]
    for name in HOOKS:
        hook = getattr(policy, name)
        lines.append(hook_source(hook, name) if hook else "@njit\n" + NO_HOOK.format(name=name))
    if policy.rank is not None:
        lines.append(hook_source(policy.rank, "rank_of"))
        value = "rank_of(s, v)" if _rank_is_tuple(policy) else "(rank_of(s, v),)"
        lines += ["@njit", "def rank(s, v):", f"    return {value}"]
    else:
        lines += ["@njit", "def rank(s, v):", "    return (0,)"]
    if policy.weight is not None:
        lines.append(hook_source(policy.weight, "weight"))
    else:
        lines += ["@njit", "def weight(s, v):", "    return 1"]
    written = "\n".join(lines)
    reads = {node.attr for node in ast.walk(ast.parse(written)) if isinstance(node, ast.Attribute)}
    if "marked" in reads and Trait.PHASES not in traits:
        raise PolicyError(f"{policy.name} reads marked, but PHASES is not declared")
    return text[:start] + written + "\n" + text[end:]


def template_text(template: str) -> str:
    """Source of a template, with the template it builds on written out where it is imported."""
    text = (Path(__file__).parent / "templates" / f"{template}.py").read_text(encoding="utf-8")
    if "from kvtheory.engine.templates.live import (" not in text:
        return text
    start, end = _import_of("live", text)
    below = template_text("live").replace("from __future__ import annotations\n", "")
    return text[:start] + below + text[end:]


def _import_of(module: str, text: str) -> tuple[int, int]:
    """Where the import of a template's part begins and ends."""
    start = text.index(f"from kvtheory.engine.templates.{module} import (")
    return start, text.index(")\n", start) + 2


def switches(policy: type[Policy], traits: Trait) -> dict[str, bool]:
    """What a template is told of a policy: policies that agree in all of it differ in nothing but hooks."""
    return {
        "HAS_HOOKS": any(getattr(policy, name) for name in HOOKS),
        "RANKED": policy.rank is not None,
        "RECENCY": Trait.RECENCY in traits,
        "TOUCH": Trait.TOUCH in traits,
        "BINARY": Trait.BINARY in traits,
        "PHASES": Trait.PHASES in traits,
        "FULL": Trait.FULL in traits,
    }


def _rank_is_tuple(policy: type[Policy]) -> bool:
    assert policy.rank is not None
    state = SimpleNamespace(**{name: [0] for name in policy.columns}, marked=[0])
    return isinstance(policy.rank(state, 0), tuple)


_LOADED: dict[Any, ModuleType] = {}
_WRITING = threading.RLock()  # a Dask worker has threads; CPython 3.11's ast takes one at a time (gh-106905)


def load_kernel(policy: type[Policy], template: str, traits: Trait) -> ModuleType:
    """Compile, or load what was compiled before; the module's `replay` is the kernel."""
    key = (policy, template, traits)
    return _loaded(key, f"{policy.name}_{template}", lambda: kernel_source(policy, template, traits))


def list_kernel_source(hooks: ModuleType) -> str:
    """Text of the module that replays under an object's kernel: the template, its hooks those of a module.

    It imports them and holds a hash of their source, for numba would not see an edit there.
    """
    text = template_text("lists")
    start, end = _import_of("list_hooks", text)
    digest = hashlib.sha256(inspect.getsource(hooks).encode()).hexdigest()
    imported = text[start:end].replace("kvtheory.engine.templates.list_hooks", hooks.__name__)
    return f"{text[:start]}{imported}# {digest}\n{text[end:]}"


def load_list_kernel(hooks: ModuleType) -> ModuleType:
    """The same as :func:`load_kernel` for an object's kernel."""
    return _loaded(hooks, f"{hooks.__name__}_lists", lambda: list_kernel_source(hooks))


def _loaded(key: Any, title: str, write: Callable[[], str]) -> ModuleType:
    with _WRITING:
        if key not in _LOADED:
            _LOADED[key] = _load(title, write())
    return _LOADED[key]


def _load(title: str, source: str) -> ModuleType:
    digest = hashlib.sha256(f"{numba.__version__}\n{source}".encode()).hexdigest()[:16]
    safe_name = "".join(c if c.isalnum() else "_" for c in title)
    name = f"kvtheory_kernel_{safe_name}_{digest}"
    file = cache_dir() / f"{name}.py"
    if not file.exists() or file.read_text(encoding="utf-8") != source:
        handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(source)
        Path(temporary).replace(file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
