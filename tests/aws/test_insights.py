"""`muster insights` against the simulator, which has the calls, and against moto, which lacks some of them."""

import json
import subprocess

import boto3
import pytest
from conftest import environment
from test_simulator_clients import CLUSTER, REGION, SCENARIO, Simulator


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    scenario = tmp_path_factory.mktemp("insights") / "scenario.toml"
    scenario.write_text(SCENARIO)
    running = Simulator(scenario, "--speed", "0")
    yield running
    running.process.terminate()
    running.process.wait(timeout=20)


@pytest.fixture
def insights(muster, tmp_path):
    def run(endpoint, *arguments, code=0):
        done = subprocess.run(
            [muster, "insights", *arguments], cwd=tmp_path, env=environment(endpoint), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    return run


def settings(account):
    ecs = account.client("ecs")
    described = ecs.describe_clusters(clusters=[CLUSTER, "empty"], include=["SETTINGS"])["clusters"]
    return {cluster["clusterName"]: cluster["settings"][0]["value"] for cluster in described}


def test_nothing_is_switched_without_yes_and_the_bill_is_shown_with_its_arithmetic(account, insights):
    before = settings(account)
    told = insights(account.url, "enable", "--enhanced", "--cluster", CLUSTER)
    assert f"{CLUSTER}: disabled, would be enhanced" in told and "nothing was switched" in told
    assert "tasks x 13 to 26 metrics" in told and "prices: list prices" in told
    assert settings(account) == before


def test_clusters_are_switched_by_pattern_and_back(account, insights):
    assert f"{CLUSTER}: was disabled, is enhanced" in insights(account.url, "enable", "--enhanced", "--cluster", "prod-*", "--yes")
    assert settings(account) == {CLUSTER: "enhanced", "empty": "disabled"}
    assert "is enhanced already" in insights(account.url, "enable", "--enhanced", "--cluster", CLUSTER, "--yes")
    insights(account.url, "disable", "--all", "--yes")
    assert set(settings(account).values()) == {"disabled"}


def test_the_default_of_the_account_holds_for_clusters_that_are_made_later(account, insights):
    insights(account.url, "enable", "--account-default", "--yes")
    ecs = account.client("ecs")
    made = ecs.create_cluster(clusterName="later")["cluster"]
    assert made["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert settings(account)["empty"] == "disabled", "those that are there stay as they are"
    status = json.loads(insights(account.url, "status", "--output", "json"))
    assert status["defaults"][0]["container_insights"] == "enabled"
    by_name = {cluster["name"]: cluster for cluster in status["clusters"]}
    assert by_name["later"]["container_insights"] == "enabled" and by_name[CLUSTER]["services"] == 2
    low, high = (status["bill_enhanced"][name] for name in ("metrics_usd_low", "metrics_usd_high"))
    assert 0 < low < high
    insights(account.url, "disable", "--account-default", "--yes")


def test_what_is_asked_for_has_to_be_said_and_to_exist(account, insights):
    assert "--account-default" in insights(account.url, "enable", code=2)
    assert "no cluster is called nowhere" in insights(account.url, "enable", "--cluster", "nowhere", code=2)


def test_the_labs_own_command_and_answer(account):
    ecs = account.client("ecs")
    answer = ecs.update_cluster_settings(cluster="empty", settings=[{"name": "containerInsights", "value": "enabled"}])
    cluster = answer["cluster"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert (cluster["statistics"], cluster["tags"]) == ([], [])
    ecs.update_cluster_settings(cluster="empty", settings=[{"name": "containerInsights", "value": "disabled"}])


def test_moto_is_read_and_its_own_default_set(aws, insights):
    aws.add_cluster("prod-a")
    aws.client("ecs").update_cluster(cluster="prod-a", settings=[{"name": "containerInsights", "value": "enabled"}])
    status = json.loads(insights(aws.endpoint, "status", "--output", "json"))
    assert [cluster["container_insights"] for cluster in status["clusters"]] == ["enabled"]
    insights(aws.endpoint, "enable", "--my-default", "--enhanced", "--yes")
    (own,) = boto3.client(
        "ecs", endpoint_url=aws.endpoint, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
    ).list_account_settings(name="containerInsights")["settings"]
    assert own["value"] == "enhanced"
