/// What to say of a name that does not exist: "did you mean", or everything that there is.
#[must_use]
pub fn suggest(name: &str, known: &[&str]) -> String {
    let name = name.to_lowercase();
    let near = known.iter().map(|word| (strsim::damerau_levenshtein(&name, &word.to_lowercase()), *word)).min();
    match near {
        Some((distance, word)) if distance <= 1 + word.len() / 4 => format!("did you mean `{word}`?"),
        Some(_) => format!("there are: {}", known.join(", ")),
        None => "none is defined".to_owned(),
    }
}
