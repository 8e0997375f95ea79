//! What a task needs of its host, from the JSON of its task definition.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::query::{Expr, QueryError};
pub use crate::observation::{HostPort, Protocol};
use crate::observation::{in_order, port_number};

/// What one copy of a task needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskShape {
    /// Family of the task definition; empty when not told.
    pub family: String,
    /// CPU units reserved; 0: none.
    pub cpu_units: u32,
    /// Memory reserved, in MiB; 0: none.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
    /// Ports of the host that it takes, in order.
    pub ports: Vec<HostPort>,
    /// It has a network interface of its own.
    pub awsvpc: bool,
    /// Attributes that its host must have.
    pub requires: Vec<Requirement>,
    /// `memberOf` constraints of the task definition.
    pub constraints: Vec<Expr>,
    /// `LINUX`, `WINDOWS_SERVER_2022_CORE`, ….
    pub os_family: Option<String>,
    /// `X86_64` or `ARM64`.
    pub cpu_architecture: Option<String>,
    /// Launch types that the task definition was registered for: `EC2`, `EXTERNAL`, `FARGATE`; empty when not told.
    pub compatibilities: Vec<String>,
}

/// An attribute that a host must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its name.
    pub name: String,
    /// The value it must have; `None`: any.
    pub value: Option<String>,
}

/// Why a text says nothing of a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Not JSON.
    #[error("the task definition is not JSON: {0}")]
    NotJson(String),
    /// JSON of something else.
    #[error("this is no task definition: it has no list `containerDefinitions`")]
    NoTaskDefinition,
    /// A field that is not what ECS writes.
    #[error("{path}: {what}")]
    Field {
        /// `containerDefinitions[1].memory`.
        path: String,
        /// `expected a count, found "lots"`.
        what: String,
    },
    /// A placement constraint that cannot be understood.
    #[error("placement constraint `{}`: {source}", source.text)]
    Constraint {
        /// What is wrong, and where.
        source: QueryError,
    },
}

impl TaskShape {
    /// Reads the answer of DescribeTaskDefinition, its `taskDefinition`, or the input of RegisterTaskDefinition.
    pub fn read(json: &[u8]) -> Result<Self, ShapeError> {
        let whole: Value = serde_json::from_slice(json).map_err(|error| ShapeError::NotJson(error.to_string()))?;
        let definition = match &whole["taskDefinition"] {
            inner @ Value::Object(_) => inner,
            _ => &whole,
        };
        let containers = definition["containerDefinitions"].as_array().ok_or(ShapeError::NoTaskDefinition)?;
        let mode = definition["networkMode"].as_str().unwrap_or("bridge");
        let awsvpc = mode == "awsvpc";
        let mut sum = Self { awsvpc, ..Self::default() };
        let (mut cpu, mut memory, mut gpus) = (0_u32, 0_u32, 0_u32);
        for (index, container) in containers.iter().enumerate() {
            let path = |field: &str| format!("containerDefinitions[{index}].{field}");
            cpu = cpu.saturating_add(count(&container["cpu"], &path("cpu"))?.unwrap_or(0));
            let soft = count(&container["memoryReservation"], &path("memoryReservation"))?;
            let hard = count(&container["memory"], &path("memory"))?;
            memory = memory.saturating_add(soft.filter(|soft| *soft > 0).or(hard).unwrap_or(0));
            for wanted in list(&container["resourceRequirements"]) {
                if wanted["type"] == "GPU" {
                    let of = count(&wanted["value"], &path("resourceRequirements"))?;
                    gpus = gpus.saturating_add(of.unwrap_or(0));
                }
            }
            for mapping in list(&container["portMappings"]) {
                host_ports(mapping, mode, &path("portMappings"), &mut sum.ports)?;
            }
        }
        let own = |field: &str, unit, scale| amount(&definition[field], field, unit, scale);
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let platform = &definition["runtimePlatform"];
        let compatibilities = match &definition["compatibilities"] {
            known @ Value::Array(_) => known,
            _ => &definition["requiresCompatibilities"],
        };
        Ok(Self {
            family: text(&definition["family"]).unwrap_or_default(),
            cpu_units: own("cpu", "vcpu", 1_024.0)?.filter(|cpu| *cpu > 0).unwrap_or(cpu),
            memory_mib: own("memory", "gb", 1_024.0)?.filter(|memory| *memory > 0).unwrap_or(memory),
            gpus,
            ports: in_order(sum.ports),
            awsvpc,
            requires: requirements(&definition["requiresAttributes"], awsvpc),
            constraints: member_of(&definition["placementConstraints"])?,
            os_family: text(&platform["operatingSystemFamily"]),
            cpu_architecture: text(&platform["cpuArchitecture"]),
            compatibilities: list(compatibilities).iter().filter_map(text).collect(),
        })
    }

    /// The group that ECS gives its tasks when they belong to no service.
    pub(crate) fn own_group(&self) -> String {
        format!("family:{}", self.family)
    }
}

/// `memberOf` constraints of a list, in order.
pub(super) fn member_of(constraints: &Value) -> Result<Vec<Expr>, ShapeError> {
    let member =
        |constraint: &&Value| constraint["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("memberOf"));
    list(constraints).iter().filter(member).map(expression).collect()
}

/// The expression of a constraint.
pub(super) fn expression(constraint: &Value) -> Result<Expr, ShapeError> {
    let text = constraint["expression"].as_str().unwrap_or_default();
    Expr::parse(text).map_err(|source| ShapeError::Constraint { source })
}

/// A list, or nothing where there is none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What AWS says the host must have. A definition that has never been registered lacks it: of what AWS would add, only
/// the capability of interfaces for tasks is certain.
fn requirements(told: &Value, awsvpc: bool) -> Vec<Requirement> {
    if told.is_array() {
        let one = |it: &Value| {
            let name = it["name"].as_str().filter(|name| !name.is_empty())?.to_owned();
            Some(Requirement { name, value: it["value"].as_str().filter(|value| !value.is_empty()).map(str::to_owned) })
        };
        return list(told).iter().filter_map(one).collect();
    }
    let task_eni = Requirement { name: "ecs.capability.task-eni".to_owned(), value: None };
    if awsvpc { vec![task_eni] } else { Vec::new() }
}

/// The ports of the host that a mapping takes for good: with `bridge` those that are named, with `host` the
/// container's own.
fn host_ports(mapping: &Value, mode: &str, path: &str, ports: &mut Vec<HostPort>) -> Result<(), ShapeError> {
    let protocol = match mapping["protocol"].as_str() {
        None | Some("tcp" | "TCP") => Protocol::Tcp,
        Some("udp" | "UDP") => Protocol::Udp,
        Some(other) => return Err(field(path, format!("protocol `{other}` is neither tcp nor udp"))),
    };
    let port = |name: &str| match count(&mapping[name], path)? {
        Some(port) if port > u32::from(u16::MAX) => Err(field(path, format!("{port} is no port"))),
        found => Ok(found.filter(|port| *port > 0).map(|port| port as u16)),
    };
    let first_last = match mode {
        "awsvpc" | "none" => None,
        "host" => match mapping["containerPortRange"].as_str() {
            Some(range) => Some(range_of(range).ok_or_else(|| field(path, format!("`{range}` is no range of ports")))?),
            None => port("hostPort")?.or(port("containerPort")?).map(|port| (port, port)),
        },
        _ => port("hostPort")?.map(|port| (port, port)),
    };
    if let Some((first, last)) = first_last {
        ports.extend((first..=last).map(|port| HostPort { port, protocol }));
    }
    Ok(())
}

fn range_of(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (port_number(first)?, port_number(last)?);
    (first <= last).then_some((first, last))
}

fn field(path: &str, what: impl Into<String>) -> ShapeError {
    ShapeError::Field { path: path.to_owned(), what: what.into() }
}

/// A count, written as a number or as text.
fn count(value: &Value, path: &str) -> Result<Option<u32>, ShapeError> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    read.map(Some).ok_or_else(|| field(path, format!("expected a count, found {value}")))
}

/// CPU or memory of the whole task: a count, or a number of larger units, as `1 vCPU` and `0.5GB`.
fn amount(value: &Value, path: &str, unit: &str, scale: f64) -> Result<Option<u32>, ShapeError> {
    if let Value::String(text) = value {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(number) = text.strip_suffix(unit) {
            let number: Option<f64> = number.trim().parse().ok().filter(|number: &f64| (0.0..4e6).contains(number));
            let number = number.ok_or_else(|| field(path, format!("expected an amount, found {value}")))?;
            return Ok(Some((number * scale) as u32));
        }
    }
    count(value, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(json: &str) -> TaskShape {
        TaskShape::read(json.as_bytes()).unwrap()
    }

    fn ports(shape: &TaskShape) -> Vec<String> {
        shape.ports.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_task_itself_reserves_comes_before_what_its_containers_do() {
        let containers = r#"[{"cpu":256,"memory":512,"memoryReservation":128},{"cpu":10,"memory":64},{"memoryReservation":0,"memory":8}]"#;
        let found = shape(&format!(r#"{{"taskDefinition":{{"family":"api","containerDefinitions":{containers}}}}}"#));
        assert_eq!((found.family.as_str(), found.cpu_units, found.memory_mib), ("api", 266, 200));
        let found = shape(&format!(r#"{{"cpu":"1024","memory":"2 GB","containerDefinitions":{containers}}}"#));
        assert_eq!((found.cpu_units, found.memory_mib), (1_024, 2_048));
        let found = shape(&format!(r#"{{"cpu":".5 vCPU","memory":"","containerDefinitions":{containers}}}"#));
        assert_eq!((found.cpu_units, found.memory_mib), (512, 200));
    }

    #[test]
    fn ports_are_taken_by_network_mode() {
        let of = |mode: &str| {
            shape(&format!(
                r#"{{{mode}"containerDefinitions":[{{"portMappings":[{{"containerPort":80,"hostPort":8080}},{{"containerPort":53,"protocol":"udp"}},{{"containerPort":9,"hostPort":0}}]}}]}}"#
            ))
        };
        assert_eq!(ports(&of("")), ["8080/tcp"]);
        assert_eq!(ports(&of(r#""networkMode":"bridge","#)), ["8080/tcp"]);
        assert_eq!(ports(&of(r#""networkMode":"host","#)), ["9/tcp", "53/udp", "8080/tcp"]);
        let own = of(r#""networkMode":"awsvpc","#);
        assert!(own.ports.is_empty() && own.awsvpc);
        assert_eq!(own.requires, [Requirement { name: "ecs.capability.task-eni".into(), value: None }]);
        assert!(of(r#""networkMode":"none","#).ports.is_empty());
        let range = shape(
            r#"{"networkMode":"host","containerDefinitions":[{"portMappings":[{"containerPortRange":"7000-7002"}]}]}"#,
        );
        assert_eq!(ports(&range), ["7000/tcp", "7001/tcp", "7002/tcp"]);
    }

    #[test]
    fn gpus_requirements_constraints_and_the_platform_are_read() {
        let found = shape(
            r#"{"taskDefinition":{"networkMode":"awsvpc","containerDefinitions":[{"resourceRequirements":[{"type":"GPU","value":"2"},{"type":"InferenceAccelerator","value":"x"}]}],
            "requiresAttributes":[{"name":"com.amazonaws.ecs.capability.ecr-auth"},{"name":"ecs.os-type","value":"linux"}],
            "placementConstraints":[{"type":"memberOf","expression":"attribute:stack == blue"}],"compatibilities":["EC2"],
            "runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"LINUX"}}}"#,
        );
        assert_eq!((found.gpus, found.requires.len(), found.constraints.len()), (2, 2, 1));
        assert_eq!(found.requires[1].value.as_deref(), Some("linux"));
        assert_eq!((found.os_family.as_deref(), found.cpu_architecture.as_deref()), (Some("LINUX"), Some("ARM64")));
        assert_eq!(found.compatibilities, ["EC2"]);
    }

    #[test]
    fn what_is_no_task_definition_is_refused_with_the_place() {
        for (json, what) in [
            ("{", "not JSON"),
            ("[]", "no task definition"),
            (r#"{"services":[]}"#, "no task definition"),
            (r#"{"containerDefinitions":[{"memory":"lots"}]}"#, "containerDefinitions[0].memory: expected a count"),
            (r#"{"containerDefinitions":[{"cpu":-1}]}"#, "containerDefinitions[0].cpu"),
            (r#"{"cpu":"a vcpu","containerDefinitions":[]}"#, "cpu: expected an amount"),
            (
                r#"{"containerDefinitions":[{"portMappings":[{"hostPort":70000}]}]}"#,
                "containerDefinitions[0].portMappings: 70000 is no port",
            ),
            (
                r#"{"containerDefinitions":[],"placementConstraints":[{"type":"memberOf","expression":"attribute:x = y"}]}"#,
                "did you mean `==`?",
            ),
        ] {
            let fault = TaskShape::read(json.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(what), "{json}: {fault}");
        }
    }
}
