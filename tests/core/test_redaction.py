"""What is pasted into public places holds no credentials, no user names and no home folders."""

from __future__ import annotations

import pytest

from essmc_core.installation.redaction import redacted

SECRETS = [
    ("https://alice:hunter2@host.example/index.json", ["alice", "hunter2"], "https://host.example/index.json"),
    (
        "git+https://x-access-token:ghs_abcdefghijklmnopqrstuvwxyz@forge.example/a/b",
        ["ghs_", "x-access"],
        "forge.example/a/b",
    ),
    ("https://p@ss:w@rd@host.example/x", ["p@ss", "w@rd"], "https://host.example/x"),
    (
        "https://host.example/i.json?token=abc123&x=1#sha256=00ff",
        ["abc123"],
        "https://host.example/i.json?…#sha256=00ff",
    ),
    ("https://bucket.example/f?X-Amz-Signature=deadbeef", ["deadbeef"], "https://bucket.example/f?…"),
    ("redis://:topsecret@cache.example:6379/0", ["topsecret"], "redis://cache.example:6379/0"),
    ("HF_TOKEN=hf_abcdefghijklmnop", ["hf_abc"], "HF_TOKEN=…"),
    ("the key hf_abcdefghijklmnop was refused", ["hf_abc"], "the key … was refused"),
    ("ghp_0123456789abcdef0123456789abcdef0123", ["ghp_"], "…"),
    ("github_pat_11ABCDEFG0abcdefghijkl_xyz", ["github_pat"], "…"),
    ("AKIAIOSFODNN7EXAMPLE", ["AKIA"], "…"),
    ("sk-proj-abcdefghijklmnop1234", ["sk-proj"], "…"),
    ("pypi-AgEIcHlwaS5vcmcCJDU", ["AgEI"], "…"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", ["eyJ"], "…"),
    ("Authorization: Bearer abcdef0123456789", ["abcdef"], "Authorization: …"),
    ("sent with bearer abcdef0123456789", ["abcdef"], "bearer …"),
    ('{"password": "open sesame", "a": 1}', ["sesame"], '"a": 1'),
    ("api_key = 'q w e r'", ["q w e"], "api_key = …"),
    ("aws_secret_access_key: wJalrXUtnFEMI/K7MDENG", ["wJal"], "aws_secret_access_key: …"),
    ("/home/alice/packs/video", ["alice"], "~/packs/video"),
    ("File '/Users/Alice Smith/x.py'", ["Alice"], "~"),
    ("/home/bob", ["bob"], "~"),
    (r"C:\Users\Carol\AppData\x.whl", ["Carol"], "~\\AppData\\x.whl"),
    ("C:/Users/Carol/x", ["Carol"], "~/x"),
    ("/mnt/c/Users/dave/code", ["dave"], "~/code"),
    ("file:///home/alice/wheels/x.whl", ["alice"], "~/wheels/x.whl"),
    ("/data/scratch/erin/cache", ["erin"], "/data/scratch/USER/cache"),
    ("/tmp/pip-of-erin/x", ["erin"], "/tmp/pip-of-USER/x"),
    ("erin@host said no", ["erin"], "USER@host said no"),
    ("ls ~erin/x", ["erin"], "~USER/x"),
    ("HTTPS_PROXY=bob:secret@proxy.example:3128", ["bob", "secret"], "HTTPS_PROXY=proxy.example:3128"),
    ("http://bob:pa/ss@proxy:80", ["bob", "pa/ss"], "http://proxy:80"),
    ("//u:p@host.example/x", ["u:p"], "//host.example/x"),
    ("login --password hunter2 --user x", ["hunter2"], "--password … --user x"),
    ("WANDB_API_KEY abc123def", ["abc123"], "WANDB_API_KEY …"),
    ("nvapi-0123456789abcdef", ["0123456789"], "…"),
    (r"\\server\Users\bob\x", ["bob"], "~\\x"),
    ("/nfs/home/bob/x", ["bob"], "~/x"),
    (r"C:\Users\Al Bo\x", ["Al", "Bo"], "~\\x"),
    ("/srv/homes/erin/x and /srv/homes/erin", ["erin"], "~/x and ~"),
]

KEPT = [
    "essmc-video 0.1.0, ok, 25 ms, wheel by pip",
    "the erinaceous pack",
    "https://host.example/a/b.json#sha256=0123456789abcdef",
    "git+https://host.example/a/b at 0123456789abcdef0123456789abcdef01234567",
    "tokens per second: many",
    "num_classes=51, dropout_rate=0.1",
    "/usr/lib/python3/dist-packages/homes/x.py",
    "keys such as backbone.conv1.weight are new",
    "pip install 'torch>=2.7'",
    "http://localhost:8080/pkg@v1.0",
    "API_KEY is not set, and HF_TOKEN neither",
    "--keys a.b and --verbose",
    "train.yaml:3:12: the value of x@y",
    "git@host.example:a/b.git",
    "docker.example/image@sha256:00ff",
    "2026-11-28T10:00:00 and 3:4@5",
]


@pytest.fixture(autouse=True)
def erin(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/homes/erin")
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "erin")


@pytest.mark.parametrize(("text", "secret", "left"), SECRETS, ids=[text[:40] for text, _, _ in SECRETS])
def test_secrets_go_and_the_rest_stays(text, secret, left):
    shown = redacted(f"before {text} after")
    assert not [word for word in secret if word in shown], shown
    assert left in shown
    assert shown.startswith("before ") and shown.endswith(" after")


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_a_short_or_common_name_is_replaced_in_paths_alone(monkeypatch):
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "video")
    monkeypatch.setenv("HOME", "/homes/video")
    assert redacted("essmc-video video 0.1, /homes/video/x, /x/video/y") == "essmc-video video 0.1, ~/x, /x/USER/y"
