"""What a pack is called, which kinds it begins with, and the mistakes in both that newcomers make."""

from __future__ import annotations

import pytest

from essmc_devkit.new_pack.kinds import KINDS, UnknownKind, kinds_from, requirements_of
from essmc_devkit.new_pack.names import PackNameError, PackNames, names_from
from essmc_devkit.new_pack.plan import NameTaken, Plan, UnknownLicence, check_names_are_free, spdx

COSINE = PackNames("essmc-cosine", "essmc_cosine", "cosine", "Cosine")
MY_PACK = PackNames("essmc-my-pack", "essmc_my_pack", "my-pack", "MyPack")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("cosine", COSINE),
        ("Cosine", COSINE),
        ("essmc-cosine", COSINE),
        ("essmc_cosine", COSINE),
        ("ESSMC-Cosine", COSINE),
        (" cosine ", COSINE),
        ("My Pack", MY_PACK),
        ("my_pack", MY_PACK),
        ("my.pack", MY_PACK),
        ("my--pack", MY_PACK),
        ("ResNet", PackNames("essmc-resnet", "essmc_resnet", "resnet", "ResNet")),
        ("net2d", PackNames("essmc-net2d", "essmc_net2d", "net2d", "Net2d")),
        ("class", PackNames("essmc-class", "essmc_class", "class", "Class")),
        ("None", PackNames("essmc-none", "essmc_none", "none", "None")),
    ],
)
def test_all_names_follow_from_one(name, names):
    assert names_from(name) == names
    assert names.package.isidentifier() and f"{names.prefix}Head".isidentifier()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "cannot name a pack"),
        ("essmc", "cannot name a pack"),
        ("essmc-", "cannot name a pack"),
        ("-cosine", "cannot name a pack"),
        ("..", "cannot name a pack"),
        ("packs/cosine", "--into"),
        ("packs\\cosine", "--into"),
        ("café", "letters, digits and dashes"),
        ("cosine!", "letters, digits and dashes"),
        ("co\nsine", "letters, digits and dashes"),
        ("3d-net", "no class begins with a digit"),
        ("core", "may be called 'core'"),
        ("essmc-core", "may be called 'core'"),
        ("local", "may be called 'local'"),
        ("zoo", "may be called 'zoo'"),
        ("Commands", "may be called 'commands'"),
        ("x" * 41, "40 are the most"),
    ],
)
def test_a_name_that_no_pack_can_have_is_refused_with_what_to_do(name, said):
    with pytest.raises(PackNameError) as caught:
        names_from(name)
    assert said in str(caught.value)


def test_kinds_are_taken_once_in_the_order_of_listings_by_any_of_their_names():
    assert kinds_from((), with_weights=False) == ("head",)
    assert kinds_from(("loss", "head", "loss"), with_weights=False) == ("head", "loss")
    assert kinds_from(("Loss,metrics", "hook", "solver_hook"), with_weights=False) == ("loss", "metric", "solver-hook")


def test_weights_belong_to_a_network_of_the_pack():
    assert kinds_from(("loss",), with_weights=True) == ("backbone", "loss")
    assert kinds_from(("model",), with_weights=True) == ("model",)


@pytest.mark.parametrize(
    ("kind", "nearest"), [("backbon", "backbone"), ("metrik", "metric"), ("datsets", "datasets"), ("hed", "head")]
)
def test_a_kind_that_does_not_exist_is_refused_with_the_nearest(kind, nearest):
    with pytest.raises(UnknownKind) as caught:
        kinds_from((kind,), with_weights=False)
    assert f"did you mean {nearest!r}" in str(caught.value)
    assert all(name in str(caught.value) for name in KINDS)


def test_a_pack_requires_what_its_modules_and_its_entry_are_made_of():
    assert requirements_of(("head",), with_zoo=False) == ()
    assert requirements_of(("head",), with_zoo=True) == ("essmc-classifiers", "essmc-timm")
    assert requirements_of(("backbone",), with_zoo=True) == ("essmc-classifiers",)
    assert requirements_of(("model", "solver-hook"), with_zoo=True) == ("essmc-solvers",)


@pytest.mark.parametrize(
    ("name", "kinds", "with_zoo", "said"),
    [
        ("video", ("head",), False, "is installed already"),
        ("classifier", ("head",), False, "ClassifierHead is a head of essmc-classifiers already"),
        ("train", ("command",), False, "`essmc train` is a command already"),
        ("packs", ("command",), False, "`essmc packs` is a command already"),
    ],
)
def test_a_name_that_something_installed_has_is_refused(name, kinds, with_zoo, said):
    with pytest.raises(NameTaken) as caught:
        check_names_are_free(Plan(names_from(name), kinds, with_zoo=with_zoo))
    assert said in str(caught.value)


def test_a_name_that_only_another_kind_has_is_free():
    check_names_are_free(Plan(names_from("classifier"), ("loss",)))
    check_names_are_free(Plan(names_from("train"), ("head",)))


def test_licences_are_spdx_expressions():
    assert spdx("mit") == "MIT"
    assert spdx("apache-2.0 or mit") == "Apache-2.0 OR MIT"
    with pytest.raises(UnknownLicence, match="Apache"):
        spdx("free for all")
