"""What anyone may ask: the CapabilityStatement, OpenAPI, health, metrics. Never touches a hospital's data."""

from __future__ import annotations

import asyncio

import orjson

from gateway.exchange import Exchange
from gateway.metrics import CONTENT_TYPE
from gateway.openapi import document
from gateway.outcomes import FHIR_JSON, Answer
from gateway.worker import Worker

JSON = "application/json"


async def metadata(exchange: Exchange, worker: Worker) -> Answer:
    """Answer with the CapabilityStatement."""
    del exchange
    return Answer(200, worker.house.capability, {"Content-Type": FHIR_JSON, "Cache-Control": "max-age=60"})


async def openapi(exchange: Exchange, worker: Worker) -> Answer:
    """Answer with the OpenAPI document."""
    del exchange, worker
    return Answer(200, document(), {"Content-Type": JSON, "Cache-Control": "max-age=60"})


async def live(exchange: Exchange, worker: Worker) -> Answer:
    """Say that the process answers."""
    del exchange, worker
    return Answer(200, orjson.dumps({"status": "live"}), {"Content-Type": JSON})


async def ready(exchange: Exchange, worker: Worker) -> Answer:
    """Say whether an event can be kept now, and if not, which part is lost."""
    del exchange
    missing = worker.health.missing()
    if missing:
        body = orjson.dumps({"status": "not ready", "missing": missing})
        return Answer(503, body, {"Content-Type": JSON, "Retry-After": "2"})
    return Answer(200, orjson.dumps({"status": "ready"}), {"Content-Type": JSON})


async def metrics(exchange: Exchange, worker: Worker) -> Answer:
    """Write the metrics of all workers."""
    del exchange
    accounts = worker.settings.data_dir if worker.settings.broker == "embedded" else None
    body = await asyncio.to_thread(worker.metrics.exposition, accounts)
    return Answer(200, body, {"Content-Type": CONTENT_TYPE})
