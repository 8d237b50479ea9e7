//! Lists that come in pages. The addresses of the next pages are made here and only held against what the answer says,
//! so nothing an answer says leads anywhere.

use super::client::Client;
use super::fault::Fault;
use http::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// How many items are asked for at once: the most that GitHub gives.
const PER_PAGE: usize = 100;

impl Client {
    /// Everything that is in a list. `key` tells items apart: the same twice is a fault, and so is an empty page with
    /// another after it. A full page is followed by another request even if nothing is said to come: an answer that lost
    /// its headers on the way is no short list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: impl Fn(&T) -> Option<String>,
    ) -> Result<Vec<T>, Fault> {
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        let mut ended = false;
        for page in 1..=self.limits.pages {
            let answer = self.get(&format!("{path}?per_page={PER_PAGE}&page={page}")).await?;
            let items: Vec<T> = answer.parse()?;
            let next = follows(&answer.headers, &self.api.to_string(), path, page)?;
            match items.len() {
                0 if next => return Err(Fault::Pages(format!("page {page} is empty, and others follow"))),
                0 => return Ok(all),
                _ if ended => return Err(Fault::Pages(format!("page {page} is there, and was not to follow"))),
                more if more > PER_PAGE => return Err(Fault::Pages(format!("page {page} has {more} items"))),
                _ => {}
            }
            let full = items.len() == PER_PAGE;
            for item in items {
                if key(&item).is_some_and(|key| !seen.insert(key)) {
                    return Err(Fault::Pages(format!("page {page} has what was there before")));
                }
                all.push(item);
            }
            ended = !next;
            if ended && !full {
                return Ok(all);
            }
        }
        Err(Fault::Pages(format!("there are more than {}", self.limits.pages)))
    }
}

/// Whether another page follows, which must be the next one of the same list.
fn follows(headers: &HeaderMap, api: &str, own: &str, page: u32) -> Result<bool, Fault> {
    let wrong = |why: &str| Fault::Pages(format!("after page {page}, {why}"));
    let mut next = None;
    for header in headers.get_all(LINK) {
        let text = header.to_str().map_err(|_| wrong("the next is named in no known way"))?;
        for (target, relation) in links(text).ok_or_else(|| wrong("the next is named in no known way"))? {
            if relation == "next" && next.replace(target.to_owned()).is_some_and(|other| other != target) {
                return Err(wrong("there are two next ones"));
            }
        }
    }
    let Some(next) = next else { return Ok(false) };
    let (path, query) = next.split_once('?').ok_or_else(|| wrong("the next has no number"))?;
    if !is_same(api, path, &format!("{api}{own}")) {
        return Err(wrong("the next is of another list"));
    }
    let values = |name: &str| -> Vec<&str> {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
    };
    if values("page") != [(page + 1).to_string().as_str()] {
        return Err(wrong("the next is not the one after it"));
    }
    match values("per_page").as_slice() {
        [] => Ok(true),
        [size] if *size == PER_PAGE.to_string() => Ok(true),
        _ => Err(wrong("the next has another size")),
    }
}

/// The targets of a `Link` header, and what each is (RFC 8288, as far as GitHub uses it).
fn links(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (parameters, others) = after.split_once(",").map_or((after, ""), |(before, others)| (before, others));
        let mut relation = None;
        for parameter in parameters.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.trim() == "rel" {
                relation = Some(value.trim().trim_matches('"'));
            }
        }
        found.push((target, relation?));
        rest = others.trim();
    }
    Some(found)
}

/// Whether two addresses are of the same list. GitHub writes the numbers of repositories and teams in place of their
/// names: `/repositories/1300192/issues`.
fn is_same(api: &str, theirs: &str, own: &str) -> bool {
    let (theirs, own) = (theirs.to_ascii_lowercase(), own.to_ascii_lowercase());
    if theirs == own {
        return true;
    }
    let below = |path: &str| path.strip_prefix(&api.to_ascii_lowercase()).map(str::to_owned);
    let (Some(theirs), Some(own)) = (below(&theirs), below(&own)) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (theirs, own): (Vec<&str>, Vec<&str>) = (theirs.split('/').collect(), own.split('/').collect());
    match (own.as_slice(), theirs.as_slice()) {
        (["", "repos", _, _, own @ ..], ["", "repositories", number, theirs @ ..]) => {
            is_number(number) && own == theirs
        }
        (["", "orgs", _, "teams", _, own @ ..], ["", "organizations", number, "team", team, theirs @ ..]) => {
            is_number(number) && is_number(team) && own == theirs
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "https://git.example.org/api/v3";

    fn next(link: &str) -> Result<bool, String> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().expect("a header"));
        follows(&headers, API, "/repos/acme/net/pulls/7/reviews", 2).map_err(|fault| fault.to_string())
    }

    fn wrong(why: &str) -> Result<bool, String> {
        Err(format!("the pages of the list do not follow one another: after page 2, {why}"))
    }

    #[test]
    fn the_next_page_is_the_next_of_the_same_list() {
        let own = format!("<{API}/repos/acme/net/pulls/7/reviews?per_page=100&page=3>; rel=\"next\"");
        assert_eq!(next(&own), Ok(true));
        assert_eq!(next(&format!("{own}, <{API}/repos/acme/net/pulls/7/reviews?page=9>; rel=\"last\"")), Ok(true));
        assert_eq!(next(&format!("<{API}/repos/acme/net/pulls/7/reviews?page=1>; rel=\"prev\"")), Ok(false));
        assert_eq!(next(&format!("<{API}/repositories/42/pulls/7/reviews?page=3>; rel=\"next\"")), Ok(true));
    }

    #[test]
    fn a_next_page_of_something_else_is_refused() {
        let of = |path: &str| next(&format!("<{path}>; rel=\"next\""));
        let other = wrong("the next is of another list");
        assert_eq!(of("https://evil.example.org/api/v3/repos/acme/net/pulls/7/reviews?page=3"), other);
        assert_eq!(of(&format!("{API}/repos/acme/net/pulls/8/reviews?page=3")), other);
        assert_eq!(of(&format!("{API}/api/v3/repos/acme/net/pulls/7/reviews?page=3")), other);
        assert_eq!(of(&format!("{API}/repositories/42/pulls/8/reviews?page=3")), other);
        let own = format!("{API}/repos/acme/net/pulls/7/reviews");
        assert_eq!(of(&format!("{own}?page=2")), wrong("the next is not the one after it"));
        assert_eq!(of(&format!("{own}?page=4")), wrong("the next is not the one after it"));
        assert_eq!(of(&format!("{own}?page=3&page=4")), wrong("the next is not the one after it"));
        assert_eq!(of(&format!("{own}?page=3&per_page=30")), wrong("the next has another size"));
        assert_eq!(of(&own), wrong("the next has no number"));
        assert_eq!(next("page 3 is next"), wrong("the next is named in no known way"));
    }
}
