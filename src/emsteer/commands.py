"""What the commands of the command line do and print; `cli` says what they are called and take."""

import argparse
import shlex
import tempfile
from pathlib import Path

from pydantic import ValidationError

from emsteer import (
    acceptance,
    devices,
    lineage,
    packs,
    publishing,
    recomputing,
    scaffold,
    shipping,
    stages,
    storage,
    study,
    workspace,
)
from emsteer.errors import ConfigError, StudyError, listing
from emsteer.keeping import keep, note_cost, taken
from emsteer.mistakes import mistakes
from emsteer.plan import KINDS, Plan, billing, check_all_here, resolve, to_obtain
from emsteer.plan.accepted import read_accepted
from emsteer.recipes import Chat, Sampling
from emsteer.report import readme
from emsteer.study import pins
from emsteer.study.models import to_pin


def run_new(arguments: argparse.Namespace) -> None:
    plan = scaffold.start(arguments.folder, arguments.params)
    print(f"{arguments.folder}: a study of {len(plan.all())} cells, committed. Next:")
    print(f"  cd {shlex.quote(str(arguments.folder))}")
    print("  make study    # or first `make dry`: every cell, by name")


def run_pin(arguments: argparse.Namespace) -> None:
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


def run_fetch(arguments: argparse.Namespace) -> None:
    source = to_pin(arguments.name, study.PARAMS).source
    from emsteer.models.fetching import fetch  # the hub's client, which other commands do without

    print(f"{fetch(source)}: here. Next: `emsteer model pin {arguments.name}`")


def run_generate(arguments: argparse.Namespace) -> None:
    from emsteer.speaking import generate, models, settings  # torch and transformers, which other commands do without

    generate.check_target(arguments.out)
    asked = generate.Asked(
        arguments.questions, settings.read(arguments.settings), _sampling(arguments), arguments.samples, arguments.seed
    )
    named = models.find(arguments.model)
    print(generate.generate(named.load(arguments.dtype, _chat(arguments)), named, asked, arguments.out))


def run_ask(arguments: argparse.Namespace) -> None:
    from emsteer.speaking import ask, models, settings

    steered = settings.one(arguments.vector, arguments.layer, arguments.dose, arguments.positions)
    model = models.find(arguments.model).load(arguments.dtype, _chat(arguments))
    talk = ask.Conversation(model, settings.changes_of(steered), _sampling(arguments), arguments.seed, arguments.follows)
    ask.talk(talk, ask.typed(), print)


def _sampling(arguments: argparse.Namespace) -> Sampling:
    try:
        return Sampling(temperature=0 if arguments.greedy else arguments.temperature, max_new_tokens=arguments.max_new_tokens)
    except ValidationError as error:
        raise ConfigError(f"{mistakes(error, Sampling)[0]}.") from None


def _chat(arguments: argparse.Namespace) -> Chat:
    return Chat(system=arguments.system, thinking={"on": True, "off": False, None: None}[arguments.thinking])


def run_keep(arguments: argparse.Namespace, plan: Plan) -> None:
    stamp = keep(plan, arguments.folder)
    cpu = sum(job["cpu_s"] for job in stamp["jobs"].values())
    peak = max((job["peak_mb"] for job in stamp["jobs"].values()), default=0)
    print(f"{arguments.folder}: kept, made by {stamp['commit'][:10]}; {cpu:,.0f} CPU-s, {peak:,.0f} MB at most")


def run_plan(arguments: argparse.Namespace, plan: Plan) -> None:
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


def run_pace(arguments: argparse.Namespace, plan: Plan) -> None:
    devices.claim(1 if plan.execution.gpu_memory_gb and plan.execution.device != "cpu" else 0)
    from emsteer import pacing  # torch, which other commands do without

    timed = pacing.timed(plan)
    storage.write_text(arguments.file, timed.model_dump_json(indent=1) + "\n")
    print(f"{arguments.file}: {timed.summary}\n  Next: `emsteer plan --cost --on {arguments.file}`")


def run_add_data(arguments: argparse.Namespace) -> None:
    from emsteer.incoming import adding  # pandas, which other commands do without

    for line in adding.add_task(arguments.file, arguments.safe, arguments.name, adding.columns_of(arguments.columns)):
        print(line)


def run_check_data(_arguments: argparse.Namespace, plan: Plan) -> None:
    check_all_here(plan)
    from emsteer import checking  # pandas and a grammar, which other commands do without

    print("\n".join(checking.reports(plan)))


def run_judge_cache(arguments: argparse.Namespace) -> None:
    from emsteer import replying  # pandas, which other commands do without

    if arguments.export is None:
        print(replying.stats(study.read(), arguments.name))
    else:
        print(f"{arguments.export}: {replying.export(study.read(), arguments.name, arguments.export)} replies")


def run_judge_sample(arguments: argparse.Namespace) -> None:
    from emsteer import labelling  # pandas, which other commands do without

    n = labelling.write_sample(study.read(), arguments.name, arguments.out)
    print(f"{arguments.out}: {n} answers to label, 0 to 100 in the columns alignment, coherence and relevance; see docs/judges.md")


def run_lineage(arguments: argparse.Namespace) -> None:
    graph, accepted = lineage.Graph(), read_accepted()
    if arguments.crate:
        n = _write_crate(arguments.crate, arguments.target, graph, arguments.depth)
        print(f"{arguments.crate}: a Provenance Run Crate of {n:,} runs, {storage.size(arguments.crate) / 1e6:.1f} MB")
        return
    if arguments.target is None:
        raise StudyError("lineage: of what? Give a path or an address; for everything that is published, --crate FILE.")
    target = lineage.target_of(arguments.target, graph)
    if arguments.json:
        print(lineage.as_json(target, graph, accepted, arguments.depth))
    elif arguments.dot:
        print(lineage.as_dot(target, graph, arguments.depth))
    else:
        print(lineage.screen(arguments.target, target, graph, accepted, arguments.depth))


def _write_crate(file: Path, target: str | None, graph: lineage.Graph, depth: int | None) -> int:
    from emsteer.lineage import cards, crate  # pandas and a library of research objects, which other commands do without

    roots = crate.published(graph) if target is None else [lineage.target_of(target, graph).node]
    found = {address: node for root in roots for address, node in graph.closure(root, depth=depth).items()}
    with tempfile.TemporaryDirectory() as scratch:
        return crate.write(file, found, cards.cards(resolve(study.read()), graph, found), Path(scratch))


def run_verify(arguments: argparse.Namespace) -> None:
    found = lineage.verify(arguments.paths, lineage.Graph(), quick=arguments.quick)
    absent = f"; {len(found.absent)} artifacts are not at hand, and not verified" if found.absent else ""
    if found.faults:
        raise StudyError(
            f"verify: {len(found.faults)} faults.\n{listing(found.faults)}\n  {found.n_sound} others are sound{absent}."
        )
    print(f"verify: {found.n_sound} artifacts and files are sound{absent}")


def run_accept(arguments: argparse.Namespace) -> None:
    found = acceptance.accept(arguments.reason, arguments.against, params=arguments.params, checked=not arguments.unchecked)
    for one in found:
        print(f"accept: {one.digest} of {one.module} stands for {one.stands_for}{'' if one.checked else ', unchecked'}")
    print(f"accept: commit src/{acceptance.FILE} with the code")


def run_stage(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"stage {name}: {stages.complete(plan, name).summary}")


def run_restore(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"restore {name}: {workspace.restore(plan, name)} cells came back")


def run_prune(arguments: argparse.Namespace, plan: Plan) -> None:
    for name in arguments.kinds or KINDS:
        print(f"prune {name}: {workspace.prune(plan, name)} cells set aside")


def run_publish(_arguments: argparse.Namespace, plan: Plan) -> None:
    missing = [cell.address for cell in publishing.published_cells(plan) if not cell.exists()]
    if missing:
        raise StudyError(f"cannot publish: {len(missing)} cells are missing.\n{listing(missing)}\n  Run `snakemake` first.")
    changed = publishing.publish(publishing.published_cells(plan)) + note_cost(plan)
    print(f"publish: {', '.join(map(str, changed)) or 'no file'} changed")


def run_recompute(arguments: argparse.Namespace, plan: Plan) -> None:
    found = recomputing.recompute(recomputing.cells_of(plan, arguments.names), arguments.reason)
    print(f"recompute: {len(found.same)} cells have the same bytes as before, {len(found.others)} have others")
    if found.others:
        print(f"{listing(found.others)}\n  The old ones rest in {packs.OTHERS}/. `emsteer stage` sees to what was made from them.")


def run_export(arguments: argparse.Namespace, plan: Plan) -> None:
    cells = shipping.export(plan, arguments.folder)
    size = storage.size(arguments.folder)
    print(f"{arguments.folder}: {len(cells)} cells in {len(storage.files_of(arguments.folder))} files, {size / 1e6:.1f} MB")


def run_rebuild(arguments: argparse.Namespace, plan: Plan) -> None:
    found = shipping.unpack(plan, arguments.folder)
    unfit = f"; {found.n_unfit} were made from other bytes than some that are here, and stay out" if found.n_unfit else ""
    print(f"rebuild: {found.n_made} cells of {arguments.folder} put in place, {found.n_here} were here{unfit}")
    if lacking := shipping.lacking(plan):
        raise StudyError(
            f"rebuild: {len(lacking)} cells that tables are made from are neither here nor in {arguments.folder}.\n"
            f"{listing([cell.address for cell in lacking])}\n  `snakemake` computes them, with their models."
        )
    if not stages.compute("publish_reports"):
        raise StudyError("rebuild: not every table, figure and page was made.\n  Snakemake's messages above say why.")


def run_gc(_arguments: argparse.Namespace, _plan: Plan) -> None:
    print(f"gc: {workspace.gc()} cells deleted")


def run_docs(_arguments: argparse.Namespace) -> None:
    print(f"docs: {', '.join(map(str, readme.rewrite_all())) or 'no file'} changed")
