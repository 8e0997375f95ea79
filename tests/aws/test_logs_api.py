"""The CloudWatch Logs API of `muster serve`, asked by boto3 and by the AWS CLI, and what muster itself puts into its logs."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import environment

WATCH_ALL = "[clusters]\nall = true\n"
QUIET = WATCH_ALL + "[telemetry]\nrecords = false\njournal = false\n"
GROUP, STREAM = "/lab/till", "one"


def client(served, key="AKIAANYTHING", secret="anything", **more):
    return boto3.client(
        "logs", endpoint_url=served.address, region_name="eu-central-1", aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30, **more),
    )


def now_ms():
    return int(time.time() * 1000)


def messages(events):
    return [event["message"] for event in events]


def refusal(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]


@pytest.fixture
def logs(serve):
    return client(serve(QUIET))


@pytest.fixture
def stream(logs):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    return logs


def put(logs, *texts, at=None):
    start = at or now_ms() - 1000
    events = [{"timestamp": start + index, "message": text} for index, text in enumerate(texts)]
    return logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)


def test_groups_and_streams_live_as_in_aws(logs):
    logs.create_log_group(logGroupName=GROUP, tags={"team": "blue"})
    assert refusal(logs.create_log_group, logGroupName=GROUP)["Code"] == "ResourceAlreadyExistsException"
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/lab")["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (GROUP, 7)
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "blue"}
    for name in ("b", "a"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    names = [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=GROUP)["logStreams"]]
    assert names == ["a", "b"]
    logs.delete_log_stream(logGroupName=GROUP, logStreamName="a")
    logs.delete_log_group(logGroupName=GROUP)
    assert logs.describe_log_groups()["logGroups"] == []
    assert refusal(logs.describe_log_streams, logGroupName=GROUP)["Code"] == "ResourceNotFoundException"


def test_events_come_back_byte_for_byte_and_in_order(stream):
    texts = ['{"b": 1.50, "a": [1, null, "ü"]}', "plain\ttext", '{"b":2}', " {not json", '{"b": 1.50, "a": [1, null, "ü"]}']
    assert "rejectedLogEventsInfo" not in put(stream, *texts)
    got = stream.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)
    assert messages(got["events"]) == texts
    pages = list(stream.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 2}))
    assert messages(event for page in pages for event in page["events"]) == texts
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 5
    found = stream.filter_log_events(logGroupName=GROUP, filterPattern="{ $.b > 1.6 }")
    assert messages(found["events"]) == ['{"b":2}']


def test_batches_beyond_the_limits_are_refused_and_what_is_out_of_time_is_told(stream):
    late = put(stream, "too late", at=now_ms() - 15 * 24 * 3600 * 1000)
    assert late["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
    early = put(stream, "too early", at=now_ms() + 3 * 3600 * 1000)
    assert early["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] == 0
    start = now_ms() - 5000
    backwards = [{"timestamp": start + 1, "message": "b"}, {"timestamp": start, "message": "a"}]
    error = refusal(stream.put_log_events, logGroupName=GROUP, logStreamName=STREAM, logEvents=backwards)
    assert error["Code"] == "InvalidParameterException" and "chronological" in error["Message"]
    huge = [{"timestamp": start, "message": "x" * 600_000}] * 2
    error = refusal(stream.put_log_events, logGroupName=GROUP, logStreamName=STREAM, logEvents=huge)
    assert "Upload too large" in error["Message"]
    assert stream.filter_log_events(logGroupName=GROUP)["events"] == []
    most = [{"timestamp": start, "message": f"line {number}"} for number in range(10_000)]
    stream.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=most)
    assert len(stream.filter_log_events(logGroupName=GROUP)["events"]) == 10_000


def test_what_was_acknowledged_survives_a_kill(serve, tmp_path):
    served = serve(QUIET, "--data-dir", str(tmp_path / "data"))
    logs = client(served)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    logs.put_query_definition(name="kept", queryString="fields @message")
    for number in range(20):
        put(logs, f"line {number}", at=now_ms())
    served.process.send_signal(signal.SIGKILL)
    served.process.wait(timeout=10)
    logs = client(serve(QUIET, "--data-dir", str(tmp_path / "data")))
    found = logs.filter_log_events(logGroupName=GROUP)["events"]
    assert messages(found) == [f"line {number}" for number in range(20)]
    assert [found["name"] for found in logs.describe_query_definitions()["queryDefinitions"]] == ["kept"]


KEYS = QUIET + """api_keys = [
  { access_key_id = "AKIAMUSTERWRITER1", secret = "file:writer" },
  { access_key_id = "AKIAMUSTERREADER1", secret = "file:reader", read_only = true },
]
"""


def test_with_keys_only_a_right_signature_is_let_in(serve, tmp_path):
    (tmp_path / "writer").write_text("canary-writer-secret\n")
    (tmp_path / "reader").write_text("canary-reader-secret\n")
    served = serve(KEYS)
    writer = client(served, "AKIAMUSTERWRITER1", "canary-writer-secret")
    writer.create_log_group(logGroupName=GROUP)
    reader = client(served, "AKIAMUSTERREADER1", "canary-reader-secret")
    assert len(reader.describe_log_groups()["logGroups"]) == 1
    assert refusal(reader.delete_log_group, logGroupName=GROUP)["Code"] == "AccessDeniedException"
    wrong = client(served, "AKIAMUSTERWRITER1", "canary-reader-secret")
    assert refusal(wrong.describe_log_groups)["Code"] == "InvalidSignatureException"
    unknown = client(served, "AKIASOMEBODYELSE1", "canary-writer-secret")
    assert refusal(unknown.describe_log_groups)["Code"] == "UnrecognizedClientException"
    unsigned = client(served, signature_version=UNSIGNED)
    assert refusal(unsigned.describe_log_groups)["Code"] == "MissingAuthenticationTokenException"
    assert "canary" not in served.log.read_text()


def aws_cli(served, *arguments):
    program = Path(sys.executable).parent / "aws"
    done = subprocess.run(
        [str(program), *arguments, "--endpoint-url", served.address, "--output", "json"],
        env=environment(served.address, AWS_PAGER="", AWS_DEFAULT_REGION="eu-central-1"), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_aws_cli_needs_nothing_but_the_endpoint(serve):
    served = serve(QUIET)
    aws_cli(served, "logs", "create-log-group", "--log-group-name", GROUP)
    aws_cli(served, "logs", "create-log-stream", "--log-group-name", GROUP, "--log-stream-name", STREAM)
    event = json.dumps([{"timestamp": now_ms(), "message": "paid 12.50"}])
    aws_cli(served, "logs", "put-log-events", "--log-group-name", GROUP, "--log-stream-name", STREAM, "--log-events", event)
    found = aws_cli(served, "logs", "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", "paid")
    assert messages(found["events"]) == ["paid 12.50"]
    tail = aws_cli(served, "logs", "get-log-events", "--log-group-name", GROUP, "--log-stream-name", STREAM)
    assert messages(tail["events"]) == ["paid 12.50"] and tail["nextForwardToken"].startswith("f/")
    tried = aws_cli(served, "logs", "test-metric-filter", "--filter-pattern", "[what, price > 12]", "--log-event-messages", "paid 12.50", "paid 11")
    assert [match["eventNumber"] for match in tried["matches"]] == [1]


def records(logs, group):
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [(event["logStreamName"], json.loads(event["message"])) for event in events]


def test_muster_makes_the_records_of_the_fleet_it_watches(aws, serve):
    aws.add_cluster("lab", tags={"ecs-agent-monitoring": "enabled"})
    aws.add_hosts("lab", 2)
    ecs = aws.client("ecs")
    container = {"name": "app", "image": "app:1", "memory": 64, "cpu": 32}
    ecs.register_task_definition(family="till", containerDefinitions=[container], cpu="256", memory="512")
    # moto starts none of a service's tasks: exactly when nothing runs its counts are wanted.
    ecs.create_service(cluster="lab", serviceName="till", taskDefinition="till", desiredCount=3)
    ecs.run_task(cluster="lab", taskDefinition="till", count=1, launchType="EC2")
    served = serve(WATCH_ALL + "[telemetry]\nrecords = true\n")
    group = "/aws/ecs/containerinsights/lab/performance"
    logs = client(served)
    found = served.until("there are records of the cluster and its service", lambda: len(records(logs, group)) >= 2 and records(logs, group), 60)
    by_type = {record["Type"]: (stream, record) for stream, record in found}
    stream, cluster = by_type["Cluster"]
    assert stream == "ClusterTelemetry-lab" and (cluster["ServiceCount"], cluster["Timestamp"] % 60_000) == (1, 0)
    stream, service = by_type["Service"]
    assert stream == "ServiceTelemetry-till" and service["DesiredTaskCount"] == 3
    assert service["CloudWatchMetrics"][0]["Dimensions"] == [["ServiceName", "ClusterName"]]
    assert all("CpuUtilized" not in record for _, record in found), "no host has told what is used"
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["retentionInDays"] == 30
