//! What is answered over plain HTTP: whether the server lives and is ready.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::job::State;
use super::jobs::Jobs;

/// The routes.
pub fn router(jobs: Arc<Jobs>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || {
                let ready = ready(&jobs);
                async move { ready }
            }),
        )
}

/// Ready once no job is being started; the text names those that are.
fn ready(jobs: &Jobs) -> (StatusCode, String) {
    let all = jobs.all();
    let waiting: Vec<&str> = all
        .iter()
        .filter(|job| job.status().state == State::Starting)
        .map(|job| job.name.as_str())
        .collect();
    if waiting.is_empty() {
        (StatusCode::OK, "ok\n".to_string())
    } else {
        let text = format!("starting: {}\n", waiting.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}
