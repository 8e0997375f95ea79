"""The same events with Python's json and a dict: parse, test the eight patterns, keep the newest version.

Reads lines from standard input and runs one round for each, answering with one line of JSON, as `ingest` does.
"""

import json
import resource
import sys
import time

PRODUCTION = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod-"
HOST, TASK, SERVICE = "ECS Container Instance State Change", "ECS Task State Change", "ECS Service Action"


def matches(source, kind, detail):
    """How many of the eight patterns of src/pattern.rs match."""
    if source == "aws.ec2":
        return detail.get("state", "running") not in ("running", "pending")
    if source != "aws.ecs":
        return 0
    count = detail.get("clusterArn", "").startswith(PRODUCTION)
    if kind == TASK:
        stopped = detail.get("lastStatus") == "STOPPED"
        count += stopped
        count += stopped and detail.get("stopCode", "UserInitiated") not in ("UserInitiated", "ServiceSchedulerInitiated")
        count += detail.get("desiredStatus") == "RUNNING" and detail.get("group", "").startswith("service:")
    elif kind == HOST:
        count += detail.get("agentConnected") is False and detail.get("status") in ("ACTIVE", "DRAINING")
        count += detail.get("versionInfo", {}).get("agentVersion", "1.105.1") != "1.105.1"
    elif kind == SERVICE:
        reason = detail.get("reason", "")
        count += detail.get("eventName") == "SERVICE_TASK_PLACEMENT_FAILURE" and (
            reason.startswith("RESOURCE:") or reason == "AGENT"
        )
    return count


def one_round(events):
    hosts, tasks, machines, away, matched = {}, {}, {}, {}, 0
    for event in events:
        event = json.loads(event)
        source, kind, detail = event["source"], event["detail-type"], event["detail"]
        matched += matches(source, kind, detail)
        if kind == HOST:
            arn, known = detail["containerInstanceArn"], hosts
        elif kind == TASK:
            arn, known = detail["taskArn"], tasks
        else:
            if source == "aws.ec2":
                machines[detail["instance-id"]] = detail["state"]
            continue
        old = known.get(arn)
        if old is not None and old["version"] >= detail["version"]:
            continue
        known[arn] = detail
        if kind == HOST:
            if detail["agentConnected"]:
                away.pop(arn, None)
            else:
                away.setdefault(arn, event["time"])
    return matched


def main():
    with open(sys.argv[1], "rb") as file:
        events = file.read().splitlines()
    for _ in sys.stdin:
        wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        matched = one_round(events)
        now = resource.getrusage(resource.RUSAGE_SELF)
        cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        print(
            json.dumps(
                {
                    "events": len(events),
                    "bytes": sum(map(len, events)),
                    "matches": int(matched),
                    "cpu_secs": cpu,
                    "wall_secs": time.perf_counter() - wall,
                    "peak_rss_bytes": now.ru_maxrss * 1024,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
