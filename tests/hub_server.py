"""A Hugging Face Hub on loopback: enough of its HTTP interface to read and write a repository."""

import base64
import contextlib
import hashlib
import http.server
import json
import pathlib
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_ThatWrites"


@contextlib.contextmanager
def serve(root, revisions=("main", "v1", COMMIT)):
    """Serves the repositories `root/user/name` under every one of `revisions`.

    Who has the `TOKEN` may write, and sees the user `private`'s. Nobody is let into the user
    `gated`'s, and of a file of the user `broken`'s half is sent.

    Yields:
        The address, for HF_ENDPOINT.
    """
    root = pathlib.Path(root)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):  # noqa: N802
            self.answer(body=False)

        def do_GET(self):  # noqa: N802
            self.answer(body=True)

        def do_POST(self):  # noqa: N802
            content = self.rfile.read(int(self.headers["Content-Length"]))
            parts = self.path.partition("?")[0].strip("/").split("/")
            if not self.has_token():
                return self.send(401, b"{}", {"X-Error-Message": "Invalid username or password."})
            return self.reply(getattr(self, f"do_{parts[-2]}")(parts, content))

        def do_api(self, parts, content):  # /api/validate-yaml
            return {"errors": [], "warnings": []}

        def do_repos(self, parts, content):  # /api/repos/create
            wanted = json.loads(content)
            (root / wanted["organization"] / wanted["name"]).mkdir(parents=True, exist_ok=True)
            return {"url": f"{self.address()}/{wanted['organization']}/{wanted['name']}"}

        def do_preupload(self, parts, content):  # /api/models/user/name/preupload/main
            paths = [file["path"] for file in json.loads(content)["files"]]
            how = {"uploadMode": "regular", "shouldIgnore": False}
            return {"files": [{"path": path} | how for path in paths]}

        def do_commit(self, parts, content):  # /api/models/user/name/commit/main
            for line in map(json.loads, content.splitlines()):
                if line["key"] == "file":
                    path = root.joinpath(*parts[2:4], line["value"]["path"])
                    path.write_bytes(base64.b64decode(line["value"]["content"]))
            url = f"{self.address()}/{parts[2]}/{parts[3]}/commit/{COMMIT}"
            return {"success": True, "commitOid": COMMIT, "commitUrl": url, "hookOutput": ""}

        def address(self):
            return f"http://127.0.0.1:{self.server.server_address[1]}"

        def has_token(self):
            return self.headers["Authorization"] == f"Bearer {TOKEN}"

        def reply(self, facts):
            return self.send(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})

        def answer(self, body):
            parts = self.path.partition("?")[0].strip("/").split("/")
            if "private" in parts and not self.has_token():
                self.refuse("RepoNotFound", 401)
            elif parts[:2] == ["api", "models"]:
                kind, revision = [*parts[4:6], "revision", "main"][:2]
                self.describe("/".join(parts[2:4]), kind, revision)
            elif len(parts) > 4 and parts[2] == "resolve" and parts[3] in revisions:
                self.send_file(root.joinpath(*parts[:2], *parts[4:]), body)
            else:
                self.refuse("EntryNotFound")

        def describe(self, repository, kind, revision):
            if repository.startswith("gated/"):
                return self.refuse("GatedRepo", 403)
            if not (root / repository).is_dir():
                return self.refuse("RepoNotFound")
            if revision not in revisions:
                return self.refuse("RevisionNotFound")
            files = sorted((root / repository).iterdir())
            names = [{"rfilename": path.name} for path in files]
            facts = {"id": repository, "sha": COMMIT, "siblings": names, "private": False}
            if kind == "tree":
                facts = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": COMMIT}
                    for f in files
                ]
            return self.reply(facts)

        def send_file(self, path, body):
            if not path.is_file():
                return self.refuse("EntryNotFound")
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            return self.send(200, content, {"ETag": f'"{digest}"'}, body, "broken" in path.parts)

        def refuse(self, code, status=404):
            self.send(status, b"{}", {"X-Error-Code": code})

        def send(self, status, content, headers, body=True, broken=False):
            self.send_response(status)
            headers = headers | {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if broken else content)
                self.close_connection = self.close_connection or broken

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
