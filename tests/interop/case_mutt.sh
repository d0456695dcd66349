# mutt: opens a mailbox in a terminal, reads a message, flags one and deletes another; the server has it all. By name: it would name an address in SNI. All of it compressed (COMPRESS=DEFLATE).
box="mutt-$RANDOM"
"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, ok
with opened(None) as imap:
    ok(imap.create(sys.argv[1]))
    for number in range(1, 6):
        text = f"From: Alice <a@b.example>\r\nTo: <c@d.example>\r\nSubject: letter {number}\r\nDate: Mon, 2 Mar 2026 10:0{number}:00 +0000\r\n\r\nbody-of-letter-{number}\r\n"
        ok(imap.append(sys.argv[1], "", None, text.encode()))
PYTHON
cat >muttrc <<CONFIG
set folder="imaps://localhost:$IMAPS/"
set spoolfile="+$box"
set imap_user="$MAIL_USER"
set imap_pass="$MAIL_PASSWORD"
set certificate_file="$CERTIFICATE"
set ssl_verify_host=no
set ssl_starttls=yes
set delete=yes
set mark_old=no
set confirmappend=no
set wait_key=no
set sort=date
set header_cache=
set timeout=5
set help=no
set imap_deflate=yes
CONFIG
terminal="interop$$"
trap 'tmux -L "$terminal" kill-server 2>/dev/null || true' EXIT
tmux -L "$terminal" new-session -d -x 120 -y 40 "mutt -F muttrc 2>mutt.err"
screen() { tmux -L "$terminal" capture-pane -p 2>/dev/null; }
key() { tmux -L "$terminal" send-keys "$@"; }
sees() { # text: waits until the screen shows it
    for _ in $(seq 150); do
        screen >shown || true
        if grep -q -- "$1" shown; then return; fi
        # a certificate that is not from a known authority: (r)eject, accept (o)nce
        if grep -q 'accept (o)nce' shown; then key o; fi
        sleep 0.1
    done
    echo "never saw: $1"; cat shown mutt.err; return 1
}
sees 'letter 5'
grep -q 'letter 1' shown
key 3 Enter Enter # jump there, then open it
sees 'body-of-letter-3'
key i
sees 'letter 5'
key 2 Enter F
sees '2.*!.*letter 2'
key 4 Enter d
sees '4.*D.*letter 4'
key '$'
for _ in $(seq 100); do screen >shown || true; grep -q 'letter 4' shown || break; sleep 0.1; done
key q
for _ in $(seq 50); do tmux -L "$terminal" has-session 2>/dev/null || break; sleep 0.1; done

"$PYTHON" - "$box" <<'PYTHON'
import sys
from interop.mailbox import opened, uids
with opened(sys.argv[1], readonly=True) as imap:
    assert len(uids(imap, "ALL")) == 4
    assert len(uids(imap, "SEEN", "SUBJECT", '"letter 3"')) == 1
    assert len(uids(imap, "FLAGGED")) == 1
    assert not uids(imap, "SUBJECT", '"letter 4"')
    assert len(uids(imap, "UNSEEN", "SUBJECT", '"letter 5"')) == 1
PYTHON
