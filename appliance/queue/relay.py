"""One attempt to hand a parcel to a smarthost: another server that sends for us, named by the configuration.

Its TLS is verified by authorities unless the configuration says otherwise, and there is no plain text instead. What is
wrong with the smarthost or with our account there is for the operator to mend, and returns no mail.
"""

from dataclasses import replace
from typing import Final

from appliance.config.static import Smarthost, Transport
from appliance.mail.status import Status
from appliance.protocol.sasl.client import Login
from appliance.protocol.smtp.client import common_failure
from appliance.protocol.smtp.failure import ClientError, Failure
from appliance.queue import hosts
from appliance.queue.line import Kept, Line, is_over
from appliance.queue.parcel import Handed, Means, Parcel, Taken, hand_over
from appliance.queue.smtpclient import Session, connect
from appliance.queue.smtpsettings import LoginPolicy, Settings, TLSMode, TLSPolicy, Weight

#: For whom a connection may be kept: all messages that go this way.
_PURPOSE: Final = "smarthost"


async def deliver(means: Means, parcel: Parcel, transport: Transport, taken: Taken, line: Line) -> Handed:
    """Hand a parcel to the smarthost of a transport."""
    smarthost = transport.smarthost
    assert smarthost is not None
    handed = Handed(host=smarthost.host.domain.ascii)
    kept = await line.take(_PURPOSE, {})
    if kept is not None:
        handed.remote, handed.tls_label = kept.remote, kept.label
        async with kept.session:
            await _hand_over(kept, parcel, handed, taken, line)
        failure = common_failure(handed.outcomes)
        if failure is None or not is_over(failure):
            return handed
    at = await hosts.configured(means.resolver, handed.host)
    if isinstance(at, Failure):
        handed.host = ""  # Nobody was asked.
        return handed.failed(parcel, at)
    settings = _settings(means, smarthost, immediate=transport.submissions is not None)
    handed.tls_label = settings.tls.mode.value
    try:
        connection = await connect(
            at.addresses,
            int(smarthost.port),
            log=means.log.bind(host=handed.host),
            sources=means.sources,
            seconds=means.world.times.dial,
            dialer=means.world.dialer,
        )
    except ClientError as error:
        return handed.failed(parcel, error.failure)
    handed.remote = connection.remote
    handed.opened += 1
    async with Session(connection, settings, random=means.random, shutdown=means.shutdown) as session:
        try:
            await session.open()
        except ClientError as error:
            return handed.failed(parcel, _passing(error.failure))
        kept = Kept(session=session, host=handed.host, label=handed.tls_label)
        await _hand_over(kept, parcel, handed, taken, line)
    return handed


async def _hand_over(kept: Kept, parcel: Parcel, handed: Handed, taken: Taken, line: Line) -> None:
    handed.outcomes = await hand_over(kept.session, parcel, handed, taken, insist_8bitmime=True)
    line.keep(kept, _PURPOSE)


def _settings(means: Means, smarthost: Smarthost, *, immediate: bool) -> Settings:
    mode = TLSMode.IMMEDIATE if immediate else TLSMode.SKIP if smarthost.no_starttls else TLSMode.REQUIRED
    host = smarthost.host.domain.ascii
    weight = Weight.REPORTED if smarthost.starttls_insecure_skip_verify else Weight.ENFORCED
    login = None
    if smarthost.auth is not None:
        secrets = Login(smarthost.auth.username, smarthost.auth.password)
        # Whoever switches TLS off for a server with a login has it on a machine or network of his own.
        login = LoginPolicy(secrets, smarthost.auth.allowed_mechanisms, insecure_passwords=smarthost.no_starttls)
    checks = () if mode is TLSMode.SKIP else (means.by_authorities(host, weight),)
    policy = TLSPolicy(mode, means.context, host, checks)
    return Settings(ehlo_name=means.ehlo_name, tls=policy, login=login, times=means.world.times)


def _passing(failure: Failure) -> Failure:
    """For now, whatever it says."""
    if not failure.permanent:
        return failure
    status = failure.status if failure.remote else Status(4, failure.status.subject, failure.status.detail)
    return replace(failure, permanent=False, status=status, code=failure.code if failure.remote else 0)
