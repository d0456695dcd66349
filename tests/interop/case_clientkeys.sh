# openssl s_client and curl with a client certificate: the key of it logs in, one that is not known is told by alert 42.
if [[ -z $MOXPY ]]; then
    echo "the keys are kept by moxpy's commands"
    exit 0
fi
keys() { "$MOXPY" config tlspubkey "$@"; }
client() { # input, options: what it printed; never fails, since a refused client does
    local input=$1; shift
    { sleep 0.5; printf '%b' "$input"; sleep 0.5; } |
        timeout 20 openssl s_client -quiet -ign_eof -crlf -servername localhost "$@" 2>&1 || true
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj '/CN=my phone' \
    -keyout phone.key -out phone.crt 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj '/' -keyout laptop.key -out laptop.crt 2>/dev/null
openssl req -x509 -newkey ed25519 -nodes -days 1 -subj '/CN=stranger' -keyout stranger.key -out stranger.crt 2>/dev/null
keys add "$MAIL_USER" <phone.crt
keys add --no-imap-preauth "$MAIL_USER" laptop <laptop.crt
keys list | tee list
grep -q $'ecdsa-p256\t"my phone"\tmox\t'"$MAIL_USER"$'\tfalse$' list
grep -q $'rsa-2048\t"laptop"\tmox\t'"$MAIL_USER"$'\ttrue$' list
fingerprint=$(openssl x509 -in phone.crt -noout -pubkey | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | openssl base64 | tr '+/' '-_' | tr -d '=')
keys get -- "$fingerprint" | grep -qx 'name: my phone'

phone=(-cert phone.crt -key phone.key) stranger=(-cert stranger.crt -key stranger.key)
mail="EHLO x.example\nMAIL FROM:<$MAIL_USER>\nQUIT\n"
for version in -tls1_2 -tls1_3; do
    for where in "-connect $HOST:$SUBMISSIONS" "-connect $HOST:$SUBMISSION -starttls smtp"; do
        echo "== $where $version"
        # shellcheck disable=SC2086
        client "$mail" $where $version "${phone[@]}" | tee dialogue
        grep -q '^250 2.1.0' dialogue
        grep -q '^250[- ]AUTH EXTERNAL' dialogue
        # shellcheck disable=SC2086
        client "$mail" $where $version | tee dialogue
        grep -q '^530 5.7.0' dialogue
        # shellcheck disable=SC2086
        client "$mail" $where $version "${stranger[@]}" | tee dialogue
        grep -q 'alert bad certificate.*SSL alert number 42' dialogue
        fails grep -q '^530' dialogue
    done
    echo "== IMAP $version"
    client "a NAMESPACE\nb LOGOUT\n" -connect "$HOST:$IMAPS" $version "${phone[@]}" | tee dialogue
    grep -q '^\* PREAUTH' dialogue
    grep -q '^a OK' dialogue
    client "a NAMESPACE\nb AUTHENTICATE EXTERNAL =\nc NAMESPACE\nd LOGOUT\n" -connect "$HOST:$IMAPS" $version \
        -cert laptop.crt -key laptop.key | tee dialogue
    grep -q '^\* OK' dialogue
    for line in 'a NO' 'b OK' 'c OK'; do grep -q "^$line" dialogue; done
    client "a AUTHENTICATE EXTERNAL =\nb NAMESPACE\nc LOGOUT\n" -connect "$HOST:$IMAP" -starttls imap $version \
        "${phone[@]}" | tee dialogue
    for line in 'a OK' 'b OK'; do grep -q "^$line" dialogue; done
    client "" -connect "$HOST:$IMAPS" $version "${stranger[@]}" | tee dialogue
    grep -q 'SSL alert number 42' dialogue
done

echo "== a session is resumed, until the key is removed"
resumed() { # options: s_client's words about the session, with the greeting
    { sleep 1; printf 'a LOGOUT\r\n'; sleep 0.5; } |
        timeout 20 openssl s_client -connect "$HOST:$IMAPS" -servername localhost -ign_eof "$@" 2>&1 || true
}
for version in -tls1_2 -tls1_3; do
    resumed $version "${phone[@]}" -sess_out session | grep -q '^New, '
    resumed $version "${phone[@]}" -sess_in session | tee dialogue
    grep -q '^Reused, ' dialogue
    grep -q '^\* PREAUTH' dialogue
    cp session "session$version"
done
keys rm -- "$fingerprint"
for version in -tls1_2 -tls1_3; do
    resumed $version "${phone[@]}" -sess_in "session$version" | tee dialogue
    grep -q 'SSL alert number 42' dialogue
    fails grep -q PREAUTH dialogue
done

echo "== curl submits without a password"
keys gen curl 2>gen
pem=$(ls curl.*.ed25519privatekey-certificate.pem)
keys add "$MAIL_USER" <"$(ls curl.*.certificate.pem)"
printf 'From: <%s>\r\nTo: <%s>\r\nSubject: by key\r\n\r\nx\r\n' "$MAIL_USER" "$MAIL_USER" >message
curl -sSk --cert "$pem" "smtps://$HOST:$SUBMISSIONS" --mail-from "$MAIL_USER" --mail-rcpt "$MAIL_USER" -T message
keys list | tail -n +3 | cut -f1 | while read -r one; do keys rm -- "$one"; done
test "$(keys list)" = '# 0 TLS public keys'
