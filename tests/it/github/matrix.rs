//! Every call of every scenario, with everything that can go wrong: nothing of it turns a block into a pass.

use super::world::Answer;
use super::*;
use crate::tools::every;
use portcullis::facts::{AccountKind, PullRequest, ReviewState, Role};
use serde_json::Value;

/// A simple judge of facts, of its own making: one approval of somebody who may count, and nobody against it.
pub(crate) fn passes(reviewed: &Reviewed) -> bool {
    match reviewed {
        Reviewed::Known(pulls) => !pulls.is_empty() && pulls.iter().all(approved),
        Reviewed::Unasked | Reviewed::Unknown(_) => false,
    }
}

fn approved(pull: &PullRequest) -> bool {
    let Ok(pusher) = &pull.last_pusher else { return false };
    let mut made = BTreeSet::from([pull.author.id, pusher.id]);
    for commit in &pull.commits {
        let co_authors = commit.co_authors.iter().map(|co_author| &co_author.account);
        for account in [&commit.author, &commit.committer].into_iter().chain(co_authors) {
            let Some(account) = account else { return false };
            made.insert(account.id);
        }
    }
    let Some(Ok(team)) = pull.teams.get("acme/sec") else { return false };
    let mut last: BTreeMap<u64, &portcullis::facts::Review> = BTreeMap::new();
    for review in pull.reviews.iter().filter(|review| review.state != ReviewState::Commented) {
        match &review.by {
            Some(by) => drop(last.insert(by.id, review)),
            None if review.state == ReviewState::ChangesRequested => return false,
            None => {}
        }
    }
    let fresh = |commit: &String| *commit == pull.head || pull.same_result.contains(commit);
    let weighs = |id: &u64| !matches!(pull.roles.get(id), Some(Ok(Role::None | Role::Read | Role::Triage)));
    let against =
        |(id, review): (&u64, &&portcullis::facts::Review)| review.state == ReviewState::ChangesRequested && weighs(id);
    let counts = |(id, review): (&u64, &&portcullis::facts::Review)| {
        review.state == ReviewState::Approved
            && review.commit.as_ref().is_some_and(fresh)
            && review.base_ref.as_ref() == Some(&pull.base_ref)
            && review.by.as_ref().is_some_and(|by| by.kind == AccountKind::User)
            && matches!(pull.roles.get(id), Some(Ok(Role::Write | Role::Maintain | Role::Admin)))
            && team.contains(id)
            && !made.contains(id)
    };
    !last.iter().any(against) && last.iter().any(counts)
}

/// A world by what happened in it, and whether that is enough.
struct Scenario {
    name: &'static str,
    passes: bool,
    world: World,
    line: Line,
}

fn scenario(name: &'static str, passes: bool, more: impl FnOnce(&mut World)) -> Scenario {
    let (world, line) = world(|world| {
        world.teams.insert("acme/sec".to_owned(), BTreeMap::from([(ANN, "active"), (BOB, "active"), (CY, "pending")]));
        more(world);
    });
    Scenario { name, passes, world, line }
}

fn scenarios() -> Vec<Scenario> {
    let approve = |world: &mut World, by| assert!(world.review(7, by, "APPROVED") > 0);
    let mut all = vec![
        scenario("nobody has approved", false, |_| {}),
        scenario("somebody has approved", true, |world| approve(world, BOB)),
        scenario("the author has approved", false, |world| approve(world, ANN)),
        scenario("a reader has approved", false, |world| approve(world, READER)),
        scenario("a program has approved", false, |world| approve(world, BOT)),
        scenario("somebody has approved who is not in the team yet", false, |world| approve(world, CY)),
        scenario("somebody has approved what was there before", false, |world| {
            approve(world, BOB);
            world.push(7, ANN, ANN, &[&sha('2')]);
        }),
        scenario("the last pusher has approved", false, |world| {
            world.push(7, BOB, ANN, &[&sha('2')]);
            approve(world, BOB);
        }),
        scenario("whoever has approved has made a commit", false, |world| {
            world.push(7, ANN, BOB, &[&sha('2')]);
            approve(world, BOB);
        }),
        scenario("a commit is of nobody known", false, |world| {
            world.commits.get_mut(&sha('1')).expect("a commit").0 = None;
            approve(world, BOB);
        }),
        scenario("somebody asks for changes", false, |world| {
            approve(world, BOB);
            world.review(7, CY, "CHANGES_REQUESTED");
        }),
        scenario("it was to be merged elsewhere when it was approved", false, |world| {
            world.retarget(7, "playground");
            approve(world, BOB);
            world.retarget(7, "main");
        }),
        scenario("the approval was taken back", false, |world| {
            let review = world.review(7, BOB, "APPROVED");
            world.dismiss(7, review);
        }),
        scenario("on the second page somebody asks for changes", false, |world| {
            approve(world, BOB);
            for _ in 0..120 {
                world.review(7, READER, "COMMENTED");
            }
            world.review(7, CY, "CHANGES_REQUESTED");
        }),
    ];
    let mut co_author = scenario("a co-author has approved", false, |world| approve(world, BOB));
    co_author.line.commits[0].1 = vec![format!("Bob <{BOB}+bob@users.noreply.127.0.0.1>")];
    all.push(co_author);
    all
}

/// What can go wrong with any answer, and with this one.
fn faults(answer: &Answer) -> Vec<Fault> {
    let text = |text: &str| Fault::Body(text.to_owned());
    let seconds = |text: &str| vec![("Retry-After", text.to_owned())];
    let mut faults = vec![
        Fault::Delay(Duration::from_millis(20)),
        Fault::Hang,
        Fault::Reset,
        Fault::Truncated,
        text("<!doctype html><title>Sign in</title>"),
        text("null"),
        text("{}"),
        text("[]"),
        text("{\"items\":[]}"),
        text("[null]"),
        text(""),
        Fault::Type("text/html"),
        Fault::Type("application/octet-stream"),
        Fault::Redirect(301),
        Fault::Redirect(302),
        Fault::Huge,
        Fault::Next("{own}?per_page=100&page={page}".to_owned()),
        Fault::Next("{own}?per_page=100&page={skip}".to_owned()),
        Fault::Next("http://{elsewhere}/?page=2".to_owned()),
        Fault::Next("{own}/more?page=2".to_owned()),
        Fault::Next("nonsense".to_owned()),
        Fault::NoNext,
        Fault::EmptyPage,
        Fault::Twice,
        Fault::Status(403, seconds("0")),
        Fault::Status(403, seconds("1000000000")),
        Fault::Status(403, vec![("X-RateLimit-Remaining", "0".to_owned())]),
        Fault::Status(429, seconds("0")),
    ];
    faults.extend([204, 304, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503].map(|code| Fault::Status(code, vec![])));
    let mut said = Vec::new();
    pointers(&answer.said, String::new(), &mut said);
    let nullable = schemas::nullable(answer.call, &answer.body).into_iter().filter(|at| !said.contains(at));
    faults.extend(nullable.map(Fault::Null));
    for at in said {
        faults.extend([Fault::Removed(at.clone()), Fault::Null(at.clone()), Fault::Word(at)]);
    }
    faults
}

/// Every place in a value; of a list only the first and the last.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    if !at.is_empty() && at.rsplit('/').next().is_none_or(|last| last.parse::<usize>().is_err()) {
        found.push(at.clone());
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pointers(value, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            let last = items.len().saturating_sub(1);
            let ends = items.iter().enumerate().filter(|(n, _)| *n == 0 || *n == last);
            ends.for_each(|(n, item)| pointers(item, format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A listener that nobody may ever call.
fn nobody() -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a setting");
    listener
}

#[test]
fn no_fault_turns_a_block_into_a_pass() {
    let scenarios = scenarios();
    let every = every(16);
    let totals: Vec<(usize, usize, Vec<String>)> = std::thread::scope(|scope| {
        let tasks: Vec<_> =
            scenarios.iter().enumerate().map(|(n, scenario)| scope.spawn(move || run(scenario, n, every))).collect();
        tasks.into_iter().map(|task| task.join().expect("no panic")).collect()
    });
    let (calls, faults) = totals.iter().fold((0, 0), |(calls, faults), total| (calls + total.0, faults + total.1));
    let open: Vec<&String> = totals.iter().flat_map(|total| &total.2).collect();
    #[expect(clippy::print_stderr, reason = "the figures are published")]
    {
        eprintln!("{} scenarios, {calls} calls, {faults} faults, fail-open = {}", totals.len(), open.len());
    }
    assert_eq!(open, Vec::<&String>::new());
}

/// How many calls a scenario makes, how many faults were tried, and which of them opened the gate or gave the token away.
fn run(scenario: &Scenario, offset: usize, every: usize) -> (usize, usize, Vec<String>) {
    let Scenario { name, passes: clean, world, line } = scenario;
    let elsewhere = nobody();
    let head = world.pulls[&7].head.clone();
    let server = Server::start(world.clone(), "/api/v3");
    server.lead_to(elsewhere.local_addr().expect("an address"));
    let reviewed = review(&question(&server, &head, Limits::default()), line);
    assert_eq!(passes(&reviewed), *clean, "{name}: {reviewed:#?}");
    let mut paths: Vec<String> = server.asked().into_iter().map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    let (mut tried, mut open) = (0, Vec::new());
    for path in &paths {
        let answer = world.answer(path, 1);
        for (n, fault) in faults(&answer).into_iter().enumerate() {
            // What is wrong with a field is no less wrong the second time.
            let of_field = matches!(fault, Fault::Null(_) | Fault::Removed(_) | Fault::Word(_));
            if of_field && !(n + offset).is_multiple_of(every) {
                continue;
            }
            // Once, and for good: both where there is time.
            let times = [1, usize::MAX];
            let times = match (of_field, every) {
                (false, 1) => &times[..],
                (false, _) => &times[(n + offset) % 2..][..1],
                (true, _) => &times[1..],
            };
            for &times in times {
                server.fail(path, fault.clone(), times);
                let reviewed = review(&question(&server, &head, SHORT), line);
                tried += 1;
                if passes(&reviewed) && !*clean {
                    open.push(format!("{name}: {path}: {fault:?}: {reviewed:?}"));
                }
                if format!("{reviewed:?}").contains(TOKEN) {
                    open.push(format!("{name}: {path}: {fault:?}: the token is shown"));
                }
            }
        }
    }
    if elsewhere.accept().is_ok() {
        open.push(format!("{name}: another place was asked"));
    }
    if server.tokens().iter().any(|token| *token != format!("Bearer {TOKEN}")) {
        open.push(format!("{name}: another token was sent"));
    }
    (paths.len(), tried, open)
}
