"""E-mail alerts at a real mail server: encrypted as set or not at all, let in, threaded, and its answers read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_kit import World, failed
from mail_kit import PASSWORD, MailServer, certificate, mail_server

from crosswalk.alerts.channels import mail
from crosswalk.alerts.channels.base import Broken, Delivery, NotSent, Unfit, Unknown
from crosswalk.alerts.message import Message

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it is TLS from the start
MESSAGE = Message("error", "[production] orders failed", (), "boom", "", "crosswalk status", None, "inc-1")


@pytest.fixture(scope="module")
def served() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def server(served: MailServer, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    """A server with STARTTLS and AUTH that has forgotten what was before."""
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD.decode())
    served.mails.clear()
    served.refuse.clear()
    served.answers.clear()
    return served


def part(port: int, security: str = "starttls", **more: str) -> str:
    values = {
        "host": '"127.0.0.1"', "port": str(port), "security": f'"{security}"', "sender": '"crosswalk@example.com"',
        "to": '["ops@example.com", "books@example.com"]', "user": '"alerts"', "password": '"env:TEST_SMTP_PASSWORD"',
        "ca_file": f'"{certificate()[0]}"', **more,
    }  # fmt: skip
    lines = "".join(f"{name} = {value}\n" for name, value in values.items() if value)
    return f'[channels.mail]\nkind = "smtp"\n{lines}'


def delivery(world: World, text: str, **more: object) -> Delivery:
    (channel,) = world.settings(text).channels.values()
    values = {"kind": "opened", "id": "n1", "incident": "inc-1", "seq": 0, "message": MESSAGE, **more}
    return Delivery(channel, **values)  # type: ignore[arg-type]


def test_an_incident_is_one_thread(small: World, server: MailServer) -> None:
    """Opened, reminded, recovered: one subject, each refers to the first by its Message-ID, none asks for an answer."""
    incidents = small.incidents(part(server.port))
    name = incidents.raise_(failed())
    incidents.send_due()
    small.later(incidents, 3700, step=1800)
    incidents.succeeded("orders", (), ())
    incidents.send_due()
    first, reminder, recovered = server.mails
    assert str(first["Subject"]) == f"[sandbox] orders failed: MappingError ({name})"
    assert {str(m["Subject"]) for m in (reminder, recovered)} == {f"Re: {first['Subject']}"}
    assert [m["References"] for m in server.mails] == [None, first["Message-ID"], first["Message-ID"]]
    assert len({m["Message-ID"] for m in server.mails}) == 3
    assert {m["Auto-Submitted"] for m in server.mails} == {"auto-generated"}
    body = recovered.get_body(("plain",))
    assert body is not None and "recovered: orders failed" in body.get_content() and "Lasted: 1 h" in body.get_content()
    assert recovered.get_body(("html",)) is not None


def test_a_message_sent_again_has_the_same_id(small: World, server: MailServer) -> None:
    """The server took it and hung up: nobody knows; the second copy carries the same Message-ID."""
    incidents = small.incidents(part(server.port))
    server.drop = True
    incidents.raise_(failed())
    incidents.send_due()
    small.later(incidents, 300)
    assert len(server.mails) == 2 and len({m["Message-ID"] for m in server.mails}) == 1


@pytest.mark.parametrize("security", ["tls", "none"])
def test_other_ways_in(small: World, security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS from the first byte; and an internal relay without any, only because it is set so."""
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD.decode())
    with mail_server(security) as server:
        more = {"user": "", "password": ""} if security == "none" else {}
        mail.post(delivery(small, part(server.port, security, **more)))
        assert len(server.mails) == 1


def test_encryption_is_never_given_up(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without STARTTLS, or whose certificate nobody vouches for, gets neither password nor mail."""
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD.decode())
    with mail_server("none") as plain, pytest.raises(Broken, match="STARTTLS"):
        mail.post(delivery(small, part(plain.port)))
    with mail_server("starttls") as other:
        for security in ("starttls", "tls"):
            if security == "starttls":
                with pytest.raises(Broken, match="certificate is not trusted"):
                    mail.post(delivery(small, part(other.port, security, ca_file="")))
        assert plain.mails == other.mails == []


def test_a_wrong_password_breaks_the_channel(small: World, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """535 is for a person; the password is in no error."""
    monkeypatch.setenv("TEST_SMTP_PASSWORD", "wrong-112233")
    with pytest.raises(Broken, match="535") as refused:
        mail.post(delivery(small, part(server.port)))
    assert "wrong-112233" not in refused.value.what


@pytest.mark.parametrize(("answer", "kind"), [("451 try later", NotSent), ("552 too large", Unfit), ("550 no", Broken)])
def test_the_servers_answers_are_read_as_what_they_mean(
    small: World, server: MailServer, answer: str, kind: type[Exception]
) -> None:
    """4xx passes by itself, 552 is the message's fault, other 5xx are for a person."""
    server.answers.append(answer)
    with pytest.raises(kind):
        mail.post(delivery(small, part(server.port)))


def test_refused_recipients_are_named(small: World, server: MailServer) -> None:
    """Some refused: the others have it, and who has not is said; all refused for good: the channel is broken."""
    server.refuse = {"ops@example.com": "550 5.1.1 no such user"}
    sent = mail.post(delivery(small, part(server.port)))
    assert "ops@example.com: 550" in sent.warning and len(server.mails) == 1
    server.refuse["books@example.com"] = "550 5.1.1 no such user"
    with pytest.raises(Broken, match="every recipient"):
        mail.post(delivery(small, part(server.port)))
    server.refuse = dict.fromkeys(server.refuse, "450 4.2.0 greylisted")
    with pytest.raises(NotSent):
        mail.post(delivery(small, part(server.port)))


def test_nobody_at_home_is_tried_again(small: World, server: MailServer) -> None:
    """A refused connection sent nothing; a hang-up after the text is an unknown outcome."""
    with pytest.raises(NotSent):
        mail.post(delivery(small, part(9)))
    server.drop = True
    with pytest.raises(Unknown):
        mail.post(delivery(small, part(server.port)))


def test_no_error_text_begins_a_header(small: World, server: MailServer, tmp_path: Path) -> None:
    """Line ends in a title stay inside the subject."""
    title = "orders failed\r\nBcc: everybody@example.com\r\n\r\nnonsense"
    mail.post(delivery(small, part(server.port), message=MESSAGE, subject=title))
    (arrived,) = server.mails
    assert arrived["Bcc"] is None and "everybody" in str(arrived["Subject"])
