# GNU SASL: every mechanism it shares with us, over submission and IMAP, with TLS 1.2 and 1.3 and their channel
# bindings (tls-unique, tls-exporter), and without TLS what needs none.
auth() { # smtp or imap, mechanism, password, options
    local door=$1 mechanism=$2 password=$3; shift 3
    local port=$SUBMISSION success='^235 2\.7\.0 '
    if [ "$door" = imap ]; then port=$IMAP success='^\. OK \[CAPABILITY '; fi
    timeout 20 gsasl "--$door" --connect="$HOST:$port" --hostname=localhost --mechanism="$mechanism" \
        --authentication-id="$MAIL_USER" --password="$password" --authorization-id= "$@" </dev/null >log 2>&1 || true
    grep -qE "$success" log
}
passes() {
    echo "== $*"
    auth "$1" "$2" "$MAIL_PASSWORD" "${@:3}" || { cat log; return 1; }
}
bound() { # the type of channel binding that must have been used
    passes "${@:2}"
    # The client's first message begins with p=<type>: in base64, since that is what went over the wire.
    grep -oE '[A-Za-z0-9+/]{20,}=*' log | while read -r line; do
        base64 -d <<<"$line" 2>/dev/null || true
        echo
    done >said
    grep -qaF "p=$1," said || { echo "no binding $1"; cat log; return 1; }
}
for door in smtp imap; do
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-1; do
        bound tls-exporter "$door" "$mechanism-PLUS" --x509-ca-file="$CERTIFICATE"
        bound tls-unique "$door" "$mechanism-PLUS" --x509-ca-file="$CERTIFICATE" --priority=NORMAL:-VERS-TLS1.3
        passes "$door" "$mechanism" --x509-ca-file="$CERTIFICATE" --no-cb
        passes "$door" "$mechanism" --no-starttls
    done
    passes "$door" CRAM-MD5 --no-starttls
    passes "$door" CRAM-MD5 --x509-ca-file="$CERTIFICATE"
    passes "$door" PLAIN --x509-ca-file="$CERTIFICATE"
    for mechanism in SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS CRAM-MD5 PLAIN; do
        echo "== $door $mechanism with a wrong password"
        fails auth "$door" "$mechanism" wrong --x509-ca-file="$CERTIFICATE"
        # It ends the connection when SCRAM's last step says e=invalid-proof.
        grep -qE '^535 5\.7\.8 |^\. NO \[AUTHENTICATIONFAILED\]|ZT1pbnZhbGlkLXByb29m' log || { cat log; exit 1; }
    done
done
passes smtp LOGIN --x509-ca-file="$CERTIFICATE"
