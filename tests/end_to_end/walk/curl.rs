//! The options of curl that a person needs, over the test's own client.

use std::time::Duration;

/// What curl is told to send.
#[derive(Default)]
struct Request {
    url: String,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    follows: bool,
    in_the_address: bool,
}

/// curl's exit code, and what it shows.
pub(super) fn run(words: &[String]) -> Result<(i32, String), String> {
    let request = read(words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    Ok(runtime.block_on(request.send()).unwrap_or_else(|error| (7, format!("curl: (7) {error}\n"))))
}

fn read(words: &[String]) -> Result<Request, String> {
    let mut request = Request::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().cloned().ok_or(format!("curl: `{word}` needs a value"));
        match word.as_str() {
            "-s" => {}
            "-L" | "-sL" => request.follows = true,
            "-G" => request.in_the_address = true,
            "-X" => request.method = Some(value()?),
            "-d" => request.data.push(value()?),
            "--data-urlencode" => {
                let given = value()?;
                let (name, text) = given.split_once('=').ok_or("curl: `--data-urlencode` needs NAME=TEXT")?;
                let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
                request.data.push(format!("{name}={text}"));
            }
            "-H" => {
                let given = value()?;
                let (name, text) = given.split_once(':').ok_or("curl: `-H` needs NAME: TEXT")?;
                request.headers.push((name.trim().to_lowercase(), text.trim().to_owned()));
            }
            option if option.starts_with('-') => return Err(format!("curl: the walk knows no `{option}`")),
            url => request.url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") },
        }
    }
    Ok(request)
}

impl Request {
    async fn send(mut self) -> Result<(i32, String), reqwest::Error> {
        let redirects = if self.follows {
            reqwest::redirect::Policy::limited(10)
        } else {
            reqwest::redirect::Policy::none()
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirects)
            .timeout(Duration::from_secs(30))
            .build()?;
        let data = self.data.join("&");
        let has_body = !self.data.is_empty() && !self.in_the_address;
        if !self.data.is_empty() && self.in_the_address {
            self.url = format!("{}?{data}", self.url);
        }
        let usual = if has_body { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(usual);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or(reqwest::Method::GET);
        // As curl does: a body is a form unless its type is said.
        if has_body && !self.headers.iter().any(|(name, _)| name == "content-type") {
            self.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        let mut request = client.request(method, &self.url);
        for (name, text) in &self.headers {
            request = request.header(name, text);
        }
        if has_body {
            request = request.body(data);
        }
        Ok((0, request.send().await?.text().await?))
    }
}
