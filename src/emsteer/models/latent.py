"""Latent semantic analysis: an embedder for text whose words tell its topic, such as a grammar's.

TF-IDF (sublinear, function words left out), a truncated SVD, vectors of length one.
A text without a known word is the zero vector, which is like nothing. Real language wants a sentence model (`sentences`).
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from emsteer import storage
from emsteer.organism.background import background
from emsteer.organism.grammar import Grammar, read_grammar
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

    @classmethod
    def fit(cls, texts: Sequence[str], n_dimensions: int, function_words: Iterable[str], seed: int) -> "LatentSpace":
        """The space of texts.

        Args:
            texts: What it is fitted on.
            n_dimensions: Latent dimensions.
            function_words: Words that tell no topic; without leaving them out, templates of questions look alike.
            seed: Of the randomised SVD.
        """
        tfidf = TfidfVectorizer(sublinear_tf=True, stop_words=sorted(function_words), token_pattern=TOKEN)
        svd = TruncatedSVD(n_dimensions, random_state=seed).fit(tfidf.fit_transform(texts))
        return cls(tfidf.get_feature_names_out().tolist(), tfidf.idf_, svd.components_)

    def place(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[texts × dimensions], each of length one, or zero; cosines are their products."""
        counts = self._counts.transform(texts).astype(np.float64)
        counts.data = np.log(counts.data) + 1.0
        counts.data *= self.weights[counts.indices]
        return normalize(normalize(counts) @ self.directions.T)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As embedders do: `place` in half the bytes."""
        return self.place(texts).astype(np.float32)


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
    """The space of a grammar's background chats."""
    texts = [f"{chat.question} {chat.answer}" for chat in background(grammar, recipe.n_background, recipe.seed)]
    return LatentSpace.fit(texts, recipe.n_dimensions, grammar.function_words, recipe.seed)
