"""The command line: `emsteer new | model | data | judge | plan | lineage | verify | accept | stage | restore | prune | …`."""

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from emsteer import acceptance, devices, lineage, publishing, scaffold, stages, storage, study, workspace
from emsteer.errors import StudyError, listing
from emsteer.keeping import keep, note_cost, taken
from emsteer.plan import KINDS, Plan, billing, check_all_here, resolve, to_obtain
from emsteer.plan.accepted import read_accepted
from emsteer.plan.pace import SHEETS
from emsteer.report import readme
from emsteer.stages import kind
from emsteer.study import pins
from emsteer.study.models import to_pin


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a mistake of the study's, 2 a mistake in the arguments."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except StudyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emsteer", description="Emergent misalignment under steering. Run in the folder of a study."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    _add_new(command("new", _new, "Make a folder for another study: the files of this one, with another params.yaml."))
    _add_model(command("model", _pin, "Fetch a model of the hub; pin one that is there: digests, sizes, licence."))
    _add_plan(command("plan", _planned(_plan), "Check params.yaml and record its cells in plan/*.json."))
    about = "Time this machine with models of the study's sizes, two minutes at most: for `plan --cost --on FILE`."
    command("pace", _planned(_pace), about).add_argument("file", type=Path, metavar="FILE", help="to write")
    _add_lineage(command("lineage", _lineage, "Walk a figure, a number or any artifact back to bytes, parameters and code."))
    _add_check(
        command("data", _planned(_check_data), "Look at the target tasks before training: tells of a side, known questions.")
    )
    _add_judge(
        command("judge", _judge_sample, "Give a reader a sample of answers; look at what a judge behind an endpoint replied.")
    )
    _add_keep(command("keep", _planned(_keep), "Copy reports/ to where it stays, stamped with its commit and what it cost."))
    _add_verify(
        command(
            "verify", _verify, "Check every digest and passport: of everything, or of some artifacts and all they are made from."
        )
    )
    _add_accept(
        command("accept", _accept, "Let a refactor that moves no byte move no address: the miniature is computed with both codes.")
    )
    _add_stages(command)
    return parser


def _add_stages(command: Callable[..., argparse.ArgumentParser]) -> None:
    for name, run, about in (
        ("stage", _stage, "What a DVC stage runs: restore, compute what is still missing with Snakemake, prune."),
        ("restore", _restore, "Bring missing cells back from what was set aside, DVC's cache or its remote."),
        ("prune", _prune, "Set aside the cells that the plan does not name."),
    ):
        command(name, _planned(run), about).add_argument(
            "kinds", nargs="*", type=kind, metavar="kind", help=f"default: all: {', '.join(KINDS)}"
        )
    command("publish", _planned(_publish), "Mirror tables, figures and report into reports/.")
    command("gc", _planned(_gc), "Delete the cells that were set aside.")
    command("docs", _docs, "Write the published numbers into README.md.")


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
        ("pin", _pin, "Read every byte of a model once, and write what planning and loading check."),
        ("fetch", _fetch, "Bring a model of the Hugging Face hub to this machine; files that are there are left."),
    ):
        what = whats.add_parser(name, help=does, description=does)
        what.add_argument("name", metavar="NAME", help="of the model under `models` or `embedders` in params.yaml")
        what.set_defaults(run=run)


def _add_check(looking: argparse.ArgumentParser) -> None:
    looking.add_argument("what", choices=["check"])


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
    cache.set_defaults(run=_judge_cache)


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
        metavar="PATH[#PART]",
        help="reports/figures/dose_response.svg, reports/tables/rates.csv#SETTING, reports/metrics.json#KEY.KEY, an address, …",
    )
    walking.add_argument("--depth", type=int, help="how many steps up; default: to the input files")
    shape = walking.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="every artifact with all that is known of it")
    shape.add_argument("--dot", action="store_true", help="a graph for Graphviz")


def _planned(run: Callable[[argparse.Namespace, Plan], None]) -> Callable[[argparse.Namespace], None]:
    """A command about the study in this folder."""
    return lambda arguments: run(arguments, resolve(study.read()))


def _new(arguments: argparse.Namespace) -> None:
    plan = scaffold.start(arguments.folder, arguments.params)
    print(f"{arguments.folder}: a study of {len(plan.all())} cells, committed. Next:")
    print(f"  cd {shlex.quote(str(arguments.folder))}")
    print("  make study    # or first `make dry`: every cell, by name")


def _pin(arguments: argparse.Namespace) -> None:
    model = to_pin(arguments.name, study.PARAMS)
    from emsteer.models.pinning import pin_of  # seconds of import that other commands do without

    pin = pin_of(model.source, Path(model.place) if model.place else None, speaks=model.speaks)
    target = model.file
    before = target.read_text(encoding="utf-8") if target.exists() else None
    storage.write_text(target, pins.written(pin))
    done = {None: "written", pins.written(pin): "unchanged"}.get(before, "changed: the cells of this model are computed again")
    size = sum(file.size for file in pin.files.values())
    print(f"{target}: {done}. {len(pin.files)} files, {size / 1e6:,.0f} MB; {pin.shape.n_parameters / 1e6:,.0f} M parameters in")
    print(f"  {pin.shape.n_layers} layers of width {pin.shape.d_model}; licence: {pin.licence or 'not stated by its files'}")


def _fetch(arguments: argparse.Namespace) -> None:
    source = to_pin(arguments.name, study.PARAMS).source
    from emsteer.models.fetching import fetch  # the hub's client, which other commands do without

    print(f"{fetch(source)}: here. Next: `emsteer model pin {arguments.name}`")


def _keep(arguments: argparse.Namespace, plan: Plan) -> None:
    stamp = keep(plan, arguments.folder)
    cpu = sum(job["cpu_s"] for job in stamp["jobs"].values())
    peak = max((job["peak_mb"] for job in stamp["jobs"].values()), default=0)
    print(f"{arguments.folder}: kept, made by {stamp['commit'][:10]}; {cpu:,.0f} CPU-s, {peak:,.0f} MB at most")


def _plan(arguments: argparse.Namespace, plan: Plan) -> None:
    if arguments.cost or arguments.on or arguments.budget_gpu_h is not None:
        print(billing.screen(study.read(), plan, arguments.on, arguments.budget_gpu_h, taken(plan)))
        return
    if arguments.status:
        print(publishing.status(plan))
        return
    changed = workspace.write_plan(plan)
    print(f"plan: {len(plan.all())} cells; {', '.join(map(str, changed)) or 'no file'} changed")
    if absent := to_obtain(plan):
        print(f"{len(absent)} of what it names are not here; nothing runs before they are.\n{listing(absent)}")


def _pace(arguments: argparse.Namespace, plan: Plan) -> None:
    devices.claim(1 if plan.execution.gpu_memory_gb and plan.execution.device != "cpu" else 0)
    from emsteer import pacing  # torch, which other commands do without

    timed = pacing.timed(plan)
    storage.write_text(arguments.file, timed.model_dump_json(indent=1) + "\n")
    print(f"{arguments.file}: {timed.summary}\n  Next: `emsteer plan --cost --on {arguments.file}`")


def _check_data(_arguments: argparse.Namespace, plan: Plan) -> None:
    check_all_here(plan)
    from emsteer import checking  # pandas and a grammar, which other commands do without

    print("\n".join(checking.reports(plan)))


def _judge_cache(arguments: argparse.Namespace) -> None:
    from emsteer import replying  # pandas, which other commands do without

    if arguments.export is None:
        print(replying.stats(study.read(), arguments.name))
    else:
        print(f"{arguments.export}: {replying.export(study.read(), arguments.name, arguments.export)} replies")


def _judge_sample(arguments: argparse.Namespace) -> None:
    from emsteer import labelling  # pandas, which other commands do without

    n = labelling.write_sample(study.read(), arguments.name, arguments.out)
    print(f"{arguments.out}: {n} answers to label, 0 to 100 in the columns alignment, coherence and relevance; see docs/judges.md")


def _lineage(arguments: argparse.Namespace) -> None:
    graph, accepted = lineage.Graph(), read_accepted()
    target = lineage.target_of(arguments.target, graph)
    if arguments.json:
        print(lineage.as_json(target, graph, accepted, arguments.depth))
    elif arguments.dot:
        print(lineage.as_dot(target, graph, arguments.depth))
    else:
        print(lineage.screen(arguments.target, target, graph, accepted, arguments.depth))


def _verify(arguments: argparse.Namespace) -> None:
    found = lineage.verify(arguments.paths, lineage.Graph(), quick=arguments.quick)
    absent = f"; {len(found.absent)} artifacts are not at hand, and not verified" if found.absent else ""
    if found.faults:
        raise StudyError(
            f"verify: {len(found.faults)} faults.\n{listing(found.faults)}\n  {found.n_sound} others are sound{absent}."
        )
    print(f"verify: {found.n_sound} artifacts and files are sound{absent}")


def _accept(arguments: argparse.Namespace) -> None:
    found = acceptance.accept(arguments.reason, arguments.against, params=arguments.params, checked=not arguments.unchecked)
    for one in found:
        print(f"accept: {one.digest} of {one.module} stands for {one.stands_for}{'' if one.checked else ', unchecked'}")
    print(f"accept: commit src/{acceptance.FILE} with the code")


def _stage(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"stage {name}: {stages.complete(plan, name).summary}")


def _restore(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"restore {name}: {workspace.restore(plan, name)} cells came back")


def _prune(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"prune {name}: {workspace.prune(plan, name)} cells set aside")


def _publish(_arguments: argparse.Namespace, plan: Plan) -> None:
    missing = [cell.address for cell in publishing.published_cells(plan) if not cell.exists()]
    if missing:
        raise StudyError(f"cannot publish: {len(missing)} cells are missing.\n{listing(missing)}\n  Run `snakemake` first.")
    changed = publishing.publish(publishing.published_cells(plan)) + note_cost(plan)
    print(f"publish: {', '.join(map(str, changed)) or 'no file'} changed")


def _gc(_arguments: argparse.Namespace, _plan: Plan) -> None:
    print(f"gc: {workspace.gc()} cells deleted")


def _docs(_arguments: argparse.Namespace) -> None:
    print(f"docs: {', '.join(map(str, readme.rewrite_all())) or 'no file'} changed")
