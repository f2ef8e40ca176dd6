"""schemathesis against serigraphd's own OpenAPI document: no 5xx, no answer that breaks its schema, every operation reached, and at least a
third of the answers are successes. The seed is fixed."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from serigraphd import Server  # noqa: E402

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
# First every operation with right and wrong requests, then right ones in numbers, and chains of requests along the document's links.
RUNS = [("all", "examples,coverage"), ("positive", "fuzzing,stateful")]
EXAMPLES = "40"


def run(server, folder, mode, phases):
    report = folder / f"{mode}.har"
    command = [str(pathlib.Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json", "--checks", CHECKS, "--seed", "20261122",
               "--mode", mode, "--phases", phases, "--max-examples", EXAMPLES, "--continue-on-failure", "--no-shrink", "--suppress-health-check",
               "all", "--generation-database", "none", "--request-timeout", "60", "--report", "har", "--report-har-path", str(report)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280,
                          env=os.environ | {"SCHEMATHESIS_HOOKS": str(pathlib.Path(__file__).with_name("fresh_ids.py"))})
    print(done.stdout[-5000:])
    assert done.returncode == 0, "schemathesis found failures"
    return json.loads(report.read_text())["log"]["entries"]


def operation_of(document, method, path):
    """The (method, template) that an actual path belongs to."""
    parts = path.split("/")
    for template, methods in document["paths"].items():
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(w.startswith("{") or w == p for w, p in zip(wanted, parts)) and method.lower() in methods:
            return method, template
    return None


def main():
    with Server("--max-side", "64", "--max-steps", "2", "--max-batch", "1", "--max-iterations", "2") as server, tempfile.TemporaryDirectory() as folder:
        document = server.get("/openapi.json").json()
        entries = [entry for mode, phases in RUNS for entry in run(server, pathlib.Path(folder), mode, phases)]
        # schemathesis leaves out the document that it reads; it has fetched it twice.
        statuses, reached = collections.Counter(), {("GET", "/openapi.json")}
        for entry in entries:
            path = entry["request"]["url"].split("//", 1)[1].partition("/")[2].partition("?")[0]
            statuses[entry["response"]["status"]] += 1
            reached.add(operation_of(document, entry["request"]["method"], "/" + path))
        print("answers:", dict(sorted(statuses.items())))
        operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert server.process.poll() is None, server.log[-2000:]
        assert not [status for status in statuses if status >= 500 or status == 0], statuses
        assert operations <= reached, operations - reached
        good = sum(count for status, count in statuses.items() if 200 <= status < 300)
        assert good * 3 >= sum(statuses.values()), (good, statuses)
        assert server.get("/healthz").status == 200


if __name__ == "__main__":
    main()
