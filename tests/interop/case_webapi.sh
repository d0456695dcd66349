# curl against the webapi, by the checklist of its wire: paths, fields of the form, names in JSON, codes, headers.
if [ "$HTTP" = 0 ]; then
    echo "no webapi here"
    exit 0
fi
api="http://$HOST:$HTTP/webapi"
user=(--user "$MAIL_USER:$MAIL_PASSWORD")
curl=(curl --silent --show-error --insecure --max-time 20)
subject="webapi-$RANDOM$RANDOM"
# call METHOD JSON [curl flags]: the answer in `answer`, its status in `status`.
call() {
    status=$("${curl[@]}" "${user[@]}" --output answer --write-out '%{http_code}' --data-urlencode "request=$2" "${@:3}" "$api/v0/$1")
    echo "$1 $2 -> $status $(head -c 300 answer | tr -d '\0')"
}
succeeds() { call "$@"; [ "$status" = 200 ]; }
# fails_with CODE METHOD JSON
fails_with() {
    call "$2" "$3"
    [ "$status" = 400 ]
    "$PYTHON" - "$1" <<'PY'
import json, sys
answer = json.load(open("answer"))
assert set(answer) == {"Code", "Message"} and answer["Code"] == sys.argv[1], answer
PY
}
# is EXPRESSION of the answer `a`
is() { "$PYTHON" -c 'import json,re,sys; a = json.load(open("answer")); assert eval(sys.argv[1]), a' "$1"; }

echo "== paths and verbs"
[ "$("${curl[@]}" --output /dev/null --write-out '%{http_code} %{redirect_url}' "$api/")" = "303 $api/v0/" ]
[ "$("${curl[@]}" --output /dev/null --write-out '%{http_code}' --head "$api/v0/Send")" = 405 ]
[ "$("${curl[@]}" --output /dev/null --write-out '%{http_code}' "$api/v0/Sending")" = 404 ]
"${curl[@]}" "$api/v0/" >index
"${curl[@]}" "$api/v0/openapi.json" | "$PYTHON" -m json.tool >/dev/null
for method in Send SuppressionList SuppressionAdd SuppressionRemove SuppressionPresent MessageGet MessageRawGet \
    MessagePartGet MessageDelete MessageFlagsAdd MessageFlagsRemove MessageMove; do
    grep -q "href=\"$method\"" index
    "${curl[@]}" --fail --output page "$api/v0/$method"
    grep -q 'name="request"' page
done
"${curl[@]}" --dump-header - --output /dev/null --data 'request={}' "$api/v0/Send" | tee head
grep -qi '^www-authenticate: Basic realm=webapi' head
[ "$("${curl[@]}" --user "$MAIL_USER:wrong" --output /dev/null --write-out '%{http_code}' --data 'request={}' "$api/v0/Send")" = 401 ]

echo "== sending"
printf '\211PNG\r\n\032\n' >logo.png
head -c 300000 /dev/urandom >terms.pdf
json="{\"To\":[{\"Name\":\"Ada\",\"Address\":\"$MAIL_USER\"}],\"CC\":null,\"subject\":\"$subject\",\"Text\":\"Thanks\\n\",
  \"HTML\":\"<img src=\\\"cid:logo\\\">\",\"Extra\":{\"order\":\"17\"},\"SaveSent\":true} trailing"
"${curl[@]}" --fail "${user[@]}" --form "request=$json" --form 'inlinefile=@logo.png;headers="Content-ID: <logo>"' \
    --form 'attachedfile=@terms.pdf;type=application/pdf' "https://$HOST:$HTTPS/webapi/v0/Send" | tee answer
is 're.fullmatch("<[^<>]+>", a["MessageID"]) and set(a["Submissions"][0]) == {"Address", "QueueMsgID", "FromID"}'
"$PYTHON" -m interop.mailbox wait "$subject" >received
grep -q 'User-Agent: moxpy/' received
fails_with missingBody Send '{"To":[{"Address":"x@localhost"}]}'
fails_with multipleFrom Send '{"Text":"x","From":[{},{}]}'
fails_with badAddress Send '{"Text":"x","To":[{"Address":"x"}]}'
fails_with badFrom Send '{"Text":"x","From":[{"Address":"x@elsewhere.example"}],"To":[{"Address":"x@localhost"}]}'
fails_with noRecipients Send '{"Text":"x"}'
fails_with malformedMessageID Send '{"Text":"x","To":[{"Address":"x@localhost"}],"MessageID":"x"}'
fails_with protocol Send '{"Text":"x","Unknown":1}'
fails_with protocol Send '{"Text":1}'
fails_with user Send '{"Text":"x","To":[{"Address":"x@localhost"}],"Subject":"a\nb"}'

echo "== what came"
id=0
for number in $(seq 1 1000); do
    call MessageGet "{\"MsgID\":$number}" >/dev/null
    if [ "$status" = 200 ] && is "a['Message']['Subject'] == '$subject' and a['Meta']['MailboxName'] == 'Inbox'" 2>/dev/null; then
        id=$number
        break
    fi
done
[ "$id" != 0 ]
is 'a["Message"]["Text"] == "Thanks\n" and a["Message"]["CC"] == [] and a["Structure"]["Parts"][1]["DecodedSize"] == 300000'
is 'set(a["Message"]) == set("From To CC BCC ReplyTo MessageID References Date Subject Text HTML".split())'
is 'set(a["Structure"]) == set("ContentType ContentTypeParams ContentID ContentDisposition Filename DecodedSize Parts".split())'
is 'set(a["Meta"]) == set("Size DSN Flags MailFrom MailFromValidated RcptTo MsgFrom MsgFromValidated DKIMVerifiedDomains RemoteIP MailboxName".split())'
succeeds MessagePartGet "{\"MsgID\":$id,\"PartPath\":[1]}"
cmp answer terms.pdf
succeeds MessageRawGet "{\"MsgID\":$id}"
cmp answer received
fails_with partNotFound MessagePartGet "{\"MsgID\":$id,\"PartPath\":[7]}"
succeeds MessageFlagsAdd "{\"MsgID\":$id,\"Flags\":[\"\\\\Flagged\",\"Paid\"]}"
[ "$(cat answer)" = '{}' ]
succeeds MessageGet "{\"MsgID\":$id}"
is '{"\\flagged", "paid"} <= set(a["Meta"]["Flags"])'
succeeds MessageFlagsRemove "{\"MsgID\":$id,\"Flags\":[\"paid\"]}"
fails_with user MessageFlagsAdd "{\"MsgID\":$id,\"Flags\":[\"a b\"]}"
succeeds MessageMove "{\"MsgID\":$id,\"DestMailboxName\":\"Archive\"}"
fails_with user MessageMove "{\"MsgID\":$id,\"DestMailboxName\":\"Nowhere\"}"
succeeds MessageDelete "{\"MsgID\":$id}"
fails_with messageNotFound MessageGet "{\"MsgID\":$id}"

echo "== suppressions"
address="A.B+$RANDOM@suppressed.example"
succeeds SuppressionAdd "{\"EmailAddress\":\"$address\",\"Manual\":true,\"Reason\":\"<by hand>\"}"
fails_with error SuppressionAdd '{"EmailAddress":"ab@suppressed.example"}'
succeeds SuppressionList '{}'
is 'set(a["Suppressions"][0]) == set("ID Created Account BaseAddress OriginalAddress Manual Reason".split())'
succeeds SuppressionPresent '{"EmailAddress":"ab-x@suppressed.example"}'
is 'a == {"Present": True}'
succeeds SuppressionRemove '{"EmailAddress":"ab@suppressed.example"}'
fails_with error SuppressionRemove '{"EmailAddress":"ab@suppressed.example"}'
