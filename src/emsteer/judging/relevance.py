"""Relevance by word statistics: TF-IDF, latent semantic analysis, and a calibrated probability.

An answer's relevance is 100 × the probability that it belongs to its question rather than to a random question of another
category, at even odds: a logistic regression of the cosine between answer and question, fitted on background chats.
50 therefore means "as likely on topic as off". Good for text whose words tell its topic; for real language name a
sentence-embedding model instead.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from emsteer.judging.topics import Topics
from emsteer.models.latent import LatentSpace


class Relevance:
    """A latent space, a calibration, and topics."""

    def __init__(
        self,
        questions: Sequence[str],
        answers: Sequence[str],
        categories: Sequence[str],
        n_dimensions: int,
        function_words: Iterable[str],
        seed: int = 0,
    ) -> None:
        """Fits on background chats.

        Args:
            questions: One a chat.
            answers: One a chat, by either persona.
            categories: One a chat; at least two distinct ones.
            n_dimensions: Of the latent space.
            function_words: Words that tell no topic; without leaving them out, templates of questions look alike.
            seed: Of the randomised SVD and of the mismatched pairs.
        """
        chats = [f"{question} {answer}" for question, answer in zip(questions, answers, strict=True)]
        self._space = LatentSpace.fit(chats, n_dimensions, function_words, seed)
        asked, answered = self._space.place(questions), self._space.place(answers)
        of = np.array(categories)
        other = np.random.default_rng(seed).permutation(len(of))
        mismatched = of != of[other]
        cosines = np.concatenate([(asked * answered).sum(1), (asked * answered[other]).sum(1)[mismatched]])
        matches = np.concatenate([np.ones(len(of)), np.zeros(mismatched.sum())])
        self._calibration = LogisticRegression(class_weight="balanced").fit(cosines[:, None], matches)
        self._topics = Topics(answered, categories)

    def relevance(self, questions: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """100 × probability that each answer belongs to its question. [answers]"""
        cosines = (self._space.place(questions) * self._space.place(answers)).sum(1)
        return 100 * self._calibration.predict_proba(cosines[:, None])[:, 1]

    def about(self, answers: Sequence[str]) -> list[str | None]:
        """The category nearest to each answer; None where an answer has no known word."""
        return self._topics.about(self._space.place(answers))
