"""Anything that fits the OpenAPI document, and much that does not: never a 500, always an answer of ours, no echo."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_profiles.resource_types import RESOURCE_TYPES
from gateway.routes import ROUTES, Route
from tests.support.installation import ANSWER_WITHIN_S, Installation
from tests.support.posted import bundle, observation, patient, put

pytestmark = pytest.mark.slow

MARK = "zqfuzz8w"
ANSWERS = {"OperationOutcome", "Bundle", "Parameters", "CapabilityStatement"}
Json = Any

words = st.text(max_size=30).map(lambda text: MARK + text)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
trees: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
types = st.sampled_from(sorted(RESOURCE_TYPES)) | st.sampled_from(["", "patient", "Nothing", MARK])
SEEDS = [
    bundle("transaction", put(patient("f1")), put(observation("f2", subject={"reference": "Patient/f1"}))),
    bundle("batch", put(patient("f3"))),
    patient("f4", name=[{"family": MARK, "given": [MARK]}], birthDate="1980-05-17", gender="female"),
    observation("f5", valueQuantity={"value": 1.5, "system": "http://unitsofmeasure.org", "code": "g"}),
]


def places(node: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    found = [path] if path else []
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, list):
        children = enumerate(node)
    else:
        return found
    return found + [place for key, child in children for place in places(child, (*path, key))]


@st.composite
def mutated(draw: st.DrawFn) -> Json:
    """A known resource with one to three places replaced, removed or doubled."""
    tree = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        known = places(tree)
        if not known:
            break
        *above, last = draw(st.sampled_from(known))
        parent = tree
        for step in above:
            parent = parent[step]
        action = draw(st.sampled_from(["replace", "remove", "add", "wrap"]))
        if action == "remove":
            del parent[last]
        elif action == "wrap":
            parent[last] = [parent[last]]
        elif action == "add" and isinstance(parent, dict):
            parent[draw(st.text(min_size=1, max_size=12))] = draw(trees)
        else:
            parent[last] = draw(trees)
    return tree


@st.composite
def resources(draw: st.DrawFn) -> Json:
    """Anything under a resource type."""
    tree = draw(
        st.dictionaries(st.text(max_size=12) | st.sampled_from(["id", "entry", "type", "meta"]), trees, max_size=6)
    )
    return tree | {"resourceType": draw(types)}


def written(tree: Json) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")


bodies = st.one_of(
    mutated().map(written), resources().map(written), trees.map(written), st.binary(max_size=200), st.just(b"")
)
headers = st.dictionaries(
    st.sampled_from(["Accept", "Accept-Language", "Prefer", "Content-Encoding", "If-Match", "X-Request-Id", "Expect"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip),
    max_size=2,
)
content_types = st.sampled_from(
    ["application/fhir+json"] * 6 + ["application/json", "text/plain", "application/fhir+json;;"]
)


@given(
    route=st.sampled_from(ROUTES),
    kind=types,
    identifier=st.text(min_size=1, max_size=20),
    query=st.dictionaries(st.sampled_from(["profile", "mode", "explain", MARK]), words, max_size=2),
    body=bodies,
    named=headers,
    content_type=content_types,
)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_whatever_comes_in_an_answer_of_ours_goes_out(
    served: Installation, route: Route, kind: str, identifier: str, query: dict[str, str], body: bytes,
    named: dict[str, str], content_type: str,
) -> None:  # fmt: skip
    parts = {"{type}": kind or "x", "{id}": identifier}
    path = route.path
    for name, value in parts.items():
        path = path.replace(name, quote(value.encode("utf-8", "surrogatepass"), safe=""))
    sent = {"Authorization": f"Bearer {served.key()}", "Content-Type": content_type} | named
    sent.pop("Expect", None)

    answer = httpx.request(
        route.methods[0], f"{served.url}{path}", params=query, headers=sent, timeout=ANSWER_WITHIN_S,
        content=body if route.methods[0] in ("POST", "PUT") else None,
    )  # fmt: skip

    assert answer.status_code != 500, (path, body)
    assert answer.status_code in (200, 202, 400, 401, 403, 404, 405, 413, 415, 422, 429, 503)
    if route.path.startswith("/fhir") and answer.content and route.name != "smart":
        assert answer.json()["resourceType"] in ANSWERS
    if "$" not in route.path:  # dry runs may quote a code or the name of an element
        assert MARK not in answer.text
    assert MARK not in repr(answer.headers)


def test_the_openapi_document_is_true_of_whatever_schemathesis_makes_of_it(served: Installation) -> None:
    checks = (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "schemathesis"), "run", f"{served.url}/openapi.json",
         "--header", f"Authorization: Bearer {served.key()}", "--checks", ",".join(checks),
         "--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--no-color",
         # how fast it makes up requests on this machine says nothing of us
         "--suppress-health-check", "too_slow", "--request-timeout", str(ANSWER_WITHIN_S),
         "--generation-database", "none"],
        capture_output=True, text=True, timeout=1800, check=False, cwd=served.data_dir.parent,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    [made] = re.findall(r"(\d+) generated, (\d+) passed", done.stdout)
    assert int(made[0]) > 500
    with httpx.Client() as client:
        assert client.get(f"{served.url}/health/ready", timeout=ANSWER_WITHIN_S).status_code == 200
