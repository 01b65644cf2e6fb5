"""The page of a model at the Hugging Face Hub, made from what its file says: use, results, licence, packs, origin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

LIBRARY = "essmc"
_TASKS = {"image": "image-classification", "video": "video-classification"}
# Identifiers of licences that the Hub lists; others have a name of their own there.
_LISTED = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "mpl-2.0", "gpl-3.0", "agpl-3.0", "cc0-1.0",
    "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "unlicense",
)  # fmt: skip
_MOST_CLASSES = 20


def make_model_card(description: Mapping[str, Any], repository: str, *, sample: str | None = None) -> ModelCard:
    """Returns the card of a model.

    Args:
        description: as the model's file holds it.
        repository: ``owner/name``.
        sample: name of a picture in the repository, which the Hub's widget offers to classify.
    """
    data = _metadata(description, repository, sample)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_text(description, repository)}")


def _metadata(description: Mapping[str, Any], repository: str, sample: str | None) -> ModelCardData:
    config = description["config"]
    modality = str((config.get("input") or {}).get("modality", ""))
    task = _TASKS.get(modality)
    results = [found for one in config.get("results") or () if (found := _result(one, task))]
    fields: dict[str, Any] = {
        "library_name": LIBRARY,
        "pipeline_tag": task,
        "tags": [LIBRARY, *([modality] if modality else []), *sorted(description.get("packs") or ())],
        **_licence_fields(description),
    }
    if results:
        fields |= {"model_name": str(description.get("model") or repository), "eval_results": results}
    if sample and task == "image-classification":
        place = f"https://huggingface.co/{repository}/resolve/main/{sample}"
        fields["widget"] = [{"src": place, "example_title": sample}]
    return ModelCardData(**fields)


def _result(stated: Mapping[str, Any], task: str | None) -> EvalResult | None:
    """Returns a result of an entry in the Hub's form, None if it is not a number."""
    dataset, metric, value = str(stated.get("dataset", "")), str(stated.get("metric", "")), stated.get("value")
    if not dataset or not metric or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return EvalResult(
        task_type=task or "other",
        dataset_type=re.sub(r"[^a-z0-9]+", "-", dataset.lower()).strip("-"),
        dataset_name=dataset,
        metric_type="accuracy" if metric.startswith("acc") else metric,
        metric_name=metric,
        metric_value=value,
    )


def _licence_fields(description: Mapping[str, Any]) -> dict[str, str]:
    stated = _licence(description).get("weights")
    if not stated or stated == "unknown":
        return {}
    listed = str(stated).lower()
    return {"license": listed} if listed in _LISTED else {"license": "other", "license_name": listed}


def _licence(description: Mapping[str, Any]) -> Mapping[str, Any]:
    stated = description.get("licence")
    return stated if isinstance(stated, Mapping) else {}


def _text(description: Mapping[str, Any], repository: str) -> str:
    config = description["config"]
    sections = [
        f"# {repository.partition('/')[2]}",
        str(config.get("summary") or f"A model of type {config['model'].get('type')}.").strip(),
        _use(description, repository),
        _input(config),
        _classes(config.get("labels")),
        _results(config.get("results") or ()),
        _origin(description),
        _packs(description),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _use(description: Mapping[str, Any], repository: str) -> str:
    address = f"hf://{repository}"
    packs = " ".join(description.get("packs") or ())
    checked = f"\nessmc verify {address}" if "check" in description["config"] else ""
    return f"""## Use

```
pip install essmc-core {packs}
```

```python
import essmc_core

model = essmc_core.load("{address}")
```

```
essmc predict {address} FILE{checked}
```

`hf://{repository}@COMMIT` names one commit. The file `model.safetensors` holds data alone, no code: its configuration
names components, which the installed packs provide."""


def _input(config: Mapping[str, Any]) -> str:
    stated = config.get("input")
    if not isinstance(stated, Mapping):
        return ""
    return "## Input\n\n" + _table(("key", "value"), [(f"`{key}`", str(value)) for key, value in stated.items()])


def _classes(labels: object) -> str:
    if not isinstance(labels, Sequence) or isinstance(labels, str) or not labels:
        return ""
    rest = f" and {len(labels) - _MOST_CLASSES} more" if len(labels) > _MOST_CLASSES else ""
    return f"## Classes\n\n{len(labels)}: {_plain(', '.join(map(str, labels[:_MOST_CLASSES])))}{rest}"


def _results(results: Sequence[Mapping[str, Any]]) -> str:
    if not results:
        return ""
    rows = [tuple(str(one.get(key, "")) for key in ("dataset", "metric", "value", "protocol", "source"))
            for one in results]  # fmt: skip
    return "## Results\n\n" + _table(("data set", "metric", "value", "protocol", "source"), rows)


def _origin(description: Mapping[str, Any]) -> str:
    licence = _licence(description)
    rows = [("licence of the code", str(licence.get("code") or "not stated")),
            ("licence of the weights", str(licence.get("weights") or "not stated"))]  # fmt: skip
    return "## Origin and licence\n\n" + _table(("", ""), [*rows, *_provenance(description.get("weights"))])


def _provenance(weights: object, front: str = "weights") -> Iterable[tuple[str, str]]:
    if not isinstance(weights, Mapping):
        return
    if isinstance(trained := weights.get("trained"), Mapping):
        yield front, f"trained with essmc-solvers, {trained.get('epochs')} epochs"
        yield from _provenance(weights.get("start"), "the training started from")
        return
    changed = ", and changed since" if weights.get("changed") else ""
    yield front, f"{weights.get('uri')}{changed}"
    if isinstance(of_start := weights.get("licence"), Mapping):
        yield "licence of those", str(of_start.get("weights") or "not stated")


def _packs(description: Mapping[str, Any]) -> str:
    origins = description.get("origins") or {}
    packs = description.get("packs") or {}
    rows = [("essmc-core", str(description.get("essmc-core", "")), "")]
    rows += [(name, str(version), str(origins.get(name, ""))) for name, version in packs.items()]
    return "## Packs\n\n" + _table(("distribution", "version", "installed from"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_plain(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Returns text without what would be markup: a file's description is anybody's."""
    return " ".join(text.replace("<", "&lt;").split())
