"""What a study names and this machine does not have yet: models that are declared only, and input files that have a card only."""

from collections.abc import Iterator

from emsteer.errors import ConfigError, listing
from emsteer.plan.packing import Plan
from emsteer.recipes import PinnedModel
from emsteer.study.cards import card_of, is_awaited


def to_obtain(plan: Plan) -> list[str]:
    """What it is and how to get it, for each; a study of which anything is missing can be planned, and not be run."""
    return [*_models(plan), *_files(plan)]


def check_all_here(plan: Plan) -> None:
    """Raises ConfigError with what is missing and how to get it; whatever reads inputs begins with this."""
    if absent := to_obtain(plan):
        raise ConfigError(f"params.yaml: {len(absent)} of what it names are not here.\n{listing(absent)}")


def _models(plan: Plan) -> Iterator[str]:
    for cell in plan.of("models"):
        if isinstance(cell.recipe, PinnedModel) and cell.recipe.pin.is_declared:
            name, pin = cell.address.partition("--")[0], cell.recipe.pin
            yield (
                f"{name}: {pin.id}, {pin.n_bytes / 1e9:,.0f} GB. "
                f"`emsteer model fetch {name}`, then `emsteer model pin {name}` writes the digests of its files."
            )


def _files(plan: Plan) -> Iterator[str]:
    for path in plan.raws:
        if is_awaited(path) and (card := card_of(path)):
            commands = card.obtain.strip().replace("\n", "\n       ")
            yield f"{path}: {card.about}\n       {commands}"
