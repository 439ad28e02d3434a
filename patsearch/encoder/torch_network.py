"""The networks that patsearch trains and runs with torch: a timm backbone, pooling, a projection.

(N, size, size) uint8 -> normalised (N, 3, size, size) -> backbone -> pooling -> projection -> (N, dim)

A loss sees the end of that. What is searched is the same, or the pooled features before the projection,
which forget less of what pretraining taught.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from patsearch.encoder.torch_dual import TWINS, Dual
from patsearch.encoder.torchvision_schemas import import_timm
from patsearch.errors import EncoderError
from patsearch.files import write_text

POOLINGS = ("native", "average", "gem")
EMBEDDINGS = ("projection", "pooled")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that is needed to build a network without its weights.

    Attributes:
        architecture: a timm model ("efficientnet_b0"), or one of `patsearch.encoder.torch_dual`.
        pooling: "native", the model's own; "average" over its feature map; or "gem", the generalised mean
            (Radenovic et al., Fine-tuning CNN Image Retrieval with No Human Annotation, eq. 3).
        gem_power: exponent of "gem"; 1 is the average, larger values near the maximum.
        gem_learned: whether the exponent is a weight that begins there.
        projection: dimension of a linear layer with batch normalisation behind the pooling; None for none.
        embedding: which vectors are searched, those behind the "projection" or the "pooled" ones before it.
        image_size: side of the images, for models that are built for one ("swinv2_..."); None for the others.
        mean, std: of the grey values in [0, 1], per channel.
    """

    architecture: str
    pooling: str = "native"
    gem_power: float = 3.0
    gem_learned: bool = False
    projection: int | None = None
    embedding: str = "projection"
    image_size: int | None = None
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise EncoderError(f"Unknown pooling {self.pooling!r}.", hint=f"Known: {', '.join(POOLINGS)}.")
        if self.embedding not in EMBEDDINGS:
            raise EncoderError(f"Unknown embedding {self.embedding!r}.", hint=f"Known: {', '.join(EMBEDDINGS)}.")

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read from JSON.

        Raises:
            EncoderError: not readable, not JSON, or with missing or unknown fields.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EncoderError(f"The network's configuration {path} cannot be read: {error}.") from error
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or "architecture" not in values or values.keys() - known:
            raise EncoderError(
                f"The network's configuration {path} is malformed.", hint=f"Its fields are {', '.join(sorted(known))}."
            )
        for name in ("mean", "std"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)


class Network(nn.Module):
    """uint8 drawings in, embeddings out, not yet of unit length.

    Args:
        config: what to build.
        pretrained: whether timm is to load its weights, from its cache or its hub.
        drop_path: share of the residual branches left out in training (stochastic depth).

    Attributes:
        features: length of the pooled features.
        dim: length of what `forward` gives and a loss sees.
        embedding_dim: length of what `embed` gives and is searched.

    Raises:
        EncoderError: timm has no such model, or its weights cannot be loaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig, *, pretrained: bool = False, drop_path: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.backbone = _create(config, pretrained, drop_path)
        native = config.pooling == "native"
        self.features = int(self.backbone.head_hidden_size if native else self.backbone.num_features)
        if config.pooling == "gem" and config.gem_learned:
            self.gem_power = nn.Parameter(torch.tensor(config.gem_power))
        self.projection: nn.Module = nn.Identity()
        if config.projection is not None:
            self.projection = nn.Sequential(
                nn.Linear(self.features, config.projection, bias=False), nn.BatchNorm1d(config.projection)
            )
        self.dim = config.projection or self.features
        self.embedding_dim = self.features if config.embedding == "pooled" else self.dim
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, drawings: Tensor) -> Tensor:
        """(N, dim), for a loss, for (N, size, size) uint8, white = 255."""
        embeddings: Tensor = self.projection(self.pooled(self.normalised(drawings)))
        return embeddings

    def embed(self, drawings: Tensor) -> Tensor:
        """(N, embedding_dim), to be searched, for (N, size, size) uint8, white = 255."""
        pooled = self.pooled(self.normalised(drawings))
        embeddings: Tensor = pooled if self.config.embedding == "pooled" else self.projection(pooled)
        return embeddings

    def normalised(self, drawings: Tensor) -> Tensor:
        """(N, 3, size, size), channels last, for (N, size, size) uint8, white = 255."""
        grey = drawings.unsqueeze(1).to(self.mean.dtype) / 255  # (N, 1, S, S)
        images = (grey.expand(-1, 3, -1, -1) - self.mean) / self.std  # (N, 3, S, S)
        return images.contiguous(memory_format=torch.channels_last)

    def pooled(self, images: Tensor) -> Tensor:
        """(N, features) before the projection, for normalised (N, 3, S, S)."""
        if self.config.pooling == "native":
            native: Tensor = self.backbone(images)
            return native  # (N, features)
        return self._pool(self.backbone.forward_features(images))

    @property
    def has_front(self) -> bool:
        """Whether the network can be run in two parts, `front` and `pooled_from`: timm's EfficientNets can."""
        parts = ("conv_stem", "bn1", "blocks", "conv_head", "bn2")
        return self.config.pooling != "native" and all(hasattr(self.backbone, part) for part in parts)

    def front(self, images: Tensor, stages: int) -> Tensor:
        """(N, C, H, W) behind the stem and the first stages, for normalised (N, 3, S, S)."""
        features: Tensor = self.backbone.bn1(self.backbone.conv_stem(images))
        for stage in self.backbone.blocks[:stages]:
            features = stage(features)
        return features

    def pooled_from(self, features: Tensor, stages: int) -> Tensor:
        """(N, features) before the projection, for what `front` gave for as many stages."""
        for stage in self.backbone.blocks[stages:]:
            features = stage(features)
        return self._pool(self.backbone.bn2(self.backbone.conv_head(features)))

    def _pool(self, features: Tensor) -> Tensor:
        """(N, features) for the feature map."""
        if str(getattr(self.backbone, "output_fmt", "NCHW")) == "NHWC":
            features = features.permute(0, 3, 1, 2)
        if features.ndim != 4 or features.shape[1] != self.features:
            raise EncoderError(
                f"{self.config.architecture} has no (N, C, H, W) feature map to pool.", hint="Use the pooling native."
            )
        if self.config.pooling == "average":
            return features.mean(dim=(2, 3))
        power = self.gem_power.clamp(min=0.5) if self.config.gem_learned else self.config.gem_power
        # Half precision would overflow where features are raised to a power, and so would the inverse of what
        # single precision cannot hold of a small one.
        least = max(1e-6, 10.0 ** (-36 / max(self.config.gem_power, 1.0)))
        return features.float().clamp(min=least).pow(power).mean(dim=(2, 3)).pow(1 / power)


def state_bytes(network: nn.Module) -> list[bytes]:
    """Names and values of all weights and statistics, in a fixed order, for a fingerprint."""
    parts: list[bytes] = []
    for name, tensor in sorted(network.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        values: NDArray[np.uint8] = flat.numpy()
        parts += [f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode(), values.tobytes()]
    return parts


def _create(config: NetworkConfig, pretrained: bool, drop_path: float) -> Any:
    timm, architecture = import_timm(), config.architecture
    options: dict[str, Any] = {"img_size": config.image_size} if config.image_size is not None else {}
    if drop_path:
        options["drop_path_rate"] = drop_path
    if architecture not in TWINS and architecture.partition(".")[0] not in timm.list_models():
        close = timm.list_models(f"*{architecture}*")[:5]
        hint = f"Close: {', '.join(close)}." if close else "timm.list_models() names them."
        raise EncoderError(f"timm has no model {architecture!r}.", hint=hint)
    try:
        # Random weights are the same in every process, or an index would refuse its own encoder.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if architecture in TWINS:
                return Dual(TWINS[architecture], pretrained=pretrained)
            with _quiet_hub():
                return timm.create_model(architecture, pretrained=pretrained, num_classes=0, **options)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        if not pretrained:
            raise EncoderError(f"timm cannot build {architecture}: {_line(error)}.") from error
        raise EncoderError(
            f"The weights of timm's {architecture} cannot be had: {_line(error)}.",
            hint="Download them where there is a network (they are then found in the cache of huggingface_hub), or "
            "add ?pretrained=false for random ones.",
        ) from error


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Without the hub's warnings of every retry: what comes of them is said once, by our own error."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "timm")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
