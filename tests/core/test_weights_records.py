"""Records of archives that others packed: read right, as torch reads them, or refused."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from essmc_core.errors import WeightsCorrupt
from essmc_core.weights import build_with_weights, load_pretrained
from essmc_core.weights.fetching import locate
from essmc_core.weights.read import read_weights
from essmc_core.weights.zip_records import check_records

STATE = {"weight": torch.arange(3000.0).reshape(30, 100), "bias": torch.arange(30.0), "count": torch.tensor(7)}
Change = Callable[[str, bytes], "bytes | None"]


def plain(folder: Path) -> Path:
    torch.save(STATE, folder / "plain.pth")
    return folder / "plain.pth"


def repacked(folder: Path, change: Change = lambda name, data: data, how: int = zipfile.ZIP_STORED) -> Path:
    """Writes the records anew, changed; a record that becomes None is left out."""
    with zipfile.ZipFile(plain(folder)) as source, zipfile.ZipFile(folder / "w.pth", "w", how) as target:
        for name in source.namelist():
            data = change(name, source.read(name))
            if data is not None:
                target.writestr(name, data)
    return folder / "w.pth"


def storage(number: int, change: Callable[[bytes], bytes | None]) -> Change:
    return lambda name, data: change(data) if name.endswith(f"/data/{number}") else data


def assert_right(path: Path, mmap: bool) -> None:
    found = read_weights(path, mmap=mmap)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in STATE.items())


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_repacked_archive_is_read_right(tmp_path: Path, how: int, mmap: bool) -> None:
    path = repacked(tmp_path, how=how)
    assert_right(path, mmap)
    assert not check_records(path), "compressed and unaligned records are not mapped"
    assert check_records(plain(tmp_path))


@pytest.mark.parametrize("mmap", [True, False])
def test_zip64_records_are_read_right(tmp_path: Path, mmap: bool) -> None:
    with zipfile.ZipFile(plain(tmp_path)) as source, zipfile.ZipFile(tmp_path / "w.pth", "w") as target:
        for name in source.namelist():
            with target.open(name, "w", force_zip64=True) as record:
                record.write(source.read(name))
    assert_right(tmp_path / "w.pth", mmap)


@pytest.mark.parametrize("mmap", [True, False])
def test_big_endian_archives_are_read_right(tmp_path: Path, mmap: bool) -> None:
    def swap(name: str, data: bytes) -> bytes:
        if name.endswith("byteorder"):
            return b"big"
        if "/data/" not in name:
            return data
        size = 8 if name.endswith("/2") else 4
        return b"".join(data[start : start + size][::-1] for start in range(0, len(data), size))

    assert_right(repacked(tmp_path, swap), mmap)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (storage(0, lambda data: data[:-4]), "storage 0 has 11996 bytes in the file and needs 12000"),
        (storage(1, lambda data: data[:0]), "storage 1 has 0 bytes"),
        (storage(0, lambda data: data + bytes(4)), "12004 bytes"),
        (storage(2, lambda data: None), "storage 2 are missing"),
        (lambda name, data: None if name.endswith("data.pkl") else data, r"no data\.pkl"),
        (lambda name, data: b"middle" if name.endswith("byteorder") else data, "damaged"),
    ],
)
def test_records_of_another_size_are_refused(tmp_path: Path, change: Change, message: str, mmap: bool) -> None:
    with pytest.raises(WeightsCorrupt, match=message):
        read_weights(repacked(tmp_path, change), mmap=mmap)


@pytest.mark.parametrize(("how", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_compressions_that_torch_cannot_read_are_named(tmp_path: Path, how: int, name: str) -> None:
    with pytest.raises(WeightsCorrupt, match=name):
        read_weights(repacked(tmp_path, how=how))


def directory(content: bytes) -> list[int]:
    """Returns where the entries of an archive's directory are."""
    places, at = [], content.index(b"PK\x01\x02")
    while at >= 0:
        places.append(at)
        at = content.find(b"PK\x01\x02", at + 4)
    return places


def test_an_encrypted_archive_is_called_so(tmp_path: Path) -> None:
    path = repacked(tmp_path)
    content = bytearray(path.read_bytes())
    for place in directory(bytes(content)):
        content[place + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="encrypted"):
        read_weights(path)


def test_records_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    path = repacked(tmp_path)
    content = bytearray(path.read_bytes())
    names = zipfile.ZipFile(io.BytesIO(bytes(content))).namelist()
    places = dict(zip(names, directory(bytes(content)), strict=True))
    first, second = (next(places[name] for name in names if name.endswith(f"/data/{n}")) for n in (0, 1))
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=r"not where the directory says|runs into"):
        read_weights(path)


def test_a_record_that_runs_into_the_next_one_is_refused(tmp_path: Path) -> None:
    path = repacked(tmp_path)
    content = bytearray(path.read_bytes())
    names = zipfile.ZipFile(io.BytesIO(bytes(content))).namelist()
    place = dict(zip(names, directory(bytes(content)), strict=True))[next(n for n in names if n.endswith("/data/0"))]
    struct.pack_into("<LL", content, place + 20, 1 << 20, 1 << 20)
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="runs into"):
        read_weights(path)


def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    path = repacked(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(next(n for n in archive.namelist() if n.endswith("/data/0")), bytes(12000))
    with pytest.raises(WeightsCorrupt, match="one name"):
        read_weights(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_that_share_a_storage_and_types_without_a_storage_of_their_own(tmp_path: Path, protocol: int) -> None:
    base = torch.arange(12.0)
    state = {"a": base[:4], "b": base[4:].view(2, 4).t(), "c": torch.ones(3).to(torch.float8_e4m3fn),
             "d": torch.ones(3, dtype=torch.complex64), "e": torch.zeros(0, 3)}  # fmt: skip
    torch.save(state, tmp_path / "w.pth", pickle_protocol=protocol)
    for mmap in (True, False):
        try:
            found = read_weights(tmp_path / "w.pth", mmap=mmap)
        except WeightsCorrupt:
            assert protocol == 4, "torch reads protocol 2 without restrictions"
            continue
        assert all(torch.equal(found[key].float() if key == "c" else found[key],
                               tensor.float() if key == "c" else tensor) for key, tensor in state.items())  # fmt: skip


# -- files of one's own are read, not mapped --------------------------------------------------------------------------


def overwrite(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(10)


@pytest.mark.parametrize("container", ["zip", "safetensors"])
@pytest.mark.parametrize("assign", [False, True])
def test_a_file_of_the_user_s_may_shrink_while_its_tensors_live(tmp_path: Path, container: str, assign: bool) -> None:
    state = nn.Linear(100, 100).state_dict()
    path = tmp_path / "w"
    save_file(state, path) if container == "safetensors" else torch.save(state, path)
    model = nn.Linear(100, 100)
    load_pretrained(model, path, assign=assign)
    built, _ = build_with_weights(lambda: nn.Linear(100, 100), path)
    overwrite(path)
    for module in (model, built):
        assert all(torch.equal(tensor, state[key]) for key, tensor in module.state_dict().items())


def test_only_verified_files_of_a_cache_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    import fsspec

    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    path = plain(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with fsspec.open("memory://records/w.pth", "wb") as stream:
        stream.write(path.read_bytes())
    assert locate("memory://records/w.pth", sha256=digest).mappable
    assert not locate("memory://records/w.pth").mappable
    assert not locate(path, sha256=digest).mappable
    assert not locate("pkg://essmc-motion/essmc_motion/motion_digits.safetensors").mappable


# -- safetensors ------------------------------------------------------------------------------------------------------


def safetensors(header: object, data: bytes = bytes(16)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: str = "F32", shape: object = (4,), offsets: object = (0, 16)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        safetensors({"w": entry("F99")}),
        safetensors({"w": entry(shape=[-4])}),
        safetensors({"w": entry(shape=[5])}),
        safetensors({"w": entry(offsets=[0, 1 << 40])}),
        safetensors({"w": entry(offsets=[8, 0])}),
        safetensors({"a": entry(), "b": entry()}),
        safetensors({"w": entry(shape=[2], offsets=[0, 8])}),
        safetensors({"w": entry()}, bytes(8)),
        safetensors({"w": entry(shape=[1 << 62, 1 << 62])}),
        safetensors({"w": 5}),
        safetensors({"__metadata__": {"format": 3}, "w": entry()}),
        safetensors(b'{"w":' + b"[" * 100_000),
        (1 << 63).to_bytes(8, "little") + b'{"w": 1}',
    ],
)
def test_bad_headers_of_safetensors_are_refused(tmp_path: Path, content: bytes, mmap: bool) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(WeightsCorrupt):
        read_weights(tmp_path / "w.safetensors", mmap=mmap)


def test_a_good_header_made_by_hand_is_read(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(safetensors({"w": entry()}, struct.pack("<4f", 1, 2, 3, 4)))
    found: Tensor = read_weights(tmp_path / "w")["w"]
    assert found.tolist() == [1, 2, 3, 4]
