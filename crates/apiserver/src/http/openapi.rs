//! OpenAPI documents for clients that validate, explain and merge.

use http::{HeaderMap, Response};

use super::ResponseBody;
use crate::engine::{Engine, Query};
use crate::failure::{Answered, Failure};

/// Answers `/openapi/…`.
pub fn answer(
    engine: &Engine,
    path: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    let _ = (engine, path, query, headers);
    Err(Failure::no_path())
}
