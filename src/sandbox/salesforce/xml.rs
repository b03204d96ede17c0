//! As much XML as SOAP needs: elements by local name, text with its entities, and the escaping of answers.

/// Elements inside of one another before a document is refused.
const MAX_DEPTH: usize = 64;

/// An element; attributes and prefixes are dropped.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The trimmed text of a child; `None` where it is missing or blank.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The first element of this name at any depth.
    pub(super) fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }
}

/// Reads a document; the answer's only child is its root element.
pub(super) fn parse(text: &str) -> Result<Element, String> {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        add_text(&mut open, &rest[..start])?;
        rest = &rest[start..];
        let end = if rest.starts_with("<!--") {
            skip(rest, "-->")?
        } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let length = data.find("]]>").ok_or("CDATA is not closed")?;
            if let Some(top) = open.last_mut() {
                top.text.push_str(&data[..length]);
            }
            skip(rest, "]]>")?
        } else if rest.starts_with("<?") {
            skip(rest, "?>")?
        } else if rest.starts_with("<!") {
            return Err("a document type is not allowed".to_owned());
        } else {
            let end = skip(rest, ">")?;
            tag(&mut open, &rest[1..end - 1])?;
            end
        };
        rest = &rest[end..];
    }
    match (open.len(), open.pop()) {
        (1, Some(document)) if !document.children.is_empty() => Ok(document),
        _ => Err("an element is not closed".to_owned()),
    }
}

/// A text as it stands between tags.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn skip(rest: &str, end: &str) -> Result<usize, String> {
    rest.find(end).map(|at| at + end.len()).ok_or_else(|| format!("`{end}` is missing"))
}

fn tag(open: &mut Vec<Element>, tag: &str) -> Result<(), String> {
    if let Some(name) = tag.strip_prefix('/') {
        let name = local(name);
        return match open.pop() {
            Some(element) if element.name == name && !open.is_empty() => {
                if let Some(parent) = open.last_mut() {
                    parent.children.push(element);
                }
                Ok(())
            }
            _ => Err(format!("</{name}> closes nothing")),
        };
    }
    let empty = tag.ends_with('/');
    let name = local(tag.trim_end_matches('/').split_whitespace().next().unwrap_or_default());
    let element = Element { name, ..Element::default() };
    if empty {
        if let Some(parent) = open.last_mut() {
            parent.children.push(element);
        }
    } else if open.len() < MAX_DEPTH {
        open.push(element);
    } else {
        return Err("elements are nested too deeply".to_owned());
    }
    Ok(())
}

fn local(name: &str) -> String {
    name.trim().rsplit(':').next().unwrap_or_default().to_owned()
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), String> {
    let Some(top) = open.last_mut() else { return Ok(()) };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, behind) = after.split_once(';').ok_or("an entity is not closed")?;
        top.text.push_str(before);
        top.text.push(character(entity).ok_or_else(|| format!("&{entity}; is unknown"))?);
        rest = behind;
    }
    top.text.push_str(rest);
    Ok(())
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lose_their_prefixes_and_keep_their_text() {
        let text = r#"<?xml version="1.0"?><!-- x --><a:E xmlns:a="b"><u>R&amp;D &#65;</u><n xsi:nil="true"/><c><![CDATA[<]]></c></a:E>"#;
        let document = parse(text).unwrap();
        let root = document.child("E").unwrap();
        assert_eq!(root.value("u"), Some("R&D A"));
        assert_eq!(root.value("n"), None);
        assert_eq!(root.value("c"), Some("<"));
        assert_eq!(document.find("u").unwrap().text, "R&D A");
    }

    #[test]
    fn broken_documents_are_refused() {
        for text in
            ["", "<a>", "<a></b>", "</a>", "<a>&nope;</a>", "<!DOCTYPE a><a/>", "<a", &"<a>".repeat(1000)]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
