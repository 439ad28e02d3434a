"""The training loop: batches of P designs x K drawings, a loss on the projection, an average of the weights.

The projection is used by the loss alone: what is searched later are the pooled features before it, which
forget less of what pretraining taught (see docs/encoder-log.md).

A step is a function of the state, the seed and its number, so that a run that goes on from a saved state
ends with the weights of one that was never interrupted.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from patsearch.encoder.torch_network import Network
from patsearch.errors import InputError, SettingsError, UsageError
from patsearch.training.augment import Augmentation, augment
from patsearch.training.cache import DrawingCache
from patsearch.training.losses import InfoNCE
from patsearch.training.sampler import Batch, PKSampler


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What decides how a run goes, besides its drawings.

    Attributes:
        size: side of the drawings in pixels.
        designs, drawings: P and K of a batch.
        steps: of the whole run.
        warmup, decay: steps at the start over which the rates rise from 0, and at the end over which they
            fall to 0, both linearly; in between they stay. A run can thus be lengthened by raising `steps`
            before its decay has begun.
        rate, head_rate: AdamW's learning rates of the backbone and of the projection.
        weight_decay: of matrices and kernels, not of biases and normalisations.
        temperature: of InfoNCE.
        frozen_stages: the stem and as many of the backbone's first stages keep their weights and statistics.
        average: decay a step of the exponential moving average of the weights, which is what is kept.
        seed: of batches and augmentations.
    """

    size: int = 128
    designs: int = 48
    drawings: int = 3
    steps: int = 3000
    warmup: int = 100
    decay: int = 800
    rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.02
    temperature: float = 0.08
    frozen_stages: int = 3
    average: float = 0.998
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0 or self.decay < 0 or not 0 <= self.average < 1 or self.frozen_stages < 0:
            raise SettingsError(
                f"Training settings out of range: {self}.", hint="At least one step; average 0 to below 1."
            )

    def factor(self, step: int) -> float:
        """Share of the learning rates at a step, 0 to 1."""
        rising = (step + 1) / self.warmup if self.warmup else 1.0
        falling = (self.steps - step) / self.decay if self.decay else 1.0
        return max(0.0, min(1.0, rising, falling))


class Trainer:
    """A network in training.

    Args:
        network: with a projection; trained in place.
        cache: the drawings.
        chosen: positions of the designs to learn from.
        config: the run.

    Attributes:
        step: steps done.
        averaged: a copy of the network whose weights follow the trained ones slowly.

    Raises:
        UsageError: the network has no projection, or there are too few designs.
    """

    def __init__(self, network: Network, cache: DrawingCache, chosen: tuple[int, ...], config: TrainConfig) -> None:
        if config.size > cache.size:
            raise UsageError(f"The cached drawings have {cache.size} pixels, fewer than {config.size}.")
        if network.config.projection is None:
            raise UsageError("Only a network with a projection is trained.", hint="Build it with projection=256.")
        self.config, self.network, self.cache, self.step = config, network, cache, 0
        self.sampler = PKSampler(
            cache.records, chosen, designs=config.designs, drawings=config.drawings, seed=config.seed
        )
        self.loss = InfoNCE(dim=network.dim, classes=config.designs, temperature=config.temperature)
        self._frozen = _front(network.backbone, config.frozen_stages)
        for module in self._frozen:
            module.requires_grad_(False)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub knows no lone keyword
        self.averaged = copy.deepcopy(network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(_groups(network, config))

    def train_step(self) -> float:
        """One step; the loss before it.

        Raises:
            UsageError: the loss is no number any more.
        """
        batch = self.sampler.batch(self.step)
        drawings = torch.from_numpy(self._augmented(batch))  # (P * K, size, size)
        self.network.train()
        for module in self._frozen:
            module.eval()
        embeddings = nn.functional.normalize(self.network(drawings), dim=1)  # (P * K, dim)
        loss: Tensor = self.loss(embeddings, torch.from_numpy(batch.labels))
        value = float(loss.detach())
        if not np.isfinite(value):
            raise UsageError(
                f"The loss is {value} at step {self.step}.",
                hint="Go on from the last state with a lower rate.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own gap
        for group in self.optimiser.param_groups:
            group["lr"] = group["full_rate"] * self.config.factor(self.step)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return value

    def _augmented(self, batch: Batch) -> np.ndarray[Any, np.dtype[np.uint8]]:
        config = self.config
        rng = np.random.default_rng([config.seed, 2, self.step])
        pairs = zip(batch.designs.tolist(), batch.numbers.tolist(), strict=True)
        return np.stack(
            [augment(self.cache.drawing(*pair), config.augmentation, rng, size=config.size) for pair in pairs]
        )

    @torch.no_grad()
    def _follow(self) -> None:
        # In the first steps the average must not be held back by what the projection was before any training.
        decay = min(self.config.average, self.step / (self.step + 10))
        for mine, theirs in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    def save(self, path: Path) -> None:
        """Write the whole state as one safetensors file; whoever reads it sees the old state or the new."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in state.items()}
        metadata = {"step": str(self.step), "config": json.dumps(asdict(self.config))}
        part = path.with_suffix(".part")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a state that `save` wrote.

        Raises:
            InputError: it cannot be read, or is of another network.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            self.network.load_state_dict(_under(tensors, "network."))
            self.averaged.load_state_dict(_under(tensors, "averaged."))
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _under(tensors, "optimiser.").items():
                number, _, key = name.partition(".")
                state.setdefault(int(number), {})[key] = tensor
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": state, "param_groups": groups})
            self.step = int(metadata["step"])
        except (OSError, SafetensorError, RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"The training state {path} cannot be used: {reason}.") from error

    def start_from(self, path: Path) -> None:
        """Begin a new run with the averaged weights of another one's state, or of what `slim` made of it.

        Raises:
            InputError: it cannot be read, or is of another network.
        """
        try:
            weights = _under(load_file(path), "averaged.")
            self.network.load_state_dict(weights)
            self.averaged.load_state_dict(weights)
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"The training state {path} cannot be used: {reason}.") from error


def slim(state: Path, path: Path) -> None:
    """Keep of a training state what a new run can start from: the averaged weights, in half precision."""
    with safe_open(state, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("averaged.")]  # noqa: SIM118  (no mapping)
        kept = {name: file.get_tensor(name) for name in names}
        metadata = file.metadata()
    save_file({n: t.half() if t.is_floating_point() else t for n, t in kept.items()}, path, metadata)


def _front(backbone: Any, stages: int) -> list[nn.Module]:
    """Stem and first stages of one of timm's EfficientNets."""
    if stages == 0:
        return []
    if not all(hasattr(backbone, name) for name in ("conv_stem", "bn1", "blocks")):
        raise UsageError("Only an EfficientNet's front can be frozen.", hint="Set frozen_stages to 0.")
    return [backbone.conv_stem, backbone.bn1, *backbone.blocks[:stages]]


def _groups(network: Network, config: TrainConfig) -> list[dict[str, Any]]:
    """The optimiser's groups: backbone and projection, each with and without weight decay."""
    groups = []
    for module, rate in ((network.backbone, config.rate), (network.projection, config.head_rate)):
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        for matrices, decay in ((True, config.weight_decay), (False, 0.0)):
            chosen = [parameter for parameter in trained if (parameter.ndim > 1) == matrices]
            if chosen:
                groups.append({"params": chosen, "lr": rate, "full_rate": rate, "weight_decay": decay})
    return groups


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
