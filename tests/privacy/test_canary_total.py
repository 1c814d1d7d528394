"""Tokens in every text of valid bundles and of 500 spoiled ones: none comes out, in any form, anywhere (P13).

Searched: every answer and header, the log at DEBUG, metrics, audit, events as a consumer reads them, tables as an
analyst reads them, every byte of the installation, the arguments of its processes. The positive control is the same
search over what was sent.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.synthetic.bundles import workload
from tests.support.filled import Filler
from tests.support.installation import Installation, snds_gateway
from transformers.deidentify.rules import load_rules

pytestmark = pytest.mark.slow

MARK = "zqcnryxkw"
MUTATIONS = 500
TEXTS = frozenset(
    {"display", "text", "family", "given", "prefix", "city", "line", "title", "comment", "unit", "name", "postalCode"}
)


class Tokens:
    """Numbered canaries that all hold the mark."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self) -> str:
        self.made.append(f"{MARK}{len(self.made):06d}")
        return self.made[-1]


def laden(posted: dict[str, Any], token: Tokens) -> dict[str, Any]:
    """Put a token into every text, number, local id, url, narrative and unknown extension of a valid bundle."""
    ids = {entry["resource"]["id"]: token() for entry in posted["entry"]}
    bundle = renamed(posted, ids, token)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resource["meta"]["source"] = f"https://dpi.example/{token()}"
        resource["text"]["div"] = resource["text"]["div"].replace("<p>", f"<p>{token()} ")
        if resource["resourceType"] == "Patient":
            data = base64.b64encode(f"{token()} photo".encode()).decode()
            resource["photo"] = [{"contentType": "image/png", "data": data, "title": token()}]
            resource["_gender"] = {"extension": [{"url": f"https://ext.example/{token()}", "valueString": token()}]}
    return bundle | {"id": token(), "identifier": {"system": f"https://lots.example/{token()}", "value": token()}}


def renamed(node: Any, ids: dict[str, str], token: Tokens, key: str = "") -> Any:
    if isinstance(node, dict):
        own = {name: renamed(value, ids, token, name) for name, value in node.items()}
        number = isinstance(own.get("value"), str) and isinstance(own.get("system"), str)
        if number and "finess" not in own["system"] and "213.1.4" not in own["system"]:
            own["value"] = token()
        return own
    if isinstance(node, list):
        return [renamed(one, ids, token, key) for one in node]
    if not isinstance(node, str):
        return node
    if key in TEXTS and node not in ("generated",):
        return token()
    for before, after in ids.items():
        if node == before or node.endswith(f"/{before}"):
            return node[: len(node) - len(before)] + after
    return node


def filled(token: Tokens) -> Iterator[dict[str, Any]]:
    """One resource of each type of the rules, filled from the definitions, one choice of each kept."""
    elements = load_rules().elements
    for name in sorted(load_rules().types):
        filler = Filler(elements)
        filler.token = token  # type: ignore[method-assign]
        resource = filler.resource(name)
        for key in [
            key for key in resource if sum(key.startswith(stem) for stem in ("value", "onset")) and "_" not in key
        ][1:]:
            del resource[key]
        yield resource | {"id": token()}


def spoiled(node: Any, dice: random.Random, token: Tokens) -> Any:
    """Change a few places: a text for a number, an unknown name, a missing element, a list for an object."""
    if dice.random() < 0.04:
        return dice.choice([token(), [token()], {token(): token()}, 12, None, True, {"reference": token()}])
    if isinstance(node, dict):
        kept = {name: spoiled(value, dice, token) for name, value in node.items() if dice.random() > 0.03}
        return kept | ({token(): token()} if dice.random() < 0.05 else {})
    if isinstance(node, list):
        return [spoiled(one, dice, token) for one in node]
    return node


def forms(mark: str) -> Iterator[bytes]:
    """The mark as it is, in capitals, in base64 at each alignment, in hexadecimal and in UTF-16."""
    yield mark.encode()
    yield mark.upper().encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + mark.encode()).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : -1 if (len(mark) + shift) % 3 else None]
        yield inner.encode()
        yield inner.replace("+", "-").replace("/", "_").encode()
    yield mark.encode().hex().encode()
    yield mark.encode().hex().upper().encode()
    yield mark.encode("utf-16-le")
    yield mark.encode("utf-16-be")


def found_in(outputs: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [(name, form) for name, content in outputs.items() for form in forms(MARK) if form in content]


def attack(
    client: httpx.Client, bundles: list[dict[str, Any]], token: Tokens
) -> Iterator[tuple[bytes, httpx.Response]]:
    """Post spoiled bundles and resources by every route, with tokens in urls, queries and headers."""
    dice = random.Random(7)
    sources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]] + list(filled(token))
    for number in range(MUTATIONS):
        one = copy.deepcopy(dice.choice(sources))
        kind = one["resourceType"]
        wrong = spoiled(one, dice, token)
        path = dice.choice(["/fhir", f"/fhir/{kind}", f"/fhir/{kind}/$validate", "/fhir/$de-identify?explain=true"])
        if path == "/fhir":
            request = {"method": dice.choice(["PUT", "POST", token()]), "url": f"{kind}/{token()}"}
            entries = [{"resource": wrong, "request": request, "fullUrl": f"https://dpi.example/{kind}/{token()}"}]
            wrong = {
                "resourceType": "Bundle",
                "type": dice.choice(["batch", "transaction", "collection"]),
                "entry": entries,
            }
        body = orjson.dumps(wrong)
        if number % 17 == 0:
            body = body[: dice.randrange(len(body))]
        headers = {"X-Request-Id": token(), "Prefer": f"return={token()}"} if number % 5 == 0 else {}
        yield body, client.request("PUT" if number % 11 == 0 else "POST", path, content=body, headers=headers)
    for method, path in (
        ("DELETE", f"/fhir/Patient/{token()}"), ("GET", f"/fhir/Patient/{token()}?name={token()}"),
        ("GET", f"/{token()}"), ("POST", f"/fhir/{token()}"), ("POST", f"/rights/{token()}"), ("GET", "/metrics"),
    ):  # fmt: skip
        body = json.dumps({token(): token()}).encode()
        yield body, client.request(method, path, content=body if method == "POST" else b"", headers={"Cookie": token()})


def test_no_token_comes_out_in_any_form_anywhere(tmp_path: Path) -> None:
    token = Tokens()
    bundles = [laden(orjson.loads(posted), token) for posted in workload(11, 3)]
    planted = tuple(token.made)
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    settings = installation.data_dir / "gateway.toml"
    settings.write_text('log_level = "debug"\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")

    with installation.serving(), installation.client() as client:
        sent = [orjson.dumps(bundle) for bundle in bundles]
        accepted = [client.post("/fhir", content=body) for body in sent]
        attacked = list(attack(client, bundles, token))
        accounts = installation.wait_idle()
        arguments = b"".join(path.read_bytes() for path in processes(installation.pid))
        tables = [name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
        rows = {name: repr(installation.sql(f'SELECT * FROM "{name}"')).encode() for name in tables}
    events = snds_gateway(
        "events", "tail", "--data-dir", str(installation.data_dir), "--format", "json"
    ).stdout.encode()

    assert [answer.status_code for answer in accepted] == [200, 200, 200], accepted[0].text
    assert accounts["published"] > 100
    assert len(events.splitlines()) >= 3
    answers = [*accepted, *(answer for _, answer in attacked)]
    assert not [answer.status_code for answer in answers if answer.status_code >= 500]
    assert len({answer.status_code for answer in answers}) >= 5
    assert len(codes(answers)) >= 25, sorted(codes(answers))
    outputs = {f"answer {number}": said(one) for number, one in enumerate(answers)}
    outputs |= rows | {"events": events, "arguments": arguments}
    outputs |= {path.name: content for path, content in installation.every_byte()}
    assert found_in(outputs) == []
    # positive control: the same search finds what was sent, and every planted token is in it, as it is or in base64
    whole = b"".join(sent)
    assert found_in({"sent": whole})
    hidden = [one for one in planted if one.encode() not in whole]
    assert len(hidden) <= 3  # the photographs
    assert len(token.made) > 2000


def said(answer: httpx.Response) -> bytes:
    """What an answer says; `$validate` alone may quote a code or an unknown name in its texts (DESIGN §3)."""
    headers = repr(answer.headers).encode()
    if "$validate" not in answer.url.path:
        return answer.content + headers
    unquoted = [{name: value for name, value in one.items() if name != "details"} for one in issues(answer.json())]
    return orjson.dumps(unquoted) + headers


def codes(answers: list[httpx.Response]) -> set[str]:
    """The codes of every issue of every answer."""
    return {
        coding["code"]
        for answer in answers
        if answer.headers.get("content-type", "").startswith("application/fhir+json")
        for issue in issues(answer.json())
        for coding in issue.get("details", {}).get("coding", ())
    }


def issues(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("resourceType") == "OperationOutcome":
            yield from node["issue"]
        for value in node.values():
            yield from issues(value)
    elif isinstance(node, list):
        for value in node:
            yield from issues(value)


def processes(group: int) -> Iterator[Path]:
    """The arguments and environment of every process of the installation."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                    yield folder / "cmdline"
                    yield folder / "environ"
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
