"""How fast the steering engine is, and whether batching changes an answer: `make bench-engine`; nothing here is a test.

Models, questions and the ways of answering them: `engine_arms.py`. Each way runs in a process of its own, and the processes take
turns (`--rounds`). Sampled answers are timed.

- `generate`: Hugging Face, unsteered, in batches as wide as the engine's.
- `one setting at a time`: Hugging Face with a hook on a block, a call a setting (at most six are timed: it is a rate).
- `nnsight, steered`: an invocation a row, if nnsight is installed.
- `engine`, `engine, steered`: ours, in mixed batches.

Everything runs under `runtime.prepare`: deterministic algorithms, one thread. Tokens are per second on a card, per CPU-second on a
CPU. Required is that a batch gives the same tokens twice and, of float32 on a CPU, that rows do not know their batch, and that
every way of steering gives the same greedy tokens.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from engine_arms import ARMS, REAL, SHAPES, Case, Said, build, case_of, ending, engine, hooked, shorter

from emsteer import runtime
from emsteer.generation.engine import MIN_ROWS

N_WARM_UP = 4  # tokens
STOPS = ("fixed", "natural")
NNSIGHT = "nnsight, steered"
NUMBERS = ("shape", "dtype", "stops", "K × P")


def now(device: torch.device) -> float:
    """Wall clock of a card that is done, CPU-seconds of a CPU. [s]"""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def peak_mb(device: torch.device) -> float:
    """Of this process, the model included."""
    if device.type == "cpu":
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    return torch.cuda.max_memory_allocated(device) / 1e6


def timed(options: argparse.Namespace, arm: str) -> Iterator[dict[str, Any]]:
    """One way of answering, at every point of the grid."""
    device = torch.device(options.device)
    model = build(options.shape[0], getattr(torch, options.dtype[0]), device)
    for stops in options.stops:
        for sizes in options.grid:
            case = case_of(ending(model, stops), sizes, options.tokens)
            ARMS[arm](shorter(case, N_WARM_UP), 1)
            start = now(device)
            said = ARMS[arm](case, 1)
            took = now(device) - start
            yield {
                **dict(zip(NUMBERS, (options.shape[0], options.dtype[0], stops, "{} × {}".format(*sizes)), strict=True)),
                "arm": arm,
                "n_said": sum(map(len, said)),
                "rate": (sum(map(len, said)) + sum(len(of) < options.tokens for of in said)) / took,  # ends are tokens too
                "peak_mb": peak_mb(device),
            }


def in_processes(options: argparse.Namespace, shape: str, dtype: str) -> pd.DataFrame:
    """Every way in a process of its own, each round beginning with another one: medians of tokens a second."""
    names = options.arms
    rows: list[dict[str, Any]] = []
    for index in range(options.rounds):
        for arm in [*names[index % len(names) :], *names[: index % len(names)]]:
            grid = [f"{n_settings}x{n_prompts}" for n_settings, n_prompts in options.grid]
            command = [sys.executable, __file__, "--arm", arm, "--shape", shape, "--dtype", dtype, "--device", options.device]
            command += ["--tokens", str(options.tokens), "--grid", *grid, "--stops", *options.stops]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            rows += [json.loads(line) for line in lines]
    found = pd.DataFrame(rows).groupby([*NUMBERS, "arm"], sort=False)
    table = found.agg(rate=("rate", "median"), slowest=("rate", "min"), fastest=("rate", "max"), peak_mb=("peak_mb", "max"))
    for name, of in (("over_generate", "generate"), ("over_one_at_a_time", "one setting at a time")):
        table[name] = table["rate"] / table["rate"].xs(of, level="arm")
    return table.reset_index()


def in_columns(table: pd.DataFrame) -> str:
    """Tokens a second, times those of Hugging Face's `generate` and of one setting at a time, and memory [MB]: arm by case."""
    lines = []
    for name in ("rate", "over_generate", "over_one_at_a_time", "peak_mb"):
        wide = table.pivot_table(index="arm", columns=["stops", "K × P"], values=name, sort=False)
        lines.append(f"{name}\n{wide.to_string(float_format=('{:,.2f}' if name.startswith('over') else '{:,.0f}').format)}")
    return "\n".join(lines)


def flips(case: Case, n_alone: int, is_strict: bool) -> Iterator[dict[str, Any]]:
    """The laws; at most `n_alone` rows of all settings are answered alone. `is_strict`: what the engine promises is required."""
    model, rows, n_prompts, n_tokens = case.model, case.rows(case.settings), len(case.prompts), case.n_tokens
    chosen = list(range(0, len(rows), max(1, len(rows) // n_alone)))[:n_alone]
    for name, temperature in (("greedy", 0), ("sampled", 1)):

        def law(what: str, one: Sequence[Said], other: Sequence[Said], required: bool, name: str = name) -> dict[str, Any]:
            return {"law": f"{name}: {what}", **compared(one, other), "required": required}

        together = engine(model, rows, temperature, n_tokens)
        some = [together[index] for index in chosen]
        yield law("the batch again", together, engine(model, rows, temperature, n_tokens), True)
        starts = range(0, len(rows), MIN_ROWS)
        few = [said for start in starts for said in engine(model, rows[start : start + MIN_ROWS], temperature, n_tokens)]
        yield law(f"{MIN_ROWS} at a time", together, few, is_strict)
        yield law("the row alone", some, [engine(model, [rows[i]], temperature, n_tokens)[0] for i in chosen], is_strict)
        yield law("base beside dose 0", together[:n_prompts], together[n_prompts : 2 * n_prompts], is_strict)
        if temperature == 0:
            alone = [said for one in case.settings for said in hooked(model, one, case.prompts, 0, n_tokens)]
            yield law("generate and a hook, one setting at a time", together, alone, is_strict)
            if NNSIGHT in ARMS:
                yield law("nnsight", together, ARMS[NNSIGHT](case, 0), is_strict)


def compared(one: Sequence[Said], other: Sequence[Said]) -> dict[str, int]:
    """Rows that differ, and tokens; of `until`, tokens up to the first that differs, that one included."""
    differs = [[a != b for a, b in zip_longest(*pair)] for pair in zip(one, other, strict=True)]
    return {
        "rows": len(differs),
        "rows_differ": sum(map(any, differs)),
        "tokens": sum(map(len, differs)),
        "tokens_differ": sum(map(sum, differs)),
        "until": sum(row.index(True) + 1 if any(row) else len(row) for row in differs),
    }


def point(text: str) -> tuple[int, int]:
    """K and P of `KxP`."""
    n_settings, _, n_prompts = text.partition("x")
    return int(n_settings), int(n_prompts)


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="How fast the engine is, and whether batching changes an answer.")
    parser.add_argument("--shape", nargs="+", choices=(*SHAPES, *REAL), default=["tiny"])
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default=runtime.device().type, help="left out: a card, where there is one"
    )
    parser.add_argument(
        "--grid", nargs="+", type=point, default=[(12, 1), (12, 4), (12, 24)], metavar="KxP", help="settings x prompts"
    )
    parser.add_argument("--tokens", type=int, default=64, help="of every answer, at most")
    parser.add_argument("--stops", nargs="+", choices=STOPS, default=["fixed"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=[*ARMS], default=[*ARMS])
    parser.add_argument("--laws", type=point, default=(12, 4), metavar="KxP", help="where laws are held against answers")
    parser.add_argument("--alone", type=int, default=12, help="rows that are answered alone")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--arm", choices=[*ARMS], help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Prints the tables; 1: what is required does not hold."""
    options = asked()
    runtime.prepare()
    if options.arm:
        for row in timed(options, options.arm):
            print(json.dumps(row), flush=True)
        return 0
    device = torch.device(options.device)
    where, unit = ("CPU", "CPU-second") if device.type == "cpu" else (torch.cuda.get_device_name(device), "second")
    print(f"{where}; at most {options.tokens} tokens an answer; rates in tokens a {unit}\n", flush=True)
    speeds, held = [], []
    for shape in options.shape:
        for dtype in options.dtype:
            speeds.append(in_processes(options, shape, dtype))
            print(f"{shape}, {dtype}\n{in_columns(speeds[-1])}\n", flush=True)
            case = case_of(ending(build(shape, getattr(torch, dtype), device), "fixed"), options.laws, options.tokens)
            laws = pd.DataFrame(flips(case, options.alone, device.type == "cpu" and dtype == "float32"))
            print(f"{laws.to_string(index=False)}\n", flush=True)
            held.append(laws.assign(shape=shape, dtype=dtype))
    tables = {"speeds": pd.concat(speeds), "held": pd.concat(held)}
    if options.json:
        numbers = vars(options) | {"device": where, "torch": torch.__version__}
        numbers |= {name: table.to_dict("records") for name, table in tables.items()}
        options.json.write_text(json.dumps(numbers, indent=1, default=str) + "\n", encoding="utf-8")
    broken = tables["held"].query("required and rows_differ")
    print("what is required holds" if broken.empty else f"does not hold:\n{broken.to_string(index=False)}")
    return int(not broken.empty)


if __name__ == "__main__":
    sys.exit(main())
