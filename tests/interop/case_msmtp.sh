# msmtp: submission over STARTTLS and over TLS, trusting exactly the certificate the server shows. By name: it would name an address in SNI.
fingerprint=$(openssl x509 -in "$CERTIFICATE" -noout -fingerprint -sha256 | cut -d= -f2)
cat >rc <<CONFIG
defaults
auth plain
tls on
tls_fingerprint $fingerprint
host localhost
from $MAIL_USER
user $MAIL_USER
password $MAIL_PASSWORD
timeout 20
account starttls
port $SUBMISSION
account tls
port $SUBMISSIONS
tls_starttls off
CONFIG
chmod 600 rc
printf 'Gr\303\274\303\237e, 8 bit\n.\n.dots\n\nend\n' >body
for account in starttls tls; do
    echo "== $account"
    subject="msmtp-$account-$RANDOM$RANDOM"
    { printf 'From: <%s>\nTo: <%s>\nSubject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n' \
        "$MAIL_USER" "$MAIL_USER" "$subject"; printf 'Content-Transfer-Encoding: 8bit\n\n'; cat body; } |
        msmtp --file=rc --account="$account" --debug "$MAIL_USER"
    "$PYTHON" -m interop.mailbox body "$subject" body
done
echo "== server information"
msmtp --file=rc --account=tls --serverinfo | tee info
grep -q PIPELINING info
