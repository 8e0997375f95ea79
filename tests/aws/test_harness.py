"""The harness itself, with boto3: what the other tests lean on must hold."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from harness import REGION


def listed(aws, cluster):
    pages = aws.client("ecs").get_paginator("list_container_instances").paginate(cluster=cluster)
    return [page["containerInstanceArns"] for page in pages]


def test_hosts_are_listed_a_hundred_a_page(aws):
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 120)
    pages = listed(aws, "prod-a")
    assert [len(page) for page in pages] == [100, 20]
    assert sorted(arns) == sorted(arn for page in pages for arn in page)


def test_a_cluster_that_does_not_exist_is_an_error(aws):
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        listed(aws, "nowhere")


@pytest.mark.parametrize("detailed", [True, False])
def test_an_agent_that_goes_away_is_described_as_away(aws, detailed):
    aws.detailed = detailed
    aws.add_cluster("prod-a")
    one, two = aws.add_hosts("prod-a", 2)
    aws.set_agents("prod-a", False, [one])
    answer = aws.client("ecs").describe_container_instances(cluster="prod-a", containerInstances=[one, two])
    told = {host["containerInstanceArn"]: host for host in answer["containerInstances"]}
    assert (told[one]["agentConnected"], told[two]["agentConnected"]) == (False, True)
    if detailed:
        assert (told[one]["version"], told[two]["version"]) == (2, 1)
        names = {attribute["name"] for attribute in told[one]["attributes"]}
        assert {"ecs.availability-zone", "ecs.instance-type", "ecs.ami-id"} <= names
    else:
        assert not told[one].get("version")


def test_health_is_described_only_when_asked_for(aws):
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 1)
    ecs = aws.client("ecs")
    plain = ecs.describe_container_instances(cluster="prod-a", containerInstances=arns)
    asked = ecs.describe_container_instances(
        cluster="prod-a", containerInstances=arns, include=["CONTAINER_INSTANCE_HEALTH"]
    )
    assert "healthStatus" not in plain["containerInstances"][0]
    assert asked["containerInstances"][0]["healthStatus"]["overallStatus"] == "OK"


def test_events_reach_the_queue_through_the_rule_in_the_order_of_versions(aws):
    aws.add_cluster("prod-a")
    (arn,) = aws.add_hosts("prod-a", 1)
    queue = aws.queue_of_events()
    aws.set_agents("prod-a", False, [arn])
    aws.set_agents("prod-a", True, [arn])
    messages = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    events = sorted((json.loads(message["Body"]) for message in messages), key=lambda event: event["detail"]["version"])
    assert [(event["detail"]["version"], event["detail"]["agentConnected"]) for event in events] == [(2, False), (3, True)]
    for event in events:
        assert event["source"] == "aws.ecs" and event["region"] == REGION and event["account"] == "123456789012"
        assert event["detail-type"] == "ECS Container Instance State Change"
        assert event["resources"] == [arn]


def test_an_external_host_is_known_to_ssm(aws):
    aws.add_cluster("edge")
    arn = aws.add_external_host("edge", ping="ConnectionLost")
    machine = aws.host("edge", arn).ec2_instance_id
    known = aws.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert [(one["InstanceId"], one["PingStatus"]) for one in known] == [(machine, "ConnectionLost")]


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("http-500", ClientError),
        ("html", ClientError),
        ("throttle", ClientError),
        ("denied", ClientError),
        ("expired", ClientError),
    ],
)
def test_faults_reach_the_client_and_end_after_their_times(aws, kind, raised):
    aws.add_cluster("prod-a")
    fault = aws.fault(kind, service="ecs", action="ListContainerInstances", times=1)
    with pytest.raises(raised):
        listed(aws, "prod-a")
    assert fault.met == 1
    assert listed(aws, "prod-a") == [[]]


def test_half_a_document_is_an_empty_answer_to_boto3(aws):
    """Which is why muster must not take an answer without its list for an empty cluster."""
    aws.add_cluster("prod-a")
    aws.fault("truncated", service="ecs", action="ListContainerInstances", times=1)
    answer = aws.client("ecs").list_container_instances(cluster="prod-a")
    assert "containerInstanceArns" not in answer


def test_a_hanging_endpoint_is_let_go_when_faults_are_cleared(aws):
    import boto3
    from botocore.config import Config

    aws.add_cluster("prod-a")
    aws.fault("hang", service="ecs")
    impatient = boto3.client(
        "ecs",
        region_name=REGION,
        endpoint_url=aws.endpoint,
        config=Config(retries={"max_attempts": 0}, read_timeout=0.2),
    )
    with pytest.raises(ReadTimeoutError):
        impatient.list_clusters()
    aws.clear_faults()
    assert len(impatient.list_clusters()["clusterArns"]) == 1


def test_the_control_port_does_what_the_class_does(aws):
    def tell(path, body):
        request = urllib.request.Request(aws.control + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    tell("/clusters", {"name": "prod-b"})
    arns = tell("/hosts", {"cluster": "prod-b", "count": 2})["arns"]
    tell("/agents", {"cluster": "prod-b", "ids": arns[:1], "connected": False})
    assert [aws.host("prod-b", arn).agent_connected for arn in arns] == [False, True]
    with urllib.request.urlopen(aws.control + "/calls", timeout=10) as answer:
        assert json.load(answer)["ecs:CreateCluster"] == 1


def test_connections_are_kept(aws):
    import http.client

    host, port = aws.endpoint.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/20260101/{REGION}/ecs/aws4_request, SignedHeaders=host, Signature=0",
    }
    sockets = set()
    for _ in range(3):
        connection.request("POST", "/", body="{}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200 and json.load(answer) == {"clusterArns": []}
        sockets.add(connection.sock.getsockname())
    assert len(sockets) == 1
