"""vLLM's own tests of its prefix cache, run over our pool: `python tests/on_vllm/stock_tests.py`.

They come from vLLM's source distribution, fetched from the package index that pip uses and held to its
SHA-256; nothing of them is copied here. They run twice, with vLLM's own pool and with the policy lru given to
every KVCacheManager that can take one; what passes there must pass here. `ALLOWED` names the tests that may
differ, and why; an allowed one that passes is an error, too. Tests that want a model from the hub fail both
times.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

VERSION = "0.32.0"
SHA256 = "d2c957d5eee3d0985012151315ddc62cbe0cd368fc96a5fc3510438d9dddf2ad"
FOLDER = Path(__file__).parents[2] / "build" / "stock_tests"
FILES = (
    "test_prefix_caching.py",
    "test_single_type_kv_cache_manager.py",
    "test_kv_cache_metrics.py",
    "test_deferred_block_free.py",
    "test_async_scheduler.py",
    "test_scheduler.py",
)
ALLOWED: dict[str, str] = {}

PLUGIN = '''
"""Gives every KVCacheManager of the tests the policy lru."""
import pytest
from vllm.v1.core.block_pool import BlockPool
from vllm.v1.core.kv_cache_manager import KVCacheManager
from kvtheory.live.plugin import ATTENTION, Settings
from kvtheory.registry import policies

given = 0


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    from kvtheory.live.pool import LiveManager, LivePool
    original = KVCacheManager.__init__

    def initialise(self, kv_cache_config, *args, **kwargs):
        global given
        original(self, kv_cache_config, *args, **kwargs)
        groups = kv_cache_config.kv_cache_groups
        pool = self.block_pool
        if type(self) is KVCacheManager and self.enable_caching and len(groups) == 1:
            spec = groups[0].kv_cache_spec
            if type(spec).__name__ in ATTENTION and not spec.sliding_window and pool.num_gpu_blocks > 2:
                if pool.hash_block_size == spec.block_size and type(pool) is BlockPool:
                    pool.__class__, self.__class__ = LivePool, LiveManager
                    pool.adopt(policies()["lru"], 0)
                    given += 1

    monkeypatch.setattr(KVCacheManager, "__init__", initialise)
    yield


def pytest_sessionfinish():
    print(f"\\nmanagers under our lru: {given}")
'''


def fetch() -> Path:
    """The tests of vLLM's source distribution, unpacked; kept from an earlier run."""
    unpacked = FOLDER / f"vllm-{VERSION}"
    if unpacked.exists():
        return unpacked
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = os.environ.get("PIP_INDEX_URL")
    index = index or subprocess.run(pip, capture_output=True, text=True, check=False).stdout.strip()
    page = urllib.request.Request(
        f"{(index or 'https://pypi.org/simple').rstrip('/')}/vllm/",
        headers={"Accept": "application/vnd.pypi.simple.v1+json"},
    )
    with urllib.request.urlopen(page, timeout=120) as answer:
        files = json.load(answer)["files"]
    url = next(file["url"] for file in files if file["filename"] == f"vllm-{VERSION}.tar.gz")
    with urllib.request.urlopen(url, timeout=300) as answer:
        data = answer.read()
    if (digest := hashlib.sha256(data).hexdigest()) != SHA256:
        raise SystemExit(f"vllm-{VERSION}.tar.gz has the SHA-256 {digest}, not {SHA256}")
    archive = FOLDER / "vllm.tar.gz"
    archive.write_bytes(data)
    with tarfile.open(archive) as tar:
        wanted = [
            m
            for m in tar.getmembers()
            if m.name.split("/", 1)[1:][0:1] and m.name.split("/", 1)[1].startswith("tests/")
        ]
        tar.extractall(FOLDER, members=wanted, filter="data")
    archive.unlink()
    return unpacked


OPT_125M = {
    "architectures": ["OPTForCausalLM"],
    "model_type": "opt",
    "hidden_size": 768,
    "ffn_dim": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
    "word_embed_proj_dim": 768,
    "torch_dtype": "float16",
}


def main() -> int:
    """Run them; 0 if exactly the allowed ones differ."""
    source = fetch()
    (FOLDER / "our_lru.py").write_text(PLUGIN, encoding="utf-8")
    model = source / "facebook" / "opt-125m"  # a path before it is a name on the hub
    model.mkdir(parents=True, exist_ok=True)
    (model / "config.json").write_text(json.dumps(OPT_125M), encoding="utf-8")
    stock, _ = run(source)
    ours, given = run(source, "-p", "our_lru")
    lost = stock - ours
    print(f"vLLM's pool passes {len(stock)}, ours {len(ours)}; {given} managers were given our lru")
    for name in sorted(lost - set(ALLOWED)):
        print(f"FAILED, and is not allowed to: {name}")
    for name in sorted(set(ALLOWED) & ours):
        print(f"passed, and is on the list of those that fail: {name}")
    return int(bool(lost - set(ALLOWED) or set(ALLOWED) & ours or len(stock) < 300 or not given))


def run(source: Path, *options: str) -> tuple[set[str], int]:
    """The tests that pass, and how many managers were given our lru."""
    report = FOLDER / "report.xml"
    report.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "-o", "addopts=", "-o", "filterwarnings=",
        f"--rootdir={source}", "--noconftest", f"--junitxml={report}", *options,
        *(f"tests/v1/core/{name}" for name in FILES), *sys.argv[1:],
    ]  # fmt: skip
    paths = {"PYTHONPATH": f"{FOLDER}:{source}", "VLLM_PLUGINS": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=source, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    if not report.exists():
        raise SystemExit(done.stdout + done.stderr)
    given = re.findall("managers under our lru: ([0-9]+)", done.stdout)
    passed = set()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if all(case.find(trouble) is None for trouble in ("failure", "error", "skipped")):
            passed.add(f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}")
    return passed, int(given[0]) if given else 0


if __name__ == "__main__":
    sys.exit(main())
