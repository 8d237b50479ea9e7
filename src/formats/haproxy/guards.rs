//! Conditions of `.if` and `.elif` (manual, 2.4: conditional blocks).

use super::lex::Environment;

/// Parentheses deeper than this are not read.
const DEEPEST: usize = 64;

/// Functions, and how many arguments they take.
const FUNCTIONS: &[(&str, usize)] = &[
    ("awslc_api_atleast", 1),
    ("awslc_api_before", 1),
    ("defined", 1),
    ("enabled", 1),
    ("feature", 1),
    ("openssl_version_atleast", 1),
    ("openssl_version_before", 1),
    ("ssllib_name_startswith", 1),
    ("streq", 2),
    ("strneq", 2),
    ("strstr", 2),
    ("version_atleast", 1),
    ("version_before", 1),
];

/// Whether a condition holds, for every version from 2.4 to 3.x; `None`: not known.
///
/// # Errors
/// Why it is not read.
pub(super) fn holds(text: &str, environment: &Environment) -> Result<Option<bool>, String> {
    let mut reading = Reading { rest: text.trim(), environment, depth: 0 };
    if reading.rest.is_empty() {
        return Ok(Some(false));
    }
    let holds = reading.either()?;
    match reading.rest {
        "" => Ok(holds),
        rest => Err(format!("`{}` behind a condition: HAProxy refuses the file", shown(rest))),
    }
}

struct Reading<'t> {
    rest: &'t str,
    environment: &'t Environment,
    depth: usize,
}

impl Reading<'_> {
    fn next(&mut self, mark: &str) -> bool {
        let found = self.rest.strip_prefix(mark);
        self.rest = found.unwrap_or(self.rest).trim_start();
        found.is_some()
    }

    /// Terms with `||` between them, which binds less than `&&`.
    fn either(&mut self) -> Result<Option<bool>, String> {
        let mut out = self.both()?;
        while self.next("||") {
            out = match (out, self.both()?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                (_, _) => None,
            };
        }
        Ok(out)
    }

    fn both(&mut self) -> Result<Option<bool>, String> {
        let mut out = self.term()?;
        while self.next("&&") {
            out = match (out, self.term()?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                (_, _) => None,
            };
        }
        Ok(out)
    }

    fn term(&mut self) -> Result<Option<bool>, String> {
        let mut negated = false;
        while self.next("!") {
            negated = !negated;
        }
        let holds = if self.next("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("a condition that is nested deeper than is read here".to_owned());
            }
            let inner = self.either()?;
            if !self.next(")") {
                return Err("missing closing parenthesis: HAProxy refuses the file".to_owned());
            }
            self.depth -= 1;
            inner
        } else {
            self.word()?
        };
        Ok(holds.map(|holds| holds != negated))
    }

    /// A number, or a function with its arguments.
    fn word(&mut self) -> Result<Option<bool>, String> {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-+".contains(c))).unwrap_or(self.rest.len());
        let (name, behind) = self.rest.split_at(end);
        if let Ok(number) = name.parse::<i64>() {
            self.rest = behind.trim_start();
            return Ok(Some(number != 0));
        }
        let inner = behind.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let (Some((_, count)), Some((inner, rest))) = (FUNCTIONS.iter().find(|(known, _)| *known == name), inner)
        else {
            return Err(format!("`{}` is no condition: HAProxy refuses the file", shown(self.rest)));
        };
        self.rest = rest.trim_start();
        let arguments: Vec<&str> = inner.split(',').collect();
        if arguments.len() != *count {
            return Err(format!("`{name}` takes {count} of arguments: HAProxy refuses the file"));
        }
        Ok(self.function(name, &arguments))
    }

    fn function(&self, name: &str, arguments: &[&str]) -> Option<bool> {
        let version = |text: &str| {
            let mut parts = text.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        };
        match (name, arguments) {
            ("defined", [name]) => self.environment.0.contains_key(*name).then_some(true),
            ("streq" | "strneq", [a, b]) if !a.contains('$') && !b.contains('$') => {
                Some((a.trim_matches('"') == b.trim_matches('"')) == (name == "streq"))
            }
            ("version_atleast", [text]) if version(text) <= (2, 4) => Some(true),
            ("version_before", [text]) if version(text) <= (2, 4) => Some(false),
            (_, _) => None,
        }
    }
}

/// The beginning of a text.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_the_manual_says() {
        let holds = |text: &str| holds(text, &Environment::default());
        for (text, expected) in [
            ("", Some(false)),
            ("1", Some(true)),
            ("!0 && (version_atleast(2.4) || 0)", Some(true)),
            ("0 || 1 && 0", Some(false)),
            ("1 || 1 && 0", Some(true)),
            ("defined(X) && version_before(2.4)", Some(false)),
            ("defined(X) || feature(LUA)", None),
            ("streq(\"a\",a)", Some(true)),
            ("!!strneq(a,a)", Some(false)),
            ("streq($X,a)", None),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
        for text in ["(1", "1)", "streq(a)", "foo(a)", "1 1", "&&", deep.as_str()] {
            assert!(holds(text).is_err(), "{text}");
        }
    }
}
