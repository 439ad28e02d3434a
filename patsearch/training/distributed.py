"""Several processes that train one network together, as torchrun starts them.

Each process draws its part of every batch. Its embeddings are gathered from all of them before the loss, so that
pairs are made over the whole batch and class centres see all of it: a run of four processes with 64 designs
learns what one process with 64 learns. Only the statistics of batch normalisation are of a part, unless on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module

import torch
from torch import Tensor, distributed, nn

from patsearch.encoder.torch_network import Network
from patsearch.encoder.torchvision_schemas import import_timm
from patsearch.errors import UsageError


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run.

    Attributes:
        rank: number of this process.
        ranks: how many there are.
        device: where this one computes.
    """

    rank: int = 0
    ranks: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes, embeddings (N, dim) or labels (N,), in order of rank.

        The gradient goes to this process's own rows. The sum over the processes of the gradients of one
        and the same loss is then the gradient of that loss with respect to the weights.
        """
        if self.ranks == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.ranks)]
        distributed.all_gather(parts, rows.detach().contiguous())
        parts[self.rank] = rows
        return torch.cat(parts)

    def wrap(self, network: nn.Module, *, unused: bool) -> nn.Module:
        """The network with gradients averaged over the processes.

        Args:
            unused: whether some weights take no part in the forward pass.
        """
        if self.ranks == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices, find_unused_parameters=unused)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients of weights that are not wrapped: those of the loss.

        Each process sees all rows, so that its gradient is the whole one already, times the number of processes
        by which the loss is raised for `wrap`.
        """
        if self.ranks == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
                parameter.grad /= self.ranks**2

    def agree(self, wish: bool) -> bool:
        """Whether any process has the wish: all get the same answer."""
        if self.ranks == 1:
            return wish
        flag = torch.tensor(float(wish), device=self.device)
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.ranks > 1:
            distributed.barrier()


def join(device: str | None = None) -> Group:
    """This process's place among those that torchrun started; alone where it started none.

    Args:
        device: "cpu", "cuda", "cuda:1", ...; None for a GPU if there is one.

    Raises:
        UsageError: no such device.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UsageError(f"Invalid --device {device!r}: expected cpu, cuda or cuda:N.") from error
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError("torch finds no GPU that it can use.", hint="Use --device cpu.")
        if device in (None, "cuda"):
            chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    if ranks == 1:
        return Group(device=chosen)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Group(distributed.get_rank(), ranks, chosen)


def synchronised(network: Network) -> Network:
    """The network with batch normalisation over the batches of all processes; on GPUs alone."""
    import_timm()
    # timm's own, which knows its layers of normalisation and activation in one.
    converted: Network = import_module("timm.layers").convert_sync_batchnorm(network)
    return converted


def leave() -> None:
    """Part from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
