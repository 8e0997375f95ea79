//! `GET /metrics`: Prometheus text.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::Served;

/// All figures last published.
pub async fn show(State(served): State<Served>) -> Response {
    ([(CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], served.metrics.text()).into_response()
}
