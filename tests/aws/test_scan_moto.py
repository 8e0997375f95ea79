"""`muster scan` of hosts that moto registers: who is there, who is not, and when muster could not look."""

import re

import pytest


def test_250_hosts_over_three_pages_are_all_present(aws, scan):
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 250)
    done = scan("--cluster", "prod-a", "--output", "json")
    assert done.code == 0, done.err
    assert set(done.by_arn()) == set(arns) and len(done.hosts) == 250
    assert {host["verdict"] for host in done.hosts} == {"present"}
    assert aws.called("ListContainerInstances") == 3
    assert aws.called("DescribeContainerInstances") == 3


@pytest.mark.parametrize("detailed", [True, False], ids=["as-ECS-describes", "without-version-and-health"])
def test_agents_that_are_away_are_listed_and_nobody_else(aws, scan, detailed):
    aws.detailed = detailed
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 250)
    # One in each page: a page that is skipped is a host that is missed.
    away = [sorted(arns)[0], sorted(arns)[120], sorted(arns)[249]]
    aws.set_agents("prod-a", False, away)
    done = scan("--cluster", "prod-a", "--output", "json")
    assert done.code == 1, done.err
    not_present = {host["arn"] for host in done.hosts if host["verdict"] != "present"}
    assert not_present == set(away)
    for arn in away:
        host = done.by_arn()[arn]
        assert host["reasons"] and all(isinstance(reason, str) and reason for reason in host["reasons"])
        assert any(witness["against"] for witness in host["witnesses"])
        assert host["ec2_instance_id"] == aws.host("prod-a", arn).ec2_instance_id
        assert host["since"]


def test_a_table_names_the_missing_host_for_a_person(aws, scan):
    aws.add_cluster("prod-a")
    one, _two = aws.add_hosts("prod-a", 2)
    aws.set_agents("prod-a", False, [one])
    done = scan("--cluster", "prod-a")
    assert done.code == 1, done.err
    assert aws.host("prod-a", one).ec2_instance_id in done.out
    assert "\x1b[" not in done.out, "no colour into a pipe"


def test_every_agent_away_at_once_is_one_doubt_and_not_a_hundred_lost_hosts(aws, scan):
    aws.add_cluster("prod-a")
    aws.add_hosts("prod-a", 100)
    aws.set_agents("prod-a", False)
    done = scan("--cluster", "prod-a", "--output", "json")
    assert done.code == 1, done.err
    verdicts = {host["verdict"] for host in done.hosts}
    assert "present" not in verdicts and "agent-lost" not in verdicts, verdicts


def test_a_machine_that_was_terminated_behind_its_agent_is_not_present(aws, scan):
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 20)
    machine = aws.host("prod-a", arns[0]).ec2_instance_id
    aws.set_agents("prod-a", False, arns[:1])
    aws.client("ec2").terminate_instances(InstanceIds=[machine])
    done = scan("--cluster", "prod-a", "--output", "json")
    assert done.code == 1, done.err
    assert done.by_arn()[arns[0]]["verdict"] in ("ghost", "host-down")


def test_a_host_of_ecs_anywhere_whose_ping_is_lost_is_offline(aws, scan):
    aws.add_cluster("edge")
    well = aws.add_hosts("edge", 8)
    offline = aws.add_external_host("edge", ping="ConnectionLost")
    aws.set_agents("edge", False, [offline])
    done = scan("--cluster", "edge", "--output", "json")
    assert done.code == 1, done.err
    told = done.by_arn()
    assert all(told[arn]["verdict"] == "present" for arn in well)
    assert told[offline]["verdict"] != "present"
    assert told[offline]["ec2_instance_id"].startswith("mi-")


def test_a_draining_host_answers_the_roll(aws, scan):
    aws.add_cluster("prod-a")
    one, two = aws.add_hosts("prod-a", 2)
    aws.set_status("prod-a", one, "DRAINING")
    done = scan("--cluster", "prod-a", "--output", "json")
    assert done.code == 0, done.err
    assert (done.by_arn()[one]["verdict"], done.by_arn()[two]["verdict"]) == ("draining", "present")


def test_an_empty_cluster_has_nobody_missing(aws, scan):
    aws.add_cluster("quiet")
    done = scan("--cluster", "quiet", "--output", "json")
    assert done.code == 0, done.err
    (cluster,) = done.roll["clusters"]
    assert cluster["arn"].endswith(":cluster/quiet") and cluster["hosts"] == []


def test_ndjson_has_one_host_a_line(aws, scan):
    import json

    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 3)
    done = scan("--cluster", "prod-a", "--output", "ndjson")
    assert done.code == 0, done.err
    assert sorted(json.loads(line)["arn"] for line in done.out.splitlines()) == sorted(arns)


def test_clusters_are_chosen_by_pattern_and_by_all(aws, scan):
    for name in ("prod-a", "prod-b", "test-a"):
        aws.add_cluster(name)
        aws.add_hosts(name, 1)
    chosen = scan("--cluster", "prod-*", "--output", "json")
    assert sorted(cluster["arn"].rpartition("/")[2] for cluster in chosen.roll["clusters"]) == ["prod-a", "prod-b"]
    every = scan("--all", "--output", "json")
    assert len(every.roll["clusters"]) == 3 and every.code == 0


def test_without_a_choice_the_tagged_clusters_are_scanned(aws, scan):
    aws.add_cluster("watched", tags={"ecs-agent-monitoring": "ecs-monitoring-group-1"})
    aws.add_cluster("unwatched")
    done = scan("--output", "json")
    assert [cluster["arn"].rpartition("/")[2] for cluster in done.roll["clusters"]] == ["watched"], done.err


# --- could not look -------------------------------------------------------------------------------------------------


def assert_could_not_look(done, *words: str) -> None:
    """Exit 2, a sentence on standard error that has these words, and no roll that could pass for a healthy one."""
    assert done.code == 2, (done.code, done.out, done.err)
    for word in words:
        assert re.search(word, done.err, re.IGNORECASE), done.err
    assert len(done.err.split()) >= 5, done.err
    assert "panicked" not in done.err
    assert '"verdict":"present"' not in done.out.replace(" ", "")


def test_a_cluster_that_does_not_exist_is_named(aws, scan):
    aws.add_cluster("prod-a")
    assert_could_not_look(scan("--cluster", "nowhere", "--output", "json"), "nowhere")


@pytest.mark.parametrize("kind", ["http-500", "html", "html-200", "truncated"])
def test_an_endpoint_that_answers_nonsense_is_not_a_healthy_fleet(aws, scan, kind):
    aws.add_cluster("prod-a")
    aws.add_hosts("prod-a", 3)
    aws.fault(kind, service="ecs")
    assert_could_not_look(scan("--cluster", "prod-a", "--output", "json"))


@pytest.mark.parametrize("action", ["ListContainerInstances", "DescribeContainerInstances"])
def test_a_second_page_that_fails_is_not_a_smaller_fleet(aws, scan, action):
    aws.add_cluster("prod-a")
    arns = aws.add_hosts("prod-a", 150)
    aws.set_agents("prod-a", False, [sorted(arns)[-1]])
    aws.fault("http-500", service="ecs", action=action)
    assert_could_not_look(scan("--cluster", "prod-a", "--output", "json"))


def test_a_hiccup_is_tried_again(aws, scan):
    aws.add_cluster("prod-a")
    aws.add_hosts("prod-a", 3)
    fault = aws.fault("throttle", service="ecs", action="DescribeContainerInstances", times=1)
    done = scan("--cluster", "prod-a", "--output", "json")
    assert fault.met == 1
    assert done.code == 0, done.err
    assert len(done.hosts) == 3


def test_a_denied_call_names_the_action_that_is_missing(aws, scan):
    aws.add_cluster("prod-a")
    aws.fault("denied", service="ecs", action="ListContainerInstances")
    assert_could_not_look(scan("--cluster", "prod-a", "--output", "json"), "ecs:ListContainerInstances")


def test_expired_credentials_are_said_to_be_expired(aws, scan):
    aws.add_cluster("prod-a")
    aws.fault("expired", service="ecs")
    assert_could_not_look(scan("--cluster", "prod-a", "--output", "json"), "expired")


def test_an_endpoint_that_never_answers_is_given_up(aws, scan):
    aws.add_cluster("prod-a")
    aws.fault("hang")
    assert_could_not_look(scan("--cluster", "prod-a", "--output", "json", timeout=240))


def test_an_endpoint_where_nobody_listens_is_said_to_be_unreachable(scan):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = scan("--cluster", "prod-a", "--endpoint-url", nobody)
    assert_could_not_look(done)


def test_the_wrong_region_has_no_such_cluster(aws, scan):
    aws.add_cluster("prod-a")
    assert_could_not_look(scan("--cluster", "prod-a", "--region", "us-east-1", "--output", "json"), "prod-a")
