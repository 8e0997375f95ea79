"""`muster serve`, told by moto's EventBridge through its SQS: cases open and close, nothing is counted twice or lost."""

import json
import shutil
import subprocess

import pytest

# Short graces, so that a test is over in seconds; a sweep only at the start and a minute later.
CONFIG = """
[clusters]
names = ["prod-a"]
[events]
queue_urls = ["{queue}"]
[sweep]
every_secs = {sweep_secs}
audit_tasks = false
[policy]
grace_secs = 2
act_after_secs = 4
fail_after = 1
doubt_after_secs = 1
gap_look_secs = 1
[journal]
data_dir = "data"
"""


@pytest.fixture
def watched(aws):
    """Ten hosts of a cluster, and the queue that tells of them."""
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 10)
    return sorted(arns), aws.queue_of_events()


def config(queue: str, sweep_secs: int = 3600) -> str:
    return CONFIG.format(queue=queue, sweep_secs=sweep_secs)


def open_cases(served) -> list[dict]:
    return served.get("/v1/cases")["cases"]


def cases_of(served, arn: str) -> list[dict]:
    return [case for case in open_cases(served) if case["subject"] == arn]


def hosts_of(served) -> dict[str, dict]:
    clusters = served.get("/v1/hosts")["clusters"]
    return {host["arn"]: host for cluster in clusters for host in cluster["hosts"]}


def started(served, count: int) -> None:
    served.until(f"{count} hosts are known", lambda: len(hosts_of(served)) == count)


def send(aws, queue: str, body: str) -> None:
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=body)


def waiting(aws, queue: str) -> int:
    """Messages that are in the queue or out with a reader."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


def event_of(aws, detail: dict) -> str:
    return json.dumps(
        {
            "version": "0",
            "id": f"00000000-0000-4000-8000-{detail['version']:012d}",
            "detail-type": "ECS Container Instance State Change",
            "source": "aws.ecs",
            "account": "123456789012",
            "time": detail["updatedAt"],
            "region": "eu-central-1",
            "resources": [detail["containerInstanceArn"]],
            "detail": detail,
        }
    )


def test_an_agent_that_goes_away_has_a_case_until_it_is_back(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    assert open_cases(served) == []

    aws.set_agents("prod-a", False, [arns[0]])
    (case,) = served.until("a case is opened", lambda: cases_of(served, arns[0]))
    assert case["trouble"] == "agent-away"
    assert case["ec2_instance_id"] == aws.host("prod-a", arns[0]).ec2_instance_id
    assert case["cluster"].endswith(":cluster/prod-a")

    def decided():
        return [case for case in cases_of(served, arns[0]) if case["stage"] == "decided" and case["decision"]]

    (case,) = served.until("it is decided what muster would do", decided)
    assert case["reasons"]
    assert len(open_cases(served)) == 1, "nine hosts are well"
    assert hosts_of(served)[arns[0]]["verdict"] == "agent-lost"

    aws.set_agents("prod-a", True, [arns[0]])
    served.until("the case is closed", lambda: not cases_of(served, arns[0]))
    assert hosts_of(served)[arns[0]]["verdict"] == "present"
    served.until("the queue is empty", lambda: waiting(aws, queue) == 0)
    assert aws.called("UpdateContainerInstancesState") == 0 and aws.called("TerminateInstances") == 0
    assert served.stop() == 0


def test_an_agent_that_is_back_within_the_grace_leads_to_no_decision(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue).replace("grace_secs = 2", "grace_secs = 30").replace("act_after_secs = 4", "act_after_secs = 60"))
    started(served, 10)
    aws.set_agents("prod-a", False, [arns[3]])
    (case,) = served.until("a case is opened", lambda: cases_of(served, arns[3]))
    assert case["stage"] == "suspected" and case["decision"] is None
    aws.set_agents("prod-a", True, [arns[3]])
    served.until("the case is closed", lambda: not cases_of(served, arns[3]))


def test_an_agent_that_no_event_told_of_is_found_by_a_sweep(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue, sweep_secs=10))
    started(served, 10)
    aws.set_agents("prod-a", False, [arns[5]], told=False)
    served.until("the sweep finds it", lambda: cases_of(served, arns[5]), timeout_secs=60)


def test_duplicates_are_dropped_and_counted(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    before = served.figure("muster_events_duplicate_total")
    aws.set_agents("prod-a", False, [arns[0]])
    served.until("a case is opened", lambda: cases_of(served, arns[0]))
    aws.emit(aws.host("prod-a", arns[0]), copies=5)
    served.until("five duplicates are counted", lambda: served.figure("muster_events_duplicate_total") >= before + 5)
    served.until("the queue is empty", lambda: waiting(aws, queue) == 0)
    assert len(cases_of(served, arns[0])) == 1


def test_an_older_event_does_not_bring_an_agent_back(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    older = aws.event_detail(aws.host("prod-a", arns[0]))
    aws.set_agents("prod-a", False, [arns[0]])
    served.until("a case is opened", lambda: cases_of(served, arns[0]))
    assert older["agentConnected"] and older["version"] == 1
    before = served.figure("muster_events_stale_total")
    send(aws, queue, event_of(aws, older))
    served.until("it is counted as stale", lambda: served.figure("muster_events_stale_total") == before + 1)
    assert len(cases_of(served, arns[0])) == 1


@pytest.mark.parametrize(
    "poison",
    [
        "this is no JSON",
        '{"version":"0","detail-type":"ECS Container Instance State Change","source":"aws.ecs","detail":{',
        "[" * 5000,
        '{"source":"aws.ecs","detail-type":"ECS Container Instance State Change","detail":{"agentConnected":"maybe"}}',
    ],
    ids=["text", "truncated", "deep", "wrong-types"],
)
def test_a_poison_message_is_set_aside_and_stops_nobody(aws, watched, serve, poison):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    before = served.figure("muster_messages_set_aside_total")
    send(aws, queue, poison)
    aws.set_agents("prod-a", False, [arns[1]])
    served.until("the event behind it arrives", lambda: cases_of(served, arns[1]))
    served.until("it is counted", lambda: served.figure("muster_messages_set_aside_total") == before + 1)
    kept = served.get("/v1/set-aside")
    assert kept["count"] == 1
    (message,) = kept["messages"]
    assert message["reason"] and message["body"] == poison
    served.until("the queue is empty", lambda: waiting(aws, queue) == 0)


def test_an_event_inside_an_sns_envelope_is_understood(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    host = aws.host("prod-a", arns[2])
    aws.set_agents("prod-a", False, [arns[2]], told=False)
    envelope = {
        "Type": "Notification",
        "MessageId": "b6f1a2c3-0000-4000-8000-000000000001",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:ecs-events",
        "Message": event_of(aws, aws.event_detail(host)),
        "Timestamp": "2026-01-01T00:00:00.000Z",
    }
    send(aws, queue, json.dumps(envelope))
    served.until("a case is opened", lambda: cases_of(served, arns[2]))


def test_all_agents_away_at_once_is_one_doubt_and_nothing_is_decided(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    aws.set_agents("prod-a", False)
    served.until("muster doubts", lambda: [case for case in open_cases(served) if case["trouble"] == "doubt"])
    served.until("all events have arrived", lambda: waiting(aws, queue) == 0)
    cases = open_cases(served)
    assert len([case for case in cases if case["trouble"] == "doubt"]) == 1
    assert not [case for case in cases if case["trouble"] != "doubt" and case["decision"] and case["stage"] == "decided"]


def test_a_restart_remembers_its_cases(aws, watched, serve):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    aws.set_agents("prod-a", False, [arns[0]])
    (before,) = served.until("a case is opened", lambda: cases_of(served, arns[0]))
    served.process.kill()
    served.process.wait(timeout=10)
    again = serve(config(queue))
    (after,) = again.until("the case is there again", lambda: cases_of(again, arns[0]))
    assert after["case"] == before["case"] and after["opened_at"] == before["opened_at"]


def test_the_journal_answers_over_http_and_its_chain_holds(aws, watched, serve, muster, tmp_path):
    arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    aws.set_agents("prod-a", False, [arns[0]])
    served.until("a case is opened", lambda: cases_of(served, arns[0]))
    assert "case-opened" in served.text("/v1/journal")
    assert served.stop() == 0
    verified = subprocess.run([muster, "journal", "verify", "--data-dir", "data"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert verified.returncode == 0, verified.stderr


def test_metrics_are_what_prometheus_expects(aws, watched, serve):
    _arns, queue = watched
    served = serve(config(queue))
    started(served, 10)
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: run scripts/bootstrap.sh"
    served.until("the roll is in the figures", lambda: served.figure("muster_hosts") == 10)
    text = served.text("/metrics")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert 'muster_hosts{verdict="present"} 10' in text.splitlines()


def test_health_is_told_while_it_runs(aws, watched, serve):
    _arns, queue = watched
    served = serve(config(queue))
    assert served.text("/healthz")
