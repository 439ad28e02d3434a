"""What a query is made of, said where a user may not expect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from patsearch.encoder.shape import shape_part

if TYPE_CHECKING:
    from patsearch.encoder.card import EncoderCard
    from patsearch.engine.query import QueryVectors


def composed_remarks(pictures: QueryVectors | None, like: str | None, card: EncoderCard | None) -> tuple[str, ...]:
    """Sentences about a query's pictures, before a patent's drawings join them.

    Args:
        card: of the encoder that made the vectors; without its likeness, nothing is known of unlike pictures.
    """
    if pictures is None:
        return ()
    said = []
    if like:
        said.append(f"The pictures and the drawings of {like} are one query: what resembles all of them comes first.")
    count = int(pictures.picture.max()) + 1
    if card is not None and card.likeness is not None and 2 * _unlike(pictures, card) > count > 1:
        said.append(
            f"Most of the {count} pictures look like none of the others. They are one query, and what resembles all of "
            "them comes first: search each alone if they show different designs."
        )
    return tuple(said)


def _unlike(query: QueryVectors, card: EncoderCard) -> int:
    """How many pictures are far from every other one.

    Of the views of one patent, hardly any is; of pictures of different designs, most are. On 27 patents and on random
    sets of 2, 3, 6 and 12 figures, by a threshold of 0.5, more than half were far in 0 % and in 96, 87, 84 and 68 %.
    """
    assert card.likeness is not None
    shapes = shape_part(query.vectors, card.shape_dim)
    cosines = shapes @ shapes.T
    masks = list(query.pictures())
    closest = [
        max(cosines[np.ix_(mask, other)].max() for j, other in enumerate(masks) if j != i)
        for i, mask in enumerate(masks)
        if len(masks) > 1
    ]
    return sum(cosine < card.likeness.alike for cosine in closest)
