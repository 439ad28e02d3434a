"""Each loss against a naive loop, against finite differences, and in its corners."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from patsearch import plugins
from patsearch.errors import SettingsError, UsageError
from patsearch.training.losses import (
    ArcFace,
    BatchHardTriplet,
    Circle,
    CosFace,
    InfoNCE,
    Loss,
    ProxyAnchor,
    SemiHardTriplet,
    Softmax,
    SubcenterArcFace,
    SupCon,
)

DIM, CLASSES = 4, 5
# Classes of three, two and one row: the last has no positive. Classes 1 and 3 are not in the batch.
LABELS = torch.tensor([0, 2, 0, 4, 2, 0])


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads waiting for one another cost more than these small products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows(seed: int = 0, count: int = 6, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(count, DIM, generator=generator, dtype=dtype), dim=1)


def centres_of(loss: Loss) -> Tensor:
    """The weights of its class centres."""
    assert isinstance(loss.centres, torch.nn.Module)
    assert isinstance(loss.centres.weight, Tensor)
    return loss.centres.weight


# ------------------------------------------------------------------ the papers' formulas, number by number


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def lists(x: Tensor, labels: Tensor) -> tuple[list[list[float]], list[int]]:
    return x.tolist(), labels.tolist()


def naive_info_nce(loss: InfoNCE, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    values = []
    for i in range(len(y)):
        for p in range(len(y)):
            if p != i and y[p] == y[i]:
                positive = math.exp(cosine(e[i], e[p]) / loss.temperature)
                negatives = sum(math.exp(cosine(e[i], e[n]) / loss.temperature) for n in range(len(y)) if y[n] != y[i])
                values.append(-math.log(positive / (positive + negatives)))
    return sum(values) / len(values)


def naive_supcon(loss: SupCon, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    values = []
    for i in range(len(y)):
        positives = [p for p in range(len(y)) if p != i and y[p] == y[i]]
        if positives:
            below = sum(math.exp(cosine(e[i], e[a]) / loss.temperature) for a in range(len(y)) if a != i)
            terms = [math.log(math.exp(cosine(e[i], e[p]) / loss.temperature) / below) for p in positives]
            values.append(-sum(terms) / len(positives))
    return sum(values) / len(values)


def naive_triplet(loss: BatchHardTriplet, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    values = []
    for i in range(len(y)):
        distance = [math.dist(e[i], other) for other in e]
        positives = [distance[j] for j in range(len(y)) if j != i and y[j] == y[i]]
        negatives = [distance[j] for j in range(len(y)) if y[j] != y[i]]
        if positives and negatives:
            gap = max(positives) - min(negatives)
            values.append(math.log1p(math.exp(gap)) if loss.margin is None else max(0.0, loss.margin + gap))
    return sum(values) / len(values)


def naive_semi_hard(loss: SemiHardTriplet, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    values = []
    for i in range(len(y)):
        negatives = sorted(math.dist(e[i], e[n]) ** 2 for n in range(len(y)) if y[n] != y[i])
        for p in range(len(y)):
            if p != i and y[p] == y[i] and negatives:
                near = math.dist(e[i], e[p]) ** 2
                taken = next((n for n in negatives if n > near), negatives[-1])
                values.append(max(0.0, near - taken + loss.margin))
    return sum(values) / len(values)


def naive_circle(loss: Circle, x: Tensor, labels: Tensor, weighted_at: Tensor | None = None) -> float:
    e, y = lists(x, labels)
    w, _ = lists(x if weighted_at is None else weighted_at, labels)
    m = loss.margin
    values = []
    for i in range(len(y)):
        positives = negatives = 0.0
        for j in range(len(y)):
            s, fixed = cosine(e[i], e[j]), cosine(w[i], w[j])
            if j != i and y[j] == y[i]:
                positives += math.exp(-loss.scale * max(0.0, 1 + m - fixed) * (s - (1 - m)))
            elif y[j] != y[i]:
                negatives += math.exp(loss.scale * max(0.0, fixed + m) * (s - m))
        if positives and negatives:
            values.append(math.log(1 + negatives * positives))
    return sum(values) / len(values)


def naive_proxy_anchor(loss: ProxyAnchor, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    proxies = loss.centres.weight[:, 0].tolist()
    pull, push = [], []
    for c, proxy in enumerate(proxies):
        own = [cosine(e[i], proxy) for i in range(len(y)) if y[i] == c]
        others = [cosine(e[i], proxy) for i in range(len(y)) if y[i] != c]
        if own:
            pull.append(math.log(1 + sum(math.exp(-loss.scale * (s - loss.margin)) for s in own)))
        push.append(math.log(1 + sum(math.exp(loss.scale * (s + loss.margin)) for s in others)))
    return sum(pull) / len(pull) + sum(push) / len(proxies)


def focal(probability: float, gamma: float) -> float:
    weight: float = (1 - probability) ** gamma
    return -weight * math.log(probability)


def naive_softmax(loss: Softmax, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    centres = loss.centres.weight[:, 0].tolist()
    biases = [0.0] * len(centres) if loss.bias is None else loss.bias.tolist()
    values = []
    for i in range(len(y)):
        powers = []
        for centre, bias in zip(centres, biases, strict=True):
            long = 1.0 if loss.bias is None else math.hypot(*e[i]) * math.hypot(*centre)
            powers.append(math.exp(loss.scale * long * cosine(e[i], centre) + bias))
        values.append(focal(powers[y[i]] / sum(powers), loss.focal_gamma))
    return sum(values) / len(values)


def naive_margin(loss: ArcFace | CosFace, x: Tensor, labels: Tensor) -> float:
    e, y = lists(x, labels)
    centres = loss.centres.weight.tolist()
    values = []
    for i in range(len(y)):
        s = [max(cosine(e[i], sub) for sub in subs) for subs in centres]
        own = s[y[i]]
        if isinstance(loss, CosFace):
            worse = own - loss.margin
        elif loss.easy_margin:
            worse = math.cos(math.acos(own) + loss.margin) if own > 0 else own
        elif math.acos(own) + loss.margin < math.pi:
            worse = math.cos(math.acos(own) + loss.margin)
        else:
            worse = own - loss.margin * math.sin(loss.margin)
        powers = [math.exp(loss.scale * (worse if c == y[i] else s[c])) for c in range(len(centres))]
        values.append(focal(powers[y[i]] / sum(powers), loss.focal_gamma))
    return sum(values) / len(values)


# ------------------------------------------------------------------ what is tested


@dataclass(frozen=True)
class Case:
    kind: type[Loss]
    naive: Callable[[Any, Tensor, Tensor], float]
    options: dict[str, Any] = field(default_factory=dict)

    def make(self, dtype: torch.dtype = torch.float64, classes: int = CLASSES) -> Loss:
        torch.manual_seed(5)
        loss = self.kind(dim=DIM, classes=classes, **self.options).to(dtype)
        if isinstance(loss, Softmax) and loss.bias is not None:
            torch.nn.init.normal_(loss.bias)
        return loss

    def __str__(self) -> str:
        return f"{self.kind.__name__}({', '.join(f'{k}={v}' for k, v in self.options.items())})"


PAIRS = [
    Case(InfoNCE, naive_info_nce, {"temperature": 0.1}),
    Case(InfoNCE, naive_info_nce, {"temperature": 1.0}),
    Case(InfoNCE, naive_info_nce, {"temperature": 0.5, "learn_temperature": True}),
    Case(SupCon, naive_supcon, {"temperature": 0.2}),
    Case(BatchHardTriplet, naive_triplet, {"margin": 0.3}),
    Case(BatchHardTriplet, naive_triplet, {"margin": 1.5}),
    Case(BatchHardTriplet, naive_triplet, {"margin": None}),
    Case(BatchHardTriplet, naive_triplet, {"soft_margin": True}),
    Case(SemiHardTriplet, naive_semi_hard, {"margin": 1.0}),
    Case(SemiHardTriplet, naive_semi_hard, {"margin": 3.0}),
    Case(Circle, naive_circle, {"margin": 0.4, "scale": 10.0}),
]
WITH_CENTRES = [
    Case(ProxyAnchor, naive_proxy_anchor, {"scale": 8.0}),
    Case(Softmax, naive_softmax, {"scale": 4.0}),
    Case(Softmax, naive_softmax, {"scale": 4.0, "normalised": True, "focal_gamma": 0.5}),
    Case(ArcFace, naive_margin, {"scale": 6.0}),
    Case(ArcFace, naive_margin, {"scale": 6.0, "margin": 1.5}),
    Case(ArcFace, naive_margin, {"scale": 6.0, "easy_margin": True}),
    Case(ArcFace, naive_margin, {"scale": 6.0, "focal_gamma": 2.0}),
    Case(SubcenterArcFace, naive_margin, {"scale": 6.0, "subcentres": 3}),
    Case(CosFace, naive_margin, {"scale": 6.0}),
    Case(CosFace, naive_margin, {"scale": 6.0, "focal_gamma": 2.0}),
]
ALL = PAIRS + WITH_CENTRES
every = pytest.mark.parametrize("case", ALL, ids=str)


@pytest.mark.parametrize("seed", range(4))
@every
def test_equals_the_naive_loop(case: Case, seed: int) -> None:
    loss, embeddings = case.make(), rows(seed)
    wanted = case.naive(loss, embeddings, LABELS)
    assert wanted > 0
    assert loss(embeddings, LABELS).item() == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("case", [case for case in ALL if case.kind is not Circle], ids=str)
def test_gradient_equals_finite_differences(case: Case) -> None:
    loss = case.make()
    free = torch.randn(6, DIM, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    own = tuple(loss.parameters())

    # Through the normalisation, as in training: the loss is only meant for unit rows.
    def value(x: Tensor, *_: Tensor) -> Tensor:
        return loss(functional.normalize(x, dim=1), LABELS)  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(value, (free, *own))
    assert value(free).item() > 0


def test_gradient_of_circle_takes_its_weights_as_constants() -> None:
    case = Case(Circle, naive_circle, {"margin": 0.4, "scale": 10.0})
    loss, here = case.make(), rows(3).requires_grad_()
    assert isinstance(loss, Circle)
    loss(here, LABELS).backward()
    assert here.grad is not None
    fixed = here.detach()
    for direction in (rows(11), rows(12)):
        # Along the sphere: the naive cosines divide by the lengths, the loss takes unit rows as they are.
        along = direction - (direction * fixed).sum(dim=1, keepdim=True) * fixed
        up, down = (naive_circle(loss, fixed + h * along, LABELS, weighted_at=fixed) for h in (1e-6, -1e-6))
        assert float((here.grad * along).sum()) == pytest.approx((up - down) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("case", [c for c in PAIRS if c.kind is not SupCon], ids=str)
@pytest.mark.parametrize(
    "labels", [[0, 1, 2, 3, 4, 5], [4, 4, 4, 4, 4, 4]], ids=["classes of one row", "one class alone"]
)
def test_nothing_to_learn_is_zero_with_a_zero_gradient(case: Case, labels: list[int]) -> None:
    embeddings = rows().requires_grad_()
    value = case.make()(embeddings, torch.tensor(labels))
    value.backward()
    assert value.item() == 0
    assert embeddings.grad is not None
    assert embeddings.grad.abs().max().item() == 0


def test_supcon_of_classes_of_one_row_is_zero_and_of_one_class_alone_is_not() -> None:
    loss = SupCon(dim=DIM, classes=6)
    assert loss(rows(), torch.arange(6)).item() == 0
    together = rows()[[0, 0, 0, 0, 0, 0]]
    one = torch.full((6,), 3)
    assert loss(together, one).item() == pytest.approx(math.log(5))  # the documented floor, log(K - 1)
    assert loss(rows(), one) > loss(together, one)


@pytest.mark.parametrize("case", WITH_CENTRES, ids=str)
@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [4, 4, 4, 4, 4], [2]], ids=["one each", "one class", "one row"])
def test_class_losses_learn_from_any_batch(case: Case, labels: list[int]) -> None:
    loss, embeddings, y = case.make(), rows(count=len(labels)).requires_grad_(), torch.tensor(labels)
    value = loss(embeddings, y)
    assert value.item() == pytest.approx(case.naive(loss, embeddings.detach(), y), rel=1e-6)
    value.backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert embeddings.grad.abs().max() > 0


@every
def test_an_empty_batch_is_zero(case: Case) -> None:
    assert case.make()(rows()[:0], LABELS[:0]).item() == 0


@every
def test_equal_rows_give_finite_gradients(case: Case) -> None:
    embeddings = rows()[[0, 0, 0, 0, 0, 0]].requires_grad_()
    case.make()(embeddings, LABELS).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("case", WITH_CENTRES, ids=str)
@pytest.mark.parametrize("sign", [1, -1], ids=["on their centre", "opposite to it"])
def test_rows_at_the_ends_of_the_cosine_give_finite_gradients(case: Case, sign: int) -> None:
    loss = case.make(torch.float32)
    embeddings = sign * functional.normalize(centres_of(loss).detach()[LABELS, 0], dim=1)
    embeddings.requires_grad_()
    loss(embeddings, LABELS).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in loss.parameters())


@every
def test_the_order_of_the_rows_does_not_matter(case: Case) -> None:
    loss, embeddings = case.make(), rows(2)
    order = torch.tensor([3, 5, 0, 2, 4, 1])
    assert loss(embeddings[order], LABELS[order]).item() == pytest.approx(loss(embeddings, LABELS).item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every
def test_half_precision_is_computed_in_float32(case: Case, dtype: torch.dtype) -> None:
    loss, half = case.make(torch.float32), rows(dtype=torch.float32).to(dtype).requires_grad_()
    value = loss(half, LABELS)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(functional.normalize(half.float(), dim=1), LABELS).item(), rel=1e-6)
    value.backward()
    assert half.grad is not None
    assert half.grad.isfinite().all()
    assert loss(half[:0], LABELS[:0]).dtype == torch.float32


@every
def test_autocast_does_not_reach_inside(case: Case) -> None:
    loss, embeddings = case.make(torch.float32), rows(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(embeddings, LABELS)
    assert torch.equal(inside, loss(embeddings, LABELS))


@every
def test_right_costs_less_than_wrong(case: Case) -> None:
    loss = case.make(classes=3)
    if case in WITH_CENTRES:
        centres = torch.eye(DIM, dtype=torch.float64)[:3]
        weight = centres_of(loss)
        weight.data = centres[:, None].repeat(1, weight.shape[1], 1)
        if (bias := getattr(loss, "bias", None)) is not None:
            bias.data.zero_()
    axes = torch.eye(DIM, dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 2, 1, 2])
    right, wrong = loss(axes[y], y).item(), loss(axes[(y + torch.tensor([0, 1, 1, 0, 0, 1])) % 3], y).item()
    assert right < 0.75 * wrong


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (InfoNCE(dim=DIM, classes=3, temperature=0.05), 0.0),
        (BatchHardTriplet(dim=DIM, classes=3, margin=0.3), 0.0),
        (SemiHardTriplet(dim=DIM, classes=3), 0.0),
        (SupCon(dim=DIM, classes=3, temperature=0.05), 0.0),
    ],
)
def test_separated_pairs_cost_nothing(loss: Loss, wanted: float) -> None:
    y = torch.tensor([0, 1, 0, 2, 1, 2])
    assert loss(torch.eye(DIM, dtype=torch.float64)[y], y).item() == pytest.approx(wanted, abs=1e-7)


def test_extreme_temperatures_and_scales_do_not_overflow() -> None:
    embeddings = rows(dtype=torch.float32)
    extreme = [InfoNCE(dim=DIM, classes=CLASSES, temperature=1e-4), SupCon(dim=DIM, classes=CLASSES, temperature=1e-4)]
    extreme += [kind(dim=DIM, classes=CLASSES, scale=1e4) for kind in (ArcFace, CosFace, Circle, ProxyAnchor, Softmax)]
    for loss in extreme:
        assert loss(embeddings, LABELS).isfinite()


# ------------------------------------------------------------------ single losses


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.0, 1.5])
def test_margin_of_arcface_always_costs_and_falls_with_the_angle(margin: float) -> None:
    loss = ArcFace(dim=DIM, classes=CLASSES)
    angles = torch.linspace(0.001, math.pi - 0.001, 2000, dtype=torch.float64)
    worse = loss.margined(angles.cos(), margin)
    assert (worse < angles.cos()).all()
    assert (worse.diff() < 0).all()  # also across theta + m = pi


def test_easy_margin_is_asked_within_90_degrees_only() -> None:
    loss = ArcFace(dim=DIM, classes=CLASSES, easy_margin=True)
    cosines = torch.tensor([0.7, -0.2], dtype=torch.float64)
    assert loss.margined(cosines, 0.5).tolist() == pytest.approx([math.cos(math.acos(0.7) + 0.5), -0.2])


def test_margin_is_in_the_gradient() -> None:
    plain, angular = (Case(ArcFace, naive_margin, {"margin": m, "scale": 1.0}).make() for m in (0.0, 1.0))
    slopes = []
    for loss in (plain, angular):
        cosines = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
        loss.margined(cosines, loss.margin).backward()  # type: ignore[operator]
        assert cosines.grad is not None
        slopes.append(cosines.grad.item())
    # d cos(theta + m) / d cos(theta) = sin(theta + m) / sin(theta)
    assert slopes == pytest.approx([1.0, math.sin(math.acos(0.3) + 1) / math.sin(math.acos(0.3))])


@pytest.mark.parametrize("kind", [ArcFace, CosFace])
def test_margin_grows_with_the_training(kind: type[ArcFace | CosFace]) -> None:
    def made(**options: float) -> ArcFace | CosFace:
        torch.manual_seed(5)
        return kind(dim=DIM, classes=CLASSES, **options).double()  # type: ignore[arg-type]

    growing = made(margin=0.4, margin_warmup=0.5)
    for share, margin in [(0.0, 0.0), (0.125, 0.1), (0.25, 0.2), (0.5, 0.4), (1.0, 0.4), (7.0, 0.4), (-1.0, 0.0)]:
        growing.progress(share)
        assert growing.margin_now == pytest.approx(margin)
        assert growing(rows(), LABELS).item() == pytest.approx(made(margin=margin)(rows(), LABELS).item())


def test_arcface_without_margin_is_normface() -> None:
    torch.manual_seed(5)
    arc = ArcFace(dim=DIM, classes=CLASSES, margin=0.0, scale=9.0).double()
    norm = Softmax(dim=DIM, classes=CLASSES, normalised=True, scale=9.0).double()
    norm.load_state_dict(arc.state_dict())
    assert arc(rows(), LABELS).item() == pytest.approx(norm(rows(), LABELS).item())


def test_learned_temperature_moves_and_stays_within_clips_limits() -> None:
    loss = InfoNCE(dim=DIM, classes=CLASSES, temperature=0.07, learn_temperature=True)
    assert loss.temperature == pytest.approx(0.07)
    assert loss.log_factor is not None
    loss(rows(dtype=torch.float32), LABELS).backward()
    assert loss.log_factor.grad is not None
    assert loss.log_factor.grad.abs() > 0
    for value, wanted in [(50.0, 0.01), (-50.0, 1.0)]:
        loss.log_factor.data.fill_(value)
        loss.zero_grad()
        loss(rows(dtype=torch.float32), LABELS).backward()
        assert loss.temperature == pytest.approx(wanted)
        assert loss.log_factor.grad is not None
        assert loss.log_factor.grad.abs() > 0  # it can come back from its limit


# ------------------------------------------------------------------ what is refused


@every
def test_wrong_batches_are_refused(case: Case) -> None:
    loss = case.make()
    with pytest.raises(UsageError, match=r"\(6, 4\) and \(5,\)"):
        loss(rows(), LABELS[:5])
    with pytest.raises(UsageError, match=r"embeddings \(N, 4\)"):
        loss(rows()[:, :3], LABELS)
    with pytest.raises(UsageError, match=r"int64 labels, not torch.float64 and torch.int32"):
        loss(rows(), LABELS.int())


@pytest.mark.parametrize("case", WITH_CENTRES, ids=str)
@pytest.mark.parametrize("label", [5, -1])
def test_a_label_that_is_no_class_is_refused(case: Case, label: int) -> None:
    with pytest.raises(UsageError, match=f"label {label} is not a class: expected 0 to 4"):
        case.make()(rows(), torch.tensor([0, 1, label, 2, 0, 1]))


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (InfoNCE, {"temperature": 0}, "temperature must be above 0, not 0"),
        (InfoNCE, {"temperature": math.nan}, "not nan"),
        (InfoNCE, {"temperature": 2.0, "learn_temperature": True}, "between 0.01 and 1"),
        (SupCon, {"temperature": -1}, "temperature"),
        (BatchHardTriplet, {"margin": 2.5}, "margin must be at least 0 and at most 2, not 2.5"),
        (SemiHardTriplet, {"margin": 5}, "margin must be at least 0 and at most 4"),
        (Circle, {"margin": 1.1}, "margin"),
        (Circle, {"scale": "big"}, "not 'big'"),
        (ProxyAnchor, {"scale": 0}, "scale must be above 0"),
        (ProxyAnchor, {"margin": -0.1}, "margin"),
        (ProxyAnchor, {"sample": 0}, "sample"),
        (Softmax, {"scale": math.inf}, "scale"),
        (Softmax, {"focal_gamma": 11}, "focal_gamma"),
        (Softmax, {"sample": 1.5}, "sample"),
        (ArcFace, {"margin": 28.6}, "margin must be at least 0 and at most 1.5708, not 28.6"),
        (ArcFace, {"margin_warmup": 2}, "margin_warmup"),
        (ArcFace, {"sample": True}, "sample"),
        (ArcFace, {"easy_margin": "false"}, "easy_margin must be true or false, not 'false'"),
        (InfoNCE, {"learn_temperature": 1}, "learn_temperature must be true or false"),
        (BatchHardTriplet, {"soft_margin": "no"}, "soft_margin"),
        (Softmax, {"normalised": None}, "normalised"),
        (Softmax, {"sample_seed": -1}, "sample_seed"),
        (SubcenterArcFace, {"subcentres": 0}, "subcentres"),
        (SubcenterArcFace, {"subcentres": 2.5}, "subcentres must be a whole number at least 1, not 2.5"),
        (CosFace, {"margin": 1.2}, "margin"),
        (CosFace, {"focal_gamma": -1}, "focal_gamma"),
    ],
)
def test_options_out_of_range_are_refused(kind: type[Loss], options: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        kind(dim=DIM, classes=CLASSES, **options)
    assert next(iter(options)) in str(caught.value)


def test_the_message_names_the_unit() -> None:
    with pytest.raises(SettingsError) as caught:
        ArcFace(dim=DIM, classes=CLASSES, margin=28.6)
    assert "radians" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("arcface", ArcFace), ("circle", Circle), ("cosface", CosFace), ("info-nce", InfoNCE),
        ("proxy-anchor", ProxyAnchor), ("softmax", Softmax), ("subcenter-arcface", SubcenterArcFace),
        ("supcon", SupCon), ("triplet", BatchHardTriplet), ("triplet-semi-hard", SemiHardTriplet),
    ],
)  # fmt: skip
def test_registered_by_name(name: str, wanted: type[Loss]) -> None:
    assert plugins.load("loss", name) is wanted


@every
def test_learning_brings_classes_together(case: Case) -> None:
    """Classes that lie along two of eight noisy coordinates: a linear map has to find these."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(CLASSES).repeat_interleave(8)
    angles = y * (2 * math.pi / CLASSES)
    signal = torch.stack([angles.cos(), angles.sin()], dim=1)
    inputs = torch.cat([signal, 1.5 * torch.randn(len(y), 6, generator=generator)], dim=1)
    loss = case.make(torch.float32)
    layer = torch.nn.Linear(8, DIM, bias=False)
    optimiser = torch.optim.Adam([*layer.parameters(), *loss.parameters()], lr=0.03)

    def gap() -> float:
        rows = functional.normalize(layer(inputs), dim=1)
        cosines, same = rows @ rows.T, y[:, None] == y[None, :]
        return float((cosines[same].mean() - cosines[~same].mean()).detach())

    before = gap()
    for step in range(100):
        loss.progress(step / 100)
        optimiser.zero_grad()
        loss(functional.normalize(layer(inputs), dim=1), y).backward()
        optimiser.step()
    assert gap() > before + 0.4
