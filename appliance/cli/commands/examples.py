"""How commands are called: lines that their help shows. Each belongs to the command that it calls; tests parse them."""

from typing import Final

EXAMPLES: Final = tuple(
    """\
moxpy serve --config /home/moxpy/config/moxpy.toml
moxpy localserve
moxpy localserve --dir /tmp/mail --ip 192.0.2.7
moxpy quickstart you@example.org
moxpy quickstart --dry-run --hostname mx.example.org you@example.org
moxpy doctor
moxpy doctor --offline --json
moxpy loglevels
moxpy loglevels debug smtp
moxpy setaccountpassword alice
moxpy reindex alice
moxpy retrain
moxpy reparse
moxpy ensureparsed alice
moxpy fixmsgsize alice
moxpy recalculatemailboxcounts alice
moxpy reassignthreads alice
moxpy bumpuidvalidity alice Inbox
moxpy reassignuids alice
moxpy fixuidmeta alice
moxpy junk train --sent-dir mail/sent mail/ham mail/spam
moxpy junk check message.eml
moxpy junk test mail/ham mail/spam
moxpy junk analyze --two-grams mail/ham mail/spam
moxpy junk play mail/ham mail/spam
moxpy verifydata /home/moxpy/data
moxpy openaccounts /home/moxpy/data
moxpy readmessages /home/moxpy/data alice
moxpy deliver alice@example.org < message.eml
moxpy backup --keep 7 /var/backups/moxpy
moxpy restore --rehearse /var/backups/moxpy/20260131T030000
moxpy restore --config /home/moxpy/config/moxpy.toml /var/backups/moxpy/20260131T030000
moxpy export maildir mail-of-alice alice
moxpy export mbox --single mail-of-alice alice Archive
moxpy import maildir alice Old /srv/old/Maildir
moxpy import mbox alice Old /srv/old/archive.mbox
moxpy import imap alice imap.example.com alice@example.com
moxpy import imap --port 143 --starttls --below Old alice imap.example.com alice
moxpy ximport maildir alice Old /srv/old/Maildir
moxpy ximport mbox alice Old /srv/old/archive.mbox
moxpy gentestdata testdata
moxpy config example transport
moxpy example webhook-incoming-basic
moxpy config domain add example.com alice
moxpy config domain add --disabled example.com bob bob
moxpy config domain rm example.com
moxpy config domain disable example.com
moxpy config domain enable example.com
moxpy config dkim rotate start example.org
moxpy config dkim rotate status
moxpy config dkim rotate next example.org
moxpy config dkim rotate abort example.org
moxpy config dnsrecords example.org
moxpy config dnsrecords --diff example.org
moxpy config dnsrecords --apply --yes example.org
moxpy config dnscheck example.org
moxpy clientconfig example.org
moxpy config alias list example.org
moxpy config alias print office@example.org
moxpy config alias add office@example.org alice@example.org bob@example.org
moxpy config alias update --postpublic false office@example.org
moxpy config alias rm office@example.org
moxpy config alias addaddr office@example.org carol@example.org
moxpy config alias rmaddr office@example.org carol@example.org
moxpy config alias addforward office@example.org someone@example.com
moxpy config alias rmforward office@example.org someone@example.com
moxpy config account addresses alice
moxpy config account add bob bob@example.org
moxpy config account rm bob
moxpy config account disable bob 'closed until you call us'
moxpy config account enable bob
moxpy config account quota alice
moxpy config account quota alice 10G
moxpy config account logins alice
moxpy config address add sales@example.org alice
moxpy config address add @example.org alice
moxpy config address rm sales@example.org
moxpy config address account sales@example.org
moxpy config address forward print alice@example.org
moxpy config address forward add alice@example.org alice@example.com
moxpy config address forward rm alice@example.org alice@example.com
moxpy config address forward only alice@example.org true
moxpy config acl list alice Projects
moxpy config acl set alice Projects bob lrswi
moxpy config acl rm alice Projects bob
moxpy config acl seen alice Projects own
moxpy config apppassword add --protocols imap,smtp --expires 52w alice phone
moxpy config apppassword list alice
moxpy config apppassword rm alice 3
moxpy config secondfactor rm alice
moxpy config tlspubkey list alice
moxpy config tlspubkey get Vw0TQ6m2P1yQ8Uo1W9cJ6cN8sXb2yJr3kLd0e5fHgAo
moxpy config tlspubkey add alice@example.org laptop < laptop.certificate.pem
moxpy config tlspubkey rm Vw0TQ6m2P1yQ8Uo1W9cJ6cN8sXb2yJr3kLd0e5fHgAo
moxpy config tlspubkey gen laptop
moxpy refused list --address shop.example --within 48h
moxpy refused list --account alice --ip 203.0.113.0/24 --json
moxpy admin loginattempts alice
moxpy admin imapserve alice@example.org
moxpy queue list
moxpy queue list --to @example.com --nextattempt '>1h'
moxpy queue hold --account alice
moxpy queue unhold --ids 17,18
moxpy queue schedule --to @example.com --now 0s
moxpy queue transport --to @example.com smarthost
moxpy queue requiretls --ids 17 yes
moxpy queue fail --ids 17
moxpy queue drop --from @example.net
moxpy queue dump 17
moxpy queue retired list --result failure --n 20
moxpy queue retired print 17
moxpy queue holdrules add --senderdom example.org
moxpy queue holdrules remove 1
moxpy queue webhook list --event failed
moxpy queue webhook schedule --now 0s
moxpy queue webhook cancel --ids 4
moxpy queue webhook print 4
moxpy queue webhook replay 4
moxpy queue webhook retired list --result failure
moxpy queue webhook retired print 4
moxpy queue suppress list --account alice
moxpy queue suppress add --reason 'asked us to' alice someone@example.com
moxpy queue suppress remove alice someone@example.com
moxpy queue suppress lookup someone@example.com
moxpy queuefillretired --n 5000 alice
moxpy rdap domainage example.org
moxpy dns lookup mx example.org
moxpy dns lookup tlsa _25._tcp.mx.example.org
moxpy spf check example.org 192.0.2.7
moxpy spf lookup example.org
moxpy spf parse 'v=spf1 mx ~all'
moxpy dmarc lookup example.org
moxpy dmarc verify 192.0.2.7 alice@example.org mx.example.org < message.eml
moxpy dmarc parsereportmsg report.eml
moxpy dmarc checkreportaddrs example.org
moxpy dmarcdb addreport example.com < report.eml
moxpy dnsbl check zen.spamhaus.org 192.0.2.7
moxpy dnsbl checkhealth zen.spamhaus.org
moxpy tlsrpt parsereportmsg report.eml
moxpy tlsrpt lookup example.org
moxpy tlsrptdb addreport < report.eml
moxpy mtasts lookup example.org
moxpy dane dial mx.example.org:465
moxpy dane dialmx example.org
moxpy dane makerecord dane-ee spki sha2-256 mx.example.org.pem
moxpy smtp dial --forcetls --tlsverify mx.example.org
moxpy smtp dial --immediatetls mx.example.org:465
moxpy cid mbIOjHLaVQ2Nd1b0PnVa9g
moxpy dkim txt < key.pem
moxpy dkim lookup 2026a example.org
moxpy dkim verify --check message.eml
moxpy dkim sign message.eml
moxpy message parse message.eml
moxpy webapi Send
moxpy webapi Send http://alice:password@localhost/webapi/v0/ < request.json
moxpy sendmail alice@example.org < message.eml
moxpy sendmail -t < message.eml
moxpy checkupdate
moxpy updates genkey > updates.key
moxpy updates pubkey < updates.key
moxpy updates addsigned updates.key changelog.json < v1.2.3.txt
moxpy updates verify 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= changelog.json
moxpy updates serve --address 127.0.0.1:8199 changelog.json
moxpy help queue
moxpy completion bash > /etc/bash_completion.d/moxpy
""".splitlines()
)
