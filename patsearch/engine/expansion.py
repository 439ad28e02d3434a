"""Query expansion: repeat the search with a mean of the query and its first results.

Average query expansion (Chum et al.: Total Recall (2007), section 4.2) weighs all equally; alpha query expansion
(Radenović, Tolias, Chum: Fine-tuning CNN Image Retrieval with No Human Annotation (2018), section 3.3) weighs
what was found by its cosine to the power of alpha. With x_1 .. x_n the first n drawings found by q:

    q' = q + sum over i of max(0, cosine(q, x_i))^alpha x_i,   to unit length

Alpha 0 is the average. What was found first must be right more often than not, or the query drifts away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import UsageError

Floats = NDArray[np.float32]

_MOST_DRAWINGS = 1000
_HINT = "Write n,alpha, as in 3,3; alpha 0 weighs all equally."


@dataclass(frozen=True, slots=True)
class Expansion:
    """How to expand; see the module.

    Attributes:
        count: n, drawings that join the query.
        alpha: exponent of their cosines, 0 or more.

    Raises:
        UsageError: a value out of range.
    """

    count: int = 3
    alpha: float = 3.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MOST_DRAWINGS or not 0 <= self.alpha <= 100:
            raise UsageError(
                f"Invalid expansion by {self.count} drawings with alpha {self.alpha}.",
                hint=f"1 to {_MOST_DRAWINGS} drawings; alpha, an exponent, is 0 to 100.",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `n,alpha`.

        Raises:
            UsageError: the text is not valid, or a value is out of range.
        """
        try:
            count, alpha = text.split(",")
            numbers = int(count), float(alpha)
        except ValueError as error:
            raise UsageError(f"Invalid expand {text!r}: expected N,ALPHA.", hint=_HINT) from error
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.count},{self.alpha:g}"

    def expanded(self, query: Floats, vectors: Floats, cosines: Floats) -> Floats:
        """The new query, (dim,) float32 of unit length.

        Args:
            query: (dim,).
            vectors: (n, dim), of the drawings it found first.
            cosines: (n,), of the same drawings.
        """
        weights = np.maximum(cosines.astype(np.float64), 0) ** self.alpha
        new = query + weights @ vectors.astype(np.float64)
        length = np.linalg.norm(new)
        return (new / length).astype(np.float32) if length > 1e-9 else query
