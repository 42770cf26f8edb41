"""Where the page's numbers come from: the artifacts of every setting on it."""

from collections.abc import Iterable

from emsteer.analysis.settings import name_of, setting_columns
from emsteer.packs import Job


def sources(job: Job, shown: Iterable[str]) -> list[dict[str, object]]:
    """Each setting of the page with the addresses of its vectors or adapters, answers, scores and margins, all seeds together.

    Args:
        job: Of a `recipes.Page`.
        shown: Names of settings, with or without a seed; several that were pooled are joined by ` + `.
    """
    answers_of = dict(zip(job.addresses["scores"], job.addresses["answers"], strict=True))
    names = {name for joined in shown for name in joined.split(" + ")}
    found: dict[str, dict[str, dict[str, None]]] = {}
    for row in job.recipe.rows:
        columns = setting_columns(row.setting)
        for name in sorted({name_of(columns), name_of(columns, seeded=False)} & names):
            made = found.setdefault(name, {"made": {}, "answers": {}, "scores": {}, "margins": {}})
            made["made"] |= dict.fromkeys(row.made)
            made["answers"] |= {answers_of[score]: None for score in row.scores}
            made["scores"] |= dict.fromkeys(row.scores)
            made["margins"][row.margins] = None
    return [{"name": name, **{role: list(of) for role, of in groups.items()}} for name, groups in found.items()]
