//! Queries that have a name: what people ask of performance records and logs first.

use clap::builder::PossibleValuesParser;

/// A query that has a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) text: &'static str,
}

/// All of them.
pub(super) const ALL: &[Saved] = &[
    Saved {
        name: "cpu-by-family",
        says: "CPU units that tasks of each family use, the hungriest first",
        text: "filter Type = \"Task\" | stats avg(CpuUtilized) as avg_cpu_units by TaskDefinitionFamily \
               | sort avg_cpu_units desc",
    },
    Saved {
        name: "hosts-by-cluster",
        says: "hosts that run tasks, by cluster",
        text: "filter Type = \"Cluster\" | stats avg(ContainerInstanceCount) as hosts by ClusterName | sort hosts desc",
    },
    Saved {
        name: "running-by-service",
        says: "running tasks, by service",
        text: "filter Type = \"Service\" | stats avg(RunningTaskCount) as running by ClusterName, ServiceName \
               | sort running desc",
    },
    Saved {
        name: "missing-tasks",
        says: "services with fewer running tasks than they want, the emptiest first",
        text: "filter Type = \"Service\" \
               | stats latest(DesiredTaskCount) as desired, latest(RunningTaskCount) as running, \
               desired - running as missing by ClusterName, ServiceName \
               | filter missing > 0 | sort missing desc",
    },
    Saved {
        name: "issues",
        says: "how many messages tell of an ISSUE, as scripts on hosts write it",
        text: "filter @message like \"ISSUE\" | stats count(*) as issues by bin(1h) as hour | sort hour",
    },
];

/// The query of a name.
pub(super) fn named(name: &str) -> Option<&'static Saved> {
    ALL.iter().find(|saved| saved.name == name)
}

/// Their names, as an option takes them.
pub(super) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|saved| saved.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_a_query() {
        for saved in ALL {
            let checked = insights::compile(saved.text, &insights::rules::Rules::default());
            assert!(checked.is_ok(), "{}: {:?}", saved.name, checked.err());
        }
    }
}
