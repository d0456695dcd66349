"""Passkeys as pages have them: what a browser is asked, and what it brings; octets are in base64url."""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec

from appliance.base import limits
from appliance.config.schema import doc
from appliance.operations import passkeys, secondfactor, websessions
from appliance.operations.passkeys import Answer, Asked, Place
from appliance.protocol.webauthn import ceremony
from appliance.servers.web.api import APIError, Call, Wire
from appliance.store import records
from appliance.store.tables import AccountID

#: Of any part of an answer, in base64url; each has its own bound in octets, too.
_CHARACTERS: Final = 64 * 1024
Octets = Annotated[str, msgspec.Meta(max_length=_CHARACTERS)]


class Passkey(Wire):
    """A key pair of a browser, a device or a password manager, of which the public half is here."""

    id: str
    name: str
    host: Annotated[str, doc("Where it works: the name of this server at which it was added.")]
    created: datetime
    last_used: Annotated[datetime | None, doc("null: never.")]

    @staticmethod
    def of(one: records.Passkey) -> "Passkey":
        """As it is kept."""
        return Passkey(
            id=passkeys.id_of(one),
            name=one.name,
            host=one.relying_party,
            created=websessions.time(one.created),
            last_used=websessions.time(one.last_used) if one.last_used else None,
        )


class PasskeyQuestion(Wire):
    """For `navigator.credentials.get`: userVerification `preferred`, and no list of credentials."""

    challenge: str
    relying_party: str
    seconds: Annotated[int, doc("How long an answer may take.")]


class PasskeyLogin(PasskeyQuestion):
    """The same for a login, with a token as from LoginPrep."""

    login_token: str


class PasskeyOffer(PasskeyQuestion):
    """For `navigator.credentials.create`: residentKey `required`, userVerification `preferred`, attestation `none`."""

    user_handle: str
    user_name: str
    algorithms: Annotated[list[int], doc("Of COSE, the best first.")]
    exclude: Annotated[list[str], doc("Credentials that are there already.")]


class PasskeyAnswer(Wire):
    """What an authenticator answered: the parts of a PublicKeyCredential with an AuthenticatorAssertionResponse."""

    credential_id: Octets
    client_data: Octets
    authenticator_data: Octets
    signature: Octets
    user_handle: Octets = ""


class NewPasskey(Wire):
    """A passkey that was made: the parts of an AuthenticatorAttestationResponse."""

    client_data: Octets
    attestation_object: Octets

    def named(self, name: str) -> secondfactor.NewPasskey:
        """With the name that its owner gives it. Raises APIError."""
        return secondfactor.NewPasskey(name, _octets(self.client_data), _octets(self.attestation_object))


def _octets(text: str) -> bytes:
    try:
        return ceremony.octets_of(text)
    except ceremony.WebAuthnError as error:
        raise APIError("user:error", str(error)) from error


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _place(call: Call) -> Place:
    return Place.of(call.client.host, secure=call.client.is_secure)


def session_asked(call: Call, purpose: str = "show a passkey") -> Asked:
    """What is asked of a browser that is logged in, for one purpose. Raises NoPasskeysHere."""
    assert call.session is not None
    return Asked(call.entrance.challenges, f"{purpose} {call.session.digest.hex()}", _place(call))


def login_asked(call: Call, token: str) -> Asked:
    """What is asked of a browser that logs in. Raises NoPasskeysHere."""
    return Asked(call.entrance.challenges, f"log in {token}", _place(call))


def question(asked: Asked) -> PasskeyQuestion:
    """A new challenge."""
    return PasskeyQuestion(
        challenge=_text(asked.challenges.new(asked.purpose)),
        relying_party=asked.place.relying_party,
        seconds=limits.PASSKEY_SECONDS,
    )


def offer(asked: Asked, account: AccountID, present: Iterable[records.Passkey], who: str) -> PasskeyOffer:
    """A new challenge for making one."""
    here = asked.place.relying_party
    return PasskeyOffer(
        challenge=_text(asked.challenges.new(asked.purpose)),
        relying_party=here,
        seconds=limits.PASSKEY_SECONDS,
        user_handle=_text(passkeys.handle_of(account)),
        user_name=who,
        algorithms=list(ceremony.ALGORITHMS),
        exclude=[_text(one.credential) for one in present if one.relying_party == here],
    )


def answer_of(passkey: PasskeyAnswer, asked: Asked) -> Answer:
    """What came, as octets. Raises APIError."""
    return Answer(
        credential=_octets(passkey.credential_id),
        authenticator_data=_octets(passkey.authenticator_data),
        client_data=_octets(passkey.client_data),
        signature=_octets(passkey.signature),
        handle=_octets(passkey.user_handle),
        asked=asked,
    )


def session_answer(call: Call, passkey: PasskeyAnswer | None) -> Answer | None:
    """The answer to PasskeyAsk, if there is one."""
    return None if passkey is None else answer_of(passkey, session_asked(call))


def login_answer(call: Call, token: str, passkey: PasskeyAnswer | None) -> Answer | None:
    """The answer to PasskeyLoginPrep, if there is one."""
    return None if passkey is None else answer_of(passkey, login_asked(call, token))
