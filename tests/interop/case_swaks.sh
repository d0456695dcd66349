# swaks: incoming mail in the clear and with STARTTLS, submission with AUTH PLAIN and LOGIN over STARTTLS and TLS,
# and what must be refused.
mailbox() { "$PYTHON" -m interop.mailbox "$@"; }
common=(--server "$HOST" --to "$MAIL_USER" --timeout 20 --helo client.localhost)
login=(--auth-user "$MAIL_USER" --auth-password "$MAIL_PASSWORD" --from "$MAIL_USER")
# A leading dot, a lone dot, trailing spaces and a long line are what transfers lose.
printf '.leading dot\n.\n..two\nspaces   \n\n%s\nlast line\n' "$(printf 'x%.0s' {1..900})" >body

send() { # name, options
    local name=$1; shift
    local subject="swaks-$name-$RANDOM$RANDOM"
    # The data is the whole message: swaks then adds nothing of its own but the dots and CRLFs of SMTP.
    { printf 'From: <%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%s@swaks.invalid>\n\n' \
        "$MAIL_USER" "$MAIL_USER" "$subject" "$(date -R)" "$subject"; cat body; } | head -c -1 >message # swaks ends the last line itself
    echo "== $name"
    swaks "${common[@]}" "$@" --data @message
    mailbox body "$subject" body
}
outside=(--from someone@localhost)
send plain --port "$SMTP" "${outside[@]}"
send starttls --port "$SMTP" --tls "${outside[@]}"
send pipelined --port "$SMTP" --pipeline "${outside[@]}"
send submission-plain --port "$SUBMISSION" --tls --auth PLAIN "${login[@]}"
send submission-login --port "$SUBMISSION" --tls --auth LOGIN "${login[@]}"
send submission-cram-md5 --port "$SUBMISSION" --auth CRAM-MD5 "${login[@]}" # needs no TLS
send submission-any --port "$SUBMISSION" --tls --auth-optional "${login[@]}"
send submissions-plain --port "$SUBMISSIONS" --tls-on-connect --auth PLAIN "${login[@]}"
send submissions-login --port "$SUBMISSIONS" --tls-on-connect --auth LOGIN "${login[@]}"

echo "== wrong password"
code=0
swaks "${common[@]}" --port "$SUBMISSIONS" --tls-on-connect --auth PLAIN --auth-user "$MAIL_USER" \
    --auth-password wrong --from "$MAIL_USER" >wrong.log || code=$?
cat wrong.log
test "$code" = 28 # swaks: authentication failed
grep -q '^<~\* 535 ' wrong.log
