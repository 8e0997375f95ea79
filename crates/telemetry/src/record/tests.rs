use serde_json::Value;

use super::{
    cluster::ClusterRecord,
    container::{ContainerRecord, Health},
    instance::{HostCpu, HostIdentity, HostMemory, HostNetwork, InstanceRecord, TimestampForm, Told},
    instance_disk_io::{DiskFigures, DiskRecord},
    instance_fs::FileSystemRecord,
    instance_net::{InterfaceFigures, InterfaceRecord},
    reserved::{self, Asked, Reserved},
    service::ServiceRecord,
    task::{Room, TaskIdentity, TaskRecord},
    usage::{self, Direction, Network, Storage, Usage},
    vended::{self, Amounts},
    *,
};
use crate::emf::{self, Sample};

const MINUTE: i64 = 1_790_000_040_000;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn samples(text: &str) -> Vec<Sample> {
    let read = emf::read(text).unwrap_or_else(|| panic!("no embedded metrics: {text}"));
    assert_eq!((read.parsing_errors, read.validation_errors), (0, 0), "{text}");
    read.samples
}

/// The samples of a metric by exactly these dimensions, all values together.
fn values(texts: &[String], metric: &str, set: &[&str]) -> Vec<f64> {
    let mut set = set.to_vec();
    set.sort_unstable();
    let found = texts.iter().flat_map(|text| samples(text)).filter(|sample| sample.name == metric);
    found.filter(|sample| sample.dimensions.keys().eq(set.iter())).flat_map(|sample| sample.values).collect()
}

fn identity(service: Option<&str>) -> TaskIdentity {
    TaskIdentity {
        task: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".to_owned(),
        family: "till".to_owned(),
        revision: "41".to_owned(),
        service: service.map(str::to_owned),
        container_instance: Some("aa11bb22cc33dd44ee55ff6677889900".to_owned()),
        ec2_instance: Some("i-00112233445566778".to_owned()),
        cluster: "market".to_owned(),
    }
}

fn task(service: Option<&str>, cpu_used: f64) -> TaskRecord {
    TaskRecord {
        identity: identity(service),
        account: "210987654321".to_owned(),
        region: "eu-central-1".to_owned(),
        zone: Some("eu-central-1c".to_owned()),
        status: "RUNNING".to_owned(),
        launch_type: "EC2".to_owned(),
        pull_started_ms: Some(MINUTE - 9_000),
        pull_stopped_ms: Some(MINUTE - 8_000),
        created_ms: Some(MINUTE - 10_000),
        started_ms: Some(MINUTE - 7_000),
        timestamp_ms: MINUTE,
        usage: Usage {
            cpu_used_units: Some(cpu_used),
            cpu_reserved_units: Some(128.0),
            memory_used_mib: Some(90),
            memory_reserved_mib: Some(360),
            storage: Some(Storage { read_bytes: 11, write_bytes: 22 }),
            network: Some(Network {
                rx: Direction { bytes_per_sec: 1, dropped: 2, errors: 3, packets: 4 },
                tx: Direction { bytes_per_sec: 5, dropped: 6, errors: 7, packets: 8 },
            }),
        },
        ..TaskRecord::default()
    }
}

#[test]
fn a_cluster_is_written_member_by_member_as_ecs_does() {
    let record = ClusterRecord {
        cluster: "market".to_owned(),
        timestamp_ms: MINUTE,
        running_tasks: 9,
        hosts_with_tasks: 2,
        services: 3,
    };
    assert_eq!(
        record.text(),
        r#"{"Version":"0","Type":"Cluster","ClusterName":"market","Timestamp":1790000040000,"TaskCount":9,"ContainerInstanceCount":2,"ServiceCount":3,"CloudWatchMetrics":[{"Namespace":"ECS/ContainerInsights","Metrics":[{"Name":"TaskCount","Unit":"Count"},{"Name":"ContainerInstanceCount","Unit":"Count"},{"Name":"ServiceCount","Unit":"Count"}],"Dimensions":[["ClusterName"]]}]}"#
    );
    let line = record.line();
    assert_eq!(line.group, "/aws/ecs/containerinsights/market/performance");
    assert_eq!((line.stream.as_str(), line.event.timestamp_ms), ("ClusterTelemetry-market", MINUTE));
}

#[test]
fn a_service_is_written_with_its_counts_also_when_nothing_runs() {
    let record = ServiceRecord {
        service: "till".to_owned(),
        cluster: "market".to_owned(),
        timestamp_ms: MINUTE,
        desired_tasks: 4,
        running_tasks: 0,
        pending_tasks: 4,
        deployments: 1,
        task_sets: 0,
    };
    assert_eq!(
        record.text(),
        r#"{"Version":"0","Type":"Service","ServiceName":"till","ClusterName":"market","Timestamp":1790000040000,"DesiredTaskCount":4,"RunningTaskCount":0,"PendingTaskCount":4,"DeploymentCount":1,"TaskSetCount":0,"CloudWatchMetrics":[{"Namespace":"ECS/ContainerInsights","Metrics":[{"Name":"DesiredTaskCount","Unit":"Count"},{"Name":"RunningTaskCount","Unit":"Count"},{"Name":"PendingTaskCount","Unit":"Count"},{"Name":"DeploymentCount","Unit":"Count"},{"Name":"TaskSetCount","Unit":"Count"}],"Dimensions":[["ServiceName","ClusterName"]]}]}"#
    );
    assert_eq!(record.line().stream, "ServiceTelemetry-till");
    assert_eq!(values(&[record.text()], "RunningTaskCount", &["ServiceName", "ClusterName"]), [0.0]);
}

#[test]
fn a_task_of_a_service_on_ec2_is_written_member_by_member() {
    assert_eq!(
        task(Some("till"), 61.4375).text(Detail::Standard),
        r#"{"Version":"0","Type":"Task","TaskId":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","TaskDefinitionFamily":"till","TaskDefinitionRevision":"41","ServiceName":"till","ContainerInstanceId":"aa11bb22cc33dd44ee55ff6677889900","EC2InstanceId":"i-00112233445566778","ClusterName":"market","AccountID":"210987654321","Region":"eu-central-1","AvailabilityZone":"eu-central-1c","KnownStatus":"RUNNING","LaunchType":"EC2","PullStartedAt":1790000031000,"PullStoppedAt":1790000032000,"CreatedAt":1790000030000,"StartedAt":1790000033000,"Timestamp":1790000040000,"CpuUtilized":61.4375,"CpuReserved":128.0,"MemoryUtilized":90,"MemoryReserved":360,"StorageReadBytes":11,"StorageWriteBytes":22,"NetworkRxBytes":1,"NetworkRxDropped":2,"NetworkRxErrors":3,"NetworkRxPackets":4,"NetworkTxBytes":5,"NetworkTxDropped":6,"NetworkTxErrors":7,"NetworkTxPackets":8,"CloudWatchMetrics":[{"Namespace":"ECS/ContainerInsights","Metrics":[{"Name":"CpuUtilized","Unit":"None"},{"Name":"CpuReserved","Unit":"None"},{"Name":"MemoryUtilized","Unit":"Megabytes"},{"Name":"MemoryReserved","Unit":"Megabytes"},{"Name":"StorageReadBytes","Unit":"Bytes/Second"},{"Name":"StorageWriteBytes","Unit":"Bytes/Second"},{"Name":"NetworkRxBytes","Unit":"Bytes/Second"},{"Name":"NetworkTxBytes","Unit":"Bytes/Second"}],"Dimensions":[["ClusterName"],["ServiceName","ClusterName"],["ClusterName","TaskDefinitionFamily"]]}]}"#
    );
    assert_eq!(task(None, 1.0).line(Detail::Standard).stream, "AgentTelemetry-aa11bb22cc33dd44ee55ff6677889900");
}

#[test]
fn a_task_that_was_run_by_itself_has_no_sample_of_a_service() {
    let text = task(None, 5.0).text(Detail::Standard);
    assert!(!text.contains("ServiceName"), "{text}");
    let texts = [text];
    assert!(values(&texts, "CpuUtilized", &["ServiceName", "ClusterName"]).is_empty());
    assert_eq!(values(&texts, "CpuUtilized", &["TaskDefinitionFamily", "ClusterName"]), [5.0]);
    assert_eq!(values(&texts, "CpuUtilized", &["ClusterName"]), [5.0]);
}

#[test]
fn two_tasks_of_a_service_are_two_samples_of_one_series() {
    let texts = [task(Some("till"), 12.0).text(Detail::Standard), task(Some("till"), 36.0).text(Detail::Standard)];
    let found = values(&texts, "CpuUtilized", &["ClusterName", "ServiceName"]);
    let sum: f64 = found.iter().sum();
    assert_eq!((found.len(), sum, sum / found.len() as f64), (2, 48.0, 24.0));
    assert_eq!(found.iter().copied().fold(f64::MIN, f64::max), 36.0);
}

#[test]
fn a_task_in_host_mode_has_no_network_at_all() {
    let mut record = task(Some("till"), 5.0);
    record.usage.network = None;
    for detail in [Detail::Standard, Detail::Enhanced] {
        let text = record.text(detail);
        assert!(!text.contains("Network"), "{text}");
    }
}

#[test]
fn what_no_host_has_measured_is_left_out_and_its_metrics_too() {
    let mut record = task(Some("till"), 5.0);
    record.usage = Usage { cpu_reserved_units: Some(256.0), memory_reserved_mib: Some(512), ..Usage::default() };
    record.zone = None;
    for detail in [Detail::Standard, Detail::Enhanced] {
        let text = record.text(detail);
        assert!(!text.contains("Utiliz") && !text.contains("null") && !text.contains("Zone"), "{text}");
        let names: Vec<String> = samples(&text).into_iter().map(|sample| sample.name).collect();
        assert!(names.iter().all(|name| name == "CpuReserved" || name == "MemoryReserved") && names.len() >= 6);
    }
    record.usage = Usage { cpu_used_units: Some(f64::NAN), ..Usage::default() };
    let text = record.text(Detail::Enhanced);
    assert!(!text.contains("CloudWatchMetrics") && !text.contains("null"), "{text}");
}

#[test]
fn a_task_on_fargate_tells_its_storage_and_keeps_its_stream() {
    let mut record = task(None, 200.0);
    (record.identity.container_instance, record.identity.ec2_instance) = (None, None);
    record.ephemeral = Some(Room { used_gb: 1.5, size_gb: 21.47 });
    let line = record.line(Detail::Standard);
    let number = line.stream.strip_prefix("FargateTelemetry-").unwrap();
    assert!((1..=8).contains(&number.parse::<u32>().unwrap()));
    assert_eq!(line.stream, record.line(Detail::Enhanced).stream);
    assert!(!line.event.message.contains("ContainerInstanceId") && !line.event.message.contains("EC2InstanceId"));
    assert!(line.event.message.contains(r#","EphemeralStorageUtilized":1.5,"EphemeralStorageReserved":21.47,"CloudW"#));
    let reserved = values(&[line.event.message], "EphemeralStorageReserved", &["ClusterName"]);
    assert_eq!(reserved, [21.47]);
}

#[test]
fn enhanced_records_keep_what_standard_ones_have_and_add_single_tasks() {
    let mut record = task(Some("till"), 64.0);
    record.restarts = Some(2);
    let (standard, enhanced) = (parsed(&record.text(Detail::Standard)), parsed(&record.text(Detail::Enhanced)));
    for (name, value) in standard.as_object().unwrap().iter().filter(|(name, _)| *name != "CloudWatchMetrics") {
        assert_eq!(&enhanced[name], value, "{name}");
    }
    assert_eq!((&enhanced["TaskCpuUtilization"], &enhanced["TaskMemoryUtilization"]), (&50.0.into(), &25.0.into()));
    let texts = [record.text(Detail::Enhanced)];
    for set in [
        vec!["ClusterName", "ServiceName", "TaskId"],
        vec!["ClusterName", "TaskDefinitionFamily", "TaskId"],
        vec!["ClusterName"],
    ] {
        assert_eq!(values(&texts, "TaskCpuUtilization", &set), [50.0], "{set:?}");
        assert_eq!(values(&texts, "RestartCount", &set), [2.0], "{set:?}");
    }
}

fn container() -> ContainerRecord {
    ContainerRecord {
        container: "app".to_owned(),
        identity: identity(Some("till")),
        image: "registry.example/till:7".to_owned(),
        status: "RUNNING".to_owned(),
        timestamp_ms: MINUTE,
        usage: task(None, 32.0).usage,
        restarts: Some(1),
        health: Some(Health::Unhealthy),
    }
}

#[test]
fn a_container_carries_no_metrics_until_records_are_enhanced() {
    let text = container().text(Detail::Standard);
    assert!(text.starts_with(r#"{"Version":"0","Type":"Container","ContainerName":"app","TaskId":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","TaskDefinitionFamily":"till","TaskDefinitionRevision":"41","ServiceName":"till","ContainerInstanceId":"#));
    assert!(text.contains(r#","ClusterName":"market","Image":"registry.example/till:7","ContainerKnownStatus":"RUNNING","Timestamp":1790000040000,"CpuUtilized":32.0,"#));
    assert_eq!(emf::read(&text), None);
}

#[test]
fn no_series_of_an_enhanced_container_gets_two_samples_of_one_minute() {
    let mut seen = std::collections::BTreeSet::new();
    for text in [container().text(Detail::Enhanced), task(Some("till"), 32.0).text(Detail::Enhanced)] {
        for sample in samples(&text) {
            assert!(seen.insert((sample.name.clone(), sample.dimensions.clone())), "twice: {sample:?}");
        }
    }
    let texts = [container().text(Detail::Enhanced)];
    for metric in ["ContainerCpuUtilized", "ContainerMemoryUtilization", "ContainerStorageReadBytes"] {
        let single = ["ClusterName", "ServiceName", "TaskId", "ContainerName"];
        assert_eq!(values(&texts, metric, &single).len(), 1, "{metric}");
        assert!(values(&texts, metric, &["ClusterName", "TaskId", "ServiceName"]).is_empty(), "{metric}");
    }
    // Containers of a task share its network: it is told without their names.
    assert_eq!(values(&texts, "ContainerNetworkRxBytes", &["ClusterName", "ServiceName", "TaskId"]), [1.0]);
    assert_eq!(values(&texts, "UnHealthyContainerHealthStatus", &["ClusterName"]), [1.0]);
    let cpu = values(&texts, "ContainerCpuUtilization", &["ClusterName", "TaskDefinitionFamily"]);
    assert_eq!(cpu, [25.0]);
    assert_eq!(values(&texts, "RestartCount", &["ClusterName", "ServiceName", "ContainerName"]), [1.0]);
}

fn host() -> HostIdentity {
    HostIdentity {
        group: Some("market-asg".to_owned()),
        cluster: "market".to_owned(),
        container_instance: "aa11bb22cc33dd44ee55ff6677889900".to_owned(),
        instance: "i-00112233445566778".to_owned(),
        instance_type: "t3.small".to_owned(),
    }
}

fn told() -> Told {
    Told { timestamp_ms: MINUTE + 123, form: TimestampForm::Text }
}

#[test]
fn a_host_is_told_by_the_agents_formulas_and_by_both_sets() {
    let record = InstanceRecord {
        identity: host(),
        told: told(),
        cpu: HostCpu { limit: 2_000, used_total: Some(500.0), reserved_units: 768, ..HostCpu::default() },
        memory: Some(HostMemory {
            instance_memory_limit: 8_000,
            instance_memory_working_set: 2_000,
            ..HostMemory::default()
        }),
        memory_reserved_bytes: 1_000,
        network: Some(HostNetwork {
            instance_network_rx_bytes: 1.5,
            instance_network_tx_bytes: 2.0,
            ..HostNetwork::default()
        }),
        running_tasks: 3,
    };
    let text = record.text();
    assert!(text.starts_with(r#"{"AutoScalingGroupName":"market-asg","ClusterName":"market","ContainerInstanceId":"aa11bb22cc33dd44ee55ff6677889900","InstanceId":"i-00112233445566778","InstanceType":"t3.small","Sources":["cadvisor","/proc","ecsagent","calculated"],"Timestamp":"1790000040123","Type":"Instance","Version":"0","instance_cpu_limit":2000,"instance_cpu_reserved_capacity":37.5,"instance_cpu_usage_total":500.0,"instance_cpu_utilization":25.0,"instance_memory_cache":0,"#), "{text}");
    assert!(text.contains(r#""CloudWatchMetrics":[{"Namespace":"ECS/ContainerInsights","Dimensions":[["ContainerInstanceId","InstanceId","ClusterName"]],"Metrics":[{"Unit":"Percent","Name":"instance_cpu_utilization"},"#), "{text}");
    assert!(text.contains(r#"{"Name":"instance_cpu_usage_total"},{"Name":"instance_cpu_limit"},{"Unit":"Bytes","Name":"instance_memory_working_set"}"#), "{text}");
    let texts = [text];
    let one = ["ClusterName", "InstanceId", "ContainerInstanceId"];
    for (metric, value) in [
        ("instance_cpu_utilization", 25.0),
        ("instance_cpu_reserved_capacity", 37.5),
        ("instance_memory_utilization", 25.0),
        ("instance_memory_reserved_capacity", 12.5),
        ("instance_network_total_bytes", 3.5),
        ("instance_number_of_running_tasks", 3.0),
    ] {
        assert_eq!(values(&texts, metric, &one), [value], "{metric}");
        assert_eq!(values(&texts, metric, &["ClusterName"]), [value], "{metric}");
    }
    assert!(values(&texts, "instance_memory_limit", &one).is_empty());
    assert_eq!(record.line().stream, "NodeTelemetry-aa11bb22cc33dd44ee55ff6677889900");
    let silent = InstanceRecord { identity: host(), told: told(), ..InstanceRecord::default() };
    assert!(!silent.text().contains("null") && !silent.text().contains("utilization"));
}

#[test]
fn the_parts_of_a_host_have_records_of_their_own() {
    let disk = FileSystemRecord {
        identity: host(),
        told: Told { form: TimestampForm::Number, ..told() },
        device: "/dev/nvme0n1p1".to_owned(),
        kind: "vfs".to_owned(),
        available_bytes: 300,
        capacity_bytes: 400,
        used_bytes: 100,
        inodes: 10,
        inodes_free: 9,
    };
    let text = disk.text();
    assert!(text.contains(r#""Sources":["cadvisor","calculated"],"Timestamp":1790000040123,"Type":"InstanceFS","Version":"0","device":"/dev/nvme0n1p1","fstype":"vfs","instance_filesystem_available":300,"#), "{text}");
    assert_eq!(values(&[text], "instance_filesystem_utilization", &["ClusterName"]), [25.0]);
    let net = InterfaceRecord {
        identity: host(),
        told: told(),
        interface: "ens5".to_owned(),
        figures: InterfaceFigures {
            instance_interface_network_rx_bytes: 2.0,
            instance_interface_network_tx_bytes: 3.0,
            ..InterfaceFigures::default()
        },
    };
    let text = net.text();
    assert!(text.contains(r#""interface":"ens5","instance_interface_network_rx_bytes":2.0,"#), "{text}");
    assert!(text.ends_with(r#""instance_interface_network_total_bytes":5.0}"#), "{text}");
    let device = DiskRecord {
        identity: host(),
        told: told(),
        device: "/dev/nvme0n1".to_owned(),
        operations: DiskFigures { asynchronous: 0.0, read: 1.0, synchronous: 3.0, total: 3.0, write: 2.0 },
        bytes: DiskFigures { total: 4_096.0, ..DiskFigures::default() },
    };
    let text = device.text();
    assert!(text.contains(r#""Sources":["cadvisor"],"#), "{text}");
    assert!(
        text.contains(r#""instance_diskio_io_serviced_async":0.0,"instance_diskio_io_serviced_read":1.0,"#),
        "{text}"
    );
    assert!(text.contains(r#""instance_diskio_io_service_bytes_total":4096.0,"#), "{text}");
    for text in [net.text(), device.text()] {
        assert_eq!(emf::read(&text), None, "{text}");
    }
}

#[test]
fn names_from_outside_cannot_break_a_record() {
    let mut record = task(Some("a\"b\\c\n\u{1}"), 1.0);
    record.identity.family = "\",\"Type\":\"Cluster".to_owned();
    let value = parsed(&record.text(Detail::Enhanced));
    assert_eq!((&value["Type"], &value["ServiceName"]), (&"Task".into(), &"a\"b\\c\n\u{1}".into()));
}

#[test]
fn lifecycle_events_go_to_the_log_of_their_cluster_as_they_came() {
    let host = r#"{"detail-type":"ECS Container Instance State Change","source":"aws.ecs","time":"2026-09-21T14:14:00Z","detail":{"clusterArn":"arn:aws:ecs:eu-central-1:210987654321:cluster/market"}}"#;
    let line = lifecycle::line(host).unwrap();
    assert_eq!(line.group, "/aws/events/ecs/containerinsights/market/performance");
    assert_eq!((line.event.message.as_str(), line.event.timestamp_ms), (host, 1_790_000_040_000));
    let deployment = r#"{"detail-type":"ECS Deployment State Change","source":"aws.ecs","time":"2026-09-21T14:14:00Z","resources":["arn:aws:ecs:eu-central-1:210987654321:service/market/till"],"detail":{}}"#;
    assert_eq!(lifecycle::line(deployment).unwrap().group, line.group);
    for other in [
        "{}",
        "noise",
        r#"{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","time":"2026-09-21T14:14:00Z","detail":{}}"#,
        r#"{"detail-type":"ECS Task State Change","source":"aws.ecs","time":"soon","detail":{"clusterArn":"arn:x/y"}}"#,
    ] {
        assert_eq!(lifecycle::line(other), None, "{other}");
    }
}

#[test]
fn a_minute_is_what_a_record_stands_on() {
    assert_eq!((minute_of(MINUTE + 59_999), minute_of(MINUTE), minute_of(-1)), (MINUTE, MINUTE, -60_000));
}

#[test]
fn a_task_uses_what_its_containers_use_and_one_network_counts_once() {
    let one = task(None, 10.0).usage;
    let two = Usage { cpu_used_units: Some(2.5), ..one };
    let sum = usage::of_task(&[one, two], true);
    assert_eq!((sum.cpu_used_units, sum.memory_used_mib), (Some(12.5), Some(180)));
    assert_eq!(sum.network, one.network);
    let bridge = usage::of_task(&[one, two], false);
    assert_eq!(bridge.network.map(|network| network.tx.bytes_per_sec), Some(10));
    let half = usage::of_task(&[one, Usage::default()], false);
    assert_eq!((half.cpu_used_units, half.network), (None, None), "a sum of known and unknown is unknown");
    assert_eq!(usage::of_task(&[], true), Usage::default());
}

#[test]
fn what_is_reserved_is_the_tasks_size_else_its_containers_else_the_host() {
    let size = Reserved { cpu_units: Some(512), memory_mib: None };
    let containers = [
        Asked { cpu_units: Some(100), memory_hard_mib: Some(300), memory_soft_mib: Some(200) },
        Asked { cpu_units: Some(0), memory_hard_mib: Some(64), memory_soft_mib: None },
    ];
    let host = Reserved { cpu_units: Some(2_048), memory_mib: Some(3_800) };
    let found = reserved::of_task(size, &containers, host);
    assert_eq!(found, Reserved { cpu_units: Some(512), memory_mib: Some(264) });
    assert_eq!(reserved::of_task(Reserved::default(), &containers, host).cpu_units, Some(100));
    assert_eq!(reserved::of_task(Reserved::default(), &[Asked::default()], host), host);
}

#[test]
fn the_free_metrics_follow_the_documented_sums() {
    let amounts = |cpu_units, memory_mib| Amounts { cpu_units, memory_mib };
    let registered = Amounts::sum([amounts(16_384.0, 30_158.0), amounts(2_048.0, 3_768.0)]);
    let reserved = vended::shares(amounts(1_024.0, 2_048.0).times(10), registered);
    assert_eq!(
        (reserved.cpu_percent.map(f64::trunc), reserved.memory_percent.map(f64::trunc)),
        (Some(55.0), Some(60.0))
    );
    assert!(reserved.cpu_percent.is_some_and(|share| share.fract() > 0.5), "the stored value is not rounded");
    let asked = amounts(512.0, 1_024.0).times(1);
    let busy = vended::shares(amounts(2_048.0, 512.0), asked);
    assert_eq!((busy.cpu_percent, busy.memory_percent), (Some(400.0), Some(50.0)));
    let idle = vended::shares(amounts(128.0, 128.0), asked);
    assert_eq!((idle.cpu_percent, idle.memory_percent), (Some(25.0), Some(12.5)));
    assert_eq!(vended::shares(Amounts::default(), Amounts::default()), vended::Shares::default());
}
