# getmail: everything in a mailbox into files, the second time nothing.
box="getmail-$RANDOM"
"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, ok
with opened(None) as imap:
    ok(imap.create(sys.argv[1]))
    for number in range(7):
        ok(imap.append(sys.argv[1], "", None, f"From: <a@b.example>\r\nSubject: g{number}\r\n\r\n{'x' * 5000 * number}\r\n".encode()))
PYTHON
mkdir -p state got
cat >state/rc <<CONFIG
[retriever]
type = SimpleIMAPSSLRetriever
server = $HOST
port = $IMAPS
username = $MAIL_USER
password = $MAIL_PASSWORD
mailboxes = ("$box",)
timeout = 20
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >$WORK/got/\$\$")
allow_root_commands = true
[options]
read_all = false
delivered_to = false
received = false
CONFIG
getmail --getmaildir "$WORK/state" --rcfile rc
test "$(find got -type f | wc -l)" = 7
file=$(grep -lx 'Subject: g6' got/*)
test "$(tr -cd x <"$file" | wc -c)" -ge 30000
getmail --getmaildir "$WORK/state" --rcfile rc | tee again
test "$(find got -type f | wc -l)" = 7
