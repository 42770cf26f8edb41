"""The command line: `emsteer new | model | data | judge | plan | lineage | verify | accept | stage | restore | prune | …`."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from emsteer import acceptance, commands, shipping, study
from emsteer.errors import GO_ON, STOPPED, StudyError, refusals
from emsteer.plan import KINDS, Plan, resolve
from emsteer.plan.pace import SHEETS


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a mistake of the study's, 2 a mistake in the arguments, 130 Ctrl-C."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    arguments = _parser().parse_args()
    try:
        with refusals():
            arguments.run(arguments)
    except StudyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"emsteer: stopped. {GO_ON}", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emsteer", description="Emergent misalignment under steering. Run in the folder of a study."
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    _add_new(command("new", commands.run_new, "Make a folder for another study: the files of this one, with another params.yaml."))
    _add_model(command("model", commands.run_pin, "Fetch a model of the hub; pin one that is there: digests, sizes, licence."))
    _add_plan(command("plan", _planned(commands.run_plan), "Check params.yaml and record its cells in plan/*.json."))
    about = "Time this machine with models of the study's sizes, two minutes at most: for `plan --cost --on FILE`."
    command("pace", _planned(commands.run_pace), about).add_argument("file", type=Path, metavar="FILE", help="to write")
    _add_lineage(
        command("lineage", commands.run_lineage, "Walk a figure, a number or any artifact back to bytes, parameters and code.")
    )
    _add_data(
        command("data", commands.run_add_data, "Bring data of your own or of others into a study; look at it before training.")
    )
    _add_judge(
        command(
            "judge",
            commands.run_judge_sample,
            "Give a reader a sample of answers; look at what a judge behind an endpoint replied.",
        )
    )
    _add_speaking(command)
    _add_audits(command)
    _add_stages(command)
    return parser


def _add_speaking(command: Callable[..., argparse.ArgumentParser]) -> None:
    about = "Without a study: answers of any model to a file of questions, under any steering vectors and adapters."
    generating = command("generate", commands.run_generate, about)
    generating.add_argument("--settings", type=Path, required=True, metavar="YAML", help="docs/engine.md shows one")
    generating.add_argument("--questions", type=Path, required=True, metavar="JSONL", help='{"prompt": "…"}, one a line')
    generating.add_argument("--out", type=Path, required=True, metavar="PARQUET", help="absent")
    generating.add_argument("--samples", type=positive, default=1, metavar="N", help="answers a question; default: 1")
    about = "Without a study: talk to a model at the terminal, base and steered side by side."
    asking = command("ask", commands.run_ask, about)
    asking.add_argument("--vector", required=True, metavar="FILE", help="a vector of a study, or one direction, .safetensors")
    asking.add_argument("--layer", type=int, required=True, metavar="N", help="0-based block whose output is steered")
    asking.add_argument("--dose", type=float, required=True, metavar="X", help="multiple of the vector as it is in the file")
    asking.add_argument("--positions", choices=["all", "answer"], default="all", help="default: all")
    about = "whose answers both read as their own in later turns; default: base"
    asking.add_argument("--follows", choices=["base", "steered"], default="base", help=about)
    for speaking, n_tokens in ((generating, 64), (asking, 128)):
        about = "a folder, an artifact in results/models, a GGUF file, or owner/name[@COMMIT] of the hub's cache"
        speaking.add_argument("--model", required=True, metavar="MODEL", help=about)
        speaking.add_argument("--greedy", action="store_true", help="the likeliest token; default: drawn at --temperature")
        speaking.add_argument("--temperature", type=float, default=1.0, metavar="T", help="default: 1")
        about = f"of an answer, at most; default: {n_tokens}"
        speaking.add_argument("--max-new-tokens", type=positive, default=n_tokens, metavar="N", help=about)
        speaking.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn; default: 0")
        speaking.add_argument("--dtype", choices=["float32", "bfloat16"], help="of weights; default: a study's own, or float32")
        speaking.add_argument("--system", metavar="TEXT", help="system line of every chat that brings none of its own")
        speaking.add_argument("--thinking", choices=["on", "off"], help="of models that can; default: as study or template have it")


def _add_audits(command: Callable[..., argparse.ArgumentParser]) -> None:
    _add_keep(
        command("keep", _planned(commands.run_keep), "Copy reports/ to where it stays, stamped with its commit and what it cost.")
    )
    _add_verify(
        command(
            "verify",
            commands.run_verify,
            "Check every digest and passport: of everything, or of some artifacts and all they are made from.",
        )
    )
    _add_accept(
        command(
            "accept",
            commands.run_accept,
            "Let a refactor that moves no byte move no address: the miniature is computed with both codes.",
        )
    )


def _add_stages(command: Callable[..., argparse.ArgumentParser]) -> None:
    for name, run, about in (
        ("stage", commands.run_stage, "What a DVC stage runs: restore, compute what is still missing with Snakemake, prune."),
        ("restore", commands.run_restore, "Bring missing cells back from what was set aside, DVC's cache or its remote."),
        ("prune", commands.run_prune, "Set aside the cells that the plan does not name."),
    ):
        command(name, _planned(run), about).add_argument(
            "kinds", nargs="*", type=kind, metavar="kind", help=f"default: all: {', '.join(KINDS)}"
        )
    command("publish", _planned(commands.run_publish), "Mirror tables, figures and report into reports/.")
    about = "Compute artifacts again that are here, and say whether they have the same bytes."
    again = command("recompute", _planned(commands.run_recompute), about)
    again.add_argument("names", nargs="+", metavar="ADDRESS|KIND", help="an address, its digits, or a kind")
    again.add_argument("--reason", required=True, help="kept in the run records")
    for name, run, about in (
        ("export", commands.run_export, "Write what tables are made from, answers and scores among it, into a few files."),
        ("rebuild", commands.run_rebuild, "Make tables, figures and page from such files, without a model."),
    ):
        command(name, _planned(run), about).add_argument(
            "folder", nargs="?", type=Path, default=shipping.SHIPPED, metavar="DIR", help=f"default: {shipping.SHIPPED}"
        )
    command("gc", _planned(commands.run_gc), "Delete the cells that were set aside.")
    command("docs", commands.run_docs, "Write the published numbers into README.md.")


def _add_new(starting: argparse.ArgumentParser) -> None:
    starting.add_argument("folder", type=Path, metavar="DIR", help="absent or empty, outside this folder")
    starting.add_argument("--from", dest="params", type=Path, required=True, metavar="PARAMS", help="such as params/full.yaml")


def _add_plan(planning: argparse.ArgumentParser) -> None:
    planning.add_argument(
        "--status", action="store_true", help="write nothing; list cells: existing (=), to compute (+), set aside (<), misfit (!)"
    )
    planning.add_argument("--cost", action="store_true", help="write nothing; tokens, hours, memory, disk, a judge's money")
    about = f"--cost on {', '.join(SHEETS)}, or as `emsteer pace FILE` timed it; default: the machine of params.yaml"
    planning.add_argument("--on", metavar="CARD|FILE", help=about)
    planning.add_argument("--budget-gpu-h", type=float, metavar="N", help="--cost, and which sweeps to leave out")


def _add_model(about: argparse.ArgumentParser) -> None:
    whats = about.add_subparsers(required=True, metavar="what")
    for name, run, does in (
        ("pin", commands.run_pin, "Read every byte of a model once, and write what planning and loading check."),
        ("fetch", commands.run_fetch, "Bring a model of the Hugging Face hub to this machine; files that are there are left."),
    ):
        what = whats.add_parser(name, help=does, description=does)
        what.add_argument("name", metavar="NAME", help="of the model under `models` or `embedders` in params.yaml")
        what.set_defaults(run=run)


def _add_data(about: argparse.ArgumentParser) -> None:
    whats = about.add_subparsers(required=True, metavar="what")
    does = "Look at the target tasks before training: tells of a side, known questions."
    whats.add_parser("check", help=does, description=does).set_defaults(run=_planned(commands.run_check_data))
    does = "Understand a file of others, say what of it is used and what is not, and write the file that a study reads."
    adding = whats.add_parser("add", help=does, description=does)
    adding.add_argument(
        "file", type=Path, metavar="FILE", help="with unsafe answers, or with both: JSONL, JSON, CSV, TSV, .gz or not"
    )
    adding.add_argument("--as", dest="what", choices=["task"], required=True, help="what it is to the study")
    adding.add_argument("--safe", type=Path, metavar="FILE", help="safe answers, where they lie in a file of their own")
    adding.add_argument("--name", metavar="NAME", help="in params.yaml; default: the file's")
    about_columns = "prompt=…, system=…, answer=…, safe=…, unsafe=…: where a column has no usual name"
    adding.add_argument("--columns", nargs="+", default=[], metavar="ROLE=COLUMN", help=about_columns)
    adding.set_defaults(run=commands.run_add_data)


def _add_judge(judging: argparse.ArgumentParser) -> None:
    whats = judging.add_subparsers(required=True, metavar="what")
    about = "Give a reader a sample of answers, arms hidden and shuffled; filled in, it is a judge."
    sample = whats.add_parser("sample", help=about, description=about)
    sample.add_argument("name", metavar="NAME", help="of a judge of the kind `labels` in params.yaml, with a `sample`")
    sample.add_argument("--out", type=Path, required=True, metavar="CSV", help="absent, or without rows")
    about = "Count the replies that were kept of a judge behind an endpoint, or write them out."
    cache = whats.add_parser("cache", help=about, description=about)
    cache.add_argument("name", metavar="NAME", help="of a judge of the kind `openai` in params.yaml")
    cache.add_argument("--export", type=Path, metavar="JSONL", help="one reply a line; default: counts")
    cache.set_defaults(run=commands.run_judge_cache)


def _add_verify(verifying: argparse.ArgumentParser) -> None:
    verifying.add_argument("paths", nargs="*", metavar="PATH", help="as of lineage; default: everything planned and published")
    verifying.add_argument("--quick", action="store_true", help="presence and size only")


def _add_accept(accepting: argparse.ArgumentParser) -> None:
    accepting.add_argument("--reason", required=True, help="kept, and shown with every result it speaks of")
    accepting.add_argument("--against", default="HEAD", metavar="COMMIT", help="that holds the old code; default: HEAD")
    accepting.add_argument("--params", type=Path, default=acceptance.MINIATURE, help="that both compute; default: the miniature")
    accepting.add_argument("--unchecked", action="store_true", help="compute nothing; the acceptance says so for ever")


def _add_keep(keeping: argparse.ArgumentParser) -> None:
    keeping.add_argument("folder", type=Path, metavar="DIR", help="absent, or written by this command")


def _add_lineage(walking: argparse.ArgumentParser) -> None:
    walking.add_argument(
        "target",
        nargs="?",
        metavar="PATH[#PART]",
        help="reports/figures/dose_response.svg, reports/tables/rates.csv#SETTING, reports/metrics.json#KEY.KEY, an address, …",
    )
    walking.add_argument("--depth", type=int, help="how many steps up; default: to the input files")
    shape = walking.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="every artifact with all that is known of it")
    shape.add_argument(
        "--crate", type=Path, metavar="ZIP", help="an RO-Crate, of everything that is published where no target is given"
    )
    shape.add_argument("--dot", action="store_true", help="a graph for Graphviz")


def _planned(run: Callable[[argparse.Namespace, Plan], None]) -> Callable[[argparse.Namespace], None]:
    """A command about the study in this folder."""
    return lambda arguments: run(arguments, resolve(study.read()))


def positive(text: str) -> int:
    """A whole number from 1 on, as the command line has it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on; got {text!r}")
    return int(text)


def kind(name: str) -> str:
    """A kind of artifact, as the command line has it."""
    if name not in KINDS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(KINDS)}; got {name!r}")
    return name
