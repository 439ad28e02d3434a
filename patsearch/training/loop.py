"""The training loop: a batch of changed drawings, a loss on their embeddings, a step of the optimiser.

A step depends on the state, the seed and its number: a run that was killed and resumes from a saved state
ends, on a CPU, with the weights to the bit of one that was never interrupted. What runs around the loop is
`patsearch.training.run`.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from patsearch.encoder.torch_network import Network
from patsearch.errors import UsageError
from patsearch.training.checkpoint import pack_optimiser, read_state, under, unpack_optimiser, unusable, write_state
from patsearch.training.config import Recipe
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.classes import Labelling
from patsearch.training.data.loader import Loader, workers_for
from patsearch.training.data.sampler import sampler_kind
from patsearch.training.distillation import Teachers
from patsearch.training.distributed import Group, synchronised
from patsearch.training.losses.objective import Objective, Trunk
from patsearch.training.optimiser import freeze, make_optimiser
from patsearch.training.schedule import Spent, size_at
from patsearch.training.start import AVERAGED, NETWORK, build

_PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Step:
    """What one step was like.

    Attributes:
        loss: before it.
        norm: of the gradient, before clipping.
        rate: of the backbone.
        size: side of the drawings in pixels.
    """

    loss: float
    norm: float
    rate: float
    size: int


class Trainer:
    """A network in training.

    Args:
        recipe: how.
        cache: the drawings.
        chosen: positions of the designs to learn from.
        network: what to train, in place; None to build what the recipe says.
        group: the processes that share the work.
        teachers: what the recipe's teachers say of the drawings; needed where it names some.

    Attributes:
        spent: what training has taken so far.
        averaged: a copy of the network whose weights follow the trained ones slowly. It is the one that is kept.
        unreadable: (design, number) of the drawings that could not be read.

    Raises:
        UsageError: too few designs, or drawings smaller than the recipe needs.
        EncoderError, InputError: the network cannot be built.
    """

    def __init__(
        self,
        recipe: Recipe,
        cache: DrawingCache,
        chosen: tuple[int, ...],
        *,
        network: Network | None = None,
        group: Group | None = None,
        teachers: Teachers | None = None,
    ) -> None:
        self.recipe, self.cache, self.group = recipe, cache, group or Group()
        if recipe.distils and teachers is None:
            raise UsageError("The recipe names teachers, and there are no vectors of theirs.")
        self._teachers = teachers if recipe.distils else None
        schedule, batch, device = recipe.schedule, recipe.batch, self.group.device
        if (largest := max(size for size, _ in recipe.stages)) > cache.size:
            raise UsageError(
                f"The cached drawings have {cache.size} pixels, fewer than {largest}.",
                hint="Build the cache with larger drawings, or set data.stages to smaller ones.",
            )
        if batch.designs % self.group.ranks:
            raise UsageError(
                f"{batch.designs} designs per batch cannot be shared equally by {self.group.ranks} processes.",
                hint=f"Set batch.designs to a multiple of {self.group.ranks}.",
            )
        self.sampler = sampler_kind(batch.sampler)(
            cache.records,
            chosen,
            designs=batch.designs // self.group.ranks,
            drawings=batch.drawings,
            seed=schedule.seed,
            least=batch.least,
            rank=self.group.rank,
            ranks=self.group.ranks,
        )
        self.steps_an_epoch = math.ceil(self.sampler.batches_per_epoch / batch.accumulate)
        self.budget, self.course = schedule.budget(self.steps_an_epoch), schedule.course()
        if self.group.ranks > 1 and self.budget.unit != "steps":
            raise UsageError("Several processes cannot share a budget of time.", hint="Set schedule.steps or epochs.")
        self.network = (network if network is not None else build(recipe)).to(device)
        if self.group.ranks > 1 and device.type == "cuda":
            self.network = synchronised(self.network)
        torch.manual_seed(schedule.seed)
        labelling = Labelling(batch.labels, cache.records, self.sampler.designs_of_classes)
        self.loss = Objective(recipe, self.network, labelling.classes).to(device)
        self._frozen = freeze(self.network.backbone, schedule.frozen_stages)
        if schedule.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub knows no lone keyword
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._pairs = _float_pairs(self.averaged, self.network)
        self.optimiser = make_optimiser(self.network, self.loss, schedule)
        self._trained = [p for g in self.optimiser.param_groups for p in g["params"]]
        self._scaler = torch.amp.GradScaler(device.type, enabled=schedule.precision == "fp16")
        unused = recipe.network.pooling != "native" or self.loss.places == ("pooled",)
        self._wrapped: Any = self.group.wrap(Trunk(self.network), unused=unused)
        self._forward: Callable[[Tensor], dict[str, Tensor]] = (
            torch.compile(self._wrapped) if schedule.compile else self._wrapped
        )
        self._loader = Loader(
            cache,
            self.sampler,
            recipe.augmentation(),
            labelling=labelling,
            seed=schedule.seed,
            workers=workers_for(device, recipe.data.workers, lambda: (os.cpu_count() or 1) // self.group.ranks),
            pinned=device.type == "cuda",
        )
        self.spent, self.unreadable = Spent(), set[tuple[int, int]]()

    @property
    def share(self) -> float:
        """How much of the budget is spent."""
        return self.budget.share(self.spent)

    def train_step(self) -> Step:
        """One step.

        Raises:
            UsageError: the loss or its gradient is not finite. The weights are those before the step.
        """
        clock = time.process_time(), time.perf_counter()
        schedule, number, share = self.recipe.schedule, self.spent.steps, self.share
        size = size_at(self.recipe.stages, share)
        factor = self.course.factor(share, self.budget.width(self.spent))
        # Dropout and the like draw from torch's generator, which thus depends on nothing before this step.
        torch.manual_seed(_seed(schedule.seed, number, self.group.rank))
        self._train_mode()
        self.loss.progress(share)

        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.group.device)
        for part in range(self.recipe.batch.accumulate):
            total += self._backward(number * self.recipe.batch.accumulate + part, size)
        if self._scaler.is_enabled():
            self._scaler.unscale_(self.optimiser)
        self.group.average(self.loss.parameters())
        norm = self._norm()
        loss = float(total)
        # With fp16 a gradient may overflow: the scaler then leaves out the step and lowers its scale.
        if not math.isfinite(loss) or not (math.isfinite(norm) or self._scaler.is_enabled()):
            raise UsageError(
                f"The loss is {loss:g} and the norm of its gradient {norm:g} at step {number}.",
                hint="Start a new run with lower rates (schedule.rate, head_rate), schedule.clip=1 or precision "
                "bf16; it can start from this one's weights (network.start).",
            )
        for group in self.optimiser.param_groups:
            group["lr"] = group["full_rate"] * factor
        self._scaler.step(self.optimiser)
        self._scaler.update()
        self._follow(number)
        self.spent = Spent(
            number + 1,
            self.spent.cpu_seconds + time.process_time() - clock[0],
            self.spent.wall_seconds + time.perf_counter() - clock[1],
        )
        return Step(loss, norm, schedule.rate * factor, size)

    def _backward(self, number: int, size: int) -> Tensor:
        """Add one batch's share to the gradients; its share of the loss."""
        accumulate, device = self.recipe.batch.accumulate, self.group.device
        batch = self._loader.batch(number, size)
        self.unreadable.update(batch.unreadable)
        drawings = batch.drawings.to(device, non_blocking=True)  # (N, size, size) uint8
        labels = batch.labels.to(device, non_blocking=True)  # (N,)
        taught = None
        if self._teachers is not None:
            taught = self.group.gather(self._teachers.of(batch.places).to(device, non_blocking=True))  # (N, D)
        precision = _PRECISIONS[self.recipe.schedule.precision]
        last = (number + 1) % accumulate == 0
        # Gradients of all but the last batch stay here until it is added to them.
        with nullcontext() if last or self.group.ranks == 1 else self._wrapped.no_sync():
            with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
                vectors = self.loss.unit(self._forward(drawings))  # (N, dim) by place
            vectors = {place: self.group.gather(rows) for place, rows in vectors.items()}
            loss: Tensor = self.loss(vectors, self.group.gather(labels), taught) / accumulate
            # The processes' gradients are averaged, but each holds only its own rows' part of the sum.
            self._scaler.scale(loss * self.group.ranks).backward()  # type: ignore[no-untyped-call]  # torch's own gap
        return loss.detach()

    def _train_mode(self) -> None:
        self.network.train()
        self.loss.train()
        for module in self._frozen:
            module.eval()

    def _norm(self) -> float:
        """Norm of the gradient; clips it where the recipe says so."""
        gradients = [p.grad for p in self._trained if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.recipe.schedule.clip:
            nn.utils.clip_grads_with_norm_(self._trained, self.recipe.schedule.clip, norm)
        return float(norm)

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        # In the first steps the average must not be held back by what new layers were before any training.
        decay = min(self.recipe.schedule.average, number / (number + 10))
        mine, theirs = self._pairs
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for own, other in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            if not own.is_floating_point():
                own.copy_(other)

    def save(self, path: Path, **more: Any) -> None:
        """Write the whole state; readers see the old state or the new one.

        Args:
            more: saved with it, anything that JSON can hold; `load` returns it.
        """
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"{AVERAGED}{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        tensors |= {f"loss.{name}": tensor for name, tensor in self.loss.state_dict().items()}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in pack_optimiser(self.optimiser).items()}
        metadata = {
            NETWORK: asdict(self.network.config),
            "recipe": self.recipe.model_dump(),
            "drawings": self._fingerprint(),
            "spent": asdict(self.spent),
            "scaler": self._scaler.state_dict(),
            "unreadable": sorted(self.unreadable),
            "more": more,
        }
        write_state(path, tensors, metadata)

    def load(self, path: Path) -> dict[str, Any]:
        """Resume from a state that `save` wrote; returns what was saved with it.

        Raises:
            InputError: it cannot be read, or is of another network.
            UsageError: it is of another recipe, or of other drawings.
        """
        tensors, metadata = read_state(path)
        try:
            check_same(metadata["recipe"], self.recipe, path)
            if metadata["drawings"] != self._fingerprint():
                raise UsageError(
                    f"{path} was trained on other drawings.", hint="Resume with the same data, or give a new --out."
                )
            self.network.load_state_dict(under(tensors, "network."))
            self.averaged.load_state_dict(under(tensors, AVERAGED))
            self.loss.load_state_dict(under(tensors, "loss."))
            unpack_optimiser(self.optimiser, under(tensors, "optimiser."))
            self._scaler.load_state_dict(metadata["scaler"])
            self.spent = Spent(**metadata["spent"])
            self.unreadable = {(design, number) for design, number in metadata["unreadable"]}
            more: dict[str, Any] = metadata["more"]
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise unusable(path, error) from error
        return more

    def close(self) -> None:
        """End the threads that load drawings."""
        self._loader.close()

    def _fingerprint(self) -> str:
        """Of the designs that are learned from, by name and number of drawings."""
        return self.cache.fingerprint(self.sampler.designs_of_classes.tolist())


def check_same(old: dict[str, Any], recipe: Recipe, path: Path) -> None:
    """Refuse to resume with another recipe, unless only the budget is longer.

    Raises:
        UsageError: it differs; the message names the first key.
    """
    was, now = _flat(old), _flat(recipe.model_dump(mode="json"))
    for key in sorted(was.keys() | now.keys()):
        before, after = was.get(key), now.get(key)
        if before == after or key in _FREE:
            continue
        if key in _LENGTHS and before is not None and after is not None and after > before:
            continue
        raise UsageError(
            f"{path.parent} was started with {key} = {before}, not {after}.",
            hint="A run resumes with the same recipe, or a longer budget. Give a new --out for another one "
            f"(it can start from these weights: --set network.start={path.parent}).",
        )


# What may differ when a run resumes, only longer or in any way: none of it changes a step that was made.
_LENGTHS = ("schedule.steps", "schedule.epochs", "schedule.cpu_seconds", "schedule.wall_seconds")
_FREE = ("title", "data.workers", "schedule.save_seconds", "schedule.log_steps")


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _float_pairs(averaged: nn.Module, network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and statistics that are averaged, and those that they follow, in the same order."""
    lists: list[list[Tensor]] = []
    for module in (averaged, network):
        tensors = [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]
        lists.append([tensor for tensor in tensors if tensor.is_floating_point()])
    return lists[0], lists[1]


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=7).digest()
    return int.from_bytes(digest)
