"""THE pipeline. What a hospital posts is checked, stripped of every identity, made durable, and only then answered.

    authenticate ─▶ admission ─▶ body ─▶ parse ─▶ validate ─▶ provider ─▶ scrub ═▶ events ─▶ register ─▶ publish
    401 403         429 503   408 413    400        422          403        422                 503         503
                              415        413

Publish, then answer: a 2xx means that every event is on disk (or acknowledged by all in-sync replicas). A request
that is refused or fails has published nothing, or its resend is harmless. Promise: P1, P2, P3, P7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fhir_profiles.errors import Invalid, MethodNotAllowed, NotFound, Refused, Unavailable
from fhir_profiles.issues import Issue, issue
from fhir_profiles.resource_types import RESOURCE_TYPES
from fhir_profiles.values import RawBundle
from gateway.admission import Place
from gateway.answers import answer
from gateway.body import form_of, read_body
from gateway.consents import judge
from gateway.decision import NOTHING, Decision, Sender, decide, with_said
from gateway.exchange import Exchange, Target
from gateway.outcomes import Answer
from gateway.rights import SCOPE as RIGHTS
from gateway.rights import act_on
from gateway.suppression import teach, without_opposed
from gateway.worker import Worker
from streaming.broker import Counts
from streaming.opposition import Acts
from transformers.contract import Contract

# The gateway keeps no state that a condition could be compared with: ignoring one would be a lie.
CONDITIONS = ("if-match", "if-none-match", "if-none-exist", "if-modified-since", "if-unmodified-since")


async def take(exchange: Exchange, worker: Worker) -> Answer:
    """Take one request of a hospital in: the Bundle, or the one resource, of `exchange.target`."""
    caller = worker.identify(exchange, scope="write")
    check_target(exchange.target)
    if not worker.publisher.ready() or worker.health.missing():
        raise Unavailable("not-ready")
    with worker.admission.enter(caller.finess) as place:
        decision, acts = await _decided(exchange, worker, place)
        if decision.events:
            decision = await _without_opposed(decision, acts or await worker.acts(), worker, caller.contract)
        exchange.counts = decision.counts
        exchange.receipt = decision.receipt
        await worker.publisher.publish(decision.events, decision.counts)
        exchange.events = tuple(event.id for event in decision.events)
    worker.metrics.taken(decision)
    return answer(decision, language=exchange.language, preference=exchange.preference)


def check_target(target: Target) -> None:
    """Raise NotFound for a type that FHIR R4 lacks, MethodNotAllowed for a Bundle under an id."""
    if target.expected_type is not None and target.expected_type not in RESOURCE_TYPES:
        raise NotFound(issue("resource-type-unknown"))
    if target.expected_type == "Bundle" and target.resource_id is not None:
        raise MethodNotAllowed(issue("route-method", allowed="POST"))


async def _decided(exchange: Exchange, worker: Worker, place: Place) -> tuple[Decision, Acts | None]:
    """Read the body and decide on it; what cannot even be read counts as one entry, refused.

    The acts are there when a Consent of it was one: they are kept before anything is published.
    """
    assert exchange.caller is not None
    keys = worker.keys.get(exchange.caller.finess)
    if keys is None:  # the contract ended this very moment
        raise Unavailable("not-ready")
    sender = Sender(exchange.caller.contract, exchange.caller.source, keys)
    try:
        raw = RawBundle(await body_of(exchange, worker, place))
    except Refused as refusal:
        return Decision(Counts(exchange.caller.finess, received=1, refused=1), refusal=refusal), None

    def decided(refusing: Mapping[int, Issue]) -> Decision:
        return decide(
            raw,
            exchange.target,
            sender=sender,
            yardstick=worker.yardstick,
            received_at=exchange.received_at,
            placed=exchange.preference == "OperationOutcome",
            refusing=refusing,
        )

    decision = await worker.compute(exchange, lambda: decided(NOTHING))
    return await _acted(decision, decided, exchange, worker) if decision.consents else (decision, None)


async def _acted(
    decision: Decision, decided: Callable[[Mapping[int, Issue]], Decision], exchange: Exchange, worker: Worker
) -> tuple[Decision, Acts | None]:
    """Carry out what the Consents of a request say, and refuse those that may not say it (`gateway.consents`)."""
    assert exchange.caller is not None
    finess = exchange.caller.finess
    judged = judge(decision.consents, await worker.acts(), finess=finess, may_act=RIGHTS in exchange.caller.scopes)
    if judged.refused:
        decision = await worker.compute(exchange, lambda: decided(judged.refused))
    if decision.refusal is not None or not (judged.begun or judged.ended):
        return with_said(decision, judged.said), None
    done = await worker.consult(lambda register: act_on(judged, register, finess=finess))
    exchange.acts = done.receipts
    return with_said(decision, {**judged.said, **done.said}), done.acts


async def _without_opposed(decision: Decision, acts: Acts, worker: Worker, contract: Contract) -> Decision:
    """Leave out who objected; what was learnt of them is in the register before anything is published."""
    left, learnt = without_opposed(decision, acts, contract)
    if learnt:
        await worker.consult(lambda register: teach(register, learnt))
    return left


async def body_of(exchange: Exchange, worker: Worker, place: Place) -> bytes:
    """Return the body, or b"" for a DELETE. Raises Refused or Busy."""
    for name in CONDITIONS:
        if name in exchange.headers:
            raise Invalid(issue("header-condition", header=name.title()))
    if not exchange.target.has_body:
        return b""
    limit = worker.yardstick.limits.body_bytes
    content = await read_body(
        exchange.chunks,
        form_of(exchange.headers, limit),
        limit=limit,
        timeout_s=worker.settings.body_timeout_s,
        hold=place.hold,
    )
    exchange.size = len(content)
    exchange.body_read = True
    return content
