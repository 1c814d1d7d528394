"""The closed list of metrics and of their labels, from which docs/metrics.md is made; no label names a person."""

PREFIX = "snds_gateway_"
METRICS = {
    "requests_total": "Requests answered, by route and status.",
    "request_seconds": "Seconds from the headers to the answer, by route.",
    "body_bytes": "Bytes of bodies, after decompression.",
    "refusals_total": "Refused requests and entries, by issue code; in steps of 11.",
    "entries_total": "Entries by what the hospital was told of them: refused, accepted.",
    "dropped_total": "Elements that de-identification left out, by rule; in steps of 11.",
    "unauthenticated_total": "Requests without a valid credential.",
    "faults_total": "Requests that met a bug of ours.",
    "in_flight_requests": "Requests at work now.",
    "in_flight_bytes": "Bytes of bodies held now.",
    "accounted_entries": "Entries of the accounts: received = refused + accepted.",
    "log_events": "Events that the log got.",
    "lag_events": "Events not applied to the tables yet.",
    "lag_late": "1 when events waited for longer than half of what the log keeps.",
    "applied_events": "Events applied to the tables.",
    "duplicate_events": "Events that changed nothing.",
    "dead_letters": "Events that cannot be applied.",
    "superseded_resources": "Versions that came after a newer one.",
    "stays": "Stays by what became of them; in steps of 11.",
    "writer_stopped": "1 when the table writer stopped with a code.",
}
LABELS = {
    "requests_total": ("route", "status"),
    "request_seconds": ("route",),
    "refusals_total": ("code",),
    "entries_total": ("outcome",),
    "dropped_total": ("rule",),
    "accounted_entries": ("outcome",),
    "stays": ("status",),
}
# Labels that tell of patients' data: nobody reads from them, or from two readings of them, that they count 1 to 10.
STEPPED = ("refusals_total", "dropped_total", "stays")
