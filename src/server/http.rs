//! What is answered over plain HTTP: whether the server lives and is ready, and its metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;

use super::job::State;
use super::jobs::Jobs;
use super::metrics;
use crate::clock::{Clock as _, SystemClock};

/// The routes.
pub fn router(jobs: Arc<Jobs>) -> Router {
    let measured = Arc::clone(&jobs);
    Router::new()
        .route(
            "/metrics",
            get(move || {
                let page = match metrics::page(&measured, SystemClock.now()) {
                    Ok(page) => ([(CONTENT_TYPE, metrics::CONTENT)], page).into_response(),
                    Err(error) => {
                        let text = format!("{error}\n");
                        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
                    }
                };
                async move { page }
            }),
        )
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
