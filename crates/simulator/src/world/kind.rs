//! Instance types the pretend account knows, with their ENI limits (EC2 DescribeInstanceTypes; trunking limits of the
//! ECS documentation).

use super::id::KindId;

/// An instance type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// `m6i.large`.
    pub name: &'static str,
    /// CPU units: 1024 a vCPU.
    pub cpu: i32,
    /// MEMORY that the agent registers, in MiB: less than nominal.
    pub memory_mib: i32,
    /// Network interfaces, the primary one included.
    pub max_enis: u8,
    /// Branch interfaces under a trunk; `None` without trunking.
    pub branch_enis: Option<u8>,
    /// GPUs.
    pub gpus: u8,
    /// Network cards; the interfaces are shared out among them.
    pub cards: u8,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
}

const fn kind(name: &'static str, vcpus: i32, memory_mib: i32, max_enis: u8, branch_enis: u8) -> Kind {
    Kind {
        name,
        cpu: vcpus * 1024,
        memory_mib,
        max_enis,
        branch_enis: if branch_enis == 0 { None } else { Some(branch_enis) },
        gpus: 0,
        cards: 1,
        architecture: "x86_64",
    }
}

const fn arm(kind: Kind) -> Kind {
    Kind { architecture: "arm64", ..kind }
}

/// The catalogue.
pub const KINDS: &[Kind] = &[
    kind("m6i.large", 2, 7_680, 3, 9),
    kind("m6i.xlarge", 4, 15_680, 4, 18),
    kind("m6i.2xlarge", 8, 31_600, 4, 38),
    kind("m6i.4xlarge", 16, 63_400, 8, 54),
    kind("m5.large", 2, 7_600, 3, 9),
    kind("m5.xlarge", 4, 15_560, 4, 18),
    kind("m7i.large", 2, 7_700, 3, 9),
    kind("c5.large", 2, 3_700, 3, 9),
    kind("c6i.large", 2, 3_720, 3, 9),
    kind("c6i.2xlarge", 8, 15_600, 4, 38),
    kind("r6i.large", 2, 15_500, 3, 9),
    kind("r6i.xlarge", 4, 31_400, 4, 18),
    kind("t3.medium", 2, 3_820, 3, 0),
    kind("t3.large", 2, 7_760, 3, 0),
    arm(kind("m7g.large", 2, 7_650, 3, 9)),
    arm(kind("c7g.xlarge", 4, 7_580, 4, 18)),
    Kind { gpus: 1, ..kind("g4dn.xlarge", 4, 15_500, 3, 0) },
    Kind { gpus: 4, ..kind("g4dn.12xlarge", 48, 189_000, 8, 0) },
    Kind { gpus: 1, ..kind("g5.xlarge", 4, 15_400, 4, 4) },
    Kind { gpus: 8, cards: 4, ..kind("p4d.24xlarge", 96, 1_140_000, 60, 62) },
    // Types that no table lists: new ones, and one whose limits make no sense.
    kind("q9z.large", 2, 7_600, 5, 11),
    kind("q9z.nano", 1, 400, 1, 0),
    kind("n0n.sense", 0, 0, 0, 1),
    // An external host has no EC2 type; what its agent registers is what the box has.
    kind("external", 4, 15_800, 0, 0),
];

/// The position of the entry that stands for external hosts.
pub const EXTERNAL: KindId = KindId(KINDS.len() as u32 - 1);

/// Finds a type by name; `external` is not one.
pub fn find(name: &str) -> Option<KindId> {
    let position = KINDS.iter().position(|kind| kind.name == name)?;
    let id = KindId(position as u32);
    (id != EXTERNAL).then_some(id)
}

impl KindId {
    /// The entry of the catalogue.
    pub fn get(self) -> &'static Kind {
        KINDS.get(self.index()).unwrap_or(&KINDS[0])
    }
}

impl Kind {
    /// How many awsvpc tasks ECS places here: `branch + enis − 2` with a trunk, `enis − 1` without (spec D.1).
    pub fn task_enis(&self, trunk: bool) -> u32 {
        match self.branch_enis {
            Some(branches) if trunk => (u32::from(branches) + u32::from(self.max_enis)).saturating_sub(2),
            _ => u32::from(self.max_enis).saturating_sub(1),
        }
    }

    /// Memory as EC2 names it, in MiB: whole GiB a vCPU, of which the agent registers a little less.
    pub fn nominal_mib(&self) -> i32 {
        let vcpus = self.cpu / 1_024;
        if vcpus == 0 { self.memory_mib } else { (self.memory_mib / vcpus + 1_023) / 1_024 * 1_024 * vcpus }
    }
}
