# openssl s_client: the TLS of every port, both versions, and nothing old; the certificate is the same on all of them.
wanted=$(openssl x509 -in "$CERTIFICATE" -noout -fingerprint -sha256)
client() { # name, input, options: what it printed
    local input=$1; shift
    { sleep 0.3; printf '%b' "$input"; sleep 0.3; } | timeout 20 openssl s_client -quiet -ign_eof -crlf "$@" 2>stderr
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
    echo "== $where -tls1_1 is refused"
    # shellcheck disable=SC2086
    ! timeout 20 openssl s_client $where -tls1_1 -cipher 'ALL:@SECLEVEL=0' </dev/null >/dev/null 2>&1 || \
        [[ $where = *smtp*"$SMTP"* || $where = *"$SMTP"*smtp* ]] # opportunistic incoming mail may use what it likes
done

echo "== IMAP over TLS"
client "a login $MAIL_USER $MAIL_PASSWORD\na select inbox\nb logout\n" -connect "$HOST:$IMAPS" | tee dialogue
grep -q '^\* OK' dialogue && grep -q '^a OK' dialogue && grep -q '^\* BYE' dialogue && grep -q '^b OK' dialogue

echo "== STARTTLS in IMAP, then in submission"
client "a capability\nb logout\n" -connect "$HOST:$IMAP" -starttls imap | tee dialogue
grep -q '^a OK' dialogue
grep '^\* CAPABILITY' dialogue | grep -vq STARTTLS # RFC 9051 §6.2.1: not offered twice
client "EHLO client.localhost\nQUIT\n" -connect "$HOST:$SUBMISSION" -starttls smtp | tee dialogue
grep -q '^250[- ]AUTH .*PLAIN' dialogue
! grep -q '^250[- ]STARTTLS' dialogue
grep -q '^221 ' dialogue
