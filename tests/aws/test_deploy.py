"""What `deploy/` hands out: a stack whose rule fills the queue, and a policy with what muster calls and nothing more."""

import json
import re

import pytest

from conftest import ROOT

TEMPLATE = ROOT / "deploy/cloudformation/events.yaml"
POLICY = ROOT / "deploy/iam/observe.json"


def allowed() -> set[str]:
    statements = json.loads(POLICY.read_text())["Statement"]
    return {action for statement in statements for action in statement["Action"]}


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
    for action in allowed():
        verb = action.split(":")[1]
        assert verb.startswith(("List", "Describe", "Get")) or action in (
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
        ), action


def test_the_template_gives_a_reader_the_same_actions():
    text = TEMPLATE.read_text()
    given = set(re.findall(r"^ +- ((?:ecs|ec2|autoscaling|ssm|sqs):\w+)$", text, flags=re.MULTILINE))
    assert given == allowed()


def test_the_policy_allows_what_muster_calls_and_nothing_more():
    # Each call names its action, so that a denial can.
    named = set()
    for path in (ROOT / "crates/aws/src").rglob("*.rs"):
        named |= set(re.findall(r'"((?:ecs|ec2|autoscaling|ssm|sqs):[A-Z]\w+)"', path.read_text()))
    assert named == allowed(), f"lacking: {sorted(named - allowed())}, too many: {sorted(allowed() - named)}"
