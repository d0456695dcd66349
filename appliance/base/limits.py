"""Every limit of the product, in one table: what a peer, a message or a moment may cost us.

The rooms define the shapes (`mail.scan.ScanLimits` and the like) and take them as arguments; the values stand here
and nowhere else, except for those of rooms above this one, which are in `appliance/serve.py`. Sizes are in octets,
times in seconds.
"""

from typing import Final

from appliance.mail.address import AddressLimits
from appliance.mail.display import DisplayLimits
from appliance.mail.envelope import EnvelopeLimits
from appliance.mail.header import HeaderLimits
from appliance.mail.reportfile import ReportLimits
from appliance.mail.scan import ScanLimits
from appliance.mail.text import TextLimits
from appliance.mail.tokens import TokenLimits
from appliance.mail.told import ToldLimits
from appliance.protocol.imap.limits import ImapLimits, LiteralLimits
from appliance.protocol.smtp.replyreader import ReplyLimits
from appliance.protocol.smtp.settings import SMTPLimits

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Messages.
#: By SMTP a longer header is refused: nobody's mail program writes one.
HEADER: Final = HeaderLimits(fields=2000, octets=256 * KIB)
ADDRESSES: Final = AddressLimits(addresses=5000, octets=128 * KIB)
ENVELOPE: Final = EnvelopeLimits(header=HEADER, address=ADDRESSES)
SCAN: Final = ScanLimits(
    envelope=ENVELOPE,
    depth=50,
    parts=10_000,
    nested_address_octets=512 * KIB,
    tree_octets=4 * MIB,
    boundary_octets=200,
    line_octets=8192,
)
TEXT: Final = TextLimits(part_octets=2 * MIB, all_octets=4 * MIB, preview_octets=64 * KIB, preview_characters=256)
#: What is shown of a message in a browser: HTML takes a third of a millisecond for 1000 characters, in a thread.
DISPLAY: Final = DisplayLimits(
    html_characters=MIB,
    depth=1000,
    text_characters=2 * MIB,
    css_characters=256 * KIB,
    style_characters=8 * KIB,
    url_characters=8 * KIB,
    inline_octets=10 * MIB,
)
#: The name of a file that is downloaded.
FILE_NAME_OCTETS: Final = 180
#: What applications are told of a message.
TOLD: Final = ToldLimits(address=ADDRESSES, text_octets=MIB)

#: Of one message in a mailbox for sent mail, whom the account is remembered to have written to.
SENT_TO_ADDRESSES: Final = 1000
#: Whom an account wrote to, for whoever writes again: of one message, and in all; the longest ago give way.
RECIPIENTS_OF_MESSAGE: Final = 100
RECIPIENTS_KEPT: Final = 10_000
RECIPIENT_NAME_CHARACTERS: Final = 100

#: Words that a junk filter learns. A usual message has some hundred; learning is a look-up and a write for each.
TOKENS: Final = TokenLimits(
    header=HEADER, headers=100, part_octets=2 * MIB, all_octets=4 * MIB, word_octets=128, words=3000
)

#: Reports of others about our domains. Rows of XML and JSON compress well, some forty to one; bombs a thousand to one.
REPORT: Final = ReportLimits(
    mail_octets=15 * MIB,
    file_octets=20 * MIB,
    ratio=400,
    members=16,
    attachments=4,
    depth=30,
    elements=500_000,
    attributes=100_000,
    rows=20_000,
    details=100,
    text_characters=1000,
)
#: Reports kept, and for how many days; evaluations kept that we owe to others.
REPORTS_KEPT: Final = 100_000
REPORT_DAYS: Final = 400
EVALUATIONS_KEPT: Final = 500_000
#: Evaluations that nobody reported in that time are given up.
EVALUATION_HOURS: Final = 48
#: What we owe to others about TLS: days and pairs of domains of which results are kept, policies of each, and kinds of
#: failures under each policy. Results nobody could be told of are given up when a day's noon is so many hours ago.
TLS_RESULTS_KEPT: Final = 100_000
TLS_RESULT_POLICIES: Final = 10
TLS_RESULT_FAILURES: Final = 100
TLS_RESULT_HOURS: Final = 60
#: Addresses that get no reports of ours, of each kind together.
SUPPRESSED_ADDRESSES: Final = 10_000
#: Of a mail with a report of ours; most receivers take no more.
OUR_REPORT_OCTETS: Final = 10 * MIB

#: Steps of looking for one expression in the name of a mailbox, by the writer: twenty milliseconds at the very worst,
#: and some hundred times what usual ones take.
PATTERN_STEPS: Final = 100_000

#: Copies of refused mail: for how many days, and how many messages are in their mailbox before no more are kept.
REJECT_DAYS: Final = 14
REJECTS_KEPT: Final = 1000
#: For how many days a refused message that its reader has taken is known when its sender tries again: senders give up
#: after four or five (RFC 5321 §4.5.4.1).
RESCUED_DAYS: Final = 7
#: And how many of an account, the last ones: as many as there can be copies of refused mail at a time.
RESCUED_KEPT: Final = 1000

#: Answers to commands that came together, before others get their turn: a packet may hold ten thousands of commands.
PIPELINED: Final = 32

#: Addresses outside that one address or alias forwards to, and what an account forwards in 24 hours, times addresses;
#: what is beyond stays in its mailbox.
FORWARD_ADDRESSES: Final = 20
FORWARDS_PER_DAY: Final = 5000
#: Senders of forwarded mail hear of failures beyond for so many days, and in so many notices for each day's mail of one
#: sender.
RETURN_PATH_DAYS: Final = 14
RETURN_PATH_NOTICES: Final = 50

#: Domains that an account has looked at, as deliveries do, for how safely mail goes there: in a minute and in a day;
#: and how many are being looked at, by all accounts.
SECURITY_LOOKS: Final = ((60, 100), (24 * 3600, 1000))
SECURITY_LOOKS_AT_ONCE: Final = 50

# SMTP.
SMTP: Final = SMTPLimits(
    line_octets=2048,
    auth_line_octets=12_288,
    recipients=1000,
    usual_message_octets=100 * MIB,
    future_release_seconds=60 * 24 * 3600,
)

#: What other servers may answer to us.
REPLY: Final = ReplyLimits(line_octets=12_288, lines=200, reply_octets=64 * KIB, kept_characters=2000)

#: Hosts that an MTA-STS policy may name.
MTASTS_PATTERNS: Final = 1000

#: The value of one annotation, which comes as a literal.
ANNOTATION_OCTETS: Final = 100 * KIB

# IMAP.
IMAP: Final = ImapLimits(
    line_octets=16 * KIB,
    literals=LiteralLimits(literal_octets=ANNOTATION_OCTETS, command_literal_octets=MIB, command_literals=1000),
    unauthenticated_literals=LiteralLimits(
        literal_octets=4 * KIB, command_literal_octets=16 * KIB, command_literals=16
    ),
    append_messages=1000,
    chunk_octets=64 * KIB,
    sequence_ranges=10_000,
    search_keys=1000,
    search_depth=50,
    fetch_items=200,
    section_depth=50,
    header_fields=200,
    flags=110,
    list_patterns=100,
    arguments=200,
    mailbox_element_octets=200,
    mailbox_octets=1000,
    mailbox_levels=32,
    entry_octets=1000,
    entry_levels=32,
)

#: Mailboxes of other accounts that NOTIFY watches for one client, and of how many accounts. What is beyond is named.
WATCHED_MAILBOXES: Final = 1000
WATCHED_ACCOUNTS: Final = 100

#: Recent logins by network before more are refused: seconds, then the three classes of networks.
LOGIN_FAILURES: Final = ((60, (10, 30, 90)), (24 * 3600, (50, 150, 450)))
#: Records kept for each account of logins that failed, and as many of those that did not; days that they are kept.
LOGINS_KEPT: Final = 10_000
LOGIN_DAYS: Final = 30
#: Different logins that wait to be written; more are not kept, only logged.
LOGINS_WAITING: Final = 1000
#: Characters of a client's own words in such a record.
LOGIN_TEXT_CHARACTERS: Final = 300
#: Identities that an account adds to those of its addresses; characters of a signature, and addresses in a field.
IDENTITIES: Final = 100
SIGNATURE_CHARACTERS: Final = 64 * KIB
IDENTITY_ADDRESSES: Final = 100
#: What is remembered of how pages show mail: senders with a mode of their own, and things that are not asked again.
SENDER_VIEWS: Final = 10_000
RULESET_NEVERS: Final = 1000
SHOWN_HEADERS: Final = 50
#: For how many days after it was due a submission is remembered for JMAP.
SUBMISSION_DAYS: Final = 30
#: Notices about one submission that are named with it.
SUBMISSION_NOTICES: Final = 100
#: Automatic replies: characters of the text and of the HTML, days until a sender gets another one at the earliest, and
#: how many an account sends in a day.
VACATION_CHARACTERS: Final = 64 * KIB
VACATION_DAYS: Final = (1, 7, 60)
VACATION_REPLIES_PER_DAY: Final = 500
#: Records of refused mail kept for each account, of mail for nobody in particular, and days that they are kept.
REFUSALS_KEPT: Final = 500
NOBODYS_REFUSALS_KEPT: Final = 5000
REFUSAL_DAYS: Final = 14
#: Different ones that wait to be written; what comes beyond is counted only.
REFUSALS_WAITING: Final = 500
#: Refusals by network in an hour that are written down each for itself; more of them are one record.
REFUSALS_OF_NETWORK: Final = ((3600, (60, 180, 540)),)
#: Characters of a client's own words in such a record; lines that say how the message was judged.
REFUSAL_TEXT_CHARACTERS: Final = 300
REFUSAL_DETAILS: Final = 20
#: App passwords of an account: a SCRAM login tries them all.
APP_PASSWORDS: Final = 50
#: New connections by network in a minute, and open ones.
NEW_CONNECTIONS: Final = ((60, (300, 900, 2700)),)
OPEN_CONNECTIONS: Final = ((0, (30, 90, 270)),)
#: Open connections of one listener; a connection costs a file descriptor and some 60 KB.
LISTENER_CONNECTIONS: Final = 10_000
#: Handshakes in a second only to tell clients why they are refused, a millisecond of processor each; the others are
#: closed without a word.
REFUSED_HANDSHAKES: Final = 20
#: HTTP: request line and fields of a request, its body where an application takes one, octets of it received ahead,
#: a WebSocket message.
HTTP_HEAD_OCTETS: Final = 32 * KIB
HTTP_BODY_OCTETS: Final = MIB
HTTP_AHEAD_OCTETS: Final = 128 * KIB
HTTP_WEBSOCKET_OCTETS: Final = MIB
#: Of a request that is passed on to another web server, its body, of which nothing is kept here; of what that answers,
#: the header, a WebSocket message, and the fragments it may come in.
FORWARD_BODY_OCTETS: Final = 64 * 1024 * MIB
FORWARD_HEAD_OCTETS: Final = 64 * KIB
FORWARD_MESSAGE_OCTETS: Final = 16 * MIB
FORWARD_FRAGMENTS: Final = 10_000
#: Requests that are passed on at once, WebSockets among them: of the house, and by network. Each has two sockets.
FORWARD_REQUESTS: Final = 2000
FORWARD_OPEN: Final = ((0, (100, 300, 900)),)
#: Files on the page that lists a directory.
LISTING_ENTRIES: Final = 10_000
#: Steps of finding which part of a path a web handler means; a longer path of a usual expression takes some thousand.
FIND_STEPS: Final = 400_000
#: A call of the webapi: its JSON, the files with it that are kept in memory, parts of a form, entries of one list.
WEBAPI_JSON_OCTETS: Final = 10 * MIB
WEBAPI_MEMORY_OCTETS: Final = 200 * KIB
WEBAPI_PARTS: Final = 1000
WEBAPI_VALUES: Final = 10_000
#: Of the body of a call, beside twice the largest message.
WEBAPI_SPARE_OCTETS: Final = MIB
#: Texts of a message that are given back decoded.
WEBAPI_TEXT_OCTETS: Final = MIB
#: A server for tests: messages looked at for one request, those kept, addresses and messages that are listed, requests
#: that wait at once and how long, links and codes told of a message, recipients that one is released to.
INBOX_MESSAGES: Final = 20_000
INBOX_KEPT: Final = 10_000
INBOX_ADDRESSES: Final = 1000
INBOX_LISTED: Final = 1000
INBOX_WAITS: Final = 100
INBOX_WAIT_SECONDS: Final = 300
INBOX_LINKS: Final = 200
INBOX_RELEASE_RECIPIENTS: Final = 50
#: A request for settings of a mail program.
AUTODISCOVER_OCTETS: Final = 16 * KIB
#: Requests of an HTTP/2 connection at once, and those that its client may take back before it is closed: what began for
#: them was in vain, and browsers take back some when a page is left.
HTTP_STREAMS: Final = 100
HTTP_RESETS: Final = 200
#: Requests by network, in a minute and in an hour.
HTTP_REQUESTS: Final = ((60, (1000, 3000, 9000)), (3600, (5000, 15_000, 45_000)))
#: TLS public keys of one account: one for each device, and plenty for scripts.
TLS_KEYS: Final = 100
#: Logins by the web: of an account, and of the administrator; hours that they last without being used.
WEB_SESSIONS: Final = 100
WEB_SESSION_HOURS: Final = 24
ADMIN_SESSIONS: Final = 10
ADMIN_SESSION_HOURS: Final = 12
#: Wrong codes of a second factor in an hour, with the right password, before no more are looked at for the rest of it.
WRONG_CODES: Final = 10
#: Passkeys of one account, or of the administrator; letters of the name of one.
PASSKEYS: Final = 20
PASSKEY_NAME_CHARACTERS: Final = 100
#: How long a browser may take for one, and how many answers are remembered so that none counts twice.
PASSKEY_SECONDS: Final = 180
PASSKEY_ANSWERS: Final = 10_000
#: Tokens for scripts of one account, or of the administrator.
API_TOKENS: Final = 100
#: An archive of mail that somebody uploads; what stays free on the disk then; and imports at a time, in all.
IMPORT_UPLOAD_OCTETS: Final = 64 * 1024 * MIB
IMPORT_FREE_OCTETS: Final = 1024 * MIB
IMPORTS: Final = 8
#: Exports of one account that are being fetched.
EXPORTS: Final = 4
#: Pages of one account, or of the administrator, that hear of changes at a time.
EVENT_STREAMS: Final = 50
#: How exactly the last use of a login by the web is kept, in seconds: each time costs a commit.
WEB_SESSION_USED_SECONDS: Final = 300
#: JMAP (RFC 8620 §2), stated in its session object: a request, calls in it, records read or changed by one call,
#: requests and uploads of one account at a time.
JMAP_REQUEST_OCTETS: Final = 10 * MIB
JMAP_CALLS: Final = 64
JMAP_GET_OBJECTS: Final = 1000
JMAP_SET_OBJECTS: Final = 1000
JMAP_REQUESTS: Final = 8
JMAP_UPLOADS: Final = 4
#: And not stated: nesting of a request, values that back-references may bring into it altogether (they could double
#: what is there with every call), octets of a response.
JMAP_DEPTH: Final = 64
JMAP_REFERENCED_VALUES: Final = 200_000
JMAP_RESPONSE_OCTETS: Final = 64 * MIB
#: Octets of texts of messages that one call answers.
JMAP_TEXT_OCTETS: Final = 16 * MIB
#: Uploaded blobs of an account that are kept, the oldest give way; of each in memory, and hours until it is forgotten.
#: And of all accounts together, each of which may hold a file.
JMAP_BLOBS: Final = 200
JMAP_BLOB_OCTETS: Final = 1024 * MIB
JMAP_BLOB_MEMORY_OCTETS: Final = 16 * KIB
JMAP_BLOB_HOURS: Final = 6
JMAP_ALL_BLOBS: Final = 2000
#: Push subscriptions of an account, days that they last unless with a session, types of one and their letters.
PUSH_SUBSCRIPTIONS: Final = 20
PUSH_DAYS: Final = 7
PUSH_TYPES: Final = 50
PUSH_TYPE_CHARACTERS: Final = 100
#: Blob/upload and Blob/get (RFC 9404): octets of one blob made by a call, or of all data that is answered; and sources
#: of one.
JMAP_BLOB_SET_OCTETS: Final = 10 * MIB
JMAP_BLOB_SOURCES: Final = 64
