//! One request. Redirects are not followed.

use super::post::Failed;
use std::time::Duration;

/// Posts a text, which is JSON, and waits so long for the answer.
#[cfg(feature = "notify")]
pub(super) fn post(address: &str, body: &str, limit: Duration) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failed::Finally(why.to_string()))?;
    let answered = runtime.block_on(async {
        let late = |_| Failed::ForNow(format!("no answer within {} ms", limit.as_millis()));
        tokio::time::timeout(limit, request(address, body)).await.map_err(late)?
    });
    // Not waited for: a name that is still being looked up would hold everything up.
    runtime.shutdown_background();
    answered
}

#[cfg(feature = "notify")]
async fn request(address: &str, body: &str) -> Result<(), Failed> {
    use hyper_util::client::legacy::Client;
    let finally = |why: String| Failed::Finally(why);
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots();
    let connector = connector.map_err(|why| finally(why.to_string()))?.https_or_http().enable_http1().build();
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build(connector);
    let request = http::Request::post(address)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::USER_AGENT, concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        .body(body.to_owned())
        .map_err(|why| finally(why.to_string()))?;
    let answer = client.request(request).await.map_err(|why| Failed::ForNow(chain(&why)))?;
    let status = answer.status();
    if status.is_success() {
        Ok(())
    } else if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        Err(Failed::ForNow(format!("it answered {status}")))
    } else {
        Err(Failed::Finally(format!("it answered {status}")))
    }
}

/// An error with all that brought it about.
#[cfg(feature = "notify")]
fn chain(why: &dyn std::error::Error) -> String {
    let mut out = why.to_string();
    let mut source = why.source();
    while let Some(why) = source {
        out = format!("{out}: {why}");
        source = why.source();
    }
    out
}

/// A program that was built without it tells nobody, and says so.
#[cfg(not(feature = "notify"))]
pub(super) fn post(_: &str, _: &str, _: Duration) -> Result<(), Failed> {
    Err(Failed::Finally("this program was built without the feature `notify`".to_owned()))
}
