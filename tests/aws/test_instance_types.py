"""The table of instance types beside the descriptions of EC2 that moto carries. Every disagreement stands with its
explanation in docs/guide/instance-types.md, or this fails; so does an explanation of what is no disagreement."""

import csv
import gzip
import json
import re
import subprocess
from pathlib import Path

import moto
import pytest

from conftest import ROOT, environment
from test_simulator_clients import PROGRAM, Simulator

TABLE = ROOT / "crates" / "fleet" / "src" / "capacity" / "eni-limits.csv"
PAGE = ROOT / "docs" / "guide" / "instance-types.md"
# Types of the pretend account that exist nowhere.
PRETENDED = {"q9z.large", "q9z.nano", "n0n.sense"}


@pytest.fixture(scope="module")
def described() -> dict[str, dict]:
    """What EC2 says of each type."""
    path = Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def table() -> dict[str, dict[str, str]]:
    with TABLE.open(newline="") as lines:
        return {row["instance_type"]: row for row in csv.DictReader(lines)}


def explained() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| `([\w.-]+)` \| (.+?) \| (.+?) \|$", PAGE.read_text(), flags=re.MULTILINE)
    assert all(why for _, _, why in rows)
    return [(name, what) for name, what, _ in rows]


def cards(description: dict) -> list[int]:
    found = sorted(description["NetworkInfo"]["NetworkCards"], key=lambda card: card["NetworkCardIndex"])
    return [card["MaximumNetworkInterfaces"] for card in found]


def gpus(description: dict) -> int:
    return sum(gpu["Count"] for gpu in description.get("GpuInfo", {}).get("Gpus", []))


def disagreements(described: dict[str, dict]):
    rows = table()
    for name in sorted(rows.keys() | described.keys()):
        row, description = rows.get(name), described.get(name)
        if row is None:
            yield name, "not in the table"
            continue
        if description is None:
            yield name, "not described"
            continue
        told = description["NetworkInfo"]
        if int(row["max_eni"]) != told["MaximumNetworkInterfaces"]:
            yield name, f"{told['MaximumNetworkInterfaces']} interfaces described"
        if sum(cards(description)) != told["MaximumNetworkInterfaces"] or len(cards(description)) != told["MaximumNetworkCards"]:
            yield name, "cards do not add up"
        first = cards(description)[0] if told["MaximumNetworkCards"] > 1 else None
        if (int(row["first_card"]) if row["first_card"] else None) != first:
            yield name, f"{first} interfaces on the first card described"
        if row["branch_eni"] and not description["BareMetal"] and description.get("Hypervisor") != "nitro":
            yield name, "a trunk outside of Nitro"
        if any(gpu["Count"] < 1 for gpu in description.get("GpuInfo", {}).get("Gpus", [])):
            yield name, "part of a GPU"


def test_every_disagreement_of_the_table_with_ec2_is_explained_and_nothing_else_is(described):
    assert len(described) > 1_000
    found, listed = list(disagreements(described)), explained()
    assert len(listed) == len(set(listed)), "a line stands there twice"
    assert sorted(found) == sorted(listed)


def test_the_pretend_account_describes_types_as_ec2_does(described, tmp_path):
    scenario = tmp_path / "types.toml"
    source = (ROOT / "crates" / "simulator" / "src" / "world" / "kind.rs").read_text()
    names = set(re.findall(r'kind\("([\w.]+)"', source)) - {"external"}
    scenario.write_text('lasts = "1h"\n[[cluster]]\nname = "prod-a"\nhosts = 1\n')
    simulator = Simulator(scenario, "--speed", "0")
    try:
        answer = simulator.client("ec2").describe_instance_types(InstanceTypes=sorted(names))["InstanceTypes"]
    finally:
        simulator.stop()
    pretended = {one["InstanceType"]: one for one in answer}
    assert pretended.keys() == names and names - described.keys() == PRETENDED

    def facts(one: dict) -> tuple:
        return (
            one["VCpuInfo"]["DefaultVCpus"], one["MemoryInfo"]["SizeInMiB"], gpus(one), cards(one),
            one["NetworkInfo"]["MaximumNetworkInterfaces"], one["ProcessorInfo"]["SupportedArchitectures"])

    wrong = {name: (facts(pretended[name]), facts(described[name])) for name in names - PRETENDED
             if facts(pretended[name]) != facts(described[name])}
    assert not wrong
    # and its trunks have as many branches as the table says.
    branches = re.findall(r'kind\("([\w.]+)", [\d_]+, [\d_]+, \d+, (\d+)\)', source)
    assert {name: int(count) for name, count in branches if name in described} == {
        name: int(table()[name]["branch_eni"] or 0) for name, _ in branches if name in described}


def examples(described: dict[str, dict]) -> list[str]:
    """One type of each number of GPUs, of network cards, and of vCPUs: all that can be read in different ways."""
    chosen = {}
    for name in sorted(described):
        one = described[name]
        for kind in (("gpus", gpus(one), len(one.get("GpuInfo", {}).get("Gpus", []))), ("cards", len(cards(one))),
                     ("vcpus", one["VCpuInfo"]["DefaultVCpus"])):
            chosen.setdefault(kind, name)
    return sorted(set(chosen.values()))


def test_what_muster_reads_of_a_type_is_what_ec2_says(aws, described, tmp_path):
    aws.add_cluster("prod-a")
    aws.add_hosts("prod-a", 1)
    (tmp_path / "muster.toml").write_text('[clusters]\nnames = ["prod-a"]\n')

    def fits(name: str, cpu: int, memory: int, gpus: int) -> bool:
        """Whether a task that no host of the cluster takes would fit on one host more of this type."""
        container = {"name": "big", "cpu": cpu, "memory": memory}
        if gpus:
            container["resourceRequirements"] = [{"type": "GPU", "value": str(gpus)}]
        path = tmp_path / "big.json"
        path.write_text(json.dumps({"family": "big", "networkMode": "host", "containerDefinitions": [container]}))
        done = subprocess.run(
            [PROGRAM, "fit", str(path), "--cluster", "prod-a", "--count", "1", "--instance-type", name, "--output", "json"],
            cwd=tmp_path, env=environment(aws.endpoint), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
        (told,) = json.loads(done.stdout)
        return any(name in change["sentence"] for change in told["changes"])

    names = examples(described)
    assert len(names) > 20
    hosts_have = (4_096, 16_384)
    for name in names:
        one = described[name]
        cpu, memory = one["VCpuInfo"]["DefaultVCpus"] * 1_024, one["MemoryInfo"]["SizeInMiB"]
        # Of memory a part is kept by the system: nine tenths fit, all of it does not.
        if cpu > hosts_have[0]:
            assert fits(name, cpu, 128, 0), f"{name}: {cpu} units"
            assert not fits(name, cpu + 1, 128, 0), f"{name}: {cpu} units and one"
        if memory * 0.9 > hosts_have[1]:
            assert fits(name, 128, memory * 9 // 10, 0) and not fits(name, 128, memory, 0), f"{name}: {memory} MiB"
        if gpus(one):
            assert fits(name, 128, 128, gpus(one)) and not fits(name, 128, 128, gpus(one) + 1), f"{name}: GPUs"
