from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from patsearch.encoder import load_encoder
from patsearch.encoder.card import EncoderCard
from patsearch.encoder.preprocess import Preprocessing
from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import InputError
from patsearch.training import checkpoint
from patsearch.training.checkpoint import (
    mend_checkpoint,
    pack_optimiser,
    read_state,
    unpack_optimiser,
    write_checkpoint,
    write_state,
)

CARD = EncoderCard("tiny", "A test", 0, Preprocessing(size=32), "")


def network(seed: int) -> Network:
    built = Network(NetworkConfig("test_efficientnet", projection=8, embedding="pooled"))
    torch.manual_seed(seed)
    with torch.no_grad():
        built.backbone.conv_head.weight.normal_()
    return built


def test_a_state_comes_back(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3)}
    write_state(tmp_path / "state.safetensors", tensors, {"step": 3, "more": {"scores": {"map": 0.25}, "none": None}})
    read, metadata = read_state(tmp_path / "state.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    assert metadata == {"step": 3, "more": {"scores": {"map": 0.25}, "none": None}}
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_state_that_breaks_off_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.safetensors"
    write_state(path, {"a": torch.zeros(2)}, {"step": 1})

    def half(tensors: object, part: Path, metadata: object) -> None:
        part.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OSError, match="No space"):
        write_state(path, {"a": torch.ones(2)}, {"step": 2})
    assert read_state(path)[1] == {"step": 1}


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\xff" * 100])
def test_what_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"state\.safetensors cannot be used: .*--out"):
        read_state(path)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_moments_come_back_and_go_on_alike(kind: str, tmp_path: Path) -> None:
    def make() -> tuple[nn.Parameter, torch.optim.Optimizer]:
        weight = nn.Parameter(torch.ones(3))
        unused = nn.Parameter(torch.ones(2))
        groups = [{"params": [unused, weight]}]
        optimiser = torch.optim.AdamW(groups) if kind == "adamw" else torch.optim.SGD(groups, lr=0.1, momentum=0.9)
        return weight, optimiser

    def step(weight: nn.Parameter, optimiser: torch.optim.Optimizer, factor: float) -> None:
        optimiser.zero_grad()
        (weight * torch.tensor([1.0, 2.0, factor])).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    weight, optimiser = make()
    step(weight, optimiser, 3.0)
    write_state(tmp_path / "state", pack_optimiser(optimiser), {})
    packed, kept = read_state(tmp_path / "state")[0], weight.detach().clone()
    other, again = make()
    other.data.copy_(kept)
    unpack_optimiser(again, packed)
    for w, o in ((weight, optimiser), (other, again)):
        step(w, o, 5.0)
    assert torch.equal(weight, other)
    assert not torch.equal(weight, kept)
    with pytest.raises(ValueError, match=r"(?s)."):
        unpack_optimiser(again, {"x.exp_avg": torch.zeros(3)})


def test_a_checkpoint_is_an_encoder_and_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    first = write_checkpoint(folder, network(1), CARD, "# one\n")
    second = write_checkpoint(folder, network(2), CARD, "# two\n")
    assert first.sha256 != second.sha256
    encoder = load_encoder(f"checkpoint:{folder}")
    assert encoder.card.sha256 == second.sha256
    assert encoder.card.dim == network(1).features != 8  # the pooled features are searched
    assert (folder / "recipe.toml").read_text() == "# two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_checkpoint_survives_a_kill_between_the_old_and_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "best"
    write_checkpoint(folder, network(1), CARD, "# one\n")
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name == "best.part":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(folder, network(2), CARD, "# two\n")
    monkeypatch.undo()
    assert not folder.exists()
    mend_checkpoint(folder)
    assert (folder / "recipe.toml").read_text() == "# one\n"
    write_checkpoint(folder, network(2), CARD, "# two\n")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
