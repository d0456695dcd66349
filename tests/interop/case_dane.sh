# DANE with OpenSSL: it verifies a server by the records that `dane makerecord` makes; `smtp dial` speaks with one.
verified() { # record
    timeout 20 openssl s_client -connect "$HOST:$SMTP" -starttls smtp -dane_tlsa_domain localhost \
        -dane_tlsa_rrdata "$1" </dev/null >dane 2>&1 || true
    grep -q 'Verify return code: 0 (ok)' dane && grep -q '^DANE TLSA .* matched' dane
}
for record in '3 1 1' '3 1 2' '3 0 1' '3 0 2' '3 0 0' '3 1 0' 'dane-ee spki sha2-256'; do
    echo "== $record"
    # shellcheck disable=SC2086
    made=$("$MOXPY" dane makerecord $record "$CERTIFICATE")
    verified "$made"
done
echo "== of another key"
openssl ecparam -name prime256v1 -genkey -noout -out other.pem
other=$("$MOXPY" dane makerecord 3 1 1 other.pem)
fails verified "$other"
openssl ec -in other.pem -pubout -out public.pem 2>/dev/null
test "$("$MOXPY" dane makerecord 3 1 1 public.pem)" = "$other"
test "${other#3 1 1 }" = "$(openssl pkey -pubin -in public.pem -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)"

echo "== smtp dial"
printf 'NOOP\nQUIT\n' | "$MOXPY" smtp dial "$HOST:$SMTP" >dialogue 2>told
grep -q '^250 ' dialogue
grep -q '^221 ' dialogue
grep -q '^TLS1.3, TLS_' told
printf '%s' "$MAIL_PASSWORD" >password
printf 'QUIT\n' | "$MOXPY" smtp dial --immediatetls --username "$MAIL_USER" --passwordfile password \
    "$HOST:$SUBMISSIONS" >dialogue 2>told
grep -q '^221 ' dialogue
