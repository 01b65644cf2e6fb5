"""A server on this machine that speaks as much of the Hugging Face Hub's protocol as uploads and downloads need."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.samples.local_http import QuietServer

OWNER, READER = "hf_owner", "hf_reader"
"""Tokens: of one who may write and see private repositories, and of one who may not."""


@dataclass
class Repository:
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    head: str = ""


@dataclass
class Hub:
    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def commit(self, name: str, files: dict[str, bytes]) -> str:
        repository = self.repositories[name]
        whole = {**repository.commits.get(repository.head, {}), **files}
        oid = hashlib.sha1(repr(sorted((path, hashlib.sha1(data).hexdigest()) for path, data in whole.items()))
                           .encode()).hexdigest()  # fmt: skip
        repository.commits[oid], repository.head = whole, oid
        return oid


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    server = QuietServer(type("Handler", (_Handler,), {"hub": hub}))
    hub.address = server.url
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self._body()
        self.hub.seen.append(f"POST {path}")
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif not self.token:
            self._json({"error": "Invalid username or password."}, 401)
        elif self.token != OWNER:
            self._json({"error": "Forbidden"}, 403, {"X-Error-Message": "no right to write"})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [{"path": one["path"], "shouldIgnore": False,
                      "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular"}
                     for one in json.loads(body)["files"]]  # fmt: skip
            self._json({"files": files})
        elif match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            objects = [{**one, "actions": {"upload": {"href": f"{self.hub.address}/put/{one['oid']}"}}}
                       for one in json.loads(body)["objects"]]  # fmt: skip
            self._json({"transfer": "basic", "objects": objects}, type="application/vnd.git-lfs+json")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._json({"error": f"no {path}"}, 404)

    def do_PUT(self) -> None:
        data = self._body()
        assert hashlib.sha256(data).hexdigest() == self.path.rpartition("/")[2]
        self.hub.objects[self.path.rpartition("/")[2]] = data
        self._send(200, b"")

    def do_HEAD(self) -> None:
        self._get()

    def do_GET(self) -> None:
        self._get()

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        known = name in self.hub.repositories
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.hub.repositories.setdefault(name, Repository(private=private))
        self._json({"url": f"{self.hub.address}/{name}", "name": name}, 409 if known else 200)

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        oid = self.hub.commit(name, files)
        self._json({"commitUrl": f"{self.hub.address}/{name}/commit/{oid}", "commitOid": oid, "hookOutput": ""})

    def _get(self) -> None:
        path = urlsplit(self.path).path
        self.hub.seen.append(f"{self.command} {path}")
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = info or file
        name, revision = (match[1], match[2]) if match else ("", "")
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and self.token != OWNER):
            self._json({"error": "Repository not found"}, 404 if self.token else 401, {"X-Error-Code": "RepoNotFound"})
            return
        if repository.gated and self.token != OWNER:
            self._json({"error": "gated"}, 403 if self.token else 401, {"X-Error-Code": "GatedRepo"})
            return
        oid = repository.head if revision in (None, "main") else revision
        if oid not in repository.commits:
            self._json({"error": "no such revision"}, 404, {"X-Error-Code": "RevisionNotFound"})
        elif file is None:
            siblings = [{"rfilename": one} for one in repository.commits[oid]]
            self._json({"id": name, "modelId": name, "sha": oid, "siblings": siblings, "tags": [],
                        "private": repository.private, "downloads": 0, "likes": 0})  # fmt: skip
        elif file[3] not in repository.commits[oid]:
            self._json({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            data = repository.commits[oid][file[3]]
            self._send(200, data, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": oid})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(
        self, value: Any, status: int = 200, headers: dict[str, str] | None = None, type: str = "application/json"
    ) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": type, **(headers or {})})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
