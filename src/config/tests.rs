//! Tests of the reading, and of the shipped file.

use secrecy::ExposeSecret;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Sources;

use super::{
    Config, HubspotAuth, KeySource, PrivateKey, ResolvedConfig, SalesforceAuth, Serve, Store, parse,
};

const SHIPPED: &str = include_str!("../../mappings/mapwright.yaml");

/// A pair against a server on this machine, with `auth` as given.
fn local(auth: &str) -> String {
    format!(
        "language: 1\npairs:\n  main:\n    hubspot: {{ portal: 1, base_url: 'http://127.0.0.1:9000', token: t }}\n    \
         salesforce:\n      login_url: http://localhost:9001\n      auth: {auth}\n"
    )
}

const CLEAR: &str = "{ client_credentials: { client_id: i, client_secret: s } }";

/// Each finding as its code and the source text of its place.
fn codes(sources: &Sources, findings: &[Diagnostic]) -> Vec<(Code, String)> {
    findings.iter().map(|finding| (finding.code, sources.slice(finding.span()).to_owned())).collect()
}

fn parsed(text: &str) -> Vec<(Code, String)> {
    let mut sources = Sources::new();
    let (_, findings) = parse(&mut sources, "mapwright.yaml", text);
    codes(&sources, &findings)
}

fn good(text: &str) -> Config {
    let (config, findings) = parse(&mut Sources::new(), "mapwright.yaml", text);
    assert_eq!(findings, [], "{text}");
    config.unwrap()
}

fn resolved(text: &str, variables: &[(&str, &str)]) -> Result<ResolvedConfig, Vec<(Code, String)>> {
    let mut sources = Sources::new();
    let (config, findings) = parse(&mut sources, "mapwright.yaml", text);
    assert_eq!(findings, [], "{text}");
    let environment = |name: &str| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
    };
    config.unwrap().resolve(&environment).map_err(|findings| codes(&sources, &findings))
}

#[test]
fn the_shipped_file_needs_no_variable_to_be_parsed() {
    let config = good(SHIPPED);
    assert_eq!(config.language, 1);
    assert_eq!(config.pairs.iter().map(|pair| pair.name.value.as_str()).collect::<Vec<_>>(), ["main"]);
}

#[test]
fn the_shipped_file_resolves() {
    let variables = [
        ("HUBSPOT_TOKEN", "pat-na1-1"),
        ("HUBSPOT_CLIENT_SECRET", "hush"),
        ("SALESFORCE_CLIENT_ID", "3MVG"),
        ("SALESFORCE_CLIENT_SECRET", "hush hush"),
    ];
    let config = resolved(SHIPPED, &variables).unwrap();
    let pair = &config.pairs["main"];
    assert_eq!((pair.hubspot.portal, pair.hubspot.api_path.as_str()), (4_556_789, "v3"));
    assert_eq!(pair.hubspot.base_url.as_str(), "https://api.hubapi.com/");
    let HubspotAuth::Token(token) = &pair.hubspot.auth else { panic!("{:?}", pair.hubspot.auth) };
    assert_eq!(token.expose_secret(), "pat-na1-1");
    assert_eq!(pair.hubspot.login_url.as_str(), "https://app.hubspot.com/");
    let webhook = pair.hubspot.webhook.as_ref().unwrap();
    assert_eq!(webhook.secrets[0].expose_secret(), "hush");
    assert_eq!(webhook.public_url.path(), "/hubspot/main");
    assert_eq!(pair.salesforce.api_version, "58.0");
    let SalesforceAuth::ClientCredentials { client_id, client_secret } = &pair.salesforce.auth else {
        panic!("{:?}", pair.salesforce.auth)
    };
    assert_eq!((client_id.as_str(), client_secret.expose_secret()), ("3MVG", "hush hush"));
    assert_eq!(config.store, Store::Sqlite(".mapwright/mapwright.db".into()));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = resolved(&local(CLEAR), &[]).unwrap();
    let listen = "127.0.0.1:8080".parse().unwrap();
    let serve = Serve { listen, max_body_bytes: 4 << 20, clock_skew_seconds: 300, allow_remote: false };
    assert_eq!(config.serve, serve);
    assert_eq!((config.limits.records_at_a_time, config.limits.max_attempts), (1000, 10));
    assert!(!config.allow_private_addresses);
    let smallest = resolved("language: 1\n", &[]).unwrap();
    assert!(smallest.pairs.is_empty());
    assert_eq!(smallest.store, Store::Sqlite(".mapwright/mapwright.db".into()));
}

#[test]
fn every_missing_variable_is_reported_at_its_place() {
    let variables = [("HUBSPOT_TOKEN", "t"), ("SALESFORCE_CLIENT_ID", "")];
    let findings = resolved(SHIPPED, &variables).unwrap_err();
    let missing = |name: &str| (Code::ENV_MISSING, format!("${{{name}}}"));
    let expected = ["HUBSPOT_CLIENT_SECRET", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"].map(missing);
    assert_eq!(findings, expected);
}

#[test]
fn a_reference_may_stand_anywhere_in_a_value() {
    let text = local(CLEAR)
        .replace("portal: 1", "portal: \"${PORTAL}\"")
        .replace(":9000", ":${PORT}")
        .replace("token: t", "token: \"${D}\"");
    let text = format!(
        "{text}serve: {{ listen: \"127.0.0.1:${{PORT}}\" }}\nstore: {{ sqlite: \"${{D}}/${{D}}$${{D}}\" }}\n"
    );
    let config = resolved(&text, &[("PORTAL", "77"), ("PORT", "1234"), ("D", "x")]);
    let config = config.unwrap_or_else(|findings| panic!("{findings:?}"));
    assert_eq!(config.pairs["main"].hubspot.portal, 77);
    assert_eq!(config.pairs["main"].hubspot.base_url.port(), Some(1234));
    assert_eq!(config.serve.listen.port(), 1234);
    assert_eq!(config.store, Store::Sqlite("x/x${D}".into()));
    let findings = resolved(&text, &[("PORTAL", "many"), ("PORT", "no port"), ("D", "x")]).unwrap_err();
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    let expected = [bad("\"${PORTAL}\""), bad("'http://127.0.0.1:${PORT}'"), bad("\"127.0.0.1:${PORT}\"")];
    assert_eq!(findings, expected);
}

#[test]
fn a_broken_reference_is_reported_at_its_place() {
    let text = local(CLEAR).replace("client_id: i", "client_id: \"a${B:-c}d\"");
    assert_eq!(parsed(&text), [(Code::YAML_BAD_VALUE, "${B:-c}".to_owned())]);
}

#[test]
fn a_secret_in_the_clear_is_an_error_unless_it_is_for_this_machine() {
    let text = SHIPPED.replace("${HUBSPOT_TOKEN}", "pat-na1").replace("\"${HUBSPOT_CLIENT_SECRET}\"", "abc");
    let clear = |text: &str| (Code::SECRET_IN_CLEAR, text.to_owned());
    assert_eq!(parsed(&text), [clear("pat-na1"), clear("abc")]);
    good(&local(CLEAR));
    // Where the address is only known later, it is not taken for this machine's.
    let text = SHIPPED
        .replace("https://login.salesforce.com", "${LOGIN}")
        .replace("${SALESFORCE_CLIENT_SECRET}", "s");
    assert_eq!(parsed(&text), [clear("s")]);
}

#[test]
fn each_way_to_log_in_is_read() {
    let auth = "{ jwt_bearer: { client_id: i, username: u@x.test, private_key_file: key.pem, audience: a } }";
    let config = resolved(&local(auth), &[]).unwrap();
    let SalesforceAuth::JwtBearer { private_key: PrivateKey::File(file), audience, .. } =
        &config.pairs["main"].salesforce.auth
    else {
        panic!("{config:?}")
    };
    assert_eq!((file.as_str(), audience.as_deref()), ("key.pem", Some("a")));
    let auth = "{ jwt_bearer: { client_id: i, username: u, private_key: \"${KEY}\" } }";
    let config = resolved(&local(auth), &[("KEY", "-----BEGIN\nKEY")]).unwrap();
    let SalesforceAuth::JwtBearer { private_key: PrivateKey::Pem(key), audience: None, .. } =
        &config.pairs["main"].salesforce.auth
    else {
        panic!("{config:?}")
    };
    assert_eq!(key.expose_secret(), "-----BEGIN\nKEY");
    let auth = "{ refresh_token: { client_id: i, refresh_token: r } }";
    let config = resolved(&local(auth), &[]).unwrap();
    let SalesforceAuth::RefreshToken { client_secret: None, .. } = &config.pairs["main"].salesforce.auth
    else {
        panic!("{config:?}")
    };
}

#[test]
fn each_mistake_has_its_code_and_place() {
    let bad = Code::YAML_BAD_VALUE;
    let both = "{ client_credentials: { client_id: i, client_secret: s }, refresh_token: { client_id: i, refresh_token: r } }";
    let keys = "{ jwt_bearer: { client_id: i, username: u, private_key: k, private_key_file: f } }";
    let cases = [
        ("language: 2\n".to_owned(), Code::EDITION, "2"),
        ("language: one\n".to_owned(), bad, "one"),
        ("pairs: {}\n".to_owned(), Code::YAML_MISSING_KEY, ""),
        ("language: 1\npairs: [a]\n".to_owned(), bad, "[a]"),
        ("language: 1\npears: {}\n".to_owned(), Code::YAML_UNKNOWN_KEY, "pears"),
        ("language: 1\nallow_private_addresses: maybe\n".to_owned(), bad, "maybe"),
        ("language: 1\nserve: { listen: localhost }\n".to_owned(), bad, "localhost"),
        ("language: 1\nserve: { listen: '0.0.0.0:80' }\n".to_owned(), bad, "'0.0.0.0:80'"),
        ("language: 1\nserve: { max_body_bytes: -1 }\n".to_owned(), bad, "-1"),
        ("language: 1\nlimits: { records_at_a_time: 0 }\n".to_owned(), bad, "0"),
        ("language: 1\nlimits: { bulk_from_rows: 0 }\n".to_owned(), bad, "0"),
        ("language: 1\nstore: { sqlite: '' }\n".to_owned(), bad, "''"),
        ("language: 1\nstore: {}\n".to_owned(), Code::YAML_MISSING_KEY, "store"),
        (local("{}"), Code::YAML_MISSING_KEY, "auth"),
        (local(both), bad, "auth"),
        (local(keys), bad, "private_key_file"),
        (local("{ jwt_bearer: { client_id: i, username: u } }"), Code::YAML_MISSING_KEY, "jwt_bearer"),
        (local("{ client_credential: { client_id: i } }"), Code::YAML_UNKNOWN_KEY, "client_credential"),
        (local(CLEAR).replace("portal: 1, ", ""), Code::YAML_MISSING_KEY, "hubspot"),
        (local(CLEAR).replace("  main:", "  ma in:"), bad, "ma in"),
        (local(CLEAR).replace("http://localhost", "http://crm.test"), bad, "http://crm.test:9001"),
        (local(CLEAR).replace("http://localhost", "ftp://localhost"), bad, "ftp://localhost:9001"),
        (local(CLEAR).replace("http://localhost", "http://u:p@localhost"), bad, "http://u:p@localhost:9001"),
        (local(CLEAR).replace("portal: 1", "portal: 1, api_path: ../v3"), bad, "../v3"),
        (local(CLEAR).replace("portal: 1", "portal: 1, api_path: v3.1"), bad, "v3.1"),
        (format!("{}      api_version: '58'\n", local(CLEAR)), bad, "'58'"),
        (format!("{}      api_version: abc\n", local(CLEAR)), bad, "abc"),
        (local("{ oauth: { client_id: i } }"), bad, "{ client_id: i }"),
        (
            local(CLEAR).replace("token: t", "auth: { oauth: { client_id: i, client_secret: s } }"),
            bad,
            "{ client_id: i, client_secret: s }",
        ),
        (local(CLEAR).replace("token: t", "token: 12"), bad, "12"),
        (
            local(CLEAR)
                .replace("token: t", "token: t, webhook: { secrets: [], public_url: 'https://x.test' }"),
            bad,
            "[]",
        ),
    ];
    for (text, code, place) in cases {
        let findings = parsed(&text);
        assert!(findings.contains(&(code, place.to_owned())), "{text}\n{findings:?}");
    }
}

#[test]
fn a_remote_listener_is_read_when_it_is_wanted() {
    let config = resolved("language: 1\nserve: { listen: '0.0.0.0:80', allow_remote: true }\n", &[]).unwrap();
    assert!(config.serve.allow_remote && !config.serve.listen.ip().is_loopback());
}

#[test]
fn all_mistakes_are_reported_in_order() {
    let text =
        "language: 1\nfoo: 1\npairs:\n  a: { hubspot: { portal: x, token: 1 }, salesforce: 3 }\n  b: 5\n";
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    let expected = [(Code::YAML_UNKNOWN_KEY, "foo".to_owned()), bad("x"), bad("1"), bad("3"), bad("5")];
    assert_eq!(parsed(text), expected);
}

#[test]
fn a_huge_file_is_refused() {
    assert_eq!(parsed(&" ".repeat((1 << 20) + 1)), [(Code::FILE_TOO_LARGE, String::new())]);
}

#[test]
fn how_often_changes_are_asked_for() {
    let seconds = std::time::Duration::from_secs;
    let config = resolved(&local(CLEAR), &[]).unwrap();
    assert_eq!((config.poll.every, config.poll.overlap), (Some(seconds(60)), seconds(600)));
    assert_eq!(config.pairs["main"].hubspot.poll, None);
    let text = local(CLEAR).replace("token: t }", "token: t, poll: 5m }");
    let text = format!("{text}poll: {{ every: off, overlap: 0s, mappings: {{ deals: 2h, leads: 30s }} }}\n");
    let config = resolved(&text, &[]).unwrap();
    assert_eq!((config.poll.every, config.poll.overlap), (None, seconds(0)));
    let mappings: Vec<_> = config.poll.mappings.iter().map(|(name, every)| (name.as_str(), *every)).collect();
    assert_eq!(mappings, [("deals", seconds(7_200)), ("leads", seconds(30))]);
    assert_eq!(config.pairs["main"].hubspot.poll, Some(seconds(300)));
    let names: Vec<_> = good(&text).polled.into_iter().map(|name| name.value).collect();
    assert_eq!(names, ["deals", "leads"]);
}

#[test]
fn what_is_no_interval_is_found_at_its_place() {
    for (value, shown) in [
        ("60", "60"),
        ("1d", "1d"),
        ("0s", "0s"),
        ("25h", "25h"),
        ("-1s", "-1s"),
        ("1.5m", "1.5m"),
        ("99999999999999999999h", "99999999999999999999h"),
        ("m", "m"),
        ("\"\"", "\"\""),
    ] {
        let found = parsed(&format!("language: 1\npoll: {{ every: {value} }}\n"));
        assert_eq!(found, [(Code::YAML_BAD_VALUE, shown.to_owned())], "{value}");
    }
    let found = parsed("language: 1\npoll: { evry: 1m }\n");
    assert_eq!(found, [(Code::YAML_UNKNOWN_KEY, "evry".to_owned())]);
}

#[test]
fn alerts_name_an_address_or_a_program() {
    let with = |alerts: &str| format!("{}alerts: {alerts}\n", local(CLEAR));
    assert!(resolved(&local(CLEAR), &[]).unwrap().alerts.is_none());
    let text = with(
        "{ webhook: { url: 'https://hooks.example.com/a?b=c', secret: '${S}', headers: { X-Key: '${K}' } }, \
         command: [./alert.sh, --now], timeout: 30s, personal_data: true }",
    );
    let alerts = resolved(&text, &[("S", "hush"), ("K", "key")]).unwrap().alerts.expect("alerts");
    let hook = alerts.webhook.expect("a webhook");
    assert_eq!(hook.url.as_str(), "https://hooks.example.com/a?b=c");
    assert_eq!(hook.secret.expect("a secret").expose_secret(), "hush");
    assert_eq!((hook.headers[0].0.as_str(), hook.headers[0].1.expose_secret()), ("X-Key", "key"));
    assert_eq!(alerts.command.expect("a program"), ["./alert.sh", "--now"]);
    assert_eq!((alerts.timeout.as_secs(), alerts.personal_data), (30, true));
    for bad in [
        "{ }",
        "{ timeout: 5s }",
        "{ command: [] }",
        "{ command: ./alert.sh }",
        "{ webhook: { url: 'http://hooks.example.com/' } }",
        "{ webhook: { url: hooks.example.com } }",
        "{ webhook: { secret: '${S}' } }",
        "{ command: [a], timeout: 1h }",
        "{ command: [a], often: true }",
    ] {
        assert_ne!(parsed(&with(bad)), [], "{bad}");
    }
    let clear = with("{ webhook: { url: 'https://hooks.example.com/', secret: hush } }");
    assert_eq!(parsed(&clear)[0].0, Code::SECRET_IN_CLEAR);
}

#[test]
fn how_long_the_store_keeps_what_is_dealt_with() {
    let kept = |text: &str| good(text).resolve(&|_| None).expect("no variable").keep;
    let keep = |value: &str| kept(&format!("language: 1\nstore: {{ sqlite: x.db, keep: {value} }}\n"));
    let days = |days: u64| Some(std::time::Duration::from_hours(24 * days));
    assert_eq!((keep("30d"), keep("off"), kept("language: 1\n")), (days(30), None, days(90)));
    for wrong in ["1d", "90", "12h", "''", "99999999999d"] {
        let findings = parsed(&format!("language: 1\nstore: {{ sqlite: x.db, keep: {wrong} }}\n"));
        assert_eq!(findings.len(), 1, "{wrong}: {findings:#?}");
    }
}

/// Two pairs against servers on this machine; `second` is put into the second one.
fn two(second: &str) -> String {
    let first = local(CLEAR);
    let (_, pair) = first.split_once("  main:\n").expect("a pair");
    let pair = pair.replace("portal: 1", "portal: 2").replace(":900", ":910");
    format!("{first}  other:\n{second}{pair}")
}

#[test]
fn a_pair_has_files_limits_and_intervals_of_its_own() {
    let own = "    mappings: [emea/, ./shared/picklists.map]\n    schema: schema/emea\n    limits: { max_attempts: 3 }\n    \
               poll: { every: 5m, mappings: { deals: 30s } }\n";
    let text = format!("{}limits: {{ max_attempts: 7, gather_seconds: 1 }}\n", two(own));
    let files = good(&text).pairs;
    assert_eq!((files[0].mappings.as_ref(), files[0].schema.as_str()), (None, "schema"));
    assert!(files[0].takes("anything.map"));
    let places = files[1].mappings.as_ref().expect("places");
    let places: Vec<&str> = places.iter().map(|place| place.value.as_str()).collect();
    assert_eq!(
        (places.as_slice(), files[1].schema.as_str()),
        (&["emea", "shared/picklists.map"][..], "schema/emea")
    );
    for (file, taken) in [
        ("emea/leads.map", true),
        ("emea/deep/leads.map", true),
        ("shared/picklists.map", true),
        ("emeas/leads.map", false),
        ("emea.map", false),
        ("shared/other.map", false),
    ] {
        assert_eq!(files[1].takes(file), taken, "{file}");
    }
    assert_eq!(good(&text).polled.iter().map(|name| name.value.as_str()).collect::<Vec<_>>(), ["deals"]);
    let config = resolved(&text, &[]).unwrap();
    let limits =
        |name: &str| (config.pairs[name].limits.max_attempts, config.pairs[name].limits.gather_seconds);
    assert_eq!((limits("main"), limits("other")), ((7, 1), (3, 1)));
    let every = |name: &str| config.pairs[name].poll.every.map(|every| every.as_secs());
    assert_eq!((every("main"), every("other")), (Some(60), Some(300)));
}

#[test]
fn what_is_no_place_in_the_project_is_refused() {
    for place in ["/etc", "../other", "a/../..", ".", "${FOLDER}", "a\\b", "C:maps"] {
        let found = parsed(&two(&format!("    mappings: ['{place}']\n")));
        assert_eq!(found, [(Code::YAML_BAD_VALUE, format!("'{place}'"))], "{place}");
        let found = parsed(&two(&format!("    schema: '{place}'\n")));
        assert_eq!(found, [(Code::YAML_BAD_VALUE, format!("'{place}'"))], "{place}");
    }
}

#[test]
fn two_pairs_of_one_portal_or_org_are_refused() {
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    let text = two("").replace("portal: 2", "portal: 1");
    assert_eq!(parsed(&text), [bad("1")]);
    assert_eq!(parsed(&two("").replace(":9101", ":9001")), [bad("http://localhost:9001")]);
    // Where the environment says it, it is found then.
    let text = two("").replace("portal: 2", "portal: \"${PORTAL}\"").replace("token: t", "token: \"${T}\"");
    let found = resolved(&text, &[("PORTAL", "1"), ("T", "t")]).unwrap_err();
    assert_eq!(found, [bad("\"${PORTAL}\"")]);
    assert!(resolved(&text, &[("PORTAL", "3"), ("T", "t")]).is_ok());
    // At the address where every org logs in, the user tells them apart.
    let jwt = |user: &str| {
        format!("{{ jwt_bearer: {{ client_id: i, username: {user}, private_key: \"${{K}}\" }} }}")
    };
    let shared = |user: &str| {
        let text = two("").replace("http://localhost:9001", "https://login.salesforce.com").replacen(
            CLEAR,
            &jwt("a@x.test"),
            1,
        );
        text.replace("http://localhost:9101", "https://login.salesforce.com").replace(CLEAR, &jwt(user))
    };
    assert!(resolved(&shared("b@x.test"), &[("K", "k")]).is_ok());
    assert_eq!(
        resolved(&shared("A@x.test"), &[("K", "k")]).unwrap_err(),
        [bad("https://login.salesforce.com")]
    );
}

#[test]
fn one_pair_is_resolved_without_the_secrets_of_another() {
    let text = two("").replacen("token: t", "token: \"${MISSING}\"", 1);
    let (config, _) = parse(&mut Sources::new(), "mapwright.yaml", &text);
    let config = config.unwrap();
    assert!(config.resolve(&|_| None).is_err());
    let one = config.resolve_pair(Some("other"), &|_| None).unwrap();
    assert_eq!(one.pairs.keys().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn an_oauth_app_takes_the_place_of_a_token() {
    let oauth = "auth: { oauth: { client_id: i, client_secret: s } }";
    let keys = "store: { sqlite: s.db, key_file: keys }\n";
    let text = local("{ oauth: { client_id: c, scopes: [api, offline_access] } }").replace("token: t", oauth);
    let text = format!("{text}{keys}");
    let config = resolved(&text, &[]).unwrap();
    let pair = &config.pairs["main"];
    let HubspotAuth::OAuth { client_id, scopes, .. } = &pair.hubspot.auth else {
        panic!("{:?}", pair.hubspot.auth)
    };
    assert_eq!((client_id.as_str(), scopes.first().map(String::as_str)), ("i", Some("oauth")));
    assert_eq!(pair.hubspot.login_url.port(), Some(9000), "the sandbox serves the page too");
    let SalesforceAuth::OAuth { client_secret: None, scopes, .. } = &pair.salesforce.auth else {
        panic!("{:?}", pair.salesforce.auth)
    };
    assert_eq!(scopes, &["api", "offline_access"]);
    let both = local(CLEAR).replace("token: t", &format!("token: t, {oauth}")) + keys;
    assert_eq!(parsed(&both), [(Code::YAML_BAD_VALUE, "auth".to_owned())]);
    let none = local(CLEAR).replace(", token: t", "");
    assert_eq!(parsed(&none), [(Code::YAML_MISSING_KEY, "hubspot".to_owned())]);
    for bad in ["[]", "[\"a b\"]"] {
        let text = local(&format!("{{ oauth: {{ client_id: c, scopes: {bad} }} }}")) + keys;
        assert_eq!(parsed(&text).len(), 1, "{bad}");
    }
}

#[test]
fn keys_come_from_the_environment_or_a_file() {
    let store = |keys: &str| format!("language: 1\nstore: {{ sqlite: s.db, {keys} }}\n");
    let text = store("keys: [\"${NEW}\", \"${OLD}\"]");
    let config = resolved(&text, &[("NEW", "n"), ("OLD", "o")]).unwrap();
    let Some(KeySource::Given(keys)) = &config.keys else { panic!("{:?}", config.keys) };
    assert_eq!(keys.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(), ["n", "o"]);
    // Whoever looks only at what is kept needs no key.
    let (parsed_config, _) = parse(&mut Sources::new(), "mapwright.yaml", &text);
    assert!(parsed_config.unwrap().resolve_store(&|_| None).is_ok());
    let config = resolved(&store("key_file: keys.txt"), &[]).unwrap();
    assert!(matches!(&config.keys, Some(KeySource::File(file)) if file == "keys.txt"));
    assert!(resolved("language: 1\n", &[]).unwrap().keys.is_none());
    assert_eq!(parsed(&store("keys: [clear]")), [(Code::SECRET_IN_CLEAR, "clear".to_owned())]);
    assert_eq!(parsed(&store("keys: []")), [(Code::YAML_BAD_VALUE, "[]".to_owned())]);
    let both = store("keys: [\"${A}\"], key_file: f");
    assert_eq!(parsed(&both), [(Code::YAML_BAD_VALUE, "key_file".to_owned())]);
}

#[test]
fn owners_are_listed_unless_the_project_says_otherwise() {
    let owners = |text: &str| good(&format!("language: 1\n{text}")).owners;
    assert!(owners("") && owners("snapshots: {}\n") && owners("snapshots: { owners: true }\n"));
    assert!(!owners("snapshots: { owners: false }\n"));
    for wrong in ["snapshots: { owners: no }\n", "snapshots: { people: false }\n", "snapshots: false\n"] {
        let (_, findings) = parse(&mut Sources::new(), "mapwright.yaml", &format!("language: 1\n{wrong}"));
        assert_eq!(findings.len(), 1, "{wrong}");
    }
}
