"""What Fluent Bit's and Vector's CloudWatch Logs outputs send, in their order and in their form, signed by botocore.

Neither program can be had from a package index, so their own documents and sources say what is sent here: operations, headers,
bodies, and which parts of an answer they look at.
"""

import gzip
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from test_logs_api import QUIET, client, messages, now_ms, refusal

GROUP, STREAM = "/shipped/till", "host-1"
NAMES = {"logGroupName": GROUP, "logStreamName": STREAM}
KEY, SECRET = "AKIAMUSTERSHIPPER1", "canary-shipper-secret"
WITH_KEY = QUIET + f'api_keys = [{{ access_key_id = "{KEY}", secret = "file:shipper" }}]\n'


class Answer:
    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body

    @property
    def json(self):
        return json.loads(self.body) if self.body else {}

    @property
    def refusal(self):
        return self.json.get("__type")


class Shipper:
    """Sends requests as they are given, signed over the bytes that go over the wire."""

    def __init__(self, address, key=KEY, secret=SECRET):
        self.address = urlsplit(address)
        self.credentials = Credentials(key, secret)

    def send(self, operation, body, headers=(), spoil=lambda data: data):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Logs_20140328.{operation}", **dict(headers)}
        request = AWSRequest("POST", self.address.geturl() + "/", headers=told, data=data)
        SigV4Auth(self.credentials, "logs", "eu-central-1").add_auth(request)
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        connection.request("POST", "/", body=spoil(data), headers=dict(request.headers.items()))
        answer = connection.getresponse()
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
        body = answer.read()
        connection.close()
        return Answer(answer.status, head, body)

    def packed(self, operation, body, **more):
        return self.send(operation, gzip.compress(json.dumps(body).encode()), {"Content-Encoding": "gzip"}, **more)


@pytest.fixture
def served(serve, tmp_path):
    (tmp_path / "shipper").write_text(SECRET + "\n")
    return serve(WITH_KEY)


@pytest.fixture
def shipper(served):
    return Shipper(served.address)


@pytest.fixture
def logs(served):
    return client(served, KEY, SECRET)


def events(*texts):
    return [{"timestamp": now_ms() + index, "message": text} for index, text in enumerate(texts)]


def kept(logs):
    return messages(logs.filter_log_events(logGroupName=GROUP)["events"])


def test_fluent_bit_makes_what_is_missing_and_finds_what_it_looks_for_in_the_answers(shipper, logs):
    # The stream first; the group only after it was told that there is none (auto_create_group, log_retention_days).
    missing = shipper.send("CreateLogStream", NAMES)
    assert (missing.status, missing.refusal) == (400, "ResourceNotFoundException")
    assert shipper.send("CreateLogGroup", {"logGroupName": GROUP, "logGroupClass": "STANDARD"}).status == 200
    assert shipper.send("PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 7}).status == 200
    assert shipper.send("CreateLogStream", NAMES).status == 200
    metric = {"CloudWatchMetrics": [{"Namespace": "fluent-bit", "Dimensions": [["plugin"]], "Metrics": [{"Name": "cpu_p"}]}], "Timestamp": now_ms()}
    record = json.dumps({"plugin": "cpu", "cpu_p": 12.5, "_aws": metric}, separators=(",", ":"))
    body = {**NAMES, "logEvents": events(record)}
    answer = shipper.send("PutLogEvents", body, {"x-amzn-logs-format": "json/emf", "User-Agent": "aws-fluent-bit-plugin"})
    assert answer.status == 200 and answer.json["nextSequenceToken"]
    # Its releases up to 2.x look for these letters, in this case, anywhere in what came.
    assert "x-amzn-RequestId" in answer.head
    # Releases before 1.9 send the token of the answer before, later ones none, some send an entity.
    more = {"sequenceToken": answer.json["nextSequenceToken"], "entity": {"keyAttributes": {"Type": "Service", "Name": "till"}}}
    assert shipper.send("PutLogEvents", {**NAMES, **more, "logEvents": events("plain")}).status == 200
    assert shipper.send("PutLogEvents", {**NAMES, "sequenceToken": "495", "logEvents": events("stale token")}).status == 200
    assert kept(logs) == [record, "plain", "stale token"]
    now = int(time.time())
    query = "filter plugin = 'cpu' | stats avg(cpu_p) as cpu"
    started = logs.start_query(logGroupName=GROUP, startTime=now - 600, endTime=now + 60, queryString=query)
    for _ in range(200):
        found = logs.get_query_results(queryId=started["queryId"])
        if found["status"] == "Complete":
            break
        time.sleep(0.05)
    assert found["results"] == [[{"field": "cpu", "value": "12.5"}]]


def test_two_workers_that_make_the_same_group_and_stream_at_once_both_go_on(shipper, logs):
    for round_ in range(5):
        names = {"logGroupName": f"{GROUP}/{round_}", "logStreamName": STREAM}
        answers = {}

        def work(worker, names=names, answers=answers):
            group = shipper.send("CreateLogGroup", {"logGroupName": names["logGroupName"]})
            stream = shipper.send("CreateLogStream", names)
            put = shipper.send("PutLogEvents", {**names, "logEvents": events(f"of {worker}")})
            answers[worker] = (group.refusal, stream.refusal, put.status)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for at in (0, 1):
            told = [answer[at] for answer in answers.values()]
            assert told.count(None) == 1 and told.count("ResourceAlreadyExistsException") == 3
        assert [answer[2] for answer in answers.values()] == [200] * 4
        found = logs.filter_log_events(logGroupName=names["logGroupName"])["events"]
        assert sorted(messages(found)) == [f"of {worker}" for worker in range(4)]


def test_vector_looks_before_it_puts_and_sends_packed_batches(shipper, logs):
    # Its health check: one group that begins so.
    healthy = shipper.send("DescribeLogGroups", {"logGroupNamePrefix": GROUP, "limit": 1})
    assert healthy.json["logGroups"] == []
    look = {"logGroupName": GROUP, "logStreamNamePrefix": STREAM}
    assert shipper.send("DescribeLogStreams", look).refusal == "ResourceNotFoundException"
    assert shipper.send("CreateLogGroup", {"logGroupName": GROUP, "tags": {"team": "blue"}}).status == 200
    assert shipper.send("PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 3}).status == 200
    assert shipper.send("CreateLogStream", NAMES).status == 200
    (stream,) = shipper.send("DescribeLogStreams", look).json["logStreams"]
    assert stream["logStreamName"] == STREAM
    token = stream.get("uploadSequenceToken")
    for number in range(3):
        body = {**NAMES, "logEvents": events(f"batch {number}", f'{{"batch":{number},"ü":"ß"}}')}
        if token:
            body["sequenceToken"] = token
        answer = shipper.packed("PutLogEvents", body)
        assert answer.status == 200, answer.body
        token = answer.json["nextSequenceToken"]
    assert kept(logs) == [text for number in range(3) for text in (f"batch {number}", f'{{"batch":{number},"ü":"ß"}}')]
    healthy = shipper.send("DescribeLogGroups", {"logGroupNamePrefix": GROUP, "limit": 1})
    assert healthy.json["logGroups"][0]["logGroupName"] == GROUP
    assert shipper.packed("CreateLogStream", NAMES).refusal == "ResourceAlreadyExistsException"


def test_what_is_signed_are_the_packed_bytes_and_no_others(shipper, logs):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    body = {**NAMES, "logEvents": events("one")}
    changed = gzip.compress(json.dumps({**NAMES, "logEvents": events("another")}).encode())
    refused = shipper.packed("PutLogEvents", body, spoil=lambda _: changed)
    assert refused.refusal == "InvalidSignatureException"
    wrong = Shipper(shipper.address.geturl(), secret="somebody-else")
    assert wrong.packed("PutLogEvents", body).refusal == "InvalidSignatureException"
    assert kept(logs) == []


def test_a_packed_body_that_is_broken_or_a_bomb_is_refused_and_nothing_of_it_is_kept(served, shipper, logs):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    whole = gzip.compress(json.dumps({**NAMES, "logEvents": events("one")}).encode())
    gzipped = {"Content-Encoding": "gzip"}
    half = shipper.send("PutLogEvents", whole[: len(whole) // 2], gzipped)
    assert (half.status, half.refusal) == (400, "SerializationException")
    plain = shipper.send("PutLogEvents", {**NAMES, "logEvents": events("one")}, gzipped)
    assert plain.status == 400 and "no gzip" in plain.json["message"]
    bomb = shipper.send("PutLogEvents", gzip.compress(b" " * (256 << 20)), gzipped)
    assert (bomb.status, bomb.refusal) == (413, "RequestEntityTooLargeException")
    other = shipper.send("PutLogEvents", {**NAMES, "logEvents": events("one")}, {"Content-Encoding": "br"})
    assert other.status == 400 and "gzip and zstd" in other.json["message"]
    # The limits of a batch are those of what was packed.
    large = shipper.packed("PutLogEvents", {**NAMES, "logEvents": events("x" * 600_000, "x" * 600_000)})
    assert "Upload too large" in large.json["message"]
    assert kept(logs) == [] and served.process.poll() is None


def test_boto3_may_pack_too(logs):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)

    def pack(request, **_):
        request.data = gzip.compress(request.data if isinstance(request.data, bytes) else request.data.encode())
        request.headers["Content-Encoding"] = "gzip"

    logs.meta.events.register("before-sign.cloudwatch-logs.PutLogEvents", pack)
    logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events("packed by a hook"))
    assert kept(logs) == ["packed by a hook"]
    assert refusal(logs.put_log_events, logGroupName=GROUP, logStreamName="none", logEvents=events("a"))["Code"] == "ResourceNotFoundException"
