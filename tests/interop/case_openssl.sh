# openssl s_client: the TLS of every port, both versions, and nothing old; the certificate is the same on all of them.
wanted=$(openssl x509 -in "$CERTIFICATE" -noout -fingerprint -sha256)
client() { # input, options: what it printed. OpenSSL fails when a server leaves without close_notify (RFC 8446 §6.1)
    local input=$1; shift
    { sleep 0.3; printf '%b' "$input"; sleep 0.3; } | timeout 20 openssl s_client -quiet -ign_eof -crlf "$@" 2>stderr || { cat stderr; return 1; }
}
shows() { # options: the fingerprint of what the server shows
    timeout 20 openssl s_client "$@" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256
}
for where in "-connect $HOST:$SMTP -starttls smtp" "-connect $HOST:$SUBMISSION -starttls smtp" "-connect $HOST:$SUBMISSIONS" \
    "-connect $HOST:$IMAP -starttls imap" "-connect $HOST:$IMAPS"; do
    for version in -tls1_2 -tls1_3; do
        echo "== $where $version"
        # shellcheck disable=SC2086
        test "$(shows $where $version)" = "$wanted"
    done
    [[ $where = *":$SMTP "* ]] && continue # mail between servers: whatever both can do beats nothing
    echo "== $where -tls1_1 is refused"
    # shellcheck disable=SC2086
    fails timeout 20 openssl s_client $where -tls1_1 -cipher 'ALL:@SECLEVEL=0' </dev/null >old.log 2>&1
done

tickets() { # options: how many session tickets come, when the server has said something
    { sleep 0.3; printf 'NOOP\r\n'; sleep 0.5; } | timeout 20 openssl s_client -msg "$@" 2>&1 |
        grep -c '<<<.*NewSessionTicket' || true
}
resumes() { # options: whether the second connection goes on with the session of the first
    rm -f session
    { sleep 0.3; printf 'NOOP\r\n'; sleep 0.5; } | timeout 20 openssl s_client -sess_out session "$@" >/dev/null 2>&1 || true
    timeout 20 openssl s_client -sess_in session "$@" </dev/null 2>/dev/null | grep -q '^Reused, TLSv1'
}
for version in -tls1_2 -tls1_3; do
    echo "== $version, session tickets: none from other servers' port, and some that can be used elsewhere"
    test "$(tickets -connect "$HOST:$SMTP" -starttls smtp $version)" = 0
    for where in "-connect $HOST:$SUBMISSION -starttls smtp" "-connect $HOST:$SUBMISSIONS" "-connect $HOST:$IMAPS"; do
        # shellcheck disable=SC2086
        test "$(tickets $where $version)" -gt 0
        # shellcheck disable=SC2086
        resumes $where $version
    done
done

echo "== IMAP over TLS"
client "a login $MAIL_USER $MAIL_PASSWORD\na select inbox\nb logout\n" -connect "$HOST:$IMAPS" | tee dialogue
for line in '\* OK' 'a OK' '\* BYE' 'b OK'; do grep -q "^$line" dialogue; done

echo "== STARTTLS in IMAP, then in submission"
client "a capability\nb logout\n" -connect "$HOST:$IMAP" -starttls imap | tee dialogue
grep -q '^a OK' dialogue
grep -q '^\* CAPABILITY' dialogue
fails grep -q '^\* CAPABILITY.*STARTTLS' dialogue # RFC 9051 §6.2.1: not offered twice
client "EHLO client.localhost\nQUIT\n" -connect "$HOST:$SUBMISSION" -starttls smtp | tee dialogue
grep -q '^250[- ]AUTH .*PLAIN' dialogue
fails grep -q '^250[- ]STARTTLS' dialogue
grep -q '^221 ' dialogue
