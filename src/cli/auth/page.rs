//! What the browser shows when it comes back.

/// A page: whether all went well, and what it says.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) good: bool,
    pub(super) title: String,
    pub(super) text: String,
}

impl Page {
    pub(super) fn good(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { good: true, title: title.into(), text: text.into() }
    }

    pub(super) fn bad(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { good: false, title: title.into(), text: text.into() }
    }

    /// The page in HTML, which loads nothing and runs nothing.
    pub(super) fn html(&self) -> String {
        let (title, text) = (escaped(&self.title), escaped(&self.text));
        let colour = if self.good { "#1a7f37" } else { "#b42318" };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{title} · Mapwright</title>\n<style>body {{ font: 18px/1.5 \
             sans-serif; max-width: 36em; margin: 15vh auto; padding: 0 1em }} h1 {{ color: {colour}; font-size: 1.4em \
             }}</style>\n<h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
        )
    }
}

/// Text of an outsider as text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_text() {
        let html = Page::bad("no", "<script>alert('x')</script> & \"more\"").html();
        assert!(!html.contains("<script>"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"),
            "{html}"
        );
    }
}
