//! From a file to a world with a story.

use toml::Spanned;

use super::{Mistake, Scenario, file, plan, wanted, words};
use crate::{
    clock::Moment,
    simulation::Simulation,
    world::{
        Adjustment, Boots, ClusterId, KindId, ManagedScaling, Outfit, PlaceId, Platform, Policy, PolicyKind, ServiceId,
        Strategy, TemplateId, World, kind,
    },
};

/// The agent version of a fleet that is up to date.
const AGENT: &str = "1.105.1";

impl Scenario {
    pub(super) fn furnish(&self, seed: u64) -> Result<Simulation, Mistake> {
        self.furnish_at(seed, None)
    }

    pub(super) fn furnish_at(&self, seed: u64, start: Option<Moment>) -> Result<Simulation, Mistake> {
        let file = &self.file;
        let start = match (start, &file.start) {
            (Some(start), _) => start,
            (None, None) => Moment::DEFAULT_START,
            (None, Some(text)) => {
                let parsed: jiff::Timestamp = text.get_ref().parse().map_err(|_| Mistake {
                    span: text.span(),
                    what: format!("`{}` is no time: write 2026-10-02T08:00:00Z", text.get_ref()),
                })?;
                Moment(parsed.as_millisecond())
            }
        };
        let mut world = World::new(seed, start);
        world.silent = true;
        self.set_habits(&mut world)?;
        world.add_place(&file.account, &file.region, file.zones);
        for cluster in &file.cluster {
            add_cluster(&mut world, file, cluster)?;
        }
        for subnet in &file.subnet {
            fill_subnet(&mut world, subnet)?;
        }
        world.silent = false;
        let timeline = plan::timeline(file, &world, start)?;
        let ends = start.plus(words::duration(&file.lasts)?);
        Ok(Simulation::new(seed, world, file.faults.clone(), timeline, ends))
    }

    fn set_habits(&self, world: &mut World) -> Result<(), Mistake> {
        let habits = &self.file.habits;
        let pair = |text: &Option<Spanned<[String; 2]>>, held: &mut (i64, i64)| -> Result<(), Mistake> {
            if let Some(text) = text {
                let [from, to] = text.get_ref();
                let read = |word: &String| words::duration(&Spanned::new(text.span(), word.clone()));
                *held = (read(from)?, read(to)?);
            }
            Ok(())
        };
        pair(&habits.recycle, &mut world.habits.recycle_ms)?;
        pair(&habits.gap, &mut world.habits.gap_ms)?;
        pair(&habits.boot, &mut world.habits.boot_ms)?;
        if let Some(threshold) = &habits.connectivity_threshold {
            world.habits.connectivity_threshold_ms = words::duration(threshold)?;
        }
        world.habits.zone_spread = habits.zone_spread;
        Ok(())
    }
}

fn add_cluster(world: &mut World, file: &file::File, cluster: &file::Cluster) -> Result<(), Mistake> {
    let account = cluster.account.as_deref().unwrap_or(&file.account);
    let region = cluster.region.as_deref().unwrap_or(&file.region);
    let place = match world.find_place(account, region) {
        Some(place) => place,
        None => world.add_place(account, region, file.zones),
    };
    let Some(spanned) = cluster.name.as_ref().filter(|name| !name.get_ref().is_empty()) else {
        let span = cluster.name.as_ref().map_or(0..0, Spanned::span);
        return Err(Mistake { span, what: "a cluster needs a name: `name = \"prod-a\"`".into() });
    };
    let name = spanned.get_ref();
    if world.find_cluster(place, name).is_some() {
        return Err(Mistake { span: spanned.span(), what: format!("there is a cluster `{name}` already") });
    }
    let id = world.add_cluster(place, name);
    world.clusters[id.index()].trunking = cluster.trunking;
    world.clusters[id.index()].without_ssm = cluster.without_ssm;
    world.clusters[id.index()].host_attributes = wanted::attributes(&cluster.attributes);
    world.clusters[id.index()].host_tags = cluster.host_tags.clone().into_iter().collect();
    world.clusters[id.index()].tags = cluster.tags.clone().into_iter().collect();
    if cluster.hosts > 0 {
        let own = file::Group {
            name: name.clone(),
            hosts: cluster.hosts,
            types: cluster.types.clone(),
            agent: cluster.agent.clone(),
            ..file::Group::default()
        };
        add_group(world, place, id, &own)?;
    }
    for group in &cluster.group {
        add_group(world, place, id, group)?;
    }
    let kinds = kinds(&cluster.types)?;
    if cluster.lone_hosts > 0 {
        let template = template(world, place, &format!("{name}-by-hand"), cluster.agent.as_deref());
        let zones = world.place(place).map_or(1, |place| place.zones.len() as u32);
        for number in 0..cluster.lone_hosts {
            world.add_lone_host(id, (number % zones) as u8, kinds[number as usize % kinds.len()], template);
        }
    }
    for _ in 0..cluster.external {
        world.add_external_host(id);
    }
    for service in &cluster.service {
        let definition = world.register_definition(wanted::definition(place, service)?);
        let strategy = if service.daemon { Strategy::Daemon } else { Strategy::Replica };
        let placement = wanted::placement(world, id, service)?;
        let service_id = world.add_placed_service(id, &service.name, strategy, service.tasks, definition, placement);
        world.set_churn(service_id, service.churn_per_hour);
        set_service(world, service_id, service)?;
    }
    if cluster.standalone > 0 {
        let definition = world.add_definition(place, "batch", 128, 256, false);
        for number in 0..cluster.standalone {
            if !world.add_standalone_task(id, definition) {
                let what = format!("there is room for {number} standalone tasks, not for {}", cluster.standalone);
                return Err(Mistake { span: spanned.span(), what });
            }
        }
    }
    Ok(())
}

fn fill_subnet(world: &mut World, subnet: &file::Subnet) -> Result<(), Mistake> {
    let Some(name) = &subnet.zone else {
        return Err(Mistake { span: 0..0, what: "a subnet needs a zone: `zone = \"eu-central-1a\"`".into() });
    };
    let (place, zone) = words::zone(world, name)?;
    world.leave_addresses(place, zone, subnet.free);
    Ok(())
}

fn set_service(world: &mut World, id: ServiceId, service: &file::Service) -> Result<(), Mistake> {
    let Some(held) = world.services.get_mut(id.index()) else { return Ok(()) };
    held.protected = service.protected;
    held.minimum_healthy_percent = service.minimum_percent.unwrap_or(held.minimum_healthy_percent);
    if let Some(percent) = &service.maximum_percent {
        held.maximum_percent = *percent.get_ref();
        if held.maximum_percent < 100 {
            let what = "maximum-percent is 100 or more: a service may always have all of its tasks".to_owned();
            return Err(Mistake { span: percent.span(), what });
        }
    }
    if let Some(text) = &service.deactivating {
        held.deactivating_ms = words::duration(text)?;
    }
    Ok(())
}

fn add_group(world: &mut World, place: PlaceId, cluster: ClusterId, group: &file::Group) -> Result<(), Mistake> {
    let kinds = kinds(&group.types)?;
    let template = template(world, place, &group.name, group.agent.as_deref());
    let id = world.add_group(cluster, &group.name, &kinds, template, group.hosts, group.spot);
    let held = &mut world.groups[id.index()];
    held.min = group.min;
    if let Some(max) = &group.max {
        held.max = *max.get_ref();
    }
    if held.min > group.hosts || held.max < group.hosts {
        let span = group.max.as_ref().map_or(0..0, Spanned::span);
        let what = format!("the group `{}` begins with {} hosts: `min` and `max` must let it", group.name, group.hosts);
        return Err(Mistake { span, what });
    }
    held.managed_draining = group.managed_draining;
    for process in &group.suspended {
        held.suspended.push(words::process(process)?);
    }
    if let Some(hook) = &group.terminate_hook {
        held.terminate_hook_ms = words::duration(hook)?;
    }
    let policies = group.policy.iter().map(|policy| Policy {
        name: policy.name.clone(),
        kind: PolicyKind::Simple { change: Adjustment::By(policy.change), cooldown_secs: policy.cooldown_secs },
    });
    held.policies = policies.collect();
    held.protects_new = group.protected;
    held.ecs_managed = !matches!(group.managed_scaling, Some(file::Managed::Named(false)));
    if let Some(file::Managed::Scales(scaling)) = &group.managed_scaling {
        let provider = world.clusters[cluster.index()].capacity_providers.iter_mut().find(|held| held.group == id);
        if let Some(provider) = provider {
            provider.scaling = Some(ManagedScaling {
                target_percent: scaling.target,
                least: scaling.least,
                most: scaling.most,
                warmup_secs: scaling.warmup_secs,
            });
        }
    }
    let platform = match &group.platform {
        None => Platform::Linux,
        Some(word) => words::platform(word)?,
    };
    let attributes = wanted::attributes(&group.attributes);
    world.outfit(id, Outfit { platform, attributes, trunking: group.trunking, extra_enis: group.extra_interfaces });
    Ok(())
}

fn template(world: &mut World, place: PlaceId, name: &str, agent: Option<&str>) -> TemplateId {
    world.add_template(place, name, agent.unwrap_or(AGENT), Boots::Well)
}

fn kinds(types: &[Spanned<String>]) -> Result<Vec<KindId>, Mistake> {
    if types.is_empty() {
        return Ok(vec![KindId(0)]);
    }
    let find = |name: &Spanned<String>| {
        kind::find(name.get_ref()).ok_or_else(|| {
            let names: Vec<&str> =
                kind::KINDS.iter().map(|kind| kind.name).filter(|name| *name != "external").collect();
            words::unknown(name.span(), "instance type", name.get_ref(), &names)
        })
    };
    types.iter().map(find).collect()
}
