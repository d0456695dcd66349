# mbsync: a mailbox down into a Maildir and changes back up, then nothing more to do. (By name: it knows no addresses in certificates.)
box="mbsync-$RANDOM"
"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, ok
with opened(None) as imap:
    ok(imap.create(sys.argv[1]))
    for number in range(20):
        text = f"From: <a@b.example>\r\nSubject: number {number}\r\nMessage-ID: <{sys.argv[1]}-{number}@b.example>\r\n\r\n{'line' * number}\r\n"
        ok(imap.append(sys.argv[1], r"(\Seen)" if number % 2 else "", None, text.encode()))
PYTHON
cat >rc <<CONFIG
IMAPAccount server
Host localhost
Port $IMAPS
User $MAIL_USER
Pass $MAIL_PASSWORD
SSLType IMAPS
SystemCertificates no
CertificateFile $CERTIFICATE
AuthMechs *
Timeout 20

IMAPStore far
Account server

MaildirStore near
Path $WORK/maildir/
Inbox $WORK/maildir/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns $box
Create Both
Expunge Both
SyncState *
CopyArrivalDate yes
CONFIG
mkdir -p maildir
mbsync --config rc all
files() { find "maildir/$box/cur" "maildir/$box/new" -type f; }
test "$(files | wc -l)" = 20
test "$(find "maildir/$box" -type f -name '*:2,*S*' | wc -l)" = 10
for number in 0 7 19; do
    file=$(grep -lx "Subject: number $number" $(files))
    printf 'From: <a@b.example>\nSubject: number %s\nMessage-ID: <%s-%s@b.example>\n\n%s\n' "$number" "$box" "$number" \
        "$(for ((i = 0; i < number; i++)); do printf line; done)" |
        diff - <(grep -v "^X-TUID: " "$file") # its own mark while it has not heard the UID
done

echo "== changes here: one flagged, one deleted, one new"
flagged=$(grep -lx 'Subject: number 3' $(files))
mv "$flagged" "${flagged%%:2,*}:2,FS"
deleted=$(grep -lx 'Subject: number 5' $(files))
mv "$deleted" "${deleted%%:2,*}:2,ST"
printf 'From: <c@d.example>\nSubject: from the maildir\n\nhello up there\n' >"maildir/$box/new/1700000000.1.here"
mbsync --config rc all
echo "== changes there"
"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, ok, uids, body
with opened(sys.argv[1]) as imap:
    assert len(uids(imap, "ALL")) == 20, uids(imap, "ALL")
    assert not uids(imap, "SUBJECT", '"number 5"')
    assert len(uids(imap, "FLAGGED", "SEEN", "SUBJECT", '"number 3"')) == 1
    (new,) = uids(imap, "SUBJECT", '"from the maildir"')
    assert body(ok(imap.uid("FETCH", new, "BODY.PEEK[]"))[0][1]) == b"hello up there\r\n"
    ok(imap.uid("STORE", uids(imap, "SUBJECT", '"number 8"')[0], "+FLAGS.SILENT", r"(\Answered)"))
    ok(imap.uid("STORE", uids(imap, "SUBJECT", '"number 9"')[0], "+FLAGS.SILENT", r"(\Deleted)"))
    ok(imap.expunge())
PYTHON
mbsync --config rc all
test "$(files | wc -l)" = 19
[[ $(grep -lx 'Subject: number 8' $(files)) = *:2,*R* ]]
fails grep -lx 'Subject: number 9' $(files)
echo "== nothing more to do"
files | sort >before
mbsync --config rc --verbose all
files | sort | diff before -
