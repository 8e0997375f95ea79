"""boto3 and the AWS CLI ask the pretend AWS account about room: placement, instance types, interfaces, subnets, scaling
policies and activities, metrics and alarms."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from test_simulator_clients import ACCOUNT, REGION, error_of, start

CLUSTER = "prod-a"

SCENARIO = f"""\
# Hosts of several kinds, services that ask for much, and a subnet that is almost full.
lasts = "10h"

[habits]
zone-spread = true

[faults.api]
unlimited = true

[[subnet]]
zone = "{REGION}c"
free = 7

[[cluster]]
name = "{CLUSTER}"
attributes = {{ stack = "blue" }}

[[cluster.group]]
name = "web"
hosts = 3
max = 6
policy = [{{ name = "one-more", change = 1, cooldown-secs = 300 }}]

[[cluster.group]]
name = "gpu"
hosts = 1
types = ["g4dn.xlarge"]
managed-scaling = {{ target = 90, least = 1, most = 3 }}

[[cluster.group]]
name = "trunk"
hosts = 1
types = ["c5.large"]
trunking = true
extra-interfaces = 1
managed-scaling = false

[[cluster.service]]
name = "api"
tasks = 6
network = "awsvpc"
provider = "web"
distinct-instance = false
strategies = ["spread(attribute:ecs.availability-zone)", "binpack(memory)"]
zones = ["{REGION}a", "{REGION}b", "{REGION}c"]

[[cluster.service]]
name = "train"
tasks = 1
gpus = 1
ports = ["8080", "53/udp"]
member-of = ["attribute:ecs.instance-type =~ g4dn.*"]
definition-member-of = ["attribute:stack == blue"]
distinct-instance = true
requires = ["ecs.capability.efs"]
os-family = "LINUX"
architecture = "X86_64"

[[cluster.service]]
name = "branch"
tasks = 3
network = "awsvpc"
provider = "trunk"
cpu = 64
memory = 64
"""


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    running = start(tmp_path_factory, SCENARIO, "--speed", "0")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ecs(simulator):
    return simulator.client("ecs")


@pytest.fixture(scope="module")
def ec2(simulator):
    return simulator.client("ec2")


@pytest.fixture(scope="module")
def autoscaling(simulator):
    return simulator.client("autoscaling")


@pytest.fixture(scope="module")
def cloudwatch(simulator):
    return simulator.client("cloudwatch")


def now_of(simulator):
    return datetime.datetime.fromisoformat(simulator.truth()["now"].replace("Z", "+00:00"))


def hosts_of(ecs, kind):
    arns = ecs.list_container_instances(cluster=CLUSTER, filter=f"attribute:ecs.instance-type == {kind}")
    return ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=arns["containerInstanceArns"])["containerInstances"]


def resource(host, name, which="remainingResources"):
    return next(found for found in host[which] if found["name"] == name)


# ECS


def test_a_task_definition_says_what_placement_asks_of_a_host(ecs):
    definition = ecs.describe_task_definition(taskDefinition="train")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert container["resourceRequirements"] == [{"type": "GPU", "value": "1"}]
    assert container["portMappings"] == [
        {"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"},
        {"containerPort": 53, "hostPort": 53, "protocol": "udp"},
    ]
    assert definition["placementConstraints"] == [{"type": "memberOf", "expression": "attribute:stack == blue"}]
    assert definition["requiresAttributes"] == [{"name": "ecs.capability.efs"}]
    assert definition["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"}
    assert (definition["cpu"], definition["memory"], definition["networkMode"]) == ("128", "256", "bridge")
    assert ecs.describe_task_definition(taskDefinition="api")["taskDefinition"]["networkMode"] == "awsvpc"


def test_task_definitions_and_families_are_listed(ecs):
    arns = ecs.list_task_definitions()["taskDefinitionArns"]
    assert [arn.rsplit("/")[-1] for arn in arns] == ["api:1", "branch:1", "train:1"]
    first = ecs.list_task_definitions(maxResults=2)
    rest = ecs.list_task_definitions(maxResults=2, nextToken=first["nextToken"])
    assert first["taskDefinitionArns"] + rest["taskDefinitionArns"] == arns
    assert ecs.list_task_definitions(sort="DESC")["taskDefinitionArns"] == arns[::-1]
    assert ecs.list_task_definitions(familyPrefix="api")["taskDefinitionArns"] == arns[:1]
    assert ecs.list_task_definition_families(familyPrefix="t")["families"] == ["train"]
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == []


def test_a_service_says_where_its_tasks_may_go(ecs, ec2):
    api, train = ecs.describe_services(cluster=CLUSTER, services=["api", "train"])["services"]
    assert api["placementStrategy"] == [
        {"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}]
    assert api["capacityProviderStrategy"] == [{"capacityProvider": "web", "weight": 1, "base": 0}]
    assert "launchType" not in api and api["placementConstraints"] == []
    subnets = {subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]}
    assert set(api["networkConfiguration"]["awsvpcConfiguration"]["subnets"]) == subnets
    assert train["placementConstraints"] == [
        {"type": "distinctInstance"}, {"type": "memberOf", "expression": "attribute:ecs.instance-type =~ g4dn.*"}]
    assert train["launchType"] == "EC2" and train["runningCount"] == 1
    # What ECS gives a service that names none.
    assert train["placementStrategy"] == [{"type": "spread", "field": "attribute:ecs.availability-zone"}]


def test_subnets_are_found_by_their_filters_as_ec2_does_it(ec2):
    every = ec2.describe_subnets()["Subnets"]
    first = every[0]

    def found(**filters: list[str]) -> set[str]:
        asked = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        return {subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=asked)["Subnets"]}

    all_ids = {subnet["SubnetId"] for subnet in every}
    assert len(all_ids) > 1
    assert found(subnet_id=[first["SubnetId"]]) == {first["SubnetId"]}
    assert found(vpc_id=[first["VpcId"]]) == all_ids and found(vpc_id=["vpc-0"]) == set()
    assert found(availability_zone=[first["AvailabilityZone"]]) == {first["SubnetId"]}
    assert found(subnet_id=["subnet-*"]) == all_ids and found(availability_zone=["?nowhere"]) == set()
    # All filters must hold, and one of the values of each.
    assert found(subnet_id=[first["SubnetId"], "subnet-0"], vpc_id=[first["VpcId"]]) == {first["SubnetId"]}
    assert found(subnet_id=[first["SubnetId"]], vpc_id=["vpc-0"]) == set()
    # No subnet has tags here.
    assert ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["*"]}])["Subnets"] == []
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_subnets(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_a_host_says_which_ports_and_gpus_are_left(ecs):
    (host,) = hosts_of(ecs, "g4dn.xlarge")
    assert resource(host, "GPU")["stringSetValue"] == []
    assert resource(host, "GPU", "registeredResources")["stringSetValue"] == ["GPU-00000000"]
    assert resource(host, "PORTS")["stringSetValue"] == ["22", "2375", "2376", "51678", "51679", "8080"]
    assert resource(host, "PORTS", "registeredResources")["stringSetValue"][-1] == "51679"
    assert resource(host, "PORTS_UDP")["stringSetValue"] == ["53"]
    (task,) = ecs.list_tasks(cluster=CLUSTER, serviceName="train")["taskArns"]
    container = ecs.describe_tasks(cluster=CLUSTER, tasks=[task])["tasks"][0]["containers"][0]
    assert container["gpuIds"] == ["GPU-00000000"]
    assert [(found["hostPort"], found["protocol"]) for found in container["networkBindings"]] == [
        (8080, "tcp"), (53, "udp")]


def test_attributes_are_put_listed_and_asked_for(ecs):
    host = hosts_of(ecs, "c5.large")[0]["containerInstanceArn"]
    put = ecs.put_attributes(cluster=CLUSTER, attributes=[
        {"name": "rack", "value": "7", "targetType": "container-instance", "targetId": host}])
    assert put["attributes"][0]["name"] == "rack"
    listed = ecs.list_attributes(cluster=CLUSTER, targetType="container-instance", attributeName="rack")["attributes"]
    assert [(found["value"], found["targetId"]) for found in listed] == [("7", host)]
    found = ecs.list_container_instances(cluster=CLUSTER, filter="attribute:rack >= 7 and attribute:stack == blue")
    assert found["containerInstanceArns"] == [host]
    wrong = [{"name": "ecs.own", "value": "7", "targetType": "container-instance", "targetId": host}]
    assert error_of(ecs.put_attributes, cluster=CLUSTER, attributes=wrong)["Code"] == "InvalidParameterException"
    nobody = [{"name": "rack", "targetType": "container-instance", "targetId": "0" * 32}]
    assert error_of(ecs.put_attributes, cluster=CLUSTER, attributes=nobody)["Code"] == "TargetNotFoundException"


def test_run_task_places_what_fits_and_says_why_the_rest_does_not(ecs):
    placed = ecs.run_task(cluster=CLUSTER, taskDefinition="branch", count=1, group="batch", launchType="EC2",
                          placementConstraints=[{"type": "memberOf",
                                                 "expression": "attribute:ecs.instance-type == c5.large"}])
    assert placed["failures"] == [] and placed["tasks"][0]["group"] == "batch"
    assert placed["tasks"][0]["attachments"][0]["type"] == "ElasticNetworkInterface"
    reasons = {}
    for name, more in {
        "api": {"placementConstraints": [{"type": "memberOf", "expression": "attribute:stack == red"}]},
        "train": {},
        "branch": {"launchType": "EXTERNAL"},
    }.items():
        refused = ecs.run_task(cluster=CLUSTER, taskDefinition=name, **more)
        assert refused["tasks"] == []
        reasons[name] = refused["failures"][0]["reason"]
    # The definition of `train` alone does not ask for a GPU type: hosts without a GPU are the closest, all of them alike.
    assert reasons == {
        "api": "MemberOf placement constraint unsatisfied", "train": "RESOURCE:GPU", "branch": "NO ACTIVE INSTANCES"}
    web = {"capacityProviderStrategy": [{"capacityProvider": "web"}]}
    full = ecs.run_task(cluster=CLUSTER, taskDefinition="api", **web)
    assert full["failures"][0]["reason"] == "RESOURCE:ENI"
    assert ":container-instance/" in full["failures"][0]["arn"]
    wrong = error_of(ecs.run_task, cluster=CLUSTER, taskDefinition="api",
                     placementConstraints=[{"type": "memberOf", "expression": "colour == red"}])
    assert wrong["Code"] == "InvalidParameterException"


def test_capacity_providers_say_how_they_scale(ecs):
    found = {provider["name"]: provider for provider in ecs.describe_capacity_providers()["capacityProviders"]}
    scaling = {name: provider["autoScalingGroupProvider"]["managedScaling"] for name, provider in found.items()}
    assert scaling["gpu"] == {"status": "ENABLED", "targetCapacity": 90, "minimumScalingStepSize": 1,
                              "maximumScalingStepSize": 3, "instanceWarmupPeriod": 300}
    assert (scaling["web"]["status"], scaling["trunk"]["status"]) == ("ENABLED", "DISABLED")


# EC2


def test_instance_types_tell_their_interfaces_cards_memory_and_gpus(ec2):
    names = ["m6i.large", "g4dn.12xlarge", "p4d.24xlarge", "q9z.large"]
    found = {kind["InstanceType"]: kind for kind in ec2.describe_instance_types(InstanceTypes=names)["InstanceTypes"]}
    assert {name: kind["NetworkInfo"]["MaximumNetworkInterfaces"] for name, kind in found.items()} == {
        "m6i.large": 3, "g4dn.12xlarge": 8, "p4d.24xlarge": 60, "q9z.large": 5}
    cards = found["p4d.24xlarge"]["NetworkInfo"]["NetworkCards"]
    assert [card["NetworkCardIndex"] for card in cards] == [0, 1, 2, 3]
    assert {card["MaximumNetworkInterfaces"] for card in cards} == {15}
    assert found["m6i.large"]["MemoryInfo"]["SizeInMiB"] == 8192
    assert found["m6i.large"]["VCpuInfo"]["DefaultVCpus"] == 2
    assert found["g4dn.12xlarge"]["GpuInfo"]["Gpus"][0]["Count"] == 4 and "GpuInfo" not in found["m6i.large"]
    assert error_of(ec2.describe_instance_types, InstanceTypes=["x0.none"])["Code"] == "InvalidInstanceType"


def test_interfaces_of_a_host_are_its_own_its_trunk_and_those_attached_by_hand(ecs, ec2):
    (host,) = hosts_of(ecs, "c5.large")
    instance = ec2.describe_instances(InstanceIds=[host["ec2InstanceId"]])["Reservations"][0]["Instances"][0]
    shown = instance["NetworkInterfaces"]
    assert [found["InterfaceType"] for found in shown] == ["interface", "trunk", "interface"]
    assert [found["Attachment"]["DeviceIndex"] for found in shown] == [0, 1, 2]
    filters = [{"Name": "attachment.instance-id", "Values": [host["ec2InstanceId"]]}]
    of_host = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert {found["NetworkInterfaceId"] for found in of_host} == {found["NetworkInterfaceId"] for found in shown}
    branches = ec2.describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": ["branch"]}])
    branches = branches["NetworkInterfaces"]
    assert len(branches) >= 3 and all("Attachment" not in found and found["RequesterManaged"] for found in branches)


def test_task_interfaces_without_a_trunk_are_attached_to_the_machine(ecs, ec2):
    host = next(host for host in hosts_of(ecs, "m6i.large") if host["runningTasksCount"] > 0)
    filters = [{"Name": "attachment.instance-id", "Values": [host["ec2InstanceId"]]}]
    of_host = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert [found["Attachment"]["DeviceIndex"] for found in of_host] == [0, 1, 2]
    assert all(":attachment/" in found["Description"] for found in of_host[1:])


def test_interfaces_come_in_pages(ec2):
    whole = ec2.describe_network_interfaces()["NetworkInterfaces"]
    pages = ec2.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5})
    paged = [found["NetworkInterfaceId"] for page in pages for found in page["NetworkInterfaces"]]
    assert paged == [found["NetworkInterfaceId"] for found in whole] and len(paged) > 10


def test_a_subnet_tells_how_many_addresses_are_left(ec2):
    left = {subnet["AvailabilityZone"]: subnet["AvailableIpAddressCount"] for subnet in ec2.describe_subnets()["Subnets"]}
    assert left[f"{REGION}c"] == 7 and left[f"{REGION}b"] > 16_000


# Auto Scaling


def test_policies_are_put_described_and_executed_within_the_groups_limits(autoscaling, simulator):
    (policy,) = autoscaling.describe_policies(AutoScalingGroupName="web")["ScalingPolicies"]
    assert (policy["PolicyName"], policy["AdjustmentType"], policy["ScalingAdjustment"]) == (
        "one-more", "ChangeInCapacity", 1)
    put = autoscaling.put_scaling_policy(
        AutoScalingGroupName="web", PolicyName="steps", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity",
        StepAdjustments=[{"MetricIntervalUpperBound": -5.0, "ScalingAdjustment": 9},
                         {"MetricIntervalLowerBound": -5.0, "MetricIntervalUpperBound": 0.0, "ScalingAdjustment": 1}])
    assert put["PolicyARN"].endswith(":autoScalingGroupName/web:policyName/steps")
    desired = lambda: autoscaling.describe_auto_scaling_groups(  # noqa: E731
        AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]["DesiredCapacity"]
    assert error_of(autoscaling.execute_policy, AutoScalingGroupName="web", PolicyName="steps")[
        "Code"] == "ValidationError"
    autoscaling.execute_policy(AutoScalingGroupName="web", PolicyName="steps", MetricValue=1.0, BreachThreshold=2.0)
    assert desired() == 4
    busy = error_of(autoscaling.execute_policy, AutoScalingGroupName="web", PolicyName="one-more", HonorCooldown=True)
    assert busy["Code"] == "ScalingActivityInProgress"
    autoscaling.execute_policy(PolicyName=put["PolicyARN"], MetricValue=-9.0, BreachThreshold=2.0)
    assert desired() == 6, "a policy stops at the maximum"
    autoscaling.delete_policy(AutoScalingGroupName="web", PolicyName="steps")
    assert len(autoscaling.describe_policies(AutoScalingGroupName="web")["ScalingPolicies"]) == 1
    simulator.advance(300)
    activities = autoscaling.describe_scaling_activities(AutoScalingGroupName="web")["Activities"]
    assert [activity["StatusCode"] for activity in activities] == ["Successful"] * 3
    assert all(activity["Description"].startswith("Launching a new EC2 instance: i-") for activity in activities)


def test_desired_capacity_and_limits_are_kept_to_and_launch_failures_are_told(autoscaling, simulator):
    above = error_of(autoscaling.set_desired_capacity, AutoScalingGroupName="gpu", DesiredCapacity=99)
    assert above["Code"] == "ValidationError" and "above max value 10" in above["Message"]
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="gpu", MaxSize=3, NewInstancesProtectedFromScaleIn=True)
    simulator.do(**{"do": "launches-fail", "group": "gpu", "message": "There is no capacity."})
    autoscaling.set_desired_capacity(AutoScalingGroupName="gpu", DesiredCapacity=3)
    simulator.advance(60)
    newest = autoscaling.describe_scaling_activities(AutoScalingGroupName="gpu", MaxRecords=1)["Activities"][0]
    assert (newest["StatusCode"], newest["StatusMessage"]) == ("Failed", "There is no capacity.")
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["gpu"])["AutoScalingGroups"]
    assert (group["MaxSize"], len(group["Instances"]), group["NewInstancesProtectedFromScaleIn"]) == (3, 1, True)


def test_a_protected_member_outlives_a_scale_in(autoscaling, simulator):
    group = lambda: autoscaling.describe_auto_scaling_groups(  # noqa: E731
        AutoScalingGroupNames=["trunk"])["AutoScalingGroups"][0]
    (member,) = group()["Instances"]
    protect = {"AutoScalingGroupName": "trunk", "InstanceIds": [member["InstanceId"]]}
    autoscaling.set_instance_protection(**protect, ProtectedFromScaleIn=True)
    autoscaling.set_desired_capacity(AutoScalingGroupName="trunk", DesiredCapacity=0)
    simulator.advance(120)
    assert [found["ProtectedFromScaleIn"] for found in group()["Instances"]] == [True]
    autoscaling.set_desired_capacity(AutoScalingGroupName="trunk", DesiredCapacity=1)


# CloudWatch


def put(cloudwatch, simulator, value, ago_secs=0, name="FreeEniSlots", **more):
    at = now_of(simulator) - datetime.timedelta(seconds=ago_secs)
    datum = {"MetricName": name, "Timestamp": at, "Unit": "Count",
             "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}], "Value": value}
    cloudwatch.put_metric_data(Namespace="Muster/Capacity", MetricData=[{**datum, **more}])


def test_metrics_come_back_as_statistics(cloudwatch, simulator):
    simulator.advance(600)
    for ago, value in [(130, 4.0), (125, 8.0), (10, 2.0)]:
        put(cloudwatch, simulator, value, ago, "Statistics")
    span = {"StartTime": now_of(simulator) - datetime.timedelta(minutes=10), "EndTime": now_of(simulator)
            + datetime.timedelta(minutes=1)}
    metric = {"Namespace": "Muster/Capacity", "MetricName": "Statistics",
              "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}]}
    points = cloudwatch.get_metric_statistics(
        **metric, **span, Period=900, Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"])["Datapoints"]
    (point,) = points
    assert (point["Sum"], point["Minimum"], point["Maximum"], point["SampleCount"], point["Unit"]) == (
        14.0, 2.0, 8.0, 3.0, "Count")
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Minimum"}}
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **span)["MetricDataResults"]
    assert result["Values"][0] == 2.0 and result["Timestamps"] == sorted(result["Timestamps"], reverse=True)
    listed = cloudwatch.list_metrics(Namespace="Muster/Capacity", MetricName="Statistics")["Metrics"]
    assert listed == [metric]
    with_other = {**metric, "Dimensions": []}
    assert cloudwatch.get_metric_statistics(**with_other, **span, Period=60, Statistics=["Sum"])["Datapoints"] == []


def test_a_thousand_metrics_go_in_one_compressed_call(cloudwatch):
    data = [{"MetricName": f"m-{number}", "Value": number / 7, "Dimensions": [{"Name": "d", "Value": str(number)}]}
            for number in range(1000)]
    cloudwatch.put_metric_data(Namespace="Many", MetricData=data)
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Many")
    assert [len(page["Metrics"]) for page in pages] == [500, 500]
    too_many = error_of(cloudwatch.put_metric_data, Namespace="Many", MetricData=[*data, data[0]])
    assert too_many["Code"] in ("InvalidParameterValue", "InvalidParameterValueException")


@pytest.mark.parametrize("wrong", [
    {"Value": float("nan")}, {"Unit": "Counts"}, {"Timestamp": datetime.datetime(2020, 1, 1)},
    {"StorageResolution": 7}, {"StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}},
])
def test_a_metric_that_cloudwatch_would_refuse_is_refused(cloudwatch, wrong):
    datum = {"MetricName": "m", "Value": 1.0, **wrong}
    code = error_of(cloudwatch.put_metric_data, Namespace="N", MetricData=[datum])["Code"]
    assert code.startswith("InvalidParameter")


def alarm_of(cloudwatch, name):
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def test_an_alarm_on_room_that_runs_out_tells_a_topic_and_scales_the_group_out(simulator, cloudwatch, autoscaling):
    sns, sqs = simulator.client("sns"), simulator.client("sqs")
    topic = sns.create_topic(Name="room")["TopicArn"]
    queue = sqs.create_queue(QueueName="room")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:room")
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="trunk", MaxSize=4)
    policy = autoscaling.put_scaling_policy(
        AutoScalingGroupName="trunk", PolicyName="out", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1,
        Cooldown=1)["PolicyARN"]
    cloudwatch.put_metric_alarm(
        AlarmName="room", Namespace="Muster/Capacity", MetricName="FreeEniSlots", Statistic="Minimum", Period=60,
        Dimensions=[{"Name": "ClusterName", "Value": CLUSTER}], EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=2.0,
        ComparisonOperator="LessThanOrEqualToThreshold", TreatMissingData="missing", AlarmActions=[topic, policy])
    created = alarm_of(cloudwatch, "room")
    assert (created["StateValue"], created["StateReason"]) == (
        "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    for value in (9, 9, 9):
        put(cloudwatch, simulator, value)
        simulator.advance(60)
    assert alarm_of(cloudwatch, "room")["StateValue"] == "OK", "plenty of room is no alarm"
    before = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["trunk"])["AutoScalingGroups"][0]
    for value in (2, 1):
        put(cloudwatch, simulator, value)
        simulator.advance(60)
    alarm = alarm_of(cloudwatch, "room")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"].startswith("Threshold Crossed: 2 out of the last 3 datapoints [1.0 (")
    assert json.loads(alarm["StateReasonData"])["threshold"] == 2.0
    after = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["trunk"])["AutoScalingGroups"][0]
    assert after["DesiredCapacity"] == before["DesiredCapacity"] + 1
    message = json.loads(json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])["Message"])
    assert (message["AlarmName"], message["NewStateValue"], message["OldStateValue"]) == ("room", "ALARM", "OK")
    assert message["Trigger"]["Statistic"] == "MINIMUM"
    history = cloudwatch.describe_alarm_history(AlarmName="room", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert history[0]["HistorySummary"] == "Alarm updated from OK to ALARM"


def test_an_alarm_set_by_hand_returns_to_its_true_state(cloudwatch, simulator):
    cloudwatch.put_metric_alarm(
        AlarmName="quiet", Namespace="Muster/Capacity", MetricName="Quiet", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
    simulator.advance(60)
    assert alarm_of(cloudwatch, "quiet")["StateValue"] == "OK"
    cloudwatch.set_alarm_state(AlarmName="quiet", StateValue="ALARM", StateReason="a test")
    assert alarm_of(cloudwatch, "quiet")["StateReason"] == "a test"
    simulator.advance(60)
    assert alarm_of(cloudwatch, "quiet")["StateValue"] == "OK"
    unknown = error_of(cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x")
    assert unknown["Code"] == "ResourceNotFound"
    cloudwatch.delete_alarms(AlarmNames=["quiet"])
    assert cloudwatch.describe_alarms(AlarmNames=["quiet"])["MetricAlarms"] == []


@pytest.mark.parametrize("wrong", [
    {"DatapointsToAlarm": 9}, {"Period": 45}, {"EvaluationPeriods": 2000}, {"TreatMissingData": "sometimes"},
])
def test_an_alarm_that_cloudwatch_would_refuse_is_refused(cloudwatch, wrong):
    alarm = {"AlarmName": "wrong", "Namespace": "N", "MetricName": "m", "Statistic": "Average", "Period": 60,
             "EvaluationPeriods": 3, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", **wrong}
    assert error_of(cloudwatch.put_metric_alarm, **alarm)["Code"] == "ValidationError"


def test_the_three_protocols_of_cloudwatch_answer_alike(simulator):
    seen, spoken = [], []
    for protocol in ("smithy-rpc-v2-cbor", "json", "query"):
        session = boto3.session.Session()
        loader = session._session.get_component("data_loader")
        model = loader.load_service_model("cloudwatch", "service-2")
        model["metadata"]["protocols"] = [protocol]
        model["metadata"]["protocol"] = protocol
        client = session.client(
            "cloudwatch", endpoint_url=simulator.url, region_name=REGION, aws_access_key_id="muster",
            aws_secret_access_key="muster", config=Config(retries={"total_max_attempts": 1}))
        client.meta.events.register(
            "before-send.cloudwatch.PutMetricData",
            lambda request, **_: spoken.append(request.headers["Content-Type"]))
        at = now_of(simulator).replace(microsecond=0) - datetime.timedelta(seconds=90)
        name = protocol.split("-")[0]
        client.put_metric_data(Namespace="Protocols", MetricData=[{"MetricName": name, "Value": 2.5, "Timestamp": at}])
        (point,) = client.get_metric_statistics(
            Namespace="Protocols", MetricName=name, Period=60, Statistics=["Sum"],
            StartTime=at - datetime.timedelta(minutes=2), EndTime=at + datetime.timedelta(minutes=2))["Datapoints"]
        wrong = error_of(client.put_metric_data, Namespace="Protocols", MetricData=[
            {"MetricName": name, "Value": 1.0, "StorageResolution": 7}])
        seen.append((point["Sum"], point["Timestamp"].tzinfo is not None, point["Timestamp"] <= at, wrong["Code"]))
    assert len({row[:3] for row in seen}) == 1 and seen[0][:3] == (2.5, True, True)
    assert {row[3] for row in seen} <= {"InvalidParameterValue", "InvalidParameterValueException"}
    kinds = {str(kind, "ascii") if isinstance(kind, bytes) else kind for kind in spoken}
    assert {kind.split(";")[0] for kind in kinds} == {
        "application/cbor", "application/x-amz-json-1.0", "application/x-www-form-urlencoded"}


@pytest.mark.skipif(
    not (Path(sys.executable).with_name("aws").exists() or shutil.which("aws")), reason="there is no AWS CLI")
def test_the_aws_cli_puts_metrics_and_alarms(simulator, cloudwatch):
    beside = Path(sys.executable).with_name("aws")
    aws = str(beside) if beside.exists() else shutil.which("aws")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": simulator.url, "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "muster",
        "AWS_SECRET_ACCESS_KEY": "muster", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": ""}

    def run(*arguments):
        done = subprocess.run([aws, "cloudwatch", *arguments], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("put-metric-data", "--namespace", "Cli", "--metric-name", "free", "--value", "3", "--unit", "Count",
        "--dimensions", "ClusterName=prod-a")
    run("put-metric-alarm", "--alarm-name", "cli", "--namespace", "Cli", "--metric-name", "free", "--statistic",
        "Minimum", "--period", "60", "--evaluation-periods", "1", "--threshold", "2", "--comparison-operator",
        "LessThanOrEqualToThreshold", "--dimensions", "Name=ClusterName,Value=prod-a", "--treat-missing-data",
        "breaching")
    shown = json.loads(run("describe-alarms", "--alarm-names", "cli", "--output", "json"))
    assert shown["MetricAlarms"][0]["Threshold"] == 2.0
    assert cloudwatch.list_metrics(Namespace="Cli")["Metrics"][0]["MetricName"] == "free"
