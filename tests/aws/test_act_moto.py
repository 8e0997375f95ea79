"""Acts against moto: what muster asks of AWS has the effect that is meant, and asking twice has it once."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from conftest import environment, example
from harness import ACCOUNT, REGION

GROUP = "prod-workers"


@pytest.fixture(scope="session")
def driver() -> str:
    """The example that carries out intents."""
    return example("aws", "act")


class Muster:
    """The driver at work: one question, one answer."""

    def __init__(self, program: str, endpoint: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [program],
            cwd=folder,
            env=environment(endpoint),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.intents = 0

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the driver ended with {self.process.wait(timeout=10)}"
        return json.loads(line)

    def act(self, what, host=None, again: bool = False, **target):
        """Carries one act out. Returns the kind of its result and what it says."""
        self.intents += 1
        named = {"cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/prod-a", "place": f"{ACCOUNT}/{REGION}"}
        if host is not None:
            named |= {"host": host.container_instance_arn, "machine": host.ec2_instance_id}
        intent = {
            "id": self.intents,
            "token": f"test-{self.intents}",
            "case": 1,
            "remedy": "replace",
            "act": what,
            "target": named | target,
            "expects": {},
            "limit_secs": 30,
        }
        ((kind, said),) = self.ask(act=intent, again=again).items()
        return kind, said


@pytest.fixture
def muster(aws, driver, tmp_path):
    aws.add_cluster("prod-a")
    running = Muster(driver, aws.endpoint, tmp_path)
    yield running
    running.process.stdin.close()
    try:
        running.process.wait(timeout=10)
    finally:
        running.process.kill()
        running.process.stdout.close()


@pytest.fixture
def hosts(aws, muster):
    """Three hosts of one group."""
    return [aws.host("prod-a", arn) for arn in aws.add_group("prod-a", GROUP, 3, smallest=1, largest=4)]


def test_a_host_is_drained_and_undrained(aws, muster, hosts):
    assert muster.act("drain", hosts[0])[0] == "done"
    assert [host.status for host in hosts] == ["DRAINING", "ACTIVE", "ACTIVE"]
    asked = aws.called("UpdateContainerInstancesState")
    kind, said = muster.act("drain", hosts[0], again=True)
    assert kind == "done" and "already" in said["note"]
    assert aws.called("UpdateContainerInstancesState") == asked
    assert muster.act("undrain", hosts[0])[0] == "done"
    assert hosts[0].status == "ACTIVE"


def test_the_group_replaces_a_machine_that_is_ended_through_it(aws, muster, hosts):
    before = aws.members(GROUP)
    kind, said = muster.act({"terminate-in-group": {"shrink": False}}, hosts[0], group=GROUP)
    assert kind == "done", said
    after = aws.members(GROUP)
    assert aws.group(GROUP)["DesiredCapacity"] == 3
    assert hosts[0].ec2_instance_id not in after
    assert len(set(after) - set(before)) == 1, "a new machine has come"
    # Once more, as after a crash: it has ended already, and nobody else does.
    kind, said = muster.act({"terminate-in-group": {"shrink": False}}, hosts[0], again=True, group=GROUP)
    assert kind in ("done", "gone"), said
    assert aws.members(GROUP) == after
    assert aws.called("TerminateInstanceInAutoScalingGroup") == 1


def test_a_group_shrinks_when_it_was_raised_for_the_replacement(aws, muster, hosts):
    assert muster.act({"set-desired": {"from": 3, "to": 4}}, hosts[0], group=GROUP)[0] == "done"
    assert len(aws.members(GROUP)) == 4
    assert muster.act({"terminate-in-group": {"shrink": True}}, hosts[0], group=GROUP)[0] == "done"
    assert aws.group(GROUP)["DesiredCapacity"] == 3 and hosts[0].ec2_instance_id not in aws.members(GROUP)


def test_a_group_is_sized_within_its_bounds_and_only_from_what_it_was(aws, muster, hosts):
    for change, kind in (
        ({"from": 2, "to": 3}, "done"),
        ({"from": 2, "to": 4}, "unfit"),
        ({"from": 3, "to": 5}, "impossible"),
        ({"from": 3, "to": 0}, "impossible"),
    ):
        assert muster.act({"set-desired": change}, hosts[0], group=GROUP)[0] == kind, change
    assert aws.called("SetDesiredCapacity") == 0
    assert muster.act({"set-desired": {"from": 1, "to": 2}}, hosts[0], group="nowhere")[0] == "gone"


def test_a_policy_of_the_group_adds_machines_once_and_only_from_what_the_group_was(aws, muster, hosts):
    aws.client("autoscaling").put_scaling_policy(
        AutoScalingGroupName=GROUP,
        PolicyName="add-one",
        PolicyType="SimpleScaling",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    step = {"execute-policy": {"policy": "add-one", "from": 3}}
    assert muster.act(step, hosts[0], group=GROUP)[0] == "done"
    assert aws.group(GROUP)["DesiredCapacity"] == 4
    assert muster.act(step, hosts[0], again=True, group=GROUP)[0] == "done"
    assert muster.act(step, hosts[0], group=GROUP)[0] == "unfit"
    assert aws.called("ExecutePolicy") == 1
    assert aws.group(GROUP)["DesiredCapacity"] == 4


def test_a_suspended_group_is_not_asked_to_replace(aws, muster, hosts):
    aws.client("autoscaling").suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
    kind, said = muster.act({"terminate-in-group": {"shrink": False}}, hosts[0], group=GROUP)
    assert kind == "impossible" and "Launch" in said["why"]
    assert hosts[0].ec2_instance_id in aws.members(GROUP)


def test_a_machine_is_marked_unhealthy(aws, muster, hosts):
    assert muster.act("mark-unhealthy", hosts[0], group=GROUP)[0] == "done"
    told = {member["InstanceId"]: member["HealthStatus"] for member in aws.group(GROUP)["Instances"]}
    assert told[hosts[0].ec2_instance_id].lower() == "unhealthy"
    assert muster.act("mark-unhealthy", hosts[0], group=GROUP)[0] == "done"
    assert aws.called("SetInstanceHealth") == 1


def test_only_a_machine_outside_of_any_group_is_ended_by_ec2(aws, muster, hosts):
    kind, said = muster.act("terminate", hosts[0])
    assert kind == "unfit" and GROUP in said["why"]
    alone = aws.host("prod-a", aws.add_hosts("prod-a", 1)[0])
    assert muster.act("terminate", alone)[0] == "done"
    (reservation,) = aws.client("ec2").describe_instances(InstanceIds=[alone.ec2_instance_id])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"
    assert muster.act("terminate", alone, again=True)[0] in ("done", "gone")
    assert aws.called("TerminateInstances") == 1


def test_a_machine_is_rebooted_once(aws, muster, hosts):
    assert muster.act("reboot", hosts[0])[0] == "done"
    kind, said = muster.act("reboot", hosts[0], again=True)
    assert kind == "failed" and said["may_have_happened"]
    assert aws.called("RebootInstances") == 1


def test_the_agent_is_restarted_by_a_command_to_this_machine_that_carries_the_token(aws, muster, hosts):
    assert muster.act("restart-agent", hosts[0])[0] == "done"
    (command,) = aws.client("ssm").list_commands()["Commands"]
    assert command["InstanceIds"] == [hosts[0].ec2_instance_id]
    assert (command["DocumentName"], command["Comment"]) == ("AWS-RunShellScript", f"muster test-{muster.intents}")
    assert command["Parameters"]["commands"][0] == "action=restart-agent"


def test_a_command_that_was_sent_before_a_crash_is_found_again(aws, muster, hosts):
    muster.act("restart-runtime", hosts[0])
    muster.intents -= 1
    assert muster.act("restart-runtime", hosts[0], again=True)[0] == "done"
    assert aws.called("SendCommand") == 1


@pytest.mark.parametrize(
    ("what", "service", "action"),
    [
        ("drain", "ecs", "UpdateContainerInstancesState"),
        ("deregister", "ecs", "DeregisterContainerInstance"),
        ({"terminate-in-group": {"shrink": False}}, "autoscaling", "TerminateInstanceInAutoScalingGroup"),
        ("mark-unhealthy", "autoscaling", "SetInstanceHealth"),
        ({"set-desired": {"from": 3, "to": 4}}, "autoscaling", "SetDesiredCapacity"),
        ("restart-agent", "ssm", "SendCommand"),
    ],
)
def test_what_took_effect_and_was_answered_by_an_error_is_seen_and_not_done_twice(
    aws, muster, hosts, what, service, action
):
    fault = aws.fault("lost", service=service, action=action, times=1)
    kind, said = muster.act(what, hosts[0], group=GROUP)
    assert fault.met == 1
    assert kind in ("done", "gone"), said
    assert aws.called(action) == 1


def test_a_reboot_that_was_answered_by_an_error_may_have_happened_and_is_left_at_that(aws, muster, hosts):
    aws.fault("lost", service="ec2", action="RebootInstances", times=1)
    kind, said = muster.act("reboot", hosts[0])
    assert kind == "failed" and said["may_have_happened"]
    assert aws.called("RebootInstances") == 1


def test_a_host_of_ecs_anywhere_is_rebooted_through_ssm(aws, muster):
    external = aws.host("prod-a", aws.add_external_host("prod-a"))
    assert muster.act("reboot", external, external=True)[0] == "done"
    (command,) = aws.client("ssm").list_commands()["Commands"]
    assert command["Parameters"]["commands"][0] == "action=reboot"
    assert aws.called("RebootInstances") == 0


def test_a_machine_that_ssm_does_not_reach_is_sent_nothing(aws, muster, hosts):
    aws.reached.clear()
    assert muster.act("restart-agent", hosts[0])[0] == "impossible"
    lost = aws.host("prod-a", aws.add_external_host("prod-a", ping="ConnectionLost"))
    assert muster.act("restart-agent", lost, external=True)[0] == "failed"
    assert aws.called("SendCommand") == 0


def test_evidence_is_always_saved_or_its_lack_explained(aws, muster, hosts):
    kind, said = muster.act("save-evidence", hosts[0])
    assert kind == "saved"
    names = [name for name, _ in said["items"]]
    assert "console output" in names and all(text for _, text in said["items"])


def test_a_ghost_is_deregistered_and_is_gone_at_the_second_asking(aws, muster, hosts):
    assert muster.act("deregister", hosts[0])[0] == "done"
    assert hosts[0].container_instance_arn not in [host.container_instance_arn for host in aws.hosts("prod-a")]
    assert muster.act("deregister", hosts[0], again=True)[0] in ("done", "gone")
    assert aws.called("DeregisterContainerInstance") == 1


@pytest.mark.parametrize(
    ("what", "service", "action", "permission"),
    [
        ("drain", "ecs", "UpdateContainerInstancesState", "ecs:UpdateContainerInstancesState"),
        ("mark-unhealthy", "autoscaling", "SetInstanceHealth", "autoscaling:SetInstanceHealth"),
        ("reboot", "ec2", "RebootInstances", "ec2:RebootInstances"),
        ("restart-agent", "ssm", "SendCommand", "ssm:SendCommand"),
    ],
)
def test_a_denial_names_what_to_allow(aws, muster, hosts, what, service, action, permission):
    aws.fault("denied", service=service, action=action)
    kind, said = muster.act(what, hosts[0], group=GROUP)
    assert kind == "denied" and permission in said["why"]


# --- the lease ------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(aws):
    aws.client("dynamodb").create_table(
        TableName="muster",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
    )


def test_one_of_two_holds_the_lease_and_each_change_raises_its_epoch(muster, table):
    assert muster.ask(hold="one") == {"epoch": 1}
    assert muster.ask(hold="two") is None
    assert muster.ask(hold="one") == {"epoch": 1}, "renewing is no change"
    muster.ask(release="one")
    assert muster.ask(hold="two") == {"epoch": 2}, "given back, it need not be waited for"
    assert muster.ask(hold="one") is None
    muster.ask(release="one")
    assert muster.ask(hold="one") is None, "only its holder can give it back"


def test_a_lease_that_is_renewed_is_never_taken_and_one_that_is_not_is_taken_after_its_length(muster, table):
    muster.ask(hold="one")
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        assert muster.ask(hold="one") == {"epoch": 1}
        assert muster.ask(hold="two") is None
    silent = time.monotonic()
    while (held := muster.ask(hold="two")) is None:
        assert time.monotonic() - silent < 20
    assert held == {"epoch": 2}
    assert time.monotonic() - silent > 1.0
    assert muster.ask(hold="one") is None, "the former holder learns of it"


def test_a_missing_table_is_explained_with_the_command_that_creates_it(muster):
    answer = muster.ask(hold="one", table="nowhere")
    assert "aws dynamodb create-table --table-name nowhere" in answer["error"]
