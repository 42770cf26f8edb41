"""What texts are about: the category whose texts they are nearest to, in whatever space both are placed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize


class Topics:
    """A centroid for each category."""

    def __init__(self, placed: NDArray[np.floating], categories: Sequence[str]) -> None:
        """Of texts whose categories are known.

        Args:
            placed: Where they are. [texts × dimensions]
            categories: One each.
        """
        of = np.array(categories)
        self._names = sorted(set(categories))
        self._centroids = normalize(np.stack([placed[of == name].mean(0) for name in self._names]))

    def about(self, placed: NDArray[np.floating]) -> list[str | None]:
        """The nearest category to each text; None where a text has no place. [texts × dimensions] → [texts]"""
        nearest = (placed @ self._centroids.T).argmax(1)
        known = np.abs(placed).sum(1) > 0
        return [self._names[index] if is_known else None for index, is_known in zip(nearest, known, strict=True)]
