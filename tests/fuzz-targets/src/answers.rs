//! Both CRMs' clients against a server on loopback that answers whatever the fuzzer says.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mapwright::crm::Crm;
use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::crm::hubspot::{HubspotClient, HubspotConfig};
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::source::{ObjectName, Side};
use mapwright::types::{
    AssociateRequest, AssociatedRequest, AssociationKind, ChangedRequest, Filter, FilterOp, FindRequest,
    ReadRequest, Value, WriteRequest, WriteTarget,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// Statuses that the vendors send, and some that they do not.
const STATUSES: [u16; 12] = [200, 201, 204, 207, 300, 400, 401, 403, 404, 409, 429, 503];

/// The status and the body of every answer but that to a request for a token.
type Script = Arc<Mutex<(u16, Vec<u8>)>>;

struct Clients {
    runtime: Runtime,
    script: Script,
    hubspot: HubspotClient,
    salesforce: SalesforceClient,
}

impl Clients {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let script = Script::default();
        let base = runtime.block_on(serve(Arc::clone(&script)));
        let hubspot = HubspotConfig {
            base_url: base.clone(),
            auth: mapwright::crm::hubspot::HubspotAuth::Token("token".into()),
            path_version: "v3".to_owned(),
            objects: [].into(),
        };
        let salesforce = SalesforceConfig {
            login_url: base,
            api_version: "58.0".to_owned(),
            auth: SalesforceAuth::ClientCredentials {
                client_id: "id".to_owned(),
                client_secret: "secret".into(),
            },
            aliases: [].into(),
        };
        let client =
            || (HubspotClient::new(hubspot, options()), SalesforceClient::new(salesforce, options()));
        let (hubspot, salesforce) = client();
        Self {
            runtime,
            script,
            hubspot: hubspot.expect("a client"),
            salesforce: salesforce.expect("a client"),
        }
    }
}

fn options() -> HttpOptions {
    let noon = || DateTime::<Utc>::from_timestamp(1_700_000_000, 0).expect("a time");
    let mut options = HttpOptions::new(noon, || 0.0);
    options.allow_private = true;
    options.request_timeout = Duration::from_secs(5);
    options.retry = RetryPolicy { max_attempts: 1, base_delay: Duration::ZERO, max_delay: Duration::ZERO };
    options
}

async fn serve(script: Script) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let own = base.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&script), own.clone()));
        }
    });
    base.parse().expect("a URL")
}

/// Answers the requests of one connection, one after the other.
async fn connection(mut stream: TcpStream, script: Script, base: String) {
    let mut read = Vec::new();
    loop {
        let Some(head) = request(&mut stream, &mut read).await else { return };
        let (status, body) = if head.contains("/oauth2/token") {
            (200, format!("{{\"access_token\":\"t\",\"instance_url\":\"{base}\"}}").into_bytes())
        } else {
            script.lock().expect("nobody panics with it").clone()
        };
        let body = if status == 204 { Vec::new() } else { body };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = [head.as_bytes(), body.as_slice()].concat();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// The head of the next request, whose body is read and thrown away.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    let mut buffer = [0; 8192];
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let lower = head.to_ascii_lowercase();
            let length = lower.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
            if read.len() >= end + 4 + length {
                read.drain(..end + 4 + length);
                return Some(head);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}

thread_local! {
    static CLIENTS: RefCell<Option<Clients>> = const { RefCell::new(None) };
}

/// The first byte says which call is made, the second which status the answer has; the rest is the answer.
pub fn answers(data: &[u8]) {
    let [call, status, body @ ..] = data else { return };
    CLIENTS.with_borrow_mut(|clients| {
        let clients = clients.get_or_insert_with(Clients::new);
        *clients.script.lock().expect("nobody panics with it") =
            (STATUSES[usize::from(*status) % STATUSES.len()], body.to_vec());
        let (crm, object): (&dyn Crm, _) = if call % 2 == 0 {
            (&clients.hubspot, ObjectName::new(Side::Hubspot, "contact"))
        } else {
            (&clients.salesforce, ObjectName::new(Side::Salesforce, "Lead"))
        };
        clients.runtime.block_on(ask(crm, &object, call / 2));
    });
}

async fn ask(crm: &dyn Crm, object: &ObjectName, call: u8) {
    let object = object.clone();
    let ids = || vec!["1".to_owned(), "00Q000000000001AAA".to_owned()];
    let fields = || vec!["email".to_owned(), "Email".to_owned(), "Owner.Email".to_owned()];
    match call % 8 {
        0 => drop(crm.read(&ReadRequest { object, ids: ids(), fields: fields() }).await),
        1 => {
            let email = Filter { field: "Email".to_owned(), op: FilterOp::Eq(Value::Text("a@b.c".into())) };
            let request = FindRequest { object, filters: vec![email], ids: Vec::new(), fields: fields(), limit: 2 };
            assert_eq!(crm.find(&[request.clone(), request]).await.len(), 2, "one answer for each request");
        }
        2 | 3 => {
            let targets = [
                WriteTarget::Create,
                WriteTarget::Update { id: "1".to_owned() },
                WriteTarget::Upsert { key: "Key__c".to_owned(), value: "1".to_owned() },
            ];
            let count = if call % 8 == 2 { 1 } else { 3 };
            let write = |target: &WriteTarget| WriteRequest {
                object: object.clone(),
                target: target.clone(),
                fields: vec![("Email".to_owned(), Value::Text("a@b.c".into()))],
                allow_duplicates: false,
                assignment_rule: None,
            };
            let requests: Vec<_> = targets.iter().take(count).map(write).collect();
            assert_eq!(crm.write(&requests).await.len(), count, "one answer for each request");
        }
        4 => {
            let kind = AssociationKind::Labelled("Billing".to_owned());
            drop(
                crm.associated(&AssociatedRequest {
                    from: object,
                    ids: ids(),
                    to: "company".to_owned(),
                    kind,
                })
                .await,
            );
        }
        5 => {
            let request = AssociateRequest {
                from: object,
                from_id: "1".to_owned(),
                to: "company".to_owned(),
                to_id: "2".to_owned(),
                kind: AssociationKind::Primary,
            };
            assert_eq!(crm.associate(&[request]).await.len(), 1, "one answer for each request");
        }
        6 => drop(crm.changed(&ChangedRequest { object, id: "1".to_owned(), fields: fields() }).await),
        _ => drop(crm.survivor(&object, "1").await),
    }
}
