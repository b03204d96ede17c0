use super::format;
#[test]
fn by_hand() {
    for f in std::env::var("BYHAND").unwrap_or_default().split(':').filter(|f| !f.is_empty()) {
        let text = std::fs::read_to_string(f).unwrap();
        let once = format(&text).unwrap();
        eprintln!("{once}");
        assert_eq!(format(&once).unwrap(), once);
    }
}
