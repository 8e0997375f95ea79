"""A store whose files are in S3, here moto's: what is acknowledged stays, whatever becomes of the bucket or of muster."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import environment
from test_logs_api import GROUP, STREAM, client, messages, now_ms, refusal

BUCKET = "muster-telemetry"
URL = f"s3://{BUCKET}/prod"
CONFIG = f"""[clusters]
all = true
[telemetry]
journal = false
seal_after_secs = 1
removal_after_secs = 1
url = "{URL}"
"""
SECRET = "canary-secret-of-s3"


@pytest.fixture
def s3(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return s3


@pytest.fixture
def query(aws, muster, tmp_path):
    """`muster query` over the bucket, as a machine that has nothing but credentials runs it."""

    def run(text, *arguments, url=URL, code=0, drop=(), **more):
        alone = tmp_path / "alone"
        alone.mkdir(exist_ok=True)
        env = environment(aws.endpoint, **more)
        for name in drop:
            env.pop(name)
        command = [muster, "query", text, "--store", url, "--output", "json", *arguments]
        done = subprocess.run(command, cwd=alone, env=env, capture_output=True, text=True, timeout=90)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if code == 0 else done.stderr

    return run


def begin(served):
    logs = client(served)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    return logs


def put(logs, *texts, at=None):
    events = [{"timestamp": (at or now_ms()) + index, "message": text} for index, text in enumerate(texts)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)


def kept(logs):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
    return messages(event for page in pages for event in page["events"])


def objects(s3, ending=""):
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [found["Key"] for found in listed if found["Key"].endswith(ending)]


def manifest(s3):
    (key,) = objects(s3, "manifest.json")
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def sealed(s3):
    """How many rows are in files that the manifest names."""
    return sum(file["rows"] for file in manifest(s3)["files"])


def complete(logs, text):
    now = int(time.time())
    started = logs.start_query(logGroupName=GROUP, startTime=now - 20 * 86_400, endTime=now + 60, queryString=text)
    for _ in range(300):
        answer = logs.get_query_results(queryId=started["queryId"])
        if answer["status"] not in ("Scheduled", "Running"):
            assert answer["status"] == "Complete", answer
            return [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
        time.sleep(0.05)
    pytest.fail(f"not complete: {answer}")


def test_what_is_sealed_is_in_the_bucket_and_is_queried_there_by_the_api_and_by_others(s3, serve, query, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    logs = begin(served)
    put(logs, *(json.dumps({"door": name, "n": number}) for number, name in enumerate("abcab")))
    served.until("it is in a file in the bucket", lambda: objects(s3, ".parquet"))
    assert all(key.startswith("prod/") for key in objects(s3)) and not list((tmp_path / "data").rglob("*.parquet"))
    assert sealed(s3) == 5
    put(logs, '{"door":"a","n":100}')
    counted = "stats sum(n) as total, count(*) as n by door | sort door"
    rows = complete(logs, counted)
    assert rows == [{"door": "a", "total": "103", "n": "3"}, {"door": "b", "total": "5", "n": "2"}, {"door": "c", "total": "2", "n": "1"}]
    served.until("the last one is there too", lambda: sealed(s3) == 6)
    assert query(counted) == [{"door": "a", "total": 103, "n": 3}, {"door": "b", "total": 5, "n": 2}, {"door": "c", "total": 2, "n": 1}]
    assert query("stats count(*) as n", "--group", "/lab/*") == [{"n": 6}]
    assert "did you mean /lab/till?" in query("stats count(*)", "--group", "/lab/tilll", code=2)
    before = kept(logs)
    assert served.stop() == 0
    again = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    assert kept(client(again)) == before and len(before) == 6
    assert again.stop() == 0
    elsewhere = serve(CONFIG, "--data-dir", str(tmp_path / "another-machine"))
    assert kept(client(elsewhere)) == before, "another machine takes over what is in the bucket"


def test_retention_and_removal_of_a_group_remove_its_objects(s3, serve, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    logs = begin(served)
    put(logs, "old", at=now_ms() - 3 * 86_400_000)
    put(logs, "new")
    served.until("both days have a file", lambda: len(objects(s3, ".parquet")) == 2)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    served.until("the file of the old day is gone", lambda: len(objects(s3, ".parquet")) == 1, 40)
    assert kept(logs) == ["new"] and sealed(s3) == 1
    logs.delete_log_group(logGroupName=GROUP)
    served.until("nothing of the group is left", lambda: not objects(s3, ".parquet") and not objects(s3, "manifest.json"), 40)


def test_what_was_acknowledged_is_there_once_however_often_muster_is_killed_while_it_seals(aws, s3, serve, query, tmp_path):
    # Queries pass over what is older than its group.
    chance, began = random.Random(7), now_ms() + 60_000
    acknowledged = []
    for life in range(4):
        served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
        logs = begin(served) if life == 0 else client(served)
        assert kept(logs) == acknowledged
        for _ in range(chance.randrange(3, 9)):
            texts = [f"line {len(acknowledged) + index}" for index in range(50)]
            put(logs, *texts, at=began + len(acknowledged))
            acknowledged += texts
        if life % 2:
            served.until("some are sealed", lambda: sealed(s3))
        # A file is on its way, and arrives after its sender has gone.
        hanging = aws.fault("hang", service="s3")
        for text in ("to be sealed", "while it seals"):
            put(logs, text, at=began + len(acknowledged))
            acknowledged.append(text)
            served.until("it is sealing", lambda hanging=hanging: hanging.met, 40)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(timeout=10)
        aws.clear_faults()
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    assert kept(client(served)) == acknowledged
    served.until("all is in the bucket", lambda: sealed(s3) == len(acknowledged), 40)
    assert kept(client(served)) == acknowledged
    assert query("stats count(*) as n") == [{"n": len(acknowledged)}]


def test_while_the_bucket_cannot_be_written_events_are_taken_and_are_sealed_later(aws, s3, serve, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    logs = begin(served)
    put(logs, "before")
    served.until("it is sealed", lambda: sealed(s3) == 1)
    aws.fault("http-500", service="s3")
    put(logs, "meanwhile 1", "meanwhile 2")
    served.until("it is told that nothing can be written", lambda: "telemetry could not be kept in order" in served.log.read_text(), 60)
    put(logs, "meanwhile 3")
    served.process.send_signal(signal.SIGKILL)
    served.process.wait(timeout=10)
    aws.clear_faults()
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    logs = client(served)
    assert kept(logs) == ["before", "meanwhile 1", "meanwhile 2", "meanwhile 3"]
    aws.fault("http-500", service="s3")
    put(logs, "again")
    served.until("it is told again", lambda: "telemetry could not be kept in order" in served.log.read_text(), 60)
    aws.clear_faults()
    served.until("all is sealed without a restart", lambda: sealed(s3) == 5, 60)
    assert kept(logs) == ["before", "meanwhile 1", "meanwhile 2", "meanwhile 3", "again"]


def test_an_answer_that_is_lost_leaves_neither_a_gap_nor_a_second_copy(aws, s3, serve, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    logs = begin(served)
    (key,) = objects(s3, "manifest.json")
    # Two answers of one call, and then as many as there are tries: the call fails, and was done.
    for number, times in enumerate((2, 20, 1)):
        lost = aws.fault("lost", service="s3", action=f"/{BUCKET}/{key}", times=times)
        put(logs, f"line {number}")
        served.until("answers are lost", lambda lost=lost, times=times: lost.met >= min(times, 5), 60)
        put(logs, f"after {number}")
        aws.clear_faults()
        served.until("all is sealed", lambda number=number: sealed(s3) == 2 * number + 2, 60)
    assert kept(logs) == [text for number in range(3) for text in (f"line {number}", f"after {number}")]
    assert "two processes" not in served.log.read_text()


def test_of_two_musters_on_one_folder_of_a_bucket_one_is_told_and_changes_nothing(s3, serve, tmp_path):
    first = serve(CONFIG, "--data-dir", str(tmp_path / "first"))
    logs = begin(first)
    put(logs, "of the first")
    first.until("it is sealed", lambda: sealed(s3) == 1)
    second = serve(CONFIG, "--data-dir", str(tmp_path / "second"))
    put(logs, "of the first again")
    first.until("it is sealed", lambda: sealed(s3) == 2)
    put(client(second), "of the second")
    second.until("the second is told", lambda: "two processes write into one store" in second.log.read_text())
    assert sealed(s3) == 2 and kept(logs) == ["of the first", "of the first again"]


def test_a_bucket_that_is_not_there_is_told_and_used_as_soon_as_it_is(aws, serve, query, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"), AWS_SECRET_ACCESS_KEY=SECRET)
    logs = client(served)
    told = refusal(logs.create_log_group, logGroupName=GROUP)
    assert told["Code"] == "ServiceUnavailableException" and "NoSuchBucket" in told["Message"] and "make the bucket" in told["Message"]
    assert "NoSuchBucket" in served.text("/healthz")
    assert "NoSuchBucket" in query("stats count(*)", code=2)
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    served.until("the logs have come back", lambda: "logs and records are kept from now on" in served.log.read_text(), 60)
    put(begin(served), "kept after all")
    assert SECRET not in served.log.read_text()


def test_a_denial_is_told_with_what_to_allow_and_without_secrets(aws, s3, serve, query, tmp_path):
    aws.fault("forbidden", service="s3")
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"), AWS_SECRET_ACCESS_KEY=SECRET)
    told = refusal(client(served).describe_log_groups)["Message"]
    assert "AccessDenied" in told and "s3:PutObject" in told and "<Error>" not in told
    told = query("stats count(*)", code=2, AWS_SECRET_ACCESS_KEY=SECRET)
    assert "AccessDenied" in told and SECRET not in told
    assert SECRET not in served.log.read_text()


class Forwarder:
    """Passes connections on to the account, from a port at which nobody listened before."""

    def __init__(self, port, to):
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    @staticmethod
    def pump(one, other):
        try:
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_an_endpoint_where_nobody_answers_is_told_and_used_as_soon_as_somebody_does(aws, s3, serve, query, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"), AWS_ENDPOINT_URL_S3=endpoint)
    assert "refused" in refusal(client(served).describe_log_groups)["Message"]
    assert "refused" in query("stats count(*)", code=2, AWS_ENDPOINT_URL_S3=endpoint)
    forwarder = Forwarder(port, int(aws.endpoint.rpartition(":")[2]))
    served.until("the logs have come back", lambda: "logs and records are kept from now on" in served.log.read_text(), 60)
    logs = begin(served)
    put(logs, "here at last")
    served.until("it is sealed", lambda: objects(s3, ".parquet"))
    assert query("fields @message", AWS_ENDPOINT_URL_S3=endpoint) == [{"@message": "here at last"}]
    forwarder.listener.close()


def test_credentials_and_region_come_from_a_profile_as_everywhere_else(s3, serve, query, tmp_path):
    served = serve(CONFIG, "--data-dir", str(tmp_path / "data"))
    put(begin(served), "one")
    served.until("it is sealed", lambda: objects(s3, ".parquet"))
    shared = tmp_path / "credentials"
    shared.write_text(f"[observer]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = {SECRET}\nregion = eu-central-1\n")
    none = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    by_profile = {"AWS_PROFILE": "observer", "AWS_SHARED_CREDENTIALS_FILE": str(shared)}
    assert query("stats count(*) as n", drop=none, **by_profile) == [{"n": 1}]
    told = query("stats count(*) as n", drop=none, code=2, HOME=os.devnull)
    assert "no usable AWS credentials" in told


def test_plain_http_to_another_machine_is_refused_unless_somebody_says_so(query):
    there = {"AWS_ENDPOINT_URL_S3": "http://muster-telemetry.invalid:9000"}
    told = query("stats count(*)", code=2, **there)
    assert "in the clear" in told and "AWS_ALLOW_HTTP" in told
    assert "in the clear" not in query("stats count(*)", code=2, AWS_ALLOW_HTTP="true", **there)
    told = query("stats count(*)", url=f"s3://AKIACANARY:{SECRET}@{BUCKET}/prod", code=2)
    assert "keys" in told and SECRET not in told
