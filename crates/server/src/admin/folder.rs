//! Reading the whole folder, and letting it catch up.

use std::sync::Arc;

use http::Response;
use serde_json::json;

use super::events;
use super::serve::Attendant;
use crate::response::ResponseBody;

/// Reads every repository of the folder that was not read yet.
pub(super) fn adopt(attendant: &Attendant) -> Response<ResponseBody> {
    let registry = Arc::clone(&attendant.app.registry);
    events::answer(attendant.stop.clone(), |events| async move {
        let total = registry.repositories_in_tree().await?;
        let progress = registry
            .adopt(|progress| {
                let done = progress.repositories + progress.failed;
                events.progress(done, total, &format!("{} tags", progress.tags));
            })
            .await?;
        Ok(json!({
            "repositories": progress.repositories,
            "tags": progress.tags,
            "manifests": progress.manifests,
            "layers": progress.layers,
            "failed": progress.failed,
        }))
    })
}

/// Makes the folder follow the database now.
pub(super) fn settle(attendant: &Attendant) -> Response<ResponseBody> {
    let registry = Arc::clone(&attendant.app.registry);
    events::answer(attendant.stop.clone(), |_| async move {
        let settled = registry.catch_up().await?;
        Ok(json!({"settled": settled}))
    })
}

/// Keeps the files of all blobs until the command leaves, so that it can copy them.
pub(super) fn hold(attendant: &Attendant) -> Response<ResponseBody> {
    let registry = Arc::clone(&attendant.app.registry);
    events::answer(attendant.stop.clone(), |events| async move {
        let _hold = registry.hold_files().await;
        events.item(json!({"held": true})).await;
        std::future::pending().await
    })
}
