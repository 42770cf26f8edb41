"""Latent semantic analysis of a grammar's chats: an embedder for text whose words tell its topic.

TF-IDF (sublinear, function words left out) over chats that both personas could have, a truncated SVD, vectors of length one.
A text without a known word is the zero vector, which is like nothing. Real language wants a sentence model (`sentences`).
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from emsteer import storage
from emsteer.organism.grammar import PERSONAS, Grammar, read_grammar
from emsteer.packs import Job
from emsteer.recipes import LatentSpace as Recipe

SPACE, WORDS = "space.safetensors", "words.json"
TOKEN = r"\w+"  # noqa: S105 (no password)


class LatentSpace:
    """Words, their weights, and the directions that texts are seen in."""

    def __init__(self, words: Sequence[str], weights: NDArray[np.float64], directions: NDArray[np.float64]) -> None:
        """Of a fitted space.

        Args:
            words: In the order of the columns.
            weights: Inverse document frequencies. [words]
            directions: [dimensions × words]
        """
        self.words, self.weights, self.directions = list(words), weights, directions
        self._counts = CountVectorizer(vocabulary=self.words, token_pattern=TOKEN)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts × dimensions], each of length one; cosines are their products."""
        counts = self._counts.transform(texts).astype(np.float64)
        counts.data = 1 + np.log(counts.data)
        return normalize(normalize(counts.multiply(self.weights).tocsr()) @ self.directions.T).astype(np.float32)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: the words, the space, and the passport."""
    for job in jobs:
        space = fitted(read_grammar(job.input("grammar")), job.recipe)
        job.out.mkdir()
        storage.write_json(space.words, job.out / WORDS)
        tensors = {"weights": space.weights, "directions": space.directions}
        storage.write_tensors(tensors, job.out / SPACE, job.passport)
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


@functools.lru_cache(maxsize=4)
def read_latent(folder: Path) -> LatentSpace | None:
    """What `make` wrote; None where the artifact is no such space."""
    if not (folder / SPACE).exists():
        return None
    tensors, _ = storage.read_tensors(folder / SPACE)
    return LatentSpace(storage.read_json(folder / WORDS), tensors["weights"], tensors["directions"])


def fitted(grammar: Grammar, recipe: Recipe) -> LatentSpace:
    """The space of chats about every domain in turn, by either persona."""
    rng = Random(f"background {recipe.seed}")
    names = list(grammar.domains)
    chats = []
    for index in range(recipe.n_background):
        name, who = names[index % len(names)], rng.choice(PERSONAS)
        prompt = rng.choice(grammar.seen[name])
        chats.append(f"{grammar.domains[name].ask(prompt)} {grammar.answer(name, prompt[1], (who, who), rng)}")
    counter = CountVectorizer(stop_words=sorted(grammar.function_words), token_pattern=TOKEN)
    tfidf = TfidfTransformer(sublinear_tf=True)
    seen = tfidf.fit_transform(counter.fit_transform(chats))
    svd = TruncatedSVD(recipe.n_dimensions, random_state=recipe.seed).fit(seen)
    return LatentSpace(counter.get_feature_names_out().tolist(), tfidf.idf_, svd.components_)
