"""Any arguments to methods about sending, and to our own: an answer or an error of JMAP, never one of ours."""

import random

import pytest

from appliance.store import mailbox, message, objectid
from support import webhouse
from support.jmap import JMAP
from support.stores import new_message

#: By method, names of arguments.
METHODS = {
    "Identity/get": ("ids", "properties"),
    "Identity/changes": ("sinceState", "maxChanges"),
    "Identity/set": ("create", "update", "destroy", "ifInState"),
    "EmailSubmission/get": ("ids", "properties"),
    "EmailSubmission/changes": ("sinceState", "maxChanges"),
    "EmailSubmission/query": ("filter", "sort", "position", "anchor", "anchorOffset", "limit", "calculateTotal"),
    "EmailSubmission/queryChanges": ("filter", "sort", "sinceQueryState", "maxChanges", "upToId", "calculateTotal"),
    "EmailSubmission/set": ("create", "update", "destroy", "onSuccessUpdateEmail", "onSuccessDestroyEmail"),
    "VacationResponse/get": ("ids", "properties"),
    "VacationResponse/set": ("create", "update", "destroy"),
    "Recipient/query": ("text", "limit"),
    "Junk/explain": ("emailId",),
    "Ruleset/suggest": ("emailId", "fromMailboxId", "toMailboxId"),
    "Ruleset/add": ("recipient", "ruleset"),
    "Ruleset/remove": ("recipient", "ruleset"),
    "Ruleset/never": ("recipient", "listId", "from", "toInbox"),
    "Ruleset/neverMailbox": ("mailboxId", "toMailbox"),
    "Preferences/get": (),
    "Preferences/set": ("update", "ifInState"),
    "SenderView/get": ("addresses",),
    "SenderView/set": ("address", "mode"),
    "Unsubscribe/post": ("emailId",),
}
NAMES = (
    *("id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete", "identityId", "emailId"),
    *("envelope", "mailFrom", "rcptTo", "parameters", "HOLDFOR", "HOLDUNTIL", "NOTIFY", "ORCPT", "ENVID", "RET"),
    *("undoStatus", "isEnabled", "fromDate", "toDate", "subject", "textBody", "daysBetweenReplies", "singleton"),
    *("operator", "conditions", "emailIds", "before", "property", "isAscending", "collation", "MsgFromRegexp"),
    *("HeadersRegexp", "ListAllowDomain", "Mailbox", "quoting", "undoSeconds", "showHeaders", "a/b", "/", "#k", ""),
)
TEXTS = (
    *("", "x", "singleton", "alice@example.org", "*@example.org", "a@b.example", "<>", "a\0b", "\ud7ff\U0010ffff", "("),
    *("canceled", "2026-12-24T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0000-00-00T00:00:00Z", "text", "html"),
    *("S1-1", "S1-" + "9" * 30, "M1-1", "M1-9999999999999999999", "F1-1", "F1-99999999999", "0", "1" * 30, "NEVER"),
    *("rfc822;x", "x" * 3000, "ä@ö.example", '"a b"@example.org', "AND", "NOT", "sentAt", "#k", "emailId"),
)


def value(chance, ids, depth=0):
    kind = chance.randrange(9 if depth < 4 else 6)
    match kind:
        case 0:
            return chance.choice((None, True, False))
        case 1:
            return chance.choice((0, 1, -1, 2**53, -(2**53), 10**30, 0.5, 60))
        case 2 | 3 | 4:
            return chance.choice(TEXTS)
        case 5:
            return chance.choice(ids)
        case 6:
            return [value(chance, ids, depth + 1) for _ in range(chance.randrange(3))]
        case _:
            names = (*NAMES, *ids)
            return {chance.choice(names): value(chance, ids, depth + 1) for _ in range(chance.randrange(4))}


def shaped(chance, ids, name):
    """As the method wants it, as far as its kind: what is within is anything."""
    if chance.random() < 0.2:
        return value(chance, ids)
    if name in {"create", "update", "onSuccessUpdateEmail"}:
        return {chance.choice(("k", *ids, "singleton")): value(chance, ids, 1) or {} for _ in range(2)}
    if name in {"ids", "properties", "destroy", "onSuccessDestroyEmail", "addresses"}:
        return [chance.choice((*ids, *TEXTS)) for _ in range(2)]
    return value(chance, ids)


@pytest.mark.parametrize("seed", range(4))
async def test_any_arguments(tmp_path, autojump_clock, seed):
    chance = random.Random(seed)
    async with webhouse.open_house(tmp_path) as house:
        jmap = JMAP(await house.logged_in("webmail"))
        with house.app.store.read() as tx:
            drafts = mailbox.by_name(tx, house.number(), "Drafts").id
        octets = b"From: alice@example.org\r\nTo: bob@example.org\r\n\r\nhi\r\n"
        added = await house.app.store.write(message.add, house.number(), drafts, new_message(house.app.store, octets))
        identities = [one["id"] for one in (await jmap.call("Identity/get", ids=None))["list"]]
        email = objectid.message(house.number(), added.id)
        sent = await jmap.call("EmailSubmission/set", create={"k": {"identityId": identities[0], "emailId": email}})
        ids = (*identities, email, sent["created"]["k"]["id"], objectid.mailbox(house.number(), drafts))
        for _ in range(150):
            method = chance.choice(list(METHODS))
            names = [name for name in METHODS[method] if chance.random() < 0.8]
            arguments = {"accountId": jmap.account, **{name: shaped(chance, ids, name) for name in names}}
            for name, answer, _ in await jmap.responses([method, arguments, "0"]):
                assert answer.get("type") != "serverFail", (method, arguments, name, answer)
                text = str(answer)
                assert "something went wrong here" not in text, (method, arguments, answer)
