# One message by swaks to anybody at all, read by curl, imaplib, mbsync and mutt; the flags each of them sets, the others see.
subject="readers-$RANDOM$RANDOM"
swaks --server "$HOST:$SMTP" --from someone@example.net --to anyone@example.org --header "Subject: $subject" --body 'hello all' >swaks.log
"$PYTHON" -m interop.mailbox wait "$subject" >by-imaplib
grep -q '^hello all' by-imaplib

echo "== curl"
curl=(curl --silent --show-error --fail --cacert "$CERTIFICATE" --max-time 20 --user "$MAIL_USER:$MAIL_PASSWORD")
uid=$("${curl[@]}" "imaps://$HOST:$IMAPS/INBOX" --request "UID SEARCH SUBJECT $subject" | tr -d '\r' | sed 's/^\* SEARCH //')
"${curl[@]}" "imaps://$HOST:$IMAPS/INBOX;UID=$uid" | cmp - by-imaplib
"${curl[@]}" "imaps://$HOST:$IMAPS/INBOX" --request "UID STORE $uid +FLAGS (\\Answered)" >/dev/null

echo "== mbsync, of this message alone: a copy of it in a mailbox of its own"
box="readers-$RANDOM"
"$PYTHON" - "$uid" "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, ok
with opened() as imap:
    ok(imap.create(sys.argv[2]))
    ok(imap.uid("COPY", sys.argv[1], sys.argv[2]))
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
SyncState *
CONFIG
mkdir -p maildir
mbsync --config rc all
file=$(find "maildir/$box/cur" "maildir/$box/new" -type f)
tr -d '\r' <by-imaplib | diff - <(grep -v '^X-TUID: ' "$file")
[[ $file = *:2,*R* ]] # what curl set
mv "$file" "${file%:2,*}:2,FRS"
mbsync --config rc all

echo "== mutt sees both, and adds a mark of its own"
cat >muttrc <<CONFIG
set folder="imaps://localhost:$IMAPS/"
set spoolfile="+$box"
set imap_user="$MAIL_USER"
set imap_pass="$MAIL_PASSWORD"
set certificate_file="$CERTIFICATE"
set ssl_verify_host=no
set mark_old=no
set wait_key=no
set header_cache=
set help=no
set index_format="%Z %s"
CONFIG
terminal="readers$$"
trap 'tmux -L "$terminal" kill-server 2>/dev/null || true' EXIT
tmux -L "$terminal" new-session -d -x 120 -y 40 "mutt -F muttrc 2>mutt.err"
sees() { # pattern: waits until the screen shows it
    for _ in $(seq 150); do
        tmux -L "$terminal" capture-pane -p >shown 2>/dev/null || true
        if grep -q -- "$1" shown; then return; fi
        if grep -q 'accept (o)nce' shown; then tmux -L "$terminal" send-keys o; fi
        sleep 0.1
    done
    echo "never saw: $1"; cat shown mutt.err; return 1
}
sees "$subject"
sees "! *$subject" # what mbsync brought
tmux -L "$terminal" send-keys Enter
sees 'hello all'
tmux -L "$terminal" send-keys i
sees "$subject"
tmux -L "$terminal" send-keys N '$'
sleep 0.5
tmux -L "$terminal" send-keys q
for _ in $(seq 50); do tmux -L "$terminal" has-session 2>/dev/null || break; sleep 0.1; done

echo "== and imaplib sees what all of them did"
"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, uids
with opened(sys.argv[1], readonly=True) as imap:
    assert len(uids(imap, "ANSWERED", "FLAGGED", "UNSEEN")) == 1, uids(imap, "ALL")
PYTHON
mbsync --config rc all
[[ $(find "maildir/$box/cur" "maildir/$box/new" -type f) = *:2,FR ]] # mutt took the S away
