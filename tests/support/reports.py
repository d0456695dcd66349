"""Reports of others, in the shapes that large reporters give them, and mail around them."""

import gzip
import io
import zipfile
from base64 import encodebytes

#: By the schema, as most write it: indented, optional elements left out.
PLAIN = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>big.example</org_name>
    <email>noreply-dmarc@big.example</email>
    <extra_contact_info>https://big.example/dmarc?a=1&amp;b=2</extra_contact_info>
    <report_id>1234567890123456789</report_id>
    <date_range>
      <begin>1700006400</begin>
      <end>1700092799</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>ours.example</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>reject</p>
    <sp>quarantine</sp>
    <pct>100</pct>
    <np>reject</np>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip>
      <count>2</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>pass</dkim>
        <spf>fail</spf>
        <reason><type>local_policy</type><comment>arc=pass</comment></reason>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>ours.example</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>ours.example</domain>
        <result>pass</result>
        <selector>2023a</selector>
      </dkim>
      <dkim>
        <domain>list.example</domain>
        <result>pass</result>
        <selector>s1</selector>
      </dkim>
      <spf>
        <domain>list.example</domain>
        <result>pass</result>
      </spf>
    </auth_results>
  </record>
</feedback>
"""

#: Namespaces with a prefix, a byte order mark, envelope addresses, a comment, CDATA, capitals, attributes.
NAMESPACES = b"""\xef\xbb\xbf<?xml version="1.0"?>
<d:feedback xmlns:d="http://dmarc.org/dmarc-xml/0.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <!-- by hand -->
  <d:version>1.0</d:version>
  <d:report_metadata><d:org_name>Enterprise Outlook</d:org_name><d:email>reports@corp.example</d:email>
    <d:report_id>abc!def</d:report_id>
    <d:date_range><d:begin>1700006400.25</d:begin><d:end>1700092800000</d:end></d:date_range></d:report_metadata>
  <d:policy_published><d:domain>Ours.Example</d:domain><d:adkim>S</d:adkim><d:p>None</d:p><d:fo>0</d:fo></d:policy_published>
  <d:record><d:row><d:source_ip>2001:db8::1</d:source_ip><d:count>1</d:count>
    <d:policy_evaluated><d:disposition>None</d:disposition><d:dkim>Pass</d:dkim><d:spf>pass</d:spf></d:policy_evaluated></d:row>
    <d:identifiers><d:envelope_to>corp.example</d:envelope_to><d:envelope_from>ours.example</d:envelope_from>
      <d:header_from><![CDATA[ours.example]]></d:header_from></d:identifiers>
    <d:auth_results><d:spf><d:domain>ours.example</d:domain><d:scope>mfrom</d:scope><d:result>hardfail</d:result></d:spf>
    </d:auth_results></d:record>
</d:feedback>"""

#: Almost nothing of what should be there, and things that nobody knows.
BARE = (
    b"<feedback><policy_published><pct>many</pct><domain>ours.example</domain></policy_published><extension><x><y/></x>"
    b"</extension><record><row><count>1e3</count></row><identities><header_from>a.example</header_from></identities>"
    b"</record><record/><report_metadata><date_range><end>1700092799</end><begin>1700006400</begin></date_range>"
    b"<error>one</error><error>two</error></report_metadata></feedback>"
)

TLS = b"""{"organization-name":"Big Inc.","date-range":{"start-datetime":"2024-01-01T00:00:00Z",
"end-datetime":"2024-01-01T23:59:59Z"},"contact-info":"smtp-tls-reporting@big.example",
"report-id":"2024-01-01T00:00:00Z_ours.example","policies":[{"policy":{"policy-type":"sts",
"policy-string":["version: STSv1","mode: enforce","mx: mx.ours.example","max_age: 86400"],
"policy-domain":"ours.example","mx-host":["mx.ours.example"]},
"summary":{"total-successful-session-count":40,"total-failure-session-count":3},
"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.7",
"receiving-mx-hostname":"mx.ours.example","receiving-mx-helo":"mx.ours.example","receiving-ip":"198.51.100.1",
"failed-session-count":3,"additional-information":"https://big.example/x","failure-reason-code":"EXPIRED"}]},
{"policy":{"policy-type":"no-policy-found","policy-domain":"mx.ours.example"},
"summary":{"total-successful-session-count":0,"total-failure-session-count":0}}]}"""

#: Dates without a time zone, single values for lists, counts as text, no failures: null.
TLS_LOOSE = b"""\xef\xbb\xbf{"organization-name":"Corp","date-range":{"start-datetime":"2024-01-01T00:00:00",
"end-datetime":"2024-01-01T23:59:59.1234567"},"contact-info":null,"report-id":17,"more":[1,[2]],"policies":{"policy":
{"policy-type":"STS","policy-string":"version: STSv1","policy-domain":"ours.example","mx-host-pattern":"*.ours.example"},
"summary":{"total-successful-session-count":"5"},"failure-details":null}}"""


def zipped(octets: bytes, *names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with the octets under each name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name in names or ("big.example!ours.example!1700006400!1700092799.xml",):
            # Of no time, or it would be another archive in the next second.
            archive.writestr(zipfile.ZipInfo(name), b"" if name.endswith("/") else octets, method)
    return target.getvalue()


def alone(content: bytes, media_type: str = "application/zip", name: str = "report.zip") -> bytes:
    """A message that is the file and nothing else."""
    header = (
        f'From: r@big.example\r\nContent-Type: {media_type}\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    )
    return header.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(content).replace(b"\n", b"\r\n")


def mixed(content: bytes, media_type: str = "application/gzip", name: str = "r.gz", outer: str = "mixed") -> bytes:
    """A message of a text and the file."""
    return (
        f"From: r@big.example\r\nContent-Type: multipart/{outer}; boundary=b\r\n\r\n--b\r\n\r\nA report.\r\n--b\r\n".encode()
        + alone(content, media_type, name)
        + b"\r\n--b--\r\n"
    )


def dmarc_mail(xml: bytes = PLAIN) -> bytes:
    """A DMARC report by mail."""
    return mixed(gzip.compress(xml, mtime=0))


def tls_mail(json: bytes = TLS) -> bytes:
    """A TLS report by mail (RFC 8460 §5.3)."""
    return mixed(gzip.compress(json, mtime=0), "application/tlsrpt+gzip", "r.json.gz", 'report; report-type="tlsrpt"')
