use super::output::Streams;
use super::surroundings::Surroundings;
use crate::notify::{Message, Webhook};
use crate::source::Variables as _;
use clap::Args;
use miette::Diagnostic as _;

#[derive(Debug, Args)]
pub(super) struct Notice {
    /// Tell this webhook what does not pass (JSON with a `text` that Slack shows); also PORTCULLIS_NOTIFY
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
}

impl Notice {
    /// The same as an argument would be.
    pub(super) const fn of(notify: Option<String>) -> Self {
        Self { notify }
    }

    /// The address, if anybody is to be told.
    pub(super) fn address(&self, surroundings: &Surroundings) -> Option<String> {
        self.notify.clone().or_else(|| surroundings.get("PORTCULLIS_NOTIFY"))
    }
}

/// Whom to tell, if anybody; otherwise the exit code.
pub(super) fn webhook(
    notice: &Notice,
    surroundings: &Surroundings,
    streams: &mut Streams<'_>,
) -> Result<Option<Webhook>, u8> {
    let webhook = notice.address(surroundings).map(|address| Webhook::new(&address)).transpose();
    webhook.map_err(|why| streams.error(&why.to_string(), why.help().map(|help| help.to_string()).as_deref(), 2))
}

/// Tells it. That nobody listens is said, and changes nothing.
pub(super) fn tell(webhook: Option<&Webhook>, message: Option<Message>, streams: &mut Streams<'_>) {
    if let (Some(webhook), Some(message)) = (webhook, message)
        && let Err(why) = webhook.send(&message)
    {
        streams.say(&format!("note: {why}"));
    }
}
