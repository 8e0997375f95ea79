//! Which log groups a query reads: those of the request, or those that its SOURCE names.

use insights::ast::{Source, SourceKind, Tag};

use crate::logs::{Asking, error::ApiError, names, port::Class, request};

/// Groups that a request may name.
const NAMED_MAX: usize = 50;
/// Groups that SOURCE may find.
const FOUND_MAX: usize = 10_000;

pub(super) async fn of(asking: &Asking<'_>, source: Option<&Source>, failed_id: &str) -> Result<Vec<String>, ApiError> {
    let body = asking.body;
    let one = request::text(body, "logGroupName")?;
    let many = request::texts(body, "logGroupNames")?;
    let identifiers = request::texts(body, "logGroupIdentifiers")?;
    let ways = [one.is_some(), !many.is_empty(), !identifiers.is_empty()].iter().filter(|given| **given).count();
    match (source, ways) {
        (Some(source), 0) => sought(asking, source, failed_id).await,
        (Some(_), _) => {
            Err(ApiError::invalid("The query names its log groups by SOURCE: leave those of the request out."))
        }
        (None, 1) => {
            let given = one.map(str::to_owned).into_iter().chain(many);
            let named: Vec<String> = given.chain(identifiers.iter().map(|it| names::of_arn(it).to_owned())).collect();
            if named.len() > NAMED_MAX {
                let rule = format!("Member must have length less than or equal to {NAMED_MAX}");
                return Err(ApiError::constraint(&format!("[{} names]", named.len()), "logGroupNames", &rule));
            }
            known(asking, named, failed_id).await
        }
        (None, 0) => Err(ApiError::invalid(
            "Name the log groups by logGroupName, logGroupNames or logGroupIdentifiers, or in the query by SOURCE.",
        )),
        (None, _) => {
            Err(ApiError::invalid("Only one of logGroupName, logGroupNames and logGroupIdentifiers can be given."))
        }
    }
}

/// These groups, each once; all of them have to exist.
async fn known(asking: &Asking<'_>, named: Vec<String>, failed_id: &str) -> Result<Vec<String>, ApiError> {
    let mut found: Vec<String> = Vec::new();
    for name in named {
        let name = names::of_arn(&name).to_owned();
        names::check_group(&name, "logGroupName")?;
        if asking.api.logs.group(&name).await.is_err() {
            return Err(ApiError::no_group_to_query(&name, &asking.api.account, failed_id));
        }
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

async fn sought(asking: &Asking<'_>, source: &Source, failed_id: &str) -> Result<Vec<String>, ApiError> {
    let mut all = match &source.kind {
        SourceKind::Groups(named) => return known(asking, named.clone(), failed_id).await,
        SourceKind::DataSources(_) => {
            return Err(ApiError::invalid(
                "SOURCE dataSource(…) names sources of AWS that muster does not have: name log groups",
            ));
        }
        SourceKind::Matching { .. } | SourceKind::Tagged(_) => asking.api.logs.groups(None).await?,
    };
    match &source.kind {
        SourceKind::Matching { name_prefixes, accounts, classes } => {
            let classes: Vec<Class> = classes.iter().filter_map(|word| Class::parse(word)).collect();
            let here = accounts.is_empty() || accounts.iter().any(|account| **account == *asking.api.account);
            all.retain(|group| {
                here && (name_prefixes.is_empty() || name_prefixes.iter().any(|prefix| group.name.starts_with(prefix)))
                    && (classes.is_empty() || classes.contains(&group.class))
            });
        }
        SourceKind::Tagged(tags) => all.retain(|group| {
            asking.api.kept.look(|held| {
                let has = held.tags.get(&group.name);
                tags.iter().all(|tag| fits(tag, has.and_then(|has| has.get(&tag.key)).map(String::as_str)))
            })
        }),
        SourceKind::Groups(_) | SourceKind::DataSources(_) => {}
    }
    if all.len() > FOUND_MAX {
        return Err(ApiError::limit(format!(
            "SOURCE finds {} log groups; a query reads {FOUND_MAX} at most",
            all.len()
        )));
    }
    Ok(all.into_iter().map(|group| group.name).collect())
}

/// Whether a group with this value of the tag is meant: a value may end in `*`, and `!` before it means any other.
fn fits(tag: &Tag, has: Option<&str>) -> bool {
    let means = |wanted: &str| match wanted.strip_suffix('*') {
        Some(prefix) => has.is_some_and(|has| has.starts_with(prefix)),
        None => has == Some(wanted),
    };
    tag.values.iter().any(|wanted| match wanted.strip_prefix('!') {
        Some(other) => !means(other),
        None => means(wanted),
    })
}
