"""A linear map behind a network that brings the drawings of one design together: learned whitening.

Mikolajczyk, Matas: Improving Descriptors for Fast Tree Matching by Optimal Linear Projection (2007);
Radenovic, Tolias, Chum: Fine-tuning CNN Image Retrieval with No Human Annotation (2018), section 4. Directions in
which drawings of one design differ (their view, their style) are shrunk until they vary equally; what is left is
rotated to the axes along which designs differ most, and cut after `dim` of them.

It is fitted in seconds on vectors of the training designs, and shipped as one matrix in the encoder's graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import SettingsError, UsageError

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Whitening:
    """The map x -> (x - mean) @ matrix, to be scaled to unit length afterwards.

    Attributes:
        mean: (D,) float32.
        matrix: (D, dim) float32.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, dim) float32 rows of unit length, for (N, D)."""
        mapped = (embeddings - self.mean) @ self.matrix
        lengths = np.linalg.norm(mapped, axis=1, keepdims=True)
        return np.asarray(mapped / np.maximum(lengths, 1e-12), np.float32)


def fit_whitening(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], *, dim: int, shrinkage: float = 3.0
) -> Whitening:
    """The map for labelled vectors.

    Args:
        embeddings: (N, D) rows of unit length.
        labels: (N,) the design of each row.
        dim: length of the result, 1 to D.
        shrinkage: added to the covariance within designs, in multiples of its mean variance; large values turn
            the map into a plain centring and rotation. What few drawings say about D x D covariances is noise.

    Raises:
        SettingsError: `dim` or `shrinkage` out of range.
        UsageError: fewer than two designs, or no design with two drawings.
    """
    width = embeddings.shape[1]
    if not 1 <= dim <= width or not shrinkage > 0:
        raise SettingsError(
            f"A whitening to {dim} dimensions with a shrinkage of {shrinkage} cannot be fitted.",
            hint=f"1 to {width} dimensions, a shrinkage above 0.",
        )
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.max() < 2:
        raise UsageError("A whitening needs two designs, and designs with two drawings.")
    rows = embeddings.astype(np.float64)
    mean = rows.mean(axis=0)
    means = np.zeros((len(counts), width))
    np.add.at(means, classes, rows)
    means /= counts[:, None]
    inverse_root = _inverse_root(_covariance(rows - means[classes]), shrinkage)  # (D, D)
    spread = (means - mean) @ inverse_root  # (designs, D)
    _, axes = np.linalg.eigh(_covariance(spread))  # ascending
    matrix = inverse_root @ axes[:, ::-1][:, :dim]
    matrix /= np.abs(matrix).max()  # only directions count; this keeps float32's range
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))


def _covariance(rows: Matrix) -> Matrix:
    return np.asarray(rows.T @ rows / len(rows))


def _inverse_root(covariance: Matrix, shrinkage: float) -> Matrix:
    """(C + shrinkage * mean variance * I) ^ -1/2."""
    values, axes = np.linalg.eigh(covariance)
    raised = np.maximum(values, 0) + shrinkage * max(float(values.mean()), 1e-12)
    return np.asarray((axes * raised**-0.5) @ axes.T)
