#!/usr/bin/env python3
"""CPU time of a server answering DescribeContainerInstances for 100 hosts over HTTP: muster's pretend account beside moto.

Both servers stay up; every round asks each of them in rotating order; what counts is the CPU time (user and system) of
the server's process, from /proc/PID/stat; the figure is the median of the rounds. The client's own work is not counted.

The simulator is started by MUSTER_SIMULATE_CMD, or by `muster simulate` of a release build; moto by this Python.
"""

import http.client
import json
import os
import re
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import moto
from botocore.config import Config

HOSTS = 100
ROUNDS = 7
REGION, CLUSTER = "eu-central-1", "bench"
TICKS = os.sysconf("SC_CLK_TCK")
KEYS = {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[1] / "target"))
COMMAND = os.environ.get("MUSTER_SIMULATE_CMD", f"{shlex.quote(str(TARGET / 'release' / 'muster'))} simulate")


def cpu_secs(pid):
    """User and system time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Contender:
    """A server with 100 hosts, and one describe of all of them as a client sends it."""

    def __init__(self, name, process, url, calls):
        self.name, self.process, self.calls = name, process, calls
        self.address = url.removeprefix("http://")
        self.url = url
        self.samples = []
        self.connection = None

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION,
                            config=Config(retries={"total_max_attempts": 1}, read_timeout=120), **KEYS)

    def prepare(self):
        ecs = self.client("ecs")
        arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        assert len(arns) == HOSTS, f"{self.name} has {len(arns)} hosts"
        # boto3 reads the answer once; the rounds only count its bytes.
        answer = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)
        assert len(answer["containerInstances"]) == HOSTS and not answer["failures"]
        self.body = json.dumps({"cluster": CLUSTER, "containerInstances": arns})
        self.bytes = len(self.ask())

    def ask(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=120)
        scope = f"bench/20261002/{REGION}/ecs/aws4_request"
        self.connection.request("POST", "/", self.body, {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeContainerInstances",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00",
        })
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:200]
        if answer.will_close:
            self.connection.close()
            self.connection = None
        return body

    def round(self):
        before, began = cpu_secs(self.process.pid), time.perf_counter()
        for _ in range(self.calls):
            assert len(self.ask()) == self.bytes, f"{self.name} gave another answer"
        wall = (time.perf_counter() - began) / self.calls
        self.samples.append(((cpu_secs(self.process.pid) - before) / self.calls, wall))

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def start_simulator(folder):
    scenario = Path(folder) / "bench.toml"
    # Nothing throttles, nothing happens: the process does nothing but answer.
    scenario.write_text(f'# A hundred hosts at rest.\n[faults.api]\nunlimited = true\n\n'
                        f'[[cluster]]\nname = "{CLUSTER}"\nhosts = {HOSTS}\n')
    command = [*shlex.split(COMMAND), "--listen", "127.0.0.1:0", "--scenario", str(scenario), "--speed", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    found = re.match(r"listening on (http://\S+)", process.stdout.readline())
    if not found:
        sys.exit(f"{command[0]} did not start; build it with `cargo build --release -p muster`")
    return Contender("simulator", process, found[1], 1000)


def start_moto():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
                   "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    contender = Contender("moto", process, f"http://127.0.0.1:{port}", 5)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    ecs, ec2 = contender.client("ecs"), contender.client("ec2")
    ecs.create_cluster(clusterName=CLUSTER)
    machines = ec2.run_instances(ImageId="ami-12c6146b", MinCount=HOSTS, MaxCount=HOSTS)["Instances"]
    for machine in machines:
        document = json.dumps({"instanceId": machine["InstanceId"]})
        ecs.register_container_instance(cluster=CLUSTER, instanceIdentityDocument=document)
    return contender


def main():
    contenders = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            contenders = [start_simulator(folder), start_moto()]
            for contender in contenders:
                contender.prepare()
                contender.ask()
            for number in range(ROUNDS):
                for turn in range(len(contenders)):
                    contenders[(number + turn) % len(contenders)].round()
        finally:
            for contender in contenders:
                contender.stop()
    print(f"DescribeContainerInstances of {HOSTS} hosts over HTTP, server CPU a call; median of {ROUNDS} rounds")
    print(f"Python {sys.version.split()[0]}, boto3 {boto3.__version__}, moto {moto.__version__}, "
          f"load {os.getloadavg()[0]:.1f}")
    medians = {}
    for contender in contenders:
        cpu = sorted(sample[0] for sample in contender.samples)
        wall = statistics.median(sample[1] for sample in contender.samples)
        medians[contender.name] = statistics.median(cpu)
        quarters = statistics.quantiles(cpu, n=4)
        spread = (quarters[2] - quarters[0]) / medians[contender.name]
        print(f"{contender.name:10} cpu {medians[contender.name] * 1000:8.3f} ms  wall {wall * 1000:8.3f} ms  "
              f"answer {contender.bytes / 1000:6.1f} kB  spread {spread:.0%}")
    ratio = medians["moto"] / medians["simulator"]
    print(f"ratio {ratio:.0f} (bar 30, aim 100)")
    return 0 if ratio >= 30 else 1


if __name__ == "__main__":
    sys.exit(main())
