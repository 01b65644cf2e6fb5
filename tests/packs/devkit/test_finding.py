"""Findings survive the way from a child process to the report."""

from __future__ import annotations

import json

import pytest

from essmc_devkit.finding import Finding


def test_a_finding_is_the_same_after_json():
    finding = Finding(
        "backbone.feature-info", "backbones/Net", "failed", "stage 2 says 8 channels, gives 16", "mend it"
    )
    assert Finding.from_dict(json.loads(json.dumps(finding.as_dict()))) == finding


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"check": "a.b"}, "has the texts check, subject, status"),
        ({"check": "a.b", "subject": "s", "status": "passed", "message": "", "fix": ""}, "status is 'passed'"),
        ({"check": "a.b", "subject": 3, "status": "ok", "message": "", "fix": ""}, "has the texts"),
    ],
)
def test_what_a_broken_child_sends_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        Finding.from_dict(data)
