//! What requests say, or what is wrong with it.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use lookback_trace::HeadId;

use super::error::ApiError;

/// A query as it was asked.
pub(super) fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    let Query(asked) = query?;
    Ok(asked)
}

/// A body as it was sent.
pub(super) fn sent<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    let Json(sent) = body?;
    Ok(sent)
}

/// One head by its name: `5.10` or `L5H10`.
pub(super) fn head(name: &str) -> Result<HeadId, ApiError> {
    Ok(lookback_heads::head::parse(name)?)
}

/// Several heads, separated by commas; an empty text is none.
pub(super) fn heads(names: &str) -> Result<Vec<HeadId>, ApiError> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(head).collect()
}
