# curl: smtp:// and smtps:// in, imap:// and imaps:// out; the message fetched is the one sent.
subject="curl-$RANDOM$RANDOM"
user=(--user "$MAIL_USER:$MAIL_PASSWORD")
curl=(curl --silent --show-error --fail --insecure --max-time 20)
message() {
    printf 'From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\n.dot\r\nbody of %s\r\n' "$MAIL_USER" "$MAIL_USER" "$1" "$1"
}
addresses=(--mail-from "$MAIL_USER" --mail-rcpt "$MAIL_USER")
message "$subject-in" | "${curl[@]}" "smtp://$HOST:$SMTP/client.localhost" "${addresses[@]}" --upload-file -
message "$subject-starttls" | "${curl[@]}" --ssl-reqd "smtp://$HOST:$SUBMISSION" "${user[@]}" "${addresses[@]}" --upload-file -
message "$subject-overtls" | "${curl[@]}" "smtps://$HOST:$SUBMISSIONS" "${user[@]}" "${addresses[@]}" --upload-file -
for name in in starttls overtls; do
    "$PYTHON" -m interop.mailbox wait "$subject-$name" >"$name"
done

for url in "imap://$HOST:$IMAP" "imaps://$HOST:$IMAPS"; do
    echo "== $url"
    for name in in starttls overtls; do
        uid=$("${curl[@]}" "$url/INBOX" "${user[@]}" --request "UID SEARCH SUBJECT $subject-$name" | tr -d '\r' | sed 's/^\* SEARCH //')
        echo "$name is UID $uid"
        [[ $uid =~ ^[0-9]+$ ]]
        "${curl[@]}" "$url/INBOX;UID=$uid" "${user[@]}" >fetched
        cmp fetched "$name"
        # The body alone, by a section: exactly what was sent.
        "${curl[@]}" "$url/INBOX;UID=$uid;SECTION=TEXT" "${user[@]}" >text
        printf '.dot\r\nbody of %s\r\n' "$subject-$name" | cmp - text
    done
    "${curl[@]}" "$url" "${user[@]}" --request 'LIST "" "*"' | tee list
    grep -qi inbox list
done

echo "== append over imaps, with STARTTLS for reading"
message "$subject-appended" >appended
"${curl[@]}" "imaps://$HOST:$IMAPS/INBOX" "${user[@]}" --upload-file appended
"$PYTHON" -m interop.mailbox wait "$subject-appended" | cmp - appended
"${curl[@]}" --ssl-reqd "imap://$HOST:$IMAP/INBOX" "${user[@]}" --request 'NOOP'

echo "== wrong password"
fails "${curl[@]}" "imaps://$HOST:$IMAPS/INBOX" --user "$MAIL_USER:wrong" --request NOOP 2>error
grep -q 'curl: (67)' error # CURLE_LOGIN_DENIED
