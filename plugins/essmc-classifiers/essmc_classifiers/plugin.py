"""What this pack registers, by name; no component is imported here."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries

_HEAD = "essmc_core.contract.heads:check_head"
_MODEL = "essmc_classifiers.argument_checks:check_classifier"


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers models, then their parts."""
    _register_models(registries)
    _register_necks_and_heads(registries)
    _register_losses_and_metrics(registries)


def _register_models(registries: StagedRegistries) -> None:
    add = registries.models.register
    add(
        "Classifier",
        "essmc_classifiers.classifier:Classifier",
        summary="Backbone, neck and head on images",
        check=_MODEL,
    )
    add(
        "VideoClassifier",
        "essmc_classifiers.classifier:VideoClassifier",
        summary="Backbone, neck and head on clips",
        check=_MODEL,
    )
    add(
        "VideoClassifier2x",
        "essmc_classifiers.classifier2x:VideoClassifier2x",
        summary="Two labels per clip, e.g. verb and noun",
        check=_MODEL,
    )
    add("MoSINet", "essmc_classifiers.mosi:MoSINet", summary="Tells the motion given to still images (MoSI)")


def _register_necks_and_heads(registries: StagedRegistries) -> None:
    add = registries.necks.register
    add("GlobalAveragePooling", "essmc_classifiers.necks:GlobalAveragePooling", summary="Mean over all positions")
    add("Identity", "essmc_classifiers.necks:Identity", summary="Passes its input on")
    add = registries.heads.register
    add(
        "ClassifierHead",
        "essmc_classifiers.heads:ClassifierHead",
        summary="Dropout and a linear layer",
        check=_HEAD,
    )
    add(
        "VideoClassifierHead",
        "essmc_classifiers.heads:VideoClassifierHead",
        summary="Dropout and a linear layer",
        check=_HEAD,
    )
    add(
        "VideoClassifierHeadx2",
        "essmc_classifiers.heads:VideoClassifierHeadx2",
        summary="Two linear layers",
        check=_HEAD,
    )
    add(
        "TransformerHead",
        "essmc_classifiers.heads:TransformerHead",
        summary="Linear layer, perhaps a hidden one",
        check=_HEAD,
    )
    add(
        "TransformerHeadx2",
        "essmc_classifiers.heads:TransformerHeadx2",
        summary="Two transformer heads in one",
        check=_HEAD,
    )
    add(
        "MoSIHead",
        "essmc_classifiers.mosi_head:MoSIHead",
        summary="Linear layer for motions, joint or per axis",
        check=_HEAD,
    )


def _register_losses_and_metrics(registries: StagedRegistries) -> None:
    add = registries.losses.register
    add(
        "CrossEntropy",
        "essmc_classifiers.losses:CrossEntropy",
        summary="One true class per item",
        retired=dict.fromkeys(("size_average", "reduce"), (None, "set reduction to mean, sum or none")),
    )
    add("BinaryCrossEntropy", "essmc_classifiers.losses:BinaryCrossEntropy", summary="Any number of true classes")
    add = registries.metrics.register
    add("accuracy", "essmc_classifiers.metrics:Accuracy", summary="Top-k accuracy of a batch")
    add(
        "ensemble_accuracy",
        "essmc_classifiers.metrics:EnsembleAccuracy",
        summary="Top-k accuracy after merging the views of each item",
    )
