# Mailboxes by foreign hands: Python's imaplib, curl, mbsync and OfflineIMAP make, list, count and remove them.
box="boxes-$RANDOM"
"$PYTHON" - "$box" <<'PYTHON'
import imaplib
import sys
from interop.mailbox import ok, opened

box = sys.argv[1]
for name in ("GETMETADATA", "SETMETADATA"):
    imaplib.Commands[name] = ("AUTH", "SELECTED")
with opened(None) as imap:
    ok(imap.create(f"{box}/Entw&APw-rfe/tief"))
    imap.response("LIST")  # What CREATE said: the library would take it for an answer to LIST.
    found = ok(imap.list(box, "*"))
    assert found == [
        f'(\\HasChildren) "/" {box}'.encode(),
        f'(\\HasChildren) "/" {box}/Entw&APw-rfe'.encode(),
        f'(\\HasNoChildren) "/" {box}/Entw&APw-rfe/tief'.encode(),
    ], found
    assert len(ok(imap.lsub(box, "*"))) == 3
    ok(imap.unsubscribe(box))
    assert ok(imap.lsub('""', f"{box}%")) == [f'(\\NoSelect) "/" {box}'.encode()]
    ok(imap.append(box, r"(\Deleted)", None, b"Subject: x\r\n\r\n" + b"y" * 2000))
    assert ok(imap.status(box, "(MESSAGES UNSEEN DELETED SIZE DELETED-STORAGE)")) == [
        f"{box} (MESSAGES 1 UNSEEN 1 DELETED 1 SIZE 2014 DELETED-STORAGE 2014)".encode()
    ]
    ok(imap.rename(f"{box}/Entw&APw-rfe", f"{box}/neu/Entwurf"))
    imap.response("LIST")
    assert [line.rpartition(b" ")[2].decode() for line in ok(imap.list(f"{box}/neu/", "*"))] == [
        f"{box}/neu/Entwurf",
        f"{box}/neu/Entwurf/tief",
    ]
    roots, quotas = ok(imap.getquotaroot(box))
    assert roots == [f'{box} ""'.encode()], roots
    assert quotas == [b'"" ()'] and ok(imap.getquota("")) == quotas
    assert imap.setquota('""', "(STORAGE 1)")[0] == "NO"
    ok(imap._simple_command("SETMETADATA", box, '(/private/comment "from Python")'))
    ok(imap._simple_command("GETMETADATA", box, "(/private/comment)"))
    assert imap.response("METADATA")[1] == [f'{box} (/private/comment "from Python")'.encode()]
    assert imap.delete(box)[0] == "NO"
    for name in ("neu/Entwurf/tief", "neu/Entwurf", "neu"):
        ok(imap.delete(f"{box}/{name}"))
    ok(imap.delete(box))
    assert ok(imap.list('""', box)) == [None]
PYTHON

echo "== curl"
curl=(curl --silent --show-error --fail --insecure --max-time 20 --user "$MAIL_USER:$MAIL_PASSWORD" "imaps://$HOST:$IMAPS/")
"${curl[@]}" --request "CREATE $box-curl (USE (\\Junk))"
"${curl[@]}" --request 'LIST (SPECIAL-USE) "" * RETURN (STATUS (MESSAGES))' | tr -d '\r' >listed
grep -Fx "* LIST (\\HasNoChildren \\Junk) \"/\" $box-curl" listed
"${curl[@]}" --request "STATUS $box-curl (MESSAGES UIDNEXT)" | tr -d '\r' | grep -Fx "* STATUS $box-curl (MESSAGES 0 UIDNEXT 1)"
"${curl[@]}" --request "GETQUOTAROOT $box-curl" | tr -d '\r' | grep -Fx '* QUOTA "" ()'
"${curl[@]}" --request "DELETE $box-curl"
fails "${curl[@]}" --request "STATUS $box-curl (MESSAGES)" 2>error
fails "${curl[@]}" --request "CREATE $box/../etc" 2>error

exists() {
    "$PYTHON" - "$1" <<'PYTHON'
import sys
from interop.mailbox import ok, opened
with opened(None) as imap:
    sys.exit(ok(imap.list('""', sys.argv[1])) == [None])
PYTHON
}
make() {
    "$PYTHON" - "$@" <<'PYTHON'
import sys
from interop.mailbox import ok, opened
with opened(None) as imap:
    for name in sys.argv[1:]:
        ok(imap.create(name))
        ok(imap.append(name, "", None, f"Subject: in {name}\r\nMessage-ID: <{name}@b.example>\r\n\r\nx\r\n".encode()))
PYTHON
}
remove() {
    "$PYTHON" - "$1" <<'PYTHON'
import sys
from interop.mailbox import ok, opened
with opened(None) as imap:
    ok(imap.delete(sys.argv[1]))
PYTHON
}

echo "== mbsync: both ways"
cat >rc <<CONFIG
IMAPAccount server
Host localhost
Port $IMAPS
User $MAIL_USER
Pass $MAIL_PASSWORD
SSLType IMAPS
SystemCertificates no
CertificateFile $CERTIFICATE
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
Patterns $box-m*
Create Both
Remove Both
Expunge Both
SyncState $WORK/state/
CONFIG
mkdir -p maildir state
make "$box-m1/Sub&APw-" "$box-m2"
mbsync --config rc all
test -n "$(find "maildir/$box-m1" -path '*Sub*' -type f -path '*/new/*')"
mkdir -p "maildir/$box-m3/below/"{cur,new,tmp}
printf 'Subject: made here\n\nx\n' >"maildir/$box-m3/below/new/1700000000.1.here"
mbsync --config rc all
exists "$box-m3/below"
exists "$box-m3"
echo "== emptied, then removed: there, and here" # It removes no mailbox that has messages.
"$PYTHON" - "$box-m2" <<'PYTHON'
import sys
from interop.mailbox import ok, opened
with opened(sys.argv[1]) as imap:
    ok(imap.store("1", "+FLAGS", r"(\Deleted)"))
    ok(imap.expunge())
PYTHON
rm "maildir/$box-m3/below/"*/*.here*
mbsync --config rc all
remove "$box-m2"
rm -r "maildir/$box-m3/below"
mbsync --config rc all
test ! -e "maildir/$box-m2/cur"
fails exists "$box-m3/below"

echo "== OfflineIMAP"
cat >offlineimaprc <<CONFIG
[general]
accounts = test
metadata = $WORK/offlineimap
ui = quiet
[Account test]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = $WORK/offline
[Repository far]
type = IMAP
remotehost = localhost
remoteport = $IMAPS
remoteuser = $MAIL_USER
remotepass = $MAIL_PASSWORD
ssl = yes
sslcacertfile = $CERTIFICATE
folderfilter = lambda name: name.startswith("$box-o")
CONFIG
make "$box-o1/deep" "$box-o2"
offlineimap -c offlineimaprc -o
test "$(find offline -type f -path '*/new/*' -o -type f -path '*/cur/*' | wc -l)" = 2
mkdir -p "offline/$box-o3/"{cur,new,tmp}
printf 'Subject: made here\nMessage-ID: <made-here@b.example>\n\nx\n' >"offline/$box-o3/new/1700000000.1.here"
offlineimap -c offlineimaprc -o
exists "$box-o3"
"$PYTHON" -m interop.mailbox count "$box-o3" | grep -x 1
