"""The lab of Container Insights from its first command to its last, as one transcript: the AWS CLI against `muster demo`, with
nothing but another endpoint. What the lab does in a console is done by the commands behind it. Its alarm is not in it yet."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import environment, first_line
from test_lab import GROUP, QUERIES
from test_simulator_clients import PROGRAM

CLUSTER, SERVICE = "EcsLabPublicCluster", "EcsLabApi"
PATIENCE_SECS = 120
DESIRED_AND_RUNNING = (
    "filter Type = 'Service' | stats latest(DesiredTaskCount) as desired, latest(RunningTaskCount) as running by ServiceName"
)


class Demo:
    """`muster demo` in a terminal of its own, and the terminal of whoever does the lab."""

    def __init__(self, folder):
        self.out = folder / "demo.txt"
        self.process = subprocess.Popen(
            [PROGRAM, "demo", "--scenario", "lab", "--keep-going", "--plain", "--listen", "127.0.0.1:0"],
            cwd=folder, env=environment("http://127.0.0.1:1"), stdout=subprocess.PIPE, stderr=(folder / "errors.txt").open("w"), text=True,
        )
        line = first_line(self.process, 60)
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)", line)
        assert found, f"the first line was {line!r}; {(folder / 'errors.txt').read_text()}"
        self.address = found[1]
        self.environment = environment(self.address, AWS_PAGER="", AWS_DEFAULT_REGION="eu-central-1", AWS_DEFAULT_OUTPUT="json")

    def types(self, command, *more):
        """Types a command as it stands in the lab; what a shell would quote follows it."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "aws"), *command.split()[1:], *more],
            env=self.environment, capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def until(self, what, true_of):
        deadline = time.monotonic() + PATIENCE_SECS
        while not (found := true_of()):
            assert self.process.poll() is None, f"the demo ended before {what}"
            assert time.monotonic() < deadline, f"not within {PATIENCE_SECS} s: {what}"
            time.sleep(0.3)
        return found

    def runs_query(self, text):
        """Puts a query into the editor and presses `Run query`."""
        now = int(time.time())
        window = f"--start-time {now - 3600} --end-time {now + 60}"
        started = self.types(f"aws logs start-query --log-group-name {GROUP} {window} --query-string", text)
        for _ in range(200):
            answer = self.types(f"aws logs get-query-results --query-id {started['queryId']}")
            if answer["status"] not in ("Scheduled", "Running"):
                assert answer["status"] == "Complete", answer
                return [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
            time.sleep(0.1)
        pytest.fail(f"not complete: {answer}")

    def service(self):
        (service,) = self.types(f"aws ecs describe-services --cluster {CLUSTER} --services {SERVICE}")["services"]
        return service

    def counts(self):
        service = self.service()
        return service["desiredCount"], service["runningCount"]

    def told(self):
        """Desired and running tasks of the service, as its newest record says."""
        rows = {row.get("ServiceName"): row for row in self.runs_query(DESIRED_AND_RUNNING)}
        return rows.get(SERVICE, {}).get("desired"), rows.get(SERVICE, {}).get("running")


@pytest.fixture
def demo(tmp_path):
    demo = Demo(tmp_path)
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()
    demo.process.wait(timeout=20)


def test_the_lab_from_its_first_command_to_its_last(demo):
    # ECS Cluster list
    listed = demo.types("aws ecs list-clusters")
    assert {arn.rpartition("/")[2] for arn in listed["clusterArns"]} == {"default", CLUSTER}

    # Enabling Container Insights, and for the account as later editions of the lab have it
    answer = demo.types(f"aws ecs update-cluster-settings --cluster {CLUSTER} --settings name=containerInsights,value=enabled")
    assert answer["cluster"]["clusterName"] == CLUSTER and answer["cluster"]["status"] == "ACTIVE"
    assert answer["cluster"]["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    answer = demo.types("aws ecs put-account-setting --name containerInsights --value enabled")
    assert answer["setting"]["value"] == "enabled"

    # Looking inside: the log group whose name ends in performance, its fields, its records of every kind
    groups = demo.types(f"aws logs describe-log-groups --log-group-name-prefix /aws/ecs/containerinsights/{CLUSTER}")["logGroups"]
    assert [group["logGroupName"] for group in groups] == [GROUP]

    def kinds():
        events = demo.types(f"aws logs filter-log-events --log-group-name {GROUP}")["events"]
        return {"Cluster", "Service", "Task", "Container"} <= {json.loads(event["message"])["Type"] for event in events}

    demo.until("there are records of every kind", kinds)
    middle = demo.types(f"aws logs filter-log-events --log-group-name {GROUP} --max-items 1")["events"][0]["timestamp"] // 1000
    fields = demo.types(f"aws logs get-log-group-fields --log-group-name {GROUP} --time {middle}")["logGroupFields"]
    assert {"@timestamp", "Type", "ClusterName"} <= {field["name"] for field in fields}

    # Query examples
    demo.until("both services have been told", lambda: len(demo.runs_query(QUERIES["tasks"])) >= 3)
    by_family = [row for row in demo.runs_query(QUERIES["cpu"]) if "avg_node_cpu_utilization" in row]
    used = [float(row["avg_node_cpu_utilization"]) for row in by_family]
    assert {row["TaskDefinitionFamily"] for row in by_family} == {SERVICE, "EcsLabWeb"}
    assert used == sorted(used, reverse=True) and min(used) > 0
    hosts = [row for row in demo.runs_query(QUERIES["hosts"]) if "instance_count" in row]
    assert {"ClusterName": CLUSTER, "instance_count": "1"} in hosts
    tasks = {row.get("ServiceName"): row.get("container_count") for row in demo.runs_query(QUERIES["tasks"])}
    assert (tasks[SERVICE], tasks["EcsLabWeb"]) == ("1", "1")
    # Without a name, as in the lab's picture: records that belong to no service
    assert None in tasks

    # Making trouble
    assert demo.counts() == (1, 1)
    demo.types(f"aws ecs update-service --cluster {CLUSTER} --service {SERVICE} --desired-count 4")
    demo.until("three of four tasks run", lambda: demo.counts() == (4, 3))

    # Seeing it in the events of the service, and in its records
    def unplaced():
        return [event for event in demo.service()["events"] if "was unable to place a task" in event["message"]]

    (event, *_) = demo.until("an event says why", unplaced)
    assert SERVICE in event["message"] and "insufficient memory" in event["message"]
    demo.until("its records say four and three", lambda: demo.told() == ("4", "3"))
    assert demo.counts() == (4, 3), "nothing mends itself"

    # Resolving it: another host
    demo.types(f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {CLUSTER} --desired-capacity 2 --max-size 4")
    demo.until("all four tasks run", lambda: demo.counts() == (4, 4))
    demo.until("its records say so too", lambda: demo.told() == ("4", "4"))
    newest = "filter Type = 'Cluster' | stats latest(ContainerInstanceCount) as hosts by ClusterName"
    demo.until("two hosts have tasks", lambda: {"ClusterName": CLUSTER, "hosts": "2"} in demo.runs_query(newest))

    # The same records by muster's own command, with numbers as numbers
    done = subprocess.run(
        [PROGRAM, "query", QUERIES["cpu"], "--group", "*performance", "--server", demo.address, "--output", "json"],
        env=demo.environment, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    by_family = {row.get("TaskDefinitionFamily"): row.get("avg_node_cpu_utilization") for row in json.loads(done.stdout)}
    assert by_family[SERVICE] > 0 and by_family["EcsLabWeb"] > 0

    demo.process.send_signal(signal.SIGINT)
    out, _ = demo.process.communicate(timeout=30)
    assert demo.process.returncode == 0 and "stopped." in out and "panicked" not in out
