"""Learning from other networks: what is similar for them becomes similar for the one that is trained.

What differently taught networks know of drawings adds up when their vectors are put side by side; one network can
learn most of it. Before a run, each teacher encodes every drawing once, unchanged and in full size, and its vectors of
unit length are put side by side. In a batch, with t_ij the cosine of two drawings for the teachers and s_ij that for
the student, which sees both changed (another pen, another tilt, a mirrored one), and T the temperature:

    L = mean over i of KL( softmax_j≠i(t_ij / T) || softmax_j≠i(s_ij / T) ) + q * mean over i≠j of (s_ij - t_ij)^2

The first term is CompRess (Koohpayegani, Tejankar, Pirsiavash: Self-Supervised Learning by Compressing
Representations, 2020, eq. 3) with the batch for its memory bank, the second is that of Tung and Mori
(Similarity-Preserving Knowledge Distillation, 2019, eq. 4) on cosines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from patsearch.encoder.torch_network import Network, state_bytes
from patsearch.errors import InputError
from patsearch.files import write_text
from patsearch.training.augment.augmentation import fit
from patsearch.training.config import Recipe
from patsearch.training.data.cache import WHITE, DrawingCache
from patsearch.training.start import build

VECTORS, FACTS = "teachers.npy", "teachers.json"
_BATCH = 32
# Batches between two notes of how far the vectors are, from which a killed run resumes.
_NOTED = 16


def similarity_loss(rows: Tensor, taught: Tensor, *, temperature: float, squared: float) -> Tensor:
    """How far a student's similarities are from its teachers': a scalar. See the module.

    Args:
        rows: (N, dim) float32 of unit length, the student's.
        taught: (N, D) float32 of unit length, the teachers' of the same drawings.
        temperature: divides the cosines, above 0.
        squared: factor of the squared differences.
    """
    if len(rows) < 2:
        return rows.sum() * 0.0
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    with torch.autocast(rows.device.type, enabled=False):
        student, teacher = rows @ rows.T, taught @ taught.T  # (N, N)
    # Far below every cosine, not infinite: 0 * infinity would be no number.
    logits, goals = ((cosines / temperature).masked_fill(itself, -1e4) for cosines in (student, teacher))
    divergence = functional.kl_div(
        logits.log_softmax(dim=1), goals.log_softmax(dim=1), log_target=True, reduction="batchmean"
    )
    return divergence + squared * (student - teacher)[~itself].square().mean()


class Teachers:
    """The vectors of a cache's drawings by networks that are not trained.

    Attributes:
        vectors: (drawings, D) float16 of unit length, in the order of the cache; read from a file on demand.
    """

    def __init__(self, vectors: NDArray[np.float16], cache: DrawingCache) -> None:
        self.vectors = vectors
        counts = [len(record.kinds) for record in cache.records]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def of(self, places: NDArray[np.int64]) -> Tensor:
        """(N, D) float32 of unit length, for (N, 2) positions of designs and numbers of their drawings."""
        rows = self._first[places[:, 0]] + places[:, 1]
        return functional.normalize(torch.from_numpy(self.vectors[rows].astype(np.float32)), dim=1)

    @classmethod
    def prepare(
        cls,
        recipe: Recipe,
        cache: DrawingCache,
        folder: Path,
        *,
        device: torch.device | None = None,
        watch: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Encode the drawings of a cache by a recipe's teachers, or resume, or read the file that has them already.

        Args:
            folder: for `teachers.npy` and `teachers.json`.
            device: where the teachers compute; the CPU by default.
            watch: called with the number of drawings that are done, and of all.

        Raises:
            EncoderError, InputError: a teacher cannot be had, or the drawings cannot be read.
        """
        networks = [_teacher(recipe, start, device) for start in recipe.distillation.teachers]
        count, dim = sum(len(record.kinds) for record in cache.records), sum(n.features for n in networks)
        path, facts = folder / VECTORS, folder / FACTS
        size = _size(recipe, cache)
        wanted = {"teachers": _fingerprint(networks), "size": size, "drawings": cache.fingerprint(range(len(cache)))}
        begin = _done(facts, wanted) if path.is_file() else 0
        if begin < count:
            folder.mkdir(parents=True, exist_ok=True)
            new = {"mode": "w+", "dtype": np.float16, "shape": (count, dim)}
            rows_of: np.memmap[Any, np.dtype[np.float16]] = np.lib.format.open_memmap(
                path, **({"mode": "r+"} if begin else new)
            )
            for done, rows in _encoded(networks, cache, size, begin):
                rows_of[done - len(rows) : done] = rows
                if done == count or done // _BATCH % _NOTED == 0:
                    rows_of.flush()
                    write_text(facts, json.dumps(wanted | {"done": done}) + "\n")
                if watch is not None:
                    watch(done, count)
        vectors = np.load(path, mmap_mode="r")
        if vectors.shape != (count, dim):
            raise InputError(f"{path} holds vectors of other drawings.", hint="Delete it: it is made again.")
        return cls(vectors, cache)


def _teacher(recipe: Recipe, start: str, device: torch.device | None) -> Network:
    """A network like the student, with other weights."""
    other = recipe.model_copy(update={"network": recipe.network.model_copy(update={"start": start, "drop_path": 0.0})})
    return build(other).eval().requires_grad_(False).to(device or torch.device("cpu"))


def _size(recipe: Recipe, cache: DrawingCache) -> int:
    """The side at which teachers see drawings."""
    return min(recipe.distillation.size or recipe.search_size, cache.size)


@torch.inference_mode()
def _encoded(
    networks: Sequence[Network], cache: DrawingCache, size: int, begin: int
) -> Iterator[tuple[int, NDArray[np.float16]]]:
    """Vectors of the drawings from one on, batch by batch, with the number that is done then."""
    places = [(design, number) for design, record in enumerate(cache.records) for number in range(len(record.kinds))]
    shared = shared_front(networks)
    done, device = begin, networks[0].mean.device
    source = iter(places[begin:])
    while some := list(islice(source, _BATCH)):
        pixels = torch.from_numpy(np.stack([_drawing(cache, *place, size) for place in some])).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            vectors = _side_by_side(networks, pixels, shared)
        done += len(some)
        yield done, vectors.to(torch.float16).cpu().numpy()


def _side_by_side(networks: Sequence[Network], pixels: Tensor, shared: int) -> Tensor:
    """(N, sum of features) of unit length: the pooled features of each network, of equal weight."""
    images = networks[0].normalised(pixels)
    front = networks[0].front(images, shared) if shared else None
    parts = [n.pooled(n.normalised(pixels)) if front is None else n.pooled_from(front, shared) for n in networks]
    rows = torch.cat([functional.normalize(part.float(), dim=1) for part in parts], dim=1)
    return functional.normalize(rows, dim=1)


def shared_front(networks: Sequence[Network]) -> int:
    """How many stages from the stem on have the same weights in all networks; 0 for none.

    Runs from one start with a frozen front share it, and it is then computed once.
    """
    first, *others = networks
    if not others or not first.has_front or any(n.config != first.config for n in others):
        return 0
    stages = 0
    while stages < len(first.backbone.blocks) and all(_same(first, other, stages) for other in others):
        stages += 1
    return stages


def _same(one: Network, other: Network, stage: int) -> bool:
    parts: tuple[str, ...] = (f"blocks.{stage}",) if stage else ("conv_stem", "bn1", "blocks.0")
    return all(_equal(one.backbone.get_submodule(part), other.backbone.get_submodule(part)) for part in parts)


def _equal(one: nn.Module, other: nn.Module) -> bool:
    # Checkpoints are kept in half precision, so that a start and what was trained from it differ by its rounding.
    theirs: dict[str, Any] = other.state_dict()
    return all(
        torch.allclose(tensor.float(), theirs[name].float(), rtol=1e-3, atol=1e-6)
        for name, tensor in one.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )


def _drawing(cache: DrawingCache, design: int, number: int, size: int) -> NDArray[np.uint8]:
    """A drawing of the cache; white where it cannot be read, for it is then in no batch."""
    try:
        return fit(cache.drawing(design, number), size)
    except InputError:
        return np.full((size, size), WHITE, np.uint8)


def _fingerprint(networks: Sequence[Network]) -> str:
    digest = hashlib.sha256()
    for network in networks:
        for part in state_bytes(network):
            digest.update(part)
        digest.update(repr(network.config).encode())
    return digest.hexdigest()


def _done(facts: Path, wanted: dict[str, Any]) -> int:
    """How many rows are there of what is wanted."""
    try:
        found = json.loads(facts.read_text(encoding="utf-8"))
        return int(found["done"]) if all(found[key] == value for key, value in wanted.items()) else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0
