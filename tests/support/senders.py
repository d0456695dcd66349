"""A sender that everything vouches for, as reputation knows him."""

from appliance.delivery.reputation import Sender

BOB = Sender(
    msg_from="bob@a.example.org",
    msg_from_domain="a.example.org",
    msg_from_org_domain="example.org",
    msg_from_validated=True,
    dkim_domains=("d1.example", "d2.example"),
    mail_from="bounce@m.example",
    mail_from_domain="m.example",
    mail_from_validated=True,
    ehlo_domain="h.example",
    ehlo_validated=True,
    networks=("192.0.2.1", "192.0.2.0", "192.0.0.0"),
)
