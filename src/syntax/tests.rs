//! Tests.

use super::*;
#[test]
fn by_hand() {
    for f in std::env::var("BYHAND").unwrap_or_default().split(':').filter(|f| !f.is_empty()) {
        let text = std::fs::read_to_string(f).unwrap();
        let t = std::time::Instant::now();
        let (file, findings) = parse(FileId(0), &text);
        eprintln!("{f}: {} items {:?}", file.items.len(), t.elapsed());
        let mut s = crate::source::Sources::new();
        s.add("x", text.as_str());
        for f in findings {
            let (l, c) = s.file(FileId(0)).position(f.span().start);
            eprintln!(
                "{l}:{c} {} {} [{}] {:?} | help: {} fix: {:?}",
                f.code,
                f.message,
                s.slice(f.span()),
                "",
                f.help.unwrap_or_default(),
                f.fix.map(|x| x.replacement)
            );
        }
    }
}
