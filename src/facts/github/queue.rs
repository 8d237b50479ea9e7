//! Which pull requests a merge queue has put together.

use super::client::{Client, parts};
use super::fault::Fault;
use super::gather::pull;
use super::shapes::Listed;
use super::{Made, Objects, Question};
use std::collections::{BTreeMap, BTreeSet};

/// The pull requests of a group. Names, messages and the forge's own memory of commits only suggest which: what they
/// suggest counts if merging their heads one after another gives exactly what is judged.
pub(super) async fn numbers(
    question: &Question,
    client: &Client,
    objects: &dyn Objects,
    branch: &str,
    name: Option<&str>,
) -> Result<BTreeSet<u64>, Fault> {
    let Question { repository, base, head, .. } = question;
    let commits = objects.commits(base, head).map_err(Fault::Local)?;
    let by_id: BTreeMap<&str, &Made> = commits.iter().map(|made| (made.id.as_str(), made)).collect();
    let mut suggested: BTreeSet<u64> = name.and_then(last_of).into_iter().collect();
    // What the queue made is a chain of first parents; what it merged is beside it.
    let mut at = by_id.get(head.as_str()).copied();
    while let Some(made) = at {
        suggested.extend(&made.numbers);
        for id in std::iter::once(&made.id).chain(made.parents.iter().skip(1)) {
            let path = format!("/repos/{}/commits/{id}/pulls", parts(repository));
            let listed: Vec<Listed> = client.list(&path, |item: &Listed| Some(item.number.to_string())).await?;
            suggested.extend(listed.iter().filter(|item| item.base.branch == branch).map(|item| item.number));
        }
        at = made.parents.first().and_then(|parent| by_id.get(parent.as_str()).copied());
    }
    let mut heads = BTreeMap::new();
    for number in suggested {
        match pull(client, repository, number).await {
            Ok(pull) => {
                heads.insert(number, pull.head.sha.0);
            }
            // Anybody can write any number into a message.
            Err(Fault::Status(404)) => {}
            Err(fault) => return Err(fault),
        }
    }
    let numbers = objects.queued(base, head, &heads).map_err(Fault::Local)?;
    if numbers.is_empty() { Err(Fault::Local("the group holds no pull request".to_owned())) } else { Ok(numbers) }
}

/// The number in `gh-readonly-queue/main/pr-12-6dcb09b5…`.
fn last_of(name: &str) -> Option<u64> {
    let (_, last) = name.rsplit_once("/pr-")?;
    last.split('-').next()?.parse().ok()
}
