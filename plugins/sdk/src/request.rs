//! Requests to a plugin's routes and its answers. Owns the form; leaves HTTP to the host.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A request to one of a plugin's routes. Who asks has been looked at before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// The path below `/plugins/{name}`, decoded: `/meetings/42`.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body, as a test sends it.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            content_type: None,
            body: Vec::new(),
        }
    }

    /// The words of the path, to be matched together with the method:
    /// `match (request.method.as_str(), &request.segments()[..]) { ("GET", ["meetings", id]) => …`.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|it| !it.is_empty()).collect()
    }

    /// The first value of a parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// The answer to give: 400, and where the body does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Response> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            Response::problem(400, &format!("the body does not fit at `{}`: {}", error.path(), error.inner()))
        })?;
        let rest = reader.end();
        rest.map_err(|error| Response::problem(400, &format!("the body goes on after its end: {error}")))?;
        Ok(value)
    }
}

/// A plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// 200 with JSON.
    pub fn json(value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: 200, content_type: "application/json".into(), body },
            Err(error) => Self::problem(500, &format!("the answer is no JSON: {error}")),
        }
    }

    /// A failure in the form of RFC 9457; `detail` says what happened and what to do.
    pub fn problem(status: u16, detail: &str) -> Self {
        let body: Value = json!({ "type": "about:blank", "status": status, "detail": detail });
        Self { status, content_type: "application/problem+json".into(), body: body.to_string().into_bytes() }
    }

    /// 404.
    pub fn not_found(detail: &str) -> Self {
        Self::problem(404, detail)
    }
}
