"""What JMAP answers when something is wrong: with a whole request, with one call, with one record (RFC 8620 §3.6)."""

from typing import Any, Final

from appliance.base.metrics import Counter
from appliance.base.problem import Kind, Problem

#: As the metrics name what a submission, and any other call, could not do.
SUBMIT: Final = "submit"
CALL: Final = "call"

errors = Counter("webmail_errors_total", "What went wrong in calls of JMAP by a fault of the server.", ("error",))
# Alert rules see what goes up, not what begins with 1.
errors.labels(SUBMIT)
errors.labels(CALL)

URN: Final = "urn:ietf:params:jmap:error:"


class RequestProblem(Exception):
    """The whole request is refused, as problem details (RFC 7807, RFC 8620 §3.6.1)."""

    def __init__(self, type: str, detail: str, *, status: int = 400, **extra: Any) -> None:
        """`type`: one of the words of RFC 8620 §3.6.1, or `about:blank`."""
        super().__init__(detail)
        self.status = status
        self.fields: dict[str, Any] = {"type": type, "status": status, "detail": detail, **extra}


def not_json(detail: str) -> RequestProblem:
    """It is not JSON, or not as JMAP wants it."""
    return RequestProblem(f"{URN}notJSON", detail)


def not_request(detail: str) -> RequestProblem:
    """It is JSON, but no request."""
    return RequestProblem(f"{URN}notRequest", detail)


def over_limit(name: str, detail: str, *, status: int = 400) -> RequestProblem:
    """It is more than a limit allows that the session object states under a name."""
    return RequestProblem(f"{URN}limit", detail, status=status, limit=name)


class MethodError(Exception):
    """One call comes to nothing (RFC 8620 §3.6.2)."""

    def __init__(self, type: str, description: str = "", **extra: Any) -> None:
        super().__init__(description or type)
        self.fields: dict[str, Any] = {"type": type, **extra}
        if description:
            self.fields["description"] = description


class SetError(Exception):
    """One record is not created, changed or destroyed (RFC 8620 §5.3)."""

    def __init__(self, type: str, description: str = "", **extra: Any) -> None:
        super().__init__(description or type)
        self.fields: dict[str, Any] = {"type": type, **extra}
        if description:
            self.fields["description"] = description


def invalid_properties(description: str, *names: str) -> SetError:
    """These properties cannot be so."""
    return SetError("invalidProperties", description, properties=list(names))


#: What a Problem is called that a verb raises for a whole call.
METHOD_ERRORS: Final[dict[Kind, str]] = {
    Kind.NOT_FOUND: "invalidArguments",
    Kind.EXISTS: "invalidArguments",
    Kind.INVALID: "invalidArguments",
    Kind.FORBIDDEN: "forbidden",
    Kind.OVER_QUOTA: "overQuota",
    Kind.LIMIT: "requestTooLarge",
    Kind.CONFLICT: "serverFail",
    Kind.UNAVAILABLE: "serverUnavailable",
    Kind.NOT_AUTHENTICATED: "forbidden",
    Kind.DISABLED: "forbidden",
    Kind.TOO_MANY: "rateLimit",
    Kind.UNSUPPORTED: "invalidArguments",
}
#: And for one record.
SET_ERRORS: Final[dict[Kind, str]] = {
    Kind.NOT_FOUND: "notFound",
    Kind.EXISTS: "alreadyExists",
    Kind.INVALID: "invalidProperties",
    Kind.FORBIDDEN: "forbidden",
    Kind.OVER_QUOTA: "overQuota",
    Kind.LIMIT: "tooLarge",
    Kind.CONFLICT: "forbidden",
    Kind.UNAVAILABLE: "serverFail",
    Kind.NOT_AUTHENTICATED: "forbidden",
    Kind.DISABLED: "forbidden",
    Kind.TOO_MANY: "rateLimit",
    Kind.UNSUPPORTED: "invalidProperties",
}


def method_error(problem: Problem) -> MethodError:
    """A problem of a verb, for a whole call."""
    return MethodError(METHOD_ERRORS[problem.kind], str(problem))


def set_error(problem: Problem) -> SetError:
    """A problem of a verb, for one record."""
    return SetError(SET_ERRORS[problem.kind], str(problem))
