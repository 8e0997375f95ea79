"""Pages on their way: by SMTP to a real mail server with STARTTLS and a login, by SNS and SES to moto, with secrets that
lie in Parameter Store and Secrets Manager."""

import asyncio
import json
import ssl
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.policy import default as mail_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import environment, example
from harness import ACCOUNT, REGION

PASSWORD = "canary-password"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/prod-a"


@pytest.fixture(scope="session")
def driver() -> str:
    """The example that sends pages."""
    return example("muster", "send")


def page(kind: str = "firing", hosts: int = 2, number: int = 1, **more) -> dict:
    samples = [
        {
            "subject": f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/prod-a/{index:032x}",
            "machine": f"i-{index:017x}",
            "cluster": CLUSTER,
            "zone": f"{REGION}b",
            "says": "agent-lost: its agent is away for 3 min",
        }
        for index in range(min(hosts, 20))
    ]
    return {
        "id": number,
        "receiver": "team",
        "kind": kind,
        "key": "muster/prod-a/agent-away/3-1700000000",
        "severity": "critical",
        "title": f"prod-a: {hosts} hosts in trouble, größer <b>als</b> gedacht",
        "lines": ["the control plane lost them at once"],
        "clusters": [CLUSTER],
        "hosts": hosts,
        "samples": samples,
        "trouble": "agent-away",
        "cases": [4],
        "since": "2026-10-02T08:15:31Z",
        "at": "2026-10-02T08:19:00Z",
    } | more


@pytest.fixture
def send(aws, driver, tmp_path):
    """Sends pages to the receivers of a configuration. Returns what became of each, and everything that was printed."""

    def run(receiver: str, *pages: dict, timeout: float = 60, **more: str):
        (tmp_path / "muster.toml").write_text(f'[[receiver]]\nname = "team"\nretry_secs = 20\n{receiver}')
        done = subprocess.run(
            [driver, "muster.toml"],
            cwd=tmp_path,
            env=environment(aws.endpoint, **more),
            input="".join(json.dumps(each) + "\n" for each in pages),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()], done.stdout + done.stderr

    return run


# --- e-mail -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of `localhost` and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


class MailServer(Controller):
    """aiosmtpd: wants STARTTLS (or TLS at once) and a login, keeps what it is told, and refuses what it is asked to."""

    def __init__(self, certificate=None, at_once: bool = False, login: bool = True, refusals: tuple[str, ...] = ()) -> None:
        self.messages = []
        self.logins = []
        self.encrypted = []
        self.refusals = list(refusals)
        self.login = login
        self.at_once = at_once
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        super().__init__(self, hostname="127.0.0.1", port=0, ssl_context=self.context if at_once else None)

    def factory(self):
        return SMTP(
            self,
            tls_context=None if self.at_once else self.context,
            require_starttls=bool(self.context) and not self.at_once,
            auth_required=self.login,
            # TLS at once is TLS, too; aiosmtpd counts STARTTLS alone.
            auth_require_tls=bool(self.context) and not self.at_once,
            authenticator=self.authenticate,
        )

    def _trigger_server(self):
        """Port 0 is only known once it listens; the base class would connect to port 0, and waits for its own connection."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def authenticate(self, _server, _session, _envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append((mechanism, data.login.decode()))
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)

    async def handle_DATA(self, server, session, envelope):
        if self.refusals:
            return self.refusals.pop(0)
        self.encrypted.append(self.at_once or session.ssl is not None)
        self.messages.append((envelope, message_from_bytes(envelope.content, policy=mail_policy)))
        await asyncio.sleep(0)
        return "250 taken"


@pytest.fixture
def mail_server(certificate):
    started = []

    def start(**options) -> MailServer:
        options.setdefault("certificate", certificate)
        server = MailServer(**options)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop(no_assert=True)


def smtp(server: MailServer, certificate, **more) -> str:
    options = {
        "kind": "smtp",
        "host": "localhost",
        "port": server.port,
        "from": "muster <muster@example.com>",
        "to": ["oncall@example.com", "Größe <team@example.com>"],
        "user": "muster",
        "password": "env:MUSTER_MAIL_PASSWORD",
        "ca_file": str(certificate[0]),
    } | more
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in options.items() if value is not None)


def test_mail_goes_by_starttls_with_a_login_and_hangs_together_by_incident(send, mail_server, certificate):
    server = mail_server()
    pages = [page("firing"), page("update", number=2), page("resolved", number=3)]
    results, printed = send(smtp(server, certificate), *pages, MUSTER_MAIL_PASSWORD=PASSWORD)
    assert results == ["delivered"] * 3, printed
    assert server.encrypted == [True] * 3
    assert {login for _, login in server.logins} == {"muster"}
    assert "canary" not in printed
    envelope, first = server.messages[0]
    assert envelope.mail_from == "muster@example.com"
    assert envelope.rcpt_tos == ["oncall@example.com", "team@example.com"]
    assert first["Subject"] == "[FIRING] prod-a: 2 hosts in trouble, größer <b>als</b> gedacht"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"] and first["Message-ID"] and first["MIME-Version"]
    plain, html = (part.get_content() for part in first.iter_parts())
    assert "the control plane lost them at once" in plain and "i-00000000000000001" in plain
    assert "&lt;b&gt;als" in html and "<b>" not in html
    for _, later in server.messages[1:]:
        assert later["In-Reply-To"] == first["Message-ID"] == later["References"]
        assert later["Message-ID"] != first["Message-ID"]
    assert all(len(line) <= 998 for each, _ in server.messages for line in each.content.split(b"\r\n"))


def test_mail_goes_by_tls_from_the_first_byte_on(send, mail_server, certificate):
    server = mail_server(at_once=True)
    results, printed = send(smtp(server, certificate, tls="implicit"), page(), MUSTER_MAIL_PASSWORD=PASSWORD)
    assert results == ["delivered"], printed
    assert len(server.messages) == 1


def test_mail_is_not_sent_to_a_server_that_nobody_vouches_for_or_that_offers_no_tls(send, mail_server, certificate):
    server = mail_server()
    (result,), printed = send(smtp(server, certificate, ca_file=None), page(), MUSTER_MAIL_PASSWORD=PASSWORD)
    assert "certificate" in result["given-up"]["why"], printed
    server = mail_server(certificate=None, login=False)
    (result,), printed = send(smtp(server, certificate), page(), MUSTER_MAIL_PASSWORD=PASSWORD)
    assert "STARTTLS" in result["given-up"]["why"], printed
    assert not server.logins and not server.messages, "no password without TLS"


def test_a_wrong_password_is_told_without_it(send, mail_server, certificate):
    server = mail_server()
    (result,), printed = send(smtp(server, certificate), page(), MUSTER_MAIL_PASSWORD="canary-wrong")
    assert "did not accept the login (535)" in result["given-up"]["why"]
    assert "canary" not in printed and not server.messages


def test_mail_that_is_refused_for_now_is_sent_again_and_mail_that_is_refused_for_good_is_not(send, mail_server, certificate):
    server = mail_server(refusals=("451 come back later", "452 no room"))
    results, printed = send(smtp(server, certificate), page(), MUSTER_MAIL_PASSWORD=PASSWORD)
    assert results == ["delivered"] and len(server.messages) == 1, printed
    server = mail_server(refusals=("554 no thanks",) * 3)
    (result,), _ = send(smtp(server, certificate), page(), MUSTER_MAIL_PASSWORD=PASSWORD)
    assert "554" in result["given-up"]["why"] and "no thanks" in result["given-up"]["why"]
    assert len(server.refusals) == 2, "one try"


def test_mail_to_this_machine_may_go_without_tls(send, mail_server, certificate):
    server = mail_server(certificate=None, login=False)
    options = {"tls": "none", "user": None, "password": None, "ca_file": None}
    results, printed = send(smtp(server, certificate, **options), page(**{"title": "a\r\nBcc: evil@example.com"}))
    assert results == ["delivered"], printed
    ((_, message),) = server.messages
    assert message["Bcc"] is None and "Bcc: evil" in message["Subject"], "a line break starts no header"


def test_ses_is_asked_to_send_mail(send, aws):
    aws.client("sesv2").create_email_identity(EmailIdentity="muster@example.com")
    receiver = 'kind = "ses"\nfrom = "muster@example.com"\nto = ["oncall@example.com"]\n'
    results, printed = send(receiver, page(), page("resolved", number=2))
    assert results == ["delivered"] * 2, printed
    from moto.ses.models import ses_backends

    sent = ses_backends[ACCOUNT][REGION].sent_messages
    assert len(sent) == 2
    assert sent[0].source == "muster@example.com"
    assert sent[0].destinations["ToAddresses"] == ["oncall@example.com"]
    assert sent[0].subject == "[FIRING] prod-a: 2 hosts in trouble, größer <b>als</b> gedacht"
    assert "the control plane lost them at once" in sent[0].body


def test_ses_that_does_not_know_the_sender_is_told_with_what_to_do(send, aws):
    receiver = 'kind = "ses"\nfrom = "stranger@example.com"\nto = ["oncall@example.com"]\n'
    (result,), printed = send(receiver, page())
    assert "ses:SendEmail" in result["given-up"]["why"], printed


# --- SNS ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def topic(aws):
    """A topic that a queue listens to: its ARN, and what has come to the queue so far."""

    def make(name: str = "pages"):
        sns, sqs = aws.client("sns"), aws.client("sqs")
        fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        arn = sns.create_topic(Name=name, Attributes=fifo)["TopicArn"]
        queue = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)

        def come() -> list[dict]:
            bodies = []
            while True:
                got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
                if not got:
                    return bodies
                for message in got:
                    bodies.append(json.loads(message["Body"]))
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

        return arn, come

    return make


def test_sns_carries_a_page_to_a_queue(send, topic):
    arn, come = topic()
    results, printed = send(f'kind = "sns"\ntopic = "{arn}"\n', page(), page("resolved", number=2))
    assert results == ["delivered"] * 2, printed
    first, over = come()
    assert first["Subject"] == "[FIRING] prod-a: 2 hosts in trouble, gr??er <b>als</b> gedacht"
    assert "the control plane lost them at once" in first["Message"] and "größer" in first["Message"]
    assert first["MessageAttributes"]["severity"]["Value"] == "critical"
    assert over["MessageAttributes"]["kind"]["Value"] == "resolved" and over["Subject"].startswith("[RESOLVED] ")


def test_a_subject_is_cut_to_what_sns_takes_and_a_long_page_to_its_bytes(send, topic):
    arn, come = topic()
    long = page(title="ä" * 300, lines=["ü" * 600] * 500)
    results, printed = send(f'kind = "sns"\ntopic = "{arn}"\n', long)
    assert results == ["delivered"], printed
    (told,) = come()
    assert len(told["Subject"]) <= 99 and told["Subject"].isascii() and told["Subject"].endswith("...")
    assert len(told["Message"].encode()) <= 262_144 and told["Message"].endswith("(the rest is cut)")


def test_a_fifo_topic_keeps_the_order_and_takes_a_page_once(send, topic):
    arn, come = topic("pages.fifo")
    receiver = f'kind = "sns"\ntopic = "{arn}"\n'
    results, printed = send(receiver, page(), page(), page("update", number=2))
    assert results == ["delivered"] * 3, printed
    again, _ = send(receiver, page())
    assert again == ["delivered"]
    assert [told["Subject"].split("]")[0] for told in come()] == ["[FIRING", "[UPDATE"]


def test_each_host_is_told_once_in_the_form_of_connection_monitoring(send, topic):
    arn, come = topic("hosts.fifo")
    receiver = f'kind = "sns"\ntopic = "{arn}"\nform = "connection-monitoring"\n'
    pages = [page("firing", 2), page("update", 3, number=2), page("resolved", 3, number=3)]
    results, printed = send(receiver, *pages)
    assert results == ["delivered"] * 3, printed
    told = come()
    ids = [f"i-{index:017x}" for index in range(3)]
    assert [message["Subject"] for message in told[:3]] == [f"[ISSUE] ECS Instance - {host}" for host in ids]
    assert [message["Message"] for message in told[:3]] == [
        f"[ISSUE] ECS Container Instance {host} from Cluster {CLUSTER} has the ECS Agent disconnected." for host in ids
    ]
    assert [message["Subject"][:10] for message in told[3:]] == ["[RESOLVED]"]


def test_nothing_is_dropped_that_the_form_of_connection_monitoring_has_no_words_for(send, topic):
    arn, come = topic()
    receiver = f'kind = "sns"\ntopic = "{arn}"\nform = "connection-monitoring"\n'
    results, printed = send(receiver, page(hosts=25), page(number=2, trouble="drain-stuck"), page("heartbeat", number=3))
    assert results == ["delivered"] * 3, printed
    subjects = [message["Subject"] for message in come()]
    assert sum(subject.startswith("[ISSUE]") for subject in subjects) == 20
    assert sum(subject.startswith("[FIRING]") for subject in subjects) == 2, "25 hosts, and the stuck drain"
    assert sum(subject.startswith("[HEARTBEAT]") for subject in subjects) == 1


def test_the_form_of_the_agent_monitor_lists_hosts_under_its_own_subject(send, topic):
    arn, come = topic()
    receiver = f'kind = "sns"\ntopic = "{arn}"\nform = "agent-monitor"\n'
    decision = "muster will drain what can be drained and have the Auto Scaling group replace the machine"
    results, printed = send(receiver, page(), page("update", 1, number=2, decision=decision))
    assert results == ["delivered"] * 2, printed
    tracked, replaced = sorted(come(), key=lambda message: "has detected" not in message["Message"])
    assert tracked["Subject"] == replaced["Subject"] == "AWS Lambda: ECS-Agent-Monitor"
    assert "\"The instance `i-00000000000000001' in the `prod-a' ECS cluster failed." in tracked["Message"]
    assert "\ni-00000000000000000\n" in replaced["Message"] and "`ecs-agent' process has died" in replaced["Message"]


def test_a_topic_that_is_not_there_is_told_with_what_to_do(send, aws):
    receiver = f'kind = "sns"\ntopic = "arn:aws:sns:{REGION}:{ACCOUNT}:nobody"\n'
    (result,), _ = send(receiver, page())
    assert "sns:Publish" in result["given-up"]["why"] and "nobody" in result["given-up"]["why"]


def test_a_throttled_publish_is_tried_again(send, topic, aws):
    arn, come = topic()
    fault = aws.fault("throttle", service="sns", action="Publish", times=2)
    results, printed = send(f'kind = "sns"\ntopic = "{arn}"\n', page())
    assert results == ["delivered"], printed
    assert fault.met == 2 and len(come()) == 1


# --- secrets in AWS -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hook():
    """A webhook on loopback: its address, and the paths that were posted to."""
    paths = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments):
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("place", ["ssm:/muster/hook", "secretsmanager:muster/hook", "secretsmanager:muster/json#url"])
def test_the_address_of_a_webhook_may_lie_in_aws(send, aws, hook, place):
    address, paths = hook
    url = f"{address}/canary-path"
    aws.client("ssm").put_parameter(Name="/muster/hook", Value=url, Type="SecureString")
    aws.client("secretsmanager").create_secret(Name="muster/hook", SecretString=url)
    aws.client("secretsmanager").create_secret(Name="muster/json", SecretString=json.dumps({"url": url}))
    receiver = f'kind = "webhook"\nurl = "{place}"\nallow_http = true\nallow_private = true\n'
    results, printed = send(receiver, page())
    assert results == ["delivered"], printed
    assert paths == ["/canary-path"] and "canary" not in printed


def test_a_secret_that_is_not_in_aws_is_told_by_its_place_and_waited_for(send, aws):
    receiver = 'kind = "webhook"\nurl = "ssm:/muster/nothing"\n'
    (result,), printed = send(receiver, page())
    assert "ssm:/muster/nothing" in result["given-up"]["why"] and "tries" in result["given-up"]["why"]
    assert "[[receiver]] team: its secret could not be read" in printed
