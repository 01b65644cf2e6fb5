"""Reading weights files: every container, and every kind of file that is none."""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from essmc_core.errors import UnsafeWeights, WeightsCorrupt, WeightsNotFound
from essmc_core.weights.read import read_weights


def save_legacy(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


CONTAINERS: dict[str, Callable[[Any, Path], None]] = {
    "zip": torch.save,
    "legacy": save_legacy,
    "safetensors": lambda state, path: save_file(state, path),
}

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
SHAPES = st.lists(st.integers(0, 4), max_size=5)
KEYS = st.text("abz._01", min_size=1, max_size=12)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape, dtype = draw(SHAPES), draw(st.sampled_from(DTYPES))
    values = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    return values.to(dtype)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("container", list(CONTAINERS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=st.dictionaries(KEYS, tensors(), min_size=1, max_size=5))
def test_a_state_dict_comes_back_from_every_container(
    tmp_path: Path, container: str, mmap: bool, state: dict[str, Tensor]
) -> None:
    path = tmp_path / "named_without_a_hint.bin"
    CONTAINERS[container](state, path)
    read = dict(read_weights(path, mmap=mmap))
    assert read.keys() == state.keys()
    for key, tensor in state.items():
        assert read[key].dtype == tensor.dtype and torch.equal(read[key], tensor)


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0)}
    save_file(state, tmp_path / "a.pth")
    torch.save(state, tmp_path / "b.safetensors")
    for name in ("a.pth", "b.safetensors"):
        assert torch.equal(read_weights(tmp_path / name)["weight"], state["weight"])


@pytest.mark.parametrize("container", ["zip", "safetensors"])
def test_writing_to_mapped_tensors_leaves_the_file_alone(tmp_path: Path, container: str) -> None:
    path = tmp_path / "w"
    CONTAINERS[container]({"weight": torch.ones(5000)}, path)
    before = path.read_bytes()
    read_weights(path, mmap=True)["weight"].zero_()
    assert path.read_bytes() == before


def test_what_trainers_leave_beside_the_weights_does_not_stop_them(tmp_path: Path) -> None:
    total = collections.defaultdict(int, train=300)
    checkpoint = {
        "state_dict": collections.OrderedDict(weight=torch.ones(2)),
        "total_iters": total,
        "args": argparse.Namespace(lr=0.1, model="tiny"),
        "best": numpy.float64(0.75),
        "seen": numpy.int64(3),
    }
    for save in (torch.save, save_legacy):
        save(checkpoint, tmp_path / "epoch.pth")
        read = read_weights(tmp_path / "epoch.pth")
        assert read["total_iters"] == total and read["best"] == 0.75 and read["args"].lr == 0.1


class Payload:
    """Unpickled without care, this writes a file."""

    def __init__(self, target: Path) -> None:
        self.command = f"touch {target}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("save", [torch.save, save_legacy, lambda state, path: path.write_bytes(pickle.dumps(state))])
def test_a_malicious_pickle_does_not_run(tmp_path: Path, save: Callable[[Any, Path], Any]) -> None:
    target = tmp_path / "was_run"
    save({"extra": Payload(target)}, tmp_path / "w.pth")
    with pytest.raises(UnsafeWeights, match=r"(posix|nt)\.system"):
        read_weights(tmp_path / "w.pth")
    assert not target.exists()
    pickle.loads(pickle.dumps(Payload(target)))
    assert target.exists(), "the payload works when it is unpickled without care"


def test_a_pickled_module_is_refused_by_name_with_a_way_out(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "model.pth")
    with pytest.raises(UnsafeWeights, match=r"torch\.nn\.modules\.\w+\.\w+") as caught:
        read_weights(tmp_path / "model.pth")
    assert "state dict" in caught.value.hint


def test_a_torchscript_archive_is_refused_with_a_way_out(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(tmp_path / "model.pt"))
    with pytest.raises(UnsafeWeights, match="TorchScript") as caught:
        read_weights(tmp_path / "model.pt")
    assert "state_dict()" in caught.value.hint


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        (b"", "an empty file"),
        (LFS, "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"<html>", "a web page"),
        (gzip.compress(b"weights", mtime=0), "gzip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"just some notes", "begins with 'just some notes'"),
        (bytes(1000), "zeros"),
        (b"\x13\xf7" * 300, "600 bytes of no known format"),
        (b"PK\x03\x04" + b"\x07" * 300, "damaged or truncated"),
        (b"\x80\x02" + b"\xff" * 300, "damaged or truncated"),
    ],
)
def test_a_file_that_holds_no_weights_is_called_what_it_is(tmp_path: Path, content: bytes, meaning: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=meaning) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("container", list(CONTAINERS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 0.99))
@example(share=0.015625)  # within the length of a string
@example(share=0.0133)  # within the name of a class
def test_a_truncated_file_is_corrupt(tmp_path: Path, container: str, share: float) -> None:
    path = tmp_path / "w"
    CONTAINERS[container]({"weight": torch.arange(3000.0), "bias": torch.ones(40)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsCorrupt):
        read_weights(path)


@pytest.mark.parametrize("container", list(CONTAINERS))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 0.99), noise=st.binary(min_size=1, max_size=8))
def test_a_file_with_other_bytes_in_it_is_read_or_refused(
    tmp_path: Path, container: str, place: float, noise: bytes
) -> None:
    path = tmp_path / "w"
    CONTAINERS[container]({"weight": torch.arange(30.0), "bias": torch.ones(40)}, path)
    content = bytearray(path.read_bytes())
    start = int(len(content) * place)
    content[start : start + len(noise)] = noise
    path.write_bytes(content)
    with contextlib.suppress(WeightsCorrupt, UnsafeWeights):
        assert isinstance(read_weights(path), Mapping)


def test_a_directory_and_an_absent_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="a directory"):
        read_weights(tmp_path)
    with pytest.raises(WeightsNotFound):
        read_weights(tmp_path / "absent")


def test_a_list_of_tensors_is_no_state_dict(tmp_path: Path) -> None:
    torch.save([torch.ones(1)], tmp_path / "w.pth")
    with pytest.raises(WeightsCorrupt, match="list"):
        read_weights(tmp_path / "w.pth")


def test_a_safetensors_header_with_wrong_offsets_is_corrupt(tmp_path: Path) -> None:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(WeightsCorrupt, match="safetensors"):
        read_weights(tmp_path / "w")
