"""Digests of an organism's weights after a few pretraining steps, to hold one machine against another: `make bench-bytes`."""

import hashlib
from pathlib import Path

from emsteer import recipes, records, runtime, study
from emsteer.organism.corpus import groups_of
from emsteer.organism.grammar import read_grammar
from emsteer.organism.pretrain import pretrain
from emsteer.organism.tokenizer import make_tokenizer
from emsteer.study.models import OrganismModel

STEPS = (2, 40, 200)


def main() -> None:
    """Prints the processor, and a digest for each number of steps."""
    runtime.prepare()
    organism = study.read(Path("params.yaml")).models["none"]
    assert isinstance(organism, OrganismModel)
    recipe = recipes.Organism(**organism.model_dump(exclude={"kind", "grammar"}))
    grammar = read_grammar(Path(organism.grammar))
    tokenizer = make_tokenizer(grammar, groups_of(recipe.linkage, grammar))
    found = records.runtime_class()
    print(found["processor"], "torch", found["versions"]["torch"], found["torch_build"])
    for steps in STEPS:
        model = pretrain(grammar, tokenizer, recipe.model_copy(update={"steps": steps}), "none")
        digest = hashlib.sha256(b"".join(weights.numpy().tobytes() for weights in model.state_dict().values())).hexdigest()
        print(f"{steps:4} steps  {digest[:16]}")


if __name__ == "__main__":
    main()
