"""Loaders: the same items with any number of workers and processes, none twice, and a name for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essmc_core import REGISTRIES
from essmc_core.config import Config
from essmc_core.errors import ConfigError, InputError
from essmc_data.errors import UnreadableInput
from essmc_data.loading import Loader, build_loader
from essmc_data.loading.collate import collate
from essmc_data.sampling.index_samplers import EvalDistributedSampler, MultiFoldDistributedSampler

pytest.importorskip("sklearn")
MOTION = {"type": "MovingImages", "num_frames": 4, "size": 16, "clips": 36}


def run(loader: Any) -> torch.Tensor:
    return torch.cat([batch["video"] for batch in loader])


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{}, {"num_workers": 2}, {"num_workers": 1, "multiprocessing_context": "spawn"}])
def test_batches_are_the_same_whoever_makes_them(arguments: dict[str, Any]) -> None:
    reference = build_loader({"dataset": MOTION, "batch_size": 8}, seed=3)
    loader = build_loader({"dataset": MOTION, "batch_size": 8, **arguments}, seed=3)
    epochs = []
    for epoch in range(2):
        reference.set_epoch(epoch)
        loader.set_epoch(epoch)
        expected, got = run(reference), run(loader)
        assert torch.equal(expected, got)
        epochs.append(got)
    assert not torch.equal(epochs[0], epochs[1])


def test_the_registry_builds_loaders_that_take_seed_and_process() -> None:
    twice = {"type": "DatasetRepeater", "dataset": MOTION, "num_repeats": 2}
    config = {"type": "DataLoader", "dataset": [MOTION, twice], "batch_size": 4}
    loader = REGISTRIES["loaders"].build(config)
    assert isinstance(loader, Loader) and len(loader.dataset) == 3 * 36
    loader.set_seed(3)
    loader.set_process(1, 2)
    same = build_loader({**config, "batch_size": 8}, seed=3, rank=1, world=2)
    assert len(loader) == len(same) == 14
    assert torch.equal(run(loader), run(same))
    with pytest.raises(ConfigError, match="rank=2 is not one of 2"):
        loader.set_process(2, 2)
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        Loader(range(3), batch_size=0)


def test_an_epoch_can_be_resumed_in_its_middle() -> None:
    loader = build_loader({"dataset": MOTION, "batch_size": 8}, seed=3)
    loader.set_epoch(4)
    whole = run(loader)
    again = build_loader({"dataset": MOTION, "batch_size": 8}, seed=3)
    again.set_epoch(4, start=16)
    assert len(again) == 3
    assert torch.equal(run(again), whole[16:])


def test_loading_leaves_no_trace_in_the_training_loops_random_numbers() -> None:
    loader = build_loader({"dataset": {**MOTION, "pipeline": ["RandomHorizontalFlipVideo"]}, "batch_size": 36})
    torch.manual_seed(0)
    iterator = iter(loader)
    before = torch.get_rng_state()
    next(iterator)
    assert torch.equal(torch.get_rng_state(), before)


@given(st.integers(1, 60), st.integers(1, 8))
def test_evaluation_sees_every_item_once_over_all_processes(size: int, world: int) -> None:
    shares = [list(EvalDistributedSampler(range(size), world, rank)) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(size))
    lengths = [len(EvalDistributedSampler(range(size), world, rank)) for rank in range(world)]
    assert lengths == list(map(len, shares)) and max(lengths) - min(lengths) <= 1


@given(st.integers(1, 60), st.integers(1, 8), st.integers(1, 3), st.booleans(), st.integers(0, 3))
def test_training_gives_every_process_as_many_items_and_leaves_none_out(
    size: int, world: int, folds: int, shuffle: bool, epoch: int
) -> None:
    samplers = [MultiFoldDistributedSampler(range(size), folds, world, rank, shuffle, seed=1) for rank in range(world)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    shares = [list(sampler) for sampler in samplers]
    assert {len(share) for share in shares} == {len(samplers[0])}
    counts = torch.bincount(torch.tensor([index for share in shares for index in share]), minlength=size)
    assert counts.min() >= folds and counts.sum() - size * folds < world


def test_orders_differ_by_epoch_and_seed_and_stay_without_shuffling() -> None:
    def order(seed: int, epoch: int, shuffle: bool = True) -> list[int]:
        sampler = MultiFoldDistributedSampler(range(50), shuffle=shuffle, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert order(0, 3, shuffle=False) == list(range(50))


def test_processes_share_training_and_evaluation_rightly() -> None:
    def indices(mode: str, rank: int, dataset_size: int) -> list[int]:
        cfg = {"dataset": {**MOTION, "mode": mode, "clips": dataset_size}, "batch_size": 4}
        loader = build_loader(cfg, seed=1, rank=rank, world=2)
        return [meta["index"] for batch in loader for meta in batch["meta"]]

    # The batch size is that of both together.
    loader = build_loader({"dataset": {**MOTION, "clips": 16}, "batch_size": 8}, rank=1, world=2)
    assert [len(batch["meta"]) for batch in loader] == [4, 4]
    with pytest.raises(ConfigError, match="batch_size=5 cannot be divided evenly among 2"):
        build_loader({"dataset": MOTION, "batch_size": 5}, world=2)
    evaluation = [indices("test", rank, 11) for rank in (0, 1)]
    assert [len(share) for share in evaluation] == [6, 5]
    assert sorted(evaluation[0] + evaluation[1]) == list(range(11))
    training = [indices("train", rank, 11) for rank in (0, 1)]
    assert [len(share) for share in training] == [6, 6]
    assert set(training[0] + training[1]) == set(range(11))


@pytest.fixture
def missing(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "list.csv").write_text("".join(f"{number}.mp4 0\n" for number in range(6)))
    load = {"type": "LoadVideoFromFile", "num_frames": 2, "clip_duration": 1}
    return {
        "type": "VideoCsv",
        "csv_path": str(tmp_path / "list.csv"),
        "data_root_dir": str(tmp_path),
        "pipeline": [load],
    }


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_file_that_cannot_be_read_ends_the_loop_with_its_own_error(missing: dict[str, Any], num_workers: int) -> None:
    loader = build_loader({"dataset": missing, "num_workers": num_workers})
    with pytest.raises(UnreadableInput, match=r"0\.mp4"):
        list(loader)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_skipped_inputs_are_counted_in_all_workers_and_none_left_is_an_error(
    missing: dict[str, Any], num_workers: int
) -> None:
    loader = build_loader({"dataset": {**missing, "on_error": "skip"}, "batch_size": 2, "num_workers": num_workers})
    with pytest.raises(UnreadableInput, match="No input"):
        list(loader)
    assert loader.dataset.bad_inputs == 6  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_batch_of_which_nothing_can_be_read_is_left_out(missing: dict[str, Any]) -> None:
    both = [{**missing, "on_error": "skip", "fix_len": 4}, {**MOTION, "mode": "test", "clips": 4}]
    batches = list(build_loader({"dataset": both, "batch_size": 4}))
    assert [len(batch["meta"]) for batch in batches] == [4]


def test_skipping_in_distributed_training_is_refused(missing: dict[str, Any]) -> None:
    cfg = {"dataset": [{**missing, "on_error": "skip", "mode": "train"}], "batch_size": 2}
    with pytest.raises(ConfigError, match="replace"):
        build_loader(cfg, world=2)


@pytest.mark.parametrize(
    ("cfg", "says"),
    [
        ({}, "dataset"),
        ({"dataset": MOTION, "batchsize": 2}, "batch_size"),
        ({"dataset": MOTION, "batch_size": 0}, "at least 1"),
        ({"dataset": MOTION, "num_workers": "two"}, "expected int"),
        ({"dataset": {"type": "MovingImage"}}, "MovingImages"),
        ({"dataset": {**MOTION, "sped": 3}}, "speeds"),
    ],
)
def test_mistakes_in_the_configuration_are_named(cfg: dict[str, Any], says: str) -> None:
    for config in (cfg, Config.from_mapping(cfg)):
        with pytest.raises((ConfigError, KeyError), match=says):
            build_loader(config)


def test_collate_stacks_nests_and_names_what_does_not_fit() -> None:
    items = [
        {"meta": {"video_path": f"{n}.mp4"}, "video": torch.full((2,), n), "n": n, "labels": {"x": torch.tensor(n)},
         "none": None, "text": str(n)}
        for n in range(3)
    ]  # fmt: skip
    batch = collate(items)
    assert batch is not None
    assert batch["video"].tolist() == [[0, 0], [1, 1], [2, 2]] and batch["n"].tolist() == [0, 1, 2]
    assert batch["labels"]["x"].tolist() == [0, 1, 2] and batch["none"] is None and batch["text"] == ["0", "1", "2"]
    assert [meta["video_path"] for meta in batch["meta"]] == ["0.mp4", "1.mp4", "2.mp4"]
    with pytest.raises(InputError, match=r"0\.mp4, 2\.mp4"):
        collate([items[0], items[1], {**items[2], "video": torch.zeros(3)}])
    with pytest.raises(InputError, match="differ"):
        collate([items[0], {"meta": {}}])
