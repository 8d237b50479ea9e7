use super::arguments::{Outputs, Target};
use super::surroundings::Surroundings;
use crate::decision::{Cause, Doubt};
use crate::report::{OUTPUTS, Output, Style};
use crate::text::{SourceMap, escape};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Where a run writes to.
pub(super) struct Streams<'s> {
    stdout: &'s mut dyn Write,
    stderr: &'s mut dyn Write,
    /// Relative output files are relative to it.
    folder: &'s Path,
    /// How standard output is written.
    pub(super) style: Style,
    /// How standard error is written.
    talk: Style,
    pub(super) quiet: bool,
    pub(super) stderr_is_terminal: bool,
}

impl<'s> Streams<'s> {
    pub(super) fn new(surroundings: &'s Surroundings, stdout: &'s mut dyn Write, stderr: &'s mut dyn Write) -> Self {
        let width = surroundings.width.unwrap_or(Style::PLAIN.width).max(40);
        let style = |is_terminal| Style { colour: surroundings.colour(is_terminal), width };
        Self {
            stdout,
            stderr,
            folder: &surroundings.folder,
            style: style(surroundings.stdout_is_terminal),
            talk: style(surroundings.stderr_is_terminal),
            quiet: false,
            stderr_is_terminal: surroundings.stderr_is_terminal,
        }
    }

    /// Writes what was asked for and gives the exit code: `code`, unless nobody can have seen why.
    pub(super) fn data(&mut self, text: &str, code: u8) -> u8 {
        self.bytes(text.as_bytes(), code)
    }

    /// The same of what need not be text.
    pub(super) fn bytes(&mut self, bytes: &[u8], code: u8) -> u8 {
        let written = self.stdout.write_all(bytes).and_then(|()| self.stdout.flush());
        self.written(written.map_err(|why| ("standard output".to_owned(), why)), code)
    }

    /// Writes one answer in every way that was asked for. `render` gives it in one of them.
    pub(super) fn answer(
        &mut self,
        Outputs { outputs }: &Outputs,
        code: u8,
        render: &dyn Fn(&Output, Style) -> String,
    ) -> u8 {
        if outputs.is_empty() {
            let usual = OUTPUTS.first().expect("there is an output");
            return self.data(&render(usual, self.style), code);
        }
        outputs.iter().fold(code, |code, Target { output, file }| match file {
            None => self.data(&render(output, self.style), code),
            Some(file) => {
                let written = std::fs::write(self.folder.join(file), render(output, Style::PLAIN));
                self.written(written.map_err(|why| (file.display().to_string(), why)), code)
            }
        })
    }

    /// Writes a file that only its owner may read.
    pub(super) fn private(&mut self, file: &Path, text: &str, code: u8) -> u8 {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(self.folder.join(file)).and_then(|mut file| {
            // One that was there before keeps the permissions that it had.
            #[cfg(unix)]
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            file.write_all(text.as_bytes())
        });
        self.written(written.map_err(|why| (file.display().to_string(), why)), code)
    }

    /// Says which of the outputs that were asked for have no form for such an answer. Nothing is read then.
    pub(super) fn refused(
        &mut self,
        Outputs { outputs }: &Outputs,
        what: &str,
        has_form: &dyn Fn(&Output) -> bool,
    ) -> Option<u8> {
        let refused = outputs.iter().map(|target| target.output).find(|output| !has_form(output))?;
        let known: Vec<&str> = OUTPUTS.iter().filter(|output| has_form(output)).map(|output| output.name).collect();
        let help = format!("it can be written as {}", known.join(", "));
        Some(self.error(&format!("the output `{}` has no form for {what}", refused.name), Some(&help), 2))
    }

    /// Says something that is no data. Not when it shall be quiet.
    pub(super) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Says what went wrong, and what to do.
    pub(super) fn error(&mut self, message: &str, help: Option<&str>, code: u8) -> u8 {
        let (red, dim, end) = if self.talk.colour { ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        self.warn(&format!("{red}error:{end} {}", escape(message.as_bytes())));
        if let Some(help) = help {
            self.warn(&format!("{dim} help:{end} {}", escape(help.as_bytes())));
        }
        code
    }

    /// Says why there is no answer.
    pub(super) fn doubts(&mut self, doubts: &[Doubt], sources: &SourceMap) -> u8 {
        for Doubt { cause: _, message, help, at } in doubts {
            let place = at.map(|(_, span)| sources.locate(span));
            let place = place.map(|at| format!("{}:{}:{}: ", at.path, at.line, at.column)).unwrap_or_default();
            let help = Some(help.as_str()).filter(|help| !help.is_empty());
            self.error(&format!("{place}{message}"), help, 3);
        }
        if doubts.iter().any(|doubt| doubt.cause == Cause::Policy) { 2 } else { 3 }
    }

    /// Answers a command line that was not understood, or asks for help.
    pub(super) fn usage(&mut self, usage: &clap::Error) -> u8 {
        let code = u8::try_from(usage.exit_code()).unwrap_or(2);
        let styled = usage.render();
        if usage.use_stderr() {
            let text = if self.talk.colour { styled.ansi().to_string() } else { styled.to_string() };
            self.warn(text.trim_end());
            return code;
        }
        let text = if self.style.colour { styled.ansi().to_string() } else { styled.to_string() };
        self.data(&text, code)
    }

    fn warn(&mut self, line: &str) {
        // Talk that nobody hears changes nothing.
        drop(writeln!(self.stderr, "{line}"));
    }

    /// A reader that has seen enough (`| head`) is no error; another failure may not end in a pass.
    fn written(&mut self, written: Result<(), (String, std::io::Error)>, code: u8) -> u8 {
        match written {
            Ok(()) => code,
            Err((_, why)) if why.kind() == ErrorKind::BrokenPipe => code,
            Err((what, why)) => {
                self.error(&format!("{what} cannot be written: {why}"), None, code);
                if code == 0 { 3 } else { code }
            }
        }
    }
}
