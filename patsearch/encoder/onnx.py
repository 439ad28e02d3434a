"""Encoders in ONNX format, run by ONNX Runtime: the shipped one, and any exported checkpoint.

A model takes uint8 (N, 1, size, size) grey drawings, white = 255, and gives float32 (N, dim) rows of
unit length: scaling, channels, pooling and normalisation are part of the graph. Its card is next to
it under the same name with the ending .json.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import to_grey
from patsearch.encoder.base import ArrayEncoder, Embeddings
from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.detail_maps import DetailMaps, find_looks, has_whole_axes, tensors_of
from patsearch.encoder.feature_maps import FeatureMaps, find_tail
from patsearch.encoder.onnx_graph import read_nodes, with_outputs
from patsearch.encoder.preprocess import preprocess
from patsearch.errors import EncoderError
from patsearch.files import at_home

_MAX_MODEL_BYTES = 2 << 30
# The activations of more drawings at a time leave the caches: 16 cost a third more CPU time a drawing than 2. Networks
# that take a large picture look at several parts of it one after the other.
_BATCH, _LARGE = 2, 400


class OnnxEncoder(ArrayEncoder):
    """A network run by ONNX Runtime on the CPU.

    It can be sent to worker processes: what travels is the path, and the worker loads it again.

    Args:
        path: the .onnx file.
        card: the encoder's card; its fingerprint must be that of the file.
        threads: that are busy in one call; None for all cores. Give 1 where several processes encode.

    Raises:
        EncoderError: the file cannot be read, is not such a model, or does not belong to the card.
    """

    portable = True

    def __init__(self, path: Path, card: EncoderCard, *, threads: int | None = None) -> None:
        self.path = path
        self.card = card
        self.preprocessing = card.preprocessing
        self.threads = threads
        data = _read(path)
        if fingerprint([data], card.preprocessing) != card.sha256:
            raise EncoderError(
                f"The encoder {path} is not the one that its card describes: the fingerprints differ.",
                hint="Its weights or the preprocessing were changed; export it again.",
            )
        self._session = _session(data, path, threads)
        self._callers = threads or _cores()
        self._input, self._output = self._names()

    def encode_batch(self, images: Sequence[Image.Image]) -> Embeddings:
        if min(self._callers, len(images)) < 2:
            return super().encode_batch(images)
        greys = [to_grey(image) for image in images]  # what Pillow decodes late must not be decoded twice at once
        with ThreadPoolExecutor(min(self._callers, len(images))) as pool:
            return self.encode_arrays(
                np.stack(list(pool.map(lambda grey: preprocess(grey, self.preprocessing), greys)))
            )

    def encode_arrays(self, arrays: NDArray[np.uint8]) -> Embeddings:
        size = self.preprocessing.size
        if arrays.dtype != np.uint8 or arrays.ndim != 3 or arrays.shape[1:] != (size, size):
            raise EncoderError(
                f"The encoder {self.card.name!r} takes uint8 (N, {size}, {size}), not {arrays.dtype} {arrays.shape}."
            )
        count = _BATCH if size < _LARGE else 1
        batches = [arrays[start : start + count, np.newaxis] for start in range(0, len(arrays), count)]
        callers = min(self._callers, len(batches))

        def run(session: onnxruntime.InferenceSession, batch: NDArray[np.uint8]) -> Embeddings:
            (vectors,) = session.run([self._output], {self._input: batch})
            return np.asarray(vectors, np.float32)

        if callers > 1:
            with ThreadPoolExecutor(callers) as pool:
                parts = list(pool.map(partial(run, self._narrow), batches))
        else:
            parts = [run(self._session, batch) for batch in batches]
        return np.concatenate([np.empty((0, self.card.dim), np.float32), *parts])

    @cached_property
    def _narrow(self) -> onnxruntime.InferenceSession:
        """The network once more, on one thread a call: several such calls at the same time share less than the threads
        of one call do, and encode a third more drawings a second on two cores."""
        return _session(self._checked(), self.path, 1)

    @cached_property
    def feature_maps(self) -> FeatureMaps | DetailMaps | None:
        """What splits a vector among the regions of its drawing; None where the graph does not end in such a pooling.

        It runs a second copy of the network, which is read again at the first use: one that must hand out
        tensors from its inside cannot be optimised as far as the one that searches.

        Raises:
            EncoderError: the file is missing, or has changed.
        """
        data = self._checked()
        nodes = read_nodes(data)
        tail, looks, whole_axes = find_tail(nodes, self._output), find_looks(nodes), has_whole_axes(nodes)
        if looks:
            inside = tensors_of(looks, whole_axes=whole_axes)
        elif tail is not None:
            inside = [*tail.tensors, *([tail.matrix] if tail.matrix else [])]
        else:
            return None
        session = _session(with_outputs(data, inside), self.path, self.threads)

        def run(names: Sequence[str], drawings: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
            found = session.run(list(names), {self._input: drawings[:, np.newaxis]})
            return dict(zip(names, found, strict=True))

        if tail is None or looks:
            return DetailMaps.probe(run, looks, self._output, self.preprocessing.size, whole_axes=whole_axes)
        return FeatureMaps.probe(run, tail, self._output, self.preprocessing.size)

    def _checked(self) -> bytes:
        """The file once more, as it was when it was loaded."""
        data = _read(self.path)
        if fingerprint([data], self.card.preprocessing) != self.card.sha256:
            raise EncoderError(f"The encoder {self.path} has changed since it was loaded.", hint="Load it again.")
        return data

    def _names(self) -> tuple[str, str]:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        size, dim = self.preprocessing.size, self.card.dim
        fits = (
            len(inputs) == len(outputs) == 1
            and inputs[0].type == "tensor(uint8)"
            and inputs[0].shape[1:] == [1, size, size]
            and outputs[0].type == "tensor(float)"
            and outputs[0].shape[1:] == [dim]
        )
        if not fits:
            raise EncoderError(
                f"The model {self.path} is not a patsearch encoder: it must take uint8 (n, 1, {size}, {size}) "
                f"and give float32 (n, {dim}).",
                hint="Its card must state the size and dimension of the model.",
            )
        return inputs[0].name, outputs[0].name

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.path, self.card, self.threads)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(argument: str, *, threads: int | None = None) -> OnnxEncoder:
    """The encoder `onnx:FILE`, with the card FILE.json next to FILE.onnx.

    Raises:
        EncoderError: one of the two cannot be read or they do not belong together.
    """
    path = at_home(argument).absolute()
    card = EncoderCard.load(path.with_suffix(".json"))
    return OnnxEncoder(path, replace(card, name=f"onnx:{path}"), threads=threads)


def _rebuild(path: Path, card: EncoderCard, threads: int | None) -> OnnxEncoder:
    return OnnxEncoder(path, card, threads=threads)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_MODEL_BYTES:
            raise EncoderError(f"The encoder {path} is larger than {_MAX_MODEL_BYTES:,} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(
            f"The encoder {path} cannot be read: {error.strerror}.", hint="Give the path of an .onnx file."
        ) from error


def _session(data: bytes, path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one per core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait would take the cores from decoding and from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        reason = str(error).splitlines()[0]
        raise EncoderError(f"ONNX Runtime cannot load {path}: {reason}") from error
