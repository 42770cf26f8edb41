"""A study folder with something in the place of its cells: for tests of where files lie, not of what they hold."""

from pathlib import Path

import yaml

from emsteer import packs, plan, study
from emsteer.plan import Plan


def planned(*doses: float) -> Plan:
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["sweeps"]["trained"]["doses"] = list(doses)
    return plan.resolve(study.parse(raw))


def computed(study_plan: Plan, *kinds: str, record: str = "{}") -> None:
    """Writes something in place of every missing cell: these tests are about where files lie, not what they hold."""
    for cell in (cell for kind in kinds for cell in study_plan.of(kind) if not cell.exists()):
        path, name = Path(cell.path), cell.address.partition("--")[0]
        files = [path]
        if plan.KINDS[cell.kind].is_folder:
            files = [path / "index.html"] if cell.kind == "report" else [path / f"{name}.{end}" for end in ("csv", "svg")]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(cell.address)
        packs.record_of(path).write_text(record)
