"""boto3 and the AWS CLI as real clients of the pretend AWS account.

The simulator is started by the command in MUSTER_SIMULATE_CMD, or by `muster simulate` of the program the other tests
use, on a free port of loopback; its first line on stdout tells the address.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target"))
PROGRAM = os.environ.get("MUSTER_BIN", str(TARGET / "debug" / "muster"))
COMMAND = shlex.split(os.environ.get("MUSTER_SIMULATE_CMD", f"{shlex.quote(PROGRAM)} simulate"))
ACCOUNT, REGION, CLUSTER = "210987654321", "eu-central-1", "prod-a"
SECOND_ACCOUNT = "310987654321"
HOSTS = 250

SCENARIO = f"""\
# Two hundred and fifty hosts over three pages, one of them of ECS Anywhere, and a second account.
lasts = "10h"
[faults.api]
unlimited = true

[[cluster]]
name = "{CLUSTER}"
hosts = {HOSTS - 1}
external = 1
types = ["m6i.large", "c5.large"]
tags = {{ ecs-agent-monitoring = "enabled" }}

[[cluster.service]]
name = "api"
tasks = 130
network = "awsvpc"

[[cluster.service]]
name = "worker"
tasks = 5

[[cluster]]
name = "empty"

[[cluster]]
name = "elsewhere"
account = "{SECOND_ACCOUNT}"
hosts = 2
"""


class Simulator:
    """A running simulator."""

    def __init__(self, scenario, *more):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [*COMMAND, "--listen", "127.0.0.1:0", "--scenario", str(scenario), "--seed", "7", *more],
            stdout=subprocess.PIPE, env=environment, text=True,
        )
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, f"{COMMAND} said {line!r} first; is MUSTER_SIMULATE_CMD right?"
        self.url = found[1]

    def client(self, service, region=REGION, key="muster", secret="muster", token=None):
        return boto3.client(
            service, endpoint_url=self.url, region_name=region, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    def post(self, path, body=b""):
        request = urllib.request.Request(self.url + path, data=body, method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def advance(self, secs):
        return self.post(f"/_muster/advance?secs={secs}")

    def do(self, **deed):
        return self.post("/_muster/do", json.dumps(deed).encode())

    def truth(self):
        with urllib.request.urlopen(self.url + "/_muster/truth") as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.process.stdout.close()


def start(tmp_path_factory, scenario, *more):
    path = tmp_path_factory.mktemp("scenario") / "scenario.toml"
    path.write_text(scenario)
    return Simulator(path, *more)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    # Time stands still unless a test moves it: nothing happens behind a test's back.
    running = start(tmp_path_factory, SCENARIO, "--speed", "0")
    running.advance(1200)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ecs(simulator):
    return simulator.client("ecs")


@pytest.fixture(scope="module")
def host_arns(ecs):
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=CLUSTER)
    return [arn for page in pages for arn in page["containerInstanceArns"]]


def describe_all(ecs, arns, **more):
    found = []
    for first in range(0, len(arns), 100):
        answer = ecs.describe_container_instances(
            cluster=CLUSTER, containerInstances=arns[first:first + 100], **more)
        assert answer["failures"] == []
        found += answer["containerInstances"]
    return found


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


# ECS


def test_clusters_are_listed_and_described_with_counts_and_tags(ecs):
    arns = ecs.list_clusters()["clusterArns"]
    assert arns == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}" for name in (CLUSTER, "empty")]
    answer = ecs.describe_clusters(clusters=[*arns, "nowhere"], include=["TAGS", "STATISTICS", "SETTINGS"])
    cluster, empty = answer["clusters"]
    assert cluster["status"] == "ACTIVE" and cluster["registeredContainerInstancesCount"] == HOSTS
    assert cluster["tags"] == [{"key": "ecs-agent-monitoring", "value": "enabled"}]
    assert cluster["capacityProviders"] and cluster["runningTasksCount"] == 135
    assert empty["registeredContainerInstancesCount"] == 0
    assert answer["failures"] == [{"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/nowhere", "reason": "MISSING"}]


def test_clusters_come_in_pages(ecs):
    first = ecs.list_clusters(maxResults=1)
    second = ecs.list_clusters(maxResults=1, nextToken=first["nextToken"])
    assert "nextToken" not in second and len(first["clusterArns"] + second["clusterArns"]) == 2


def test_250_hosts_come_in_three_pages(ecs, host_arns):
    assert len(host_arns) == len(set(host_arns)) == HOSTS
    first = ecs.list_container_instances(cluster=CLUSTER)
    assert len(first["containerInstanceArns"]) == 100
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=CLUSTER)
    assert [len(page["containerInstanceArns"]) for page in pages] == [100, 100, 50]


def test_hosts_are_described_whole(ecs, host_arns):
    hosts = describe_all(ecs, host_arns, include=["CONTAINER_INSTANCE_HEALTH", "TAGS"])
    assert [host["containerInstanceArn"] for host in hosts] == host_arns
    external = [host for host in hosts if host["ec2InstanceId"].startswith("mi-")]
    assert len(external) == 1
    host = next(host for host in hosts if host["ec2InstanceId"].startswith("i-"))
    assert re.fullmatch(r"i-[0-9a-f]{17}", host["ec2InstanceId"])
    assert host["status"] == "ACTIVE" and host["version"] >= 1
    assert host["registeredAt"].timestamp() > 1_600_000_000
    attributes = {attribute["name"]: attribute.get("value") for attribute in host["attributes"]}
    assert attributes["ecs.instance-type"] in ("m6i.large", "c5.large")
    assert attributes["ecs.availability-zone"].startswith(REGION)
    resources = {resource["name"]: resource for resource in host["registeredResources"]}
    assert resources["CPU"]["integerValue"] == 2048
    assert resources["PORTS"]["stringSetValue"] == ["22", "2375", "2376", "51678", "51679"]
    assert host["healthStatus"]["overallStatus"] in ("OK", "INITIALIZING")
    checks = {check["type"] for check in host["healthStatus"]["details"]}
    assert checks == {"AGENT_CONNECTIVITY", "CONTAINER_RUNTIME"}
    bare = describe_all(ecs, host_arns[:1])[0]
    assert "healthStatus" not in bare


def test_a_host_that_is_not_there_is_a_failure_and_not_an_error(ecs, host_arns):
    missing = host_arns[0][:-32] + "0" * 32
    answer = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[missing, host_arns[0]])
    assert answer["failures"] == [{"arn": missing, "reason": "MISSING"}]
    assert len(answer["containerInstances"]) == 1


def test_hosts_are_filtered(simulator, ecs, host_arns):
    def matching(text):
        pages = ecs.get_paginator("list_container_instances").paginate(cluster=CLUSTER, filter=text)
        return [arn for page in pages for arn in page["containerInstanceArns"]]

    away = matching("agentConnected==false")
    hosts = describe_all(ecs, host_arns)
    assert away == [host["containerInstanceArn"] for host in hosts if not host["agentConnected"]]
    assert len(matching("agentConnected == true")) == HOSTS - len(away)
    assert len(matching("attribute:ecs.capability.external exists")) == 1
    large = matching("attribute:ecs.instance-type =~ c5.* and not (ec2InstanceId == 'i-0')")
    assert len(large) == sum(
        {"name": "ecs.instance-type", "value": "c5.large"}.items() <= attribute.items()
        for host in hosts for attribute in host["attributes"])
    error = error_of(ecs.list_container_instances, cluster=CLUSTER, filter="colour == red")
    assert error["Code"] == "InvalidParameterException" and "colour" in error["Message"]


def test_tasks_are_listed_filtered_and_described(ecs):
    def listed(**more):
        pages = ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, **more)
        return [arn for page in pages for arn in page["taskArns"]]

    every = listed()
    assert len(every) == len(set(every)) == 135
    assert len(listed(serviceName="api")) == 130 and len(listed(family="worker")) == 5
    assert listed(launchType="FARGATE") == [] and listed(desiredStatus="PENDING") == []
    missing = every[0][:-32] + "0" * 32
    answer = ecs.describe_tasks(cluster=CLUSTER, tasks=[*listed(serviceName="api")[:50], missing])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    task = answer["tasks"][0]
    assert task["lastStatus"] == "RUNNING" and task["group"] == "service:api" and task["version"] >= 1
    assert task["startedBy"].startswith("ecs-svc/")
    assert task["attachments"][0]["type"] == "ElasticNetworkInterface"
    on_host = listed(containerInstance=task["containerInstanceArn"])
    assert task["taskArn"] in on_host
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert definition["networkMode"] == "awsvpc" and definition["family"] == "api"
    assert error_of(ecs.list_tasks, cluster=CLUSTER, serviceName="no")["Code"] == "ServiceNotFoundException"


def test_services_are_listed_and_described(ecs):
    arns = ecs.list_services(cluster=CLUSTER)["serviceArns"]
    assert [arn.rsplit("/", 1)[1] for arn in arns] == ["api", "worker"]
    answer = ecs.describe_services(cluster=CLUSTER, services=[*arns, "nowhere"])
    service = answer["services"][0]
    assert (service["desiredCount"], service["runningCount"], service["schedulingStrategy"]) == (130, 130, "REPLICA")
    assert service["deployments"][0]["status"] == "PRIMARY"
    assert len(answer["failures"]) == 1


def test_capacity_providers_name_their_group(simulator, ecs):
    names = ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]["capacityProviders"]
    provider = ecs.describe_capacity_providers(capacityProviders=names)["capacityProviders"][0]
    group_arn = provider["autoScalingGroupProvider"]["autoScalingGroupArn"]
    groups = simulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group_arn in [group["AutoScalingGroupARN"] for group in groups]


def test_errors_have_the_codes_of_the_service(simulator, ecs):
    assert error_of(ecs.list_container_instances, cluster="nowhere")["Code"] == "ClusterNotFoundException"
    assert error_of(ecs.list_clusters, nextToken="nonsense")["Code"] == "InvalidParameterException"
    many = ["a" * 32] * 101
    error = error_of(ecs.describe_container_instances, cluster=CLUSTER, containerInstances=many)
    assert error["Code"] == "InvalidParameterException"
    error = error_of(ecs.list_services_by_namespace, namespace="nowhere")
    assert "ListServicesByNamespace" in error["Message"] and "ListClusters" in error["Message"]
    assert simulator.client("ecs", region="us-west-2").list_clusters()["clusterArns"] == []


def test_draining_and_deregistering_change_the_account(simulator, ecs, host_arns):
    host, other = host_arns[10], host_arns[11]
    answer = ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[host], status="DRAINING")
    assert answer["containerInstances"][0]["status"] == "DRAINING" and answer["failures"] == []
    assert ecs.list_container_instances(cluster=CLUSTER, status="DRAINING")["containerInstanceArns"] == [host]
    ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[host], status="ACTIVE")
    assert ecs.list_container_instances(cluster=CLUSTER, status="DRAINING")["containerInstanceArns"] == []
    gone = ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=other, force=True)
    assert gone["containerInstance"]["status"] in ("INACTIVE", "DEREGISTERING")
    simulator.advance(60)
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=CLUSTER)
    assert other not in [arn for page in pages for arn in page["containerInstanceArns"]]


def test_clusters_can_be_made_and_deleted(ecs):
    made = ecs.create_cluster(clusterName="mine", tags=[{"key": "a", "value": "b"}])["cluster"]
    assert ecs.list_tags_for_resource(resourceArn=made["clusterArn"])["tags"] == [{"key": "a", "value": "b"}]
    assert ecs.list_container_instances(cluster="mine")["containerInstanceArns"] == []
    ecs.delete_cluster(cluster="mine")
    assert error_of(ecs.list_container_instances, cluster="mine")["Code"] == "ClusterNotFoundException"
    error = error_of(ecs.delete_cluster, cluster=CLUSTER)
    assert error["Code"] == "ClusterContainsContainerInstancesException"


def test_tasks_are_run_and_stopped_and_services_scaled(simulator, ecs):
    ran = ecs.run_task(cluster=CLUSTER, taskDefinition="worker", count=2)
    assert len(ran["tasks"]) == 2 and ran["failures"] == []
    simulator.advance(120)
    arns = [task["taskArn"] for task in ran["tasks"]]
    tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
    assert {(task["lastStatus"], task["group"]) for task in tasks} == {("RUNNING", "family:worker")}
    ecs.stop_task(cluster=CLUSTER, task=arns[0], reason="enough")
    simulator.advance(120)
    stopped = ecs.describe_tasks(cluster=CLUSTER, tasks=arns[:1])["tasks"][0]
    assert (stopped["lastStatus"], stopped["stoppedReason"]) == ("STOPPED", "enough")
    assert arns[0] in ecs.list_tasks(cluster=CLUSTER, desiredStatus="STOPPED")["taskArns"]
    ecs.stop_task(cluster=CLUSTER, task=arns[1])
    assert ecs.update_service(cluster=CLUSTER, service="worker", desiredCount=7)["service"]["desiredCount"] == 7
    simulator.advance(300)
    assert ecs.describe_services(cluster=CLUSTER, services=["worker"])["services"][0]["runningCount"] == 7
    ecs.update_service(cluster=CLUSTER, service="worker", desiredCount=5)
    simulator.advance(300)
    assert error_of(ecs.run_task, cluster=CLUSTER, taskDefinition="nothing")["Code"] == "ClientException"


def test_attributes_and_settings_are_listed(ecs):
    pages = ecs.get_paginator("list_attributes").paginate(
        cluster=CLUSTER, targetType="container-instance", attributeName="ecs.instance-type")
    found = [attribute for page in pages for attribute in page["attributes"]]
    assert {attribute["value"] for attribute in found} == {"m6i.large", "c5.large"}
    assert len({attribute["targetId"] for attribute in found}) == len(found) > 200
    settings = {setting["name"] for setting in ecs.list_account_settings(effectiveSettings=True)["settings"]}
    assert "awsvpcTrunking" in settings


# EC2, Auto Scaling, SSM, STS


def test_instances_are_described_with_their_status(simulator):
    ec2 = simulator.client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 100})
    instances = [instance for page in pages for r in page["Reservations"] for instance in r["Instances"]]
    assert len(instances) >= HOSTS - 1
    instance = instances[0]
    assert instance["State"] == {"Code": 16, "Name": "running"} and instance["LaunchTime"].year >= 2020
    assert {tag["Key"] for tag in instance["Tags"]} >= {"aws:autoscaling:groupName"}
    ids = [instance["InstanceId"] for instance in instances[:100]]
    statuses = ec2.describe_instance_status(InstanceIds=ids, IncludeAllInstances=True)["InstanceStatuses"]
    assert [status["InstanceId"] for status in statuses] == ids
    assert {status["SystemStatus"]["Status"] for status in statuses} == {"ok"}
    assert statuses[0]["SystemStatus"]["Details"][0] == {"Name": "reachability", "Status": "passed"}
    error = error_of(ec2.describe_instances, InstanceIds=["i-00000000000000000"])
    assert error["Code"] == "InvalidInstanceID.NotFound"
    assert error_of(ec2.describe_instances, InstanceIds=["x"])["Code"] == "InvalidInstanceID.Malformed"
    assert error_of(ec2.describe_vpcs)["Code"] == "InvalidAction"


def test_instance_types_subnets_and_interfaces_are_described(simulator):
    ec2 = simulator.client("ec2")
    kinds = ec2.describe_instance_types(InstanceTypes=["m6i.large"])["InstanceTypes"]
    assert kinds[0]["NetworkInfo"]["MaximumNetworkInterfaces"] == 3
    assert kinds[0]["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]
    subnets = ec2.describe_subnets()["Subnets"]
    assert len(subnets) == 3 and all(subnet["AvailableIpAddressCount"] > 1000 for subnet in subnets)
    pages = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}], MaxResults=5)
    instance = pages["Reservations"][0]["Instances"][0]["InstanceId"]
    interfaces = ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["NetworkInterfaces"]
    assert interfaces[0]["Attachment"]["InstanceId"] == instance


def test_groups_and_their_members_are_described(simulator):
    autoscaling = simulator.client("autoscaling")
    group = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert group["DesiredCapacity"] == HOSTS - 1 == len(group["Instances"])
    member = group["Instances"][0]
    assert member["LifecycleState"] == "InService" and member["HealthStatus"] == "Healthy"
    ids = [member["InstanceId"] for member in group["Instances"][:50]]
    answer = autoscaling.describe_auto_scaling_instances(InstanceIds=[*ids[:49], "i-00000000000000000"])
    assert [instance["InstanceId"] for instance in answer["AutoScalingInstances"]] == ids[:49]
    assert answer["AutoScalingInstances"][0]["HealthStatus"] == "HEALTHY"
    error = error_of(autoscaling.terminate_instance_in_auto_scaling_group,
                     InstanceId="i-00000000000000000", ShouldDecrementDesiredCapacity=False)
    assert error["Code"] == "ValidationError" and "Instance Id not found" in error["Message"]


def test_a_terminated_member_is_replaced(simulator):
    autoscaling = simulator.client("autoscaling")
    group = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    victim = group["Instances"][20]["InstanceId"]
    activity = autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=victim, ShouldDecrementDesiredCapacity=False)["Activity"]
    assert activity["StatusCode"] == "InProgress"
    simulator.advance(900)
    members = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    assert victim not in [member["InstanceId"] for member in members]
    assert sum(member["LifecycleState"] == "InService" for member in members) == group["DesiredCapacity"]


def test_instances_stop_start_reboot_and_end(simulator):
    # The account's second place: its group is not counted by other tests.
    keys = simulator.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{SECOND_ACCOUNT}:role/muster", RoleSessionName="test")["Credentials"]
    assumed = {"key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"], "token": keys["SessionToken"]}
    ec2, autoscaling = simulator.client("ec2", **assumed), simulator.client("autoscaling", **assumed)
    group = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    first, second = [member["InstanceId"] for member in group["Instances"]]
    ec2.reboot_instances(InstanceIds=[first])
    change = ec2.stop_instances(InstanceIds=[first])["StoppingInstances"][0]
    assert change["PreviousState"]["Name"] == "running" and change["CurrentState"]["Name"] in ("stopping", "stopped")
    simulator.advance(1)
    ended = ec2.terminate_instances(InstanceIds=[second])["TerminatingInstances"][0]
    assert ended["CurrentState"]["Name"] in ("shutting-down", "terminated")
    assert error_of(ec2.reboot_instances, InstanceIds=[second])["Code"] == "IncorrectInstanceState"
    simulator.advance(1800)
    members = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    assert len(members) == 2 and not {first, second} & {member["InstanceId"] for member in members}
    group_name = group["AutoScalingGroupName"]
    autoscaling.set_instance_health(InstanceId=members[0]["InstanceId"], HealthStatus="Unhealthy")
    simulator.advance(1800)
    after = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group_name])["AutoScalingGroups"][0]
    assert members[0]["InstanceId"] not in [member["InstanceId"] for member in after["Instances"]]
    error = error_of(autoscaling.set_desired_capacity, AutoScalingGroupName=group_name, DesiredCapacity=100_000)
    assert error["Code"] == "ValidationError"
    autoscaling.set_desired_capacity(AutoScalingGroupName=group_name, DesiredCapacity=after["MinSize"])


def test_ssm_knows_who_answers_and_restarts_agents(simulator):
    ssm = simulator.client("ssm")
    pages = ssm.get_paginator("describe_instance_information").paginate(PaginationConfig={"PageSize": 50})
    known = [information for page in pages for information in page["InstanceInformationList"]]
    assert len(known) >= HOSTS and {information["PingStatus"] for information in known} == {"Online"}
    assert {information["ResourceType"] for information in known} == {"EC2Instance", "ManagedInstance"}
    target = known[0]["InstanceId"]
    filtered = ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [target]}])
    assert [information["InstanceId"] for information in filtered["InstanceInformationList"]] == [target]
    command = ssm.send_command(InstanceIds=[target], DocumentName="AWS-RunShellScript",
                               Parameters={"commands": ["systemctl restart ecs"]})["Command"]
    for _ in range(30):
        # The command waits on the host until the agent answers.
        simulator.advance(10)
        invocation = ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=target)
        if invocation["Status"] != "InProgress":
            break
    assert (invocation["Status"], invocation["ResponseCode"]) == ("Success", 0)
    error = error_of(ssm.send_command, InstanceIds=["i-00000000000000000"], DocumentName="AWS-RunShellScript",
                     Parameters={"commands": ["true"]})
    assert error["Code"] == "InvalidInstanceId"


def test_a_role_of_another_account_can_be_assumed(simulator):
    sts = simulator.client("sts")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    role = f"arn:aws:iam::{SECOND_ACCOUNT}:role/muster"
    answer = sts.assume_role(RoleArn=role, RoleSessionName="test")
    keys = answer["Credentials"]
    assumed = {"key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"], "token": keys["SessionToken"]}
    identity = simulator.client("sts", **assumed).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (SECOND_ACCOUNT, answer["AssumedRoleUser"]["Arn"])
    arns = simulator.client("ecs", **assumed).list_clusters()["clusterArns"]
    assert arns == [f"arn:aws:ecs:{REGION}:{SECOND_ACCOUNT}:cluster/elsewhere"]
    error = error_of(sts.assume_role, RoleArn="arn:aws:iam::999999999999:role/muster", RoleSessionName="test")
    assert error["Code"] == "AccessDenied"


# Messages


def drain(sqs, url):
    bodies = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        assert "Failed" not in sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return bodies


def test_a_stopped_agent_is_seen_in_the_api_and_in_the_queue(simulator, ecs):
    sqs = simulator.client("sqs")
    url = sqs.get_queue_url(QueueName="muster-events")["QueueUrl"]
    drain(sqs, url)
    simulator.do(do="agent-stop", host=f"{CLUSTER}/3")
    simulator.advance(300)
    lost = [machine for machine in simulator.truth()["machines"] if machine["agent"] == "crashed"]
    assert len(lost) == 1 and not lost[0]["agent_connected"]
    host = describe_all(ecs, [lost[0]["arn"]])[0]
    assert host["agentConnected"] is False and host["ec2InstanceId"] == lost[0]["instance_id"]
    simulator.advance(1800)
    health = describe_all(ecs, [lost[0]["arn"]], include=["CONTAINER_INSTANCE_HEALTH"])[0]["healthStatus"]
    reasons = [check["statusReason"] for check in health["details"] if check["status"] == "IMPAIRED"]
    assert health["overallStatus"] == "IMPAIRED" and reasons[0].startswith("Agent disconnected since ")
    events = [json.loads(body) for body in drain(sqs, url)]
    about = [event for event in events if event["resources"] == [lost[0]["arn"]]]
    told = [event["detail"]["version"] for event in about
            if event["detail-type"] == "ECS Container Instance State Change" and not event["detail"]["agentConnected"]]
    assert told and told[-1] == host["version"]
    assert {event["account"] for event in events} == {ACCOUNT}
    assert drain(sqs, url) == []


def test_queues_hide_return_and_delete_messages(simulator):
    sqs = simulator.client("sqs")
    url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody="ä",
                            MessageAttributes={"kind": {"DataType": "String", "StringValue": "v"}})
    received = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"],
                                   MessageSystemAttributeNames=["All"])["Messages"][0]
    assert received["MessageId"] == sent["MessageId"] and received["Body"] == "ä"
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    assert received["MessageAttributes"]["kind"]["StringValue"] == "v"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    # A long poll sees the message come back.
    again = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageSystemAttributeNames=["All"])["Messages"][0]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
    final = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=final["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
    assert url in sqs.list_queues()["QueueUrls"]
    failed = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": "x"}])["Failed"]
    assert failed[0]["Code"] == "ReceiptHandleIsInvalid"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nowhere")


def test_queues_are_set_purged_and_deleted(simulator):
    sqs = simulator.client("sqs")
    url = sqs.create_queue(QueueName="short")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": "77"}
    assert error_of(sqs.set_queue_attributes, QueueUrl=url, Attributes={"VisibilityTimeout": "-1"})["Code"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="m")


def test_a_poison_message_ends_in_the_dead_letter_queue(simulator):
    sqs = simulator.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "poison"}])
    for _ in range(2):
        assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]) == 1
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"


def test_a_topic_wraps_messages_for_queues_unless_delivery_is_raw(simulator):
    sqs, sns = simulator.client("sqs"), simulator.client("sns")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    urls = {}
    for name in ("wrapped", "raw"):
        urls[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=urls[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        attributes = {"RawMessageDelivery": "true"} if name == "raw" else {}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    assert topic in [found["TopicArn"] for found in sns.list_topics()["Topics"]]
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 2
    published = sns.publish(TopicArn=topic, Message='{"a":1}', Subject="s")
    envelope = json.loads(drain(sqs, urls["wrapped"])[0])
    assert envelope["Type"] == "Notification" and envelope["Message"] == '{"a":1}' and envelope["Subject"] == "s"
    assert envelope["MessageId"] == published["MessageId"] and envelope["TopicArn"] == topic
    assert drain(sqs, urls["raw"]) == ['{"a":1}']
    assert error_of(sns.publish, TopicArn=topic + "x", Message="m")["Code"] == "NotFound"


def test_rules_route_events_by_their_pattern(simulator):
    events, sqs = simulator.client("events"), simulator.client("sqs")
    assert "muster-events" in [rule["Name"] for rule in events.list_rules()["Rules"]]
    url = sqs.create_queue(QueueName="routed")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["mine"], "detail": {"n": [{"numeric": [">", 1]}]}})
    events.put_rule(Name="mine", EventPattern=pattern)
    assert events.put_targets(Rule="mine", Targets=[{"Id": "q", "Arn": arn}])["FailedEntryCount"] == 0
    entry = {"Source": "mine", "DetailType": "t"}
    answer = events.put_events(Entries=[{**entry, "Detail": '{"n":1}'}, {**entry, "Detail": '{"n":2}'},
                                        {**entry, "Source": "aws.ecs", "Detail": "{}"}])
    assert answer["FailedEntryCount"] == 1
    assert [json.loads(body)["detail"] for body in drain(sqs, url)] == [{"n": 2}]
    assert events.describe_rule(Name="mine")["EventPattern"] == pattern
    event = {"id": "1", "account": ACCOUNT, "source": "mine", "time": "2026-10-02T08:00:00Z", "region": REGION,
             "resources": [], "detail-type": "t", "detail": {"n": 2}}
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is True
    error = error_of(events.put_rule, Name="bad", EventPattern="{}")
    assert error["Code"] == "InvalidEventPatternException"
    events.remove_targets(Rule="mine", Ids=["q"])
    events.delete_rule(Name="mine")


# Faults


@pytest.mark.parametrize("fault, code", [
    ("denied = ['ecs:ListClusters']", "AccessDeniedException"),
    ("expired-credentials = true", "ExpiredTokenException"),
    ("throttle = 1.0", "ThrottlingException"),
    ("server-error = 1.0", "ServerException"),
    ("html = 1.0", "502"),
])
def test_faults_look_like_those_of_the_service(tmp_path_factory, fault, code):
    scenario = f"# A fault.\n[faults.api]\n{fault}\n[[cluster]]\nname = 'c'\nhosts = 1\n"
    running = start(tmp_path_factory, scenario)
    try:
        with pytest.raises(ClientError) as caught:
            running.client("ecs").list_clusters()
        assert caught.value.response["Error"]["Code"] == code
    finally:
        running.stop()


def test_the_documented_buckets_throttle(tmp_path_factory):
    running = start(tmp_path_factory, "# Buckets.\n[[cluster]]\nname = 'c'\nhosts = 1\n", "--speed", "0")
    try:
        ecs = running.client("ecs")
        for _ in range(50):
            ecs.list_clusters()
        assert error_of(ecs.list_clusters)["Code"] == "ThrottlingException"
        assert ecs.list_services(cluster="c")["serviceArns"] == [], "another bucket"
        running.advance(1)
        for _ in range(20):
            ecs.list_clusters()
        assert error_of(ecs.list_clusters)["Code"] == "ThrottlingException"
    finally:
        running.stop()


def test_mistakes_of_the_control_requests_are_told(simulator):
    with pytest.raises(urllib.error.HTTPError) as caught:
        simulator.do(do="agent-stp", host=f"{CLUSTER}/1")
    assert "did you mean `agent-stop`" in caught.value.read().decode()
    with pytest.raises(urllib.error.HTTPError):
        simulator.post("/_muster/advance?secs=soon")


# The AWS CLI


@pytest.fixture
def cli(simulator, tmp_path):
    beside = Path(sys.executable).parent / "aws"
    program = str(beside) if beside.exists() else shutil.which("aws")
    assert program, "the AWS CLI is not installed: make tools"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_ENDPOINT_URL": simulator.url,
        "AWS_ACCESS_KEY_ID": "muster", "AWS_SECRET_ACCESS_KEY": "muster", "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "",
    }

    def run(*arguments, ok=True):
        # Version 1 of the CLI takes no endpoint for SQS from the environment.
        endpoint = ["--endpoint-url", simulator.url] if arguments[0] == "sqs" else []
        command = [program, "--output", "json", *endpoint, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == ok, done.stderr
        return json.loads(done.stdout or "{}") if ok else done.stderr

    return run


def test_the_cli_lists_every_host_over_its_pages(cli, ecs):
    listed = cli("ecs", "list-container-instances", "--cluster", CLUSTER)["containerInstanceArns"]
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=CLUSTER)
    assert listed == [arn for page in pages for arn in page["containerInstanceArns"]]
    described = cli("ecs", "describe-container-instances", "--cluster", CLUSTER, "--container-instances", listed[0])
    assert described["containerInstances"][0]["containerInstanceArn"] == listed[0]


def test_the_cli_reads_the_other_services(cli):
    assert cli("ecs", "describe-clusters", "--clusters", CLUSTER)["clusters"][0]["status"] == "ACTIVE"
    assert cli("ecs", "list-tasks", "--cluster", CLUSTER, "--service-name", "worker")["taskArns"]
    services = cli("ecs", "describe-services", "--cluster", CLUSTER, "--services", "api")["services"]
    assert services[0]["serviceName"] == "api"
    running = cli("ec2", "describe-instance-status")["InstanceStatuses"]
    assert len(running) >= HOSTS - 5
    assert cli("ec2", "describe-instances", "--max-items", "3")["Reservations"]
    assert cli("autoscaling", "describe-auto-scaling-groups")["AutoScalingGroups"]
    assert cli("ssm", "describe-instance-information", "--max-items", "3")["InstanceInformationList"]
    assert cli("sts", "get-caller-identity")["Account"] == ACCOUNT
    url = cli("sqs", "get-queue-url", "--queue-name", "muster-events")["QueueUrl"]
    cli("sqs", "receive-message", "--queue-url", url, "--max-number-of-messages", "10")
    assert "ClusterNotFoundException" in cli("ecs", "list-tasks", "--cluster", "nowhere", ok=False)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
