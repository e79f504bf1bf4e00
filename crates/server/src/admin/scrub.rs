//! Reading everything again while it serves.

use std::sync::Arc;

use boxyard_oci::RepoName;
use boxyard_registry::{ScrubEvent, ScrubOptions, ScrubReport};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::arguments;
use super::events;
use super::serve::Attendant;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::response::ResponseBody;

/// Events that wait to be told.
const WAITING: usize = 64;

/// What `scrub` is asked for.
#[derive(Debug, Deserialize)]
struct Arguments {
    repositories: Vec<RepoName>,
    bytes_per_second: Option<u64>,
}

/// Hashes everything again.
pub(super) async fn scrub(
    attendant: &Attendant,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let arguments: Arguments = arguments::read(body).await?;
    let options = ScrubOptions {
        repositories: arguments.repositories,
        bytes_per_second: arguments.bytes_per_second,
    };
    let registry = Arc::clone(&attendant.app.registry);
    Ok(events::answer(
        attendant.stop.clone(),
        |events| async move {
            let (sender, mut said) = mpsc::channel(WAITING);
            let tell = async {
                while let Some(event) = said.recv().await {
                    match event {
                        ScrubEvent::Progress(report) => {
                            let text = format!("{} damaged", report.damaged);
                            events.progress(report.bytes, report.total_bytes, &text);
                        }
                        ScrubEvent::Damaged(finding) => {
                            let repo = finding.repo.as_ref();
                            let item = json!({
                                "kind": finding.kind.as_str(),
                                "repository": repo,
                                "subject": finding.subject,
                                "detail": finding.detail,
                            });
                            events.item(item).await;
                        }
                    }
                }
            };
            let (report, ()) = tokio::join!(registry.scrub(options, sender), tell);
            Ok(result(&report?))
        },
    ))
}

fn result(report: &ScrubReport) -> Value {
    json!({
        "blobs": report.blobs,
        "manifests": report.manifests,
        "bytes": report.bytes,
        "damaged": report.damaged,
        "mended": report.mended,
    })
}
