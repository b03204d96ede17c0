//! HTTP as a script would do it: one call, its status and its body.

use std::time::Duration;

use serde_json::Value as Json;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }
}

pub(crate) fn get(url: &str) -> Answer {
    call("GET", url, &[], Vec::new()).unwrap_or_else(|error| panic!("{url}: {error}"))
}

pub(crate) fn send(method: &str, url: &str, body: &Json) -> Answer {
    let headers = [("content-type", "application/json")];
    call(method, url, &headers, body.to_string().into_bytes())
        .unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Any call; an error where there was no answer.
pub(crate) fn call(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, reqwest::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let method = method.parse().expect("a method");
        let mut request = client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        Ok(Answer { status: answer.status().as_u16(), text: answer.text().await? })
    })
}
