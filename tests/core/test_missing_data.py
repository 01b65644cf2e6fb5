"""Data that a configuration names and that are not there are remarks of `essmc validate`."""

from __future__ import annotations

from essmc_core.zoo.checks.data_paths import missing_data


def test_local_folders_and_files_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "~odd").mkdir()
    data = {
        "train": {
            "dataset": [
                {"type": "ImageFolder", "root_dir": "there"},
                {"type": "VideoCsv", "csv_path": "absent.csv", "data_root_dir": ""},
            ],
            "batch_size": 4,
        },
        "eval": {
            "dataset": {"type": "VideoFolder", "data_root_dir": "https://host/clips", "pipeline": [{"x_dir": "no"}]}
        },
        "other": {"dataset": {"root_dir": "~odd"}},
    }
    assert missing_data(data) == ["data.train.dataset.1.csv_path: there is no absent.csv here"]
    assert missing_data(None) == missing_data({}) == missing_data({"train": {"dataset": {"root_dir": "a"}}})[1:] == []
    assert missing_data({"train": {"dataset": {"root_dir": "nul\0l"}}})
