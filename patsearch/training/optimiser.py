"""What the optimiser works on: which weights stay as they are, which learn slowly, which fast."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from patsearch.encoder.torch_network import Network
from patsearch.encoder.torchvision_schemas import import_timm
from patsearch.errors import UsageError
from patsearch.training.config import ScheduleSection


def freeze(backbone: Any, stages: int) -> list[nn.Module]:
    """Take the gradient from the stem and the first stages; the modules, to be kept in evaluation mode.

    Stages are those of timm: for an EfficientNet its groups of blocks of one resolution.

    Args:
        stages: beyond the stem; 0 to freeze nothing.

    Raises:
        UsageError: the model is not divided into stages, or has fewer.
    """
    if stages == 0:
        return []
    import_timm()
    from timm.models import group_modules

    if not hasattr(backbone, "group_matcher"):
        raise UsageError("This architecture has no stages that could be frozen.", hint="Set schedule.frozen_stages=0.")
    # Number of the stage -> names of the innermost modules in it; 0 is the stem, the last one the head.
    found: dict[int, list[str]] = group_modules(backbone, backbone.group_matcher(coarse=True))
    if stages > len(found) - 2:
        raise UsageError(
            f"{stages} stages cannot be frozen: there are {len(found) - 2} before the head.",
            hint="Set schedule.frozen_stages to fewer.",
        )
    names = [name for stage in range(stages + 1) for name in found[stage]]
    modules = [backbone.get_submodule(name) for name in names]
    for module in modules:
        module.requires_grad_(False)
    return modules


def make_optimiser(network: Network, loss: nn.Module, schedule: ScheduleSection) -> torch.optim.Optimizer:
    """The optimiser, its groups apart by learning rate (`full_rate`) and by weight decay.

    The backbone has the rate; the projection, a learned exponent of pooling and the loss's own weights begin at
    random and have the head's.
    """
    backbone = list(network.backbone.parameters())
    known = {id(parameter) for parameter in backbone}
    head = [parameter for parameter in network.parameters() if id(parameter) not in known]
    groups: list[dict[str, Any]] = []
    for parameters, rate in ((backbone, schedule.rate), ([*head, *loss.parameters()], schedule.head_rate)):
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for matrices, decay in ((True, schedule.weight_decay), (False, 0.0)):
            chosen = [parameter for parameter in trained if (parameter.ndim > 1) == matrices]
            if chosen:
                groups.append({"params": chosen, "lr": rate, "full_rate": rate, "weight_decay": decay})
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    return torch.optim.AdamW(groups)
