"""The failures of the line: what a caller may catch, and nothing that carries a posted value.

PipelineError              code (stable, documented), never a value, never a payload
├─ Refused(issues)         the sender must change something; sending the same bytes again is useless
│  ├─ Malformed            400  not JSON, not UTF-8, duplicate key
│  ├─ Unauthenticated      401
│  ├─ Forbidden            403
│  ├─ NotFound             404
│  ├─ MethodNotAllowed     405
│  ├─ TooLarge             413  bytes, entries, depth, string length
│  ├─ Unsupported          415  media type, encoding, charset
│  └─ Invalid              422  profile violations, all of them
├─ Busy                    429 / 503  quota, saturation: try later
├─ Unavailable             503  broker or store not answering: safe to send again
├─ Poisoned                consumer side: this event can never be applied (dead letter)
├─ Misconfigured           the installation is wrong: refuse to start (exit 78)
└─ Fault                   our bug, logged by code and place, never by message
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fhir_profiles.issues import Issue


class PipelineError(Exception):
    """A failure with a stable code; `str()` of it shows the code alone."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(PipelineError):
    """The sender must change something; `issues` says what, in order."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(issues[0].code if issues else "invalid")
        self.issues = issues


class Malformed(Refused):
    """Not JSON, not UTF-8, a duplicate key, no FHIR resource."""


class Unauthenticated(Refused):
    """No credential, or one nobody knows."""


class Forbidden(Refused):
    """A known caller asks for something that is not theirs."""


class NotFound(Refused):
    """No such route or resource type."""


class MethodNotAllowed(Refused):
    """The route exists, this interaction does not."""


class TooLarge(Refused):
    """A limit of `gateway.toml` is exceeded."""


class Unsupported(Refused):
    """Media type, content encoding or charset that the gateway does not read."""


class Invalid(Refused):
    """FHIR or profile rules are broken."""


class Busy(PipelineError):
    """Quota or saturation: the same request is welcome after `retry_after_s` seconds."""

    def __init__(self, code: str, *, retry_after_s: int = 1) -> None:
        super().__init__(code)
        self.retry_after_s = retry_after_s


class Unavailable(PipelineError):
    """Broker or store does not answer; the outcome is unknown and a resend is safe."""

    def __init__(self, code: str, *, retry_after_s: int = 2) -> None:
        super().__init__(code)
        self.retry_after_s = retry_after_s


class Poisoned(PipelineError):
    """An event that can never be applied."""


class Misconfigured(PipelineError):
    """A setting, key or file is wrong; `detail` names it and never shows its content."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Fault(PipelineError):
    """A bug of ours."""
