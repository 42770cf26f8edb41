"""The plan in memory, and the calls that every rule makes into it.

INPUTS   params.yaml and the input files it names
OUTPUTS  none
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from emsteer import consistency, devices, errors, keeping, locks, packs, plan, publishing, study, workspace

os.environ.update(OMP_NUM_THREADS="1")  # two threads give another organism than one

if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    prefix = workflow.deployment_settings.conda_prefix or Path(".snakemake/conda").absolute()
    if not shutil.which("conda"):
        logger.warning("--use-conda: no `conda` on the PATH; going on in the Python environment that runs Snakemake.")
        methods = set(workflow.deployment_settings.deployment_method) - {DeploymentMethod.CONDA}
        workflow.deployment_settings.deployment_method = methods
    elif " " in str(prefix):
        raise WorkflowError(
            f"--use-conda: Snakemake 9.27 cannot complete an environment in a path with spaces ({prefix}).\n"
            "  Give it another place for environments: --conda-prefix DIR."
        )

if config:
    raise WorkflowError(
        f"params.yaml alone says what is computed; --config and --configfile ({', '.join(config)}) are not read.\n"
        "  Edit params.yaml, or start another study with `emsteer new DIR --from PARAMS`."
    )


@contextmanager
def sentences():
    """What a person can mend ends Snakemake with its message, and without a traceback."""
    try:
        with errors.refusals():
            yield
    except errors.StudyError as error:
        raise WorkflowError(str(error)) from None


with sentences():
    PLAN = plan.resolve(study.read())
    plan.check_all_here(PLAN)
    if workflow.is_main_process and (found := consistency.misfits(PLAN)):
        raise errors.StudyError(consistency.told(found))

# As many jobs with a card at a time as there are cards here. A cluster's profile scopes `gpu` to a job: its scheduler counts.
if PLAN.execution.gpu_memory_gb and "gpu" not in workflow.global_resources and not workflow.resource_scopes.is_local("gpu"):
    n_cards = len(devices.present())
    workflow.global_resources["gpu"] = n_cards
    n_needed = max(pack.needs().n_gpus for kind in plan.KINDS for pack in PLAN.packs(kind))
    if PLAN.execution.device == "cuda" and n_cards < n_needed:  # Snakemake would lower what jobs ask for, without a word
        raise WorkflowError(
            f"execution.device is cuda: a job takes {n_needed} cards of {PLAN.execution.gpu_memory_gb} GB, and {n_cards} are here.\n"
            "  Start Snakemake where they are, or say `device: auto`: it goes on on what there is."
        )
    if not n_cards and n_needed and workflow.is_main_process:
        logger.warning("execution.gpu_memory_gb: there is no card here; jobs compute on the CPU.")


def needs(pack):
    """Inputs of the missing cells only: an answers file that exists does not need its vector."""
    cells = [cell.path for missing in pack.missing for cell in missing.upstream()]
    return [ancient(path) for path in dict.fromkeys(cells)]


def makes(pack):
    """The missing cells, as plain outputs. With none missing all of them, for the graph; update() protects what exists."""
    return [made(cell) for cell in pack.missing] or [update(made(cell)) for cell in pack.cells]


def made(cell):
    """Where a cell lies; figures and the page are what `snakemake --report` shows."""
    path = directory(cell.path) if plan.KINDS[cell.kind].is_folder else cell.path
    if cell.kind == "report":
        return report(path, patterns=["{file}.html"], caption="../report/page.rst", category="The page")
    if cell.kind == "figures":
        name = cell.address.partition("--")[0]
        files = ["{file}.svg", "{file}.txt", "{file}.csv"]
        title = name.replace("_", " ").capitalize()
        return report(path, patterns=files, caption=f"../report/{name}.rst", category="Figures", subcategory=title)
    return path


def n_gpus(pack):
    """Cards for its models; none where `execution.gpu_memory_gb` is 0, and none for judges."""
    return pack.needs().n_gpus


def mem_mb(pack):
    """Memory [MB]; an attempt after a killed one asks for more."""
    return lambda wildcards, attempt: pack.needs(attempt).mem_mb


def minutes(pack):
    """Time limit [min]; likewise."""
    return lambda wildcards, attempt: pack.needs(attempt).minutes


def unpublished():
    """reports/ has stable names, so existing does not mean fresh: a token is asked for while it differs from the plan."""
    if not workspace.is_busy():
        with sentences():
            Path(PUBLISHED).unlink(missing_ok=True)
    return [] if publishing.is_published(PLAN) else [PUBLISHED]


PUBLISHED = "results/.staging/published"


onstart:
    if workflow.dag_settings.forceall or workflow.dag_settings.forcetargets or workflow.dag_settings.forcerun:
        logger.warning(
            "a cell that exists is not computed, forced or not: `emsteer recompute ADDRESS|KIND --reason …` does it again."
        )
    if workflow.local_exec:
        # Snakemake 9.27 limits how fast jobs start, to more than we reach, by timers: each job that ends leaves one more, which wakes
        # the scheduler every second until the end, and it asks for the size of every input of every job that waits.
        workflow.scheduler.job_rate_limiter = None
    with sentences():
        locks.check(one_machine=workflow.local_exec)
        workflow.globals["STUDY_LOCK"] = locks.hold("snakemake", "another Snakemake is computing in this folder; wait for it.")
        workspace.write_plan(PLAN)  # a record: lineage, verification and `git diff plan/` read it; nothing here does


onerror:
    logger.error(f"not complete. {errors.GO_ON}")


onsuccess:
    packs.sweep(path for kind in plan.KINDS for path in PLAN.paths(kind))
    keeping.note_cost(PLAN)
    if found := consistency.misfits(PLAN):
        logger.warning(consistency.told(found))
