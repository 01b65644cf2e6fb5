"""`essmc inspect`: what a file holds, said without torch, for files that the real libraries wrote and for odd ones."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor, nn

from essmc_core.cli.inspect import inspect
from essmc_core.errors import UnsafeWeights, WeightsCorrupt, WeightsError
from essmc_core.weights.contents.files import read_contents
from essmc_core.weights.contents.summary import summarise
from essmc_core.weights.read import read_weights
from essmc_devkit.testing.fixtures import Python


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


def save_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def facts(path: Path) -> dict[str, Any]:
    result = CliRunner().invoke(inspect, [str(path), "--json"], standalone_mode=False, catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.output)
    return found


def printed(path: Path, *options: str) -> str:
    result = CliRunner().invoke(inspect, [str(path), *options], standalone_mode=False, catch_exceptions=False)
    return result.output


def assert_describes(part: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Compares with the tensors themselves."""
    assert {
        name: (tuple(entry["shape"]), entry["dtype"], entry["bytes"]) for name, entry in part["state_dict"].items()
    } == {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.numel() * tensor.element_size())
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_file])
def test_every_tensor_is_described_as_it_is(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    torch.manual_seed(0)
    module = network()
    dtypes = [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.bool, torch.int32]
    state = {**module.state_dict(), **{f"extra.{kind}": torch.ones(2, 3).to(kind) for kind in dtypes}}
    if save is not save_file:  # which stores whole and real tensors alone
        state |= {"extra.complex": torch.ones(2, dtype=torch.complex64), "extra.view": torch.arange(12.0)[3:7]}
    save(state, tmp_path / "w")
    found = facts(tmp_path / "w")
    (part,) = found["parts"]
    assert part["path"] == [] and not part["averaged"]
    assert_describes(part, state)


def test_parameters_and_buffers_are_counted_as_the_module_has_them(tmp_path: Path) -> None:
    module = network()
    torch.save(module.state_dict(), tmp_path / "w.pth")
    (part,) = facts(tmp_path / "w.pth")["parts"]
    assert part["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    assert part["buffers"] == len(list(module.buffers()))
    assert {name for name, entry in part["state_dict"].items() if entry["buffer"]} == dict(
        module.named_buffers()
    ).keys()


def test_tied_tensors_are_counted_once(tmp_path: Path) -> None:
    shared = torch.ones(10, 10)
    torch.save({"embedding.weight": shared, "head.weight": shared, "head.bias": torch.ones(10)}, tmp_path / "w.pth")
    (part,) = facts(tmp_path / "w.pth")["parts"]
    assert (part["tensors"], part["tied"], part["parameters"], part["bytes"]) == (3, 1, 110, 440)


@pytest.mark.parametrize("save", [torch.save, save_legacy])
def test_a_checkpoint_of_training_is_taken_apart(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    module = network()
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    content = {
        "epoch": 12, "global_step": 340, "best": numpy.float64(0.5), "args": argparse.Namespace(lr=0.1),
        "optimizer": optimizer.state_dict(), "model": module.state_dict(),
        "model_ema": {"module." + key: value for key, value in module.state_dict().items()},
    }  # fmt: skip
    save(content, tmp_path / "w.pth")
    found = facts(tmp_path / "w.pth")
    assert [(part["path"], part["averaged"]) for part in found["parts"]] == [(["model_ema"], True), (["model"], False)]
    assert_describes(found["parts"][1], module.state_dict())
    assert found["beside"] == {"epoch": 12, "global_step": 340, "best": 0.5}
    # AdamW keeps two averages and a count for each parameter.
    parameters = list(module.parameters())
    assert found["optimizer"] == {
        "tensors": 3 * len(parameters),
        "bytes": sum(2 * parameter.numel() * 4 + 4 for parameter in parameters),
    }
    assert set(found["others"]) == {"args", "optimizer"}
    text = printed(tmp_path / "w.pth")
    assert "under 'model_ema', averaged" in text and "epoch 12" in text


def test_the_layout_of_lightning_is_known(tmp_path: Path) -> None:
    state = {f"model.{key}": value for key, value in network().state_dict().items()}
    content = {
        "epoch": 1, "global_step": 9, "pytorch-lightning_version": "2.4.0", "state_dict": state, "loops": {},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.ones(7)}}, "param_groups": []}],
        "lr_schedulers": [], "hyper_parameters": {"depth": 50},
    }  # fmt: skip
    torch.save(content, tmp_path / "w.ckpt")
    found = facts(tmp_path / "w.ckpt")
    assert [part["path"] for part in found["parts"]] == [["state_dict"]]
    assert found["optimizer"] == {"tensors": 1, "bytes": 28}
    assert found["beside"]["pytorch-lightning_version"] == "2.4.0"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("kind", ["torchscript", "pt2", "whole"])
def test_programs_show_their_tensors(tmp_path: Path, kind: str) -> None:
    module, clip = network().eval(), torch.ones(1, 3, 4, 4)
    path = tmp_path / "w"
    if kind == "torchscript":
        torch.jit.save(torch.jit.trace(module, clip), path)
    elif kind == "pt2":
        torch.export.save(torch.export.export(module, (clip,)), path.with_suffix(".pt2"))
        path = path.with_suffix(".pt2")
    else:
        torch.save(module, path)
    found = facts(path)
    (part,) = found["parts"]
    assert_describes(part, module.state_dict())
    assert part["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    if kind == "whole":
        assert found["program"] == "torch.nn.modules.container.Sequential"
        assert "torch.nn.modules.conv.Conv2d" in found["code"]
    else:
        assert found["kind"] == kind


def test_an_onnx_network_shows_its_tensors(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(numpy.ones((3, 4), numpy.float32), "fc.weight")
    graph = onnx.helper.make_graph([], "g", [], [], [weight])
    onnx.save(onnx.helper.make_model(graph, producer_name="somebody"), tmp_path / "w.onnx")
    found = facts(tmp_path / "w.onnx")
    assert found["kind"] == "onnx" and found["metadata"]["producer"] == "somebody"
    assert found["parts"][0]["state_dict"]["fc.weight"]["shape"] == [3, 4]


def test_the_tree_sums_up_what_is_below_each_name(tmp_path: Path) -> None:
    state = {
        "backbone.layer1.0.conv.weight": torch.ones(2, 2), "backbone.layer1.1.conv.weight": torch.ones(3, 3),
        "backbone.layer2.0.conv.weight": torch.ones(5), "head.fc.weight": torch.ones(7), "head.fc.bias": torch.ones(1),
        "scale": torch.ones(1),
    }  # fmt: skip
    torch.save(state, tmp_path / "w.pth")
    lines = [line.split() for line in printed(tmp_path / "w.pth").split("\n\n")[1].splitlines()[1:]]
    assert lines == [
        ["backbone", "3", "18"], ["layer1", "2", "13"], ["layer2.0.conv", "1", "5"], ["head.fc", "2", "8"],
        ["scale", "1", "1"],
    ]  # fmt: skip


def write_sparse_safetensors(path: Path, nbytes: int, tensors: int = 400) -> None:
    """Writes a header and then a hole in the file system."""
    each = nbytes // tensors // 4
    starts = range(0, 4 * each * tensors, 4 * each)
    header = {
        f"blocks.{number}.weight": {"dtype": "F32", "shape": [each], "data_offsets": [start, start + 4 * each]}
        for number, start in enumerate(starts)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + 4 * each * tensors)


def test_a_large_file_is_described_without_torch(tmp_path: Path, python: Python) -> None:
    path = tmp_path / "w.safetensors"
    write_sparse_safetensors(path, 1 << 30)
    assert path.stat().st_size > 1e9
    code = f"""
import sys, time
from click.testing import CliRunner
from essmc_core.cli.inspect import inspect
start = time.process_time()
result = CliRunner().invoke(inspect, [{str(path)!r}], standalone_mode=False, catch_exceptions=False)
taken = time.process_time() - start
assert "400 tensors" in result.output, result.output
assert not {{"torch", "numpy", "onnx", "timm", "urllib.request"}} & set(sys.modules), sorted(sys.modules)
print(taken)
"""
    # Reading even a tenth of it would take longer.
    assert float(python.run(code).stdout) < 0.3


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.target}",))


@pytest.mark.parametrize(
    "save", [torch.save, save_legacy, lambda content, path: path.write_bytes(pickle.dumps(content))]
)
def test_nothing_in_a_pickle_is_run(tmp_path: Path, save: Callable[[Any, Path], Any]) -> None:
    target = tmp_path / "touched"
    save({"weight": torch.ones(2) if save is torch.save else 1, "bad": Payload(target)}, tmp_path / "w.pth")
    found = facts(tmp_path / "w.pth")
    assert not target.exists()
    assert [name for name in found["code"] if name.endswith(".system")]
    pickle.loads(pickle.dumps(Payload(target)))
    assert target.exists(), "the payload works when it is unpickled without care"


def test_a_pickle_of_references_to_references_is_read_in_time(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    for _ in range(60):
        content = {"a": content, "b": content}
    torch.save(content, tmp_path / "w.pth")
    assert facts(tmp_path / "w.pth")["parts"] == []


def test_a_pickle_cannot_ask_for_memory_or_change_how_others_are_read(tmp_path: Path) -> None:
    # LONG_BINPUT remembers an object under a number of its choice.
    (tmp_path / "large").write_bytes(b"\x80\x02}r\xff\xff\xff\xff.")
    assert facts(tmp_path / "large")["parts"] == []
    # BUILD gives attributes to whatever is on the stack, here to a class that stands for a dictionary.
    (tmp_path / "change").write_bytes(b"\x80\x02ccollections\nOrderedDict\n(N}U\x08__init__K\x01stb.")
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "change")
    torch.save(network().state_dict(), tmp_path / "w.pth")
    assert facts(tmp_path / "w.pth")["parts"][0]["tensors"] == 9


ODD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an empty file"),
    "login page": (b"<!DOCTYPE html><html><title>Sign in</title>", "a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "a Git LFS pointer"),
    "gzip": (gzip.compress(b"weights"), "a gzip archive"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(30), "a PNG image"),
    "gif": (b"GIF89a" + bytes(30), "a GIF image"),
    "video": (b"\0\0\0\x18ftypmp42" + bytes(40), "a video or a picture"),
    "text": (b"not found", "text, which begins with 'not found'"),
    "numpy": (b"\x93NUMPY" + bytes(30), "a NumPy array"),
    "zeros": (bytes(100), "begin with zeros"),
    "index": (json.dumps({"weight_map": {"a": "x-1.bin", "b": "x-2.bin"}}).encode(), "the index of weights in 2 files"),
}


@pytest.mark.parametrize(("content", "meaning"), ODD.values(), ids=ODD)
def test_an_odd_file_is_called_what_it_is(tmp_path: Path, content: bytes, meaning: str) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    for read in (read_contents, read_weights):
        with pytest.raises(WeightsCorrupt, match=meaning):
            read(path)


def test_a_zip_of_something_else_says_what_is_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("model/weights.pth", b"x")
    with pytest.raises(WeightsCorrupt, match=r"a zip archive that holds model/weights\.pth: unpack it"):
        read_contents(tmp_path / "w.zip")
    with zipfile.ZipFile(tmp_path / "doc.pth", "w") as archive:
        archive.writestr("word/document.xml", b"x")
    with pytest.raises(WeightsCorrupt, match=r"a zip archive of other files \(word/document\.xml\)"):
        read_contents(tmp_path / "doc.pth")


def test_a_folder_of_shards_and_one_of_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})
    )
    with pytest.raises(WeightsCorrupt, match=r"a directory with weights in 2 files \(m-1\.safetensors, m-2"):
        read_contents(tmp_path)
    single = tmp_path / "single"
    single.mkdir()
    (single / "model.safetensors").touch()
    with pytest.raises(WeightsCorrupt, match=r"its weights are .*single/model\.safetensors"):
        read_contents(single)


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_file])
def test_truncated_files_are_refused_and_nothing_else_happens(
    tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    save(network().state_dict(), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for share in range(0, 100, 7):
        path = tmp_path / f"{share}"
        path.write_bytes(content[: len(content) * share // 100])
        with pytest.raises(WeightsError):
            summarise(read_contents(path))


@pytest.mark.parametrize("save", [torch.save, save_legacy, save_file])
def test_damaged_files_are_described_or_refused(tmp_path: Path, save: Callable[[Any, Path], None]) -> None:
    save(
        {"epoch": 3, "model": network().state_dict()} if save is not save_file else network().state_dict(),
        tmp_path / "w",
    )
    content = bytearray((tmp_path / "w").read_bytes())
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        broken = bytearray(content)
        for place in torch.randint(0, min(len(content), 3000), (3,), generator=generator).tolist():
            broken[place] = int(torch.randint(0, 256, (1,), generator=generator))
        (tmp_path / "broken").write_bytes(bytes(broken))
        try:
            summarise(read_contents(tmp_path / "broken"))
        except WeightsError:
            continue


def test_the_command_exits_with_2_and_one_message(tmp_path: Path, python: Python) -> None:
    (tmp_path / "w.pth").write_bytes(b"<html>Sign in</html>")
    done = python.essmc("inspect", str(tmp_path / "w.pth"), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a web page: the address led to a page instead of the file" in done.stderr


# -- weights of Caffe2, as PySlowFast's model zoo has them ---------------------------------------------------------


def test_arrays_of_caffe2_become_tensors(tmp_path: Path) -> None:
    arrays = {
        "conv1_w": numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 4), "conv1_b": numpy.array([1.5, -2], ">f4"),
        "columns": numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)), "lr": numpy.float32(0.5),
    }  # fmt: skip
    for protocol in (2, 4, 5):
        (tmp_path / "w.pkl").write_bytes(pickle.dumps({"blobs": arrays}, protocol=protocol))
        found = read_weights(tmp_path / "w.pkl")["blobs"]
        for name in ("conv1_w", "conv1_b", "columns"):
            numpy.testing.assert_array_equal(
                found[name].numpy(), arrays[name].astype(arrays[name].dtype.newbyteorder("="))
            )
        assert found["lr"] == 0.5
        (part,) = facts(tmp_path / "w.pkl")["parts"]
        assert part["path"] == ["blobs"] and part["state_dict"]["conv1_w"]["shape"] == [2, 3, 4]


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    # Protocol 2 of Python 2 has byte strings, SHORT_BINSTRING, for text and for an array's values alike.
    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    values = numpy.array([1.0, -1.5], "<f4").tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + text(b"b") + b"tR(K\1(K\2tcnumpy\ndtype\n("
        + text(b"f4") + b"K\0K\1tR(K\3" + text(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
        + text(values) + b"tb"
    )  # fmt: skip
    (tmp_path / "w.pkl").write_bytes(b"\x80\x02}" + text(b"blobs") + b"}" + text(b"conv1_w") + array + b"ss.")
    assert read_weights(tmp_path / "w.pkl")["blobs"]["conv1_w"].tolist() == [1.0, -1.5]


def test_a_pickle_of_objects_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"blobs": {"a": numpy.array([{}, None])}}))
    with pytest.raises(WeightsCorrupt, match="a NumPy array of objects"):
        read_weights(tmp_path / "w.pkl")
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"blobs": {"a": numpy.ones(2)}, "who": Path("x")}))
    with pytest.raises(UnsafeWeights, match=r"it calls pathlib\S*Path"):
        read_weights(tmp_path / "x.pkl")
