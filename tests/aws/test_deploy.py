"""What `deploy/` hands out: stacks for events and for acting, and policies with what muster calls and nothing more."""

import json
import re

import pytest
import yaml

from conftest import ROOT

TEMPLATE = ROOT / "deploy/cloudformation/events.yaml"
ACT_TEMPLATE = ROOT / "deploy/cloudformation/act.yaml"
SCRIPTS = ROOT / "crates/aws/src/act/scripts"
SERVICES = "ecs|ec2|autoscaling|cloudwatch|ssm|sqs|sns|ses|lambda|dynamodb|secretsmanager"


def statements(role: str) -> list[dict]:
    return json.loads((ROOT / f"deploy/iam/{role}.json").read_text())["Statement"]


def allowed(role: str) -> set[str]:
    return {action for statement in statements(role) for action in statement["Action"]}


def given(template) -> set[str]:
    return set(re.findall(rf"^ +- ((?:{SERVICES}):\w+)$", template.read_text(), flags=re.MULTILINE))


@pytest.fixture
def stack(aws):
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="muster", TemplateBody=TEMPLATE.read_text())
    (made,) = cloudformation.describe_stacks(StackName="muster")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}


def received(aws, queue: str) -> list[dict]:
    answer = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def test_the_stack_brings_agent_events_into_its_queue(aws, stack):
    aws.add_cluster("prod-a")
    (arn,) = aws.add_hosts("prod-a", 1)
    aws.set_agents("prod-a", False)
    events = received(aws, stack["QueueUrl"])
    assert [event["resources"] for event in events] == [[arn], [arn]]
    assert {event["detail"]["agentConnected"] for event in events} == {True, False}


@pytest.mark.parametrize(
    ("source", "kind", "comes"),
    [
        ("aws.ecs", "ECS Container Instance Health Change", True),
        ("aws.ecs", "ECS Task State Change", True),
        ("aws.ec2", "EC2 Instance State-change Notification", True),
        ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", True),
        ("aws.ec2", "EBS Volume Notification", False),
        ("aws.s3", "Object Created", False),
    ],
)
def test_the_rules_take_what_muster_understands_and_nothing_else(aws, stack, source, kind, comes):
    aws.client("events").put_events(Entries=[{"Source": source, "DetailType": kind, "Detail": "{}"}])
    assert bool(received(aws, stack["QueueUrl"])) == comes


def test_the_policy_only_looks():
    for action in allowed("observe"):
        verb = action.split(":")[1]
        assert verb.startswith(("List", "Describe", "Get")) or action in (
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
        ), action


def test_the_templates_give_the_same_actions_as_the_policies():
    assert given(TEMPLATE) == allowed("observe")
    assert given(ACT_TEMPLATE) == allowed("act")


def test_the_policies_allow_what_muster_calls_and_nothing_more():
    # Each call names its action, so that a denial can.
    named = set()
    for path in (ROOT / "crates/aws/src").rglob("*.rs"):
        named |= set(re.findall(rf'"((?:{SERVICES}):[A-Z]\w+)"', path.read_text()))
    roles = [allowed(role) for role in ("observe", "act", "notify", "publish")]
    # Who switches Container Insights is a person, with a policy that is whole by itself.
    together = set().union(*roles) | allowed("insights")
    assert named == together, f"lacking: {sorted(named - together)}, too many: {sorted(together - named)}"
    assert sum(map(len, roles)) == len(set().union(*roles)), "no role repeats another's actions"


# What neither ends nor changes anything cannot be confined to machines: AWS knows no resource for it.
UNCONFINED = {
    "autoscaling:DescribeAutoScalingInstances",
    "ec2:GetConsoleOutput",
    "ssm:GetCommandInvocation",
    "ssm:ListCommands",
    "ssm:CancelCommand",
}


@pytest.mark.parametrize("role", ["act", "notify"])
def test_what_changes_something_is_confined_by_a_resource_or_a_condition(role):
    for statement in statements(role):
        if not set(statement["Action"]) <= UNCONFINED:
            assert statement["Resource"] != "*" or "Condition" in statement, statement["Sid"]


def test_only_what_is_tagged_for_it_can_be_ended_rebooted_or_sent_commands():
    for action in (
        "TerminateInstanceInAutoScalingGroup", "TerminateInstances", "RebootInstances", "SetDesiredCapacity", "ExecutePolicy"
    ):
        (statement,) = [it for it in statements("act") if any(found.endswith(f":{action}") for found in it["Action"])]
        ((tag, value),) = statement["Condition"]["StringEquals"].items()
        assert tag.endswith("ResourceTag/muster:managed") and value == "true", action
    machines, documents = [it for it in statements("act") if "ssm:SendCommand" in it["Action"]]
    assert machines["Condition"] == {"StringEquals": {"ssm:resourceTag/muster:managed": "true"}}
    assert all(":document/" in resource and not resource.endswith("/*") for resource in documents["Resource"])


class Tags(yaml.SafeLoader):
    """Reads CloudFormation's own tags as plain values."""


def plain(loader, _suffix, node):
    kinds = {"scalar": loader.construct_scalar, "sequence": loader.construct_sequence, "mapping": loader.construct_mapping}
    return kinds[node.id](node)


Tags.add_multi_constructor("!", plain)


@pytest.mark.parametrize(
    ("document", "script", "first"),
    [("LinuxDocument", "linux.sh", "action={{ Action }}"), ("WindowsDocument", "windows.ps1", "$action = '{{ Action }}'")],
)
def test_the_documents_hold_the_scripts_that_muster_would_send(document, script, first):
    content = yaml.load(ACT_TEMPLATE.read_text(), Tags)["Resources"][document]["Properties"]["Content"]
    (step,) = content["mainSteps"]
    assert step["inputs"]["runCommand"] == [first, (SCRIPTS / script).read_text()]
    # Whatever stands in place of the action is one of these words, so no text can slip into the script.
    actions = content["parameters"]["Action"]["allowedValues"]
    assert all(re.fullmatch(r"[a-z-]+", action) for action in actions)
    assert all(action in (SCRIPTS / script).read_text() for action in actions)


def test_the_stack_for_acting_makes_documents_and_a_table(aws):
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName="muster-act", TemplateBody=ACT_TEMPLATE.read_text())
    (made,) = cloudformation.describe_stacks(StackName="muster-act")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    table = aws.client("dynamodb").describe_table(TableName="muster-lease")["Table"]
    assert table["KeySchema"] == [{"AttributeName": "name", "KeyType": "HASH"}]
