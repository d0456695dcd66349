"""Requests: the examples of RFC 8620, what is no request, and what a hostile one may ask for."""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from appliance.base import limits
from appliance.base.problem import Kind
from appliance.servers.web.jmap import batch, pointer, session, standard
from appliance.servers.web.jmap.application import Slots
from appliance.servers.web.jmap.methods import METHODS
from appliance.servers.web.jmap.pointer import NoSuchValue
from appliance.servers.web.jmap.problem import CALL, METHOD_ERRORS, SET_ERRORS, RequestProblem, SetError, errors
from appliance.store.problems import NoSuchMessage, StorageFull

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"
ERROR = "urn:ietf:params:jmap:error:"


def request(*calls, using=(CORE, MAIL)) -> bytes:
    return json.dumps({"using": using, "methodCalls": calls}).encode()


# Whole requests that are refused, RFC 8620 §3.6.1.


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (b"", "notJSON"),
        (b"{", "notJSON"),
        (b"\xff", "notJSON"),
        (request() + b"x", "notJSON"),
        (b"\xef\xbb\xbf" + request(), "notJSON"),
        (request().decode().encode("utf-16"), "notJSON"),
        (b'{"using":[],"using":[],"methodCalls":[]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"a":1,"a":2},"c"]]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"a":NaN},"c"]]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"a":1e999},"c"]]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"a":"\\ud800"},"c"]]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"\\udc00":1},"c"]]}', "notJSON"),
        (b'{"using":[],"methodCalls":[["Core/echo",{"a":' + b"[" * 200 + b"]" * 200 + b'},"c"]]}', "notJSON"),
        (b"[" * 1_000_000, "notJSON"),
        (b'{"a":' * 100_000, "notJSON"),
        (b"1" * 10_000, "notJSON"),
        (b"[]", "notRequest"),
        (b"null", "notRequest"),
        (b"{}", "notRequest"),
        (b'{"using":[]}', "notRequest"),
        (b'{"using":"x","methodCalls":[]}', "notRequest"),
        (b'{"using":[],"methodCalls":[["Core/echo",{}]]}', "notRequest"),
        (b'{"using":[],"methodCalls":[["Core/echo",{},"c","d"]]}', "notRequest"),
        (b'{"using":[],"methodCalls":[["Core/echo",[],"c"]]}', "notRequest"),
        (b'{"using":[],"methodCalls":[],"createdIds":{"a":1}}', "notRequest"),
        (request(using=[CORE, "https://example.com/apis/foobar"]), "unknownCapability"),
        (request(*[["Core/echo", {}, "c"]] * (limits.JMAP_CALLS + 1)), "limit"),
    ],
)
async def test_refused(jmap, body, type_):
    answer = await jmap.post(body)
    assert answer.status == 400
    assert answer.header("content-type") == "application/problem+json"
    assert (answer.json["type"], answer.json["status"]) == (ERROR + type_, 400)
    assert answer.json.get("limit") == ("maxCallsInRequest" if type_ == "limit" else None)
    assert "detail" in answer.json


async def test_other_media_types(jmap):
    assert (await jmap.post(request(), content_type="text/plain")).json["type"] == ERROR + "notJSON"
    assert (await jmap.post(request(), content_type="application/json; charset=utf-8")).status == 200


async def test_too_large(jmap, monkeypatch):
    monkeypatch.setattr(limits, "JMAP_REQUEST_OCTETS", 1000)
    answer = await jmap.post(request(["Core/echo", {"a": "x" * 1000}, "c"]))
    assert (answer.status, answer.json["type"], answer.json["limit"]) == (413, ERROR + "limit", "maxSizeRequest")


async def test_too_many_at_a_time(jmap):
    slots = Slots(2, "maxConcurrentRequests")
    with slots.one(1), slots.one(1), slots.one(2):
        with pytest.raises(RequestProblem) as caught, slots.one(1):
            pass
        assert caught.value.fields["limit"] == "maxConcurrentRequests"
    with slots.one(1):
        pass


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_verbs(jmap, verb):
    answer = await jmap.browser.request(verb, "jmap/api")
    assert (answer.status, answer.header("content-type")) == (405, "application/problem+json")
    assert (await jmap.browser.request("GET", "jmap/nowhere")).status == 404


# Calls, RFC 8620 §3.6.2.


@pytest.mark.parametrize(
    ("call", "type_"),
    [
        (["Foo/bar", {}, "c"], "unknownMethod"),
        (["Quota/get", {}, "c"], "unknownMethod"),
        (["Mailbox/get", {}, "c"], "invalidArguments"),
        (["Mailbox/get", {"accountId": "A1", "foo": 1}, "c"], "invalidArguments"),
        (["Mailbox/get", {"accountId": 1}, "c"], "invalidArguments"),
        (["Mailbox/get", {"accountId": "A999", "ids": []}, "c"], "accountNotFound"),
        (["Mailbox/get", {"accountId": "A1", "ids": ["x"] * (limits.JMAP_GET_OBJECTS + 1)}, "c"], "requestTooLarge"),
        (
            ["Mailbox/set", {"accountId": "A1", "destroy": ["x"] * (limits.JMAP_SET_OBJECTS + 1)}, "c"],
            "requestTooLarge",
        ),
    ],
)
async def test_errors(jmap, call, type_):
    answer = json.loads((await jmap.post(request(call, ["Core/echo", {}, "d"]))).body)
    assert [one[0] for one in answer["methodResponses"]] == ["error", "Core/echo"], "the others are answered"
    assert (answer["methodResponses"][0][1]["type"], answer["methodResponses"][0][2]) == (type_, "c")


def test_every_kind_has_a_word():
    assert METHOD_ERRORS.keys() == SET_ERRORS.keys() == set(Kind)


@pytest.mark.parametrize(("fault", "count"), [(StorageFull("no room"), 1), (NoSuchMessage("gone"), 0)])
async def test_faults_of_ours_counted(jmap, monkeypatch, fault, count):
    async def broken(*_):
        raise fault

    methods = {**METHODS, "Core/echo": METHODS["Core/echo"].__class__("Core/echo", CORE, dict, broken)}
    monkeypatch.setattr("appliance.servers.web.jmap.application.METHODS", methods)
    before = errors.labels(CALL).value
    ((name, *_),) = (await jmap.post(request(["Core/echo", {}, "a"]))).json["methodResponses"]
    assert (name, errors.labels(CALL).value - before) == ("error", count)


async def test_a_bug_ends_its_call_alone(jmap, monkeypatch, caplog):
    async def broken(*_):
        raise RuntimeError("secret details")

    before = errors.labels(CALL).value

    methods = {**METHODS, "Core/echo": METHODS["Core/echo"].__class__("Core/echo", CORE, dict, broken)}
    monkeypatch.setattr("appliance.servers.web.jmap.application.METHODS", methods)
    answer = await jmap.post(request(["Core/echo", {}, "a"], ["Mailbox/get", {"accountId": "A1", "ids": []}, "b"]))
    first, second = answer.json["methodResponses"]
    assert (first[0], first[1]["type"], second[0]) == ("error", "serverFail", "Mailbox/get")
    assert b"secret" not in answer.body
    assert errors.labels(CALL).value == before + 1


async def test_read_only(house):
    from appliance.operations import apitokens
    from support.jmap import JMAP

    token = await apitokens.add(house.app, house.number(), "x", ["read"], None)
    jmap = JMAP(house.browser("webmail", headers={"authorization": f"Bearer {token.token}"}))
    assert "list" in await jmap.call("Mailbox/get", ids=[])
    for method, arguments in (
        ("Mailbox/set", {"create": {"a": {"name": "x"}}}),
        ("Blob/upload", {"create": {"a": {"data": [{"data:asText": "x"}]}}}),
    ):
        assert (await jmap.call(method, arguments))["type"] == "accountReadOnly"


# Creation ids, RFC 8620 §3.3 and §5.3.


async def test_created_ids(jmap):
    account = jmap.account
    calls = [
        ["Mailbox/set", {"accountId": account, "create": {"k": {"name": "one"}}}, "0"],
        ["Mailbox/set", {"accountId": account, "create": {"l": {"name": "two", "parentId": "#k"}}}, "1"],
        [
            "Mailbox/get",
            {"accountId": account, "ids": ["#l", "#k", "#nothing"], "properties": ["name", "parentId"]},
            "2",
        ],
        ["Mailbox/set", {"accountId": account, "update": {"#l": {"sortOrder": 5}}, "destroy": ["#old"]}, "3"],
    ]
    answer = await jmap.request(calls, created={"old": "F1-99"})
    created = answer["createdIds"]
    assert created.keys() == {"old", "k", "l"}
    got = answer["methodResponses"][2][1]
    assert [(one["name"], one["parentId"]) for one in got["list"]] == [("two", created["k"]), ("one", None)]
    assert got["notFound"] == ["#nothing"]
    assert answer["methodResponses"][3][1]["notDestroyed"].keys() == {"F1-99"}
    assert "createdIds" not in await jmap.request(calls[2:3])


# Back-references, RFC 8620 §3.7.

#: The response of the example there, and what its paths lead to.
EXAMPLE = {
    "accountId": "A1",
    "queryState": "abcdefg",
    "ids": ["msg1023", "msg223", "msg110"],
    "list": [
        {"id": "msg1023", "threadId": "trd194"},
        {"id": "msg223", "threadId": "trd114"},
    ],
    "threads": [
        {"id": "trd194", "emailIds": ["msg1020", "msg1021", "msg1023"]},
        {"id": "trd114", "emailIds": ["msg201", "msg223"]},
    ],
    "a/b": {"m~n": 1},
    "": 7,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/ids", ["msg1023", "msg223", "msg110"]),
        ("/list/*/threadId", ["trd194", "trd114"]),
        ("/threads/*/emailIds", ["msg1020", "msg1021", "msg1023", "msg201", "msg223"]),
        ("/ids/0", "msg1023"),
        ("/list/1/id", "msg223"),
        ("/a~1b/m~0n", 1),
        ("/", 7),
        ("", EXAMPLE),
        ("/ids/*", ["msg1023", "msg223", "msg110"]),
    ],
)
def test_pointers(path, value):
    assert pointer.find(EXAMPLE, path, 1000) == value


@pytest.mark.parametrize(
    "path",
    [
        *("ids", "/nothing", "/ids/3", "/ids/-", "/ids/01", "/ids/-1", "/ids/x", "/accountId/x", "/*", "/a~2b"),
        *("/ids/0/x", "/list/*/nothing", "/a" * 1000, "/ids/" + "9" * 5000),
    ],
)
def test_bad_pointers(path):
    with pytest.raises(NoSuchValue):
        pointer.find(EXAMPLE, path, 1000)


def reference(result_of, name, path):
    return {"resultOf": result_of, "name": name, "path": path}


async def test_references(jmap):
    echo = ["Core/echo", {"list": [{"id": "a"}, {"id": "b"}]}, "0"]
    first, second = await jmap.responses(echo, ["Core/echo", {"#ids": reference("0", "Core/echo", "/list/*/id")}, "1"])
    assert second[1] == {"ids": ["a", "b"]}
    assert first[1] == {"list": [{"id": "a"}, {"id": "b"}]}


@pytest.mark.parametrize(
    ("arguments", "type_"),
    [
        ({"#a": reference("9", "Core/echo", "/a")}, "invalidResultReference"),
        ({"#a": reference("0", "Mailbox/get", "/a")}, "invalidResultReference"),
        ({"#a": reference("0", "Core/echo", "/nothing")}, "invalidResultReference"),
        ({"#a": reference("1", "Core/echo", "/a")}, "invalidResultReference"),
        ({"#a": 5}, "invalidArguments"),
        ({"#a": {"resultOf": "0"}}, "invalidArguments"),
        ({"a": 1, "#a": reference("0", "Core/echo", "/a")}, "invalidArguments"),
    ],
)
async def test_bad_references(jmap, arguments, type_):
    """The second in line refers to what is not there, or to itself."""
    _, second = await jmap.responses(["Core/echo", {"a": 1}, "0"], ["Core/echo", arguments, "1"])
    assert (second[0], second[1]["type"]) == ("error", type_)


async def test_references_that_double(jmap):
    """What doubles with every call ends when it has become too much."""
    calls = [["Core/echo", {"a": ["x"] * 10}, "0"]]
    for at in range(1, 60):
        both = {"#a": reference(str(at - 1), "Core/echo", ""), "#b": reference(str(at - 1), "Core/echo", "")}
        calls.append(["Core/echo", both, str(at)])
    answer = await jmap.post(request(*calls))
    assert len(answer.body) < 20 * 1024 * 1024
    assert [one[0] for one in answer.json["methodResponses"]][-1] == "error"
    stars = [["Core/echo", {"a": [[[["x"] * 30] * 30] * 30] * 10}, "0"]]
    stars += [["Core/echo", {"#a": reference("0", "Core/echo", "/a/*/*/*/*")}, str(at)] for at in range(1, 20)]
    answer = await jmap.post(request(*stars))
    assert answer.json["methodResponses"][-1][1]["type"] == "invalidResultReference"


# Patches, RFC 8620 §5.3.


@pytest.mark.parametrize(
    ("patch", "value"),
    [
        ({"keywords/$seen": True}, {"keywords": {"$flagged": True, "$seen": True}, "name": "x"}),
        ({"keywords/$flagged": None}, {"keywords": {}, "name": "x"}),
        ({"keywords/nothing": None}, {"keywords": {"$flagged": True}, "name": "x"}),
        ({"keywords": {"a~1b": True}}, {"keywords": {"a~1b": True}, "name": "x"}),
        ({"keywords/a~1b": True}, {"keywords": {"$flagged": True, "a/b": True}, "name": "x"}),
        ({"name": None}, {"keywords": {"$flagged": True}, "name": None}),
        ({}, {"keywords": {"$flagged": True}, "name": "x"}),
    ],
)
def test_patches(patch, value):
    before = {"keywords": {"$flagged": True}, "name": "x"}
    assert standard.patched(before, patch) == value
    assert before == {"keywords": {"$flagged": True}, "name": "x"}


@pytest.mark.parametrize(
    "patch", [{"a/b": 1}, {"name/b": 1}, {"keywords": {}, "keywords/a": True}, {"keywords/a/b": 1}]
)
def test_bad_patches(patch):
    with pytest.raises(SetError) as caught:
        standard.patched({"keywords": {"a": True}, "name": "x"}, patch)
    assert caught.value.fields["type"] == "invalidPatch"


# Anything at all.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*METHODS, "Foo/get"])
IDS = st.sampled_from(["F1-1", "F1-2", "#a", "x", "T1-1", "M1-1", "B1-1", "A1", "P1", "octets"])
#: Arguments by the names that there are, of values that might do, or of any.
ARGUMENTS = st.fixed_dictionaries(
    {"accountId": st.just("A1") | JSON},
    optional={
        "ids": st.none() | st.lists(IDS, max_size=3) | JSON,
        "properties": st.none() | st.lists(st.sampled_from(["id", "name", "role", "nothing"]), max_size=3) | JSON,
        "sinceState": st.sampled_from(["1", "2", "x", "99"]) | JSON,
        "sinceQueryState": st.sampled_from(["1", "2", "x", "99"]) | JSON,
        "create": st.dictionaries(st.just("a"), st.dictionaries(st.sampled_from(["name", "parentId"]), JSON)) | JSON,
        "update": st.dictionaries(IDS, st.dictionaries(st.sampled_from(["name", "role/x", "x"]), JSON)) | JSON,
        "destroy": st.lists(IDS, max_size=3) | JSON,
        "filter": JSON,
        "sort": JSON,
        "position": st.integers() | JSON,
        "anchor": IDS | JSON,
        "limit": st.integers(0, 5) | JSON,
        "maxChanges": st.integers(0, 5) | JSON,
        "#ids": st.fixed_dictionaries(
            {"resultOf": st.sampled_from(["0", "1"]), "name": NAMES, "path": st.sampled_from(["", "/list/*/id", "/*"])}
        )
        | JSON,
    },
)
CALLS = st.lists(
    st.tuples(NAMES, ARGUMENTS | st.dictionaries(st.text(max_size=9), JSON), st.sampled_from("012")), max_size=6
)


async def test_no_batch_breaks_anything(jmap, mail):
    """Whatever is asked, each call has one answer or an error of its own, and none is a bug of ours."""
    await mail.add()
    batches = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(CALLS)
    def gather(calls):
        batches.append(calls)

    gather()
    using = sorted(session.CAPABILITIES)
    for calls in batches:
        body = json.dumps({"using": using, "methodCalls": calls}).encode()
        answer = await jmap.post(body)
        if answer.status == 400:
            assert answer.json["type"] == ERROR + "notJSON"
            continue
        assert answer.status == 200
        responses = answer.json["methodResponses"]
        assert len(responses) >= len(calls)
        for name, arguments, id in responses:
            assert id in "012"
            assert name == "error" or name in METHODS
            assert name != "error" or arguments["type"] not in {"serverFail", "serverUnavailable"}, (calls, arguments)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_parse_never_breaks(octets):
    try:
        batch.check(batch.parse(octets), session.CAPABILITIES)
    except RequestProblem as error:
        problem = error
    else:
        return
    assert problem.fields["type"].startswith(ERROR)
