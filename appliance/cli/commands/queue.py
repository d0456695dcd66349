"""The queue: messages, webhooks, hold rules, suppressed addresses."""

from typing import Final

from appliance.cli.commands.declare import JSON, Argument, Command, Flag

_ANY_FILTER: Final = (
    Flag("ids", "messages with these ids", "1,2"),
    Flag("n", "at most so many", "MAX"),
    Flag("account", "messages that this account sent", "NAME"),
    Flag("from", "a part of the sender address; @ and a domain for that domain alone", "ADDRESS"),
    Flag("to", "a part of the recipient address; @ and a domain for that domain alone", "ADDRESS"),
    Flag("submitted", 'when they were queued: "<now", "<-24h" for longer ago than a day, ">-1h" for later', "BOUND"),
    Flag("transport", 'messages given this transport; "" for those given none', "NAME"),
)
#: Which messages of the queue are meant.
QUEUE_FILTER: Final = (
    *_ANY_FILTER,
    Flag("nextattempt", 'when the next attempt comes: "<now" for due, ">1h" for later than in an hour', "BOUND"),
    Flag("hold", "messages that are on hold, or not", "true|false"),
)
_ANY_HOOK: Final = (
    Flag("ids", "webhooks with these ids", "1,2"),
    Flag("n", "at most so many", "MAX"),
    Flag("account", "webhooks of this account", "NAME"),
    Flag("submitted", 'when they were queued: "<now", "<-24h" for longer ago than a day, ">-1h" for later', "BOUND"),
    Flag(
        "event",
        "incoming, delivered, suppressed, delayed, failed, relayed, expanded, canceled or unrecognized",
        "EVENT",
    ),
)
#: Which webhooks are meant.
HOOK_FILTER: Final = (
    *_ANY_HOOK,
    Flag("nextattempt", 'when the next attempt comes: "<now" for due, ">1h" for later than in an hour', "BOUND"),
)
_ASCENDING: Final = Flag("asc", "oldest first")
_ALL: Final = Flag("all", "all messages, when there is no filter")

COMMANDS: Final = (
    Command(
        "queue list",
        "queue:show_list",
        "List messages that wait to be delivered.\n\n"
        "Id, when it was queued, sender, recipient, next and last attempt, the last error. Newest first, by the time\n"
        "of the next attempt. All filters that are given must match.",
        flags=(*QUEUE_FILTER, Flag("sort", "nextattempt or queued", "ORDER"), _ASCENDING, JSON),
    ),
    Command(
        "queue hold",
        "queue:hold",
        "Put messages on hold.\n\nThey are not attempted until they are let go. Without a filter: all of them.",
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue unhold",
        "queue:unhold",
        "Let messages go that are on hold.\n\nThey are attempted when their time comes, or at once if it has come.",
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue schedule",
        "queue:schedule",
        "Move the next attempt of messages.\n\n"
        "By a duration such as 1h30m; a negative one makes it come earlier: put -- before it. With --now the attempt\n"
        "comes that long from now: `moxpy queue schedule --now 0s` sends everything at once that is not on hold.",
        arguments=(Argument("duration"),),
        flags=(*QUEUE_FILTER, Flag("now", "from now on, and not from when it is to come")),
    ),
    Command(
        "queue transport",
        "queue:transport",
        "Send messages by a transport of moxpy.toml, whatever the routes say.\n\n"
        'With an empty name ("") the routes decide again. --transport tells which messages, the argument what they\n'
        "get.",
        arguments=(Argument("name"),),
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue requiretls",
        "queue:requiretls",
        "Say what TLS messages demand.\n\n"
        "yes: only verified TLS, all the way, as if submitted with REQUIRETLS. no: without TLS if need be, as if\n"
        "there were a field TLS-Required: No, which is not added. default: neither.",
        arguments=(Argument("yes|no|default"),),
        flags=QUEUE_FILTER,
    ),
    Command(
        "queue fail",
        "queue:fail",
        "Give messages up as after a permanent failure.\n\n"
        "Their senders get a notice that the administrator canceled the delivery. Needs a filter, or --all.",
        flags=(*QUEUE_FILTER, _ALL),
    ),
    Command(
        "queue drop",
        "queue:drop",
        "Remove messages from the queue, and tell nobody.\n\nNeeds a filter, or --all.",
        flags=(*QUEUE_FILTER, _ALL),
    ),
    Command(
        "queue dump",
        "queue:dump",
        "Print a message of the queue as it is sent.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue retired list",
        "queue:show_retired",
        "List messages that left the queue.\n\n"
        "They are remembered as long as keep_retired_message_period of their account says. Id, when it was queued,\n"
        "sender, recipient, success or failure and since when, the last attempt, the error. Newest first.",
        flags=(
            *_ANY_FILTER,
            Flag("lastactivity", "since when they are done: as --submitted", "BOUND"),
            Flag("result", "how it ended", "success|failure"),
            Flag("sort", "lastactivity or queued", "ORDER"),
            _ASCENDING,
            JSON,
        ),
    ),
    Command(
        "queue retired print",
        "queue:print_retired",
        "Print all that is remembered of a message that left the queue, as JSON.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue holdrules list",
        "queue:show_rules",
        "List the rules that put messages on hold.",
        flags=(JSON,),
    ),
    Command(
        "queue holdrules add",
        "queue:add_rule",
        "Put messages on hold that match in all that is given: those in the queue, and all to come.\n\n"
        "Without flags it holds everything.",
        flags=(
            Flag("account", "only messages that this account sends", "NAME"),
            Flag("senderdom", "only messages whose sender address is of this domain", "DOMAIN"),
            Flag("recipientdom", "only messages to addresses of this domain", "DOMAIN"),
        ),
    ),
    Command(
        "queue holdrules remove",
        "queue:remove_rule",
        "Remove a rule that puts messages on hold.\n\nWhat it held stays on hold.",
        arguments=(Argument("id"),),
    ),
    Command(
        "queue webhook list",
        "hooks:show_list",
        "List webhooks that wait to be posted.\n\n"
        "Id, when it was queued, account, event, message of the queue, URL, next and last attempt, the last error.\n"
        "Newest first, by the time of the next attempt. All filters that are given must match.",
        flags=(*HOOK_FILTER, Flag("sort", "nextattempt or queued", "ORDER"), _ASCENDING, JSON),
    ),
    Command(
        "queue webhook schedule",
        "hooks:schedule",
        "Move the next attempt of webhooks.\n\n"
        "By a duration such as 1h30m; a negative one makes it come earlier: put -- before it. With --now the attempt\n"
        "comes that long from now: `moxpy queue webhook schedule --now 0s` posts everything at once.",
        arguments=(Argument("duration"),),
        flags=(*HOOK_FILTER, Flag("now", "from now on, and not from when it is to come")),
    ),
    Command(
        "queue webhook cancel",
        "hooks:cancel",
        "Post webhooks no more.\n\nNeeds a filter, or --all.",
        flags=(*HOOK_FILTER, Flag("all", "all webhooks, when there is no filter")),
    ),
    Command(
        "queue webhook print",
        "hooks:print_waiting",
        "Print a webhook that waits, with its payload and all attempts, as JSON.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue webhook replay",
        "hooks:replay",
        "Post a webhook again that is done.\n\n"
        "It goes where webhooks of its account go now, with the id of the first: who has it already can tell.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue webhook retired list",
        "hooks:show_retired",
        "List webhooks that are done: posted, given up, canceled, or superseded by later news of their message.\n\n"
        "They are remembered as long as keep_retired_webhook_period of their account says. Newest first.",
        flags=(
            *_ANY_HOOK,
            Flag("lastactivity", "since when they are done: as --submitted", "BOUND"),
            Flag("result", "how it ended", "success|failure"),
            Flag("sort", "lastactivity or queued", "ORDER"),
            _ASCENDING,
            JSON,
        ),
    ),
    Command(
        "queue webhook retired print",
        "hooks:print_retired",
        "Print all that is remembered of a webhook that is done, with its payload, as JSON.",
        arguments=(Argument("id"),),
        flags=(JSON,),
    ),
    Command(
        "queue suppress list",
        "suppressing:show_list",
        "List the addresses that accounts do not send to any more.\n\n"
        "Account, address, whether a person added it, when, the base address and the reason, with tabs between them.\n"
        "An address is added by itself when a delivery failed for good and the reply says it does not exist or does\n"
        "not want mail, or after three failures in a row, as far as keep_retired_message_period remembers them.",
        flags=(Flag("account", "only that of this account", "NAME"), JSON),
    ),
    Command(
        "queue suppress add",
        "suppressing:add",
        "Let an account not send to an address any more.\n\n"
        "It counts for all variants of the address: in any case, with or without dots, or what follows + or -.",
        arguments=(Argument("account"), Argument("address")),
        flags=(Flag("reason", "why, for whoever looks at the list later", "TEXT"),),
    ),
    Command(
        "queue suppress remove",
        "suppressing:remove",
        "Let an account send to an address again.",
        arguments=(Argument("account"), Argument("address")),
    ),
    Command(
        "queue suppress lookup",
        "suppressing:look_up",
        "Tell whether an address is suppressed.",
        arguments=(Argument("address"),),
        flags=(Flag("account", "only in the list of this account", "NAME"), JSON),
    ),
    Command(
        "queuefillretired",
        "data:queue_fill_retired",
        "Add retired messages and webhooks to an account, for looking at long lists.\n\n"
        "The server must not run. They are forgotten after thirty days.",
        arguments=(Argument("account"),),
        flags=(Flag("n", "how many; default 1000", "COUNT"),),
        unlisted=True,
    ),
)
