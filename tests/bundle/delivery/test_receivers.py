"""Each kind of message, delivered by a real Alertmanager with the shipped example to a real server on loopback."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
import ssl
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

Json = dict[str, Any]

BUILD: Final = {"build": "lfs-12.4", "severity": "critical", "tier": "1"}
SUBJECT: Final = "[CRITICAL] lfs-12.4: 813-gcc failed (compiler-error)"

FENCED: Final = {
    "summary": "A build has failed and stopped.",
    "failed_step": "chapter-8 / 813-gcc",
    "failure_class": "compiler-error",
    "excerpt": "```\n@everyone [x](http://evil)",
    "runbook_url": "http://localhost:10110/runbook#buildfailed",
}


class Mailbox:
    """A mail server's handler: keeps what it is given, and who sent it."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 OK"

    def login(self, server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"correct horse")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path / "mail.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    subprocess.run(
        [openssl, "req", "-x509", *kind, *subject, "-keyout", str(path), "-out", str(tmp_path / "cert.pem")],
        check=True,
        capture_output=True,
        timeout=30,
    )
    with path.open("a") as file:
        file.write((tmp_path / "cert.pem").read_text())
    return path


@pytest.fixture
def mailbox(certificate: Path, port: Callable[[], int]) -> Iterator[tuple[Mailbox, str]]:
    """A mail server that demands TLS and a password, and its address."""
    box = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    tls: Json = {"require_starttls": True, "tls_context": context}
    # its LOGIN asks in words that Alertmanager does not know
    login: Json = {"auth_required": True, "authenticator": box.login, "auth_exclude_mechanism": ["LOGIN"]}
    controller = Controller(box, hostname="127.0.0.1", port=port(), **tls, **login)
    controller.start()
    yield box, f"127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def mailing(
    alertmanager: Callable[..., Any],
    configuration: Callable[[str], Json],
    mailbox: tuple[Mailbox, str],
    certificate: Path,
    tmp_path: Path,
) -> tuple[Any, Mailbox]:
    """Alertmanager with the example of mail, and the mailbox; only the server's address and certificate are changed."""
    box, address = mailbox
    config = configuration("email")
    config["global"]["smtp_smarthost"] = address
    for receiver in config["receivers"]:
        for each in receiver.get("email_configs", ()):
            each["tls_config"] = {"ca_file": str(certificate)}
    (tmp_path / "secrets/smtp-password").write_text("correct horse")
    return alertmanager(config), box


def parsed(mail: Envelope) -> EmailMessage:
    """Return a mail as a mail program reads it."""
    assert isinstance(mail.content, bytes)
    return email.message_from_bytes(mail.content, policy=email.policy.default)


def test_email(mailing: tuple[Any, Mailbox]) -> None:
    """A failure arrives by mail over TLS with a password: build and step in the subject, the log's text escaped."""
    running, box = mailing
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: box.mails, "the mail")
    assert box.logins[0] == (b"build-exporter@example.org", b"correct horse")
    (mail,) = box.mails
    assert mail.rcpt_tos == ["builder@example.org"]
    assert parsed(mail)["Subject"] == SUBJECT
    html, text = parsed(mail).get_body(("html",)), parsed(mail).get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html.get_content()
    assert "<script" not in html.get_content()
    assert "a.c:1: error: <script>" in text.get_content()
    running.post("BuildFailed", over=True, **BUILD)
    running.wait(lambda: len(box.mails) == 2, "the mail that it is over")
    assert parsed(box.mails[1])["Subject"].startswith("[OVER] lfs-12.4")


def test_a_hostile_step_adds_no_header_to_a_mail(mailing: tuple[Any, Mailbox]) -> None:
    """A step named like mail headers stays text in one subject line, and the mail goes to nobody else."""
    running, box = mailing
    step = "p / s\r\nBcc: thief@example.org\r\n\r\n<b>"
    running.post("BuildFailed", {"summary": "A build has failed.", "failed_step": step, "excerpt": "x"}, **BUILD)
    running.wait(lambda: box.mails, "the mail")
    (mail,) = box.mails
    assert mail.rcpt_tos == ["builder@example.org"]
    assert parsed(mail)["Bcc"] is None
    assert "Bcc: thief@example.org" in parsed(mail)["Subject"]


def aimed(config: Json, kind: str, address: str) -> Json:
    """Return a configuration whose receivers of a kind call a service's API at an address of this machine."""
    for receiver in config["receivers"]:
        for each in receiver.get(kind, ()):
            each["api_url"] = address
    return config


def rerouted(config: Json, there: str, here: str) -> Json:
    """Return a configuration that sends to an address of this machine what was for another one."""
    text = json.dumps(config)
    assert there in text
    return dict(json.loads(text.replace(there, here)))


PUBLISHED: Final = (
    b'<PublishResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>2</RequestId></ResponseMetadata></PublishResponse>"
)


def test_sms(
    alertmanager: Callable[..., Any], configuration: Callable[[str], Json], recorder: Callable[..., Any]
) -> None:
    """A failure is published to SNS: signed, to the number, in words that fit into one text message."""
    sns = recorder(PUBLISHED, "text/xml")
    running = alertmanager(aimed(configuration("sms"), "sns_configs", sns.url))
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: sns.requests, "the call of SNS")
    _, headers, body = sns.requests[0]
    sent = dict(urllib.parse.parse_qsl(body.decode()))
    assert sent["Action"] == "Publish"
    assert sent["PhoneNumber"] == "+12025550100"
    assert sent["Message"] == "CRITICAL lfs-12.4: chapter-8 / 813-gcc failed (compiler-error)"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
    running.wait(lambda: running.counted("alertmanager_notifications_total", "sns") == 1, "its count")
    assert running.counted("alertmanager_notifications_failed_total", "sns") == 0


@pytest.fixture
def moto(port: Callable[[], int], tmp_path: Path) -> Iterator[str]:
    """Moto's server, which is AWS' API on this machine; its address."""
    places = (None, *os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep))
    program = next((found for place in places if (found := shutil.which("moto_server", path=place))), None)
    if program is None:
        pytest.skip("moto_server is not installed (pip install 'moto[server]', BUNDLE_TOOLS)")
    number = port()
    with (tmp_path / "moto.log").open("wb") as log:
        process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(number)], stdout=log, stderr=log)
    yield f"http://127.0.0.1:{number}"
    process.terminate()
    process.wait(15)


def call_sns(url: str, **form: str) -> str:
    """Call an action of SNS' API and return the answer."""
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/eu-central-1/sns/aws4_request"}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), signed)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_sms_by_an_implementation_of_sns(
    alertmanager: Callable[..., Any],
    configuration: Callable[[str], Json],
    recorder: Callable[..., Any],
    moto: str,
    poll: Callable[..., None],
) -> None:
    """An independent implementation of SNS takes the text message, and passes a topic's on to its subscriber."""

    def answers() -> bool:
        try:
            return "TopicArn" in call_sns(moto, Action="CreateTopic", Name="builds")
        except OSError:
            return False

    poll(answers, 60, "moto answers")
    subscriber = recorder()
    topic = "arn:aws:sns:eu-central-1:123456789012:builds"
    call_sns(moto, Action="Subscribe", TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
    config = aimed(configuration("sms"), "sns_configs", moto)
    (page,) = [receiver for receiver in config["receivers"] if receiver["name"] == "page"]
    (sms,) = page["sns_configs"]
    by_topic = {key: value for key, value in sms.items() if key != "phone_number"}
    page["sns_configs"] = [sms, {**by_topic, "topic_arn": topic}]
    running = alertmanager(config)
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: running.counted("alertmanager_notifications_total", "sns") == 2, "both messages")
    assert running.counted("alertmanager_notifications_failed_total", "sns") == 0
    running.wait(lambda: any(b"813-gcc" in body for _, _, body in subscriber.requests), "the subscriber's message")
    (notified,) = [json.loads(body) for _, _, body in subscriber.requests if b"813-gcc" in body]
    assert notified["Message"] == "CRITICAL lfs-12.4: chapter-8 / 813-gcc failed (compiler-error)"


def test_slack(
    alertmanager: Callable[..., Any],
    configuration: Callable[[str], Json],
    recorder: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A failure is posted to Slack's webhook: colour, title, link, and the log's text with its markup disarmed."""
    slack = recorder(b"ok")
    (tmp_path / "secrets/slack-url").write_text(f"{slack.url}/services/x")
    running = alertmanager(configuration("slack"))
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: slack.requests, "Slack's message")
    (notified,) = slack.messages("/services/x")
    (attachment,) = notified["attachments"]
    assert notified["channel"] == "#builds"
    assert attachment["color"] == "danger"
    assert attachment["title"] == "[CRITICAL] lfs-12.4: A build has failed and stopped."
    assert attachment["title_link"] == "http://localhost:3000/d/build-now?var-build=lfs-12.4"
    assert "&lt;script&gt;" in attachment["text"]
    running.wait(lambda: running.counted("alertmanager_notifications_total", "slack") == 1, "its count")
    assert running.counted("alertmanager_notifications_failed_total", "slack") == 0


def test_telegram(
    alertmanager: Callable[..., Any], configuration: Callable[[str], Json], recorder: Callable[..., Any]
) -> None:
    """A failure is sent to Telegram's API with the bot's token, as HTML in which the log is text."""
    sent = b'{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":-1000000000000,"type":"group"},"text":"x"}}'
    telegram = recorder(sent, "application/json")
    running = alertmanager(aimed(configuration("telegram"), "telegram_configs", telegram.url))
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: telegram.requests, "Telegram's message")
    path, _, body = telegram.requests[0]
    notified = json.loads(body)
    assert path == "/bot0000000000:change-me/sendMessage"
    assert notified["chat_id"] == "-1000000000000"
    assert notified["parse_mode"] == "HTML"
    assert notified["text"].startswith(f"<b>{SUBJECT}</b>")
    assert "&lt;script&gt;" in notified["text"]


def test_ntfy(
    alertmanager: Callable[..., Any],
    configuration: Callable[[str], Json],
    recorder: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A failure is posted to the topic with the token and a high priority, for ntfy to make the text of."""
    ntfy = recorder()
    (tmp_path / "secrets/ntfy-token").write_text("tk_secret")
    running = alertmanager(rerouted(configuration("ntfy"), "https://ntfy.example.org", ntfy.url))
    running.post("BuildFailed", **BUILD)
    running.wait(lambda: ntfy.requests, "ntfy's message")
    path, headers, body = ntfy.requests[0]
    assert path == "/builds?template=alertmanager&priority=4"
    assert headers["authorization"] == "Bearer tk_secret"
    assert json.loads(body)["alerts"][0]["annotations"]["failed_step"] == "chapter-8 / 813-gcc"


def test_webhook(
    alertmanager: Callable[..., Any], configuration: Callable[[str], Json], recorder: Callable[..., Any]
) -> None:
    """A program of one's own gets the group as JSON; the dead man's switch goes to another address."""
    own = recorder()
    running = alertmanager(rerouted(configuration("webhook"), "http://localhost:8080", own.url))
    running.post("BuildFailed", **BUILD)
    running.post("BuildDeadMansSwitch", severity="info")
    running.wait(lambda: own.messages("/alerts") and own.messages("/heartbeat"), "both messages")
    (notified,) = own.messages("/alerts")
    assert notified["version"] == "4"
    assert notified["receiver"] == "page"
    assert notified["groupLabels"] == {"alertname": "BuildFailed", "build": "lfs-12.4"}
    assert own.notified("/heartbeat") == {("BuildDeadMansSwitch", "")}


def test_discord(
    alertmanager: Callable[..., Any], configuration: Callable[[str], Json], recorder: Callable[..., Any]
) -> None:
    """A failure is posted to Discord's webhook with its links, and what a log printed stays in its code block."""
    discord = recorder(b"")
    running = alertmanager(rerouted(configuration("discord"), "https://discord.com", discord.url))
    running.post("BuildFailed", FENCED, **BUILD)
    running.wait(lambda: discord.requests, "Discord's message")
    path, _, body = discord.requests[0]
    assert path == "/api/webhooks/0/change-me"
    (embed,) = json.loads(body)["embeds"]
    assert embed["title"] == SUBJECT
    assert embed["description"].count("```") == 2
    assert "[I have it](http://localhost:10110/alerts)" in embed["description"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_matrix(
    alertmanager: Callable[..., Any],
    configuration: Callable[[str], Json],
    recorder: Callable[..., Any],
    repository: Path,
) -> None:
    """What is posted to the Matrix bridge becomes one message by the shipped transformation, a log stays text."""
    bridge = recorder()
    running = alertmanager(rerouted(configuration("matrix"), "https://hookshot.example.org", bridge.url))
    running.post(
        "BuildFailed",
        {"summary": "A build has failed and stopped.", "description": "<script>alert(1)</script>"},
        **BUILD,
    )
    running.wait(lambda: bridge.messages("/webhook/00000000-page"), "the bridge's message")
    (notified,) = bridge.messages("/webhook/00000000-page")
    script = (repository / "alertmanager/examples/matrix.js").read_text()
    program = f"let result; const data = {json.dumps(notified)};\n{script}\nconsole.log(JSON.stringify(result));"
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert made["version"] == "v2"
    assert made["plain"].startswith("CRITICAL lfs-12.4: A build has failed")
    assert "<script>" not in made["html"]
    assert "&lt;script&gt;" in made["html"]
