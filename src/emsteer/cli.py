"""The command line: `emsteer plan | restore | prune | publish | gc`."""

import argparse
import logging
import sys
from pathlib import Path

from emsteer import study, workspace
from emsteer.errors import StudyError, listing
from emsteer.plan import KINDS, Cell, Plan, resolve

PARAMS = Path("params.yaml")


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 a mistake of the study's, 2 a mistake in the arguments."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments, resolve(study.read(PARAMS)))
    except StudyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emsteer", description="Emergent misalignment under steering. Run in the folder of a study."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: object, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    planning = command("plan", _plan, "Check params.yaml and record its cells in plan/*.json.")
    planning.add_argument(
        "--status", action="store_true", help="write nothing; list cells: existing (=), to compute (+), set aside (<)"
    )
    for name, run, about in (
        ("restore", _restore, "Bring missing cells back from what was set aside, DVC's cache or its remote."),
        ("prune", _prune, "Set aside the cells that the plan does not name."),
    ):
        command(name, run, about).add_argument("kinds", nargs="+", choices=list(KINDS), metavar="kind", help=", ".join(KINDS))
    command("publish", _publish, "Mirror tables, figures and report into reports/.")
    command("gc", _gc, "Delete the cells that were set aside.")
    return parser


def _plan(arguments: argparse.Namespace, plan: Plan) -> None:
    if arguments.status:
        print(status(plan))
        return
    changed = workspace.write_plan(plan)
    print(f"plan: {len(plan.all())} cells; {', '.join(map(str, changed)) or 'no file'} changed")


def _restore(arguments: argparse.Namespace, plan: Plan) -> None:
    for kind in arguments.kinds:
        print(f"restore {kind}: {workspace.restore(plan, kind)} cells came back")


def _prune(arguments: argparse.Namespace, plan: Plan) -> None:
    for kind in arguments.kinds:
        print(f"prune {kind}: {workspace.prune(plan, kind)} cells set aside")


def _publish(_arguments: argparse.Namespace, plan: Plan) -> None:
    missing = [cell.address for cell in workspace.published_cells(plan) if not cell.exists()]
    if missing:
        raise StudyError(f"cannot publish: {len(missing)} cells are missing.\n{listing(missing)}\n  Run `snakemake` first.")
    changed = workspace.publish(workspace.published_cells(plan))
    print(f"publish: {', '.join(map(str, changed)) or 'no file'} changed")


def _gc(_arguments: argparse.Namespace, _plan: Plan) -> None:
    print(f"gc: {workspace.gc()} cells deleted")


def status(plan: Plan) -> str:
    """Cell by cell: `=` exists, `+` would be computed, `<` was set aside and would be brought back."""
    lines = []
    n_to_compute = 0
    for kind in KINDS:
        marks = [(_mark(cell), cell.address) for cell in plan.of(kind)]
        counts = {mark: sum(1 for other, _ in marks if other == mark) for mark in "=+<"}
        n_to_compute += counts["+"]
        back = f", {counts['<']} set aside" if counts["<"] else ""
        lines.append(f"{kind}: {counts['=']} exist, {counts['+']} to compute{back}")
        lines += [f"  {mark} {address}" for mark, address in marks]
    lines.append(f"reports: {'up to date' if workspace.is_published(plan) else 'to publish'}")
    lines.append(f"{n_to_compute} cells to compute" if n_to_compute else "nothing to compute")
    return "\n".join(lines)


def _mark(cell: Cell) -> str:
    if cell.exists():
        return "="
    return "<" if workspace.retired(cell) else "+"
