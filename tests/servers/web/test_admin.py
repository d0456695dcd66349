"""The functions of the admin pages, as a browser calls them: what they tell and change, and what they refuse."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.dmarcreport import DMARCReport, PublishedPolicy, Reason, Record
from appliance.mail.domain import parse_domain
from appliance.mail.tlsreport import Failure, PolicyResult, TLSReport
from appliance.net.dial import nowhere
from appliance.servers.web.admin.table import TABLE
from appliance.servers.web.applications import applications
from appliance.store import bodies, evaluation, hook, queued, report, tlsresult
from appliance.store.evaluation import Evaluation
from appliance.store.hookrecords import Hook
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import BodyID, HookID, QueueID
from support import webhouse

NS = 1_000_000_000
OURS = parse_domain("example.org")
FILTER, SORT = {}, {"Field": "Queued", "Asc": True}


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        resolver = Resolver(Table({"example.org": {Type.MX: [MX(10, "elsewhere.example")]}}))
        house.app = replace(house.app, new_resolver=lambda: resolver, resolver=resolver, dialer=nowhere)
        house.applications = applications(house.app)
        yield house


@pytest.fixture
async def admin(house):
    return await house.logged_in("admin")


async def config(admin, domain="example.org"):
    return (await admin.call("DomainConfig", domain)).result


# ---- what is saved is shown ----


MTASTS = {"PolicyID": "2026", "Mode": "testing", "MaxAge": 86400 * NS, "MX": ["mx.example.org"]}
ROUTE = {"FromDomain": [], "ToDomain": [".example.net"], "MinimumAttempts": 2, "Transport": "out"}


@pytest.mark.parametrize(("function", "params", "changed"), [
    ("DomainDescriptionSave", [" ours "], {"Description": "ours"}),
    ("DomainClientSettingsDomainSave", ["mail.example.org"], {"ClientSettingsDomain": "mail.example.org"}),
    ("DomainLocalpartConfigSave", [["+", "-"], True],
     {"LocalpartCatchallSeparators": ["+", "-"], "LocalpartCaseSensitive": True}),
    ("DomainDMARCAddressSave", ["dmarc", "", "alice", "DMARC"],
     {"DMARC": {"Localpart": "dmarc", "Domain": None, "Account": "alice", "Mailbox": "DMARC"}}),
    ("DomainTLSRPTAddressSave", ["tls", "", "alice", "TLSRPT"],
     {"TLSRPT": {"Localpart": "tls", "Domain": None, "Account": "alice", "Mailbox": "TLSRPT"}}),
    ("DomainDisabledSave", [True], {"Disabled": True}),
])  # fmt: skip
async def test_domain_saves(admin, tmp_path, function, params, changed):
    before = await config(admin)
    assert (await admin.call(function, "example.org", *params)).result is None
    assert await config(admin) == {**before, **changed}
    assert "# Alice's." in (tmp_path / "domains.toml").read_text()


async def test_reports_to_nobody(admin):
    await admin.call("DomainDMARCAddressSave", "example.org", "dmarc", "", "alice", "DMARC")
    assert (await admin.call("DomainDMARCAddressSave", "example.org", "", "", "", "")).result is None
    assert (await config(admin))["DMARC"] is None


@pytest.mark.parametrize(("function", "params", "text"), [
    ("DomainConfig", ["other.example"], "there is no domain other.example"),
    ("DomainConfig", ["a..b"], "a..b"),
    ("TLSRPTResultsDomain", [False, "a..b"], "a..b"),
    ("DomainDescriptionSave", ["example.org", "x" * 1001], "at most 1000"),
    ("DomainRoutesSave", ["example.org", [ROUTE]], "out"),
    ("DomainDMARCAddressSave", ["example.org", "dmarc", "", "nobody", "DMARC"], "nobody"),
    ("DomainDMARCAddressSave", ["example.org", "dmarc", "", "alice", "/"], "between slashes"),
    ("DomainMTASTSSave", ["example.org", "2026", "enforce", -1, []], "MaxAge"),
    ("DomainDKIMAdd", ["example.org", "A b", "rsa", "sha256", True, True, True, [], None], "a selector is made of"),
    ("DomainDKIMAdd", ["example.org", "a", "dsa", "sha256", True, True, True, [], None], "Algorithm"),
    ("DomainDKIMRemove", ["example.org", "none"], "no key none"),
    ("DomainDKIMSave", ["example.org", {}, ["none"]], "no key none"),
    ("DomainAdd", [False, "new.example", "nobody", ""], "no account nobody"),
    ("DomainRemove", ["other.example"], "no domain"),
    ("Account", ["nobody"], "nobody"),
    ("AccountAdd", ["alice", "x@example.org"], "alice"),
    ("AddressAdd", ["bob@example.org", "alice"], "bob@example.org"),
    ("AddressRemove", ["nobody@example.org"], "nobody@example.org"),
    ("SetPassword", ["alice", "short"], "8"),
    ("AccountRoutesSave", ["alice", [ROUTE]], "out"),
    ("RoutesSave", [[ROUTE]], "out"),
    ("AliasRemove", ["none", "example.org"], "no alias"),
    ("QueueList", [{"Account": "nobody"}, SORT], "nobody"),
    ("QueueList", [{"Submitted": "soon"}, SORT], "submitted"),
    ("QueueTransportSet", [{}, "none"], "no transport"),
    ("QueueHoldRuleRemove", [7], "no hold rule 7"),
    ("QueueHoldRuleAdd", ["", "a..b", ""], "a..b"),
    ("DMARCReportID", ["example.org", "00"], "no such report"),
    ("DMARCSuppressAdd", ["x", "2027-01-01T00:00:00Z", ""], "x: "),
    ("TLSRPTSuppressRemove", ["x@example.com"], "not suppressed"),
    ("TLSRPTRemoveResults", [False, "example.com", "soon"], "20261231"),
    ("LookupTLSRPTRecord", ["example.com"], "no records"),
    ("LookupIP", ["x"], "no IP address"),
    ("LookupCid", ["x"], "no id"),
    ("LogLevelSet", ["smtp", "loud"], "no level"),
    ("LogLevelRemove", [""], "all others"),
    ("MonitorDNSBLsSave", [["a..b"]], "Zones"),
])  # fmt: skip
async def test_mistakes(admin, tmp_path, function, params, text):
    before = (tmp_path / "domains.toml").read_text()
    answer = await admin.call(function, *params)
    assert answer.code == "user:error", answer.json
    assert text in answer.message
    assert (tmp_path / "domains.toml").read_text() == before


async def test_every_function_asks_who_calls(house):
    """Nobody gets anything without a session; the list of those who may is the one of the login."""
    stranger = house.browser("admin")
    for name, method in TABLE.methods.items():
        if method.scope.value != "open":
            assert (await stranger.call(name)).code == "user:noAuth", name


async def test_an_account_is_no_administrator(house):
    account = await house.logged_in()
    thief = house.browser("admin", csrf=account.csrf)
    thief.cookies["webadminsession"] = account.cookies["webaccountsession"]
    assert (await thief.call("Accounts")).code == "user:badAuth"


# ---- domains ----


async def test_a_domain_comes_and_goes(admin, tmp_path):
    assert (await admin.call("DomainAdd", True, "new.example", "alice", "")).result is None
    listed = (await admin.call("Domains")).result
    assert listed == [{"Domain": "example.org", "Disabled": False}, {"Domain": "new.example", "Disabled": True}]
    keys = (await admin.call("DomainDKIMKeys", "new.example")).result
    assert [(one["Algorithm"], one["Bits"]) for one in keys] == [("rsa", 2048), ("rsa", 2048), ("ed25519", 256)]
    assert (await admin.call("DomainRemove", "new.example")).result is None
    assert len((await admin.call("Domains")).result) == 1
    assert len([*tmp_path.glob("dkim/old/*")]) == 3


@pytest.mark.parametrize("function", ["ParseDomain", "Domain"])
async def test_spellings_of_a_domain(admin, function):
    assert (await admin.call("DomainAdd", True, "xn--bcher-kva.example", "alice", "")).result is None
    both = {"ASCII": "xn--bcher-kva.example", "Unicode": "bücher.example"}
    for written in ("Bücher.example", "xn--bcher-kva.example"):
        assert (await admin.call(function, written)).result == both
    assert (await admin.call(function, "EXAMPLE.org")).result == {"ASCII": "example.org", "Unicode": ""}


async def test_spellings_of_any_domain(admin):
    assert (await admin.call("ParseDomain", "other.example")).result == {"ASCII": "other.example", "Unicode": ""}
    assert "no domain other.example" in (await admin.call("Domain", "other.example")).message
    assert (await admin.call("ParseDomain", "a..b")).code == "user:error"


async def test_dkim_keys(admin, tmp_path):
    add = ["example.org", "2027x", "ed25519", "sha256", True, True, False, ["From", "To"], 86400 * NS]
    assert (await admin.call("DomainDKIMAdd", *add)).result is None
    assert "has a key 2027x already" in (await admin.call("DomainDKIMAdd", *add)).message
    assert len([*tmp_path.glob("dkim/*.pem")]) == 1
    dkim = (await config(admin))["DKIM"]
    (selector,) = dkim["Selectors"].values()
    assert (dkim["Sign"], selector["Headers"], selector["Expiration"]) == ([], ["From", "To"], 86400 * NS)
    (key,) = (await admin.call("DomainDKIMKeys", "example.org")).result
    assert (key["Selector"], key["Record"][:9]) == ("2027x", "v=DKIM1;h")
    selector["Canonicalization"]["BodyRelaxed"] = False
    assert (await admin.call("DomainDKIMSave", "example.org", {"2027x": selector}, ["2027x"])).result is None
    dkim = (await config(admin))["DKIM"]
    assert (dkim["Sign"], dkim["Selectors"]["2027x"]["Canonicalization"]["BodyRelaxed"]) == (["2027x"], False)
    stolen = {**selector, "PrivateKeyFile": "/etc/passwd"}
    assert "cannot be changed" in (await admin.call("DomainDKIMSave", "example.org", {"2027x": stolen}, [])).message
    assert "changed meanwhile" in (await admin.call("DomainDKIMSave", "example.org", {}, [])).message
    assert (await admin.call("DomainDKIMRemove", "example.org", "2027x")).result is None
    assert (await config(admin))["DKIM"] == {"Sign": [], "Selectors": {}, "RotateEvery": None}
    assert len([*tmp_path.glob("dkim/old/*.pem")]) == 1


async def test_records(admin):
    records = (await admin.call("DomainRecords", "example.org")).result
    assert {one["State"] for one in records} == {"unknown"}
    records = (await admin.named("DomainRecords", Domain="example.org", Check=True)).result
    states = {one["Type"] + " " + one["Name"]: one for one in records}
    assert states["MX example.org"]["State"] == "different"
    assert states["MX example.org"]["Found"] == ["10 elsewhere.example."]
    assert states["TXT _dmarc.example.org"]["State"] == "missing"


async def test_check(admin):
    check = (await admin.call("CheckDomain", "example.org")).result
    sections = {one["Name"]: one for one in check["Sections"]}
    assert check["Domain"] == "example.org"
    assert "elsewhere.example has no addresses" in sections["MX"]["Errors"][0]
    assert sections["MX"]["Instructions"][-1].startswith("example.org. MX 10 ")
    assert sections["DKIM"]["Errors"] == ["no DKIM keys are configured: mail of this domain is not signed"]


async def test_localparts(admin):
    alias = {
        "Addresses": ["alice@example.org"],
        "PostPublic": True,
        "ListMembers": False,
        "AllowMsgFrom": False,
        "Forward": [],
    }
    assert (await admin.call("AliasAdd", "team", "example.org", alias)).result is None
    assert (await admin.call("AliasAddressesAdd", "team", "example.org", ["bob@example.org"])).result is None
    assert (await admin.call("AliasUpdate", "team", "example.org", False, True, True)).result is None
    found = (await admin.call("DomainLocalparts", "example.org")).result
    assert found["Accounts"] == {"alice": "alice", "bob": "bob", "sales": "alice", "shut": "shut"}
    assert found["Aliases"]["team"] == {
        **alias, "Addresses": ["alice@example.org", "bob@example.org"], "PostPublic": False, "ListMembers": True,
        "AllowMsgFrom": True,
    }  # fmt: skip
    assert (await admin.call("Account", "bob")).result["Aliases"] == [
        {"Alias": "team@example.org", "Address": "bob@example.org"}
    ]
    assert (await admin.call("AliasAddressesRemove", "team", "example.org", ["bob@example.org"])).result is None
    assert (await admin.call("AliasForwardsAdd", "team", "example.org", ["x@example.com"])).result is None
    assert (await admin.call("DomainLocalparts", "example.org")).result["Aliases"]["team"]["Forward"] == [
        "x@example.com"
    ]
    assert (await admin.call("AliasForwardsRemove", "team", "example.org", ["x@example.com"])).result is None
    assert (await admin.call("AliasRemove", "team", "example.org")).result is None
    assert (await admin.call("DomainLocalparts", "example.org")).result["Aliases"] == {}


# ---- accounts ----


async def test_an_account_comes_and_goes(admin):
    assert (await admin.call("AccountAdd", "carol", "carol@example.org")).result is None
    assert (await admin.call("AddressAdd", "c@example.org", "carol")).result is None
    assert (await admin.call("AddressAdd", "@example.org", "carol")).result is None
    assert (await admin.call("SetPassword", "carol", "a password of hers")).result is None
    settings = {
        "MaxOutgoingMessagesPerDay": 7, "MaxFirstTimeRecipientsPerDay": 3, "QuotaMessageSize": 1 << 20,
        "NoFirstTimeSenderDelay": True, "NoCustomPassword": False,
    }  # fmt: skip
    assert (await admin.call("AccountSettingsSave", "carol", settings)).result is None
    assert (await admin.call("AccountLoginDisabledSave", "carol", "closed")).result is None
    info = (await admin.call("Account", "carol")).result
    assert {key: info["Config"][key] for key in settings} == settings
    assert [*info["Config"]["Destinations"]] == ["carol@example.org", "c@example.org", "@example.org"]
    assert (info["Config"]["LoginDisabled"], info["StorageLimit"]) == ("closed", 1 << 20)
    assert (await admin.call("AccountLoginDisabledSave", "carol", "")).result is None
    listed = {one["Name"]: one for one in (await admin.call("Accounts")).result}
    assert (listed["carol"]["Disabled"], listed["carol"]["Addresses"], listed["shut"]["Disabled"]) == (False, 3, True)
    assert (await admin.call("AddressRemove", "@example.org")).result is None
    assert (await admin.call("AccountRemove", "carol")).result is None
    assert "carol" not in {one["Name"] for one in (await admin.call("Accounts")).result}


async def test_a_limit_that_is_none(admin):
    settings = {
        "MaxOutgoingMessagesPerDay": -1, "MaxFirstTimeRecipientsPerDay": 3, "QuotaMessageSize": 0,
        "NoFirstTimeSenderDelay": True, "NoCustomPassword": False,
    }  # fmt: skip
    assert "a limit is a number" in (await admin.call("AccountSettingsSave", "alice", settings)).message


async def test_logins_and_keys(house, admin):
    await house.browser().log_in(password="wrong wrong wrong")
    await house.app.logins.write()
    found = (await admin.call("LoginAttempts", "alice", 10)).result
    assert [(one["Account"], one["Result"], one["Protocol"]) for one in found] == [("alice", "badcreds", "webaccount")]
    assert {one["Account"] for one in (await admin.call("LoginAttempts", "", 0)).result} == {"alice", "-"}
    assert (await admin.call("TLSPublicKeys", "")).result == []
    assert (await admin.call("Suppressions")).result == []


# ---- queue ----


@pytest.fixture
async def messages(house):
    """Three that wait."""
    number = house.number()

    def add(tx, name, after):
        one = QueuedMessage(
            QueueID(0), QueueID(0), number, 0, "alice@example.org", f"{name}@example.net", BodyID(0), 0, tx.now + after
        )
        queued.add(tx, [one], bodies.of_octets(b"x\r\n"))

    for at, name in enumerate("abc", 1):
        await house.app.store.write(add, name, at * 60_000_000)


async def test_queue(admin, messages):
    assert (await admin.call("QueueSize")).result == 3
    first = (await admin.call("QueueList", {"Max": 2}, SORT)).result
    assert [one["To"] for one in first] == ["a@example.net", "b@example.net"]
    after = {**SORT, "LastID": first[-1]["ID"], "Last": first[-1]["Queued"]}
    assert [one["To"] for one in (await admin.call("QueueList", FILTER, after)).result] == ["c@example.net"]
    by_time = {"Field": "NextAttempt", "Asc": True, "LastID": first[0]["ID"], "Last": first[0]["NextAttempt"]}
    assert [one["To"] for one in (await admin.call("QueueList", FILTER, by_time)).result] == [
        "b@example.net",
        "c@example.net",
    ]
    assert (await admin.call("QueueHoldSet", {"To": "a@"}, True)).result == 1
    assert (await admin.call("QueueNextAttemptAdd", {"To": "b@"}, 60)).result == 1
    assert (await admin.call("QueueNextAttemptSet", {"To": "c@"}, 0)).result == 1
    assert (await admin.call("QueueRequireTLSSet", {"To": "c@"}, True)).result == 1
    assert (await admin.call("QueueRequireTLSSet", {"To": "c@"}, None)).result == 1
    (held,) = (await admin.call("QueueList", {"Hold": True}, SORT)).result
    assert (held["To"], held["From"], held["Account"]) == ("a@example.net", "alice@example.org", "alice")
    assert (await admin.call("QueueDrop", {"IDs": [held["ID"]]})).result == 1
    assert (await admin.call("QueueFail", {"To": "b@"})).result == 1
    assert (await admin.call("QueueSize")).result == 1
    assert (await admin.call("RetiredList", FILTER, {})).result == []


async def test_hold_rules(admin, messages):
    rule = (await admin.call("QueueHoldRuleAdd", "alice", "", "example.net")).result
    assert rule == {"ID": rule["ID"], "Account": "alice", "SenderDomain": "", "RecipientDomain": "example.net"}
    assert (await admin.call("QueueHoldRuleList")).result == [rule]
    assert (await admin.call("Status")).result["QueueHeld"] == 3
    assert (await admin.call("QueueHoldRuleRemove", rule["ID"])).result is None
    assert (await admin.call("QueueHoldRuleList")).result == []


# ---- webhooks ----


async def test_webhooks(house, admin):
    def add(tx):
        one = Hook(
            HookID(0),
            house.number(),
            "delivered",
            "https://hooks.example/x",
            submitted=tx.now,
            next_attempt=tx.now + 60_000_000,
        )
        hook.add(tx, one, b'{"Version":0}', keep=0)

    await house.app.store.write(add)
    assert (await admin.call("HookQueueSize")).result == 1
    (one,) = (await admin.call("HookList", {"Event": "delivered"}, {})).result
    assert (one["Account"], one["URL"], one["Attempts"]) == ("alice", "https://hooks.example/x", 0)
    assert (await admin.call("HookPayload", one["ID"], False)).result == '{"Version":0}'
    assert (await admin.call("HookNextAttemptAdd", {"IDs": [one["ID"]]}, 5)).result == 1
    assert (await admin.call("HookNextAttemptSet", {}, 0)).result == 1
    assert (await admin.call("HookCancel", {"Account": "alice"})).result == 1
    assert (await admin.call("HookList", {}, {})).result == (await admin.call("HookRetiredList", {}, {})).result == []
    assert "no retired webhook" in (await admin.call("HookReplay", one["ID"])).message


# ---- reports ----


BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = ["2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z"]


@pytest.fixture
async def reported(house):
    rows = (
        Record("192.0.2.1", 5, "none", "pass", "pass", header_from="example.org"),
        Record("192.0.2.2", 2, "reject", "fail", "fail", (Reason("forwarded", "by us"),), header_from="example.org"),
    )
    dmarc = DMARCReport(
        "Big", "r@big.example", "1", BEGIN, BEGIN + timedelta(days=1), PublishedPolicy("example.org", "reject"), rows
    )
    failures = (Failure("certificate-expired", failed_sessions=3, receiving_mx="mx.example.org"),)
    tls = TLSReport(
        "Big", "r@big.example", "2", BEGIN, BEGIN + timedelta(days=1),
        (PolicyResult("sts", "example.org", successful_sessions=7, failed_sessions=3, failures=failures),),
    )  # fmt: skip
    owed = Evaluation("other.example", house.clock.microseconds(), False, 24, ("mailto:r@other.example",),
                      PublishedPolicy("other.example", "none"), Record("192.0.2.3", 1, "none", "pass", "fail"))  # fmt: skip

    def add(tx):
        for one in (dmarc, tls):
            report.add(tx, one, domains=[OURS], sender=parse_domain("big.example"), most=100)
        evaluation.note(tx, owed, most=10)
        tlsresult.note(
            tx, "other.example", "other.example", tls.policies, is_host=False, sends_report=True, most=10, policies=5,
            failures=5,
        )  # fmt: skip

    await house.app.store.write(add)


async def test_reports_of_others(admin, reported):
    (summary,) = (await admin.call("DMARCSummaries", *PERIOD, "")).result
    assert summary == {
        "Domain": "example.org", "Total": 7, "DispositionQuarantine": 0, "DispositionReject": 2, "DKIMFail": 2, "SPFFail": 2,
        "PolicyOverrides": {"forwarded": 2},
    }  # fmt: skip
    (one,) = (await admin.call("DMARCReports", *PERIOD, "example.org")).result
    assert (one["Organization"], one["Policy"], len(one["Rows"])) == ("Big", "reject", 2)
    assert one["Rows"][1]["Overrides"] == ["forwarded: by us"]
    whole = (await admin.call("DMARCReportID", "example.org", one["ID"])).result
    assert whole["records"][1]["reasons"] == [{"type": "forwarded", "comment": "by us"}]
    assert "no such report" in (await admin.call("TLSReportID", "example.org", one["ID"])).message
    (summary,) = (await admin.call("TLSRPTSummaries", *PERIOD, "example.org")).result
    assert (summary["Success"], summary["Failure"], summary["ResultTypeCounts"]) == (7, 3, {"certificate-expired": 3})
    (one,) = (await admin.call("TLSReports", *PERIOD, "")).result
    assert one["Policies"][0]["Failures"][0]["FailedSessions"] == 3
    assert (await admin.call("TLSReportID", "example.org", one["ID"])).result["organization-name"] == "Big"
    assert (await admin.call("DMARCReports", PERIOD[1], "2027-01-01T00:00:00Z", "")).result == []
    ever = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00")
    assert len((await admin.call("DMARCReports", *ever, "")).result) == 1


async def test_what_we_owe(admin, reported):
    (stat,) = (await admin.call("DMARCEvaluationStats")).result
    assert stat == {"Domain": "other.example", "Count": 1, "Dispositions": ["none"], "SendReport": True}
    (one,) = (await admin.call("DMARCEvaluationsDomain", "other.example")).result
    assert (one["SourceIP"], one["SPF"], one["Addresses"]) == ("192.0.2.3", "fail", ["mailto:r@other.example"])
    assert (await admin.call("DMARCRemoveEvaluations", "other.example")).result is None
    assert (await admin.call("DMARCEvaluationStats")).result == []
    (one,) = (await admin.call("TLSRPTResults")).result
    assert (one["PolicyDomain"], one["IsHost"], one["Results"][0]["FailedSessions"]) == ("other.example", False, 3)
    assert (await admin.call("TLSRPTResultsDomain", False, "OTHER.example")).result == [one]
    assert (await admin.call("TLSRPTResultsDomain", True, "other.example")).result == []
    assert (await admin.call("TLSRPTResultsDomain", False, "example.org")).result == []
    assert (await admin.call("TLSRPTRemoveResults", False, "other.example", one["DayUTC"])).result is None
    assert (await admin.call("TLSRPTResults")).result == []


@pytest.mark.parametrize("kind", ["DMARC", "TLSRPT"])
async def test_suppressed_reports(admin, kind):
    until = "2027-01-01T00:00:00Z"
    assert (await admin.call(f"{kind}SuppressAdd", "r@big.example", until, "bounces")).result is None
    assert "suppressed already" in (await admin.call(f"{kind}SuppressAdd", "r@big.example", until, "")).message
    assert (await admin.call(f"{kind}SuppressExtend", "r@big.example", "2027-02-01T00:00:00Z")).result is None
    (one,) = (await admin.call(f"{kind}SuppressList")).result
    assert (one["ReportingAddress"], one["Until"], one["Comment"]) == (
        "r@big.example",
        "2027-02-01T00:00:00Z",
        "bounces",
    )
    assert (await admin.call(f"{kind}SuppressRemove", "r@big.example")).result is None
    assert (await admin.call(f"{kind}SuppressList")).result == []


# ---- the server ----


async def test_status(house, admin):
    status = (await admin.call("Status")).result
    assert (status["QueueSize"], status["HookQueueSize"]) == (0, 0)
    assert status["DiskFree"] > 0
    assert all(one["Severity"] in {"error", "warning", "info"} for one in status["Attention"])


async def test_files_without_secrets(admin, tmp_path):
    with (tmp_path / "moxpy.toml").open("a") as file:
        file.write('\n# password = "not this"\n[transports.x.submission]\nhost = "h.example"\n'
                   'auth = { username = "u", password = "se\\"cret" }\n')  # fmt: skip
    shown = (await admin.call("ConfigFiles")).result
    assert "cret" not in shown["Static"]
    assert 'username = "u", password = "***"' in shown["Static"]
    assert tomllib.loads(shown["Dynamic"])["domains"]


HOOKS = """\
webhook_secret = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
outgoing_webhook = { url = "https://hooks.example/out", authorization = "Bearer cret" }
incoming_webhook = { url = "https://hooks.example/in", authorization = "Bearer cret" }
"""


async def test_configuration_without_secrets(tmp_path, autojump_clock):
    text = webhouse.DOMAINS.replace("[accounts.bob]\n", "[accounts.bob]\n" + HOOKS)
    async with webhouse.open_house(tmp_path, domains=text) as house:
        admin = await house.logged_in("admin")
        answer = await admin.call("Config")
        assert b"cret" not in answer.body.replace(b"WebhookSecret", b"")
        bob = answer.result["Accounts"]["bob"]
        assert (bob["WebhookSecret"], bob["IncomingWebhook"]) == (
            None, {"URL": "https://hooks.example/in", "Authorization": "***"}
        )  # fmt: skip
        assert bob["OutgoingWebhook"]["Authorization"] == "***"
        assert answer.result["Domains"] == {"example.org": await config(admin)}
        assert answer.result["Accounts"]["alice"] == (await admin.call("Account", "alice")).result["Config"]


async def test_levels_of_logs(admin):
    try:
        assert (await admin.call("LogLevelSet", "smtp", "trace")).result is None
        (one,) = [level for level in (await admin.call("LogLevels")).result if level["Package"] == "smtp"]
        assert one == {"Package": "smtp", "Level": "trace", "Configured": False}
    finally:
        assert (await admin.call("LogLevelRemove", "smtp")).result is None
    assert "smtp" not in {level["Package"] for level in (await admin.call("LogLevels")).result}


async def test_looking_up(house, admin):
    assert (await admin.call("LookupIP", "192.0.2.1")).result == []
    received = house.app.received_ids.encode(0x1234)
    assert (await admin.call("LookupCid", received)).result == "1234"
    assert (await admin.call("DNSBLStatus")).result == {"Results": [], "MonitorZones": [], "UsingZones": []}
    assert (await admin.call("MonitorDNSBLsSave", ["bl.example"])).result is None
    assert (await admin.call("DNSBLStatus")).result["MonitorZones"] == ["bl.example"]
    assert (await admin.call("MTASTSPolicies")).result == []
    assert (await admin.call("Transports")).result == []
    assert (await admin.call("TLSCertificates")).result == []
    assert (await admin.call("Routes")).result == []
    assert (await admin.call("RoutesSave", [])).result is None
    assert (await admin.call("ClientConfigsDomain", "example.org")).result[0]["Protocol"]


@pytest.mark.parametrize("looks", [True, False])
async def test_whether_newer_versions_are_looked_for(tmp_path, autojump_clock, looks):
    feed = f'url = "https://feed.example/changelog.json"\npublic_key = "{"A" * 43}="\ndomain = "feed.example"\n'
    static = f"[update_feed]\n{feed}"
    async with webhouse.open_house(
        tmp_path, listeners=static, beginning="check_updates = true\n" if looks else ""
    ) as house:
        admin = await house.logged_in("admin")
        assert (await admin.call("CheckUpdatesEnabled")).result is looks
        titles = {one["Title"] for one in (await admin.call("Status")).result["Attention"]}
        assert ("Newer versions are not looked for" in titles) is not looks
