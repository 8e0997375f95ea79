//! EC2: what machines of a type can have, how many addresses subnets have left, and the network interfaces that are
//! attached to machines. Asked for when somebody wants to know what room there is.

use std::collections::BTreeSet;

use engine::ports::{
    Observation, Scope, Sweep,
    observation::{Fact, InstanceTypeFact, InterfacesFact, Source, SubnetFact},
};
use jiff::Timestamp;
use wire::{query::Params, xml::Element};

use crate::{
    accounts::Place,
    cloud::AwsCloud,
    ec2::{DESCRIBE_INSTANCES, VERSION},
    pages::Pages,
    refusal::Refusal,
    told::NotRead,
};

pub(crate) const DESCRIBE_TYPES: &str = "ec2:DescribeInstanceTypes";
pub(crate) const DESCRIBE_SUBNETS: &str = "ec2:DescribeSubnets";

/// Names or ids that one call takes.
const PER_CALL: usize = 100;
/// How often unknown types are taken out of a request before it is given up.
const MOST_REMOVALS: usize = 4;

/// What room there is besides what hosts say themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Instance types whose limits are wanted.
    pub types: BTreeSet<String>,
    /// Subnets whose free addresses are wanted.
    pub subnets: BTreeSet<String>,
    /// EC2 instances whose attached interfaces are wanted.
    pub machines: BTreeSet<String>,
    /// The free addresses of all subnets of the machines' networks are wanted as well.
    pub subnets_of_machines: bool,
}

impl AwsCloud {
    /// Asks EC2, in the account and region of a cluster (ARN). What could not be read is told beside what could.
    pub async fn supply(&self, cluster: &str, wanted: &Wanted) -> (Option<Sweep<'static>>, Vec<NotRead>) {
        let place = match self.place_for(cluster) {
            Ok(place) => place,
            Err(error) => return (None, vec![error]),
        };
        let started_at = Timestamp::now();
        let (mut facts, mut failed) = (Vec::new(), Vec::new());
        let mut note = |read: Result<Vec<Fact<'static>>, Refusal>, action: &str| match read {
            Ok(found) => facts.extend(found),
            Err(refusal) => failed.push(NotRead::of(&refusal, action, &place.words())),
        };
        note(place.instance_types(&wanted.types).await, DESCRIBE_TYPES);
        let mut networks = BTreeSet::new();
        note(place.interfaces(&wanted.machines, &mut networks).await, DESCRIBE_INSTANCES);
        note(place.subnets("subnet-id", &wanted.subnets).await, DESCRIBE_SUBNETS);
        if wanted.subnets_of_machines {
            note(place.subnets("vpc-id", &networks).await, DESCRIBE_SUBNETS);
        }
        let at = Timestamp::now();
        let found = facts.into_iter().map(|fact| Observation { at, source: Source::Look, fact }).collect();
        let scope = Scope::Machines(place.name().into());
        (Some(Sweep { scope, started_at, found, unchanged: 0, complete: false, absent: Vec::new() }), failed)
    }
}

impl Place {
    /// What machines of these types can have. EC2 refuses a request for a type that it does not know here, and names it:
    /// taken out, the rest is asked again.
    pub(crate) async fn instance_types(&self, names: &BTreeSet<String>) -> Result<Vec<Fact<'static>>, Refusal> {
        let names: Vec<&String> = names.iter().collect();
        let mut found = Vec::new();
        for chunk in names.chunks(PER_CALL) {
            let mut names: Vec<String> = chunk.iter().map(|name| (*name).clone()).collect();
            for tries_left in (0..MOST_REMOVALS).rev() {
                if names.is_empty() {
                    break;
                }
                let mut params = Params::new("DescribeInstanceTypes", VERSION);
                params.push_ec2_list("InstanceType", &names);
                match self.ec2_call(DESCRIBE_TYPES, &params).await {
                    Ok(answer) => {
                        found.extend(list(&answer, "instanceTypeSet", "instance types")?.filter_map(type_fact));
                        break;
                    }
                    Err(refusal) => {
                        let before = names.len();
                        names.retain(|name| !complains_of(&refusal, name));
                        if names.len() == before || tries_left == 0 {
                            return Err(refusal);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// The subnets whose id, or whose network's id, is one of these. Those that do not exist are left out.
    pub(crate) async fn subnets(&self, filter: &str, ids: &BTreeSet<String>) -> Result<Vec<Fact<'static>>, Refusal> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut found = Vec::new();
        for chunk in ids.chunks(PER_CALL) {
            let mut pages = Pages::default();
            loop {
                let mut params = Params::new("DescribeSubnets", VERSION);
                params.push("Filter.1.Name", filter);
                params.push_ec2_list("Filter.1.Value", chunk);
                if let Some(token) = &pages.token() {
                    params.push("NextToken", token);
                }
                let answer = self.ec2_call(DESCRIBE_SUBNETS, &params).await?;
                found.extend(list(&answer, "subnetSet", "subnets")?.filter_map(subnet_fact));
                if !pages.go_on(answer.text_at("nextToken").filter(|it| !it.is_empty()).map(str::to_owned))? {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// The interfaces attached to these machines, and the networks that these are in.
    pub(crate) async fn interfaces(
        &self,
        ids: &BTreeSet<String>,
        networks: &mut BTreeSet<String>,
    ) -> Result<Vec<Fact<'static>>, Refusal> {
        let ids: Vec<&String> = ids.iter().collect();
        let mut found = Vec::new();
        for chunk in ids.chunks(PER_CALL) {
            let mut params = Params::new("DescribeInstances", VERSION);
            // A filter, unlike a list of ids, says nothing of ids that do not exist.
            params.push("Filter.1.Name", "instance-id");
            params.push_ec2_list("Filter.1.Value", chunk);
            let answer = self.ec2_call(DESCRIBE_INSTANCES, &params).await?;
            let instances = list(&answer, "reservationSet", "machines")?.flat_map(|it| it.items("instancesSet"));
            for instance in instances {
                networks.extend(instance.text_at("vpcId").map(str::to_owned));
                found.extend(interfaces_fact(instance));
            }
        }
        Ok(found)
    }
}

/// A list that EC2 always sends, if only an empty one.
fn list<'e>(answer: &'e Element, name: &'e str, what: &str) -> Result<impl Iterator<Item = &'e Element>, Refusal> {
    match answer.child(name) {
        Some(_) => Ok(answer.items(name)),
        None => Err(Refusal::Nonsense { status: 200, looks_like: format!("no list of {what}") }),
    }
}

/// Whether an InvalidInstanceType error names this type. One that is named as a part of another's name is not.
fn complains_of(refusal: &Refusal, name: &str) -> bool {
    match refusal {
        Refusal::Service { code, message, .. } if code.starts_with("InvalidInstanceType") => message
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
            .any(|word| word.trim_end_matches('.') == name),
        _ => false,
    }
}

fn number(element: &Element, path: &str) -> Option<u32> {
    element.text_at(path)?.parse().ok()
}

fn type_fact(item: &Element) -> Option<Fact<'static>> {
    let network = item.child("networkInfo");
    let mut cards: Vec<(u32, u32)> = network
        .into_iter()
        .flat_map(|network| network.items("networkCards"))
        .filter_map(|card| Some((number(card, "networkCardIndex")?, number(card, "maximumNetworkInterfaces")?)))
        .collect();
    cards.sort_unstable();
    let gpus = item.child("gpuInfo").into_iter().flat_map(|gpus| gpus.items("gpus"));
    Some(Fact::InstanceType(InstanceTypeFact {
        name: item.text_at("instanceType")?.to_owned().into(),
        // A type whose limit is not told has none that is known.
        max_interfaces: number(item, "networkInfo/maximumNetworkInterfaces").unwrap_or(0),
        cards: cards.into_iter().map(|(_, most)| most).collect(),
        vcpus: number(item, "vCpuInfo/defaultVCpus"),
        memory_mib: number(item, "memoryInfo/sizeInMiB"),
        gpus: gpus.filter_map(|gpu| number(gpu, "count")).fold(0, u32::saturating_add),
    }))
}

fn subnet_fact(item: &Element) -> Option<Fact<'static>> {
    Some(Fact::Subnet(SubnetFact {
        id: item.text_at("subnetId")?.to_owned().into(),
        zone: item.text_at("availabilityZone")?.to_owned().into(),
        free_addresses: number(item, "availableIpAddressCount")?,
    }))
}

/// A machine that is over has no interfaces, and says nothing.
fn interfaces_fact(instance: &Element) -> Option<Fact<'static>> {
    let id = instance.text_at("instanceId")?;
    instance.child("networkInterfaceSet")?;
    let held = instance
        .items("networkInterfaceSet")
        .filter(|interface| interface.text_at("attachment/status").is_none_or(|status| status != "detached"));
    let (mut attached, mut on_first_card) = (0, 0);
    for interface in held {
        attached += 1;
        on_first_card += u32::from(number(interface, "attachment/networkCardIndex").unwrap_or(0) == 0);
    }
    (attached > 0)
        .then(|| Fact::Interfaces(InterfacesFact { instance_id: id.to_owned().into(), attached, on_first_card }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Element {
        Element::parse(xml.as_bytes()).unwrap()
    }

    #[test]
    fn a_type_is_read_with_its_cards_in_their_order_and_its_gpus_added_up() {
        let item = read(
            "<item><instanceType>p9.big</instanceType><vCpuInfo><defaultVCpus>96</defaultVCpus></vCpuInfo>\
             <memoryInfo><sizeInMiB>1000</sizeInMiB></memoryInfo>\
             <gpuInfo><gpus><item><count>4</count></item><item><count>2</count></item></gpus></gpuInfo>\
             <networkInfo><maximumNetworkInterfaces>6</maximumNetworkInterfaces><networkCards>\
             <item><networkCardIndex>1</networkCardIndex><maximumNetworkInterfaces>2</maximumNetworkInterfaces></item>\
             <item><networkCardIndex>0</networkCardIndex><maximumNetworkInterfaces>4</maximumNetworkInterfaces></item>\
             </networkCards></networkInfo></item>",
        );
        let Some(Fact::InstanceType(fact)) = type_fact(&item) else { panic!() };
        assert_eq!((fact.max_interfaces, fact.cards, fact.gpus), (6, vec![4, 2], 6));
        assert_eq!((fact.vcpus, fact.memory_mib), (Some(96), Some(1_000)));
        let Some(Fact::InstanceType(fact)) = type_fact(&read("<item><instanceType>x</instanceType></item>")) else {
            panic!()
        };
        assert_eq!((fact.max_interfaces, fact.vcpus), (0, None));
    }

    #[test]
    fn interfaces_being_attached_count_and_detached_ones_do_not() {
        let interface = |status: &str, card: u32| {
            format!(
                "<item><attachment><status>{status}</status><networkCardIndex>{card}</networkCardIndex></attachment></item>"
            )
        };
        let set: String = [("attached", 0), ("attaching", 0), ("detaching", 1), ("detached", 0)]
            .map(|(status, card)| interface(status, card))
            .concat();
        let text = format!("<item><instanceId>i-1</instanceId><networkInterfaceSet>{set}</networkInterfaceSet></item>");
        let Some(Fact::Interfaces(fact)) = interfaces_fact(&read(&text)) else { panic!() };
        assert_eq!((fact.attached, fact.on_first_card), (3, 2));
        assert_eq!(interfaces_fact(&read("<item><instanceId>i-1</instanceId></item>")), None);
    }

    #[test]
    fn the_types_that_ec2_does_not_know_are_read_from_its_words() {
        let refusal = Refusal::Service {
            code: "InvalidInstanceType".into(),
            message: "The following supplied instance types do not exist: [q9z.large, m9i.nano].".into(),
            status: 400,
        };
        assert!(complains_of(&refusal, "q9z.large") && complains_of(&refusal, "m9i.nano"));
        assert!(!complains_of(&refusal, "q9z.larg") && !complains_of(&Refusal::TimedOut, "q9z.large"));
    }
}
