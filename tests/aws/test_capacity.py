"""What room is left, as `muster` tells it, beside what boto3 and the AWS CLI see: the tables, the alarm, the metrics."""

import datetime
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from conftest import Served, environment
from test_simulator_clients import PROGRAM, REGION, Simulator

CLUSTER = "prod-a"

SCENARIO = f"""\
# Three hosts with two slots each, and a service that holds four of them.
lasts = "10h"

[habits]
zone-spread = true

[faults.api]
unlimited = true

[[cluster]]
name = "{CLUSTER}"

[[cluster.group]]
name = "web"
hosts = 3
max = 6

[[cluster.service]]
name = "api"
tasks = 4
network = "awsvpc"
"""


def started(tmp_path_factory, speed: str) -> Simulator:
    path = tmp_path_factory.mktemp("room") / "room.toml"
    path.write_text(SCENARIO)
    return Simulator(path, "--speed", speed)


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """An account in which time stands still unless it is moved."""
    running = started(tmp_path_factory, "0")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    """An account in which time passes as it does here."""
    running = started(tmp_path_factory, "1")
    yield running
    running.stop()


def muster(simulator, *arguments: str, exits: int = 0) -> str:
    done = subprocess.run([PROGRAM, *arguments], env=environment(simulator.url), capture_output=True, text=True, timeout=60)
    assert done.returncode == exits, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def room(simulator, *more: str) -> dict:
    (cluster,) = json.loads(muster(simulator, "capacity", "--all", "--output", "json", *more))["clusters"]
    return cluster


def test_what_is_free_is_what_boto3_adds_up(still):
    ecs = still.client("ecs")
    arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    hosts = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]

    def total(which: str, name: str) -> int:
        return sum(entry["integerValue"] for host in hosts for entry in host[which] if entry["name"] == name)

    tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=ecs.list_tasks(cluster=CLUSTER)["taskArns"])["tasks"]
    with_interface = [task for task in tasks if any(it["type"] == "ElasticNetworkInterface" for it in task["attachments"])]
    (kind,) = {attribute["value"] for host in hosts for attribute in host["attributes"] if attribute["name"] == "ecs.instance-type"}
    limits = still.client("ec2").describe_instance_types(InstanceTypes=[kind])["InstanceTypes"][0]["NetworkInfo"]
    free = room(still)["whole"]["open"]
    assert free["cpu_units"] == {"free": total("remainingResources", "CPU"), "total": total("registeredResources", "CPU")}
    assert free["memory_mib"]["free"] == total("remainingResources", "MEMORY")
    slots = len(hosts) * (limits["MaximumNetworkInterfaces"] - 1)
    assert free["slots"]["scheduler"] == {"free": slots - len(with_interface), "total": slots}
    # EC2 sees the same: nobody else has attached anything.
    assert free["slots"]["physical_free"] == slots - len(with_interface)


def test_as_many_fit_as_run_task_places(still):
    told = json.loads(muster(still, "fit", "api:1", "--all", "--output", "json"))[0]
    assert told["copies"] == 2
    ran = still.client("ecs").run_task(cluster=CLUSTER, taskDefinition="api", count=told["copies"] + 1)
    assert len(ran["tasks"]) == told["copies"]
    assert {failure["reason"] for failure in ran["failures"]} == {told["closest"]["reason"]} == {"RESOURCE:ENI"}
    # In the order that was foretold, or in another: the same hosts.
    assert sorted(task["containerInstanceArn"] for task in ran["tasks"]) == sorted(told["next"])
    assert json.loads(muster(still, "fit", "api:1", "--all", "--output", "json"))[0]["copies"] == 0


# The alarm


def put(simulator, namespace: str, name: str, dimension: str, value: float) -> None:
    now = datetime.datetime.fromisoformat(simulator.truth()["now"].replace("Z", "+00:00"))
    simulator.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{
        "MetricName": name, "Value": value, "Unit": "Count", "Timestamp": now,
        "Dimensions": [{"Name": dimension, "Value": CLUSTER}]}])


def state(simulator, name: str) -> str:
    (alarm,) = simulator.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm["StateValue"]


def lives_through(simulator, name: str, namespace: str, metric: str, dimension: str) -> list[str]:
    """The states of an alarm: with plenty of room, with little, with plenty again, and without any word."""
    states = []
    for value in (9, 2, 9):
        for _ in range(6):
            put(simulator, namespace, metric, dimension, value)
            simulator.advance(60)
        states.append(state(simulator, name))
    simulator.advance(3600)
    states.append(state(simulator, name))
    return states


RIGHT = ["OK", "ALARM", "OK", "INSUFFICIENT_DATA"]


@pytest.mark.parametrize(
    ("more", "metric", "dimension"),
    [([], "FreeEniSlots", "ClusterName"), (["--legacy"], "ecs-remaining-eni's", "ecs-autoscaling")],
)
def test_the_printed_command_makes_an_alarm_that_goes_off_when_room_runs_out(still, tmp_path, more, metric, dimension):
    command = muster(still, "capacity", "alarm-template", "--cluster", CLUSTER, "--form", "cli", *more)
    settings = environment(still.url, AWS_DEFAULT_REGION=REGION, AWS_PAGER="")
    settings["PATH"] = f"{Path(sys.executable).parent}:{settings['PATH']}"
    subprocess.run(["bash", "-ec", command], env=settings, cwd=tmp_path, check=True, timeout=60)
    assert lives_through(still, f"muster-{CLUSTER}-eni-slots", "Muster/Capacity", metric, dimension) == RIGHT
    still.client("cloudwatch").delete_alarms(AlarmNames=[f"muster-{CLUSTER}-eni-slots"])


def test_the_printed_template_makes_the_same_alarm(still, aws):
    topic = f"arn:aws:sns:{REGION}:210987654321:muster-pages"
    text = muster(still, "capacity", "alarm-template", "--cluster", CLUSTER, "--threshold", "3", "--action", topic)
    aws.client("cloudformation").validate_template(TemplateBody=text)
    resource = yaml.safe_load(text)["Resources"]["RoomRunsOut"]
    assert resource["Type"] == "AWS::CloudWatch::Alarm"
    properties = resource["Properties"]
    # moto makes no alarms of templates, but a property has the name of its parameter.
    aws.client("cloudwatch").put_metric_alarm(**properties)
    (made,) = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert made["ComparisonOperator"] == "LessThanOrEqualToThreshold" and made["Threshold"] == 3
    assert made["AlarmActions"] == [topic] and made["MetricName"] == "FreeEniSlots"
    # and it judges as it should.
    del properties["AlarmActions"]
    still.client("cloudwatch").put_metric_alarm(**properties)
    assert lives_through(still, properties["AlarmName"], "Muster/Capacity", "FreeEniSlots", "ClusterName") == RIGHT


def test_the_alarm_of_the_seed_goes_off_while_all_is_well(still):
    # As its README has it, in a namespace where there is data at all.
    still.client("cloudwatch").put_metric_alarm(
        AlarmName="ecs-eni-monitoring", Namespace="Seed", MetricName="ecs-remaining-eni's", Statistic="Average", Period=300,
        EvaluationPeriods=1, Threshold=2, ComparisonOperator="GreaterThanOrEqualToThreshold",
        Dimensions=[{"Name": "ecs-autoscaling", "Value": CLUSTER}])
    wrong = lives_through(still, "ecs-eni-monitoring", "Seed", "ecs-remaining-eni's", "ecs-autoscaling")
    assert wrong[0] == "ALARM", "nine interfaces are left, and it fires"


# What `muster serve` publishes


CONFIG = """
[clusters]
names = ["prod-a"]
[publish]
{publish}
floor_secs = 1
ceiling_secs = 10
"""


@pytest.fixture
def serve(living, tmp_path):
    processes = []

    def run(publish: str) -> Served:
        (tmp_path / "muster.toml").write_text(CONFIG.format(publish=publish))
        log = tmp_path / "serve.log"
        process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--config", "muster.toml", "--data-dir", "data"],
            cwd=tmp_path, env=environment(living.url), stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
        processes.append(process)
        served = Served(process, log)
        served.wait_for_address(60)
        return served

    yield run
    for process in processes:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


def points(simulator, name: str, *dimensions: tuple[str, str]) -> list[dict]:
    now = datetime.datetime.now(datetime.timezone.utc)
    return simulator.client("cloudwatch").get_metric_statistics(
        Namespace="Muster/Capacity", MetricName=name, StartTime=now - datetime.timedelta(minutes=10),
        EndTime=now + datetime.timedelta(minutes=10), Period=60, Statistics=["Minimum", "SampleCount"],
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions])["Datapoints"]


def test_cloudwatch_gets_current_figures_with_honest_units_and_the_seeds_names_on_request(living, serve):
    began = datetime.datetime.now(datetime.timezone.utc)
    served = serve('to = "cloudwatch"\nlegacy = true')
    whole = ("ClusterName", CLUSTER)
    (first, *_) = served.until("figures are published", lambda: points(living, "FreeEniSlots", whole))
    free = room(living)["whole"]["open"]
    assert (first["Minimum"], first["Unit"]) == (free["slots"]["scheduler"]["free"], "Count")
    assert abs((first["Timestamp"] - began).total_seconds()) < 120, "the moment of the figure, not of the program's start"
    (memory, *_) = points(living, "FreeMemory", whole)
    assert (memory["Minimum"], memory["Unit"]) == (free["memory_mib"]["free"] * 2**20, "Bytes")
    (percent, *_) = points(living, "FreeCpuPercent", whole)
    assert percent["Unit"] == "Percent" and 0 < percent["Minimum"] <= 100
    assert points(living, "FreeEniSlots", whole, ("AvailabilityZone", f"{REGION}a"))
    assert points(living, "FreeEniSlots", whole, ("CapacityProviderName", "web"))
    (legacy, *_) = points(living, "ecs-remaining-eni's", ("ecs-autoscaling", CLUSTER))
    assert (legacy["Minimum"], legacy["Unit"]) == (free["slots"]["scheduler"]["free"], "Count")
    # A change is seen in seconds, and costs no look: one host less, at once.
    before = served.figure("muster_sweeps_total")
    arn = living.client("ecs").list_container_instances(cluster=CLUSTER)["containerInstanceArns"][0]
    living.client("ecs").update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")
    # Nobody told muster by an event here: what it has not seen it does not publish, and it looks no oftener for it.
    time.sleep(3)
    assert served.figure("muster_sweeps_total") == before
    living.client("ecs").update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="ACTIVE")
    # Whoever asks over HTTP is told what a look tells.
    told = served.get("/v1/capacity?hosts=true")
    assert told["tasks_known"] and len(told["clusters"][0]["hosts"]) == 3
    assert told["clusters"][0]["whole"]["open"]["cpu_units"] == free["cpu_units"]
    assert told["clusters"][0]["whole"]["open"]["slots"]["scheduler"] == free["slots"]["scheduler"]
    assert served.get("/v1/capacity?cluster=nope")["clusters"] == []
    # Prometheus has the same.
    assert served.figure("muster_capacity_free_eni_slots") == free["slots"]["scheduler"]["free"]
    assert served.figure("muster_capacity_open_hosts") == 3


def test_embedded_metric_format_is_a_line_of_json_for_each_set_of_dimensions(serve):
    served = serve('to = "emf"')
    lines = [json.loads(served.process.stdout.readline()) for _ in range(5)]
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Muster/Capacity" and abs(line["_aws"]["Timestamp"] / 1e3 - time.time()) < 120
        (dimensions,) = directive["Dimensions"]
        assert all(isinstance(line[name], str) for name in dimensions)
        assert directive["Metrics"] and all(isinstance(line[metric["Name"]], (int, float)) for metric in directive["Metrics"])
    assert {tuple(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) for line in lines} == {
        ("ClusterName",), ("ClusterName", "AvailabilityZone"), ("ClusterName", "CapacityProviderName")}


def test_without_looking_at_all_tasks_nothing_is_said_of_the_interfaces_that_they_hold(serve):
    served = serve('to = "nowhere"')
    served.until("gauges are there", lambda: served.figure("muster_capacity_open_hosts") == 3)
    assert served.get("/v1/capacity")["tasks_known"] is False
    assert not re.search(r"^muster_capacity_free_eni_slots", served.text("/metrics"), flags=re.MULTILINE)


def test_a_running_muster_is_asked_for_room_and_says_when_slots_are_not_sure(living, serve):
    served = serve('to = "nowhere"')
    served.until("it has looked", lambda: served.get("/v1/capacity")["clusters"])
    told = json.loads(muster(living, "capacity", "--server", served.address, "--hosts", "--output", "json"))
    direct = room(living, "--hosts")
    assert told["tasks_known"] is False and told["runs_out"] == []
    assert len(told["clusters"][0]["hosts"]) == len(direct["hosts"])
    assert told["clusters"][0]["whole"]["open"]["cpu_units"] == direct["whole"]["open"]["cpu_units"]
    table = muster(living, "capacity", "--server", served.address, "--cluster", "prod-*")
    assert table.startswith(CLUSTER) and "ENI slots are not sure" in table
    muster(living, "capacity", "--server", served.address, "--cluster", "nope", exits=2)
    # One look of its own knows the tasks, and says who knows what is to come.
    assert "not sure" not in muster(living, "capacity", "--cluster", CLUSTER)


def test_what_runs_out_is_foretold_by_samples_that_survive_a_restart(living, serve, tmp_path):
    # As the muster before has left them: an hour of slots that became two less every five minutes.
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    taken = [(now - datetime.timedelta(minutes=5 * (12 - step)), 240.0 - 2 * step) for step in range(12)]
    arn = room(living)["cluster"]
    samples = [[at.isoformat().replace("+00:00", "Z"), left] for at, left in taken]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "foresight.json").write_text(json.dumps({
        "every_secs": 300, "sampled_at": samples[-1][0], "parts": [[arn, "", {"eni-slots": {"samples": samples}}]]}))
    served = serve('to = "nowhere"')
    served.until("it has looked", lambda: served.get("/v1/capacity")["clusters"])
    (out,) = served.get("/v1/capacity")["runs_out"]
    assert (out["cluster"], out["zone"], out["of"], round(out["lost_per_hour"])) == (arn, "", "eni-slots", 24)
    expected = now.timestamp() + 3600 * (240 - 24) / 24
    assert abs(datetime.datetime.fromisoformat(out["at"].replace("Z", "+00:00")).timestamp() - expected) < 120
    table = muster(living, "capacity", "--server", served.address)
    assert re.search(rf"^  ENI slots of {CLUSTER} run out in about (8 h 5\d min|9 h)$", table, flags=re.MULTILINE), table
    earliest = served.until("a gauge is there", lambda: served.figure("muster_capacity_runs_out_earliest_secs"))
    assert abs(earliest - 9 * 3600) < 300
    assert served.figure("muster_capacity_runs_out_latest_secs") >= earliest
    # The first look of this muster is a sample too, and the file holds it.
    held = served.until("samples are kept", lambda: len(json.loads((tmp_path / "data/foresight.json").read_text())["parts"]) > 1)
    assert held


# What EventBridge tells of placement


STUCK = SCENARIO.replace("tasks = 4", "tasks = 6")


def test_what_a_muster_heard_of_placement_failures_is_joined_to_why(tmp_path):
    scenario = tmp_path / "stuck.toml"
    scenario.write_text(STUCK)
    simulator = Simulator(scenario, "--speed", "0")
    queue = simulator.client("sqs").get_queue_url(QueueName="muster-events")["QueueUrl"]
    (tmp_path / "muster.toml").write_text('[clusters]\nnames = ["prod-a"]\n')
    log = tmp_path / "serve.log"
    process = subprocess.Popen(
        [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--config", "muster.toml", "--data-dir", "data", "--queue-url", queue],
        cwd=tmp_path, env=environment(simulator.url), stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
    try:
        served = Served(process, log)
        served.wait_for_address(60)
        served.until("it has looked", lambda: served.get("/v1/capacity")["clusters"])
        assert served.get("/v1/placement-failures?service=api")["failures"] == []
        simulator.do(do="desired-count", service=f"{CLUSTER}/api", to=9)
        simulator.advance(120)
        failures = served.until(
            "it has heard", lambda: served.get("/v1/placement-failures?service=api&cluster=prod-a")["failures"], 60)
        assert failures[0]["reason"] == "RESOURCE:ENI" and ":container-instance/prod-a/" in failures[0]["hosts"][0]
        assert served.get("/v1/placement-failures?service=api&cluster=other")["failures"] == []
        assert served.get("/v1/placement-failures?service=worker")["failures"] == []
        for source in (["--server", served.address], ["--data-dir", str(tmp_path / "data")]):
            (why,) = json.loads(muster(simulator, "why", "api", "--cluster", CLUSTER, "--output", "json", *source, exits=1))
            assert why["heard"][0] == failures[0] and why["aws"]["reason"] == "RESOURCE:ENI"
            assert why["missing"] == 3
            table = muster(simulator, "why", "api", "--cluster", CLUSTER, *source, exits=1)
            assert re.search(r"heard by EventBridge: .*RESOURCE:ENI, closest [0-9a-f]{32}", table), table
        # Without a muster that hears events the service's own are read, as ever.
        (why,) = json.loads(muster(simulator, "why", "api", "--cluster", CLUSTER, "--output", "json", exits=1))
        assert why["heard"] == [] and why["aws"]["reason"] == "RESOURCE:ENI"
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()
        simulator.stop()


# moto, which is nobody's scheduler, and says less of its hosts


def test_against_moto_room_is_told_as_far_as_it_is_known(aws, muster_at_moto):
    aws.add_cluster(CLUSTER)
    aws.add_hosts(CLUSTER, 3)
    (cluster,) = json.loads(muster_at_moto("capacity", "--all", "--hosts", "--output", "json"))["clusters"]
    assert cluster["whole"]["open"]["hosts"] == 3 and len(cluster["hosts"]) == 3
    ecs = aws.client("ecs")
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "web", "image": "web", "cpu": 1024, "memory": 512}])
    ecs.create_service(cluster=CLUSTER, serviceName="web", taskDefinition="web", desiredCount=0)
    told = json.loads(muster_at_moto("fit", "web", "--all", "--output", "json"))[0]
    assert told["asked"]["kind"] == "service" and told["copies"] > 0
    each = min(host["copies"] for host in told["hosts"])
    assert told["copies"] == 3 * each
    missing = muster_at_moto("fit", "nope", "--all", exits=2)
    assert missing == ""


@pytest.fixture
def muster_at_moto(aws, tmp_path):
    def run(*arguments: str, exits: int = 0) -> str:
        done = subprocess.run(
            [PROGRAM, *arguments], cwd=tmp_path, env=environment(aws.endpoint), capture_output=True, text=True, timeout=60)
        assert done.returncode == exits, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
