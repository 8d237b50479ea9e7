/// The first `most` characters of a text, and a mark where something is left out.
#[must_use]
pub fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).expect("a character begins there")),
        None => text.to_owned(),
    }
}

/// `a, b and 7 more`: the first of things and how many there are in all.
#[must_use]
pub fn first_of<S: AsRef<str>>(first: &[S], total: usize) -> String {
    let names: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
    let named = names.join(", ");
    match total.saturating_sub(first.len()) {
        0 => named,
        rest => format!("{named} and {rest} more"),
    }
}

/// `a, b and 7 more`: at most `most` things by name.
#[must_use]
pub fn few<S: AsRef<str>>(all: &[S], most: usize) -> String {
    first_of(all.get(..most).unwrap_or(all), all.len())
}

#[cfg(test)]
mod tests {
    use super::{beginning, few};

    #[test]
    fn what_fits_is_whole_and_the_rest_is_counted() {
        assert_eq!(beginning("añb", 3), "añb");
        assert_eq!(beginning("añb", 2), "añ…");
        assert_eq!(few(&["a", "b"], 2), "a, b");
        assert_eq!(few(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
