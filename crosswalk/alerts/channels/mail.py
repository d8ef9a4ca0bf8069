"""E-mail over SMTP: STARTTLS or TLS, never less than what is set. One thread an incident, one Message-ID a message.

A message whose answer was lost is sent again under the same Message-ID, which mail programs show once.
"""

from __future__ import annotations

import html
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from crosswalk.alerts.channels.base import TIMEOUT, Broken, Delivery, NotSent, Sent, Unfit, Unknown, cut
from crosswalk.clock import Clock, SystemClock
from crosswalk.http import redact

SUBJECT, LINE, CAUSE = 180, 2_000, 20_000
PORTS = {"starttls": 587, "tls": 465, "none": 25}


def post(delivery: Delivery, clock: Clock | None = None) -> Sent:
    """Send one mail. Raises the troubles of base."""
    message = mail(delivery, clock or SystemClock())
    server = _connected(delivery)
    try:
        refused = server.send_message(message)
    except smtplib.SMTPException as error:
        raise _trouble(error) from error
    except OSError as error:
        raise Unknown(redact.text(f"no answer from the mail server: {error}")) from error
    finally:
        _quit(server)
    told = "; ".join(f"{who}: {code} {_text(why)}" for who, (code, why) in refused.items())
    warning = f"refused: {told}" if told else ""
    return Sent(str(message["Message-ID"]), warning or f"taken by {delivery.channel.text('host')}", warning)


def _connected(delivery: Delivery) -> smtplib.SMTP:
    """A server that is spoken to as set, and has let us in."""
    channel = delivery.channel
    security, host = channel.text("security", "starttls"), channel.text("host")
    port = int(channel.text("port") or PORTS[security])
    user = delivery.secret("user") if channel.text("user") else ""
    password = delivery.secret("password") if user else ""
    try:
        context = ssl.create_default_context(cafile=channel.text("ca_file") or None)
        if security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    except ssl.SSLCertVerificationError as error:
        raise Broken(f"the mail server's certificate is not trusted: {error.verify_message}") from error
    except smtplib.SMTPException as error:
        raise _trouble(error) from error
    except OSError as error:
        raise NotSent(f"no connection to the mail server {host}:{port}: {error}") from error
    try:
        _let_in(server, security, context, user, password)
    except BaseException:
        server.close()
        raise
    return server


def _let_in(server: smtplib.SMTP, security: str, context: ssl.SSLContext, user: str, password: str) -> None:
    try:
        if security == "starttls":
            server.starttls(context=context)
        if user:
            server.login(user, password)
    except ssl.SSLCertVerificationError as error:
        raise Broken(f"the mail server's certificate is not trusted: {error.verify_message}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise Broken(redact.text(f"the mail server cannot do what is set: {error}")) from error
    except smtplib.SMTPServerDisconnected as error:
        raise NotSent(redact.text(f"the mail server hung up: {error}")) from error
    except smtplib.SMTPException as error:
        raise _trouble(error) from error
    except OSError as error:
        raise NotSent(redact.text(f"no answer from the mail server: {error}")) from error


def _trouble(error: smtplib.SMTPException) -> Exception:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        words = "; ".join(f"{who}: {code} {_text(why)}" for who, (code, why) in error.recipients.items())
        words = redact.text(f"the mail server refused every recipient: {words}")
        return NotSent(words) if all(400 <= code < 500 for code in codes) else Broken(words)
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
        words = redact.text(f"the mail server says {code} {_text(error.smtp_error)}")
        if 400 <= code < 500:
            return NotSent(words)
        return Unfit(words) if code in (552, 554) and isinstance(error, smtplib.SMTPDataError) else Broken(words)
    return Unknown(redact.text(f"no answer from the mail server: {type(error).__name__} {error}"))


def _quit(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def mail(delivery: Delivery, clock: Clock) -> EmailMessage:
    """The mail: text and HTML, the same subject for all of an incident, threaded under its first."""
    channel, told = delivery.channel, delivery.message
    message = EmailMessage()
    sender, to = channel.text("sender"), channel.values["to"]
    message["From"] = header(sender) if parseaddr(sender)[0] else formataddr(("Crosswalk", header(sender)))
    message["To"] = ", ".join(header(one) for one in ([to] if isinstance(to, str) else to))
    subject = cut(header(delivery.subject or told.title), SUBJECT) + f" ({delivery.incident})"
    message["Subject"] = f"Re: {subject}" if delivery.root else subject
    message["Date"] = format_datetime(clock.now())
    domain = parseaddr(sender)[1].rpartition("@")[2] or "crosswalk.invalid"
    message["Message-ID"] = f"<{re.sub('[^A-Za-z0-9-]', '.', delivery.incident)}.{delivery.seq}.{delivery.id}@{domain}>"
    if delivery.root:
        message["In-Reply-To"] = header(delivery.root)
        message["References"] = header(delivery.root)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content("\n".join(_lines(delivery)))
    if not delivery.minimal:
        message.add_alternative(_html(delivery), subtype="html")
    return message


def header(value: str) -> str:
    """A header's value on one line: nothing in an error may begin another header."""
    return " ".join(str(value).split())


def _lines(delivery: Delivery) -> list[str]:
    told = delivery.message
    lines = [told.title, ""]
    if not delivery.minimal:
        lines += [f"{f.label}: {cut(delivery.words(f), LINE)}" for f in delivery.facts()]
    lines += ["", cut(told.cause, CAUSE)] if told.cause else []
    lines += ["", f"Next by itself: {cut(told.then, LINE)}"] if told.then else []
    lines += [f"To do: {cut(told.command, LINE)}"] if told.command else []
    lines += [f"{told.link[0]}: {told.link[1]}"] if told.link else []
    return [*lines, "", f"crosswalk {delivery.incident}"]


def _html(delivery: Delivery) -> str:
    told = delivery.message
    rows = "".join(
        f"<tr><th align=left valign=top>{_safe(f.label)}</th><td>{_safe(cut(delivery.words(f), LINE))}</td></tr>"
        for f in delivery.facts()
    )
    parts = [f"<h3>{_safe(told.title)}</h3>", f"<table cellpadding=4>{rows}</table>" if rows else ""]
    parts += [f"<pre style='white-space:pre-wrap'>{html.escape(cut(told.cause, CAUSE))}</pre>"] if told.cause else []
    parts += [f"<p><b>Next by itself</b><br>{_safe(told.then)}</p>"] if told.then else []
    parts += [f"<p><b>To do</b><br><code>{_safe(told.command)}</code></p>"] if told.command else []
    if told.link and told.link[1].startswith(("http://", "https://")):
        parts.append(f'<p><a href="{html.escape(told.link[1], quote=True)}">{_safe(told.link[0])}</a></p>')
    return "".join(parts) + f"<p><small>crosswalk {_safe(delivery.incident)}</small></p>"


def _safe(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
