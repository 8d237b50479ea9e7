//! Tells people what was decided: a message to a webhook. Whether it arrives changes nothing but what is said of it.
//!
//! Knows no more than the report says, and of the webhook no more than its address, which is a secret.

mod message;
mod post;
mod transport;

pub use message::{Message, Told};
pub use post::{Unheard, Webhook, WebhookError};
