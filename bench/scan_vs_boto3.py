#!/usr/bin/env python3
"""`muster scan` beside the same scan by boto3, and its manners towards the API.

Part one: 500 hosts. Both programs list and describe all container instances of one cluster and read the status of their
machines from the same pretend account; CPU (user and system) and wall of each process, in rotating rounds, medians.
Part two: 5,000 hosts at the default rate while other tools use half of every ECS bucket: calls asked, calls refused.
"""

import argparse, json, os, resource, statistics, subprocess, sys, tempfile, time, urllib.request

BOTO3 = """
import boto3
ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
arns = [arn for page in ecs.get_paginator("list_container_instances").paginate(cluster="big") for arn in page["containerInstanceArns"]]
hosts = []
for start in range(0, len(arns), 100):
    hosts += ecs.describe_container_instances(cluster="big", containerInstances=arns[start:start + 100], include=["CONTAINER_INSTANCE_HEALTH"])["containerInstances"]
ids = [host["ec2InstanceId"] for host in hosts]
for start in range(0, len(ids), 100):
    ec2.describe_instance_status(InstanceIds=ids[start:start + 100], IncludeAllInstances=True)
print(len(hosts), sum(host["agentConnected"] for host in hosts))
"""


def simulator(muster, hosts, background):
    story = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False)
    faults = f"[faults.api]\nbackground-use = {background}\n" if background else ""
    story.write(f'lasts = "24h"\nzones = 3\n{faults}[[cluster]]\nname = "big"\nhosts = {hosts}\ntypes = ["m6i.large"]\n')
    story.close()
    process = subprocess.Popen(
        [muster, "simulate", "--listen", "127.0.0.1:0", "--scenario", story.name, "--seed", "1"], stdout=subprocess.PIPE, text=True
    )
    url = process.stdout.readline().split()[-1]
    return process, url


def run(command, env):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode not in (0, 1):
        sys.exit(f"{command[0]} failed: {done.stderr[-500:]}")
    return cpu, wall, done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--muster", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = keep | {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "pretend",
                  "AWS_SECRET_ACCESS_KEY": "pretend", "AWS_EC2_METADATA_DISABLED": "true"}
    process, url = simulator(arguments.muster, 500, 0)
    try:
        env["AWS_ENDPOINT_URL"] = url
        # The whole bucket: the rate is not what is compared here.
        ours = [arguments.muster, "scan", "--cluster", "big", "--output", "json", "--max-api-rate", "100%"]
        contenders = {"muster scan": ours, "boto3": [sys.executable, "-c", BOTO3]}
        figures = {name: [] for name in contenders}
        for number in range(arguments.rounds + 1):
            names = list(contenders)
            for name in names[number % 2:] + names[:number % 2]:
                cpu, wall, out = run(contenders[name], env)
                hosts = len(json.loads(out)["clusters"][0]["hosts"]) if name == "muster scan" else int(out.split()[0])
                assert hosts == 500, (name, hosts)
                if number:
                    figures[name].append((cpu, wall))
                time.sleep(1.0)  # the account's bucket refills: neither is to be throttled
    finally:
        process.terminate()
    median = {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in figures.items()}
    print("| scan of 500 hosts | CPU s | wall s |\n|---|---|---|")
    for name, (cpu, wall) in median.items():
        print(f"| {name} | {cpu:.3f} | {wall:.3f} |")
    ratio = [theirs / own for own, theirs in zip(median["muster scan"], median["boto3"])]
    print(f"| boto3 / muster | {ratio[0]:.1f} | {ratio[1]:.1f} |")
    process, url = simulator(arguments.muster, 5000, 0.5)
    try:
        env["AWS_ENDPOINT_URL"] = url
        _, wall, out = run([arguments.muster, "scan", "--cluster", "big", "--output", "json"], env)
        hosts = json.loads(out)["clusters"][0]["hosts"]
        calls = json.load(urllib.request.urlopen(url + "/_muster/truth"))["ecs_calls"]
    finally:
        process.terminate()
    print(f"\nscan of {len(hosts)} hosts at the default 10 %, others using half of each bucket: {calls['asked']} ECS calls, "
          f"{calls['refused']} refused, {wall:.0f} s")


if __name__ == "__main__":
    main()
