"""Recipes: everything that decides how a run goes, except its drawings.

    [network]     what is trained, from which weights, and which of its vectors are searched
    [data]        sides of the drawings in the course of the run, what is held out
    [batch]       how drawings are chosen
    [loss]        what is made smaller; [loss2] is added to it
    [distillation] networks whose similarities are learned too
    [schedule]    budget, learning rates, precision
    [augment]     how drawings are changed (`patsearch.training.augment.augmentation.Augmentation`)
    [validation]  how often retrieval is measured, and on what the best weights are chosen
    [search]      how the encoder is used later: side of the drawings, turning, re-ranking

Unknown keys are errors. How recipes are found, extend one another and are written: `patsearch.training.recipes`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from patsearch.training.augment.augmentation import Augmentation
from patsearch.training.schedule import Budget, Schedule, Shape, Unit

Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=16, le=2048)]


class Section(BaseModel):
    """Strict about keys, not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class NetworkSection(Section):
    """What is trained.

    Attributes:
        architecture: a timm model.
        pooling, gem_power, gem_learned: as in `patsearch.encoder.torch_network.NetworkConfig`.
        projection: dimension of the layer behind the pooling; 0 for none.
        embedding: which vectors are searched later: "pooled" or those of the "projection".
        start: "imagenet", "random", or the path of a checkpoint folder or of a run's state.
        drop_path: stochastic depth.
    """

    architecture: str = "tf_efficientnet_lite0"
    pooling: Literal["native", "average", "gem"] = "gem"
    gem_power: float = Field(default=3.0, ge=1, le=20)
    gem_learned: bool = False
    projection: int = Field(default=256, ge=0)
    embedding: Literal["pooled", "projection"] = "pooled"
    start: str = "imagenet"
    drop_path: Share = 0.0


class Stage(Section):
    """A side in pixels, and the share of the budget for which it is used."""

    size: Size
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


class DataSection(Section):
    """Which drawings, how large.

    Attributes:
        stages: sides in the course of the run; the shares sum to 1.
        held_out_share: of the groups of near duplicates, kept for validation.
        held_out_families: kept for validation whole.
        workers: threads that prepare batches ahead; None for none on a CPU and several for a GPU.
    """

    stages: tuple[Stage, ...] = Field(default=(Stage(size=128),), min_length=1)
    held_out_share: Annotated[float, Field(ge=0, lt=1)] = 0.06
    held_out_families: tuple[str, ...] = ()
    workers: int | None = Field(default=None, ge=0, le=256)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise ValueError("the shares of the stages must sum to 1")
        return self


class BatchSection(Section):
    """How drawings are chosen.

    Attributes:
        sampler: "pk" or "class-balanced".
        designs, drawings: designs of a batch, over all processes, and drawings of each.
        accumulate: batches whose gradients are added up before one update; pairs are made within a batch alone.
        least: designs with fewer drawings are not trained on.
        labels: the classes that losses distinguish: "design", or "type-and-domain" (`patsearch.training.data.classes`).
    """

    sampler: str = "pk"
    labels: Literal["design", "type-and-domain"] = "design"
    designs: int = Field(default=48, ge=1)
    drawings: int = Field(default=3, ge=1)
    accumulate: int = Field(default=1, ge=1)
    least: int = Field(default=2, ge=1)


class LossSection(Section):
    """A registered loss.

    Attributes:
        name: as registered, "arcface".
        on: the vectors that it sees, behind the "projection" or the "pooled" ones before it.
        weight: factor with which it counts; 0 for not at all.
        begin, end: shares of the budget between which it counts: two losses may follow one another.
        options: its own.
    """

    name: str
    on: Literal["projection", "pooled"] = "projection"
    weight: float = Field(default=1.0, ge=0)
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    end: Annotated[float, Field(gt=0, le=1)] = 1.0
    options: dict[str, Any] = Field(default_factory=dict)


class DistillationSection(Section):
    """Networks whose similarities are learned, next to the losses' classes (`patsearch.training.distillation`).

    Attributes:
        teachers: as `network.start`, one each; none to learn from classes alone.
        size: side in pixels at which they see drawings; None for that of a search. Never more than the cache's.
        weight: factor with which they count.
        temperature: divides the cosines before their softmax.
        squared: factor of the squared differences of cosines.
    """

    teachers: tuple[str, ...] = Field(default=(), max_length=16)
    size: Size | None = None
    weight: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=0.05, gt=0, le=1)
    squared: float = Field(default=1.0, ge=0)


class ScheduleSection(Section):
    """Budget, rates, precision.

    Attributes:
        steps, epochs, cpu_seconds, wall_seconds: the budget; exactly one is given. Seconds are those of training
            alone, CPU seconds those of all threads of the process.
        shape, warmup, decay, floor: as in `patsearch.training.schedule.Schedule`.
        optimiser: "adamw" or "sgd" (momentum 0.9).
        rate, head_rate: learning rates of the backbone, and of what begins at random: projection, class centres.
        weight_decay: of matrices and kernels, not of biases and normalisations.
        clip: largest norm of the gradient, of all weights together; 0 for none.
        average: decay per step of the moving average of the weights, which is kept; 0 for none.
        frozen_stages: N keeps weights and statistics of the stem and of the backbone's first N stages; 0 for none.
        precision: of the products ("fp32", "bf16", "fp16"); weights and losses are always fp32.
        compile: let torch.compile translate the network.
        channels_last: memory order of images.
        seed: of batches, augmentations and new weights.
        save_seconds: the state is saved at least this often, and at the end of each epoch.
        log_steps: steps between two rows of the log.
    """

    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    cpu_seconds: float | None = Field(default=None, gt=0)
    wall_seconds: float | None = Field(default=None, gt=0)
    shape: Shape = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    decay: Share = 0.3
    floor: Share = 0.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    rate: float = Field(default=4e-4, ge=0)
    head_rate: float = Field(default=2e-3, ge=0)
    weight_decay: float = Field(default=0.02, ge=0)
    clip: float = Field(default=0.0, ge=0)
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    frozen_stages: int = Field(default=0, ge=0)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    channels_last: bool = True
    seed: int = Field(default=0, ge=0, lt=2**32)
    save_seconds: float = Field(default=180.0, ge=0)
    log_steps: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"exactly one of {', '.join(BUDGETS)} must be given, not {found}")
        return self

    def budget(self, steps_an_epoch: int) -> Budget:
        """The budget, epochs turned into steps."""
        if self.epochs is not None:
            return Budget("steps", max(1, round(self.epochs * steps_an_epoch)))
        units: tuple[Unit, ...] = ("steps", "cpu_seconds", "wall_seconds")
        unit = next(unit for unit in units if getattr(self, unit) is not None)
        return Budget(unit, getattr(self, unit))

    def course(self) -> Schedule:
        """The course of the rates."""
        return Schedule(self.shape, self.warmup, self.decay, self.floor)


class ValidationSection(Section):
    """Retrieval on what is held out.

    Attributes:
        every: steps between two validations; None for the end of each epoch.
        designs: at most N of the held-out groups, and at most N of the held-out families.
        size: side in pixels; None for the one that is searched with.
        metric: the best weights are those that do best here; "map" is the mean of the two that begin so.
    """

    every: int | None = Field(default=None, ge=1)
    designs: int = Field(default=160, ge=1)
    size: Size | None = None
    metric: Literal["map", "map_groups", "map_families", "sketch_groups", "sketch_families"] = "map"


class SearchSection(Section):
    """How the encoder is used later.

    Attributes:
        size: side at which it takes drawings; None for that of the last stage.
        rotations: whether a benchmark queries with turned copies too.
        rerank: whether a benchmark re-ranks.
    """

    size: Size | None = None
    rotations: bool = False
    rerank: bool = False


if TYPE_CHECKING:

    class AugmentSection(Section):
        """The fields of `Augmentation`."""

else:
    # One field for each, so that a recipe knows what the augmentations know.
    AugmentSection = create_model(
        "AugmentSection", __base__=Section, **{field.name: (float, field.default) for field in fields(Augmentation)}
    )


class Recipe(Section):
    """A whole recipe. See the module.

    Attributes:
        title: one line that describes it.
        encoder: name of an encoder that needs no training; the rest of such a recipe means nothing.
    """

    title: str = ""
    encoder: str = ""
    network: NetworkSection = NetworkSection()
    data: DataSection = DataSection()
    batch: BatchSection = BatchSection()
    loss: LossSection = LossSection(name="info-nce")
    loss2: LossSection | None = None
    distillation: DistillationSection = DistillationSection()
    schedule: ScheduleSection
    augment: AugmentSection = AugmentSection()
    validation: ValidationSection = ValidationSection()
    search: SearchSection = SearchSection()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.network.embedding == "projection" and not self.network.projection:
            raise ValueError("network.embedding is the projection's, but network.projection is 0")
        if not self.losses:
            if self.distils:
                return self
            raise ValueError("the weight of every loss is 0")
        spans = sorted((loss.begin, loss.end) for loss in self.losses)
        if any(end <= begin for begin, end in spans) or spans[0][0] > 0 or max(end for _, end in spans) < 1:
            raise ValueError("loss.begin and loss.end leave a part of the run without a loss")
        if len(spans) == 2 and spans[1][0] > spans[0][1]:
            raise ValueError("loss.begin and loss.end leave a part of the run without a loss")
        return self

    @property
    def stages(self) -> tuple[tuple[int, float], ...]:
        """Side and share of each stage."""
        return tuple((stage.size, stage.share) for stage in self.data.stages)

    @property
    def search_size(self) -> int:
        """Side at which the encoder takes drawings later."""
        return self.search.size or self.data.stages[-1].size

    @property
    def losses(self) -> tuple[LossSection, ...]:
        """Those that count."""
        return tuple(section for section in (self.loss, self.loss2) if section is not None and section.weight)

    @property
    def distils(self) -> bool:
        """Whether there are teachers, and they count."""
        return bool(self.distillation.teachers) and self.distillation.weight > 0

    def augmentation(self) -> Augmentation:
        """The augmentations.

        Raises:
            SettingsError: out of range.
        """
        return Augmentation(**self.augment.model_dump())


BUDGETS = ("steps", "epochs", "cpu_seconds", "wall_seconds")
