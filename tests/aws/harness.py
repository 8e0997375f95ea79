"""moto, made to behave like the parts of AWS that muster watches.

moto keeps every agent connected for ever, answers a list in one page, and says nothing when something changes. This
module runs moto in the process and adds what is missing:

* agents that go away and come back, hosts that drain, are terminated or vanish, each with the `version` of ECS going up
  and an `ECS Container Instance State Change` event sent through moto's own EventBridge, so that its rules decide what
  reaches its SQS;
* ListContainerInstances in pages of at most 100, and an error for a cluster that does not exist;
* `version`, `healthStatus` and more attributes in DescribeContainerInstances (`detailed`), or moto's bare answer;
* DescribeInstanceInformation of SSM, which moto lacks, commands to the machines that are named and to no others, and the
  `account` of an event;
* faults on the wire: HTTP 500, a page of HTML, half of a JSON document, throttling, a denial, silence, or an error
  after the call took effect.

Tests use the class. Other programs can run the module and talk to its control port:

    python harness.py
    {"endpoint": "http://127.0.0.1:40113", "control": "http://127.0.0.1:38455"}
    POST /clusters {"name": "prod-a"}                 POST /hosts {"cluster": "prod-a", "count": 3}
    POST /agents   {"cluster": "prod-a", "ids": null, "connected": false}
    POST /faults   {"kind": "throttle", "service": "ecs", "action": null, "times": 2}      DELETE /faults
    POST /reset    {}                                 GET /calls
"""

from __future__ import annotations

import io
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Before moto is imported: a thousand machine images are of no use here and cost seconds.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")

import boto3
from botocore.config import Config
from moto.core.responses import ActionResult
from moto.ecs import ecs_backends
from moto.ecs.exceptions import ClusterNotFoundException
from moto.ecs.models import ContainerInstance
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.events import events_backends
from moto.events.utils import EventTemplateParser
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ssm.models import Command
from moto.ssm.responses import SimpleSystemManagerResponse
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

ACCOUNT = "123456789012"
REGION = "eu-central-1"
PAGE_HOSTS_MAX = 100
STATE_CHANGE = "ECS Container Instance State Change"
AMI = "ami-0c1d2e3f4a5b6c7d8"


@dataclass
class Fault:
    """A disturbance of the wire. `None` for service or action means any; for times, until cleared."""

    kind: str  # http-500 | html | truncated | throttle | denied | forbidden (S3's denial) | expired | hang | lost (done, and a 500 all the same)
    service: str | None = None
    action: str | None = None
    times: int | None = None
    met: int = field(default=0)

    def applies(self, service: str, action: str) -> bool:
        if self.times is not None and self.met >= self.times:
            return False
        return self.service in (None, service) and self.action in (None, action)


class KeepAlive(WSGIRequestHandler):
    """Serves many requests a connection, as AWS does: werkzeug's own closes each."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(body)
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        payload = b"".join(chunks)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log(self, *_args: object, **_kwargs: object) -> None:
        """Silent: the tests read `calls` instead."""


class Harness:
    """One pretend account in this process. Start it, use it, reset it between tests."""

    def __init__(self) -> None:
        self.detailed = True
        self.faults: list[Fault] = []
        self.calls: Counter[tuple[str, str]] = Counter()
        self.external: dict[str, str] = {}
        self.reached: dict[str, str] = {}
        self.released = threading.Event()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    # --- its life ---------------------------------------------------------------------------------------------------

    def start(self) -> "Harness":
        self._teach_moto()
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=KeepAlive)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="moto", daemon=True).start()
        self._control = ThreadingHTTPServer(("127.0.0.1", 0), control_of(self))
        self._control.daemon_threads = True
        self.control = f"http://127.0.0.1:{self._control.server_port}"
        threading.Thread(target=self._control.serve_forever, name="control", daemon=True).start()
        return self

    def stop(self) -> None:
        self.clear_faults()
        for server in (self._server, self._control):
            server.shutdown()
            server.server_close()

    def reset(self) -> None:
        """An empty account, no faults, no calls counted."""
        self.clear_faults()
        self.external.clear()
        self.reached.clear()
        self.detailed = True
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()
        with self._lock:
            self.calls.clear()

    def client(self, service: str):
        """A boto3 client of this account that gives up quickly."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"max_attempts": 0}, read_timeout=10),
        )

    # --- the account's truth ----------------------------------------------------------------------------------------

    @property
    def _ecs(self):
        return ecs_backends[ACCOUNT][REGION]

    def add_cluster(self, name: str, tags: dict[str, str] | None = None) -> str:
        listed = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        return self.client("ecs").create_cluster(clusterName=name, tags=listed)["cluster"]["clusterArn"]

    def add_hosts(self, cluster: str, count: int) -> list[str]:
        """Launches machines and registers them. Returns their container instance ARNs."""
        machines = self.client("ec2").run_instances(
            ImageId=AMI, MinCount=count, MaxCount=count, InstanceType="m5.large"
        )["Instances"]
        return [self._register(cluster, machine["InstanceId"]).container_instance_arn for machine in machines]

    def add_external_host(self, cluster: str, ping: str = "Online") -> str:
        """A machine of ECS Anywhere, known to SSM with this ping status."""
        host = self.host(cluster, self.add_hosts(cluster, 1)[0])
        self.client("ec2").terminate_instances(InstanceIds=[host.ec2_instance_id])
        host.ec2_instance_id = "mi-" + uuid.uuid4().hex[:17]
        self.external[host.ec2_instance_id] = ping
        return host.container_instance_arn

    def add_group(self, cluster: str, name: str, count: int, smallest: int = 0, largest: int = 10) -> list[str]:
        """An Auto Scaling group whose machines register and are known to SSM. Returns container instance ARNs."""
        scaling = self.client("autoscaling")
        scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId=AMI, InstanceType="m5.large")
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            MinSize=smallest,
            MaxSize=largest,
            DesiredCapacity=count,
            AvailabilityZones=[f"{REGION}a"],
        )
        machines = self.members(name)
        self.reached |= {machine: "Amazon Linux" for machine in machines}
        return [self._register(cluster, machine).container_instance_arn for machine in machines]

    def group(self, name: str) -> dict:
        """What Auto Scaling says of a group."""
        (group,) = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return group

    def members(self, name: str) -> list[str]:
        """Ids of a group's machines."""
        return [member["InstanceId"] for member in self.group(name)["Instances"]]

    def _register(self, cluster: str, machine: str) -> ContainerInstance:
        host = self._ecs.register_container_instance(cluster, machine)
        host.state_version = 1
        self.emit(host)
        return host

    def hosts(self, cluster: str) -> list[ContainerInstance]:
        return list(self._ecs.container_instances.get(cluster, {}).values())

    def host(self, cluster: str, arn: str) -> ContainerInstance:
        return self._ecs.container_instances[cluster][arn.split("/")[-1]]

    def set_agents(self, cluster: str, connected: bool, arns: Iterable[str] | None = None, told: bool = True) -> None:
        """Agents go away or come back: of these hosts, or of all. Untold, no event says so: only a sweep finds it."""
        chosen = self.hosts(cluster) if arns is None else [self.host(cluster, arn) for arn in arns]
        for host in chosen:
            if host.agent_connected != connected:
                host.agent_connected = connected
                host.state_version = getattr(host, "state_version", 1) + 1
                if told:
                    self.emit(host)

    def set_status(self, cluster: str, arn: str, status: str) -> None:
        host = self.host(cluster, arn)
        host.status = status
        host.state_version = getattr(host, "state_version", 1) + 1
        self.emit(host)

    def emit(self, host: ContainerInstance, copies: int = 1) -> dict:
        """Sends the host's present state through EventBridge; more copies are duplicates of one event."""
        detail = self.event_detail(host)
        entry = {
            "Source": "aws.ecs",
            "DetailType": STATE_CHANGE,
            "Detail": json.dumps(detail),
            "Resources": [host.container_instance_arn],
            "Time": time.time(),
        }
        for _ in range(copies):
            events_backends[ACCOUNT][REGION].put_events([entry])
        return detail

    def event_detail(self, host: ContainerInstance) -> dict:
        """The `detail` of a state change event, in the shape that ECS documents."""
        return {
            "agentConnected": host.agent_connected,
            "attributes": [{"name": name, "value": value} for name, value in host.attributes.items()],
            "attachments": [],
            "clusterArn": self._ecs.clusters[host.cluster_name].arn,
            "containerInstanceArn": host.container_instance_arn,
            "ec2InstanceId": host.ec2_instance_id,
            "pendingTasksCount": host.pending_tasks_count,
            "runningTasksCount": host.running_tasks_count,
            "registeredAt": iso(host.registered_at),
            "registeredResources": host.registered_resources,
            "remainingResources": host.remaining_resources,
            "status": host.status,
            "version": getattr(host, "state_version", 1),
            "versionInfo": host.version_info,
            "updatedAt": iso(datetime.now(timezone.utc)),
        }

    def queue_of_events(self, name: str = "muster-events") -> str:
        """A queue fed by an EventBridge rule for container instance events. Returns its URL."""
        sqs, events = self.client("sqs"), self.client("events")
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.ecs"], "detail-type": [STATE_CHANGE]}))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    # --- faults -----------------------------------------------------------------------------------------------------

    def fault(self, kind: str, service: str | None = None, action: str | None = None, times: int | None = None) -> Fault:
        if kind == "hang":
            self.released.clear()
        made = Fault(kind, service, action, times)
        self.faults.append(made)
        return made

    def clear_faults(self) -> None:
        self.faults.clear()
        self.released.set()

    def called(self, action: str) -> int:
        """How often an operation was asked for, of any service."""
        with self._lock:
            return sum(count for (_, named), count in self.calls.items() if named == action)

    def _serve(self, environ: dict, start_response) -> Iterable[bytes]:
        service, action = asked(environ)
        with self._lock:
            self.calls[(service, action)] += 1
            fault = next((fault for fault in self.faults if fault.applies(service, action)), None)
            if fault:
                fault.met += 1
        if fault is None:
            return self._app(environ, start_response)
        if fault.kind == "hang":
            self.released.wait(timeout=120)
            return self._app(environ, start_response)
        if fault.kind == "lost":
            run_wsgi_app(self._app, environ, buffered=True)
        status, content_type, body = FAULT_ANSWERS[fault.kind](service, action)
        start_response(status, [("Content-Type", content_type)])
        return [body.encode()]

    # --- what moto lacks --------------------------------------------------------------------------------------------

    def _teach_moto(self) -> None:
        harness = self
        plain_describe = EC2ContainerServiceResponse.describe_container_instances

        def list_container_instances(response: EC2ContainerServiceResponse) -> ActionResult:
            name = (response._get_param("cluster") or "default").split("/")[-1]
            if name not in response.ecs_backend.clusters:
                raise ClusterNotFoundException
            arns = response.ecs_backend.list_container_instances(name)
            status = response._get_param("status")
            if status:
                arns = [arn for arn in arns if harness.host(name, arn).status == status]
            size = min(int(response._get_param("maxResults") or PAGE_HOSTS_MAX), PAGE_HOSTS_MAX)
            start = int(response._get_param("nextToken") or 0)
            answer = {"containerInstanceArns": arns[start : start + size]}
            if start + size < len(arns):
                answer["nextToken"] = str(start + size)
            return ActionResult(answer)

        def describe_container_instances(response: EC2ContainerServiceResponse) -> ActionResult:
            if not harness.detailed:
                return plain_describe(response)
            hosts, failures = response.ecs_backend.describe_container_instances(
                response._get_param("cluster", "default"), response._get_param("containerInstances")
            )
            health = "CONTAINER_INSTANCE_HEALTH" in (response._get_param("include") or [])
            described = [harness._described(host, health) for host in hosts]
            return ActionResult({"failures": failures, "containerInstances": described})

        def describe_instance_information(_response: SimpleSystemManagerResponse) -> ActionResult:
            now = datetime.now(timezone.utc)
            external = [
                {"InstanceId": machine, "PingStatus": ping, "LastPingDateTime": now, "ResourceType": "ManagedInstance"}
                | {"PlatformType": "Linux", "PlatformName": "Ubuntu"}
                for machine, ping in harness.external.items()
            ]
            reached = [
                {"InstanceId": machine, "PingStatus": "Online", "LastPingDateTime": now, "ResourceType": "EC2Instance"}
                | {"PlatformType": "Linux", "PlatformName": platform}
                for machine, platform in harness.reached.items()
            ]
            return ActionResult({"InstanceInformationList": external + reached})

        def instances_of_targets(command: Command) -> list[str]:
            return instances_of(command) if command.targets else []

        instances_of = Command._get_instance_ids_from_targets
        Command._get_instance_ids_from_targets = instances_of_targets
        EC2ContainerServiceResponse.list_container_instances = list_container_instances
        EC2ContainerServiceResponse.describe_container_instances = describe_container_instances
        SimpleSystemManagerResponse.describe_instance_information = describe_instance_information
        template = EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE
        if '"account"' not in template:
            EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE = template.replace("{", '{"account": "<account>", ', 1)

    @staticmethod
    def _described(host: ContainerInstance, health: bool) -> dict:
        described = {
            "containerInstanceArn": host.container_instance_arn,
            "ec2InstanceId": host.ec2_instance_id,
            "version": getattr(host, "state_version", 1),
            "versionInfo": host.version_info,
            "remainingResources": host.remaining_resources,
            "registeredResources": host.registered_resources,
            "status": host.status,
            "agentConnected": host.agent_connected,
            "runningTasksCount": host.running_tasks_count,
            "pendingTasksCount": host.pending_tasks_count,
            "attributes": host.attributes | {"ecs.capability.task-eni": ""},
            "registeredAt": host.registered_at,
            "attachments": [],
        }
        if health:
            now = datetime.now(timezone.utc)
            check = {"type": "CONTAINER_RUNTIME", "status": "OK", "lastUpdated": now, "lastStatusChange": host.registered_at}
            described["healthStatus"] = {"overallStatus": "OK", "details": [check]}
        return described


def asked(environ: dict) -> tuple[str, str]:
    """Which service and operation a request is for: from the signature's scope, and the target header or the form."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else "unsigned"
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return service, target.rpartition(".")[2]
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    form = dict(pair.partition("=")[::2] for pair in body.decode("utf-8", "replace").split("&"))
    return service, form.get("Action", environ.get("PATH_INFO", ""))


def error(status: str, code: str, message: str):
    """An AWS error in the shape of the service's protocol."""

    def answer(service: str, _action: str) -> tuple[str, str, str]:
        if service == "ec2":
            body = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
            return status, "text/xml", body
        if service == "autoscaling":
            body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            return status, "text/xml", body
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})

    return answer


FAULT_ANSWERS = {
    "http-500": error("500 Internal Server Error", "ServerException", "Service Unavailable. Please try again later."),
    "lost": error("500 Internal Server Error", "ServerException", "Something went wrong after it was done."),
    "html": lambda *_: ("500 Internal Server Error", "text/html", "<!doctype html><title>500</title><h1>Internal Server Error</h1>"),
    "html-200": lambda *_: ("200 OK", "text/html", "<!doctype html><title>Sign in</title><p>Please sign in to the network."),
    "truncated": lambda *_: ("200 OK", "application/x-amz-json-1.1", '{"containerInstanceArns": ["arn:aws:ecs:eu-ce'),
    "throttle": error("400 Bad Request", "ThrottlingException", "Rate exceeded"),
    "denied": error(
        "400 Bad Request",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/observer is not authorized to perform: ecs:ListContainerInstances",
    ),
    "forbidden": lambda *_: (
        "403 Forbidden", "application/xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    ),
    "expired": error("400 Bad Request", "ExpiredTokenException", "The security token included in the request is expired"),
}


def iso(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def control_of(harness: Harness) -> type[BaseHTTPRequestHandler]:
    """The control port's request class, for programs that are not Python."""

    actions = {
        "/clusters": lambda ask: {"arn": harness.add_cluster(ask["name"], ask.get("tags"))},
        "/hosts": lambda ask: {"arns": harness.add_hosts(ask["cluster"], ask["count"])},
        "/agents": lambda ask: harness.set_agents(ask["cluster"], ask["connected"], ask.get("ids"), ask.get("told", True)),
        "/queues": lambda ask: {"url": harness.queue_of_events(ask.get("name", "muster-events"))},
        "/faults": lambda ask: {"kind": harness.fault(**ask).kind},
        "/reset": lambda _ask: harness.reset(),
    }

    class Control(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            ask = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.path not in actions:
                return self.answer(404, {"error": f"no such control: {self.path}; there are {sorted(actions)}"})
            try:
                self.answer(200, actions[self.path](ask) or {})
            except (KeyError, TypeError) as mistake:
                self.answer(400, {"error": f"{self.path}: {mistake!r}"})

        def do_DELETE(self) -> None:
            harness.clear_faults()
            self.answer(200, {})

        def do_GET(self) -> None:
            with harness._lock:
                self.answer(200, {f"{service}:{action}": count for (service, action), count in harness.calls.items()})

        def answer(self, status: int, body: dict) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_args: object) -> None:
            """Silent."""

    return Control


if __name__ == "__main__":
    running = Harness().start()
    print(json.dumps({"endpoint": running.endpoint, "control": running.control}), flush=True)
    threading.Event().wait()
