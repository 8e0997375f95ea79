"""The lab's own commands and queries, on a pretend fleet whose hosts tell what their containers use."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from conftest import Served, environment
from test_simulator_clients import PROGRAM, Simulator

SCENARIO = """\
lasts = "10h"
[faults.api]
unlimited = true

[[cluster]]
name = "EcsLabPublicCluster"
hosts = 3
tags = { ecs-agent-monitoring = "enabled" }

[[cluster.service]]
name = "EcsLabApi"
tasks = 4

[[cluster.service]]
name = "EcsLabWeb"
tasks = 2
"""
GROUP = "/aws/ecs/containerinsights/EcsLabPublicCluster/performance"
QUERIES = {
    "cpu": "STATS avg(CpuUtilized) as avg_node_cpu_utilization by TaskDefinitionFamily\n| SORT avg_node_cpu_utilization DESC",
    "hosts": "STATS avg(ContainerInstanceCount) as instance_count by ClusterName\n| SORT ClusterName desc",
    "tasks": "stats avg(RunningTaskCount) as container_count by ServiceName",
}


class Lab:
    """A pretend account, a muster that watches it, and the two clients of a user."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "lab.toml").write_text(SCENARIO)
        (folder / "muster.toml").write_text("[clusters]\nall = true\n[telemetry]\nrecords = true\n")
        self.account = Simulator(folder / "lab.toml", "--telemetry", f"http://127.0.0.1:{port}")
        self.log = folder / "serve.log"
        process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", f"127.0.0.1:{port}", "--config", "muster.toml", "--data-dir", "data"],
            cwd=folder, env=environment(self.account.url), stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True,
        )
        self.served = Served(process, self.log)
        self.served.wait_for_address(60)
        self.logs = boto3.client(
            "logs", endpoint_url=self.served.address, region_name="eu-central-1", aws_access_key_id="any",
            aws_secret_access_key="any", config=Config(retries={"total_max_attempts": 1}),
        )

    def stop(self):
        for process in (self.served.process, self.account.process):
            process.terminate()
            process.wait(timeout=30)

    def records(self):
        try:
            events = self.logs.filter_log_events(logGroupName=GROUP)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"]) for event in events]

    def cli(self, *arguments, endpoint=None):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "aws"), *arguments, "--output", "json", "--endpoint-url", endpoint or self.served.address],
            env=environment(self.account.url, AWS_PAGER="", AWS_DEFAULT_REGION="eu-central-1"), capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def query(self, text):
        now = int(time.time())
        window = ("--start-time", str(now - 3600), "--end-time", str(now + 60))
        started = self.cli("logs", "start-query", "--log-group-name", GROUP, *window, "--query-string", text)
        for _ in range(200):
            answer = self.cli("logs", "get-query-results", "--query-id", started["queryId"])
            if answer["status"] not in ("Scheduled", "Running"):
                return answer
            time.sleep(0.1)
        pytest.fail(f"not complete: {answer}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.served.until("all kinds of records are there", lambda: {"Cluster", "Service", "Task", "Container"} <= {record["Type"] for record in lab.records()}, 90)
    yield lab
    lab.stop()


def test_the_hosts_figures_are_there_and_no_task_is_told_twice_a_minute(lab):
    def tasks():
        return [record for record in lab.records() if record["Type"] == "Task"]

    lab.served.until("all six tasks are told", lambda: len({record["TaskId"] for record in tasks()}) == 6)
    tasks = tasks()
    for record in tasks:
        assert 0 < record["CpuUtilized"] < 2 * record["CpuReserved"] and record["MemoryUtilized"] <= record["MemoryReserved"]
    told = [(record["TaskId"], record["Timestamp"]) for record in tasks]
    assert len(told) == len(set(told))


def test_the_labs_first_commands_answer_as_they_stand(lab):
    listed = lab.cli("ecs", "list-clusters", endpoint=lab.account.url)
    assert [arn.split("/")[-1] for arn in listed["clusterArns"]] == ["EcsLabPublicCluster"]
    setting = "name=containerInsights,value=enabled"
    answer = lab.cli("ecs", "update-cluster-settings", "--cluster", "EcsLabPublicCluster", "--settings", setting, endpoint=lab.account.url)
    assert answer["cluster"]["settings"] == [{"name": "containerInsights", "value": "enabled"}]


def rows(answer):
    assert answer["status"] == "Complete", answer
    return [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]


def test_the_labs_three_queries_answer_what_the_records_say(lab):
    by_family = rows(lab.query(QUERIES["cpu"]))
    told = [float(row["avg_node_cpu_utilization"]) for row in by_family if "avg_node_cpu_utilization" in row]
    assert len(told) == 2 and told == sorted(told, reverse=True) and min(told) > 0
    by_cluster = [row for row in rows(lab.query(QUERIES["hosts"])) if "instance_count" in row]
    assert by_cluster == [{"ClusterName": "EcsLabPublicCluster", "instance_count": "3"}]
    by_service = {row.get("ServiceName"): row.get("container_count") for row in rows(lab.query(QUERIES["tasks"]))}
    assert (by_service["EcsLabApi"], by_service["EcsLabWeb"]) == ("4", "2")


def test_a_row_of_records_leads_back_to_its_whole_record(lab):
    (row, *_) = rows(lab.query("fields @timestamp, Type, TaskId | filter Type = 'Task' | limit 1"))
    record = lab.logs.get_log_record(logRecordPointer=row["@ptr"])["logRecord"]
    assert (record["TaskId"], record["Type"]) == (row["TaskId"], "Task") and record["@log"].endswith(GROUP)


def test_a_query_that_is_none_is_refused_with_its_place(lab):
    with pytest.raises(lab.logs.exceptions.MalformedQueryException) as refused:
        lab.logs.start_query(logGroupName=GROUP, startTime=0, endTime=1, queryString="statz count(*)")
    place = refused.value.response["queryCompileError"]["location"]
    assert (place["startCharOffset"], place["endCharOffset"]) == (0, 5)


def test_the_journal_can_be_queried_too(lab):
    found = lab.served.until("the journal is a log", lambda: lab.logs.describe_log_streams(logGroupName="/muster/journal")["logStreams"], 30)
    assert found[0]["logStreamName"] == "entries" and found[0]["lastEventTimestamp"] > 0
